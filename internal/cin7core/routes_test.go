package cin7core_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
)

// documented are the parameters and the fields of bodies in the vendor's blueprint, by call; also the fields of objects
// and of lists of them.
var documented = map[string]struct{ query, body string }{
	"GET /me":              {},
	"GET /me/contacts":     {query: "Page Limit"},
	"GET /ref/priceTier":   {},
	"GET /ref/tax":         {query: "Page Limit ID Name IsActive IsTaxForSale IsTaxForPurchase Account"},
	"GET /ref/location":    {query: "ID Page Limit Deprecated Name"},
	"GET /ref/carrier":     {query: "Page Limit CarrierID Description"},
	"GET /ref/paymentterm": {query: "Page Limit ID Name Method IsActive IsDefault"},
	"GET /saleList": {query: "Page Limit Search CreatedSince UpdatedSince UpdatedUntil ShipBy QuoteStatus " +
		"OrderStatus CombinedPickStatus " +
		"CombinedPackStatus CombinedShippingStatus CombinedInvoiceStatus CreditNoteStatus ExternalID Status " +
		"ReadyForShipping OrderLocationID"},
	"GET /customer": {query: "Page Limit ID Name ModifiedSince IncludeDeprecated IncludeProductPrices ContactFilter"},
	"GET /product": {query: "ID Page Limit Name Sku ModifiedSince IncludeDeprecated IncludeBOM IncludeSuppliers " +
		"IncludeMovements " +
		"IncludeAttachments IncludeReorderLevels IncludeCustomPrices"},
	"GET /ref/productavailability": {query: "Page Limit ID Name Sku Location Batch Category"},

	"GET /sale":    {query: "ID CombineAdditionalCharges HideInventoryMovements IncludeTransactions CountryFormat"},
	"DELETE /sale": {query: "ID Void"},
	"POST /sale": {body: "Customer CustomerID Contact Phone Email DefaultAccount SkipQuote BillingAddress.ID " +
		"BillingAddress.Line1 BillingAddress.Line2 " +
		"BillingAddress.City BillingAddress.State BillingAddress.Postcode BillingAddress.Country ShippingAddress.ID " +
		"ShippingAddress.Line1 " +
		"ShippingAddress.Line2 ShippingAddress.City ShippingAddress.State ShippingAddress.Postcode " +
		"ShippingAddress.Country ShippingAddress.Company " +
		"ShippingAddress.Contact ShippingAddress.ShipToOther ShippingNotes TaxRule TaxInclusive Terms PriceTier " +
		"ShipBy SaleOrderDate Location Note " +
		"CustomerReference CurrencyRate SalesRepresentative Carrier ExternalID " + attributes + "SaleType ServiceOnly"},
	"POST /sale/order": {body: "SaleID CombineAdditionalCharges Memo Status AutoPickPackShipMode " +
		"TotalBeforeTax Tax Total " +
		"Lines.ProductID Lines.SKU Lines.Name Lines.Quantity Lines.Price Lines.Discount Lines.Tax Lines.TaxRule " +
		"Lines.Comment Lines.DropShip Lines.Total " +
		"AdditionalCharges.Description AdditionalCharges.Price AdditionalCharges.Quantity AdditionalCharges.Discount " +
		"AdditionalCharges.Tax " +
		"AdditionalCharges.Total AdditionalCharges.TaxRule AdditionalCharges.Comment"},
	"POST /sale/fulfilment/pick": {body: "TaskID Status AutoPickMode Lines.ProductID Lines.SKU Lines.Name " +
		"Lines.Location Lines.LocationID Lines.Quantity Lines.BatchSN Lines.ExpiryDate"},
	"POST /sale/fulfilment/pack": {body: "TaskID Status Lines.ProductID Lines.SKU Lines.Name Lines.Location " +
		"Lines.LocationID Lines.Quantity Lines.BatchSN Lines.ExpiryDate Lines.Box Lines.WarrantyRegistrationNumber"},
	"POST /sale/fulfilment/ship": {body: "TaskID Status RequireBy ShippingAddress ShippingNotes " +
		"Lines.ShipmentDate Lines.Carrier Lines.Box Lines.TrackingNumber Lines.IsShipped"},
	"GET /webhooks":    {},
	"DELETE /webhooks": {query: "ID"},
	"POST /webhooks":   {body: "Type IsActive ExternalURL ExternalAuthorizationType ExternalBearerToken"},
	"PUT /webhooks":    {body: "ID Type IsActive ExternalURL ExternalAuthorizationType ExternalBearerToken"},
}

const attributes = "AdditionalAttributes.AdditionalAttribute1 AdditionalAttributes.AdditionalAttribute2 " +
	"AdditionalAttributes.AdditionalAttribute3 " +
	"AdditionalAttributes.AdditionalAttribute4 AdditionalAttributes.AdditionalAttribute5 " +
	"AdditionalAttributes.AdditionalAttribute6 " +
	"AdditionalAttributes.AdditionalAttribute7 AdditionalAttributes.AdditionalAttribute8 " +
	"AdditionalAttributes.AdditionalAttribute9 " +
	"AdditionalAttributes.AdditionalAttribute10 "

// fields returns the paths of the fields of a body.
func fields(at string, v any) (names []string) {
	switch v := v.(type) {
	case map[string]any:
		for name, value := range v {
			names = append(names, fields(strings.TrimPrefix(at+"."+name, "."), value)...)
		}
	case []any:
		for _, value := range v {
			names = append(names, fields(at, value)...)
		}
	default:
		names = []string{at}
	}
	return names
}

// TestRequestsAreDocumented makes every call with all its parameters and fields: each is sent, and all are documented.
func TestRequestsAreDocumented(t *testing.T) {
	f, c := newVendor(t)
	ctx, now, one := t.Context(), time.Now(), decimal.NewFromInt(1)
	f.body = `{"ID":"5f1c7a10-0d5b-4a51-9c2e-8b0f3f6a77d1"}`
	address := cin7core.AddressRef{Line1: "1", Line2: "2", City: "c", State: "s", Postcode: "p", Country: "x",
		Company: "co", Contact: "ct", ShipToOther: true}
	hook := cin7core.Webhook{ID: "1", Type: "Sale/Voided", Active: true, URL: "https://hooks.example/x",
		AuthorizationType: cin7core.BearerAuth, BearerToken: "b"}
	calls := []func(context.Context) error{
		func(ctx context.Context) error { _, err := c.Me(ctx); return err },
		func(ctx context.Context) error { _, err := c.Contacts(ctx); return err },
		func(ctx context.Context) error { _, err := c.Locations(ctx); return err },
		func(ctx context.Context) error { _, err := c.TaxRules(ctx); return err },
		func(ctx context.Context) error { _, err := c.PaymentTerms(ctx); return err },
		func(ctx context.Context) error { _, err := c.PriceTiers(ctx); return err },
		func(ctx context.Context) error { _, err := c.Carriers(ctx); return err },
		func(ctx context.Context) error {
			_, err := c.CustomersPage(ctx,
				cin7core.CustomersQuery{Name: "n", ContactFilter: "f", ModifiedSince: now, IncludeDeprecated: true,
					IncludeProductPrices: true, Page: 2})
			return err
		},
		func(ctx context.Context) error { _, err := c.Customer(ctx, "1"); return err },
		func(ctx context.Context) error {
			_, err := c.ProductsPage(ctx,
				cin7core.ProductsQuery{Name: "n", SKU: "s", ModifiedSince: now, IncludeDeprecated: true,
					IncludeAttachments: true, IncludeCustomPrices: true})
			return err
		},
		func(ctx context.Context) error { _, err := c.Product(ctx, "1"); return err },
		func(ctx context.Context) error {
			_, err := c.AvailabilityPage(ctx, cin7core.AvailabilityQuery{ID: "1", SKU: "s", Location: "l", Page: 2})
			return err
		},
		func(ctx context.Context) error { _, err := c.ProductsBySKU(ctx, "s"); return err },
		func(ctx context.Context) error {
			_, err := c.SalesPage(ctx, cin7core.SalesQuery{ExternalID: "e", Search: "s", CreatedSince: now,
				UpdatedSince: now, UpdatedUntil: now,
				Status: "DRAFT", OrderStatus: "DRAFT", CombinedShippingStatus: "SHIPPED"})
			return err
		},
		func(ctx context.Context) error { _, err := c.Sale(ctx, "1"); return err },
		func(ctx context.Context) error { _, err := c.VoidSale(ctx, "1"); return err },
		func(ctx context.Context) error { _, err := c.UndoSale(ctx, "1"); return err },
		func(ctx context.Context) error {
			_, err := c.CreateSale(ctx, cin7core.SaleHeader{CustomerID: "1", Customer: "n", Contact: "c", Phone: "p",
				Email: "e", BillingAddress: address, ShippingAddress: address,
				ShippingNotes: "n", TaxRule: "t", TaxInclusive: true, Terms: "t", PriceTier: "p", ShipBy: now,
				SaleOrderDate: now, Location: "l", Note: "n", CustomerReference: "r",
				CurrencyRate: one, SalesRepresentative: "s", Carrier: "c", ExternalID: "e",
				AdditionalAttributes: cin7core.Attributes{AdditionalAttribute1: "a"}, SaleType: "Simple",
				SkipQuote: true})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.SaveOrder(ctx, cin7core.OrderDocument{SaleID: "1", Memo: "m", Status: "DRAFT",
				AutoPickPackShipMode: "AUTOPICK",
				Lines: []cin7core.OrderLine{{ProductID: "1", SKU: "s", Name: "n", Quantity: one, Price: one,
					Discount: one, Tax: one, TaxRule: "t", Comment: "c", DropShip: true, Total: one}},
				AdditionalCharges: []cin7core.Charge{{Description: "d", Price: one, Quantity: one, Discount: one,
					Tax: one, Total: one, TaxRule: "t", Comment: "c"}}})
			return err
		},
		func(ctx context.Context) error {
			picked := []cin7core.HandlingLine{{ProductID: "1", SKU: "s", Name: "n", Location: "l", LocationID: "2",
				Quantity: one, BatchSN: "b", ExpiryDate: now}}
			_, err := c.AuthorisePick(ctx, "1", picked)
			return err
		},
		func(ctx context.Context) error {
			packed := []cin7core.HandlingLine{{ProductID: "1", SKU: "s", Name: "n", Location: "l", LocationID: "2",
				Box: "Box 1", Quantity: one, BatchSN: "b", ExpiryDate: now}}
			_, err := c.AuthorisePack(ctx, "1", packed)
			return err
		},
		func(ctx context.Context) error {
			_, err := c.AuthoriseShipment(ctx, "1", []cin7core.ShipLine{{ShipmentDate: now, Carrier: "c",
				Boxes: "Box 1", TrackingNumber: "t"}})
			return err
		},
		func(ctx context.Context) error { _, err := c.Webhooks(ctx); return err },
		func(ctx context.Context) error { _, err := c.CreateWebhook(ctx, hook); return err },
		func(ctx context.Context) error { _, err := c.UpdateWebhook(ctx, hook); return err },
		func(ctx context.Context) error { return c.DeleteWebhook(ctx, "1") },
	}
	made := map[string]bool{}
	for i, call := range calls {
		before := len(f.requests)
		err := call(ctx)
		if len(f.requests) == before {
			t.Fatalf("call %d was not sent: %v", i, err)
		}
		r, sent := f.requests[before], f.sent[before]
		name := r.Method + " " + strings.TrimPrefix(r.URL.Path, "/ExternalApi/v2")
		made[name] = true
		doc := documented[name]
		for param := range r.URL.Query() {
			if !slices.Contains(strings.Fields(doc.query), param) {
				t.Errorf("%s: parameter %s is not documented", name, param)
			}
		}
		var body any
		if sent != "" {
			if err := json.Unmarshal([]byte(sent), &body); err != nil {
				t.Fatal(err)
			}
			for _, field := range fields("", body) {
				if !slices.Contains(strings.Fields(doc.body), field) {
					t.Errorf("%s: field %s is not documented", name, field)
				}
			}
		} else if doc.body != "" {
			t.Errorf("%s was sent without a body", name)
		}
	}
	if left := len(documented) - len(made); left != 0 || len(made) != len(cin7core.Routes()) {
		t.Errorf("calls made %v", slices.Sorted(maps.Keys(made)))
	}
}
