package console

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// handlingCard is what an order's page says of picking, packing and shipping.
type handlingCard struct {
	Asked   string   // what Auto Pick was asked for, where it did not do all; "" = it did, or was not asked
	Missing []string // what of it is not done
	Running string   // what is being done, as somebody asked for; "" = nothing
	Ask     string   // address of the page that asks; "" = there is nothing to do, or the person may not
}

// handlingCardOf says nothing of an order that is not sold, is over, or of which the person may do nothing.
func (v visit) handlingCardOf(o orderAnswer) *handlingCard {
	c := handlingCard{}
	if o.AutoPick != nil && len(o.AutoPick.Missing) > 0 {
		c.Asked, c.Missing = "Auto Pick did not do all that it was asked for.", o.AutoPick.Missing
	}
	if o.Handling != nil {
		c.Running = fmt.Sprintf("The goods are being %s, as %s asked for %s.", doneWord(handlingWords[o.Handling.Step]),
			o.Handling.By, v.moment(o.Handling.At).Words)
	}
	cancelled := o.CancelledAt != nil || o.State == order.Cancelled
	if v.person.Changes() && o.SoldAt != nil && !cancelled && o.State != order.Shipped && o.Handling == nil {
		c.Ask = orderPath(v.Tenant.ID, o.ID) + "/finish"
	}
	if c.Asked == "" && c.Running == "" && c.Ask == "" {
		return nil
	}
	return &c
}

// finishPage says what would be done with the goods of an order's sale, and asks whether to.
type finishPage struct {
	Address, Back string
	Tabs          []tab
	Fault         string // why nothing was done just now
	Why           string // why nothing can be done
	Happens       []string
	Stays         []string
	Goods         []goodsRow
	Step, Seen    string
	Ship          bool
	Carriers      []option
	Boxes         []boxField
	Button        string
	Sale          string // its address in Cin7 Core
}

type goodsRow struct{ Quantity, SKU, Name, Box string }

// boxField is the field for the tracking number of a box.
type boxField struct{ ID, Box, Number string }

// typedFinish is what a person has typed.
type typedFinish struct {
	carrier  string
	chosen   bool // the carrier was
	tracking map[string]string
}

// finishSteps are the steps in their order, as tabs are called.
var finishSteps = []struct{ word, label, title string }{
	{"pick", "Pick", "Pick the goods"}, {"pack", "Pack", "Pack the goods"}, {"ship", "Ship", "Ship the goods"},
}

// askFinish says what would be done with an order's goods, and asks whether to. It begins with what Auto Pick would
// have done.
func (a *api) askFinish(w http.ResponseWriter, r *http.Request, v visit) error {
	if !v.person.Changes() {
		return looksOnly()
	}
	run, err := a.order(r, v.Bundle, r.PathValue("id"))
	if err != nil {
		return err
	}
	word := r.URL.Query().Get("step")
	if word == "" {
		word = "ship"
		switch asked := autoPickOf(run); {
		case asked == nil || asked.Asked == nil:
		case *asked.Asked == sale.AutoPick:
			word = "pick"
		case *asked.Asked == sale.AutoPickPack:
			word = "pack"
		}
	}
	if _, fault := handlingStep(word); fault != nil {
		return notFound()
	}
	return a.showFinish(w, r, v, run, word, "", http.StatusOK, typedFinish{})
}

// showFinish shows that page. With a fault nothing was done just now, for that reason.
func (a *api) showFinish(
	w http.ResponseWriter, r *http.Request, v visit, run *order.Order, word, fault string, status int,
	typed typedFinish,
) error {
	plan, err := a.Pair.PlanHandling(r.Context(), v.Bundle, run.ID, handlingWords[word])
	if other := (*upstockcin7.OtherCompany)(nil); errors.As(err, &other) {
		plan.Why, err = other.Error(), nil
	}
	if err != nil {
		return err
	}
	path := orderPath(v.Tenant.ID, orderID(run.ID))
	p := finishPage{Address: path + "/finish", Back: path, Fault: fault, Why: plan.Why, Step: word,
		Ship: word == "ship", Sale: upstockcin7.SaleURL(run.SaleID)}
	title := ""
	for _, s := range finishSteps {
		p.Tabs = append(p.Tabs, tab{Label: s.label, Address: p.Address + "?step=" + s.word, Here: s.word == word})
		if s.word == word {
			title = s.title
		}
	}
	if plan.Why == "" {
		if err := a.fillFinish(v, &p, plan, typed); err != nil {
			return err
		}
	}
	return a.show(w, r, status, "finish", v.frame(r, title+" of "+numberOf(itemOf(v.Bundle, run)), p))
}

// fillFinish fills the page with what would be done.
func (a *api) fillFinish(v visit, p *finishPage, plan upstockcin7.HandlingPlan, typed typedFinish) error {
	p.Seen, p.Button = plan.Seen(), finishButton(plan.Steps)
	for _, g := range plan.Goods {
		p.Goods = append(p.Goods, goodsRow{g.Quantity, g.SKU, g.Name, g.Box})
	}
	p.Happens = finishHappens(plan)
	if len(plan.Left) > 0 {
		p.Stays = append(p.Stays, "Not among them, and left as it is: "+strings.Join(plan.Left, ", ")+".")
	}
	p.Stays = append(p.Stays, "What somebody does with the sale in Cin7 Core before this is done stands. Then nothing "+
		"more is done from here, and the order's page says so.")
	if !p.Ship {
		return nil
	}
	for n, box := range plan.Boxes {
		p.Boxes = append(p.Boxes, boxField{"tracking-" + strconv.Itoa(n+1), box, typed.tracking[box]})
	}
	if !typed.chosen {
		typed.carrier = plan.Carrier
	}
	carriers, err := a.Pair.Carriers(v.Bundle)
	if err != nil {
		return err
	}
	if typed.carrier != "" && !slices.Contains(carriers, typed.carrier) {
		carriers = append(carriers, typed.carrier)
	}
	p.Carriers = []option{{Label: "As Cin7 Core has it", Chosen: typed.carrier == ""}}
	for _, c := range carriers {
		p.Carriers = append(p.Carriers, option{Value: c, Label: c, Chosen: c == typed.carrier})
	}
	return nil
}

// finishHappens are the sentences that say what is done with which goods.
func finishHappens(plan upstockcin7.HandlingPlan) (list []string) {
	for _, step := range plan.Steps {
		switch step {
		case order.StepPick:
			list = append(list, "The goods below are picked for the sale "+plan.Sale+" in Cin7 Core, all of them.")
		case order.StepPack:
			list = append(list, "They are packed into "+plan.Boxes[0]+". To pack several boxes, do it in Cin7 Core.")
		case order.StepShip:
			list = append(list, strings.Join(plan.Boxes, ", ")+" "+isAre(len(plan.Boxes))+" shipped, dated today. "+
				"Upstock is told, with the tracking.")
		}
	}
	return list
}

func isAre(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

// finishButton is what the button says: Pick, pack and ship the goods.
func finishButton(steps []ledger.Step) string {
	var verbs []string
	for _, s := range steps {
		verbs = append(verbs, handlingWord(s))
	}
	text := strings.Join(verbs, ", ")
	if at := strings.LastIndex(text, ", "); at >= 0 {
		text = text[:at] + " and" + text[at+1:]
	}
	return strings.ToUpper(text[:1]) + text[1:] + " the goods"
}

// doneWord is what the goods are after a step.
func doneWord(step ledger.Step) string {
	return map[ledger.Step]string{order.StepPick: "picked", order.StepPack: "packed", order.StepShip: "shipped"}[step]
}

// finishOrderPage is the button of that page.
func (a *api) finishOrderPage(w http.ResponseWriter, r *http.Request, v visit) error {
	run, err := a.order(r, v.Bundle, r.PathValue("id"))
	if err != nil {
		return err
	}
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	word, typed := form.Get("step"), typedFinish{form.Get("carrier"), form.Has("carrier"), map[string]string{}}
	var tracking []trackedBox
	for n, box := range form["box"] {
		if number := form.Get("tracking-" + strconv.Itoa(n+1)); number != "" {
			typed.tracking[box] = number
			tracking = append(tracking, trackedBox{box, number})
		}
	}
	wish, errs := wishOf(word, typed.carrier, form.Get("seen"), tracking)
	if wish.To == "" {
		return errs
	}
	if len(errs) == 0 {
		err = a.Pair.Handle(r.Context(), v.Bundle, run.ID, wish)
	}
	var why *upstockcin7.HandlingError
	switch {
	case errors.As(err, &errs), len(errs) > 0:
		return a.showFinish(w, r, v, run, word, faultsOf(errs), http.StatusUnprocessableEntity, typed)
	case errors.As(err, &why):
		return a.showFinish(w, r, v, run, word, "Nothing was done. "+why.Why, http.StatusConflict, typed)
	case err != nil:
		return err
	}
	http.Redirect(w, r, orderPath(v.Tenant.ID, orderID(run.ID))+"?said=asked", http.StatusSeeOther)
	return nil
}

// faultsOf are the sentences of what is wrong with a form.
func faultsOf(errs tenant.FieldErrors) string {
	var list []string
	for _, e := range errs {
		list = append(list, e.Message)
	}
	return "Nothing was done. " + strings.Join(list, " ")
}
