package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"stockbridge/internal/tenant"
	"stockbridge/internal/vendor"
)

// TestVendorsHaveTheirPlaces: a vendor that has a client, or a pair that hears of it, has its row in the table of
// vendors; a row has all that it needs, and openapi.yaml says the same as the rows.
func TestVendorsHaveTheirPlaces(t *testing.T) {
	a := New(Deps{})
	rows := a.vendors()
	hooks := map[tenant.System]bool{}
	for _, p := range a.pairs {
		for sys := range p.Hooks() {
			hooks[sys] = true
		}
	}
	var bases []string
	for _, row := range rows {
		bases = append(bases, row.Base)
		checkVendor(t, row, hooks[row.System])
		delete(hooks, row.System)
	}
	for sys := range hooks {
		t.Errorf("a pair takes in what %s delivers, and it has no row in App.vendors", sys)
	}
	for dir, base := range clients(t) {
		if !slices.Contains(bases, base) {
			t.Errorf("internal/%s is the client of a vendor that has no row in App.vendors", dir)
		}
	}
	checkDescription(t, rows)
}

func checkVendor(t *testing.T, row vendor.Vendor, heard bool) {
	t.Helper()
	var is []vendor.Credential
	for _, f := range row.Fields {
		if is = append(is, f.Is); f.Name == "" || f.Title == "" {
			t.Errorf("%s: a field without a name, or a title: %+v", row.System, f)
		}
	}
	switch {
	case row.System.Title() == string(row.System):
		t.Errorf("%s has no title in tenant's list of systems", row.System)
	case !strings.HasPrefix(row.Base, "https://"):
		t.Errorf("%s: the base address is %q", row.System, row.Base)
	case len(row.Budget.Rates) == 0:
		t.Errorf("%s has no budget", row.System)
	case !slices.Contains(is, vendor.Key) || len(slices.Compact(slices.Sorted(slices.Values(is)))) < len(is):
		t.Errorf("%s: the fields are %v", row.System, row.Fields)
	case len(row.Steps) == 0:
		t.Errorf("%s: a person is not told where the keys are found", row.System)
	case row.Try == nil:
		t.Errorf("%s: a key cannot be tried", row.System)
	case row.CallsUs != heard:
		t.Errorf("%s delivers webhooks: %t; a pair takes them in: %t", row.System, row.CallsUs, heard)
	case slices.Contains(is, vendor.WebhookSecret) != (row.Paste != ""):
		t.Errorf("%s: a person pastes the webhooks' address (%q), or saves no secret of theirs", row.System, row.Paste)
	}
	if _, err := os.Stat(filepath.Join("..", "sim", string(row.System))); err != nil {
		t.Errorf("%s has no simulator: %v", row.System, err)
	}
}

// clients are the base addresses that packages declare, by the package's folder.
func clients(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	files, err := filepath.Glob(filepath.Join("..", "*", "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if ok && spec.Names[0].Name == "BaseURL" && len(spec.Values) == 1 {
				text, _ := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
				found[filepath.Base(filepath.Dir(path))] = text
			}
			return true
		})
	}
	if len(found) < 2 {
		t.Fatalf("clients of vendors: %v", found)
	}
	return found
}

// checkDescription holds what openapi.yaml says of connecting to the rows.
func checkDescription(t *testing.T, rows []vendor.Vendor) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "console", "openapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	type schema struct {
		Title      string            `yaml:"title"`
		Enum       []string          `yaml:"enum"`
		Properties map[string]schema `yaml:"properties"`
		AnyOf      []schema          `yaml:"anyOf"`
	}
	var doc struct {
		Paths map[string]struct {
			Parameters []struct {
				Name        string `yaml:"name"`
				Description string `yaml:"description"`
				Schema      schema `yaml:"schema"`
			} `yaml:"parameters"`
			Put struct {
				RequestBody struct {
					Content map[string]struct {
						Schema schema `yaml:"schema"`
					} `yaml:"content"`
				} `yaml:"requestBody"`
			} `yaml:"put"`
		} `yaml:"paths"`
		Components struct {
			Schemas map[string]schema `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	path := doc.Paths["/api/v1/tenants/{tenant}/connections/{system}"]
	said := map[string][]string{} // what is typed in, by system
	for _, body := range path.Put.RequestBody.Content["application/json"].Schema.AnyOf {
		said[body.Title] = slices.Sorted(maps.Keys(body.Properties))
	}
	var can, cannot, all []string
	for _, sys := range tenant.Systems() {
		all = append(all, string(sys))
		i := slices.IndexFunc(rows, func(row vendor.Vendor) bool { return row.System == sys })
		if i < 0 {
			cannot = append(cannot, string(sys))
			continue
		}
		can = append(can, string(sys))
		var names []string
		for _, f := range rows[i].Fields {
			names = append(names, f.Name)
		}
		if slices.Sort(names); !slices.Equal(said[string(sys)], names) {
			t.Errorf("openapi.yaml: to connect %s takes %v, want %v", sys, said[string(sys)], names)
		}
		delete(said, string(sys))
	}
	for sys := range said {
		t.Errorf("openapi.yaml: %s cannot be connected", sys)
	}
	for _, p := range path.Parameters {
		if p.Name != "system" {
			continue
		}
		want := ""
		if len(cannot) > 0 {
			want = strings.Join(cannot, " and ") + " cannot be connected yet."
		}
		if p.Description != want {
			t.Errorf("openapi.yaml says of the systems: %s Want: %s", p.Description, want)
		}
		if !slices.Equal(p.Schema.Enum, all) {
			t.Errorf("openapi.yaml: the systems are %v, want %v", p.Schema.Enum, all)
		}
	}
	for name, want := range map[string][]string{"Connection": all, "Budget": can} {
		if got := doc.Components.Schemas[name].Properties["system"].Enum; !slices.Equal(got, want) {
			t.Errorf("openapi.yaml: a %s is of the systems %v, want %v", name, got, want)
		}
	}
}
