package cin7core

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

// Sale does something to a sale as a person at Cin7 Core would, and answers the
// sale as GET /sale does. do is "", ship, tracking, undo, void, copy, lines,
// notes or complete; body is its JSON:
//
//	ship      {"trackingNumber","trackingUrl","carrier","boxes":[…],"of":[…],"task":n,"lines":[{"sku","quantity"}]}
//	          authorises, brings in stock that is short, picks and packs what is missing into the boxes of
//	          (default boxes), ships boxes (default all not shipped yet) as one shipment; what is shipped stays.
//	          task: the n-th fulfilment, default the first not shipped, else a new one, which makes a simple
//	          sale an advanced one. lines: pick only these now, quantity default all that is left
//	tracking  {"trackingNumber","trackingUrl","carrier"} of the shipment with {"box"}, in {"task":n}, or of the
//	          {"shipment":n}-th of the sale, default the last
//	undo      takes the sale back to a draft order, from wherever it is; {"task":n} that fulfilment one stage
//	void      the sale, undone first where it is shipped or invoiced; {"task":n} that fulfilment
//	copy      {"externalId"}  default: the same
//	notes     {"text"}  replaces the shipping notes
//	lines     {"lines":[{"sku","quantity","price","taxRule"}]}  replaces the lines of an order not authorised;
//	          without lines, one more of the first (or some of the stock's first)
//	complete  ships, invoices and is paid
//
// What fails changes nothing.
func (v *Vendor) Sale(id, do, body string) (json.RawMessage, error) {
	v.sim.Lock()
	defer v.sim.Unlock()
	for _, books := range v.companies {
		if r := books.sale(id); r != nil {
			c := v.person(books, []byte(body))
			if do != "" {
				var err error
				if r, err = c.act(r, do); err != nil {
					return nil, fmt.Errorf("%s sale %s: %w", do, r.Sale.Order.SaleOrderNumber, err)
				}
			}
			return json.Marshal(c.render(r))
		}
	}
	return nil, sim.NotFound("Sale")
}

// person is somebody at Cin7 Core's own pages: a call that is no call. The lock
// is held.
func (v *Vendor) person(c *company, body []byte) *call {
	return &call{Request: &sim.Request{Now: time.Now(), Body: body}, sim: v.sim, company: c}
}

// act changes a sale and answers the one that matters then.
func (c *call) act(r *saleRecord, do string) (*saleRecord, error) {
	sale, stock := r.Sale, copies(c.Stock)
	sale.Order.Lines, sale.Fulfilments = slices.Clone(sale.Order.Lines), cloneFulfilments(sale.Fulfilments)
	var err error
	switch do {
	case "ship":
		err = c.actShip(r)
	case "tracking":
		err = c.actTracking(r)
	case "undo", "void":
		err = c.actBack(r, do == "void")
	case "lines":
		err = c.actLines(r)
	case "notes":
		err = c.actNotes(r)
	case "copy":
		return c.actCopy(r)
	case "complete":
		if err = c.mayFulfil(r); err == nil {
			err = c.shipAll(r)
			c.complete(&r.Sale)
		}
	default:
		err = sim.NotFound("Action")
	}
	if err != nil {
		r.Sale, c.Stock = sale, stock
		return r, err
	}
	c.touch(r)
	return r, nil
}

// mayFulfil authorises a draft order, as a person would before picking.
func (c *call) mayFulfil(r *saleRecord) error {
	x := &r.Sale
	switch x.Order.Status {
	case authorised:
	case draft:
		if err := c.mayAuthorise(x, len(x.Order.Lines)+len(x.Order.AdditionalCharges)); err != nil {
			return err
		}
		c.authorise(r, 0)
	default:
		return sim.Conflict("The order is " + x.Order.Status)
	}
	return nil
}

// openTask is the n-th fulfilment; for 0 the one to go on with. One that is not
// there yet is made, if nothing else is left to pick first.
func (c *call) openTask(x *sale, n int) (*fulfilment, error) {
	for i := range x.Fulfilments {
		switch f := &x.Fulfilments[i]; {
		case n > 0 && f.FulfillmentNumber != n:
		case f.Ship.Status != authorised && f.Ship.Status != voided:
			return f, nil
		case n > 0:
			return nil, sim.Conflict(fmt.Sprintf("Fulfilment %d is %s", n, f.Ship.Status))
		}
	}
	if n > len(x.Fulfilments)+1 {
		return nil, sim.Conflict(fmt.Sprintf("There is no fulfilment %d", n))
	}
	if err := x.mayAddTask(); err != nil {
		return nil, err
	}
	return c.addTask(x), nil
}

type shipOrder struct {
	TrackingNumber string   `json:"trackingNumber"`
	TrackingURL    string   `json:"trackingUrl"`
	Carrier        string   `json:"carrier"`
	Boxes          []string `json:"boxes"`
	Of             []string `json:"of"`
	Task           int      `json:"task"`
	Lines          []struct {
		SKU      string `json:"sku"`
		Quantity number `json:"quantity"`
	} `json:"lines"`
}

func (c *call) actShip(r *saleRecord) error {
	var in shipOrder
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return err
	}
	if err := c.mayFulfil(r); err != nil {
		return err
	}
	if r.Sale.CombinedShippingStatus == "SHIPPED" {
		return sim.Conflict("The sale is shipped")
	}
	f, err := c.openTask(&r.Sale, in.Task)
	if err != nil {
		return err
	}
	return c.shipTask(r, f, in)
}

// shipTask takes a task from wherever it is to shipped, as far as asked.
func (c *call) shipTask(r *saleRecord, f *fulfilment, in shipOrder) error {
	x := &r.Sale
	if f.Pick.Status == authorised && len(in.Lines) > 0 {
		return sim.Conflict(fmt.Sprintf("Fulfilment %d is picked", f.FulfillmentNumber))
	}
	if f.Pick.Status != authorised {
		lines := c.unpicked(x, f, false)
		if len(in.Lines) > 0 {
			all := lines
			lines = []pickLine{}
			for _, want := range in.Lines {
				some := false
				for i := range all {
					if all[i].SKU != want.SKU || some && want.Quantity.Sign() <= 0 {
						continue
					}
					l := all[i]
					if want.Quantity.Sign() > 0 {
						l.Quantity = number{decimal.Min(l.Quantity.Decimal, want.Quantity.Decimal)}
						want.Quantity = number{want.Quantity.Sub(l.Quantity.Decimal)}
					}
					some = true
					all[i].Quantity = number{all[i].Quantity.Sub(l.Quantity.Decimal)}
					lines = append(lines, l)
				}
				if !some || want.Quantity.Sign() > 0 {
					return sim.Conflict("There is not so much of " + want.SKU + " left to pick")
				}
			}
		}
		if len(lines) == 0 {
			return sim.Conflict("Nothing is left to pick")
		}
		f.Pick.Lines, f.Pick.Status = lines, authorised
		c.bringIn(x, lines)
	}
	if f.Pack.Status != authorised {
		of := in.Of
		if len(of) == 0 {
			of = in.Boxes
		}
		if len(of) == 0 {
			of = []string{"Box 1"}
		}
		for i, b := range of {
			if of[i] = strings.TrimSpace(b); of[i] == "" || strings.Contains(b, ",") || slices.Contains(of[:i], of[i]) {
				return sim.Conflict("Boxes need names without commas, each its own")
			}
		}
		f.packAll(of)
	}
	boxes := in.Boxes
	if len(boxes) == 0 {
		boxes = f.boxes()
	}
	var out []string
	for _, b := range boxes {
		if b = strings.TrimSpace(b); !slices.Contains(f.boxes(), b) {
			return sim.Conflict("There is no box " + b)
		}
		if !f.isShipped(b) && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return sim.Conflict("The boxes are shipped")
	}
	carrier := in.Carrier
	if carrier == "" {
		carrier = x.Carrier
	}
	c.shipBoxes(r, f, out, shipLine{Carrier: carrier, TrackingNumber: in.TrackingNumber, TrackingURL: in.TrackingURL})
	return nil
}

// bringIn fetches from nowhere what was picked beyond the stock for the sale.
func (c *call) bringIn(x *sale, lines []pickLine) {
	for _, p := range lines {
		var spare decimal.Decimal // in stock, not picked
		for _, l := range x.Order.Lines {
			if l.ProductID == p.ProductID {
				spare = spare.Add(l.Quantity.Decimal).Sub(l.BackorderQuantity.Decimal)
			}
		}
		for _, f := range x.Fulfilments {
			for _, q := range f.Pick.Lines {
				if q.ProductID == p.ProductID {
					spare = spare.Sub(q.Quantity.Decimal)
				}
			}
		}
		row := c.stockOf(p.ProductID, x.Location)
		for i := range x.Order.Lines {
			l := &x.Order.Lines[i]
			if got := decimal.Min(l.BackorderQuantity.Decimal, spare.Neg()); l.ProductID == p.ProductID && got.Sign() > 0 {
				row.OnHand, row.Allocated = number{row.OnHand.Add(got)}, number{row.Allocated.Add(got)}
				l.BackorderQuantity, spare = number{l.BackorderQuantity.Sub(got)}, spare.Add(got)
			}
		}
	}
}

// shipAll ships whatever has not been.
func (c *call) shipAll(r *saleRecord) error {
	x := &r.Sale
	for i := 0; i < len(x.Fulfilments); i++ {
		f := &x.Fulfilments[i]
		if f.Ship.Status == authorised || f.Ship.Status == voided ||
			f.Pick.Status != authorised && len(c.unpicked(x, f, false)) == 0 {
			continue
		}
		if err := c.shipTask(r, f, shipOrder{}); err != nil {
			return err
		}
	}
	if len(c.unpicked(x, nil, false)) == 0 {
		return nil
	}
	return c.shipTask(r, c.addTask(x), shipOrder{})
}

func (c *call) actTracking(r *saleRecord) error {
	var in struct {
		TrackingNumber, TrackingURL, Carrier *string
		Box                                  string
		Task, Shipment                       int
	}
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return err
	}
	var of *fulfilment
	var at, n int
	for i := range r.Sale.Fulfilments {
		f := &r.Sale.Fulfilments[i]
		for j, l := range f.Ship.Lines {
			n++
			if (in.Task == 0 || in.Task == f.FulfillmentNumber) && (in.Shipment == 0 || in.Shipment == n) &&
				(in.Box == "" || slices.Contains(splitBoxes(l.Boxes), in.Box)) {
				of, at = f, j
			}
		}
	}
	if of == nil {
		return sim.Conflict("There is no such shipment")
	}
	c.changeTask(r, of, func() {
		of.Ship.Lines = slices.Clone(of.Ship.Lines)
		l := &of.Ship.Lines[at]
		if in.Carrier != nil {
			l.Carrier = *in.Carrier
		}
		if in.TrackingNumber != nil {
			l.TrackingNumber = *in.TrackingNumber
		}
		if in.TrackingURL != nil {
			l.TrackingURL = *in.TrackingURL
		} else if in.Carrier != nil || in.TrackingNumber != nil {
			l.TrackingURL = trackingURL(l.Carrier, l.TrackingNumber)
		}
	})
	return nil
}

func (c *call) actBack(r *saleRecord, void bool) error {
	var in struct{ Task int }
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return err
	}
	x := &r.Sale
	switch {
	case in.Task > len(x.Fulfilments):
		return sim.Conflict(fmt.Sprintf("There is no fulfilment %d", in.Task))
	case in.Task > 0:
		return c.undoTask(r, &x.Fulfilments[in.Task-1], void)
	case !void:
		return c.undo(r)
	}
	if len(x.Invoices) > 0 || slices.ContainsFunc(x.Fulfilments, fulfilment.shipped) {
		if err := c.undo(r); err != nil {
			return err
		}
	}
	return c.void(r)
}

func (c *call) actCopy(r *saleRecord) (*saleRecord, error) {
	var in struct{ ExternalID *string }
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return r, err
	}
	twin := &saleRecord{Sale: r.Sale, Created: c.Now, Listed: c.Now}
	x := &twin.Sale
	x.ID = c.sim.GUID()
	if in.ExternalID != nil {
		x.ExternalID = opt(*in.ExternalID)
	}
	x.Order.Lines, x.Order.AdditionalCharges = slices.Clone(x.Order.Lines), slices.Clone(x.Order.AdditionalCharges)
	x.Order.SaleOrderNumber = fmt.Sprintf("SO-%05d", len(c.Sales)+1)
	if x.Order.Status != notAvailable {
		x.Order.Status = draft
	}
	for i := range x.Order.Lines {
		x.Order.Lines[i].BackorderQuantity = number{}
	}
	x.Fulfilments, x.Invoices = []fulfilment{}, []invoice{}
	c.Sales = append(c.Sales, twin)
	c.byID[x.ID] = twin
	c.touch(twin)
	return twin, nil
}

func (c *call) actNotes(r *saleRecord) error {
	var in struct {
		Text string `json:"text"`
	}
	err := json.Unmarshal(c.Body, &in)
	if err == nil {
		r.Sale.ShippingNotes = in.Text
	}
	return err
}

func (c *call) actLines(r *saleRecord) error {
	var in struct {
		Lines []struct {
			SKU      string  `json:"sku"`
			Quantity number  `json:"quantity"`
			Price    *number `json:"price"`
			TaxRule  string  `json:"taxRule"`
		} `json:"lines"`
	}
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return err
	}
	x := &r.Sale
	if x.Order.Status != draft && x.Order.Status != notAvailable {
		return sim.Conflict("The order is " + x.Order.Status)
	}
	set := func(p *product, quantity number, price *number, rule string) (line, error) {
		if rule == "" {
			rule = x.TaxRule
		}
		t := c.tax(rule)
		if t == nil {
			return line{}, unknown("Tax rule", rule)
		}
		if price == nil {
			v := number{c.price(c.customer(x.CustomerID), p)}
			price = &v
		}
		l := line{ProductID: p.ID, SKU: p.SKU, Name: p.Name, Quantity: quantity, Price: *price, AverageCost: p.AverageCost,
			TaxRule: rule}
		l.Total = number{lineTotal(price.Decimal, l.Discount.Decimal, quantity.Decimal)}
		l.Tax = number{taxOf(l.Total.Decimal, t.TaxPercent.Decimal, x.TaxCalculation == "Inclusive").Round(2)}
		return l, nil
	}
	lines := slices.Clone(x.Order.Lines)
	if in.Lines != nil {
		lines = nil
		for _, want := range in.Lines {
			p := c.productSKU(want.SKU)
			if p == nil {
				return unknown("Product", want.SKU)
			}
			l, err := set(p, want.Quantity, want.Price, want.TaxRule)
			if err != nil {
				return err
			}
			lines = append(lines, l)
		}
	} else if len(lines) > 0 {
		l, err := set(c.product(lines[0].ProductID), number{lines[0].Quantity.Add(dec("1"))}, &lines[0].Price,
			lines[0].TaxRule)
		if err != nil {
			return err
		}
		lines[0] = l
	} else {
		l, err := set(c.Products[0], num("1"), nil, "")
		if err != nil {
			return err
		}
		lines = []line{l}
	}
	x.Order.Lines, x.Order.Status = lines, draft
	x.Order.TotalBeforeTax, x.Order.Tax, x.Order.Total = c.totals(x, lines, x.Order.AdditionalCharges)
	return nil
}
