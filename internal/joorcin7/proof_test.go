package joorcin7_test

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/mutant"
	"stockbridge/internal/sim"
	"stockbridge/internal/testsize"
)

// The proof: a person uploads customers, JOOR's people accept them, they change and are updated, and one is linked by a
// match and updated. Every outside effect of that, each write and each call, fails before it takes effect, takes effect
// unheard, comes late, or is the last of its process. Whatever it was, each customer is in JOOR once, the links are
// right, both sides agree, and another press sends nothing.
func TestCrashProof(t *testing.T) {
	t.Parallel()
	effects := proofStory(t, 0, none)
	if effects < 60 {
		t.Fatalf("only %d effects", effects)
	}
	step := testsize.Of(1, 23, 61)
	for _, f := range []fault{before, after, late, die} {
		t.Run(f.String(), func(t *testing.T) {
			t.Parallel()
			var at []int
			for n := 1 + int(f)%step; n <= effects; n += step {
				at = append(at, n)
			}
			some := testsize.Part(t, at)
			t.Logf("crash proof of customers, %s: %d of %d effects", f, len(some), effects)
			for _, n := range some {
				proofStory(t, n, f)
				if t.Failed() {
					t.Fatalf("with %s at effect %d of %d", f, n, effects)
				}
			}
		})
	}
}

// proofStory tells the story with a fault at an effect, and returns how many there were.
func proofStory(t *testing.T, at int, f fault) (effects int) {
	t.Helper()
	inWorld(t, func(w *world) {
		a := w.contact("Harbour Foods", "")
		b := w.contact("Royal Bakery", `{"priceColumn":"RetailPrice"}`)
		c := w.contact("Zebra Pantry", "")
		w.control("POST", "/sim/joor/connections?account="+w.acc.JOOR.Account, `{"customer_alias":"Zebra Pantry",
			"customer_contact_email":"zebrapantry@example.com",
			"shipping":{"shipping_addresses":[{"address_1":"1 Old Road","city":"Taupō","country":"New Zealand"}]},
			"price_types":[{"price_currency":"NZD","price_label":"Retail"}]}`)
		w.pull()
		w.download()
		w.until(w.pair().FindMatches(w.ctx(), w.tenant, "Mary"))
		w.rest()
		w.mu.Lock()
		w.armed, w.faults = true, map[int]fault{at: f}
		w.mu.Unlock()
		w.press(func() error {
			_, err := w.pair().DecideMatches(w.ctx(), w.tenant, joorcin7.MatchDecision{
				Accept: []joorcin7.MatchPair{{Contact: c, Connection: fmt.Sprint(w.connections()[0].ID)}}}, "Mary")
			return err
		})
		w.press(w.sends((*joorcin7.Pair).Upload))
		w.rest()
		w.review(true)
		w.pass(5 * time.Hour)
		w.rest()
		w.edit(a, `{"address1":"99 Quay Street","email":"office@harbourfoods.example"}`)
		w.edit(b, `{"company":"Royal Bakery Ltd"}`)
		w.press(func() error {
			_, err := w.pair().Sync(w.ctx(), w.bundle(), joorcin7.JobContacts)
			return err
		})
		w.rest()
		w.press(w.sends((*joorcin7.Pair).Update))
		w.rest()
		w.mu.Lock()
		effects, w.armed = w.effects, false
		hit := "nothing"
		if at > 0 && at <= len(w.names) {
			hit = w.names[at-1]
		}
		w.mu.Unlock()
		w.atRest(fmt.Sprintf("%s at %d, %s", f, at, hit), a, b, c)
	})
	return effects
}

// sends is what a button does: all that its list has.
func (w *world) sends(
	button func(*joorcin7.Pair, context.Context, string, joorcin7.Choice, string) (*joorcin7.Progress, error),
) func() error {
	return func() error {
		_, err := button(w.pair(), w.ctx(), w.tenant, joorcin7.Choice{All: true}, "Mary")
		return err
	}
}

// press has a person ask until there is an answer.
func (w *world) press(ask func() error) {
	w.t.Helper()
	var err error
	for range 5 {
		if err = ask(); err == nil {
			return
		}
		time.Sleep(time.Minute)
	}
	w.t.Fatalf("nothing can be asked for: %v", err)
}

// atRest lets people do what the lists leave to them, until nothing is left, and holds what is so then: each customer
// is in JOOR once, as Cin7 Omni has it, and is linked to its connection; the lists say so; another press sends nothing.
func (w *world) atRest(when string, ids ...string) {
	w.t.Helper()
	for range 4 {
		w.pull()
		w.upload()
		w.rest()
		w.review(true)
		w.pass(9 * time.Hour)
		w.rest()
		w.update()
		w.rest()
		if w.list(joorcin7.ListReview) != "" { // turned down: it is overdue, and somebody sends it again
			w.pass(4 * 24 * time.Hour)
			w.rest()
			w.sendOverdue()
		}
		if w.list(joorcin7.ListUpload)+w.list(joorcin7.ListReview)+w.list(joorcin7.ListUpdate) == "" {
			break
		}
	}
	if wrong := w.differences(ids...); wrong != "" {
		w.t.Errorf("%s:\n%s", when, wrong)
		return
	}
	jobs := w.calls(sim.JOOR, "POST /bulk-connection")
	w.upload()
	w.update()
	w.look()
	if n := w.calls(sim.JOOR, "POST /bulk-connection") - jobs; n > 0 {
		w.t.Errorf("%s: %d more jobs, and nothing differs", when, n)
	}
	if n := w.sim.OverLimit(sim.JOOR, ""); n > 0 {
		w.t.Errorf("%s: %d credits over JOOR's limit", when, n)
	}
}

// sendOverdue has a person send again what is overdue.
func (w *world) sendOverdue() {
	w.t.Helper()
	page, err := w.pair().Customers(w.ctx(), w.tenant, joorcin7.Query{List: joorcin7.ListReview})
	w.must(err)
	var ids, linked []string
	for _, c := range page.Items {
		switch {
		case !c.Overdue:
		case c.Connection != "": // its people removed it when an update was on its way
			linked = append(linked, c.ID)
		default:
			ids = append(ids, c.ID)
		}
	}
	if len(ids) > 0 {
		w.upload(ids...)
	}
	if len(linked) > 0 {
		w.update(linked...)
	}
	w.rest()
}

// differences says how the two sides, and the lists, differ, by the simulators' own books.
func (w *world) differences(ids ...string) string {
	w.t.Helper()
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	for _, l := range []joorcin7.List{joorcin7.ListUpload, joorcin7.ListUpdate, joorcin7.ListReview} {
		if got := w.list(l); got != "" {
			say("%s still lists %s", l, got)
		}
	}
	books := w.contacts()
	all := w.connections()
	for _, id := range ids {
		c := w.customer(id)
		o := books[id]
		if c.State != joorcin7.StateLinked {
			say("%s is %s %s", id, c.State, c.Why)
			continue
		}
		n := 0
		for _, x := range all {
			if x.Review || !strings.EqualFold(x.Email, o.Email) {
				continue
			}
			n++
			label := strings.TrimSuffix(o.PriceColumn, "Price")
			ship := address{}
			for _, a := range x.Shipping.Addresses {
				if a.Code == id {
					ship = a
				}
			}
			switch {
			case fmt.Sprint(x.ID) != c.Connection:
				say("%s is linked to %s, and is %d in JOOR", id, c.Connection, x.ID)
			case x.Alias != o.Company || ship.Line1 != o.Address1 || ship.City != o.City || ship.Country != o.Country:
				say("%s is %q %+v in JOOR, and %+v in Cin7 Omni", id, x.Alias, ship, o)
			case !x.has(label):
				say("%s has %+v in JOOR, want %s", id, x.PriceTypes, label)
			case x.code() == "":
				say("%s has no code in JOOR", id)
			}
		}
		if n != 1 {
			say("%s is in JOOR %d times", id, n)
		}
	}
	if len(all) != len(ids) {
		say("JOOR has %d connections of %d customers", len(all), len(ids))
	}
	return strings.Join(wrong, "\n")
}

func (c there) has(label string) bool {
	for _, p := range c.PriceTypes {
		if p.Label == label {
			return true
		}
	}
	return false
}

// TestMonth: for weeks people edit customers in Cin7 Omni and connections in JOOR, remove some there, and press the
// buttons, while one effect in thirty goes wrong. Then both sides agree.
func TestMonth(t *testing.T) {
	t.Parallel()
	testsize.Large(t)
	seeds := make([]uint64, testsize.Of(12, 1, 0))
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	for _, seed := range testsize.Part(t, seeds) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) { w.month(seed) })
		})
	}
}

// lot draws one effect in thirty to go wrong: which ones follows from the seed and from how often there was one of its
// kind, and not from the order in which effects of several processes come.
func lot(seed uint64) func(kind string) fault {
	met := map[string]int{}
	return func(kind string) fault {
		met[kind]++
		h := fnv.New64a()
		fmt.Fprintf(h, "%d %s %d", seed, kind, met[kind])
		r := rand.New(rand.NewPCG(seed, h.Sum64()))
		if r.IntN(30) > 0 {
			return none
		}
		return []fault{before, after, late, die}[r.IntN(4)]
	}
}

func (w *world) month(seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7))
	var ids []string
	w.odds = lot(seed)
	n := 0
	for day := range testsize.Of(30, 12, 12) {
		w.mu.Lock()
		w.armed = true
		w.mu.Unlock()
		for range 1 + r.IntN(4) {
			n++
			switch id := pick(r, ids); {
			case r.IntN(5) == 0 || id == "":
				ids = append(ids, w.contact(fmt.Sprintf("Firm %d of day %d", n, day), ""))
			case r.IntN(4) == 0: // JOOR's people
				if of := w.of(id); len(of) == 1 && !of[0].Review {
					w.control("PUT", w.there(of[0].ID), fmt.Sprintf(`{"customer_alias":"Theirs %d"}`, n))
				}
			case r.IntN(12) == 0:
				if of := w.of(id); len(of) == 1 && !of[0].Review {
					w.control("DELETE", w.there(of[0].ID), "")
				}
			default:
				w.edit(id, pick(r, []string{fmt.Sprintf(`{"address1":"%d Quay Street"}`, n), `{"city":"Wellington"}`,
					fmt.Sprintf(`{"company":"Firm %d anew"}`, n), `{"priceColumn":"RetailPrice"}`,
					fmt.Sprintf(`{"email":"firm%d@example.com"}`, n), `{"isActive":false}`, `{"isActive":true}`}))
			}
			w.pass(time.Duration(r.IntN(180)) * time.Minute)
		}
		switch r.IntN(4) {
		case 0:
			w.press(w.sends((*joorcin7.Pair).Upload))
		case 1:
			w.press(w.sends((*joorcin7.Pair).Update))
		case 2:
			w.review(r.IntN(5) > 0)
		}
		w.pass(12 * time.Hour)
	}
	w.mu.Lock()
	w.armed = false
	w.mu.Unlock()
	w.rest()
	for _, id := range ids {
		w.edit(id, `{"isActive":true}`)
	}
	w.pass(36 * time.Hour) // JOOR's side is read once a day
	w.rest()
	w.atRest("after a month", ids...)
}

// there is where the control API has a connection.
func (w *world) there(id int) string {
	return fmt.Sprintf("/sim/joor/connections/%d?account=%s", id, w.acc.JOOR.Account)
}

func pick[T any](r *rand.Rand, list []T) (one T) {
	if len(list) > 0 {
		one = list[r.IntN(len(list))]
	}
	return one
}

// TestOldValue: what nobody heard of may take effect late, or have taken effect already. Whatever was typed since is
// what JOOR has in the end.
func TestOldValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		fault fault
		then  string
	}{
		{late, `{"address1":"3 Later Road"}`}, // the call takes effect after a newer one, if that is too early
		{die, `{"address1":"1 First Road"}`},  // and JOOR's is as it was, as far as anybody was told
	} {
		t.Run(c.fault.String(), func(t *testing.T) {
			t.Parallel()
			inWorld(t, func(w *world) {
				a := w.contact("Harbour Foods", `{"address1":"1 First Road"}`)
				w.pull()
				w.upload()
				w.review(true)
				w.pass(5 * time.Hour)
				w.rest()
				w.edit(a, `{"address1":"2 Second Road"}`)
				w.pull()
				w.mu.Lock()
				w.on = map[string]fault{"joor: POST " + sim.PrefixJOOR + "/v2/bulk-connection": c.fault}
				w.mu.Unlock()
				w.press(w.sends((*joorcin7.Pair).Update))
				time.Sleep(30 * time.Second)
				w.edit(a, c.then)
				w.until(w.pair().Sync(w.ctx(), w.bundle(), joorcin7.JobContacts))
				w.press(w.sends((*joorcin7.Pair).Update))
				w.rest()
				w.pull()
				w.update()
				w.rest()
				if len(w.on) > 0 {
					t.Error("nothing went wrong")
				}
				if wrong := w.differences(a); wrong != "" { // before JOOR's side is read anew
					t.Error(wrong)
				}
			})
		})
	}
}

// TestProofCanFail: with each of the pair's rules switched off, one of its tests finds something wrong.
func TestProofCanFail(t *testing.T) {
	testsize.Large(t)
	for _, by := range []struct {
		test    string
		mutants []string
	}{
		{"TestCrashProof", []string{"a connection is sent without its code", "a bulk job's ticket is not kept",
			"a linked connection without a code goes in a bulk job"}},
		{"TestStory", []string{"one that JOOR has not looked at counts as linked"}},
		{"TestOldValue", []string{"a call is made without being on record", "what is in doubt is sent again at once"}},
		{"TestBadContacts", []string{"a contact that lacks what JOOR asks for is sent"}},
		{"TestOverdue", []string{"one that is in review is sent again"}},
		{"TestSwitchedOff", []string{"a switch counts for what is pressed alone"}},
		{"TestDoubtOfNew", []string{"what is in doubt counts as what JOOR holds"}},
		{"TestListsBehind", []string{"nobody notes that lists are behind"}},
		{"TestGivenUp", []string{"nobody wakes a run whose message was given up",
			"what a run came to is counted once more when it is done"}},
		{"TestRemovedThere", []string{"what was removed in JOOR comes back by itself"}},
	} {
		mutant.Caught(t, by.test, by.mutants...)
	}
}
