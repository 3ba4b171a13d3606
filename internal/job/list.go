package job

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"io"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
)

// What all readers of a vendor's list share, whether they read it as a Window or keep a place of their own.

// RefusedPage reports whether a page was refused as such, not for its pace or its key: it is not known any more.
func RefusedPage(err error) bool {
	switch rest.KindOf(err) {
	case rest.Invalid, rest.NotFound, rest.Conflict:
		return true
	}
	return false
}

// Refused reports whether a call was refused for what it asked, not for its pace or its key: nothing happened, and to
// ask the same again is of no use. said are the vendor's own sentences.
func Refused(err error) (said []string, refused bool) {
	if !RefusedPage(err) || rest.OutcomeOf(err) != rest.Refused {
		return nil, false
	}
	return rest.MessagesOf(err), true
}

// Unmade reports whether a failed call certainly changed nothing: it was refused, or was never sent. An outcome of
// package ledger is a guard's no to a call.
func Unmade(err error) bool {
	return ledger.IsOutcome(err) || errors.Is(err, ErrShort) || rest.OutcomeOf(err) == rest.Refused
}

// MaxPasses bounds how often a list of several pages is read again whose order is not documented.
const MaxPasses = 10

// maxSeen bounds what is remembered of a list's rows, or of its pages.
const maxSeen = 40_000

// Turn notes a page that was read, by the ids of its rows, and where the list goes on: seen are 8 bytes for each. An
// error says that the list goes in circles: the page or its next was there before.
func Turn(seen []byte, ids []string, next string) ([]byte, error) {
	h := fnv.New64a()
	for _, id := range ids {
		io.WriteString(h, id+"|")
	}
	rows := h.Sum64()
	h.Reset()
	io.WriteString(h, "next "+next)
	known := sumsOf(seen)
	if known[rows] || known[h.Sum64()] {
		return seen, errors.New("its pages repeat themselves")
	}
	if len(known) >= maxSeen {
		return seen, errors.New("it does not end")
	}
	known[rows], known[h.Sum64()] = true, true
	return known.bytes(), nil
}

// sums stand for rows or pages that were seen.
type sums map[uint64]bool

func sumsOf(data []byte) sums {
	seen := sums{}
	for ; len(data) >= 8; data = data[8:] {
		seen[binary.LittleEndian.Uint64(data)] = true
	}
	return seen
}

func (s sums) bytes() []byte {
	data := make([]byte, 0, 8*len(s))
	for h := range s {
		data = binary.LittleEndian.AppendUint64(data, h)
	}
	return data
}

// add adds a sum while there is room, and reports whether it is a new one.
func (s sums) add(n uint64) bool {
	if s[n] || len(s) >= maxSeen {
		return false
	}
	s[n] = true
	return true
}

// FarAhead is how far a vendor's clock can be ahead of ours; what is dated later still is dated wrongly.
const FarAhead = time.Hour

// wrongDate is how far from our clock an answer's Date is no clock's any more, but a mistake.
const wrongDate = 24 * time.Hour

// clocksDiffer is by how much a vendor's clock is ahead of ours as a matter of course.
const clocksDiffer = 2 * time.Second

// WithClock has the latest noted that the vendor's clock can show at its last answer, by the answer's Date, which
// leaves out the fraction of a second. Where it has none, or one that no clock shows, ours counts: what is dated
// later is looked at, and believed once its time has come.
func WithClock(ctx context.Context, clock *time.Time, now func() time.Time) context.Context {
	*clock = now().Add(clocksDiffer).UTC()
	return rest.WithRecorder(ctx, func(x rest.Exchange) {
		at := now()
		if *clock = at.Add(clocksDiffer).UTC(); !x.Date.IsZero() && x.Date.Sub(at).Abs() < wrongDate {
			*clock = x.Date.Add(time.Second - 1).UTC()
		}
	})
}
