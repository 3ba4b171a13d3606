package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuildFlags: who builds with SAM, by the README or by .ci/run, gets what make build makes.
func TestBuildFlags(t *testing.T) {
	var flags []string
	for _, f := range buildFlags[1:] { // the first is go's command
		if strings.Contains(f, " ") {
			f = "'" + f + "'"
		}
		flags = append(flags, f)
	}
	want := `GOFLAGS="` + strings.Join(flags, " ") + `" sam build`
	for _, name := range []string{"README.md", ".ci/run"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s", name, want)
		}
	}
}
