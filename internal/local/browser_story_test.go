package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
)

// TestStory is a supplier's first days: both systems are connected, the demo's three orders come to their ends, what
// needs somebody is put right in place, by keyboard alone and without script, on a phone too; an order's goods are
// picked, packed and shipped in one press; settings are tried, taken back, and saved by two at once; a token is used
// and revoked; a system is disconnected and connected again; days whose orders were missed are said.
func TestStory(t *testing.T) {
	s := openStage(t)
	acc := s.begin()
	s.signInByKeyboard("Ana")
	s.connectBoth(acc)
	first, second := s.sellTwo(acc)
	s.shipped(acc, first)
	s.finishInOnePress(second)
	s.fixByKeyboard(acc)
	s.undoSettings()
	s.saveAtOnce()
	s.useToken()
	s.withoutScript(acc)
	s.reconnect(acc)
	s.missedDays()
	s.onPhone()
}

// begin makes an account at the simulated vendors, and a tenant that is connected to nothing, with its people.
func (s *stage) begin() sim.Account {
	s.t.Helper()
	acc, err := s.demo.account(s.ctx, demoName)
	var made struct{ ID string }
	if err == nil {
		in := map[string]string{"name": demoName, "timeZone": "Pacific/Auckland"}
		err = s.demo.api.call(s.ctx, http.MethodPost, "/api/v1/tenants", in, &made)
	}
	if s.tenant = made.ID; err == nil {
		err = s.demo.people(s.ctx, s.tenant)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return acc
}

// focused is what has the focus: its text or name, and whether that can be seen. No name: the browser itself, after the
// last of the page's.
type focused struct {
	Name string
	Seen bool
}

// focusOf tells what has the focus. It is seen where there is an outline around it, within the window.
const focusOf = `(() => {
	if (document.activeElement === document.body) return {Name: "", Seen: true}
	const at = document.activeElement, style = getComputedStyle(at), box = at.getBoundingClientRect()
	const name = (at.innerText || at.id || at.name || at.tagName).trim()
	const around = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2
	const within = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight
	return {Name: name, Seen: around && within}
})()`

// tabTo presses Tab until something whose text begins so has the focus, which is seen all the way.
func (s *stage) tabTo(begins string) {
	s.t.Helper()
	for range 80 {
		s.do(chromedp.KeyEvent(kb.Tab))
		at, err := chromedp.Run(s.ctx, chromedp.Evaluate[focused](focusOf))
		if err != nil {
			s.t.Fatal(err)
		}
		if !at.Seen {
			s.t.Errorf("%s: the focus is at %q and is not seen", s.address(), at.Name)
		}
		if strings.HasPrefix(at.Name, begins) {
			return
		}
	}
	s.t.Fatalf("%s: no Tab leads to %q: %s", s.address(), begins, s.text())
}

// key presses a key.
func (s *stage) key(key string) {
	s.t.Helper()
	s.do(chromedp.KeyEvent(key))
}

func (s *stage) signInByKeyboard(name string) {
	s.t.Helper()
	s.open("/", "Your orders")
	s.tabTo("Sign in")
	s.key(kb.Enter)
	s.heading("Who are you?")
	s.tabTo(name)
	s.key(kb.Enter)
	s.heading("Home")
	s.tabTo("Go to the content") // the first of all
	s.key(kb.Enter)
	s.tabTo("Connect") // and not the menu again
}

// connectBoth connects both systems, Cin7 Core with a wrong key first.
func (s *stage) connectBoth(acc sim.Account) {
	s.t.Helper()
	page := "/t/" + s.tenant + "/settings/integrations"
	s.open(page, "Integrations")
	core := func(key string) {
		s.t.Helper()
		s.fill("cin7core", "accountId", "  "+acc.Cin7Core.AccountID+" ")
		s.fill("cin7core", "applicationKey", key)
		s.press("button", "Connect Cin7 Core")
	}
	core("5f1c7a10-0d5b-4a51-9c2e-8b0f3f6a77d1")
	s.do(chromedp.WaitVisible(`//section[@id="cin7core"]//p[@role="alert"]`))
	s.look("connect-refused", "")
	core(" " + acc.Cin7Core.ApplicationKey + "\t")
	s.said("The key works and is saved")
	s.fill("upstock", "token", acc.Upstock.Token)
	s.press("button", "Connect Upstock")
	s.said("The key works and is saved")
	where, err := chromedp.Run(s.ctx, chromedp.Text(`//section[@id="upstock"]//code`))
	if err != nil {
		s.t.Fatal(err)
	}
	var hook struct{ Secret string }
	registration := map[string]any{"supplier": acc.Upstock.Supplier, "url": where}
	if err := s.demo.sim.call(s.ctx, http.MethodPost, "/sim/upstock/webhooks", registration, &hook); err != nil {
		s.t.Fatal(err)
	}
	s.fill("upstock", "webhookSecret", hook.Secret)
	s.do(chromedp.Evaluate[chromedp.Void](`document.querySelector("[role=status]").remove()`)) // of the key before
	s.press("button", "Save keys of Upstock")
	s.said("saved")
	if err := waitForMirror(s.ctx, s.demo.api, s.tenant); err != nil {
		s.t.Fatal(err)
	}
	s.open("/t/"+s.tenant, "Home")
	if text := s.text(); !strings.Contains(text, "Everything is in step") {
		s.t.Errorf("connected: %s", text)
	}
}

// fill types into a field of a system's form, in place of what stands there.
func (s *stage) fill(system, field, value string) {
	s.t.Helper()
	at := fmt.Sprintf("#%s input[name=%s]", system, field)
	s.do(chromedp.WaitVisible(chromedp.CSS(at)),
		chromedp.Evaluate[chromedp.Void](fmt.Sprintf("document.querySelector(%q).value = ''", at)),
		chromedp.SendKeys(chromedp.CSS(at), value))
}

// said waits for what a page says after an act.
func (s *stage) said(words string) {
	s.t.Helper()
	s.do(chromedp.WaitVisible(fmt.Sprintf(`//p[@role="status"][contains(., %q)]`, words)))
}

// placed places and approves an order, and tells its id.
func (s *stage) placed(acc sim.Account, fields string) int64 {
	s.t.Helper()
	id, err := place(s.ctx, s.demo.sim, acc.Upstock.Supplier, fields)
	if err != nil {
		s.t.Fatal(err)
	}
	return id
}

// await opens an order's page until it says something.
func (s *stage) await(id int64, words string) {
	s.t.Helper()
	s.waitUntil(fmt.Sprintf("order %d says %q", id, words), func() bool {
		s.do(chromedp.Navigate(s.base+fmt.Sprintf("/t/%s/orders/%d", s.tenant, id)),
			chromedp.WaitReady(chromedp.CSS("h1")))
		return strings.Contains(s.text(), words)
	})
}

// sellTwo has two orders sold: an ordinary one, and one whose sale Cin7 Core makes without an answer.
func (s *stage) sellTwo(acc sim.Account) (first, second int64) {
	s.t.Helper()
	first = s.placed(acc, `"reference":"PO-2041"`)
	s.await(first, "✓ Told to Upstock")
	fault := map[string]any{"match": "POST /sale", "kind": "after", "times": 1, "account": acc.Cin7Core.AccountID}
	if err := s.demo.sim.call(s.ctx, http.MethodPost, "/sim/cin7core/faults", fault, nil); err != nil {
		s.t.Fatal(err)
	}
	second = s.placed(acc, `"reference":"PO-2042"`)
	s.await(second, "✓ Told to Upstock")
	if text := s.text(); !strings.Contains(text, "it may exist") || strings.Count(text, "Cin7 Core made the sale") > 1 {
		s.t.Errorf("the answer that was lost: %s", text)
	}
	return first, second
}

// shipped has an order's sale shipped, and sees its page say so, with the tracking.
func (s *stage) shipped(acc sim.Account, id int64) {
	s.t.Helper()
	st := &story{demo: s.demo, tenant: s.tenant, acc: acc, id: id}
	_, err := st.read(s.ctx)
	if err == nil {
		in := map[string]any{"carrier": "Kererū Couriers", "trackingNumber": fmt.Sprint("KC-", id)}
		err = st.act(s.ctx, "ship", "all leaves", in)
	}
	if err == nil {
		err = st.sync(s.ctx, "shipments")
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.await(id, "✓ Shipped")
	if text := s.text(); !strings.Contains(text, fmt.Sprint("KC-", id)) ||
		!strings.Contains(text, "Upstock knows") {
		s.t.Errorf("shipped: %s", text)
	}
	s.look(fmt.Sprint("order-shipped-", id), "")
}

// finishInOnePress has an order's goods picked, packed and shipped by the button of its page, and sees it say so.
func (s *stage) finishInOnePress(id int64) {
	s.t.Helper()
	for _, o := range s.orders("") {
		if o.ID.String() == fmt.Sprint(id) { // its sale's order was a draft
			authorise := "/sim/cin7core/sales/" + o.SaleID + "/authorise"
			if err := s.demo.sim.call(s.ctx, http.MethodPost, authorise, struct{}{}, nil); err != nil {
				s.t.Fatal(err)
			}
		}
	}
	s.await(id, "✓ Told to Upstock")
	s.press("a", "Pick, pack or ship")
	s.heading("the goods of")
	s.press("a", "Ship")
	s.heading("Ship the goods of")
	number := fmt.Sprint("KC-", id)
	s.do(chromedp.SendKeys(chromedp.CSS("form input:not([type=hidden])"), number))
	s.press("button", "Pick, pack and ship the goods")
	s.heading("Order ")
	s.await(id, "✓ Shipped")
	if text := s.text(); !strings.Contains(text, number) || !strings.Contains(text, "Upstock knows") {
		s.t.Errorf("shipped in one press: %s", text)
	}
	s.look(fmt.Sprint("order-shipped-", id), "")
}

// unknown is an order of something that Cin7 Core does not have.
func unknown(reference, sku string) string {
	return fmt.Sprintf(`"reference":%q,"lines":[{"sku":%q,"name":"Tea nobody stocks","quantity":"3",`+
		`"unitPrice":"4.50","taxRate":"15.00"}]`, reference, sku)
}

// fixByKeyboard picks a product for two orders, on home and without a mouse, and sees both go.
func (s *stage) fixByKeyboard(acc sim.Account) {
	s.t.Helper()
	third, fourth := s.placed(acc, unknown("PO-2043", "TEA-999")), s.placed(acc, unknown("PO-2044", "TEA-999"))
	s.await(third, "What needs you Line 1 (SKU “TEA-999”)")
	s.await(fourth, "What needs you Line 1 (SKU “TEA-999”)")
	s.open("/t/"+s.tenant, "Home")
	if text := s.text(); !strings.Contains(text, "2 orders need you") {
		s.t.Errorf("home: %s", text)
	}
	s.tabTo("find-")
	s.do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)), // all of it, and over it
		chromedp.KeyEvent("kwk-100"))
	s.key(kb.Enter)
	s.do(chromedp.WaitVisible(`//label[contains(., "KWK-100")]`))
	s.tabTo("choice")
	s.key(" ")
	s.tabTo("Use this product")
	s.key(kb.Enter)
	s.said("2 orders are being tried again")
	s.await(third, "✓ Told to Upstock")
	s.await(fourth, "✓ Told to Upstock")
}

// undoSettings saves settings, and has the version before count again.
func (s *stage) undoSettings() {
	s.t.Helper()
	page := "/t/" + s.tenant + "/settings/orders"
	for _, amount := range []string{"0.05", "0.09"} {
		s.open(page, "Settings of orders")
		s.do(chromedp.SetValue(chromedp.ID("totalTolerance"), amount))
		s.press("button", "Save settings")
		s.said("are saved")
	}
	s.press("summary", "Earlier versions")
	s.look("settings-versions", "")
	s.open(page+"?version=1", "Settings of orders")
	s.said("These are the settings of version 1")
	s.press("button", "Save settings")
	s.said("are saved")
	s.tolerance("0.05")
}

// tolerance checks a setting as the API has it.
func (s *stage) tolerance(want string) {
	s.t.Helper()
	var got struct{ TotalTolerance string }
	if err := s.demo.api.call(s.ctx, http.MethodGet, "/api/v1/tenants/"+s.tenant+"/settings", nil, &got); err != nil {
		s.t.Fatal(err)
	}
	if got.TotalTolerance != want {
		s.t.Errorf("the tolerance is %s, want %s", got.TotalTolerance, want)
	}
}

// saveAtOnce has somebody else save between opening the settings and saving them: nothing is lost, and what was chosen
// counts when it is saved again.
func (s *stage) saveAtOnce() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/orders", "Settings of orders")
	theirs := map[string]string{"totalTolerance": "0.06"}
	if err := s.demo.api.call(s.ctx, http.MethodPatch, "/api/v1/tenants/"+s.tenant+"/settings", theirs,
		nil); err != nil {
		s.t.Fatal(err)
	}
	s.do(chromedp.SetValue(chromedp.ID("totalTolerance"), "0.07"))
	s.press("button", "Save settings")
	s.said("Somebody else saved these settings")
	s.do(chromedp.WaitReady(`//input[@id="totalTolerance" and @value="0.07"]`))
	s.look("settings-conflict", "")
	s.tolerance("0.06")
	s.press("button", "Save settings")
	s.said("are saved")
	s.tolerance("0.07")
}

// useToken makes a token, uses it, revokes it, and uses it again.
func (s *stage) useToken() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/access", "Access")
	s.do(chromedp.SendKeys(chromedp.ID("name"), "stock report"))
	s.press("button", "Make a token")
	token, err := chromedp.Run(s.ctx, chromedp.Text(`//code[starts-with(., "sb_")]`))
	if err != nil {
		s.t.Fatal(err)
	}
	program := client{s.base, token}
	path := "/api/v1/tenants/" + s.tenant + "/orders"
	if err := program.call(s.ctx, http.MethodGet, path, nil, nil); err != nil {
		s.t.Errorf("a new token: %v", err)
	}
	var refused *callError
	if err := program.call(s.ctx, http.MethodPost, path+"/retry", nil, nil); !errors.As(err, &refused) ||
		refused.status != http.StatusForbidden {
		s.t.Errorf("a viewer's token retries: %v", err)
	}
	s.open("/t/"+s.tenant+"/settings/access", "Access")
	if text := s.text(); strings.Contains(text, token) || !strings.Contains(text, "stock report") {
		s.t.Errorf("a token that was used: %s", text)
	}
	s.do(chromedp.Click(`//tr[contains(., "stock report")]//a`))
	s.heading("Revoke the token stock report")
	s.press("button", "Revoke this token")
	s.said("is revoked")
	if err := program.call(s.ctx, http.MethodGet, path, nil, nil); !errors.As(err, &refused) ||
		refused.status != http.StatusUnauthorized {
		s.t.Errorf("a revoked token: %v", err)
	}
}

// withoutScript signs out and in, has an order put right, retried and seen in lists, with no script at all.
func (s *stage) withoutScript(acc sim.Account) {
	s.t.Helper()
	id := s.placed(acc, unknown("PO-2045", "TEA-998"))
	s.await(id, "What needs you Line 1 (SKU “TEA-998”)")
	s.scripts(false)
	s.open("/t/"+s.tenant, "Home")
	s.signOut()
	s.signIn("Ana")
	s.open("/t/"+s.tenant+"/orders?"+url.Values{"state": {"attention"}, "q": {"2045"}}.Encode(), "Orders")
	s.do(chromedp.Click(chromedp.CSS("tbody .choose label")))
	s.press("button", "Retry the chosen orders")
	s.said("being tried again")
	s.await(id, "What needs you Line 1 (SKU “TEA-998”)")
	box := chromedp.CSS(`input[name="find"]`)
	s.do(chromedp.SendKeys(box, kb.End+strings.Repeat(kb.Backspace, 20)+"kwk-100"))
	s.press("button", "Find product")
	s.do(chromedp.Click(`//label[contains(., "KWK-100")]`))
	s.press("button", "Use this product")
	s.said("1 order is being tried again")
	s.scripts(true)
	s.await(id, "✓ Told to Upstock")
}

// reconnect disconnects Cin7 Core, sees an order wait for it, connects it again, and sees the order go.
func (s *stage) reconnect(acc sim.Account) {
	s.t.Helper()
	page := "/t/" + s.tenant + "/settings/integrations"
	s.open(page, "Integrations")
	s.press("a", "Disconnect Cin7 Core")
	s.heading("Disconnect Cin7 Core")
	s.press("button", "Disconnect Cin7 Core")
	s.said("It is disconnected")
	s.look("disconnected", "")
	s.look("home-disconnected", "/t/"+s.tenant)
	id := s.placed(acc, `"reference":"PO-2046"`)
	s.await(id, "Waiting")
	s.open(page, "Integrations")
	s.fill("cin7core", "accountId", acc.Cin7Core.AccountID)
	s.fill("cin7core", "applicationKey", acc.Cin7Core.ApplicationKey)
	s.press("button", "Connect Cin7 Core")
	s.said("The key works and is saved")
	s.await(id, "✓ Told to Upstock")
}

// missedDays has it noted that orders of some days were not taken in, as after a reconnection; sees that said, with the
// backfill of these days a press away; and takes note of it.
func (s *stage) missedDays() {
	s.t.Helper()
	now := time.Now()
	if _, err := s.kept.Update(s.ctx, s.tenant, tenant.Upstock, func(c *tenant.Connection) error {
		c.Gaps = []tenant.Gap{{From: now.AddDate(0, 0, -9), To: now.AddDate(0, 0, -3), Orders: 4, Known: true}}
		return nil
	}); err != nil {
		s.t.Fatal(err)
	}
	home := "/t/" + s.tenant
	s.look("integrations-missed", home+"/settings/integrations")
	s.look("home-missed", home)
	s.press("a", "Look for them")
	s.heading("Take in earlier orders")
	if at := s.address(); !strings.Contains(at, "from="+now.AddDate(0, 0, -9).In(auckland(s.t)).Format(time.DateOnly)) {
		s.t.Errorf("the days to take in: %s", at)
	}
	s.open(home, "Home")
	s.press("button", "Do not show this again")
	s.do(chromedp.WaitVisible(`//p[@role="status"]`))
	if text := s.text(); strings.Contains(text, "were not taken in") {
		s.t.Errorf("noted: %s", text)
	}
}

// auckland is the tenant's time zone.
func auckland(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	return zone
}

// onPhone goes through the pages on a phone by touch: no page is wider than it, and all that is pressed is large
// enough.
func (s *stage) onPhone() {
	s.t.Helper()
	s.show(390, "light")
	defer s.show(1280, "light")
	s.open("/t/"+s.tenant, "Home")
	for _, step := range [][2]string{{"Orders", "Orders"}, {"Completeness", "Completeness"},
		{"Backfill", "Take in earlier orders"}, {"Activity", "Activity"}, {"Settings", "Integrations"}} {
		s.press("a", step[0])
		s.heading(step[1])
		if wide := s.width(); wide > 390 {
			s.t.Errorf("%s: the page is %d wide", step[0], wide)
		}
		small, err := chromedp.Run(s.ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll(`+
			`"button, header a, main nav a, input:not([type=hidden], [type=checkbox], [type=radio]), select")]`+
			`.filter(e => e.offsetParent && e.getBoundingClientRect().height < 44)`+
			`.filter(e => !e.matches(".skip")).map(e => e.innerText || e.name)`))
		if err != nil {
			s.t.Fatal(err)
		}
		if len(small) > 0 {
			s.t.Errorf("%s: lower than 44: %q", step[0], small)
		}
	}
	var orders struct{ Items []struct{ ID json.Number } }
	if err := s.demo.api.call(s.ctx, http.MethodGet, "/api/v1/tenants/"+s.tenant+"/orders", nil, &orders); err != nil {
		s.t.Fatal(err)
	}
	if len(orders.Items) != 6 {
		s.t.Errorf("%d orders", len(orders.Items))
	}
}
