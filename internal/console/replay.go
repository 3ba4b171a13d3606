package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// replayed is how many orders are planned again, and replayTime how long Cin7 Core may be asked for it: what is not
// planned by then is left out, and said.
const (
	replayed   = 20
	replayTime = 15 * time.Second
)

// replayView is what the newest orders would have become with other settings.
type replayView struct {
	Sentence string
	Rest     string // why not all were tried; "" = all were
	Orders   []replayedOrder
}

type replayedOrder struct {
	Number, Address string
	Changes         []replayChange
}

// replayChange is something of a sale that would be different.
type replayChange struct{ What, Before, After string }

// replay plans the newest orders twice, with the settings as they are stored and with those of a document. Nothing is
// written anywhere.
func (a *api) replay(ctx context.Context, v visit, doc json.RawMessage) (*replayView, error) {
	// no call begins with less time left than that
	ctx, cancel := context.WithTimeout(ctx, replayTime+a.Pair.Times.MinInvocation)
	defer cancel()
	runs, _, err := a.Orders.Runs(ctx, v.Tenant.ID, "", replayed)
	if err != nil {
		return nil, err
	}
	view := &replayView{}
	planned := 0
	for _, run := range runs {
		plans, err := a.replayOne(ctx, v, run, doc)
		if err != nil {
			return nil, err
		}
		if plans == nil {
			continue
		}
		if view.Rest = untried(plans, planned); view.Rest != "" {
			break
		}
		planned++
		if changes := changesOf(previewOf(plans[0]), previewOf(plans[1])); len(changes) > 0 {
			number := numberOf(itemOf(v.Bundle, run))
			view.Orders = append(view.Orders, replayedOrder{number, orderPath(v.Tenant.ID, orderID(run.ID)), changes})
		}
	}
	view.Sentence = replaySentence(planned, len(view.Orders), view.Rest != "")
	return view, nil
}

// untried says why an order and those that are older are not tried, after so many that were; "" = this one was planned.
func untried(plans []upstockcin7.Preview, planned int) string {
	for _, p := range plans {
		if !p.Unplanned {
			continue
		}
		why := joined(" ", p.Problems[0].Message, p.Problems[0].Fix)
		if planned > 0 {
			why = "Older ones could not be tried. " + why
		}
		return why
	}
	return ""
}

// replaySentence says what was found. cut = others could not be tried.
func replaySentence(planned, changed int, cut bool) string {
	switch {
	case planned == 0 && cut:
		return "None of the newest orders could be tried just now."
	case planned == 0:
		return "There is no order yet that these settings could be tried on."
	case changed == 0 && planned == 1:
		return "The newest order would become the same sale as with the settings that are saved."
	case changed == 0:
		return fmt.Sprintf("The newest %d orders would become the same sales as with the settings that are saved.",
			planned)
	case planned == 1:
		return "The newest order would become another sale than with the settings that are saved:"
	}
	return fmt.Sprintf("%d of the newest %d orders would become another sale than with the settings that are saved:",
		changed, planned)
}

// replayOne plans an order as it is saved, and as it is chosen; nil = it is another company's, and is not planned.
func (a *api) replayOne(
	ctx context.Context, v visit, run *order.Order, doc json.RawMessage,
) ([]upstockcin7.Preview, error) {
	err := a.Pair.OfConnected(ctx, v.Bundle, run)
	if _, other := errors.AsType[*upstockcin7.OtherCompany](err); other {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	_, body, _, err := a.Orders.Load(ctx, v.Tenant.ID, run.ID)
	if err != nil {
		return nil, err
	}
	chosen := v.Bundle
	chosen.Settings = doc
	plans := make([]upstockcin7.Preview, 2)
	for i, b := range []tenant.Bundle{v.Bundle, chosen} {
		if plans[i], err = a.Pair.Preview(ctx, b, body); err != nil {
			return nil, err
		}
	}
	return plans, nil
}

// changesOf compares what would become of an order in two cases.
func changesOf(before, after previewAnswer) (list []replayChange) {
	for _, part := range replayParts {
		if was, now := part.of(before), part.of(after); was != now {
			list = append(list, replayChange{part.what, was, now})
		}
	}
	return list
}

// replayParts are the parts of a sale that settings decide, in words.
var replayParts = []struct {
	what string
	of   func(previewAnswer) string
}{
	{"What needs you", problemTexts},
	{"Status", ofSale(func(s *saleAnswer) string { return s.Status })},
	{"Type", ofSale(func(s *saleAnswer) string { return s.SaleType })},
	{"Done by Cin7 Core", ofSale(func(s *saleAnswer) string { return s.CreationMode })},
	{"Ship by", ofSale(func(s *saleAnswer) string { return text(s.ShipBy) })},
	{"Delivery address", ofSale(func(s *saleAnswer) string { return addressText(s.ShippingAddress) })},
	{"Shipping notes", ofSale(func(s *saleAnswer) string { return s.ShippingNotes })},
	{"Location", ofSale(func(s *saleAnswer) string { return s.Location })},
	{"Sales representative", ofSale(func(s *saleAnswer) string { return s.SalesRep })},
	{"Tax rule", ofSale(func(s *saleAnswer) string { return s.TaxRule })},
	{"Lines", ofSale(func(s *saleAnswer) string { return rowTexts(s.Lines) })},
	{"Charges", ofSale(func(s *saleAnswer) string { return rowTexts(s.Charges) })},
	{"Total", ofSale(func(s *saleAnswer) string { return s.Total })},
	{"Remarks", func(p previewAnswer) string { return prose.Within(strings.Join(p.Said, " "), replayText) }},
}

// replayText is how long a part may be in a page that shows many.
const replayText = 300

// ofSale is a part of a sale; "" where there is none.
func ofSale(of func(*saleAnswer) string) func(previewAnswer) string {
	return func(p previewAnswer) string {
		if p.Sale == nil {
			return ""
		}
		return of(p.Sale)
	}
}

func problemTexts(p previewAnswer) string {
	var texts []string
	for _, pr := range p.Problems {
		texts = append(texts, pr.Message)
	}
	return prose.Within(strings.Join(texts, " "), replayText)
}

func addressText(at addressAnswer) string {
	return joined(", ", at.Company, at.Line1, at.Line2, at.City, at.Postcode, at.Country)
}

// rowTexts are the rows of a sale as far as settings decide them.
func rowTexts(rows []lineAnswer) string {
	var texts []string
	for _, l := range rows {
		texts = append(texts, fmt.Sprintf("%s %s, %s", l.Name, l.Total, l.TaxRule))
	}
	return prose.Within(strings.Join(texts, "; "), replayText)
}
