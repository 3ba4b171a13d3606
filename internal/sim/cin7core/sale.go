package cin7core

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

// address is a billing address, or the part of a shipping address that is the same.
type address struct {
	DisplayAddressLine1, DisplayAddressLine2     string
	Line1, Line2, City, State, Postcode, Country string
}

type shippingAddress struct {
	ID string `json:",omitempty"`
	address
	Company, Contact string
	ShipToOther      bool
}

// sale is a sale as GET /sale answers it. saleRecord.deriveStatuses sets the fields
// that follow from others (Combined…, FulFilmentStatus, Status).
type sale struct {
	ID, Customer, CustomerID, Contact, Phone, Email, DefaultAccount string
	SkipQuote                                                       bool
	BillingAddress                                                  address
	ShippingAddress                                                 shippingAddress
	ShippingNotes, BaseCurrency, CustomerCurrency, TaxRule          string
	TaxCalculation, Terms, PriceTier                                string
	ShipBy                                                          opt
	Location, SaleOrderDate                                         string
	LastModifiedOn                                                  stamp
	Note, CustomerReference                                         string
	COGSAmount                                                      number
	Status, CombinedPickingStatus, CombinedPackingStatus            string
	CombinedShippingStatus, FulFilmentStatus, CombinedInvoiceStatus string
	CombinedPaymentStatus, CombinedTrackingNumbers, Carrier         string
	CurrencyRate                                                    number
	SalesRepresentative                                             string
	ServiceOnly                                                     bool
	Type                                                            string
	SourceChannel                                                   opt
	Quote                                                           quote
	Order                                                           order
	Fulfilments                                                     []fulfilment
	Invoices                                                        []invoice
	CreditNotes                                                     []struct{}
	ManualJournals                                                  journals
	ExternalID                                                      opt
	AdditionalAttributes                                            attributes
	Attachments, InventoryMovements, Transactions                   []struct{}
}

type quote struct {
	Memo, Status               string
	Prepayments                []struct{}
	Lines                      []line
	AdditionalCharges          []charge
	TotalBeforeTax, Tax, Total number
}

type order struct {
	SaleOrderNumber, Memo, Status string
	Lines                         []line
	AdditionalCharges             []charge
	TotalBeforeTax, Tax, Total    number
}

// line is a line of an order or a quote. *productInfo is only in the answer of GET
// /sale; BackorderQuantity and DropShip are only of orders.
type line struct {
	ProductID, SKU, Name           string
	Quantity, Price, Discount, Tax number
	AverageCost                    number
	TaxRule, Comment               string
	DropShip                       bool
	BackorderQuantity              number
	Total                          number
	*productInfo
}

type productInfo struct {
	ProductLength, ProductWidth, ProductHeight, ProductWeight                          number
	WeightUnits, DimensionsUnits                                                       string
	ProductCustomField1, ProductCustomField2, ProductCustomField3, ProductCustomField4 opt
	ProductCustomField5, ProductCustomField6, ProductCustomField7, ProductCustomField8 opt
	ProductCustomField9, ProductCustomField10                                          opt
}

type charge struct {
	Description                           string
	Price, Quantity, Discount, Tax, Total number
	TaxRule, Comment                      string
}

type invoice struct {
	TaskID, InvoiceNumber, Memo, Status      string
	InvoiceDate, InvoiceDueDate              string
	CurrencyConversionRate                   number
	BillingAddressLine1, BillingAddressLine2 string
	LinkedFulfillmentNumber                  string
	Lines                                    []invoiceLine
	AdditionalCharges                        []invoiceCharge
	Payments                                 []payment
	TotalBeforeTax, Tax, Total, Paid         number
}

type invoiceLine struct {
	ProductID, SKU, Name                               string
	Quantity, Price, Discount, Tax, Total, AverageCost number
	TaxRule, Account, Comment                          string
	*productInfo
}

type invoiceCharge struct {
	Description                           string
	Quantity, Price, Discount, Tax, Total number
	TaxRule, Account, Comment             string
}

type payment struct {
	ID, Reference     string
	Amount            number
	DatePaid, Account string
	CurrencyRate      number
	DateCreated       stamp
}

type journals struct {
	Status string
	Lines  []struct{}
}

// Statuses of documents.
const (
	notAvailable     = "NOT AVAILABLE"
	draft            = "DRAFT"
	authorised       = "AUTHORISED"
	partlyAuthorised = "PARTIALLY AUTHORISED"
	voided           = "VOIDED"
)

const (
	simpleSale   = "Simple Sale"
	advancedSale = "Advanced Sale"
	serviceSale  = "Service Sale"
)

// saleRecord is a sale, with its rows in saleList over time.
type saleRecord struct {
	Sale    sale
	Created time.Time
	Listed  time.Time // not in saleList before
	Rows    []version // oldest first
}

// version is a row of saleList since an instant.
type version struct {
	listRow
	Since time.Time
}

const maxVersions = 12 // of a sale's row, for lists that lag

func (c *company) sale(id string) *saleRecord {
	if c.byID == nil {
		c.byID = make(map[string]*saleRecord, len(c.Sales))
		for _, r := range c.Sales {
			c.byID[r.Sale.ID] = r
		}
	}
	return c.byID[strings.ToLower(id)]
}

func (c *call) saleParam(name string) (*saleRecord, error) {
	id, _ := c.has(name)
	if id == "" {
		return nil, missing(name)
	}
	return c.findSale(id)
}

// findSale answers 400 for an unknown sale (decided; undocumented).
func (c *company) findSale(id string) (*saleRecord, error) {
	if r := c.sale(id); r != nil {
		return r, nil
	}
	return nil, refuse("Sale with ID '%s' was not found", id)
}

func (c *call) getSale() (any, error) {
	r, err := c.saleParam("ID")
	if err != nil {
		return nil, err
	}
	return c.render(r), nil
}

// productInfos returns a function that looks up the fields of a product which a
// sale's lines show. It looks up each product once.
func (c *call) productInfos() func(id string) *productInfo {
	infos := map[string]*productInfo{}
	return func(id string) *productInfo {
		if infos[id] == nil {
			infos[id] = &productInfo{}
			if p := c.product(id); p != nil {
				infos[id] = &productInfo{
					ProductLength: p.Length, ProductWidth: p.Width, ProductHeight: p.Height,
					ProductWeight: p.Weight, WeightUnits: string(p.WeightUnits),
					DimensionsUnits:     string(p.DimensionsUnits),
					ProductCustomField1: opt(p.AdditionalAttribute1),
				}
			}
		}
		return infos[id]
	}
}

// render returns a sale with the products' fields on its lines.
func (c *call) render(r *saleRecord) *sale {
	x, info := r.Sale, c.productInfos()
	lines := func(in []line, charges []charge) ([]line, []charge) {
		out := make([]line, len(in), len(in)+len(charges))
		for i, l := range in {
			l.productInfo = info(l.ProductID)
			out[i] = l
		}
		if c.flag("CombineAdditionalCharges") {
			for _, ch := range charges {
				out = append(out, line{ProductID: zeroGUID, Name: ch.Description, Quantity: ch.Quantity,
					Price:    ch.Price,
					Discount: ch.Discount, Tax: ch.Tax, Total: ch.Total, TaxRule: ch.TaxRule, Comment: ch.Comment,
					productInfo: info(zeroGUID)})
			}
			charges = nil
		}
		return out, append([]charge{}, charges...)
	}
	x.Quote.Lines, x.Quote.AdditionalCharges = lines(x.Quote.Lines, x.Quote.AdditionalCharges)
	x.Order.Lines, x.Order.AdditionalCharges = lines(x.Order.Lines, x.Order.AdditionalCharges)
	x.Fulfilments = cloneFulfilments(x.Fulfilments)
	for i := range x.Fulfilments {
		f := &x.Fulfilments[i]
		for j := range f.Pick.Lines {
			f.Pick.Lines[j].productInfo = info(f.Pick.Lines[j].ProductID)
		}
		for j := range f.Pack.Lines {
			f.Pack.Lines[j].productInfo = info(f.Pack.Lines[j].ProductID)
		}
	}
	x.Invoices = slices.Clone(x.Invoices)
	for i := range x.Invoices {
		v := &x.Invoices[i]
		v.Lines = slices.Clone(v.Lines)
		for j := range v.Lines {
			v.Lines[j].productInfo = info(v.Lines[j].ProductID)
		}
	}
	return &x
}

const zeroGUID = "00000000-0000-0000-0000-000000000000"

// saleBody is the body of POST and PUT /sale; nil = not sent. Read-only fields and
// lines are ignored.
type saleBody struct {
	ID, Customer, CustomerID, Contact, Phone, Email, DefaultAccount *string
	SkipQuote                                                       *bool
	BillingAddress                                                  *addressBody
	ShippingAddress                                                 *addressBody
	ShippingNotes, TaxRule                                          *string
	TaxInclusive                                                    *bool
	Terms, PriceTier, ShipBy, SaleOrderDate, Location               *string
	Note, CustomerReference                                         *string
	CurrencyRate                                                    *number
	SalesRepresentative, Carrier, ExternalID                        *string
	AdditionalAttributes                                            *attributes
	SaleType                                                        *string
	ServiceOnly                                                     *bool
}

type addressBody struct {
	ID, Line1, Line2, City, State, Postcode, Country string
	Company, Contact                                 string
	ShipToOther                                      bool
}

func (c *call) postSale() (any, error) {
	var in saleBody
	if err := (decoder{}).decode(c.Body, &in); err != nil {
		return nil, err
	}
	r := &saleRecord{Created: c.Now, Listed: c.Now.Add(c.Hide)}
	x := &r.Sale
	x.ID, x.Type = c.sim.GUID(), simpleSale
	if in.SaleType != nil {
		switch *in.SaleType {
		case "", "Simple", simpleSale:
		case "Advanced", advancedSale:
			x.Type = advancedSale
		default:
			return nil, badValue{"SaleType"}
		}
	}
	if in.ServiceOnly != nil && *in.ServiceOnly {
		x.ServiceOnly, x.Type = true, serviceSale
	}
	if in.SkipQuote != nil {
		x.SkipQuote = *in.SkipQuote
	}
	x.SaleOrderDate = sim.Today(c.Now) + "T00:00:00"
	x.Quote.Status, x.Order.Status = notAvailable, notAvailable
	x.ManualJournals = journals{notAvailable, []struct{}{}}
	x.Fulfilments, x.Invoices = []fulfilment{}, []invoice{}
	x.CreditNotes, x.Attachments, x.InventoryMovements, x.Transactions = []struct{}{}, []struct{}{}, []struct{}{},
		[]struct{}{}
	x.Quote.Prepayments = []struct{}{}
	if err := c.writeSale(x, &in, true); err != nil {
		return nil, err
	}
	x.Order.SaleOrderNumber = fmt.Sprintf("SO-%05d", len(c.Sales)+1)
	c.Sales = append(c.Sales, r)
	c.sale(x.ID)
	c.byID[x.ID] = r
	c.touch(r)
	return c.render(r), nil
}

func (c *call) putSale() (any, error) {
	var in saleBody
	if err := (decoder{}).decode(c.Body, &in); err != nil {
		return nil, err
	}
	if in.ID == nil || *in.ID == "" {
		return nil, missing("ID")
	}
	r, err := c.findSale(*in.ID)
	if err != nil {
		return nil, err
	}
	if r.Sale.Status == voided {
		return nil, refuse("Voided sale can not be changed")
	}
	x := r.Sale
	if err := c.writeSale(&x, &in, false); err != nil {
		return nil, err
	}
	r.Sale = x
	c.touch(r)
	return c.render(r), nil
}

// writeSale fills a header from the body, or else from the customer's card.
func (c *call) writeSale(x *sale, in *saleBody, create bool) error {
	who, err := c.saleCustomer(x, in, create)
	if err != nil {
		return err
	}
	refill := create || x.CustomerID != who.ID // from the card
	x.Customer, x.CustomerID = who.Name, who.ID
	x.BaseCurrency, x.CustomerCurrency = c.Me.Currency, who.Currency
	if err := c.writeTexts(x, who, in, create, refill); err != nil {
		return err
	}
	if err := c.writeLocation(x); err != nil {
		return err
	}
	if err := c.writeDates(x, in.SaleOrderDate != nil || create); err != nil {
		return err
	}
	if err := c.writeRate(x, who, in, refill); err != nil {
		return err
	}
	if in.TaxInclusive != nil {
		x.TaxCalculation = map[bool]string{true: "Inclusive", false: "Exclusive"}[*in.TaxInclusive]
	} else if create {
		x.TaxCalculation = "Exclusive"
		if t := c.tax(x.TaxRule); t != nil && t.TaxInclusive {
			x.TaxCalculation = "Inclusive"
		}
	}
	if in.AdditionalAttributes != nil {
		for i, v := range in.AdditionalAttributes.all() {
			if err := tooLong(fmt.Sprintf("AdditionalAttribute%d", i+1), v, 256); err != nil {
				return err
			}
		}
		x.AdditionalAttributes = *in.AdditionalAttributes
	}
	return c.writeAddresses(x, who, in, refill)
}

// saleCustomer returns the customer that the body names, or else the sale's.
func (c *call) saleCustomer(x *sale, in *saleBody, create bool) (*customer, error) {
	who := c.customer(x.CustomerID)
	switch {
	case in.CustomerID != nil && *in.CustomerID != "":
		if who = c.customer(*in.CustomerID); who == nil {
			return nil, unknown("Customer", *in.CustomerID)
		}
	case in.Customer != nil && *in.Customer != "":
		if who = c.customerNamed(*in.Customer); who == nil {
			return nil, unknown("Customer", *in.Customer)
		}
	case create:
		return nil, missing("Customer")
	}
	if who.Status == deprecated {
		return nil, refuse("Customer '%s' is deprecated", who.Name)
	}
	return who, nil
}

// writeTexts writes the fields that are texts, and checks their lengths and that the names exist.
func (c *call) writeTexts(x *sale, who *customer, in *saleBody, create, refill bool) error {
	for _, f := range []struct {
		name  string
		sent  *string
		at    *string
		card  string // what the customer's card says
		most  int
		check func(string) error
	}{
		{"Contact", in.Contact, &x.Contact, who.defaultContact().Name, 256, nil},
		{"Phone", in.Phone, &x.Phone, string(who.defaultContact().Phone), 50, nil},
		{"Email", in.Email, &x.Email, string(who.defaultContact().Email), 256, nil},
		{"DefaultAccount", in.DefaultAccount, &x.DefaultAccount, who.RevenueAccount, 50,
			func(v string) error { return c.checkAccount(v, "") }},
		{"ShippingNotes", in.ShippingNotes, &x.ShippingNotes, "", 1024, nil},
		{"TaxRule", in.TaxRule, &x.TaxRule, who.TaxRule, 50,
			func(v string) error { _, err := c.saleTax(v); return err }},
		{"Terms", in.Terms, &x.Terms, who.PaymentTerm, 256, c.checkTerm},
		{"PriceTier", in.PriceTier, &x.PriceTier, who.PriceTier, 50, c.checkTier},
		{"Location", in.Location, &x.Location, string(who.Location), 256, c.checkLocation},
		{"Note", in.Note, &x.Note, "", 1024, nil},
		{"CustomerReference", in.CustomerReference, &x.CustomerReference, "", 256, nil},
		{"SalesRepresentative", in.SalesRepresentative, &x.SalesRepresentative, string(who.SalesRepresentative), 256,
			c.checkRep},
		{"Carrier", in.Carrier, &x.Carrier, string(who.Carrier), 256, c.checkCarrier},
		{"ExternalID", in.ExternalID, (*string)(&x.ExternalID), "", 256, nil},
		{"ShipBy", in.ShipBy, (*string)(&x.ShipBy), "", 30, nil},
		{"SaleOrderDate", in.SaleOrderDate, &x.SaleOrderDate, x.SaleOrderDate, 30, nil},
	} {
		switch {
		case f.sent == nil && (create || refill && f.card != ""):
			*f.at = f.card
		case f.sent != nil:
			if err := tooLong(f.name, *f.sent, f.most); err != nil {
				return err
			}
			if *f.sent != "" && f.check != nil {
				if err := f.check(*f.sent); err != nil {
					return err
				}
			}
			*f.at = *f.sent
		}
	}
	return nil
}

func (c *call) writeLocation(x *sale) error {
	if x.Location == "" {
		return missing("Location")
	}
	l := c.location(x.Location)
	if l == nil || l.IsDeprecated {
		return unknown("Location", x.Location)
	}
	x.Location = l.Name
	return nil
}

func (c *call) writeDates(x *sale, checkLock bool) error {
	for _, f := range []struct {
		name string
		at   *string
	}{{"SaleOrderDate", &x.SaleOrderDate}, {"ShipBy", (*string)(&x.ShipBy)}} {
		if *f.at == "" {
			continue
		}
		d, err := dateOf(*f.at)
		if err != nil {
			return badValue{f.name}
		}
		*f.at = d
	}
	if x.SaleOrderDate == "" {
		return badValue{"SaleOrderDate"}
	}
	if !checkLock {
		return nil
	}
	return c.checkLock(x.SaleOrderDate)
}

func (c *call) writeRate(x *sale, who *customer, in *saleBody, required bool) error {
	switch {
	case who.Currency == c.Me.Currency:
		x.CurrencyRate = num("1")
	case in.CurrencyRate != nil:
		if in.CurrencyRate.Sign() <= 0 || places(in.CurrencyRate.Decimal) > 5 {
			return badValue{"CurrencyRate"}
		}
		x.CurrencyRate = *in.CurrencyRate
	case required:
		return missing("CurrencyRate")
	}
	return nil
}

func (c *call) writeAddresses(x *sale, who *customer, in *saleBody, refill bool) error {
	if b := in.BillingAddress; b != nil {
		a, _, err := c.readAddress(who, b, "Billing")
		if err != nil {
			return err
		}
		x.BillingAddress = a
	} else if refill {
		x.BillingAddress = address{}
		if card := who.address("Billing"); card != nil {
			x.BillingAddress = card.onSale()
		}
	}
	if b := in.ShippingAddress; b != nil {
		if err := tooLong("Company", b.Company, 128); err != nil {
			return err
		}
		if err := tooLong("Contact", b.Contact, 512); err != nil {
			return err
		}
		a, id, err := c.readAddress(who, b, "Shipping")
		if err != nil {
			return err
		}
		x.ShippingAddress = shippingAddress{ID: id, address: a, ShipToOther: b.ShipToOther}
		if b.ShipToOther { // documented only for these
			x.ShippingAddress.Company, x.ShippingAddress.Contact = b.Company, b.Contact
		}
	} else if refill {
		x.ShippingAddress = shippingAddress{Company: who.Name, Contact: who.defaultContact().Name}
		if card := who.address("Shipping"); card != nil {
			x.ShippingAddress.ID, x.ShippingAddress.address = card.ID, card.onSale()
		}
	}
	return nil
}

// readAddress returns the address that a body names or writes out. An ID must be
// one of the customer's, and is ignored with ShipToOther. Without either, an
// address with an unknown Line1 is added to the customer's card.
func (c *call) readAddress(who *customer, b *addressBody, kind string) (address, string, error) {
	if b.ID != "" && !b.ShipToOther {
		for i := range who.Addresses {
			if card := &who.Addresses[i]; strings.EqualFold(card.ID, b.ID) {
				return card.onSale(), card.ID, nil
			}
		}
		return address{}, "", refuse("Address with ID '%s' was not found for customer '%s'", b.ID, who.Name)
	}
	if b.Line1 == "" {
		return address{}, "", missing("Line1")
	}
	if b.Country == "" {
		return address{}, "", missing("Country")
	}
	for _, f := range []struct {
		name, v string
		most    int
	}{{"Line1", b.Line1, 256}, {"Line2", b.Line2, 256}, {"City", b.City, 256}, {"State", b.State, 256},
		{"Postcode", b.Postcode, 20}, {"Country", b.Country, 256}} {
		if err := tooLong(f.name, f.v, f.most); err != nil {
			return address{}, "", err
		}
	}
	card := cardAddress{Line1: b.Line1, Line2: b.Line2, City: b.City, State: b.State, Postcode: b.Postcode,
		Country: b.Country, Type: kind}
	if kind == "Shipping" && !b.ShipToOther {
		for _, a := range who.Addresses {
			if a.Line1 == b.Line1 {
				return card.onSale(), a.ID, nil
			}
		}
		card.ID = c.sim.GUID()
		who.Addresses = append(slices.Clone(who.Addresses), card)
		who.LastModifiedOn = stampOf(c.Now)
	}
	return card.onSale(), card.ID, nil
}

// address returns the customer's default address of a type, or else the first.
func (x *customer) address(kind string) *cardAddress {
	var first *cardAddress
	for i := range x.Addresses {
		a := &x.Addresses[i]
		if a.Type != kind {
			continue
		}
		if a.DefaultForType {
			return a
		}
		if first == nil {
			first = a
		}
	}
	return first
}

func (a cardAddress) onSale() address {
	join := func(parts ...string) string {
		return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
	}
	return address{join(a.Line1, a.Line2), join(a.City, a.State, a.Postcode, a.Country), a.Line1, a.Line2, a.City,
		a.State, a.Postcode, a.Country}
}

// checkLock refuses dates before the lock date, which is in the company's own
// format.
func (c *company) checkLock(date string) error {
	lock := string(c.Me.LockDate)
	if lock == "" {
		return nil
	}
	t, err := time.Parse("02/01/2006", lock)
	if err != nil {
		if t, err = parseTime(lock); err != nil {
			return nil
		}
	}
	if d, err := parseTime(date); err == nil && d.Before(t.Truncate(24*time.Hour)) {
		return refuse("Sale order date can not be earlier than lock date %s", lock)
	}
	return nil
}

// deleteSale takes a sale back one stage, or voids it.
func (c *call) deleteSale() (any, error) {
	r, err := c.saleParam("ID")
	if err != nil {
		return nil, err
	}
	if c.flag("Void") {
		err = c.void(r)
	} else {
		err = c.undo(r)
	}
	if err != nil {
		return nil, err
	}
	c.touch(r)
	return c.render(r), nil
}

// void voids a sale. A shipped or invoiced sale can only be credited (decided).
func (c *call) void(r *saleRecord) error {
	x := &r.Sale
	if x.Status == voided {
		return refuse("Sale is already voided")
	}
	if len(x.Invoices) > 0 || slices.ContainsFunc(x.Fulfilments, fulfilment.shipped) {
		return refuse("Sale with authorised shipment or invoice can not be voided")
	}
	c.release(x)
	x.Order.Status = voided
	if x.Quote.Status != notAvailable {
		x.Quote.Status = voided
	}
	for i := range x.Fulfilments {
		f := &x.Fulfilments[i]
		f.Pick.Status, f.Pack.Status, f.Ship.Status = voided, voided, voided
	}
	c.notify("Sale/Voided", r, nil)
	return nil
}

// undo takes a sale back one stage: an authorised order with its fulfilment to a
// draft, a draft order to none, a quote to a draft.
func (c *call) undo(r *saleRecord) error {
	x := &r.Sale
	switch {
	case x.Status == voided:
		return refuse("Voided sale can not be undone")
	case x.Order.Status == authorised:
		c.release(x)
		x.Order.Status = draft
		for i := range x.Order.Lines {
			x.Order.Lines[i].BackorderQuantity = number{}
		}
		x.Fulfilments, x.Invoices = []fulfilment{}, []invoice{}
	case x.Order.Status == draft:
		x.Order = order{SaleOrderNumber: x.Order.SaleOrderNumber, Status: notAvailable}
	case x.Quote.Status == authorised:
		x.Quote.Status = draft
	}
	c.notify("Sale/Undo", r, nil)
	return nil
}

// touch stamps a change, keeps the row that saleList shows from now on and sends
// the webhooks. Each stamp is later than the last, even within a millisecond.
// Shipment lines get new IDs, as the vendor does not promise to keep them.
func (c *call) touch(r *saleRecord) {
	at := stampOf(c.Now)
	if last := r.Sale.LastModifiedOn; !at.After(last.Time) {
		at = stampOf(last.Add(time.Millisecond))
	}
	r.Sale.LastModifiedOn = at
	for i := range r.Sale.Fulfilments {
		lines := slices.Clone(r.Sale.Fulfilments[i].Ship.Lines)
		for j := range lines {
			lines[j].ID = c.sim.GUID()
		}
		r.Sale.Fulfilments[i].Ship.Lines = lines
	}
	r.deriveStatuses()
	r.Rows = append(r.Rows, version{c.row(r), c.Now})
	c.send(r)
	if len(r.Rows) > maxVersions {
		r.Rows = append(r.Rows[:0:0], r.Rows[len(r.Rows)-maxVersions:]...)
	}
	c.seat.Changed(r)
}

// places counts decimals, without trailing zeros.
func places(d decimal.Decimal) int {
	_, frac, _ := strings.Cut(d.String(), ".")
	return len(strings.TrimRight(frac, "0"))
}
