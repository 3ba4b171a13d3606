package console

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// A page is a struct of texts ready to be shown, a template of the same name in pages/, and a function that makes the
// one for the other. Templates decide nothing but whether something is there. Where something runs, the page sets
// frame.Moving and has what changes in a region with the id moving, with nothing in it that could have the focus.

//go:embed pages
var pageFiles embed.FS

// pages are read when the first is shown. Nothing of it is begun when a program starts: the other functions hold this
// package too, and shall neither wait for its pages nor carry what parses them.
var pages struct {
	once      sync.Once
	templates map[string]*template.Template // one for each page, each with the layout around it
	assets    map[string]asset
}

func readPages() {
	pages.once.Do(func() { pages.templates, pages.assets = parsePages(), readAssets() })
}

func parsePages() map[string]*template.Template {
	parts := []string{"layout", "cause", "days", "chart", "flows", "gaps", "run", "match"} // of several pages
	layout := template.New("layout.html")
	for _, name := range parts {
		template.Must(layout.ParseFS(pageFiles, "pages/"+name+".html"))
	}
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		panic(err)
	}
	all := map[string]*template.Template{}
	for _, name := range names {
		short := strings.TrimSuffix(strings.TrimPrefix(name, "pages/"), ".html")
		if !slices.Contains(parts, short) {
			all[short] = template.Must(template.Must(layout.Clone()).ParseFS(pageFiles, name))
		}
	}
	return all
}

// asset is a file that pages link to. Its address holds a hash of it, so that a browser keeps it for a year.
type asset struct {
	address, kind string
	data          []byte
}

func readAssets() map[string]asset {
	all := map[string]asset{}
	for name, kind := range map[string]string{
		"style.css": "text/css; charset=utf-8", "script.js": "text/javascript; charset=utf-8",
	} {
		data, err := pageFiles.ReadFile("pages/" + name)
		if err != nil {
			panic(err)
		}
		sum := sha256.Sum256(data)
		all[name] = asset{"/assets/" + hex.EncodeToString(sum[:8]) + "-" + name, kind, data}
	}
	return all
}

// asset serves one, under the address that pages link to and under no other.
func (a *api) asset(w http.ResponseWriter, r *http.Request) error {
	readPages()
	for _, as := range pages.assets {
		if as.address == r.URL.Path {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			write(w, r, http.StatusOK, as.kind, as.data)
			return nil
		}
	}
	return notFound()
}

// pagePolicy is the Content-Security-Policy of pages: nothing inline, nothing from elsewhere.
const pagePolicy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'"

// scriptPolicy is what a page may do besides that our script helps with: run it. It asks for what moves again.
const scriptPolicy = "; script-src 'self'; connect-src 'self'"

// frame is what every page has around it.
type frame struct {
	Title    string // of the page, without ours
	Heading  string
	Style    string // address of the style sheet
	Moving   bool   // something on the page moves by itself: the script asks for it again
	Scripted bool   // the script helps with the page
	Script   string // address of the script; "" = the page has none
	Person   *signin.Person
	Tenant   string // its name; "" = none
	Menu     []menuItem
	Sections []menuItem // of the menu's item that has several pages

	SectionsOf string // the name of that item
	Many       bool   // the person may choose another tenant
	Said       string // what the last act brought about
	Path       string // of this page, to come back to
	Page       any
}

type menuItem struct {
	Label, Address string
	Here           bool
	Count          string // of what waits there; "" = nothing, or that is not counted
}

// menu is a tenant's: what stands on it, its first page, and where its pages are. The catalogue is on it where both
// systems are connected, however well, and JOOR where one of its two is.
func (v visit) menu(path string) (items []menuItem) {
	base := tenantPath(v.Tenant.ID)
	for _, it := range [][3]string{
		{"Home", "", ""}, {"Orders", "/orders", "/orders"}, {"Products", "/products", "/products"},
		{"Customers", "/customers", "/customers"}, {"Price lists", "/prices", "/prices"}, {"JOOR", "/joor", "/joor"},
		{"Completeness", "/completeness", "/completeness"}, {"Backfill", "/backfill", "/backfill"},
		{"Activity", "/activity", "/activity"}, {"Settings", "/settings/integrations", "/settings"},
	} {
		if slices.Contains(catalogMenu, it[0]) && !v.usesCatalog() ||
			slices.Contains(ordersMenu, it[0]) && !v.usesOrders() ||
			it[0] == "JOOR" && !uses(v.Bundle, joorcin7.Systems()) {
			continue
		}
		here := path == base+it[1] || it[2] != "" && strings.HasPrefix(path, base+it[2]+"/") ||
			it[0] == "Settings" && strings.HasPrefix(path, base+"/flows/") // what pauses a flow stands among them
		items = append(items, menuItem{Label: it[0], Address: base + it[1], Here: here})
	}
	return items
}

// What stands on the menu for the catalogue, and for orders.
var (
	catalogMenu = []string{"Products", "Customers", "Price lists"}
	ordersMenu  = []string{"Orders", "Completeness", "Backfill"}
)

// usesOrders reports whether the tenant has to do with orders: all have, but for those who have connected the systems
// of JOOR alone.
func (v visit) usesOrders() bool {
	return uses(v.Bundle, upstockcin7.Systems()) || !uses(v.Bundle, joorcin7.Systems())
}

// usesCatalog reports whether the tenant has both of the systems that the catalogue goes between.
func (v visit) usesCatalog() bool {
	for _, sys := range upstockcin7.Systems() {
		if _, ok := v.Connections[sys]; !ok {
			return false
		}
	}
	return true
}

func tenantPath(id string) string { return "/t/" + url.PathEscape(id) }

// show renders a page of a tenant, or of none.
func (a *api) show(w http.ResponseWriter, r *http.Request, status int, name string, f frame) error {
	readPages()
	f.Style = pages.assets["style.css"].address
	f.Path = r.URL.RequestURI()
	policy := pagePolicy
	if f.Moving || f.Scripted {
		f.Script = pages.assets["script.js"].address
		policy += scriptPolicy
	}
	if f.Heading == "" {
		f.Heading = f.Title
	}
	if f.SectionsOf == "" {
		f.SectionsOf = "Settings"
	}
	body, err := rendered(name, f)
	if err != nil {
		return err
	}
	if r.Method == http.MethodGet && status == http.StatusOK && f.Person != nil {
		if body, err = a.withKept(w, r, name, f, body); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Frame-Options", "DENY")
	write(w, r, status, "text/html; charset=utf-8", a.withAddress(r, body))
	return nil
}

// rendered is a page as a browser gets it.
func rendered(name string, f frame) ([]byte, error) {
	t, ok := pages.templates[name]
	if !ok {
		return nil, fmt.Errorf("there is no page %q", name)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout.html", f); err != nil {
		return nil, fmt.Errorf("page %s: %w", name, err)
	}
	return b.Bytes(), nil
}

// confirmPage asks whether something is to be done, and says what happens then.
type confirmPage struct {
	Name           string // of what it is done to; "" = the heading says it
	Address        string // where the button sends it
	Button         string
	Back, Keep     string // the way back, and what it is called
	Happens, Stays []string
	Ask            string // what is to be typed, so that it is meant; "" = nothing is
	Typed, Fault   string // what was typed just now, and why it is not that
}

// ask shows a page of a tenant that asks; its button sends to the page's own address. A viewer has none.
func (a *api) ask(w http.ResponseWriter, r *http.Request, v visit, title string, p confirmPage) error {
	if !v.person.Changes() {
		return looksOnly()
	}
	p.Address = r.URL.Path
	f := v.frame(r, title, p)
	if strings.HasPrefix(p.Back, tenantPath(v.Tenant.ID)+"/settings/") {
		f.Sections = v.settingsMenu(p.Back)
	}
	return a.show(w, r, http.StatusOK, "confirm", f)
}

// visit is a request for a page of a tenant by somebody who may see it.
type visit struct {
	tenant.Bundle
	person signin.Person
	zone   *time.Location
	now    time.Time
}

// frame begins a page of the tenant.
func (v visit) frame(r *http.Request, title string, page any) frame {
	return frame{
		Title: title, Person: &v.person, Tenant: v.Tenant.Name, Menu: v.menu(r.URL.Path),
		Many: v.person.Role == signin.Operator || len(v.person.Tenants) > 1, Said: notice(r.URL.Query()),
		Page: page,
	}
}

// notices are the sentences that a page says once after an act, by the word that its address bears.
var notices = map[string]string{
	"retried":        "The order is being tried again. Look again in a moment.",
	"nothing":        "This order has nothing to retry.",
	"asked":          "It is being done in Cin7 Core. Look again in a moment.",
	"none":           "None of these can be retried together. Open an order, and decide there.",
	"saved":          "The settings are saved. They count for orders from now on, and for those that waited for them.",
	"savedCatalogue": "The settings are saved. They count from the next sync on.",
	"connected":      "The key works and is saved.",
	"ownOff":         "This is noted. Connect another supplier, and it is asked again.",
	"ownOn":          "This is taken back. Orders are sold twice while both integrations are on.",
	"revoked":        "The token is revoked. Whatever still sends it is refused from now on.",
	"disconnected":   "It is disconnected. Connect it again at any time.",
	"paused":         "It is paused. Everything that comes in waits until somebody resumes it here.",
	"resumed":        "It goes on. What waited is being done now.",
	"choose":         "Nothing was chosen. Pick one of those that are shown.",
	"unchosen":       "No order was chosen. Tick those that are to be tried again.",
	"mended":         "No order waits for this any more.",
	"alerts": "Alerts are saved. A new e-mail address gets a link first, and alerts once it was followed. Whoever " +
		"takes the place of all before is told what is wrong now; who is added to others is told what comes.",
	"erased":     "The tenant is erased.",
	"rest":       "There was no time to erase all of it. Press once more.",
	"linked":     "The link is saved. Orders from now on go by it.",
	"forgotten":  "The link is forgotten.",
	"dismissed":  "This is noted, and not shown any more.",
	"looking":    "Cin7 Core is being looked at. Orders that nothing stands against any more go on by themselves.",
	"cannotLook": "Cin7 Core cannot be looked at just now: its connection needs you.",
	"stopped":    "The backfill is stopped. Orders that it took in go on.",
	"unpicked":   "Nothing was chosen. Tick what it is to be done to.",

	"customerLinked":   "The customer is linked. Its changes and its price list go to Upstock now.",
	"customerNew":      "This is noted: it is none of them. It is sent to Upstock as a customer of its own.",
	"customerUnlinked": "The customer is linked no more.",
	"customerGone":     "This customer does not wait to be linked any more.",

	"savedJOOR":      "The settings are saved. The lists of customers go by them in a moment.",
	"matchesDecided": "This is noted. Nothing is sent by it.",
	"matchesLeft": "This is noted, but for some: they are linked otherwise by now, or one of the two is not there " +
		"any more.",
	"unmatched": "The match is undone. The customer does not go to JOOR by itself.",
}

// notice is what a page says after an act.
func notice(q url.Values) string {
	decided, isDecision := decisions[q.Get("said")]
	if q.Get("said") != "fixed" && !isDecision {
		return notices[q.Get("said")]
	}
	n, err := strconv.Atoi(q.Get("n"))
	if err != nil || n < 0 {
		return ""
	}
	if isDecision {
		return decided(n)
	}
	said := count(n, "order is", "orders are") + " being tried again. Look again in a moment."
	switch of, err := strconv.Atoi(q.Get("of")); {
	case err != nil || of <= n:
		return said
	case n == 0:
		return "None of these is tried again: each goes on already, or is decided on its own page."
	default:
		return said + " " + count(of-n, "other goes", "others go") + " on already, or must be decided alone."
	}
}

// page answers a request for a page.
func (a *api) page(rt route, w http.ResponseWriter, r *http.Request) error {
	if err := a.crossOrigin.Check(r); err != nil {
		return &problem{Status: http.StatusForbidden, Detail: "This form was not sent from a page of ours."}
	}
	if rt.anyone != nil {
		return rt.anyone(w, r)
	}
	p, err := a.Desk.Person(r)
	if errors.Is(err, signin.ErrSignedOut) {
		a.askToSignIn(w, r)
		return nil
	}
	if err != nil {
		return err
	}
	if rt.person != nil {
		return rt.person(w, r, p)
	}
	id := r.PathValue("tenant")
	if !p.May(id) || !fitsKey(id, 100) {
		return notFound()
	}
	b, err := a.Tenants.Load(r.Context(), id)
	if err != nil {
		return err
	}
	if !safe(r.Method) && !p.Changes() {
		return looksOnly()
	}
	if rt.admins && !p.Changes() {
		return adminsOnly()
	}
	r = r.WithContext(ledger.WithActor(r.Context(), actorOf(p)))
	return rt.page(w, r, visit{b, p, zoneOf(b), time.Now()})
}

// actorOf is a person as events name it: an operator by the issuer's id alone, since tenants read it.
func actorOf(p signin.Person) string {
	if p.Role == signin.Operator {
		return "an operator (" + p.Subject + ")"
	}
	return p.Name + " (" + cmp.Or(p.Email, p.Subject) + ")"
}

// notOurForm refuses a form without what our pages send along.
func notOurForm() error {
	return &problem{Status: http.StatusBadRequest, Detail: "The form is not one of ours. Open the page again."}
}

// looksOnly refuses what a viewer may not do.
func looksOnly() error {
	return &problem{Status: http.StatusForbidden, Detail: "You may look at everything here, and change nothing."}
}

// adminsOnly refuses a viewer what is an admin's, though it changes nothing.
func adminsOnly() error {
	return &problem{Status: http.StatusForbidden, Detail: "This is for the tenant's admins, and for operators."}
}

// maxForm bounds a form, in bytes.
const maxForm = 256 << 10

// formOf reads what a person sent.
func formOf(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	err := r.ParseForm()
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, &problem{Status: http.StatusRequestEntityTooLarge, Detail: "This is more than the form takes."}
	}
	if err != nil {
		return nil, &problem{Status: http.StatusBadRequest, Detail: "The form cannot be read."}
	}
	return r.PostForm, nil
}

func safe(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// askToSignIn sends a browser to sign in, and back to where it was, with what was typed there.
func (a *api) askToSignIn(w http.ResponseWriter, r *http.Request) {
	page := a.pageOf(r)
	if !safe(r.Method) {
		page = a.keep(w, r, page)
	}
	http.Redirect(w, r, signin.BeginPath+"?"+url.Values{"return": {page}}.Encode(), http.StatusSeeOther)
}

// pageOf is the page that a request is for, or came from: a form is sent to the address of its page, or below it.
func (a *api) pageOf(r *http.Request) string {
	if safe(r.Method) {
		return r.URL.RequestURI()
	}
	return a.pageAbove(r.URL.EscapedPath())
}

// pageAbove is the page at the address of a form, or above it.
func (a *api) pageAbove(action string) string {
	for at := action; len(at) > 1; at = path.Dir(at) {
		if a.shows(at) {
			return at
		}
	}
	return "/"
}

// shows reports whether there is a route that shows what is at an address of ours.
func (a *api) shows(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host != "" || !strings.HasPrefix(u.Path, "/") {
		return false
	}
	_, pattern := a.mux.Handler(&http.Request{Method: http.MethodGet, URL: u})
	return pattern != ""
}

// failure is a page that says why there is no other.
type failure struct{ Why, Next, Address string }

// failPage shows what a person can do about an error.
func (a *api) failPage(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problemOf(w, r, err)
	f := frame{Title: "This cannot be shown"}
	why := failure{Why: p.Detail, Next: "Go to the front page", Address: "/"}
	switch p.Status {
	case http.StatusNotFound:
		f.Title, why.Why = "There is nothing here", "This address shows nothing, or nothing that you may see."
	case http.StatusForbidden:
		f.Title = "This is not yours to do"
	case http.StatusConflict:
		f.Title = "This cannot be done now"
		if !safe(r.Method) {
			why.Next, why.Address = "Go back", a.pageOf(r)
		}
	case http.StatusServiceUnavailable:
		f.Title, why.Next, why.Address = "This did not work just now", "Look again", a.pageOf(r)
	}
	if _, ok := errors.AsType[*signin.Refusal](err); ok {
		f.Title, why.Next, why.Address = "You are not signed in", "Sign in", signin.BeginPath
	}
	if person, perr := a.Desk.Person(r); perr == nil {
		f.Person = &person
	}
	f.Page = why
	if err := a.show(w, r, p.Status, "failure", f); err != nil {
		a.Log.ErrorContext(r.Context(), "page", "route", r.Pattern, "error", err)
		http.Error(w, why.Why, p.Status)
	}
}

// moment is an instant as a page says it: in the tenant's zone, in words where it is near.
type moment struct{ Machine, Words, Whole string }

func (v visit) moment(t time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	at, now := t.In(v.zone), v.now.In(v.zone)
	words := at.Format("Mon 2 Jan 15:04")
	switch day := at.Format(time.DateOnly); {
	case day == now.Format(time.DateOnly):
		words = "today " + at.Format("15:04")
	case day == now.AddDate(0, 0, -1).Format(time.DateOnly):
		words = "yesterday " + at.Format("15:04")
	case at.Year() != now.Year():
		words = at.Format("2 Jan 2006 15:04")
	}
	return moment{at.Format(time.RFC3339), words, at.Format("Monday 2 January 2006, 15:04:05 MST")}
}

func (v visit) momentOf(t *time.Time) moment {
	if t == nil {
		return moment{}
	}
	return v.moment(*t)
}

// count says a number with what it counts: 1 order, 2 orders.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// text is a text that may be missing.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
