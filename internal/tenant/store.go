package tenant

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // tenants' and accounts' zones: where a function runs, there may be none

	"stockbridge/internal/table"
)

// Store keeps tenants, connections and settings in the table.
type Store struct {
	table table.Table
	seal  Sealer

	mu    sync.Mutex
	hooks map[string]hook // found by Hooked, by the token's hash
}

// NewStore returns a store over t that seals secrets with seal.
func NewStore(t table.Table, seal Sealer) *Store {
	return &Store{table: t, seal: seal, hooks: map[string]hook{}}
}

// listShards spreads the list of tenants over partitions.
const listShards = 4

// Partition is the key of the partition that holds one tenant's own items.
func Partition(tenant string) string { return "T#" + tenant }

func listPartition(tenant string) string { return fmt.Sprintf("TENANTS#%d", Shard(tenant, listShards)) }

// Shard maps a name to one of n shards, for good.
func Shard(name string, n uint32) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32() % n
}

func hashed(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func item(pk, sk string, v any) (table.Item, error) {
	data, err := json.Marshal(v)
	return table.Item{Key: table.Key{PK: pk, SK: sk}, Data: data}, err
}

// With makes what is written together with a change, as its event: neither
// stands without the other. It is given what the change made.
type With[T any] func(T) (Ops, error)

// Ops are writes that ride in another's transaction.
type Ops = []table.Op

// beside are the writes of all.
func beside[T any](made T, with []With[T]) (ops Ops, err error) {
	for _, w := range with {
		some, err := w(made)
		if err != nil {
			return nil, err
		}
		ops = append(ops, some...)
	}
	return ops, nil
}

// tenantID is how many letters and digits a tenant's id has.
const tenantID = 16

// plain says that a text has nothing but what ids are made of here: small letters and digits.
func plain(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == "" }

// Create makes a tenant with default settings, and its first API token.
func (s *Store) Create(ctx context.Context, name, timeZone string, with ...With[Tenant]) (Tenant, Secret, error) {
	if errs := CheckTenant(name, timeZone); errs != nil {
		return Tenant{}, "", errs
	}
	name, timeZone = strings.TrimSpace(name), cmp.Or(timeZone, "Pacific/Auckland")
	t := Tenant{ID: strings.ToLower(rand.Text()[:tenantID]), Name: name, TimeZone: timeZone, Created: time.Now().UTC().Truncate(time.Second)}
	it, err := item(Partition(t.ID), "tenant", t)
	if err != nil {
		return Tenant{}, "", err
	}
	listed := it
	listed.Key = table.Key{PK: listPartition(t.ID), SK: t.ID}
	_, token, ops, err := newToken(t.ID, Token{Name: "first", Role: Admin})
	if err != nil {
		return Tenant{}, "", err
	}
	// What the ledger keeps of a tenant is in its lists from the first order on: ledger.Relist has nothing to do.
	lists := table.Item{Key: table.Key{PK: Partition(t.ID) + "#doc", SK: "lists"}, Data: []byte(`{"whole":true}`)}
	more, err := beside(t, with)
	if err == nil {
		err = s.table.Write(ctx, append(append(ops, table.Create(it), table.Create(listed), table.Create(lists)), more...)...)
	}
	if err != nil {
		return Tenant{}, "", fmt.Errorf("create tenant: %w", err)
	}
	return t, token, nil
}

// CheckTenant says what is wrong with a tenant's name and time zone ("" = the default).
func CheckTenant(name, timeZone string) (errs FieldErrors) {
	if name = strings.TrimSpace(name); name == "" || len(name) > 200 {
		errs = append(errs, FieldError{Field: "name", Message: "Give the tenant a name of at most 200 characters."})
	}
	if _, err := time.LoadLocation(timeZone); err != nil || timeZone == "Local" {
		errs = append(errs, FieldError{Field: "timeZone", Message: "This is not an IANA time zone, as Pacific/Auckland."})
	}
	return errs
}

// IsListAfter reports whether a page of List may have ended with this.
func IsListAfter(s string) bool { return len(s) == tenantID && plain(s) }

// List reads one page of tenants of one shard (0 ≤ shard < Shards).
func (s *Store) List(ctx context.Context, shard int, after string) (list []Tenant, next string, err error) {
	p, err := s.table.Query(ctx, table.Query{PK: fmt.Sprintf("TENANTS#%d", shard), After: after})
	if err != nil {
		return nil, "", fmt.Errorf("list tenants: %w", err)
	}
	for _, it := range p.Items {
		var t Tenant
		if err := json.Unmarshal(it.Data, &t); err != nil {
			return nil, "", fmt.Errorf("tenant %s: %w", it.SK, err)
		}
		list = append(list, t)
	}
	return list, p.Next, nil
}

// Shards is how many shards List has.
const Shards = listShards

// Bundle is all that is known of a tenant's set-up.
type Bundle struct {
	Tenant      Tenant
	Settings    Settings
	Said        []string // what of the saved settings does not count any more, a sentence each
	Version     int      // of the settings; 0 = never saved
	Connections map[System]Connection
	Books       []byte // as package mirror saved them; nil = none yet
	First       string // the Upstock supplier that was connected first; "" = none, or none since this is noted
	Former      []Former

	settingsRev     string
	unknownSettings map[string]json.RawMessage // of another version; saved again as they are
}

// Load reads a tenant's bundle with one query; ErrNotFound if there is none.
func (s *Store) Load(ctx context.Context, id string) (Bundle, error) {
	b := Bundle{Settings: DefaultSettings(), Connections: map[System]Connection{}}
	q := table.Query{PK: Partition(id)}
	for {
		p, err := s.table.Query(ctx, q)
		if err != nil {
			return b, fmt.Errorf("load tenant %s: %w", id, err)
		}
		for _, it := range p.Items {
			if err := b.add(it); err != nil {
				return b, fmt.Errorf("load tenant %s: %s: %w", id, it.SK, err)
			}
		}
		if q.After = p.Next; p.Next == "" {
			break
		}
	}
	if b.Tenant.ID == "" {
		return b, fmt.Errorf("tenant %q: %w", id, ErrNotFound)
	}
	return b, nil
}

type savedSettings struct {
	Version  int             `json:"version"`
	At       time.Time       `json:"at"`
	Settings json.RawMessage `json:"settings"`
}

func (b *Bundle) add(it table.Item) error {
	switch {
	case it.SK == "tenant":
		return json.Unmarshal(it.Data, &b.Tenant)
	case it.SK == "settings":
		var v savedSettings
		if err := json.Unmarshal(it.Data, &v); err != nil {
			return err
		}
		b.Version, b.settingsRev = v.Version, it.Rev
		b.Settings, b.unknownSettings, b.Said = readSettings(v.Settings)
	case it.SK == firstKey:
		var f Former
		err := json.Unmarshal(it.Data, &f)
		b.First = f.Account
		return err
	case strings.HasPrefix(it.SK, "was#"):
		var f Former
		err := json.Unmarshal(it.Data, &f)
		b.Former = append(b.Former, f)
		return err
	case it.SK == "books":
		b.Books = it.Data
	case strings.HasPrefix(it.SK, "conn#"):
		c, err := connectionOf(it)
		if err != nil {
			return err
		}
		b.Connections[c.System] = c
	}
	return nil
}

// connectionOf reads a connection's item; ErrNotFound if there is none.
func connectionOf(it table.Item) (Connection, error) {
	var c Connection
	if it.Rev == "" {
		return c, fmt.Errorf("connection %s: %w", strings.TrimPrefix(it.SK, "conn#"), ErrNotFound)
	}
	if err := json.Unmarshal(it.Data, &c); err != nil {
		return c, err
	}
	c.Tenant, c.rev = strings.TrimPrefix(it.PK, "T#"), it.Rev
	return c, nil
}

// SaveSettings writes the whole settings if their version is still the given
// one (ErrChanged otherwise; -1 = whatever it is), as ChangeSettings does.
func (s *Store) SaveSettings(ctx context.Context, tenant string, doc Settings, version int, with ...With[int]) (int, error) {
	return s.ChangeSettings(ctx, tenant, func(b Bundle) (Settings, error) {
		if version >= 0 && version != b.Version {
			return doc, ErrChanged
		}
		return doc, nil
	}, with...)
}

// ChangeSettings writes the whole settings that change makes of a tenant's, on a
// fresh copy as often as others save settings meanwhile. It keeps the old ones as
// history, and returns the new version, which with is given. Settings that this
// version of the program does not know stay as they were stored. An error of
// change ends it and is returned.
func (s *Store) ChangeSettings(
	ctx context.Context, tenant string, change func(Bundle) (Settings, error), with ...With[int],
) (version int, err error) {
	err = table.RetryOnConflict(ctx, func() error {
		b, err := s.Load(ctx, tenant)
		if err != nil {
			return err
		}
		doc, err := change(b)
		if err != nil {
			return err
		}
		version = b.Version + 1
		ops, err := b.settingsOps(doc, version)
		if err != nil {
			return err
		}
		more, err := beside(version, with)
		if err != nil {
			return err
		}
		return s.table.Write(ctx, append(ops, more...)...)
	})
	if errors.Is(err, table.ErrConflict) {
		err = ErrChanged
	}
	return version, err
}

// settingsOps are the writes of new settings, and of the same among the history.
func (b *Bundle) settingsOps(doc Settings, version int) ([]table.Op, error) {
	if errs := doc.validate(); len(errs) > 0 {
		return nil, errs
	}
	raw, err := doc.with(b.unknownSettings)
	if err != nil {
		return nil, err
	}
	saved := savedSettings{version, time.Now().UTC().Truncate(time.Second), raw}
	it, err := item(Partition(b.Tenant.ID), "settings", saved)
	if err != nil {
		return nil, err
	}
	kept := it
	kept.Key = table.Key{PK: Partition(b.Tenant.ID) + "#settings", SK: fmt.Sprintf("%08d", version)}
	it.Rev = b.settingsRev
	return []table.Op{table.Save(it), table.Create(kept)}, nil
}

// Connection reads one connection; ErrNotFound if there is none.
func (s *Store) Connection(ctx context.Context, tenant string, sys System) (Connection, error) {
	it, err := table.Read(ctx, s.table, connKey(tenant, sys))
	if err != nil {
		return Connection{}, fmt.Errorf("connection %s: %w", sys, err)
	}
	return connectionOf(it)
}

// Connections reads one system's connections of many tenants, by tenant.
func (s *Store) Connections(ctx context.Context, tenants []string, sys System) (map[string]Connection, error) {
	found := map[string]Connection{}
	keys := make([]table.Key, len(tenants))
	for i, t := range tenants {
		keys[i] = connKey(t, sys)
	}
	items, err := table.ReadAll(ctx, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("connections to %s: %w", sys, err)
	}
	for _, it := range items {
		c, err := connectionOf(it)
		if err != nil {
			return nil, err
		}
		found[c.Tenant] = c
	}
	return found, nil
}

// ConnectionsOf reads the connections of many tenants to some systems: by tenant,
// bundles that hold these alone. A tenant that has none of them is left out.
func (s *Store) ConnectionsOf(ctx context.Context, tenants []string, systems ...System) (map[string]Bundle, error) {
	found := map[string]Bundle{}
	for _, sys := range systems {
		connections, err := s.Connections(ctx, tenants, sys)
		if err != nil {
			return nil, err
		}
		for id, c := range connections {
			if found[id].Connections == nil {
				found[id] = Bundle{Connections: map[System]Connection{}}
			}
			found[id].Connections[sys] = c
		}
	}
	return found, nil
}

// firstKey is the sort key of the supplier that a tenant connected first. It is
// written once.
const firstKey = "first#" + string(Upstock)

// firstOp notes a tenant's first supplier, unless one is noted already.
func (s *Store) firstOp(ctx context.Context, tenant, account string) ([]table.Op, error) {
	first, err := table.Read(ctx, s.table, table.Key{PK: Partition(tenant), SK: firstKey})
	if err != nil || first.Rev != "" {
		return nil, err
	}
	it, err := item(Partition(tenant), firstKey, Former{System: Upstock, Account: account})
	return []table.Op{table.Create(it)}, err
}

func connKey(tenant string, sys System) table.Key {
	return table.Key{PK: Partition(tenant), SK: "conn#" + string(sys)}
}

const resumeIndex = "RESUME"

func (c *Connection) item() (table.Item, error) {
	it, err := item(Partition(c.Tenant), "conn#"+string(c.System), c)
	it.Rev = c.rev
	if !c.Resume.IsZero() {
		it.Index, it.Sort = resumeIndex, c.Tenant+"#"+string(c.System)
	}
	return it, err
}

// Update changes a connection, on a fresh copy as often as others change it
// meanwhile. An error of change ends it and is returned.
func (s *Store) Update(ctx context.Context, tenant string, sys System, change func(*Connection) error) (Connection, error) {
	var c Connection
	read, err := table.Read(ctx, s.table, connKey(tenant, sys))
	if err != nil {
		return c, fmt.Errorf("connection %s: %w", sys, err)
	}
	it, err := s.change(ctx, read, func(it table.Item) ([]table.Op, error) {
		var err error
		if c, err = connectionOf(it); err != nil {
			return nil, err
		}
		if err := change(&c); err != nil {
			return nil, err
		}
		it, err = c.item()
		return []table.Op{table.Replace(it)}, err
	})
	c.rev = it.Rev
	return c, err
}

// change changes a connection's item; ErrChanged where others keep changing it, or what hangs together with it.
func (s *Store) change(
	ctx context.Context, read table.Item, change func(table.Item) ([]table.Op, error),
) (table.Item, error) {
	it, err := table.Change(ctx, s.table, read, change)
	if errors.Is(err, table.ErrConflict) || errors.Is(err, table.ErrBeside) {
		return it, fmt.Errorf("connection %s: %w", strings.TrimPrefix(read.SK, "conn#"), ErrChanged)
	}
	return it, err
}

// SetMirror records how far the mirror of a connection's data is.
func (s *Store) SetMirror(ctx context.Context, tenant string, sys System, m Mirror) error {
	_, err := s.Update(ctx, tenant, sys, func(c *Connection) error { c.Mirror = m; return nil })
	return err
}

type hook struct {
	Tenant string `json:"tenant"`
	System System `json:"system,omitempty"`
}

func (s *Store) lookup(ctx context.Context, pk, sk string) (hook, error) {
	var h hook
	it, err := table.Read(ctx, s.table, table.Key{PK: pk, SK: sk})
	if err != nil {
		return h, err
	}
	if it.Rev == "" {
		return h, ErrNotFound
	}
	return h, json.Unmarshal(it.Data, &h)
}

// Hook is whose webhook URL ends in this token; ErrNotFound if nobody's.
func (s *Store) Hook(ctx context.Context, token string) (tenant string, sys System, err error) {
	h, err := s.lookup(ctx, "HOOK#"+hashed(token), "hook")
	return h.Tenant, h.System, err
}

// maxHooks bounds how many tokens a process remembers.
const maxHooks = 1000

// Hooked is the connection whose webhook URL ends in this token, with its
// secrets; ErrNotFound if nobody's does. Whose a token is never changes, so a
// process reads it once; that it still is in use, the secrets tell.
func (s *Store) Hooked(ctx context.Context, token string) (Connection, Secrets, error) {
	key := hashed(token)
	s.mu.Lock()
	h, known := s.hooks[key]
	s.mu.Unlock()
	if !known {
		var err error
		if h.Tenant, h.System, err = s.Hook(ctx, token); err != nil {
			return Connection{}, Secrets{}, err
		}
		s.mu.Lock()
		if len(s.hooks) >= maxHooks {
			s.hooks = map[string]hook{}
		}
		s.hooks[key] = h
		s.mu.Unlock()
	}
	c, err := s.Connection(ctx, h.Tenant, h.System)
	if err != nil {
		return c, Secrets{}, err
	}
	sec, err := s.Secrets(ctx, c)
	if err == nil && subtle.ConstantTimeCompare([]byte(sec.Hook), []byte(token)) == 0 {
		return Connection{}, Secrets{}, fmt.Errorf("webhook URL: %w", ErrNotFound)
	}
	return c, sec, err
}

// Secrets opens what a connection keeps sealed.
func (s *Store) Secrets(ctx context.Context, c Connection) (Secrets, error) {
	var v Secrets
	plain, err := s.seal.Open(ctx, c.Tenant, c.Sealed)
	if err != nil {
		return v, fmt.Errorf("open secrets of %s: %w", c.System, err)
	}
	var w clear
	if err := json.Unmarshal(plain, &w); err != nil {
		return v, fmt.Errorf("open secrets of %s: %w", c.System, err)
	}
	v = Secrets{Key: Secret(w.Key), User: w.User, Webhook: Secret(w.Webhook), Hook: Secret(w.Hook)}
	for _, r := range w.Replaced {
		v.Replaced = append(v.Replaced, Replaced{Secret(r.Secret), r.Until})
	}
	return v, nil
}

// clear is Secrets as it is sealed: there alone they are written out.
type clear struct {
	Key, User, Webhook, Hook string
	Replaced                 []clearReplaced
}

type clearReplaced struct {
	Secret string
	Until  time.Time
}

// Sealed seals secrets for a tenant.
func (s *Store) Sealed(ctx context.Context, tenant string, v Secrets) ([]byte, error) {
	c := clear{Key: string(v.Key), User: v.User, Webhook: string(v.Webhook), Hook: string(v.Hook)}
	for _, r := range v.Replaced {
		c.Replaced = append(c.Replaced, clearReplaced{string(r.Secret), r.Until})
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return s.seal.Seal(ctx, tenant, plain)
}

// oldWebhookFor is how long a replaced webhook secret still verifies.
const oldWebhookFor = 24 * time.Hour

// maxReplaced is how many replaced secrets are kept, the newest first.
const maxReplaced = 10

// Connect makes or changes a connection: what says how, on a copy of the old
// one (the zero Connection if there is none) and its secrets; of secrets that
// cannot be opened any more (ErrSealed) there are none left. It keeps the
// webhook URL, if it can be opened, and Since, lets a replaced webhook secret verify for a day
// more, claims an Upstock supplier for the tenant (ErrClaimed if another has
// it) and marks the connection's parked work to go on.
func (s *Store) Connect(ctx context.Context, tenant string, sys System, what func(*Connection, *Secrets) error, with ...With[Connection]) (Connection, Secrets, error) {
	var none Connection
	c, err := s.Connection(ctx, tenant, sys)
	fresh := errors.Is(err, ErrNotFound)
	if err != nil && !fresh {
		return none, Secrets{}, err
	}
	var sec Secrets
	if !fresh {
		if sec, err = s.Secrets(ctx, c); errors.Is(err, ErrSealed) {
			sec = Secrets{} // all anew, the webhook URL too
		} else if err != nil {
			return none, sec, err
		}
	}
	old, oldSec := c, sec
	now := time.Now().UTC()
	c.Tenant, c.System = tenant, sys
	if fresh {
		n, _ := rand.Int(rand.Reader, big.NewInt(1<<40))
		c.Generation = int(n.Int64()) // not one that a forgotten connection had
	}
	if sec.Hook == "" && (sys == Upstock || sys == Cin7Core) {
		sec.Hook = newHook()
	}
	if err := what(&c, &sec); err != nil {
		return none, sec, err
	}
	if old.LongRefused(now) {
		c.Back = now.Truncate(time.Second)
	}
	c.State, c.Why, c.Refused, c.Changed = Connected, "", time.Time{}, now
	c.Generation++
	if oldSec.Webhook != "" && sec.Webhook != oldSec.Webhook {
		sec.Replaced = append([]Replaced{{oldSec.Webhook, now.Add(oldWebhookFor)}}, oldSec.Replaced...)
		sec.Replaced = slices.DeleteFunc(sec.Replaced, func(r Replaced) bool { return r.Secret == sec.Webhook || now.After(r.Until) })
		sec.Replaced = sec.Replaced[:min(len(sec.Replaced), maxReplaced)]
	}
	c.Resume = now // a fresh one too: orders may have waited since the last was taken away
	if c.Sealed, err = s.Sealed(ctx, tenant, sec); err != nil {
		return none, sec, err
	}
	var claims []table.Op
	if sys == Upstock {
		if claims, err = s.claims(ctx, tenant, sys, old.Account, c.Account); err != nil {
			return none, sec, err
		}
		if c.First != "" {
			first, err := s.firstOp(ctx, tenant, c.First)
			if err != nil {
				return none, sec, err
			}
			claims = append(claims, first...)
		}
	}
	if c.Account != old.Account {
		was, err := s.moved(ctx, &c, old, now)
		if err != nil {
			return none, sec, err
		}
		claims = append(claims, was...)
	}
	if sec.Hook != oldSec.Hook {
		h, err := item("HOOK#"+hashed(string(sec.Hook)), "hook", hook{tenant, sys})
		if err != nil {
			return none, sec, err
		}
		claims = append(claims, table.Create(h))
	}
	more, err := beside(c, with)
	if err != nil {
		return none, sec, err
	}
	claims = append(claims, more...)
	read := table.Item{Key: connKey(tenant, sys), Rev: c.rev}
	it, err := s.change(ctx, read, func(it table.Item) ([]table.Op, error) {
		if it.Rev != read.Rev {
			if err := c.merge(it, old); err != nil {
				return nil, err
			}
		}
		it, err := c.item()
		return append([]table.Op{table.Save(it)}, claims...), err
	})
	if err != nil {
		return none, sec, err
	}
	c.rev = it.Rev
	return c, sec, nil
}

// merge takes over what others noted in a connection while its key was tried, as how far the mirror is: their notes
// stand. ErrChanged where they connected it, or took it away.
func (c *Connection) merge(it table.Item, old Connection) error {
	newer, err := connectionOf(it)
	if errors.Is(err, ErrNotFound) || err == nil && (old.rev == "" || newer.Generation != old.Generation) {
		return ErrChanged
	}
	if err != nil {
		return err
	}
	if c.rev = newer.rev; c.Account == newer.Account {
		c.Mirror, c.Checked, c.Webhooks, c.Gaps = newer.Mirror, newer.Checked, newer.Webhooks, newer.Gaps
	}
	return nil
}

// moved begins a connection to an account: what is known of it from before is
// taken up. The writes put the account that it replaces on record.
func (s *Store) moved(ctx context.Context, c *Connection, old Connection, now time.Time) ([]table.Op, error) {
	c.Since, c.Begun, c.Gaps = now.Truncate(time.Second), time.Time{}, nil
	it, err := table.Read(ctx, s.table, formerKey(c.Tenant, c.System, c.Account))
	if err != nil {
		return nil, err
	}
	if it.Rev != "" {
		var f Former
		if err := json.Unmarshal(it.Data, &f); err != nil {
			return nil, err
		}
		c.Begun, c.Gaps = f.Since, f.Gaps
	}
	if old.Account == "" {
		return nil, nil
	}
	was, err := old.former(now)
	return []table.Op{table.Put(was)}, err
}

// former is the record of a connection that is taken away.
func (c *Connection) former(now time.Time) (table.Item, error) {
	key := formerKey(c.Tenant, c.System, c.Account)
	return item(key.PK, key.SK, Former{System: c.System, Account: c.Account, Name: c.Name, Since: c.Beginning(), Until: now, Gaps: c.Gaps})
}

func formerKey(tenant string, sys System, account string) table.Key {
	return table.Key{PK: Partition(tenant), SK: "was#" + string(sys) + "#" + account}
}

// newHook is what a webhook URL ends in: 32 characters of base32, 160 bits.
func newHook() Secret { return Secret(strings.ToLower(rand.Text() + rand.Text()[:6])) }

// claims moves a tenant's claim from one account to another.
func (s *Store) claims(ctx context.Context, tenant string, sys System, from, to string) ([]table.Op, error) {
	if from == to {
		return nil, nil
	}
	var ops []table.Op
	if from != "" {
		it, err := table.Read(ctx, s.table, claimKey(sys, from))
		if err != nil {
			return nil, err
		}
		if it.Rev != "" {
			ops = append(ops, table.Remove(it))
		}
	}
	if to == "" {
		return ops, nil
	}
	h, err := s.lookup(ctx, claimKey(sys, to).PK, "claim")
	switch {
	case errors.Is(err, ErrNotFound):
		it, err := item(claimKey(sys, to).PK, "claim", hook{tenant, sys})
		return append(ops, table.Create(it)), err
	case err != nil:
		return nil, err
	case h.Tenant != tenant:
		return nil, ErrClaimed
	}
	return ops, nil
}

func claimKey(sys System, account string) table.Key {
	return table.Key{PK: "CLAIM#" + string(sys) + "#" + account, SK: "claim"}
}

// Disconnect forgets a connection with its secrets, webhook URL and claim. That
// the account was connected stays on record.
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
	was, err := c.former(time.Now().UTC())
	if err != nil {
		return nil, err
	}
	ops := []table.Op{table.Remove(it), table.Put(was)}
	if sec.Hook != "" {
		hook, err := table.Read(ctx, s.table, table.Key{PK: "HOOK#" + hashed(string(sec.Hook)), SK: "hook"})
		if err != nil {
			return nil, err
		}
		if hook.Rev != "" {
			ops = append(ops, table.Remove(hook))
		}
	}
	if c.System == Upstock {
		claims, err := s.claims(ctx, c.Tenant, c.System, c.Account, "")
		if err != nil {
			return nil, err
		}
		ops = append(ops, claims...)
	}
	more, err := beside(c, with)
	return append(ops, more...), err
}

// Broken marks a connection as needing a new key, unless its key was replaced
// since the given generation, and returns it as it is now.
func (s *Store) Broken(ctx context.Context, tenant string, sys System, generation int, why string) (Connection, error) {
	return s.Update(ctx, tenant, sys, func(c *Connection) error {
		if c.Generation == generation && c.State == Connected {
			c.State, c.Why, c.Refused = NeedsReconnecting, why, time.Now().UTC().Truncate(time.Second)
		}
		return nil
	})
}

// Resuming lists the connections that were repaired, until [Store.Resumed] says
// of each that nothing waits for it any more, however long that takes.
func (s *Store) Resuming(ctx context.Context) ([]Connection, error) {
	var list []Connection
	q := table.Query{PK: resumeIndex}
	for {
		p, err := s.table.List(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("list repaired connections: %w", err)
		}
		keys := make([]table.Key, len(p.Entries))
		for i, e := range p.Entries {
			keys[i] = e.Key
		}
		items, err := table.ReadAll(ctx, s.table, keys)
		if err != nil {
			return nil, fmt.Errorf("repaired connections: %w", err)
		}
		for _, it := range items {
			c, err := connectionOf(it)
			if err != nil {
				return nil, err
			}
			if !c.Resume.IsZero() { // else the index is behind
				list = append(list, c)
			}
		}
		if q.After = p.Next; p.Next == "" {
			return list, nil
		}
	}
}

// Resume lists a connection among the repaired ones once more: work was found
// that still waits for it.
func (s *Store) Resume(ctx context.Context, tenant string, sys System) error {
	_, err := s.Update(ctx, tenant, sys, func(c *Connection) error {
		c.Resume = time.Now().UTC()
		return nil
	})
	return err
}

// Resumed takes a connection from the list of repaired ones, unless it was
// repaired again since it was read.
func (s *Store) Resumed(ctx context.Context, c Connection) error {
	errRepaired, read := errors.New("repaired again"), c
	_, err := s.Update(ctx, c.Tenant, c.System, func(c *Connection) error {
		if c.Generation != read.Generation || !c.Resume.Equal(read.Resume) {
			return errRepaired
		}
		c.Resume = time.Time{}
		return nil
	})
	if errors.Is(err, ErrNotFound) || errors.Is(err, errRepaired) {
		return nil
	}
	return err
}

// Unchanged makes the other operations of a write conditional on a connection's
// being as it was read; the zero Connection with Tenant and System alone: on there being none.
func (s *Store) Unchanged(c Connection) table.Op {
	return table.Check(table.Item{Key: connKey(c.Tenant, c.System), Rev: c.rev})
}
