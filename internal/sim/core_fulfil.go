package sim

import (
	"slices"
	"strconv"
	"strings"

	"github.com/shopspring/decimal"
)

// fulfilment is one task of pick, pack and ship. A simple sale has one, whose
// TaskID is the sale's ID.
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

func (c *coreCall) getFulfilments() (any, error) {
	r, err := c.saleParam("SaleID")
	if err != nil {
		return nil, err
	}
	x := c.render(r)
	if !c.flag("IncludeProductInfo") {
		x.Fulfilments = cloneFulfilments(r.Sale.Fulfilments)
	}
	return struct {
		SaleID      string
		Fulfilments []fulfilment
	}{x.ID, x.Fulfilments}, nil
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

func (c *coreCall) newFulfilment(x *sale, task string) fulfilment {
	return fulfilment{TaskID: task, FulfillmentNumber: len(x.Fulfilments) + 1,
		Pick: pick{notAvailable, []pickLine{}}, Pack: pack{notAvailable, []packLine{}},
		Ship: ship{Status: notAvailable, RequireBy: x.ShipBy, ShippingAddress: x.ShippingAddress, ShippingNotes: x.ShippingNotes, Lines: []shipLine{}}}
}

// pickAll picks what no other task of the sale has picked.
func (c *coreCall) pickAll(x *sale, f *fulfilment) {
	l := c.location(x.Location)
	taken := map[string]decimal.Decimal{}
	for i := range x.Fulfilments {
		if g := &x.Fulfilments[i]; g.FulfillmentNumber != f.FulfillmentNumber {
			for _, p := range g.Pick.Lines {
				taken[p.ProductID] = taken[p.ProductID].Add(p.Quantity.Decimal)
			}
		}
	}
	f.Pick.Lines = []pickLine{}
	for _, o := range x.Order.Lines {
		had := decimal.Min(taken[o.ProductID], o.Quantity.Decimal)
		taken[o.ProductID] = taken[o.ProductID].Sub(had)
		if q := o.Quantity.Sub(had); q.Sign() > 0 {
			f.Pick.Lines = append(f.Pick.Lines, pickLine{ProductID: o.ProductID, SKU: o.SKU, Name: o.Name, Location: l.Name, LocationID: l.ID, Quantity: number{q}})
		}
	}
	f.Pick.Status = authorised
}

// packAll packs what is picked into boxes, splitting lines where there are
// more boxes than lines.
func (f *fulfilment) packAll(boxes []string) {
	pieces := slices.Clone(f.Pick.Lines)
	for len(pieces) > 0 && len(pieces) < len(boxes) {
		big := 0
		for i, p := range pieces {
			if p.Quantity.GreaterThan(pieces[big].Quantity.Decimal) {
				big = i
			}
		}
		half := pieces[big].Quantity.Div(decimal.NewFromInt(2)).Floor()
		if half.Sign() <= 0 {
			break
		}
		rest := pieces[big]
		rest.Quantity = number{rest.Quantity.Sub(half)}
		pieces[big].Quantity = number{half}
		pieces = append(pieces, rest)
	}
	f.Pack.Lines = []packLine{}
	for i, p := range pieces {
		f.Pack.Lines = append(f.Pack.Lines, packLine{ProductID: p.ProductID, SKU: p.SKU, Name: p.Name, Location: p.Location, LocationID: p.LocationID,
			Box: boxes[i%len(boxes)], Quantity: p.Quantity})
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

func (f fulfilment) isShipped(box string) bool {
	return slices.ContainsFunc(f.Ship.Lines, func(l shipLine) bool {
		return l.IsShipped && slices.Contains(strings.Split(l.Boxes, ","), box)
	})
}

func (f fulfilment) shipped() bool {
	return slices.ContainsFunc(f.Ship.Lines, func(l shipLine) bool { return l.IsShipped })
}

// shipBoxes sends boxes off as one shipment: the goods leave the shelf.
func (c *coreCall) shipBoxes(x *sale, f *fulfilment, boxes []string, l shipLine) {
	l.ID, l.ShipmentDate, l.Boxes, l.IsShipped = c.s.guid(), today(c.now)+"T00:00:00", strings.Join(boxes, ","), true
	if l.Carrier == "" {
		l.Carrier = "DEFAULT Carrier"
	}
	for _, p := range f.Pack.Lines {
		if slices.Contains(boxes, p.Box) && !f.isShipped(p.Box) && !x.dropShips(p.ProductID) {
			row := c.stockOf(p.ProductID, x.Location)
			row.OnHand, row.Allocated = number{row.OnHand.Sub(p.Quantity.Decimal)}, number{row.Allocated.Sub(p.Quantity.Decimal)}
		}
	}
	f.Ship.Lines = append(f.Ship.Lines, l)
	f.Ship.Status = authorised
	for _, b := range f.boxes() {
		if !f.isShipped(b) {
			f.Ship.Status = partly
		}
	}
}

func (x *sale) dropShips(productID string) bool {
	return slices.ContainsFunc(x.Order.Lines, func(l line) bool { return l.ProductID == productID && l.DropShip })
}

// refresh derives the statuses and the tracking numbers of the whole sale.
func (r *saleRecord) refresh() {
	x := &r.Sale
	if x.Order.Status == voided {
		x.Status = voided
		x.CombinedPickingStatus, x.CombinedPackingStatus, x.CombinedShippingStatus = voided, voided, voided
		x.FulFilmentStatus, x.CombinedInvoiceStatus, x.CombinedPaymentStatus = voided, voided, voided
		return
	}
	if x.Order.Status != authorised {
		x.CombinedPickingStatus, x.CombinedPackingStatus, x.CombinedShippingStatus = notAvailable, notAvailable, notAvailable
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
	var ordered, picked, packed, sent decimal.Decimal
	for _, l := range x.Order.Lines {
		ordered = ordered.Add(l.Quantity.Decimal)
	}
	var tracking []string
	for i := range x.Fulfilments {
		f := &x.Fulfilments[i]
		done := f.Ship.Status == authorised
		f.FulFilmentStatus = map[bool]string{true: "FULFILLED", false: "NOT FULFILLED"}[done]
		if f.Pick.Status == authorised {
			for _, l := range f.Pick.Lines {
				picked = picked.Add(l.Quantity.Decimal)
			}
		}
		for _, l := range f.Pack.Lines {
			if f.Pack.Status == authorised {
				packed = packed.Add(l.Quantity.Decimal)
			}
			if f.isShipped(l.Box) {
				sent = sent.Add(l.Quantity.Decimal)
				if !done {
					f.FulFilmentStatus = "PARTIALLY FULFILLED"
				}
			}
		}
		for _, l := range f.Ship.Lines {
			if l.TrackingNumber != "" {
				tracking = append(tracking, l.TrackingNumber)
			}
		}
	}
	how := func(done decimal.Decimal, word string) string {
		switch {
		case done.Sign() <= 0:
			return "NOT " + word
		case done.LessThan(ordered):
			return "PARTIALLY " + word
		}
		return word
	}
	x.CombinedPickingStatus, x.CombinedPackingStatus = how(picked, "PICKED"), how(packed, "PACKED")
	x.CombinedShippingStatus, x.FulFilmentStatus = how(sent, "SHIPPED"), how(sent, "FULFILLED")
	x.CombinedTrackingNumbers = strings.Join(tracking, ",")
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
	x.Status = x.stage(sent.Sign() > 0)
}

// stage is the Status of an authorised sale. A shipped sale that is not
// invoiced has no status of its own; it shows as INVOICING (decided).
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
func (c *coreCall) complete(x *sale) {
	v := invoice{TaskID: c.s.guid(), InvoiceNumber: "INV-" + strings.TrimPrefix(x.Order.SaleOrderNumber, "SO-"), Status: "PAID",
		InvoiceDate: today(c.now) + "T00:00:00", InvoiceDueDate: today(c.now) + "T00:00:00", CurrencyConversionRate: x.CurrencyRate,
		BillingAddressLine1: x.BillingAddress.DisplayAddressLine1, BillingAddressLine2: x.BillingAddress.DisplayAddressLine2,
		Lines: []invoiceLine{}, AdditionalCharges: []invoiceCharge{},
		TotalBeforeTax: x.Order.TotalBeforeTax, Tax: x.Order.Tax, Total: x.Order.Total, Paid: x.Order.Total}
	if len(x.Fulfilments) == 1 {
		v.LinkedFulfillmentNumber = strconv.Itoa(x.Fulfilments[0].FulfillmentNumber)
		x.Fulfilments[0].LinkedInvoiceNumber = v.InvoiceNumber
	}
	for _, l := range x.Order.Lines {
		v.Lines = append(v.Lines, invoiceLine{l.ProductID, l.SKU, l.Name, l.Quantity, l.Price, l.Discount, l.Tax, l.Total, l.AverageCost, l.TaxRule, x.DefaultAccount, l.Comment, nil})
	}
	for _, ch := range x.Order.AdditionalCharges {
		v.AdditionalCharges = append(v.AdditionalCharges, invoiceCharge{ch.Description, ch.Quantity, ch.Price, ch.Discount, ch.Tax, ch.Total, ch.TaxRule, x.DefaultAccount, ch.Comment})
	}
	v.Payments = []payment{{ID: c.s.guid(), Amount: v.Total, DatePaid: v.InvoiceDate, Account: "718", CurrencyRate: x.CurrencyRate, DateCreated: stampOf(c.now)}}
	x.Invoices = append(x.Invoices, v)
}
