package sale

import (
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/upstock"
)

// Reference is what the tenant's Cin7 Core account holds, as far as one order needs it.
type Reference struct {
	Supplier  int64 // Upstock's id of the tenant, for the sale's ExternalID
	Books     Books
	Customers []cin7core.Customer    // by linked id, stored link, name; by e-mail, for people to pick from
	Products  []cin7core.Product     // every candidate: by id, by SKU whatever its case; the freight product
	Link      ledger.Link            // of the order's customer
	Goods     map[string]ledger.Link // that a person made for products that Upstock does not link, by match.SKU
	Live      bool                   // already read live: nothing more is wanted
}

// Books are the small reference books of a Cin7 Core account.
type Books struct {
	Me           cin7core.Me
	Locations    []cin7core.Location
	TaxRules     []cin7core.TaxRule
	PaymentTerms []cin7core.PaymentTerm
	Contacts     []cin7core.Contact // sales representatives are among them
	Carriers     []cin7core.Carrier
	PriceTiers   []cin7core.PriceTier
}

// Want names a record or reference book to read. A customer or product has exactly one of ID, SKU, Name and Email;
// customers that changed have the Name that is looked for among them, and the books have none.
type Want struct {
	Kind  string
	ID    string // customer, product: by id
	SKU   string // product: by SKU, whatever its case
	Name  string // customer, product: by name
	Email string // customer: by a contact's e-mail
}

// empty reports whether nothing tells which customer or product is wanted.
func (w Want) empty() bool {
	return w == (Want{Kind: w.Kind}) && (w.Kind == WantCustomer || w.Kind == WantProduct)
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

// The kinds of links, each from what a record is called in Upstock to the record in Cin7 Core. A problem that such a
// link would solve is About <kind>/<from>.
const (
	CustomerLinks = "customer" // from Upstock's id of the customer
	ProductLinks  = "product"  // from a SKU
)

// Needs is what Make has to be given of the mirror for an order, besides the books and the customer of the stored link.
func Needs(o upstock.Order, s Settings) []Want {
	var needs []Want
	known := map[Want]bool{}
	need := func(w Want) {
		if !w.empty() && !known[w] {
			known[w] = true
			needs = append(needs, w)
		}
	}
	if id := match.ID(o.Customer.ExternalID); id != "" {
		need(Want{Kind: WantCustomer, ID: id})
	} else {
		need(customerNamed(o.Customer.Name))
		need(customerMailed(o.Customer.Email))
	}
	for _, l := range o.Lines {
		if id := match.ID(l.ProductExternalID); id != "" {
			need(Want{Kind: WantProduct, ID: id})
		} else {
			need(productSKU(l.SKU))
		}
	}
	if o.Freight != nil && !o.Freight.Amount.IsZero() {
		need(productSKU(s.FreightProduct))
		need(productNamed(s.FreightProduct))
	}
	return needs
}

func customerNamed(name string) Want { return Want{Kind: WantCustomer, Name: strings.TrimSpace(name)} }
func customerMailed(mail string) Want {
	return Want{Kind: WantCustomer, Email: strings.TrimSpace(mail)}
}
func productSKU(sku string) Want    { return Want{Kind: WantProduct, SKU: strings.TrimSpace(sku)} }
func productNamed(name string) Want { return Want{Kind: WantProduct, Name: strings.TrimSpace(name)} }
