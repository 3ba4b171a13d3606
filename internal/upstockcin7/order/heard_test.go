package order

import (
	"errors"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func at(minutes int) time.Time { return noon.Add(time.Duration(minutes) * time.Minute) }

// run is an order that was approved an hour ago, in a state and with intents.
func run(state ledger.State, intents ...ledger.Intent) Order {
	return Order{Run: ledger.Run{Tenant: "t", ID: "12", State: state, Intents: intents}, Approved: at(-60)}
}

func create(a ledger.Answer, sale string) ledger.Intent {
	return ledger.Intent{Step: StepCreate, Answer: a, Target: sale}
}

// with is an order that a case changes.
func with(o Order, change func(o *Order)) Order {
	change(&o)
	return o
}

// givenUp is a create without an answer that was settled as not made.
var givenUp = ledger.Intent{Step: StepCreate, Answer: ledger.Open, Settled: true}

// TestRenewal: what a later approval of an order means.
func TestRenewal(t *testing.T) {
	cancelled := func(o Order) Order {
		o.Cancelled, o.Occurred = at(-30), at(-40)
		return o
	}
	asked := func(o Order, ask time.Time) Order { // zero: of a person
		o = cancelled(o)
		o.Unsettled, o.Ask = at(-30), ask
		return o
	}
	voided := run(ledger.Attention, create(ledger.Done, "s1"))
	voided.Voided = []string{"s1"}
	soldOne := with(run(Sold), func(o *Order) { o.SoldAt = at(-50) })
	byUs := run(ledger.Attention, create(ledger.Done, "s1"),
		ledger.Intent{Step: StepVoid, Answer: ledger.Done, Target: "s1"})
	byUs.Voided = []string{"s1"}
	for _, c := range []struct {
		name     string
		o        Order
		approved time.Time
		want     renewal
	}{
		{"it does not say when", run(ledger.Working), time.Time{}, notNew},
		{"the one that is known", run(ledger.Working), at(-60), notNew},
		{"an earlier one", run(ledger.Working), at(-61), notNew},

		{"before the cancellation", cancelled(run(Cancelled)), at(-41), notNew},
		{"in the moment of the cancellation", cancelled(run(Cancelled)), at(-40), notNew},
		{"after the cancellation", cancelled(run(Cancelled)), at(-39), askWhich},
		{"after it, and a sale stands", cancelled(soldOne), at(-39), askWhich},
		{"after it, which is being asked about", asked(run(ledger.Waiting), noon), at(-39), alreadyOpen},
		{"known, and being asked about", with(asked(run(ledger.Waiting), noon), func(o *Order) {
			o.Approved = at(-39)
		}), at(-39), notNew},
		{"after it, which a person was asked about", asked(run(ledger.Attention), time.Time{}), at(-39), askWhich},

		{"nothing was made", run(ledger.Waiting), at(-1), planAnew},
		{"a create was refused", run(ledger.Waiting, create(ledger.Refused, "")), at(-1), planAnew},
		{"a create is in doubt", run(ledger.Waiting, create(ledger.Open, "")), at(-1), anEvent},
		{"a create was given up", run(ledger.Waiting, givenUp), at(-1), planAnew},
		{"a sale was made", run(ledger.Working, create(ledger.Done, "s1")), at(-1), anEvent},
		{"a sale was chosen", with(run(ledger.Working), func(o *Order) { o.SaleID = "s1" }), at(-1), anEvent},
		{"it is sold", soldOne, at(-1), anEvent},

		{"its plan has problems", with(run(ledger.Attention), func(o *Order) { o.OfPlan = true }), at(-1), planAnew},
		{"something else needs a person", run(ledger.Attention), at(-1), anEvent},
		{"its sale was voided by us", byUs, at(-1), sellAnew},
		{"by us, and it is worked on", with(byUs, func(o *Order) { o.State = ledger.Working }), at(-1), anEvent},
		{"its sale was voided by somebody", voided, at(-1), anEvent},
	} {
		if got := renewalOf(&c.o, c.approved); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}

// TestHearCancel: what a cancellation does to an order, by what is known of it.
func TestHearCancel(t *testing.T) {
	m := &Marks{Now: func() time.Time { return noon }, Watch: []time.Duration{time.Minute}}
	ended := with(run(Cancelled), func(o *Order) { o.Cancelled, o.Occurred = at(-30), at(-40) })
	open := with(run(ledger.Waiting), func(o *Order) {
		o.Cancelled, o.Occurred, o.Unsettled, o.Ask = at(-30), at(-40), at(-30), at(1)
	})
	handed := with(open, func(o *Order) { o.State, o.Ask = ledger.Attention, time.Time{} })
	sold := with(run(Sold), func(o *Order) { o.SoldAt, o.SaleID = at(-50), "s1" })
	const (
		unheard = ""       // nothing changes
		noted   = "noted"  // when it was, and nothing else
		ends    = "ends"   // no sale was made
		asks    = "asks"   // Upstock is asked whether it counts
		keeps   = "stands" // likewise, and the order is sold as it was
	)
	for _, c := range []struct {
		name     string
		o        Order
		occurred time.Time
		restored bool
		want     string
		note     string // what is said of it
	}{
		{"nothing was made", run(ledger.Waiting), at(-10), false, ends, "no sale was made."},
		{"a person's turn", run(ledger.Attention), at(-10), false, ends, "no sale was made."},
		{"a create was refused", run(ledger.Waiting, create(ledger.Refused, "")), at(-10), false, ends, "no sale was"},
		{"a worker was at it", with(run(ledger.Working), func(o *Order) { o.Lease.Until = at(-1) }), at(-10), false,
			ends, "no sale was made."},
		{"a worker is at it", with(run(ledger.Working), func(o *Order) { o.Lease.Until = at(1) }), at(-10), false,
			asks, "while the sale was being made."},
		{"a create is in doubt", run(ledger.Waiting, create(ledger.Open, "")), at(-10), false, asks, "being made."},
		{"a sale was made", run(ledger.Working, create(ledger.Done, "s1")), at(-10), false, asks, "being made."},
		{"approved since", run(ledger.Waiting), at(-61), false, asks, "from before the order's approval."},
		{"approved since, and sold", sold, at(-61), false, keeps, "from before the order's approval."},
		{"sold", sold, at(-10), false, keeps, "after it was sold."},
		{"the table was put back", run(ledger.Waiting), at(-10), true, asks, "may stand that is not on record here."},
		{"a sale that is not ours is known of", with(run(ledger.Attention), func(o *Order) {
			o.Problems = []ledger.Problem{{Message: MaybeSale + "SO-9."}}
		}), at(-10), false, asks, "may stand that is not on record here."},
		{"parked", with(run(ledger.Waiting, create(ledger.Open, "")), func(o *Order) { o.Parked = true }), at(-10),
			false, asks, "being made."},

		{"ended, and heard once more", ended, at(-40), false, unheard, ""},
		{"ended, and an earlier one", ended, at(-41), true, unheard, ""},
		{"ended, and a later one", ended, at(-10), false, noted, ""},
		{"ended, a later one, and the table was put back", ended, at(-10), true, asks, ""},
		{"cancelled when sold, a later one, and put back", with(sold, func(o *Order) {
			o.Cancelled, o.Occurred = at(-30), at(-40)
		}), at(-10), true, noted, ""},
		{"being asked about, and heard once more", open, at(-40), false, unheard, ""},
		{"being asked about, and a later one", open, at(-10), false, asks, "once more."},
		{"a person was asked, and heard once more", handed, at(-40), false, asks, "once more."},
		{"dropped, and heard once more", with(run(ledger.Waiting), func(o *Order) { o.Dropped = at(-10) }), at(-10),
			true, unheard, ""},
		{"another was dropped", with(run(ledger.Waiting), func(o *Order) { o.Dropped = at(-11) }), at(-10), false, ends,
			"no sale was made."},
	} {
		o, was := c.o, c.o
		changed := m.hearCancel(&o, c.occurred, noon, c.restored)
		got := unheard
		switch {
		case !changed:
		case o.Unsettled.Equal(noon) && o.Ask.Equal(noon) && o.State == ledger.Waiting && o.Why == AskingUpstock &&
			o.Problems == nil && !o.Parked:
			got = asks
		case o.Unsettled.Equal(noon) && o.Ask.Equal(noon) && o.State == was.State && o.SoldAt.Equal(was.SoldAt):
			got = keeps
		case o.State == Cancelled && was.State != Cancelled && !o.CancelOpen() && o.Problems == nil && o.Why == "":
			got = ends
		case o.State == was.State && o.Unsettled.Equal(was.Unsettled):
			got = noted
		default:
			got = "something else"
		}
		note := ""
		if n := len(o.Timeline); n > 0 {
			note = o.Timeline[n-1].Text
		}
		if got != c.want || !strings.Contains(note, c.note) || c.note == "" && note != "" {
			t.Errorf("%s: %q, want %q; %q", c.name, got, c.want, note)
		}
		if changed && (!o.Occurred.Equal(c.occurred) || o.Cancelled.IsZero() ||
			!was.Cancelled.IsZero() && !o.Cancelled.Equal(was.Cancelled)) {
			t.Errorf("%s: cancelled %s, occurred %s", c.name, o.Cancelled, o.Occurred)
		}
		if !changed && (!o.Occurred.Equal(was.Occurred) || !o.Cancelled.Equal(was.Cancelled)) {
			t.Errorf("%s: it was noted", c.name)
		}
	}

	doubted := run(ledger.Waiting, givenUp)
	if !m.hearCancel(&doubted, at(-10), noon, false) || len(doubted.Watches) != 1 ||
		!doubted.Next.Equal(at(1)) || doubted.State != Cancelled {
		t.Errorf("a create that was given up may show yet: %s, %s", doubted.State, doubted.Watches)
	}
	strange := run(ledger.Attention)
	strange.Problems = []ledger.Problem{{Message: MaybeSale + "SO-9."}}
	if m.hearCancel(&strange, at(-10), noon, false); len(strange.Said) != 1 {
		t.Errorf("the sale that is not ours is forgotten: %v", strange.Said)
	}
}

// TestAskForReading: which news of its sale has an order read, and when.
func TestAskForReading(t *testing.T) {
	m := &Marks{Now: func() time.Time { return noon }, Delivery: 30 * time.Second}
	soon := noon.Add(m.Delivery)
	sold := with(run(Sold), func(o *Order) {
		o.SoldAt, o.Seen, o.Listed, o.Stale, o.Asked, o.Readings = at(-50), at(-20), "old", 2, 3, 3
	})
	marked := with(sold, func(o *Order) { o.Asked = 4 })
	ahead := with(sold, func(o *Order) { o.Seen = at(3) })
	cancelled := with(sold, func(o *Order) { o.State = Cancelled })
	park := func(o *Order) { o.Parked = true }
	working := func(o *Order) { o.Lease.Token, o.Lease.Until = "x", at(1) }
	ranOut := func(o *Order) { o.Lease.Token, o.Lease.Until = "x", at(-1) } // a lease that nobody gave back
	clock := at(2)
	row := Heard{updated: at(-5), listed: "new", clock: clock}
	hint := Heard{clock: clock}
	for _, c := range []struct {
		name  string
		o     Order
		said  Heard
		asks  bool
		wake  bool
		known bool // it was marked already: nothing is written
		next  time.Time
		seen  time.Time
	}{
		{"a row", sold, row, true, true, false, soon, at(-5)},
		{"a hint", sold, hint, true, true, false, soon, at(-20)},
		{"a row that is known", sold, Heard{updated: at(-20), listed: "new", clock: clock}, false, false, false,
			time.Time{}, at(-20)},
		{"an older row", sold, Heard{updated: at(-21), listed: "new", clock: clock}, false, false, false,
			time.Time{}, at(-20)},
		{"a row without a date", sold, Heard{listed: "new", clock: clock}, true, true, false, soon, at(-20)},
		{"a row that is dated ahead", sold, Heard{ahead: at(90), listed: "new", clock: clock}, true, true, false, soon,
			at(-20)},
		{"a row, and what was seen lies ahead", ahead, row, true, true, false, soon, at(-5)},

		{"cancelled", cancelled, row, false, false, false, time.Time{}, at(-5)},
		{"not sold yet", run(ledger.Working), row, true, false, false, time.Time{}, at(-5)},
		{"parked", with(sold, park), row, true, false, false, time.Time{}, at(-5)},
		{"a worker is at it", with(sold, working), row, true, false, false, at(1), at(-5)},
		{"a worker ran out of time", with(sold, ranOut), row, true, true, false, soon, at(-5)},

		{"a row, and a reading is to come", marked, row, true, true, false, soon, at(-5)},
		{"a hint, and a reading is to come far off", with(marked, func(o *Order) { o.Next = at(9) }), hint, false,
			false, false, soon, at(-20)},
		{"a hint, and a reading is to come some day", marked, hint, false, false, false, soon, at(-20)},
		{"a hint, and a reading is to come soon", with(marked, func(o *Order) { o.Next = soon }), hint, false, false,
			true, soon, at(-20)},
		{"a hint, and a reading may have begun", with(marked, ranOut), hint, true, true, false, soon, at(-20)},
		{"a hint, parked, and a reading is to come", with(marked, park), hint, false, false, true, time.Time{},
			at(-20)},
		{"a hint, not sold yet and marked", with(run(ledger.Working), func(o *Order) { o.Asked = 1 }), hint, false,
			false, true, time.Time{}, time.Time{}},
	} {
		o := c.o
		wake, err := m.askForReading(&o, c.said, c.said.listed == "")
		if known := errors.Is(err, errMarked); wake != c.wake || known != c.known || err != nil && !known {
			t.Errorf("%s: wake %t, %v", c.name, wake, err)
		}
		if (o.Asked == c.o.Asked+1) != c.asks || !c.asks && o.Asked != c.o.Asked || !o.Next.Equal(c.next) {
			t.Errorf("%s: asked %d, was %d, next %s, want %s", c.name, o.Asked, c.o.Asked, o.Next, c.next)
		}
		if !o.Seen.Equal(c.seen) || !o.Ahead.Equal(c.said.ahead) {
			t.Errorf("%s: seen %s, want %s, ahead %s", c.name, o.Seen, c.seen, o.Ahead)
		}
		news := c.said.listed != "" && (c.asks || o.State == Cancelled)
		if news != (o.Listed == "new" && o.Stale == 0) {
			t.Errorf("%s: listed %q, stale %d", c.name, o.Listed, o.Stale)
		}
	}
}
