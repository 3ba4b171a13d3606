package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/sim"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
	stored "stockbridge/internal/upstockcin7/order"
	selling "stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// flows are what people do in a seed beside ordering and shipping, each so often of 256.
type flows struct {
	cancel  int // an order is cancelled in Upstock
	revive  int // of those that were cancelled: it is approved again
	edit    int // somebody changes, voids or copies a sale in Cin7 Core
	retry   int // somebody retries an order, whatever it does
	refuse  int // Cin7 Core refuses a sale or its lines, for a reason of its own
	early   int // an order was approved before Upstock was connected, and a backfill brings it
	keys    int // a key is replaced at a vendor, and only later here; likewise the next three, for each tenant
	account int // another Cin7 Core account is connected for a while
	company int // another Upstock supplier is connected for a while
	gap     int // a connection is taken away for a while
	restore int // the table is restored to some minutes ago
	setting int // settings change
	pause   int // a flow of a tenant is paused for a while, each of the two
	doubt   int // voids go without an answer, once lines were refused or an order was cancelled
	handle  int // somebody presses to have an order's goods picked, packed or shipped
}

// do has a person do something in the console, again and again until it works.
func (w *world) do(what string, do func(ctx context.Context, p *process) error) {
	w.doThen(what, do, func() {})
}

// doThen is do, and what comes of it: nobody takes back what is still being
// tried, and then goes on trying it.
func (w *world) doThen(what string, do func(ctx context.Context, p *process) error, then func()) {
	var try func()
	try = func() {
		var err error
		w.invoke("console", func(ctx context.Context, p *process) { err = do(ctx, p) }, func(p *process) {
			if p.dead.Load() {
				err = errDead
			}
			w.tell("console: %s: %v", what, err)
			if err != nil {
				w.stage.at(w.between(30*time.Second, 4*time.Minute), try)
				return
			}
			then()
		})
	}
	try()
}

// control changes something at a vendor, as its own people do.
func (w *world) control(method, path, body string) {
	rec := httptest.NewRecorder()
	w.sim.Handler().ServeHTTP(rec, httptest.NewRequest(method, "http://sim.test"+path, strings.NewReader(body)))
	if rec.Code/100 != 2 {
		w.t.Fatalf("%s %s: %d %s", method, path, rec.Code, rec.Body)
	}
}

// mischief plans all that people do to one tenant's connections.
func (w *world) mischief(s *shop, end time.Time) {
	f := w.profile.flows
	span := end.Sub(w.begin) - 2*time.Hour
	when := func(often int, do func()) {
		if w.chance(often) {
			w.stage.at(w.between(time.Minute, span), do)
		}
	}
	when(f.keys, func() { w.replaceKey(s) })
	when(f.setting, func() { w.settings(s) })
	when(f.setting, func() { w.settings(s) })
	switch away := w.between(5*time.Minute, 100*time.Minute); w.stage.rng.IntN(4) {
	case 0:
		when(f.account, func() { w.elsewhere(s, away) })
	case 1:
		when(f.company, func() { w.otherCompany(s, away) })
	case 2:
		when(f.gap, func() { w.gap(s, tenant.Upstock, away) })
	case 3:
		when(f.gap, func() { w.gap(s, tenant.Cin7Core, away) })
	}
	when(f.pause, func() { w.pause(s, stored.OrdersFlow) })
	when(f.pause, func() { w.pause(s, stored.ShipmentsFlow) })
}

// pause has a flow of a tenant paused for a while.
func (w *world) pause(s *shop, flow stored.Flow) {
	w.doThen("pauses the "+string(flow)+" of "+s.account.Name, func(ctx context.Context, p *process) error {
		return p.app.Pair.PauseFlow(ctx, s.tenant, flow)
	}, func() {
		s.paused[flow] = time.Now()
		w.stage.at(w.between(5*time.Minute, 100*time.Minute), func() {
			delete(s.paused, flow)
			w.resume(s, flow)
		})
	})
}

func (w *world) resume(s *shop, flow stored.Flow) {
	w.do("lets the "+string(flow)+" of "+s.account.Name+" go on", func(ctx context.Context, p *process) error {
		if _, again := s.paused[flow]; again { // by somebody, while this was being tried
			return nil
		}
		return p.app.Pair.ResumeFlow(ctx, s.tenant, flow)
	})
}

// heedsPauses notes an outside write of a flow that was paused before anything of it could have been decided.
func (w *world) heedsPauses(s *shop, flow stored.Flow, what string) {
	// once the table was restored somebody may let the flow go on without looking
	if since, ok := s.paused[flow]; ok && time.Since(since) > inFlight && w.restored.IsZero() {
		w.note("%s of %s, whose %s are paused since %s", what, s.account.Name, flow, since.Sub(w.begin))
	}
}

// replaceKey gives an account a new key at its vendor; here it is saved later.
func (w *world) replaceKey(s *shop) {
	if s.away {
		return
	}
	later := w.between(time.Minute, 3*time.Hour)
	key := fmt.Sprintf("key-%08x-%08x", w.stage.rng.Uint32(), w.stage.rng.Uint32())
	if w.chance(100) {
		w.tell("the Upstock token of %s is replaced", s.account.Name)
		w.control(http.MethodPut, fmt.Sprintf("/sim/upstock/accounts/%d", s.account.Upstock.Supplier),
			fmt.Sprintf(`{"token":%q}`, key))
		s.account.Upstock.Token, w.tokens[s.account.Upstock.Supplier] = key, key
		w.stage.at(later, func() { w.connect(s, tenant.Upstock) })
		return
	}
	account := s.account.Cin7Core.AccountID
	w.tell("the Cin7 Core key of %s is replaced", s.account.Name)
	w.control(http.MethodPut, "/sim/cin7core/accounts/"+account, fmt.Sprintf(`{"applicationKey":%q}`, key))
	w.keys[account] = key
	for _, other := range w.shops {
		if other.account.Cin7Core.AccountID == account {
			other.account.Cin7Core.ApplicationKey = key
			w.stage.at(later+w.between(0, 10*time.Minute), func() { w.connect(other, tenant.Cin7Core) })
		}
	}
}

// connect saves the keys that a tenant has now.
func (w *world) connect(s *shop, sys tenant.System) {
	w.do("connects "+string(sys)+" of "+s.account.Name, func(ctx context.Context, p *process) error {
		if s.away {
			return nil // whoever took it away connects it again
		}
		return w.save(ctx, p, s, sys)
	})
}

// saveBoth saves what of both keys may have changed while something else was connected.
func (w *world) saveBoth(ctx context.Context, p *process, s *shop) error {
	return errors.Join(w.save(ctx, p, s, tenant.Upstock), w.save(ctx, p, s, tenant.Cin7Core))
}

func (w *world) save(ctx context.Context, p *process, s *shop, sys tenant.System) error {
	cred := s.key()
	if sys == tenant.Upstock {
		cred = vendor.Credentials{Key: tenant.Secret(s.account.Upstock.Token)}
	}
	_, url, err := p.app.Vendors.Connect(ctx, s.tenant, sys, cred)
	if err != nil || sys != tenant.Upstock || url == "" || url == s.hook {
		return err
	}
	secret, err := w.simUpstock.RegisterWebhook(s.account.Upstock.Supplier, url)
	if err != nil {
		return err
	}
	typed := vendor.Credentials{WebhookSecret: tenant.Secret(secret)}
	if _, _, err = p.app.Vendors.Connect(ctx, s.tenant, sys, typed); err == nil {
		s.hook = url
	}
	return err
}

// elsewhere connects another Cin7 Core account for a while.
func (w *world) elsewhere(s *shop, away time.Duration) {
	own, shared := s.account.Cin7Core, s.shared
	w.doThen("connects another Cin7 Core account for "+s.account.Name, func(ctx context.Context, p *process) error {
		s.away, s.shared, s.account.Cin7Core = true, true, w.spare.Cin7Core
		return w.save(ctx, p, s, tenant.Cin7Core)
	}, func() {
		w.stage.at(away, func() {
			w.do("connects the own Cin7 Core account of "+s.account.Name+" again",
				func(ctx context.Context, p *process) error {
					own.ApplicationKey = cmp.Or(w.keys[own.AccountID], own.ApplicationKey)
					s.away, s.shared, s.account.Cin7Core = false, shared, own
					return w.saveBoth(ctx, p, s)
				})
		})
	})
}

// otherCompany connects another Upstock supplier for a while, and its orders come.
func (w *world) otherCompany(s *shop, away time.Duration) {
	if w.spareTaken {
		return
	}
	w.spareTaken = true
	own, shared := s.account.Upstock, s.shared
	swap := func(to sim.UpstockAccount, then func()) {
		w.doThen("connects the company "+to.Token, func(ctx context.Context, p *process) error {
			err := p.app.Vendors.Disconnect(ctx, s.tenant, tenant.Upstock)
			if err != nil && !errors.Is(err, tenant.ErrNotFound) {
				return err
			}
			if s.account.Upstock.Supplier != to.Supplier {
				s.hook = ""
			}
			to.Token = cmp.Or(w.tokens[to.Supplier], to.Token) // it may have been replaced between two attempts
			s.account.Upstock = to
			s.away, s.shared = to.Supplier != own.Supplier, shared || to.Supplier != own.Supplier
			return w.saveBoth(ctx, p, s)
		}, then)
	}
	swap(w.spare.Upstock, func() {
		w.stage.at(away, func() { swap(own, func() {}) })
	})
	for range 1 + w.stage.rng.IntN(3) {
		w.stage.at(w.between(time.Minute, away), func() {
			if s.account.Upstock.Supplier == w.spare.Upstock.Supplier {
				w.approve(w.place(s))
			}
		})
	}
}

// gap takes a connection away for a while.
func (w *world) gap(s *shop, sys tenant.System, away time.Duration) {
	if s.away {
		return
	}
	w.doThen("disconnects "+string(sys)+" of "+s.account.Name, func(ctx context.Context, p *process) error {
		s.away = true
		err := p.app.Vendors.Disconnect(ctx, s.tenant, sys)
		if errors.Is(err, tenant.ErrNotFound) {
			err = nil
		}
		if sys == tenant.Upstock && err == nil {
			s.hook = ""
		}
		return err
	}, func() {
		for _, o := range w.orders { // nothing tells us
			if sys == tenant.Upstock && o.shop == s && w.chance(120) {
				w.stage.at(w.between(0, away), func() { w.cancel(o) })
			}
		}
		w.stage.at(away, func() {
			w.do("connects "+string(sys)+" of "+s.account.Name+" again", func(ctx context.Context, p *process) error {
				s.away = false
				return w.saveBoth(ctx, p, s)
			})
		})
	})
}

// settings change what is asked of the next sales.
func (w *world) settings(s *shop) {
	doc := selling.DefaultSettings()
	doc.OrderStatus = pick(w, selling.Draft, selling.Authorised)
	doc.SaleType = pick(w, selling.Simple, selling.Advanced)
	doc.ShipBySource = pick(w, selling.DeliveryDate, selling.NoDate)
	doc.Location = pick(w, "", "Main Warehouse", "Southern Store")
	doc.OnCancel = pick(w, selling.Tell, selling.Void)
	if doc.OrderStatus == selling.Authorised && doc.SaleType == selling.Simple {
		doc.CreationMode = pick(w, selling.NoPick, selling.AutoPick)
	}
	s.settings = append(s.settings, doc)
	w.do(fmt.Sprintf("sets %s: %s %s %q, cancel %s", s.account.Name, doc.OrderStatus, doc.SaleType, doc.Location,
		doc.OnCancel), func(ctx context.Context, p *process) error {
		_, err := p.app.Tenants.ChangeSettings(ctx, s.tenant, "", func(tenant.Bundle) ([]tenant.Section, error) {
			return []tenant.Section{&doc}, nil
		})
		if err == nil && doc.OnCancel == selling.Void {
			s.voids = true
		}
		return err
	})
}

// restore takes the table back by some minutes. Whoever runs is ended first.
func (w *world) restore() {
	before := w.store.clone()
	ago := w.between(20*time.Second, pick(w, 3*time.Minute, 12*time.Minute))
	// and is delivered again
	w.spells = append(w.spells, spell{until: time.Now().Add(ago), class: hookIn, fault: lost, often: 128})
	for range w.stage.rng.IntN(3) {
		w.stage.at(w.between(time.Millisecond, ago), func() {
			if s := w.shops[0]; !s.away {
				w.approve(w.place(s))
			}
		})
	}
	w.stage.at(ago, func() {
		w.tell("the table is about to be restored to %s ago: all processes are ended", ago.Round(time.Second))
		for _, list := range w.warm {
			for _, p := range list {
				p.dead.Store(true)
			}
		}
		w.warm, w.down = map[string][]*process{}, true
		w.stage.at(ago+3*time.Minute, func() {
			w.tell("the table is restored, and marked")
			w.store.restore(before)
			if _, err := w.reader().Restored(context.Background()); err != nil {
				w.t.Fatal(err)
			}
			w.restored, w.down = time.Now(), false
			for _, s := range w.shops { // what was done since is done again
				for _, flow := range []stored.Flow{stored.OrdersFlow, stored.ShipmentsFlow} {
					if _, paused := s.paused[flow]; !paused && w.profile.flows.pause > 0 {
						w.resume(s, flow)
					}
				}
				w.stage.at(w.between(10*time.Minute, time.Hour), func() { w.refill(s) })
				w.stage.at(w.between(time.Second, 10*time.Minute), func() {
					w.do("saves the keys of "+s.account.Name+" again", func(ctx context.Context, p *process) error {
						if s.away {
							return nil
						}
						c, err := p.app.Tenants.Connection(ctx, s.tenant, tenant.Upstock)
						// the table says another company, which was taken away since
						if err == nil && c.Account != strconv.Itoa(s.account.Upstock.Supplier) {
							if err := p.app.Vendors.Disconnect(ctx, s.tenant, tenant.Upstock); err != nil {
								return err
							}
							s.hook = ""
						}
						return w.saveBoth(ctx, p, s)
					})
				})
			}
		})
	})
}

// cancel lets the customer cancel.
func (w *world) cancel(o *order) {
	if _, err := w.simUpstock.Cancel(o.id); err != nil {
		return // it is shipped
	}
	o.cancelled, o.silent = time.Now(), o.shop.away && o.shop.hook == ""
	w.tell("order %d is cancelled", o.id)
}

// revive lets the supplier take a cancellation back and approve the order once more.
func (w *world) revive(o *order) {
	if o.cancelled.IsZero() || o.shipped > 0 || o.shop.account.Upstock.Supplier != o.supplier {
		return
	}
	if _, err := w.simUpstock.Edit(o.id, `{"status":"ordered","approvedAt":null}`); err != nil {
		return
	}
	w.stage.at(w.between(time.Second, 5*time.Minute), func() {
		if w.standing(o).Status != "ordered" { // it was cancelled or approved again meanwhile
			return
		}
		o.cancelled, o.heard, o.wanted, o.revived = time.Time{}, time.Time{}, time.Now(), time.Now()
		w.approve(o)
	})
}

// backfill brings orders that were approved before Upstock was connected.
func (w *world) backfill(s *shop) {
	if s.away {
		return
	}
	for range 1 + w.stage.rng.IntN(2) {
		o := w.place(s)
		o.approved = time.Date(1999, 12, 30, 3, w.stage.rng.IntN(60), 0, 0, time.UTC)
		if _, err := w.simUpstock.Edit(o.id,
			fmt.Sprintf(`{"status":"processing","approvedAt":%q}`, o.approved.Format(time.RFC3339))); err != nil {
			w.t.Fatal(err)
		}
	}
	w.fill(s)
}

// fill has a person start the backfill of the days before, and again where
// another company that they connected ended it.
func (w *world) fill(s *shop) {
	day := func(n int) time.Time { return time.Date(1999, 12, n, 0, 0, 0, 0, time.UTC) }
	var look func()
	look = func() {
		b, err := w.reader().BackfillState(context.Background(), s.tenant)
		switch {
		case err != nil:
			w.t.Fatal(err)
		case b.State == upstockcin7.BackfillRunning:
			w.stage.at(w.between(20*time.Minute, time.Hour), look)
		case b.State == upstockcin7.BackfillFailed && strings.HasPrefix(b.Why, "Another Upstock supplier"):
			w.fill(s)
		}
	}
	w.doThen("fills in the days before", func(ctx context.Context, p *process) error {
		c, err := p.app.Tenants.Connection(ctx, s.tenant, tenant.Upstock)
		if err == nil && (s.away || c.Account != strconv.Itoa(s.account.Upstock.Supplier)) {
			err = errors.New("another company is connected")
		}
		if err == nil {
			_, err = p.app.Pair.StartBackfill(ctx, s.tenant, day(29), day(31))
		}
		return err
	}, func() {
		s.filled = true
		w.stage.at(w.between(20*time.Minute, time.Hour), look)
	})
}

// refill has a person who reads that the table was put back start the backfill again.
func (w *world) refill(s *shop) {
	if !s.filled {
		return
	}
	list, _, err := ledger.New(w.store).Events(context.Background(), s.tenant, "", 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	if slices.ContainsFunc(list, func(e ledger.Event) bool {
		return e.Kind == "restored" &&
			!e.At.Before(w.restored)
	}) {
		w.fill(s)
		return
	}
	w.stage.at(time.Hour, func() { w.refill(s) })
}

// edit lets somebody in Cin7 Core do as they please with an order's sale.
func (w *world) edit(o *order) { w.change(o, pick(w, "void", "void", "copy", "lines", "notes")) }

// change does one thing with one of an order's sales in Cin7 Core, if that is possible.
func (w *world) change(o *order, what string) {
	live, _ := w.sales(o)
	if len(live) == 0 {
		return
	}
	sale := live[w.stage.rng.IntN(len(live))]
	if _, err := w.simCore.Sale(sale.ID, what, `{"text":"Ring before you come."}`); err != nil {
		return
	}
	o.edits = append(o.edits, what)
	if what == "copy" {
		w.copies(o, live)
		// a note keeps no sale from being voided, but a header of ours
	} else if s := cmp.Or(w.made[sale.ID], w.copied[sale.ID]); s != nil && (what != "notes" || sale.Lines == 0) {
		s.touched, s.changed, s.noted = true, time.Now(), what == "notes" && (s.noted || !s.touched)
	}
	w.tell("somebody does %s with sale %s of order %d", what, sale.Number, o.id)
}

// tend lets a person retry an order, as its page says.
func (w *world) tend(o *order) {
	r := w.run(o)
	if r == nil || r.State == stored.Cancelled {
		return
	}
	var codes []string
	for _, p := range r.Problems {
		codes = append(codes, p.Code)
	}
	if r.State == ledger.Attention {
		o.codes = append(o.codes, codes...)
	}
	anew := slices.ContainsFunc(codes, func(c string) bool { return c == "saleVoided" || c == "saleGone" })
	o.wanted = time.Now()
	w.doOnce(fmt.Sprintf("retries order %d (%s, new sale: %t)", o.id, strings.Join(codes, " "), anew),
		func(ctx context.Context, p *process) error {
			err := p.app.Pair.Retry(ctx, o.shop.tenant, r.ID, upstockcin7.RetryOptions{NewSale: anew})
			o.wanted = time.Now()
			return err
		})
}

// doOnce has a person try something once.
func (w *world) doOnce(what string, do func(ctx context.Context, p *process) error) {
	var err error
	w.invoke("console", func(ctx context.Context, p *process) { err = do(ctx, p) },
		func(*process) { w.tell("console: %s: %v", what, err) })
}

// handle has somebody press to have an order's goods picked, packed or shipped, and press once more. A draft is
// authorised before, in Cin7 Core.
func (w *world) handle(o *order) {
	r := w.run(o)
	if r == nil || r.SoldAt.IsZero() {
		return
	}
	if live, _ := w.sales(o); len(live) == 1 && live[0].ID == r.SaleID && live[0].Order == "DRAFT" {
		_, err := w.simCore.Sale(r.SaleID, "authorise", "{}")
		w.tell("somebody authorises sale %s of order %d: %v", r.SaleNumber, o.id, err)
	}
	wish := upstockcin7.HandlingWish{To: pick(w, stored.StepPick, stored.StepPack, stored.StepShip, stored.StepShip)}
	press := func() {
		w.doOnce(fmt.Sprintf("wants order %d: %s", o.id, wish.To), func(ctx context.Context, p *process) error {
			b, err := p.app.Tenants.Load(ctx, o.shop.tenant)
			if err != nil {
				return err
			}
			plan, err := p.app.Pair.PlanHandling(ctx, b, r.ID, wish.To)
			if err != nil || plan.Why != "" {
				return cmp.Or(err, errors.New(plan.Why))
			}
			wish.Seen = plan.Seen()
			o.shown = append(o.shown, goodsShown(plan))
			return p.app.Pair.Handle(ctx, b, r.ID, wish)
		})
	}
	press()
	if w.chance(128) {
		w.stage.at(w.between(time.Second, time.Minute), press)
	}
}

// goodsShown are the goods of a plan.
func goodsShown(plan upstockcin7.HandlingPlan) string {
	var list []string
	for _, g := range plan.Goods {
		list = append(list, g.SKU+" "+decimals(g.Quantity))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}
