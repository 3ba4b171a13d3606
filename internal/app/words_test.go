package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"stockbridge/internal/testsize"
)

// ourWords are words that nobody reads on a page: what a program says of itself, and our inner ones.
var ourWords = regexp.MustCompile(`(?i)\b(errors?|invalid|fail(s|ed|ures?|ing)?|null|sorry|oops|please|exceptions?` +
	`|pointers?|mirror(s|ed)?|leases?|cursors?|reject(s|ed|ions?)?|payloads?)\b|!`)

// spared are sentences with such a word all the same, and why.
var spared = map[string]string{
	"null is not a value; leave the setting out for its default.": "of JSON, to programs",
	"products, customers, prices, mirror, ":                       "the names of jobs, to programs",
	"that is said. reject: the ":                                  "the name of a choice, in the API's description",
}

// TestWords: what a person may read says what happened, what it means and what to press, in words of the business.
// Every text of several words in the product counts, but those that only logs and programs see.
func TestWords(t *testing.T) {
	testsize.Unraced(t) // it reads texts
	seen := 0
	root := filepath.Join("..", "..", "internal")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		dir, _ := filepath.Rel(root, filepath.Dir(path))
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") ||
			isToolbox(filepath.ToSlash(dir)) {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if forPrograms(n) {
				return false
			}
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			s, err := strconv.Unquote(text.Value)
			if err != nil || len(strings.Fields(s)) < 3 {
				return true
			}
			seen++
			if word := ourWords.FindString(s); word != "" && !isSpared(s) {
				t.Errorf("%s: a person would read %q in %q", path, word, s)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 500 {
		t.Errorf("only %d texts were read", seen)
	}
}

// isToolbox reports whether no person at the console reads what a package says.
func isToolbox(dir string) bool {
	top, _, _ := strings.Cut(dir, "/")
	return top == "local" || top == "sim" || top == "cloud" || top == "table" || top == "testsize" ||
		strings.HasSuffix(dir, "mutant") || strings.HasSuffix(dir, "test")
}

func isSpared(s string) bool {
	for part := range spared {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

// forPrograms reports whether the texts below a node are for logs: those of an error, a panic, or a line of a log.
func forPrograms(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ImportSpec:
		return true
	case *ast.CallExpr:
		switch f := n.Fun.(type) {
		case *ast.Ident:
			return f.Name == "panic"
		case *ast.SelectorExpr:
			pkg, _ := f.X.(*ast.Ident)
			if log, ok := f.X.(*ast.SelectorExpr); ok && log.Sel.Name == "Log" {
				return true
			}
			return pkg != nil && (pkg.Name == "errors" && f.Sel.Name == "New" ||
				pkg.Name == "fmt" && f.Sel.Name == "Errorf")
		}
	}
	return false
}
