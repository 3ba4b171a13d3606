package upstockcin7

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// The mirror is a copy of the tenant's Cin7 Core reference data, as far as
// orders need it (package mirror says where it is kept):
//
//	books                           Books, gzip; without what no sale can name (bins)
//	product         <id>            cin7core.Product, without large and ever-changing fields
//	productsku      <folded SKU>    the products of that SKU themselves, so that an order by SKU takes one read too
//	productservice  <folded name>   ids of service products: freight is one, chosen by name
//	customer        <id>            cin7core.Customer, likewise
//	customername    <folded name>   ids of customers
//	customeremail   <folded e-mail> ids of the customers of whom a contact has it
//
// A pass reads everything, deprecated records too: a filter by time of change
// would not show what is gone, and a page of 1,000 is one call. What a pass has
// not seen is removed at its end if it has seen as many records as the vendor
// says there are; else a row moved between two pages unseen, and the next pass
// decides. A wrong copy is no harm: what would stop an order is read live first.

// The kinds of rows and names in the mirror.
const (
	customerRows  = "customer"
	customerNames = "customername"
	customerMails = "customeremail"
	productRows   = "product"
	productSKUs   = "productsku"
	serviceNames  = "productservice"
)

// The steps of a pass: the books, one call each, and the two lists.
var (
	bookSteps = []string{sale.WantMe, sale.WantLocations, sale.WantTaxRules, sale.WantPaymentTerms, sale.WantContacts, sale.WantCarriers, sale.WantPriceTiers}
	passSteps = append(slices.Clone(bookSteps), stepCustomers, stepProducts)
)

const (
	stepCustomers = "customers"
	stepProducts  = "products"
)

// stepName is what a step reads, in a person's words.
var stepName = map[string]string{
	sale.WantMe: "settings", sale.WantLocations: "locations", sale.WantTaxRules: "tax rules", sale.WantPaymentTerms: "payment terms", sale.WantContacts: "contacts",
	sale.WantCarriers: "carriers", sale.WantPriceTiers: "price tiers", stepCustomers: "customers", stepProducts: "products",
}

// mirroring is one invocation's part of a pass.
type mirroring struct {
	*Pair
	ctx      context.Context
	job      Job
	b        tenant.Bundle
	conn     tenant.Connection
	client   *cin7core.Client
	name     string // of the turn
	turn     mirror.Turn
	pass     tenant.Mirror // how far it is
	books    sale.Books
	warnings []string // once the books are read
	checked  bool     // warnings are known
	unsaved  bool     // books were read and not written
	progress bool     // a call succeeded
	napped   time.Duration
	removed  int
}

// ReadMirror reads a tenant's Cin7 Core reference data into the mirror, or goes on
// where the last job stopped. It may be started at any time, and by anybody.
func (p *Pair) ReadMirror(ctx context.Context, j Job) error {
	b, err := p.Tenants.Load(ctx, j.Tenant)
	if errors.Is(err, tenant.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if b.Ready(tenant.Cin7Core) != "" {
		return nil // connecting starts it again
	}
	conn := b.Connections[tenant.Cin7Core]
	m := &mirroring{Pair: p, job: j, b: b, conn: conn, pass: conn.Mirror}
	m.name = "cin7core#" + strconv.Itoa(conn.Generation) // a new key does not wait for the old one's job
	now := p.Now()
	var mine bool
	if m.turn, mine, err = p.Mirror.TakeTurn(ctx, j.Tenant, m.name, now, now.Add(p.Times.Lease)); err != nil || !mine {
		return err
	}
	m.ctx = rest.WithGuard(ctx, func() error {
		if d, ok := ctx.Deadline(); ok && time.Until(d) < p.Times.MinInvocation {
			return job.ErrShort
		}
		return nil
	})
	return m.end(m.run())
}

func (m *mirroring) run() error {
	secrets, err := m.secrets(m.ctx, m.conn)
	if err != nil {
		return err
	}
	m.client = m.Cin7Core(m.conn, secrets, m.pass.Ready.IsZero())
	if m.books, err = readBooks(m.b.Books); err != nil {
		m.books, m.pass.Step = sale.Books{}, "" // unreadable: all of them anew
	}
	at := slices.Index(passSteps, m.pass.Step)
	if at < 0 {
		at = 0
		m.pass = tenant.Mirror{State: m.pass.State, Ready: m.pass.Ready, Started: m.Now().UTC().Truncate(time.Second), Page: 1, Fold: m.pass.Fold}
		if m.pass.Fold != foldVersion {
			m.pass.Fold = -foldVersion
		}
	}
	if m.pass.Ready.IsZero() {
		m.pass.State = tenant.MirrorReading
	}
	for ; at < len(passSteps); at++ {
		if m.pass.Step != passSteps[at] {
			m.pass.Step, m.pass.Page, m.pass.Read, m.pass.Total = passSteps[at], 1, 0, 0
		}
		switch passSteps[at] {
		case stepCustomers:
			err = m.list(customerRows, customersPage)
		case stepProducts:
			err = m.list(productRows, productsPage)
		default:
			err = m.book(passSteps[at])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// book reads one reference book. They are written after each only while
// somebody waits for the first pass.
func (m *mirroring) book(kind string) error {
	if err := m.call(func(ctx context.Context) error { return readBook(ctx, m.client, &m.books, kind) }); err != nil {
		if m.unsaved {
			return cmp.Or(m.saveBooks(), err)
		}
		return err
	}
	m.unsaved = true
	last := kind == bookSteps[len(bookSteps)-1]
	if last {
		m.warnings, m.checked = bookWarnings(m.books), true
	}
	if !last && !m.pass.Ready.IsZero() {
		return nil
	}
	if err := m.saveBooks(); err != nil {
		return err
	}
	m.pass.Problem = ""
	m.pass.Step = passSteps[slices.Index(passSteps, kind)+1]
	m.pass.Page, m.pass.Read, m.pass.Total = 1, 0, 0
	return m.save()
}

func (m *mirroring) saveBooks() error {
	_, err := m.Mirror.SaveBooks(m.ctx, m.conn.Tenant, keptBooks(m.books))
	m.unsaved = err != nil
	return err
}

// page is a page of records, ready to be kept.
type page struct {
	rows  []mirror.Row
	total int
	more  bool
}

func customersPage(ctx context.Context, c *cin7core.Client, n int) (page, error) {
	p, err := c.CustomersPage(ctx, cin7core.CustomersQuery{IncludeDeprecated: true, Page: n})
	return page{rowsOf(p.Items, customerRow), p.Total, p.More}, err
}

func productsPage(ctx context.Context, c *cin7core.Client, n int) (page, error) {
	p, err := c.ProductsPage(ctx, cin7core.ProductsQuery{IncludeDeprecated: true, Page: n})
	return page{rowsOf(p.Items, productRow), p.Total, p.More}, err
}

// list reads the rest of a list, page by page. What the mirror holds is read
// once, as hashes: rows that are the same are not looked at again.
func (m *mirroring) list(kind string, read func(ctx context.Context, c *cin7core.Client, n int) (page, error)) error {
	known := map[string]uint64{}
	for row, err := range m.Mirror.All(m.ctx, m.conn.Tenant, kind) {
		if err != nil {
			return err
		}
		known[row.ID] = hash(string(row.Data))
	}
	seen, whole, err := m.seen(kind)
	if err != nil {
		return err
	}
	for {
		var p page
		if err := m.call(func(ctx context.Context) (err error) {
			p, err = read(ctx, m.client, m.pass.Page)
			return err
		}); err != nil {
			return err
		}
		var changed []mirror.Row
		ids := make([]byte, 0, 8*len(p.rows))
		for _, r := range p.rows {
			h := hash(r.ID)
			if !seen[h] {
				seen[h] = true
				ids = binary.BigEndian.AppendUint64(ids, h)
			}
			if old, ok := known[r.ID]; !ok || old != hash(string(r.Data)) || m.pass.Fold == -foldVersion {
				changed = append(changed, r)
			}
		}
		if _, err := m.Mirror.Save(m.ctx, m.conn.Tenant, changed); err != nil {
			return err
		}
		m.pass.Problem, m.pass.Total, m.pass.Read = "", p.total, len(seen)
		if !p.more {
			break
		}
		if err := m.Mirror.SaveSeen(m.ctx, m.conn.Tenant, kind, m.pass.Started, m.pass.Page, ids); err != nil {
			return err
		}
		m.pass.Page++
		if err := m.save(); err != nil {
			return err
		}
	}
	var gone []string
	for id := range known {
		if !seen[hash(id)] {
			gone = append(gone, id)
		}
	}
	if believable := len(seen) > 0 && len(seen) >= m.pass.Total; whole && believable && len(gone) > 0 {
		slices.Sort(gone)
		n, err := m.Mirror.Remove(m.ctx, m.conn.Tenant, kind, gone)
		m.removed += n
		if err != nil {
			return err
		}
	}
	if m.pass.Step != stepProducts {
		m.pass.Step, m.pass.Page, m.pass.Read, m.pass.Total = stepProducts, 1, 0, 0
		return m.save()
	}
	now := m.Now().UTC().Truncate(time.Second)
	m.pass.State, m.pass.Ready, m.pass.Step, m.pass.Page = tenant.MirrorReady, now, "", 0
	if m.pass.Fold == -foldVersion {
		m.pass.Fold = foldVersion
	}
	return m.save()
}

// seen is what earlier pages of the pass held, as other invocations wrote it down.
func (m *mirroring) seen(kind string) (seen map[uint64]bool, whole bool, err error) {
	seen = map[uint64]bool{}
	if m.pass.Page <= 1 {
		return seen, true, nil
	}
	pages, whole, err := m.Mirror.Seen(m.ctx, m.conn.Tenant, kind, m.pass.Started, m.pass.Page-1)
	for _, ids := range pages {
		for ; len(ids) >= 8; ids = ids[8:] {
			seen[binary.BigEndian.Uint64(ids)] = true
		}
	}
	return seen, whole, err
}

// call makes one call, sleeping a moment where the limiter says so.
func (m *mirroring) call(f func(ctx context.Context) error) error {
	if now := m.Now(); m.turn.Until.Sub(now) < m.Times.Lease/2 {
		m.turn.Until = now.Add(m.Times.Lease).UTC()
		if err := m.Mirror.SaveTurn(m.ctx, m.conn.Tenant, m.name, m.turn); err != nil {
			return err
		}
	}
	for {
		err := f(m.ctx)
		if err == nil {
			m.progress = true
			return nil
		}
		wait, ok := errors.AsType[*rest.Wait](err)
		if !ok {
			return err
		}
		nap := max(0, wait.Until.Sub(m.Now())) + job.Jitter(10*time.Millisecond, 100*time.Millisecond)
		if m.napped += nap; m.napped > m.Times.Soon {
			return err
		}
		select {
		case <-time.After(nap):
		case <-m.ctx.Done():
			return m.ctx.Err()
		}
	}
}

// save writes the progress down, unless the connection is another one by now.
func (m *mirroring) save() error {
	_, err := m.Tenants.Update(m.ctx, m.conn.Tenant, tenant.Cin7Core, func(c *tenant.Connection) error {
		if c.Generation != m.conn.Generation || c.State != tenant.Connected {
			return errMoved
		}
		if c.Mirror.Ready.After(m.pass.Ready) { // another job's pass is complete
			m.pass.Ready, m.pass.State = c.Mirror.Ready, c.Mirror.State
		}
		c.Mirror = m.pass
		if m.checked {
			c.Warnings = m.warnings
		}
		return nil
	})
	if errors.Is(err, tenant.ErrNotFound) {
		return errMoved
	}
	return err
}

// end gives the turn back and says when the rest is read.
func (m *mirroring) end(err error) error {
	if m.progress {
		m.turn.Failures = 0
	}
	delay, problem, err := m.after(err)
	m.turn.Until = m.Now().Add(delay - time.Second).UTC() // the message must find it over
	if terr := m.Mirror.SaveTurn(context.WithoutCancel(m.ctx), m.conn.Tenant, m.name, m.turn); terr != nil {
		return cmp.Or(err, terr)
	}
	if err != nil {
		return err
	}
	if delay >= 0 {
		m.pass.Problem = problem
		if err := m.save(); err != nil {
			if errors.Is(err, errMoved) {
				return nil
			}
			return err
		}
		return m.Start(m.ctx, m.job, delay)
	}
	var said []string
	if m.pass.Step == "" && m.conn.Mirror.Ready.IsZero() {
		said = append(said, "Cin7 Core's customers, products and settings were read for the first time: orders can be sent.")
	}
	if m.removed > 0 {
		said = append(said, fmt.Sprintf("%d customers and products are gone from Cin7 Core.", m.removed))
	}
	if len(said) == 0 {
		return nil
	}
	return m.Ledger.Record(m.ctx, m.conn.Tenant, ledger.Event{Kind: "mirror", Text: strings.Join(said, " ")})
}

// after reads how the invocation ended: go on after a delay (negative: not at
// all), and what a person should know.
func (m *mirroring) after(err error) (delay time.Duration, problem string, _ error) {
	const stop = -1
	switch {
	case err == nil, errors.Is(err, errMoved):
		return stop, "", nil
	case errors.Is(err, job.ErrShort):
		if m.progress {
			return 0, "", nil
		}
		return m.Times.MinRetry, "", nil
	}
	goesOn := " Reading its " + stepName[m.pass.Step] + " goes on by itself."
	switch out := m.verdicts.Of(m.ctx, m.b, err).(type) {
	case *ledger.Later:
		return max(out.At.Sub(m.Now()), 0), out.Why + goesOn, nil
	case *ledger.Park: // connecting starts it again
		return stop, "", nil
	case *ledger.Down:
		m.turn.Failures++
		return job.Backoff(m.turn.Failures-1, m.Times.MinRetry, m.Times.MaxVendor), out.Why + goesOn, nil
	default:
		return stop, "", out
	}
}

// readBook reads one reference book.
func readBook(ctx context.Context, c *cin7core.Client, b *sale.Books, kind string) error {
	switch kind {
	case sale.WantMe:
		return into(&b.Me)(c.Me(ctx))
	case sale.WantLocations:
		return into(&b.Locations)(c.Locations(ctx))
	case sale.WantTaxRules:
		return into(&b.TaxRules)(c.TaxRules(ctx))
	case sale.WantPaymentTerms:
		return into(&b.PaymentTerms)(c.PaymentTerms(ctx))
	case sale.WantContacts:
		return into(&b.Contacts)(c.Contacts(ctx))
	case sale.WantCarriers:
		return into(&b.Carriers)(c.Carriers(ctx))
	case sale.WantPriceTiers:
		return into(&b.PriceTiers)(c.PriceTiers(ctx))
	}
	return fmt.Errorf("no reference book %q", kind)
}

func into[T any](to *T) func(T, error) error {
	return func(v T, err error) error {
		if err == nil {
			*to = v
		}
		return err
	}
}

// keptBooks are books without bins, of which there may be thousands and which no
// sale can name, and without how to reach people.
func keptBooks(b sale.Books) sale.Books {
	b.Locations = slices.DeleteFunc(slices.Clone(b.Locations), cin7core.Location.IsBin)
	b.Contacts = slices.Clone(b.Contacts)
	for i := range b.Contacts {
		c := &b.Contacts[i]
		c.ContactID, c.Email, c.Phone = "", "", ""
	}
	return b
}

func readBooks(data []byte) (b sale.Books, err error) {
	if err = mirror.ReadBooks(data, &b); err != nil {
		err = fmt.Errorf("read books: %w", err)
	}
	return b, err
}

// bookWarnings says what in the account's books would change orders behind our
// back, or stop them.
func bookWarnings(b sale.Books) []string {
	said := meWarnings(b.Me)
	if !slices.ContainsFunc(b.Contacts, func(c cin7core.Contact) bool { return match.Same(c.Name, tenant.DefaultSalesRep) }) {
		said = append(said, "Cin7 Core has no contact named "+tenant.DefaultSalesRep+": sales to customers without a sales representative have none, unless the setting defaultSalesRep names another.")
	}
	if !slices.ContainsFunc(b.Locations, func(l cin7core.Location) bool {
		return l.IsDefault && !l.IsDeprecated && !l.IsBin()
	}) {
		said = append(said, "Cin7 Core has no default location: choose one in the setting location, or orders of customers without one cannot be sent.")
	}
	if !slices.ContainsFunc(b.TaxRules, cin7core.TaxRule.ForSales) {
		said = append(said, "Cin7 Core has no active tax rule for sales: no order can be sent.")
	}
	return said
}

// meWarnings are those of bookWarnings that the account's own settings tell.
func meWarnings(me cin7core.Me) []string {
	var said []string
	if me.AutomaticallyApplyDiscounts {
		said = append(said, "Cin7 Core applies discounts by itself when an order is authorised, which may change a sale's total afterwards. Switch that off in Cin7 Core, or keep the setting orderStatus at draft.")
	}
	day, month := me.LockDates()
	if lock := me.LockDate(); !day.Equal(month) && (day.After(time.Now()) || month.After(time.Now())) {
		said = append(said, fmt.Sprintf("Cin7 Core's books are locked until %s or %s: its lock date %s can be read both ways. Cin7 Core itself refuses what is too old.",
			day.Format("2 January 2006"), month.Format("2 January 2006"), prose.Quote(me.LockDateText)))
	} else if lock.After(time.Now()) {
		said = append(said, fmt.Sprintf("Cin7 Core's books are locked until %s: orders dated up to then cannot be sent.", lock.Format("2 January 2006")))
	} else if lock.IsZero() && strings.TrimSpace(me.LockDateText) != "" {
		said = append(said, "Cin7 Core's lock date "+prose.Quote(me.LockDateText)+" cannot be read, so it is not known which orders are too old to be sent.")
	}
	if method := strings.TrimSpace(me.TaxCalculationMethod); !match.Same(method, "Row Total") && !match.Same(method, "Total") {
		said = append(said, "Cin7 Core's way of computing tax, "+prose.Quote(method)+", is not known here: totals may differ by cents.")
	}
	if strings.TrimSpace(me.Currency) == "" {
		said = append(said, "Cin7 Core does not say which currency its account is kept in: no order can be sent.")
	}
	return said
}

// The rows: a record without what orders do not need (prices are the order's),
// and without what changes all the time.

const (
	// mostContacts and mostAddresses keep a customer's row within an item of the table.
	mostContacts, mostAddresses = 200, 500
	// longest is the longest text that counts: the vendor's own limits are below.
	longest = 1024
)

func customerRow(x cin7core.Customer) mirror.Row {
	row := mirror.Row{Key: mirror.Key{Kind: customerRows, ID: rowID(x.ID)}}
	name := func(kind, text string) {
		if k, ok := nameKey(kind, text); ok && !slices.Contains(row.Names, mirror.Name{Key: k}) {
			row.Names = append(row.Names, mirror.Name{Key: k})
		}
	}
	name(customerNames, x.Name)
	for _, c := range x.Contacts {
		for _, mail := range c.Emails() {
			name(customerMails, mail)
		}
	}
	x.Comments, x.Tags, x.TaxNumber, x.AttributeSet, x.AccountReceivable, x.RevenueAccount = "", "", "", "", "", ""
	x.LastModifiedOn, x.ProductPrices = time.Time{}, nil
	x.Addresses = slices.Clone(x.Addresses[:min(len(x.Addresses), mostAddresses)])
	x.Contacts = slices.Clone(x.Contacts[:min(len(x.Contacts), mostContacts)])
	row.Data = compact(x)
	return row
}

func productRow(x cin7core.Product) mirror.Row {
	row := mirror.Row{Key: mirror.Key{Kind: productRows, ID: rowID(x.ID)}}
	if k, ok := nameKey(productSKUs, x.SKU); ok {
		row.Names = append(row.Names, mirror.Name{Key: k, Whole: true})
	}
	if k, ok := nameKey(serviceNames, x.Name); ok && match.Same(x.Type, "Service") {
		row.Names = append(row.Names, mirror.Name{Key: k})
	}
	x.Category, x.Brand, x.Barcode, x.ShortDescription, x.Description, x.InternalNote, x.AttributeSet, x.Tags = "", "", "", "", "", "", "", ""
	x.Attributes, x.TierPrices, x.AverageCost = cin7core.Attributes{}, cin7core.TierPrices{}, x.AverageCost.Sub(x.AverageCost)
	x.LastModifiedOn, x.Attachments, x.CustomPrices = time.Time{}, nil, nil
	row.Data = compact(x)
	return row
}

func rowsOf[T any](items []T, row func(T) mirror.Row) []mirror.Row {
	rows := make([]mirror.Row, 0, len(items))
	for _, x := range items {
		if r := row(x); r.ID != "" {
			rows = append(rows, r)
		}
	}
	return rows
}

func rowID(id string) string { return strings.ToLower(strings.TrimSpace(id)) }

// foldVersion changes with what nameKey makes of a text: a mirror of another version may hide a row from its name.
const foldVersion = 1

// nameKey folds more than the planner does when it compares, so that whatever it would accept is found.
func nameKey(kind, text string) (mirror.Key, bool) {
	return keyOf(kind, strings.ReplaceAll(match.Fold(text), " ", ""))
}

// formerKey is nameKey as it was before there was a foldVersion.
func formerKey(kind, text string) (mirror.Key, bool) {
	return keyOf(kind, fold(strings.ToUpper(text)))
}

func keyOf(kind, text string) (mirror.Key, bool) {
	const most = 400 // bytes
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return mirror.Key{Kind: kind, ID: text}, text != ""
}

// compact is a record as JSON without its empty fields and with no text longer
// than counts.
func compact(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil
	}
	doc, _ = prune(doc)
	data, _ = json.Marshal(doc)
	return data
}

// amounts are the decimals of a record, which JSON has as texts.
var amounts = map[string]bool{
	"Discount": true, "CreditLimit": true, "AverageCost": true, "PriceTier1": true, "PriceTier2": true, "PriceTier3": true, "PriceTier4": true,
	"PriceTier5": true, "PriceTier6": true, "PriceTier7": true, "PriceTier8": true, "PriceTier9": true, "PriceTier10": true,
}

func prune(v any) (_ any, empty bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			x, empty := prune(x)
			if v[k] = x; empty && !(k == "Sellable" && x == false) || x == "0" && amounts[k] { // a product is sellable where it does not say
				delete(v, k)
			}
		}
		return v, false
	case []any:
		for i := range v {
			v[i], _ = prune(v[i])
		}
		return v, len(v) == 0
	case string:
		short, _ := prose.Cut(v, longest)
		return short, v == "" || v == "0001-01-01T00:00:00Z"
	case json.Number:
		return v, v == "0"
	case bool:
		return v, !v
	}
	return v, true
}

func hash(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}

// reference reads what one order needs from the mirror: the books come with
// the bundle, the rest takes one read of the table per 100 lines, and one more
// where the customer is not linked in Upstock.
func (p *Pair) reference(ctx context.Context, b tenant.Bundle, o upstock.Order) (sale.Reference, error) {
	books, err := readBooks(b.Books)
	if err != nil {
		return sale.Reference{}, err
	}
	ref := sale.Reference{Books: books}
	ref.Supplier, _ = strconv.ParseInt(b.Connections[tenant.Upstock].Account, 10, 64)
	var keys []mirror.Key
	former := b.Connections[tenant.Cin7Core].Mirror.Fold != foldVersion
	named := func(kind, text string) {
		if k, ok := nameKey(kind, text); ok {
			keys = append(keys, k)
		}
		if k, ok := formerKey(kind, text); ok && former {
			keys = append(keys, k)
		}
	}
	for _, w := range sale.Needs(o, b.Settings) {
		switch {
		case w.Kind == sale.WantCustomer && w.ID != "":
			keys = append(keys, mirror.Key{Kind: customerRows, ID: rowID(w.ID)})
		case w.Kind == sale.WantCustomer && w.Name != "":
			named(customerNames, w.Name)
		case w.Kind == sale.WantCustomer:
			named(customerMails, w.Email)
		case w.ID != "":
			keys = append(keys, mirror.Key{Kind: productRows, ID: rowID(w.ID)})
		case w.SKU != "":
			named(productSKUs, w.SKU)
		default:
			named(serviceNames, w.Name)
		}
	}
	who := supplierAt(b.Connections[tenant.Upstock])
	customer := mirror.Link{}
	if o.Customer.ID > 0 {
		customer = mirror.Link{Kind: sale.CustomerLinks, ID: who.key(strconv.FormatInt(o.Customer.ID, 10)), Row: customerRows}
	}
	links := []mirror.Link{customer}
	goods := map[string]mirror.Link{}
	for _, l := range o.Lines {
		if key := match.SKU(l.SKU); key != "" && match.ID(l.ProductExternalID) == "" && goods[key].ID == "" {
			goods[key] = mirror.Link{Kind: sale.ProductLinks, ID: who.skuLink(l.SKU), Row: productRows}
			links = append(links, goods[key])
		}
	}
	rows, to, err := p.Mirror.Find(ctx, b.Tenant.ID, keys, links...)
	if err != nil {
		return ref, err
	}
	ref.Link, ref.Goods = to[customer], map[string]ledger.Link{}
	for key, link := range goods {
		if to[link].ID != "" {
			ref.Goods[key] = to[link]
		}
	}
	for _, r := range rows {
		if r.Kind == customerRows {
			ref.Customers, err = readRow(ref.Customers, r)
		} else {
			ref.Products, err = readRow(ref.Products, r)
		}
		if err != nil {
			return ref, err
		}
	}
	return ref, nil
}

func readRow[T any](list []T, r mirror.Row) ([]T, error) {
	var x T
	if err := json.Unmarshal(r.Data, &x); err != nil {
		return list, fmt.Errorf("read %s %s of the mirror: %w", r.Kind, r.ID, err)
	}
	return append(list, x), nil
}

// mostAlike is how many records beside those that fit are kept for a person to choose from.
const mostAlike = 200

// mostLive is how many calls one order may spend on live reads.
const mostLive = 20

// live reads the wants from Cin7 Core itself and writes what it learns into
// the mirror. More products than a few are first looked for among all that
// changed since the last pass, which is one call: a season's new products come
// in one order.
func (p *Pair) live(ctx context.Context, c *cin7core.Client, b tenant.Bundle, ref sale.Reference, wants []sale.Want) (sale.Reference, error) {
	l := &liveReads{ctx: ctx, client: c, ref: ref, left: mostLive, read: map[mirror.Key]bool{}}
	l.ref.Customers, l.ref.Products, l.ref.Goods = slices.Clone(ref.Customers), slices.Clone(ref.Products), maps.Clone(ref.Goods)
	more, err := p.goodsOf(ctx, b, wants, &l.ref)
	if err != nil {
		return ref, err
	}
	core, began := b.Connections[tenant.Cin7Core], p.Now()
	err = l.all(append(slices.Clone(wants), more...), core.Mirror)
	if serr := l.save(p.Mirror, b.Tenant.ID); err == nil {
		err = serr
	}
	if _, asked := withoutChangedCustomers(wants); asked && err == nil {
		err = p.noteCustomersRead(ctx, core, began)
	}
	if errors.Is(err, errUnread) {
		if serr := p.Start(ctx, Job{Job: JobMirror, Tenant: b.Tenant.ID}, 0); serr != nil {
			return ref, serr
		}
		return ref, &ledger.Later{
			At:  p.Now().Add(job.Jitter(p.Times.Mirror, p.Times.Mirror/2)),
			Why: "Cin7 Core's customers are being read anew, to be sure of which one the order is for.",
		}
	}
	if err != nil {
		return ref, err
	}
	l.ref.Live = true
	return l.ref, nil
}

// goodsOf adds the links of products that are looked for by SKU after all, as the id that Upstock has leads nowhere, and
// wants those that they lead to.
func (p *Pair) goodsOf(ctx context.Context, b tenant.Bundle, wants []sale.Want, ref *sale.Reference) (more []sale.Want, err error) {
	who := supplierAt(b.Connections[tenant.Upstock])
	keys := map[string]string{} // of the link: skuKey
	for _, w := range wants {
		if key := match.SKU(w.SKU); w.Kind == sale.WantProduct && key != "" && ref.Goods[key].ID == "" {
			keys[who.skuLink(w.SKU)] = key
		}
	}
	links, err := p.Ledger.Links(ctx, b.Tenant.ID, sale.ProductLinks, slices.Sorted(maps.Keys(keys))...)
	if err != nil {
		return nil, err
	}
	for from, link := range links {
		if ref.Goods == nil {
			ref.Goods = map[string]ledger.Link{}
		}
		ref.Goods[keys[from]] = link
		more = append(more, sale.Want{Kind: sale.WantProduct, ID: link.ID})
	}
	return more, nil
}

// errUnread: what the mirror has of customers' names cannot be relied on, and cannot be made good with the calls that one
// order may spend.
var errUnread = errors.New("not all customers were read")

// liveReads is one order's live reads.
type liveReads struct {
	ctx    context.Context
	client *cin7core.Client
	ref    sale.Reference
	left   int // calls
	books  bool
	read   map[mirror.Key]bool // read live
	rows   []mirror.Row
	gone   []mirror.Key
}

// may spends one call, if there is one left. Past the last one the mirror is believed.
func (l *liveReads) may() bool { l.left--; return l.left >= 0 }

func (l *liveReads) all(wants []sale.Want, m tenant.Mirror) error {
	products := 0
	for _, w := range wants {
		var err error
		switch {
		case w.Kind == sale.WantProduct:
			products++
		case w.Kind == sale.WantChangedProducts:
			products = max(products, 6)
		case w.Kind == sale.WantCustomer:
			err = l.customer(w)
		case w.Kind == sale.WantChangedCustomers:
			err = l.changedCustomers(m, w.Name)
		case l.may():
			err = readBook(l.ctx, l.client, &l.ref.Books, w.Kind)
			l.books = true
		}
		if err != nil {
			return fmt.Errorf("read %s live: %w", w.Kind, err)
		}
	}
	if products > 5 && !m.Started.IsZero() {
		if err := l.changedSince(m); err != nil {
			return fmt.Errorf("read changed products live: %w", err)
		}
	}
	// By SKU first: the answer often holds what is wanted by id too.
	for _, byID := range []bool{false, true} {
		for _, w := range wants {
			if w.Kind != sale.WantProduct || (w.ID != "") != byID {
				continue
			}
			if err := l.product(w); err != nil {
				return fmt.Errorf("read product live: %w", err)
			}
		}
	}
	return nil
}

// changedSince reads the products that changed since the last complete pass
// began, an hour earlier for the sake of clocks.
func (l *liveReads) changedSince(m tenant.Mirror) error {
	since := m.Started
	if m.Step != "" { // of the running pass, which may not have come to the products yet
		since = m.Ready
	}
	const most = 5
	for n := 1; n <= most && l.may(); n++ {
		p, err := l.client.ProductsPage(l.ctx, cin7core.ProductsQuery{ModifiedSince: since.Add(-time.Hour), IncludeDeprecated: true, Page: n})
		if err != nil {
			return err
		}
		for _, x := range p.Items {
			l.haveProduct(x)
		}
		if !p.More {
			break
		}
	}
	return nil
}

// changedCustomers reads the customers that changed since the last complete pass began, an hour earlier for the sake of
// clocks: all of them, as each may have the name that is looked for. A mirror of an earlier version has to be read anew.
func (l *liveReads) changedCustomers(m tenant.Mirror, name string) error {
	if m.Fold != foldVersion {
		return errUnread
	}
	since := m.Started
	if m.Step != "" { // of the running pass, which may not have come to the customers yet
		since = m.Ready
	}
	q := cin7core.CustomersQuery{ModifiedSince: since.Add(-time.Hour), IncludeDeprecated: true}
	key, _ := nameKey(customerNames, name)
	for q.Page = 1; ; q.Page++ {
		if !l.may() {
			return errUnread
		}
		p, err := l.client.CustomersPage(l.ctx, q)
		if err != nil {
			return err
		}
		for _, x := range p.Items {
			r := customerRow(x)
			if slices.Contains(r.Names, mirror.Name{Key: key}) || slices.ContainsFunc(l.ref.Customers, x.SameAs) {
				l.haveCustomer(x)
			} else {
				l.keep(r)
			}
		}
		if !p.More {
			return nil
		}
	}
}

func (l *liveReads) haveProduct(x cin7core.Product) {
	l.keep(productRow(x))
	l.ref.Products = replaced(l.ref.Products, x, func(y cin7core.Product) bool { return strings.EqualFold(x.ID, y.ID) })
}

func (l *liveReads) haveCustomer(x cin7core.Customer) {
	l.keep(customerRow(x))
	l.ref.Customers = replaced(l.ref.Customers, x, x.SameAs)
}

func (l *liveReads) keep(r mirror.Row) {
	if r.ID != "" && !l.read[r.Key] {
		l.read[r.Key] = true
		l.rows = append(l.rows, r)
	}
}

func replaced[T any](list []T, x T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = x
		return list
	}
	return append(list, x)
}

// byID reads one record; one that is not there is forgotten.
func (l *liveReads) byID(kind, id string) error {
	k := mirror.Key{Kind: kind, ID: rowID(id)}
	if l.read[k] || !l.may() {
		return nil
	}
	var err error
	if kind == customerRows {
		var x cin7core.Customer
		if x, err = l.client.Customer(l.ctx, k.ID); err == nil {
			l.haveCustomer(x)
		}
	} else {
		var x cin7core.Product
		if x, err = l.client.Product(l.ctx, k.ID); err == nil {
			l.haveProduct(x)
		}
	}
	if rest.KindOf(err) != rest.NotFound {
		return err
	}
	l.read[k] = true
	l.gone = append(l.gone, k)
	if kind == customerRows {
		l.ref.Customers = slices.DeleteFunc(l.ref.Customers, func(x cin7core.Customer) bool { return rowID(x.ID) == k.ID })
	} else {
		l.ref.Products = slices.DeleteFunc(l.ref.Products, func(x cin7core.Product) bool { return rowID(x.ID) == k.ID })
	}
	return nil
}

// customer reads what is wanted of a customer. A card that the mirror has under
// that name and the vendor no longer lists is read by its id.
func (l *liveReads) customer(w sale.Want) error {
	if w.ID != "" {
		return l.byID(customerRows, w.ID)
	}
	q := cin7core.CustomersQuery{Name: w.Name, ContactFilter: w.Email, IncludeDeprecated: true}
	kind, text := customerNames, w.Name
	if w.Name == "" {
		kind, text = customerMails, w.Email
	}
	key, ok := nameKey(kind, text)
	if !ok || !l.may() {
		return nil
	}
	p, err := l.client.CustomersPage(l.ctx, q)
	if err != nil {
		return err
	}
	fits := func(r mirror.Row) bool { return slices.Contains(r.Names, mirror.Name{Key: key}) }
	for _, x := range p.Items {
		if fits(customerRow(x)) {
			l.haveCustomer(x)
		} else if !slices.ContainsFunc(l.ref.Customers, x.SameAs) && len(l.ref.Customers) < mostAlike {
			l.ref.Customers = append(l.ref.Customers, x) // for a person to choose from
		}
	}
	for _, x := range slices.Clone(l.ref.Customers) {
		if fits(customerRow(x)) {
			if err := l.byID(customerRows, x.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// product reads what is wanted of a product, unless it was just read. The
// vendor's filters find more than what equals them, by the page.
func (l *liveReads) product(w sale.Want) error {
	if w.ID != "" {
		return l.byID(productRows, w.ID)
	}
	fits := func(x cin7core.Product) bool {
		if w.SKU != "" {
			return match.SKU(x.SKU) == match.SKU(w.SKU)
		}
		return match.Same(x.Name, w.Name)
	}
	fresh := func(x cin7core.Product) bool {
		return fits(x) && l.read[mirror.Key{Kind: productRows, ID: rowID(x.ID)}]
	}
	if w.SKU+w.Name == "" || slices.ContainsFunc(l.ref.Products, fresh) {
		return nil
	}
	const most = 3
	for n := 1; n <= most && l.may(); n++ {
		p, err := l.client.ProductsPage(l.ctx, cin7core.ProductsQuery{SKU: w.SKU, Name: w.Name, IncludeDeprecated: true, Page: n})
		if err != nil {
			return err
		}
		found := false
		for _, x := range p.Items {
			if fits(x) {
				found = true
				l.haveProduct(x)
			} else if w.SKU != "" && len(l.ref.Products) < mostAlike && !slices.ContainsFunc(l.ref.Products, func(y cin7core.Product) bool { return strings.EqualFold(x.ID, y.ID) }) {
				l.ref.Products = append(l.ref.Products, x) // for a person to choose from
			}
		}
		if found || !p.More {
			break
		}
	}
	for _, x := range slices.Clone(l.ref.Products) {
		if fits(x) {
			if err := l.byID(productRows, x.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// save writes what was learnt into the mirror.
func (l *liveReads) save(to *mirror.Store, tenantID string) error {
	if _, err := to.Save(l.ctx, tenantID, l.rows); err != nil {
		return err
	}
	for _, k := range l.gone {
		if _, err := to.Remove(l.ctx, tenantID, k.Kind, []string{k.ID}); err != nil {
			return err
		}
	}
	if !l.books {
		return nil
	}
	_, err := to.SaveBooks(l.ctx, tenantID, keptBooks(l.ref.Books))
	return err
}
