package testsize

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

var alone = flag.Bool("alone", false, "this process runs a single test: one that measures itself (set by tests only)")

// Alone is for a test that measures the memory of its process. It runs the test once more in a process of its own, and
// reports whether this is that process: where not, the test returns. So what other tests leave behind, their order and
// GOGC change no number. The process has this one's size and flags, Go's usual GOGC, and no memory limit.
//
//	if !testsize.Alone(t) {
//		return
//	}
func Alone(t *testing.T) bool {
	t.Helper()
	if *alone {
		return true
	}
	said, err := runAlone(t)
	t.Logf("in a process of its own:\n%s", said)
	if err != nil {
		t.Errorf("in a process of its own: %v", err)
	}
	return false
}

// runAlone runs a test in a process of its own and returns what that says; where the test did not pass, an error.
func runAlone(t *testing.T) (said string, err error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	args := []string{"-alone", "-test.v", "-test.run=^" + t.Name() + "$"}
	flag.Visit(func(f *flag.Flag) {
		if f.Name == "test.short" || !strings.HasPrefix(f.Name, "test.") {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})
	if end, ok := t.Deadline(); ok {
		// It is given up first, so that it tells where it stood.
		args = append(args, "-test.timeout="+max(time.Second, time.Until(end)*9/10).String())
	}
	cmd := exec.CommandContext(t.Context(), self, args...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "GOGC=") || strings.HasPrefix(v, "GOMEMLIMIT=")
	})
	out, err := cmd.CombinedOutput()
	if err == nil && !strings.Contains(string(out), "--- PASS: "+t.Name()+" ") {
		err = errors.New("it was not run")
	}
	return string(out), err
}
