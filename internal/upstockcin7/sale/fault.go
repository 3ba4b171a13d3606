package sale

import (
	"fmt"
	"strings"

	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
)

// faults turns unreadable fields into problems, or into remarks where a sale can be made rightly without them; whole
// reports that the order as such cannot be read.
func (p *planner) faults(faults []upstock.FieldError) (whole bool) {
	for _, f := range faults {
		if f.Field == "" {
			p.problem(0, "unreadable", "The order "+prose.Within(f.Message, 100)+".", correctOrder)
			return true
		}
		p.fault(f.Field, prose.Within(f.Message, 100))
	}
	return false
}

func (p *planner) fault(path, what string) {
	var i int
	var field string
	n, _ := fmt.Sscanf(path, "lines[%d].%s", &i, &field)
	inLine, lineItself := n == 2, n == 1
	if p.faulty[path] || n > 0 && p.unreadable("lines[%d]", i) {
		return
	}
	p.faulty[path] = true
	switch line := i + 1; {
	case lineItself:
		p.problem(line, "unreadable", fmt.Sprintf("Line %d %s.", line, what), correctOrder)
	case inLine && !neededOfLine(field):
		p.sayLine(line, fmt.Sprintf("the %s %s, and was left out.", prose.Within(field, 60), what))
	case inLine:
		code, name := lineFault(field)
		p.problem(line, code, fmt.Sprintf("Line %d: the %s %s.", line, prose.Within(name, 60), what), correctOrder)
	case !needed(path):
		p.say("The order's field %s %s, and was left out.", prose.Within(path, 80), what)
	default:
		code, name := p.orderFault(path)
		p.problem(0, code, fmt.Sprintf("The order's %s %s.", prose.Within(name, 80), what), correctOrder)
	}
}

// lineFault is the code of the problem that a line's field cannot be read, and what the field is called in it.
func lineFault(field string) (code, name string) {
	switch field {
	case "quantity":
		return "quantity", "quantity"
	case "unitPrice":
		return "price", "unit price"
	case "discountPercent":
		return "discount", "discount"
	case "taxRate":
		return "taxRate", "tax rate"
	}
	return "unreadable", field
}

// orderFault is lineFault of the order's other fields.
func (p *planner) orderFault(field string) (code, name string) {
	switch {
	case field == "lines" && len(p.o.Lines) > 0:
		return "tooLarge", "list of lines"
	case field == "lines":
		return "noLines", "list of lines"
	case field == "freight.amount", field == "freight.taxRate":
		return "freight", field
	}
	return "unreadable", field
}

// needed reports whether a sale could not be made rightly without a field of the order.
func needed(field string) bool {
	top, below, _ := strings.Cut(field, ".")
	top, _, _ = strings.Cut(top, "[")
	switch top {
	case "orderNumber", "reference", "orderDate", "deliveryDate", "customFields", "comments", "shipments":
		return false
	case "customer": // a linked one's id and name too: with them unreadable, the link may be another customer's
		return below != "email" && below != "phone"
	case "deliveryAddress":
		return below != "company" && below != "contact"
	case "freight":
		return below != "description"
	case "totals":
		return below != "subtotal" && below != "tax"
	}
	return true
}

// neededOfLine is needed, of a line. Of its product either the id or the SKU is enough, and that neither is there is
// said where it is looked for.
func neededOfLine(field string) bool {
	switch field {
	case "id", "name", "comment", "productExternalId", "sku":
		return false
	}
	return true
}

// unreadable reports whether a field cannot be read; there is a problem of it, or a remark, already.
func (p *planner) unreadable(format string, args ...any) bool {
	return len(p.faulty) > 0 && p.faulty[fmt.Sprintf(format, args...)]
}

// unreadableBelow reports whether a field, or one below it that is needed, cannot be read.
func (p *planner) unreadableBelow(field string) bool {
	for f := range p.faulty {
		below := strings.HasPrefix(f, field+".") || strings.HasPrefix(f, field+"[")
		if f == field || below && (needed(f) || field == "customFields") {
			return true
		}
	}
	return false
}
