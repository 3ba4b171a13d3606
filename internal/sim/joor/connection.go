package joor

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// connection is a brand's record of a retailer, or one that waits for JOOR's people.
type connection struct {
	document
	Key    int     `json:"key"` // of the row
	Gone   bool    `json:"gone,omitempty"`
	Review *review `json:"reviewed,omitempty"` // nil = it is there
}

// review is what JOOR's people look at.
type review struct {
	Since time.Time `json:"since"`
	Batch int       `json:"batch"` // how many records its job had
}

// made returns a new connection, which is there unless review is given.
func (b *brand) made(d document, r *review) *connection {
	b.LastID++
	x := &connection{document: d, Key: b.LastID, Review: r}
	if r == nil {
		b.accept(x)
	}
	b.complete(x)
	b.add(x)
	b.seat.Changed(x)
	return x
}

// accept gives a connection JOOR's id and the retailer's name, as JOOR's people do who know the retailer.
func (b *brand) accept(x *connection) {
	x.Review = nil
	if x.CustomerAccountID == 0 {
		x.CustomerAccountID = b.number*idsOfAccount + x.Key
	}
	b.ids[x.CustomerAccountID] = x
	if x.CustomerContactName == "" {
		x.CustomerContactName = strings.ToUpper(x.CustomerAlias)
	}
	b.seat.Changed(x)
}

// complete gives addresses that have no id one, and lists that are nil no elements.
func (b *brand) complete(x *connection) {
	for i := range x.Billing.BillingAddresses {
		if a := &x.Billing.BillingAddresses[i]; a.BillingAddressID == 0 {
			b.LastID++
			a.BillingAddressID = b.number*idsOfAccount + b.LastID
		}
	}
	for i := range x.Shipping.ShippingAddresses {
		if a := &x.Shipping.ShippingAddresses[i]; a.ShippingAddressID == 0 {
			b.LastID++
			a.ShippingAddressID = b.number*idsOfAccount + b.LastID
		}
	}
	x.Warehouses = append([]warehouse{}, x.Warehouses...)
	x.Billing.BillingAddresses = append([]billingAddress{}, x.Billing.BillingAddresses...)
	x.Shipping.ShippingAddresses = append([]shippingAddress{}, x.Shipping.ShippingAddresses...)
	x.PriceTypes = append([]priceType{}, x.PriceTypes...)
	x.PaymentMethods = append([]paymentMethod{}, x.PaymentMethods...)
	x.ShippingMethods = append([]shippingMethod{}, x.ShippingMethods...)
}

// page is the response of a call that reads connections.
type page struct {
	response
	StartFrom int  `json:"start_from"`
	NextStart *int `json:"next_start"`
	Count     int  `json:"count"`
}

func (c *call) answer(rows []document, from int, next *int) any {
	return map[string]any{"connections": map[string]any{
		"response":    page{response{LogID: c.sim.GUID()}, from, next, len(rows)},
		"connections": rows,
	}}
}

// get answers a connection that is there.
func (c *call) get(x *connection) (any, error) {
	if x == nil || x.Review != nil {
		return nil, notFound("Connection")
	}
	return c.answer([]document{x.document}, 0, nil), nil
}

// list answers a page of connections, in the order of their ids (decided), 50 unless count says otherwise, which is
// documented for orders.
func (c *call) list() (any, error) {
	number := func(name string, otherwise int) int {
		if n, err := strconv.Atoi(c.Query.Get(name)); err == nil && n >= 0 {
			return n
		}
		return otherwise
	}
	var rows []*connection
	for _, x := range c.all {
		if x.Review == nil {
			rows = append(rows, x)
		}
	}
	byID := func(x, y *connection) int { return cmp.Compare(x.CustomerAccountID, y.CustomerAccountID) }
	if !slices.IsSortedFunc(rows, byID) {
		slices.SortFunc(rows, byID)
	}
	from := number("start_from", 0)
	count := c.sim.PageSize(min(max(1, number("count", 50)), mostOnPage))
	at := min(from, len(rows))
	end := min(at+count, len(rows))
	var next *int
	if end < len(rows) {
		next = &end
	}
	documents := []document{}
	for _, x := range rows[at:end] {
		documents = append(documents, x.document)
	}
	return c.answer(documents, from, next), nil
}

// mostOnPage is the most connections of a page (decided).
const mostOnPage = 100

// update changes one connection that is there.
func (c *call) update(x *connection) (any, error) {
	all, err := records(c.Body, "connections", "connection")
	if err != nil || len(all) != 1 {
		return nil, refuse("One connection was expected")
	}
	return c.change(x, all[0])
}

// updateByCode changes the connection whose code is in the body.
func (c *call) updateByCode() (any, error) {
	all, err := records(c.Body, "connections", "connection")
	var in sent
	if err == nil && len(all) == 1 {
		err = json.Unmarshal(all[0], &in)
	}
	if err != nil || len(all) != 1 || in.CustomerCode == nil {
		return nil, refuse("One connection with a customer_code was expected")
	}
	return c.change(c.coded(*in.CustomerCode), all[0])
}

func (c *call) change(x *connection, raw json.RawMessage) (any, error) {
	if x == nil || x.Review != nil {
		return nil, notFound("Connection")
	}
	if err := c.write(x, raw); err != nil {
		return nil, refuse(err.Error())
	}
	return c.answer([]document{x.document}, 0, nil), nil
}

// write writes what is sent over a connection, if nothing of it is refused.
func (b *brand) write(x *connection, raw json.RawMessage) error {
	var in sent
	if err := json.Unmarshal(raw, &in); err != nil {
		return fmt.Errorf("the connection could not be read")
	}
	to := merged(x.document, in)
	if err := b.check(to); err != nil {
		return err
	}
	if other := b.coded(string(to.CustomerCode)); to.CustomerCode != "" && other != nil && other != x {
		return fmt.Errorf("customer_code %q is another connection's", to.CustomerCode)
	}
	b.named(&to)
	b.codes.Move(codeKey(string(x.CustomerCode)), codeKey(string(to.CustomerCode)), x)
	x.document = to
	b.complete(x)
	b.seat.Changed(x)
	return nil
}

// delete takes the connection with a code away from the brand.
func (c *call) delete(code string) (any, error) {
	x := c.coded(code)
	if code == "" || x == nil || x.Review != nil {
		return nil, notFound("Connection")
	}
	c.drop(x)
	return map[string]any{
		"response":   response{LogID: c.sim.GUID()},
		"connection": map[string]any{"connection_deleted": map[string]string{"customer_code": string(x.CustomerCode)}},
	}, nil
}

// drop removes a connection, and its row.
func (b *brand) drop(x *connection) {
	b.remove(x)
	x.Gone = true
	b.seat.Changed(x)
}

// merged is a document with what is sent.
func merged(d document, in sent) document {
	text := func(to *string, from *string) {
		if from != nil {
			*to = *from
		}
	}
	may := func(to *opt, from *string) {
		if from != nil {
			*to = opt(*from)
		}
	}
	may(&d.CustomerCode, in.CustomerCode)
	text(&d.CustomerAlias, in.CustomerAlias)
	text(&d.CustomerAlias, in.CustomerName)
	may(&d.CustomerContactEmail, in.CustomerContactEmail)
	may(&d.CustomerBuyerName, in.CustomerBuyerName)
	may(&d.CompanyNumberName, in.CompanyNumberName)
	may(&d.CompanyNumberCode, in.CompanyNumberCode)
	if in.CustomerGroupName != nil || in.CustomerGroupCode != nil {
		d.CustomerGroupName, d.CustomerGroupCode = "", ""
	}
	may(&d.CustomerGroupName, in.CustomerGroupName)
	may(&d.CustomerGroupCode, in.CustomerGroupCode)
	if in.SalesRepCode != nil || in.SalesRepEmail != nil {
		d.SalesRepName, d.SalesRepCode, d.SalesRepEmail = "", "", ""
	}
	may(&d.SalesRepCode, in.SalesRepCode)
	may(&d.SalesRepEmail, in.SalesRepEmail)
	if in.Warehouses.given {
		d.Warehouses = in.Warehouses.all
	}
	if in.Billing.given {
		d.Billing.BillingAddresses = kept(d.Billing.BillingAddresses, in.Billing.all,
			func(a *billingAddress) (string, *int) { return a.BillingCode, &a.BillingAddressID })
	}
	if in.Shipping.given {
		d.Shipping.ShippingAddresses = kept(d.Shipping.ShippingAddresses, in.Shipping.all,
			func(a *shippingAddress) (string, *int) { return a.ShippingCode, &a.ShippingAddressID })
	}
	if in.PriceTypes.given {
		d.PriceTypes = in.PriceTypes.all
	}
	if in.PaymentMethods.given {
		d.PaymentMethods = in.PaymentMethods.all
	}
	if in.ShippingMethods.given {
		d.ShippingMethods = in.ShippingMethods.all
	}
	return d
}

// kept are addresses that were sent, with the ids of those that were there under their codes.
func kept[T any](was, now []T, of func(*T) (code string, id *int)) []T {
	now = slices.Clone(now)
	for i := range now {
		code, id := of(&now[i])
		*id = 0
		for j := range was {
			if old, oldID := of(&was[j]); old == code {
				*id = *oldID
			}
		}
	}
	return now
}
