package simulate

import (
	"errors"
	"net"
	"regexp"
	"strings"
	"syscall"
	"time"

	"stockbridge/internal/sim"
)

// fault is what goes wrong with one effect.
type fault int

const (
	none       fault = iota
	failed           // it has no effect, and fails
	lost             // it takes effect, and the answer is lost
	late             // it fails at once, and takes effect later, within what the protocol assumes
	hangs            // it takes effect, and the answer does not come until the caller's patience ends
	dies             // it takes effect, and the process ends
	diesFore         // the process ends before it
	stalls           // the process sleeps before it, past its lease
	pauses           // it takes effect, and the process sleeps on past its lease
	throttle         // a vendor refuses it as one too many
	page             // a vendor answers with a page for people: no effect
	pageDone         // a vendor answers so, and it took effect
	broken           // a vendor answers 5xx: no effect
	brokenDone       // a vendor answers 5xx, and it took effect
	unsent           // no connection: it was never sent
	stale            // a vendor answers as of a while ago
	unfiltered       // a vendor ignores the filter
	drifts           // a vendor's list moves between its pages
	doubled          // a message is delivered twice
	dropped          // a message is lost, though its sending was answered
	refuses          // Cin7 Core has a reason against it, and says so
	ahead            // a row is dated a month ahead
	blank            // the order's id is missing in an answer
)

var faultNames = [...]string{"", "failed", "answer lost", "answer lost, effect late", "no answer in time",
	"process died after it", "process died before it", "process slept before it",
	"process slept after it", "throttled", "a page for people", "a page for people, though done", "server error",
	"server error, though done", "no connection", "answer of a while ago",
	"filter ignored", "list moved", "delivered twice", "message lost", "refused", "dated ahead", "ids left out"}

func (f fault) String() string { return faultNames[f] }

// class is what kind of effect it is.
type class int

const (
	tableRead class = iota
	tableWrite
	vendorRead
	vendorWrite
	queueSend
	hookIn // a vendor's webhook to us
	classes
)

// kinds are the faults of each class, as often as they stand here.
var kinds = [classes][]fault{
	tableRead:  {failed, failed, failed, dies, stalls, stalls},
	tableWrite: {failed, failed, lost, lost, late, dies, dies, diesFore, stalls, pauses},
	vendorRead: {failed, broken, throttle, page, hangs, stale, stale, unfiltered, drifts, ahead, blank, dies, stalls,
		stalls, unsent},
	vendorWrite: {failed, lost, lost, late, late, late, late, hangs, dies, dies, diesFore, stalls, pauses, pauses,
		throttle, page, pageDone, broken, brokenDone, brokenDone, unsent},
	queueSend: {failed, lost, dies, doubled, doubled, dropped, stalls},
	hookIn:    {failed, lost, doubled, dropped},
}

// spell is a while in which something goes wrong again and again.
type spell struct {
	until time.Time
	class class
	match string // in the effect's name; "" = all of the class
	fault fault
	often int // of 256
}

// How long what is late takes: a create shows in the list within the settle time
// of its deadline, as the protocol assumes, an answer as of a while ago included.
const (
	latest     = 65 * time.Second
	latestTold = 110 * time.Second // what Upstock is told is looked for in no list
	ago        = 50 * time.Second
	napLeast   = 30 * time.Second
	napMost    = 9 * time.Minute
	coma       = 80 * time.Minute // of one in three: a process may be frozen until it is needed again
)

// nap is how long a process sleeps.
func (w *world) nap() time.Duration {
	if w.chance(85) {
		return w.between(napMost, coma)
	}
	return w.between(napLeast, napMost)
}

// trouble draws what goes wrong with an effect. Only who has the turn asks.
func (w *world) trouble(c class, name string) fault {
	if w.calm {
		return none
	}
	now := time.Now()
	for i := 0; i < len(w.spells); i++ {
		s := &w.spells[i]
		if now.After(s.until) {
			w.spells = append(w.spells[:i], w.spells[i+1:]...)
			i--
			continue
		}
		if s.class == c && strings.Contains(name, s.match) && w.chance(s.often) {
			return s.fault
		}
	}
	if w.stage.rng.IntN(4096) >= w.profile.often[c] {
		return none
	}
	if c == vendorWrite && w.chance(max(w.profile.flows.refuse, w.profile.flows.doubt/2)) {
		w.doubtVoids()
		return refuses
	}
	list := kinds[c]
	return list[w.stage.rng.IntN(len(list))]
}

// chance is true n times of 256.
func (w *world) chance(n int) bool { return n > 0 && w.stage.rng.IntN(256) < n }

// between draws a duration.
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.stage.rng.Int64N(int64(most-least)))
}

// pick draws one of a list.
func pick[T any](w *world, list ...T) T { return list[w.stage.rng.IntN(len(list))] }

// bad begins a spell.
func (w *world) bad() {
	kind := pick(w, tableRead, tableWrite, tableWrite, vendorRead, vendorWrite, vendorWrite, queueSend)
	s := spell{class: kind, until: time.Now().Add(w.between(time.Minute, 25*time.Minute)),
		often: pick(w, 256, 256, 128, 48)}
	switch kind {
	case tableRead, tableWrite:
		s.fault = pick(w, failed, failed, lost)
		if kind == tableRead {
			s.fault = failed
		}
		s.match = pick(w, "", "#order", "BUCKET", "#doc", "#link", "conn#")
		if kind == tableWrite && w.chance(64) { // whoever works on an order dies of it
			s.fault, s.match, s.often = dies, "#order", pick(w, 160, 128, 48)
		}
	case queueSend:
		s.fault = pick(w, failed, dropped)
	default:
		s.fault = pick(w, failed, broken, throttle, page, hangs, unsent)
		s.match = pick(w, sim.PrefixCin7Core, sim.PrefixCin7Core, sim.PrefixUpstock, "")
		if kind == vendorRead && w.chance(150) {
			s.fault, s.match = pick(w, blank, blank, ahead), "/saleList"
		}
	}
	w.spells = append(w.spells, s)
	w.tell("spell: %s for %s of all %s %q, %d/256", s.fault, time.Until(s.until).Round(time.Second), className[s.class],
		s.match, s.often)
}

// doubtVoids has voids go without an answer for a while, most of which take effect.
func (w *world) doubtVoids() {
	if w.chance(w.profile.flows.doubt) {
		w.spells = append(w.spells, spell{class: vendorWrite, match: "DELETE ", fault: pick(w, late, late, lost, hangs),
			often: 160, until: time.Now().Add(w.between(time.Minute, 40*time.Minute))})
	}
}

// spoilt is an answer with something wrong in it.
func spoilt(f fault, answer string) string {
	if f == ahead {
		const day = `"Updated":"2000-01-`
		if at := strings.LastIndex(answer, day); at >= 0 {
			return answer[:at] + `"Updated":"2000-03-` + answer[at+len(day):]
		}
		return answer
	}
	return externalID.ReplaceAllString(answer, `"ExternalID":null`)
}

var externalID = regexp.MustCompile(`"ExternalID":"[^"]*"`)

var className = [classes]string{"table reads", "table writes", "calls that read", "calls that write", "messages sent",
	"webhooks"}

var (
	errDead  = errors.New("the process is dead")
	errReset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	errDial  = &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	errStore = errors.New("the table does not answer")
	errQueue = errors.New("the queue does not answer")
)
