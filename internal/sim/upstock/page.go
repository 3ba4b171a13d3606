package upstock

import (
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/sim"
)

//go:embed page.html catalogue.html
var files embed.FS

var pageTemplate = sync.OnceValue(func() *template.Template { return sim.Template(files, "page.html") })

type pageData struct {
	sim.Frame
	Customers  []string
	Products   []*product
	Orders     []orderView
	Hooks      []string
	Deliveries []sim.Delivery
}

// mostChoices is how many customers and products the page offers for an order; others are named as JSON.
const mostChoices = 200

type orderView struct {
	ID                                int
	Number, Customer, Reference, Date string
	Status, Total, Sale               string
	Lines                             []string
	Shipments                         []sim.Parcel
	MayApprove, MayCancel             bool
	JSON                              string // what a person may edit
}

// press does what a button or form of an account's page asks for.
func (v *Vendor) press(n int, id, do string, r *http.Request) error {
	order, _ := strconv.Atoi(id)
	var err error
	switch do {
	case "place":
		err = v.placeForm(n, r)
	case "approve":
		_, err = v.Approve(order)
	case "cancel":
		_, err = v.Cancel(order)
	case "edit":
		_, err = v.Edit(order, r.FormValue("fields"))
	case "register":
		_, err = v.RegisterWebhook(n, r.FormValue("url"))
	default:
		err = sim.NotFound("Action")
	}
	return err
}

// placeForm places the order that the form describes, and may approve it.
func (v *Vendor) placeForm(supplier int, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	o := map[string]any{}
	if customer := r.FormValue("customer"); customer != "" {
		o["customer"] = map[string]string{"name": customer}
	}
	if reference := r.FormValue("reference"); reference != "" {
		o["reference"] = reference
	}
	if delivery := r.FormValue("delivery"); delivery != "" {
		o["deliveryDate"] = delivery
	}
	if freight := r.FormValue("freight"); freight != "" {
		o["freight"] = map[string]string{"description": "Freight", "amount": freight, "taxRate": "15.00"}
	}
	if text := r.FormValue("comment"); text != "" {
		o["comments"] = []comment{{time.Now().UTC().Truncate(time.Second), "Buyer", text}}
	}
	var lines []map[string]string
	for i, sku := range r.Form["sku"] {
		if sku == "" {
			continue
		}
		l := map[string]string{"sku": sku}
		if q := r.Form["quantity"]; i < len(q) && q[i] != "" {
			l["quantity"] = q[i]
		}
		lines = append(lines, l)
	}
	if lines != nil {
		o["lines"] = lines
	}
	if fields := r.FormValue("fields"); fields != "" {
		if err := json.Unmarshal([]byte(fields), &o); err != nil {
			return fmt.Errorf("the fields are not a JSON object: %w", err)
		}
	}
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	got, err := v.PlaceOrder(supplier, string(body))
	if err == nil && r.FormValue("approve") != "" {
		_, err = v.Approve(got.ID)
	}
	return err
}

func (v *Vendor) page(n int, f sim.Frame) any {
	p := &pageData{Frame: f, Deliveries: sim.LastOf(v.Deliveries(n))}
	v.sim.Lock()
	defer v.sim.Unlock()
	s := v.suppliers[n-1]
	for _, x := range s.Customers[:min(len(s.Customers), mostChoices)] {
		p.Customers = append(p.Customers, x.Name)
	}
	for _, x := range s.Products[:min(len(s.Products), mostChoices)] {
		y := *x
		p.Products = append(p.Products, &y)
	}
	for _, h := range s.Hooks {
		p.Hooks = append(p.Hooks, h.URL)
	}
	for _, o := range sim.LastOf(s.Orders) {
		p.Orders = append(p.Orders, view(o))
	}
	return p
}

func view(o *order) orderView {
	out := orderView{ID: o.ID, Number: o.OrderNumber, Customer: o.Customer.Name, Date: o.OrderDate, Status: o.Status,
		MayApprove: o.Status == "ordered" || o.Status == "scheduled",
		MayCancel:  o.Status != "cancelled" && o.Status != "shipped"}
	edited := *o
	edited.Totals = nil
	if text, err := json.MarshalIndent(&edited, "", "  "); err == nil {
		out.JSON = string(text)
	}
	if o.Reference != nil {
		out.Reference = *o.Reference
	}
	if o.Totals != nil {
		out.Total = o.Totals.Total + " " + o.Currency
	}
	if o.External != nil {
		out.Sale = o.External.Number
	}
	for _, l := range o.Lines {
		out.Lines = append(out.Lines, fmt.Sprintf("%s × %s at %s", l.Quantity, l.Name, l.UnitPrice))
	}
	for _, x := range o.Shipments {
		y := sim.Parcel{What: x.ExternalID, Day: x.ShippedAt.In(sim.Zone()).Format(time.DateOnly), Last: x.Complete}
		if x.Carrier != nil {
			y.Carrier = *x.Carrier
		}
		if x.Tracking != nil {
			if y.Tracking = *x.Tracking; strings.HasPrefix(y.Tracking, "https://") ||
				strings.HasPrefix(y.Tracking, "http://") {
				y.URL = y.Tracking
			}
		}
		out.Shipments = append(out.Shipments, y)
	}
	return out
}
