package joorcin7

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"stockbridge/internal/joor"
	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// What JOOR should hold is a set: the connections that contacts should be, of those that JOOR has, and of those that
// somebody wants uploaded, or a setting does. Of a linked one that cannot be sent as it is, or that nobody wants sent,
// it is what JOOR has.

// want lists what JOOR should hold.
func (r *run) want(ctx context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
	return func(yield func(publish.Record, error) bool) {
		v, err := r.view(ctx, r.b)
		if err != nil {
			yield(publish.Record{}, err)
			return
		}
		for s, err := range r.everyStanding(ctx, r.b, v, after.ID) {
			rec := publish.Record{Key: publish.Key{ID: s.id}}
			if err == nil {
				rec.Data, err = v.data(s)
			}
			if err != nil {
				yield(rec, err)
				return
			}
			if rec.Data != nil && !yield(rec, nil) {
				return
			}
		}
	}
}

// data is a customer's connection as JOOR should hold it; nil = JOOR need not know it.
func (v view) data(s standing) (json.RawMessage, error) {
	last := s.last()
	switch {
	case !s.fit():
		return last, nil
	case last != nil, s.wanted == JobUpload, v.alone(s):
		return s.ours.Pack()
	}
	return nil, nil
}

// alone reports whether a new customer goes to JOOR by itself.
func (v view) alone(s standing) bool {
	return v.rules.Settings.Upload && v.rules.Settings.UploadAlone && s.kept == nil
}

// hold says why a change is not sent; "" = it is.
func (v view) hold(c publish.Change) string {
	s := v.rules.Settings
	if !c.Told {
		_, kept := v.kept[c.ID]
		switch {
		case !s.Upload:
			return switchedOff(s, JobUpload)
		case c.Was != nil: // somebody wanted it sent, and nobody knows whether it is there
			return ""
		case v.wanted[JobUpload][c.ID], s.UploadAlone && !kept:
			return ""
		}
		return "It waits for Upload Customers."
	}
	was, err := customer.ReadConnection(c.Was)
	switch {
	case !s.Update:
		return switchedOff(s, JobUpdate)
	case err != nil || was.Code == "": // a bulk job finds connections by their codes, and would make another one
		return "Its connection gets a customer code first."
	case v.wanted[JobUpdate][c.ID], s.UpdateAlone:
		return ""
	}
	return "It waits for Update Customers."
}

// set is what JOOR should hold, with JOOR as its far side.
func (r *run) set(ctx context.Context) (publish.Set, error) {
	client, err := r.joor(ctx)
	if err != nil {
		return publish.Set{}, err
	}
	v, err := r.view(ctx, r.b)
	if err != nil {
		return publish.Set{}, err
	}
	set := shelfOf(r.b)
	set.Title, set.Want, set.To, set.Hold, set.Still = "customers", r.want, side{r, client}, v.hold, r.still
	set.Label = func(rec publish.Record) string {
		c, err := customer.ReadConnection(rec.Data)
		if err != nil {
			return rec.ID
		}
		return c.Name
	}
	return set, nil
}

// still ends a part whose tenant is not as it was when the part began: what it would send may be of an account that is
// not connected any more, or a setting may be switched off. The next part finds how it is.
func (r *run) still(ctx context.Context) error {
	now, err := r.Tenants.Load(ctx, r.Part.Tenant)
	if errors.Is(err, tenant.ErrNotFound) {
		return r.Part.Soon()
	}
	if err != nil {
		return err
	}
	for _, sys := range Systems() {
		c, was := now.Connections[sys], r.b.Connections[sys]
		if c.Generation != was.Generation || c.State != tenant.Connected || c.Account != was.Account {
			return r.Part.Soon()
		}
	}
	if now.Version != r.b.Version {
		return r.Part.Soon()
	}
	return nil
}

// tell has JOOR told, and returns nil when it has everything, or has said why not, or looks at it.
func (r *run) tell(ctx context.Context) error {
	set, err := r.set(ctx)
	if err != nil {
		return err
	}
	of, err := r.publisher.Tell(ctx, r.Run, set)
	if of != nil {
		r.Count("refused", of.Result["refused"])
	}
	return err
}

// joor is a client of the connections' account.
func (r *run) joor(ctx context.Context) (*joor.Client, error) {
	conn := r.b.Connections[tenant.JOOR]
	secrets, err := r.Vendors.Secrets(ctx, conn)
	if err != nil {
		return nil, err
	}
	return r.JOOR(conn, secrets, true), nil
}

// choose leaves out what is wanted and cannot be sent, with the reason.
func (r *run) choose(ctx context.Context) error {
	wishes, ids, err := r.own(ctx)
	if err != nil {
		return err
	}
	all, err := r.standings(ctx, r.b, ids)
	if err != nil {
		return err
	}
	var again []publish.Key
	r.Progress.Of, r.Progress.Left, r.Progress.Result, r.place.Counts = len(ids), nil, nil, nil
	for _, s := range all {
		if why := s.unsendable(r.Part.Kind.Name); why != "" {
			r.leave(s, why)
			r.Count("leftOut", 1)
			continue
		}
		r.Count("wanted", 1)
		refused := s.entry.State == publish.IsRefused && s.isSent(s.entry)
		overdue := s.pending() && !s.entry.Due.IsZero() && r.Now().After(s.entry.Due)
		if refused || overdue {
			again = append(again, s.entry.Key)
		}
	}
	if len(wishes) > 0 {
		if err := r.unsure(ctx); err != nil {
			return err
		}
		r.touch(ids...)
	}
	_, err = r.publisher.Decide(ctx, r.Part.Tenant, shelfOf(r.b), publish.SendAgain, nil, again...)
	return err
}

// own are the wishes that the run grants, and the ids of them.
func (r *run) own(ctx context.Context) (own []wish, ids []string, err error) {
	all, err := r.wished(ctx, r.b)
	for _, w := range all {
		if w.kind == r.Part.Kind.Name {
			own = append(own, w)
			ids = append(ids, w.IDs...)
		}
	}
	slices.Sort(ids)
	return own, slices.Compact(ids), err
}

// unsendable says why a customer that somebody wants sent is not; "" = it is.
func (s standing) unsendable(kind string) string {
	switch {
	case s.contact == nil:
		return "It is not a customer in Cin7 Omni any more."
	case !s.contact.Active:
		return "It is inactive in Cin7 Omni."
	case kind == JobUpload && s.linked():
		return "JOOR has it already: changes go by Update Customers."
	case kind == JobUpload && s.sending():
		return "It was sent, and JOOR works on it."
	case kind == JobUpdate && !s.linked():
		return "JOOR does not have it yet."
	case len(s.faults) > 0:
		return strings.Join(s.faults, " ")
	}
	return ""
}

// leave notes for people that a customer was left out.
func (r *run) leave(s standing, why string) {
	name := s.theirs.Name
	if s.contact != nil {
		name = s.contact.Name()
	}
	r.Progress.Leave(ledger.LeftOut{ID: s.id, Name: name, Why: why})
}

// codes gives connections that were linked and have no customer code the contact's id as code: JOOR's bulk job finds
// them by it.
func (r *run) codes(ctx context.Context) error {
	client, err := r.joor(ctx)
	if err != nil {
		return err
	}
	v, err := r.view(ctx, r.b)
	if err != nil {
		return err
	}
	for s, err := range r.everyStanding(ctx, r.b, v, r.place.After) {
		if err != nil {
			return err
		}
		wants := v.rules.Settings.Update && (v.wanted[JobUpdate][s.id] || v.rules.Settings.UpdateAlone)
		if !wants || !s.linked() || s.theirs.Code != "" || s.entry.TheirID == "" || !s.fit() || !s.differs() {
			continue
		}
		if err := r.code(ctx, client, s); err != nil {
			return err
		}
		r.place.After = s.id
		if err := r.Save(ctx); err != nil {
			return err
		}
	}
	return nil
}

// code gives one connection its code, with all that it should hold. It may be repeated.
func (r *run) code(ctx context.Context, client *joor.Client, s standing) error {
	if err := r.still(ctx); err != nil {
		return err
	}
	if err := r.unsure(ctx); err != nil {
		return err
	}
	r.touch(s.id)
	err := r.Part.Call(ctx, func(ctx context.Context) error {
		return client.Update(ctx, s.entry.TheirID, sentOf(s.ours, r.rules.Account))
	})
	switch {
	case rest.KindOf(err) == rest.NotFound:
		return r.removed(ctx, s)
	case rest.KindOf(err) == rest.Invalid && rest.OutcomeOf(err) == rest.Refused:
		r.leave(s, "JOOR refused it: "+strings.Join(rest.MessagesOf(err), " "))
		return nil
	case err != nil:
		return err
	}
	data, err := s.ours.Pack()
	if err != nil {
		return err
	}
	return r.publisher.Learn(ctx, r.Part.Tenant, shelfOf(r.b),
		publish.Seen{Record: publish.Record{Key: s.entry.Key, Data: data}, TheirID: s.entry.TheirID})
}

// removed notes that JOOR has a connection no more: its contact is not linked, and does not go there by itself.
func (r *run) removed(ctx context.Context, s standing) error {
	if err := r.keepBack(ctx, r.b, s.id, "Its connection was removed in JOOR."); err != nil {
		return err
	}
	if err := r.publisher.Learn(ctx, r.Part.Tenant, shelfOf(r.b),
		publish.Seen{Record: publish.Record{Key: s.entry.Key}}); err != nil {
		return err
	}
	return r.Ledger.Record(ctx, r.Part.Tenant, ledger.Event{Kind: "joor", Text: fmt.Sprintf(
		"JOOR has the connection of %s no more. The customer is listed for upload again.", nameOfStanding(s))})
}

func nameOfStanding(s standing) string {
	if s.contact != nil {
		return s.contact.Name()
	}
	return s.theirs.Name
}

// sum says what became of what somebody wanted sent, and forgets the wishes that the run answers. What it says is on
// record before that: whoever goes on after it would find none of them.
func (r *run) sum(ctx context.Context) error {
	wishes, ids, err := r.own(ctx)
	if err != nil {
		return err
	}
	if r.place.After == "" {
		if err := r.sumUp(ctx, ids); err != nil {
			return err
		}
		r.place.After = "said"
		if err := r.Save(ctx); err != nil {
			return err
		}
	}
	if len(ids) > 0 {
		if err := r.unsure(ctx); err != nil {
			return err
		}
		r.touch(ids...)
		if err := r.granted(ctx, slices.DeleteFunc(wishes, func(w wish) bool {
			return w.At.After(r.Progress.Begun) // somebody asked since: the run goes on
		})); err != nil {
			return err
		}
	}
	if err := r.said(ctx); err != nil {
		return err
	}
	return r.restandTouched(ctx)
}

// sumUp counts what became of customers that somebody wanted sent.
func (r *run) sumUp(ctx context.Context, ids []string) error {
	if err := r.restandTouched(ctx); err != nil {
		return err
	}
	all, err := r.standings(ctx, r.b, ids)
	if err != nil {
		return err
	}
	r.place.Counts, r.Progress.Done, r.Progress.Left, r.Progress.Result = nil, 0, nil, nil
	for _, s := range all {
		name, why := s.outcome(r.Part.Kind.Name)
		r.Count(name, 1)
		if why != "" {
			r.leave(s, why)
		} else {
			r.Progress.Done++
		}
	}
	r.Progress.Of = len(ids)
	return nil
}

// outcome is what became of a customer that somebody wanted sent: a name to count by, and why it was not; "" = it was.
func (s standing) outcome(kind string) (name, why string) {
	told := s.linked() && !s.differs()
	switch {
	case s.sending():
		return "sending", ""
	case s.pending():
		return "inReview", ""
	case told && kind == JobUpload:
		return "uploaded", ""
	case told:
		return "updated", ""
	case s.entry.State == publish.IsRefused:
		return "refused", "JOOR refused it: " + s.entry.Why
	case s.entry.State == publish.IsHeld:
		return "leftOut", s.entry.Why
	}
	if why = s.unsendable(kind); why == "" {
		why = "It changed while it was sent. Send it again."
	}
	return "leftOut", why
}

// said records what a run came to, unless that is nothing.
func (r *run) said(ctx context.Context) error {
	c, n := r.place.Counts, r.Progress.Of
	if n == 0 {
		return nil
	}
	var parts []string
	for _, of := range []struct{ name, text string }{
		{"uploaded", "are in JOOR"}, {"updated", "were updated"}, {"inReview", "are in review at JOOR"},
		{"sending", "are being worked on"}, {"refused", "were refused"}, {"leftOut", "were left out"},
	} {
		if c[of.name] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c[of.name], of.text))
		}
	}
	text := fmt.Sprintf("Customers were sent to JOOR: of %d, %s.", n, strings.Join(parts, ", "))
	return r.Ledger.RecordOnce(ctx, r.Part.Tenant, r.Progress.Begun, "joor "+r.Progress.ID,
		ledger.Event{Kind: "joor", Text: text})
}

// wake has work go on that nobody is at: what people asked for and nobody has begun, and runs whose message was given
// up or lost. No schedule starts these jobs. Then it does as stand.
func (r *run) wake(ctx context.Context) error {
	wishes, err := r.wished(ctx, r.b)
	if err != nil {
		return err
	}
	wanted := wantedOf(wishes)
	for _, k := range r.Jobs() {
		if k.Every > 0 {
			continue
		}
		stranded, err := r.stranded(ctx, k.Name)
		if err == nil && (stranded || len(wanted[k.Name]) > 0) {
			err = r.Runner.Kick(ctx, r.Part.Tenant, k.Name)
		}
		if err != nil {
			return err
		}
	}
	return r.stand(ctx)
}

// stranded reports whether the run of a kind is to go on, and neither has a worker its turn nor is a message expected.
func (r *run) stranded(ctx context.Context, kind string) (bool, error) {
	last, err := r.Ledger.LastProgress(ctx, r.Part.Tenant, kind)
	if errors.Is(err, ledger.ErrNotFound) {
		return false, nil
	}
	if err != nil || !last.IsOpen() || last.Turn.Until.After(r.Now()) {
		return false, err
	}
	cur, err := r.Ledger.Cursor(ctx, r.Part.Tenant, kind)
	return err == nil && !cur.Again.After(r.Now()), err
}

// afterJOOR starts once a day a reading of JOOR's connections.
func (r *run) afterJOOR(ctx context.Context) error {
	read, err := r.downloadOf(ctx, r.b)
	if err != nil || r.Now().Sub(read.At) < r.Times.Reread {
		return err
	}
	return r.Runner.Kick(ctx, r.Part.Tenant, JobDownload)
}
