package console

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
	"stockbridge/internal/signin"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// shown is a page of the catalogue as it is made of what the pair would tell.
type shown struct {
	name, template, kind string
	page                 any
	want                 []string
}

// catalogPages are all pages of the catalogue, made of records whose texts are all the given one: n of each.
func catalogPages(v visit, text string, n int) []shown {
	d := decimal.RequireFromString("7.4550")
	at := time.Now().Add(-time.Hour)
	const id = "0b9e2c1a-59a6-4f61-9f37-0d5c1d0f8a11"
	ref := upstockcin7.CatalogRef{ID: id, Name: text}
	sku := upstockcin7.ProductRef{ID: id, SKU: text, Name: text}
	told := upstockcin7.Standing{Has: true, At: at}
	refused := upstockcin7.Standing{State: "refused", Why: text, Since: at}
	needs := upstockcin7.CatalogNeeds{Runs: []*ledger.Progress{}}
	run := &ledger.Progress{ID: "products.abc", Kind: upstockcin7.JobProducts, State: ledger.ProgressRunning, Done: 3,
		Of: 10, Problem: text, Result: map[string]int{"new": 3, "refused": 1}}
	var products []upstockcin7.ProductRow
	var customers []upstockcin7.CustomerRow
	var lists []upstockcin7.PriceListRow
	var prices []upstockcin7.ListedPrice
	var inLists []upstockcin7.ListPrice
	var changes []upstockcin7.PriceChange
	var fields []upstockcin7.CatalogField
	var notes []upstockcin7.CatalogNote
	var members []upstockcin7.CatalogRef
	var steps []upstockcin7.PriceStep
	for i := range n {
		standing := told
		if i%2 == 1 {
			standing = refused
		}
		c := upstockcin7.CustomerCandidate{Theirs: int64(9000 + i), Name: text, Email: text, Phone: text, Town: text,
			Score: 0.75, Reasons: []string{text, text}, Back: text}
		products = append(products, upstockcin7.ProductRow{ID: id, SKU: text, Name: text, Price: &d, Status: "Active",
			Importable: i%2 == 0, Imported: i%2 == 1, Why: text, Standing: standing})
		customers = append(customers, upstockcin7.CustomerRow{ID: id, Name: text, Active: true, PriceList: &ref,
			Why: text, Standing: standing, Candidates: []upstockcin7.CustomerCandidate{c, c, c, c, c, c}})
		lists = append(lists, upstockcin7.PriceListRow{CatalogRef: ref, Customers: 3, Standing: standing})
		prices = append(prices, upstockcin7.ListedPrice{Product: sku, Price: &d, Standing: standing})
		inLists = append(inLists, upstockcin7.ListPrice{List: ref, Price: &d, Standing: standing})
		changes = append(changes, upstockcin7.PriceChange{ID: fmt.Sprint(i) + strings.Repeat("Y", 140),
			Customer: &ref, List: ref, Product: sku, Old: &d, New: &d, State: "held", Why: text, By: text, At: at})
		fields = append(fields, upstockcin7.CatalogField{Name: "Name", Cin7Core: text, Upstock: text + "x"})
		notes = append(notes, upstockcin7.CatalogNote{At: at, Text: text, By: text})
		members = append(members, ref)
		steps = append(steps, upstockcin7.PriceStep{Text: text, Value: "7.455"})
		run.Left = append(run.Left, ledger.LeftOut{ID: id, Name: text, Why: text})
	}
	next := ""
	if n > 0 {
		needs.Runs, next = append(needs.Runs, run), id
		needs.Held, needs.ToLink = n, n
	}
	few := func(most int) int { return min(n, most) }
	var p upstockcin7.ProductView
	var c upstockcin7.CustomerView
	var l upstockcin7.PriceListView
	var e upstockcin7.PriceExplained
	if n > 0 {
		p = upstockcin7.ProductView{ProductRow: products[0], Fields: fields[:few(14)], Prices: inLists, More: true,
			DiscountRule: text, History: notes[:few(50)]}
		c = upstockcin7.CustomerView{CustomerRow: customers[0], Fields: fields[:few(14)], Tier: text, Discount: d,
			OwnPrices: 12, Linked: text, History: notes[:few(50)]}
		l = upstockcin7.PriceListView{PriceListRow: lists[0], Members: members, Prices: prices, Next: id}
		e = upstockcin7.PriceExplained{Customer: ref, Product: sku, Price: &d, List: &ref, Steps: steps[:few(8)],
			Held: text, Upstock: &d, Since: at}
	}
	q := func(list string) upstockcin7.CatalogQuery { return upstockcin7.CatalogQuery{List: list} }
	party := explainParty{Name: "customer", Query: "c", Label: "Customer’s name", Legend: "Customer", Text: text,
		Choices: []choice{{ID: id, Label: text, Why: text, First: true}}}
	return []shown{
		{"products", "records", upstockcin7.JobProducts, v.productList(products[:few(50)], needs, q("imported"), next),
			[]string{"Sync products"}},
		{"products to import", "import", upstockcin7.JobProducts,
			v.importable(products[:few(50)], q("importable"), next), nil},
		{"a product", "product", upstockcin7.JobProducts, v.product(p), []string{"What happened", "Explain a price"}},
		{"customers", "records", upstockcin7.JobCustomers,
			v.customerList(customers[:few(50)], needs, q("imported"), next), []string{"Sync customers"}},
		{"customers to import", "import", upstockcin7.JobCustomers,
			v.importableCustomers(customers[:few(50)], q("importable"), next), nil},
		{"customers to link", "matches", upstockcin7.JobCustomers, v.toLink(customers[:few(cardsShown)], needs,
			q("toLink"), next), nil},
		{"a customer", "customer", upstockcin7.JobCustomers, v.customer(c), []string{"How its prices come about"}},
		{"price lists", "prices", upstockcin7.JobPrices, v.priceLists(lists[:few(50)], needs, "", next),
			[]string{"Sync prices", "See what a sync would change"}},
		{"a price list", "pricelist", upstockcin7.JobPrices, v.priceList(l, ""), []string{"Prices"}},
		{"price changes", "changes", upstockcin7.JobPrices, v.changes(changes[:few(changesShown)], "held", "", next),
			[]string{"To approve"}},
		{"a preview", "preview", upstockcin7.JobPrices,
			v.pricePreview(upstockcin7.PricePreview{Changes: changes, Counts: map[string]int{"new": n}}), nil},
		{"an explanation", "explain", upstockcin7.JobPrices, explainPage{Path: "/", Missing: text,
			Parties: []explainParty{party, party}, Answer: v.explained(e)}, []string{"Explain this price"}},
		{"a run", "progress", upstockcin7.JobProducts, v.progressOf(run, 0), []string{"3 of 10 are done"}},
	}
}

// TestCatalogPages shows every page of the catalogue with nothing, with much, and with texts that mean harm.
func TestCatalogPages(t *testing.T) {
	h := open(t)
	b := tenant.Bundle{Tenant: tenant.Tenant{ID: "t1", Name: "Aroha Foods"}}
	b.Connections = map[tenant.System]tenant.Connection{
		tenant.Upstock:  {System: tenant.Upstock, State: tenant.Connected},
		tenant.Cin7Core: {System: tenant.Cin7Core, State: tenant.Connected, Currency: "NZD"},
	}
	for _, role := range []signin.Role{signin.Admin, signin.Viewer} {
		v := visit{b, signin.Person{Name: "Ana", Role: role, Tenants: []string{"t1"}}, time.UTC, time.Now()}
		for name, n := range map[string]int{"": 0, "Kawakawa tea 100 g": 60, hostile: 60} {
			for _, s := range catalogPages(v, name, n) {
				r := httptest.NewRequest("GET", "/t/t1/prices", nil)
				w := httptest.NewRecorder()
				w.Header().Set("Cache-Control", "no-store") // as ServeHTTP does
				w.Header().Set("Referrer-Policy", "no-referrer")
				f := v.catalogFrame(r, s.name, s.kind, upstockcin7.CatalogNeeds{}, s.page)
				if err := h.h.(*api).show(w, r, http.StatusOK, s.template, f); err != nil {
					t.Errorf("%s: %v", s.name, err)
					continue
				}
				checkPage(t, s.name, w)
				text := readable(w)
				if word := ourWords.FindString(text); word != "" {
					t.Errorf("%s: a person reads %q: %s", s.name, word, text)
				}
				if role == signin.Viewer && strings.Contains(between(w.Body.String(), "<main", "</main>"), `method="post"`) {
					t.Errorf("%s: a viewer has a form: %s", s.name, text)
				}
				for _, want := range s.want {
					if role == signin.Admin && !strings.Contains(text, want) {
						t.Errorf("%s: no %q in %s", s.name, want, text)
					}
				}
			}
		}
	}
}

// TestCatalogPagesSay: what is not sent says so and why, and nothing is offered that would do nothing.
func TestCatalogPagesSay(t *testing.T) {
	t.Parallel()
	b := tenant.Bundle{Tenant: tenant.Tenant{ID: "t1", Name: "Aroha Foods"}}
	b.Connections = map[tenant.System]tenant.Connection{
		tenant.Upstock:  {System: tenant.Upstock, State: tenant.Connected},
		tenant.Cin7Core: {System: tenant.Cin7Core, State: tenant.Connected, Currency: "NZD"},
	}
	v := visit{b, signin.Person{Name: "Ana", Role: signin.Admin, Tenants: []string{"t1"}}, time.UTC, time.Now()}
	run := &ledger.Progress{ID: "products.abc", Kind: upstockcin7.JobProducts, State: ledger.ProgressDone}
	cards := v.catalogNeeds(upstockcin7.CatalogNeeds{Refused: 100, Runs: []*ledger.Progress{run},
		RefusedOf: map[string]int{upstockcin7.JobProducts: 1, upstockcin7.JobPrices: 100}})
	if len(cards) != 2 || cards[0].State != "1 product was not taken by Upstock" ||
		cards[0].Address != "/t/t1/progress/products.abc" ||
		cards[1].State != "100 or more prices were not taken by Upstock" ||
		cards[1].Address != "/t/t1/prices/changes?state=refused" {
		t.Errorf("%+v", cards)
	}
	if ok, said := inStep(0, false, lackOf("", driftView{}, nil, cards, nil)); ok || said != cards[0].State {
		t.Errorf("home says %q", said)
	}

	old, now := decimal.RequireFromString("10"), decimal.RequireFromString("13")
	for state, want := range map[string]string{
		"":         "Upstock has 10.00 just now; a sync of prices changes that.",
		"held":     "Upstock has 10.00 just now; this price waits for your yes.",
		"approved": "Upstock has 10.00 just now; this price is sent soon, as Mary said yes.",
		"declined": "Upstock has 10.00 just now; this price is not sent, as Mary said no.",
		"refused":  "Upstock has 10.00 just now; it did not take this price: no such price",
	} {
		e := upstockcin7.PriceExplained{Price: &now, Upstock: &old, State: state, Why: "no such price", By: "Mary"}
		if got := v.explained(e).Upstock; got != want {
			t.Errorf("%q: %s", state, got)
		}
	}

	rows := []upstockcin7.PriceChange{{ID: "a", Approved: true, Why: "It is sent soon."}, {ID: "b"}}
	if p := v.changes(rows, upstockcin7.ChangeHeld, "", ""); p.Rows[0].Choice != "" || p.Rows[1].Choice != "b" {
		t.Errorf("%+v", p.Rows)
	}
	p := v.pricePreview(upstockcin7.PricePreview{Counts: map[string]int{"declined": 2, "refused": 1},
		Changes: []upstockcin7.PriceChange{{State: "declined", By: "Mary"}}})
	if want := "0 prices would change in Upstock, by what was last read of Cin7 Core. A sync reads it again first. " +
		"Besides, 2 are not sent, as somebody said no, 1 was not taken by Upstock."; p.Sentence != want ||
		p.Rows[0].Why != "Not sent, as somebody said no. Decided by Mary." {
		t.Errorf("%s: %+v", p.Sentence, p.Rows)
	}

	unsure := upstockcin7.CustomerRow{ID: "c1", Name: "Bay Deli", Active: true}
	if p := v.toLink([]upstockcin7.CustomerRow{unsure}, upstockcin7.CatalogNeeds{}, upstockcin7.CatalogQuery{},
		""); len(p.Cards) != 0 || p.Nothing == nil {
		t.Errorf("a question without answers: %+v", p)
	}
	unsure.Candidates = []upstockcin7.CustomerCandidate{{Theirs: 7, Name: "Bay Deli"}}
	if p := v.customer(upstockcin7.CustomerView{CustomerRow: unsure}); p.Needs == nil || p.Needs.Do != "" ||
		p.Needs.Why != "It waits for you to say who it is." {
		t.Errorf("%+v", p.Needs)
	}
}

// TestChangesOfLongNames: a page of price changes stays small, whatever products and customers are called.
func TestChangesOfLongNames(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := tenant.Bundle{Tenant: tenant.Tenant{ID: "t1", Name: "Aroha Foods"}}
	v := visit{b, signin.Person{Name: "Ana", Role: signin.Admin, Tenants: []string{"t1"}}, time.UTC, time.Now()}
	d := decimal.RequireFromString("7.4550")
	const id = "0b9e2c1a-59a6-4f61-9f37-0d5c1d0f8a11"
	for _, name := range []string{strings.Repeat("茶", 256), strings.Repeat(`"`, 256), strings.Repeat("茶\"", 128)} {
		var changes []upstockcin7.PriceChange
		for i := range 100 {
			ref := upstockcin7.CatalogRef{ID: "customer:" + id, Name: name}
			changes = append(changes, upstockcin7.PriceChange{ID: fmt.Sprint(i) + strings.Repeat("Y", 140),
				Customer: &ref, List: ref, Product: upstockcin7.ProductRef{ID: id, SKU: name, Name: name},
				Old: &d, New: &d, State: "held",
				Why: "It is 30 % more than before, and more than 20 % wait for a yes.", By: "Mary", At: time.Now()})
		}
		for template, page := range map[string]any{
			"changes": v.changes(changes[:changesShown], upstockcin7.ChangeHeld, "", id),
			"preview": v.pricePreview(upstockcin7.PricePreview{Changes: changes, Counts: map[string]int{"held": 100}}),
		} {
			r := httptest.NewRequest("GET", "/t/t1/prices/changes", nil)
			w := httptest.NewRecorder()
			f := v.catalogFrame(r, "Price changes", upstockcin7.JobPrices, upstockcin7.CatalogNeeds{}, page)
			if err := h.h.(*api).show(w, r, http.StatusOK, template, f); err != nil || w.Body.Len() > 60_000 {
				t.Errorf("%s of %.6s: %d bytes, %v", template, name, w.Body.Len(), err)
			}
		}
	}
}

// TestExplainFinds: what is typed counts, and not what was chosen before; where not all were looked through, that is
// said.
func TestExplainFinds(t *testing.T) {
	s := openShop(t)
	s.stock("NEW-1", "NEW-2", "NEW-2B")
	s.through("POST", "/sync/products", nil)
	items := elements(s.ask("GET", "/products?list=importable&limit=100&q=fresh", nil).is(200).get("items"))
	of := func(sku string) string { return fmt.Sprint(record(t, items, "sku", sku)["id"]) }
	ana := s.signIn("Ana", signin.Admin, s.id)
	chosen := func(id string) string { return `value="` + id + `" checked` }
	for _, c := range []struct{ was, typed, want string }{
		{"NEW-1", "", "NEW-1"}, {"NEW-1", "new-1", "NEW-1"}, {"NEW-1", "new-2b", "NEW-2B"},
		{"NEW-2B", "NEW-2", "NEW-2B"}, {"NEW-1", "NEW-2", ""},
		{"NEW-1", "nothing of this", ""}, {"NEW-1", "fresh", "NEW-1"},
	} {
		q := url.Values{"product": {of(c.was)}, "p": {c.typed}}
		body := ana.get("/t/" + s.id + "/prices/explain?" + q.Encode()).Body.String()
		for _, sku := range []string{"NEW-1", "NEW-2", "NEW-2B"} {
			if got := strings.Contains(body, chosen(of(sku))); got != (sku == c.want) {
				t.Errorf("%+v: %s chosen: %v", c, sku, got)
			}
		}
	}

	p := explainParty{Text: "tea"}
	err := p.search(func(string) ([]choice, string, error) { return nil, "id", nil })
	p.settle("product", "the whole SKU")
	if err != nil || !strings.Contains(p.Empty, "too many products") || strings.Contains(p.Empty, "Cin7 Core has no") {
		t.Errorf("%q %v", p.Empty, err)
	}
}
