package sim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// coreHook is a webhook as /webhooks answers it, its secrets in the clear. They
// need the paid Automation module.
type coreHook struct {
	ID, Type, Name                     string
	IsActive                           bool
	ExternalURL                        string
	ExternalAuthorizationType          string // noauth, basicauth, bearerauth
	ExternalUserName, ExternalPassword string
	ExternalBearerToken                string
	ExternalHeaders                    []hookHeader
}

type hookHeader struct{ Key, Value string }

// hookTypes are all that can be registered. Only those with a name here are ever
// sent by the simulator.
var hookTypes = map[string]string{
	"Sale/ShipmentAuthorised":            "Sale shipment has been authorised",
	"Sale/ShipmentTrackingNumberChanged": "Sale shipment tracking number has been changed",
	"Sale/Voided":                        "Sale has been voided",
	"Sale/Undo":                          "Sale has been undone",
	"Sale/Backordered":                   "Sale has been backordered",
	"Sale/OrderAuthorised":               "Sale order has been authorised",

	"Sale/Created": "", "Sale/QuoteAuthorised": "", "Sale/InvoiceAuthorised": "", "Sale/PickAuthorised": "", "Sale/PackAuthorised": "",
	"Sale/CreditNoteAuthorised": "", "Sale/PartialPaymentReceived": "", "Sale/FullPaymentReceived": "", "Sale/AttachmentAdded": "",
	"Sale/AdditionalAttributesChanged": "", "Purchase/OrderAuthorised": "", "Purchase/InvoiceAuthorised": "", "Purchase/StockReceivedAuthorised": "",
	"Purchase/CreditNoteAuthorised": "", "Purchase/Updated": "", "Customer/Updated": "", "Supplier/Updated": "", "Product/Updated": "",
	"Stock/AvailableStockLevelChanged": "", "Lead/Updated": "", "Lead/Converted": "", "Opportunity/Authorized": "",
	"Opportunity/AttachmentAdded": "", "Opportunity/Voided": "", "Opportunity/Converted": "", "Task/Overdue": "",
}

const hooksPerType = 5

// coreRetries are the waits before the second to the sixth attempt; the first
// comes about a minute after the event.
var coreRetries = [...]time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 20 * time.Minute, 25 * time.Minute}

const (
	coreFirstAttempt   = time.Minute
	coreWebhookTimeout = 10 * time.Second // decided; undocumented
)

type hooksDoc struct{ Webhooks []*coreHook }

// automated refuses where the module is not paid for: 403 with the Error Model,
// unlike a wrong key's 403 (decided; undocumented).
func (c *core) automated() error {
	if c.NoAutomation {
		return coreError{http.StatusForbidden, "Automation module is not available for this account"}
	}
	return nil
}

func (c *coreCall) getHooks() (any, error) {
	return hooksDoc{append([]*coreHook{}, c.Hooks...)}, c.automated()
}

// hookBody reads and checks a webhook. The table marks most fields as required,
// for PUT too.
func (c *coreCall) hookBody() (*coreHook, error) {
	if err := c.automated(); err != nil {
		return nil, err
	}
	var in struct {
		coreHook
		IsActive *bool
	}
	if err := (decoder{}).decode(c.body, &in); err != nil {
		return nil, err
	}
	h := &in.coreHook
	for _, f := range []struct{ name, v string }{{"Type", h.Type}, {"ExternalURL", h.ExternalURL}, {"ExternalAuthorizationType", h.ExternalAuthorizationType}} {
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
	switch h.ExternalAuthorizationType {
	case "noauth":
	case "basicauth":
		if h.ExternalUserName == "" {
			return nil, missing("ExternalUserName")
		}
	case "bearerauth":
		if h.ExternalBearerToken == "" {
			return nil, missing("ExternalBearerToken")
		}
	default:
		return nil, badValue{"ExternalAuthorizationType"}
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

func (c *coreCall) postHook() (any, error) {
	h, err := c.hookBody()
	if err != nil {
		return nil, err
	}
	h.ID = c.s.guid()
	c.Hooks = append(c.Hooks, h)
	return hooksDoc{[]*coreHook{h}}, nil
}

func (c *coreCall) putHook() (any, error) {
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
	return hooksDoc{[]*coreHook{old}}, nil
}

// deleteHook answers what is left.
func (c *coreCall) deleteHook() (any, error) {
	if err := c.automated(); err != nil {
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
	c.Hooks = slices.DeleteFunc(c.Hooks, func(x *coreHook) bool { return x == h })
	return c.getHooks()
}

func (c *core) hook(id string) *coreHook {
	for _, h := range c.Hooks {
		if strings.EqualFold(h.ID, id) {
			return h
		}
	}
	return nil
}

// coreEvent is something to tell the webhooks of a type.
type coreEvent struct{ event, task string }

// tell notes an event, to be sent when the change is stamped.
func (c *coreCall) tell(event string, r *saleRecord, f *fulfilment) {
	e := coreEvent{event: event}
	if f != nil {
		e.task = f.TaskID
	}
	c.events = append(c.events, e)
}

// send sends what was noted of a sale to the active webhooks. s.mu is held.
func (c *coreCall) send(r *saleRecord) {
	events := c.events
	c.events = nil
	if c.NoAutomation {
		return
	}
	for _, e := range events {
		for _, h := range c.Hooks {
			if h.Type != e.event || !h.IsActive {
				continue
			}
			d := &delivery{ID: c.s.guid(), Hook: h.ID, Type: e.event, Sale: r.Sale.Order.SaleOrderNumber, URL: h.ExternalURL, At: c.now.UTC(), State: "pending",
				Body: c.a.payload(&r.Sale, e)}
			keep(&c.Deliveries, d)
			c.s.touched(c.a, d)
			c.s.start(c.a, d, c.s.fast(coreFirstAttempt))
		}
	}
}

// payload is an event as the vendor words it, its unevenness included: GUIDs in
// either case, a task and OrderNumber instead of a sale and SaleOrderNumber,
// dates as the company writes them, and a Sale/Voided that is not JSON, for a
// comma too many.
func (a *account) payload(x *sale, e coreEvent) []byte {
	type contact struct{ CustomerName, CustomerContactName, CustomerContactEmail string }
	number, upper := x.Order.SaleOrderNumber, strings.ToUpper(x.ID)
	who := contact{x.Customer, x.Contact, x.Email}
	var v any
	switch e.event {
	case "Sale/ShipmentAuthorised":
		v = struct {
			SaleTaskID, TenantID, OrderNumber string
			contact
			EventType string
		}{strings.ToUpper(e.task), strings.ToUpper(a.Cin7Core.AccountID), number, who, e.event}
	case "Sale/ShipmentTrackingNumberChanged":
		type shipment struct{ ShipmentDate, TrackingNumber, TrackingUrl, Carrier string }
		shipments := []shipment{}
		for _, f := range x.Fulfilments {
			for _, l := range f.Ship.Lines {
				if f.TaskID == e.task && l.IsShipped {
					shipments = append(shipments, shipment{ownFormat(l.ShipmentDate), l.TrackingNumber, l.TrackingURL, l.Carrier})
				}
			}
		}
		v = struct {
			SaleID, TaskID, SaleOrderNumber, SaleOrderDate string
			CustomerContact, CustomerEmail, CustomerName   string
			TaskTypeSign                                   int
			Shipments                                      []shipment
			EventType                                      string
		}{x.ID, e.task, number, ownFormat(x.SaleOrderDate), x.Contact, x.Email, x.Customer, 0, shipments, e.event}
	case "Sale/Voided":
		v = struct {
			SaleID, SaleOrderNumber, EventType string
			contact
		}{upper, number, e.event, who}
	case "Sale/Undo":
		v = struct{ SaleID, SaleOrderNumber, CustomerContactName, CustomerContactEmail, EventType string }{upper, number, x.Contact, x.Email, e.event}
	default:
		v = struct{ SaleID, SaleOrderNumber, EventType string }{upper, number, e.event}
	}
	body, _ := json.Marshal(v)
	if e.event == "Sale/Voided" {
		body = append(bytes.TrimSuffix(body, []byte("}")), ",\n}"...)
	}
	return body
}

// ownFormat is a date as the company writes it.
func ownFormat(v string) string {
	t, err := parseTime(v)
	if err != nil {
		return ""
	}
	return t.Format("02/01/2006")
}
