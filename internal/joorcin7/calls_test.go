package joorcin7_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/limit"
	"stockbridge/internal/sim"
	"stockbridge/internal/testsize"
)

// TestCalls counts what customers cost: the calls that read them from Cin7 Omni, the bulk jobs that send them to JOOR,
// and the credits that learn their ids, which come as fast as JOOR gives credits. make bench reads what it logs.
func TestCalls(t *testing.T) {
	t.Parallel()
	testsize.Large(t)
	inWorld(t, func(w *world) {
		n := testsize.Of(1000, 100, 0)
		w.put("/sim/joor/accounts/"+w.acc.JOOR.Account, `{"reviewSeconds":1}`)
		w.firms(n)
		before := w.calls(sim.Cin7Omni, "GET /v1/Contacts")
		w.pull()
		w.rest()
		read := w.calls(sim.Cin7Omni, "GET /v1/Contacts") - before
		w.pass(10 * time.Minute) // a window of credits that begins anew
		begun, others := time.Now(), w.calls(sim.JOOR, "GET /connection")
		p, err := w.pair().Upload(w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary")
		w.until(p, err)
		jobs, lookUps := w.calls(sim.JOOR, "POST /bulk-connection"), w.calls(sim.JOOR, "GET /connection")-others
		asked := w.calls(sim.JOOR, "GET /bulk-connection")
		used, whole, took := w.creditsSince(begun)
		t.Logf("%d contacts: %d calls. %d uploads: %d jobs, %d questions about them, %d look-ups in %.1f minutes, "+
			"%.1f %% of JOOR's credits", n, read, n, jobs, asked, lookUps, took.Minutes(), used)
		if read > (n+249)/250+1 || jobs != (n+499)/500 || lookUps != n || asked > 2*jobs+2 || whole && used < 95 {
			t.Error("that is too much of one, or too little of another")
		}
		for _, system := range []string{sim.JOOR, sim.Cin7Omni} {
			if over := w.sim.OverLimit(system, ""); over > 0 {
				t.Errorf("%s: %d calls over the limit", system, over)
			}
		}
	})
}

// firms makes so many customers in Cin7 Omni.
func (w *world) firms(n int) {
	w.t.Helper()
	rows := make([]map[string]any, n)
	for i := range rows {
		rows[i] = map[string]any{"type": "Customer", "isActive": true, "company": fmt.Sprintf("Firm %d", i),
			"email": fmt.Sprintf("firm%d@example.com", i), "address1": "1 Quay Street", "city": "Auckland",
			"country": "New Zealand", "priceColumn": "WholesalePrice"}
	}
	for some := range slices.Chunk(rows, 1000) {
		body, err := json.Marshal(some)
		w.must(err)
		w.control("POST", "/sim/cin7omni/contacts?account="+w.acc.Cin7Omni.Username, string(body))
	}
}

// TestReading: a long list is read about as fast as the limiter lets anybody read, which gives 60 calls in 63 seconds.
// make bench reads what it logs.
func TestReading(t *testing.T) {
	t.Parallel()
	testsize.Large(t)
	inWorld(t, func(w *world) {
		n := testsize.Of(16_000, 2000, 0)
		w.firms(n)
		w.pass(2 * time.Minute) // nothing is spent of the next minute
		before := len(w.sim.Calls(sim.Cin7Omni, ""))
		w.pull()
		calls := w.sim.Calls(sim.Cin7Omni, "")[before:]
		took, first := calls[len(calls)-1].At.Sub(calls[0].At), 0
		for _, c := range calls {
			if c.At.Sub(calls[0].At) < limit.Minute {
				first++
			}
		}
		used := 100 * float64(first) / 60
		t.Logf("%d contacts: %d calls in %v, %.1f %% of Cin7 Omni's limit", n, len(calls),
			took.Round(time.Second), used)
		if took > limit.Minute && used < 90 {
			t.Error("it could be faster")
		}
		if over := w.sim.OverLimit(sim.Cin7Omni, ""); over > 0 {
			t.Errorf("%d calls over the limit", over)
		}
	})
}

// creditsSince says how many per cent were used of the credits that JOOR gives in 5 minutes, as long as there was more
// to ask (whole is false where that ended within the first), and when the last was.
func (w *world) creditsSince(begun time.Time) (used float64, whole bool, took time.Duration) {
	const window = 5 * time.Minute
	var calls []sim.Call
	for _, c := range w.sim.Calls(sim.JOOR, "") {
		if !c.At.Before(begun) {
			calls = append(calls, c)
		}
	}
	took = calls[len(calls)-1].At.Sub(begun)
	windows := took / window
	spent := 0
	for _, c := range calls {
		switch {
		case c.At.Sub(begun) >= windows*window:
		case c.Method == http.MethodGet:
			spent++
		default:
			spent += 5
		}
	}
	return 100 * float64(spent) / float64(max(1, windows)*300), windows > 0, took
}
