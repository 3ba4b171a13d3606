package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/table"
)

func newMirrorLedger(t *testing.T) *Ledger {
	t.Helper()
	f, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return New(f)
}

func mirrorRow(id, text string, whole bool, names ...string) MirrorRow {
	data, _ := json.Marshal(map[string]string{"text": text})
	r := MirrorRow{MirrorKey: MirrorKey{"thing", id}, Data: data}
	for _, n := range names {
		r.Names = append(r.Names, MirrorName{MirrorKey{"thingname", n}, whole})
	}
	return r
}

// foundRows reads the texts under a name.
func foundRows(t *testing.T, l *Ledger, keys ...MirrorKey) []string {
	t.Helper()
	rows, _, err := l.Mirrored(t.Context(), "t1", keys, MirrorLink{})
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

func byName(n string) MirrorKey { return MirrorKey{"thingname", n} }

func saveRows(t *testing.T, l *Ledger, want int, rows ...MirrorRow) {
	t.Helper()
	if n, err := l.SaveMirror(t.Context(), "t1", rows); err != nil || n != want {
		t.Fatalf("%d rows written, want %d: %v", n, want, err)
	}
}

func TestMirrorNames(t *testing.T) {
	for _, whole := range []bool{false, true} {
		t.Run(fmt.Sprint("whole=", whole), func(t *testing.T) {
			l := newMirrorLedger(t)
			saveRows(t, l, 3, mirrorRow("1", "one", whole, "a", "b"), mirrorRow("2", "two", whole, "b"), mirrorRow("3", "three", whole))
			saveRows(t, l, 0, mirrorRow("1", "one", whole, "a", "b"), mirrorRow("3", "three", whole))
			check := func(want string, keys ...MirrorKey) {
				t.Helper()
				if got := strings.Join(foundRows(t, l, keys...), " "); got != want {
					t.Errorf("%v: %s, want %s", keys, got, want)
				}
			}
			check("1=one", byName("a"))
			check("1=one 2=two", byName("b"), byName("a"), MirrorKey{"thing", "2"}, byName("none"), byName(""))
			saveRows(t, l, 1, mirrorRow("1", "uno", whole, "c", "b"))
			check("", byName("a"))
			check("1=uno 2=two", byName("b"))
			check("1=uno", byName("c"))
			if n, err := l.RemoveMirror(t.Context(), "t1", "thing", []string{"1", "9"}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
			check("2=two", byName("b"), byName("c"), MirrorKey{"thing", "1"})
			if n, err := l.RemoveMirror(t.Context(), "t1", "thing", []string{"2", "3"}); n != 2 || err != nil {
				t.Fatal(n, err)
			}
			for _, kind := range []string{"thing", "thingname"} {
				if err := l.EachMirrorRow(t.Context(), "t1", kind, func(id string, _ json.RawMessage) { t.Errorf("%s %s is left", kind, id) }); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestMirrorLink(t *testing.T) {
	l := newMirrorLedger(t)
	saveRows(t, l, 1, mirrorRow("abc", "one", false, "n"))
	if err := l.table.Write(t.Context(), LinkOp("t1", "things", "7", Link{ID: "ABC", By: "name"})); err != nil {
		t.Fatal(err)
	}
	rows, links, err := l.Mirrored(t.Context(), "t1", nil, MirrorLink{"things", "7", "thing"})
	link := links[MirrorLink{"things", "7", "thing"}]
	if err != nil || link.ID != "ABC" || len(rows) != 1 || rows[0].ID != "abc" {
		t.Errorf("%v %+v %v", rows, link, err)
	}
	if rows, links, err = l.Mirrored(t.Context(), "t1", nil, MirrorLink{"things", "8", "thing"}); err != nil || len(links) != 0 || len(rows) != 0 {
		t.Errorf("no link: %v %+v %v", rows, link, err)
	}
}

// Batches are cut to what one write takes, and names to what an item takes.
func TestMirrorSizes(t *testing.T) {
	l := newMirrorLedger(t)
	names := func(from, n int) (list []string) {
		for i := range n {
			list = append(list, fmt.Sprint("n", from+i))
		}
		return list
	}
	var rows, renamed []MirrorRow
	for i := range 50 {
		id := fmt.Sprint("row", i)
		rows = append(rows, mirrorRow(id, strings.Repeat(fmt.Sprint(i, " "), 1_000), true, names(i*30, 30)...))
		renamed = append(renamed, mirrorRow(id, "small", true, append(names(i*30+10_000, 18), "all")...))
	}
	saveRows(t, l, 50, rows...)
	if got := foundRows(t, l, byName("n19")); len(got) != 1 {
		t.Errorf("the 20th name finds %d rows", len(got))
	}
	if got := foundRows(t, l, byName("n20")); len(got) != 0 {
		t.Errorf("the 21st name finds %d rows", len(got))
	}
	saveRows(t, l, 50, renamed...) // leaves more names than a write has operations
	if got := foundRows(t, l, byName("all"), byName("n0")); len(got) != 50 {
		t.Errorf("%d rows share the new name", len(got))
	}

	rows = nil
	for i := range maxMembers + 30 {
		rows = append(rows, mirrorRow(fmt.Sprint("m", i), strings.Repeat("x", 2000), true, "office"))
	}
	saveRows(t, l, len(rows), rows...)
	if got := foundRows(t, l, byName("office")); len(got) != maxMembers { // rows first, ids beyond maxWhole
		t.Errorf("%d rows share the name, want %d", len(got), maxMembers)
	}
	saveRows(t, l, 0, rows...)
	if n, err := l.RemoveMirror(t.Context(), "t1", "thing", []string{"m0", "m129"}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if got := foundRows(t, l, byName("office")); len(got) != maxMembers-1 {
		t.Errorf("%d rows share the name, want %d", len(got), maxMembers-1)
	}
}

// However many write at once, rows and names agree.
func TestMirrorAtOnce(t *testing.T) {
	l := newMirrorLedger(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for round := range 5 {
				var rows []MirrorRow
				for i := range 12 {
					rows = append(rows, mirrorRow(fmt.Sprint(i), fmt.Sprint(worker, round), i%2 == 0, fmt.Sprint("n", (i+worker+round)%5), "all"))
				}
				if _, err := l.SaveMirror(ctx, "t1", rows); err != nil {
					t.Error(err)
				}
				if _, err := l.RemoveMirror(ctx, "t1", "thing", []string{fmt.Sprint(worker)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := map[string]bool{}
	for i := range 12 {
		items, err := l.table.Get(ctx, MirrorKey{"thing", fmt.Sprint(i)}.key("t1"))
		if err != nil {
			t.Fatal(err)
		}
		if len(items) == 0 {
			continue
		}
		m, err := mirroredOf(items[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range m.Names {
			want[nameOf(n).ID+" "+fmt.Sprint(i)+" "+string(m.Row)] = true
		}
	}
	got := 0
	for _, n := range []string{"n0", "n1", "n2", "n3", "n4", "all"} {
		rows, _, err := l.Mirrored(ctx, "t1", []MirrorKey{byName(n)}, MirrorLink{})
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
	l := newMirrorLedger(t)
	now := time.Now()
	take := func(now time.Time) (Turn, bool) {
		t.Helper()
		turn, mine, err := l.TakeTurn(t.Context(), "t1", "a", now, now.Add(time.Minute))
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
	if err := l.SaveTurn(t.Context(), "t1", "a", Turn{Until: now.Add(-time.Second), Failures: 3}); err != nil {
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
	l := newMirrorLedger(t)
	pass := time.Now()
	for page := 1; page <= 120; page++ {
		if page == 60 {
			continue
		}
		if err := l.SaveSeen(t.Context(), "t1", "thing", pass, page, []byte{byte(page)}); err != nil {
			t.Fatal(err)
		}
	}
	for pages, want := range map[int]bool{0: true, 59: true, 60: false, 120: false} {
		data, whole, err := l.Seen(t.Context(), "t1", "thing", pass, pages)
		if err != nil || whole != want || whole && len(data) != pages {
			t.Errorf("%d pages: %d, %v, %v", pages, len(data), whole, err)
		}
	}
	if data, _, _ := l.Seen(t.Context(), "t1", "thing", pass.Add(time.Minute), 10); len(data) != 0 {
		t.Error("another pass has seen pages")
	}
}

func TestSaveBooks(t *testing.T) {
	l := newMirrorLedger(t)
	for i, want := range []bool{true, false} {
		if written, err := l.SaveBooks(t.Context(), "t1", []byte("books")); written != want || err != nil {
			t.Errorf("write %d: %v %v", i+1, written, err)
		}
	}
}
