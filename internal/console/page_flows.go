package console

import (
	"fmt"
	"net/http"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// flowCard is a flow as pages show it.
type flowCard struct {
	Title, State string
	Paused       string // by whom and since when; "" = it runs
	Waiting      string // how much waits for it
	Pause        string // address of the page that asks; "" = the person may not, or it is paused
	Resume       string // where the button sends it; "" = the person may not, or it runs
	Button       string
}

// flowWords are what is said of a flow: what it is called, and what happens and stays when it is paused.
var flowWords = map[order.Flow]struct {
	title          string
	happens, stays []string
}{
	order.OrdersFlow: {"Orders", []string{
		"Orders that are approved in Upstock come in here and wait. No sale is made of them in Cin7 Core.",
		"Sales of cancelled orders are not voided, and Upstock is told no sale numbers.",
		"An order that is being sold at this very moment is still finished.",
	}, []string{
		"Webhooks are accepted, and nothing that is approved meanwhile is lost.",
		"Shipments go on to Upstock. Those of an order wait too while its sale's number is still to be told, or its " +
			"sale is still to be checked or voided.",
		"When orders are resumed, each one that waits is sold once.",
	}},
	order.ShipmentsFlow: {"Shipments", []string{
		"What is shipped in Cin7 Core is noted here and waits. Upstock is told of no parcel.",
		"A parcel that is being told at this very moment is still told.",
	}, []string{
		"Orders go on to be sold.", "When shipments are resumed, Upstock is told of each parcel once.",
	}},
	order.CatalogueFlow: {"Catalogue", []string{
		"Upstock is told of no products, customers and prices: what changes in Cin7 Core waits.",
		"What is being sent at this very moment is still sent.",
	}, []string{
		"Orders and shipments go on.", "What you choose to import is remembered.",
		"When the catalogue is resumed, Upstock is told of everything as it is then.",
	}},
}

// flowCards are a tenant's flows; with paused alone, those that are paused.
func (a *api) flowCards(r *http.Request, v visit, pausedAlone bool) (cards []flowCard, err error) {
	for _, f := range order.Flows() {
		words, path := flowWords[f], tenantPath(v.Tenant.ID)+"/flows/"+string(f)
		card := flowCard{Title: words.title, State: "Runs", Paused: upstockcin7.FlowPaused(v.Bundle, f)}
		switch {
		case card.Paused == "" && pausedAlone:
			continue
		case card.Paused != "":
			card.State, card.Resume, card.Button = "Paused", path+"/resume", "Resume "+string(f)
			if card.Waiting, err = a.waitingFor(r, v, f); err != nil {
				return nil, err
			}
		default:
			card.Pause, card.Button = path+"/pause", "Pause "+string(f)
		}
		if !v.person.Changes() {
			card.Pause, card.Resume = "", ""
		}
		cards = append(cards, card)
	}
	return cards, nil
}

// pausedSentence names the flows that are paused; "" = none is.
func pausedSentence(paused []flowCard) string {
	var names []string
	for _, card := range paused {
		names = append(names, card.Title)
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return names[0] + " are paused"
	}
	return names[0] + " and " + strings.ToLower(strings.Join(names[1:], " and ")) + " are paused"
}

// waitingFor says how many orders wait for a flow.
func (a *api) waitingFor(r *http.Request, v visit, f order.Flow) (string, error) {
	ans, err := a.flowOf(r.Context(), v.Bundle, f)
	switch {
	case err != nil:
		return "", err
	case ans.More:
		return fmt.Sprintf("More than %d orders wait for it.", ledger.CountMost), nil
	case ans.Waiting == 0:
		return "Nothing waits for it yet.", nil
	}
	return count(ans.Waiting, "order waits", "orders wait") + " for it.", nil
}

// askPause asks whether a flow is to be paused.
func (a *api) askPause(w http.ResponseWriter, r *http.Request, v visit) error {
	f, err := flow(r)
	if err != nil {
		return err
	}
	pause, words := "Pause "+string(f), flowWords[f]
	return a.ask(w, r, v, pause, confirmPage{
		Button: pause, Back: integrationsPath(v.Tenant.ID), Keep: "Let them run",
		Happens: words.happens, Stays: words.stays,
	})
}

func (a *api) pausePage(w http.ResponseWriter, r *http.Request, v visit) error {
	return a.turnFlow(w, r, v, true, "paused")
}

func (a *api) resumePage(w http.ResponseWriter, r *http.Request, v visit) error {
	return a.turnFlow(w, r, v, false, "resumed")
}

// turnFlow does what the button says; pressed twice, it is done once.
func (a *api) turnFlow(w http.ResponseWriter, r *http.Request, v visit, paused bool, said string) error {
	f, err := flow(r)
	if err != nil {
		return err
	}
	if err := a.setFlow(r, v.Tenant.ID, f, paused); err != nil {
		return err
	}
	http.Redirect(w, r, integrationsPath(v.Tenant.ID)+"?said="+said, http.StatusSeeOther)
	return nil
}
