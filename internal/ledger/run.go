package ledger

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/tenant"
)

// State of a run, as the JSON API says it.
type State string

// The states of every kind of run. How it ends is a state in the words of its kind.
const (
	Received  State = "received"  // written down, not looked at yet
	Working   State = "working"   // between two steps
	Waiting   State = "waiting"   // until a time, for a stated reason; not a failure
	Attention State = "attention" // a person must act: Problems says how
)

// Nameless begins the id of a run whose fact came without an id: that of the message that brought it follows.
const Nameless = "!"

// Run is the journal of one business fact: what is the same of every kind of them. The type of a kind embeds it (see
// [Fact]), and both are stored as one JSON object. So Run never gets a MarshalJSON: it would be the kind's.
type Run struct {
	Tenant string `json:"-"`
	ID     string `json:"id"` // in its tenant and kind

	State  State     `json:"state"`
	Why    string    `json:"why,omitempty"`    // Waiting: for what, in plain words
	Next   time.Time `json:"next,omitzero"`    // when work goes on by itself; zero = it does not
	Parked bool      `json:"parked,omitempty"` // waits for a connection, however long

	// parked: whose key it waits for; "" = not noted (an earlier version)
	Needs    tenant.System `json:"needs,omitempty"`
	ParkedAt time.Time     `json:"parkedAt,omitzero"` // parked: since when; zero = an earlier version parked it
	Awaits   string        `json:"awaits,omitempty"`  // parked: what it waits for beside Needs, see Park

	Received time.Time `json:"received"`
	Lease    Lease     `json:"lease,omitzero"`

	Intents []Intent `json:"intents,omitempty"`

	// Granted: intents up to this number stand in no new one's way, as a person
	// has asked since, or the fact came anew.
	Granted int `json:"granted,omitempty"`

	// Wishes is how often a person has asked for something: what was decided
	// before is decided again.
	Wishes int `json:"wishes,omitempty"`

	Attempts int       `json:"attempts"`
	Failures int       `json:"failures,omitempty"` // in a row
	Failing  time.Time `json:"failing,omitzero"`   // since when, parks not counted
	Failed   time.Time `json:"failed,omitzero"`    // the last one
	Owed     time.Time `json:"owed,omitzero"`      // since when it has waited for calls without getting on
	Waits    int       `json:"waits,omitempty"`    // waits in a row that came no further
	By       time.Time `json:"by,omitzero"`        // waiting: when it goes on at the latest, if later than Next
	Dead     int       `json:"dead,omitempty"`     // dead letters in a row

	Problems []Problem `json:"problems,omitempty"`
	OfPlan   bool      `json:"ofPlan,omitempty"` // Problems are all of the plan: nothing was made
	Said     []string  `json:"said,omitempty"`

	Timeline  []Entry        `json:"timeline,omitempty"`
	Exchanges int            `json:"exchanges,omitempty"` // how many were recorded
	Plans     int            `json:"plans,omitempty"`     // how often a plan was written
	Parts     map[string]int `json:"parts,omitempty"`     // chunks of each blob
	Found     int            `json:"found,omitempty"`     // version of its place in lists and searches; 0 = it has none

	exchanges []Exchange // to be written with the next Update
	rev       string
	stand     stand
}

// Core returns the run itself: of a fact, the run in it.
func (r *Run) Core() *Run { return r }

func (r *Run) clone() Run {
	c := *r
	c.Intents = slices.Clone(r.Intents)
	c.Timeline = slices.Clone(r.Timeline)
	c.Problems = slices.Clone(r.Problems)
	c.Said = slices.Clone(r.Said)
	c.Parts = maps.Clone(r.Parts)
	return c
}

// Awaited names an account that parked runs wait for.
func Awaited(sys tenant.System, account string) string { return string(sys) + ":" + account }

// Lease is one worker's right to act on a run.
type Lease struct {
	Token string    `json:"token,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Step names what an intent does, in a word of its kind of fact.
type Step string

// Answer of an intent. A call that ended unknown leaves it Open.
type Answer string

// The answers.
const (
	Open    Answer = ""
	Done    Answer = "done"
	Refused Answer = "refused" // nothing happened, for certain
)

// Intent is one outside write, on record before it is made.
type Intent struct {
	Seq      int       `json:"seq"` // from 1, in the run
	Step     Step      `json:"step"`
	At       time.Time `json:"at"`
	Deadline time.Time `json:"deadline"` // it is not sent after this
	Answer   Answer    `json:"answer,omitempty"`
	Unknown  bool      `json:"unknown,omitempty"` // it came back without a believable answer

	// Target is the record that it made or was meant for, by its id over there
	// (of an order, its sale); Label is what people call that one.
	Target string `json:"saleId,omitempty"`
	Label  string `json:"number,omitempty"`

	// Sent is a digest of what was sent, where a reading of the target tells
	// what stands there from it; "" = nothing is compared with it.
	Sent string `json:"sent,omitempty"`

	// Settled: it had no answer, and was found not to be done. What it would
	// have made was looked for after the settle time, and was not there; or its
	// target was read after it, twice, and is as it was. Live is when the first
	// of these two readings was.
	Settled bool      `json:"settled,omitempty"`
	Live    time.Time `json:"live,omitzero"`
}

// Entry is one line of the timeline.
type Entry struct {
	At       time.Time `json:"at"`
	Text     string    `json:"text"`
	Exchange int       `json:"exchange,omitempty"` // number of the recorded request and answer
	Mark     string    `json:"mark,omitempty"`     // what its key ends in; "" = not kept, or by an earlier version
	Times    int       `json:"times,omitempty"`    // said so often, last at At
}

// Exchange is one recorded request and its answer, secrets taken out.
type Exchange struct {
	Number  int       `json:"number,omitempty"`
	At      time.Time `json:"at"`
	Millis  int64     `json:"millis"`
	System  string    `json:"system"`
	Method  string    `json:"method"`
	Path    string    `json:"path"` // with the query
	Status  int       `json:"status,omitempty"`
	Outcome string    `json:"outcome"` // done, refused, unknown
	Error   string    `json:"error,omitempty"`
	Request string    `json:"request,omitempty"` // ≤ 64 KB, else its length and SHA-256
	Answer  string    `json:"answer,omitempty"`
}

func (x *Exchange) line() string {
	status := "no answer" // why, the recording says
	if x.Status != 0 {
		status = fmt.Sprint(x.Status)
	}
	return fmt.Sprintf("%s %s → %s (%s, %d ms)", x.Method, x.Path, status, x.Outcome, x.Millis)
}

// Revision is the run's as it was read: it changes with every write.
func (r *Run) Revision() string { return r.rev }

// Unwritten reports whether exchanges were recorded since the run was last written.
func (r *Run) Unwritten() bool { return len(r.exchanges) > 0 }

// Record keeps an exchange for the next Update. A path with a query of
// somebody else's making may be of any length, and a run must stay an item.
func (r *Run) Record(x Exchange) {
	x.Path, x.Error = brief(x.Path), brief(x.Error)
	r.exchanges = append(r.exchanges, x)
}

func brief(s string) string {
	const most = 1000
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// Note adds a line to the timeline. A line said again is counted, not repeated;
// a very long one, as of an order of many lines, is cut.
func (r *Run) Note(at time.Time, format string, args ...any) {
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	r.note(Entry{At: at.UTC(), Text: brief(text)})
}

func (r *Run) note(e Entry) {
	for back := 1; back <= 4 && back <= len(r.Timeline) && e.Exchange == 0; back++ {
		last := &r.Timeline[len(r.Timeline)-back]
		if last.Text == e.Text {
			last.Times = max(last.Times, 1) + 1
			last.At = e.At
			return
		}
	}
	r.Timeline = append(r.Timeline, e)
}

// Say adds a plain sentence that the order's page shows, once.
func (r *Run) Say(text string) {
	if !slices.Contains(r.Said, text) {
		r.Said = append(r.Said, text)
	}
}

// Intend puts an outside write on record and returns its number.
func (r *Run) Intend(step Step, at, deadline time.Time, target string) int {
	seq := r.Last() + 1
	r.Intents = append(r.Intents, Intent{Seq: seq, Step: step, At: at.UTC(), Deadline: deadline.UTC(), Target: target})
	return seq
}

// Last is the number of the newest intent; 0 = there was none.
func (r *Run) Last() int {
	if n := len(r.Intents); n > 0 {
		return r.Intents[n-1].Seq
	}
	return 0
}

// Intent returns the intent with this number. One that was dropped comes back
// as it was begun: its worker has learned only now what became of it.
func (r *Run) Intent(seq int, step Step) *Intent {
	at, found := slices.BinarySearchFunc(r.Intents, seq, func(i Intent, seq int) int { return i.Seq - seq })
	if !found {
		r.Intents = slices.Insert(r.Intents, at, Intent{Seq: seq, Step: step})
	}
	return &r.Intents[at]
}

const (
	manyIntents = 80 // from so many on old ones are dropped
	keptIntents = 40 // the newest, which stay
)

// DropSpent holds the intents to a bounded number: of very many, old ones are
// dropped of which spent reports that nothing will be decided on them any more.
// It returns those that it dropped.
func (r *Run) DropSpent(spent func(Intent) bool) (dropped []Intent) {
	if len(r.Intents) < manyIntents {
		return nil
	}
	old := len(r.Intents) - keptIntents
	kept := make([]Intent, 0, len(r.Intents))
	for n, i := range r.Intents {
		if n >= old || !spent(i) {
			kept = append(kept, i)
			continue
		}
		dropped = append(dropped, i)
	}
	r.Intents = kept
	return dropped
}

// Of returns the intents of one step with one answer.
func (r *Run) Of(step Step, a Answer) []Intent {
	var list []Intent
	for _, i := range r.Intents {
		if i.Step == step && i.Answer == a {
			list = append(list, i)
		}
	}
	return list
}

// Pointer wakes the work on a run. It carries no news: the run is the record.
type Pointer struct {
	Tenant string `json:"tenant"`
	Kind   string `json:"kind,omitempty"` // of its journal; "" = an order
	ID     string `json:"order"`          // the run's; named so as orders were the only kind
	Origin string `json:"origin"`
	Body   string `json:"body,omitempty"` // under which name the fact is kept, to spare a read

	Due time.Time `json:"due,omitzero"` // of a sweep: since when the work has been due
}

// The origins of a pointer. Only a webhook's own first one is beyond doubt.
const (
	OriginWebhook   = "webhook"
	OriginSweep     = "sweep"
	OriginRetry     = "retry"
	OriginReconcile = "reconcile" // found in a vendor's list
)
