package upstockcin7

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/sale"
)

// Credentials are what a tenant types in to connect a system; empty fields
// keep what is stored.
type Credentials struct {
	Account string        // Cin7 Core account id
	Key     tenant.Secret // Upstock token, Cin7 Core application key
	Webhook tenant.Secret // Upstock's webhook secret
}

// ConnectError says why a key was not saved.
type ConnectError struct {
	Problem ledger.Problem
	Retry   bool          // the vendor did not answer: the key may be right
	After   time.Duration // > 0: keys were tried too often, and so long no more is
}

func (e *ConnectError) Error() string { return e.Problem.Message }

// Connect tests a key with the vendor and saves it. It answers the connection
// and, for Upstock, the webhook URL to paste there.
// Errors: tenant.FieldErrors, tenant.ErrClaimed, *ConnectError.
func (p *Pair) Connect(ctx context.Context, tenantID string, sys tenant.System, cred Credentials) (tenant.Connection, string, error) {
	cred = cred.pasted()
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return tenant.Connection{}, "", err
	}
	old, had := b.Connections[sys]
	var saved savedKeys
	c, sec, err := p.Tenants.Connect(ctx, tenantID, sys, func(c *tenant.Connection, s *tenant.Secrets) error {
		account, key, secret := c.Account, s.Key, s.Webhook
		if cred.Key != "" {
			s.Key = cred.Key
		}
		if cred.Account != "" {
			c.Account = strings.ToLower(strings.TrimSpace(cred.Account))
		}
		if cred.Webhook != "" {
			s.Webhook = cred.Webhook
		}
		if errs := missingFields(sys, c, s, cred.Webhook); len(errs) > 0 {
			return errs
		}
		if err := p.mayTry(ctx, b, sys, c.Account); err != nil {
			return err
		}
		saved = savedKeys{first: !had, lost: had && key == "", key: s.Key != key, account: c.Account != account, secret: s.Webhook != secret, firstSecret: s.Webhook != secret && webhookKey(secret) == 0}
		if sys == tenant.Upstock {
			err := p.tryUpstock(ctx, c, s)
			if err == nil && !had {
				c.First, err = p.firstSupplier(ctx, b, c.Account)
			}
			if err == nil && (!had || old.LongRefused(p.Now())) { // people may have sold by hand meanwhile: the first orders are looked up again
				err = p.uncheck(ctx, tenantID)
			}
			return err
		}
		giveHook(s, c.Account != account || s.Key != key)
		if old.LongRefused(p.Now()) {
			c.Checked = 0
		}
		if c.Account != account { // what is known of the old one goes with the same write, or new orders could be planned by it
			c.Mirror, c.Checked, c.Webhooks = tenant.Mirror{State: tenant.MirrorReading}, 0, tenant.Webhooks{}
		}
		return p.tryCin7(ctx, c, s)
	}, func(c tenant.Connection) (tenant.Ops, error) {
		return connectionEvent(ctx, tenantID, saved.text(sys, c.Name))
	})
	if err != nil {
		return tenant.Connection{}, "", err
	}
	p.Tenants.Hold(ctx, c)
	if sys == tenant.Cin7Core {
		if had && old.Account != c.Account {
			p.Tenants.Release(ctx, old)
			if s, err := p.Tenants.Secrets(ctx, old); err == nil {
				p.unhook(ctx, old, s)
			}
		}
		// A job that reads with the old key ends by itself.
		for _, job := range []string{JobMirror, JobWebhooks} {
			if err := p.Start(ctx, Job{Job: job, Tenant: tenantID}, 0); err != nil {
				return c, "", fmt.Errorf("start job %s: %w", job, err)
			}
		}
	}
	if sys == tenant.Upstock && !had && b.Connections[tenant.Cin7Core].State == tenant.Connected {
		if err := p.Start(ctx, Job{Job: JobWebhooks, Tenant: tenantID}, 0); err != nil { // it waited for both
			return c, "", fmt.Errorf("start job %s: %w", JobWebhooks, err)
		}
	}
	if !c.Begun.IsZero() && (!had || old.Account != c.Account) { // what was missed meanwhile is looked for now
		if err := p.Kick(ctx, tenantID, JobReconcile); err != nil {
			return c, "", err
		}
	}
	return c, p.webhookURL(sys, sec), nil
}

// connectionEvent is the write of an event, which rides in that of the connection that it tells of.
func connectionEvent(ctx context.Context, tenantID, text string) (tenant.Ops, error) {
	op, err := ledger.RecordOp(ctx, tenantID, ledger.Event{Kind: "connection", Text: text})
	return tenant.Ops{op}, err
}

func missingFields(sys tenant.System, c *tenant.Connection, s *tenant.Secrets, webhook tenant.Secret) tenant.FieldErrors {
	var errs tenant.FieldErrors
	need := func(field, value string) {
		if value == "" {
			errs = append(errs, tenant.FieldError{Field: field, Message: "This is needed to connect."})
		} else if len(value) > 512 {
			errs = append(errs, tenant.FieldError{Field: field, Message: "This is too long."})
		} else if strings.ContainsFunc(value, noKey) {
			errs = append(errs, tenant.FieldError{Field: field, Message: "This has a blank, a line break or an unseen character in it. Copy it again, in one piece."})
		}
	}
	if sys == tenant.Upstock {
		need("token", string(s.Key))
		if webhook != "" {
			switch n := webhookKey(webhook); {
			case n == 0:
				errs = append(errs, tenant.FieldError{Field: "webhookSecret", Message: "This is not a webhook secret: it reads whsec_ and base64."})
			case n < leastWebhookKey || n > mostWebhookKey:
				errs = append(errs, tenant.FieldError{Field: "webhookSecret", Message: fmt.Sprintf("A webhook secret holds %d to %d bytes, and this one %d. Let Upstock make a new one.", leastWebhookKey, mostWebhookKey, n)})
			}
		}
		return errs
	}
	need("accountId", c.Account)
	need("applicationKey", string(s.Key))
	return errs
}

// onTrial keeps the trial of a key out of the account's budget: whoever types
// in somebody else's account id does not spend it.
func onTrial(c tenant.Connection) tenant.Connection {
	c.Trial = true
	return c
}

func (p *Pair) tryUpstock(ctx context.Context, c *tenant.Connection, s *tenant.Secrets) error {
	client := p.Upstock(onTrial(*c), *s, true)
	sup, err := client.Supplier(ctx)
	if err != nil {
		return refusedKey(tenant.Upstock, err)
	}
	sup.Name, sup.Currency, sup.TimeZone = client.Redact(sup.Name), client.Redact(sup.Currency), client.Redact(sup.TimeZone)
	if supplier := strconv.FormatInt(sup.ID, 10); c.Account != "" && c.Account != supplier {
		return &ConnectError{Problem: ledger.Problem{Code: "otherSupplier", Message: "This token is of the supplier " + prose.Short(sup.Name) + " (" + supplier + "); connected is supplier " + c.Account + ".",
			Fix: "Use a token of the connected supplier. To change to another one, disconnect first."}}
	}
	c.Account, c.Name, c.Currency, c.TimeZone = strconv.FormatInt(sup.ID, 10), prose.Short(sup.Name), prose.Short(sup.Currency), prose.Short(sup.TimeZone)
	p.tried(ctx, *c)
	c.Warnings = []string{"Switch off Upstock's own Cin7 integration (Upstock: Settings > Integrations), or every order is sold twice."}
	return nil
}

func (p *Pair) tryCin7(ctx context.Context, c *tenant.Connection, s *tenant.Secrets) error {
	client := p.Cin7Core(onTrial(*c), *s, true)
	me, err := client.Me(ctx)
	if err != nil {
		return refusedKey(tenant.Cin7Core, err)
	}
	me.Company, me.Currency, me.TimeZone = client.Redact(me.Company), client.Redact(me.Currency), client.Redact(me.TimeZone)
	p.tried(ctx, *c)
	c.Name, c.Currency, c.TimeZone = prose.Short(me.Company), prose.Short(me.Currency), prose.Short(me.TimeZone)
	c.Warnings = meWarnings(me) // the other books are not read yet
	return nil
}

func refusedKey(sys tenant.System, err error) error {
	name := sys.Title()
	switch rest.KindOf(err) {
	case rest.Unauthorized:
		return &ConnectError{Problem: ledger.Problem{Code: "keyRefused", Message: name + " refused this key.", Fix: "Copy it again from " + name + "; no space before or after it."}}
	case rest.Invalid, rest.NotFound, rest.Conflict:
		return &ConnectError{Problem: ledger.Problem{Code: "keyRefused", Message: name + " refused: " + strings.Join(rest.MessagesOf(err), " "), Fix: "Check the account and the key."}}
	}
	return &ConnectError{Retry: true, Problem: ledger.Problem{Code: "noAnswer",
		Message: job.NoAnswer(sys, err) + ", so the key could not be tested and was not saved.",
		Fix:     "Try again in a minute."}}
}

func (p *Pair) webhookURL(sys tenant.System, s tenant.Secrets) string {
	if s.Hook == "" {
		return ""
	}
	return p.Deps.WebhookURL(sys, string(s.Hook))
}

// WebhookURLOf is the address of a connection's webhooks: Upstock's a tenant
// pastes there, Cin7 Core's is registered by us.
func (p *Pair) WebhookURLOf(ctx context.Context, c tenant.Connection) (string, error) {
	s, err := p.secrets(ctx, c)
	return p.webhookURL(c.System, s), err
}

// Disconnect forgets a connection. Unfinished orders wait for a new one.
func (p *Pair) Disconnect(ctx context.Context, tenantID string, sys tenant.System) error {
	c, err := p.Tenants.Connection(ctx, tenantID, sys)
	if err != nil {
		return err
	}
	sec, unsealed := p.Tenants.Secrets(ctx, c)
	if unsealed != nil && !errors.Is(unsealed, tenant.ErrSealed) {
		return unsealed
	}
	if err := p.Tenants.Disconnect(ctx, tenantID, sys, func(tenant.Connection) (tenant.Ops, error) {
		return connectionEvent(ctx, tenantID, sys.Title()+" was disconnected.")
	}); err != nil {
		return err
	}
	p.Tenants.Release(ctx, c)
	if sys == tenant.Cin7Core && unsealed == nil {
		p.unhook(ctx, c, sec)
	}
	return nil
}

// RetryOptions are a person's wishes for a retry.
type RetryOptions struct {
	NewSale bool     `json:"newSale"` // sell anew although the sale of this order was voided
	Beside  []string `json:"beside"`  // numbers of other sales with its reference and customer that the new one is beside
}

// ErrNothingToRetry says that an order needs no retry.
var ErrNothingToRetry = errors.New("nothing to retry")

// Retry lets an order that needs attention, or waits, go on now. While no
// sale exists and no create is unanswered, the order is read again from Upstock.
// A new sale is wished for where all the order's sales are voided, one that was sold included.
// Errors: ErrNothingToRetry, ledger.ErrNotFound, *StandingError.
func (p *Pair) Retry(ctx context.Context, tenantID, order string, o RetryOptions) error {
	r, err := p.Ledger.Get(ctx, tenantID, order)
	if err != nil {
		return err
	}
	if _, err := strconv.ParseInt(r.OrderID(), 10, 64); err != nil {
		return ErrNothingToRetry
	}
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return err
	}
	own, err := p.supplierOf(ctx, r)
	if err != nil {
		return err
	}
	if other := otherCompany(b, own); other != nil {
		return other
	}
	if o.NewSale && r.Cancelled.IsZero() {
		if err := p.salesStanding(ctx, b, r.ID, own, o.Beside); err != nil {
			return err
		}
	}
	now := p.Now().UTC()
	err = p.Ledger.Update(ctx, r, func(r *ledger.Run, _ *ledger.Extra) error {
		sold := !r.SoldAt.IsZero()
		again := o.NewSale && sold && r.Cancelled.IsZero() && r.Account == b.Connections[tenant.Cin7Core].Account // its sale was voided, though nobody may have looked yet
		if !again && (r.Finished() || r.State == ledger.Cancelled || sold && r.State != ledger.Attention && r.Next.IsZero() && !r.Parked) {
			return ErrNothingToRetry
		}
		if r.CancelOpen() { // what Upstock said so far counts on
			r.Unsettled, r.Ask = now, now
		}
		if sold && (r.State == ledger.Attention || again) {
			lookAgain(r, b.Settings)
		}
		text := "Retried by a person."
		if o.NewSale {
			text = "Retried by a person, who wants a new sale."
			r.NewSale, r.Beside = true, o.Beside
			if r.Account != b.Connections[tenant.Cin7Core].Account && !sold { // what was begun there counts no more
				r.Account = ""
			}
		}
		r.Note(now, "%s", text)
		if r.Supplier == "" { // nothing says whose order it is, and a person says that it is of the connected one
			r.Supplier = b.Connections[tenant.Upstock].Account
		}
		r.Wishes, r.Granted = r.Wishes+1, r.Last()
		r.Failures, r.Failing, r.Dead, r.Parked, r.Why = 0, time.Time{}, 0, false, ""
		r.Replan = false
		r.Reread = !sold && r.SaleID == "" && len(made(r)) == 0 && !undecided(r)
		if r.SoldAt.IsZero() {
			r.State = ledger.Working
		}
		if r.Next = r.Lease.Until; !r.Next.After(now) {
			r.Next = now
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.Wake(ctx, ledger.Pointer{Tenant: tenantID, Order: r.ID, Origin: OriginRetry}, 0)
}

// lookAgain takes a person's note of what a sold order needs attention for, and
// asks for a look at how its sale stands now.
func lookAgain(r *ledger.Run, s tenant.Settings) {
	for i := range r.Parcels {
		r.Parcels[i].Known = r.Parcels[i].Gone
	}
	tellRefused(r)
	if r.Void = false; !r.Cancelled.IsZero() && !r.CancelOpen() {
		cancelSold(r, s)
	}
	r.Problems = slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool { return !lostCode(p.Code) && (p.Code != cancelUnclear || !r.CancelOpen()) })
	r.Asked++
}

// RetryAll retries every order of a tenant that needs attention, but for those
// that a person must decide to sell at all, and says how many.
func (p *Pair) RetryAll(ctx context.Context, tenantID string) (int, error) {
	var ids []string
	err := p.Ledger.NeedAttention(ctx, tenantID, func(ref ledger.Ref) bool {
		ids = append(ids, ref.ID)
		return true
	})
	if err != nil {
		return 0, err
	}
	n := 0
	runs, err := p.Ledger.GetRuns(ctx, tenantID, ids)
	if err != nil {
		return 0, err
	}
	for _, id := range ids {
		if r := runs[id]; r != nil && slices.ContainsFunc(r.Problems, func(pr ledger.Problem) bool { return pr.Code == alreadyShipped || pr.Code == approvalUnknown }) {
			continue // whether it is to be sold is decided one by one
		}
		switch err := p.Retry(ctx, tenantID, id, RetryOptions{}); {
		case err == nil:
			n++
		case errors.As(err, new(*OtherCompany)):
		case !errors.Is(err, ErrNothingToRetry) && !errors.Is(err, ledger.ErrNotFound):
			return n, err
		}
	}
	return n, nil
}

// Preview is what would happen to an order.
type Preview struct {
	Plan     sale.Plan                 `json:"plan"`
	Problems []ledger.Problem          `json:"problems"`
	Card     *cin7core.CustomerAddress // the address of the customer's card that the plan names; nil = it writes one out
}

// Preview plans an order with the given settings (nil = the stored ones), or
// says what stands against it. Nothing is written to any vendor.
func (p *Pair) Preview(ctx context.Context, tenantID string, order json.RawMessage, s *tenant.Settings) (Preview, error) {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return Preview{}, err
	}
	if s != nil {
		b.Settings = *s
	}
	w := &work{Pair: p, ctx: ctx, run: &ledger.Run{Tenant: tenantID}, b: b}
	w.preview = true
	if err := w.connect(); err != nil {
		return Preview{Problems: []ledger.Problem{previewProblem(b, err)}}, nil
	}
	raw, _ := orderOf(order)
	plan, problems, err := w.makePlan(raw)
	if err != nil && ledger.IsOutcome(err) { // a live read was refused, or must wait
		if b, lerr := p.Tenants.Load(ctx, tenantID); lerr == nil {
			return Preview{Problems: []ledger.Problem{previewProblem(b, err)}}, nil
		}
	}
	if err != nil {
		return Preview{}, err
	}
	card, err := p.cardAddress(ctx, tenantID, plan.CustomerID, plan.Header.ShippingAddress.ID)
	return Preview{plan, problems, card}, err
}

// SaleURL is the page of a sale for people.
func SaleURL(id string) string {
	if id == "" {
		return ""
	}
	return cin7core.SaleURL(id)
}
