package sim

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed site
var site embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"when": func(t time.Time) string { return t.In(zone()).Format("2 Jan 15:04:05") },
	"row":  func(account int, id, do, label string) rowForm { return rowForm{account, id, do, label} },
}).ParseFS(site, "site/*.html"))

// rowForm is a button in a table.
type rowForm struct {
	Account       int
	ID, Do, Label string
}

const shown = 40 // rows of a page's tables, newest first

// frame is what all pages have.
type frame struct {
	Title   string
	Problem string
	Account *Account
}

type indexPage struct {
	frame
	Accounts []Account
	Base     string
}

type upstockPage struct {
	frame
	Customers  []string
	Products   []*upProduct
	Orders     []orderView
	Hooks      []string
	Deliveries []Delivery
}

type orderView struct {
	ID                                int
	Number, Customer, Reference, Date string
	Status, Total, Sale               string
	Lines                             []string
	Shipments                         []parcelView
	MayApprove, MayCancel             bool
}

type corePage struct {
	frame
	Sales      []saleView
	Carriers   []string
	Automation bool
	Hooks      []coreHook // without secrets
	Deliveries []Delivery
	Faults     []vendorFault
	Kinds      []string
	Calls      []Call
	OverLimit  int
	Left       int
}

type vendorFault struct {
	Vendor string
	Fault
}

type saleView struct {
	SaleSummary
	Rows            []string
	Tasks           []taskView
	MayShip, MayEnd bool
	MayTrack        bool
}

type taskView struct {
	Number           int
	Pick, Pack, Ship string
	Parcels          []parcelView
}

// parcelView is one shipment; What says which, where that matters.
type parcelView struct {
	What, Day, Carrier, Tracking, URL string
	Left                              bool
}

// pages adds the pages for people. They work without scripts; a POST leads back
// to its page.
func (s *Sim) pages(mux *http.ServeMux) {
	guard := http.NewCrossOriginProtection()
	handle := func(pattern string, f func(http.ResponseWriter, *http.Request)) {
		mux.Handle(pattern, guard.Handler(http.HandlerFunc(f)))
	}
	handle("GET /sim/style.css", func(w http.ResponseWriter, r *http.Request) {
		css, _ := site.ReadFile("site/style.css")
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write(css)
	})
	handle("GET /sim", func(w http.ResponseWriter, r *http.Request) {
		show(w, r, "index.html", indexPage{frame: frame{Title: "Simulated vendors"}, Accounts: s.Accounts(), Base: "http://" + r.Host})
	})
	handle("GET /sim/{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/sim", http.StatusMovedPermanently) })
	handle("POST /sim/pages/accounts", back(func(r *http.Request) (string, error) {
		s.AddAccount(r.FormValue("name"), strings.ToUpper(r.FormValue("currency")))
		return "/sim", nil
	}))
	handle("GET /sim/pages/{account}/{vendor}", s.showAccount)
	handle("POST /sim/pages/{account}/{vendor}/{id}/{do}", back(s.press))
}

// show renders to a buffer first: half a page is never sent.
func show(w http.ResponseWriter, r *http.Request, name string, page any) {
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, page); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Write(out.Bytes())
}

// back answers a form: to its page, with the problem if there was one.
func back(f func(*http.Request) (string, error)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		to, err := f(r)
		if err != nil {
			to += "?problem=" + url.QueryEscape(err.Error())
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}

// press does what a button or form of an account's page says.
func (s *Sim) press(r *http.Request) (string, error) {
	account, vendor, id, do := r.PathValue("account"), r.PathValue("vendor"), r.PathValue("id"), r.PathValue("do")
	n, _ := strconv.Atoi(account)
	to := "/sim/pages/" + url.PathEscape(account) + "/" + url.PathEscape(vendor)
	order, _ := strconv.Atoi(id)
	var err error
	switch vendor + " " + do {
	case "upstock place":
		err = s.placeForm(n, r)
	case "upstock approve":
		_, err = s.Approve(order)
	case "upstock cancel":
		_, err = s.Cancel(order)
	case "upstock register":
		_, err = s.RegisterWebhook(n, r.FormValue("url"))
	case "cin7core fault":
		seconds, _ := strconv.ParseFloat(r.FormValue("seconds"), 64)
		times, _ := strconv.Atoi(r.FormValue("times"))
		err = s.Fault(r.FormValue("vendor"), Fault{Match: r.FormValue("match"), Kind: r.FormValue("kind"), How: r.FormValue("how"), Seconds: seconds, Times: times})
	case "cin7core clear":
		s.ClearFaults(Upstock)
		s.ClearFaults(Cin7Core)
	case "cin7core automation":
		err = s.setAutomation(n, r.FormValue("on") != "")
	case "cin7core ship", "cin7core tracking":
		in := map[string]any{"trackingNumber": r.FormValue("tracking"), "box": r.FormValue("box"), "boxes": splitBoxes(r.FormValue("boxes")), "of": splitBoxes(r.FormValue("of"))}
		if v := r.FormValue("carrier"); v != "" {
			in["carrier"] = v
		}
		body, _ := json.Marshal(in)
		_, err = s.Sale(id, do, string(body))
	case "cin7core void", "cin7core undo", "cin7core copy", "cin7core lines", "cin7core complete":
		_, err = s.Sale(id, do, "{}")
	default:
		err = notFound("Action")
	}
	return to, err
}

func (s *Sim) setAutomation(supplier int, on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.bySup[supplier]
	if a == nil {
		return notFound("Account")
	}
	a.Core.NoAutomation = !on
	s.touched(a)
	return nil
}

// placeForm places the order that the form describes, and may approve it.
func (s *Sim) placeForm(supplier int, r *http.Request) error {
	if err := r.ParseForm(); err != nil {
		return err
	}
	o := map[string]any{}
	if v := r.FormValue("customer"); v != "" {
		o["customer"] = map[string]string{"name": v}
	}
	if v := r.FormValue("reference"); v != "" {
		o["reference"] = v
	}
	if v := r.FormValue("delivery"); v != "" {
		o["deliveryDate"] = v
	}
	if v := r.FormValue("freight"); v != "" {
		o["freight"] = map[string]string{"description": "Freight", "amount": v, "taxRate": "15.00"}
	}
	if v := r.FormValue("comment"); v != "" {
		o["comments"] = []comment{{time.Now().UTC().Truncate(time.Second), "Buyer", v}}
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
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	got, err := s.PlaceOrder(supplier, string(body))
	if err == nil && r.FormValue("approve") != "" {
		_, err = s.Approve(got.ID)
	}
	return err
}

func (s *Sim) showAccount(w http.ResponseWriter, r *http.Request) {
	n, _ := strconv.Atoi(r.PathValue("account"))
	problem := r.FormValue("problem")
	var name string
	var page any
	s.mu.Lock()
	a := s.bySup[n]
	switch {
	case a == nil:
	case r.PathValue("vendor") == Upstock:
		name, page = "upstock.html", a.upstockPage(problem)
	case r.PathValue("vendor") == Cin7Core:
		name, page = "cin7core.html", s.corePage(a, problem)
	}
	if page == nil {
		s.mu.Unlock()
		http.NotFound(w, r)
		return
	}
	creds := a.Account
	s.mu.Unlock()
	switch p := page.(type) {
	case *upstockPage:
		p.Account, p.Deliveries = &creds, lastOf(s.Deliveries(n))
	case *corePage:
		p.Account, p.Calls = &creds, lastOf(s.Calls(Cin7Core, creds.Cin7Core.AccountID))
		p.Deliveries = lastOf(s.CoreDeliveries(creds.Cin7Core.AccountID))
		for _, v := range []string{Upstock, Cin7Core} {
			for _, f := range s.Faults(v) {
				p.Faults = append(p.Faults, vendorFault{v, f})
			}
		}
	}
	show(w, r, name, page)
}

// lastOf is the end of a list, newest first.
func lastOf[T any](in []T) []T {
	out := slices.Clone(in[max(0, len(in)-shown):])
	slices.Reverse(out)
	return out
}

func (a *account) upstockPage(problem string) *upstockPage {
	p := &upstockPage{frame: frame{Title: a.Name + " at Upstock", Problem: problem}}
	for _, x := range a.Up.Customers {
		p.Customers = append(p.Customers, x.Name)
	}
	for _, x := range a.Up.Products {
		y := *x
		p.Products = append(p.Products, &y)
	}
	for _, h := range a.Up.Hooks {
		p.Hooks = append(p.Hooks, h.URL)
	}
	for _, o := range lastOf(a.Up.Orders) {
		v := orderView{ID: o.ID, Number: o.OrderNumber, Customer: o.Customer.Name, Date: o.OrderDate, Status: o.Status,
			MayApprove: o.Status == "ordered" || o.Status == "scheduled", MayCancel: o.Status != "cancelled" && o.Status != "shipped"}
		if o.Reference != nil {
			v.Reference = *o.Reference
		}
		if o.Totals != nil {
			v.Total = o.Totals.Total + " " + o.Currency
		}
		if o.External != nil {
			v.Sale = o.External.Number
		}
		for _, l := range o.Lines {
			v.Lines = append(v.Lines, fmt.Sprintf("%s × %s at %s", l.Quantity, l.Name, l.UnitPrice))
		}
		for _, x := range o.Shipments {
			y := parcelView{What: x.ExternalID, Day: x.ShippedAt.In(zone()).Format(time.DateOnly), Left: x.Complete}
			if x.Carrier != nil {
				y.Carrier = *x.Carrier
			}
			if x.Tracking != nil {
				if y.Tracking = *x.Tracking; strings.HasPrefix(y.Tracking, "https://") || strings.HasPrefix(y.Tracking, "http://") {
					y.URL = y.Tracking
				}
			}
			v.Shipments = append(v.Shipments, y)
		}
		p.Orders = append(p.Orders, v)
	}
	return p
}

func (s *Sim) corePage(a *account, problem string) *corePage {
	p := &corePage{frame: frame{Title: a.Name + " at Cin7 Core", Problem: problem},
		Kinds:      []string{"after", "before", "late", "slow", "throttle", "html", "stale", "drift", "ignoreFilter", "dup", "drop"},
		Automation: !a.Core.NoAutomation}
	for _, x := range a.Core.Carriers {
		p.Carriers = append(p.Carriers, x.Description)
	}
	for _, h := range a.Core.Hooks {
		p.Hooks = append(p.Hooks, coreHook{Type: h.Type, ExternalURL: h.ExternalURL, IsActive: h.IsActive})
	}
	m := s.meter(Cin7Core, a.Cin7Core.AccountID)
	p.OverLimit, p.Left = m.over, coreLimit
	for _, t := range m.grants {
		if t.After(time.Now().Add(-s.fast(coreWindow))) {
			p.Left--
		}
	}
	for _, r := range lastOf(a.Core.Sales) {
		x := &r.Sale
		v := saleView{SaleSummary: summarise(x), MayEnd: x.Status != voided,
			MayShip: len(x.Order.Lines) > 0 && x.Status != voided && x.CombinedShippingStatus != "SHIPPED"}
		for _, l := range x.Order.Lines {
			text := fmt.Sprintf("%s × %s at %s = %s", l.Quantity, l.SKU, l.Price, l.Total.StringFixed(2))
			if l.BackorderQuantity.Sign() > 0 {
				text += fmt.Sprintf(" (%s short)", l.BackorderQuantity)
			}
			v.Rows = append(v.Rows, text)
		}
		for _, c := range x.Order.AdditionalCharges {
			v.Rows = append(v.Rows, fmt.Sprintf("%s %s", c.Description, c.Total.StringFixed(2)))
		}
		for _, f := range x.Fulfilments {
			t := taskView{Number: f.FulfillmentNumber, Pick: f.Pick.Status, Pack: f.Pack.Status, Ship: f.Ship.Status}
			for _, l := range f.Ship.Lines {
				v.MayTrack = true
				t.Parcels = append(t.Parcels, parcelView{l.Boxes, l.ShipmentDate[:len(time.DateOnly)], l.Carrier, l.TrackingNumber, l.TrackingURL,
					slices.ContainsFunc(splitBoxes(l.Boxes), f.isShipped)})
			}
			v.Tasks = append(v.Tasks, t)
		}
		p.Sales = append(p.Sales, v)
	}
	return p
}
