package cin7core

import (
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// attributes are the ten additional attributes of customers and products.
type attributes struct {
	AdditionalAttribute1, AdditionalAttribute2, AdditionalAttribute3, AdditionalAttribute4, AdditionalAttribute5  string
	AdditionalAttribute6, AdditionalAttribute7, AdditionalAttribute8, AdditionalAttribute9, AdditionalAttribute10 string
}

func (a *attributes) all() []string {
	return []string{a.AdditionalAttribute1, a.AdditionalAttribute2, a.AdditionalAttribute3, a.AdditionalAttribute4,
		a.AdditionalAttribute5, a.AdditionalAttribute6, a.AdditionalAttribute7, a.AdditionalAttribute8,
		a.AdditionalAttribute9, a.AdditionalAttribute10}
}

type customer struct {
	ID, Name, DisplayName, Currency, PaymentTerm string
	Discount                                     number
	TaxRule                                      string
	Carrier, SalesRepresentative                 opt
	Location                                     opt
	Comments                                     string
	AccountReceivable, RevenueAccount            string
	PriceTier, TaxNumber                         string
	attributes
	AttributeSet                  opt
	Tags                          string
	Status                        string
	CreditLimit                   number
	IsOnCreditHold, IsLegalEntity bool
	CustomerParentID              opt
	CustomerParentName            opt
	IsBillParent                  bool
	LastModifiedOn                stamp
	Addresses                     []cardAddress
	Contacts                      []cardContact
	ProductPrices                 []productPrice
	ChildCustomers                []childCustomer
}

type cardAddress struct {
	ID, Line1, Line2, City, State, Postcode, Country, Type string
	DefaultForType                                         bool
}

type cardContact struct {
	ID, Name         string
	JobTitle         opt
	Phone            opt
	MobilePhone, Fax opt
	Email, Website   opt
	Default          bool
	Comment          opt
	IncludeInEmail   bool
	MarketingConsent int
}

type productPrice struct {
	ProductID, ProductName, ProductSKU string
	Price                              number
}

type childCustomer struct{ CustomerID, CustomerName string }

// customPrice is the price of one product for one customer, in the customer's currency.
type customPrice struct {
	CustomerID, ProductID string
	Price                 number
	Gone                  bool `json:",omitempty"` // in the state's file: it was taken away
}

const (
	active     = "Active"
	deprecated = "Deprecated"
)

// defaultContact returns the customer's default contact, or else the first.
func (x *customer) defaultContact() cardContact {
	for _, p := range x.Contacts {
		if p.Default {
			return p
		}
	}
	if len(x.Contacts) > 0 {
		return x.Contacts[0]
	}
	return cardContact{}
}

func (c *call) getCustomers() (any, error) {
	since, err := c.since("ModifiedSince")
	if err != nil {
		return nil, err
	}
	all, hidden := c.Customers, !c.flag("IncludeDeprecated")
	if id, ok := c.has("ID"); ok {
		all = only(c.customer(id))
	}
	_, named := c.has("Name")
	_, contact := c.has("ContactFilter")
	rows := filter(all, func(x *customer) bool {
		return (since.IsZero() || x.LastModifiedOn.After(since)) && (!hidden || x.Status != deprecated) &&
			(!named || c.filterStarts("Name", x.Name)) && (!contact || c.hasContact(x))
	})
	return c.customerPage(moved(c, rows)), nil
}

// only is a list of the record that was found, if one was.
func only[T any](found *T) []*T {
	if found == nil {
		return nil
	}
	return []*T{found}
}

func (c *call) hasContact(x *customer) bool {
	v, ok := c.has("ContactFilter")
	return !ok || slices.ContainsFunc(x.Contacts, func(p cardContact) bool {
		return c.filterStarts("ContactFilter", p.Name) || strings.EqualFold(string(p.Email), v)
	})
}

// customerPage returns a page of customers, with the fields that are derived. Without its flag ProductPrices is empty.
func (c *call) customerPage(rows []*customer) envelope {
	e := page(c, "CustomerList", rows)
	cut := e.rows.([]*customer)
	out := make([]customer, len(cut))
	children := c.children()
	for i, x := range cut {
		out[i] = c.wireCustomer(x, c.flag("IncludeProductPrices"))
		out[i].ChildCustomers = append([]childCustomer{}, children[strings.ToLower(x.ID)]...)
	}
	e.rows = out
	return e
}

// children are the customers that belong to others, by those.
func (c *company) children() map[string][]childCustomer {
	out := map[string][]childCustomer{}
	for _, x := range c.Customers {
		if x.CustomerParentID != "" {
			id := strings.ToLower(string(x.CustomerParentID))
			out[id] = append(out[id], childCustomer{x.ID, x.Name})
		}
	}
	return out
}

// wireCustomer is a customer as answers have it, but for ChildCustomers.
func (c *company) wireCustomer(x *customer, prices bool) customer {
	y := *x
	y.ProductPrices, y.ChildCustomers = []productPrice{}, []childCustomer{}
	if prices {
		for _, own := range c.ownPricesOf(x) {
			if p := c.product(own.ProductID); p != nil {
				y.ProductPrices = append(y.ProductPrices, productPrice{p.ID, p.Name, p.SKU, own.Price})
			}
		}
	}
	return y
}

func (c *call) postCustomer() (any, error) {
	x := &customer{ID: c.sim.GUID()}
	if err := c.writeCustomer(x, decoder{}); err != nil {
		return nil, err
	}
	c.putCustomer(nil, x)
	c.seat.Changed(x)
	return c.customerPage([]*customer{x}), nil
}

func (c *call) changeCustomer() (any, error) {
	var key struct{ ID string }
	if err := (decoder{}).decode(c.Body, &key); err != nil {
		return nil, err
	}
	if key.ID == "" {
		return nil, missing("ID")
	}
	x := c.customer(key.ID)
	if x == nil {
		return nil, unknown("Customer", key.ID)
	}
	y := *x
	if err := c.writeCustomer(&y, decoder{}); err != nil {
		return nil, err
	}
	c.putCustomer(x, &y)
	c.seat.Changed(x)
	return c.customerPage([]*customer{x}), nil
}

// writeCustomer merges the body into x and checks the result. Addresses and
// contacts with an ID are updated, those without are added.
func (c *call) writeCustomer(x *customer, d decoder) error {
	id, addresses, contacts := x.ID, x.Addresses, x.Contacts
	x.Addresses, x.Contacts = nil, nil
	if err := d.decode(c.Body, x); err != nil {
		return err
	}
	x.ID, x.ProductPrices, x.ChildCustomers = id, nil, nil
	x.Addresses = merge(addresses, x.Addresses, func(a *cardAddress) *string { return &a.ID }, c.sim.GUID)
	x.Contacts = merge(contacts, x.Contacts, func(p *cardContact) *string { return &p.ID }, c.sim.GUID)
	for _, f := range []struct{ name, v string }{
		{"Name", x.Name}, {"Currency", x.Currency}, {"PaymentTerm", x.PaymentTerm}, {"TaxRule", x.TaxRule},
		{"AccountReceivable", x.AccountReceivable}, {"RevenueAccount", x.RevenueAccount}, {"Status", x.Status},
	} {
		if f.v == "" {
			return missing(f.name)
		}
	}
	if err := tooLong("Name", x.Name, 256); err != nil {
		return err
	}
	if y := c.customerNamed(x.Name); y != nil && y.ID != x.ID {
		return refuse("Customer '%s' already exists. Customer name must be unique.", x.Name)
	}
	if x.Status != active && x.Status != deprecated {
		return badValue{"Status"}
	}
	if len(x.Currency) != 3 {
		return badValue{"Currency"}
	}
	if x.Discount.IsNegative() || x.Discount.GreaterThan(decimal.NewFromInt(100)) {
		return badValue{"Discount"}
	}
	if err := c.checkReferences(x); err != nil {
		return err
	}
	if err := x.checkParts(); err != nil {
		return err
	}
	x.LastModifiedOn = stampOf(c.Now)
	return nil
}

// checkReferences checks whether the names on a customer's card exist.
func (c *call) checkReferences(x *customer) error {
	if err := c.checkTerm(x.PaymentTerm); err != nil {
		return err
	}
	if c.tax(x.TaxRule) == nil {
		return unknown("Tax rule", x.TaxRule)
	}
	if err := c.checkAccount(x.AccountReceivable, receivable); err != nil {
		return err
	}
	if err := c.checkAccount(x.RevenueAccount, ""); err != nil {
		return err
	}
	for _, f := range []struct {
		v     string
		check func(string) error
	}{{x.PriceTier, c.checkTier}, {string(x.Carrier), c.checkCarrier}, {string(x.Location), c.checkLocation},
		{string(x.SalesRepresentative), c.checkRep}} {
		if f.v != "" {
			if err := f.check(f.v); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkParts checks a customer's addresses and contacts.
func (x *customer) checkParts() error {
	for _, a := range x.Addresses {
		if a.Line1 == "" {
			return missing("Line1")
		}
		if a.Country == "" {
			return missing("Country")
		}
		if !slices.Contains([]string{"Billing", "Business", "Shipping"}, a.Type) {
			return badValue{"Type"}
		}
	}
	for _, p := range x.Contacts {
		if p.Name == "" {
			return missing("Name")
		}
	}
	return nil
}

// merge replaces rows that have a known id, and appends the others with new ids.
func merge[T any](old, sent []T, id func(*T) *string, newID func() string) []T {
	out := slices.Clone(old)
sent:
	for _, x := range sent {
		for i := range out {
			if *id(&x) != "" && strings.EqualFold(*id(&out[i]), *id(&x)) {
				*id(&x) = *id(&out[i])
				out[i] = x
				continue sent
			}
		}
		*id(&x) = newID()
		out = append(out, x)
	}
	if out == nil {
		out = []T{}
	}
	return out
}
