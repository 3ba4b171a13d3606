package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/order"
)

// A run of a job of the catalogue has stages, which are done in order over one progress. A stage that breaks off is
// done again from where it stood, by whoever does the next part; each is safe to repeat. What is told to Upstock is
// told by package publish, whose sets have a progress of their own: a stage asks for a run of a set and is done when
// that one is.

// catalogStage is one step of a run. Its work returns nil when it is done, and else what holds it up.
type catalogStage struct {
	name string
	work func(*catalogRun, context.Context) error
}

// stagesOf are the stages of a job. Tiers are read after customers, who have them by name.
func stagesOf(kind string) []catalogStage {
	prices := []catalogStage{
		{"lists", (*catalogRun).tellLists}, {"prices", (*catalogRun).tellPrices},
		{"customers", (*catalogRun).tellCustomers}, {"unused", (*catalogRun).removeLists},
		{"forget", (*catalogRun).forgetPrices},
	}
	switch kind {
	case JobProducts:
		return []catalogStage{
			{"read", (*catalogRun).readProducts}, {"tiers", (*catalogRun).nameTiers},
			{"learn", (*catalogRun).learnProducts},
			{"choose", (*catalogRun).chooseProducts}, {"new", (*catalogRun).chooseNew},
			{"products", (*catalogRun).tellProducts},
		}
	case JobCustomers:
		return append([]catalogStage{
			{"read", (*catalogRun).readCustomers}, {"tiers", (*catalogRun).nameTiers},
			{"learn", (*catalogRun).learnCustomers},
			{"choose", (*catalogRun).chooseCustomers}, {"match", (*catalogRun).matchCustomers},
			{"link", (*catalogRun).linkCustomers},
		}, prices...)
	}
	return append([]catalogStage{
		{"readProducts", (*catalogRun).readProducts}, {"read", (*catalogRun).readCustomers},
		{"tiers", (*catalogRun).nameTiers},
		{"products", (*catalogRun).tellProducts}, // a product's default price is one of its fields
	}, prices...)
}

// ownSet is the set whose counts are those of a run of the kind.
func ownSet(kind string) string {
	return map[string]string{JobProducts: setProducts, JobCustomers: setCustomers, JobPrices: setPrices}[kind]
}

// catalogRun is one part's work on a run.
type catalogRun struct {
	*Pair
	part     *job.Part
	progress *ledger.Progress
	place    catalogPlace // as it is written with progress
	turn     time.Duration
	lost     bool // it is not known what of place is written

	account  string
	settings catalogue.Settings
	upstock  *upstock.Client
}

// catalogPlace is how far a run is.
type catalogPlace struct {
	Run      string         `json:"run"`
	Account  string         `json:"account"`
	Stage    string         `json:"stage,omitempty"`
	After    string         `json:"after,omitempty"` // within the stage
	Since    time.Time      `json:"since,omitzero"`  // of the stage, where it needs it
	Wish     string         `json:"wish,omitempty"`  // of which After is the place
	Set      string         `json:"set,omitempty"`   // the run of a set that the stage waits for
	Failures int            `json:"failures,omitempty"`
	Unread   int            `json:"unread,omitempty"` // parts in a row that found own prices unread
	Asked    bool           `json:"asked,omitempty"`  // people asked for the run
	Basis    string         `json:"basis,omitempty"`  // what the match stood on when it began
	Odd      []string       `json:"odd,omitempty"`    // names of tiers that there were not when they were last read
	Counts   map[string]int `json:"counts,omitempty"` // what the stages before those of sets came to

	Gone   bool           `json:"gone,omitempty"`   // lists went, whose prices are to be forgotten
	Early  bool           `json:"early,omitempty"`  // customers wait for lists that were not told yet
	Again  int            `json:"again,omitempty"`  // how often lists were told once more for that
	Wanted map[string]int `json:"wanted,omitempty"` // records that the last run of a set found, whichever run's
}

// syncCatalog does a part of a run of a job of the catalogue.
func (p *Pair) syncCatalog(ctx context.Context, part *job.Part) error {
	turn := p.Times.Publish.Turn
	if d, ok := ctx.Deadline(); ok { // a set's run may take as long
		turn = max(turn, time.Until(d)+p.Times.Publish.Turn/10)
	}
	progress, mine, err := p.Ledger.TakeProgress(ctx, part.Tenant, part.Kind.Name, turn)
	if err != nil || !mine {
		return err
	}
	r := &catalogRun{Pair: p, part: part, progress: progress, turn: turn, account: catalogAccount(part.Bundle),
		settings: catalogue.SettingsOf(part.Bundle.Settings)}
	paused := FlowPaused(part.Bundle, order.CatalogueFlow)
	if err = r.resume(ctx); err == nil && paused == "" {
		err = r.work(ctx)
	}
	return r.end(ctx, err, paused)
}

// resume reads how far the run is.
func (r *catalogRun) resume(ctx context.Context) error {
	if len(r.progress.Place) > 0 {
		if err := json.Unmarshal(r.progress.Place, &r.place); err != nil {
			return fmt.Errorf("run of %s: %w", r.part.Kind.Name, err)
		}
	}
	if r.place.Run != r.progress.ID || r.place.Account != r.account {
		r.place = catalogPlace{Run: r.progress.ID, Account: r.account, Wanted: r.place.Wanted}
	}
	conn := r.part.Bundle.Connections[tenant.Upstock]
	secrets, err := r.Vendors.Secrets(ctx, conn)
	if err != nil {
		return err
	}
	r.upstock = r.Upstock(conn, secrets, false)
	return nil
}

// work does the run to its end, or as far as it comes.
func (r *catalogRun) work(ctx context.Context) error {
	if err := r.awaitRecords(ctx, r.part); err != nil {
		return err
	}
	stages := stagesOf(r.part.Kind.Name)
	for {
		at := slices.IndexFunc(stages, func(s catalogStage) bool { return s.name == r.place.Stage })
		if at < 0 {
			at = 0
			r.begin(stages[0].name)
			if err := r.save(ctx); err != nil {
				return err
			}
		}
		for ; at < len(stages); at++ {
			if r.place.Stage != stages[at].name {
				r.enter(stages[at].name)
				if err := r.save(ctx); err != nil {
					return err
				}
			}
			if err := cmp.Or(r.part.Short(ctx), stages[at].work(r, ctx)); err != nil {
				return err
			}
			r.place.Failures, r.place.Unread = 0, 0
		}
		if r.place.Early && r.place.Again < mostAgain {
			r.place.Early, r.place.Again = false, r.place.Again+1
			r.enter("lists")
			if err := r.save(ctx); err != nil {
				return err
			}
			continue
		}
		if ended, err := r.finish(ctx); ended || err != nil {
			return err
		}
		r.place.Stage = "" // somebody asked since it was begun
	}
}

// mostAgain is how often a run tells lists once more because customers came to have others: the next run does it then.
const mostAgain = 3

// begin begins the stages. They answer whoever asked before.
func (r *catalogRun) begin(first string) {
	r.place.Asked, r.place.Counts, r.place.Gone = !r.progress.Asked.IsZero(), nil, false
	r.place.Early, r.place.Again, r.place.Odd = false, 0, nil
	r.progress.Begun = job.Latest(time.Now(), r.progress.Asked)
	r.progress.Done, r.progress.Of = 0, r.place.Wanted[ownSet(r.part.Kind.Name)]
	r.progress.Left, r.progress.Result = nil, nil
	r.enter(first)
}

// enter goes to a stage.
func (r *catalogRun) enter(stage string) {
	r.place.Stage, r.place.After, r.place.Wish, r.place.Set, r.place.Since = stage, "", "", "", time.Time{}
}

// finish ends the run, unless somebody asked for it since it was begun.
func (r *catalogRun) finish(ctx context.Context) (bool, error) {
	if err := r.follow(ctx); err != nil {
		return false, err
	}
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

// follow starts what comes of the run: new products and customers need prices.
func (r *catalogRun) follow(ctx context.Context) error {
	if r.part.Kind.Name != JobProducts || r.progress.Result["new"]+r.progress.Result["changed"]+
		r.progress.Result["gone"]+r.place.Counts["chosen"] == 0 {
		return nil
	}
	return r.Runner.Kick(ctx, r.part.Tenant, JobPrices)
}

// end gives the turn back where the run goes on later, with what people should know of that.
func (r *catalogRun) end(ctx context.Context, err error, paused string) error {
	switch {
	case errors.Is(err, ledger.ErrBehind), err == nil && paused == "", r.lost:
		return err
	}
	r.progress.Problem = paused
	if paused != "" {
		r.progress.State = ledger.ProgressWaiting
	} else {
		err = r.outcome(ctx, err)
	}
	ctx = context.WithoutCancel(ctx) // the turn goes back though the invocation is over
	perr := r.note()
	if perr == nil {
		perr = r.Ledger.PauseProgress(ctx, r.progress)
	}
	if perr != nil && !errors.Is(perr, ledger.ErrBehind) {
		return errors.Join(perr, err)
	}
	return err
}

// outcome reads how the part ended, and notes for people what the run waits for. No answer is waited for longer each
// time, and not until the schedule comes.
func (r *catalogRun) outcome(ctx context.Context, err error) error {
	if errors.Is(err, job.ErrShort) { // it goes on at once
		return err
	}
	if errors.Is(err, catalogue.ErrUnread) {
		err = r.unread(ctx)
	}
	if errors.Is(err, catalogue.ErrTiers) {
		err = r.oddTiers(ctx)
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

// mostUnread is how often in a row a part finds a customer's own prices not as the customer's row says, before all
// records are read anew.
const mostUnread = 5

// unread waits for whoever writes these rows, who is at it. Where nobody is, as one reading's rows came between those
// of another, all records are read anew, once.
func (r *catalogRun) unread(ctx context.Context) error {
	times := r.part.Times()
	wait, why := times.Soon, "Cin7 Core's customers are being read."
	switch r.place.Unread++; {
	case r.place.Unread == mostUnread:
		if err := r.records(r.part.Bundle).AskAnew(ctx, r.Now()); err != nil {
			return err
		}
		return r.waitForRecords(ctx, r.part, whyReadingAnew)
	case r.place.Unread > mostUnread:
		wait = job.Backoff(r.place.Unread-mostUnread, times.MinRetry, times.Longest)
		why = "A customer's own prices were not read whole. They are tried again."
	}
	return &ledger.Later{At: time.Now().Add(wait).UTC(), Why: why}
}

// note puts the place into the progress that is written next.
func (r *catalogRun) note() (err error) {
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
func (r *catalogRun) save(ctx context.Context) error {
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
func (r *catalogRun) count(name string, n int) {
	if n == 0 {
		return
	}
	if r.place.Counts == nil {
		r.place.Counts = map[string]int{}
	}
	r.place.Counts[name] += n
}

// tell has a set told, and returns nil when Upstock has it all, or has said why not.
func (r *catalogRun) tell(ctx context.Context, set publish.Set) error {
	if r.place.Set == "" {
		asked, err := r.publisher.Ask(ctx, r.part.Tenant, set.Name)
		if err != nil {
			return err
		}
		r.place.Set = asked.ID
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	own := *r.part
	own.Cursor = nil // the run's end closes it
	for synced := false; ; synced = true {
		of, err := r.Ledger.Progress(ctx, r.part.Tenant, r.place.Set)
		switch {
		case errors.Is(err, ledger.ErrNotFound): // it ended, and others did since
			return nil
		case err != nil:
			return err
		case !of.IsOpen():
			r.gather(of)
			return nil
		case synced: // another worker does it
			return r.part.Soon()
		}
		if _, err := r.publisher.Sync(ctx, &own, set); err != nil {
			return err
		}
	}
}

// gather adds what a run of a set came to.
func (r *catalogRun) gather(of *ledger.Progress) {
	for _, l := range of.Left {
		if of.Kind == ownSet(r.part.Kind.Name) || r.part.Kind.Name == JobPrices { // of others their own runs tell
			r.progress.Leave(l)
		}
	}
	if r.place.Wanted == nil {
		r.place.Wanted = map[string]int{}
	}
	r.place.Wanted[of.Kind] = of.Done
	r.place.Gone = r.place.Gone || of.Kind == setLists && of.Result["gone"] > 0
	if of.Kind == ownSet(r.part.Kind.Name) {
		r.progress.Done, r.progress.Of, r.progress.Result = of.Done, of.Done, of.Result
	}
}
