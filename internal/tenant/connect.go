package tenant

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/table"
)

// Connect makes or changes a connection: what says how, on a copy of the one that there is (of the zero Connection if
// there is none) and of its secrets; of secrets that cannot be opened any more (ErrSealed) there are none left. What
// does not change stays: the webhook URL, Since, what is noted beside it. A replaced webhook secret verifies for a day
// more, and the connection's parked work goes on.
//
// All is one write, on the condition that nobody connected meanwhile or took the connection away (ErrChanged), and that
// the tenant is not erased (ErrNotFound). An account that is Exclusive is claimed for the tenant: ErrClaimed if another
// has it.
func (s *Store) Connect(
	ctx context.Context, tenant string, sys System, what func(*Connection, *Secrets) error, with ...With[Connection],
) (Connection, Secrets, error) {
	t, err := s.prepare(ctx, tenant, sys, what)
	if err != nil {
		return Connection{}, Secrets{}, err
	}
	ops, err := s.connectOps(ctx, t, with)
	if err != nil {
		return Connection{}, Secrets{}, err
	}
	var c Connection
	read := table.Item{Key: connKey(tenant, sys), Rev: t.old.rev}
	it, err := s.change(ctx, read, func(it table.Item) ([]table.Op, error) {
		stands, err := t.old.again(it)
		if err != nil {
			return nil, err
		}
		c = t.over(stands)
		saved, err := c.item()
		return append([]table.Op{table.Save(saved)}, ops...), err
	})
	if err != nil {
		return Connection{}, Secrets{}, err
	}
	c.rev = it.Rev
	return c, t.secrets, nil
}

// typed is a connection as it is to be, beside the one that there is.
type typed struct {
	Connection
	secrets    Secrets
	old        Connection
	oldSecrets Secrets
	known      Former // of the account, where it is another one
	now        time.Time
}

// over is the connection as it is saved over what stands there.
func (t typed) over(stands Connection) Connection {
	return changed(stands, t.Connection, t.known, t.now)
}

// prepare has a copy of a connection changed, and seals its secrets.
func (s *Store) prepare(
	ctx context.Context, tenant string, sys System, what func(*Connection, *Secrets) error,
) (t typed, err error) {
	t.now = time.Now().UTC()
	if t.old, t.oldSecrets, err = s.opened(ctx, tenant, sys); err != nil {
		return t, err
	}
	t.Connection, t.secrets = t.old, t.oldSecrets
	if err := what(&t.Connection, &t.secrets); err != nil {
		return t, err
	}
	t.secrets.Replaced = replaced(t.oldSecrets, t.secrets, t.now)
	if t.Sealed, err = s.Sealed(ctx, tenant, t.System, t.secrets); err != nil {
		return t, err
	}
	t.known, err = s.formerly(ctx, t.old, t.Connection)
	return t, err
}

// connectOps are the writes beside that of a connection itself.
func (s *Store) connectOps(ctx context.Context, t typed, with []With[Connection]) ([]table.Op, error) {
	c := t.over(t.old)
	there, err := s.Unerased(ctx, c.Tenant)
	if err != nil {
		return nil, err
	}
	ops, err := s.claims(ctx, t.old, c)
	if err != nil {
		return nil, err
	}
	ops = append(ops, there)
	if t.secrets.URLToken != t.oldSecrets.URLToken {
		create, err := createURLToken(t.secrets.URLToken, c)
		if err != nil {
			return nil, err
		}
		ops = append(ops, create)
	}
	more, err := beside(c, with)
	return append(ops, more...), err
}

// opened is a connection with its secrets; a new one if there is none.
func (s *Store) opened(ctx context.Context, tenant string, sys System) (Connection, Secrets, error) {
	c, err := s.Connection(ctx, tenant, sys)
	if errors.Is(err, ErrNotFound) {
		n, err := rand.Int(rand.Reader, big.NewInt(1<<40)) // not the Generation of one that was taken away
		return Connection{Tenant: tenant, System: sys, Generation: int(n.Int64())}, Secrets{}, err
	}
	if err != nil {
		return c, Secrets{}, err
	}
	sec, err := s.Secrets(ctx, c)
	if errors.Is(err, ErrSealed) {
		return c, Secrets{}, nil
	}
	return c, sec, err
}

// again is the connection as it stands by now, where it is the same: others may note something in it while a key is
// tried. ErrChanged where they connected it, or took it away.
func (c *Connection) again(it table.Item) (Connection, error) {
	if it.Rev == c.rev {
		return *c, nil
	}
	now, err := connectionOf(it)
	if errors.Is(err, ErrNotFound) || err == nil && (c.rev == "" || now.Generation != c.Generation) {
		return now, ErrChanged
	}
	return now, err
}

// changed is a connection as it stands once it is saved with a new key: old is what stands there, typed is what is to
// stand there but for what the saving itself brings, and known what is on record of its account from before.
func changed(old, typed Connection, known Former, now time.Time) Connection {
	c := typed
	c.rev, c.Gaps = old.rev, old.Gaps
	if old.LongRefused(now) {
		c.Back = now.Truncate(time.Second)
	}
	c.State, c.Why, c.Refused = Connected, "", time.Time{}
	c.Changed = now
	c.Generation = old.Generation + 1
	c.Resume = now // of a new one too: work may have waited since the last was taken away
	if c.Account != old.Account {
		c.Since, c.Begun, c.Gaps, c.earlier = now.Truncate(time.Second), known.Since, known.Gaps, nil
	}
	return c
}

const (
	oldSecretFor = 24 * time.Hour // how long a replaced webhook secret still verifies
	maxReplaced  = 10             // how many are kept, the newest first
)

// replaced are the webhook secrets that verify beside the one of now.
func replaced(old, sec Secrets, now time.Time) []Replaced {
	if old.WebhookSecret == "" || sec.WebhookSecret == old.WebhookSecret {
		return sec.Replaced
	}
	list := append([]Replaced{{old.WebhookSecret, now.Add(oldSecretFor)}}, old.Replaced...)
	list = slices.DeleteFunc(list, func(r Replaced) bool { return r.Secret == sec.WebhookSecret || now.After(r.Until) })
	return list[:min(len(list), maxReplaced)]
}

// claims are the writes that hold, beside a connection's own, to whom an account belongs and what was connected
// before.
func (s *Store) claims(ctx context.Context, old, c Connection) (ops []table.Op, err error) {
	if c.First != "" {
		if ops, err = s.firstOp(ctx, c); err != nil {
			return nil, err
		}
	}
	if c.Account == old.Account {
		return ops, nil
	}
	if old.Account != "" {
		left, err := s.left(ctx, old, c.Changed)
		if err != nil {
			return nil, err
		}
		ops = append(ops, left...)
	}
	if c.Exclusive && c.Account != "" {
		claim, err := s.claim(ctx, c)
		if err != nil {
			return nil, err
		}
		ops = append(ops, claim...)
	}
	return ops, nil
}

// claim claims an account for its tenant.
func (s *Store) claim(ctx context.Context, c Connection) ([]table.Op, error) {
	k := claimKey(c.System, c.Account)
	h, err := s.lookup(ctx, k)
	switch {
	case errors.Is(err, ErrNotFound):
		it, err := item(k.PK, k.SK, owner{c.Tenant, c.System})
		return []table.Op{table.Create(it)}, err
	case err == nil && h.Tenant != c.Tenant:
		return nil, ErrClaimed
	}
	return nil, err
}

// left puts an account on record that is connected no more, and frees it for others.
func (s *Store) left(ctx context.Context, c Connection, now time.Time) ([]table.Op, error) {
	k := formerKey(c.Tenant, c.System, c.Account)
	was, err := item(k.PK, k.SK, Former{
		System: c.System, Account: c.Account, Name: c.Name, Since: c.Beginning(), Until: now, Gaps: c.Gaps,
	})
	if err != nil {
		return nil, err
	}
	ops := []table.Op{table.Put(was)}
	claim, err := table.Read(ctx, s.table, claimKey(c.System, c.Account))
	if err != nil || claim.Rev == "" {
		return ops, err
	}
	var by owner
	if err := json.Unmarshal(claim.Data, &by); err != nil || by.Tenant != c.Tenant {
		return ops, err
	}
	return append(ops, table.Remove(claim)), nil
}

// formerly is what is on record of a connection's account from before, where it is not the old one.
func (s *Store) formerly(ctx context.Context, old, c Connection) (f Former, err error) {
	if c.Account == old.Account {
		return f, nil
	}
	it, err := table.Read(ctx, s.table, formerKey(c.Tenant, c.System, c.Account))
	if err != nil || it.Rev == "" {
		return f, err
	}
	return f, json.Unmarshal(it.Data, &f)
}

// firstOp notes the account that a tenant connected first, unless one is noted already: it is written once.
func (s *Store) firstOp(ctx context.Context, c Connection) ([]table.Op, error) {
	k := table.Key{PK: Partition(c.Tenant), SK: "first#" + string(c.System)}
	first, err := table.Read(ctx, s.table, k)
	if err != nil || first.Rev != "" {
		return nil, err
	}
	it, err := item(k.PK, k.SK, Former{System: c.System, Account: c.First})
	return []table.Op{table.Create(it)}, err
}

func formerKey(tenant string, sys System, account string) table.Key {
	return table.Key{PK: Partition(tenant), SK: "was#" + string(sys) + "#" + account}
}

func claimKey(sys System, account string) table.Key {
	return table.Key{PK: "CLAIM#" + string(sys) + "#" + account, SK: "claim"}
}

func urlTokenKey(token Secret) table.Key {
	return table.Key{PK: "HOOK#" + hashed(string(token)), SK: "hook"}
}

// createURLToken lets a connection be found by the end of its webhook URL.
func createURLToken(token Secret, c Connection) (table.Op, error) {
	k := urlTokenKey(token)
	it, err := item(k.PK, k.SK, owner{c.Tenant, c.System})
	return table.Create(it), err
}

// GiveURLToken gives a connection a webhook URL, where it has none yet: 32 characters of base32, 160 bits.
func (s *Secrets) GiveURLToken() {
	if s.URLToken == "" {
		s.URLToken = Secret(strings.ToLower(rand.Text() + rand.Text()[:6]))
	}
}

// GiveWebhookSecret gives a connection the secret that its webhooks bear, where it has none yet or it is to be another
// one.
func (s *Secrets) GiveWebhookSecret(renew bool) {
	if s.WebhookSecret == "" || renew {
		s.WebhookSecret = Secret(rand.Text())
	}
}

// Disconnect forgets a connection with its secrets, webhook URL and claim. That the account was connected stays on
// record.
func (s *Store) Disconnect(ctx context.Context, tenant string, sys System, with ...With[Connection]) error {
	read, err := table.Read(ctx, s.table, connKey(tenant, sys))
	if err != nil {
		return fmt.Errorf("connection %s: %w", sys, err)
	}
	_, err = s.change(ctx, read, func(it table.Item) ([]table.Op, error) { return s.removal(ctx, it, with) })
	return err
}

// removal returns the writes that take a connection away, its own first.
func (s *Store) removal(ctx context.Context, it table.Item, with []With[Connection]) ([]table.Op, error) {
	c, err := connectionOf(it)
	if err != nil {
		return nil, err
	}
	sec, err := s.Secrets(ctx, c)
	if err != nil && !errors.Is(err, ErrSealed) { // else its webhook URL is nobody's by the connection's end alone
		return nil, err
	}
	ops := []table.Op{table.Remove(it)}
	left, err := s.left(ctx, c, time.Now().UTC())
	if err != nil {
		return nil, err
	}
	if sec.URLToken != "" {
		hook, err := table.Read(ctx, s.table, urlTokenKey(sec.URLToken))
		if err != nil {
			return nil, err
		}
		if hook.Rev != "" {
			left = append(left, table.Remove(hook))
		}
	}
	more, err := beside(c, with)
	return slices.Concat(ops, left, more), err
}
