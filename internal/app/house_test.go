package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/testsize"
)

// mayImport says which packages of ours a package may import. Tests may
// import more (the simulators, above all).
var mayImport = map[string][]string{
	"table":                 {},
	"table/tabletest":       {"table"},
	"testsize":              {},
	"mutant":                {"testsize"}, // for tests alone
	"rest":                  {},
	"match":                 {},
	"match/matchtest":       {"match"}, // for tests and the bench
	"prose":                 {},
	"parallel":              {},
	"upstockcin7/sale":      {"upstock", "cin7core", "match", "prose", "tenant", "ledger"},
	"upstockcin7/order":     {"cin7core", "job", "ledger", "prose", "tenant"},
	"upstockcin7/catalogue": {"upstock", "cin7core", "match", "mirror", "prose", "publish", "rest", "tenant"},
	"upstockcin7/completeness": {"upstockcin7/order", "upstockcin7/sale", "upstock", "cin7core", "job", "prose", "rest",
		"tenant", "ledger"},
	"sim":          {},
	"sim/simtest":  {"sim"}, // for tests alone
	"sim/upstock":  {"sim"},
	"sim/cin7core": {"sim"},
	"sim/cin7omni": {"sim"},
	"sim/joor":     {"sim"},
	"tenant":       {"match", "table"},
	"signin":       {"table", "tenant"},
	"issuer":       {}, // for one machine, and tests
	"ledger":       {"match", "parallel", "table", "tenant"},
	"mirror":       {"job", "ledger", "parallel", "table", "tenant"},
	"publish":      {"job", "ledger", "parallel", "prose", "table", "tenant"},
	"limit":        {"table"},
	"alert":        {"job", "ledger", "limit", "prose", "table", "tenant"},
	"upstock":      {"rest"},
	"cin7core":     {"prose", "rest"},
	"joor":         {"prose", "rest"},
	"cin7omni":     {"rest"},
	"vendor":       {"job", "ledger", "limit", "match", "prose", "rest", "tenant"},
	"job":          {"ledger", "limit", "parallel", "prose", "rest", "table", "tenant"},
	"upstockcin7/reference": {"upstockcin7/sale", "upstock", "cin7core", "match", "mirror", "prose", "rest", "tenant",
		"ledger"},
	"joorcin7/customer": {"match", "prose", "tenant"},
	"joorcin7/list":     {"match", "parallel", "table", "tenant"},
	"joorcin7": {"alert", "joorcin7/customer", "joorcin7/list", "cin7omni", "joor", "job", "ledger", "limit", "match",
		"mirror", "prose", "publish", "rest", "table", "tenant", "vendor"},
	"upstockcin7": {"alert", "upstockcin7/catalogue", "upstockcin7/completeness", "upstockcin7/order",
		"upstockcin7/reference", "upstockcin7/sale", "job", "prose", "publish", "table", "upstock",
		"cin7core", "match", "mirror", "parallel", "tenant", "ledger", "limit", "rest",
		"vendor"},
	"console/consoletest": {}, // for tests alone
	"console": {"alert", "job", "joorcin7", "match", "parallel", "prose", "upstockcin7", "upstockcin7/completeness",
		"upstockcin7/order", "upstockcin7/sale", "signin", "tenant", "ledger", "limit", "vendor"},
	"app": {"alert", "console", "upstockcin7", "upstockcin7/order", "upstock", "cin7core", "cin7omni", "joor",
		"joorcin7", "job", "mirror", "signin", "tenant", "ledger", "limit", "rest", "table", "vendor"},
	"cloud":    {"alert", "app", "signin", "tenant", "ledger", "table"},
	"workbook": {"prose"}, // for the console's function and the runner alone
	"local": {"alert", "workbook", "app", "cloud", "sim", "sim/upstock", "sim/cin7core", "sim/cin7omni", "sim/joor",
		"issuer", "match", "match/matchtest", "parallel", "prose", "signin", "table",
		"ledger", "upstockcin7/order"}, // these two: the bench waits for orders to end
}

// testsOnly are libraries that no code of a function may carry: they would make its zip larger.
var testsOnly = []string{"go.yaml.in/", "github.com/santhosh-tekuri/", "github.com/xuri/"}

// TestHouse holds the shape of the house: who imports whom, that only cloud
// knows AWS, that every function has its template resource and event, and that
// the map in the README has every package.
func TestHouse(t *testing.T) {
	root := filepath.Join("..", "..")
	dirs := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root, "internal"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir, _ := filepath.Rel(filepath.Join(root, "internal"), filepath.Dir(path))
		dir = filepath.ToSlash(dir)
		dirs[dir] = true
		allowed, known := mayImport[dir]
		if !known {
			t.Errorf("internal/%s: nobody knows this package: give it its place in the house", dir)
			return nil
		}
		checkImports(t, path, allowed, dir)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	template, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for dir := range dirs {
		if !strings.Contains(string(readme), "`internal/"+dir+"`") {
			t.Errorf("internal/%s is not on the map of the packages in README.md", dir)
		}
	}
	functions, err := os.ReadDir(filepath.Join(root, "functions"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range functions {
		allowed := []string{"app", "cloud"}
		if f.Name() == "console" {
			allowed = append(allowed, "workbook")
		}
		checkImports(t, filepath.Join(root, "functions", f.Name(), "main.go"), allowed, "")
		if !strings.Contains(string(template), "functions/"+f.Name()) {
			t.Errorf("template.yaml has no resource for functions/%s", f.Name())
		}
		if _, err := os.Stat(filepath.Join(root, "events", f.Name()+".json")); err != nil {
			t.Errorf("functions/%s has no event: %v", f.Name(), err)
		}
	}
	if len(functions) == 0 || len(dirs) < 10 {
		t.Fatalf("the house is empty: %d functions, %d packages", len(functions), len(dirs))
	}
}

// leastEssay is how many characters a package's comment has at least: what it is for, its words, how it is used and
// what it promises do not fit into fewer.
const leastEssay = 400

// TestEssays: every package begins with a comment that a newcomer can start from, in one of its files.
func TestEssays(t *testing.T) {
	root := filepath.Join("..", "..")
	docs := map[string][]string{}
	for _, top := range []string{"internal", "functions"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
				return err
			}
			f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				return err
			}
			dir, _ := filepath.Rel(root, filepath.Dir(path))
			dir = filepath.ToSlash(dir)
			if docs[dir] == nil {
				docs[dir] = []string{}
			}
			if f.Doc != nil && !strings.HasSuffix(f.Name.Name, "_test") {
				docs[dir] = append(docs[dir], f.Doc.Text())
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for dir, texts := range docs {
		least, begins := leastEssay, "Package "
		if strings.HasPrefix(dir, "functions/") {
			least, begins = 1, "Command "
		}
		switch {
		case len(texts) != 1:
			t.Errorf("%s: %d files have a comment of the package; one should have it", dir, len(texts))
		case len([]rune(texts[0])) < least:
			t.Errorf("%s: the package's comment has %d characters, which is no essay that a newcomer can start from",
				dir, len([]rune(texts[0])))
		case !strings.HasPrefix(texts[0], begins) && !strings.HasPrefix(texts[0], "Command "):
			t.Errorf("%s: the package's comment begins with %.20q", dir, texts[0])
		}
	}
}

func checkImports(t *testing.T, path string, allowed []string, dir string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
	if err != nil {
		t.Error(err)
		return
	}
	for _, im := range f.Imports {
		name := strings.Trim(im.Path.Value, `"`)
		if strings.HasPrefix(name, "github.com/aws/") && dir != "cloud" {
			t.Errorf("%s imports %s: only internal/cloud knows AWS", path, name)
		}
		if dir != "console/consoletest" &&
			slices.ContainsFunc(testsOnly, func(prefix string) bool { return strings.HasPrefix(name, prefix) }) {
			t.Errorf("%s imports %s, which is for tests", path, name)
		}
		if ours, ok := strings.CutPrefix(name, "stockbridge/internal/"); ok && !slices.Contains(allowed, ours) {
			t.Errorf("%s imports %s, against the house's directions", path, ours)
		}
	}
}

// centre are the packages that know no vendor.
var centre = []string{"alert", "job", "ledger", "limit", "match", "mirror", "parallel", "prose", "publish", "rest",
	"table", "tenant", "vendor"}

// vendorNames finds a vendor's name.
var vendorNames = regexp.MustCompile(`(?i)upstock|cin7|\bomni\b|joor`)

// TestCentreNamesNoVendor: no identifier and no text of the centre names a vendor, but for tenant's list of systems.
func TestCentreNamesNoVendor(t *testing.T) {
	testsize.Unraced(t) // it reads texts
	listed := 0
	for _, dir := range centre {
		files, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", dir, len(files), err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			list := systemsLines(t, path, data)
			for i, line := range strings.Split(string(data), "\n") {
				switch name := vendorNames.FindString(line); {
				case name == "":
				case list[i+1]:
					listed++
				default:
					t.Errorf("%s:%d names %s: %s", path, i+1, name, strings.TrimSpace(line))
				}
			}
		}
	}
	if listed == 0 {
		t.Error("tenant's list of systems was not found")
	}
}

// systemsLines are the lines of a file that tenant's list of systems stands on: its constants, and the list.
func systemsLines(t *testing.T, path string, data []byte) map[int]bool {
	t.Helper()
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, path, data, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	lines := map[int]bool{}
	for _, d := range f.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok || f.Name.Name != "tenant" {
			continue
		}
		spec, ok := decl.Specs[0].(*ast.ValueSpec)
		if !ok {
			continue
		}
		if kind, ok := spec.Type.(*ast.Ident); (ok && kind.Name == "System") || spec.Names[0].Name == "systems" {
			for n := files.Position(decl.Pos()).Line; n <= files.Position(decl.End()).Line; n++ {
				lines[n] = true
			}
		}
	}
	return lines
}

// TestLicence holds what states the licence to the one of LICENSE.
func TestLicence(t *testing.T) {
	for file, want := range map[string]string{
		"LICENSE":                       "Apache License\n                           Version 2.0, January 2004",
		"README.md":                     "\nApache-2.0, see `LICENSE`.\n",
		"internal/console/openapi.yaml": "\n    identifier: Apache-2.0\n",
	} {
		data, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(data), want) {
			t.Errorf("%s does not have the licence as %q", file, want)
		}
	}
}

// saidOnce are words of sentences that one package alone writes, and that package.
var saidOnce = map[string]string{
	"no usable answer":   "job",
	"too many calls":     "job",
	"is used up":         "job",
	"refused the key":    "tenant",
	"is not connected":   "tenant",
	"needs reconnecting": "tenant",
}

// TestSaidOnce: what a failed call means and how a connection is are worded in
// one place each. Who wants to say it calls that place.
func TestSaidOnce(t *testing.T) {
	testsize.Unraced(t) // it reads texts
	root := filepath.Join("..", "..", "internal")
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		dir, _ := filepath.Rel(root, filepath.Dir(path))
		ast.Inspect(file, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			for words, only := range saidOnce {
				if !strings.Contains(text.Value, words) {
					continue
				}
				if found[words] = true; filepath.ToSlash(dir) != only {
					t.Errorf("%s says %s: internal/%s does", path, text.Value, only)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for words := range saidOnce {
		if !found[words] {
			t.Errorf("nobody says %q any more", words)
		}
	}
}
