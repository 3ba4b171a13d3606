package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/table"
)

// Progress names what jobs note beside a connection and go on from, as how far a list is read. What is noted under one
// name has one type, and is an item of its own with a revision of its own: a job that notes how far it is does not
// collide with a person who saves a key.
//
// A note is of one epoch of the connection (see [Connection.epoch]). Beside a connection that was taken away since, or
// is to another account by now, it counts for nothing and is written over; whoever connects does not touch it.
type Progress[T any] string

// Of returns what is noted beside a connection that was read together with its progress, as [Store.Load] reads it; the
// zero T where nothing is, or nothing that can be read.
func (p Progress[T]) Of(c Connection) T {
	var v, none T
	note := c.earlier[string(p)]
	if it, ok := c.progress[string(p)]; ok {
		var n noted
		if json.Unmarshal(it.Data, &n) == nil && n.Epoch == c.epoch() {
			note = n.Note
		}
	}
	if len(note) == 0 || json.Unmarshal(note, &v) != nil {
		return none
	}
	return v
}

// Change changes what is noted beside a connection, on a fresh copy of both as often as others note something under
// the same name meanwhile, and returns it. An error of change ends it and is returned; ErrNotFound where there is no
// such connection.
func (p Progress[T]) Change(
	ctx context.Context, s *Store, tenant string, sys System, change func(Connection, *T) error, with ...With[T],
) (T, error) {
	var v T
	err := table.RetryOnConflict(ctx, func() error {
		c, err := s.Connection(ctx, tenant, sys, string(p))
		if err != nil {
			return err
		}
		v = p.Of(c)
		if err := change(c, &v); err != nil {
			return err
		}
		it, err := c.note(string(p), v)
		if err != nil {
			return err
		}
		more, err := beside(v, with)
		if err != nil {
			return err
		}
		return s.table.Write(ctx, append(Ops{table.Save(it)}, more...)...)
	})
	if errors.Is(err, table.ErrConflict) {
		err = fmt.Errorf("progress %s of %s: %w", string(p), sys, ErrChanged)
	}
	return v, err
}

// noted is the data of an item of progress.
type noted struct {
	Epoch string          `json:"epoch"`
	Note  json.RawMessage `json:"note"`
}

// note is the item that notes a value under a name, over the one that was read.
func (c *Connection) note(name string, v any) (table.Item, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return table.Item{}, err
	}
	k := progressKey(c.Tenant, c.System, name)
	it, err := item(k.PK, k.SK, noted{c.epoch(), data})
	it.Rev = c.progress[name].Rev
	return it, err
}

// epoch changes when a connection is made, also once more to the same account, and when its account changes. A new key
// does not change it.
func (c *Connection) epoch() string { return c.Since.UTC().Format(time.RFC3339) + " " + c.Account }

func progressKey(tenant string, sys System, name string) table.Key {
	return table.Key{PK: Partition(tenant), SK: "progress#" + string(sys) + "#" + name}
}

// add keeps an item of progress with the connection that it is beside.
func (c *Connection) add(it table.Item) {
	_, name, _ := strings.Cut(strings.TrimPrefix(it.SK, "progress#"), "#")
	if c.progress == nil {
		c.progress = map[string]table.Item{}
	}
	c.progress[name] = it
}

// storedConnection is the data of a connection's item. Up to December 2026 the item held the connection's progress too.
// That stays as it was read until the account changes, and counts while there is no item of that progress.
type storedConnection struct {
	Connection
	Mirror   json.RawMessage `json:"mirror,omitempty"`
	Webhooks json.RawMessage `json:"webhooks,omitempty"`
	Checked  json.RawMessage `json:"checked,omitempty"`
}
