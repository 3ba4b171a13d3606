// Package prose makes other people's text fit for where we put it.
//
// Names, references, comments and vendors' messages come from outside, so they may be long, run over lines, hold
// characters that nobody sees or that turn what follows around, or be no valid UTF-8 at all. Which function a text
// needs depends on where it goes:
//
//	Quote   into a sentence of ours, in quotation marks: The customer “Kōwhai Café” is deprecated.
//	List    into a sentence, several of them: “North”, “South” and 3 more
//	Within  into a sentence or a table, without quotation marks, on one line of at most so many characters
//	Short   into a list or a record of ours, as it was written but for what no line can show
//	Plain   as Short, where the caller sees to the length
//	Clean   to another system, as it was written but for what no system takes
//	Cut     to another system that takes only so many characters
//
// Nothing here compares texts; that is package match.
package prose

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// Quote puts a text into quotation marks, on one line, shortened to 60 characters.
func Quote(s string) string { return "“" + Within(s, 60) + "”" }

// List quotes the first three of several names and counts the others.
func List(names []string) string {
	const most = 3
	var b strings.Builder
	for i, n := range names {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(names)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString("“" + Within(n, 40) + "”")
	}
	return b.String()
}

// Within is a text on one line without the characters that hide or reorder what follows, with one space where there
// were blanks. What is longer than max characters ends in “…”.
func Within(s string, max int) string {
	if len(s) > 4096 { // what comes after is cut anyway
		s = s[:4096]
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	s = strings.Join(strings.Fields(s), " ")
	if short, was := Cut(s, max); was {
		return short + "…"
	}
	return s
}

// Short is a text as a list can show it: Plain, and no longer than 256 characters.
func Short(s string) string {
	s = Plain(s)
	if c := []rune(s); len(c) > 256 {
		return string(c[:255]) + "…"
	}
	return s
}

// Plain has a space for each character that no line can show: controls, marks of direction, what is no valid UTF-8.
func Plain(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\uFFFD' || unicode.Is(unicode.Bidi_Control, c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, " "))
}

// Clean makes a text fit to be sent: valid UTF-8, lines ended by \n, no other control characters but tabs, no blanks
// around it.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}

// Cut shortens a text of valid UTF-8 to max characters, and reports whether it did. Characters are counted in UTF-16,
// as the vendors' platforms do: those beyond the basic plane, as emoji, are two.
func Cut(s string, max int) (short string, was bool) {
	n := 0
	for i, r := range s {
		if n += utf16.RuneLen(r); n > max {
			return s[:i], true
		}
	}
	return s, false
}
