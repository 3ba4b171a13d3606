package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstockcin7"
)

// explainPage says why a price is what it is: for a customer and a product, which a person finds here.
type explainPage struct {
	Path    string
	Parties []explainParty
	Missing string // what is to be chosen first; "" = nothing is
	Answer  *explainedPrice
	Nothing *nothing
}

// explainParty is a customer or a product that is looked for and chosen.
type explainParty struct {
	Name, Query string // of the fields: of what is chosen, and of the search
	Label, Text string // of the search, and what was typed
	Legend      string
	Choices     []choice
	Empty       string // why a search found nothing, or not all
	Partial     bool   // not all records were looked through
}

// explainedPrice is the answer.
type explainedPrice struct {
	Sentence             string
	Customer, CustomerAt string
	Product, ProductAt   string
	List, ListAt         string // "" = the customer has none
	Steps                []fact
	Held                 string
	Upstock              string // what Upstock has, in a sentence
	Since                moment
}

// foundOf is how many records a search shows.
const foundOf = 10

func (a *api) explainPage(w http.ResponseWriter, r *http.Request, v visit) error {
	n, err := a.Pair.CatalogNeeds(r.Context(), v.Bundle)
	if err != nil {
		return err
	}
	p := explainPage{Path: r.URL.Path, Nothing: v.unready()}
	customer, err := a.partyCustomer(r, v)
	if err != nil {
		return err
	}
	product, err := a.partyProduct(r, v)
	if err != nil {
		return err
	}
	p.Parties = []explainParty{customer, product}
	switch c, x := customer.chosen(), product.chosen(); {
	case c != "" && x != "":
		e, err := a.explain(r, v.Bundle, c, x)
		if err != nil {
			return err
		}
		p.Answer = v.explained(e)
	case c != "":
		p.Missing = "Now choose the product."
	case x != "":
		p.Missing = "Now choose the customer."
	}
	return a.show(w, r, http.StatusOK, "explain", v.catalogFrame(r, "Explain a price", upstockcin7.JobPrices, n, p))
}

// chosen is the id of the one that is chosen; "" = none is.
func (p explainParty) chosen() string {
	for _, c := range p.Choices {
		if c.First {
			return c.ID
		}
	}
	return ""
}

// offer puts a choice beside the others, once.
func (p *explainParty) offer(c choice) {
	for _, had := range p.Choices {
		if had.ID == c.ID {
			return
		}
	}
	p.Choices = append(p.Choices, c)
}

// search offers what is found of a text, list by list. The one that was chosen before stays the chosen one where it is
// among those, or holds the text.
func (p *explainParty) search(of func(list string) (found []choice, next string, err error)) error {
	if p.Text == "" {
		return nil
	}
	was := p.Choices
	p.Choices = nil
	for _, list := range explainLists {
		if len(p.Choices) >= foundOf {
			break
		}
		found, next, err := of(list)
		if err != nil {
			return err
		}
		for _, c := range found {
			p.offer(c)
		}
		p.Partial = p.Partial || next != "" && len(found) < foundOf
	}
	for _, c := range was {
		at := slices.IndexFunc(p.Choices, func(o choice) bool { return o.ID == c.ID })
		switch {
		case at >= 0:
			p.Choices[at].First = true
		case strings.Contains(strings.ToLower(c.Label+" "+c.Why), strings.ToLower(p.Text)):
			p.Choices = slices.Insert(p.Choices, 0, c)
		}
	}
	return nil
}

// settle chooses the only one there is, and says why there is none, or may be more.
func (p *explainParty) settle(what, whole string) {
	if len(p.Choices) == 1 && !p.Partial {
		p.Choices[0].First = true
	}
	switch {
	case p.Partial:
		p.Empty = "There are too many " + what + "s to look through all of them here. Type " + whole + ", or begin " +
			"on the page of the " + what + "."
	case p.Text != "" && len(p.Choices) == 0:
		p.Empty = "Cin7 Core has no " + what + " with this. Look for a part of a word."
	}
}

// askedParty is what was typed and chosen of a party.
func askedParty(q url.Values, p explainParty) explainParty {
	p.Text = trimmed(q, p.Query)
	return p
}

// explainLists are where a person looks for a record: what is imported first.
var explainLists = []string{upstockcin7.Imported, upstockcin7.Importable}

func (a *api) partyCustomer(r *http.Request, v visit) (explainParty, error) {
	q := r.URL.Query()
	p := askedParty(q, explainParty{Name: "customer", Query: "c", Label: "Customer’s name", Legend: "Customer"})
	if id := q.Get("customer"); id != "" {
		x, err := a.Pair.Customer(r.Context(), v.Bundle, id)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return p, err
		}
		if err == nil {
			p.offer(choice{ID: x.ID, Label: prose.Within(cmp.Or(x.Name, x.ID), mostOfName), First: true})
		}
	}
	err := p.search(func(list string) (found []choice, next string, err error) {
		rows, next, err := a.customersOf(r, v.Bundle, upstockcin7.CatalogQuery{List: list, Q: p.Text, Limit: foundOf})
		for _, x := range rows {
			found = append(found, choice{ID: x.ID, Label: prose.Within(cmp.Or(x.Name, x.ID), mostOfName)})
		}
		return found, next, err
	})
	p.settle("customer", "more of the name")
	return p, err
}

func (a *api) partyProduct(r *http.Request, v visit) (explainParty, error) {
	q := r.URL.Query()
	p := askedParty(q, explainParty{Name: "product", Query: "p", Label: "Product’s SKU or name", Legend: "Product"})
	if id := q.Get("product"); id != "" {
		x, err := a.Pair.Product(r.Context(), v.Bundle, id)
		if err != nil && !errors.Is(err, ledger.ErrNotFound) {
			return p, err
		}
		if err == nil {
			p.offer(productChoice(x.ProductRow, true))
		}
	}
	exact, err := a.Pair.ProductsOfSKU(r.Context(), v.Bundle, p.Text)
	if err != nil {
		return p, err
	}
	err = p.search(func(list string) (found []choice, next string, err error) {
		rows, next, err := a.productsOf(r, v.Bundle, upstockcin7.CatalogQuery{List: list, Q: p.Text, Limit: foundOf})
		for _, x := range append(exact, rows...) {
			found = append(found, productChoice(x, false))
		}
		if len(exact) > 0 {
			next = "" // what was meant is there
		}
		return found, next, err
	})
	p.settle("product", "the whole SKU")
	return p, err
}

func productChoice(x upstockcin7.ProductRow, chosen bool) choice {
	return choice{ID: x.ID, Label: prose.Within(cmp.Or(x.Name, x.ID), mostOfName), Why: prose.Within(x.SKU, 60),
		First: chosen}
}

// explained is an explanation as a page shows it.
func (v visit) explained(e upstockcin7.PriceExplained) *explainedPrice {
	id := v.Tenant.ID
	x := &explainedPrice{
		Customer:   prose.Within(cmp.Or(e.Customer.Name, e.Customer.ID), mostOfName),
		Product:    productName(e.Product),
		CustomerAt: customerPath(id, e.Customer.ID), ProductAt: productPath(id, e.Product.ID),
		Held: prose.Within(v.local(e.Held), mostOfField), Since: v.moment(e.Since),
	}
	x.Sentence = x.Customer + " has no price for " + x.Product
	if e.Price != nil {
		x.Sentence = x.Customer + " pays " + joined(" ", listPriceText(*e.Price), v.currency()) + " for " + x.Product
	}
	if e.List != nil {
		x.List, x.ListAt = prose.Within(cmp.Or(e.List.Name, e.List.ID), mostOfName), listPath(id, e.List.ID)
	}
	for _, s := range e.Steps {
		x.Steps = append(x.Steps, fact{prose.Within(v.local(s.Text), mostOfField), prose.Within(s.Value, 100)})
	}
	x.Upstock = v.upstockPrice(e)
	return x
}

// upstockPrice says what Upstock has of a price, and what becomes of it; "" = there is nothing to say.
func (v visit) upstockPrice(e upstockcin7.PriceExplained) string {
	kept := map[string]string{
		"held":     "this price waits for your yes.",
		"approved": "this price is sent soon, as " + cmp.Or(e.By, "somebody") + " said yes.",
		"declined": "this price is not sent, as " + cmp.Or(e.By, "somebody") + " said no.",
		"refused":  "it did not take this price: " + prose.Within(v.local(e.Why), mostOfField),
		"doubt":    "what became of this price is not known. It is sent again by itself.",
	}[e.State]
	switch {
	case e.Upstock != nil && e.Price != nil && e.Upstock.Equal(*e.Price):
		return "Upstock has this price."
	case kept != "":
		return "Upstock has " + priceText(e.Upstock) + " just now; " + kept
	case e.Upstock != nil:
		return "Upstock has " + priceText(e.Upstock) + " just now; a sync of prices changes that."
	case e.Price != nil:
		return "Upstock does not have this price yet; a sync of prices sends it."
	}
	return ""
}
