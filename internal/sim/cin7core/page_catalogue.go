package cin7core

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"stockbridge/internal/sim"
)

var catalogueTemplate = sync.OnceValue(func() *template.Template { return sim.Template(files, "catalogue.html") })

// cataloguePage is what the page of an account's catalogue shows: of each list the first rows in which occurs what is
// looked for, and how many there are.
type cataloguePage struct {
	sim.Frame
	Tiers     []priceTier
	Products  []productView
	Customers []customerView

	OfProducts, OfCustomers int
}

type productView struct {
	product
	Prices []tierPrice // those that are set
	Active bool
}

type tierPrice struct{ Tier, Price string }

type customerView struct {
	customer
	Own    []productPrice // the first
	OfOwn  int
	Active bool
}

func (v *Vendor) cataloguePage(n int, f sim.Frame) any {
	v.sim.Lock()
	defer v.sim.Unlock()
	c := v.companies[n-1]
	out := &cataloguePage{Frame: f, Tiers: append([]priceTier{}, c.Tiers...)}
	products, of := sim.Found(c.Products, f.Q, func(p *product) []string { return []string{p.SKU, p.Name, p.ID} })
	for _, p := range products {
		x := productView{product: *p, Active: p.Status != deprecated}
		for _, t := range c.Tiers {
			if price := p.tier(t.Code); !price.IsZero() {
				x.Prices = append(x.Prices, tierPrice{t.Name, price.String()})
			}
		}
		out.Products = append(out.Products, x)
	}
	out.OfProducts = of
	customers, of := sim.Found(c.Customers, f.Q, func(x *customer) []string { return []string{x.Name, x.ID} })
	for _, x := range customers {
		all := c.wireCustomer(x, true)
		own, of := sim.Found(all.ProductPrices, "", func(productPrice) []string { return nil })
		out.Customers = append(out.Customers, customerView{all, own, of, x.Status != deprecated})
	}
	out.OfCustomers = of
	return out
}

// pressCatalogue does what a button or form of the page asks for.
func (v *Vendor) pressCatalogue(n int, id, do string, r *http.Request) error {
	v.sim.Lock()
	defer v.sim.Unlock()
	if n < 1 || n > len(v.companies) {
		return sim.NotFound("Account")
	}
	c := v.asPerson(v.companies[n-1], nil)
	code, _ := strconv.Atoi(id)
	switch do {
	case "rename":
		if code < 1 || code > len(c.Tiers) {
			return sim.NotFound("Tier")
		}
		c.rename(code, r.FormValue("name"))
		return nil
	case "price", "status", "selling":
		return c.pressProduct(id, do, r)
	case "own", "card":
		return c.pressCustomer(id, do, r)
	}
	return sim.NotFound("Action")
}

// pressProduct changes a product.
func (c *call) pressProduct(id, do string, r *http.Request) error {
	p := c.product(id)
	if p == nil {
		return sim.NotFound("Product")
	}
	in := map[string]any{}
	switch do {
	case "price":
		tier, _ := strconv.Atoi(r.FormValue("tier"))
		if tier < 1 || tier > len(c.Tiers) {
			return sim.NotFound("Tier")
		}
		in["PriceTier"+strconv.Itoa(tier)] = amount(r)
	case "status":
		in["Status"] = deprecated
		if p.Status == deprecated {
			in["Status"] = active
		}
	case "selling":
		in["Sellable"] = !p.Sellable
	}
	c.Body, _ = json.Marshal(in)
	_, err := c.mergeProduct(id)
	return plain(err)
}

// amount is what the form says of a price; "" = 0.
func amount(r *http.Request) string { return cmp.Or(strings.TrimSpace(r.FormValue("price")), "0") }

// pressCustomer changes a customer's card, or one of its own prices: "" takes it away.
func (c *call) pressCustomer(id, do string, r *http.Request) error {
	x := c.customer(id)
	if x == nil {
		return sim.NotFound("Customer")
	}
	if do == "card" {
		c.Body, _ = json.Marshal(map[string]string{"PriceTier": r.FormValue("tier"),
			"Discount": r.FormValue("discount"), "Status": r.FormValue("status")})
		_, err := c.mergeCustomer(id)
		return plain(err)
	}
	sku := strings.TrimSpace(r.FormValue("sku"))
	p := c.productSKU(sku)
	if p == nil {
		return fmt.Errorf("there is no product with the SKU %q", sku)
	}
	if strings.TrimSpace(r.FormValue("price")) == "" {
		c.own(x, p, nil)
		return nil
	}
	var price number
	if err := price.UnmarshalJSON([]byte(strings.TrimSpace(r.FormValue("price")))); err != nil {
		return errors.New("the price is not a number")
	}
	c.own(x, p, &price)
	return nil
}

// plain says in a person's words what is wrong with a form.
func plain(err error) error {
	if bad, ok := errors.AsType[badValue](err); ok {
		return fmt.Errorf("what was entered is no value of %s", bad.name)
	}
	return err
}
