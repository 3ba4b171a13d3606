package alert

import (
	"net/url"
	"slices"
	"time"

	"stockbridge/internal/tenant"
)

// Matter is one thing that is wrong.
type Matter struct {
	Key    string `json:"key"`              // kind/name: what has the same key is the same matter
	Text   string `json:"text"`             // what is wrong, a sentence
	Fix    string `json:"fix,omitempty"`    // what would put it right
	Orders int    `json:"orders,omitempty"` // that wait for it; 0 = it is of no order
}

// Frequency is how often messages are sent at most.
type Frequency string

// The frequencies.
const (
	AtOnce Frequency = "atOnce" // with the next look
	Hourly Frequency = "hourly" // an hour after the one before
	Daily  Frequency = "daily"  // in the morning
)

// Frequencies lists them, the default first.
func Frequencies() []Frequency { return []Frequency{AtOnce, Hourly, Daily} }

// Setup is whom a tenant wants to be told.
type Setup struct {
	Emails    []string  `json:"emails,omitempty"` // of those who are to get each message; none = nothing is sent by e-mail
	URL       string    `json:"url,omitempty"`    // "" = none is called
	Frequency Frequency `json:"frequency,omitempty"`
}

// Host is the host of URL; "" = there is none.
func (s Setup) Host() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// same reports whether two setups are the same.
func (s Setup) same(o Setup) bool {
	return slices.Equal(s.Emails, o.Emails) && s.URL == o.URL && s.Frequency == o.Frequency
}

// Way is how a message goes.
type Way string

// The ways.
const (
	Mail Way = "email"
	Hook Way = "https"
)

// Ways lists them.
func Ways() []Way { return []Way{Mail, Hook} }

// Alerts are a tenant's: the setup, and what was told.
type Alerts struct {
	Setup
	Version int       `json:"version"` // of the setup; 0 = none was saved yet
	Changed time.Time `json:"changed"`
	By      string    `json:"by,omitempty"` // who saved it

	Sealed []byte    `json:"sealed,omitempty"` // the secrets that sign what goes to URL
	Made   time.Time `json:"made,omitzero"`    // when the secret that counts was
	Number int       `json:"number,omitempty"` // of that secret: how many were made
	Mail   Channel   `json:"mail"`             // what was told by e-mail
	Hook   Channel   `json:"hook"`             // what was told to URL
	Tested time.Time `json:"tested,omitzero"`  // when a person last asked for a test
	Looked time.Time `json:"looked,omitzero"`  // when a look began whose message had waited for long
	Zone   string    `json:"zone,omitempty"`   // the tenant's time zone, in whose morning is daily

	Recipients []Recipient `json:"recipients,omitempty"` // of Emails, in their order
	Questions  []question  `json:"questions,omitempty"`  // that were sent to any in a day, the newest last

	rev string
}

// On reports whether somebody is told in a way.
func (a *Alerts) On(w Way) bool {
	if w == Mail {
		return len(a.confirmed()) > 0
	}
	return a.URL != ""
}

// off reports whether nobody is told.
func (a *Alerts) off() bool { return !a.On(Mail) && !a.On(Hook) }

// Channel is what is known of one way.
func (a *Alerts) Channel(w Way) *Channel {
	if w == Mail {
		return &a.Mail
	}
	return &a.Hook
}

// Channel is what was told in one way, and how that went.
type Channel struct {
	Told    []Told     `json:"told,omitempty"`    // and not known to be over
	Sending *Sending   `json:"sending,omitempty"` // on its way, or not taken yet
	Test    *Test      `json:"test,omitempty"`    // asked for, and not answered yet
	Sent    time.Time  `json:"sent,omitzero"`     // when a message was last taken
	Log     []Delivery `json:"log,omitempty"`     // newest first

	// Of changes of where it goes, by which what was told is told once more.
	Again []time.Time `json:"again,omitempty"` // when they were, for an hour
	Rest  time.Time   `json:"rest,omitzero"`   // nothing is sent before

	// Of messages that were not taken, since one was.
	Failures int       `json:"failures,omitempty"`
	Failing  time.Time `json:"failing,omitzero"` // since when
	Retry    time.Time `json:"retry,omitzero"`   // the next is not sent before
}

// Silent reports whether messages have not been taken for so long that people are to be told in another way.
func (c *Channel) Silent() bool { return c.Failures >= failuresSaid }

// Refusal is what came of the last message that was not taken; "" = nobody remembers.
func (c *Channel) Refusal() string {
	for _, d := range c.Log {
		if !d.Taken {
			return d.Answer
		}
	}
	return ""
}

// Told is a matter that was told.
type Told struct {
	Matter
	Doubt bool      `json:"doubt,omitempty"` // it was sent, and nobody knows whether it was taken
	Gone  time.Time `json:"gone,omitzero"`   // since when no look finds it
}

// Sending is a message on its way.
type Sending struct {
	Message  Message   `json:"message"`
	Until    time.Time `json:"until"`              // its sender is given up then
	Answered bool      `json:"answered,omitempty"` // it came back; the message is to be sent again
}

// Test is a test message that a person asked for.
type Test struct {
	ID    string    `json:"id"`
	Asked time.Time `json:"asked"`
	Until time.Time `json:"until,omitzero"` // it is being sent, and its sender is given up then
}

// Delivery is how one message went.
type Delivery struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"` // "2 new", "Test"
	Taken  bool      `json:"taken,omitempty"`
	Answer string    `json:"answer"` // a sentence
}

// Message is what is sent at once.
type Message struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"`
	Test   bool      `json:"test,omitempty"`
	New    []Matter  `json:"new,omitempty"`
	Healed []Matter  `json:"healed,omitempty"`
	Open   []Matter  `json:"open,omitempty"` // told before, and still wrong
}

// Outcome is what came of a message.
type Outcome struct {
	Taken   bool
	Unknown bool   // not taken as far as is known, and it may have been
	Text    string // a sentence
}

// Secrets sign what is sent to an address: the newest first.
type Secrets struct {
	Current tenant.Secret
	Old     []tenant.Replaced
}
