package joorcin7

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7omni"
	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
)

// What the settings may name is read from both accounts by the jobs, and kept: Cin7 Omni's users and price columns once
// a day, its terms and groups from its contacts, JOOR's price types, reps, payment methods and groups from its
// connections, as JOOR has no list of them.

// optionsDoc names what is kept.
const optionsDoc = "joorOptions"

// optionsKept is what both accounts have for the settings to name.
type optionsKept struct {
	Account string           `json:"account"`
	JOOR    customer.Account `json:"joor"`
	Columns []string         `json:"columns,omitempty"`
	People  []Option         `json:"people,omitempty"`
	Terms   []string         `json:"terms,omitempty"`
	Groups  []string         `json:"groups,omitempty"`
	Read    time.Time        `json:"read,omitzero"` // of Cin7 Omni
}

// Option is one thing that a setting may name.
type Option struct {
	Value string `json:"value"` // what the setting is set to
	Label string `json:"label"` // the same for people
}

// Options are what the settings may name: what stands on the left of a table, from Cin7 Omni, and on its right, from
// JOOR. Those of JOOR are what its connections bear: there may be others.
type Options struct {
	Columns []Option         // price columns
	Terms   []Option         // payment terms
	People  []Option         // sales people, by user id
	Groups  []Option         // customer groups
	Prices  []customer.Price // JOOR's price types
	Methods []Option         // JOOR's payment methods
	Reps    []Option         // JOOR's sales reps, by code
	Theirs  []Option         // JOOR's customer groups
	Why     string           // why there is nothing to choose from; "" = nothing to say
}

// rulesOf is what decides the mapping for a tenant.
func (p *Pair) rulesOf(ctx context.Context, b tenant.Bundle) (customer.Rules, error) {
	kept, _, err := p.optionsOf(ctx, b)
	return customer.Rules{Settings: customer.SettingsOf(b.Settings), Account: kept.JOOR}, err
}

func (p *Pair) optionsOf(ctx context.Context, b tenant.Bundle) (kept optionsKept, rev string, err error) {
	rev, err = p.Ledger.Doc(ctx, b.Tenant.ID, optionsDoc, &kept)
	if account := accountOf(b); kept.Account != account {
		kept = optionsKept{Account: account}
	}
	return kept, rev, err
}

// Options lists what the tenant's settings may name.
func (p *Pair) Options(ctx context.Context, b tenant.Bundle) (o Options, err error) {
	kept, _, err := p.optionsOf(ctx, b)
	if err != nil {
		return o, err
	}
	for _, c := range kept.Columns {
		o.Columns = append(o.Columns, Option{c, c})
	}
	o.People = kept.People
	for _, t := range kept.Terms {
		o.Terms = append(o.Terms, Option{t, t})
	}
	for _, g := range kept.Groups {
		o.Groups = append(o.Groups, Option{g, g})
	}
	o.Prices = kept.JOOR.Prices
	for _, m := range kept.JOOR.Terms {
		o.Methods = append(o.Methods, choiceOf(m))
	}
	for _, g := range kept.JOOR.Groups {
		o.Theirs = append(o.Theirs, choiceOf(g))
	}
	for _, r := range kept.JOOR.Reps {
		if r.Code != "" {
			label := strings.TrimSpace(cmp.Or(r.Name, r.Email) + " (" + r.Code + ")")
			o.Reps = append(o.Reps, Option{r.Code, label})
		}
	}
	switch lack := b.Lack(Systems()...); {
	case lack != nil:
		o.Why = lack.String()
	case kept.Read.IsZero():
		o.Why = "Cin7 Omni's records are being read for the first time."
	}
	return o, nil
}

func choiceOf(n customer.Named) Option {
	value := cmp.Or(n.Name, n.Code)
	if n.Code != "" && n.Name != "" {
		return Option{value, n.Name + " (" + n.Code + ")"}
	}
	return Option{value, value}
}

// optionsFor is how long what Cin7 Omni has for the settings is good.
const optionsFor = 24 * time.Hour

// readOptions reads what Cin7 Omni has for the settings to name, once a day.
func (r *run) readOptions(ctx context.Context) error {
	kept, _, err := r.optionsOf(ctx, r.b)
	if err != nil || r.Now().Sub(kept.Read) < optionsFor {
		return err
	}
	client, err := r.omni(ctx)
	if err != nil {
		return err
	}
	var users []cin7omni.User
	var columns []string
	call := func(f func(context.Context) error) error {
		err := r.Part.Call(ctx, f)
		if errors.Is(err, cin7omni.ErrPermission) { // the key need not have it: such a table is typed
			return nil
		}
		return err
	}
	// Each page is a call of its own: one that has to wait is made again, and not those before it.
	for page, more := 1, true; more && err == nil; page++ {
		var got cin7omni.Page[cin7omni.User]
		err = call(func(ctx context.Context) (err error) { got, err = client.UsersPage(ctx, page); return err })
		users, more = append(users, got.Items...), got.More
	}
	if err == nil {
		err = call(func(ctx context.Context) (err error) { columns, err = client.PriceColumns(ctx); return err })
	}
	if err != nil {
		return err
	}
	terms, groups, borne, err := r.borne(ctx)
	if err != nil {
		return err
	}
	return r.keepOptions(ctx, func(o *optionsKept) {
		o.Columns = with(columns, borne...)
		o.Terms, o.Groups, o.People, o.Read = terms, groups, nil, r.Now().UTC()
		for _, u := range users {
			id := strconv.FormatInt(u.ID, 10)
			o.People = append(o.People, Option{id, cmp.Or(u.Name(), u.Email, id)})
		}
		slices.SortFunc(o.People, func(a, b Option) int {
			return cmp.Compare(match.Fold(a.Label), match.Fold(b.Label))
		})
	})
}

// borne are the payment terms, groups and price columns that contacts bear.
func (r *run) borne(ctx context.Context) (terms, groups, columns []string, err error) {
	for row, err := range r.Mirror.All(ctx, r.Part.Tenant, contactRows) {
		if err != nil {
			return nil, nil, nil, err
		}
		c, err := customer.ReadContact(row.Data)
		if err != nil {
			return nil, nil, nil, err
		}
		terms, groups, columns = with(terms, c.Terms), with(groups, c.Group), with(columns, c.PriceColumn)
	}
	return terms, groups, columns, nil
}

// bear has the settings offer what changed contacts bear for the first time.
func (r *run) bear(ctx context.Context, rows []mirror.Row) error {
	kept, _, err := r.optionsOf(ctx, r.b)
	if err != nil || kept.Read.IsZero() { // all contacts are looked at then
		return err
	}
	terms, groups, columns := kept.Terms, kept.Groups, kept.Columns
	for _, row := range rows {
		c, err := customer.ReadContact(row.Data)
		if err != nil {
			return err
		}
		terms, groups, columns = with(terms, c.Terms), with(groups, c.Group), with(columns, c.PriceColumn)
	}
	if len(terms) == len(kept.Terms) && len(groups) == len(kept.Groups) && len(columns) == len(kept.Columns) {
		return nil
	}
	return r.keepOptions(ctx, func(o *optionsKept) {
		o.Terms, o.Groups, o.Columns = with(o.Terms, terms...), with(o.Groups, groups...), with(o.Columns, columns...)
	})
}

// mostOptions is how many names of one kind are kept.
const mostOptions = 500

// with is a list in order with other texts, each once however it is written.
func with(list []string, texts ...string) []string {
	for _, t := range texts {
		t = strings.TrimSpace(t)
		same := func(s string) bool { return match.Same(s, t) }
		if t == "" || len(list) >= mostOptions || slices.ContainsFunc(list, same) {
			continue
		}
		at, _ := slices.BinarySearch(list, t)
		list = slices.Insert(slices.Clone(list), at, t)
	}
	return list
}

// keepOptions changes what is kept of both accounts.
func (r *run) keepOptions(ctx context.Context, change func(*optionsKept)) error {
	kept, err := ledger.ChangeDoc(ctx, r.Ledger, r.Part.Tenant, optionsDoc, func(o *optionsKept) (bool, error) {
		if o.Account != r.account {
			*o = optionsKept{Account: r.account}
		}
		change(o)
		return true, nil
	})
	if errors.Is(err, ledger.ErrBehind) {
		return r.Part.Soon()
	}
	r.rules.Account = kept.JOOR
	return err
}

// afterContacts starts what comes of changed contacts: what goes to JOOR by itself, and once a week a reading of all,
// for those that were deleted.
func (r *run) afterContacts(ctx context.Context) error {
	s := r.rules.Settings
	alone := s.Upload && s.UploadAlone || s.Update && s.UpdateAlone
	if alone && r.place.Counts["changed"] > 0 {
		if err := r.Runner.Kick(ctx, r.Part.Tenant, JobJOOR); err != nil {
			return err
		}
	}
	whole, err := r.Ledger.Cursor(ctx, r.Part.Tenant, JobAllContacts)
	if err != nil || whole.Account == r.b.Connections[tenant.Cin7Omni].Account &&
		r.Now().Sub(whole.Checked) < r.Times.Whole {
		return err
	}
	return r.Runner.Kick(ctx, r.Part.Tenant, JobAllContacts)
}
