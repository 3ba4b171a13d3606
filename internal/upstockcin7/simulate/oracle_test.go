package simulate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/table"
	"stockbridge/internal/upstockcin7"
	stored "stockbridge/internal/upstockcin7/order"
	selling "stockbridge/internal/upstockcin7/sale"
)

// verdict compares what people wanted with what stands at the vendors and in the
// ledger: "" if all is well. It knows nothing of how the work is done.
func (w *world) verdict() string {
	var bad []string
	for _, o := range w.orders {
		if text := w.judge(o); text != "" {
			bad = append(bad, fmt.Sprintf("order %d: %s", o.id, text))
		}
	}
	bad = append(bad, w.wrong...)
	for _, s := range w.shops {
		if text := w.books(s); text != "" {
			bad = append(bad, text)
		}
	}
	if text := w.budgets(); text != "" {
		bad = append(bad, text)
	}
	return strings.Join(bad, "\n")
}

// judge is the verdict on one order.
func (w *world) judge(o *order) string {
	r := w.run(o)
	foreign := o.supplier == w.spare.Upstock.Supplier // another company's, which is not connected any more
	if r == nil {
		if foreign {
			return ""
		}
		return "lost: nothing is written down"
	}
	if text := w.othersWork(o, r) + w.othersVoid(o, r); text != "" {
		return text
	}
	live, _ := w.sales(o)
	var full, empty []string
	elsewhere := 0
	for _, s := range live {
		switch {
		case w.forgottenElsewhere(o, s.ID) && r.SaleID != s.ID:
			elsewhere++
		case s.Lines > 0 && w.made[s.ID] == nil: // a person's copy
		case s.Lines > 0:
			full = append(full, s.Number)
		default:
			empty = append(empty, s.Number)
		}
	}
	waits := w.waits(o, r)
	switch {
	case len(full) > 1:
		return fmt.Sprintf("%d sales with lines: %s", len(full), full)
	case len(empty) > 0 && !w.restored.IsZero() && len(o.shop.settings) > 0 && r.State == ledger.Attention &&
		w.is(r, "changedByOthers"):
		return "" // the restored table has lost the settings that it was made by, so a person is told
	case len(empty) > 0 && !waits && len(o.edits) == 0:
		return fmt.Sprintf("headers without lines: %s", empty)
	case waits:
		return ""
	case foreign && !o.cancelled.IsZero() && r.Cancelled.IsZero(): // that company was taken away before
		return ""
	case !o.cancelled.IsZero():
		return w.judgeCancelled(o, r, full)
	case len(o.edits) > 0:
		return w.judgeEdited(o, r, len(live))
	}
	up := w.standing(o)
	switch {
	case r.State == ledger.Attention && !w.restored.IsZero() && len(full)+elsewhere == 1 && w.is(r, "foreignSale"):
		return "" // sold in another account, which the restored table does not know of
	case r.State == ledger.Attention:
		return "an attention that nobody caused: " + fmt.Sprint(r.Problems)
	case len(full) == 0:
		return "no sale: it is " + string(r.State) + " " + r.Why
	case r.SaleID != live[0].ID || r.SaleNumber != live[0].Number:
		return fmt.Sprintf("the ledger says %s, Cin7 Core %s", r.SaleNumber, live[0].Number)
	case !near(live[0].Total, up.Total) || r.SaleTotal != live[0].Total:
		return fmt.Sprintf("totals: order %s, sale %s, ledger %s", up.Total, live[0].Total, r.SaleTotal)
	case up.External != live[0].Number:
		return "Upstock shows " + up.External + " as its sale, which is " + live[0].Number
	}
	if text := w.content(live[0].ID, up.JSON); text != "" {
		return text
	}
	if r.Account != o.shop.account.Cin7Core.AccountID { // its shipping is not followed
		return ""
	}
	return w.toldOf(o, live[0].ID, up, r)
}

// saysOthersWork is how an order says that somebody else handled its goods.
var saysOthersWork = regexp.MustCompile(`Somebody (has )?(picked|packed|shipped|begun to)`)

// othersWork finds what an order calls somebody else's work on its goods though nobody had begun with them: it was
// ours.
func (w *world) othersWork(o *order, r *stored.Order) string {
	if !w.restored.IsZero() || len(o.edits) > 0 { // forgotten, or of another sale
		return ""
	}
	for _, e := range r.Timeline {
		if saysOthersWork.MatchString(e.Text) && (o.handled.IsZero() || e.At.Before(o.handled)) {
			return "nobody had begun with its goods then, and it says: " + e.Text
		}
	}
	return ""
}

// saysOthersVoid is how an order says that somebody else voided its sale.
var saysOthersVoid = regexp.MustCompile(`of this order was voided in Cin7 Core`)

// othersVoid finds what an order calls somebody else's void though nobody voided a sale of it: the void was ours.
func (w *world) othersVoid(o *order, r *stored.Order) string {
	if !w.restored.IsZero() || len(o.edits) > 0 {
		return ""
	}
	for _, e := range r.Timeline {
		if saysOthersVoid.MatchString(e.Text) {
			return "nobody voided a sale of it, and it says: " + e.Text
		}
	}
	return ""
}

// waits reports whether an order can only go on when another company, or another
// account, is connected again.
func (w *world) waits(o *order, r *stored.Order) bool {
	if o.supplier == w.spare.Upstock.Supplier && r.State == ledger.Attention {
		return true
	}
	return (o.supplier == w.spare.Upstock.Supplier || o.account == w.spare.Cin7Core.AccountID ||
		r.Account == w.spare.Cin7Core.AccountID) &&
		(r.Parked || r.Awaits != "" || r.State == ledger.Attention && w.is(r, "accountChanged"))
}

// is reports whether a run has a problem of a code.
func (w *world) is(r *stored.Order, code string) bool {
	return slices.ContainsFunc(r.Problems, func(p ledger.Problem) bool { return p.Code == code })
}

// heard makes sure that every parcel was told by the ways that are meant for
// it, before the comparison of the books finds what they lost. A restored table
// has lost what the list said.
func (w *world) heard() {
	for _, o := range w.orders {
		r := w.run(o)
		live, _ := w.sales(o)
		if w.restored.IsZero() && r != nil && o.silent && !o.cancelled.IsZero() && r.Cancelled.IsZero() &&
			o.supplier == o.shop.account.Upstock.Supplier {
			w.note("order %d, before the books were compared: it was cancelled while Upstock was not connected, and "+
				"that is not written down", o.id)
		}
		if w.restored.IsZero() && r != nil && o.cancelled.IsZero() && len(o.edits) == 0 && len(live) == 1 &&
			r.SaleID == live[0].ID && !r.SoldAt.IsZero() &&
			r.State != ledger.Attention && r.Account == o.shop.account.Cin7Core.AccountID &&
			o.supplier == o.shop.account.Upstock.Supplier {
			if text := w.toldOf(o, live[0].ID, w.standing(o), r); text != "" {
				w.note("order %d, before the books were compared: %s", o.id, text)
			}
		}
	}
}

// judgeCancelled: an order that was cancelled has no sale, or one that was made
// before and stands, which is said, or is to be voided and cannot be.
func (w *world) judgeCancelled(o *order, r *stored.Order, full []string) string {
	switch {
	case r.Cancelled.IsZero():
		return "it is cancelled in Upstock, and that is not written down"
	case len(full) == 0 && len(o.edits) == 0 && r.State != stored.Cancelled && r.State != ledger.Attention:
		return "it is cancelled and has no sale, and the ledger says " + string(r.State)
	case r.State == ledger.Attention && len(r.Problems) > 0: // somebody is told
	case len(full) == 1 && r.SoldAt.IsZero():
		return "it is cancelled, and its sale " + full[0] + " is not known"
	case len(full) == 1 && len(r.Said) == 0 && len(r.Problems) == 0:
		return "it is cancelled, its sale stands, and nothing is said"
	}
	return ""
}

// judgeEdited: where people meddled with a sale, what becomes of it is theirs; but somebody must be told.
func (w *world) judgeEdited(o *order, r *stored.Order, live int) string {
	if r.Account == o.shop.account.Cin7Core.AccountID && live == 0 && r.State != ledger.Attention &&
		r.State != stored.Cancelled {
		return "people voided its sale, and nobody is told: it is " + string(r.State)
	}
	switch r.State {
	case stored.Sold, stored.PartlyShipped, stored.Shipped, ledger.Attention:
		return ""
	}
	return "people changed its sale, and it is " + string(r.State) + " " + r.Why
}

// content compares a sale's goods, prices and delivery address with the order's.
func (w *world) content(sale string, order json.RawMessage) string {
	var o struct {
		Lines []struct {
			SKU, Quantity, UnitPrice, DiscountPercent string
		}
		DeliveryAddress struct{ Line1, City, Postcode string }
	}
	var s struct {
		ShippingAddress struct{ Line1, City, Postcode string }
		Order           struct {
			Lines []struct {
				SKU                       string
				Quantity, Price, Discount json.Number
			}
		}
	}
	raw, err := w.simCore.Sale(sale, "", "")
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err == nil {
		err = json.Unmarshal(order, &o)
	}
	if err != nil {
		return err.Error()
	}
	var want, got []string
	for _, l := range o.Lines {
		want = append(want, fmt.Sprint(l.SKU, " ", decimals(l.Quantity), " at ", decimals(l.UnitPrice), " less ",
			decimals(l.DiscountPercent)))
	}
	for _, l := range s.Order.Lines {
		got = append(got, fmt.Sprint(l.SKU, " ", decimals(l.Quantity.String()), " at ", decimals(l.Price.String()),
			" less ", decimals(l.Discount.String())))
	}
	slices.Sort(want)
	slices.Sort(got)
	switch {
	case !slices.Equal(want, got):
		return fmt.Sprintf("its lines are %q, the order's %q", got, want)
	case o.DeliveryAddress.Line1 != "" && o.DeliveryAddress != s.ShippingAddress:
		return fmt.Sprintf("it goes to %v, the order to %v", s.ShippingAddress, o.DeliveryAddress)
	}
	return ""
}

// toldOf compares what left the warehouse with what Upstock was told.
func (w *world) toldOf(o *order, sale string, up simupstock.OrderSummary, r *stored.Order) string {
	want, whole := w.parcels(sale)
	var shown struct {
		Status    string
		Shipments []struct {
			Tracking string
			Complete bool
		}
	}
	if err := json.Unmarshal(up.JSON, &shown); err != nil {
		return err.Error()
	}
	var got []string
	complete := 0
	for _, s := range shown.Shipments {
		got = append(got, s.Tracking)
		if s.Complete {
			complete++
		}
	}
	slices.Sort(got)
	switch {
	case !slices.Equal(got, want):
		return fmt.Sprintf("Upstock knows the parcels %q, Cin7 Core %q", got, want)
	case whole && (complete != 1 || shown.Status != "shipped" || r.State != stored.Shipped):
		return fmt.Sprintf("all is shipped; Upstock says %s with %d complete, the ledger %s", shown.Status, complete,
			r.State)
	case !whole && (complete > 0 || shown.Status == "shipped"):
		return "Upstock was told that all is shipped, and it is not"
	}
	return ""
}

// books asks what the comparison of both sides found: nothing, but for what
// people did.
func (w *world) books(s *shop) string {
	c, err := w.reader().Completeness.Last(context.Background(), s.tenant, time.Time{}, time.Time{})
	if err != nil {
		return err.Error()
	}
	if c.Running || c.Checked.IsZero() || c.Problem != "" {
		return fmt.Sprintf("the books of %s are not compared: %q %s", s.account.Name, c.Problem, c.Progress)
	}
	for _, d := range c.Differences {
		o := w.orderOf(d.Order)
		switch {
		case o == nil:
			return fmt.Sprintf("the books of %s differ in an order that nobody knows: %+v", s.account.Name, d)
		case len(o.edits) > 0 || !o.cancelled.IsZero() || w.run(o).Account != s.account.Cin7Core.AccountID ||
			o.supplier != s.account.Upstock.Supplier:
		case !w.restored.IsZero() && w.is(w.run(o), "foreignSale"):
		default:
			return fmt.Sprintf("the books of %s differ: %+v", s.account.Name, d)
		}
	}
	return ""
}

func (w *world) orderOf(id string) *order {
	for _, o := range w.orders {
		if strconv.Itoa(o.id) == id {
			return o
		}
	}
	return nil
}

// reader is the pair over the table itself.
func (w *world) reader() *upstockcin7.Pair {
	return app.New(app.Deps{Table: w.store, Sealer: w.box, PublicURL: "https://hooks.example.test"}).Pair
}

// budgets counts calls: no account may be called more than 60 times in any minute.
func (w *world) budgets() string {
	for _, account := range w.accounts() {
		var at []time.Time
		for _, c := range w.sim.Calls(sim.Cin7Core, account) {
			// a key on trial is in nobody's budget, and a slow network is none of ours
			if c.Path != "/me" && !w.tardy[c.At] {
				at = append(at, c.At)
			}
		}
		for i := 60; i < len(at); i++ {
			if at[i].Sub(at[i-60]) < time.Minute {
				return fmt.Sprintf("61 calls to Cin7 Core within %s until %s", at[i].Sub(at[i-60]), at[i].Sub(w.begin))
			}
		}
	}
	return ""
}

// near reports whether two totals are within what a tenant tolerates without having
// said so: 0.02.
func near(a, b string) bool {
	x, err := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	return err == nil && err2 == nil && math.Abs(x-y) < 0.025
}

// decimals is a number without the zeros at its end.
func decimals(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// sale is one that a call of ours made.
type sale struct {
	id, external string
	account      string
	at           time.Time
	voidedAt     time.Time // by a call of ours
	touched      bool      // people changed it, and their change stands
	changed      time.Time // when they did
	noted        bool      // they wrote into its header only, which keeps it from being voided until it has our lines
}

// witness sees every write that reached Cin7 Core, whoever heard of its answer,
// and notes at once what must never happen.
func (w *world) witness(p *process, req *http.Request, answer *http.Response) {
	raw, _ := io.ReadAll(answer.Body)
	answer.Body = io.NopCloser(bytes.NewReader(raw))
	if answer.StatusCode/100 != 2 {
		return
	}
	switch path := strings.TrimPrefix(req.URL.Path, sim.PrefixCin7Core); {
	case req.Method == http.MethodPost && path == "/sale":
		var made struct{ ID, ExternalID string }
		if json.Unmarshal(raw, &made) == nil && made.ID != "" {
			w.born(&sale{id: made.ID, external: made.ExternalID, account: req.Header.Get("api-auth-accountid"),
				at: time.Now()})
		}
	// lines that people wrote while ours were on their way are replaced by ours
	case req.Method == http.MethodPost && path == "/sale/order":
		var lines struct{ SaleID string }
		if json.Unmarshal(raw, &lines) == nil {
			s := w.made[lines.SaleID]
			if s != nil && s.touched && (s.noted || time.Since(s.changed) < inFlight) {
				s.touched = false
			}
			if s != nil {
				w.ofOnePlan(s)
			}
		}
	case req.Method == http.MethodPost && strings.HasPrefix(path, "/sale/fulfilment/"):
		w.handledGoods(p, path, raw)
	case req.Method == http.MethodDelete && path == "/sale":
		id := req.URL.Query().Get("ID")
		s := w.made[id]
		switch {
		case s == nil && w.asOurs(id):
			w.made[id] = &sale{id: id, external: w.copied[id].external, at: w.copied[id].at, voidedAt: time.Now()}
		case s == nil:
			w.note("a sale was voided that no call of ours made")
		// it was on its way when they did
		case s.touched && (time.Since(s.changed) < aMoment ||
			w.tardy[time.Now().UTC()] && time.Since(s.changed) < inFlight):
			s.voidedAt = time.Now()
		case s.touched:
			w.note("the sale %s was voided, which people had changed", s.id)
		default:
			s.voidedAt = time.Now()
			if !p.asleep && !w.tardy[time.Now().UTC()] {
				w.voidedThoughLive(s)
			}
		}
	}
}

// handledGoods notes goods that nobody wanted handled so, or of an order that is cancelled or held back.
func (w *world) handledGoods(p *process, path string, raw []byte) {
	var doc struct {
		TaskID string
		Lines  []struct {
			SKU      string
			Quantity json.Number
		}
	}
	s := (*sale)(nil)
	if json.Unmarshal(raw, &doc) == nil {
		s = cmp.Or(w.made[doc.TaskID], w.copied[doc.TaskID])
	}
	if s == nil {
		w.note("goods were handled of a sale that nobody knows: %s", raw)
		return
	}
	o := w.byExternal(s.external)
	var goods []string
	for _, l := range doc.Lines {
		goods = append(goods, l.SKU+" "+decimals(l.Quantity.String()))
	}
	slices.Sort(goods)
	list := strings.Join(goods, ", ")
	late := p.asleep || w.tardy[time.Now().UTC()]
	switch {
	case o == nil || len(o.shown) == 0:
		w.note("goods of the sale %s were handled, and nobody wanted that", s.id)
	case !strings.HasSuffix(path, "/ship") && !slices.Contains(o.shown, list):
		w.note("order %d: %s of %s, and %q were shown", o.id, path, list, o.shown)
	case !o.cancelled.IsZero() && time.Since(o.cancelled) > readBefore && !late:
		w.note("order %d: %s, %s after it was cancelled", o.id, path, time.Since(o.cancelled))
	default:
		w.heedsPauses(o.shop, stored.OrdersFlow, "goods were handled")
		if strings.HasSuffix(path, "/ship") {
			w.heedsPauses(o.shop, stored.ShipmentsFlow, "goods were shipped")
		}
	}
}

// aMoment is how long ago a sale may have been read that is voided, and its answer's and the void's own way.
const aMoment = 10*time.Second + 3*time.Second

// readBefore is how long before a void of a worker that never slept Upstock may
// have shown the order as cancelled: its lease, an answer of a while ago, its calls.
const readBefore = 3 * time.Minute

// voidedThoughLive notes the void of a sale with goods whose order is not cancelled.
func (w *world) voidedThoughLive(s *sale) {
	o := w.byExternal(s.external)
	if o == nil || !o.cancelled.IsZero() || time.Since(o.revived) < readBefore {
		return
	}
	if raw, err := w.simCore.Sale(s.id, "", ""); err != nil || bytes.Contains(raw, []byte(`"Lines":[{`)) {
		w.note("order %d: its sale %s was voided, and the order is not cancelled", o.id, s.id)
	}
}

// writes notes that a process changes something about an order, which one alone
// does at a time, but for one that slept meanwhile. It is over when that is called.
func (w *world) writes(p *process, o *order, name string) (over func()) {
	if o == nil {
		return func() {}
	}
	if other := o.writer; other != nil && other != p && !other.dead.Load() && !other.asleep && !p.asleep {
		w.note("order %d: %s %d calls %s, and %s %d has a call under way", o.id, p.name, p.id, name, other.name,
			other.id)
	}
	o.writer = p
	return func() {
		if o.writer == p {
			o.writer = nil
		}
	}
}

// keyed is the order whose run is among keys of the table, nil if none is.
func (w *world) keyed(keys ...table.Key) *order {
	for _, k := range keys {
		if isRun(k) {
			return w.orderOf(strings.TrimLeft(k.SK[strings.LastIndexByte(k.SK, ':')+1:], "0"))
		}
	}
	return nil
}

func isRun(k table.Key) bool { return strings.HasSuffix(k.PK, "#order") }

// writesRun looks at how a process changes an order's run. It takes the lease of
// a run as it has read it, not as it met it when it wrote. If it slept, perhaps
// past its lease, it may tell the truth, and chooses no other sale.
func (w *world) writesRun(p *process, ops []table.Op) (judge func(error)) {
	i := slices.IndexFunc(ops, func(op table.Op) bool { return op.Kind == table.KindReplace && isRun(op.Item.Key) })
	if i < 0 {
		return func(error) {}
	}
	op := ops[i]
	unread := p.knows[op.Item.Key] != op.If
	o := w.keyed(op.Item.Key)
	if o == nil || !unread && !p.asleep && p.name != "deadletters" {
		return func(err error) {
			if err == nil {
				p.knows[op.Item.Key] = op.Item.Rev
			}
		}
	}
	was := w.run(o)
	return func(err error) {
		if err != nil {
			return
		}
		p.knows[op.Item.Key] = op.Item.Rev
		is := w.run(o)
		switch {
		case was == nil || is == nil:
		case p.name == "deadletters" && is.State == ledger.Attention && was.State != ledger.Attention &&
			was.Lease.Until.After(time.Now().Add(3*time.Second)):
			w.note("order %d was given up while a worker held it", o.id)
		case unread && is.Lease.Token != "" && is.Lease.Token != was.Lease.Token:
			w.note("order %d: %s %d takes it as it has not read it", o.id, p.name, p.id)
		case !p.asleep || is.SaleID == "" || is.SaleID == was.SaleID:
		case was.SaleID != "":
			w.note("order %d: %s %d slept, and writes that its sale is %s, which was %s", o.id, p.name, p.id,
				is.SaleNumber, was.SaleNumber)
		case slices.Contains(was.Voided, is.SaleID):
			w.note("order %d: %s %d slept, and writes that its sale is %s, which is voided", o.id, p.name, p.id,
				is.SaleNumber)
		}
	}
}

// ofOnePlan notes a sale whose lines were written by other settings than its header.
func (w *world) ofOnePlan(s *sale) {
	o := w.byExternal(s.external)
	raw, err := w.simCore.Sale(s.id, "", "")
	if o == nil || err != nil || s.at.Before(w.restored) { // what it was planned with may be lost
		return
	}
	var is struct {
		Type, Location string
		Order          struct{ Status string }
	}
	if err := json.Unmarshal(raw, &is); err != nil {
		w.t.Fatal(err)
	}
	for _, doc := range append([]selling.Settings{selling.DefaultSettings()}, o.shop.settings...) {
		if strings.HasPrefix(strings.ToLower(is.Type), doc.SaleType) &&
			strings.EqualFold(is.Order.Status, doc.OrderStatus) && (doc.Location == "" || doc.Location == is.Location) {
			return
		}
	}
	w.note("order %d: its sale is %s, %s, from %s, as no settings said", o.id, is.Type, is.Order.Status, is.Location)
}

// asOurs says that a sale that a person made may be voided as one of ours: it is
// a copy of a bare header, equal to what we sent, so nobody can tell which create
// without an answer made which of the two. The bound is the number of creates on
// record, each of which accounts for one void.
func (w *world) asOurs(id string) bool {
	c := w.copied[id]
	if c == nil || c.touched {
		return false
	}
	creates, voids := 0, 1
	o := w.byExternal(c.external)
	if r := w.run(o); r != nil {
		creates = r.Past.Creates + len(r.Of(stored.StepCreate, ledger.Open)) + len(r.Of(stored.StepCreate, ledger.Done))
	}
	for _, s := range w.made {
		if s.external == c.external && s.voidedAt.After(w.restored) {
			voids++
		}
	}
	return voids <= creates
}

// copies notes the sales of an order that people have just made of one of its others.
func (w *world) copies(o *order, before []simcin7core.SaleSummary) {
	live, _ := w.sales(o)
	for _, s := range live {
		if !slices.ContainsFunc(before, func(b simcin7core.SaleSummary) bool { return b.ID == s.ID }) {
			w.copied[s.ID] = &sale{id: s.ID, external: s.ExternalID, at: time.Now(), touched: s.Lines > 0}
		}
	}
}

// born notes a new sale: none may stand beside it, and where we voided one, a
// person or a newer approval wanted this one.
func (w *world) born(s *sale) {
	o := w.byExternal(s.external)
	if o == nil {
		w.note("a sale was made for an order that nobody knows: %s", s.external)
		return
	}
	w.heedsPauses(o.shop, stored.OrdersFlow, "a sale was made")
	live, _ := w.sales(o)
	for _, other := range live {
		if w.made[other.ID] != nil && !w.forgottenElsewhere(o, other.ID) {
			w.note("order %d: a second sale was made while %s stands", o.id, other.Number)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(w.made)) {
		if old := w.made[id]; old.external == s.external && !old.voidedAt.IsZero() &&
			o.wanted.Before(w.doomed(o, old).Add(-3*time.Minute)) && w.restored.Before(old.at) {
			w.note("order %d: another sale was made by itself, though we had voided one at %s; a person "+
				"wanted one at %s", o.id, old.voidedAt.Sub(w.begin), o.wanted.Sub(w.begin))
		}
	}
	if !o.cancelled.IsZero() && !o.heard.IsZero() && time.Since(o.heard) > inFlight {
		w.note("order %d: a sale was made %s after its cancellation was taken in", o.id,
			time.Since(o.heard).Round(time.Second))
	}
	w.made[s.id] = s
}

// forgottenElsewhere reports whether a sale is in another account than the one that
// is connected now, and was made in the time that a restored table has lost: nothing
// can know of it, and the tenant is told to look.
func (w *world) forgottenElsewhere(o *order, id string) bool {
	s := w.made[id]
	return s != nil && s.at.Before(w.restored) && s.account != o.shop.account.Cin7Core.AccountID
}

// doomed is when it was first on record, after its lines were last sent, that a
// sale is to be voided: who asks for the order from then on asks for another one,
// however long it takes until a void takes effect.
func (w *world) doomed(o *order, s *sale) time.Time {
	var at time.Time
	if r := w.run(o); r != nil {
		for _, i := range r.Intents {
			switch {
			case i.Target != s.id:
			case i.Step == stored.StepLines:
				at = time.Time{}
			case i.Step == stored.StepVoid && i.Answer != ledger.Refused && at.IsZero():
				at = i.At
			}
		}
	}
	if at.IsZero() || at.After(s.voidedAt) {
		return s.voidedAt
	}
	return at
}

// inFlight is how long after it was decided on a write may take effect.
const inFlight = 25*time.Second + latest + napMost

// note is for what must never happen.
func (w *world) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	w.tell("WRONG: %s", text)
	w.wrong = append(w.wrong, text)
}

func (w *world) byExternal(external string) *order {
	for _, o := range w.orders {
		if external == fmt.Sprintf("upstock:%d:%d", o.supplier, o.id) {
			return o
		}
	}
	return nil
}
