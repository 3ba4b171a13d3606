package cin7core

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Sale is a whole sale, the answer of GET /sale and of every write to /sale.
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
	Order                   OrderDocument // has the sale's number: Order.SaleOrderNumber
	Fulfilments             []Fulfilment
	Invoices                []Invoice // also voided ones
}

// Address is an address of a sale.
type Address struct {
	DisplayAddressLine1, DisplayAddressLine2                       string
	Line1, Line2, City, State, Postcode, Country, Company, Contact string
	ShipToOther                                                    bool
}

// Quote is the part of a sale's quote that is read.
type Quote struct {
	Status Status
	Lines  []OrderLine
}

// Invoice is the part of a sale's invoice that is read.
type Invoice struct {
	TaskID        string `rest:"guid"`
	InvoiceNumber string
	Status        Status
	Total         decimal.Decimal
}

// Fulfilment is one task of picking, packing and shipping. A Simple Sale has one, whose TaskID is the sale's ID. An
// Advanced Sale may have several, with the same SKU.
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

// HandlingLine is one product picked or packed.
type HandlingLine struct {
	ProductID  string `rest:"guid"`
	SKU, Name  string
	Location   string
	LocationID string `rest:"guid"`
	Box        string // only if packed
	Quantity   decimal.Decimal
	BatchSN    string
	ExpiryDate time.Time // a date
}

// Shipment is a fulfilment's ship document. It may have lines before anything is shipped.
type Shipment struct {
	Status        Status
	RequireBy     time.Time
	ShippingNotes string
	Lines         []ShipLine
}

// ShipLine is one or more parcels, shipped if IsShipped. The tracking may come or change later.
type ShipLine struct {
	ID             string `rest:"guid"`
	ShipmentDate   time.Time
	Carrier        string
	Boxes          string // of the pack lines, comma-separated
	TrackingNumber string
	TrackingURL    string // made by the carrier's template
	IsShipped      bool
}

// BoxList returns the boxes in a list.
func (l ShipLine) BoxList() []string {
	var boxes []string
	for box := range strings.SplitSeq(l.Boxes, ",") {
		if box = strings.TrimSpace(box); box != "" {
			boxes = append(boxes, box)
		}
	}
	return boxes
}

// SaleHeader is what CreateSale writes. The vendor takes what is empty from the customer's card. SaveOrder writes the
// lines.
type SaleHeader struct {
	CustomerID            string
	Customer              string // name, if there is no CustomerID
	Contact, Phone, Email string
	BillingAddress        AddressRef
	ShippingAddress       AddressRef
	ShippingNotes         string
	TaxRule               string
	TaxInclusive          bool
	Terms                 string
	PriceTier             string
	ShipBy                time.Time // a date: year, month and day in the time's own zone are sent
	SaleOrderDate         time.Time // likewise
	Location              string    // a name
	Note                  string
	CustomerReference     string
	CurrencyRate          decimal.Decimal // base units for one of the customer's currency; needed if these differ
	SalesRepresentative   string          // a Contact's name
	Carrier               string          // a Carrier's Description
	ExternalID            string
	AdditionalAttributes  Attributes
	SaleType              string // Simple, Advanced
	SkipQuote             bool   // true goes straight to the order; false: SaveOrder needs an authorised quote
}

// AddressRef is an address of the customer's card, by ID, or one written out. Unless ShipToOther is set, the vendor
// adds a shipping address whose Line1 is not on the card to it.
type AddressRef struct {
	ID                                                             string
	Line1, Line2, City, State, Postcode, Country, Company, Contact string
	ShipToOther                                                    bool
}

// CreateSale makes a sale without lines. Each call makes another sale, even with the same ExternalID.
func (c *Client) CreateSale(ctx context.Context, h SaleHeader) (Sale, error) {
	return c.sale(ctx, http.MethodPost, nil, h.wire())
}

// Sale reads a sale; NotFound if there is none.
func (c *Client) Sale(ctx context.Context, id string) (Sale, error) {
	s, err := c.sale(ctx, http.MethodGet, url.Values{"ID": {id}}, nil)
	switch {
	case err != nil:
		return Sale{}, asNotFound(err)
	case !strings.EqualFold(s.ID, id):
		return Sale{}, c.MalformedAnswer(http.MethodGet, "/sale", "the answer is another sale")
	case s.Status == "" || s.Order.Status == "" && s.Order.SaleOrderNumber == "":
		// Missing is not the same as empty.
		return Sale{}, c.MalformedAnswer(http.MethodGet, "/sale", "the answer lacks the sale's status or its order")
	}
	return s, nil
}

// VoidSale voids a sale; a sale cannot be deleted. An answer that does not show it as voided is Unknown: it may still
// become so.
func (c *Client) VoidSale(ctx context.Context, id string) (Sale, error) {
	s, err := c.sale(ctx, http.MethodDelete, url.Values{"ID": {id}, "Void": {"true"}}, nil)
	if err == nil && (!strings.EqualFold(s.ID, id) || !s.Status.Is(Voided)) {
		return Sale{}, c.MalformedAnswer(http.MethodDelete, "/sale", "the answer does not show the sale as voided")
	}
	return s, err
}

// UndoSale takes a sale one step back towards draft.
func (c *Client) UndoSale(ctx context.Context, id string) (Sale, error) {
	return c.sale(ctx, http.MethodDelete, url.Values{"ID": {id}, "Void": {"false"}}, nil)
}

// SaleURL returns the address of the sale's page for people.
func SaleURL(id string) string { return "https://inventory.dearsystems.com/Sale#" + id }

func (c *Client) sale(ctx context.Context, method string, query url.Values, in any) (Sale, error) {
	var s Sale
	if err := c.Do(ctx, method, "/sale", query, in, &s); err != nil {
		return Sale{}, asInvalid(err)
	}
	if !isID(s.ID) {
		return Sale{}, c.MalformedAnswer(method, "/sale", "the answer is no sale")
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
