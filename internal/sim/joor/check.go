package joor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// label is a price type: a currency and a label, together unique.
type label struct {
	Currency string `json:"currency"`
	Label    string `json:"label"`
}

// rep is a sales representative.
type rep struct {
	Name  string `json:"name"`
	Code  string `json:"code"`
	Email string `json:"email"`
}

// choice is something that is set up with a name and a code. A text alone is both.
type choice struct {
	Name string `json:"name"`
	Code string `json:"code"`
}

func (c *choice) UnmarshalJSON(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		err := json.Unmarshal(raw, &c.Name)
		c.Code = c.Name
		return err
	}
	type plain choice
	return json.Unmarshal(raw, (*plain)(c))
}

// find returns what is set up with a name and a code, of which one may be left out.
func find(all []choice, name, code string) (choice, bool) {
	i := slices.IndexFunc(all, func(c choice) bool {
		return (name == "" || c.Name == name) && (code == "" || c.Code == code)
	})
	if i < 0 || name == "" && code == "" {
		return choice{}, name == "" && code == ""
	}
	return all[i], true
}

// withState are the countries whose addresses need a state. [documented]
var withState = []string{"australia", "au", "canada", "ca", "japan", "jp", "united states", "us", "usa",
	"united states of america"}

// check returns why a connection is refused as it would be; nil = it is not. The lengths and what is needed are
// documented, the words are decided.
func (b *brand) check(d document) error {
	for _, f := range []struct {
		name, value string
		most        int
		needed      bool
	}{
		{"customer_name", d.CustomerAlias, 100, true}, {"customer_code", string(d.CustomerCode), 50, false},
		{"customer_contact_email", string(d.CustomerContactEmail), 50, true},
		{"customer_buyer_name", string(d.CustomerBuyerName), 50, false},
	} {
		switch {
		case f.needed && strings.TrimSpace(f.value) == "":
			return fmt.Errorf("%s is required", f.name)
		case utf8.RuneCountInString(f.value) > f.most:
			return fmt.Errorf("%s is longer than %d", f.name, f.most)
		}
	}
	if at := strings.Index(string(d.CustomerContactEmail), "@"); at < 1 {
		return fmt.Errorf("customer_contact_email is not an e-mail address")
	}
	if err := checkStreets(d); err != nil {
		return err
	}
	if err := b.checkPrices(d); err != nil {
		return err
	}
	return b.checkNames(d)
}

func checkStreets(d document) error {
	var streets []street
	for _, a := range d.Billing.BillingAddresses {
		if utf8.RuneCountInString(a.BillingCode) > 50 {
			return fmt.Errorf("billing_code is longer than 50")
		}
		streets = append(streets, a.street)
	}
	for _, a := range d.Shipping.ShippingAddresses {
		if utf8.RuneCountInString(a.ShippingCode) > 50 {
			return fmt.Errorf("shipping_code is longer than 50")
		}
		streets = append(streets, a.street)
	}
	if len(streets) == 0 {
		return fmt.Errorf("an address is required")
	}
	for _, s := range streets {
		switch {
		case strings.TrimSpace(s.Address1) == "":
			return fmt.Errorf("address_1 is required")
		case strings.TrimSpace(s.City) == "":
			return fmt.Errorf("city is required")
		case strings.TrimSpace(s.Country) == "":
			return fmt.Errorf("country is required")
		case strings.TrimSpace(s.Region) == "" && slices.Contains(withState, strings.ToLower(s.Country)):
			return fmt.Errorf("region is required in %s", s.Country)
		}
	}
	return nil
}

func (b *brand) checkPrices(d document) error {
	if len(d.PriceTypes) == 0 {
		return fmt.Errorf("price_currency and price_label are required")
	}
	for _, p := range d.PriceTypes {
		if !slices.Contains(b.PriceLabels, label{p.PriceCurrency, p.PriceLabel}) {
			return fmt.Errorf("price type %s %q does not exist", p.PriceCurrency, p.PriceLabel)
		}
	}
	return nil
}

// checkNames checks what must be set up in the account beforehand if it is sent.
func (b *brand) checkNames(d document) error {
	if code, email := string(d.SalesRepCode), string(d.SalesRepEmail); code != "" || email != "" {
		if _, ok := b.rep(code, email); !ok {
			return fmt.Errorf("sales rep %q is not set up, or has another e-mail address", cmp.Or(code, email))
		}
	}
	for _, f := range []struct {
		what       string
		all        []choice
		name, code string
	}{
		{"customer group", b.CustomerGroups, string(d.CustomerGroupName), string(d.CustomerGroupCode)},
		{"company number", b.Companies, string(d.CompanyNumberName), string(d.CompanyNumberCode)},
	} {
		if _, ok := find(f.all, f.name, f.code); !ok {
			return fmt.Errorf("%s %q is not set up", f.what, cmp.Or(f.code, f.name))
		}
	}
	for _, m := range d.PaymentMethods {
		if _, ok := find(b.PaymentMethods, m.PaymentMethodName, m.PaymentMethodCode); !ok {
			return fmt.Errorf("payment method %q is not set up", cmp.Or(m.PaymentMethodCode, m.PaymentMethodName))
		}
	}
	for _, m := range d.ShippingMethods {
		if _, ok := find(b.ShippingMethods, m.ShippingMethodName, m.ShippingMethodCode); !ok {
			return fmt.Errorf("shipping method %q is not set up", cmp.Or(m.ShippingMethodCode, m.ShippingMethodName))
		}
	}
	for _, w := range d.Warehouses {
		if _, ok := find(b.Warehouses, w.WarehouseName, w.WarehouseCode); !ok {
			return fmt.Errorf("warehouse %q is not set up", cmp.Or(w.WarehouseCode, w.WarehouseName))
		}
	}
	return nil
}

// rep returns the sales representative with a code and an e-mail address, of which one may be left out. The two go one
// to one. [documented]
func (b *brand) rep(code, email string) (rep, bool) {
	i := slices.IndexFunc(b.SalesReps, func(r rep) bool {
		return (code == "" || r.Code == code) && (email == "" || strings.EqualFold(r.Email, email))
	})
	if i < 0 {
		return rep{}, false
	}
	return b.SalesReps[i], true
}

// named fills in what the account knows by the names and codes that a document has.
func (b *brand) named(d *document) {
	if d.SalesRepCode != "" || d.SalesRepEmail != "" {
		if r, ok := b.rep(string(d.SalesRepCode), string(d.SalesRepEmail)); ok {
			d.SalesRepName, d.SalesRepCode, d.SalesRepEmail = opt(r.Name), opt(r.Code), opt(r.Email)
		}
	}
	if g, ok := find(b.CustomerGroups, string(d.CustomerGroupName), string(d.CustomerGroupCode)); ok {
		d.CustomerGroupName, d.CustomerGroupCode = opt(g.Name), opt(g.Code)
	}
	if c, ok := find(b.Companies, string(d.CompanyNumberName), string(d.CompanyNumberCode)); ok {
		d.CompanyNumberName, d.CompanyNumberCode = opt(c.Name), opt(c.Code)
	}
	d.PaymentMethods = slices.Clone(d.PaymentMethods)
	for i, m := range d.PaymentMethods {
		if c, ok := find(b.PaymentMethods, m.PaymentMethodName, m.PaymentMethodCode); ok {
			d.PaymentMethods[i] = paymentMethod{c.Name, c.Code}
		}
	}
	d.ShippingMethods = slices.Clone(d.ShippingMethods)
	for i, m := range d.ShippingMethods {
		if c, ok := find(b.ShippingMethods, m.ShippingMethodName, m.ShippingMethodCode); ok {
			d.ShippingMethods[i] = shippingMethod{c.Name, c.Code}
		}
	}
}
