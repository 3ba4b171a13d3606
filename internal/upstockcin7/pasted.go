package upstockcin7

import (
	"strings"
	"unicode"

	"stockbridge/internal/match"
	"stockbridge/internal/tenant"
)

// pasted is what a person means who pastes credentials: without the blanks, line ends and unseen characters that came
// along around them.
func (c Credentials) pasted() Credentials {
	return Credentials{
		Account: around(c.Account), Key: tenant.Secret(around(string(c.Key))), Webhook: tenant.Secret(around(string(c.Webhook))),
	}
}

func around(s string) string { return strings.TrimFunc(s, noKey) }

// noKey reports whether a character is part of no key: it could not be sent in a header, or nobody sees it.
func noKey(r rune) bool { return unicode.IsSpace(r) || match.Unseen(r) }
