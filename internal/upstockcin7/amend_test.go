package upstockcin7

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// TestAmended: where Cin7 Core reckons a row a cent otherwise, its total is the one that it has, and Upstock's stays.
func TestAmended(t *testing.T) {
	before := []order.Sum{{Way: "Tax line by line", Total: "3.20", Of: sale.OfCore},
		{Way: "Tax on the total", Total: "3.19", Of: sale.OfUpstock}}
	want := []order.Sum{{Way: "Tax line by line", Total: "3.20"},
		{Way: "Tax on the total", Total: "3.19", Of: sale.OfUpstock},
		{Way: "As Cin7 Core reckons one of its rows", Total: "3.21", Of: sale.OfCore}}
	if d := cmp.Diff(want, amended(before, "3.21")); d != "" {
		t.Error(d)
	}
	if before[0].Of != sale.OfCore || amended(nil, "3.21") != nil {
		t.Errorf("%v", before)
	}
}
