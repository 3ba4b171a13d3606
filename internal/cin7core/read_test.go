package cin7core

import (
	"net/http"
	"testing"
	"time"

	"stockbridge/internal/rest"
)

func TestParseDate(t *testing.T) {
	for in, want := range map[string]string{
		"2017-10-28T00:00:00":           "2017-10-28T00:00:00Z",
		"2017-09-29T03:03:13.913Z":      "2017-09-29T03:03:13.913Z",
		"2017-11-22T10:10:49.75Z":       "2017-11-22T10:10:49.75Z",
		"2017-11-22T06:58:21.8882229Z":  "2017-11-22T06:58:21.8882229Z",
		"2017-11-22T06:58:21.8882229":   "2017-11-22T06:58:21.8882229Z",
		"2017-11-22T19:00:00.000+13:00": "2017-11-22T06:00:00Z",
		"2017-11-22":                    "2017-11-22T00:00:00Z",
		"05/06/2018":                    "2018-06-05T00:00:00Z",
		"31/12/2026":                    "2026-12-31T00:00:00Z",
		"12/31/2026":                    "2026-12-31T00:00:00Z",
	} {
		if got, err := parseDate(in); err != nil || got.Format(time.RFC3339Nano) != want {
			t.Errorf("%s: %v, %v", in, got, err)
		}
	}
	for _, in := range []string{"", "soon", "31/31/2026", "2026-13-01", "2026-02-30"} {
		if got, err := parseDate(in); err == nil {
			t.Errorf("%s: %v", in, got)
		}
	}
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"2017-11-22T06:58:21.8882229Z", "05/06/2018", "2017-10-28T00:00:00", "",
		"0001-01-01T00:00:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseDate(s)
		if err != nil {
			return
		}
		if again, err := parseDate(got.Format("2006-01-02T15:04:05.999999999")); err != nil || !again.Equal(got) {
			t.Errorf("%q reads as %v, and that as %v, %v", s, got, again, err)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "30", "60 Seconds", "-1", "99999999999999999999", "Wed, 21 Oct 2026 07:28:00 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := readError(429, http.Header{"Retry-After": {s}}, nil)
		if e == nil || e.Kind != rest.Throttled || e.RetryAfter < 0 || e.RetryAfter > 24*time.Hour {
			t.Errorf("%q: %+v", s, e)
		}
	})
}

func FuzzErrors(f *testing.F) {
	f.Add(200, []byte(`[{"ErrorCode":400,"Exception":"You have reached 60 calls per 60 seconds API limit."}]`))
	f.Add(200, []byte(`{"ID":"x","Exception":"reached 60 calls per"}`))
	f.Add(403, []byte("Incorrect credentials!"))
	f.Add(503, []byte("You reached 60 calls per minute API limit"))
	f.Add(400, []byte(`{"ErrorCode":"x","Exception":[1,{}],"ID":7}`))
	f.Add(500, []byte(`"`))
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		e := readError(status, nil, body)
		if e == nil && status/100 != 2 {
			t.Fatal("a failed answer is no error")
		}
		if e == nil {
			return
		}
		if e.Outcome == rest.Done || e.Kind == rest.Other {
			t.Errorf("%+v", e)
		}
		if status/100 == 5 && e.Outcome == rest.Refused && !limitText().Match(body) && e.Kind != rest.Throttled {
			t.Errorf("a 5xx without the limit text refused: %+v", e)
		}
	})
}
