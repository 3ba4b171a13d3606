package alert

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// subject is an e-mail's.
func (m Message) subject(of tenant.Tenant) string {
	name := prose.Within(of.Name, 60)
	switch {
	case m.Test:
		return name + ": a test alert"
	case len(m.New) == 1:
		return name + ": " + prose.Within(m.New[0].Text, 100)
	case len(m.New) > 1:
		return fmt.Sprintf("%s: %d things need you", name, len(m.New))
	case len(m.Open) > 0:
		return fmt.Sprintf("%s: solved: %s", name, count(len(m.Healed)))
	}
	return name + ": all is well again"
}

func count(n int) string {
	if n == 1 {
		return "one thing that needed you"
	}
	return fmt.Sprintf("%d things that needed you", n)
}

// mostListed is how many matters of a kind an e-mail lists.
const mostListed = 20

// text is an e-mail's, in the tenant's time.
func (m Message) text(of tenant.Tenant, link string) string {
	var b strings.Builder
	if m.Test {
		b.WriteString("This is the test alert that somebody asked for. Alerts of " + prose.Within(of.Name, 60) +
			" arrive here.\n")
	}
	list(&b, "This needs you:", m.New, true)
	list(&b, "This is over:", m.Healed, false)
	list(&b, "This was told before and still needs you:", m.Open, true)
	if !m.Test && len(m.New)+len(m.Open) == 0 {
		b.WriteString("Nothing needs you now.\n\n")
	}
	if link != "" {
		b.WriteString("See it and mend it: " + link + "\n\n")
	}
	b.WriteString("As of " + of.Clock(m.At) +
		". Who gets these messages, and how often, is set in Settings › Alerts.\n")
	return b.String()
}

func list(b *strings.Builder, title string, matters []Matter, fix bool) {
	if len(matters) == 0 {
		return
	}
	b.WriteString(title + "\n\n")
	for _, m := range matters[:min(len(matters), mostListed)] {
		b.WriteString("- " + m.Text + waiting(m.Orders) + "\n")
		if fix && m.Fix != "" {
			b.WriteString("  " + m.Fix + "\n")
		}
	}
	if rest := len(matters) - mostListed; rest > 0 {
		fmt.Fprintf(b, "- and %d more\n", rest)
	}
	b.WriteString("\n")
}

func waiting(orders int) string {
	switch orders {
	case 0:
		return ""
	case 1:
		return " (1 order)"
	}
	return fmt.Sprintf(" (%d orders)", orders)
}

// The types of what is sent to an address.
const (
	typeChanged = "alerts.changed"
	typeTest    = "alerts.test"
)

// body is what is sent to an address: of one message it is always the same.
func (m Message) body(of tenant.Tenant, link string) ([]byte, error) {
	type matter struct {
		Key     string  `json:"key"`
		Message string  `json:"message"`
		Fix     *string `json:"fix"`
		Orders  int     `json:"orders"`
	}
	items := func(list []Matter) []matter {
		all := make([]matter, 0, len(list))
		for _, m := range list {
			one := matter{m.Key, m.Text, nil, m.Orders}
			if m.Fix != "" {
				one.Fix = &m.Fix
			}
			all = append(all, one)
		}
		return all
	}
	kind, at := typeChanged, &link
	if m.Test {
		kind = typeTest
	}
	if link == "" {
		at = nil
	}
	doc := struct {
		Type      string    `json:"type"`
		Timestamp time.Time `json:"timestamp"`
		Data      any       `json:"data"`
	}{kind, m.At.UTC(), struct {
		Tenant map[string]string `json:"tenant"`
		URL    *string           `json:"url"`
		New    []matter          `json:"new"`
		Healed []matter          `json:"healed"`
		Open   []matter          `json:"open"`
	}{map[string]string{"id": of.ID, "name": of.Name}, at, items(m.New), items(m.Healed), items(m.Open)}}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(doc)
	return bytes.TrimSpace(b.Bytes()), err
}
