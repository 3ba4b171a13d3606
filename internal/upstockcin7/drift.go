package upstockcin7

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/upstockcin7/sale"
)

// What a tenant has chosen drifts: a tax rule is renamed in Cin7 Core, a location deprecated, a linked customer
// deleted. After each reading of the account's records, every setting and link is compared with them, and what does
// not fit any more is said before the next order meets it. What is not known says nothing: neither a mirror that was
// never read whole, nor a link that was made since it was read.

// Finding is one thing that a tenant has chosen and that the Cin7 Core account does not have any more, or cannot use.
type Finding struct {
	About string // AboutSetting, or the kind of a link
	Name  string // the setting, as taxRules.<percent>; of a link what it leads from: Upstock's id, or the SKU
	Text  string // what does not fit
	Fix   string
	Since time.Time // when it was first seen; zero = nobody has looked since
}

// AboutSetting is what a finding about a setting is about.
const AboutSetting = "setting"

// driftDoc is the document of what the last look found.
const driftDoc = "drift"

// mostDrifted bounds how many findings about links are kept; the others are counted.
const mostDrifted = 100

// drift is what the last look found.
type drift struct {
	Account string    `json:"account"` // of Cin7 Core
	Found   []drifted `json:"found,omitempty"`
	More    int       `json:"more,omitempty"` // findings about links that are not kept

	// Ready is when the records were read that the last whole pass stood on, healing included.
	Ready time.Time `json:"ready,omitzero"`
}

// drifted is a finding as it is kept: what it says is put into words anew, for it may be mended meanwhile.
type drifted struct {
	About string    `json:"about"`
	Name  string    `json:"name"`         // of a link: its key
	To    string    `json:"to,omitempty"` // of a link: where it leads
	Text  string    `json:"text"`         // as it was first said
	Since time.Time `json:"since"`
}

func (d drifted) same(o drifted) bool { return d.About == o.About && d.Name == o.Name && d.To == o.To }

// lookForDrift is the job after a reading of the account's records. It compares settings and links with them, and has
// the orders go on that needed a person for what is put right there.
func (p *Pair) lookForDrift(ctx context.Context, part *job.Part) error {
	b := part.Bundle
	if unread(b) != "" {
		return nil
	}
	var place healing
	if _, err := p.Ledger.Doc(ctx, part.Tenant, healingDoc, &place); err != nil {
		return err
	}
	if place.goesOn(b) { // the part before compared them
		return p.heal(ctx, part, place)
	}
	if err := p.compareChoices(ctx, b); err != nil {
		return err
	}
	return p.heal(ctx, part, healing{})
}

// compareChoices compares what the tenant has chosen with the account's records. It writes where that has changed, and
// the events that tell of it with it.
func (p *Pair) compareChoices(ctx context.Context, b tenant.Bundle) error {
	now := drift{Account: b.Connections[tenant.Cin7Core].Account}
	faults, err := p.lostSettings(ctx, b)
	if err != nil {
		return err
	}
	for _, f := range faults {
		now.Found = append(now.Found, drifted{About: AboutSetting, Name: f.Field, Text: f.Message})
	}
	for _, kind := range []string{sale.CustomerLinks, sale.ProductLinks} {
		if err := p.compareLinks(ctx, b, kind, &now); err != nil {
			return err
		}
	}
	at := p.Now().UTC().Truncate(time.Second)
	_, err = ledger.ChangeDocSaying(ctx, p.Ledger, b.Tenant.ID, driftDoc,
		func(d *drift) (bool, []ledger.Event, error) {
			next, came, gone := d.after(now, at)
			changed := !slices.EqualFunc(d.Found, next.Found, drifted.same) || d.Account != next.Account ||
				d.More != next.More
			*d = next
			return changed, driftEvents(came, gone), nil
		})
	return err
}

// after is what is known after another look, what of it is new, and what is gone. Where links were found that are not
// kept, what is kept now may be one of them, and no news; where there are such now, what is kept no more may be one.
func (d drift) after(now drift, at time.Time) (next drift, came, gone []drifted) {
	old, uncounted := d.Found, d.More > 0
	if d.Account != now.Account { // it says nothing of another account
		old, uncounted = nil, false
	}
	next = now
	next.Ready = d.Ready
	next.Found = slices.Clone(now.Found)
	for i, f := range next.Found {
		if n := slices.IndexFunc(old, f.same); n >= 0 {
			next.Found[i] = old[n]
			continue
		}
		next.Found[i].Since = at
		if !uncounted || f.About == AboutSetting {
			came = append(came, next.Found[i])
		}
	}
	for _, f := range old {
		if !slices.ContainsFunc(next.Found, f.same) && (now.More == 0 || f.About == AboutSetting) {
			gone = append(gone, f)
		}
	}
	return next, came, gone
}

// driftEvents tell of what does not fit any more, and of what fits again.
func driftEvents(came, gone []drifted) (list []ledger.Event) {
	say := func(some []drifted, begins string) {
		if len(some) > 0 {
			list = append(list, ledger.Event{Kind: "drift", Text: begins + textsOf(some), Count: len(some)})
		}
	}
	say(came, "What is chosen here does not fit Cin7 Core any more. ")
	say(gone, "What is chosen here fits Cin7 Core again. It was: ")
	return list
}

// textsOf are the first of several findings, in sentences.
func textsOf(some []drifted) string {
	const most = 3
	var texts []string
	for _, f := range some[:min(len(some), most)] {
		texts = append(texts, prose.Short(f.Text))
	}
	if rest := len(some) - most; rest > 0 {
		texts = append(texts, fmt.Sprintf("And %d more.", rest))
	}
	return strings.Join(texts, " ")
}

// compareLinks adds the links of a kind that lead nowhere any more, or to what cannot be sold.
func (p *Pair) compareLinks(ctx context.Context, b tenant.Bundle, kind string, found *drift) error {
	who := supplierAt(b.Connections[tenant.Upstock])
	for after := ""; ; {
		links, next, err := p.Ledger.ListLinks(ctx, b.Tenant.ID, kind, after, 100)
		if err != nil {
			return err
		}
		links = slices.DeleteFunc(links, func(l ledger.Linked) bool { return !who.owns(l.From) })
		records, err := p.recordsLinked(ctx, b.Tenant.ID, kind, links)
		if err != nil {
			return err
		}
		for _, l := range links {
			text, _ := linkFault(kind, l, records[reference.ID(l.ID)], MirrorOf(b))
			switch {
			case text == "":
			case len(found.Found) < mostDrifted:
				found.Found = append(found.Found, drifted{About: kind, Name: l.From, To: l.ID, Text: text})
			default:
				found.More++
			}
		}
		if after = next; next == "" {
			return nil
		}
	}
}

// owns reports whether the key of a link or an order is one of the supplier's.
func (s supplier) owns(key string) bool {
	whose, _, other := strings.Cut(key, ":")
	if !other {
		return s.id == s.first
	}
	return whose == s.id && s.id != s.first
}

// linked is a record that a link leads to, as the mirror has it; the zero one where it has none.
type linked struct {
	label string
	is    string // why nothing can be sold to it, or of it, as the end of a sentence; "" = nothing stands against it
}

// recordsLinked are the records that links lead to, by id.
func (p *Pair) recordsLinked(
	ctx context.Context, tenantID, kind string, links []ledger.Linked,
) (map[string]linked, error) {
	ids := make([]string, len(links))
	for i, l := range links {
		ids[i] = l.ID
	}
	found := map[string]linked{}
	if kind == sale.ProductLinks {
		list, err := reference.Products(ctx, p.Mirror, tenantID, ids...)
		for _, x := range list {
			found[reference.ID(x.ID)] = linkedProduct(x)
		}
		return found, err
	}
	list, err := reference.Customers(ctx, p.Mirror, tenantID, ids...)
	for _, x := range list {
		l := linked{label: prose.Quote(x.Name)}
		if x.Status.Is(cin7core.Deprecated) {
			l.is = "is deprecated"
		}
		found[reference.ID(x.ID)] = l
	}
	return found, err
}

func linkedProduct(x cin7core.Product) linked {
	l := linked{label: prose.Quote(productLabel(x))}
	switch {
	case x.Status.Is(cin7core.Deprecated):
		l.is = "is deprecated"
	case !x.CanSell():
		l.is = "is not for sale"
	}
	return l
}

// linkFault says what is wrong with a link, as the mirror has its record, and what mends it; "" = nothing is, or that
// cannot be told: what was linked since the mirror was read may be newer than it is.
func linkFault(kind string, l ledger.Linked, to linked, read mirror.State) (text, fix string) {
	who := "Upstock's customer "
	if kind == sale.ProductLinks {
		who = "The SKU "
	}
	who += prose.Quote(cmp.Or(l.Name, linkFrom(kind, l)))
	switch {
	case to.is != "":
		return who + " is linked to " + to.label + ", which " + to.is + " in Cin7 Core.",
			"Put that right in Cin7 Core, choose another " + kind + ", or forget the link."
	case to.label == "" && l.At.Before(read.Started):
		return who + " is linked to a " + kind + " that Cin7 Core does not have any more.",
			"Choose another " + kind + ", or forget the link: the " + kind + " is looked for by name then."
	}
	return "", ""
}

// linkFrom is what a link leads from, as Pair.SetLink takes it: Upstock's id of the customer, or the SKU.
func linkFrom(kind string, l ledger.Linked) string {
	from := l.From
	if _, rest, other := strings.Cut(from, ":"); other {
		from = rest
	}
	if kind != sale.ProductLinks {
		return from
	}
	if plain, err := url.QueryUnescape(from); err == nil {
		from = plain
	}
	return cmp.Or(l.Name, from)
}

// Drift lists what a tenant has chosen and Cin7 Core does not have any more, as the mirror has it now: settings, and
// those links that the last look found and that are as they were. more is how many links there are beside them. It
// says nothing while the account's records are not read.
func (p *Pair) Drift(ctx context.Context, b tenant.Bundle) (list []Finding, more int, err error) {
	if unread(b) != "" {
		return nil, 0, nil
	}
	var d drift
	if _, err := p.Ledger.Doc(ctx, b.Tenant.ID, driftDoc, &d); err != nil {
		return nil, 0, err
	}
	if d.Account != b.Connections[tenant.Cin7Core].Account {
		d = drift{}
	}
	faults, err := p.lostSettings(ctx, b)
	if err != nil {
		return nil, 0, err
	}
	for _, f := range faults {
		finding := Finding{About: AboutSetting, Name: f.Field, Text: f.Message,
			Fix: "Choose another one in the settings, or put it right in Cin7 Core."}
		if i := slices.IndexFunc(d.Found, drifted{About: AboutSetting, Name: f.Field}.same); i >= 0 {
			finding.Since = d.Found[i].Since
		}
		list = append(list, finding)
	}
	for _, kind := range []string{sale.CustomerLinks, sale.ProductLinks} {
		some, err := p.driftedLinks(ctx, b, kind, d)
		if err != nil {
			return nil, 0, err
		}
		list = append(list, some...)
	}
	return list, d.More, nil
}

// driftedLinks are the findings about links of a kind that still hold.
func (p *Pair) driftedLinks(ctx context.Context, b tenant.Bundle, kind string, d drift) (list []Finding, err error) {
	var keys []string
	for _, f := range d.Found {
		if f.About == kind {
			keys = append(keys, f.Name)
		}
	}
	if len(keys) == 0 {
		return nil, nil
	}
	now, err := p.Ledger.Links(ctx, b.Tenant.ID, kind, keys...)
	if err != nil {
		return nil, err
	}
	who := supplierAt(b.Connections[tenant.Upstock])
	var links []ledger.Linked
	for _, key := range keys {
		if to, ok := now[key]; ok && who.owns(key) {
			links = append(links, ledger.Linked{From: key, Link: to})
		}
	}
	records, err := p.recordsLinked(ctx, b.Tenant.ID, kind, links)
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		i := slices.IndexFunc(d.Found, drifted{About: kind, Name: l.From, To: l.ID}.same)
		text, fix := linkFault(kind, l, records[reference.ID(l.ID)], MirrorOf(b))
		if i >= 0 && text != "" {
			list = append(list,
				Finding{About: kind, Name: linkFrom(kind, l), Text: text, Fix: fix, Since: d.Found[i].Since})
		}
	}
	return list, nil
}
