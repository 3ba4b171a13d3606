package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"stockbridge/internal/testsize"
)

// axePath is where .ci/run puts axe-core, which looks for what keeps people with a disability from using a page.
var axePath = filepath.Join("..", "..", ".cache", "axe", "node_modules", "axe-core", "axe.min.js")

// axeTags are the rules of WCAG 2.2 up to level AA, and what axe-core advises beyond them.
const axeTags = `{type:"tag",values:["wcag2a","wcag2aa","wcag21a","wcag21aa","wcag22aa","best-practice"]}`

// Another theme can break the one rule about colours, another width those about room.
const (
	axeColors = `{type:"rule",values:["color-contrast"]}`
	axeRoom   = `{type:"rule",values:["target-size","scrollable-region-focusable"]}`
)

// violation is one rule of axe-core's that a page breaks, with the elements that break it.
type violation struct {
	ID, Help string
	Nodes    []struct {
		Target         []any // selectors; within a frame a list of them
		FailureSummary string
	}
}

// readAxe returns axe-core's source; "" = it is not there, or it would take too long, as it looks at each page three
// times: the pages are tried without it.
func readAxe(t *testing.T) string {
	t.Helper()
	if !testsize.Whole() {
		return ""
	}
	source, err := os.ReadFile(axePath)
	if err == nil {
		return string(source)
	}
	if os.Getenv("BROWSER") == "needed" {
		t.Fatalf("axe-core is needed, as BROWSER=needed: %v", err)
	}
	t.Log("axe-core is not at .cache/axe: the pages are not checked for accessibility")
	return ""
}

// auditSims audits the simulators' pages.
func (s *stage) auditSims() {
	s.t.Helper()
	for _, path := range []string{"/sim", "/sim/pages/1/upstock", "/sim/pages/1/cin7core",
		"/sim/pages/1/upstock/catalogue", "/sim/pages/1/cin7core/catalogue", "/sim/pages/1/cin7omni",
		"/sim/pages/1/joor"} {
		s.do(chromedp.Navigate(s.demo.sim.base+path), chromedp.WaitReady(chromedp.CSS("h1")))
		s.audit(path)
	}
}

// audit reports each violation on the page that is shown: of all rules once, of colours in the dark, and of
// room on a phone, where the page must also not be wider than the screen. What can be unfolded is.
func (s *stage) audit(page string) {
	s.t.Helper()
	s.show(1280, "light")
	s.do(chromedp.Evaluate[chromedp.Void](`document.querySelectorAll("details").forEach(d => d.open = true)`))
	s.report(page, axeTags)
	s.show(1280, "dark")
	s.report(page+", dark", axeColors)
	s.show(390, "light")
	s.report(page+", narrow", axeRoom)
	if wide := s.width(); wide > 390 {
		s.t.Errorf("%s, narrow: the page is %d wide", page, wide)
	}
	s.show(1280, "light")
}

// width is how wide the page is that is shown; axe-core has no rule for it.
func (s *stage) width() int {
	s.t.Helper()
	wide, err := chromedp.Run(s.ctx, chromedp.Evaluate[int](`document.documentElement.scrollWidth`))
	if err != nil {
		s.t.Fatal(err)
	}
	return wide
}

// report reports each violation of some rules; none without axe-core.
func (s *stage) report(page, rules string) {
	s.t.Helper()
	if s.axe == "" {
		return
	}
	for _, v := range s.violations(rules) {
		for _, n := range v.Nodes {
			why := strings.Join(strings.Fields(n.FailureSummary), " ")
			s.t.Errorf("%s: %s (%s) at %v: %s", page, v.ID, v.Help, n.Target, why)
		}
	}
}

// violations asks axe-core about the page that is shown. A page's policy lets no script but ours in, so axe-core comes
// by the browser's own protocol, once for each page.
func (s *stage) violations(rules string) []violation {
	s.t.Helper()
	there, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](`"axe" in window`))
	if err == nil && !there {
		_, err = chromedp.Run(s.ctx, chromedp.Evaluate[chromedp.Void](s.axe))
	}
	var found []violation
	if err == nil {
		found, err = chromedp.Run(s.ctx, chromedp.Evaluate[[]violation](
			`axe.run(document, {preload: false, resultTypes: ["violations"], runOnly: `+rules+`})`+
				`.then(r => r.violations)`, chromedp.EvalAwaitPromise))
	}
	if err != nil {
		s.t.Fatalf("axe-core at %s: %v", s.address(), err)
	}
	return found
}

// auditSees spoils the page that is shown, and sees that each look of audit notices: its silence on the others means
// something.
func (s *stage) auditSees() {
	s.t.Helper()
	s.show(390, "dark")
	s.do(chromedp.Evaluate[chromedp.Void](`{
		const add = (inside, name, style) => {
			const made = inside.appendChild(document.createElement(name))
			made.textContent = "1"
			made.style.cssText = style
			return made
		}
		const main = document.querySelector("main")
		document.documentElement.lang = ""
		document.querySelector("h1").style.cssText = "color: #777; background: #888; width: 500px"
		add(add(main, "div", "height: 20px; overflow: auto"), "p", "height: 99px")
		add(main, "button", "all: unset; width: 9px; height: 9px")
		add(main, "button", "all: unset; width: 9px; height: 9px")
	}`))
	if wide := s.width(); wide < 500 {
		s.t.Errorf("a page that is spoilt is %d wide", wide)
	}
	if s.axe == "" {
		return
	}
	for rules, want := range map[string][]string{
		axeTags:   {"html-has-lang", "color-contrast"},
		axeColors: {"color-contrast"},
		axeRoom:   {"target-size", "scrollable-region-focusable"},
	} {
		var found []string
		for _, v := range s.violations(rules) {
			found = append(found, v.ID)
		}
		for _, rule := range want {
			if !slices.Contains(found, rule) {
				s.t.Errorf("axe-core finds %q on a spoilt page, not %s", found, rule)
			}
		}
	}
}
