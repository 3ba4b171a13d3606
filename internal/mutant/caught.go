package mutant

import (
	"errors"
	"flag"
	"os/exec"
	"strings"
	"testing"

	"stockbridge/internal/testsize"
)

var compiled = flag.String("mutant", "", "the mutant over which these tests are compiled: they must find something "+
	"wrong (set by tests only)")

// Compiled is the name of the mutant over which these tests are compiled; "" = they are of the code as it is.
func Compiled() string { return *compiled }

// Caught has a test of the calling package fail over each mutant, at the size whole: each is a compilation of all that
// the package's tests need. A test that does not come to its end has found nothing.
func Caught(t *testing.T, test string, names ...string) {
	t.Helper()
	if !testsize.Whole() || Compiled() != "" {
		return
	}
	list, err := Named(names...)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range list {
		t.Run(m.Name, func(t *testing.T) {
			binary, err := m.Build(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			run := exec.CommandContext(t.Context(), binary, "-test.run", "^"+test+"$", "-test.v", "-mutant", m.Name)
			raw, err := run.CombinedOutput()
			said := string(raw)
			_, exited := errors.AsType[*exec.ExitError](err)
			if !exited || !strings.Contains(said, "--- FAIL: "+test) || strings.Contains(said, "\npanic: ") {
				t.Fatalf("%s finds nothing wrong: %v\n%s", test, err, said)
			}
			t.Logf("%s: %s", test, firstFault(said))
		})
	}
}

// firstFault is the first line by which a test says what is wrong.
func firstFault(said string) string {
	for line := range strings.Lines(said) {
		if _, fault, ok := strings.Cut(line, "_test.go:"); ok {
			return strings.TrimSpace(fault)
		}
	}
	return ""
}
