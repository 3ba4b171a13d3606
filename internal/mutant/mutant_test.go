package mutant

import (
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestFit: what a mutant replaces stands in the code, once.
func TestFit(t *testing.T) {
	seen := map[string]bool{}
	for _, m := range all() {
		if seen[m.Name] {
			t.Errorf("%s: two mutants have this name", m.Name)
		}
		seen[m.Name] = true
		if _, err := m.Sources(); err != nil {
			t.Errorf("%s: %v", m.Name, err)
		}
	}
}

// TestCompile: a mutant compiles. Each package that it changes is type-checked by itself: no mutant changes what a
// package exports.
func TestCompile(t *testing.T) {
	if testing.Short() {
		t.Skip("reads every changed package once for each mutant")
	}
	c := newChecker(t)
	for _, m := range all() {
		sources, err := m.Sources()
		if err != nil {
			continue // TestFit says so
		}
		changed := map[string]map[string]string{} // by folder, then file
		for file, text := range sources {
			dir, name := path.Split(file)
			if changed[dir] == nil {
				changed[dir] = map[string]string{}
			}
			changed[dir][name] = text
		}
		for dir, files := range changed {
			if err := c.check(dir, files); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			}
		}
	}
}

// checker type-checks packages below internal.
type checker struct {
	root   string
	fset   *token.FileSet
	from   types.Importer
	parsed map[string]*ast.File // unchanged files, by path
}

// newChecker builds what the packages import.
func newChecker(t *testing.T) *checker {
	t.Helper()
	root, err := internal()
	if err != nil {
		t.Fatal(err)
	}
	list := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}",
		"./upstockcin7/...", "./joorcin7/...")
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		exit, _ := errors.AsType[*exec.ExitError](err)
		t.Fatalf("%v: %s", err, exit.Stderr)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		imported, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[imported] = file
	}
	c := &checker{root: root, fset: token.NewFileSet(), parsed: map[string]*ast.File{}}
	c.from = importer.ForCompiler(c.fset, "gc", func(imported string) (io.ReadCloser, error) {
		return os.Open(exports[imported])
	})
	return c
}

// check type-checks the package in a folder, with these files in the place of its own.
func (c *checker) check(dir string, changed map[string]string) error {
	all, err := filepath.Glob(filepath.Join(c.root, dir, "*.go"))
	if err != nil {
		return err
	}
	var files []*ast.File
	for _, file := range all {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := c.parse(file, changed[filepath.Base(file)])
		if err != nil {
			return err
		}
		files = append(files, parsed)
	}
	_, err = (&types.Config{Importer: c.from}).Check(path.Clean(dir), c.fset, files, nil)
	return err
}

// parse parses a file, or the text that is in its place.
func (c *checker) parse(file, text string) (*ast.File, error) {
	if text != "" {
		return parser.ParseFile(c.fset, file, text, 0)
	}
	if c.parsed[file] != nil {
		return c.parsed[file], nil
	}
	parsed, err := parser.ParseFile(c.fset, file, nil, 0)
	c.parsed[file] = parsed
	return parsed, err
}
