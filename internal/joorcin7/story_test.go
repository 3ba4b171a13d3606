package joorcin7_test

import (
	"strings"
	"testing"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// TestStory is the whole way of customers: uploaded, in review, linked, changed, updated; and a second press of each
// button sends nothing.
func TestStory(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.contact("Harbour Foods", "")
		b := w.contact("Royal Bakery", `{"priceColumn":"RetailPrice","address1":""}`)
		c := w.contact("Zebra Pantry", `{"isActive":false}`)
		w.contact("A supplier", `{"type":"Supplier"}`)
		w.pull()
		if got := w.list(joorcin7.ListUpload); got != a+" new, "+b+" leftOut" {
			t.Errorf("to upload: %s", got)
		}
		p := w.upload()
		if p.Result["inReview"] != 1 || p.Result["leftOut"] != 1 || len(p.Left) != 1 || p.Left[0].ID != b ||
			!strings.Contains(p.Left[0].Why, "no street") {
			t.Errorf("uploaded: %+v", p)
		}
		if got := w.list(joorcin7.ListReview); got != a+" review" {
			t.Errorf("in review: %s", got)
		}
		if got := w.customer(a); got.Due.IsZero() || got.Overdue || got.Code != a {
			t.Errorf("in review: %+v", got)
		}
		jobs := w.calls(sim.JOOR, "POST /bulk-connection")
		if p = w.upload(); jobs != 1 || w.calls(sim.JOOR, "POST /bulk-connection") != jobs {
			t.Errorf("a second upload sends again: %+v", p)
		}
		w.look()
		if got := w.list(joorcin7.ListReview); got != a+" review" {
			t.Errorf("in review still: %s", got)
		}
		w.review(true)
		w.look() // a person asks, and does not wait for the next question
		got := w.customer(a)
		if w.list(joorcin7.ListLinked) != a+" linked" || got.Connection == "" || w.list(joorcin7.ListReview) != "" {
			t.Errorf("accepted: %+v; in review: %s", got, w.list(joorcin7.ListReview))
		}
		w.edit(a, `{"notes":"a field that is not mapped"}`)
		if w.pull(); w.list(joorcin7.ListUpdate) != "" {
			t.Errorf("a field that is not mapped lists %s", w.list(joorcin7.ListUpdate))
		}
		w.edit(a, `{"phone":"09 555 0199","city":"Wellington"}`)
		if w.pull(); w.list(joorcin7.ListUpdate) != a+" changed" {
			t.Errorf("to update: %s", w.list(joorcin7.ListUpdate))
		}
		if p = w.update(); p.Result["updated"] != 1 || w.list(joorcin7.ListUpdate) != "" {
			t.Errorf("updated: %+v; to update: %s", p, w.list(joorcin7.ListUpdate))
		}
		if found := w.of(a); len(found) != 1 || found[0].Shipping.Addresses[0].City != "Wellington" ||
			found[0].Shipping.Addresses[0].Phone != "09 555 0199" || found[0].Shipping.Addresses[0].Code != a {
			t.Errorf("JOOR has %+v", found)
		}
		jobs = w.calls(sim.JOOR, "POST /bulk-connection")
		w.update()
		w.upload()
		if n := w.calls(sim.JOOR, "POST /bulk-connection"); n != jobs {
			t.Errorf("%d more jobs, and nothing differs", n-jobs)
		}
		if len(w.of(c))+len(w.of(b)) > 0 {
			t.Error("an inactive one, or one that was left out, is in JOOR")
		}
		for _, system := range []string{sim.JOOR, sim.Cin7Omni} {
			if n := w.sim.OverLimit(system, ""); n > 0 {
				t.Errorf("%s: %d calls over the limit", system, n)
			}
		}
	})
}

// TestIdlePoll: where nothing changed, a poll is one call.
func TestIdlePoll(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.contact("Harbour Foods", "")
		w.pull()
		w.rest()
		before := w.calls(sim.Cin7Omni, "GET")
		w.pull()
		if n := w.calls(sim.Cin7Omni, "GET") - before; n != 1 {
			t.Errorf("a poll that finds nothing makes %d calls", n)
		}
		w.rest()
		w.pass(time.Hour)
		w.rest()
		before = w.calls(sim.Cin7Omni, "GET")
		w.pass(4 * time.Hour)
		if n := w.calls(sim.Cin7Omni, "GET") - before; n < 15 || n > 17 {
			t.Errorf("in four hours there are %d calls", n)
		}
	})
}

// TestErase: with a tenant goes all that the pair keeps of it.
func TestErase(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.contact("Harbour Foods", ""), w.contact("Royal Bakery", "")
		ja := w.theirs(`{"customer_alias":"Harbour Foods","customer_contact_email":"harbourfoods@example.com"}`)
		w.pull()
		w.download()
		w.until(w.pair().FindMatches(w.ctx(), w.tenant, "Mary"))
		w.decide(joorcin7.MatchDecision{Accept: []joorcin7.MatchPair{{Contact: a, Connection: ja}}})
		w.upload(b)
		w.must(w.pair().Unmatch(w.ctx(), w.tenant, a, "Mary"))
		_, err := w.pair().Upload(w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary") // and nobody does it
		w.must(err)
		w.must(w.pair().Erase(w.ctx(), w.tenant))
		kept := 0
		for pk := range w.parts {
			kind, ours := strings.CutPrefix(pk, tenant.Partition(w.tenant)+"#")
			kind, _, _ = strings.Cut(kind, "#")
			if !ours || kind != "joor" && kind != "told" && kind != "contact" {
				continue
			}
			kept++
			page, err := w.store.Query(w.ctx(), table.Query{PK: pk})
			w.must(err)
			if len(page.Items) > 0 {
				t.Errorf("%s still has %d items", pk, len(page.Items))
			}
		}
		if kept < 8 {
			t.Errorf("only %d parts of the table were written to", kept)
		}
	})
}
