package reference

import "testing"

func TestFold(t *testing.T) {
	for _, same := range [][2]string{
		{"Taupō", " TAUPO"}, {"Ōtāhuhu", "otahuhu"}, {"Cafe\u0301 Straße", "café STRAßE"}, {"SW1A 1AA", "sw1a1aa"},
	} {
		if fold(same[0]) != fold(same[1]) {
			t.Errorf("%q is not %q", fold(same[0]), fold(same[1]))
		}
	}
}
