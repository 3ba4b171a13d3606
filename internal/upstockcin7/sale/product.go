package sale

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// productIndex finds the candidates of thousands of lines.
type productIndex struct {
	id                   map[string]cin7core.Product
	sku, folded, visible map[string][]cin7core.Product // by SKU: as it is, whatever its case, as it is seen
}

func indexProducts(products []cin7core.Product) productIndex {
	list := func() map[string][]cin7core.Product { return map[string][]cin7core.Product{} }
	x := productIndex{map[string]cin7core.Product{}, list(), list(), list()}
	for _, p := range products {
		id, sku := strings.ToLower(strings.TrimSpace(p.ID)), strings.TrimSpace(p.SKU)
		if _, known := x.id[id]; known || id == "" {
			continue
		}
		x.id[id] = p
		x.sku[sku] = append(x.sku[sku], p)
		x.folded[strings.ToLower(sku)] = append(x.folded[strings.ToLower(sku)], p)
		x.visible[match.SKU(sku)] = append(x.visible[match.SKU(sku)], p)
	}
	return x
}

func (x productIndex) byID(id string) (cin7core.Product, bool) {
	found, ok := x.id[strings.ToLower(id)]
	return found, ok
}

// bySKU are the products of a SKU as it is, else in another case, else as it is seen; deprecated ones only where all
// are.
func (x productIndex) bySKU(sku string) []cin7core.Product {
	found := x.sku[sku]
	if len(found) == 0 {
		found = x.folded[strings.ToLower(sku)]
	}
	if len(found) == 0 && match.SKU(sku) != "" {
		found = x.visible[match.SKU(sku)]
	}
	current := slices.DeleteFunc(slices.Clone(found), func(c cin7core.Product) bool {
		return c.Status.Is(cin7core.Deprecated)
	})
	if len(current) == 0 {
		return found
	}
	return current
}

// productFrom is the product of line n, by id, else by SKU; the id of a product made anew leads nowhere, its SKU still
// does.
func (p *planner) productFrom(n int, l upstock.Line) (none cin7core.Product) {
	id, sku := match.ID(l.ProductExternalID), strings.TrimSpace(l.SKU)
	if id == "" && sku == "" {
		p.lineProblem(n, l, "unknownSku", "it names no product: it has neither a Cin7 Core id nor a SKU.",
			"Link the product in Upstock, or give it the SKU that it has in Cin7 Core")
		return none
	}
	found, ok, wants := p.linkedProduct(n, id, sku)
	switch {
	case ok:
		return p.usable(n, l, found)
	case sku == "":
		p.lineProblem(n, l, "unknownSku",
			"Cin7 Core has no product of the id "+prose.Quote(id)+", to which Upstock links it.",
			"Link the product anew in Upstock", wants...)
		return none
	}
	return p.productOfSKU(n, l, wants)
}

// linkedProduct is the product to which Upstock links a line, or a person its SKU. Wants are the ids that led nowhere.
func (p *planner) linkedProduct(n int, id, sku string) (product cin7core.Product, found bool, wants []Want) {
	if id != "" {
		if product, found = p.products.byID(id); found {
			if sku != "" && !match.Same(sku, product.SKU) {
				p.sayLine(n, fmt.Sprintf("the SKU %s is %s in Cin7 Core; the product goes by its id.",
					prose.Quote(sku), prose.Quote(product.SKU)))
			}
			return product, true, nil
		}
		wants = append(wants, Want{Kind: WantProduct, ID: id})
	}
	if link := p.ref.Goods[match.SKU(sku)]; sku != "" && link.ID != "" {
		if product, found = p.products.byID(link.ID); found {
			return product, true, nil
		}
		wants = append(wants, Want{Kind: WantProduct, ID: link.ID}) // a link that leads nowhere is as good as none
	}
	return product, false, wants
}

// productOfSKU is the only product of a line's SKU. Wants are what was looked for before it.
func (p *planner) productOfSKU(n int, l upstock.Line, wants []Want) (none cin7core.Product) {
	sku := strings.TrimSpace(l.SKU)
	wants = append(wants, productSKU(sku))
	hidden := ""
	if h := match.Hidden(sku); h != "" {
		hidden = " The SKU has " + h + ", in it, which nobody sees."
		wants = append(wants, productSKU(match.Visible(sku)))
	}
	found := p.products.bySKU(sku)
	switch len(found) {
	case 1:
		p.sayInexact(n, l, found[0], hidden, wants)
		return p.usable(n, l, found[0])
	case 0:
		p.lineProblem(n, l, "unknownSku", "Cin7 Core has no product with this SKU."+hidden,
			"Pick the right product, add it in Cin7 Core, or correct its SKU in Upstock", wants...)
		p.offerProducts(l, p.ref.Products)
	default:
		var skus []string
		for _, f := range found {
			skus = append(skus, f.SKU)
		}
		p.lineProblem(n, l, "skuAmbiguous",
			"Cin7 Core has several products with this SKU: "+prose.List(skus)+"."+hidden,
			"Pick the right product, link it in Upstock, or give it the SKU exactly as in Cin7 Core", wants...)
		p.offerProducts(l, found)
	}
	return none
}

// sayInexact says what of a product that was found by its SKU does not fit, and wants what would fit better.
func (p *planner) sayInexact(n int, l upstock.Line, found cin7core.Product, hidden string, wants []Want) {
	if !match.Same(found.SKU, l.SKU) {
		p.want(wants...)
		p.sayLine(n, fmt.Sprintf("the product %s was taken, whose SKU looks the same.%s",
			prose.Quote(found.SKU), hidden))
	}
	if match.ID(l.ProductExternalID) != "" {
		p.want(wants...)
		p.sayLine(n, "Cin7 Core has no product of the id that Upstock knows; the one with its SKU was taken.")
	}
}

// offerProducts adds to the problem just said of a line the products that a person may choose for its SKU. An order of
// hundreds of unknown products would be more than its record holds.
func (p *planner) offerProducts(l upstock.Line, of []cin7core.Product) {
	const most = 20
	if len(p.problems) == 0 || len(p.problems) > most {
		return
	}
	problem := &p.problems[len(p.problems)-1]
	problem.About = ProductLinks + "/" + prose.Within(l.SKU, 100)
	for _, c := range of {
		if c.ID == "" || match.Same(c.Type, "Service") || c.Status.Is(cin7core.Deprecated) || !c.CanSell() {
			continue
		}
		if score, why := alike(l, c); score >= 0.4 {
			problem.Choices = append(problem.Choices, ledger.Choice{
				ID: c.ID, Label: prose.Within(c.SKU+" "+c.Name, 80), Score: math.Round(100*score) / 100, Why: why})
		}
	}
	problem.Choices = likeliestFirst(problem.Choices)
}

// alike is how like a product is to what a line names, from 0 to 1, and by what.
func alike(l upstock.Line, c cin7core.Product) (score float64, why string) {
	bySKU, _ := match.Compare(match.Party{Name: l.SKU}, match.Party{Name: c.SKU})
	byName, _ := match.Compare(match.Party{Name: l.Name}, match.Party{Name: c.Name})
	const most = 0.6 // what a name alone can score
	if byName > bySKU {
		return byName / most, "a name like it"
	}
	return bySKU / most, "a SKU like it"
}

// setupRequired is a status that the client has no name for, as nothing else asks.
const setupRequired cin7core.Status = "Setup required"

// usable is a line's product, with a problem for each reason why it cannot be sold.
func (p *planner) usable(n int, l upstock.Line, product cin7core.Product) cin7core.Product {
	what := "the Cin7 Core product " + prose.Quote(product.SKU)
	problem := func(code, is, fix string) {
		p.lineProblem(n, l, code, what+is, fix, Want{Kind: WantProduct, ID: product.ID})
	}
	if match.Same(product.Type, "Service") {
		problem("productService", " is a service, and services are no order lines.",
			"Take the line off the order in Upstock and enter it as freight, or link a stock product")
	}
	switch {
	case product.Status.Is(cin7core.Deprecated):
		problem("productDeprecated", " is deprecated.",
			"Make the product active in Cin7 Core, or take it off the order in Upstock")
	case product.Status.Is(setupRequired):
		problem("productSetup", " is not set up yet (its status is “Setup required”).",
			"Finish the product in Cin7 Core")
	}
	if !product.CanSell() {
		problem("productNotSellable", " is not for sale.",
			"Make the product sellable in Cin7 Core, or take it off the order in Upstock")
	}
	return product
}
