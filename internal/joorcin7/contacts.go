package joorcin7

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7omni"
	"stockbridge/internal/job"
	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
)

// contactRows is the kind of the mirror's rows of Cin7 Omni's customers.
const contactRows = "contact"

// changedContacts names the cursor of the list of contacts.
const changedContacts = "changedContacts"

// contactOf is what is kept of a contact.
func contactOf(c cin7omni.Contact) customer.Contact {
	person := ""
	if c.SalesPersonID != 0 {
		person = strconv.FormatInt(c.SalesPersonID, 10)
	}
	return customer.Contact{
		ID: strconv.FormatInt(c.ID, 10), Active: c.IsActive, Company: c.Company, First: c.FirstName, Last: c.LastName,
		Email: c.Email, Phone: c.Phone, Mobile: c.Mobile, AccountNumber: c.AccountNumber,
		Delivery: customer.Address{Line1: c.Address1, Line2: c.Address2, City: c.City, State: c.State,
			Postcode: c.PostCode, Country: c.Country},
		Postal: customer.Address{Line1: c.PostalAddress1, Line2: c.PostalAddress2, City: c.PostalCity,
			State: c.PostalState, Postcode: c.PostalPostCode, Country: c.PostalCountry},
		PriceColumn: c.PriceColumn, Terms: c.PaymentTerms, SalesPerson: person, Group: c.Group,
	}
}

// pull reads what changed of contacts since they were last read, and makes the rows of those that did anew. At first it
// reads all.
//
// The list is read from a time of change on, in that order, and a page begins at the last change of the page before
// it. So a contact that changes meanwhile moves to the end and hides none. An answer is not believed to be the last
// for being short, unless nothing in it is new: then one call is enough to find that nothing changed.
func (r *run) pull(ctx context.Context) error {
	if err := r.ownContacts(ctx); err != nil {
		return err
	}
	client, err := r.omni(ctx)
	if err != nil {
		return err
	}
	asked := r.Progress.Begun
	return r.Part.Beside(ctx, changedContacts, func(ctx context.Context, list *job.Part) error {
		cur := list.Cursor
		read := func() bool { return !cur.Started.Before(asked) && !cur.Checked.Before(cur.Started) }
		for range 2 { // a reading that began before it was asked for is ended first
			if read() {
				return nil
			}
			if cur.From.IsZero() {
				cur.Started = job.Latest(r.Now().UTC(), asked)
			}
			w := pulling{run: r, client: client, list: list, first: cur.Checked.IsZero()}
			if err := w.window().Read(ctx, list); err != nil {
				return err
			}
		}
		return nil
	})
}

// pulling is the reading of a window of contacts.
type pulling struct {
	*run
	client *cin7omni.Client
	list   *job.Part
	first  bool      // all contacts are read: the lists are made at the end
	most   time.Time // Cin7 Omni's clock at its last answer
	fresh  []mirror.Row
	gone   []string
}

// beginning is before any contact changed.
func beginning() time.Time { return time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) }

func (w *pulling) window() job.Window[cin7omni.Contact] {
	return job.Window[cin7omni.Contact]{
		Title: "Cin7 Omni's list of contacts", Begin: beginning(), Passes: 1,
		Whole: time.Second, Page: w.page, Keep: w.keep,
		Key: func(c cin7omni.Contact) (string, time.Time) { return strconv.FormatInt(c.ID, 10), c.ModifiedDate },
	}
}

// page reads a page: its place is the time that it begins at, and which page from there it is, as more contacts may
// have changed at once than a page has.
func (w *pulling) page(ctx context.Context, since time.Time, at string) (page job.Page[cin7omni.Contact], err error) {
	since, n := placeOf(since, at)
	var got cin7omni.Page[cin7omni.Contact]
	err = w.list.Call(ctx, func(ctx context.Context) (err error) {
		got, err = w.client.ContactsPage(job.WithClock(ctx, &w.most, w.Now),
			cin7omni.ContactsQuery{Since: since, Page: n})
		return err
	})
	if err != nil {
		return page, permission(err)
	}
	page = job.Page[cin7omni.Contact]{Rows: got.Items, At: w.most}
	if err := w.sort(ctx, got.Items); err != nil {
		return page, err
	}
	known := len(w.fresh) == 0 && len(w.gone) == 0
	if !got.More || known && len(got.Items) < cin7omni.MaxRows/2 {
		return page, nil
	}
	page.Next = nextPage(got.Items, since, n)
	return page, nil
}

// placeOf reads where a page is, after a time where the list begins.
func placeOf(since time.Time, at string) (time.Time, int) {
	when, nth, _ := strings.Cut(at, "|")
	from, err := time.Parse(time.RFC3339, when)
	n, nerr := strconv.Atoi(nth)
	if err != nil || nerr != nil {
		return since, 1
	}
	return from, n
}

// nextPage is where the list goes on after a page that began at a time: at its last change, from the page on that is
// not this one again.
func nextPage(items []cin7omni.Contact, since time.Time, n int) string {
	begun, last := items[0].ModifiedDate.UTC(), items[len(items)-1].ModifiedDate.UTC()
	switch {
	case !last.After(since.Truncate(time.Second)):
		n++
	case begun.Before(last):
		n = 1
	default: // all changed at once
		n = 2
	}
	return last.Format(time.RFC3339) + "|" + strconv.Itoa(n)
}

// sort says which contacts of a page are not as the mirror has them.
func (w *pulling) sort(ctx context.Context, items []cin7omni.Contact) error {
	w.fresh, w.gone = nil, nil
	var keys []mirror.Key
	for _, c := range items {
		keys = append(keys, mirror.Key{Kind: contactRows, ID: strconv.FormatInt(c.ID, 10)})
	}
	rows, _, err := w.Mirror.Find(ctx, w.Part.Tenant, keys)
	if err != nil {
		return err
	}
	kept := map[string]json.RawMessage{}
	for _, row := range rows {
		kept[row.ID] = row.Data
	}
	for _, c := range items {
		id := strconv.FormatInt(c.ID, 10)
		if !c.Is(cin7omni.Customer) {
			if kept[id] != nil {
				w.gone = append(w.gone, id)
			}
			continue
		}
		data, err := contactOf(c).Row()
		if err != nil {
			return err
		}
		if !bytes.Equal(kept[id], data) {
			w.fresh = append(w.fresh, mirror.Row{Key: mirror.Key{Kind: contactRows, ID: id}, Data: data})
		}
	}
	return nil
}

// manyRows is how many changed contacts of a page have all rows of the lists made anew instead.
const manyRows = 100

// keep writes what changed of a page, and has the lists show it.
func (w *pulling) keep(ctx context.Context, _ []cin7omni.Contact) (held time.Time, err error) {
	var ids []string
	for _, row := range w.fresh {
		ids = append(ids, row.ID)
	}
	ids = append(ids, w.gone...)
	if len(ids) == 0 {
		return held, nil
	}
	if err := w.unsure(ctx); err != nil { // what is written is not in the lists yet
		return held, err
	}
	if _, err := w.Mirror.Save(ctx, w.Part.Tenant, w.fresh); err != nil {
		return held, err
	}
	if _, err := w.Mirror.Remove(ctx, w.Part.Tenant, contactRows, w.gone); err != nil {
		return held, err
	}
	if err := w.bear(ctx, w.fresh); err != nil {
		return held, err
	}
	w.Count("changed", len(ids))
	if !w.first && len(ids) <= manyRows {
		w.touch(ids...)
	} else {
		w.touchAll()
	}
	return held, nil
}

// contactsDoc names the note of whose contacts the mirror has.
const contactsDoc = "joorContacts"

type ownedContacts struct {
	Account string `json:"account"` // of Cin7 Omni
}

// ownContacts takes the contacts of another account away.
func (r *run) ownContacts(ctx context.Context) error {
	var owned ownedContacts
	rev, err := r.Ledger.Doc(ctx, r.Part.Tenant, contactsDoc, &owned)
	account := r.b.Connections[tenant.Cin7Omni].Account
	if err != nil || owned.Account == account {
		return err
	}
	var ids []string
	for row, err := range r.Mirror.All(ctx, r.Part.Tenant, contactRows) {
		if err != nil {
			return err
		}
		ids = append(ids, row.ID)
	}
	for some := range slices.Chunk(ids, 500) {
		if _, err := r.Mirror.Remove(ctx, r.Part.Tenant, contactRows, some); err != nil {
			return err
		}
	}
	cur, err := r.Ledger.Cursor(ctx, r.Part.Tenant, changedContacts)
	if err != nil {
		return err
	}
	cur.Restart(account)
	cur.Elsewhere = nil // what was read of another account is not here any more
	cur.Since, cur.Checked, cur.From = time.Time{}, time.Time{}, time.Time{}
	if err := r.Ledger.SaveCursor(ctx, cur); errors.Is(err, ledger.ErrBehind) {
		return r.Part.Soon()
	} else if err != nil {
		return err
	}
	r.touchAll()
	_, err = r.Ledger.SaveDoc(ctx, r.Part.Tenant, contactsDoc, rev, ownedContacts{account})
	if errors.Is(err, ledger.ErrBehind) {
		return r.Part.Soon()
	}
	return err
}

// readWhole is when the contacts of the account that is connected were last read; zero = not to their end yet.
func (p *Pair) readWhole(ctx context.Context, b tenant.Bundle) (time.Time, error) {
	var owned ownedContacts
	if _, err := p.Ledger.Doc(ctx, b.Tenant.ID, contactsDoc, &owned); err != nil {
		return time.Time{}, err
	}
	account := b.Connections[tenant.Cin7Omni].Account
	cur, err := p.Ledger.Cursor(ctx, b.Tenant.ID, changedContacts)
	if err != nil || owned.Account != account || cur.Account != account {
		return time.Time{}, err
	}
	return cur.Checked, nil
}

// awaitContacts has a run wait until all contacts were read once.
func (r *run) awaitContacts(ctx context.Context) error {
	at, err := r.readWhole(ctx, r.b)
	if err != nil || !at.IsZero() {
		return err
	}
	if err := r.Runner.Kick(ctx, r.Part.Tenant, JobContacts); err != nil {
		return err
	}
	return &ledger.Later{At: r.Now().Add(r.Times.MinRetry),
		Why: "Cin7 Omni's customers are being read for the first time."}
}

// permission says which permission the key lacks, where it lacks one.
func permission(err error) error {
	if !errors.Is(err, cin7omni.ErrPermission) {
		return err
	}
	return &ledger.Later{At: time.Now().Add(job.MaxDelay), Who: tenant.Cin7Omni, Ended: ledger.NoAnswer,
		Why: "The key of Cin7 Omni may not read contacts: switch on Read for Contacts in its API connection."}
}
