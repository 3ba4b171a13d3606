package simulate

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/mutant"
)

var (
	power = flag.Bool("power", false, "measure how many seeds meet each mutant")
	only  = flag.String("only", "", "of the mutants only those whose names contain this")
)

// enough is how many of the fixed seeds must meet a mutant.
const enough, fixed = 3, 2000

// TestPower builds each mutant with an overlay and counts which of the fixed
// seeds meet it, until there are enough.
func TestPower(t *testing.T) {
	if !*power {
		t.Skip("takes long: make power")
	}
	if *only == "" { // a seed that is bad by itself would be a hit of every mutant
		hits, seeds, example, err := measure(mutant.Mutant{}, t.TempDir())
		if err != nil || hits > 0 {
			t.Fatalf("the code as it is: %d hits in %d seeds, %v: %s", hits, seeds, err, example)
		}
	}
	for _, m := range mutant.Orders() {
		if !strings.Contains(m.Name, *only) {
			continue
		}
		start := time.Now()
		hits, seeds, example, err := measure(m, t.TempDir())
		if err != nil {
			t.Errorf("%s: %v", m.Name, err)
			continue
		}
		fmt.Printf("%-60s %d hits in %4d seeds, %3.0f s: %s\n", m.Name, hits, seeds, time.Since(start).Seconds(),
			example)
		if hits < enough {
			t.Errorf("%s: %d of %d seeds meet it", m.Name, hits, fixed)
		}
	}
}

var badSeed = regexp.MustCompile(`seed (\d+) \(\w+\): (.*)`)

// measure counts the fixed seeds that meet a mutant, until there are enough.
func measure(m mutant.Mutant, dir string) (hits, seeds int, example string, err error) {
	binary, err := m.Build(dir)
	if err != nil {
		return 0, 0, "", err
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	workers := runtime.NumCPU()
	last := make([]int, workers)
	commands := make([]*exec.Cmd, workers)
	for n := range workers {
		c := exec.Command(binary, "-test.run", "^TestSimulate$", "-test.timeout", "0", "-brief", "-progress", "-most",
			strconv.Itoa(enough),
			"-seeds", strconv.Itoa(fixed/workers), "-seconds", strconv.Itoa(*secs), "-from", strconv.Itoa(1+n), "-step",
			strconv.Itoa(workers))
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
				if bad := badSeed.FindStringSubmatch(lines.Text()); bad != nil &&
					strings.HasPrefix(lines.Text(), "bad ") {
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
				} else if _, err := fmt.Sscanf(lines.Text(), "seeds %d", &last[n]); err != nil &&
					strings.HasPrefix(lines.Text(), "panic:") {
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
