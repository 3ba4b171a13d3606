package main

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"stockbridge/internal/issuer"
	"stockbridge/internal/prose"
	"stockbridge/internal/signin"
	"stockbridge/internal/sim"
)

// brandName is the demo's brand, which has Cin7 Omni and JOOR.
const brandName = "Kauri Apparel"

// brandStory tells how a brand's customers get from Cin7 Omni into JOOR.
type brandStory struct {
	*demo
	tenant string // its path in the API
	acc    sim.Account
}

// printBrand has a brand's customers matched with JOOR's connections, uploaded, reviewed and updated, and prints what
// JOOR has then.
func (d *demo) printBrand(ctx context.Context) error {
	d.say("\n7. A brand has its customers from Cin7 Omni in JOOR.")
	b := &brandStory{demo: d}
	for _, step := range []func(context.Context) error{b.connect, b.match, b.upload, b.review, b.update,
		b.uploadAgain} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// brandPeople adds somebody who can sign in to the brand, where there is one.
func (d *demo) brandPeople(ctx context.Context) error {
	id, err := d.findTenant(ctx, brandName)
	if err != nil || id == "" {
		return err
	}
	return d.person(ctx, issuer.Person{Name: "Mia (sales manager of " + brandName + ")", Role: string(signin.Admin),
		Email: "mia@example.com", Tenants: []string{id}})
}

// connect makes the brand, connects both systems, switches on what may be sent, and has Cin7 Omni read.
func (b *brandStory) connect(ctx context.Context) (err error) {
	if b.acc, err = b.account(ctx, brandName); err != nil {
		return err
	}
	id, err := b.findTenant(ctx, brandName)
	if err != nil {
		return err
	}
	if id == "" {
		var made struct{ ID string }
		in := map[string]string{"name": brandName, "timeZone": "Pacific/Auckland"}
		if err := b.api.call(ctx, http.MethodPost, "/api/v1/tenants", in, &made); err != nil {
			return err
		}
		id = made.ID
	}
	b.tenant = "/api/v1/tenants/" + id
	if err := b.brandPeople(ctx); err != nil {
		return err
	}
	if err := connectBrand(ctx, b.api, b.tenant, b.acc); err != nil {
		return err
	}
	b.say("   Made the tenant %s, connected Cin7 Omni (%s) and JOOR (account %s).", brandName, b.acc.Cin7Omni.Username,
		b.acc.JOOR.Account)
	if _, err := b.follow(ctx, b.tenant, "sync/contacts", nil); err != nil {
		return err
	}
	all, err := b.list(ctx, "upload")
	if err == nil {
		b.say("   => Cin7 Omni has %d active customers, and none is known to be in JOOR.", len(all))
	}
	return err
}

// connectBrand connects Cin7 Omni and JOOR, and sets what may be sent and which price label a price column has.
func connectBrand(ctx context.Context, api client, tenant string, acc sim.Account) error {
	for system, keys := range map[string]any{"cin7omni": acc.Cin7Omni, "joor": acc.JOOR} {
		if err := api.call(ctx, http.MethodPut, tenant+"/connections/"+system, keys, nil); err != nil {
			return err
		}
	}
	prices := map[string]any{}
	for column, label := range map[string][2]string{"WholesalePrice": {"NZD", "Wholesale"},
		"RetailPrice": {"NZD", "Retail"}, "WholesaleAUD": {"AUD", "WholesaleAUD"},
		"WholesaleUSD": {"USD", "WholesaleUSD"}} {
		prices[column] = map[string]string{"currency": label[0], "label": label[1]}
	}
	return api.call(ctx, http.MethodPatch, tenant+"/settings",
		map[string]any{"joorUpload": true, "joorUpdate": true, "joorPrices": prices}, nil)
}

// brandCustomer is a customer in one of the lists.
type brandCustomer struct {
	ID            int64
	Company, Name string
	State, Why    string
	Due           *time.Time
}

// list is one of the lists of customers.
func (b *brandStory) list(ctx context.Context, name string) (all []brandCustomer, err error) {
	for after := ""; ; {
		var page struct {
			Items []brandCustomer
			Next  *string
		}
		path := b.tenant + "/joor/customers?" + url.Values{"list": {name}, "limit": {"100"}, "after": {after}}.Encode()
		if err := b.api.call(ctx, http.MethodGet, path, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if after = *cmp.Or(page.Next, new(string)); after == "" {
			return all, nil
		}
	}
}

// leftOut is how many of a list cannot be sent as they are.
func leftOut(list []brandCustomer) (n int) {
	for _, c := range list {
		if c.State == "leftOut" {
			n++
		}
	}
	return n
}

// connection is one of JOOR's, as the simulator has it.
type connection struct {
	Code   string `json:"customer_code"`
	Review bool   `json:"review"`
}

func (b *brandStory) connections(ctx context.Context) ([]connection, error) {
	var all struct{ Items []connection }
	err := b.sim.call(ctx, http.MethodGet, "/sim/joor/connections?account="+b.acc.JOOR.Account, nil, &all)
	return all.Items, err
}

// match finds out whom of the customers JOOR has already.
func (b *brandStory) match(ctx context.Context) error {
	read, err := b.follow(ctx, b.tenant, "joor/contacts/download", nil)
	if err != nil {
		return err
	}
	if _, err = b.follow(ctx, b.tenant, "joor/matches", map[string]bool{"find": true}); err != nil {
		return err
	}
	var matches struct {
		Items []struct {
			Contact    struct{ Company string }
			Connection *struct{ Name string }
			Sure       bool
			Reasons    []string
		}
		Counts map[string]int
	}
	if err := b.api.call(ctx, http.MethodGet, b.tenant+"/joor/matches?limit=100", nil, &matches); err != nil {
		return err
	}
	b.say("   => JOOR has %d connections: %d customers may be there already, %d are sure.", read.Result["connections"],
		matches.Counts["proposed"], matches.Counts["sure"])
	for _, m := range matches.Items[:min(len(matches.Items), 4)] {
		if m.Connection != nil && len(m.Reasons) > 0 {
			b.say("      - %s, in JOOR %s: %s", m.Contact.Company, m.Connection.Name, m.Reasons[0])
		}
	}
	var decided struct{ Accepted int }
	b.say("   …         POST …/joor/matches, all that are sure")
	if err := b.api.call(ctx, http.MethodPost, b.tenant+"/joor/matches", map[string]bool{"sure": true},
		&decided); err != nil {
		return err
	}
	b.say("   => %d are linked.", decided.Accepted)
	return nil
}

// upload sends all that are new to JOOR.
func (b *brandStory) upload(ctx context.Context) error {
	done, err := b.follow(ctx, b.tenant, "joor/upload", map[string]bool{"all": true})
	if err != nil {
		return err
	}
	b.say("   => uploaded: %d are in JOOR's review, %d were left out, such as:", done.Result["inReview"],
		done.Result["leftOut"])
	for _, l := range done.Left[:min(len(done.Left), 3)] {
		b.say("      - %s: %s", prose.Within(l.Name, 40), l.Why)
	}
	return nil
}

// review has JOOR's people say yes to all that are in review but one, which they take long over.
func (b *brandStory) review(ctx context.Context) error {
	in := map[string]any{"reviewSeconds": (30 * 24 * time.Hour).Seconds()}
	if err := b.sim.call(ctx, http.MethodPut, "/sim/joor/accounts/"+b.acc.JOOR.Account, in, nil); err != nil {
		return err
	}
	all, err := b.connections(ctx)
	if err != nil {
		return err
	}
	var codes []string
	for _, c := range all {
		if c.Review {
			codes = append(codes, c.Code)
		}
	}
	if len(codes) > 1 {
		codes = slices.Delete(codes, 1, 2)
	}
	in = map[string]any{"account": b.acc.JOOR.Account, "customerCodes": codes, "accept": true}
	if err := b.sim.call(ctx, http.MethodPost, "/sim/joor/review", in, nil); err != nil {
		return err
	}
	b.sayNow("At JOOR: its data team accepts %d, which takes it days otherwise.", len(codes))
	var left []brandCustomer
	for try := 0; try == 0 || len(left) > 1 && try < looksAtReview; try++ { // a look under way may have asked before
		_, err := b.follow(ctx, b.tenant, "sync/joor", nil)
		if err == nil {
			left, err = b.list(ctx, "review")
		}
		if err != nil {
			return err
		}
	}
	linked, err := b.list(ctx, "linked")
	if err != nil {
		return err
	}
	b.say("   => %d customers are linked.", len(linked))
	for _, c := range left {
		if c.Due != nil {
			b.say("      %s stays in review: JOOR decides by %s, and it is listed as overdue after that.", c.Company,
				c.Due.Format("Monday, 2 January"))
		}
	}
	return nil
}

// looksAtReview is how often JOOR is looked at for what its people said yes to.
const looksAtReview = 10

// update changes a customer in Cin7 Omni and sends what differs.
func (b *brandStory) update(ctx context.Context) error {
	const company = "Harbour Street Boutique"
	var all struct{ Items []brandCustomer }
	path := b.tenant + "/joor/customers?" + url.Values{"list": {"linked"}, "q": {company}}.Encode()
	if err := b.api.call(ctx, http.MethodGet, path, nil, &all); err != nil {
		return err
	}
	if len(all.Items) == 0 {
		return fmt.Errorf("%s is not linked", company)
	}
	in := map[string]string{"address1": "3 Quay Street", "phone": "+64 9 555 0188"}
	if err := b.sim.call(ctx, http.MethodPut, fmt.Sprint("/sim/cin7omni/contacts/", all.Items[0].ID), in,
		nil); err != nil {
		return err
	}
	b.sayNow("At Cin7 Omni: %s moves to %s.", company, in["address1"])
	if _, err := b.follow(ctx, b.tenant, "sync/contacts", nil); err != nil {
		return err
	}
	changed, err := b.list(ctx, "update")
	if err != nil {
		return err
	}
	b.say("   => %d customers are not in JOOR as they are in Cin7 Omni.", len(changed))
	done, err := b.follow(ctx, b.tenant, "joor/update", map[string]bool{"all": true})
	if err == nil {
		b.say("   => updated: %d.", done.Result["updated"])
	}
	return err
}

// uploadAgain sees that nothing is left to be sent, and that JOOR has nobody twice.
func (b *brandStory) uploadAgain(ctx context.Context) error {
	again, err := b.follow(ctx, b.tenant, "joor/upload", map[string]bool{"all": true})
	if err != nil {
		return err
	}
	all, err := b.list(ctx, "upload")
	if err != nil {
		return err
	}
	out := leftOut(all)
	b.say("   => a second upload sends %d: it offers %d, and lists %d that cannot be sent as they are.",
		again.Result["inReview"], len(all)-out, out)
	there, err := b.connections(ctx)
	if err != nil {
		return err
	}
	codes, twice := map[string]bool{}, 0
	for _, c := range there {
		if c.Code != "" && codes[c.Code] {
			twice++
		}
		codes[c.Code] = true
	}
	b.say("      JOOR has %d connections, %d of them twice.", len(there), twice)
	return nil
}
