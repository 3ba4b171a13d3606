package mirror

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// Pass is one reading of all that a mirror holds of a connection: the books, one after another, then the lists. It
// takes as many parts of the job as it needs, each of which goes on where the one before stopped.
//
// A pass reads everything, whatever its time of change: a filter by that would not show what is gone. What it has not
// seen is removed at the end of a list, if it has seen as many records as the vendor says there are; else a row moved
// between two pages unseen, and the next pass decides. One that goes while the pages are read makes those after it
// move up, and one that comes makes good the number: where something seems to be gone from a list of several pages,
// all of them are read once more first.
type Pass struct {
	Tenants *tenant.Store
	System  tenant.System // whose records they are; how far the pass is stands beside the connection to it
	Lease   time.Duration // for which a worker has the turn, unless it asks for more

	Books []Book
	Keep  func(context.Context) error // writes all books, as one item
	Lists []List
	Fold  int  // the way of folding names; rows of a mirror that has another are all written anew
	Rows  int  // changes with the kinds of rows that a record has; a mirror remembers those that it has whole
	Anew  bool // what was read before cannot be used: it is read from the first book on
}

// Book is a small list that an order needs whole.
type Book struct {
	Name  string // as State.Step has it
	Title string // what it holds: "Reading its tax rules goes on by itself."
	Read  func(context.Context) error
}

// List is a list of records, of which rows are kept.
type List struct {
	Name, Title string   // as a book's
	Kind        string   // of its rows: each record has one
	More        []string // other kinds of rows that a record may have
	Numbered    []string // of these, the kinds of numbered ones
	// Page reads the nth page, from 1, of as many records as usual or one part of so many of them. ErrLarge has it
	// divided into more.
	Page func(ctx context.Context, n, parts int) (Page, error)
}

// Page is a page of a list.
type Page struct {
	Rows  []Row // of all kinds
	Total int   // records that the list has, as the vendor says
	More  bool
}

// Result is what a part of a pass came to.
type Result struct {
	Whole   bool // the pass is complete
	First   bool // and none was before
	Removed int  // records that are gone; none is said while the pass goes on
}

// ErrLarge is the error of a page that is too large to be read at once.
var ErrLarge = errors.New("the page is too large")

// ErrMoved ends a part of a pass: its connection was taken away, or has another key, or does not work any more.
var ErrMoved = errors.New("the connection is another one by now")

// Moved is ErrMoved where a connection is not any more as it was when a part began.
func Moved(now, was tenant.Connection) error {
	if now.Generation != was.Generation || now.State != tenant.Connected {
		return ErrMoved
	}
	return nil
}

// Read does a part of a pass. Where it does not come to the end, the part comes back by itself when the vendor and
// the time allow it. Nothing is done where another worker reads with the same key.
func (s *Store) Read(ctx context.Context, part *job.Part, pass Pass) (Result, error) {
	conn := part.Bundle.Connections[pass.System]
	r := &reading{Pass: pass, store: s, part: part, conn: conn, state: Progress.Of(conn)}
	r.steps = r.stepsOf()
	r.name = string(pass.System) + "#" + strconv.Itoa(conn.Generation) // a new key does not wait for the old one's turn
	if pass.Anew {
		r.state.Step = ""
	}
	r.first = r.state.Ready.IsZero()
	var mine bool
	var err error
	now := part.Now()
	if r.turn, mine, err = s.takeTurn(ctx, part.Tenant, r.name, now, now.Add(pass.Lease)); err != nil || !mine {
		return Result{}, err
	}
	return r.end(ctx, r.run(ctx))
}

// reading is one part's work on a pass.
type reading struct {
	Pass
	steps    []step
	store    *Store
	part     *job.Part
	conn     tenant.Connection // as it was when the part began
	state    State             // how far the pass is
	first    bool              // no pass was complete before
	name     string            // of the turn
	turn     turn
	unsaved  bool // books were read and not written
	progress bool // a call succeeded
	removed  int
}

func (r *reading) run(ctx context.Context) error {
	at := r.at()
	if at < 0 {
		at = 0
		r.state = r.begun()
	}
	if r.state.Ready.IsZero() {
		r.state.State = Reading
	}
	for ; at < len(r.steps); at++ {
		if r.state.Step != r.steps[at].name {
			r.goTo(at)
		}
		if err := r.steps[at].read(ctx, at); err != nil {
			return err
		}
	}
	return nil
}

// step is one of the books or lists, in the order in which they are read.
type step struct {
	name, title string
	read        func(ctx context.Context, at int) error
}

// stepsOf are the steps of the pass.
func (r *reading) stepsOf() (all []step) {
	for _, b := range r.Books {
		read := func(ctx context.Context, at int) error { return r.book(ctx, b, at) }
		all = append(all, step{b.Name, b.Title, read})
	}
	for _, l := range r.Lists {
		read := func(ctx context.Context, at int) error { return r.list(ctx, l, at) }
		all = append(all, step{l.Name, l.Title, read})
	}
	return all
}

// at is the place of what is being read among the steps; -1 = no pass is under way.
func (r *reading) at() int {
	return slices.IndexFunc(r.steps, func(s step) bool { return s.name == r.state.Step })
}

// title is what is being read, in a sentence.
func (r *reading) title() string {
	if at := r.at(); at >= 0 {
		return r.steps[at].title
	}
	return "list"
}

// begun is the state of a pass that begins.
func (r *reading) begun() State {
	was := r.state
	started := r.part.Now().UTC().Truncate(time.Second)
	m := State{State: was.State, Ready: was.Ready, Started: started, Page: 1, Fold: was.Fold}
	if m.Fold != r.Fold {
		m.Fold = -r.Fold
	}
	if m.Rows = was.Rows; m.Rows != r.Rows {
		m.Rows = -r.Rows
	}
	return m
}

// goTo begins a step.
func (r *reading) goTo(at int) {
	m := &r.state
	m.Step, m.Page, m.Read, m.Total, m.Noted, m.First, m.Divided = r.steps[at].name, 1, 0, 0, 0, 0, 0
}

// book reads a book. Books are written after each only while somebody waits for the first pass.
func (r *reading) book(ctx context.Context, b Book, at int) error {
	if err := r.call(ctx, b.Read); err != nil {
		if r.unsaved {
			return cmp.Or(r.keep(ctx), err)
		}
		return err
	}
	r.unsaved = true
	if last := at == len(r.Books)-1; !last && !r.state.Ready.IsZero() {
		return nil
	}
	if err := r.keep(ctx); err != nil {
		return err
	}
	r.state.Problem = ""
	return r.advance(ctx, at)
}

func (r *reading) keep(ctx context.Context) error {
	err := r.Keep(ctx)
	r.unsaved = err != nil
	return err
}

// list reads the rest of a list, page by page.
func (r *reading) list(ctx context.Context, l List, at int) error {
	lr := &listReading{reading: r, List: l}
	if err := lr.begin(ctx); err != nil {
		return err
	}
	for {
		more, err := lr.page(ctx)
		if err == nil && !more {
			more, err = lr.again(ctx)
		}
		if err != nil {
			return err
		}
		if !more {
			break
		}
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	if lr.proves() {
		if err := lr.remove(ctx); err != nil {
			return err
		}
	}
	return r.advance(ctx, at)
}

// advance goes to the next step, or completes the pass.
func (r *reading) advance(ctx context.Context, at int) error {
	if next := at + 1; next < len(r.steps) {
		r.goTo(next)
		return r.save(ctx)
	}
	m := &r.state
	m.State, m.Ready, m.Step, m.Page = Ready, r.part.Now().UTC().Truncate(time.Second), "", 0
	if m.Fold == -r.Fold {
		m.Fold = r.Fold
	}
	if m.Rows == -r.Rows {
		m.Rows = r.Rows
	}
	return r.save(ctx)
}

// save writes down how far the pass is, unless the connection is another one by now.
func (r *reading) save(ctx context.Context) error {
	_, err := Progress.Change(ctx, r.Tenants, r.part.Tenant, r.System, func(c tenant.Connection, s *State) error {
		if err := Moved(c, r.conn); err != nil {
			return err
		}
		if s.Ready.After(r.state.Ready) { // another part's pass is complete
			r.state.Ready, r.state.State = s.Ready, s.State
		}
		*s = r.state
		return nil
	})
	if errors.Is(err, tenant.ErrNotFound) {
		return ErrMoved
	}
	return err
}

// call makes a call, under a turn that outlasts it.
func (r *reading) call(ctx context.Context, f func(context.Context) error) error {
	if now := r.part.Now(); r.turn.Until.Sub(now) < r.Lease/2 {
		r.turn.Until = now.Add(r.Lease).UTC()
		if err := r.store.saveTurn(ctx, r.part.Tenant, r.name, r.turn); err != nil {
			return err
		}
	}
	err := r.part.Call(ctx, f)
	r.progress = r.progress || err == nil
	return err
}

// end gives the turn back, and has the part come back where the pass goes on.
func (r *reading) end(ctx context.Context, err error) (Result, error) {
	if r.progress {
		r.turn.Failures = 0
	}
	next, rerr := r.goesOn(ctx, err)
	r.turn.Until = r.part.Now().Add(next.delay - time.Second).UTC() // the message must find it over
	if terr := r.store.saveTurn(context.WithoutCancel(ctx), r.part.Tenant, r.name, r.turn); terr != nil {
		return Result{}, cmp.Or(rerr, terr)
	}
	switch {
	case rerr != nil:
		return Result{}, rerr
	case !next.does:
		return Result{Whole: err == nil, First: err == nil && r.first, Removed: r.removed}, nil
	}
	r.state.Problem = next.problem
	if err := r.save(ctx); errors.Is(err, ErrMoved) {
		return Result{}, nil
	} else if err != nil {
		return Result{}, err
	}
	return Result{}, r.part.Again(ctx, next.delay)
}

// goingOn is how a pass goes on, if it does, and what a person should know of that.
type goingOn struct {
	does    bool
	delay   time.Duration
	problem string
}

// goesOn reads how the part ended.
func (r *reading) goesOn(ctx context.Context, err error) (goingOn, error) {
	switch {
	case err == nil, errors.Is(err, ErrMoved):
		return goingOn{}, nil
	case errors.Is(err, job.ErrShort) && r.progress:
		return goingOn{does: true}, nil
	case errors.Is(err, job.ErrShort):
		return goingOn{does: true, delay: r.part.Times().MinRetry}, nil
	}
	says := " Reading its " + r.title() + " goes on by itself."
	switch out := r.part.Verdict(ctx, err).(type) {
	case *ledger.Later:
		return goingOn{true, max(out.At.Sub(r.part.Now()), 0), out.Why + says}, nil
	case *ledger.Park: // whoever saves a new key starts it again
		return goingOn{}, nil
	case *ledger.Down:
		r.turn.Failures++
		times := r.part.Times()
		return goingOn{true, job.Backoff(r.turn.Failures-1, times.MinRetry, times.Longest), out.Why + says}, nil
	default:
		return goingOn{}, out
	}
}
