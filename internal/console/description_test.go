package console

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"stockbridge/internal/console/consoletest"
)

// readOpenAPI reads openapi.yaml, once for all tests.
var readOpenAPI = sync.OnceValues(func() (*consoletest.Description, error) { return consoletest.Read(openapi) })

// describe is openapi.yaml, read. Every answer that a test gets is held to it, see house.do.
func describe(t *testing.T) *consoletest.Description {
	t.Helper()
	d, err := readOpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func object(v any) map[string]any { return consoletest.Object(v) }

func elements(v any) []any { return consoletest.Elements(v) }

// TestRoutesAreDescribed holds the list of routes and the description to one another.
func TestRoutesAreDescribed(t *testing.T) {
	d := describe(t)
	described, routed := map[string]bool{}, map[string]bool{}
	for path, item := range object(d.Doc["paths"]) {
		for method, op := range consoletest.Operations(item) {
			described[method+" "+path] = true
			if op["operationId"] == nil || op["summary"] == nil {
				t.Errorf("%s %s: operationId and summary", method, path)
			}
		}
		for _, p := range d.Parameters("#/paths/" + strings.ReplaceAll(path, "/", "~1")) {
			if p["in"] == "path" && !strings.Contains(path, "{"+fmt.Sprint(p["name"])+"}") {
				t.Errorf("%s: parameter %s is not in the path", path, p["name"])
			}
		}
	}
	for _, rt := range new(api).routes() {
		if rt.isPage() || strings.HasPrefix(rt.path, "/assets/") {
			continue // the API does not describe pages
		}
		way := rt.method + " " + rt.path
		routed[way] = true
		if got, want := d.Query(rt.method, rt.path),
			strings.Fields(rt.query); rt.open == nil && !rt.isPage() &&
			!slices.Equal(got, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s takes the parameters %v in its query, and is described with %v", way, want, got)
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(routed)), slices.Sorted(maps.Keys(described))); diff != "" {
		t.Errorf("routes (-) and description (+):\n%s", diff)
	}
}

// knownKeywords is the schema of schemas without keywords that it does not name, at any depth.
const knownKeywords = `{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicAnchor":"meta",
	"$ref":"https://json-schema.org/draft/2020-12/schema","unevaluatedProperties":false}`

// TestSchemas finds what a checker of JSON Schema passes over in silence: a keyword that is none, and a property that
// is required and not described.
func TestSchemas(t *testing.T) {
	d, err := consoletest.Read(openapi) // it is added to
	if err != nil {
		t.Fatal(err)
	}
	meta, err := jsonschema.UnmarshalJSON(strings.NewReader(knownKeywords))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Schemas.AddResource("keywords.json", meta); err != nil {
		t.Fatal(err)
	}
	strict, err := d.Schemas.Compile("keywords.json")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	var look func(at string, v any)
	look = func(at string, v any) {
		for k, in := range object(v) {
			if k == "schema" {
				seen++
				if err := strict.Validate(in); err != nil {
					t.Errorf("%s: %v", at, err)
				}
			}
			look(at+"/"+k, in)
		}
		for i, in := range elements(v) {
			look(fmt.Sprint(at, "/", i), in)
		}
		if named := object(object(v)["properties"]); named != nil {
			for _, name := range elements(object(v)["required"]) {
				if named[fmt.Sprint(name)] == nil {
					t.Errorf("%s: required %s is no property", at, name)
				}
			}
		}
	}
	look("", d.Doc)
	for name, s := range object(object(d.Doc["components"])["schemas"]) {
		seen++
		if err := strict.Validate(s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if seen < 50 {
		t.Errorf("%d schemas were looked at", seen)
	}
	if strict.Validate(map[string]any{"properties": map[string]any{"a": map[string]any{"requierd": true}}}) == nil {
		t.Error("a keyword that is none is not found")
	}
}

// TestUnknownParameters: no route of the API takes a parameter that it does not have, and each says which.
func TestUnknownParameters(t *testing.T) {
	h := open(t)
	_, path, _ := h.tenant("Aroha Foods")
	_, id, _ := strings.Cut(path, "/tenants/")
	tried := 0
	for _, rt := range new(api).routes() {
		if !strings.HasPrefix(rt.path, "/api/") {
			continue
		}
		tried++
		address := strings.NewReplacer("{tenant}", id, "{", "", "}", "").Replace(rt.path)
		a := h.do(rt.method, address+"?nonsens=1", operator, nil)
		if a.status != http.StatusBadRequest || len(a.fields()) != 1 || a.fields()[0] != "nonsens" {
			t.Errorf("%s %s: %d %s", rt.method, rt.path, a.status, a.raw)
		}
	}
	if tried < 30 {
		t.Errorf("only %d routes were tried", tried)
	}
}
