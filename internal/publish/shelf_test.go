package publish_test

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"stockbridge/internal/job"
	"stockbridge/internal/publish"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
)

func TestMain(m *testing.M) {
	testsize.SameDraws()
	m.Run()
}

// TestShelf: whatever is noted, in whatever order, of whatever size, is there, once and in order.
func TestShelf(t *testing.T) {
	w := newWorld(t, filepath.Join(t.TempDir(), "table.db"))
	defer w.store.close()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		set := publish.Set{Name: fmt.Sprint("set", n), Account: "shop"}
		has := map[publish.Key]string{}
		keys := rapid.Custom(func(t *rapid.T) publish.Key {
			return publish.Key{Group: rapid.SampledFrom([]string{"", "a", "a b", "b"}).Draw(t, "group"),
				ID: fmt.Sprint(rapid.IntRange(0, 800).Draw(t, "id"))}
		})
		for range rapid.IntRange(1, 12).Draw(t, "times") {
			var seen []publish.Seen
			some := rapid.SliceOfNDistinct(keys, 0, 400, rapid.ID).Draw(t, "keys")
			gone := rapid.IntRange(0, 3).Draw(t, "gone")
			size := rapid.SampledFrom([]int{1, 1, 50, 5000}).Draw(t, "size")
			for i, k := range some {
				s := publish.Seen{Record: publish.Record{Key: k}}
				if i%4 >= gone {
					has[k] = strings.Repeat("x", size+i%3)
					s.Data = data(has[k])
				} else {
					delete(has, k)
				}
				seen = append(seen, s)
			}
			if err := w.Learn(context.Background(), w.tenant, set, seen...); err != nil {
				t.Fatal(err)
			}
		}
		var after publish.Key
		if len(has) > 0 && rapid.Bool().Draw(t, "from the middle") {
			after = rapid.SampledFrom(keysOf(has)).Draw(t, "after")
		}
		want := slices.DeleteFunc(keysOf(has), func(k publish.Key) bool { return compare(k, after) <= 0 })
		for e, err := range w.All(context.Background(), w.tenant, set, after) {
			if err != nil {
				t.Fatal(err)
			}
			if len(want) == 0 || e.Key != want[0] || text(e.Told) != has[e.Key] {
				t.Fatalf("%v is there, want %v", e.Key, want[:min(1, len(want))])
			}
			want = want[1:]
		}
		if len(want) > 0 {
			t.Fatalf("%v is not there", want[0])
		}
	})
}

// TestNotable: what is of note among many records is found without reading the others, and after a key.
func TestNotable(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.most = 200
		for i := range 2000 {
			w.want[key(fmt.Sprintf("a/%04d", i))] = "x"
		}
		w.sync()
		for _, i := range []int{3, 4, 700, 1999} {
			w.want[key(fmt.Sprintf("a/%04d", i))] = "y"
		}
		w.hold = func(publish.Change) string { return "Look." }
		w.sync()
		page, err := w.store.Query(t.Context(), table.Query{PK: tenant.Partition(w.tenant) + "#told#" + goods})
		if n := len(page.Items); err != nil || n < 2000/150 || n > 2000/50 {
			t.Errorf("%d chunks, %v", n, err)
		}
		if got := w.notable(); got != "held a/0003, held a/0004, held a/0700, held a/1999" {
			t.Errorf("notable: %s", got)
		}
		var list []string
		for e, err := range w.Notable(t.Context(), w.tenant, w.set(), key("a/0004")) {
			if err != nil {
				t.Fatal(err)
			}
			list = append(list, e.ID)
		}
		if !slices.Equal(list, []string{"0700", "1999"}) {
			t.Errorf("after 0004: %v", list)
		}
		w.decide(publish.Approve, "a/1999", "a/0003", "a/0700", "a/0003")
		w.sync()
		if got := w.notable(); got != "held a/0004" {
			t.Errorf("notable: %s", got)
		}
		w.agree("a/0004")
	})
}

// TestLittleIsRead: records that are asked for together are read together, and how many are in a state is known without
// reading them, whatever else is of note.
func TestLittleIsRead(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		w.far.most = 500
		for i := range 3000 {
			w.want[key(fmt.Sprintf("a/%04d", i))] = "x"
		}
		w.hold = func(c publish.Change) string {
			if c.ID >= "2000" {
				return "Look."
			}
			return ""
		}
		w.sync()
		var declined []string
		for i := range 700 {
			declined = append(declined, fmt.Sprintf("a/%04d", 2000+i))
		}
		w.decide(publish.Decline, declined...)
		w.store.reads.Store(0)
		counts, err := w.Count(t.Context(), w.tenant, w.set(), 1000)
		if err != nil || counts[publish.IsHeld] != 300 || counts[publish.IsDeclined] != 700 || len(counts) != 2 {
			t.Errorf("%v, %v", counts, err)
		}
		if counts, _ := w.Count(t.Context(), w.tenant, w.set(), 50); counts[publish.IsHeld] != 50 {
			t.Errorf("up to 50: %v", counts)
		}
		if n := w.store.reads.Load(); n > 0 {
			t.Errorf("counted with %d reads", n)
		}

		var keys []publish.Key
		for i := range 100 {
			keys = append(keys, key(fmt.Sprintf("a/%04d", 100+i)), key(fmt.Sprintf("b/%04d", i)))
		}
		list, err := w.Entries(t.Context(), w.tenant, w.set(), keys...)
		if err != nil || len(list) != 100 || list[0].ID != "0100" || list[99].ID != "0199" {
			t.Errorf("%d entries, %v", len(list), err)
		}
		w.store.reads.Store(0)
		keys = slices.DeleteFunc(keys, func(k publish.Key) bool { return k.Group == "b" })
		_, err = w.Entries(t.Context(), w.tenant, w.set(), keys...)
		if n := w.store.reads.Load(); err != nil || n > 8 {
			t.Errorf("100 records are %d reads, %v", n, err)
		}
	})
}

// many is a far side that takes anything and keeps nothing.
type many struct {
	told int
	peak uint64
}

// look looks at the memory that is in use.
func (m *many) look() {
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	m.peak = max(m.peak, mem.HeapInuse+mem.StackInuse)
}

func (*many) Most() int { return 500 }

func (m *many) Put(_ context.Context, batch []publish.Telling) (a publish.Answer, err error) {
	if m.told += len(batch); m.told%5000 < len(batch) {
		m.look()
	}
	for _, t := range batch {
		a.Results = append(a.Results, publish.Result{ID: t.ID})
	}
	return a, nil
}

func (*many) Follow(context.Context, string, []publish.Telling) (a publish.Answer, err error) {
	return a, nil
}

// TestMemory: a hundred thousand records, in make full fewer, stream through: told, told anew, looked through, and
// taken away.
func TestMemory(t *testing.T) {
	testsize.Large(t)
	if !testsize.Alone(t) {
		return
	}
	w := newWorld(t, filepath.Join(t.TempDir(), "table.db"))
	defer w.store.close()
	records := testsize.Of(100_000, 20_000, 0)
	far, round := new(many), "x"
	count, body := records, strings.Repeat("a description ", 20)
	set := publish.Set{Name: goods, Account: "shop", Title: "goods", To: far,
		Want: func(_ context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
			return func(yield func(publish.Record, error) bool) {
				for i := range count {
					k := publish.Key{Group: fmt.Sprintf("%02d", i/2_000), ID: fmt.Sprintf("%06d", i)}
					if compare(k, after) <= 0 {
						continue
					}
					if i%5000 == 0 {
						far.look()
					}
					d, _ := json.Marshal(map[string]string{"name": k.ID, "text": body, "round": round})
					if !yield(publish.Record{Key: k, Data: d}, nil) {
						return
					}
				}
			}
		}}
	w.runner.Kinds[0].Run = func(ctx context.Context, p *job.Part) error {
		_, err := w.Sync(ctx, p, set)
		return err
	}
	for _, tt := range []struct {
		name, round string
		count, told int
	}{{"new", "x", records, records}, {"unchanged", "x", records, 0}, {"changed", "y", records, records},
		{"gone", "y", 0, records}} {
		begun := time.Now()
		far.told, round, count, far.peak = 0, tt.round, tt.count, 0
		w.store.writes.Store(0)
		if w.do(job.Message{Job: goods, Tenant: w.tenant}) || far.told != tt.told {
			t.Errorf("%s: told %d", tt.name, far.told)
		}
		if far.peak > 64<<20 {
			t.Errorf("%s: %d MiB", tt.name, far.peak>>20)
		}
		took := time.Since(begun).Round(time.Millisecond)
		t.Logf("%s: %d MiB at most, %d writes, %s", tt.name, far.peak>>20, w.store.writes.Load(), took)
	}
}
