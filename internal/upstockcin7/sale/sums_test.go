package sale

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"
)

// TestSums: what charges come to by each way of reckoning, and whose total that is. Every number was reckoned by hand.
func TestSums(t *testing.T) {
	for _, c := range []struct {
		name        string
		charges     string // quantity × price − discount + tax, in percent
		order, sale string
		onTotal     bool
		want        []string
	}{
		{"small lines, taxed at once", "1 0.05 0 15, 1 0.05 0 15, 1 0.05 0 15", "0.18", "0.17", true, []string{
			"Tax line by line 0.18 Upstock", "Tax on the total 0.17 Cin7 Core"}},
		{"the order is taxed at once", "1 0.05 0 15, 1 0.05 0 15, 1 0.05 0 15", "0.17", "0.18", false,
			[]string{"Tax line by line 0.18 Cin7 Core", "Tax on the total 0.17 Upstock"}},
		{"each percentage by itself",
			"1 0.05 0 15, 1 0.05 0 15, 1 0.05 0 15, 1 0.05 0 5, 1 0.05 0 5, 1 0.05 0 0", "0.33", "0.33", true,
			[]string{"Tax line by line 0.33 Upstock", "Tax on the total 0.33 Cin7 Core"}},
		{"a discount after tax", "3 1 7.5 15", "3.19", "3.20", false, []string{
			"Tax line by line, discount before tax 3.20 Cin7 Core", "Tax on the total, discount before tax 3.20",
			"Tax line by line, discount after tax 3.19 Upstock", "Tax on the total, discount after tax 3.19"}},
		{"a discounted price that is rounded first", "7 1.21 7.5 15", "9.00", "9.02", false, []string{
			"Tax line by line, discount before tax 9.00 Upstock", "Tax on the total, discount before tax 9.00",
			"Tax line by line, discount after tax 9.01", "Tax on the total, discount after tax 9.01",
			"Tax line by line, discount before tax, each price after its discount rounded to 4 decimals first 9.02 " +
				"Cin7 Core"}},
		{"a total of the order's own", "1 10 0 15", "11.51", "11.50", false, []string{
			"The order’s own total 11.51 Upstock", "Tax line by line 11.50 Cin7 Core", "Tax on the total 11.50"}},
		{"no tax at all", "2 1.005 0 0", "2.02", "2.01", true, []string{
			"The order’s own total 2.02 Upstock", "Tax line by line 2.01", "Tax on the total 2.01 Cin7 Core"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var charges []charge
			for text := range strings.SplitSeq(c.charges, ", ") {
				var n [4]decimal.Decimal
				for i, part := range strings.Fields(text) {
					n[i] = decimal.RequireFromString(part)
				}
				charges = append(charges, charge{n[0], n[1], n[2], n[3]})
			}
			var got []string
			for _, s := range name(waysOf(charges), decimal.RequireFromString(c.order),
				decimal.RequireFromString(c.sale), c.onTotal) {
				got = append(got, strings.TrimSpace(fmt.Sprint(s.Way, " ", s.Total.StringFixed(2), " ", s.Of)))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
