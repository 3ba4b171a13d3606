package console

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	"stockbridge/internal/upstockcin7/order"
)

// polls has tenants look for what changed in Cin7 Core, and for orders in Upstock.
func (h *house) polls(ids ...string) {
	h.t.Helper()
	for _, id := range ids {
		for _, name := range []string{upstockcin7.JobShipments, upstockcin7.JobReconcile} {
			if err := h.jobs.Do(h.t.Context(), job.Message{Job: name, Tenant: id}); err != nil {
				h.t.Fatal(err)
			}
		}
	}
}

// fault makes calls to Cin7 Core go wrong.
func (h *house) fault(f sim.Fault) {
	h.t.Helper()
	if err := h.sim.Fault(sim.Cin7Core, f); err != nil {
		h.t.Fatal(err)
	}
}

// rowsPattern finds the tenants of the operator's page, and their states.
var rowsPattern = regexp.MustCompile(
	`<tr><th scope="row"><a href="/t/([^"]+)">[^\n]*</th>\n<td><span class="state[^>]*>([^<]*)</span>`)

// troubles are the tenants of a page of the operator's health, as trouble and name.
func troubles(a answer) (list []string) {
	for _, it := range elements(a.get("tenants.items")) {
		list = append(list, fmt.Sprint(object(it)["trouble"], " ", object(it)["name"]))
	}
	return list
}

// vendors are the states of the vendors of the operator's health.
func vendors(a answer) string {
	var list []string
	for _, v := range elements(a.get("vendors"))[:2] { // no tenant has to do with the others
		list = append(list, fmt.Sprint(object(v)["system"], " ", object(v)["state"]))
	}
	return strings.Join(list, ", ")
}

// TestOperatorHealth: what is wrong stands first, and goes when it is mended.
func TestOperatorHealth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		health := func() answer { t.Helper(); return h.do("GET", "/api/v1/health", operator, nil).is(200) }
		if a := health(); vendors(a) != "upstock unknown, cin7core unknown" || len(troubles(a)) != 0 {
			t.Errorf("of nobody: %s", a.raw)
		}
		_, well, _, token := h.supplier("Aroha Foods")
		keyAcc, key, keyPath, keyToken := h.supplier("Bay Bakery")
		needyAcc, _, needyPath, needyToken := h.supplier("Coast Coffee")
		stuckAcc, stuck, _, _ := h.supplier("Dale Dairy")
		h.tenant("Elm Eggs") // connects nothing yet
		h.polls(well, key, stuck)
		if a := health(); vendors(a) != "upstock up, cin7core up" || len(troubles(a)) != 0 {
			t.Errorf("all is well: %s", a.raw)
		}

		b, err := h.tenants.Load(t.Context(), key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.tenants.Broken(t.Context(), key, tenant.Cin7Core, b.Connections[tenant.Cin7Core].Generation,
			tenant.Cin7Core.KeyRefused()); err != nil {
			t.Fatal(err)
		}
		needy := h.approve(needyAcc, needyPath, unknownProduct)
		h.fault(sim.Fault{Match: "GET /saleList", Kind: "html", Times: 1, Account: stuckAcc.Cin7Core.AccountID})
		time.Sleep(time.Minute)
		h.polls(well, stuck)
		a := health()
		if got := troubles(a); !slices.Equal(got, []string{"reconnect Bay Bakery", "attention Coast Coffee",
			"stopped Dale Dairy"}) {
			t.Errorf("in trouble: %v in %s", got, a.raw)
		}
		for at, want := range map[string]string{"tenants.items.0.why.0": "needs reconnecting",
			"tenants.items.1.why.0": "1 order needs a person", "tenants.items.2.why.0": "no usable answer",
			"reconnect.items.0.why": "refused the key", "reconnect.items.0.tenant.name": "Bay Bakery",
			// Coast Coffee's list is not read yet
			"vendors.1.state": "degraded", "vendors.1.text": "Calls of 1 of the 3 tenants"} {
			if got := fmt.Sprint(a.get(at)); !strings.Contains(got, want) {
				t.Errorf("%s: %q, want %q", at, got, want)
			}
		}
		// A page at a time, each tenant once.
		var paged []string
		for after := ""; ; {
			a := h.do("GET", "/api/v1/health?limit=1&after="+url.QueryEscape(after), operator, nil).is(200)
			paged = append(paged, troubles(a)...)
			next, more := a.get("tenants.next").(string)
			if after = next; !more {
				break
			}
		}
		if !slices.Equal(paged, troubles(a)) {
			t.Errorf("page by page: %v", paged)
		}

		// Cin7 Core answers nobody, and then again.
		h.fault(sim.Fault{Match: "GET /saleList", Kind: "html", Times: 3})
		time.Sleep(11 * time.Minute)
		h.polls(well, stuck)
		if a := health(); vendors(a) != "upstock up, cin7core down" ||
			!strings.Contains(a.raw, "It does not answer the 2 tenants") {
			t.Errorf("down: %s", a.raw)
		}
		h.sim.ClearFaults(sim.Cin7Core)
		h.do("PUT", keyPath+"/connections/cin7core", keyToken, keyAcc.Cin7Core).is(200)
		h.do("PUT", needyPath+"/links/product/TEA-999", needyToken,
			map[string]string{"id": h.product(strings.TrimPrefix(needyPath, "/api/v1/tenants/"), "KWK-100")}).is(200)
		h.do("POST", needy+"/retry", needyToken, nil).is(202)
		time.Sleep(time.Minute)
		h.work()
		h.polls(well, key, stuck)
		if a := health(); vendors(a) != "upstock up, cin7core up" || len(troubles(a)) != 0 ||
			len(elements(a.get("reconnect.items"))) != 0 {
			t.Errorf("mended: %s", a.raw)
		}
		time.Sleep(time.Hour)
		if a := health(); vendors(a) != "upstock unknown, cin7core unknown" {
			t.Errorf("nobody called for an hour: %s", a.raw)
		}

		h.do("GET", "/api/v1/health", token, nil).is(403)
		h.do("GET", "/api/v1/health", "", nil).is(401)
	})
}

// TestOperatorLists: dead letters, throttled accounts, what is due, and what queues hold.
func TestOperatorLists(t *testing.T) {
	h := open(t)
	acc, id, _, _ := h.supplier("Aroha Foods")
	_, other, _ := h.tenant("Bay Bakery")
	_, other, _ = strings.Cut(other, "/tenants/")
	row, _ := h.vendors.Of(tenant.Cin7Core)
	limit.New(h.written.Table, "cin7core", acc.Cin7Core.AccountID, row.Budget, limit.First).
		Throttled(t.Context(), time.Minute)
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "7", State: ledger.Received,
		Received: time.Now().Add(-time.Hour)}, Number: "UP-7"})
	for range 2 {
		if err := h.pair.DeadLetter(t.Context(), ledger.Pointer{Tenant: id, ID: "7"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Millisecond) // events of one are in no order
	}
	if err := h.jobs.Dead(t.Context(), job.Message{Job: upstockcin7.JobShipments, Tenant: other}); err != nil {
		t.Fatal(err)
	}
	h.run(order.Order{Run: ledger.Run{Tenant: other, ID: "8", State: ledger.Received,
		Received: time.Now().Add(-time.Minute)}})
	h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "9", State: ledger.Received,
		Received: time.Now().Add(-2 * time.Hour)}})
	a := h.do("GET", "/api/v1/health", operator, nil).is(200)
	for at, want := range map[string]string{
		"deadLetters.items.0.tenant.name": "Bay Bakery", "deadLetters.items.0.text": "The job “shipments” broke off",
		"deadLetters.items.1.order": "7", "deadLetters.items.1.text": "2 in a row", "deadLetters.more": "false",
		"throttles.items.0.system": "cin7core", "throttles.items.0.tenants.0.name": "Aroha Foods",
		"throttles.items.0.times": "1", "queues.0.queue": "orders", "queues.0.messages.ready": "0",
		"queues.2.messages": "<nil>", "work.0.work": "sell", "work.0.due": "2", "work.0.order": "9",
		"work.0.tenant.name": "Aroha Foods", "work.1.work": "retry", "work.1.due": "0", "work.1.tenant": "<nil>",
	} {
		if got := fmt.Sprint(a.get(at)); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", at, got, want)
		}
	}
	page := h.signIn("Olga", signin.Operator).get("/operator")
	checkPage(t, "/operator", page)
	has(t, page.Body.String(), "broke off", "throttled 1 time in a row", `/orders/9">order 9</a>`,
		"This cannot be told just now", "Nobody has called it lately")
	limiter := limit.New(h.written.Table, "cin7core", acc.Cin7Core.AccountID, row.Budget, limit.First,
		limit.Now(func() time.Time { return time.Now().Add(2 * time.Minute) }))
	if _, err := limiter.Take(t.Context()); err != nil {
		t.Fatal(err)
	}
	limiter.Answered(t.Context())
	if a := h.do("GET", "/api/v1/health", operator, nil); len(elements(a.get("throttles.items"))) != 0 {
		t.Errorf("an account that is called again: %s", a.raw)
	}
}

// counting counts what is read of a table: items and entries.
type counting struct {
	table.Table
	read, requests atomic.Int64
}

func (c *counting) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	c.came(len(keys))
	return c.Table.Get(ctx, keys...)
}

func (c *counting) Query(ctx context.Context, q table.Query) (table.Page, error) {
	p, err := c.Table.Query(ctx, q)
	c.came(len(p.Items))
	return p, err
}

func (c *counting) List(ctx context.Context, q table.Query) (table.Entries, error) {
	p, err := c.Table.List(ctx, q)
	c.came(len(p.Entries))
	return p, err
}

func (c *counting) came(n int) {
	c.requests.Add(1)
	c.read.Add(int64(n))
}

// TestOperatorIsBounded: what a page or the health of all reads does not grow with the tenants there are.
func TestOperatorIsBounded(t *testing.T) {
	h := open(t)
	c := &counting{Table: h.written.Table}
	h.written.Table = c
	olga := h.signIn("Olga", signin.Operator)
	more := func(n int) {
		t.Helper()
		for i := range n {
			tn, _, err := h.tenants.Create(t.Context(), fmt.Sprintf("Tenant %d of many", i), "")
			if err != nil {
				t.Fatal(err)
			}
			if i%3 == 0 {
				h.run(order.Order{Run: ledger.Run{Tenant: tn.ID, ID: "7", State: ledger.Attention}})
			}
		}
	}
	reads := func(address string) int64 {
		t.Helper()
		before := c.read.Load()
		if strings.HasPrefix(address, "/api/") {
			h.do("GET", address, operator, nil).is(200)
		} else if w := olga.get(address); w.Code != 200 {
			t.Fatalf("%s: %d", address, w.Code)
		} else {
			checkPage(t, address, w)
		}
		return c.read.Load() - before
	}
	more(400)
	addresses := []string{"/api/v1/health", "/operator", "/operator?q=many", "/operator?q=399"}
	few := map[string]int64{}
	for _, at := range addresses {
		few[at] = reads(at)
	}
	more(1200)
	for _, at := range addresses {
		if many := reads(at); many > few[at]+few[at]/5+20 || many > 2500 {
			t.Errorf("%s reads %d with 400 tenants, and %d with 1600", at, few[at], many)
		}
	}
}

// TestOperatorPage: all tenants by pages, each once, what is wrong first; searched by words of their names; and 403 for
// everybody else.
func TestOperatorPage(t *testing.T) {
	h := open(t)
	olga := h.signIn("Olga", signin.Operator)
	has(t, olga.get("/operator").Body.String(), "There are no tenants yet", "Make a tenant",
		"Whether vendors answer is not known")
	ids := map[string]string{}
	for n := range 120 {
		name := fmt.Sprintf("Tenant %03d", n)
		id, _, _ := h.tenant(name)
		ids[id] = name
		if n%10 == 5 {
			h.run(order.Order{Run: ledger.Run{Tenant: id, ID: "7", State: ledger.Attention}})
		}
	}
	ngaio, _, _ := h.tenant("Ngāio & <b>Söhne</b>")
	ids[ngaio] = "Ngāio"
	if to := olga.get("/").Header().Get("Location"); to != "/operator" {
		t.Errorf("the front page leads to %s", to)
	}
	if to := olga.get("/tenants").Header().Get("Location"); to != "/operator" {
		t.Errorf("the list of tenants leads to %s", to)
	}
	has(t, olga.get("/operator").Body.String(), "12 tenants need somebody", "1 order needs a person")
	var seen []string
	for address, n := "/operator", 0; address != ""; n++ {
		w := olga.get(address)
		checkPage(t, address, w)
		body := w.Body.String()
		for _, m := range rowsPattern.FindAllStringSubmatch(body, -1) {
			seen = append(seen, m[1]+" "+m[2])
		}
		if address = ""; strings.Contains(body, `rel="next"`) {
			address = html.UnescapeString(between(body, `<a class="button" href="`, `"`))
		}
		if n > 20 {
			t.Fatal("the pages do not end")
		}
	}
	once := map[string]bool{}
	for i, s := range seen {
		id, state, _ := strings.Cut(s, " ")
		if once[id] || ids[id] == "" || (state == "Needs a person") != (i < 12) {
			t.Errorf("row %d: %s", i, s)
		}
		once[id] = true
	}
	if len(once) != len(ids) {
		t.Errorf("%d tenants of %d", len(once), len(ids))
	}
	for query, want := range map[string]int{"ngaio": 1, "SÖHNE": 1, "sohn ngā": 1, "tenant": 50, "ten 007": 1,
		"ten nobody": 0, ngaio: 1, hostile: 0, "%": 0, "#": 0} {
		w := olga.get("/operator?q=" + url.QueryEscape(query))
		checkPage(t, query, w)
		if got := len(rowsPattern.FindAllString(w.Body.String(), -1)); got != want {
			t.Errorf("search %q: %d rows, want %d", query, got, want)
		}
	}
	for _, after := range []string{"x", "0.", "0.x", "1.x", "2.x#y", "3.x", "4." + ngaio, "9", hostile} {
		if w := olga.get("/operator?after=" + url.QueryEscape(after)); w.Code != 400 {
			t.Errorf("after %q: %d", after, w.Code)
		}
	}
	for who, want := range map[*visitor]int{h.signIn("Ana", signin.Admin, ngaio): 403,
		h.signIn("Viktor", signin.Viewer, ngaio): 403, {house: h}: 303} {
		if w := who.get("/operator"); w.Code != want || strings.Contains(w.Body.String(), "Tenant 00") {
			t.Errorf("%d, want %d", w.Code, want)
		}
		if w := who.post("/operator/tenants", url.Values{"name": {"X"}}); w.Code != want {
			t.Errorf("making one: %d, want %d", w.Code, want)
		}
	}
}

// TestMakeTenantOnPage: an operator makes a tenant, once, and sees its token once.
func TestMakeTenantOnPage(t *testing.T) {
	h := open(t)
	olga := h.signIn("Olga", signin.Operator)
	id := between(olga.get("/operator").Body.String(), `name="id" value="`, `"`)
	send := func(form url.Values, want int) string {
		t.Helper()
		w := olga.post("/operator/tenants", form)
		checkPage(t, "made", w)
		if w.Code != want {
			t.Fatalf("%d, want %d: %s", w.Code, want, w.Body)
		}
		return w.Body.String()
	}
	has(t, send(url.Values{"id": {id}, "timeZone": {"Pacific/Auckland"}}, 422), "Give the tenant a name")
	has(t, send(url.Values{"id": {id}, "name": {"Aroha " + hostile[:20]}, "timeZone": {"Mars"}}, 422),
		"not an IANA time zone", "Aroha &#34;&gt;")
	form := url.Values{"id": {id}, "name": {"Aroha Foods"}, "timeZone": {"Australia/Perth"}}
	body := send(form, 200)
	has(t, body, "The tenant “Aroha Foods” is made", "/t/"+id+"/settings/integrations")
	token := between(body, "<code>", "</code>")
	if a := h.do("GET", "/api/v1/tenants", token, nil).is(200); a.get("items.0.timeZone") != "Australia/Perth" {
		t.Error(a.raw)
	}
	if a := h.do("GET", "/api/v1/tenants/"+id+"/events", token, nil); !strings.Contains(a.raw, `"actor":"an operator (`) {
		t.Error(a.raw)
	}
	again := send(form, 409)
	has(t, again, "This form was sent before")
	hasNot(t, again, token)
	if a := h.do("GET", "/api/v1/tenants", operator, nil); len(elements(a.get("items"))) != 1 {
		t.Error(a.raw)
	}
	if w := olga.post("/operator/tenants", url.Values{"id": {"x"}, "name": {"X"}}); w.Code != http.StatusBadRequest {
		t.Errorf("%d", w.Code)
	}
	if to := olga.get("/").Header().Get("Location"); to != "/t/"+id {
		t.Errorf("the only tenant: %s", to)
	}
}

// TestOperatorOfBrand: a tenant that has to do with JOOR alone is set up once that is connected, and its jobs that do
// not get on are trouble as well.
func TestOperatorOfBrand(t *testing.T) {
	h := open(t)
	acc := h.sim.AddAccount("Kauri Apparel", "NZD")
	id, path, token := h.tenant("Kauri Apparel")
	olga := h.signIn("Olga", signin.Operator)
	page := func() string { return readable(olga.get("/operator?q=kauri")) }
	has(t, page(), "Not set up")
	h.do("PUT", path+"/connections/cin7omni", token, acc.Cin7Omni).is(200)
	h.do("PUT", path+"/connections/joor", token, acc.JOOR).is(200)
	hasNot(t, page(), "Not set up")
	c, err := h.ledger.Cursor(t.Context(), id, joorcin7.JobContacts)
	if err == nil {
		c.Stopped = ledger.Stopped{At: time.Now(), Since: time.Now(), By: tenant.Cin7Omni, How: ledger.NoAnswer,
			Why: "Cin7 Omni gave no usable answer (status 500)."}
		err = h.ledger.SaveCursor(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
	has(t, page(), "Does not get on", "Cin7 Omni gave no usable answer")
}
