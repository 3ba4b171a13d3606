package main

import (
	"strings"
	"testing"
)

func TestFigure(t *testing.T) {
	for _, c := range []struct {
		f    figure
		want string
	}{
		{figure{what: "a", got: 2, goal: 2}, "a 2 <= 2 reached"},
		{figure{what: "a", got: 2.04, goal: 2, unit: "MB", note: "n"}, "a 2.04 MB <= 2 NOT REACHED n"},
		{figure{what: "a", got: 491.4, goal: 300, unit: "/s", atLeast: true}, "a 491 /s >= 300 reached"},
		{figure{what: "a", got: 96.6, goal: 97, unit: "%", atLeast: true}, "a 96.6 % >= 97 NOT REACHED"},
		{figure{what: "a", got: 3.844, unit: "MB", noGoal: true}, "a 3.84 MB"},
		{figure{what: "a", got: 0.125, goal: 1, unit: "MB"}, "a 0.12 MB <= 1 reached"},
	} {
		if got := strings.Join(strings.Fields(c.f.String()), " "); got != c.want {
			t.Errorf("%q, not %q", got, c.want)
		}
	}
}
