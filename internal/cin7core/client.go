// Package cin7core is Cin7 Core's API v2 (formerly DEAR Inventory) in Go: a file per resource, and nothing of ours.
//
// A [Client] serves one account. Every method makes one call, except that a list makes one for each page: either the
// caller asks for pages ([Client.SalesPage]) or loops over all rows ([Client.Sales]). Every error is a *rest.Error.
// Types are clean Go as far as the vendor allows: times are UTC, money and quantities are decimals, GUIDs are in lower
// case, and what is missing is the zero value.
//
// # What is peculiar to it
//
// There is no idempotency key, and ExternalID is not unique. A sale takes two writes, [Client.CreateSale] (the header)
// and [Client.SaveOrder] (its lines). Unknown filters are ignored, so every row found must be compared. Statuses are an
// open set (compare with [Status.Is]), names and GUIDs come in any case, and null, "" and absence mean the same. The
// order of lists is not documented, and rows move between pages while they are read. A 200 may hold an error, and too
// many calls may be a 429, or a 503 or 400 of which only the text says so (see errors.go). A webhook is not signed and
// only names what changed ([ParseWebhook]): it is a hint.
//
// Where the documentation is silent or wrong, the comment of the type or method says what was observed. Undocumented
// behaviour is never taken for success: the outcome of a doubtful answer is Unknown.
//
// Reference: https://dearinventory.docs.apiary.io
package cin7core

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"stockbridge/internal/rest"
)

// BaseURL is the vendor's only address; there are no regions.
const BaseURL = "https://inventory.dearsystems.com/ExternalApi/v2"

// MaxPage is the most rows of a page.
const MaxPage = 1000

// Client holds the conversation with one account. Timeout and PageSize may be set before the first call.
type Client struct {
	*rest.Client
	PageSize int // 0: MaxPage
}

// New returns a client of the account. A nil rt is the default transport; a nil limit is no limit.
func New(base string, rt http.RoundTripper, limit rest.Limiter, accountID, applicationKey string) *Client {
	c := &rest.Client{
		Who: "cin7core", HTTP: rt, Limit: limit, Read: readError, Routes: routes,
		Sign: func(r *http.Request) {
			r.Header.Set("api-auth-accountid", accountID)
			r.Header.Set("api-auth-applicationkey", applicationKey)
		},
	}
	c.Hide(applicationKey)
	if u, err := url.Parse(base); err == nil && u.Host != "" {
		c.Base = u // without one every call returns an error
	}
	return &Client{Client: c}
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	Total int // rows of all pages; 0 if the list does not say
	Page  int // from 1
	More  bool
}

// Rows implements rest.Paged.
func (p Page[T]) Rows() (items []T, more bool) { return p.Items, p.More }

// envelope is the answer of any list. Only the name of the rows differs.
type envelope[T any] struct {
	Total, Page int
	Rows        []T `rest:"named,as=MeContactsList,as=LocationList,as=TaxRuleList,as=PaymentTermList,as=CarrierList,as=CustomerList,as=Products,as=ProductAvailabilityList,as=SaleList"`
}

// listPage reads one page.
func listPage[T any](ctx context.Context, c *Client, path string, query params, page int) (Page[T], error) {
	page, limit := max(1, page), c.PageSize
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	query.text("Page", strconv.Itoa(page)).text("Limit", strconv.Itoa(limit))
	var answer envelope[T]
	if err := c.Do(ctx, http.MethodGet, path, url.Values(query), nil, &answer); err != nil {
		return Page[T]{}, err
	}
	if answer.Page != 0 && answer.Page != page {
		return Page[T]{}, c.MalformedAnswer(http.MethodGet, path, "the answer is another page than asked")
	}
	p := Page[T]{Items: answer.Rows, Total: answer.Total, Page: page}
	p.More = hasMore(len(p.Items), limit, page, p.Total)
	return p, nil
}

// hasMore reports whether another page may follow. Total alone is not trusted, as some lists lack it and rows move. It
// ends a list early only if it agrees with the rows read so far, which saves the call for an empty last page.
func hasMore(rows, limit, page, total int) bool {
	if total == 0 {
		return rows == limit // with more rows than the limit, the list has no pages
	}
	return rows > 0 && total > page*rows && total != (page-1)*limit+rows
}

// collect reads a whole list, which is small.
func collect[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var items []T
	for item, err := range rest.Pages(1, func(page int) (Page[T], error) {
		return listPage[T](ctx, c, path, params{}, page)
	}) {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// params leaves out empty parameters: the vendor may take one for a filter on emptiness.
type params url.Values

func (p params) text(name, value string) params {
	if value != "" {
		p[name] = []string{value}
	}
	return p
}

func (p params) since(name string, t time.Time) params {
	if !t.IsZero() {
		p[name] = []string{t.UTC().Format("2006-01-02T15:04:05.000")}
	}
	return p
}

func (p params) flag(name string, on bool) params {
	if on {
		p[name] = []string{"true"}
	}
	return p
}
