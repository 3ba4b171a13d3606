package mirror

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
)

// listReading is one part's reading of a list. What the mirror holds, and what the pages held, is in memory as hashes:
// 8 bytes for a row stand for what is read of it again and again.
type listReading struct {
	*reading
	List

	known map[uint64]uint64 // rows that the mirror held when the part began: key → data
	seen  map[uint64]bool   // rows of the pages before, of the list's second reading alone where that is under way
	first map[uint64]bool   // rows of its first reading, then
	whole bool              // nothing of that is missing
}

// kinds are those of all rows of the list.
func (r *listReading) kinds() []string { return append([]string{r.Kind}, r.List.More...) }

// sumOf stands for a row's key: an even number for a record's own row, an odd one for another.
func (r *listReading) sumOf(k Key) uint64 {
	if k.Kind == r.Kind {
		return sum(k.ID) &^ 1
	}
	return sum(k.Kind+"\t"+k.ID) | 1
}

// begin reads what the mirror holds, once, and what earlier parts of the pass saw.
func (r *listReading) begin(ctx context.Context) error {
	r.known = map[uint64]uint64{}
	for _, kind := range r.kinds() {
		for row, err := range r.store.All(ctx, r.part.Tenant, kind) {
			if err != nil {
				return err
			}
			r.known[r.sumOf(row.Key)] = sum(string(row.Data))
		}
	}
	var err error
	m := &r.state
	if m.Noted == 0 { // an earlier version did not count them
		m.Noted = m.Page - 1
	}
	r.seen, r.first, r.whole = map[uint64]bool{}, map[uint64]bool{}, true
	if m.Noted > 0 {
		var pages [][]byte
		pages, r.whole, err = r.store.Seen(ctx, r.part.Tenant, r.Kind, m.Started, 1, m.Noted)
		for n, sums := range pages {
			to := r.seen
			if n < m.First {
				to = r.first
			}
			for ; len(sums) >= 8; sums = sums[8:] {
				to[binary.BigEndian.Uint64(sums)] = true
			}
		}
	}
	m.Read = 0
	for n := range r.seen {
		r.count(n)
	}
	return err
}

// divide is into how many parts a page is divided that is too large; finest is as far as it goes.
const divide, finest = 5, 125

// page reads a page and saves what it holds. Rows that are the same as before are not looked at again.
func (r *listReading) page(ctx context.Context) (more bool, err error) {
	m := &r.state
	var p Page
	err = r.call(ctx, func(ctx context.Context) (err error) {
		p, err = r.Page(ctx, m.Page, max(m.Divided, 1))
		return err
	})
	if errors.Is(err, ErrLarge) && m.Divided < finest {
		m.Divided, m.Page = max(m.Divided, 1)*divide, (m.Page-1)*divide+1
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if _, err := r.store.change(ctx, r.part.Tenant, r.changed(p.Rows), r.Numbered); err != nil {
		return false, err
	}
	if err := r.trim(ctx, p.Rows); err != nil {
		return false, err
	}
	m.Problem, m.Total = "", max(m.Total, p.Total)
	sums := r.note(p.Rows)
	if !p.More && m.Noted == 0 {
		return false, nil // of a list of one page nobody need remember it
	}
	if err := r.store.SaveSeen(ctx, r.part.Tenant, r.Kind, m.Started, m.Noted+1, sums); err != nil {
		return false, err
	}
	if p.More {
		m.Noted++
		m.Page++
	}
	for m.Divided > 1 && (m.Page-1)%divide == 0 { // all parts are read: the next page may be as usual
		m.Divided, m.Page = m.Divided/divide, (m.Page-1)/divide+1
	}
	return p.More, nil
}

// changed are the rows of a page that are not as the mirror holds them.
func (r *listReading) changed(rows []Row) (changed []Row) {
	for _, row := range rows {
		if old, ok := r.known[r.sumOf(row.Key)]; !ok || old != sum(string(row.Data)) || r.state.Fold == -r.Fold {
			changed = append(changed, row)
		}
	}
	return changed
}

// trim removes the numbered rows that the records of a page have no more, as far as the mirror held any.
func (r *listReading) trim(ctx context.Context, rows []Row) error {
	var from []end
	for _, e := range ends(rows, r.Kind, r.Numbered) {
		if _, ok := r.known[r.sumOf(e.key())]; ok {
			from = append(from, e)
		}
	}
	if _, err := r.store.trim(ctx, r.part.Tenant, from); err != nil {
		return err
	}
	for _, e := range from {
		for _, ok := r.known[r.sumOf(e.key())]; ok; _, ok = r.known[r.sumOf(e.key())] {
			delete(r.known, r.sumOf(e.key()))
			e.n++
		}
	}
	return nil
}

// note notes a page's rows as seen, counts its records, and returns the sums of those that no page before it had.
func (r *listReading) note(rows []Row) []byte {
	sums := make([]byte, 0, 8*len(rows))
	for _, row := range rows {
		n := r.sumOf(row.Key)
		if r.seen[n] {
			continue
		}
		r.seen[n] = true
		sums = binary.BigEndian.AppendUint64(sums, n)
		r.count(n)
	}
	return sums
}

// count counts a row that was seen, if it is a record's own.
func (r *listReading) count(n uint64) {
	if n&1 == 0 {
		r.state.Read++
	}
}

// proves reports whether the list was read so that what was not seen is gone: if as many records were seen as any page
// said there are. Where that number falls while the pages are read, rows moved up.
func (r *listReading) proves() bool {
	return r.whole && r.state.Read > 0 && r.state.Read >= r.state.Total
}

// again begins the list's second reading where its first one, of several pages, would have something removed.
func (r *listReading) again(ctx context.Context) (more bool, err error) {
	m := &r.state
	if m.First > 0 || m.Noted == 0 || !r.proves() || !r.misses() {
		return false, nil
	}
	r.first, r.seen = r.seen, map[uint64]bool{}
	m.Noted++ // the last page
	m.First, m.Page, m.Read, m.Total = m.Noted, 1, 0, 0
	return true, nil
}

// misses reports whether the mirror held a row that was not seen.
func (r *listReading) misses() bool {
	for n := range r.known {
		if !r.seen[n] && !r.first[n] {
			return true
		}
	}
	return false
}

// remove takes away the rows that no page held. One that somebody wrote since the part began is there.
func (r *listReading) remove(ctx context.Context) error {
	if !r.misses() {
		return nil
	}
	for _, kind := range r.kinds() {
		var gone []string
		for row, err := range r.store.All(ctx, r.part.Tenant, kind) {
			if err != nil {
				return err
			}
			n := r.sumOf(row.Key)
			if was, ok := r.known[n]; ok && was == sum(string(row.Data)) && !r.seen[n] && !r.first[n] {
				gone = append(gone, row.ID)
			}
		}
		removed, err := r.store.Remove(ctx, r.part.Tenant, kind, gone)
		if kind == r.Kind {
			r.removed += removed
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func sum(s string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(s))
	return h.Sum64()
}
