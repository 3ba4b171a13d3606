package prose

import (
	"strings"
	"testing"
)

func TestTexts(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{"long, with what hides", Quote("a\u202eb\r\n\tc\x00" + strings.Repeat("ü", 100)),
			"“ab c" + strings.Repeat("ü", 56) + "…”"},
		{"no UTF-8", Quote("\xff"), "“\uFFFD”"},
		{"one name", List([]string{"North"}), "“North”"},
		{"many names", List([]string{"a", "b", "c", "d", "e"}), "“a”, “b”, “c” and 2 more"},
		{"a list's line", Short("a\u202e\tb\xff"), "a  b "},
		{"a list's long line", Short(strings.Repeat("ü", 300)), strings.Repeat("ü", 255) + "…"},
		{"a small number", Count(999), "999"},
		{"a large number", Count(12_003_045), "12,003,045"},
		{"sent", Clean(" a\r\nb\rc\x00\td \xff "), "a\nb\nc\td \uFFFD"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.name, c.got, c.want)
		}
	}
	if got, was := Cut("a🫖b", 2); got != "a" || !was { // the teapot counts as two
		t.Errorf("cut to %q, %t", got, was)
	}
	if got, was := Cut("a🫖", 3); got != "a🫖" || was {
		t.Errorf("cut to %q, %t", got, was)
	}
}
