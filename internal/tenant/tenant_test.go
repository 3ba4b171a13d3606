package tenant

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/table"
)

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
	s := Secrets{Key: "key-1", WebhookSecret: "whsec-1", URLToken: "hook-1"}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%+v %#v %q %s", s, s, s.Key, s.Key), mustJSON(t, s)} {
		if strings.Contains(text, "-1") {
			t.Errorf("a secret in %q", text)
		}
	}
}

// TestStoredSecrets: secrets are read under the names that they have been stored under from the beginning.
func TestStoredSecrets(t *testing.T) {
	const stored = `{"Key":"k1","User":"u","Webhook":"w1","Hook":"t1",` +
		`"Replaced":[{"Secret":"w0","Until":"2026-12-01T00:00:00Z"}]}`
	s := newStore(t)
	sealed, err := s.seal.Seal(t.Context(), "t", "upstock", []byte(stored))
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Secrets(t.Context(), Connection{Tenant: "t", System: Upstock, Sealed: sealed})
	if err != nil || got.WebhookSecret != "w1" || got.URLToken != "t1" {
		t.Errorf("read: %q %q %v", string(got.WebhookSecret), string(got.URLToken), err)
	}
	again, err := s.Sealed(t.Context(), "t", Upstock, got)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := s.seal.Open(t.Context(), "t", "upstock", again); err != nil || string(plain) != stored {
		t.Errorf("stored again: %s %v", plain, err)
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
		c.Account, c.Exclusive, sec.Key, sec.WebhookSecret = supplier, true, Secret(key), Secret(webhook)
		sec.GiveURLToken()
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
	if len(sec.URLToken) != 32 {
		t.Errorf("URL token of %d characters, 32 are 160 bits", len(sec.URLToken))
	}
	if owner, sys, err := s.URLTokenOwner(ctx, string(sec.URLToken)); err != nil || owner != a.ID || sys != Upstock {
		t.Errorf("the URL token is %q's %q: %v", owner, sys, err)
	}
	for range 2 { // read, and remembered
		if c, found, err := s.ConnectionByURLToken(ctx, string(sec.URLToken)); err != nil || c.Tenant != a.ID ||
			c.System != Upstock || found.WebhookSecret != "w1" {
			t.Errorf("by the URL token: %+v, %v", c, err)
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
	if sec2.URLToken != sec.URLToken || c2.Since != c.Since || len(sec2.Replaced) != 1 ||
		sec2.Replaced[0].Secret != "w1" || c2.Generation != c.Generation+1 {
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
	if err != nil || !slices.Equal(sec3.WebhookSecrets(time.Now()), []Secret{"w3", "w2", "w1"}) {
		t.Errorf("valid secrets: %d %v", len(sec3.WebhookSecrets(time.Now())), err)
	}
	if now := sec3.WebhookSecrets(time.Now().Add(25 * time.Hour)); !slices.Equal(now, []Secret{"w3"}) {
		t.Errorf("a day later %d are valid", len(now))
	}
	// A refused key changes nothing.
	refused := errors.New("refused")
	if _, _, err := s.Connect(ctx, a.ID, Upstock,
		func(*Connection, *Secrets) error { return refused }); err != refused {
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
	if _, _, err := s.URLTokenOwner(ctx, string(sec.URLToken)); !errors.Is(err, ErrNotFound) {
		t.Errorf("the URL token of a forgotten connection: %v", err)
	}
	for range 2 { // neither of a connection that is gone nor of one that has another URL now
		if _, _, err := s.ConnectionByURLToken(ctx, string(sec.URLToken)); !errors.Is(err, ErrNotFound) {
			t.Errorf("by the URL token of a forgotten connection: %v", err)
		}
		if _, again, err := connect(t, s, a.ID, "9", "k4", ""); err != nil || again.URLToken == sec.URLToken {
			t.Errorf("connected anew: %v", err)
		}
	}
	if _, _, err := connect(t, s, b.ID, "8", "k", ""); err != nil {
		t.Errorf("a forgotten connection's supplier: %v", err)
	}
}

// TestBox: what is sealed opens for its tenant and as what it is alone; what an earlier version bound to its tenant
// alone opens for it.
func TestBox(t *testing.T) {
	box, err := NewBox(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	sealed, _ := box.Seal(t.Context(), "acme", "upstock", []byte("plain"))
	before := box.aead.Seal(nil, nil, []byte("plain"), []byte("acme"))
	for _, c := range []struct {
		tenant, what string
		sealed       []byte
		opens        bool
	}{
		{"acme", "upstock", sealed, true}, {"acme", "cin7core", sealed, false}, {"zenith", "upstock", sealed, false},
		{"acmeups", "tock", sealed, false}, {"acme", "upstock", before, true}, {"zenith", "upstock", before, false},
		{"acme", "upstock", sealed[:11], false}, {"acme", "upstock", nil, false},
	} {
		got, err := box.Open(t.Context(), c.tenant, c.what, c.sealed)
		if (string(got) == "plain") != c.opens || (err == nil) != c.opens || !c.opens && !errors.Is(err, ErrSealed) {
			t.Errorf("%s of %s: %q %v", c.what, c.tenant, got, err)
		}
	}
}

// noting is a Sealer beside which somebody else notes something on a connection.
type noting struct {
	Sealer
	note func()
}

func (n *noting) Seal(ctx context.Context, tenant, what string, plain []byte) ([]byte, error) {
	n.note()
	return n.Sealer.Seal(ctx, tenant, what, plain)
}

func (n *noting) Open(ctx context.Context, tenant, what string, sealed []byte) ([]byte, error) {
	n.note()
	return n.Sealer.Open(ctx, tenant, what, sealed)
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
			c.Account = account
			return nil
		})
		return c, err
	}
	if _, err := connect("one"); err != nil {
		t.Fatal(err)
	}
	const often = 40
	const counted Progress[int] = "counted"
	n := 0
	quiet := s.seal
	s.seal = &noting{quiet, func() {
		if n++; n > often {
			return
		}
		if _, err := counted.Change(ctx, s, a.ID, Cin7Core, more); err != nil {
			t.Error(err)
		}
		if _, err := s.Update(ctx, a.ID, Cin7Core, func(c *Connection) error {
			c.Gaps = []Gap{{Orders: n}}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}}
	count := func() int {
		c, err := s.Connection(ctx, a.ID, Cin7Core, string(counted))
		if err != nil {
			t.Error(err)
		}
		return counted.Of(c)
	}
	if c, err := connect("one"); err != nil || len(c.Gaps) == 0 || c.Gaps[0].Orders != n || count() != n {
		t.Errorf("the same account: %+v, %v", c, err)
	}
	if c, err := connect("two"); err != nil || len(c.Gaps) > 0 || count() != 0 {
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

// TestSettingsOfAnotherVersion: a tenant whose settings another version stored is loaded, and what this version does
// not know survives that a person saves.
func TestSettingsOfAnotherVersion(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	it, err := item(Partition(a.ID), "settings",
		savedSettings{3, time.Now(), "", json.RawMessage(`{"onCancel":"delete","ofTomorrow":false}`)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.table.Write(ctx, table.Create(it)); err != nil {
		t.Fatal(err)
	}
	b, err := s.Load(ctx, a.ID)
	if err != nil || b.Version != 3 {
		t.Fatalf("%s %v", b.Settings, err)
	}
	goods := newGoods()
	if said := Read(b.Settings, &goods); goods.OnCancel != "tell" || len(said) != 1 ||
		!strings.Contains(said[0], `"delete"`) {
		t.Fatalf("%+v %q", goods, said)
	}
	goods.Place = "Main"
	if _, err := save(s, a.ID, 3, &goods); err != nil {
		t.Fatal(err)
	}
	b, err = s.Load(ctx, a.ID)
	const want = `{"onCancel":"tell","mode":"byHand","place":"Main","rules":{},"most":"1.00","ofTomorrow":false}`
	if err != nil || b.Version != 4 || string(b.Settings) != want {
		t.Errorf("version %d: %s %v", b.Version, b.Settings, err)
	}
	if said := Read(b.Settings, &goods); len(said) != 0 || goods.Place != "Main" {
		t.Errorf("%+v %q", goods, said)
	}
}

// save saves settings over those of a version.
func save(s *Store, id string, version int, goods *goods) (int, error) {
	return s.ChangeSettings(context.Background(), id, "", func(b Bundle) ([]Section, error) {
		if b.Version != version {
			return nil, ErrChanged
		}
		return []Section{goods}, nil
	})
}

func TestSettingsVersions(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	doc := newGoods()
	doc.Place = "Main"
	if v, err := save(s, a.ID, 0, &doc); err != nil || v != 1 {
		t.Fatal(v, err)
	}
	if _, err := save(s, a.ID, 0, &doc); !errors.Is(err, ErrChanged) {
		t.Errorf("a stale version: %v", err)
	}
	doc.Mode = "byItself"
	if _, err := save(s, a.ID, 1, &doc); len(asFields(err)) != 1 {
		t.Errorf("settings that do not fit together: %v", err)
	}
	b, err := s.Load(ctx, a.ID)
	if err != nil || b.Version != 1 || !strings.Contains(string(b.Settings), `"place":"Main"`) {
		t.Errorf("%s %v", b.Settings, err)
	}
	if _, err := s.Load(ctx, "nobody"); !errors.Is(err, ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}

// more counts on.
func more(_ Connection, n *int) error {
	*n++
	return nil
}

// TestProgress: what is noted beside a connection is of its epoch, and of one write at a time.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, ctx := newStore(t), t.Context()
		a, _, err := s.Create(ctx, "Harbour Roasters", "")
		if err != nil {
			t.Fatal(err)
		}
		const read Progress[[]string] = "read"
		add := func(text string) ([]string, error) {
			return read.Change(ctx, s, a.ID, Upstock, func(_ Connection, all *[]string) error {
				*all = append(*all, text)
				return nil
			})
		}
		loaded := func() string {
			b, err := s.Load(ctx, a.ID)
			if err != nil {
				t.Fatal(err)
			}
			return strings.Join(read.Of(b.Connections[Upstock]), " ")
		}
		step := func(account string) {
			time.Sleep(time.Second)
			if _, _, err := connect(t, s, a.ID, account, "k", ""); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := add("x"); !errors.Is(err, ErrNotFound) {
			t.Errorf("beside no connection: %v", err)
		}
		step("7")
		if got := loaded(); got != "" {
			t.Errorf("at first: %q", got)
		}
		for _, text := range []string{"a", "b"} {
			if _, err := add(text); err != nil {
				t.Error(err)
			}
		}
		refused := errors.New("refused")
		refuse := func(_ Connection, all *[]string) error { *all = nil; return refused }
		if _, err := read.Change(ctx, s, a.ID, Upstock, refuse); err != refused {
			t.Error(err)
		}
		step("7") // a new key
		if got := loaded(); got != "a b" {
			t.Errorf("after a new key: %q", got)
		}
		step("8")
		if got := loaded(); got != "" {
			t.Errorf("of another account: %q", got)
		}
		if all, err := add("c"); err != nil || len(all) != 1 {
			t.Errorf("of another account: %q %v", all, err)
		}
		if err := s.Disconnect(ctx, a.ID, Upstock); err != nil {
			t.Fatal(err)
		}
		step("8")
		if got := loaded(); got != "" {
			t.Errorf("connected again: %q", got)
		}

		// Many at once: none is lost.
		const counted Progress[int] = "counted"
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if _, err := counted.Change(ctx, s, a.ID, Upstock, more); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if c, err := s.Connection(ctx, a.ID, Upstock, string(counted)); err != nil || counted.Of(c) != 10 {
			t.Errorf("%d of 10, %v", counted.Of(c), err)
		}
	})
}

// TestEarlierProgress: a connection's item of the version before, which holds its progress, goes on with that.
func TestEarlierProgress(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	a, _, err := s.Create(ctx, "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	type state struct {
		State string `json:"state"`
		Read  int    `json:"read,omitempty"`
	}
	const (
		mirrored Progress[state] = "mirror"
		checked  Progress[int]   = "checked"
	)
	stored := `{"system":"cin7core","state":"connected","account":"one","since":"2026-03-02T09:30:00Z",
		"changed":"2026-03-02T09:30:00Z","sealed":null,"generation":7,
		"checked":10,"mirror":{"state":"ready","read":6},"webhooks":{"state":"on"}}`
	put := func(k table.Key, data string) {
		t.Helper()
		if err := s.table.Write(ctx, table.Put(table.Item{Key: k, Data: []byte(data)})); err != nil {
			t.Fatal(err)
		}
	}
	change := func(change func(*Connection)) {
		t.Helper()
		if _, err := s.Update(ctx, a.ID, Cin7Core, func(c *Connection) error { change(c); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	put(connKey(a.ID, Cin7Core), stored)
	is := func(want state, n int) {
		t.Helper()
		b, err := s.Load(ctx, a.ID)
		if err != nil {
			t.Fatal(err)
		}
		if c := b.Connections[Cin7Core]; mirrored.Of(c) != want || checked.Of(c) != n {
			t.Errorf("%+v, %d", mirrored.Of(c), checked.Of(c))
		}
	}
	is(state{"ready", 6}, 10)
	if _, err := s.Broken(ctx, a.ID, Cin7Core, 7, "refused"); err != nil {
		t.Fatal(err)
	}
	is(state{"ready", 6}, 10)
	read := func(_ Connection, m *state) error { m.Read++; return nil }
	if _, err := mirrored.Change(ctx, s, a.ID, Cin7Core, read); err != nil {
		t.Fatal(err)
	}
	is(state{"ready", 7}, 10)
	change(func(c *Connection) { c.Warnings = []string{"!"} })
	is(state{"ready", 7}, 10)
	put(progressKey(a.ID, Cin7Core, "checked"), `{"epoch":"another","note":3}`)
	is(state{"ready", 7}, 10) // another epoch's counts for nothing
	to := func(account string) {
		t.Helper()
		what := func(c *Connection, _ *Secrets) error { c.Account = account; return nil }
		if _, _, err := s.Connect(ctx, a.ID, Cin7Core, what); err != nil {
			t.Fatal(err)
		}
	}
	sealed, err := s.Sealed(ctx, a.ID, Cin7Core, Secrets{Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	change(func(c *Connection) { c.Sealed = sealed })
	to("one")
	is(state{"ready", 7}, 10)
	to("two")
	is(state{}, 0)
	to("one")
	is(state{}, 0)
}

// TestChanged: what saving a key makes of a connection.
func TestChanged(t *testing.T) {
	now := time.Date(2026, 12, 1, 10, 0, 0, 7, time.UTC)
	whole, before := now.Truncate(time.Second), now.Add(-24*time.Hour).Truncate(time.Second)
	gap, noted := []Gap{{Orders: 1}}, []Gap{{Orders: 2}}
	old := Connection{Account: "1", State: Connected, Since: before, Begun: before, Gaps: gap, Generation: 7}
	refused := func(ago time.Duration) Connection {
		c := old
		c.State, c.Why, c.Refused = NeedsReconnecting, "refused", now.Add(-ago)
		return c
	}
	made := Connection{Account: "1", State: Connected, Since: before, Begun: before, Gaps: gap, Generation: 8}
	back, fresh, again := made, made, made
	back.Back = whole
	fresh.Since, fresh.Begun, fresh.Gaps = whole, time.Time{}, nil
	again.Since, again.Begun, again.Gaps = whole, before.Add(-time.Hour), noted
	one := func(c *Connection) { c.Account = "1" }
	for _, tt := range []struct {
		name  string
		old   Connection
		typed func(*Connection)
		known Former
		want  Connection
	}{
		{"the same key", old, func(*Connection) {}, Former{}, made},
		{"refused for a minute", refused(time.Minute), func(*Connection) {}, Former{}, made},
		{"refused for an hour", refused(time.Hour), func(*Connection) {}, Former{}, back},
		{"the gaps that stand there count", old, func(c *Connection) { c.Gaps = nil }, Former{}, made},
		{"another account", Connection{Account: "2", State: Connected, Generation: 7}, one, Former{}, fresh},
		{"one that was here before", Connection{Generation: 7}, one,
			Former{Since: before.Add(-time.Hour), Gaps: noted}, again},
	} {
		typed := tt.old
		tt.typed(&typed)
		tt.want.Changed, tt.want.Resume = now, now
		if got := changed(tt.old, typed, tt.known, now); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

// TestClaimOfTheVersionBefore: it was a matter of the system then whether an account is claimed, and is freed as well.
func TestClaimOfTheVersionBefore(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	var ids []string
	for _, name := range []string{"Harbour Roasters", "Hill Bakers"} {
		tn, _, err := s.Create(ctx, name, "")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, tn.ID)
	}
	asBefore := func() {
		t.Helper()
		unsaid := func(c *Connection) error { c.Exclusive = false; return nil }
		if _, err := s.Update(ctx, ids[0], Upstock, unsaid); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := connect(t, s, ids[0], "7", "k", ""); err != nil {
		t.Fatal(err)
	}
	asBefore()
	if _, _, err := connect(t, s, ids[0], "7", "k2", ""); err != nil {
		t.Errorf("its own: %v", err)
	}
	asBefore()
	if _, _, err := connect(t, s, ids[1], "7", "k", ""); !errors.Is(err, ErrClaimed) {
		t.Errorf("another tenant's: %v", err)
	}
	if err := s.Disconnect(ctx, ids[0], Upstock); err != nil {
		t.Fatal(err)
	}
	if _, _, err := connect(t, s, ids[1], "7", "k", ""); err != nil {
		t.Errorf("freed: %v", err)
	}
}
