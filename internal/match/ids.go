package match

import (
	"strings"

	"golang.org/x/text/unicode/norm"
)

// Same reports whether two names or codes are equal but for case and surrounding blanks.
func Same(a, b string) bool { return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)) }

// ID returns an id of another system without surrounding blanks. It returns "" for the ways to write that there is
// none, such as 00000000-0000-0000-0000-000000000000.
func ID(id string) string {
	id = strings.TrimSpace(id)
	if strings.Trim(id, "0-{}") == "" {
		return ""
	}
	return id
}

// Visible returns a text as a reader sees it: without unseen characters, composed, with one space for any blanks.
func Visible(s string) string {
	s = strings.Map(func(r rune) rune {
		if Unseen(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	return norm.NFC.String(strings.Join(strings.Fields(s), " "))
}

// SKU is Visible without case. Accents and punctuation stay, for they may be all that tells two products apart.
func SKU(sku string) string { return strings.ToLower(Visible(sku)) }

// Squeeze returns a text without its white space, which the vendors do not keep as it was sent.
func Squeeze(s string) string { return strings.Join(strings.Fields(s), "") }
