package tenant

import (
	"context"
	"errors"
	"fmt"

	"stockbridge/internal/table"
)

// Who has an account connected stands in ACCOUNT#<system>#<sha256 of the account>, an item a tenant. It is a hint, kept
// beside the connections: what it says is compared with them.

func holderKey(sys System, account, tenant string) table.Key {
	return table.Key{PK: holdersOf(sys, hashed(account)), SK: tenant}
}

// holdersOf is the partition of the tenants who have an account connected whose name has this hash.
func holdersOf(sys System, hash string) string { return "ACCOUNT#" + string(sys) + "#" + hash }

// Hold notes that a tenant has an account connected, as best it can: what fails is noted the next time.
func (s *Store) Hold(ctx context.Context, c Connection) {
	if c.Account == "" {
		return
	}
	key := holderKey(c.System, c.Account, c.Tenant)
	if it, err := table.Read(ctx, s.table, key); err != nil || it.Rev != "" {
		return
	}
	_ = s.table.Write(ctx, table.Create(table.Item{Key: key, Data: []byte("{}")}))
}

// Release notes that a tenant has an account connected no more.
func (s *Store) Release(ctx context.Context, c Connection) {
	it, err := table.Read(ctx, s.table, holderKey(c.System, c.Account, c.Tenant))
	if err != nil || it.Rev == "" {
		return
	}
	_ = s.table.Write(ctx, table.Remove(it))
}

// HoldersOf are tenants that may have an account connected whose name has this hash, at most so many.
func (s *Store) HoldersOf(ctx context.Context, sys System, hash string, most int) (ids []string, err error) {
	p, err := s.table.Query(ctx, table.Query{PK: holdersOf(sys, hash), Limit: most})
	if err != nil {
		return nil, fmt.Errorf("holders of an account at %s: %w", sys, err)
	}
	for _, it := range p.Items {
		ids = append(ids, it.SK)
	}
	return ids, nil
}

// Holders are tenants that have an account connected, at most as many as a page holds.
func (s *Store) Holders(ctx context.Context, sys System, account string) ([]string, error) {
	noted, err := s.HoldersOf(ctx, sys, hashed(account), 0)
	if err != nil {
		return nil, err
	}
	var held []string
	connections, err := s.Connections(ctx, noted, sys)
	for _, id := range noted {
		if c, ok := connections[id]; ok && c.Account == account {
			held = append(held, id)
		}
	}
	return held, err
}

// ErrSealed says that secrets cannot be opened any more: the key that they were sealed with is lost, was replaced, or
// is disabled. New ones can be saved.
var ErrSealed = errors.New("sealed with a key that is lost or disabled")
