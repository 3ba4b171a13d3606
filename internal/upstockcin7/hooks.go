package upstockcin7

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// maxHint is how much of a body is read. None that is documented is nearly as
// long. A longer one is not refused: six refusals, and Cin7 Core gives the
// webhook up; and a hint does not get better by its length.
const maxHint = 1 << 20

// heardEvery is how exactly it is known when a webhook last came.
const heardEvery = 15 * time.Minute

// Cin7Webhook takes in what Cin7 Core delivers at POST /webhooks/cin7core/{token}.
//
// Cin7 Core signs nothing: it bears the secret under which the webhook was
// registered; a replaced one is valid for a day more. What it delivers is a hint
// and never a fact: the sale it names is read, if it is one of the tenant's,
// and whatever the body is, 202 means that this is on record. Cin7 Core tries
// six times in 75 minutes; then it gives the webhook up until CheckWebhooks
// finds it.
func (p *Pair) Cin7Webhook() http.Handler { return deliveries(p.receiveHint) }

func (p *Pair) receiveHint(req *http.Request) (int, string) {
	if req.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "Deliveries are POSTed."
	}
	ctx := req.Context()
	c, secrets, err := p.Tenants.Hooked(ctx, req.PathValue("token"))
	if errors.Is(err, tenant.ErrNotFound) || err == nil && c.System != tenant.Cin7Core {
		return http.StatusNotFound, "Nobody's webhook address ends like this."
	}
	if errors.Is(err, tenant.ErrSealed) {
		_, _ = p.markUnsealed(ctx, c)
	}
	if err != nil {
		return unavailable()
	}
	if !p.bears(secrets, req.Header.Get("Authorization")) {
		p.Ledger.RecordSome(ctx, c.Tenant, ledger.Event{Kind: "webhookRefused", Text: "A delivery from Cin7 Core was refused (401): it did not bear this connection's secret. " +
			"If somebody changed the webhook in Cin7 Core, there is nothing to do: it is put right within half an hour."})
		return http.StatusUnauthorized, "The bearer token is not this address's."
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxHint+1)) // what there is of it
	if len(body) > maxHint || err != nil {
		p.Ledger.RecordSome(ctx, c.Tenant, ledger.Event{Kind: "webhookCut", Text: "A delivery from Cin7 Core was read in part only: it is over 1 MiB or ended early. What it was about is asked of Cin7 Core all the same."})
	}
	if err := p.hinted(ctx, c, cin7core.ParseWebhook(body[:min(len(body), maxHint)])); err != nil {
		return unavailable()
	}
	p.heard(ctx, c)
	return http.StatusAccepted, "Taken in."
}

// bears says whether an Authorization header holds a secret of the connection.
func (p *Pair) bears(s tenant.Secrets, header string) bool {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	return slices.ContainsFunc(s.Webhooks(p.Now()), func(secret tenant.Secret) bool {
		return subtle.ConstantTimeCompare([]byte(secret), []byte(strings.TrimSpace(token))) == 1
	})
}

// hinted has what a hint names looked at. nil means that this is durable.
func (p *Pair) hinted(ctx context.Context, c tenant.Connection, h cin7core.WebhookHint) error {
	tenantID := c.Tenant
	order, err := p.meant(ctx, c, h)
	if err != nil {
		return err
	}
	if order != "" {
		r, err := p.Ledger.Get(ctx, tenantID, order)
		if err == nil && r.Account != "" && r.Account != c.Account {
			return nil // of an account that was connected before, and numbers its sales alike
		}
		if err == nil {
			return p.markLook(ctx, r, heard{})
		}
		if !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
	}
	// A task alone may be of a fulfilment of one of our Advanced Sales.
	if h.SaleID == "" && h.OrderNumber == "" {
		return p.Kick(ctx, tenantID, JobShipments)
	}
	return nil // somebody else's sale, as in many accounts most are: no event either, they would hide all others
}

// meant is the order whose sale a hint names; "" = none of this tenant's.
func (p *Pair) meant(ctx context.Context, c tenant.Connection, h cin7core.WebhookHint) (string, error) {
	task := h.TaskID
	if task == h.SaleID {
		task = ""
	}
	for _, by := range []struct{ kind, id string }{{linkSale, h.SaleID}, {linkSale, task}, {linkSaleNumber, numberIn(c.Account, h.OrderNumber)}, {linkSaleNumber, strings.ToUpper(h.OrderNumber)}} {
		if by.id == "" || by.kind == linkSaleNumber && h.OrderNumber == "" {
			continue
		}
		if link, err := p.Ledger.Link(ctx, c.Tenant, by.kind, by.id); err != nil || link.ID != "" {
			return link.ID, err
		}
	}
	return "", nil
}

// heard notes that webhooks do come, best effort.
func (p *Pair) heard(ctx context.Context, c tenant.Connection) {
	now := p.Now().UTC().Truncate(heardEvery)
	if !c.Webhooks.Heard.Before(now) {
		return
	}
	_, _ = p.Tenants.Update(ctx, c.Tenant, c.System, func(c *tenant.Connection) error {
		if !c.Webhooks.Heard.Before(now) {
			return tenant.ErrChanged // noted meanwhile
		}
		c.Webhooks.Heard = now
		return nil
	})
}

// giveHook makes the secret that Cin7 Core's webhooks bear, where it is missing
// or to be renewed.
func giveHook(s *tenant.Secrets, renew bool) {
	if s.Webhook == "" || renew {
		s.Webhook = tenant.Secret(rand.Text())
	}
}

// hookTypes are the webhooks that each connection has, one of each.
func hookTypes() []string {
	return []string{cin7core.SaleShipmentAuthorised, cin7core.SaleShipmentTrackingNumberChanged, cin7core.SaleVoided, cin7core.SaleUndo, cin7core.SaleBackordered}
}

// hookStep is one write that brings the webhooks nearer to how they should be.
type hookStep struct {
	do   string // create, update, delete
	hook cin7core.Webhook
}

// key names the step among those of one check. The secret may change during one.
func (s hookStep) key() string {
	return strings.Join([]string{s.do, s.hook.Type, s.hook.ID, s.hook.BearerToken}, "|")
}

func (s hookStep) make(ctx context.Context, c *cin7core.Client) (err error) {
	switch s.do {
	case "create":
		_, err = c.CreateWebhook(ctx, s.hook)
	case "update":
		_, err = c.UpdateWebhook(ctx, s.hook)
	default:
		err = c.DeleteWebhook(ctx, s.hook.ID)
	}
	return err
}

// hookSteps compares an account's webhooks with what should be: of each type
// one that is active and right. Ours are those whose address ends in our token.
// Of several the same one is kept by whoever looks, or two checks at once could
// each delete the other's. Ours of another type and those of nobody (a
// connection that was taken away) go, or they would use up the five of a type;
// everybody else's stay. missing are the types of which none was there and active.
func hookSteps(all []cin7core.Webhook, address, secret string, nobodys func(token string) bool) (steps []hookStep, missing []string) {
	base, token := path.Split(address)
	var extra []hookStep
	for _, kind := range hookTypes() {
		right := cin7core.Webhook{Type: kind, Active: true, URL: address, AuthorizationType: cin7core.BearerAuth, BearerToken: secret}
		var ours []cin7core.Webhook
		for _, h := range all {
			if strings.EqualFold(h.Type, kind) && hookToken(h.URL) == token {
				ours = append(ours, h)
			}
		}
		if len(ours) == 0 {
			steps, missing = append(steps, hookStep{"create", right}), append(missing, kind)
			continue
		}
		slices.SortFunc(ours, func(a, b cin7core.Webhook) int {
			if a.Active != b.Active {
				if a.Active {
					return -1
				}
				return 1
			}
			return strings.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID))
		})
		if !ours[0].Active {
			missing = append(missing, kind)
		}
		right.ID, right.Type = ours[0].ID, ours[0].Type
		if ours[0] != right {
			steps = append(steps, hookStep{"update", right})
		}
		for _, h := range ours[1:] {
			extra = append(extra, hookStep{"delete", cin7core.Webhook{ID: h.ID}})
		}
	}
	var old []hookStep
	for _, h := range all {
		t := hookToken(h.URL)
		if t == token && !slices.ContainsFunc(hookTypes(), func(kind string) bool { return strings.EqualFold(h.Type, kind) }) ||
			t != token && h.URL == base+t && nobodys(t) {
			old = append(old, hookStep{"delete", cin7core.Webhook{ID: h.ID}})
		}
	}
	return slices.Concat(old, steps, extra), missing
}

// hookToken is what a webhook's address ends in.
func hookToken(address string) string {
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return ""
	}
	return path.Base(u.Path)
}

// maxRounds bounds how often one check lists the webhooks anew.
const maxRounds = 6

// CheckWebhooks sees to it that Cin7 Core calls us: of each type one webhook
// that is active, at our address, with the secret of now. It lists them, writes
// what is wrong, and lists them again, until nothing is: a write whose answer
// is lost is settled by the next list, and two checks at once come to the same.
// A check that finds all well costs one call. What cannot be had is no trouble:
// the poll finds all that webhooks would tell.
func (p *Pair) CheckWebhooks(ctx context.Context, j Job) error {
	w, err := p.begin(ctx, j, tenant.Cin7Core)
	if w == nil || err != nil {
		return err
	}
	p.Tenants.Hold(ctx, w.conn)
	var renewed []string
	var lost error
	tried := map[string]error{} // steps with their answer: what a list does not show yet is not done twice
	for round := range maxRounds {
		if here, err := w.hookAddress(round > 0); errors.Is(err, tenant.ErrChanged) {
			return w.pause(nil)
		} else if !here || err != nil {
			return err
		}
		if w.short() {
			return w.pause(lost)
		}
		client := p.Cin7Core(w.conn, w.sec, false)
		ctx := rest.WithSecrets(ctx, string(w.sec.Webhook), string(w.sec.Hook))
		all, err := client.Webhooks(ctx)
		if errors.Is(err, cin7core.ErrNoAutomation) {
			return w.webhooks(tenant.WebhooksUnavailable, "Cin7 Core does not let this account have webhooks: they need its Automation module. "+polled(), nil)
		}
		if err != nil {
			return w.pause(err)
		}
		steps, missing := hookSteps(all, p.webhookURL(tenant.Cin7Core, w.sec), string(w.sec.Webhook), w.nobodys)
		if round == 0 {
			renewed = missing
		}
		left := slices.DeleteFunc(slices.Clone(steps), func(s hookStep) bool { _, known := tried[s.key()]; return known })
		if len(left) == 0 {
			return w.hooked(all, steps, tried, renewed)
		}
		for _, s := range left {
			if w.short() {
				return w.pause(lost)
			}
			err := s.make(ctx, client)
			switch kind := rest.KindOf(err); {
			case err == nil, errors.Is(err, cin7core.ErrNoAutomation), kind == rest.Invalid, kind == rest.NotFound, kind == rest.Conflict:
				tried[s.key()] = err
				continue
			case rest.OutcomeOf(err) == rest.Refused:
				return w.pause(err)
			}
			lost = err
			break
		}
	}
	return w.pause(lost)
}

// hookAddress makes sure of the connection's token and secret, read anew if
// asked: a key may be replaced during a check. here is false where the account
// is not connected any more. tenant.ErrChanged: somebody else was faster.
func (w *poll) hookAddress(anew bool) (here bool, err error) {
	gone := func(c tenant.Connection) bool { return c.State != tenant.Connected || c.Account != w.conn.Account }
	if anew {
		c, err := w.Tenants.Connection(w.ctx, w.job.Tenant, tenant.Cin7Core)
		if errors.Is(err, tenant.ErrNotFound) || err == nil && gone(c) {
			return false, nil
		}
		if err == nil && c.Generation != w.conn.Generation {
			w.sec, err = w.secrets(w.ctx, c)
		}
		if err != nil {
			return false, err
		}
		w.conn, w.b.Connections[tenant.Cin7Core] = c, c
	}
	if w.sec.Hook != "" && w.sec.Webhook != "" {
		return true, nil
	}
	c, sec, err := w.Tenants.Connect(w.ctx, w.job.Tenant, tenant.Cin7Core, func(c *tenant.Connection, s *tenant.Secrets) error {
		if gone(*c) {
			return tenant.ErrChanged
		}
		giveHook(s, false)
		return nil
	})
	if err != nil {
		return false, err
	}
	w.conn, w.sec = c, sec
	return true, nil
}

// nobodys says that a token was ours and is no connection's any more.
func (w *poll) nobodys(token string) bool {
	who, sys, err := w.Tenants.Hook(w.ctx, token)
	return errors.Is(err, tenant.ErrNotFound) || err == nil && who == w.job.Tenant && sys == tenant.Cin7Core // of the time before a sealing key was lost
}

// hooked ends a check that can do no more: steps are those that are left.
func (w *poll) hooked(all []cin7core.Webhook, steps []hookStep, tried map[string]error, renewed []string) error {
	var why []string
	for _, s := range steps {
		err := tried[s.key()]
		if err == nil || s.do == "delete" {
			continue
		}
		n := 0
		for _, h := range all {
			if strings.EqualFold(h.Type, s.hook.Type) {
				n++
			}
		}
		switch said := w.unsaid(strings.Join(rest.MessagesOf(err), " ")); {
		case errors.Is(err, cin7core.ErrNoAutomation):
			return w.webhooks(tenant.WebhooksUnavailable, "Cin7 Core does not let this account have webhooks: they need its Automation module. "+polled(), nil)
		case s.do == "create" && n >= cin7core.MaxWebhooks:
			why = append(why, fmt.Sprintf("There are %d webhooks of the type %s already, as many as Cin7 Core allows: delete one there.", n, s.hook.Type))
		default:
			why = append(why, fmt.Sprintf("Cin7 Core refused the webhook of the type %s: %s", s.hook.Type, cmp.Or(said, rest.Reason(err)+".")))
		}
	}
	if len(why) > 0 {
		return w.webhooks(tenant.WebhooksOff, strings.Join(why, " ")+" "+polled(), nil)
	}
	return w.webhooks(tenant.WebhooksOn, "", renewed)
}

// unsaid takes our secrets from what a vendor says.
func (w *poll) unsaid(text string) string {
	return strings.NewReplacer(string(w.sec.Webhook), "[redacted]", string(w.sec.Hook), "[redacted]").Replace(text)
}

// polled says what happens without webhooks.
func polled() string {
	return fmt.Sprintf("Changes are found all the same, by asking Cin7 Core every %.0f minutes.", Every()[JobShipments].Minutes())
}

// webhooks ends a check with what it found, and says so on the connection.
func (w *poll) webhooks(state, why string, renewed []string) error {
	now, was := w.Now().UTC(), w.conn.Webhooks
	if was.State != tenant.WebhooksOn {
		renewed = nil // they were not there to be missed
	}
	if changed := was.State != state || was.Why != why; changed || len(renewed) > 0 || now.Sub(was.Checked) > w.Times.Jobs[JobWebhooks]/6 {
		_, err := w.Tenants.Update(w.ctx, w.job.Tenant, tenant.Cin7Core, func(c *tenant.Connection) error {
			if c.Account != w.conn.Account {
				return tenant.ErrNotFound
			}
			h := &c.Webhooks
			if h.State, h.Why, h.Checked = state, why, now; len(renewed) > 0 {
				h.Renewed = now
			}
			return nil
		})
		if errors.Is(err, tenant.ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		text := why
		switch {
		case len(renewed) > 0:
			text = "Webhooks were missing in Cin7 Core, or it had given them up. They are active again: " + strings.Join(renewed, ", ") + "."
		case !changed:
			text = ""
		case state == tenant.WebhooksOn:
			text = "Cin7 Core tells of shipments by itself now: its webhooks to Stockbridge are active."
		}
		if text != "" {
			_ = w.Ledger.RecordSome(w.ctx, w.job.Tenant, ledger.Event{Kind: "webhooks", Text: text})
		}
	}
	return w.done(time.Time{})
}

// unhook deletes a connection's webhooks in Cin7 Core, best effort and soon: one
// that stays is answered 404 until Cin7 Core gives it up, and goes when the
// account is connected again.
func (p *Pair) unhook(ctx context.Context, c tenant.Connection, s tenant.Secrets) {
	if c.State != tenant.Connected || s.Hook == "" || c.Webhooks.State == tenant.WebhooksUnavailable {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, p.Times.HTTP/2)
	defer cancel()
	client := p.Cin7Core(c, s, true)
	all, err := client.Webhooks(ctx)
	if err != nil {
		return
	}
	for _, h := range all {
		if hookToken(h.URL) == string(s.Hook) {
			_ = client.DeleteWebhook(ctx, h.ID)
		}
	}
}
