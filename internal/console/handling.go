package console

import (
	"net/http"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// handlingWords are the steps that a person may ask for, as addresses and bodies name them.
var handlingWords = map[string]ledger.Step{"pick": order.StepPick, "pack": order.StepPack, "ship": order.StepShip}

// handlingWord is a step's name; "" = it is none of these.
func handlingWord(step ledger.Step) string {
	for word, s := range handlingWords {
		if s == step {
			return word
		}
	}
	return ""
}

// handlingAnswer is what is being done with the goods of an order's sale.
type handlingAnswer struct {
	Step string    `json:"step"` // pick, pack or ship: what it is for
	By   string    `json:"by"`
	At   time.Time `json:"at"`
}

func handlingOf(run *order.Order) *handlingAnswer {
	if run.Handling == nil {
		return nil
	}
	return &handlingAnswer{handlingWord(run.Handling.To()), run.Handling.By, run.Handling.At.UTC()}
}

// finishAnswer is what would be done with the goods of an order's sale, as it stands now.
type finishAnswer struct {
	Step       string      `json:"step"`
	SaleNumber *string     `json:"saleNumber"`
	Steps      []string    `json:"steps"` // what is left to do, in its order
	Goods      []goodsLine `json:"goods"`
	Boxes      []string    `json:"boxes"`
	Left       []string    `json:"left"` // what is ordered and stays
	Carrier    *string     `json:"carrier"`
	Why        *string     `json:"why"`  // why nothing can be done; null = it can
	Seen       *string     `json:"seen"` // tells this from what would be done later
}

// goodsLine is one line of goods that are picked, packed or shipped.
type goodsLine struct {
	SKU      string  `json:"sku"`
	Name     string  `json:"name"`
	Quantity string  `json:"quantity"`
	Box      *string `json:"box"`
}

func finishOf(step string, plan upstockcin7.HandlingPlan) finishAnswer {
	ans := finishAnswer{Step: step, SaleNumber: known(plan.Sale), Steps: []string{}, Goods: []goodsLine{},
		Boxes: append([]string{}, plan.Boxes...), Left: append([]string{}, plan.Left...), Carrier: known(plan.Carrier),
		Why: known(plan.Why)}
	for _, s := range plan.Steps {
		ans.Steps = append(ans.Steps, handlingWord(s))
	}
	for _, g := range plan.Goods {
		ans.Goods = append(ans.Goods, goodsLine{g.SKU, g.Name, g.Quantity, known(g.Box)})
	}
	if plan.Why == "" {
		ans.Seen = known(plan.Seen())
	}
	return ans
}

// handlingStep is the step that a word names.
func handlingStep(word string) (ledger.Step, tenant.FieldErrors) {
	step, ok := handlingWords[word]
	if !ok {
		return "", tenant.FieldErrors{{Field: "step", Message: "Say pick, pack or ship."}}
	}
	return step, nil
}

// planFinish says what would be done with the goods of an order's sale.
func (a *api) planFinish(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	word := r.URL.Query().Get("step")
	step, fault := handlingStep(word)
	if fault != nil {
		return badQuery(fault...)
	}
	run, err := a.order(r, b, r.PathValue("id"))
	if err != nil {
		return err
	}
	plan, err := a.Pair.PlanHandling(r.Context(), b, run.ID, step)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, finishOf(word, plan))
}

// trackedBox is the tracking number of a box.
type trackedBox struct {
	Box    string `json:"box"`
	Number string `json:"number"`
}

// maxTyped is the longest carrier, box or tracking number that Cin7 Core takes, in characters.
const maxTyped = 256

// wishOf is a wish as somebody wrote it, or all that is wrong with it.
func wishOf(
	word, carrier, seen string, tracking []trackedBox,
) (wish upstockcin7.HandlingWish, errs tenant.FieldErrors) {
	wish = upstockcin7.HandlingWish{Carrier: strings.TrimSpace(carrier), Seen: seen, Tracking: map[string]string{}}
	wish.To, errs = handlingStep(word)
	long := func(s string) bool { return len([]rune(s)) > maxTyped }
	if wish.To != order.StepShip && (wish.Carrier != "" || len(tracking) > 0) && errs == nil {
		errs = append(errs, tenant.FieldError{Field: "step",
			Message: "A carrier and tracking numbers are for ship."})
	}
	if long(wish.Carrier) {
		errs = append(errs, tenant.FieldError{Field: "carrier", Message: "This is longer than 256 characters."})
	}
	for _, t := range tracking {
		box, number := strings.TrimSpace(t.Box), strings.TrimSpace(t.Number)
		_, twice := wish.Tracking[box]
		switch {
		case box == "":
			errs = append(errs, tenant.FieldError{Field: "tracking", Message: "Say which box each number is for."})
		case twice:
			errs = append(errs, tenant.FieldError{Field: "tracking", Message: "A box is named twice."})
		case long(number):
			errs = append(errs, tenant.FieldError{Field: "tracking",
				Message: "A tracking number is longer than 256 characters."})
		case number != "":
			wish.Tracking[box] = number
		}
	}
	return wish, errs
}

// finish has the goods of an order's sale picked, packed or shipped.
func (a *api) finish(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var step, carrier, seen string
	var tracking []trackedBox
	var wish upstockcin7.HandlingWish
	if err := decode(w, r, false, map[string]any{"step": &step, "carrier": &carrier, "tracking": &tracking,
		"seen": &seen}, func() (errs tenant.FieldErrors) {
		wish, errs = wishOf(step, carrier, seen, tracking)
		return errs
	}); err != nil {
		return err
	}
	run, err := a.order(r, b, r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := a.Pair.Handle(r.Context(), b, run.ID, wish); err != nil {
		return err
	}
	if run, err = a.Orders.Get(r.Context(), b.Tenant.ID, run.ID); err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, itemOf(b, run))
}
