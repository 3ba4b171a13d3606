package upstockcin7

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestRedactPeople(t *testing.T) {
	for in, want := range map[string]string{
		``:                                      ``,
		`{"Name":"Mere","Phone":"+64 21 1"}`:    `{"Name":"Mere","Phone":"[redacted]"}`,
		`{"Contacts":[{"EMAIL" : "a@b.test"}]}`: `{"Contacts":[{"EMAIL" : "[redacted]"}]}`,
		`{"Phone":"","Fax":null,"Contact":{"Email":"x"}}`: `{"Phone":"","Fax":null,"Contact":{"Email":"[redacted]"}}`,
		`{"note":"his \"phone\": \"1\"","email":"\\\"x"}`: `{"note":"his \"phone\": \"1\"","email":"[redacted]"}`,
		`{"\u0065mail":"x"}`:                              `{"\u0065mail":"[redacted]"}`,
		`["email","phone"]`:                               `["email","phone"]`,
		`{"phone":"021 12`:                                `{"phone":"[redacted]"`,
		`{"Webhooks":[{"ExternalBearerToken":"s","ExternalPassword":"p","ExternalURL":"u"}]}`: `{"Webhooks":[{"ExternalBearerToken":"[redacted]","ExternalPassword":"[redacted]","ExternalURL":"u"}]}`,
		`<html "x`: `<html "x`,
		`{"email`:  `{"email`,
	} {
		if got := string(redactPeople([]byte(in))); got != want {
			t.Errorf("%s became %s", in, got)
		}
	}
}

// Whatever JSON comes: it stays JSON, and none of the fields keeps its text.
func FuzzRedactPeople(f *testing.F) {
	f.Add(`{"a":[{"Phone":"secret","b":{"Email":"secret"}}],"c":"\"phone\":\"x\""}`)
	f.Fuzz(func(t *testing.T, in string) {
		var doc any
		if json.Unmarshal([]byte(in), &doc) != nil {
			return
		}
		var out any
		if err := json.Unmarshal(redactPeople([]byte(in)), &out); err != nil {
			t.Fatalf("%q: %v", in, err)
		}
		var check func(v any)
		check = func(v any) {
			switch v := v.(type) {
			case map[string]any:
				for k, x := range v {
					if s, ok := x.(string); ok && s != "" && s != "[redacted]" &&
						isPeople([]byte(`"`+strings.ToLower(k)+`"`)) {
						t.Fatalf("%q keeps %q", in, k)
					}
					check(x)
				}
			case []any:
				for _, x := range v {
					check(x)
				}
			}
		}
		check(out)
	})
}
