package testsize

import (
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// TestAlone: in its own process, a test meets neither another GOGC than Go's usual one nor a memory limit.
func TestAlone(t *testing.T) {
	if !*alone {
		t.Setenv("GOGC", "1000")
		t.Setenv("GOMEMLIMIT", "1GiB")
	}
	if !Alone(t) {
		return
	}
	if gogc := debug.SetGCPercent(100); gogc != 100 {
		t.Errorf("GOGC=%d", gogc)
	}
	if limit := os.Getenv("GOMEMLIMIT"); limit != "" {
		t.Errorf("GOMEMLIMIT=%s", limit)
	}
}

// TestAloneFails: no other test is run in that process, and where the test fails there, that is told.
func TestAloneFails(t *testing.T) {
	if *alone {
		t.Fatal("not as it should be")
	}
	said, err := runAlone(t)
	if err == nil || !strings.Contains(said, "not as it should be") || strings.Count(said, "=== RUN") != 1 {
		t.Errorf("%v:\n%s", err, said)
	}
}
