package tenant

import (
	"slices"
	"testing"
	"time"

	"stockbridge/internal/table"
)

// TestByNameAfterUpgrade: tenants and connections that an earlier version wrote get their places in the lists of all
// when somebody goes through them; an erased tenant has none.
func TestByNameAfterUpgrade(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	var ids []string
	for _, name := range []string{"Zoë’s Zucchini", "ālto # Foods", "Bay Bakery"} {
		tn, _, err := s.Create(ctx, name, "")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, tn.ID)
	}
	c, _, err := connect(t, s, ids[2], "17", "key", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Broken(ctx, ids[2], Upstock, c.Generation, "It refused the key."); err != nil {
		t.Fatal(err)
	}
	check := func(when string, names, broken int) {
		t.Helper()
		places, _, err := s.ByName(ctx, "", 10)
		var found []string
		for _, p := range places {
			found = append(found, AtPlace(p))
		}
		if want := []string{ids[1], ids[2], ids[0]}; err != nil || len(found) != names ||
			names == 3 && !slices.Equal(found, want) {
			t.Errorf("%s: by name %v, %v", when, places, err)
		}
		list, _, err := s.BrokenOnes(ctx, "", 10)
		if err != nil || len(list) != broken || broken > 0 && (list[0].Tenant != ids[2] || list[0].System != Upstock) {
			t.Errorf("%s: broken %v, %v", when, list, err)
		}
		n := 0
		for _, query := range []string{"zoes zuc", "alto food", "bakery"} {
			some, _, err := s.Find(ctx, query, "", 10)
			if err != nil {
				t.Fatal(err)
			}
			n += len(some)
		}
		if n != names {
			t.Errorf("%s: %d found by their words", when, n)
		}
	}
	check("made", 3, 1)

	old := func(k table.Key) { // as the version before wrote it
		it, err := table.Read(ctx, s.table, k)
		if err != nil || it.Rev == "" {
			t.Fatal(k, err)
		}
		it.Group, it.Order = "", ""
		if err := s.table.Write(ctx, table.Replace(it)); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range ids {
		old(table.Key{PK: listPartition(id), SK: id})
	}
	old(connKey(ids[2], Upstock))
	if err := table.Erase(ctx, s.table, wordsOfAll, nil); err != nil {
		t.Fatal(err)
	}
	check("upgraded", 0, 0)
	for _, err := range s.All(ctx) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Connections(ctx, ids, Upstock); err != nil {
		t.Fatal(err)
	}
	check("gone through", 3, 1)

	if _, err := s.Erase(ctx, ids[2]); err != nil {
		t.Fatal(err)
	}
	check("erased", 2, 0)
}

// TestSome: a sample is of tenants that there are, each once, and of few all.
func TestSome(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	all := map[string]bool{}
	for n := range 90 {
		if n == 5 {
			if ids, err := s.Some(ctx, 100); err != nil || len(ids) != 5 {
				t.Errorf("%d of 5, %v", len(ids), err)
			}
		}
		tn, _, err := s.Create(ctx, "Aroha Foods", "")
		if err != nil {
			t.Fatal(err)
		}
		all[tn.ID] = true
	}
	met := map[string]bool{}
	for range 60 {
		ids, err := s.Some(ctx, 20)
		once := slices.Compact(slices.Sorted(slices.Values(ids)))
		if err != nil || len(once) != len(ids) || len(ids) > 20 || len(ids) < 10 {
			t.Fatalf("%v, %v", ids, err)
		}
		for _, id := range ids {
			if !all[id] {
				t.Fatalf("there is no %s", id)
			}
			met[id] = true
		}
	}
	if len(met) < 60 { // of 90, whatever the luck
		t.Errorf("60 samples met %d tenants", len(met))
	}
}

// TestBrokenPlace: a place is read as it was written, and nothing else is one.
func TestBrokenPlace(t *testing.T) {
	p := BrokenPlace{time.Date(2026, 11, 27, 1, 2, 3, 0, time.UTC), NewID(), Cin7Core}
	if got, ok := ParseBroken(p.String()); !ok || got != p {
		t.Errorf("%+v, %v", got, ok)
	}
	for _, bad := range []string{"", "x", "#" + p.Tenant + "#cin7core", p.String()[1:], "2026-11-27T01:02:03Z##"} {
		if got, ok := ParseBroken(bad); ok {
			t.Errorf("%q is %+v", bad, got)
		}
	}
}
