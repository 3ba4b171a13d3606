package customer

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"stockbridge/internal/match"
	"stockbridge/internal/prose"
)

// What JOOR asks of a connection. That these fields are mandatory its help says (Connection Import Time): name, address
// 1, city, country, e-mail, price currency and label, and the state in four countries. Lengths are those of the v2
// reference for reading a connection, and of customer_name in the reference for writing one; those of the parts of an
// address are not documented, so none is known for them.
const (
	mostName  = 100
	mostEmail = 50
	mostBuyer = 50
	mostGroup = 150
	mostRep   = 100
)

// withStates are the countries whose addresses need a state.
var withStates = map[string]string{"AU": "Australia", "CA": "Canada", "JP": "Japan", "US": "the United States"}

// MostTogether is how many connections go to JOOR in one job, if nothing else is said. That a job has a limit is not
// documented; smaller batches are looked at sooner.
const MostTogether = 500

// reviewDays are the business days that JOOR's data team says it takes for so many new connections sent together.
var reviewDays = []struct{ most, days int }{{100, 2}, {500, 3}, {1000, 4}}

// Due is the time by which JOOR says that it has looked at new connections, by how many were sent together at a time.
// For more than 1,000 it says “4 or more” business days.
func Due(together int, sent time.Time) time.Time {
	days := 5
	for i := len(reviewDays) - 1; i >= 0; i-- {
		if together <= reviewDays[i].most {
			days = reviewDays[i].days
		}
	}
	due := sent.UTC()
	for days > 0 {
		due = due.AddDate(0, 0, 1)
		if day := due.Weekday(); day != time.Saturday && day != time.Sunday {
			days--
		}
	}
	return due
}

// missing says that a contact lacks what JOOR asks for.
func missing(what string) string { return "It has no " + what + ": fill it in in Cin7 Omni." }

// long says that a text does not fit; "" = it does.
func long(what, text string, most int) string {
	if n := utf8.RuneCountInString(text); n > most {
		return fmt.Sprintf("Its %s is %d characters long, and JOOR holds %d: shorten it in Cin7 Omni.", what, n, most)
	}
	return ""
}

// unseen says that a text has a character that cannot be seen; "" = it has none. Blanks of other kinds than the plain
// one are no fault.
func unseen(what, text string) string {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, match.Unseen) {
		return "Its " + what + " has a character that cannot be seen (" + match.Hidden(text) +
			"): type it anew in Cin7 Omni."
	}
	return ""
}

// faults are all that is wrong with a connection that is to be sent.
func (c Connection) faults() (list []string) {
	add := func(fault string) {
		if fault != "" {
			list = append(list, fault)
		}
	}
	if c.Name == "" {
		add(missing("company and no name"))
	}
	if c.Email == "" {
		add(missing("e-mail address"))
	} else if !strings.Contains(strings.Trim(c.Email, "@"), "@") || strings.ContainsAny(c.Email, " \t\n\r") {
		add("Its e-mail address " + prose.Quote(c.Email) + " is none: correct it in Cin7 Omni.")
	}
	for _, f := range c.Shipping.lacks() {
		add(f)
	}
	add(long("name", c.Name, mostName))
	add(long("e-mail address", c.Email, mostEmail))
	add(long("first and last name", c.Buyer, mostBuyer))
	add(long("group in JOOR", c.Group, mostGroup))
	add(long("sales rep's code in JOOR", c.Rep, mostRep))
	seen := c
	if c.Billing == c.Shipping {
		seen.Billing = Address{}
	}
	for _, t := range seen.texts() {
		add(unseen(strings.ToLower(t.name[:1])+t.name[1:], t.text))
	}
	return list
}

// lacks are the faults of an address.
func (a Address) lacks() (list []string) {
	if a.empty() && a.Country == "" {
		return []string{missing("address")}
	}
	for _, f := range []struct{ what, text string }{
		{"street in its address", a.Line1}, {"city in its address", a.City}, {"country in its address", a.Country},
	} {
		if f.text == "" {
			list = append(list, missing(f.what))
		}
	}
	if name := withStates[match.Country(a.Country)]; name != "" && a.State == "" {
		list = append(list, "Its address has no state, which JOOR asks for in "+name+": fill it in in Cin7 Omni.")
	}
	return list
}
