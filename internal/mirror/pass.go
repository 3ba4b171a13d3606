package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// passes is the partition of what belongs to the passes of a tenant.
func passes(tenantID string) string { return tenant.Partition(tenantID) + "#mirror" }

// ChangeBooks changes the books of a tenant, which package tenant loads with the tenant. It calls change with what is
// there (the zero T where nothing is, or nothing that can be read), and again if others write them meanwhile. It
// returns them as they are then.
func ChangeBooks[T any](ctx context.Context, s *Store, tenantID string, change func(*T)) (books T, err error) {
	k := table.Key{PK: tenant.Partition(tenantID), SK: "books"}
	read, err := table.Read(ctx, s.table, k)
	if err != nil {
		return books, fmt.Errorf("read books: %w", err)
	}
	_, err = table.Change(ctx, s.table, read, func(it table.Item) ([]table.Op, error) {
		books = *new(T)
		if ReadBooks(it.Data, &books) != nil {
			books = *new(T)
		}
		change(&books)
		data, err := table.Marshal(books)
		if err != nil || it.Rev != "" && bytes.Equal(it.Data, data) {
			return nil, err
		}
		it.Data = data
		return []table.Op{table.Save(it)}, nil
	})
	if err != nil {
		return books, fmt.Errorf("write books: %w", err)
	}
	return books, nil
}

// ReadBooks reads into books what ChangeBooks wrote, as tenant.Bundle has it. Where there is nothing yet, books stays
// as it is.
func ReadBooks(data []byte, books any) error {
	if len(data) == 0 {
		return nil
	}
	return table.Unmarshal(data, books)
}

// State is how far the copy of a connection's reference data is.
type State struct {
	State   string    `json:"state"`             // reading, ready; "" = no pass has begun
	Step    string    `json:"step,omitempty"`    // what is being read
	Page    int       `json:"page,omitempty"`    // next page of Step
	Read    int       `json:"read,omitempty"`    // records so far
	Total   int       `json:"total,omitempty"`   // of the step, as the vendor says
	Ready   time.Time `json:"ready,omitzero"`    // last complete pass
	Started time.Time `json:"started,omitzero"`  // of the running pass
	Problem string    `json:"problem,omitempty"` // why it does not get on
	// Fold is by which way of folding names its rows are found; negative: the running pass brings them to it.
	Fold int `json:"fold,omitempty"`
	// Rows is which rows of a record the last complete pass wrote, as Pass.Rows says; negative: the running pass does.
	Rows int `json:"rows,omitempty"`
	// Of the step: how many pages are noted as seen, those of its first reading, if the second one is under way (0 =
	// the first is), and into how many parts a usual page is divided (0 = it is not).
	Noted   int `json:"noted,omitempty"`
	First   int `json:"first,omitempty"`
	Divided int `json:"divided,omitempty"`
}

// The states of a mirror.
const (
	Reading = "reading"
	Ready   = "ready"
)

// IsReady reports whether a pass has read all of it.
func (s State) IsReady() bool { return s.State == Ready }

// Progress is a connection's State, as it is noted beside the connection.
const Progress tenant.Progress[State] = "mirror"

// seenFor is how long a pass may take before what it has seen is forgotten.
const seenFor = 48 * time.Hour

func seenKey(tenantID, kind string, pass time.Time, page int) table.Key {
	return table.Key{PK: passes(tenantID), SK: fmt.Sprintf("seen#%s#%d#%06d", kind, pass.Unix(), page)}
}

// SaveSeen keeps for two days what one page of a pass held, 400 KB at most, for whoever has read its last page. A
// reading that is no Pass gives a name of its own in place of a kind.
func (s *Store) SaveSeen(ctx context.Context, tenantID, kind string, pass time.Time, page int, data []byte) error {
	forgotten := pass.Add(seenFor).Truncate(time.Second)
	it := table.Item{Key: seenKey(tenantID, kind, pass, page), Data: data, Expires: forgotten}
	if err := s.table.Write(ctx, table.Put(it)); err != nil {
		return fmt.Errorf("write what page %d of %s held: %w", page, kind, err)
	}
	return nil
}

// Seen reads what SaveSeen kept of the pages from one to another; whole reports whether none is missing.
func (s *Store) Seen(
	ctx context.Context, tenantID, kind string, pass time.Time, from, to int,
) (data [][]byte, whole bool, err error) {
	var keys []table.Key
	for page := from; page <= to; page++ {
		keys = append(keys, seenKey(tenantID, kind, pass, page))
	}
	items, err := s.get(ctx, keys)
	for _, it := range items {
		data = append(data, it.Data)
	}
	return data, len(data) == len(keys), err
}

// turn keeps mirror jobs of one connection from reading side by side, which is
// harmless but wastes calls.
type turn struct {
	Until    time.Time `json:"until"`
	Failures int       `json:"failures,omitempty"` // in a row, to space the attempts
}

func turnKey(tenantID, name string) table.Key {
	return table.Key{PK: passes(tenantID), SK: "turn#" + name}
}

// takeTurn takes the turn until a time, unless somebody else has it.
func (s *Store) takeTurn(
	ctx context.Context, tenantID, name string, now, until time.Time,
) (t turn, mine bool, err error) {
	old, err := table.Read(ctx, s.table, turnKey(tenantID, name))
	if err != nil {
		return t, false, fmt.Errorf("take turn: %w", err)
	}
	if old.Rev != "" {
		if err := json.Unmarshal(old.Data, &t); err != nil {
			return t, false, fmt.Errorf("take turn: %w", err)
		}
		if t.Until.After(now) {
			return t, false, nil
		}
	}
	t.Until = until.UTC()
	it, err := turnItem(tenantID, name, t)
	if err != nil {
		return t, false, err
	}
	it.Rev = old.Rev
	err = s.table.Write(ctx, table.Save(it))
	if errors.Is(err, table.ErrConflict) {
		return t, false, nil
	}
	if err != nil {
		return t, false, fmt.Errorf("take turn: %w", err)
	}
	return t, true, nil
}

// saveTurn lengthens a turn, or gives it back with Until in the past.
func (s *Store) saveTurn(ctx context.Context, tenantID, name string, t turn) error {
	it, err := turnItem(tenantID, name, t)
	if err == nil {
		err = s.table.Write(ctx, table.Put(it))
	}
	if err != nil {
		return fmt.Errorf("write turn: %w", err)
	}
	return nil
}

func turnItem(tenantID, name string, t turn) (table.Item, error) {
	data, err := json.Marshal(t)
	forgotten := t.Until.Add(seenFor).Truncate(time.Second)
	return table.Item{Key: turnKey(tenantID, name), Data: data, Expires: forgotten}, err
}

// Erase removes the rows and names of these kinds that a tenant has, and what its passes noted.
func (s *Store) Erase(ctx context.Context, tenantID string, kinds ...string) error {
	parts := []string{passes(tenantID)}
	for _, kind := range kinds {
		for shard := range uint32(shards) {
			parts = append(parts, partition(tenantID, kind, shard))
		}
	}
	for _, pk := range parts {
		if err := table.Erase(ctx, s.table, pk, nil); err != nil {
			return fmt.Errorf("erase the mirror: %w", err)
		}
	}
	return nil
}
