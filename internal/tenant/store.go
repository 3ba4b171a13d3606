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
	"iter"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // tenants' and accounts' zones: where a function runs, there may be none
	"unicode/utf8"

	"stockbridge/internal/table"
)

// Store keeps tenants, connections and settings in the table.
type Store struct {
	table table.Table
	seal  Sealer

	mu     sync.Mutex
	owners map[string]owner // found by ConnectionByURLToken, by the token's hash
}

// NewStore returns a store over t that seals secrets with seal.
func NewStore(t table.Table, seal Sealer) *Store {
	return &Store{table: t, seal: seal, owners: map[string]owner{}}
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

// plain reports whether a text has nothing but what ids are made of here: small letters and digits.
func plain(s string) bool { return strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == "" }

// NewID draws an id for a tenant that is still to be made.
func NewID() string { return strings.ToLower(rand.Text()[:tenantID]) }

// IsID reports whether a text may be the id of a tenant.
func IsID(s string) bool { return len(s) == tenantID && plain(s) }

// Create makes a tenant with default settings, and its first API token.
func (s *Store) Create(ctx context.Context, name, timeZone string, with ...With[Tenant]) (Tenant, Secret, error) {
	return s.CreateAs(ctx, NewID(), name, timeZone, with...)
}

// CreateAs is Create with an id, of which there is one tenant: a form that is sent twice makes one, and the second gets
// ErrMade.
func (s *Store) CreateAs(
	ctx context.Context, id, name, timeZone string, with ...With[Tenant],
) (Tenant, Secret, error) {
	if errs := CheckTenant(name, timeZone); errs != nil {
		return Tenant{}, "", errs
	}
	name, timeZone = strings.TrimSpace(name), cmp.Or(timeZone, "Pacific/Auckland")
	t := Tenant{ID: id, Name: name, TimeZone: timeZone, Created: time.Now().UTC().Truncate(time.Second)}
	it, err := item(Partition(t.ID), "tenant", t)
	if err != nil {
		return Tenant{}, "", err
	}
	listed := listing(t, it.Data)
	_, token, ops, err := newToken(t.ID, Token{Name: "first", Role: Admin})
	if err != nil {
		return Tenant{}, "", err
	}
	// What the ledger keeps of a tenant is in its lists from the first order on: ledger.Relist has nothing to do.
	lists := table.Item{Key: table.Key{PK: Partition(t.ID) + "#doc", SK: "lists"}, Data: []byte(`{"whole":true}`)}
	more, err := beside(t, with)
	if err == nil {
		ops = append(ops, table.Create(it), table.Create(listed), table.Create(lists))
		err = s.table.Write(ctx, slices.Concat(ops, wordsOf(t), more)...)
	}
	if errors.Is(err, table.ErrConflict) {
		return Tenant{}, "", fmt.Errorf("create tenant: %w", ErrMade)
	}
	if err != nil {
		return Tenant{}, "", fmt.Errorf("create tenant: %w", err)
	}
	return t, token, nil
}

// CheckTenant says what is wrong with a tenant's name and time zone ("" = the default).
func CheckTenant(name, timeZone string) (errs FieldErrors) {
	if name = strings.TrimSpace(name); name == "" || utf8.RuneCountInString(name) > 200 ||
		strings.ContainsFunc(name, func(r rune) bool { return r < ' ' }) {
		errs = append(errs, FieldError{Field: "name",
			Message: "Give the tenant a name of at most 200 characters, in one line."})
	}
	if _, err := time.LoadLocation(timeZone); err != nil || timeZone == "Local" {
		errs = append(errs, FieldError{Field: "timeZone",
			Message: "This is not an IANA time zone, as Pacific/Auckland."})
	}
	return errs
}

// IsListAfter reports whether a page of List may have ended with this.
func IsListAfter(s string) bool { return IsID(s) }

// List reads one page of tenants of one shard (0 ≤ shard < Shards).
func (s *Store) List(ctx context.Context, shard int, after string) (list []Tenant, next string, err error) {
	q := listQuery(shard)
	q.After = after
	p, err := s.table.Query(ctx, q)
	if err != nil {
		return nil, "", fmt.Errorf("list tenants: %w", err)
	}
	for _, it := range p.Items {
		t, err := listed(it)
		if err != nil {
			return nil, "", err
		}
		list = append(list, t)
	}
	return list, p.Next, nil
}

// listQuery reads one shard of the list of tenants.
func listQuery(shard int) table.Query { return table.Query{PK: fmt.Sprintf("TENANTS#%d", shard)} }

// listed reads an item of the list of tenants.
func listed(it table.Item) (t Tenant, err error) {
	if err := json.Unmarshal(it.Data, &t); err != nil {
		return t, fmt.Errorf("tenant %s: %w", it.SK, err)
	}
	return t, nil
}

// All reads all tenants, page by page, in no order. It ends with an error, if there is one. What an earlier version
// listed without its place among the names gets it by the way, some at a time.
func (s *Store) All(ctx context.Context) iter.Seq2[Tenant, error] {
	return func(yield func(Tenant, error) bool) {
		relisted := 0
		for shard := range Shards {
			for it, err := range table.QueryAll(ctx, s.table, listQuery(shard)) {
				if err != nil {
					yield(Tenant{}, fmt.Errorf("list tenants: %w", err))
					return
				}
				t, err := listed(it)
				if err == nil && it.Group == "" && relisted < relistMost {
					s.relist(ctx, t, it)
					relisted++
				}
				if !yield(t, err) || err != nil {
					return
				}
			}
		}
	}
}

// Shards is how many shards List has.
const Shards = listShards

// Bundle is all that is known of a tenant's set-up.
type Bundle struct {
	Tenant      Tenant
	Settings    []byte // as they are stored, for Read; nil = never saved
	Version     int    // of the settings; 0 = never saved
	Connections map[System]Connection
	Books       []byte            // as package mirror saved them; nil = none yet
	First       map[System]string // the account that was connected first, of the systems of which that is noted
	Former      []Former
	Pauses      map[string]Pause // by flow: those that are paused

	settingsRev string
}

// Load reads a tenant's bundle with one query; ErrNotFound if there is none.
func (s *Store) Load(ctx context.Context, id string) (Bundle, error) {
	b := Bundle{Connections: map[System]Connection{}, First: map[System]string{}, Pauses: map[string]Pause{}}
	for it, err := range table.QueryAll(ctx, s.table, table.Query{PK: Partition(id)}) {
		if err != nil {
			return b, fmt.Errorf("load tenant %s: %w", id, err)
		}
		if err := b.add(it); err != nil {
			return b, fmt.Errorf("load tenant %s: %s: %w", id, it.SK, err)
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
	By       string          `json:"by,omitempty"`
	Settings json.RawMessage `json:"settings"`
}

// SavedSettings are settings as they were saved once.
type SavedSettings struct {
	Version  int
	At       time.Time
	By       string // who saved them; "" = an earlier version of the program, which did not note it
	Settings []byte // for Read
}

func (b *Bundle) add(it table.Item) error {
	switch {
	case it.SK == "tenant":
		if erased, err := isTombstone(it); erased || err != nil {
			return err
		}
		return json.Unmarshal(it.Data, &b.Tenant)
	case it.SK == "settings":
		var v savedSettings
		if err := json.Unmarshal(it.Data, &v); err != nil {
			return err
		}
		b.Settings, b.Version, b.settingsRev = v.Settings, v.Version, it.Rev
	case strings.HasPrefix(it.SK, "first#"):
		var f Former
		err := json.Unmarshal(it.Data, &f)
		b.First[f.System] = f.Account
		return err
	case strings.HasPrefix(it.SK, "was#"):
		var f Former
		err := json.Unmarshal(it.Data, &f)
		b.Former = append(b.Former, f)
		return err
	case strings.HasPrefix(it.SK, "pause#"):
		p, err := pauseOf(it)
		b.Pauses[p.Flow] = p
		return err
	case it.SK == "books":
		b.Books = it.Data
	case strings.HasPrefix(it.SK, "conn#"):
		c, err := connectionOf(it)
		if err != nil {
			return err
		}
		b.Connections[c.System] = c
	case strings.HasPrefix(it.SK, "progress#"): // in order of keys, it comes after its connection
		sys, _, _ := strings.Cut(strings.TrimPrefix(it.SK, "progress#"), "#")
		if c, ok := b.Connections[System(sys)]; ok {
			c.add(it)
			b.Connections[c.System] = c
		}
	}
	return nil
}

// connectionOf reads a connection's item; ErrNotFound if there is none.
func connectionOf(it table.Item) (Connection, error) {
	if it.Rev == "" {
		return Connection{}, fmt.Errorf("connection %s: %w", strings.TrimPrefix(it.SK, "conn#"), ErrNotFound)
	}
	var stored storedConnection
	if err := json.Unmarshal(it.Data, &stored); err != nil {
		return Connection{}, err
	}
	c := stored.Connection
	c.Tenant, c.rev = strings.TrimPrefix(it.PK, "T#"), it.Rev
	c.earlier = map[string]json.RawMessage{
		"mirror": stored.Mirror, "webhooks": stored.Webhooks, "checked": stored.Checked,
	}
	return c, nil
}

// ChangeSettings writes the sections that change makes of a tenant's settings, on
// a fresh copy as often as others save settings meanwhile. It keeps the old ones
// as history, with by as who saved them, and returns the new version, which with is
// given. Settings that are in none of the sections stay as they were stored. An error
// of change ends it and is returned.
func (s *Store) ChangeSettings(
	ctx context.Context, tenant, by string, change func(Bundle) ([]Section, error), with ...With[int],
) (version int, err error) {
	err = table.RetryOnConflict(ctx, func() error {
		b, err := s.Load(ctx, tenant)
		if err != nil {
			return err
		}
		sections, err := change(b)
		if err != nil {
			return err
		}
		version = b.Version + 1
		ops, err := b.settingsOps(sections, version, by)
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
func (b *Bundle) settingsOps(sections []Section, version int, by string) ([]table.Op, error) {
	if errs := Check(sections...); len(errs) > 0 {
		return nil, errs
	}
	raw, err := Write(b.Settings, sections...)
	if err != nil {
		return nil, err
	}
	saved := savedSettings{version, time.Now().UTC().Truncate(time.Second), by, raw}
	it, err := item(Partition(b.Tenant.ID), "settings", saved)
	if err != nil {
		return nil, err
	}
	kept := it
	kept.Key = versionKey(b.Tenant.ID, version)
	it.Rev = b.settingsRev
	return []table.Op{table.Save(it), table.Create(kept)}, nil
}

func versionKey(tenant string, version int) table.Key {
	return table.Key{PK: Partition(tenant) + "#settings", SK: fmt.Sprintf("%08d", version)}
}

// SettingsHistory reads the newest versions of a tenant's settings, newest first: those before a version (0 = all),
// and at most so many.
func (s *Store) SettingsHistory(ctx context.Context, tenant string, before, limit int) ([]SavedSettings, error) {
	q := table.Query{PK: versionKey(tenant, 0).PK, Desc: true, Limit: limit}
	if before > 0 {
		q.After = versionKey(tenant, before).SK
	}
	p, err := s.table.Query(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("versions of settings: %w", err)
	}
	list := make([]SavedSettings, len(p.Items))
	for i, it := range p.Items {
		var v savedSettings
		if err := json.Unmarshal(it.Data, &v); err != nil {
			return nil, fmt.Errorf("version %s of settings: %w", it.SK, err)
		}
		list[i] = SavedSettings{v.Version, v.At, v.By, v.Settings}
	}
	return list, nil
}

// Connection reads one connection, and in the same read what is noted beside it under these names (see [Progress]);
// ErrNotFound if there is none.
func (s *Store) Connection(ctx context.Context, tenant string, sys System, progress ...string) (Connection, error) {
	keys := []table.Key{connKey(tenant, sys)}
	for _, name := range progress {
		keys = append(keys, progressKey(tenant, sys, name))
	}
	items, err := s.table.Get(ctx, keys...)
	if err != nil {
		return Connection{}, fmt.Errorf("connection %s: %w", sys, err)
	}
	if len(items) == 0 || items[0].Key != keys[0] {
		return connectionOf(table.Item{Key: keys[0]})
	}
	c, err := connectionOf(items[0])
	for _, it := range items[1:] {
		c.add(it)
	}
	return c, err
}

// Connections reads one system's connections of many tenants, by tenant.
func (s *Store) Connections(ctx context.Context, tenants []string, sys System) (map[string]Connection, error) {
	bundles, err := s.ConnectionsOf(ctx, tenants, sys)
	found := map[string]Connection{}
	for id, b := range bundles {
		found[id] = b.Connections[sys]
	}
	return found, err
}

// ConnectionsOf reads the connections of many tenants to some systems, as many at once as the table takes: by tenant,
// bundles that hold these alone. A tenant that has none of them is left out.
func (s *Store) ConnectionsOf(ctx context.Context, tenants []string, systems ...System) (map[string]Bundle, error) {
	var keys []table.Key
	for _, t := range tenants {
		for _, sys := range systems {
			keys = append(keys, connKey(t, sys))
		}
	}
	items, err := table.ReadAll(ctx, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("connections of %d tenants: %w", len(tenants), err)
	}
	found := map[string]Bundle{}
	for _, it := range items {
		c, err := connectionOf(it)
		if err != nil {
			return nil, err
		}
		if c.State == NeedsReconnecting && it.Group == "" { // an earlier version listed none
			_, _ = s.Update(ctx, c.Tenant, c.System, func(*Connection) error { return nil })
		}
		if found[c.Tenant].Connections == nil {
			found[c.Tenant] = Bundle{Connections: map[System]Connection{}}
		}
		found[c.Tenant].Connections[c.System] = c
	}
	return found, nil
}

func connKey(tenant string, sys System) table.Key {
	return table.Key{PK: Partition(tenant), SK: "conn#" + string(sys)}
}

const resumeIndex = "RESUME"

func (c *Connection) item() (table.Item, error) {
	earlier := c.earlier
	k := connKey(c.Tenant, c.System)
	it, err := item(k.PK, k.SK, storedConnection{*c, earlier["mirror"], earlier["webhooks"], earlier["checked"]})
	it.Rev = c.rev
	if !c.Resume.IsZero() {
		it.Index, it.Sort = resumeIndex, c.Tenant+"#"+string(c.System)
	}
	if c.State == NeedsReconnecting {
		it.Group, it.Order = brokenGroup, c.broken().String()
	}
	return it, err
}

// Update changes a connection, on a fresh copy as often as others change it
// meanwhile. An error of change ends it and is returned.
func (s *Store) Update(
	ctx context.Context, tenant string, sys System, change func(*Connection) error,
) (Connection, error) {
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

// owner is whose a webhook URL is, or an account that one tenant alone may use.
type owner struct {
	Tenant string `json:"tenant"`
	System System `json:"system,omitempty"`
}

func (s *Store) lookup(ctx context.Context, k table.Key) (owner, error) {
	var o owner
	it, err := table.Read(ctx, s.table, k)
	if err != nil {
		return o, err
	}
	if it.Rev == "" {
		return o, ErrNotFound
	}
	return o, json.Unmarshal(it.Data, &o)
}

// URLTokenOwner is whose webhook URL ends in this token; ErrNotFound if nobody's.
func (s *Store) URLTokenOwner(ctx context.Context, token string) (tenant string, sys System, err error) {
	o, err := s.lookup(ctx, urlTokenKey(Secret(token)))
	return o.Tenant, o.System, err
}

// maxOwners bounds how many tokens a process remembers.
const maxOwners = 1000

// remembered is the owner of a URL token. Whose one is never changes, so a process reads it once.
func (s *Store) remembered(ctx context.Context, token string) (owner, error) {
	key := hashed(token)
	s.mu.Lock()
	o, known := s.owners[key]
	s.mu.Unlock()
	if known {
		return o, nil
	}
	o, err := s.lookup(ctx, urlTokenKey(Secret(token)))
	if err != nil {
		return o, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.owners) >= maxOwners {
		s.owners = map[string]owner{}
	}
	s.owners[key] = o
	return o, nil
}

// ConnectionByURLToken is the connection whose webhook URL ends in this token, with its secrets; ErrNotFound if
// nobody's does. That the token is still in use, the secrets tell. The connection is read together with what is noted
// beside it under these names.
func (s *Store) ConnectionByURLToken(
	ctx context.Context, token string, progress ...string,
) (Connection, Secrets, error) {
	owner, err := s.remembered(ctx, token)
	if err != nil {
		return Connection{}, Secrets{}, err
	}
	c, err := s.Connection(ctx, owner.Tenant, owner.System, progress...)
	if err != nil {
		return c, Secrets{}, err
	}
	sec, err := s.Secrets(ctx, c)
	if err == nil && subtle.ConstantTimeCompare([]byte(sec.URLToken), []byte(token)) == 0 {
		return Connection{}, Secrets{}, fmt.Errorf("webhook URL: %w", ErrNotFound)
	}
	return c, sec, err
}

// Secrets opens what a connection keeps sealed.
func (s *Store) Secrets(ctx context.Context, c Connection) (Secrets, error) {
	var v Secrets
	plain, err := s.seal.Open(ctx, c.Tenant, string(c.System), c.Sealed)
	if err != nil {
		return v, fmt.Errorf("open secrets of %s: %w", c.System, err)
	}
	var w clear
	if err := json.Unmarshal(plain, &w); err != nil {
		return v, fmt.Errorf("open secrets of %s: %w", c.System, err)
	}
	v = Secrets{Key: Secret(w.Key), User: w.User, WebhookSecret: Secret(w.WebhookSecret), URLToken: Secret(w.URLToken)}
	for _, r := range w.Replaced {
		v.Replaced = append(v.Replaced, Replaced{Secret(r.Secret), r.Until})
	}
	return v, nil
}

// clear is Secrets as it is sealed: there alone they are written out.
type clear struct {
	Key, User     string
	WebhookSecret string `json:"Webhook"`
	URLToken      string `json:"Hook"`
	Replaced      []clearReplaced
}

type clearReplaced struct {
	Secret string
	Until  time.Time
}

// Sealed seals a tenant's secrets of a system.
func (s *Store) Sealed(ctx context.Context, tenant string, sys System, v Secrets) ([]byte, error) {
	c := clear{Key: string(v.Key), User: v.User, WebhookSecret: string(v.WebhookSecret), URLToken: string(v.URLToken)}
	for _, r := range v.Replaced {
		c.Replaced = append(c.Replaced, clearReplaced{string(r.Secret), r.Until})
	}
	plain, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	return s.seal.Seal(ctx, tenant, string(sys), plain)
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
