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

// Pause is a flow of a tenant that a person has stopped until a person has it go on. Which flows there are, their pairs
// know.
type Pause struct {
	Flow  string    `json:"-"`
	By    string    `json:"by"` // who paused it
	Since time.Time `json:"since"`
}

func pauseKey(tenant, flow string) table.Key {
	return table.Key{PK: Partition(tenant), SK: "pause#" + flow}
}

// pauseOf reads a pause as it is stored.
func pauseOf(it table.Item) (Pause, error) {
	p := Pause{Flow: strings.TrimPrefix(it.SK, "pause#")}
	if err := json.Unmarshal(it.Data, &p); err != nil {
		return p, fmt.Errorf("pause: %w", err)
	}
	return p, nil
}

// Pause pauses a flow. One that is paused already stays as it is, with who paused it.
func (s *Store) Pause(ctx context.Context, tenant string, p Pause, with ...With[Pause]) error {
	p.Since = time.Now().UTC().Truncate(time.Second)
	it, err := item(pauseKey(tenant, p.Flow).PK, pauseKey(tenant, p.Flow).SK, p)
	if err != nil {
		return err
	}
	more, err := beside(p, with)
	if err != nil {
		return err
	}
	err = s.table.Write(ctx, append(Ops{table.Create(it)}, more...)...)
	if errors.Is(err, table.ErrConflict) {
		return nil
	}
	return err
}

// Unpause ends a flow's pause. Where it is not paused, nothing is done.
func (s *Store) Unpause(ctx context.Context, tenant, flow string, with ...With[Pause]) error {
	it, err := table.Read(ctx, s.table, pauseKey(tenant, flow))
	if err != nil || it.Rev == "" {
		return err
	}
	p, err := pauseOf(it)
	if err != nil {
		return err
	}
	more, err := beside(p, with)
	if err != nil {
		return err
	}
	err = s.table.Write(ctx, append(Ops{table.Remove(it)}, more...)...)
	if errors.Is(err, table.ErrConflict) { // somebody else ended it
		return nil
	}
	return err
}

// Paused reports whether a flow is paused, and returns what makes other operations of a write conditional on its
// staying so.
func (s *Store) Paused(ctx context.Context, tenant, flow string) (paused bool, still table.Op, err error) {
	it, err := table.Read(ctx, s.table, pauseKey(tenant, flow))
	return it.Rev != "", table.Check(it), err
}
