package cin7core_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/rest"
	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
)

func newSim(t *testing.T, vendor *simcin7core.Vendor) (*sim.Sim, sim.Account, *cin7core.Client) {
	t.Helper()
	s, err := sim.New(sim.Options{Seed: "client", NoLimits: true}, vendor)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	a := s.AddAccount("Kauri Wholesale", "")
	return s, a, cin7core.New("http://sim.test"+sim.PrefixCin7Core, s.Transport(), nil, a.Cin7Core.AccountID,
		a.Cin7Core.ApplicationKey)
}

func TestWebhooks(t *testing.T) {
	_, _, c := newSim(t, simcin7core.New(simcin7core.Options{}))
	ctx := t.Context()
	want := cin7core.Webhook{Type: cin7core.SaleShipmentAuthorised, Active: true,
		URL:               "https://stockbridge.test/webhooks/cin7core/abc",
		AuthorizationType: cin7core.BearerAuth, BearerToken: "t0ken"}
	got, err := c.CreateWebhook(ctx, want)
	if want.ID = got.ID; err != nil || got.ID == "" || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	other := want
	other.Type = cin7core.SaleVoided
	if other, err = c.CreateWebhook(ctx, other); err != nil || other.ID == want.ID {
		t.Fatalf("%+v, %v", other, err)
	}
	want.Active, want.ID = false, strings.ToUpper(want.ID)
	got, err = c.UpdateWebhook(ctx, want)
	if want.ID = strings.ToLower(want.ID); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	all, err := c.Webhooks(ctx)
	if diff := cmp.Diff([]cin7core.Webhook{want, other}, all); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for range cin7core.MaxWebhooks - 1 {
		if _, err := c.CreateWebhook(ctx, want); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.CreateWebhook(ctx, want); rest.KindOf(err) != rest.Invalid ||
		errors.Is(err, cin7core.ErrNoAutomation) {
		t.Errorf("one too many: %v", err)
	}
	if err := c.DeleteWebhook(ctx, other.ID); err != nil {
		t.Error(err)
	}
	if err := c.DeleteWebhook(ctx, other.ID); rest.KindOf(err) != rest.Invalid ||
		errors.Is(err, cin7core.ErrNoAutomation) {
		t.Errorf("deleted twice: %v", err)
	}
	if all, err := c.Webhooks(ctx); len(all) != cin7core.MaxWebhooks || err != nil {
		t.Errorf("%d left, %v", len(all), err)
	}
}

func TestNoAutomation(t *testing.T) {
	_, _, c := newSim(t, simcin7core.New(simcin7core.Options{NoAutomation: true}))
	_, err := c.Webhooks(t.Context())
	_, created := c.CreateWebhook(t.Context(), cin7core.Webhook{})
	for _, err := range []error{err, created, c.DeleteWebhook(t.Context(), "x")} {
		if !errors.Is(err, cin7core.ErrNoAutomation) || rest.KindOf(err) != rest.Invalid ||
			rest.OutcomeOf(err) != rest.Refused {
			t.Errorf("%v (%v)", err, rest.KindOf(err))
		}
	}
	const hook = `{"Webhooks":[]}`
	for _, tt := range []struct {
		status int
		body   string
		lacks  bool
		kind   rest.Kind
		writes bool // a refused write means the same
	}{
		{200, hook, false, rest.Other, false},
		{403, "Incorrect credentials!", false, rest.Unauthorized, true},
		{403, `[{"ErrorCode":403,"Exception":"Incorrect credentials!"}]`, false, rest.Unauthorized, true},
		{403, `[{"ErrorCode":403,"Exception":"Not in your plan."}]`, true, rest.Invalid, true},
		{403, "", false, rest.Unauthorized, true},
		{401, "No", false, rest.Unauthorized, true},
		{403, "<html>Forbidden</html>", false, rest.Unavailable, true},
		{400, `[{"ErrorCode":400,"Exception":"Automation module is required."}]`, true, rest.Invalid, true},
		{400, `[{"ErrorCode":400,"Exception":"Whatever."}]`, true, rest.Invalid, false},
		{200, `[{"ErrorCode":400,"Exception":"Your subscription lacks this."}]`, true, rest.Invalid, true},
		{400, `[{"ErrorCode":400,"Exception":"You have reached 60 calls per 60 seconds API limit."}]`, false,
			rest.Throttled, true},
		{500, "Automation", false, rest.Unavailable, true},
		{302, "", false, rest.Unavailable, true},
		{200, `{}`, false, rest.Unavailable, true},
		{200, "<html></html>", false, rest.Unavailable, true},
	} {
		f, c := newVendor(t)
		f.status, f.body = tt.status, tt.body
		_, err := c.Webhooks(t.Context())
		if errors.Is(err, cin7core.ErrNoAutomation) != tt.lacks || rest.KindOf(err) != tt.kind {
			t.Errorf("%d %s: %v (%v)", tt.status, tt.body, err, rest.KindOf(err))
		}
		_, err = c.CreateWebhook(t.Context(), cin7core.Webhook{URL: "https://a.test", BearerToken: "s3cret"})
		if errors.Is(err, cin7core.ErrNoAutomation) != (tt.lacks && tt.writes) || err == nil ||
			strings.Contains(err.Error(), "s3cret") {
			t.Errorf("create, %d %s: %v", tt.status, tt.body, err)
		}
	}
}

func TestWebhookSamples(t *testing.T) {
	f, c := newVendor(t)
	f.body = string(sample(t, "webhooks.get.response.json"))
	all, err := c.Webhooks(t.Context())
	want := []cin7core.Webhook{{ID: "0bd90aa9-72f9-4f9c-bb0d-9f7cc406b07a", Type: "Sale/OrderAuthorised",
		URL: "https://hookb.in/Zn8950P7", AuthorizationType: "basicauth"}}
	if diff := cmp.Diff(want, all); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	f.body = string(sample(t, "webhooks.post.response.json"))
	w := cin7core.Webhook{Type: "Sale/OrderAuthorised", Active: true, URL: "https://hookb.in/Zn8950P7",
		AuthorizationType: cin7core.BearerAuth, BearerToken: "x"}
	if got, err := c.CreateWebhook(t.Context(), w); err != nil || got.ID != "1cf8cb83-bf39-494b-87f9-1252b684d6d5" {
		t.Errorf("%+v, %v", got, err)
	}
	var sent, documented map[string]any
	if err := errors.Join(json.Unmarshal([]byte(f.sent[1]), &sent),
		json.Unmarshal(sample(t, "webhooks.post.request.json"), &documented)); err != nil {
		t.Fatal(err)
	}
	for name := range sent {
		if _, ok := documented[name]; !ok {
			t.Errorf("%s is not the vendor's", name)
		}
	}
	f.body = string(sample(t, "webhooks.delete.response.json"))
	if err := c.DeleteWebhook(t.Context(), "a b"); err != nil || f.last().URL.RawQuery != "ID=a+b" {
		t.Errorf("%v %s", err, f.last().URL)
	}
}

func TestParseWebhook(t *testing.T) {
	const id, upper = "91ee7b1d-bd35-4e43-b98a-db86be777624", "91EE7B1D-BD35-4E43-B98A-DB86BE777624"
	for _, tt := range []struct {
		name, body string
		want       cin7core.WebhookHint
	}{
		{"voided, a comma too many", `{"SaleID": "` + upper + `",` + "\n" +
			`"SaleOrderNumber": "SO-00044", "EventType": "Sale/Voided", "CustomerName": "A",` + "\n}",
			cin7core.WebhookHint{EventType: cin7core.SaleVoided, SaleID: id, OrderNumber: "SO-00044"}},
		{"shipment, doubled comma", `{"SaleTaskID": "` + upper +
			`",, "TenantID": "1A783F0D-810C-43C4-B61B-FA7CC293D8A0", "OrderNumber": "SO-00044", "EventType": "Sale/ShipmentAuthorised"}`,
			cin7core.WebhookHint{EventType: cin7core.SaleShipmentAuthorised, TaskID: id, OrderNumber: "SO-00044"}},
		{"quotes not escaped", `{"CustomerName": "The "Old" Mill", "SaleID": "` + id +
			`", "SaleOrderNumber": "SO-00044"}`, cin7core.WebhookHint{SaleID: id, OrderNumber: "SO-00044"}},
		{"no quotes", `SaleID: ` + id + `, OrderNumber: SO-1}`, cin7core.WebhookHint{SaleID: id, OrderNumber: "SO-1"}},
		{"cut off", `{"SaleID": "` + id + `", "TaskID": "` + id[:20], cin7core.WebhookHint{SaleID: id}},
		{"a byte order mark", "\ufeff" + `{"saleid":"{` + upper + `}"}`, cin7core.WebhookHint{SaleID: id}},
		{"nonsense in the fields", `{"SaleID":"1; drop","TaskID":7,"OrderNumber":"SO\n1","EventType":"<b>/x"}`,
			cin7core.WebhookHint{}},
		{"zeros", `{"SaleID":"00000000-0000-0000-0000-000000000000","OrderNumber":12}`,
			cin7core.WebhookHint{OrderNumber: "12"}},
		{"an array", `[{"SaleID":"` + id + `"}]`, cin7core.WebhookHint{}},
		{"null", `null`, cin7core.WebhookHint{}},
		{"nothing", "", cin7core.WebhookHint{}},
	} {
		if diff := cmp.Diff(tt.want, cin7core.ParseWebhook([]byte(tt.body))); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

// TestParseWebhookSamples: every example of the vendor reads the same with a comma too many.
func TestParseWebhookSamples(t *testing.T) {
	files, _ := filepath.Glob(filepath.FromSlash(samples + "webhook.*.json"))
	if len(files) == 0 {
		t.Skip("no vendor samples here")
	}
	comma := regexp.MustCompile(`\}\s*$`)
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		got := cin7core.ParseWebhook(body)
		event := strings.Replace(strings.TrimSuffix(strings.TrimPrefix(name, "webhook."), ".json"), "-", "/", 1)
		if bare := strings.HasPrefix(event, "Stock/") ||
			strings.HasPrefix(event, "Task/"); got.EventType != event && !bare {
			t.Errorf("%s: %+v", name, got)
		}
		if strings.HasPrefix(event, "Sale/") &&
			(got.OrderNumber == "" && !strings.HasSuffix(event, "Received") || got.SaleID+got.TaskID == "") {
			t.Errorf("%s: %+v", name, got)
		}
		if spoilt := cin7core.ParseWebhook(comma.ReplaceAll(body, []byte(",\n}"))); strings.HasPrefix(event, "Sale/") &&
			spoilt != got {
			t.Errorf("%s spoilt: %+v, not %+v", name, spoilt, got)
		}
	}
}

func FuzzWebhook(f *testing.F) {
	f.Add([]byte(`{"SaleID":"91EE7B1D-BD35-4E43-B98A-DB86BE777624","SaleOrderNumber":"SO-00044","EventType":"Sale/Undo"}`))
	f.Add([]byte(`{"SaleTaskID":"91EE7B1D-BD35-4E43-B98A-DB86BE777624","OrderNumber":"SO-00044","EventType":"Sale/ShipmentAuthorised",}`))
	f.Add([]byte(`[{"TaskID":1}]`))
	f.Add([]byte("\ufeff{\"EventType\":\"\xff\"}"))
	id := regexp.MustCompile(`^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$`)
	f.Fuzz(func(t *testing.T, body []byte) {
		h := cin7core.ParseWebhook(body)
		if !id.MatchString(h.SaleID) || !id.MatchString(h.TaskID) || len(h.OrderNumber) > 256 ||
			strings.ContainsAny(h.OrderNumber, "\r\n\x00") {
			t.Errorf("%+v", h)
		}
		clean, err := json.Marshal(map[string]string{"EventType": h.EventType, "SaleID": strings.ToUpper(h.SaleID),
			"SaleTaskID": h.TaskID, "OrderNumber": h.OrderNumber})
		if err != nil {
			t.Fatal(err)
		}
		if again := cin7core.ParseWebhook(clean); again != h {
			t.Errorf("%+v reads as %+v", h, again)
		}
	})
}

// TestShipmentsRead reads a partly shipped sale from the simulated vendor.
func TestShipmentsRead(t *testing.T) {
	vendor := simcin7core.New(simcin7core.Options{})
	s, a, c := newSim(t, vendor)
	ctx := t.Context()
	who, err := c.CustomersPage(ctx, cin7core.CustomersQuery{})
	if err != nil {
		t.Fatal(err)
	}
	products, err := c.ProductsPage(ctx, cin7core.ProductsQuery{})
	if err != nil {
		t.Fatal(err)
	}
	sale, err := c.CreateSale(ctx, cin7core.SaleHeader{CustomerID: who.Items[0].ID, Location: "Main Warehouse",
		SkipQuote: true})
	if err != nil {
		t.Fatal(err)
	}
	line := cin7core.OrderLine{ProductID: products.Items[0].ID, Quantity: d("3"), Price: d("2"), Tax: d("0.90"),
		Total: d("6"), TaxRule: "GST on Income"}
	if _, err := c.SaveOrder(ctx, cin7core.OrderDocument{SaleID: sale.ID, Status: cin7core.Authorised,
		Lines: []cin7core.OrderLine{line}}); err != nil {
		t.Fatal(err)
	}
	if _, err := vendor.Sale(sale.ID, "ship",
		`{"of":["A","B","C"],"boxes":["A","C"],"carrier":"Overnight Kiwi","trackingNumber":"T/1"}`); err != nil {
		t.Fatal(err)
	}
	if sale, err = c.Sale(ctx, sale.ID); err != nil {
		t.Fatal(err)
	}
	f := sale.Fulfilments[0]
	l := f.Ship.Lines[0]
	if f.TaskID != sale.ID || !f.Ship.Status.Is(cin7core.PartiallyAuthorised) ||
		!sale.CombinedShippingStatus.Is(cin7core.PartiallyShipped) ||
		!l.IsShipped || !cmp.Equal(l.BoxList(), []string{"A", "C"}) ||
		l.TrackingURL != "https://track.overnightkiwi.example/parcels/T%2F1" ||
		len(f.Pack.Lines) != 3 || f.Pack.Lines[1].Box != "B" || l.ShipmentDate.IsZero() || l.ID == "" {
		t.Errorf("%+v", f)
	}
	rows, err := c.SalesPage(ctx, cin7core.SalesQuery{CombinedShippingStatus: cin7core.PartiallyShipped})
	if err != nil || len(rows.Items) != 1 || rows.Items[0].CombinedTrackingNumbers != "T/1" ||
		!rows.Items[0].Updated.Equal(sale.LastModifiedOn) {
		t.Errorf("%+v, %v", rows, err)
	}
	if n := s.OverLimit(sim.Cin7Core, a.Cin7Core.AccountID); n != 0 {
		t.Errorf("%d calls over the limit", n)
	}
}
