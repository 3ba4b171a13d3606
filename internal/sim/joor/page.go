package joor

import (
	"embed"
	"errors"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/sim"
)

//go:embed page.html
var files embed.FS

var pageTemplate = sync.OnceValue(func() *template.Template { return sim.Template(files, "page.html") })

// pageData is what an account's page shows: of the connections the first in which occurs what is looked for, and how
// many there are.
type pageData struct {
	sim.Frame
	InReview      []connectionView
	OfInReview    int
	Connections   []connectionView
	OfConnections int
	Jobs          []jobView
	Labels        string // a line each
	Calls         []sim.Call
	Left, Over    int
}

type connectionView struct {
	document
	Key    string
	Until  time.Time
	Street street
	Prices string
}

type jobView struct {
	shownJob
	Refused []result
	Open    bool
}

func (v *Vendor) page(n int, f sim.Frame) any {
	p := &pageData{Frame: f, Calls: sim.LastOf(v.sim.Calls(sim.JOOR, f.Account.JOOR.Account))}
	v.sim.Lock()
	defer v.sim.Unlock()
	b := v.brands[n-1]
	b.settle(time.Now())
	var there []*connection
	for _, x := range b.all {
		if x.Review == nil {
			there = append(there, x)
		}
	}
	texts := func(x *connection) []string {
		return []string{x.CustomerAlias, x.CustomerContactName, string(x.CustomerCode), string(x.CustomerContactEmail)}
	}
	views := func(rows []*connection) (out []connectionView, all int) {
		rows, all = sim.Found(rows, f.Q, texts)
		for _, x := range rows {
			out = append(out, b.view(x))
		}
		return out, all
	}
	p.InReview, p.OfInReview = views(b.inReview())
	p.Connections, p.OfConnections = views(there)
	for _, j := range sim.LastOf(b.jobs) {
		x := jobView{shownJob: j.shown(), Open: j.Done < j.Count}
		for _, r := range x.Results {
			if r.Outcome == "refused" {
				x.Refused = append(x.Refused, r)
			}
		}
		p.Jobs = append(p.Jobs, x)
	}
	for _, l := range b.PriceLabels {
		p.Labels += l.Currency + " " + l.Label + "\n"
	}
	p.Left, p.Over = b.seat.Unspent(credits, window)
	return p
}

func (b *brand) view(x *connection) connectionView {
	out := connectionView{document: x.document, Key: keyOf(x)}
	if x.Review != nil {
		out.Until = b.until(x.Review)
	}
	switch {
	case len(x.Shipping.ShippingAddresses) > 0:
		out.Street = x.Shipping.ShippingAddresses[0].street
	case len(x.Billing.BillingAddresses) > 0:
		out.Street = x.Billing.BillingAddresses[0].street
	}
	var prices []string
	for _, t := range x.PriceTypes {
		prices = append(prices, t.PriceCurrency+" "+t.PriceLabel)
	}
	out.Prices = strings.Join(prices, ", ")
	return out
}

// press does what a button or form of an account's page asks for.
func (v *Vendor) press(n int, id, do string, r *http.Request) error {
	v.sim.Lock()
	defer v.sim.Unlock()
	if n < 1 || n > len(v.brands) {
		return sim.NotFound("Account")
	}
	b := v.brands[n-1]
	b.settle(time.Now())
	switch do {
	case "accept", "reject":
		if id == "all" {
			b.review(nil, true, do == "accept")
			return nil
		}
		return b.pressReview(id, do == "accept")
	case "labels":
		return b.pressLabels(r.FormValue("labels"))
	case "edit":
		return b.pressEdit(id, r)
	case "delete":
		x := b.keyed(id)
		if x == nil {
			return sim.NotFound("Connection")
		}
		b.drop(x)
		return nil
	case "stall", "resume":
		_, err := b.pressJob(id, do)
		return err
	}
	return sim.NotFound("Action")
}

// pressReview decides about one that is in review.
func (b *brand) pressReview(id string, accept bool) error {
	x := b.keyed(id)
	switch {
	case x == nil || x.Review == nil:
		return sim.NotFound("Connection in review")
	case accept:
		b.accept(x)
	default:
		b.drop(x)
	}
	return nil
}

// pressLabels replaces the price labels by lines of a currency and a label each.
func (b *brand) pressLabels(text string) error {
	var all []label
	for line := range strings.Lines(text) {
		currency, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch l := (label{strings.ToUpper(currency), strings.TrimSpace(name)}); {
		case currency == "":
		case len(currency) != 3 || l.Label == "":
			return errors.New("a line is a currency and a label, as NZD Wholesale")
		case slices.Contains(all, l):
			return errors.New("a currency and a label together are there once")
		default:
			all = append(all, l)
		}
	}
	b.PriceLabels = all
	b.seat.Changed()
	return nil
}

// pressEdit changes what people at JOOR change of a connection.
func (b *brand) pressEdit(id string, r *http.Request) error {
	x := b.keyed(id)
	if x == nil {
		return sim.NotFound("Connection")
	}
	code := strings.TrimSpace(r.FormValue("code"))
	if other := b.coded(code); code != "" && other != nil && other != x {
		return errors.New("that code is another connection's")
	}
	b.codes.Move(codeKey(string(x.CustomerCode)), codeKey(code), x)
	x.CustomerCode, x.CustomerAlias = opt(code), r.FormValue("name")
	x.CustomerContactEmail, x.CustomerBuyerName = opt(r.FormValue("email")), opt(r.FormValue("buyer"))
	b.seat.Changed(x)
	return nil
}

func keyOf(x *connection) string { return strconv.Itoa(x.Key) }

// keyed returns the connection of a row's key; nil = there is none.
func (b *brand) keyed(key string) *connection {
	n, err := strconv.Atoi(key)
	if err != nil {
		return nil
	}
	return b.keys[n]
}
