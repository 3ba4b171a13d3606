package console

import (
	"cmp"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// integrationsPage shows every system that can be connected, and how.
type integrationsPage struct {
	Systems []systemCard
	Flows   []flowCard // what runs between them
	Test    string     // address of the page that offers a test order; "" = both systems are not connected
	Change  bool       // the person may
}

// systemCard is one system, connected or not.
type systemCard struct {
	System, Title, State string
	Connected, Good      bool
	Name, Account, Why   string
	Since                moment
	Warnings             []string
	WebhookURL, Paste    string // what is to be pasted, and where; "" = nothing is
	Webhooks             string // how we hear of what changes there
	Heard                *heard // what was received of Upstock's; nil = it is another system
	Gaps                 []gapCard
	Own                  *ownCard // Upstock's own Cin7 integration; nil = it is another system, or not connected
	Steps                []string // where the keys are found
	Fields               []typedField
	Fault                string // why nothing was saved just now
	Address, Button      string
	Disconnect           string // address of the page that asks
}

// ownCard is what is known of Upstock's own Cin7 integration, which must be off.
type ownCard struct {
	Warning string // what is to be done; "" = a person has said that it is
	By      string // who has
	At      moment
	Post    string // where the button goes; "" = the person may not
}

type typedField struct {
	ID, Name, Title, Value, Fault string
	Empty                         string // what it means to leave it empty; "" = it may not be
	Secret                        bool
}

func integrationsPath(tenantID string) string { return tenantPath(tenantID) + "/settings/integrations" }

func (a *api) integrationsPage(w http.ResponseWriter, r *http.Request, v visit) error {
	return a.showIntegrations(w, r, v, "", nil, nil)
}

// showIntegrations shows all systems. For the one that could not be saved it says why.
func (a *api) showIntegrations(
	w http.ResponseWriter, r *http.Request, v visit, sys tenant.System, why *problem, typed map[string]string,
) error {
	status := http.StatusOK
	if why != nil {
		status = why.Status
	}
	p := integrationsPage{Change: v.person.Changes()}
	for _, s := range a.Vendors.Systems() {
		card, err := a.systemCard(r, v, s)
		if err != nil {
			return err
		}
		if s == sys {
			card.refused(why, typed)
		}
		p.Systems = append(p.Systems, card)
	}
	if v.Lack(upstockcin7.Systems()...) == nil {
		p.Test = testOrderPath(v.Tenant.ID)
	}
	if v.usesOrders() {
		var err error
		if p.Flows, err = a.flowCards(r, v, false); err != nil {
			return err
		}
	}
	f := v.frame(r, "Integrations", p)
	f.Sections = v.settingsMenu(integrationsPath(v.Tenant.ID))
	return a.show(w, r, status, "integrations", f)
}

// settingsMenu are the pages of a tenant's settings: of what it uses, and the one that is shown.
func (v visit) settingsMenu(here string) (items []menuItem) {
	id := v.Tenant.ID
	add := func(label, address string, used bool) {
		if used || address == here {
			items = append(items, menuItem{Label: label, Address: address, Here: address == here})
		}
	}
	add("Integrations", integrationsPath(id), true)
	add("Orders", tenantPath(id)+"/settings/orders", v.usesOrders())
	add("Catalogue", catalogSettingsPath(id), v.usesOrders())
	add("JOOR", joorSettingsPath(id), uses(v.Bundle, joorcin7.Systems()))
	add("Alerts", alertsPath(id), true)
	add("Access", accessPath(id), true)
	return items
}

func (a *api) systemCard(r *http.Request, v visit, sys tenant.System) (systemCard, error) {
	row, _ := a.Vendors.Of(sys)
	address := integrationsPath(v.Tenant.ID) + "/" + string(sys)
	card := systemCard{
		System: string(sys), Title: sys.Title(), State: "Not connected", Steps: row.Steps, Address: address,
		Button: "Connect " + sys.Title(), Paste: row.Paste,
	}
	for _, f := range row.Fields {
		field := typedField{
			ID: string(sys) + "-" + f.Name, Name: f.Name, Title: cmp.Or(f.Title, f.Name),
			Secret: f.Is != vendor.AccountID && f.Is != vendor.User,
		}
		if f.Optional {
			field.Empty = "it can be saved later"
		}
		card.Fields = append(card.Fields, field)
	}
	c, ok := v.Connections[sys]
	if !ok {
		return card, nil
	}
	ans, err := a.withNotes(r, v.Bundle, c)
	if err != nil {
		return card, err
	}
	card.Connected, card.Good, card.State = true, ans.State == tenant.Connected, "Connected"
	if !card.Good {
		card.State = "Needs reconnecting"
	}
	card.Name, card.Account, card.Why, card.Since = text(ans.Name), ans.Account, text(ans.Why), v.moment(ans.Since)
	if strings.Contains(card.Name, card.Account) { // an account without a name of its own is called by its id
		card.Account = ""
	}
	card.Warnings, card.WebhookURL, card.Button = ans.Warnings, ans.WebhookURL, "Save keys of "+sys.Title()
	if ans.Webhooks != nil {
		card.Webhooks = ans.Webhooks.Text
	}
	if sys == tenant.Upstock {
		card.own(v, c)
		card.Gaps = v.gapCards(integrationsPath(v.Tenant.ID))
		if card.Heard, err = a.heard(r, v); err != nil {
			return card, err
		}
	}
	for i := range card.Fields {
		if card.Fields[i].Empty = "leave it empty to keep it"; !card.Fields[i].Secret {
			card.Fields[i].Empty, card.Fields[i].Value = "", ans.Account
		}
	}
	card.Disconnect = address + "/disconnect"
	return card, nil
}

// own takes what is to be said of Upstock's own Cin7 integration out of the warnings, to stand with its button.
func (card *systemCard) own(v visit, c tenant.Connection) {
	said, warning := upstockcin7.OwnIntegration(c), upstockcin7.SwitchOffOwn
	card.Own = &ownCard{By: said.By, At: v.moment(said.At)}
	if said.At.IsZero() {
		card.Own.Warning = warning
	}
	if v.person.Changes() {
		card.Own.Post = card.Address + "/own"
	}
	card.Warnings = slices.DeleteFunc(card.Warnings, func(s string) bool { return s == warning })
}

// sayOwnOffPage takes a person's word that Upstock's own Cin7 integration is off, or takes it back.
func (a *api) sayOwnOffPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	off, said := form.Get("off") == "yes", "ownOn"
	if off {
		said = "ownOff"
	}
	if err := a.Pair.SayOwnOff(r.Context(), v.Tenant.ID, off); errors.Is(err, tenant.ErrNotFound) {
		return notFound()
	} else if err != nil {
		return err
	}
	http.Redirect(w, r, integrationsPath(v.Tenant.ID)+"?said="+said+"#upstock", http.StatusSeeOther)
	return nil
}

// heard is what Upstock's webhooks brought lately.
type heard struct {
	What string // "" = nothing
	Last moment
	// Why the newest delivery was refused; "" = it was not. RefusedAt is when.
	Refused   string
	RefusedAt moment
	Look      string // address of this page, to look again after a test
}

// heardIn is how many of the newest orders and events are looked through for it.
const heardIn = 20

// heard looks for what Upstock delivered last: an order, a test, or something that was refused.
func (a *api) heard(r *http.Request, v visit) (*heard, error) {
	var orders []*order.Order
	var events []ledger.Event
	if err := together(
		func() (err error) { orders, _, err = a.Orders.Runs(r.Context(), v.Tenant.ID, "", heardIn); return err },
		func() (err error) {
			events, _, err = a.Ledger.Events(r.Context(), v.Tenant.ID, "", heardIn)
			return err
		},
	); err != nil {
		return nil, err
	}
	h := heard{Look: integrationsPath(v.Tenant.ID)}
	var last, refused time.Time
	for _, o := range orders {
		if o.ByWebhook && o.Received.After(last) {
			last, h.What = o.Received, "an approved order"
		}
	}
	for _, e := range events {
		switch {
		case e.Kind == upstockcin7.PingEvent && e.At.After(last):
			last, h.What = e.At, "a test, whose signature fits"
		case e.Kind == upstockcin7.RefusedEvent && e.At.After(refused):
			refused, h.Refused = e.At, v.local(e.Text)
		}
	}
	if !refused.After(last) {
		h.Refused = ""
	}
	h.Last, h.RefusedAt = v.moment(last), v.moment(refused)
	return &h, nil
}

// refused says on the card why nothing was saved, and keeps what was typed, but for secrets.
func (card *systemCard) refused(why *problem, typed map[string]string) {
	card.Fault = why.Detail
	for i, f := range card.Fields {
		for _, fault := range why.Errors {
			if fault.Field == f.Name {
				card.Fields[i].Fault, card.Fault = fault.Message, "Look at what is marked below."
			}
		}
		if !f.Secret {
			card.Fields[i].Value = typed[f.Name]
		}
	}
}

// connectPage tests what was typed in and saves it.
func (a *api) connectPage(w http.ResponseWriter, r *http.Request, v visit) error {
	row, ok := a.Vendors.Of(tenant.System(r.PathValue("system")))
	if !ok {
		return notFound()
	}
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	var keys vendor.Credentials
	typed := map[string]string{}
	for _, f := range row.Fields {
		typed[f.Name] = strings.TrimSpace(form.Get(f.Name))
		keys.Set(f.Is, typed[f.Name])
	}
	_, _, err = a.Vendors.Connect(r.Context(), v.Tenant.ID, row.System, keys)
	if err != nil {
		return a.showIntegrations(w, r, v, row.System, a.problemOf(w, r, err), typed)
	}
	http.Redirect(w, r, integrationsPath(v.Tenant.ID)+"?said=connected#"+string(row.System), http.StatusSeeOther)
	return nil
}

func (a *api) askDisconnect(w http.ResponseWriter, r *http.Request, v visit) error {
	sys := tenant.System(r.PathValue("system"))
	c, ok := v.Connections[sys]
	if !ok {
		return notFound()
	}
	title := sys.Title()
	if slices.Contains(joorcin7.Systems(), sys) {
		return a.ask(w, r, v, "Disconnect "+title, confirmPage{
			Name: c.Name, Button: "Disconnect " + title, Back: integrationsPath(v.Tenant.ID),
			Keep: "Keep it connected",
			Happens: []string{"The keys of " + title + " are removed from here.",
				"Customers are neither uploaded nor updated until it is connected again."},
			Stays: []string{"Everything in Cin7 Omni and JOOR.", "Settings, and which customer is which connection.",
				"When the same account is connected again, what waited goes on."},
		})
	}
	p := confirmPage{
		Name: c.Name, Button: "Disconnect " + title, Back: integrationsPath(v.Tenant.ID),
		Keep: "Keep it connected",
		Happens: []string{"The keys of " + title + " are removed from here.",
			"Orders that are approved from now on are not sold until it is connected again."},
		Stays: []string{"Everything that was done, each order's story included.",
			"Settings, and which customer or product is which.",
			"Everything in " + title + ", but for our own webhooks there.",
			"When the same account is connected again, orders that waited go on. What was approved in the meantime " +
				"is shown with its days."},
	}
	if row, _ := a.Vendors.Of(sys); row.Paste != "" {
		p.Happens = append(p.Happens, "The webhook address here stops to work. Connecting again gives a new one to "+
			"paste into "+title+".")
	}
	return a.ask(w, r, v, p.Button, p)
}

func (a *api) disconnectPage(w http.ResponseWriter, r *http.Request, v visit) error {
	sys := tenant.System(r.PathValue("system"))
	err := a.Vendors.Disconnect(r.Context(), v.Tenant.ID, sys)
	if err != nil && !errors.Is(err, tenant.ErrNotFound) { // pressed twice
		return err
	}
	http.Redirect(w, r, integrationsPath(v.Tenant.ID)+"?said=disconnected", http.StatusSeeOther)
	return nil
}
