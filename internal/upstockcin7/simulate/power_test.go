package simulate

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	power = flag.Bool("power", false, "measure how many seeds meet each mutant")
	only  = flag.String("only", "", "of the mutants only those whose names contain this")
)

// mutant is the code with a rule of the protocol switched off, or with a fault
// put back that was mended: replacements of its text.
type mutant struct {
	name  string
	edits []edit
}

// edit replaces text of a file below internal, where it stands exactly once.
type edit struct{ file, before, after string }

// enough is how many of the fixed seeds must meet a mutant.
const enough, fixed = 3, 2000

// TestMutantsFit: what a mutant replaces stands in the code, once.
func TestMutantsFit(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range mutants() {
		if seen[m.name] {
			t.Errorf("%s: two mutants have this name", m.name)
		}
		seen[m.name] = true
		if _, err := m.sources(); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
}

// sources are the changed files, by their paths below internal.
func (m mutant) sources() (map[string]string, error) {
	changed := map[string]string{}
	for _, e := range m.edits {
		text, ok := changed[e.file]
		if !ok {
			raw, err := os.ReadFile(filepath.Join("..", "..", e.file))
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.before); n != 1 {
			return nil, fmt.Errorf("%s has this %d times: %s", e.file, n, e.before)
		}
		changed[e.file] = strings.Replace(text, e.before, e.after, 1)
	}
	return changed, nil
}

// TestPower builds each mutant with an overlay and counts which of the fixed
// seeds meet it, until there are enough.
func TestPower(t *testing.T) {
	if !*power {
		t.Skip("takes long: make power")
	}
	if *only == "" { // a seed that is bad by itself would be a hit of every mutant
		hits, seeds, example, err := mutant{}.measure(t.TempDir())
		if err != nil || hits > 0 {
			t.Fatalf("the code as it is: %d hits in %d seeds, %v: %s", hits, seeds, err, example)
		}
	}
	for _, m := range mutants() {
		if !strings.Contains(m.name, *only) {
			continue
		}
		start := time.Now()
		hits, seeds, example, err := m.measure(t.TempDir())
		if err != nil {
			t.Errorf("%s: %v", m.name, err)
			continue
		}
		fmt.Printf("%-60s %d hits in %4d seeds, %3.0f s: %s\n", m.name, hits, seeds, time.Since(start).Seconds(), example)
		if hits < enough {
			t.Errorf("%s: %d of %d seeds meet it", m.name, hits, fixed)
		}
	}
}

var badSeed = regexp.MustCompile(`seed (\d+) \(\w+\): (.*)`)

func (m mutant) measure(dir string) (hits, seeds int, example string, err error) {
	changed, err := m.sources()
	if err != nil {
		return 0, 0, "", err
	}
	replace := map[string]string{}
	for file, text := range changed {
		path, err := filepath.Abs(filepath.Join("..", "..", file))
		if err != nil {
			return 0, 0, "", err
		}
		replace[path] = filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			return 0, 0, "", err
		}
	}
	overlay, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutant.test")
	doc, _ := json.Marshal(map[string]any{"Replace": replace})
	if err := os.WriteFile(overlay, doc, 0o600); err != nil {
		return 0, 0, "", err
	}
	if out, err := exec.Command("go", "test", "-c", "-overlay", overlay, "-o", binary, ".").CombinedOutput(); err != nil {
		return 0, 0, "", fmt.Errorf("build: %s", out)
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	workers := runtime.NumCPU()
	last := make([]int, workers)
	commands := make([]*exec.Cmd, workers)
	for n := range workers {
		c := exec.Command(binary, "-test.run", "^TestSimulate$", "-test.timeout", "0", "-brief", "-progress", "-most", strconv.Itoa(enough),
			"-seeds", strconv.Itoa(fixed/workers), "-seconds", strconv.Itoa(*secs), "-from", strconv.Itoa(1+n), "-step", strconv.Itoa(workers))
		c.Env = append(os.Environ(), "GOGC=400", "GOMAXPROCS=1")
		out, err := c.StdoutPipe()
		if err != nil {
			return 0, 0, "", err
		}
		if err := c.Start(); err != nil {
			return 0, 0, "", err
		}
		commands[n] = c
		wg.Go(func() {
			lines := bufio.NewScanner(out)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				mu.Lock()
				if bad := badSeed.FindStringSubmatch(lines.Text()); bad != nil && strings.HasPrefix(lines.Text(), "bad ") {
					if hits++; example == "" {
						example = "seed " + bad[1] + ": " + bad[2]
					}
					if hits >= enough {
						for _, c := range commands {
							if c != nil {
								c.Process.Kill()
							}
						}
					}
				} else if _, err := fmt.Sscanf(lines.Text(), "seeds %d", &last[n]); err != nil && strings.HasPrefix(lines.Text(), "panic:") {
					if hits++; example == "" {
						example = lines.Text()
					}
				}
				mu.Unlock()
			}
			c.Wait()
		})
	}
	wg.Wait()
	for _, n := range last {
		seeds += n
	}
	return hits, seeds, example[:min(len(example), 200)], nil
}
