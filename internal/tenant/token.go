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

// A token is two items: TOKEN#<sha256 of the token>, which opens, and T#<tenant>#tokens, <id>, which lists it.

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
}

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

func tokenList(tenant string) string { return Partition(tenant) + "#tokens" }

// newToken makes a token and the items that hold it.
func newToken(tenant string, t Token) (Token, Secret, []table.Op, error) {
	secret := "sb_" + rand.Text()
	hash := hashed(secret)
	t.ID, t.Created = strings.ToLower(rand.Text()[:tokenID]), time.Now().UTC().Truncate(time.Second)
	opens, err := item(tokenKey(hash).PK, tokenKey(hash).SK, opening{t, tenant})
	if err != nil {
		return t, "", nil, err
	}
	listed, err := item(tokenList(tenant), t.ID, listedToken{t, hash})
	return t, Secret(secret), []table.Op{table.Create(opens), table.Create(listed)}, err
}

// NewToken makes an API token for a tenant. What t says of ID and Created is not heeded. FieldErrors where it makes no sense.
func (s *Store) NewToken(ctx context.Context, tenant string, t Token, with ...With[Token]) (Token, Secret, error) {
	var errs FieldErrors
	if t.Name = strings.TrimSpace(t.Name); len([]rune(t.Name)) > 100 || strings.ContainsFunc(t.Name, func(r rune) bool { return r < ' ' }) {
		errs = append(errs, FieldError{Field: "name", Message: "Give the token a name of at most 100 characters, in one line."})
	}
	if t.Role == "" {
		t.Role = Admin
	}
	if t.Role != Admin && t.Role != Viewer {
		errs = append(errs, FieldError{Field: "role", Message: "Use one of: admin, viewer."})
	}
	if !t.Expires.IsZero() && !t.Expires.After(time.Now()) {
		errs = append(errs, FieldError{Field: "expires", Message: "This is not in the future."})
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
	return made, secret, err
}

// Bearer is whose API token this is, and which; ErrNotFound where it is none, was revoked, or has expired.
func (s *Store) Bearer(ctx context.Context, secret string) (tenant string, t Token, err error) {
	hash := hashed(secret)
	it, err := table.Read(ctx, s.table, tokenKey(hash))
	if err != nil {
		return "", t, err
	}
	if it.Rev == "" {
		return "", t, ErrNotFound
	}
	var o opening
	if err := json.Unmarshal(it.Data, &o); err != nil {
		return "", t, fmt.Errorf("token: %w", err)
	}
	if !o.Expires.IsZero() && !time.Now().Before(o.Expires) {
		return "", t, ErrNotFound
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
	return o.Tenant, o.Token, nil
}

// TokenTenant is the tenant whose API token this is, else ErrNotFound.
func (s *Store) TokenTenant(ctx context.Context, secret string) (string, error) {
	tenant, _, err := s.Bearer(ctx, secret)
	return tenant, err
}

// IsTokensAfter reports whether a page of Tokens may have ended with this.
func IsTokensAfter(s string) bool { return len(s) == tokenID && plain(s) }

// Tokens reads one page of a tenant's tokens, those that have expired too.
func (s *Store) Tokens(ctx context.Context, tenant, after string, limit int) (list []Token, next string, err error) {
	p, err := s.table.Query(ctx, table.Query{PK: tokenList(tenant), After: after, Limit: limit})
	if err != nil {
		return nil, "", fmt.Errorf("list tokens: %w", err)
	}
	for _, it := range p.Items {
		var l listedToken
		if err := json.Unmarshal(it.Data, &l); err != nil {
			return nil, "", fmt.Errorf("token %s: %w", it.SK, err)
		}
		list = append(list, l.Token)
	}
	return list, p.Next, nil
}

// Revoke ends a token at once; ErrNotFound where the tenant has none of that id.
func (s *Store) Revoke(ctx context.Context, tenant, id string, with ...With[Token]) (Token, error) {
	listed, err := table.Read(ctx, s.table, table.Key{PK: tokenList(tenant), SK: id})
	if err != nil {
		return Token{}, err
	}
	if listed.Rev == "" {
		return Token{}, ErrNotFound
	}
	var l listedToken
	if err := json.Unmarshal(listed.Data, &l); err != nil {
		return Token{}, fmt.Errorf("token %s: %w", id, err)
	}
	ops := []table.Op{table.Remove(listed)}
	opens, err := table.Read(ctx, s.table, tokenKey(l.Hash))
	if err != nil {
		return Token{}, err
	}
	if opens.Rev != "" {
		ops = append(ops, table.Remove(opens))
	}
	more, err := beside(l.Token, with)
	if err != nil {
		return Token{}, err
	}
	err = s.table.Write(ctx, append(ops, more...)...)
	if errors.Is(err, table.ErrConflict) { // somebody else revokes it
		return Token{}, ErrNotFound
	}
	return l.Token, err
}
