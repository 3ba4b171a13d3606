package joor_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/sim"
	"stockbridge/internal/sim/joor"
	"stockbridge/internal/sim/simtest"
)

const v2 = sim.PrefixJOOR + "/v2"

type obj = simtest.Obj

func newBench(t testing.TB, o sim.Options) *simtest.Bench { return simtest.New(t, o, joor.New()) }

// shop is a connection as it is sent.
func shop(code string, change obj) obj {
	at := obj{"address_1": "12 Harbour Street", "address_2": "", "city": "Auckland", "region": "Auckland",
		"postal_code": "1010", "country": "New Zealand", "phone": "+64 9 555 0101", "shipping_code": code}
	return simtest.With(obj{
		"customer_name": "Harbour Street Boutique", "customer_code": code,
		"customer_contact_email": "mere@harbourstreet.example",
		"price_types":            obj{"price_type": []obj{{"price_currency": "NZD", "price_label": "Wholesale"}}},
		"shipping":               obj{"shipping_addresses": obj{"shipping_address": []obj{at}}},
	}, change)
}

func bulk(all ...obj) obj { return obj{"bulk_connections": obj{"connection": all}} }

// result is what became of a record.
type result struct{ Code, Outcome, Why string }

// results are what became of an account's records, of all jobs.
func results(b *simtest.Bench) (all []result) {
	b.T.Helper()
	var jobs struct{ Items []struct{ Results []result } }
	b.Want(200, "GET", "/sim/joor/jobs?account="+b.Account.JOOR.Account, nil, &jobs)
	for _, j := range jobs.Items {
		all = append(all, j.Results...)
	}
	return all
}

// held are an account's connections, by code, with those in review marked.
func held(b *simtest.Bench) map[string]string {
	b.T.Helper()
	var all struct {
		Items []struct {
			Code   string `json:"customer_code"`
			Name   string `json:"customer_alias"`
			Review bool
		}
	}
	b.Want(200, "GET", "/sim/joor/connections?account="+b.Account.JOOR.Account, nil, &all)
	out := map[string]string{}
	for _, x := range all.Items {
		if out[x.Code] = x.Name; x.Review {
			out[x.Code] += ", in review"
		}
	}
	return out
}

// TestRecordsAreChecked: each record of a job succeeds or fails alone, with what JOOR says of it.
func TestRecordsAreChecked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{NoLimits: true})
		address := func(change obj) obj {
			a := simtest.With(obj{"address_1": "1 High St", "city": "Sydney", "country": "New Zealand"}, change)
			return obj{"billing": obj{"billing_addresses": []obj{a}}, "shipping": nil}
		}
		long := strings.Repeat("ō", 51)
		var sent []obj
		want := map[string]string{}
		for i, x := range []struct {
			change obj
			why    string
		}{
			{obj{"customer_name": strings.Repeat("ō", 100)}, ""},
			{obj{"customer_name": strings.Repeat("ō", 101)}, "customer_name is longer than 100"},
			{obj{"customer_name": " "}, "customer_name is required"},
			{obj{"customer_contact_email": nil}, "customer_contact_email is required"},
			{obj{"customer_contact_email": "nobody"}, "customer_contact_email is not an e-mail address"},
			{obj{"customer_contact_email": long + "@x.example"}, "customer_contact_email is longer than 50"},
			{obj{"customer_buyer_name": long}, "customer_buyer_name is longer than 50"},
			{obj{"shipping": nil}, "an address is required"},
			{address(obj{}), ""},
			{address(obj{"address_1": ""}), "address_1 is required"},
			{address(obj{"city": ""}), "city is required"},
			{address(obj{"country": ""}), "country is required"},
			{address(obj{"country": "Australia"}), "region is required in Australia"},
			{address(obj{"country": "AU", "region": "NSW"}), ""},
			{address(obj{"billing_code": long[:100]}), ""},
			{address(obj{"billing_code": long}), "billing_code is longer than 50"},
			{obj{"price_types": nil}, "price_currency and price_label are required"},
			{obj{"price_types": []obj{{"price_currency": "NZD", "price_label": "wholesale"}}},
				`price type NZD "wholesale" does not exist`},
			{obj{"price_types": []obj{{"price_currency": "AUD", "price_label": "Wholesale"}}},
				`price type AUD "Wholesale" does not exist`},
			{obj{"sales_rep_code": "7", "sales_rep_email": "mere@kauri.example"}, ""},
			{obj{"sales_rep_code": "8", "sales_rep_email": "mere@kauri.example"},
				`sales rep "8" is not set up, or has another e-mail address`},
			{obj{"sales_rep_code": "99"}, `sales rep "99" is not set up, or has another e-mail address`},
			{obj{"customer_group_code": "XXX"}, `customer group "XXX" is not set up`},
			{obj{"customer_group_code": "RET", "customer_group_name": "Department"}, `customer group "RET" is not set up`},
			{obj{"payment_methods": []obj{{"payment_method_code": "NET99"}}}, `payment method "NET99" is not set up`},
			{obj{"shipping_methods": []obj{{"shipping_method_code": "BOAT"}}}, `shipping method "BOAT" is not set up`},
			{obj{"warehouses": []obj{{"warehouse_code": "X"}}}, `warehouse "X" is not set up`},
			{obj{"company_number_code": "KG"}, ""},
			{obj{"customer_buyer_name": 7}, "the connection could not be read"},
		} {
			code := fmt.Sprint("R", i)
			sent = append(sent, shop(code, x.change))
			if want[code] = x.why; x.why == "the connection could not be read" {
				delete(want, code)
				want[""] = x.why
			}
		}
		sent = append(sent, shop(strings.Repeat("9", 51), nil), shop("", nil))
		want[strings.Repeat("9", 51)] = "customer_code is longer than 50"
		b.Want(200, "POST", v2+"/bulk-connection", bulk(sent...), nil)
		time.Sleep(time.Minute)
		got := map[string]string{}
		for _, r := range results(b) {
			if r.Why != "customer_code is required" {
				got[r.Code] = r.Why
			}
			if (r.Why == "") != (r.Outcome == "created") {
				t.Errorf("%+v", r)
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("%q\n%q", got, want)
		}
		if n := len(results(b)); n != len(sent) {
			t.Errorf("%d results of %d", n, len(sent))
		}
		for _, body := range []any{"", "[]", "{}", "nonsense", bulk(), obj{"bulk_connections": 7}} {
			var answer struct {
				Bulk struct{ Response obj } `json:"bulk_connections"`
			}
			b.Want(200, "POST", v2+"/bulk-connection", body, &answer)
			if r := answer.Bulk.Response; r["code"] == 0.0 || r["comment"] == "" || r["log_id"] == "" {
				t.Errorf("%v: %v", body, answer)
			}
		}
	})
}

// TestReview: what is new is in review until JOOR's people decide, or their time is over; what is turned down may come
// again, and what is sent meanwhile is not another one.
func TestReview(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{NoLimits: true})
		at := "?account=" + b.Account.JOOR.Account
		settings := "/sim/joor/accounts/" + b.Account.JOOR.Account
		send := func(all ...obj) {
			t.Helper()
			b.Want(200, "POST", v2+"/bulk-connection", bulk(all...), nil)
			time.Sleep(time.Minute)
		}
		is := func(code, want string) {
			t.Helper()
			if got := held(b)[code]; got != want {
				t.Errorf("%s is %q, want %q", code, got, want)
			}
		}
		decide := func(body obj, want int) {
			t.Helper()
			var decided struct{ Items []obj }
			body = simtest.With(obj{"account": b.Account.JOOR.Account}, body)
			b.Want(200, "POST", "/sim/joor/review", body, &decided)
			if len(decided.Items) != want {
				t.Errorf("%v decided %v", body, decided)
			}
		}
		send(shop("1", nil), shop("2", nil), shop("3", nil), shop("4", nil))
		send(shop("2", obj{"customer_name": "Harbour Street Menswear"}))
		is("2", "Harbour Street Menswear, in review")
		decide(obj{"customerCodes": []string{"1", "77"}, "accept": true}, 1)
		is("1", "Harbour Street Boutique")
		decide(obj{"customerCodes": []string{"3"}, "accept": false}, 1)
		is("3", "")
		send(shop("3", nil))
		decide(obj{"accept": true}, 0)
		time.Sleep(47 * time.Hour)
		is("2", "Harbour Street Menswear, in review")
		time.Sleep(time.Hour)
		is("2", "Harbour Street Menswear")
		b.Want(200, "PUT", settings, obj{"reviewSeconds": 0}, nil)
		is("3", "Harbour Street Boutique")
		send(shop("5", nil))
		is("5", "Harbour Street Boutique")
		b.Want(200, "PUT", settings, obj{"reviewSeconds": nil}, nil)
		many := make([]obj, 101)
		for i := range many {
			many[i] = shop(fmt.Sprint("M", i), nil)
		}
		send(many...)
		time.Sleep(71 * time.Hour)
		is("M0", "Harbour Street Boutique, in review")
		time.Sleep(time.Hour)
		is("M100", "Harbour Street Boutique")
		send(shop("6", nil), shop("7", nil))
		decide(obj{"all": true, "accept": true}, 2)
		var made struct {
			Items []struct {
				ID     int `json:"customer_account_id"`
				Review bool
			}
		}
		b.Want(200, "POST", "/sim/joor/connections"+at, []obj{{"customer_code": "8", "customer_alias": "Made Here"},
			{"customer_code": nil, "customer_name": "Waits", "review": true}}, &made)
		if len(made.Items) != 2 || made.Items[0].ID == 0 || made.Items[0].Review || !made.Items[1].Review {
			t.Errorf("%+v", made)
		}
		var one struct {
			Connections struct{ Connections []obj }
		}
		b.Want(200, "GET", v2+"/connection/customer_code/8/", nil, &one)
		if x := one.Connections.Connections[0]; x["customer_account_id"] != float64(made.Items[0].ID) ||
			x["customer_contact_name"] != "MADE HERE" || x["sales_rep_code"] != nil {
			t.Errorf("%v", x)
		}
		id := fmt.Sprint("/sim/joor/connections/", made.Items[0].ID)
		b.Want(200, "PUT", id+at, obj{"customer_alias": "Renamed", "customer_code": "9"}, nil)
		is("8", "")
		is("9", "Renamed")
		b.Want(409, "POST", "/sim/joor/connections"+at, obj{"customer_code": "9"}, nil)
		b.Want(200, "DELETE", id+at, nil, nil)
		b.Want(404, "DELETE", id+at, nil, nil)
		is("9", "")
		// Labels that are renamed are refused under their old names.
		b.Want(200, "PUT", settings, obj{"priceLabels": []obj{{"currency": "NZD", "label": "Trade"}},
			"customerGroups": []string{"Boutique"}}, nil)
		send(shop("1", obj{"customer_name": "Not taken"}))
		is("1", "Harbour Street Boutique")
		if r := results(b); r[len(r)-1].Why != `price type NZD "Wholesale" does not exist` {
			t.Error(r[len(r)-1])
		}
		send(shop("1", obj{"customer_name": "Taken", "customer_group_name": "Boutique",
			"price_types": []obj{{"price_currency": "NZD", "price_label": "Trade"}}}))
		is("1", "Taken")
	})
}

// TestJobsInOrder: jobs are worked on one after the other; one that stands still holds up those after it.
func TestJobsInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{NoLimits: true, Speed: 2})
		at := "?account=" + b.Account.JOOR.Account
		job := func(id int) string {
			t.Helper()
			var answer struct {
				Bulk struct {
					Jobs []struct {
						Status         string
						Count, Done    int
						Created, Moved time.Time
					} `json:"bulk_connections_jobs"`
				} `json:"bulk_connections"`
			}
			a := b.Call("GET", fmt.Sprint(v2, "/bulk-connection/", id), nil)
			text := strings.NewReplacer("connection_record_count", "count", "connection_record_progress", "done").
				Replace(string(a.Bytes))
			if err := json.Unmarshal([]byte(text), &answer); err != nil || len(answer.Bulk.Jobs) != 1 {
				t.Fatal(err, text)
			}
			j := answer.Bulk.Jobs[0]
			return fmt.Sprint(j.Status, " ", j.Done, "/", j.Count)
		}
		is := func(want ...string) {
			t.Helper()
			for i, w := range want {
				if got := job(i + 1); got != w {
					t.Errorf("job %d is %s, want %s", i+1, got, w)
				}
			}
		}
		many := make([]obj, 200)
		for i := range many {
			many[i] = shop(fmt.Sprint(i), nil)
		}
		b.Want(200, "POST", v2+"/bulk-connection", bulk(many...), nil)
		b.Want(200, "PUT", v2+"/bulk-connection", bulk(shop("x", nil)), nil)
		is("queued 0/200", "queued 0/1")
		time.Sleep(1000 * time.Millisecond) // half a second in the queue, then 5 ms a record
		is("started 100/200", "queued 0/1")
		b.Want(200, "POST", "/sim/joor/jobs/1/stall"+at, nil, nil)
		time.Sleep(time.Hour)
		is("started 100/200", "queued 0/1")
		b.Want(200, "POST", "/sim/joor/jobs/1/resume"+at, nil, nil)
		b.Want(404, "POST", "/sim/joor/jobs/9/stall"+at, nil, nil)
		time.Sleep(100 * time.Millisecond)
		is("started 120/200", "queued 0/1")
		time.Sleep(405 * time.Millisecond)
		is("finished 200/200", "finished 1/1")
		settings := "/sim/joor/accounts/" + b.Account.JOOR.Account
		b.Want(200, "PUT", settings, obj{"stalled": true}, nil)
		b.Want(200, "POST", v2+"/bulk-connection", bulk(shop("y", nil)), nil)
		time.Sleep(time.Hour)
		is("finished 200/200", "finished 1/1", "queued 0/1")
		b.Want(200, "PUT", settings, obj{"stalled": false}, nil)
		is("finished 200/200", "finished 1/1", "finished 1/1")
	})
}

// TestCredits: what calls cost is counted in windows that begin with a call.
func TestCredits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{})
		for range 58 {
			b.Want(200, "DELETE", v2+"/connection?customer_code=none", nil, nil) // refused, and counted
		}
		for range 10 {
			b.Want(200, "GET", v2+"/connection/customer_code/K1002/", nil, nil)
		}
		time.Sleep(299 * time.Second)
		a := b.Call("GET", v2+"/connection/?count=1", nil)
		if a.StatusCode != 429 || a.Header.Get("X-Throttling-Account-Id") != b.Account.JOOR.Account {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
		time.Sleep(time.Second)
		a = b.Call("GET", v2+"/connection/?count=1", nil)
		if a.StatusCode != 200 || a.Header.Get("X-Throttling-Account-Id") != b.Account.JOOR.Account {
			t.Errorf("%d %v", a.StatusCode, a.Header)
		}
		if over := b.OverLimit(sim.JOOR, b.Account.JOOR.Account); over != 1 {
			t.Errorf("%d over the limit", over)
		}
		calls := b.Calls(sim.JOOR, b.Account.JOOR.Account)
		if len(calls) != 70 || calls[0].Path != "/connection" || calls[0].Method != "DELETE" ||
			calls[0].Query != "customer_code=none" || calls[60].Path != "/connection/customer_code/K1002" {
			t.Errorf("%d calls: %+v, %+v", len(calls), calls[0], calls[60])
		}
	})
}

// TestWhoMayCall: only a request with JOOR's content type and the account's token, in base64, is processed.
func TestWhoMayCall(t *testing.T) {
	b := newBench(t, sim.Options{})
	b.AddAccount("Rimu & Daughter", "AUD")
	token := b.Account.JOOR.Token
	call := func(credential, contentType string) int {
		t.Helper()
		req, err := http.NewRequest("GET", "http://sim.test"+v2+"/connection/", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", credential)
		req.Header.Set("Content-Type", contentType)
		resp, err := b.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	const ours = "application/json"
	encoded := base64.StdEncoding.EncodeToString([]byte(token))
	for credential, want := range map[string]int{"OAuth2 " + encoded: 200, "OAuth2 " + token: 401, "": 401,
		"Bearer " + token: 401, "Bearer " + encoded: 401, "Bearer ": 401, "OAuth2 ": 401} {
		if got := call(credential, ours); got != want {
			t.Errorf("%q: %d", credential, got)
		}
	}
	if got := call("OAuth2 "+encoded, ""); got != 415 {
		t.Errorf("without a content type: %d", got)
	}
	kauri, empty := held(b), b.AddEmptyAccount("Empty", "NZD")
	b.Account = empty
	if got := held(b); len(got) != 0 || len(kauri) < 8 {
		t.Errorf("%v; in an empty account %v", kauri, got)
	}
	b.Account = b.Accounts()[0]
	b.Want(404, "GET", v2+"/customers", nil, nil)
	b.Want(405, "DELETE", v2+"/bulk-connection", nil, nil)
	b.Want(200, "GET", sim.PrefixJOOR+"/connection", nil, nil) // below the base alone, too
	b.Want(404, "PUT", "/sim/joor/accounts/77", obj{}, nil)
}

// TestSavedAndRead: connections, jobs and what is in review are saved and read again.
func TestSavedAndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		s, err := sim.New(sim.Options{Dir: dir, Seed: "saved"}, joor.New())
		if err != nil {
			t.Fatal(err)
		}
		b := &simtest.Bench{T: t, Sim: s, Account: s.AddAccount("Kauri & Fern", ""),
			HTTP: http.Client{Transport: s.Transport()}}
		b.Want(200, "POST", v2+"/bulk-connection", bulk(shop("1", nil), shop("2", nil)), nil)
		time.Sleep(time.Minute)
		b.Want(200, "POST", "/sim/joor/review", obj{"account": b.Account.JOOR.Account, "customerCodes": []string{"1"},
			"accept": true}, nil)
		b.Want(200, "DELETE", v2+"/connection?customer_code=K1002", nil, nil)
		b.Want(200, "PUT", "/sim/joor/accounts/"+b.Account.JOOR.Account, obj{"stalled": true}, nil)
		b.Want(200, "POST", v2+"/bulk-connection", bulk(shop("3", nil)), nil)
		before, jobs := held(b), results(b)
		time.Sleep(time.Second) // what changed is written behind the whole
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s, err = sim.New(sim.Options{Dir: dir, Seed: "saved"}, joor.New())
		if err != nil {
			t.Fatal(err)
		}
		b.Sim, b.HTTP = s, http.Client{Transport: s.Transport()}
		if after := held(b); !maps.Equal(before, after) || len(after) < 8 || !slices.Equal(jobs, results(b)) {
			t.Errorf("%v\n%v", before, after)
		}
		b.Want(200, "PUT", "/sim/joor/accounts/"+b.Account.JOOR.Account, obj{"stalled": false}, nil)
		time.Sleep(72 * time.Hour)
		b.Want(200, "GET", v2+"/connection/customer_code/3/", nil, nil)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestSamples: the answers have the names and types of the vendor's examples.
func TestSamples(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{})
		read := func(name string) (v any) {
			data, err := os.ReadFile(filepath.Join("../../../../shared/vendors/samples/joor", name))
			if os.IsNotExist(err) {
				t.Skip("the vendor's samples are not here")
			}
			if err == nil {
				err = json.Unmarshal(data, &v)
			}
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		const one = ".connections.connections[]"
		compare := func(name string, a simtest.Answer, more ...string) {
			t.Helper()
			var got any
			a.Into(t, &got)
			want, ours := map[string][]string{}, map[string][]string{}
			simtest.Shape(read(name), "", want)
			simtest.Shape(got, "", ours)
			simtest.Compare(t, want, ours, []string{one + ".warehouses[]"}, more) // nothing says in which it buys
		}
		sent := read("joor-v2-bulk-connection-request-INFERRED.json")
		compare("joor-v2-bulk-connection-accepted-INFERRED.json", b.Call("POST", v2+"/bulk-connection", sent))
		time.Sleep(time.Minute)
		compare("joor-v2-bulk-connection-job-finished.json", b.Call("GET", v2+"/bulk-connection/1", nil))
		if r := results(b); len(r) != 1 || r[0].Outcome != "created" {
			t.Errorf("%+v", r)
		}
		all := obj{"account": b.Account.JOOR.Account, "all": true, "accept": true}
		b.Want(200, "POST", "/sim/joor/review", all, nil)
		compare("joor-v2-connection-get-PARTLY-INFERRED.json", b.Call("GET", v2+"/connection/customer_code/101/", nil),
			one+".price_types", one+".payment_methods", one+".shipping_methods", one+".sales_rep_",
			one+".billing.billing_addresses[].", one+".shipping.shipping_addresses[].")
		compare("joor-v2-connection-delete-response.json", b.Call("DELETE", v2+"/connection?customer_code=101", nil))
		form := url.Values{"grant_type": {"password"}, "client_id": {b.Account.JOOR.Account}, "username": {"api"},
			"client_secret": {b.Account.JOOR.Token}, "password": {b.Account.JOOR.Token}}
		resp, err := b.HTTP.PostForm("http://sim.test"+sim.PrefixJOOR+"/auth/", form)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var got any
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		want, ours := map[string][]string{}, map[string][]string{}
		simtest.Shape(read("joor-v4-token.json"), "", want)
		simtest.Shape(got, "", ours)
		simtest.Compare(t, want, ours, nil, nil)
	})
}

// TestPage: what people at JOOR do stands on the account's page, and works without scripts.
func TestPage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{NoLimits: true})
		const at = "/sim/pages/1/joor"
		page := func(query string) string {
			t.Helper()
			a := b.Call("GET", at+query, nil)
			if a.StatusCode != 200 {
				t.Fatal(a.StatusCode, string(a.Bytes))
			}
			return string(a.Bytes)
		}
		has := func(text string, want ...string) {
			t.Helper()
			for _, w := range want {
				if !strings.Contains(text, w) {
					t.Errorf("no %q on the page", w)
				}
			}
		}
		// press presses the button or sends the form whose address has a part in it, and returns the problem if any.
		press := func(id, do string, fields url.Values) string {
			t.Helper()
			resp, err := b.HTTP.PostForm("http://sim.test"+at+"/"+id+"/"+do, fields)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			to, err := resp.Location()
			if err != nil {
				t.Fatal(err)
			}
			return to.Query().Get("problem")
		}
		key := func(query, do string) string {
			t.Helper()
			before, _, ok := strings.Cut(page(query), "/"+do+`"`)
			if !ok {
				t.Fatalf("nothing to %s at %s", do, query)
			}
			return before[strings.LastIndex(before, "/")+1:]
		}
		b.Want(200, "POST", v2+"/bulk-connection", bulk(shop("1", nil), shop("2", obj{"customer_name": "Tide Line"}),
			shop("3", obj{"customer_name": "Ponga"}), shop("4", obj{"customer_name": ""})), nil)
		has(page(""), "queued", "13 in all", "NZD Wholesale\n")
		time.Sleep(time.Minute)
		has(page(""), "finished", "4: customer_name is required", "Accept all", "until 3 Jan", "295 of 300 credits")
		for do, name := range map[string]string{"accept": "Tide", "reject": "Ponga"} {
			if problem := press(key("?q="+name, do), do, nil); problem != "" {
				t.Errorf("%s: %s", do, problem)
			}
		}
		got := held(b)
		if got["1"] != "Harbour Street Boutique, in review" || got["2"] != "Tide Line" || got["3"] != "" {
			t.Errorf("%v", got)
		}
		press("all", "accept", nil)
		tide := key("?q=Tide", "edit")
		edit := url.Values{"code": {"22"}, "name": {"Tide & Line"}, "email": {"a@tide.example"}}
		if problem := press(tide, "edit", edit); problem != "" {
			t.Error(problem)
		}
		if got := held(b); got["1"] != "Harbour Street Boutique" || got["22"] != "Tide & Line" {
			t.Errorf("%v", got)
		}
		edit.Set("code", "1")
		labels := func(text string) url.Values { return url.Values{"labels": {text}} }
		for want, problem := range map[string]string{
			"that code is another connection's":                  press(tide, "edit", edit),
			"a line is a currency and a label, as NZD Wholesale": press("new", "labels", labels("NZ\n")),
			"a currency and a label together are there once":     press("new", "labels", labels("NZD A\nnzd A")),
			"Connection in review not found":                     press(tide, "accept", nil),
			"Job not found":                                      press("7", "stall", nil),
			"Action not found":                                   press(tide, "nonsense", nil),
			"Connection not found":                               press("999", "delete", nil),
		} {
			if problem != want {
				t.Errorf("%q, want %q", problem, want)
			}
		}
		press(tide, "delete", nil)
		press("new", "labels", url.Values{"labels": {"NZD Trade price\n\nAUD Trade price"}})
		has(page(""), "NZD Trade price\nAUD Trade price\n", "14 in all")
		b.Want(200, "POST", v2+"/bulk-connection", bulk(shop("5", nil)), nil)
		press("2", "stall", nil)
		time.Sleep(time.Hour)
		has(page(""), "stands still", "Let it go on")
		press("2", "resume", nil)
		time.Sleep(time.Hour)
		has(page(""), "price type NZD &#34;Wholesale&#34; does not exist")
	})
}
