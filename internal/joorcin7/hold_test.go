package joorcin7

import (
	"strings"
	"testing"
	"time"

	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/publish"
)

// TestHold: what was linked and has no code yet is not sent in a bulk job, however much it is wanted: it would become
// another connection.
func TestHold(t *testing.T) {
	v := view{wanted: wanted{JobUpload: {"1": true}, JobUpdate: {"1": true}},
		rules: customer.Rules{Settings: customer.Settings{Upload: true, Update: true, UpdateAlone: true}}}
	for _, c := range []struct {
		name string
		was  *customer.Connection
		held bool
	}{
		{"new", nil, false},
		{"linked, with a code", &customer.Connection{Code: "OLD-7", Name: "Harbour"}, false},
		{"linked, without one", &customer.Connection{Name: "Harbour"}, true},
		{"new, and in doubt", &customer.Connection{Code: "1", Name: "Harbour"}, false},
	} {
		change := publish.Change{Record: publish.Record{Key: publish.Key{ID: "1"}},
			Told: strings.HasPrefix(c.name, "linked")}
		if c.was != nil {
			data, err := c.was.Pack()
			if err != nil {
				t.Fatal(err)
			}
			change.Was = data
		}
		if why := v.hold(change); (why != "") != c.held {
			t.Errorf("%s: %q", c.name, why)
		}
	}
}

// TestDueBySpeed: JOOR's days are as much shorter as all that is waited for.
func TestDueBySpeed(t *testing.T) {
	monday := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	for speed, want := range map[float64]time.Duration{1: 48 * time.Hour, 60: 48 * time.Minute} {
		p := &Pair{Deps: Deps{Times: DefaultTimes().Divided(speed), Now: func() time.Time { return monday }}}
		if got := (side{run: &run{Pair: p}}).due(10).Sub(monday); got.Round(time.Second) != want {
			t.Errorf("at speed %v it is due after %v, want %v", speed, got, want)
		}
	}
}
