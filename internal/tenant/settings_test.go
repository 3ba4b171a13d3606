package tenant

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// goods and letters are made-up sections of two pairs.
type goods struct {
	OnCancel, Mode, Place string
	Rules                 rules
	Most                  price
}

func newGoods() goods {
	return goods{OnCancel: "tell", Mode: "byHand", Rules: rules{}, Most: "1.00"}
}

func (g *goods) Fields() []Field {
	return []Field{
		{Name: "onCancel", Choices: []string{"tell", "void"}, To: &g.OnCancel},
		{Name: "mode", Choices: []string{"byHand", "byItself"}, To: &g.Mode},
		{Name: "place", Max: 8, To: &g.Place},
		{Name: "rules", To: &g.Rules},
		{Name: "most", To: &g.Most},
	}
}

func (g *goods) Check() (errs FieldErrors) {
	if g.Mode == "byItself" && g.OnCancel != "void" {
		errs = append(errs, FieldError{Field: "mode", Message: "Only with onCancel void.",
			Unless: []string{"onCancel"}})
	}
	if g.Rules["x"] != 0 {
		errs = append(errs, FieldError{Field: "rules.x", Message: "There is no x."})
	}
	return errs
}

// rules have keys that count in any case.
type rules map[string]int

func (rules) SameKey(a, b string) bool { return strings.EqualFold(a, b) }

// price says in its own words what is wrong with it.
type price string

func (p *price) UnmarshalJSON(data []byte) error {
	if len(data) > 6 {
		return FieldError{Message: "This is too dear."}
	}
	*p = price(strings.Trim(string(data), `"`))
	return nil
}

type letters struct {
	Paper string
	Seals map[string]map[string]int
}

func (l *letters) Fields() []Field {
	return []Field{{Name: "paper", Max: 3, To: &l.Paper}, {Name: "seals", To: &l.Seals}}
}

func (l *letters) Check() FieldErrors { return nil }

const noObject = ": The settings must be one JSON object."

// TestSections: one flat document of two sections is judged, read and written.
func TestSections(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		faults    string // of Parse, a line each
		read      string // what Read makes of it, in the place of the defaults
		said      string // what Read says, a line each, from the name of the setting on
		kept      string // what stays of it beside the sections
	}{
		{name: "nothing", doc: `{}`, read: `{}`},
		{name: "of both", doc: `{"paper":"A4","onCancel":"void","mode":"byItself","rules":{"a":1},"most":"2.00"}`,
			read: `{"paper":"A4","onCancel":"void","mode":"byItself","rules":{"a":1},"most":"2.00"}`},
		{name: "what a patch would do is no value", doc: `{"place":null}`,
			faults: "place: null is not a value; leave the setting out for its default.",
			read:   `{}`, said: "place, null, is not allowed any more: its default is used."},
		{name: "unknown", doc: `{"stamps":[1, 2],"a.b":{"c":null}}`,
			faults: "a.b: There is no such setting.\nstamps: There is no such setting.",
			read:   `{}`, kept: `,"a.b":{"c":null},"stamps":[1,2]`},
		{name: "of every kind, at once",
			doc: `{"place":"far too far","paper":4,"mode":"x","most":"1000.00","rules":{"x":1,"y":2}}`,
			faults: "most: This is too dear.\npaper: This value has the wrong type.\n" +
				"mode: Use one of: byHand, byItself.\nplace: This is longer than 8 characters.\nrules.x: " +
				"There is no x.",
			read: `{"rules":{"y":2}}`,
			said: "most, \"1000.00\", is not allowed any more: its default is used.\n" +
				"paper, 4, is not allowed any more: its default is used.\n" +
				"mode, \"x\", is not allowed any more: its default is used.\n" +
				"place, \"far too far\", is not allowed any more: its default is used.\n" +
				"rules.x, 1, is not allowed any more: it is left out."},
		{name: "a value of the wrong type leaves nothing of itself", doc: `{"rules":{"x":1,"y":"two"}}`,
			faults: "rules: This value has the wrong type.",
			read:   `{}`, said: "rules, {\"x\":1,\"y\":\"two\"}, is not allowed any more: its default is used."},
		{name: "two that do not go together", doc: `{"mode":"byItself"}`, faults: "mode: Only with onCancel void.",
			read: `{}`, said: "mode, \"byItself\", is not allowed any more: its default is used."},
		{name: "one of the two is at fault itself", doc: `{"mode":"byItself","onCancel":"burn"}`,
			faults: "onCancel: Use one of: tell, void.",
			read:   `{}`, said: "onCancel, \"burn\", is not allowed any more: its default is used.\n" +
				"mode, \"byItself\", is not allowed any more: its default is used."},
		{name: "no object", doc: `[]`, faults: noObject, read: `{}`, said: "cannot be read"},
		{name: "null", doc: `null`, faults: noObject, read: `{}`, said: "cannot be read"},
		{name: "two documents", doc: `{} {}`, faults: noObject, read: `{}`, said: "cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			two := func() (*goods, *letters) {
				g := newGoods()
				return &g,
					&letters{Seals: map[string]map[string]int{}}
			}
			g, l := two()
			faults := ""
			if err := Parse([]byte(c.doc), g, l); err != nil {
				faults = strings.ReplaceAll(err.Error(), "; ", "\n")
				faults = strings.ReplaceAll(faults, "value\n", "value; ") // a sentence of its own
			}
			if diff := cmp.Diff(c.faults, faults); diff != "" {
				t.Errorf("refused (-want +got):\n%s", diff)
			}
			g, l = two()
			said := Read([]byte(c.doc), g, l)
			want, other := two()
			if err := Parse([]byte(c.read), want, other); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(*want, *g) + cmp.Diff(*other, *l); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			for i, line := range strings.Split(c.said, "\n") {
				if line == "" && len(said) == 0 {
					continue
				}
				if len(said) != strings.Count(c.said, "\n")+1 || !strings.Contains(said[i], line) {
					t.Fatalf("said %q, want %q", said, c.said)
				}
			}
			whole, err := Write([]byte(c.doc), g, l)
			alone, aerr := Write(nil, g, l)
			if err != nil || aerr != nil || string(whole) != strings.TrimSuffix(string(alone), "}")+c.kept+"}" {
				t.Errorf("written %s, alone %s: %v %v", whole, alone, err, aerr)
			}
			// What is written is what a person may send.
			again, also := two()
			if err := Parse(alone, again, also); err != nil || cmp.Diff(g, again)+cmp.Diff(l, also) != "" {
				t.Errorf("%s is read as %+v %+v: %v", alone, again, also, err)
			}
		})
	}
}

// TestDistinct: a name that two sections have, or one has twice, is found.
func TestDistinct(t *testing.T) {
	g := newGoods()
	if err := Distinct(&g, &letters{}); err != nil {
		t.Error(err)
	}
	if err := Distinct(&g, &letters{}, &letters{}); err == nil || !strings.Contains(err.Error(), `"paper"`) {
		t.Errorf("two sections have the setting paper: %v", err)
	}
}

// TestMerge: RFC 7396, but that null gives a setting its default, and keys may be the same in another writing.
func TestMerge(t *testing.T) {
	const before = `{"onCancel":"void","mode":"byHand","place":"Main","rules":{"a":1,"b":2},"most":"2.00","paper":"A4",` +
		`"seals":{"red":{"wax":1,"ink":2}}}`
	for _, c := range []struct{ patch, want string }{
		{`{}`, before},
		{`{"place":"Yard"}`, strings.Replace(before, "Main", "Yard", 1)},
		{`{"place":null}`, strings.Replace(before, `"place":"Main"`, `"place":""`, 1)},
		{`{"onCancel":null,"rules":null}`, strings.NewReplacer("void", "tell", `{"a":1,"b":2}`, `{}`).Replace(before)},
		{`{"rules":{"A":3,"b":null,"c":4}}`, strings.Replace(before, `{"a":1,"b":2}`, `{"A":3,"c":4}`, 1)},
		{`{"seals":{"red":{"wax":null,"string":3}}}`,
			strings.Replace(before, `{"wax":1,"ink":2}`, `{"ink":2,"string":3}`, 1)},
		{`{"seals":{"green":{"wax":null}}}`, strings.Replace(before, `"seals":{`, `"seals":{"green":{},`, 1)},
		{`{"colour":null}`, "colour: There is no such setting."},
		{`{"rules":7}`, "rules: This value has the wrong type."},
		{`{"rules":{"y":null,"x":{}}}`, "rules: This value has the wrong type."},
		{`[]`, noObject},
	} {
		g, l := newGoods(), letters{Seals: map[string]map[string]int{}}
		if err := Parse([]byte(before), &g, &l); err != nil {
			t.Fatal(err)
		}
		doc, err := Merge([]byte(c.patch), &g, &l)
		g, l = newGoods(), letters{Seals: map[string]map[string]int{}}
		if err == nil {
			err = Parse(doc, &g, &l)
		}
		if err != nil {
			if err.Error() != c.want {
				t.Errorf("%s: %v, want %s", c.patch, err, c.want)
			}
			continue
		}
		want, other := newGoods(), letters{Seals: map[string]map[string]int{}}
		if err := Parse([]byte(c.want), &want, &other); err != nil {
			t.Errorf("%s: %s, want %s", c.patch, doc, c.want)
			continue
		}
		if diff := cmp.Diff(want, g) + cmp.Diff(other, l); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.patch, diff)
		}
	}
}
