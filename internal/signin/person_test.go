package signin

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestClaims: who a person is, as issuers say it: Cognito puts "custom:" before claims of one's own, and knows no
// lists.
func TestClaims(t *testing.T) {
	admin := func(name string, tenants ...string) Person {
		return Person{Subject: "s", Name: name, Role: Admin, Tenants: tenants}
	}
	for claim, want := range map[string]Person{
		`{"name":"Ana","stockbridge_role":"admin","stockbridge_tenants":["t1","t2"]}`: admin("Ana", "t1",
			"t2"),
		`{"name":"Ana","custom:stockbridge_role":"admin","custom:stockbridge_tenants":"t1, t2,"}`: admin("Ana", "t1",
			"t2"),
		`{"preferred_username":"ana","stockbridge_role":"admin","stockbridge_tenants":"t1"}`: admin("ana", "t1"),
		`{"email":"ana@example.com","stockbridge_role":"admin","name":"","stockbridge_tenants":""}`: admin(
			"ana@example.com"),
		`{"stockbridge_role":"operator","stockbridge_tenants":["t1"]}`: {Subject: "s",
			Name: "s", Role: Operator},
		`{"name":"Ana","stockbridge_role":"Admin"}`: {},
		`{"name":"Ana"}`: {},
		`{"name":"Ana","stockbridge_role":"admin","stockbridge_tenants":{"t1":true}}`: {},
	} {
		var c claims
		err := json.Unmarshal([]byte(claim), &c)
		got, ok := c.person("s", time.Now())
		if ok = ok && err == nil; !ok {
			got = Person{}
		}
		opts := cmp.Options{cmpopts.IgnoreFields(Person{}, "Since", "Email"), cmpopts.EquateEmpty()}
		if d := cmp.Diff(want, got, opts); d != "" || ok != (want.Subject != "") {
			t.Errorf("%s: %s", claim, d)
		}
	}
	if _, ok := (claims{Role: Admin}).person("", time.Now()); ok {
		t.Error("a person without a subject")
	}
}
