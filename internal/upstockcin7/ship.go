package upstockcin7

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// parcelsOf lists what of a sale is shipped, as Upstock shall know it:
//
//	Cin7 Core                                  Upstock
//	TaskID and sorted boxes of the ship line   externalId, hashed: line ids may be renewed, these are not
//	ShipmentDate, in the account's zone        shippedAt; without one, the sale's last change when it was first seen,
//	                                           or that moment if it is dated later (foundIn)
//	Carrier                                    carrier
//	TrackingURL, else TrackingNumber           tracking
//	CombinedShippingStatus SHIPPED             complete, on the last one
//
// A ship line may stand there long before its parcel leaves, and stay after it
// came back: IsShipped and the ship document's status decide. A line without
// boxes goes by its position.
func parcelsOf(s cin7core.Sale, zone *time.Location) []order.Parcel {
	var list []order.Parcel
	seen := map[string]int{}
	for _, f := range s.Fulfilments {
		if !f.Ship.Status.Is(cin7core.Authorised, cin7core.PartiallyAuthorised) {
			continue
		}
		for i, l := range f.Ship.Lines {
			if !l.IsShipped {
				continue
			}
			boxes := l.BoxList()
			slices.Sort(boxes)
			label, key := strings.Join(boxes, ", "), f.TaskID+"|"+strings.Join(boxes, ",")
			if len(boxes) == 0 {
				label, key = "shipment "+strconv.Itoa(i+1), f.TaskID+"|#"+strconv.Itoa(i)
			}
			if len(s.Fulfilments) > 1 {
				label += " of fulfilment " + strconv.Itoa(f.FulfillmentNumber)
			}
			if seen[key]++; seen[key] > 1 { // the same boxes on two lines
				key += "|" + strconv.Itoa(seen[key])
			}
			sum := sha256.Sum256([]byte(key))
			list = append(list, order.Parcel{
				ID: hex.EncodeToString(sum[:16]), Label: prose.Short(label), At: shippedAt(l, zone),
				Carrier: prose.Short(strings.TrimSpace(l.Carrier)), Tracking: trackingOf(l),
			})
		}
	}
	return list
}

// shippedAt is when a line was shipped; zero = it does not say.
func shippedAt(l cin7core.ShipLine, zone *time.Location) time.Time {
	d := l.ShipmentDate
	if d.IsZero() {
		return time.Time{}
	}
	return time.Date(d.Year(), d.Month(), d.Day(), d.Hour(), d.Minute(), d.Second(), 0, zone).UTC()
}

// maxTracking is the longest tracking that Upstock takes. Cin7 Core's URLs are
// as long at most, and a cut one would lead nowhere.
const maxTracking = 512

func trackingOf(l cin7core.ShipLine) string {
	for _, t := range []string{l.TrackingURL, l.TrackingNumber} {
		if t = strings.TrimSpace(t); t != "" && len([]rune(t)) <= maxTracking {
			return prose.Plain(t)
		}
	}
	return ""
}

// hashOf changes with whatever Upstock is told of a parcel.
func hashOf(p order.Parcel) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%q|%q|%t", p.At.Format(time.RFC3339), p.Carrier, p.Tracking, p.Complete))
	return hex.EncodeToString(sum[:8])
}

// staleReadings bounds how often a sale that says less than the list did is read again.
const staleReadings = 5

// readAndTell reads the sale of a sold order and acts on what became of it:
// what is shipped goes to Upstock, what Auto Pick left is said, and after a
// cancellation the sale is voided if the settings say so. The reading and the
// telling are under the order's lease, so that no older reading overwrites a newer.
//
// What was read and cannot be told is kept, and told without another reading:
// however long Upstock is away, a change costs one call to Cin7 Core. A reading
// that is asked for meanwhile is made once Upstock answers.
func (w *work) readAndTell() error {
	if err := w.take(); err != nil {
		return err
	}
	if w.doubtOver() {
		if err := w.tellAgain(); err != nil {
			return err
		}
	}
	if !w.run.ReadingDue() || w.run.Kept != nil && w.soldElsewhere() {
		return w.tellFound()
	}
	if w.soldElsewhere() {
		if err := w.sayElsewhere(); err != nil {
			return err
		}
		return w.awaitAccount()
	}
	if w.run.Kept != nil && !w.run.Void {
		if err := w.upstockAnswers(); err != nil {
			return w.cannotTell(err)
		}
	}
	return w.readNow()
}

// readNow makes the reading that is asked for, and acts on it.
func (w *work) readNow() error {
	asked := w.run.Asked
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	is, err := w.readShown()
	if err != nil {
		return err
	}
	switch whatToDo(w.run, is) {
	case readAgain:
		return w.stale()
	case believeNothing:
		return job.Down(tenant.Cin7Core, errors.New("the sale is answered without its shipments"))
	case voidIt:
		if voided, err := w.voidCancelled(is.sale, plan); voided || err != nil {
			return err
		}
	}
	if moved, err := w.lostSale(is.sale, plan, is.gone, asked); moved || err != nil {
		return err
	}
	return w.tellAll(telling{
		found: w.foundIn(is.sale),
		asked: asked,
		lost:  is.gone || is.sale.Status.Is(cin7core.Voided),
		read:  func(r *order.Order) { noteShown(r, is, plan, asked, w.Now()) },
		said:  func(r *order.Order) { saySale(r, is.sale, is.gone) },
	})
}

// shown is what Cin7 Core shows of a sold order's sale.
type shown struct {
	sale  cin7core.Sale
	gone  bool      // it has no such sale any more
	clock time.Time // what its own clock said then
}

// readShown reads the run's sale.
func (w *work) readShown() (is shown, err error) {
	is.sale, err = w.readSale(job.WithClock(w.calling("cin7core"), &is.clock, w.Now), w.run.SaleID)
	if is.gone = rest.KindOf(err) == rest.NotFound; is.gone {
		return is, nil
	}
	return is, w.answered(err)
}

// deed is what a reading of a sold order's sale asks for.
type deed int

const (
	tellIt         deed = iota // tell Upstock what it shows
	readAgain                  // the list has shown more of its shipping: it is from before that
	believeNothing             // it leaves out shipments that are known of
	voidIt                     // the order was cancelled, and its sale is to be voided if nobody has begun with it
)

// whatToDo decides what becomes of a reading.
func whatToDo(r *order.Order, is shown) deed {
	s := is.sale
	switch {
	case is.gone:
		return tellIt
	case staleOnShipping(s, r) && r.Stale < staleReadings:
		return readAgain
	case silentOnShipping(s, r):
		return believeNothing
	case r.Void:
		return voidIt
	}
	return tellIt
}

// staleOnShipping reports whether a sale is from before what the list has shown of its shipping.
func staleOnShipping(s cin7core.Sale, r *order.Order) bool {
	before := r.Listed != "" && s.LastModifiedOn.Before(r.Seen)
	return before && order.ListedAs(s.CombinedShippingStatus, s.CombinedTrackingNumbers) != r.Listed
}

// noteShown puts down that the sale was read when so many readings had been asked for.
func noteShown(r *order.Order, is shown, plan *sale.Plan, asked int, now time.Time) {
	r.Readings, r.Stale = max(r.Readings, asked), 0
	if r.ReadBack = false; is.gone {
		r.Void = false
	}
	if r.Seen.After(is.clock) {
		r.Seen = time.Time{}
	}
	if at := order.Believed(is.sale.LastModifiedOn, is.clock); at.After(r.Seen) {
		r.Seen, r.Listed = at, ""
	}
	r.Said = slices.DeleteFunc(r.Said, func(s string) bool { return strings.HasPrefix(s, otherAccountBegins) })
	if !is.gone {
		dropHandled(r, is.sale)
	}
	if plan != nil && !is.gone {
		unpicked(r, plan, is.sale, now)
	}
}

// tellFound tells what an earlier reading found.
func (w *work) tellFound() error {
	if w.run.Kept == nil {
		return nil
	}
	nothing := func(*order.Order) {}
	return w.tellAll(telling{found: w.run.Kept, asked: w.run.Asked, lost: true, read: nothing, said: nothing})
}

// telling is what Upstock is told of a sold order, and what is put down with it.
type telling struct {
	found *order.Found
	asked int                // how many readings had been asked for when it was found
	lost  bool               // the sale was not just seen to stand, see shippedState
	read  func(*order.Order) // notes that the sale was read
	said  func(*order.Order) // what else there is to say, once the parcels stand there
}

// tellAll tells Upstock of what was found, and puts down how far that went.
func (w *work) tellAll(t telling) error {
	sent := w.untold == nil
	parcels, err := w.tellParcels(t.found)
	if errors.Is(err, errLost) || err != nil && !ledger.IsOutcome(err) {
		return err
	}
	if err == nil {
		w.progress = true // a sale that was read is none: what fails after it, in Upstock, backs off
	}
	uerr := w.update(func(r *order.Order, _ *ledger.Extra) error {
		now := w.Now()
		t.read(r)
		noteParcels(r, parcels, now)
		r.Parcels = withWishes(parcels, r, t.asked)
		if r.Kept = t.found; err == nil {
			r.Kept = nil
		} else if down := (*ledger.Down)(nil); sent && errors.As(err, &down) { // it may take effect yet
			w.doubt(r, now.Add(w.Times.HTTP))
		}
		t.said(r)
		w.shippedState(r, t.found.Whole, t.lost)
		if r.Told && r.Finished() {
			w.release(r)
		}
		return nil
	})
	if uerr != nil {
		return uerr
	}
	return w.cannotTell(err)
}

// cannotTell notes that Upstock takes no calls at this attempt: the rest of the
// work goes on. Any other error is returned.
func (w *work) cannotTell(err error) error {
	switch err.(type) {
	case *ledger.Later, *ledger.Park, *ledger.Down:
		w.untold = err
		return nil
	}
	return err
}

// upstockAnswers asks Upstock for the order, which costs nothing else.
func (w *work) upstockAnswers() error {
	_, err := w.fromUpstock()
	return w.refusedByUpstock(err)
}

// soldElsewhere reports whether the order's sale, or what may be one, is in a
// Cin7 Core account that is not connected.
func (w *work) soldElsewhere() bool {
	return w.run.Account != "" && w.run.Account != w.core.Account
}

// sayElsewhere says of a sold order that its sale is not followed for now.
func (w *work) sayElsewhere() error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		r.Say(otherAccount)
		if r.Void { // until that account is connected again
			r.Say(cancelledStands)
		}
		whole := slices.ContainsFunc(r.Parcels, func(p order.Parcel) bool { return p.Complete && !p.Gone })
		w.shippedState(r, whole, true) // as it was last known: a person may have taken note of something meanwhile
		return nil
	})
}

// awaitAccount leaves what is to be done until the sale's own account is connected again.
func (w *work) awaitAccount() error {
	return &ledger.Park{Needs: tenant.Cin7Core, Why: otherAccount,
		Awaits: ledger.Awaited(tenant.Cin7Core, w.run.Account)}
}

// silentOnShipping reports whether a sale lacks the shipments that were told of,
// or that the list has just shown, and nothing in it says that there are none:
// what is missing is no undoing.
func silentOnShipping(s cin7core.Sale, r *order.Order) bool {
	told := slices.ContainsFunc(r.Parcels, func(p order.Parcel) bool { return !p.Gone })
	listed, _, _ := strings.Cut(r.Listed, "|")
	shown := s.CombinedShippingStatus == "" && cin7core.Status(listed).Is(cin7core.Shipped, cin7core.PartiallyShipped)
	return (told || shown) && len(s.Fulfilments) == 0 && !s.Status.Is(cin7core.Voided) &&
		!s.CombinedShippingStatus.Is(cin7core.NotAvailable, cin7core.NotShipped, cin7core.Voided)
}

// otherAccount is said of an order whose sale is in an account that is not connected.
const otherAccountBegins = "The order was sold in another Cin7 Core account than the one connected now: "
const otherAccount = otherAccountBegins + "its shipping is not followed until that account is connected again."

// tellAgain has every parcel told once more, one after the other: what was sent
// without a believable answer has taken effect by now or never will, and may
// have overtaken what was told meanwhile. What was told is written down, so that
// the sale is not read for it.
func (w *work) tellAgain() error {
	return w.update(func(r *order.Order, _ *ledger.Extra) error {
		again, withheld := &order.Found{At: w.Now().UTC()}, false
		for i := range r.Parcels {
			p := &r.Parcels[i]
			if p.Hash = ""; !p.Gone {
				again.Parcels = append(again.Parcels, *p)
				again.Whole = again.Whole || p.Complete
				withheld = withheld || p.Refused != ""
			}
		}
		r.Doubt = time.Time{}
		if withheld { // that all is shipped was not said beside a refused parcel: only the sale still says it
			r.Asked++
		}
		if r.Kept == nil {
			r.Kept = again
		}
		return nil
	})
}

// withWishes are parcels as a reading found them, with what a person said of them
// since it began, when so many readings were asked for.
func withWishes(parcels []order.Parcel, r *order.Order, asked int) []order.Parcel {
	for i := range parcels {
		p := &parcels[i]
		for _, now := range r.Parcels {
			if now.ID == p.ID && r.Asked > asked {
				if p.Known = p.Gone && now.Known; now.Hash == "" {
					p.Hash = ""
				}
			}
		}
	}
	return parcels
}

// stale waits for Cin7 Core to say in the sale what it said in the list.
func (w *work) stale() error {
	n := w.run.Stale
	if err := w.update(func(r *order.Order, _ *ledger.Extra) error { r.Stale++; return nil }); err != nil {
		return err
	}
	return &ledger.Later{
		At:  w.Now().Add(w.Times.Delivery << n),
		Why: "Cin7 Core's sale does not yet show the shipping that its list shows.",
	}
}

// foundIn is what a sale shows as shipped. A parcel without a date keeps the one
// that it was first told with.
func (w *work) foundIn(s cin7core.Sale) *order.Found {
	zone, err := time.LoadLocation(w.core.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	found := &order.Found{At: w.Now().UTC(), Whole: s.CombinedShippingStatus.Is(cin7core.Shipped)}
	known := slices.Concat(w.run.Parcels, foundBefore(w.run))
	for _, p := range parcelsOf(s, zone) {
		if p.At.IsZero() {
			p.At = notBeyond(s.LastModifiedOn, w.Now())
			dated := func(k order.Parcel) bool { return k.ID == p.ID && !k.At.IsZero() }
			if i := slices.IndexFunc(known, dated); i >= 0 {
				p.At = known[i].At
			}
		}
		found.Parcels = append(found.Parcels, p)
	}
	return found
}

func foundBefore(r *order.Order) []order.Parcel {
	if r.Kept == nil {
		return nil
	}
	return r.Kept.Parcels
}

// parcelChange is what Upstock shall know of one parcel, and what it knows.
type parcelChange struct {
	known order.Parcel // as it was told; zero = it was not
	found order.Parcel // as it is now; with Gone, it is shipped no more
	last  bool         // it is the last parcel of a sale that is shipped whole
}

// parcelChanges compares what is found with what Upstock knows: the parcels
// found, in their order, then those that are gone.
func parcelChanges(known []order.Parcel, found *order.Found) []parcelChange {
	var list []parcelChange
	for i, f := range found.Parcels {
		c := parcelChange{found: f, last: found.Whole && i == len(found.Parcels)-1}
		if k := slices.IndexFunc(known, func(p order.Parcel) bool { return p.ID == f.ID }); k >= 0 {
			c.known = known[k]
		}
		list = append(list, c)
	}
	for _, p := range known {
		if !slices.ContainsFunc(found.Parcels, func(f order.Parcel) bool { return f.ID == p.ID }) {
			c := parcelChange{known: p, found: p}
			c.found.Gone = true
			list = append(list, c)
		}
	}
	return list
}

// next is the parcel as Upstock shall know it, and whether that has to be told.
// As Upstock takes no new parcel once all is shipped, that is not said while it
// refuses one (refused), unless it was said before. What is gone cannot be told.
func (c parcelChange) next(refused bool) (p order.Parcel, tell bool) {
	if c.found.Gone {
		return c.found, false
	}
	f := c.found
	p = order.Parcel{ID: f.ID, Label: f.Label, At: f.At, Carrier: f.Carrier, Tracking: f.Tracking}
	p.Refused = c.known.Refused // as it stands, if it is told no more
	p.Complete = c.last && (!refused || c.known.Complete)
	p.Hash = hashOf(p)
	return p, p.Hash != c.known.Hash
}

// tellParcels tells Upstock of each parcel found that it does not know as it is,
// and returns all as they then stand, also where an error says that not all could
// be told: those are as they were.
func (w *work) tellParcels(found *order.Found) (now []order.Parcel, err error) {
	refused := false
	for _, c := range parcelChanges(w.run.Parcels, found) {
		p, tell := c.next(refused)
		if tell {
			if p.Refused, err = w.putShipment(p); err != nil {
				return withOthers(now, w.run.Parcels), err
			}
		}
		if !p.Gone {
			refused = refused || p.Refused != ""
			if !toldAlike(c.known, p) { // to tell the same again is no progress: what fails after it backs off
				w.progress = true
			}
		}
		now = append(now, p)
	}
	return now, nil
}

// withOthers are the parcels of a list, and those of another that it does not have.
func withOthers(list, others []order.Parcel) []order.Parcel {
	for _, p := range others {
		if !slices.ContainsFunc(list, func(q order.Parcel) bool { return q.ID == p.ID }) {
			list = append(list, p)
		}
	}
	return list
}

// doubt has every parcel told again once a shipment sent until then has taken
// effect or never will.
func (w *work) doubt(r *order.Order, sent time.Time) {
	r.Doubt = job.Latest(r.Doubt, sent.Add(w.Times.Settle))
}

// doubtOver reports whether what was sent to Upstock without a believable answer
// has taken effect or never will.
func (w *work) doubtOver() bool {
	return !w.run.Doubt.IsZero() && !w.run.Doubt.After(w.Now())
}

// putShipment tells Upstock of one parcel. A plain refusal is final until the
// parcel changes or a person retries, and is returned in words.
func (w *work) putShipment(p order.Parcel) (refused string, err error) {
	if w.untold != nil {
		return "", w.untold
	}
	if err := w.paused(order.ShipmentsFlow); err != nil {
		return "", err
	}
	id, err := strconv.ParseInt(w.run.OrderID(), 10, 64)
	if err != nil {
		return "", fmt.Errorf("order id: %w", err)
	}
	no, err := w.put(func(ctx context.Context) error {
		return w.upstock.PutShipment(ctx, id, p.ID, upstock.Shipment{
			ShippedAt: p.At, Carrier: p.Carrier, Tracking: p.Tracking, Complete: p.Complete,
		})
	})
	if err != nil || no == nil {
		return "", err
	}
	if rest.KindOf(no) == rest.Conflict && w.run.Cancelled.IsZero() {
		if _, err := w.whetherCancelled(); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(strings.Join(append(rest.MessagesOf(no), "("+rest.Reason(no)+")"), " ")), nil
}

// whetherCancelled asks Upstock whether the order is cancelled: no list shows that of one whose approval was taken back
// before. Then it is marked so, and the work begins anew. gone: Upstock does not have it any more.
func (w *work) whetherCancelled() (gone bool, err error) {
	shows, err := w.fromUpstock()
	if rest.KindOf(err) == rest.NotFound {
		return true, nil
	}
	if err := w.answered(err); err != nil {
		return false, err
	}
	if shows.order().Status != upstock.StatusCancelled {
		return false, nil
	}
	if err := w.marks.Cancel(w.ctx, w.run, time.Time{}); err != nil {
		return false, err
	}
	return false, errMoved
}

// noteParcels tells the timeline what changed.
func noteParcels(r *order.Order, now []order.Parcel, at time.Time) {
	was := map[string]order.Parcel{}
	for _, p := range r.Parcels {
		was[p.ID] = p
	}
	for _, p := range now {
		old, known := was[p.ID]
		switch {
		case p.Gone && !old.Gone:
			r.Note(at, "No longer shipped in Cin7 Core: %s.", p.Label)
		case p.Gone || !old.Gone && toldAlike(old, p):
		case p.Refused != "":
			r.Note(at, "Shipped: %s%s. Upstock does not take it: %s", p.Label, tracked(p), p.Refused)
		case !known || old.Refused != "":
			r.Note(at, "Shipped: %s%s. Upstock knows.", p.Label, tracked(p))
		case old.Gone:
			r.Note(at, "Shipped again: %s%s. Upstock knows.", p.Label, tracked(p))
		case old.Carrier == p.Carrier && old.Tracking == p.Tracking && old.At.Equal(p.At):
			r.Note(at, "All is shipped. Upstock knows.")
		default:
			r.Note(at, "Shipment changed: %s%s. Upstock knows.", p.Label, tracked(p))
		}
	}
}

// toldAlike reports whether Upstock was told the same of a parcel, and took it alike.
func toldAlike(a, b order.Parcel) bool {
	return a.At.Equal(b.At) && a.Carrier == b.Carrier && a.Tracking == b.Tracking && a.Complete == b.Complete &&
		a.Refused == b.Refused
}

func tracked(p order.Parcel) string {
	text := ""
	if p.Carrier != "" {
		text = " by " + p.Carrier
	}
	if p.Tracking != "" {
		text += ", tracking " + p.Tracking
	}
	return text
}

// Codes of the problems of an order that is sold.
const (
	shipmentUndone   = "shipmentUndone"
	shipmentRefused  = "shipmentRefused"
	cancelledButKept = "cancelledAfterWork"
)

// shippedState sets state and problems of a sold order from its parcels; whole
// says that Cin7 Core shows nothing left to ship, lost that the sale was not just
// seen to stand.
func (w *work) shippedState(r *order.Order, whole, lost bool) {
	there, found := parcelProblems(r.Parcels)
	had := slices.Clone(r.Problems)
	r.Problems = slices.DeleteFunc(slices.Clone(r.Problems), func(p ledger.Problem) bool {
		return p.Code != cancelledButKept && !(p.Code == order.CancelUnclear && r.CancelOpen()) &&
			!(order.IsLost(p.Code) && lost) && !order.IsNotHandled(p.Code)
	})
	r.Problems = append(r.Problems, found...)
	for _, p := range r.Problems {
		known := func(o ledger.Problem) bool { return o.Code == p.Code && o.Message == p.Message }
		if !slices.ContainsFunc(had, known) {
			r.Note(w.Now(), "Needs attention: %s", p.Message)
		}
	}
	switch {
	case len(r.Problems) > 0:
		r.State = ledger.Attention
	case there > 0 && whole:
		r.State = order.Shipped
	case there > 0:
		r.State = order.PartlyShipped
	case r.State != order.Cancelled:
		r.State = order.Sold
	}
}

// parcelProblems are the problems of an order's parcels, and how many parcels are shipped.
func parcelProblems(parcels []order.Parcel) (there int, problems []ledger.Problem) {
	var gone, refused []string
	why := ""
	for _, p := range parcels {
		if p.Gone {
			if !p.Known {
				gone = append(gone, p.Label)
			}
			continue
		}
		there++
		if p.Refused != "" {
			refused, why = append(refused, p.Label), p.Refused
		}
	}
	if len(gone) > 0 {
		problems = append(problems, ledger.Problem{Code: shipmentUndone,
			Message: fmt.Sprintf("Upstock was told of a shipment that is not shipped any more in Cin7 Core: %s.",
				strings.Join(gone, "; ")),
			Fix: "Tell the customer: Upstock cannot take a shipment back. If it is shipped again, that is told " +
				"by itself. Retry to take note of it."})
	}
	if len(refused) > 0 {
		problems = append(problems, ledger.Problem{Code: shipmentRefused,
			Message: fmt.Sprintf("Upstock does not take the shipment of %s: %s", strings.Join(refused, "; "), why),
			Fix: "Look at the order in Upstock: it may be cancelled there though its goods have left. Retry when " +
				"it would take the shipment."})
	}
	return there, problems
}

// saySale says what a reading shows that is not synced.
func saySale(r *order.Order, s cin7core.Sale, gone bool) {
	if r.LostItsSale() { // its problem says so
		return
	}
	switch {
	case gone:
		r.Say("Cin7 Core does not have the sale " + r.SaleNumber + " any more.")
	case s.Status.Is(cin7core.Voided):
		r.Say("The sale " + r.SaleNumber + " was voided in Cin7 Core after it was sold. Upstock is not told.")
	case s.CombinedShippingStatus.Is(cin7core.Shipped) && len(r.Parcels)+len(foundBefore(r)) == 0:
		r.Say("Cin7 Core shows the sale " + r.SaleNumber + " as shipped, but no shipment of it. Upstock is not told.")
	case r.SaleTotal != "" && s.Order.Total.StringFixed(2) != r.SaleTotal:
		r.Say(fmt.Sprintf("The sale was changed in Cin7 Core: its total is %s now. Upstock is not told.",
			s.Order.Total.StringFixed(2)))
	}
}

// voidCancelled voids the sale of an order that was cancelled after it was sold,
// as the settings wish, if nobody has begun to work on it. voided says that it
// is done with; else the reading goes on.
func (w *work) voidCancelled(s cin7core.Sale, plan *sale.Plan) (voided bool, err error) {
	if s.Status.Is(cin7core.Voided) {
		return true, w.update(func(r *order.Order, _ *ledger.Extra) error {
			endCancelled(r)
			r.Note(w.Now(), "The order is cancelled, and its sale %s is voided.", r.SaleNumber)
			return nil
		})
	}
	if why := w.whyKept(s, plan); why != "" {
		return false, w.update(func(r *order.Order, _ *ledger.Extra) error {
			kept := func(p ledger.Problem) bool { return p.Code == cancelledButKept }
			r.Problems = slices.DeleteFunc(r.Problems, kept)
			message := fmt.Sprintf("The order was cancelled in Upstock after it was sold, and its sale %s was not "+
				"voided: %s.", r.SaleNumber, why)
			keepSale(r, message, "Void the sale in Cin7 Core if it should not be delivered, then retry.", w.Now())
			return nil
		})
	}
	if err := w.sureCancelled(); err != nil {
		return false, err
	}
	answer, err := w.attempt(w.voidingCancelled(s))
	switch {
	case err != nil:
		return false, err
	case answer == nil:
		return true, nil
	case rest.OutcomeOf(answer) == rest.Unknown:
		return false, w.answered(answer) // the next reading tells
	}
	if refusal(answer, "to void the sale") == nil {
		return false, w.answered(answer)
	}
	return false, w.update(func(r *order.Order, _ *ledger.Extra) error {
		message := fmt.Sprintf("The order was cancelled in Upstock, and Cin7 Core refused to void its sale %s: %s",
			r.SaleNumber, strings.Join(rest.MessagesOf(answer), " "))
		keepSale(r, message, "Void it in Cin7 Core if it should not be delivered, then retry.", w.Now())
		return nil
	})
}

// whyKept says why the sale of a cancelled order is not voided; "" = it may be.
func (w *work) whyKept(s cin7core.Sale, plan *sale.Plan) string {
	if why := begun(s, plan); why != "" {
		return why
	}
	if notOurs(w.run, s.ID) {
		return "a person made it, as a copy of ours"
	}
	if i := slices.IndexFunc(w.run.OpenHandling(s.ID), func(i ledger.Intent) bool {
		return w.Now().Before(i.Deadline.Add(w.Times.Settle))
	}); i >= 0 {
		return "its goods were being handled from here, and Cin7 Core has not said how far that came"
	}
	if len(attempts(w.run, order.StepVoid)) >= maxAttempts {
		return fmt.Sprintf("Cin7 Core gave no believable answer in %d attempts", maxAttempts)
	}
	return ""
}

// keepSale leaves the sale of a cancelled order to a person.
func keepSale(r *order.Order, message, fix string, now time.Time) {
	r.Void = false
	r.Problems = append(r.Problems, ledger.Problem{Code: cancelledButKept, Message: message, Fix: fix})
	r.Note(now, "Needs attention: %s", message)
}

// voidingCancelled voids a sale, as long as its order is cancelled.
func (w *work) voidingCancelled(s cin7core.Sale) outsideWrite {
	stands := func(r *order.Order) error {
		if !cancelStands(r) || r.SaleID != s.ID {
			return errMoved
		}
		return nil
	}
	return w.voiding(s, stands, func(r *order.Order) {
		switch {
		case r.SaleID != s.ID:
		case r.Cancelled.IsZero(): // the cancellation was dropped while this was on its way: a reading tells its effect
			r.Asked++
			r.DueNow(w.Now())
		default:
			endCancelled(r)
			r.Note(w.Now(), "The order was cancelled in Upstock: its sale %s was voided.", r.SaleNumber)
		}
	})
}

// endCancelled ends an order whose sale is voided after its cancellation.
func endCancelled(r *order.Order) {
	r.Void, r.Readings, r.ReadBack, r.Unpicked, r.Watches = false, r.Asked, false, nil, nil
	r.State, r.Problems, r.Told, r.TellDoubt, r.Kept = order.Cancelled, nil, true, time.Time{}, nil
	voidsDone(r, r.SaleID)
	r.Said = slices.DeleteFunc(r.Said, func(s string) bool { return s == cancelledStands })
}

// cancelledStands is said where an order is cancelled after it was sold and its sale is left alone.
const cancelledStands = "The order was cancelled in Upstock after it was sold. The sale stands: void it in Cin7 Core " +
	"if it should not be delivered."

// begun says what people, or Auto Pick, have done with a sale: "" = nothing.
func begun(s cin7core.Sale, plan *sale.Plan) string {
	if len(s.Fulfilments) == 0 && s.CombinedPickingStatus == "" && s.CombinedShippingStatus == "" &&
		s.CombinedInvoiceStatus == "" && s.Order.Status.Is(cin7core.Authorised) {
		return "Cin7 Core does not say what was done with it"
	}
	for _, f := range s.Fulfilments {
		if !f.Ship.Status.Is("", cin7core.NotAvailable, cin7core.Draft, cin7core.Voided) {
			return "it is shipped, or in part"
		}
		if f.Pick.Status.Is(cin7core.Authorised) || !f.Pick.Status.Is(cin7core.Voided) && len(f.Pick.Lines) > 0 {
			return "goods are picked for it"
		}
	}
	for _, i := range s.Invoices {
		if !i.Status.Is("", cin7core.Voided, cin7core.NotAvailable, cin7core.Draft) {
			return "it is invoiced"
		}
	}
	switch { // a second witness, where the first is silent
	case s.CombinedShippingStatus.Is(cin7core.Shipped, cin7core.Shipping, cin7core.PartiallyShipped):
		return "it is shipped, or in part"
	case s.CombinedPickingStatus.Is(cin7core.Picked, "PARTIALLY PICKED"),
		s.CombinedPackingStatus.Is(cin7core.Packed, "PARTIALLY PACKED"):
		return "goods are picked for it"
	case s.CombinedInvoiceStatus.Is(cin7core.Authorised, "PAID", "INVOICED", "PARTIALLY INVOICED"):
		return "it is invoiced"
	}
	if plan == nil || !sale.SameGoods(plan.Order, s.Order) {
		return "somebody changed its lines"
	}
	if !strings.EqualFold(plan.Header.CustomerID, s.CustomerID) {
		return "it is not the order's customer's any more"
	}
	if s.Order.Status.Is(cin7core.Authorised) && !plan.Order.Status.Is(cin7core.Authorised) {
		return "somebody authorised it"
	}
	return ""
}

// notBeyond is an instant, or the clock's where that is earlier.
func notBeyond(at, clock time.Time) time.Time {
	if at.After(clock) {
		return clock.UTC()
	}
	return at.UTC()
}
