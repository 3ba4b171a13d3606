package upstockcin7

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
)

// maxWebhook is the largest body that is taken in.
const maxWebhook = 4 << 20

// Webhook takes in what Upstock delivers at POST /webhooks/upstock/{token}.
//
// 202 means that the order is written down durably: from then on it is ours to
// bring through. Deliveries are verified as the Standard Webhooks
// specification says, with 5 minutes of skew; a replaced secret verifies for a
// day more. The Content-Type is not looked at: the signature is over the body,
// which is an event or is not. Refusals under a known token leave an event that
// the tenant sees.
func (p *Pair) Webhook() http.Handler { return deliveries(p.receive) }

// deliveries answers each delivery with a status and its reason.
func deliveries(receive func(*http.Request) (status int, detail string)) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		status, detail := receive(req)
		rw.Header().Set("Content-Type", "application/json")
		rw.Header().Set("Cache-Control", "no-store")
		if status == http.StatusMethodNotAllowed {
			rw.Header().Set("Allow", http.MethodPost)
		}
		rw.WriteHeader(status)
		json.NewEncoder(rw).Encode(map[string]string{"detail": detail})
	})
}

func (p *Pair) receive(req *http.Request) (int, string) {
	if req.Method != http.MethodPost {
		return http.StatusMethodNotAllowed, "Deliveries are POSTed."
	}
	ctx := req.Context()
	c, secrets, err := p.Tenants.ConnectionByURLToken(ctx, req.PathValue("token"))
	if errors.Is(err, tenant.ErrNotFound) || err == nil && c.System != tenant.Upstock {
		return http.StatusNotFound, "Nobody's webhook address ends like this. Copy it again from Stockbridge."
	}
	if errors.Is(err, tenant.ErrSealed) {
		_, _ = p.Vendors.MarkUnsealed(ctx, c)
	}
	if err != nil {
		return unavailable()
	}
	refuse := func(status int, text string) (int, string) {
		p.Ledger.RecordSome(ctx, c.Tenant,
			ledger.Event{Kind: RefusedEvent,
				Text: fmt.Sprintf("A delivery from Upstock was refused (%d): %s", status, text)})
		return status, text
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, maxWebhook+1))
	switch {
	case err != nil:
		return refuse(http.StatusBadRequest, "The body ended early.")
	case len(body) > maxWebhook:
		return refuse(http.StatusRequestEntityTooLarge, "The body is over 4 MiB.")
	}
	works := func(s tenant.Secret) bool { return webhookKey(s) > 0 }
	if !slices.ContainsFunc(secrets.WebhookSecrets(time.Now()), works) {
		return refuse(http.StatusUnauthorized,
			"No webhook secret is saved here, so no signature can be checked. Save the one that Upstock shows.")
	}
	if !verified(secrets, body, req.Header) {
		return refuse(http.StatusUnauthorized,
			"The signature does not fit, or is over 5 minutes old. Compare the webhook secret in Upstock with the "+
				"one saved here.")
	}
	event, err := upstock.ParseEvent(body)
	if err != nil {
		return refuse(http.StatusBadRequest, "The body is not an event: "+err.Error()+".")
	}
	switch err := p.take(ctx, c, event, body); {
	case errors.Is(err, ledger.ErrTooLarge):
		return refuse(http.StatusRequestEntityTooLarge,
			"The body is too large to be kept: over 3.5 MB even when compressed.")
	case err != nil:
		return unavailable()
	}
	return http.StatusAccepted, "Taken in."
}

// The kinds of the events that tell how Upstock reaches us: its test arrived; a delivery was refused, and why.
const (
	PingEvent    = "ping"
	RefusedEvent = "webhookRefused"
)

func unavailable() (int, string) {
	return http.StatusServiceUnavailable, "Not taken in. Send it again."
}

func verified(s tenant.Secrets, body []byte, h http.Header) bool {
	for _, secret := range s.WebhookSecrets(time.Now()) {
		if wh, err := standardwebhooks.NewWebhook(string(secret)); err == nil && webhookKey(secret) > 0 &&
			wh.Verify(body, h) == nil {
			return true
		}
	}
	return false
}

// take does what an event asks for. nil means that it is durable.
func (p *Pair) take(ctx context.Context, c tenant.Connection, e upstock.Event, body []byte) error {
	note := func(kind, text string) error {
		return p.Ledger.RecordSome(ctx, c.Tenant, ledger.Event{Kind: kind, Text: text})
	}
	if supplier := strconv.FormatInt(e.SupplierID, 10); supplier != c.Account {
		return note("otherSupplier", "A delivery for supplier "+supplier+" came to the address of supplier "+c.Account+
			". It was ignored: each supplier needs its own address.")
	}
	switch e.Type {
	case upstock.Ping:
		return note(PingEvent, "Upstock reached this address and its signature fits.")
	case upstock.OrderApproved:
		_, err := p.approved(ctx, supplierAt(c), cmp.Or(e.ID, hashed(body)), ledger.OriginWebhook, e.RawOrder, body)
		return err
	case upstock.OrderCancelled:
		return p.cancelled(ctx, supplierAt(c), e, body)
	}
	return note("unknownEvent", "A delivery of the type "+prose.Quote(e.Type)+
		" was ignored: Stockbridge does not know it.")
}

// approved writes an approved order down, once, and wakes the work on it.
// fresh says that it was not there yet.
func (p *Pair) approved(
	ctx context.Context, s supplier, eventID, origin string, raw json.RawMessage, body []byte,
) (fresh bool, err error) {
	how := "Received from Upstock"
	if origin != ledger.OriginWebhook {
		how = "Found in Upstock's list of orders, as no webhook had brought it"
	}
	return p.takeIn(ctx, s, arrival{event: eventID, origin: origin, how: how, raw: raw, body: body})
}

// arrival is an approved order and how it came.
type arrival struct {
	event, origin string
	how           string          // in words
	raw           json.RawMessage // the order
	body          []byte          // as it is kept
	delay         time.Duration   // the work on it begins so much later
	problem       ledger.Problem  // why it is a person's from the start; no Code = it is not
}

func (p *Pair) takeIn(ctx context.Context, s supplier, a arrival) (fresh bool, err error) {
	now := p.Now().UTC()
	o, faults := upstock.ParseOrder(a.raw)
	run := &order.Order{Run: ledger.Run{Tenant: s.tenant, ID: noID(a.event), State: ledger.Received, Received: now,
		Next: now.Add(p.Times.Grace + a.delay)}}
	id, ok := upstock.OrderID(a.raw)
	if ok {
		run.ID = strconv.FormatInt(id, 10)
	}
	describe(run, o)
	run.ByWebhook = a.origin == ledger.OriginWebhook
	if !ok {
		a.problem = ledger.Problem{Code: "noOrderId",
			Message: "Upstock delivered an approved order without a usable id.",
			Fix:     "Approve the order again in Upstock, or enter it in Cin7 Core by hand and tell Upstock's support."}
	}
	run.Note(now, a.how+", approved%s.", order.OnIf(run.Approved))
	if a.problem.Code == "" {
		a.problem = contradiction(o, faults)
		run.OfPlan = a.problem.Code != "" // nothing was tried: a later approval has it read and planned
	}
	if a.problem.Code != "" {
		run.State, run.Next = ledger.Attention, time.Time{}
		run.Problems = []ledger.Problem{a.problem}
	}
	old, err := p.writeDown(ctx, s, run, a.body)
	if errors.Is(err, ledger.ErrExists) {
		newer := o.ApprovedAt.After(old.Approved) // else it is delivered again, and may be of before
		if err = p.again(ctx, old, o, a.raw); err == nil && newer {
			err = p.compareSold(ctx, old, a.raw)
		}
		return false, err
	}
	if err != nil || run.State == ledger.Attention {
		return err == nil, err
	}
	// A pointer that cannot be sent is no loss: the sweep finds the order.
	_ = p.Wake(ctx, ledger.Pointer{Tenant: s.tenant, ID: run.ID, Origin: a.origin, Body: run.Body()}, a.delay)
	p.Log.InfoContext(ctx, "accepted", "tenant", s.tenant, "order", run.ID, "origin", a.origin,
		"metric", "OrdersAccepted")
	return true, nil
}

// contradiction is why an order that came as approved is a person's: what came with it shows that it is not to be sold,
// or does not say. Ordered and scheduled are how it was a moment before. What cannot be read is said when it is
// planned.
func contradiction(o upstock.Order, faults []upstock.FieldError) ledger.Problem {
	which := "order " + cmp.Or(prose.Short(o.OrderNumber), strconv.FormatInt(o.ID, 10))
	const fix = "Look at the order in Upstock. If it should be sold, approve it again there or retry, which reads it " +
		"anew; else leave it."
	switch o.Status {
	case "", upstock.StatusProcessing, upstock.StatusOrdered, upstock.StatusScheduled:
	case upstock.StatusShipped:
		return shippedAlready(o)
	case upstock.StatusCancelled:
		return ledger.Problem{Code: "notApproved",
			Message: "Upstock delivered an approval of " + which +
				", and shows the order in it as cancelled. No sale was made.", Fix: fix}
	default:
		return ledger.Problem{Code: approvalUnknown,
			Message: "Upstock delivered an approval of " + which + " with the status " + prose.Quote(o.Status) +
				", which is not known here. No sale was made.", Fix: fix}
	}
	if o.ApprovedAt.IsZero() && !slices.ContainsFunc(faults,
		func(f upstock.FieldError) bool { return f.Field == "" || f.Field == "approvedAt" }) {
		return ledger.Problem{Code: approvalUnknown,
			Message: "Upstock delivered an approval of " + which +
				", but does not say when it was approved, so it cannot be told whether it was cancelled since. No " +
				"sale was made.", Fix: fix}
	}
	return ledger.Problem{}
}

// noID names an order that has no usable id by the event that brought it: as
// it is where it may stand in a key and in an address, else by its hash.
func noID(event string) string {
	const plain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
	if len(event) > 100 || strings.Trim(event, plain) != "" {
		event = fmt.Sprintf("%x", sha256.Sum256([]byte(event)))
	}
	return "!" + event
}

// cancelled marks an order as cancelled, whether it is there, sold or not here yet.
func (p *Pair) cancelled(ctx context.Context, s supplier, e upstock.Event, body []byte) error {
	id, ok := upstock.OrderID(e.RawOrder)
	if !ok {
		return p.Ledger.RecordSome(ctx, s.tenant,
			ledger.Event{Kind: "noOrderId", Text: "Upstock delivered a cancellation without a usable order id."})
	}
	return p.cancelledOrder(ctx, s, id, e.OccurredAt, "Cancelled in Upstock before it was approved here.", e.RawOrder,
		body)
}

// cancelSold says what becomes of the sale of an order that was cancelled after
// it was sold: it stands, or is voided if nobody has begun to work on it.
func cancelSold(r *order.Order, s sale.Settings) {
	if s.OnCancel == sale.Void {
		r.Void = true
		return
	}
	r.Say(cancelledStands)
}
