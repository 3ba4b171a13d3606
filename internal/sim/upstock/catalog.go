package upstock

import (
	"cmp"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"stockbridge/internal/sim"
)

type product struct {
	ID          int     `json:"id"`
	ExternalID  string  `json:"externalId"`
	SKU         string  `json:"sku"`
	Name        string  `json:"name"`
	Description *string `json:"description"`
	Category    *string `json:"category"`
	Brand       *string `json:"brand"`
	Unit        *string `json:"unit"`
	Barcode     *string `json:"barcode"`
	Price       *string `json:"price"`
	ImageURL    *string `json:"imageUrl"`
	Status      string  `json:"status"`
}

type customer struct {
	ID                int       `json:"id"`
	ExternalID        *string   `json:"externalId"`
	Name              string    `json:"name"`
	Email             *string   `json:"email"`
	Phone             *string   `json:"phone"`
	Contact           *string   `json:"contact"`
	BillingAddress    *address  `json:"billingAddress"`
	ShippingAddresses []address `json:"shippingAddresses"`
	PriceList         *string   `json:"priceListExternalId"`
	Active            bool      `json:"active"`
}

// priceList is a list as the API lists it; its prices have a call of their own.
type priceList struct {
	Number     int    `json:"-"` // in order of making
	ExternalID string `json:"externalId"`
	Name       string `json:"name"`
	Currency   string `json:"currency"`

	prices map[string]string // by product
	order  []string          // the products of prices in order; nil = to be made
}

func (p *product) id() int   { return p.ID }
func (x *customer) id() int  { return x.ID }
func (l *priceList) id() int { return l.Number }

// set sets a price, nil removes it. It returns the price that was there.
func (l *priceList) set(product string, price *string) (was string, had bool) {
	was, had = l.prices[product]
	if price == nil {
		delete(l.prices, product)
	} else {
		l.prices[product] = *price
	}
	if had != (price != nil) {
		l.order = nil
	}
	return was, had
}

// products are the products that the list prices, in order.
func (l *priceList) products() []string {
	if l.order == nil {
		l.order = slices.Sorted(maps.Keys(l.prices))
	}
	return l.order
}

// catalogue is what a supplier sells, to whom and for how much. Records are found by
// maps, so that the cost of a call does not grow with their number.
type catalogue struct {
	Products   []*product   `json:"-"` // by ID
	Customers  []*customer  `json:"-"` // by ID
	PriceLists []*priceList `json:"-"` // by Number

	products  *sim.Index[*product]  // by externalId
	skus      *sim.Index[*product]  // by SKU
	customers *sim.Index[*customer] // by externalId
	names     *sim.Index[*customer] // by name
	lists     map[string]*priceList // by externalId
	assigned  map[string]int        // customers by price list
}

// ready makes the maps of an empty catalogue.
func (c *catalogue) ready() {
	c.products = sim.NewIndex[*product](nil, nil)
	c.skus = sim.NewIndex[*product](nil, nil)
	c.customers = sim.NewIndex[*customer](nil, nil)
	c.names = sim.NewIndex[*customer](nil, nil)
	c.lists, c.assigned = map[string]*priceList{}, map[string]int{}
}

// put puts a record into rows that are in the order of their ids, and returns the one that it replaces.
func put[T interface{ id() int }](rows []T, row T) (now []T, was T, replaced bool) {
	i, found := slices.BinarySearchFunc(rows, row.id(), func(x T, id int) int { return x.id() - id })
	if !found {
		return slices.Insert(rows, i, row), was, false
	}
	was, rows[i] = rows[i], row
	return rows, was, true
}

// nextID is the id of the next record.
func nextID[T interface{ id() int }](rows []T) int {
	if len(rows) == 0 {
		return 1
	}
	return rows[len(rows)-1].id() + 1
}

// addProduct adds a product, or replaces the one with its id.
func (c *catalogue) addProduct(p *product) {
	rows, was, replaced := put(c.Products, p)
	c.Products = rows
	if replaced {
		c.products.Move(was.ExternalID, "", was)
		c.skus.Move(was.SKU, "", was)
	}
	c.products.Add(p.ExternalID, p)
	c.skus.Add(p.SKU, p)
}

// addCustomer adds a customer, or replaces the one with its id.
func (c *catalogue) addCustomer(x *customer) {
	rows, was, replaced := put(c.Customers, x)
	c.Customers = rows
	if replaced {
		c.customers.Move(value(was.ExternalID), "", was)
		c.names.Move(was.Name, "", was)
		c.assigned[value(was.PriceList)]--
	}
	c.customers.Add(value(x.ExternalID), x)
	c.names.Add(x.Name, x)
	c.assigned[value(x.PriceList)]++
}

// addList adds an empty price list.
func (c *catalogue) addList(id string) *priceList {
	l := &priceList{Number: nextID(c.PriceLists), ExternalID: id, prices: map[string]string{}}
	c.PriceLists, c.lists[id] = append(c.PriceLists, l), l
	return l
}

// dropList removes a price list with its prices.
func (c *catalogue) dropList(l *priceList) {
	delete(c.lists, l.ExternalID)
	if i, found := slices.BinarySearchFunc(c.PriceLists, l.Number, func(x *priceList, n int) int {
		return x.Number - n
	}); found {
		c.PriceLists = slices.Delete(c.PriceLists, i, i+1)
	}
}

func value(v *string) string {
	if v == nil {
		return ""
	}
	return *v
}

// The rows of the catalogue in the state's file. Records that can go are saved with
// what is left of them.
type (
	listRow struct {
		ExternalID, Name, Currency string
		Gone                       bool `json:",omitempty"`
	}
	priceRow struct {
		List, Product string
		Price         *string
	}
)

// Kind implements sim.Row, as do the next methods.
func (*product) Kind() string  { return "product" }
func (*customer) Kind() string { return "customer" }
func (*listRow) Kind() string  { return "list" }
func (*priceRow) Kind() string { return "price" }

// rows are the whole catalogue.
func (c *catalogue) rows() iter.Seq[any] {
	return func(yield func(any) bool) {
		for _, p := range c.Products {
			if !yield(p) {
				return
			}
		}
		for _, x := range c.Customers {
			if !yield(x) {
				return
			}
		}
		for _, l := range c.PriceLists {
			if !yield(&listRow{ExternalID: l.ExternalID, Name: l.Name, Currency: l.Currency}) {
				return
			}
			for _, id := range l.products() {
				price := l.prices[id]
				if !yield(&priceRow{l.ExternalID, id, &price}) {
					return
				}
			}
		}
	}
}

// readRow reads a saved row.
func (c *catalogue) readRow(kind string, row json.RawMessage) error {
	switch kind {
	case "product":
		return sim.ReadInto(row, c.addProduct)
	case "customer":
		return sim.ReadInto(row, c.addCustomer)
	case "list":
		return sim.ReadInto(row, func(r *listRow) {
			l := c.lists[r.ExternalID]
			switch {
			case r.Gone && l != nil:
				c.dropList(l)
			case !r.Gone:
				if l == nil {
					l = c.addList(r.ExternalID)
				}
				l.Name, l.Currency = r.Name, r.Currency
			}
		})
	case "price":
		return sim.ReadInto(row, func(r *priceRow) {
			if l := c.lists[r.List]; l != nil {
				l.set(r.Product, r.Price)
			}
		})
	}
	return fmt.Errorf("a row of an unknown list %q", kind)
}

type result struct {
	ExternalID string  `json:"externalId"`
	ID         *int    `json:"id"`
	Outcome    string  `json:"outcome"`
	Error      *string `json:"error"`
}

func failed(externalID, message string) result {
	return result{externalID, nil, "failed", &message}
}

// Refusal makes the items of batches fail that it names: by the kind of records (products, customers or prices), by
// the price list, and by externalId, of prices the product's. "" names all.
type Refusal struct {
	Records    string `json:"records,omitempty"`
	List       string `json:"list,omitempty"`
	ExternalID string `json:"externalId,omitempty"`
	Error      string `json:"error"`            // what the result says; "" = something
	Times      int    `json:"times"`            // how many items; 0 = until it is taken away
	Silent     bool   `json:"silent,omitempty"` // instead, the item takes effect and the answer has no result of it
}

// refused returns the first Refusal that an item of a batch meets, and counts it; nil = it meets none.
func (p *supplier) refused(records, list, id string) *Refusal {
	i := slices.IndexFunc(p.Refuse, func(r Refusal) bool {
		return (r.Records == "" || r.Records == records) && (r.List == "" || r.List == list) &&
			(r.ExternalID == "" || r.ExternalID == id)
	})
	if i < 0 {
		return nil
	}
	met := p.Refuse[i]
	met.Error = cmp.Or(met.Error, "This record cannot be saved")
	if met.Times > 0 {
		if p.Refuse[i].Times--; p.Refuse[i].Times == 0 {
			p.Refuse = slices.Delete(p.Refuse, i, i+1)
		}
	}
	return &met
}

// results answers a batch: with what write makes of each item, unless the item meets a Refusal.
func (c *call) results(records, list string, items []json.RawMessage, id func(json.RawMessage) string,
	write func(json.RawMessage) (result, error)) (any, error) {
	out := make([]result, 0, len(items))
	for _, raw := range items {
		met := c.refused(records, list, id(raw))
		if met != nil && !met.Silent {
			out = append(out, failed(id(raw), met.Error))
			continue
		}
		one, err := write(raw)
		if err != nil {
			return nil, err
		}
		if met == nil {
			out = append(out, one)
		}
	}
	return map[string]any{"results": out}, nil
}

// externalID is the externalId of an item; "" = it has none.
func externalID(raw json.RawMessage) string {
	var key struct {
		ExternalID string `json:"externalId"`
	}
	_ = json.Unmarshal(raw, &key)
	return key.ExternalID
}

// batch reads the items of a batch.
func (c *call) batch(name string, most int) ([]json.RawMessage, error) {
	var in map[string]json.RawMessage
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return nil, err
	}
	var items []json.RawMessage
	if raw, ok := in[name]; ok {
		if err := json.Unmarshal(raw, &items); err != nil {
			return nil, invalid(name, "must be a list")
		}
	}
	if len(items) == 0 || len(items) > most {
		return nil, invalid(name, fmt.Sprintf("must hold 1 to %d items", most))
	}
	return items, nil
}

// records are the records of one kind, by externalId.
type records[T any] struct {
	kind  string
	find  func(externalID string) *T
	id    func(*T) *int
	fresh func() *T       // a new one, with the next id
	check func(*T) string // what is wrong with one
	add   func(*T)        // adds one, or replaces the one of its id
}

// write makes or updates a batch of records by externalId. What an item does not name stays as it is. There is a
// result for each, in order.
func write[T any](c *call, of records[T]) (any, error) {
	items, err := c.batch(of.kind, 100)
	if err != nil {
		return nil, err
	}
	return c.results(of.kind, "", items, externalID, func(raw json.RawMessage) (result, error) {
		return writeOne(c, of, raw)
	})
}

func writeOne[T any](c *call, of records[T], raw json.RawMessage) (result, error) {
	key := externalID(raw)
	if key == "" {
		return failed(key, "externalId is required"), nil
	}
	x, outcome, before := of.find(key), "updated", []byte(nil)
	if x == nil {
		x, outcome = of.fresh(), "created"
	} else {
		var err error
		if x, before, err = copyRecord(x); err != nil {
			return result{}, err
		}
	}
	id := *of.id(x)
	if err := json.Unmarshal(raw, x); err != nil {
		return failed(key, "the item has a field of the wrong type"), nil
	}
	*of.id(x) = id
	if wrong := of.check(x); wrong != "" {
		return failed(key, wrong), nil
	}
	if after, _ := json.Marshal(x); string(after) == string(before) {
		return result{key, &id, "unchanged", nil}, nil
	}
	of.add(x)
	c.seat.Changed(x)
	return result{key, &id, outcome, nil}, nil
}

func (c *call) postProducts() (any, error) {
	return write(c, records[product]{"products", c.products.Get, func(p *product) *int { return &p.ID },
		func() *product { return &product{ID: nextID(c.Products), Status: "available"} },
		(*product).check, c.addProduct})
}

// check says what is wrong with a product. The contract leaves lengths open (decided). That SKUs are unique it does
// not say, so two products may have one.
func (p *product) check() string {
	switch {
	case p.SKU == "" || p.Name == "":
		return "sku and name are required"
	case !slices.Contains([]string{"available", "outOfStock", "discontinued"}, p.Status):
		return "status is unknown"
	case p.Price != nil && !isDecimal(*p.Price, 4):
		return "price is not a decimal"
	case p.ImageURL != nil && !isURL(*p.ImageURL):
		return "imageUrl is not a URL"
	}
	return tooLong(field{"externalId", p.ExternalID, 128}, field{"sku", p.SKU, 128}, field{"name", p.Name, 256},
		field{"description", value(p.Description), 50_000}, field{"category", value(p.Category), 256},
		field{"brand", value(p.Brand), 256}, field{"unit", value(p.Unit), 256},
		field{"barcode", value(p.Barcode), 256}, field{"imageUrl", value(p.ImageURL), 2_000})
}

func isURL(v string) bool {
	u, err := url.Parse(v)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// field is a text with the most characters that it may have.
type field struct {
	name, value string
	most        int
}

func tooLong(fields ...field) string {
	for _, f := range fields {
		if len(f.value) > f.most && utf8.RuneCountInString(f.value) > f.most {
			return fmt.Sprintf("%s is longer than %d", f.name, f.most)
		}
	}
	return ""
}

func (c *call) postCustomers() (any, error) {
	return write(c, records[customer]{"customers", c.customers.Get, func(x *customer) *int { return &x.ID },
		func() *customer {
			return &customer{ID: nextID(c.Customers), Active: true, ShippingAddresses: []address{}}
		}, c.checkCustomer, c.addCustomer})
}

// checkCustomer says what is wrong with a customer. A list that does not exist cannot be assigned (decided, as one
// with customers cannot be removed).
func (c *call) checkCustomer(x *customer) string {
	if x.Name == "" {
		return "name is required"
	}
	if x.PriceList != nil && c.lists[*x.PriceList] == nil {
		return "priceListExternalId is of no price list"
	}
	if x.ShippingAddresses == nil {
		x.ShippingAddresses = []address{}
	}
	addresses := x.ShippingAddresses
	if x.BillingAddress != nil {
		addresses = append([]address{*x.BillingAddress}, addresses...)
	}
	for _, a := range addresses {
		if wrong := tooLong(field{"line1", a.Line1, 256}, field{"line2", value(a.Line2), 256},
			field{"company", value(a.Company), 256}, field{"contact", value(a.Contact), 256},
			field{"city", value(a.City), 256}, field{"region", value(a.Region), 256},
			field{"postcode", value(a.Postcode), 256}, field{"country", a.Country, 256}); wrong != "" {
			return wrong
		}
	}
	return tooLong(field{"externalId", value(x.ExternalID), 128}, field{"name", x.Name, 256},
		field{"email", value(x.Email), 256}, field{"phone", value(x.Phone), 256},
		field{"contact", value(x.Contact), 256})
}

// customer returns a customer by Upstock's id; nil = there is none.
func (c *catalogue) customer(id int) *customer {
	i, found := slices.BinarySearchFunc(c.Customers, id, func(x *customer, id int) int { return x.ID - id })
	if !found {
		return nil
	}
	return c.Customers[i]
}

func (c *call) link(id string) (any, error) {
	var in struct {
		ExternalID string `json:"externalId"`
	}
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return nil, err
	}
	n, _ := strconv.Atoi(id)
	x := c.customer(n)
	switch {
	case in.ExternalID == "":
		return nil, invalid("externalId", "is required")
	case tooLong(field{"externalId", in.ExternalID, 128}) != "":
		return nil, invalid("externalId", "is longer than 128")
	case x == nil:
		return nil, notFound("Customer")
	}
	if other := c.customers.Get(in.ExternalID); other != nil && other != x {
		return nil, conflict("Another customer is linked to it")
	}
	linked := *x
	linked.ExternalID = &in.ExternalID
	c.addCustomer(&linked)
	c.seat.Changed(&linked)
	return &linked, nil
}

func (c *call) putPriceList(id string) (any, error) {
	var in struct{ Name, Currency string }
	if err := json.Unmarshal(c.Body, &in); err != nil {
		return nil, err
	}
	switch {
	case id == "" || tooLong(field{"", id, 128}) != "":
		return nil, invalid("externalId", "is longer than 128, or empty")
	case in.Name == "" || tooLong(field{"", in.Name, 256}) != "":
		return nil, invalid("name", "must have 1 to 256 characters")
	case len(in.Currency) != 3:
		return nil, invalid("currency", "must be a currency's code")
	}
	l := c.lists[id]
	if l == nil {
		l = c.addList(id)
	}
	l.Name, l.Currency = in.Name, in.Currency
	c.seat.Changed(&listRow{ExternalID: id, Name: l.Name, Currency: l.Currency})
	return l, nil
}

func (c *call) deletePriceList(id string) (any, error) {
	l := c.lists[id]
	if l == nil {
		return nil, notFound("Price list")
	}
	if c.assigned[id] > 0 {
		return nil, conflict("Customers are assigned to the price list")
	}
	c.dropList(l)
	c.seat.Changed(&listRow{ExternalID: id, Gone: true})
	return nil, nil
}

// listedPrice is a price of a list.
type listedPrice struct {
	Product string  `json:"productExternalId"`
	Price   *string `json:"price"`
}

// getPrices lists the prices of a list by product. The parameter after is the last product seen.
func (c *call) getPrices(id string) (any, error) {
	l := c.lists[id]
	if l == nil {
		return nil, notFound("Price list")
	}
	limit, err := c.pageSize()
	if err != nil {
		return nil, err
	}
	all := l.products()
	from, seen := slices.BinarySearch(all, c.Query.Get("after"))
	if seen {
		from++
	}
	to := min(from+limit, len(all))
	rows := []listedPrice{}
	for _, product := range all[from:to] {
		price := l.prices[product]
		rows = append(rows, listedPrice{product, &price})
	}
	out := map[string]any{"prices": rows, "next": nil}
	if to < len(all) {
		out["next"] = all[to-1]
	}
	return out, nil
}

func (c *call) postPrices(id string) (any, error) {
	l := c.lists[id]
	if l == nil {
		return nil, notFound("Price list")
	}
	items, err := c.batch("prices", 500)
	if err != nil {
		return nil, err
	}
	return c.results("prices", id, items, func(raw json.RawMessage) string { return readPrice(raw).Product },
		func(raw json.RawMessage) (result, error) { return c.postPrice(l, readPrice(raw)), nil })
}

// postedPrice is a price in a batch.
type postedPrice struct {
	Product string           `json:"productExternalId"`
	Price   *json.RawMessage `json:"price"`
}

// readPrice reads a price; one that cannot be read has no product.
func readPrice(raw json.RawMessage) postedPrice {
	var in postedPrice
	if json.Unmarshal(raw, &in) != nil {
		return postedPrice{}
	}
	return in
}

// postPrice sets or removes one price of a list.
func (c *call) postPrice(l *priceList, in postedPrice) result {
	if in.Product == "" {
		return failed(in.Product, "productExternalId is required")
	}
	p := c.products.Get(in.Product)
	if p == nil {
		return failed(in.Product, "no such product")
	}
	var price *string
	if in.Price != nil && (json.Unmarshal(*in.Price, &price) != nil || !isDecimal(*price, 4)) {
		return failed(in.Product, "price is not a decimal")
	}
	outcome := "updated"
	switch was, had := l.set(in.Product, price); {
	case price == nil && !had, price != nil && had && was == *price:
		return result{in.Product, &p.ID, "unchanged", nil}
	case !had:
		outcome = "created"
	}
	c.seat.Changed(&priceRow{l.ExternalID, in.Product, price})
	return result{in.Product, &p.ID, outcome, nil}
}

func isDecimal(v string, most int32) bool {
	d, err := decimal.NewFromString(v)
	return err == nil && len(v) < 40 && !d.IsNegative() && d.Equal(d.Truncate(most))
}
