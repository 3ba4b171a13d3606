package app

import (
	"context"
	"slices"
	"testing"

	"stockbridge/internal/job"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// TestForeignPointer: a pointer of a kind that nobody works on yet comes again, until a newer version takes it.
func TestForeignPointer(t *testing.T) {
	store, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	box, err := tenant.NewBox(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	a := New(Deps{Table: store, Sealer: box})
	batch := []Message{
		{ID: "contact", Body: `{"kind":"contact","tenant":"t1","order":"7"}`},
		{ID: "order", Body: `{"tenant":"t1","order":"7"}`}, // there is none, and nothing to do
		{ID: "none", Body: `{"kind":"contact"}`},           // it would never be one
	}
	for name, handle := range map[string]func(context.Context, []Message) []string{
		"orders": a.Orders, "deadletters": a.DeadLetters,
	} {
		if failed := handle(t.Context(), batch); !slices.Equal(failed, []string{"contact"}) {
			t.Errorf("%s: %q come again", name, failed)
		}
	}
}

// TestPartOf: a message tells whether it is a tenant's part of a job; those of an earlier version say it by what they
// hold.
func TestPartOf(t *testing.T) {
	part := job.Message{Job: "shipments", Tenant: "t1"}
	for _, tt := range []struct {
		body string
		want bool
	}{
		{`{"kind":"job","job":"shipments","tenant":"t1"}`, true},
		{`{"job":"shipments","tenant":"t1"}`, true},
		{`{"tenant":"t1","order":"120001","origin":"sweep"}`, false},
		{`{"kind":"contact","job":"shipments","tenant":"t1","order":"7"}`, false},
		{`{"kind":"job","job":"shipments"}`, false},
		{`{"kind":"job","tenant":"t1"}`, false},
		{`["job"]`, false},
	} {
		if m, ok := partOf(Message{Body: tt.body}); ok != tt.want || ok && m != part {
			t.Errorf("%s: %+v, %t", tt.body, m, ok)
		}
	}
}
