package upstockcin7_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simupstock "stockbridge/internal/sim/upstock"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func (w *world) backfill() upstockcin7.Backfill {
	w.t.Helper()
	return must[upstockcin7.Backfill](w)(w.pair().BackfillState(context.Background(), w.tenant))
}

func (w *world) startBackfill(from, to string) upstockcin7.Backfill {
	w.t.Helper()
	return must[upstockcin7.Backfill](w)(w.pair().StartBackfill(context.Background(), w.tenant, day(from), day(to)))
}

func (w *world) preview(from, to, after string) upstockcin7.BackfillPreview {
	w.t.Helper()
	return must[upstockcin7.BackfillPreview](w)(w.pair().PreviewBackfill(context.Background(), w.tenant, day(from),
		day(to), after, 100))
}

// filled wants the backfill's state and counts.
func (w *world) filled(want upstockcin7.Backfill) {
	w.t.Helper()
	b := w.backfill()
	got := upstockcin7.Backfill{State: b.State, Listed: b.Listed, Taken: b.Taken, Known: b.Known,
		Cancelled: b.Cancelled, Shipped: b.Shipped, Attention: b.Attention}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("%+v, want %+v", b, want)
	}
	if b.State == upstockcin7.BackfillDone && (b.Percent() != 100 || b.Why != "" || b.Finished.IsZero()) {
		w.t.Errorf("done: %+v", b)
	}
}

// The days of the stories: the year 1999 is before the connection was made.
const first, last = "1999-12-20", "1999-12-24"

func in1999(day int, hour time.Duration) time.Time {
	zone, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		panic(err)
	}
	return time.Date(1999, 12, day, 0, 0, 0, 0, zone).Add(hour * time.Hour)
}

// TestBackfill: previewed, started, stopped by nothing, and done again; each
// order of the days is sold once, at a look, another for other people's sale,
// and the two calls that make it.
func TestBackfill(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		if b := w.backfill(); b.State != upstockcin7.BackfillNone {
			t.Errorf("%+v", b)
		}
		early, late := w.listed(in1999(20, 0).Add(-time.Millisecond), ""), 0
		var ids []int
		for d := 20; d <= 24; d++ {
			ids = append(ids, w.listed(in1999(d, 0), ""))
		}
		ids = append(ids, w.listed(in1999(24, 24).Add(-time.Millisecond), ""))
		gone, away := w.listed(in1999(24, 23), `"status":"cancelled"`), w.listed(in1999(24, 23), `"status":"shipped"`)
		broken := w.listed(in1999(24, 23), `"status":"processing","currency":"XXX"`)
		late = w.listed(in1999(25, 0), "")

		w.fault(sim.Fault{Match: "GET /me", Kind: "before", How: "500"})
		v := w.preview(first, last, "")
		if it := v.Items[len(v.Items)-1]; v.Counts[upstockcin7.OutcomeUnknown] != 1 || it.ID != strconv.Itoa(broken) ||
			!strings.Contains(it.Problems[0].Message, "no usable answer") {
			t.Errorf("where Cin7 Core gives no answer: %+v", v.Counts)
		}
		time.Sleep(time.Second)
		start := time.Now()
		v = w.preview(first, last, "")
		if len(v.Items) != 9 || v.Next != "" || len(v.Problems) > 0 || v.Counts[upstockcin7.OutcomeSell] != 6 ||
			v.Counts[upstockcin7.OutcomeCancelled] != 1 ||
			v.Counts[upstockcin7.OutcomeShipped] != 1 || v.Counts[upstockcin7.OutcomeAttention] != 1 {
			t.Fatalf("%+v", v)
		}
		for _, it := range v.Items {
			if it.Outcome == upstockcin7.OutcomeSell &&
				(it.SaleTotal == "" || it.SaleTotal != it.OrderTotal || it.Approved.IsZero() || it.Number == "") {
				t.Errorf("%+v", it)
			}
			if it.Outcome == upstockcin7.OutcomeAttention && (len(it.Problems) == 0 || it.ID != strconv.Itoa(broken)) {
				t.Errorf("%+v", it)
			}
		}
		// for the unknown currency
		if calls := w.coreCalls(start); len(calls) != 1 || calls[0] != "GET /me" || w.run(ids[0]) != nil {
			t.Errorf("a preview of six orders costs %v", calls)
		}
		time.Sleep(time.Second)
		start = time.Now()

		b := w.startBackfill(first, last)
		if b.State != upstockcin7.BackfillRunning || b.Percent() != 0 {
			t.Errorf("%+v", b)
		}
		w.startBackfill(first, last)
		if _, err := w.pair().StartBackfill(context.Background(), w.tenant, day(first), day(first)); !errors.Is(err,
			upstockcin7.ErrBackfillRunning) {
			t.Errorf("beside it: %v", err)
		}
		w.turn(20 * time.Minute)
		done := upstockcin7.Backfill{State: upstockcin7.BackfillDone, Listed: 9, Taken: 7, Cancelled: 1, Shipped: 1}
		w.filled(done)
		for _, id := range ids {
			w.says(w.sold(id).Timeline[0].Text, "Taken in by a backfill")
		}
		n := 0
		for _, c := range w.coreCalls(start) {
			if c == "GET /saleList" {
				n++
			}
		}
		// six orders at four calls; the broken one is looked for, and its currency
		if calls := w.coreCalls(start); n != 13 || len(calls) != 26 {
			t.Errorf("%d looks, %d calls: %v", n, len(calls), calls)
		}
		if w.run(gone).State != order.Cancelled || w.run(away) != nil || w.run(early) != nil || w.run(late) != nil ||
			w.run(broken).State != ledger.Attention {
			t.Error("what is not to be sold was")
		}
		if texts := w.eventTexts("backfill"); len(texts) != 1 || !strings.Contains(texts[0], "done") {
			t.Error(texts)
		}

		v = w.preview(first, last, "")
		if v.Counts[upstockcin7.OutcomeKnown] != 7 || v.Items[0].State != order.Sold || v.Items[0].SaleTotal == "" {
			t.Errorf("%+v", v)
		}
		w.startBackfill(first, last)
		w.turn(20 * time.Minute)
		w.filled(upstockcin7.Backfill{State: upstockcin7.BackfillDone, Listed: 9, Known: 7, Cancelled: 1, Shipped: 1})
		for _, id := range ids {
			w.sold(id)
		}
	})
}

// TestBackfillOthersSale: an order from before the connection that was sold by
// other means is not sold again.
func TestBackfillOthersSale(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id := w.listed(in1999(22, 3), "")
		time.Sleep(time.Hour)
		customer, _ := w.ids(id)
		w.core(http.MethodPost, "/sale",
			fmt.Sprintf(`{"CustomerID":%q,"CustomerReference":%q}`, customer, w.reference(w.preview(first, last, ""))))
		w.startBackfill(first, last)
		w.turn(10 * time.Minute)
		w.attention(id, "foreignSale")
		if len(w.sales(id)) != 0 {
			t.Error("it was sold again")
		}
	})
}

// TestBackfillShownAsSold: where Upstock itself says what an order became, and no
// sale of ours is found, it is a person's: the sale of other means may have
// another reference, customer or account than ours would have.
func TestBackfillShownAsSold(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		id, again := w.listed(in1999(22, 3), ""), w.listed(in1999(22, 4), "")
		time.Sleep(time.Hour)
		for _, id := range []int{id, again} {
			w.putOrder(id, "external", `{"system":"cin7core","number":"SO-07777"}`)
		}
		if v := w.preview(first, last, ""); v.Counts[upstockcin7.OutcomeAttention] != 2 ||
			!strings.Contains(v.Items[0].Problems[0].Message, "SO-07777") {
			t.Errorf("%+v", v)
		}
		w.startBackfill(first, last)
		w.turn(10 * time.Minute)
		for _, id := range []int{id, again} {
			w.attention(id, "foreignSale", "SO-07777")
			if len(w.sales(id)) != 0 {
				t.Error("it was sold again")
			}
		}
		w.retry(id, false)
		w.attention(id, "foreignSale", "SO-07777")
		w.retry(id, true)
		w.sold(id)
	})
}

// reference is what the only order of a preview has as its customer reference in Cin7 Core.
func (w *world) reference(v upstockcin7.BackfillPreview) string {
	w.t.Helper()
	o := must[simupstock.OrderSummary](w)(w.simUpstock.Order(must[int](w)(strconv.Atoi(v.Items[0].ID))))
	p := must[upstockcin7.Preview](w)(w.pair().Preview(context.Background(), w.bundle(), o.JSON))
	return p.Plan.Header.CustomerReference
}

// turnWhatever lets the world turn with sweeps that may fail.
func (w *world) turnWhatever(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(time.Minute) {
		_ = w.sweep()
	}
}

// TestBackfillCrashes: each write and message of a backfill of several pages
// fails before, after, or is its process's last: it ends all the same, its
// counts are true, and each order is sold once.
func TestBackfillCrashes(t *testing.T) {
	testsize.Large(t)
	testsize.OneSize(t)
	t.Parallel()
	hit := map[string]bool{}
	for n := range 14 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				c := w.spoils(8, "doc", "send shipments", "event")[n]
				for i, f := range []fault{before, after, die} {
					at := in1999(1+i, 0)
					var ids []int
					for k := range 5 {
						ids = append(ids, w.listed(at.Add(time.Duration(k)*time.Hour), ""))
					}
					w.listed(at.Add(6*time.Hour), `"status":"cancelled"`)
					on := fmt.Sprintf("1999-12-%02d", 1+i)
					w.arm(c, f, hit)
					if _, err := w.pair().StartBackfill(context.Background(), w.tenant, day(on), day(on)); err != nil {
						time.Sleep(time.Minute)
						w.startBackfill(on, on)
					}
					for range 3 { // one of its messages may be the one that goes wrong
						_ = w.process("schedule").app.Schedule(context.Background(),
							json.RawMessage(`{"job":"reconcile"}`))
						w.turnWhatever(10 * time.Minute)
					}
					w.disarm()
					w.reconciles(20 * time.Minute)
					w.filled(upstockcin7.Backfill{State: upstockcin7.BackfillDone, Listed: 6, Taken: 5, Cancelled: 1})
					for _, id := range ids {
						if v := w.verdict(id); v != "" {
							t.Fatalf("%+v %s: %s\n%s", c, f, v, timeline(w.run(id)))
						}
					}
				}
			})
		})
	}
	if !testing.Short() {
		wentWrong(t, hit, "#doc", "#order", "#event", "send orders", "send shipments")
	}
}

// TestBackfillPages: progress is kept page by page, at a pace; it goes on after
// a lost message, a refused page, and errors of Upstock.
func TestBackfillPages(t *testing.T) {
	live(t, 4, 0, func(t *testing.T, h *house) {
		ctx := t.Context()
		for i := range 9 {
			h.listed(in1999(20, time.Duration(i*12)), "")
		}
		n := 0
		h.idle()
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			if !isList(req) {
				return nil, nil
			}
			switch n++; {
			case n == 2 || n == 3:
				return page(503, "{}"), nil
			case n == 5:
				return page(422, `{"error":{"message":"after is unknown"}}`), nil
			}
			return paged(h, req)
		}
		if _, err := h.app.Pair.StartBackfill(ctx, h.tenant, day(first), day(last)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		b := h.backfill()
		if b.Listed != 2 || b.Taken != 2 || b.Percent() == 0 || b.Percent() > 50 || b.Day() != first ||
			b.State != upstockcin7.BackfillRunning {
			t.Errorf("after a page: %d%%, %s, %+v", b.Percent(), b.Day(), b)
		}
		said := ""
		for range 120 {
			time.Sleep(2 * time.Second)
			h.idle()
			said += h.backfill().Why
		}
		h.filled(upstockcin7.Backfill{State: upstockcin7.BackfillDone, Listed: 9, Taken: 9})
		h.says(said, "no usable answer (status 503)", "read anew")

		// Stopped in the middle, and begun again.
		h.idle()
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			if !isList(req) {
				return nil, nil
			}
			return page(500, "{}"), nil
		}
		if _, err := h.app.Pair.StartBackfill(ctx, h.tenant, day(first), day(last)); err != nil {
			t.Fatal(err)
		}
		h.turn(time.Minute)
		if err := h.app.Pair.StopBackfill(ctx, h.tenant); err != nil {
			t.Fatal(err)
		}
		h.turn(30 * time.Minute)
		if b := h.backfill(); b.State != upstockcin7.BackfillStopped || b.Finished.IsZero() || b.Listed != 0 {
			t.Errorf("%+v", b)
		}
		h.idle()
		h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
			if !isList(req) {
				return nil, nil
			}
			return page(403, "{}"), nil
		}
		if _, err := h.app.Pair.StartBackfill(ctx, h.tenant, day(first), day(last)); err != nil {
			t.Fatal(err)
		}
		h.turn(time.Minute)
		h.says(h.backfill().Why, "refused the key")
		if _, err := h.app.Pair.StartBackfill(ctx, h.tenant, day(first), day(last)); err == nil {
			t.Error("started while Upstock is not connected")
		}
		h.idle()
		h.answer = nil
		typed := vendor.Credentials{Key: tenant.Secret(h.acc.Upstock.Token)}
		if _, _, err := h.app.Vendors.Connect(ctx, h.tenant, tenant.Upstock, typed); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Minute)
		if err := h.reconcile(ctx); err != nil { // which wakes it
			t.Fatal(err)
		}
		h.turn(10 * time.Minute)
		h.filled(upstockcin7.Backfill{State: upstockcin7.BackfillDone, Listed: 9, Known: 9})

		for _, turn := range []func(req *http.Request) (*http.Response, error){
			func(req *http.Request) (*http.Response, error) {
				resp, err := paged(h, req)
				return renext(resp, "x"), err
			},
			func(*http.Request) (*http.Response, error) {
				return page(422, `{"error":{"message":"No such list."}}`), nil
			},
		} {
			h.idle()
			h.answer = func(req *http.Request, _ []byte) (*http.Response, error) {
				if !isList(req) {
					return nil, nil
				}
				return turn(req)
			}
			if _, err := h.app.Pair.StartBackfill(ctx, h.tenant, day(first), day(last)); err != nil {
				t.Fatal(err)
			}
			h.turn(30 * time.Minute)
			b := h.backfill()
			h.says(b.Why, "Start it again")
			if b.State != upstockcin7.BackfillFailed || b.Percent() == 100 {
				t.Errorf("%+v", b)
			}
		}
	})
}

// TestBackfillDays: bad ranges are refused field by field.
func TestBackfillDays(t *testing.T) {
	story(t, func(t *testing.T, w *world) {
		time.Sleep(10*time.Hour + 59*time.Minute) // in Auckland it is still the 1st
		for _, c := range []struct{ from, to, fields string }{
			{"2000-01-01", "2000-01-01", ""},
			{"1999-01-02", "2000-01-01", ""},
			{"1999-01-01", "2000-01-01", ""}, // 366 days
			{"1998-12-31", "2000-01-01", "to"},
			{"2000-01-01", "2000-01-02", "to"},
			{"2000-01-02", "2000-01-02", "from to"},
			{"1999-12-31", "1999-12-30", "to"},
			{"0001-01-01", "1999-12-30", "from"},
		} {
			_, err := w.pair().PreviewBackfill(context.Background(), w.tenant, day(c.from), day(c.to), "", 100)
			var fields []string
			if errs := (tenant.FieldErrors)(nil); errors.As(err, &errs) {
				for _, e := range errs {
					fields = append(fields, e.Field)
				}
			} else if err != nil {
				t.Error(err)
			}
			if strings.Join(fields, " ") != c.fields {
				t.Errorf("%s to %s: %v", c.from, c.to, err)
			}
			if _, serr := w.pair().StartBackfill(context.Background(), w.tenant, day(c.from),
				day(c.to)); fmt.Sprint(serr) != fmt.Sprint(err) {
				t.Errorf("started: %v, previewed: %v", serr, err)
			}
			if err := w.pair().StopBackfill(context.Background(), w.tenant); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := w.pair().PreviewBackfill(context.Background(), w.tenant, day(first), day(last),
			"nonsense", 100); err != nil {
			t.Log(err) // the simulated Upstock takes any
		}
		w.account(`{"revoked":true}`)
		w.approve(groceries)
		w.turn(time.Minute)
		if v := w.preview(first, last, ""); len(v.Items) != 0 || len(v.Problems) != 1 ||
			!strings.Contains(v.Problems[0].Message, "reconnecting") {
			t.Errorf("%+v", v)
		}
	})
}

// TestBackfillBudget: however many orders a backfill takes in, Cin7 Core's
// limit is kept, and a new order does not wait behind them.
func TestBackfillBudget(t *testing.T) {
	orders := testsize.Of(250, 100, 20)
	live(t, 16, 1, func(t *testing.T, h *house) {
		for i := range orders {
			h.listed(in1999(1, 0).Add(time.Duration(i)*time.Hour/2), "")
		}
		start := time.Now()
		if _, err := h.app.Pair.StartBackfill(t.Context(), h.tenant, day("1999-12-01"), day("1999-12-31")); err != nil {
			t.Fatal(err)
		}
		h.sweeps(3 * time.Minute)
		at := time.Now()
		id := h.approve(groceries)
		for r := h.run(id); r == nil || r.SoldAt.IsZero(); r = h.run(id) {
			time.Sleep(time.Second)
			if time.Since(at) > 2*time.Minute {
				t.Fatalf("a new order waits: %+v", r)
			}
		}
		t.Logf("a new order was sold after %s", h.run(id).SoldAt.Sub(at))
		h.turn(time.Duration(orders)*5*time.Second + 5*time.Minute)
		h.filled(upstockcin7.Backfill{State: upstockcin7.BackfillDone, Listed: orders, Taken: orders})
		if n := len(h.simCore.Sales(h.acc.Cin7Core.AccountID)); n != orders+1 {
			t.Errorf("%d sales of %d orders", n, orders+1)
		}
		for _, v := range []struct{ vendor, account string }{{sim.Cin7Core, h.acc.Cin7Core.AccountID},
			{sim.Upstock, strconv.Itoa(h.acc.Upstock.Supplier)}} {
			if n := h.sim.OverLimit(v.vendor, v.account); n > 0 {
				t.Errorf("%s: %d calls over the limit", v.vendor, n)
			}
		}
		t.Logf("%d orders, %d calls to Cin7 Core, %d lists", orders, len(h.coreCalls(start)), len(h.lists()))
	})
}

// TestBackfillForgotten: a table that was put back knows nothing of a backfill
// that was started since. The tenant is told, once, and starts it again; what
// was sold is found.
func TestBackfillForgotten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "forgotten.db")
	storyAt(t, path, func(t *testing.T, w *world) {
		w.jobs(1)
		if texts := w.eventTexts("restored"); len(texts) > 0 {
			t.Error(texts)
		}
		sold, begun := w.listed(in1999(20, 0), ""), w.listed(in1999(21, 0), "")
		synctest.Wait()
		copied := must[[]byte](w)(os.ReadFile(path))
		w.startBackfill(first, last)
		w.fault(sim.Fault{Match: "POST /sale/order", Kind: "before", How: "502", Skip: 1, Times: 10})
		w.turn(time.Minute)
		w.sold(sold)
		if list := w.sales(begun); len(list) != 1 || list[0].Lines > 0 {
			t.Fatalf("a header was to be made: %+v", list)
		}

		w.restore(path, copied)
		must[time.Time](w)(w.pair().Restored(t.Context()))
		w.jobs(3)
		if w.run(sold) != nil || w.run(begun) != nil || w.backfill().State != upstockcin7.BackfillNone {
			t.Error("the table forgot nothing")
		}
		if texts := w.eventTexts("restored"); len(texts) != 1 || !strings.Contains(texts[0], "start backfills again") {
			t.Errorf("the tenant is told %q", texts)
		}
		w.startBackfill(first, last)
		w.turn(2 * time.Hour)
		w.sold(sold)
		w.sold(begun)
	})
}
