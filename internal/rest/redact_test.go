package rest_test

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"stockbridge/internal/rest"
)

// spellings returns the ways in which a vendor may repeat a secret, by name.
func spellings(secret string) map[string]string {
	quoted, _ := json.Marshal(secret)
	inJSON := strings.Trim(string(quoted), `"`)
	var points, percents, entities strings.Builder
	for _, b := range []byte(secret) {
		fmt.Fprintf(&points, `\u%04x`, b)
		fmt.Fprintf(&percents, "%%%02X", b)
		fmt.Fprintf(&entities, "&#x%x;", b)
	}
	all := map[string]string{
		"plain": secret, "upper": strings.ToUpper(secret), "lower": strings.ToLower(secret),
		"query": url.QueryEscape(secret), "path": url.PathEscape(secret), "JSON": inJSON,
		"JSON twice": strings.ReplaceAll(inJSON, `\`, `\\`),
		"HTML":       html.EscapeString(secret), "code points": points.String(), "percents": percents.String(),
		"entities":        entities.String(),
		"query of HTML":   url.QueryEscape(html.EscapeString(secret)),
		"percents twice":  url.QueryEscape(percents.String()),
		"hex":             hex.EncodeToString([]byte(secret)),
		"HEX":             strings.ToUpper(hex.EncodeToString([]byte(secret))),
		"hex of user:key": hex.EncodeToString([]byte("warehouse:" + secret)),
	}
	for _, user := range []string{"", "a:", "ab:", "warehouse:", "Bearer "} {
		for _, after := range []string{"", "\n"} {
			text := []byte(user + secret + after)
			all["base64 of "+user+after] = base64.StdEncoding.EncodeToString(text)
			all["base64url of "+user+after] = base64.RawURLEncoding.EncodeToString(text)
			all["base64 in a URL of "+user+after] = url.QueryEscape(base64.StdEncoding.EncodeToString(text))
		}
	}
	return all
}

// TestSecretsStayAway: a vendor repeats the key it was called with, in every way and in every place.
func TestSecretsStayAway(t *testing.T) {
	for _, secret := range []string{"s3cret", "5F1C7A10-0d5b-4a51-9c2e-8B0f3f6a77d1", `q&"<p>/\~+%=?`,
		"whsec_QUJD/REVG+0==", "aaaaaaaaaaaaaaaaaaaa"} {
		for name, written := range spellings(secret) {
			for _, place := range []string{"error", "answer", "header"} {
				c := &rest.Client{
					Base: base(t, "http://vendor.test"),
					HTTP: roundTrip(func(r *http.Request) (*http.Response, error) {
						quoted, _ := json.Marshal("Your key <" + written + "> is bad")
						resp := answer(400, `{"Message":`+string(quoted)+`}`)
						switch place {
						case "answer":
							resp = answer(200, `{"Message":`+string(quoted)+`}`)
						case "header":
							resp = answer(400, `{}`)
							resp.Header.Set("Why", written)
						}
						return resp, nil
					}),
					Read: func(status int, header http.Header, body []byte) *rest.Error {
						e := rest.FromStatus(status, header)
						if e == nil {
							return nil
						}
						var said struct{ Message string }
						_ = rest.Unmarshal(body, &said)
						e.Messages = []string{said.Message, header.Get("Why")}
						e.Err = errors.New(string(body))
						return e
					},
				}
				c.Hide("", "abc", secret)
				var recorded rest.Exchange
				ctx := rest.WithRecorder(t.Context(), func(x rest.Exchange) { recorded = x })
				var out struct{ Message string }
				err := c.Do(ctx, "POST", "/sale", url.Values{"note": {written}}, map[string]string{"note": written},
					&out)
				left := fmt.Sprint(err, rest.MessagesOf(err), recorded.Err, recorded.Query, string(recorded.Request),
					string(recorded.Answer))
				if len(secret) >= 16 {
					left += out.Message
					if place == "answer" &&
						(!strings.Contains(out.Message, rest.Redacted) ||
							!strings.HasPrefix(out.Message, "Your key <")) {
						t.Errorf("%s of %s: read %q", name, secret, out.Message)
					}
				}
				for again, written := range spellings(secret) {
					if strings.Contains(left, written) {
						t.Errorf("%s of %s in %s comes back as %s: %s", name, secret, place, again, left)
					}
				}
				if !strings.Contains(left, rest.Redacted) {
					t.Errorf("%s of %s in %s: nothing is redacted: %s", name, secret, place, left)
				}
			}
		}
	}
}

// TestSecretOfOneCall: a secret that one call sends is read from its answer, and not shown.
func TestSecretOfOneCall(t *testing.T) {
	c := &rest.Client{Base: base(t, "http://vendor.test"),
		HTTP: roundTrip(func(r *http.Request) (*http.Response, error) {
			body, err := io.ReadAll(r.Body)
			return answer(200, string(body)), err
		})}
	var recorded rest.Exchange
	ctx := rest.WithRecorder(rest.WithSecrets(t.Context(), "bearer-of-the-webhook"),
		func(x rest.Exchange) { recorded = x })
	var out struct{ Token string }
	if err := c.Do(ctx, "POST", "/webhooks", nil, map[string]string{"Token": "bearer-of-the-webhook"},
		&out); err != nil {
		t.Fatal(err)
	}
	const want = `{"Token":"[redacted]"}`
	if out.Token != "bearer-of-the-webhook" || string(recorded.Request) != want || string(recorded.Answer) != want {
		t.Errorf("read %q, recorded %s and %s", out.Token, recorded.Request, recorded.Answer)
	}
}

// TestNothingToHide: other text is left alone, and so are values too short to tell from it.
func TestNothingToHide(t *testing.T) {
	const body = `{"a":"%41%zz \u00 \n \"x\" &amp; &nosuch; &#x1F600; + =","b":"c3Rv","n":12345,"end":"\\"}`
	for _, hidden := range [][]string{nil, {"", "12345", "abc"}, {"5f1c7a10-0d5b-4a51-9c2e-8b0f3f6a77d1"}} {
		c := &rest.Client{Base: base(t, "http://vendor.test"),
			HTTP: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, body), nil })}
		c.Hide(hidden...)
		var recorded rest.Exchange
		err := c.Do(rest.WithRecorder(t.Context(), func(x rest.Exchange) { recorded = x }), "GET", "/", nil, nil, nil)
		if string(recorded.Answer) != body {
			t.Errorf("%q: %s (%v)", hidden, recorded.Answer, err)
		}
	}
}

func FuzzHide(f *testing.F) {
	f.Add("secret", `{"a":"\u0073ecret"}`)
	f.Add(`a\b&c%d`, `a\\b&amp;c%25d`)
	f.Fuzz(func(t *testing.T, secret, text string) {
		c := &rest.Client{Base: base(t, "http://vendor.test"),
			HTTP: roundTrip(func(*http.Request) (*http.Response, error) { return answer(200, text), nil })}
		c.Hide(secret)
		var got string
		_ = c.Do(rest.WithRecorder(t.Context(), func(x rest.Exchange) { got = string(x.Answer) }), "GET", "/", nil, nil,
			nil)
		if s := strings.TrimSpace(secret); len(s) >= 6 && strings.Contains(got, s) &&
			!strings.Contains(rest.Redacted, s) && !strings.Contains(s, rest.Redacted) {
			t.Errorf("%q is left in %q", s, got)
		}
	})
}

func BenchmarkHide(b *testing.B) {
	page := strings.Repeat(`{"ID":"5f1c7a10-0d5b-4a51-9c2e-8b0f3f6a77d1","Name":"Salt & Sons, Flaky Sea Salt 250 g","Price":12.5,"Note":"a\nb"},`, 5000)
	c := &rest.Client{Base: &url.URL{Scheme: "http", Host: "vendor.test"},
		HTTP: roundTrip(func(*http.Request) (*http.Response, error) {
			return answer(200, `[`+strings.TrimSuffix(page, ",")+`]`), nil
		})}
	c.Hide("0f1c7a10-0d5b-4a51-9c2e-8b0f3f6a77d2")
	b.SetBytes(int64(len(page)))
	for b.Loop() {
		if err := c.Do(b.Context(), "GET", "/", nil, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
