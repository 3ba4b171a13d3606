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

	"stockbridge/internal/rest"
)

// Webhook is a URL that the account calls when something happens. The vendor signs nothing: what a call proves is that the
// caller knows the token.
type Webhook struct {
	ID                string `rest:"guid"`
	Type              string // SaleShipmentAuthorised and others
	Active            bool   `json:"IsActive"` // the vendor clears it after six failed attempts at one event
	URL               string `json:"ExternalURL"`
	AuthorizationType string `json:"ExternalAuthorizationType"` // noauth, basicauth, bearerauth
	BearerToken       string `json:"ExternalBearerToken"`       // a secret: the vendor answers it in the clear
}

// BearerAuth is the AuthorizationType under which BearerToken is sent.
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

// ErrNoAutomation is found (by errors.Is) in the error of a webhook method where the account lacks the paid Automation
// module. How the vendor says so is undocumented: any refusal to list webhooks that is not about credentials is taken for
// it, and of the writes a 403 or a sentence that names the module. The error's Kind is Invalid, never Unauthorized: the key
// is good.
var ErrNoAutomation = errors.New("the account has no Automation module")

// Webhooks lists all of the account's. Bodies of this and the other webhook calls hold tokens and passwords in the clear:
// who records exchanges leaves them out.
func (c *Client) Webhooks(ctx context.Context) ([]Webhook, error) {
	return c.webhooks(ctx, http.MethodGet, nil, nil)
}

// CreateWebhook registers one; ID and what is not of Webhook are the vendor's.
func (c *Client) CreateWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	w.ID = ""
	return c.writeWebhook(ctx, http.MethodPost, w)
}

// UpdateWebhook writes the whole of one, by ID: user name, password and headers that a person gave it are lost.
func (c *Client) UpdateWebhook(ctx context.Context, w Webhook) (Webhook, error) {
	return c.writeWebhook(ctx, http.MethodPut, w)
}

// DeleteWebhook removes one.
func (c *Client) DeleteWebhook(ctx context.Context, id string) error {
	_, err := c.webhooks(ctx, http.MethodDelete, url.Values{"ID": {id}}, nil)
	return err
}

func (c *Client) writeWebhook(ctx context.Context, method string, w Webhook) (Webhook, error) {
	ctx = rest.WithSecrets(ctx, w.BearerToken, path.Base(w.URL)) // the address ends in a token
	all, err := c.webhooks(ctx, method, nil, wireWebhook{w.ID, w.Type, w.Active, w.URL, w.AuthorizationType, w.BearerToken})
	if err != nil {
		return Webhook{}, err
	}
	// The answer's envelope may hold more than the one written; of equals the newest stands last.
	for i := len(all) - 1; i >= 0; i-- {
		if got := all[i]; got.URL == w.URL && got.Type == w.Type && isID(got.ID) && (w.ID == "" || strings.EqualFold(got.ID, w.ID)) {
			return got, nil
		}
	}
	return Webhook{}, c.Nonsense(method, "/webhooks", "the webhook is not in the answer")
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

// moduleText is what a refusal of a write for want of the module is taken to say; no sample shows one.
var moduleText = regexp.MustCompile(`(?i)\b(automation|module|subscription)\b`)

func lacksModule(e *rest.Error) bool {
	text := strings.Join(e.Messages, " ")
	switch e.Kind {
	case rest.Unauthorized:
		// A refused key reads "Incorrect credentials!" (samples/cin7core/error.403-bad-credentials.json).
		return e.Status != http.StatusUnauthorized && text != "" && !strings.Contains(strings.ToLower(text), "credential")
	case rest.Invalid, rest.NotFound:
		return e.Method == http.MethodGet || moduleText.MatchString(text)
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

// WebhookHint is what could be made out of a webhook's body: a reason to look, never a fact. Each field may be empty, and
// may be invented by whoever knows the URL. GUIDs are lower-cased.
type WebhookHint struct {
	EventType string // none in Stock/AvailableStockLevelChanged and Task/Overdue
	SaleID    string
	// TaskID is a fulfilment's or an invoice's: ShipmentAuthorised has nothing else, as SaleTaskID. Of a Simple Sale it is
	// the sale's ID, of an Advanced Sale it need not be: then OrderNumber leads to the sale.
	TaskID      string
	OrderNumber string // SO-00044, named SaleOrderNumber in most types
}

// ParseWebhook reads a webhook's body as far as it can be read. It never fails: some of the vendor's own examples are not
// JSON (a comma too many in Sale/Voided and Sale/ShipmentAuthorised), and so may what it sends be.
func ParseWebhook(body []byte) WebhookHint {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	var seen struct {
		EventType       string
		SaleID          string
		TaskID          string `rest:"as=SaleTaskID"`
		SaleOrderNumber string `rest:"as=OrderNumber"`
	}
	if json.Valid(body) {
		_ = rest.Unmarshal(body, &seen) // what is readable of it
	} else {
		seen.EventType = first(hintEvent, body)
		seen.SaleID, seen.TaskID = first(hintSale, body), first(hintTask, body)
		seen.SaleOrderNumber = first(hintNumber, body)
	}
	h := WebhookHint{SaleID: guidIn(seen.SaleID), TaskID: guidIn(seen.TaskID)}
	if hintEventShape.MatchString(seen.EventType) {
		h.EventType = seen.EventType
	}
	number := strings.TrimSpace(seen.SaleOrderNumber)
	if len(number) <= 256 && !strings.ContainsFunc(number, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		h.OrderNumber = number
	}
	return h
}

const guidShape = `[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`

// The names and values as they stand in a body that is no JSON.
var (
	hintEventShape = regexp.MustCompile(`^[A-Za-z]{1,40}/[A-Za-z]{1,60}$`)
	hintEvent      = regexp.MustCompile(`(?i)\bEventType\b["'\s]*[:=]["'\s]*([a-z]+/[a-z]+)`)
	hintSale       = regexp.MustCompile(`(?i)\bSaleID\b["'\s]*[:=]["'\s{]*(` + guidShape + `)`)
	hintTask       = regexp.MustCompile(`(?i)\b(?:Sale)?TaskID\b["'\s]*[:=]["'\s{]*(` + guidShape + `)`)
	hintNumber     = regexp.MustCompile(`(?i)\b(?:Sale)?OrderNumber\b["'\s]*[:=]["'\s]*([^"'\s,{}\[\]]{1,256})`)
	wholeGUID      = regexp.MustCompile(`^\{?(` + guidShape + `)\}?$`)
)

func first(pattern *regexp.Regexp, body []byte) string {
	if m := pattern.FindSubmatch(body); m != nil {
		return string(m[1])
	}
	return ""
}

// guidIn is a GUID in the client's spelling, "" for what is none or all zeros.
func guidIn(s string) string {
	m := wholeGUID.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil || !isID(m[1]) {
		return ""
	}
	return strings.ToLower(m[1])
}
