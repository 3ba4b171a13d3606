package upstockcin7

import (
	"encoding/json"
	"fmt"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// refreeze makes an amended plan the one that the order is bound to, before its lines are sent again.
func (w *work) refreeze(p *sale.Plan) error {
	data, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if err := w.update(func(r *order.Order, x *ledger.Extra) error {
		x.Plan = data
		r.Sums = amended(r.Sums, p.SaleTotal.StringFixed(2))
		r.Say(fmt.Sprintf("Cin7 Core reckons one row's total a cent otherwise, so it was sent as Cin7 Core has it: "+
			"the sale is %s.", p.SaleTotal.StringFixed(2)))
		r.Note(w.Now(), "Cin7 Core refused a row's total that is a cent apart from its own. The lines are sent once "+
			"more with its own.")
		return nil
	}); err != nil {
		return err
	}
	w.bind(p, data)
	return nil
}

// amended are an order's sums where Cin7 Core has another total than was reckoned; none, where there were none.
func amended(sums []order.Sum, total string) []order.Sum {
	if len(sums) == 0 {
		return nil
	}
	var list []order.Sum
	for _, s := range sums {
		if s.Of == sale.OfCore {
			s.Of = ""
		}
		list = append(list, s)
	}
	return append(list, order.Sum{Way: "As Cin7 Core reckons one of its rows", Total: total, Of: sale.OfCore})
}

// unlike says where the order that Cin7 Core answered is not in the state that was asked for. Found
// at a later reading, an order that is further on is people's work.
func unlike(asked, got cin7core.Status, ours bool) string {
	began := got.Is(cin7core.Draft, cin7core.NotAvailable, "")
	switch {
	case asked.Is(cin7core.Authorised) && began:
		return fmt.Sprintf("Cin7 Core was asked to authorise the sale's order, and left it at %s: authorise it "+
			"in Cin7 Core.", prose.Quote(strings.ToLower(string(got))))
	case asked.Is(cin7core.Draft) && !began && ours:
		return fmt.Sprintf("The sale's order was sent as a draft, and Cin7 Core made it %s.",
			prose.Quote(strings.ToLower(string(got))))
	}
	return ""
}
