package mirror

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/table"
)

// TestOrdered: all rows of a kind come in the order of their ids, from any id on, however large they are.
func TestOrdered(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var want []string
	var rows []Row
	for n := range 600 {
		r := row(fmt.Sprintf("%04x", n*37%4096), strings.Repeat("x", n%40*n%40*50), false, fmt.Sprint("name", n))
		rows = append(rows, r)
		want = append(want, r.ID)
	}
	rows = append(rows, Row{Key: Key{"other", "0001"}, Data: json.RawMessage(`{}`)})
	saveRows(t, s, len(rows), rows...)
	slices.Sort(want)
	for _, after := range []string{"", want[0], want[400], want[400] + "5", want[len(want)-1], "zzz"} {
		rest, _ := slices.BinarySearch(want, after+"\x00")
		if got := orderedIDs(t, s, "thing", after, -1); !slices.Equal(got, want[rest:]) {
			t.Errorf("after %q there are %d rows, want %d, in order", after, len(got), len(want)-rest)
		}
	}
	if got := orderedIDs(t, s, "thing", "", 3); !slices.Equal(got, want[:3]) {
		t.Errorf("the first are %s", got)
	}
	if got := orderedIDs(t, s, "none", "", -1); len(got) > 0 {
		t.Errorf("of a kind without rows there are %s", got)
	}
}

func orderedIDs(t *testing.T, s *Store, kind, after string, most int) (ids []string) {
	t.Helper()
	for r, err := range s.Ordered(t.Context(), "t1", kind, after) {
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Data) == 0 || r.Kind != kind {
			t.Fatalf("%+v", r)
		}
		if ids = append(ids, r.ID); len(ids) == most {
			return ids
		}
	}
	return ids
}

// brokenTable fails the query of a number.
type brokenTable struct {
	table.Table
	left atomic.Int32
}

func (b *brokenTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	if b.left.Add(-1) < 0 {
		return table.Page{}, errors.New("the table gave no answer")
	}
	return b.Table.Query(ctx, q)
}

// TestOrderedBreaksOff: an error ends the stream, and is told once.
func TestOrderedBreaksOff(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var rows []Row
	for n := range 400 {
		rows = append(rows, row(fmt.Sprintf("%03d", n), strings.Repeat("x", 5000), false))
	}
	saveRows(t, s, len(rows), rows...)
	for _, after := range []int{16, 20} { // the first pages are read at once
		tab := &brokenTable{Table: s.table}
		tab.left.Store(int32(after))
		broken := New(tab)
		n, failed := 0, 0
		for r, err := range broken.Ordered(t.Context(), "t1", "thing", "") {
			switch {
			case err != nil:
				failed++
			case failed > 0 || r.ID != fmt.Sprintf("%03d", n):
				t.Fatalf("after %d queries: %s comes at %d", after, r.ID, n)
			default:
				n++
			}
		}
		if failed != 1 || n == 0 || n >= len(rows) {
			t.Errorf("after %d queries: %d rows and %d errors", after, n, failed)
		}
	}
}

// TestRecords: a record's rows are written, and those that it has no more are removed, also where that broke off.
func TestRecords(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	save := func(numbers int) {
		t.Helper()
		rows := []Row{row("a", fmt.Sprint(numbers), false), row("b", "", false), {Key: Numbered("part", "b", 0),
			Data: json.RawMessage(`{}`)}}
		for n := range numbers {
			rows = append(rows, Row{Key: Numbered("part", "a", n), Data: json.RawMessage(`{}`)})
		}
		if _, err := s.SaveRecords(t.Context(), "t1", rows, "thing", "part"); err != nil {
			t.Fatal(err)
		}
		var want []string
		for n := range numbers {
			want = append(want, fmt.Sprintf("a#%03d", n))
		}
		if got := orderedIDs(t, s, "part", "", -1); !slices.Equal(got, append(want, "b#000")) {
			t.Errorf("%d: %s", numbers, got)
		}
	}
	for _, numbers := range []int{5, 2, 0, 210, 1} {
		save(numbers)
	}
}

// TestOver: what is kept of a row may depend on what was there, in the same write.
func TestOver(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	over := row("a", "two", false, "x")
	over.Over = func(was json.RawMessage) json.RawMessage { return was }
	saveRows(t, s, 1, over)
	saveRows(t, s, 0, over)
	over.Data = json.RawMessage(`{"text":"three"}`)
	saveRows(t, s, 0, over)
	over.Over = func(was json.RawMessage) json.RawMessage {
		return json.RawMessage(strings.ReplaceAll(string(was), "two", "two and three"))
	}
	saveRows(t, s, 1, over)
	if got := foundRows(t, s, byName("x")); fmt.Sprint(got) != "[a=two and three]" {
		t.Errorf("%s", got)
	}
}

// slowTable answers a query after a while.
type slowTable struct {
	table.Table
	queries atomic.Int32
}

const slowness = 8 * time.Millisecond

func (b *slowTable) Query(ctx context.Context, q table.Query) (table.Page, error) {
	b.queries.Add(1)
	time.Sleep(slowness)
	return b.Table.Query(ctx, q)
}

// TestOrderedReadsSideBySide: who goes through all rows waits for the partitions together, and who reads the first of
// them reads little more.
func TestOrderedReadsSideBySide(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	var rows []Row
	noise := rand.New(rand.NewPCG(1, 2)) // which takes as much room as it is long
	for n := range 3000 {
		text := make([]byte, 1000)
		for i := range text {
			text[i] = "0123456789abcdef"[noise.IntN(16)]
		}
		rows = append(rows, row(fmt.Sprintf("%04x", n*37%65536), string(text), false))
	}
	saveRows(t, s, len(rows), rows...)
	synctest.Test(t, func(t *testing.T) {
		slow := &slowTable{Table: s.table}
		of := &Store{table: slow}
		for _, c := range []struct{ most, queries, waits int }{{-1, 90, 30}, {100, 30, 10}} {
			begun, before := time.Now(), slow.queries.Load()
			orderedIDs(t, of, "thing", "", c.most)
			n, waits := int(slow.queries.Load()-before), int(time.Since(begun)/slowness)
			t.Logf("%d rows: %d queries, %d one after another", c.most, n, waits)
			if n > c.queries || waits > c.waits {
				t.Errorf("%d rows: %d queries, %d one after another", c.most, n, waits)
			}
		}
	})
}
