package cin7core

import "strings"

// me is the company's settings.
type me struct {
	Company, Currency, TimeZone                  string
	DefaultWeightUnits, DefaultDimensionsUnits   string
	LockDate                                     opt
	OpeningBalanceDate                           opt
	TaxCalculationMethod                         string
	DefaultSaleTaxRuleId, DefaultSaleTaxRuleName string
	MaximumDecimalPlacesInQuantity               string
	ApplyCustomerDiscountsAfterOtherDiscounts    bool
	DiscountRule                                 string
	AutomaticallyApplyDiscounts                  bool
	RoundingTable                                []rounding
}

type rounding struct {
	RangeTo, RoundToNearest number
	AdjustmentRule          string
	AdjustmentValue         number
}

type meContact struct {
	ContactID, Name, Phone string
	Fax                    opt
	Email                  string
	Website, Comment       opt
	Type                   string
	DefaultForType         bool
}

type meAddress struct {
	AddressID, Line1                       string
	Line2                                  opt
	CitySuburb, StateProvince, ZipPostCode string
	Country, Type                          string
	DefaultForType                         bool
}

type priceTier struct {
	Code int
	Name string
}

type taxRule struct {
	ID, Name, Account      string
	IsActive, TaxInclusive bool
	TaxPercent             number
	IsTaxForSale           bool
	IsTaxForPurchase       bool
	Components             []taxComponent
}

// taxComponent has only strings, as in the vendor's example.
type taxComponent struct {
	ID, Name, Percent, AccountCode string
	Compound                       string `json:",omitempty"`
	ComponentOrder                 string
}

type location struct {
	ID, Name                           string
	IsDefault, IsDeprecated            bool
	Bins                               []bin
	FixedAssetsLocation                bool
	ParentID, ParentName               opt
	ReferenceCount                     int
	AddressLine1, AddressLine2         string
	AddressCitySuburb                  string
	AddressStateProvince               string
	AddressZipPostCode, AddressCountry string
	PickZones                          opt
	IsShopfloor, IsCoMan, IsStaging    bool
}

type bin struct {
	ID, Name                string
	IsDeprecated, IsStaging bool
}

type paymentTerm struct {
	ID, Name  string
	Duration  int
	Method    string
	IsActive  bool
	IsDefault bool
}

type carrier struct{ CarrierID, Description string }

type glAccount struct {
	Code, Name, Type, Status, Class string
	SystemAccount                   opt
}

func (c *call) getTaxes() (any, error) {
	return page(c, "TaxRuleList", filter(c.Taxes, func(t *taxRule) bool {
		return c.filterIs("ID", t.ID) && c.filterStarts("Name", t.Name) && c.filterIs("Account", t.Account) &&
			c.filterFlag("IsActive", t.IsActive) && c.filterFlag("IsTaxForSale", t.IsTaxForSale) &&
			c.filterFlag("IsTaxForPurchase", t.IsTaxForPurchase)
	})), nil
}

func (c *call) getLocations() (any, error) {
	return page(c, "LocationList", filter(c.Locations, func(l *location) bool {
		return c.filterIs("ID", l.ID) && c.filterStarts("Name", l.Name) && c.filterFlag("Deprecated", l.IsDeprecated)
	})), nil
}

func (c *call) getTerms() (any, error) {
	return page(c, "PaymentTermList", filter(c.Terms, func(t *paymentTerm) bool {
		return c.filterIs("ID", t.ID) && c.filterStarts("Name", t.Name) && c.filterIs("Method", t.Method) &&
			c.filterFlag("IsActive", t.IsActive) && c.filterFlag("IsDefault", t.IsDefault)
	})), nil
}

func (c *call) getCarriers() (any, error) {
	return page(c, "CarrierList", filter(c.Carriers, func(r carrier) bool {
		return c.filterIs("CarrierID", r.CarrierID) && c.filterStarts("Description", r.Description)
	})), nil
}

// getAccounts refuses a Code that matches nothing, as live answers do.
func (c *call) getAccounts() (any, error) {
	rows := filter(c.Accounts, func(g glAccount) bool {
		return c.filterIs("Code", g.Code) &&
			c.filterStarts("Name", g.Name)
	})
	if _, ok := c.has("Code"); ok && len(rows) == 0 {
		return nil, refuse("Account with specified ID not found")
	}
	return page(c, "AccountsList", rows), nil
}

// tax returns a tax rule by its exact name; nil = there is none.
func (c *company) tax(name string) *taxRule {
	for _, t := range c.Taxes {
		if t.Name == name {
			return t
		}
	}
	return nil
}

func (c *company) saleTax(name string) (*taxRule, error) {
	t := c.tax(name)
	if t == nil || !t.IsActive || !t.IsTaxForSale {
		return nil, unknown("Tax rule", name)
	}
	return t, nil
}

func (c *company) location(name string) *location {
	for _, l := range c.Locations {
		if l.Name == name || strings.EqualFold(l.ID, name) {
			return l
		}
	}
	return nil
}

func (c *company) checkLocation(name string) error {
	if l := c.location(name); l == nil || l.IsDeprecated {
		return unknown("Location", name)
	}
	return nil
}

func (c *company) checkTerm(name string) error {
	for _, t := range c.Terms {
		if t.Name == name && t.IsActive {
			return nil
		}
	}
	return refuse("Active payment term with name %s was not found in Payment Terms reference book", name)
}

func (c *company) checkTier(name string) error {
	for _, t := range c.Tiers {
		if t.Name == name {
			return nil
		}
	}
	return unknown("Price tier", name)
}

func (c *company) checkCarrier(name string) error {
	for _, r := range c.Carriers {
		if r.Description == name {
			return nil
		}
	}
	return unknown("Carrier", name)
}

func (c *company) checkRep(name string) error {
	for _, p := range c.Contacts {
		if p.Name == name && p.Type == "Sale" {
			return nil
		}
	}
	return refuse("Sales representative with name %s was not found in Company Contacts reference book", name)
}

// checkAccount checks whether a ledger account exists, with a system role if one is given.
func (c *company) checkAccount(code string, system opt) error {
	for _, g := range c.Accounts {
		if g.Code == code && g.Status == "ACTIVE" && (system == "" || g.SystemAccount == system) {
			return nil
		}
	}
	return refuse("Account with specified ID not found")
}
