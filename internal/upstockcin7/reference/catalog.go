package reference

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
)

// Catalog is what the mirror keeps of customers and products beside what orders need. It is read with the same calls.
// The zero value keeps nothing more.
type Catalog struct {
	Customer func(cin7core.Customer) []mirror.Row // of one that was read with own prices
	Product  func(cin7core.Product) []mirror.Row

	CustomerKinds, ProductKinds []string // of these rows
	Numbered                    []string // of CustomerKinds, those of numbered rows
	Images                      bool     // products are read with their attachments
}

// version is of the rows of a record (mirror.Pass): of a higher one they have what those of a lower one have.
func (k Catalog) version() int {
	switch {
	case k.Product == nil:
		return 0
	case k.Images:
		return 2
	}
	return 1
}

// IsRead reports whether a mirror has been read whole once, with all that is kept for the catalogue.
func (k Catalog) IsRead(m mirror.State) bool { return !m.Ready.IsZero() && m.Rows >= k.version() }

// Customers is the query with what the rows of customers need.
func (k Catalog) Customers(q cin7core.CustomersQuery) cin7core.CustomersQuery {
	q.IncludeDeprecated, q.IncludeProductPrices = true, k.Customer != nil
	return q
}

// Products is the query with what the rows of products need.
func (k Catalog) Products(q cin7core.ProductsQuery) cin7core.ProductsQuery {
	q.IncludeDeprecated, q.IncludeAttachments = true, k.Images
	return q
}

// SaveCustomers writes the rows of customers that were read by a query of Catalog.Customers.
func (r Reader) SaveCustomers(ctx context.Context, items []cin7core.Customer) error {
	_, err := r.Mirror.SaveRecords(ctx, r.Bundle.Tenant.ID, r.customerRows(items), customerRows, r.Catalog.Numbered...)
	return err
}

// SaveProducts writes the rows of products that were read by a query of Catalog.Products.
func (r Reader) SaveProducts(ctx context.Context, items []cin7core.Product) error {
	_, err := r.Mirror.SaveRecords(ctx, r.Bundle.Tenant.ID, r.productRows(items), productRows)
	return err
}

func (r Reader) customerRows(items []cin7core.Customer) []mirror.Row {
	return append(rowsOf(items, customerRow), moreRows(items, r.Catalog.Customer)...)
}

func (r Reader) productRows(items []cin7core.Product) []mirror.Row {
	return append(rowsOf(items, productRow), moreRows(items, r.Catalog.Product)...)
}

func moreRows[T any](items []T, rows func(T) []mirror.Row) (all []mirror.Row) {
	if rows == nil {
		return nil
	}
	for _, x := range items {
		all = append(all, rows(x)...)
	}
	return all
}

// mostAnswer is how much of an answer is read at once: what it holds takes three times as much memory. A thousand
// customers with fifty own prices each are less.
const mostAnswer = 12 << 20

// PartOf is the client with pages that are so many times smaller than usual.
func PartOf(c *cin7core.Client, parts int) *cin7core.Client {
	calls := *c.Client
	calls.MaxAnswer = mostAnswer
	return &cin7core.Client{Client: &calls, PageSize: cmp.Or(c.PageSize, cin7core.MaxPage) / max(parts, 1)}
}

// largeOr has the pass divide a page that is too large.
func largeOr(err error) error {
	if errors.Is(err, rest.ErrLarge) {
		return errors.Join(mirror.ErrLarge, err)
	}
	return err
}

// recordsAnew is when somebody last found that all of an account's records have to be read anew. The zero value: they
// have been.
type recordsAnew struct {
	Account string    `json:"account,omitempty"` // of Cin7 Core
	Asked   time.Time `json:"asked,omitzero"`
}

// anewDoc is where that is noted.
const anewDoc = "recordsAnew"

// AskAnew notes that all records have to be read anew, by a pass that begins after an instant.
func (r Reader) AskAnew(ctx context.Context, after time.Time) error {
	asked := recordsAnew{r.Bundle.Connections[tenant.Cin7Core].Account, after.UTC().Truncate(time.Second)}
	_, err := ledger.ChangeDoc(ctx, r.Ledger, r.Bundle.Tenant.ID, anewDoc, func(a *recordsAnew) (bool, error) {
		if a.Account == asked.Account && !asked.Asked.After(a.Asked) {
			return false, nil
		}
		*a = asked
		return true, nil
	})
	return err
}

// AwaitsAnew reports whether all records have to be read anew still, as far as the bundle knows of passes.
func (r Reader) AwaitsAnew(ctx context.Context) (bool, error) {
	var anew recordsAnew
	_, err := r.Ledger.Doc(ctx, r.Bundle.Tenant.ID, anewDoc, &anew)
	if err != nil || anew.Account != r.Bundle.Connections[tenant.Cin7Core].Account {
		return false, err
	}
	if m := r.state(); m.Step != "" || !m.Started.After(anew.Asked) {
		return true, nil
	}
	_, err = ledger.ChangeDoc(ctx, r.Ledger, r.Bundle.Tenant.ID, anewDoc, func(a *recordsAnew) (bool, error) {
		if !a.Asked.Equal(anew.Asked) {
			return false, nil
		}
		*a = recordsAnew{}
		return true, nil
	})
	return false, err
}

// Tiers reads the account's price tiers anew. renamed reports whether one has another name than the mirror knows: then
// the mirror is left as it is, as its customers have the old one.
func (r Reader) Tiers(ctx context.Context, c *cin7core.Client) (renamed bool, err error) {
	books, err := ReadBooks(r.Bundle.Books)
	if err != nil {
		return false, err
	}
	tiers, err := c.PriceTiers(ctx)
	return err == nil && !slices.Equal(byCode(tiers), byCode(books.PriceTiers)), err
}

func byCode(tiers []cin7core.PriceTier) []cin7core.PriceTier {
	return slices.SortedStableFunc(slices.Values(tiers), func(a, b cin7core.PriceTier) int { return a.Code - b.Code })
}
