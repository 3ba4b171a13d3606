package console

import (
	"net/http"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// productItem is a product of Cin7 Core in a list.
type productItem struct {
	ID         string  `json:"id"`
	SKU        string  `json:"sku"`
	Name       string  `json:"name"`
	Price      *string `json:"price"`  // the default price; null = none
	Status     string  `json:"status"` // Cin7 Core's
	Importable bool    `json:"importable"`
	Imported   bool    `json:"imported"`
	Why        *string `json:"why"` // why not, or why Upstock does not have it as it should
	standingAnswer
}

func productItemOf(p upstockcin7.ProductRow) productItem {
	return productItem{p.ID, p.SKU, p.Name, priceOf(p.Price), p.Status, p.Importable, p.Imported, known(p.Why),
		standingOf(p.Standing)}
}

// productAnswer is one product: what Upstock has of it, and at which prices.
type productAnswer struct {
	productItem
	Fields       []fieldAnswer `json:"fields"`
	Prices       []listPrice   `json:"prices"` // in price lists, the first 100
	More         bool          `json:"more"`   // there are more lists
	DiscountRule *string       `json:"discountRule"`
	History      []noteAnswer  `json:"history"`
}

// listPrice is a product's price in a list.
type listPrice struct {
	List  refAnswer `json:"list"`
	Price *string   `json:"price"`
	Why   *string   `json:"why"`
	standingAnswer
}

// noProduct says that there is none.
const noProduct = "Cin7 Core has no such product. Give the id that the list of products has."

// productsOf reads a page of products.
func (a *api) productsOf(
	r *http.Request, b tenant.Bundle, q upstockcin7.CatalogQuery,
) ([]upstockcin7.ProductRow, string, error) {
	rows, next, err := a.Pair.Products(r.Context(), b, q)
	return rows, next, catalogFault(err, noProduct)
}

func (a *api) listProducts(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	q, err := catalogQuery(r.URL.Query(), upstockcin7.Imported, upstockcin7.Importable)
	if err != nil {
		return err
	}
	rows, next, err := a.productsOf(r, b, q)
	if err != nil {
		return err
	}
	var items []productItem
	for _, p := range rows {
		items = append(items, productItemOf(p))
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

// productOf is the product of the path's id.
func (a *api) productOf(r *http.Request, b tenant.Bundle) (upstockcin7.ProductView, error) {
	v, err := a.Pair.Product(r.Context(), b, r.PathValue("id"))
	return v, catalogFault(err, noProduct)
}

func (a *api) getProduct(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	v, err := a.productOf(r, b)
	if err != nil {
		return err
	}
	ans := productAnswer{productItem: productItemOf(v.ProductRow), Fields: sideFields(v.Fields), Prices: []listPrice{},
		More: v.More, DiscountRule: known(v.DiscountRule), History: notesOf(v.History)}
	for _, p := range v.Prices {
		ans.Prices = append(ans.Prices, listPrice{*refOf(&p.List), priceOf(p.Price), known(p.Standing.Why),
			standingOf(p.Standing)})
	}
	return respond(w, r, http.StatusOK, ans)
}

func (a *api) importProducts(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	s, err := selection(w, r, nil)
	if err != nil {
		return err
	}
	p, err := a.importThese(r, b, s)
	if err != nil {
		return err
	}
	return respondStarted(w, r, p)
}

// importThese has products imported.
func (a *api) importThese(r *http.Request, b tenant.Bundle, s upstockcin7.Selection) (*ledger.Progress, error) {
	if err := catalogReady(b); err != nil {
		return nil, err
	}
	p, err := a.Pair.ImportProducts(r.Context(), b, s)
	return p, catalogFault(err, noProduct)
}
