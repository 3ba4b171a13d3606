package upstockcin7

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/upstockcin7/sale"
)

// A test order is a draft sale that is made in Cin7 Core, read back, shown and
// voided, so that a person sees that orders can be sold there before the first
// one comes. It is no order: no run, no ExternalID of one, and nothing counts it.
//
// It is a document of its tenant and a job that works on it, one at a time. The
// sale is sent once: that is on record before it is, whoever runs the job then.
// Without an answer it is looked for by its ExternalID until it is found, or two
// looks past the settle time show none. Lines and the void may be sent again: the
// same lines replace themselves, and a voided sale stays so. What people made of
// the sale is theirs: it stands, and that is said.

// TestOrder is a tenant's latest test order.
type TestOrder struct {
	State TestState `json:"state"`
	Plan  TestPlan  `json:"plan"`

	ExternalID string    `json:"externalId"`
	Account    string    `json:"account"` // of Cin7 Core
	By         string    `json:"by"`
	Started    time.Time `json:"started,omitzero"`
	Updated    time.Time `json:"updated,omitzero"`
	Finished   time.Time `json:"finished,omitzero"`
	Why        string    `json:"why,omitempty"`    // running: what holds it up; failed: why
	Stands     bool      `json:"stands,omitempty"` // failed: the sale stands, or may

	Sent     time.Time `json:"sent,omitzero"`     // when the sale was put on record, to be sent at once
	Deadline time.Time `json:"deadline,omitzero"` // by then it has an answer, or none
	Looked   time.Time `json:"looked,omitzero"`   // when a look first found none after that
	SaleID   string    `json:"saleId,omitempty"`
	Number   string    `json:"number,omitempty"`
	Refused  string    `json:"refused,omitempty"` // why Cin7 Core did not take the lines
	Lines    bool      `json:"lines,omitempty"`   // they are sent, and answered
	Tries    int       `json:"tries,omitempty"`   // how often lines or a void had no answer
	Read     *TestSale `json:"read,omitempty"`    // the sale as it was read back; nil = it was not
	Voided   bool      `json:"voided,omitempty"`
	Again    time.Time `json:"again,omitzero"` // its next message is on its way for then

	rev string
}

// TestState says how far a test order is.
type TestState string

// The states of a test order.
const (
	TestNone    TestState = "none"
	TestRunning TestState = "running"
	TestDone    TestState = "done"   // the sale was made, read back and voided
	TestFailed  TestState = "failed" // Why says so; Stands whether something is left in Cin7 Core
)

// TestPlan is the sale that is made: one product for one customer of the account.
type TestPlan struct {
	CustomerID string          `json:"customerId"`
	Customer   string          `json:"customer"`
	ProductID  string          `json:"productId"`
	SKU        string          `json:"sku"`
	Product    string          `json:"product"`
	Location   string          `json:"location"`
	TaxRule    string          `json:"taxRule"`
	Price      decimal.Decimal `json:"price"`
	Tax        decimal.Decimal `json:"tax"`
}

// TestSale is what was read back.
type TestSale struct {
	Customer string `json:"customer"`
	Lines    string `json:"lines"`
	Location string `json:"location"`
	TaxRule  string `json:"taxRule"`
	Terms    string `json:"terms"`
	Total    string `json:"total"`
	Currency string `json:"currency"`
	Status   string `json:"status"` // of its order
}

// TestOrderError says why no test order is made.
type TestOrderError struct{ Why string }

func (e *TestOrderError) Error() string { return e.Why }

const (
	testOrderDoc   = "testOrder"
	testOrderEvent = "testOrder"
	// testExternalID begins the ExternalID of a test order's sale: no order's begins so.
	testExternalID = "stockbridge-test:"
	testReference  = "Stockbridge test order"
	// testFor is how long a test order goes on by itself.
	testFor = 24 * time.Hour
)

// TestOrderState reads a tenant's test order; its state is none where there never was one.
func (p *Pair) TestOrderState(ctx context.Context, tenantID string) (TestOrder, error) {
	t := TestOrder{State: TestNone}
	var err error
	t.rev, err = p.Ledger.Doc(ctx, tenantID, testOrderDoc, &t)
	return t, err
}

// PlanTestOrder says what a test order would be, from the copy of the account's records. Errors: *TestOrderError.
func (p *Pair) PlanTestOrder(ctx context.Context, b tenant.Bundle) (TestPlan, error) {
	var plan TestPlan
	if lack := b.Lack(tenant.Upstock, tenant.Cin7Core); lack != nil {
		return plan, &TestOrderError{lack.State + " Connect both systems first."}
	}
	if why := cmp.Or(unread(b), FlowPaused(b, order.OrdersFlow)); why != "" {
		return plan, &TestOrderError{why}
	}
	books, err := reference.ReadBooks(b.Books)
	if err != nil {
		return plan, err
	}
	customer, rule, err := p.testCustomer(ctx, b, books)
	if err != nil {
		return plan, err
	}
	product, err := p.testProduct(ctx, b)
	if err != nil {
		return plan, err
	}
	plan = TestPlan{CustomerID: customer.ID, Customer: prose.Short(customer.Name), ProductID: product.ID,
		SKU: prose.Short(product.SKU), Product: prose.Short(product.Name), TaxRule: rule.Name,
		Location: testLocation(sale.SettingsOf(b.Settings).Location, customer, books), Price: decimal.NewFromInt(1)}
	plan.Tax = plan.Price.Mul(rule.TaxPercent).Div(decimal.NewFromInt(100)).Round(2)
	if plan.Location == "" {
		return plan, &TestOrderError{"Cin7 Core has no location that a sale could go from."}
	}
	return plan, nil
}

// testCustomer is a customer who can be sold to without more ado, and the tax rule of its card.
func (p *Pair) testCustomer(
	ctx context.Context, b tenant.Bundle, books sale.Books,
) (x cin7core.Customer, rule cin7core.TaxRule, err error) {
	err = reference.EachCustomer(ctx, p.Mirror, b.Tenant.ID, func(c cin7core.Customer) (more bool) {
		at := slices.IndexFunc(books.TaxRules, func(r cin7core.TaxRule) bool {
			return r.ForSales() && match.Same(r.Name, c.TaxRule)
		})
		if at < 0 || c.ID == "" || !c.Status.Is(cin7core.Active) || c.IsOnCreditHold ||
			!strings.EqualFold(c.Currency, books.Me.Currency) {
			return true
		}
		x, rule = c, books.TaxRules[at]
		return false
	})
	if err == nil && x.ID == "" {
		err = &TestOrderError{"Cin7 Core has no active customer with a tax rule for sales and the account's currency."}
	}
	return x, rule, err
}

// testProduct is a product that can be sold.
func (p *Pair) testProduct(ctx context.Context, b tenant.Bundle) (x cin7core.Product, err error) {
	err = reference.EachProduct(ctx, p.Mirror, b.Tenant.ID, func(c cin7core.Product) (more bool) {
		if c.ID == "" || c.SKU == "" || !c.Status.Is(cin7core.Active) || !c.CanSell() ||
			match.Same(c.Type, "Service") || !match.Same(cmp.Or(c.DropShipMode, noDropShip), noDropShip) {
			return true
		}
		x = c
		return false
	})
	if err == nil && x.ID == "" {
		err = &TestOrderError{"Cin7 Core has no active product that can be sold."}
	}
	return x, err
}

const noDropShip = "No Drop Ship"

// testLocation is the settings', the customer's, or the account's.
func testLocation(set string, c cin7core.Customer, books sale.Books) string {
	byDefault := ""
	for _, l := range books.Locations {
		switch {
		case l.IsBin() || l.IsDeprecated:
		case set != "" && match.Same(l.Name, set), set == "" && match.Same(l.Name, c.Location):
			return l.Name
		case l.IsDefault:
			byDefault = l.Name
		}
	}
	return byDefault
}

// StartTestOrder begins a test order. One that is running stays the one, and so does one that came after that which
// the person saw: the button was pressed twice (nil = they saw none, and do not say so). Of one whose sale may stand,
// that is looked after again. Who wants it is in the context (ledger.WithActor). Errors: *TestOrderError.
func (p *Pair) StartTestOrder(ctx context.Context, b tenant.Bundle, saw *time.Time) (TestOrder, error) {
	last, err := p.TestOrderState(ctx, b.Tenant.ID)
	isThere := func(t TestOrder) bool { return t.State == TestRunning || saw != nil && !t.Started.Equal(*saw) }
	if err != nil || isThere(last) {
		return last, err
	}
	again := last.State == TestFailed && last.Stands && last.Account == b.Connections[tenant.Cin7Core].Account
	var plan TestPlan
	if !again {
		if plan, err = p.PlanTestOrder(ctx, b); err != nil {
			return last, err
		}
	}
	by, now, id := prose.Within(cmp.Or(ledger.ActorOf(ctx), "a person"), 100), p.Now().UTC(), rand.Text()
	text := "A test order was begun in Cin7 Core."
	if again {
		text = "The sale of the last test order is looked after again."
	}
	t, err := ledger.ChangeDocSaying(ctx, p.Ledger, b.Tenant.ID, testOrderDoc,
		func(t *TestOrder) (bool, []ledger.Event, error) {
			switch {
			case isThere(*t):
				return false, nil, nil
			case again:
				t.State, t.Started, t.Finished, t.Why, t.Tries = TestRunning, now, time.Time{}, "", 0
			default:
				*t = TestOrder{State: TestRunning, Plan: plan, By: by, Started: now,
					ExternalID: testExternalID + b.Tenant.ID + ":" + id,
					Account:    b.Connections[tenant.Cin7Core].Account}
			}
			t.Updated = now
			return true, []ledger.Event{{Kind: testOrderEvent, Text: text}}, nil
		})
	if err == nil {
		_ = p.Runner.Start(ctx, b.Tenant.ID, JobTestOrder, 0) // the job webhooks sends it again
	}
	return t, err
}

// resumeTestOrder sends a running test order's message again where it has not moved for a while.
func (p *Pair) resumeTestOrder(ctx context.Context, tenantID string) error {
	t, err := p.TestOrderState(ctx, tenantID)
	if err != nil || t.State != TestRunning || p.Now().Sub(job.Latest(t.Updated, t.Again)) < p.Times.Resend {
		return err
	}
	return p.Runner.Start(ctx, tenantID, JobTestOrder, 0)
}

// trial is one run of the job.
type trial struct {
	*Pair
	ctx    context.Context
	part   *job.Part
	client *cin7core.Client
	*TestOrder
}

// errPut ends a run whose state is saved.
var errPut = errors.New("the test order is put down")

// testOrder works on a tenant's test order until it is over or must wait.
func (p *Pair) testOrder(ctx context.Context, part *job.Part) error {
	t, err := p.TestOrderState(ctx, part.Tenant)
	if err != nil || t.State != TestRunning || t.Again.After(p.Now().Add(p.Times.Soon)) {
		return err
	}
	x := &trial{Pair: p, ctx: ctx, part: part, TestOrder: &t}
	conn := part.Bundle.Connections[tenant.Cin7Core]
	switch lack := part.Bundle.Lack(tenant.Cin7Core); {
	case conn.Account != "" && conn.Account != t.Account:
		return over(x.fail("Another Cin7 Core account is connected now.", !t.Sent.IsZero()))
	case p.Now().Sub(t.Started) > testFor:
		return over(x.fail("It did not come to its end in a day. "+t.Why, !t.Sent.IsZero()))
	case lack != nil:
		return over(x.wait(lack.State, p.Now().Add(p.Times.Longest)))
	}
	sec, err := p.Vendors.Secrets(ctx, conn)
	if err != nil {
		return err
	}
	x.client = p.Cin7Core(conn, sec, true)
	for range 8 {
		if err := x.step(); err != nil {
			return over(err)
		}
	}
	return over(x.wait("", p.Now().Add(p.Times.Soon)))
}

// over is how a run ends: another one that was faster has the test order now.
func over(err error) error {
	if errors.Is(err, errPut) {
		return nil
	}
	return notBehind(err)
}

// step does what is next. nil: there is more.
func (x *trial) step() error {
	switch {
	case x.Sent.IsZero():
		return x.make()
	case x.SaleID == "":
		return x.find()
	case !x.Lines && x.Refused == "":
		return x.fill()
	}
	return x.readAndVoid()
}

// make sends the sale, once.
func (x *trial) make() error {
	if why := FlowPaused(x.part.Bundle, order.OrdersFlow); why != "" {
		return x.fail("Orders are paused. "+why, false)
	}
	ctx, err := x.client.Reserve(x.ctx)
	if err != nil {
		return x.failed(err)
	}
	now := x.Now().UTC()
	sendBy := now.Add(x.Times.Soon)
	x.Sent, x.Deadline = now, sendBy.Add(x.Times.HTTP)
	if err := x.save(); err != nil {
		return err
	}
	ctx = rest.WithGuard(ctx, func() error {
		if x.Now().After(sendBy) {
			return job.ErrShort
		}
		return x.part.Short(x.ctx)
	})
	s, err := x.client.CreateSale(ctx, cin7core.SaleHeader{
		CustomerID: x.Plan.CustomerID, Location: x.Plan.Location, TaxRule: x.Plan.TaxRule, SkipQuote: true,
		SaleType: "Simple", ExternalID: x.ExternalID, CustomerReference: testReference,
		Note: "A test by Stockbridge. It is voided right away.",
	})
	switch {
	case err == nil:
		return x.found(s.ID, number(s))
	case rest.OutcomeOf(err) == rest.Unknown:
		return x.wait("Cin7 Core gave no believable answer to the new sale. It is looked for.",
			x.Deadline.Add(x.Times.Settle))
	}
	if rej := refusal(err, "the sale"); rej != nil {
		return x.fail(rej.Problems[0].Message, false)
	}
	x.Sent, x.Deadline = time.Time{}, time.Time{} // it was not made, for certain
	return x.failed(err)
}

// found puts down the sale that was made.
func (x *trial) found(id, number string) error {
	x.SaleID, x.Number, x.Why = id, prose.Short(number), ""
	return x.save()
}

// find looks for the sale that was sent without an answer.
func (x *trial) find() error {
	if at := x.Deadline.Add(x.Times.Settle); x.Now().Before(at) {
		return x.wait("Cin7 Core gave no believable answer to the new sale. It is looked for.", at)
	}
	unclear := false
	for row, err := range x.client.Sales(x.ctx, cin7core.SalesQuery{ExternalID: x.ExternalID, Search: testReference}) {
		switch {
		case err != nil:
			return x.failed(err)
		case row.SaleID != "" && row.ExternalID == x.ExternalID:
			return x.found(row.SaleID, row.OrderNumber)
		case row.ExternalID == "" && !row.Status.Is(cin7core.Voided): // a blank is no "no"
			unclear = true
		}
	}
	if now := x.Now().UTC(); x.Looked.IsZero() {
		x.Looked = now
		return x.wait("Cin7 Core shows no sale of the test order. It is looked for once more.", now.Add(x.Times.Soon))
	}
	if unclear {
		return x.fail("Cin7 Core gave no believable answer to the new sale, and does not say whose the one is that it "+
			"shows.", true)
	}
	return x.fail("Cin7 Core gave no believable answer to the new sale, and shows none: it was not made.", false)
}

// fill gives the sale its line.
func (x *trial) fill() error {
	one := decimal.NewFromInt(1)
	_, err := x.client.SaveOrder(x.ctx, cin7core.OrderDocument{
		SaleID: x.SaleID, Status: cin7core.Draft, AutoPickPackShipMode: cin7core.NoPick,
		Lines: []cin7core.OrderLine{{ProductID: x.Plan.ProductID, SKU: x.Plan.SKU, Name: x.Plan.Product, Quantity: one,
			Price: x.Plan.Price, Tax: x.Plan.Tax, TaxRule: x.Plan.TaxRule, Total: x.Plan.Price,
			Comment: testReference}},
		TotalBeforeTax: x.Plan.Price, Tax: x.Plan.Tax, Total: x.Plan.Price.Add(x.Plan.Tax),
	})
	switch rej := refusal(err, "the line"); {
	case err == nil:
		x.Lines = true
	case rej != nil:
		x.Refused = rej.Problems[0].Message
	case rest.OutcomeOf(err) == rest.Unknown && x.Tries >= maxTestTries:
		x.Refused = "Cin7 Core gave no believable answer to the line."
	default:
		return x.failed(err)
	}
	x.Tries = 0
	return x.save()
}

// maxTestTries is how often a write without an answer is sent again.
const maxTestTries = 5

// readAndVoid reads the sale back, and voids it if it is as it was sent.
func (x *trial) readAndVoid() error {
	s, err := x.client.Sale(x.ctx, x.SaleID)
	switch {
	case rest.KindOf(err) == rest.NotFound:
		return x.fail("Cin7 Core does not show the sale "+x.Number+" any more.", false)
	case err != nil:
		return x.failed(err)
	}
	if !s.Status.Is(cin7core.Voided) || x.Read == nil {
		x.Read = shownOf(s)
	}
	x.Number = cmp.Or(s.Order.SaleOrderNumber, x.Number)
	switch {
	case s.Status.Is(cin7core.Voided):
		return x.end()
	case x.changed(s):
		return x.fail("Somebody changed the sale "+x.Number+" in Cin7 Core, so it was left alone.", true)
	}
	if err := x.save(); err != nil {
		return err
	}
	_, err = x.client.VoidSale(x.ctx, x.SaleID)
	switch rej := refusal(err, "to void the sale"); {
	case err == nil:
		return x.end()
	case rej != nil:
		return x.fail(rej.Problems[0].Message, true)
	}
	return x.failed(err)
}

// changed reports whether a sale is not as it was sent, any more.
func (x *trial) changed(s cin7core.Sale) bool {
	lines := s.Order.Lines
	ours := len(lines) == 0 || len(lines) == 1 && strings.EqualFold(lines[0].ProductID, x.Plan.ProductID) &&
		lines[0].Quantity.Equal(decimal.NewFromInt(1))
	return !ours || s.ExternalID != x.ExternalID || len(s.Invoices) > 0 || len(s.Order.AdditionalCharges) > 0 ||
		!strings.EqualFold(s.CustomerID, x.Plan.CustomerID) ||
		!s.Order.Status.Is("", cin7core.Draft, cin7core.NotAvailable)
}

func shownOf(s cin7core.Sale) *TestSale {
	t := &TestSale{
		Customer: prose.Short(s.Customer), Location: prose.Short(s.Location), TaxRule: prose.Short(s.TaxRule),
		Terms: prose.Short(s.Terms), Total: s.Order.Total.StringFixed(2), Currency: prose.Short(s.CustomerCurrency),
		Status: prose.Short(string(s.Order.Status)),
	}
	var lines []string
	for _, l := range s.Order.Lines {
		lines = append(lines, fmt.Sprintf("%s × %s at %s", l.Quantity, l.SKU, l.Price))
	}
	t.Lines = prose.Within(strings.Join(lines, ", "), 300)
	return t
}

// end: the sale was made, read back and voided, or what of it Cin7 Core refused is known.
func (x *trial) end() error {
	x.Voided, x.Stands = true, false
	if x.Refused != "" {
		return x.fail(x.Refused, false)
	}
	x.State, x.Why = TestDone, ""
	return x.put("The test order was sold as " + x.Number + " in Cin7 Core, read back and voided.")
}

// fail ends a test order; stands: its sale may stand in Cin7 Core.
func (x *trial) fail(why string, stands bool) error {
	x.State, x.Why, x.Stands = TestFailed, why, stands
	text := "The test order was not sold. " + why
	if x.Stands {
		text += " " + x.Standing()
	}
	return x.put(text)
}

// Standing says which sale may stand; "" = none may.
func (t *TestOrder) Standing() string {
	if !t.Stands {
		return ""
	}
	if t.Number != "" {
		return "The sale " + t.Number + " stands in Cin7 Core: void it there."
	}
	return "A sale with the reference “" + testReference + "” may stand in Cin7 Core: void it there."
}

// put saves how it ended, and says so.
func (x *trial) put(text string) error {
	x.Finished, x.Again = x.Now().UTC(), time.Time{}
	if err := x.save(); err != nil {
		return err
	}
	return cmp.Or(x.Ledger.RecordSome(x.ctx, x.part.Tenant, ledger.Event{Kind: testOrderEvent, Text: text}), errPut)
}

// failed reads a failed call: it is made again later.
func (x *trial) failed(err error) error {
	now := x.Now()
	if errors.Is(err, job.ErrShort) {
		return x.wait("", now.Add(x.Times.Soon))
	}
	if rest.OutcomeOf(err) == rest.Unknown {
		x.Tries++
	}
	switch out := x.part.Verdict(x.ctx, err).(type) {
	case *ledger.Later:
		return x.wait(out.Why, out.At)
	case *ledger.Park:
		return x.wait(out.Why, now.Add(x.Times.Longest))
	case *ledger.Down:
		return x.wait(out.Why, now.Add(job.Backoff(x.Tries, x.Times.MinRetry, x.Times.Longest)))
	default:
		return out
	}
}

// wait saves how far it is, and comes back by itself.
func (x *trial) wait(why string, at time.Time) error {
	x.Why, x.Again = why, at.UTC()
	if err := x.save(); err != nil {
		return err
	}
	return cmp.Or(x.part.Again(x.ctx, at.Sub(x.Now())), errPut)
}

func (x *trial) save() error {
	x.Updated = x.Now().UTC()
	rev, err := x.Ledger.SaveDoc(x.ctx, x.part.Tenant, testOrderDoc, x.rev, x.TestOrder)
	if err == nil {
		x.rev = rev
	}
	return err
}
