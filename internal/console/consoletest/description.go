// Package consoletest holds what the JSON API answers to its description, for tests alone.
//
// # How it is used
//
// The console's own tests read openapi.yaml with [Read] and hand each answer to [Description.Check]. Others have the
// API answer over HTTP: they ask the handler of [Watch], or put a [Transport] in the way there and ask it for the
// faults at the end. Both take the description from the API itself.
//
// # What it promises
//
// An answer passes where its status is described for the operation (a way that is not described may only answer a
// problem), its content type is, and its body fits the schema. A schema that stands for a whole value refuses
// properties that it does not name, at any depth: the description itself does not, for a client must bear new ones.
// So a field that is answered and not described is found, as well as one that is described and required and not
// answered. An instant must be in UTC, and an answer with a body must say its length.
//
// Pages are not described, and are left alone; so is the answer to HEAD, and a header but these two.
package consoletest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// Description is an OpenAPI document, read.
type Description struct {
	Doc     map[string]any
	Schemas *jsonschema.Compiler // knows it as openapi.json

	ways      *http.ServeMux // finds the operation of a request
	compiling sync.Mutex     // tests beside one another may share a description
}

// Read reads a document in YAML.
func Read(openapi []byte) (*Description, error) {
	var tree any
	if err := yaml.Unmarshal(openapi, &tree); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(tree)
	if err != nil {
		return nil, err
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	d := &Description{Doc: Object(doc), ways: http.NewServeMux(), Schemas: jsonschema.NewCompiler()}
	for path, item := range Object(d.Doc["paths"]) {
		for method := range Operations(item) {
			d.ways.Handle(method+" "+path, http.NotFoundHandler())
		}
	}
	closeSchemas(d.Doc)
	d.Schemas.DefaultDraft(jsonschema.Draft2020)
	d.Schemas.AssertFormat()
	d.Schemas.RegisterFormat(&jsonschema.Format{Name: "date-time", Validate: inUTC})
	return d, d.Schemas.AddResource("openapi.json", doc)
}

// Operations lists what is described at a path, by method.
func Operations(item any) map[string]map[string]any {
	all := map[string]map[string]any{}
	for method, op := range Object(item) {
		if method != "parameters" {
			all[strings.ToUpper(method)] = Object(op)
		}
	}
	return all
}

// closeSchemas makes a schema that stands for a whole value (an answer, a property, an item of a list) refuse
// properties that neither it nor what it is made of names.
func closeSchemas(v any) {
	whole := func(schema any) {
		if s := Object(schema); s != nil && s["additionalProperties"] == nil {
			s["unevaluatedProperties"] = false
		}
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range []string{"schema", "items", "additionalProperties"} {
			whole(v[k])
		}
		for _, p := range Object(v["properties"]) {
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

// At finds what stands at a pointer, and follows a reference that stands there: the pointer it leads to.
func (d *Description) At(pointer string) (string, map[string]any) {
	v := any(d.Doc)
	for part := range strings.SplitSeq(strings.TrimPrefix(pointer, "#/"), "/") {
		v = Object(v)[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	if ref, ok := Object(v)["$ref"].(string); ok {
		return d.At(ref)
	}
	return pointer, Object(v)
}

// Check holds an answer to the description.
func (d *Description) Check(method, path string, status int, header http.Header, body []byte) error {
	if header.Get("Content-Length") == "" && status != http.StatusNoContent {
		return errors.New("no Content-Length")
	}
	if method == http.MethodHead {
		return nil
	}
	kind, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	if kind == "text/html" && !strings.HasPrefix(path, "/api/") {
		return nil // a page
	}
	req, err := http.NewRequest(method, "http://api.test", nil)
	if err != nil {
		return err
	}
	req.URL.Path = path
	_, way := d.ways.Handler(req)
	at, response := d.Response(way, status)
	if response == nil {
		return errors.New("this status is not described")
	}
	content := Object(response["content"])
	if content == nil {
		if len(body) > 0 {
			return errors.New("a body where none is described")
		}
		return nil
	}
	if content[kind] == nil {
		return errors.New("content type " + kind)
	}
	if !strings.HasSuffix(kind, "json") {
		return nil
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	if err != nil {
		return err
	}
	return d.Fits(at+"/content/"+strings.ReplaceAll(kind, "/", "~1")+"/schema", v)
}

// Response finds what is said of a status at a way, as GET /healthz; a way of its own is not needed for a problem.
func (d *Description) Response(way string, status int) (pointer string, response map[string]any) {
	method, path, found := strings.Cut(way, " ")
	if !found {
		if status < 400 {
			return "", nil
		}
		return d.At("#/components/responses/Problem")
	}
	path = strings.ReplaceAll(path, "/", "~1")
	answers := fmt.Sprintf("#/paths/%s/%s/responses/", path, strings.ToLower(method))
	if at, answer := d.At(answers + fmt.Sprint(status)); answer != nil || status < 400 {
		return at, answer
	}
	return d.At(answers + "default")
}

// Fits holds a value to the schema at a pointer.
func (d *Description) Fits(pointer string, v any) error {
	d.compiling.Lock()
	schema, err := d.Schemas.Compile("openapi.json" + pointer)
	d.compiling.Unlock()
	if err != nil {
		return err
	}
	if err = schema.Validate(v); err == nil {
		return nil
	}
	// Where something does not fit, the properties beside it count as not described, which is nothing to say.
	_, faults, _ := strings.Cut(err.Error(), "\n")
	told := slices.DeleteFunc(strings.Split(faults, "\n"),
		func(line string) bool { return strings.HasSuffix(line, ": false schema") })
	if len(told) > 0 {
		faults = strings.Join(told, "\n")
	}
	return fmt.Errorf("%s:\n%s", pointer, faults)
}

// Parameters lists those that stand at a path or an operation.
func (d *Description) Parameters(pointer string) (list []map[string]any) {
	_, at := d.At(pointer)
	for _, p := range Elements(at["parameters"]) {
		found := Object(p)
		if ref, ok := found["$ref"].(string); ok {
			_, found = d.At(ref)
		}
		list = append(list, found)
	}
	return list
}

// Query lists the parameters in the query of a route, sorted.
func (d *Description) Query(method, path string) (names []string) {
	item := "#/paths/" + strings.ReplaceAll(path, "/", "~1")
	for _, p := range slices.Concat(d.Parameters(item), d.Parameters(item+"/"+strings.ToLower(method))) {
		if p["in"] == "query" {
			names = append(names, fmt.Sprint(p["name"]))
		}
	}
	slices.Sort(names)
	return names
}

// Object is a value that is an object; nil for any other.
func Object(v any) map[string]any { m, _ := v.(map[string]any); return m }

// Elements are those of a list; none for any other value.
func Elements(v any) []any { l, _ := v.([]any); return l }
