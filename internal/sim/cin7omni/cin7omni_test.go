package cin7omni_test

import (
	"encoding/json"
	"errors"
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
	"stockbridge/internal/sim/cin7omni"
	"stockbridge/internal/sim/simtest"
)

const contacts = sim.PrefixCin7Omni + "/v1/Contacts"

type obj = simtest.Obj

func newBench(t testing.TB, o sim.Options) *simtest.Bench { return simtest.New(t, o, cin7omni.New()) }

// at is the path of a list with parameters, each as name=value.
func at(list string, params ...string) string {
	q := url.Values{}
	for _, p := range params {
		name, value, _ := strings.Cut(p, "=")
		q.Set(name, value)
	}
	return list + "?" + q.Encode()
}

// plant replaces the account's contacts by some of its own.
func plant(b *simtest.Bench, docs ...obj) (ids []int) {
	b.T.Helper()
	var all struct {
		Items []struct{ ID int }
	}
	b.Want(200, "GET", "/sim/cin7omni/contacts?account="+b.Account.Cin7Omni.Username, nil, &all)
	for _, x := range all.Items {
		b.Want(200, "DELETE", fmt.Sprintf("/sim/cin7omni/contacts/%d", x.ID), nil, nil)
	}
	b.Want(200, "POST", "/sim/cin7omni/contacts?account="+b.Account.Cin7Omni.Username, docs, &all)
	for _, x := range all.Items {
		ids = append(ids, x.ID)
	}
	return ids
}

// result is what is said of a contact of a batch.
type result struct {
	Index   *int
	Success bool
	ID      int
	Code    string
	Errors  []string
}

func TestWhere(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	ids := plant(b,
		obj{"company": "O'Hara & Sons", "email": "a@x.example", "modifiedDate": "2026-01-01T00:00:00Z",
			"city": "Napier", "integrationRef": "x", "percentageOff": 2.5},
		obj{"company": "Kauri 100%", "email": "b@x.example", "modifiedDate": "2026-01-02T03:04:05Z", "isActive": false},
		obj{"company": "", "email": "c@x.example", "modifiedDate": "2026-01-03T00:00:00Z", "type": "Supplier"},
		obj{"company": "kauri", "modifiedDate": "2026-01-04T00:00:00Z", "onHold": true})
	for where, want := range map[string]string{
		"":                                          "0123",
		"email='a@x.example'":                       "0",
		"EMAIL = 'A@X.EXAMPLE'":                     "0",
		"company='O''Hara & Sons'":                  "0",
		"company<>'kauri'":                          "01",
		"company IS NULL":                           "2",
		"company is not null":                       "013",
		"company LIKE 'kauri%'":                     "13",
		"company LIKE '%100%'":                      "1",
		"company LIKE 'k_uri'":                      "3",
		"company NOT LIKE '%kauri%'":                "0",
		"modifiedDate>='2026-01-02T03:04:05Z'":      "123",
		"modifieddate>=2026-01-02T03:04:05Z":        "123",
		"ModifiedDate > 2026-01-02T03:04:05":        "23",
		"modifiedDate<'2026-01-02'":                 "0",
		"modifiedDate<='2026-01-02 03:04:05'":       "01",
		"isActive=1":                                "023",
		"isActive = 0":                              "1",
		"isActive=false":                            "1",
		"onHold=true":                               "3",
		"type='Supplier'":                           "2",
		"type=1":                                    "013",
		"percentageOff>2":                           "0",
		"integrationRef='x'":                        "0",
		fmt.Sprintf("id IN(%d,%d)", ids[0], ids[2]): "02",
		fmt.Sprintf("id in (%d)", ids[3]):           "3",
		"email IN ('a@x.example', 'B@x.example')":   "01",
		"company='kauri' OR city='Napier'":          "03",
		"isActive=1 AND modifiedDate>='2026-01-03T00:00:00Z'":   "23",
		"city='Napier' OR isActive=1 AND onHold=1":              "03",
		"onHold=1 AND isActive=1 or city='Napier' AND onHold=1": "3",
		"company='x'' OR ''1''=''1'":                            "",
		"email='soon'":                                          "",
		"percentageOff='soon'":                                  "",
	} {
		var rows []struct{ ID int }
		b.Want(200, "GET", at(contacts, "order=id ASC", "where="+where), nil, &rows)
		got := ""
		for _, r := range rows {
			got += fmt.Sprint(slices.Index(ids, r.ID))
		}
		if got != want {
			t.Errorf("%s: %s, want %s", where, got, want)
		}
	}
	for _, where := range []string{"email=", "='x'", "email", "email~'x'", "email LIKE", "email LIKE x", "email='x",
		"nobody='x'", "email='x' AND", "email='x' email='x'", "(email='x')", "id IN (1", "id IN ()", "id IN 1",
		"secondaryContacts='x'", "customFields IS NULL", "email IS", "'email'='x'", "email NOT IN ('x')", "email=,"} {
		b.Want(400, "GET", at(contacts, "where="+where), nil, new(string))
	}
}

func TestLists(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	var docs []obj
	for i := range 120 {
		docs = append(docs, obj{"company": fmt.Sprintf("C%03d", i),
			"modifiedDate": time.Date(2026, 1, 1, 0, i, 0, 0, time.UTC).Format(time.RFC3339)})
	}
	ids := plant(b, docs...)
	list := func(params ...string) []int {
		t.Helper()
		var rows []struct{ ID int }
		b.Want(200, "GET", at(contacts, params...), nil, &rows)
		got := []int{}
		for _, r := range rows {
			got = append(got, r.ID)
		}
		return got
	}
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	for _, tt := range []struct {
		params []string
		want   []int
	}{
		{nil, newest[:50]}, // 50 rows, descending
		{[]string{"page=3"}, newest[100:]},
		{[]string{"page=4"}, []int{}}, // beyond the end
		{[]string{"rows=250", "order=modifieddate"}, newest},
		{[]string{"rows=100", "order=MODIFIEDDATE asc", "page=2"}, ids[100:]},
		{[]string{"rows=2", "order=company DESC", "limit=1"}, newest[:2]}, // unknown parameters are ignored
		{[]string{"rows=1", "order=type ASC, modifiedDate ASC"}, ids[:1]},
	} {
		if got := list(tt.params...); !slices.Equal(got, tt.want) {
			t.Errorf("%v: %v", tt.params, got)
		}
	}
	for params, want := range map[string]string{
		"rows=251":        "The rows argument cannot be greater than 250.",
		"rows=x":          "The rows argument cannot be greater than 250.",
		"page=0":          "The page number is out of range; the value must be greater than or equal to 1.",
		"page=-1":         "The page number is out of range; the value must be greater than or equal to 1.",
		"order=nothing":   "The order argument is invalid.",
		"order=id UP":     "The order argument is invalid.",
		"order=email,,id": "The order argument is invalid.",
	} {
		var said string
		if b.Want(400, "GET", at(contacts, params), nil, &said); said != want {
			t.Errorf("%s: %s", params, said)
		}
	}
	var some []map[string]any
	b.Want(200, "GET", at(contacts+"/", "fields=ID, company,firstName,nothing", "rows=1"), nil, &some)
	if len(some) != 1 || len(some[0]) != 3 || some[0]["company"] != "C119" {
		t.Errorf("%v", some)
	}
	// What changes moves, and what was listed before does not hide it.
	list("rows=1", "order=modifiedDate")
	b.Want(200, "PUT", contacts, []obj{{"id": ids[7], "fax": "1"}}, nil)
	if got := list("rows=1", "order=modifiedDate"); got[0] != ids[7] {
		t.Error("a change is not the newest")
	}
	// Pages are tiny if the caller has to page to the empty one; a drift moves rows.
	tiny := newBench(t, sim.Options{NoLimits: true, TinyPages: 3})
	var rows []struct{ ID int }
	if tiny.Want(200, "GET", at(contacts, "rows=250"), nil, &rows); len(rows) != 3 {
		t.Error(len(rows))
	}
	if err := b.Fault(sim.Cin7Omni, sim.Fault{Match: "GET /v1/Contacts", Kind: "drift", How: "gone"}); err != nil {
		t.Fatal(err)
	}
	if got := list("rows=10", "order=id ASC", "page=2"); got[0] != ids[11] {
		t.Errorf("no drift: %v", got)
	}
	if got := list("rows=10", "order=id ASC", "page=2"); got[0] != ids[10] {
		t.Errorf("the drift stays: %v", got)
	}
}

func TestWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{NoLimits: true})
		plant(b)
		write := func(method string, body any) []result {
			t.Helper()
			var out []result
			b.Want(200, method, contacts, body, &out)
			for i, r := range out {
				if r.Index == nil || *r.Index != i || r.Errors == nil || r.Success != (len(r.Errors) == 0) ||
					r.Success != (r.ID > 0) {
					t.Errorf("%s: %+v", method, r)
				}
			}
			return out
		}
		get := func(id int) obj {
			t.Helper()
			var out obj
			b.Want(200, "GET", fmt.Sprintf("%s/%d", contacts, id), nil, &out)
			return out
		}
		made := write("POST", []obj{
			{"Type": "customer", "COMPANY": "Kauri & Co", "email": "jo@kauri.example", "unknown": 1, "phone": "1",
				"id": 7, "modifiedDate": "1999-01-01T00:00:00Z", "balanceOwing": 9,
				"secondaryContacts": []obj{{"firstName": "Ari", "email": "ari@kauri.example"}}},
			{"company": "No type"},
			{"type": "Friend"},
			{"type": "Customer", "email": "JO@kauri.example"},
			{"type": 2, "company": strings.Repeat("ā", 250)},
			{"type": "Customer", "company": strings.Repeat("x", 251), "postCode": strings.Repeat("1", 51)},
			{"type": "Customer", "percentageOff": 101},
			{"type": "Customer"},
			{"type": "Customer", "secondaryContacts": []obj{{"firstName": "Ari"}}},
		})
		var fine []int
		for i, r := range made {
			if r.Success {
				fine = append(fine, i)
			}
		}
		if !slices.Equal(fine, []int{0, 4, 7}) || made[0].Code != "jo@kauri.example" || made[3].ID != 0 ||
			len(made[5].Errors) != 2 {
			t.Errorf("%+v", made)
		}
		id, first := made[0].ID, get(made[0].ID)
		if first["company"] != "Kauri & Co" || first["type"] != "Customer" || first["fax"] != nil ||
			first["isActive"] != true || first["balanceOwing"] != float64(0) || id == 7 ||
			first["modifiedDate"] != "2000-01-01T00:00:00Z" || first["createdDate"] != first["modifiedDate"] {
			t.Errorf("%v", first)
		}

		time.Sleep(1500 * time.Millisecond)
		changed := write("PUT", []obj{
			{"id": id, "phone": nil, "company": "", "fax": "2", "customFields": obj{"members_1000": "x"}},
			{"id": 99, "fax": "2"},
			{"fax": "2"},
			{"Id": made[7].ID, "email": "jo@kauri.example"},
			{"id": made[4].ID, "creditLimit": "", "onHold": "true"},
		})
		if !changed[0].Success || changed[1].Success || changed[2].Success || changed[3].Success ||
			!changed[4].Success {
			t.Errorf("%+v", changed)
		}
		second := get(id)
		if second["phone"] != "1" || second["company"] != nil || second["fax"] != "2" ||
			second["email"] != "jo@kauri.example" || second["modifiedDate"] != "2000-01-01T00:00:01Z" ||
			second["createdDate"] != first["createdDate"] || len(second["secondaryContacts"].([]any)) != 1 ||
			second["customFields"].(map[string]any)["members_1000"] != "x" {
			t.Errorf("%v", second)
		}
		if untouched := get(made[7].ID); untouched["modifiedDate"] != "2000-01-01T00:00:00Z" {
			t.Error("a refused change is dated")
		}

		many := make([]obj, 251)
		for i := range many {
			many[i] = obj{"type": "Customer"}
		}
		for body, want := range map[string]string{
			`{"type":"Customer"}`:                "Missing or malformed JSON data; please see the documentation for examples.",
			``:                                   "Missing or malformed JSON data; please see the documentation for examples.",
			`[{"type":"Customer"}`:               "Missing or malformed JSON data; please see the documentation for examples.",
			`["x"]`:                              "Missing or malformed JSON data; please see the documentation for examples.",
			`[{"type":"Customer","onHold":"x"}]`: "Missing or malformed JSON data; please see the documentation for examples.",
		} {
			var said string
			if b.Want(400, "POST", contacts, body, &said); said != want {
				t.Errorf("%s: %s", body, said)
			}
		}
		var said string
		if b.Want(400, "POST", contacts, many, &said); said != "Batch limit is 250." {
			t.Error(said)
		}
		if got := write("POST", many[:250]); len(got) != 250 {
			t.Error(len(got))
		}

		var gone obj
		path := fmt.Sprintf("%s/%d", contacts, id)
		b.Want(200, "DELETE", path, nil, &gone)
		if gone["success"] != true || gone["id"] != float64(id) || gone["code"] != "jo@kauri.example" {
			t.Errorf("%v", gone)
		}
		for _, method := range []string{"DELETE", "GET"} {
			if b.Want(404, method, path, nil, &said); said != "Resource not found" {
				t.Error(said)
			}
		}
		if got := write("POST", []obj{{"type": "Customer", "email": "jo@kauri.example"}}); !got[0].Success {
			t.Errorf("the e-mail of a removed contact is not free: %+v", got)
		}
	})
}

func TestAccess(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	user := b.Account.Cin7Omni.Username
	account := "/sim/cin7omni/accounts/" + user
	var said string
	for _, keys := range []sim.Cin7OmniAccount{{}, {Username: user}, {Username: user, Key: "x"},
		{Username: strings.ToUpper(user), Key: b.Account.Cin7Omni.Key}} {
		was := b.Account.Cin7Omni
		b.Account.Cin7Omni = keys
		if b.Want(401, "GET", contacts, nil, &said); said != "Unauthorized access" {
			t.Error(said)
		}
		b.Account.Cin7Omni = was
	}
	b.Want(404, "GET", sim.PrefixCin7Omni+"/v1/Nothing", nil, &said)
	b.Want(404, "GET", contacts+"/x", nil, &said)
	b.Want(405, "PATCH", contacts, nil, nil)
	b.Want(405, "POST", sim.PrefixCin7Omni+"/v1/Users", nil, nil)

	b.Want(200, "PUT", account, obj{"permissions": obj{"Contacts": []string{"create"}, "users": []string{}}}, nil)
	for call, want := range map[string]int{"GET " + contacts: 403, "POST " + contacts: 200, "PUT " + contacts: 403,
		"DELETE " + contacts + "/1": 403, "GET " + sim.PrefixCin7Omni + "/v1/Users": 403,
		"GET " + sim.PrefixCin7Omni + "/v1/ProductOptions": 200} {
		method, path, _ := strings.Cut(call, " ")
		if a := b.Call(method, path, []obj{}); a.StatusCode != want || want == 403 && string(a.Bytes) != `"Access is forbidden"` {
			t.Errorf("%s: %d %s", call, a.StatusCode, a.Bytes)
		}
	}
	b.Want(200, "PUT", account, obj{"revoked": true}, nil)
	b.Want(401, "GET", contacts, nil, nil)
	b.Want(200, "PUT", account, obj{"revoked": false, "key": "new-key", "username": "KauriUS"}, nil)
	b.Account.Cin7Omni = sim.Cin7OmniAccount{Username: "KauriUS", Key: "new-key"}
	b.Want(403, "GET", contacts, nil, nil)
	b.Want(404, "PUT", account, obj{}, nil)
	b.Want(200, "PUT", "/sim/cin7omni/accounts/KauriUS", obj{"priceColumns": []string{"costUSD"},
		"users": []obj{{"id": 3, "email": "rep@x.example"}}, "permissions": obj{"users": []string{"read"}}}, nil)
	var users, options []obj
	b.Want(200, "GET", sim.PrefixCin7Omni+"/v1/Users", nil, &users)
	b.Want(200, "GET", at(sim.PrefixCin7Omni+"/v1/ProductOptions", "fields=priceColumns"), nil, &options)
	names := slices.Sorted(maps.Keys(options[0]["priceColumns"].(map[string]any)))
	if len(users) != 1 || users[0]["email"] != "rep@x.example" || len(options) != 4 ||
		!slices.Equal(names, []string{"costUSD", "retailPrice", "specialPrice", "vipPrice", "wholesalePrice"}) {
		t.Errorf("%v %v", users, names)
	}
}

// TestLimits: 3 calls a second, 60 a minute and 5,000 a day; a refused call counts in none of them.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, sim.Options{})
		path := at(contacts, "rows=1", "fields=id")
		call := func() bool {
			a := b.Call("GET", path, nil)
			if a.StatusCode != 200 && (a.StatusCode != 429 || string(a.Bytes) != `"Rate limit exceeded. Retry after some time."`) {
				t.Fatalf("%d %s", a.StatusCode, a.Bytes)
			}
			return a.StatusCode == 200
		}
		burst := func(n int) (took int) {
			for range n {
				if call() {
					took++
				}
			}
			return took
		}
		if got := burst(5); got != 3 {
			t.Errorf("%d in a second", got)
		}
		minute := 3
		for range 58 {
			time.Sleep(time.Second)
			minute += burst(4)
		}
		if minute != 60 {
			t.Errorf("%d in a minute", minute)
		}
		time.Sleep(2 * time.Second)
		if !call() {
			t.Error("none after a minute")
		}
		day := minute + 1
		for range 100 * 20 { // minutes, of 3 s each
			time.Sleep(3 * time.Second)
			day += burst(3)
		}
		if burst(1) != 0 || day != 5000 {
			t.Errorf("%d in a day", day)
		}
		if over := b.OverLimit(sim.Cin7Omni, b.Account.Cin7Omni.Username); over == 0 {
			t.Error("nothing is counted as over the limit")
		}
		time.Sleep(24 * time.Hour)
		if !call() {
			t.Error("none after a day")
		}
	})
}

// TestStock: a new account has the contacts of a brand, awkward ones among them; an empty one has none.
func TestStock(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true, Dir: t.TempDir()})
	var all struct{ Items []obj }
	b.Want(200, "GET", "/sim/cin7omni/contacts?account="+b.Account.Cin7Omni.Username, nil, &all)
	emails, types := map[string]int{}, map[any]int{}
	var long, formula, control bool
	for _, x := range all.Items {
		email, _ := x["email"].(string)
		company, _ := x["company"].(string)
		emails[strings.ToLower(email)]++
		types[x["type"]]++
		long, formula = long || len(company) >= 300, formula || strings.HasPrefix(company, "=")
		control = control || strings.Contains(company, "\x00")
	}
	if types["Customer"] < 50 || types["Supplier"] != 1 || emails[""] != 1 || emails["shared@twins.example"] != 2 ||
		!long || !formula || !control {
		t.Errorf("%v %v %v %v", types, long, formula, control)
	}
	var made sim.Account
	b.Want(200, "POST", "/sim/accounts", obj{"empty": true}, &made)
	b.Account = made
	var rows []obj
	if b.Want(200, "GET", contacts, nil, &rows); len(rows) != 0 {
		t.Errorf("%d contacts of an empty account", len(rows))
	}
	b.Want(404, "GET", "/sim/cin7omni/contacts?account=nobody", nil, nil)
	b.Want(404, "PUT", "/sim/cin7omni/contacts/1", obj{}, nil)
}

// TestKept: what was changed is read again by the next process.
func TestKept(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, sim.Options{NoLimits: true, Dir: dir})
	ids := plant(b, obj{"company": "Stays"}, obj{"company": "Goes"}, obj{"company": "Changes", "email": "a@x.example"})
	b.Want(200, "DELETE", fmt.Sprintf("%s/%d", contacts, ids[1]), nil, nil)
	b.Want(200, "PUT", contacts, []obj{{"id": ids[2], "email": "b@x.example"}}, nil)
	b.Want(200, "PUT", "/sim/cin7omni/accounts/"+b.Account.Cin7Omni.Username,
		obj{"permissions": obj{"users": []string{}}}, nil)
	var before, after []obj
	b.Want(200, "GET", contacts, nil, &before)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := sim.New(sim.Options{NoLimits: true, Dir: dir}, cin7omni.New())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b.HTTP = http.Client{Transport: s.Transport()}
	b.Want(200, "GET", contacts, nil, &after)
	if len(after) != 2 || fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("%v, then %v", before, after)
	}
	b.Want(403, "GET", sim.PrefixCin7Omni+"/v1/Users", nil, nil)
	var out []result
	b.Want(200, "POST", contacts, []obj{{"type": "Customer", "email": "a@x.example"},
		{"type": "Customer", "email": "b@x.example"}}, &out)
	if !out[0].Success || out[1].Success || out[0].ID <= ids[2] {
		t.Errorf("%+v", out)
	}
}

const samples = "../../../../shared/vendors/samples/cin7omni/"

func sample(t *testing.T, name string) (v any) {
	t.Helper()
	data, err := os.ReadFile(filepath.FromSlash(samples + name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("no vendor samples here")
	}
	if err == nil {
		err = json.Unmarshal(data, &v)
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSamples: answers have the fields of the vendor's examples, of their kinds, and what the examples send is taken.
func TestSamples(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	plant(b)
	shape := func(v any) map[string][]string {
		out := map[string][]string{}
		simtest.Shape(v, "", out)
		return out
	}
	var made, got any
	example := sample(t, "omni-contacts-post-request.json").([]any)[0]
	b.Want(200, "POST", contacts, []any{example, obj{"type": "x"}}, &made)
	simtest.Compare(t, shape(sample(t, "omni-batch-result.json")), shape(made), nil, nil)
	b.Want(200, "PUT", contacts, sample(t, "omni-contacts-put-request.json"), &made)

	full := sample(t, "omni-contact-get.json").(map[string]any)
	var posted []result
	b.Want(200, "POST", contacts, []any{full}, &posted)
	if !posted[0].Success {
		t.Fatalf("%+v", posted)
	}
	path := fmt.Sprintf("%s/%d", contacts, posted[0].ID)
	b.Want(200, "GET", path, nil, &got)
	simtest.Compare(t, shape(full), shape(got), nil, nil)
	for name, want := range full {
		if slices.Contains([]string{"id", "createdDate", "modifiedDate", "secondaryContacts"}, name) {
			continue
		}
		if have := got.(map[string]any)[name]; fmt.Sprint(have) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, have, want)
		}
	}
	b.Want(200, "GET", contacts, nil, &got)
	simtest.Compare(t, shape(sample(t, "omni-contacts-list.json")), shape(got), nil, nil)
	b.Want(200, "DELETE", path, nil, &got)
	simtest.Compare(t, shape(sample(t, "omni-delete-result.json")), shape(got), nil, nil)
	for status, body := range sample(t, "omni-error-bodies.json").(map[string]any) {
		if status != "429" && status != "503" {
			continue // the others are in the other tests
		}
		if err := b.Fault(sim.Cin7Omni, sim.Fault{Match: "*", Kind: "throttle", How: status}); err != nil {
			t.Fatal(err)
		}
		a := b.Call("GET", contacts, nil)
		if fmt.Sprint(a.StatusCode) != status || string(a.Bytes) != fmt.Sprintf("%q", body) {
			t.Errorf("%d %s", a.StatusCode, a.Bytes)
		}
	}
}

// TestPage shows the account's page and presses its buttons.
func TestPage(t *testing.T) {
	b := newBench(t, sim.Options{NoLimits: true})
	const page = "/sim/pages/1/cin7omni"
	show := func(path string, want ...string) string {
		t.Helper()
		a := b.Call("GET", path, nil)
		for _, w := range append(want, "</html>") {
			if !strings.Contains(string(a.Bytes), w) {
				t.Errorf("%s lacks %q", path, w)
			}
		}
		for _, w := range []string{"<script", "style=", "ZgotmplZ", "&lt;nil&gt;", "%!"} {
			if strings.Contains(string(a.Bytes), w) {
				t.Errorf("%s has %q", path, w)
			}
		}
		return string(a.Bytes)
	}
	press := func(path string, form url.Values) string {
		t.Helper()
		req, err := http.NewRequest("POST", "http://sim.test"+page+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := b.HTTP.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
		return resp.Header.Get("Location")
	}
	show(page, "3 of 3 calls a second", "5000 of 5000 calls a day", "in all", "&lt;script&gt;alert(1)")
	show(page+"?q=t%C5%AB%C4%AB", "1 found", "Little Tūī")
	ids := plant(b, obj{"company": "Kauri & Co", "email": "jo@kauri.example", "salesPersonId": 8, "fax": "7"})
	show(page, "Kauri &amp; Co", `value="8" selected`)
	path := fmt.Sprintf("/%d", ids[0])
	if to := press(path+"/change", url.Values{"q": {"kauri"}, "company": {"Kauri Two"}, "email": {""},
		"salesPersonId": {"7"}}); !strings.HasSuffix(to, "?q=kauri") {
		t.Error(to)
	}
	show(page, "Kauri Two", "inactive", `value="7" selected`)
	var x obj
	if b.Want(200, "GET", contacts+path, nil, &x); x["fax"] != "7" || x["email"] != nil {
		t.Errorf("%v", x)
	}
	press("/new/make", url.Values{"company": {"New Store"}, "email": {"new@store.example"}})
	show(page, "2 in all", "New Store")
	press("/contacts/allow", url.Values{"may": {"read"}})
	b.Want(403, "GET", contacts, nil, nil)
	show(page, "Allow: read contacts")
	press("/contacts/allow", url.Values{"may": {"read"}, "on": {"1"}})
	press("/key/revoke", nil)
	b.Want(401, "GET", contacts, nil, nil)
	show(page, "Let it work again")
	press("/key/revoke", nil)
	press(path+"/remove", nil)
	show(page, "1 in all")
	for _, bad := range []string{path + "/remove", "/new/burn"} {
		if to := press(bad, nil); !strings.Contains(to, "problem=") {
			t.Errorf("%s leads to %s", bad, to)
		}
	}
	press("/4/ready", nil)
	b.Want(429, "GET", contacts, nil, nil)
}
