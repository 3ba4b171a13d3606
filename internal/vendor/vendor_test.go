package vendor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

const acme tenant.System = "acme"

// shop is a tenant, and a made-up vendor that answers what a test says.
type shop struct {
	*Vendors
	t      *testing.T
	tenant string
	tried  []tenant.Connection
	answer func(c tenant.Connection, s tenant.Secrets) (Account, error)
	spent  int
}

func open(t *testing.T, row Vendor) *shop {
	t.Helper()
	tab, err := table.Open("", table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tab.Close() })
	box, err := tenant.NewBox(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	s := &shop{t: t}
	s.answer = func(tenant.Connection, tenant.Secrets) (Account, error) { return Account{Name: "Kea"}, nil }
	row.System = acme
	row.Try = func(_ context.Context, c tenant.Connection, sec tenant.Secrets) (Account, error) {
		s.tried = append(s.tried, c)
		return s.answer(c, sec)
	}
	s.Vendors = New(Deps{
		Tenants: tenant.NewStore(tab, box), Ledger: ledger.New(tab),
		WebhookURL: func(sys tenant.System, token string) string {
			return "https://us.example/" + string(sys) + "/" + token
		},
		Spend: func(context.Context, tenant.Connection) { s.spent++ },
	}, row)
	tn, _, err := s.Tenants.Create(t.Context(), "Bush Larder", "")
	if err != nil {
		t.Fatal(err)
	}
	s.tenant = tn.ID
	return s
}

func (s *shop) connect(typed Credentials) (tenant.Connection, string, error) {
	return s.Vendors.Connect(s.t.Context(), s.tenant, acme, typed)
}

func (s *shop) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) events() (texts []string) {
	s.t.Helper()
	events, _, err := s.Ledger.Events(s.t.Context(), s.tenant, "", 10)
	s.must(err)
	for _, e := range events {
		texts = append(texts, e.Text)
	}
	return texts
}

// says wants an event that begins so.
func (s *shop) says(begins string) {
	s.t.Helper()
	said := s.events()
	if !slices.ContainsFunc(said, func(text string) bool { return strings.HasPrefix(text, begins) }) {
		s.t.Errorf("said is %q, want %q", said, begins)
	}
}

// keyed is a vendor whose accounts have ids, and who bears our secret; tokens is one whose tokens name the account.
var (
	keyed = Vendor{CallsUs: true, Fields: []Field{{Name: "accountId", Is: AccountID}, {Name: "key", Is: Key}}}
	token = Vendor{
		CallsUs: true, Exclusive: true, Paste: "Settings > Hooks",
		Fields: []Field{
			{Name: "token", Is: Key},
			{Name: "secret", Is: WebhookSecret, Optional: true,
				Check: func(v string) string {
					if len(v) < 3 {
						return "This is too short."
					}
					return ""
				},
				Works: func(v string) bool { return v != "" && v != "-" }},
		},
	}
)

// TestTyped: each field is told what is wrong with it, and what is left out stays.
func TestTyped(t *testing.T) {
	long := tenant.Secret(strings.Repeat("k", longest+1))
	for _, tt := range []struct {
		name   string
		row    Vendor
		stored Credentials // nothing = not connected
		typed  Credentials
		wrong  string // the fields that are refused
	}{
		{"nothing", keyed, Credentials{}, Credentials{}, "accountId key"},
		{"all", keyed, Credentials{}, Credentials{Account: " A-1\n", Key: "\ufeffk1 "}, ""},
		{"a key alone", keyed, Credentials{Account: "A-1", Key: "k1"}, Credentials{Key: "k2"}, ""},
		{"a key of two lines", keyed, Credentials{Account: "A-1", Key: "k1"}, Credentials{Key: "k\n2"}, "key"},
		{"a long key", keyed, Credentials{}, Credentials{Account: "A-1", Key: long}, "key"},
		{"what is not asked for", token, Credentials{}, Credentials{Account: "A-1", User: "u", Key: "k1"}, ""},
		{"a short secret", token, Credentials{Key: "k1"}, Credentials{WebhookSecret: "ab"}, "secret"},
		{"a secret alone", token, Credentials{Key: "k1"}, Credentials{WebhookSecret: "abc"}, ""},
	} {
		s := open(t, tt.row)
		if tt.stored.Key != "" {
			_, _, err := s.connect(tt.stored)
			s.must(err)
		}
		_, _, err := s.connect(tt.typed)
		var wrong []string
		fields, _ := errors.AsType[tenant.FieldErrors](err)
		for _, f := range fields {
			wrong = append(wrong, f.Field)
		}
		if got := strings.Join(wrong, " "); got != tt.wrong || err != nil && len(fields) == 0 {
			t.Errorf("%s: %v", tt.name, err)
		}
		if tt.wrong != "" {
			continue
		}
		c, err := s.Tenants.Connection(t.Context(), s.tenant, acme)
		s.must(err)
		sec, err := s.Vendors.Secrets(t.Context(), c)
		s.must(err)
		if sec.Key == "" || strings.ContainsFunc(string(sec.Key)+c.Account, noKey) ||
			c.Account != strings.ToLower(c.Account) {
			t.Errorf("%s: saved are %q and %q", tt.name, c.Account, string(sec.Key))
		}
	}
}

// TestTrial: a key is saved only after an answer, outside of the account's budget, and without the key in it.
func TestTrial(t *testing.T) {
	s := open(t, keyed)
	typed := Credentials{Account: "a-1", Key: "s3cr3t-key"}
	said := &ConnectError{Problem: ledger.Problem{Code: "otherAccount"}}
	for _, tt := range []struct {
		err   error
		code  string
		retry bool
	}{
		{&rest.Error{Who: "acme", Kind: rest.Unauthorized}, "keyRefused", false},
		{&rest.Error{Who: "acme", Kind: rest.Invalid}, "keyRefused", false},
		{&rest.Error{Who: "acme", Kind: rest.Throttled}, "noAnswer", true},
		{errors.New("no answer at all"), "noAnswer", true},
		{fmt.Errorf("wrapped: %w", said), "otherAccount", false},
	} {
		s.answer = func(tenant.Connection, tenant.Secrets) (Account, error) { return Account{}, tt.err }
		_, _, err := s.connect(typed)
		e, ok := errors.AsType[*ConnectError](err)
		if !ok || e.Problem.Code != tt.code || e.Retry != tt.retry {
			t.Errorf("%v: %v", tt.err, err)
		}
		if _, err := s.Tenants.Connection(t.Context(), s.tenant, acme); !errors.Is(err, tenant.ErrNotFound) {
			t.Errorf("%v: saved", tt.err)
		}
	}
	if s.spent != 0 || len(s.events()) != 0 {
		t.Errorf("%d calls were spent, %q", s.spent, s.events())
	}
	s.answer = func(c tenant.Connection, sec tenant.Secrets) (Account, error) {
		key := string(sec.Key)
		return Account{
			Name: "Kea " + key, Currency: key, TimeZone: strings.ToUpper(key), Warnings: []string{"Mind " + key},
		}, nil
	}
	c, url, err := s.connect(typed)
	s.must(err)
	all := fmt.Sprint(c, s.events())
	if strings.Contains(strings.ToLower(all), "s3cr3t") || !strings.Contains(all, rest.Redacted) {
		t.Errorf("the key is shown: %s", all)
	}
	if s.spent != 1 || !strings.HasPrefix(url, "https://us.example/acme/") {
		t.Errorf("%d calls were spent, %s", s.spent, url)
	}
	for _, c := range s.tried {
		if !c.Trial {
			t.Error("a trial out of the account's budget")
		}
	}
}

// TestSaid: an event says what a person changed, and webhooks bear a new secret with a new key.
func TestSaid(t *testing.T) {
	s := open(t, keyed)
	secret := func() tenant.Secret {
		c, err := s.Tenants.Connection(t.Context(), s.tenant, acme)
		s.must(err)
		sec, err := s.Vendors.Secrets(t.Context(), c)
		s.must(err)
		return sec.WebhookSecret
	}
	bears := map[tenant.Secret]bool{}
	for _, tt := range []struct {
		typed Credentials
		said  string
		same  bool
	}{
		{Credentials{Account: "a-1", Key: "k1"}, "acme was connected (Kea).", false},
		{Credentials{Key: "k1"}, "The key of acme was tested again: it works.", true},
		{Credentials{Key: "k2"}, "The key of acme was replaced;", false},
		{Credentials{Account: "a-2"}, "acme was connected to another account (Kea).", false},
	} {
		_, _, err := s.connect(tt.typed)
		s.must(err)
		s.says(tt.said)
		now := secret()
		if now == "" || bears[now] != tt.same {
			t.Errorf("%s The webhooks bear a secret of before: %t", tt.said, bears[now])
		}
		bears[now] = true
	}
	s = open(t, token)
	for _, tt := range []struct {
		typed Credentials
		said  string
	}{
		{Credentials{Key: "k1"}, "acme was connected (Kea)."},
		{Credentials{WebhookSecret: "abc"}, "The webhook secret of acme was saved."},
		{Credentials{WebhookSecret: "def", Key: "k2"}, "The key of acme was replaced; what waited for it goes on. " +
			"The webhook secret of acme was replaced;"},
	} {
		_, _, err := s.connect(tt.typed)
		s.must(err)
		s.says(tt.said)
	}
}

// listener is a pair that hears of changes.
type listener struct {
	connecting, connected []Change
	refuses, fails        error
}

func (l *listener) Connecting(_ context.Context, c Change) error {
	l.connecting = append(l.connecting, c)
	c.New.First = "first"
	return l.refuses
}

func (l *listener) Connected(_ context.Context, c Change) error {
	l.connected = append(l.connected, c)
	return l.fails
}

func (l *listener) Notes(_ tenant.Bundle, _ tenant.Connection, s tenant.Secrets) []string {
	return []string{fmt.Sprintf("%d characters", len(s.WebhookSecret))}
}

// TestPairsHear: a pair adds to a connection before it is saved, and hears of it once it is.
func TestPairsHear(t *testing.T) {
	s, ctx := open(t, token), t.Context()
	l, other := &listener{refuses: errors.New("not now")}, new(listener)
	s.Join(l, other)
	if _, _, err := s.connect(Credentials{Key: "k1"}); !errors.Is(err, l.refuses) || len(l.connected) != 0 {
		t.Errorf("refused: %v, %d heard", err, len(l.connected))
	}
	l.refuses = nil
	c, _, err := s.connect(Credentials{Key: "k1", WebhookSecret: "abcd"})
	s.must(err)
	if c.First != "first" || len(l.connected) != 1 || l.connected[0].Old != nil ||
		l.connected[0].New.Generation != c.Generation {
		t.Errorf("made: %+v", l.connected)
	}
	b, err := s.Tenants.Load(ctx, s.tenant)
	s.must(err)
	_, notes, url, err := s.Notes(ctx, b, c)
	if err != nil || !slices.Equal(notes, []string{"4 characters", "4 characters"}) || url == "" {
		t.Errorf("notes: %q, %q, %v", notes, url, err)
	}
	l.fails = errors.New("over there")
	if _, _, err := s.connect(Credentials{Key: "k2"}); !errors.Is(err, l.fails) {
		t.Errorf("a pair's failure: %v", err)
	}
	if last := l.connected[1]; last.Old == nil || last.Old.Generation != c.Generation || last.OldSecrets.Key != "k1" {
		t.Errorf("changed: %+v", last)
	}
	l.fails = nil
	s.must(s.Disconnect(ctx, s.tenant, acme))
	if last := l.connected[2]; last.New != nil || last.Old == nil || last.OldSecrets.Key != "k2" {
		t.Errorf("taken away: %+v", last)
	}
	if len(other.connected) != 3 {
		t.Errorf("a second pair heard of %d changes, where the first one failed at one", len(other.connected))
	}
	if err := s.Disconnect(ctx, s.tenant, acme); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("taken away twice: %v", err)
	}
}

// TestTooManyTrials: the vendor is not asked, and a person is told until when.
func TestTooManyTrials(t *testing.T) {
	s := open(t, keyed)
	var taken []string
	s.Take = func(_ context.Context, kind, name string, _ limit.Budget) error {
		if taken = append(taken, kind); kind == "trial" && name != "" {
			return &limit.Wait{Until: time.Now().Add(time.Minute)}
		}
		return nil
	}
	_, _, err := s.connect(Credentials{Account: "a-1", Key: "k1"})
	e, ok := errors.AsType[*ConnectError](err)
	if !ok || e.Problem.Code != "tooManyTrials" || e.After < 50*time.Second || e.After > time.Minute ||
		len(s.tried) > 0 {
		t.Errorf("%v after %d trials", err, len(s.tried))
	}
	if !slices.Equal(taken, []string{"trial"}) || !strings.Contains(e.Problem.Fix, "Pacific/Auckland") {
		t.Errorf("taken of %q: %+v", taken, e.Problem)
	}
}
