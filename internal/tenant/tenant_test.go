package tenant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/table"
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
		{"all faults at once", `{"orderStatus":"x","saleType":"y","shipBySource":"z","addressMatch":"q"}`, []string{"orderStatus", "saleType", "shipBySource", "addressMatch"}},
		{"wrong types", `{"location":5,"taxRules":[]}`, []string{"location", "taxRules"}},
		{"null", `{"location":null}`, []string{"location"}},
		{"auto pick needs authorised", `{"creationMode":"autoPick"}`, []string{"creationMode"}},
		{"auto pick needs simple", `{"creationMode":"autoPick","orderStatus":"authorised","saleType":"advanced"}`, []string{"creationMode"}},
		{"tax rates", `{"taxRules":{"fifteen":"GST","15":"A","15.0":"B","101":"C","5":""}}`, []string{"taxRules.101", "taxRules.15.0", "taxRules.5", "taxRules.fifteen"}},
		{"tolerance", `{"totalTolerance":"-1"}`, []string{"totalTolerance"}},
		{"tolerance too fine", `{"totalTolerance":"0.001"}`, []string{"totalTolerance"}},
		{"tolerance absurd", `{"totalTolerance":"1e999999999"}`, []string{"totalTolerance"}},
		{"not an object", `[]`, []string{""}},
		{"two documents", `{}{}`, []string{""}},
		{"nothing", ``, []string{""}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := ParseSettings([]byte(tt.doc))
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
			doc, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseSettings(doc)
			if err != nil {
				t.Fatal(err)
			}
			if a, b := mustJSON(t, s), mustJSON(t, again); a != b {
				t.Errorf("not the same again: %s, then %s", a, b)
			}
		})
	}
}

func asFields(err error) FieldErrors {
	var e FieldErrors
	errors.As(err, &e)
	return e
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestSecretPrintsNothing(t *testing.T) {
	s := Secrets{Key: "key-1", Webhook: "whsec-1", Hook: "hook-1"}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %q %s", s, s, s.Key, s.Key), mustJSON(t, s)} {
		if strings.Contains(text, "-1") {
			t.Errorf("a secret in %q", text)
		}
	}
}

func newStore(t *testing.T) *Store {
	t.Helper()
	f, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	box, err := NewBox(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return NewStore(f, box)
}

func connect(t *testing.T, s *Store, tenant, supplier, key, webhook string) (Connection, Secrets, error) {
	t.Helper()
	return s.Connect(t.Context(), tenant, Upstock, func(c *Connection, sec *Secrets) error {
		c.Account, sec.Key, sec.Webhook = supplier, Secret(key), Secret(webhook)
		return nil
	})
}

func TestConnect(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, token, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := s.Create(ctx, "Hill Bakers", "Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.TokenTenant(ctx, string(token)); err != nil || got != a.ID {
		t.Errorf("the token is of %q, %v", got, err)
	}
	c, sec, err := connect(t, s, a.ID, "7", "k1", "w1")
	if err != nil {
		t.Fatal(err)
	}
	if len(sec.Hook) != 32 {
		t.Errorf("webhook token of %d characters, 32 are 160 bits", len(sec.Hook))
	}
	if owner, sys, err := s.Hook(ctx, string(sec.Hook)); err != nil || owner != a.ID || sys != Upstock {
		t.Errorf("the hook is %q's %q: %v", owner, sys, err)
	}
	for range 2 { // read, and remembered
		if c, found, err := s.Hooked(ctx, string(sec.Hook)); err != nil || c.Tenant != a.ID || c.System != Upstock || found.Webhook != "w1" {
			t.Errorf("behind the hook: %+v, %v", c, err)
		}
	}
	if bytes.Contains(c.Sealed, []byte("k1")) {
		t.Error("the key stands in the clear")
	}

	if _, _, err := connect(t, s, b.ID, "7", "k", ""); !errors.Is(err, ErrClaimed) {
		t.Errorf("another tenant's supplier: %v", err)
	}
	// A new key keeps the URL; the old webhook secret is kept for a day.
	c2, sec2, err := connect(t, s, a.ID, "7", "k2", "w2")
	if err != nil {
		t.Fatal(err)
	}
	if sec2.Hook != sec.Hook || c2.Since != c.Since || len(sec2.Replaced) != 1 || sec2.Replaced[0].Secret != "w1" || c2.Generation != c.Generation+1 {
		t.Errorf("after a new key: %+v", c2)
	}
	if left := time.Until(sec2.Replaced[0].Until); left < 23*time.Hour || left > 24*time.Hour {
		t.Errorf("the old webhook secret is valid for %s", left)
	}
	// Replaced again on the same day, both are; and each no longer than its day.
	if _, _, err := connect(t, s, a.ID, "7", "k2", "w3"); err != nil {
		t.Fatal(err)
	}
	opened, err := s.Connection(ctx, a.ID, Upstock)
	if err != nil {
		t.Fatal(err)
	}
	sec3, err := s.Secrets(ctx, opened)
	if err != nil || !slices.Equal(sec3.Webhooks(time.Now()), []Secret{"w3", "w2", "w1"}) {
		t.Errorf("valid secrets: %d %v", len(sec3.Webhooks(time.Now())), err)
	}
	if now := sec3.Webhooks(time.Now().Add(25 * time.Hour)); !slices.Equal(now, []Secret{"w3"}) {
		t.Errorf("a day later %d are valid", len(now))
	}
	// A refused key changes nothing.
	refused := errors.New("refused")
	if _, _, err := s.Connect(ctx, a.ID, Upstock, func(*Connection, *Secrets) error { return refused }); err != refused {
		t.Error(err)
	}
	// Another supplier frees the first.
	if _, _, err := connect(t, s, a.ID, "8", "k3", "w2"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := connect(t, s, b.ID, "7", "k", ""); err != nil {
		t.Errorf("the freed supplier: %v", err)
	}
	if err := s.Disconnect(ctx, a.ID, Upstock); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Hook(ctx, string(sec.Hook)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the hook of a forgotten connection: %v", err)
	}
	for range 2 { // neither of a connection that is gone nor of one that has another URL now
		if _, _, err := s.Hooked(ctx, string(sec.Hook)); !errors.Is(err, ErrNotFound) {
			t.Errorf("behind the hook of a forgotten connection: %v", err)
		}
		if _, again, err := connect(t, s, a.ID, "9", "k4", ""); err != nil || again.Hook == sec.Hook {
			t.Errorf("connected anew: %v", err)
		}
	}
	if _, _, err := connect(t, s, b.ID, "8", "k", ""); err != nil {
		t.Errorf("a forgotten connection's supplier: %v", err)
	}
}

// noting is a Sealer beside which somebody else notes something on a connection.
type noting struct {
	Sealer
	note func()
}

func (n *noting) Seal(ctx context.Context, tenant string, plain []byte) ([]byte, error) {
	n.note()
	return n.Sealer.Seal(ctx, tenant, plain)
}

func (n *noting) Open(ctx context.Context, tenant string, sealed []byte) ([]byte, error) {
	n.note()
	return n.Sealer.Open(ctx, tenant, sealed)
}

// TestNotedMeanwhile: jobs note how far they are while a person changes or takes away their connection.
func TestNotedMeanwhile(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	connect := func(account string) (Connection, error) {
		c, _, err := s.Connect(ctx, a.ID, Cin7Core, func(c *Connection, sec *Secrets) error {
			if c.Account != account {
				c.Account, c.Mirror, c.Checked = account, Mirror{}, 0
			}
			return nil
		})
		return c, err
	}
	if _, err := connect("one"); err != nil {
		t.Fatal(err)
	}
	const often = 40
	n := 0
	quiet := s.seal
	s.seal = &noting{quiet, func() {
		if n++; n > often {
			return
		}
		if _, err := s.Update(ctx, a.ID, Cin7Core, func(c *Connection) error {
			c.Checked, c.Mirror.Read = c.Checked+1, n
			return nil
		}); err != nil {
			t.Error(err)
		}
	}}
	if c, err := connect("one"); err != nil || c.Checked == 0 || c.Mirror.Read != c.Checked {
		t.Errorf("the same account: %+v, %v", c, err)
	}
	if c, err := connect("two"); err != nil || c.Checked != 0 || c.Mirror.Read != 0 {
		t.Errorf("another account: %+v, %v", c, err)
	}
	n = often - 3
	if err := s.Disconnect(ctx, a.ID, Cin7Core); err != nil {
		t.Error(err)
	}
	if _, err := s.Connection(ctx, a.ID, Cin7Core); !errors.Is(err, ErrNotFound) {
		t.Errorf("after it was taken away: %v", err)
	}
}

func TestBrokenAndResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		a, _, err := s.Create(ctx, "Harbour Roasters", "")
		if err != nil {
			t.Fatal(err)
		}
		c, _, err := connect(t, s, a.ID, "7", "k1", "")
		if err != nil {
			t.Fatal(err)
		}
		if c, err = s.Broken(ctx, a.ID, Upstock, c.Generation, "refused"); err != nil || c.State != NeedsReconnecting {
			t.Fatalf("%+v %v", c, err)
		}
		old := c.Generation
		if c, _, err = connect(t, s, a.ID, "7", "k2", ""); err != nil || c.State != Connected {
			t.Fatalf("%+v %v", c, err)
		}
		// A worker that still holds the old key does not break the new one.
		if c, err = s.Broken(ctx, a.ID, Upstock, old, "refused"); err != nil || c.State != Connected {
			t.Fatalf("%+v %v", c, err)
		}
		if list, err := s.Resuming(ctx); err != nil || len(list) != 1 || list[0].Tenant != a.ID {
			t.Fatalf("resuming: %+v %v", list, err)
		}
		time.Sleep(30 * 24 * time.Hour)
		list, err := s.Resuming(ctx)
		if err != nil || len(list) != 1 || list[0].Generation != c.Generation {
			t.Fatalf("resuming a month later, with no sweep between: %+v %v", list, err)
		}
		if _, _, err = connect(t, s, a.ID, "7", "k3", ""); err != nil {
			t.Fatal(err)
		}
		if err := s.Resumed(ctx, list[0]); err != nil {
			t.Fatal(err)
		}
		if list, err = s.Resuming(ctx); err != nil || len(list) != 1 {
			t.Fatalf("repaired again since it was read: %+v %v", list, err)
		}
		if err := s.Resumed(ctx, list[0]); err != nil {
			t.Fatal(err)
		}
		if list, err = s.Resuming(ctx); err != nil || len(list) != 0 {
			t.Fatalf("nothing is parked any more: %+v %v", list, err)
		}
	})
}

// TestSettingsHaveTheirRows: each setting is read and written by one name, and is valid as it is by default.
func TestSettingsHaveTheirRows(t *testing.T) {
	var s Settings
	rows, defaults := s.fields(), map[string]json.RawMessage{}
	if err := json.Unmarshal([]byte(mustJSON(t, DefaultSettings())), &defaults); err != nil {
		t.Fatal(err)
	}
	v := reflect.ValueOf(&s).Elem()
	for i := range v.NumField() {
		field, name := v.Type().Field(i).Name, v.Type().Field(i).Tag.Get("json")
		if rows[name] != v.Field(i).Addr().Interface() {
			t.Errorf("the setting %s (%s) has no row in Settings.fields that leads to it", field, name)
		}
		delete(rows, name)
		if _, err := ParseSettings([]byte(fmt.Sprintf(`{%q:%s}`, name, defaults[name]))); err != nil {
			t.Errorf("the default of %s is not valid: %v", name, err)
		}
	}
	for name := range rows {
		t.Errorf("Settings.fields has a row %s that is no setting", name)
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
		{"of a later version", `{"location":"Main","sellOnSundays":false,"a.b":1,"taxRules.x":2,"":3}`, `{"location":"Main"}`, []string{"", "a.b", "sellOnSundays", "taxRules.x"}, nil},
		{"a value that is gone", `{"onCancel":"delete","location":"Main"}`, `{"location":"Main"}`, nil, []string{"onCancel"}},
		{"a type that is gone", `{"taxRules":["GST"],"totalTolerance":{},"location":null,"freightProduct":"F"}`, `{"freightProduct":"F"}`, nil, []string{"location", "taxRules", "totalTolerance"}},
		{"a pair that is gone", `{"creationMode":"autoPick"}`, `{}`, nil, []string{"creationMode"}},
		{"of a pair one is gone", `{"creationMode":"autoPick","orderStatus":"final","saleType":"simple"}`, `{}`, nil, []string{"orderStatus", "creationMode"}},
		{"some tax rules", `{"taxRules":{"15.00":"GST","fifteen":"X","15":"Y","101":"Z","0":"Zero"}}`, `{"taxRules":{"15":"Y","0":"Zero"}}`, nil,
			[]string{"taxRules.101", "taxRules.15.00", "taxRules.fifteen"}},
		{"everything", `{"onCancel":7,"orderStatus":"x","saleType":"y","creationMode":"z","totalTolerance":"1e999999999","new":{}}`, `{}`, []string{"new"},
			[]string{"onCancel", "totalTolerance", "orderStatus", "saleType", "creationMode"}},
		{"not an object", `[]`, `{}`, nil, []string{"cannot be read"}},
		{"null", `null`, `{}`, nil, []string{"cannot be read"}},
		{"no JSON", `{"x":`, `{}`, nil, []string{"cannot be read"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want, err := ParseSettings([]byte(tt.want))
			if err != nil {
				t.Fatal(err)
			}
			s, unknown, said := readSettings([]byte(tt.doc))
			if a, b := mustJSON(t, want), mustJSON(t, s); a != b {
				t.Errorf("read as %s, want %s", b, a)
			}
			if diff := cmp.Diff(tt.unknown, slices.Sorted(maps.Keys(unknown))); diff != "" {
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

// TestSettingsOfAnotherVersion: a tenant whose settings another version stored is loaded, and what this version does not
// know survives that a person saves.
func TestSettingsOfAnotherVersion(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	it, err := item(Partition(a.ID), "settings", savedSettings{3, time.Now(), json.RawMessage(`{"onCancel":"delete","sellOnSundays":false}`)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.table.Write(ctx, table.Create(it)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Load(ctx, a.ID)
	if err != nil || b.Version != 3 || b.Settings.OnCancel != Tell || len(b.Said) != 1 || !strings.Contains(b.Said[0], `"delete"`) {
		t.Fatalf("%+v %q %v", b.Settings, b.Said, err)
	}
	b.Settings.Location = "Main"
	if _, err := s.SaveSettings(ctx, a.ID, b.Settings, 3); err != nil {
		t.Fatal(err)
	}
	if b, err = s.Load(ctx, a.ID); err != nil || b.Version != 4 || b.Settings.Location != "Main" || len(b.Said) != 0 || string(b.unknownSettings["sellOnSundays"]) != "false" {
		t.Errorf("%+v %q %s %v", b.Settings, b.Said, b.unknownSettings, err)
	}
	if raw := mustJSON(t, b.Settings); strings.Contains(raw, "Sundays") {
		t.Errorf("the API shows what it would refuse: %s", raw)
	}
}

func TestSettingsVersions(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	doc := DefaultSettings()
	doc.Location = "Main"
	if v, err := s.SaveSettings(ctx, a.ID, doc, 0); err != nil || v != 1 {
		t.Fatal(v, err)
	}
	if _, err := s.SaveSettings(ctx, a.ID, doc, 0); !errors.Is(err, ErrChanged) {
		t.Errorf("a stale version: %v", err)
	}
	doc.CreationMode = AutoPick
	if _, err := s.SaveSettings(ctx, a.ID, doc, 1); len(asFields(err)) != 1 {
		t.Errorf("settings that do not fit together: %v", err)
	}
	b, err := s.Load(ctx, a.ID)
	if err != nil || b.Version != 1 || b.Settings.Location != "Main" {
		t.Errorf("%+v %v", b.Settings, err)
	}
	if _, err := s.Load(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
