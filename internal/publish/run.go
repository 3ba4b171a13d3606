package publish

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/table"
)

// Sync does a part of a run: it tells the far side what differs, as far as the part's time allows. The part is of a
// kind with a cursor: the error, which is how the part ended, goes back to job.Part.End, and the part comes back by
// itself until the far side has everything, or has said why not. Where another worker does the run, nothing is done.
//
// The tally is that of the whole run so far.
func (p *Publisher) Sync(ctx context.Context, part *job.Part, set Set) (Tally, error) {
	progress, mine, err := p.ledger.TakeProgress(ctx, part.Tenant, set.Name, p.times.Turn)
	if err != nil || !mine {
		return Tally{}, err
	}
	r := &run{Set: set, publisher: p, part: part, progress: progress,
		shelf: shelfOf(p.table, part.Tenant, set.Name, set.Account)}
	if err = r.resume(); err == nil {
		err = r.work(ctx)
	}
	return r.place.Sum, r.end(ctx, err)
}

// run is one part's work on a run.
type run struct {
	Set
	publisher *Publisher
	part      *job.Part
	shelf     shelf
	progress  *ledger.Progress
	place     place // as it is written with progress

	gathered
	most    int    // records a call, as the last refusal has it; 0 = the side's
	refusal int    // calls in a row that were refused for one record
	skipped string // the group whose records are not sent any more in this part …
	skips   bool   // … if there is one
	asked   string // the last AskNow when this part began to ask
	lost    bool   // it is not known what of place is written
}

// place is how far a run is, and what it has to know to go on.
type place struct {
	Run      string    `json:"run"` // of another one, only Sending counts
	Account  string    `json:"account,omitempty"`
	Phase    phase     `json:"phase,omitempty"`
	Pass     int       `json:"pass,omitempty"`
	After    Key       `json:"after,omitzero"` // what comes before is done with
	Gone     bool      `json:"gone,omitempty"` // the pass met records that are not wanted
	Until    time.Time `json:"until,omitzero"` // when the first doubt that it met can be ended
	Sum      Tally     `json:"sum"`
	Failures int       `json:"failures,omitempty"` // calls in a row without a believable answer
	Sending  *sending  `json:"sending,omitempty"`
}

// phase is what a pass is about.
type phase string

const (
	telling  phase = "tell"   // what is wanted and what was told are read side by side
	removing phase = "remove" // what was marked as not wanted goes
)

// sending is a call that is under way: it is on record before it is made, and goes with its answer. One that is found
// later is in doubt.
type sending struct {
	Account string       `json:"account,omitempty"`
	Group   string       `json:"group,omitempty"`
	Records []sentRecord `json:"records"`
	Begun   time.Time    `json:"begun"`
	Ends    time.Time    `json:"ends"` // it takes effect by then and the settle time, or never
}

type sentRecord struct {
	ID   string          `json:"id"`
	Data json.RawMessage `json:"data,omitempty"`
}

// resume reads how far the run is.
func (r *run) resume() error {
	if len(r.progress.Place) > 0 {
		if err := json.Unmarshal(r.progress.Place, &r.place); err != nil {
			return fmt.Errorf("publish %s: %w", r.Name, err)
		}
	}
	if r.place.Run != r.progress.ID || r.place.Account != r.Account {
		r.place = place{Run: r.progress.ID, Account: r.Account, Pass: r.place.Pass, Sending: r.place.Sending}
	}
	return nil
}

// work does the run to its end, or as far as it comes.
func (r *run) work(ctx context.Context) error {
	if err := r.recover(ctx); err != nil {
		return err
	}
	for {
		if err := r.follow(ctx); err != nil {
			return err
		}
		if err := r.pass(ctx); err != nil {
			return err
		}
		ended, err := r.settle(ctx)
		if ended || err != nil {
			return err
		}
	}
}

// recover has what was sent and not answered be in doubt.
func (r *run) recover(ctx context.Context) error {
	s := r.place.Sending
	if s == nil {
		return nil
	}
	left := shelfOf(r.publisher.table, r.part.Tenant, r.Name, s.Account)
	var notes []note
	for _, sent := range s.Records {
		notes = append(notes, note{Key{s.Group, sent.ID}, func(e Entry) Entry {
			return e.doubted(sent.Data, s.Ends.Add(r.publisher.times.Settle))
		}})
	}
	r.place.Sending = nil
	return r.save(ctx, left, notes)
}

// pass does one pass, or the rest of one: first what is wanted is read to its end and told, then goes what was not met.
func (r *run) pass(ctx context.Context) error {
	if r.place.Phase == "" {
		r.begin()
	}
	if r.place.Phase == telling {
		if err := r.tell(ctx); err != nil {
			return err
		}
		r.place.Phase, r.place.After = removing, Key{}
	}
	if r.place.Gone {
		if err := r.remove(ctx); err != nil {
			return err
		}
	}
	r.place.Phase, r.place.After = "", Key{}
	return nil
}

// begin begins a pass. It answers whoever asked before.
func (r *run) begin() {
	r.place.Phase, r.place.Pass, r.place.After = telling, r.place.Pass+1, Key{}
	r.place.Gone, r.place.Until, r.place.Sum = false, time.Time{}, r.place.Sum.sent()
	p := r.progress
	p.Begun = job.Latest(time.Now(), p.Asked)
	p.Done, p.Of, p.Left = 0, r.Of, nil
}

// sent is the part of a tally that a new pass goes on counting.
func (t Tally) sent() Tally { return Tally{New: t.New, Changed: t.Changed, Gone: t.Gone} }

// passName marks what a pass did not find wanted.
func (r *run) passName() string { return fmt.Sprintf("%s/%d", r.place.Run, r.place.Pass) }

// lookAt is after how many records it is looked at the time that is left.
const lookAt = 100

// tell reads what is wanted and what was told side by side, to the end of both.
func (r *run) tell(ctx context.Context) error {
	return r.each(ctx, func() error {
		n := 0
		for m, err := range r.publisher.merge(ctx, r.part.Tenant, r.Set, r.place.After) {
			if err == nil && n%lookAt == 0 {
				err = r.short(ctx)
			}
			if err == nil {
				err = r.meet(ctx, m)
			}
			if err != nil {
				return err
			}
			n++
		}
		return r.flush(ctx)
	})
}

// remove tells that the records which the pass has marked are to go.
func (r *run) remove(ctx context.Context) error {
	return r.each(ctx, func() error {
		n := 0
		for e, err := range r.shelf.entries(ctx, r.place.After) {
			if err == nil && n%lookAt == 0 {
				err = r.short(ctx)
			}
			if n++; err == nil && e.Pass == r.passName() {
				err = r.meetGone(ctx, meeting{Key: e.Key, entry: e.Entry, chunk: e.chunk})
			}
			if err != nil {
				return err
			}
			r.passed = e.Key
		}
		return r.flush(ctx)
	})
}

// each does a phase, again from its place on where a call was refused that had several records: it had too many.
func (r *run) each(ctx context.Context, do func() error) error {
	for {
		r.gathered = gathered{}
		err := do()
		if !errors.Is(err, errFewer) {
			return err
		}
	}
}

// short is job.ErrShort where no more calls can be made; what needs none is kept then. Else it keeps the turn.
func (r *run) short(ctx context.Context) error {
	err := r.part.Short(ctx)
	switch {
	case err != nil && len(r.batch) == 0 && r.passed != (Key{}):
		return cmp.Or(r.flush(ctx), err)
	case err == nil && time.Until(r.progress.Turn.Until) < r.publisher.times.Turn/2:
		return r.save(ctx, r.shelf, nil)
	}
	return err
}

// settle looks at what the far side still has to say, after a pass. The run ends if there is nothing.
func (r *run) settle(ctx context.Context) (ended bool, err error) {
	if r.progress.Asked.After(r.progress.Begun) { // what somebody waits for goes first
		return false, nil
	}
	now := time.Now()
	next, why := r.place.Until, ""
	if !next.IsZero() {
		why = fmt.Sprintf("What became of %s of the %s is not known. They are sent again when what was sent before "+
			"can take effect no more.", prose.Count(r.place.Sum.Unknown), r.Title)
	}
	asks, err := r.nextAsk(ctx, now)
	if err != nil {
		return false, err
	}
	if !asks.IsZero() && (next.IsZero() || asks.Before(next)) {
		next, why = asks, "The "+r.Title+" were sent. Their result is awaited."
	}
	switch {
	case next.IsZero():
		return r.finish(ctx)
	case next.After(now):
		if most := now.Add(r.part.Times().Longest); next.After(most) {
			next = most
		}
		return false, &ledger.Later{At: next.UTC(), Why: why}
	}
	return false, nil
}

// finish ends the run, unless somebody asked for it since its last pass began.
func (r *run) finish(ctx context.Context) (bool, error) {
	r.progress.Problem = ""
	if n := r.place.Sum.Unsent; n > 0 {
		r.progress.Problem = fmt.Sprintf("%s of the %s were not sent, as one after another was refused. The next run "+
			"tries them.", prose.Count(n), r.Title)
	}
	if err := r.note(); err != nil {
		return false, err
	}
	ended, err := r.publisher.ledger.EndProgress(ctx, r.progress)
	if r.lost = err != nil; r.lost || !ended {
		return ended, err
	}
	if cur := r.part.Cursor; cur != nil && cur.Checked.Before(cur.Started) { // no window of the part has closed it
		err = r.part.Close(ctx, time.Time{})
	}
	return true, err
}

// end gives the turn back where the run goes on later, with what people should know of that.
func (r *run) end(ctx context.Context, err error) error {
	switch {
	case err == nil, errors.Is(err, ledger.ErrBehind), !r.progress.IsOpen():
		return err
	case r.lost: // what is written would hide what is not: the turn ends by itself
		return err
	}
	err = r.part.Waits(ctx, r.progress, &r.place.Failures, err, "The rest of the "+r.Title+" goes by itself.")
	ctx = context.WithoutCancel(ctx) // the turn goes back though the invocation is over
	perr := r.note()
	if perr == nil {
		perr = r.publisher.ledger.PauseProgress(ctx, r.progress)
	}
	if perr != nil && !errors.Is(perr, ledger.ErrBehind) {
		return errors.Join(perr, err)
	}
	return err
}

// note puts the place into the progress that is written next.
func (r *run) note() (err error) {
	r.progress.Result = r.place.Sum.counts()
	r.progress.Place, err = json.Marshal(r.place)
	return err
}

// save writes changes of entries of a shelf together with how far the run is: both, or neither.
func (r *run) save(ctx context.Context, at shelf, notes []note, beside ...table.Op) error {
	if err := r.note(); err != nil {
		return err
	}
	err := table.RetryOnConflict(ctx, func() error {
		ops, err := at.writes(ctx, notes)
		if err != nil {
			return err
		}
		err = r.publisher.ledger.SaveProgress(ctx, r.progress, r.publisher.times.Turn, append(ops, beside...)...)
		if errors.Is(err, ledger.ErrBeside) { // a person decided something meanwhile
			return table.ErrConflict
		}
		return err
	})
	if r.lost = err != nil; r.lost {
		return fmt.Errorf("publish %s: %w", r.Name, err)
	}
	return nil
}
