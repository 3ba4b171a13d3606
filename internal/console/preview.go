package console

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// previewAnswer is what would become of an order.
type previewAnswer struct {
	Problems   []ledger.Problem `json:"problems"`
	Said       []string         `json:"said"`
	OrderTotal *string          `json:"orderTotal"`
	SaleTotal  *string          `json:"saleTotal"`
	Sale       *saleAnswer      `json:"sale"` // null where problems stand against it
}

// saleAnswer is a sale as it would be sent to Cin7 Core.
type saleAnswer struct {
	CustomerID        string        `json:"customerId"`
	Contact           string        `json:"contact"`
	Email             string        `json:"email"`
	Phone             string        `json:"phone"`
	CustomerReference string        `json:"customerReference"`
	ExternalID        string        `json:"externalId"`
	SaleType          string        `json:"saleType"`
	Status            string        `json:"status"`
	CreationMode      string        `json:"creationMode"`
	OrderDate         *string       `json:"orderDate"`
	ShipBy            *string       `json:"shipBy"`
	ShippingAddress   addressAnswer `json:"shippingAddress"`
	ShippingNotes     string        `json:"shippingNotes"`
	Location          string        `json:"location"`
	PriceTier         string        `json:"priceTier"`
	Terms             string        `json:"terms"`
	TaxRule           string        `json:"taxRule"`
	SalesRep          string        `json:"salesRep"`
	Carrier           string        `json:"carrier"`
	Note              string        `json:"note"`
	Memo              string        `json:"memo"`
	Lines             []lineAnswer  `json:"lines"`
	Charges           []lineAnswer  `json:"charges"`
	TotalBeforeTax    string        `json:"totalBeforeTax"`
	Tax               string        `json:"tax"`
	Total             string        `json:"total"`
}

type addressAnswer struct {
	ID       string `json:"id,omitempty"` // of the customer's card
	Company  string `json:"company"`
	Contact  string `json:"contact"`
	Line1    string `json:"line1"`
	Line2    string `json:"line2"`
	City     string `json:"city"`
	State    string `json:"state"`
	Postcode string `json:"postcode"`
	Country  string `json:"country"`
}

type lineAnswer struct {
	SKU      string `json:"sku,omitempty"`
	Name     string `json:"name"`
	Quantity string `json:"quantity"`
	Price    string `json:"price"`
	Discount string `json:"discount"` // percent
	TaxRule  string `json:"taxRule"`
	Tax      string `json:"tax"`
	Total    string `json:"total"` // without tax
	Comment  string `json:"comment"`
}

// preview says what would become of an order, given or on record, with the
// settings given or stored. It writes nothing anywhere.
func (a *api) preview(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var order, doc, named json.RawMessage
	var id orderID
	err := decode(w, r, false, map[string]any{"order": &order, "orderId": &named, "settings": &doc},
		func() (errs tenant.FieldErrors) {
			if named != nil && json.Unmarshal(named, &id) != nil {
				errs = append(errs, tenant.FieldError{Field: "orderId", Message: "This value has the wrong type."})
			} else if (id == "") == (order == nil) {
				errs = append(errs, tenant.FieldError{Field: "order", Message: "Give either order or orderId."})
			} else if order != nil && order[0] != '{' { // the decoder took the space around it off
				errs = append(errs, tenant.FieldError{Field: "order", Message: "This is not an order."})
			}
			if doc == nil {
				return errs
			}
			return errs.Add(a.faultsOf(doc, "settings"))
		})
	if err != nil {
		return err
	}
	if id != "" {
		run, err := a.order(r, b, string(id))
		if errors.Is(err, ledger.ErrNotFound) {
			return tenant.FieldErrors{{Field: "orderId", Message: "There is no such order."}}
		}
		if err != nil {
			return err
		}
		if err := a.Pair.OfConnected(r.Context(), b, run); err != nil {
			return err
		}
		if _, order, _, err = a.Orders.Load(r.Context(), b.Tenant.ID, run.ID); err != nil {
			return err
		}
	}
	if doc != nil {
		b.Settings = doc
	}
	p, err := a.Pair.Preview(r.Context(), b, order)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, previewOf(p))
}

func previewOf(p upstockcin7.Preview) previewAnswer {
	plan := p.Plan
	ans := previewAnswer{Problems: append([]ledger.Problem{}, p.Problems...), Said: append([]string{}, plan.Said...)}
	if !plan.OrderTotal.IsZero() || len(p.Problems) == 0 {
		ans.OrderTotal = known(money(plan.OrderTotal))
	}
	if len(p.Problems) > 0 {
		return ans
	}
	ans.SaleTotal = known(money(plan.SaleTotal))
	h, o := plan.Header, plan.Order
	at := h.ShippingAddress
	if c := p.Card; c != nil {
		at.Line1, at.Line2, at.City, at.State, at.Postcode, at.Country = c.Line1, c.Line2, c.City, c.State, c.Postcode,
			c.Country
	}
	s := &saleAnswer{
		CustomerID: plan.CustomerID, Contact: h.Contact, Email: h.Email, Phone: h.Phone,
		CustomerReference: h.CustomerReference,
		ExternalID:        h.ExternalID, SaleType: h.SaleType, Status: string(o.Status),
		CreationMode: string(o.AutoPickPackShipMode),
		OrderDate:    date(h.SaleOrderDate), ShipBy: date(h.ShipBy),
		ShippingAddress: addressAnswer{at.ID, at.Company, at.Contact, at.Line1, at.Line2, at.City, at.State,
			at.Postcode, at.Country},
		ShippingNotes: h.ShippingNotes, Location: h.Location, PriceTier: h.PriceTier, Terms: h.Terms,
		TaxRule:  h.TaxRule,
		SalesRep: h.SalesRepresentative, Carrier: h.Carrier, Note: h.Note, Memo: o.Memo,
		Lines: []lineAnswer{}, Charges: []lineAnswer{},
		TotalBeforeTax: money(o.TotalBeforeTax), Tax: money(o.Tax), Total: money(o.Total),
	}
	for _, l := range o.Lines {
		s.Lines = append(s.Lines, lineAnswer{l.SKU, l.Name, l.Quantity.String(), price(l.Price), l.Discount.String(),
			l.TaxRule,
			money(l.Tax), money(l.Total), l.Comment})
	}
	for _, c := range o.AdditionalCharges {
		s.Charges = append(s.Charges, lineAnswer{"", c.Description, c.Quantity.String(), price(c.Price),
			c.Discount.String(), c.TaxRule,
			money(c.Tax), money(c.Total), c.Comment})
	}
	ans.Sale = s
	return ans
}

// date is a calendar date in its own zone.
func date(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return known(t.Format(time.DateOnly))
}
