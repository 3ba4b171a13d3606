package sale

import (
	"stockbridge/internal/match"
	"strings"

	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
)

// Want names a record or reference book to read. A customer or product has exactly one of ID, SKU, Name and Email;
// customers that changed have the Name that is looked for among them, and the books have none.
type Want struct {
	Kind  string
	ID    string // customer, product: by id
	SKU   string // product: by SKU, whatever its case
	Name  string // customer, product: by name
	Email string // customer: by a contact's e-mail
}

// The kinds of Want.
const (
	WantMe           = "me"
	WantLocations    = "locations"
	WantTaxRules     = "taxRules"
	WantPaymentTerms = "paymentTerms"
	WantContacts     = "contacts"
	WantCarriers     = "carriers"
	WantPriceTiers   = "priceTiers"
	WantCustomer     = "customer"
	WantProduct      = "product"

	WantChangedCustomers = "changedCustomers" // all that changed since the mirror was read
	WantChangedProducts  = "changedProducts"
)

// The kinds of links: what a person, or a customer's name, says that a record of Upstock's is in Cin7 Core. A problem that
// such a link would solve is About <kind>/<from>.
const (
	CustomerLinks = "customer" // from Upstock's id of the customer
	ProductLinks  = "product"  // from a SKU
)

// Needs is what Make has to be given of the mirror for an order, besides the books and the customer of the stored link.
func Needs(o upstock.Order, s tenant.Settings) []Want {
	var needs []Want
	seen := map[Want]bool{}
	need := func(w Want, key string) {
		if strings.TrimSpace(key) != "" && !seen[w] {
			seen[w] = true
			needs = append(needs, w)
		}
	}
	c := o.Customer
	if id := match.ID(c.ExternalID); id != "" {
		need(Want{Kind: WantCustomer, ID: id}, id)
	} else {
		need(customerNamed(c.Name), c.Name)
		need(customerMailed(c.Email), c.Email)
	}
	for _, l := range o.Lines {
		if id := match.ID(l.ProductExternalID); id != "" {
			need(Want{Kind: WantProduct, ID: id}, id)
		} else {
			need(productSKU(l.SKU), l.SKU)
		}
	}
	if o.Freight != nil && !o.Freight.Amount.IsZero() {
		need(productSKU(s.FreightProduct), s.FreightProduct)
		need(productNamed(s.FreightProduct), s.FreightProduct)
	}
	return needs
}

func customerNamed(name string) Want { return Want{Kind: WantCustomer, Name: strings.TrimSpace(name)} }
func customerMailed(mail string) Want {
	return Want{Kind: WantCustomer, Email: strings.TrimSpace(mail)}
}
func productSKU(sku string) Want    { return Want{Kind: WantProduct, SKU: strings.TrimSpace(sku)} }
func productNamed(name string) Want { return Want{Kind: WantProduct, Name: strings.TrimSpace(name)} }
