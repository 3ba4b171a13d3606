package console

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/parallel"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/completeness"
	"stockbridge/internal/upstockcin7/order"
)

// exportAbout adds what there is little of.
func (a *api) exportAbout(ctx context.Context, e *export, _ string) (string, error) {
	id := e.Tenant.ID
	connections := []connectionAnswer{}
	for _, sys := range tenant.Systems() {
		if c, ok := e.Connections[sys]; ok {
			ans := connectionOf(e.Bundle, c)
			ans.Gaps = gapsOf(e.Tenant, c)
			connections = append(connections, ans)
		}
	}
	sections, _ := a.stored(e.Bundle)
	settings, err := tenant.Write(nil, sections...)
	if err != nil {
		return "", err
	}
	flows := []flowAnswer{}
	for _, f := range order.Flows() {
		flow, err := a.flowOf(ctx, e.Bundle, f)
		if err != nil {
			return "", err
		}
		flows = append(flows, flow)
	}
	jobs, err := a.jobs(ctx, e.Bundle)
	if err != nil {
		return "", err
	}
	backfill, err := a.Pair.BackfillState(ctx, id)
	if err != nil {
		return "", err
	}
	al, err := a.Alerts.Get(ctx, id)
	if err != nil {
		return "", err
	}
	for _, f := range []struct {
		name string
		v    any
	}{
		{"tenant.json", e.Tenant}, {"connections.json", connections}, {"settings.json", json.RawMessage(settings)},
		{"flows.json", flows}, {"jobs.json", jobs}, {"backfill.json", backfillOf(backfill)},
		{"alerts.json", a.alertsOf(al, "", false)},
	} {
		if err := e.json(f.name, f.v); err != nil {
			return "", err
		}
	}
	if err := a.exportPeople(ctx, e); err != nil {
		return "", err
	}
	return "", a.exportTokens(ctx, e)
}

func (a *api) exportPeople(ctx context.Context, e *export) error {
	people, err := a.Desk.People(ctx, e.Tenant.ID)
	if err != nil {
		return err
	}
	l := e.list("people", "name", "email", "role", "signedIn")
	for _, p := range people {
		p = withoutOperator(p)
		ans := personAnswer{p.Name, known(p.Email), p.Role, p.Since.UTC()}
		if err := l.add(ans, p.Name, p.Email, string(p.Role), e.at(p.Since)); err != nil {
			return err
		}
	}
	return nil
}

func (a *api) exportTokens(ctx context.Context, e *export) error {
	l := e.list("tokens", "id", "name", "role", "created", "expires", "by", "lastUsed")
	for after := ""; ; {
		tokens, next, err := a.Tenants.Tokens(ctx, e.Tenant.ID, after, maxPage)
		if err != nil {
			return err
		}
		for _, t := range tokens {
			if err := l.add(tokenOf(t), t.ID, t.Name, string(t.Role), e.at(t.Created), e.at(t.Expires), t.By,
				e.at(t.Used)); err != nil {
				return err
			}
		}
		if after = next; next == "" {
			return nil
		}
	}
}

func (a *api) exportVersions(ctx context.Context, e *export, after string) (string, error) {
	before, _ := strconv.Atoi(after) // none = from the newest on
	list, more, err := a.versionsOf(ctx, e.Tenant.ID, before, maxPage)
	if err != nil {
		return "", err
	}
	l := e.list("settings-versions", "version", "at", "by", "changed")
	for _, v := range list {
		if err := l.add(v, strconv.Itoa(v.Version), e.at(v.At), text(v.By), strings.Join(v.Changed, " ")); err != nil {
			return "", err
		}
	}
	if !more {
		return "", nil
	}
	return strconv.Itoa(list[len(list)-1].Version), nil
}

// exportedAtOnce is how many rows of a list are read at once.
const exportedAtOnce = 500

// exportedLink is a link with what it leads from.
type exportedLink struct {
	From string `json:"from"`
	ledger.Link
}

// exportLinks exports the links of a kind.
func exportLinks(kind string) func(*api, context.Context, *export, string) (string, error) {
	return func(a *api, ctx context.Context, e *export, after string) (string, error) {
		links, next, err := a.Ledger.ListLinks(ctx, e.Tenant.ID, kind, after, exportedAtOnce)
		if err != nil {
			return "", err
		}
		l := e.list("links-"+kind, "from", "name", "to", "at", "by")
		for _, to := range links {
			if err := l.add(exportedLink{to.From, to.Link}, to.From, to.Name, to.ID, e.at(to.At), to.By); err != nil {
				return "", err
			}
		}
		return next, nil
	}
}

// exportReport exports the last comparison of both sides; after is how many of its orders earlier parts hold.
func (a *api) exportReport(ctx context.Context, e *export, after string) (string, error) {
	c, err := a.Pair.Completeness.Last(ctx, e.Tenant.ID, time.Time{}, time.Time{})
	if err != nil || c.Checked.IsZero() {
		return "", err
	}
	skip, _ := strconv.Atoi(after)
	if skip == 0 {
		if err := e.json("completeness.json", completenessOf(c, e.zone)); err != nil {
			return "", err
		}
	}
	l, n := e.list("completeness-orders", comparedColumns()...), 0
	for row, err := range a.Pair.Completeness.Rows(ctx, e.Tenant.ID, c) {
		if errors.Is(err, completeness.ErrRowsGone) {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		if n++; n <= skip {
			continue
		}
		if err := l.add(row, comparedCells(row, e.zone)...); err != nil {
			return "", err
		}
		if n%exportedAtOnce == 0 && e.full() {
			return strconv.Itoa(n), nil
		}
	}
	return "", nil
}

func (a *api) exportEvents(ctx context.Context, e *export, after string) (string, error) {
	events, next, err := a.Ledger.Events(ctx, e.Tenant.ID, after, exportedAtOnce)
	if err != nil {
		return "", err
	}
	l := e.list("events", eventColumns()...)
	for _, ev := range events {
		if err := l.add(eventOf(ev), eventCells(ev, e.zone)...); err != nil {
			return "", err
		}
	}
	return next, nil
}

// exportedOrders is how many orders are read at once: one may be large.
const exportedOrders = 5

// isOrdersPlace reports whether an export's orders may go on there: after an order, and after so many files of the next
// one.
func isOrdersPlace(s string) bool {
	key, files, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(files)
	return err == nil && n >= 0 && (key == "" || ledger.Kind{IsID: order.IsID}.IsRunsAfter(key))
}

// exportOrders exports the orders, newest first. Of one that is too large for a part the files go on in the next.
func (a *api) exportOrders(ctx context.Context, e *export, after string) (string, error) {
	key, files, _ := strings.Cut(after, "/")
	skip, _ := strconv.Atoi(files)
	runs, next, err := a.Orders.Runs(ctx, e.Tenant.ID, key, exportedOrders)
	if err != nil {
		return "", err
	}
	all := make([][]orderFile, len(runs))
	if err := parallel.Each(len(runs), slices.Values(runs), func(run *order.Order) (err error) {
		all[slices.Index(runs, run)], err = a.filesOf(ctx, e, run)
		return err
	}); err != nil {
		return "", err
	}
	for i, run := range runs {
		added, err := e.order(run, all[i], skip)
		if err != nil {
			return "", err
		}
		if e.whole {
			return fmt.Sprintf("%s/%d", key, skip+added), nil
		}
		if key, skip = fmt.Sprintf("%020s", run.ID), 0; e.full() && (next != "" || i < len(runs)-1) {
			return key + "/0", nil
		}
	}
	if next == "" {
		return "", nil
	}
	return next + "/0", nil
}

// exportedOrder is an order with all that is known of it. The lines of its story name their calls.
type exportedOrder struct {
	orderAnswer
	Timeline []exportedEntry `json:"timeline"`
}

type exportedEntry struct {
	At    time.Time `json:"at"`
	Text  string    `json:"text"`
	Times int       `json:"times,omitempty"`
	Call  int       `json:"call,omitempty"`
}

// order adds an order's files but for the first so many, as many as there is room for, and its row where the last of
// them is added.
func (e *export) order(run *order.Order, files []orderFile, skip int) (added int, err error) {
	for i, f := range files[min(skip, len(files)):] {
		if !e.room(orderFolder(run.ID)+f.name, f.data) {
			return i, nil
		}
		added++
	}
	it := itemOf(e.Bundle, run)
	var problems []string
	for _, p := range run.Problems {
		problems = append(problems, p.Message)
	}
	l := e.list("orders", "id", "orderNumber", "reference", "customer", "state", "currency", "total", "saleNumber",
		"saleTotal", "receivedAt", "approvedAt", "soldAt", "cancelledAt", "shipments", "problems")
	return added, l.add(it, run.ID, run.Number, run.Reference, run.Customer, string(run.State), run.Currency, run.Total,
		run.SaleNumber, run.SaleTotal, e.at(run.Received), e.at(run.Approved), e.at(run.SoldAt), e.at(run.Cancelled),
		strconv.Itoa(it.Shipments), strings.Join(problems, " "))
}

// orderFile is one of an order's files.
type orderFile struct {
	name string
	data []byte
}

// callsInFile is how many bytes of calls one file holds.
const callsInFile = 1 << 20

// filesOf are an order's files, always in the same order.
func (a *api) filesOf(ctx context.Context, e *export, run *order.Order) (files []orderFile, err error) {
	exchanges, err := a.Orders.Exchanges(ctx, run)
	if err != nil {
		return nil, err
	}
	_, now, plan, err := a.Orders.Load(ctx, e.Tenant.ID, run.ID)
	if err != nil {
		return nil, err
	}
	story := exportedOrder{orderAnswer: answerOf(e.Bundle, run, nil, time.Now()), Timeline: []exportedEntry{}}
	for _, line := range run.Timeline {
		story.Timeline = append(story.Timeline, exportedEntry{line.At, line.Text, line.Times, line.Exchange})
	}
	data, err := json.MarshalIndent(story, "", "  ")
	if err != nil {
		return nil, err
	}
	files = append(files, orderFile{"order.json", data})
	received := now
	if run.Has("fresh") {
		files = append(files, orderFile{"fresh.json", now})
		if received, err = a.Orders.Received(ctx, run); err != nil {
			return nil, err
		}
	}
	files = append(files, orderFile{"received.json", received})
	if plan != nil {
		files = append(files, orderFile{"plan.json", plan})
	}
	calls, err := callFiles(exchanges)
	return append(files, calls...), err
}

// callFiles are the files of an order's calls.
func callFiles(exchanges []ledger.Exchange) (files []orderFile, err error) {
	var list []json.RawMessage
	size := 0
	flush := func() error {
		data, err := json.MarshalIndent(list, "", "  ")
		files = append(files, orderFile{fmt.Sprintf("calls-%d.json", len(files)+1), data})
		list, size = nil, 0
		return err
	}
	for _, x := range exchanges {
		data, err := json.Marshal(x)
		if err != nil {
			return nil, err
		}
		if size += len(data); size > callsInFile && len(list) > 0 {
			if err := flush(); err != nil {
				return nil, err
			}
			size = len(data)
		}
		list = append(list, data)
	}
	if len(list) > 0 {
		err = flush()
	}
	return files, err
}

// orderFolder is the folder of an order's files. What no file's name should have stands as something else in it.
func orderFolder(id string) string {
	plain := strings.Map(func(c rune) rune {
		if c == '-' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			return c
		}
		return '_'
	}, id)
	if plain != id { // so may another's
		sum := sha256.Sum256([]byte(id))
		plain += "-" + hex.EncodeToString(sum[:4])
	}
	return "orders/" + cmp.Or(plain, "_") + "/"
}
