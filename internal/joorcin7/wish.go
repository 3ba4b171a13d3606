package joorcin7

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// What people want sent is on record until it is done, and what must not go by itself until somebody wants it sent:
//
//	T#<tenant>#joor#wishes  <account>⇥<kind>⇥<time>#<random>  ids that somebody wants uploaded or updated
//	T#<tenant>#joor#kept    <account>⇥<id>                    a contact that does not go to JOOR by itself, and why
//	T#<tenant>#joor#unsure  <random>                          the lists may not show what somebody is writing

// wish is some contacts that somebody wants sent.
type wish struct {
	IDs []string  `json:"ids"`
	By  string    `json:"by,omitempty"`
	At  time.Time `json:"at"`

	kind string
	item table.Item
}

// wishedAtOnce is how many ids an item of a wish has.
const wishedAtOnce = 5000

func (p *Pair) wishes(tenantID string) string { return tenant.Partition(tenantID) + "#joor#wishes" }

// wish keeps what somebody wants sent.
func (p *Pair) wish(ctx context.Context, b tenant.Bundle, kind string, ids []string) error {
	at := p.Now().UTC()
	for some := range slices.Chunk(ids, wishedAtOnce) {
		data, err := table.Marshal(wish{IDs: some, By: ledger.ActorOf(ctx), At: at})
		if err != nil {
			return err
		}
		key := table.Key{PK: p.wishes(b.Tenant.ID), SK: fmt.Sprintf("%s\t%s\t%s#%s", accountOf(b), kind,
			at.Format("2006-01-02T15:04:05.000"), strings.ToLower(rand.Text()[:10]))}
		if err := p.table.Write(ctx, table.Create(table.Item{Key: key, Data: data})); err != nil {
			return fmt.Errorf("keep what is to be sent: %w", err)
		}
	}
	return nil
}

// wished reads what is wanted and not done yet, of an account.
func (p *Pair) wished(ctx context.Context, b tenant.Bundle) (all []wish, err error) {
	q := table.Query{PK: p.wishes(b.Tenant.ID), From: accountOf(b) + "\t", Until: accountOf(b) + "\n", Limit: 10}
	for it, err := range table.QueryAll(ctx, p.table, q) {
		var w wish
		if err == nil {
			err = table.Unmarshal(it.Data, &w)
		}
		if err != nil {
			return nil, fmt.Errorf("read what is to be sent: %w", err)
		}
		w.item = it
		_, rest, _ := strings.Cut(it.SK, "\t")
		w.kind, _, _ = strings.Cut(rest, "\t")
		all = append(all, w)
	}
	return all, nil
}

// wanted are the contacts of wishes, by the kind of the wish.
type wanted map[string]map[string]bool

func wantedOf(wishes []wish) wanted {
	w := wanted{JobUpload: {}, JobUpdate: {}}
	for _, wish := range wishes {
		for _, id := range wish.IDs {
			if of := w[wish.kind]; of != nil {
				of[id] = true
			}
		}
	}
	return w
}

// granted forgets wishes that are done.
func (p *Pair) granted(ctx context.Context, wishes []wish) error {
	for _, w := range wishes {
		if err := p.table.Write(ctx, table.Remove(table.Item{Key: w.item.Key, Rev: w.item.Rev})); err != nil {
			return fmt.Errorf("forget what was sent: %w", err)
		}
	}
	return nil
}

// kept is why a contact does not go to JOOR by itself.
type kept struct {
	Why string    `json:"why"` // a sentence
	By  string    `json:"by,omitempty"`
	At  time.Time `json:"at"`
}

func (p *Pair) keptPartition(tenantID string) string {
	return tenant.Partition(tenantID) + "#joor#kept"
}

func (p *Pair) keptKey(b tenant.Bundle, id string) table.Key {
	return table.Key{PK: p.keptPartition(b.Tenant.ID), SK: accountOf(b) + "\t" + id}
}

// keepBack has a contact not go to JOOR by itself.
func (p *Pair) keepBack(ctx context.Context, b tenant.Bundle, id, why string) error {
	data, err := table.Marshal(kept{Why: why, By: ledger.ActorOf(ctx), At: p.Now().UTC()})
	if err != nil {
		return err
	}
	return p.table.Write(ctx, table.Put(table.Item{Key: p.keptKey(b, id), Data: data}))
}

// keptBack are the contacts that do not go by themselves.
func (p *Pair) keptBack(ctx context.Context, b tenant.Bundle) (map[string]kept, error) {
	all := map[string]kept{}
	prefix := accountOf(b) + "\t"
	q := table.Query{PK: p.keptPartition(b.Tenant.ID), From: prefix, Until: accountOf(b) + "\n"}
	for it, err := range table.QueryAll(ctx, p.table, q) {
		var k kept
		if err == nil {
			err = table.Unmarshal(it.Data, &k)
		}
		if err != nil {
			return nil, fmt.Errorf("read what does not go by itself: %w", err)
		}
		all[strings.TrimPrefix(it.SK, prefix)] = k
	}
	return all, nil
}
