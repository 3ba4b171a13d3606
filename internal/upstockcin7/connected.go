package upstockcin7

import (
	"cmp"
	"context"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/order"
	"stockbridge/internal/upstockcin7/reference"
)

const (
	goesOn  = ", and the order goes on by itself."
	saveKey = " Save a new key" + goesOn
)

// parkedWhy is why an order waits for a connection as it is now. The other one is
// named too where the order could not go on without it.
func parkedWhy(b tenant.Bundle, sys tenant.System, sold bool) string {
	var needed []*tenant.Lack
	for _, l := range b.Lacks(tenant.Upstock, tenant.Cin7Core) {
		c, known := b.Connections[l.System]
		refused := known && !c.Unsealed() // else not even a client can be made
		if !refused || l.System == sys || l.System == tenant.Cin7Core && !sold {
			needed = append(needed, l)
		}
	}
	switch len(needed) {
	case 0:
		return sys.Title() + " is connected again" + goesOn
	case 2:
		return needed[0].String() + " " + needed[1].String() + " The order goes on by itself when both are connected."
	}
	l := needed[0]
	if c := b.Connections[l.System]; c.Unsealed() { // its reason says what to do
		return l.String() + " The order goes on by itself then."
	}
	return l.String() + " " + l.Do + goesOn
}

// WhyNow is what an order waits for, true of the connections as they are: what
// was noted when it was last worked on may be over since.
func WhyNow(b tenant.Bundle, r *order.Order) string {
	_, hasUp := b.Connections[tenant.Upstock]
	core, hasCore := b.Connections[tenant.Cin7Core]
	sold := !r.SoldAt.IsZero()
	if r.Why == whyReading {
		switch {
		case b.Ready(tenant.Cin7Core) != "":
			return parkedWhy(b, tenant.Cin7Core, sold)
		case !mirror.Progress.Of(core).Ready.IsZero():
			return "Cin7 Core's records are read" + goesOn
		}
	}
	f := r.HeldBack()
	if f == "" && strings.HasPrefix(r.Why, pausedBy) { // it is not parked, as it does other things meanwhile
		f = order.ShipmentsFlow
	}
	if f != "" {
		return cmp.Or(FlowPaused(b, f), "The pause is over"+goesOn)
	}
	sys := awaitedSystem(r)
	if r.Why == "" || sys == "" {
		return r.Why
	}
	before := ""
	if lack := b.Lack(tenant.Cin7Core); lack != nil && (!hasCore || !sold) {
		before = lack.String() + " "
	}
	awaited := "" // an account
	if r.Parked {
		_, awaited, _ = strings.Cut(r.Awaits, ":")
	}
	switch other := otherCompany(b, r.Supplier); {
	case other != nil:
		return before + other.Error()
	case awaited == "" && sys == tenant.Cin7Core && hasCore && r.Account != "" && r.Account != core.Account:
		return "The order was begun in another Cin7 Core account than the one connected now."
	case awaited == "" || awaited == b.Connections[sys].Account:
		return parkedWhy(b, sys, sold)
	case sys == tenant.Upstock && !hasUp:
		return before + b.Lack(sys).State + " Connect " + companyName(b, awaited) + " again" + goesOn
	case sys == tenant.Cin7Core && !hasCore:
		return b.Lack(sys).State + " Connect " + coreName(b, awaited) + " again" + goesOn
	}
	return r.Why
}

// awaitedSystem is the system whose connection an order waits for; "" = for something else.
func awaitedSystem(r *order.Order) tenant.System {
	if name, _, ok := strings.Cut(r.Awaits, ":"); r.Parked && ok {
		return tenant.System(name)
	}
	if r.Parked && r.Needs != "" {
		return r.Needs
	}
	// one that does other things meanwhile is not parked
	for _, s := range []tenant.System{tenant.Upstock, tenant.Cin7Core} {
		if s.SaysLack(r.Why) {
			return s
		}
	}
	return ""
}

// previewProblem is why an order cannot be planned now, true of the connections as they are.
func previewProblem(b tenant.Bundle, err error) ledger.Problem {
	pr := ledger.Problem{Code: "notReady", Message: err.Error(), Fix: "Try again in a minute."}
	switch e := err.(type) {
	case *ledger.Later:
		pr.Message = e.Why
	case *ledger.Park:
		pr.Message = e.Why
	}
	if lack := b.Lack(tenant.Cin7Core, tenant.Upstock); lack != nil {
		pr.Message, pr.Fix = lack.String(), lack.Fix
		return pr
	}
	if mirror.Progress.Of(b.Connections[tenant.Cin7Core]).Ready.IsZero() {
		pr.Fix = "Wait until they are read; health says how far that is."
	}
	return pr
}

// cardAddress is the address of that id on a customer's card, as the mirror has it.
func (p *Pair) cardAddress(ctx context.Context, tenantID, customer, id string) (*cin7core.CustomerAddress, error) {
	if id == "" {
		return nil, nil
	}
	cards, err := reference.Customers(ctx, p.Mirror, tenantID, customer)
	if err != nil || len(cards) == 0 {
		return nil, err
	}
	for i := range cards[0].Addresses {
		if a := &cards[0].Addresses[i]; strings.EqualFold(a.ID, id) {
			return a, nil
		}
	}
	return nil, nil
}
