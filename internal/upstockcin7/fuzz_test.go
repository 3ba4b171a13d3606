package upstockcin7_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/ledger"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
)

// intake is a tenant's webhook address over a store of its own.
type intake struct {
	app    *app.App
	store  *table.File
	tenant string
	url    string
	took   int
}

var fuzzSecret = []byte("a secret of twenty-four!")

func newIntake(dir string) (*intake, error) {
	path := filepath.Join(dir, "fuzz.db")
	os.Remove(path)
	store, err := table.Open(path, table.Options{NoSync: true})
	if err != nil {
		return nil, err
	}
	box, err := tenant.NewBox(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		return nil, err
	}
	in := &intake{store: store, app: app.New(app.Deps{Table: store, Sealer: box,
		Send: func(context.Context, app.Queue, []byte, string, time.Duration) error { return errors.New("no queue") }})}
	ctx := context.Background()
	tn, _, err := in.app.Tenants.Create(ctx, "Fuzz", "")
	if err != nil {
		return nil, err
	}
	_, s, err := in.app.Tenants.Connect(ctx, tn.ID, tenant.Upstock,
		func(c *tenant.Connection, s *tenant.Secrets) error {
			c.Account, s.Key, s.WebhookSecret = "1", "key",
				tenant.Secret("whsec_"+base64.StdEncoding.EncodeToString(fuzzSecret))
			s.GiveURLToken()
			return nil
		})
	in.tenant, in.url = tn.ID, "https://hooks.example.test/webhooks/upstock/"+string(s.URLToken)
	return in, err
}

func fuzzSignature(id string, at int64, body []byte) string {
	mac := hmac.New(sha256.New, fuzzSecret)
	fmt.Fprintf(mac, "%s.%d.%s", id, at, body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// FuzzWebhook delivers any bytes under any signature. It never panics, never
// answers 5xx while the store is well, takes nothing in without a signature
// that fits, and what it takes in is on record.
func FuzzWebhook(f *testing.F) {
	event := func(kind, order string) []byte {
		return fmt.Appendf(nil, `{"id":"evt_1","type":%q,"occurredAt":"2026-03-30T21:15:00Z","supplierId":1,"data":{"order":%s}}`, kind, order)
	}
	placed := `{"id":7,"orderNumber":"880123","status":"processing","approvedAt":"2026-03-30T21:15:00Z","currency":"NZD","customer":{"id":1,"name":"Kea"},"totals":{"total":"1.00"},"lines":[{"id":1,"sku":"A","quantity":"1","unitPrice":"1"}]}`
	for _, body := range [][]byte{
		event("order.approved", placed), event("order.cancelled", placed), event("order.approved", `"\ud800"`),
		event("order.approved", `{"id":"1e18","lines":[null],"totals":{"total":1e99}}`),
		event("order.approved", `{"id":-1}`), event("ping", "null"), event("\x00", "[]"),
		[]byte(`{"id":"` + strings.Repeat("🫖", 256) +
			`","type":"order.approved","supplierId":"1","data":{"order":{}}}`),
		[]byte(`{"id":"#/\u202e","type":"order.approved","supplierId":1e0,"data":{"order":[]},"data":{"order":{"id":8}}}`), []byte("{"), nil, []byte("\xff\xfe"), []byte(strings.Repeat("[", 20_000)),
	} {
		f.Add(body, "msg_1", int64(0), "", byte(1))
		f.Add(body, "msg_1", int64(299), "v1,AAAA v2,x v1", byte(2))
	}
	f.Add(event("ping", "null"), "", int64(301), "v1", byte(0))
	f.Add(event("ping", "null"), "a.b", int64(-301), ", v1,,v1, v1,\x00", byte(1))
	dir := f.TempDir()
	in, err := newIntake(dir)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { in.store.Close() })
	const most = 5000 // orders in one store
	f.Fuzz(func(t *testing.T, body []byte, id string, skew int64, signature string, sign byte) {
		if in.took++; in.took > most {
			in.store.Close()
			if in, err = newIntake(dir); err != nil {
				t.Fatal(err)
			}
		}
		now := time.Now().Unix()
		at := now + skew%1000
		switch right := fuzzSignature(id, at, body); sign % 3 {
		case 1:
			signature = right
		case 2:
			signature += " " + right
		}
		req := httptest.NewRequest(http.MethodPost, in.url, bytes.NewReader(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", strconv.FormatInt(at, 10))
		req.Header.Set("webhook-signature", signature)
		rec := httptest.NewRecorder()
		in.app.Webhook().ServeHTTP(rec, req)

		fits := id != "" && slices.Contains(strings.Split(signature, " "), fuzzSignature(id, at, body))
		switch skew := time.Duration(skew%1000) * time.Second; {
		case rec.Code >= 500:
			t.Fatalf("%d %s", rec.Code, rec.Body)
		case rec.Code == http.StatusAccepted && (!fits || skew.Abs() > 5*time.Minute+2*time.Second):
			t.Fatalf("taken in: signed %v, %s apart", fits, skew)
		case fits && skew.Abs() < 4*time.Minute && rec.Code == http.StatusUnauthorized:
			t.Fatalf("refused: %s", rec.Body)
		}
		if rec.Code != http.StatusAccepted {
			return
		}
		e, err := upstock.ParseEvent(body)
		if err != nil {
			t.Fatalf("taken in, but no event: %v", err)
		}
		if number, ok := upstock.OrderID(e.RawOrder); ok && e.SupplierID == 1 &&
			(e.Type == upstock.OrderApproved || e.Type == upstock.OrderCancelled) {
			if _, err := order.NewBook(ledger.New(in.store)).Get(context.Background(), in.tenant,
				strconv.FormatInt(number, 10)); err != nil {
				t.Fatalf("taken in, but not on record: %v", err)
			}
		}
	})
}
