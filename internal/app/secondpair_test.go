package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/publish"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/vendor"
)

// This file is the test that the house takes another pair: two vendors that are made up, a connection to each, a job
// over a window, a set that is published to a side which answers later, and a setting. What stands between the two
// lines is all that such a pair has to write, and copies no mechanism. It stands in this package, whose clients' times
// and limits it uses; a real pair has a package of its own, and beside it only a client, a row of App.vendors and the
// titles of its systems.

// ---- the pair

// The vendors: growers list what they have picked, and shops are told of it.
const growers, shops tenant.System = "growers", "shops"

// orchard is the business between growers and shops.
type orchard struct {
	vendor.Quiet
	job.NoWork
	app       *App
	publisher *publish.Publisher
}

// crate is what a grower has picked.
type crate struct {
	ID, Fruit string
	Changed   time.Time
}

// label is the pair's section of the settings.
type label struct{ Prefix string }

func (l *label) Fields() []tenant.Field {
	return []tenant.Field{{Name: "cratePrefix", To: &l.Prefix, Max: 10,
		Help: "What a shop sees before a fruit's name."}}
}

func (l *label) Check() tenant.FieldErrors { return nil }

func (o *orchard) Settings() []tenant.Section { return []tenant.Section{&label{Prefix: "Fresh"}} }
func (o *orchard) CatalogWork() job.Work      { return job.Work{"crates": o.crates, "shelf": o.shelf} }

func (o *orchard) Jobs() []job.Kind {
	return []job.Kind{{
		Name: "crates", Help: "What was picked, told to the shop", Needs: []tenant.System{growers, shops},
		List: growers, Every: 10 * time.Minute, Queue: job.Catalog, Class: limit.Second, Sync: true,
	}, {
		Name: "shelf", Help: "What should be on the shop's shelf", Needs: []tenant.System{growers, shops},
		List: shops, Every: time.Hour, Queue: job.Catalog, Class: limit.Second, Sync: true,
	}}
}

// crates tells the shop of every crate that changed.
func (o *orchard) crates(ctx context.Context, p *job.Part) error {
	grower, shop, err := o.sides(ctx, p.Bundle.Connections)
	if err != nil {
		return err
	}
	l := o.Settings()[0].(*label)
	tenant.Read(p.Bundle.Settings, l)
	return job.Window[crate]{
		Title: "the growers' list of crates", Begin: time.Unix(1, 0), Passes: 3,
		Page: func(ctx context.Context, since time.Time, at string) (page job.Page[crate], err error) {
			q := url.Values{"since": {since.Format(time.RFC3339)}, "at": {at}}
			return page, grower.Do(ctx, http.MethodGet, "/crates", q, nil, &page)
		},
		Key: func(c crate) (string, time.Time) { return c.ID, c.Changed },
		Keep: func(ctx context.Context, rows []crate) (held time.Time, err error) {
			for _, c := range rows {
				body := map[string]string{"name": strings.TrimSpace(l.Prefix + " " + c.Fruit)}
				if err := shop.Do(ctx, http.MethodPut, "/goods/"+c.ID, nil, body, nil); err != nil {
					return held, err
				}
			}
			return held, nil
		},
	}.Read(ctx, p)
}

// shelf tells the shop which crates should be on its shelf.
func (o *orchard) shelf(ctx context.Context, p *job.Part) error {
	grower, shop, err := o.sides(ctx, p.Bundle.Connections)
	if err != nil {
		return err
	}
	_, err = o.publisher.Sync(ctx, p, publish.Set{
		Name: "shelf", Account: p.Connection().Account, Title: "crates", To: shelf{shop},
		Want: func(ctx context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
			return func(yield func(publish.Record, error) bool) {
				var page job.Page[crate]
				if err := grower.Do(ctx, http.MethodGet, "/crates", nil, nil, &page); err != nil {
					yield(publish.Record{}, err)
				}
				for _, c := range page.Rows {
					r := publish.Record{Key: publish.Key{ID: c.ID}, Data: fmt.Appendf(nil, "%q", c.Fruit)}
					if c.ID > after.ID && !yield(r, nil) {
						return
					}
				}
			}
		},
	})
	return err
}

// shelf is a shop's shelf. The shop gives a ticket for what it is told, and says later what it did.
type shelf struct{ shop *rest.Client }

func (shelf) Most() int { return 100 }

func (s shelf) Put(ctx context.Context, batch []publish.Telling) (a publish.Answer, err error) {
	return a, s.shop.Do(ctx, http.MethodPost, "/shelf", nil, batch, &a)
}

func (s shelf) Follow(ctx context.Context, ticket string, _ []publish.Telling) (a publish.Answer, err error) {
	return a, s.shop.Do(ctx, http.MethodGet, "/shelf/"+ticket, nil, nil, &a)
}

// sides are the clients of both vendors.
func (o *orchard) sides(ctx context.Context, c map[tenant.System]tenant.Connection) (g, s *rest.Client, err error) {
	keyOf, err1 := o.app.Vendors.Secrets(ctx, c[growers])
	keyTo, err2 := o.app.Vendors.Secrets(ctx, c[shops])
	return o.client(c[growers], keyOf), o.client(c[shops], keyTo), errors.Join(err1, err2)
}

// client calls a vendor with a connection's key.
func (o *orchard) client(c tenant.Connection, s tenant.Secrets) *rest.Client {
	base, _ := url.Parse(o.app.base(c.System))
	client := &rest.Client{Who: string(c.System), Base: base, HTTP: o.app.deps.HTTP, Limit: o.app.limiter(c, false),
		Sign: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+string(s.Key)) }}
	client.Hide(string(s.Key))
	o.app.client(client)
	return client
}

// vendors are the two rows of the table of vendors.
func (o *orchard) vendors() []vendor.Vendor {
	row := func(sys tenant.System) vendor.Vendor {
		return vendor.Vendor{
			System: sys, Base: "https://" + string(sys) + ".example",
			Budget: limit.Budget{Rates: []limit.Rate{{Calls: 100, Window: time.Minute}}},
			Fields: []vendor.Field{{Name: "farm", Is: vendor.AccountID}, {Name: "key", Is: vendor.Key}},
			Try: func(ctx context.Context, c tenant.Connection, s tenant.Secrets) (a vendor.Account, err error) {
				return a, o.client(c, s).Do(ctx, http.MethodGet, "/me", nil, nil, &a)
			},
		}
	}
	return []vendor.Vendor{row(growers), row(shops)}
}

// Connected has the first crates read as soon as both are connected.
func (o *orchard) Connected(ctx context.Context, c vendor.Change) error {
	if c.New == nil || c.System != growers && c.System != shops {
		return nil
	}
	return o.app.Jobs.Kick(ctx, c.New.Tenant, "crates")
}

// ---- its far sides, and what is expected of it

// farm is both far sides.
type farm struct {
	crates []crate
	goods  map[string]string
	shelf  map[string]string
	tasks  []publish.Telling // what the shop was told to put on its shelf, and has not yet
	status int               // instead of an answer; 0 = none
}

// putOnShelf does what the shop was told.
func (f *farm) putOnShelf() (a publish.Answer) {
	for _, t := range f.tasks {
		r := publish.Result{ID: t.ID}
		switch {
		case string(t.Data) == "null":
			delete(f.shelf, t.ID)
		case strings.Contains(string(t.Data), "Durian"):
			r.Refused = "It smells."
		default:
			f.shelf[t.ID] = string(t.Data)
		}
		a.Results = append(a.Results, r)
	}
	return a
}

func (f *farm) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	switch {
	case f.status != 0:
		w.WriteHeader(f.status)
	case r.Header.Get("Authorization") != "Bearer a-good-key":
		w.WriteHeader(http.StatusUnauthorized)
	case r.URL.Path == "/me":
		fmt.Fprint(w, `{"Name":"Tōtara Farm","Currency":"NZD"}`)
	case r.URL.Path == "/crates":
		json.NewEncoder(w).Encode(map[string]any{"Rows": f.crates, "Total": len(f.crates)})
	case r.Method == http.MethodPost:
		json.NewDecoder(r.Body).Decode(&f.tasks)
		fmt.Fprint(w, `{"Ticket":"7"}`)
	case r.URL.Path == "/shelf/7":
		json.NewEncoder(w).Encode(f.putOnShelf())
	case r.Method == http.MethodPut:
		var body struct{ Name string }
		json.NewDecoder(r.Body).Decode(&body)
		f.goods[strings.TrimPrefix(r.URL.Path, "/goods/")] = body.Name
		fmt.Fprint(w, "{}")
	}
	return w.Result(), nil
}

func TestHouseTakesAnotherPair(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) { takesAnotherPair(t, dir) })
}

func takesAnotherPair(t *testing.T, dir string) {
	store, err := table.Open(filepath.Join(dir, "s.db"), table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	box, err := tenant.OpenBox(filepath.Join(dir, "key"))
	if err != nil {
		t.Fatal(err)
	}
	far := &farm{goods: map[string]string{}, shelf: map[string]string{},
		crates: []crate{{"c1", "Feijoa", time.Now().Add(-time.Hour)}}}
	second := new(orchard)
	var sent []Message
	a := New(Deps{
		Table: store, Sealer: box, HTTP: far, Operators: tenant.OperatorsOf("operators-token"),
		Vendors: second.vendors(),
		Pairs: func(a *App) []Pair {
			second.app, second.publisher = a, publish.New(store, a.Ledger, publish.DefaultTimes())
			return []Pair{second}
		},
		Send: func(_ context.Context, q Queue, body []byte, _ string, _ time.Duration) error {
			if q != CatalogQueue {
				return errors.New("another queue")
			}
			sent = append(sent, Message{ID: fmt.Sprint(len(sent)), Body: string(body), Receives: 1})
			return nil
		},
	})
	console := a.Console(nil)
	api := func(method, path, body string, want int) string {
		t.Helper()
		r := httptest.NewRequest(method, "/api/v1/tenants"+path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer operators-token")
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if console.ServeHTTP(w, r); w.Code != want {
			t.Fatalf("%s %s: %d %s", method, path, w.Code, w.Body)
		}
		return w.Body.String()
	}
	work := func() {
		t.Helper()
		batch := sent
		if sent = nil; len(batch) == 0 {
			t.Fatal("nothing was sent")
		}
		if failed := a.Catalog(t.Context(), batch); failed != nil {
			t.Errorf("%v failed", failed)
		}
	}
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(api("POST", "", `{"name":"Tōtara Farm"}`, 201)), &made); err != nil {
		t.Fatal(err)
	}
	at := "/" + made.ID
	api("POST", at+"/sync/crates", "", 409) // not connected yet
	api("PUT", at+"/connections/growers", `{"farm":"7","key":"a-bad-key"}`, 422)
	api("PUT", at+"/connections/growers", `{"farm":"7","key":"a-good-key"}`, 200)
	if got := api("PUT", at+"/connections/shops", `{"farm":"8","key":"a-good-key"}`, 200); !strings.Contains(got,
		"Tōtara Farm") {
		t.Errorf("%s", got)
	}
	work()
	if far.goods["c1"] != "Fresh Feijoa" {
		t.Errorf("the shop has %v", far.goods)
	}
	api("PATCH", at+"/settings", `{"cratePrefix":"far too long a text"}`, 422)
	api("PATCH", at+"/settings", `{"cratePrefix":"Ripe"}`, 200)
	far.crates = append(far.crates, crate{"c2", "Tamarillo", time.Now()})
	api("POST", at+"/sync/crates", "", 202)
	work()
	if far.goods["c2"] != "Ripe Tamarillo" {
		t.Errorf("the shop has %v", far.goods)
	}
	again := func(status int) string {
		t.Helper()
		time.Sleep(time.Minute)
		far.status = status
		api("POST", at+"/sync/crates", "", 202)
		work()
		cur, err := a.Ledger.Cursor(t.Context(), made.ID, "crates")
		if err != nil {
			t.Fatal(err)
		}
		return cur.Problem
	}
	if got := again(503); !strings.Contains(got, "growers gave no usable answer (status 503)") {
		t.Errorf("out of order: %q", got)
	}
	if got := again(401); !strings.Contains(got, "growers") {
		t.Errorf("refused: %q", got)
	}
	if got := api("GET", at+"/connections/growers", "", 200); !strings.Contains(got, "needsReconnecting") {
		t.Errorf("%s", got)
	}
	far.status, far.crates[0].Fruit, far.crates[0].Changed = 0, "Guava", time.Now()
	time.Sleep(time.Minute)
	api("PUT", at+"/connections/growers", `{"key":"a-good-key"}`, 200)
	if work(); far.goods["c1"] != "Ripe Guava" {
		t.Errorf("the shop has %v", far.goods)
	}
	far.goods = map[string]string{}
	time.Sleep(10 * time.Minute)
	if err := a.Schedule(t.Context(), json.RawMessage(`{"job":"crates"}`)); err != nil {
		t.Fatal(err)
	}
	if work(); far.goods["c1"] != "Ripe Guava" {
		t.Errorf("by its schedule, the shop has %v", far.goods)
	}
	far.crates = append(far.crates, crate{"c3", "Durian", time.Now()})
	for _, want := range []string{`map[c1:"Guava" c2:"Tamarillo"]`, `map[c2:"Tamarillo"]`} {
		time.Sleep(time.Minute)
		api("POST", at+"/sync/shelf", "", 202)
		work() // the shop is told,
		time.Sleep(time.Minute)
		work() // and asked what it did
		if got := fmt.Sprint(far.shelf); got != want {
			t.Errorf("the shelf has %s, want %s", got, want)
		}
		far.crates = far.crates[1:]
	}
	p, err := a.Ledger.LastProgress(t.Context(), made.ID, "shelf")
	if err != nil || p.State != ledger.ProgressDone || len(p.Left) != 1 || p.Left[0].Why != "It smells." {
		t.Errorf("%+v, %v", p, err)
	}
}
