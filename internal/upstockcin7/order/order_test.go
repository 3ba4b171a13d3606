package order_test

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"stockbridge/internal/upstockcin7/order"
)

// storedNames are those of an order's fields in the table. A name may be added. None may go or change: orders stay for
// years, and the version before reads those of this one.
const storedNames = `account adopted ahead alive anew approved ask asked atPrices attempts autoPick awaits
	beside by byWebhook cancelled confirmed copied createdFor currency customer dead doubt dropped edits
	exchanges failed failing failures foreign former found granted handling id intents kept lease listed looked
	looks needs newSale next none number occurred ofPlan owed parcels parked parkedAt parts past plans problems
	readBack received reference replan reread rounding said saleId saleNumber saleTotal searched seen soldAs
	soldAt stale state sums supplier tellDoubt timeline told total unclear unpicked unsettled unwanted void
	voided waits watches why wishes without`

// TestStoredNames: an order is one flat object, of its own fields and the run's.
func TestStoredNames(t *testing.T) {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[order.Order]()) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && !f.Anonymous && name != "-" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	if want := strings.Fields(storedNames); !slices.Equal(names, want) {
		t.Errorf("stored as %v, want %v", names, want)
	}
	if _, own := any(new(order.Order)).(json.Marshaler); own {
		t.Error("a MarshalJSON of the run's, or of another part's, would be the order's")
	}
	if _, own := any(new(order.Order)).(json.Unmarshaler); own {
		t.Error("an UnmarshalJSON of the run's, or of another part's, would be the order's")
	}
}
