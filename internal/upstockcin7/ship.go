package upstockcin7

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// parcel is one shipment as Upstock shall know it.
//
//	Cin7 Core                                  Upstock
//	TaskID and sorted boxes of the ship line   externalId, hashed: line ids may be renewed, these are not
//	ShipmentDate, in the account's zone        shippedAt; without one, the sale's last change when it was first seen, or that moment if it is dated later
//	Carrier                                    carrier
//	TrackingURL, else TrackingNumber           tracking
//	CombinedShippingStatus SHIPPED             complete, on the last one
type parcel struct {
	id       string
	label    string // for people
	at       time.Time
	carrier  string
	tracking string
}

// parcelsOf lists what of a sale is shipped. A ship line may stand there long
// before its parcel leaves, and stay after it came back: IsShipped and the ship
// document's status decide. A line without boxes goes by its position.
func parcelsOf(s cin7core.Sale, zone *time.Location) []parcel {
	var list []parcel
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
			var at time.Time
			if d := l.ShipmentDate; !d.IsZero() {
				at = time.Date(d.Year(), d.Month(), d.Day(), d.Hour(), d.Minute(), d.Second(), 0, zone).UTC()
			}
			list = append(list, parcel{hex.EncodeToString(sum[:16]), prose.Short(label), at, prose.Short(strings.TrimSpace(l.Carrier)), trackingOf(l)})
		}
	}
	return list
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

// hash changes with whatever Upstock is told of a parcel.
func (p parcel) hash(complete bool) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%q|%q|%t", p.at.Format(time.RFC3339), p.carrier, p.tracking, complete))
	return hex.EncodeToString(sum[:8])
}

// listedOf is what tells one state of a sale's shipping from another, in a row
// of the list as in the sale itself.
func listedOf(shipping cin7core.Status, tracking string) string {
	return strings.ToUpper(string(shipping)) + "|" + strings.TrimSpace(tracking)
}

// staleLooks bounds how often a sale that says less than the list did is read again.
const staleLooks = 5

// inspectSold reads the sale of a sold order and acts on what became of it:
// what is shipped goes to Upstock, what Auto Pick left is said, and after a
// cancellation the sale is voided if the settings say so. The reading and the
// telling are under the order's lease, so that no older look overwrites a newer.
//
// What was read and cannot be told is kept, and told without another reading:
// however long Upstock is away, a change costs one call to Cin7 Core. A look
// that is asked for meanwhile is made once Upstock answers.
func (w *work) inspectSold() error {
	if err := w.take(); err != nil {
		return err
	}
	if w.doubtOver() {
		if err := w.tellAgain(); err != nil {
			return err
		}
	}
	if !w.run.LookDue() || w.run.Kept != nil && w.soldElsewhere() {
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
	asked := w.run.Asked
	plan, err := w.frozen()
	if err != nil {
		return err
	}
	var clock time.Time
	s, err := w.readSale(dated(w.calling("cin7core"), &clock, w.Now), w.run.SaleID)
	gone := rest.KindOf(err) == rest.NotFound
	if !gone {
		if err := w.answered(err); err != nil {
			return err
		}
		if s.LastModifiedOn.Before(w.run.Seen) && w.run.Listed != "" && listedOf(s.CombinedShippingStatus, s.CombinedTrackingNumbers) != w.run.Listed && w.run.Stale < staleLooks {
			return w.stale()
		}
	}
	if !gone && silentOnShipping(s, w.run) {
		return job.Down(tenant.Cin7Core, errors.New("the sale is answered without its shipments"))
	}
	if w.run.Void && !gone {
		voided, err := w.voidCancelled(s, plan)
		if err != nil {
			return err
		}
		if voided {
			return nil
		}
	}
	if moved, err := w.lostSale(s, plan, gone, asked); moved || err != nil {
		return err
	}
	found := w.foundIn(s)
	looked := func(r *ledger.Run) {
		r.Looks, r.Stale = max(r.Looks, asked), 0
		if r.ReadBack = false; gone {
			r.Void = false
		}
		if r.Seen.After(clock) {
			r.Seen = time.Time{}
		}
		if at := believed(s.LastModifiedOn, clock); at.After(r.Seen) {
			r.Seen, r.Listed = at, ""
		}
		r.Said = slices.DeleteFunc(r.Said, func(s string) bool { return strings.HasPrefix(s, otherAccountBegins) })
		if plan != nil && !gone {
			unpicked(r, plan, s, w.Now())
		}
	}
	return w.tellAll(found, asked, gone || s.Status.Is(cin7core.Voided), looked, func(r *ledger.Run) { saySale(r, s, gone) })
}

// tellFound tells what an earlier look found.
func (w *work) tellFound() error {
	if w.run.Kept == nil {
		return nil
	}
	nothing := func(*ledger.Run) {}
	return w.tellAll(w.run.Kept, w.run.Asked, true, nothing, nothing)
}

// tellAll tells Upstock of what was found. looked notes in the run that it was
// read, said what else there is to say of it once the parcels stand there; lost
// is as shippedState takes it.
func (w *work) tellAll(found *ledger.Found, asked int, lost bool, looked, said func(*ledger.Run)) error {
	sent := w.untold == nil
	parcels, err := w.tellParcels(found)
	if errors.Is(err, errLost) || err != nil && !ledger.IsOutcome(err) {
		return err
	}
	if err == nil {
		w.progress = true // a sale that was read is none: what fails after it, in Upstock, backs off
	}
	uerr := w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		now := w.Now()
		looked(r)
		noteParcels(r, parcels, now)
		r.Parcels = heeded(parcels, r, asked)
		if r.Kept = found; err == nil {
			r.Kept = nil
		} else if down := (*ledger.Down)(nil); sent && errors.As(err, &down) { // it may take effect yet
			w.doubt(r, now.Add(w.Times.HTTP))
		}
		said(r)
		w.shippedState(r, found.Whole, lost)
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
	return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		r.Say(otherAccount)
		if r.Void { // until that account is connected again
			r.Say(cancelledStands)
		}
		whole := slices.ContainsFunc(r.Parcels, func(p ledger.Parcel) bool { return p.Complete && !p.Gone })
		w.shippedState(r, whole, true) // as it was last known: a person may have taken note of something meanwhile
		return nil
	})
}

// awaitAccount leaves what is to be done until the sale's own account is connected again.
func (w *work) awaitAccount() error {
	return &ledger.Park{Needs: tenant.Cin7Core, Why: otherAccount, Awaits: ledger.Awaited(tenant.Cin7Core, w.run.Account)}
}

// silentOnShipping says that a sale lacks the shipments that were told of, or
// that the list has just shown, and nothing in it says that there are none:
// what is missing is no undoing.
func silentOnShipping(s cin7core.Sale, r *ledger.Run) bool {
	told := slices.ContainsFunc(r.Parcels, func(p ledger.Parcel) bool { return !p.Gone })
	listed, _, _ := strings.Cut(r.Listed, "|")
	shown := s.CombinedShippingStatus == "" && cin7core.Status(listed).Is(cin7core.Shipped, cin7core.PartiallyShipped)
	return (told || shown) && len(s.Fulfilments) == 0 && !s.Status.Is(cin7core.Voided) && !s.CombinedShippingStatus.Is(cin7core.NotAvailable, cin7core.NotShipped, cin7core.Voided)
}

// otherAccount is said of an order whose sale is in an account that is not connected.
const otherAccountBegins = "The order was sold in another Cin7 Core account than the one connected now: "
const otherAccount = otherAccountBegins + "its shipping is not followed until that account is connected again."

// tellAgain has every parcel told once more, one after the other: what was sent
// without a believable answer has taken effect by now or never will, and may
// have overtaken what was told meanwhile. What was told is written down, so that
// the sale is not read for it.
func (w *work) tellAgain() error {
	return w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		again, withheld := &ledger.Found{At: w.Now().UTC()}, false
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

// tellRefused has the parcels told again that Upstock refused, by the next look.
// It reports whether there are some.
func tellRefused(r *ledger.Run) (some bool) {
	for i := range r.Parcels {
		if p := &r.Parcels[i]; p.Refused != "" && !p.Gone {
			p.Hash, some = "", true
		}
	}
	return some
}

// heeded are parcels as a look found them, with what a person said of them
// since it began, when so many looks were asked for.
func heeded(parcels []ledger.Parcel, r *ledger.Run, asked int) []ledger.Parcel {
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
	if err := w.update(func(r *ledger.Run, _ *ledger.Extra) error { r.Stale++; return nil }); err != nil {
		return err
	}
	return &ledger.Later{
		At:  w.Now().Add(w.Times.Delivery << n),
		Why: "Cin7 Core's sale does not yet show the shipping that its list shows.",
	}
}

// foundIn is what a sale shows as shipped. A parcel without a date keeps the one
// that it was first told with.
func (w *work) foundIn(s cin7core.Sale) *ledger.Found {
	zone, err := time.LoadLocation(w.core.TimeZone)
	if err != nil {
		zone = time.UTC
	}
	found := &ledger.Found{At: w.Now().UTC(), Whole: s.CombinedShippingStatus.Is(cin7core.Shipped)}
	for _, p := range parcelsOf(s, zone) {
		if p.at.IsZero() {
			p.at = notBeyond(s.LastModifiedOn, w.Now())
			known := slices.Concat(w.run.Parcels, foundBefore(w.run))
			if i := slices.IndexFunc(known, func(k ledger.Parcel) bool { return k.ID == p.id && !k.At.IsZero() }); i >= 0 {
				p.at = known[i].At
			}
		}
		found.Parcels = append(found.Parcels, ledger.Parcel{ID: p.id, Label: p.label, At: p.at, Carrier: p.carrier, Tracking: p.tracking})
	}
	return found
}

func foundBefore(r *ledger.Run) []ledger.Parcel {
	if r.Kept == nil {
		return nil
	}
	return r.Kept.Parcels
}

// tellParcels tells Upstock of each parcel found that it does not know as it is,
// and returns all as they then stand, also where an error says that not all could
// be told. As Upstock takes no new parcel once all is shipped, that is not said
// while it refuses one of them.
func (w *work) tellParcels(found *ledger.Found) (now []ledger.Parcel, err error) {
	refused := false
	old := map[string]ledger.Parcel{}
	for _, p := range w.run.Parcels {
		old[p.ID] = p
	}
	for i, f := range found.Parcels {
		p, was := parcel{f.ID, f.Label, f.At, f.Carrier, f.Tracking}, old[f.ID]
		complete := found.Whole && i == len(found.Parcels)-1 && (!refused || was.Complete)
		next := ledger.Parcel{ID: p.id, Hash: p.hash(complete), Label: p.label, At: p.at, Carrier: p.carrier, Tracking: p.tracking, Complete: complete}
		if next.Refused = was.Refused; was.Hash != next.Hash {
			next.Refused, err = w.putShipment(p, complete)
		}
		if err != nil { // what was told so far is kept
			for _, q := range w.run.Parcels {
				if !slices.ContainsFunc(now, func(t ledger.Parcel) bool { return t.ID == q.ID }) {
					now = append(now, q)
				}
			}
			return now, err
		}
		if !toldAlike(was, next) { // to tell the same again is no progress: what fails after it backs off
			w.progress = true
		}
		now, refused = append(now, next), refused || next.Refused != ""
		delete(old, p.id)
	}
	for _, p := range w.run.Parcels {
		if _, ok := old[p.ID]; ok {
			p.Gone = true
			now = append(now, p)
		}
	}
	return now, nil
}

// doubt has every parcel told again once a shipment sent until then has taken
// effect or never will.
func (w *work) doubt(r *ledger.Run, sent time.Time) {
	r.Doubt = latest(r.Doubt, sent.Add(w.Times.Settle))
}

// doubtOver says that what was sent to Upstock without a believable answer has
// taken effect or never will.
func (w *work) doubtOver() bool {
	return !w.run.Doubt.IsZero() && !w.run.Doubt.After(w.Now())
}

// putShipment tells Upstock of one parcel. A plain refusal is final until the
// parcel changes or a person retries, and is returned in words.
func (w *work) putShipment(p parcel, complete bool) (refused string, err error) {
	if w.untold != nil {
		return "", w.untold
	}
	id, err := strconv.ParseInt(w.run.OrderID(), 10, 64)
	if err != nil {
		return "", fmt.Errorf("order id: %w", err)
	}
	ctx, err := w.upstock.Reserve(w.calling("upstock"))
	if err != nil {
		return "", w.answered(err)
	}
	err = w.upstock.PutShipment(ctx, id, p.id, upstock.Shipment{ShippedAt: p.at, Carrier: p.carrier, Tracking: p.tracking, Complete: complete})
	if failed := w.refusedByUpstock(err); failed != nil {
		return "", failed
	}
	if err == nil {
		return "", nil
	}
	if rest.KindOf(err) == rest.Conflict && w.run.Cancelled.IsZero() {
		if cerr := w.whetherCancelled(); cerr != nil {
			return "", cerr
		}
	}
	return strings.TrimSpace(strings.Join(append(rest.MessagesOf(err), "("+rest.Reason(err)+")"), " ")), nil
}

// whetherCancelled asks Upstock, which does not take a shipment, whether the order
// is cancelled: no list shows that of one whose approval was taken back before.
func (w *work) whetherCancelled() error {
	raw, err := w.fromUpstock()
	if rest.KindOf(err) == rest.NotFound {
		return nil
	}
	if err := w.answered(err); err != nil {
		return err
	}
	if o, _ := upstock.ParseOrder(raw); o.Status != upstock.StatusCancelled {
		return nil
	}
	if err := w.markCancelledAt(w.ctx, w.run, time.Time{}); err != nil {
		return err
	}
	return errMoved
}

// noteParcels tells the timeline what changed.
func noteParcels(r *ledger.Run, now []ledger.Parcel, at time.Time) {
	was := map[string]ledger.Parcel{}
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

// toldAlike says that Upstock was told the same of a parcel, and took it alike.
func toldAlike(a, b ledger.Parcel) bool {
	return a.At.Equal(b.At) && a.Carrier == b.Carrier && a.Tracking == b.Tracking && a.Complete == b.Complete && a.Refused == b.Refused
}

func tracked(p ledger.Parcel) string {
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
func (w *work) shippedState(r *ledger.Run, whole, lost bool) {
	var gone, refused []string
	there, why := 0, ""
	for _, p := range r.Parcels {
		switch {
		case p.Gone && !p.Known:
			gone = append(gone, p.Label)
		case p.Gone:
		case p.Refused != "":
			refused, why = append(refused, p.Label), p.Refused
			fallthrough
		default:
			there++
		}
	}
	had := map[string]bool{}
	for _, p := range r.Problems {
		had[p.Code+p.Message] = true
	}
	problems := slices.DeleteFunc(slices.Clone(r.Problems), func(p ledger.Problem) bool {
		return p.Code != cancelledButKept && !(p.Code == cancelUnclear && r.CancelOpen()) && !(lostCode(p.Code) && lost)
	})
	if len(gone) > 0 {
		problems = append(problems, ledger.Problem{Code: shipmentUndone,
			Message: fmt.Sprintf("Upstock was told of a shipment that is not shipped any more in Cin7 Core: %s.", strings.Join(gone, "; ")),
			Fix:     "Tell the customer: Upstock cannot take a shipment back. If it is shipped again, that is told by itself. Retry to take note of it."})
	}
	if len(refused) > 0 {
		problems = append(problems, ledger.Problem{Code: shipmentRefused,
			Message: fmt.Sprintf("Upstock does not take the shipment of %s: %s", strings.Join(refused, "; "), why),
			Fix:     "Look at the order in Upstock: it may be cancelled there though its goods have left. Retry when it would take the shipment."})
	}
	r.Problems = problems
	for _, p := range problems {
		if !had[p.Code+p.Message] {
			r.Note(w.Now(), "Needs attention: %s", p.Message)
		}
	}
	switch {
	case len(problems) > 0:
		r.State = ledger.Attention
	case there > 0 && whole:
		r.State = ledger.Shipped
	case there > 0:
		r.State = ledger.PartlyShipped
	case r.State != ledger.Cancelled:
		r.State = ledger.Sold
	}
}

// saySale says what a look shows that is not synced.
func saySale(r *ledger.Run, s cin7core.Sale, gone bool) {
	if lostItsSale(r) { // its problem says so
		return
	}
	switch {
	case gone:
		r.Say("Cin7 Core does not have the sale " + r.SaleNumber + " any more.")
	case s.Status.Is(cin7core.Voided):
		r.Say("The sale " + r.SaleNumber + " was voided in Cin7 Core after it was sold. Upstock is not told.")
	case s.CombinedShippingStatus.Is(cin7core.Shipped) && len(r.Parcels) == 0:
		r.Say("Cin7 Core shows the sale " + r.SaleNumber + " as shipped, but no shipment of it. Upstock is not told.")
	case r.SaleTotal != "" && s.Order.Total.StringFixed(2) != r.SaleTotal:
		r.Say(fmt.Sprintf("The sale was changed in Cin7 Core: its total is %s now. Upstock is not told.", s.Order.Total.StringFixed(2)))
	}
}

// unpicked compares, line by line, what Auto Pick was asked for with what
// Cin7 Core did. It picks only at the moment of authorising and only if nothing
// is on back-order, else silently does nothing; so what is missing is said, and
// said again as it changes.
func unpicked(r *ledger.Run, plan *sale.Plan, s cin7core.Sale, at time.Time) {
	missing := unpickedOf(plan.Order.AutoPickPackShipMode, s)
	if slices.Equal(missing, r.Unpicked) {
		return
	}
	if len(missing) == 0 {
		r.Note(at, "Everything that Auto Pick was asked for is done in Cin7 Core now.")
	} else {
		r.Note(at, "Cin7 Core has not done all that Auto Pick was asked for: %s", strings.Join(missing, " "))
	}
	r.Unpicked = missing
}

func unpickedOf(mode cin7core.Mode, s cin7core.Sale) []string {
	type phase struct {
		name  string
		asked bool
		did   map[string]decimal.Decimal // by product
	}
	pick, pack, ship := map[string]decimal.Decimal{}, map[string]decimal.Decimal{}, map[string]decimal.Decimal{}
	add := func(to map[string]decimal.Decimal, lines []cin7core.HandlingLine) {
		for _, l := range lines {
			to[l.ProductID] = to[l.ProductID].Add(l.Quantity)
		}
	}
	for _, f := range s.Fulfilments {
		if f.Pick.Status.Is(cin7core.Authorised) {
			add(pick, f.Pick.Lines)
		}
		if f.Pack.Status.Is(cin7core.Authorised) {
			add(pack, f.Pack.Lines)
		}
		switch {
		case f.Ship.Status.Is(cin7core.Authorised):
			add(ship, f.Pack.Lines)
		case f.Ship.Status.Is(cin7core.PartiallyAuthorised):
			var boxes []string
			for _, l := range f.Ship.Lines {
				if l.IsShipped {
					boxes = append(boxes, l.BoxList()...)
				}
			}
			add(ship, slices.DeleteFunc(slices.Clone(f.Pack.Lines), func(l cin7core.HandlingLine) bool { return !slices.Contains(boxes, l.Box) }))
		}
	}
	phases := []phase{
		{"picked", mode == cin7core.AutoPick || mode == cin7core.AutoPickPack || mode == cin7core.AutoPickPackShip, pick},
		{"packed", mode == cin7core.AutoPickPack || mode == cin7core.AutoPickPackShip, pack},
		{"shipped", mode == cin7core.AutoPickPackShip, ship},
	}
	if s.Status.Is(cin7core.Voided) {
		return nil
	}
	var missing []string
	for _, l := range s.Order.Lines {
		var parts []string
		for _, p := range phases {
			if !p.asked {
				continue
			}
			done := decimal.Min(l.Quantity, p.did[l.ProductID])
			p.did[l.ProductID] = p.did[l.ProductID].Sub(done)
			if done.LessThan(l.Quantity) {
				parts = append(parts, fmt.Sprintf("%s of %s %s", done, l.Quantity, p.name))
			}
		}
		if len(parts) == 0 {
			continue
		}
		text := fmt.Sprintf("%s: %s", cmp.Or(l.SKU, l.Name), strings.Join(parts, ", "))
		if l.BackorderQuantity.IsPositive() {
			text += fmt.Sprintf("; %s on back-order", l.BackorderQuantity)
		}
		missing = append(missing, text+".")
	}
	return missing
}

// voidCancelled voids the sale of an order that was cancelled after it was sold,
// as the settings wish, if nobody has begun to work on it. voided says that it
// is done with; else the look goes on.
func (w *work) voidCancelled(s cin7core.Sale, plan *sale.Plan) (voided bool, err error) {
	if s.Status.Is(cin7core.Voided) {
		return true, w.update(func(r *ledger.Run, _ *ledger.Extra) error {
			endCancelled(r)
			r.Note(w.Now(), "The order is cancelled, and its sale %s is voided.", r.SaleNumber)
			return nil
		})
	}
	why := begun(s, plan)
	if why == "" && notOurs(w.run, s.ID) {
		why = "a person made it, as a copy of ours"
	}
	if why == "" && len(attempts(w.run, ledger.StepVoid)) >= maxAttempts {
		why = fmt.Sprintf("Cin7 Core gave no believable answer in %d attempts", maxAttempts)
	}
	if why != "" {
		return false, w.update(func(r *ledger.Run, _ *ledger.Extra) error {
			r.Void = false
			message := fmt.Sprintf("The order was cancelled in Upstock after it was sold, and its sale %s was not voided: %s.", r.SaleNumber, why)
			r.Problems = append(slices.DeleteFunc(r.Problems, func(p ledger.Problem) bool { return p.Code == cancelledButKept }),
				ledger.Problem{Code: cancelledButKept, Message: message, Fix: "Void the sale in Cin7 Core if it should not be delivered, then retry."})
			r.Note(w.Now(), "Needs attention: %s", message)
			return nil
		})
	}
	if err := w.sureCancelled(); err != nil {
		return false, err
	}
	ctx, err := w.cin7.Reserve(w.calling("cin7core"))
	if err != nil {
		return false, w.answered(err)
	}
	seq := 0
	if err := w.update(func(r *ledger.Run, _ *ledger.Extra) (err error) {
		if !cancelStands(r) || r.SaleID != s.ID {
			return errMoved
		}
		seq, err = w.intendVoid(r, s)
		return err
	}); err != nil {
		return false, err
	}
	_, err = w.cin7.VoidSale(ctx, s.ID)
	w.sendBy = time.Time{}
	if rest.OutcomeOf(err) == rest.Unknown {
		if uerr := w.result(func(r *ledger.Run) error { w.voidUnknown(r, seq); return nil }); uerr != nil {
			return false, uerr
		}
		return false, w.answered(err) // the next look tells
	}
	if uerr := w.result(func(r *ledger.Run) error {
		i := r.Intent(seq, ledger.StepVoid)
		if i.Answer != ledger.Open {
			return nil
		}
		if i.Answer = ledger.Refused; err != nil {
			return nil
		}
		i.Answer = ledger.Done
		if r.SaleID != s.ID {
			return nil
		}
		if r.Cancelled.IsZero() { // the cancellation was dropped while this was on its way: a look tells what it did
			r.Asked++
			dueNow(r, w.Now())
			return nil
		}
		endCancelled(r)
		r.Note(w.Now(), "The order was cancelled in Upstock: its sale %s was voided.", r.SaleNumber)
		return nil
	}); uerr != nil {
		return false, uerr
	}
	if err == nil {
		return true, nil
	}
	refused := w.refusedOr(err, "to void the sale")
	if _, ok := refused.(*ledger.Reject); !ok {
		return false, refused
	}
	return false, w.update(func(r *ledger.Run, _ *ledger.Extra) error {
		r.Void = false
		message := fmt.Sprintf("The order was cancelled in Upstock, and Cin7 Core refused to void its sale %s: %s", r.SaleNumber, strings.Join(rest.MessagesOf(err), " "))
		r.Problems = append(r.Problems, ledger.Problem{Code: cancelledButKept, Message: message, Fix: "Void it in Cin7 Core if it should not be delivered, then retry."})
		r.Note(w.Now(), "Needs attention: %s", message)
		return nil
	})
}

// endCancelled ends an order whose sale is voided after its cancellation.
func endCancelled(r *ledger.Run) {
	r.Void, r.Looks, r.ReadBack, r.Unpicked, r.Watches = false, r.Asked, false, nil, nil
	r.State, r.Problems, r.Told, r.Kept = ledger.Cancelled, nil, true, nil
	for k := range r.Intents {
		if i := &r.Intents[k]; i.Step == ledger.StepVoid && i.SaleID == r.SaleID && i.Answer == ledger.Open {
			i.Answer = ledger.Done
		}
	}
	r.Said = slices.DeleteFunc(r.Said, func(s string) bool { return s == cancelledStands })
}

// cancelledStands is said where an order is cancelled after it was sold and its sale is left alone.
const cancelledStands = "The order was cancelled in Upstock after it was sold. The sale stands: void it in Cin7 Core if it should not be delivered."

// begun says what people, or Auto Pick, have done with a sale: "" = nothing.
func begun(s cin7core.Sale, plan *sale.Plan) string {
	if len(s.Fulfilments) == 0 && s.CombinedPickingStatus == "" && s.CombinedShippingStatus == "" && s.CombinedInvoiceStatus == "" && s.Order.Status.Is(cin7core.Authorised) {
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
	case s.CombinedPickingStatus.Is(cin7core.Picked, "PARTIALLY PICKED"), s.CombinedPackingStatus.Is(cin7core.Packed, "PARTIALLY PACKED"):
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

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b.UTC()
	}
	return a
}
