package joor

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Connection is a brand's record of one of its retailers.
type Connection struct {
	ID       string // JOOR's: the connection id, customer_account_id; "" in what is sent
	Code     string // the brand's: customer_code; "" = it has none
	Name     string // as the brand calls it
	Retailer string // as JOOR calls the retailer; only read
	Email    string // of the primary contact
	Buyer    string // the buyer's full name

	Company  Named // what JOOR calls the company number: a group of retailers to which it belongs
	Group    Named // the customer group
	SalesRep SalesRep

	PriceTypes      []PriceType // a retailer sees only the styles of these
	PaymentMethods  []Named
	ShippingMethods []Named
	Warehouses      []Named
	Billing         []Address
	Shipping        []Address
}

// Named is something that is set up in the account and has a name and a code.
type Named struct{ Name, Code string }

// SalesRep is a sales representative. E-mail and code go one to one. [C]
type SalesRep struct{ Name, Code, Email string }

// PriceType is a currency with a label; only both together name it, exactly as they are used on styles. [C]
type PriceType struct{ Currency, Label string }

// Address is a billing or a shipping address. Code is the brand's name for it: an order that is placed for an address
// bears its code.
type Address struct {
	ID                                              string // JOOR's; only read
	Code                                            string
	Line1, Line2, City, Region, PostalCode, Country string
	Phone                                           string
}

// MaxPage is the most connections that are asked for at once. Their number on a page is documented for orders alone, 50
// by default; that a hundred may be asked for was seen. [L]
const MaxPage = 100

// ConnectionsQuery is where a page of connections begins, and how many it has.
type ConnectionsQuery struct {
	StartFrom int // a Page's Next
	Count     int // 0: MaxPage
}

// Page is one page of connections.
type Page struct {
	Connections []Connection
	Next        int // where the next one begins; 0 = this is the last
}

// ConnectionsPage reads a page of the account's connections. Those that JOOR's people are still looking at are not
// among them. A page of one is the trial of a token: it costs one credit.
func (c *Client) ConnectionsPage(ctx context.Context, q ConnectionsQuery) (Page, error) {
	const path = "/connection/"
	count := q.Count
	if count <= 0 {
		count = MaxPage
	}
	query := url.Values{"start_from": {strconv.Itoa(q.StartFrom)}, "count": {strconv.Itoa(count)}}
	var answer wireConnections
	if err := c.Do(ctx, http.MethodGet, path, query, nil, &answer); err != nil {
		return Page{}, err
	}
	at, rows := answer.Connections.Response, answer.Connections.Connections
	p := Page{Next: at.NextStart}
	for _, w := range rows {
		p.Connections = append(p.Connections, w.connection())
	}
	switch {
	case p.Next != 0 && p.Next <= q.StartFrom, at.StartFrom != nil && *at.StartFrom != q.StartFrom:
		return Page{}, c.MalformedAnswer(http.MethodGet, path, "the answer is another page than asked")
	case p.Next == 0 && len(rows) == count: // should connections have no next_start, an empty page ends the list
		p.Next = q.StartFrom + count
	}
	return p, nil
}

// Connections reads all connections from q.StartFrom on, page by page.
func (c *Client) Connections(ctx context.Context, q ConnectionsQuery) iter.Seq2[Connection, error] {
	return func(yield func(Connection, error) bool) {
		before := ""
		for {
			p, err := c.ConnectionsPage(ctx, q)
			if err == nil && len(p.Connections) > 0 {
				first := p.Connections[0].ID + " " + p.Connections[0].Code
				if first == before {
					err = c.MalformedAnswer(http.MethodGet, "/connection/", "the next page is the same page")
				}
				before = first
			}
			if err != nil {
				yield(Connection{}, err)
				return
			}
			for _, x := range p.Connections {
				if !yield(x, nil) {
					return
				}
			}
			if p.Next == 0 {
				return
			}
			q.StartFrom = p.Next
		}
	}
}

// ByCode reads the connection with a customer code; rest.NotFound: there is none, or none yet.
func (c *Client) ByCode(ctx context.Context, code string) (Connection, error) {
	path := "/connection/customer_code/" + url.PathEscape(code) + "/"
	if strings.Trim(code, ".") == "" {
		return Connection{}, c.notSent(http.MethodGet, path, "no customer code")
	}
	return c.one(ctx, path, func(x Connection) bool { return strings.EqualFold(x.Code, code) })
}

// ByID reads the connection with an id; rest.NotFound: there is none.
func (c *Client) ByID(ctx context.Context, id string) (Connection, error) {
	path := "/connection/" + url.PathEscape(id) + "/"
	if !isID(id) {
		return Connection{}, c.notSent(http.MethodGet, path, "no connection id")
	}
	return c.one(ctx, path, func(x Connection) bool { return x.ID == id })
}

// isID reports whether a text is a connection id: the only other thing in its place on a path is customer_code.
func isID(id string) bool { return id != "" && strings.Trim(id, "0123456789") == "" }

func (c *Client) one(ctx context.Context, path string, is func(Connection) bool) (Connection, error) {
	var answer wireConnections
	if err := c.Do(ctx, http.MethodGet, path, nil, nil, &answer); err != nil {
		return Connection{}, asNotFound(err)
	}
	for _, w := range answer.Connections.Connections {
		if x := w.connection(); is(x) {
			return x, nil
		}
	}
	return Connection{}, c.notFound(http.MethodGet, path)
}

// Update changes the connection with an id to what is given: the whole of it, its code too. Repeating it changes
// nothing. rest.NotFound: there is none.
func (c *Client) Update(ctx context.Context, id string, to Connection) error {
	path := "/connection/" + url.PathEscape(id)
	if !isID(id) {
		return c.notSent(http.MethodPut, path, "no connection id")
	}
	return asNotFound(c.Do(ctx, http.MethodPut, path, nil, body("connections", to), new(answered)))
}

// Delete takes the connection with a customer code away from the brand; the retailer stays in JOOR. rest.NotFound:
// there is none.
func (c *Client) Delete(ctx context.Context, code string) error {
	const path = "/connection"
	if code == "" {
		return c.notSent(http.MethodDelete, path, "no customer code")
	}
	var answer wireDeleted
	err := c.Do(ctx, http.MethodDelete, path, url.Values{"customer_code": {code}}, nil, &answer)
	if err == nil && answer.Connection.Deleted.Code != code {
		return c.MalformedAnswer(http.MethodDelete, path, "the answer is not of that connection")
	}
	return asNotFound(err)
}
