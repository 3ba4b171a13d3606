package joor_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/joor"
)

// TestConnectionFaults: all that JOOR would not take is said at once, each field once.
func TestConnectionFaults(t *testing.T) {
	if got := shop().Faults(); got != nil {
		t.Errorf("%v", got)
	}
	long := strings.Repeat("ō", 101)
	for name, tt := range map[string]struct {
		change func(*joor.Connection)
		want   []joor.Fault
	}{
		"nothing": {func(x *joor.Connection) { *x = joor.Connection{Name: " "} }, []joor.Fault{
			{joor.FieldName, 0}, {joor.FieldCode, 0}, {joor.FieldEmail, 0}, {joor.FieldAddress, 0},
			{joor.FieldCity, 0}, {joor.FieldCountry, 0}, {joor.FieldCurrency, 0}, {joor.FieldLabel, 0}}},
		"as long as may be": {func(x *joor.Connection) {
			x.Name, x.Buyer, x.Code = long[:200], long[:100], strings.Repeat("9", 50)
		}, nil},
		"too long": {func(x *joor.Connection) {
			x.Name, x.Code, x.Email, x.Buyer = long, long, long, long
			x.Billing[0].Code, x.Shipping[0].Code = long, long
			x.SalesRep.Code, x.Group.Code, x.Company.Name = long, long, long+long
			x.Warehouses, x.PaymentMethods = []joor.Named{{Code: long}}, []joor.Named{{Name: long + long}}
		}, []joor.Fault{{joor.FieldName, 100}, {joor.FieldCode, 50}, {joor.FieldEmail, 50}, {joor.FieldBuyer, 50},
			{joor.FieldAddressCode, 50}, {joor.FieldGroup, 100}, {joor.FieldCompany, 150}, {joor.FieldRep, 100},
			{joor.FieldWarehouse, 100}, {joor.FieldMethod, 150}}},
		"a state is needed": {func(x *joor.Connection) {
			x.Shipping[0].Country, x.Shipping[0].Region = "U.S.A.", ""
		}, []joor.Fault{{joor.FieldState, 0}}},
		"half an address": {func(x *joor.Connection) { x.Billing[0].City = "" }, []joor.Fault{{joor.FieldCity, 0}}},
		"half a price": {func(x *joor.Connection) {
			x.PriceTypes[0].Label = ""
		}, []joor.Fault{{joor.FieldLabel, 0}}},
	} {
		x := shop()
		tt.change(&x)
		if diff := cmp.Diff(tt.want, x.Faults()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	for country, want := range map[string]bool{"Australia": true, "AU": true, "canada": true, "JAPAN ": true,
		"The United States of America": true, "U.S.": true, "US": true, "New Zealand": false, "": false,
		"Austria": false, "Uganda": false, "United Kingdom": false} {
		if joor.NeedsState(country) != want {
			t.Errorf("%q: %t", country, !want)
		}
	}
	for records, want := range map[int]int{1: 2, 100: 2, 101: 3, 500: 3, 501: 4, 1000: 4, 20000: 4} {
		if got := joor.ReviewTime(records); got != want {
			t.Errorf("%d records take %d days", records, got)
		}
	}
}

// FuzzAnswers: whatever JOOR answers, a call ends, and a connection that it returns is the one that was asked for.
func FuzzAnswers(f *testing.F) {
	for _, body := range []string{``, `{}`, `[]`, `null`, `{"connections":[]}`, `{"connections":{"response":null}}`,
		`{"connections":{"response":{"code":0},"connections":{"connection":{"customer_code":"101"}}}}`,
		`{"connections":{"response":{"code":0},"connections":[[{"customer_code":"101"}]]}}`,
		`{"bulk_connections":{"response":{"code":0},"bulk_connections_jobs":{"x":[{"bulk_connections_job_id":4}]}}}`,
		`{"response":{"code":1e999,"comment":{},"log_id":7},"errors":[{"message":"no"}]}`,
		`{"connections":{"response":{"code":0,"next_start":-1},"connections":{"a":1,"b":{"c":[]}}}}`} {
		f.Add(200, body)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		far, c := newCanned()
		far.status, far.body = status, body
		ctx := t.Context()
		if x, err := c.ByCode(ctx, "101"); err == nil && !strings.EqualFold(x.Code, "101") {
			t.Errorf("%+v", x)
		}
		if job, err := c.BulkJob(ctx, "4"); err == nil && job.ID != "4" {
			t.Errorf("%+v", job)
		}
		if job, err := c.Upload(ctx, []joor.Connection{shop()}); err == nil && job.ID == "" {
			t.Errorf("%+v", job)
		}
		n := 0
		for range c.Connections(ctx, joor.ConnectionsQuery{}) {
			if n++; n > 1000 {
				break
			}
		}
		_ = c.Update(ctx, "1", shop())
		_ = c.Delete(ctx, "101")
	})
}
