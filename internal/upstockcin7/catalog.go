package upstockcin7

import (
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
)

// The catalogue: products, customers and prices of Cin7 Core in Upstock. What people see of it is told by the types of
// this file; ids are Cin7 Core's, in lower case, whatever the case in which people give them.

// The lists of products and customers that people ask for.
const (
	Importable = "importable" // what can be imported, or could, with the reason why not
	Imported   = "imported"   // what is to be in Upstock
	ToLink     = "toLink"     // customers that may be in Upstock already: a person says which
	Inactive   = "inactive"   // imported customers that are deprecated in Cin7 Core
)

// CatalogQuery chooses rows of a list.
type CatalogQuery struct {
	List  string // one of the lists; for products Importable or Imported
	Q     string // every word of it stands somewhere in the row; "" = all
	After string // the page before ended with this id
	Limit int    // of rows; 1 to 100
}

// CatalogRef names a record for people.
type CatalogRef struct {
	ID   string // Cin7 Core's, or a price list's
	Name string
}

// Standing is how a record stands with Upstock.
type Standing struct {
	Has   bool      // Upstock said that it has it
	At    time.Time // when it last said so
	State string    // "" = as it should be, or not told yet; held, approved, declined, refused, doubt
	Why   string    // of the state, a sentence
	Since time.Time // of the state
}

// CatalogField is one field of a record on both sides, as text; "" = empty there.
type CatalogField struct {
	Name     string // for people: Name, SKU, Default price
	Cin7Core string // as Upstock should have it
	Upstock  string // as it has it, as far as we know
}

// CatalogNote is a line of a record's history, newest first.
type CatalogNote struct {
	At   time.Time
	Text string // a sentence
	By   string // who did it; "" = it went by itself
}

// ProductRow is a product in a list.
type ProductRow struct {
	ID, SKU, Name string
	Price         *decimal.Decimal // the default price; nil = none
	Status        string           // Cin7 Core's: Active, Deprecated
	Importable    bool
	Imported      bool
	Why           string   // why it cannot be imported, or Upstock lacks it; "" = nothing to say
	Standing      Standing // of the list Imported; else zero
}

// ProductView is a product's page.
type ProductView struct {
	ProductRow
	Fields       []CatalogField
	Prices       []ListPrice // in price lists, the first 100, those of several customers first
	More         bool        // there are more lists
	DiscountRule string      // the rule of Cin7 Core that is not imported, for people; "" = there is none
	History      []CatalogNote
}

// ListPrice is the price of a product in a list.
type ListPrice struct {
	List     CatalogRef
	Price    *decimal.Decimal // as Upstock has it; nil = none
	Standing Standing
}

// CustomerRow is a customer in a list.
type CustomerRow struct {
	ID, Name   string
	Active     bool
	Imported   bool
	PriceList  *CatalogRef // nil = it has none
	Why        string      // why it has no list, is not imported, or was refused; "" = nothing to say
	Theirs     int64       // Upstock's id of it; 0 = it is not there, as far as we know
	Candidates []CustomerCandidate
	Standing   Standing // of the list Imported; else zero
}

// CustomerCandidate is a customer of Upstock's that may be one of Cin7 Core.
type CustomerCandidate struct {
	Theirs             int64 // Upstock's id
	Name, Email, Phone string
	Town               string
	Score              float64  // 0 to 1, two decimals
	Reasons            []string // a few words each; what speaks against it too
	Rejected           bool     // a person said that it is another one
	Back               string   // why it is here again although it was rejected; "" = it was not
	Linked             string   // the id in Cin7 Core that it is linked to by now; "" = none
}

// CustomerView is a customer's page.
type CustomerView struct {
	CustomerRow
	Fields    []CatalogField
	Tier      string // the price tier, as Cin7 Core has it
	Discount  decimal.Decimal
	OwnPrices int    // how many prices of its own it has
	Linked    string // how it was linked, for people; "" = it is not
	History   []CatalogNote
}

// Selection is what a person wants to import.
type Selection struct {
	IDs         []string
	All         bool   // all that can be imported, in which every word of Q stands
	Q           string // with All
	BoughtSince string // customers alone: those who bought since this day, as 2026-05-27; "" = whoever
}

// PriceListRow is a price list.
type PriceListRow struct {
	CatalogRef
	Customers int // how many have it
	Standing  Standing
}

// PriceListView is a page of a price list: its prices, in the order of products.
type PriceListView struct {
	PriceListRow
	Members []CatalogRef // its customers, the first 100 by their names
	Prices  []ListedPrice
	Next    string // the page after this one begins after it; "" = it is the last
}

// ListedPrice is a product's price in a list.
type ListedPrice struct {
	Product  ProductRef
	Price    *decimal.Decimal // as Upstock has it; nil = none
	Standing Standing
}

// ProductRef names a product for people.
type ProductRef struct{ ID, SKU, Name string }

// PriceExplained is the price of a customer for a product, and how it came about.
type PriceExplained struct {
	Customer CatalogRef
	Product  ProductRef
	Price    *decimal.Decimal // nil = no price
	List     *CatalogRef      // nil = the customer has no list
	Steps    []PriceStep
	Held     string           // why it waits for a yes; "" = it does not
	State    string           // what keeps Price from being sent, as of Standing; "" = nothing
	Why      string           // of the state
	By       string           // who decided; "" = nobody had to
	Upstock  *decimal.Decimal // what Upstock has in that list; nil = none
	Since    time.Time        // since when Upstock has it; zero = it has not
}

// PriceStep is a step of an explanation.
type PriceStep struct{ Text, Value string }

// The states of price changes.
const (
	ChangeHeld    = "held"    // waits for a yes
	ChangeApplied = "applied" // Upstock has it
	ChangeRefused = "refused" // a person said no, or Upstock did
)

// PriceChange is a change of one price in one list.
type PriceChange struct {
	ID       string      // of this change, not of another value for the same price
	Customer *CatalogRef // whose own list it is; nil = the list is of several
	List     CatalogRef
	Product  ProductRef
	Old, New *decimal.Decimal // nil = no price
	State    string
	Approved bool   // of a held one: a person said yes, and it is sent soon
	Why      string // why it is held or was refused, by a person or by Upstock
	By       string // who decided; "" = nobody had to
	At       time.Time
}

// PriceDecision is what a person says to changes, by their ids.
type PriceDecision struct{ Approve, Refuse, Undo []string }

// CatalogNeeds is what of the catalogue needs a person, and how its last runs went.
type CatalogNeeds struct {
	Held      int                // changes of prices that wait for a yes, counted up to 100
	ToLink    int                // customers that may be in Upstock already, counted up to 100
	Refused   int                // records that Upstock refused, counted up to 100
	RefusedOf map[string]int     // those by the job that tells them, each up to 100; of JobPrices lists too
	Runs      []*ledger.Progress // the last of JobProducts, JobCustomers and JobPrices, as far as there was one
}

// PricePreview is what a sync of prices would do now, were nothing read first.
type PricePreview struct {
	Counts  map[string]int // of prices by what would become of them: new, changed, gone, held, refused, declined, doubt
	Changes []PriceChange  // the first 200
	More    bool           // there are more changes
	Partial bool           // the time was over before all were compared: counts are those of a part
}

// keepPriceChanges is how long an applied change of a price is known.
const keepPriceChanges = 90 * 24 * time.Hour
