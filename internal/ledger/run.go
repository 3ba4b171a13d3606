package ledger

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/tenant"
)

// State of an order, as the JSON API says it.
type State string

// The states.
const (
	Received      State = "received"  // written down, not looked at yet
	Working       State = "working"   // between two steps
	Waiting       State = "waiting"   // until a time, for a stated reason; not a failure
	Attention     State = "attention" // a person must act: Problems says how
	Sold          State = "sold"      // the sale is verified
	PartlyShipped State = "partlyShipped"
	Shipped       State = "shipped"
	Cancelled     State = "cancelled"
)

// States lists them.
func States() []State {
	return []State{Received, Working, Waiting, Attention, Sold, PartlyShipped, Shipped, Cancelled}
}

// Run is the journal of one order.
type Run struct {
	Tenant string `json:"-"`
	ID     string `json:"id"` // see RunID

	// Supplier is the Upstock supplier whose order it is. "" = written before it
	// was noted: the frozen plan's ExternalID says it, else the webhook as received.
	Supplier string `json:"supplier,omitempty"`

	State  State     `json:"state"`
	Why    string    `json:"why,omitempty"`    // Waiting: for what, in plain words
	Next   time.Time `json:"next,omitzero"`    // when work goes on by itself; zero = it does not
	Parked bool      `json:"parked,omitempty"` // waits for a connection, however long

	Needs    tenant.System `json:"needs,omitempty"`   // parked: whose key it waits for; "" = both, as an earlier version wrote it
	ParkedAt time.Time     `json:"parkedAt,omitzero"` // parked: since when; zero = an earlier version parked it
	Awaits   string        `json:"awaits,omitempty"`  // parked: the account that must be connected again, see Awaited; "" = none in particular

	// What a list shows.
	Number    string    `json:"number,omitempty"`
	Reference string    `json:"reference,omitempty"`
	Customer  string    `json:"customer,omitempty"`
	Currency  string    `json:"currency,omitempty"`
	Total     string    `json:"total,omitempty"`     // of the order, two decimals; "" = not known
	SaleTotal string    `json:"saleTotal,omitempty"` // of the sale
	Rounding  string    `json:"rounding,omitempty"`  // what of their difference was reckoned beforehand; "" = nothing
	Received  time.Time `json:"received"`
	Approved  time.Time `json:"approved,omitzero"`
	Cancelled time.Time `json:"cancelled,omitzero"` // the mark of a cancellation: when it was heard of

	// A cancellation has its place among approvals by Upstock's clock, whenever it came. Where the two disagree, or a sale
	// hangs on it, reads of the order say whether it counts.
	Occurred  time.Time `json:"occurred,omitzero"`  // when the order was cancelled, by Upstock's clock
	Unsettled time.Time `json:"unsettled,omitzero"` // since when it is open whether the cancellation counts; zero = it is not open
	Ask       time.Time `json:"ask,omitzero"`       // when Upstock is asked next; zero = a person was asked
	Alive     time.Time `json:"alive,omitzero"`     // when a read first showed the order approved after it was cancelled
	Unclear   time.Time `json:"unclear,omitzero"`   // when a read first showed it neither so nor cancelled
	Confirmed time.Time `json:"confirmed,omitzero"` // when a read last showed the order cancelled
	Dropped   time.Time `json:"dropped,omitzero"`   // Occurred of the last cancellation that counts no more

	Account string `json:"account,omitempty"` // the Cin7 Core account it started with
	Lease   Lease  `json:"lease,omitzero"`

	Intents    []Intent    `json:"intents,omitempty"`
	Past       Past        `json:"past,omitzero"`       // intents that are kept no more
	Granted    int         `json:"granted,omitempty"`   // intents up to this number stand in no new one's way: a person, or a newer approval, has asked since
	CreatedFor time.Time   `json:"createdFor,omitzero"` // the newest approval that was known at the last create
	Wishes     int         `json:"wishes,omitempty"`    // how often a person has asked for something: what was decided before is decided again
	Unwanted   []Problem   `json:"unwanted,omitempty"`  // why Cin7 Core refused the lines of the sale chosen: it is voided before anything else is tried, then these need a person
	SaleID     string      `json:"saleId,omitempty"`    // the sale chosen
	SaleNumber string      `json:"saleNumber,omitempty"`
	Adopted    bool        `json:"adopted,omitempty"` // the sale was found by a look: read it before writing to it
	Voided     []string    `json:"voided,omitempty"`  // sales of this order that we voided
	None       time.Time   `json:"none,omitzero"`     // when a look found no sale at all; two must agree
	Looked     time.Time   `json:"looked,omitzero"`   // when a look last found nothing that stands in the way of a new sale; soon stale, for the table may have been restored since
	Foreign    bool        `json:"foreign,omitempty"` // looked for somebody else's sale of this order
	Searched   time.Time   `json:"searched,omitzero"` // Foreign: when
	NewSale    bool        `json:"newSale,omitempty"` // a person wants a new sale beside the voided ones
	Beside     []string    `json:"beside,omitempty"`  // numbers of other sales that the person named: the new one is beside them
	Anew       bool        `json:"anew,omitempty"`    // approved again since we voided its sale: one new sale
	Former     []string    `json:"former,omitempty"`  // numbers of sales of ours that it has no more
	Copied     bool        `json:"copied,omitempty"`  // the sale is a person's copy of ours: never voided by us
	Reread     bool        `json:"reread,omitempty"`  // a person, or a newer approval, wants the order read again from Upstock
	Replan     bool        `json:"replan,omitempty"`  // Reread for a newer approval, which stands where the read is older than it
	OfPlan     bool        `json:"ofPlan,omitempty"`  // Problems are all of the plan: nothing was made
	SoldAt     time.Time   `json:"soldAt,omitzero"`
	ReadBack   bool        `json:"readBack,omitempty"` // what Auto Pick did is still to be read
	Told       bool        `json:"told,omitempty"`     // Upstock knows the sale's number
	Watches    []time.Time `json:"watches,omitempty"`  // when to look for a twin

	// What becomes of the sale. Whoever hears of a change asks for a look, which
	// is work on the order like any other.
	Asked    int       `json:"asked,omitempty"`    // looks asked for
	Looks    int       `json:"looks,omitempty"`    // of these, made: fewer = one is due, once the order is sold
	Seen     time.Time `json:"seen,omitzero"`      // newest change heard of or looked at, by Cin7 Core's clock
	Ahead    time.Time `json:"ahead,omitzero"`     // the sale list once dated a change later than its own clock: it was looked at
	Listed   string    `json:"listed,omitempty"`   // what the sale list said with that change: a look that says less was stale
	Stale    int       `json:"stale,omitempty"`    // stale looks in a row
	Parcels  []Parcel  `json:"parcels,omitempty"`  // told to Upstock
	Kept     *Found    `json:"kept,omitempty"`     // what the last look found, while Upstock was not told all of it
	Doubt    time.Time `json:"doubt,omitzero"`     // a shipment may take effect late until then: after it, all are told again
	AutoPick string    `json:"autoPick,omitempty"` // the mode of Auto Pick that Cin7 Core was asked for, in its word
	Unpicked []string  `json:"unpicked,omitempty"` // what of Auto Pick was asked for and is not done, line by line
	Void     bool      `json:"void,omitempty"`     // the order was cancelled after it was sold, and its sale is to be voided

	Attempts int       `json:"attempts"`
	Failures int       `json:"failures,omitempty"` // in a row
	Failing  time.Time `json:"failing,omitzero"`   // since when, parks not counted
	Failed   time.Time `json:"failed,omitzero"`    // the last one
	Owed     time.Time `json:"owed,omitzero"`      // since when it has waited for calls, or for who is called, without getting on
	Waits    int       `json:"waits,omitempty"`    // waits in a row that came no further
	By       time.Time `json:"by,omitzero"`        // waiting: when it goes on at the latest, where that is later than Next
	Dead     int       `json:"dead,omitempty"`     // dead letters in a row

	Problems []Problem `json:"problems,omitempty"`
	Said     []string  `json:"said,omitempty"`

	Timeline  []Entry        `json:"timeline,omitempty"`
	Exchanges int            `json:"exchanges,omitempty"` // how many were recorded
	Plans     int            `json:"plans,omitempty"`     // how often a plan was written
	Parts     map[string]int `json:"parts,omitempty"`     // chunks of each blob
	Found     int            `json:"found,omitempty"`     // version of its words and place in the lists; 0 = it has none

	exchanges []Exchange // to be written with the next Update
	rev       string
	stand     stand
}

// Parcel is one shipment as Upstock was told of it.
type Parcel struct {
	ID       string    `json:"id"`             // Upstock's externalId
	Hash     string    `json:"hash,omitempty"` // of what was told; "" = to be told
	Label    string    `json:"label"`          // its boxes, for people
	At       time.Time `json:"at"`
	Carrier  string    `json:"carrier,omitempty"`
	Tracking string    `json:"tracking,omitempty"`
	Complete bool      `json:"complete,omitempty"` // told as the last one
	Refused  string    `json:"refused,omitempty"`  // Upstock did not take it, in its words
	Gone     bool      `json:"gone,omitempty"`     // shipped no more in Cin7 Core, which Upstock cannot be told
	Known    bool      `json:"known,omitempty"`    // a person has taken note that it is gone
}

// RunID is the id of the run of an order. The orders of a tenant's first Upstock
// supplier go by Upstock's ids alone, as they did when there was only one; those
// of any other supplier by <supplier>:<Upstock's id>, as the ids of two suppliers
// may be equal. Where an order has no id, "!" and the webhook's id stand for it.
func RunID(supplier, first, order string) string {
	if supplier == first {
		return order
	}
	return supplier + ":" + order
}

// OrderID is Upstock's id of the run's order.
func (r *Run) OrderID() string {
	if _, order, ok := strings.Cut(r.ID, ":"); ok {
		return order
	}
	return r.ID
}

// Awaited names an account that parked runs wait for.
func Awaited(sys tenant.System, account string) string { return string(sys) + ":" + account }

// Found is what a look at a sale found shipped. It is never changed, only replaced.
type Found struct {
	At      time.Time `json:"at"`              // when the sale was read
	Whole   bool      `json:"whole,omitempty"` // all of the sale is shipped
	Parcels []Parcel  `json:"parcels,omitempty"`
}

// LookDue says that the sold order's sale is to be looked at.
func (r *Run) LookDue() bool {
	return !r.SoldAt.IsZero() && (r.Asked > r.Looks || r.ReadBack || r.Void)
}

// CancelOpen reports whether Upstock is to be asked if the order's cancellation still counts.
func (r *Run) CancelOpen() bool { return !r.Unsettled.IsZero() }

// Lease is one worker's right to act on a run.
type Lease struct {
	Token string    `json:"token,omitempty"`
	Until time.Time `json:"until,omitzero"`
}

// Step names what an intent does.
type Step string

// The steps with an outside write.
const (
	StepCreate Step = "create sale"
	StepLines  Step = "order lines"
	StepVoid   Step = "void sale"
	StepTell   Step = "tell Upstock"
)

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
	SaleID   string    `json:"saleId,omitempty"`  // create: the sale made; lines, void: the sale meant
	Settled  bool      `json:"settled,omitempty"` // without an answer, and found not to be done: create: looked for after the settle time and not there; void: the sale was read after it, twice, and stands
	Live     time.Time `json:"live,omitzero"`     // void without an answer: when the sale was first read after the settle time, and stood
	Number   string    `json:"number,omitempty"`  // of the sale made or voided, for people
}

// Past counts what is left of intents that are kept no more: all of them, and
// of these the creates and voids that may have taken effect.
type Past struct {
	Intents int `json:"intents"`
	Creates int `json:"creates,omitempty"`
	Voids   int `json:"voids,omitempty"`
}

// Entry is one line of the timeline.
type Entry struct {
	At       time.Time `json:"at"`
	Text     string    `json:"text"`
	Exchange int       `json:"exchange,omitempty"` // number of the recorded request and answer
	Mark     string    `json:"mark,omitempty"`     // what its key ends in, beside the number; "" = it was not kept, or by an earlier version
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
	status := x.Error
	if x.Status != 0 {
		status = fmt.Sprint(x.Status)
	}
	return fmt.Sprintf("%s %s → %s (%s, %d ms)", x.Method, x.Path, status, x.Outcome, x.Millis)
}

// Revision is the run's as it was read: it changes with every write.
func (r *Run) Revision() string { return r.rev }

// Unwritten says that exchanges were recorded since the run was last written.
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

// Intend puts an outside write on record and returns its number. Of very many
// intents, old ones that cannot matter any more are dropped and only counted.
func (r *Run) Intend(step Step, at, deadline time.Time, saleID string) int {
	r.dropSpent(at)
	seq := r.Last() + 1
	r.Intents = append(r.Intents, Intent{Seq: seq, Step: step, At: at.UTC(), Deadline: deadline.UTC(), SaleID: saleID})
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
		if r.Past.Intents--; step == StepCreate && r.Past.Creates > 0 {
			r.Past.Creates--
		}
	}
	return &r.Intents[at]
}

const (
	manyIntents = 80 // from so many on old ones are dropped
	keptIntents = 40 // the newest, which stay
	// spentAfter is when an intent without an answer has no effect any more, for
	// certain, and no look for its effect is to come.
	spentAfter = 2 * time.Hour
)

// dropSpent holds the intents to a bounded number.
func (r *Run) dropSpent(now time.Time) {
	if len(r.Intents) < manyIntents {
		return
	}
	old := len(r.Intents) - keptIntents
	kept := make([]Intent, 0, len(r.Intents))
	for n, i := range r.Intents {
		if n >= old || !r.spent(i, now) {
			kept = append(kept, i)
			continue
		}
		r.Past.Intents++
		switch {
		case i.Step == StepCreate && i.Answer != Refused:
			r.Past.Creates++
		case i.Step == StepVoid && i.Answer == Done:
			r.Past.Voids++
		}
	}
	r.Intents = kept
}

// spent says that nothing will be decided on an intent any more.
func (r *Run) spent(i Intent, now time.Time) bool {
	voided := slices.Contains(r.Voided, i.SaleID)
	over := now.Sub(i.Deadline) > spentAfter
	switch {
	case i.Answer == Refused:
		return true
	case i.Step == StepCreate && i.Answer == Done:
		return voided
	case i.Step == StepCreate:
		return i.Settled && over
	case i.Step == StepVoid && i.Answer == Open:
		return i.Settled && over
	case i.Step == StepLines:
		return voided || over
	}
	return i.Answer == Done
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

// Finished says that nothing is left to do by itself.
func (r *Run) Finished() bool {
	switch r.State {
	case Cancelled:
		return len(r.Watches) == 0 && !r.LookDue() && !r.CancelOpen()
	case Sold, PartlyShipped, Shipped:
		return r.Told && len(r.Watches) == 0 && !r.LookDue() && r.Kept == nil && r.Doubt.IsZero() && !r.CancelOpen()
	}
	return false
}

// Pointer wakes the work on a run. It carries no news: the run is the record.
type Pointer struct {
	Tenant string `json:"tenant"`
	Order  string `json:"order"`
	Origin string `json:"origin"`         // webhook, sweep, retry: only a webhook's own first pointer is beyond doubt
	Body   string `json:"body,omitempty"` // under which name the order is kept, to spare a read

	Due time.Time `json:"due,omitzero"` // of a sweep: since when the work has been due
}
