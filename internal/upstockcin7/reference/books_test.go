package reference

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/table"
	"stockbridge/internal/upstockcin7/sale"
)

func TestBookWarnings(t *testing.T) {
	good := func() sale.Books {
		return sale.Books{
			Me:        cin7core.Me{Currency: "NZD", TaxCalculationMethod: "Row Total"},
			Locations: []cin7core.Location{{Name: "Main", IsDefault: true}},
			Contacts:  []cin7core.Contact{{Name: "API Sales", Type: "Sale"}},
			TaxRules:  []cin7core.TaxRule{{Name: "GST", IsActive: true, IsTaxForSale: true}},
		}
	}
	if got := bookWarnings(good()); got != nil {
		t.Errorf("good books: %q", got)
	}
	for want, spoil := range map[string]func(*sale.Books){
		"discounts":       func(b *sale.Books) { b.Me.AutomaticallyApplyDiscounts = true },
		"31 December":     func(b *sale.Books) { b.Me.LockDateText = "31/12/2999" },
		"or 4 March 2999": func(b *sale.Books) { b.Me.LockDateText = "03/04/2999" },
		"cannot be read":  func(b *sale.Books) { b.Me.LockDateText = "Hogmanay" },
		"computing tax":   func(b *sale.Books) { b.Me.TaxCalculationMethod = "" },
		"currency":        func(b *sale.Books) { b.Me.Currency = "" },
		"API Sales":       func(b *sale.Books) { b.Contacts = nil },
		"default locat":   func(b *sale.Books) { b.Locations[0].IsDeprecated = true },
		"no active tax r": func(b *sale.Books) { b.TaxRules[0].IsTaxForSale = false },
	} {
		b := good()
		spoil(&b)
		if got := bookWarnings(b); len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q", want, got)
		}
	}
}

// The books survive the table, without what may be too much for it.
func TestBooksRoundTrip(t *testing.T) {
	b := sale.Books{
		Me:        cin7core.Me{Company: "Bush Larder", LockDateText: "01/02/2026"},
		Locations: []cin7core.Location{{Name: "Main", IsDefault: true}},
	}
	want := b
	for i := range 20_000 {
		bin := cin7core.Location{Name: fmt.Sprint("Bin ", i), ParentID: "0365e5bb-e5ea-4a45-b98b-fdc4466bdaf1"}
		b.Locations = append(b.Locations, bin)
	}
	data, err := table.Marshal(keptBooks(b))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadBooks(data)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := ReadBooks([]byte("nonsense")); err == nil {
		t.Error("nonsense was read")
	}
	if len(b.Locations) != 20_001 {
		t.Error("the caller's books were changed")
	}
}
