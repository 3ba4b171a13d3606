package alert

import (
	"fmt"
	"slices"
	"strings"

	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// Bounds of a setup.
const (
	MostEmails = 5
	mostEmail  = 254 // characters of one
	mostURL    = 500
)

// Parse makes a setup of what a person or a program gave: blanks go, and what is there twice counts once.
func Parse(emails []string, url, often string) Setup {
	s := Setup{URL: strings.TrimSpace(url), Frequency: Frequency(strings.TrimSpace(often))}
	if s.Frequency == "" {
		s.Frequency = AtOnce
	}
	for _, e := range emails {
		e = strings.TrimSpace(e)
		if e != "" && !slices.ContainsFunc(s.Emails, func(had string) bool { return strings.EqualFold(had, e) }) {
			s.Emails = append(s.Emails, e)
		}
	}
	return s
}

// check says what is wrong with a setup.
func (s Setup) check(g Guard) (errs tenant.FieldErrors) {
	for _, e := range s.Emails[:min(len(s.Emails), MostEmails)] {
		if !IsEmail(e) {
			errs = append(errs, tenant.FieldError{Field: "emails", Message: prose.Quote(e) + " is no e-mail address."})
		}
	}
	if len(s.Emails) > MostEmails {
		errs = append(errs, tenant.FieldError{Field: "emails",
			Message: fmt.Sprintf("Give at most %d e-mail addresses.", MostEmails)})
	}
	if s.URL != "" {
		if fault := g.fault(s.URL); fault != "" {
			errs = append(errs, tenant.FieldError{Field: "url", Message: fault})
		}
	}
	if !slices.Contains(Frequencies(), s.Frequency) {
		errs = append(errs, tenant.FieldError{Field: "frequency", Message: "Use one of: atOnce, hourly, daily."})
	}
	return errs
}

// IsEmail reports whether a text is one e-mail address and nothing else, of a kind that every mail service takes.
func IsEmail(s string) bool {
	name, host, _ := strings.Cut(s, "@")
	return len(s) <= mostEmail && strings.Contains(host, ".") && dotted(host, "-") &&
		dotted(name, "!#$%&'*+-/=?^_`{|}~")
}

// dotted reports whether a text is letters, digits and some other characters, in parts with a dot between.
func dotted(s, others string) bool {
	for part := range strings.SplitSeq(s, ".") {
		if part == "" || strings.ContainsFunc(part, func(c rune) bool {
			return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
				strings.ContainsRune(others, c))
		}) {
			return false
		}
	}
	return true
}
