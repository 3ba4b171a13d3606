package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
	"stockbridge/internal/table"
)

// written remembers the keys that were ever written.
type written struct {
	table.Table
	mu   sync.Mutex
	keys map[table.Key]bool
	// slow has all writes but the next so many wait until their time is up; nil = none does.
	slow *int
}

func (t *written) Write(ctx context.Context, ops ...table.Op) error {
	t.mu.Lock()
	for _, o := range ops {
		t.keys[o.Item.Key] = true
	}
	wait := false
	if t.slow != nil {
		wait = *t.slow == 0
		*t.slow = max(*t.slow-1, 0)
	}
	t.mu.Unlock()
	if wait {
		<-ctx.Done()
		return ctx.Err()
	}
	return t.Table.Write(ctx, ops...)
}

// left are the keys of items that are there and tell of a tenant, but for the stone in its place and sessions, which
// expire.
func (t *written) left(c *testing.T, id string) (keys []table.Key) {
	c.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	for key := range t.keys {
		it, err := table.Read(c.Context(), t.Table, key)
		if err != nil {
			c.Fatal(err)
		}
		stone := it.SK == "tenant" && strings.Contains(string(it.Data), "erased")
		tells := it.Rev != "" && strings.Contains(it.PK+it.SK+string(it.Data), id)
		if tells && !stone && !strings.HasPrefix(it.PK, "SESSION#") {
			keys = append(keys, key)
		}
	}
	return keys
}

// TestErase: nothing is left of an erased tenant but that its id was one, and nothing of another goes.
func TestErase(t *testing.T) {
	h := open(t)
	acc, id, path, token := h.supplier("Aroha Foods")
	other, kept, keptPath, keptToken := h.supplier("Bay Bakery")
	for _, one := range []struct {
		acc  sim.Account
		path string
	}{{acc, path}, {other, keptPath}} {
		h.approve(one.acc, one.path, "")
		h.approve(one.acc, one.path, `{"lines":[{"sku":"NONE-1","name":"No such thing"}]}`)
	}
	h.do("PATCH", path+"/settings", token, `{"orderStatus":"authorised"}`).is(200)
	ana := h.signIn("Ana", signin.Admin, id)
	h.do("DELETE", path, token, map[string]string{"name": "Aroha Foods"}).is(403)
	for _, name := range []string{"", "aroha foods", "Bay Bakery", hostile} {
		h.do("DELETE", path, operator, map[string]string{"name": name}).is(422)
	}
	h.do("DELETE", path, operator, `{"confirm":true}`).is(422)
	h.do("DELETE", "/api/v1/tenants/nobody", operator, map[string]string{"name": "Aroha Foods"}).is(404)
	h.do("GET", path+"/settings", token, nil).is(200)
	before := len(h.written.left(t, kept))

	if a := h.do("DELETE", path, operator, map[string]string{"name": "Aroha Foods"}).is(200); a.get("erased") != true {
		t.Error(a.raw)
	}
	if left := h.written.left(t, id); len(left) != 0 {
		t.Errorf("what is left: %v", left)
	}
	if after := len(h.written.left(t, kept)); after != before {
		t.Errorf("of the other tenant %d items are left of %d", after, before)
	}
	h.do("GET", path+"/settings", operator, nil).is(404)
	h.do("GET", path+"/settings", token, nil).is(401)
	h.do("GET", keptPath+"/orders", keptToken, nil).is(200)
	if a := h.do("GET", "/api/v1/tenants", operator, nil).is(200); strings.Contains(a.raw, "Aroha") {
		t.Error(a.raw)
	}
	if w := ana.get("/t/" + id); w.Code != 404 {
		t.Errorf("its page: %d", w.Code)
	}
	// What still comes for it changes nothing, and it may be erased again.
	if err := h.pair.Push(t.Context(), ledger.Pointer{Tenant: id, ID: "120001", Origin: ledger.OriginWebhook},
		true); err != nil {
		t.Error(err)
	}
	h.do("DELETE", path, operator, nil).is(200)
	if left := h.written.left(t, id); len(left) != 0 {
		t.Errorf("what came later is left: %v", left)
	}
}

// TestErasePage: an operator types the tenant's name; nobody else has the page.
func TestErasePage(t *testing.T) {
	h := open(t)
	_, id, _, _ := h.supplier("Aroha Foods")
	olivia := h.signIn("Olivia", signin.Operator)
	if w := olivia.get("/operator"); !strings.Contains(w.Body.String(), "/operator/tenants/"+id+"/erase") {
		t.Error(w.Body)
	}
	page := "/operator/tenants/" + id + "/erase"
	checkPage(t, page, olivia.get(page))
	for _, v := range []*visitor{h.signIn("Ana", signin.Admin, id), h.signIn("Viktor", signin.Viewer, id)} {
		if w := v.get(page); w.Code != 404 {
			t.Errorf("%d", w.Code)
		}
		if w := v.post(page, url.Values{"name": {"Aroha Foods"}}); w.Code != 404 {
			t.Errorf("%d", w.Code)
		}
	}
	w := olivia.post(page, url.Values{"name": {"Aroha " + hostile}})
	checkPage(t, page, w)
	if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), "not the tenant&#39;s name") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := olivia.post(page, url.Values{"name": {"Aroha Foods"}}); w.Header().Get("Location") !=
		"/operator?said=erased" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := olivia.get("/operator?said=erased"); strings.Contains(w.Body.String(), "Aroha") ||
		!strings.Contains(w.Body.String(), "The tenant is erased.") {
		t.Error(w.Body)
	}
	if w := olivia.get("/operator/tenants/nobody/erase"); w.Code != 404 {
		t.Errorf("%d", w.Code)
	}
}

// TestEraseInParts: what there was no time for is erased by the next request, or the next press, without a name.
func TestEraseInParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := open(t)
		first, path, _ := h.tenant("Aroha Foods")
		second, _, _ := h.tenant("Bay Bakery")
		olivia := h.signIn("Olivia", signin.Operator)
		buryAlone := func() { one := 1; h.written.slow = &one }
		check := func(id string, some bool) {
			t.Helper()
			if left := h.written.left(t, id); len(left) > 0 != some {
				t.Errorf("left: %v", left)
			}
		}

		buryAlone()
		a := h.do("DELETE", path, operator, map[string]string{"name": "Aroha Foods"}).is(202)
		if a.get("erased") != false {
			t.Error(a.raw)
		}
		check(first, true)
		h.do("GET", path+"/settings", operator, nil).is(404)
		h.written.slow = nil
		if a := h.do("DELETE", path, operator, nil).is(200); a.get("erased") != true {
			t.Error(a.raw)
		}
		check(first, false)

		page := "/operator/tenants/" + second + "/erase"
		buryAlone()
		body := olivia.follow(page, url.Values{"name": {"Bay Bakery"}})
		has(t, body, "There was no time to erase all of it", "Erase the rest</button>")
		hasNot(t, body, "type its name")
		check(second, true)
		h.written.slow = nil
		checkPage(t, page, olivia.get(page))
		if w := h.signIn("Ana", signin.Admin, second).get(page); w.Code != 404 {
			t.Errorf("%d", w.Code)
		}
		has(t, olivia.follow(page, nil), "The tenant is erased.")
		check(second, false)
	})
}
