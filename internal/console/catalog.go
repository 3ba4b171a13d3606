package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// What the resources of the catalogue have in common: products, customers and prices of Cin7 Core in Upstock.

// standingAnswer is how a record stands with Upstock. It is part of the answers about what is imported.
type standingAnswer struct {
	InUpstock bool       `json:"inUpstock"` // Upstock said that it has it
	At        *time.Time `json:"at"`        // when it last said so
	State     *string    `json:"state"`     // null: as it should be, or not told yet
	Since     *time.Time `json:"since"`     // of the state
}

func standingOf(s upstockcin7.Standing) standingAnswer {
	return standingAnswer{s.Has, when(s.At), known(s.State), when(s.Since)}
}

// refAnswer names a record.
type refAnswer struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func refOf(ref *upstockcin7.CatalogRef) *refAnswer {
	if ref == nil {
		return nil
	}
	return &refAnswer{ref.ID, ref.Name}
}

// productRef names a product.
type productRef struct {
	ID   string `json:"id"`
	SKU  string `json:"sku"`
	Name string `json:"name"`
}

// noteAnswer is a line of a record's history.
type noteAnswer struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	By   *string   `json:"by"` // null: it went by itself
}

// noted is what either pair notes of a record.
type noted interface {
	upstockcin7.CatalogNote | joorcin7.Note
}

func notesOf[N noted](notes []N) []noteAnswer {
	list := []noteAnswer{}
	for _, n := range notes {
		n := upstockcin7.CatalogNote(n)
		list = append(list, noteAnswer{n.At.UTC(), n.Text, known(n.By)})
	}
	return list
}

// fieldAnswer is a field of a record on both sides.
type fieldAnswer struct {
	Name     string `json:"name"`
	Cin7Core string `json:"cin7core"` // as Upstock should have it
	Upstock  string `json:"upstock"`  // as it has it
}

func sideFields(fields []upstockcin7.CatalogField) []fieldAnswer {
	list := []fieldAnswer{}
	for _, f := range fields {
		list = append(list, fieldAnswer(f))
	}
	return list
}

// priceOf is null for no price.
func priceOf(d *decimal.Decimal) *string {
	if d == nil {
		return nil
	}
	s := listPriceText(*d)
	return &s
}

// listPriceText is a price of the catalogue as Upstock is told it: with two decimals, or with four where it needs more.
func listPriceText(d decimal.Decimal) string {
	if d.Equal(d.Round(2)) {
		return money(d)
	}
	return d.StringFixed(4)
}

// catalogQuery reads what a list is asked for. Of lists the first is the one that is meant where none is named.
func catalogQuery(q url.Values, lists ...string) (c upstockcin7.CatalogQuery, err error) {
	if c.After, c.Limit, err = recordPaging(q); err != nil {
		return c, err
	}
	c.List, c.Q = cmp.Or(q.Get("list"), lists[0]), strings.TrimSpace(q.Get("q"))
	if !slices.Contains(lists, c.List) {
		return c, tenant.FieldErrors{{Field: "list", Message: "Use one of: " + strings.Join(lists, ", ") + "."}}
	}
	return c, nil
}

// recordPaging is the paging of a list whose pages end with a record of Cin7 Core.
func recordPaging(q url.Values) (after string, limit int, err error) {
	after, limit, err = paging(q)
	if err == nil && after != "" && !recordID().MatchString(after) {
		err = unknownAfter()
	}
	return after, limit, err
}

// recordID is what ids of Cin7 Core's records look like.
var recordID = prose.Pattern(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// listPaging is that of price lists, whose pages end with a list.
func listPaging(q url.Values) (after string, limit int, err error) {
	after, limit, err = paging(q)
	if err == nil && after != "" && !listID().MatchString(after) {
		err = unknownAfter()
	}
	return after, limit, err
}

// listID is what ids of price lists look like: of a tier, of a tier with a discount, of a customer alone, and of none.
var listID = prose.Pattern(`^(tier:([1-9]|10)(:[0-9]{1,3}(\.[0-9]{1,20})?)?|none|` +
	`customer:[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})$`)

// catalogFault says what there is not, and of an after that it is none.
func catalogFault(err error, what string) error {
	switch {
	case errors.Is(err, ledger.ErrAfter):
		return unknownAfter()
	case errors.Is(err, ledger.ErrNotFound):
		return missing(what)
	}
	return err
}

// mostNamed is how many records one request names; more are sent with all.
const mostNamed = 10_000

// selection reads what is to be imported; more are the fields that stand beside.
func selection(w http.ResponseWriter, r *http.Request, more map[string]any) (s upstockcin7.Selection, err error) {
	into := map[string]any{"ids": &s.IDs, "all": &s.All, "q": &s.Q}
	for name, p := range more {
		into[name] = p
	}
	return s, decode(w, r, false, into, func() tenant.FieldErrors { return selectionFaults(tenant.Cin7Core, s) })
}

// coreID is what ids of Cin7 Core look like, in any case of letters.
var coreID = prose.Pattern(`^[0-9A-Fa-f-]{1,100}$`)

// selectionFaults says what is wrong with a selection of a system's records.
func selectionFaults(of tenant.System, s upstockcin7.Selection) (errs tenant.FieldErrors) {
	add := func(field, message string) { errs = append(errs, tenant.FieldError{Field: field, Message: message}) }
	switch {
	case len(s.IDs) == 0 && !s.All:
		add("ids", "Give the ids of what is to be sent, or say all.")
	case len(s.IDs) > 0 && s.All:
		add("ids", "Give ids or say all, not both.")
	case len(s.IDs) > mostNamed:
		add("ids", "These are more than 10,000. Say all, with a q that finds them.")
	}
	if s.Q != "" && !s.All {
		add("q", "This goes with all alone.")
	}
	for _, id := range s.IDs {
		if !fitsKey(id, 100) || of == tenant.Cin7Core && !coreID().MatchString(id) ||
			of == tenant.Cin7Omni && !isNumber(id) {
			add("ids", "One of these is no id of "+of.Title()+"'s.")
			break
		}
	}
	return errs
}

// catalogReady refuses work for which a system is missing.
func catalogReady(b tenant.Bundle) error { return ready(b, upstockcin7.Systems()) }

// ready refuses work for which one of some systems is missing.
func ready(b tenant.Bundle, systems []tenant.System) error {
	if why := b.Ready(systems...); why != "" {
		return &problem{Status: http.StatusConflict, Detail: why}
	}
	return nil
}
