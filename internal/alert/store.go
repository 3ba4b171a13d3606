package alert

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// Errors of this package, to be tested with errors.Is.
var (
	ErrSoon = errors.New("a test was asked for a moment ago")
	ErrOff  = errors.New("nobody is to be told")
)

// Store keeps tenants' alerts in the table.
type Store struct {
	Table   table.Table
	Tenants *tenant.Store
	Sealer  tenant.Sealer
	Times   Times
	Now     func() time.Time // nil = time.Now
}

// index lists the tenants who have alerts by their next look.
const index = "ALERTS"

const timeKey = "2006-01-02T15:04:05.000Z"

func key(tenantID string) table.Key {
	return table.Key{PK: tenant.Partition(tenantID) + "#alerts", SK: "alerts"}
}

func tenantOf(k table.Key) string {
	return strings.TrimSuffix(strings.TrimPrefix(k.PK, tenant.Partition("")), "#alerts")
}

func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now().UTC()
	}
	return s.Now().UTC()
}

// Get reads a tenant's alerts; without a version where none were ever set up.
func (s *Store) Get(ctx context.Context, tenantID string) (Alerts, error) {
	it, err := table.Read(ctx, s.Table, key(tenantID))
	if err != nil {
		return Alerts{}, fmt.Errorf("alerts: %w", err)
	}
	return alertsOf(it)
}

func alertsOf(it table.Item) (a Alerts, err error) {
	if it.Rev == "" {
		return a, nil
	}
	if err := table.Unmarshal(it.Data, &a); err != nil {
		return a, fmt.Errorf("alerts: %w", err)
	}
	a.Recipients = recipientsOf(a.Emails, a.Recipients) // of what was stored before any were asked, all are to be
	a.rev = it.Rev
	return a, nil
}

// item is the alerts as they are stored.
func (s *Store) item(tenantID string, a Alerts) (table.Item, error) {
	data, err := table.Marshal(a)
	it := table.Item{Key: key(tenantID), Rev: a.rev, Data: data}
	if next, on := a.next(s.now(), s.Times); on {
		at := "0"
		if !next.IsZero() {
			at = next.UTC().Format(timeKey)
		}
		it.Index, it.Sort = index, at+"#"+tenantID
	}
	return it, err
}

// next is when the next look has something to do; zero = any time. on is false where nobody is to be told or asked.
func (a *Alerts) next(now time.Time, t Times) (next time.Time, on bool) {
	next, on = a.asks(t)
	f := found{now: now, often: a.Frequency, zone: a.zone(), times: t}
	for _, w := range Ways() {
		if !a.On(w) {
			continue
		}
		if at := a.Channel(w).next(f); !on || at.Before(next) {
			next = at
		}
		on = true
	}
	return next, on
}

func (a *Alerts) zone() *time.Location {
	t := tenant.Tenant{TimeZone: a.Zone}
	return t.Zone()
}

// Due lists the tenants whose next look has come. It reads nothing of those who have no alerts.
func (s *Store) Due(ctx context.Context) (ids []string, err error) {
	q := table.Query{PK: index, Until: s.now().Add(time.Millisecond).Format(timeKey)}
	for {
		p, err := s.Table.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list alerts: %w", err)
		}
		for _, e := range p.Entries {
			ids = append(ids, tenantOf(e.Key))
		}
		if q.After = p.Next; p.Next == "" {
			return ids, nil
		}
	}
}

// change changes a tenant's alerts, on a fresh copy as often as others change them meanwhile, together with the events
// that change tells of. What it leaves as it was is not written.
func (s *Store) change(ctx context.Context, tenantID string, change func(*Alerts) (tenant.Ops, error)) (Alerts, error) {
	var a Alerts
	err := table.RetryOnConflict(ctx, func() error {
		read, err := table.Read(ctx, s.Table, key(tenantID))
		if err != nil {
			return fmt.Errorf("alerts: %w", err)
		}
		if a, err = alertsOf(read); err != nil {
			return err
		}
		ops, err := change(&a)
		if err != nil {
			return err
		}
		it, err := s.item(tenantID, a)
		if err != nil || same(it, read) && len(ops) == 0 {
			return err
		}
		return s.Table.Write(ctx, append(tenant.Ops{table.Save(it)}, ops...)...)
	})
	if errors.Is(err, table.ErrConflict) {
		err = fmt.Errorf("alerts: %w", tenant.ErrChanged)
	}
	return a, err
}

func same(a, b table.Item) bool {
	return bytes.Equal(a.Data, b.Data) && a.Index == b.Index && a.Sort == b.Sort
}

// Save saves whom a tenant wants to be told, where the setup is still of a version (-1 = whichever; else
// tenant.ErrChanged). With the first HTTPS address a secret is made, which is returned this once. New e-mail addresses
// are asked first. Where none of a channel's addresses is left, what is wrong is told anew; one that is added to others
// is told what comes. Whichever was changed waits no more for what earlier addresses refused. FieldErrors where the
// setup makes no sense.
func (s *Store) Save(
	ctx context.Context, of tenant.Tenant, setup Setup, version int, g Guard, with ...tenant.With[Alerts],
) (saved Alerts, made tenant.Secret, err error) {
	if errs := setup.check(g); errs != nil {
		return saved, "", errs
	}
	saved, err = s.change(ctx, of.ID, func(a *Alerts) (tenant.Ops, error) {
		if made = ""; version >= 0 && version != a.Version {
			return nil, tenant.ErrChanged
		}
		if a.Setup.same(setup) && a.Version > 0 {
			return nil, nil
		}
		if setup.URL != a.URL {
			a.Hook = a.Hook.changed(true, s.now(), s.Times)
		}
		told := a.confirmed()
		a.Setup, a.Zone, a.Recipients = setup, of.TimeZone, recipientsOf(setup.Emails, a.Recipients)
		if left := a.confirmed(); !slices.Equal(left, told) {
			a.Mail = a.Mail.changed(len(left) == 0, s.now(), s.Times)
		}
		a.Version, a.Changed, a.By = a.Version+1, s.now().Truncate(time.Second), ledger.ActorOf(ctx)
		if setup.URL != "" && len(a.Sealed) == 0 {
			if made, err = s.newSecret(ctx, of.ID, a, Secrets{}); err != nil {
				return nil, err
			}
		}
		return s.beside(ctx, of.ID, *a, with)
	})
	return saved, made, err
}

// beside are the writes that go with a person's change, which is made only while the tenant is there.
func (s *Store) beside(
	ctx context.Context, tenantID string, a Alerts, with []tenant.With[Alerts],
) (ops tenant.Ops, err error) {
	there, err := s.Tenants.Unerased(ctx, tenantID)
	if err != nil {
		return nil, err
	}
	ops = tenant.Ops{there}
	for _, w := range with {
		some, err := w(a)
		if err != nil {
			return nil, err
		}
		ops = append(ops, some...)
	}
	return ops, nil
}

// oldFor is how long a replaced secret still signs, and mostOld how many of them do.
const (
	oldFor  = 24 * time.Hour
	mostOld = 3
)

// NewSecret replaces the secret that signs what is sent to the address, where that is still the one of a number (-1 =
// whichever; else tenant.ErrChanged). It is returned this once.
func (s *Store) NewSecret(
	ctx context.Context, tenantID string, number int, with ...tenant.With[Alerts],
) (made tenant.Secret, err error) {
	_, err = s.change(ctx, tenantID, func(a *Alerts) (tenant.Ops, error) {
		switch {
		case a.URL == "":
			return nil, ErrOff
		case number >= 0 && number != a.Number:
			return nil, tenant.ErrChanged
		}
		old, err := s.Secrets(ctx, tenantID, *a)
		if err != nil && !errors.Is(err, tenant.ErrSealed) { // what nobody can open signs nothing
			return nil, err
		}
		if made, err = s.newSecret(ctx, tenantID, a, old); err != nil {
			return nil, err
		}
		return s.beside(ctx, tenantID, *a, with)
	})
	return made, err
}

// newSecret seals a new secret, with those before it that still sign.
func (s *Store) newSecret(ctx context.Context, tenantID string, a *Alerts, old Secrets) (tenant.Secret, error) {
	raw := make([]byte, 32)
	rand.Read(raw)
	now := s.now().Truncate(time.Second)
	c := clear{Current: "whsec_" + base64.StdEncoding.EncodeToString(raw)}
	if old.Current != "" {
		c.Old = append(c.Old, clearOld{string(old.Current), now.Add(oldFor)})
	}
	for _, o := range old.Old {
		if now.Before(o.Until) && len(c.Old) < mostOld {
			c.Old = append(c.Old, clearOld{string(o.Secret), o.Until})
		}
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	a.Sealed, err = s.Sealer.Seal(ctx, tenantID, sealedAs, plain)
	a.Made, a.Number = now, a.Number+1
	return tenant.Secret(c.Current), err
}

// clear is Secrets as it is sealed: there alone they are written out.
type clear struct {
	Current string
	Old     []clearOld `json:",omitempty"`
}

type clearOld struct {
	Secret string
	Until  time.Time
}

// sealedAs is what the secrets of alerts are bound to, beside their tenant.
const sealedAs = "alerts"

// Secrets opens those of a tenant's alerts.
func (s *Store) Secrets(ctx context.Context, tenantID string, a Alerts) (v Secrets, err error) {
	plain, err := s.Sealer.Open(ctx, tenantID, sealedAs, a.Sealed)
	if err != nil {
		return v, fmt.Errorf("open the secret of alerts: %w", err)
	}
	var c clear
	if err := json.Unmarshal(plain, &c); err != nil {
		return v, fmt.Errorf("open the secret of alerts: %w", err)
	}
	v.Current = tenant.Secret(c.Current)
	for _, o := range c.Old {
		v.Old = append(v.Old, tenant.Replaced{Secret: tenant.Secret(o.Secret), Until: o.Until})
	}
	return v, nil
}

// AskTest has a test message sent in every way that is on, with the next look. ErrOff where none is, ErrSoon where one
// was asked for a moment ago.
func (s *Store) AskTest(ctx context.Context, tenantID string, with ...tenant.With[Alerts]) error {
	_, err := s.change(ctx, tenantID, func(a *Alerts) (tenant.Ops, error) {
		now := s.now()
		switch {
		case a.off():
			return nil, ErrOff
		case now.Sub(a.Tested) < s.Times.Test:
			return nil, ErrSoon
		}
		a.Tested = now
		for _, w := range Ways() {
			if a.On(w) {
				a.Channel(w).Test = &Test{ID: newID(), Asked: now}
			}
		}
		return s.beside(ctx, tenantID, *a, with)
	})
	return err
}

// Erase removes all that is kept of a tenant's alerts.
func (s *Store) Erase(ctx context.Context, tenantID string) error {
	if err := table.Erase(ctx, s.Table, key(tenantID).PK, nil); err != nil {
		return fmt.Errorf("erase alerts: %w", err)
	}
	return nil
}
