package simulate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
)

// verdict compares what people wanted with what stands at the vendors and in the
// ledger: "" if all is well. It knows nothing of how the work is done.
func (w *world) verdict() string {
	var bad []string
	for _, o := range w.orders {
		if text := w.judge(o); text != "" {
			bad = append(bad, fmt.Sprintf("order %d: %s", o.id, text))
		}
	}
	if text := w.budgets(); text != "" {
		bad = append(bad, text)
	}
	return strings.Join(bad, "\n")
}

// judge is the verdict on one order.
func (w *world) judge(o *order) string {
	r := w.run(o)
	if r == nil {
		return "lost: nothing is written down"
	}
	live, _ := w.sales(o)
	full := 0
	for _, s := range live {
		if s.Lines > 0 {
			full++
		}
	}
	up := w.standing(o)
	switch {
	case full > 1:
		return fmt.Sprintf("%d sales with lines", full)
	case r.State == ledger.Attention:
		return "an attention that nobody caused: " + fmt.Sprint(r.Problems)
	case full == 0:
		return "no sale: it is " + string(r.State) + " " + r.Why
	case len(live) > 1:
		return fmt.Sprintf("%d headers beside the sale", len(live)-1)
	case r.SaleID != live[0].ID || r.SaleNumber != live[0].Number:
		return fmt.Sprintf("the ledger says %s, Cin7 Core %s", r.SaleNumber, live[0].Number)
	case live[0].Total != up.Total || r.SaleTotal != up.Total:
		return fmt.Sprintf("totals: order %s, sale %s, ledger %s", up.Total, live[0].Total, r.SaleTotal)
	case up.External != live[0].Number:
		return "Upstock shows " + up.External + " as its sale, which is " + live[0].Number
	}
	if text := w.content(live[0].ID, up.JSON); text != "" {
		return text
	}
	return w.toldOf(o, live[0].ID, up, r)
}

// content compares a sale's goods, prices and delivery address with the order's.
func (w *world) content(sale string, order json.RawMessage) string {
	var o struct {
		Lines []struct {
			SKU, Quantity, UnitPrice, DiscountPercent string
		}
		DeliveryAddress struct{ Line1, City, Postcode string }
	}
	var s struct {
		ShippingAddress struct{ Line1, City, Postcode string }
		Order           struct {
			Lines []struct {
				SKU                       string
				Quantity, Price, Discount json.Number
			}
		}
	}
	raw, err := w.sim.Sale(sale, "", "")
	if err == nil {
		err = json.Unmarshal(raw, &s)
	}
	if err == nil {
		err = json.Unmarshal(order, &o)
	}
	if err != nil {
		return err.Error()
	}
	var want, got []string
	for _, l := range o.Lines {
		want = append(want, fmt.Sprint(l.SKU, " ", decimals(l.Quantity), " at ", decimals(l.UnitPrice), " less ", decimals(l.DiscountPercent)))
	}
	for _, l := range s.Order.Lines {
		got = append(got, fmt.Sprint(l.SKU, " ", decimals(l.Quantity.String()), " at ", decimals(l.Price.String()), " less ", decimals(l.Discount.String())))
	}
	slices.Sort(want)
	slices.Sort(got)
	switch {
	case !slices.Equal(want, got):
		return fmt.Sprintf("its lines are %q, the order's %q", got, want)
	case o.DeliveryAddress.Line1 != "" && o.DeliveryAddress != s.ShippingAddress:
		return fmt.Sprintf("it goes to %v, the order to %v", s.ShippingAddress, o.DeliveryAddress)
	}
	return ""
}

// toldOf compares what left the warehouse with what Upstock was told.
func (w *world) toldOf(o *order, sale string, up sim.OrderSummary, r *ledger.Run) string {
	want, whole := w.parcels(sale)
	var shown struct {
		Status    string
		Shipments []struct {
			Tracking string
			Complete bool
		}
	}
	if err := json.Unmarshal(up.JSON, &shown); err != nil {
		return err.Error()
	}
	var got []string
	complete := 0
	for _, s := range shown.Shipments {
		got = append(got, s.Tracking)
		if s.Complete {
			complete++
		}
	}
	slices.Sort(got)
	switch {
	case !slices.Equal(got, want):
		return fmt.Sprintf("Upstock knows the parcels %q, Cin7 Core %q", got, want)
	case whole && (complete != 1 || shown.Status != "shipped" || r.State != ledger.Shipped):
		return fmt.Sprintf("all is shipped; Upstock says %s with %d complete, the ledger %s", shown.Status, complete, r.State)
	case !whole && (complete > 0 || shown.Status == "shipped"):
		return "Upstock was told that all is shipped, and it is not"
	}
	return ""
}

// budgets counts calls: no account may be called more than 60 times in any minute.
func (w *world) budgets() string {
	seen := map[string]bool{}
	for _, s := range w.shops {
		account := s.account.Cin7Core.AccountID
		if seen[account] {
			continue
		}
		seen[account] = true
		var at []time.Time
		for _, c := range w.sim.Calls(sim.Cin7Core, account) {
			at = append(at, c.At)
		}
		for i := 60; i < len(at); i++ {
			if at[i].Sub(at[i-60]) < time.Minute {
				return fmt.Sprintf("61 calls to Cin7 Core within %s until %s", at[i].Sub(at[i-60]), at[i].Sub(w.begin))
			}
		}
	}
	return ""
}

// decimals is a number without the zeros at its end.
func decimals(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}
