package publish

import (
	"bytes"
	"encoding/json"
	"time"

	"stockbridge/internal/prose"
)

// State is what stands between what was told of a record and what is wanted of it.
type State string

// The states. "" = nothing does.
const (
	IsHeld     State = "held"     // it waits for a person's yes
	IsApproved State = "approved" // a person said yes; it goes with the next run
	IsDeclined State = "declined" // a person said no
	IsRefused  State = "refused"  // the far side said no
	IsPending  State = "pending"  // the far side has not decided
)

// Entry is what is kept of a record: what the far side was told, and how matters stand.
type Entry struct {
	Key
	Told    json.RawMessage `json:"told,omitempty"` // what the far side holds, as it last said; nil = nothing
	TheirID string          `json:"theirId,omitempty"`
	At      time.Time       `json:"at,omitzero"` // when it said so

	State State           `json:"state,omitempty"`
	Sent  json.RawMessage `json:"sent,omitempty"`  // what the state is about; nil = that the record goes
	Why   string          `json:"why,omitempty"`   // of the state, for people
	Since time.Time       `json:"since,omitzero"`  // of the state
	Due   time.Time       `json:"due,omitzero"`    // IsPending: about when it is decided. IsRefused: when it is tried again
	Again bool            `json:"again,omitempty"` // a person wants it sent again

	Doubt   *InDoubt `json:"doubt,omitempty"`
	Missing int      `json:"missing,omitempty"` // believable answers in a row that did not mention it

	Wait string `json:"wait,omitempty"` // IsPending: the waiting that lists it
	Pass string `json:"pass,omitempty"` // the last pass that did not find it wanted
}

// InDoubt is a telling whose answer nobody knows: it took effect, or will until a time, or never does.
type InDoubt struct {
	Until time.Time       `json:"until"`
	Data  json.RawMessage `json:"data,omitempty"` // what was sent last with data
	Goes  bool            `json:"goes,omitempty"` // what was sent last was that the record goes
	Over  bool            `json:"over,omitempty"` // something newer was told since, which it may overtake
}

// last is what was sent last without an answer.
func (d *InDoubt) last() json.RawMessage {
	if d.Goes {
		return nil
	}
	return d.Data
}

// is reports whether the entry's state is about this very value.
func (e Entry) is(s State, want json.RawMessage) bool {
	return e.State == s && bytes.Equal(want, e.Sent)
}

// was is what the far side holds, or may hold.
func (e Entry) was() json.RawMessage {
	if e.Told == nil && e.Doubt != nil {
		return e.Doubt.Data
	}
	return e.Told
}

// empty reports whether there is nothing to be known of the record.
func (e Entry) empty() bool { return e.Told == nil && e.State == "" && e.Doubt == nil }

// notable reports whether people may want to see the entry in a list of what is not simply told.
func (e Entry) notable() bool { return e.State != "" || e.Doubt != nil }

// overdue reports whether the far side should have decided by now.
func (e Entry) overdue(now time.Time) bool {
	return e.State == IsPending && !e.Due.IsZero() && now.After(e.Due)
}

// difference says how what is wanted (nil: that it is not there) differs from what was told, "" = not, and whether it
// is to be sent now, as far as that is not a person's to say.
func (e Entry) difference(want json.RawMessage, now time.Time) (why Why, send bool) {
	d := e.Doubt
	switch {
	case e.Again:
		return e.kind(want), true
	case e.State == IsPending:
		return Pending, false
	case e.is(IsRefused, want) && (e.Due.IsZero() || now.Before(e.Due)):
		return Refused, false
	case e.is(IsDeclined, want):
		return Declined, false
	case d != nil && !now.Before(d.Until):
		return Doubt, true
	case d != nil && !d.Over && bytes.Equal(want, d.last()), d != nil && d.Over && bytes.Equal(want, e.Told):
		return Doubt, false // it is sent again when the one before can take effect no more
	case d == nil && bytes.Equal(want, e.Told):
		return "", false
	}
	return e.kind(want), true
}

// kind is what sort of change it is to tell a value.
func (e Entry) kind(want json.RawMessage) Why {
	switch {
	case want == nil:
		return Gone
	case e.Told == nil:
		return Added
	}
	return Changed
}

// needsYes reports whether a value may need a person's yes: none has said so, and it was not sent before.
func (e Entry) needsYes(want json.RawMessage) bool {
	return !e.is(IsApproved, want) && (e.Doubt == nil || !bytes.Equal(want, e.Doubt.last()))
}

// plain returns the entry without a state.
func (e Entry) plain() Entry {
	e.State, e.Sent, e.Why, e.Since, e.Due, e.Again, e.Wait = "", nil, "", time.Time{}, time.Time{}, false, ""
	return e
}

// in returns the entry in a state about a value.
func (e Entry) in(s State, value json.RawMessage, why string, now time.Time) Entry {
	e = e.plain()
	e.State, e.Sent, e.Why, e.Since = s, value, cut(why), now.UTC()
	return e
}

// told returns the entry after the far side said that it has what was sent at a time.
func (e Entry) told(value json.RawMessage, theirID string, sent, now time.Time) Entry {
	e = e.plain()
	e.Told, e.At, e.Missing = value, now.UTC(), 0
	if theirID != "" {
		e.TheirID = theirID
	}
	if d := e.Doubt; d != nil && sent.Before(d.Until) {
		newer := *d
		newer.Over = true
		e.Doubt = &newer
	} else {
		e.Doubt = nil
	}
	return e
}

// refused returns the entry after the far side refused a value.
func (e Entry) refused(value json.RawMessage, res Result, now time.Time) Entry {
	e = e.in(IsRefused, value, res.Refused, now)
	e.Due, e.Missing = res.Due.UTC(), 0
	return e
}

// doubted returns the entry after something was sent of which nobody knows what became, and will not until a time.
func (e Entry) doubted(value json.RawMessage, until time.Time) Entry {
	e = e.plain()
	d := InDoubt{Until: until.UTC(), Data: value, Goes: value == nil}
	if old := e.Doubt; old != nil {
		if old.Until.After(d.Until) {
			d.Until = old.Until
		}
		if d.Goes {
			d.Data = old.Data
		}
	}
	e.Doubt = &d
	return e
}

// cut is a text of others as it is kept, on one line.
func cut(text string) string { return prose.Within(text, 300) }
