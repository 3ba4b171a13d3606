package ledger_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

const turn = time.Minute

func progress(t *testing.T, f func(t *testing.T, l *ledger.Ledger, store table.Table)) {
	path := filepath.Join(t.TempDir(), "table.db")
	synctest.Test(t, func(t *testing.T) {
		store, err := table.Open(path, table.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer store.Close()
		f(t, ledger.New(store), store)
	})
}

func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// TestProgress: long work is asked for, taken by one worker, noted and ended; its id leads to it all the while.
func TestProgress(t *testing.T) {
	progress(t, func(t *testing.T, l *ledger.Ledger, _ table.Table) {
		ctx, one := t.Context(), must[*ledger.Progress](t)
		asked := one(l.AskProgress(ctx, "t1", "upload"))
		again := one(l.AskProgress(ctx, "t1", "upload"))
		if again.ID != asked.ID || again.State != ledger.ProgressWaiting {
			t.Errorf("%+v", again)
		}
		if other := one(l.AskProgress(ctx, "t1", "update")); other.ID == asked.ID {
			t.Error("two kinds are one")
		}
		p, mine, err := l.TakeProgress(ctx, "t1", "upload", turn)
		if err != nil || !mine || p.ID != asked.ID || p.State != ledger.ProgressRunning {
			t.Fatalf("%+v, %v, %v", p, mine, err)
		}
		if _, mine, err := l.TakeProgress(ctx, "t1", "upload", turn); err != nil || mine {
			t.Errorf("two have the turn: %v", err)
		}
		p.Begun, p.Done, p.Of, p.Place = p.Asked, 3, 7, json.RawMessage(`"page 2"`)
		for range ledger.MaxLeft + 5 {
			p.Leave(ledger.LeftOut{ID: "9", Name: "Nine", Why: "No."})
		}
		if err := l.SaveProgress(ctx, p, turn); err != nil {
			t.Fatal(err)
		}
		got := one(l.Progress(ctx, "t1", asked.ID))
		if got.Done != 3 || got.Of != 7 || len(got.Left) != ledger.MaxLeft {
			t.Errorf("%+v", got)
		}
		p.Result = map[string]int{"new": 7}
		if ended, err := l.EndProgress(ctx, p); err != nil || !ended {
			t.Fatalf("%v, %v", ended, err)
		}
		next := one(l.AskProgress(ctx, "t1", "upload"))
		if next.ID == asked.ID || string(next.Place) != `"page 2"` || next.Done != 0 || len(next.Left) > 0 {
			t.Errorf("the next is %+v", next)
		}
		got = one(l.Progress(ctx, "t1", asked.ID))
		if got.State != ledger.ProgressDone || got.Result["new"] != 7 || got.Ended.IsZero() {
			t.Errorf("%+v", got)
		}
		time.Sleep(ledger.KeepProgress + time.Second)
		for _, id := range []string{asked.ID, "upload.no", "upload", ".", "", strings.Repeat("x.", 1000), "\xff.x"} {
			if got, err := l.Progress(ctx, "t1", id); !errors.Is(err, ledger.ErrNotFound) {
				t.Errorf("%.20q: %+v, %v", id, got, err)
			}
		}
		if got, err := l.Progress(ctx, "t2", next.ID); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("another tenant: %+v, %v", got, err)
		}
		if _, err := l.LastProgress(ctx, "t1", "nothing"); !errors.Is(err, ledger.ErrNotFound) {
			t.Error(err)
		}
	})
}

// TestProgressAskedMeanwhile: work that was asked for after it began is not ended, and nothing of it is lost.
func TestProgressAskedMeanwhile(t *testing.T) {
	progress(t, func(t *testing.T, l *ledger.Ledger, _ table.Table) {
		ctx, one := t.Context(), must[*ledger.Progress](t)
		p, _, err := l.TakeProgress(ctx, "t1", "upload", turn)
		if err != nil {
			t.Fatal(err)
		}
		p.Begun = time.Now()
		time.Sleep(time.Second)
		if asked := one(l.AskProgress(ctx, "t1", "upload")); asked.ID != p.ID {
			t.Errorf("%+v", asked)
		}
		p.Done = 5
		if err := l.SaveProgress(ctx, p, turn); err != nil {
			t.Fatal(err)
		}
		if ended, err := l.EndProgress(ctx, p); err != nil || ended {
			t.Fatalf("%v, %v", ended, err)
		}
		if got := one(l.LastProgress(ctx, "t1", "upload")); got.State != ledger.ProgressRunning || got.Done != 5 {
			t.Errorf("%+v", got)
		}
		p.Begun = time.Now()
		if ended, err := l.EndProgress(ctx, p); err != nil || !ended {
			t.Errorf("%v, %v", ended, err)
		}
	})
}

// TestProgressTurns: who has lost the turn writes nothing any more, nor what is to hang on it.
func TestProgressTurns(t *testing.T) {
	progress(t, func(t *testing.T, l *ledger.Ledger, store table.Table) {
		ctx := t.Context()
		take := func() *ledger.Progress {
			t.Helper()
			p, mine, err := l.TakeProgress(ctx, "t1", "upload", turn)
			if err != nil || !mine {
				t.Fatalf("%v, %v", mine, err)
			}
			return p
		}
		beside := table.Key{PK: "p", SK: "s"}
		save := func(p *ledger.Progress) error {
			return l.SaveProgress(ctx, p, turn, table.Create(table.Item{Key: beside, Data: []byte("{}")}))
		}
		slow := take()
		time.Sleep(2 * turn)
		fast := take()
		if fast.ID != slow.ID {
			t.Errorf("%q goes on as %q", slow.ID, fast.ID)
		}
		if err := save(slow); !errors.Is(err, ledger.ErrBehind) {
			t.Errorf("the slow one: %v", err)
		}
		if it, err := table.Read(ctx, store, beside); err != nil || it.Rev != "" {
			t.Errorf("%+v, %v", it, err)
		}
		if err := save(fast); err != nil {
			t.Error(err)
		}
		if err := save(fast); !errors.Is(err, ledger.ErrBeside) {
			t.Errorf("its condition does not hold: %v", err)
		}
		fast.State, fast.Problem = ledger.ProgressWaiting, "It waits."
		if err := l.PauseProgress(ctx, fast); err != nil {
			t.Error(err)
		}
		again := take()
		if err := l.SaveProgress(ctx, fast, turn); !errors.Is(err, ledger.ErrBehind) {
			t.Errorf("the one that paused: %v", err)
		}
		if err := l.StopProgress(ctx, "t1", "upload", "Enough."); err != nil {
			t.Error(err)
		}
		if _, err := l.EndProgress(ctx, again); !errors.Is(err, ledger.ErrBehind) {
			t.Errorf("the stopped one: %v", err)
		}
		if p, err := l.Progress(ctx, "t1", again.ID); err != nil || p.State != ledger.ProgressStopped ||
			p.Problem != "Enough." {
			t.Errorf("%+v, %v", p, err)
		}
		if err := l.Erase(ctx, "t1"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.LastProgress(ctx, "t1", "upload"); !errors.Is(err, ledger.ErrNotFound) {
			t.Errorf("erased: %v", err)
		}
	})
}
