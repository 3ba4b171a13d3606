package mirror

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/testsize"
)

// TestMemory: a list of 100,000 records with several rows each is read, read again, and gone through in order, in no
// more memory than a function has to spare. It says how much that was.
func TestMemory(t *testing.T) {
	const most = 96 << 20
	records := testsize.Of(100_000, 6_000, 0)
	if records == 0 {
		t.Skip("large: left out with -short")
	}
	if !testsize.Alone(t) {
		return
	}
	var peak uint64
	look := func() {
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		peak = max(peak, mem.HeapAlloc)
	}
	watch(t, func(t *testing.T, v *vendor) {
		calls := 0
		v.Kinds[0].Run = v.reads(manyRecords(records, func() { calls++; look() }))
		for _, what := range []string{"first", "second"} {
			began, before := time.Now(), calls
			peak = 0
			if v.do(time.Hour); !v.result.Whole {
				t.Fatalf("%+v", v.state())
			}
			t.Logf("%s pass: %d calls, at most %d KiB", what, calls-before, peak>>10)
			if want := (records + 999) / 1000; calls-before != want || peak > most {
				t.Errorf("%s pass: %d calls, want %d; %d KiB", what, calls-before, want, peak>>10)
			}
			time.Sleep(2*time.Second + time.Since(began))
		}
		peak = 0
		for kind, want := range map[string]int{"thing": records, "look": records, "part": records / 10} {
			n, last := 0, ""
			for r, err := range v.store.Ordered(t.Context(), v.tenant, kind, "") {
				if err != nil || r.ID <= last {
					t.Fatalf("%s after %s: %v", r.ID, last, err)
				}
				if last = r.ID; n%1000 == 0 {
					look()
				}
				n++
			}
			if n != want {
				t.Errorf("%d rows of kind %s, want %d", n, kind, want)
			}
		}
		t.Logf("in order: at most %d KiB", peak>>10)
		if peak > most {
			t.Errorf("in order: %d KiB", peak>>10)
		}
	})
}

// reads is a job that reads one list, of whose records each has a row of two kinds and some a numbered one.
func (v *vendor) reads(page func(n int) Page) func(context.Context, *job.Part) error {
	return func(ctx context.Context, p *job.Part) (err error) {
		v.result, err = v.store.Read(ctx, p, Pass{
			Tenants: v.Tenants, System: acme, Lease: 75 * time.Second, Rows: 1,
			Lists: []List{{Name: "things", Title: "things", Kind: "thing", More: []string{"look", "part"},
				Numbered: []string{"part"},
				Page:     func(_ context.Context, n, _ int) (Page, error) { return page(n), nil }}},
		})
		return err
	}
}

// manyRecords gives so many records, 1,000 a page.
func manyRecords(records int, each func()) func(n int) Page {
	data := func(i, size int) json.RawMessage {
		return fmt.Appendf(nil, `{"n":%d,"text":%q}`, i, strings.Repeat("x", size))
	}
	return func(n int) Page {
		each()
		p := Page{Total: records, More: n*1000 < records}
		for i := (n - 1) * 1000; i < min(n*1000, records); i++ {
			id := fmt.Sprintf("%08x-0000-4000-8000-%012x", uint32(i)*2654435761, i)
			p.Rows = append(p.Rows, Row{Key: Key{"thing", id}, Data: data(i, 300)},
				Row{Key: Key{"look", id}, Data: data(i, 700)})
			if i%10 == 0 {
				p.Rows = append(p.Rows, Row{Key: Numbered("part", id, 0), Data: data(i, 5000)})
			}
		}
		return p
	}
}
