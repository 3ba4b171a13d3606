package console

import (
	"encoding/csv"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/xuri/excelize/v2"

	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
)

// brand is a tenant that has Cin7 Omni and JOOR connected, in a synctest bubble.
type brand struct {
	*house
	acc             sim.Account
	id, path, token string
}

// inBrand runs f with a brand whose accounts have nothing in them.
func inBrand(t *testing.T, f func(*brand)) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		h.later = true
		b := &brand{house: h, acc: h.sim.AddEmptyAccount("Tōtara Apparel", "NZD")}
		b.id, b.path, b.token = h.tenant("Tōtara Apparel")
		h.control("PUT", "/sim/joor/accounts/"+b.acc.JOOR.Account,
			map[string]any{"priceLabels": []map[string]string{{"currency": "NZD", "label": "Wholesale"}}}).is(200)
		b.connect()
		f(b)
		h.sim.Close()
	})
}

func (b *brand) connect() {
	b.do("PUT", b.path+"/connections/cin7omni", b.token, b.acc.Cin7Omni).is(200)
	b.do("PUT", b.path+"/connections/joor", b.token, b.acc.JOOR).is(200)
	b.rest()
}

// rest lets an hour pass, with all work that comes up in it.
func (b *brand) rest() {
	for range 60 {
		time.Sleep(time.Minute)
		b.work()
	}
}

// contact makes a customer in Cin7 Omni; its id.
func (b *brand) contact(doc map[string]any) string {
	full := map[string]any{"type": "Customer", "isActive": true, "address1": "12 Quay Street", "city": "Auckland",
		"postCode": "1010", "country": "New Zealand", "priceColumn": "WholesalePrice"}
	for k, v := range doc {
		full[k] = v
	}
	a := b.control("POST", "/sim/cin7omni/contacts?account="+url.QueryEscape(b.acc.Cin7Omni.Username), full)
	return fmt.Sprintf("%.0f", object(a.is(200).get("items").([]any)[0])["id"])
}

func (b *brand) pull() {
	b.do("POST", b.path+"/sync/contacts", b.token, nil).is(202)
	b.rest()
}

// progress is how a piece of work ended.
func (b *brand) progress(started answer) answer {
	b.t.Helper()
	b.rest()
	id := object(started.is(202).get("progress"))["id"]
	return b.do("GET", fmt.Sprint(b.path, "/progress/", id), b.token, nil).is(200)
}

func (b *brand) listed(list string) string {
	b.t.Helper()
	var all []string
	for _, x := range b.do("GET", b.path+"/joor/customers?list="+list, b.token, nil).is(200).get("items").([]any) {
		all = append(all, fmt.Sprint(object(x)["company"], " ", object(x)["state"]))
	}
	return strings.Join(all, ", ")
}

// TestJOORCustomers: customers are listed, found, downloaded, uploaded, reviewed and updated, by the API and on the
// pages.
func TestJOORCustomers(t *testing.T) {
	inBrand(t, func(b *brand) {
		harbour := b.contact(map[string]any{"company": "Harbour Foods", "email": "buyer@harbour.example",
			"accountNumber": "0624", "phone": "+64 9 555 0101"})
		b.do("PATCH", b.path+"/settings", b.token,
			`{"joorPrices":{"WholesalePrice":{"currency":"NZD","label":"Wholesale"}}}`).is(200)
		b.contact(map[string]any{"company": "=1+1", "email": "maori@totara.example", "firstName": "Māui"})
		b.contact(map[string]any{"company": "Nowhere", "email": "no@where.example", "address1": "", "city": ""})
		b.pull()
		if got := b.listed("upload"); got != "=1+1 new, Harbour Foods new, Nowhere leftOut" {
			t.Fatalf("to upload: %s", got)
		}
		ana := b.signIn("Ana", signin.Admin, b.id)
		at := "/t/" + b.id
		has(t, ana.get(at+"/joor").Body.String(), "Upload Customers", "Match Customers", "In review")
		body := ana.get(at + "/joor/upload").Body.String()
		has(t, body, "Harbour Foods", "is switched off", "Download Customers", "Left out")
		hasNot(t, body, `type="checkbox"`)
		b.do("POST", b.path+"/joor/upload", b.token, `{"all":true}`).is(409)
		b.do("PATCH", b.path+"/settings", b.token, `{"joorUpload":true,"joorUpdate":true}`).is(200)
		b.rest()

		// A filter, on the page and in the files.
		for _, q := range []string{"maui", "MAORI@", "totara"} {
			if a := b.do("GET", b.path+"/joor/customers?q="+q, b.token, nil).is(200); a.get("of") != 1.0 {
				t.Errorf("%s finds %v", q, a.raw)
			}
		}
		b.do("GET", b.path+"/joor/customers?list=all", b.token, nil).is(422)
		b.do("GET", b.path+"/joor/customers?sort=colour", b.token, nil).is(422)
		b.do("GET", b.path+"/joor/customers?after=nonsense", b.token, nil).is(400)
		lines, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(
			ana.get(at+"/joor/upload.csv?sort=-company").Body.String(), "\uFEFF"))).ReadAll()
		if err != nil || len(lines) != 4 || lines[3][1] != "'=1+1" || lines[2][4] != "0624" {
			t.Errorf("%v: %q", err, lines)
		}
		f, err := excelize.OpenReader(ana.get(at + "/joor/upload.xlsx?q=harbour").Body)
		if err != nil {
			t.Fatal(err)
		}
		if rows, err := f.GetRows("Customers"); err != nil || len(rows) != 2 || rows[1][4] != "0624" {
			t.Errorf("%v: %q", err, rows)
		}
		f.Close()

		// Uploaded by what was chosen on the page; what cannot be sent has no box.
		body = ana.get(at + "/joor/upload").Body.String()
		if strings.Count(body, `type="checkbox"`) != 2 {
			t.Errorf("boxes in\n%s", body)
		}
		if w := ana.post(at+"/joor/upload", url.Values{}); !strings.Contains(w.Header().Get("Location"), "unpicked") {
			t.Errorf("nothing chosen: %d %v", w.Code, w.Header())
		}
		if w := ana.post(at+"/joor/upload", url.Values{"choice": {"x"}}); w.Code != 400 {
			t.Errorf("chosen is what has no id: %d %s", w.Code, w.Body)
		}
		w := ana.post(at+"/joor/upload", url.Values{"choice": {harbour}})
		if w.Code != 303 {
			t.Fatalf("upload: %d %s", w.Code, w.Body)
		}
		b.rest()
		has(t, ana.get(w.Header().Get("Location")).Body.String(), "JOOR has the customers")
		if got := b.listed("review"); got != "Harbour Foods review" {
			t.Errorf("in review: %s", got)
		}
		has(t, ana.get(at+"/joor/review").Body.String(), "Harbour Foods", "In review")
		hasNot(t, ana.get(at+"/joor/review").Body.String(), "overdue")
		b.control("PUT", "/sim/joor/accounts/"+b.acc.JOOR.Account,
			map[string]any{"reviewSeconds": (30 * 24 * time.Hour).Seconds()}).is(200)
		time.Sleep(5 * 24 * time.Hour)
		ana = b.signIn("Ana", signin.Admin, b.id)
		has(t, ana.get(at+"/joor/review").Body.String(), "Harbour Foods", "overdue")
		has(t, ana.get(at+"/joor").Body.String(), "1 for longer than JOOR says")
		has(t, ana.get(at).Body.String(), "1 customer is in JOOR’s review for longer than it says")
		b.control("POST", "/sim/joor/review",
			map[string]any{"account": b.acc.JOOR.Account, "all": true, "accept": true}).is(200)
		time.Sleep(5 * time.Hour)
		b.do("POST", b.path+"/sync/joor", b.token, nil).is(202)
		b.rest()
		if got := b.listed("linked"); got != "Harbour Foods linked" {
			t.Fatalf("linked: %s", got)
		}
		b.control("PUT", "/sim/cin7omni/contacts/"+harbour, map[string]any{"city": "Wellington"}).is(200)
		b.pull()
		has(t, ana.get(at+"/joor/update").Body.String(), "Harbour Foods", "Changed", "Update all 1")
		body = ana.get(at + "/joor/" + harbour).Body.String()
		has(t, body, "Wellington", "Auckland", "differs", "Customer code in JOOR")
		p := b.progress(b.do("POST", b.path+"/joor/update", b.token, `{"ids":[`+harbour+`]}`))
		if p.get("state") != string(ledger.ProgressDone) || b.listed("update") != "" {
			t.Errorf("updated: %s, left %s", p.raw, b.listed("update"))
		}
		// What a job leaves out is said with its reasons, on its page too.
		p = b.progress(b.do("POST", b.path+"/joor/upload", b.token, `{"all":true}`))
		has(t, ana.get(fmt.Sprint(at, "/progress/", p.get("id"))).Body.String(), "Nowhere",
			"It has no street in its address", "It has no city")
		b.do("GET", b.path+"/joor/customers/"+harbour, b.token, nil).is(200)
		b.do("GET", b.path+"/joor/customers/9999999", b.token, nil).is(404)
		b.do("POST", b.path+"/joor/upload", b.token, `{"ids":["x"]}`).is(422)
		b.do("POST", b.path+"/joor/upload", b.token, `{"ids":[1],"all":true}`).is(422)
		for _, page := range []string{"", "/upload", "/update", "/review", "/linked", "/match", "/only",
			"/" + harbour} {
			checkPage(t, page, ana.get(at+"/joor"+page))
		}
		has(t, ana.get(at).Body.String(), "Everything is in step")
		hasNot(t, ana.get(at).Body.String(), "Completeness", "Upstock")
		hasNot(t, ana.get(at+"/settings/integrations").Body.String(), "Catalogue", "Pause orders")
		hasNot(t, ana.get(at+"/joor/upload?q=nowhere").Body.String(), "Upload all") // it cannot be sent
	})
}

// TestJOORMatches: what JOOR has already is downloaded, matched, accepted, rejected and undone, by the API and on the
// pages.
func TestJOORMatches(t *testing.T) {
	inBrand(t, func(b *brand) {
		harbour := b.contact(map[string]any{"company": "Harbour Foods", "email": "buyer@harbour.example"})
		b.contact(map[string]any{"company": "Royal Bakery", "email": "bread@royal.example", "address1": "3 Hill Road"})
		connection := func(name, email, street string) {
			address := map[string]any{"address_1": street, "city": "Auckland", "postal_code": "1010",
				"country": "New Zealand"}
			b.control("POST", "/sim/joor/connections?account="+b.acc.JOOR.Account, map[string]any{
				"customer_name": name, "customer_contact_email": email, "customer_alias": name,
				"shipping": map[string]any{"shipping_addresses": []any{address}},
			}).is(200)
		}
		connection("Harbour Foods Ltd", "buyer@harbour.example", "12 Quay Street")
		connection("Kauri Mill", "mill@kauri.example", "1 Mill Lane")
		b.pull()
		ana, at := b.signIn("Ana", signin.Admin, b.id), "/t/"+b.id+"/joor"
		b.progress(b.do("POST", b.path+"/joor/contacts/download", b.token, nil))
		if a := b.do("GET", b.path+"/joor/only", b.token, nil).is(200); a.get("of") != 2.0 {
			t.Errorf("in JOOR alone: %s", a.raw)
		}
		has(t, ana.get(at+"/only").Body.String(), "Kauri Mill", "Harbour Foods Ltd")
		has(t, ana.get(at+"/only.csv").Body.String(), "Kauri Mill")
		b.progress(b.do("POST", b.path+"/joor/matches", b.token, `{"find":true}`))
		a := b.do("GET", b.path+"/joor/matches", b.token, nil).is(200)
		items := a.get("items").([]any)
		if len(items) != 1 || object(items[0])["sure"] != true {
			t.Fatalf("proposed: %s", a.raw)
		}
		has(t, ana.get(at+"/match").Body.String(), "Harbour Foods Ltd", "Accept 1 sure match", "Sure", "Done")
		if w := ana.post(at+"/match", url.Values{"do": {"score"}, "score": {"95"}}); w.Code != 303 ||
			!strings.Contains(w.Header().Get("Location"), "matchesDecided") {
			t.Fatalf("accepted: %d %v %s", w.Code, w.Header(), w.Body)
		}
		b.rest()
		if got := b.listed("linked"); !strings.HasPrefix(got, "Harbour Foods ") {
			t.Errorf("linked: %s", got)
		}
		has(t, ana.get(at+"/match?state=accepted").Body.String(), "Harbour Foods", "Undo")
		has(t, ana.get(at+"/"+harbour).Body.String(), "How it was matched", "Undo this match")
		has(t, ana.get(at+"/match/"+harbour+"/undo").Body.String(), "Undo this match", "JOOR keeps the connection")
		if w := ana.post(at+"/match/"+harbour+"/undo", nil); w.Code != 303 {
			t.Errorf("undone: %d %s", w.Code, w.Body)
		}
		b.rest()
		if b.listed("linked") != "" {
			t.Errorf("still linked: %s", b.listed("linked"))
		}
		b.do("DELETE", b.path+"/joor/matches/"+harbour, b.token, nil).is(409)
		connectionID := object(object(items[0])["connection"])["id"]
		pair := fmt.Sprintf(`{"contact":%s,"connection":%.0f}`, harbour, connectionID)
		b.do("POST", b.path+"/joor/matches", b.token, `{"reject":[`+pair+`]}`).is(200)
		b.progress(b.do("POST", b.path+"/joor/matches", b.token, `{"find":true}`))
		if a := b.do("GET", b.path+"/joor/matches", b.token, nil).is(200); len(a.get("items").([]any)) != 0 {
			t.Errorf("proposed again: %s", a.raw)
		}
		has(t, ana.get(at+"/match?state=rejected").Body.String(), "Harbour Foods")
		for _, bad := range []string{`{}`, `{"find":true,"sure":true}`, `{"accept":[{"contact":"x","connection":1}]}`} {
			b.do("POST", b.path+"/joor/matches", b.token, bad).is(422)
		}
	})
}

// TestJOORMatchesAbove: those alike by so much or more are accepted, and none below.
func TestJOORMatchesAbove(t *testing.T) {
	inBrand(t, func(b *brand) {
		b.contact(map[string]any{"company": "Kauri Mills", "email": "info@kaurimills.example"})
		b.control("POST", "/sim/joor/connections?account="+b.acc.JOOR.Account, map[string]any{
			"customer_name": "Kauri Mill", "customer_alias": "Kauri Mill", "customer_contact_email": "jo@mill.example",
			"shipping": map[string]any{"shipping_addresses": []any{map[string]any{"address_1": "1 Mill Lane",
				"city": "Auckland", "postal_code": "1010", "country": "New Zealand"}}}}).is(200)
		b.pull()
		b.progress(b.do("POST", b.path+"/joor/contacts/download", b.token, nil))
		b.progress(b.do("POST", b.path+"/joor/matches", b.token, `{"find":true}`))
		a := b.do("GET", b.path+"/joor/matches", b.token, nil).is(200)
		score := object(a.get("items").([]any)[0])["score"].(float64)
		if score < 0.51 || score >= 0.99 {
			t.Fatalf("nothing above or below: %s", a.raw)
		}
		ana, at := b.signIn("Ana", signin.Admin, b.id), "/t/"+b.id+"/joor/match"
		for _, try := range []struct {
			percent int
			says    string
		}{{int(score*100) + 1, "unpicked"}, {int(score * 100), "matchesDecided"}} {
			w := ana.post(at, url.Values{"do": {"score"}, "score": {fmt.Sprint(try.percent)}})
			if !strings.Contains(w.Header().Get("Location"), try.says) {
				t.Errorf("%s at %d %%: %d %v", a.raw, try.percent, w.Code, w.Header())
			}
		}
	})
}

// TestJOORSettings: the page asks in the words of Cin7's own, offers what the accounts have, and keeps what is typed.
func TestJOORSettings(t *testing.T) {
	inBrand(t, func(b *brand) {
		b.contact(map[string]any{"company": "Harbour Foods", "email": "b@harbour.example", "paymentTerms": "30 days"})
		b.pull()
		ana, at := b.signIn("Ana", signin.Admin, b.id), "/t/"+b.id+"/settings/joor"
		body := ana.get(at).Body.String()
		has(t, body, "Upload Customers to JOOR", "Update Customers to JOOR", "Save Settings", "WholesalePrice",
			"30 days")
		form := url.Values{"version": {"0"}, "joorUpload": {"true"}, "joorUpdate": {"false"},
			"joorUploadAlone": {"false"},
			"joorUpdateAlone": {"false"}, "priceColumn": {"WholesalePrice", "VipPrice", ""},
			"priceLabel": {"NZD Wholesale", "NZD Landed price", ""}, "terms": {"30 days"}, "method": {"Net 30"}}
		if w := ana.post(at, form); w.Code != 303 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		saved := b.do("GET", b.path+"/settings", b.token, nil).is(200)
		prices, terms := object(saved.get("joorPrices")), object(saved.get("joorTerms"))
		if saved.get("joorUpload") != true || object(prices["VipPrice"])["label"] != "Landed price" ||
			terms["30 days"] != "Net 30" {
			t.Errorf("%s", saved.raw)
		}
		has(t, ana.get(at).Body.String(), "NZD Landed price", "Net 30")
		form.Set("version", "1")
		form["priceLabel"][1] = "Landed"
		if w := ana.post(at, form); w.Code != 422 || !strings.Contains(w.Body.String(), "VipPrice") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// TestJOOROptions: what the settings may name in JOOR is listed beside what they may name in Cin7 Core, once its
// connections were read; of a tenant who has nothing to do with JOOR it is not.
func TestJOOROptions(t *testing.T) {
	inBrand(t, func(b *brand) {
		_, other, token := b.tenant("Aroha Foods")
		if a := b.do("GET", other+"/options", token, nil).is(200); strings.Contains(a.raw, "joor") {
			t.Errorf("without JOOR: %s", a.raw)
		}
		if a := b.do("GET", b.path+"/options", b.token, nil).is(200); len(a.get("joorPrices").([]any)) != 0 ||
			a.get("why") != "Cin7 Core is not connected." {
			t.Errorf("before any connection was read: %s", a.raw)
		}
		b.control("POST", "/sim/joor/connections?account="+b.acc.JOOR.Account, map[string]any{
			"customer_name": "Kauri Mill", "customer_alias": "Kauri Mill",
			"price_types": []map[string]string{{"price_currency": "NZD", "price_label": "Landed price"}},
			"payment_methods": []map[string]string{
				{"payment_method_name": "30 days", "payment_method_code": "N30"}},
			"sales_rep_name":      "Mere Parata",
			"sales_rep_code":      "7",
			"customer_group_name": "Retail",
		}).is(200)
		b.progress(b.do("POST", b.path+"/joor/contacts/download", b.token, nil))
		a := b.do("GET", b.path+"/options", b.token, nil).is(200)
		for setting, want := range map[string]string{"joorPrices": "NZD Landed price", "joorTerms": "30 days",
			"joorReps": "7", "joorGroups": "Retail"} {
			if got := values(a.get(setting)); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q, want %q", setting, got, want)
			}
		}
	})
}

// fillJOOR makes a customer that is matched, for the pages' own tests; its id.
func (h *house) fillJOOR(acc sim.Account, id, path, token string) string {
	h.t.Helper()
	for _, c := range []struct{ system, keys any }{{"cin7omni", acc.Cin7Omni}, {"joor", acc.JOOR}} {
		h.do("PUT", fmt.Sprint(path, "/connections/", c.system), token, c.keys).is(200)
	}
	h.do("PATCH", path+"/settings", token, `{"joorUpload":true,"joorUpdate":true,"joorPrices":{
		"WholesalePrice":{"currency":"NZD","label":"Wholesale"},
		"RetailPrice":{"currency":"NZD","label":"Retail"}}}`).is(200)
	h.work()
	h.do("POST", path+"/joor/contacts/download", token, nil).is(202)
	h.work()
	firstID := func(list string) string {
		return idText(object(h.do("GET", path+"/joor/"+list, token, nil).is(200).get("items").([]any)[0])["id"])
	}
	contact, connection := firstID("customers?sort=-state&limit=1"), firstID("only?limit=1") // queued, new, leftOut
	h.do("POST", path+"/joor/matches", token,
		fmt.Sprintf(`{"accept":[{"contact":%s,"connection":%s}]}`, contact, connection)).is(200)
	return contact
}

// idText is a number as it stands in an address.
func idText(id any) string { return fmt.Sprintf("%.0f", id) }

// TestJOORKept: how customers stand in JOOR and what was decided about matches is in the export. With the tenant goes
// all of it, and what still comes for the tenant leaves nothing.
func TestJOORKept(t *testing.T) {
	inBrand(t, func(b *brand) {
		b.do("PATCH", b.path+"/settings", b.token, `{"joorUpload":true,
			"joorPrices":{"WholesalePrice":{"currency":"NZD","label":"Wholesale"}}}`).is(200)
		harbour := b.contact(map[string]any{"company": "=Harbour Foods", "email": "buyer@harbour.example"})
		royal := b.contact(map[string]any{"company": "Royal Bakery", "email": "bread@royal.example"})
		b.contact(map[string]any{"company": "Never Sent", "email": "none@never.example"})
		b.control("POST", "/sim/joor/connections?account="+b.acc.JOOR.Account, map[string]any{
			"customer_name": "Royal Bakery", "customer_alias": "Royal Bakery",
			"customer_contact_email": "bread@royal.example"}).is(200)
		b.pull()
		b.progress(b.do("POST", b.path+"/joor/contacts/download", b.token, nil))
		b.progress(b.do("POST", b.path+"/joor/matches", b.token, `{"find":true}`))
		b.do("POST", b.path+"/joor/matches", b.token, `{"sure":true}`).is(200)
		b.progress(b.do("POST", b.path+"/joor/upload", b.token, `{"ids":[`+harbour+`]}`))

		parts, _ := b.exportAll(b.path, b.token)
		lines := readTable(t, parts[0]["joor-customers.csv"])
		if len(lines) != 2 || lines[0][0] != harbour || lines[0][1] != "'=Harbour Foods" || lines[0][5] != "review" ||
			lines[1][0] != royal || lines[1][10] == "" {
			t.Errorf("%q", lines)
		}
		if lines := readTable(t, parts[0]["joor-matches.csv"]); len(lines) != 1 || lines[0][0] != "accepted" ||
			lines[0][1] != royal || lines[0][4] != "Royal Bakery" || !strings.Contains(lines[0][6], "token") {
			t.Errorf("%q", lines)
		}

		b.do("DELETE", b.path, operator, map[string]string{"name": "Tōtara Apparel"}).is(200)
		b.rest()
		if left := b.written.left(t, b.id); len(left) != 0 {
			t.Errorf("what is left: %v", left)
		}
	})
}
