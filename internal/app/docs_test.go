package app

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/upstockcin7"
)

// source is what is declared in the repository.
type source struct {
	files    map[string]bool            // by path from the root
	tests    map[string]bool            // functions that go test runs
	packages map[string]map[string]bool // what a package declares, by its name
	types    map[string]map[string]bool // fields and methods of a type, by <package>.<type>
	essays   [][2]string                // a package's name, and its comment
}

func readSource(t *testing.T, root string) source {
	t.Helper()
	s := source{map[string]bool{}, map[string]bool{}, map[string]map[string]bool{}, map[string]map[string]bool{}, nil}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && strings.HasPrefix(name, ".") && len(name) > 2 {
			return filepath.SkipDir
		}
		rel, _ := filepath.Rel(root, path)
		s.files[filepath.ToSlash(rel)] = true
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		s.read(f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *source) read(f *ast.File) {
	pkg := f.Name.Name
	if f.Doc != nil {
		s.essays = append(s.essays, [2]string{pkg, f.Doc.Text()})
	}
	in := func(set map[string]map[string]bool, of, name string) {
		if set[of] == nil {
			set[of] = map[string]bool{}
		}
		set[of][name] = true
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			switch name := d.Name.Name; {
			case d.Recv != nil:
				of := d.Recv.List[0].Type
				if star, ok := of.(*ast.StarExpr); ok {
					of = star.X
				}
				if index, ok := of.(*ast.IndexExpr); ok {
					of = index.X
				}
				in(s.types, pkg+"."+fmt.Sprint(of), name)
			case testName.MatchString(name):
				s.tests[name] = true
			default:
				in(s.packages, pkg, name)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.ValueSpec:
					for _, n := range spec.Names {
						in(s.packages, pkg, n.Name)
					}
				case *ast.TypeSpec:
					in(s.packages, pkg, spec.Name.Name)
					in(s.types, pkg+"."+spec.Name.Name, "")
					if st, ok := spec.Type.(*ast.StructType); ok {
						for _, field := range st.Fields.List {
							for _, n := range field.Names {
								in(s.types, pkg+"."+spec.Name.Name, n.Name)
							}
						}
					}
				}
			}
		}
	}
}

var (
	testName = regexp.MustCompile(`\b(Test|Fuzz|Benchmark|Example)[A-Z]\w*`)
	fileName = regexp.MustCompile(`[\w./]*\w\.go\b`)
	ofName   = regexp.MustCompile(`\b([A-Za-z]\w*)\.([A-Za-z]\w*)\b`)
)

// missing lists the files and the names of the form package.Name or Type.name that a text mentions and nobody declares.
// A type is looked for in the package that the text is of, "" = in all. What is no package and no type of ours is left
// alone.
func (s source) missing(text, pkg string) (list []string) {
	for _, name := range fileName.FindAllString(text, -1) {
		name = strings.TrimPrefix(name, "/") // as in functions/<name>/main.go
		found := func(path string) bool { return path == name || strings.HasSuffix(path, "/"+name) }
		if !slices.ContainsFunc(slices.Collect(maps.Keys(s.files)), found) {
			list = append(list, name)
		}
	}
	for _, m := range ofName.FindAllStringSubmatch(text, -1) {
		if slices.Contains([]string{"go", "yaml", "json", "md"}, m[2]) {
			continue // a file
		}
		ours, found := s.packages[m[1]] != nil, s.packages[m[1]][m[2]]
		for of, names := range s.types {
			if in, name, _ := strings.Cut(of, "."); name == m[1] && (pkg == "" || in == pkg) {
				ours, found = true, found || names[m[2]]
			}
		}
		if ours && !found {
			list = append(list, m[0])
		}
	}
	return list
}

// TestDocumentsNameWhatIsThere: a file, a function, a field or a test that the architecture or the essay of a package names
// is there.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	s := readSource(t, filepath.Join("..", ".."))
	text := document(t, "architecture.md")
	for _, name := range s.missing(text, "") {
		t.Errorf("docs/architecture.md names %s, which is not there", name)
	}
	for _, essay := range s.essays {
		for _, name := range s.missing(essay[1], essay[0]) {
			t.Errorf("the essay of package %s names %s, which is not there", essay[0], name)
		}
	}
	for _, name := range testName.FindAllString(text, -1) {
		if !s.tests[name] {
			t.Errorf("docs/architecture.md names the test %s, which is not there", name)
		}
	}
	for promise := range 6 {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| P%d \|.*$`, promise+1)).FindString(text)
		if !testName.MatchString(row) {
			t.Errorf("docs/architecture.md names no test that holds P%d", promise+1)
		}
	}
	if s.missing("`work.creates` is in `pushed.go`, and so is `ledger.Ran`", "") == nil {
		t.Error("what is not there is not found")
	}
}

func document(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestJobsHaveTheirPlaces: a job has a method that does it, and a row in the architecture's table of jobs, with how often
// it starts. That the template starts it as often is held by package local.
func TestJobsHaveTheirPlaces(t *testing.T) {
	_, text, _ := strings.Cut(document(t, "architecture.md"), "\n## Jobs\n")
	text, _, _ = strings.Cut(text, "\n## ")
	rows := map[string]string{} // how often, as the table says it
	for _, m := range regexp.MustCompile(`(?m)^\| (\w+) \| ([^|]*) \|`).FindAllStringSubmatch(text, -1) {
		if m[1] != "job" {
			rows[m[1]] = m[2]
		}
	}
	want := map[string]string{}
	for name := range jobs {
		want[name] = "by hand"
	}
	for name, every := range Schedules() {
		want[name] = fmt.Sprintf("%.0f min", every.Minutes())
		if every%time.Hour == 0 {
			want[name] = fmt.Sprintf("%.0f h", every.Hours())
		}
	}
	for name := range upstockcin7.Every() {
		if jobs[name] == nil {
			t.Errorf("the job %s is scheduled, and no method does it: it needs its row in jobs (app.go)", name)
		}
	}
	for name, every := range want {
		if !strings.HasPrefix(rows[name], every) {
			t.Errorf("docs/architecture.md, table of jobs: %s is %q, want %q", name, rows[name], every)
		}
	}
	for name := range rows {
		if want[name] == "" {
			t.Errorf("docs/architecture.md, table of jobs: there is no job %s", name)
		}
	}
}
