package mirror

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

const acme = tenant.JOOR // any system

// vendor is a simulated far side with a book and two lists, and a tenant who has its mirror.
type vendor struct {
	*job.Runner
	t      *testing.T
	store  *Store
	tenant string
	things []string // ids, in the list's order
	sizes  []string
	more   int                      // records that the vendor counts and does not list
	fail   func(asked string) error // nil = nothing fails
	slow   time.Duration
	asked  []string
	kept   int // times that the books were written
	fold   int
	result Result
	sent   []time.Duration
}

func watch(t *testing.T, f func(t *testing.T, v *vendor)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.db")
	synctest.Test(t, func(t *testing.T) {
		tab, err := table.Open(path, table.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer tab.Close()
		box, err := tenant.NewBox(bytes.Repeat([]byte{1}, 32))
		if err != nil {
			t.Fatal(err)
		}
		v := &vendor{t: t, store: New(tab), fold: 1}
		v.things, v.sizes = []string{"a", "b", "c", "d", "e"}, []string{"s", "m", "l"}
		v.Runner = &job.Runner{
			Verdicts: &job.Verdicts{
				Tenants: tenant.NewStore(tab, box), Ledger: ledger.New(tab), Now: time.Now, Times: job.DefaultTimes(),
			},
			Kinds: []job.Kind{{Name: "mirror", Needs: []tenant.System{acme}, Queue: job.Catalog, Run: v.read}},
			Send: func(_ context.Context, _ job.Queue, _ job.Message, delay time.Duration) error {
				v.sent = append(v.sent, delay)
				return nil
			},
		}
		made, _, err := v.Tenants.Create(t.Context(), "Harbour Roasters", "")
		if err != nil {
			t.Fatal(err)
		}
		v.tenant = made.ID
		v.connect("first key")
		f(t, v)
	})
}

func (v *vendor) connect(key tenant.Secret) {
	v.t.Helper()
	save := func(c *tenant.Connection, s *tenant.Secrets) error { c.Account, s.Key = "account", key; return nil }
	if _, _, err := v.Tenants.Connect(v.t.Context(), v.tenant, acme, save); err != nil {
		v.t.Fatal(err)
	}
}

// state is how far the mirror is.
func (v *vendor) state() State {
	v.t.Helper()
	b, err := v.Tenants.Load(v.t.Context(), v.tenant)
	if err != nil {
		v.t.Fatal(err)
	}
	return Progress.Of(b.Connections[acme])
}

func (v *vendor) generation() int {
	v.t.Helper()
	c, err := v.Tenants.Connection(v.t.Context(), v.tenant, acme)
	if err != nil {
		v.t.Fatal(err)
	}
	return c.Generation
}

// call is one call to the vendor.
func (v *vendor) call(what string) error {
	time.Sleep(v.slow)
	if v.fail != nil {
		if err := v.fail(what); err != nil {
			return err
		}
	}
	v.asked = append(v.asked, what)
	return nil
}

func (v *vendor) list(name, kind string, ids *[]string) List {
	return List{Name: name, Title: name, Kind: kind, Page: func(_ context.Context, n, parts int) (Page, error) {
		const size = 2
		if err := v.call(fmt.Sprint(name, " ", n)); err != nil {
			return Page{}, err
		}
		from, to := min((n-1)*size, len(*ids)), min(n*size, len(*ids))
		p := Page{Total: len(*ids) + v.more, More: to < len(*ids)}
		for _, id := range (*ids)[from:to] {
			data, _ := json.Marshal(map[string]string{"text": id})
			name := Name{Key: Key{kind + "name", fmt.Sprint("name", v.fold, " ", id)}}
			p.Rows = append(p.Rows, Row{Key: Key{kind, id}, Data: data, Names: []Name{name}})
		}
		return p, nil
	}}
}

func (v *vendor) read(ctx context.Context, p *job.Part) (err error) {
	book := func(name string) Book {
		return Book{Name: name, Title: name, Read: func(context.Context) error { return v.call(name) }}
	}
	v.result, err = v.store.Read(ctx, p, Pass{
		Tenants: v.Tenants, System: acme, Lease: 75 * time.Second, Books: []Book{book("terms"), book("rates")},
		Keep:  func(context.Context) error { v.kept++; return nil },
		Lists: []List{v.list("things", "thing", &v.things), v.list("sizes", "size", &v.sizes)},
		Fold:  v.fold,
	})
	return err
}

// do does a part of the pass that has so much time.
func (v *vendor) do(time time.Duration) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), time)
	defer cancel()
	v.asked, v.sent, v.kept = nil, nil, 0
	if err := v.Do(ctx, job.Message{Job: "mirror", Tenant: v.tenant}); err != nil {
		v.t.Fatal(err)
	}
}

func (v *vendor) want(asked string, r Result, goesOn bool) {
	v.t.Helper()
	if got := strings.Join(v.asked, ", "); got != asked || v.result != r || goesOn != (len(v.sent) == 1) {
		v.t.Errorf("asked %s: %+v, sent %v; want %s: %+v, goes on %t", got, v.result, v.sent, asked, r, goesOn)
	}
	time.Sleep(2 * time.Second) // the turn is over
}

// rows are the ids of a kind that the mirror holds.
func (v *vendor) rows(kind string) (ids []string) {
	v.t.Helper()
	for row, err := range v.store.All(v.t.Context(), v.tenant, kind) {
		if err != nil {
			v.t.Fatal(err)
		}
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	return ids
}

const all = "terms, rates, things 1, things 2, things 3, sizes 1, sizes 2"

// TestReadWhole: a pass reads all there is, and removes what is gone.
func TestReadWhole(t *testing.T) {
	watch(t, func(t *testing.T, v *vendor) {
		v.do(time.Minute)
		v.want(all, Result{Whole: true, First: true}, false)
		if m := v.state(); v.kept != 2 || !m.IsReady() || m.Ready.IsZero() || m.Step != "" {
			t.Errorf("the first pass: books were written %d times; %+v", v.kept, m)
		}
		v.things, v.sizes = []string{"e", "x", "a"}, []string{"l"}
		v.do(time.Minute)
		v.want("terms, rates, things 1, things 2, things 1, things 2, sizes 1", Result{Whole: true, Removed: 5}, false)
		if v.kept != 1 {
			t.Errorf("the second pass: books were written %d times", v.kept)
		}
		if got := fmt.Sprint(v.rows("thing"), v.rows("size")); got != "[a e x] [l]" {
			t.Errorf("it holds %s", got)
		}
	})
}

// TestReadOn: a pass that time cuts off goes on where it was, and knows what its earlier parts have seen.
func TestReadOn(t *testing.T) {
	watch(t, func(t *testing.T, v *vendor) {
		v.do(time.Minute)
		v.things = []string{"e", "d", "c", "x", "a"} // b is gone
		v.slow = 5 * time.Second
		var asked []string
		for n := 0; ; n++ {
			v.do(31 * time.Second)
			asked = append(asked, v.asked...)
			if v.result.Whole {
				break
			}
			if len(v.sent) != 1 || n > 10 {
				t.Fatalf("sent %v after %s", v.sent, asked)
			}
			time.Sleep(2 * time.Second)
		}
		const twice = "terms, rates, things 1, things 2, things 3, things 1, things 2, things 3, sizes 1, sizes 2"
		if got := strings.Join(asked, ", "); got != twice {
			t.Errorf("asked %s", got)
		}
		if got := fmt.Sprint(v.rows("thing")); got != "[a c d e x]" {
			t.Errorf("it holds %s", got)
		}
	})
}

// TestReadTotal: nothing is removed by a pass that has not seen as many records as the vendor counts.
func TestReadTotal(t *testing.T) {
	watch(t, func(t *testing.T, v *vendor) {
		v.do(time.Minute)
		v.things, v.more = []string{"a"}, 1
		v.do(time.Minute)
		if v.result != (Result{Whole: true}) || len(v.rows("thing")) != 5 {
			t.Errorf("%+v: %v", v.result, v.rows("thing"))
		}
	})
}

// TestReadFolded: rows of a mirror that folds names otherwise are written anew, though they are the same.
func TestReadFolded(t *testing.T) {
	watch(t, func(t *testing.T, v *vendor) {
		v.do(time.Minute)
		v.fold = 2
		v.do(time.Minute)
		if m := v.state(); m.Fold != 2 {
			t.Errorf("%+v", m)
		}
		found, _, err := v.store.Find(t.Context(), v.tenant, []Key{{"thingname", "name2 a"}})
		if err != nil || len(found) != 1 {
			t.Errorf("%v: %v", found, err)
		}
	})
}

// TestReadFails: what holds a pass up is said, it comes back later each time, and what was read stays read.
func TestReadFails(t *testing.T) {
	failed := func(e rest.Error) error {
		e.Who = string(acme)
		return &e
	}
	watch(t, func(t *testing.T, v *vendor) {
		v.fail = func(asked string) error {
			if asked == "things 2" {
				return failed(rest.Error{Kind: rest.Unavailable, Status: 503})
			}
			return nil
		}
		v.do(time.Minute)
		v.want("terms, rates, things 1", Result{}, true)
		const why = "JOOR gave no usable answer (status 503). Reading its things goes on by itself."
		if m := v.state(); m.Problem != why || m.Step != "things" || m.Page != 2 || m.State != Reading {
			t.Errorf("%+v", m)
		}
		for range 6 {
			time.Sleep(15 * time.Minute)
			v.do(time.Minute)
		}
		now := time.Now()
		turn, _, err := v.store.takeTurn(t.Context(), v.tenant, fmt.Sprint("joor#", v.generation()), now.Add(time.Hour),
			now)
		if err != nil || turn.Failures != 7 {
			t.Errorf("%+v: %v", turn, err)
		}
		time.Sleep(time.Hour)
		v.fail = nil
		v.do(time.Minute)
		v.want("things 2, things 3, sizes 1, sizes 2", Result{Whole: true, First: true}, false)
		if m := v.state(); m.Problem != "" {
			t.Error(m.Problem)
		}
	})
	watch(t, func(t *testing.T, v *vendor) { // books that were read are kept, whatever fails after them
		v.do(time.Minute)
		v.want(all, Result{Whole: true, First: true}, false)
		v.fail = func(asked string) error {
			if asked == "rates" {
				return failed(rest.Error{Kind: rest.Unauthorized, Status: 401})
			}
			return nil
		}
		v.do(time.Minute)
		v.want("terms", Result{}, false) // whoever saves a new key starts it again
		if v.kept != 1 {
			t.Error("the terms were not kept")
		}
	})
	watch(t, func(t *testing.T, v *vendor) { // an error of our own
		v.fail = func(string) error { return errors.New("the table is away") }
		if err := v.Do(t.Context(), job.Message{Job: "mirror", Tenant: v.tenant}); err == nil || len(v.sent) > 0 {
			t.Errorf("%v, sent %v", err, v.sent)
		}
	})
}

// TestReadTurn: one worker reads at a time, and none goes on for a connection that is another one by now.
func TestReadTurn(t *testing.T) {
	watch(t, func(t *testing.T, v *vendor) {
		busy := false
		v.fail = func(asked string) error {
			if asked == "things 1" && !busy {
				busy = true
				was := v.asked
				v.do(time.Minute)
				v.want("", Result{}, false)
				v.asked = was
			}
			return nil
		}
		v.do(time.Minute)
		v.want(all, Result{Whole: true, First: true}, false)
		v.fail = func(asked string) error {
			if asked == "things 2" {
				v.connect("another key")
			}
			return nil
		}
		v.do(time.Minute)
		v.want("terms, rates, things 1, things 2", Result{}, false)
	})
}

// TestReadPatiently: a moment's wait for the limiter is waited, a longer one comes back.
func TestReadPatiently(t *testing.T) {
	watch(t, func(t *testing.T, v *vendor) {
		wait := time.Second
		v.fail = func(asked string) error {
			if asked != "things 1" || wait == 0 {
				return nil
			}
			until := time.Now().Add(wait)
			if wait < time.Minute {
				wait = 0
			}
			return &rest.Error{Kind: rest.Waiting, Who: string(acme), Err: &rest.Wait{Until: until}}
		}
		v.do(time.Minute)
		v.want(all, Result{Whole: true, First: true}, false)
		wait = time.Minute
		v.do(time.Minute)
		v.want("terms, rates", Result{}, true)
		if v.sent[0] < time.Minute || v.sent[0] > 62*time.Second {
			t.Errorf("sent %v", v.sent)
		}
	})
}

// TestReadMoved: what moves between two pages while they are read is not taken for gone, however many records the
// vendor counts; what is gone is found all the same.
func TestReadMoved(t *testing.T) {
	watch(t, func(t *testing.T, v *vendor) {
		v.do(time.Minute)
		v.things = []string{"a", "b", "c", "d", "e"}
		moved := false
		v.fail = func(asked string) error {
			if asked == "things 2" && !moved {
				moved = true
				v.things = []string{"b", "c", "d", "e", "x"} // a goes, c moves up to the page that was read, x comes
			}
			return nil
		}
		v.do(time.Minute)
		v.want("terms, rates, things 1, things 2, things 3, things 1, things 2, things 3, sizes 1, sizes 2",
			Result{Whole: true}, false)
		if got := fmt.Sprint(v.rows("thing")); got != "[a b c d e x]" {
			t.Errorf("it holds %s", got)
		}
		v.do(time.Minute)
		if got := fmt.Sprint(v.rows("thing"), v.result.Removed); got != "[b c d e x] 1" {
			t.Errorf("then it holds %s", got)
		}
	})
}

// parted has each thing have a row more, and as many numbered ones as its number says.
func (v *vendor) parted(l List, numbers map[string]int) List {
	l.More, l.Numbered = []string{"look", "part"}, []string{"part"}
	page := l.Page
	l.Page = func(ctx context.Context, n, parts int) (Page, error) {
		p, err := page(ctx, n, parts)
		for _, r := range p.Rows {
			p.Rows = append(p.Rows, Row{Key: Key{"look", r.ID}, Data: r.Data})
			for n := range numbers[r.ID] {
				p.Rows = append(p.Rows, Row{Key: Numbered("part", r.ID, n), Data: r.Data})
			}
		}
		return p, err
	}
	return l
}

// TestReadParts: rows of several kinds stand for a record; those that it has no more go at once, those of a record that
// is gone with it, wherever the pass breaks off. Only a pass that wrote all kinds says so.
func TestReadParts(t *testing.T) {
	for _, time1 := range []time.Duration{time.Minute, 31 * time.Second} {
		watch(t, func(t *testing.T, v *vendor) {
			numbers := map[string]int{"b": 5, "c": 1, "e": 2}
			rows := 0
			pass := func(what []string) {
				v.things = what
				for n := 0; ; n++ {
					v.do(time1)
					if v.result.Whole {
						break
					}
					if n > 20 {
						t.Fatal("it comes to no end")
					}
					time.Sleep(2 * time.Second)
				}
				time.Sleep(2 * time.Second)
				if m := v.state(); m.Rows != rows {
					t.Errorf("%+v", m)
				}
			}
			pass(v.things) // before records had parts
			v.slow = 5 * time.Second
			i := slices.IndexFunc(v.Kinds, func(k job.Kind) bool { return k.Name == "mirror" })
			v.Kinds[i].Run = func(ctx context.Context, p *job.Part) (err error) {
				v.result, err = v.store.Read(ctx, p, Pass{
					Tenants: v.Tenants, System: acme, Lease: 75 * time.Second, Fold: v.fold, Rows: rows,
					Lists: []List{v.parted(v.list("things", "thing", &v.things), numbers)},
				})
				return err
			}
			rows = 1
			pass(v.things)
			want := func(want string, removed int) {
				t.Helper()
				got := fmt.Sprint(v.rows("thing"), v.rows("look"), v.rows("part"))
				if got != want || v.result.Removed != removed {
					t.Errorf("%s, %d removed; want %s", got, v.result.Removed, want)
				}
			}
			want("[a b c d e] [a b c d e] [b#000 b#001 b#002 b#003 b#004 c#000 e#000 e#001]", 0)
			numbers["b"], numbers["c"] = 1, 0
			v.asked = nil
			v.more = 1 // a pass that proves nothing
			pass(v.things)
			want("[a b c d e] [a b c d e] [b#000 e#000 e#001]", 0)
			v.more = 0
			pass([]string{"a", "b", "c", "d"})
			want("[a b c d] [a b c d] [b#000]", 1)
		})
	}
}

// TestReadLarge: a page that is too large is read in parts, from where the reading is, and nothing is lost.
func TestReadLarge(t *testing.T) {
	watch(t, func(t *testing.T, v *vendor) {
		v.things = nil
		for n := range 1200 {
			v.things = append(v.things, fmt.Sprintf("%04d", n))
		}
		heavy := map[string]int{"0730": 700, "0731": 400, "1199": 2000}
		v.Kinds[0].Run = func(ctx context.Context, p *job.Part) (err error) {
			v.result, err = v.store.Read(ctx, p, Pass{
				Tenants: v.Tenants, System: acme, Lease: 75 * time.Second,
				Lists: []List{{Name: "things", Title: "things", Kind: "thing",
					Page: func(_ context.Context, n, parts int) (Page, error) {
						if err := v.call(fmt.Sprintf("%d/%d", n, parts)); err != nil {
							return Page{}, err
						}
						size, weight := 500/parts, 0
						ids := v.things[min((n-1)*size, len(v.things)):min(n*size, len(v.things))]
						p := Page{Total: len(v.things), More: n*size < len(v.things)}
						for _, id := range ids {
							weight += 1 + heavy[id]
							p.Rows = append(p.Rows, Row{Key: Key{"thing", id}, Data: json.RawMessage(`{}`)})
						}
						if weight > 1000 && size > 4 {
							return Page{}, ErrLarge
						}
						return p, nil
					}}},
			})
			return err
		}
		v.slow = 2 * time.Second
		var asked []string
		for n := 0; n == 0 || !v.result.Whole; n++ {
			if v.do(40 * time.Second); n > 40 {
				t.Fatalf("it comes to no end: %+v", v.state())
			}
			if n == 0 {
				const want = "1/1, 2/1, 6/5, 7/5, 8/5, 36/25, 37/25"
				if got := strings.Join(v.asked, ", "); !strings.HasPrefix(got, want) {
					t.Errorf("asked %s; want %s", got, want)
				}
			}
			asked = append(asked, v.asked...)
			time.Sleep(2 * time.Second)
		}
		if got := v.rows("thing"); !slices.Equal(got, v.things) {
			t.Errorf("it holds %d rows", len(got))
		}
		const want = "40/25, 9/5, 10/5, 3/1, 11/5" // as usual again, until the next one that is too large
		if got := strings.Join(asked, ", "); !strings.Contains(got, want) {
			t.Errorf("asked %s", got)
		}
	})
}
