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

// Sale does something to a sale as a person at Cin7 Core would, and returns the
// sale as GET /sale does. do is "", authorise, pick, pack, ship, tracking, undo, void, copy,
// lines, notes or complete; body is its JSON:
//
//	authorise authorises the order, a draft with lines
//	ship      {"trackingNumber","trackingUrl","carrier","boxes":[…],"of":[…],"task":n,"lines":[{"sku","quantity"}]}
//	          authorises, adds stock that is short, picks and packs what is missing into the boxes of (default
//	          boxes), and ships boxes (default all that are not shipped yet) as one shipment.
//	          task: the n-th fulfilment, default the first not shipped, or else a new one, which makes a simple
//	          sale an advanced one. lines: pick only these now, quantity default all that is left
//	pick      {"task":n,"lines":[…]}  as ship does, but only picks; refused of a task that is picked
//	pack      {"of":[…],"task":n,"lines":[…]}  likewise: picks what is not picked, and packs
//	tracking  {"trackingNumber","trackingUrl","carrier"} of the shipment with {"box"}, in {"task":n}, or of the
//	          {"shipment":n}-th of the sale, default the last
//	undo      takes the sale back to a draft order; {"task":n} takes that fulfilment back one stage
//	void      voids the sale, which is undone first if it is shipped or invoiced; {"task":n} voids that fulfilment
//	copy      {"externalId"}  default: the same
//	notes     {"text"}  replaces the shipping notes
//	lines     {"lines":[{"sku","quantity","price","discount","taxRule"}]}  replaces the lines of an order not
//	          authorised; without lines, adds one to the first (or one of the first product)
//	complete  ships the sale, invoices it and takes the payment
//
// A failed action changes nothing.
func (v *Vendor) Sale(id, do, body string) (json.RawMessage, error) {
	v.sim.Lock()
	defer v.sim.Unlock()
	for _, books := range v.companies {
		if r := books.sale(id); r != nil {
			c := v.asPerson(books, []byte(body))
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

// asPerson returns a call for what a person does at Cin7 Core's own pages. The lock
// is held.
func (v *Vendor) asPerson(c *company, body []byte) *call {
	return &call{Request: &sim.Request{Now: time.Now(), Body: body}, sim: v.sim, company: c}
}

// act does something to a sale, and returns the sale to show: the copy, if it made one.
func (c *call) act(r *saleRecord, do string) (*saleRecord, error) {
	sale := r.Sale
	c.before = map[*stockRow]stockRow{}
	defer func() { c.before = nil }()
	sale.Order.Lines, sale.Fulfilments = slices.Clone(sale.Order.Lines), cloneFulfilments(sale.Fulfilments)
	var err error
	switch do {
	case "authorise":
		err = c.actAuthorise(r)
	case "pick", "pack", "ship":
		err = c.actShip(r, do)
	case "tracking":
		err = c.actTracking(r)
	case "undo", "void":
		err = c.actUndoOrVoid(r, do == "void")
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
		r.Sale = sale
		for row, before := range c.before {
			*row = before
		}
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

func (c *call) actAuthorise(r *saleRecord) error {
	if r.Sale.Order.Status == authorised {
		return sim.Conflict("The order is " + authorised)
	}
	return c.mayFulfil(r)
}

// openTask returns the n-th fulfilment, or with 0 the first that is not shipped. It
// makes one that does not exist yet, unless another must be picked first.
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

// actShip picks, packs or ships what is asked for of a task.
func (c *call) actShip(r *saleRecord, do string) error {
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
	switch {
	case do == "pick" && f.Pick.Status == authorised:
		return f.already("picked")
	case do == "pick":
		return c.pickTask(&r.Sale, f, in)
	case do == "pack" && f.Pack.Status == authorised:
		return f.already("packed")
	case do == "pack":
		return c.packTask(&r.Sale, f, in)
	}
	return c.shipTask(r, f, in)
}

// shipTask ships boxes of a task, which is picked and packed before.
func (c *call) shipTask(r *saleRecord, f *fulfilment, in shipOrder) error {
	if err := c.packTask(&r.Sale, f, in); err != nil {
		return err
	}
	out, err := f.boxesToShip(in.Boxes)
	if err != nil {
		return err
	}
	carrier := in.Carrier
	if carrier == "" {
		carrier = r.Sale.Carrier
	}
	c.shipBoxes(r, f, out, shipLine{Carrier: carrier, TrackingNumber: in.TrackingNumber, TrackingURL: in.TrackingURL})
	return nil
}

// packTask packs a task, unless it is packed. It is picked before.
func (c *call) packTask(x *sale, f *fulfilment, in shipOrder) error {
	if err := c.pickTask(x, f, in); err != nil || f.Pack.Status == authorised {
		return err
	}
	of, err := in.allBoxes()
	if err == nil {
		f.packAll(of)
	}
	return err
}

// pickTask picks a task, unless it is picked.
func (c *call) pickTask(x *sale, f *fulfilment, in shipOrder) error {
	if f.Pick.Status == authorised {
		if len(in.Lines) > 0 {
			return f.already("picked")
		}
		return nil
	}
	lines, err := in.choose(c.unpicked(x, f, false))
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return sim.Conflict("Nothing is left to pick")
	}
	f.Pick.Lines, f.Pick.Status = lines, authorised
	c.stockUp(x, lines)
	return nil
}

// already is the error that a task is picked, packed or shipped already.
func (f *fulfilment) already(done string) error {
	return sim.Conflict(fmt.Sprintf("Fulfilment %d is %s", f.FulfillmentNumber, done))
}

// choose returns what the lines ask for of all that can be picked; without lines, all of it.
func (in *shipOrder) choose(all []pickLine) ([]pickLine, error) {
	if len(in.Lines) == 0 {
		return all, nil
	}
	var lines []pickLine
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
			return nil, sim.Conflict("There is not so much of " + want.SKU + " left to pick")
		}
	}
	return lines, nil
}

// allBoxes returns the boxes into which everything is packed.
func (in *shipOrder) allBoxes() ([]string, error) {
	of := in.Of
	if len(of) == 0 {
		of = in.Boxes
	}
	if len(of) == 0 {
		of = []string{"Box 1"}
	}
	for i, b := range of {
		if of[i] = strings.TrimSpace(b); of[i] == "" || strings.Contains(b, ",") || slices.Contains(of[:i], of[i]) {
			return nil, sim.Conflict("Boxes need names without commas, each its own")
		}
	}
	return of, nil
}

// boxesToShip returns those of the boxes that are not shipped yet; none named = of all.
func (f *fulfilment) boxesToShip(boxes []string) ([]string, error) {
	if len(boxes) == 0 {
		boxes = f.boxes()
	}
	var out []string
	for _, b := range boxes {
		if b = strings.TrimSpace(b); !slices.Contains(f.boxes(), b) {
			return nil, sim.Conflict("There is no box " + b)
		}
		if !f.isShipped(b) && !slices.Contains(out, b) {
			out = append(out, b)
		}
	}
	if len(out) == 0 {
		return nil, sim.Conflict("The boxes are shipped")
	}
	return out, nil
}

// stockUp adds the stock that is missing for what was picked.
func (c *call) stockUp(x *sale, lines []pickLine) {
	for _, p := range lines {
		spare := x.spare(p.ProductID)
		row := c.stockOf(p.ProductID, x.Location)
		for i := range x.Order.Lines {
			l := &x.Order.Lines[i]
			if got := decimal.Min(l.BackorderQuantity.Decimal, spare.Neg()); l.ProductID == p.ProductID &&
				got.Sign() > 0 {
				row.OnHand, row.Allocated = number{row.OnHand.Add(got)}, number{row.Allocated.Add(got)}
				l.BackorderQuantity, spare = number{l.BackorderQuantity.Sub(got)}, spare.Add(got)
			}
		}
	}
}

// spare is how much of a product is in stock for a sale and not picked; negative = so much more is picked.
func (x *sale) spare(productID string) (n decimal.Decimal) {
	for _, l := range x.Order.Lines {
		if l.ProductID == productID {
			n = n.Add(l.Quantity.Decimal).Sub(l.BackorderQuantity.Decimal)
		}
	}
	for _, f := range x.Fulfilments {
		for _, l := range f.Pick.Lines {
			if l.ProductID == productID {
				n = n.Sub(l.Quantity.Decimal)
			}
		}
	}
	return n
}

// shipAll ships whatever is not shipped yet.
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

// whichShipment says which shipment of a sale is meant; what is zero fits any.
type whichShipment struct {
	Box            string
	Task, Shipment int
}

// in finds the last shipment that is meant: its task, and its place there.
func (w whichShipment) in(x *sale) (of *fulfilment, at int) {
	n := 0
	for i := range x.Fulfilments {
		f := &x.Fulfilments[i]
		for j, l := range f.Ship.Lines {
			n++
			if (w.Task == 0 || w.Task == f.FulfillmentNumber) && (w.Shipment == 0 || w.Shipment == n) &&
				(w.Box == "" || slices.Contains(splitBoxes(l.Boxes), w.Box)) {
				of, at = f, j
			}
		}
	}
	return of, at
}

// actTracking changes the tracking of a shipment.
func (c *call) actTracking(r *saleRecord) error {
	var in struct {
		TrackingNumber, TrackingURL, Carrier *string
		whichShipment
	}
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return err
	}
	of, at := in.in(&r.Sale)
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

func (c *call) actUndoOrVoid(r *saleRecord, void bool) error {
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

// writtenLine is a line as a person writes it.
type writtenLine struct {
	SKU      string  `json:"sku"`
	Quantity number  `json:"quantity"`
	Price    *number `json:"price"`
	Discount number  `json:"discount"`
	TaxRule  string  `json:"taxRule"`
}

func (c *call) actLines(r *saleRecord) error {
	var in struct {
		Lines []writtenLine `json:"lines"`
	}
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return err
	}
	x := &r.Sale
	if x.Order.Status != draft && x.Order.Status != notAvailable {
		return sim.Conflict("The order is " + x.Order.Status)
	}
	lines := slices.Clone(x.Order.Lines)
	if in.Lines != nil {
		lines = nil
		for _, want := range in.Lines {
			p := c.productSKU(want.SKU)
			if p == nil {
				return unknown("Product", want.SKU)
			}
			l, err := c.newLine(x, p, want)
			if err != nil {
				return err
			}
			lines = append(lines, l)
		}
	} else if len(lines) > 0 {
		more := writtenLine{Quantity: number{lines[0].Quantity.Add(dec("1"))}, Price: &lines[0].Price,
			TaxRule: lines[0].TaxRule}
		l, err := c.newLine(x, c.product(lines[0].ProductID), more)
		if err != nil {
			return err
		}
		lines[0] = l
	} else {
		l, err := c.newLine(x, c.Products[0], writtenLine{Quantity: num("1")})
		if err != nil {
			return err
		}
		lines = []line{l}
	}
	x.Order.Lines, x.Order.Status = lines, draft
	x.Order.TotalBeforeTax, x.Order.Tax, x.Order.Total = c.totals(x, lines, x.Order.AdditionalCharges)
	return nil
}

// newLine makes a line of a sale's order, by default with the customer's price and the sale's tax rule.
func (c *call) newLine(x *sale, p *product, w writtenLine) (line, error) {
	price, rule := w.Price, w.TaxRule
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
	l := line{ProductID: p.ID, SKU: p.SKU, Name: p.Name, Quantity: w.Quantity, Price: *price,
		Discount: w.Discount, AverageCost: p.AverageCost, TaxRule: rule}
	l.Total = number{lineTotal(l.Price.Decimal, l.Discount.Decimal, l.Quantity.Decimal)}
	l.Tax = number{taxOf(l.Total.Decimal, t.TaxPercent.Decimal, x.TaxCalculation == "Inclusive").Round(2)}
	return l, nil
}
