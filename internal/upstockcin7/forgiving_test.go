package upstockcin7_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/vendor"
)

// TestForgivingMark: a byte order mark in front of a delivery, over which it is signed, is nothing.
func TestForgivingMark(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		id, doc := s.order(twoLines)
		body := append([]byte("\uFEFF"), s.event(upstock.OrderApproved, doc)...)
		s.must(http.StatusAccepted, s.request(body))
		w.settle(id, horizon)
		s.right(strconv.Itoa(id), doc)
		if _, kept, _, err := order.NewBook(ledger.New(w.store)).Load(context.Background(), w.tenant,
			strconv.Itoa(id)); err != nil || string(kept) != string(body) {
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
		`null`: "", `{}`: "", `[]`: "", `""`: "", `{"system":null,"number":null,"url":null}`: "",
		`{"system":"","number":" "}`: "", `{"more":null,"list":[]}`: "",
		`{"system":"cin7core","number":null}`: "foreignSale", `{"number":"SO-9"}`: "foreignSale",
		`{"number":9}`:         "foreignSale",
		`{"reference":"SO-9"}`: "foreignSale", `{"sale":{"number":"SO-9"}}`: "foreignSale", `"SO-9"`: "unreadable",
		`{"number":["SO-9"]}`: "unreadable", `["SO-9"]`: "unreadable",
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
		ctx, vendors := context.Background(), w.vendorTable()
		key := w.coreKey()
		around := func(s tenant.Secret) tenant.Secret { return "\uFEFF\r\n\t " + s + "\u200b\u00a0\n" }
		for sys, cred := range map[tenant.System]vendor.Credentials{
			tenant.Cin7Core: {Account: string(around(tenant.Secret(key.Account))), Key: around(key.Key)},
			tenant.Upstock:  {Key: around(tenant.Secret(w.acc.Upstock.Token)), WebhookSecret: around(s.secret)},
		} {
			if _, _, err := vendors.Connect(ctx, w.tenant, sys, cred); err != nil {
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
		typed := vendor.Credentials{Key: key.Key[:8] + "\n" + key.Key[8:]}
		_, _, err = vendors.Connect(ctx, w.tenant, tenant.Cin7Core, typed)
		if wrong, ok := err.(tenant.FieldErrors); !ok || len(wrong) != 1 || wrong[0].Field != "applicationKey" ||
			s.calls() != before {
			t.Errorf("a key of two lines: %v", err)
		}
	})
}

// TestForgivingType: what a delivery calls its body decides nothing, as the signature is over the body.
func TestForgivingType(t *testing.T) {
	b := prepare(t)
	for name, header := range map[string][]string{"text": {"text/plain"},
		"a form": {"application/x-www-form-urlencoded"}, "broken": {"application/json;;;"}, "none": nil} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, b, func(t *testing.T, w *world, s *sender) {
				id, doc := s.order(twoLines)
				req := s.request(s.event(upstock.OrderApproved, doc))
				req.Header["Content-Type"] = header
				s.must(http.StatusAccepted, req)
				w.settle(id, horizon)
				s.right(strconv.Itoa(id), doc)
			})
		})
	}
}

// TestForgivingNoApproval: an approval whose own order shows that it is not to be sold, or does not say, is a person's
// and costs no call; a later approval that does say is sold, once.
func TestForgivingNoApproval(t *testing.T) {
	b := prepare(t)
	for change, code := range map[string]string{
		`status="cancelled"`: "notApproved", `status=" Cancelled"`: "notApproved", `status="shipped"`: "shippedAlready",
		`status=3`: "approvalUnknown", `status="lost"`: "approvalUnknown", `approvedAt=null`: "approvalUnknown",
	} {
		t.Run(change, func(t *testing.T) {
			inWorld(t, b, func(t *testing.T, w *world, s *sender) {
				id, doc := s.order(twoLines)
				s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, edited(t, doc, change))))
				w.settle(id, horizon)
				if r := w.run(id); r.State != ledger.Attention || strings.Join(codesOf(r), " ") != code ||
					len(w.sales(id)) > 0 {
					t.Errorf("%s %+v", r.State, r.Problems)
				}
				s.calm(strconv.Itoa(id), 0, 0)
				doc = w.inUpstock(id, `{"approvedAt":%s}`, stamp(time.Now()))
				s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
				w.settle(id, horizon)
				if r := w.run(id); r.State != order.Sold || len(w.sales(id)) != 1 {
					t.Errorf("%s\n%s", r.State, timeline(r))
				}
			})
		})
	}
	t.Run("a later one that shows it as cancelled", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved,
				edited(t, doc, `lines.0.sku="NOPE"`, `lines.0.productExternalId=null`))))
			w.settle(id, horizon)
			// What is read of Upstock does not show the newest approval yet.
			s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved,
				edited(t, doc, `status="cancelled"`, "approvedAt="+stamp(time.Now())))))
			w.settle(id, horizon)
			if len(w.sales(id)) > 0 {
				t.Errorf("%s, sales %+v", w.run(id).State, w.sales(id))
			}
		})
	})
}

// TestForgivingEnvelope: of a delivery's envelope the id and the time are not needed to sell an order; one that is
// without an id of its own too is on record once, however often it comes.
func TestForgivingEnvelope(t *testing.T) {
	b := prepare(t)
	t.Run("an order", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			id, doc := s.order(twoLines)
			s.must(http.StatusAccepted, s.request(fmt.Appendf(nil,
				`{"id":[],"type":"order.approved","occurredAt":{},"supplierId":%d,"data":{"order":%s}}`,
				w.acc.Upstock.Supplier, doc)))
			w.settle(id, horizon)
			s.right(strconv.Itoa(id), doc)
		})
	})
	t.Run("without an id", func(t *testing.T) {
		inWorld(t, b, func(t *testing.T, w *world, s *sender) {
			body := fmt.Appendf(nil, `{"type":"order.approved","supplierId":%d,"data":{"order":{"lines":[]}}}`,
				w.acc.Upstock.Supplier)
			for range 3 {
				s.must(http.StatusAccepted, s.request(body))
			}
			s.onlyAttention("noOrderId", body)
		})
	})
}
