package upstockcin7

import (
	"bytes"
	"encoding/json"
	"slices"
)

// people are the fields of bodies that say who somebody is and how to reach
// them, and that no reader of a timeline needs; the last two are what Cin7 Core
// authenticates webhooks with, in the clear.
var people = bytes.Fields([]byte(
	"phone mobilephone fax email contact jobtitle website externalbearertoken externalpassword"))

// redactPeople blanks those fields where they hold a text. It looks for names
// and texts only: a body that breaks off, or is no JSON at all, is redacted as
// far as it goes, and nothing of it is built in memory.
func redactPeople(body []byte) []byte {
	var out []byte
	done := 0 // of body, that is in out
	for at := 0; ; {
		quote := bytes.IndexByte(body[at:], '"')
		if quote < 0 {
			break
		}
		quote += at
		at = textEnd(body, quote)
		colon := afterSpace(body, at)
		if colon == len(body) || body[colon] != ':' || !isPeople(body[quote:at]) {
			continue
		}
		value := afterSpace(body, colon+1)
		if value == len(body) || body[value] != '"' {
			continue
		}
		if at = textEnd(body, value); at-value > len(`""`) {
			out = append(append(out, body[done:value]...), `"[redacted]"`...)
			done = at
		}
	}
	if done == 0 {
		return body
	}
	return append(out, body[done:]...)
}

// textEnd is where a JSON text ends, behind its closing quote.
func textEnd(body []byte, quote int) int {
	for i := quote + 1; i < len(body); i++ {
		switch body[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(body)
}

func afterSpace(body []byte, at int) int {
	return len(body) - len(bytes.TrimLeft(body[at:], " \t\r\n"))
}

func isPeople(quoted []byte) bool {
	name := bytes.Trim(quoted, `"`)
	if bytes.IndexByte(name, '\\') >= 0 {
		var plain string
		if json.Unmarshal(quoted, &plain) != nil {
			return false
		}
		name = []byte(plain)
	}
	return slices.ContainsFunc(people, func(p []byte) bool { return bytes.EqualFold(p, name) })
}
