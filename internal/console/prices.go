package console

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// priceListItem is a price list of Upstock's that is kept up.
type priceListItem struct {
	refAnswer
	Customers int     `json:"customers"` // that have it
	Why       *string `json:"why"`
	standingAnswer
}

func priceListItemOf(l upstockcin7.PriceListRow) priceListItem {
	return priceListItem{refAnswer{l.ID, l.Name}, l.Customers, known(l.Standing.Why), standingOf(l.Standing)}
}

// priceListAnswer is a page of a price list's prices.
type priceListAnswer struct {
	priceListItem
	Members []refAnswer `json:"members"` // its customers, the first 100
	list[listedPrice]
}

type listedPrice struct {
	Product productRef `json:"product"`
	Price   *string    `json:"price"`
	Why     *string    `json:"why"`
	standingAnswer
}

// noList says that there is none.
const noList = "There is no such price list."

func (a *api) listPriceLists(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after, limit, err := listPaging(r.URL.Query())
	if err != nil {
		return err
	}
	rows, next, err := a.Pair.PriceLists(r.Context(), b, after, limit)
	if err != nil {
		return catalogFault(err, noList)
	}
	var items []priceListItem
	for _, l := range rows {
		items = append(items, priceListItemOf(l))
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

// priceListOf reads a page of the price list of the path's id.
func (a *api) priceListOf(
	r *http.Request, b tenant.Bundle, after string, limit int,
) (upstockcin7.PriceListView, error) {
	v, err := a.Pair.PriceList(r.Context(), b, r.PathValue("id"), after, limit)
	return v, catalogFault(err, noList)
}

func (a *api) getPriceList(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after, limit, err := recordPaging(r.URL.Query())
	if err != nil {
		return err
	}
	v, err := a.priceListOf(r, b, after, limit)
	if err != nil {
		return err
	}
	ans := priceListAnswer{priceListItem: priceListItemOf(v.PriceListRow), Members: []refAnswer{}}
	for _, m := range v.Members {
		ans.Members = append(ans.Members, *refOf(&m))
	}
	var items []listedPrice
	for _, p := range v.Prices {
		items = append(items, listedPrice{productRef(p.Product), priceOf(p.Price), known(p.Standing.Why),
			standingOf(p.Standing)})
	}
	ans.list = page(items, v.Next)
	return respond(w, r, http.StatusOK, ans)
}

// explanation is a price, and how it comes about.
type explanation struct {
	Customer refAnswer   `json:"customer"`
	Product  productRef  `json:"product"`
	Price    *string     `json:"price"` // null = no price
	List     *refAnswer  `json:"list"`  // null = the customer has none
	Steps    []priceStep `json:"steps"`
	Held     *string     `json:"held"`    // why it waits for a yes
	Upstock  *string     `json:"upstock"` // what Upstock has in that list
	Since    *time.Time  `json:"since"`   // since when
}

type priceStep struct {
	Text  string  `json:"text"`
	Value *string `json:"value"`
}

// explain says what a customer pays for a product. What is missing of the two is said by name.
func (a *api) explain(r *http.Request, b tenant.Bundle, customer, product string) (upstockcin7.PriceExplained, error) {
	v, err := a.Pair.ExplainPrice(r.Context(), b, customer, product)
	return v, catalogFault(err, "Cin7 Core has no such customer, or no such product.")
}

func (a *api) explainPrice(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	q := r.URL.Query()
	var errs []tenant.FieldError
	for _, name := range []string{"customer", "product"} {
		if q.Get(name) == "" {
			errs = append(errs, tenant.FieldError{Field: name, Message: "Give the id of a " + name + " in Cin7 Core."})
		}
	}
	if errs != nil {
		return badQuery(errs...)
	}
	v, err := a.explain(r, b, q.Get("customer"), q.Get("product"))
	if err != nil {
		return err
	}
	ans := explanation{*refOf(&v.Customer), productRef(v.Product), priceOf(v.Price), refOf(v.List), []priceStep{},
		known(v.Held), priceOf(v.Upstock), when(v.Since)}
	for _, s := range v.Steps {
		ans.Steps = append(ans.Steps, priceStep{s.Text, known(s.Value)})
	}
	return respond(w, r, http.StatusOK, ans)
}

// priceChange is a change of one price in one list.
type priceChange struct {
	ID       string     `json:"id"`
	Customer *refAnswer `json:"customer"` // whose own list it is; null = the list is of several
	List     refAnswer  `json:"list"`
	Product  productRef `json:"product"`
	Old      *string    `json:"old"` // null = no price
	New      *string    `json:"new"`
	State    string     `json:"state"`
	Why      *string    `json:"why"`
	By       *string    `json:"by"` // who decided
	At       *time.Time `json:"at"`
}

func priceChangesOf(list []upstockcin7.PriceChange) (items []priceChange) {
	for _, c := range list {
		items = append(items, priceChange{c.ID, refOf(c.Customer), *refOf(&c.List), productRef(c.Product),
			priceOf(c.Old), priceOf(c.New), c.State, known(c.Why), known(c.By), when(c.At)})
	}
	return items
}

// changeStates are the states of price changes; the first is the one that is meant where none is named.
var changeStates = []string{upstockcin7.ChangeHeld, upstockcin7.ChangeApplied, upstockcin7.ChangeRefused}

// priceChangesIn reads a page of price changes.
func (a *api) priceChangesIn(
	r *http.Request, b tenant.Bundle, limit int,
) (rows []upstockcin7.PriceChange, state, next string, err error) {
	q := r.URL.Query()
	if state = cmp.Or(q.Get("state"), changeStates[0]); !slices.Contains(changeStates, state) {
		return nil, state, "", tenant.FieldErrors{{Field: "state",
			Message: "Use one of: " + strings.Join(changeStates, ", ") + "."}}
	}
	after, _, err := paging(q)
	if err == nil {
		rows, next, err = a.Pair.PriceChanges(r.Context(), b, state, after, limit)
	}
	return rows, state, next, catalogFault(err, noList)
}

func (a *api) listPriceChanges(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	_, limit, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	rows, _, next, err := a.priceChangesIn(r, b, limit)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, page(priceChangesOf(rows), next))
}

// mostDecisions is how many price changes one request decides about.
const mostDecisions = 1000

// decisionFaults says what is wrong with a decision.
func decisionFaults(d upstockcin7.PriceDecision) (errs tenant.FieldErrors) {
	seen := map[string]bool{}
	for _, part := range []struct {
		field string
		ids   []string
	}{{"approve", d.Approve}, {"refuse", d.Refuse}, {"undo", d.Undo}} {
		for _, id := range part.ids {
			switch {
			case seen[id]:
				return append(errs, tenant.FieldError{Field: part.field, Message: "An id stands here twice: " + id})
			case id == "" || len(id) > 1000 || len(seen) >= mostDecisions:
				return append(errs, tenant.FieldError{Field: part.field,
					Message: "Give the ids of at most 1,000 changes."})
			}
			seen[id] = true
		}
	}
	if len(seen) == 0 {
		errs = append(errs, tenant.FieldError{Field: "approve", Message: "Name a change to approve, refuse or undo."})
	}
	return errs
}

func (a *api) decidePriceChanges(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var d upstockcin7.PriceDecision
	if err := decode(w, r, false, map[string]any{"approve": &d.Approve, "refuse": &d.Refuse, "undo": &d.Undo},
		func() tenant.FieldErrors { return decisionFaults(d) }); err != nil {
		return err
	}
	n, run, err := a.Pair.DecidePrices(r.Context(), b, d)
	if err != nil {
		return err
	}
	ans := struct {
		Decided  int          `json:"decided"`
		Progress *progressRef `json:"progress"` // null: nothing is to be sent
	}{Decided: n}
	if run != nil {
		ans.Progress = &progressRef{run.ID}
	}
	return respond(w, r, http.StatusAccepted, ans)
}

// pricePreview is what a sync of prices would change now.
type pricePreview struct {
	Counts  map[string]int `json:"counts"`
	Changes []priceChange  `json:"changes"` // the first 200
	More    bool           `json:"more"`
	Partial bool           `json:"partial"` // not all were compared
}

func (a *api) previewPrices(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	v, err := a.Pair.PreviewPrices(r.Context(), b)
	if err != nil {
		return catalogFault(err, noList)
	}
	return respond(w, r, http.StatusOK, pricePreview{v.Counts, append([]priceChange{}, priceChangesOf(v.Changes)...),
		v.More, v.Partial})
}
