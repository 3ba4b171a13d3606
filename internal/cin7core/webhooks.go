package cin7core

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"

	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
)

// Webhook is a URL that the account calls when something happens. The vendor does not sign the call; it only proves
// that the caller knows the bearer token.
type Webhook struct {
	ID                string `rest:"guid"`
	Type              string // SaleShipmentAuthorised and others
	Active            bool   `json:"IsActive"` // the vendor clears it after six failed attempts at one event
	URL               string `json:"ExternalURL"`
	AuthorizationType string `json:"ExternalAuthorizationType"` // noauth, basicauth, bearerauth
	BearerToken       string `json:"ExternalBearerToken"`       // a secret, which the vendor returns in the clear
}

// BearerAuth is the AuthorizationType with which BearerToken is sent.
const BearerAuth = "bearerauth"

// Types of webhooks, as a Webhook's Type and a WebhookHint's EventType.
const (
	SaleShipmentAuthorised            = "Sale/ShipmentAuthorised"
	SaleShipmentTrackingNumberChanged = "Sale/ShipmentTrackingNumberChanged"
	SaleVoided                        = "Sale/Voided"
	SaleUndo                          = "Sale/Undo"
	SaleBackordered                   = "Sale/Backordered"
)

// MaxWebhooks is how many webhooks of one type an account may have.
const MaxWebhooks = 5

// ErrNoAutomation is wrapped in the error of a webhook method if the account lacks the paid Automation module. How the
// vendor says so is undocumented. Any refusal to list webhooks that is not about credentials is taken for it; for
// writes, a 403 or a sentence that names the module. The error's Kind is Invalid, never Unauthorized: the key is good.
var ErrNoAutomation = errors.New("the account has no Automation module")

// Webhooks lists all webhooks of the account. The bodies of this and the other webhook calls hold tokens and passwords
// in the clear, so they must not be recorded.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	return c.webhooks(ctx, http.MethodGet, nil, nil)
}

// CreateWebhook registers a webhook. The vendor chooses its ID and the fields that Webhook does not have.
func (c *Client) CreateWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	w.ID = ""
	return c.writeWebhook(ctx, http.MethodPost, w)
}

// UpdateWebhook overwrites the whole webhook with the ID: a user name, password and headers given by a person are lost.
func (c *Client) UpdateWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	return c.writeWebhook(ctx, http.MethodPut, w)
}

// DeleteWebhook removes a webhook.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	_, err := c.webhooks(ctx, http.MethodDelete, url.Values{"ID": {id}}, nil)
	return err
}

func (c *Client) writeWebhook(ctx context.Context, method string, w Webhook) (Webhook, error) {
	ctx = rest.WithSecrets(ctx, w.BearerToken, path.Base(w.URL)) // the address ends in a token
	all, err := c.webhooks(ctx, method, nil,
		wireWebhook{w.ID, w.Type, w.Active, w.URL, w.AuthorizationType, w.BearerToken})
	if err != nil {
		return Webhook{}, err
	}
	// The answer may hold more than the one written; of equal ones the newest comes last.
	for i := len(all) - 1; i >= 0; i-- {
		if got := all[i]; got.URL == w.URL && got.Type == w.Type && isID(got.ID) &&
			(w.ID == "" || strings.EqualFold(got.ID, w.ID)) {
			return got, nil
		}
	}
	return Webhook{}, c.MalformedAnswer(method, "/webhooks", "the webhook is not in the answer")
}

func (c *Client) webhooks(ctx context.Context, method string, query url.Values, in any) ([]Webhook, error) {
	var answer struct {
		Webhooks []Webhook `rest:"named"`
	}
	err := c.Do(ctx, method, "/webhooks", query, in, &answer)
	if e, ok := errors.AsType[*rest.Error](err); ok && e.Outcome == rest.Refused && lacksModule(e) {
		e.Kind, e.Err = rest.Invalid, ErrNoAutomation
	}
	return answer.Webhooks, err
}

// moduleText is what we assume a refused write says if the module is missing; no sample shows one.
var moduleText = prose.Pattern(`(?i)\b(automation|module|subscription)\b`)

// lacksModule reports whether a refusal means that the account lacks the Automation module.
func lacksModule(e *rest.Error) bool {
	text := strings.Join(e.Messages, " ")
	switch e.Kind {
	case rest.Unauthorized:
		// A refused key reads "Incorrect credentials!" (samples/cin7core/error.403-bad-credentials.json).
		return e.Status != http.StatusUnauthorized && text != "" &&
			!strings.Contains(strings.ToLower(text), "credential")
	case rest.Invalid, rest.NotFound:
		return e.Method == http.MethodGet || moduleText().MatchString(text)
	}
	return false
}

type wireWebhook struct {
	ID                        string `json:",omitempty"`
	Type                      string
	IsActive                  bool
	ExternalURL               string
	ExternalAuthorizationType string
	ExternalBearerToken       string
}

// WebhookHint is what could be read of a webhook's body: a reason to look, never a fact. Each field may be empty, or
// invented by anyone who knows the URL. GUIDs are in lower case.
type WebhookHint struct {
	EventType string // missing in Stock/AvailableStockLevelChanged and Task/Overdue
	SaleID    string
	// TaskID is the ID of a fulfilment or invoice; ShipmentAuthorised has no other, and calls it SaleTaskID. In a
	// Simple Sale it is the sale's ID. In an Advanced Sale it need not be; the sale is found by OrderNumber then.
	TaskID      string
	OrderNumber string // SO-00044, named SaleOrderNumber in most types
}

// ParseWebhook reads what can be read of a webhook's body. It never fails: some of the vendor's own examples are not
// JSON (a comma too many in Sale/Voided and Sale/ShipmentAuthorised), and so may be what it sends.
func ParseWebhook(body []byte) WebhookHint {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	var seen struct {
		EventType       string
		SaleID          string
		TaskID          string `rest:"as=SaleTaskID"`
		SaleOrderNumber string `rest:"as=OrderNumber"`
	}
	if json.Valid(body) {
		_ = rest.Unmarshal(body, &seen) // fields that cannot be read stay empty
	} else {
		seen.EventType = firstMatch(hintEvent(), body)
		seen.SaleID, seen.TaskID = firstMatch(hintSale(), body), firstMatch(hintTask(), body)
		seen.SaleOrderNumber = firstMatch(hintNumber(), body)
	}
	h := WebhookHint{SaleID: parseGUID(seen.SaleID), TaskID: parseGUID(seen.TaskID)}
	if hintEventShape().MatchString(seen.EventType) {
		h.EventType = seen.EventType
	}
	number := strings.TrimSpace(seen.SaleOrderNumber)
	if len(number) <= 256 && !strings.ContainsFunc(number,
		func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		h.OrderNumber = number
	}
	return h
}

const guidShape = `[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`

// The names and values in a body that is not JSON.
var (
	hintEventShape = prose.Pattern(`^[A-Za-z]{1,40}/[A-Za-z]{1,60}$`)
	hintEvent      = prose.Pattern(`(?i)\bEventType\b["'\s]*[:=]["'\s]*([a-z]+/[a-z]+)`)
	hintSale       = prose.Pattern(`(?i)\bSaleID\b["'\s]*[:=]["'\s{]*(` + guidShape + `)`)
	hintTask       = prose.Pattern(`(?i)\b(?:Sale)?TaskID\b["'\s]*[:=]["'\s{]*(` + guidShape + `)`)
	hintNumber     = prose.Pattern(`(?i)\b(?:Sale)?OrderNumber\b["'\s]*[:=]["'\s]*([^"'\s,{}\[\]]{1,256})`)
	wholeGUID      = prose.Pattern(`^\{?(` + guidShape + `)\}?$`)
)

func firstMatch(pattern *regexp.Regexp, body []byte) string {
	if m := pattern.FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

// parseGUID returns a GUID in lower case; "" if it is none, or all zeros.
func parseGUID(s string) string {
	m := wholeGUID().FindStringSubmatch(strings.TrimSpace(s))
	if m == nil || !isID(m[1]) {
		return ""
	}
	return strings.ToLower(m[1])
}
