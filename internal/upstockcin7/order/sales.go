package order

import (
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
)

// What a run says of the sales of its order.

// Made returns the sales that creates are known to have made and that we, or a
// person's decision, have not done away with.
func (o *Order) Made() []string {
	var ids []string
	for _, i := range o.Of(StepCreate, ledger.Done) {
		if !slices.Contains(o.Voided, i.Target) && !slices.Contains(ids, i.Target) {
			ids = append(ids, i.Target)
		}
	}
	return ids
}

// Unanswered returns the creates of which it is not known whether they made a sale.
func (o *Order) Unanswered() []ledger.Intent {
	return slices.DeleteFunc(o.Of(StepCreate, ledger.Open), func(i ledger.Intent) bool { return i.Settled })
}

// OpenVoids returns the voids of which it is not known whether they took effect.
func (o *Order) OpenVoids() []ledger.Intent {
	return slices.DeleteFunc(o.Of(StepVoid, ledger.Open), func(i ledger.Intent) bool { return i.Settled })
}

// Undecided reports whether it is not known which sales there are: some create
// may yet show to have made one, or some void to have taken effect.
func (o *Order) Undecided() bool { return len(o.Unanswered()) > 0 || len(o.OpenVoids()) > 0 }

// NothingMade reports whether no create of the order can have made a sale that still counts.
func (o *Order) NothingMade() bool { return o.SaleID == "" && len(o.Made()) == 0 && !o.Undecided() }

// voidedByUs reports whether every sale that a create made was voided by us.
func (o *Order) voidedByUs() bool {
	voids := o.Of(StepVoid, ledger.Done)
	return !slices.ContainsFunc(o.Of(StepCreate, ledger.Done), func(i ledger.Intent) bool {
		return !slices.ContainsFunc(voids, func(v ledger.Intent) bool { return v.Target == i.Target })
	})
}

// The codes of an order whose sale is no more.
const (
	SaleVoided = "saleVoided"
	SaleGone   = "saleGone"
)

// IsLost reports whether a code is of an order whose sale is no more.
func IsLost(code string) bool { return code == SaleVoided || code == SaleGone }

// LostItsSale reports whether a person is asked what becomes of the order, as
// its sale was voided, or is gone.
func (o *Order) LostItsSale() bool {
	return slices.ContainsFunc(o.Problems, func(p ledger.Problem) bool { return IsLost(p.Code) })
}

// NextWatch is when a twin is to be looked for next; zero = never.
func (o *Order) NextWatch() time.Time {
	if len(o.Watches) == 0 {
		return time.Time{}
	}
	return o.Watches[0]
}

// TellRefused has the parcels told again that Upstock refused, by the next reading.
// It reports whether there are some.
func (o *Order) TellRefused() (some bool) {
	for i := range o.Parcels {
		if p := &o.Parcels[i]; p.Refused != "" && !p.Gone {
			p.Hash, some = "", true
		}
	}
	return some
}

// How the sentences begin that tell of a sale which stands for an order, or may,
// and is not on record as ours.
const (
	ShownAsSold = "Upstock shows this order as already sold, as "
	OwnSale     = "The order's sale "
	OthersSale  = "Cin7 Core already has a sale with this reference for this customer that is not ours: "
	MaybeSale   = "Cin7 Core may already have this order, as "
)

// TellsOfStrangeSale reports whether a sentence begins so.
func TellsOfStrangeSale(text string) bool {
	begins := []string{ShownAsSold, OwnSale, OthersSale, MaybeSale}
	return slices.ContainsFunc(begins, func(b string) bool { return strings.HasPrefix(text, b) })
}

// sayStrange keeps, beyond its problems, what is known of a sale of the order that is not ours.
func (o *Order) sayStrange() (known bool) {
	for _, p := range o.Problems {
		if o.SoldAt.IsZero() && TellsOfStrangeSale(p.Message) {
			o.Say(p.Message)
			known = true
		}
	}
	return known
}
