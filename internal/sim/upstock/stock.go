package upstock

import (
	"sync"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

// templateBooks returns the books of a supplier without the catalogue's ids. They
// are made once; what they point to is shared, and must not be written.
var templateBooks = sync.OnceValue(func() *catalogue {
	p := &catalogue{}
	for i, g := range sim.Goods() {
		if g.Quirk == sim.Service {
			continue
		}
		status := "available"
		switch {
		case g.Quirk == sim.Deprecated || g.Quirk == sim.Unsellable:
			status = "discontinued"
		case g.OnHand <= 0:
			status = "outOfStock"
		}
		p.Products = append(p.Products, &product{ID: 501 + i, SKU: g.SKU, Name: g.Name, Category: text(g.Category),
			Brand: text(g.Brand), Unit: text("Item"), Barcode: text(sim.Barcode(i)),
			Price: text(money(decimal.RequireFromString(g.Price))), Status: status})
	}
	for i, b := range sim.Buyers() {
		x := &customer{ID: 301 + i, Name: b.Name, Email: text(b.Email), Phone: text(b.Phone), Contact: text(b.Contact),
			Active: b.Quirk != sim.Deprecated, ShippingAddresses: []address{}}
		for i, s := range b.Streets {
			to := address{Company: text(b.Name), Contact: text(b.Contact), Line1: s.Line1, Line2: text(s.Line2),
				City: text(s.City), Region: text(s.State), Postcode: text(s.Postcode), Country: b.Country()}
			if i == 0 {
				x.BillingAddress = &to
			}
			x.ShippingAddresses = append(x.ShippingAddresses, to)
		}
		p.Customers = append(p.Customers, x)
	}
	return p
})

// Fill fills the books with the template, linked to the catalogue by externalId,
// except the unlinked customer.
func (p *supplier) Fill(catalogue sim.Catalogue) {
	t := templateBooks()
	for _, x := range t.Products {
		y := *x
		y.ExternalID = catalogue.GoodID(x.ID - 501)
		p.addProduct(&y)
	}
	for i, b := range sim.Buyers() {
		y := *t.Customers[i]
		if b.Quirk != sim.Unlinked {
			y.ExternalID = text(catalogue.BuyerID(i))
		}
		p.addCustomer(&y)
	}
}

func text(v string) *string {
	if v == "" {
		return nil
	}
	return &v
}
