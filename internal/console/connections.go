package console

import (
	"net/http"
	"strings"
	"time"

	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// connectionAnswer is a connection without anything secret but, where the
// connection itself is asked for, its webhook URL.
type connectionAnswer struct {
	System     tenant.System          `json:"system"`
	State      tenant.ConnectionState `json:"state"`
	Why        *string                `json:"why"`
	Refused    *time.Time             `json:"refused"` // since when it needs reconnecting
	Account    string                 `json:"account"`
	Name       *string                `json:"name"`
	Currency   *string                `json:"currency"`
	TimeZone   *string                `json:"timeZone"`
	Warnings   []string               `json:"warnings"`
	Since      time.Time              `json:"since"`
	Changed    time.Time              `json:"changed"`
	WebhookURL string                 `json:"webhookUrl,omitempty"` // to paste into Upstock
	Webhooks   *webhooksAnswer        `json:"webhooks,omitempty"`   // Cin7 Core's to us
	Gaps       []gapAnswer            `json:"gaps,omitempty"`       // Upstock's
	OwnOff     *ownOffAnswer          `json:"ownIntegrationOff,omitempty"`
}

// ownOffAnswer is a person's word that Upstock's own Cin7 integration is off.
type ownOffAnswer struct {
	By *string   `json:"by"`
	At time.Time `json:"at"`
}

// gapAnswer is a time in which approved orders were not taken in.
type gapAnswer struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Days   daysFrom  `json:"days"`   // as a backfill takes them
	Orders *int      `json:"orders"` // null: not counted yet
	Text   string    `json:"text"`
}

type daysFrom struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// gapsOf lists the gaps that a backfill could fill, but for those that a person has taken note of.
func gapsOf(t tenant.Tenant, c tenant.Connection) (list []gapAnswer) {
	for _, g := range c.Gaps {
		if !g.Open() {
			continue
		}
		from, to := order.GapDays(t, g)
		ans := gapAnswer{From: g.From, To: g.To, Days: daysFrom{from, to}, Text: order.GapText(t, g)}
		if g.Known {
			ans.Orders = &g.Orders
		}
		list = append(list, ans)
	}
	return list
}

// webhooksAnswer is how we hear of what changes in Cin7 Core.
type webhooksAnswer struct {
	State   *string    `json:"state"`   // on, off, unavailable; null: not looked at yet
	Text    string     `json:"text"`    // what that means
	Why     *string    `json:"why"`     // of off and unavailable
	Checked *time.Time `json:"checked"` // when Cin7 Core last listed them
	Renewed *time.Time `json:"renewed"` // when one was last found missing
	Heard   *time.Time `json:"heard"`   // when one last came, to the quarter of an hour
}

func webhooksOf(b tenant.Bundle, c tenant.Connection) *webhooksAnswer {
	if c.System != tenant.Cin7Core {
		return nil
	}
	h := upstockcin7.WebhooksOf(c)
	text := "Cin7 Core is asked every few minutes; whether its webhooks are on has not been looked at yet."
	switch h.State {
	case upstockcin7.WebhooksOn:
		text = "Cin7 Core says at once what changes, and is asked every few minutes besides."
	case upstockcin7.WebhooksOff:
		text = "Cin7 Core's webhooks could not be switched on: it is asked every few minutes, and shipments show " +
			"that much later."
	case upstockcin7.WebhooksUnavailable:
		text = "This Cin7 Core account cannot have webhooks: it is asked every few minutes, and shipments show that " +
			"much later."
	}
	if why := b.Ready(upstockcin7.Systems()...); why != "" {
		text = "Not asked for now: " + why
	}
	return &webhooksAnswer{known(h.State), text, known(h.Why), when(h.Checked), when(h.Renewed), when(h.Heard)}
}

func connectionOf(b tenant.Bundle, c tenant.Connection) connectionAnswer {
	ans := connectionAnswer{
		System: c.System, State: c.State, Why: known(c.Why), Refused: when(c.Refused), Account: c.Account,
		Name: known(c.Name), Currency: known(c.Currency),
		TimeZone: known(c.TimeZone), Warnings: append([]string{}, c.Warnings...), Since: c.Since, Changed: c.Changed,
		Webhooks: webhooksOf(b, c),
	}
	if own := upstockcin7.OwnIntegration(c); !own.At.IsZero() {
		ans.OwnOff = &ownOffAnswer{known(own.By), own.At}
	}
	return ans
}

// withNotes adds what is to be said of a connection now, and the webhook URL of a system that a tenant has to tell
// ours.
func (a *api) withNotes(r *http.Request, b tenant.Bundle, c tenant.Connection) (connectionAnswer, error) {
	c, notes, url, err := a.Vendors.Notes(r.Context(), b, c)
	b.Connections[c.System] = c // it may have been marked just now
	ans := connectionOf(b, c)
	ans.Gaps, ans.Warnings, ans.WebhookURL = gapsOf(b.Tenant, c), upstockcin7.CurrentWarnings(notes), url
	return ans, err
}

func (a *api) listConnections(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var items []connectionAnswer
	for _, sys := range tenant.Systems() {
		if c, ok := b.Connections[sys]; ok {
			item, err := a.withNotes(r, b, c)
			if err != nil {
				return err
			}
			items = append(items, item)
		}
	}
	return respond(w, r, http.StatusOK, page(items, ""))
}

func (a *api) getConnection(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	c, ok := b.Connections[tenant.System(r.PathValue("system"))]
	if !ok {
		return a.notConnected(r.PathValue("system"))
	}
	ans, err := a.withNotes(r, b, c)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, ans)
}

// putConnection connects a system, or replaces what the body names of a
// connection; what it leaves out or empty stays.
func (a *api) putConnection(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	row, err := a.system(r)
	if err != nil {
		return err
	}
	fields, values := map[string]any{}, make([]string, len(row.Fields))
	for i, f := range row.Fields {
		fields[f.Name] = &values[i]
	}
	if err := decode(w, r, false, fields); err != nil {
		return err
	}
	var typed vendor.Credentials
	for i, f := range row.Fields {
		typed.Set(f.Is, values[i])
	}
	c, _, err := a.Vendors.Connect(r.Context(), b.Tenant.ID, row.System, typed)
	if err != nil {
		return err
	}
	ans, err := a.withNotes(r, b, c)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, ans)
}

// notConnected says that a system is not connected, or that there is no such system.
func (a *api) notConnected(sys string) error {
	if row, ok := a.Vendors.Of(tenant.System(sys)); ok {
		return missing(row.System.NotConnected())
	}
	return missing("There is no such system. There are: " + strings.Join(a.systems(), ", ") + ".")
}

// putOwnIntegration takes a person's word that Upstock's own Cin7 integration is off, or takes it back.
func (a *api) putOwnIntegration(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if _, ok := b.Connections[tenant.Upstock]; !ok {
		return a.notConnected(string(tenant.Upstock))
	}
	var off *bool
	if err := decode(w, r, false, map[string]any{"off": &off}, func() tenant.FieldErrors {
		if off == nil {
			return tenant.FieldErrors{{Field: "off", Message: "Say true or false."}}
		}
		return nil
	}); err != nil {
		return err
	}
	err := a.Pair.SayOwnOff(r.Context(), b.Tenant.ID, *off)
	if err != nil {
		return err
	}
	if b, err = a.Tenants.Load(r.Context(), b.Tenant.ID); err != nil {
		return err
	}
	ans, err := a.withNotes(r, b, b.Connections[tenant.Upstock])
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, ans)
}

func (a *api) deleteConnection(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	row, err := a.system(r)
	if err != nil {
		return err
	}
	if _, ok := b.Connections[row.System]; !ok {
		return a.notConnected(string(row.System))
	}
	if err := a.Vendors.Disconnect(r.Context(), b.Tenant.ID, row.System); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
