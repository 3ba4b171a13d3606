package publish_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// TestSync: what is new, changed or no longer wanted is told, in batches of one group, and nothing else is.
func TestSync(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x a/2=x a/3=x a/4=x b/1=x")
		if got := w.differences(); got != "new a/1, new a/2, new a/3, new a/4, new b/1" {
			t.Errorf("differences: %s", got)
		}
		w.sync()
		if got := w.far.said(); got != "a: 1=x 2=x 3=x, a: 4=x, b: 1=x" {
			t.Errorf("told %s", got)
		}
		w.agree()
		if p := w.progress(); p.State != ledger.ProgressDone || p.Done != 5 || p.Of != 5 || p.Result["new"] != 5 {
			t.Errorf("%+v", p)
		}
		if e := w.entry("a/1"); e.TheirID != "their 1" || e.At.IsZero() {
			t.Errorf("%+v", e)
		}
		w.wants("a/1=x a/2=y a/4=x b/2=x")
		if got := w.differences(); got != "changed a/2, gone a/3, gone b/1, new b/2" {
			t.Errorf("differences: %s", got)
		}
		w.sync()
		if got := w.far.said(); got != "a: 2=y, b: 2=x, a: 3=-, b: 1=-" {
			t.Errorf("told %s", got)
		}
		w.agree()
		if w.tally.New != 1 || w.tally.Changed != 1 || w.tally.Gone != 2 || w.tally.Same != 2 {
			t.Errorf("%+v", w.tally)
		}
		w.quiet()
		if got := w.differences(); got != "" {
			t.Errorf("differences: %s", got)
		}
	})
}

// TestKeeping: what was told and is wanted no more stays where it is kept, until it is not.
func TestKeeping(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x a/2=x b/1=x")
		w.sync()
		w.far.said()
		w.wants("a/2=y")
		wants := func(kept string) (list []string) {
			want := w.Keeping(w.tenant, w.set(), func(e publish.Entry) bool { return e.Group == kept })
			for r, err := range want(context.Background(), publish.Key{}) {
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, r.Group+"/"+r.ID+"="+text(r.Data))
			}
			return list
		}
		if got := strings.Join(wants("a"), " "); got != "a/1=x a/2=y" {
			t.Errorf("a is kept: %s", got)
		}
		if got := strings.Join(wants("b"), " "); got != "a/2=y b/1=x" {
			t.Errorf("b is kept: %s", got)
		}
		w.sync()
		if got := strings.Join(wants("b"), " "); got != "a/2=y" {
			t.Errorf("what went is wanted again: %s", got)
		}
	})
}

// TestUnchanged: a run in which nothing changed costs no call, and as many writes however much is wanted.
func TestUnchanged(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.most = 100
		costs := func() int {
			w.sync()
			w.store.writes.Store(0)
			w.quiet()
			return int(w.store.writes.Load())
		}
		w.wants("a/1=x")
		few := costs()
		for i := range 1000 {
			w.want[key(fmt.Sprintf("b/%04d", i))] = "x"
		}
		if many := costs(); many != few || few > 4 {
			t.Errorf("%d writes for one record, %d for a thousand", few, many)
		}
		w.agree()
	})
}

// TestRefused: a record that is refused is kept with the reason, and is sent again when another value is wanted, when a
// person asks, or when the far side said that it may be.
func TestRefused(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x a/2=bad a/3=x")
		w.far.refuses = func(r publish.Telling) string {
			if text(r.Data) == "bad" {
				return "The SKU is taken."
			}
			return ""
		}
		w.sync()
		w.agree("a/2")
		e, p := w.entry("a/2"), w.progress()
		if e.State != publish.IsRefused || e.Why != "The SKU is taken." || p.State != ledger.ProgressDone ||
			len(p.Left) != 1 || p.Left[0] != (ledger.LeftOut{ID: "2", Name: `good "bad"`, Why: "The SKU is taken."}) {
			t.Errorf("%+v, %+v", e, p)
		}
		if got := w.differences(); got != "refused a/2" {
			t.Errorf("differences: %s", got)
		}
		w.far.said()
		w.quiet()
		if n := w.decide(publish.SendAgain, "a/2", "a/9"); n != 1 {
			t.Errorf("%d are sent again", n)
		}
		w.sync()
		if got := w.far.said(); got != "a: 2=bad" {
			t.Errorf("asked by a person, told %s", got)
		}
		w.quiet()
		w.want[key("a/2")] = "good"
		w.sync()
		w.agree()
		w.quiet()
	})
}

// TestRefusedForNow: what may be sent again from a time on is, by itself.
func TestRefusedForNow(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x")
		w.sync()
		w.wants("")
		busy := true
		w.far.refuses = func(r publish.Telling) string {
			if busy {
				return "It has customers."
			}
			return ""
		}
		w.far.retry = 24 * time.Hour
		w.sync()
		w.far.said()
		busy = false
		w.quiet()
		time.Sleep(24 * time.Hour)
		w.sync()
		if got := w.far.said(); got != "a: 1=-" {
			t.Errorf("a day later, told %s", got)
		}
		w.agree()
		w.quiet()
	})
}

// TestRejected: a call that is refused as a whole is made with fewer records, until it is known whose fault it is.
func TestRejected(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.most = 8
		w.wants("a/1=x a/2=x a/3=x a/4=x a/5=x a/6=bad a/7=x a/8=x a/9=x")
		w.far.rejects = func(batch []publish.Telling) error {
			if slices.ContainsFunc(batch, func(r publish.Telling) bool { return text(r.Data) == "bad" }) {
				return called(rest.Error{Outcome: rest.Refused, Kind: rest.Invalid, Status: 422,
					Messages: []string{"name is too long"}}, nil)
			}
			return nil
		}
		w.sync()
		w.agree("a/6")
		if e := w.entry("a/6"); e.State != publish.IsRefused || e.Why != "name is too long" {
			t.Errorf("%+v", e)
		}
		if len(w.far.calls) > 10 {
			t.Errorf("%d calls: %v", len(w.far.calls), w.far.calls)
		}
		w.quiet()
	})
}

// TestAllRejected: where one call after another is refused, it is not the records' fault: the rest of their group is
// left for the next run, and other groups are told.
func TestAllRejected(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.most = 50
		for i := range 100 {
			w.want[key(fmt.Sprintf("a/%03d", i))] = "x"
		}
		w.want[key("b/1")] = "x"
		gone := true
		w.far.rejects = func(batch []publish.Telling) error {
			if gone && batch[0].Group == "a" {
				return called(rest.Error{Outcome: rest.Refused, Kind: rest.NotFound, Status: 404}, nil)
			}
			return nil
		}
		w.sync()
		if n := len(w.far.calls); n > 30 || w.far.has[key("b/1")] != "x" {
			t.Errorf("%d calls, the other group has %q", n, w.far.has[key("b/1")])
		}
		p := w.progress()
		if p.State != ledger.ProgressDone || w.tally.Refused != 10 || w.tally.Unsent != 90 || p.Problem !=
			"90 of the goods were not sent, as one after another was refused. The next run tries them." {
			t.Errorf("%+v: %q", w.tally, p.Problem)
		}
		gone = false
		w.sync()
		if n := len(w.far.has); n != 91 {
			t.Errorf("the far side has %d", n)
		}
		for _, e := range keysOf(w.want) {
			w.decide(publish.SendAgain, e.Group+"/"+e.ID)
		}
		w.sync()
		w.agree()
	})
}

// TestDoubt: what was sent and not answered is sent again when it can take effect no more, and the run is not done
// before.
func TestDoubt(t *testing.T) {
	for _, bad := range []trouble{before, after, late, broken, dies, diesWith} {
		play(t, func(t *testing.T, w *world) {
			w.wants("a/1=x a/2=x a/3=x b/1=x")
			w.sync()
			w.far.said()
			w.wants("a/1=y a/2=x b/1=y")
			w.far.trouble = then(bad)
			begun := time.Now().Add(time.Hour)
			w.sync()
			if got := w.far.said(); strings.Count(got, "a: 1=y") != 2 || strings.Count(got, "b: 1=y") != 1 ||
				strings.Count(got, "a: 3=-") != 1 {
				t.Errorf("%s: told %s", bad, got)
			}
			if took := time.Since(begun); took < 2*time.Minute {
				t.Errorf("%s: at rest after %s", bad, took)
			}
			w.agree()
			w.quiet()
		})
	}
}

// TestOvertaken: a newer value is told at once, and once more when the one before, which had no answer, can overtake it
// no more.
func TestOvertaken(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x")
		w.far.trouble = then(late)
		time.Sleep(time.Hour)
		w.start()
		w.do(w.sent[0].Message)
		if got := w.notable(); got != "doubt a/1" {
			t.Errorf("notable: %s", got)
		}
		w.wants("a/1=y")
		if _, err := w.Ask(t.Context(), w.tenant, goods); err != nil {
			t.Fatal(err)
		}
		w.do(w.sent[1].Message)
		if got := w.far.said(); got != "a: 1=x, a: 1=y" {
			t.Errorf("told %s", got)
		}
		if w.differences() != "doubt a/1" {
			t.Errorf("differences: %s", w.differences())
		}
		w.rest()
		if got := w.far.said(); got != "a: 1=y" {
			t.Errorf("told %s", got)
		}
		w.agree()
		w.quiet()
	})
}

// TestStill: nothing is told where it is not to go on, and what was not wanted while that was not known stays.
func TestStill(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x a/2=x a/3=x")
		w.sync()
		w.far.said()
		w.wants("a/1=y a/2=x")
		asked := 0
		w.still = func(context.Context) error {
			if asked++; asked == 1 || asked == 3 { // before what changed is told, then before what goes
				return &ledger.Later{At: time.Now().Add(time.Minute)}
			}
			if asked == 2 { // what comes next is read of another account
				w.locked(func() { delete(w.want, key("a/2")) })
			}
			return nil
		}
		time.Sleep(time.Hour)
		m := job.Message{Job: goods, Tenant: w.tenant}
		w.do(m)
		if got := w.far.said(); got != "" || asked != 1 {
			t.Errorf("told %q, asked %d times", got, asked)
		}
		w.do(m)
		if got := w.far.said(); got != "a: 1=y" || asked != 3 {
			t.Errorf("then told %q, asked %d times", got, asked)
		}
		w.wants("a/1=y a/2=x")
		w.rest()
		if got := w.far.said(); got != "a: 3=-" {
			t.Errorf("at last told %q", got)
		}
		w.agree()
		w.quiet()
	})
}

// TestGoneInDoubt: a new record in doubt that is not wanted any more goes by the name that was sent.
func TestGoneInDoubt(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x")
		w.far.trouble = then(late, after)
		time.Sleep(time.Hour)
		w.start()
		w.do(w.sent[0].Message)
		w.wants("")
		w.rest()
		if w.agree(); w.entry("a/1").Doubt != nil || len(w.far.calls) != 3 {
			t.Errorf("told %v, kept %+v", w.far.calls, w.entry("a/1"))
		}
		w.quiet()
	})
}

// TestBackInDoubt: what was told before is told again at once where something else may have taken effect since.
func TestBackInDoubt(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x")
		w.sync()
		w.far.said()
		w.want[key("a/1")] = "y"
		w.far.trouble = then(late)
		m := job.Message{Job: goods, Tenant: w.tenant}
		w.do(m)
		w.want[key("a/1")] = "x"
		w.do(m)
		w.do(m)
		if got := w.far.said(); got != "a: 1=y, a: 1=x" {
			t.Errorf("told %s", got)
		}
		w.rest()
		w.agree()
		w.quiet()
	})
}

// TestDecidedMeanwhile: a person's yes stands that comes while a run looks at the same records.
func TestDecidedMeanwhile(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		why := "Look at it."
		w.hold = func(publish.Change) string { return why }
		w.wants("a/1=x a/2=x")
		w.sync()
		why = "Look at it again."
		w.fail = func(k publish.Key) error {
			if k.ID == "2" {
				w.decide(publish.Approve, "a/1")
			}
			return nil
		}
		w.sync()
		w.fail = nil
		if got := w.notable(); got != "approved a/1, held a/2" {
			t.Errorf("notable: %s", got)
		}
		w.sync()
		if got := w.far.said(); got != "a: 1=x" {
			t.Errorf("told %s", got)
		}
	})
}

// TestNonsense: an answer that does not say what became of a record is none.
func TestNonsense(t *testing.T) {
	for _, bad := range []trouble{nonsense, fewer, torn} {
		play(t, func(t *testing.T, w *world) {
			w.wants("a/1=x a/2=x a/3=x")
			w.far.trouble = then(bad)
			w.sync()
			if n := len(w.far.calls); n != 2 {
				t.Errorf("%s: told %v", bad, w.far.calls)
			}
			w.agree()
			w.quiet()
		})
	}
	play(t, func(t *testing.T, w *world) { // always
		w.wants("a/1=x a/2=x a/3=x")
		w.far.trouble = func() trouble { return nonsense }
		w.sync()
		if p := w.progress(); p.State != ledger.ProgressDone || p.Result["refused"] != 3 || len(w.far.calls) != 5 ||
			!strings.Contains(p.Left[0].Why, "no answer said") {
			t.Errorf("%+v, %v", p, w.far.calls)
		}
	})
}

// TestOutage: while the far side is down each part tries a call, at growing intervals, and no batch holds up the others
// for good.
func TestOutage(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=poison b/1=x c/1=x")
		down := true
		w.far.trouble = func() trouble {
			if down || strings.Contains(w.far.calls[len(w.far.calls)-1], "poison") {
				return before
			}
			return none
		}
		time.Sleep(time.Hour)
		w.start()
		for range 5 {
			m := w.sent[0]
			w.sent = w.sent[1:]
			time.Sleep(time.Until(m.at))
			w.do(m.Message)
		}
		if p := w.progress(); p.State != ledger.ProgressWaiting || p.Problem !=
			"JOOR gave no usable answer (status 502). The rest of the goods goes by itself." ||
			len(w.far.calls) < 4 || w.far.calls[2] != "c: 1=x" {
			t.Errorf("%+v after %v", p, w.far.calls)
		}
		if cur, err := w.ledger.Cursor(t.Context(), w.tenant, goods); err != nil || cur.Stopped.By != acme ||
			cur.Stopped.How != ledger.NoAnswer {
			t.Errorf("the job is at %+v, %v", cur, err)
		}
		down = false
		for range 30 {
			m := w.sent[0]
			w.sent = w.sent[1:]
			time.Sleep(time.Until(m.at))
			w.do(m.Message)
		}
		w.agree("a/1")
		w.want[key("a/1")] = "x"
		w.rest()
		w.agree()
		w.quiet()
	})
}

// TestHold: what a person must agree to waits, and goes, or does not, as it was decided, for this very value.
func TestHold(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x a/2=x a/3=x")
		w.sync()
		w.far.said()
		w.hold = func(c publish.Change) string {
			if strings.HasPrefix(text(c.Data), "free") {
				return "It would be given away: " + text(c.Was) + " to " + text(c.Data)
			}
			return ""
		}
		w.wants("a/1=free1 a/2=free1 a/3=y")
		if got := w.differences(); got != "held a/1, held a/2, changed a/3" {
			t.Errorf("differences: %s", got)
		}
		w.sync()
		e := w.entry("a/1")
		if got := w.far.said(); got != "a: 3=y" || e.Why != "It would be given away: x to free1" ||
			w.progress().Result["held"] != 2 {
			t.Errorf("told %s, kept %+v, %+v", got, e, w.progress())
		}
		w.quiet()
		if got := w.notable(); got != "held a/1, held a/2" {
			t.Errorf("notable: %s", got)
		}
		if n := w.decide(publish.Approve, "a/1", "a/3"); n != 1 {
			t.Errorf("%d approved", n)
		}
		if n := w.decide(publish.Decline, "a/2"); n != 1 {
			t.Errorf("%d declined", n)
		}
		w.sync()
		if got := w.far.said(); got != "a: 1=free1" || w.notable() != "declined a/2" ||
			w.differences() != "declined a/2" {
			t.Errorf("told %s, notable %s", got, w.notable())
		}
		w.quiet()
		w.want[key("a/2")] = "free2" // another value is another question
		w.sync()
		w.far.said()
		if got := w.notable(); got != "held a/2" {
			t.Errorf("notable: %s", got)
		}
		w.decide(publish.Approve, "a/2")
		w.want[key("a/2")] = "free3" // what was agreed to is not this
		w.sync()
		if got := w.far.said(); got != "" || w.notable() != "held a/2" {
			t.Errorf("told %s, notable %s", got, w.notable())
		}
		w.decide(publish.Decline, "a/2")
		w.decide(publish.Undecide, "a/2")
		if got := w.notable(); got != "held a/2" {
			t.Errorf("notable: %s", got)
		}
		w.hold = nil // nothing is held any more
		w.sync()
		w.agree()
		w.want[key("a/2")] = "x"
		w.sync()
		if w.agree(); w.notable() != "" {
			t.Errorf("notable: %s", w.notable())
		}
	})
}

// TestDecidedUnseen: nobody agrees to what has come since the page was drawn.
func TestDecidedUnseen(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.hold = func(publish.Change) string { return "Look at it." }
		w.wants("a/1=x")
		w.sync()
		seen := "x"
		shown := func(e publish.Entry) bool { return text(e.Sent) == seen }
		decide := func() int {
			n, err := w.Decide(t.Context(), w.tenant, w.set(), publish.Approve, shown, key("a/1"))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		w.want[key("a/1")] = "y"
		w.sync()
		if n := decide(); n != 0 {
			t.Errorf("%d approved that nobody saw", n)
		}
		w.decide(publish.Decline, "a/1")
		if n := decide(); n != 0 {
			t.Errorf("%d approved that nobody saw, and that another person declined", n)
		}
		seen = "y"
		if n := decide(); n != 1 {
			t.Errorf("%d approved", n)
		}
	})
}

// TestHeldBack: a value that is held and wanted no more is forgotten.
func TestHeldBack(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.hold = func(c publish.Change) string { return map[bool]string{true: "Look at it."}[text(c.Data) == "y"] }
		w.wants("a/1=x a/2=y")
		w.sync()
		w.want[key("a/1")] = "y"
		w.sync()
		if got := w.notable(); got != "held a/1, held a/2" {
			t.Errorf("notable: %s", got)
		}
		w.wants("a/1=x")
		if w.sync(); w.notable() != "" || w.differences() != "" {
			t.Errorf("notable: %s, differences: %s", w.notable(), w.differences())
		}
		w.agree()
	})
}

// TestTickets: a far side that works on what it was sent is asked later what came of it, and the run is done then.
func TestTickets(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.tickets = true
		w.far.refuses = func(r publish.Telling) string { return map[bool]string{true: "No."}[text(r.Data) == "bad"] }
		w.wants("a/1=x a/2=bad a/3=x a/4=x")
		time.Sleep(time.Hour)
		w.start()
		w.do(w.sent[0].Message)
		if p := w.progress(); p.State != ledger.ProgressWaiting || p.Result["pending"] != 4 || p.Problem !=
			"The goods were sent. Their result is awaited." || w.notable() !=
			"pending a/1, pending a/2, pending a/3, pending a/4" {
			t.Errorf("%+v, notable %s", p, w.notable())
		}
		w.rest()
		w.agree("a/2")
		if p := w.progress(); p.State != ledger.ProgressDone || p.Result["new"] != 3 || p.Result["refused"] != 1 ||
			len(w.far.follow) != 2 {
			t.Errorf("%+v, asked %v", p, w.far.follow)
		}
		w.quiet()
		w.want[key("a/2")] = "y"
		w.sync()
		w.agree()
		w.wants("a/1=x")
		w.sync()
		w.agree()
		w.quiet()
	})
}

// TestTicketUnknown: what a forgotten ticket came to is for a person to say: nothing is sent again by itself.
func TestTicketUnknown(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.tickets = true
		w.wants("a/1=x")
		time.Sleep(time.Hour)
		w.start()
		w.do(w.sent[0].Message)
		clear(w.far.open)
		w.rest()
		if e := w.entry("a/1"); e.State != publish.IsRefused ||
			e.Why != "What became of it cannot be asked for. The answer was: No such ticket." {
			t.Errorf("%+v", e)
		}
		w.far.said()
		w.quiet()
		w.decide(publish.SendAgain, "a/1")
		w.sync()
		w.agree()
	})
}

// TestReview: what people over there decide is asked for when it is due. Overdue, it is said and never sent again by
// itself.
func TestReview(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.review = 72 * time.Hour
		w.wants("a/1=x a/2=x")
		w.sync()
		if p := w.progress(); p.State != ledger.ProgressDone || p.Result["pending"] != 2 || len(p.Left) > 0 {
			t.Errorf("%+v", p)
		}
		w.quiet()
		if len(w.far.follow) > 0 {
			t.Errorf("asked %v", w.far.follow)
		}
		w.want[key("a/2")] = "y" // what changes meanwhile goes when it is decided
		time.Sleep(71 * time.Hour)
		w.far.due[key("a/2")] = time.Now().Add(1000 * time.Hour)
		w.sync()
		if got := w.far.has[key("a/1")]; got != "x" || len(w.far.calls) != 1 {
			t.Errorf("it has %q, told %v", got, w.far.calls)
		}
		w.far.due[key("a/2")] = time.Now().Add(-time.Minute)
		w.far.refuses = func(publish.Telling) string { return "No." }
		delete(w.far.due, key("a/2"))
		time.Sleep(1000 * time.Hour)
		w.far.refuses = nil
		w.sync()
		if w.agree(); w.far.has[key("a/2")] != "y" {
			t.Errorf("it has %v", w.far.has)
		}
		w.quiet()
	})
}

// TestAskNow: a run that was asked for after AskNow is not done before everything was asked about that was pending.
func TestAskNow(t *testing.T) {
	for name, c := range map[string]struct {
		asked string // when a person asks
		due   string // what a run asks about by itself then
		fault trouble
		wants string // "" = records of two groups
	}{
		"nothing runs": {},
		// Of one group: which of two is asked about first is chance, and an answer about nobody is one.
		"an answer leaves some out": {fault: fewer, wants: "a/1=x a/2=x"},
		"a call is repeated":        {fault: before},
		"just asked about":          {asked: "meanwhile", due: "a/1 a/2 b/1"},
		"asked about others":        {asked: "meanwhile", due: "a/1"},
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				w.far.review = 1000 * time.Hour
				for k := range strings.FieldsSeq(c.due) {
					w.far.due[key(k)] = time.Now().Add(72 * time.Hour)
				}
				w.wants(cmp.Or(c.wants, "a/1=x a/2=x b/1=x"))
				w.sync()
				time.Sleep(72 * time.Hour)
				for k := range strings.FieldsSeq(c.due) {
					w.far.due[key(k)] = time.Now().Add(1000 * time.Hour)
				}
				var asked *ledger.Progress
				ask := func() {
					clear(w.far.due)
					err := w.AskNow(t.Context(), w.tenant, w.set())
					if asked == nil && err == nil {
						asked, err = w.Ask(t.Context(), w.tenant, goods)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if w.far.trouble = then(c.fault); c.asked == "" {
					ask()
				} else {
					w.far.hears = sync.OnceFunc(ask)
				}
				w.start()
				w.rest()
				if asked == nil {
					t.Fatal("nobody asked")
				}
				got, err := w.ledger.Progress(t.Context(), w.tenant, asked.ID)
				if err != nil || got.State != ledger.ProgressDone || w.progress().ID != asked.ID {
					t.Errorf("%+v, %v", got, err)
				}
				w.agree()
				n := len(w.far.follow)
				if w.quiet(); len(w.far.follow) > n {
					t.Errorf("asked again about %v", w.far.follow[n:])
				}
			})
		})
	}
}

// TestOverdue: a decision that does not come is said, and asked for ever more rarely.
func TestOverdue(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.review = time.Hour
		w.far.silent = true
		w.wants("a/1=x")
		w.sync()
		for range 24 * 7 {
			w.sync()
		}
		p := w.progress()
		if len(w.far.calls) != 1 || len(w.far.follow) < 7 || len(w.far.follow) > 30 || len(p.Left) != 1 ||
			!strings.HasPrefix(p.Left[0].Why, "A decision was expected by 1 January ") {
			t.Errorf("told %v, asked %d times, %+v", w.far.calls, len(w.far.follow), p.Left)
		}
		w.decide(publish.SendAgain, "a/1") // a person may
		w.far.review = 0
		w.sync()
		w.agree()
		w.quiet()
	})
}

// TestWantBreaksOff: a reading of what is wanted that breaks off takes nothing away, and goes on where it was.
func TestWantBreaksOff(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x a/2=x a/3=x a/4=x a/5=x")
		w.sync()
		w.wants("a/4=y a/5=y")
		fails := 2
		w.fail = func(k publish.Key) error {
			if fails--; k.ID == "5" && fails >= 0 {
				return errors.New("the mirror is away")
			}
			return nil
		}
		w.far.said()
		time.Sleep(time.Hour)
		w.start()
		if !w.do(w.sent[0].Message) || len(w.far.calls) > 0 || len(w.far.has) != 5 {
			t.Errorf("told %v", w.far.calls)
		}
		w.rest()
		if got := w.far.said(); got != "a: 4=y 5=y, a: 1=- 2=- 3=-" {
			t.Errorf("told %s", got)
		}
		w.agree()
	})
}

// TestParts: a run whose time ends goes on where it was, and sends nothing twice.
func TestParts(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.left, w.far.slow = time.Minute, 10*time.Second
		for i := range 60 {
			w.want[key(fmt.Sprintf("%d/%02d", i%2, i))] = "x"
		}
		asked, err := w.Ask(t.Context(), w.tenant, goods)
		if err != nil {
			t.Fatal(err)
		}
		w.start()
		w.do(w.sent[0].Message)
		p, err := w.ledger.Progress(t.Context(), w.tenant, asked.ID)
		if err != nil || p.State != ledger.ProgressRunning || p.Done == 0 || p.Done == 60 || p.Problem != "" {
			t.Errorf("%+v, %v", p, err)
		}
		w.rest()
		if p, err = w.ledger.Progress(t.Context(), w.tenant, asked.ID); err != nil || p.State != ledger.ProgressDone ||
			p.Done != 60 || p.Result["new"] != 60 || len(w.far.calls) != 20 {
			t.Errorf("%+v, %v, %d calls", p, err, len(w.far.calls))
		}
		w.agree()
		for k := range w.want {
			w.want[k] = "y"
		}
		delete(w.want, key("0/00"))
		w.sync()
		w.agree()
		w.quiet()
	})
}

// TestTwoAtOnce: one worker at a time does a run; what is asked for meanwhile is the same run, which is not done before
// that is told too.
func TestTwoAtOnce(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.slow = 10 * time.Second
		w.wants("a/1=x b/1=x")
		first, err := w.Ask(t.Context(), w.tenant, goods)
		if err != nil {
			t.Fatal(err)
		}
		m := job.Message{Job: goods, Tenant: w.tenant}
		go w.do(m)
		w.wait(15 * time.Second)
		w.do(m)
		if len(w.far.calls) != 2 {
			t.Errorf("two workers told %v", w.far.calls)
		}
		w.locked(func() { w.want[key("a/2")] = "x" }) // which the run has passed
		second, err := w.Ask(t.Context(), w.tenant, goods)
		if err != nil || second.ID != first.ID {
			t.Errorf("%q, %q, %v", first.ID, second.ID, err)
		}
		w.wait(10 * time.Second)
		if p := w.progress(); p.State != ledger.ProgressRunning {
			t.Errorf("%+v", p)
		}
		w.wait(10 * time.Second)
		if p := w.progress(); p.ID != first.ID || p.State != ledger.ProgressDone || p.Result["new"] != 3 {
			t.Errorf("%+v", p)
		}
		w.agree()
		third, err := w.Ask(t.Context(), w.tenant, goods)
		if err != nil || third.ID == first.ID || third.State != ledger.ProgressWaiting {
			t.Errorf("%+v, %v", third, err)
		}
	})
}

// TestSlowWorker: a worker whose turn is over, and who has lost it, writes nothing any more.
func TestSlowWorker(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.slow = 100 * time.Second // longer than a call may take
		w.wants("a/1=x")
		m := job.Message{Job: goods, Tenant: w.tenant}
		go w.do(m)
		w.wait(80 * time.Second)
		w.locked(func() { w.far.slow = 0 })
		w.do(m)
		if got := w.notable(); got != "doubt a/1" {
			t.Errorf("notable: %s", got)
		}
		w.locked(func() { w.want[key("a/1")] = "y" })
		w.do(m)
		w.wait(30 * time.Second) // the slow one is answered
		if e := w.entry("a/1"); text(e.Told) != "y" {
			t.Errorf("%+v", e)
		}
		w.rest()
		w.agree()
		w.quiet()
	})
}

// TestStopped: a run that is stopped goes no further, and what it had sent is known to the next.
func TestStopped(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.slow = 10 * time.Second
		w.wants("a/1=x b/1=x c/1=x")
		go w.do(job.Message{Job: goods, Tenant: w.tenant})
		w.wait(15 * time.Second)
		if err := w.ledger.StopProgress(t.Context(), w.tenant, goods, "A person stopped it."); err != nil {
			t.Fatal(err)
		}
		w.wait(time.Minute)
		if p := w.progress(); p.State != ledger.ProgressStopped || len(w.far.calls) != 2 {
			t.Errorf("%+v after %v", p, w.far.calls)
		}
		w.sync()
		w.agree()
		w.quiet()
	})
}

// TestKeyRefused: a run whose key is refused half-way goes on with a new one.
func TestKeyRefused(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x b/1=x c/1=x")
		w.far.trouble = then(none, revoked)
		w.sync()
		if p := w.progress(); p.State != ledger.ProgressWaiting || p.Problem != "JOOR refused the key." ||
			len(w.far.has) != 1 {
			t.Errorf("%+v", p)
		}
		w.connect("a-new-key")
		w.start()
		w.rest()
		if got := w.far.said(); got != "a: 1=x, b: 1=x, b: 1=x, c: 1=x" {
			t.Errorf("told %s", got)
		}
		w.agree()
		w.quiet()
	})
}

// TestUnsent: a call that was never made is no doubt.
func TestUnsent(t *testing.T) {
	for _, bad := range []trouble{unsent, paused} {
		play(t, func(t *testing.T, w *world) {
			w.wants("a/1=x")
			w.far.trouble = then(bad)
			begun := time.Now().Add(time.Hour)
			w.sync()
			if took := time.Since(begun); took > 90*time.Second || len(w.far.calls) != 2 {
				t.Errorf("%s: %v in %s", bad, w.far.calls, took)
			}
			w.agree()
		})
	}
}

// TestLongReading: a worker keeps the turn while it reads for long, and another one does nothing.
func TestLongReading(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		for i := range 1000 {
			w.want[key(fmt.Sprintf("a/%04d", i))] = "x"
		}
		w.far.most = 1000
		w.sync()
		w.store.writes.Store(0)
		w.fail = func(publish.Key) error {
			time.Sleep(200 * time.Millisecond)
			return nil
		}
		m := job.Message{Job: goods, Tenant: w.tenant}
		go w.do(m)
		w.wait(100 * time.Second)
		begun := time.Now()
		w.do(m)
		if took := time.Since(begun); took > time.Second {
			t.Errorf("another worker read for %s", took)
		}
		p := w.progress()
		if p.State != ledger.ProgressRunning || p.Done < 300 || p.Done > 500 {
			t.Errorf("%+v", p)
		}
		w.wait(150 * time.Second)
		if p := w.progress(); p.State != ledger.ProgressDone || p.Done != 1000 || w.store.writes.Load() > 12 {
			t.Errorf("%+v after %d writes", p, w.store.writes.Load())
		}
	})
}

// TestLearn: what the far side was found to hold counts, and what differs from it is told: what was there before us is
// not told, and what somebody took away or changed over there is.
func TestLearn(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x a/2=x a/3=x")
		learn := func() {
			t.Helper()
			var seen []publish.Seen
			for _, k := range []publish.Key{key("a/1"), key("a/2"), key("a/3"), key("a/4")} {
				s := publish.Seen{Record: publish.Record{Key: k}}
				if text, ok := w.far.has[k]; ok {
					s.Data, s.TheirID = data(text), "seen "+k.ID
				}
				seen = append(seen, s)
			}
			if err := w.Learn(t.Context(), w.tenant, w.set(), seen...); err != nil {
				t.Fatal(err)
			}
		}
		w.far.has[key("a/1")], w.far.has[key("a/2")] = "x", "old"
		learn()
		w.sync()
		if got := w.far.said(); got != "a: 2=x 3=x" || w.entry("a/1").TheirID != "seen 1" {
			t.Errorf("told %s, kept %+v", got, w.entry("a/1"))
		}
		delete(w.far.has, key("a/2"))
		w.far.has[key("a/3")] = "typed by hand"
		w.quiet() // nobody knows yet
		learn()
		w.store.writes.Store(0)
		if learn(); w.store.writes.Load() > 0 {
			t.Errorf("%d writes of what is known", w.store.writes.Load())
		}
		w.sync()
		if got := w.far.said(); got != "a: 2=x 3=x" {
			t.Errorf("told %s", got)
		}
		w.agree()
	})
}

// TestAccounts: what one account was told says nothing of another's, and what was in doubt of it stays with it.
func TestAccounts(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x")
		w.sync()
		w.want[key("a/1")] = "y"
		w.far.trouble = then(diesWith)
		time.Sleep(time.Hour)
		w.start()
		w.do(w.sent[0].Message)
		w.account = "sho"
		if got := w.differences(); got != "new a/1" {
			t.Errorf("differences of another account: %s", got)
		}
		w.far.said()
		time.Sleep(visible)
		w.rest()
		if got := w.far.said(); got != "a: 1=y" || w.notable() != "" || text(w.entry("a/1").Told) != "y" {
			t.Errorf("told %s, notable %s", got, w.notable())
		}
		w.account = "shop"
		if got := w.notable(); got != "doubt a/1" {
			t.Errorf("notable: %s", got)
		}
		w.sync()
		w.agree()
	})
}

// TestManyDues: records that are decided at many different times are asked about, in few waitings.
func TestManyDues(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.most, w.far.review = 200, time.Hour
		for i := range 200 {
			k := key(fmt.Sprintf("a/%03d", i))
			w.want[k] = "x"
			w.far.due[k] = time.Now().Add(time.Duration(i+70) * time.Minute)
		}
		w.sync()
		for range 12 {
			w.sync()
		}
		w.agree()
		if n := len(w.far.follow); len(w.far.calls) != 1 || n < 3 || n > 60 {
			t.Errorf("told %d times, asked %d times", len(w.far.calls), n)
		}
		w.quiet()
	})
}

// TestBadWant: a reading that is not in order would take away what is wanted: it ends the part.
func TestBadWant(t *testing.T) {
	for _, tt := range []struct{ list, why string }{
		{"a/2 a/1", "not in order"}, {"a/1 a/1", "not in order"}, {"b/1 a/2", "not in order"},
		{"a/", "no such key"}, {"a/\x01", "no such key"}, {"a/" + strings.Repeat("x", 701), "no such key"},
	} {
		play(t, func(t *testing.T, w *world) {
			set := w.set()
			set.Want = func(context.Context, publish.Key) iter.Seq2[publish.Record, error] {
				return func(yield func(publish.Record, error) bool) {
					for one := range strings.FieldsSeq(tt.list) {
						if !yield(publish.Record{Key: key(one), Data: data("x")}, nil) {
							return
						}
					}
				}
			}
			var last error
			for _, err := range w.Differences(t.Context(), w.tenant, set) {
				last = err
			}
			if last == nil || !strings.Contains(last.Error(), tt.why) {
				t.Errorf("%q: %v", tt.list, last)
			}
		})
	}
}

// TestTooLarge: a record that cannot be kept is left out, and said; the others go.
func TestTooLarge(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.wants("a/1=x a/3=x")
		w.want[key("a/2")] = strings.Repeat("x", publish.MaxData)
		w.sync()
		w.agree("a/2")
		if p := w.progress(); len(p.Left) != 1 || p.Left[0].Why != "It is larger than 100 kB." {
			t.Errorf("%+v", p)
		}
		w.store.writes.Store(0)
		if w.quiet(); w.store.writes.Load() > 4 {
			t.Errorf("%d writes", w.store.writes.Load())
		}
		delete(w.want, key("a/2"))
		w.sync()
		if w.agree(); w.notable() != "" {
			t.Errorf("notable: %s", w.notable())
		}
		w.want[key("a/2")] = strings.Repeat("x", 50_000)
		w.sync()
		w.agree()
	})
}

// TestErase: nothing is left of what was told.
func TestErase(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.review = 72 * time.Hour
		w.wants("a/1=x")
		w.sync()
		if err := w.Erase(t.Context(), w.tenant, goods); err != nil {
			t.Fatal(err)
		}
		page, err := w.store.Query(t.Context(), table.Query{PK: tenant.Partition(w.tenant) + "#told#" + goods})
		if err != nil || len(page.Items) > 0 {
			t.Errorf("%v, %v", page, err)
		}
	})
}

func TestDivided(t *testing.T) {
	want := publish.Times{Turn: 7500 * time.Millisecond, Call: 2500 * time.Millisecond, Settle: 12 * time.Second}
	if got := publish.DefaultTimes().Divided(10); got != want {
		t.Errorf("%+v", got)
	}
}
