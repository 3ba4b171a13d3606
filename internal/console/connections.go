package console

import (
	"net/http"
	"slices"
	"time"

	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
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

// gapsOf lists the gaps that a backfill could fill.
func gapsOf(t tenant.Tenant, c tenant.Connection) (list []gapAnswer) {
	for _, g := range c.Gaps {
		if g.Known && g.Orders == 0 {
			continue
		}
		from, to := upstockcin7.GapDays(t, g)
		ans := gapAnswer{From: g.From, To: g.To, Days: daysFrom{from, to}, Text: upstockcin7.GapText(t, g)}
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
	h := c.Webhooks
	text := "Poll only for now: whether Cin7 Core's webhooks are on has not been looked at yet."
	switch h.State {
	case tenant.WebhooksOn:
		text = "Cin7 Core says at once what changes, and is polled too."
	case tenant.WebhooksOff:
		text = "Poll only: Cin7 Core's webhooks could not be switched on. Shipments show some minutes later."
	case tenant.WebhooksUnavailable:
		text = "Poll only: this Cin7 Core account cannot have webhooks. Shipments show some minutes later."
	}
	if why := b.Ready(vendors...); why != "" {
		text = "Not polled for now: " + why
	}
	return &webhooksAnswer{known(h.State), text, known(h.Why), when(h.Checked), when(h.Renewed), when(h.Heard)}
}

func connectionOf(b tenant.Bundle, c tenant.Connection) connectionAnswer {
	return connectionAnswer{
		System: c.System, State: c.State, Why: known(c.Why), Refused: when(c.Refused), Account: c.Account, Name: known(c.Name), Currency: known(c.Currency),
		TimeZone: known(c.TimeZone), Warnings: append([]string{}, c.Warnings...), Since: c.Since, Changed: c.Changed,
		Webhooks: webhooksOf(b, c),
	}
}

// withNotes adds what is to be said of a connection now, and the webhook URL of a system that a tenant has to tell ours.
func (a *api) withNotes(r *http.Request, b tenant.Bundle, c tenant.Connection) (connectionAnswer, error) {
	c, notes, url, err := a.Pair.Notes(r.Context(), b, c)
	b.Connections[c.System] = c // it may have been marked just now
	ans := connectionOf(b, c)
	ans.Gaps, ans.Warnings, ans.WebhookURL = gapsOf(b.Tenant, c), notes, url
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
		return notConnected(r.PathValue("system"))
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
	sys, err := system(r)
	if err != nil {
		return err
	}
	var account, key, webhook string // plain: a Secret would not take JSON for what it is
	fields := map[string]any{"accountId": &account, "applicationKey": &key}
	if sys == tenant.Upstock {
		fields = map[string]any{"token": &key, "webhookSecret": &webhook}
	}
	if err := decode(w, r, false, fields); err != nil {
		return err
	}
	cred := upstockcin7.Credentials{Account: account, Key: tenant.Secret(key), Webhook: tenant.Secret(webhook)}
	c, _, err := a.Pair.Connect(r.Context(), b.Tenant.ID, sys, cred)
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
func notConnected(sys string) error {
	if sys := tenant.System(sys); slices.Contains(vendors, sys) {
		return missing(sys.NotConnected())
	}
	return missing("There is no such system. There are: upstock, cin7core.")
}

func (a *api) deleteConnection(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	sys, err := system(r)
	if err != nil {
		return err
	}
	if _, ok := b.Connections[sys]; !ok {
		return notConnected(string(sys))
	}
	if err := a.Pair.Disconnect(r.Context(), b.Tenant.ID, sys); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
