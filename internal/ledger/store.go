package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/table"
)

// How a run is written.
//
// One conditional write of the run's own item decides; what belongs to it is
// written ahead of it and means nothing until the run names it. So it stands
// under a key that nobody else uses, is never overwritten by anything else, and
// costs half of what it would in a transaction. A part's key ends in a hash of
// what is stored; recordings' keys end in random letters that the run's timeline
// repeats. What a refused write leaves behind is named by nobody.

// partName is the name under which a run keeps a part: body, fresh or plan,
// with the hash of what is stored. Earlier versions used the part alone.
func partName(part string, stored []byte) string {
	sum := sha256.Sum256(stored)
	return part + "@" + base64.RawURLEncoding.EncodeToString(sum[:12])
}

// Has reports whether the run keeps a part.
func (r *Run) Has(part string) bool {
	_, n := r.part(part)
	return n > 0
}

// Body is the name under which the fact as received is kept, for a [Pointer].
func (r *Run) Body() string {
	name, _ := r.part("body")
	return name
}

// part returns the name under which a part is stored, and its number of chunks; 0 = there is none.
func (r *Run) part(part string) (name string, chunks int) {
	for name, n := range r.Parts {
		if name == part || strings.HasPrefix(name, part+"@") {
			return name, n
		}
	}
	return part, 0
}

func (k Kind) chunkKey(r *Run, name string, i int) table.Key {
	return k.partKey(r, fmt.Sprintf("%s#%d", name, i))
}

// blob returns the writes that keep data as a part of the run, and names it in
// the run in the place of what it kept as this part before.
func (k Kind) blob(r *Run, part string, data []byte) ([]table.Op, error) {
	z := table.Pack(data)
	if len(z) > maxBlob {
		return nil, fmt.Errorf("%s of %s %s: %d bytes: %w", part, k.Name, r.ID, len(z), table.ErrTooLarge)
	}
	old, _ := r.part(part)
	name := partName(part, z)
	var ops []table.Op
	for c := range slices.Chunk(z, chunk) {
		ops = append(ops, table.Ahead(table.Item{Key: k.chunkKey(r, name, len(ops)), Data: c}))
	}
	if r.Parts == nil {
		r.Parts = map[string]int{}
	}
	delete(r.Parts, old)
	r.Parts[name] = len(ops)
	return ops, nil
}

// blobs reads parts of a run, each nil if it has none. items are what was read already.
func (j *Journal[T, P]) blobs(ctx context.Context, r *Run, items []table.Item, parts ...string) ([][]byte, error) {
	var keys []table.Key
	for _, part := range parts {
		name, n := r.part(part)
		for i := range n {
			k := j.kind.chunkKey(r, name, i)
			if !slices.ContainsFunc(items, func(it table.Item) bool { return it.Key == k }) {
				keys = append(keys, k)
			}
		}
	}
	if len(keys) > 0 {
		more, err := j.ledger.table.Get(ctx, keys...)
		if err != nil {
			return nil, fmt.Errorf("parts of %s %s: %w", j.kind.Name, r.ID, err)
		}
		items = slices.Concat(items, more)
	}
	list := make([][]byte, len(parts))
	for p, part := range parts {
		name, n := r.part(part)
		if n == 0 {
			continue
		}
		var z []byte
		for i := range n {
			at := slices.IndexFunc(items, func(it table.Item) bool { return it.Key == j.kind.chunkKey(r, name, i) })
			if at < 0 {
				return nil, fmt.Errorf("%s of %s %s: a chunk is missing", part, j.kind.Name, r.ID)
			}
			z = append(z, items[at].Data...)
		}
		var err error
		if list[p], err = table.Unpack(z); err != nil {
			return nil, fmt.Errorf("%s of %s %s: %w", part, j.kind.Name, r.ID, err)
		}
	}
	return list, nil
}

// Most of what one write records.
const (
	maxRecordings = 40
	maxRecorded   = 512 << 10 // bytes, packed
)

// recordings returns the writes that keep the exchanges recorded in the run, and
// notes each in its timeline. The rest of a long look is in the timeline only.
func (k Kind) recordings(r *Run) ([]table.Op, error) {
	if len(r.exchanges) == 0 {
		return nil, nil
	}
	var ops []table.Op
	mark, recorded := rand.Text()[:8], 0
	for i, ex := range r.exchanges {
		data, err := table.Marshal(ex)
		if err != nil {
			return nil, err
		}
		r.Exchanges++
		e := Entry{At: ex.At, Text: ex.line(), Exchange: r.Exchanges}
		if recorded += len(data); i < maxRecordings && recorded <= maxRecorded {
			e.Mark = mark
			key := k.partKey(r, fmt.Sprintf("x#%06d#%s", r.Exchanges, mark))
			expires := ex.At.Add(Keep).Truncate(time.Second)
			ops = append(ops, table.Ahead(table.Item{Key: key, Data: data, Expires: expires}))
		}
		r.note(e)
	}
	slices.SortStableFunc(r.Timeline, func(a, b Entry) int { return a.At.Compare(b.At) })
	return ops, nil
}

// Exchanges reads the recorded requests and answers that a run's timeline names, oldest first.
func (j *Journal[T, P]) Exchanges(ctx context.Context, f P) ([]Exchange, error) {
	r := f.Core()
	marks := map[int]string{}
	for _, e := range r.Timeline {
		if e.Exchange > 0 {
			marks[e.Exchange] = e.Mark
		}
	}
	var list []Exchange
	q := table.Query{PK: j.kind.partsOf(r), From: "x#", Until: "x$"}
	for it, err := range table.QueryAll(ctx, j.ledger.table, q) {
		if err != nil {
			return nil, fmt.Errorf("exchanges of %s %s: %w", j.kind.Name, r.ID, err)
		}
		var x Exchange
		number, mark, _ := strings.Cut(strings.TrimPrefix(it.SK, "x#"), "#")
		fmt.Sscanf(number, "%d", &x.Number)
		if named, ok := marks[x.Number]; !ok || named != mark { // of a write that was refused
			continue
		}
		n := x.Number
		if err := table.Unmarshal(it.Data, &x); err != nil {
			return nil, err
		}
		x.Number = n
		list = append(list, x)
	}
	return list, nil
}

// stand is how a run stands in the table's indexes, and what of it that hangs on.
type stand struct {
	index, sort  string
	group, order string
	next         time.Time
}

// stays reports whether the run stays where it stands in the indexes: while a
// lease is held and its due time is left alone. Each move costs two write units,
// and the work of an order that goes well would make many of them, for moments.
func (r *Run) stays() bool {
	return r.Lease.Token != "" && !r.Parked && !r.Next.IsZero() &&
		r.stand.index != "" && r.stand.group != "" && r.stand.next.Equal(r.Next)
}
