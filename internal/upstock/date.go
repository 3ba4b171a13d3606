package upstock

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Date is a calendar date. It is not an instant, so reading and writing it needs no time zone.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// DateOf returns the date of t in t's location.
func DateOf(t time.Time) Date {
	year, month, day := t.Date()
	return Date{year, month, day}
}

// String returns YYYY-MM-DD, and "" for the zero date.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.Year, d.Month, d.Day)
}

func (d Date) IsZero() bool { return d == Date{} }

// In returns midnight of the date in a location.
func (d Date) In(loc *time.Location) time.Time {
	if d.IsZero() {
		return time.Time{}
	}
	return time.Date(d.Year, d.Month, d.Day, 0, 0, 0, 0, loc)
}

func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads YYYY-MM-DD, also with a midnight without a zone after it. An instant is refused, as its date
// depends on the zone.
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
