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
	seeds = flag.Int("seeds", 0, "how many seeds; 0 = as many as are usual")
	from  = flag.Uint64("from", 1, "the first seed")
	step  = flag.Uint64("step", 1, "from one seed to the next")
	secs  = flag.Int("seconds", 0, "end after so many; 0 = when the seeds are through")
	most  = flag.Int("most", 5, "how many bad seeds are enough")
	twice = flag.Int("twice", 0, "how many of the seeds are run once more, to the same story")
	tick  = flag.Bool("progress", false, "print each bad seed at once, and how many are through")
	brief = flag.Bool("brief", false, "print no story")
	whole = flag.Bool("story", false, "print the whole story of each seed")
)

// fixedSeeds returns how many seeds are run where no number was asked for, and how many of them are run twice.
func fixedSeeds() (n int, again uint64) {
	return testsize.Of(240, 240, 200), uint64(testsize.Of(100, 100, 10))
}

func sorted(list []string) []string { slices.Sort(list); return list }

// bubble runs f under fake time, all that is random from the seed.
func bubble(t *testing.T, seed uint64, f func(t *testing.T)) {
	cryptotest.SetGlobalRandom(t, seed)
	synctest.Test(t, f)
}

// TestSimulate runs seeds, and tells the story of those that end badly. Run twice, a seed has the same story, byte by
// byte.
func TestSimulate(t *testing.T) {
	testsize.Unraced(t)
	n, again, wait := shared(t)
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
			if *whole || i < again {
				w.story = &text
			}
		})
		if i < again {
			repeat(t, seed, text.String())
		}
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

// shared says how many seeds to run and how many of them twice: those that were asked for, or the fixed ones, of
// which a second process does every other one; wait waits for it.
func shared(t *testing.T) (mine int, again uint64, wait func()) {
	if *seeds > 0 {
		return *seeds, uint64(*twice), func() {}
	}
	mine, again = fixedSeeds()
	if runtime.NumCPU() < 2 {
		return mine, again, func() {}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$", "-seeds", fmt.Sprint(mine/2), "-twice",
		fmt.Sprint(again/2), "-from", "2", "-step", "2")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	*step = 2
	return mine - mine/2, again - again/2, func() {
		*step = 1
		if err := c.Wait(); err != nil {
			t.Errorf("every other seed: %v\n%s", err, out.String())
		}
	}
}

// repeat runs a seed once more and holds its story to the first one.
func repeat(t *testing.T, seed uint64, first string) {
	t.Helper()
	var second bytes.Buffer
	live(t, seed, func(w *world) { w.story = &second })
	if second.String() == first {
		return
	}
	a, b := strings.Split(first, "\n"), strings.Split(second.String(), "\n")
	for i := range a {
		if i >= len(b) || a[i] != b[i] {
			t.Fatalf("seed %d differs in line %d:\n%s\n%s", seed, i,
				strings.Join(a[max(0, i-5):min(i+2, len(a))], "\n"),
				strings.Join(b[min(i, len(b)-1):min(i+2, len(b))], "\n"))
		}
	}
	t.Fatalf("seed %d: the second story goes on", seed)
}
