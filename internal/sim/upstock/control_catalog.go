package upstock

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"stockbridge/internal/sim"
)

// inSupplier serves a control call about the books of the supplier that it names, or of the only one.
func (v *Vendor) inSupplier(serve func(p *supplier, r *http.Request, body []byte) (any, error)) func(*http.Request) (
	any, error) {
	return func(r *http.Request) (any, error) {
		return v.sim.Locked(r, func(body []byte) (any, error) {
			n, _ := strconv.Atoi(r.FormValue("supplier"))
			p := v.supplier(n)
			if r.FormValue("supplier") == "" && len(v.suppliers) == 1 {
				p = v.suppliers[0]
			}
			if p == nil {
				return nil, sim.NotFound("Supplier")
			}
			return serve(p, r, body)
		})
	}
}

func (p *supplier) controlProducts(*http.Request, []byte) (any, error) {
	return sim.Items(append([]*product{}, p.Products...)), nil
}

func (p *supplier) controlCustomers(*http.Request, []byte) (any, error) {
	return sim.Items(append([]*customer{}, p.Customers...)), nil
}

func (p *supplier) controlLists(*http.Request, []byte) (any, error) {
	type whole struct {
		*priceList
		Prices map[string]string `json:"prices"`
	}
	out := []whole{}
	for _, l := range p.PriceLists {
		out = append(out, whole{l, l.prices})
	}
	return sim.Items(out), nil
}

// fresh reads new records of a body: one document, or a list of them. They are all read before one is kept.
func fresh[T any](body []byte, begin func(n int) *T) ([]*T, error) {
	docs, err := sim.Documents(body)
	if err != nil {
		return nil, err
	}
	out := []*T{}
	for i, doc := range docs {
		x := begin(i)
		if err := json.Unmarshal(doc, x); err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		out = append(out, x)
	}
	return out, nil
}

func (p *supplier) makeProducts(_ *http.Request, body []byte) (any, error) {
	next := nextID(p.Products)
	made, err := fresh(body, func(n int) *product {
		return &product{SKU: "UP-" + strconv.Itoa(next+n), Name: "Product " + strconv.Itoa(next+n), Status: "available"}
	})
	for i, x := range made {
		x.ID = next + i
		p.addProduct(x)
		p.seat.Changed(x)
	}
	return sim.Items(made), err
}

func (p *supplier) mergeProduct(r *http.Request, body []byte) (any, error) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	i, found := slices.BinarySearchFunc(p.Products, id, func(x *product, id int) int { return x.ID - id })
	if !found {
		return nil, sim.NotFound("Product")
	}
	x, _, err := copyRecord(p.Products[i])
	if err == nil {
		err = json.Unmarshal(body, x)
	}
	if err != nil {
		return nil, err
	}
	x.ID = id
	p.addProduct(x)
	p.seat.Changed(x)
	return x, nil
}

func (p *supplier) makeCustomers(_ *http.Request, body []byte) (any, error) {
	next := nextID(p.Customers)
	made, err := fresh(body, func(n int) *customer {
		return &customer{Name: "Customer " + strconv.Itoa(next+n), Active: true, ShippingAddresses: []address{}}
	})
	for i, x := range made {
		x.ID = next + i
		p.addCustomer(x)
		p.seat.Changed(x)
	}
	return sim.Items(made), err
}

func (p *supplier) mergeCustomer(r *http.Request, body []byte) (any, error) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	was := p.customer(id)
	if was == nil {
		return nil, sim.NotFound("Customer")
	}
	x, _, err := copyRecord(was)
	if err == nil {
		err = json.Unmarshal(body, x)
	}
	if err != nil {
		return nil, err
	}
	x.ID = id
	p.addCustomer(x)
	p.seat.Changed(x)
	return x, nil
}

func (p *supplier) controlRefusals(*http.Request, []byte) (any, error) {
	return sim.Items(append([]Refusal{}, p.Refuse...)), nil
}

func (p *supplier) putRefusals(_ *http.Request, body []byte) (any, error) {
	var in struct{ Items []Refusal }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	for _, r := range in.Items {
		if !slices.Contains([]string{"", "products", "customers", "prices"}, r.Records) {
			return nil, fmt.Errorf("records is products, customers or prices, not %q", r.Records)
		}
	}
	p.Refuse = in.Items
	p.seat.Changed()
	return p.controlRefusals(nil, nil)
}

// changeRefusals changes which items of a supplier's batches fail.
func (v *Vendor) changeRefusals(supplier int, change func([]Refusal) []Refusal) error {
	v.sim.Lock()
	defer v.sim.Unlock()
	p := v.supplier(supplier)
	if p == nil {
		return sim.NotFound("Supplier")
	}
	p.Refuse = change(p.Refuse)
	p.seat.Changed()
	return nil
}

// RefuseItems has single items of a supplier's batches fail from now on, and takes back what was to fail before.
func (v *Vendor) RefuseItems(supplier int, items ...Refusal) error {
	return v.changeRefusals(supplier, func([]Refusal) []Refusal { return slices.Clone(items) })
}
