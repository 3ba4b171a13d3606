package upstock

import (
	"net/http"
	"strconv"

	"stockbridge/internal/sim"
)

// Control adds Upstock's part of the control API.
//
//	PUT  /sim/upstock/accounts/{supplier}        {"token","revoked"}
//	POST /sim/upstock/webhooks                   {"supplier","url"} → {"secret"}
//	POST /sim/upstock/webhooks/rotate            {"supplier"} → {"secret"}
//	GET  /sim/upstock/deliveries?supplier=
//	POST /sim/upstock/orders                     {"supplier", …an Order or part of one}
//	GET  /sim/upstock/orders/{id}                POST …/approve, …/cancel
//	GET  /sim/upstock/{products|customers|price-lists}?supplier=   all; a list with its "prices", by product
//	POST /sim/upstock/{products|customers}?supplier=   what the supplier has before it is connected: makes one of a
//	                                             partial document, or several of an array, without externalId too
//	PUT  /sim/upstock/{products|customers}/{id}?supplier=   merges; id is Upstock's
//	GET,PUT /sim/upstock/refuse?supplier=        {"items":[Refusal]}: single items of batches fail (see Refusal)
func (v *Vendor) Control(site *sim.Site) {
	site.JSON("PUT /sim/upstock/accounts/{id}", v.putAccount)
	site.JSON("POST /sim/upstock/webhooks", v.postWebhook)
	site.JSON("POST /sim/upstock/webhooks/rotate", v.postRotate)
	site.JSON("GET /sim/upstock/deliveries", v.getDeliveries)
	site.JSON("POST /sim/upstock/orders", v.controlPlace)
	site.JSON("GET /sim/upstock/orders/{id}", v.controlOrder)
	site.JSON("POST /sim/upstock/orders/{id}/{do}", v.controlOrder)
	site.JSON("GET /sim/upstock/products", v.inSupplier((*supplier).controlProducts))
	site.JSON("POST /sim/upstock/products", v.inSupplier((*supplier).makeProducts))
	site.JSON("PUT /sim/upstock/products/{id}", v.inSupplier((*supplier).mergeProduct))
	site.JSON("GET /sim/upstock/customers", v.inSupplier((*supplier).controlCustomers))
	site.JSON("POST /sim/upstock/customers", v.inSupplier((*supplier).makeCustomers))
	site.JSON("PUT /sim/upstock/customers/{id}", v.inSupplier((*supplier).mergeCustomer))
	site.JSON("GET /sim/upstock/price-lists", v.inSupplier((*supplier).controlLists))
	site.JSON("GET /sim/upstock/refuse", v.inSupplier((*supplier).controlRefusals))
	site.JSON("PUT /sim/upstock/refuse", v.inSupplier((*supplier).putRefusals))
	site.Page(&sim.Page{Vendor: sim.Upstock, Title: "Upstock", Link: "Orders at Upstock",
		Call: "PUT /orders/*/external",
		Ready: []sim.ReadyFault{
			{Label: "Drop the next webhook of an approval",
				Fault: sim.Fault{Match: "WEBHOOK order.approved", Kind: "drop"}},
			{Label: "Deliver the next webhook of an approval twice",
				Fault: sim.Fault{Match: "WEBHOOK order.approved", Kind: "dup"}},
			{Label: "Deliver the next webhook of an approval 60 seconds late",
				Fault: sim.Fault{Match: "WEBHOOK order.approved", Kind: "late", Seconds: 60}},
			{Label: "Answer the next 5 calls with 503",
				Fault: sim.Fault{Match: "*", Kind: "before", How: "503", Times: 5}},
			{Label: "Be down until cleared", Fault: sim.Fault{Match: "*", Kind: "before", How: "refused", Times: -1}},
		},
		Template: pageTemplate, Show: v.page, Press: v.press})
	site.Page(&sim.Page{Vendor: sim.Upstock, Part: "catalogue", Title: "Upstock: products, customers, prices",
		Link: "Catalogue at Upstock", Template: catalogueTemplate, Show: v.cataloguePage, Press: v.pressCatalogue})
}

// putAccount changes or revokes credentials; what is not sent stays.
func (v *Vendor) putAccount(r *http.Request) (any, error) {
	var in struct {
		Token   string
		Revoked *bool
	}
	if _, err := sim.Read(r, &in); err != nil {
		return nil, err
	}
	v.sim.Lock()
	defer v.sim.Unlock()
	n, _ := strconv.Atoi(r.PathValue("id"))
	p := v.supplier(n)
	if p == nil {
		return nil, sim.NotFound("Supplier")
	}
	if in.Token != "" {
		p.seat.Account.Upstock.Token = in.Token
	}
	if in.Revoked != nil {
		p.Revoked = *in.Revoked
	}
	p.seat.Changed()
	return *p.seat.Account, nil
}

func (v *Vendor) postWebhook(r *http.Request) (any, error) {
	var in struct {
		Supplier int
		URL      string
	}
	if _, err := sim.Read(r, &in); err != nil {
		return nil, err
	}
	secret, err := v.RegisterWebhook(in.Supplier, in.URL)
	return map[string]string{"secret": secret}, err
}

func (v *Vendor) postRotate(r *http.Request) (any, error) {
	var in struct{ Supplier int }
	if _, err := sim.Read(r, &in); err != nil {
		return nil, err
	}
	secret, err := v.RotateWebhook(in.Supplier)
	return map[string]string{"secret": secret}, err
}

func (v *Vendor) getDeliveries(r *http.Request) (any, error) {
	n, _ := strconv.Atoi(r.FormValue("supplier"))
	return sim.Items(v.Deliveries(n)), nil
}

func (v *Vendor) controlPlace(r *http.Request) (any, error) {
	var in struct{ Supplier int }
	body, err := sim.Read(r, &in)
	if err != nil {
		return nil, err
	}
	o, err := v.PlaceOrder(in.Supplier, string(body))
	return o.JSON, err
}

func (v *Vendor) controlOrder(r *http.Request) (any, error) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	if r.PathValue("do") == "edit" {
		body, err := sim.Read(r, &struct{}{})
		if err != nil {
			return nil, err
		}
		o, err := v.Edit(id, string(body))
		return o.JSON, err
	}
	do := map[string]func(int) (OrderSummary, error){"": v.Order, "approve": v.Approve,
		"cancel": v.Cancel}[r.PathValue("do")]
	if do == nil {
		return nil, sim.NotFound("Action")
	}
	o, err := do(id)
	return o.JSON, err
}
