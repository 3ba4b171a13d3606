package upstockcin7

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// What is to be in Upstock is chosen: by a person, by a setting, or as it was there already. What people ask for is an
// item of its own at once, and is worked off by the next run of the job.
//
//	T#<tenant>#chosen#<kind>   <account>⇥<id>          a product or customer, in the order of ids; in the index
//	T#<tenant>#chosen#waits                            of those of which a person has to say something
//	T#<tenant>#imports#<kind>  <account>⇥<time>⇥<n>    what a person asked for and no run has done yet

// chosen is what is known of a product or customer that is to be in Upstock, or that is not to be.
type chosen struct {
	At    time.Time    `json:"at"`
	By    string       `json:"by,omitempty"`    // who wanted it; "" = it went by itself
	No    bool         `json:"no,omitempty"`    // it was there before new ones go by themselves, and nobody wanted it
	Was   bool         `json:"was,omitempty"`   // it was in Upstock before
	Notes []chosenNote `json:"notes,omitempty"` // what became of it since, the last few

	// Of customers alone: which of Upstock's it is.
	State      choice      `json:"state,omitempty"`
	Theirs     int64       `json:"theirs,omitempty"` // of chooseLink and isLinked: Upstock's id
	How        string      `json:"how,omitempty"`    // it was linked, for people
	Why        string      `json:"why,omitempty"`    // of isUnsure
	Candidates []candidate `json:"candidates,omitempty"`
	Rejected   []rejection `json:"rejected,omitempty"`
	Anew       bool        `json:"anew,omitempty"` // of isUnsure: it is looked at though neither side changed
}

// choice is how far it is known which customer of Upstock's a customer is.
type choice string

const (
	isAsked    choice = "asked"  // nobody has looked yet
	isUnsure   choice = "unsure" // a person has to say
	chooseLink choice = "link"   // it is that one, and Upstock is still to be told
	isLinked   choice = "linked" // it is that one, and Upstock knows
	isNew      choice = "new"    // it is none of them
)

// told reports whether Upstock is to be told of a customer in that state.
func (c choice) told() bool { return c == isLinked || c == isNew }

// chosenNote is a line of a record's history.
type chosenNote struct {
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	By   string    `json:"by,omitempty"`
}

// mostNotes bounds a record's history.
const mostNotes = 20

// noted is the record with one more line of history.
func (c chosen) noted(now time.Time, by, text string) chosen {
	c.Notes = append(c.Notes[max(0, len(c.Notes)-mostNotes+1):len(c.Notes):len(c.Notes)],
		chosenNote{now.UTC().Truncate(time.Second), text, by})
	return c
}

// chosenRow is one with its id; rev is its item's.
type chosenRow struct {
	chosen
	ID  string
	rev string
}

// shelfOfChosen is what is chosen of a kind, JobProducts or JobCustomers, of one account (see catalogAccount).
type shelfOfChosen struct {
	table                 table.Table
	tenant, kind, account string
}

// catalogAccount is whose catalogue it is: nothing that is known of another company's counts.
func catalogAccount(b tenant.Bundle) string {
	return b.Connections[tenant.Upstock].Account + "/" + b.Connections[tenant.Cin7Core].Account
}

func (p *Pair) chosenOf(b tenant.Bundle, kind string) shelfOfChosen {
	return shelfOfChosen{p.table, b.Tenant.ID, kind, catalogAccount(b)}
}

func chosenPartition(tenantID, kind string) string {
	return tenant.Partition(tenantID) + "#chosen#" + kind
}

func waitsPartition(tenantID string) string { return chosenPartition(tenantID, "waits") }

func (s shelfOfChosen) key(id string) table.Key {
	return table.Key{PK: chosenPartition(s.tenant, s.kind), SK: s.account + "\t" + id}
}

// item is a chosen row as it is stored.
func (s shelfOfChosen) item(r chosenRow) (table.Item, error) {
	data, err := table.Marshal(r.chosen)
	it := table.Item{Key: s.key(r.ID), Rev: r.rev, Data: data}
	if r.State == isUnsure {
		it.Index, it.Sort = waitsPartition(s.tenant), it.SK
	}
	return it, err
}

func (s shelfOfChosen) row(it table.Item) (chosenRow, error) {
	r := chosenRow{ID: strings.TrimPrefix(it.SK, s.account+"\t"), rev: it.Rev}
	if it.Rev == "" {
		return r, nil
	}
	if err := table.Unmarshal(it.Data, &r.chosen); err != nil {
		return r, fmt.Errorf("chosen %s %s: %w", s.kind, r.ID, err)
	}
	return r, nil
}

// rows reads what is chosen after an id, in the order of ids.
func (s shelfOfChosen) rows(ctx context.Context, after string) iter.Seq2[chosenRow, error] {
	return func(yield func(chosenRow, error) bool) {
		from := s.key(after)
		q := table.Query{PK: from.PK, From: from.SK, Until: s.account + "\n"}
		for it, err := range table.QueryAll(ctx, s.table, q) {
			var r chosenRow
			if err == nil {
				r, err = s.row(it)
			}
			if err != nil {
				yield(r, fmt.Errorf("read what is chosen of %s: %w", s.kind, err))
				return
			}
			if r.ID != after && !yield(r, nil) {
				return
			}
		}
	}
}

// ids reads the ids of what Upstock is to be told of, after one.
func (s shelfOfChosen) ids(ctx context.Context, after string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for r, err := range s.rows(ctx, after) {
			wanted := !r.No && (s.kind != JobCustomers || r.State.told())
			if (err != nil || wanted) && (!yield(r.ID, err) || err != nil) {
				return
			}
		}
	}
}

// get reads what is chosen of ids, by id; of the others there is none.
func (s shelfOfChosen) get(ctx context.Context, ids ...string) (map[string]chosenRow, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = s.key(id)
	}
	items, err := table.ReadAll(ctx, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read what is chosen of %s: %w", s.kind, err)
	}
	found := map[string]chosenRow{}
	for _, it := range items {
		r, err := s.row(it)
		if err != nil {
			return nil, err
		}
		found[r.ID] = r
	}
	return found, nil
}

// change changes what is chosen of one id, together with events. change says what it is to be, and whether that is to
// be written.
func (s shelfOfChosen) change(
	ctx context.Context, id string, change func(*chosenRow) (write bool, says []ledger.Event, err error),
) error {
	it, err := table.Read(ctx, s.table, s.key(id))
	if err != nil {
		return err
	}
	_, err = table.Change(ctx, s.table, it, func(it table.Item) ([]table.Op, error) {
		r, err := s.row(it)
		if err != nil {
			return nil, err
		}
		write, says, err := change(&r)
		if !write || err != nil {
			return nil, err
		}
		now, err := s.item(r)
		if err != nil {
			return nil, err
		}
		ops := []table.Op{table.Save(now)}
		for _, e := range says {
			op, err := ledger.RecordOp(ctx, s.tenant, e)
			if err != nil {
				return nil, err
			}
			ops = append(ops, op)
		}
		return ops, nil
	})
	return err
}

// addedAtOnce is how many are chosen in one write.
const addedAtOnce = 50

// add chooses ids that are not chosen yet, and returns how many that were. Of what was not to be there, a person's wish
// alone makes something that is.
func (s shelfOfChosen) add(
	ctx context.Context, as func(id string) chosen, ids ...string,
) (added int, err error) {
	for some := range slices.Chunk(ids, addedAtOnce) {
		n := 0
		err := table.RetryOnConflict(ctx, func() (err error) {
			n, err = s.addSome(ctx, as, some)
			return err
		})
		if err != nil {
			return added, fmt.Errorf("choose %s: %w", s.kind, err)
		}
		added += n
	}
	return added, nil
}

func (s shelfOfChosen) addSome(
	ctx context.Context, as func(id string) chosen, ids []string,
) (added int, err error) {
	known, err := s.get(ctx, ids...)
	if err != nil {
		return 0, err
	}
	var ops []table.Op
	for _, id := range ids {
		r, there := known[id]
		c := as(id)
		if there && (!r.No || c.No) {
			continue
		}
		now := chosenRow{chosen: c, ID: id, rev: r.rev}
		now.Notes, now.Rejected = append(r.Notes, c.Notes...), r.Rejected
		it, err := s.item(now)
		if err != nil {
			return 0, err
		}
		ops = append(ops, table.Save(it))
	}
	if len(ops) == 0 {
		return 0, nil
	}
	return len(ops), s.table.Write(ctx, ops...)
}

// wish is what a person asked to have imported, or a part of it.
type wish struct {
	Selection
	By string    `json:"by,omitempty"`
	At time.Time `json:"at"`

	item table.Item
}

// wishedAtOnce is how many ids an item of a wish has.
const wishedAtOnce = 2000

func wishes(tenantID, kind string) string { return tenant.Partition(tenantID) + "#imports#" + kind }

// wish keeps what a person asks for. What has several parts is whole, or each part is worked off alone: no part
// depends on another.
func (s shelfOfChosen) wish(ctx context.Context, sel Selection, now time.Time) error {
	by := ledger.ActorOf(ctx)
	at := now.UTC().Format("2006-01-02T15:04:05.000000000")
	parts := []Selection{sel}
	if !sel.All {
		parts = nil
		for ids := range slices.Chunk(sel.IDs, wishedAtOnce) {
			parts = append(parts, Selection{IDs: ids})
		}
	}
	for n, part := range parts {
		data, err := table.Marshal(wish{Selection: part, By: by, At: now.UTC()})
		if err != nil {
			return err
		}
		key := table.Key{PK: wishes(s.tenant, s.kind), SK: fmt.Sprintf("%s\t%s\t%04d", s.account, at, n)}
		if err := s.table.Write(ctx, table.Put(table.Item{Key: key, Data: data})); err != nil {
			return fmt.Errorf("keep what is to be imported: %w", err)
		}
	}
	return nil
}

// nextWish is the oldest wish that is not worked off; nil = there is none.
func (s shelfOfChosen) nextWish(ctx context.Context) (*wish, error) {
	page, err := s.table.Query(ctx, table.Query{PK: wishes(s.tenant, s.kind), From: s.account + "\t",
		Until: s.account + "\n", Limit: 1})
	if err != nil || len(page.Items) == 0 {
		return nil, err
	}
	w := &wish{item: page.Items[0]}
	if err := table.Unmarshal(w.item.Data, w); err != nil {
		return nil, fmt.Errorf("read what is to be imported: %w", err)
	}
	return w, nil
}
