package sale_test

import (
	"fmt"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// An order is planned from the mirror. What the mirror does not have is read live before it counts as a problem: here
// its product, which was added a moment ago.
func ExampleMake() {
	gst := decimal.NewFromInt(15)
	order := upstock.Order{
		ID: 4711, OrderNumber: "880123", Currency: "NZD", OrderDate: upstock.Date{Year: 2026, Month: 3, Day: 10},
		Customer: upstock.Customer{ID: 5, Name: "Kōwhai Café", ExternalID: "c1"},
		Lines: []upstock.Line{
			{SKU: "TEA-1", Quantity: decimal.NewFromInt(3), UnitPrice: decimal.RequireFromString("12.50"),
				TaxRate: &gst},
		},
	}
	mirror := sale.Reference{
		Supplier: 42,
		Books: sale.Books{
			Me:        cin7core.Me{Currency: "NZD", TaxCalculationMethod: "Row Total"},
			Locations: []cin7core.Location{{Name: "Main Warehouse", IsDefault: true}},
			TaxRules:  []cin7core.TaxRule{{Name: "GST on Income", TaxPercent: gst, IsActive: true, IsTaxForSale: true}},
			Contacts:  []cin7core.Contact{{Name: "API Sales", Type: "Sale"}},
		},
		Customers: []cin7core.Customer{{ID: "c1", Name: "Kōwhai Café", Currency: "NZD", TaxRule: "GST on Income"}},
	}

	_, problems, wants := sale.Make(order, nil, sale.DefaultSettings(), mirror)
	for _, p := range problems {
		fmt.Println(p.Message)
		fmt.Println(p.Fix)
	}
	for _, w := range wants {
		fmt.Println("read live:", w.Kind, w.SKU)
	}

	live := mirror
	live.Products = []cin7core.Product{{ID: "p1", SKU: "TEA-1", Name: "Tea"}}
	live.Live = true
	plan, problems, _ := sale.Make(order, nil, sale.DefaultSettings(), live)
	fmt.Println(len(problems), "problems")
	fmt.Println(plan.Header.ExternalID, plan.Header.CustomerReference, plan.Header.Location)
	fmt.Println(plan.Order.Lines[0].Name, plan.Order.Lines[0].TaxRule, plan.SaleTotal)
	// Output:
	// Line 1 (SKU “TEA-1”): Cin7 Core has no product with this SKU.
	// Pick the right product, add it in Cin7 Core, or correct its SKU in Upstock, then retry the order.
	// read live: product TEA-1
	// 0 problems
	// upstock:42:4711 880123 Main Warehouse
	// Tea GST on Income 43.13
}
