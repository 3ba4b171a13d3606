package upstock

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"strconv"
)

// CustomerRecord is a customer of the supplier, as the catalogue holds it. ExternalID and Name are required to write
// one.
type CustomerRecord struct {
	ID                  int64     `json:"id"`         // Upstock's own, only read
	ExternalID          string    `json:"externalId"` // "" = it is linked to no customer of the inventory system
	Name                string    `json:"name"`
	Email               string    `json:"email"`
	Phone               string    `json:"phone"`
	Contact             string    `json:"contact"`
	BillingAddress      *Address  `json:"billingAddress"`
	ShippingAddresses   []Address `json:"shippingAddresses"`
	PriceListExternalID string    `json:"priceListExternalId"` // "" = none: the customer pays default prices
	Active              bool      `json:"active"`
}

// MarshalJSON writes all fields but ID, the empty ones as null.
func (r CustomerRecord) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ExternalID        string    `json:"externalId"`
		Name              string    `json:"name"`
		Email             nullable  `json:"email"`
		Phone             nullable  `json:"phone"`
		Contact           nullable  `json:"contact"`
		BillingAddress    *Address  `json:"billingAddress"`
		ShippingAddresses []Address `json:"shippingAddresses"`
		PriceList         nullable  `json:"priceListExternalId"`
		Active            bool      `json:"active"`
	}{r.ExternalID, r.Name, nullable(r.Email), nullable(r.Phone), nullable(r.Contact), r.BillingAddress,
		append([]Address{}, r.ShippingAddresses...), nullable(r.PriceListExternalID), r.Active})
}

// CustomersPage reads a page of customers: those after a page's Next, up to limit (at most MaxPage; 0: 50).
func (c *Client) CustomersPage(ctx context.Context, after string, limit int) (Rows[CustomerRecord], error) {
	return rowsPage[CustomerRecord](ctx, c, "/customers", after, limit)
}

// Customers reads all customers, linked or not.
func (c *Client) Customers(ctx context.Context) iter.Seq2[CustomerRecord, error] {
	return allRows[CustomerRecord](ctx, c, "/customers")
}

// PutCustomers makes or updates up to MaxBatch customers by externalId. A customer without a result may have been
// written. One that Upstock holds under no externalId yet is linked first (LinkCustomer), or it is there twice.
func (c *Client) PutCustomers(ctx context.Context, customers []CustomerRecord) ([]BatchResult, error) {
	return c.batch(ctx, "/customers/batch", "customers", customers,
		idsOf(customers, func(r CustomerRecord) string { return r.ExternalID }))
}

// LinkCustomer gives the customer of an id of Upstock's its externalId. rest.NotFound: there is no such customer;
// rest.Conflict: another one has that externalId. Repeating it changes nothing.
func (c *Client) LinkCustomer(ctx context.Context, id int64, externalID string) error {
	in := struct {
		ExternalID string `json:"externalId"`
	}{externalID}
	return c.Do(ctx, http.MethodPut, "/customers/"+strconv.FormatInt(id, 10)+"/link", nil, in, nil)
}
