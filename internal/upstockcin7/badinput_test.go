package upstockcin7_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// sender is whoever knows the tenant's webhook address and its secret.
type sender struct {
	w      *world
	url    string
	secret tenant.Secret
	sent   int
}

func senderTo(w *world) *sender {
	ctx := context.Background()
	p := w.process("console")
	c, err := p.app.Tenants.Connection(ctx, w.tenant, tenant.Upstock)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := p.app.Tenants.Secrets(ctx, c)
	if err != nil {
		w.t.Fatal(err)
	}
	return &sender{w: w, url: p.app.Vendors.URL(c.System, s), secret: s.WebhookSecret}
}

// request is a delivery of body as Upstock would make it now.
func (s *sender) request(body []byte) *http.Request {
	s.sent++
	return s.signed(body, fmt.Sprintf("msg_%d", s.sent), time.Now(), s.secret)
}

func (s *sender) signed(body []byte, id string, at time.Time, secrets ...tenant.Secret) *http.Request {
	req := httptest.NewRequest(http.MethodPost, s.url, bytes.NewReader(body))
	var signatures []string
	for _, secret := range secrets {
		wh, err := standardwebhooks.NewWebhook(string(secret))
		if err != nil {
			s.w.t.Fatal(err)
		}
		signature, err := wh.Sign(id, at, body)
		if err != nil {
			s.w.t.Fatal(err)
		}
		signatures = append(signatures, signature)
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", strings.Join(signatures, " "))
	return req
}

// post delivers to a fresh process of ours.
func (s *sender) post(req *http.Request) (status int, detail string) {
	rec := httptest.NewRecorder()
	s.w.process("webhook").app.Webhook().ServeHTTP(rec, req)
	var answer struct{ Detail string }
	if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil && rec.Code != http.StatusNotFound {
		s.w.t.Errorf("%d is answered with %q", rec.Code, rec.Body)
	}
	return rec.Code, answer.Detail
}

func (s *sender) must(status int, req *http.Request) {
	s.w.t.Helper()
	if got, detail := s.post(req); got != status {
		s.w.t.Errorf("answer %d (%s), want %d", got, detail, status)
	}
}

// event wraps an order, or what stands in its place.
func (s *sender) event(kind, order string) []byte {
	return fmt.Appendf(nil, `{"id":"evt_%d","type":%q,"occurredAt":"2026-03-30T21:15:00Z","supplierId":%d,"data":{"order":%s}}`,
		s.sent+1, kind, s.w.acc.Upstock.Supplier, order)
}

// order places and approves an order of which nobody is told, and answers its JSON.
func (s *sender) order(part string) (id int, doc string) {
	w := s.w
	o, err := w.simUpstock.PlaceOrder(w.acc.Upstock.Supplier, part)
	if err == nil {
		o, err = w.simUpstock.Approve(o.ID)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return o.ID, string(o.JSON)
}

// edited makes changes to a JSON document: each a path, = and JSON.
func edited(t testing.TB, doc string, changes ...string) string {
	t.Helper()
	var v any
	dec := json.NewDecoder(strings.NewReader(doc))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatal(err)
	}
	for _, change := range changes {
		path, text, _ := strings.Cut(change, "=")
		v = replaced(v, strings.Split(path, "."), json.RawMessage(text))
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func replaced(v any, path []string, with json.RawMessage) any {
	if len(path) == 0 {
		return with
	}
	switch d := v.(type) {
	case []any:
		i, _ := strconv.Atoi(path[0])
		d[i] = replaced(d[i], path[1:], with)
	case map[string]any:
		d[path[0]] = replaced(d[path[0]], path[1:], with)
	}
	return v
}

func (s *sender) calls() int {
	return len(s.w.sim.Calls(sim.Cin7Core, s.w.acc.Cin7Core.AccountID)) +
		len(s.w.sim.Calls(sim.Upstock, strconv.Itoa(s.w.acc.Upstock.Supplier)))
}

// calm checks that nothing was tried over and over, and that nothing more
// happens by itself.
func (s *sender) calm(id string, mostCalls, mostAttempts int) {
	w := s.w
	w.t.Helper()
	get := func() *order.Order {
		r, err := order.NewBook(ledger.New(w.store)).Get(context.Background(), w.tenant, id)
		if err != nil {
			w.t.Fatal(err)
		}
		return r
	}
	r, calls := get(), s.calls()
	if calls > mostCalls || r.Attempts > mostAttempts {
		w.t.Errorf("%d calls, %d attempts: more than %d and %d", calls, r.Attempts, mostCalls, mostAttempts)
	}
	for range 24 {
		time.Sleep(30 * time.Minute)
		w.process("sweep").app.Schedule(context.Background(), json.RawMessage(`{"job":"orders"}`))
		synctest.Wait()
	}
	if later := get(); later.Attempts != r.Attempts || s.calls() != calls || later.State != r.State {
		w.t.Errorf("half a day later: %d calls more, %d attempts more, state %s", s.calls()-calls,
			later.Attempts-r.Attempts, later.State)
	}
	if n := w.sim.OverLimit(sim.Cin7Core, w.acc.Cin7Core.AccountID); n > 0 {
		w.t.Errorf("%d calls over the limit", n)
	}
}

// right compares the sale with the order as it was delivered.
func (s *sender) right(id, doc string) {
	w := s.w
	w.t.Helper()
	if _, faults := upstock.ParseOrder(json.RawMessage(doc)); len(faults) > 0 {
		w.t.Fatalf("sold in spite of %v", faults)
	}
	s.sold(id, doc)
}

// sold is right, of an order of which not everything can be read.
func (s *sender) sold(id, doc string) {
	w := s.w
	w.t.Helper()
	o, _ := upstock.ParseOrder(json.RawMessage(doc))
	r, err := order.NewBook(ledger.New(w.store)).Get(context.Background(), w.tenant, id)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.State != order.Sold || !r.Told {
		w.t.Fatalf("the order is %s (%s), told %v: %+v", r.State, r.Why, r.Told, r.Problems)
	}
	sales := slices.DeleteFunc(w.simCore.Sales(w.acc.Cin7Core.AccountID), func(x simcin7core.SaleSummary) bool {
		return x.ExternalID != fmt.Sprintf("upstock:%d:%s", w.acc.Upstock.Supplier, id)
	})
	if len(sales) != 1 {
		w.t.Fatalf("%d sales: %+v", len(sales), sales)
	}
	want := o.Computed().Total.StringFixed(2)
	if x := sales[0]; x.Total != want || r.SaleTotal != want || x.Lines != len(o.Lines) || x.Number != r.SaleNumber {
		w.t.Errorf("ordered %s in %d lines; sold %+v; the ledger says %s %s", want, len(o.Lines), x, r.SaleNumber,
			r.SaleTotal)
	}
}

func (s *sender) events(kind string) (n int, last string) {
	w := s.w
	list, _, err := ledger.New(w.store).Events(context.Background(), w.tenant, "", 500)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, e := range slices.Backward(list) {
		if e.Kind == kind {
			n++
			last = e.Text
		}
	}
	return n, last
}

func (s *sender) connect(webhook tenant.Secret) {
	w := s.w
	typed := vendor.Credentials{WebhookSecret: webhook}
	if _, _, err := w.vendorTable().Connect(context.Background(), w.tenant, tenant.Upstock, typed); err != nil {
		w.t.Fatal(err)
	}
}

func inWorld(t *testing.T, b *base, play func(t *testing.T, w *world, s *sender)) {
	t.Helper()
	testsize.Sampled(t)
	testsize.OneSize(t)
	alone(t)
	path := filepath.Join(t.TempDir(), "bad.db")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, b, path)
		defer w.close()
		defer time.Sleep(10 * time.Minute) // let all work end, whatever the test came to
		time.Sleep(time.Hour)              // events are rationed by the minute, and the base has had some
		play(t, w, senderTo(w))
	})
}

// twoLines is an order of two plain lines.
const twoLines = `{"customer":{"name":"Harbourside Grocers"},"lines":[{"sku":"KWK-100","quantity":"2"},{"sku":"SLT-FLK","quantity":"12"}]}`

// badOrders are delivered in a good envelope. Each becomes a sale that is
// right, or needs attention with problems that say why.
var badOrders = []struct {
	name     string
	change   []string // path=JSON
	raw      []string // old, new: in the order's text
	problems []string // codes and @line; none = sold
	loose    bool     // sold although something of it cannot be read
	says     string   // in a problem, or on the order
}{
	{name: "numbers as numbers", change: []string{`lines.0.quantity=3`, `lines.0.unitPrice=8.9`,
		`lines.0.discountPercent=2.5`, `lines.0.taxRate=15`, `totals=null`}},
	{name: "id as text", raw: []string{`"id":120001,`, `"id":"120001",`}},
	{name: "lines' ids as text", change: []string{`lines.0.id="7"`, `customer.id="301"`}},
	{name: "number as number", change: []string{`orderNumber=880123`, `reference=77`}},
	{name: "unknown fields", change: []string{`lines.0.vat={"a":[1,2,{"b":null}]}`, `warehouse=[[]]`}},
	{name: "many decimals that say nothing",
		change: []string{`lines.0.quantity="2.0000000000"`, `lines.0.unitPrice="8.900000000000000000000000"`,
			`totals=null`}},

	{name: "quantity beyond measure", change: []string{`lines.0.quantity="1e999999999"`, `totals=null`},
		problems: []string{"quantity@1"}, says: "too large"},
	{name: "quantity beyond measure as number", change: []string{`lines.1.quantity=1e999999999`},
		problems: []string{"quantity@2"}, says: "too large"},
	{name: "quantity beyond measure downwards", change: []string{`lines.1.quantity=1e-999999999`},
		problems: []string{"quantity@2"}},
	{name: "quantity of a thousand digits", change: []string{`lines.0.quantity=` + strings.Repeat("9", 1000)},
		problems: []string{"quantity@1"}, says: "too long"},
	{name: "negative quantity", change: []string{`lines.0.quantity="-3"`}, problems: []string{"quantity@1"},
		says: "is not more than 0"},
	{name: "quantity of nothing", change: []string{`lines.0.quantity=0`, `lines.1.quantity=""`},
		problems: []string{"quantity@1", "quantity@2"}},
	{name: "quantity of next to nothing", change: []string{`lines.0.quantity="0.0001"`, `totals=null`},
		problems: []string{"quantity@1"}, says: "1 and more"},
	{name: "quantity of a hundred billion", change: []string{`lines.0.quantity=99999999999`, `totals=null`},
		problems: []string{"quantity@1"}, says: "too large to be meant"},
	{name: "quantity of other kinds", change: []string{`lines.0.quantity=true`, `lines.1.quantity={"n":1}`},
		problems: []string{"quantity@1", "quantity@2"}},
	{name: "quantity in words", change: []string{`lines.0.quantity="NaN"`, `lines.1.quantity="12 boxes"`},
		problems: []string{"quantity@1", "quantity@2"}, says: "is not a number"},
	{name: "prices beyond measure", change: []string{`lines.0.unitPrice="1e999999999"`, `lines.1.unitPrice=-1e99`},
		problems: []string{"price@1", "price@2"}},
	{name: "price of five billion", change: []string{`lines.0.unitPrice="5000000000"`, `totals=null`},
		problems: []string{"price@1"}},
	{name: "price of next to nothing", change: []string{`lines.0.unitPrice="0.00004"`, `lines.1.unitPrice=1e-30`,
		`totals=null`}, says: "finer than the 4 decimals"},
	{name: "discount and tax of more than all",
		change:   []string{`lines.0.discountPercent=101`, `lines.0.taxRate="-15"`, `lines.1.taxRate="fifteen"`},
		problems: []string{"discount@1", "taxRate@1", "taxRate@2"}},
	{name: "freight beyond measure", change: []string{`freight={"description":"x","amount":"1e99","taxRate":"15"}`,
		`totals=null`}, problems: []string{"freight", "freightProduct"}},
	{name: "total beyond measure", change: []string{`totals={"total":"1e99"}`}, problems: []string{"total"}},
	{name: "total of words", change: []string{`totals={"total":"free"}`}, problems: []string{"unreadable"},
		says: "totals.total is not a number"},

	{name: "no lines", change: []string{`lines=[]`}, problems: []string{"noLines"}},
	{name: "lines of nothing", change: []string{`lines=[null,7,"x",[]]`},
		problems: []string{"quantity@1", "unknownSku@1", "unreadable@2", "unreadable@3", "unreadable@4"}},
	{name: "lines are a text", change: []string{`lines="two"`}, problems: []string{"noLines"}},
	{name: "customer is a number", change: []string{`customer=5`}, problems: []string{"unreadable"},
		says: "customer is not an object"},
	{name: "nobody", change: []string{`customer={"id":1,"name":"Nobody Ltd"}`}, problems: []string{"customerUnknown"}},
	{name: "dates of nonsense", change: []string{`orderDate="31/12/2026"`, `deliveryDate="2026-02-30"`}, loose: true,
		says: "orderDate is not a date like 2026-03-31, and was left out"},
	{name: "what the sale does not need",
		change: []string{`comments="Ring"`, `customFields=[1]`, `customer.email={}`, `customer.phone=[7]`,
			`shipments="x"`, `lines.0.name=[]`, `lines.0.comment={"a":1}`, `lines.1.id={}`, `totals.tax="some"`},
		loose: true, says: "comments is not a list, and was left out"},
	{name: "an address that cannot be read", change: []string{`deliveryAddress="12 Quay Lane"`},
		problems: []string{"unreadable"}},
	{name: "approved yesterday", change: []string{`approvedAt="yesterday"`}, problems: []string{"unreadable"},
		says: "approvedAt"},

	{name: "ten thousand characters", change: []string{`comments=[{"text":"` + strings.Repeat("Ring the bell. ", 700) +
		`"}]`}, says: "shipping notes were cut at 1024"},
	{name: "emoji", change: []string{`comments=[{"text":"` + strings.Repeat("👩‍👩‍👧‍👦", 200) + `"}]`,
		`lines.0.comment="` + strings.Repeat("☕️🫖", 100) + `"`, `reference="🏴‍☠️"`},
		says: "Line 1: the comment was cut"},
	{name: "right to left", change: []string{`comments=[{"text":"\u202eשלום עולם\u202c سلام"}]`,
		`customer.name="\u202eevil"`, `reference="\u2066\u2067"`}},
	{name: "what queues refuse", change: []string{`comments=[{"text":"a\u0000b\ufffe\uffff\ud800c\udfff"}]`,
		`orderNumber="8\u00008"`, `customer.name="\u0000"`, `reference="\ud800\u0007"`, `lines.0.comment="\u0000"`}},
	{name: "nothing but what is not seen", change: []string{`orderNumber="\u0000\u0001"`, `reference="\u0000"`},
		says: "Upstock's id of it"},
	{name: "unseen characters in a SKU",
		change:   []string{`lines.0.productExternalId=null`, `lines.0.sku="KWK\u0000\ufffe\ud800-100"`},
		problems: []string{"unknownSku@1"}},
	{name: "SKU of a hundred thousand characters",
		change:   []string{`lines.0.productExternalId=null`, `lines.0.sku="` + strings.Repeat("K", 100_000) + `"`},
		problems: []string{"unknownSku@1"}},
	{name: "customer of a hundred thousand characters",
		change: []string{`customer={"id":1,"name":"` + strings.Repeat("ß", 50_000) + `","email":"` +
			strings.Repeat("é", 50_000) + `"}`}, problems: []string{"customerUnknown"}},
	{name: "ids of a hundred thousand characters",
		change: []string{`customer.externalId="` + strings.Repeat("c", 100_000) + `"`,
			`lines.0.productExternalId="` + strings.Repeat("p", 100_000) + `"`, `lines.0.sku=null`},
		problems: []string{"customerUnknown", "unknownSku@1"}},
	{name: "ids that are paths", change: []string{`customer.externalId="../../me?x=1#y"`,
		`lines.0.productExternalId="' or 1=1 --"`, `lines.0.sku=null`},
		problems: []string{"customerUnknown", "unknownSku@1"}},
	{name: "five thousand levels", change: []string{`deep=` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000)}},
	{name: "names twice", raw: []string{`"currency":"NZD"`, `"currency":"AUD","currency":"NZD"`, `"id":120001,`,
		`"id":1,"ID":2,"id":120001,`}},
	{name: "names twice, the last counts", raw: []string{`"currency":"NZD"`, `"currency":"NZD","Currency":"AUD"`},
		problems: []string{"currency"}},
	{name: "white space", raw: []string{`{`, "{\n\t\r "}},
}

func TestBadInputOrders(t *testing.T) {
	b := prepare(t)
	for _, c := range badOrders {
		t.Run(c.name, func(t *testing.T) {
			inWorld(t, b, func(t *testing.T, w *world, s *sender) {
				id, doc := s.order(twoLines)
				doc = edited(t, doc, c.change...)
				doc = strings.NewReplacer(c.raw...).Replace(doc)
				s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
				w.settle(id, horizon)
				r := w.run(id)
				if r == nil {
					t.Fatal("nothing is written down")
				}
				text := strings.Join(r.Said, "\n")
				if c.loose {
					s.sold(r.ID, doc)
				} else if c.problems == nil {
					s.right(r.ID, doc)
				} else {
					if r.State != ledger.Attention || !slices.Equal(codesOf(r), c.problems) {
						t.Errorf("%s %v, want %v: %+v", r.State, codesOf(r), c.problems, r.Problems)
					}
					if sales := w.simCore.Sales(w.acc.Cin7Core.AccountID); len(sales) > 0 {
						t.Errorf("something was sent: %+v", sales)
					}
				}
				for _, pr := range r.Problems {
					if pr.Code == "" || pr.Message == "" || pr.Fix == "" ||
						strings.ContainsAny(pr.Message, "\x00\u202e\n") {
						t.Errorf("no problem to show: %+v", pr)
					}
					text += "\n" + pr.Message
				}
				if !strings.Contains(text, c.says) {
					t.Errorf("nothing says %q in %q", c.says, text)
				}
				s.calm(r.ID, 7, 2)
			})
		})
	}
}

// codesOf are the problems' codes with their lines, sorted.
func codesOf(r *order.Order) []string {
	var codes []string
	for _, p := range r.Problems {
		if p.Line > 0 {
			p.Code += "@" + strconv.Itoa(p.Line)
		}
		codes = append(codes, p.Code)
	}
	slices.Sort(codes)
	return codes
}

// TestBadInputWithoutID delivers approved orders that cannot be told apart by
// their id: each is on record once, and needs attention.
func TestBadInputWithoutID(t *testing.T) {
	b := prepare(t)
	for _, order := range []string{`"hello"`, `7`, `true`, `[]`, `[{"id":120001}]`, `{}`, `{"id":null}`, `{"id":""}`,
		`{"id":0}`, `{"id":-7}`, `{"id":"x"}`, `{"id":{}}`, `{"id":1.5}`, `{"id":1e30}`,
		`{"id":9223372036854775808}`, `{"id":99999999999999999999}`, `{"id":1e999999999}`,
		`{"ID":{"id":1},"orderNumber":"\u0000","customer":{"name":"\ud800"}}`} {
		t.Run(order, func(t *testing.T) {
			inWorld(t, b, func(t *testing.T, w *world, s *sender) {
				body := s.event(upstock.OrderApproved, order)
				s.must(http.StatusAccepted, s.request(body))
				s.must(http.StatusAccepted, s.request(body)) // Upstock has not heard our answer
				s.onlyAttention("noOrderId", body)
				s.must(http.StatusAccepted, s.request(s.event(upstock.OrderCancelled, order)))
			})
		})
	}
	for _, eventID := range []string{strings.Repeat("🫖", 256), strings.Repeat("x", 5000), `#/%00 \u202e\u0000`,
		`\ud800`, "..", strings.Repeat("#", 300)} {
		t.Run(fmt.Sprintf("%.20q", eventID), func(t *testing.T) {
			inWorld(t, b, func(t *testing.T, w *world, s *sender) {
				body := bytes.Replace(s.event(upstock.OrderApproved, `{}`), []byte("evt_1"), []byte(eventID), 1)
				s.must(http.StatusAccepted, s.request(body))
				s.onlyAttention("noOrderId", body)
			})
		})
	}
}

// onlyAttention wants one order on record, that needs attention for this reason, its body as it came.
func (s *sender) onlyAttention(code string, body []byte) {
	w := s.w
	w.t.Helper()
	ctx := context.Background()
	l := order.NewBook(ledger.New(w.store))
	runs, _, err := l.Runs(ctx, w.tenant, "", 10)
	if err != nil || len(runs) != 1 {
		w.t.Fatalf("%d orders on record, %v", len(runs), err)
	}
	r := runs[0]
	if r.State != ledger.Attention || len(r.Problems) != 1 || r.Problems[0].Code != code || r.Problems[0].Fix == "" {
		w.t.Errorf("%s: %+v", r.State, r.Problems)
	}
	_, kept, _, err := l.Load(ctx, w.tenant, r.ID)
	if err != nil || !bytes.Equal(kept, body) {
		w.t.Errorf("%d of %d bytes are kept: %v", len(kept), len(body), err)
	}
	n := 0
	if err := l.NeedAttention(ctx, w.tenant, func(ref ledger.Ref) bool { n++; return true }); err != nil || n != 1 {
		w.t.Errorf("%d orders are listed as needing attention, %v", n, err)
	}
	s.calm(r.ID, 0, 0)
}

// TestBadInputGreatestID sells an order whose id is as large as ids get, which Upstock then does not know.
func TestBadInputGreatestID(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		_, doc := s.order(twoLines)
		doc = edited(t, doc, "id=9223372036854775807")
		s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
		time.Sleep(time.Minute)
		s.right("9223372036854775807", doc)
		s.calm("9223372036854775807", 3, 1)
	})
}

// TestBadInputAllAtOnce: everything that is wrong with an order is said at once.
func TestBadInputAllAtOnce(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		settings := sale.DefaultSettings()
		settings.Location, settings.DefaultSalesRep = "Moon Base", "Nobody"
		if err := saveSettings(w.process("console").app.Tenants, w.tenant, &settings); err != nil {
			t.Fatal(err)
		}
		id, doc := s.order(`{"customer":{"name":"Ponsonby Deli Collective"},"currency":"AUD","freight":{"description":"Van","amount":"9.00","taxRate":"15"},"lines":[
			{"sku":"NO-SUCH","quantity":"1"},{"sku":"CHC-55","quantity":"1"},{"sku":"DSP-STD","quantity":"0.5"},{"sku":"KWK-100","quantity":"1.23456","unitPrice":"-1","taxRate":"7"},{"sku":"FREIGHT","quantity":"1"}]}`)
		s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
		w.settle(id, horizon)
		r := w.run(id)
		got := codesOf(r)
		want := []string{"creditHold", "currency", "freightProduct", "location", "price@4", "productDeprecated@2",
			"productNotSellable@3", "productService@5", "quantity@3", "quantity@4", "salesRep", "taxRuleUnknown@4",
			"unknownSku@1"}
		if !slices.Equal(got, want) || r.State != ledger.Attention {
			t.Errorf("%s\n%v, want\n%v", r.State, got, want)
		}
		s.calm(r.ID, 15, 1)
	})
}

// sells delivers an approved order, which is sold as it is, without more ado.
func (s *sender) sells(id int, doc string) {
	s.w.t.Helper()
	s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
	s.w.settle(id, horizon)
	s.right(strconv.Itoa(id), doc)
	s.calm(strconv.Itoa(id), 3, 1)
}

// TestBadInputSize: what is large is sold, or refused once and for all.
func TestBadInputSize(t *testing.T) {
	testsize.Large(t)
	t.Parallel()
	b := prepare(t)
	manyLines := func(n int, line string) string {
		var l strings.Builder
		for i := range n {
			if i > 0 {
				l.WriteByte(',')
			}
			fmt.Fprintf(&l, line, i+1, i)
		}
		return "lines=[" + l.String() + "]"
	}
	const many = 5000
	t.Run("5,000 lines", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			doc = edited(t, doc, `totals=null`,
				manyLines(many, `{"id":%d,"sku":"KWK-100","quantity":"3","unitPrice":"1.%04d","taxRate":"15.00","comment":"for the shop"}`))
			s.sells(id, doc)
		})
	})
	t.Run("5,000 lines with something to say of each", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			o, _ := upstock.ParseOrder(json.RawMessage(doc))
			doc = edited(t, doc, `totals=null`,
				manyLines(many, `{"id":%d,"productExternalId":"`+o.Lines[0].ProductExternalID+
					`","sku":"ANOTHER-SKU-OF-THIS-PRODUCT-%d","quantity":"3","unitPrice":"1.00","taxRate":"15.00"}`))
			s.sells(id, doc)
		})
	})
	t.Run("500 unknown products", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			_, lines, _ := strings.Cut(manyLines(500,
				`{"id":%d,"sku":"%d`+strings.Repeat("<", 100)+`","quantity":"3","unitPrice":"1","taxRate":"15.00"}`),
				"=")
			id, doc := s.order(`{"lines":` + lines + `}`)
			s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
			w.settle(id, horizon)
			r := w.run(id)
			if n := len(r.Problems); r.State != ledger.Attention || n > 300 || r.Problems[0].Code != "unknownSku" ||
				r.Problems[n-1].Code != "more" {
				t.Errorf("%s, %d problems", r.State, n)
			}
			s.calm(r.ID, 25, 2)
			for range 3 { // by a person: what is on record does not outgrow its item
				if err := w.process("console").app.Pair.Retry(context.Background(), w.tenant, r.ID,
					upstockcin7.RetryOptions{}); err != nil {
					t.Fatal(err)
				}
				w.settle(id, horizon)
				if again := w.run(id); again.State != ledger.Attention || again.Attempts > r.Attempts+3 ||
					len(again.Problems) != len(r.Problems) {
					t.Errorf("%s after %d attempts: %s", again.State, again.Attempts, again.Why)
				}
				r = w.run(id)
			}
		})
	})
	t.Run("4 MiB of lines", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			var lines strings.Builder
			for rng := rand.New(rand.NewPCG(3, 4)); lines.Len() < 4_000_000; {
				fmt.Fprintf(&lines, `,{"id":1,"sku":"KWK-100","quantity":"1","unitPrice":"1","taxRate":"15","comment":"%064x%064x%064x"}`, rng.Uint64(), rng.Uint64(), rng.Uint64())
			}
			doc = edited(t, doc, `totals=null`, `lines=[`+lines.String()[1:]+`]`)
			s.sells(id, doc)
		})
	})
	t.Run("800,000 lines of nothing", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			doc = edited(t, doc, "lines=["+strings.Repeat("null,", 800_000)+"{}]")
			s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
			w.settle(id, horizon)
			if r := w.run(id); r.State != ledger.Attention || len(r.Problems) > 300 ||
				r.Problems[0].Code != "tooLarge" {
				t.Errorf("%s, %d problems: %+v", r.State, len(r.Problems), r.Problems[0])
			}
			s.calm(strconv.Itoa(id), 3, 2)
		})
	})
	t.Run("4 MiB and a byte", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			body := s.event(upstock.OrderApproved, edited(t, doc, `note="@"`))
			pad := func(size int) []byte {
				return bytes.Replace(body, []byte("@"), bytes.Repeat([]byte("x"), size-len(body)+1), 1)
			}
			before, _ := s.events("webhookRefused")
			s.must(http.StatusRequestEntityTooLarge, s.request(pad(4<<20+1)))
			if n, text := s.events("webhookRefused"); n != before+1 || !strings.Contains(text, "4 MiB") ||
				w.run(id) != nil {
				t.Errorf("%d events, %q", n, text)
			}
			whole := pad(4 << 20)
			s.must(http.StatusAccepted, s.request(whole))
			w.settle(id, horizon)
			s.right(strconv.Itoa(id), doc)
			if _, kept, _, err := order.NewBook(ledger.New(w.store)).Load(context.Background(), w.tenant,
				strconv.Itoa(id)); err != nil || !bytes.Equal(kept, whole) {
				t.Errorf("%d bytes are kept, %v", len(kept), err)
			}
			s.calm(strconv.Itoa(id), 3, 1)
		})
	})
	for name, letters := range map[string]string{
		"letters": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", "bytes": "",
	} {
		t.Run("3.9 MiB of random "+name, func(t *testing.T) {
			inWorld(t, b, func(t *testing.T, w *world, s *sender) {
				id, doc := s.order(twoLines)
				body := s.event(upstock.OrderApproved, edited(t, doc, `note="@"`))
				noise := make([]byte, 3_900<<10)
				rng := rand.New(rand.NewPCG(1, 2))
				for i := range noise {
					if noise[i] = byte(rng.Uint32()); letters != "" {
						noise[i] = letters[noise[i]%64]
					} else if noise[i] < ' ' || noise[i] == '"' || noise[i] == '\\' {
						noise[i] = 0xe9 // no UTF-8, as nobody promised
					}
				}
				body = bytes.Replace(body, []byte("@"), noise, 1)
				before, _ := s.events("webhookRefused")
				switch status, detail := s.post(s.request(body)); status {
				case http.StatusAccepted:
					w.settle(id, horizon)
					s.right(strconv.Itoa(id), doc)
					if _, kept, _, err := order.NewBook(ledger.New(w.store)).Load(context.Background(), w.tenant,
						strconv.Itoa(id)); err != nil || !bytes.Equal(kept, body) {
						t.Errorf("%d bytes are kept, %v", len(kept), err)
					}
					s.calm(strconv.Itoa(id), 3, 1)
				case http.StatusRequestEntityTooLarge:
					if n, text := s.events("webhookRefused"); n != before+1 || !strings.Contains(text, "large") {
						t.Errorf("%d events, %q", n, text)
					}
				default:
					t.Errorf("answer %d (%s)", status, detail)
				}
			})
		})
	}
}

// TestBadInputRefused: what is no delivery of Upstock's is refused, and under a
// known address the tenant hears of it, once a minute.
func TestBadInputRefused(t *testing.T) {
	b := prepare(t)
	inWorld(t, b, func(t *testing.T, w *world, s *sender) {
		id, doc := s.order(twoLines)
		good := s.event(upstock.OrderApproved, doc)
		const hooks = "https://hooks.example.test/webhooks/upstock/"
		other := tenant.Secret("whsec_b3RoZXIgc2VjcmV0IG9mIHNvbWVib2R5")
		for _, c := range []struct {
			name   string
			status int
			events int
			body   []byte // nil = a good one
			early  time.Duration
			secret tenant.Secret // "" = the right one
			header string        // name: value; without a value it is left out
			method string
			url    string
		}{
			{name: "GET", status: 405, method: http.MethodGet},
			{name: "PUT", status: 405, method: http.MethodPut},
			{name: "no signature", status: 401, events: 1, header: "webhook-signature"},
			{name: "no time", status: 401, events: 1, header: "webhook-timestamp"},
			{name: "no id", status: 401, events: 1, header: "webhook-id"},
			{name: "another id", status: 401, events: 1, header: "webhook-id: msg_other"},
			{name: "another time", status: 401, events: 1,
				header: "webhook-timestamp: " + strconv.FormatInt(time.Now().Unix()+1, 10)},
			{name: "a time of words", status: 401, events: 1, header: "webhook-timestamp: noon"},
			{name: "a time beyond time", status: 401, events: 1, header: "webhook-timestamp: 99999999999999999999"},
			{name: "rubbish", status: 401, events: 1, header: "webhook-signature: v1 v1, ,v1 v1,,, v2,abc \x00"},
			{name: "a long signature", status: 401, events: 1,
				header: "webhook-signature: " + strings.Repeat("v1,abc ", 10_000)},
			{name: "another secret", status: 401, events: 1, secret: other},
			{name: "6 minutes old", status: 401, events: 1, early: -6 * time.Minute},
			{name: "6 minutes early", status: 401, events: 1, early: 6 * time.Minute},
			{name: "cut off", status: 400, events: 1, body: good[:len(good)/2]},
			{name: "nothing", status: 400, events: 1, body: []byte{}},
			{name: "no event", status: 400, events: 1, body: []byte(`[]`)},
			{name: "two", status: 400, events: 1, body: bytes.Repeat(good, 2)},
			{name: "no order", status: 400, events: 1, body: s.event(upstock.OrderApproved, "null")},
			{name: "a hundred thousand levels", status: 400, events: 1,
				body: s.event(upstock.OrderApproved, strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000))},
			{name: "nobody's address", status: 404, url: hooks + "abcdefghijklmnopqrstuvwxyz234567"},
			{name: "a long address", status: 404, url: hooks + strings.Repeat("a", 8000)},
			{name: "an odd address", status: 404, url: hooks + "%00%FF%2F..%E2%80%AE"},
		} {
			if c.body == nil {
				c.body = good
			}
			if c.secret == "" {
				c.secret = s.secret
			}
			req := s.signed(c.body, "msg", time.Now().Add(c.early), c.secret)
			if name, value, ok := strings.Cut(c.header, ": "); ok {
				req.Header.Set(name, value)
			} else if name != "" {
				req.Header.Del(name)
			}
			if c.method != "" {
				req.Method = c.method
			}
			if c.url != "" {
				to := httptest.NewRequest(http.MethodPost, c.url, bytes.NewReader(c.body))
				to.Header, req = req.Header, to
			}
			before, _ := s.events("webhookRefused")
			status, detail := s.post(req)
			after, text := s.events("webhookRefused")
			if status != c.status || after-before != c.events ||
				c.events > 0 && !strings.Contains(text, strconv.Itoa(status)) {
				t.Errorf("%s: %d (%s), %d events, the last %q", c.name, status, detail, after-before, text)
			}
			if strings.Contains(detail+text, string(s.secret)) {
				t.Errorf("%s: the secret is told", c.name)
			}
			time.Sleep(time.Minute)
		}
		if w.run(id) != nil {
			t.Error("an order came of it")
		}
		before, _ := s.events("webhookRefused")
		for range 50 {
			s.must(http.StatusUnauthorized, s.signed(good, "msg", time.Now(), other))
		}
		if after, _ := s.events("webhookRefused"); after-before != 1 {
			t.Errorf("%d events of 50 refusals in a minute", after-before)
		}
		// The address still works.
		s.must(http.StatusAccepted, s.request(good))
		w.settle(id, horizon)
		s.right(strconv.Itoa(id), doc)
	})
}

// TestBadInputSignatures: of several signatures one must fit; while a secret
// rotates both fit, and a day later only the new one.
func TestBadInputSignatures(t *testing.T) {
	b := prepare(t)
	inWorld(t, b, func(t *testing.T, w *world, s *sender) {
		ping := fmt.Appendf(nil, `{"id":"evt","type":"ping","occurredAt":"2026-03-30T21:15:00Z","supplierId":%d,"data":{}}`, w.acc.Upstock.Supplier)
		now := time.Now()
		one, two, other := s.secret, tenant.Secret("whsec_bmV3IHNlY3JldCBvZiB0aGUgc2FtZSBwbGFjZQ=="),
			tenant.Secret("whsec_b3RoZXIgc2VjcmV0IG9mIHNvbWVib2R5")
		before, _ := s.events("ping")
		s.must(202, s.signed(ping, "msg", now, other, one))
		s.must(202, s.signed(ping, "msg", now.Add(-4*time.Minute), one))
		s.must(202, s.signed(ping, "msg", now.Add(4*time.Minute), one))
		odd := s.signed(ping, "msg", now, one)
		odd.Header.Set("webhook-signature", " v0,x v1,"+"zzzz  "+odd.Header.Get("webhook-signature")+" v1")
		s.must(202, odd)
		if after, text := s.events("ping"); after != before+1 {
			t.Errorf("%d pings are said in a minute: %s", after-before, text)
		}
		s.must(401, s.signed(ping, "msg", now, two))
		s.connect(two)
		s.must(202, s.signed(ping, "msg", now, two))
		s.must(202, s.signed(ping, "msg", now, one))
		s.must(202, s.signed(ping, "msg", now, two, one))
		time.Sleep(24*time.Hour - time.Second)
		s.must(202, s.signed(ping, "msg", time.Now(), one))
		time.Sleep(time.Second)
		s.must(401, s.signed(ping, "msg", time.Now(), one))
		s.must(202, s.signed(ping, "msg", time.Now(), one, two))
		s.must(202, s.signed(ping, "msg", time.Now(), two))

		if err := w.vendorTable().Disconnect(context.Background(), w.tenant, tenant.Upstock); err != nil {
			t.Fatal(err)
		}
		before, _ = s.events("webhookRefused")
		s.must(404, s.signed(ping, "msg", time.Now(), two))
		if after, _ := s.events("webhookRefused"); after != before {
			t.Error("a forgotten address still writes events")
		}
	})
}

// TestBadInputEvents: what is no order of ours is said and ignored.
func TestBadInputEvents(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		_, doc := s.order(twoLines)
		for _, c := range []struct{ event, kind, says string }{
			{`{"id":"e","type":"ping","supplierId":1}`, "ping", "reached"},
			{`{"id":"e","type":"customer.matched","supplierId":1,"data":{"customer":{}}}`, "unknownEvent",
				"customer.matched"},
			{`{"id":"e","type":"order.exploded","supplierId":1,"data":{"order":` + doc + `}}`, "unknownEvent",
				"order.exploded"},
			{`{"id":"e","type":"` + strings.Repeat("z", 10_000) + `","supplierId":1}`, "unknownEvent", "…"},
			{`{"id":"e","type":"\u202e\u0000","supplierId":1}`, "unknownEvent", ""},
			{`{"id":"e","type":"order.approved","supplierId":2,"data":{"order":` + doc + `}}`, "otherSupplier",
				"supplier 2"},
			{`{"id":"e","type":"order.approved","supplierId":-1,"data":{"order":` + doc + `}}`, "otherSupplier",
				"supplier -1"},
			{`{"id":"e","type":"order.cancelled","supplierId":1,"data":{"order":"x"}}`, "noOrderId", "cancellation"},
		} {
			before, _ := s.events(c.kind)
			s.must(http.StatusAccepted, s.request([]byte(c.event)))
			if after, text := s.events(c.kind); after != before+1 || !strings.Contains(text, c.says) ||
				len(text) > 1000 || strings.ContainsAny(text, "\x00\u202e") {
				t.Errorf("%.60s: %d events of kind %s, the last %q", c.event, after-before, c.kind, text)
			}
			time.Sleep(time.Minute)
		}
		if runs, _, err := order.NewBook(ledger.New(w.store)).Runs(context.Background(), w.tenant, "",
			10); len(runs) > 0 || err != nil {
			t.Errorf("%d orders came of it, %v", len(runs), err)
		}
	})
}

// TestBadInputTwice: an order delivered over and over, in both orders of its
// events, is sold once, or not at all.
func TestBadInputTwice(t *testing.T) {
	b := prepare(t)
	t.Run("approved", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			for range 5 {
				s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
			}
			w.settle(id, horizon)
			s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved,
				edited(t, doc, `lines.0.quantity="99"`))))
			s.right(strconv.Itoa(id), doc)
			s.calm(strconv.Itoa(id), 3, 1)
		})
	})
	t.Run("cancelled first", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			s.must(http.StatusAccepted, s.request(s.event(upstock.OrderCancelled, doc)))
			s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
			w.settle(id, horizon)
			if r := w.run(id); r.State != order.Cancelled {
				t.Errorf("the order is %s", r.State)
			}
			s.calm(strconv.Itoa(id), 0, 0)
		})
	})
}

// downTable is a store that does not answer reads.
type downTable struct{ table.Table }

var errDown = errors.New("the store does not answer")

func (downTable) Get(context.Context, ...table.Key) ([]table.Item, error) { return nil, errDown }

// TestBadInputStoreDown: while the store is down nothing is taken in, and
// Upstock's own retry brings it later.
func TestBadInputStoreDown(t *testing.T) {
	b := prepare(t)
	inWorld(t, b, func(t *testing.T, w *world, s *sender) {
		_, doc := s.order(twoLines)
		rec := httptest.NewRecorder()
		app.New(app.Deps{Table: downTable{w.store}, Sealer: w.box}).Webhook().ServeHTTP(rec,
			s.request(s.event(upstock.OrderApproved, doc)))
		if rec.Code != http.StatusServiceUnavailable {
			t.Errorf("answer %d %s", rec.Code, rec.Body)
		}
	})
	bubble(t, func() {
		w := newWorld(t, b, filepath.Join(t.TempDir(), "down.db"))
		defer w.close()
		w.register()
		w.on = map[string]map[int]fault{"write T#" + b.tenant +
			"#order": {1: before, 2: before, 3: before, 4: before, 5: after, 6: before}}
		id := w.approve("")
		synctest.Wait()
		if w.run(id) != nil {
			t.Error("it is written down")
		}
		w.settle(id, horizon)
		if v := w.verdict(id); v != "" {
			t.Error(v)
		}
		time.Sleep(10 * time.Minute)
		list := w.simUpstock.Deliveries(w.acc.Upstock.Supplier)
		if d := list[len(list)-1]; d.State != "delivered" || d.Attempts != 3 || d.Status != http.StatusAccepted {
			t.Errorf("%+v", d)
		}
		(&sender{w: w}).calm(strconv.Itoa(id), 10, 2)
	})
}
