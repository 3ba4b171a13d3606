package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"stockbridge/internal/app"
	"stockbridge/internal/tenant"
	"stockbridge/internal/testsize"
)

var shots = flag.String("shots", "", "a directory to write a picture of every page to")

// chromium finds the browser; "" = there is none.
func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// stage is a runner and a browser.
type stage struct {
	t      *testing.T
	ctx    context.Context // of the browser
	base   string
	tenant string
	demo   *demo
	kept   *tenant.Store
	axe    string // axe-core's source; "" = the pages are not audited
}

// openStage opens a runner and a browser for what make pages and make screenshots run: each story takes half a minute.
func openStage(t *testing.T) *stage {
	t.Helper()
	if !everyPage() {
		t.Skip("make pages runs it")
	}
	return openFirstStage(t)
}

// everyPage reports whether all stories of the browser are told, and every page is looked at.
func everyPage() bool { return testsize.Whole() || *shots != "" }

// openFirstStage is openStage for the story whose beginning make test runs too.
func openFirstStage(t *testing.T) *stage {
	testsize.Unraced(t)
	path := chromium()
	if path == "" {
		if os.Getenv("BROWSER") == "needed" {
			t.Fatal("no Chromium is installed, and BROWSER=needed")
		}
		t.Skip("no Chromium is installed: the pages are not tried in a browser")
	}
	holdToDescription(t)
	o, err := parse([]string{"-listen", "127.0.0.1:0", "-sim", "127.0.0.1:0", "-data", "", "-demo=false", "-speed",
		"20"},
		os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	var kept *tenant.Store
	o.change = func(d *app.Deps) { // no name leads anywhere: nothing of a test leaves the machine
		kept = tenant.NewStore(d.Table, d.Sealer)
		d.Guard.Lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, errors.New("no names") }
	}
	dir := t.TempDir()
	s, _, err := openSim(o, filepath.Join(dir, "sim"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	vendors, err := listen(o.sim, s.Handler())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(vendors.close)
	r, err := start(o, dir, vendors.url, func(string) string { return "" }, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	d, err := newDemo(r.web.url, o.token, vendors.url, o, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	st := &stage{t: t, base: r.web.url, demo: d, kept: kept, axe: readAxe(t)}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox)
	alloc, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(alloc)
	t.Cleanup(cancel)
	st.ctx, cancel = context.WithTimeout(ctx, 4*longest)
	t.Cleanup(cancel)
	if err := chromedp.Do(st.ctx); err != nil { // the browser lives as long as the context of its first step
		t.Fatal(err)
	}
	return st
}

// trade has a tenant with an order that is sold, and two that wait for the same product.
func (s *stage) trade() {
	s.t.Helper()
	ctx := s.t.Context()
	acc, err := s.demo.account(ctx, demoName)
	if err == nil {
		s.tenant, _, err = s.demo.tenant(ctx, acc)
	}
	if err == nil {
		err = s.demo.people(ctx, s.tenant)
	}
	const unknown = `"lines":[{"sku":"TEA-999","name":"Tea nobody stocks","quantity":"3","unitPrice":"4.50","taxRate":"15.00"}]`
	const cent = `"lines":[{"sku":"KWK-100","quantity":"3","unitPrice":"1.00","discountPercent":"7.5","taxRate":"15.00"}],` +
		`"freight":null,"totals":{"subtotal":"2.77","tax":"0.42","total":"3.19"}`
	for _, fields := range []string{`"reference":"PO-2041",` + cent, `"reference":"PO-2042",` + unknown,
		`"reference":"PO-2043",` + unknown} {
		if err == nil {
			_, err = s.demo.trade(ctx, s.tenant, acc, fields)
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) do(steps ...chromedp.Action[chromedp.Void]) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.ctx, longest)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		text, _ := chromedp.Run(s.ctx, chromedp.Text(chromedp.CSS("body")))
		s.t.Fatalf("%v, at %s:\n%s", err, s.address(), text)
	}
}

func (s *stage) address() string {
	where, _ := chromedp.Run(s.ctx, chromedp.Location())
	return where
}

// open opens a page, and waits for its heading.
func (s *stage) open(path, heading string) {
	s.t.Helper()
	s.do(chromedp.Navigate(s.base + path))
	s.heading(heading)
}

// heading waits for the page with a heading.
func (s *stage) heading(want string) {
	s.t.Helper()
	s.do(chromedp.WaitVisible(fmt.Sprintf(`//h1[contains(normalize-space(.), %q)]`, want)))
}

func (s *stage) press(kind, text string) {
	s.t.Helper()
	s.do(chromedp.Click(fmt.Sprintf(`//%s[starts-with(normalize-space(.), %q)]`, kind, text)))
}

// text is what the page's content says, in one line.
func (s *stage) text() string {
	s.t.Helper()
	text, err := chromedp.Run(s.ctx, chromedp.Text(chromedp.CSS("main")))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(strings.Fields(text), " ")
}

// signIn signs a person in from the front page.
func (s *stage) signIn(name string) {
	s.t.Helper()
	s.open("/", "Your orders")
	s.press("a", "Sign in")
	s.heading("Who are you?")
	s.press("button", name)
	s.do(chromedp.WaitVisible(`//button[.="Sign out"]`))
}

func (s *stage) signOut() {
	s.t.Helper()
	s.press("button", "Sign out")
	s.heading("Your orders")
}

// TestPages walks through the console as people do; make test as far as to an order that is retried.
func TestPages(t *testing.T) {
	s := openFirstStage(t)
	s.trade()
	s.open("/t/"+s.tenant+"/orders?state=attention", "Who are you?") // signed out: to sign in, and back
	s.press("button", "Ana")
	s.heading("Orders")
	if address := s.address(); !strings.HasSuffix(address, "/orders?state=attention") {
		t.Errorf("came back to %s", address)
	}
	if text := s.text(); strings.Count(text, "Needs you") < 3 || !strings.Contains(text, "PO-2043") ||
		strings.Contains(text, "PO-2041") {
		t.Errorf("orders that need a person: %s", text)
	}
	s.press("a", "Home")
	s.heading("Home")
	if text := s.text(); !strings.Contains(text, "2 orders need you") || !strings.Contains(text, "TEA-999") ||
		!strings.Contains(text, "2 orders:") {
		t.Errorf("home: %s", text)
	}
	s.press("a", "Orders")
	s.heading("Orders")
	s.do(chromedp.SendKeys(chromedp.ID("q"), "2041\n"), chromedp.WaitReady(`//input[@id="q" and @value="2041"]`),
		chromedp.WaitVisible(`//td[starts-with(.,"SO-")]`))
	if text := s.text(); strings.Contains(text, "PO-2042") {
		t.Errorf("search: %s", text)
	}
	s.do(chromedp.Click(chromedp.CSS("tbody th a")))
	s.heading("Order ")
	if text := s.text(); !strings.Contains(text, "In Cin7 Core") || !strings.Contains(text, "✓ Told to Upstock") ||
		strings.Contains(text, "Retry") {
		t.Errorf("a sold order: %s", text)
	}
	s.open("/t/"+s.tenant+"/orders?q=2042", "Orders")
	s.do(chromedp.Click(chromedp.CSS("tbody th a")))
	s.heading("Order ")
	s.press("button", "Retry this order")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "tried again")]`))
	if !everyPage() {
		return
	}
	s.makeToken()
	s.changeSettings()
	s.setUpAlerts()
	s.signedOutMeanwhile()
	s.pauseShipments()
	s.chooseOrders()
	s.forgetLink()
	s.press("a", "Activity")
	s.heading("Activity")
	s.do(chromedp.SetValue(chromedp.ID("about"), "fixes"))
	s.press("button", "Show activity")
	s.do(chromedp.WaitReady(`//option[@value="fixes" and @selected]`),
		chromedp.WaitVisible(`//tr[contains(., "An order was retried") and contains(., "Ana")]`))
	if text := s.text(); strings.Contains(text, "connected (") {
		t.Errorf("fixes: %s", text)
	}
	s.signOut()
	s.do(chromedp.NavigateBack(), chromedp.Reload())
	s.heading("Who are you?")
	s.signIn("Viktor")
	s.open("/t/"+s.tenant+"/orders?q=2042", "Orders")
	s.do(chromedp.Click(chromedp.CSS("tbody th a")))
	s.heading("Order ")
	if text := s.text(); strings.Contains(text, "Retry") {
		t.Errorf("a viewer: %s", text)
	}
	s.open("/t/other", "There is nothing here")
	s.signOut()
	s.signIn("Olivia")
	s.heading("Home") // there is one tenant
	s.moves()
	s.lookAtAll()
	s.auditSees()
	s.signOut()
	s.look("front", "/")
	s.look("issuer", "/sign-in")
	s.look("mail", mailPath)
	s.auditSims()
	s.fixInPlace()
}

// makeToken makes a token and revokes it.
func (s *stage) makeToken() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/access", "Access")
	s.do(chromedp.SendKeys(chromedp.ID("name"), "night job"))
	s.press("button", "Make a token")
	s.do(chromedp.WaitVisible(`//code[starts-with(., "sb_")]`))
	s.audit("access with a new token")
	s.do(chromedp.Click(`//tr[contains(., "night job")]//a`))
	s.heading("Revoke the token night job")
	s.audit("revoke")
	s.press("button", "Revoke this token")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "is revoked")]`))
}

// confirmLink is where an e-mail's link leads.
var confirmLink = regexp.MustCompile(`/confirm/\S+`)

// setUpAlerts has an address refused, sets alerts up, follows the link that comes by e-mail, sends a test and finds it
// among the e-mails.
func (s *stage) setUpAlerts() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/alerts", "Alerts")
	s.do(chromedp.SendKeys(chromedp.ID("emails"), "ana@example.com"), chromedp.SendKeys(chromedp.ID("url"),
		"https://169.254.169.254/latest"))
	s.press("button", "Save alerts")
	s.do(chromedp.WaitVisible(`//p[@id="fault-url"][contains(., "not an address on the internet")]`))
	s.audit("alerts refused")
	s.do(chromedp.SetValue(chromedp.ID("url"), "https://alerts.example.test/in"))
	s.press("button", "Save alerts")
	s.do(chromedp.WaitVisible(`//code[starts-with(., "whsec_")]`))
	s.audit("alerts with a secret")
	s.open("/t/"+s.tenant+"/settings/alerts", "Alerts")
	s.do(chromedp.WaitVisible(`//span[.="Waits for confirmation"]`))
	s.look("alerts-waiting", "/t/"+s.tenant+"/settings/alerts")
	s.open(mailPath, "E-mails on this machine")
	s.look("confirm", confirmLink.FindString(s.text()))
	s.press("button", "Send alerts to ana@example.com")
	s.heading("You get alerts from now on")
	s.audit("confirmed")
	s.open("/t/"+s.tenant+"/settings/alerts", "Alerts")
	s.press("button", "Send a test alert")
	s.do(chromedp.WaitVisible(`//tr[contains(., "Test") and contains(., "It was handed to the mail service.")]`),
		chromedp.WaitVisible(`//span[.="Not taken"]`))
	s.open(mailPath, "E-mails on this machine")
	if text := s.text(); !strings.Contains(text, ": a test alert") || !strings.Contains(text, "TEA-999") {
		s.t.Errorf("the e-mails: %s", text)
	}
}

// changeSettings has a setting refused, and tries another on the newest orders.
func (s *stage) changeSettings() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/orders", "Settings of orders")
	tolerance := chromedp.ID("totalTolerance")
	s.do(chromedp.SetValue(tolerance, "much"))
	s.press("button", "Save settings")
	s.do(chromedp.WaitVisible(`//h2[.="This was not saved"]`))
	s.look("settings-refused", "")
	s.do(chromedp.SetValue(tolerance, "0.05"), chromedp.SetValue(chromedp.ID("saleType"), "advanced"))
	s.press("button", "Try on the newest orders")
	s.do(chromedp.WaitVisible(`//h2[.="Tried on the newest orders"]`))
	s.look("settings-tried", "")
}

// signedOutMeanwhile saves settings with a session that is over, and finds them as they were typed.
func (s *stage) signedOutMeanwhile() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/orders", "Settings of orders")
	s.do(chromedp.SetValue(chromedp.ID("totalTolerance"), "0.07"),
		chromedp.SetValue(chromedp.ID("saleType"), "advanced"),
		chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, network.ClearBrowserCookies, cdp.Empty{})
			return err
		}))
	s.press("button", "Save settings")
	s.heading("Who are you?")
	s.press("button", "Ana")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "What you typed is here")]`),
		chromedp.WaitReady(`//input[@id="totalTolerance" and @value="0.07"]`),
		chromedp.WaitReady(`//select[@id="saleType"]/option[@value="advanced" and @selected]`))
	s.look("settings-kept", "")
	s.press("button", "Save settings")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "are saved")]`))
}

// chooseOrders chooses two orders of a list, the second with Shift, and has both tried again.
func (s *stage) chooseOrders() {
	s.t.Helper()
	list := "/t/" + s.tenant + "/orders?state=attention"
	both := func() {
		s.t.Helper()
		s.waitUntil("two orders need somebody", func() bool {
			s.open(list, "Orders")
			return strings.Count(s.text(), "TEA-999")+strings.Count(s.text(), "PO-204") >= 2
		})
	}
	both()
	box := `document.querySelectorAll("input[name=order]")`
	s.do(chromedp.Click(chromedp.CSS("tbody .choose label")), chromedp.WaitVisible(`//button[.="Retry 1 order"]`))
	s.do(chromedp.Evaluate[chromedp.Void](box+`[1].dispatchEvent(new MouseEvent("click", `+
		`{shiftKey: true, bubbles: true}))`), chromedp.WaitVisible(`//button[.="Retry 2 orders"]`))
	s.look("orders-chosen", "")
	s.press("button", "Retry 2 orders")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "2 orders are being tried again")]`))
	both()
}

// moves starts what runs long, and only waits: the page shows by itself how far it is, and what comes of it, with our
// script and without.
func (s *stage) moves() {
	s.t.Helper()
	s.editSold()
	s.slowList()
	s.press("a", "Completeness")
	s.heading("Completeness")
	s.press("button", "Check the last 7 days now")
	s.do(chromedp.WaitVisible(`//h2[.="A check is under way"]`))
	s.look("completeness-running", "")
	s.do(chromedp.WaitVisible(`//h2[.="Totals"]`))

	s.press("a", "Home")
	s.heading("Home")
	s.do(chromedp.WaitVisible(`//h2[.="Two weeks"]`), chromedp.Click(`//summary[.="The numbers as a table"]`),
		chromedp.WaitVisible(`//details//td[.="3"]`))
	s.look("home-table", "")
	s.do(chromedp.Click(`//section[h2[.="Good to know"]]//a`),
		chromedp.WaitVisible(`//h2[starts-with(., "Changed in Upstock")]`))
	if text := s.text(); !strings.Contains(text, "In Upstock now") || !strings.Contains(text, "PO-2041-B") {
		s.t.Errorf("an order that was changed: %s", text)
	}

	s.press("a", "Backfill")
	s.heading("Take in earlier orders")
	s.press("button", "Show what would happen")
	s.do(chromedp.WaitVisible(`//table`))
	s.look("backfill-preview", "")
	s.slowList()
	s.scripts(false)
	s.press("button", "Take in ")
	s.do(chromedp.WaitVisible(`//h2[contains(., "are being taken in")]`), chromedp.WaitVisible(`//a[.="Look again"]`))
	s.shoot("backfill-running", "") // axe-core is a script too
	s.do(chromedp.WaitVisible(`//h2[contains(., "are taken in")]`))
	s.scripts(true)
}

// editSold changes the order that is sold in Upstock.
func (s *stage) editSold() {
	s.t.Helper()
	sold := s.orders("q=2041")[0].ID.String()
	change := map[string]any{"reference": "PO-2041-B", "deliveryAddress": map[string]any{"line1": "7 Wharf Lane"}}
	if err := s.demo.sim.call(s.ctx, http.MethodPost, "/sim/upstock/orders/"+sold+"/edit", change, nil); err != nil {
		s.t.Fatal(err)
	}
}

// anOrder is an order as the API lists it.
type anOrder struct {
	SaleID      string
	ID          json.Number
	OrderNumber string
	State       string
}

// orders lists the tenant's orders.
func (s *stage) orders(query string) []anOrder {
	s.t.Helper()
	var list struct{ Items []anOrder }
	address := "/api/v1/tenants/" + s.tenant + "/orders?" + query
	if err := s.demo.api.call(s.ctx, http.MethodGet, address, nil, &list); err != nil {
		s.t.Fatal(err)
	}
	return list.Items
}

// show has the page shown at a width and in a theme.
func (s *stage) show(width int64, theme string) {
	s.t.Helper()
	feature := &emulation.MediaFeature{Name: "prefers-color-scheme", Value: theme}
	s.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia,
			emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{feature}})
		return err
	}), chromedp.EmulateViewport(width, 800))
}

// scripts has the browser run scripts, or none.
func (s *stage) scripts(on bool) {
	s.t.Helper()
	s.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetScriptExecutionDisabled,
			emulation.SetScriptExecutionDisabledParams{Value: !on})
		return err
	}))
}

// slowList has Upstock answer its next list of orders late.
func (s *stage) slowList() {
	s.t.Helper()
	fault := map[string]any{"match": "GET /orders", "kind": "slow", "seconds": 60, "times": 1}
	if err := s.demo.sim.call(s.ctx, http.MethodPost, "/sim/upstock/faults", fault, nil); err != nil {
		s.t.Fatal(err)
	}
}

// pauseShipments pauses shipments and has them go on.
func (s *stage) pauseShipments() {
	s.t.Helper()
	s.open("/t/"+s.tenant+"/settings/integrations", "Integrations")
	s.press("a", "Pause shipments")
	s.heading("Pause shipments")
	s.press("button", "Pause shipments")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "is paused")]`))
	s.look("paused", "/t/"+s.tenant)
	s.look("paused-integrations", "/t/"+s.tenant+"/settings/integrations")
	s.press("button", "Resume shipments")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "goes on")]`))
}

// forgetLink has Cin7 Core looked at, where a linked customer is deprecated by now; sees that said; forgets the link.
func (s *stage) forgetLink() {
	s.t.Helper()
	api, path := s.demo.api, "/api/v1/tenants/"+s.tenant
	call := func(c client, method, path string, body, answer any) {
		s.t.Helper()
		if err := c.call(s.ctx, method, path, body, answer); err != nil {
			s.t.Fatal(err)
		}
	}
	var orders struct{ Items []struct{ SaleID string } }
	call(api, http.MethodGet, path+"/orders?state=sold", nil, &orders)
	var sale struct{ CustomerID string }
	call(s.demo.sim, http.MethodGet, "/sim/cin7core/sales/"+orders.Items[0].SaleID, nil, &sale)
	card := "/sim/cin7core/customers/" + sale.CustomerID
	call(api, http.MethodPut, path+"/links/customer/9001", map[string]string{"id": sale.CustomerID}, nil)
	call(s.demo.sim, http.MethodPut, card, map[string]string{"Status": "Deprecated"}, nil)
	s.open("/t/"+s.tenant, "Home")
	s.press("button", "Look at Cin7 Core now")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "is being looked at")]`))
	s.waitUntil("the link is seen to be wrong", func() bool {
		s.open("/t/"+s.tenant, "Home")
		return strings.Contains(s.text(), "which is deprecated in Cin7 Core")
	})
	s.look("home-link", "")
	s.press("button", "Forget this link")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "is forgotten")]`))
	if text := s.text(); strings.Contains(text, "deprecated") {
		s.t.Errorf("forgotten: %s", text)
	}
	call(s.demo.sim, http.MethodPut, card, map[string]string{"Status": "Active"}, nil)
}

// fixInPlace picks the product that two orders wait for, and sees both go.
func (s *stage) fixInPlace() {
	s.t.Helper()
	s.signIn("Ana")
	s.heading("Home")
	box := chromedp.CSS(`input[name="find"]`)
	s.do(chromedp.Clear(box), chromedp.SendKeys(box, "kwk-100"))
	s.press("button", "Find product")
	s.do(chromedp.Click(`//label[contains(., "KWK-100")]`))
	s.press("button", "Use this product")
	s.do(chromedp.WaitVisible(`//p[@role="status"][contains(., "2 orders")]`))
	s.waitUntil("the orders go", func() bool {
		s.open("/t/"+s.tenant, "Home")
		return strings.Contains(s.text(), "Everything is in step")
	})
}

// lookAtAll looks at every page of who is signed in.
func (s *stage) lookAtAll() {
	s.t.Helper()
	t := "/t/" + s.tenant
	pages := map[string]string{
		"operator": "/operator", "operator-none": "/operator?q=nobody", "home": t, "orders": t + "/orders",
		"orders-attention": t + "/orders?state=attention", "orders-none": t + "/orders?q=nothing",
		"settings": t + "/settings/orders", "integrations": t + "/settings/integrations",
		"access": t + "/settings/access", "alerts": t + "/settings/alerts", "pause": t + "/flows/orders/pause",
		"test-order": t + "/settings/integrations/test-order",
		"disconnect": t + "/settings/integrations/cin7core/disconnect", "activity": t + "/activity",
		"failure": "/t/other", "completeness": t + "/completeness", "backfill": t + "/backfill",
		"erase": "/operator/tenants/" + s.tenant + "/erase",
	}
	sold := ""
	for _, o := range s.orders("") {
		pages["order-"+o.State] = t + "/orders/" + o.ID.String()
		if o.State == "sold" {
			pages["call"] = t + "/orders/" + o.ID.String() + "/calls/1"
			pages["finish"] = t + "/orders/" + o.ID.String() + "/finish"
			sold = o.SaleID
		}
	}
	for name, path := range pages {
		s.look(name, path)
	}
	// the sale's order was a draft
	authorise := "/sim/cin7core/sales/" + sold + "/authorise"
	if err := s.demo.sim.call(s.ctx, http.MethodPost, authorise, struct{}{}, nil); err != nil {
		s.t.Fatal(err)
	}
	s.look("finish-now", pages["finish"])
}

// look audits a page, and has pictures of it. Without a path it is the page that is shown just now.
func (s *stage) look(name, path string) {
	s.t.Helper()
	if path != "" {
		s.do(chromedp.Navigate(s.base+path), chromedp.WaitReady(chromedp.CSS("h1")))
	}
	s.audit(name)
	s.shoot(name, path)
}

// shoot writes a page at both widths and in both themes, with -shots. Without a path it is the page that is shown just
// now.
func (s *stage) shoot(name, path string) {
	s.t.Helper()
	if *shots == "" {
		return
	}
	if err := os.MkdirAll(*shots, 0o755); err != nil {
		s.t.Fatal(err)
	}
	for _, width := range []int64{1280, 390} {
		for _, theme := range []string{"light", "dark"} {
			s.show(width, theme)
			if path != "" {
				s.do(chromedp.Navigate(s.base + path))
			}
			s.do(chromedp.WaitReady(chromedp.CSS("h1")))
			data, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				s.t.Fatal(err)
			}
			file := filepath.Join(*shots, fmt.Sprintf("%s-%d-%s.png", name, width, theme))
			if err := os.WriteFile(file, data, 0o644); err != nil {
				s.t.Fatal(err)
			}
		}
	}
}
