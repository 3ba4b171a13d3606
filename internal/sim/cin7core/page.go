package cin7core

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"sync"
	"time"

	"stockbridge/internal/sim"
)

//go:embed page.html catalogue.html
var files embed.FS

var pageTemplate = sync.OnceValue(func() *template.Template { return sim.Template(files, "page.html") })

type pageData struct {
	sim.Frame
	Sales      []saleView
	Carriers   []string
	Automation bool
	Hooks      []hook // without secrets
	Deliveries []sim.Delivery
	Calls      []sim.Call
	OverLimit  int
	Left       int
}

type saleView struct {
	SaleSummary
	Rows            []string
	Tasks           []taskView
	MayShip, MayEnd bool
	MayTrack        bool
	MayWrite        bool   // its order is not authorised
	MayAuthorise    bool   // likewise, and has lines
	Written, Notes  string // the lines as JSON, as Vendor.Sale takes them
}

type taskView struct {
	Number           int
	Pick, Pack, Ship string
	Parcels          []sim.Parcel
}

// press does what a button or form of an account's page asks for.
func (v *Vendor) press(n int, id, do string, r *http.Request) error {
	in := map[string]any{}
	switch do {
	case "automation":
		return v.setAutomation(n, r.FormValue("on") != "")
	case "ship", "tracking":
		in["trackingNumber"], in["box"] = r.FormValue("tracking"), r.FormValue("box")
		in["boxes"], in["of"] = splitBoxes(r.FormValue("boxes")), splitBoxes(r.FormValue("of"))
		if carrier := r.FormValue("carrier"); carrier != "" {
			in["carrier"] = carrier
		}
	case "lines":
		var lines []json.RawMessage
		if err := json.Unmarshal([]byte(r.FormValue("lines")), &lines); err != nil || lines == nil {
			return errors.New("the lines are not a JSON array")
		}
		in["lines"] = lines
	case "notes":
		in["text"] = r.FormValue("text")
	case "copy":
		in["externalId"] = r.FormValue("externalId")
	case "authorise", "pick", "pack", "void", "undo", "complete":
	default:
		return sim.NotFound("Action")
	}
	body, _ := json.Marshal(in)
	_, err := v.Sale(id, do, string(body))
	return err
}

func (v *Vendor) setAutomation(account int, on bool) error {
	v.sim.Lock()
	defer v.sim.Unlock()
	if account < 1 || account > len(v.companies) {
		return sim.NotFound("Account")
	}
	c := v.companies[account-1]
	c.NoAutomation = !on
	c.seat.Changed()
	return nil
}

func (v *Vendor) page(n int, f sim.Frame) any {
	id := f.Account.Cin7Core.AccountID
	p := &pageData{Frame: f, Calls: sim.LastOf(v.sim.Calls(sim.Cin7Core, id)), Deliveries: sim.LastOf(v.Deliveries(id))}
	v.sim.Lock()
	defer v.sim.Unlock()
	c := v.companies[n-1]
	p.Automation = !c.NoAutomation
	for _, x := range c.Carriers {
		p.Carriers = append(p.Carriers, x.Description)
	}
	for _, h := range c.Hooks {
		p.Hooks = append(p.Hooks, hook{Type: h.Type, ExternalURL: h.ExternalURL, IsActive: h.IsActive})
	}
	p.Left, p.OverLimit = c.seat.Left(limit, window)
	for _, r := range sim.LastOf(c.Sales) {
		p.Sales = append(p.Sales, view(&r.Sale))
	}
	return p
}

func view(x *sale) saleView {
	out := saleView{SaleSummary: summarise(x), MayEnd: x.Status != voided, Notes: x.ShippingNotes,
		MayWrite: x.Order.Status == draft || x.Order.Status == notAvailable, Written: linesJSON(x),
		MayAuthorise: x.Order.Status == draft && len(x.Order.Lines) > 0,
		MayShip:      len(x.Order.Lines) > 0 && x.Status != voided && x.CombinedShippingStatus != "SHIPPED"}
	for _, l := range x.Order.Lines {
		text := fmt.Sprintf("%s × %s at %s = %s", l.Quantity, l.SKU, l.Price, l.Total.StringFixed(2))
		if l.BackorderQuantity.Sign() > 0 {
			text += fmt.Sprintf(" (%s short)", l.BackorderQuantity)
		}
		out.Rows = append(out.Rows, text)
	}
	for _, ch := range x.Order.AdditionalCharges {
		out.Rows = append(out.Rows, fmt.Sprintf("%s %s", ch.Description, ch.Total.StringFixed(2)))
	}
	for _, f := range x.Fulfilments {
		task := taskView{Number: f.FulfillmentNumber, Pick: f.Pick.Status, Pack: f.Pack.Status, Ship: f.Ship.Status}
		for _, l := range f.Ship.Lines {
			out.MayTrack = true
			task.Parcels = append(task.Parcels, sim.Parcel{What: l.Boxes, Day: l.ShipmentDate[:len(time.DateOnly)],
				Carrier: l.Carrier, Tracking: l.TrackingNumber, URL: l.TrackingURL,
				Shipped: slices.ContainsFunc(splitBoxes(l.Boxes), f.isShipped)})
		}
		out.Tasks = append(out.Tasks, task)
	}
	return out
}

// linesJSON is a sale's lines as a person edits them.
func linesJSON(x *sale) string {
	rows := []writtenLine{}
	for _, l := range x.Order.Lines {
		rows = append(rows, writtenLine{l.SKU, l.Quantity, &l.Price, l.Discount, l.TaxRule})
	}
	out, _ := json.MarshalIndent(rows, "", "  ")
	return string(out)
}
