package upstock

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

// The most records of a batch.
const (
	MaxBatch  = 100 // products, customers
	MaxPrices = 500
)

// MaxPage is the most rows of a page of any list.
const MaxPage = 100

// Rows is one page of a list of the catalogue; Next is "" on the last one.
type Rows[T any] struct {
	Items []T
	Next  string // the after of the next page
}

// rowsPage reads a page of a list: its first rows after a row (a page's Next), up to limit (0: 50).
func rowsPage[T any](ctx context.Context, c *Client, path, after string, limit int) (Rows[T], error) {
	var answer struct {
		Items []T    `json:"products" rest:"named,as=customers,as=priceLists,as=prices"`
		Next  string `json:"next"`
	}
	err := c.Do(ctx, http.MethodGet, path, paging(after, limit), nil, &answer)
	return Rows[T]{answer.Items, answer.Next}, err
}

// allRows reads a whole list of the catalogue, in the largest pages.
func allRows[T any](ctx context.Context, c *Client, path string) iter.Seq2[T, error] {
	return all(c, path, "", func(after string) ([]T, string, error) {
		page, err := rowsPage[T](ctx, c, path, after, MaxPage)
		return page.Items, page.Next, err
	})
}

// The outcomes of a record of a batch.
const (
	Created   = "created"
	Updated   = "updated"
	Unchanged = "unchanged"
	Failed    = "failed"
)

// BatchResult is what became of one record of a batch.
type BatchResult struct {
	ExternalID string
	ID         int64  // Upstock's own id; 0 if it is not said
	Outcome    string // Created, Updated, Unchanged or Failed
	Error      string // why it failed, as Upstock says it
}

// Refused is why Upstock did not take the record; "" = it has it.
func (r BatchResult) Refused() string {
	if r.Outcome != Failed {
		return ""
	}
	if r.Error == "" {
		return "Upstock refused it and did not say why."
	}
	return r.Error
}

// batch sends records by externalId. The results are of those records alone of which the answer can be believed, in the
// order in which they were sent: it says one thing of them, and an outcome that the contract knows. Nobody knows what
// became of the others. An answer without a list of results is an error of the outcome Unknown.
func (c *Client) batch(ctx context.Context, path, name string, records any, sent []string) ([]BatchResult, error) {
	var answer struct {
		Results []json.RawMessage `json:"results" rest:"named"`
	}
	if err := c.Do(ctx, http.MethodPost, path, nil, map[string]any{name: records}, &answer); err != nil {
		return nil, err
	}
	said := map[string]BatchResult{}
	for _, raw := range answer.Results {
		r := readResult(raw)
		if before, ok := said[r.ExternalID]; ok && before != r {
			r.Outcome = ""
		}
		said[r.ExternalID] = r
	}
	var out []BatchResult
	for _, id := range sent {
		if r, ok := said[id]; ok && slices.Contains(outcomes, r.Outcome) {
			out = append(out, r)
		}
	}
	return out, nil
}

var outcomes = []string{Created, Updated, Unchanged, Failed}

// readResult reads a result. What cannot be read of it is zero.
func readResult(raw json.RawMessage) BatchResult {
	var w struct {
		ExternalID string `json:"externalId"`
		ID         int64  `json:"id"`
		Outcome    string `json:"outcome"`
		Error      string `json:"error"`
	}
	_ = rest.Unmarshal(raw, &w)
	return BatchResult{w.ExternalID, w.ID, strings.ToLower(strings.TrimSpace(w.Outcome)), w.Error}
}

// nullable is a text that is null if it is empty.
type nullable string

func (t nullable) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// amount is a unit price as PriceText writes it. nil is null.
type amount struct{ *decimal.Decimal }

func (a amount) MarshalJSON() ([]byte, error) {
	if a.Decimal == nil {
		return []byte("null"), nil
	}
	return json.Marshal(PriceText(*a.Decimal))
}

// PriceText is a price as it is written for Upstock: with 2 decimals, as money is, or with 4, the most that the
// contract takes, where 2 are not enough: 7.4550. Equal prices are equal texts.
func PriceText(d decimal.Decimal) string {
	if d.Equal(d.Truncate(2)) {
		return d.StringFixed(2)
	}
	if d.Equal(d.Truncate(4)) {
		return d.StringFixed(4)
	}
	return d.String()
}
