package console

import (
	"cmp"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"stockbridge/internal/alert"
	"stockbridge/internal/job"
	"stockbridge/internal/tenant"
)

// alertsPage asks whom to tell of what needs somebody, and shows how telling goes.
type alertsPage struct {
	Faults          []fieldFault
	Note            string
	Secret          string // shown this once
	Address         string
	Version         string
	Save            bool // the person may
	NoMail          string
	Emails, URL     string
	EmailsF, URLF   string // what is wrong with them
	Often           []option
	Waiting         []waitingCard // those who have not confirmed
	Ask             string        // where their buttons send
	Ways            []wayCard
	On              bool // somebody is told
	Testing         bool
	Asking          bool   // an e-mail that asks for confirmation is on its way
	Test, NewSecret string // where the buttons send
	Made            moment // when the secret was; none = there is none
	Number          string // of the secret
	Host            string
}

// wayCard is how telling in one way goes.
type wayCard struct {
	ID, Title, State string
	Good, Bad        bool
	Why              string
	Again            bool // what did not arrive is sent again
	Sent             moment
	Retry            moment
	Told             []string
	Log              []deliveryRow
}

// waitingCard is who has not confirmed an address.
type waitingCard struct {
	Email, State, Why string
	Asked, Until      moment
	Again             bool   // a button asks once more
	Later             moment // from when on it does
}

type deliveryRow struct {
	At           moment
	What, Answer string
	Taken        bool
}

// frequencyWords are the answers to how often.
var frequencyWords = []option{
	{Value: string(alert.AtOnce), Label: "At once: within some minutes"},
	{Value: string(alert.Hourly), Label: "At most once an hour"},
	{Value: string(alert.Daily), Label: "Once a day, at 8 in the morning"},
}

var alertTitles = map[string]string{"emails": "E-mail addresses", "url": "HTTPS address", "frequency": "How often"}

func alertsPath(tenantID string) string { return tenantPath(tenantID) + "/settings/alerts" }

// alertsShown is what a page shows beside what is stored.
type alertsShown struct {
	typed  *typedAlerts // and not saved; nil = nothing
	faults tenant.FieldErrors
	note   string
	secret tenant.Secret
}

type typedAlerts struct{ emails, url, often string }

func (a *api) alertsPage(w http.ResponseWriter, r *http.Request, v visit) error {
	return a.showAlerts(w, r, v, http.StatusOK, alertsShown{})
}

func (a *api) showAlerts(w http.ResponseWriter, r *http.Request, v visit, status int, s alertsShown) error {
	al, err := a.Alerts.Get(r.Context(), v.Tenant.ID)
	if err != nil {
		return err
	}
	path := alertsPath(v.Tenant.ID)
	p := alertsPage{
		Note: s.note, Secret: string(s.secret), Address: path, Version: strconv.Itoa(al.Version),
		Save: v.person.Changes(), Emails: strings.Join(al.Emails, ", "), URL: al.URL,
		Often: chosen(frequencyWords, []option{{Value: string(frequencyOf(al))}}),
		On:    al.On(alert.Mail) || al.On(alert.Hook), Testing: al.Mail.Test != nil || al.Hook.Test != nil,
		Test: path + "/test", NewSecret: path + "/secret", Ask: path + "/ask",
	}
	if a.MailFrom == "" {
		p.NoMail = noMail
	}
	if al.URL != "" {
		p.Made, p.Number, p.Host = v.moment(al.Made), strconv.Itoa(al.Number), al.Host()
	}
	if !p.Save {
		p.URL = shortened(p.URL)
	}
	p.typed(s)
	for _, one := range al.Unconfirmed() {
		p.Waiting = append(p.Waiting, v.waitingCard(al, one, a.Alerts.Times))
		p.Asking = p.Asking || one.Ask && one.Answer == ""
	}
	for _, way := range alert.Ways() {
		if al.On(way) {
			p.Ways = append(p.Ways, v.wayCard(al, way))
		}
	}
	f := v.frame(r, "Alerts", p)
	f.Moving = (p.Testing || p.Asking) && safe(r.Method) // else the script would ask for what a form was sent to
	f.Sections = v.settingsMenu(path)
	return a.show(w, r, status, "alerts", f)
}

// typed puts what was typed, and what is wrong with it, in place of what is stored.
func (p *alertsPage) typed(s alertsShown) {
	if t := s.typed; t != nil {
		p.Emails, p.URL, p.Often = t.emails, t.url, chosen(frequencyWords, []option{{Value: t.often}})
	}
	for _, f := range s.faults {
		p.Faults = append(p.Faults, fieldFault{f.Field, alertTitles[f.Field], f.Message})
		switch f.Field {
		case "emails":
			p.EmailsF = joined(" ", p.EmailsF, f.Message)
		case "url":
			p.URLF = joined(" ", p.URLF, f.Message)
		}
	}
}

func (v visit) waitingCard(al alert.Alerts, one alert.Recipient, t alert.Times) waitingCard {
	c := waitingCard{Email: one.Email, State: "Waits for confirmation", Why: one.Answer, Asked: v.moment(one.Asked),
		Until: v.moment(one.LinkEnds(v.now))}
	askable := al.AskableAt(one.Email, t)
	switch {
	case one.Ask && one.Answer == "":
		c.State = "Is being asked"
	case one.Ask: // it goes by itself
		c.Later = v.moment(job.Latest(one.Retry, askable))
	case v.now.Before(askable):
		c.Later = v.moment(askable)
	default:
		c.Again = v.person.Changes()
	}
	return c
}

func (v visit) wayCard(al alert.Alerts, way alert.Way) wayCard {
	c := al.Channel(way)
	card := wayCard{ID: string(way), Title: "By e-mail", State: "Nothing was sent yet", Sent: v.moment(c.Sent)}
	if way == alert.Hook {
		card.Title = "At " + al.Host()
	}
	switch {
	case c.Failures > 0:
		card.State, card.Bad, card.Why, card.Again = "Does not arrive", true, c.Refusal(), c.Sending != nil
		if c.Retry.After(v.now) {
			card.Retry = v.moment(c.Retry)
		}
	case c.Sent.IsZero() && (len(c.Log) == 0 || !c.Log[0].Taken):
	case way == alert.Mail: // whether it arrives, nobody says
		card.State = "Handed to the mail service"
	default:
		card.State, card.Good = "Arrives", true
	}
	for _, t := range c.Told {
		card.Told = append(card.Told, t.Text)
	}
	for _, d := range c.Log {
		card.Log = append(card.Log, deliveryRow{
			v.moment(d.At), strings.ReplaceAll(d.What, " ", "\u00a0"), d.Answer, d.Taken,
		})
	}
	return card
}

// saveAlertsPage saves what was typed. Where that is refused, or somebody else saved meanwhile, the page comes again
// with it.
func (a *api) saveAlertsPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	version, err := strconv.Atoi(form.Get("version"))
	if err != nil || version < 0 {
		return notOurForm()
	}
	t := typedAlerts{form.Get("emails"), form.Get("url"), form.Get("frequency")}
	emails := strings.FieldsFunc(t.emails, func(c rune) bool { return strings.ContainsRune(",; \t\r\n", c) })
	_, secret, err := a.saveAlerts(r.Context(), v.Tenant, alert.Parse(emails, t.url, t.often), version)
	if errs, refused := errors.AsType[tenant.FieldErrors](err); refused {
		return a.showAlerts(w, r, v, http.StatusUnprocessableEntity, alertsShown{typed: &t, faults: errs})
	}
	if errors.Is(err, tenant.ErrChanged) {
		return a.showAlerts(w, r, v, http.StatusConflict, alertsShown{typed: &t, note: alertsChanged})
	}
	if err != nil {
		return err
	}
	if secret != "" {
		return a.showAlerts(w, r, v, http.StatusOK, alertsShown{secret: secret, note: notices["alerts"]})
	}
	http.Redirect(w, r, alertsPath(v.Tenant.ID)+"?said=alerts", http.StatusSeeOther)
	return nil
}

// alertsChanged is said to the second of two people who save at once.
const alertsChanged = "Somebody else saved this since you opened it. Below is what you typed; look at it again, and " +
	"press Save alerts to have it count instead of theirs."

// testAlertsPage has a test sent; pressed twice, one is.
func (a *api) testAlertsPage(w http.ResponseWriter, r *http.Request, v visit) error {
	err := a.askTest(r.Context(), v.Tenant.ID)
	if p, ok := errors.AsType[*problem](err); ok {
		return a.showAlerts(w, r, v, p.Status, alertsShown{note: p.Detail})
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, alertsPath(v.Tenant.ID), http.StatusSeeOther)
	return nil
}

// askRecipientPage asks an e-mail address once more; pressed twice, once.
func (a *api) askRecipientPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	if form.Get("email") == "" {
		return notOurForm()
	}
	err = a.askAgain(r.Context(), v.Tenant.ID, form.Get("email"))
	if p, ok := errors.AsType[*problem](err); ok {
		return a.showAlerts(w, r, v, p.Status, alertsShown{note: p.Detail})
	}
	if err != nil {
		return err
	}
	http.Redirect(w, r, alertsPath(v.Tenant.ID), http.StatusSeeOther)
	return nil
}

// alertSecretPage makes a new secret, and shows it in its answer and never again. Of one form there is one secret.
func (a *api) alertSecretPage(w http.ResponseWriter, r *http.Request, v visit) error {
	form, err := formOf(w, r)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(form.Get("number"))
	if err != nil || number < 0 {
		return notOurForm()
	}
	secret, err := a.makeAlertSecret(r.Context(), v.Tenant.ID, number)
	if errors.Is(err, tenant.ErrChanged) {
		return a.showAlerts(w, r, v, http.StatusConflict, alertsShown{note: secretMade})
	}
	if p, ok := errors.AsType[*problem](err); ok {
		return a.showAlerts(w, r, v, p.Status, alertsShown{note: p.Detail})
	}
	if err != nil {
		return err
	}
	return a.showAlerts(w, r, v, http.StatusOK, alertsShown{secret: secret})
}

// secretMade is said where a form that makes a secret is sent again.
const secretMade = "A new secret was made since you opened this page, and shown once. " +
	"If nobody copied it, make another."

// silent says on home that alerts do not arrive, and where; "" = they do, or there are none.
func (a *api) silent(r *http.Request, v visit) (string, error) {
	al, err := a.Alerts.Get(r.Context(), v.Tenant.ID)
	if err != nil {
		return "", err
	}
	var where, why string
	for _, way := range alert.Ways() {
		if c := al.Channel(way); al.On(way) && c.Silent() {
			where = joined(" and ", where, map[alert.Way]string{alert.Mail: "by e-mail",
				alert.Hook: "at " + al.Host()}[way]+" since "+v.moment(c.Failing).Words)
			why = cmp.Or(why, c.Refusal())
		}
	}
	if where == "" {
		return a.unconfirmed(al), nil
	}
	return "Alerts do not arrive " + where + ". " + why, nil
}

// unconfirmed says on home that nobody is told by e-mail, as nobody has confirmed an address; "" = somebody has, or
// none was to.
func (a *api) unconfirmed(al alert.Alerts) string {
	var waiting []string
	for _, one := range al.Unconfirmed() {
		waiting = append(waiting, one.Email)
	}
	if waiting == nil || al.On(alert.Mail) {
		return ""
	}
	return "Nobody gets alerts by e-mail yet: the link that was sent to " + strings.Join(waiting, ", ") +
		" was not followed."
}
