package console

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
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

func itemOf(run *ledger.Run) orderItem {
	it := orderItem{
		ID: orderID(run.ID), OrderNumber: known(run.Number), Reference: known(run.Reference), Customer: known(run.Customer),
		State: run.State, Why: known(run.Why), Currency: known(run.Currency), Total: known(run.Total),
		SaleID: known(run.SaleID), SaleNumber: known(run.SaleNumber), SaleTotal: known(run.SaleTotal),
		Problems: append([]ledger.Problem{}, run.Problems...), Attempts: run.Attempts, NextAttempt: when(run.Next),
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
	SoldAt      *time.Time     `json:"soldAt"`
	CancelledAt *time.Time     `json:"cancelledAt"`
	Parked      bool           `json:"parked"` // waits for a connection to work again
	WorkedUntil *time.Time     `json:"workedUntil"`
	VoidedSales []string       `json:"voidedSales"` // that we made and voided
	Parcels     []parcelAnswer `json:"parcels"`
	AutoPick    *autoPick      `json:"autoPick"`    // null: Cin7 Core was asked for none
	LookPending bool           `json:"lookPending"` // the sale is to be looked at
	VoidPending bool           `json:"voidPending"` // the order is cancelled, and its sale is to be voided
	CancelOpen  bool           `json:"cancelOpen"`  // Upstock is asked whether the order's cancellation counts
	Said        []string       `json:"said"`
	Intents     []intentAnswer `json:"intents"`
	Timeline    []entryAnswer  `json:"timeline"`
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

// told says that Upstock took a parcel. One that it refused and a person wants
// told again has no hash until then.
func told(p ledger.Parcel) bool { return p.Hash != "" && p.Refused == "" }

func parcelsOf(run *ledger.Run) []parcelAnswer {
	list := []parcelAnswer{}
	for _, p := range run.Parcels {
		list = append(list, parcelAnswer{p.Label, known(p.Carrier), known(p.Tracking), p.At.UTC(), p.Complete, told(p), known(p.Refused), p.Gone})
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

func autoPickOf(run *ledger.Run) *autoPick {
	if run.AutoPick == "" && len(run.Unpicked) == 0 || run.State == ledger.Cancelled {
		return nil
	}
	ans := &autoPick{SaleURL: known(upstockcin7.SaleURL(run.SaleID))}
	for _, mode := range []string{tenant.AutoPick, tenant.AutoPickPack, tenant.AutoPickPackShip} {
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

var states = []ledger.State{ledger.Received, ledger.Working, ledger.Waiting, ledger.Attention, ledger.Sold,
	ledger.PartlyShipped, ledger.Shipped, ledger.Cancelled}

// listOrders lists the newest first. With a filter it looks at scanMost orders
// at most for one answer, which may then be short and still have a next.
func (a *api) listOrders(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	const scanPage, scanMost = 100, 2000
	ctx, query := r.Context(), r.URL.Query()
	after, limit, err := paging(query)
	if err != nil {
		return err
	}
	state, text := ledger.State(query.Get("state")), strings.ToLower(strings.TrimSpace(query.Get("q")))
	if state != "" && !slices.Contains(states, state) {
		return tenant.FieldErrors{{Field: "state", Message: "There is no such state."}}
	}
	var items []orderItem
	var exact string // the order whose id is q, which comes first
	if limit > 1 && fitsKey(text, 100) {
		run, err := a.order(r, b, text)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
		if err == nil {
			exact = run.ID
			if after == "" && matches(run, state, "") {
				items = append(items, itemOf(run))
			}
		}
	}
	size := scanPage
	if state == "" && text == "" {
		size = limit
	}
	for scanned := 0; ; {
		runs, next, err := a.Ledger.Runs(ctx, b.Tenant.ID, after, size)
		if err != nil {
			return err
		}
		for i, run := range runs {
			if len(items) == limit { // full before the page ends: the next one starts here
				if i > 0 {
					if _, after, err = a.Ledger.Runs(ctx, b.Tenant.ID, after, i); err != nil {
						return err
					}
				}
				return respond(w, r, http.StatusOK, page(items, after))
			}
			if run.ID != exact && matches(run, state, text) {
				items = append(items, itemOf(run))
			}
		}
		after, scanned = next, scanned+len(runs)
		if after == "" || len(items) == limit || scanned >= scanMost {
			return respond(w, r, http.StatusOK, page(items, after))
		}
	}
}

func matches(run *ledger.Run, state ledger.State, text string) bool {
	if state != "" && run.State != state {
		return false
	}
	return text == "" || slices.ContainsFunc([]string{run.ID, run.Number, run.Reference, run.Customer, run.SaleNumber}, func(s string) bool {
		return strings.Contains(strings.ToLower(s), text)
	})
}

// order reads a run. Ids differ that the ledger's keys, padded with zeros, do not tell apart.
func (a *api) order(r *http.Request, b tenant.Bundle, id string) (*ledger.Run, error) {
	if !fitsKey(id, 200) {
		return nil, ledger.ErrNotFound
	}
	run, err := a.Ledger.Get(r.Context(), b.Tenant.ID, id)
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
	exchanges, err := a.Ledger.Exchanges(r.Context(), run)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, answerOf(run, exchanges, time.Now()))
}

func answerOf(run *ledger.Run, exchanges []ledger.Exchange, now time.Time) orderAnswer {
	ans := orderAnswer{
		orderItem: itemOf(run), SoldAt: when(run.SoldAt), CancelledAt: when(run.Cancelled), Parked: run.Parked,
		VoidedSales: append([]string{}, run.Voided...), Parcels: parcelsOf(run), AutoPick: autoPickOf(run),
		LookPending: run.LookDue(), VoidPending: run.Void, CancelOpen: run.CancelOpen(), Said: append([]string{}, run.Said...),
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
		ans.Intents = append(ans.Intents, intentAnswer{i.Seq, string(i.Step), i.At, i.Deadline, answer, known(i.SaleID)})
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
	if err := decode(w, r, true, map[string]any{"newSale": &o.NewSale, "beside": &o.Beside}); err != nil {
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
	if run, err = a.Ledger.Get(r.Context(), b.Tenant.ID, run.ID); err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, itemOf(run))
}

func (a *api) retryAll(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	n, err := a.Pair.RetryAll(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, map[string]int{"retried": n})
}
