package sale

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notCompared are the mapped fields that SameHeader and SameLines leave out: Cin7 Core answers them in another form or
// fills them in by itself, or they follow from a field that is compared.
var notCompared = map[string][]string{
	"SaleHeader": {"BillingAddress", "ShippingAddress", "SaleType", "SalesRepresentative", "SkipQuote", "TaxInclusive",
		"TaxRule"},
	"OrderLine": {"SKU", "Name", "DropShip"},
	"Charge":    {},
}

// TestMappedFields: whatever of a sale this package fills in has its row in the table above Make, and its place in the
// comparison of what was sent with what is there, or in the list of those that are not compared. The source is read, as
// no value shows what was forgotten.
func TestMappedFields(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	mapped, compared, table := map[string]map[string]bool{}, map[string]map[string]bool{}, ""
	add := func(to map[string]map[string]bool, of, field string) {
		if to[of] == nil {
			to[of] = map[string]bool{}
		}
		to[of][field] = true
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CompositeLit: // cin7core.SaleHeader{Field: …}
				for _, e := range n.Elts {
					if kv, ok := e.(*ast.KeyValueExpr); ok && notCompared[client(n.Type)] != nil {
						add(mapped, client(n.Type), kv.Key.(*ast.Ident).Name)
					}
				}
			case *ast.AssignStmt: // p.plan.Header.Field = …
				if to, ok := n.Lhs[0].(*ast.SelectorExpr); ok {
					if of, ok := to.X.(*ast.SelectorExpr); ok && of.Sel.Name == "Header" {
						add(mapped, "SaleHeader", to.Sel.Name)
					}
				}
			case *ast.FuncDecl:
				if n.Name.Name == "Make" && n.Recv == nil {
					table = n.Doc.Text()
				}
				if slices.Contains([]string{"SameHeader", "sameLine", "sameCharge"}, n.Name.Name) {
					collect(n.Type, n.Body, func(of, field string) { add(compared, of, field) })
				}
			}
			return true
		})
	}
	for of, left := range notCompared {
		if len(mapped[of]) < 5 || len(compared[of]) < 5 {
			t.Fatalf("of %s only %v are seen to be mapped, %v to be compared", of, mapped[of], compared[of])
		}
		for _, field := range slices.Sorted(maps.Keys(mapped[of])) {
			// freight has one row for all of it
			if of != "Charge" && !regexp.MustCompile(`\b`+field+`\b`).MatchString(table) {
				t.Errorf("%s.%s is mapped, and has no row in the table above Make", of, field)
			}
			if compared[of][field] == slices.Contains(left, field) {
				t.Errorf("%s.%s is mapped: compare it in same.go, or list it in notCompared, one of the two", of, field)
			}
		}
		for _, field := range left {
			if !mapped[of][field] {
				t.Errorf("%s.%s is in notCompared and not mapped", of, field)
			}
		}
	}
}

// client is the name of a type of package cin7core; "" = it is none.
func client(e ast.Expr) string {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		if of, ok := sel.X.(*ast.Ident); ok && of.Name == "cin7core" {
			return sel.Sel.Name
		}
	}
	return ""
}

// collect lists the fields of a function's parameters that it reads, by their type.
func collect(of *ast.FuncType, body *ast.BlockStmt, each func(of, field string)) {
	params := map[string]string{}
	for _, p := range of.Params.List {
		for _, name := range p.Names {
			params[name.Name] = client(p.Type)
		}
	}
	ast.Inspect(body, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && params[x.Name] != "" {
				each(params[x.Name], sel.Sel.Name)
			}
		}
		return true
	})
}
