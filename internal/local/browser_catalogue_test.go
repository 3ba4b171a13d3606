package main

import (
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"stockbridge/internal/sim"
)

// TestCatalogueStory is a supplier's first hour with the catalogue: both systems are connected, a product and a
// customer are imported and are in Upstock; a price is changed in Cin7 Core, synced, and explained; one that changes
// too much waits until somebody says yes.
func TestCatalogueStory(t *testing.T) {
	s := openStage(t)
	acc := s.begin()
	s.connectByAPI(acc)
	s.signIn("Ana")
	s.importOne(acc)
	s.linkOne(acc)
	s.changePrice(acc)
	s.approvePrice(acc)
	s.lookAtCatalogue()
}

// connectByAPI connects both systems, and waits until their records are read.
func (s *stage) connectByAPI(acc sim.Account) {
	s.t.Helper()
	path := "/api/v1/tenants/" + s.tenant
	s.tell(s.demo.api, http.MethodPut, path+"/connections/cin7core", acc.Cin7Core, nil)
	s.tell(s.demo.api, http.MethodPut, path+"/connections/upstock", map[string]string{"token": acc.Upstock.Token}, nil)
	if err := waitForMirror(s.ctx, s.demo.api, s.tenant); err != nil {
		s.t.Fatal(err)
	}
}

// tell calls an API, and fails the test where it refuses.
func (s *stage) tell(c client, method, path string, body, answer any) {
	s.t.Helper()
	if err := c.call(s.ctx, method, path, body, answer); err != nil {
		s.t.Fatal(err)
	}
}

// inUpstock reads what the simulated Upstock holds of a kind.
func inUpstock[T any](s *stage, acc sim.Account, kind string) (list []T) {
	s.t.Helper()
	var answer struct{ Items []T }
	path := "/sim/upstock/" + kind + "?supplier=" + strconv.Itoa(acc.Upstock.Supplier)
	s.tell(s.demo.sim, http.MethodGet, path, nil, &answer)
	return answer.Items
}

// soldThere is a product or customer as the simulated Upstock holds it.
type soldThere struct {
	ExternalID, SKU, Name string
	ID                    int
}

// importOne imports a product that Upstock does not have.
func (s *stage) importOne(acc sim.Account) {
	s.t.Helper()
	s.tell(s.demo.sim, http.MethodPost, "/sim/cin7core/products?account="+acc.Cin7Core.AccountID,
		map[string]any{"SKU": "RIM-250", "Name": "Rimu Honey 250 g", "Type": "Stock", "Status": "Active",
			"Sellable": true, "PriceTier1": 12.46, "PriceTier2": 11.8}, nil)
	s.open("/t/"+s.tenant+"/products", "Products")
	s.press("button", "Sync products")
	s.heading("Upstock has the products")
	s.press("a", "Import products")
	s.heading("Import products")
	s.do(chromedp.SendKeys(chromedp.ID("q"), "rimu\n"), chromedp.WaitReady(`//input[@id="q" and @value="rimu"]`))
	s.do(chromedp.Click(chromedp.CSS("tbody .choose label")))
	s.look("products-chosen", "")
	s.press("button", "Import 1 product")
	s.heading("Upstock has the products")
	s.look("products-done", "")
	for _, p := range inUpstock[soldThere](s, acc, "products") {
		if p.SKU == "RIM-250" {
			return
		}
	}
	s.t.Error("the product is not in Upstock")
}

// linkOne imports a customer that may be in Upstock already, and links the two.
func (s *stage) linkOne(acc sim.Account) {
	s.t.Helper()
	s.tell(s.demo.sim, http.MethodPost, "/sim/upstock/customers?supplier="+strconv.Itoa(acc.Upstock.Supplier),
		map[string]string{"name": "Quokka Roaster"}, nil)
	s.tell(s.demo.sim, http.MethodPost, "/sim/cin7core/customers?account="+acc.Cin7Core.AccountID,
		map[string]any{"Name": "Quokka Roasters", "Status": "Active", "PriceTier": "Trade"}, nil)
	s.open("/t/"+s.tenant+"/customers", "Customers")
	s.press("button", "Sync customers")
	s.heading("Upstock has the customers")
	s.press("a", "Import customers")
	s.heading("Import customers")
	s.press("button", "Import all active customers")
	s.heading("Upstock has the customers")
	s.press("a", "To be linked")
	s.do(chromedp.WaitVisible(`//article[contains(., "Quokka Roasters")]//label[contains(., "Quokka Roaster")]`))
	s.look("customers-to-link", "")
	s.press("button", "Link this customer")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "is linked")]`))
	s.waitUntil("the customer is linked", func() bool {
		for _, c := range inUpstock[soldThere](s, acc, "customers") {
			if c.Name == "Quokka Roasters" && c.ExternalID != "" {
				return true
			}
		}
		return false
	})
}

// waitUntil waits for something that is done by itself.
func (s *stage) waitUntil(what string, so func() bool) {
	s.t.Helper()
	for end := time.Now().Add(longest); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("it does not come that %s: %s", what, s.text())
		}
	}
}

// setPrice changes all prices of a product in Cin7 Core.
func (s *stage) setPrice(acc sim.Account, price string) {
	s.t.Helper()
	var list struct{ Items []struct{ ID, SKU string } }
	s.tell(s.demo.sim, http.MethodGet, "/sim/cin7core/products?account="+acc.Cin7Core.AccountID, nil, &list)
	change := map[string]any{"PriceTier1": price, "PriceTier2": price, "PriceTier3": price}
	for _, p := range list.Items {
		if p.SKU == "RIM-250" {
			s.tell(s.demo.sim, http.MethodPut, "/sim/cin7core/products/"+p.ID, change, nil)
			return
		}
	}
	s.t.Fatal("Cin7 Core has no such product")
}

// costs reports whether a price list of Upstock's has a price.
func (s *stage) costs(acc sim.Account, price string) bool {
	s.t.Helper()
	for _, l := range inUpstock[struct{ Prices map[string]string }](s, acc, "price-lists") {
		for _, p := range l.Prices {
			if p == price {
				return true
			}
		}
	}
	return false
}

// changePrice changes a price in Cin7 Core, syncs it, and has it explained.
func (s *stage) changePrice(acc sim.Account) {
	s.t.Helper()
	s.setPrice(acc, "13.75")
	s.open("/t/"+s.tenant+"/prices", "Price lists")
	s.press("button", "Sync prices")
	s.heading("Upstock has the prices")
	if !s.costs(acc, "13.75") {
		s.t.Error("no price list has the new price")
	}
	s.press("a", "Explain a price")
	s.heading("Explain a price")
	s.do(chromedp.SendKeys(chromedp.ID("c"), "quokka"), chromedp.SendKeys(chromedp.ID("p"), "rimu"))
	s.press("button", "Explain this price")
	s.do(chromedp.WaitVisible(`//h2[contains(., "Quokka Roasters pays 13.75 NZD for Rimu Honey 250 g")]`))
	s.look("explained", "")
}

// approvePrice has a price held that doubles, and says yes.
func (s *stage) approvePrice(acc sim.Account) {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/catalogue", "Settings of products, customers and prices")
	s.do(chromedp.SetValue(chromedp.ID("priceHoldPercent"), "20"))
	s.press("button", "Save settings")
	s.said("They count from the next sync on")
	s.setPrice(acc, "27.50")
	s.open("/t/"+s.tenant+"/prices", "Price lists")
	s.press("button", "Sync prices")
	s.heading("Upstock has the prices")
	if s.costs(acc, "27.50") {
		s.t.Error("a price that doubles is sent")
	}
	s.look("home-held", "/t/"+s.tenant)
	s.press("a", "Look at the price changes")
	s.heading("Price changes")
	s.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("input[name=choice]").forEach((b) => b.click())`))
	s.look("changes-chosen", "")
	s.press("button", "Approve")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "approved, and sent")]`))
	s.waitUntil("the price is in Upstock", func() bool { return s.costs(acc, "27.50") })
}

// lookAtCatalogue looks at every page of the catalogue.
func (s *stage) lookAtCatalogue() {
	s.t.Helper()
	t, api := "/t/"+s.tenant, "/api/v1/tenants/"+s.tenant
	first := func(path string) string {
		var list struct{ Items []struct{ ID string } }
		if s.tell(s.demo.api, http.MethodGet, api+path, nil, &list); len(list.Items) == 0 {
			s.t.Fatalf("nothing is under %s", path)
		}
		return url.PathEscape(list.Items[0].ID)
	}
	customer := first("/customers?q=quokka")
	for name, path := range map[string]string{
		"products": "/products", "products-import": "/products/import", "products-none": "/products?q=nothing",
		"product": "/products/" + first("/products?q=rimu"), "customers": "/customers",
		"customers-import": "/customers/import", "customers-inactive": "/customers?list=inactive",
		"customers-linked": "/customers?list=toLink", "customer": "/customers/" + customer,
		"unlink": "/customers/" + customer + "/unlink", "prices": "/prices",
		"price-list": "/prices/lists/" + first("/price-lists"), "price-changes": "/prices/changes",
		"price-changes-applied": "/prices/changes?state=applied", "price-preview": "/prices/preview",
		"explain": "/prices/explain?customer=" + customer, "settings-catalogue": "/settings/catalogue",
	} {
		s.look(name, t+path)
	}
}
