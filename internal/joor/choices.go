package joor

import (
	"cmp"
	"slices"
)

// Choices are what the connections of an account name of its set-up. JOOR documents no call that lists it, so what no
// connection has yet is not here.
type Choices struct {
	PriceTypes      []PriceType
	SalesReps       []SalesRep
	PaymentMethods  []Named
	ShippingMethods []Named
	Groups          []Named
}

// Add adds what a connection names. Each list stays in order, without repeats.
func (c *Choices) Add(x Connection) {
	for _, p := range x.PriceTypes {
		c.PriceTypes = with(c.PriceTypes, p, comparePriceTypes)
	}
	c.SalesReps = with(c.SalesReps, x.SalesRep, func(a, b SalesRep) int {
		return cmp.Or(cmp.Compare(a.Code, b.Code), cmp.Compare(a.Email, b.Email), cmp.Compare(a.Name, b.Name))
	})
	for _, m := range x.PaymentMethods {
		c.PaymentMethods = with(c.PaymentMethods, m, compareNamed)
	}
	for _, m := range x.ShippingMethods {
		c.ShippingMethods = with(c.ShippingMethods, m, compareNamed)
	}
	c.Groups = with(c.Groups, x.Group, compareNamed)
}

func comparePriceTypes(a, b PriceType) int {
	return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Currency, b.Currency))
}

func compareNamed(a, b Named) int {
	return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Code, b.Code))
}

// with is a list in order with a value, unless that is empty or there.
func with[T comparable](list []T, value T, compare func(a, b T) int) []T {
	var none T
	at, found := slices.BinarySearchFunc(list, value, compare)
	if found || value == none {
		return list
	}
	return slices.Insert(list, at, value)
}
