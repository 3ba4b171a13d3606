package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

// catalogStory tells how Upstock gets products, customers and prices from Cin7 Core.
type catalogStory struct {
	*demo
	tenant string // its path in the API
	acc    sim.Account
}

// printCatalogue has a product imported and a price changed, and prints what Upstock has then.
func (d *demo) printCatalogue(ctx context.Context, tenant string, acc sim.Account) error {
	c := &catalogStory{d, "/api/v1/tenants/" + tenant, acc}
	d.say("\n6. Upstock has its products, customers and prices from Cin7 Core.")
	for _, step := range []func(context.Context) error{c.learned, c.newProduct, c.newPrice} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// learned waits until it is known what Upstock had when it was connected.
func (c *catalogStory) learned(ctx context.Context) error {
	var products, customers struct{ Items []struct{ ID string } }
	err := until(ctx, patience, 100*time.Millisecond, "what Upstock has", func() (bool, error) {
		if err := c.api.call(ctx, http.MethodGet, c.tenant+"/products?limit=100", nil, &products); err != nil {
			return false, err
		}
		err := c.api.call(ctx, http.MethodGet, c.tenant+"/customers?limit=100", nil, &customers)
		return len(products.Items) > 0 && len(customers.Items) > 0, err
	})
	if err != nil {
		return err
	}
	c.say("   %d products and %d customers of Cin7 Core were in Upstock already. They are kept up since it was "+
		"connected.", len(products.Items), len(customers.Items))
	return nil
}

// newProduct makes a product in Cin7 Core and has it imported.
func (c *catalogStory) newProduct(ctx context.Context) error {
	var made struct{ Items []struct{ ID string } }
	in := map[string]any{"SKU": "KWK-250", "Name": "Kawakawa Leaf Tea 250 g", "Category": "Tea",
		"PriceTier1": 19.80, "PriceTier2": 18.60}
	if err := c.sim.call(ctx, http.MethodPost, "/sim/cin7core/products?account="+c.acc.Cin7Core.AccountID, in,
		&made); err != nil {
		return err
	}
	c.sayNow("At Cin7 Core: a new product, KWK-250.")
	done, err := c.follow(ctx, "products/import", map[string]any{"ids": []string{made.Items[0].ID}})
	if err == nil {
		c.say("   => imported: Upstock has %d product more.", done.Result["new"])
	}
	return err
}

// newPrice changes a price in Cin7 Core, has the prices synced, and prints what Upstock's lists say then.
func (c *catalogStory) newPrice(ctx context.Context) error {
	const sku, price = "KWK-100", 12.99
	product, err := find(ctx, c.sim, "/sim/cin7core/products?account="+c.acc.Cin7Core.AccountID, sku)
	if err != nil {
		return err
	}
	was, err := c.prices(ctx, product)
	if err != nil {
		return err
	}
	in := map[string]any{"PriceTier3": price}
	if err := c.sim.call(ctx, http.MethodPut, "/sim/cin7core/products/"+product, in, nil); err != nil {
		return err
	}
	c.sayNow("At Cin7 Core: the retail price of %s is %.2f now.", sku, price)
	if _, err := c.follow(ctx, "sync/prices", nil); err != nil {
		return err
	}
	now, err := c.prices(ctx, product)
	if err != nil {
		return err
	}
	c.say("   => %s in Upstock's price lists:", sku)
	for _, list := range slices.Sorted(maps.Keys(now)) {
		before := "as it was"
		if was[list] != now[list] {
			before = "it was " + cmp.Or(was[list], "not there")
		}
		c.say("      - %s: %s, %s", list, now[list], before)
	}
	return c.explain(ctx, "Kererū Organics", product)
}

// explain prints what a customer pays for a product, and how that comes about, in one line.
func (c *catalogStory) explain(ctx context.Context, customer, product string) error {
	id, err := find(ctx, c.sim, "/sim/cin7core/customers?account="+c.acc.Cin7Core.AccountID, customer)
	if err != nil {
		return err
	}
	var e struct {
		Price *string
		Steps []struct {
			Text  string
			Value *string
		}
	}
	query := url.Values{"customer": {id}, "product": {product}}.Encode()
	if err := c.api.call(ctx, http.MethodGet, c.tenant+"/prices/explain?"+query, nil, &e); err != nil {
		return err
	}
	var steps []string
	for _, s := range e.Steps {
		step := strings.TrimSuffix(s.Text, ".")
		if s.Value != nil {
			step += ": " + *s.Value
		}
		steps = append(steps, step+".")
	}
	c.say("      Why %s pays %s: %s", customer, text(e.Price), strings.Join(steps, " "))
	return nil
}

// ran is what came of long work.
type ran struct {
	State   string
	Result  map[string]int
	Left    []struct{ Name, Why string }
	Problem *string
}

// follow starts long work and waits until it is done.
func (d *demo) follow(ctx context.Context, tenant, what string, in any) (done ran, err error) {
	d.say("   …         POST …/%s", what)
	var started struct{ Progress struct{ ID string } }
	if err := d.api.call(ctx, http.MethodPost, tenant+"/"+what, in, &started); err != nil {
		return done, err
	}
	path := tenant + "/progress/" + started.Progress.ID
	err = until(ctx, patience, 100*time.Millisecond, what, func() (bool, error) {
		done = ran{}
		err := d.api.call(ctx, http.MethodGet, path, nil, &done)
		return done.State == "done", err
	})
	if err != nil {
		return done, fmt.Errorf("%w: %s", err, text(done.Problem))
	}
	return done, nil
}

// follow is the same for the catalogue, and prints what was left out.
func (c *catalogStory) follow(ctx context.Context, what string, in any) (ran, error) {
	done, err := c.demo.follow(ctx, c.tenant, what, in)
	for _, l := range done.Left {
		c.say("      %s: %s", l.Name, l.Why)
	}
	return done, err
}

// prices are those of a product in Upstock's price lists, by the names of these.
func (c *catalogStory) prices(ctx context.Context, product string) (map[string]string, error) {
	var lists struct {
		Items []struct {
			Name   string
			Prices map[string]string
		}
	}
	path := fmt.Sprintf("/sim/upstock/price-lists?supplier=%d", c.acc.Upstock.Supplier)
	err := c.sim.call(ctx, http.MethodGet, path, nil, &lists)
	by := map[string]string{}
	for _, l := range lists.Items {
		if price, ok := l.Prices[strings.ToLower(product)]; ok {
			by[l.Name] = price
		}
	}
	return by, err
}

func (d *demo) sayNow(format string, args ...any) {
	d.say("   "+time.Now().Format("15:04:05")+"  "+format, args...)
}

// find returns the id of a record in the simulated Cin7 Core, by its SKU or name.
func find(ctx context.Context, simulators client, path, called string) (string, error) {
	var list struct {
		Items []struct{ ID, SKU, Name string }
	}
	if err := simulators.call(ctx, http.MethodGet, path, nil, &list); err != nil {
		return "", err
	}
	for _, x := range list.Items {
		if x.SKU == called || x.Name == called {
			return x.ID, nil
		}
	}
	return "", fmt.Errorf("the simulated Cin7 Core has no %s", called)
}
