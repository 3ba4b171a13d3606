package order

import (
	"testing"
	"time"
)

// TestLocal: what is noted with an instant is shown in a tenant's zone.
func TestLocal(t *testing.T) {
	zone, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 27, 11, 39, 48, 0, time.UTC)
	for given, want := range map[string]string{
		"Received, approved" + On(at) + ".": "Received, approved 28 November 2026 00:39:48 (Pacific/Auckland).",
		"From" + On(at) + " to" + On(at.AddDate(0, 0, 1)): "From 28 November 2026 00:39:48 (Pacific/Auckland) to " +
			"29 November 2026 00:39:48 (Pacific/Auckland)",
		"Ordered 31 November 2026 11:39:48 UTC.": "Ordered 31 November 2026 11:39:48 UTC.", // no day
		"Ordered 27 November 2026.":              "Ordered 27 November 2026.",
		"":                                       "",
	} {
		if got := Local(given, zone); got != want {
			t.Errorf("%q: %q, want %q", given, got, want)
		}
	}
}
