package upstock

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

const (
	firstOrderID     = 120001
	firstOrderNumber = 880001
)

// OrderSummary is the most important fields of an Upstock order, and the whole of it
// as JSON.
type OrderSummary struct {
	ID       int
	Number   string
	Status   string
	Total    string // "" if the order has no totals
	External string // the number of the sale, once Upstock knows it
	JSON     json.RawMessage
}

func summary(o *order) OrderSummary {
	raw, _ := json.Marshal(o)
	out := OrderSummary{ID: o.ID, Number: o.OrderNumber, Status: o.Status, JSON: raw}
	if o.Totals != nil {
		out.Total = o.Totals.Total
	}
	if o.External != nil {
		out.External = o.External.Number
	}
	return out
}

// PlaceOrder places an order with a supplier. body is a JSON Order of the contract,
// or part of one, or ""; what is missing is filled from the catalogue. Customers
// are found by id, externalId or name, products by productExternalId or sku.
func (v *Vendor) PlaceOrder(supplier int, body string) (OrderSummary, error) {
	v.sim.Lock()
	defer v.sim.Unlock()
	p := v.supplier(supplier)
	if p == nil {
		return OrderSummary{}, fmt.Errorf("place order: no supplier %d", supplier)
	}
	if body == "" {
		body = "{}"
	}
	o, err := p.place([]byte(body))
	if err != nil {
		return OrderSummary{}, fmt.Errorf("place order: %w", err)
	}
	return summary(o), nil
}

// Approve takes an order from ordered to processing and sends order.approved.
func (v *Vendor) Approve(id int) (OrderSummary, error) {
	return v.move("approve", id, "order.approved", []string{"scheduled", "ordered"},
		func(p *supplier, o *order, now time.Time) {
			at := now.UTC().Truncate(time.Millisecond)
			o.Status, o.ApprovedAt = "processing", &at
			i, _ := p.index(id)
			p.Approved = append(p.Approved, i)
		})
}

// Cancel cancels an order and sends order.cancelled.
func (v *Vendor) Cancel(id int) (OrderSummary, error) {
	return v.move("cancel", id, "order.cancelled", []string{"scheduled", "ordered", "processing"},
		func(_ *supplier, o *order, _ time.Time) {
			o.Status = "cancelled"
		})
}

// Edit merges a JSON object into an order, as a supplier edits it in Upstock. It may
// take back an approval or a cancellation, and calls no webhook. Totals are
// computed again unless the body states them. A refused edit changes nothing.
func (v *Vendor) Edit(id int, body string) (OrderSummary, error) {
	v.sim.Lock()
	defer v.sim.Unlock()
	p, o := v.findOrder(id)
	if o == nil {
		return OrderSummary{}, fmt.Errorf("edit order %d: %w", id, sim.NotFound("Order"))
	}
	next, _, err := copyRecord(o)
	if err == nil {
		next.Totals = nil
		err = json.Unmarshal([]byte(body), next)
	}
	if err == nil && next.Totals == nil {
		next.Totals, err = computeTotals(next)
	}
	if err != nil {
		return OrderSummary{}, fmt.Errorf("edit order %d: %w", id, err)
	}
	next.ID = id
	i, _ := p.index(id)
	p.Approved = slices.DeleteFunc(p.Approved, func(n int) bool { return n == i })
	if *o = *next; o.ApprovedAt != nil {
		p.Approved = append(p.Approved, i)
		p.sortApproved()
	}
	p.seat.Changed(o)
	return summary(o), nil
}

// Order returns an order.
func (v *Vendor) Order(id int) (OrderSummary, error) {
	v.sim.Lock()
	defer v.sim.Unlock()
	_, o := v.findOrder(id)
	if o == nil {
		return OrderSummary{}, fmt.Errorf("order %d: %w", id, sim.NotFound("Order"))
	}
	return summary(o), nil
}

func (v *Vendor) findOrder(id int) (*supplier, *order) {
	for _, p := range v.suppliers {
		if o := p.order(id); o != nil {
			return p, o
		}
	}
	return nil, nil
}

// move changes an order's status and sends the event.
func (v *Vendor) move(
	verb string, id int, event string, from []string, change func(*supplier, *order, time.Time),
) (OrderSummary, error) {
	v.sim.Lock()
	defer v.sim.Unlock()
	p, o := v.findOrder(id)
	if o == nil {
		return OrderSummary{}, fmt.Errorf("%s order %d: %w", verb, id, sim.NotFound("Order"))
	}
	if !slices.Contains(from, o.Status) {
		return OrderSummary{}, fmt.Errorf("%s order %d: %w", verb, id, sim.Conflict("The order is "+o.Status))
	}
	now := time.Now()
	change(p, o, now)
	p.seat.Changed(o)
	p.emit(event, o, now)
	return summary(o), nil
}

// place makes an order of defaults, which the body overrides.
func (p *supplier) place(body []byte) (*order, error) {
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, err
	}
	o, err := p.defaultOrder(sent)
	if err != nil {
		return nil, err
	}
	var lines []json.RawMessage
	if raw, ok := sent["lines"]; ok {
		if err := json.Unmarshal(raw, &lines); err != nil {
			return nil, err
		}
	} else {
		lines = make([]json.RawMessage, 1+p.pick(3))
	}
	delete(sent, "lines")
	rest, _ := json.Marshal(sent)
	if err := json.Unmarshal(rest, o); err != nil {
		return nil, err
	}
	rate := p.taxRate(o.Customer.ExternalID)
	used := map[string]bool{}
	for i, raw := range lines {
		l, err := p.orderLine(o, raw, rate, used)
		if err != nil {
			return nil, err
		}
		if l.ID == 0 {
			l.ID = (firstOrderID+p.vendor.placed)*100 + i + 1
		}
		o.Lines = append(o.Lines, l)
	}
	if _, ok := sent["totals"]; !ok {
		if o.Totals, err = computeTotals(o); err != nil {
			return nil, err
		}
	}
	o.ID = firstOrderID + p.vendor.placed
	if o.OrderNumber == "" {
		o.OrderNumber = strconv.Itoa(firstOrderNumber + len(p.Orders))
	}
	p.vendor.placed++
	p.Orders = append(p.Orders, o)
	if o.ApprovedAt != nil {
		p.Approved = append(p.Approved, len(p.Orders)-1)
	}
	p.seat.Changed(o)
	return o, nil
}

// defaultOrder makes an order without lines for the customer that was asked for.
func (p *supplier) defaultOrder(sent map[string]json.RawMessage) (*order, error) {
	local := time.Now().In(sim.Zone())
	delivery := local.AddDate(0, 0, 2).Format(time.DateOnly)
	o := &order{Status: "ordered", Currency: p.seat.Account.Currency, OrderDate: local.Format(time.DateOnly),
		DeliveryDate: &delivery, CustomFields: map[string]string{}, Comments: []comment{}, Shipments: []shipment{}}

	who, err := p.orderCustomer(sent["customer"])
	if err != nil {
		return nil, err
	}
	o.Customer = orderCustomer{who.ID, who.Name, copyOf(who.ExternalID), copyOf(who.Email), copyOf(who.Phone)}
	if _, ok := sent["deliveryAddress"]; !ok && len(who.ShippingAddresses) > 0 {
		d := who.ShippingAddresses[p.pick(len(who.ShippingAddresses))]
		o.DeliveryAddress = &d
	}
	reference := fmt.Sprintf("PO-%05d", 10000+p.pick(90000))
	o.Reference = &reference
	return o, nil
}

// orderCustomer returns the customer that was asked for, or else one that can buy
// without any problem: linked, active, in the account's currency, not on hold.
func (p *supplier) orderCustomer(raw json.RawMessage) (*customer, error) {
	var want orderCustomer
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &want); err != nil {
			return nil, err
		}
		for _, x := range []*customer{p.customer(want.ID), p.customers.Get(value(want.ExternalID)),
			p.names.Get(want.Name)} {
			if x != nil {
				return x, nil
			}
		}
		if want.Name != "" {
			return &customer{ID: 9000, Name: want.Name}, nil
		}
	}
	buys := p.seat.Catalogue().Buys
	x := pickOne(p, p.Customers, func(x *customer) bool { return x.ExternalID != nil && buys(*x.ExternalID) })
	if x == nil {
		return nil, fmt.Errorf("no customer to order for")
	}
	return x, nil
}

// pickOne picks any of the rows that will do; nil = none does.
func pickOne[T any](p *supplier, rows []*T, does func(*T) bool) *T {
	if len(rows) > 1000 { // asking all would take longer than the rest of an order
		for range 100 {
			if x := rows[p.pick(len(rows))]; does(x) {
				return x
			}
		}
	}
	var fit []*T
	for _, x := range rows {
		if does(x) {
			fit = append(fit, x)
		}
	}
	if len(fit) == 0 {
		return nil
	}
	return fit[p.pick(len(fit))]
}

// taxRate returns the percent of a customer's tax.
func (p *supplier) taxRate(externalID *string) string {
	if externalID != nil {
		if percent, ok := p.seat.Catalogue().TaxRate(*externalID); ok {
			return percent.StringFixed(2)
		}
	}
	return "15.00"
}

func (p *supplier) pick(n int) int { return p.vendor.sim.Pick(n) }

// orderLine makes a line of defaults, which raw overrides. used are the products that the order has already.
func (p *supplier) orderLine(o *order, raw json.RawMessage, rate string, used map[string]bool) (line, error) {
	var want line
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &want); err != nil {
			return want, err
		}
	}
	good, err := p.lineProduct(&want, used)
	if err != nil {
		return want, err
	}
	l := line{Quantity: strconv.Itoa(1 + p.pick(12)), UnitPrice: "10.00", DiscountPercent: "0", TaxRate: rate,
		Name: "Unknown product"}
	if good != nil {
		used[good.ExternalID] = true
		ext, sku := good.ExternalID, good.SKU
		l.ProductExternalID, l.SKU, l.Name = &ext, &sku, good.Name
		if good.Price != nil {
			l.UnitPrice = *good.Price
		}
		if o.Customer.ExternalID != nil {
			if price, discount, ok := p.seat.Catalogue().Price(*o.Customer.ExternalID, ext); ok {
				l.UnitPrice, l.DiscountPercent = money(price), discount.String()
			}
		}
	}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &l); err != nil {
			return l, err
		}
	}
	return l, nil
}

// lineProduct returns the product that a line names, nil if it is not there, or any other that can be sold.
func (p *supplier) lineProduct(want *line, used map[string]bool) (good *product, err error) {
	switch {
	case want.ProductExternalID != nil:
		return p.products.Get(*want.ProductExternalID), nil
	case want.SKU != nil:
		return p.skus.Get(*want.SKU), nil
	}
	sells := p.seat.Catalogue().Sells
	good = pickOne(p, p.Products, func(x *product) bool {
		return x.Status == "available" && !used[x.ExternalID] && sells(x.ExternalID)
	})
	if good == nil {
		return nil, fmt.Errorf("no product to order")
	}
	return good, nil
}

// copyOf returns a copy that can be written to.
func copyOf(p *string) *string {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// money writes a price with two decimals, or with as many as it has.
func money(d decimal.Decimal) string {
	if d.Equal(d.Round(2)) {
		return d.StringFixed(2)
	}
	return d.String()
}

var hundred = decimal.NewFromInt(100)

// computeTotals applies the contract's rule: net and tax of each line are rounded to
// the cent, then summed.
func computeTotals(o *order) (*totals, error) {
	var subtotal, tax decimal.Decimal
	add := func(net decimal.Decimal, rate string) error {
		r, err := decimal.NewFromString(rate)
		subtotal, tax = subtotal.Add(net), tax.Add(net.Mul(r).Div(hundred).Round(2))
		return err
	}
	for _, l := range o.Lines {
		var n [3]decimal.Decimal
		for i, v := range []string{l.Quantity, l.UnitPrice, l.DiscountPercent} {
			var err error
			if n[i], err = decimal.NewFromString(v); err != nil {
				return nil, fmt.Errorf("line %d: %w", l.ID, err)
			}
		}
		if err := add(n[0].Mul(n[1]).Mul(hundred.Sub(n[2])).Div(hundred).Round(2), l.TaxRate); err != nil {
			return nil, fmt.Errorf("line %d: %w", l.ID, err)
		}
	}
	if f := o.Freight; f != nil {
		net, err := decimal.NewFromString(f.Amount)
		if err == nil {
			if f.TaxRate == "" {
				f.TaxRate = "15.00"
			}
			err = add(net.Round(2), f.TaxRate)
		}
		if err != nil {
			return nil, fmt.Errorf("freight: %w", err)
		}
	}
	return &totals{subtotal.StringFixed(2), tax.StringFixed(2), subtotal.Add(tax).StringFixed(2)}, nil
}
