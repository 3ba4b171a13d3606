package upstockcin7

import (
	"cmp"
	"context"
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
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
)

// maxHint is how much of a body is read. None that is documented is nearly as
// long. A longer one is not refused: six refusals, and Cin7 Core gives the
// webhook up; and a hint does not get better by its length.
const maxHint = 1 << 20

// Webhooks is how far Cin7 Core's webhooks to us are registered.
type Webhooks struct {
	State   string    `json:"state,omitempty"`  // "" = not looked at yet; on, off, unavailable
	Why     string    `json:"why,omitempty"`    // off, unavailable: in the tenant's words
	Checked time.Time `json:"checked,omitzero"` // when the vendor last listed them
	Renewed time.Time `json:"renewed,omitzero"` // when one was last found missing or inactive
	Heard   time.Time `json:"heard,omitzero"`   // when one last came, to the quarter of an hour
}

// The states of webhooks.
const (
	WebhooksOn          = "on"
	WebhooksOff         = "off"         // they could not be registered
	WebhooksUnavailable = "unavailable" // the account cannot have any: changes are polled
)

// hookProgress is how far they are, as it is noted beside the connection to Cin7 Core.
const hookProgress tenant.Progress[Webhooks] = "webhooks"

// WebhooksOf is how far a connection's webhooks are.
func WebhooksOf(c tenant.Connection) Webhooks { return hookProgress.Of(c) }

// heardEvery is how exactly it is known when a webhook last came.
const heardEvery = 15 * time.Minute

// Cin7Webhook takes in what Cin7 Core delivers at POST /webhooks/cin7core/{token}.
//
// Cin7 Core signs nothing: it bears the secret under which the webhook was
// registered; a replaced one is valid for a day more. What it delivers is a hint
// and never a fact: the sale it names is read, if it is one of the tenant's,
// and whatever the body is, 202 means that this is on record. Cin7 Core tries
// six times in 75 minutes; then it gives the webhook up until checkWebhooks
// finds it.
func (p *Pair) Cin7Webhook() http.Handler { return deliveries(p.receiveHint) }

func (p *Pair) receiveHint(req *http.Request) (int, string) {
	if req.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "Deliveries are POSTed."
	}
	ctx := req.Context()
	c, secrets, err := p.Tenants.ConnectionByURLToken(ctx, req.PathValue("token"), string(hookProgress))
	if errors.Is(err, tenant.ErrNotFound) || err == nil && c.System != tenant.Cin7Core {
		return http.StatusNotFound, "Nobody's webhook address ends like this."
	}
	if errors.Is(err, tenant.ErrSealed) {
		_, _ = p.Vendors.MarkUnsealed(ctx, c)
	}
	if err != nil {
		return unavailable()
	}
	if !p.hasSecret(secrets, req.Header.Get("Authorization")) {
		p.Ledger.RecordSome(ctx, c.Tenant,
			ledger.Event{Kind: "hintRefused",
				Text: "A delivery from Cin7 Core was refused (401): it did not bear this connection's secret. " +
					"If somebody changed the webhook in Cin7 Core, there is nothing to do: it is put right within " +
					"half an hour."})
		return http.StatusUnauthorized, "The bearer token is not this address's."
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxHint+1)) // what there is of it
	if len(body) > maxHint || err != nil {
		p.Ledger.RecordSome(ctx, c.Tenant,
			ledger.Event{Kind: "webhookCut",
				Text: "A delivery from Cin7 Core was read in part only: it is over 1 MiB or ended early. What it was " +
					"about is asked of Cin7 Core all the same."})
	}
	if err := p.hinted(ctx, c, cin7core.ParseWebhook(body[:min(len(body), maxHint)])); err != nil {
		return unavailable()
	}
	p.heard(ctx, c)
	return http.StatusAccepted, "Taken in."
}

// hasSecret reports whether an Authorization header holds a secret of the connection.
func (p *Pair) hasSecret(s tenant.Secrets, header string) bool {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	return slices.ContainsFunc(s.WebhookSecrets(p.Now()), func(secret tenant.Secret) bool {
		return subtle.ConstantTimeCompare([]byte(secret), []byte(strings.TrimSpace(token))) == 1
	})
}

// hinted has the sale read that a hint names. nil means that this is durable.
func (p *Pair) hinted(ctx context.Context, c tenant.Connection, h cin7core.WebhookHint) error {
	tenantID := c.Tenant
	id, err := p.orderOf(ctx, c, h)
	if err != nil {
		return err
	}
	if id != "" {
		r, err := p.Orders.Get(ctx, tenantID, id)
		if err == nil && r.Account != "" && r.Account != c.Account {
			return nil // of an account that was connected before, and numbers its sales alike
		}
		if err == nil {
			return p.marks.SaleChanged(ctx, r, order.Heard{})
		}
		if !errors.Is(err, ledger.ErrNotFound) {
			return err
		}
	}
	// A task alone may be of a fulfilment of one of our Advanced Sales.
	if h.SaleID == "" && h.OrderNumber == "" {
		return p.Runner.Kick(ctx, tenantID, JobShipments)
	}
	return nil // somebody else's sale, as in many accounts most are: no event either, they would hide all others
}

// orderOf is the order whose sale a hint names; "" = none of this tenant's.
func (p *Pair) orderOf(ctx context.Context, c tenant.Connection, h cin7core.WebhookHint) (string, error) {
	task := h.TaskID
	if task == h.SaleID {
		task = ""
	}
	return order.OfSale(ctx, p.Ledger, c.Tenant, c.Account, h.OrderNumber, h.SaleID, task)
}

// heard notes that webhooks do come, best effort.
func (p *Pair) heard(ctx context.Context, c tenant.Connection) {
	now := p.Now().UTC().Truncate(heardEvery)
	if !hookProgress.Of(c).Heard.Before(now) {
		return
	}
	_, _ = hookProgress.Change(ctx, p.Tenants, c.Tenant, c.System, func(_ tenant.Connection, h *Webhooks) error {
		if !h.Heard.Before(now) {
			return tenant.ErrChanged // noted meanwhile
		}
		h.Heard = now
		return nil
	})
}

// hookTypes are the webhooks that each connection has, one of each.
func hookTypes() []string {
	return []string{cin7core.SaleShipmentAuthorised, cin7core.SaleShipmentTrackingNumberChanged, cin7core.SaleVoided,
		cin7core.SaleUndo, cin7core.SaleBackordered}
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
func hookSteps(
	all []cin7core.Webhook, address, secret string, ownerless func(token string) bool,
) (steps []hookStep, missing []string) {
	base, token := path.Split(address)
	var put, extra []hookStep
	for _, kind := range hookTypes() {
		ours := oursOf(all, kind, token)
		if len(ours) == 0 || !ours[0].Active {
			missing = append(missing, kind)
		}
		put = append(put, putRight(ours, cin7core.Webhook{
			Type: kind, Active: true, URL: address, AuthorizationType: cin7core.BearerAuth, BearerToken: secret,
		})...)
		extra = append(extra, deletions(ours[min(1, len(ours)):])...)
	}
	return slices.Concat(deletions(staleHooks(all, base, token, ownerless)), put, extra), missing
}

// oursOf are our webhooks of a type, the one that is kept first.
func oursOf(all []cin7core.Webhook, kind, token string) []cin7core.Webhook {
	var ours []cin7core.Webhook
	for _, h := range all {
		if strings.EqualFold(h.Type, kind) && hookToken(h.URL) == token {
			ours = append(ours, h)
		}
	}
	slices.SortFunc(ours, func(a, b cin7core.Webhook) int {
		switch {
		case a.Active && !b.Active:
			return -1
		case b.Active && !a.Active:
			return 1
		}
		return strings.Compare(strings.ToLower(a.ID), strings.ToLower(b.ID))
	})
	return ours
}

// putRight makes one of ours as it should be, unless it is.
func putRight(ours []cin7core.Webhook, right cin7core.Webhook) []hookStep {
	if len(ours) == 0 {
		return []hookStep{{"create", right}}
	}
	right.ID, right.Type = ours[0].ID, ours[0].Type
	if ours[0] == right {
		return nil
	}
	return []hookStep{{"update", right}}
}

// staleHooks are the webhooks that nobody needs: ours of another type, and those of nobody.
func staleHooks(
	all []cin7core.Webhook, base, token string, ownerless func(token string) bool,
) (list []cin7core.Webhook) {
	for _, h := range all {
		t := hookToken(h.URL)
		known := slices.ContainsFunc(hookTypes(), func(kind string) bool { return strings.EqualFold(h.Type, kind) })
		if t == token && !known || t != token && h.URL == base+t && ownerless(t) {
			list = append(list, h)
		}
	}
	return list
}

func deletions(hooks []cin7core.Webhook) []hookStep {
	steps := make([]hookStep, len(hooks))
	for i, h := range hooks {
		steps[i] = hookStep{"delete", cin7core.Webhook{ID: h.ID}}
	}
	return steps
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

// checkWebhooks sees to it that Cin7 Core calls us: of each type one webhook
// that is active, at our address, with the secret of now. It lists them, writes
// what is wrong, and lists them again, until nothing is: a write whose answer
// is lost is settled by the next list, and two checks at once come to the same.
// A check that finds all well costs one call. What cannot be had is no trouble:
// the poll finds all that webhooks would tell.
func (p *Pair) checkWebhooks(ctx context.Context, part *job.Part) error {
	if err := p.resumeTestOrder(ctx, part.Tenant); err != nil {
		return err
	}
	w, err := p.poll(ctx, part)
	if err != nil {
		return err
	}
	p.Tenants.Hold(ctx, w.conn)
	c := &hookCheck{poll: w, tried: map[string]error{}}
	for round := range maxRounds {
		if over, err := c.round(round); over || err != nil {
			return err
		}
	}
	return cmp.Or(c.lost, part.Soon())
}

// hookCheck is one check of a connection's webhooks.
type hookCheck struct {
	*poll
	tried   map[string]error // steps with their answer: what a list does not show yet is not done twice
	lost    error            // of the last write without an answer
	renewed []string         // the types that were missing at first
}

// round lists the webhooks and writes what is wrong. over says that the check is at its end.
func (c *hookCheck) round(n int) (over bool, err error) {
	here, err := c.hookAddress(n > 0)
	switch {
	case errors.Is(err, tenant.ErrChanged):
		return true, c.part.Soon()
	case !here || err != nil:
		return true, err
	}
	if err := c.short(); err != nil {
		return true, err
	}
	client := c.core()
	ctx := rest.WithSecrets(c.ctx, string(c.sec.WebhookSecret), string(c.sec.URLToken))
	all, err := client.Webhooks(ctx)
	switch {
	case errors.Is(err, cin7core.ErrNoAutomation):
		return true, c.webhooks(WebhooksUnavailable, noAutomation+polled(), nil)
	case err != nil:
		return true, err
	}
	address := c.Vendors.URL(tenant.Cin7Core, c.sec)
	steps, missing := hookSteps(all, address, string(c.sec.WebhookSecret), c.ownerless)
	if n == 0 {
		c.renewed = missing
	}
	left := c.untried(steps)
	if len(left) == 0 {
		return true, c.hooked(all, steps, c.tried, c.renewed)
	}
	return false, c.write(ctx, client, left)
}

// short ends a check that has no time left for another call.
func (c *hookCheck) short() error {
	if short := c.part.Short(c.ctx); short != nil {
		return cmp.Or(c.lost, short)
	}
	return nil
}

func (c *hookCheck) untried(steps []hookStep) []hookStep {
	return slices.DeleteFunc(slices.Clone(steps), func(s hookStep) bool {
		_, tried := c.tried[s.key()]
		return tried
	})
}

// write does steps, until one has no answer: the next list shows what became of it.
func (c *hookCheck) write(ctx context.Context, client *cin7core.Client, steps []hookStep) error {
	for _, s := range steps {
		if err := c.short(); err != nil {
			return err
		}
		err := s.make(ctx, client)
		switch {
		case settledBy(err):
			c.tried[s.key()] = err
		case rest.OutcomeOf(err) == rest.Refused:
			return err
		default:
			c.lost = err
			return nil
		}
	}
	return nil
}

// settledBy reports whether a step is done, or need not be tried again, by what was answered to it.
func settledBy(err error) bool {
	switch rest.KindOf(err) {
	case rest.Invalid, rest.NotFound, rest.Conflict:
		return true
	}
	return err == nil || errors.Is(err, cin7core.ErrNoAutomation)
}

// hookAddress makes sure of the connection's token and secret, read anew if
// asked: a key may be replaced during a check. here is false where the account
// is not connected any more. tenant.ErrChanged: somebody else was faster.
func (w *poll) hookAddress(anew bool) (here bool, err error) {
	gone := func(c tenant.Connection) bool { return c.State != tenant.Connected || c.Account != w.conn.Account }
	if anew {
		c, err := w.Tenants.Connection(w.ctx, w.part.Tenant, tenant.Cin7Core)
		if errors.Is(err, tenant.ErrNotFound) || err == nil && gone(c) {
			return false, nil
		}
		if err == nil && c.Generation != w.conn.Generation {
			w.sec, err = w.Vendors.Secrets(w.ctx, c)
		}
		if err != nil {
			return false, err
		}
		w.conn, w.b.Connections[tenant.Cin7Core] = c, c
	}
	if w.sec.URLToken != "" && w.sec.WebhookSecret != "" {
		return true, nil
	}
	c, sec, err := w.Tenants.Connect(w.ctx, w.part.Tenant, tenant.Cin7Core,
		func(c *tenant.Connection, s *tenant.Secrets) error {
			if gone(*c) {
				return tenant.ErrChanged
			}
			s.GiveURLToken()
			s.GiveWebhookSecret(false)
			return nil
		})
	if err != nil {
		return false, err
	}
	w.conn, w.sec = c, sec
	return true, nil
}

// ownerless reports whether a token was ours and is no connection's any more.
func (w *poll) ownerless(token string) bool {
	who, sys, err := w.Tenants.URLTokenOwner(w.ctx, token)
	// of the time before a sealing key was lost
	return errors.Is(err, tenant.ErrNotFound) || err == nil && who == w.part.Tenant && sys == tenant.Cin7Core
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
			return w.webhooks(WebhooksUnavailable, noAutomation+polled(), nil)
		case s.do == "create" && n >= cin7core.MaxWebhooks:
			why = append(why, fmt.Sprintf("There are %d webhooks of the type %s already, as many as Cin7 Core "+
				"allows: delete one there.", n, s.hook.Type))
		default:
			why = append(why, fmt.Sprintf("Cin7 Core refused the webhook of the type %s: %s", s.hook.Type,
				cmp.Or(said, rest.Reason(err)+".")))
		}
	}
	if len(why) > 0 {
		return w.webhooks(WebhooksOff, strings.Join(why, " ")+" "+polled(), nil)
	}
	return w.webhooks(WebhooksOn, "", renewed)
}

// unsaid takes our secrets from what a vendor says.
func (w *poll) unsaid(text string) string {
	const out = "[redacted]"
	return strings.NewReplacer(string(w.sec.WebhookSecret), out, string(w.sec.URLToken), out).Replace(text)
}

// noAutomation begins a sentence on an account that cannot have webhooks.
const noAutomation = "Cin7 Core does not let this account have webhooks: they need its Automation module. "

// polled says what happens without webhooks.
func polled() string {
	return fmt.Sprintf("Changes are found all the same, by asking Cin7 Core every %.0f minutes.",
		shipmentsEvery.Minutes())
}

// checked is how far the webhooks are after a check that found this; told is what the tenant is told of it.
func (h Webhooks) checked(state, why string, renewed []string, now time.Time) (is Webhooks, told string) {
	is = h
	is.State, is.Why, is.Checked = state, why, now
	switch {
	case len(renewed) > 0 && h.State == WebhooksOn: // else they were not there to be missed
		is.Renewed = now
		told = "Webhooks were missing in Cin7 Core, or it had given them up. They are active again: " +
			strings.Join(renewed, ", ") + "."
	case h.State == state && h.Why == why:
	case state == WebhooksOn:
		told = "Cin7 Core tells of shipments by itself now: its webhooks to Stockbridge are active."
	default:
		told = why
	}
	return is, told
}

// webhooks ends a check with what it found, and says so beside the connection.
func (w *poll) webhooks(state, why string, renewed []string) error {
	now, told := w.Now().UTC(), ""
	note := func(c tenant.Connection, h *Webhooks) error {
		if c.Account != w.conn.Account {
			return tenant.ErrNotFound
		}
		was := *h
		*h, told = was.checked(state, why, renewed, now)
		if told == "" && now.Sub(was.Checked) <= w.part.Interval()/6 {
			return errUnchanged
		}
		return nil
	}
	_, err := hookProgress.Change(w.ctx, w.Tenants, w.part.Tenant, w.conn.System, note)
	switch {
	case errors.Is(err, tenant.ErrNotFound):
		return nil
	case err != nil && !errors.Is(err, errUnchanged):
		return err
	case told != "":
		_ = w.Ledger.RecordSome(w.ctx, w.part.Tenant, ledger.Event{Kind: "webhooks", Text: told})
	}
	return w.part.Close(w.ctx, time.Time{})
}

// unhook deletes a connection's webhooks in Cin7 Core, best effort and soon: one
// that stays is answered 404 until Cin7 Core gives it up, and goes when the
// account is connected again.
func (p *Pair) unhook(ctx context.Context, c tenant.Connection, s tenant.Secrets) {
	if c.State != tenant.Connected || s.URLToken == "" || hookProgress.Of(c).State == WebhooksUnavailable {
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
		if hookToken(h.URL) == string(s.URLToken) {
			_ = client.DeleteWebhook(ctx, h.ID)
		}
	}
}
