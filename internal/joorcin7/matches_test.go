package joorcin7_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// theirs makes a connection in JOOR as somebody typed it there, and returns JOOR's id.
func (w *world) theirs(doc string) string {
	w.t.Helper()
	before := map[int]bool{}
	for _, c := range w.connections() {
		before[c.ID] = true
	}
	w.control("POST", "/sim/joor/connections?account="+w.acc.JOOR.Account, doc)
	for _, c := range w.connections() {
		if !before[c.ID] {
			return fmt.Sprint(c.ID)
		}
	}
	w.t.Fatal("nothing was made")
	return ""
}

func (w *world) matches(state string) joorcin7.MatchPage {
	w.t.Helper()
	page, err := w.pair().Matches(w.ctx(), w.tenant, joorcin7.MatchQuery{State: state})
	w.must(err)
	return page
}

func (w *world) decide(d joorcin7.MatchDecision) joorcin7.MatchResult {
	w.t.Helper()
	res, err := w.pair().DecideMatches(w.ctx(), w.tenant, d, "Mary")
	w.must(err)
	return res
}

// TestMatch: customers are found among JOOR's connections, people accept, reject and undo; a match sends nothing, and
// afterwards updates reach the right connection under its own code, or under the contact's id where it has none.
func TestMatch(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		const street = `"shipping":{"shipping_addresses":[{"address_1":"12 Quay Street","city":"Auckland",
			"postal_code":"1010","country":"New Zealand"}]},
			"price_types":[{"price_currency":"NZD","price_label":"Wholesale"},
			{"price_currency":"NZD","price_label":"Retail"}]`
		a, b, c := w.contact("Harbour Foods", ""), w.contact("Royal Bakery", ""), w.contact("Zebra Pantry", "")
		ja := w.theirs(`{"customer_alias":"HARBOUR FOODS Ltd","customer_contact_email":"harbourfoods@example.com",
			"customer_code":"OLD-1",` + street + `}`)
		jb := w.theirs(`{"customer_alias":"Royal Bakery","customer_contact_email":"royalbakery@example.com",` +
			street + `}`)
		jc := w.theirs(`{"customer_alias":"Zebra Pantry","customer_contact_email":"zebrapantry@example.com",` +
			street + `}`)
		only := w.theirs(`{"customer_alias":"Quite Another","customer_contact_email":"q@example.org"}`)
		w.pull()
		w.download()
		w.until(w.pair().FindMatches(w.ctx(), w.tenant, "Mary"))
		page := w.matches("")
		for _, m := range page.Items {
			if !m.Sure || m.Connection == nil || len(m.Reasons) == 0 {
				t.Errorf("%+v", m)
			}
		}
		if page.Of != 3 || page.Counts["sure"] != 3 || page.Downloaded.IsZero() {
			t.Fatalf("%+v", page)
		}
		no := joorcin7.MatchDecision{Reject: []joorcin7.MatchPair{{Contact: c, Connection: jc}}}
		if res := w.decide(no); res.Rejected != 1 {
			t.Errorf("%+v", res)
		}
		if res := w.decide(joorcin7.MatchDecision{Sure: true}); res.Accepted != 2 || len(res.Left) != 0 {
			t.Errorf("%+v", res)
		}
		res := w.decide(joorcin7.MatchDecision{Accept: []joorcin7.MatchPair{{Contact: c, Connection: ja},
			{Contact: b, Connection: jb}, {Contact: a, Connection: jc}}})
		if res.Accepted != 1 || len(res.Left) != 2 {
			t.Errorf("one to one: %+v", res)
		}
		if got := w.matches(joorcin7.MatchAccepted); got.Of != 2 || got.Items[0].By != "Mary" ||
			got.Items[0].At.IsZero() {
			t.Errorf("accepted: %+v", got)
		}
		w.rest()
		if n := w.calls(sim.JOOR, "POST") + w.calls(sim.JOOR, "PUT"); n != 0 {
			t.Errorf("a match sends: %d writes", n)
		}
		if w.customer(a).Connection != ja || w.customer(a).Code != "OLD-1" || w.list(joorcin7.ListUpload) != c+" new" {
			t.Errorf("%+v, to upload: %s", w.customer(a), w.list(joorcin7.ListUpload))
		}
		if o, err := w.pair().Only(w.ctx(), w.tenant, joorcin7.Query{}); err != nil || o.Of != 2 ||
			!strings.Contains(fmt.Sprint(o.Items), only) {
			t.Errorf("in JOOR alone: %+v, %v", o, err)
		}
		w.update()
		w.rest()
		for _, x := range w.connections() {
			switch fmt.Sprint(x.ID) {
			case ja:
				if x.code() != "OLD-1" || x.Alias != "Harbour Foods" || x.Shipping.Addresses[0].Code != a ||
					!x.has("Retail") {
					t.Errorf("%+v", x)
				}
			case jb:
				if x.code() != b || x.Shipping.Addresses[0].Code != b {
					t.Errorf("%+v", x)
				}
			}
		}
		if got := w.list(joorcin7.ListUpdate); got != "" || len(w.connections()) != 4 {
			t.Errorf("after the update: %s, JOOR has %d", got, len(w.connections()))
		}
		w.until(w.pair().FindMatches(w.ctx(), w.tenant, "Mary"))
		if got := w.matches(""); got.Of != 0 {
			t.Errorf("what was rejected is back: %+v", got)
		}
		w.edit(c, `{"phone":"09 555 0777"}`)
		w.pull()
		w.until(w.pair().FindMatches(w.ctx(), w.tenant, "Mary"))
		if got := w.matches(""); got.Of != 1 ||
			!strings.Contains(strings.Join(got.Items[0].Reasons, " "), "has changed") {
			t.Errorf("it changed since: %+v", got)
		}
		w.must(w.pair().Unmatch(w.ctx(), w.tenant, b, "Mary"))
		if got := w.customer(b); got.State != joorcin7.StateNew || got.Why != "Its match was undone." ||
			got.Connection != "" {
			t.Errorf("undone: %+v", got)
		}
		if err := w.pair().Unmatch(w.ctx(), w.tenant, b, "Mary"); err == nil {
			t.Error("it is undone twice")
		}
		v, err := w.pair().CustomerOf(w.ctx(), w.tenant, a)
		if err != nil || v.Match == nil || len(v.History) == 0 || v.Told.IsZero() || len(v.Fields) < 10 {
			t.Errorf("%+v, %v", v, err)
		}
		w.pass(8 * 24 * time.Hour)
		at, n, err := w.pair().DownloadedAt(w.ctx(), w.bundle())
		if err != nil || n != 4 || time.Since(at) > 25*time.Hour {
			t.Errorf("downloaded %v: %d, %v", at, n, err)
		}
	})
}

// TestFindBrokenOff: a search that breaks off anywhere goes on where it was, and finds the same.
func TestFindBrokenOff(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		var contacts, theirs []string
		for n := range 520 {
			contacts = append(contacts, fmt.Sprintf(`{"type":"Customer","company":"Firm %d",
				"email":"f%d@example.com"}`, n, n))
			theirs = append(theirs, fmt.Sprintf(`{"customer_alias":"Firm %d",
				"customer_contact_email":"f%d@example.com"}`, n, n))
		}
		omni, joor := w.acc.Cin7Omni.Username, w.acc.JOOR.Account
		w.control("POST", "/sim/cin7omni/contacts?account="+omni, "["+strings.Join(contacts, ",")+"]")
		w.control("POST", "/sim/joor/connections?account="+joor, "["+strings.Join(theirs, ",")+"]")
		w.pull()
		w.download()
		effects := 0
		for n := 0; n <= effects; n++ {
			w.mu.Lock()
			w.armed, w.effects, w.faults = true, 0, map[int]fault{n: die}
			w.mu.Unlock()
			w.press(func() error {
				_, err := w.pair().FindMatches(w.ctx(), w.tenant, "Mary")
				return err
			})
			w.rest()
			w.mu.Lock()
			w.armed, effects = false, max(effects, min(w.effects, 20))
			w.mu.Unlock()
			if page := w.matches(""); page.Of != 520 || page.Counts["sure"] != 520 {
				t.Fatalf("broken off at %d: %d found, %v", n, page.Of, page.Counts)
			}
		}
		if effects < 8 {
			t.Errorf("only %d effects", effects)
		}
	})
}

// TestThousand: how many calls a thousand customers cost.
func TestThousand(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.rest()
		before := w.calls(sim.Cin7Omni, "GET /v1/Contacts")
		var docs []string
		for n := range 1000 {
			docs = append(docs, fmt.Sprintf(`{"type":"Customer","company":"Firm %d","firstName":"Ana",
				"email":"f%d@example.com","address1":"%d Quay Street","city":"Auckland","country":"New Zealand",
				"priceColumn":"WholesalePrice"}`, n, n, n))
		}
		w.control("POST", "/sim/cin7omni/contacts?account="+w.acc.Cin7Omni.Username, "["+strings.Join(docs, ",")+"]")
		w.pull()
		if n := w.calls(sim.Cin7Omni, "GET /v1/Contacts") - before; n > 6 {
			t.Errorf("1,000 contacts cost %d calls", n)
		}
		p := w.upload()
		if n := w.calls(sim.JOOR, "POST /bulk-connection"); n != 2 || p.Result["inReview"] != 1000 {
			t.Errorf("1,000 uploads cost %d jobs: %v", n, p.Result)
		}
		if n := w.sim.OverLimit(sim.JOOR, "") + w.sim.OverLimit(sim.Cin7Omni, ""); n > 0 {
			t.Errorf("%d over a limit", n)
		}
	})
}

// TestForgotten: what was read of JOOR's connections is forgotten after 7 days, where nobody can read them anew.
func TestForgotten(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.theirs(`{"customer_alias":"Quite Another"}`)
		w.download()
		w.put("/sim/joor/accounts/"+w.acc.JOOR.Account, `{"revoked":true}`)
		for days, want := range []int{1, 0} {
			w.pass(time.Duration(6-4*days) * 24 * time.Hour) // after 6 days, and after 8
			_, n, err := w.pair().DownloadedAt(w.ctx(), w.bundle())
			w.must(err)
			only, err := w.pair().Only(w.ctx(), w.tenant, joorcin7.Query{})
			if w.must(err); n != want || only.Of != want {
				t.Errorf("%d are known, and %d in JOOR alone, want %d", n, only.Of, want)
			}
		}
		page, err := w.store.Query(w.ctx(), table.Query{PK: tenant.Partition(w.tenant) + "#joor#connections"})
		if w.must(err); len(page.Items) == 0 {
			t.Error("nothing was kept")
		}
		for _, it := range page.Items {
			if it.Expires.IsZero() || it.Expires.After(time.Now().Add(24*time.Hour)) {
				t.Errorf("%s is kept until %v", it.SK, it.Expires)
			}
		}
	})
}
