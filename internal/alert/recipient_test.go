package alert

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

// linkIn is the token of an e-mail's link.
var linkIn = regexp.MustCompile(`https://console\.example\.com/confirm/([^/\s]+)/(\S+)`)

// tokens are those of the questions that an address was sent, and how many other e-mails it got.
func (r *rig) tokens(email string) (tokens []string, alerts int) {
	r.t.Helper()
	for _, m := range r.mails.sent {
		found := linkIn.FindStringSubmatch(m.Text)
		switch {
		case !slices.Contains(m.To, email):
		case found == nil:
			alerts++
		case len(m.To) != 1 || found[1] != r.of.ID:
			r.t.Errorf("a question to %v of %s", m.To, found[1])
		default:
			tokens = append(tokens, found[2])
		}
	}
	return tokens, alerts
}

// TestRecipientsConfirm: who did not follow the link of an e-mail gets no alert; a link counts once, for its address.
func TestRecipientsConfirm(t *testing.T) {
	r := newRig(t)
	r.save(Setup{Emails: []string{"ana@example.com", "ben@example.com"}, Frequency: AtOnce})
	r.wrong = []Matter{matter("TEA", 1)}
	for range 30 {
		r.tick(soon)
	}
	ana, told := r.tokens("ana@example.com")
	ben, also := r.tokens("ben@example.com")
	if len(ana) != 1 || len(ben) != 1 || told+also != 0 || ana[0] == ben[0] {
		t.Fatalf("%+v", r.mails.sent)
	}
	if text := r.mails.sent[0].Text; !strings.Contains(text, "Aroha Foods") || strings.Contains(text, "TEA") {
		t.Errorf("the question: %s", text)
	}
	writes := r.table.writes
	if r.tick(soon); r.table.writes != writes {
		t.Error("a look writes while people think about it")
	}
	stored, err := table.Read(t.Context(), r.table, key(r.of.ID))
	if err != nil || bytes.Contains(stored.Data, []byte(ana[0])) {
		t.Errorf("the table knows a link that counts: %v", err)
	}
	for _, wrong := range []string{"", "x", ana[0] + "x", strings.ToLower(ana[0])} {
		if _, err := r.Confirm(t.Context(), r.of.ID, wrong); !errors.Is(err, ErrNoLink) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
	if _, err := r.Confirm(t.Context(), "another", ana[0]); !errors.Is(err, ErrNoLink) {
		t.Errorf("of another tenant: %v", err)
	}
	if email, err := r.Asked(t.Context(), r.of.ID, ana[0]); err != nil || email != "ana@example.com" {
		t.Errorf("%s %v", email, err)
	}
	if email, err := r.Confirm(t.Context(), r.of.ID, ana[0]); err != nil || email != "ana@example.com" {
		t.Errorf("%s %v", email, err)
	}
	if _, err := r.Confirm(t.Context(), r.of.ID, ana[0]); !errors.Is(err, ErrNoLink) {
		t.Errorf("a second time: %v", err)
	}
	r.tick(soon)
	_, told = r.tokens("ana@example.com")
	if _, also = r.tokens("ben@example.com"); told != 1 || also != 0 {
		t.Errorf("%d e-mails to who confirmed, %d to who did not", told, also)
	}
	if got := strings.Join(r.events(), "|"); !strings.Contains(got, "ana@example.com was confirmed by the link") {
		t.Errorf("events: %s", got)
	}
	// Whoever is taken out is asked again, and the links of before count for nothing.
	r.save(Setup{Emails: []string{"ana@example.com"}, Frequency: AtOnce})
	if _, err := r.Confirm(t.Context(), r.of.ID, ben[0]); !errors.Is(err, ErrNoLink) {
		t.Errorf("one who was taken out: %v", err)
	}
	r.save(Setup{Frequency: AtOnce})
	r.save(Setup{Emails: []string{"ANA@example.com"}, Frequency: AtOnce})
	r.tick(soon)
	if a := r.stored(); len(a.Unconfirmed()) != 1 || a.On(Mail) {
		t.Errorf("%+v", a.Recipients)
	}
	if _, err := r.Tenants.Erase(t.Context(), r.of.ID); err != nil {
		t.Fatal(err)
	}
	again, _ := r.tokens("ANA@example.com")
	if _, err := r.Confirm(t.Context(), r.of.ID, again[0]); !errors.Is(err, tenant.ErrNotFound) {
		t.Errorf("of a tenant that is erased: %v", err)
	}
}

// TestLinksEnd: a link counts for three days; one who is asked again may use either.
func TestLinksEnd(t *testing.T) {
	r := newRig(t)
	r.save(Setup{Emails: []string{"ana@example.com"}, Frequency: AtOnce})
	r.tick(soon)
	if err := r.AskAgain(t.Context(), r.of.ID, "ana@example.com"); !errors.Is(err, ErrSoon) {
		t.Errorf("asked again at once: %v", err)
	}
	r.clock = r.clock.Add(2 * 24 * time.Hour)
	if err := r.AskAgain(t.Context(), r.of.ID, "Ana@example.com"); err != nil {
		t.Fatal(err)
	}
	if err := r.AskAgain(t.Context(), r.of.ID, "ana@example.com"); !errors.Is(err, ErrSoon) {
		t.Errorf("asked twice: %v", err)
	}
	r.tick(0)
	tokens, _ := r.tokens("ana@example.com")
	if len(tokens) != 2 {
		t.Fatalf("%d questions", len(tokens))
	}
	for _, token := range tokens {
		if _, err := r.Asked(t.Context(), r.of.ID, token); err != nil {
			t.Error(err)
		}
	}
	r.clock = r.clock.Add(24 * time.Hour)
	if _, err := r.Confirm(t.Context(), r.of.ID, tokens[0]); !errors.Is(err, ErrNoLink) {
		t.Errorf("after three days: %v", err)
	}
	if _, err := r.Confirm(t.Context(), r.of.ID, tokens[1]); err != nil {
		t.Error(err)
	}
	for _, email := range []string{"ana@example.com", "eve@example.com"} { // confirmed, and none of ours
		if err := r.AskAgain(t.Context(), r.of.ID, email); !errors.Is(err, ErrOff) {
			t.Errorf("%s: %v", email, err)
		}
	}
}

// TestQuestionsAreFew: whatever a tenant types and presses, an address gets three questions a day, and all together
// twenty.
func TestQuestionsAreFew(t *testing.T) {
	r := newRig(t)
	for n := range 24 * 12 {
		emails := []string{"ana@example.com"}
		if n%2 == 0 {
			emails = append(emails, fmt.Sprintf("victim%d@example.com", n))
		}
		r.save(Setup{Emails: emails, Frequency: AtOnce})
		_ = r.AskAgain(t.Context(), r.of.ID, "ana@example.com")
		r.tick(soon - time.Second)
	}
	tokens, _ := r.tokens("ana@example.com")
	if len(tokens) != 3 || len(r.mails.sent) != 20 {
		t.Errorf("%d questions to one, %d to all", len(tokens), len(r.mails.sent))
	}
	r.save(Setup{Emails: []string{"ana@example.com", "new@example.com"}, Frequency: AtOnce})
	for range 24 * 12 {
		r.tick(soon)
	}
	if tokens, _ := r.tokens("new@example.com"); len(tokens) != 1 {
		t.Errorf("a day later one who had to wait was asked %d times", len(tokens))
	}
}

// TestQuestionsArrive: a question that was refused is sent later, one without an answer a few times a day at most, and
// each of its links counts.
func TestQuestionsArrive(t *testing.T) {
	for fail, most := range map[string]int{"before": 1, "lost": 4} {
		r := newRig(t)
		r.save(Setup{Emails: []string{"ana@example.com"}, Frequency: AtOnce})
		r.mails.fail = fail
		for range 5 * 12 {
			r.tick(soon)
		}
		if one := r.stored().Recipients[0]; !one.Ask || one.Answer == "" {
			t.Errorf("%s: %+v", fail, one)
		}
		r.mails.fail = ""
		for range 30 * 12 {
			r.tick(soon)
		}
		tokens, _ := r.tokens("ana@example.com")
		one := r.stored().Recipients[0]
		if n := len(tokens); n == 0 || n > most || one.Ask || one.Answer != "" {
			t.Fatalf("%s: %d questions, %+v", fail, n, one)
		}
		if _, err := r.Confirm(t.Context(), r.of.ID, tokens[max(0, len(tokens)-2)]); err != nil {
			t.Errorf("%s: %v", fail, err)
		}
	}
	// One that nobody can be led from is none.
	r := newRig(t)
	r.Console = ""
	r.save(Setup{Emails: []string{"ana@example.com"}, Frequency: AtOnce})
	if r.tick(soon); len(r.mails.sent) != 0 || !strings.Contains(r.stored().Recipients[0].Answer, "no link") {
		t.Errorf("%+v", r.stored().Recipients)
	}
}

// TestAskedByOne: of two who look at once, one asks.
func TestAskedByOne(t *testing.T) {
	r := newRig(t)
	r.save(Setup{Emails: []string{"ana@example.com"}, Frequency: AtOnce})
	r.mails.on = func() { r.mails.on = nil; r.tick(0) }
	r.tick(soon)
	if len(r.mails.sent) != 1 {
		t.Errorf("%d questions", len(r.mails.sent))
	}
}

// TestStoredBefore: who was told before anybody had to confirm is asked, and gets nothing until then; what they were
// told already is not told again.
func TestStoredBefore(t *testing.T) {
	r := newRig(t)
	r.setUp(Setup{Emails: []string{"ana@example.com"}, Frequency: AtOnce})
	r.wrong = []Matter{matter("TEA", 1)}
	r.tick(soon)
	a := r.stored()
	a.Recipients = nil // as it was stored
	it, err := r.item(r.of.ID, a)
	if err == nil {
		it.Index, it.Sort = index, "0#"+r.of.ID
		err = r.table.Write(t.Context(), table.Save(it))
	}
	if err != nil {
		t.Fatal(err)
	}
	r.wrong = append(r.wrong, matter("CAKE", 1))
	for range 3 {
		r.tick(soon)
	}
	tokens, told := r.tokens("ana@example.com")
	if len(tokens) != 1 || told != 1 {
		t.Fatalf("%d questions, %d alerts", len(tokens), told)
	}
	if _, err := r.Confirm(t.Context(), r.of.ID, tokens[0]); err != nil {
		t.Fatal(err)
	}
	r.tick(soon)
	last := r.mails.sent[len(r.mails.sent)-1].Text
	last, _, _ = strings.Cut(last, "This was told before")
	if _, told := r.tokens("ana@example.com"); told != 2 || !strings.Contains(last, "CAKE") ||
		strings.Contains(last, "TEA") {
		t.Errorf("%d alerts, the last %s", told, last)
	}
}
