package sale

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/shopspring/decimal"

	"stockbridge/internal/tenant"
)

// Settings are what a tenant decides of its sales. The zero value is not valid:
// start from DefaultSettings.
type Settings struct {
	OrderStatus     string
	SaleType        string
	CreationMode    string
	ShipBySource    string
	Location        string
	FreightProduct  string
	TaxRules        map[string]string // percent → Cin7 Core tax rule; percents compare as decimals
	DefaultSalesRep string
	AddressField    string
	AddressMatch    string
	TotalTolerance  decimal.Decimal
	OnCancel        string

	OnUnknownAddress string
	OnMissingTaxRate string
}

// Values of the settings that have choices.
const (
	Draft, Authorised                                = "draft", "authorised"
	Simple, Advanced                                 = "simple", "advanced"
	NoPick, AutoPick, AutoPickPack, AutoPickPackShip = "noPick", "autoPick", "autoPickPack", "autoPickPackShip"
	DeliveryDate, NoDate                             = "deliveryDate", "none"
	MatchLine1, MatchCity, MatchPostcode, MatchAny   = "line1", "city", "postcode", "any"
	Tell, Void                                       = "tell", "void"
	Say, UseRule, Reject                             = "say", "useRule", "reject"
)

// DefaultSalesRep is the name that Upstock's own integration uses.
const DefaultSalesRep = "API Sales"

// DefaultSettings can sell: draft, simple, no pick.
func DefaultSettings() Settings {
	return Settings{
		OrderStatus: Draft, SaleType: Simple, CreationMode: NoPick, ShipBySource: DeliveryDate,
		TaxRules: map[string]string{}, DefaultSalesRep: DefaultSalesRep, AddressMatch: MatchAny,
		TotalTolerance: decimal.New(2, -2), OnCancel: Tell, OnUnknownAddress: Say, OnMissingTaxRate: UseRule,
	}
}

// SettingsOf reads the settings from all that a tenant has stored.
func SettingsOf(stored []byte) Settings {
	s := DefaultSettings()
	tenant.Read(stored, &s)
	return s
}

// mostName and mostRule are how many characters a name has at most, and a tax rule's.
const mostName, mostRule = 256, 50

// Fields implements tenant.Section.
func (s *Settings) Fields() []tenant.Field {
	return []tenant.Field{
		{Name: "orderStatus", To: &s.OrderStatus, Choices: []string{Draft, Authorised},
			Help: "The status of the sale's order in Cin7 Core."},
		{Name: "saleType", To: &s.SaleType, Choices: []string{Simple, Advanced},
			Help: "The type of the sale in Cin7 Core."},
		{Name: "creationMode", To: &s.CreationMode, Choices: []string{NoPick, AutoPick, AutoPickPack, AutoPickPackShip},
			Help: "Other than noPick only with saleType simple and orderStatus authorised."},
		{Name: "shipBySource", To: &s.ShipBySource, Choices: []string{DeliveryDate, NoDate},
			Help: "With none, the date goes into the shipping notes."},
		{Name: "location", To: &s.Location, Max: mostName,
			Help: "A Cin7 Core location; empty = the customer's, else the account's default."},
		{Name: "freightProduct", To: &s.FreightProduct, Max: mostName,
			Help: "A Cin7 Core service product; empty = orders with freight need attention."},
		{Name: "taxRules", To: (*taxRules)(&s.TaxRules),
			Help: "Percent to Cin7 Core tax rule; percents compare as decimals. Without one for a percent: " +
				"the customer's rule if its percent fits, else the only active sale rule of that percent."},
		{Name: "defaultSalesRep", To: &s.DefaultSalesRep, Max: mostName,
			Help: "Where the customer has none."},
		{Name: "addressField", To: &s.AddressField, Max: mostName,
			Help: "The Upstock custom field that chooses the delivery address; empty = none."},
		{Name: "addressMatch", To: &s.AddressMatch, Choices: []string{MatchLine1, MatchCity, MatchPostcode, MatchAny},
			Help: "What of the customer's address the field's value equals."},
		{Name: "totalTolerance", To: (*amount)(&s.TotalTolerance),
			Help: "How far the sale's total may be from the order's. At 0.02 what comes of Cin7 Core taxing a whole " +
				"order, where the order taxes each line, is reckoned and said, and does not count; another amount is " +
				"taken as it is."},
		{Name: "onCancel", To: &s.OnCancel, Choices: []string{Tell, Void},
			Help: "What becomes of the sale when the order is cancelled after it was sold. tell: it stands, and that " +
				"is said. void: it is voided if nothing of it is picked, else the order needs attention."},
		{Name: "onUnknownAddress", To: &s.OnUnknownAddress, Choices: []string{Say, Reject},
			Help: "Where the custom field's value fits no address of the customer's card. say: the sale goes to the " +
				"order's delivery address, else the card's default, and that is said. reject: the order needs " +
				"attention."},
		{Name: "onMissingTaxRate", To: &s.OnMissingTaxRate, Choices: []string{UseRule, Reject},
			Help: "Where an order gives a line no tax rate, and no totals by which Cin7 Core's rule could be " +
				"checked. useRule: the product's sale tax rule, else the customer's, and that is said. reject: the " +
				"order needs attention."},
	}
}

// Check implements tenant.Section.
func (s *Settings) Check() (errs tenant.FieldErrors) {
	if s.CreationMode != NoPick && (s.SaleType != Simple || s.OrderStatus != Authorised) {
		errs = append(errs, tenant.FieldError{Field: "creationMode", Unless: []string{"saleType", "orderStatus"},
			Message: "Automatic picking works only with saleType simple and orderStatus authorised: Cin7 Core " +
				"ignores it otherwise. Use noPick, or change those two."})
	}
	errs = append(errs, taxRules(s.TaxRules).check()...)
	if t := s.TotalTolerance; t.IsNegative() || t.GreaterThan(decimal.New(1000, 0)) || t.Exponent() < -2 {
		errs = append(errs, tenant.FieldError{Field: "totalTolerance",
			Message: "Use an amount from 0.00 to 1000.00 with at most two decimals."})
	}
	return errs
}

// TaxRule is the rule that the tenant names for a percentage, or "".
func (s *Settings) TaxRule(percent decimal.Decimal) string {
	for rate, rule := range s.TaxRules {
		if d, err := decimal.NewFromString(rate); err == nil && d.Equal(percent) {
			return rule
		}
	}
	return ""
}

// taxRules are the tax rules as a setting.
type taxRules map[string]string

// SameKey reports whether two percentages are one: 15 is 15.00.
func (taxRules) SameKey(a, b string) bool {
	x, err := decimal.NewFromString(a)
	y, other := decimal.NewFromString(b)
	return a == b || err == nil && other == nil && x.Equal(y)
}

func (r taxRules) check() (errs tenant.FieldErrors) {
	seen := map[string]bool{}
	for _, rate := range slices.Sorted(maps.Keys(r)) {
		fault := func(text string) {
			errs = append(errs, tenant.FieldError{Field: "taxRules." + rate, Message: text})
		}
		percent, err := decimal.NewFromString(rate)
		if len(rate) > 12 || err != nil || percent.IsNegative() || percent.GreaterThan(decimal.New(100, 0)) {
			fault("A percentage is a number from 0 to 100, as 15.00.")
			continue
		}
		if seen[percent.String()] {
			fault("This percentage is there twice.")
		}
		seen[percent.String()] = true
		rule := r[rate]
		if rule == "" {
			fault("Name a Cin7 Core tax rule.")
		}
		if long := (tenant.Field{Max: mostRule, To: &rule}).Fault(); long != "" {
			fault(long)
		}
	}
	return errs
}

// amount is an amount of money as a setting: a text with two decimals, read from
// a number too.
type amount decimal.Decimal

// MarshalJSON implements json.Marshaler.
func (a amount) MarshalJSON() ([]byte, error) { return json.Marshal(decimal.Decimal(a).StringFixed(2)) }

// UnmarshalJSON implements json.Unmarshaler.
func (a *amount) UnmarshalJSON(data []byte) error {
	if len(data) > 20 {
		return tenant.FieldError{Message: "Use an amount, as 0.02."}
	}
	if err := (*decimal.Decimal)(a).UnmarshalJSON(data); err != nil {
		return tenant.FieldError{Message: "Use an amount, as 0.02."}
	}
	return nil
}
