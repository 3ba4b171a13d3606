package upstockcin7

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

// What is known for certain of picking, packing and shipping stands here: the
// goods of one fulfilment whose documents nobody has begun. Whatever else Cin7
// Core shows (a draft, several fulfilments, a shipment of some boxes) is people's
// work, and theirs to finish there.

// oneBox is what all goods are packed into that are packed from here, as Auto Pick does. Whoever wants several boxes
// packs them in Cin7 Core.
const oneBox = "Box 1"

// HandlingPlan is what would be done with the goods of an order's sale in Cin7 Core, as it stands there.
type HandlingPlan struct {
	Sale    string        // its number
	Steps   []ledger.Step // what is left to do, in its order
	Goods   []HandledLine // with what
	Boxes   []string      // into which they are packed, or which are shipped
	Left    []string      // what is ordered and stays, a sentence for each product
	Carrier string        // as the sale names it
	Why     string        // why nothing can be done; "" = it can

	task  string // the id of the fulfilment
	lines []cin7core.HandlingLine
}

// HandledLine is one line of goods that are picked, packed or shipped.
type HandledLine struct{ SKU, Name, Quantity, Box string }

// Seen tells one plan from another.
func (p HandlingPlan) Seen() string { return digest(fmt.Sprint(p.Steps), p.digest()) }

// digest tells the goods and boxes of plans apart. It stays the same while the plan is carried out.
func (p HandlingPlan) digest() string { return digest(goodsOf(p.lines), fmt.Sprint(p.Boxes)) }

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\n")))
	return hex.EncodeToString(sum[:12])
}

// goodsOf says how much of each product is in which box.
func goodsOf(lines []cin7core.HandlingLine) string {
	much := map[string]decimal.Decimal{}
	for _, l := range lines {
		key := strings.ToLower(l.ProductID) + " in " + strings.TrimSpace(l.Box)
		much[key] = much[key].Add(l.Quantity)
	}
	var text []string
	for _, key := range slices.Sorted(maps.Keys(much)) {
		text = append(text, much[key].String()+" of "+key)
	}
	return strings.Join(text, "\n")
}

// planHandling says what is to be done with a sale's goods until they are picked, packed or shipped.
func planHandling(s cin7core.Sale, to ledger.Step) (p HandlingPlan) {
	p.Sale, p.Carrier = number(s), s.Carrier
	f, why := onlyFulfilment(s)
	if why == "" {
		p.task = f.TaskID
		why = p.plan(s, f, to)
	}
	if p.Why = why; why != "" {
		p.Steps, p.lines, p.Boxes, p.Left = nil, nil, nil, nil
	}
	for _, l := range p.lines {
		p.Goods = append(p.Goods, HandledLine{SKU: l.SKU, Name: l.Name, Quantity: l.Quantity.String(), Box: l.Box})
	}
	return p
}

// onlyFulfilment is the one in which all of a sale's goods are, or why there is none.
func onlyFulfilment(s cin7core.Sale) (f cin7core.Fulfilment, why string) {
	switch {
	case s.Status.Is(cin7core.Voided) || s.Order.Status.Is(cin7core.Voided):
		return f, "The sale is voided in Cin7 Core."
	case s.Order.Status.Is(cin7core.Draft, cin7core.NotAvailable, ""):
		return f, "The sale's order is a draft in Cin7 Core. Authorise it there first."
	case !s.Order.Status.Is(cin7core.Authorised):
		return f, fmt.Sprintf("The sale's order is %s in Cin7 Core, and not authorised.", s.Order.Status)
	case s.ServiceOnly || strings.EqualFold(s.Type, "Service Sale"):
		return f, "It is a sale of services: there are no goods to handle."
	}
	var live []cin7core.Fulfilment
	for _, f := range s.Fulfilments {
		if !f.Status.Is(cin7core.Voided) && !f.Pick.Status.Is(cin7core.Voided) {
			live = append(live, f)
		}
	}
	switch len(live) {
	case 0:
		return f, "Cin7 Core shows no fulfilment of the sale yet, as an Advanced sale may have none. Open the sale " +
			"there and add one; then come back."
	case 1:
		return live[0], ""
	}
	return f, fmt.Sprintf("The sale has %d fulfilments in Cin7 Core. Which goods go with which is decided there.",
		len(live))
}

// stage is how far one of the documents of a fulfilment is.
type stage int

const (
	unsaid     stage = iota // Cin7 Core does not say, or what is not known here
	untouched               // nothing is done
	underWay                // somebody is at it, or has taken it back
	authorised              // it is done
)

// stageOf says how far a fulfilment is picked, packed or shipped. A document with lines that is not authorised is
// somebody's: what a write adds to those, or does away with, is not documented.
func stageOf(f cin7core.Fulfilment, step ledger.Step) stage {
	status, lines := f.Pick.Status, len(f.Pick.Lines)
	switch step {
	case order.StepPack:
		status, lines = f.Pack.Status, len(f.Pack.Lines)
	case order.StepShip:
		status, lines = f.Ship.Status, len(f.Ship.Lines)
	}
	switch {
	case status.Is(cin7core.Authorised):
		return authorised
	case status.Is(cin7core.PartiallyAuthorised, cin7core.Voided),
		status.Is(cin7core.NotAvailable, cin7core.Draft) && lines > 0:
		return underWay
	case status.Is(cin7core.NotAvailable, cin7core.Draft):
		return untouched
	}
	return unsaid
}

// plan plans the goods of a fulfilment; "" or why it cannot.
func (p *HandlingPlan) plan(s cin7core.Sale, f cin7core.Fulfilment, to ledger.Step) (why string) {
	for _, step := range order.HandlingSteps() {
		switch stageOf(f, step) {
		case unsaid:
			return "Cin7 Core does not say how far the sale is " + wordsOf(step).done + "."
		case underWay:
			return "Somebody has begun to " + wordsOf(step).verb + " it in Cin7 Core. Finish that there."
		case untouched:
			p.Steps = append(p.Steps, step)
		case authorised:
			if len(p.Steps) > 0 {
				return "Cin7 Core shows it as " + wordsOf(step).done + ", and not as " + wordsOf(p.Steps[0]).done + "."
			}
		}
		if step == to {
			break
		}
	}
	if len(p.Steps) == 0 {
		return "It is " + wordsOf(to).done + " already."
	}
	return p.goods(s, f)
}

// goods are those of the order where nothing is picked yet, else those that are picked, or packed.
func (p *HandlingPlan) goods(s cin7core.Sale, f cin7core.Fulfilment) (why string) {
	switch p.Steps[0] {
	case order.StepPick:
		if p.lines, why = toPick(s); why != "" {
			return why
		}
	case order.StepPack:
		p.lines = slices.Clone(f.Pick.Lines)
	default:
		p.lines = slices.Clone(f.Pack.Lines)
	}
	if slices.Contains(p.Steps, order.StepPack) {
		for i := range p.lines {
			p.lines[i].Box = oneBox
		}
	}
	if len(p.lines) == 0 {
		return "Cin7 Core shows no goods of the sale."
	}
	for _, l := range p.lines {
		if l.Box != "" && !slices.Contains(p.Boxes, l.Box) {
			p.Boxes = append(p.Boxes, l.Box)
		}
	}
	slices.Sort(p.Boxes) // in whatever order Cin7 Core has its lines
	if p.Steps[len(p.Steps)-1] == order.StepShip && slices.ContainsFunc(p.lines, noBox) {
		return "Cin7 Core does not say in which box everything is packed."
	}
	p.Left = leftOut(s, p.lines)
	return ""
}

func noBox(l cin7core.HandlingLine) bool { return strings.TrimSpace(l.Box) == "" }

// toPick are all goods of a sale's order, if they are in stock for it.
func toPick(s cin7core.Sale) (lines []cin7core.HandlingLine, why string) {
	var short []string
	for _, l := range s.Order.Lines {
		name := cmp.Or(l.SKU, l.Name)
		switch {
		case !l.Quantity.IsPositive():
			continue
		case l.DropShip:
			return nil, name + " is shipped by its supplier, which is done in Cin7 Core."
		case l.BackorderQuantity.IsPositive():
			short = append(short, fmt.Sprintf("%s of %s %s", l.BackorderQuantity, l.Quantity, name))
		}
		lines = append(lines, cin7core.HandlingLine{ProductID: l.ProductID, SKU: l.SKU, Name: l.Name,
			Location: s.Location, Quantity: l.Quantity})
	}
	switch {
	case len(short) > 0:
		return nil, "There is not enough in stock: " + strings.Join(short, ", ") + " on back-order."
	case s.Location == "":
		return nil, "Cin7 Core does not say from which location the sale goes."
	}
	return lines, ""
}

// leftOut says what of a sale's order is not among goods.
func leftOut(s cin7core.Sale, goods []cin7core.HandlingLine) (left []string) {
	in := autoPhase{done: map[string]decimal.Decimal{}}
	in.add(goods)
	for _, l := range s.Order.Lines {
		if rest := l.Quantity.Sub(in.take(l)); rest.IsPositive() {
			left = append(left, fmt.Sprintf("%s of %s %s", rest, l.Quantity, cmp.Or(l.SKU, l.Name)))
		}
	}
	return left
}

// stepWords are what a step of handling is called: to pick, picked, picking.
type stepWords struct{ verb, done, doing string }

func wordsOf(step ledger.Step) stepWords {
	switch step {
	case order.StepPick:
		return stepWords{"pick", "picked", "picking"}
	case order.StepPack:
		return stepWords{"pack", "packed", "packing"}
	}
	return stepWords{"ship", "shipped", "shipping"}
}
