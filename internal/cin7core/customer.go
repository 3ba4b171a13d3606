package cin7core

import (
	"context"
	"iter"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

// Customer is a customer card. It has no e-mail; its contacts have.
type Customer struct {
	ID                  string `rest:"guid"`
	Name                string // unique
	DisplayName         string
	Currency            string
	PaymentTerm         string
	Discount            decimal.Decimal // percent
	TaxRule             string
	Carrier             string
	SalesRepresentative string
	Location            string
	Comments            string
	AccountReceivable   string
	RevenueAccount      string
	PriceTier           string // a tier's name
	TaxNumber           string
	Tags                string
	AttributeSet        string
	Attributes          // flat in JSON
	Status              Status
	CreditLimit         decimal.Decimal
	IsOnCreditHold      bool
	CustomerParentID    string `rest:"guid"`
	CustomerParentName  string
	IsBillParent        bool
	LastModifiedOn      time.Time
	Addresses           []CustomerAddress
	Contacts            []CustomerContact
	ProductPrices       []ProductPrice // only with CustomersQuery.IncludeProductPrices
}

// SameAs reports whether two cards are the same, by their ids.
func (c Customer) SameAs(other Customer) bool { return strings.EqualFold(c.ID, other.ID) }

// CustomerAddress is an address on the card; several may be the default of their type.
type CustomerAddress struct {
	ID                                           string `rest:"guid"`
	Line1, Line2, City, State, Postcode, Country string
	Type                                         string // Billing, Business, Shipping
	DefaultForType                               bool
}

// CustomerContact is a person on the card; several may be Default.
type CustomerContact struct {
	ID                                        string `rest:"guid"`
	Name, JobTitle, Phone, MobilePhone, Email string
	Default                                   bool
	IncludeInEmail                            bool
}

// Emails returns the addresses in the field Email, which may hold several.
func (c CustomerContact) Emails() []string {
	return strings.FieldsFunc(c.Email, func(r rune) bool { return strings.ContainsRune(",; ", r) })
}

// ProductPrice is a customer's own price of a product, in the customer's currency.
type ProductPrice struct {
	ProductID   string `rest:"guid"`
	ProductSKU  string
	ProductName string
	Price       decimal.Decimal
}

// CustomersQuery selects customers; a zero field does not narrow.
type CustomersQuery struct {
	Name                 string // a name's beginning: compare the rows
	ContactFilter        string // the beginning of a contact's name, or its whole e-mail
	ModifiedSince        time.Time
	IncludeDeprecated    bool
	IncludeProductPrices bool
	Page                 int // the first to read; 0: 1
}

func (q CustomersQuery) values() params {
	return params{}.text("Name", q.Name).text("ContactFilter", q.ContactFilter).since("ModifiedSince", q.ModifiedSince).
		flag("IncludeDeprecated", q.IncludeDeprecated).flag("IncludeProductPrices", q.IncludeProductPrices)
}

// CustomersPage reads the page q.Page.
func (c *Client) CustomersPage(ctx context.Context, q CustomersQuery) (Page[Customer], error) {
	return listPage[Customer](ctx, c, "/customer", q.values(), q.Page)
}

// Customers reads all from q.Page on. Their order is undocumented, and rows may move between pages.
func (c *Client) Customers(ctx context.Context, q CustomersQuery) iter.Seq2[Customer, error] {
	return rest.Pages(q.Page, func(page int) (Page[Customer], error) {
		q.Page = page
		return c.CustomersPage(ctx, q)
	})
}

// Customer reads a customer, deprecated or not; NotFound if there is none.
func (c *Client) Customer(ctx context.Context, id string) (Customer, error) {
	return byID(ctx, c, "/customer", id, func(row Customer) string { return row.ID })
}

// CustomerWithPrices reads one customer, with its own prices.
func (c *Client) CustomerWithPrices(ctx context.Context, id string) (Customer, error) {
	query := params{}.flag("IncludeProductPrices", true)
	return rowByID(ctx, c, "/customer", query, id, func(row Customer) string { return row.ID })
}
