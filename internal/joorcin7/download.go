package joorcin7

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/joor"
	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/publish"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// JOOR's connections are read as people ask for it, and once a day. What was read is kept for 7 days, to be matched
// with and to show what is in JOOR alone, and never becomes customers here. What a reading shows of linked ones is what
// JOOR holds of them: what its people changed is listed for update, and what they removed is not linked any more.

// keepConnections is how long what was read is kept.
const keepConnections = 7 * 24 * time.Hour

// downloadDoc names the note of the last reading.
const downloadDoc = "joorDownload"

// download is a reading of JOOR's connections.
type download struct {
	Account string    `json:"account"`
	Run     string    `json:"run,omitempty"`
	Pages   int       `json:"pages,omitempty"`
	Of      int       `json:"of,omitempty"` // connections
	At      time.Time `json:"at,omitzero"`  // when it ended; what was read by then is kept for so long
}

// Downloaded is a connection of JOOR's as it was read last.
type Downloaded struct {
	ID         string              `json:"id"` // JOOR's
	Retailer   string              `json:"retailer,omitempty"`
	Connection customer.Connection `json:"connection"`
}

func connectionsPartition(tenantID string) string {
	return tenant.Partition(tenantID) + "#joor#connections"
}

func connectionsKey(tenantID, run string, page int) table.Key {
	return table.Key{PK: connectionsPartition(tenantID), SK: fmt.Sprintf("%s#%06d", run, page)}
}

// downloadOf is the last whole reading of the account that is connected; the zero download = there is none, or it is
// forgotten.
func (p *Pair) downloadOf(ctx context.Context, b tenant.Bundle) (d download, err error) {
	_, err = p.Ledger.Doc(ctx, b.Tenant.ID, downloadDoc, &d)
	if d.Account != accountOf(b) || p.Now().Sub(d.At) > keepConnections {
		d = download{}
	}
	return d, err
}

// downloaded goes through the connections of a reading.
func (p *Pair) downloaded(ctx context.Context, tenantID string, d download) iter.Seq2[Downloaded, error] {
	return func(yield func(Downloaded, error) bool) {
		if d.Run == "" {
			return
		}
		q := table.Query{PK: connectionsPartition(tenantID), From: d.Run + "#", Until: d.Run + "$", Limit: 20}
		for it, err := range table.QueryAll(ctx, p.table, q) {
			var page []Downloaded
			if err == nil {
				err = table.Unmarshal(it.Data, &page)
			}
			if err != nil {
				yield(Downloaded{}, fmt.Errorf("read JOOR's connections: %w", err))
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// downloadPages reads all connections, page by page.
func (r *run) downloadPages(ctx context.Context) error {
	client, err := r.joor(ctx)
	if err != nil {
		return err
	}
	linked, err := r.linkedConnections(ctx)
	if err != nil {
		return err
	}
	from, _ := strconv.Atoi(r.place.After)
	if r.place.After == "" {
		r.place.Pages, r.Progress.Done = 0, 0
		r.place.Choices = joor.Choices{}
	}
	for {
		var page joor.Page
		err := r.Part.Call(ctx, func(ctx context.Context) (err error) {
			page, err = client.ConnectionsPage(ctx, joor.ConnectionsQuery{StartFrom: from})
			return err
		})
		if err != nil {
			return err
		}
		if err := r.keepPage(ctx, page.Connections, linked); err != nil {
			return err
		}
		r.place.Pages, r.Progress.Done = r.place.Pages+1, r.Progress.Done+len(page.Connections)
		if from = page.Next; from == 0 {
			return r.downloadedAll(ctx)
		}
		r.place.After = strconv.Itoa(from)
		if err := r.Save(ctx); err != nil {
			return err
		}
	}
}

// keepPage keeps what a page holds, and notes what it shows of linked connections.
func (r *run) keepPage(ctx context.Context, page []joor.Connection, linked map[string]standing) error {
	kept := make([]Downloaded, len(page))
	var seen []publish.Seen
	for i, x := range page {
		r.place.Choices.Add(x)
		s, ok := linked[x.ID]
		kept[i] = Downloaded{x.ID, x.Retailer, foundOf(x, s.ours)}
		if !ok || !s.atRest(r.Progress.Begun) {
			continue
		}
		data, err := kept[i].Connection.Known(s.theirs).Pack()
		if err != nil {
			return err
		}
		if string(data) != string(s.entry.Told) {
			seen = append(seen, publish.Seen{Record: publish.Record{Key: s.entry.Key, Data: data}, TheirID: x.ID})
			r.touch(s.id)
		}
	}
	data, err := table.Marshal(kept)
	if err != nil {
		return err
	}
	it := table.Item{Key: connectionsKey(r.Part.Tenant, r.runName(), r.place.Pages+1), Data: data,
		Expires: r.Now().Add(keepConnections + 24*time.Hour).Truncate(time.Second)}
	if err := r.table.Write(ctx, table.Put(it)); err != nil {
		return err
	}
	if len(seen) == 0 {
		return nil
	}
	r.Count("changedThere", len(seen))
	if err := r.unsure(ctx); err != nil {
		return err
	}
	return r.publisher.Learn(ctx, r.Part.Tenant, shelfOf(r.b), seen...)
}

// runName names the reading of a run: it begins anew where somebody asked meanwhile.
func (r *run) runName() string {
	return r.Progress.ID + "@" + strconv.FormatInt(r.Progress.Begun.Unix(), 10)
}

// atRest reports whether nothing is on its way to a connection, and nothing was told since a time: then what is read of
// it is what it holds.
func (s standing) atRest(since time.Time) bool {
	return s.linked() && !s.pending() && s.entry.Doubt == nil && s.entry.At.Before(since)
}

// linkedConnections are the customers that JOOR is known to have, by JOOR's id.
func (r *run) linkedConnections(ctx context.Context) (map[string]standing, error) {
	v, err := r.view(ctx, r.b)
	if err != nil {
		return nil, err
	}
	linked := map[string]standing{}
	for s, err := range r.everyStanding(ctx, r.b, v, "") {
		if err != nil {
			return nil, err
		}
		if s.linked() && s.entry.TheirID != "" {
			linked[s.entry.TheirID] = s
		}
	}
	return linked, nil
}

// downloadedAll has a whole reading count.
func (r *run) downloadedAll(ctx context.Context) error {
	d := download{Account: r.account, Run: r.runName(), Pages: r.place.Pages, Of: r.Progress.Done, At: r.Now().UTC()}
	before, err := r.downloadOf(ctx, r.b)
	if err != nil {
		return err
	}
	_, err = ledger.ChangeDoc(ctx, r.Ledger, r.Part.Tenant, downloadDoc, func(was *download) (bool, error) {
		*was = d
		return true, nil
	})
	if err != nil {
		return err
	}
	for page := 1; before.Run != d.Run && page <= before.Pages; page++ {
		it, err := table.Read(ctx, r.table, connectionsKey(r.Part.Tenant, before.Run, page))
		if err == nil && it.Rev != "" {
			err = r.table.Write(ctx, table.Remove(it))
		}
		if err != nil {
			return err
		}
	}
	r.Count("connections", r.Progress.Done)
	return r.keepOptions(ctx, func(o *optionsKept) { o.JOOR = accountOfChoices(r.place.Choices) })
}

// accountOfChoices is what is known of a JOOR account by what its connections bear. There may be more.
func accountOfChoices(c joor.Choices) (a customer.Account) {
	for _, p := range c.PriceTypes {
		a.Prices = append(a.Prices, customer.Price(p))
	}
	for _, r := range c.SalesReps {
		a.Reps = append(a.Reps, customer.Rep{Code: r.Code, Name: r.Name, Email: r.Email})
	}
	for _, m := range c.PaymentMethods {
		a.Terms = append(a.Terms, customer.Named(m))
	}
	for _, g := range c.Groups {
		a.Groups = append(a.Groups, customer.Named(g))
	}
	return a
}

// lookForRemoved looks for linked connections that the reading did not show. Rows move between pages, so JOOR is asked
// for each.
func (r *run) lookForRemoved(ctx context.Context) error {
	client, err := r.joor(ctx)
	if err != nil {
		return err
	}
	d, err := r.downloadOf(ctx, r.b)
	if err != nil || d.Run != r.runName() {
		return err
	}
	there := map[string]bool{}
	for c, err := range r.downloaded(ctx, r.Part.Tenant, d) {
		if err != nil {
			return err
		}
		there[c.ID] = true
	}
	v, err := r.view(ctx, r.b)
	if err != nil {
		return err
	}
	for s, err := range r.everyStanding(ctx, r.b, v, r.place.After) {
		if err != nil {
			return err
		}
		if there[s.entry.TheirID] || !s.atRest(r.Progress.Begun) {
			continue
		}
		if err := r.lookForOne(ctx, client, s); err != nil {
			return err
		}
		r.place.After = s.id
		if err := r.Save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lookForOne asks JOOR for a connection that a reading did not show, by its code, else by its id.
func (r *run) lookForOne(ctx context.Context, client *joor.Client, s standing) error {
	var found joor.Connection
	err := r.Part.Call(ctx, func(ctx context.Context) (err error) {
		if s.theirs.Code != "" {
			found, err = client.ByCode(ctx, s.theirs.Code)
		} else {
			found, err = client.ByID(ctx, s.entry.TheirID)
		}
		return err
	})
	if rest.KindOf(err) == rest.NotFound {
		if err := r.unsure(ctx); err != nil {
			return err
		}
		r.touch(s.id)
		r.Count("removedThere", 1)
		return r.removed(ctx, s)
	}
	if err != nil || found.ID == s.entry.TheirID {
		return err
	}
	r.touch(s.id)
	return r.publisher.Learn(ctx, r.Part.Tenant, shelfOf(r.b), publish.Seen{
		Record: publish.Record{Key: s.entry.Key, Data: s.entry.Told}, TheirID: found.ID})
}

// wordsOf are the words of a query, folded.
func wordsOf(q string) []string { return strings.Fields(match.Fold(q)) }

// has reports whether every word stands in the connection's code, name, e-mail, buyer or retailer.
func (d Downloaded) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	c := d.Connection
	text := match.Fold(strings.Join([]string{c.Code, c.Name, c.Email, c.Buyer, d.Retailer}, " "))
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) })
}

// DownloadedAt is when JOOR's connections were read last, and how many there were; zero = there is nothing, or it is
// forgotten.
func (p *Pair) DownloadedAt(ctx context.Context, b tenant.Bundle) (time.Time, int, error) {
	d, err := p.downloadOf(ctx, b)
	return d.At, d.Of, err
}

// OnlyPage are connections of JOOR's that no customer is linked to.
type OnlyPage struct {
	Items []Downloaded
	Next  string // JOOR's id: the page after this one begins after it
	Of    int
	Read  time.Time // when JOOR's connections were read; zero = they were not, or are forgotten
}

// Only lists JOOR's connections that no customer of Cin7 Omni is known to be, as they were read last.
func (p *Pair) Only(ctx context.Context, tenantID string, q Query) (page OnlyPage, err error) {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return page, err
	}
	d, err := p.downloadOf(ctx, b)
	if err != nil {
		return page, err
	}
	page.Read = d.At
	sheet, err := p.customers.Read(ctx, tenantID, accountOf(b))
	if err != nil {
		return page, err
	}
	ids, codes := map[string]bool{}, map[string]bool{}
	for _, c := range sheet.Rows {
		ids[c.Connection], codes[strings.ToLower(c.Code)] = c.Connection != "", c.Code != ""
	}
	begun := q.After == ""
	words := wordsOf(q.Q)
	for c, err := range p.downloaded(ctx, tenantID, d) {
		if err != nil {
			return page, err
		}
		if ids[c.ID] || c.Connection.Code != "" && codes[strings.ToLower(c.Connection.Code)] || !c.has(words) {
			continue
		}
		page.Of++
		switch {
		case !begun:
			begun = c.ID == q.After
		case q.Limit > 0 && len(page.Items) == q.Limit:
			page.Next = page.Items[q.Limit-1].ID
		default:
			page.Items = append(page.Items, c)
		}
	}
	if !begun {
		return OnlyPage{}, ErrAfter
	}
	return page, nil
}
