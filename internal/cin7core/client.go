// Package cin7core is Cin7 Core's API v2 (ex DEAR Inventory) in Go: a file per resource, and nothing of ours.
//
// A [Client] is one account's. Every method makes one call, the lists one a page ([Client.SalesPage]) or as many as are
// needed, in a loop ([Client.Sales]); every error is a *rest.Error. Types are clean Go as far as the vendor lets them
// be: times are UTC, money and quantities are decimals, GUIDs are lower-cased, and what is missing is the zero value.
//
// # Its ways
//
// There is no idempotency key, and no uniqueness of ExternalID; a sale takes two writes, [Client.CreateSale] (the
// header) and [Client.SaveOrder] (its lines). A filter that it does not know it ignores, so that every row found must
// be compared. Statuses are an open set (compare with [Status.Is]), names and GUIDs come in any case, and null, "" and
// absence mean the same. The order of lists is not documented, and rows move between pages while they are read. Errors
// may hide in a 200, and too many calls may be a 429, a 503 or only a sentence (see errors.go). A webhook names what
// changed and signs nothing ([ParseWebhook]): it is a hint.
//
// Where the documentation is silent or wrong, the comment of the type or method says what was observed. What is not
// documented is never relied on to go well: an answer that could be either is Unknown.
//
// Reference: https://dearinventory.docs.apiary.io
package cin7core

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"stockbridge/internal/rest"
)

// BaseURL is the vendor's one address; there are no regions.
const BaseURL = "https://inventory.dearsystems.com/ExternalApi/v2"

// MaxPage is the most rows that the vendor answers on a page.
const MaxPage = 1000

// Client holds the conversation with one account. Timeout and PageSize may be set before the first call.
type Client struct {
	*rest.Client
	PageSize int // 0: MaxPage
}

// New returns a client of the account; rt nil is the default transport, limit nil no limit.
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
		c.Base = u // a client without one answers every call with an error
	}
	return &Client{Client: c}
}

// Page is one page of a list.
type Page[T any] struct {
	Items []T
	Total int // rows that match overall, 0 where the list does not say
	Page  int // as asked, from 1
	More  bool
}

// envelope is every list's: only the rows go by another name in each.
type envelope[T any] struct {
	Total, Page int
	Rows        []T `rest:"named,as=MeContactsList,as=LocationList,as=TaxRuleList,as=PaymentTermList,as=CarrierList,as=CustomerList,as=Products,as=SaleList"`
}

// list reads one page.
func list[T any](ctx context.Context, c *Client, path string, query params, page int) (Page[T], error) {
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
		return Page[T]{}, c.Nonsense(http.MethodGet, path, "the answer is another page than asked")
	}
	p := Page[T]{Items: answer.Rows, Total: answer.Total, Page: page}
	p.More = more(len(p.Items), limit, page, p.Total)
	return p, nil
}

// more says whether another page may follow. Total alone is not trusted, as some lists lack it and rows move; it ends
// a list early only where it agrees with the rows read so far, which saves the call for an empty last page.
func more(rows, limit, page, total int) bool {
	if total == 0 {
		return rows == limit // more rows than asked: the list has no pages
	}
	return rows > 0 && total > page*rows && total != (page-1)*limit+rows
}

// all reads a list page by page, from the given page on.
func all[T any](from int, read func(page int) (Page[T], error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page := max(1, from); ; page++ {
			p, err := read(page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range p.Items {
				if !yield(item, nil) {
					return
				}
			}
			if !p.More {
				return
			}
		}
	}
}

// every collects a reference book, which is small.
func every[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var items []T
	for item, err := range all(1, func(page int) (Page[T], error) {
		return list[T](ctx, c, path, params{}, page)
	}) {
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// params leaves out what is empty: the vendor may read a blank parameter as a filter on emptiness.
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
