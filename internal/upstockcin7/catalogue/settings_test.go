package catalogue

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/tenant"
)

func TestParseSettings(t *testing.T) {
	const defaults = `{"importNewProducts":false,"outOfStock":false,"productImages":true,"defaultPriceTier":"",` +
		`"priceHoldPercent":"","priceCheck":"off","priceCheckPercent":"0"}`
	for _, tt := range []struct {
		name, doc string
		wrong     []string // fields named by the refusal
		written   string   // "" = as it was sent
	}{
		{"empty is the default", `{}`, nil, defaults},
		{"all good", `{"importNewProducts":true,"outOfStock":true,"productImages":true,` +
			`"defaultPriceTier":"Wholesale","priceHoldPercent":"12.5","priceCheck":"hold","priceCheckPercent":"0.5"}`, nil, ""},
		{"as a form sends them", `{"importNewProducts":"true","outOfStock":"false","priceHoldPercent":20,` +
			`"priceCheckPercent":1.50}`, nil,
			`{"importNewProducts":true,"outOfStock":false,"productImages":true,"defaultPriceTier":"",` +
				`"priceHoldPercent":"20","priceCheck":"off","priceCheckPercent":"1.5"}`},
		{"held at any change", `{"priceHoldPercent":"0"}`, nil,
			`{"importNewProducts":false,"outOfStock":false,"productImages":true,"defaultPriceTier":"",` +
				`"priceHoldPercent":"0","priceCheck":"off","priceCheckPercent":"0"}`},
		{"no yes or no", `{"importNewProducts":"yes","outOfStock":1,"productImages":""}`,
			[]string{"importNewProducts", "outOfStock", "productImages"}, ""},
		{"percentages", `{"priceHoldPercent":"-1","priceCheckPercent":"1000.01"}`,
			[]string{"priceHoldPercent", "priceCheckPercent"}, ""},
		{"too fine", `{"priceHoldPercent":"1.005","priceCheckPercent":""}`,
			[]string{"priceCheckPercent", "priceHoldPercent"}, ""},
		{"absurd", `{"priceHoldPercent":"1e999999999","priceCheckPercent":"1e-999999999"}`,
			[]string{"priceCheckPercent", "priceHoldPercent"}, ""},
		{"unknown value", `{"priceCheck":"perhaps"}`, []string{"priceCheck"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := DefaultSettings()
			errs, _ := errors.AsType[tenant.FieldErrors](tenant.Parse([]byte(tt.doc), &s))
			var wrong []string
			for _, e := range errs {
				wrong = append(wrong, e.Field)
				if e.Message == "" {
					t.Errorf("%s: no message", e.Field)
				}
			}
			if diff := cmp.Diff(tt.wrong, wrong); diff != "" {
				t.Fatalf("fields refused (-want +got):\n%s", diff)
			}
			if wrong != nil {
				return
			}
			doc, err := tenant.Write(nil, &s)
			want := tt.written
			if want == "" {
				want = tt.doc
			}
			if err != nil || string(doc) != want {
				t.Errorf("%v\n%s\n%s", err, doc, want)
			}
			if again := SettingsOf(doc); !cmp.Equal(s, again) {
				t.Errorf("read again: %+v, was %+v", again, s)
			}
		})
	}
}
