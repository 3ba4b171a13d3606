package cin7core

import (
	"io"
	"net/http"
	"strings"

	"stockbridge/internal/sim"
)

// Control adds Cin7 Core's part of the control API.
//
//	PUT  /sim/cin7core/accounts/{id}             {"applicationKey","revoked","automation"}; automation false
//	                                             makes /webhooks answer 403 (see webhooks.go)
//	GET  /sim/cin7core/deliveries?account=
//	GET  /sim/cin7core/sales?account=            GET /sim/cin7core/sales/{id}: as GET /sale
//	POST /sim/cin7core/sales/{id}/{do}           do is an action of Vendor.Sale: pick, ship, void, …
//	GET  /sim/cin7core/{customers|products}?account=   all, with every nested list
//	POST /sim/cin7core/{customers|products}?account=   makes one of a partial document, or several of an array
//	PUT  /sim/cin7core/{customers|products}/{id} merges; null clears. A customer's ProductPrices replace all it has.
//	                                             A product also has "OnHand", at "Location" (default the main
//	                                             warehouse): sales waiting for it get it
//	DELETE /sim/cin7core/{customers|products}/{id}     it is gone, as Cin7 Core's API cannot do it
//	GET  /sim/cin7core/tiers?account=            PUT /sim/cin7core/tiers/{code}?account= {"Name"}: on customers too
//	PUT  /sim/cin7core/{taxes|locations|terms}/{id}, /sim/cin7core/me?account=   merges likewise
//	PUT  /sim/cin7core/contacts?account=         replaces /me/contacts
func (v *Vendor) Control(site *sim.Site) {
	site.JSON("PUT /sim/cin7core/accounts/{id}", v.putAccount)
	site.JSON("GET /sim/cin7core/deliveries", func(r *http.Request) (any, error) {
		return sim.Items(v.Deliveries(r.FormValue("account"))), nil
	})
	site.JSON("GET /sim/cin7core/sales", func(r *http.Request) (any, error) {
		return sim.Items(v.Sales(r.FormValue("account"))), nil
	})
	site.JSON("GET /sim/cin7core/sales/{id}", v.controlSale)
	site.JSON("POST /sim/cin7core/sales/{id}/{do}", v.controlSale)
	site.JSON("GET /sim/cin7core/customers", v.inCompany((*call).controlCustomers))
	site.JSON("POST /sim/cin7core/customers", v.inCompany((*call).makeCustomers))
	site.JSON("PUT /sim/cin7core/customers/{id}", v.inRecord((*call).mergeCustomer))
	site.JSON("DELETE /sim/cin7core/customers/{id}", v.inRecord((*call).remove))
	site.JSON("DELETE /sim/cin7core/products/{id}", v.inRecord((*call).remove))
	site.JSON("GET /sim/cin7core/products", v.inCompany((*call).controlProducts))
	site.JSON("POST /sim/cin7core/products", v.inCompany((*call).makeProducts))
	site.JSON("PUT /sim/cin7core/products/{id}", v.inRecord((*call).mergeProduct))
	site.JSON("GET /sim/cin7core/tiers", v.inCompany((*call).controlTiers))
	site.JSON("PUT /sim/cin7core/tiers/{code}", v.inCompany((*call).renameTier))
	site.JSON("PUT /sim/cin7core/me", v.putBooks)
	site.JSON("PUT /sim/cin7core/contacts", v.putBooks)
	site.JSON("PUT /sim/cin7core/{book}/{id}", v.putBooks)
	site.Text("GET "+pageNotFound,
		"<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body><h1>Page not "+
			"found</h1></body></html>\n")
	site.Page(&sim.Page{Vendor: sim.Cin7Core, Title: "Cin7 Core", Link: "Sales at Cin7 Core", Call: "POST /sale",
		Ready: []sim.ReadyFault{
			{Label: "Lose the answer to the next new sale", Fault: sim.Fault{Match: "POST /sale", Kind: "after"}},
			{Label: "Lose the answer to the next new sale, and hide it from the list for 60 seconds",
				Fault: sim.Fault{Match: "POST /sale", Kind: "late", How: "list", Seconds: 60}},
			{Label: "Answer the next 5 calls with 503",
				Fault: sim.Fault{Match: "*", Kind: "before", How: "503", Times: 5}},
			{Label: "Be down until cleared", Fault: sim.Fault{Match: "*", Kind: "before", How: "refused", Times: -1}},
			{Label: "Answer the next call with a page of HTML", Fault: sim.Fault{Match: "*", Kind: "html"}},
			{Label: "Drop the next webhook of a shipment",
				Fault: sim.Fault{Match: "WEBHOOK Sale/ShipmentAuthorised", Kind: "drop"}},
		},
		Template: pageTemplate, Show: v.page, Press: v.press})
	site.Page(&sim.Page{Vendor: sim.Cin7Core, Part: "catalogue", Title: "Cin7 Core: products, customers, prices",
		Link: "Catalogue at Cin7 Core", Template: catalogueTemplate, Show: v.cataloguePage, Press: v.pressCatalogue})
}

// SaleSummary is the most important fields of a Cin7 Core sale.
type SaleSummary struct {
	ID         string `json:"id"`
	Number     string `json:"number"`
	ExternalID string `json:"externalId"`
	Status     string `json:"status"`
	Total      string `json:"total"`
	Lines      int    `json:"lines"`
	Charges    int    `json:"charges"`
	Order      string `json:"orderStatus"`
	Type       string `json:"type"`
	Customer   string `json:"customer"`
	Reference  string `json:"reference"`
	Shipping   string `json:"shippingStatus"`
}

// Sales lists an account's sales by number, also voided ones.
func (v *Vendor) Sales(account string) []SaleSummary {
	v.sim.Lock()
	defer v.sim.Unlock()
	out := []SaleSummary{}
	c := v.company(account)
	if c == nil {
		return out
	}
	for _, r := range c.Sales {
		out = append(out, summarise(&r.Sale))
	}
	return out
}

func summarise(x *sale) SaleSummary {
	return SaleSummary{x.ID, x.Order.SaleOrderNumber, string(x.ExternalID), x.Status, x.Order.Total.StringFixed(2),
		len(x.Order.Lines), len(x.Order.AdditionalCharges), x.Order.Status, x.Type, x.Customer, x.CustomerReference,
		x.CombinedShippingStatus}
}

// putAccount changes or revokes credentials; what is not sent stays.
func (v *Vendor) putAccount(r *http.Request) (any, error) {
	var in struct {
		ApplicationKey      string
		Revoked, Automation *bool
	}
	if _, err := sim.Read(r, &in); err != nil {
		return nil, err
	}
	v.sim.Lock()
	defer v.sim.Unlock()
	c := v.company(r.PathValue("id"))
	if c == nil {
		return nil, sim.NotFound("Account")
	}
	if in.ApplicationKey != "" {
		c.seat.Account.Cin7Core.ApplicationKey = in.ApplicationKey
	}
	if in.Revoked != nil {
		c.Revoked = *in.Revoked
	}
	if in.Automation != nil {
		c.NoAutomation = !*in.Automation
	}
	c.seat.Changed()
	return *c.seat.Account, nil
}

func (v *Vendor) controlSale(r *http.Request) (any, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if len(body) == 0 {
		body = []byte("{}")
	}
	return v.Sale(r.PathValue("id"), r.PathValue("do"), string(body))
}

// putBooks merges a JSON object into a record of Cin7 Core; null clears. It makes
// none of the vendor's checks, so that tests can make wrong records.
func (v *Vendor) putBooks(r *http.Request) (any, error) {
	return v.sim.Locked(r, func(body []byte) (any, error) { return v.mergeBook(r, body) })
}

func (v *Vendor) mergeBook(r *http.Request, body []byte) (any, error) {
	d, id := decoder{clear: true}, r.PathValue("id")
	if id == "" {
		c := v.company(r.FormValue("account"))
		if c == nil {
			return nil, sim.NotFound("Account")
		}
		c.seat.Changed()
		if strings.HasSuffix(r.URL.Path, "/contacts") {
			return sim.Items(&c.Contacts), d.decode(body, &c.Contacts)
		}
		return &c.Me, d.decode(body, &c.Me)
	}
	for _, c := range v.companies {
		x := c.record(r.PathValue("book"), id)
		if x == nil {
			continue
		}
		c.seat.Changed()
		return x, d.decode(body, x)
	}
	return nil, sim.NotFound("Record")
}

// record returns a record of one of the books, as the control API names them; nil = there is none.
func (c *company) record(book, id string) any {
	switch book {
	case "taxes":
		return byID(c.Taxes, id, func(t *taxRule) string { return t.ID })
	case "locations":
		return byID(c.Locations, id, func(l *location) string { return l.ID })
	case "terms":
		return byID(c.Terms, id, func(t *paymentTerm) string { return t.ID })
	}
	return nil
}

func byID[T any](rows []*T, id string, idOf func(*T) string) any {
	for _, x := range rows {
		if strings.EqualFold(idOf(x), id) {
			return x
		}
	}
	return nil
}
