package main

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/testsize"
)

// TestLicenses: each module that a function is made of has a license that lets anybody use it, with its notice kept.
func TestLicenses(t *testing.T) {
	testsize.Unraced(t) // it asks go
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f",
		"{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./functions/...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	free := []string{"Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "MIT"}
	modules := strings.Split(strings.TrimSpace(string(out)), "\n")
	slices.Sort(modules)
	modules = slices.DeleteFunc(slices.Compact(modules), func(m string) bool { return m == "" })
	if len(modules) < 5 {
		t.Fatalf("modules: %v", modules)
	}
	for _, m := range append(modules, "std 1") {
		path, version, _ := strings.Cut(m, " ")
		c, err := componentOf(t.Context(), path, version)
		if err != nil {
			t.Error(err)
			continue
		}
		if id := c.Licenses[0].License.ID; !slices.Contains(free, id) {
			t.Errorf("%s has the license %s", m, id)
		}
	}
}
