package upstockcin7_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

// edited hands a request of Cin7 Core's on, changes the answer's document, and takes its Date away; with a clock it has
// the one of now.
func (h *house) edited(
	req *http.Request, body []byte, clock bool, change func(doc map[string]any),
) (*http.Response, error) {
	resp, err := h.forward(req, body)
	if err != nil {
		return nil, err
	}
	data, _ := io.ReadAll(resp.Body)
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	change(doc)
	data, _ = json.Marshal(doc)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
	if resp.Header.Del("Date"); clock {
		resp.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	}
	return resp, nil
}

// datedAhead answers Cin7 Core's list with its first row dated ahead, as long as
// ahead says, and with a Date header where clock says.
func (h *house) datedAhead(ahead *time.Duration, clock bool) {
	h.answer = func(req *http.Request, body []byte) (*http.Response, error) {
		if req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, "/saleList") {
			return nil, nil
		}
		return h.edited(req, body, clock, func(page map[string]any) {
			if list, ok := page["SaleList"].([]any); ok && len(list) > 0 && *ahead > 0 {
				list[0].(map[string]any)["Updated"] = time.Now().Add(*ahead).UTC().Truncate(24 * time.Hour).Format(
					"2006-01-02T15:04:05.000Z")
			}
		})
	}
}

// polls polls every five minutes, sweeping each minute.
func (h *house) polls(d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		h.job("shipments")
		h.turn(5 * time.Minute)
	}
}

// TestDatedAhead: a row that is dated a month ahead, once or for good, neither
// blinds the poll nor costs a reading a round; and what an earlier version believed
// of such a row is healed.
func TestDatedAhead(t *testing.T) {
	for _, c := range []struct {
		name           string
		clock, forGood bool
		stored         bool
	}{
		{"once", false, false, false}, {"once, with a Date", true, false, false},
		{"for good", false, true, false}, {"for good, with a Date", true, true, false},
		{"stored by an earlier version", true, false, true}, {"stored, without a Date", false, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, 1, 0, func(t *testing.T, h *house) {
				ahead := 30 * 24 * time.Hour
				h.datedAhead(&ahead, c.clock)
				if c.stored {
					ahead = 0
				}
				id := h.approve(groceries)
				h.idle()
				sale := h.sale(id).ID
				h.polls(15 * time.Minute)
				if c.stored {
					h.amend(id, func(r *order.Order) { r.Seen = time.Now().Add(30 * 24 * time.Hour).UTC() })
					l := ledger.New(h.store)
					cur, err := l.Cursor(t.Context(), h.tenant, "shipments")
					if cur.Since = time.Now().Add(30 * 24 * time.Hour).UTC(); err == nil {
						err = l.SaveCursor(t.Context(), cur)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
				if !c.forGood {
					ahead = 0
				}
				readings := time.Now()
				h.polls(time.Hour)
				if n := h.count("GET /sale", readings); n > 2 {
					t.Errorf("%d readings in an hour at a sale that nobody changed", n)
				}
				h.person(sale, "ship", `{"trackingNumber":"T-1"}`)
				ahead = 0 // the change is dated as it should be
				start := time.Now()
				h.polls(15 * time.Minute)
				synctest.Wait()
				if got := h.tracks(id); got != "T-1! shipped" {
					t.Errorf("after %s of polls Upstock shows %q", time.Since(start), got)
				}
				cur, err := ledger.New(h.store).Cursor(t.Context(), h.tenant, "shipments")
				if r := h.run(id); err != nil || cur.Since.After(time.Now()) ||
					r.Seen.After(time.Now().Add(time.Hour)) {
					t.Errorf("the cursor is at %s, the order's last change at %s: %v", cur.Since, r.Seen, err)
				}
			})
		})
	}
}

// TestWrongDate: answers whose Date is wrong, by hours or by years, blind no poll and cost no calls.
func TestWrongDate(t *testing.T) {
	for _, off := range []time.Duration{-20 * time.Hour, -400 * 24 * time.Hour, 400 * 24 * time.Hour} {
		t.Run(off.String(), func(t *testing.T) {
			story(t, func(t *testing.T, w *world) {
				time.Sleep(time.Hour)
				w.around = func(_ *process, _ *http.Request, do func() (*http.Response, error)) (*http.Response,
					error) {
					resp, err := do()
					if err == nil {
						resp.Header.Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
					}
					return resp, err
				}
				id, sale := w.sell(groceries)
				w.poll()
				start := time.Now()
				w.person(sale, "ship", `{"trackingNumber":"T-1"}`)
				w.poll()
				w.is(id, order.Shipped, "T-1! shipped")
				w.person(sale, "tracking", `{"trackingNumber":"T-2"}`)
				w.poll()
				w.is(id, order.Shipped, "T-2! shipped")
				if n := w.count("GET /saleList", start); n > 4 {
					t.Errorf("%d lists in two polls", n)
				}
			})
		})
	}
}

// TestAheadBlindsNobody: what ships soon after the list or the sale was dated
// ahead is told at the next poll. A wrong date says nothing of when the sale
// changed, whether or not the answer has a Date to show it by.
func TestAheadBlindsNobody(t *testing.T) {
	for _, c := range []struct {
		name              string
		list, sale, lasts bool
		clock             bool
		by                time.Duration
	}{
		{name: "the list", list: true, by: 30 * 24 * time.Hour},
		{name: "the list, with a Date", list: true, clock: true, by: 30 * 24 * time.Hour},
		{name: "the list, by half an hour", list: true, by: 30 * time.Minute},
		{name: "the list, for good", list: true, lasts: true, by: 30 * 24 * time.Hour},
		{name: "the sale", sale: true, by: 30 * 24 * time.Hour},
		{name: "the sale, with a Date", sale: true, clock: true, by: 30 * 24 * time.Hour},
		{name: "the sale, by half an hour", sale: true, by: 30 * time.Minute},
		{name: "both", list: true, sale: true, by: 30 * 24 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			live(t, 1, 0, func(t *testing.T, h *house) {
				var wrong time.Time
				h.answer = func(req *http.Request, body []byte) (*http.Response, error) {
					list, sale := strings.HasSuffix(req.URL.Path, "/saleList"), strings.HasSuffix(req.URL.Path, "/sale")
					if req.Method != http.MethodGet || !list && !sale {
						return nil, nil
					}
					return h.edited(req, body, c.clock, func(doc map[string]any) {
						at := wrong.Format("2006-01-02T15:04:05.000Z")
						if rows, ok := doc["SaleList"].([]any); ok && c.list && len(rows) > 0 && !wrong.IsZero() {
							rows[0].(map[string]any)["Updated"] = at
						}
						if _, ok := doc["LastModifiedOn"]; ok && c.sale && !wrong.IsZero() {
							doc["LastModifiedOn"] = at
						}
					})
				}
				id := h.approve(groceries)
				h.idle()
				sale := h.sale(id).ID
				h.polls(15 * time.Minute)
				for _, track := range []string{"T-1", "T-2"} { // T-1 is read with wrong dates, T-2 soon after
					if track == "T-1" {
						wrong = time.Now().Add(c.by).UTC()
					}
					if track == "T-1" {
						h.person(sale, "ship", `{"trackingNumber":"T-1"}`)
					} else {
						h.person(sale, "tracking", `{"trackingNumber":"T-2"}`)
					}
					if track == "T-2" && !c.lasts {
						wrong = time.Time{}
					}
					h.polls(10 * time.Minute)
					if got := h.tracks(id); got != track+"! shipped" {
						t.Fatalf("after two polls Upstock shows %q, want %s", got, track)
					}
				}
				readings := time.Now()
				h.polls(2 * time.Hour)
				if n := h.count("GET /sale", readings); n > 2 {
					t.Errorf("%d readings in two hours at a sale that nobody changed", n)
				}
			})
		})
	}
}

// TestPollKnowsItsSales: a row of the list that leaves out the ExternalID of a
// sale of ours is known by the sale's id.
func TestPollKnowsItsSales(t *testing.T) {
	live(t, 1, 0, func(t *testing.T, h *house) {
		blank := false
		h.answer = func(req *http.Request, body []byte) (*http.Response, error) {
			if !blank || req.Method != http.MethodGet || !strings.HasSuffix(req.URL.Path, "/saleList") {
				return nil, nil
			}
			resp, err := h.forward(req, body)
			if err != nil {
				return nil, err
			}
			data, _ := io.ReadAll(resp.Body)
			data = regexp.MustCompile(`"ExternalID":\s*"[^"]*"`).ReplaceAll(data, []byte(`"ExternalID":null`))
			resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(data)), int64(len(data))
			return resp, nil
		}
		first, second := h.approve(groceries), h.approve(groceries)
		h.idle()
		h.polls(15 * time.Minute)
		h.person(h.sale(first).ID, "ship", `{"trackingNumber":"T-1"}`)
		blank = true
		readings := time.Now()
		h.polls(10 * time.Minute)
		if got := h.tracks(first); got != "T-1! shipped" {
			t.Errorf("after two polls Upstock shows %q", got)
		}
		if got := h.tracks(second); got != "processing" {
			t.Errorf("of an order that nobody shipped Upstock shows %q", got)
		}
		h.polls(time.Hour)
		if n := h.count("GET /sale", readings); n > 1 {
			t.Errorf("%d readings at sales of which one changed once", n)
		}
	})
}
