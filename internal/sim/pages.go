package sim

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

//go:embed site
var site embed.FS

// indexTemplate is parsed when first shown, as every page is.
var indexTemplate = sync.OnceValue(func() *template.Template { return Template(site, "site/index.html") })

// Template parses a page's template. It may use the parts in site/frame.html (head,
// foot, parcel, deliveries, faults) and the functions when, row and about.
func Template(files fs.FS, name string) *template.Template {
	t := template.New("").Funcs(template.FuncMap{
		"when":  func(t time.Time) string { return t.In(zone()).Format("2 Jan 15:04:05") },
		"row":   func(account int, id, do, label string) rowForm { return rowForm{account, id, do, label} },
		"about": func(what string, all []Delivery) deliveryTable { return deliveryTable{what, all} },
	})
	return template.Must(template.Must(t.ParseFS(site, "site/frame.html")).ParseFS(files, name))
}

// rowForm is a button in a table.
type rowForm struct {
	Account       int
	ID, Do, Label string
}

// deliveryTable is a table of webhook deliveries, with what their events are about.
type deliveryTable struct {
	About string // Order, Sale
	All   []Delivery
}

// Page is a vendor's page, one for each account. It works without scripts; a
// POST leads back to it, and keeps what was looked for.
type Page struct {
	Vendor, Title string                    // upstock, Upstock
	Part          string                    // of the vendor's pages: catalogue; "" = the first
	Link          string                    // its name in the list of accounts: Orders at Upstock
	Call          string                    // a call that the form for faults suggests: POST /sale
	Ready         []ReadyFault              // a button each
	Template      func() *template.Template // has page.html, or that of its Part
	// Show returns the template's data for the n-th account.
	Show func(n int, f Frame) any
	// Press does what a button or form asks for: do, to id.
	Press func(n int, id, do string, r *http.Request) error
}

// Path is the page's path below that of its account.
func (p *Page) Path() string {
	if p.Part == "" {
		return p.Vendor
	}
	return p.Vendor + "/" + p.Part
}

func (p *Page) file() string {
	if p.Part == "" {
		return "page.html"
	}
	return p.Part + ".html"
}

// ReadyFault is a fault of the vendor that a button lays.
type ReadyFault struct {
	Label string
	Fault Fault
}

// Frame is what all pages have.
type Frame struct {
	Title   string
	Problem string
	Q       string // what is looked for
	Account *Account
	Number  int         // of the account
	Page    *Page       // of the vendor that is shown
	Pages   []*Page     // of all vendors
	Faults  []FaultView // of all vendors
}

// FaultView is a fault on a page.
type FaultView struct {
	Vendor string
	Fault
}

// Kinds are the kinds of faults that the form for faults offers.
func (Frame) Kinds() []string { return slices.Concat(callKinds, hookKinds[3:]) }

// Parcel is one shipment on a page.
type Parcel struct {
	What, Day, Carrier, Tracking, URL string // What: its boxes, or its id
	Shipped, Last                     bool   // it has left; it is the last of its order
}

type indexPage struct {
	Frame
	Accounts []Account
	Base     string
}

const shown = 40 // rows of a page's tables, newest first

// Found are the first rows of a list in which a text that is looked for occurs, whatever its case, as many as a page
// shows, and how many there are.
func Found[T any](rows []T, q string, texts func(T) []string) (first []T, all int) {
	q = Fold(strings.TrimSpace(q))
	for _, r := range rows {
		if q == "" || slices.ContainsFunc(texts(r), func(s string) bool { return strings.Contains(Fold(s), q) }) {
			if all++; all <= shown {
				first = append(first, r)
			}
		}
	}
	return first, all
}

// LastOf returns the end of a list as a page shows it, newest first.
func LastOf[T any](in []T) []T {
	out := slices.Clone(in[max(0, len(in)-shown):])
	slices.Reverse(out)
	return out
}

// Page adds a vendor's page.
func (c *Site) Page(p *Page) { c.pages = append(c.pages, p) }

func (c *Site) addPages() {
	c.handle("GET /sim/style.css", func(w http.ResponseWriter, r *http.Request) {
		css, _ := site.ReadFile("site/style.css")
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Write(css)
	})
	c.handle("GET /sim", func(w http.ResponseWriter, r *http.Request) {
		show(w, indexTemplate(), "index.html", indexPage{Frame: Frame{Title: "Simulated vendors", Pages: c.pages},
			Accounts: c.sim.Accounts(), Base: "http://" + r.Host})
	})
	c.handle("GET /sim/{$}", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/sim", http.StatusMovedPermanently)
	})
	c.handle("POST /sim/pages/accounts", redirectBack(func(r *http.Request) (string, error) {
		c.sim.AddAccount(r.FormValue("name"), strings.ToUpper(r.FormValue("currency")))
		return "/sim", nil
	}))
	for _, p := range c.pages {
		c.handle("GET /sim/pages/{account}/"+p.Path(), func(w http.ResponseWriter, r *http.Request) { c.show(w, r, p) })
		c.handle("POST /sim/pages/{account}/"+p.Path()+"/{id}/{do}",
			redirectBack(func(r *http.Request) (string, error) {
				account := r.PathValue("account")
				n, _ := strconv.Atoi(account)
				return "/sim/pages/" + url.PathEscape(account) + "/" + p.Path(),
					c.press(p, n, r.PathValue("id"), r.PathValue("do"), r)
			}))
	}
}

// press does what a button or form of a page asks for. Those for faults are the same on every page.
func (c *Site) press(p *Page, n int, id, do string, r *http.Request) error {
	switch do {
	case "ready":
		i, err := strconv.Atoi(id)
		if err != nil || i < 0 || i >= len(p.Ready) {
			return NotFound("Action")
		}
		return c.sim.Fault(p.Vendor, p.Ready[i].Fault)
	case "fault":
		seconds, _ := strconv.ParseFloat(r.FormValue("seconds"), 64)
		times, _ := strconv.Atoi(r.FormValue("times"))
		return c.sim.Fault(r.FormValue("vendor"), Fault{Match: r.FormValue("match"), Kind: r.FormValue("kind"),
			How: r.FormValue("how"), Seconds: seconds, Times: times})
	case "clear":
		for _, vendor := range c.sim.Vendors() {
			c.sim.ClearFaults(vendor)
		}
		return nil
	}
	return p.Press(n, id, do, r)
}

func (c *Site) handle(pattern string, f func(http.ResponseWriter, *http.Request)) {
	c.mux.Handle(pattern, c.guard.Handler(http.HandlerFunc(f)))
}

func (c *Site) show(w http.ResponseWriter, r *http.Request, p *Page) {
	n, _ := strconv.Atoi(r.PathValue("account"))
	all := c.sim.Accounts()
	if n < 1 || n > len(all) {
		http.NotFound(w, r)
		return
	}
	a := &all[n-1]
	frame := Frame{Title: a.Name + " at " + p.Title, Problem: r.FormValue("problem"), Q: r.FormValue("q"), Account: a,
		Number: n, Page: p, Pages: c.pages}
	for _, vendor := range c.sim.Vendors() {
		for _, f := range c.sim.Faults(vendor) {
			frame.Faults = append(frame.Faults, FaultView{vendor, f})
		}
	}
	show(w, p.Template(), p.file(), p.Show(n, frame))
}

// show renders to a buffer first, so that half a page is never sent.
func show(w http.ResponseWriter, t *template.Template, name string, page any) {
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, name, page); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy",
		"default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	w.Write(out.Bytes())
}

// redirectBack answers a form by a redirect to its page, with the problem if there was one.
func redirectBack(f func(*http.Request) (string, error)) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		to, err := f(r)
		query := url.Values{}
		if q := r.FormValue("q"); q != "" {
			query.Set("q", q)
		}
		if err != nil {
			query.Set("problem", err.Error())
		}
		if len(query) > 0 {
			to += "?" + query.Encode()
		}
		http.Redirect(w, r, to, http.StatusSeeOther)
	}
}
