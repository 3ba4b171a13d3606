package catalogue

import (
	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
)

// Rules are what an account's prices go by.
type Rules struct {
	Currency string               // the account's: of tier prices, and the only one of price lists
	Tiers    []cin7core.PriceTier // all ten
	Settings Settings
}

// List is a price list. See the package comment for its IDs.
type List struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Explanation is one customer's price of one product, and how it comes about.
type Explanation struct {
	Price *decimal.Decimal // without tax, in the account's currency; nil = no price
	List  *List            // where it stands; nil = the customer has no list
	Steps []Step
	Held  string // why it waits for a person's yes whatever was told before; "" = it does not
}

// Step is one reason for a price.
type Step struct {
	Text  string `json:"text"`
	Value string `json:"value,omitempty"` // what the price is after it; "" = none
}
