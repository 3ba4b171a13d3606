package cin7core

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// Control adds Cin7 Core's part of the control API.
//
//	PUT  /sim/cin7core/accounts/{id}             {"applicationKey","revoked","automation"}; automation false
//	                                             makes /webhooks answer 403 (see webhooks.go)
//	GET  /sim/cin7core/deliveries?account=
//	GET  /sim/cin7core/sales?account=            GET /sim/cin7core/sales/{id}: as GET /sale
//	POST /sim/cin7core/sales/{id}/{ship|tracking|undo|void|copy|lines|notes|complete}   see Vendor.Sale
//	PUT  /sim/cin7core/{customers|products}/{id} merges; null clears. A product's "OnHand" too, at "Location"
//	                                             (default the main warehouse): sales waiting for it get it
//	PUT  /sim/cin7core/{taxes|locations|terms}/{id}, /sim/cin7core/me?account=   likewise
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
	site.JSON("PUT /sim/cin7core/me", v.putBooks)
	site.JSON("PUT /sim/cin7core/contacts", v.putBooks)
	site.JSON("PUT /sim/cin7core/{book}/{id}", v.putBooks)
	site.Text("GET "+pageNotFound,
		"<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body><h1>Page not found</h1></body></html>\n")
	site.Page(&sim.Page{Vendor: sim.Cin7Core, Title: "Cin7 Core", Link: "Sales at Cin7 Core", Template: pageTemplate,
		Show: v.page, Press: v.press})
}

// SaleSummary is a Cin7 Core sale in few words.
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

// Sales lists a Cin7 Core account's sales by number, voided ones included.
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

// putBooks merges a JSON object into a record of Cin7 Core; null clears. The
// vendor's checks are not made: tests bring about what is wrong.
func (v *Vendor) putBooks(r *http.Request) (any, error) {
	body, err := sim.Read(r, new(json.RawMessage))
	if err != nil {
		return nil, err
	}
	v.sim.Lock()
	defer v.sim.Unlock()
	x, err := v.mergeBook(r, body)
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(x) // here, where the lock still guards it
	return json.RawMessage(out), err
}

func (v *Vendor) mergeBook(r *http.Request, body []byte) (any, error) {
	now, d := time.Now(), decoder{clear: true}
	if r.PathValue("id") == "" {
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
	id := r.PathValue("id")
	for _, c := range v.companies {
		switch r.PathValue("book") {
		case "customers":
			for _, x := range c.Customers {
				if strings.EqualFold(x.ID, id) {
					c.seat.Changed()
					x.LastModifiedOn = stampOf(now)
					return x, d.decode(body, x)
				}
			}
		case "products":
			for _, p := range c.Products {
				if !strings.EqualFold(p.ID, id) {
					continue
				}
				c.seat.Changed()
				p.LastModifiedOn = stampOf(now)
				more := struct {
					OnHand   *number
					Location string
				}{Location: sim.MainWarehouse}
				if err := d.decode(body, &more); err != nil {
					return nil, err
				}
				if more.OnHand != nil {
					if c.location(more.Location) == nil {
						return nil, sim.NotFound("Location")
					}
					c.stockOf(p.ID, more.Location).OnHand = *more.OnHand
					v.person(c, nil).arrive(p.ID, more.Location)
				}
				return p, d.decode(body, p)
			}
		case "taxes":
			for _, t := range c.Taxes {
				if strings.EqualFold(t.ID, id) {
					c.seat.Changed()
					return t, d.decode(body, t)
				}
			}
		case "locations":
			for _, l := range c.Locations {
				if strings.EqualFold(l.ID, id) {
					c.seat.Changed()
					return l, d.decode(body, l)
				}
			}
		case "terms":
			for _, t := range c.Terms {
				if strings.EqualFold(t.ID, id) {
					c.seat.Changed()
					return t, d.decode(body, t)
				}
			}
		}
	}
	return nil, sim.NotFound("Record")
}
