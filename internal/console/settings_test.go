package console

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/joorcin7"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// values are the values of a list of choices.
func values(v any) (list []string) {
	for _, c := range v.([]any) {
		list = append(list, fmt.Sprint(object(c)["value"]))
	}
	return list
}

func TestSettingsNameWhatExists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		_, before, beforeToken := h.tenant("Kauri Supplies")
		if a := h.do("GET", before+"/options", beforeToken,
			nil).is(200); a.get("why") != "Cin7 Core is not connected." || len(a.get("location").([]any)) != 0 {
			t.Error(a.raw)
		}
		// Without a mirror it is saved, and said as unchecked.
		h.do("PUT", before+"/settings", beforeToken, `{"location":"Nowhere"}`).is(200)
		if a := h.do("GET", before+"/health", beforeToken,
			nil).is(200); !strings.Contains(fmt.Sprint(a.get("settings")), "not checked yet") {
			t.Errorf("health: %s", a.raw)
		}
		if a := h.do("GET", before+"/events", beforeToken, nil).is(200); !strings.Contains(a.raw,
			"Not checked whether Cin7 Core has what the settings name (location)") {
			t.Errorf("events: %s", a.raw)
		}

		acc, _, path, token := h.supplier("Aroha Foods")
		options := h.do("GET", path+"/options", token, nil).is(200)
		place, rule, freight := values(options.get("location"))[0], "GST on Income",
			values(options.get("freightProduct"))[0]
		if !slices.Contains(values(options.get("taxRules")), rule) ||
			len(values(options.get("defaultSalesRep"))) == 0 || options.get("why") != nil {
			t.Errorf("options: %s", options.raw)
		}
		for _, c := range []struct {
			name, body string
			field      string // refused; "" = saved
			choice     string // that the refusal offers
		}{
			{"all that there is", fmt.Sprintf(`{"location":%q,"freightProduct":%q,"taxRules":{"15.00":%q}}`, place,
				freight, rule), "", ""},
			{"no such location", `{"location":"Nowhere"}`, "location", place},
			{"no such freight product", `{"freightProduct":"NO-SUCH"}`, "freightProduct", freight},
			{"a rule of another percentage", fmt.Sprintf(`{"taxRules":{"12.50":%q}}`, rule), "taxRules.12.50", rule},
			{"no such rule", `{"taxRules":{"15.00":"VAT"}}`, "taxRules.15.00", rule},
			{"no such sales representative", `{"defaultSalesRep":"Nobody"}`, "defaultSalesRep",
				values(options.get("defaultSalesRep"))[0]},
		} {
			a := h.do("PUT", path+"/settings", token, c.body)
			if c.field == "" {
				a.is(200)
				continue
			}
			if a.is(422).get("errors.0.field") != c.field ||
				!strings.Contains(fmt.Sprint(a.get("errors.0.choices")), c.choice) ||
				!strings.Contains(a.raw, "There is: ") {
				t.Errorf("%s: %s", c.name, a.raw)
			}
		}

		places, err := cin7core.New("http://vendors.test"+sim.PrefixCin7Core, h.sim.Transport(), nil,
			acc.Cin7Core.AccountID, acc.Cin7Core.ApplicationKey).Locations(t.Context())
		i := slices.IndexFunc(places, func(l cin7core.Location) bool {
			return !l.IsDefault &&
				strings.Trim(l.ParentID, "0-") == ""
		})
		if err != nil || i < 0 {
			t.Fatal(err, places)
		}
		rename := func(name string) {
			w := httptest.NewRecorder()
			h.sim.Handler().ServeHTTP(w,
				httptest.NewRequest("PUT", "/sim/cin7core/locations/"+places[i].ID,
					strings.NewReader(fmt.Sprintf(`{"Name":%q}`, name))))
			if w.Code != 200 {
				t.Fatal(w.Body)
			}
		}
		// A location that was made just now is looked for live before it is refused.
		h.do("PATCH", path+"/settings", token, `{"location":"Pop-up"}`).is(422)
		rename("Pop-up")
		h.do("PATCH", path+"/settings", token, `{"location":"Pop-up"}`).is(200)
		if a := h.do("GET", path+"/health", token, nil).is(200); len(a.get("settings").([]any)) != 0 {
			t.Errorf("health: %v", a.get("settings"))
		}
		// What the account has lost since stays, and is said.
		rename("Gone")
		h.do("POST", path+"/sync/mirror", token, nil).is(202)
		h.work()
		h.do("PATCH", path+"/settings", token, `{"onCancel":"void"}`).is(200)
		if a := h.do("GET", path+"/health", token, nil).is(200); !strings.Contains(fmt.Sprint(a.get("settings")),
			"“Pop-up”") {
			t.Errorf("health: %v", a.get("settings"))
		}
		id := strings.TrimPrefix(path, "/api/v1/tenants/")
		home := h.signIn("Ana", signin.Admin, id).get("/t/" + id).Body.String()
		if !strings.Contains(home, "The settings need you") || !strings.Contains(home, "“Pop-up”") ||
			strings.Contains(home, "Nothing needs you") {
			t.Error(home)
		}
		// Where Cin7 Core does not answer, it is saved, and said.
		if err := h.sim.Fault(sim.Cin7Core,
			sim.Fault{Match: "GET /ref/location", Kind: "before", Times: 1}); err != nil {
			t.Fatal(err)
		}
		h.do("PATCH", path+"/settings", token, `{"location":"Elsewhere"}`).is(200)
		if a := h.do("GET", path+"/events", token, nil).is(200); !strings.Contains(a.raw, "Cin7 Core did not say") {
			t.Errorf("events: %s", a.raw)
		}
	})
}

func TestPatchSettings(t *testing.T) {
	h := open(t)
	_, path, token := h.tenant("Aroha Foods")
	path += "/settings"
	h.do("PUT", path, token, `{"orderStatus":"authorised","taxRules":{"15.00":"GST on Income","0":"No GST"},"totalTolerance":"0.10"}`).is(200)
	for _, c := range []struct {
		name, body string
		want       int
		fields     []string
		check      string
		value      any
	}{
		{"one", `{"onCancel":"void"}`, 200, nil, "orderStatus", "authorised"},
		{"a default", `{"totalTolerance":null}`, 200, nil, "totalTolerance", "0.02"},
		{"one rule, by another writing of its percentage", `{"taxRules":{"15":"GST"}}`, 200, nil, "taxRules",
			map[string]any{"15": "GST", "0": "No GST"}},
		{"a rule out", `{"taxRules":{"0.00":null}}`, 200, nil, "taxRules", map[string]any{"15": "GST"}},
		{"no rules", `{"taxRules":null}`, 200, nil, "taxRules", map[string]any{}},
		{"all faults at once", `{"colour":null,"onCancel":"burn","saleType":1}`, 422,
			[]string{"colour", "saleType", "onCancel"}, "", nil},
		{"rules that are no object", `{"taxRules":"GST"}`, 422, []string{"taxRules"}, "", nil},
		{"no object", `[]`, 400, nil, "", nil},
	} {
		a := h.do("PATCH", path, token, c.body, "Content-Type", "application/merge-patch+json").is(c.want)
		if diff := cmp.Diff(c.fields, a.fields()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if c.check != "" {
			if diff := cmp.Diff(c.value, a.get(c.check)); diff != "" {
				t.Errorf("%s: %s", c.name, diff)
			}
			if now := h.do("GET", path, token, nil); now.raw != a.raw {
				t.Errorf("%s: answered %s, saved %s", c.name, a.raw, now.raw)
			}
		}
	}
	h.do("PATCH", path, token, `{"onCancel":"tell"}`, "If-Match", `"1"`).is(412)
}

// Everything that is wrong is said at once, by name.
func TestAllFaultsAtOnce(t *testing.T) {
	h := open(t)
	_, path, token := h.tenant("Aroha Foods")
	for _, c := range []struct {
		method, target, token string
		body                  any
		want                  int
		fields                []string
	}{
		{"GET", path + "/orders?sate=attention&limit=5&colour=red", token, nil, 400, []string{"colour", "sate"}},
		{"GET", path + "/orders?limit=5&limit=6", token, nil, 400, []string{"limit"}},
		{"GET", path + "/orders?after=" + strings.Repeat("x", 2000), token, nil, 400, []string{"after"}},
		{"GET", path + "/orders?after=%ff", token, nil, 400, []string{"after"}},
		{"GET", path + "/events?after=nothing", token, nil, 400, []string{"after"}},
		{"GET", path + "/settings?x=1", token, nil, 400, []string{"x"}},
		{"GET", "/api/v1/tenants?after=nothing", operator, nil, 400, []string{"after"}},
		{"GET", "/api/v1/tenants?page=2", operator, nil, 400, []string{"page"}},
		{"POST", "/api/v1/tenants", operator, `{"name":"","timeZone":"Mars/Olympus","colour":"red"}`, 422,
			[]string{"colour", "name", "timeZone"}},
		{"PUT", path + "/settings", token,
			`{"colour":"red","orderStatus":7,"creationMode":"autoPick","totalTolerance":"-1"}`, 422,
			[]string{"colour", "orderStatus", "totalTolerance"}},
		{"POST", path + "/orders/preview", token, `{"colour":"red","settings":{"onCancel":"burn","x":1}}`, 422,
			[]string{"colour", "order", "settings.x", "settings.onCancel"}},
	} {
		a := h.do(c.method, c.target, c.token, c.body).is(c.want)
		if diff := cmp.Diff(c.fields, a.fields()); diff != "" {
			t.Errorf("%s %s: %s", c.method, c.target, diff)
		}
	}
	for target, want := range map[string]string{
		path + "/orders/77":                "There is no such order here",
		path + "/connections/upstock":      "Upstock is not connected.",
		path + "/connections/abacus":       "There is no such system",
		"/api/v1/tenants/nobody/orders/77": "There is no such tenant",
		path + "/nothing":                  "There is nothing at this address.",
	} {
		if a := h.do("GET", target, token, nil).is(404); !strings.Contains(a.raw, want) {
			t.Errorf("%s: %s", target, a.raw)
		}
	}
}

// TestSettingsOfAnotherVersion: settings that would be refused today are read all the same, and health says what does
// not count any more, until they are saved again.
func TestSettingsOfAnotherVersion(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	saved := table.Item{Key: table.Key{PK: tenant.Partition(id), SK: "settings"},
		Data: []byte(`{"version":3,"at":"2026-11-20T02:15:00Z","settings":{"onCancel":"delete","ofTomorrow":false,"location":"Main"}}`)}
	if err := h.deaf.Write(t.Context(), table.Create(saved)); err != nil {
		t.Fatal(err)
	}
	read := h.do("GET", path+"/settings", token, nil).is(200)
	if read.get("onCancel") != "tell" || read.get("location") != "Main" || strings.Contains(read.raw, "ofTomorrow") {
		t.Errorf("%s", read.raw)
	}
	if a := h.do("GET", path+"/health", token, nil).is(200); !strings.Contains(fmt.Sprint(a.get("settings")),
		`The saved onCancel, "delete", is not allowed any more`) {
		t.Errorf("health: %v", a.get("settings"))
	}
	h.do("PUT", path+"/settings", token, read.raw).is(200)
	if a := h.do("GET", path+"/health", token, nil).is(200); strings.Contains(fmt.Sprint(a.get("settings")),
		"onCancel") {
		t.Errorf("health: %v", a.get("settings"))
	}
	items, err := h.deaf.Get(t.Context(), saved.Key)
	if err != nil || len(items) != 1 || !strings.Contains(string(items[0].Data), `"ofTomorrow":false`) {
		t.Errorf("stored: %s %v", items, err)
	}
}

// TestSettingsAreDescribed holds the settings to their description: the same names, defaults, choices,
// lengths and texts.
func TestSettingsAreDescribed(t *testing.T) {
	settings := slices.Concat(new(upstockcin7.Pair).Settings(), new(joorcin7.Pair).Settings())
	raw, err := tenant.Write(nil, settings...)
	if err != nil {
		t.Fatal(err)
	}
	var defaults map[string]any
	if err := json.Unmarshal(raw, &defaults); err != nil {
		t.Fatal(err)
	}
	_, schema := describe(t).At("#/components/schemas/Settings")
	described := maps.Clone(object(schema["properties"])) // the description is shared
	_, patch := describe(t).At("#/components/schemas/SettingsPatch")
	if diff := cmp.Diff(slices.Sorted(maps.Keys(described)),
		slices.Sorted(maps.Keys(object(patch["properties"])))); diff != "" {
		t.Errorf("a patch (+) has other settings than there are (-):\n%s", diff)
	}
	for _, f := range allFields(settings) {
		is := object(described[f.Name])
		delete(described, f.Name)
		if is == nil {
			t.Errorf("the setting %s is not in openapi.yaml", f.Name)
			continue
		}
		value := defaults[f.Name]
		none := value == "" || object(value) != nil && len(object(value)) == 0
		if said := is["default"]; said != value && !(said == nil && none) {
			t.Errorf("%s: the default is %v, and is described as %v", f.Name, value, said)
		}
		var choices []string
		for _, c := range elements(is["enum"]) {
			choices = append(choices, fmt.Sprint(c))
		}
		if diff := cmp.Diff(f.Choices, choices); diff != "" {
			t.Errorf("%s: the choices (-are +described):\n%s", f.Name, diff)
		}
		if most := fmt.Sprint(is["maxLength"]); most != fmt.Sprint(f.Max) && !(f.Max == 0 && is["maxLength"] == nil) {
			t.Errorf("%s: a text has at most %d characters, and is described with %s", f.Name, f.Max, most)
		}
		if text := fmt.Sprint(is["description"]); strings.TrimSpace(text) != f.Help {
			t.Errorf("%s: its text is\n%s\nand is described as\n%s", f.Name, f.Help, text)
		}
	}
	for name := range described {
		t.Errorf("openapi.yaml has a setting %s that there is not", name)
	}
}

// TestSettingsNull: null is no value to put, and gives a setting its default in a patch.
func TestSettingsNull(t *testing.T) {
	h := open(t)
	_, path, token := h.tenant("Aroha Foods")
	h.do("PATCH", path+"/settings", token, `{"addressField":"Branch","taxRules":{"15":"GST"}}`).is(200)
	a := h.do("PUT", path+"/settings", token, `{"addressField":null,"taxRules":null,"saleType":null}`).is(422)
	if got := strings.Join(a.fields(), " "); got != "addressField saleType taxRules" {
		t.Errorf("fields %s: %s", got, a.raw)
	}
	if a := h.do("PATCH", path+"/settings", token, `{"addressField":null,"taxRules":{"15":null}}`).is(200); a.get(
		"addressField") != "" || len(object(a.get("taxRules"))) != 0 {
		t.Errorf("a patch: %s", a.raw)
	}
}
