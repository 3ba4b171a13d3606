package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// orderItem is an order as a list shows it.
type orderItem struct {
	ID          orderID          `json:"id"` // Upstock's
	OrderNumber *string          `json:"orderNumber"`
	Reference   *string          `json:"reference"`
	Customer    *string          `json:"customer"`
	State       ledger.State     `json:"state"`
	Why         *string          `json:"why"` // waiting for what
	Currency    *string          `json:"currency"`
	Total       *string          `json:"total"`
	SaleID      *string          `json:"saleId"`
	SaleNumber  *string          `json:"saleNumber"`
	SaleURL     *string          `json:"saleUrl"`
	SaleTotal   *string          `json:"saleTotal"`
	Problems    []ledger.Problem `json:"problems"`
	Attempts    int              `json:"attempts"`
	NextAttempt *time.Time       `json:"nextAttempt"`
	Shipments   int              `json:"shipments"` // that Upstock knows of and that stand in Cin7 Core
	ReceivedAt  time.Time        `json:"receivedAt"`
	ApprovedAt  *time.Time       `json:"approvedAt"`
}

// nextAttempt is when work goes on by itself, at the latest that can be told.
func nextAttempt(run *order.Order) *time.Time {
	if run.By.After(run.Next) {
		return when(run.By)
	}
	return when(run.Next)
}

func itemOf(b tenant.Bundle, run *order.Order) orderItem {
	it := orderItem{
		ID: orderID(run.ID), OrderNumber: known(run.Number), Reference: known(run.Reference),
		Customer: known(run.Customer),
		State:    run.State, Why: known(upstockcin7.WhyNow(b, run)), Currency: known(run.Currency),
		Total:  known(run.Total),
		SaleID: known(run.SaleID), SaleNumber: known(run.SaleNumber), SaleTotal: known(run.SaleTotal),
		Problems: append([]ledger.Problem{}, run.Problems...), Attempts: run.Attempts, NextAttempt: nextAttempt(run),
		ReceivedAt: run.Received.UTC(), ApprovedAt: when(run.Approved),
	}
	if run.SaleID != "" {
		it.SaleURL = known(upstockcin7.SaleURL(run.SaleID))
	}
	for _, p := range run.Parcels {
		if told(p) && !p.Gone {
			it.Shipments++
		}
	}
	return it
}

// orderAnswer is one order with all that is known of it.
type orderAnswer struct {
	orderItem
	SoldAt         *time.Time      `json:"soldAt"`
	CancelledAt    *time.Time      `json:"cancelledAt"`
	Parked         bool            `json:"parked"`   // waits for a connection to work again
	Supplier       *string         `json:"supplier"` // Upstock's, whose order it is; null: not noted yet
	WorkedUntil    *time.Time      `json:"workedUntil"`
	VoidedSales    []string        `json:"voidedSales"` // that we made and voided
	Parcels        []parcelAnswer  `json:"parcels"`
	AutoPick       *autoPick       `json:"autoPick"`         // null: Cin7 Core was asked for none
	Handling       *handlingAnswer `json:"handling"`         // null: nobody asked for its goods to be picked, packed or shipped
	ReadingPending bool            `json:"lookPending"`      // the sale is to be read
	VoidPending    bool            `json:"voidPending"`      // the order is cancelled, and its sale is to be voided
	CancelOpen     bool            `json:"cancelOpen"`       // Upstock is asked whether the order's cancellation counts
	Sums           []sumAnswer     `json:"sums"`             // where the two totals differ: what each way of reckoning comes to
	Changed        *changedOrder   `json:"changedInUpstock"` // null: Upstock shows the order as it was sold
	Said           []string        `json:"said"`
	Intents        []intentAnswer  `json:"intents"`
	Timeline       []entryAnswer   `json:"timeline"`
}

// sumAnswer is what an order comes to by one way of reckoning.
type sumAnswer struct {
	Way   string  `json:"way"`
	Total string  `json:"total"`
	Of    *string `json:"of"` // whose total it is; null: nobody's
}

func sumsOf(run *order.Order) []sumAnswer {
	list := []sumAnswer{}
	for _, s := range run.Sums {
		list = append(list, sumAnswer{s.Way, s.Total, known(s.Of)})
	}
	return list
}

// changedOrder is how Upstock shows a sold order otherwise than it was sold. Nothing is sent for it.
type changedOrder struct {
	SeenAt      time.Time     `json:"seenAt"` // first
	Differences []changedItem `json:"differences"`
	More        int           `json:"more"` // that are not listed
}

type changedItem struct {
	Line   *string `json:"line"` // null: of the order itself
	What   string  `json:"what"`
	AsSold *string `json:"asSold"`
	Now    *string `json:"now"`
}

func changedOf(run *order.Order) *changedOrder {
	if run.Edits == nil || run.State == order.Cancelled {
		return nil
	}
	c := &changedOrder{SeenAt: run.Edits.At.UTC(), Differences: []changedItem{}, More: run.Edits.More}
	for _, e := range run.Edits.List {
		c.Differences = append(c.Differences, changedItem{known(e.Line), e.What, known(e.Was), known(e.Now)})
	}
	return c
}

// parcelAnswer is one shipment of the sale as Upstock was told of it.
type parcelAnswer struct {
	Label     string    `json:"label"` // its boxes
	Carrier   *string   `json:"carrier"`
	Tracking  *string   `json:"tracking"`
	ShippedAt time.Time `json:"shippedAt"`
	Complete  bool      `json:"complete"` // told as the last one
	Told      bool      `json:"told"`     // Upstock took it
	Refused   *string   `json:"refused"`  // why Upstock did not, in its words
	Gone      bool      `json:"gone"`     // shipped no more in Cin7 Core
}

// told reports whether Upstock took a parcel. One that it refused and a person wants
// told again has no hash until then.
func told(p order.Parcel) bool { return p.Hash != "" && p.Refused == "" }

func parcelsOf(run *order.Order) []parcelAnswer {
	list := []parcelAnswer{}
	for _, p := range run.Parcels {
		list = append(list, parcelAnswer{p.Label, known(p.Carrier), known(p.Tracking), p.At.UTC(), p.Complete, told(p),
			known(p.Refused), p.Gone})
	}
	return list
}

// autoPick is what Cin7 Core was asked to do by itself when the order was
// authorised, and what of it is not done.
type autoPick struct {
	Asked   *string  `json:"asked"`   // as the setting creationMode says it; null: not on record
	Missing []string `json:"missing"` // a sentence for each line; null: not read yet
	SaleURL *string  `json:"saleUrl"` // where a person does it by hand
}

func autoPickOf(run *order.Order) *autoPick {
	if run.AutoPick == "" && len(run.Unpicked) == 0 || run.State == order.Cancelled {
		return nil
	}
	ans := &autoPick{SaleURL: known(upstockcin7.SaleURL(run.SaleID))}
	for _, mode := range []string{sale.AutoPick, sale.AutoPickPack, sale.AutoPickPackShip} {
		if strings.EqualFold(mode, run.AutoPick) {
			ans.Asked = &mode
		}
	}
	if !run.ReadBack {
		ans.Missing = append([]string{}, run.Unpicked...)
	}
	return ans
}

type intentAnswer struct {
	Seq      int       `json:"seq"`
	Step     string    `json:"step"`
	At       time.Time `json:"at"`
	Deadline time.Time `json:"deadline"`
	Answer   string    `json:"answer"` // open, done, refused
	SaleID   *string   `json:"saleId"`
}

type entryAnswer struct {
	At       time.Time        `json:"at"`
	Text     string           `json:"text"`
	Times    int              `json:"times,omitempty"`
	Exchange *ledger.Exchange `json:"exchange,omitempty"`
}

// listOrders lists the newest first; with a state those with work left before
// the others, and with a search by the word that is found. However many orders
// there are, it reads the ones it shows and at most some that it leaves out.
func (a *api) listOrders(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	query := r.URL.Query()
	after, limit, err := paging(query)
	if err != nil {
		return err
	}
	state, text := ledger.State(query.Get("state")), strings.TrimSpace(query.Get("q"))
	if state != "" && !slices.Contains(order.States(), state) {
		return tenant.FieldErrors{{Field: "state", Message: "There is no such state."}}
	}
	list, err := a.ordersOf(r, b, state, text, after, limit)
	if errors.Is(err, ledger.ErrAfter) {
		return unknownAfter()
	}
	if err != nil {
		return err
	}
	var items []orderItem
	for _, run := range list.Runs {
		items = append(items, itemOf(b, run))
	}
	return respond(w, r, http.StatusOK, page(items, list.Next))
}

// relistMost is how many orders of an earlier version one request gives their place in the lists.
const relistMost = 200

func (a *api) ordersOf(
	r *http.Request, b tenant.Bundle, state ledger.State, text, after string, limit int,
) (list ledger.Listing[*order.Order], err error) {
	ctx := r.Context()
	if state == "" && text == "" {
		if after != "" && !a.Orders.Kind().IsRunsAfter(after) {
			return list, ledger.ErrAfter
		}
		list.Runs, list.Next, err = a.Orders.Runs(ctx, b.Tenant.ID, after, limit)
		return list, err
	}
	// The order whose id is searched for comes first.
	var exact *order.Order
	if text != "" && limit > 1 && fitsKey(text, 100) {
		if exact, err = a.order(r, b, text); err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return list, err
		}
	}
	whole, err := a.Orders.Relist(ctx, b.Tenant.ID, relistMost)
	if err != nil {
		return list, err
	}
	keep := func(run *order.Order) bool {
		return (state == "" || run.State == state) && (exact == nil || run.ID != exact.ID)
	}
	if exact != nil && after == "" {
		limit--
	}
	switch {
	case !whole:
		list, err = a.scan(r, b, text, after, limit, keep)
	case text == "":
		list, err = paged(after, func(after string) (ledger.Listing[*order.Order], error) {
			return a.Orders.InState(ctx, b.Tenant.ID, state, after, limit)
		})
	default:
		list, err = paged(after, func(after string) (ledger.Listing[*order.Order], error) {
			return a.Orders.Find(ctx, b.Tenant.ID, text, after, limit, keep)
		})
	}
	if exact != nil && after == "" && (state == "" || exact.State == state) {
		list.Runs = append([]*order.Order{exact}, list.Runs...)
	}
	return list, err
}

// paged reads one page of a list whose continuation is not to be read by others.
func paged(
	after string, read func(after string) (ledger.Listing[*order.Order], error),
) (ledger.Listing[*order.Order], error) {
	plain, err := base64.RawURLEncoding.DecodeString(after)
	if err != nil || !utf8.Valid(plain) {
		return ledger.Listing[*order.Order]{}, ledger.ErrAfter
	}
	list, err := read(string(plain))
	if list.Next != "" {
		list.Next = base64.RawURLEncoding.EncodeToString([]byte(list.Next))
	}
	return list, err
}

// scan looks for orders that match one by one, for a tenant some of whose orders
// an earlier version wrote and are not in the lists yet: at scanMost for one
// answer, which may then be short and still have a next.
func (a *api) scan(
	r *http.Request, b tenant.Bundle, text, after string, limit int, keep func(*order.Order) bool,
) (list ledger.Listing[*order.Order], err error) {
	const scanPage, scanMost = 100, 2000
	if after != "" && !a.Orders.Kind().IsRunsAfter(after) {
		return list, ledger.ErrAfter
	}
	for scanned := 0; ; {
		runs, next, err := a.Orders.Runs(r.Context(), b.Tenant.ID, after, scanPage)
		if err != nil {
			return list, err
		}
		for i, run := range runs {
			if len(list.Runs) == limit { // full before the page ends: the next one starts here
				list.Next, err = a.afterSome(r.Context(), b.Tenant.ID, after, i)
				return list, err
			}
			if keep(run) && ledger.Matches(run, text) {
				list.Runs = append(list.Runs, run)
			}
		}
		after, scanned = next, scanned+len(runs)
		if after == "" || len(list.Runs) == limit || scanned >= scanMost {
			list.Next = after
			return list, nil
		}
	}
}

// afterSome is the continuation of a tenant's orders after some more of them.
func (a *api) afterSome(ctx context.Context, tenantID, after string, some int) (next string, err error) {
	if some > 0 {
		_, after, err = a.Orders.Runs(ctx, tenantID, after, some)
	}
	return after, err
}

// stateCount is how many orders are in a state: exact to ledger.CountMost, and
// beyond that as many with More.
type stateCount struct {
	State ledger.State `json:"state"`
	Count int          `json:"count"`
	More  bool         `json:"more"`
}

func (a *api) countOrders(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var items []stateCount
	if _, err := a.Orders.Relist(r.Context(), b.Tenant.ID, relistMost); err != nil {
		return err
	}
	for _, s := range order.States() {
		n, err := a.Orders.CountIn(r.Context(), b.Tenant.ID, s)
		if err != nil {
			return err
		}
		items = append(items, stateCount{s, min(n, ledger.CountMost), n > ledger.CountMost})
	}
	return respond(w, r, http.StatusOK, page(items, ""))
}

// order reads a run. Ids differ that the ledger's keys, padded with zeros, do not tell apart.
func (a *api) order(r *http.Request, b tenant.Bundle, id string) (*order.Order, error) {
	if !fitsKey(id, 200) {
		return nil, ledger.ErrNotFound
	}
	run, err := a.Orders.Get(r.Context(), b.Tenant.ID, id)
	if err == nil && run.ID != id {
		return nil, ledger.ErrNotFound
	}
	return run, err
}

func (a *api) getOrder(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	run, err := a.order(r, b, r.PathValue("id"))
	if err != nil {
		return err
	}
	exchanges, err := a.Orders.Exchanges(r.Context(), run)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, answerOf(b, run, exchanges, time.Now()))
}

func answerOf(b tenant.Bundle, run *order.Order, exchanges []ledger.Exchange, now time.Time) orderAnswer {
	ans := orderAnswer{
		orderItem: itemOf(b, run), SoldAt: when(run.SoldAt), CancelledAt: when(run.Cancelled), Parked: run.Parked,
		Supplier:    known(run.Supplier),
		VoidedSales: append([]string{}, run.Voided...), Parcels: parcelsOf(run), AutoPick: autoPickOf(run),
		Handling:       handlingOf(run),
		ReadingPending: run.ReadingDue(), VoidPending: run.Void, CancelOpen: run.CancelOpen(),
		Sums: sumsOf(run), Changed: changedOf(run), Said: append([]string{}, run.Said...),
		Intents: []intentAnswer{}, Timeline: []entryAnswer{},
	}
	if run.Lease.Until.After(now) {
		ans.WorkedUntil = when(run.Lease.Until)
	}
	for _, i := range run.Intents {
		answer := string(i.Answer)
		if i.Answer == ledger.Open {
			answer = "open"
		}
		ans.Intents = append(ans.Intents,
			intentAnswer{i.Seq, string(i.Step), i.At, i.Deadline, answer, known(i.Target)})
	}
	byNumber := map[int]*ledger.Exchange{}
	for i := range exchanges {
		byNumber[exchanges[i].Number] = &exchanges[i]
	}
	for _, e := range run.Timeline {
		ans.Timeline = append(ans.Timeline, entryAnswer{e.At, e.Text, e.Times, byNumber[e.Exchange]})
	}
	return ans
}

func (a *api) retry(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var o upstockcin7.RetryOptions
	if err := decode(w, r, true, map[string]any{"newSale": &o.NewSale, "beside": &o.Beside,
		"orderPrices": &o.OrderPrices}); err != nil {
		return err
	}
	if len(o.Beside) > 0 && !o.NewSale {
		return tenant.FieldErrors{{Field: "beside", Message: "This is for a new sale: say newSale too."}}
	}
	run, err := a.order(r, b, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := a.Pair.Retry(r.Context(), b.Tenant.ID, run.ID, o); err != nil {
		return err
	}
	if run, err = a.Orders.Get(r.Context(), b.Tenant.ID, run.ID); err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, itemOf(b, run))
}

// retryAll retries all orders that need attention, or those that the body names.
func (a *api) retryAll(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var these chosenOrders
	if err := decode(w, r, true, map[string]any{"orders": &these}, these.check); err != nil {
		return err
	}
	var n int
	var err error
	if these.given {
		n, err = a.retryThese(r.Context(), b.Tenant.ID, these.ids)
	} else {
		n, err = a.Pair.RetryAll(r.Context(), b.Tenant.ID, nil)
	}
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, map[string]int{"retried": n})
}

// chosenOrders are orders that somebody picked one by one.
type chosenOrders struct {
	given bool
	ids   []orderID
}

// mostChosen is how many orders can be chosen at once.
const mostChosen = 100

// UnmarshalJSON reads a list; null is none.
func (c *chosenOrders) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return errors.New("no list")
	}
	c.given = true
	return json.Unmarshal(data, &c.ids)
}

func (c *chosenOrders) check() tenant.FieldErrors {
	if len(c.ids) > mostChosen {
		return tenant.FieldErrors{{Field: "orders", Message: fmt.Sprintf("Name %d orders at most.", mostChosen)}}
	}
	return nil
}

// retryThese retries the orders that somebody chose, and says how many; ids of none are passed over.
func (a *api) retryThese(ctx context.Context, tenantID string, ids []orderID) (int, error) {
	var known []string
	for _, id := range ids[:min(len(ids), mostChosen)] {
		if fitsKey(string(id), 200) {
			known = append(known, string(id))
		}
	}
	if known == nil {
		return 0, nil
	}
	return a.Pair.RetryThese(ctx, tenantID, known)
}
