package console

import (
	"errors"
	"net/http"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// testOrderAnswer is a tenant's latest test order, and what the next would be.
type testOrderAnswer struct {
	State      upstockcin7.TestState `json:"state"`
	By         *string               `json:"by"`
	StartedAt  *time.Time            `json:"startedAt"`
	FinishedAt *time.Time            `json:"finishedAt"`
	Why        *string               `json:"why"`    // running: what holds it up; failed: why
	Stands     *string               `json:"stands"` // which sale stands in Cin7 Core, or may; null = none
	SaleID     *string               `json:"saleId"`
	SaleNumber *string               `json:"saleNumber"`
	SaleURL    *string               `json:"saleUrl"`
	Voided     bool                  `json:"voided"`
	Read       *upstockcin7.TestSale `json:"read"` // the sale as it was read back; null = it was not
}

func testOrderOf(t upstockcin7.TestOrder) testOrderAnswer {
	return testOrderAnswer{State: t.State, By: known(t.By), StartedAt: when(t.Started), FinishedAt: when(t.Finished),
		Why: known(t.Why), Stands: known(t.Standing()), SaleID: known(t.SaleID), SaleNumber: known(t.Number),
		SaleURL: known(upstockcin7.SaleURL(t.SaleID)), Voided: t.Voided, Read: t.Read}
}

func (a *api) getTestOrder(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	t, err := a.Pair.TestOrderState(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, testOrderOf(t))
}

func (a *api) startTestOrder(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	t, err := a.Pair.StartTestOrder(r.Context(), b, nil)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, testOrderOf(t))
}

// testOrderPage is the last step of connecting: a sale that is made to see that it can be.
type testOrderPage struct {
	Path    string
	Latest  *testOrderCard
	Why     string   // why none can be made now
	Happens []string // when one is made
	Stays   []string
	Button  string // "" = the person may not, or none can be made
	Saw     string
}

// testOrderCard is the latest test order.
type testOrderCard struct {
	Sentence string
	Running  bool
	At       moment
	Why      string
	Stands   string
	Facts    []fact
	Sale     string // its address in Cin7 Core
}

func testOrderPath(tenantID string) string {
	return tenantPath(tenantID) + "/settings/integrations/test-order"
}

func (a *api) testOrderPage(w http.ResponseWriter, r *http.Request, v visit) error {
	t, err := a.Pair.TestOrderState(r.Context(), v.Tenant.ID)
	if err != nil {
		return err
	}
	p := testOrderPage{Path: testOrderPath(v.Tenant.ID), Latest: v.testOrderCard(t),
		Saw: t.Started.Format(time.RFC3339Nano)}
	if t.State != upstockcin7.TestRunning {
		if err := a.offerTestOrder(r, v, &p, t); err != nil {
			return err
		}
	}
	f := v.frame(r, "Test order", p)
	f.Sections = v.settingsMenu(integrationsPath(v.Tenant.ID))
	f.Moving = t.State == upstockcin7.TestRunning
	return a.show(w, r, http.StatusOK, "testorder", f)
}

// offerTestOrder says what a test order would do, and asks whether to make it.
func (a *api) offerTestOrder(r *http.Request, v visit, p *testOrderPage, last upstockcin7.TestOrder) error {
	if last.Stands {
		p.Happens = []string{"The sale of the last test order is read in Cin7 Core. It is voided if it is still as " +
			"it was made."}
		p.Button = "Look after the sale again"
	} else {
		plan, err := a.Pair.PlanTestOrder(r.Context(), v.Bundle)
		var why *upstockcin7.TestOrderError
		if errors.As(err, &why) {
			p.Why = why.Why
			return nil
		}
		if err != nil {
			return err
		}
		p.Happens = []string{
			"A draft sale is made in Cin7 Core for " + plan.Customer + ": 1 × " + plan.SKU + " (" + plan.Product +
				") at " + money(plan.Price) + ", from " + plan.Location + ", with the tax rule " + plan.TaxRule + ".",
			"It is read back and shown here, and voided right away. A voided sale stays in Cin7 Core's list.",
		}
		p.Stays = []string{"No stock moves, nothing is authorised or invoiced, and Upstock hears nothing of it.",
			"It is counted nowhere: it is no order."}
		p.Button = "Make a test order"
	}
	if !v.person.Changes() {
		p.Button = ""
	}
	return nil
}

// testOrderCard is nil where there never was one.
func (v visit) testOrderCard(t upstockcin7.TestOrder) *testOrderCard {
	c := &testOrderCard{At: v.moment(job.Latest(t.Started, t.Finished)), Why: t.Why, Stands: t.Standing(),
		Sale: upstockcin7.SaleURL(t.SaleID)}
	switch t.State {
	case upstockcin7.TestRunning:
		c.Sentence, c.Running = "A test order is being made", true
	case upstockcin7.TestDone:
		c.Sentence = "It works: the sale " + t.Number + " was made, read back and voided"
	case upstockcin7.TestFailed:
		c.Sentence = "The test order was not sold"
	default:
		return nil
	}
	if s := t.Read; s != nil {
		for _, f := range []fact{{"Customer", s.Customer}, {"Lines", s.Lines}, {"Location", s.Location},
			{"Tax rule", s.TaxRule}, {"Terms", s.Terms}, {"Total", joined(" ", s.Total, s.Currency)},
			{"Status of its order", s.Status}} {
			if f.Value != "" {
				c.Facts = append(c.Facts, f)
			}
		}
	}
	return c
}

// startTestOrderPage is the button of that page; pressed twice, one is made.
func (a *api) startTestOrderPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	saw, err := time.Parse(time.RFC3339Nano, form.Get("saw"))
	if err != nil {
		return notOurForm()
	}
	if _, err := a.Pair.StartTestOrder(r.Context(), v.Bundle, &saw); err != nil {
		return err
	}
	http.Redirect(w, r, testOrderPath(v.Tenant.ID), http.StatusSeeOther)
	return nil
}
