package upstockcin7

import (
	"context"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// The names of the jobs that tell Upstock of Cin7 Core's catalogue. Each is the kind of the progress that people see.
const (
	JobProducts  = "products"
	JobCustomers = "customers"
	JobPrices    = "prices"
)

// SyncCatalog asks for a run of JobProducts, JobCustomers or JobPrices, or joins the one that is under way, and starts
// it. Errors: ledger.ErrNotFound for another kind.
func (p *Pair) SyncCatalog(ctx context.Context, b tenant.Bundle, kind string) (*ledger.Progress, error) {
	switch kind {
	case JobProducts, JobCustomers, JobPrices:
	default:
		return nil, ledger.ErrNotFound
	}
	asked, err := p.Ledger.AskProgress(ctx, b.Tenant.ID, kind)
	if err != nil {
		return nil, err
	}
	return asked, p.Runner.Kick(ctx, b.Tenant.ID, kind)
}

// Products lists products, a page in the order of ids: those that can be imported, or could but for what Why says
// (Importable; services never), or those that are to be in Upstock (Imported). A page may be short, or empty, and
// still have a next.
func (p *Pair) Products(ctx context.Context, b tenant.Bundle, q CatalogQuery) ([]ProductRow, string, error) {
	return nil, "", nil
}

// Product is a product's page; ledger.ErrNotFound where Cin7 Core has none of that id.
func (p *Pair) Product(ctx context.Context, b tenant.Bundle, id string) (ProductView, error) {
	return ProductView{}, ledger.ErrNotFound
}

// ImportProducts has products imported, and starts that. What cannot be imported is left out, and said in the
// progress.
func (p *Pair) ImportProducts(ctx context.Context, b tenant.Bundle, s Selection) (*ledger.Progress, error) {
	return p.SyncCatalog(ctx, b, JobProducts)
}

// Customers lists customers, a page in the order of ids: those that can be imported (Importable), those that are to be
// in Upstock (Imported), those of which a person has to say whether they are there already (ToLink, with candidates),
// and the imported ones that are deprecated in Cin7 Core (Inactive). A page may be short, or empty, and still have a
// next.
func (p *Pair) Customers(ctx context.Context, b tenant.Bundle, q CatalogQuery) ([]CustomerRow, string, error) {
	return nil, "", nil
}

// Customer is a customer's page; ledger.ErrNotFound where Cin7 Core has none of that id.
func (p *Pair) Customer(ctx context.Context, b tenant.Bundle, id string) (CustomerView, error) {
	return CustomerView{}, ledger.ErrNotFound
}

// ImportCustomers has customers imported, and starts that. All are the active ones. What cannot be imported is left
// out, and said in the progress.
func (p *Pair) ImportCustomers(ctx context.Context, b tenant.Bundle, s Selection) (*ledger.Progress, error) {
	return p.SyncCatalog(ctx, b, JobCustomers)
}

// LinkCustomer says that a customer of Cin7 Core is one of Upstock's: it is linked there and told with the next run of
// JobCustomers, which it starts. Errors: ledger.ErrNotFound where one of the two is not known, tenant.FieldErrors
// where Upstock's is linked to another one.
func (p *Pair) LinkCustomer(ctx context.Context, b tenant.Bundle, id string, theirs int64) error {
	return ledger.ErrNotFound
}

// RejectCustomer says that a customer of Cin7 Core is not that one of Upstock's. The pair is not offered again before
// one of the two records changes. Errors: ledger.ErrNotFound where one of the two is not known.
func (p *Pair) RejectCustomer(ctx context.Context, b tenant.Bundle, id string, theirs int64) error {
	return ledger.ErrNotFound
}

// UnlinkCustomer takes back that a customer of Cin7 Core is one of Upstock's: it is not told any more, and offered
// anew. Upstock keeps the customer, and the id by which it was linked there, until it is linked otherwise. Errors:
// ledger.ErrNotFound where it is not linked.
func (p *Pair) UnlinkCustomer(ctx context.Context, b tenant.Bundle, id string) error {
	return ledger.ErrNotFound
}

// PriceLists lists the price lists, a page in the order of ids.
func (p *Pair) PriceLists(
	ctx context.Context, b tenant.Bundle, after string, limit int,
) (rows []PriceListRow, next string, err error) {
	return nil, "", nil
}

// PriceList is a page of a price list, the prices of products after an id; ledger.ErrNotFound where there is none.
func (p *Pair) PriceList(ctx context.Context, b tenant.Bundle, id, after string, limit int) (PriceListView, error) {
	return PriceListView{}, ledger.ErrNotFound
}

// ExplainPrice says what a customer pays for a product by what Cin7 Core has now, and how that comes about.
// ledger.ErrNotFound where Cin7 Core has no such customer or product.
func (p *Pair) ExplainPrice(ctx context.Context, b tenant.Bundle, customer, product string) (PriceExplained, error) {
	return PriceExplained{}, ledger.ErrNotFound
}

// PriceChanges lists changes of prices in one state, a page: held ones and refused ones in the order of lists and
// products, applied ones of the last 90 days newest first.
func (p *Pair) PriceChanges(
	ctx context.Context, b tenant.Bundle, state, after string, limit int,
) (rows []PriceChange, next string, err error) {
	return nil, "", nil
}

// DecidePrices notes a person's yes or no to changes that are held, or takes one back, and returns about how many it
// could: one whose value is another one by now is left alone. A yes is sent at once, in the run that is returned; nil =
// nothing is to be sent.
func (p *Pair) DecidePrices(
	ctx context.Context, b tenant.Bundle, d PriceDecision,
) (decided int, run *ledger.Progress, err error) {
	return 0, nil, nil
}

// CatalogNeeds says what of the catalogue needs a person, and how its last runs went.
func (p *Pair) CatalogNeeds(ctx context.Context, b tenant.Bundle) (CatalogNeeds, error) {
	return CatalogNeeds{}, nil
}

// CatalogProgress is a run of the catalogue's jobs as it is now; ledger.ErrNotFound where there is none of that id.
func (p *Pair) CatalogProgress(ctx context.Context, b tenant.Bundle, id string) (*ledger.Progress, error) {
	return p.Ledger.Progress(ctx, b.Tenant.ID, id)
}

// PreviewPrices says what a sync of prices would change now, by what was last read of Cin7 Core.
func (p *Pair) PreviewPrices(ctx context.Context, b tenant.Bundle) (PricePreview, error) {
	return PricePreview{Counts: map[string]int{}}, nil
}
