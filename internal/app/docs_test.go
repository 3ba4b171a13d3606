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

	"stockbridge/internal/alert"
	"stockbridge/internal/job"
	"stockbridge/internal/joorcin7"
	"stockbridge/internal/limit"
	"stockbridge/internal/testsize"
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
				if index, ok := of.(*ast.IndexListExpr); ok {
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
					for _, name := range memberNames(spec.Type) {
						in(s.types, pkg+"."+spec.Name.Name, name)
					}
				}
			}
		}
	}
}

// memberNames are the fields of a struct, or the methods of an interface.
func memberNames(of ast.Expr) (names []string) {
	var members *ast.FieldList
	switch of := of.(type) {
	case *ast.StructType:
		members = of.Fields
	case *ast.InterfaceType:
		members = of.Methods
	default:
		return nil
	}
	for _, m := range members.List {
		for _, n := range m.Names {
			names = append(names, n.Name)
		}
	}
	return names
}

var (
	testName = regexp.MustCompile(`\b(Test|Fuzz|Benchmark|Example)[A-Z]\w*`)
	fileName = regexp.MustCompile(`[\w./]*\w\.go\b`)
	ofName   = regexp.MustCompile(`\b([A-Za-z]\w*)\.([A-Za-z]\w*)\b`)
)

// missing lists the files and the names of the form package.Name or Type.name that a text mentions and nobody
// declares. A type is looked for in the package that the text is of, "" = in all. What is no package and no type of
// ours is left alone.
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

// TestDocumentsNameWhatIsThere: a file, a function, a field or a test that the architecture or the essay of a package
// names is there.
func TestDocumentsNameWhatIsThere(t *testing.T) {
	testsize.Unraced(t) // it reads texts
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

// TestJobsHaveTheirPlaces: a job has a name of its own, a method that does it, a queue that is there, and a row in
// the architecture's table of jobs, with how often it starts and in which class. That the template starts it as often
// is held by package local, that the API describes it by package console.
func TestJobsHaveTheirPlaces(t *testing.T) {
	_, text, _ := strings.Cut(document(t, "architecture.md"), "\n## Jobs\n")
	text, _, _ = strings.Cut(text, "\n## ")
	rows := map[string][]string{} // job, every, what, calls, class
	for _, line := range regexp.MustCompile(`(?m)^\| \w+ \|.*\|$`).FindAllString(text, -1) {
		row := strings.Split(line, "|")[1:]
		for i := range row {
			row[i] = strings.TrimSpace(row[i])
		}
		rows[row[0]] = row
	}
	delete(rows, "job")
	row := func(name string, column int, want string) {
		if r := rows[name]; len(r) <= column || !strings.HasPrefix(r[column], want) {
			t.Errorf("docs/architecture.md, table of jobs: %s is %q, want %q in column %d", name, r, want, column)
		}
	}
	p := new(upstockcin7.Pair)
	work := map[Queue]job.Work{CatalogQueue: p.CatalogWork(), ShipmentsQueue: p.ShipmentsWork(),
		JOORQueue: joorcin7.New(joorcin7.Deps{}).Work()}
	work[CatalogQueue][alert.Job] = new(alert.Teller).Look
	want := map[string]string{sweep: "1 min"}
	for _, k := range slices.Concat(new(upstockcin7.Pair).Jobs(), new(joorcin7.Pair).Jobs(), []job.Kind{alert.Kind()}) {
		if want[k.Name] != "" {
			t.Errorf("two jobs are called %s", k.Name)
		}
		if k.Run != nil || k.Help == "" || work[k.Queue][k.Name] == nil {
			t.Errorf("the job %s lacks its help, or its method among its queue's work and there alone: %+v", k.Name, k)
		}
		switch every := k.Every; {
		case every == 0:
			want[k.Name] = "by hand"
		case every%time.Hour == 0:
			want[k.Name] = fmt.Sprintf("%.0f h", every.Hours())
		default:
			want[k.Name] = fmt.Sprintf("%.0f min", every.Minutes())
		}
		row(k.Name, 2, k.Help)
		row(k.Name, 4, map[limit.Class]string{limit.First: "first", limit.Second: "second"}[k.Class])
	}
	for name, every := range want {
		row(name, 1, every)
	}
	for name := range rows {
		if want[name] == "" {
			t.Errorf("docs/architecture.md, table of jobs: there is no job %s", name)
		}
	}
}
