package cin7core

import (
	"testing"
	"time"
)

// TestLockDate: if day and month cannot be told apart, it is the day up to which the books are certainly closed.
func TestLockDate(t *testing.T) {
	for text, want := range map[string]string{
		"31/03/2026":          "2026-03-31",
		"03/31/2026":          "2026-03-31",
		"10/03/2026":          "2026-03-10", // or 3 October
		"03/10/2026":          "2026-03-10",
		"03/10/2026 00:00:00": "2026-03-10",
		"05/05/2026":          "2026-05-05",
		"2026-10-03T00:00:00": "2026-10-03",
		" 10/03/2026 ":        "2026-03-10",
		"":                    "0001-01-01",
		"soon":                "0001-01-01",
	} {
		if got := (Me{LockDateText: text}).LockDate(); got.Format(time.DateOnly) != want {
			t.Errorf("%q: %s", text, got.Format(time.DateOnly))
		}
	}
	if day, month := (Me{LockDateText: "03/10/2026"}).LockDates(); day.Month() != time.October ||
		month.Month() != time.March {
		t.Errorf("%s %s", day, month)
	}
}
