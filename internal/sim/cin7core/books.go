package cin7core

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"

	"stockbridge/internal/sim"
)

// catalogue is a company's products and customers, their stock and their own
// prices. They are found by maps, so that the cost of a call about one of them does
// not grow with their number, and saved row by row.
type catalogue struct {
	Customers []*customer `json:"-"`
	Products  []*product  `json:"-"`
	Stock     []*stockRow `json:"-"`

	customers *sim.Index[*customer] // by id, in lower case
	names     *sim.Index[*customer] // by name, folded
	products  *sim.Index[*product]  // by id, in lower case
	skus      *sim.Index[*product]  // by SKU
	stock     map[stockKey]*stockRow
	prices    map[string]*ownPrices // by customer's id, in lower case
	start     []customPrice         // of the template: the custom prices, by its ids
	links     uint64                // links to files made so far

	before map[*stockRow]stockRow // the stock before what a person does now; nil = nobody does anything
}

type stockKey struct{ product, location string }

// ownPrices are the custom prices of one customer.
type ownPrices struct {
	rows []*customPrice          // in the order in which they were set
	by   map[string]*customPrice // by product's id, in lower case
}

// ready makes the maps of what is there.
func (c *catalogue) ready() {
	c.customers = sim.NewIndex(c.Customers, func(x *customer) string { return strings.ToLower(x.ID) })
	c.names = sim.NewIndex(c.Customers, func(x *customer) string { return sim.Fold(x.Name) })
	c.products = sim.NewIndex(c.Products, func(p *product) string { return strings.ToLower(p.ID) })
	c.skus = sim.NewIndex(c.Products, func(p *product) string { return p.SKU })
	c.stock = make(map[stockKey]*stockRow, len(c.Stock))
	for _, r := range c.Stock {
		c.stock[stockKey{r.ProductID, r.Location}] = r
	}
	if c.prices == nil {
		c.prices = map[string]*ownPrices{}
	}
}

func (c *catalogue) customer(id string) *customer { return c.customers.Get(strings.ToLower(id)) }

func (c *catalogue) customerNamed(name string) *customer { return c.names.Get(sim.Fold(name)) }

func (c *catalogue) product(id string) *product { return c.products.Get(strings.ToLower(id)) }

// productSKU returns the product with a SKU. It compares exactly, as SKUs may differ
// only in case.
func (c *catalogue) productSKU(sku string) *product { return c.skus.Get(sku) }

// putCustomer adds a customer; putCustomer(old, x) writes x over it.
func (c *catalogue) putCustomer(old, x *customer) {
	if old == nil {
		c.Customers = append(c.Customers, x)
		c.customers.Add(strings.ToLower(x.ID), x)
		c.names.Add(sim.Fold(x.Name), x)
		return
	}
	c.names.Move(sim.Fold(old.Name), sim.Fold(x.Name), old)
	*old = *x
}

// putProduct adds a product; putProduct(old, p) writes p over it.
func (c *catalogue) putProduct(old, p *product) {
	if old == nil {
		c.Products = append(c.Products, p)
		c.products.Add(strings.ToLower(p.ID), p)
		c.skus.Add(p.SKU, p)
		return
	}
	c.skus.Move(old.SKU, p.SKU, old)
	*old = *p
}

// stockOf returns a product's stock at a location, to be changed.
func (c *company) stockOf(productID, location string) *stockRow {
	key := stockKey{productID, location}
	r := c.stock[key]
	if r == nil {
		r = &stockRow{ProductID: productID, Location: location}
		c.Stock = append(c.Stock, r)
		c.stock[key] = r
	}
	if _, kept := c.before[r]; c.before != nil && !kept {
		c.before[r] = *r
	}
	c.seat.Changed(r)
	return r
}

// ownPricesOf are a customer's custom prices, in the order in which they were set.
func (c *catalogue) ownPricesOf(x *customer) []*customPrice {
	if own := c.prices[strings.ToLower(x.ID)]; own != nil {
		return own.rows
	}
	return nil
}

// ownPrice is a customer's custom price of a product; nil = there is none.
func (c *catalogue) ownPrice(x *customer, p *product) *customPrice {
	if own := c.prices[strings.ToLower(x.ID)]; own != nil {
		return own.by[strings.ToLower(p.ID)]
	}
	return nil
}

// setPrice sets a custom price.
func (c *catalogue) setPrice(price *customPrice) {
	c.dropPrice(price.CustomerID, price.ProductID)
	key := strings.ToLower(price.CustomerID)
	own := c.prices[key]
	if own == nil {
		own = &ownPrices{by: map[string]*customPrice{}}
		c.prices[key] = own
	}
	own.rows = append(own.rows, price)
	own.by[strings.ToLower(price.ProductID)] = price
}

// dropPrice takes a custom price away, and returns it; nil = there was none.
func (c *catalogue) dropPrice(customerID, productID string) *customPrice {
	own, id := c.prices[strings.ToLower(customerID)], strings.ToLower(productID)
	if own == nil || own.by[id] == nil {
		return nil
	}
	price := own.by[id]
	delete(own.by, id)
	own.rows = slices.DeleteFunc(own.rows, func(r *customPrice) bool { return r == price })
	return price
}

// goneRow is a record that was removed, in the state's file.
type goneRow struct{ ID string }

// remove removes a customer or product, with its stock and custom prices.
func (c *catalogue) remove(id string) *goneRow {
	if x := c.customer(id); x != nil {
		c.Customers = slices.DeleteFunc(c.Customers, func(y *customer) bool { return y == x })
		delete(c.prices, strings.ToLower(x.ID))
	}
	if p := c.product(id); p != nil {
		c.Products = slices.DeleteFunc(c.Products, func(q *product) bool { return q == p })
		c.Stock = slices.DeleteFunc(c.Stock, func(r *stockRow) bool { return r.ProductID == p.ID })
		for customer := range c.prices {
			c.dropPrice(customer, p.ID)
		}
	}
	c.ready()
	return &goneRow{id}
}

// Kind implements sim.Row, as do the next methods.
func (*goneRow) Kind() string     { return "gone" }
func (*customer) Kind() string    { return "customer" }
func (*product) Kind() string     { return "product" }
func (*stockRow) Kind() string    { return "stock" }
func (*customPrice) Kind() string { return "price" }

// rows are the whole catalogue.
func (c *catalogue) rows() iter.Seq[any] {
	return func(yield func(any) bool) {
		_ = yieldAll(c.Customers, yield) && yieldAll(c.Products, yield) && yieldAll(c.Stock, yield) &&
			func() bool {
				for _, x := range c.Customers {
					if !yieldAll(c.ownPricesOf(x), yield) {
						return false
					}
				}
				return true
			}()
	}
}

func yieldAll[T any](rows []*T, yield func(any) bool) bool {
	for _, r := range rows {
		if !yield(r) {
			return false
		}
	}
	return true
}

// readRow reads a saved row.
func (c *catalogue) readRow(kind string, row json.RawMessage) error {
	switch kind {
	case "customer":
		return sim.ReadInto(row, func(x *customer) { c.putCustomer(c.customer(x.ID), x) })
	case "product":
		return sim.ReadInto(row, func(p *product) { c.putProduct(c.product(p.ID), p) })
	case "gone":
		return sim.ReadInto(row, func(r *goneRow) { c.remove(r.ID) })
	case "stock":
		return sim.ReadInto(row, func(r *stockRow) {
			key := stockKey{r.ProductID, r.Location}
			if old := c.stock[key]; old != nil {
				*old = *r
				return
			}
			c.Stock, c.stock[key] = append(c.Stock, r), r
		})
	case "price":
		return sim.ReadInto(row, func(r *customPrice) {
			if c.dropPrice(r.CustomerID, r.ProductID); !r.Gone {
				c.setPrice(r)
			}
		})
	}
	return fmt.Errorf("a row of an unknown list %q", kind)
}

// UnmarshalJSON also reads books of before the catalogue's records were rows.
func (c *company) UnmarshalJSON(text []byte) error {
	type plain company
	was := struct {
		*plain
		Customers []*customer
		Products  []*product
		Stock     []*stockRow
		Prices    []*customPrice
	}{plain: (*plain)(c)}
	if err := json.Unmarshal(text, &was); err != nil {
		return err
	}
	if len(was.Products) == 0 {
		return nil
	}
	c.Customers, c.Products, c.Stock = was.Customers, was.Products, was.Stock
	c.ready()
	for _, r := range was.Prices {
		c.setPrice(r)
	}
	return nil
}
