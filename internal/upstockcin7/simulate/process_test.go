package simulate

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/job"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	stored "stockbridge/internal/upstockcin7/order"
)

// process is one of ours, as Lambda keeps it: invoked, kept warm, invoked again.
type process struct {
	w      *world
	app    *app.App
	name   string
	id     int
	idle   bool
	dead   atomic.Bool
	asleep bool      // frozen once: it may outlive its invocation
	ends   time.Time // when Lambda ends the invocation that runs

	knows map[table.Key]string // the revision of each run as it read or wrote it last
}

// invocation is how long one may take.
const invocation = time.Minute

// hire takes a warm process of a function, or starts one.
func (w *world) hire(name string) *process {
	for _, p := range w.warm[name] {
		if p.idle && !p.dead.Load() && !w.chance(24) {
			p.idle = false
			return p
		}
	}
	w.processes++
	p := &process{w: w, name: name, id: w.processes, knows: map[table.Key]string{}}
	deps := app.Deps{
		Table: gateTable{p}, Sealer: w.box, HTTP: gateHTTP{p}, Send: p.send, PublicURL: "https://hooks.example.test",
		Operators: tenant.OperatorsOf("operator"),
		URLs: map[tenant.System]string{tenant.Upstock: "http://sim.test" + sim.PrefixUpstock,
			tenant.Cin7Core: "http://sim.test" + sim.PrefixCin7Core},
	}
	if skew := time.Duration(w.profile.skew * float64(w.stage.rng.IntN(2001)-1000) * float64(
		time.Millisecond)); skew != 0 {
		deps.Now = func() time.Time { return time.Now().Add(skew) }
	}
	p.app = app.New(deps)
	w.warm[name] = append(w.warm[name], p)
	return p
}

// invoke lets a process work on its own; over hears how it ended.
func (w *world) invoke(name string, work func(ctx context.Context, p *process), over func(p *process)) {
	p := w.hire(name)
	p.dead.Store(p.dead.Load() || w.down)
	p.ends = time.Now().Add(invocation)
	p.asleep = false
	w.busy++
	go func() {
		work(during{context.Background(), p.ends}, p)
		w.stage.park(context.Background(), p.label("ends"), atOnce)
		if p.overdue() {
			p.dead.Store(true)
		}
		w.busy--
		if over != nil {
			over(p)
		}
		if p.idle = !p.dead.Load(); !p.idle {
			w.warm[name] = without(w.warm[name], p)
		}
	}()
}

func without(list []*process, p *process) []*process {
	for i := range list {
		if list[i] == p {
			return append(list[:i:i], list[i+1:]...)
		}
	}
	return list
}

// during is an invocation's context: it tells its end, and is ended by nothing
// but the end of its process.
type during struct {
	context.Context
	ends time.Time
}

func (d during) Deadline() (time.Time, bool) { return d.ends, true }

// effect lets one outside effect happen, or go wrong. do answers what is told of
// it; special, if there is one, does what only some effects can suffer.
func (p *process) effect(
	ctx context.Context, c class, name string, takes pace, do func() error, special func(fault) (error, bool),
) error {
	w := p.w
	if p.dead.Load() {
		return errDead
	}
	if err := w.stage.park(ctx, p.label(name), takes); err != nil {
		return err
	}
	if p.overdue() {
		w.effect(p, name, dies, nil)
		p.dead.Store(true)
		return errDead
	}
	f := w.trouble(c, name)
	err, done := error(nil), false
	if f != none && special != nil {
		err, done = special(f)
	}
	if !done {
		err = p.suffer(c, f, name, do)
	}
	w.effect(p, name, f, err)
	return err
}

// label names a parked process; two of its goroutines never park for the same at once.
func (p *process) label(what string) string { return fmt.Sprintf("%06d %s", p.id, what) }

// overdue reports whether Lambda ended the process, or that it died before.
func (p *process) overdue() bool { return p.dead.Load() || !p.asleep && time.Now().After(p.ends) }

func (p *process) suffer(c class, f fault, name string, do func() error) error {
	w := p.w
	switch f {
	case failed:
		return lostBy(c)
	case lost:
		do()
		return lostBy(c)
	case late:
		w.lag++
		most := latest
		if strings.Contains(name, sim.PrefixUpstock) {
			most = latestTold
		}
		w.stage.at(w.between(time.Second, most), func() {
			w.lag--
			w.tell("%s takes effect late", name)
			w.tardy[time.Now().UTC()] = true
			do()
		})
		return lostBy(c)
	case dies:
		do()
		p.dead.Store(true)
		return errDead
	case diesFore:
		p.dead.Store(true)
		return errDead
	case stalls:
		d := w.nap()
		if c == vendorWrite {
			d = w.between(napLeast, latest)
		}
		p.sleeps(d)
		w.tardy[time.Now().UTC()] = true
	case pauses:
		err := do()
		d := w.nap()
		if c == vendorWrite && w.chance(128) { // long enough for all that untimely has people do
			d = w.between(napMost, coma)
		}
		p.sleeps(d)
		return err
	}
	return do()
}

// sleeps freezes the process: whatever it knew is old when it goes on.
func (p *process) sleeps(d time.Duration) {
	p.asleep = true
	p.w.stage.sleep(context.Background(), p.label("wakes"), d)
}

func lostBy(c class) error {
	switch c {
	case tableRead, tableWrite:
		return errStore
	case queueSend:
		return errQueue
	}
	return errReset
}

type gateTable struct{ p *process }

// Names of effects on the table leave out what is random and means nothing.
func keyName(k table.Key) string {
	sk := k.SK
	if i := strings.IndexByte(sk, '#'); i > 0 && !strings.HasPrefix(sk, "conn") && !strings.HasPrefix(sk, "body") &&
		!strings.HasPrefix(sk, "plan") {
		sk = sk[:i]
	}
	pk := k.PK
	if strings.HasPrefix(pk, "HOOK#") || strings.HasPrefix(pk, "TOKEN#") {
		pk = pk[:5]
	}
	if strings.HasSuffix(pk, "#event") {
		sk = ""
	}
	return pk + " " + sk
}

func (g gateTable) Get(ctx context.Context, keys ...table.Key) (items []table.Item, err error) {
	name := "get"
	if len(keys) > 0 {
		name += " " + keyName(keys[0])
	}
	err = g.p.effect(ctx, tableRead, name, ofTable, func() error {
		items, err = g.p.w.store.Get(ctx, keys...)
		for _, it := range items {
			if isRun(it.Key) {
				g.p.knows[it.Key] = it.Rev
			}
		}
		return err
	}, func(f fault) (error, bool) {
		if f == stalls && g.p.name == string(app.OrdersQueue) {
			g.p.w.untimely(g.p.w.keyed(keys...), f)
		}
		return nil, false
	})
	return items, err
}

func (g gateTable) Query(ctx context.Context, q table.Query) (page table.Page, err error) {
	err = g.p.effect(ctx, tableRead, "query "+keyName(table.Key{PK: q.PK}), ofTable,
		func() error { page, err = g.p.w.store.Query(ctx, q); return err }, nil)
	return page, err
}

func (g gateTable) List(ctx context.Context, q table.Query) (page table.Entries, err error) {
	err = g.p.effect(ctx, tableRead, "list "+q.PK, ofTable,
		func() error { page, err = g.p.w.store.List(ctx, q); return err }, nil)
	return page, err
}

func (g gateTable) Write(ctx context.Context, ops ...table.Op) error {
	name := "write"
	if len(ops) > 0 {
		name += " " + keyName(ops[0].Item.Key)
	}
	return g.p.effect(ctx, tableWrite, name, ofTable, func() error {
		judge := g.p.w.writesRun(g.p, ops)
		err := g.p.w.store.Write(context.Background(), ops...)
		judge(err)
		return err
	}, nil)
}

type gateHTTP struct{ p *process }

func (g gateHTTP) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, w := req.Context(), g.p.w
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	vendor, c := sim.Cin7Core, vendorRead
	if strings.HasPrefix(req.URL.Path, sim.PrefixUpstock) {
		vendor = sim.Upstock
	}
	if req.Method != http.MethodGet {
		c = vendorWrite
	}
	name := req.Method + " " + req.URL.RequestURI()
	if vendor == sim.Cin7Core {
		name += w.about(req, body)
	}
	var answer *http.Response
	call := func() error {
		r := req.Clone(context.Background())
		r.Body = io.NopCloser(bytes.NewReader(body))
		var err error
		answer, err = w.sim.Transport().RoundTrip(r)
		if err == nil && w.dates && answer.Header.Get("Date") == "" {
			answer.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		}
		if err == nil && c == vendorWrite && vendor == sim.Cin7Core {
			w.witness(g.p, req, answer)
		}
		if err == nil && c == vendorWrite && strings.Contains(req.URL.Path, "/shipments/") {
			if o := w.subject(req, body); o != nil {
				w.heedsPauses(o.shop, stored.ShipmentsFlow, "a shipment was told")
			}
		}
		return err
	}
	say := func(status int, kind, text string) error {
		answer = &http.Response{StatusCode: status, Status: http.StatusText(status),
			Header: http.Header{"Content-Type": {kind}},
			Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: io.NopCloser(strings.NewReader(text)),
			ContentLength: int64(len(text)), Request: req}
		if w.dates {
			answer.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
		}
		return nil
	}
	path := strings.TrimPrefix(req.URL.Path, sim.PrefixCin7Core)
	if c == vendorWrite {
		defer w.writes(g.p, w.subject(req, body), req.Method+" "+req.URL.Path)()
	}
	written := true
	err := g.p.effect(ctx, c, name, toVendor, call, func(f fault) (error, bool) {
		if c == vendorWrite || f == stalls {
			w.untimely(w.subject(req, body), f)
		}
		switch f {
		case unsent:
			written = false
			return errDial, true
		case hangs:
			call()
			g.p.w.stage.sleep(ctx, g.p.label("waits for an answer"), time.Hour)
			return context.DeadlineExceeded, true
		case throttle:
			return say(pick(w, 429, 503, 503), "text/plain", "You reached 60 calls per minute API limit"), true
		case page, pageDone:
			if f == pageDone {
				call()
			}
			return say(200, "text/html; charset=utf-8",
				"<!DOCTYPE html><html><body><h1>Please wait</h1></body></html>"), true
		case broken, brokenDone:
			if f == brokenDone {
				call()
			}
			return say(pick(w, 500, 502, 503, 504), "text/html", "<h1>Server Error</h1>"), true
		case stale:
			w.sim.Fault(vendor, sim.Fault{Match: "*", Kind: "stale", Seconds: w.between(time.Second, ago).Seconds()})
		case refuses:
			if vendor != sim.Cin7Core || !strings.HasPrefix(path, "/sale") {
				return nil, false
			}
			w.refusals++
			return say(400, "application/json", `[{"ErrorCode":400,"Exception":"The period is locked."}]`), true
		case ahead, blank:
			err := call()
			if err == nil && vendor == sim.Cin7Core && answer.StatusCode == 200 {
				raw, _ := io.ReadAll(answer.Body)
				return say(200, "application/json", spoilt(f, string(raw))), true
			}
			return err, true
		case unfiltered:
			w.sim.Fault(vendor, sim.Fault{Match: "*", Kind: "ignoreFilter"})
		case drifts:
			w.sim.Fault(vendor, sim.Fault{Match: "*", Kind: "drift", How: pick(w, "gone", "come", "")})
		default:
			return nil, false
		}
		return call(), true
	})
	if err == nil && !g.p.asleep {
		if late := w.stage.park(ctx, g.p.label("answer"), ofVendor); late != nil {
			err = late
		} else if g.p.overdue() {
			g.p.dead.Store(true)
			err = errDead
		}
	}
	if tr := httptrace.ContextClientTrace(ctx); written && err != errDead && tr != nil && tr.WroteRequest != nil {
		tr.WroteRequest(httptrace.WroteRequestInfo{})
	}
	if err != nil {
		return nil, err
	}
	return answer, nil
}

var (
	bodysID  = regexp.MustCompile(`"(?:ExternalID|SaleID|TaskID)":"([^"]+)"`)
	bodysOne = regexp.MustCompile(`upstock:\d+:(\d+)`)
	pathsOne = regexp.MustCompile(`/orders/(\d+)(?:/|$)`)
)

// about says for the story which order a call to Cin7 Core is about.
func (w *world) about(req *http.Request, body []byte) string {
	if w.story == nil {
		return ""
	}
	if o := w.subject(req, body); o != nil {
		return " of order " + strconv.Itoa(o.id)
	}
	return ""
}

// subject is the order that a call is about, nil where it does not say.
func (w *world) subject(req *http.Request, body []byte) *order {
	if m := pathsOne.FindStringSubmatch(req.URL.Path); m != nil {
		return w.orderOf(m[1])
	}
	id := cmp.Or(req.URL.Query().Get("ID"), req.URL.Query().Get("ExternalID"))
	if m := bodysID.FindSubmatch(body); m != nil {
		id = string(m[1])
	}
	if s := w.made[id]; s != nil {
		id = s.external
	}
	if m := bodysOne.FindStringSubmatch(id); m != nil {
		return w.orderOf(m[1])
	}
	return nil
}

// send puts a message into a queue.
func (p *process) send(ctx context.Context, q app.Queue, body []byte, _ string, delay time.Duration) error {
	return p.effect(ctx, queueSend, "send "+string(q)+" "+string(body), ofQueue, func() error {
		p.w.enqueue(q, app.Message{ID: "m", Body: string(body), Sent: time.Now()}, delay)
		return nil
	}, func(f fault) (error, bool) {
		if f == doubled {
			p.w.enqueue(q, app.Message{ID: "m", Body: string(body), Sent: time.Now()}, delay)
		}
		return nil, f == dropped
	})
}

// visibility is how long a message stays away when its work failed.
const visibility = 6 * time.Minute

// receives is how often a message comes before it is dead.
const receives = 5

// catalogueJobs are those of the catalogue, in messages.
var catalogueJobs = []string{"products", "customers", "prices"}

// leftOut reports whether a message is of a job that is not done in this world.
func (w *world) leftOut(m app.Message) bool {
	var of job.Message
	return !w.profile.catalogue && json.Unmarshal([]byte(m.Body), &of) == nil && slices.Contains(catalogueJobs, of.Job)
}

func (w *world) enqueue(q app.Queue, m app.Message, delay time.Duration) {
	if w.leftOut(m) {
		return
	}
	w.flying++
	most, away := receives, visibility
	if w.profile.receives > 0 && !w.calm {
		most, away = w.profile.receives, w.profile.visibility
	}
	w.stage.at(delay+w.between(5*time.Millisecond, 60*time.Millisecond), func() {
		m.Receives++
		name := string(q)
		if m.Receives > most {
			name = "deadletters"
		}
		var failed []string
		w.invoke(name, func(ctx context.Context, p *process) {
			batch := []app.Message{m}
			switch {
			case m.Receives > most:
				failed = p.app.DeadLetters(ctx, batch)
			case q == app.CatalogQueue:
				failed = p.app.Catalog(ctx, batch)
			case q == app.ShipmentsQueue:
				failed = p.app.Shipments(ctx, batch)
			default:
				failed = p.app.Orders(ctx, batch)
			}
		}, func(p *process) {
			w.flying--
			if (p.dead.Load() || len(failed) > 0) && m.Receives <= most+2 {
				w.enqueue(q, m, away)
			}
		})
	})
}

// schedule starts a job for everybody, as EventBridge Scheduler does.
func (w *world) schedule(job string) {
	w.tell("schedule: %s", job)
	w.invoke("schedule", func(ctx context.Context, p *process) {
		p.app.Schedule(ctx, []byte(`{"job":"`+job+`"}`))
	}, nil)
}

// cancelled is the type of Upstock's webhook for a cancelled order.
const cancelled = "order.cancelled"

// deliverer takes webhooks from the simulated vendors to a process of ours.
type deliverer struct{ w *world }

func (d deliverer) RoundTrip(req *http.Request) (*http.Response, error) {
	w := d.w
	body, _ := io.ReadAll(req.Body)
	req.Body.Close()
	alike := sim.DeliveryOf(req.Context()) // of two webhooks for one event
	w.stage.park(context.Background(), "webhook "+req.URL.Path+string(body)+alike, ofQueue)
	f := w.trouble(hookIn, "webhook "+req.URL.Path+" "+eventType(body))
	w.tell("webhook %s %s %s", req.URL.Path[:min(20, len(req.URL.Path))], short(body), f)
	switch f {
	case failed:
		return nil, errReset
	case dropped:
		return httptest.NewRecorder().Result(), nil
	}
	times := 1
	if f == doubled {
		times = 2
	}
	answers := make(chan *http.Response, times)
	for range times {
		w.invoke("webhook", func(ctx context.Context, p *process) {
			rec := httptest.NewRecorder()
			r := req.Clone(ctx)
			r.Body = io.NopCloser(bytes.NewReader(body))
			p.app.Webhook().ServeHTTP(rec, r)
			if p.dead.Load() {
				answers <- nil
				return
			}
			answers <- rec.Result()
		}, nil)
	}
	var answer *http.Response
	select {
	case answer = <-answers:
	case <-req.Context().Done():
		w.stage.park(context.Background(), "webhook given up "+string(body)+alike, atOnce)
	}
	if answer != nil && answer.StatusCode/100 == 2 {
		w.hears(body)
	}
	if answer == nil || f == lost {
		return nil, errReset
	}
	return answer, nil
}

// eventType is what a webhook tells of, as Upstock says it.
func eventType(body []byte) string {
	var e struct{ Type string }
	json.Unmarshal(body, &e)
	return e.Type
}

// hears notes when the cancellation of an order was taken in.
func (w *world) hears(body []byte) {
	var e struct {
		Data struct{ Order struct{ ID int } }
	}
	if json.Unmarshal(body, &e) != nil || eventType(body) != cancelled {
		return
	}
	for _, o := range w.orders {
		if o.id == e.Data.Order.ID && o.heard.IsZero() {
			o.heard = time.Now()
		}
	}
}

func short(body []byte) string {
	return string(body[:min(len(body), 90)])
}
