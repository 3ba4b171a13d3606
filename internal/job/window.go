package job

import (
	"context"
	"fmt"
	"hash/fnv"
	"io"
	"strconv"
	"time"

	"stockbridge/internal/ledger"
)

// Window reads what changed in a vendor's list since the cursor, page by page, while the list goes on to grow.
//
// A vendor's order of rows is often not documented, and rows move between pages while they are read: a window of
// several pages is read again, as a whole, until a pass brings nothing new and has shown as many rows as the list
// says there are. Where the order is documented, one pass is enough, and a page that comes again ends it. Only at the
// end the cursor moves: to the newest change of the first pass, less the overlap, by the vendor's clock and never by
// ours.
//
// How far the reading is stands in the cursor after each page. Whoever does the part next goes on there, and a worker
// that was faster ends it.
type Window[R any] struct {
	Title string    // the list's, in a sentence: "Acme's list of contacts"
	Begin time.Time // where the first window begins, and the one after a cursor that proves to be wrong; not zero
	// Page reads a page of what changed since an instant; at "" it is the first.
	Page func(ctx context.Context, since time.Time, at string) (Page[R], error)
	// Key says which record a row shows, and which change of it. Zero: it moves no cursor.
	Key func(R) (id string, changed time.Time)
	// Keep does what rows ask for, durably: the cursor moves after it alone. held is the oldest change that was left
	// alone for now, which the cursor does not pass; zero = none was.
	Keep   func(ctx context.Context, rows []R) (held time.Time, err error)
	Passes int           // at most; 1 = the vendor documents its order
	Whole  time.Duration // what the vendor's filter is exact to; 0 = as exact as its times
	// Closed says what a whole window brought, before its cursor moves. nil: nothing.
	Closed func(ctx context.Context) error
}

// Page is one page of a list.
type Page[R any] struct {
	Rows  []R
	Next  string    // where the list goes on; "" = it was the last
	Total int       // rows that the list has; 0 = it does not say
	At    time.Time // the vendor's own present, which no cursor passes; zero = it does not say
}

// Read reads the window to its end, or as far as time allows. An error of a call comes back bare, with the cursor as
// far as the reading came: Part.End saves it.
func (w Window[R]) Read(ctx context.Context, p *Part) error {
	w.open(p)
	for {
		if err := p.Short(ctx); err != nil {
			return err
		}
		page, err := w.Page(ctx, p.Cursor.From, place(p.Cursor))
		if err != nil {
			if w.Passes <= 1 && RefusedPage(err) { // its place is not known any more
				leave(p.Cursor)
			}
			return err
		}
		if from := p.Cursor.From; !page.At.IsZero() && from.After(page.At) && from.After(w.Begin) {
			w.restart(p.Cursor) // by its own clock the vendor has nothing to say of that time
			return p.Soon()
		}
		p.Cursor.Stopped = ledger.Stopped{} // the vendor answers
		held, err := w.Keep(ctx, page.Rows)
		if err != nil {
			return err
		}
		w.note(p.Cursor, page, held)
		more, problem := w.turn(p.Cursor, page)
		if !more {
			return w.close(ctx, p, problem)
		}
		if err := p.Save(ctx); err != nil {
			return err
		}
	}
}

// open begins a window, unless one is being read.
func (w Window[R]) open(p *Part) {
	cur := p.Cursor
	if cur.Since.After(p.Now().Add(FarAhead)) { // a row that was dated ahead was believed, or a clock was wrong
		w.restart(cur)
	}
	if cur.Since.IsZero() {
		cur.Since = w.Begin
	}
	if !isOpen(cur) {
		leave(cur)
		cur.From, cur.Passes = cur.Since, 1
		cur.Newest, cur.Tally = time.Time{}, ledger.Tally{}
	}
	cur.Passes = max(cur.Passes, 1)
}

// isOpen reports whether a window is being read. An earlier version counted no passes of a list that needs one, and
// left a pass behind where it gave a window up.
func isOpen(cur *ledger.Cursor) bool {
	return !cur.From.IsZero() && (cur.Passes > 0 || place(cur) != "")
}

// place is the next page; "" = the first. An earlier version kept numbered pages as numbers.
func place(cur *ledger.Cursor) string {
	if cur.After == "" && cur.Page > 1 {
		return strconv.Itoa(cur.Page)
	}
	return cur.After
}

// moveTo goes to a page.
func moveTo(cur *ledger.Cursor, place string) { cur.After, cur.Page = place, 0 }

// leave forgets the window that is being read.
func leave(cur *ledger.Cursor) {
	moveTo(cur, "")
	cur.From, cur.Held = time.Time{}, time.Time{}
	cur.Passes, cur.Pages, cur.Total, cur.Fresh, cur.Seen, cur.Shown = 0, 0, 0, false, nil, nil
}

// restart has the list read from its beginning: the cursor was ahead, nobody knows since when.
func (w Window[R]) restart(cur *ledger.Cursor) {
	leave(cur)
	cur.Since, cur.Newest = w.Begin, time.Time{}
}

// note adds what a page showed.
func (w Window[R]) note(cur *ledger.Cursor, page Page[R], held time.Time) {
	cur.Pages++
	cur.Total = max(cur.Total, page.Total)
	cur.Tally.Rows += len(page.Rows)
	if !held.IsZero() && (cur.Held.IsZero() || held.Before(cur.Held)) {
		cur.Held = held.UTC()
	}
	first := cur.Passes == 1
	if first {
		for _, row := range page.Rows {
			_, at := w.Key(row)
			if at.After(cur.Newest) && (page.At.IsZero() || !at.After(page.At)) {
				cur.Newest = at.UTC()
			}
		}
	}
	if w.Passes <= 1 {
		return
	}
	seen, shown := sumsOf(cur.Seen), sumsOf(cur.Shown)
	for _, row := range page.Rows {
		id, at := w.Key(row)
		shown.add(uint64(recordSum(id)))
		// What changed after the first pass belongs to the next window.
		if seen.add(changeSum(id, at)) && (first || !at.After(cur.Newest)) {
			cur.Fresh = true
		}
	}
	cur.Seen, cur.Shown = seen.bytes(), shown.bytes()
}

// turn goes to the next page, or to the next pass. more is false at the window's end; problem says why the list could
// not be read to its own.
func (w Window[R]) turn(cur *ledger.Cursor, page Page[R]) (more bool, problem string) {
	switch {
	case page.Next != "":
		if w.Passes <= 1 {
			seen, err := Turn(cur.Seen, w.ids(page.Rows), page.Next)
			if err != nil {
				return false, w.Title + " could not be read to its end: " + err.Error() + ". It is read again."
			}
			cur.Seen = seen
		}
		moveTo(cur, page.Next)
		return true, ""
	case cur.Pages > 1 && (cur.Fresh || hidden(cur)) && cur.Passes < w.Passes:
		moveTo(cur, "")
		cur.Passes, cur.Pages, cur.Total, cur.Fresh, cur.Shown = cur.Passes+1, 0, 0, false, nil
		cur.Tally.Rows, cur.Tally.Unknown = 0, 0
		return true, ""
	}
	return false, ""
}

// hidden reports whether a pass did not show every row that the list says there are: then it proves nothing.
func hidden(cur *ledger.Cursor) bool {
	return len(cur.Shown)/8 < min(cur.Total, maxSeen)
}

func (w Window[R]) ids(rows []R) []string {
	ids := make([]string, len(rows))
	for i, row := range rows {
		ids[i], _ = w.Key(row)
	}
	return ids
}

// close ends the window: what it brought is said first, then the cursor moves.
func (w Window[R]) close(ctx context.Context, p *Part, problem string) error {
	if w.Closed != nil {
		if err := w.Closed(ctx); err != nil {
			return err
		}
	}
	newest := p.Cursor.Newest
	if held := p.Cursor.Held; !held.IsZero() && held.Before(newest) {
		newest = held
	}
	if err := p.Close(ctx, newest.Truncate(w.Whole)); err != nil || problem == "" {
		return err
	}
	p.Cursor.Problem = problem
	return p.Save(ctx)
}

// changeSum stands for a record and the change that a row shows of it.
func changeSum(id string, at time.Time) uint64 {
	h := fnv.New32a()
	fmt.Fprint(h, id, at.UnixNano())
	return uint64(recordSum(id))<<32 | uint64(h.Sum32())
}

// recordSum stands for a record.
func recordSum(id string) uint32 {
	h := fnv.New32a()
	io.WriteString(h, id)
	return h.Sum32()
}
