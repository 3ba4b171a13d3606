package upstockcin7

import "stockbridge/internal/upstock"

// document is an order as Upstock sent it: a webhook's envelope, or the order
// alone. It is parsed when that is first asked for, and once: an order may have
// thousands of lines, and its work asks for it in several places.
type document struct {
	body   []byte
	bare   bool // the order alone
	parsed bool
	said   upstock.Order
	faults []upstock.FieldError
}

func documentOf(body []byte) *document { return &document{body: body} }

// read returns the order as far as it can be read, and what of it cannot be.
func (d *document) read() (upstock.Order, []upstock.FieldError) {
	if !d.parsed {
		raw := d.body
		if !d.bare {
			if e, err := upstock.ParseEvent(d.body); err == nil {
				raw = e.RawOrder
			}
		}
		d.parsed = true
		d.said, d.faults = upstock.ParseOrder(raw)
	}
	return d.said, d.faults
}

// order is the order as far as it can be read.
func (d *document) order() upstock.Order {
	o, _ := d.read()
	return o
}
