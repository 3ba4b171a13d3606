// Package simulate is the whole of Stockbridge in one seed: the real code over a
// table in memory, queues, schedules, processes that die, stall and have clocks
// of their own, the simulated vendors, and people at both ends, for hours of
// simulated time in a testing/synctest bubble. All chance and all order of work
// come from the seed, so that a failing seed fails again, always.
//
//	stage    whose turn it is        process  our processes and what may befall each of their effects
//	faults   what goes wrong         world    vendors, tenants, orders, and what people do to them
//	profile  what sort of world      life     the hours of a seed, and the calm after
//	oracle   the verdict             store    the table in memory
package simulate

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"stockbridge/internal/testsize"
)

var (
	seeds = flag.Int("seeds", 0, "how many seeds; 0 = those of make test")
	from  = flag.Uint64("from", 1, "the first seed")
	step  = flag.Uint64("step", 1, "from one seed to the next")
	secs  = flag.Int("seconds", 0, "end after so many; 0 = when the seeds are through")
	most  = flag.Int("most", 5, "how many bad seeds are enough")
	tick  = flag.Bool("progress", false, "print each bad seed at once, and how many are through")
	brief = flag.Bool("brief", false, "print no story")
	whole = flag.Bool("story", false, "print the whole story of each seed")
)

// repeats is how many seeds are run twice.
const repeats = 100

// usual is how many seeds make test runs.
const usual = 240

func sorted(list []string) []string { slices.Sort(list); return list }

// bubble runs f under fake time, all that is random from the seed.
func bubble(t *testing.T, seed uint64, f func(t *testing.T)) {
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, f)
}

// TestSimulate runs seeds, and tells the story of those that end badly.
func TestSimulate(t *testing.T) {
	testsize.Large(t)
	n, wait := shared(t, usual)
	defer wait()
	start := time.Now()
	effects, lived, faults, bad := 0, 0, 0, 0
	done := 0
	for i := range uint64(n) {
		if *secs > 0 && time.Since(start) > time.Duration(*secs)*time.Second {
			break
		}
		done++
		seed := *from + i**step
		var text bytes.Buffer
		w, verdict := live(t, seed, func(w *world) {
			if *whole {
				w.story = &text
			}
		})
		effects, lived, faults = effects+w.effects, lived+w.lived, faults+w.faults
		if *whole {
			fmt.Print(text.String())
		}
		if *tick {
			fmt.Printf("seeds %d\n", done)
			if verdict != "" {
				fmt.Printf("bad seed %d (%s): %s\n", seed, w.profile.name, strings.ReplaceAll(verdict, "\n", "; "))
			}
		}
		if verdict != "" {
			bad++
			story := ""
			if !*brief {
				story = "\n" + retold(t, seed, verdict)
			}
			t.Errorf("seed %d (%s): %s%s", seed, w.profile.name, verdict, story)
			if bad >= *most {
				t.Fatalf("enough bad seeds: the rest is left out")
			}
		}
	}
	took := time.Since(start)
	t.Logf("%d seeds from %d: %d bad, %d effects (%d before the calm), %d faults, %.1f seeds a second", done, *from,
		bad, effects, lived, faults, float64(done)/took.Seconds())
}

// retold runs a bad seed again and tells its story in short: what people and
// vendors did, and what happened to the orders of the verdict.
func retold(t *testing.T, seed uint64, verdict string) string {
	var text bytes.Buffer
	live(t, seed, func(w *world) { w.story = &text })
	ids := orderID.FindAllString(verdict, -1)
	var lines []string
	for line := range strings.Lines(text.String()) {
		effect, of := strings.Contains(line, "   "), false
		for _, id := range ids {
			of = of || strings.Contains(line, id)
		}
		quiet := strings.Contains(line, ": get ") && !strings.Contains(line, "!!") ||
			strings.Contains(line, " schedule: ") || strings.Contains(line, " webhook /")
		if of && !quiet || !effect && !quiet && !orderID.MatchString(line) {
			lines = append(lines, line[:min(len(line), 240)])
		}
	}
	const most = 150
	if len(lines) > most {
		lines = append(append(lines[:most/2:most/2], fmt.Sprintf("… %d lines …\n", len(lines)-most)),
			lines[len(lines)-most/2:]...)
	}
	return strings.Join(lines, "")
}

var orderID = regexp.MustCompile(`\b12\d{4}\b`)

// shared says how many seeds to run: those that were asked for, or as many as are usual, of which a second process does
// every other one; wait waits for it.
func shared(t *testing.T, usual int) (mine int, wait func()) {
	if *seeds > 0 {
		return *seeds, func() {}
	}
	if runtime.NumCPU() < 2 {
		return usual, func() {}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run", "^"+t.Name()+"$", "-seeds", fmt.Sprint(usual/2), "-from", "2", "-step", "2")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	*step = 2
	return usual - usual/2, func() {
		*step = 1
		if err := c.Wait(); err != nil {
			t.Errorf("every other seed: %v\n%s", err, out.String())
		}
	}
}

// TestSimulateRepeats runs seeds twice: their stories are the same, byte by byte.
func TestSimulateRepeats(t *testing.T) {
	testsize.Large(t)
	n, wait := shared(t, repeats)
	defer wait()
	for i := range uint64(n) {
		seed := *from + i**step
		var one, two bytes.Buffer
		live(t, seed, func(w *world) { w.story = &one })
		live(t, seed, func(w *world) { w.story = &two })
		if !bytes.Equal(one.Bytes(), two.Bytes()) {
			a, b := strings.Split(one.String(), "\n"), strings.Split(two.String(), "\n")
			for i := range a {
				if i >= len(b) || a[i] != b[i] {
					t.Fatalf("seed %d differs in line %d:\n%s\n%s", seed, i,
						strings.Join(a[max(0, i-5):min(i+2, len(a))], "\n"),
						strings.Join(b[min(i, len(b)-1):min(i+2, len(b))], "\n"))
				}
			}
			t.Fatalf("seed %d: the second story goes on", seed)
		}
	}
}
