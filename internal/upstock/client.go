// Package upstock is the Upstock supplier API in Go, as this project assumes it. Upstock publishes none, so all that
// depends on the assumed contract lives here, and this is the one package to change for the real API.
//
// A [Client] serves one supplier. It reads the supplier of its token ([Client.Supplier]) and orders ([Client.Order],
// [Client.OrdersPage], [Client.Orders]), and tells Upstock of a sale ([Client.PutExternal]) and of a shipment
// ([Client.PutShipment]).
//
// The catalogue is [Product], [CustomerRecord] (a customer on an order is a [Customer]), [PriceList] and [Price]. Each
// is read page by page ([Client.ProductsPage]) or whole ([Client.Products]). Products, customers and prices are written
// in batches, by externalId ([Client.PutProducts]): Upstock answers for each record, and a [BatchResult] is what can be
// believed of that. A record is written whole: what is empty here is null there, as the contract does not say what
// becomes of a field that is left out.
//
// All writes are idempotent: a repeated one changes nothing, a late one overwrites.
//
// [ParseEvent] reads what Upstock delivers to a webhook. The receiver must verify the signature first.
//
// Ids are integers, money is a decimal string in the supplier's currency, dates are calendar dates in the supplier's
// time zone (Date), instants are UTC. An order is returned as it was received (json.RawMessage), because it is stored
// like that. [ParseOrder] reads it, and reports every faulty field (FieldError) instead of refusing the order: the
// caller decides which of them matter. [OrderID] finds the id even if nothing else can be read.
//
// Errors of calls are *rest.Error, of the outcome Unknown for an answer that lacks what the contract promises.
package upstock

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"stockbridge/internal/rest"
)

// BaseURL is the API's address by the contract.
const BaseURL = "https://api.upstock.app/v1"

// Client holds the conversation with one supplier's account. Timeout may be set before the first call.
type Client struct{ *rest.Client }

// routes are the calls of this client, with the contract's query parameters.
var routes = rest.Routes{
	"GET /supplier":                           {},
	"GET /orders":                             {"status", "approvedSince", "after", "limit"},
	"GET /orders/{id}":                        {},
	"PUT /orders/{id}/external":               {},
	"PUT /orders/{id}/shipments/{externalId}": {},

	"GET /products":                               {"after", "limit"},
	"POST /products/batch":                        {},
	"GET /customers":                              {"after", "limit"},
	"POST /customers/batch":                       {},
	"PUT /customers/{id}/link":                    {},
	"GET /price-lists":                            {"after", "limit"},
	"PUT /price-lists/{externalId}":               {},
	"DELETE /price-lists/{externalId}":            {},
	"GET /price-lists/{externalId}/prices":        {"after", "limit"},
	"POST /price-lists/{externalId}/prices/batch": {},
}

// New returns a client of the account. A nil rt is the default transport; a nil limit is no limit.
func New(base string, rt http.RoundTripper, limit rest.Limiter, token string) *Client {
	c := &rest.Client{
		Who: "upstock", HTTP: rt, Limit: limit, Read: readError, Routes: routes,
		Sign: func(r *http.Request) {
			r.Header.Set("Authorization", "Bearer "+token)
		},
	}
	c.Hide(token)
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		c.Base = u // without one every call returns an error
	}
	return &Client{c}
}

// readError reads an error, which has the same shape in every answer.
func readError(status int, header http.Header, body []byte) *rest.Error {
	e := rest.FromStatus(status, header)
	if e == nil {
		return nil
	}
	var answer struct {
		Error struct {
			Message string
			Details []struct{ Field, Message string }
		}
	}
	_ = rest.Unmarshal(body, &answer) // a proxy's error has another shape
	e.Messages = append(e.Messages, answer.Error.Message)
	for _, d := range answer.Error.Details {
		if d.Field != "" {
			d.Message = d.Field + ": " + d.Message
		}
		e.Messages = append(e.Messages, d.Message)
	}
	return e
}

// Supplier is the owner of a token.
type Supplier struct {
	ID       int64  `json:"id"`
	Name     string `json:"name"`
	Currency string `json:"currency"`
	TimeZone string `json:"timeZone"` // IANA
}

// Supplier reads the supplier of the token. It is the test of a token.
func (c *Client) Supplier(ctx context.Context) (Supplier, error) {
	var s Supplier
	err := c.Do(ctx, http.MethodGet, "/supplier", nil, nil, &s)
	if err == nil && (s.ID <= 0 || s.Name == "" || s.Currency == "") {
		err = c.MalformedAnswer(http.MethodGet, "/supplier", "the answer is no supplier")
	}
	return s, err
}

// Order reads one order, as received.
func (c *Client) Order(ctx context.Context, id int64) (json.RawMessage, error) {
	path := "/orders/" + strconv.FormatInt(id, 10)
	var raw json.RawMessage
	if err := c.Do(ctx, http.MethodGet, path, nil, nil, &raw); err != nil {
		return nil, err
	}
	if got, ok := OrderID(raw); !ok || got != id {
		return nil, c.MalformedAnswer(http.MethodGet, path, "the answer is not that order")
	}
	return raw, nil
}

// OrdersQuery selects orders; a zero field does not narrow. The list is in order of approval, oldest first.
type OrdersQuery struct {
	Status        string    // such as StatusProcessing
	ApprovedSince time.Time // inclusive
	After         string    // a Page's Next
	Limit         int       // up to 100; 0: 50
}

// Page is one page of orders, as received; Next is "" on the last one.
type Page struct {
	Orders []json.RawMessage `json:"orders" rest:"required"`
	Next   string            `json:"next"`
}

// IDs stand for the orders of the page: the id of each, or all that the list says of one without a usable id.
func (p Page) IDs() []string {
	ids := make([]string, len(p.Orders))
	for i, raw := range p.Orders {
		ids[i] = string(raw)
		if id, ok := OrderID(raw); ok {
			ids[i] = strconv.FormatInt(id, 10)
		}
	}
	return ids
}

// OrdersPage reads the page after q.After.
func (c *Client) OrdersPage(ctx context.Context, q OrdersQuery) (Page, error) {
	query := paging(q.After, q.Limit)
	if q.Status != "" {
		query.Set("status", q.Status)
	}
	if !q.ApprovedSince.IsZero() {
		query.Set("approvedSince", q.ApprovedSince.UTC().Format(time.RFC3339Nano))
	}
	var p Page
	err := c.Do(ctx, http.MethodGet, "/orders", query, nil, &p)
	return p, err
}

// paging are the parameters of every list; a zero one is left out.
func paging(after string, limit int) url.Values {
	query := url.Values{}
	if after != "" {
		query.Set("after", after)
	}
	if limit > 0 {
		query.Set("limit", strconv.Itoa(limit))
	}
	return query
}

// Orders reads all orders after q.After.
func (c *Client) Orders(ctx context.Context, q OrdersQuery) iter.Seq2[json.RawMessage, error] {
	return all(c, "/orders", q.After, func(after string) ([]json.RawMessage, string, error) {
		q.After = after
		p, err := c.OrdersPage(ctx, q)
		return p.Orders, p.Next, err
	})
}

// all iterates over a list from after on. read reads the page after a row, and says what to ask the next one with, ""
// for none.
func all[T any](
	c *Client, path, after string, read func(after string) ([]T, string, error),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			rows, next, err := read(after)
			if err == nil && next != "" && next == after {
				err = c.MalformedAnswer(http.MethodGet, path, "the next page is the same page")
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, row := range rows {
				if !yield(row, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			after = next
		}
	}
}

// PutExternal tells Upstock what the order became. Repeating it changes nothing.
func (c *Client) PutExternal(ctx context.Context, order int64, e External) error {
	return c.Do(ctx, http.MethodPut, "/orders/"+strconv.FormatInt(order, 10)+"/external", nil, e, nil)
}

// Shipment is one shipment of an order.
type Shipment struct {
	ShippedAt time.Time `json:"shippedAt"`
	Carrier   string    `json:"carrier,omitempty"`
	Tracking  string    `json:"tracking,omitempty"` // the tracking URL, or else the tracking number
	Complete  bool      `json:"complete"`           // the last one: the order becomes shipped
}

// PutShipment records a shipment under its external id. Repeating it changes nothing.
func (c *Client) PutShipment(ctx context.Context, order int64, externalID string, s Shipment) error {
	s.ShippedAt = s.ShippedAt.UTC()
	path := "/orders/" + strconv.FormatInt(order, 10) + "/shipments/" + url.PathEscape(externalID)
	return c.Do(ctx, http.MethodPut, path, nil, s, nil)
}
