package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/shopspring/decimal"
)

const (
	firstOrderID     = 120001
	firstOrderNumber = 880001
)

// OrderSummary is what tests look at of an Upstock order; JSON is the whole of
// it as the API answers it.
type OrderSummary struct {
	ID       int
	Number   string
	Status   string
	Total    string // "" where the order carries no totals
	External string // the sale's number, once told
	JSON     json.RawMessage
}

func summary(o *upOrder) OrderSummary {
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

// PlaceOrder places an order with a supplier. body is a JSON Order of the
// contract, or part of one, or ""; what is missing is filled from the stock.
// Customers are found by id, externalId or name, products by productExternalId
// or sku.
func (s *Sim) PlaceOrder(supplier int, body string) (OrderSummary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.bySup[supplier]
	if a == nil {
		return OrderSummary{}, fmt.Errorf("place order: no supplier %d", supplier)
	}
	if body == "" {
		body = "{}"
	}
	o, err := s.place(a, []byte(body))
	if err != nil {
		return OrderSummary{}, fmt.Errorf("place order: %w", err)
	}
	return summary(o), nil
}

// Approve takes an order from ordered to processing and sends order.approved.
func (s *Sim) Approve(id int) (OrderSummary, error) {
	return s.move("approve", id, "order.approved", []string{"scheduled", "ordered"}, func(a *account, o *upOrder, now time.Time) {
		at := now.UTC().Truncate(time.Millisecond)
		o.Status, o.ApprovedAt = "processing", &at
		i, _ := slices.BinarySearchFunc(a.Up.Orders, id, func(o *upOrder, id int) int { return o.ID - id })
		a.Up.Approved = append(a.Up.Approved, i)
	})
}

// Cancel cancels an order and sends order.cancelled.
func (s *Sim) Cancel(id int) (OrderSummary, error) {
	return s.move("cancel", id, "order.cancelled", []string{"scheduled", "ordered", "processing"}, func(_ *account, o *upOrder, _ time.Time) {
		o.Status = "cancelled"
	})
}

// Edit merges a JSON object into an order, as a supplier changes it in Upstock:
// it may take an approval or a cancellation back, and nobody is told. Totals
// that the body does not state are reckoned anew.
func (s *Sim) Edit(id int, body string) (OrderSummary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, o := s.findOrder(id)
	if o == nil {
		return OrderSummary{}, fmt.Errorf("edit order %d: %w", id, notFound("Order"))
	}
	next := *o
	next.Lines, next.Totals = slices.Clone(o.Lines), nil
	err := json.Unmarshal([]byte(body), &next)
	if err == nil && next.Totals == nil {
		next.Totals, err = addUp(&next)
	}
	if err != nil {
		return OrderSummary{}, fmt.Errorf("edit order %d: %w", id, err)
	}
	next.ID = id
	i, _ := slices.BinarySearchFunc(a.Up.Orders, id, func(o *upOrder, id int) int { return o.ID - id })
	a.Up.Approved = slices.DeleteFunc(a.Up.Approved, func(n int) bool { return n == i })
	if *o = next; o.ApprovedAt != nil {
		a.Up.Approved = append(a.Up.Approved, i)
		slices.SortStableFunc(a.Up.Approved, func(x, y int) int { return a.Up.Orders[x].ApprovedAt.Compare(*a.Up.Orders[y].ApprovedAt) })
	}
	s.touched(a, o)
	return summary(o), nil
}

// Order is an order as it stands.
func (s *Sim) Order(id int) (OrderSummary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, o := s.findOrder(id)
	if o == nil {
		return OrderSummary{}, fmt.Errorf("order %d: %w", id, notFound("Order"))
	}
	return summary(o), nil
}

func (s *Sim) findOrder(id int) (*account, *upOrder) {
	for _, a := range s.state.Accounts {
		if o := a.Up.order(id); o != nil {
			return a, o
		}
	}
	return nil, nil
}

func (s *Sim) move(verb string, id int, event string, from []string, change func(*account, *upOrder, time.Time)) (OrderSummary, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a, o := s.findOrder(id)
	if o == nil {
		return OrderSummary{}, fmt.Errorf("%s order %d: %w", verb, id, notFound("Order"))
	}
	if !slices.Contains(from, o.Status) {
		return OrderSummary{}, fmt.Errorf("%s order %d: %w", verb, id, conflict("The order is "+o.Status))
	}
	now := time.Now()
	change(a, o, now)
	s.touched(a, o)
	s.emit(a, event, o, now)
	return summary(o), nil
}

// place makes an order: defaults first, what was sent over them.
func (s *Sim) place(a *account, body []byte) (*upOrder, error) {
	var sent map[string]json.RawMessage
	if err := json.Unmarshal(body, &sent); err != nil {
		return nil, err
	}
	now := time.Now()
	local := now.In(zone())
	delivery := local.AddDate(0, 0, 2).Format(time.DateOnly)
	o := &upOrder{Status: "ordered", Currency: a.Currency, OrderDate: local.Format(time.DateOnly), DeliveryDate: &delivery,
		CustomFields: map[string]string{}, Comments: []comment{}, Shipments: []upShipment{}}

	who, err := s.orderCustomer(a, sent["customer"])
	if err != nil {
		return nil, err
	}
	o.Customer = orderCustomer{who.ID, who.Name, own(who.ExternalID), own(who.Email), own(who.Phone)}
	if _, ok := sent["deliveryAddress"]; !ok && len(who.ShippingAddresses) > 0 {
		d := who.ShippingAddresses[s.pick(len(who.ShippingAddresses))]
		o.DeliveryAddress = &d
	}
	reference := fmt.Sprintf("PO-%05d", 10000+s.pick(90000))
	o.Reference = &reference

	var lines []json.RawMessage
	if raw, ok := sent["lines"]; ok {
		if err := json.Unmarshal(raw, &lines); err != nil {
			return nil, err
		}
	} else {
		lines = make([]json.RawMessage, 1+s.pick(3))
	}
	delete(sent, "lines")
	rest, _ := json.Marshal(sent)
	if err := json.Unmarshal(rest, o); err != nil {
		return nil, err
	}
	rate := a.taxRate(o.Customer.ExternalID)
	used := map[string]bool{}
	for i, raw := range lines {
		l, err := s.orderLine(a, o, raw, rate, used)
		if err != nil {
			return nil, err
		}
		if l.ID == 0 {
			l.ID = (firstOrderID+s.state.Orders)*100 + i + 1
		}
		o.Lines = append(o.Lines, l)
	}
	if _, ok := sent["totals"]; !ok {
		if o.Totals, err = addUp(o); err != nil {
			return nil, err
		}
	}
	o.ID = firstOrderID + s.state.Orders
	if o.OrderNumber == "" {
		o.OrderNumber = strconv.Itoa(firstOrderNumber + len(a.Up.Orders))
	}
	s.state.Orders++
	a.Up.Orders = append(a.Up.Orders, o)
	if o.ApprovedAt != nil {
		a.Up.Approved = append(a.Up.Approved, len(a.Up.Orders)-1)
	}
	s.touched(a, o)
	return o, nil
}

// orderCustomer is the customer that was asked for, else one that can buy
// without ado: linked, active, in the account's currency, not on hold.
func (s *Sim) orderCustomer(a *account, raw json.RawMessage) (*upCustomer, error) {
	var want orderCustomer
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &want); err != nil {
			return nil, err
		}
		for _, x := range a.Up.Customers {
			if x.ID == want.ID || x.ExternalID != nil && want.ExternalID != nil && *x.ExternalID == *want.ExternalID || x.Name == want.Name {
				return x, nil
			}
		}
		if want.Name != "" {
			return &upCustomer{ID: 9000, Name: want.Name}, nil
		}
	}
	var plain []*upCustomer
	for _, x := range a.Up.Customers {
		if x.ExternalID == nil {
			continue
		}
		if y := a.Core.customer(*x.ExternalID); y != nil && y.Status == active && !y.IsOnCreditHold && y.Currency == a.Currency {
			plain = append(plain, x)
		}
	}
	if len(plain) == 0 {
		return nil, fmt.Errorf("no customer to order for")
	}
	return plain[s.pick(len(plain))], nil
}

// taxRate is the percent of a customer's tax rule.
func (a *account) taxRate(externalID *string) string {
	if externalID != nil {
		if x := a.Core.customer(*externalID); x != nil {
			if t := a.Core.tax(x.TaxRule); t != nil {
				return t.TaxPercent.StringFixed(2)
			}
		}
	}
	return "15.00"
}

func (s *Sim) orderLine(a *account, o *upOrder, raw json.RawMessage, rate string, used map[string]bool) (upLine, error) {
	var want upLine
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &want); err != nil {
			return want, err
		}
	}
	var p *upProduct
	named := want.ProductExternalID != nil || want.SKU != nil
	for _, x := range a.Up.Products {
		if want.ProductExternalID != nil && x.ExternalID == *want.ProductExternalID || want.ProductExternalID == nil && want.SKU != nil && x.SKU == *want.SKU {
			p = x
		}
	}
	if !named {
		var plain []*upProduct
		for _, x := range a.Up.Products {
			q := a.Core.product(x.ExternalID)
			if x.Status == "available" && !used[x.ExternalID] && q != nil && q.Status == active && q.Sellable && q.DropShipMode == "No Drop Ship" {
				plain = append(plain, x)
			}
		}
		if len(plain) == 0 {
			return want, fmt.Errorf("no product to order")
		}
		p = plain[s.pick(len(plain))]
	}
	l := upLine{Quantity: strconv.Itoa(1 + s.pick(12)), UnitPrice: "10.00", DiscountPercent: "0", TaxRate: rate, Name: "Unknown product"}
	if p != nil {
		used[p.ExternalID] = true
		ext, sku := p.ExternalID, p.SKU
		l.ProductExternalID, l.SKU, l.Name = &ext, &sku, p.Name
		if p.Price != nil {
			l.UnitPrice = *p.Price
		}
		if q := a.Core.product(p.ExternalID); q != nil && o.Customer.ExternalID != nil {
			if x := a.Core.customer(*o.Customer.ExternalID); x != nil {
				l.UnitPrice = money(a.Core.price(x, q))
				l.DiscountPercent = x.Discount.String()
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

// own is a copy that may be written through.
func own(p *string) *string {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// money keeps up to four decimals and shows at least two.
func money(d decimal.Decimal) string {
	if places(d) <= 2 {
		return d.StringFixed(2)
	}
	return d.String()
}

// addUp is the contract's rule: net and tax per line to the cent, sums of them.
func addUp(o *upOrder) (*totals, error) {
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
