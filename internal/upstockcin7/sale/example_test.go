package sale_test

import (
	"encoding/json"
	"fmt"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// An order becomes a whole sale, with the total that Cin7 Core will show; or all that stands against it is said at once.
func ExampleMake() {
	const card, tea = "c0000000-0000-4000-8000-000000000001", "a0000000-0000-4000-8000-000000000001"
	ref := sale.Reference{
		Supplier: 42,
		Books: sale.Books{
			Me:        cin7core.Me{Currency: "NZD"},
			Locations: []cin7core.Location{{ID: "l1", Name: "Main Warehouse", IsDefault: true}},
			TaxRules:  []cin7core.TaxRule{{Name: "GST on Income", IsActive: true, TaxPercent: decimal.NewFromInt(15), IsTaxForSale: true}},
		},
		Customers: []cin7core.Customer{{ID: card, Name: "Kōwhai Café", Currency: "NZD", TaxRule: "GST on Income", Status: "Active"}},
		Products:  []cin7core.Product{{ID: tea, SKU: "TEA-1", Name: "Tea", Type: "Stock", Status: "Active"}},
		Live:      true, // what is missing was looked for: nothing more is wanted
	}
	for _, sku := range []string{"TEA-1", "TEA-2"} {
		order, faults := upstock.ParseOrder(json.RawMessage(`{"id": 4711, "orderNumber": "880123", "reference": "PO-77", "currency": "NZD", "status": "processing",
			"approvedAt": "2026-03-10T02:00:00Z", "deliveryAddress": {"line1": "2 Quay Street", "city": "Auckland", "country": "NZ"},
			"customer": {"id": 5, "name": "Kowhai Cafe"},
			"lines": [{"id": 1, "sku": "` + sku + `", "quantity": "3", "unitPrice": "12.50", "taxRate": "15.00"}]}`))
		plan, problems, _ := sale.Make(order, faults, tenant.DefaultSettings(), ref)
		for _, p := range problems {
			fmt.Println(p.Code+":", p.Message)
		}
		if len(problems) == 0 {
			fmt.Println(plan.Header.ExternalID, plan.Header.CustomerReference, plan.Order.Lines[0].Name, plan.SaleTotal.StringFixed(2))
		}
	}
	// Output:
	// upstock:42:4711 PO-77 Tea 43.13
	// unknownSku: Line 1 (SKU “TEA-2”): Cin7 Core has no product with this SKU.
}
