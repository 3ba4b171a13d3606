package cin7omni_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7omni"
	"stockbridge/internal/rest"
	"stockbridge/internal/sim"
	simulated "stockbridge/internal/sim/cin7omni"
	"stockbridge/internal/sim/simtest"
)

// account is a simulated account without contacts, and a client of it.
type account struct {
	*simtest.Bench
	*cin7omni.Client
	ctx context.Context
}

func newAccount(t *testing.T, o sim.Options) *account {
	t.Helper()
	b := simtest.New(t, o, simulated.New())
	b.Account = b.AddEmptyAccount("Kauri Clothing", "NZD")
	return &account{b, clientOf(b, b.Account.Cin7Omni.Key), t.Context()}
}

func clientOf(b *simtest.Bench, key string) *cin7omni.Client {
	return cin7omni.New("http://sim.test"+sim.PrefixCin7Omni, b.Transport(), nil, b.Account.Cin7Omni.Username, key)
}

func (a *account) fault(match, kind, how string) {
	a.T.Helper()
	a.ClearFaults(sim.Cin7Omni)
	f := sim.Fault{Match: match, Kind: kind, How: how}
	if err := a.Fault(sim.Cin7Omni, f); err != nil {
		a.T.Fatal(err)
	}
}

// held are the account's contacts, as the client reads them.
func (a *account) held() (all []cin7omni.Contact) {
	a.T.Helper()
	a.ClearFaults(sim.Cin7Omni)
	for x, err := range a.Contacts(a.ctx, cin7omni.ContactsQuery{}) {
		if err != nil {
			a.T.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// make makes contacts, and returns their ids.
func (a *account) make(contacts ...cin7omni.Contact) (ids []int64) {
	a.T.Helper()
	results, err := a.CreateContacts(a.ctx, contacts)
	if err != nil {
		a.T.Fatal(err)
	}
	for _, r := range results {
		if r.Outcome != rest.Done {
			a.T.Fatalf("%+v", r)
		}
		ids = append(ids, r.ID)
	}
	return ids
}

// TestWrittenAndRead: what is written reads back, and a change leaves the rest as it was.
func TestWrittenAndRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, sim.Options{NoLimits: true})
		want := cin7omni.Contact{Type: cin7omni.Customer, IsActive: true, Company: "Kauri & Co", FirstName: "Jo",
			LastName: "O'Hara", JobTitle: "Buyer", Email: "jo@kauri.example", Website: "w", Phone: "+64 9", Fax: "f",
			Mobile: "m", Address1: "1", Address2: "2", City: "c", State: "s", PostCode: "0624", Country: "New Zealand",
			PostalAddress1: "p1", PostalAddress2: "p2", PostalCity: "pc", PostalState: "ps", PostalPostCode: "pp",
			PostalCountry: "po", Notes: "=1+1", IntegrationRef: "ref", SalesPersonID: 7, AccountNumber: "K1",
			BillingID: 9, BillingCompany: "b", AccountsFirstName: "af", AccountsLastName: "al", BillingEmail: "be",
			AccountsPhone: "ap", BillingCostCenter: "bc", CostCenter: "cc", PriceColumn: "WholesalePrice",
			PercentageOff: decimal.RequireFromString("2.5"), PaymentTerms: "30 days", TaxStatus: "8.75%",
			TaxNumber: "t", CreditLimit: decimal.NewFromInt(5000), OnHold: true, Group: "g", SubGroup: "sg",
			Stages: "st",
			SecondaryContacts: []cin7omni.SecondaryContact{{Company: "x", FirstName: "Ari", LastName: "N",
				JobTitle: "A", Email: "ari@kauri.example", Mobile: "1", Phone: "2"}}}
		id := a.make(want)[0]
		got, err := a.Contact(a.ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		want.ID, want.CreatedDate, want.ModifiedDate = id, time.Now().UTC(), time.Now().UTC()
		want.SecondaryContacts[0].ID = got.SecondaryContacts[0].ID
		if diff := cmp.Diff(want, got); diff != "" || got.SecondaryContacts[0].ID == 0 {
			t.Error(diff)
		}
		time.Sleep(90 * time.Second)
		results, err := a.UpdateContacts(a.ctx, []cin7omni.Change{
			{ID: id, Fields: map[string]any{"fax": "", "company": "Kauri", "onHold": false, "phone": nil,
				"percentageOff": decimal.Zero, "salesPersonId": int64(8)}},
			{ID: id + 1, Fields: map[string]any{"fax": "1"}},
			{ID: id, Fields: map[string]any{"website": strings.Repeat("w", 51)}},
		})
		if err != nil || results[0].Outcome != rest.Done || results[0].Code != "jo@kauri.example" ||
			results[1].Outcome != rest.Refused || !strings.Contains(results[2].Refused(), "maximum length") {
			t.Errorf("%+v %v", results, err)
		}
		want.Fax, want.Company, want.OnHold = "", "Kauri", false
		want.PercentageOff, want.SalesPersonID = decimal.Zero, 8
		want.ModifiedDate = time.Now().UTC()
		if got, err = a.Contact(a.ctx, id); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if err := a.DeleteContact(a.ctx, id); err != nil {
			t.Error(err)
		}
		if _, err := a.Contact(a.ctx, id); rest.KindOf(err) != rest.NotFound {
			t.Error(err)
		}
		if err := a.DeleteContact(a.ctx, id); rest.KindOf(err) != rest.NotFound || rest.OutcomeOf(err) != rest.Refused {
			t.Error(err)
		}
	})
}

// TestLists: lists are read to the empty page, whatever the size of pages, in the order of changes; filters find
// what they name.
func TestLists(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, sim.Options{NoLimits: true, TinyPages: 4})
		var ids []int64
		for i := range 10 {
			x := cin7omni.Contact{Type: cin7omni.Customer, Company: fmt.Sprintf("O'Hara %d", i)}
			ids = append(ids, a.make(x)...)
			time.Sleep(time.Minute)
		}
		read := func(q cin7omni.ContactsQuery) (got []int64) {
			t.Helper()
			for x, err := range a.Contacts(a.ctx, q) {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, x.ID)
			}
			return got
		}
		newest := slices.Clone(ids)
		slices.Reverse(newest)
		sixth, err := a.Contact(a.ctx, ids[6])
		if err != nil {
			t.Fatal(err)
		}
		for name, tt := range map[string]struct {
			q    cin7omni.ContactsQuery
			want []int64
		}{
			"all":         {cin7omni.ContactsQuery{}, ids},
			"newest":      {cin7omni.ContactsQuery{NewestFirst: true}, newest},
			"from a page": {cin7omni.ContactsQuery{Page: 3}, ids[8:]},
			"beyond":      {cin7omni.ContactsQuery{Page: 4}, nil},
			"since":       {cin7omni.ContactsQuery{Since: sixth.ModifiedDate}, ids[6:]},
			"since a part of a second": {cin7omni.ContactsQuery{Since: sixth.ModifiedDate.Add(999 * time.Millisecond)},
				ids[6:]},
			"both": {cin7omni.ContactsQuery{Since: sixth.ModifiedDate, Where: cin7omni.IDs(ids[1], ids[7])}, ids[7:8]},
			"name": {cin7omni.ContactsQuery{Where: cin7omni.Equal("company", "O'Hara 3")}, ids[3:4]},
			"none": {cin7omni.ContactsQuery{Where: cin7omni.Equal("company", "' OR '1'='1")}, nil},
		} {
			if got := read(tt.q); !slices.Equal(got, tt.want) {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
		}
		calls := len(a.Calls(sim.Cin7Omni, ""))
		if read(cin7omni.ContactsQuery{}); len(a.Calls(sim.Cin7Omni, ""))-calls != 4 { // of 4, 4, 2 and 0 rows
			t.Error("a list ends elsewhere than at an empty page")
		}
		p, err := a.ContactsPage(a.ctx, cin7omni.ContactsQuery{Fields: []string{"company"}})
		if err != nil || p.Items[0].Company != "O'Hara 0" || p.Items[0].Type != "" || p.Items[0].ModifiedDate.IsZero() {
			t.Errorf("%+v %v", p.Items[0], err)
		}
		_, err = a.ContactsPage(a.ctx, cin7omni.ContactsQuery{Where: "nobody='x'"})
		if rest.KindOf(err) != rest.Invalid || len(rest.MessagesOf(err)) == 0 {
			t.Error(err)
		}
	})
}

// TestCalls: 1,000 contacts are read with 5 calls, and nothing new with 1.
func TestCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAccount(t, sim.Options{NoLimits: true})
		for range 4 {
			a.make(slices.Repeat([]cin7omni.Contact{{Type: cin7omni.Customer}}, cin7omni.MaxBatch)...)
		}
		before := len(a.Calls(sim.Cin7Omni, ""))
		if all := a.held(); len(all) != 1000 || len(a.Calls(sim.Cin7Omni, ""))-before != 5 {
			t.Errorf("%d contacts with %d calls", len(all), len(a.Calls(sim.Cin7Omni, ""))-before)
		}
	})
}

// TestStocked: the contacts of a brand, awkward as they are, are read whole.
func TestStocked(t *testing.T) {
	a := newAccount(t, sim.Options{NoLimits: true})
	a.Account = a.Accounts()[0]
	c := clientOf(a.Bench, a.Account.Cin7Omni.Key)
	customers := 0
	for x, err := range c.Contacts(t.Context(), cin7omni.ContactsQuery{}) {
		if err != nil || x.Unread != nil {
			t.Fatal(x, err)
		}
		if x.Is(cin7omni.Customer) {
			customers++
		}
	}
	users, err := c.Users(t.Context())
	if err != nil || len(users) != 4 || users[0].Name() != "Mere Parata" || users[0].Email == "" || users[2].IsActive {
		t.Errorf("%+v %v", users, err)
	}
	columns, err := c.PriceColumns(t.Context())
	if want := append(cin7omni.StandardColumns(), "WholesaleAUD", "WholesaleUSD"); err != nil ||
		!slices.Equal(columns, want) || customers < 50 {
		t.Error(columns, customers, err)
	}
}

// TestFaults: each call fails before it had an effect, after it had one, and with nonsense; what is known of it then is
// true, and a write that is unknown is told by a look.
func TestFaults(t *testing.T) {
	calls := map[string]func(*account, []int64) error{
		"GET /v1/Contacts": func(a *account, _ []int64) error {
			_, err := a.ContactsPage(a.ctx, cin7omni.ContactsQuery{})
			return err
		},
		"GET /v1/Contacts/{id}": func(a *account, ids []int64) error { _, err := a.Contact(a.ctx, ids[0]); return err },
		"GET /v1/Users":         func(a *account, _ []int64) error { _, err := a.Users(a.ctx); return err },
		"GET /v1/ProductOptions": func(a *account, _ []int64) error {
			_, err := a.PriceColumns(a.ctx)
			return err
		},
		"POST /v1/Contacts": func(a *account, _ []int64) error {
			_, err := a.CreateContacts(a.ctx, []cin7omni.Contact{{Type: cin7omni.Customer, IntegrationRef: "new"}})
			return err
		},
		"PUT /v1/Contacts": func(a *account, ids []int64) error {
			_, err := a.UpdateContacts(a.ctx, []cin7omni.Change{{ID: ids[0], Fields: map[string]any{"fax": "new"}}})
			return err
		},
		"DELETE /v1/Contacts/{id}": func(a *account, ids []int64) error { return a.DeleteContact(a.ctx, ids[0]) },
	}
	// state is what the account holds, as far as the calls change it.
	state := func(a *account) string {
		var all []string
		for _, x := range a.held() {
			all = append(all, x.Company+x.IntegrationRef+x.Fax+";")
		}
		return strings.Join(slices.Sorted(slices.Values(all)), "")
	}
	const before = "Old;"
	done := map[string]string{"POST /v1/Contacts": "Old;new;", "PUT /v1/Contacts": "Oldnew;",
		"DELETE /v1/Contacts/{id}": ""}
	for call, do := range calls {
		for _, f := range []struct {
			kind, how string
			outcome   rest.Outcome
			effect    bool
		}{
			{"before", "refused", rest.Refused, false},
			{"before", "reset", rest.Unknown, false},
			{"before", "500", rest.Unknown, false},
			{"before", "503", rest.Unknown, false},
			{"html", "", rest.Unknown, false},
			{"throttle", "", rest.Refused, false},
			{"after", "reset", rest.Unknown, true},
			{"after", "502", rest.Unknown, true},
			{"after", "html", rest.Unknown, true},
			{"slow", "", rest.Done, true},
		} {
			t.Run(call+" "+f.kind+" "+f.how, func(t *testing.T) {
				a := newAccount(t, sim.Options{NoLimits: true})
				ids := a.make(cin7omni.Contact{Type: cin7omni.Customer, Company: "Old"})
				a.fault(strings.Replace(call, "{id}", fmt.Sprint(ids[0]), 1), f.kind, f.how)
				err := do(a, ids)
				if rest.OutcomeOf(err) != f.outcome {
					t.Errorf("%v, want it %v", err, f.outcome)
				}
				want, writes := done[call]
				if !f.effect || !writes {
					want = before
				}
				if got := state(a); got != want {
					t.Errorf("%q, want %q", got, want)
				}
				if err != nil {
					kind := map[string]rest.Kind{"throttle": rest.Throttled}[f.kind]
					if f.how == "refused" {
						kind = rest.NotSent
					}
					if f.outcome == rest.Refused && rest.KindOf(err) != kind {
						t.Errorf("%v", err)
					}
				}
			})
		}
	}
}

// TestKeys: what a key that is wrong or may not do something is answered with.
func TestKeys(t *testing.T) {
	a := newAccount(t, sim.Options{NoLimits: true})
	lists := []cin7omni.List{cin7omni.ContactList, cin7omni.UserList, cin7omni.OptionList}
	for _, l := range lists {
		if err := a.MayRead(a.ctx, l); err != nil {
			t.Error(l, err)
		}
	}
	wrong := clientOf(a.Bench, "another-key-than-that")
	if err := wrong.MayRead(a.ctx, cin7omni.ContactList); rest.KindOf(err) != rest.Unauthorized {
		t.Error(err)
	}
	a.Want(200, "PUT", "/sim/cin7omni/accounts/"+a.Account.Cin7Omni.Username, `{"permissions":{"contacts":["update"],
		"users":[],"productOptions":[]}}`, nil)
	for _, l := range lists {
		if err := a.MayRead(a.ctx, l); !errors.Is(err, cin7omni.ErrPermission) || rest.KindOf(err) != rest.Invalid {
			t.Error(l, err)
		}
	}
	if _, err := a.CreateContacts(a.ctx, []cin7omni.Contact{{}}); !errors.Is(err, cin7omni.ErrPermission) {
		t.Error(err)
	}
}

// echo answers with the credential that a call came with.
type echo struct{}

func (echo) RoundTrip(r *http.Request) (*http.Response, error) {
	rec := fixed{status: 400, body: `"` + r.Header.Get("Authorization") + " " + key + `"`}
	return rec.RoundTrip(r)
}

// TestSecrets: neither an error nor a recorded exchange has the key, however it is written.
func TestSecrets(t *testing.T) {
	c := cin7omni.New("https://omni.test/api", echo{}, nil, "KauriUser", key)
	var seen bytes.Buffer
	ctx := rest.WithRecorder(t.Context(), func(x rest.Exchange) { fmt.Fprintf(&seen, "%+v %s %v", x, x.Answer, x.Err) })
	err := c.MayRead(ctx, cin7omni.ContactList)
	fmt.Fprintf(&seen, "%+v %v %+v", err, rest.MessagesOf(err), c)
	r, _ := http.NewRequest("GET", "https://omni.test", nil)
	r.SetBasicAuth("KauriUser", key)
	_, coded, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	s := seen.String()
	if strings.Contains(s, key) || strings.Contains(s, coded) || !strings.Contains(s, "[redacted]") {
		t.Error(s)
	}
}
