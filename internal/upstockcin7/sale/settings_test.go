package sale

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/tenant"
)

func TestParseSettings(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		wrong     []string // fields named by the refusal
	}{
		{"empty is the default", `{}`, nil},
		{"all good", `{"orderStatus":"authorised","saleType":"simple","creationMode":"autoPickPackShip","shipBySource":"none","location":"Main","freightProduct":"Freight","taxRules":{"15.00":"GST","0":"Zero"},"defaultSalesRep":"Ana","addressField":"Branch","addressMatch":"city","totalTolerance":"0.05"}`, nil},
		{"tolerance as a number", `{"totalTolerance":0.05}`, nil},
		{"unknown field", `{"orderStatuss":"draft"}`, []string{"orderStatuss"}},
		{"unknown value", `{"orderStatus":"final"}`, []string{"orderStatus"}},
		{"all faults at once", `{"orderStatus":"x","saleType":"y","shipBySource":"z","addressMatch":"q"}`,
			[]string{"orderStatus", "saleType", "shipBySource", "addressMatch"}},
		{"wrong types", `{"location":5,"taxRules":[]}`, []string{"location", "taxRules"}},
		{"null", `{"location":null}`, []string{"location"}},
		{"auto pick needs authorised", `{"creationMode":"autoPick"}`, []string{"creationMode"}},
		{"auto pick needs simple", `{"creationMode":"autoPick","orderStatus":"authorised","saleType":"advanced"}`,
			[]string{"creationMode"}},
		{"tax rates", `{"taxRules":{"fifteen":"GST","15":"A","15.0":"B","101":"C","5":""}}`,
			[]string{"taxRules.101", "taxRules.15.0", "taxRules.5", "taxRules.fifteen"}},
		{"tolerance", `{"totalTolerance":"-1"}`, []string{"totalTolerance"}},
		{"tolerance too fine", `{"totalTolerance":"0.001"}`, []string{"totalTolerance"}},
		{"tolerance absurd", `{"totalTolerance":"1e999999999"}`, []string{"totalTolerance"}},
		{"not an object", `[]`, []string{""}},
		{"two documents", `{}{}`, []string{""}},
		{"nothing", ``, []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := DefaultSettings()
			err := tenant.Parse([]byte(tt.doc), &s)
			var wrong []string
			for _, e := range asFields(err) {
				wrong = append(wrong, e.Field)
				if e.Message == "" {
					t.Errorf("%s: no message", e.Field)
				}
			}
			if diff := cmp.Diff(tt.wrong, wrong); diff != "" {
				t.Fatalf("fields refused (-want +got):\n%s", diff)
			}
			if err != nil {
				return
			}
			// GET answers exactly what PUT takes.
			again := DefaultSettings()
			if err := tenant.Parse([]byte(written(t, s)), &again); err != nil {
				t.Fatal(err)
			}
			if a, b := written(t, s), written(t, again); a != b {
				t.Errorf("not the same again: %s, then %s", a, b)
			}
		})
	}
}

// asFields are the faults that an error tells.
func asFields(err error) (errs tenant.FieldErrors) {
	errors.As(err, &errs)
	return errs
}

// written are settings as the API shows them.
func written(t *testing.T, s Settings) string {
	t.Helper()
	doc, err := tenant.Write(nil, &s)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// unknown lists what of a document is kept beside settings that are saved over it.
func unknown(t *testing.T, doc string, s Settings) []string {
	t.Helper()
	saved, err := tenant.Write([]byte(doc), &s)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(saved, &all); err != nil {
		t.Fatal(err)
	}
	for _, f := range s.Fields() {
		delete(all, f.Name)
	}
	return slices.Sorted(maps.Keys(all))
}

// TestSettingsHaveTheirRows: each setting is read and written by one name, has its text, and is valid as it is by
// default.
func TestSettingsHaveTheirRows(t *testing.T) {
	s := DefaultSettings()
	led := map[uintptr]tenant.Field{}
	for _, f := range s.Fields() {
		if f.Help == "" {
			t.Errorf("nothing says what the setting %s decides", f.Name)
		}
		if _, text := f.To.(*string); !text && (f.Choices != nil || f.Max != 0) {
			t.Errorf("the choices or the length of %s say nothing: it is no text", f.Name)
		}
		led[reflect.ValueOf(f.To).Pointer()] = f
	}
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		f, ok := led[v.Field(i).Addr().Pointer()]
		if want := v.Type().Field(i).Name; !ok || f.Name != strings.ToLower(want[:1])+want[1:] {
			t.Errorf("the setting %s has no row in Fields that leads to it: %q", want, f.Name)
		}
		delete(led, v.Field(i).Addr().Pointer())
	}
	for _, f := range led {
		t.Errorf("Fields has a row %s that leads to no setting", f.Name)
	}
	if errs := tenant.Check(&s); errs != nil {
		t.Errorf("the defaults: %v", errs)
	}
}

// TestReadSettings: what was stored is always read. What is not allowed any more is its default, and said.
func TestReadSettings(t *testing.T) {
	for _, tt := range []struct {
		name, doc string
		want      string   // settings that are not their defaults
		unknown   []string // kept
		said      []string // settings that are spoken of, in order
	}{
		{"empty", `{}`, `{}`, nil, nil},
		{"all good", `{"orderStatus":"authorised","creationMode":"autoPick","taxRules":{"15.00":"GST"}}`,
			`{"orderStatus":"authorised","creationMode":"autoPick","taxRules":{"15.00":"GST"}}`, nil, nil},
		{"of a later version", `{"location":"Main","ofTomorrow":false,"a.b":1,"taxRules.x":2,"":3}`,
			`{"location":"Main"}`, []string{"", "a.b", "ofTomorrow", "taxRules.x"}, nil},
		{"a value that is gone", `{"onCancel":"delete","location":"Main"}`, `{"location":"Main"}`, nil,
			[]string{"onCancel"}},
		{"a type that is gone", `{"taxRules":["GST"],"totalTolerance":{},"location":null,"freightProduct":"F"}`,
			`{"freightProduct":"F"}`, nil, []string{"location", "taxRules", "totalTolerance"}},
		{"a pair that is gone", `{"creationMode":"autoPick"}`, `{}`, nil, []string{"creationMode"}},
		{"of a pair one is gone", `{"creationMode":"autoPick","orderStatus":"final","saleType":"simple"}`, `{}`, nil,
			[]string{"orderStatus", "creationMode"}},
		{"some tax rules", `{"taxRules":{"15.00":"GST","fifteen":"X","15":"Y","101":"Z","0":"Zero"}}`,
			`{"taxRules":{"15":"Y","0":"Zero"}}`, nil,
			[]string{"taxRules.101", "taxRules.15.00", "taxRules.fifteen"}},
		{"everything", `{"onCancel":7,"orderStatus":"x","saleType":"y","creationMode":"z","totalTolerance":"1e999999999","new":{}}`, `{}`, []string{"new"},
			[]string{"onCancel", "totalTolerance", "orderStatus", "saleType", "creationMode"}},
		{"not an object", `[]`, `{}`, nil, []string{"cannot be read"}},
		{"null", `null`, `{}`, nil, []string{"cannot be read"}},
		{"no JSON", `{"x":`, `{}`, nil, []string{"cannot be read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, s := DefaultSettings(), DefaultSettings()
			if err := tenant.Parse([]byte(tt.want), &want); err != nil {
				t.Fatal(err)
			}
			said := tenant.Read([]byte(tt.doc), &s)
			if a, b := written(t, want), written(t, s); a != b {
				t.Errorf("read as %s, want %s", b, a)
			}
			if diff := cmp.Diff(tt.unknown, unknown(t, tt.doc, s)); diff != "" {
				t.Errorf("kept (-want +got):\n%s", diff)
			}
			if len(said) != len(tt.said) {
				t.Fatalf("said %q", said)
			}
			for i, name := range tt.said {
				if !strings.Contains(said[i], " "+name) {
					t.Errorf("said %q, want something of %s", said[i], name)
				}
			}
		})
	}
}
