package tenant

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/table"
)

// A token is two items: TOKEN#<sha256 of the token>, which opens and knows when it was last used, and
// T#<tenant>#tokens, <id>, which lists it. One that is revoked leaves a note under its hash for a while, so that who
// still sends it is told why it opens nothing.

// Errors of Bearer, each of them an ErrNotFound too.
var (
	ErrExpired = fmt.Errorf("expired: %w", ErrNotFound)
	ErrRevoked = fmt.Errorf("revoked: %w", ErrNotFound)
)

// ErrMade is the error of NewToken where the tenant has a token of that ID already.
var ErrMade = errors.New("made already")

// Role is what a token may do.
type Role string

// The roles.
const (
	Admin  Role = "admin"
	Viewer Role = "viewer" // reads only
)

// Token is an API token of a tenant, without itself: only its hash is kept.
type Token struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Role    Role      `json:"role"`
	Created time.Time `json:"created,omitzero"` // zero: before tokens were listed
	Expires time.Time `json:"expires,omitzero"` // zero: never
	By      string    `json:"by,omitempty"`     // who made it
	Used    time.Time `json:"used,omitzero"`    // last, up to usedEvery earlier; zero: not yet
}

// Ended reports whether a token is good no more, as its time is over.
func (t Token) Ended(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// usedEvery is how old the note of a token's last use may be before it is written anew.
const usedEvery = 5 * time.Minute

// revokedFor is how long it is known of a token that it was revoked.
const revokedFor = 90 * 24 * time.Hour

// listedToken is a Token as it is stored in the list.
type listedToken struct {
	Token
	Hash string `json:"hash"`
}

// opening is a Token as it is stored where it opens; those of older versions name their tenant alone.
type opening struct {
	Token
	Tenant string `json:"tenant"`
}

// tokenID is how many letters and digits a token's id has.
const tokenID = 12

func tokenKey(hash string) table.Key { return table.Key{PK: "TOKEN#" + hash, SK: "token"} }

func revokedKey(hash string) table.Key { return table.Key{PK: "TOKEN#" + hash, SK: "revoked"} }

// NewTokenID draws an id for a token that is still to be made.
func NewTokenID() string { return strings.ToLower(rand.Text()[:tokenID]) }

func tokenList(tenant string) string { return Partition(tenant) + "#tokens" }

// newToken makes a token and the items that hold it.
func newToken(tenant string, t Token) (Token, Secret, []table.Op, error) {
	secret := "sb_" + rand.Text()
	hash := hashed(secret)
	t.Created, t.Used = time.Now().UTC().Truncate(time.Second), time.Time{}
	if t.ID == "" {
		t.ID = NewTokenID()
	}
	opens, err := item(tokenKey(hash).PK, tokenKey(hash).SK, opening{t, tenant})
	if err != nil {
		return t, "", nil, err
	}
	listed, err := item(tokenList(tenant), t.ID, listedToken{t, hash})
	return t, Secret(secret), []table.Op{table.Create(opens), table.Create(listed)}, err
}

// NewToken makes an API token for a tenant. Of one ID there is one token: a form that is sent twice makes one, and the
// second gets ErrMade. Without an ID it gets one. What t says of Created and Used does not count. FieldErrors where it
// makes no sense.
func (s *Store) NewToken(ctx context.Context, tenant string, t Token, with ...With[Token]) (Token, Secret, error) {
	var errs FieldErrors
	if t.Name = strings.TrimSpace(t.Name); len([]rune(t.Name)) > 100 ||
		strings.ContainsFunc(t.Name, func(r rune) bool { return r < ' ' }) {
		errs = append(errs, FieldError{Field: "name",
			Message: "Give the token a name of at most 100 characters, in one line."})
	}
	if t.Role == "" {
		t.Role = Admin
	}
	if t.Role != Admin && t.Role != Viewer {
		errs = append(errs, FieldError{Field: "role", Message: "Use one of: admin, viewer."})
	}
	if t.Ended(time.Now()) {
		errs = append(errs, FieldError{Field: "expires", Message: "This is not in the future."})
	}
	if t.ID != "" && !IsTokenID(t.ID) {
		errs = append(errs, FieldError{Field: "id", Message: "This is not the id of a token."})
	}
	if errs != nil {
		return t, "", errs
	}
	t.Expires = t.Expires.UTC()
	made, secret, ops, err := newToken(tenant, t)
	if err != nil {
		return made, "", err
	}
	more, err := beside(made, with)
	if err == nil {
		err = s.table.Write(ctx, append(ops, more...)...)
	}
	if errors.Is(err, table.ErrConflict) {
		return made, "", ErrMade
	}
	return made, secret, err
}

// Bearer is whose API token this is, and which; ErrNotFound where it is none, ErrRevoked or ErrExpired where it was
// one. It is found by its hash: how long that takes says nothing of other tokens.
func (s *Store) Bearer(ctx context.Context, secret string) (tenant string, t Token, err error) {
	hash := hashed(secret)
	it, err := table.Read(ctx, s.table, tokenKey(hash))
	if err != nil {
		return "", t, err
	}
	if it.Rev == "" {
		note, err := table.Read(ctx, s.table, revokedKey(hash))
		if err == nil {
			err = ErrNotFound
		}
		if note.Rev != "" {
			err = ErrRevoked
		}
		return "", t, err
	}
	var o opening
	if err := json.Unmarshal(it.Data, &o); err != nil {
		return "", t, fmt.Errorf("token: %w", err)
	}
	now := time.Now()
	if o.Ended(now) {
		return "", t, ErrExpired
	}
	if o.ID == "" {
		// From before tokens were listed: it gets its place in the list when it is used.
		o.Token = Token{ID: hash[:tokenID], Role: Admin}
		listed, err := item(tokenList(o.Tenant), o.ID, listedToken{o.Token, hash})
		if err == nil {
			err = s.table.Write(ctx, table.Create(listed))
		}
		if err != nil && !errors.Is(err, table.ErrConflict) {
			return "", t, err
		}
	}
	if now.Sub(o.Used) >= usedEvery {
		s.noteUse(ctx, it, o, now)
	}
	return o.Tenant, o.Token, nil
}

// noteUse notes when a token was used, as best it can: if it fails, the next use is noted. A token that is revoked in
// this moment does not come back, as the item must be as it was read.
func (s *Store) noteUse(ctx context.Context, it table.Item, o opening, now time.Time) {
	o.Used = now.UTC().Truncate(time.Second)
	used, err := item(it.PK, it.SK, o)
	if err == nil {
		used.Rev = it.Rev
		_ = s.table.Write(ctx, table.Replace(used))
	}
}

// TokenTenant is the tenant whose API token this is, else ErrNotFound.
func (s *Store) TokenTenant(ctx context.Context, secret string) (string, error) {
	tenant, _, err := s.Bearer(ctx, secret)
	return tenant, err
}

// IsTokenID reports whether a text may be the id of a token, with which a page of Tokens may have ended.
func IsTokenID(s string) bool { return len(s) == tokenID && plain(s) }

// Tokens reads one page of a tenant's tokens, those that have expired too.
func (s *Store) Tokens(ctx context.Context, tenant, after string, limit int) (list []Token, next string, err error) {
	p, err := s.table.Query(ctx, table.Query{PK: tokenList(tenant), After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list tokens: %w", err)
	}
	keys := make([]table.Key, len(p.Items))
	for i, it := range p.Items {
		var l listedToken
		if err := json.Unmarshal(it.Data, &l); err != nil {
			return nil, "", fmt.Errorf("token %s: %w", it.SK, err)
		}
		list, keys[i] = append(list, l.Token), tokenKey(l.Hash)
	}
	opens, err := table.ReadAll(ctx, s.table, keys)
	if err != nil {
		return nil, "", fmt.Errorf("list tokens: %w", err)
	}
	used := map[string]time.Time{}
	for _, it := range opens {
		var o opening
		if err := json.Unmarshal(it.Data, &o); err != nil {
			return nil, "", fmt.Errorf("token: %w", err)
		}
		used[o.ID] = o.Used
	}
	for i := range list {
		list[i].Used = used[list[i].ID]
	}
	return list, p.Next, nil
}

// TokenNamed is a tenant's token of an id; ErrNotFound where it has none.
func (s *Store) TokenNamed(ctx context.Context, tenant, id string) (Token, error) {
	_, l, err := s.listed(ctx, tenant, id)
	return l.Token, err
}

// listed reads a token's place in its tenant's list.
func (s *Store) listed(ctx context.Context, tenant, id string) (table.Item, listedToken, error) {
	var l listedToken
	it, err := table.Read(ctx, s.table, table.Key{PK: tokenList(tenant), SK: id})
	if err != nil {
		return it, l, err
	}
	if it.Rev == "" {
		return it, l, ErrNotFound
	}
	if err := json.Unmarshal(it.Data, &l); err != nil {
		return it, l, fmt.Errorf("token %s: %w", id, err)
	}
	return it, l, nil
}

// Revoke ends a token at once; ErrNotFound where the tenant has none of that id.
func (s *Store) Revoke(ctx context.Context, tenant, id string, with ...With[Token]) (revoked Token, err error) {
	err = table.RetryOnConflict(ctx, func() error { // its use may be noted meanwhile
		listed, l, err := s.listed(ctx, tenant, id)
		if err != nil {
			return err
		}
		opens, err := table.Read(ctx, s.table, tokenKey(l.Hash))
		if err != nil {
			return err
		}
		note := table.Item{Key: revokedKey(l.Hash), Data: []byte("{}"), Expires: time.Now().Add(revokedFor)}
		ops := []table.Op{table.Remove(listed), table.Put(note)}
		if opens.Rev != "" {
			ops = append(ops, table.Remove(opens))
		}
		more, err := beside(l.Token, with)
		if err != nil {
			return err
		}
		revoked = l.Token
		return s.table.Write(ctx, append(ops, more...)...)
	})
	return revoked, err
}
