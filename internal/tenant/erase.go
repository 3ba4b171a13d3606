package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stockbridge/internal/table"
)

func tenantKey(id string) table.Key { return table.Key{PK: Partition(id), SK: "tenant"} }

// tombstone stands where an erased tenant was: the id is nobody's again, and what still comes for it finds no tenant.
type tombstone struct {
	Erased time.Time `json:"erased"`
}

// Erase does away with a tenant, whose connections are gone: first nobody finds it any more, then its settings, tokens
// and all else that stands in its own partition go. Broken off, it is begun again and does the rest. ErrNotFound where
// there never was one; erased reports that it was erased before.
func (s *Store) Erase(ctx context.Context, id string) (erased bool, err error) {
	key := tenantKey(id)
	read, err := table.Read(ctx, s.table, key)
	if err != nil {
		return false, fmt.Errorf("erase tenant %s: %w", id, err)
	}
	if read.Rev == "" {
		return false, fmt.Errorf("tenant %q: %w", id, ErrNotFound)
	}
	if erased, err = isTombstone(read); err != nil {
		return false, err
	}
	if !erased {
		if err := s.bury(ctx, read); err != nil {
			return false, fmt.Errorf("erase tenant %s: %w", id, err)
		}
	}
	if err := s.disconnectAll(ctx, id); err != nil {
		return erased, fmt.Errorf("erase tenant %s: %w", id, err)
	}
	err = table.Erase(ctx, s.table, tokenList(id), func(it table.Item) (bool, error) {
		var l listedToken
		if err := json.Unmarshal(it.Data, &l); err != nil {
			return false, fmt.Errorf("token %s: %w", it.SK, err)
		}
		return false, table.Erase(ctx, s.table, tokenKey(l.Hash).PK, nil)
	})
	if err == nil {
		err = table.Erase(ctx, s.table, versionKey(id, 0).PK, nil)
	}
	if err == nil {
		err = table.Erase(ctx, s.table, key.PK, func(it table.Item) (bool, error) { return it.SK == key.SK, nil })
	}
	if err != nil {
		return erased, fmt.Errorf("erase tenant %s: %w", id, err)
	}
	return erased, nil
}

// Erased reports whether a tenant was erased, or half erased.
func (s *Store) Erased(ctx context.Context, id string) (bool, error) {
	it, err := table.Read(ctx, s.table, tenantKey(id))
	if err != nil || it.Rev == "" {
		return false, err
	}
	return isTombstone(it)
}

// bury puts a tombstone in a tenant's place, and takes it off the list of tenants.
func (s *Store) bury(ctx context.Context, read table.Item) error {
	data, err := json.Marshal(tombstone{time.Now().UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	var t Tenant
	if err := json.Unmarshal(read.Data, &t); err != nil {
		return err
	}
	listed, err := table.Read(ctx, s.table, table.Key{PK: listPartition(t.ID), SK: t.ID})
	if err != nil {
		return err
	}
	read.Data = data
	ops := []table.Op{table.Replace(read)}
	if listed.Rev != "" {
		ops = append(ops, table.Remove(listed))
	}
	words, err := s.storedWords(ctx, t)
	if err != nil {
		return err
	}
	for _, w := range words {
		ops = append(ops, table.Remove(w))
	}
	if err := s.table.Write(ctx, ops...); !errors.Is(err, table.ErrConflict) {
		return err
	}
	return nil // somebody else does the same
}

// disconnectAll takes away the connections that somebody saved while the tenant's others were taken away: their
// accounts and webhook URLs stand elsewhere too.
func (s *Store) disconnectAll(ctx context.Context, id string) error {
	for it, err := range table.QueryAll(ctx, s.table, table.Query{PK: Partition(id), From: "conn#", Until: "conn$"}) {
		if err != nil {
			return err
		}
		c, err := connectionOf(it)
		if err != nil {
			return err
		}
		if err := s.Disconnect(ctx, id, c.System); err != nil && !errors.Is(err, ErrNotFound) {
			return err
		}
		s.Release(ctx, c)
	}
	return nil
}

// Unerased makes other operations of a write conditional on a tenant's not being erased meanwhile; ErrNotFound where it
// was.
func (s *Store) Unerased(ctx context.Context, id string) (table.Op, error) {
	it, err := table.Read(ctx, s.table, tenantKey(id))
	if err != nil || it.Rev == "" {
		return table.Check(it), err
	}
	erased, err := isTombstone(it)
	if erased {
		err = fmt.Errorf("tenant %q: %w", id, ErrNotFound)
	}
	return table.Check(it), err
}

// isTombstone reports whether a tenant's item says that it was erased.
func isTombstone(it table.Item) (bool, error) {
	var t tombstone
	err := json.Unmarshal(it.Data, &t)
	return !t.Erased.IsZero(), err
}
