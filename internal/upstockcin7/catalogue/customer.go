package catalogue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// Customer is what the catalogue knows of a customer's card in Cin7 Core.
type Customer struct {
	ID       string            `json:"id"` // in lower case
	Name     string            `json:"name,omitempty"`
	Currency string            `json:"currency,omitempty"` // in upper case
	Tier     string            `json:"tier,omitempty"`     // a tier's name
	Discount decimal.Decimal   `json:"discount,omitzero"`  // percent
	Active   bool              `json:"active,omitempty"`
	Contact  string            `json:"contact,omitempty"`
	Email    string            `json:"email,omitempty"` // of the contact
	Phone    string            `json:"phone,omitempty"` // of the contact
	Billing  *upstock.Address  `json:"billing,omitempty"`
	Shipping []upstock.Address `json:"shipping,omitempty"` // the default first
	// OwnPrices is how many own prices the customer has; for Rules, how many of them count: those of listed products.
	OwnPrices int       `json:"ownPrices,omitempty"`
	Modified  time.Time `json:"modified,omitzero"`
	// Left says what of the card is left out because it is too long or too much; "" = nothing.
	Left string `json:"left,omitempty"`
}

// OwnPrice is a customer's own price of a product.
type OwnPrice struct {
	Product string          `json:"p"` // its id, in lower case
	Price   decimal.Decimal `json:"v"` // in the customer's currency, before the discount
}

// mostShipping is how many addresses a customer's row holds.
const mostShipping = 500

// CustomerOf returns what the catalogue knows of a card, and the customer's own prices in the order of products.
//
//	Customer      of cin7core.Customer
//	ID            ID, in lower case
//	Name          Name
//	Currency      Currency, in upper case
//	Tier          PriceTier
//	Discount      Discount
//	Active        Status: anything but Deprecated
//	Contact       Name of the contact: the default one; of several or none, one with an e-mail, the first by id
//	Email         Email of that contact: the first of several
//	Phone         Phone of that contact, else MobilePhone
//	Billing       the Billing address: the default one, else the first by id; else the Business one likewise
//	Shipping      all Shipping addresses: default ones first, then by id; each once
//	OwnPrices     how many ProductPrices there are
//	Modified      LastModifiedOn
//
// Of an address, State is the region.
func CustomerOf(x cin7core.Customer) (Customer, []OwnPrice) {
	var left texts
	c := Customer{
		ID: idOf(x.ID), Name: left.kept("name", x.Name, mostText),
		Currency: strings.ToUpper(left.kept("currency", x.Currency, mostText)),
		Tier:     left.kept("price tier", x.PriceTier, mostText), Discount: x.Discount,
		Active: !x.Status.Is(cin7core.Deprecated), Modified: x.LastModifiedOn.UTC(),
	}
	if contact, ok := contactFrom(x.Contacts); ok {
		c.Contact = left.kept("contact's name", contact.Name, mostText)
		c.Phone = left.kept("phone", cmp.Or(strings.TrimSpace(contact.Phone), contact.MobilePhone), mostText)
		if mails := contact.Emails(); len(mails) > 0 {
			c.Email = left.kept("e-mail", mails[0], mostText)
		}
	}
	billing := addressesFrom(x.Addresses, &left, "Billing")
	if billing == nil {
		billing = addressesFrom(x.Addresses, &left, "Business")
	}
	if billing != nil {
		c.Billing = &billing[0]
	}
	c.Shipping = addressesFrom(x.Addresses, &left, "Shipping")
	if n := len(c.Shipping); n > mostShipping {
		c.Shipping = c.Shipping[:mostShipping]
		left = append(left, fmt.Sprintf("all but the first %d of %s delivery addresses", mostShipping, prose.Count(n)))
	}
	own := ownPricesFrom(x.ProductPrices)
	c.OwnPrices, c.Left = len(own), left.said()
	return c, own
}

// contactFrom is the contact that stands for a customer; ok is false where the card has none.
func contactFrom(all []cin7core.CustomerContact) (first cin7core.CustomerContact, ok bool) {
	if len(all) == 0 {
		return first, false
	}
	return slices.MinFunc(all, func(a, b cin7core.CustomerContact) int {
		return cmp.Or(defaultFirst(a.Default, b.Default),
			defaultFirst(len(a.Emails()) > 0, len(b.Emails()) > 0), strings.Compare(idOf(a.ID), idOf(b.ID)),
			strings.Compare(a.Name, b.Name), strings.Compare(a.Email, b.Email))
	}), true
}

// addressesFrom are the addresses of a type that say a place; nil where there are none.
func addressesFrom(all []cin7core.CustomerAddress, left *texts, kind string) (list []upstock.Address) {
	some := slices.DeleteFunc(slices.Clone(all), func(a cin7core.CustomerAddress) bool {
		return !match.Same(a.Type, kind)
	})
	slices.SortStableFunc(some, func(a, b cin7core.CustomerAddress) int {
		return cmp.Or(defaultFirst(a.DefaultForType, b.DefaultForType), strings.Compare(idOf(a.ID), idOf(b.ID)),
			strings.Compare(a.Line1+"\n"+a.Line2, b.Line1+"\n"+b.Line2))
	})
	for _, a := range some {
		part := func(s string) string { return left.kept("address", s, mostText) }
		at := upstock.Address{Line1: part(a.Line1), Line2: part(a.Line2), City: part(a.City), Region: part(a.State),
			Postcode: part(a.Postcode), Country: part(a.Country)}
		if at.Line1 == "" {
			at.Line1, at.Line2 = at.Line2, ""
		}
		if at.Line1+at.City+at.Region+at.Postcode != "" && !slices.Contains(list, at) {
			list = append(list, at)
		}
	}
	return list
}

// ownPricesFrom are a card's own prices in the order of products, of each product one. Where a card has several of one
// product, which Cin7 Core does not allow, the highest counts: no mistake should give goods away.
func ownPricesFrom(all []cin7core.ProductPrice) (list []OwnPrice) {
	for _, x := range all {
		if id := idOf(x.ProductID); id != "" {
			list = append(list, OwnPrice{id, x.Price})
		}
	}
	slices.SortFunc(list, func(a, b OwnPrice) int {
		return cmp.Or(strings.Compare(a.Product, b.Product), b.Price.Cmp(a.Price))
	})
	return slices.CompactFunc(list, func(a, b OwnPrice) bool { return a.Product == b.Product })
}
