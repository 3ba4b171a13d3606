// Package cin7omni is Cin7 Omni's API v1 in Go: a file per resource, and nothing of ours.
//
// A [Client] serves one API connection of one account. It reads contacts ([Client.ContactsPage], [Client.Contacts],
// [Client.Contact]) and writes them in batches ([Client.CreateContacts], [Client.UpdateContacts]) of which each contact
// has a [Result] of its own. It also reads what a contact refers to: the account's users ([Client.Users]) and the names
// of its price columns ([Client.PriceColumns]). Payment terms, groups and stages have no list in the API: what there is
// of them is what contacts bear.
//
// Every method makes one call, except that a list makes one for each page. Every error is a *rest.Error. Types are
// clean Go as far as the vendor allows: times are UTC, numbers are decimals, null and absence are the zero value.
//
// # What is peculiar to it
//
// There is no webhook, no total of a list, no idempotency key and no upsert: after a create without an answer only a
// search for the contact's e-mail or integrationRef tells what became of it. The end of a list is an empty page, as a
// page may be short for reasons of the vendor's. Without an order a list is newest first, so one is always sent. A
// batch succeeds contact by contact. In an update, what is left out or null stays, and "" clears. A key has permissions
// for each resource, and a call that it lacks the permission for is answered with 403 ([ErrPermission]): the key is
// good. Errors are a sentence, as JSON or plain text, in an object, or a page of HTML (errors.go).
//
// An API connection may be called 3 times a second, 60 times a minute and 5,000 times a day.
//
// Facts are from the vendor's published specification, where nothing else is said; nobody has seen the errors of a
// live account. What live clients of others do is called seen, what nobody documents is called assumed. The outcome of
// a doubtful answer is Unknown.
//
// Reference: https://api.cin7.com/api/Help
package cin7omni

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"stockbridge/internal/rest"
)

// BaseURL is the vendor's only address; there are no regions.
const BaseURL = "https://api.cin7.com/api"

// MaxRows is the most rows of a page, and MaxBatch the most records of a write.
const (
	MaxRows  = 250
	MaxBatch = 250
)

// Client holds the conversation with one account. Timeout and Rows may be set before the first call.
type Client struct {
	*rest.Client
	Rows int // of a page; 0: MaxRows
}

// New returns a client of the account. The username is the account's, the key is that of one of its API connections. A
// nil rt is the default transport; a nil limit is no limit.
func New(base string, rt http.RoundTripper, limit rest.Limiter, username, key string) *Client {
	c := &rest.Client{
		Who: "cin7omni", HTTP: rt, Limit: limit, Read: readError, Routes: routes,
		Sign: func(r *http.Request) { r.SetBasicAuth(username, key) },
	}
	c.Hide(key, base64.StdEncoding.EncodeToString([]byte(username+":"+key)))
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		c.Base = u // without one every call returns an error
	}
	return &Client{Client: c}
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	Page  int  // from 1
	More  bool // another page may follow: this one has rows, however few
}

// Rows implements rest.Paged.
func (p Page[T]) Rows() (items []T, more bool) { return p.Items, p.More }

// listPage reads a page of a list.
func listPage[T any](
	ctx context.Context, c *Client, path string, query url.Values, page int, read func(row []byte) (T, error),
) (Page[T], error) {
	page, rows := max(1, page), c.Rows
	if rows <= 0 || rows > MaxRows {
		rows = MaxRows
	}
	query.Set("page", strconv.Itoa(page))
	query.Set("rows", strconv.Itoa(rows))
	answer, err := list(ctx, c, http.MethodGet, path, query, nil)
	if err != nil {
		return Page[T]{}, err
	}
	p := Page[T]{Page: page, More: len(answer) > 0}
	for _, row := range answer {
		item, err := read(row)
		if err != nil {
			return Page[T]{}, c.MalformedAnswer(http.MethodGet, path, err.Error())
		}
		p.Items = append(p.Items, item)
	}
	return p, nil
}

// list makes a call whose answer is a list, and returns its rows as they came: one that cannot be read does not cost
// the others. Anything but a list, null too, is no empty one.
func list(
	ctx context.Context, c *Client, method, path string, query url.Values, in any,
) (rows []json.RawMessage, err error) {
	var answer json.RawMessage
	if err := c.Do(ctx, method, path, query, in, &answer); err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(answer, []byte("[")) {
		return nil, c.MalformedAnswer(method, path, "the answer is no list")
	}
	err = json.Unmarshal(answer, &rows) // what Do has read is JSON
	return rows, err
}

// choose adds the fields that a list is asked for, without which it shows all. Nested fields are not asked for.
func choose(query url.Values, fields []string) url.Values {
	if len(fields) > 0 {
		query.Set("fields", strings.Join(fields, ","))
	}
	return query
}
