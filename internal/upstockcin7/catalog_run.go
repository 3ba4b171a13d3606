package upstockcin7

import (
	"context"
	"errors"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/order"
)

// A run of a job of the catalogue has stages (job.Run). What is told to Upstock is told by package publish, whose sets
// have a progress of their own: a stage asks for a run of a set and is done when that one is.

// stages are those of the run's job. Tiers are read after customers, who have them by name.
func (r *catalogRun) stages() []job.Stage {
	prices := []job.Stage{
		{Name: "lists", Work: r.tellLists}, {Name: "prices", Work: r.tellPrices},
		{Name: "customers", Work: r.tellCustomers}, {Name: "unused", Work: r.removeLists},
		{Name: "forget", Work: r.forgetPrices}, {Name: "again", Work: r.again},
	}
	switch r.Part.Kind.Name {
	case JobProducts:
		return []job.Stage{
			{Name: "read", Work: r.readProducts}, {Name: "tiers", Work: r.nameTiers},
			{Name: "learn", Work: r.learnProducts}, {Name: "choose", Work: r.chooseProducts},
			{Name: "new", Work: r.chooseNew}, {Name: "products", Work: r.tellProducts},
			{Name: "follow", Work: r.follow},
		}
	case JobCustomers:
		return append([]job.Stage{
			{Name: "read", Work: r.readCustomers}, {Name: "tiers", Work: r.nameTiers},
			{Name: "learn", Work: r.learnCustomers}, {Name: "choose", Work: r.chooseCustomers},
			{Name: "match", Work: r.matchCustomers}, {Name: "link", Work: r.linkCustomers},
		}, prices...)
	}
	return append([]job.Stage{
		{Name: "readProducts", Work: r.readProducts}, {Name: "read", Work: r.readCustomers},
		{Name: "tiers", Work: r.nameTiers},
		{Name: "products", Work: r.tellProducts}, // a product's default price is one of its fields
	}, prices...)
}

// ownSet is the set whose counts are those of a run of the kind.
func ownSet(kind string) string {
	return map[string]string{JobProducts: setProducts, JobCustomers: setCustomers, JobPrices: setPrices}[kind]
}

// catalogRun is one part's work on a run.
type catalogRun struct {
	*Pair
	*job.Run
	place *catalogPlace

	account  string
	settings catalogue.Settings
	upstock  *upstock.Client
}

// catalogPlace is how far a run is.
type catalogPlace struct {
	job.Place
	Since  time.Time `json:"since,omitzero"`   // of the stage, where it needs it
	Wish   string    `json:"wish,omitempty"`   // of which After is the place
	Unread int       `json:"unread,omitempty"` // parts in a row that found own prices unread
	Basis  string    `json:"basis,omitempty"`  // what the match stood on when it began
	Odd    []string  `json:"odd,omitempty"`    // names of tiers that there were not when they were last read

	Gone   bool           `json:"gone,omitempty"`   // lists went, whose prices are to be forgotten
	Early  bool           `json:"early,omitempty"`  // customers wait for lists that were not told yet
	Again  int            `json:"again,omitempty"`  // how often lists were told once more for that
	Wanted map[string]int `json:"wanted,omitempty"` // records that the last run of a set found, whichever run's
}

// Reset implements job.Placed.
func (p *catalogPlace) Reset() { *p = catalogPlace{Wanted: p.Wanted} }

// syncCatalog does a part of a run of a job of the catalogue.
func (p *Pair) syncCatalog(ctx context.Context, part *job.Part) (err error) {
	r := &catalogRun{Pair: p, place: new(catalogPlace), account: catalogAccount(part.Bundle),
		settings: catalogue.SettingsOf(part.Bundle.Settings)}
	if r.Run, err = part.TakeRun(ctx, r.account, r.place, p.Times.Publish.Turn); r.Run == nil {
		return err
	}
	switch err = r.work(ctx); {
	case errors.Is(err, catalogue.ErrUnread):
		err = r.unread(ctx)
	case errors.Is(err, catalogue.ErrTiers):
		err = r.oddTiers(ctx)
	}
	return r.End(ctx, err)
}

// work does the run to its end, or as far as it comes.
func (r *catalogRun) work(ctx context.Context) error {
	conn := r.Part.Bundle.Connections[tenant.Upstock]
	secrets, err := r.Vendors.Secrets(ctx, conn)
	if err != nil {
		return err
	}
	r.upstock = r.Upstock(conn, secrets, false)
	if paused := FlowPaused(r.Part.Bundle, order.CatalogueFlow); paused != "" {
		r.Wait(paused)
		return nil
	}
	if err := r.awaitRecords(ctx, r.Part); err != nil {
		return err
	}
	if r.Progress.Of == 0 {
		r.Progress.Of = r.place.Wanted[ownSet(r.Part.Kind.Name)]
	}
	return r.Do(ctx, r.stages())
}

// follow starts what comes of the run: new products and customers need prices.
func (r *catalogRun) follow(ctx context.Context) error {
	if r.Progress.Result["new"]+r.Progress.Result["changed"]+r.Progress.Result["gone"]+r.place.Counts["chosen"] == 0 {
		return nil
	}
	return r.Runner.Kick(ctx, r.Part.Tenant, JobPrices)
}

// mostAgain is how often a run tells lists once more because customers came to have others: the next run does it then.
const mostAgain = 3

// again has lists told once more where customers wait for some.
func (r *catalogRun) again(context.Context) error {
	if r.place.Early && r.place.Again < mostAgain {
		r.place.Early, r.place.Again = false, r.place.Again+1
		r.GoTo("lists")
	}
	return nil
}

// mostUnread is how often in a row a part finds a customer's own prices not as the customer's row says, before all
// records are read anew.
const mostUnread = 5

// unread waits for whoever writes these rows, who is at it. Where nobody is, as one reading's rows came between those
// of another, all records are read anew, once.
func (r *catalogRun) unread(ctx context.Context) error {
	times := r.Part.Times()
	wait, why := times.Soon, "Cin7 Core's customers are being read."
	switch r.place.Unread++; {
	case r.place.Unread == mostUnread:
		if err := r.records(r.Part.Bundle).AskAnew(ctx, r.Now()); err != nil {
			return err
		}
		return r.waitForRecords(ctx, r.Part, whyReadingAnew)
	case r.place.Unread > mostUnread:
		wait = job.Backoff(r.place.Unread-mostUnread, times.MinRetry, times.Longest)
		why = "A customer's own prices were not read whole. They are tried again."
	}
	return &ledger.Later{At: time.Now().Add(wait).UTC(), Why: why}
}

// tell has a set told, and returns nil when Upstock has it all, or has said why not.
func (r *catalogRun) tell(ctx context.Context, set publish.Set) error {
	of, err := r.publisher.Tell(ctx, r.Run, set)
	if err != nil {
		return err
	}
	r.place.Unread = 0
	if of != nil {
		r.gather(of)
	}
	return nil
}

// gather adds what a run of a set came to.
func (r *catalogRun) gather(of *ledger.Progress) {
	for _, l := range of.Left {
		if of.Kind == ownSet(r.Part.Kind.Name) || r.Part.Kind.Name == JobPrices { // of others their own runs tell
			r.Progress.Leave(l)
		}
	}
	if r.place.Wanted == nil {
		r.place.Wanted = map[string]int{}
	}
	r.place.Wanted[of.Kind] = of.Done
	r.place.Gone = r.place.Gone || of.Kind == setLists && of.Result["gone"] > 0
	if of.Kind == ownSet(r.Part.Kind.Name) {
		r.Progress.Done, r.Progress.Of, r.Progress.Result = of.Done, of.Done, of.Result
	}
}
