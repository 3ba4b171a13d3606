package console

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/upstockcin7/order"
)

// unzip reads the files of an export's part, and holds them to what the manifest and README.txt say.
func unzip(t *testing.T, data []byte) map[string][]byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if files[f.Name] != nil {
			t.Errorf("%s is there twice", f.Name)
		}
		if files[f.Name], err = io.ReadAll(r); err != nil { // it checks the sum too
			t.Fatalf("%s: %v", f.Name, err)
		}
	}
	var m exportManifest
	if err := json.Unmarshal(files["manifest.json"], &m); err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{"README.txt": true, "manifest.json": true}
	for _, f := range m.Files {
		listed[f.Name] = true
		if int(f.Bytes) != len(files[f.Name]) {
			t.Errorf("%s has %d bytes, and is listed with %d", f.Name, len(files[f.Name]), f.Bytes)
		}
		if strings.HasSuffix(f.Name, ".csv") && *f.Rows != len(readTable(t, files[f.Name])) {
			t.Errorf("%s is listed with %d rows", f.Name, *f.Rows)
		}
	}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, slices.Sorted(maps.Keys(listed))) {
		t.Errorf("%v, and the manifest lists %v", got, m.Files)
	}
	for name := range files {
		known := strings.TrimSuffix(strings.TrimSuffix(name, ".csv"), ".json")
		if !strings.HasPrefix(name, "orders/") && !slices.Contains([]string{"README.txt", "manifest.json"}, name) &&
			!bytes.Contains(files["README.txt"], []byte("\n"+known)) {
			t.Errorf("README.txt does not say what %s is", name)
		}
	}
	return files
}

// readTable reads a CSV file's lines, without its head.
func readTable(t *testing.T, data []byte) [][]string {
	t.Helper()
	data, ok := bytes.CutPrefix(data, []byte("\uFEFF"))
	lines, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil || !ok || len(lines) == 0 {
		t.Fatalf("%v: %.200s", err, data)
	}
	return lines[1:]
}

// exportAll reads an export to its end: the files of its parts.
func (h *house) exportAll(path, token string) (parts []map[string][]byte, sizes []int) {
	h.t.Helper()
	for address := path + "/export"; address != ""; {
		a := h.do("GET", address, token, nil).is(200)
		files := unzip(h.t, []byte(a.raw))
		var m exportManifest
		if err := json.Unmarshal(files["manifest.json"], &m); err != nil {
			h.t.Fatal(err)
		}
		parts, sizes, address = append(parts, files), append(sizes, len(a.raw)), text(m.Next)
		link := ""
		if address != "" {
			link = "<" + address + `>; rel="next"`
		}
		if m.Part != len(parts) || a.header.Get("Link") != link ||
			address != "" && !bytes.Contains(files["README.txt"], []byte(address)) {
			h.t.Errorf("part %d says %d, Link %q, next %q", len(parts), m.Part, a.header.Get("Link"), address)
		}
	}
	return parts, sizes
}

// TestExport: everything that is kept of a tenant is in its export, for its admins and the operator.
func TestExport(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	_, _, otherPath, otherToken := h.supplier("Bay Bakery")
	sold := h.approve(acc, path, `{"reference":"=HYPERLINK(1)"}`)
	stuck := h.approve(acc, path, unknownProduct)
	h.do("PATCH", path+"/settings", token, `{"totalTolerance":"0.05"}`).is(200)
	h.do("PUT", path+"/links/product/TEA-1", token, map[string]string{"id": h.product(id, "KWK-100")}).is(200)
	h.do("PUT", path+"/alerts", token, map[string]any{"emails": []string{"ana@example.com"}}).is(200)
	h.do("POST", path+"/completeness", token, nil).is(202)
	h.work()
	viewer := h.do("POST", path+"/tokens", token, `{"name":"till","role":"viewer"}`).is(201).get("token").(string)
	ana := h.signIn("Ana", signin.Admin, id)

	parts, _ := h.exportAll(path, token)
	if len(parts) != 1 {
		t.Fatalf("%d parts", len(parts))
	}
	files := parts[0]
	for name, want := range map[string]string{
		"README.txt": "It is the last part", "tenant.json": `"name": "Aroha Foods"`,
		"connections.json": acc.Cin7Core.AccountID, "settings.json": `"totalTolerance": "0.05"`,
		"settings-versions.json": `"changed":["totalTolerance"]`, "settings-versions.csv": "totalTolerance",
		"flows.json": `"flow": "shipments"`, "jobs.json": `"job": "reconcile"`, "backfill.json": `"state"`,
		"alerts.json": `"ana@example.com"`,
		"tokens.json": `"till"`, "tokens.csv": "till", "people.json": `"Ana"`, "people.csv": "Ana",
		"links-product.json": `"from":"tea-1"`, "links-product.csv": "TEA-1",
		"completeness.json": `"summary"`, "completeness-orders.csv": "'=HYPERLINK(1)",
		"events.json": "The tenant was made", "events.csv": "The tenant was made", "orders.csv": "'=HYPERLINK(1)",
		"orders.json": `"reference":"=HYPERLINK(1)"`,
	} {
		if !bytes.Contains(files[name], []byte(want)) {
			t.Errorf("%s: no %s in %s", name, want, files[name])
		}
	}
	if lines := readTable(t, files["orders.csv"]); len(lines) != 2 || lines[0][0] != stuck[strings.LastIndex(stuck,
		"/")+1:] {
		t.Errorf("orders.csv: %v", lines)
	}
	folder := "orders/" + sold[strings.LastIndex(sold, "/")+1:] + "/"
	var story exportedOrder
	var calls []ledger.Exchange
	for name, v := range map[string]any{"order.json": &story, "calls-1.json": &calls} {
		if err := json.Unmarshal(files[folder+name], v); err != nil {
			t.Errorf("%s: %v in %s", folder+name, err, files[folder+name])
		}
	}
	if text(story.SaleNumber) == "" || len(calls) < 3 || len(files[folder+"plan.json"]) == 0 ||
		!bytes.Contains(files[folder+"received.json"], []byte("=HYPERLINK(1)")) {
		t.Errorf("%+v", story)
	}
	named := 0
	for _, line := range story.Timeline {
		if slices.ContainsFunc(calls, func(x ledger.Exchange) bool { return x.Number == line.Call }) {
			named++
		}
	}
	if named != len(calls) {
		t.Errorf("the story names %d of %d calls", named, len(calls))
	}

	if a := h.do("GET", path+"/events?kind=export", token, nil).is(200); len(a.get("items").([]any)) != 1 ||
		!strings.Contains(a.get("items.0.actor").(string), "token first") {
		t.Error(a.raw)
	}
	h.do("GET", path+"/export", operator, nil).is(200)
	h.do("GET", path+"/export", viewer, nil).is(403)
	h.do("GET", path+"/export", otherToken, nil).is(404)
	h.do("GET", path+"/export", "", nil).is(401)
	if w := ana.get("/t/" + id + "/export"); w.Code != 200 || len(unzip(t, w.Body.Bytes())) < 20 {
		t.Errorf("%d", w.Code)
	}
	has(t, ana.get("/t/"+id+"/settings/access").Body.String(), `href="/t/`+id+`/export"`)
	has(t, ana.get("/t/"+id+"/activity?about=access").Body.String(), "was exported: part 1", "Ana")
	viktor := h.signIn("Viktor", signin.Viewer, id)
	if w := viktor.get("/t/" + id + "/export"); w.Code != 403 {
		t.Errorf("a viewer: %d", w.Code)
	}
	hasNot(t, viktor.get("/t/"+id+"/settings/access").Body.String(), "/export")
	if parts, _ := h.exportAll(otherPath, otherToken); bytes.Contains(parts[0]["events.json"], []byte("HYPERLINK")) {
		t.Error("another tenant's export has this one's orders")
	}
	// Of whose export no event can tell, nobody gets it.
	h.deaf.deaf = true
	h.do("GET", path+"/export", token, nil).is(503)
}

// TestExportOfCatalogue: what was chosen to be in Upstock is in the export, and how prices changed there, a line for
// each.
func TestExportOfCatalogue(t *testing.T) {
	s := openShop(t)
	s.importAll()
	product := fmt.Sprint(s.ask("GET", "/products?q=kwk-100", nil).get("items.0.id"))
	s.control("PUT", "/sim/cin7core/products/"+product, map[string]any{"PriceTier1": 19.95, "PriceTier2": 18.95})
	s.through("POST", "/sync/prices", nil)
	files := map[string][]byte{}
	parts, _ := s.exportAll(s.path, s.token)
	for _, part := range parts {
		maps.Copy(files, part)
	}
	for name, list := range map[string]string{
		"imported-products": "/products?limit=100", "imported-customers": "/customers?limit=100",
		"price-changes": "/price-changes?state=applied&limit=100",
	} {
		a := s.ask("GET", list, nil).is(200)
		items := elements(a.get("items"))
		var listed []any
		if err := json.Unmarshal(files[name+".json"], &listed); err != nil || len(listed) == 0 ||
			a.get("next") != nil || !reflect.DeepEqual(listed, items) ||
			len(readTable(t, files[name+".csv"])) != len(items) {
			t.Errorf("%s: %v, %.300s, want %.300s", name, err, files[name+".json"], a.raw)
		}
	}
}

// TestExportHasNoSecret puts a secret wherever there can be one, and looks for each in every file.
func TestExportHasNoSecret(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	secrets := map[string]string{
		"Upstock's token": acc.Upstock.Token, "Cin7 Core's key": acc.Cin7Core.ApplicationKey, "the API token": token,
		"a new webhook secret": "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("canary"), 6)),
	}
	store := func(when string) {
		b, err := h.tenants.Load(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		for sys, c := range b.Connections {
			s, err := h.tenants.Secrets(t.Context(), c)
			if err != nil {
				t.Fatal(err)
			}
			at := string(sys) + " " + when
			secrets["sealed "+at] = base64.StdEncoding.EncodeToString(c.Sealed)
			secrets["key "+at], secrets["hook "+at] = string(s.Key), string(s.URLToken)
			secrets["webhook secret "+at] = string(s.WebhookSecret)
			for i, old := range s.Replaced {
				secrets[fmt.Sprint("replaced ", i, at)] = string(old.Secret)
			}
		}
	}
	store("at first")
	h.do("PUT", path+"/connections/upstock", token,
		map[string]string{"webhookSecret": secrets["a new webhook secret"]}).is(200)
	store("afterwards")
	second := h.do("POST", path+"/tokens", token, nil).is(201)
	secrets["a second token"] = second.get("token").(string)
	for _, one := range []string{token, secrets["a second token"]} {
		sum := sha256.Sum256([]byte(one))
		secrets["the hash of "+one] = hex.EncodeToString(sum[:])
	}
	secrets["the path of an address"], secrets["its query"] = "a-canary-of-a-path", "a-canary-of-a-query"
	alerts := h.do("PUT", path+"/alerts", token, map[string]string{
		"url": "https://hooks.example.com/a-canary-of-a-path?key=a-canary-of-a-query"}).is(200)
	secrets["a secret of alerts"] = alerts.get("secret").(string)
	secrets["its second"] = h.do("POST", path+"/alerts/secret", token, nil).is(200).get("secret").(string)
	ana := h.signIn("Ana", signin.Admin, id)
	for _, c := range ana.cookies {
		secrets["cookie "+c.Name] = c.Value
	}
	h.approve(acc, path, `{"reference":"PO-1"}`)
	h.approve(acc, path, unknownProduct)
	// A key that is refused, and a vendor that repeats it.
	h.do("PUT", path+"/connections/cin7core", token, map[string]string{"applicationKey": "a-wrong-canary-key"})
	secrets["a refused key"] = "a-wrong-canary-key"
	h.do("POST", path+"/completeness", token, nil).is(202)
	h.work()

	parts, _ := h.exportAll(path, token)
	found := false
	for _, files := range parts {
		for name, data := range files {
			for what, secret := range secrets {
				for _, as := range []string{secret, base64.StdEncoding.EncodeToString([]byte(secret)),
					hex.EncodeToString([]byte(secret))} {
					if len(secret) >= 6 && bytes.Contains(data, []byte(as)) {
						t.Errorf("%s is in %s", what, name)
					}
				}
			}
			found = found || bytes.Contains(data, []byte(acc.Cin7Core.AccountID))
		}
	}
	if !found || len(secrets) < 15 {
		t.Errorf("what is no secret is not found: %v; %d secrets", found, len(secrets))
	}
}

// noise is text that cannot be packed much smaller.
func noise(bytes int) string {
	b := make([]byte, bytes*3/4)
	rand.Read(b)
	return base64.StdEncoding.EncodeToString(b)
}

// TestExportInParts: a large tenant comes in parts of which each fits into an answer, with everything once.
func TestExportInParts(t *testing.T) {
	h := open(t)
	id, path, token := h.tenant("Aroha Foods")
	const ordinary, events = 30, 12_000
	orders := map[string]int{} // by id: the bytes of what was received
	add := func(run order.Order, size int) {
		t.Helper()
		run.Tenant, run.State, run.Received = id, ledger.Attention, time.Now().UTC()
		body, _ := json.Marshal(map[string]string{"id": run.ID, "note": noise(size)})
		if _, err := h.orders.Receive(t.Context(), &run, body); err != nil {
			t.Fatal(err)
		}
		orders[run.ID] = len(body)
	}
	for n := range ordinary {
		add(order.Order{Run: ledger.Run{ID: fmt.Sprint(500_000 + n)}}, 300_000)
	}
	add(order.Order{Run: ledger.Run{ID: "2:880123"}}, 3_400_000) // about as large as one can be
	add(order.Order{Run: ledger.Run{ID: "!msg_../../Abc"}}, 100)
	add(order.Order{Run: ledger.Run{ID: "600000"}}, 100)
	run, err := h.orders.Get(t.Context(), id, "600000")
	if err != nil {
		t.Fatal(err)
	}
	for range 10 { // what one write records is bounded
		if err := h.orders.Update(t.Context(), run, func(o *order.Order, _ *ledger.Extra) error {
			for range 8 {
				o.Record(ledger.Exchange{At: time.Now().UTC(), Method: "GET", Path: "/sale", Outcome: "done",
					Answer: noise(60_000)})
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	for n := range events {
		e := ledger.Event{Kind: "x", Count: n + 1, Text: noise(360)}
		if err := h.ledger.Record(t.Context(), id, e); err != nil {
			t.Fatal(err)
		}
	}

	parts, sizes := h.exportAll(path, token)
	if len(parts) < 5 {
		t.Errorf("%d parts", len(parts))
	}
	t.Log("bytes of each part:", sizes)
	seen, said, called := map[string]int{}, map[string]int{}, 0
	for n, files := range parts {
		if in := base64.StdEncoding.EncodedLen(sizes[n]); in > 6_000_000 {
			t.Errorf("part %d has %d bytes in an answer", n+1, in)
		}
		for name, data := range files {
			if strings.Contains(name, "..") || strings.ContainsAny(name, `:\!`) || strings.HasPrefix(name, "/") {
				t.Errorf("a file is called %q", name)
			}
			if strings.HasSuffix(name, "/received.json") {
				var body map[string]string
				if err := json.Unmarshal(data, &body); err != nil || orders[body["id"]] != len(data) {
					t.Errorf("%s: %v, %d bytes", name, err, len(data))
				}
				seen[body["id"]]++
			}
			if strings.Contains(name, "/calls-") {
				called += bytes.Count(data, []byte(`"method"`))
			}
		}
		if files["events.csv"] != nil {
			for _, line := range readTable(t, files["events.csv"]) {
				said[line[4]]++
			}
		}
		if files["orders.csv"] != nil {
			for _, line := range readTable(t, files["orders.csv"]) {
				seen["row of "+line[0]]++
			}
		}
	}
	for one := range orders {
		if seen[one] != 1 || seen["row of "+one] != 1 {
			t.Errorf("order %s: %d times, its row %d times", one, seen[one], seen["row of "+one])
		}
	}
	for n := 2; n <= events; n++ {
		if said[fmt.Sprint(n)] != 1 {
			t.Fatalf("event %d: %d times", n, said[fmt.Sprint(n)])
		}
	}
	if called != 80 {
		t.Errorf("%d calls of 80", called)
	}
	_, _, stranger := h.tenant("Bay Bakery")
	for _, after := range []string{"x", "e30", hostile, exportPlace{1, "about", ""}.String(),
		exportPlace{2, "nothing", ""}.String(), exportPlace{2, "events", "x"}.String(),
		exportPlace{2, "orders", "x"}.String(), exportPlace{2, "orders", "00000000000000500000/-1"}.String(),
		exportPlace{2, "customers", "a#b\x00\xff"}.String(), exportPlace{2, "settings", "-1"}.String()} {
		address := path + "/export?after=" + strings.NewReplacer("%", "%25", " ", "%20", "&", "%26", "\"", "%22", "<",
			"%3C", ">", "%3E", "#", "%23", ";", "%3B", "\u202e", "%E2%80%AE").Replace(after)
		if a := h.do("GET", address, token, nil); a.status != 400 || !slices.Equal(a.fields(), []string{"after"}) {
			t.Errorf("after %q: %d %s", after, a.status, a.raw)
		}
		h.do("GET", address, stranger, nil).is(404)
	}
}

// TestExportEndsInTime: a part that takes long ends, and the next goes on.
func TestExportEndsInTime(t *testing.T) {
	h := open(t)
	id, path, _ := h.tenant("Aroha Foods")
	for n := range 3 {
		h.run(order.Order{Run: ledger.Run{Tenant: id, ID: fmt.Sprint(500_000 + n), State: ledger.Attention}})
	}
	b, err := h.tenants.Load(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	a := &api{Deps: Deps{Tenants: h.tenants, Ledger: h.ledger, Orders: h.orders, Pair: h.pair, JOOR: h.joor,
		Jobs: h.jobs, Alerts: h.alerts.Store, Desk: h.reception.desk,
		Sections: h.sections}}
	at, part, exported := &exportPlace{Part: 1, Section: "about"}, 0, 0
	for at != nil && part < 100 {
		e := &export{Bundle: b, zone: time.UTC, lists: map[string]*rows{}, until: time.Now().Add(-time.Second)}
		if at, err = a.fillPart(context.Background(), e, *at); err != nil {
			t.Fatal(err)
		}
		if l := e.lists["orders"]; l != nil {
			exported += l.json.rows
		}
		part++
	}
	if part < len(exportSections()) || exported != 3 {
		t.Errorf("%d parts, %d orders, from %s", part, exported, path)
	}
}
