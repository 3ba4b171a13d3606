package joorcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"stockbridge/internal/cin7omni"
	"stockbridge/internal/job"
	"stockbridge/internal/joor"
	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Progress is a piece of long work.
type Progress = ledger.Progress

// Every job of the pair is long work: it has stages, which are done in order over one progress. A stage that breaks off
// is done again from where it stood, by whoever does the next part; each is safe to repeat.

// stage is one step of a run. Its work returns nil when it is done, and else what holds it up.
type stage struct {
	name string
	work func(*run, context.Context) error
}

// run is one part's work on a run.
type run struct {
	*Pair
	part     *job.Part
	stages   []stage
	progress *ledger.Progress
	place    place // as it is written with progress
	turn     time.Duration
	lost     bool // it is not known what of place is written

	b          tenant.Bundle
	account    string
	rules      customer.Rules
	touched    map[string]bool // contacts whose rows are to be made anew
	touchedAll bool
	noted      table.Key // see unsure; zero = there is none
}

// place is how far a run is.
type place struct {
	Run      string         `json:"run"`
	Account  string         `json:"account"`
	Stage    string         `json:"stage,omitempty"`
	After    string         `json:"after,omitempty"` // within the stage
	Since    time.Time      `json:"since,omitzero"`  // when the run began to answer those who asked
	Set      string         `json:"set,omitempty"`   // the run of the set that the stage waits for
	Pages    int            `json:"pages,omitempty"` // read, of a list
	Failures int            `json:"failures,omitempty"`
	Counts   map[string]int `json:"counts,omitempty"`
	Choices  joor.Choices   `json:"choices,omitzero"` // what JOOR's connections bear, as far as they are read
}

// long is what does a job in stages.
func (p *Pair) long(stages ...stage) func(context.Context, *job.Part) error {
	return func(ctx context.Context, part *job.Part) error {
		turn := p.Times.Publish.Turn
		if d, ok := ctx.Deadline(); ok { // a set's run may take as long
			turn = max(turn, time.Until(d)+p.Times.Publish.Turn/10)
		}
		progress, mine, err := p.Ledger.TakeProgress(ctx, part.Tenant, part.Kind.Name, turn)
		if err != nil || !mine {
			return err
		}
		r := &run{Pair: p, part: part, stages: stages, progress: progress, turn: turn, b: part.Bundle,
			account: accountOf(part.Bundle), touched: map[string]bool{}}
		if err = r.resume(ctx); err == nil {
			err = r.work(ctx)
		}
		return r.end(ctx, err)
	}
}

// resume reads how far the run is.
func (r *run) resume(ctx context.Context) (err error) {
	if len(r.progress.Place) > 0 {
		if err := json.Unmarshal(r.progress.Place, &r.place); err != nil {
			return fmt.Errorf("run of %s: %w", r.part.Kind.Name, err)
		}
	}
	if r.place.Run != r.progress.ID || r.place.Account != r.account {
		r.place = place{Run: r.progress.ID, Account: r.account}
	}
	r.rules, err = r.rulesOf(ctx, r.b)
	return err
}

// work does the run to its end, or as far as it comes.
func (r *run) work(ctx context.Context) error {
	for {
		at := slices.IndexFunc(r.stages, func(s stage) bool { return s.name == r.place.Stage })
		if at < 0 {
			at = 0
			r.begin()
			if err := r.save(ctx); err != nil {
				return err
			}
		}
		for ; at < len(r.stages); at++ {
			if r.place.Stage != r.stages[at].name {
				r.enter(r.stages[at].name)
				if err := r.save(ctx); err != nil {
					return err
				}
			}
			if err := cmp.Or(r.part.Short(ctx), r.stages[at].work(r, ctx)); err != nil {
				return err
			}
			r.place.Failures = 0
		}
		if ended, err := r.finish(ctx); ended || err != nil {
			return err
		}
		r.place.Stage = "" // somebody asked since it was begun
	}
}

// begin begins the stages. They answer whoever asked before.
func (r *run) begin() {
	r.progress.Begun = job.Latest(time.Now(), r.progress.Asked)
	r.progress.Done, r.progress.Of, r.progress.Left, r.progress.Result = 0, 0, nil, nil
	r.place.Counts, r.place.Since = nil, r.progress.Begun.UTC()
	r.enter(r.stages[0].name)
}

// enter goes to a stage.
func (r *run) enter(stage string) { r.place.Stage, r.place.After, r.place.Set = stage, "", "" }

// finish ends the run, unless somebody asked for it since it was begun.
func (r *run) finish(ctx context.Context) (bool, error) {
	r.progress.Problem = ""
	if err := r.note(); err != nil {
		return false, err
	}
	ended, err := r.Ledger.EndProgress(ctx, r.progress)
	if r.lost = err != nil; r.lost || !ended {
		return ended, err
	}
	if cur := r.part.Cursor; cur.Checked.Before(cur.Started) {
		err = r.part.Close(ctx, time.Time{})
	}
	return true, err
}

// end gives the turn back where the run goes on later, with what people should know of that. What was touched shows in
// the lists, however the part ended.
func (r *run) end(ctx context.Context, err error) error {
	kept := context.WithoutCancel(ctx) // the turn goes back though the invocation is over
	if serr := r.restandTouched(kept); serr != nil && err == nil {
		err = serr
	}
	if errors.Is(err, ledger.ErrBehind) || err == nil || r.lost || !r.progress.IsOpen() {
		return err
	}
	err = r.outcome(ctx, err)
	perr := r.note()
	if perr == nil {
		perr = r.Ledger.PauseProgress(kept, r.progress)
	}
	if perr != nil && !errors.Is(perr, ledger.ErrBehind) {
		return errors.Join(perr, err)
	}
	return err
}

// outcome reads how the part ended, and notes for people what the run waits for. No answer is waited for longer each
// time, and not until the schedule comes.
func (r *run) outcome(ctx context.Context, err error) error {
	if errors.Is(err, job.ErrShort) { // it goes on at once
		return err
	}
	err = r.part.Verdict(ctx, err)
	if down, ok := errors.AsType[*ledger.Down](err); ok {
		times := r.part.Times()
		wait := job.Backoff(r.place.Failures, times.MinRetry, times.Longest)
		r.place.Failures++
		err = &ledger.Later{At: time.Now().Add(wait).UTC(), Who: down.Who, Ended: ledger.NoAnswer,
			Why: down.Why + " It goes on by itself."}
	}
	switch out := err.(type) {
	case *ledger.Later:
		r.progress.State, r.progress.Problem = ledger.ProgressWaiting, out.Why
	case *ledger.Park:
		r.progress.State, r.progress.Problem = ledger.ProgressWaiting, out.Why
	}
	return err
}

// note puts the place into the progress that is written next.
func (r *run) note() (err error) {
	result := maps.Clone(r.progress.Result)
	for name, n := range r.place.Counts {
		if result == nil {
			result = map[string]int{}
		}
		result[name] = n
	}
	r.progress.Result = result
	r.progress.Place, err = json.Marshal(r.place)
	return err
}

// save writes how far the run is.
func (r *run) save(ctx context.Context) error {
	if err := r.note(); err != nil {
		return err
	}
	err := r.Ledger.SaveProgress(ctx, r.progress, r.turn)
	if r.lost = err != nil; r.lost {
		return fmt.Errorf("run of %s: %w", r.part.Kind.Name, err)
	}
	return nil
}

// count adds to what the run came to.
func (r *run) count(name string, n int) {
	if n == 0 {
		return
	}
	if r.place.Counts == nil {
		r.place.Counts = map[string]int{}
	}
	r.place.Counts[name] += n
}

// omni is a client of the contacts' account. Its calls are of the first class, as those to JOOR: either account is
// called by this pair alone, and what people wait for is among them.
func (r *run) omni(ctx context.Context) (*cin7omni.Client, error) {
	conn := r.b.Connections[tenant.Cin7Omni]
	secrets, err := r.Vendors.Secrets(ctx, conn)
	if err != nil {
		return nil, err
	}
	return r.Omni(conn, secrets, true), nil
}

// ask asks for a piece of long work, and starts it.
func (p *Pair) ask(ctx context.Context, b tenant.Bundle, kind string) (*Progress, error) {
	progress, err := p.Ledger.AskProgress(ctx, b.Tenant.ID, kind)
	if err != nil {
		return nil, err
	}
	return progress, p.Runner.Kick(ctx, b.Tenant.ID, kind)
}
