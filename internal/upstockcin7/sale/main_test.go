package sale_test

import (
	"flag"
	"os"
	"testing"

	_ "pgregory.net/rapid" // its flags
)

// whole has the tests that draw lots draw others each time, as make proof does.
var whole = flag.Bool("whole", false, "draw anew each time")

func TestMain(m *testing.M) {
	if flag.Parse(); !*whole && flag.Lookup("rapid.seed").Value.String() == "0" {
		flag.Set("rapid.seed", "1")
	}
	os.Exit(m.Run())
}
