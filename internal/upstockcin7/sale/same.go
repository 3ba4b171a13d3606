package sale

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
)

// SameLines reports whether the lines and charges of an order read back are those that were sent, in any order: Cin7
// Core gives no word on how it sorts them. White space in comments does not count, nor does a cent of a row's tax,
// which the account may work out anew.
func SameLines(sent, got cin7core.OrderDocument) bool {
	return paired(sent.Lines, got.Lines, sameLine) && paired(sent.AdditionalCharges, got.AdditionalCharges, sameCharge)
}

func sameLine(s, g cin7core.OrderLine) bool {
	return strings.EqualFold(s.ProductID, g.ProductID) && s.Quantity.Equal(g.Quantity) && s.Price.Equal(g.Price) &&
		s.Discount.Equal(g.Discount) && s.Total.Equal(g.Total) && match.Same(s.TaxRule, g.TaxRule) &&
		withinCent(s.Tax, g.Tax) && sameButBlanks(s.Comment, g.Comment)
}

func sameCharge(s, g cin7core.Charge) bool {
	return sameButBlanks(s.Description, g.Description) && s.Quantity.Equal(g.Quantity) && s.Price.Equal(g.Price) &&
		s.Discount.Equal(g.Discount) && s.Total.Equal(g.Total) && match.Same(s.TaxRule, g.TaxRule) &&
		withinCent(s.Tax, g.Tax) && sameButBlanks(s.Comment, g.Comment)
}

// SameGoods reports whether an answer has the goods that were sent, in any order. What the account made of their prices
// shows in the total, and is said.
func SameGoods(sent, got cin7core.OrderDocument) bool {
	return paired(sent.Lines, got.Lines, func(s, g cin7core.OrderLine) bool {
		return strings.EqualFold(s.ProductID, g.ProductID) && s.Quantity.Equal(g.Quantity)
	})
}

// SameHeader reports whether a sale read back still is the header that was sent.
func SameHeader(sent cin7core.SaleHeader, got cin7core.Sale) bool {
	return sent.ExternalID == got.ExternalID && strings.EqualFold(sent.CustomerID, got.CustomerID) &&
		sameButBlanks(sent.CustomerReference, got.CustomerReference) && match.Same(sent.Location, got.Location) &&
		sameDay(sent.SaleOrderDate, got.SaleOrderDate) && sameDay(sent.ShipBy, got.ShipBy) &&
		sameButBlanks(sent.ShippingNotes, got.ShippingNotes)
}

// paired reports whether each of sent has one of got that is the same, and none is left over.
func paired[T any](sent, got []T, same func(s, g T) bool) bool {
	if len(sent) != len(got) {
		return false
	}
	taken := make([]bool, len(got))
	find := func(i int) int {
		for n := range got { // most often it stands at the same place
			if k := (i + n) % len(got); !taken[k] && same(sent[i], got[k]) {
				return k
			}
		}
		return -1
	}
	for i := range sent {
		k := find(i)
		if k < 0 {
			return false
		}
		taken[k] = true
	}
	return true
}

func sameButBlanks(a, b string) bool { return match.Squeeze(a) == match.Squeeze(b) }

func withinCent(a, b decimal.Decimal) bool { return a.Sub(b).Abs().LessThanOrEqual(cent) }

// sameDay compares calendar dates, which both sides hold as their own midnight.
func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }
