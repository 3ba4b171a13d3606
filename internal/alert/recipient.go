package alert

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// ErrNoLink says that a link of an e-mail counts no more, or never did.
var ErrNoLink = errors.New("the link does not count")

const (
	// mostAsked and mostAskedOf are how many questions a tenant may have sent in a day, in all and to one address: else
	// whoever sets alerts up here could fill anybody's mailbox.
	mostAsked   = 20
	mostAskedOf = 3
	// mostLinks is how many links to one recipient count at a time: of a question that was sent again, either may be
	// the one that arrived.
	mostLinks = mostAskedOf
)

// Recipient is one who is to be told by e-mail, and is once the link in an e-mail was followed and confirmed.
type Recipient struct {
	Email     string    `json:"email"` // as it was confirmed; until then, as it was typed
	Confirmed time.Time `json:"confirmed,omitzero"`
	Ask       bool      `json:"ask,omitempty"`   // the question is to be sent
	Asked     time.Time `json:"asked,omitzero"`  // when it was last sent, or tried
	Until     time.Time `json:"until,omitzero"`  // it is being sent, and its sender is given up then
	Retry     time.Time `json:"retry,omitzero"`  // it is not sent before
	Answer    string    `json:"answer,omitzero"` // why it was not taken, a sentence; "" = it was
	Links     []Link    `json:"links,omitempty"` // that were sent, the newest first
}

// Link is one that was sent. What follows its address is known to who got it alone.
type Link struct {
	Hash  string    `json:"hash"`
	Until time.Time `json:"until"`
}

// LinkEnds is when the last link that was sent counts no more; zero = none does.
func (r Recipient) LinkEnds(now time.Time) time.Time {
	for _, l := range r.Links {
		if now.Before(l.Until) {
			return l.Until
		}
	}
	return time.Time{}
}

// question is one that was sent.
type question struct {
	Email string    `json:"email"`
	At    time.Time `json:"at"`
}

// recipientsOf are those of some e-mail addresses: who was one stays as they are, whoever is new is to be asked.
func recipientsOf(emails []string, were []Recipient) (list []Recipient) {
	for _, e := range emails {
		r := Recipient{Email: e, Ask: true}
		if at := indexOf(were, e); at >= 0 {
			r = were[at]
		}
		list = append(list, r)
	}
	return list
}

func indexOf(list []Recipient, email string) int {
	return slices.IndexFunc(list, func(r Recipient) bool { return strings.EqualFold(r.Email, email) })
}

// confirmed are the addresses that are told.
func (a *Alerts) confirmed() (emails []string) {
	for _, r := range a.Recipients {
		if !r.Confirmed.IsZero() {
			emails = append(emails, r.Email)
		}
	}
	return emails
}

// Unconfirmed are those who get nothing yet.
func (a *Alerts) Unconfirmed() (list []Recipient) {
	return slices.DeleteFunc(slices.Clone(a.Recipients), func(r Recipient) bool { return !r.Confirmed.IsZero() })
}

// AskableAt is from when on a question may be sent to an address; zero = any time.
func (a *Alerts) AskableAt(email string, t Times) (at time.Time) {
	of := slices.DeleteFunc(slices.Clone(a.Questions), func(q question) bool {
		return !strings.EqualFold(q.Email, email)
	})
	if n := len(of); n > 0 {
		at = of[n-1].At.Add(t.Ask)
	}
	if n := len(of); n >= mostAskedOf {
		at = job.Latest(at, of[n-mostAskedOf].At.Add(t.Day))
	}
	if n := len(a.Questions); n >= mostAsked {
		at = job.Latest(at, a.Questions[n-mostAsked].At.Add(t.Day))
	}
	return at
}

// asks is when the next question is to be sent; on is false where none is.
func (a *Alerts) asks(t Times) (next time.Time, on bool) {
	for _, r := range a.Recipients {
		if !r.Ask {
			continue
		}
		at := job.Latest(job.Latest(r.Retry, r.Until), a.AskableAt(r.Email, t))
		if !on || at.Before(next) {
			next, on = at, true
		}
	}
	return next, on
}

// AskAgain has a recipient who has not confirmed asked once more. ErrOff where there is none of that address, ErrSoon
// where it was asked a moment ago, or too often today.
func (s *Store) AskAgain(ctx context.Context, tenantID, email string, with ...tenant.With[Alerts]) error {
	_, err := s.change(ctx, tenantID, func(a *Alerts) (tenant.Ops, error) {
		at := indexOf(a.Recipients, email)
		switch {
		case at < 0 || !a.Recipients[at].Confirmed.IsZero():
			return nil, ErrOff
		case a.Recipients[at].Ask || s.now().Before(a.AskableAt(email, s.Times)):
			return nil, ErrSoon
		}
		a.Recipients[at].Ask = true
		return s.beside(ctx, tenantID, *a, with)
	})
	return err
}

// Asked is the address that a link was sent to, and that it may still confirm; ErrNoLink where it may not.
func (s *Store) Asked(ctx context.Context, tenantID, token string) (email string, err error) {
	a, err := s.Get(ctx, tenantID)
	if err != nil {
		return "", err
	}
	at := a.linked(token, s.now())
	if at < 0 {
		return "", ErrNoLink
	}
	return a.Recipients[at].Email, nil
}

// Confirm has an address told what is wrong from now on, by a link that was sent to it and counts once; ErrNoLink where
// it does not. An event says so.
func (s *Store) Confirm(ctx context.Context, tenantID, token string) (email string, err error) {
	_, err = s.change(ctx, tenantID, func(a *Alerts) (tenant.Ops, error) {
		at := a.linked(token, s.now())
		if at < 0 {
			return nil, ErrNoLink
		}
		r := &a.Recipients[at]
		email = r.Email
		*r = Recipient{Email: email, Confirmed: s.now().Truncate(time.Second)}
		a.Mail = a.Mail.changed(false, s.now(), s.Times)
		return s.beside(ctx, tenantID, *a, []tenant.With[Alerts]{func(Alerts) (tenant.Ops, error) {
			op, err := ledger.RecordOp(ledger.WithActor(ctx, email), tenantID, ledger.Event{Kind: "alerts",
				Text: email + " was confirmed by the link that was sent there, and gets alerts from now on."})
			return tenant.Ops{op}, err
		}})
	})
	return email, err
}

// linked is the place of the recipient whom a link was sent to; -1 = it counts no more.
func (a *Alerts) linked(token string, now time.Time) int {
	hash := hashOf(token)
	return slices.IndexFunc(a.Recipients, func(r Recipient) bool {
		return slices.ContainsFunc(r.Links, func(l Link) bool { return l.Hash == hash && now.Before(l.Until) })
	})
}

func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// ConfirmPath is where the links of e-mails lead; a tenant's id and the link's token follow.
const ConfirmPath = "/confirm/"

// askAll sends the questions that are due.
func (t *Teller) askAll(ctx context.Context, b tenant.Bundle) error {
	for {
		token, r, err := t.nextQuestion(ctx, b.Tenant.ID)
		if err != nil || token == "" {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, t.Times.Call)
		out := t.question(limited, b.Tenant, token, r)
		cancel()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := t.answered(ctx, b.Tenant.ID, r, out); err != nil {
			return err
		}
	}
}

// nextQuestion chooses whom to ask now, and writes the link down that it returns; "" = nobody is.
func (t *Teller) nextQuestion(ctx context.Context, tenantID string) (token string, chosen Recipient, err error) {
	_, err = t.change(ctx, tenantID, func(a *Alerts) (tenant.Ops, error) {
		now := t.now()
		token = ""
		at := slices.IndexFunc(a.Recipients, func(r Recipient) bool {
			return r.Ask && !now.Before(job.Latest(job.Latest(r.Retry, r.Until), a.AskableAt(r.Email, t.Times)))
		})
		if at < 0 {
			return nil, nil
		}
		r := &a.Recipients[at]
		token = rand.Text()
		r.Asked, r.Until = now, now.Add(t.Times.Attempt)
		r.Links = append([]Link{{hashOf(token), now.Add(t.Times.Link)}}, r.Links...)
		r.Links = r.Links[:min(len(r.Links), mostLinks)]
		a.Questions = slices.DeleteFunc(a.Questions, func(q question) bool { return now.Sub(q.At) >= t.Times.Day })
		a.Questions = append(a.Questions, question{r.Email, now})
		chosen = *r
		return nil, nil
	})
	return token, chosen, err
}

// question asks one recipient.
func (t *Teller) question(ctx context.Context, of tenant.Tenant, token string, r Recipient) Outcome {
	if t.Console == "" {
		return Outcome{Text: "The address of these pages is not set up here, so that no link can lead to them. " +
			"Ask whoever runs Stockbridge."}
	}
	name := prose.Within(of.Name, 60)
	link := strings.TrimRight(t.Console, "/") + ConfirmPath + url.PathEscape(of.ID) + "/" + token
	return t.send(ctx, of.ID, Email{"ask_" + hashOf(token), []string{r.Email},
		name + ": do you want to get alerts?", fmt.Sprintf(
			"Somebody at %s wants Stockbridge to send you an e-mail when its orders or connections need a person.\n\n"+
				"If you want that, open this page and press its button:\n%s\n\n"+
				"The link counts once, until %s. If you do not want it, do nothing: no alerts are sent to you then.\n",
			name, link, of.Clock(r.Asked.Add(t.Times.Link)))})
}

// answered writes down what came of a question, where it is still the one that was sent last. One that was surely not
// sent does not count among those of the day.
func (t *Teller) answered(ctx context.Context, tenantID string, asked Recipient, out Outcome) error {
	_, err := t.change(ctx, tenantID, func(a *Alerts) (tenant.Ops, error) {
		at := indexOf(a.Recipients, asked.Email)
		if at < 0 || !a.Recipients[at].Asked.Equal(asked.Asked) || !a.Recipients[at].Ask {
			return nil, nil // it was removed meanwhile, or confirmed
		}
		r := &a.Recipients[at]
		r.Ask, r.Until, r.Answer = !out.Taken, time.Time{}, ""
		if out.Taken {
			return nil, nil
		}
		r.Answer = out.Text
		if !out.Unknown {
			r.Retry = t.now().Add(t.Times.Hour)
			a.Questions = slices.DeleteFunc(a.Questions, func(q question) bool {
				return q.Email == asked.Email && q.At.Equal(asked.Asked)
			})
		}
		return nil, nil
	})
	return err
}
