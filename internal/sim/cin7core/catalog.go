package cin7core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// The control API of products, customers and tiers makes none of the vendor's
// checks, so that tests can make wrong records. What it refuses changes nothing.

// inCompany serves a control call about the account that it names, or about the only one.
func (v *Vendor) inCompany(serve func(c *call, r *http.Request) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		return v.sim.Locked(r, func(body []byte) (any, error) {
			c := v.company(r.FormValue("account"))
			if r.FormValue("account") == "" && len(v.companies) == 1 {
				c = v.companies[0]
			}
			if c == nil {
				return nil, sim.NotFound("Account")
			}
			return serve(v.asPerson(c, body), r)
		})
	}
}

// inRecord serves a control call about the record that its path names, whosever it is.
func (v *Vendor) inRecord(serve func(c *call, id string) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		return v.sim.Locked(r, func(body []byte) (any, error) {
			id := r.PathValue("id")
			for _, c := range v.companies {
				if c.customer(id) != nil || c.product(id) != nil {
					return serve(v.asPerson(c, body), id)
				}
			}
			return nil, sim.NotFound("Record")
		})
	}
}

func (c *call) controlCustomers(*http.Request) (any, error) {
	out, children := make([]customer, len(c.Customers)), c.children()
	for i, x := range c.Customers {
		out[i] = c.wireCustomer(x, true)
		out[i].ChildCustomers = append(out[i].ChildCustomers, children[strings.ToLower(x.ID)]...)
	}
	return sim.Items(out), nil
}

func (c *call) controlProducts(*http.Request) (any, error) {
	out, prices := make([]product, len(c.Products)), c.customPrices()
	for i, p := range c.Products {
		out[i] = c.wireProduct(p)
		out[i].CustomPrices = append(out[i].CustomPrices, prices[strings.ToLower(p.ID)]...)
	}
	return sim.Items(out), nil
}

// draftCustomer is a customer that is not in the books yet, and its own prices; nil = they stay as they are.
type draftCustomer struct {
	*customer
	prices []*customPrice
}

// makeCustomers makes customers of partial documents.
func (c *call) makeCustomers(*http.Request) (any, error) {
	docs, err := sim.Documents(c.Body)
	if err != nil {
		return nil, err
	}
	drafts := make([]draftCustomer, len(docs))
	for i, doc := range docs {
		x := &customer{ID: c.sim.GUID(), Name: "Customer " + strconv.Itoa(len(c.Customers)+i+1),
			Currency: c.Me.Currency, PaymentTerm: c.Terms[0].Name, TaxRule: c.Taxes[0].Name, Carrier: "DEFAULT Carrier",
			AccountReceivable: "610", RevenueAccount: "200", PriceTier: c.Tiers[0].Name, Status: active}
		if drafts[i], err = c.draft(x, doc); err != nil {
			return nil, fmt.Errorf("customer %d: %w", i+1, err)
		}
		if x.DisplayName == "" {
			x.DisplayName = x.Name
		}
	}
	out := make([]customer, len(drafts))
	for i, d := range drafts {
		c.putCustomer(nil, d.customer)
		c.keep(d.customer, d.prices)
		out[i] = c.wireCustomer(d.customer, true)
	}
	return sim.Items(out), nil
}

// draft merges a document into a customer, which is not in the books.
func (c *call) draft(x *customer, doc []byte) (draftCustomer, error) {
	id := x.ID
	x.ProductPrices = nil
	var sent map[string]json.RawMessage
	err := (decoder{clear: true}).decode(doc, x)
	if err == nil {
		err = json.Unmarshal(doc, &sent)
	}
	if err != nil {
		return draftCustomer{}, err
	}
	own := x.ProductPrices
	x.ID, x.ProductPrices, x.ChildCustomers, x.LastModifiedOn = id, nil, nil, stampOf(time.Now())
	x.Addresses = withIDs(x.Addresses, func(a *cardAddress) *string { return &a.ID }, c.sim.GUID)
	x.Contacts = withIDs(x.Contacts, func(p *cardContact) *string { return &p.ID }, c.sim.GUID)
	d := draftCustomer{customer: x}
	if _, ok := sent["ProductPrices"]; !ok {
		return d, nil
	}
	d.prices = []*customPrice{}
	for _, r := range own {
		p := c.product(r.ProductID)
		if r.ProductID == "" {
			p = c.productSKU(r.ProductSKU)
		}
		if p == nil {
			return d, sim.NotFound("Product " + r.ProductID + r.ProductSKU)
		}
		d.prices = append(d.prices, &customPrice{CustomerID: id, ProductID: p.ID, Price: r.Price})
	}
	return d, nil
}

// withIDs gives an id to the parts that have none.
func withIDs[T any](parts []T, id func(*T) *string, newID func() string) []T {
	out := append([]T{}, parts...)
	for i := range out {
		if *id(&out[i]) == "" {
			*id(&out[i]) = newID()
		}
	}
	return out
}

// keep saves a customer, and replaces its own prices if any are given.
func (c *call) keep(x *customer, prices []*customPrice) {
	c.seat.Changed(x)
	if prices == nil {
		return
	}
	for _, was := range append([]*customPrice{}, c.ownPricesOf(x)...) {
		c.dropPrice(was.CustomerID, was.ProductID)
		c.seat.Changed(&customPrice{CustomerID: was.CustomerID, ProductID: was.ProductID, Gone: true})
	}
	for _, price := range prices {
		c.setPrice(price)
		c.seat.Changed(price)
	}
}

func (c *call) mergeCustomer(id string) (any, error) {
	old := c.customer(id)
	if old == nil {
		return nil, sim.NotFound("Customer")
	}
	x := *old
	d, err := c.draft(&x, c.Body)
	if err != nil {
		return nil, err
	}
	c.putCustomer(old, d.customer)
	c.keep(old, d.prices)
	return c.wireCustomer(old, true), nil
}

// makeProducts makes products of partial documents, with OnHand at Location if they have any.
func (c *call) makeProducts(*http.Request) (any, error) {
	docs, err := sim.Documents(c.Body)
	if err != nil {
		return nil, err
	}
	made := make([]*product, len(docs))
	for i, doc := range docs {
		n := strconv.Itoa(len(c.Products) + i + 1)
		p := &product{ID: c.sim.GUID(), SKU: "SIM-" + n, Name: "Product " + n, Category: "Other", Type: "Stock",
			CostingMethod: "FIFO", DropShipMode: noDropShip, UOM: "Item", Status: active, Sellable: true,
			QuantityToProduce: num("1"), AssemblyCostEstimationMethod: "Average Cost"}
		if err := c.draftProduct(p, doc); err != nil {
			return nil, fmt.Errorf("product %d: %w", i+1, err)
		}
		made[i] = p
	}
	out := make([]product, len(made))
	for i, p := range made {
		c.putProduct(nil, p)
		c.seat.Changed(p)
		if err := c.mergeStock(p, docs[i]); err != nil {
			return nil, err
		}
		out[i] = c.wireProduct(p)
	}
	return sim.Items(out), nil
}

// draftProduct merges a document into a product, which is not in the books.
func (c *call) draftProduct(p *product, doc []byte) error {
	id := p.ID
	if err := (decoder{clear: true}).decode(doc, p); err != nil {
		return err
	}
	c.takeNamedPrices(p)
	p.ID, p.CustomPrices, p.LastModifiedOn = id, nil, stampOf(time.Now())
	p.Attachments = withIDs(p.Attachments, func(a *attachment) *string { return &a.ID }, c.sim.GUID)
	_, err := c.stockIn(doc)
	return err
}

func (c *call) mergeProduct(id string) (any, error) {
	old := c.product(id)
	if old == nil {
		return nil, sim.NotFound("Product")
	}
	p := *old
	if err := c.draftProduct(&p, c.Body); err != nil {
		return nil, err
	}
	c.putProduct(old, &p)
	c.seat.Changed(old)
	if err := c.mergeStock(old, c.Body); err != nil {
		return nil, err
	}
	return c.wireProduct(old), nil
}

// remove takes a product or customer out of the books, with what belongs to it, as Cin7 Core's API cannot.
func (c *call) remove(id string) (any, error) {
	c.seat.Changed(c.catalogue.remove(id))
	return map[string]bool{"Success": true}, nil
}

// stockSent is a product's stock in a document.
type stockSent struct {
	OnHand   *number
	Location string
}

func (c *call) stockIn(doc []byte) (stockSent, error) {
	in := stockSent{Location: sim.MainWarehouse}
	if !bytes.Contains(doc, []byte("OnHand")) {
		return in, nil
	}
	if err := (decoder{clear: true}).decode(doc, &in); err != nil || in.OnHand == nil {
		return in, err
	}
	if c.location(in.Location) == nil {
		return in, sim.NotFound("Location")
	}
	return in, nil
}

// mergeStock sets a product's stock, if the document has any, and gives it to the sales that wait for it.
func (c *call) mergeStock(p *product, doc []byte) error {
	in, err := c.stockIn(doc)
	if err != nil || in.OnHand == nil {
		return err
	}
	c.stockOf(p.ID, in.Location).OnHand = *in.OnHand
	c.arrive(p.ID, in.Location)
	return nil
}

func (c *call) controlTiers(*http.Request) (any, error) { return sim.Items(c.Tiers), nil }

// renameTier gives a tier another name, on the cards of customers as well: they count as modified. Where another
// tier has the old name too, the cards keep it.
func (c *call) renameTier(r *http.Request) (any, error) {
	var in struct{ Name *string }
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return nil, err
	}
	code, _ := strconv.Atoi(r.PathValue("code"))
	if code < 1 || code > len(c.Tiers) {
		return nil, sim.NotFound("Tier")
	}
	if in.Name == nil {
		return nil, fmt.Errorf("a Name is missing")
	}
	c.rename(code, *in.Name)
	return c.Tiers[code-1], nil
}

func (c *call) rename(code int, name string) {
	was := c.Tiers[code-1].Name
	c.Tiers[code-1].Name = name
	c.seat.Changed()
	if was == name || c.checkTier(was) == nil {
		return
	}
	for _, x := range c.Customers {
		if x.PriceTier == was {
			x.PriceTier, x.LastModifiedOn = name, stampOf(time.Now())
			c.seat.Changed(x)
		}
	}
}
