package upstockcin7

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
)

// Outdated reports whether a job's problem was that a key was refused which has been replaced since.
func Outdated(b tenant.Bundle, problem string) bool {
	for sys, c := range b.Connections {
		if problem == sys.KeyRefused() && c.State == tenant.Connected {
			return true
		}
	}
	return false
}

// savedKeys is what a person changed of a connection.
type savedKeys struct {
	first, key, account, secret bool
	lost                        bool // the stored ones cannot be opened: whether the key is another one is not known
	firstSecret                 bool // there was none that anything could be signed with
}

// text says it as an event.
func (k savedKeys) text(sys tenant.System, name string) string {
	who := sys.Title()
	var said []string
	switch {
	case k.first:
		said = append(said, who+" was connected ("+name+").")
	case k.account:
		said = append(said, who+" was connected to another account ("+name+"). Orders begun in the one before stay with that one; others that waited for a key of "+who+" go on.")
	case k.lost:
		said = append(said, "The key of "+who+" was saved again; what waited for it goes on.")
		if sys == tenant.Upstock {
			said = append(said, "The webhook URL is a new one: paste it into Upstock (Settings > Webhooks).")
		}
	case k.key:
		said = append(said, "The key of "+who+" was replaced; what waited for it goes on.")
	}
	switch {
	case k.firstSecret:
		said = append(said, "The webhook secret of "+who+" was saved.")
	case k.secret:
		said = append(said, "The webhook secret of "+who+" was replaced; the old one is good for a day more.")
	}
	if len(said) == 0 {
		said = append(said, "The key of "+who+" was tested again: it works.")
	}
	return strings.Join(said, " ")
}

// Notes are what a person should know of a connection as it is now, a sentence
// each: what was noticed when it was made or its account's books were read, and what its secrets lack.
//
// url is the webhook URL to paste into Upstock, "" for another system. now is the
// connection as it is then: it is marked where its secrets cannot be opened.
func (p *Pair) Notes(ctx context.Context, b tenant.Bundle, c tenant.Connection) (now tenant.Connection, notes []string, url string, err error) {
	notes = append([]string{}, c.Warnings...)
	if c.System != tenant.Upstock {
		return c, notes, "", nil
	}
	s, err := p.secrets(ctx, c)
	if errors.Is(err, tenant.ErrSealed) {
		if now, err = p.Tenants.Connection(ctx, c.Tenant, c.System); errors.Is(err, tenant.ErrNotFound) {
			now, err = c, nil
		}
		return now, append(notes, whyUnsealed(c.System)), "", err
	}
	if err != nil {
		return c, notes, "", err
	}
	if n := webhookKey(s.Webhook); s.Webhook != "" && n < leastWebhookKey {
		notes = append(notes, fmt.Sprintf("The webhook secret that is saved is too short: %d bytes, where %d are the least. Let Upstock make a new one (Settings > Webhooks), and save it here; until then it is good.", n, leastWebhookKey))
		if n == 0 {
			notes[len(notes)-1] = "The webhook secret that is saved is empty, so what Upstock delivers is refused. Let Upstock make a new one (Settings > Webhooks), and save it here."
		}
	}
	if s.Webhook == "" {
		list := fmt.Sprintf("approved orders are found in its list only, up to %.0f minutes late", Every()[JobReconcile].Minutes())
		if c.State != tenant.Connected || b.Ready(tenant.Cin7Core) != "" {
			list = "its list of approved orders is not read until both systems are connected"
		}
		notes = append(notes, "No webhook secret is saved, so what Upstock delivers is refused, and "+list+". Paste the webhook URL into Upstock (Settings > Webhooks), and save the secret that Upstock then shows.")
	}
	return c, notes, p.webhookURL(c.System, s), nil
}

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
func WhyNow(b tenant.Bundle, r *ledger.Run) string {
	_, hasUp := b.Connections[tenant.Upstock]
	core, hasCore := b.Connections[tenant.Cin7Core]
	sold := !r.SoldAt.IsZero()
	if r.Why == whyReading {
		switch {
		case b.Ready(tenant.Cin7Core) != "":
			return parkedWhy(b, tenant.Cin7Core, sold)
		case !core.Mirror.Ready.IsZero():
			return "Cin7 Core's records are read" + goesOn
		}
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
func awaitedSystem(r *ledger.Run) tenant.System {
	if name, _, ok := strings.Cut(r.Awaits, ":"); r.Parked && ok {
		return tenant.System(name)
	}
	if r.Parked && r.Needs != "" {
		return r.Needs
	}
	for _, s := range []tenant.System{tenant.Upstock, tenant.Cin7Core} { // one that does other things meanwhile is not parked
		if s.SaysLack(r.Why) {
			return s
		}
	}
	return ""
}

// clockText is an instant for people, in the tenant's zone, which it names.
func clockText(b tenant.Bundle, t time.Time) string {
	zone, err := time.LoadLocation(b.Tenant.TimeZone)
	if err != nil || b.Tenant.TimeZone == "" {
		zone = time.UTC
	}
	return t.In(zone).Format("2 January 15:04") + " (" + zone.String() + ")"
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
	if b.Connections[tenant.Cin7Core].Mirror.Ready.IsZero() {
		pr.Fix = "Wait until they are read; health says how far that is."
	}
	return pr
}

// cardAddress is the address of that id on a customer's card, as the mirror has it.
func (p *Pair) cardAddress(ctx context.Context, tenantID, customer, id string) (*cin7core.CustomerAddress, error) {
	if id == "" {
		return nil, nil
	}
	rows, _, err := p.Mirror.Find(ctx, tenantID, []mirror.Key{{Kind: customerRows, ID: rowID(customer)}})
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	cards, err := readRow([]cin7core.Customer(nil), rows[0])
	if err != nil {
		return nil, err
	}
	for i := range cards[0].Addresses {
		if a := &cards[0].Addresses[i]; strings.EqualFold(a.ID, id) {
			return a, nil
		}
	}
	return nil, nil
}
