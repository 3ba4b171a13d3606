package cin7core

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

// fulfilment is one task of picking, packing and shipping. A simple sale has one,
// whose TaskID is the sale's ID.
type fulfilment struct {
	TaskID              string
	FulfillmentNumber   int
	LinkedInvoiceNumber string
	FulFilmentStatus    string
	Pick                pick
	Pack                pack
	Ship                ship
}

type pick struct {
	Status string
	Lines  []pickLine
}

type pack struct {
	Status string
	Lines  []packLine
}

type ship struct {
	Status          string
	RequireBy       opt
	ShippingAddress shippingAddress
	ShippingNotes   string
	Lines           []shipLine
}

type pickLine struct {
	ProductID, SKU, Name, Location, LocationID string
	Quantity                                   number
	BatchSN, ExpiryDate                        opt
	NonInventory                               bool
	*productInfo
}

type packLine struct {
	ProductID, SKU, Name, Location, LocationID, Box string
	Quantity                                        number
	BatchSN, ExpiryDate                             opt
	NonInventory                                    bool
	WarrantyRegistrationNumber                      opt
	*productInfo
}

type shipLine struct {
	ID, ShipmentDate, Carrier, Boxes, TrackingNumber, TrackingURL string
	IsShipped                                                     bool
}

func cloneFulfilments(in []fulfilment) []fulfilment {
	out := append([]fulfilment{}, in...)
	for i := range out {
		out[i].Pick.Lines = slices.Clone(out[i].Pick.Lines)
		out[i].Pack.Lines = slices.Clone(out[i].Pack.Lines)
		out[i].Ship.Lines = slices.Clone(out[i].Ship.Lines)
	}
	return out
}

// addTask makes the sale's next fulfilment. A simple sale has only one; a second
// makes it an advanced sale, for good.
func (c *call) addTask(x *sale) *fulfilment {
	task := x.ID
	if x.Type != simpleSale || len(x.Fulfilments) > 0 {
		task, x.Type = c.sim.GUID(), advancedSale
	}
	x.Fulfilments = append(x.Fulfilments, fulfilment{TaskID: task, FulfillmentNumber: len(x.Fulfilments) + 1,
		Pick: pick{notAvailable, []pickLine{}}, Pack: pack{notAvailable, []packLine{}},
		Ship: ship{Status: notAvailable, RequireBy: x.ShipBy, ShippingAddress: x.ShippingAddress,
			ShippingNotes: x.ShippingNotes, Lines: []shipLine{}}})
	return &x.Fulfilments[len(x.Fulfilments)-1]
}

// unpicked returns what no other task of the sale has picked: of all that was
// ordered, or only of what is in stock for it.
func (c *call) unpicked(x *sale, f *fulfilment, inStock bool) []pickLine {
	l := c.location(x.Location)
	taken := map[string]decimal.Decimal{}
	for i := range x.Fulfilments {
		if g := &x.Fulfilments[i]; f == nil || g.FulfillmentNumber != f.FulfillmentNumber {
			for _, p := range g.Pick.Lines {
				taken[p.ProductID] = taken[p.ProductID].Add(p.Quantity.Decimal)
			}
		}
	}
	out := []pickLine{}
	for _, o := range x.Order.Lines {
		q := o.Quantity.Decimal
		if inStock {
			q = q.Sub(o.BackorderQuantity.Decimal)
		}
		had := decimal.Min(taken[o.ProductID], q)
		taken[o.ProductID] = taken[o.ProductID].Sub(had)
		if q = q.Sub(had); q.Sign() > 0 {
			out = append(out, pickLine{ProductID: o.ProductID, SKU: o.SKU, Name: o.Name, Location: l.Name,
				LocationID: l.ID,
				Quantity:   number{q}})
		}
	}
	return out
}

// packAll packs what is picked into boxes. It splits lines if there are more boxes
// than lines, even a single unit, so that no box is empty.
func (f *fulfilment) packAll(boxes []string) {
	pieces := slices.Clone(f.Pick.Lines)
	for len(pieces) > 0 && len(pieces) < len(boxes) {
		big := 0
		for i, p := range pieces {
			if p.Quantity.GreaterThan(pieces[big].Quantity.Decimal) {
				big = i
			}
		}
		half := pieces[big].Quantity.Div(decimal.NewFromInt(2))
		if whole := half.Floor(); whole.Sign() > 0 {
			half = whole
		} else if half = half.Truncate(4); half.Sign() <= 0 {
			break
		}
		rest := pieces[big]
		rest.Quantity = number{rest.Quantity.Sub(half)}
		pieces[big].Quantity = number{half}
		pieces = append(pieces, rest)
	}
	f.Pack.Lines = []packLine{}
	for i, p := range pieces {
		f.Pack.Lines = append(f.Pack.Lines,
			packLine{ProductID: p.ProductID, SKU: p.SKU, Name: p.Name, Location: p.Location,
				LocationID: p.LocationID, Box: boxes[i%len(boxes)], Quantity: p.Quantity, BatchSN: p.BatchSN,
				ExpiryDate: p.ExpiryDate})
	}
	f.Pack.Status = authorised
}

func (f *fulfilment) boxes() []string {
	var out []string
	for _, p := range f.Pack.Lines {
		if !slices.Contains(out, p.Box) {
			out = append(out, p.Box)
		}
	}
	return out
}

func splitBoxes(v string) []string {
	var out []string
	for b := range strings.SplitSeq(v, ",") {
		if b = strings.TrimSpace(b); b != "" {
			out = append(out, b)
		}
	}
	return out
}

// lineOf returns the shipment's line with a box; nil = none.
func (s *ship) lineOf(box string) *shipLine {
	for i := range s.Lines {
		if slices.Contains(splitBoxes(s.Lines[i].Boxes), box) {
			return &s.Lines[i]
		}
	}
	return nil
}

// hasLeft reports whether a box was shipped. IsShipped alone does not mean it: it may
// be set in a draft, and stays on the lines of a shipment that was undone, as in
// the vendor's own example.
func (s *ship) hasLeft(box string) bool {
	l := s.lineOf(box)
	return l != nil && l.IsShipped && (s.Status == authorised || s.Status == partlyAuthorised)
}

func (f fulfilment) isShipped(box string) bool { return f.Ship.hasLeft(box) }

func (f fulfilment) shipped() bool { return slices.ContainsFunc(f.boxes(), f.isShipped) }

// shippedQuantities returns how much of each product was shipped from stock with a
// task.
func (x *sale) shippedQuantities(f *fulfilment) map[string]decimal.Decimal {
	out := map[string]decimal.Decimal{}
	for _, p := range f.Pack.Lines {
		if f.isShipped(p.Box) && !x.dropShips(p.ProductID) {
			out[p.ProductID] = out[p.ProductID].Add(p.Quantity.Decimal)
		}
	}
	return out
}

// changeTask changes a task, takes goods from stock or returns them, and notifies
// the webhooks.
func (c *call) changeTask(r *saleRecord, f *fulfilment, change func()) {
	x, old, was := &r.Sale, f.Ship, r.Sale.shippedQuantities(f)
	change()
	now := x.shippedQuantities(f)
	for id := range was {
		now[id] = now[id].Sub(was[id])
	}
	for id, q := range now {
		row := c.stockOf(id, x.Location)
		row.OnHand, row.Allocated = number{row.OnHand.Sub(q)}, number{row.Allocated.Sub(q)}
	}
	var more, other bool
	for _, b := range f.boxes() {
		switch had, has := old.hasLeft(b), f.Ship.hasLeft(b); {
		case has && !had:
			more = true
		case has:
			one, two := old.lineOf(b), f.Ship.lineOf(b)
			other = other || one.TrackingNumber != two.TrackingNumber || one.TrackingURL != two.TrackingURL ||
				one.Carrier != two.Carrier
		}
	}
	if more {
		c.notify("Sale/ShipmentAuthorised", r, f)
	}
	if other {
		c.notify("Sale/ShipmentTrackingNumberChanged", r, f)
	}
}

// shipBoxes ships boxes as one shipment. Lines of boxes that have not left, of a
// draft or an undone shipment, are dropped.
func (c *call) shipBoxes(r *saleRecord, f *fulfilment, boxes []string, l shipLine) {
	l.ShipmentDate, l.Boxes, l.IsShipped = sim.Today(c.Now)+"T00:00:00", strings.Join(boxes, ","), true
	if l.Carrier == "" {
		l.Carrier = "DEFAULT Carrier"
	}
	if l.TrackingURL == "" {
		l.TrackingURL = trackingURL(l.Carrier, l.TrackingNumber)
	}
	c.changeTask(r, f, func() {
		kept := slices.DeleteFunc(slices.Clone(f.Ship.Lines), func(k shipLine) bool {
			return !slices.ContainsFunc(splitBoxes(k.Boxes), f.isShipped)
		})
		f.Ship.Lines, f.Ship.Status = append(kept, l), partlyAuthorised
		f.completeShip()
	})
}

// completeShip authorises a shipment of which every box has left.
func (f *fulfilment) completeShip() {
	if f.Ship.Status == partlyAuthorised &&
		!slices.ContainsFunc(f.boxes(), func(b string) bool { return !f.isShipped(b) }) {
		f.Ship.Status = authorised
	}
}

// trackingURL returns the URL that a carrier's template makes of a tracking number;
// the default carrier has none.
func trackingURL(carrier, number string) string {
	switch {
	case number == "":
	case carrier == "Overnight Kiwi":
		return "https://track.overnightkiwi.example/parcels/" + url.PathEscape(number)
	case carrier == "Strait Freight":
		return "https://straitfreight.example/track?consignment=" + url.QueryEscape(number)
	}
	return ""
}

func (x *sale) dropShips(productID string) bool {
	return slices.ContainsFunc(x.Order.Lines, func(l line) bool { return l.ProductID == productID && l.DropShip })
}

// deriveStatuses derives the statuses and the tracking numbers of the whole sale.
func (r *saleRecord) deriveStatuses() {
	x := &r.Sale
	if x.Order.Status == voided {
		x.Status = voided
		x.CombinedPickingStatus, x.CombinedPackingStatus, x.CombinedShippingStatus = voided, voided, voided
		x.FulFilmentStatus, x.CombinedInvoiceStatus, x.CombinedPaymentStatus = voided, voided, voided
		return
	}
	if x.Order.Status != authorised {
		x.CombinedPickingStatus, x.CombinedPackingStatus, x.CombinedShippingStatus = notAvailable, notAvailable,
			notAvailable
		x.FulFilmentStatus, x.CombinedInvoiceStatus, x.CombinedPaymentStatus = notAvailable, notAvailable, "UNPAID"
		x.CombinedTrackingNumbers = ""
		switch {
		case x.Order.Status == draft:
			x.Status = "ORDERING"
		case x.Quote.Status == draft:
			x.Status = "ESTIMATING"
		case x.SkipQuote || x.Quote.Status == authorised:
			x.Status = "ESTIMATED"
		default:
			x.Status = draft
		}
		return
	}
	p := x.progress()
	x.CombinedPickingStatus = p.status(p.picked, p.picking, "PICKING", "PICKED")
	x.CombinedPackingStatus = p.status(p.packed, p.packing, "PACKING", "PACKED")
	x.CombinedShippingStatus = p.status(p.sent, p.shipping, "SHIPPING", "SHIPPED")
	x.FulFilmentStatus = p.status(p.sent, false, "", "FULFILLED")
	x.CombinedTrackingNumbers = strings.Join(p.tracking, ",")
	if len(x.CombinedTrackingNumbers) > 256 {
		x.CombinedTrackingNumbers = x.CombinedTrackingNumbers[:256]
	}
	x.CombinedInvoiceStatus, x.CombinedPaymentStatus = "NOT INVOICED", "UNPAID"
	var owed, paid decimal.Decimal
	for _, v := range x.Invoices {
		x.CombinedInvoiceStatus = "INVOICED"
		owed, paid = owed.Add(v.Total.Decimal), paid.Add(v.Paid.Decimal)
	}
	if paid.Sign() > 0 {
		x.CombinedPaymentStatus = "PARTIALLY PAID"
		if !paid.LessThan(owed) {
			x.CombinedPaymentStatus = "PAID"
		}
	}
	x.Status = x.stage(p.sent.Sign() > 0)
}

// progress is how far the tasks of a sale are.
type progress struct {
	ordered, picked, packed, sent decimal.Decimal // quantities
	picking, packing, shipping    bool            // there is a draft
	tracking                      []string
}

// progress adds up the tasks of a sale, and sets the FulFilmentStatus of each.
func (x *sale) progress() (p progress) {
	for _, l := range x.Order.Lines {
		p.ordered = p.ordered.Add(l.Quantity.Decimal)
	}
	for i := range x.Fulfilments {
		f := &x.Fulfilments[i]
		p.add(f)
		f.FulFilmentStatus = f.status()
	}
	return p
}

// add adds a task.
func (p *progress) add(f *fulfilment) {
	p.picking = p.picking || f.Pick.Status == draft && len(f.Pick.Lines) > 0
	p.packing = p.packing || f.Pack.Status == draft && len(f.Pack.Lines) > 0
	p.shipping = p.shipping || f.Ship.Status == draft && len(f.Ship.Lines) > 0
	for _, l := range f.Pick.Lines {
		if f.Pick.Status == authorised {
			p.picked = p.picked.Add(l.Quantity.Decimal)
		}
	}
	for _, l := range f.Pack.Lines {
		if f.Pack.Status == authorised {
			p.packed = p.packed.Add(l.Quantity.Decimal)
		}
		if f.isShipped(l.Box) {
			p.sent = p.sent.Add(l.Quantity.Decimal)
		}
	}
	for _, l := range f.Ship.Lines {
		if l.TrackingNumber != "" && f.Ship.Status != notAvailable {
			p.tracking = append(p.tracking, l.TrackingNumber)
		}
	}
}

// status is the task's FulFilmentStatus.
func (f *fulfilment) status() string {
	if f.Ship.Status == authorised {
		return "FULFILLED"
	}
	for _, l := range f.Pack.Lines {
		if f.isShipped(l.Box) {
			return "PARTIALLY FULFILLED"
		}
	}
	return "NOT FULFILLED"
}

// status returns the combined status of a step: its word if all is done, and doing if there is only a draft.
func (p *progress) status(done decimal.Decimal, begun bool, doing, word string) string {
	switch {
	case done.Sign() <= 0 && begun:
		return doing
	case done.Sign() <= 0:
		return "NOT " + word
	case done.LessThan(p.ordered):
		return "PARTIALLY " + word
	}
	return word
}

// stage returns the Status of an authorised sale. There is no status for a shipped
// sale that is not invoiced; it is INVOICING (decided).
func (x *sale) stage(anySent bool) string {
	if len(x.Invoices) > 0 {
		if x.CombinedPaymentStatus == "PAID" && x.CombinedShippingStatus == "SHIPPED" {
			return "COMPLETED"
		}
		return "INVOICED"
	}
	if x.Type == simpleSale && len(x.Fulfilments) == 1 {
		switch f := x.Fulfilments[0]; {
		case f.Ship.Status == authorised:
			return "INVOICING"
		case f.Ship.Status != notAvailable || anySent:
			return "SHIPPING"
		case f.Pack.Status == authorised:
			return "PACKED"
		case f.Pack.Status == draft:
			return "PACKING"
		case f.Pick.Status == authorised:
			return "PICKED"
		case f.Pick.Status == draft:
			return "PICKING"
		}
	}
	if slices.ContainsFunc(x.Order.Lines, func(l line) bool { return l.BackorderQuantity.Sign() > 0 }) {
		return "BACKORDERED"
	}
	return "ORDERED"
}

// complete invoices a sale and takes the money.
func (c *call) complete(x *sale) {
	v := invoice{TaskID: c.sim.GUID(), InvoiceNumber: "INV-" + strings.TrimPrefix(x.Order.SaleOrderNumber, "SO-"),
		Status: "PAID", InvoiceDate: sim.Today(c.Now) + "T00:00:00", InvoiceDueDate: sim.Today(c.Now) + "T00:00:00",
		CurrencyConversionRate: x.CurrencyRate,
		BillingAddressLine1:    x.BillingAddress.DisplayAddressLine1,
		BillingAddressLine2:    x.BillingAddress.DisplayAddressLine2,
		Lines:                  []invoiceLine{}, AdditionalCharges: []invoiceCharge{},
		TotalBeforeTax: x.Order.TotalBeforeTax, Tax: x.Order.Tax, Total: x.Order.Total, Paid: x.Order.Total}
	if len(x.Fulfilments) == 1 {
		v.LinkedFulfillmentNumber = strconv.Itoa(x.Fulfilments[0].FulfillmentNumber)
		x.Fulfilments[0].LinkedInvoiceNumber = v.InvoiceNumber
	}
	for _, l := range x.Order.Lines {
		v.Lines = append(v.Lines, invoiceLine{l.ProductID, l.SKU, l.Name, l.Quantity, l.Price, l.Discount, l.Tax,
			l.Total,
			l.AverageCost, l.TaxRule, x.DefaultAccount, l.Comment, nil})
	}
	for _, ch := range x.Order.AdditionalCharges {
		v.AdditionalCharges = append(v.AdditionalCharges,
			invoiceCharge{ch.Description, ch.Quantity, ch.Price, ch.Discount,
				ch.Tax, ch.Total, ch.TaxRule, x.DefaultAccount, ch.Comment})
	}
	v.Payments = []payment{{ID: c.sim.GUID(), Amount: v.Total, DatePaid: v.InvoiceDate, Account: "718",
		CurrencyRate: x.CurrencyRate, DateCreated: stampOf(c.Now)}}
	x.Invoices = append(x.Invoices, v)
}
