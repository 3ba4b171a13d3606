package joorcin7

import (
	"context"

	"stockbridge/internal/alert"
	"stockbridge/internal/tenant"
)

// wrongJOOR begins the keys of what is wrong between Cin7 Omni and JOOR.
const wrongJOOR = "joor/"

// Wrong is what of a tenant's customers in JOOR needs a person, as alerts tell it.
func (p *Pair) Wrong(ctx context.Context, b tenant.Bundle) (list []alert.Matter, unsure []string, err error) {
	needs, err := p.Needs(ctx, b)
	for _, m := range []struct {
		n              int
		key, text, fix string
	}{
		{needs.Overdue, "overdue", "New customers have been in review at JOOR for longer than it says that takes.",
			"They are listed under JOOR › In review. Ask JOOR about them, or send them again."},
		{needs.Refused, "refused", "JOOR refused customers.",
			"Each is listed with the reason. Put it right, and send it again."},
		{needs.LeftOut, "leftOut", "Customers cannot be sent to JOOR as they are.",
			"Each is listed with what it lacks. Put it right in Cin7 Omni."},
	} {
		if m.n > 0 {
			list = append(list, alert.Matter{Key: wrongJOOR + m.key, Text: m.text, Fix: m.fix})
		}
	}
	return list, nil, err
}
