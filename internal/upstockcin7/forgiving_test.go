package upstockcin7_test

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7"
)

// TestForgivingMark: a byte order mark in front of a delivery, over which it is signed, is nothing.
func TestForgivingMark(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		id, doc := s.order(twoLines)
		body := append([]byte("\uFEFF"), s.event(upstock.OrderApproved, doc)...)
		s.must(http.StatusAccepted, s.request(body))
		w.settle(id, horizon)
		s.right(strconv.Itoa(id), doc)
		if _, kept, _, err := ledger.New(w.store).Load(context.Background(), w.tenant, strconv.Itoa(id)); err != nil || string(kept) != string(body) {
			t.Errorf("%d of %d bytes are kept: %v", len(kept), len(body), err)
		}
		s.must(http.StatusAccepted, s.request(append([]byte("\uFEFF"), s.event(upstock.OrderCancelled, doc)...)))
		if r := w.run(id); r.Cancelled.IsZero() {
			t.Error("the cancellation was not read")
		}
	})
}

// TestForgivingExternal: an order counts as sold elsewhere by anything that is said of that, and by nothing else.
func TestForgivingExternal(t *testing.T) {
	b := prepare(t)
	for external, problems := range map[string]string{
		`null`: "", `{}`: "", `[]`: "", `""`: "", `{"system":null,"number":null,"url":null}`: "", `{"system":"","number":" "}`: "", `{"more":null,"list":[]}`: "",
		`{"system":"cin7core","number":null}`: "foreignSale", `{"number":"SO-9"}`: "foreignSale", `{"number":9}`: "foreignSale",
		`{"reference":"SO-9"}`: "foreignSale", `{"sale":{"number":"SO-9"}}`: "foreignSale", `"SO-9"`: "unreadable", `{"number":["SO-9"]}`: "unreadable", `["SO-9"]`: "unreadable",
	} {
		t.Run(external, func(t *testing.T) {
			inWorld(t, b, func(t *testing.T, w *world, s *sender) {
				id, doc := s.order(twoLines)
				doc = edited(t, doc, "external="+external)
				s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
				w.settle(id, horizon)
				if problems == "" {
					s.right(strconv.Itoa(id), doc)
				} else if r := w.run(id); r.State != ledger.Attention || strings.Join(codesOf(r), " ") != problems {
					t.Errorf("%s %+v", r.State, r.Problems)
				}
			})
		})
	}
}

// TestForgivingKeys: what comes along around a pasted key is no part of it; what is inside is said by its field.
func TestForgivingKeys(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		ctx, pair := context.Background(), w.process("console").app.Pair
		key := w.coreKey()
		around := func(s tenant.Secret) tenant.Secret { return "\uFEFF\r\n\t " + s + "\u200b\u00a0\n" }
		for sys, cred := range map[tenant.System]upstockcin7.Credentials{
			tenant.Cin7Core: {Account: string(around(tenant.Secret(key.Account))), Key: around(key.Key)},
			tenant.Upstock:  {Key: around(tenant.Secret(w.acc.Upstock.Token)), Webhook: around(s.secret)},
		} {
			if _, _, err := pair.Connect(ctx, w.tenant, sys, cred); err != nil {
				t.Errorf("%s: %v", sys, err)
			}
		}
		c, err := w.process("console").app.Tenants.Connection(ctx, w.tenant, tenant.Cin7Core)
		if err != nil || c.Account != key.Account {
			t.Errorf("connected to %q, %v", c.Account, err)
		}
		id, doc := s.order(twoLines)
		s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
		w.settle(id, horizon)
		s.right(strconv.Itoa(id), doc)

		before := s.calls()
		_, _, err = pair.Connect(ctx, w.tenant, tenant.Cin7Core, upstockcin7.Credentials{Key: key.Key[:8] + "\n" + key.Key[8:]})
		if wrong, ok := err.(tenant.FieldErrors); !ok || len(wrong) != 1 || wrong[0].Field != "applicationKey" || s.calls() != before {
			t.Errorf("a key of two lines: %v", err)
		}
	})
}
