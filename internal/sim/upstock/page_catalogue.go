package upstock

import (
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"stockbridge/internal/sim"
)

var catalogueTemplate = sync.OnceValue(func() *template.Template { return sim.Template(files, "catalogue.html") })

// cataloguePage is what the page of a supplier's catalogue shows: of each list the first rows in which occurs what is
// looked for, and how many there are.
type cataloguePage struct {
	sim.Frame
	Products  []product
	Customers []customerRow
	Lists     []listView
	Refuse    []Refusal

	OfProducts, OfCustomers, OfLists int
}

type customerRow struct {
	customer
	Linked, List string
}

type listView struct {
	priceList
	Customers, Prices int
	Shown             []shownPrice // the first
}

type shownPrice struct{ SKU, Name, Price string }

func (v *Vendor) cataloguePage(n int, f sim.Frame) any {
	v.sim.Lock()
	defer v.sim.Unlock()
	p := v.suppliers[n-1]
	out := &cataloguePage{Frame: f, Refuse: slices.Clone(p.Refuse)}
	products, of := sim.Found(p.Products, f.Q, func(x *product) []string {
		return []string{x.SKU, x.Name, x.ExternalID}
	})
	for _, x := range products {
		out.Products = append(out.Products, *x)
	}
	out.OfProducts = of
	customers, of := sim.Found(p.Customers, f.Q, func(x *customer) []string {
		return []string{x.Name, value(x.ExternalID), value(x.Email)}
	})
	for _, x := range customers {
		row := customerRow{customer: *x, Linked: value(x.ExternalID), List: value(x.PriceList)}
		if l := p.lists[row.List]; l != nil {
			row.List = l.Name
		}
		out.Customers = append(out.Customers, row)
	}
	out.OfCustomers = of
	lists, of := sim.Found(p.PriceLists, f.Q, p.listTexts(f.Q))
	for _, l := range lists {
		out.Lists = append(out.Lists, p.viewList(l))
	}
	out.OfLists = of
	return out
}

// listTexts are the texts by which a list is found: its own, and those of its customers that are looked for.
func (p *supplier) listTexts(q string) func(*priceList) []string {
	names := map[string][]string{}
	if q != "" {
		for _, x := range p.Customers {
			if x.PriceList != nil {
				names[*x.PriceList] = append(names[*x.PriceList], x.Name)
			}
		}
	}
	return func(l *priceList) []string { return append([]string{l.Name, l.ExternalID}, names[l.ExternalID]...) }
}

func (p *supplier) viewList(l *priceList) listView {
	out := listView{priceList: *l, Customers: p.assigned[l.ExternalID], Prices: len(l.prices)}
	all := l.products()
	for _, id := range all[:min(len(all), mostChoices)] {
		row := shownPrice{SKU: id, Price: l.prices[id]}
		if x := p.products.Get(id); x != nil {
			row.SKU, row.Name = x.SKU, x.Name
		}
		out.Shown = append(out.Shown, row)
	}
	slices.SortFunc(out.Shown, func(a, b shownPrice) int { return strings.Compare(a.SKU, b.SKU) })
	return out
}

// pressCatalogue does what a button or form of the page asks for.
func (v *Vendor) pressCatalogue(n int, _, do string, r *http.Request) error {
	times, _ := strconv.Atoi(r.FormValue("times"))
	switch do {
	case "refuse":
		return v.changeRefusals(n, func(all []Refusal) []Refusal {
			return append(all, Refusal{Records: r.FormValue("records"), ExternalID: r.FormValue("externalId"),
				Error: r.FormValue("error"), Times: times})
		})
	case "accept":
		return v.changeRefusals(n, func([]Refusal) []Refusal { return nil })
	}
	return sim.NotFound("Action")
}
