package console

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// driftAnswer is one thing that was chosen here and that Cin7 Core does not have any more, or cannot use.
type driftAnswer struct {
	About string     `json:"about"` // setting, customer, product
	Name  string     `json:"name"`  // the setting; of a link what it leads from
	Text  string     `json:"text"`
	Fix   string     `json:"fix"`
	Since *time.Time `json:"since"` // null: nobody has looked since
}

func (a *api) driftOf(ctx context.Context, b tenant.Bundle) ([]driftAnswer, error) {
	found, _, err := a.Pair.Drift(ctx, b)
	list := []driftAnswer{}
	for _, f := range found {
		list = append(list, driftAnswer{f.About, f.Name, f.Text, f.Fix, when(f.Since)})
	}
	return list, err
}

// driftView is what was chosen here and Cin7 Core does not have any more, as a page shows it.
type driftView struct {
	Settings []driftLine
	Links    []driftCard
	More     string // of links; "" = all are shown
}

type driftLine struct {
	Text    string
	Since   moment
	Address string // where another one is chosen
}

// driftCard is a link with what repairs it.
type driftCard struct {
	Key, Text, Fix string
	Since          moment
	Picker         *picker
	Forget         string // where the button sends it; "" = the person may not
}

// linksShown is how many links home shows that lead nowhere.
const linksShown = 10

func (a *api) drift(r *http.Request, v visit) (view driftView, err error) {
	if upstockcin7.MirrorOf(v.Bundle).IsReady() { // else nothing is known of the account
		_, ignored := a.stored(v.Bundle)
		for _, text := range ignored {
			view.Settings = append(view.Settings, driftLine{Text: text, Address: settingsPath(v.Tenant.ID)})
		}
	}
	found, more, err := a.Pair.Drift(r.Context(), v.Bundle)
	if err != nil {
		return view, err
	}
	for _, f := range found {
		if f.About == upstockcin7.AboutSetting {
			name, _, _ := strings.Cut(f.Name, ".")
			view.Settings = append(view.Settings,
				driftLine{f.Text, v.moment(f.Since), settingsPath(v.Tenant.ID) + "#" + name})
			continue
		}
		if len(view.Links) == linksShown {
			more++
			continue
		}
		card, err := a.driftCard(r, v, f)
		if err != nil {
			return view, err
		}
		view.Links = append(view.Links, card)
	}
	if more > 0 {
		view.More = "And " + count(more, "other link", "other links") + " like these: mend these first."
	}
	return view, nil
}

func settingsPath(tenantID string) string { return tenantPath(tenantID) + "/settings/orders" }

func (a *api) driftCard(r *http.Request, v visit, f upstockcin7.Finding) (driftCard, error) {
	sum := sha256.Sum256([]byte(f.About + "\n" + f.Name))
	card := driftCard{Key: hex.EncodeToString(sum[:8]), Text: f.Text, Fix: f.Fix, Since: v.moment(f.Since)}
	if !v.person.Changes() {
		return card, nil
	}
	at := tenantPath(v.Tenant.ID) + "/links/" + f.About + "/" + url.PathEscape(f.Name)
	card.Forget = at + "/forget"
	var err error
	card.Picker, err = a.pick(r, v, pickable{key: card.Key, kind: f.About, post: at})
	return card, err
}

// linkPage links what Upstock names to what a person picked, and goes back to home.
func (a *api) linkPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	said := "linked"
	if choice := form.Get("choice"); choice == "" {
		said = "choose"
	} else if _, err := a.Pair.SetLink(r.Context(), v.Tenant.ID, r.PathValue("kind"), r.PathValue("from"),
		choice); err != nil {
		return noLink(err)
	}
	http.Redirect(w, r, tenantPath(v.Tenant.ID)+"?said="+said, http.StatusSeeOther)
	return nil
}

// forgetPage forgets a link, and goes back to home.
func (a *api) forgetPage(w http.ResponseWriter, r *http.Request, v visit) error {
	err := a.Pair.RemoveLink(r.Context(), v.Tenant.ID, r.PathValue("kind"), r.PathValue("from"))
	if err != nil && !errors.Is(err, ledger.ErrNotFound) { // pressed twice
		return err
	}
	http.Redirect(w, r, tenantPath(v.Tenant.ID)+"?said=forgotten", http.StatusSeeOther)
	return nil
}

// lookPage has Cin7 Core's records read again now, and goes back to home.
func (a *api) lookPage(w http.ResponseWriter, r *http.Request, v visit) error {
	said := "looking"
	if v.Ready(tenant.Cin7Core) != "" {
		said = "cannotLook"
	} else if err := a.Jobs.Start(r.Context(), v.Tenant.ID, upstockcin7.JobMirror, 0); err != nil {
		return err
	}
	http.Redirect(w, r, tenantPath(v.Tenant.ID)+"?said="+said, http.StatusSeeOther)
	return nil
}

// gapCard is a time in which approved orders were not taken in.
type gapCard struct {
	Title   string
	Holds   string // how many orders it has, and why that is left to a person
	Look    string // the backfill of its days
	Dismiss string // where the button sends it; "" = the person may not
	From    string // which gap it is
	Back    string // the page on which it stands
}

// gapCards are the times in which approved orders were not taken in, but for those that a person has taken note of.
func (v visit) gapCards(page string) (cards []gapCard) {
	up := v.Connections[tenant.Upstock]
	for _, g := range gapsOf(v.Tenant, up) {
		card := gapCard{Title: "Orders approved from " + v.moment(g.From).Words + " to " + v.moment(g.To).Words +
			" were not taken in, as a connection was away.", Holds: gapHolds(g)}
		if v.person.Changes() {
			card.Look = tenantPath(v.Tenant.ID) + "/backfill?" +
				url.Values{"from": {g.Days.From}, "to": {g.Days.To}}.Encode()
			card.Dismiss, card.From = tenantPath(v.Tenant.ID)+"/gaps/dismiss", g.From.UTC().Format(time.RFC3339Nano)
			card.Back = page
		}
		cards = append(cards, card)
	}
	return cards
}

// gapHolds says how many orders a gap has, and why that is left to a person.
func gapHolds(g gapAnswer) string {
	byHand := "Somebody may have entered them by hand."
	if g.Orders == nil {
		return byHand
	}
	if *g.Orders == 1 {
		byHand = "Somebody may have entered it by hand."
	}
	return "Upstock lists " + count(*g.Orders, "order", "orders") + " of that time that " +
		map[bool]string{true: "is", false: "are"}[*g.Orders == 1] + " not here. " + byHand
}

// dismissGapPage takes note of a gap, so that it is shown no more, and goes back to where that was.
func (a *api) dismissGapPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	from, err := time.Parse(time.RFC3339Nano, form.Get("from"))
	if err != nil {
		return notOurForm()
	}
	if err := a.Pair.DismissGap(r.Context(), v.Tenant.ID, from); err != nil && !errors.Is(err, ledger.ErrNotFound) {
		return err
	}
	back := tenantPath(v.Tenant.ID)
	if form.Get("back") == integrationsPath(v.Tenant.ID) {
		back = integrationsPath(v.Tenant.ID)
	}
	http.Redirect(w, r, back+"?said=dismissed", http.StatusSeeOther)
	return nil
}

// dismissGap is the same for the API.
func (a *api) dismissGap(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	from, err := time.Parse(time.RFC3339Nano, r.PathValue("from"))
	if err == nil {
		err = a.Pair.DismissGap(r.Context(), b.Tenant.ID, from)
	} else {
		err = ledger.ErrNotFound
	}
	if errors.Is(err, ledger.ErrNotFound) {
		return missing("There is no gap that begins then: a connection lists its gaps.")
	}
	if err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// lackOf is what keeps a tenant from being in step though no order needs a person; "" = nothing does.
func lackOf(ready string, d driftView, gaps []gapCard, catalogue []lackCard, paused []flowCard) string {
	settings, missed, goods := "", "", ""
	if len(d.Settings) > 0 {
		settings = "The settings need you"
	}
	if len(gaps) > 0 {
		missed = "Orders of some days were not taken in"
	}
	if len(catalogue) > 0 {
		goods = catalogue[0].State
	}
	return cmp.Or(ready, settings, missed, goods, pausedSentence(paused))
}
