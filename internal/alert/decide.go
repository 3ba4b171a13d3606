package alert

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/job"
)

const (
	// mostTold is how many matters of one kind a channel holds as told; others of it wait until one of them is over. It
	// is each kind's own, so that none silences another. A broken connection waits for none.
	mostTold = 50
	// mostAgain is how often in an hour what was told is told once more because it goes elsewhere.
	mostAgain = 5
	// mostLogged is how many deliveries are remembered of a channel.
	mostLogged = 10
	// failuresSaid is with how many messages in a row that were not taken people are told so in other ways.
	failuresSaid = 3
)

// Times are how long things take.
type Times struct {
	Over     time.Duration // so long after a look that did not find a matter, one that does not either says it is over
	Hour     time.Duration // between two messages, where they are hourly
	Attempt  time.Duration // a sender is given up after this
	MinRetry time.Duration // after a message that was not taken; each time twice as long
	MaxRetry time.Duration
	Call     time.Duration // one call
	Test     time.Duration // between two tests, and between a message and the same one to another address
	Ask      time.Duration // between two questions to the same address
	Day      time.Duration // for which questions are counted
	Link     time.Duration // for which the link of a question counts
}

// DefaultTimes are the times that the documents name.
func DefaultTimes() Times {
	return Times{
		Over: 4 * time.Minute, Hour: time.Hour, Attempt: time.Minute, MinRetry: 5 * time.Minute,
		MaxRetry: 6 * time.Hour, Call: 10 * time.Second, Test: time.Minute,
		Ask: 10 * time.Minute, Day: 24 * time.Hour, Link: 3 * 24 * time.Hour,
	}
}

// Divided returns the times with every wait divided; how long a call may take stays, and how long a person has for a
// link.
func (t Times) Divided(by float64) Times {
	for _, d := range []*time.Duration{&t.Over, &t.Hour, &t.MinRetry, &t.MaxRetry, &t.Test, &t.Ask, &t.Day} {
		*d = time.Duration(float64(*d) / by)
	}
	return t
}

// The morning, in whose hours daily messages are sent.
const (
	morning     = 8
	morningEnds = 10
)

// found is what a look found, and when.
type found struct {
	wrong  []Matter
	unsure []string // what keys begin with of which some may be left out
	now    time.Time
	often  Frequency
	zone   *time.Location
	times  Times
}

// decide compares what is wrong with what was told, and returns the message that is to be sent now; nil = none. The
// channel then holds the message as being sent, and which matters no look finds any more.
func (c *Channel) decide(f found) *Message {
	if s := c.Sending; s != nil && !s.Answered {
		if f.now.Before(s.Until) {
			return nil // somebody else sends it
		}
		c.take(s.Message, true) // its sender died, before or after
		s.Answered = true
	}
	m, unsure := c.compare(f)
	if len(m.New)+len(m.Healed) == 0 {
		c.Sending = nil
		return nil
	}
	if !c.mayNow(f) || unsure && c.mayWait(f) {
		return nil
	}
	if c.Sending != nil && m.same(c.Sending.Message) {
		m = c.Sending.Message // the same once more, under the same id
	} else {
		m.ID, m.At = newID(), f.now
	}
	c.Sending = &Sending{Message: m, Until: f.now.Add(f.times.Attempt)}
	return &m
}

// leavesOut reports whether a matter may be one of those that were not looked at.
func (f found) leavesOut(key string) bool {
	return slices.ContainsFunc(f.unsure, func(begin string) bool { return strings.HasPrefix(key, begin) })
}

// compare finds what is new, over and still open. It notes since when a matter is not found any more; unsure says that
// one is not known to be over yet.
func (c *Channel) compare(f found) (m Message, unsure bool) {
	wrong, known := map[string]Matter{}, map[string]bool{}
	for _, w := range f.wrong {
		wrong[w.Key] = w
	}
	for i := range c.Told {
		t := &c.Told[i]
		w, still := wrong[t.Key]
		if !still && f.leavesOut(t.Key) {
			w, still = t.Matter, true
		}
		known[t.Key] = !t.Doubt
		switch {
		case still:
			if t.Gone = (time.Time{}); !t.Doubt {
				m.Open = append(m.Open, w)
			}
		case t.Gone.IsZero():
			t.Gone, unsure = f.now, true
		case f.now.Sub(t.Gone) >= f.times.Over:
			m.Healed = append(m.Healed, t.Matter)
		default:
			unsure = true
		}
	}
	return c.withNew(m, f, known), unsure
}

// withNew adds what is wrong and was not told, as far as there is room for its kind. known are the matters that were
// told; false = nobody knows whether that arrived.
func (c *Channel) withNew(m Message, f found, known map[string]bool) Message {
	held := map[string]int{} // by kind
	for _, t := range c.Told {
		held[t.kind()]++
	}
	for _, w := range f.wrong {
		kind := w.kind()
		told, doubted := known[w.Key]
		if told || !doubted && kind != brokenKind && held[kind] >= mostTold {
			continue
		}
		if !doubted {
			held[kind]++
		}
		m.New = append(m.New, w)
	}
	return m
}

// kind is what a matter's key begins with.
func (m Matter) kind() string {
	kind, _, _ := strings.Cut(m.Key, "/")
	return kind
}

// same reports whether two messages tell of the same matters.
func (m Message) same(o Message) bool {
	return slices.EqualFunc(m.New, o.New, sameKey) && slices.EqualFunc(m.Healed, o.Healed, sameKey)
}

func sameKey(a, b Matter) bool { return a.Key == b.Key }

func newID() string { return "msg_" + strings.ToLower(rand.Text()) }

// mayNow reports whether the frequency, or what came of earlier attempts, lets a message be sent now.
func (c *Channel) mayNow(f found) bool {
	if f.now.Before(c.waits()) {
		return false
	}
	if c.Sending != nil {
		return true // it was to be sent before
	}
	switch f.often {
	case Hourly:
		return f.now.Sub(c.Sent) >= f.times.Hour
	case Daily:
		begins := morningOf(f.now, f.zone)
		return inMorning(f.now, f.zone) && c.Sent.Before(begins)
	}
	return true
}

// mayWait reports whether a daily message can wait for the next look, which knows what is over: nobody looks in the
// night.
func (c *Channel) mayWait(f found) bool {
	return f.often == Daily && c.Sending == nil && f.now.Sub(morningOf(f.now, f.zone)) < time.Hour/2
}

// morningOf is when the morning of an instant's day begins.
func morningOf(at time.Time, zone *time.Location) time.Time {
	y, m, d := at.In(zone).Date()
	return time.Date(y, m, d, morning, 0, 0, 0, zone)
}

func inMorning(at time.Time, zone *time.Location) bool {
	h := at.In(zone).Hour()
	return h >= morning && h < morningEnds
}

// next is when a look has something to do for the channel; zero = any time.
func (c *Channel) next(f found) time.Time {
	switch {
	case c.Test != nil:
		return time.Time{}
	case c.waits().After(f.now):
		return c.waits()
	case c.Sending != nil:
		return time.Time{}
	case f.often == Hourly && c.Sent.Add(f.times.Hour).After(f.now):
		return c.Sent.Add(f.times.Hour)
	case f.often != Daily:
		return time.Time{}
	}
	begins := morningOf(f.now, f.zone)
	switch {
	case f.now.Before(begins):
		return begins
	case inMorning(f.now, f.zone) && c.Sent.Before(begins):
		return time.Time{}
	}
	return morningOf(begins.AddDate(0, 0, 1), f.zone)
}

// waits is when the next message may be sent, whatever the frequency.
func (c *Channel) waits() time.Time { return job.Latest(c.Retry, c.Rest) }

// changed is the channel after a person changed where it goes. anew says that nobody is left who was told, so that what
// is wrong is told anew. The wait after earlier messages is over; but what is sent once more by it is sent a moment
// after the one before, and so often in an hour: else a program that changes addresses to and fro sends without bound.
func (c Channel) changed(anew bool, now time.Time, t Times) Channel {
	tried, again := c.tried(now), c.Sending != nil || anew && len(c.Told) > 0
	if anew {
		c = Channel{Log: c.Log, Again: c.Again, Rest: c.Rest}
	}
	c.Retry, c.Failures, c.Failing = time.Time{}, 0, time.Time{}
	if !again || now.Before(c.Rest) {
		return c // nothing was sent since the change before
	}
	c.Rest = tried.Add(t.Test)
	c.Again = slices.DeleteFunc(slices.Clone(c.Again), func(at time.Time) bool { return now.Sub(at) >= t.Hour })
	if len(c.Again) >= mostAgain {
		c.Rest = job.Latest(c.Rest, c.Again[0].Add(t.Hour))
		c.Again = c.Again[1:]
	}
	c.Again = append(c.Again, now)
	return c
}

// tried is when a message was last sent; zero = nobody remembers.
func (c *Channel) tried(now time.Time) time.Time {
	switch {
	case c.Sending != nil && !c.Sending.Answered:
		return now // it is being sent
	case len(c.Log) > 0:
		return c.Log[0].At
	}
	return time.Time{}
}

// record notes what came of a message, if it is still the one that is being sent. said is what people are to be told of
// it in another way; "" = nothing.
func (c *Channel) record(m Message, out Outcome, now time.Time, t Times) (said string) {
	test := m.Test && c.Test != nil && c.Test.ID == m.ID
	if !test && (c.Sending == nil || c.Sending.Message.ID != m.ID) {
		return "" // a faster one wrote it down, or the setup is another one by now
	}
	c.Log = append([]Delivery{{now, m.words(), out.Taken, out.Text}}, c.Log...)
	c.Log = c.Log[:min(len(c.Log), mostLogged)]
	if test {
		c.Test = nil // a person sees what came of it, and asks again
		if out.Taken {
			c.Retry = time.Time{} // what waits is sent with the next look
		}
		return ""
	}
	if !out.Taken {
		return c.failed(m, out, now, t)
	}
	if c.Failures >= failuresSaid {
		said = "Alerts arrive again"
	}
	c.Sending, c.Sent, c.Failures, c.Failing, c.Retry = nil, now, 0, time.Time{}, time.Time{}
	c.take(m, false)
	return said
}

// failed notes that a message was not taken, as far as is known.
func (c *Channel) failed(m Message, out Outcome, now time.Time, t Times) (said string) {
	if c.Failures++; c.Failures == 1 {
		c.Failing = now
	}
	wait := t.MinRetry << min(c.Failures-1, 20)
	c.Retry, c.Sending.Answered = now.Add(min(wait, t.MaxRetry)).UTC(), true
	if out.Unknown {
		c.take(m, true)
	}
	if c.Failures == failuresSaid {
		said = "Alerts do not arrive"
	}
	return said
}

// take notes the matters of a message as told. In doubt those that are over stay, to be told once more.
func (c *Channel) take(m Message, doubt bool) {
	if !doubt {
		c.Told = slices.DeleteFunc(c.Told, func(t Told) bool {
			return slices.ContainsFunc(m.Healed, func(h Matter) bool { return h.Key == t.Key })
		})
	}
	for _, n := range m.New {
		at := slices.IndexFunc(c.Told, func(t Told) bool { return t.Key == n.Key })
		if at < 0 {
			c.Told = append(c.Told, Told{Matter: n, Doubt: doubt})
		} else {
			c.Told[at].Doubt = doubt
		}
	}
}

// words say what a message tells, in few words.
func (m Message) words() string {
	if m.Test {
		return "Test"
	}
	var parts []string
	if n := len(m.New); n > 0 {
		parts = append(parts, fmt.Sprintf("%d new", n))
	}
	if n := len(m.Healed); n > 0 {
		parts = append(parts, fmt.Sprintf("%d over", n))
	}
	return strings.Join(parts, ", ")
}
