package ledger

import (
	"fmt"
	"time"

	"stockbridge/internal/tenant"
)

// How a piece of work ends, for every pair. A step that leaves nothing to do
// but what is due later returns nil. Otherwise it returns one of these four, or
// an error, which is one of our own: it is counted, or the queue repeats the
// message.
//
//	*Later   go on by itself at a time; no failure
//	*Reject  a person must act
//	*Park    go on when a connection works again, however long that takes
//	*Down    a vendor gave no believable answer; a run goes on after a pause, counted; a job with its schedule
//
// What a failed call means is read in one place, job.Verdicts.Of, which returns
// Later, Park or Down. How long a pause lasts, whether work is ever given up,
// and who wakes it after a Park is for the one who does the work to say.

// Later is no failure: the work goes on at a time, for a reason that a person is told.
type Later struct {
	At  time.Time
	Why string

	By    time.Time     // when it goes on at the latest, where that is later than At; else zero
	Who   tenant.System // whose calls it waits for; "" = it waits for something else
	Ended Ending        // how a call to Who ended; "" = none was made, or it ended well
}

// Ending is how a call ended that work does not get past.
type Ending string

// The endings.
const (
	NoAnswer   Ending = "noAnswer"  // none that can be believed
	Throttled  Ending = "throttled" // one too many
	KeyRefused Ending = "keyRefused"
)

// Reject needs a person. Its problems say what is wrong and how to mend it.
type Reject struct {
	Problems []Problem

	// NothingMade reports that the problems are all of what was asked for, and
	// that nothing was made of it: corrected, it may be tried like a new one.
	NothingMade bool
}

// Park waits until the connection to a system works again, however long that
// takes: it is not there, or its key was refused. Or until something else comes.
type Park struct {
	Needs  tenant.System
	Awaits string // the account that must be connected again, see Awaited, or a word of the pair's; "" = Needs alone
	Why    string
}

// Down is a vendor that gave no believable answer.
type Down struct {
	Who tenant.System
	Why string
	Err error
}

func (e *Later) Error() string  { return "later: " + e.Why }
func (e *Reject) Error() string { return fmt.Sprintf("needs attention: %d problems", len(e.Problems)) }
func (e *Park) Error() string   { return "parked: " + e.Why }
func (e *Down) Error() string   { return e.Who.Title() + " does not answer: " + e.Err.Error() }
func (e *Down) Unwrap() error   { return e.Err }

// IsOutcome reports whether err is how work ends, rather than an error of our own.
func IsOutcome(err error) bool {
	switch err.(type) {
	case nil, *Later, *Reject, *Park, *Down:
		return true
	}
	return false
}
