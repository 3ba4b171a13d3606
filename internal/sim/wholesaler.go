package sim

import (
	"slices"
	"strconv"

	"github.com/shopspring/decimal"
)

// What a new account sells, to whom and on which terms: enough for a tenant without
// any settings to sell, and one example of each thing that goes wrong. Every
// vendor fills its books from these lists, so that the books of one account match.

// Good is a product or service that the wholesaler sells.
type Good struct {
	SKU, Name, Category, Brand string
	Price, Cost                string // before tax, in the account's currency
	OnHand                     int64
	Quirk                      Quirk
}

// Buyer is a customer of the wholesaler.
type Buyer struct {
	Name, Contact, Email, Phone string
	Tier, Terms, Location, Rep  string
	Discount                    string   // percent
	Streets                     []Street // shipping addresses; the first is also the billing address
	Quirk                       Quirk
}

// Street is an address without its country.
type Street struct{ Line1, Line2, City, State, Postcode string }

// Quirk is what is unusual about a good or a buyer; "" = nothing.
type Quirk string

// The quirks.
const (
	Service    Quirk = "service"
	Deprecated Quirk = "deprecated"
	Unsellable Quirk = "unsellable"
	DropShip   Quirk = "drop ship"
	OnHold     Quirk = "on hold"
	Foreign    Quirk = "foreign"  // in Australia, with another currency
	Unlinked   Quirk = "unlinked" // the vendors' records of it are not linked yet
)

// The wholesaler's two stores.
const (
	MainWarehouse = "Main Warehouse"
	SecondStore   = "Southern Store"
)

var goods = [...]Good{
	{"KWK-100", "Kawakawa Leaf Tea 100 g", "Tea", "Tūī & Fern", "8.90", "4.10", 4000, ""},
	{"KWK-500", "Kawakawa Leaf Tea 500 g", "Tea", "Tūī & Fern", "36.50", "17.20", 1800, ""},
	{"MNK-TEA", "Mānuka Smoked Black Tea 80 g", "Tea", "Tūī & Fern", "11.25", "5.05", 2500, ""},
	{"HRP-040", "Horopito Ground Pepper 40 g", "Spice", "Bush Larder", "7.4550", "3.10", 3000, ""},
	{"HRP-1KG", "Horopito Ground Pepper 1 kg", "Spice", "Bush Larder", "118.00", "61.00", 200, ""},
	{"SLT-FLK", "Flaky Sea Salt 250 g", "Spice", "Cape Foulwind", "6.80", "2.35", 6000, ""},
	{"SLT-SMK", "Mānuka Smoked Salt 250 g", "Spice", "Cape Foulwind", "8.3333", "3.05", 5200, ""},
	{"HNY-CLV", "Clover Honey 500 g", "Honey", "Paddock Bees", "9.95", "5.60", 4200, ""},
	{"HNY-MNK", "Mānuka Honey 250 g", "Honey", "Paddock Bees", "34.00", "19.50", 900, ""},
	{"RWR-a", "Rewarewa Honey 250 g", "Honey", "Paddock Bees", "15.75", "8.00", 1500, ""},
	{"RWR-A", "Rewarewa Honey 250 g, amber jar", "Honey", "Paddock Bees", "17.25", "8.90", 1200, ""},
	{"OLV-EV5", "Extra Virgin Olive Oil 500 ml", "Oil", "Stony Terrace", "21.40", "12.15", 2100, ""},
	{"OLV-EV20", "Extra Virgin Olive Oil 20 l", "Oil", "Stony Terrace", "512.00", "330.00", 40, ""},
	{"AVO-250", "Avocado Oil 250 ml", "Oil", "Stony Terrace", "13.99", "7.70", 2600, ""},
	{"CHT-TOM", "Tamarillo Chutney 300 g", "Preserves", "Bush Larder", "7.95", "3.45", 3600, ""},
	{"CHT-FEI", "Feijoa Chutney 300 g", "Preserves", "Bush Larder", "7.95", "3.40", 3600, ""},
	{"JAM-BOY", "Boysenberry Jam 350 g", "Preserves", "Bush Larder", "6.6667", "2.95", 4100, ""},
	{"GRN-TST", "Toasted Granola 1 kg", "Breakfast", "Early Tram", "14.20", "7.10", 2000, ""},
	{"OAT-RLD", "Rolled Oats 2 kg", "Breakfast", "Early Tram", "5.35", "2.20", 8000, ""},
	{"CHC-72", "Dark Chocolate 72 % 70 g", "Chocolate", "Wharf Street", "4.15", "1.80", 9000, ""},
	{"CHC-SLT", "Salted Caramel Chocolate 70 g", "Chocolate", "Wharf Street", "4.45", "1.95", 9000, ""},
	{"BSC-OAT", "Oat Biscuits, tin of 24", "Biscuits", "Early Tram", "18.60", "9.00", 0, ""},
	{"HMP-XMS", "Midwinter Hamper", "Gifts", "Wharf Street", "96.00", "58.00", 25, DropShip},
	{"DSP-STD", "Counter Display Stand", "Fittings", "", "0.00", "45.00", 12, Unsellable},
	{"CHC-55", "Milk Chocolate 55 % 70 g", "Chocolate", "Wharf Street", "3.95", "1.70", 60, Deprecated},
	{"FREIGHT", "Freight", "Services", "", "12.50", "0", 0, Service},
}

var buyers = [...]Buyer{
	{"Harbourside Grocers", "Ngaire Pohatu", "orders@harbourside.example", "+64 9 555 0101",
		"Wholesale", "20th of the month", MainWarehouse, "", "0",
		[]Street{{"12 Quay Lane", "", "Auckland", "Auckland", "1010"},
			{"3 Ferry Building", "Shop 4", "Devonport", "Auckland", "0624"}}, ""},
	{"Tōtara Street Café", "Sina Faleolo", "sina@totarastreet.example", "+64 4 555 0112",
		"Wholesale", "7 days", "", "", "0",
		[]Street{{"88 Tōtara Street", "", "Wellington", "Wellington", "6011"}}, ""},
	{"Bluff & Sons Provedores", "Hamish Orr", "hamish@bluffandsons.example", "+64 3 555 0123",
		"Trade", "20th of the month", MainWarehouse, "Mere Parata", "5",
		[]Street{{"1 Foreshore Road", "", "Bluff", "Southland", "9814"}}, ""},
	{"Southern Lakes Lodge", "Olive Tanner", "kitchen@southernlakes.example", "+64 3 555 0134",
		"Wholesale", "20th of the month", SecondStore, "", "0",
		[]Street{{"200 Lakefront Drive", "", "Queenstown", "Otago", "9300"},
			{"7 Glacier Track", "Back entrance", "Glenorchy", "Otago", "9372"},
			{"41 Ardmore Road", "", "Wānaka", "Otago", "9305"}}, ""},
	{"Kererū Organics", "Wiremu Hale", "buyer@kereru.example", "+64 6 555 0145",
		"Retail", "7 days", MainWarehouse, "", "2.5",
		[]Street{{"59 Riverbank Road", "", "Whanganui", "Manawatū-Whanganui", "4500"}}, ""},
	{"Ponsonby Deli Collective", "Jude Marsh", "accounts@ponsonbydeli.example", "+64 9 555 0156",
		"Wholesale", "7 days", MainWarehouse, "", "0",
		[]Street{{"301 Ponsonby Road", "", "Auckland", "Auckland", "1011"}}, OnHold},
	{"Old Mill Stores", "Pat Greer", "pat@oldmill.example", "+64 3 555 0167",
		"Retail", "7 days", MainWarehouse, "", "0",
		[]Street{{"2 Mill Race", "", "Ōamaru", "Otago", "9400"}}, Deprecated},
	{"Brisbane Fine Foods", "Toni Araujo", "toni@brisbanefine.example", "+61 7 5550 0178",
		"Trade", "20th of the month", MainWarehouse, "", "0",
		[]Street{{"17 Storey Street", "", "Brisbane", "QLD", "4000"}}, Foreign},
	{"Waka Lane Kitchen", "Rangi Tipene", "rangi@wakalane.example", "+64 7 555 0189",
		"Wholesale", "7 days", "", "", "0",
		[]Street{{"5 Waka Lane", "", "Rotorua", "Bay of Plenty", "3010"}}, Unlinked},
}

// Goods returns what a new account sells.
func Goods() []Good { return slices.Clone(goods[:]) }

// Barcode returns the barcode of Goods()[n].
func Barcode(n int) string { return "94" + strconv.Itoa(10000000000+n) }

// Buyers returns the customers of a new account.
func Buyers() []Buyer { return slices.Clone(buyers[:]) }

// Country returns a buyer's country.
func (b *Buyer) Country() string {
	if b.Quirk == Foreign {
		return "Australia"
	}
	return "New Zealand"
}

// Catalogue is what the wholesaler sells now, and to whom. One vendor's books keep
// it: Cin7 Core's. The other vendors take ids from it, and fill orders from it.
type Catalogue interface {
	// GoodID and BuyerID return the ids of Goods()[n] and Buyers()[n] in books that
	// were just filled.
	GoodID(n int) string
	BuyerID(n int) string
	// Sells reports whether a good can be sold from stock to anybody.
	Sells(good string) bool
	// Buys reports whether a buyer can buy without any problem, in the account's currency.
	Buys(buyer string) bool
	// TaxRate returns the percent of a buyer's tax.
	TaxRate(buyer string) (percent decimal.Decimal, ok bool)
	// Price returns what a buyer pays for a good, before the discount in percent.
	Price(buyer, good string) (price, discount decimal.Decimal, ok bool)
}

// plainCatalogue is the catalogue of an account without a vendor that keeps one:
// the lists above, with names for ids.
type plainCatalogue struct{}

func (plainCatalogue) GoodID(n int) string  { return goods[n].SKU }
func (plainCatalogue) BuyerID(n int) string { return buyers[n].Name }

func (plainCatalogue) Sells(good string) bool {
	return slices.ContainsFunc(goods[:], func(g Good) bool { return g.SKU == good && g.Quirk == "" })
}

func (plainCatalogue) Buys(buyer string) bool {
	return slices.ContainsFunc(buyers[:], func(b Buyer) bool { return b.Name == buyer && b.Quirk == "" })
}

func (plainCatalogue) TaxRate(string) (percent decimal.Decimal, ok bool) { return percent, false }
func (plainCatalogue) Price(_, _ string) (price, discount decimal.Decimal, ok bool) {
	return price, discount, false
}
