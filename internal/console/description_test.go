package console

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// description is openapi.yaml, read. Every answer that a test gets is held to it, see house.do.
type description struct {
	doc     map[string]any
	ways    *http.ServeMux // finds the operation of a request
	schemas *jsonschema.Compiler
}

func describe(t *testing.T) description {
	t.Helper()
	var tree any
	if err := yaml.Unmarshal(openapi, &tree); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	d := description{doc: object(doc), ways: http.NewServeMux(), schemas: jsonschema.NewCompiler()}
	for path, item := range object(d.doc["paths"]) {
		if path == "/" {
			path = "/{$}" // to the mux the front page, "/" would be every path
		}
		for method := range operations(item) {
			d.ways.Handle(method+" "+path, http.NotFoundHandler())
		}
	}
	closeSchemas(d.doc)
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	d.schemas.RegisterFormat(&jsonschema.Format{Name: "date-time", Validate: inUTC})
	if err := d.schemas.AddResource("openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return d
}

// operations lists what is described at a path, by method.
func operations(item any) map[string]map[string]any {
	all := map[string]map[string]any{}
	for method, op := range object(item) {
		if method != "parameters" {
			all[strings.ToUpper(method)] = object(op)
		}
	}
	return all
}

// closeSchemas makes a schema that stands for a whole value (an answer, a property, an item of a list) refuse properties
// that neither it nor what it is made of names. The description itself does not: a client must bear new ones.
func closeSchemas(v any) {
	whole := func(schema any) {
		if s := object(schema); s != nil && s["additionalProperties"] == nil {
			s["unevaluatedProperties"] = false
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range []string{"schema", "items", "additionalProperties"} {
			whole(v[k])
		}
		for _, p := range object(v["properties"]) {
			whole(p)
		}
		for _, in := range v {
			closeSchemas(in)
		}
	case []any:
		for _, in := range v {
			closeSchemas(in)
		}
	}
}

// inUTC holds an instant to the form that the API gives them.
func inUTC(v any) error {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	if _, err := time.Parse(time.RFC3339, text); err != nil || !strings.HasSuffix(text, "Z") {
		return fmt.Errorf("%q is no instant in UTC", text)
	}
	return nil
}

// at finds what stands at a pointer, and follows a reference that stands there: the pointer it leads to.
func (d description) at(pointer string) (string, map[string]any) {
	v := any(d.doc)
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		v = object(v)[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	if ref, ok := object(v)["$ref"].(string); ok {
		return d.at(ref)
	}
	return pointer, object(v)
}

// check holds an answer to the description.
func (d description) check(method, path string, w *httptest.ResponseRecorder, body any) error {
	if w.Header().Get("Content-Length") == "" && w.Code != http.StatusNoContent {
		return errors.New("no Content-Length")
	}
	if method == "HEAD" {
		return nil
	}
	_, way := d.ways.Handler(httptest.NewRequest(method, path, nil))
	at, response := d.response(way, w.Code)
	if response == nil {
		return errors.New("this status is not described")
	}
	content := object(response["content"])
	if content == nil {
		if w.Body.Len() > 0 {
			return errors.New("a body where none is described")
		}
		return nil
	}
	kind, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	if content[kind] == nil {
		return errors.New("content type " + kind)
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	return d.fits(at+"/content/"+strings.ReplaceAll(kind, "/", "~1")+"/schema", body)
}

// response finds what is said of a status at a way, as GET /healthz; a way of its own is not needed for a problem.
func (d description) response(way string, status int) (pointer string, response map[string]any) {
	method, path, found := strings.Cut(way, " ")
	if !found {
		return d.at("#/components/responses/Problem")
	}
	path = strings.ReplaceAll(strings.TrimSuffix(path, "{$}"), "/", "~1")
	answers := fmt.Sprintf("#/paths/%s/%s/responses/", path, strings.ToLower(method))
	if at, answer := d.at(answers + fmt.Sprint(status)); answer != nil || status < 400 {
		return at, answer
	}
	return d.at(answers + "default")
}

// fits holds a value to the schema at a pointer.
func (d description) fits(pointer string, v any) error {
	schema, err := d.schemas.Compile("openapi.json" + pointer)
	if err != nil {
		return err
	}
	if err = schema.Validate(v); err == nil {
		return nil
	}
	// Where something does not fit, the properties beside it count as not described, which is nothing to say.
	_, faults, _ := strings.Cut(err.Error(), "\n")
	told := slices.DeleteFunc(strings.Split(faults, "\n"), func(line string) bool { return strings.HasSuffix(line, ": false schema") })
	if len(told) > 0 {
		faults = strings.Join(told, "\n")
	}
	return fmt.Errorf("%s:\n%s", pointer, faults)
}

// parameters lists those that stand at a path or an operation.
func (d description) parameters(pointer string) (list []map[string]any) {
	_, at := d.at(pointer)
	for _, p := range elements(at["parameters"]) {
		found := object(p)
		if ref, ok := found["$ref"].(string); ok {
			_, found = d.at(ref)
		}
		list = append(list, found)
	}
	return list
}

// query lists the parameters in the query of a route, sorted.
func (d description) query(method, path string) (names []string) {
	item := "#/paths/" + strings.ReplaceAll(path, "/", "~1")
	for _, p := range slices.Concat(d.parameters(item), d.parameters(item+"/"+strings.ToLower(method))) {
		if p["in"] == "query" {
			names = append(names, fmt.Sprint(p["name"]))
		}
	}
	slices.Sort(names)
	return names
}

func object(v any) map[string]any { m, _ := v.(map[string]any); return m }

func elements(v any) []any { l, _ := v.([]any); return l }

// TestRoutesAreDescribed holds the list of routes and the description to one another.
func TestRoutesAreDescribed(t *testing.T) {
	d := describe(t)
	described, routed := map[string]bool{}, map[string]bool{}
	for path, item := range object(d.doc["paths"]) {
		for method, op := range operations(item) {
			described[method+" "+path] = true
			if op["operationId"] == nil || op["summary"] == nil {
				t.Errorf("%s %s: operationId and summary", method, path)
			}
		}
		for _, p := range d.parameters("#/paths/" + strings.ReplaceAll(path, "/", "~1")) {
			if p["in"] == "path" && !strings.Contains(path, "{"+fmt.Sprint(p["name"])+"}") {
				t.Errorf("%s: parameter %s is not in the path", path, p["name"])
			}
		}
	}
	for _, rt := range new(api).routes() {
		way := rt.method + " " + rt.path
		routed[way] = true
		if got, want := d.query(rt.method, rt.path), strings.Fields(rt.query); rt.open == nil && !slices.Equal(got, slices.Sorted(slices.Values(want))) {
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

// TestSchemas finds what a checker of JSON Schema passes over in silence: a keyword that is none, and a property that is
// required and not described.
func TestSchemas(t *testing.T) {
	d := describe(t)
	meta, err := jsonschema.UnmarshalJSON(strings.NewReader(knownKeywords))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.schemas.AddResource("keywords.json", meta); err != nil {
		t.Fatal(err)
	}
	strict, err := d.schemas.Compile("keywords.json")
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
	look("", d.doc)
	for name, s := range object(object(d.doc["components"])["schemas"]) {
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
