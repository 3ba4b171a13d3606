package publish

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/table"
)

// Bounds of what is gathered before it is written: one write of the table must hold it.
const (
	mostChunks     = 40
	mostChunkBytes = 1_500_000
	mostNotes      = 500
	mostSent       = 200_000 // bytes of a call's records
	mostPassed     = 5_000   // records, where something waits to be sent: a part that breaks off begins with it again
)

// gathered is what a run has met since it last wrote how far it is. It counts when it is written, with the last key of
// it: whoever breaks off before meets it all again.
type gathered struct {
	passed Key
	batch  []told
	notes  []note
	sum    Tally
	met    int // wanted records
	left   []ledger.LeftOut
	until  time.Time
	gone   bool

	chunk                           *chunk // of the last note or telling
	chunks, chunkBytes, sent, since int
}

// told is a record of a call, and what sort of change it is.
type told struct {
	Telling
	why Why
}

// full reports whether what is gathered is to be written before more is.
func (g *gathered) full(most int) bool {
	if len(g.batch) == 0 && len(g.notes) == 0 {
		return g.since >= lookAt
	}
	return len(g.batch) >= most || len(g.notes) >= mostNotes || g.sent >= mostSent || g.chunks >= mostChunks ||
		g.chunkBytes >= mostChunkBytes || g.since >= mostPassed
}

// touch counts the chunk that a note or a telling will write.
func (g *gathered) touch(c *chunk) {
	if g.chunks > 0 && c == g.chunk {
		return
	}
	g.chunk, g.chunks = c, g.chunks+1
	if c != nil {
		g.chunkBytes += c.bytes
	}
}

// keep has the entry of a meeting changed.
func (g *gathered) keep(m meeting, change func(Entry) Entry) {
	g.touch(m.chunk)
	g.notes = append(g.notes, note{m.Key, change})
}

// meet decides about a record that is wanted, or was told, or both.
func (r *run) meet(ctx context.Context, m meeting) error {
	if err := r.makeRoom(ctx, m); err != nil {
		return err
	}
	c, send := r.judge(m, time.Now())
	if m.want != nil {
		r.met++
	}
	switch {
	case !send:
		r.leave(m, c)
	case m.want == nil: // it goes after what is wanted was read to its end
		r.gone = true
		if name := r.passName(); m.entry.Pass != name {
			r.keep(m, func(e Entry) Entry {
				if !e.empty() {
					e.Pass = name
				}
				return e
			})
		}
	default:
		r.add(m, c)
	}
	r.passed = m.Key
	r.since++
	return nil
}

// meetGone decides about a record that is not wanted.
func (r *run) meetGone(ctx context.Context, m meeting) error {
	if err := r.makeRoom(ctx, m); err != nil {
		return err
	}
	c, send := r.judge(m, time.Now())
	if send {
		r.add(m, c)
	} else if c.Why == Doubt { // what else there is to say the telling has said
		r.leave(m, c)
	}
	return nil
}

// makeRoom writes what is gathered where it is full, or of another group than what comes.
func (r *run) makeRoom(ctx context.Context, m meeting) error {
	if r.full(r.atMost()) || len(r.batch) > 0 && r.batch[0].Group != m.Group {
		return r.flush(ctx)
	}
	return nil
}

// atMost is how many records the next call has.
func (r *run) atMost() int {
	most := max(1, r.To.Most())
	if r.most > 0 {
		most = min(most, r.most)
	}
	return most
}

// add has a change sent.
func (r *run) add(m meeting, c Change) {
	switch {
	case r.skips && r.skipped == m.Group:
		r.sum.Unsent++
		return
	case len(m.want) > MaxData:
		r.refuseLarge(m, c)
		return
	}
	r.touch(m.chunk)
	r.sent += len(m.want) + len(m.ID) + 20
	r.batch = append(r.batch, told{Telling{c.Record, c.Was, m.entry.TheirID}, m.entry.kind(m.want)})
}

// refuseLarge keeps that a record is too large, by the sum of what is wanted.
func (r *run) refuseLarge(m meeting, c Change) {
	why := "It is larger than " + prose.Count(MaxData/1000) + " kB."
	r.sum.Refused++
	r.leaveOut(c, why)
	sum := json.RawMessage(fmt.Sprintf("\"%x\"", sha256.Sum256(m.want)))
	if !m.entry.is(IsRefused, sum) {
		r.keep(m, func(e Entry) Entry { return e.in(IsRefused, sum, why, time.Now()) })
	}
}

// leave counts a record of which nothing is sent now, and keeps what is new about it.
func (r *run) leave(m meeting, c Change) {
	now := time.Now()
	switch e := m.entry; c.Why {
	case "":
		if m.want != nil {
			r.sum.Same++
		}
		if e.State != "" { // what the state was about is wanted no more
			r.keep(m, func(now Entry) Entry {
				if now.State == e.State && string(now.Sent) == string(e.Sent) && !now.Again {
					return now.plain()
				}
				return now
			})
		}
	case Pending:
		if r.sum.Pending++; e.overdue(now) {
			r.leaveOut(c, "A decision was expected by "+r.part.Bundle.Tenant.Clock(e.Due)+".")
		}
	case Refused:
		r.sum.Refused++
		r.leaveOut(c, c.Says)
	case Declined:
		r.sum.Declined++
	case Held:
		r.sum.Held++
		r.leaveOut(c, c.Says)
		if !e.is(IsHeld, m.want) || e.Why != cut(c.Says) {
			r.keep(m, func(e Entry) Entry {
				if e.is(IsApproved, m.want) || e.is(IsDeclined, m.want) { // meanwhile
					return e
				}
				return e.in(IsHeld, m.want, c.Says, now)
			})
		}
	case Doubt:
		r.sum.Unknown++
		r.until = earlier(r.until, e.Doubt.Until)
	}
}

// leaveOut notes for people that a record was left out.
func (r *run) leaveOut(c Change, why string) {
	if len(r.left) < ledger.MaxLeft {
		r.left = append(r.left, ledger.LeftOut{ID: c.ID, Name: cut(r.label(c)), Why: cut(why)})
	}
}

// commit has what was gathered count: it is written next.
func (r *run) commit() {
	s, g := &r.place.Sum, r.sum
	s.Same, s.Refused, s.Held, s.Declined = s.Same+g.Same, s.Refused+g.Refused, s.Held+g.Held, s.Declined+g.Declined
	s.Pending, s.Unknown, s.Unsent = s.Pending+g.Pending, s.Unknown+g.Unknown, s.Unsent+g.Unsent
	r.progress.Done += r.met
	for _, l := range r.left {
		r.progress.Leave(l)
	}
	r.place.Gone = r.place.Gone || r.gone
	r.place.Until = earlier(r.place.Until, r.until)
	if r.passed != (Key{}) {
		r.place.After = r.passed
	}
	r.gathered = gathered{}
}

// earlier is the earlier of two instants, the zero time is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// flush sends what is to be sent, and writes what was met. Where there is neither, what was met counts, and is written
// when something is.
func (r *run) flush(ctx context.Context) error {
	if len(r.batch) > 0 {
		return r.send(ctx)
	}
	notes := r.notes
	if r.commit(); len(notes) == 0 {
		return nil
	}
	return r.save(ctx, r.shelf, notes)
}

// errFewer begins a phase anew where it stands: a call was refused that had several records.
var errFewer = errors.New("refused: it had too many records")

// send makes a call: it is on record before, and so is what came of it after.
func (r *run) send(ctx context.Context) error {
	if err := r.part.Short(ctx); err != nil {
		return err
	}
	if err := r.still(ctx); err != nil {
		return err
	}
	now := time.Now().UTC()
	s := &sending{Account: r.Account, Group: r.batch[0].Group, Begun: now,
		Ends: now.Add(r.part.Times().Soon + r.publisher.times.Call)} // a call may wait for the limiter first
	tellings := make([]Telling, len(r.batch))
	for i, t := range r.batch {
		tellings[i] = t.Telling
		s.Records = append(s.Records, sentRecord{t.ID, t.Data})
	}
	r.place.Sending = s
	if err := r.save(ctx, r.shelf, r.notes); err != nil {
		return err
	}
	r.notes = nil
	answer, err := r.call(ctx, s.Ends, func(ctx context.Context) (Answer, error) { return r.To.Put(ctx, tellings) })
	if err != nil {
		return r.failed(ctx, s, err)
	}
	r.most, r.refusal = min(2*r.atMost(), r.To.Most()), 0
	return r.answered(ctx, s, answer)
}

// still is an error where the run is not to go on. What the pass has marked as not wanted does not count then: what is
// wanted may have been read where it had gone with its account.
func (r *run) still(ctx context.Context) error {
	if r.Still == nil {
		return nil
	}
	err := r.Still(ctx)
	if err != nil {
		r.place.Phase = ""
	}
	return err
}

// call makes a call that ends by a time.
func (r *run) call(
	ctx context.Context, ends time.Time, f func(context.Context) (Answer, error),
) (answer Answer, err error) {
	err = r.part.Call(ctx, func(ctx context.Context) error {
		ctx, cancel := context.WithDeadline(ctx, ends)
		defer cancel()
		answer, err = f(ctx)
		return err
	})
	return answer, err
}

// mostRefusals is how many calls of one record each may be refused in a row: then it is not the records' fault, and the
// rest of their group is left for the next run.
const mostRefusals = 10

// failed reads a call that failed.
func (r *run) failed(ctx context.Context, s *sending, err error) error {
	said, refused := job.Refused(err)
	switch {
	case ctx.Err() != nil: // nobody can write any more: whoever finds the call on record knows that it is in doubt
		return err
	case refused && len(s.Records) > 1:
		r.place.Sending, r.most = nil, (len(s.Records)+1)/2
		return errFewer
	case refused:
		if r.refusal++; r.refusal >= mostRefusals {
			r.skips, r.skipped = true, s.Group
		}
		why := "It was refused."
		if len(said) > 0 {
			why = strings.Join(said, " ")
		}
		return r.answered(ctx, s, Answer{Results: []Result{{ID: s.Records[0].ID, Refused: why}}})
	case job.Unmade(err):
		r.place.Sending = nil
		return err
	}
	for _, t := range r.batch {
		r.keepOf(t, func(e Entry) Entry { return e.doubted(t.Data, r.settled(s)) })
		r.sum.Unknown++
	}
	r.until = earlier(r.until, r.settled(s))
	return cmp.Or(r.wrote(ctx), err)
}

// settled is when a call can take effect no more.
func (r *run) settled(s *sending) time.Time { return s.Ends.Add(r.publisher.times.Settle) }

// keepOf has the entry of a record of the call changed.
func (r *run) keepOf(t told, change func(Entry) Entry) {
	r.notes = append(r.notes, note{t.Key, change})
}

// wrote writes what came of a call, with all that was met before it.
func (r *run) wrote(ctx context.Context, beside ...table.Op) error {
	r.place.Sending = nil
	notes := r.notes
	slices.SortFunc(notes, func(a, b note) int { return a.compare(b.Key) })
	r.commit()
	return r.save(ctx, r.shelf, notes, beside...)
}

// mostMissing is how many believable answers in a row may say nothing of a record.
const mostMissing = 5

// answered keeps what the far side said of each record of a call.
func (r *run) answered(ctx context.Context, s *sending, a Answer) error {
	r.place.Failures = 0
	now := time.Now().UTC()
	results := believed(a.Results)
	waits := r.waits(s.Group, now)
	for _, t := range r.batch {
		res, ok := results[t.ID]
		switch {
		case ok && res.Refused != "":
			r.sum.Refused++
			r.leaveOut(Change{Record: t.Record, Was: t.Was}, res.Refused)
			r.keepOf(t, func(e Entry) Entry { return e.refused(t.Data, res, now) })
		case ok && res.Pending:
			r.sum.Pending++
			r.keepOf(t, waits.pending(t.Record, res.Due, res.ask(), "", now))
		case ok:
			r.count(t.why)
			r.keepOf(t, func(e Entry) Entry { return e.told(t.Data, res.TheirID, s.Begun, now) })
		case a.Ticket != "":
			r.sum.Pending++
			r.keepOf(t, waits.pending(t.Record, time.Time{}, a.Again, a.Ticket, now))
		default:
			r.sum.Unknown++
			r.until = earlier(r.until, r.settled(s))
			r.keepOf(t, func(e Entry) Entry { return r.missing(e, t, s, now) })
		}
	}
	ops, err := waits.ops()
	if err != nil {
		return err
	}
	return r.wrote(ctx, ops...)
}

// missing returns an entry after a believable answer that did not mention its record.
func (r *run) missing(e Entry, t told, s *sending, now time.Time) Entry {
	n := e.Missing + 1
	if n >= mostMissing {
		e = e.in(IsRefused, t.Data, "It was sent again and again, and no answer said what became of it.", now)
	} else {
		e = e.doubted(t.Data, s.Ends.Add(r.publisher.times.Settle<<(n-1)))
	}
	e.Missing = n
	return e
}

// count counts a record that the far side has.
func (r *run) count(why Why) {
	switch sum := &r.place.Sum; why {
	case Gone:
		sum.Gone++
	case Added:
		sum.New++
	default:
		sum.Changed++
	}
}

// believed are the results by ID. Of a record with two that differ none is believed.
func believed(results []Result) map[string]Result {
	by := map[string]Result{}
	var torn []string
	for _, res := range results {
		if before, ok := by[res.ID]; ok && before != res || res.Refused != "" && res.Pending {
			torn = append(torn, res.ID)
		}
		by[res.ID] = res
	}
	for _, id := range torn {
		delete(by, id)
	}
	return by
}
