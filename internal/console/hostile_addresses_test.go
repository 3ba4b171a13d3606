package console

import (
	"net/url"
	"strings"
	"testing"

	"stockbridge/internal/signin"
	"stockbridge/internal/testsize"
)

// hostileValues are what no form and no program of ours sends.
var hostileValues = []string{"\xff\xfe", "a#b", "\x00", "..", "-1", "99999999999999999999", "2026-13-45", "0001-01-01",
	"9999-12-31", "'\"<>\r\n", strings.Repeat("x", 3000)}

// TestHostileAddresses asks every page and every address of the API that is only read for what is not there: each is a
// fault of the address, and none is one of ours.
func TestHostileAddresses(t *testing.T) {
	h := open(t)
	acc, id, path, _ := h.supplier("Aroha Foods")
	h.approve(acc, path, `{"reference":"PO-1"}`)
	h.approve(acc, path, unknownProduct)
	v := h.signIn("Ana", signin.Admin, id)
	names := []string{"q", "after", "order", "from", "to", "about", "fix", "find", "version", "skip", "said", "n",
		"state", "kind", "by", "limit", "list", "customer", "product", "c", "p"}
	check := func(address string, status int, body string) {
		t.Helper()
		if status >= 500 {
			t.Errorf("%q: %d %.300s", address, status, body)
		}
	}
	// Each address is asked with each value, and with each name; all of both together is for the size whole.
	one := testsize.Of(1, 3, len(hostileValues))
	for n, rt := range new(api).routes() {
		if rt.method != "GET" || rt.anyone != nil || rt.open != nil {
			continue
		}
		get := func(address string) {
			t.Helper()
			if rt.isPage() {
				w := v.get(address)
				check(address, w.Code, w.Body.String())
				return
			}
			a := h.do("GET", address, operator, nil)
			check(address, a.status, a.raw)
		}
		at := strings.ReplaceAll(rt.path, "{tenant}", id)
		for j, value := range hostileValues {
			if strings.Contains(at, "{") {
				if !rt.isPage() && strings.ContainsAny(value, "\x00\r") { // which the description cannot be asked about
					continue
				}
				var parts []string
				for part := range strings.SplitSeq(at, "/") {
					if strings.HasPrefix(part, "{") {
						part = url.PathEscape(value)
					}
					parts = append(parts, part)
				}
				get(strings.Join(parts, "/"))
				continue
			}
			for i, name := range names {
				if (n+j+i)%one > 0 {
					continue
				}
				if rt.isPage() || strings.Contains(" "+rt.query+" ", " "+name+" ") {
					get(at + "?" + url.Values{name: {value}}.Encode())
				}
			}
		}
	}
}

// TestHostileForms sends every form of a page with what no page of ours sends: none of it is a fault of ours.
func TestHostileForms(t *testing.T) {
	h := open(t)
	acc, id, path, _ := h.supplier("Aroha Foods")
	h.approve(acc, path, `{"reference":"PO-1"}`)
	h.approve(acc, path, unknownProduct)
	v := h.signIn("Ana", signin.Operator)
	names := []string{"from", "to", "choice", "back", "name", "id", "role", "days", "version", "replay", "percent",
		"rule", "token", "webhookSecret", "orderStatus", "location", "choice", "all", "q", "do", "theirs", "shown",
		"page"}
	for _, rt := range new(api).routes() {
		if rt.method != "POST" || rt.page == nil && rt.person == nil || strings.HasSuffix(rt.path, "/disconnect") {
			continue
		}
		for _, value := range append([]string{"1"}, hostileValues...) {
			form := url.Values{}
			for _, name := range names {
				form.Set(name, value)
			}
			in := url.PathEscape(value)
			address := strings.NewReplacer("{tenant}", id, "{system}", "upstock", "{flow}", "orders", "{key}", in,
				"{id}", in).Replace(rt.path)
			if w := v.post(address, form); w.Code >= 500 {
				t.Errorf("%q: %d %.300s", address, w.Code, w.Body)
			}
		}
	}
}
