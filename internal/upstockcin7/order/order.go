// Package order is what the flows between Upstock and Cin7 Core remember of an order: its run, with all that was found
// out, made and told of it, and the marks of what was heard. It decides nothing of what is sold or shipped. It is the
// leaf that the other rooms of upstockcin7 share: each of them reads orders and marks them, and none needs another for
// it.
//
// # Words
//
//	Order    the run of one order: package ledger's Run, and beside it the words of a sale
//	Book     the journal of all orders, of all tenants
//	sale     the sale that was chosen for the order (SaleID); others of it are in its intents, and in Voided
//	step     an outside write: create sale, order lines, void sale, tell Upstock, pick, pack and ship goods
//	handling a person's wish that the goods of the order's sale are picked, packed or shipped in Cin7 Core
//	mark     the note in an order of what was heard of it: its sale changed, it was cancelled, it was approved again
//	reading  the reading back of a sold order's sale; due while fewer were made (Readings) than asked for (Asked)
//	look     a search in Cin7 Core for a sale of the order that is not on record
//	parcel   one shipment, as Upstock was told of it
//	watch    a time at which a twin of the sale is looked for, after a create in doubt
//
// # How it is used
//
// [NewBook] opens the book in a ledger. Everything that a ledger.Journal can do, it can: Receive, Load, Get, Update,
// lists and searches, what is due. A change is made to a copy, and again where somebody else was faster:
//
//	err := book.Update(ctx, o, func(o *order.Order, x *ledger.Extra) error {
//		o.State, o.SoldAt = order.Sold, now
//		return nil
//	})
//
// What it says of its sales is asked with methods (Made, Undecided, NothingMade). [Marks] writes down what webhooks,
// lists and comparisons hear of an order, and wakes the work on it:
//
//	err := marks.SaleChanged(ctx, o, order.Row(row, clock))   // a row of Cin7 Core's sale list shows a change
//	err := marks.Cancel(ctx, o, occurred)              // Upstock delivered a cancellation
//
// # Promises
//
// An order is one item of the table, and one JSON object in it: the fields of the run and those of the order stand side
// by side, under the names that they have had since there were only orders. An item of any earlier version is read, and
// an earlier version reads those of this one.
//
// No unfinished order is out of sight: it is due, or parked, or a person's (see Order.Resting). A mark is durable when
// its function returns, and the same news twice is one mark.
package order

import (
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
)

// Book is the journal of orders.
type Book = ledger.Journal[Order, *Order]

// NewBook returns the book of orders in a ledger.
func NewBook(l *ledger.Ledger) *Book {
	return ledger.NewJournal[Order](l, ledger.Kind{Name: "order", States: States(), Works: Works(), IsID: IsID})
}

// The states in which an order ends; the others are every run's.
const (
	Sold          ledger.State = "sold" // the sale is verified
	PartlyShipped ledger.State = "partlyShipped"
	Shipped       ledger.State = "shipped"
	Cancelled     ledger.State = "cancelled"
)

// States lists all states of an order.
func States() []ledger.State {
	return []ledger.State{
		ledger.Received, ledger.Working, ledger.Waiting, ledger.Attention, Sold, PartlyShipped, Shipped, Cancelled,
	}
}

// The steps with an outside write.
const (
	StepCreate ledger.Step = "create sale"
	StepLines  ledger.Step = "order lines"
	StepVoid   ledger.Step = "void sale"
	StepTell   ledger.Step = "tell Upstock"
	StepPick   ledger.Step = "pick goods"
	StepPack   ledger.Step = "pack goods"
	StepShip   ledger.Step = "ship goods"
)

// Order is the run of one order.
type Order struct {
	ledger.Run

	// Supplier is the Upstock supplier whose order it is. "" = written before it
	// was noted: the frozen plan's ExternalID says it, else the webhook as received.
	Supplier string `json:"supplier,omitempty"`

	// What a list shows.
	Number    string    `json:"number,omitempty"`
	Reference string    `json:"reference,omitempty"`
	Customer  string    `json:"customer,omitempty"`
	Currency  string    `json:"currency,omitempty"`
	Total     string    `json:"total,omitempty"`     // of the order, two decimals; "" = not known
	SaleTotal string    `json:"saleTotal,omitempty"` // of the sale
	Rounding  string    `json:"rounding,omitempty"`  // what of their difference was reckoned beforehand; "" = nothing
	Sums      []Sum     `json:"sums,omitempty"`      // where the two totals differ: what each way of reckoning comes to
	Approved  time.Time `json:"approved,omitzero"`
	ByWebhook bool      `json:"byWebhook,omitempty"` // false also of what an earlier version took in
	Cancelled time.Time `json:"cancelled,omitzero"`  // the mark of a cancellation: when it was heard of

	// A cancellation has its place among approvals by Upstock's clock, whenever it came. Where the two disagree, or a
	// sale hangs on it, reads of the order say whether it counts.
	Occurred  time.Time `json:"occurred,omitzero"`  // when the order was cancelled, by Upstock's clock
	Unsettled time.Time `json:"unsettled,omitzero"` // since when it is open whether that counts; zero = it is not open
	Ask       time.Time `json:"ask,omitzero"`       // when Upstock is asked next; zero = a person was asked
	Alive     time.Time `json:"alive,omitzero"`     // when a read first showed the order approved after that
	Unclear   time.Time `json:"unclear,omitzero"`   // when a read first showed it neither so nor cancelled
	Confirmed time.Time `json:"confirmed,omitzero"` // when a read last showed the order cancelled
	Dropped   time.Time `json:"dropped,omitzero"`   // Occurred of the last cancellation that counts no more

	Account string `json:"account,omitempty"` // the Cin7 Core account it started with

	Past       Past      `json:"past,omitzero"`       // intents that are kept no more
	CreatedFor time.Time `json:"createdFor,omitzero"` // the newest approval that was known at the last create

	// Unwanted is why Cin7 Core refused the lines of the sale chosen. It is
	// voided before anything else is tried; then these need a person.
	Unwanted []ledger.Problem `json:"unwanted,omitempty"`

	SaleID     string   `json:"saleId,omitempty"` // the sale chosen
	SaleNumber string   `json:"saleNumber,omitempty"`
	Adopted    bool     `json:"adopted,omitempty"` // a look found the sale: read it before writing to it
	Voided     []string `json:"voided,omitempty"`  // sales of this order that we voided

	// None is when a look found no sale at all; two must agree. Looked is when
	// one last found nothing that stands in the way of a new sale; it is soon
	// stale, for the table may have been restored since.
	None   time.Time `json:"none,omitzero"`
	Looked time.Time `json:"looked,omitzero"`

	Foreign   bool        `json:"foreign,omitempty"`  // somebody else's sale of this order was looked for
	Searched  time.Time   `json:"searched,omitzero"`  // Foreign: when
	NewSale   bool        `json:"newSale,omitempty"`  // a person wants a new sale beside the voided ones
	Beside    []string    `json:"beside,omitempty"`   // NewSale: numbers of other sales that the person named
	Anew      bool        `json:"anew,omitempty"`     // approved again since we voided its sale: one new sale
	AtPrices  string      `json:"atPrices,omitempty"` // hash of the prices to which a person said yes
	Former    []string    `json:"former,omitempty"`   // numbers of sales of ours that it has no more
	Copied    bool        `json:"copied,omitempty"`   // the sale is a person's copy of ours: never voided by us
	Reread    bool        `json:"reread,omitempty"`   // a person, or a newer approval, wants the order read anew
	Replan    bool        `json:"replan,omitempty"`   // Reread for a newer approval, which stands where the read is older
	SoldAt    time.Time   `json:"soldAt,omitzero"`
	ReadBack  bool        `json:"readBack,omitempty"` // what Auto Pick did is still to be read
	Told      bool        `json:"told,omitempty"`     // Upstock knows the sale's number
	TellDoubt time.Time   `json:"tellDoubt,omitzero"` // until then an earlier number may reach Upstock: then told again
	Watches   []time.Time `json:"watches,omitempty"`  // when to look for a twin

	// What becomes of the sale. Whoever hears of a change asks for a reading, which
	// is work on the order like any other.
	Asked    int       `json:"asked,omitempty"`    // readings asked for
	Readings int       `json:"looks,omitempty"`    // of these, made: fewer = one is due, once the order is sold
	Seen     time.Time `json:"seen,omitzero"`      // newest change heard of or read, by Cin7 Core's clock
	Ahead    time.Time `json:"ahead,omitzero"`     // a change dated later than Cin7 Core's clock, which was read
	Listed   string    `json:"listed,omitempty"`   // what the sale list said with Seen: a reading that says less was stale
	Stale    int       `json:"stale,omitempty"`    // stale readings in a row
	Parcels  []Parcel  `json:"parcels,omitempty"`  // told to Upstock
	Kept     *Found    `json:"kept,omitempty"`     // what the last reading found, while Upstock was not told all of it
	Doubt    time.Time `json:"doubt,omitzero"`     // until then a shipment may take effect: then all are told again
	AutoPick string    `json:"autoPick,omitempty"` // the mode of Auto Pick that Cin7 Core was asked for, in its word
	Unpicked []string  `json:"unpicked,omitempty"` // what of Auto Pick was asked for and is not done, line by line
	Void     bool      `json:"void,omitempty"`     // cancelled after it was sold: its sale is to be voided
	Handling *Handling `json:"handling,omitempty"` // what a person wants done with the sale's goods; nil = nothing

	// Without is the hash of the problems without which the order last went on by itself, until it is taken up anew.
	Without string `json:"without,omitempty"`

	// SoldAs is the hash of what the order said when its sale was planned; "" = an earlier version planned it.
	SoldAs string `json:"soldAs,omitempty"`
	Edits  *Edits `json:"edits,omitempty"` // as Upstock shows it now; nil = as it was sold. Never changed, only replaced
}

// Sum is what an order comes to by one way of reckoning it. The list of them is never changed, only replaced.
type Sum struct {
	Way   string `json:"way"` // in words
	Total string `json:"total"`
	Of    string `json:"of,omitempty"` // whose total that is
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

// Found is what a reading of a sale found shipped. It is never changed, only replaced.
type Found struct {
	At      time.Time `json:"at"`              // when the sale was read
	Whole   bool      `json:"whole,omitempty"` // all of the sale is shipped
	Parcels []Parcel  `json:"parcels,omitempty"`
}

// RunID is the id of the run of an order. The orders of a tenant's first Upstock
// supplier go by Upstock's ids alone, as they did when there was only one; those
// of any other supplier by <supplier>:<Upstock's id>, as the ids of two suppliers
// may be equal. Where an order has no id, ledger.Nameless and the webhook's id stand for it.
func RunID(supplier, first, order string) string {
	if supplier == first {
		return order
	}
	return supplier + ":" + order
}

// IsID reports whether an order's run can have this id.
func IsID(id string) bool {
	if supplier, order, two := strings.Cut(id, ":"); two && supplier != "" {
		id = order
	}
	if event, ok := strings.CutPrefix(id, ledger.Nameless); ok {
		return event != ""
	}
	return id != "" && strings.Trim(id, "0123456789") == ""
}

// OrderID is Upstock's id of the order.
func (o *Order) OrderID() string {
	if _, order, ok := strings.Cut(o.ID, ":"); ok {
		return order
	}
	return o.ID
}

// Copy returns a copy that a change may write to.
func (o *Order) Copy() *Order {
	c := *o
	c.Watches = slices.Clone(o.Watches)
	c.Voided = slices.Clone(o.Voided)
	c.Parcels = slices.Clone(o.Parcels)
	c.Unpicked = slices.Clone(o.Unpicked)
	c.Beside, c.Former = slices.Clone(o.Beside), slices.Clone(o.Former)
	return &c
}

// Names are what the order and its sale are called.
func (o *Order) Names() ledger.Names {
	numbers := []string{o.Number, o.SaleNumber}
	return ledger.Names{Reference: o.Reference, Numbers: numbers, Party: o.Customer, ID: o.OrderID()}
}

// ReadingDue reports whether the sold order's sale is to be read.
func (o *Order) ReadingDue() bool {
	return !o.SoldAt.IsZero() && (o.Asked > o.Readings || o.ReadBack || o.Void)
}

// TellDue reports whether Upstock is to be told the number of the order's sale.
func (o *Order) TellDue(now time.Time) bool {
	return !o.SoldAt.IsZero() && (!o.Told || o.TellAgain(now))
}

// TellAgain reports whether Upstock is to be told the number once more, as an earlier one can take effect no more.
func (o *Order) TellAgain(now time.Time) bool {
	return !o.SoldAt.IsZero() && !o.TellDoubt.IsZero() && !o.TellDoubt.After(now)
}

// shownIn is noted when Upstock takes the number of the order's sale.
func (o *Order) shownIn() string { return "Upstock shows " + o.SaleNumber + "." }

// NoteTold notes that Upstock took the number of the order's sale.
func (o *Order) NoteTold(at time.Time) { o.Note(at, "%s", o.shownIn()) }

// ToldAt is when Upstock last took the number of the order's sale, as the timeline has it; zero = it does not say.
func (o *Order) ToldAt() time.Time {
	for _, e := range slices.Backward(o.Timeline) {
		if e.Text == o.shownIn() {
			return e.At
		}
	}
	return time.Time{}
}

// CancelOpen reports whether Upstock is to be asked if the order's cancellation still counts.
func (o *Order) CancelOpen() bool { return !o.Unsettled.IsZero() }

// Finished reports whether nothing is left to do by itself.
func (o *Order) Finished() bool {
	switch o.State {
	case Cancelled:
		return len(o.Watches) == 0 && !o.ReadingDue() && !o.CancelOpen() && o.TellDoubt.IsZero() && o.Handling == nil
	case Sold, PartlyShipped, Shipped:
		return o.Told && o.TellDoubt.IsZero() && len(o.Watches) == 0 && !o.ReadingDue() && o.Kept == nil &&
			o.Doubt.IsZero() && !o.CancelOpen() && o.Handling == nil
	}
	return false
}

// Resting reports whether the order needs no due time: it is finished, or a person's and nothing else is to be done.
func (o *Order) Resting() bool {
	return o.Finished() || o.State == ledger.Attention && !o.ReadingDue() && o.Kept == nil && o.Handling == nil &&
		o.TellDoubt.IsZero()
}
