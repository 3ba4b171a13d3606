package joor

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// How many characters a field holds [C, but for the codes of shipping addresses and payment methods, which are I].
const (
	MaxCode      = 50 // of a connection, a billing or a shipping address
	MaxName      = 100
	MaxEmail     = 50
	MaxBuyer     = 50
	MaxGroupName = 150 // of a customer group, a company, a warehouse
	MaxGroupCode = 100 // likewise, and of a sales representative and a method
)

// Fault is what JOOR would not take in a connection.
type Fault struct {
	Field Field
	Most  int // it is longer than so many characters; 0 = it is missing
}

// Field is a field of a connection, by JOOR's name.
type Field string

// The fields that may be at fault. Those of an address are of a billing or a shipping one.
const (
	FieldCode        Field = "customer_code"
	FieldName        Field = "customer_name"
	FieldEmail       Field = "customer_contact_email"
	FieldBuyer       Field = "customer_buyer_name"
	FieldGroup       Field = "customer_group"
	FieldCompany     Field = "company_number"
	FieldRep         Field = "sales_rep"
	FieldWarehouse   Field = "warehouse"
	FieldMethod      Field = "method"
	FieldAddressCode Field = "address_code"
	FieldAddress     Field = "address_1"
	FieldCity        Field = "city"
	FieldState       Field = "state"
	FieldCountry     Field = "country"
	FieldCurrency    Field = "price_currency"
	FieldLabel       Field = "price_label"
)

// Faults are what JOOR would not take in a connection: what it needs of a customer (name, address 1, city, country,
// state in some countries, e-mail, currency and price label [C]) and has not, and what is longer than its fields. What
// the account must know (price types, codes) only JOOR can tell. Each field is named once.
func (x Connection) Faults() (all []Fault) {
	add := func(f Field, most int) {
		if !slices.ContainsFunc(all, func(had Fault) bool { return had.Field == f }) {
			all = append(all, Fault{f, most})
		}
	}
	need := func(f Field, value string) {
		if strings.TrimSpace(value) == "" {
			add(f, 0)
		}
	}
	fits := func(f Field, most int, values ...string) {
		for _, v := range values {
			if utf8.RuneCountInString(v) > most {
				add(f, most)
			}
		}
	}
	need(FieldName, x.Name)
	fits(FieldName, MaxName, x.Name)
	need(FieldCode, x.Code)
	fits(FieldCode, MaxCode, x.Code)
	need(FieldEmail, x.Email)
	fits(FieldEmail, MaxEmail, x.Email)
	fits(FieldBuyer, MaxBuyer, x.Buyer)
	for _, a := range needed(x.Billing, x.Shipping) {
		need(FieldAddress, a.Line1)
		need(FieldCity, a.City)
		need(FieldCountry, a.Country)
		if NeedsState(a.Country) {
			need(FieldState, a.Region)
		}
		fits(FieldAddressCode, MaxCode, a.Code)
	}
	for _, p := range needed(x.PriceTypes, nil) {
		need(FieldCurrency, p.Currency)
		need(FieldLabel, p.Label)
	}
	fits(FieldGroup, MaxGroupName, x.Group.Name)
	fits(FieldGroup, MaxGroupCode, x.Group.Code)
	fits(FieldCompany, MaxGroupName, x.Company.Name)
	fits(FieldCompany, MaxGroupCode, x.Company.Code)
	fits(FieldRep, MaxGroupCode, x.SalesRep.Code)
	for _, w := range x.Warehouses {
		fits(FieldWarehouse, MaxGroupName, w.Name)
		fits(FieldWarehouse, MaxGroupCode, w.Code)
	}
	for _, m := range slices.Concat(x.PaymentMethods, x.ShippingMethods) {
		fits(FieldMethod, MaxGroupName, m.Name)
		fits(FieldMethod, MaxGroupCode, m.Code)
	}
	return all
}

// needed are all of two lists, or one without anything where there is none.
func needed[T any](a, b []T) []T {
	if all := slices.Concat(a, b); len(all) > 0 {
		return all
	}
	return make([]T, 1)
}

// NeedsState reports whether JOOR needs the state in an address of a country: Australia, Canada, Japan, United States
// [C]. Countries are compared as people write them, or by their codes.
func NeedsState(country string) bool {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .,-'’", r) {
			return -1
		}
		return r
	}, strings.ToLower(country))
	plain = strings.TrimPrefix(plain, "the")
	return slices.Contains([]string{"au", "aus", "australia", "ca", "can", "canada", "jp", "jpn", "japan", "us", "usa",
		"unitedstates", "unitedstatesofamerica"}, plain)
}
