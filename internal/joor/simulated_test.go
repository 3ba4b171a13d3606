package joor_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/joor"
	"stockbridge/internal/rest"
	"stockbridge/internal/sim"
	simulated "stockbridge/internal/sim/joor"
)

// world is a simulated brand and a client of it.
type world struct {
	t    *testing.T
	sim  *sim.Sim
	acc  sim.Account
	v    *simulated.Vendor
	joor *joor.Client
}

func newWorld(t *testing.T, o sim.Options) *world {
	t.Helper()
	w := &world{t: t, v: simulated.New()}
	o.Seed = "joor"
	var err error
	if w.sim, err = sim.New(o, w.v); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.sim.Close() })
	w.acc = w.sim.AddAccount("Kauri & Fern", "NZD")
	w.joor = joor.New("http://sim.test"+sim.PrefixJOOR, w.sim.Transport(), nil, w.acc.JOOR.Token)
	return w
}

// control makes a call of the control API.
func (w *world) control(method, path, body string) []byte {
	w.t.Helper()
	req, err := http.NewRequest(method, "http://sim.test/sim/joor"+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := w.sim.Transport().RoundTrip(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusOK {
		w.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, got)
	}
	return got
}

// finish waits until a bulk job is finished.
func (w *world) finish(job joor.BulkJob) joor.BulkJob {
	w.t.Helper()
	for range 1000 {
		got, err := w.joor.BulkJob(w.t.Context(), job.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		if got.IsFinished() {
			return got
		}
		time.Sleep(time.Second)
	}
	w.t.Fatal("the job does not end")
	return job
}

// upload uploads connections and waits for the job's end.
func (w *world) upload(all ...joor.Connection) {
	w.t.Helper()
	job, err := w.joor.Upload(w.t.Context(), all)
	if err != nil {
		w.t.Fatal(err)
	}
	w.finish(job)
}

// TestUploadToConnection: a new one is in review for days, is there with an id after them, and is changed by its code.
func TestUploadToConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{})
		ctx := t.Context()
		x := shop()
		x.SalesRep = joor.SalesRep{Code: "7", Email: "Mere@kauri.example"}
		x.Group, x.PaymentMethods = joor.Named{Code: "RET"}, []joor.Named{{Name: "30 days"}}
		x.ShippingMethods, x.Warehouses = []joor.Named{{Code: "COURIER"}}, []joor.Named{{Name: "Main", Code: "MAIN"}}
		job, err := w.joor.Upload(ctx, []joor.Connection{x, {Code: "102", Name: "Nobody's"}})
		if err != nil || job.Status != joor.Queued || job.Records != 2 || job.Progress != 0 || job.Created.IsZero() {
			t.Fatalf("%+v, %v", job, err)
		}
		time.Sleep(1015 * time.Millisecond)
		if got, err := w.joor.BulkJob(ctx, job.ID); err != nil || got.Status != joor.Started || got.Progress != 1 {
			t.Errorf("%+v, %v", got, err)
		}
		if got := w.finish(job); got.Progress != 2 || got.Records != 2 {
			t.Errorf("%+v", got)
		}
		for _, code := range []string{"101", "102"} {
			if _, err := w.joor.ByCode(ctx, code); rest.KindOf(err) != rest.NotFound {
				t.Errorf("%s: %v", code, err)
			}
		}
		time.Sleep(48 * time.Hour)
		got, err := w.joor.ByCode(ctx, "101")
		want := x
		want.ID, want.Retailer = got.ID, "HARBOUR STREET BOUTIQUE"
		want.SalesRep = joor.SalesRep{Name: "Mere Parata", Code: "7", Email: "mere@kauri.example"}
		want.Group = joor.Named{Name: "Retail", Code: "RET"}
		want.PaymentMethods = []joor.Named{{Name: "30 days", Code: "NET30"}}
		want.ShippingMethods = []joor.Named{{Name: "Courier", Code: "COURIER"}}
		want.Billing = slices.Clone(x.Billing)
		want.Billing[0].ID = got.Billing[0].ID
		want.Shipping = slices.Clone(x.Shipping)
		want.Shipping[0].ID = got.Shipping[0].ID
		if diff := cmp.Diff(want, got); diff != "" || err != nil || got.ID == "" || got.Billing[0].ID == "" {
			t.Fatal(err, diff)
		}
		if byID, err := w.joor.ByID(ctx, got.ID); err != nil || !cmp.Equal(byID, got) {
			t.Errorf("%+v, %v", byID, err)
		}
		// The same again changes nothing; another name and a phone that went are there at once.
		x.Name, x.Shipping[0].Phone, x.Email = "Harbour Street", "", "jo@harbourstreet.example"
		w.upload(x)
		w.upload(x)
		again, err := w.joor.ByCode(ctx, "101")
		want.Name, want.Email, want.Shipping[0].Phone = x.Name, x.Email, ""
		if diff := cmp.Diff(want, again); diff != "" || err != nil {
			t.Error(err, diff)
		}
		var jobs struct {
			Items []struct {
				Results []struct{ Code, Outcome, Why string }
			}
		}
		if err := json.Unmarshal(w.control("GET", "/jobs?account="+w.acc.JOOR.Account, ""), &jobs); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(jobs); got != "{[{[{101 created } {102 refused customer_contact_email is required}]} "+
			"{[{101 updated }]} {[{101 updated }]}]}" {
			t.Error(got)
		}
	})
}

// TestChangeAndDelete: one connection is changed by its id, its code too, and taken away by its code.
func TestChangeAndDelete(t *testing.T) {
	w := newWorld(t, sim.Options{TinyPages: 4})
	ctx := t.Context()
	var all []joor.Connection
	for x, err := range w.joor.Connections(ctx, joor.ConnectionsQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	i := slices.IndexFunc(all, func(x joor.Connection) bool { return x.Name == "Totara Lane" })
	if len(all) != 13 || i < 0 || all[i].Code != "" {
		t.Fatalf("%d: %+v", len(all), all)
	}
	if calls := w.sim.Calls(sim.JOOR, ""); len(calls) != 4 || calls[0].Path != "/connection" {
		t.Errorf("%+v", calls)
	}
	lane := all[i]
	lane.Code, lane.Name = "1000003", "Tōtara Lane"
	if err := w.joor.Update(ctx, lane.ID, lane); err != nil {
		t.Fatal(err)
	}
	if got, err := w.joor.ByCode(ctx, "1000003"); err != nil || !cmp.Equal(got, lane) {
		t.Errorf("%v: %s", err, cmp.Diff(lane, got))
	}
	lane.Code = "K1002"
	err := w.joor.Update(ctx, lane.ID, lane)
	if refusal, ok := errors.AsType[*joor.Refusal](err); !ok || refusal.Code == 0 || refusal.LogID == "" ||
		rest.OutcomeOf(err) != rest.Refused || fmt.Sprint(rest.MessagesOf(err)) !=
		`[customer_code "K1002" is another connection's]` {
		t.Errorf("%v %v", err, rest.MessagesOf(err))
	}
	if err := w.joor.Update(ctx, "1", lane); rest.KindOf(err) != rest.NotFound {
		t.Error(err)
	}
	if err := w.joor.Delete(ctx, "1000003"); err != nil {
		t.Error(err)
	}
	if err := w.joor.Delete(ctx, "1000003"); rest.KindOf(err) != rest.NotFound {
		t.Error(err)
	}
	if _, err := w.joor.ByID(ctx, lane.ID); rest.KindOf(err) != rest.NotFound {
		t.Error(err)
	}
	var choices joor.Choices
	for x, err := range w.joor.Connections(ctx, joor.ConnectionsQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		choices.Add(x)
	}
	want := joor.Choices{PriceTypes: []joor.PriceType{{Currency: "NZD", Label: "Retail"},
		{Currency: "NZD", Label: "Wholesale"}, {Currency: "AUD", Label: "WholesaleAUD"},
		{Currency: "USD", Label: "WholesaleUSD"}}}
	if diff := cmp.Diff(want, choices); diff != "" {
		t.Error(diff)
	}
	if _, err := w.joor.Upload(ctx, nil); rest.OutcomeOf(err) != rest.Refused {
		t.Error(err)
	}
	if _, err := w.joor.BulkJob(ctx, "77"); rest.KindOf(err) != rest.NotFound {
		t.Error(err)
	}
}

// TestFaults: whatever goes wrong with a call, before or after it took effect, its outcome is said; and once it was
// made again, JOOR holds what it should, once.
func TestFaults(t *testing.T) {
	for _, fault := range []struct {
		kind, how string
		outcome   rest.Outcome
	}{
		{"before", "refused", rest.Refused}, {"before", "reset", rest.Unknown}, {"before", "500", rest.Unknown},
		{"before", "code", rest.Refused}, {"after", "reset", rest.Unknown}, {"after", "502", rest.Unknown},
		{"after", "html", rest.Unknown}, {"after", "timeout", rest.Unknown}, {"late", "", rest.Unknown},
		{"html", "", rest.Unknown}, {"throttle", "", rest.Refused}, {"throttle", "200", rest.Refused},
	} {
		t.Run(fault.kind+" "+fault.how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, sim.Options{NoLimits: true})
				w.control("PUT", "/accounts/"+w.acc.JOOR.Account, `{"reviewSeconds":1}`)
				ctx := t.Context()
				w.upload(with(shop(), "102"))
				time.Sleep(time.Minute)
				other, err := w.joor.ByCode(ctx, "102")
				if err != nil {
					t.Fatal(err)
				}
				var job joor.BulkJob
				for _, c := range []struct {
					name string
					call func() error
				}{
					{"POST /bulk-connection", func() (err error) {
						job, err = w.joor.Upload(ctx, []joor.Connection{shop()})
						return err
					}},
					{"GET /bulk-connection/1", func() error { _, err := w.joor.BulkJob(ctx, "1"); return err }},
					{"GET /connection", func() error {
						_, err := w.joor.ConnectionsPage(ctx, joor.ConnectionsQuery{Count: 1})
						return err
					}},
					{"GET /connection/customer_code/102",
						func() error { _, err := w.joor.ByCode(ctx, "102"); return err }},
					{"GET /connection/" + other.ID, func() error { _, err := w.joor.ByID(ctx, other.ID); return err }},
					{"PUT /connection/" + other.ID, func() error {
						return w.joor.Update(ctx, other.ID, with(shop(), "103"))
					}},
					{"DELETE /connection", func() error { return w.joor.Delete(ctx, "CU-7512") }},
				} {
					f := sim.Fault{Match: c.name, Kind: fault.kind, How: fault.how, Seconds: 5}
					if err := w.sim.Fault(sim.JOOR, f); err != nil {
						t.Fatal(err)
					}
					before := time.Now()
					if err := c.call(); rest.OutcomeOf(err) != fault.outcome || time.Since(before) > 20*time.Second {
						t.Errorf("%s: %v after %v", c.name, err, time.Since(before))
					}
					time.Sleep(10 * time.Second)
					done := c.name == "DELETE /connection" && fault.kind != "before" // by the call that seemed to fail
					if err := c.call(); err != nil && (!done || rest.KindOf(err) != rest.NotFound) {
						t.Errorf("%s again: %v", c.name, err)
					}
				}
				w.finish(job)
				time.Sleep(time.Minute)
				held := map[string]int{}
				for x, err := range w.joor.Connections(ctx, joor.ConnectionsQuery{}) {
					if err != nil {
						t.Fatal(err)
					}
					held[x.Code]++
				}
				if held["101"] != 1 || held["103"] != 1 || held["102"] != 0 || held["CU-7512"] != 0 {
					t.Errorf("%v", held)
				}
			})
		})
	}
}

func with(x joor.Connection, code string) joor.Connection {
	x.Code, x.Name = code, x.Name+" "+code
	return x
}

// TestTokens: a token that is not the account's is refused in every call, and no secret is recorded, however JOOR or
// the wire writes it.
func TestTokens(t *testing.T) {
	w := newWorld(t, sim.Options{})
	stranger := joor.New("http://sim.test"+sim.PrefixJOOR, w.sim.Transport(), nil, "not-a-token-of-anybody")
	var seen strings.Builder
	ctx := rest.WithRecorder(t.Context(), recordIn(&seen))
	for _, c := range []*joor.Client{stranger, w.joor} {
		if c == w.joor {
			w.control("PUT", "/accounts/"+w.acc.JOOR.Account, `{"revoked":true}`)
		}
		_, err := c.ConnectionsPage(ctx, joor.ConnectionsQuery{Count: 1})
		if rest.KindOf(err) != rest.Unauthorized {
			t.Error(err)
		}
		if _, err := c.Upload(ctx, []joor.Connection{shop()}); rest.KindOf(err) != rest.Unauthorized {
			t.Error(err)
		}
		fmt.Fprintf(&seen, "%v %+v %#v\n", err, c, c.Client)
	}
	w.control("PUT", "/accounts/"+w.acc.JOOR.Account, `{"revoked":false}`)
	x := shop()
	x.Name = "Bearer of " + w.acc.JOOR.Token
	_, _ = w.joor.Upload(ctx, []joor.Connection{x})
	if text := seen.String(); strings.Contains(text, w.acc.JOOR.Token) || strings.Contains(text, "not-a-token") ||
		strings.Count(text, "\n") < 7 {
		t.Error(text)
	}
}

// recordIn writes what is recorded of calls as text.
func recordIn(seen *strings.Builder) func(rest.Exchange) {
	return func(x rest.Exchange) {
		fmt.Fprintf(seen, "%s %s %s %s %s %v\n", x.Method, x.Path, x.Query, x.Request, x.Answer, x.Err)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestV4: a token of v4 is had once, renewed before its end, and once more when JOOR ended it before that.
func TestV4(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, sim.Options{NoLimits: true})
		const at = "http://sim.test" + sim.PrefixJOOR
		as := joor.Credentials{ClientID: w.acc.JOOR.Account, ClientSecret: w.acc.JOOR.Token, Username: "api",
			Password: w.acc.JOOR.Token}
		signedIn := 0
		counting := roundTrip(func(r *http.Request) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/auth/") {
				signedIn++
			}
			resp, err := w.sim.Transport().RoundTrip(r)
			if err == nil && strings.HasSuffix(r.URL.Path, "/price_types") { // it repeats the credential
				body, _ := io.ReadAll(resp.Body)
				echo := fmt.Sprintf(`{"as":%q,`, r.Header.Get("Authorization"))
				resp.Body = io.NopCloser(strings.NewReader(echo + strings.TrimPrefix(string(body), "{")))
			}
			return resp, err
		})
		c := joor.NewV4(at, at+"/auth/", counting, nil, w.acc.JOOR.Account, as)
		var seen strings.Builder
		ctx := rest.WithRecorder(t.Context(), recordIn(&seen))
		for i, wait := range []time.Duration{0, 9 * time.Hour, 59*time.Minute + time.Second, time.Hour} {
			time.Sleep(wait)
			got, err := c.PriceTypes(ctx)
			if err != nil || len(got) != 5 || got[0] != (joor.PriceType{Currency: "NZD", Label: "Retail"}) {
				t.Fatalf("%d: %v, %v", i, got, err)
			}
			if want := []int{1, 1, 2, 2}[i]; signedIn != want {
				t.Errorf("%d: signed in %d times", i, signedIn)
			}
		}
		w.v.EndTokens(w.acc.JOOR.Account)
		if _, err := c.PriceTypes(ctx); err != nil || signedIn != 3 {
			t.Errorf("%v, signed in %d times", err, signedIn)
		}
		w.control("PUT", "/accounts/"+w.acc.JOOR.Account, `{"revoked":true}`)
		if _, err := c.PriceTypes(ctx); rest.KindOf(err) != rest.Unauthorized {
			t.Error(err)
		}
		if text := seen.String(); strings.Contains(text, "v4.") || strings.Contains(text, w.acc.JOOR.Token) ||
			!strings.Contains(text, "/price_types") {
			t.Error(text)
		}
		fault := sim.Fault{Match: "POST /auth", Kind: "html", Times: 1}
		if err := w.sim.Fault(sim.JOOR, fault); err != nil {
			t.Fatal(err)
		}
		if _, err := c.PriceTypes(ctx); rest.OutcomeOf(err) != rest.Unknown {
			t.Error(err)
		}
	})
}
