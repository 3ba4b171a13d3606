// Package prose makes other people's text fit for where we put it.
//
// Names, references, comments and vendors' messages come from outside. They may be long, run over lines, hold
// characters that are not seen or that reverse what follows, or not be valid UTF-8. Which function a text needs depends
// on where it goes:
//
//	Quote   into a sentence of ours, in quotation marks: The customer “Kōwhai Café” is deprecated.
//	List    several of them into a sentence: “North”, “South” and 3 more
//	Within  into a sentence or a table, without quotation marks, on one line of limited length
//	Short   into a list or a record of ours, as written, without what a line cannot show
//	Plain   like Short, where the caller limits the length
//	Clean   to another system, as written, without what no system accepts
//	Cut     to another system that limits the length
//
// Count is a number of ours in a sentence: 12,000 orders. Pattern is an expression that texts are searched for.
//
// Nothing here compares texts; that is package match.
package prose

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
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

// Within returns a text on one line, without the characters that hide or reorder what follows, with one space for any
// blanks. If it is longer than max characters, it is cut and ends in “…”.
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

// Short returns a text as a list can show it: Plain, and no longer than 256 characters.
func Short(s string) string {
	s = Plain(s)
	if c := []rune(s); len(c) > 256 {
		return string(c[:255]) + "…"
	}
	return s
}

// Plain returns a text with a space for each character that a line cannot show: controls, marks of direction, invalid
// UTF-8.
func Plain(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || c == '\uFFFD' || unicode.Is(unicode.Bidi_Control, c) {
			return ' '
		}
		return c
	}, strings.ToValidUTF8(s, " "))
}

var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// Clean makes a text fit to be sent: valid UTF-8, lines ended by \n, no control characters but that and tabs, no
// surrounding blanks.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = lineEnds.Replace(s)
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s))
}

// Cut shortens a text of valid UTF-8 to max characters, and reports whether it did. Characters are counted in UTF-16,
// as the vendors' platforms do: those beyond the basic plane, such as emoji, count as two.
func Cut(s string, max int) (short string, was bool) {
	n := 0
	for i, r := range s {
		if n += utf16.RuneLen(r); n > max {
			return s[:i], true
		}
	}
	return s, false
}

// Count is a number with commas between the thousands.
func Count(n int) string {
	if n < 1000 {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%s,%03d", Count(n/1000), n%1000)
}

// Pattern is a regular expression that is compiled when it is first asked for: a function starts sooner without those
// that most calls never need.
func Pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}
