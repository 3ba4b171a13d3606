package upstockcin7

import (
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
)

// SameLines says whether the lines and charges of an order read back are those that were sent, in any order: Cin7 Core
// gives no word on how it sorts them. White space in comments does not count, nor does a cent of a row's tax, which the
// account may work out anew.
func SameLines(sent, got cin7core.OrderDocument) bool {
	return paired(sent.Lines, got.Lines, func(s, g cin7core.OrderLine) bool {
		return strings.EqualFold(s.ProductID, g.ProductID) && s.Quantity.Equal(g.Quantity) && s.Price.Equal(g.Price) &&
			s.Discount.Equal(g.Discount) && s.Total.Equal(g.Total) && sameText(s.TaxRule, g.TaxRule) &&
			sameTax(s.Tax, g.Tax) && squeeze(s.Comment) == squeeze(g.Comment)
	}) && paired(sent.AdditionalCharges, got.AdditionalCharges, func(s, g cin7core.Charge) bool {
		return squeeze(s.Description) == squeeze(g.Description) && s.Quantity.Equal(g.Quantity) && s.Price.Equal(g.Price) &&
			s.Discount.Equal(g.Discount) && s.Total.Equal(g.Total) && sameText(s.TaxRule, g.TaxRule) &&
			sameTax(s.Tax, g.Tax) && squeeze(s.Comment) == squeeze(g.Comment)
	})
}

// paired says whether each of a has one of b that is the same, and none is left over.
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

// SameHeader says whether a sale read back still is the header that was sent.
func SameHeader(sent cin7core.SaleHeader, got cin7core.Sale) bool {
	return sent.ExternalID == got.ExternalID && strings.EqualFold(sent.CustomerID, got.CustomerID) &&
		squeeze(sent.CustomerReference) == squeeze(got.CustomerReference) && sameDay(sent.SaleOrderDate, got.SaleOrderDate) &&
		sameDay(sent.ShipBy, got.ShipBy) && sameText(sent.Location, got.Location) && squeeze(sent.ShippingNotes) == squeeze(got.ShippingNotes)
}

// sameDay compares calendar dates, which both sides hold as their own midnight.
func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }
