package reference

import (
	"fmt"
	"strings"
	"testing"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
)

func TestRows(t *testing.T) {
	var c cin7core.Customer
	c.ID, c.Name, c.Comments = "ABC", "Ōtaki  Stores", strings.Repeat("x", 2000)
	for i := range 1000 {
		mail := fmt.Sprintf("%d@stores.example", i)
		c.Contacts = append(c.Contacts, cin7core.CustomerContact{Name: strings.Repeat("n", 256), Email: mail})
		c.Addresses = append(c.Addresses, cin7core.CustomerAddress{Line1: "0", Postcode: "0"})
	}
	r := customerRow(c)
	if r.ID != "abc" || len(r.Data) > 300_000 || r.Names[0].ID != "otakistores" || r.Names[1].ID != "0@stores.example" {
		t.Errorf("%s %d bytes, %v", r.ID, len(r.Data), r.Names[:2])
	}
	back, err := readRow[cin7core.Customer](nil, r)
	if err != nil || back[0].Name != c.Name || back[0].Addresses[0] != c.Addresses[0] || back[0].Comments != "" {
		t.Errorf("%v %+v", err, back[0].Addresses[0])
	}
	if len(c.Contacts) != 1000 {
		t.Error("the caller's record was changed")
	}
	// Whatever the planner takes for the same has the same key.
	for _, pair := range [][2]string{
		{"ſtraße", "STRAßE"}, {"kwk-100 ", "KWK-100"}, {"Ὀδυσσεύς", "ὈΔΥΣΣΕΎΣ"}, {"K", "\u212a"},
	} {
		if a, _ := nameKey("k", pair[0]); true {
			if b, _ := nameKey("k", pair[1]); a != b && match.Same(pair[0], pair[1]) {
				t.Errorf("%q and %q: %q %q", pair[0], pair[1], a.ID, b.ID)
			}
		}
	}
	if _, ok := nameKey("k", " \t"); ok {
		t.Error("a blank name has a key")
	}
	if k, _ := nameKey("k", strings.Repeat("Ж", 1000)); len(k.ID) > 400 {
		t.Errorf("a key of %d bytes", len(k.ID))
	}
}
