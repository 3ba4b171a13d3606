package joorcin7

import (
	"cmp"
	"context"

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

// run is one part's work on a run. Every job of the pair is done in stages.
type run struct {
	*Pair
	*job.Run
	place *place

	b          tenant.Bundle
	account    string
	rules      customer.Rules
	touched    map[string]bool // contacts whose rows are to be made anew
	touchedAll bool
	noted      table.Key // see unsure; zero = there is none
}

// place is how far a run is.
type place struct {
	job.Place
	Pages   int          `json:"pages,omitempty"`  // read, of a list
	Choices joor.Choices `json:"choices,omitzero"` // what JOOR's connections bear, as far as they are read
}

// Reset implements job.Placed.
func (p *place) Reset() { *p = place{} }

// stages are those of the run's job.
func (r *run) stages() []job.Stage {
	stand, tell := job.Stage{Name: "stand", Work: r.stand}, job.Stage{Name: "tell", Work: r.tell}
	choose, codes := job.Stage{Name: "choose", Work: r.choose}, job.Stage{Name: "codes", Work: r.codes}
	sum := job.Stage{Name: "sum", Work: r.sum}
	switch r.Part.Kind.Name {
	case JobContacts:
		return []job.Stage{{Name: "read", Work: r.pull}, {Name: "options", Work: r.readOptions}, stand,
			{Name: "follow", Work: r.afterContacts}}
	case JobAllContacts:
		return []job.Stage{{Name: "list", Work: r.listAll}, {Name: "missing", Work: r.takeMissing}, stand}
	case JobJOOR:
		return []job.Stage{{Name: "wake", Work: r.wake}, codes, tell, {Name: "follow", Work: r.afterJOOR}}
	case JobUpload:
		return []job.Stage{choose, tell, sum}
	case JobUpdate:
		return []job.Stage{choose, codes, tell, sum}
	case JobMatches:
		return []job.Stage{{Name: "find", Work: r.findMatches}}
	}
	return []job.Stage{{Name: "pages", Work: r.downloadPages}, {Name: "removed", Work: r.lookForRemoved}, stand}
}

// doPart does a part of a run of any of the pair's jobs. What was touched shows in the lists, however the part ended,
// also where the invocation is over.
func (p *Pair) doPart(ctx context.Context, part *job.Part) (err error) {
	r := &run{Pair: p, place: new(place), b: part.Bundle, account: accountOf(part.Bundle), touched: map[string]bool{}}
	if r.Run, err = part.TakeRun(ctx, r.account, r.place, p.Times.Publish.Turn); r.Run == nil {
		return err
	}
	if r.rules, err = r.rulesOf(ctx, r.b); err == nil {
		err = r.Do(ctx, r.stages())
	}
	serr := r.restandTouched(context.WithoutCancel(ctx))
	return r.End(ctx, cmp.Or(err, serr))
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
