package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"stockbridge/internal/alert"
	"stockbridge/internal/tenant"
)

// alertsAnswer is whom a tenant wants to be told, and how that goes.
type alertsAnswer struct {
	Emails     []string        `json:"emails"`
	URL        *string         `json:"url"` // without what follows its host, for those who only read
	Frequency  alert.Frequency `json:"frequency"`
	MailFrom   *string         `json:"mailFrom"` // null: no e-mail is sent here
	Changed    *time.Time      `json:"changed"`  // null: nothing was saved yet
	By         *string         `json:"by"`
	SecretMade *time.Time      `json:"secretMade"`
	Secret     *string         `json:"secret"`     // shown this once, when it is made
	Recipients []recipientAns  `json:"recipients"` // of emails
	Ways       []wayAnswer     `json:"ways"`
}

// recipientAns is whether an e-mail address was confirmed.
type recipientAns struct {
	Email     string     `json:"email"`
	Confirmed *time.Time `json:"confirmed"` // null: it gets no alerts yet
	Asked     *time.Time `json:"asked"`     // when the question was last sent, or tried
	Until     *time.Time `json:"until"`     // when its link counts no more; null: none does
	Why       *string    `json:"why"`       // the last question was not taken
}

// wayAnswer is how telling in one way goes.
type wayAnswer struct {
	Way      alert.Way        `json:"way"`
	On       bool             `json:"on"`
	Told     []matterAnswer   `json:"told"`    // and not known to be over
	Waiting  bool             `json:"waiting"` // a message was not taken yet, and is sent again
	Testing  bool             `json:"testing"` // a test is on its way
	Sent     *time.Time       `json:"lastSent"`
	Failures int              `json:"failures"` // messages in a row that were not taken
	Failing  *time.Time       `json:"failing"`  // since when
	Retry    *time.Time       `json:"nextAttempt"`
	Log      []deliveryAnswer `json:"log"` // newest first
}

type matterAnswer struct {
	Key     string `json:"key"`
	Message string `json:"message"`
	Orders  int    `json:"orders"` // that waited when it was told
}

type deliveryAnswer struct {
	At     time.Time `json:"at"`
	What   string    `json:"what"`
	Taken  bool      `json:"taken"`
	Answer string    `json:"answer"`
}

// alertsOf is an answer about alerts. whole says that it is for those who may change them: to others it leaves out what
// the address may hide in its path.
func (a *api) alertsOf(al alert.Alerts, secret tenant.Secret, whole bool) alertsAnswer {
	address := al.URL
	if !whole {
		address = shortened(address)
	}
	ans := alertsAnswer{
		Emails: append([]string{}, al.Emails...), URL: known(address), Frequency: frequencyOf(al),
		MailFrom: known(a.MailFrom), Changed: when(al.Changed), By: known(al.By), SecretMade: when(al.Made),
		Secret: known(string(secret)), Recipients: []recipientAns{},
	}
	for _, one := range al.Recipients {
		ans.Recipients = append(ans.Recipients, recipientAns{one.Email, when(one.Confirmed), when(one.Asked),
			when(one.LinkEnds(time.Now())), known(one.Answer)})
	}
	for _, w := range alert.Ways() {
		ans.Ways = append(ans.Ways, wayOf(al, w))
	}
	return ans
}

// frequencyOf is how often a tenant wants to be told, also where nothing was saved yet.
func frequencyOf(al alert.Alerts) alert.Frequency {
	if al.Frequency == "" {
		return alert.AtOnce
	}
	return al.Frequency
}

func wayOf(al alert.Alerts, w alert.Way) wayAnswer {
	c := al.Channel(w)
	ans := wayAnswer{
		Way: w, On: al.On(w), Told: []matterAnswer{}, Waiting: c.Sending != nil, Testing: c.Test != nil,
		Sent: when(c.Sent), Failures: c.Failures, Failing: when(c.Failing), Retry: when(c.Retry),
		Log: []deliveryAnswer{},
	}
	for _, t := range c.Told {
		ans.Told = append(ans.Told, matterAnswer{t.Key, t.Text, t.Orders})
	}
	for _, d := range c.Log {
		ans.Log = append(ans.Log, deliveryAnswer{d.At.UTC(), d.What, d.Taken, d.Answer})
	}
	return ans
}

func (a *api) getAlerts(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	al, err := a.Alerts.Get(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(al.Version))
	return respond(w, r, http.StatusOK, a.alertsOf(al, "", changes(r)))
}

// putAlerts saves whom to tell. What the body leaves out is none, or the default.
func (a *api) putAlerts(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var emails []string
	var address *string
	var often string
	if err := decode(w, r, false, map[string]any{
		"emails": &emails, "url": &address, "frequency": &often,
	}); err != nil {
		return err
	}
	was, err := a.Alerts.Get(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	version, err := wantedVersion(r, was.Version)
	if err != nil {
		return err
	}
	saved, secret, err := a.saveAlerts(r.Context(), b.Tenant, alert.Parse(emails, text(address), often), version)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(saved.Version))
	return respond(w, r, http.StatusOK, a.alertsOf(saved, secret, changes(r)))
}

// saveAlerts saves whom to tell, where the setup is still of a version (-1 = whichever), with an event, and has what is
// wrong now told soon. A secret that was made for it comes back, this once.
func (a *api) saveAlerts(
	ctx context.Context, of tenant.Tenant, s alert.Setup, version int,
) (alert.Alerts, tenant.Secret, error) {
	if len(s.Emails) > 0 && a.MailFrom == "" {
		return alert.Alerts{}, "", tenant.FieldErrors{{Field: "emails", Message: noMail}}
	}
	saved, secret, err := a.Alerts.Save(ctx, of, s, version, a.Guard, func(al alert.Alerts) (tenant.Ops, error) {
		return events(ctx, of.ID, "alerts", "Alerts were changed: "+alertsWords(al.Setup))
	})
	if err == nil {
		a.lookSoon(ctx, of.ID)
	}
	return saved, secret, err
}

const noMail = "No e-mail is sent from here: whoever runs Stockbridge has not set it up."

// lookSoon has a tenant's alerts looked at. If the message is lost, the next schedule does it.
func (a *api) lookSoon(ctx context.Context, tenantID string) {
	_ = a.Jobs.Start(ctx, tenantID, alert.Job, 0)
}

// alertsWords say who is told and how often, without what an address may hide in its path.
func alertsWords(s alert.Setup) string {
	var parts []string
	if n := len(s.Emails); n > 0 {
		parts = append(parts, "by e-mail to "+strings.Join(s.Emails, ", "))
	}
	if s.URL != "" {
		parts = append(parts, "at "+s.Host())
	}
	if parts == nil {
		return "nobody is told."
	}
	often := map[alert.Frequency]string{alert.AtOnce: "at once", alert.Hourly: "at most once an hour",
		alert.Daily: "once a day"}[s.Frequency]
	return strings.Join(parts, " and ") + ", " + often + "."
}

// shortened is an address without what follows its host, which often is a secret: who knows it may send there.
func shortened(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "…"
	}
	begins := u.Scheme + "://" + u.Host
	if rest := strings.TrimPrefix(address, begins); rest == "" || rest == "/" {
		return address
	}
	return begins + "/…"
}

func (a *api) testAlerts(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	if err := a.askTest(r.Context(), b.Tenant.ID); err != nil {
		return err
	}
	al, err := a.Alerts.Get(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, a.alertsOf(al, "", changes(r)))
}

// askTest has a test message sent.
func (a *api) askTest(ctx context.Context, tenantID string) error {
	err := a.Alerts.AskTest(ctx, tenantID, func(al alert.Alerts) (tenant.Ops, error) {
		return events(ctx, tenantID, "alerts", "A test alert was asked for.")
	})
	switch {
	case errors.Is(err, alert.ErrOff):
		return a.nobodyTold(ctx, tenantID)
	case errors.Is(err, alert.ErrSoon):
		return &problem{Status: http.StatusTooManyRequests, Detail: "A test was sent a moment ago. Wait a minute.",
			after: a.Alerts.Times.Test}
	case err == nil:
		a.lookSoon(ctx, tenantID)
	}
	return err
}

// nobodyTold says why no test can be sent.
func (a *api) nobodyTold(ctx context.Context, tenantID string) error {
	al, err := a.Alerts.Get(ctx, tenantID)
	if err != nil {
		return err
	}
	why := "Nobody is told yet. Save an address first."
	if len(al.Emails) > 0 {
		why = "Nobody has confirmed an e-mail address yet. A test is sent to those who have."
	}
	return &problem{Status: http.StatusConflict, Detail: why}
}

// askRecipient asks an e-mail address once more whether to be told.
func (a *api) askRecipient(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var email string
	if err := decode(w, r, false, map[string]any{"email": &email}); err != nil {
		return err
	}
	if err := a.askAgain(r.Context(), b.Tenant.ID, email); err != nil {
		return err
	}
	al, err := a.Alerts.Get(r.Context(), b.Tenant.ID)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusAccepted, a.alertsOf(al, "", changes(r)))
}

func (a *api) askAgain(ctx context.Context, tenantID, email string) error {
	email = strings.TrimSpace(email)
	err := a.Alerts.AskAgain(ctx, tenantID, email, func(alert.Alerts) (tenant.Ops, error) {
		return events(ctx, tenantID, "alerts", email+" is asked once more whether to get alerts.")
	})
	switch {
	case errors.Is(err, alert.ErrOff):
		return &problem{Status: http.StatusConflict,
			Detail: "No e-mail address of that name waits for confirmation. Save it first."}
	case errors.Is(err, alert.ErrSoon):
		return &problem{Status: http.StatusTooManyRequests, after: a.Alerts.Times.Ask,
			Detail: "It was asked a moment ago, or three times today. Try again later."}
	case err == nil:
		a.lookSoon(ctx, tenantID)
	}
	return err
}

func (a *api) newAlertSecret(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := decode(w, r, true, nil); err != nil {
		return err
	}
	secret, err := a.makeAlertSecret(r.Context(), b.Tenant.ID, -1)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, map[string]string{"secret": string(secret)})
}

// makeAlertSecret replaces the secret that signs what is sent to the address, where that is still the one of a number
// (-1 = whichever).
func (a *api) makeAlertSecret(ctx context.Context, tenantID string, number int) (tenant.Secret, error) {
	secret, err := a.Alerts.NewSecret(ctx, tenantID, number, func(al alert.Alerts) (tenant.Ops, error) {
		return events(ctx, tenantID, "alerts", "A new secret for alerts at "+al.Host()+
			" was made. The one before signs beside it for a day.")
	})
	if errors.Is(err, alert.ErrOff) {
		return "", &problem{Status: http.StatusConflict, Detail: "There is no HTTPS address. Save one first."}
	}
	return secret, err
}
