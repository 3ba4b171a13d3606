package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestBuildFlags: who builds with SAM gets what make build makes: each function's folder has the repository's targets,
// which have its flags.
func TestBuildFlags(t *testing.T) {
	var flags []string
	for _, f := range buildFlags[1:] { // the first is go's command
		if strings.Contains(f, " ") {
			f = "'" + f + "'"
		}
		flags = append(flags, f)
	}
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	want := "\nbuild-%Function:\n\tGOOS=linux GOARCH=arm64 CGO_ENABLED=0 GOFLAGS= go build " +
		strings.Join(flags, " ") + ` -o "$(ARTIFACTS_DIR)/bootstrap" .` + "\n"
	if !strings.Contains(string(makefile), want) {
		t.Errorf("Makefile has no %s", want)
	}
	all := resources(t)
	for name := range timeouts() {
		dir := strings.ToLower(strings.TrimSuffix(name, "Function"))
		own, err := os.ReadFile(filepath.Join(root, "functions", dir, "Makefile"))
		if err != nil || string(own) != "include ../../Makefile\n" {
			t.Errorf("functions/%s/Makefile: %q %v", dir, own, err)
		}
		if how, _ := all[name]["Metadata"].(map[string]any); how["BuildMethod"] != "makefile" {
			t.Errorf("%s is built by %v", name, how)
		}
	}
}
