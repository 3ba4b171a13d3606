package sale

import (
	"slices"
	"testing"
)

// TestOfRecords: what the plan would have read live before it is believed is for the account's records to decide, and
// nothing else is.
func TestOfRecords(t *testing.T) {
	asks := map[string]bool{}  // by code: whether a plan with that problem alone wants anything read live
	tried := map[string]bool{} // by code: that there is a plan with it
	for _, c := range planCases {
		o, faults, s, ref := given(t, c.given...)
		ref.Live = false
		plan, problems, wants := Make(o, faults, s, ref)
		wants = slices.DeleteFunc(wants, func(w Want) bool { // wanted of whoever goes by a name
			return w.Kind == WantChangedCustomers
		})
		var found []string
		for _, p := range problems {
			tried[p.Code] = true
			if !slices.Contains(found, p.Code) {
				found = append(found, p.Code)
			}
		}
		if len(found) == 1 && len(plan.Said) == 0 { // a remark may want something too
			asks[found[0]] = asks[found[0]] || len(wants) > 0
		}
	}
	for code, asked := range asks {
		if OfRecords(code) != asked {
			t.Errorf("%s: read live %t, of records %t", code, asked, OfRecords(code))
		}
	}
	for code := range ofRecords {
		if !tried[code] && code != "more" {
			t.Errorf("no case has the problem %s", code)
		}
	}
	if len(asks) < 30 {
		t.Errorf("only %d problems were tried", len(asks))
	}
}
