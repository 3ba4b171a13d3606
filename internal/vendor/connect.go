package vendor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// ConnectError says why a key was not saved.
type ConnectError struct {
	Problem ledger.Problem
	Retry   bool          // the vendor did not answer: the key may be right
	After   time.Duration // > 0: keys were tried too often, and so long no more is
}

func (e *ConnectError) Error() string { return e.Problem.Message }

// Connect tests a key with its vendor and saves it. It answers the connection and the address of its webhooks.
// Errors: tenant.FieldErrors, tenant.ErrClaimed, *ConnectError.
func (v *Vendors) Connect(
	ctx context.Context, tenantID string, sys tenant.System, typed Credentials,
) (tenant.Connection, string, error) {
	none := tenant.Connection{}
	row, ok := v.Of(sys)
	if !ok {
		return none, "", fmt.Errorf("%s cannot be connected: %w", sys.Title(), tenant.ErrNotFound)
	}
	b, err := v.Tenants.Load(ctx, tenantID)
	if err != nil {
		return none, "", err
	}
	w := &saving{Vendors: v, row: row, typed: typed.pasted(), change: Change{Bundle: b, System: sys}}
	if old, had := b.Connections[sys]; had {
		w.change.Old = &old
	}
	save := func(c *tenant.Connection, s *tenant.Secrets) error { return w.save(ctx, c, s) }
	c, sec, err := v.Tenants.Connect(ctx, tenantID, sys, save, func(c tenant.Connection) (tenant.Ops, error) {
		return event(ctx, tenantID, w.said.text(row, c.Name))
	})
	if err != nil {
		return none, "", err
	}
	v.Tenants.Hold(ctx, c)
	if old := w.change.Old; old != nil && old.Account != c.Account {
		v.Tenants.Release(ctx, *old)
	}
	w.change.New = &c
	if err := v.connected(ctx, w.change); err != nil {
		return c, "", err
	}
	return c, v.URL(sys, sec), nil
}

// Disconnect forgets a connection. Work that needs it waits for a new one.
func (v *Vendors) Disconnect(ctx context.Context, tenantID string, sys tenant.System) error {
	b, err := v.Tenants.Load(ctx, tenantID)
	if err != nil {
		return err
	}
	c, ok := b.Connections[sys]
	if !ok {
		return fmt.Errorf("connection %s: %w", sys, tenant.ErrNotFound)
	}
	sec, err := v.Tenants.Secrets(ctx, c)
	if err != nil && !errors.Is(err, tenant.ErrSealed) {
		return err
	}
	err = v.Tenants.Disconnect(ctx, tenantID, sys, func(tenant.Connection) (tenant.Ops, error) {
		return event(ctx, tenantID, sys.Title()+" was disconnected.")
	})
	if err != nil {
		return err
	}
	v.Tenants.Release(ctx, c)
	return v.connected(ctx, Change{Bundle: b, System: sys, Old: &c, OldSecrets: sec})
}

// connected tells the pairs of a change.
func (v *Vendors) connected(ctx context.Context, change Change) error {
	var errs []error
	for _, p := range v.pairs { // each of them: what is taken away is told once
		errs = append(errs, p.Connected(ctx, change))
	}
	return errors.Join(errs...)
}

// event is the write of an event, which rides in that of the connection that it tells of.
func event(ctx context.Context, tenantID, text string) (tenant.Ops, error) {
	op, err := ledger.RecordOp(ctx, tenantID, ledger.Event{Kind: "connection", Text: text})
	return tenant.Ops{op}, err
}

// saving is a connection on its way to be saved.
type saving struct {
	*Vendors
	row    Vendor
	typed  Credentials
	change Change
	said   saved
}

// save makes of a connection, and of its secrets, what is to be saved.
func (w *saving) save(ctx context.Context, c *tenant.Connection, s *tenant.Secrets) error {
	account, old := c.Account, *s
	w.change.OldSecrets = old
	w.typed.into(w.row, c, s)
	if errs := w.row.check(*c, *s, w.typed); len(errs) > 0 {
		return errs
	}
	if err := w.mayTry(ctx, w.change.Bundle, w.row.System, c.Account); err != nil {
		return err
	}
	had := w.change.Old != nil
	w.said = saved{
		first: !had, lost: had && old.Key == "",
		account: c.Account != account, key: s.Key != old.Key, secret: s.WebhookSecret != old.WebhookSecret,
		firstSecret: s.WebhookSecret != old.WebhookSecret && !w.row.works(WebhookSecret, string(old.WebhookSecret)),
	}
	if c.Exclusive = w.row.Exclusive; w.row.CallsUs {
		s.GiveURLToken()
		if !w.row.asks(WebhookSecret) { // then it is ours to make what the webhooks bear
			s.GiveWebhookSecret(w.said.account || w.said.key)
		}
	}
	if err := w.try(ctx, c, *s); err != nil {
		return err
	}
	w.said.account = c.Account != account // the key may have said which it is
	w.change.New = c
	for _, p := range w.pairs {
		if err := p.Connecting(ctx, w.change); err != nil {
			return err
		}
	}
	return nil
}

// try asks the vendor whose the key is, and notes it.
func (w *saving) try(ctx context.Context, c *tenant.Connection, s tenant.Secrets) error {
	trial := *c
	trial.Trial = true // who types in somebody else's account does not spend its budget
	a, err := w.row.Try(ctx, trial, s)
	if err != nil {
		return refused(w.row.System, err)
	}
	clean := func(text string) string { return rest.Redact(text, string(s.Key)) }
	c.Name = prose.Short(clean(a.Name))
	c.Currency, c.TimeZone = prose.Short(clean(a.Currency)), prose.Short(clean(a.TimeZone))
	c.Warnings = nil
	for _, text := range a.Warnings {
		c.Warnings = append(c.Warnings, clean(text))
	}
	if a.ID != "" {
		c.Account = a.ID
	}
	if w.Spend != nil { // a trial that was refused spent nothing
		w.Spend(ctx, *c)
	}
	return nil
}

// refused is why a key was not saved that was tried.
func refused(sys tenant.System, err error) error {
	if why, ok := errors.AsType[*ConnectError](err); ok {
		return why
	}
	name := sys.Title()
	switch rest.KindOf(err) {
	case rest.Unauthorized:
		return &ConnectError{Problem: ledger.Problem{
			Code: "keyRefused", Message: name + " refused this key.",
			Fix: "Copy it again from " + name + "; no space before or after it.",
		}}
	case rest.Invalid, rest.NotFound, rest.Conflict:
		return &ConnectError{Problem: ledger.Problem{
			Code: "keyRefused", Message: name + " refused: " + strings.Join(rest.MessagesOf(err), " "),
			Fix: "Check the account and the key.",
		}}
	}
	return &ConnectError{Retry: true, Problem: ledger.Problem{
		Code: "noAnswer", Message: job.NoAnswer(sys, err) + ", so the key could not be tested and was not saved.",
		Fix: "Try again in a minute.",
	}}
}

// saved is what a person changed of a connection.
type saved struct {
	first, key, account, secret bool
	lost                        bool // the stored ones cannot be opened: whether the key is another one is not known
	firstSecret                 bool // there was none that anything could be signed with
}

// text says it as an event.
func (k saved) text(row Vendor, name string) string {
	who := row.System.Title()
	var said []string
	switch {
	case k.first:
		said = append(said, who+" was connected ("+name+").")
	case k.account:
		said = append(said, who+" was connected to another account ("+name+"). Orders begun in the one before stay "+
			"with that one; others that waited for a key of "+who+" go on.")
	case k.lost:
		said = append(said, "The key of "+who+" was saved again; what waited for it goes on.")
		if row.Paste != "" {
			said = append(said, "The webhook URL is a new one: paste it into "+who+" ("+row.Paste+").")
		}
	case k.key:
		said = append(said, "The key of "+who+" was replaced; what waited for it goes on.")
	}
	switch {
	case k.firstSecret:
		said = append(said, "The webhook secret of "+who+" was saved.")
	case k.secret:
		said = append(said, "The webhook secret of "+who+" was replaced; the old one is good for a day more.")
	}
	if len(said) == 0 {
		said = append(said, "The key of "+who+" was tested again: it works.")
	}
	return strings.Join(said, " ")
}
