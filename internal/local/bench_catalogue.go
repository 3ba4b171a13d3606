package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// benchCatalogue counts what the catalogue costs: calls that read it from Cin7 Core, and calls that tell Upstock of a
// catalogue in which nothing changed, or one price.
func benchCatalogue(ctx context.Context, _ benchOptions) ([]figure, error) {
	const each, imported = 1000, "Corner Shop 000"
	r, err := openRig(ctx, rigOptions{speed: 1, unlimited: true, noWebhooks: true, fill: func(r *rig) error {
		return r.fillCatalogue(ctx, each, each, 20)
	}})
	if err != nil {
		return nil, err
	}
	defer r.close()
	list := []figure{
		{what: "calls to read 1,000 customers with their own prices", got: float64(r.cin7.whole("/customer")), goal: 1,
			note: "20 own prices each; the price tiers are a call more"},
		{what: "calls to read 1,000 products for the catalogue", got: float64(r.cin7.whole("/product")), goal: 1},
	}
	if err := r.long(ctx, "products/import", map[string]any{"all": true}); err != nil {
		return list, err
	}
	if err := r.long(ctx, "customers/import", map[string]any{"all": true, "q": imported}); err != nil {
		return list, err
	}
	if err := r.syncCatalogue(ctx); err != nil { // the import of products has prices told after it
		return list, err
	}
	before, reads := r.cin7.told(), r.cin7.total()
	if err := r.syncCatalogue(ctx); err != nil {
		return list, err
	}
	list = append(list, figure{what: "Upstock writes of an unchanged catalogue", got: float64(r.cin7.told() - before),
		note: fmt.Sprintf("all three jobs; %d calls to Cin7 Core", r.cin7.total()-reads)})
	price, err := r.changePrice(ctx)
	if err != nil {
		return list, err
	}
	return append(list, price), nil
}

// changePrice changes a price of the first tier in Cin7 Core and has the prices synced. The figure is how many calls
// told Upstock of that: one for each list whose price changed, and one for the product's default price.
func (r *rig) changePrice(ctx context.Context) (f figure, err error) {
	const sku, price = "KWK-100", 9.9
	c := &catalogStory{&demo{api: r.api, sim: client{r.control.url, ""}}, r.path(), r.acc}
	product, err := find(ctx, c.sim, "/sim/cin7core/products?account="+r.acc.Cin7Core.AccountID, sku)
	if err != nil {
		return f, err
	}
	was, err := c.prices(ctx, product)
	if err != nil {
		return f, err
	}
	in, before := map[string]any{"PriceTier1": price}, r.cin7.told()
	if err := c.sim.call(ctx, http.MethodPut, "/sim/cin7core/products/"+product, in, nil); err != nil {
		return f, err
	}
	if err := r.long(ctx, "sync/prices", nil); err != nil {
		return f, err
	}
	told := r.cin7.told() - before
	now, err := c.prices(ctx, product)
	if err != nil {
		return f, err
	}
	lists := 0
	for list := range now {
		if was[list] != now[list] {
			lists++
		}
	}
	if lists == 0 {
		return f, fmt.Errorf("no price list of %d has the price that changed", len(now))
	}
	return figure{
		what: "Upstock writes of a changed price", got: float64(told), goal: float64(lists + 1),
		note: fmt.Sprintf("one for each of %d lists that have it, and for the default; %d lists have others", lists,
			len(now)-lists),
	}, r.checkDefault(ctx, sku, price)
}

// checkDefault fails unless Upstock has a product's default price.
func (r *rig) checkDefault(ctx context.Context, sku string, price float64) error {
	var books struct {
		Items []struct {
			SKU   string
			Price string
		}
	}
	path := fmt.Sprintf("/sim/upstock/products?supplier=%d", r.acc.Upstock.Supplier)
	if err := (client{r.control.url, ""}).call(ctx, http.MethodGet, path, nil, &books); err != nil {
		return err
	}
	for _, p := range books.Items {
		if n, err := strconv.ParseFloat(p.Price, 64); p.SKU == sku && (err != nil || n != price) {
			return fmt.Errorf("the default price of %s is %q in Upstock", sku, p.Price)
		}
	}
	return nil
}

// fillCatalogue adds products and customers to Cin7 Core until it has the given numbers of them. The new customers
// have that many own prices.
func (r *rig) fillCatalogue(ctx context.Context, products, customers, own int) error {
	type row = map[string]any
	const atOnce = 1000
	books := client{r.control.url, ""}
	at := func(what string) string { return "/sim/cin7core/" + what + "?account=" + r.acc.Cin7Core.AccountID }
	type records struct{ Items []struct{ ID, Name string } }
	var all, tiers records
	var buyers struct{ Items []struct{ Name string } }
	for what, into := range map[string]any{"products": &all, "customers": &buyers, "tiers": &tiers} {
		if err := books.call(ctx, http.MethodGet, at(what), nil, into); err != nil {
			return err
		}
	}
	var some []row
	send := func(what string, last bool, into any) error {
		if len(some) == 0 || !last && len(some) < atOnce {
			return nil
		}
		err := books.call(ctx, http.MethodPost, at(what), some, into)
		some = nil
		return err
	}
	for i := len(all.Items); i < products; i++ {
		some = append(some, row{"SKU": fmt.Sprintf("DAY-%06d", i), "Name": fmt.Sprintf("Tea of the Day %06d", i),
			"Category": "Tea", "Brand": "Tūī & Fern", "Description": strings.Repeat("Leaves of the day. ", 10),
			"PriceTier1": 8.9, "PriceTier2": 8.25, "PriceTier3": 12.46})
		var made records
		if err := send("products", i == products-1, &made); err != nil {
			return err
		}
		all.Items = append(all.Items, made.Items...)
	}
	for i := len(buyers.Items); i < customers; i++ {
		prices := make([]row, own)
		for k := range prices {
			prices[k] = row{"ProductID": all.Items[(i*own+k)%len(all.Items)].ID, "Price": 7.25}
		}
		some = append(some, row{"Name": fmt.Sprintf("Corner Shop %04d", i), "PriceTier": tiers.Items[i%3].Name,
			"ProductPrices": prices})
		if err := send("customers", i == customers-1, nil); err != nil {
			return err
		}
	}
	return nil
}

// path is the tenant's in the API.
func (r *rig) path() string { return "/api/v1/tenants/" + r.tenant }

// syncCatalogue has each job of the catalogue run, one after another.
func (r *rig) syncCatalogue(ctx context.Context) error {
	for _, job := range []string{"products", "customers", "prices"} {
		if err := r.long(ctx, "sync/"+job, nil); err != nil {
			return err
		}
	}
	return nil
}

// long has long work done.
func (r *rig) long(ctx context.Context, what string, in any) error {
	c := &catalogStory{&demo{api: r.api, out: io.Discard}, r.path(), r.acc}
	done, err := c.follow(ctx, what, in)
	if err == nil && len(done.Left) > 0 {
		err = fmt.Errorf("%s: %d are left: %s: %s", what, len(done.Left), done.Left[0].Name, done.Left[0].Why)
	}
	return err
}
