package job_test

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
)

// thing is a row of a list.
type thing struct {
	id      string
	changed time.Time
}

// list is a vendor's list of things, in pages of two rows, and who reads it.
type list struct {
	w      *world
	rows   []thing           // in the list's own order
	total  func(n int) int   // what it says of n rows; nil = it says nothing
	before func(page string) // what happens before a page is listed
	fail   func(page string) error
	clock  time.Duration // how far the vendor's clock is ahead
	asked  []string      // pages, each with the rows that it showed
	since  time.Time     // of the last page
	kept   []thing
	held   time.Time
	closed int
	job.Window[thing]
}

const size = 2

// newList is a list that is read in so many passes, with numbered pages.
func newList(w *world, passes int, rows ...thing) *list {
	l := &list{w: w, rows: rows}
	l.Window = job.Window[thing]{
		Title: "JOOR's list of things", Begin: time.Now().Add(-24 * time.Hour).UTC(), Passes: passes,
		Page: l.page, Key: func(t thing) (string, time.Time) { return t.id, t.changed },
		Keep: func(_ context.Context, rows []thing) (time.Time, error) {
			l.kept = append(l.kept, rows...)
			return l.held, nil
		},
		Closed: func(context.Context) error { l.closed++; return nil },
	}
	return l
}

func (l *list) page(_ context.Context, since time.Time, at string) (job.Page[thing], error) {
	if l.before != nil {
		l.before(at)
	}
	if l.fail != nil {
		if err := l.fail(at); err != nil {
			l.asked = append(l.asked, at+" failed")
			return job.Page[thing]{}, err
		}
	}
	n, _ := strconv.Atoi(cmp.Or(at, "1"))
	var all []thing
	for _, t := range l.rows {
		if !t.changed.Before(since) {
			all = append(all, t)
		}
	}
	from := min((n-1)*size, len(all))
	p := job.Page[thing]{Rows: all[from:min(from+size, len(all))], At: time.Now().Add(l.clock)}
	if from+size < len(all) {
		p.Next = strconv.Itoa(n + 1)
	}
	if l.total != nil {
		p.Total = l.total(len(all))
	}
	said := cmp.Or(at, "1") + ":"
	for _, t := range p.Rows {
		said += " " + t.id
	}
	l.since, l.asked = since, append(l.asked, said)
	return p, nil
}

func (l *list) runner() *runner {
	return l.w.runner(func(ctx context.Context, p *job.Part) error { return l.Read(ctx, p) })
}

// want holds the pages that were asked for since the last look to some.
func (l *list) want(pages ...string) {
	l.w.t.Helper()
	if !slices.Equal(l.asked, pages) {
		l.w.t.Errorf("read %q, want %q", l.asked, pages)
	}
	l.asked = nil
}

// ago is an instant by the vendor's clock.
func ago(minutes int) time.Time { return time.Now().Add(-time.Duration(minutes) * time.Minute).UTC() }

// TestWindow: the cursor moves to the newest change, less the overlap; one page is read once, several again until a
// pass brings nothing new.
func TestWindow(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 10, thing{"a", ago(60)}, thing{"b", ago(40)})
		r := l.runner()
		r.do(w.message())
		l.want("1: a b")
		if cur := r.cursor(); !cur.Since.Equal(ago(45)) || cur.Last.Rows != 2 || cur.Checked.IsZero() || l.closed != 1 {
			t.Errorf("%+v", cur)
		}
		l.rows = append(l.rows, thing{"c", ago(30)}, thing{"d", ago(20)})
		r.do(w.message())
		l.want("1: b c", "2: d", "1: b c", "2: d")
		if cur := r.cursor(); !cur.Since.Equal(ago(25)) || cur.Last.Rows != 3 {
			t.Errorf("%+v", cur)
		}
		r.do(w.message())
		l.want("1: d")
	})
}

// TestDocumentedOrder: a list whose order is documented is read in one pass, whatever its pages say of their total.
func TestDocumentedOrder(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 1, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40).Add(700 * time.Millisecond)})
		l.Whole = time.Second
		l.total = func(int) int { return 7 }
		r := l.runner()
		r.do(w.message())
		l.want("1: a b", "2: c")
		if cur := r.cursor(); !cur.Since.Equal(ago(45)) || cur.Problem != "" {
			t.Errorf("%+v", cur)
		}
	})
}

// TestRowMoves: a row that changes moves to the end while the pages are read, and another slips into a page that was
// read before. The next pass shows it.
func TestRowMoves(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 10, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)}, thing{"d", ago(30)})
		l.before = func(page string) {
			if page == "2" && len(l.asked) == 1 {
				l.rows = append(l.rows[1:], thing{"a", time.Now().UTC()})
			}
		}
		r := l.runner()
		r.do(w.message())
		l.want("1: a b", "2: d a", "1: b c", "2: d a", "1: b c", "2: d a")
		if cur := r.cursor(); !cur.Since.Equal(ago(5)) {
			t.Errorf("the cursor is at %s", cur.Since)
		}
	})
}

// TestBusyList: what changes while the passes go on belongs to the next window, or a busy list would never be read to
// its end.
func TestBusyList(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 10, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)})
		l.before = func(string) {
			time.Sleep(time.Second)
			l.rows[2] = thing{"c", time.Now().UTC()}
		}
		l.runner().do(w.message())
		l.want("1: a b", "2: c", "1: a b", "2: c")
	})
}

// TestGrowing: whatever changes while the list is read, and in whatever order it is listed, the cursor never passes a
// change that was not kept.
func TestGrowing(t *testing.T) {
	for seed := range uint64(24) {
		play(t, func(t *testing.T, w *world) {
			dice := rand.New(rand.NewPCG(seed, 1))
			l := newList(w, 10)
			l.total = func(n int) int { return n }
			var latest []thing // each thing as it was changed last
			change := func() {
				time.Sleep(time.Duration(dice.IntN(90)) * time.Second)
				id := fmt.Sprint(dice.IntN(9))
				drop := func(t thing) bool { return t.id == id }
				l.rows, latest = slices.DeleteFunc(l.rows, drop), slices.DeleteFunc(latest, drop)
				row := thing{id, time.Now().UTC()}
				at := len(l.rows)
				if seed%2 == 0 {
					at = dice.IntN(at + 1)
				}
				l.rows, latest = slices.Insert(l.rows, at, row), append(latest, row)
			}
			l.before = func(string) {
				for range dice.IntN(3) {
					change()
				}
			}
			r := l.runner()
			for range 12 {
				change()
				r.do(w.message())
				cur := r.cursor()
				for _, row := range latest {
					if row.changed.Before(cur.Since) && !slices.Contains(l.kept, row) {
						t.Fatalf("seed %d: at %s, and %+v was not kept: %q", seed, cur.Since, row, l.asked)
					}
				}
			}
			l.before = nil
			r.do(w.message())
			for _, row := range latest {
				if !slices.Contains(l.kept, row) {
					t.Errorf("seed %d: %+v was never kept", seed, row)
				}
			}
		})
	}
}

// TestPageRepeated: a list in circles ends the window where one pass must do, and is said; else it is another pass.
func TestPageRepeated(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 1)
		page := l.Page
		l.Page = func(ctx context.Context, since time.Time, at string) (job.Page[thing], error) {
			p, err := page(ctx, since, at)
			p.Rows, p.Next = []thing{{"a", ago(60)}, {"b", ago(50)}}, fmt.Sprint(len(l.asked)+1)
			return p, err
		}
		r := l.runner()
		r.do(w.message())
		l.want("1:", "2:")
		cur := r.cursor()
		const circles = "JOOR's list of things could not be read to its end: " +
			"its pages repeat themselves. It is read again."
		if cur.Problem != circles ||
			!cur.Since.Equal(ago(55)) || cur.After != "" || l.closed != 1 {
			t.Errorf("%+v", cur)
		}
		l.Page = page
		r.do(w.message())
		if cur := r.cursor(); cur.Problem != "" {
			t.Error(cur.Problem)
		}
	})
	play(t, func(t *testing.T, w *world) { // the list slips by a page while it is read in several passes
		l := newList(w, 10, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)})
		l.before = func(page string) {
			if page == "2" && len(l.asked) == 1 {
				l.rows = slices.Insert(l.rows, 0, thing{"x", ago(70)}, thing{"y", ago(65)})
			}
		}
		l.runner().do(w.message())
		l.want("1: a b", "2: a b", "3: c", "1: x y", "2: a b", "3: c", "1: x y", "2: a b", "3: c")
	})
}

// TestTotal: a pass of several pages proves something only if it showed as many rows as the list says there are; a
// total that never fits holds the cursor up for so many passes at most.
func TestTotal(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 4, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)})
		l.total = func(n int) int { return n + 1 }
		r := l.runner()
		r.do(w.message())
		l.want("1: a b", "2: c", "1: a b", "2: c", "1: a b", "2: c", "1: a b", "2: c")
		if cur := r.cursor(); !cur.Since.Equal(ago(45)) || cur.Last.Rows != 3 {
			t.Errorf("%+v", cur)
		}
	})
	play(t, func(t *testing.T, w *world) { // the second pass brings nothing new, and does not show c
		l := newList(w, 10, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)})
		l.total = func(n int) int { return n }
		l.before = func(page string) {
			switch {
			case page == "2" && len(l.asked) == 3:
				l.rows = []thing{l.rows[2], l.rows[0], l.rows[1]}
			case page == "" && len(l.asked) == 4:
				l.rows = []thing{l.rows[1], l.rows[0], l.rows[2]}
			}
		}
		l.runner().do(w.message())
		l.want("1: a b", "2: c", "1: a b", "2: b", "1: a c", "2: b")
	})
}

// TestRefusedPage: a page in the middle that is not known any more begins a window of one pass anew; of numbered
// pages the same is asked for again.
func TestRefusedPage(t *testing.T) {
	for passes, then := range map[int][]string{
		1:  {"1: a b", "2: c"},
		10: {"2: c", "1: a b", "2: c"},
	} {
		play(t, func(t *testing.T, w *world) {
			l := newList(w, passes, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)})
			l.fail = func(page string) error {
				if page == "2" {
					return failed(rest.Error{Kind: rest.Invalid, Status: 400})
				}
				return nil
			}
			r := l.runner()
			r.do(w.message())
			l.want("1: a b", "2 failed")
			if cur := r.cursor(); cur.Problem != "JOOR gave no usable answer (status 400)." || !cur.Checked.IsZero() {
				t.Errorf("%d passes: %+v", passes, cur)
			}
			l.fail = nil
			r.do(w.message())
			l.want(then...)
			if cur := r.cursor(); cur.Problem != "" || !cur.Since.Equal(ago(45)) {
				t.Errorf("%d passes: %+v", passes, cur)
			}
		})
	}
}

// TestCutOff: a window that time cuts off goes on at the same page, by itself, and comes to the same.
func TestCutOff(t *testing.T) {
	for passes, then := range map[int][]string{
		1:  {"1: a b", "2: c d", "3: e"},
		10: {"1: a b", "2: c d", "3: e", "1: a b", "2: c d", "3: e"},
	} {
		play(t, func(t *testing.T, w *world) {
			l := newList(w, passes)
			for n, id := range []string{"a", "b", "c", "d", "e"} {
				l.rows = append(l.rows, thing{id, ago(60 - n)})
			}
			l.before = func(string) { time.Sleep(10 * time.Second) }
			r := l.runner()
			newest := l.rows[4].changed
			for n := range then {
				ctx, cancel := context.WithTimeout(t.Context(), 31*time.Second) // enough for one call
				err := r.Do(ctx, w.message())
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				if len(l.asked) != n+1 || len(r.sent) != min(n+1, len(then)-1) {
					t.Fatalf("%d passes: %q after %d runs, sent %v", passes, l.asked, n+1, r.sent)
				}
				time.Sleep(5 * time.Second)
			}
			l.want(then...)
			if cur := r.cursor(); !cur.Since.Equal(newest.Add(-5 * time.Minute)) {
				t.Errorf("%d passes: %+v", passes, cur)
			}
		})
	}
}

// TestStoredForm: a window that an earlier version began goes on at its page. Its cursor is written here as that
// version wrote it: numbered pages as numbers, no count of passes where one is enough, sums of rows and of pages.
func TestStoredForm(t *testing.T) {
	pair := func(row thing) []byte { // a row and its change, as two sums of 32 bits
		id, change := fnv.New32a(), fnv.New32a()
		id.Write([]byte(row.id))
		fmt.Fprint(change, row.id, row.changed.UnixNano())
		return binary.LittleEndian.AppendUint64(nil, uint64(id.Sum32())<<32|uint64(change.Sum32()))
	}
	record := func(row thing) []byte {
		id := fnv.New32a()
		id.Write([]byte(row.id))
		return binary.LittleEndian.AppendUint64(nil, uint64(id.Sum32()))
	}
	page := func(text string) []byte {
		h := fnv.New64a()
		h.Write([]byte(text))
		return binary.LittleEndian.AppendUint64(nil, h.Sum64())
	}
	stored := func(w *world, doc string) {
		w.t.Helper()
		doc = fmt.Sprintf(`{"account":"account","since":%q,"from":%q,"newest":%q,"started":%q,%s`,
			ago(90).Format(time.RFC3339Nano), ago(90).Format(time.RFC3339Nano), ago(40).Format(time.RFC3339Nano),
			ago(10).Format(time.RFC3339Nano), doc)
		key := table.Key{PK: "T#" + w.tenant + "#doc", SK: "cursor#" + things}
		if err := w.store.Write(w.t.Context(), table.Put(table.Item{Key: key, Data: []byte(doc)})); err != nil {
			w.t.Fatal(err)
		}
	}
	rows := func() []thing { return []thing{{"a", ago(60)}, {"b", ago(50)}, {"c", ago(40)}} }
	data := func(parts ...[]byte) string { return base64.StdEncoding.EncodeToString(slices.Concat(parts...)) }
	play(t, func(t *testing.T, w *world) { // in the second pass, which brought nothing new so far
		l, all := newList(w, 10, rows()...), rows()
		l.total = func(n int) int { return n }
		stored(w, fmt.Sprintf(
			`"page":2,"passes":2,"pages":1,"total":3,"seen":%q,"shown":%q,"tally":{"rows":2,"marked":1}}`,
			data(pair(all[0]), pair(all[1]), pair(all[2])), data(record(all[0]), record(all[1]))))
		r := l.runner()
		r.do(w.message())
		l.want("2: c")
		if cur := r.cursor(); !cur.Since.Equal(ago(45)) || cur.Last.Rows != 3 || cur.Last.Marked != 1 {
			t.Errorf("%+v", cur)
		}
	})
	play(t, func(t *testing.T, w *world) { // at the first page of the second pass
		l := newList(w, 10, rows()...)
		stored(w, `"page":1,"passes":2,"total":3}`)
		l.runner().do(w.message())
		l.want("1: a b", "2: c", "1: a b", "2: c") // all is new to it, as it was to the earlier version
		if !l.since.Equal(ago(90)) {
			t.Errorf("since %s", l.since)
		}
	})
	play(t, func(t *testing.T, w *world) { // a list whose order is documented
		l := newList(w, 1, rows()...)
		stored(w, fmt.Sprintf(`"after":"2","pages":1,"seen":%q}`, data(page("a|b|"), page("next 2"))))
		r := l.runner()
		r.do(w.message())
		l.want("2: c")
		if cur := r.cursor(); !cur.Since.Equal(ago(45)) || cur.Problem != "" {
			t.Errorf("%+v", cur)
		}
	})
	play(t, func(t *testing.T, w *world) { // likewise, whose pages came back to the first one
		l := newList(w, 1, slices.Concat(rows(), rows(), rows())...)
		stored(w, fmt.Sprintf(`"after":"2","pages":1,"seen":%q}`, data(page("c|a|"), page("next 2"))))
		r := l.runner()
		r.do(w.message())
		l.want("2: c a")
		if cur := r.cursor(); cur.Problem == "" {
			t.Errorf("%+v", cur)
		}
	})
	play(t, func(t *testing.T, w *world) { // a window that was given up, of which a pass was left behind
		l := newList(w, 10, rows()...)
		key := table.Key{PK: "T#" + w.tenant + "#doc", SK: "cursor#" + things}
		doc := fmt.Sprintf(`{"account":"account","since":%q,"passes":1,"pages":3}`, ago(45).Format(time.RFC3339Nano))
		if err := w.store.Write(t.Context(), table.Put(table.Item{Key: key, Data: []byte(doc)})); err != nil {
			t.Fatal(err)
		}
		l.runner().do(w.message())
		l.want("1: c")
	})
}

// TestFaster: a worker that was faster ends the window of a slower one, which neither moves the cursor back nor comes
// again.
func TestFaster(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 1, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)})
		slow := l.runner()
		l.before = func(page string) {
			if page == "2" {
				l.before = nil
				l.runner().do(w.message())
			}
		}
		slow.do(w.message())
		l.want("1: a b", "2: c", "2: c") // the faster one's, and the slower one's
		if cur := slow.cursor(); !cur.Since.Equal(ago(45)) || cur.After != "" || len(slow.sent) > 0 || l.closed != 2 {
			t.Errorf("%+v, sent %v", cur, slow.sent)
		}
	})
}

// TestHeld: the cursor does not pass a change that was left alone for now.
func TestHeld(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 1, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)})
		l.held = ago(55)
		r := l.runner()
		r.do(w.message())
		if cur := r.cursor(); !cur.Since.Equal(ago(60)) || !cur.Held.IsZero() {
			t.Errorf("%+v", cur)
		}
		l.held = time.Time{}
		r.do(w.message())
		if cur := r.cursor(); !cur.Since.Equal(ago(45)) {
			t.Errorf("%+v", cur)
		}
	})
}

// TestDatedAhead: what is dated beyond the vendor's own clock is kept and moves no cursor; a cursor that is ahead of
// either clock is put back to where the list begins.
func TestDatedAhead(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		l := newList(w, 10, thing{"a", ago(60)}, thing{"b", ago(-120)})
		r := l.runner()
		r.do(w.message())
		if cur := r.cursor(); !cur.Since.Equal(ago(65)) || len(l.kept) != 2 {
			t.Errorf("%+v", cur)
		}
		for _, tt := range []struct {
			name  string
			since time.Time
			clock time.Duration
			want  []string
		}{
			{"far ahead of ours", ago(-120), 0, []string{"1: a b"}},
			{"ahead of the vendor's", ago(20), -30 * time.Minute, []string{"1: b", "1: a b"}},
		} {
			cur := r.cursor()
			cur.Since = tt.since
			if err := w.Ledger.SaveCursor(t.Context(), cur); err != nil {
				t.Fatal(err)
			}
			l.clock, l.asked = tt.clock, nil
			r.do(w.message())
			r.sent = nil
			if len(l.asked) < len(tt.want) {
				r.do(w.message())
			}
			l.want(tt.want...)
			if cur := r.cursor(); !cur.Since.Equal(ago(65)) {
				t.Errorf("%s: the cursor is at %s", tt.name, cur.Since)
			}
		}
	})
}

// TestOwnError: what cannot be kept, or said, leaves the cursor where it is, and the queue repeats the message.
func TestOwnError(t *testing.T) {
	away := errors.New("the table is away")
	for _, name := range []string{"keep", "closed"} {
		play(t, func(t *testing.T, w *world) {
			l := newList(w, 1, thing{"a", ago(60)}, thing{"b", ago(50)}, thing{"c", ago(40)})
			switch name {
			case "keep":
				l.Keep = func(context.Context, []thing) (time.Time, error) { return time.Time{}, away }
			case "closed":
				l.Closed = func(context.Context) error { return away }
			}
			r := l.runner()
			if err := r.Do(t.Context(), w.message()); !errors.Is(err, away) {
				t.Errorf("%s: %v", name, err)
			}
			if cur := r.cursor(); !cur.Since.IsZero() && !cur.Since.Equal(l.Begin) || !cur.Checked.IsZero() {
				t.Errorf("%s: %+v", name, cur)
			}
		})
	}
}
