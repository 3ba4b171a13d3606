package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

func newStore(t *testing.T) *Store {
	t.Helper()
	f, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return New(f)
}

func row(id, text string, whole bool, names ...string) Row {
	data, _ := json.Marshal(map[string]string{"text": text})
	r := Row{Key: Key{"thing", id}, Data: data}
	for _, n := range names {
		r.Names = append(r.Names, Name{Key{"thingname", n}, whole})
	}
	return r
}

// foundRows reads the texts under a name.
func foundRows(t *testing.T, s *Store, keys ...Key) []string {
	t.Helper()
	rows, _, err := s.Find(t.Context(), "t1", keys)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, r := range rows {
		var v map[string]string
		if err := json.Unmarshal(r.Data, &v); err != nil {
			t.Fatal(err)
		}
		list = append(list, r.ID+"="+v["text"])
	}
	slices.Sort(list)
	return list
}

func byName(n string) Key { return Key{"thingname", n} }

func saveRows(t *testing.T, s *Store, want int, rows ...Row) {
	t.Helper()
	if n, err := s.Save(t.Context(), "t1", rows); err != nil || n != want {
		t.Fatalf("%d rows written, want %d: %v", n, want, err)
	}
}

func TestNames(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprint("whole=", whole), func(t *testing.T) {
			s := newStore(t)
			saveRows(t, s, 3, row("1", "one", whole, "a", "b"), row("2", "two", whole, "b"), row("3", "three", whole))
			saveRows(t, s, 0, row("1", "one", whole, "a", "b"), row("3", "three", whole))
			check := func(want string, keys ...Key) {
				t.Helper()
				if got := strings.Join(foundRows(t, s, keys...), " "); got != want {
					t.Errorf("%v: %s, want %s", keys, got, want)
				}
			}
			check("1=one", byName("a"))
			check("1=one 2=two", byName("b"), byName("a"), Key{"thing", "2"}, byName("none"), byName(""))
			saveRows(t, s, 1, row("1", "uno", whole, "c", "b"))
			check("", byName("a"))
			check("1=uno 2=two", byName("b"))
			check("1=uno", byName("c"))
			if n, err := s.Remove(t.Context(), "t1", "thing", []string{"1", "9"}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			check("2=two", byName("b"), byName("c"), Key{"thing", "1"})
			if n, err := s.Remove(t.Context(), "t1", "thing", []string{"2", "3"}); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			for _, kind := range []string{"thing", "thingname"} {
				for r, err := range s.All(t.Context(), "t1", kind) {
					t.Errorf("%s %s is left, %v", kind, r.ID, err)
				}
			}
		})
	}
}

func TestLink(t *testing.T) {
	s := newStore(t)
	saveRows(t, s, 1, row("abc", "one", false, "n"))
	made := ledger.LinkOp("t1", "things", "7", ledger.Link{ID: "ABC", By: "name"})
	if err := s.table.Write(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	rows, links, err := s.Find(t.Context(), "t1", nil, Link{"things", "7", "thing"})
	link := links[Link{"things", "7", "thing"}]
	if err != nil || link.ID != "ABC" || len(rows) != 1 || rows[0].ID != "abc" {
		t.Errorf("%v %+v %v", rows, link, err)
	}
	rows, links, err = s.Find(t.Context(), "t1", nil, Link{"things", "8", "thing"})
	if err != nil || len(links) != 0 || len(rows) != 0 {
		t.Errorf("no link: %v %+v %v", rows, link, err)
	}
}

// Batches are cut to what one write takes, and names to what an item takes.
func TestSizes(t *testing.T) {
	s := newStore(t)
	names := func(from, n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint("n", from+i))
		}
		return list
	}
	var rows, renamed []Row
	for i := range 50 {
		id := fmt.Sprint("row", i)
		rows = append(rows, row(id, strings.Repeat(fmt.Sprint(i, " "), 1_000), true, names(i*30, 30)...))
		renamed = append(renamed, row(id, "small", true, append(names(i*30+10_000, 18), "all")...))
	}
	saveRows(t, s, 50, rows...)
	if got := foundRows(t, s, byName("n19")); len(got) != 1 {
		t.Errorf("the 20th name finds %d rows", len(got))
	}
	if got := foundRows(t, s, byName("n20")); len(got) != 0 {
		t.Errorf("the 21st name finds %d rows", len(got))
	}
	saveRows(t, s, 50, renamed...) // leaves more names than a write has operations
	if got := foundRows(t, s, byName("all"), byName("n0")); len(got) != 50 {
		t.Errorf("%d rows share the new name", len(got))
	}

	rows = nil
	for i := range maxMembers + 30 {
		rows = append(rows, row(fmt.Sprint("m", i), strings.Repeat("x", 2000), true, "office"))
	}
	saveRows(t, s, len(rows), rows...)
	if got := foundRows(t, s, byName("office")); len(got) != maxMembers { // rows first, ids beyond maxWhole
		t.Errorf("%d rows share the name, want %d", len(got), maxMembers)
	}
	saveRows(t, s, 0, rows...)
	if n, err := s.Remove(t.Context(), "t1", "thing", []string{"m0", "m129"}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if got := foundRows(t, s, byName("office")); len(got) != maxMembers-1 {
		t.Errorf("%d rows share the name, want %d", len(got), maxMembers-1)
	}
}

// However many write at once, rows and names agree.
func TestAtOnce(t *testing.T) {
	s := newStore(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for round := range 5 {
				var rows []Row
				for i := range 12 {
					name := fmt.Sprint("n", (i+worker+round)%5)
					rows = append(rows, row(fmt.Sprint(i), fmt.Sprint(worker, round), i%2 == 0, name, "all"))
				}
				if _, err := s.Save(ctx, "t1", rows); err != nil {
					t.Error(err)
				}
				if _, err := s.Remove(ctx, "t1", "thing", []string{fmt.Sprint(worker)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := map[string]bool{}
	for i := range 12 {
		items, err := s.table.Get(ctx, Key{"thing", fmt.Sprint(i)}.of("t1"))
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			continue
		}
		e, err := entryOf(items[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range e.Names {
			want[keyOf(n).ID+" "+fmt.Sprint(i)+" "+string(e.Row)] = true
		}
	}
	got := 0
	for _, n := range []string{"n0", "n1", "n2", "n3", "n4", "all"} {
		rows, _, err := s.Find(ctx, "t1", []Key{byName(n)})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			got++
			if !want[n+" "+r.ID+" "+string(r.Data)] {
				t.Errorf("%s has %s %s, which the row denies", n, r.ID, r.Data)
			}
		}
	}
	if got != len(want) {
		t.Errorf("names hold %d rows, the rows say %d", got, len(want))
	}
}

func TestTurn(t *testing.T) {
	s := newStore(t)
	now := time.Now()
	take := func(now time.Time) (turn, bool) {
		t.Helper()
		turn, mine, err := s.takeTurn(t.Context(), "t1", "a", now, now.Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return turn, mine
	}
	if _, mine := take(now); !mine {
		t.Error("the first did not get the turn")
	}
	if _, mine := take(now.Add(59 * time.Second)); mine {
		t.Error("the second got the turn")
	}
	if err := s.saveTurn(t.Context(), "t1", "a", turn{Until: now.Add(-time.Second), Failures: 3}); err != nil {
		t.Fatal(err)
	}
	if turn, mine := take(now); !mine || turn.Failures != 3 {
		t.Errorf("after it was given back: %v %+v", mine, turn)
	}
	if _, mine := take(now.Add(time.Hour)); !mine {
		t.Error("a turn that nobody gave back never ends")
	}
}

func TestSeen(t *testing.T) {
	s := newStore(t)
	pass := time.Now()
	for page := 1; page <= 120; page++ {
		if page == 60 {
			continue
		}
		if err := s.SaveSeen(t.Context(), "t1", "thing", pass, page, []byte{byte(page)}); err != nil {
			t.Fatal(err)
		}
	}
	for pages, want := range map[int]bool{0: true, 59: true, 60: false, 120: false} {
		data, whole, err := s.Seen(t.Context(), "t1", "thing", pass, 1, pages)
		if err != nil || whole != want || whole && len(data) != pages {
			t.Errorf("%d pages: %d, %v, %v", pages, len(data), whole, err)
		}
	}
	if data, _, _ := s.Seen(t.Context(), "t1", "thing", pass.Add(time.Minute), 1, 10); len(data) != 0 {
		t.Error("another pass has seen pages")
	}
}

type books = map[string][]string

// putBook writes one book, and returns all as they stand.
func putBook(t *testing.T, s *Store, name, rule string) table.Item {
	t.Helper()
	put := func(b *books) {
		if *b == nil {
			*b = books{}
		}
		(*b)[name] = []string{rule}
	}
	all, err := ChangeBooks(t.Context(), s, "t1", put)
	if err != nil || all[name][0] != rule {
		t.Fatalf("%v %v", all, err)
	}
	kept, err := table.Read(t.Context(), s.table, table.Key{PK: "T#t1", SK: "books"})
	if err != nil {
		t.Fatal(err)
	}
	return kept
}

// TestBooks: one book is written without the others, and books that are as they were are not.
func TestBooks(t *testing.T) {
	s := newStore(t)
	first := putBook(t, s, "rules", "GST")
	if again := putBook(t, s, "rules", "GST"); again.Rev != first.Rev {
		t.Error("they were written again")
	}
	kept := putBook(t, s, "terms", "30 days")
	books := books{"rules": {"GST"}, "terms": {"30 days"}}
	var got map[string][]string
	if err := ReadBooks(nil, &got); err != nil || got != nil {
		t.Errorf("no books are %v, %v", got, err)
	}
	if err := ReadBooks(kept.Data, &got); err != nil || !reflect.DeepEqual(got, books) {
		t.Errorf("%v, %v", got, err)
	}
}

// batches notes which rows each write has.
type batches struct {
	table.Table
	of []map[string]bool
}

func (b *batches) Write(ctx context.Context, ops ...table.Op) error {
	keys := map[string]bool{}
	for _, op := range ops {
		keys[op.Item.SK] = true
	}
	b.of = append(b.of, keys)
	return b.Table.Write(ctx, ops...)
}

// TestRecordIsWrittenWhole: the row of a record and its numbered ones change in one write, whoever dies between two,
// but for a record that no write can hold.
func TestRecordIsWrittenWhole(t *testing.T) {
	f, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := &batches{Table: f}
	s := New(b)
	var rows []Row
	for i, parts := range []int{30, 45, 0, 60, 20, 130, 3} {
		id := fmt.Sprint("r", i)
		rows = append(rows, row(id, "x", false))
		for n := range parts {
			rows = append(rows, Row{Key: Numbered("part", id, n), Data: []byte(`{}`)})
		}
	}
	if _, err := s.SaveRecords(t.Context(), "t1", rows, "thing", "part"); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"r0", "r1", "r2", "r3", "r4", "r6"} {
		in := map[int]bool{}
		for n, keys := range b.of {
			for k := range keys {
				if k == id || strings.HasPrefix(k, id+"#") {
					in[n] = true
				}
			}
		}
		if len(in) != 1 {
			t.Errorf("%s is in %d writes", id, len(in))
		}
	}
}
