package console

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/signin"
)

// full is a tenant of which there is a record for every address.
type full struct {
	id, path, token string
	address         *strings.Replacer // puts the tenant's records into the address of a route
}

// full makes such a tenant.
func (h *house) full(name string) full {
	h.t.Helper()
	acc, id, path, token := h.supplier(name)
	order := h.approve(acc, path, unknownProduct)
	h.do("POST", path+"/completeness", token, nil).is(202)
	h.do("PUT", path+"/alerts", token, map[string]string{"url": "https://hooks.example.com"}).is(200)
	h.work()
	at := (&shopTest{house: h, acc: acc, id: id, path: path, token: token}).fill()
	contact := h.fillJOOR(acc, id, path, token)
	made := h.do("POST", path+"/tokens", token, nil).is(201).get("id").(string)
	key := h.do("GET", path+"/problems", token, nil).is(200).get("items.0.key").(string)
	return full{id, path, token, strings.NewReplacer("/tokens/{id}", "/tokens/"+made, "{key}", key,
		"/joor/customers/{id}", "/joor/customers/"+contact, "/joor/{id}", "/joor/"+contact, "{contact}", contact,
		"/orders/{id}", "/orders/"+order[strings.LastIndex(order, "/")+1:],
		"/products/{id}", "/products/"+at.product, "/customers/matches/{id}", "/customers/matches/"+at.customer,
		"/customers/{id}", "/customers/"+at.customer, "/price-lists/{id}", "/price-lists/"+at.list,
		"/lists/{id}", "/lists/"+at.list, "/progress/{id}", "/progress/"+at.progress,
		"{flow}", "orders", "{system}", "cin7core", "{number}", "1", "{kind}", "product", "{from}", "TEA-999",
		"{job}", "prices", "{customer}", at.customer,
		"{product}", at.product)}
}

// forAll are the routes that anybody may use, with what each is for.
var forAll = map[string]string{
	"GET /": "what this is", "GET /sign-in": "to sign in", "GET /sign-in/callback": "back from the issuer",
	"POST /sign-out": "to sign out", "GET /confirm/{tenant}/{token}": "an e-mail's link, whose token is the key",
	"POST /confirm/{tenant}/{token}": "its button", "GET /assets/{name}": "style and script",
	"GET /healthz": "whether it is alive", "GET /api/openapi.yaml": "the description",
}

// theirOwn are the routes outside a tenant that are not for operators alone: they answer with what the caller may see.
var theirOwn = map[string]bool{"GET /tenants": true, "GET /api/v1/tenants": true}

// TestRoutesAreGuarded walks all routes there are, as everybody, into one's own tenant and into another's, and with the
// ids of another's records. Whoever adds a route has it walked here, or must say why it is for all.
func TestRoutesAreGuarded(t *testing.T) {
	h := open(t)
	mine, theirs := h.full("Aroha Foods"), h.full("Kauri Supplies")
	viewers := h.do("POST", mine.path+"/tokens", mine.token, map[string]string{"role": "viewer"}).is(201)
	tokens := map[string]string{"nobody": "", "a viewer": viewers.get("token").(string), "an admin": mine.token,
		"a stranger": theirs.token}
	people := map[string]*visitor{"nobody": {house: h}, "a viewer": h.signIn("Viktor", signin.Viewer, mine.id),
		"an admin": h.signIn("Ana", signin.Admin, mine.id), "a stranger": h.signIn("Sam", signin.Admin, theirs.id)}
	send := func(rt route, address, who string) (status int, body string) {
		t.Helper()
		if rt.isPage() {
			w := people[who].send(rt.method, address, nil, "same-origin")
			return w.Code, w.Body.String()
		}
		a := h.do(rt.method, address, tokens[who], nil)
		return a.status, a.raw
	}
	asks := map[string]string{ // what some cannot be asked without
		"/api/v1/tenants/{tenant}/orders/{id}/finish": "?step=pick",
		"/api/v1/tenants/{tenant}/prices/explain":     mine.address.Replace("?customer={customer}&product={product}"),
	}
	said := func() (texts []string) { // whatever is changed is an event; an export is one too, and changes nothing
		h.work()
		for _, e := range h.do("GET", mine.path+"/events", operator, nil).is(200).get("items").([]any) {
			if object(e)["kind"] != "export" {
				texts = append(texts, fmt.Sprint(e))
			}
		}
		return texts
	}
	before := said()
	records := regexp.MustCompile(`\{(id|key|contact)\}`)
	all := 0
	for _, rt := range new(api).routes() {
		name := rt.method + " " + rt.path
		all++
		address := strings.ReplaceAll(mine.address.Replace(rt.path), "{tenant}", mine.id)
		if rt.anyone != nil || rt.open != nil {
			if forAll[name] == "" {
				t.Errorf("%s is for all: say what for in forAll", name)
			}
			continue
		}
		if strings.Contains(address, "{") {
			t.Errorf("%s: give full a record for this address", address)
			continue
		}
		asked := func(who, address string, want ...int) string {
			t.Helper()
			status, body := send(rt, address, who)
			for _, w := range want {
				if status == w {
					return body
				}
			}
			t.Errorf("%s by %s: %d, want %v\n%.300s", name, who, status, want, body)
			return body
		}
		signedOut := http.StatusUnauthorized
		if rt.isPage() {
			signedOut = http.StatusSeeOther
		}
		asked("nobody", address, signedOut)
		if rt.of == nil && rt.page == nil { // it is of no tenant
			for who := range tokens {
				if who == "nobody" {
					continue
				}
				want := []int{403, 404}
				if theirOwn[name] {
					want = []int{200, 303}
				}
				if body := asked(who, address, want...); who == "a stranger" && strings.Contains(body, "Aroha") {
					t.Errorf("%s tells a stranger of others", name)
				}
			}
			continue
		}
		unknown := strings.ReplaceAll(mine.address.Replace(rt.path), "{tenant}", "none")
		if asked("a stranger", address, 404) != asked("a stranger", unknown, 404) {
			t.Errorf("%s: another's tenant can be told from none", name)
		}
		switch {
		case rt.method != "GET" || rt.admins:
			asked("a viewer", address, 403)
		default:
			asked("a viewer", address+asks[rt.path], 200, 403) // a page that asks whether to is an admin's
		}
		if rt.method == "GET" {
			asked("an admin", address+asks[rt.path], 200)
		}
		if records.MatchString(rt.path) {
			inTheirs := strings.ReplaceAll(mine.address.Replace(rt.path), "{tenant}", theirs.id)
			if rt.method == "GET" {
				asked("a stranger", inTheirs+asks[rt.path], 404)
			} else { // an empty form may be refused for that, and one that was sent before leads on
				asked("a stranger", inTheirs, 303, 400, 404, 409, 415)
			}
		}
	}
	if diff := cmp.Diff(before, said()); diff != "" {
		t.Errorf("something was changed: %s", diff)
	}
	if all < 150 {
		t.Errorf("only %d routes were walked", all)
	}
}
