package joorcin7_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
	"stockbridge/internal/vendor"
)

// TestBadContacts: what cannot be sent is left out with all its reasons, and the rest goes.
func TestBadContacts(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		long := strings.Repeat("x", 250)
		why := map[string]string{ // by id; "" = it goes
			w.contact("", `{"firstName":"","lastName":""}`):             "It has no company and no name",
			w.contact("", `{"email":"ana@example.com"}`):                "",
			w.contact("No Mail", `{"email":""}`):                        "It has no e-mail address",
			w.contact(long, `{"email":"long@example.com"}`):             "Its name is 250 characters long",
			w.contact("=1+1", `{"email":"sum@example.com"}`):            "",
			w.contact("+64 9 555", `{"email":"plus@example.com"}`):      "",
			w.contact("Bell\u0007", `{"email":"bell@example.com"}`):     "cannot be seen (U+0007)",
			w.contact("Sydney Shop", `{"country":"Australia"}`):         "no state, which JOOR asks for in Australia",
			w.contact("No Column", `{"priceColumn":""}`):                "It has no price column",
			w.contact("Vip", `{"priceColumn":"VipPrice"}`):              "has no price label in the settings",
			w.contact("Two", `{"address1":"","address2":"","city":""}`): "It has no street in its address",
		}
		w.pull()
		p := w.upload()
		goes := 0
		for id, want := range why {
			c := w.customer(id)
			switch {
			case want == "" && c.State != joorcin7.StateReview, want != "" && c.State != joorcin7.StateLeftOut,
				!strings.Contains(c.Why, want):
				t.Errorf("%s is %s: %s, want %q", c.Company, c.State, c.Why, want)
			case want == "":
				goes++
			}
		}
		if p.Result["inReview"] != goes || p.Result["leftOut"] != len(why)-goes || len(w.connections()) != goes {
			t.Errorf("%v, JOOR has %d", p.Result, len(w.connections()))
		}
	})
}

// TestPressedTwice: whoever presses at once, in two processes, sends each customer once.
func TestPressedTwice(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		for n := range 30 {
			w.contact(fmt.Sprintf("Firm %d", n), "")
		}
		w.pull()
		var wg sync.WaitGroup
		var ids [3]string
		for i := range ids {
			wg.Go(func() {
				p, err := w.pair().Upload(w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary")
				if err == nil {
					ids[i] = p.ID
				}
			})
		}
		wg.Wait()
		w.rest()
		if ids[0] == "" || ids[0] != ids[1] || ids[1] != ids[2] {
			t.Errorf("progress: %v", ids)
		}
		if n := w.calls(sim.JOOR, "POST /bulk-connection"); n != 1 || len(w.connections()) != 30 {
			t.Errorf("%d jobs, %d connections", n, len(w.connections()))
		}
	})
}

// TestSwitchedOff: nothing is sent that the tenant has not enabled, also where that changes after the button was
// pressed; and it is said what to switch on.
func TestSwitchedOff(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.contact("Harbour Foods", "")
		w.pull()
		w.settings(`{"joorUpload":false}`)
		_, err := w.pair().Upload(w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary")
		if no, ok := errors.AsType[*joorcin7.Refusal](err); !ok ||
			!strings.Contains(no.Why, "Upload Customers to JOOR") {
			t.Errorf("%v", err)
		}
		w.settings(`{"joorUpload":true}`)
		_, err = w.pair().Upload(w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary")
		w.must(err)
		w.settings(`{"joorUpload":false}`)
		w.rest()
		if n := w.calls(sim.JOOR, "POST"); n != 0 {
			t.Errorf("%d calls", n)
		}
		w.must(w.process("console").app.Vendors.Disconnect(w.ctx(), w.tenant, tenant.JOOR))
		_, err = w.pair().Update(w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary")
		if no, ok := errors.AsType[*joorcin7.Refusal](err); !ok || !strings.Contains(no.Why, "not connected") {
			t.Errorf("%v", err)
		}
	})
}

// TestWhileUnderWay: a contact that is deactivated or deleted while it is in a job, or in review, stays as it was sent.
func TestWhileUnderWay(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.contact("Harbour Foods", ""), w.contact("Royal Bakery", "")
		w.pull()
		w.put("/sim/joor/accounts/"+w.acc.JOOR.Account, `{"stalled":true}`)
		p, err := w.pair().Upload(w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary")
		w.must(err)
		w.pass(20 * time.Minute)
		if got := w.list(joorcin7.ListReview); got != a+" sending, "+b+" sending" {
			t.Errorf("under way: %s", got)
		}
		w.edit(a, `{"isActive":false}`)
		w.control("DELETE", "/sim/cin7omni/contacts/"+b, "")
		w.pass(26 * time.Hour) // the job never finishes: it is not awaited for ever
		p = w.until(p, nil)
		if p.State != "done" {
			t.Errorf("%+v", p)
		}
		w.put("/sim/joor/accounts/"+w.acc.JOOR.Account, `{"stalled":false}`)
		for _, job := range []string{"1"} {
			w.control("POST", "/sim/joor/jobs/"+job+"/resume?account="+w.acc.JOOR.Account, "")
		}
		w.pass(time.Minute)
		w.review(true)
		w.pass(10 * time.Hour)
		w.until(w.pair().Sync(w.ctx(), w.bundle(), joorcin7.JobContacts))
		w.rest()
		ca, cb := w.customer(a), w.customer(b)
		if ca.State != joorcin7.StateInactive || cb.Connection == "" || len(w.connections()) != 2 {
			t.Errorf("%+v %+v", ca, cb)
		}
		w.pass(8 * 24 * time.Hour) // once a week all are read
		w.rest()
		if cb = w.customer(b); cb.State != joorcin7.StateDeleted || len(w.of(b)) != 1 {
			t.Errorf("deleted: %+v", cb)
		}
	})
}

// TestOverdue: what JOOR's people turn down, or forget, is overdue and said; it is sent again only where somebody
// wants that.
func TestOverdue(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.contact("Harbour Foods", "")
		w.pull()
		w.upload()
		w.upload(a) // it is in review, which is no reason to send it again
		if n := w.calls(sim.JOOR, "POST /bulk-connection"); n != 1 {
			t.Errorf("pressed while it is in review: %d jobs", n)
		}
		w.review(false)
		w.pass(5 * 24 * time.Hour)
		w.rest()
		needs, err := w.pair().Needs(w.ctx(), w.bundle())
		w.must(err)
		wrong, _, err := w.pair().Wrong(w.ctx(), w.bundle())
		if err != nil || len(wrong) != 1 || wrong[0].Key != "joor/overdue" {
			t.Errorf("told: %+v, %v", wrong, err)
		}
		if c := w.customer(a); !c.Overdue || c.State != joorcin7.StateReview || needs.Overdue != 1 {
			t.Errorf("%+v %+v", c, needs)
		}
		if n := w.calls(sim.JOOR, "POST /bulk-connection"); n != 1 {
			t.Errorf("%d jobs", n)
		}
		w.upload(a)
		w.review(true)
		w.pass(5 * time.Hour)
		w.rest()
		if c := w.customer(a); c.State != joorcin7.StateLinked || len(w.of(a)) != 1 {
			t.Errorf("sent again: %+v", c)
		}
	})
}

// TestRefused: JOOR answers 200 with a code, or its job leaves a record out: the others go, and the reason is shown.
func TestRefused(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a, b := w.contact("Harbour Foods", ""), w.contact("Royal Bakery", "")
		w.pull()
		w.must(w.sim.Fault(sim.JOOR, sim.Fault{Match: "POST /bulk-connection", Kind: "before", How: "code", Times: 3}))
		w.upload()
		for _, id := range []string{a, b} {
			if c := w.customer(id); c.State != joorcin7.StateRefused || !strings.Contains(c.Why, "JOOR refused it: ") {
				t.Errorf("%+v", c)
			}
		}
		w.upload() // a person may try again
		w.review(true)
		w.pass(5 * time.Hour)
		w.rest()
		if got := w.list(joorcin7.ListLinked); got != a+" linked, "+b+" linked" {
			t.Fatalf("linked: %s", got)
		}
		w.put("/sim/joor/accounts/"+w.acc.JOOR.Account, `{"priceLabels":[{"currency":"NZD","label":"Trade"}]}`)
		w.edit(a, `{"city":"Wellington"}`)
		w.pull()
		p := w.update()
		c := w.customer(a)
		if p.Result["refused"] != 1 || c.State != joorcin7.StateRefused || !strings.Contains(c.Why, "delivery city") {
			t.Errorf("a label was renamed: %v %+v", p.Result, c)
		}
	})
}

// TestRemovedThere: a connection that JOOR's people remove is not linked any more, is offered again, and does not come
// back by itself.
func TestRemovedThere(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.settings(`{"joorUploadAlone":true,"joorUpdateAlone":true}`)
		a := w.contact("Harbour Foods", "")
		w.pull()
		w.rest()
		w.review(true)
		w.pass(5 * time.Hour)
		w.rest()
		if c := w.customer(a); c.State != joorcin7.StateLinked {
			t.Fatalf("by itself: %+v", c)
		}
		w.control("DELETE", w.there(w.of(a)[0].ID), "")
		w.download()
		w.pass(2 * time.Hour)
		w.rest()
		if c := w.customer(a); c.State != joorcin7.StateNew || c.Why != "Its connection was removed in JOOR." ||
			len(w.of(a)) != 0 {
			t.Errorf("%+v, JOOR has %+v", c, w.of(a))
		}
		w.upload(a)
		if len(w.of(a)) != 1 {
			t.Error("a person cannot upload it again")
		}
	})
}

// TestRevokedKey: with a refused key the work waits, and goes on by itself when a new one works; nothing is lost or
// doubled.
func TestRevokedKey(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.contact("Harbour Foods", "")
		w.pull()
		w.put("/sim/joor/accounts/"+w.acc.JOOR.Account, `{"revoked":true}`)
		p, err := w.pair().Upload(w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary")
		w.must(err)
		w.pass(time.Hour)
		if c := w.bundle().Connections[tenant.JOOR]; c.State != tenant.NeedsReconnecting {
			t.Errorf("%+v", c)
		}
		w.put("/sim/joor/accounts/"+w.acc.JOOR.Account, `{"revoked":false,"token":"another-token-of-joor"}`)
		_, _, err = w.process("console").app.Vendors.Connect(context.Background(), w.tenant, tenant.JOOR,
			vendor.Credentials{Key: "another-token-of-joor"})
		w.must(err)
		p = w.until(p, nil)
		if p.Result["inReview"] != 1 || len(w.of(a)) != 1 {
			t.Errorf("%+v %+v", p, w.of(a))
		}
	})
}

// TestSharedEmail: two contacts with one e-mail address are two connections, and a match by it decides nothing.
func TestSharedEmail(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.contact("Harbour Foods", `{"email":""}`)
		b := w.contact("Harbour Fuels", `{"email":"office@group.example"}`)
		w.control("POST", "/sim/joor/connections?account="+w.acc.JOOR.Account, `[{"customer_alias":"Harbour Fuels",
			"customer_contact_email":"office@group.example"},{"customer_alias":"Someone Else Entirely",
			"customer_contact_email":"office@group.example"}]`)
		w.pull()
		w.download()
		w.until(w.pair().FindMatches(w.ctx(), w.tenant, "Mary"))
		page, err := w.pair().Matches(w.ctx(), w.tenant, joorcin7.MatchQuery{})
		w.must(err)
		for _, m := range page.Items {
			if m.Sure {
				t.Errorf("sure: %+v", m)
			}
		}
		if w.customer(a).State != joorcin7.StateLeftOut || w.customer(b).State != joorcin7.StateNew {
			t.Errorf("%+v %+v", w.customer(a), w.customer(b))
		}
	})
}

// TestSettingsShow: other settings show in the lists as soon as they are saved, with nothing sent by that.
func TestSettingsShow(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.contact("Harbour Foods", `{"priceColumn":"VipPrice"}`)
		w.pull()
		if got := w.list(joorcin7.ListUpload); got != a+" leftOut" {
			t.Errorf("without a label: %s", got)
		}
		w.settings(`{"joorPrices":{"vipprice":{"currency":"NZD","label":"Retail"}}}`)
		w.pass(time.Minute)
		w.rest()
		if got := w.list(joorcin7.ListUpload); got != a+" new" || w.calls(sim.JOOR, "POST") != 0 {
			t.Errorf("with a label: %s", got)
		}
	})
}

// TestCheckSettings: what Cin7 Omni has not is refused with the choices; what JOOR is not known to have is said.
func TestCheckSettings(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.theirs(`{"customer_alias":"Any","price_types":[{"price_currency":"NZD","price_label":"Wholesale"}]}`)
		w.pull()
		w.download()
		check := func(doc string) ([]string, error) {
			return w.pair().CheckSettings(w.ctx(), w.bundle(), []byte(doc))
		}
		said, err := check(`{"joorPrices":{"NoSuchPrice":{"currency":"NZD","label":"Wholesale"}}}`)
		faults, _ := errors.AsType[tenant.FieldErrors](err)
		if len(faults) != 1 || faults[0].Field != "joorPrices.NoSuchPrice" || len(faults[0].Choices) < 4 {
			t.Errorf("%v %v", said, err)
		}
		said, err = check(`{"joorPrices":{"vipPrice":{"currency":"NZD","label":"Trade"}}}`)
		if err != nil || len(said) != 1 || !strings.Contains(said[0], "“Trade NZD”") {
			t.Errorf("%v %v", said, err)
		}
		said, err = check(`{"joorPrices":{"vipPrice":{"currency":"NZD","label":"Wholesale"}}}`)
		if err != nil || said != nil {
			t.Errorf("%v %v", said, err)
		}
	})
}

// TestGivenUp: the message of a run is received too often and given up, at a point where nothing but the run itself
// says that there is something left to do. It goes on with the next look at JOOR.
func TestGivenUp(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		w.contact("Harbour Foods", "")
		w.pull()
		last := false
		w.armed, w.odds = true, func(kind string) fault {
			switch {
			case strings.HasPrefix(kind, "joor: write T#tenant#joor#wishes"):
				last = true // what the person wants is forgotten: it was done
			case last && len(w.givenUp) == 0 && kind == "joor: write T#tenant#progress kind#joorUpload":
				return before
			}
			return none
		}
		w.press(w.sends((*joorcin7.Pair).Upload))
		w.rest()
		if len(w.givenUp) != 1 || !strings.Contains(w.givenUp[0], joorcin7.JobUpload) {
			t.Errorf("given up: %v", w.givenUp)
		}
		if c, err := w.pair().Ledger.LastProgress(w.ctx(), w.tenant, joorcin7.JobUpload); err != nil ||
			c.State != "done" || c.Result["inReview"] != 1 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}

// TestListsBehind: a process dies when it has noted what JOOR says of a customer, before the lists show it. The next
// look that may count on nobody being at it makes them anew.
func TestListsBehind(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.contact("Harbour Foods", "")
		w.pull()
		w.upload()
		w.review(true)
		found, died := false, false
		w.armed, w.odds = true, func(kind string) fault {
			switch {
			case strings.HasPrefix(kind, "joor: GET ") && strings.HasSuffix(kind, "/customer_code/"+a+"/"):
				found = true
			case found && !died && kind == "joor: write T#tenant#progress kind#joorConnections":
				died = true
				return die
			}
			return none
		}
		w.look()
		w.pass(2 * time.Hour)
		w.rest()
		if got := w.list(joorcin7.ListLinked); got != a+" linked" || !died {
			t.Errorf("linked: %q, in review: %q; died: %t", got, w.list(joorcin7.ListReview), died)
		}
	})
}

// TestDoubtOfNew: a customer that nobody heard of after it was sent for the first time is changed in Cin7 Omni before
// it may be sent again. It goes as it is then, and does not wait for a button that does not offer it.
func TestDoubtOfNew(t *testing.T) {
	t.Parallel()
	inWorld(t, func(w *world) {
		a := w.contact("Harbour Foods", "")
		w.pull()
		w.mu.Lock()
		w.on = map[string]fault{"joor: POST " + sim.PrefixJOOR + "/v2/bulk-connection": before}
		w.mu.Unlock()
		w.press(w.sends((*joorcin7.Pair).Upload))
		time.Sleep(30 * time.Second)
		w.edit(a, `{"email":"office@harbour.example"}`)
		w.until(w.pair().Sync(w.ctx(), w.bundle(), joorcin7.JobContacts))
		w.rest()
		w.review(true)
		w.pass(5 * time.Hour)
		w.rest()
		if len(w.on) > 0 {
			t.Error("nothing went wrong")
		}
		if wrong := w.differences(a); wrong != "" {
			t.Error(wrong)
		}
	})
}
