package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
)

const soon = 5 * time.Minute // the schedule

// readBody reads what an address is sent, as its documentation has it.
func readBody(body []byte) (received, error) {
	type matter struct {
		Key, Message string
		Fix          *string
		Orders       int
	}
	var doc struct {
		Type      string
		Timestamp time.Time
		Data      struct {
			Tenant            struct{ ID, Name string }
			URL               *string
			New, Healed, Open []matter
		}
	}
	err := json.Unmarshal(body, &doc)
	if err == nil && (doc.Timestamp.IsZero() || doc.Data.Tenant.Name == "" || doc.Data.URL == nil) {
		err = fmt.Errorf("something is missing")
	}
	one := received{Type: doc.Type, Body: string(body)}
	for _, m := range doc.Data.New {
		one.New = append(one.New, strings.TrimPrefix(m.Key, "order/"))
	}
	for _, m := range doc.Data.Healed {
		one.Healed = append(one.Healed, strings.TrimPrefix(m.Key, "order/"))
	}
	return one, err
}

// said is what was told at the address, in short: +A is new, -A is over.
func said(list []received) string {
	var all []string
	for _, m := range list {
		var one []string
		for _, k := range m.New {
			one = append(one, "+"+k)
		}
		for _, k := range m.Healed {
			one = append(one, "-"+k)
		}
		all = append(all, strings.Join(one, ""))
	}
	return strings.Join(all, " ")
}

// TestTold: what is wrong is told once in each way, grouped, and once more when it is over. A look that finds nothing
// new writes nothing.
func TestTold(t *testing.T) {
	r := newRig(t)
	r.setUp(both)
	r.tick(soon)
	if len(r.mails.sent)+len(r.hooks.all()) > 0 {
		t.Error("something was told, and nothing is wrong")
	}
	r.wrong = []Matter{matter("TEA", 4), matter("CAKE", 1)}
	r.tick(soon)
	before := r.table.writes
	for range 20 {
		r.tick(soon)
		r.wrong[0].Orders++ // of the same cause
	}
	if n := r.table.writes - before; n != 0 {
		t.Errorf("%d writes while nothing changed", n)
	}
	r.wrong = append(r.wrong[1:], matter("JAM", 1))
	r.tick(soon)
	r.tick(time.Second) // too soon to be sure
	if got := said(r.hooks.all()); strings.Contains(got, "-") {
		t.Errorf("told: %s", got)
	}
	r.tick(soon)
	r.wrong = nil
	r.tick(soon)
	r.wrong = []Matter{matter("JAM", 1)} // it was being tried again
	r.tick(soon)
	r.wrong = nil
	r.tick(soon)
	r.tick(soon)
	r.wrong = []Matter{matter("TEA", 2)}
	r.tick(soon)
	const want = "+TEA+CAKE +JAM -TEA -CAKE -JAM +TEA"
	if got := said(r.hooks.all()); got != want {
		t.Errorf("told at the address: %s, want %s", got, want)
	}
	if len(r.mails.sent) != 6 {
		t.Errorf("%d e-mails", len(r.mails.sent))
	}
	ids := map[string]bool{}
	for _, m := range r.hooks.all() {
		ids[m.ID] = true
	}
	if len(ids) != 6 {
		t.Errorf("ids: %v", ids)
	}
	if a := r.stored(); len(a.Hook.Told) != 1 || len(a.Hook.Log) != 6 || a.Hook.Log[0].What != "1 new" ||
		a.Hook.Log[0].Answer != "It answered 204." || a.Mail.Log[0].Answer != "It was handed to the mail service." {
		t.Errorf("%+v", a)
	}
}

// TestConnectionBreaks: a connection that needs a new key is told, whatever else is.
func TestConnectionBreaks(t *testing.T) {
	r := newRig(t)
	r.setUp(both)
	c, _, err := r.Tenants.Connect(t.Context(), r.of.ID, tenant.Cin7Core,
		func(c *tenant.Connection, s *tenant.Secrets) error {
			c.Account, s.Key = "acc", "key"
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	r.tick(soon)
	if _, err := r.Tenants.Broken(t.Context(), r.of.ID, tenant.Cin7Core, c.Generation,
		tenant.Cin7Core.KeyRefused()); err != nil {
		t.Fatal(err)
	}
	r.tick(soon)
	if _, _, err := r.Tenants.Connect(t.Context(), r.of.ID, tenant.Cin7Core,
		func(c *tenant.Connection, s *tenant.Secrets) error {
			s.Key = "another"
			return nil
		}); err != nil {
		t.Fatal(err)
	}
	r.tick(soon)
	r.tick(soon)
	if got := said(r.hooks.all()); got != "+connection/cin7core -connection/cin7core" {
		t.Errorf("told: %s", got)
	}
	first, last := r.mails.sent[0], r.mails.sent[len(r.mails.sent)-1]
	if first.Subject != "Aroha Foods: Cin7 Core needs reconnecting: Cin7 Core refused the key." ||
		!strings.Contains(first.Text, "Save a new key of Cin7 Core.") || len(r.mails.sent) != 2 ||
		last.Subject != "Aroha Foods: all is well again" {
		t.Errorf("%+v", r.mails.sent)
	}
}

// TestFrequency: two days with something new every hour from 9:00 on and one thing over; when is it told?
func TestFrequency(t *testing.T) {
	testsize.Large(t)
	for often, want := range map[Frequency]string{
		AtOnce: "09:05 10:05 11:05 12:05 13:05 14:05 15:10",
		Hourly: "09:05 10:05 11:05 12:05 13:05 14:05 15:10",
		Daily:  "09:05 08:05",
	} {
		r := newRig(t)
		setup := both
		setup.Frequency = often
		r.setUp(setup)
		var at []string
		begun := r.clock
		for n := 0; r.clock.Sub(begun) < 48*time.Hour; n++ {
			if n%12 == 0 && n < 6*12 {
				r.wrong = append(r.wrong, matter(fmt.Sprint("T", n), 1))
			}
			if n == 6*12 {
				r.wrong = r.wrong[1:]
			}
			told := len(r.mails.sent)
			if r.tick(soon); len(r.mails.sent) > told {
				at = append(at, r.clock.In(r.of.Zone()).Format("15:04"))
			}
		}
		if got := strings.Join(at, " "); got != want || len(r.hooks.all()) != len(r.mails.sent) {
			t.Errorf("%s: told at %s, want %s", often, got, want)
		}
		if a := r.stored(); len(a.Mail.Told) != 5 || a.Mail.Sending != nil {
			t.Errorf("%s: %+v", often, a.Mail)
		}
	}
}

// TestGroupedByHour: what becomes wrong within the hour after a message comes together.
func TestGroupedByHour(t *testing.T) {
	r := newRig(t)
	setup := both
	setup.Frequency = Hourly
	r.setUp(setup)
	for n := range 24 {
		if n%3 == 0 {
			r.wrong = append(r.wrong, matter(fmt.Sprint(n), 1))
		}
		r.tick(soon)
	}
	if got := said(r.hooks.all()); got != "+0 +3+6+9+12" {
		t.Errorf("told: %s", got)
	}
	if got := r.mails.sent[1].Subject; got != "Aroha Foods: 4 things need you" {
		t.Error(got)
	}
}

// TestDayOfChange: in the night when clocks change, the morning is still at 8.
func TestDayOfChange(t *testing.T) {
	r := newRig(t)
	r.clock = time.Date(2026, 9, 26, 0, 0, 0, 0, time.UTC) // Auckland's clocks go forward on the 27th at 2:00
	setup := both
	setup.Frequency = Daily
	r.setUp(setup)
	var at []string
	for n := range 3 * 24 * 12 {
		if n%(24*12) == 0 {
			r.wrong = append(r.wrong, matter(fmt.Sprint(n), 1))
		}
		told := len(r.mails.sent)
		if r.tick(soon); len(r.mails.sent) > told {
			at = append(at, r.clock.In(r.of.Zone()).Format("2 Jan 15:04 MST"))
		}
	}
	if got := strings.Join(at, ", "); got != "27 Sep 08:00 NZDT, 28 Sep 08:00 NZDT, 29 Sep 08:00 NZDT" {
		t.Error(got)
	}
}

// TestNothingLost: whatever becomes of messages in one way, the other is told once, and at last this one knows
// everything: what is wrong, and what was and is over.
func TestNothingLost(t *testing.T) {
	mails := map[string]string{
		"before": "The mail service refused it: the address is not verified.",
		"lost":   "The mail service did not answer.",
	}
	for fail, answer := range mails {
		r := newRig(t)
		r.setUp(both)
		r.mails.fail = fail
		r.wrong = []Matter{matter("TEA", 1)}
		for range 12 {
			r.tick(soon)
		}
		if got := said(r.hooks.all()); got != "+TEA" {
			t.Errorf("e-mail %s: the address was told %s", fail, got)
		}
		if c := r.stored().Mail; c.Log[0].Answer != answer || c.Failures < 3 || !c.Silent() {
			t.Errorf("e-mail %s: %+v", fail, c)
		}
		inside := strings.Contains(r.logged.String(), "arn:aws:ses")
		if all := fmt.Sprint(r.stored(), r.events()); strings.Contains(all, "arn:") || inside != (fail == "before") {
			t.Errorf("e-mail %s: what the service said of our account is in the log: %t; %s", fail, inside, all)
		}
		r.mails.fail = ""
		r.tick(7 * time.Hour)
		last := r.mails.sent[len(r.mails.sent)-1]
		if c := r.stored().Mail; c.Failures != 0 || c.Sending != nil || len(c.Told) != 1 || c.Told[0].Doubt ||
			!strings.Contains(last.Text, "SKU TEA") {
			t.Errorf("e-mail %s: %+v", fail, c)
		}
	}
	for fail, answer := range map[string]string{
		"before":      "It could not be reached. Nothing was sent.",
		"lost":        "It gave no answer that could be read.",
		"nonsense":    "It gave no answer that could be read.",
		"huge header": "It gave no answer that could be read.",
		"redirect":    "It answered 307, which leads elsewhere. That is not followed.",
		"status 410":  "It answered 410.",
		"status 503":  "It answered 503.",
		"status 101":  "It answered 101, which is no answer to a message.",
	} {
		r := newRig(t)
		r.setUp(both)
		r.hooks.set(fail)
		r.wrong = []Matter{matter("TEA", 1), matter("CAKE", 1)}
		for range 12 {
			r.tick(soon)
		}
		if len(r.mails.sent) != 1 {
			t.Errorf("%s: %d e-mails", fail, len(r.mails.sent))
		}
		c := r.stored().Hook
		if c.Log[0].Answer != answer || c.Log[0].Taken || !c.Silent() || c.Failing.IsZero() {
			t.Errorf("%s: %+v", fail, c)
		}
		if slices.ContainsFunc(r.hooks.dialed, func(a string) bool { return a != "8.8.8.8:443" }) {
			t.Errorf("%s: dialled %v", fail, r.hooks.dialed)
		}
		silent := "Alerts do not arrive at example.com. " + answer
		if got := strings.Join(r.events(), "|"); !strings.Contains(got, silent) ||
			strings.Count(got, "arrive") != 1 {
			t.Errorf("%s: events %s", fail, got)
		}
		got := r.hooks.all()
		for _, m := range got {
			if m.ID != got[0].ID || m.Body != got[0].Body {
				t.Errorf("%s: the same message came as %s and %s", fail, got[0].Body, m.Body)
			}
		}
		// One is over before the address works again: whoever may have heard of it hears that too.
		r.wrong = r.wrong[:1]
		r.tick(soon)
		r.tick(soon)
		r.hooks.set("")
		told := len(r.hooks.all())
		r.tick(7 * time.Hour)
		want := "+TEA"
		if fail == "lost" || fail == "nonsense" || fail == "huge header" || fail == "status 503" ||
			fail == "status 101" {
			want = "+TEA-CAKE"
		}
		if got := said(r.hooks.all()[told:]); got != want {
			t.Errorf("%s: told at last %s, want %s", fail, got, want)
		}
		if c := r.stored().Hook; c.Failures != 0 || !c.Failing.IsZero() || len(c.Told) != 1 || c.Told[0].Doubt {
			t.Errorf("%s: %+v", fail, c)
		}
		if got := strings.Join(r.events(), "|"); !strings.Contains(got, "Alerts arrive again at example.com.") {
			t.Errorf("%s: events %s", fail, got)
		}
	}
}

// TestWaits: an address that refuses is called less and less often, four times a day at last; one tenant's costs no
// other's.
func TestWaits(t *testing.T) {
	r := newRig(t)
	r.setUp(Setup{URL: receiverURL, Frequency: AtOnce})
	r.hooks.set("status 404")
	r.wrong = []Matter{matter("TEA", 1)}
	begun, reads := r.clock, 0
	for r.clock.Sub(begun) < 10*24*time.Hour {
		before := r.table.reads
		r.tick(soon)
		reads += r.table.reads - before
	}
	calls := len(r.hooks.dialed)
	if calls < 40 || calls > 50 {
		t.Errorf("%d calls in ten days", calls)
	}
	if looks := 10 * 24 * 12; reads > looks+calls*12 {
		t.Errorf("%d reads in %d schedules: it was looked at while nothing could be sent", reads, looks)
	}
	// A person repairs it and sends a test: the wait is over.
	r.hooks.set("")
	if err := r.AskTest(t.Context(), r.of.ID); err != nil {
		t.Fatal(err)
	}
	r.tick(time.Second)
	r.tick(soon)
	if got := r.hooks.all(); len(got) != 2 || got[0].Type != "alerts.test" || said(got[1:]) != "+TEA" {
		t.Errorf("%+v", got)
	}
}

// TestDies: a sender that dies before or after a message went out loses nothing, and who looks at the same time sends
// nothing.
func TestDies(t *testing.T) {
	for _, way := range Ways() {
		r := newRig(t)
		setup := both
		if way == Mail {
			setup.URL = ""
		} else {
			setup.Emails = nil
		}
		r.setUp(setup)
		r.wrong = []Matter{matter("TEA", 1)}
		ctx, die := context.WithCancel(t.Context())
		both := func() {
			if err := r.runner.Do(t.Context(), job.Message{Job: Job, Tenant: r.of.ID}); err != nil {
				t.Error(err)
			}
			die() // after it went out, before anything of it is written down
		}
		r.mails.on, r.hooks.on = func() { r.mails.on = nil; both() }, func() { r.hooks.on = nil; both() }
		if err := r.runner.Do(ctx, job.Message{Job: Job, Tenant: r.of.ID}); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", way, err)
		}
		ids := func() (ids []string) {
			for _, m := range r.mails.sent {
				ids = append(ids, m.ID)
			}
			for _, m := range r.hooks.all() {
				ids = append(ids, m.ID)
			}
			return ids
		}
		if n := len(ids()); n > 1 {
			t.Errorf("%s: %d sent", way, n)
		}
		if a := r.stored(); a.Channel(way).Sending == nil {
			t.Errorf("%s: nothing is written down before it is sent", way)
		}
		r.tick(soon)
		r.tick(soon)
		got := ids()
		if len(got) < 1 || len(got) > 2 || got[0] != got[len(got)-1] {
			t.Errorf("%s: sent %v", way, got)
		}
		if a := r.stored(); a.Channel(way).Sending != nil || len(a.Channel(way).Told) != 1 ||
			a.Channel(way).Told[0].Doubt {
			t.Errorf("%s: %+v", way, a)
		}
	}
}

// TestDiedAndHealed: what may have been told by a sender that died is said to be over, though nobody knows.
func TestDiedAndHealed(t *testing.T) {
	r := newRig(t)
	r.setUp(Setup{URL: receiverURL, Frequency: AtOnce})
	r.wrong = []Matter{matter("TEA", 1)}
	ctx, die := context.WithCancel(t.Context())
	r.hooks.on = func() { r.hooks.on = nil; die() }
	_ = r.runner.Do(ctx, job.Message{Job: Job, Tenant: r.of.ID})
	r.wrong = nil
	r.tick(soon)
	r.tick(soon)
	got := r.hooks.all()
	if s := said(got); !strings.HasSuffix(s, "-TEA") || strings.Count(s, "-TEA") != 1 {
		t.Errorf("told: %s", s)
	}
	if c := r.stored().Hook; len(c.Told) != 0 || c.Sending != nil {
		t.Errorf("%+v", c)
	}
}

// TestPartial: of orders that were not all read nothing is said to be over; what there is no room for is told later.
func TestPartial(t *testing.T) {
	r := newRig(t)
	r.setUp(Setup{URL: receiverURL, Frequency: AtOnce})
	for n := range mostTold + 20 {
		r.wrong = append(r.wrong, matter(fmt.Sprint(n), 1))
	}
	r.tick(soon)
	all := r.wrong
	r.unsure, r.wrong = []string{"choice/", "order/"}, all[:10]
	r.tick(soon)
	r.tick(soon)
	if got := r.hooks.all(); len(got) != 1 || len(got[0].New) != mostTold || len(got[0].Body) > 60_000 {
		t.Errorf("%d messages, the first of %d bytes", len(got), len(got[0].Body))
	}
	r.unsure, r.wrong = []string{"choice/"}, all[30:]
	for range 4 {
		r.tick(soon)
	}
	got := r.hooks.all()
	told, over := map[string]bool{}, 0
	for _, m := range got {
		for _, k := range m.New {
			if told[k] {
				t.Errorf("%s was told twice", k)
			}
			told[k] = true
		}
		over += len(m.Healed)
	}
	if len(told) != len(all) || over != 30 {
		t.Errorf("%d told, %d over, of %d", len(told), over, len(all))
	}
}

// TestRoom: however much of one kind is told, a connection that breaks, orders and a gap are told too, and that they
// are over.
func TestRoom(t *testing.T) {
	r := newRig(t)
	r.setUp(both)
	c, _, err := r.Tenants.Connect(t.Context(), r.of.ID, tenant.Cin7Core,
		func(c *tenant.Connection, s *tenant.Secrets) error {
			c.Account, s.Key = "acc", "key"
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 * mostTold {
		r.wrong = append(r.wrong, Matter{Key: fmt.Sprint("choice/", n), Text: "It is gone."})
	}
	r.tick(soon)
	if _, err := r.Tenants.Broken(t.Context(), r.of.ID, tenant.Cin7Core, c.Generation,
		tenant.Cin7Core.KeyRefused()); err != nil {
		t.Fatal(err)
	}
	r.tick(soon)
	for n := range 2 * mostTold {
		r.wrong = append(r.wrong, matter(fmt.Sprint(n), 1))
	}
	r.tick(soon)
	drift := r.wrong[:2*mostTold]
	r.wrong = append(r.wrong, Matter{Key: "gap/1", Text: "Orders were not taken in."})
	r.tick(soon)
	r.wrong = drift
	r.tick(soon)
	r.tick(soon)
	var got []string
	for _, m := range r.hooks.all() {
		got = append(got, fmt.Sprintf("+%d-%d %s", len(m.New), len(m.Healed), append(m.New, m.Healed...)[0]))
	}
	const want = "+50-0 choice/0|+1-0 connection/cin7core|+50-0 0|+1-0 gap/1|+0-51 0"
	if s := strings.Join(got, "|"); s != want || len(r.mails.sent) != len(got) {
		t.Errorf("told %s in %d e-mails, want %s", s, len(r.mails.sent), want)
	}
}

// TestChangedSetup: another address is told anew what is wrong, one more e-mail address is not, and what is switched
// off is not told.
func TestChangedSetup(t *testing.T) {
	r := newRig(t)
	secret := r.setUp(both)
	if !strings.HasPrefix(string(secret), "whsec_") {
		t.Fatal("there is no secret")
	}
	r.wrong = []Matter{matter("TEA", 1)}
	r.tick(soon)
	setup := both
	setup.URL = "https://example.com/other"
	setup.Emails = append(setup.Emails, "ben@example.com")
	if again := r.setUp(setup); again != "" {
		t.Error("another secret was made")
	}
	r.tick(soon)
	if len(r.hooks.all()) != 2 || len(r.mails.sent) != 1 {
		t.Errorf("%s; %d e-mails", said(r.hooks.all()), len(r.mails.sent))
	}
	r.setUp(Setup{Emails: setup.Emails, Frequency: AtOnce})
	r.wrong = []Matter{matter("TEA", 1), matter("CAKE", 1)}
	r.tick(soon)
	if len(r.hooks.all()) != 2 || len(r.mails.sent) != 2 || len(r.mails.sent[1].To) != 2 {
		t.Errorf("%s; %+v", said(r.hooks.all()), r.mails.sent)
	}
	r.setUp(Setup{Frequency: AtOnce})
	reads := r.table.reads
	r.tick(soon)
	if n := r.table.reads - reads; n != 1 || len(r.mails.sent) != 2 {
		t.Errorf("%d reads for nobody", n)
	}
	if _, _, err := r.Save(t.Context(), r.of, both, 2, r.Guard); !errors.Is(err, tenant.ErrChanged) {
		t.Errorf("saved over another's: %v", err)
	}
	if _, err := r.Tenants.Erase(t.Context(), r.of.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Save(t.Context(), r.of, both, -1, r.Guard); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("saved for a tenant that is erased: %v", err)
	}
}

// TestToAndFro: a program that changes where alerts go once a minute has what is wrong told once more a few times an
// hour, and whoever is told at last is told.
func TestToAndFro(t *testing.T) {
	one, other := both, Setup{Emails: []string{"ben@example.com"}, URL: receiverURL + "/other", Frequency: AtOnce}
	beside := Setup{Emails: append(slices.Clone(one.Emails), other.Emails...), URL: other.URL, Frequency: AtOnce}
	for name, c := range map[string]struct {
		setups []Setup
		fail   string
	}{
		"another":             {[]Setup{one, other}, ""},
		"none, and again":     {[]Setup{one, {Frequency: AtOnce}}, ""},
		"another that fails":  {[]Setup{one, other}, "before"},
		"one more that fails": {[]Setup{one, beside}, "before"},
		"one more, unknown":   {[]Setup{one, beside}, "lost"},
	} {
		r := newRig(t)
		r.wrong = []Matter{matter("TEA", 1)}
		mails := 0
		r.mails.fail, r.mails.on = c.fail, func() { mails++ }
		r.hooks.set(c.fail)
		for n := range 120 {
			r.setUp(c.setups[n%2])
			r.tick(time.Second)
			r.tick(time.Minute - time.Second)
		}
		// In two hours: the first, five an hour, one as each hour ends; where nothing arrives, what is sent again too.
		most := 14
		if c.fail != "" {
			most += 24
		}
		if hooks := len(r.hooks.dialed); mails > most || hooks > most || mails < 3 {
			t.Errorf("%s: %d e-mails and %d calls in two hours", name, mails, hooks)
		}
		r.mails.fail = ""
		r.hooks.set("")
		r.setUp(beside)
		r.tick(7 * time.Hour)
		if c := r.stored().Mail; len(c.Told) != 1 || c.Told[0].Doubt || len(c.Again) > mostAgain {
			t.Errorf("%s: %+v", name, c)
		}
	}
}

// TestCorrectedAddress: what a mistyped address refused does not delay the one that takes its place, which is told what
// is wrong; where others stay, what waits is sent to all soon, under its id.
func TestCorrectedAddress(t *testing.T) {
	for _, beside := range [][]string{nil, {"cy@example.com"}} {
		r := newRig(t)
		wrong := Setup{Emails: append([]string{"aan@example.com"}, beside...), Frequency: AtOnce}
		right := Setup{Emails: append([]string{"ana@example.com"}, beside...), Frequency: AtOnce}
		r.setUp(wrong)
		r.wrong = []Matter{matter("TEA", 1)}
		r.mails.fail = "before"
		for range 100 {
			r.tick(soon)
		}
		id := r.stored().Mail.Sending.Message.ID
		if c := r.stored().Mail; c.Failures < 5 || c.Retry.Sub(r.clock) < time.Hour {
			t.Fatalf("%+v", c)
		}
		r.mails.fail = ""
		r.setUp(right)
		if c := r.stored().Mail; c.Failures != 0 || !c.Failing.IsZero() || c.Silent() || len(c.Log) < 5 {
			t.Errorf("%+v", c)
		}
		r.tick(soon)
		if n := len(r.mails.sent); n != 1 || !slices.Equal(r.mails.sent[0].To, right.Emails) ||
			(r.mails.sent[0].ID == id) != (beside != nil) {
			t.Errorf("beside %v: %d sent", beside, n)
		}
		r.setUp(Setup{Emails: append([]string{"eve@example.com"}, beside...), Frequency: AtOnce})
		for range 3 {
			r.tick(soon)
		}
		if n := len(r.mails.sent); (n == 2) != (beside == nil) || n > 2 {
			t.Errorf("beside %v: %d sent", beside, n)
		}
	}
}

// TestBehind: where the queue is behind, one look answers all messages that were sent before it, if it did its work; a
// test that is asked for is sent at once.
func TestBehind(t *testing.T) {
	r := newRig(t)
	r.setUp(both)
	looks, find := 0, r.Wrong
	r.Wrong = func(ctx context.Context, b tenant.Bundle) ([]Matter, []string, error) {
		looks++
		return find(ctx, b)
	}
	send := func() {
		t.Helper()
		if err := r.runner.FanOutTo(t.Context(), Job, []string{r.of.ID}); err != nil {
			t.Fatal(err)
		}
		r.clock = r.clock.Add(soon)
	}
	work := func() {
		t.Helper()
		for _, m := range r.queue {
			r.clock = r.clock.Add(time.Second)
			if err := r.runner.Do(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		r.queue = nil
	}
	for range 12 {
		send()
	}
	r.wrong = []Matter{matter("TEA", 1)}
	work()
	if got := said(r.hooks.all()); looks != 1 || got != "+TEA" {
		t.Errorf("%d looks in an hour that was slow; told %s", looks, got)
	}
	// One whose look fails is not answered by it.
	r.Wrong = func(context.Context, tenant.Bundle) ([]Matter, []string, error) { return nil, nil, errors.New("no") }
	send()
	send()
	if err := r.runner.Do(t.Context(), r.queue[0]); err == nil {
		t.Error("a look that fails is no error")
	}
	r.Wrong = find
	r.wrong = append(r.wrong, matter("CAKE", 1))
	work()
	if got := said(r.hooks.all()); got != "+TEA +CAKE" {
		t.Errorf("told %s", got)
	}
	if err := r.AskTest(t.Context(), r.of.ID); err != nil {
		t.Fatal(err)
	}
	if err := r.runner.Start(t.Context(), r.of.ID, Job, 0); err != nil {
		t.Fatal(err)
	}
	work()
	if got := r.hooks.all(); len(got) != 3 || got[2].Type != "alerts.test" {
		t.Errorf("%+v", got)
	}
}

// TestIdle: a schedule costs one read, however many tenants have no alerts.
func TestIdle(t *testing.T) {
	r := newRig(t)
	for n := range 100 {
		if _, _, err := r.Tenants.Create(t.Context(), fmt.Sprint("Tenant ", n), ""); err != nil {
			t.Fatal(err)
		}
	}
	reads, writes := r.table.reads, r.table.writes
	for range 10 {
		r.tick(soon)
	}
	if n, w := r.table.reads-reads, r.table.writes-writes; n != 10 || w != 0 {
		t.Errorf("%d reads and %d writes in ten schedules", n, w)
	}
}

// TestSecrets: a secret that was replaced signs beside the new one for a day; no secret stands in the table in the
// clear, and another tenant's key opens none.
func TestSecrets(t *testing.T) {
	r := newRig(t)
	first := r.setUp(Setup{URL: receiverURL, Frequency: AtOnce})
	if a := r.stored(); strings.Contains(string(a.Sealed), strings.TrimPrefix(string(first), "whsec_")) {
		t.Error("the secret is not sealed")
	}
	second, err := r.NewSecret(t.Context(), r.of.ID, -1)
	if err != nil || second == first {
		t.Fatalf("%v", err)
	}
	r.hooks.secrets = []tenant.Secret{first, second}
	r.wrong = []Matter{matter("TEA", 1)}
	r.tick(soon)
	if len(r.hooks.all()) != 1 {
		t.Error("nothing came")
	}
	r.clock = r.clock.Add(24 * time.Hour)
	s, err := r.Secrets(t.Context(), r.of.ID, r.stored())
	if err != nil {
		t.Fatal(err)
	}
	req, err := r.request(t.Context(), tenant.Bundle{Tenant: r.of}, r.stored(), Message{ID: "msg_1"}, s)
	if err != nil || strings.Contains(req.Header.Get("webhook-signature"), " ") {
		t.Errorf("the old one still signs after a day: %v", err)
	}
	for range 10 {
		if _, err := r.NewSecret(t.Context(), r.of.ID, -1); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := r.Secrets(t.Context(), r.of.ID, r.stored()); err != nil || len(s.Old) != mostOld {
		t.Errorf("%d old ones, %v", len(s.Old), err)
	}
	if _, err := r.Secrets(t.Context(), "another", r.stored()); !errors.Is(err, tenant.ErrSealed) {
		t.Errorf("opened for another tenant: %v", err)
	}
	if strings.Contains(r.logged.String(), "whsec_") {
		t.Error(r.logged.String())
	}

	// A sealing key that is lost is said, and a new secret is the way out.
	box, err := tenant.NewBox([]byte(strings.Repeat("x", 32)))
	if err != nil {
		t.Fatal(err)
	}
	r.Sealer = box
	r.wrong = append(r.wrong, matter("CAKE", 1))
	r.tick(soon)
	if c := r.stored().Hook; !strings.HasPrefix(c.Refusal(), "The secret that signs it cannot be opened") {
		t.Errorf("%+v", c)
	}
	third, err := r.NewSecret(t.Context(), r.of.ID, -1)
	if err != nil {
		t.Fatal(err)
	}
	r.hooks.secrets = []tenant.Secret{third}
	r.tick(soon)
	if got := said(r.hooks.all()); got != "+TEA +CAKE" {
		t.Error(got)
	}
}

// TestTestAlert: a test goes in every way that is on, once, and at most one a minute.
func TestTestAlert(t *testing.T) {
	r := newRig(t)
	if err := r.AskTest(t.Context(), r.of.ID); !errors.Is(err, ErrOff) {
		t.Errorf("nobody is told: %v", err)
	}
	r.setUp(both)
	r.hooks.set("status 500")
	for i, want := range []error{nil, ErrSoon} {
		if err := r.AskTest(t.Context(), r.of.ID); !errors.Is(err, want) {
			t.Errorf("%d: %v", i, err)
		}
	}
	for range 3 {
		r.tick(time.Second)
	}
	a := r.stored()
	if len(r.mails.sent) != 1 || r.mails.sent[0].Subject != "Aroha Foods: a test alert" || a.Mail.Test != nil ||
		a.Hook.Test != nil || len(a.Hook.Log) != 1 || a.Hook.Log[0].Answer != "It answered 500." ||
		a.Hook.Failures != 0 {
		t.Errorf("%+v %+v", a, r.mails.sent)
	}
	r.clock = r.clock.Add(time.Minute)
	if err := r.AskTest(t.Context(), r.of.ID); err != nil {
		t.Error(err)
	}
}

// TestNoMailer: where no e-mail can be sent, that is said, and the address is told all the same.
func TestNoMailer(t *testing.T) {
	r := newRig(t)
	r.setUp(both)
	r.Mailer = nil
	r.wrong = []Matter{matter("TEA", 1)}
	r.tick(soon)
	if a := r.stored(); a.Mail.Refusal() != "E-mail is not set up here. Nothing was sent." || len(r.hooks.all()) != 1 {
		t.Errorf("%+v", a.Mail)
	}
}

// TestEmailText: an e-mail says what is wrong, what would mend it and where, in the tenant's time; other people's texts
// stay in their lines.
func TestEmailText(t *testing.T) {
	of := tenant.Tenant{ID: "t1", Name: "Aroha\r\nBcc: everyone@example.com", TimeZone: "Pacific/Auckland"}
	m := Message{At: time.Date(2026, 11, 26, 21, 46, 0, 0, time.UTC),
		New: []Matter{matter("TEA-999", 4),
			{Key: "connection/x", Text: "Acme needs reconnecting.", Fix: "Save a new key."}},
		Healed: []Matter{matter("JAM", 1)}, Open: []Matter{matter("CAKE", 1)},
	}
	const want = `This needs you:

- Cin7 Core has no product with the SKU TEA-999. (4 orders)
  Map it to a product.
- Acme needs reconnecting.
  Save a new key.

This is over:

- Cin7 Core has no product with the SKU JAM. (1 order)

This was told before and still needs you:

- Cin7 Core has no product with the SKU CAKE. (1 order)
  Map it to a product.

See it and mend it: https://console.example.com/t/t1

As of 27 November 10:46 (Pacific/Auckland). Who gets these messages, and how often, is set in Settings › Alerts.
`
	if got := m.text(of, "https://console.example.com/t/t1"); got != want {
		t.Error(got)
	}
	for want, m := range map[string]Message{
		"2 things need you": m, "a test alert": {Test: true}, "all is well again": {Healed: m.Healed},
		"solved: 2 things that needed you": {Healed: m.New, Open: m.Open},
		"Acme needs reconnecting.":         {New: m.New[1:]},
	} {
		if got := m.subject(of); got != "Aroha Bcc: everyone@example.com: "+want {
			t.Errorf("%q", got)
		}
	}
	var many Message
	for n := range 50 {
		many.New = append(many.New, matter(fmt.Sprint(n), 1))
	}
	if got := many.text(of, ""); strings.Count(got, "\n- ") != mostListed+1 || !strings.Contains(got, "- and 30 more") {
		t.Error(got)
	}
}

// TestCheck: what a setup may be.
func TestCheck(t *testing.T) {
	g := Guard{}
	for _, bad := range []string{
		"ana", "ana@", "@example.com", "ana@localhost", "Ana <ana@example.com>", "ana@example.com, ben@example.com",
		"ana@example.com\r\nBcc: x@example.com", `"ana b"@example.com`, "ana@exa mple.com", "anä@example.com",
		"ana..b@example.com", ".ana@example.com", "ana@example..com", "ana@example.com.", "ana@@example.com",
		"ana@ex_a.com",
		strings.Repeat("a", 250) + "@example.com",
	} {
		s := Setup{Emails: []string{bad}, Frequency: AtOnce}
		if errs := s.check(g); len(errs) != 1 || errs[0].Field != "emails" {
			t.Errorf("%q: %v", bad, errs)
		}
	}
	for _, bad := range []string{
		"example.com", "http://example.com", "ftp://example.com", "https://", "https:///x", "https:example.com",
		"https://ana:secret@example.com", "https://example.com:8443/", "https://example.com/#x", "https://exa mple.com",
		"https://10.0.0.1/", "https://127.0.0.1", "https://[::1]/", "https://[::ffff:8.8.8.8]/",
		"https://169.254.169.254/latest", "https://[fd00:ec2::254]/", "javascript:alert(1)", "//example.com",
		"https://example.com/" + strings.Repeat("a", 500), "http://localhost:8080", "https://localhost:8443",
	} {
		s := Setup{URL: bad, Frequency: AtOnce}
		if errs := s.check(g); len(errs) != 1 || errs[0].Field != "url" || errs[0].Message == "" {
			t.Errorf("%q: %v", bad, errs)
		}
	}
	for _, good := range []string{"https://example.com", "https://example.com:443/a?b=c", "https://8.8.8.8/"} {
		if errs := (Setup{URL: good, Frequency: Daily}).check(g); errs != nil {
			t.Errorf("%q: %v", good, errs)
		}
	}
	here := Guard{Loopback: true}
	for address, ok := range map[string]bool{
		"http://127.0.0.1:9000/x": true, "http://localhost:9000": true, "https://[::1]:9443": true,
		"http://10.0.0.1:9000": false, "http://example.com": false, "https://169.254.169.254": false,
	} {
		if fault := here.fault(address); (fault == "") != ok {
			t.Errorf("with loopback, %q: %q", address, fault)
		}
	}
	six := Parse([]string{" a@example.com", "A@example.com ", "", "b@example.com", "c@example.com", "d@example.com",
		"e@example.com", "f@example.com"}, " https://example.com ", "")
	if errs := six.check(g); len(six.Emails) != 6 || six.URL != "https://example.com" || len(errs) != 1 ||
		six.Frequency != AtOnce {
		t.Errorf("%+v %v", six, errs)
	}
	if errs := (Setup{Frequency: "weekly"}).check(g); len(errs) != 1 || errs[0].Field != "frequency" {
		t.Error(errs)
	}
}

// TestDivided: at a speed every wait is shorter, and how long a call or an attempt may take is not.
func TestDivided(t *testing.T) {
	at, want := DefaultTimes().Divided(10), DefaultTimes()
	for _, d := range []*time.Duration{
		&want.Over, &want.Hour, &want.MinRetry, &want.MaxRetry, &want.Test, &want.Ask, &want.Day,
	} {
		*d /= 10
	}
	if at != want {
		t.Errorf("%+v, want %+v", at, want)
	}
}
