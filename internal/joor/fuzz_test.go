package joor_test

import (
	"strings"
	"testing"

	"stockbridge/internal/joor"
)

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
