package vendor

import (
	"slices"
	"strings"
	"unicode"

	"stockbridge/internal/match"
	"stockbridge/internal/tenant"
)

// longest is how long a credential may be.
const longest = 512

// pasted is what a person means who pastes credentials: without the blanks, line ends and unseen characters that came
// along around them.
func (c Credentials) pasted() Credentials {
	return Credentials{
		Account: Pasted(c.Account), User: Pasted(c.User),
		Key: tenant.Secret(Pasted(string(c.Key))), WebhookSecret: tenant.Secret(Pasted(string(c.WebhookSecret))),
	}
}

// Pasted is a key or an id as a person means it who pastes it.
func Pasted(s string) string { return strings.TrimFunc(s, noKey) }

// noKey reports whether a character is part of no key: it could not be sent in a header, or nobody sees it.
func noKey(r rune) bool { return unicode.IsSpace(r) || match.Unseen(r) }

// into puts what is typed in in the place of what is stored.
func (c Credentials) into(row Vendor, to *tenant.Connection, s *tenant.Secrets) {
	if c.Account != "" {
		to.Account = strings.ToLower(c.Account)
		if slices.ContainsFunc(row.Fields, func(f Field) bool { return f.Is == AccountID && f.Cased }) {
			to.Account = c.Account
		}
	}
	if c.User != "" {
		s.User = c.User
	}
	if c.Key != "" {
		s.Key = c.Key
	}
	if c.WebhookSecret != "" {
		s.WebhookSecret = c.WebhookSecret
	}
}

// check says what is wrong with credentials: with those that a connection needs, as they would be saved, and with
// those that may be left out, as they are typed in.
func (row *Vendor) check(c tenant.Connection, s tenant.Secrets, typed Credentials) (errs tenant.FieldErrors) {
	saved := Credentials{Account: c.Account, User: s.User, Key: s.Key, WebhookSecret: s.WebhookSecret}
	for _, f := range row.Fields {
		fault, value := "", typed.get(f.Is)
		if !f.Optional {
			fault = needed(saved.get(f.Is))
		}
		if fault == "" && value != "" && f.Check != nil {
			fault = f.Check(value)
		}
		if fault != "" {
			errs = append(errs, tenant.FieldError{Field: f.Name, Message: fault})
		}
	}
	return errs
}

// needed says what is wrong with a credential that a connection cannot do without.
func needed(value string) (fault string) {
	switch {
	case value == "":
		return "This is needed to connect."
	case len(value) > longest:
		return "This is too long."
	case strings.ContainsFunc(value, noKey):
		return "This has a blank, a line break or an unseen character in it. Copy it again, in one piece."
	}
	return ""
}

func (c Credentials) get(what Credential) string {
	switch what {
	case AccountID:
		return c.Account
	case User:
		return c.User
	case WebhookSecret:
		return string(c.WebhookSecret)
	default:
		return string(c.Key)
	}
}
