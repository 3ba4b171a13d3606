// Package upstock simulates Upstock by its contract: suppliers with products,
// customers, price lists and orders, and signed webhooks.
//
// A [Vendor] is given to sim.New. Every account is a supplier, whose books are
// linked to the account's catalogue by externalId. Orders are placed by tests, the
// control API or the supplier's page: [Vendor.PlaceOrder] fills in what is missing
// from the catalogue as it is at that moment. [Vendor.Approve], [Vendor.Cancel] and
// [Vendor.Edit] are what people at the supplier do with an order. The first two
// call the URLs of [Vendor.RegisterWebhook]; an edit does not.
//
// [Vendor.Serve] serves a call: token, limit, route, then a method of call, which
// returns a value for JSON, or an apiError.
package upstock

import (
	"encoding/json"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// Vendor is Upstock in one Sim.
type Vendor struct {
	sim       *sim.Sim
	suppliers []*supplier
	placed    int // orders so far, over all suppliers
}

// New makes the vendor, to be given to sim.New.
func New() *Vendor { return &Vendor{} }

// Name implements sim.Vendor, as do the next methods.
func (v *Vendor) Name() string { return sim.Upstock }

func (v *Vendor) Join(s *sim.Sim) { v.sim = s }

func (v *Vendor) Open(p *sim.Seat) sim.Books {
	s := &supplier{vendor: v, seat: p}
	s.catalogue.ready()
	v.suppliers = append(v.suppliers, s)
	return s
}

func (v *Vendor) Caller(r *http.Request) string {
	if s := v.bearer(r.Header); s != nil {
		return strconv.Itoa(s.seat.Account.Upstock.Supplier)
	}
	return ""
}

func (v *Vendor) Throttled(string) *sim.Response {
	return failure(http.StatusTooManyRequests, "rate_limited", "300 calls a minute are allowed")
}

// bearer returns the supplier whose token a call has; nil = nobody's.
func (v *Vendor) bearer(h http.Header) *supplier {
	token, ok := strings.CutPrefix(h.Get("Authorization"), "Bearer ")
	for _, s := range v.suppliers {
		if ok && s.seat.Account.Upstock.Token == token {
			return s
		}
	}
	return nil
}

// supplier returns a supplier by its number; nil = there is none.
func (v *Vendor) supplier(n int) *supplier {
	if n < 1 || n > len(v.suppliers) {
		return nil
	}
	return v.suppliers[n-1]
}

// supplier is an account's books.
type supplier struct {
	vendor *Vendor
	seat   *sim.Seat

	Revoked  bool      `json:"revoked"`
	Orders   []*order  `json:"-"`
	Approved []int     `json:"-"` // indexes of Orders, oldest approval first
	Hooks    []*hook   `json:"hooks"`
	Refuse   []Refusal `json:"refuse"`
	catalogue
}

// Rows implements sim.Books, as do the next methods, with the orders and the
// catalogue as rows.
func (p *supplier) Rows() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, o := range p.Orders {
			if !yield(o) {
				return
			}
		}
		for row := range p.catalogue.rows() {
			if !yield(row) {
				return
			}
		}
	}
}

func (p *supplier) ReadRow(kind string, row json.RawMessage, change bool) (err error) {
	if kind != "" {
		return p.catalogue.readRow(kind, row)
	}
	p.Orders, err = sim.PutRow(p.Orders, row, change, func(o *order) string { return strconv.Itoa(o.ID) })
	return err
}

// UnmarshalJSON also reads books of before the catalogue's records were rows.
func (p *supplier) UnmarshalJSON(text []byte) error {
	type plain supplier
	was := struct {
		*plain
		Products   []*product
		Customers  []*customer
		PriceLists []struct {
			ExternalID, Name, Currency string
			Prices                     map[string]string
		}
	}{plain: (*plain)(p)}
	if err := json.Unmarshal(text, &was); err != nil {
		return err
	}
	for _, x := range was.Products {
		p.addProduct(x)
	}
	for _, x := range was.Customers {
		p.addCustomer(x)
	}
	for _, l := range was.PriceLists {
		list := p.addList(l.ExternalID)
		list.Name, list.Currency = l.Name, l.Currency
		for id, price := range l.Prices {
			list.set(id, &price)
		}
	}
	return nil
}

func (p *supplier) Loaded() {
	p.vendor.placed += len(p.Orders)
	p.Approved = nil
	for i, o := range p.Orders {
		if o.ApprovedAt != nil {
			p.Approved = append(p.Approved, i)
		}
	}
	p.sortApproved()
}

func (p *supplier) sortApproved() {
	slices.SortStableFunc(p.Approved,
		func(x, y int) int { return p.Orders[x].ApprovedAt.Compare(*p.Orders[y].ApprovedAt) })
}

type address struct {
	Company  *string `json:"company"`
	Contact  *string `json:"contact"`
	Line1    string  `json:"line1"`
	Line2    *string `json:"line2"`
	City     *string `json:"city"`
	Region   *string `json:"region"`
	Postcode *string `json:"postcode"`
	Country  string  `json:"country"`
}

type order struct {
	ID              int               `json:"id"`
	OrderNumber     string            `json:"orderNumber"`
	Status          string            `json:"status"`
	Reference       *string           `json:"reference"`
	OrderDate       string            `json:"orderDate"`
	DeliveryDate    *string           `json:"deliveryDate"`
	ApprovedAt      *time.Time        `json:"approvedAt"`
	Currency        string            `json:"currency"`
	Customer        orderCustomer     `json:"customer"`
	DeliveryAddress *address          `json:"deliveryAddress"`
	CustomFields    map[string]string `json:"customFields"`
	Comments        []comment         `json:"comments"`
	Lines           []line            `json:"lines"`
	Freight         *freight          `json:"freight"`
	Totals          *totals           `json:"totals"`
	External        *external         `json:"external"`
	Shipments       []shipment        `json:"shipments"`
}

type orderCustomer struct {
	ID         int     `json:"id"`
	Name       string  `json:"name"`
	ExternalID *string `json:"externalId"`
	Email      *string `json:"email"`
	Phone      *string `json:"phone"`
}

type comment struct {
	At     time.Time `json:"at"`
	Author string    `json:"author"`
	Text   string    `json:"text"`
}

type line struct {
	ID                int     `json:"id"`
	ProductExternalID *string `json:"productExternalId"`
	SKU               *string `json:"sku"`
	Name              string  `json:"name"`
	Quantity          string  `json:"quantity"`
	UnitPrice         string  `json:"unitPrice"`
	DiscountPercent   string  `json:"discountPercent"`
	TaxRate           string  `json:"taxRate"`
	Comment           *string `json:"comment"`
}

type freight struct {
	Description string `json:"description"`
	Amount      string `json:"amount"`
	TaxRate     string `json:"taxRate"`
}

type totals struct {
	Subtotal string `json:"subtotal"`
	Tax      string `json:"tax"`
	Total    string `json:"total"`
}

type external struct {
	System string  `json:"system"`
	Number string  `json:"number"`
	URL    *string `json:"url"`
}

type shipment struct {
	ExternalID string    `json:"externalId"`
	ShippedAt  time.Time `json:"shippedAt"`
	Carrier    *string   `json:"carrier"`
	Tracking   *string   `json:"tracking"`
	Complete   bool      `json:"complete"`
}

const (
	limit  = 300 // calls
	window = time.Minute
)

// apiError is an error of the Upstock API.
type apiError struct {
	status  int
	Code    string   `json:"code"`
	Message string   `json:"message"`
	Details []detail `json:"details"`
}

type detail struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

func failure(status int, code, message string) *sim.Response {
	return sim.JSON(status, map[string]any{"error": &apiError{Code: code, Message: message, Details: []detail{}}})
}

func notFound(what string) error {
	return &apiError{http.StatusNotFound, "not_found", what + " not found", []detail{}}
}

func conflict(message string) error {
	return &apiError{http.StatusConflict, "conflict", message, []detail{}}
}

func invalid(field, message string) error {
	return &apiError{http.StatusUnprocessableEntity, "invalid", "The request is invalid", []detail{{field, message}}}
}

// call is one call while it is served; the Sim's lock is held.
type call struct {
	*sim.Request
	sim *sim.Sim
	*supplier
}

// Serve authenticates, counts and routes a call.
func (v *Vendor) Serve(r *sim.Request) *sim.Response {
	p := v.bearer(r.Header)
	if p == nil || p.Revoked {
		return failure(http.StatusUnauthorized, "unauthorized", "The token is not known")
	}
	if wait := v.sim.Grant(r, limit, window); wait > 0 {
		resp := v.Throttled("")
		resp.Header.Set("Retry-After", strconv.Itoa(int((wait+time.Second-1)/time.Second)))
		return resp
	}
	c := &call{r, v.sim, p}
	verbs := c.route()
	serve := verbs[r.Method]
	if serve == nil {
		if len(verbs) > 0 {
			resp := failure(http.StatusMethodNotAllowed, "method_not_allowed", "Not a method of this path")
			resp.Header.Set("Allow", strings.Join(slices.Sorted(maps.Keys(verbs)), ", "))
			return resp
		}
		return failure(http.StatusNotFound, "not_found", "No such path")
	}
	answer, err := serve()
	if e, ok := err.(*apiError); ok {
		return sim.JSON(e.status, map[string]any{"error": e})
	} else if err != nil {
		return failure(http.StatusUnprocessableEntity, "invalid", "The body is not valid JSON for this call")
	}
	if r.Method != http.MethodGet {
		p.seat.Changed()
	}
	if answer == nil {
		return &sim.Response{Status: http.StatusNoContent, Header: http.Header{}}
	}
	return sim.JSON(http.StatusOK, answer)
}

// route returns the functions of a path by method; nil = there is no such path.
func (c *call) route() map[string]func() (any, error) {
	const get, post, put, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete
	type verbs = map[string]func() (any, error)
	parts := strings.Split(strings.Trim(c.Path, "/"), "/")
	shape := make([]string, len(parts))
	for i, p := range parts {
		if shape[i] = p; i%2 == 1 && p != "batch" {
			shape[i] = "*"
		}
	}
	switch strings.Join(shape, "/") {
	case "supplier":
		return verbs{get: c.getSupplier}
	case "orders":
		return verbs{get: c.getOrders}
	case "orders/*":
		return verbs{get: c.withOrder(parts[1], func(o *order) (any, error) { return o, nil })}
	case "orders/*/shipments/*":
		return verbs{put: c.withOrder(parts[1], func(o *order) (any, error) { return c.putShipment(o, parts[3]) })}
	case "orders/*/external":
		return verbs{put: c.withOrder(parts[1], c.putExternal)}
	case "products":
		return verbs{get: func() (any, error) { return listPage(c, "products", c.Products, (*product).id) }}
	case "products/batch":
		return verbs{post: c.postProducts}
	case "customers":
		return verbs{get: func() (any, error) { return listPage(c, "customers", c.Customers, (*customer).id) }}
	case "customers/batch":
		return verbs{post: c.postCustomers}
	case "customers/*/link":
		return verbs{put: func() (any, error) { return c.link(parts[1]) }}
	case "price-lists":
		return verbs{get: func() (any, error) { return listPage(c, "priceLists", c.PriceLists, (*priceList).id) }}
	case "price-lists/*":
		return verbs{put: func() (any, error) { return c.putPriceList(parts[1]) },
			del: func() (any, error) { return c.deletePriceList(parts[1]) }}
	}
	if len(parts) < 3 || parts[0] != "price-lists" || parts[2] != "prices" {
		return nil
	}
	switch {
	case len(parts) == 3:
		return verbs{get: func() (any, error) { return c.getPrices(parts[1]) }}
	case len(parts) == 4 && parts[3] == "batch":
		return verbs{post: func() (any, error) { return c.postPrices(parts[1]) }}
	}
	return nil
}

func (c *call) getSupplier() (any, error) {
	of := c.seat.Account
	return map[string]any{"id": of.Upstock.Supplier, "name": of.Name, "currency": of.Currency,
		"timeZone": sim.ZoneName}, nil
}

func (c *call) pageSize() (int, error) {
	v := c.Query.Get("limit")
	if v == "" {
		v = "50"
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 100 {
		return 0, invalid("limit", "must be between 1 and 100")
	}
	return c.sim.PageSize(n), nil
}

// listPage returns a page of rows that are in the order of their ids.
func listPage[T any](c *call, name string, rows []T, id func(T) int) (any, error) {
	limit, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	after, _ := strconv.Atoi(c.Query.Get("after"))
	from, _ := slices.BinarySearchFunc(rows, after+1, func(r T, want int) int { return id(r) - want })
	to := min(from+limit, len(rows))
	out := map[string]any{name: append([]T{}, rows[from:to]...), "next": nil}
	if to < len(rows) {
		out["next"] = strconv.Itoa(id(rows[to-1]))
	}
	return out, nil
}

// getOrders lists orders (see inOrder). The parameter after is the last order seen.
func (c *call) getOrders() (any, error) {
	limit, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	var since time.Time
	if v := c.Query.Get("approvedSince"); v != "" {
		if since, err = time.Parse(time.RFC3339, v); err != nil {
			return nil, invalid("approvedSince", "must be an RFC 3339 instant")
		}
	}
	status := c.Query.Get("status")
	after, _ := strconv.Atoi(c.Query.Get("after"))
	out, seen := []*order{}, after == 0
	for o := range c.inOrder() {
		switch {
		case !seen:
			seen = o.ID == after
		case status != "" && o.Status != status:
		case !since.IsZero() && (o.ApprovedAt == nil || o.ApprovedAt.Before(since)):
		case len(out) == limit:
			return map[string]any{"orders": out, "next": strconv.Itoa(out[limit-1].ID)}, nil
		default:
			out = append(out, o)
		}
	}
	return map[string]any{"orders": out, "next": nil}, nil
}

// inOrder are a supplier's orders as they are listed: the approved ones by approval, then the others by id.
func (p *supplier) inOrder() iter.Seq[*order] {
	return func(yield func(*order) bool) {
		for _, i := range p.Approved {
			if !yield(p.Orders[i]) {
				return
			}
		}
		for _, o := range p.Orders {
			if o.ApprovedAt == nil && !yield(o) {
				return
			}
		}
	}
}

// index returns the index of an order, or where it would be.
func (p *supplier) index(id int) (i int, found bool) {
	return slices.BinarySearchFunc(p.Orders, id, func(o *order, id int) int { return o.ID - id })
}

func (p *supplier) order(id int) *order {
	if i, ok := p.index(id); ok {
		return p.Orders[i]
	}
	return nil
}

func (c *call) withOrder(id string, f func(*order) (any, error)) func() (any, error) {
	return func() (any, error) {
		n, _ := strconv.Atoi(id)
		o := c.order(n)
		if o == nil {
			return nil, notFound("Order")
		}
		if c.Method != http.MethodGet {
			c.seat.Changed(o)
		}
		return f(o)
	}
}

func (c *call) putShipment(o *order, id string) (any, error) {
	var in struct {
		ShippedAt *time.Time `json:"shippedAt"`
		Carrier   *string    `json:"carrier"`
		Tracking  *string    `json:"tracking"`
		Complete  *bool      `json:"complete"`
	}
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return nil, err
	}
	switch {
	case len(id) > 128:
		return nil, invalid("externalId", "is longer than 128")
	case in.ShippedAt == nil:
		return nil, invalid("shippedAt", "is required")
	case in.Complete == nil:
		return nil, invalid("complete", "is required")
	case in.Carrier != nil && len(*in.Carrier) > 256:
		return nil, invalid("carrier", "is longer than 256")
	case in.Tracking != nil && len(*in.Tracking) > 512:
		return nil, invalid("tracking", "is longer than 512")
	}
	i := slices.IndexFunc(o.Shipments, func(x shipment) bool { return x.ExternalID == id })
	if o.Status != "processing" && (i < 0 || o.Status != "shipped") {
		return nil, conflict("The order is " + o.Status)
	}
	x := shipment{id, in.ShippedAt.UTC(), in.Carrier, in.Tracking, *in.Complete}
	if i < 0 {
		o.Shipments = append(o.Shipments, x)
	} else {
		o.Shipments[i] = x
	}
	if x.Complete {
		o.Status = "shipped"
	}
	return o, nil
}

func (c *call) putExternal(o *order) (any, error) {
	var in external
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return nil, err
	}
	if in.System != "cin7core" {
		return nil, invalid("system", "must be cin7core")
	}
	if in.Number == "" {
		return nil, invalid("number", "is required")
	}
	o.External = &in
	return o, nil
}

// copyRecord is a copy that shares nothing with a record, so that a refused change leaves the record alone, and its
// JSON.
func copyRecord[T any](x *T) (own *T, text []byte, err error) {
	if text, err = json.Marshal(x); err == nil {
		own = new(T)
		err = json.Unmarshal(text, own)
	}
	return own, text, err
}
