// Package mutant holds the proofs' opponents: the code with one rule switched off, or with one fault put back that was
// mended.
//
// A [Mutant] is a list of replacements of source text. It is built into a test binary by an overlay (go help build,
// -overlay), so that nothing in the product knows of it: no switch, no branch, no field. [Mutant.Build] makes such a
// binary of a package's own tests; that binary must then find something wrong, or the tests prove nothing.
//
// There is a list for each pair ([Orders], [Customers]). Who uses them:
//
//   - a proof has [Caught] run one of its package's tests over the mutants that it names; compiled over one
//     ([Compiled]), a test must fail;
//   - make power counts which of the simulator's fixed seeds meet each mutant of Orders;
//   - TestFit says, in a moment, whether each text still stands in the code, exactly once, and TestCompile whether what
//     it becomes still compiles. Whoever changes such a text changes the mutant too, so that it still means what its
//     name says.
//
// The package is for tests alone and is part of no program.
package mutant

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Mutant is the code without one of its rules.
type Mutant struct {
	Name  string // what it does wrong, in a sentence
	Edits []Edit
}

// Edit replaces text of a file below internal, where it stands exactly once.
type Edit struct{ File, Before, After string }

// Named returns the mutants of these names, in their order.
func Named(names ...string) ([]Mutant, error) {
	var list []Mutant
	for _, name := range names {
		n := len(list)
		for _, m := range all() {
			if m.Name == name {
				list = append(list, m)
			}
		}
		if len(list) != n+1 {
			return nil, fmt.Errorf("%d mutants are called %q", len(list)-n, name)
		}
	}
	return list, nil
}

// all are the mutants of both lists.
func all() []Mutant { return slices.Concat(Orders(), Customers()) }

// Sources returns the changed files, by their paths below internal.
func (m Mutant) Sources() (map[string]string, error) {
	root, err := internal()
	if err != nil {
		return nil, err
	}
	changed := map[string]string{}
	for _, e := range m.Edits {
		text, ok := changed[e.File]
		if !ok {
			raw, err := os.ReadFile(filepath.Join(root, e.File))
			if err != nil {
				return nil, err
			}
			text = string(raw)
		}
		if n := strings.Count(text, e.Before); n != 1 {
			return nil, fmt.Errorf("%s has this %d times: %s", e.File, n, e.Before)
		}
		changed[e.File] = strings.Replace(text, e.Before, e.After, 1)
	}
	return changed, nil
}

// Build compiles the tests of the package in the working directory over the
// changed code, and returns the binary's path, below dir.
func (m Mutant) Build(dir string) (binary string, err error) {
	root, err := internal()
	if err != nil {
		return "", err
	}
	changed, err := m.Sources()
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range changed {
		copied := filepath.Join(dir, strings.ReplaceAll(file, "/", "-"))
		if err := os.WriteFile(copied, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(root, file)] = copied
	}
	doc, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "mutant.test")
	if err := os.WriteFile(overlay, doc, 0o600); err != nil {
		return "", err
	}
	build := exec.Command("go", "test", "-c", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build %q: %w\n%s", m.Name, err, out)
	}
	return binary, nil
}

// internal is the repository's directory of that name, above the working directory.
func internal() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "internal"), nil
		}
		if filepath.Dir(dir) == dir {
			return "", fmt.Errorf("no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}
