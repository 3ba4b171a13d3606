package upstockcin7

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// unpicked compares, line by line, what Auto Pick was asked for with what
// Cin7 Core did. It picks only at the moment of authorising and only if nothing
// is on back-order, else silently does nothing; so what is missing is said, and
// said again as it changes.
func unpicked(r *order.Order, plan *sale.Plan, s cin7core.Sale, at time.Time) {
	missing := unpickedOf(plan.Order.AutoPickPackShipMode, s)
	if slices.Equal(missing, r.Unpicked) {
		return
	}
	if len(missing) == 0 {
		r.Note(at, "Everything that Auto Pick was asked for is done in Cin7 Core now.")
	} else {
		r.Note(at, "Cin7 Core has not done all that Auto Pick was asked for: %s", strings.Join(missing, " "))
	}
	r.Unpicked = missing
}

// unpickedOf says of each line of a sale what is missing of what Auto Pick was asked for.
func unpickedOf(mode cin7core.Mode, s cin7core.Sale) (missing []string) {
	if s.Status.Is(cin7core.Voided) {
		return nil
	}
	phases := autoPhases(mode, s)
	for _, l := range s.Order.Lines {
		if text := missingOf(l, phases); text != "" {
			missing = append(missing, text)
		}
	}
	return missing
}

// autoPhase is one of the things that Auto Pick was asked for, and how much of each product is done of it.
type autoPhase struct {
	name string
	done map[string]decimal.Decimal
}

// autoPhases are those of a mode, as far as they are done.
func autoPhases(mode cin7core.Mode, s cin7core.Sale) []autoPhase {
	pick, pack := autoPhase{"picked", map[string]decimal.Decimal{}}, autoPhase{"packed", map[string]decimal.Decimal{}}
	ship := autoPhase{"shipped", map[string]decimal.Decimal{}}
	for _, f := range s.Fulfilments {
		if f.Pick.Status.Is(cin7core.Authorised) {
			pick.add(f.Pick.Lines)
		}
		if f.Pack.Status.Is(cin7core.Authorised) {
			pack.add(f.Pack.Lines)
		}
		ship.add(shippedLines(f))
	}
	switch mode {
	case cin7core.AutoPick:
		return []autoPhase{pick}
	case cin7core.AutoPickPack:
		return []autoPhase{pick, pack}
	case cin7core.AutoPickPackShip:
		return []autoPhase{pick, pack, ship}
	}
	return nil
}

func (p autoPhase) add(lines []cin7core.HandlingLine) {
	for _, l := range lines {
		p.done[l.ProductID] = p.done[l.ProductID].Add(l.Quantity)
	}
}

// take takes from what is done as much as a line wants, at most.
func (p autoPhase) take(l cin7core.OrderLine) decimal.Decimal {
	done := decimal.Min(l.Quantity, p.done[l.ProductID])
	p.done[l.ProductID] = p.done[l.ProductID].Sub(done)
	return done
}

// shippedLines are the packed lines of a fulfilment that are shipped.
func shippedLines(f cin7core.Fulfilment) []cin7core.HandlingLine {
	if f.Ship.Status.Is(cin7core.Authorised) {
		return f.Pack.Lines
	}
	if !f.Ship.Status.Is(cin7core.PartiallyAuthorised) {
		return nil
	}
	var boxes []string
	for _, l := range f.Ship.Lines {
		if l.IsShipped {
			boxes = append(boxes, l.BoxList()...)
		}
	}
	return slices.DeleteFunc(slices.Clone(f.Pack.Lines), func(l cin7core.HandlingLine) bool {
		return !slices.Contains(boxes, l.Box)
	})
}

// missingOf says what is missing of a line; "" = nothing.
func missingOf(l cin7core.OrderLine, phases []autoPhase) string {
	var parts []string
	for _, p := range phases {
		if done := p.take(l); done.LessThan(l.Quantity) {
			parts = append(parts, fmt.Sprintf("%s of %s %s", done, l.Quantity, p.name))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	text := fmt.Sprintf("%s: %s", cmp.Or(l.SKU, l.Name), strings.Join(parts, ", "))
	if l.BackorderQuantity.IsPositive() {
		text += fmt.Sprintf("; %s on back-order", l.BackorderQuantity)
	}
	return text + "."
}
