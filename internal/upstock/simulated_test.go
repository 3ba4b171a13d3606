package upstock_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/rest"
	"stockbridge/internal/sim"
	simulated "stockbridge/internal/sim/upstock"
	"stockbridge/internal/upstock"
)

// newSupplier returns a simulated supplier and a client of it.
func newSupplier(t *testing.T, o sim.Options) (*sim.Sim, *simulated.Vendor, *upstock.Client) {
	t.Helper()
	v := simulated.New()
	o.Seed, o.NoLimits = "test", true
	s, err := sim.New(o, v)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	a := s.AddAccount("Kauri Wholesale", "NZD")
	return s, v, upstock.New("http://sim.test"+sim.PrefixUpstock, s.Transport(), nil, a.Upstock.Token)
}

// outcomes are the outcomes of a batch, and why items were refused.
func outcomes(t *testing.T, results []upstock.BatchResult, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, r := range results {
		out = append(out, strings.TrimSuffix(r.Outcome+": "+r.Refused(), ": "))
	}
	return strings.Join(out, ", ")
}

// TestCatalogToldAndRead: what is told reads back as it was told, in pages of any size.
func TestCatalogToldAndRead(t *testing.T) {
	_, v, c := newSupplier(t, sim.Options{TinyPages: 3})
	ctx := t.Context()
	goods := []upstock.Product{
		{ExternalID: "p-1", SKU: "A", Name: "Ale", Description: "Dark <b>", Category: "Beer", Brand: "Kea",
			Unit: "Item", Barcode: "94", Price: price("7.4550"),
			ImageURL: "https://files.test/a.png", Status: upstock.Available},
		{ExternalID: "p-2", SKU: "B", Name: strings.Repeat("ā", 256), Status: upstock.Discontinued},
		{ExternalID: "p-3", SKU: "C", Name: strings.Repeat("ā", 257), Status: upstock.Available},
	}
	results, err := c.PutProducts(ctx, goods)
	if got := outcomes(t, results, err); got != "created, created, failed: name is longer than 256" {
		t.Error(got)
	}
	results, err = c.PutProducts(ctx, goods[:2])
	if got := outcomes(t, results, err); got != "unchanged, unchanged" || results[0].ID == 0 {
		t.Error(got)
	}
	goods[0].Description, goods[0].Price, goods[0].ImageURL = "", nil, ""
	results, err = c.PutProducts(ctx, goods[:1])
	if got := outcomes(t, results, err); got != "updated" {
		t.Error(got)
	}
	var held []upstock.Product
	for p, err := range c.Products(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(p.ExternalID, "p-") {
			held = append(held, p)
		}
	}
	if diff := cmp.Diff(goods[:2], held); diff != "" {
		t.Error(diff)
	}

	if err := c.PutPriceList(ctx, "tier:1:2.5", "Trade − 2.5 %", "NZD"); err != nil {
		t.Fatal(err)
	}
	results, err = c.PutPrices(ctx, "tier:1:2.5", []upstock.Price{{"p-1", price("12.1485")}, {"p-2", price("3")},
		{"p-3", price("1")}, {"p-2", nil}})
	if got := outcomes(t, results, err); got != "created, failed: no such product" {
		t.Error(got) // of p-2 it says two things
	}
	for p, err := range c.Prices(ctx, "tier:1:2.5") {
		if err != nil || p.ProductExternalID != "p-1" || p.Price.String() != "12.1485" {
			t.Error(p, err)
		}
	}
	kea := upstock.CustomerRecord{ExternalID: "c-1", Name: "Kea Café", Email: "a@kea.test", Active: true,
		PriceListExternalID: "tier:1:2.5", BillingAddress: &upstock.Address{Line1: "1 High St", Country: "New Zealand"},
		ShippingAddresses: []upstock.Address{{Line1: "2 High St", Country: "New Zealand"}}}
	results, err = c.PutCustomers(ctx, []upstock.CustomerRecord{kea, {ExternalID: "c-2", Name: "X",
		PriceListExternalID: "none"}})
	if got := outcomes(t, results, err); got != "created, failed: priceListExternalId is of no price list" {
		t.Error(got)
	}
	kea.ID = results[0].ID
	var last upstock.CustomerRecord
	for r, err := range c.Customers(ctx) {
		if last = r; err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(kea, last); diff != "" {
		t.Error(diff)
	}
	if err := c.DeletePriceList(ctx, "tier:1:2.5"); rest.KindOf(err) != rest.Conflict {
		t.Error(err)
	}
	if err := c.LinkCustomer(ctx, 309, "c-1"); rest.KindOf(err) != rest.Conflict {
		t.Error(err)
	}
	if err := c.LinkCustomer(ctx, 309, "c-9"); err != nil {
		t.Error(err)
	}
	if err := c.LinkCustomer(ctx, 999, "c-8"); rest.KindOf(err) != rest.NotFound {
		t.Error(err)
	}
	if err := v.RefuseItems(1, simulated.Refusal{ExternalID: "p-1", Error: "Not this one."}); err != nil {
		t.Fatal(err)
	}
	results, err = c.PutProducts(ctx, goods[:2])
	if got := outcomes(t, results, err); got != "failed: Not this one., unchanged" {
		t.Error(got)
	}
}

// TestCatalogWritesCanBeRepeated: whatever goes wrong with a write, before or after it took effect, its outcome is
// said, and once it was repeated Upstock holds what was told, once.
func TestCatalogWritesCanBeRepeated(t *testing.T) {
	for _, fault := range []struct {
		kind, how string
		outcome   rest.Outcome
	}{
		{"before", "refused", rest.Refused}, {"before", "reset", rest.Unknown}, {"before", "500", rest.Unknown},
		{"after", "reset", rest.Unknown}, {"after", "502", rest.Unknown}, {"after", "html", rest.Unknown},
		{"html", "", rest.Unknown}, {"throttle", "", rest.Refused},
	} {
		t.Run(fault.kind+" "+fault.how, func(t *testing.T) {
			t.Parallel()
			s, _, c := newSupplier(t, sim.Options{})
			ctx := t.Context()
			writes := []func() error{
				func() error {
					_, err := c.PutProducts(ctx, []upstock.Product{{ExternalID: "p", SKU: "P", Name: "P",
						Status: upstock.Available}})
					return err
				},
				func() error { return c.PutPriceList(ctx, "l", "List", "NZD") },
				func() error { _, err := c.PutPrices(ctx, "l", []upstock.Price{{"p", price("1.5")}}); return err },
				func() error {
					_, err := c.PutCustomers(ctx, []upstock.CustomerRecord{{ExternalID: "c", Name: "C",
						PriceListExternalID: "l"}})
					return err
				},
				func() error { return c.LinkCustomer(ctx, 301, "other") },
				func() error { return c.PutPriceList(ctx, "gone", "Gone", "NZD") },
				func() error { return c.DeletePriceList(ctx, "gone") },
			}
			for i, write := range writes {
				if err := s.Fault(sim.Upstock, sim.Fault{Match: "*", Kind: fault.kind, How: fault.how}); err != nil {
					t.Fatal(err)
				}
				if err := write(); rest.OutcomeOf(err) != fault.outcome {
					t.Errorf("write %d: %v", i, err)
				}
				if err := write(); err != nil && rest.KindOf(err) != rest.NotFound {
					t.Errorf("write %d again: %v", i, err)
				}
			}
			want := []string{"product p", "customer other ", "customer c l", "list l", "price p 1.5"}
			if got := held(t, c); !slices.Equal(got, want) {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
	_, _, c := newSupplier(t, sim.Options{})
	other := upstock.New("http://sim.test"+sim.PrefixUpstock, c.HTTP, nil, "nobody's")
	if _, err := other.PutProducts(t.Context(), []upstock.Product{{ExternalID: "p"}}); rest.KindOf(err) !=
		rest.Unauthorized {
		t.Error(err)
	}
	if err := c.Do(t.Context(), http.MethodPost, "/products", nil, nil, nil); rest.KindOf(err) != rest.NotSent {
		t.Error(err)
	}
}

// held is what Upstock holds of what the test told it.
func held(t *testing.T, c *upstock.Client) (out []string) {
	t.Helper()
	ctx := t.Context()
	note := func(err error, mine bool, text ...any) {
		if err != nil {
			t.Fatal(err)
		}
		if mine {
			out = append(out, fmt.Sprint(text...))
		}
	}
	for p, err := range c.Products(ctx) {
		note(err, p.ExternalID == "p", "product ", p.ExternalID)
	}
	for r, err := range c.Customers(ctx) {
		note(err, r.ExternalID == "c" || r.ExternalID == "other", "customer ", r.ExternalID, " ", r.PriceListExternalID)
	}
	for l, err := range c.PriceLists(ctx) {
		note(err, true, "list ", l.ExternalID)
	}
	for p, err := range c.Prices(ctx, "l") {
		note(err, true, "price ", p.ProductExternalID, " ", p.Price)
	}
	return out
}
