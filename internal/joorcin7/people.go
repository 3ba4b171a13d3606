package joorcin7

import (
	"context"
	"iter"
	"slices"
	"time"

	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/joorcin7/list"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// List names one of the lists of customers.
type List = list.List

// The lists.
const (
	ListUpload = list.Upload
	ListUpdate = list.Update
	ListReview = list.Review
	ListLinked = list.Linked
)

// Customer is a customer of Cin7 Omni in a list. IDs are Cin7 Omni's, Connection is JOOR's.
type Customer struct {
	ID, Company, Name, Email, AccountNumber string

	State      string // one of the States
	Why        string // a sentence; "" = nothing to say
	Due        time.Time
	Overdue    bool
	Code       string
	Connection string
}

// Query chooses customers. Sort is one of list.Sorts, with a - before it the other way round; Limit 0 = all.
type Query struct {
	List  List
	Q     string
	After string
	Sort  string
	Limit int
}

// CustomerPage is a page of a list.
type CustomerPage struct {
	Items  []Customer
	Next   string // the page after this one begins after it; "" = it is the last
	Of     int    // customers that the query chooses
	Counts map[List]int
	Read   time.Time // when Cin7 Omni was last read; zero = it was not yet
}

// ErrAfter is the error of a query that begins after a customer that there is not.
var ErrAfter = list.ErrAfter

// Refusal is why something that a person asks for is not done: a sentence, and what helps.
type Refusal struct{ Why, Fix string }

func (r *Refusal) Error() string { return r.Why + " " + r.Fix }

// Customers lists customers.
func (p *Pair) Customers(ctx context.Context, tenantID string, q Query) (page CustomerPage, err error) {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return page, err
	}
	sheet, err := p.customers.Read(ctx, tenantID, accountOf(b))
	if err != nil {
		return page, err
	}
	found, err := list.Choose(sheet, list.Query(q))
	if err != nil {
		return page, err
	}
	page = CustomerPage{Next: found.Next, Of: found.Of, Counts: map[List]int{}}
	now := p.Now()
	for _, c := range found.Items {
		page.Items = append(page.Items, shown(c, now))
	}
	for _, l := range list.Lists() {
		page.Counts[l] = sheet.Counts[string(l)]
	}
	page.Read, err = p.readWhole(ctx, b)
	return page, err
}

func shown(c list.Customer, now time.Time) Customer {
	return Customer{ID: c.ID, Company: c.Company, Name: c.Name, Email: c.Email, AccountNumber: c.AccountNumber,
		State: c.State, Why: c.Why, Due: c.Due, Overdue: c.Overdue(now), Code: c.Code, Connection: c.Connection}
}

// EachCustomer goes through the customers of a query, for a download: what a page of it shows.
func (p *Pair) EachCustomer(ctx context.Context, tenantID string, q Query) iter.Seq2[Customer, error] {
	return func(yield func(Customer, error) bool) {
		page, err := p.Customers(ctx, tenantID, q)
		if err != nil {
			yield(Customer{}, err)
			return
		}
		for _, c := range page.Items {
			if !yield(c, nil) {
				return
			}
		}
	}
}

// Choice is what a person wants sent: some ids, or all of the list in which every word of Q stands.
type Choice struct {
	IDs []string
	All bool
	Q   string
}

// Upload has customers sent to JOOR that are new there. Errors: *Refusal.
func (p *Pair) Upload(ctx context.Context, tenantID string, c Choice, actor string) (*Progress, error) {
	return p.send(ctx, tenantID, JobUpload, c, actor)
}

// Update has changes of linked customers sent to JOOR. Errors: *Refusal.
func (p *Pair) Update(ctx context.Context, tenantID string, c Choice, actor string) (*Progress, error) {
	return p.send(ctx, tenantID, JobUpdate, c, actor)
}

// ready is the tenant, if both systems are connected; else a *Refusal.
func (p *Pair) ready(ctx context.Context, tenantID string) (tenant.Bundle, error) {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return b, err
	}
	if lack := b.Lack(Systems()...); lack != nil {
		return b, &Refusal{lack.String(), lack.Fix}
	}
	return b, nil
}

// send keeps what a person wants sent, and starts what sends it.
func (p *Pair) send(ctx context.Context, tenantID, kind string, c Choice, actor string) (*Progress, error) {
	ctx = ledger.WithActor(ctx, actor)
	b, err := p.ready(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	if why := switchedOff(customer.SettingsOf(b.Settings), kind); why != "" {
		return nil, &Refusal{why, "Switch it on in Settings › Integrations › JOOR, under Customers."}
	}
	ids := slices.Compact(slices.Sorted(slices.Values(c.IDs)))
	if c.All {
		if ids, err = p.chosen(ctx, b, kind, c.Q); err != nil {
			return nil, err
		}
	}
	if len(ids) > 0 {
		if err := p.wish(ctx, b, kind, ids); err != nil {
			return nil, err
		}
	}
	return p.ask(ctx, b, kind)
}

// listOf is the list from which a kind of sending is chosen.
func listOf(kind string) List {
	if kind == JobUpload {
		return ListUpload
	}
	return ListUpdate
}

// chosen are the customers of a list that a query chooses and that can be sent.
func (p *Pair) chosen(ctx context.Context, b tenant.Bundle, kind, q string) (ids []string, err error) {
	sheet, err := p.customers.Read(ctx, b.Tenant.ID, accountOf(b))
	if err != nil {
		return nil, err
	}
	found, err := list.Choose(sheet, list.Query{List: listOf(kind), Q: q})
	for _, c := range found.Items {
		if c.State != StateQueued {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// switchedOff says that a tenant has not enabled a kind of sending; "" = it has.
func switchedOff(s customer.Settings, kind string) string {
	switch {
	case kind == JobUpload && !s.Upload:
		return "“Upload Customers to JOOR” is switched off."
	case kind == JobUpdate && !s.Update:
		return "“Update Customers to JOOR” is switched off."
	}
	return ""
}

// DownloadConnections has JOOR's connections read, into a store that is forgotten after 7 days.
func (p *Pair) DownloadConnections(ctx context.Context, tenantID, actor string) (*Progress, error) {
	return p.begin(ctx, tenantID, JobDownload, actor)
}

// FindMatches has customers looked for among the connections that were downloaded.
func (p *Pair) FindMatches(ctx context.Context, tenantID, actor string) (*Progress, error) {
	return p.begin(ctx, tenantID, JobMatches, actor)
}

func (p *Pair) begin(ctx context.Context, tenantID, kind, actor string) (*Progress, error) {
	b, err := p.ready(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	return p.ask(ledger.WithActor(ctx, actor), b, kind)
}
