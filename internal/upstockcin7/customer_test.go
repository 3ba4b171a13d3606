package upstockcin7_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/sim"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
)

// cards are the account's customers by name.
func (w *world) cards() map[string]string {
	var list struct{ CustomerList []struct{ ID, Name string } }
	if err := json.Unmarshal(w.core(http.MethodGet, "/customer?Limit=1000&IncludeDeprecated=true", ""),
		&list); err != nil {
		w.t.Fatal(err)
	}
	cards := map[string]string{}
	for _, x := range list.CustomerList {
		cards[x.Name] = x.ID
	}
	return cards
}

// soldTo sells an order of a customer that Upstock links to nobody; the name of the card, or what the order needs.
func (s *sender) soldTo(customer, at string) string {
	w := s.w
	w.t.Helper()
	id, doc := s.order(twoLines)
	doc = edited(w.t, doc, "customer="+customer, "deliveryAddress="+at)
	s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
	w.settle(id, horizon)
	r := w.run(id)
	if r.State != order.Sold {
		return strings.Join(codesOf(r), " ")
	}
	sale := w.control(http.MethodGet, "/sim/cin7core/sales/"+r.SaleID, "")
	var got struct{ Customer string }
	if err := json.Unmarshal(sale, &got); err != nil {
		w.t.Fatal(err)
	}
	return got.Customer
}

// TestCustomerByName: a name decides where one card alone has it, as Cin7 Core has it now.
func TestCustomerByName(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		const office = `"email":"orders@harbourside.example"`
		if got := s.soldTo(`{"id":9001,"name":"Bay Bakery","externalId":null,`+office+`}`,
			"null"); got != "customerUnknown" {
			t.Errorf("an office's e-mail: %s", got)
		}
		if got := s.soldTo(`{"id":9002,"name":"WAKA\u200b  lane KITCHEN","externalId":null,`+office+`}`,
			"null"); got != "Waka Lane Kitchen" {
			t.Errorf("the only card of the name: %s", got)
		}
		before := len(w.sim.Calls(sim.Cin7Core, w.acc.Cin7Core.AccountID))
		if got := s.soldTo(`{"id":9002,"name":"Another name now","externalId":null}`,
			"null"); got != "Waka Lane Kitchen" {
			t.Errorf("remembered: %s", got)
		}
		if n := len(w.sim.Calls(sim.Cin7Core, w.acc.Cin7Core.AccountID)) - before; n != 2 {
			t.Errorf("%d calls for a customer that is remembered", n)
		}
		if got := s.soldTo(`{"id":9003,"name":"Bluff &amp; Sons Provedores","externalId":null}`,
			"null"); got != "Bluff & Sons Provedores" {
			t.Errorf("as HTML: %s", got)
		}
		// A second card of the name comes after the mirror was read.
		time.Sleep(time.Hour)
		w.control(http.MethodPut, "/sim/cin7core/customers/"+w.cards()["Southern Lakes Lodge"],
			`{"Name":"Totara Street Cafe"}`)
		if got := s.soldTo(`{"id":9004,"name":"Tōtara Street Café","externalId":null}`,
			"null"); got != "customerAmbiguous" {
			t.Errorf("two cards of the name: %s", got)
		}
		// What is known of both speaks against it.
		if got := s.soldTo(`{"id":9005,"name":"Kererū Organics","externalId":null,`+office+`}`,
			`{"line1":"9 Hill Road","city":"Napier","country":"NZ"}`); got != "customerAmbiguous" {
			t.Errorf("another e-mail and another town: %s", got)
		}
		if got := s.soldTo(`{"id":9005,"name":"Kererū Organics","externalId":null,`+office+`}`,
			"null"); got != "Kererū Organics" {
			t.Errorf("another e-mail: %s", got)
		}
	})
}

// TestCustomerOfBefore: a link that an earlier version matched is checked when it is used, and one by a person is not.
func TestCustomerOfBefore(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		ctx, l := context.Background(), ledger.New(w.store)
		cards := w.cards()
		for _, c := range []struct{ id, name, card, by, want string }{
			{"9101", "Bay Bakery", "Harbourside Grocers", "match", "customerUnsure"},
			{"9102", "Waka Lane Kitchen", "Waka Lane Kitchen", "match", "Waka Lane Kitchen"},
			{"9103", "Waka Lane Kitchen", "Harbourside Grocers", "match", "customerAmbiguous"},
			{"9104", "Bay Bakery", "Harbourside Grocers", "person", "Harbourside Grocers"},
		} {
			if err := l.SaveLink(ctx, w.tenant, "customer", c.id, ledger.Link{ID: cards[c.card], By: c.by},
				ledger.Event{Kind: "link"}); err != nil {
				t.Fatal(err)
			}
			if got := s.soldTo(`{"id":`+c.id+`,"name":"`+c.name+
				`","externalId":null,"email":"orders@harbourside.example"}`, "null"); got != c.want {
				t.Errorf("%s, linked to %s by %s: %s", c.name, c.card, c.by, got)
			}
			link, err := l.Link(ctx, w.tenant, "customer", c.id)
			if by := map[string]string{"Waka Lane Kitchen": "name",
				"Harbourside Grocers": "person"}[c.want]; err != nil || by != "" && link.By != by ||
				by == "" && link.By != c.by {
				t.Errorf("%s: the link is %+v, %v", c.name, link, err)
			}
		}
	})
}

// TestCustomerOfAnOldMirror: a mirror whose names an earlier version folded is passed over, and read again.
func TestCustomerOfAnOldMirror(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		w.control(http.MethodPut, "/sim/cin7core/customers/"+w.cards()["Southern Lakes Lodge"],
			`{"Name":"Rata &amp; Sons"}`)
		m := w.mirrored()
		m.Fold = 0
		note(w, mirror.Progress, m)
		if got := s.soldTo(`{"id":9201,"name":"Rata & Sons","externalId":null}`, "null"); got != "Rata &amp; Sons" {
			t.Errorf("sold to %s", got)
		}
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if m = w.mirrored(); m.Fold <= 0 || m.State != mirror.Ready {
			t.Errorf("the mirror was not read again: %+v", m)
		}
	})
}

// TestCustomerChosenMeanwhile: a choice that a person makes while an order is planned is not written over.
func TestCustomerChosenMeanwhile(t *testing.T) {
	inWorld(t, prepare(t), func(t *testing.T, w *world, s *sender) {
		cards, chosen := w.cards(), false
		id, doc := s.order(twoLines)
		doc = edited(t, doc, `customer={"id":9301,"name":"Waka Lane Kitchen","externalId":null}`)
		w.mu.Lock()
		w.armed = true
		// taken in; the lease; the intent, with the link
		w.on = map[string]map[int]fault{"write T#" + w.tenant + "#order": {3: before}}
		w.onFault = func() {
			w.mu.Lock()
			w.armed = false
			w.mu.Unlock()
			chosen = true
			if _, err := w.process("console").app.Pair.SetLink(context.Background(), w.tenant, "customer", "9301",
				cards["Kererū Organics"]); err != nil {
				t.Error(err)
			}
		}
		w.mu.Unlock()
		s.must(http.StatusAccepted, s.request(s.event(upstock.OrderApproved, doc)))
		w.settle(id, horizon)
		r := w.run(id)
		link, err := ledger.New(w.store).Link(context.Background(), w.tenant, "customer", "9301")
		if !chosen || r.State != order.Sold || err != nil || link.ID != cards["Kererū Organics"] ||
			link.By != ledger.ByPerson {
			t.Fatalf("%s %+v, the link is %+v, %v", r.State, r.Problems, link, err)
		}
		var sale struct{ Customer string }
		if err := json.Unmarshal(w.control(http.MethodGet, "/sim/cin7core/sales/"+r.SaleID, ""), &sale); err != nil ||
			sale.Customer != "Kererū Organics" {
			t.Errorf("sold to %s, %v", sale.Customer, err)
		}
	})
}
