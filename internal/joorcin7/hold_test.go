package joorcin7

import (
	"testing"

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
	} {
		change := publish.Change{Record: publish.Record{Key: publish.Key{ID: "1"}}}
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
