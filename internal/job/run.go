package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
)

// Run is one part's work on a run: long work that people follow by its progress, done in stages.
type Run struct {
	Part     *Part
	Progress *ledger.Progress
	Place    *Place // the part of the pair's place that every run has
	Turn     time.Duration

	whole Placed // as it is written with the progress
	lost  bool   // it is not known what of it is written
}

// Place is how far a run is.
type Place struct {
	Run      string         `json:"run"`
	Account  string         `json:"account"` // whose run it is: what was done for another account does not count
	Stage    string         `json:"stage,omitempty"`
	After    string         `json:"after,omitempty"` // how far the stage is
	Set      string         `json:"set,omitempty"`   // the run of a published set that the stage waits for
	Failures int            `json:"failures,omitempty"`
	Counts   map[string]int `json:"counts,omitempty"` // what the run came to
}

// Placed is a place with what a pair adds to it: a struct that embeds Place.
type Placed interface {
	Core() *Place // promoted from Place
	Reset()       // empties all but what holds for the next run too
}

// Core implements Placed.
func (p *Place) Core() *Place { return p }

// Stage is a piece of a run. Its work returns nil when it is done, else what holds it up. It may break off anywhere,
// and is then done again from where the place stands.
type Stage struct {
	Name string // in the place
	Work func(context.Context) error
}

// TakeRun takes the turn of the run of the part's kind for an account: of the one that is under way, which goes on at
// its place, or of a new one. It is nil where another worker has the turn, which lasts as long as the invocation, and
// at least as long as turn.
func (p *Part) TakeRun(ctx context.Context, account string, place Placed, turn time.Duration) (*Run, error) {
	if d, ok := ctx.Deadline(); ok {
		turn = max(turn, time.Until(d)+turn/10)
	}
	progress, mine, err := p.runner.Ledger.TakeProgress(ctx, p.Tenant, p.Kind.Name, turn)
	if err != nil || !mine {
		return nil, err
	}
	p.turn = true
	r := &Run{Part: p, Progress: progress, Place: place.Core(), whole: place, Turn: turn}
	if len(progress.Place) > 0 {
		if err := json.Unmarshal(progress.Place, place); err != nil {
			return nil, fmt.Errorf("run of %s: %w", p.Kind.Name, err)
		}
	}
	if r.Place.Run != progress.ID || r.Place.Account != account {
		r.reset(account)
	}
	return r, nil
}

// Do does the stages in order, from the one where the run is, and ends the run after the last. Where somebody asked for
// it since it was begun, it is done once more.
func (r *Run) Do(ctx context.Context, stages []Stage) error {
	for {
		at := slices.IndexFunc(stages, func(s Stage) bool { return s.Name == r.Place.Stage })
		if at < 0 {
			at = 0
			r.begin()
			if err := r.enter(ctx, stages[0].Name); err != nil {
				return err
			}
		}
		if err := r.Part.Short(ctx); err != nil {
			return err
		}
		if err := stages[at].Work(ctx); err != nil {
			return err
		}
		r.Place.Failures = 0
		next := r.Place.Stage
		switch {
		case next != stages[at].Name: // the stage chose it
		case at < len(stages)-1:
			next = stages[at+1].Name
		default:
			if ended, err := r.finish(ctx); ended || err != nil {
				return err
			}
			r.Place.Stage = "" // it is asked for
			continue
		}
		if err := r.enter(ctx, next); err != nil {
			return err
		}
	}
}

// begin begins the stages. They answer whoever asked before.
func (r *Run) begin() {
	p := r.Progress
	p.Begun = Latest(time.Now(), p.Asked)
	p.Done, p.Left, p.Result = 0, nil, nil
	r.reset(r.Place.Account)
}

func (r *Run) reset(account string) {
	r.whole.Reset()
	r.Place.Run, r.Place.Account = r.Progress.ID, account
}

// enter goes to a stage, and has that on record.
func (r *Run) enter(ctx context.Context, stage string) error {
	r.GoTo(stage)
	return r.Save(ctx)
}

// GoTo has a stage be done next, from its beginning.
func (r *Run) GoTo(stage string) { r.Place.Stage, r.Place.After, r.Place.Set = stage, "", "" }

// finish ends the run, unless somebody asked for it since it was begun.
func (r *Run) finish(ctx context.Context) (ended bool, err error) {
	r.Progress.Problem = ""
	if err := r.note(); err != nil {
		return false, err
	}
	ended, err = r.Part.runner.Ledger.EndProgress(ctx, r.Progress)
	if r.lost = err != nil; r.lost || !ended {
		return ended, err
	}
	if cur := r.Part.Cursor; cur.Checked.Before(cur.Started) {
		err = r.Part.close(ctx, time.Time{}, r.Progress.Begun)
	}
	return true, err
}

// End ends the part: err is what Do returned, and what End returns is for Part.End. Where the run goes on later, it
// gives the turn back, and notes for people what the run waits for: what err says, or, where err is nil, what Wait was
// told.
func (r *Run) End(ctx context.Context, err error) error {
	if errors.Is(err, ledger.ErrBehind) || r.lost || !r.Progress.IsOpen() {
		return err
	}
	if err != nil {
		err = r.Part.Waits(ctx, r.Progress, &r.Place.Failures, err, "It goes on by itself.")
	}
	perr := r.note()
	if perr == nil { // the turn goes back though the invocation is over
		perr = r.Part.runner.Ledger.PauseProgress(context.WithoutCancel(ctx), r.Progress)
	}
	if perr != nil && !errors.Is(perr, ledger.ErrBehind) {
		return errors.Join(perr, err)
	}
	return err
}

// Wait notes for people why the run waits.
func (r *Run) Wait(why string) { r.Progress.State, r.Progress.Problem = ledger.ProgressWaiting, why }

// Waits reads what holds up long work, as Verdict does, and notes it in the work's progress for people. No believable
// answer is waited for longer after each of so many failures in a row, and not until the schedule comes: rest says so.
func (p *Part) Waits(ctx context.Context, work *ledger.Progress, failures *int, err error, rest string) error {
	work.Problem = ""
	if errors.Is(err, ErrShort) { // it goes on at once
		return err
	}
	err = p.Verdict(ctx, err)
	if down, ok := errors.AsType[*ledger.Down](err); ok {
		wait := Backoff(*failures, p.Times().MinRetry, p.Times().Longest)
		*failures++
		err = &ledger.Later{At: time.Now().Add(wait).UTC(), Who: down.Who, Ended: ledger.NoAnswer,
			Why: down.Why + " " + rest}
	}
	switch out := err.(type) {
	case *ledger.Later:
		work.State, work.Problem = ledger.ProgressWaiting, out.Why
	case *ledger.Park:
		work.State, work.Problem = ledger.ProgressWaiting, out.Why
	}
	return err
}

// Save writes how far the run is, with other writes that are to stand only if it does.
func (r *Run) Save(ctx context.Context, beside ...table.Op) error {
	if err := r.note(); err != nil {
		return err
	}
	err := r.Part.runner.Ledger.SaveProgress(ctx, r.Progress, r.Turn, beside...)
	if r.lost = err != nil; r.lost {
		return fmt.Errorf("run of %s: %w", r.Part.Kind.Name, err)
	}
	return nil
}

// note puts the place into the progress that is written next.
func (r *Run) note() (err error) {
	result := map[string]int{}
	maps.Copy(result, r.Progress.Result)
	maps.Copy(result, r.Place.Counts)
	r.Progress.Result = result
	r.Progress.Place, err = json.Marshal(r.whole)
	return err
}

// Count adds to what the run came to.
func (r *Run) Count(name string, n int) {
	if n == 0 {
		return
	}
	if r.Place.Counts == nil {
		r.Place.Counts = map[string]int{}
	}
	r.Place.Counts[name] += n
}
