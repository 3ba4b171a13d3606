package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// cause is what one or more orders that need a person wait for: one repair is for all of them.
type cause struct {
	key string
	ledger.Problem
	orders []orderItem
}

// causesRead is how many of the orders that need a person are read to tell their causes, the newest first.
const causesRead = 500

// causesOf reads the newest orders that need a person, and what they wait for: what most wait for comes first. orders
// is how many were read, about as many as asked for; more = there are others.
func (a *api) causesOf(r *http.Request, b tenant.Bundle, most int) (list []*cause, orders int, more bool, err error) {
	byKey := map[string]*cause{}
	after := ""
	for orders < most {
		some, err := a.ordersOf(r, b, ledger.Attention, "", after, maxPage)
		if err != nil {
			return nil, 0, false, err
		}
		for _, run := range some.Runs {
			orders++
			list = add(list, byKey, itemOf(b, run))
		}
		if after = some.Next; after == "" {
			break
		}
	}
	slices.SortStableFunc(list, func(x, y *cause) int { return cmp.Compare(len(y.orders), len(x.orders)) })
	return list, orders, after != "", nil
}

// add adds an order to its causes.
func add(list []*cause, byKey map[string]*cause, o orderItem) []*cause {
	for _, p := range o.Problems {
		key := p.Cause()
		c := byKey[key]
		if c == nil {
			c = &cause{key: key, Problem: p}
			byKey[key] = c
			list = append(list, c)
		}
		if n := len(c.orders); n == 0 || c.orders[n-1].ID != o.ID {
			c.orders = append(c.orders, o)
		}
		for _, choice := range p.Choices {
			if !slices.ContainsFunc(c.Choices, func(had ledger.Choice) bool { return had.ID == choice.ID }) {
				c.Choices = append(slices.Clip(c.Choices), choice)
			}
		}
	}
	return list
}

// about is the kind of link that repairs the cause, and what of Upstock's it is for; "" = no link does.
func (c *cause) about() (kind, from string) {
	kind, from, _ = strings.Cut(c.About, "/")
	return kind, from
}

// causeAnswer is a cause as the API says it.
type causeAnswer struct {
	Key     string          `json:"key"`
	Code    string          `json:"code"`
	Message string          `json:"message"`
	Fix     string          `json:"fix"`
	About   string          `json:"about,omitempty"`
	Orders  int             `json:"orders"`
	Choices []ledger.Choice `json:"choices"`
}

func (a *api) listProblems(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	list, _, _, err := a.causesOf(r, b, causesRead)
	if err != nil {
		return err
	}
	var items []causeAnswer
	for _, c := range list {
		items = append(items, causeAnswer{c.key, c.Code, c.Message, c.Fix, c.About, len(c.orders),
			append([]ledger.Choice{}, c.Choices...)})
	}
	return respond(w, r, http.StatusOK, page(items, ""))
}

func (a *api) fixProblem(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var choice string
	if err := decode(w, r, false, map[string]any{"choice": &choice}); err != nil {
		return err
	}
	n, err := a.mend(r, b, r.PathValue("key"), choice)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, map[string]int{"retried": n})
}

// mend links what a cause is about to a record of Cin7 Core, and retries all orders that wait for it.
func (a *api) mend(r *http.Request, b tenant.Bundle, key, choice string) (retried int, err error) {
	list, _, _, err := a.causesOf(r, b, ledger.CountMost) // it may be of an older order than a list shows
	if err != nil {
		return 0, err
	}
	at := slices.IndexFunc(list, func(c *cause) bool { return c.key == key })
	if at < 0 {
		return 0, noCause()
	}
	kind, from := list[at].about()
	if kind == "" {
		return 0, &problem{Status: http.StatusConflict, Detail: "There is nothing to choose here. " + list[at].Fix}
	}
	if choice == "" {
		return 0, tenant.FieldErrors{{Field: "choice", Message: "Choose a " + kind + " of Cin7 Core."}}
	}
	if _, err := a.Pair.SetLink(r.Context(), b.Tenant.ID, kind, from, choice); err != nil {
		return 0, noLink(err)
	}
	return a.Pair.RetryAll(r.Context(), b.Tenant.ID, func(o *order.Order) bool { return waitsFor(o, key) })
}

// waitsFor reports whether a cause is among an order's.
func waitsFor(o *order.Order, key string) bool {
	return slices.ContainsFunc(o.Problems, func(p ledger.Problem) bool { return p.Cause() == key })
}

// retryCause retries all orders that wait for a cause, as somebody repaired it elsewhere.
func (a *api) retryCause(r *http.Request, b tenant.Bundle, key string) (retried int, err error) {
	found := false
	retried, err = a.Pair.RetryAll(r.Context(), b.Tenant.ID, func(o *order.Order) bool {
		waits := waitsFor(o, key)
		found = found || waits
		return waits
	})
	if err == nil && !found {
		err = noCause()
	}
	return retried, err
}

func noCause() error { return missing("No order waits for this any more.") }

func (a *api) retryProblem(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	n, err := a.retryCause(r, b, r.PathValue("key"))
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, map[string]int{"retried": n})
}

// causesOfOrder are an order's own causes.
func causesOfOrder(b tenant.Bundle, run *order.Order) []*cause {
	return add(nil, map[string]*cause{}, itemOf(b, run))
}
