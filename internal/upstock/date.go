package upstock

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Date is a calendar date, which is no instant: the supplier's time zone is not needed to read or write it.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf is the date of t in t's own location.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// String is YYYY-MM-DD, and "" for the zero date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

func (d Date) IsZero() bool { return d == Date{} }

// In is the date's midnight in a place.
func (d Date) In(place *time.Location) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, place)
}

func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD, also with a midnight of no zone behind it; an instant is not a date, as it is another day
// elsewhere.
func (d *Date) UnmarshalText(text []byte) error {
	*d = Date{}
	if len(text) == 0 {
		return nil
	}
	day, clock, _ := strings.Cut(strings.TrimSpace(string(text)), "T")
	if strings.Trim(clock, "0:.") != "" {
		day = ""
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil || t.IsZero() || t.Year() == 0 {
		return errors.New("is not a date like 2026-03-31")
	}
	*d = DateOf(t)
	return nil
}
