package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// backfillAnswer is how far a backfill is.
type backfillAnswer struct {
	State      upstockcin7.BackfillState `json:"state"`
	From       *string                   `json:"from"`
	To         *string                   `json:"to"`
	TimeZone   *string                   `json:"timeZone"`
	Percent    int                       `json:"percent"` // of the range's time
	Reached    *string                   `json:"reached"` // day
	Listed     int                       `json:"listed"`
	Taken      int                       `json:"taken"`
	Known      int                       `json:"known"`
	Cancelled  int                       `json:"cancelled"`
	Shipped    int                       `json:"shipped"`
	Attention  int                       `json:"attention"`
	Why        *string                   `json:"why"`
	StartedAt  *time.Time                `json:"startedAt"`
	UpdatedAt  *time.Time                `json:"updatedAt"`
	FinishedAt *time.Time                `json:"finishedAt"`
}

func backfillOf(b upstockcin7.Backfill) backfillAnswer {
	return backfillAnswer{
		State: b.State, From: known(b.From), To: known(b.To), TimeZone: known(b.Zone), Percent: b.Percent(),
		Reached: known(b.Day()),
		Listed:  b.Listed, Taken: b.Taken, Known: b.Known, Cancelled: b.Cancelled, Shipped: b.Shipped,
		Attention: b.Attention,
		Why:       known(b.Why), StartedAt: when(b.Started), UpdatedAt: when(b.Updated), FinishedAt: when(b.Finished),
	}
}

// backfillPreview is what a backfill would do with a page of its orders.
type backfillPreview struct {
	list[backfillItem]
	Counts   backfillCounts   `json:"counts"`
	Problems []ledger.Problem `json:"problems"` // why there is no preview
}

// backfillCounts are of one page.
type backfillCounts struct {
	Known     int `json:"known"`
	Sell      int `json:"sell"`
	Attention int `json:"attention"`
	Cancelled int `json:"cancelled"`
	Shipped   int `json:"shipped"`
	Unknown   int `json:"unknown"`
}

type backfillItem struct {
	ID          orderID             `json:"id"`
	OrderNumber *string             `json:"orderNumber"`
	Reference   *string             `json:"reference"`
	Customer    *string             `json:"customer"`
	ApprovedAt  *time.Time          `json:"approvedAt"`
	Outcome     upstockcin7.Outcome `json:"outcome"`
	State       *ledger.State       `json:"state"` // of the order here
	Total       *string             `json:"total"`
	SaleTotal   *string             `json:"saleTotal"`
	Problems    []ledger.Problem    `json:"problems"`
	Said        []string            `json:"said"`
}

// wantedDays are the range that a request names, and what else may stand beside it.
func wantedDays(w http.ResponseWriter, r *http.Request, more map[string]any) (from, to time.Time, err error) {
	days := [2]string{}
	into := map[string]any{"from": &days[0], "to": &days[1]}
	for k, v := range more {
		into[k] = v
	}
	if err := decode(w, r, false, into); err != nil {
		return from, to, err
	}
	return calendarDays(time.UTC, days[0], days[1])
}

// previewDays says what would become of a page of a range's orders. after is the next of the page before.
func (a *api) previewDays(
	r *http.Request, b tenant.Bundle, from, to time.Time, after string, limit int,
) (v upstockcin7.BackfillPreview, err error) {
	// of Upstock's own next nobody can tell whether it is one, nor of what
	days := from.Format(time.DateOnly) + "." + to.Format(time.DateOnly) + "."
	upstocks, ours := strings.CutPrefix(after, days)
	if after != "" && (!ours || !cursor(after) || upstocks == "") {
		return v, unknownAfter()
	}
	v, err = a.Pair.PreviewBackfill(r.Context(), b.Tenant.ID, from, to, upstocks, limit)
	if errors.Is(err, ledger.ErrAfter) {
		return v, unknownAfter()
	}
	if v.Next != "" {
		v.Next = days + v.Next
	}
	return v, err
}

func (a *api) previewBackfill(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after := ""
	from, to, err := wantedDays(w, r, map[string]any{"after": &after})
	if err != nil {
		return err
	}
	v, err := a.previewDays(r, b, from, to, after, maxPage)
	if err != nil {
		return err
	}
	items := []backfillItem{}
	for _, it := range v.Items {
		x := backfillItem{orderID(it.ID), known(it.Number), known(it.Reference), known(it.Customer), when(it.Approved),
			it.Outcome, nil,
			known(it.OrderTotal), known(it.SaleTotal), append([]ledger.Problem{}, it.Problems...),
			append([]string{}, it.Said...)}
		if it.State != "" {
			x.State = &it.State
		}
		items = append(items, x)
	}
	n := v.Counts
	return respond(w, r, http.StatusOK, backfillPreview{page(items, v.Next),
		backfillCounts{n[upstockcin7.OutcomeKnown], n[upstockcin7.OutcomeSell], n[upstockcin7.OutcomeAttention],
			n[upstockcin7.OutcomeCancelled],
			n[upstockcin7.OutcomeShipped], n[upstockcin7.OutcomeUnknown]}, append([]ledger.Problem{}, v.Problems...)})
}

func (a *api) startBackfill(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	from, to, err := wantedDays(w, r, nil)
	if err != nil {
		return err
	}
	f, err := a.takeIn(r, b, from, to)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, backfillOf(f))
}

// takeIn starts a backfill.
func (a *api) takeIn(r *http.Request, b tenant.Bundle, from, to time.Time) (upstockcin7.Backfill, error) {
	f, err := a.Pair.StartBackfill(r.Context(), b.Tenant.ID, from, to)
	if errors.Is(err, upstockcin7.ErrBackfillRunning) {
		err = &problem{Status: http.StatusConflict,
			Detail: "The days " + f.From + " to " + f.To + " are being taken in. Wait until that is done, or stop it."}
	}
	return f, err
}

func (a *api) getBackfill(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	f, err := a.Pair.BackfillState(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, backfillOf(f))
}

func (a *api) stopBackfill(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := a.Pair.StopBackfill(r.Context(), b.Tenant.ID); err != nil {
		return err
	}
	return a.getBackfill(w, r, b)
}
