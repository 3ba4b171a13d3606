package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/sale"
)

// An export is everything that is kept of a tenant, without its secrets. One answer holds so much of it as fits and as
// there is time for: a part, which is a whole ZIP file that says where the next one is. A part begins where the one
// before it ended, and reads no more than it holds.

const (
	// exportEnough ends a part that is as large: pages of lists are added whole.
	exportEnough = 3 << 20
	// exportMost is how large a part may become by one more file. Where a file alone is larger, it is a part of its
	// own: none is so large that it does not fit into an answer.
	exportMost = 4<<20 - 128<<10
	exportTime = 12 * time.Second // for one part
)

// exportPlace is where an export goes on: what after says in its address.
type exportPlace struct {
	Part    int    `json:"p"`           // which part begins there, from 1
	Section string `json:"s"`           // whose turn it is
	After   string `json:"a,omitempty"` // of the section: what earlier parts hold; "" = nothing of it
}

func (p exportPlace) String() string {
	data, _ := json.Marshal(p)
	return base64.RawURLEncoding.EncodeToString(data)
}

// exportSection is a part of what is kept, which is exported page by page.
type exportSection struct {
	name string
	// page adds what comes after a place. next is where the section goes on; "" = nothing is left of it.
	page  func(a *api, ctx context.Context, e *export, after string) (next string, err error)
	after func(string) bool // reports whether a page may have ended there
}

// exportSections are what an export holds, in its order. They are made when they are asked for: as a variable, every
// function would carry what exports.
func exportSections() []exportSection {
	return []exportSection{
		{"about", (*api).exportAbout, func(string) bool { return false }},
		{"settings", (*api).exportVersions, isCount},
		{"customers", exportLinks(sale.CustomerLinks), cursor},
		{"products", exportLinks(sale.ProductLinks), cursor},
		{"importedProducts", (*api).exportImportedProducts, cursor},
		{"importedCustomers", (*api).exportImportedCustomers, cursor},
		{"priceChanges", (*api).exportPriceChanges, cursor},
		{"joorCustomers", (*api).exportJOORCustomers, cursor},
		{"joorMatches", (*api).exportJOORMatches, cursor},
		{"completeness", (*api).exportReport, isCount},
		{"events", (*api).exportEvents, ledger.IsEventKey},
		{"orders", (*api).exportOrders, isOrdersPlace},
	}
}

// isCount reports whether an export's place is a number, from 1.
func isCount(s string) bool {
	n, err := strconv.Atoi(s)
	return err == nil && n > 0
}

// exportStart is where an address has an export go on.
func exportStart(after string) (at exportPlace, err error) {
	if after == "" {
		return exportPlace{Part: 1, Section: exportSections()[0].name}, nil
	}
	data, err := base64.RawURLEncoding.DecodeString(after)
	if err != nil || json.Unmarshal(data, &at) != nil || at.String() != after || at.Part < 2 {
		return at, unknownAfter()
	}
	for _, s := range exportSections() {
		if s.name == at.Section && (at.After == "" || s.after(at.After)) {
			return at, nil
		}
	}
	return at, unknownAfter()
}

// export is a part of an export while it is made.
type export struct {
	archive
	tenant.Bundle
	zone  *time.Location
	lists map[string]*rows // those that still grow
	until time.Time
	whole bool // what comes next has no room
}

// list is a list of the part.
func (e *export) list(name string, columns ...string) *rows {
	l, ok := e.lists[name]
	if !ok {
		l = e.beginRows(name, columns...)
		e.lists[name] = l
	}
	return l
}

// json adds a file.
func (e *export) json(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	e.members = append(e.members, e.file(name, append(data, '\n')))
	return nil
}

// room adds a file if there is room for it.
func (e *export) room(name string, data []byte) bool {
	m, size := e.file(name, data), e.size()
	if size > 0 && size+m.packed()+m.beside() > exportMost {
		e.whole = true
		return false
	}
	e.members = append(e.members, m)
	return true
}

func (e *export) size() int {
	n := e.archive.size()
	for _, l := range e.lists {
		n += l.packed()
	}
	return n
}

// full reports whether the part is to end.
func (e *export) full() bool { return e.whole || e.size() >= exportEnough || time.Now().After(e.until) }

// at is an instant in the tables.
func (e *export) at(t time.Time) string { return fileTime(t, e.zone) }

// fileTime is an instant as files have it; none is empty.
func fileTime(t time.Time, zone *time.Location) string {
	if t.IsZero() {
		return ""
	}
	return t.In(zone).Format(time.RFC3339)
}

// exportPart makes the part that begins at a place. next is where the next one does; nil = it was the last.
func (a *api) exportPart(
	ctx context.Context, b tenant.Bundle, at exportPlace,
) (e *export, next *exportPlace, err error) {
	e = &export{Bundle: b, zone: zoneOf(b), lists: map[string]*rows{}, until: time.Now().Add(exportTime)}
	next, err = a.fillPart(ctx, e, at)
	return e, next, err
}

// fillPart fills a part from a place on, until it is full. A page is added in any case, so that each part gets on.
func (a *api) fillPart(ctx context.Context, e *export, at exportPlace) (next *exportPlace, err error) {
	sections := exportSections()
	begin := slices.IndexFunc(sections, func(s exportSection) bool { return s.name == at.Section })
	for i, s := range sections[begin:] {
		for after := at.After; ; {
			if after, err = s.page(a, ctx, e, after); err != nil {
				return nil, fmt.Errorf("export %s: %w", s.name, err)
			}
			if after == "" {
				break
			}
			if e.full() {
				return &exportPlace{at.Part + 1, s.name, after}, nil
			}
		}
		if left := sections[begin+i+1:]; len(left) > 0 && e.full() {
			return &exportPlace{at.Part + 1, left[0].name, ""}, nil
		}
		at.After = ""
	}
	return nil, nil
}

// exportManifest says what a part holds.
type exportManifest struct {
	Tenant   tenant.Tenant    `json:"tenant"`
	Part     int              `json:"part"`
	Exported time.Time        `json:"exported"`
	Next     *string          `json:"next"` // address of the next part; null: this is the last one
	Files    []exportedMember `json:"files"`
}

type exportedMember struct {
	Name  string `json:"name"`
	Bytes uint64 `json:"bytes"`
	Rows  *int   `json:"rows,omitempty"`
}

// zip is the part as it is answered. next is the address of the next one.
func (e *export) zip(part int, next string) ([]byte, error) {
	for _, l := range e.lists {
		e.endRows(l)
	}
	slices.SortStableFunc(e.members, func(x, y *member) int { return strings.Compare(x.name, y.name) })
	m := exportManifest{Tenant: e.Tenant, Part: part, Exported: time.Now().UTC(), Next: known(next),
		Files: []exportedMember{}}
	for _, one := range e.members {
		listed := exportedMember{Name: one.name, Bytes: one.bytes}
		if one.list {
			listed.Rows = &one.rows
		}
		m.Files = append(m.Files, listed)
	}
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	return e.bytes(e.file("README.txt", []byte(exportReadme(m))), e.file("manifest.json", append(data, '\n')))
}

func exportReadme(m exportManifest) string {
	where := "It is the last part.\n"
	if m.Next != nil {
		where = "It is not all. The next part is at\n\n    " + *m.Next + "\n\nof the same server.\n"
	}
	return fmt.Sprintf("Everything that Stockbridge keeps of %s (%s): part %d, of %s.\n%s%s", m.Tenant.Name,
		m.Tenant.ID, m.Part, m.Exported.Format(time.RFC3339), where, exportContents)
}

// exportContents says what an export holds.
const exportContents = `
Each part holds some of these files. manifest.json lists the ones of this part.

tenant.json             the tenant
connections.json        what is connected, without its keys
settings.json           the settings as they are, as the JSON API takes them
settings-versions       each version of them: who saved it, when, and what changed
flows.json              what is paused
alerts.json             whom to tell of what needs somebody, and what was told
jobs.json               how far each job is
backfill.json           the last backfill
tokens                  the API tokens: their names and roles. The tokens themselves are not kept
people                  who has signed in within a year
links-customer          which card of Cin7 Core each customer of Upstock is
links-product           which product of Cin7 Core each SKU of Upstock is
imported-products       the products that are to be in Upstock, and how each stands there
imported-customers      the customers that are, likewise
price-changes           how prices changed in Upstock's lists within 90 days
joor-customers          the customers that JOOR was told of, or cannot be, and how each stands there
joor-matches            which connections of JOOR's they were found to be, and who decided about that
completeness.json       what the last comparison of both systems found
completeness-orders     and its orders
events                  what happened within 90 days, and who did it
orders                  the orders, newest first
orders/…/order.json     an order: its state, sale, parcels, problems, and its whole story
orders/…/received.json  the order as Upstock sent it
orders/…/fresh.json     the order as it was read again
orders/…/plan.json      the sale as it was planned
orders/…/calls….json    requests and answers of the order, for 90 days. A line of its story says its call's number

Lists are there twice: as .json and as .csv, a table for a spreadsheet. A text in a table that a spreadsheet would take
for a formula has a ' in front. Instants are in UTC in .json, and in the tenant's time zone in .csv.

Keys, tokens, webhook secrets and addresses are in none of the files. Nor are the copies of the systems' own records, which
they export themselves.
`

func exportPath(tenantID string) string { return tenantPath(tenantID) + "/export" }

// export answers a part of everything that is kept of the tenant.
func (a *api) export(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	at, err := exportStart(r.URL.Query().Get("after"))
	if err != nil {
		return err
	}
	e, goesOn, err := a.exportPart(r.Context(), b, at)
	if err != nil {
		return err
	}
	next := ""
	if goesOn != nil {
		next = r.URL.Path + "?after=" + goesOn.String()
		w.Header().Set("Link", "<"+next+`>; rel="next"`)
	}
	data, err := e.zip(at.Part, next)
	if err != nil {
		return err
	}
	// Nobody gets a part of which no event tells.
	if err := a.Ledger.Record(r.Context(), b.Tenant.ID, ledger.Event{Kind: "export",
		Text: fmt.Sprintf("Everything that is kept of the tenant was exported: part %d.", at.Part)}); err != nil {
		return err
	}
	name := fmt.Sprintf("stockbridge-%s-%s-%d.zip", b.Tenant.ID, time.Now().In(e.zone).Format(time.DateOnly), at.Part)
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	write(w, r, http.StatusOK, "application/zip", data)
	return nil
}
