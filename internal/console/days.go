package console

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"time"

	"stockbridge/internal/tenant"
)

// Days are calendar days: in addresses, forms and bodies a first and a last one, both included.

// givenDay is a day in a body that may go without, but that says something where it is there.
type givenDay string

// UnmarshalJSON implements json.Unmarshaler.
func (d *givenDay) UnmarshalJSON(data []byte) error {
	err := json.Unmarshal(data, (*string)(d))
	if err == nil && *d == "" {
		err = errors.New("a day is empty")
	}
	return err
}

// calendarDays reads a first and a last day, each as its beginning in a zone.
func calendarDays(zone *time.Location, first, last string) (from, to time.Time, err error) {
	var errs tenant.FieldErrors
	day := func(field, s string) time.Time {
		t, err := time.ParseInLocation(time.DateOnly, s, zone)
		switch {
		case s == "":
			errs = append(errs, tenant.FieldError{Field: field, Message: "Say the first and the last day."})
		case err != nil || t.Year() < 2000:
			errs = append(errs, tenant.FieldError{Field: field, Message: "Use a day, as 2026-11-01."})
		}
		return t
	}
	from, to = day("from", first), day("to", last)
	if errs != nil {
		return from, to, errs
	}
	return from, to, nil
}

// days reads a period's first and last day in the tenant's time zone; none = the standing period. to is the end of the
// last.
func days(b tenant.Bundle, first, last string) (from, to time.Time, err error) {
	if first == "" && last == "" {
		return from, to, nil
	}
	from, to, err = calendarDays(zoneOf(b), first, last)
	return from, to.AddDate(0, 0, 1), err
}

// someDays reads the days that an address names, from the beginning of the first to the end of the last; either may be
// missing.
func someDays(b tenant.Bundle, q url.Values) (from, until time.Time, err error) {
	first, last := cmp.Or(q.Get("from"), q.Get("to")), cmp.Or(q.Get("to"), q.Get("from"))
	if from, until, err = days(b, first, last); err != nil {
		return from, until, err
	}
	if q.Get("from") == "" {
		from = time.Time{}
	}
	if q.Get("to") == "" {
		until = time.Time{}
	}
	if !until.IsZero() && !from.Before(until) {
		return from, until, tenant.FieldErrors{{Field: "to", Message: "The period ends before it begins."}}
	}
	return from, until, nil
}

// daysAddress is the address of a page for days; none = the standing ones.
func daysAddress(path, from, to string, skip int) string {
	q := url.Values{}
	if from != "" || to != "" {
		q.Set("from", from)
		q.Set("to", to)
	}
	if skip > 0 {
		q.Set("skip", strconv.Itoa(skip))
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// day is an instant's calendar day in the tenant's zone, as addresses and forms have it.
func (v visit) day(t time.Time) string { return t.In(v.zone).Format(time.DateOnly) }

// daysForm asks for days.
type daysForm struct {
	From, To           string
	FromFault, ToFault string
}

// fill keeps what was typed, with what is wrong of it.
func (f *daysForm) fill(from, to string, errs tenant.FieldErrors) {
	f.From, f.To = from, to
	for _, e := range errs {
		switch e.Field {
		case "from":
			f.FromFault = e.Message
		case "to":
			f.ToFault = e.Message
		}
	}
}
