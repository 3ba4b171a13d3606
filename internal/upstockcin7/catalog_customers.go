package upstockcin7

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/prose"
	"stockbridge/internal/publish"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/catalogue"
)

// readCustomers reads what changed of the account's customers.
func (r *catalogRun) readCustomers(ctx context.Context) error {
	return r.readChanges(ctx, r.Part, changedCustomers, r.Progress.Begun)
}

// theirsAge is how old the copy of Upstock's customers may be while some wait for a person.
const theirsAge = 24 * time.Hour

// learnCustomers reads Upstock's customers, where they are needed to compare ours with. Those that are linked to the
// account's customers count as imported.
func (r *catalogRun) learnCustomers(ctx context.Context) error {
	if r.place.Since.IsZero() {
		due, err := r.learnDue(ctx)
		if !due || err != nil {
			return err
		}
		r.place.Since = time.Now().UTC()
	}
	for more := true; more; {
		var page upstock.Rows[upstock.CustomerRecord]
		if err := r.Part.Call(ctx, func(ctx context.Context) (err error) {
			page, err = r.upstock.CustomersPage(ctx, r.place.After, upstock.MaxPage)
			return err
		}); err != nil {
			return r.pageGone(err)
		}
		if err := r.knowCustomers(ctx, page.Items); err != nil {
			return err
		}
		if more = page.Next != ""; more {
			r.place.After = page.Next
			if err := r.Save(ctx); err != nil {
				return err
			}
		}
	}
	if err := r.noteLearned(ctx, func(l *learned) { l.Customers = r.place.Since }); err != nil {
		return err
	}
	r.place.Since = time.Time{}
	return nil
}

// pageGone has a list read from its first page again whose page is not known any more.
func (r *catalogRun) pageGone(err error) error {
	if job.RefusedPage(err) {
		r.place.After = ""
	}
	return err
}

// learnDue reports whether Upstock's customers are to be read: they never were, or people want customers imported, or
// wait for what became of those that are unsure.
func (r *catalogRun) learnDue(ctx context.Context) (bool, error) {
	l, err := r.learned(ctx)
	if err != nil || l.Customers.IsZero() {
		return true, err
	}
	shelf := r.chosenOf(r.Part.Bundle, JobCustomers)
	if w, err := shelf.nextWish(ctx); w != nil || err != nil {
		return w != nil, err
	}
	asked := !r.Progress.Asked.IsZero() && !r.Progress.Asked.After(r.Progress.Begun)
	if !asked && time.Since(l.Customers) < theirsAge {
		return false, nil
	}
	waits, err := shelf.waiting(ctx, 1)
	return waits > 0, err
}

// waiting counts those of which a person has to say which of Upstock's they are, up to most. The count may be late.
func (s shelfOfChosen) waiting(ctx context.Context, most int) (int, error) {
	page, err := s.table.List(ctx, table.Query{PK: waitsPartition(s.tenant), From: s.account + "\t",
		Until: s.account + "\n", Limit: most})
	return len(page.Entries), err
}

// knowCustomers keeps a page of Upstock's customers, and notes those that are linked to the account's.
func (r *catalogRun) knowCustomers(ctx context.Context, page []upstock.CustomerRecord) error {
	supplier := r.Part.Bundle.Connections[tenant.Upstock].Account
	linked := map[string]upstock.CustomerRecord{}
	var rows []mirror.Row
	for _, x := range page {
		if x.ID <= 0 {
			continue
		}
		t := theirsOf(supplier, x)
		row, err := t.row()
		if err != nil {
			return err
		}
		if rows = append(rows, row); t.ExternalID != "" {
			linked[t.ExternalID] = x
		}
	}
	if err := r.saveTheirs(ctx, rows...); err != nil {
		return err
	}
	return r.knowLinked(ctx, linked)
}

// saveTheirs keeps customers of Upstock's, and notes where one of them is not as it was.
func (r *catalogRun) saveTheirs(ctx context.Context, rows ...mirror.Row) error {
	changed, err := r.Mirror.Save(ctx, r.Part.Tenant, rows)
	if changed == 0 || err != nil {
		return err
	}
	return r.noteTheirs(ctx)
}

// noteTheirs notes that the copy of Upstock's customers is another one now: what customers are matched with.
func (r *catalogRun) noteTheirs(ctx context.Context) error {
	return r.noteLearned(ctx, func(l *learned) { l.Theirs = time.Now().UTC() })
}

// knowLinked notes customers that are linked in Upstock: what it has of those of which nothing was told yet.
func (r *catalogRun) knowLinked(ctx context.Context, linked map[string]upstock.CustomerRecord) error {
	ours, err := rowsOf(ctx, r, catalogue.CustomerKind, linked)
	if err != nil || len(ours) == 0 {
		return err
	}
	shelf := r.chosenOf(r.Part.Bundle, JobCustomers)
	set := publish.Set{Name: setCustomers, Account: r.account}
	var ids []string
	var keys []publish.Key
	for _, row := range ours {
		ids, keys = append(ids, row.ID), append(keys, publish.Key{ID: row.ID})
	}
	known, err := shelf.get(ctx, ids...)
	if err != nil {
		return err
	}
	told := map[string]bool{}
	entries, err := r.publisher.Entries(ctx, r.Part.Tenant, set, keys...)
	if err != nil {
		return err
	}
	for _, e := range entries {
		told[e.ID] = true
	}
	var seen []publish.Seen
	var fresh []string
	for _, id := range ids {
		if _, there := known[id]; there { // the match says which it is
			continue
		}
		fresh = append(fresh, id)
		if !told[id] {
			seen = append(seen, publish.Seen{Record: publish.Record{Key: publish.Key{ID: id},
				Data: catalogue.CustomerSeen(linked[id])}})
		}
	}
	if err := r.publisher.Learn(ctx, r.Part.Tenant, set, seen...); err != nil {
		return err
	}
	added, err := shelf.add(ctx, func(id string) chosen {
		c := r.asItWas()
		c.State, c.Theirs, c.How = isLinked, linked[id].ID, "It is linked in Upstock."
		return c
	}, fresh...)
	r.Count("chosen", added)
	return err
}

// chooseCustomers works off what people asked to have imported.
func (r *catalogRun) chooseCustomers(ctx context.Context) error {
	return r.workOff(ctx, JobCustomers, importableCustomer)
}

// importableCustomer says of a customer's row how it can be imported.
func importableCustomer(row mirror.Row) (importing, error) {
	c, err := catalogue.ReadCustomer(row)
	return importing{name: prose.Short(c.Name), texts: []string{c.Name, c.Contact, c.Email}, unfit: c.Unfit()}, err
}

// buyers are the customers who bought since the day that a wish names.
func (r *catalogRun) buyers(ctx context.Context, w *wish) (map[string]bool, error) {
	since, err := time.ParseInLocation(time.DateOnly, w.BoughtSince, r.Part.Bundle.Tenant.Zone())
	if err != nil {
		return nil, err
	}
	return r.readBuyers(ctx, r.Part, since)
}

// matchCustomers looks which of Upstock's customers those are that were chosen, or are unsure still. Where nothing of
// either side changed since all were looked at, those who are unsure stay so.
func (r *catalogRun) matchCustomers(ctx context.Context) error {
	shelf := r.chosenOf(r.Part.Bundle, JobCustomers)
	if r.place.After == "" { // it may be done once more
		delete(r.place.Counts, "toLink")
	}
	last, err := r.learned(ctx)
	if err != nil {
		return err
	}
	var m *matcher
	basis := "" // "" = nobody needed it
	for row, err := range shelf.rows(ctx, r.place.After) {
		if err != nil {
			return err
		}
		if row.State != isAsked && row.State != isUnsure {
			continue
		}
		if basis == "" {
			if basis, err = r.matchBasis(ctx); err != nil {
				return err
			}
			if r.place.After == "" {
				r.place.Basis = basis
			}
		}
		if row.State == isUnsure && !row.Anew && basis == last.Basis {
			r.Count("toLink", 1)
			r.place.After = row.ID
			continue
		}
		if err := r.Part.Short(ctx); err != nil {
			return cmp.Or(r.Save(ctx), err)
		}
		if m == nil {
			if m, err = r.newMatcher(ctx); err != nil {
				return err
			}
		}
		if err := r.matchOne(ctx, shelf, m, row.ID); err != nil {
			return err
		}
		r.place.After = row.ID
	}
	if basis == last.Basis || basis != r.place.Basis { // or it changed between two parts
		return nil
	}
	return r.noteLearned(ctx, func(l *learned) { l.Basis = basis })
}

// matchOne decides about one customer.
func (r *catalogRun) matchOne(ctx context.Context, shelf shelfOfChosen, m *matcher, id string) error {
	c, err := r.customer(ctx, id)
	if err != nil || c == nil {
		return err
	}
	var state choice
	err = shelf.change(ctx, id, func(row *chosenRow) (bool, []ledger.Event, error) {
		if state = row.State; state != isAsked && state != isUnsure { // a person was faster
			return false, nil, nil
		}
		now := m.decide(*c, row.chosen)
		write := !sameChoice(now, row.chosen)
		if state = now.State; write && now.How != "" {
			now = now.noted(time.Now(), "", now.How)
		}
		row.chosen = now
		return write, nil, nil
	})
	if state == isUnsure {
		r.Count("toLink", 1)
	}
	return err
}

// sameChoice reports whether two say the same.
func sameChoice(a, b chosen) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// customer is one of the mirror's; nil = it has none of that id.
func (p *Pair) customerOf(ctx context.Context, tenantID, id string) (*catalogue.Customer, error) {
	rows, _, err := p.Mirror.Find(ctx, tenantID, []mirror.Key{{Kind: catalogue.CustomerKind, ID: id}})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	c, err := catalogue.ReadCustomer(rows[0])
	return &c, err
}

func (r *catalogRun) customer(ctx context.Context, id string) (*catalogue.Customer, error) {
	return r.customerOf(ctx, r.Part.Tenant, id)
}

// linkCustomers tells Upstock which of its customers ours are.
func (r *catalogRun) linkCustomers(ctx context.Context) error {
	shelf := r.chosenOf(r.Part.Bundle, JobCustomers)
	for row, err := range shelf.rows(ctx, r.place.After) {
		if err != nil {
			return err
		}
		if row.State != chooseLink {
			continue
		}
		if err := r.Part.Short(ctx); err != nil {
			return cmp.Or(r.Save(ctx), err)
		}
		if err := r.linkOne(ctx, shelf, row); err != nil {
			return err
		}
		r.place.After = row.ID
	}
	return nil
}

// linkOne links one customer in Upstock. It may be done twice: the second time changes nothing.
func (r *catalogRun) linkOne(ctx context.Context, shelf shelfOfChosen, row chosenRow) error {
	t, err := r.theirsAt(ctx, r.Part.Bundle, row.Theirs)
	if err != nil {
		return err
	}
	now, why := isLinked, ""
	switch {
	case t == nil:
		now = isAsked
	case t.ExternalID == row.ID: // linked already
	case t.ExternalID != "":
		now, why = isUnsure, "Upstock's customer "+prose.Quote(t.Name)+" is linked to another one by now."
	default:
		if now, why, err = r.callLink(ctx, *t, row.ID); err != nil {
			return err
		}
	}
	if now == isLinked {
		r.Count("linked", 1)
	}
	return shelf.change(ctx, row.ID, func(c *chosenRow) (bool, []ledger.Event, error) {
		if c.State != chooseLink || c.Theirs != row.Theirs { // a person was faster
			return false, nil, nil
		}
		if c.State, c.Why = now, why; now != isLinked {
			c.Theirs, c.How, c.Anew = 0, "", true
		}
		if why != "" {
			c.chosen = c.noted(time.Now(), "", why)
		}
		return true, nil, nil
	})
}

// callLink makes the call, and keeps what it comes to.
func (r *catalogRun) callLink(ctx context.Context, t theirs, id string) (now choice, why string, err error) {
	err = r.Part.Call(ctx, func(ctx context.Context) error { return r.upstock.LinkCustomer(ctx, t.ID, id) })
	said, refused := job.Refused(err)
	switch {
	case err == nil:
		t.ExternalID = id
		row, err := t.row()
		if err == nil {
			err = r.saveTheirs(ctx, row)
		}
		return isLinked, "", err
	case rest.KindOf(err) == rest.NotFound: // it was taken away in Upstock
		_, err := r.Mirror.Remove(ctx, r.Part.Tenant, theirKind, []string{theirKey(t.ID).ID})
		if err == nil {
			err = r.noteTheirs(ctx)
		}
		return isAsked, "", err
	case refused:
		why = "Upstock did not link its customer " + prose.Quote(t.Name) + ": " +
			cmp.Or(strings.Join(said, " "), "it did not say why.")
		// what is known of its customers is not so any more
		return isUnsure, why, r.noteLearned(ctx, func(l *learned) { l.Customers = time.Time{} })
	}
	return "", "", err
}

// theirsAt is a customer of Upstock's, as it was last read; nil = there was none of that id.
func (p *Pair) theirsAt(ctx context.Context, b tenant.Bundle, id int64) (*theirs, error) {
	rows, _, err := p.Mirror.Find(ctx, b.Tenant.ID, []mirror.Key{theirKey(id)})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	var t theirs
	if err := json.Unmarshal(rows[0].Data, &t); err != nil {
		return nil, err
	}
	if t.Of != b.Connections[tenant.Upstock].Account {
		return nil, nil
	}
	return &t, nil
}
