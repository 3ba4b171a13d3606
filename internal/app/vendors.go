package app

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/cin7omni"
	"stockbridge/internal/joor"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/vendor"
)

// vendors is the table of vendors: whose systems can be connected, and how.
func (a *App) vendors() []vendor.Vendor {
	return []vendor.Vendor{{
		System: tenant.Upstock, Base: upstock.BaseURL, CallsUs: true, Exclusive: true,
		Budget: limit.Budget{Rates: []limit.Rate{{Calls: 300, Window: limit.Minute}}},
		Paste:  "Settings › Webhooks",
		Fields: []vendor.Field{
			{Name: "token", Title: "API token", Is: vendor.Key},
			{Name: "webhookSecret", Title: "Webhook secret", Is: vendor.WebhookSecret, Optional: true,
				Check: upstockcin7.WebhookSecretFault, Works: upstockcin7.WebhookSecretWorks},
		},
		Steps: []string{
			"In Upstock, open Settings › API and make a token for Stockbridge.",
			"Copy the token and paste it here.",
		},
		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (vendor.Account, error) {
			return upstockcin7.UpstockAccount(ctx, a.upstock(c, s, true), c.Account)
		},
	}, {
		System: tenant.Cin7Core, Base: cin7core.BaseURL, CallsUs: true,
		Budget: limit.Budget{Rates: []limit.Rate{{Calls: 60, Window: limit.Minute}}, Shared: true}, // of an application
		Fields: []vendor.Field{
			{Name: "accountId", Title: "Account id", Is: vendor.AccountID},
			{Name: "applicationKey", Title: "Application key", Is: vendor.Key},
		},
		Steps: []string{
			"In Cin7 Core, open Integrations › API.", "Add an application called Stockbridge.",
			"Copy its account id and its application key, and paste both here.",
		},
		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (vendor.Account, error) {
			return upstockcin7.CoreAccount(ctx, a.cin7core(c, s, true))
		},
	}, {
		System: tenant.Cin7Omni, Base: cin7omni.BaseURL, Budget: omniBudget(),
		Fields: []vendor.Field{
			{Name: "username", Title: "API username", Is: vendor.AccountID, Cased: true},
			{Name: "key", Title: "API key", Is: vendor.Key},
		},
		Steps: []string{
			"In Cin7 Omni, open Settings › Integrations & API › API v1.",
			"Press Add New API Connection, and call it Stockbridge.",
			"Let it read Contacts, Users and Product Options.",
			"Copy the API username and the key of the new connection, and paste both here.",
		},
		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (vendor.Account, error) {
			return omniAccount(ctx, a.cin7omni(c, s, true))
		},
	}, {
		System: tenant.JOOR, Base: joor.BaseURL,
		Budget: limit.Budget{
			Rates: []limit.Rate{{Calls: joor.Credits, Window: limit.FiveMinutes, Fixed: true}}, Unit: "credit",
		},
		Fields: []vendor.Field{
			{Name: "account", Title: "Account id", Is: vendor.AccountID},
			{Name: "token", Title: "API token", Is: vendor.Key},
		},
		Steps: []string{
			"Ask JOOR's integrations team for an API token of your account: none of JOOR's pages gives one.",
			"They also say what the id of your account is.", "Paste both here.",
		},
		Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (vendor.Account, error) {
			return joorAccount(ctx, a.joor(c, s, true), c.Account)
		},
	}}
}

// omniBudget is what Cin7 Omni allows an API connection: 3 calls a second, 60 a minute and 5,000 a day. Clocks may
// differ by more than a second: 3 calls in 3 seconds are as many as 60 a minute. Of a day's calls a poll every quarter
// of an hour needs 96.
func omniBudget() limit.Budget {
	return limit.Budget{Rates: []limit.Rate{{Calls: 3, Window: 3 * time.Second}, {Calls: 60, Window: limit.Minute},
		{Calls: 5000, Window: 24 * time.Hour, Kept: 150}}}
}

// omniAccount tries a key: whether it may read contacts, which nothing goes without, and what else it is asked for.
// Nothing in the API says whose a key is, and how many contacts there are would cost a call for every 250.
func omniAccount(ctx context.Context, client *cin7omni.Client) (a vendor.Account, err error) {
	err = client.MayRead(ctx, cin7omni.ContactList)
	if errors.Is(err, cin7omni.ErrPermission) {
		return a, &vendor.ConnectError{Problem: ledger.Problem{
			Code: "keyRefused", Message: "This key works, but Cin7 Omni does not let it read contacts.",
			Fix: "In Cin7 Omni, under Settings › Integrations & API › API v1, let this API connection read Contacts.",
		}}
	}
	if err != nil {
		return a, err
	}
	for _, l := range []struct {
		cin7omni.List
		name, without string
	}{
		{cin7omni.UserList, "Users", "who a contact's sales rep is"},
		{cin7omni.OptionList, "Product Options", "which price columns there are"},
	} {
		pause(ctx, time.Second/3)                                           // a trial asks no limiter
		if errors.Is(client.MayRead(ctx, l.List), cin7omni.ErrPermission) { // any other answer says nothing of it
			a.Warnings = append(a.Warnings, "Cin7 Omni does not let this key read "+l.name+
				", so that nobody knows "+l.without+". Allow it at the API connection, and save the key again.")
		}
	}
	return a, nil
}

// pause waits, but no longer than there is time.
func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

func (a *App) cin7omni(c tenant.Connection, s tenant.Secrets, first bool) *cin7omni.Client {
	client := cin7omni.New(a.base(c.System), a.deps.HTTP, a.limiter(c, first), c.Account, string(s.Key))
	a.client(client.Client)
	return client
}

// joorAccount reads one connection of the account that a token is of, as nothing else tells of an account. Where JOOR
// says whose token it is, that counts, and not what was typed in: a budget of calls belongs to it.
func joorAccount(ctx context.Context, client *joor.Client, typed string) (vendor.Account, error) {
	_, err := client.ConnectionsPage(ctx, joor.ConnectionsQuery{Count: 1})
	a := vendor.Account{ID: client.AccountID(), Name: "Account " + typed}
	if err == nil && a.ID != "" && !strings.EqualFold(a.ID, typed) {
		a.Name = "Account " + a.ID
		a.Warnings = []string{"JOOR says that this token is of the account " + a.ID + ", not " + typed + "."}
	}
	return a, err
}

func (a *App) joor(c tenant.Connection, s tenant.Secrets, first bool) *joor.Client {
	client := joor.New(a.base(c.System), a.deps.HTTP, a.limiter(c, first), string(s.Key))
	a.client(client.Client)
	return client
}

func (a *App) upstock(c tenant.Connection, s tenant.Secrets, first bool) *upstock.Client {
	client := upstock.New(a.base(c.System), a.deps.HTTP, a.limiter(c, first), string(s.Key))
	a.client(client.Client)
	return client
}

func (a *App) cin7core(c tenant.Connection, s tenant.Secrets, first bool) *cin7core.Client {
	client := cin7core.New(a.base(c.System), a.deps.HTTP, a.limiter(c, first), c.Account, string(s.Key))
	a.client(client.Client)
	return client
}

// client gives a client the times of this process.
func (a *App) client(c *rest.Client) {
	c.Timeout, c.GrantLife = a.timeout, limit.GrantLife(a.deps.Speed)
}

// base is the address of a vendor's API for this process.
func (a *App) base(sys tenant.System) string {
	if u := a.deps.URLs[sys]; u != "" {
		return u
	}
	row, _ := a.Vendors.Of(sys)
	return row.Base
}

// limiters are one per account and class in a process: each remembers its bucket.
type limiters struct {
	mu sync.Mutex
	of map[limiterKey]*limiter
}

type limiterKey struct {
	system  tenant.System
	account string
	class   limit.Class
}

// limiter is what the calls of a connection ask; nil = nothing: nothing is limited, or the key is on trial.
func (a *App) limiter(c tenant.Connection, first bool) rest.Limiter {
	if a.deps.Unlimited || c.Trial {
		return nil
	}
	return a.bucket(c, first)
}

func (a *App) bucket(c tenant.Connection, first bool) *limiter {
	class := limit.Second
	if first {
		class = limit.First
	}
	key := limiterKey{c.System, c.Account, class}
	a.limiters.mu.Lock()
	defer a.limiters.mu.Unlock()
	l, ok := a.limiters.of[key]
	if !ok {
		row, _ := a.Vendors.Of(c.System)
		l = &limiter{a.newLimiter(string(c.System), c.Account, row.Budget, class), c.System, first, a.deps.Log}
		a.limiters.of[key] = l
	}
	return l
}

func (a *App) newLimiter(kind, name string, b limit.Budget, class limit.Class) *limit.Limiter {
	return limit.New(a.deps.Table, kind, name, b, class, limit.Speed(a.deps.Speed), limit.Now(a.deps.Now))
}

// take takes a trial of a key from a bucket of trials.
func (a *App) take(ctx context.Context, kind, name string, b limit.Budget) error {
	_, err := a.newLimiter(kind, name, b, limit.First).Take(ctx)
	return err
}

// spend counts a call that was made to try a key among those of its account.
func (a *App) spend(ctx context.Context, c tenant.Connection) {
	if !a.deps.Unlimited {
		a.bucket(c, true).Note(ctx)
	}
}
