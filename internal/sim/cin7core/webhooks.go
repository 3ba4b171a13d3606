package cin7core

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// hook is a webhook as /webhooks answers it, with its secrets in the clear.
// Webhooks need the paid Automation module.
type hook struct {
	ID, Type, Name                     string
	IsActive                           bool
	ExternalURL                        string
	ExternalAuthorizationType          string // noauth, basicauth, bearerauth
	ExternalUserName, ExternalPassword string
	ExternalBearerToken                string
	ExternalHeaders                    []hookHeader
}

type hookHeader struct{ Key, Value string }

// hookTypes are all types that can be registered. The simulator sends only those
// with a name here.
var hookTypes = map[string]string{
	"Sale/ShipmentAuthorised":            "Sale shipment has been authorised",
	"Sale/ShipmentTrackingNumberChanged": "Sale shipment tracking number has been changed",
	"Sale/Voided":                        "Sale has been voided",
	"Sale/Undo":                          "Sale has been undone",
	"Sale/Backordered":                   "Sale has been backordered",
	"Sale/OrderAuthorised":               "Sale order has been authorised",

	"Sale/Created": "", "Sale/QuoteAuthorised": "", "Sale/InvoiceAuthorised": "", "Sale/PickAuthorised": "",
	"Sale/PackAuthorised":       "",
	"Sale/CreditNoteAuthorised": "", "Sale/PartialPaymentReceived": "", "Sale/FullPaymentReceived": "",
	"Sale/AttachmentAdded":             "",
	"Sale/AdditionalAttributesChanged": "", "Purchase/OrderAuthorised": "", "Purchase/InvoiceAuthorised": "",
	"Purchase/StockReceivedAuthorised": "",
	"Purchase/CreditNoteAuthorised":    "", "Purchase/Updated": "", "Customer/Updated": "", "Supplier/Updated": "",
	"Product/Updated":                  "",
	"Stock/AvailableStockLevelChanged": "", "Lead/Updated": "", "Lead/Converted": "", "Opportunity/Authorized": "",
	"Opportunity/AttachmentAdded": "", "Opportunity/Voided": "", "Opportunity/Converted": "", "Task/Overdue": "",
}

const hooksPerType = 5

// retries are the waits before the second to the sixth attempt; the first
// comes about a minute after the event.
var retries = []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute, 25 * time.Minute}

const (
	firstAttempt = time.Minute
	patience     = 10 * time.Second // decided; undocumented
)

type hooksDoc struct{ Webhooks []*hook }

// checkAutomation refuses if the account lacks the module: 403 with the Error
// Model, unlike the 403 of a wrong key (decided; undocumented).
func (c *company) checkAutomation() error {
	if c.NoAutomation {
		return apiError{http.StatusForbidden, "Automation module is not available for this account"}
	}
	return nil
}

func (c *call) getHooks() (any, error) {
	return hooksDoc{append([]*hook{}, c.Hooks...)}, c.checkAutomation()
}

// hookBody reads and checks a webhook. Most fields are documented as required, for
// PUT too.
func (c *call) hookBody() (*hook, error) {
	if err := c.checkAutomation(); err != nil {
		return nil, err
	}
	var in struct {
		hook
		IsActive *bool
	}
	if err := (decoder{}).decode(c.Body, &in); err != nil {
		return nil, err
	}
	h := &in.hook
	for _, f := range []struct{ name, v string }{{"Type", h.Type}, {"ExternalURL", h.ExternalURL},
		{"ExternalAuthorizationType", h.ExternalAuthorizationType}} {
		if f.v == "" {
			return nil, missing(f.name)
		}
	}
	if in.IsActive == nil {
		return nil, missing("IsActive")
	}
	h.IsActive = *in.IsActive
	name, ok := hookTypes[h.Type]
	if !ok {
		return nil, badValue{"Type"}
	}
	if h.Name = name; name == "" {
		h.Name = h.Type
	}
	if u, err := url.Parse(h.ExternalURL); err != nil || u.Host == "" {
		return nil, badValue{"ExternalURL"}
	}
	if err := h.checkAuthorization(); err != nil {
		return nil, err
	}
	if h.ExternalHeaders == nil {
		h.ExternalHeaders = []hookHeader{}
	}
	same := 0
	for _, other := range c.Hooks {
		if other.Type == h.Type && !strings.EqualFold(other.ID, h.ID) {
			same++
		}
	}
	if same >= hooksPerType {
		return nil, refuse("Only %d webhooks of type '%s' are allowed", hooksPerType, h.Type)
	}
	return h, nil
}

func (h *hook) checkAuthorization() error {
	switch h.ExternalAuthorizationType {
	case "noauth":
	case "basicauth":
		if h.ExternalUserName == "" {
			return missing("ExternalUserName")
		}
	case "bearerauth":
		if h.ExternalBearerToken == "" {
			return missing("ExternalBearerToken")
		}
	default:
		return badValue{"ExternalAuthorizationType"}
	}
	return nil
}

func (c *call) postHook() (any, error) {
	h, err := c.hookBody()
	if err != nil {
		return nil, err
	}
	h.ID = c.sim.GUID()
	c.Hooks = append(c.Hooks, h)
	return hooksDoc{[]*hook{h}}, nil
}

func (c *call) putHook() (any, error) {
	h, err := c.hookBody()
	if err != nil {
		return nil, err
	}
	if h.ID == "" {
		return nil, missing("ID")
	}
	old := c.hook(h.ID)
	if old == nil {
		return nil, refuse("Webhook with ID '%s' was not found", h.ID)
	}
	h.ID = old.ID
	*old = *h
	return hooksDoc{[]*hook{old}}, nil
}

// deleteHook answers with the webhooks that are left.
func (c *call) deleteHook() (any, error) {
	if err := c.checkAutomation(); err != nil {
		return nil, err
	}
	id, _ := c.has("ID")
	if id == "" {
		return nil, missing("ID")
	}
	h := c.hook(id)
	if h == nil {
		return nil, refuse("Webhook with ID '%s' was not found", id)
	}
	c.Hooks = slices.DeleteFunc(c.Hooks, func(x *hook) bool { return x == h })
	return c.getHooks()
}

func (c *company) hook(id string) *hook {
	for _, h := range c.Hooks {
		if strings.EqualFold(h.ID, id) {
			return h
		}
	}
	return nil
}

// event is an event that the webhooks of a type are called with.
type event struct{ name, task string }

// notify notes an event, which is sent when the change is stamped.
func (c *call) notify(name string, r *saleRecord, f *fulfilment) {
	e := event{name: name}
	if f != nil {
		e.task = f.TaskID
	}
	c.events = append(c.events, e)
}

// send sends the noted events of a sale to the active webhooks. s.mu is held.
func (c *call) send(r *saleRecord) {
	events := c.events
	c.events = nil
	if c.NoAutomation {
		return
	}
	for _, e := range events {
		for _, h := range c.Hooks {
			if h.Type != e.name || !h.IsActive {
				continue
			}
			c.seat.Send(sim.Event{ID: c.sim.GUID(), Type: e.name, Hook: h.ID, Sale: r.Sale.Order.SaleOrderNumber,
				URL: h.ExternalURL, At: c.Now.UTC(), Body: c.payload(&r.Sale, e)}, firstAttempt)
		}
	}
}

// Timing implements sim.Sender, as do the next methods.
func (c *company) Timing() (time.Duration, []time.Duration) { return patience, retries }

// Envelope has the webhook's present URL and credentials.
func (c *company) Envelope(e *sim.Event, _ time.Time) (header http.Header, problem string) {
	h := c.hook(e.Hook)
	if h == nil || !h.IsActive || c.NoAutomation {
		return nil, "the webhook is not active"
	}
	e.URL = h.ExternalURL
	header = http.Header{"Content-Type": {"application/json"}}
	for _, x := range h.ExternalHeaders {
		header.Set(x.Key, x.Value)
	}
	switch h.ExternalAuthorizationType {
	case "bearerauth":
		header.Set("Authorization", "Bearer "+h.ExternalBearerToken)
	case "basicauth":
		pair := h.ExternalUserName + ":" + h.ExternalPassword
		header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(pair)))
	}
	return header, ""
}

// GivenUp makes the webhook inactive.
func (c *company) GivenUp(e *sim.Event) {
	if h := c.hook(e.Hook); h != nil {
		h.IsActive = false
	}
}

// Deliveries lists an account's webhook deliveries, oldest first.
func (v *Vendor) Deliveries(account string) []sim.Delivery {
	v.sim.Lock()
	defer v.sim.Unlock()
	if c := v.company(account); c != nil {
		return c.seat.Deliveries()
	}
	return []sim.Delivery{}
}

// payload returns an event's body as the vendor writes it, with all its
// irregularities: GUIDs in either case, a task and OrderNumber instead of a sale
// and SaleOrderNumber, dates in the company's format, and a Sale/Voided that is not
// JSON because of a comma too many.
func (c *company) payload(x *sale, e event) []byte {
	type contact struct{ CustomerName, CustomerContactName, CustomerContactEmail string }
	number, upper := x.Order.SaleOrderNumber, strings.ToUpper(x.ID)
	who := contact{x.Customer, x.Contact, x.Email}
	var v any
	switch e.name {
	case "Sale/ShipmentAuthorised":
		v = struct {
			SaleTaskID, TenantID, OrderNumber string
			contact
			EventType string
		}{strings.ToUpper(e.task), strings.ToUpper(c.seat.Account.Cin7Core.AccountID), number, who, e.name}
	case "Sale/ShipmentTrackingNumberChanged":
		type shipment struct{ ShipmentDate, TrackingNumber, TrackingUrl, Carrier string }
		shipments := []shipment{}
		for _, f := range x.Fulfilments {
			for _, l := range f.Ship.Lines {
				if f.TaskID == e.task && l.IsShipped {
					shipments = append(shipments,
						shipment{accountDate(l.ShipmentDate), l.TrackingNumber, l.TrackingURL, l.Carrier})
				}
			}
		}
		v = struct {
			SaleID, TaskID, SaleOrderNumber, SaleOrderDate string
			CustomerContact, CustomerEmail, CustomerName   string
			TaskTypeSign                                   int
			Shipments                                      []shipment
			EventType                                      string
		}{x.ID, e.task, number, accountDate(x.SaleOrderDate), x.Contact, x.Email, x.Customer, 0, shipments, e.name}
	case "Sale/Voided":
		v = struct {
			SaleID, SaleOrderNumber, EventType string
			contact
		}{upper, number, e.name, who}
	case "Sale/Undo":
		v = struct{ SaleID, SaleOrderNumber, CustomerContactName, CustomerContactEmail, EventType string }{upper,
			number, x.Contact, x.Email, e.name}
	default:
		v = struct{ SaleID, SaleOrderNumber, EventType string }{upper, number, e.name}
	}
	body, _ := json.Marshal(v)
	if e.name == "Sale/Voided" {
		body = append(bytes.TrimSuffix(body, []byte("}")), ",\n}"...)
	}
	return body
}

// accountDate returns a date in the company's format.
func accountDate(v string) string {
	t, err := parseTime(v)
	if err != nil {
		return ""
	}
	return t.Format("02/01/2006")
}
