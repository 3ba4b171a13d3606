package sale

import (
	"stockbridge/internal/match"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
)

// SameLines reports whether the lines and charges of an order read back are those that were sent, in any order: Cin7 Core
// gives no word on how it sorts them. White space in comments does not count, nor does a cent of a row's tax, which the
// account may work out anew.
func SameLines(sent, got cin7core.OrderDocument) bool {
	return paired(sent.Lines, got.Lines, func(s, g cin7core.OrderLine) bool {
		return strings.EqualFold(s.ProductID, g.ProductID) && s.Quantity.Equal(g.Quantity) && s.Price.Equal(g.Price) &&
			s.Discount.Equal(g.Discount) && s.Total.Equal(g.Total) && match.Same(s.TaxRule, g.TaxRule) &&
			sameTax(s.Tax, g.Tax) && match.Squeeze(s.Comment) == match.Squeeze(g.Comment)
	}) && paired(sent.AdditionalCharges, got.AdditionalCharges, func(s, g cin7core.Charge) bool {
		return match.Squeeze(s.Description) == match.Squeeze(g.Description) && s.Quantity.Equal(g.Quantity) && s.Price.Equal(g.Price) &&
			s.Discount.Equal(g.Discount) && s.Total.Equal(g.Total) && match.Same(s.TaxRule, g.TaxRule) &&
			sameTax(s.Tax, g.Tax) && match.Squeeze(s.Comment) == match.Squeeze(g.Comment)
	})
}

// SameGoods reports whether an answer has the goods that were sent, in any order.
// What the account made of their prices shows in the total, and is said.
func SameGoods(sent, got cin7core.OrderDocument) bool {
	return paired(sent.Lines, got.Lines, func(a, b cin7core.OrderLine) bool {
		return strings.EqualFold(a.ProductID, b.ProductID) && a.Quantity.Equal(b.Quantity)
	})
}

// paired reports whether each of a has one of b that is the same, and none is left over.
func paired[T any](a, b []T, same func(a, b T) bool) bool {
	if len(a) != len(b) {
		return false
	}
	taken := make([]bool, len(b))
	for i := range a {
		found := false
		for n := range b { // most often it stands at the same place
			if k := (i + n) % len(b); !taken[k] && same(a[i], b[k]) {
				taken[k], found = true, true
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}

func sameTax(a, b decimal.Decimal) bool {
	return a.Sub(b).Abs().LessThanOrEqual(decimal.New(1, -2))
}

// SameHeader reports whether a sale read back still is the header that was sent.
func SameHeader(sent cin7core.SaleHeader, got cin7core.Sale) bool {
	return sent.ExternalID == got.ExternalID && strings.EqualFold(sent.CustomerID, got.CustomerID) &&
		match.Squeeze(sent.CustomerReference) == match.Squeeze(got.CustomerReference) && sameDay(sent.SaleOrderDate, got.SaleOrderDate) &&
		sameDay(sent.ShipBy, got.ShipBy) && match.Same(sent.Location, got.Location) && match.Squeeze(sent.ShippingNotes) == match.Squeeze(got.ShippingNotes)
}

// sameDay compares calendar dates, which both sides hold as their own midnight.
func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }
