package alert

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/limit"
	"stockbridge/internal/prose"
	"stockbridge/internal/tenant"
)

// Job is the name of the job that looks.
const Job = "alerts"

// every is how often it looks.
const every = 5 * time.Minute

// Kind is the job's row. Teller.Look does it. Its schedule is for those whom Store.Due lists.
func Kind() job.Kind {
	return job.Kind{
		Name: Job, Help: "tells people what needs them, and when it is over", Every: every, Queue: job.Catalog,
		Class: limit.Second, Chosen: true,
	}
}

// Mailer sends e-mails.
type Mailer interface {
	// Send sends one. A *Refused says that it was not sent; any other error leaves it open.
	Send(ctx context.Context, m Email) error
}

// Email is one e-mail. Who it is from is the mailer's to know.
type Email struct {
	ID      string // of its message: the same where it is sent again
	To      []string
	Subject string
	Text    string
}

// Refused is why an e-mail was not sent.
type Refused struct {
	Why    string // a tenant reads it; "" = nothing is known that is for tenants
	Answer string // what the mail service said, for the log alone: it may name our own account
}

func (r *Refused) Error() string { return cmp.Or(r.Answer, r.Why) }

// Teller looks at what is wrong, and tells.
type Teller struct {
	*Store
	Mailer Mailer // nil = no e-mail is sent
	Guard  Guard
	// Wrong finds what is wrong at a tenant's, beside its connections. Matters whose keys begin with one of unsure may
	// be left out: such a matter is not over because it is not found.
	Wrong   func(ctx context.Context, b tenant.Bundle) (list []Matter, unsure []string, err error)
	Console string // the console's address, to link to; "" = nobody knows it
	Log     *slog.Logger
}

// Look compares what is wrong at a tenant's with what was told, and tells what is to be told.
func (t *Teller) Look(ctx context.Context, part *job.Part) error {
	a, err := t.Get(ctx, part.Tenant)
	if err != nil {
		return err
	}
	begun := t.now()
	if _, asks := a.asks(t.Times); asks {
		if err := t.askAll(ctx, part.Bundle); err != nil {
			return err
		}
	}
	if a.off() {
		return nil
	}
	// Looks leave no trace where nothing changed. Where the queue is behind by a schedule, they do: the messages that
	// were sent before one are many then, and have had theirs.
	behind := !part.At.IsZero() && begun.Sub(part.At) > every
	if behind && a.Looked.After(part.At) {
		return nil
	}
	wrong, unsure, err := t.Wrong(ctx, part.Bundle)
	if err != nil {
		return err
	}
	wrong = append(broken(part.Bundle), wrong...)
	for i := range wrong {
		wrong[i].Text, wrong[i].Fix = prose.Within(wrong[i].Text, mostText), prose.Within(wrong[i].Fix, mostText)
	}
	if err := t.tellAll(ctx, part.Bundle, a, wrong, unsure); err != nil || !behind {
		return err
	}
	_, err = t.change(ctx, part.Tenant, func(a *Alerts) (tenant.Ops, error) {
		a.Looked = job.Latest(a.Looked, begun)
		return nil, nil
	})
	return err
}

// tellAll tells in every way that is on, and sends the tests that were asked for.
func (t *Teller) tellAll(ctx context.Context, b tenant.Bundle, a Alerts, wrong []Matter, unsure []string) error {
	var failed error
	for _, w := range Ways() {
		if !a.On(w) {
			continue
		}
		if a.Channel(w).Test != nil {
			failed = errors.Join(failed, t.test(ctx, b, w))
		}
		failed = errors.Join(failed, t.tell(ctx, b, w, wrong, unsure))
	}
	return failed
}

// mostText bounds a sentence of a matter, in characters.
const mostText = 400

// brokenKind is the kind of broken's matters.
const brokenKind = "connection"

// broken are the connections that need a new key.
func broken(b tenant.Bundle) (list []Matter) {
	for _, sys := range tenant.Systems() {
		if _, connected := b.Connections[sys]; !connected {
			continue
		}
		if l := b.Lack(sys); l != nil {
			list = append(list, Matter{Key: brokenKind + "/" + string(sys), Text: l.String(),
				Fix: l.Fix + " What waits for it goes on by itself then."})
		}
	}
	return list
}

// tell sends what is to be told in one way, once it is written down.
func (t *Teller) tell(ctx context.Context, b tenant.Bundle, w Way, wrong []Matter, unsure []string) error {
	var m *Message
	a, err := t.change(ctx, b.Tenant.ID, func(a *Alerts) (tenant.Ops, error) {
		m = nil
		if a.On(w) {
			m = a.Channel(w).decide(found{wrong, unsure, t.now(), a.Frequency, a.zone(), t.Times})
		}
		return nil, nil
	})
	if err != nil || m == nil {
		return err
	}
	return t.deliver(ctx, b, a, w, *m)
}

// test sends a test message that a person asked for.
func (t *Teller) test(ctx context.Context, b tenant.Bundle, w Way) error {
	var m *Message
	a, err := t.change(ctx, b.Tenant.ID, func(a *Alerts) (tenant.Ops, error) {
		m = nil
		c := a.Channel(w)
		if now := t.now(); c.Test != nil && a.On(w) && !now.Before(c.Test.Until) {
			c.Test.Until = now.Add(t.Times.Attempt)
			m = &Message{ID: c.Test.ID, At: c.Test.Asked, Test: true}
		}
		return nil, nil
	})
	if err != nil || m == nil {
		return err
	}
	return t.deliver(ctx, b, a, w, *m)
}

// deliver sends a message and writes down what came of it.
func (t *Teller) deliver(ctx context.Context, b tenant.Bundle, a Alerts, w Way, m Message) error {
	limited, cancel := context.WithTimeout(ctx, t.Times.Call)
	defer cancel()
	var out Outcome
	if w == Mail {
		out = t.mail(limited, b, a, m)
	} else {
		out = t.hook(limited, b, a, m)
	}
	if ctx.Err() != nil {
		return ctx.Err() // the invocation is over: nobody's failure, and the message is sent again
	}
	_, err := t.change(ctx, b.Tenant.ID, func(a *Alerts) (tenant.Ops, error) {
		said := a.Channel(w).record(m, out, t.now(), t.Times)
		if said == "" {
			return nil, nil
		}
		op, err := ledger.RecordOp(ctx, b.Tenant.ID, ledger.Event{Kind: "alerts",
			Text: said + " " + a.where(w) + ". " + out.Text})
		return tenant.Ops{op}, err
	})
	return err
}

// where says where messages of one way go.
func (a *Alerts) where(w Way) string {
	if w == Mail {
		return "by e-mail"
	}
	return "at " + prose.Within(a.Host(), 100)
}

// mail sends a message by e-mail.
func (t *Teller) mail(ctx context.Context, b tenant.Bundle, a Alerts, m Message) Outcome {
	return t.send(ctx, b.Tenant.ID, Email{
		m.ID, a.confirmed(), m.subject(b.Tenant), m.text(b.Tenant, t.link(b.Tenant)),
	})
}

// send sends an e-mail of a tenant's.
func (t *Teller) send(ctx context.Context, tenantID string, e Email) Outcome {
	if t.Mailer == nil {
		return Outcome{Text: "E-mail is not set up here. Nothing was sent."}
	}
	err := t.Mailer.Send(ctx, e)
	refused, not := errors.AsType[*Refused](err)
	switch {
	case err == nil:
		return Outcome{Taken: true, Text: "It was handed to the mail service."}
	case not:
		t.Log.WarnContext(ctx, "an alert was refused", "tenant", tenantID, "way", string(Mail), "error", err)
		why := cmp.Or(refused.Why, "it gave no reason that you could mend. Ask whoever runs Stockbridge.")
		return Outcome{Text: "The mail service refused it: " + prose.Within(why, 200)}
	}
	t.Log.WarnContext(ctx, "an alert has no answer", "tenant", tenantID, "way", string(Mail), "error", err)
	return Outcome{Unknown: true, Text: "The mail service did not answer."}
}

// link is the address of a tenant's first page; "" = it is not known.
func (t *Teller) link(of tenant.Tenant) string {
	if t.Console == "" {
		return ""
	}
	return strings.TrimRight(t.Console, "/") + "/t/" + url.PathEscape(of.ID)
}
