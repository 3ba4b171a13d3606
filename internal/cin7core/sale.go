package cin7core

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Sale is a whole sale as GET /sale and every write to /sale answer it.
type Sale struct {
	ID                      string `rest:"guid"`
	Customer                string
	CustomerID              string `rest:"guid"`
	Contact, Phone, Email   string
	SkipQuote               bool
	BillingAddress          Address
	ShippingAddress         Address
	ShippingNotes           string
	BaseCurrency            string
	CustomerCurrency        string
	TaxRule                 string
	TaxCalculation          string // Inclusive, Exclusive
	Terms                   string
	PriceTier               string
	ShipBy                  time.Time
	Location                string
	SaleOrderDate           time.Time
	LastModifiedOn          time.Time
	Note                    string
	CustomerReference       string
	Status                  Status
	CombinedPickingStatus   Status
	CombinedPackingStatus   Status
	CombinedShippingStatus  Status
	CombinedInvoiceStatus   Status
	CombinedPaymentStatus   Status
	FulfilmentStatus        Status `json:"FulFilmentStatus"`
	CombinedTrackingNumbers string
	Carrier                 string
	CurrencyRate            decimal.Decimal
	SalesRepresentative     string
	ServiceOnly             bool
	Type                    string // Simple Sale, Advanced Sale, Service Sale
	SourceChannel           string
	ExternalID              string
	AdditionalAttributes    Attributes
	Quote                   Quote
	Order                   OrderDocument // holds the sale's number: Order.SaleOrderNumber
	Fulfilments             []Fulfilment
	Invoices                []Invoice // voided ones stay
}

// Address is an address as it stands on a sale.
type Address struct {
	DisplayAddressLine1, DisplayAddressLine2                       string
	Line1, Line2, City, State, Postcode, Country, Company, Contact string
	ShipToOther                                                    bool
}

// Quote is what is read of a sale's quote.
type Quote struct {
	Status Status
	Lines  []OrderLine
}

// Invoice is what is read of a sale's invoices.
type Invoice struct {
	TaskID        string `rest:"guid"`
	InvoiceNumber string
	Status        Status
	Total         decimal.Decimal
}

// Fulfilment is one task of picking, packing and shipping. A Simple Sale has one, whose TaskID is the sale's ID; an Advanced
// Sale may have several that repeat a SKU.
type Fulfilment struct {
	TaskID              string `rest:"guid"`
	FulfillmentNumber   int
	LinkedInvoiceNumber string
	Status              Status `json:"FulFilmentStatus"`
	Pick, Pack          Handling
	Ship                Shipment
}

// Handling is a fulfilment's pick or pack.
type Handling struct {
	Status Status
	Lines  []HandlingLine
}

// HandlingLine is one product taken or packed.
type HandlingLine struct {
	ProductID  string `rest:"guid"`
	SKU, Name  string
	Location   string
	LocationID string `rest:"guid"`
	Box        string // packed ones only
	Quantity   decimal.Decimal
	BatchSN    string
}

// Shipment is a fulfilment's ship document. Lines may stand in it before anything is shipped.
type Shipment struct {
	Status        Status
	RequireBy     time.Time
	ShippingNotes string
	Lines         []ShipLine
}

// ShipLine is one parcel or more on its way, if IsShipped; its tracking may come or change later.
type ShipLine struct {
	ID             string `rest:"guid"`
	ShipmentDate   time.Time
	Carrier        string
	Boxes          string // of the pack lines, comma-separated
	TrackingNumber string
	TrackingURL    string // filled by the carrier's template
	IsShipped      bool
}

// BoxList returns the boxes one by one.
func (l ShipLine) BoxList() []string {
	var boxes []string
	for box := range strings.SplitSeq(l.Boxes, ",") {
		if box = strings.TrimSpace(box); box != "" {
			boxes = append(boxes, box)
		}
	}
	return boxes
}

// SaleHeader is what CreateSale writes; what is empty the vendor takes from the customer's card. Lines come by SaveOrder.
type SaleHeader struct {
	CustomerID            string
	Customer              string // name, where there is no CustomerID
	Contact, Phone, Email string
	BillingAddress        AddressRef
	ShippingAddress       AddressRef
	ShippingNotes         string
	TaxRule               string
	TaxInclusive          bool
	Terms                 string
	PriceTier             string
	ShipBy                time.Time // a date: its own year, month and day are sent, whatever its zone
	SaleOrderDate         time.Time // likewise
	Location              string    // a name
	Note                  string
	CustomerReference     string
	CurrencyRate          decimal.Decimal // base units for one of the customer's currency; needed where these differ
	SalesRepresentative   string          // a Contact's name
	Carrier               string          // a Carrier's Description
	ExternalID            string
	AdditionalAttributes  Attributes
	SaleType              string // Simple, Advanced
	SkipQuote             bool   // true goes straight to the order; with false SaveOrder wants an authorised quote
}

// AddressRef is an address of the customer's card by ID, or else one written out. Unless ShipToOther is set, a shipping
// address whose Line1 is not on the card is added to it.
type AddressRef struct {
	ID                                                             string
	Line1, Line2, City, State, Postcode, Country, Company, Contact string
	ShipToOther                                                    bool
}

// CreateSale makes a sale without lines. Each call makes another one, whatever its ExternalID.
func (c *Client) CreateSale(ctx context.Context, h SaleHeader) (Sale, error) {
	return c.sale(ctx, http.MethodPost, nil, h.wire())
}

// Sale reads one; NotFound where there is none.
func (c *Client) Sale(ctx context.Context, id string) (Sale, error) {
	s, err := c.sale(ctx, http.MethodGet, url.Values{"ID": {id}}, nil)
	switch {
	case err != nil:
		return Sale{}, missing(err)
	case !strings.EqualFold(s.ID, id):
		return Sale{}, c.Nonsense(http.MethodGet, "/sale", "the answer is another sale")
	case s.Status == "" || s.Order.Status == "" && s.Order.SaleOrderNumber == "":
		// What is missing is not what is empty.
		return Sale{}, c.Nonsense(http.MethodGet, "/sale", "the answer lacks the sale's status or its order")
	}
	return s, nil
}

// VoidSale voids; there is no deleting. An answer that does not show the sale as voided is Unknown: it may yet be.
func (c *Client) VoidSale(ctx context.Context, id string) (Sale, error) {
	s, err := c.sale(ctx, http.MethodDelete, url.Values{"ID": {id}, "Void": {"true"}}, nil)
	if err == nil && (!strings.EqualFold(s.ID, id) || !s.Status.Is(Voided)) {
		return Sale{}, c.Nonsense(http.MethodDelete, "/sale", "the answer does not show the sale as voided")
	}
	return s, err
}

// UndoSale takes a sale back towards draft.
func (c *Client) UndoSale(ctx context.Context, id string) (Sale, error) {
	return c.sale(ctx, http.MethodDelete, url.Values{"ID": {id}, "Void": {"false"}}, nil)
}

// SaleURL is the sale's page for people.
func SaleURL(id string) string { return "https://inventory.dearsystems.com/Sale#" + id }

func (c *Client) sale(ctx context.Context, method string, query url.Values, in any) (Sale, error) {
	var s Sale
	if err := c.Do(ctx, method, "/sale", query, in, &s); err != nil {
		return Sale{}, reference(err)
	}
	if !isID(s.ID) {
		return Sale{}, c.Nonsense(method, "/sale", "the answer is no sale")
	}
	s.Order.SaleID = s.ID
	return s, nil
}

type wireHeader struct {
	CustomerID           string       `json:",omitempty"`
	Customer             string       `json:",omitempty"`
	Contact              string       `json:",omitempty"`
	Phone                string       `json:",omitempty"`
	Email                string       `json:",omitempty"`
	BillingAddress       *wireAddress `json:",omitempty"`
	ShippingAddress      *wireAddress `json:",omitempty"`
	ShippingNotes        string       `json:",omitempty"`
	TaxRule              string       `json:",omitempty"`
	TaxInclusive         bool
	Terms                string      `json:",omitempty"`
	PriceTier            string      `json:",omitempty"`
	ShipBy               date        `json:",omitzero"`
	SaleOrderDate        date        `json:",omitzero"`
	Location             string      `json:",omitempty"`
	Note                 string      `json:",omitempty"`
	CustomerReference    string      `json:",omitempty"`
	CurrencyRate         *number     `json:",omitempty"`
	SalesRepresentative  string      `json:",omitempty"`
	Carrier              string      `json:",omitempty"`
	ExternalID           string      `json:",omitempty"`
	AdditionalAttributes *Attributes `json:",omitempty"`
	SaleType             string      `json:",omitempty"`
	SkipQuote            bool
}

type wireAddress struct {
	ID          string `json:",omitempty"`
	Line1       string `json:",omitempty"`
	Line2       string `json:",omitempty"`
	City        string `json:",omitempty"`
	State       string `json:",omitempty"`
	Postcode    string `json:",omitempty"`
	Country     string `json:",omitempty"`
	Company     string `json:",omitempty"`
	Contact     string `json:",omitempty"`
	ShipToOther *bool  `json:",omitempty"` // shipping only
}
