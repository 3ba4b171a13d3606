package table_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/table"
)

var counter = table.Key{PK: "t", SK: "counter"}

// add counts up by one, as a change of the counter.
func add(it table.Item) ([]table.Op, error) {
	it.Data = append(it.Data, '1')
	return []table.Op{table.Save(it)}, nil
}

// TestChange: a Change applies to what somebody else wrote meanwhile, without another read.
func TestChange(t *testing.T) {
	f, ctx := open(t, "", table.Options{NoSync: true}), t.Context()
	read, err := table.Read(ctx, f, counter)
	if err != nil || read.Rev != "" || read.Key != counter {
		t.Fatalf("nothing there: %+v, %v", read, err)
	}
	if it, err := table.Change(ctx, f, read, add); err != nil || string(it.Data) != "1" || it.Rev == "" {
		t.Fatalf("created: %+v, %v", it, err)
	}
	calls := 0
	it, err := table.Change(ctx, unreadable{f}, read, func(it table.Item) ([]table.Op, error) {
		if calls++; calls < 4 {
			if _, err := table.Change(ctx, f, it, add); err != nil {
				t.Error(err)
			}
		}
		return add(it)
	})
	now, _ := table.Read(ctx, f, counter)
	if err != nil || calls != 4 || string(it.Data) != "11111" || now.Rev != it.Rev || string(now.Data) != "11111" {
		t.Errorf("%d calls: %+v, %v; there is %s", calls, it, err, now.Data)
	}

	writing := func(ops func(table.Item) []table.Op) (table.Item, error) {
		return table.Change(ctx, f, it, func(it table.Item) ([]table.Op, error) { return ops(it), nil })
	}
	same, err := writing(func(table.Item) []table.Op { return nil })
	if err != nil || same.Rev != it.Rev {
		t.Errorf("nothing to write: %+v, %v", same, err)
	}
	along := table.Put(table.Item{Key: table.Key{PK: "t", SK: "along"}})
	same, err = writing(func(it table.Item) []table.Op { return []table.Op{table.Check(it), along} })
	if err != nil || same.Rev != it.Rev {
		t.Errorf("checked: %+v, %v", same, err)
	}
	gone, err := writing(func(it table.Item) []table.Op { return []table.Op{table.Remove(it)} })
	if err != nil || gone.Rev != "" || gone.Key != counter {
		t.Errorf("removed: %+v, %v", gone, err)
	}
	// Somebody took away what was read.
	again, err := table.Change(ctx, f, it, func(it table.Item) ([]table.Op, error) {
		if it.Key != counter {
			t.Errorf("it is called %v", it.Key)
		}
		return add(it)
	})
	if err != nil || string(again.Data) != "1" {
		t.Errorf("created again: %+v, %v", again, err)
	}
}

// unreadable is a table whose Get fails.
type unreadable struct{ table.Table }

func (unreadable) Get(context.Context, ...table.Key) ([]table.Item, error) {
	return nil, errors.New("read once more")
}

func TestChangeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := open(t, "", table.Options{NoSync: true}), t.Context()
		it, err := table.Change(ctx, f, table.Item{Key: counter}, add)
		if err != nil {
			t.Fatal(err)
		}
		// An error of the change is the caller's, even if it looks like a conflict of ours.
		mine := fmt.Errorf("mine: %w", table.ErrConflict)
		calls := 0
		_, err = table.Change(ctx, f, it, func(table.Item) ([]table.Op, error) { calls++; return nil, mine })
		if err != mine || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
		// Another item than the one that is changed was refused.
		calls = 0
		beside := table.Check(table.Item{Key: table.Key{PK: "t", SK: "other"}, Rev: "another"})
		_, err = table.Change(ctx, f, it, func(it table.Item) ([]table.Op, error) {
			calls++
			return []table.Op{table.Replace(it), beside}, nil
		})
		if !errors.Is(err, table.ErrBeside) || errors.Is(err, table.ErrConflict) || calls != 1 {
			t.Errorf("%v after %d calls", err, calls)
		}
		// Others are always faster.
		calls = 0
		always := func(it table.Item) ([]table.Op, error) {
			calls++
			if err := f.Write(t.Context(), table.Replace(it)); err != nil {
				t.Error(err)
			}
			return add(it)
		}
		start := time.Now()
		_, err = table.Change(ctx, f, it, always)
		if took := time.Since(start); !errors.Is(err, table.ErrConflict) || calls != 20 || took > 2*time.Second {
			t.Errorf("%v after %d calls in %v", err, calls, took)
		}
		// The caller's time ends.
		it, _ = table.Read(ctx, f, counter)
		short, cancel := context.WithCancel(ctx)
		_, err = table.Change(short, f, it, func(it table.Item) ([]table.Op, error) {
			cancel()
			return always(it)
		})
		if !errors.Is(err, context.Canceled) {
			t.Errorf("out of time: %v", err)
		}
	})
}

// unanswering is a table that does not answer its next left writes; if done, it makes them all the same.
type unanswering struct {
	table.Table
	left, writes int
	done         bool
}

func (a *unanswering) Write(ctx context.Context, ops ...table.Op) error {
	if a.writes++; a.left == 0 {
		return a.Table.Write(ctx, ops...)
	}
	a.left--
	if a.done {
		if err := a.Table.Write(ctx, ops...); err != nil {
			return err
		}
	}
	return errors.New("no answer")
}

func TestRepeating(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ctx := open(t, "", table.Options{NoSync: true}), t.Context()
		for i, done := range []bool{false, true} {
			a := &unanswering{Table: f, left: 2, done: done}
			r, k := table.Repeating(a), table.Key{PK: "t", SK: fmt.Sprint(i)}
			if err := r.Write(ctx, table.Create(table.Item{Key: k})); err != nil || a.writes != 3 {
				t.Errorf("done %v: %v after %d writes", done, err, a.writes)
			}
			a.left, a.writes = 3, 0
			if err := r.Write(ctx, table.Put(table.Item{Key: k})); err == nil || a.writes != 3 {
				t.Errorf("for good: %v after %d writes", err, a.writes)
			}
			a.left, a.writes = 0, 0
			if err := r.Write(ctx, table.Create(table.Item{Key: k})); !errors.Is(err, table.ErrConflict) ||
				a.writes != 1 {
				t.Errorf("refused: %v after %d writes", err, a.writes)
			}
			if err := r.Write(ctx, table.Put(table.Item{})); !errors.Is(err, table.ErrTooLarge) || a.writes != 2 {
				t.Errorf("no key: %v after %d writes", err, a.writes)
			}
			a.left, a.writes = 3, 0
			over, cancel := context.WithCancel(ctx)
			cancel()
			if err := r.Write(over, table.Put(table.Item{Key: k})); err == nil || a.writes != 1 {
				t.Errorf("out of time: %v after %d writes", err, a.writes)
			}
		}
	})
}

// TestQueryAll: all pages are read, as far as the caller wants, and an error is told once.
func TestQueryAll(t *testing.T) {
	f, ctx := open(t, "", table.Options{NoSync: true}), t.Context()
	for i := range 5 {
		it := table.Item{Key: table.Key{PK: "q", SK: fmt.Sprint(i)}, Data: []byte("x")}
		if err := f.Write(ctx, table.Put(it)); err != nil {
			t.Fatal(err)
		}
	}
	for most, want := range map[int]string{2: "01", 9: "01234"} {
		got := ""
		for it, err := range table.QueryAll(ctx, f, table.Query{PK: "q", Limit: 2}) {
			if got += it.SK; err != nil || len(got) == most {
				break
			}
		}
		if got != want {
			t.Errorf("of %d: %q, want %q", most, got, want)
		}
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	n := 0
	for _, err := range table.QueryAll(gone, f, table.Query{PK: "q"}) {
		if n++; err == nil {
			t.Error("it was read all the same")
		}
	}
	if n != 1 {
		t.Errorf("the error was told %d times", n)
	}
}

func TestPack(t *testing.T) {
	for _, n := range []int{0, 1, 799, 800, 8 << 10, 8<<10 + 1, 300_000} {
		plain := []byte(`"` + strings.Repeat("order ", n/6+1)[:n] + `"`)
		packed := table.Pack(plain)
		if len(plain) >= 800 && len(packed) > len(plain)/4 || len(plain) < 800 && !bytes.Equal(packed, plain) {
			t.Errorf("%d bytes take %d", len(plain), len(packed))
		}
		for range 2 { // readers and writers are used again
			if back, err := table.Unpack(packed); err != nil || !bytes.Equal(back, plain) {
				t.Errorf("%d bytes come back as %d, %v", len(plain), len(back), err)
			}
		}
		data, err := table.Marshal(string(plain))
		var back string
		if err == nil {
			err = table.Unmarshal(data, &back)
		}
		if err != nil || back != string(plain) {
			t.Errorf("%d bytes of JSON come back as %d, %v", len(plain), len(back), err)
		}
	}
	for _, broken := range [][]byte{{0x1f, 0x8b}, {0x1f, 0x8b, 8, 0, 0},
		table.Pack(bytes.Repeat([]byte("x"), 900))[:20]} {
		if _, err := table.Unpack(broken); err == nil {
			t.Errorf("% x is read", broken)
		}
	}
	if _, err := table.Marshal(func() {}); err == nil {
		t.Error("a function has become JSON")
	}
}
