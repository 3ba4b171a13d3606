// Package catalogue says what Upstock should hold of a Cin7 Core account: its products, its customers, and for every
// customer the right price of every product, in as few price lists as will do. It reads copies of the account's records
// and decides; it makes no call but those of its sides.
//
// # Words
//
//	product, customer  a record of Cin7 Core, reduced to what Upstock can hold of it (Product, Customer)
//	chosen             is to be in Upstock: by a person, or by the setting for new products
//	listed             a product that is chosen and can be bought: what price lists hold
//	tier               one of the ten prices of a product, known by its code; a customer's card names it
//	own price          a price of one product for one customer. It stands in place of the tier's
//	discount           what a customer pays less of every price, own ones included, in percent
//	price list         what Upstock knows prices by: a price for each product, for the customers who have it (List)
//	no price           the product is not in the list, and who has the list cannot buy it
//	held               a price that waits for a person's yes
//	row                a record as the mirror keeps it (ProductRows, CustomerRows)
//
// # How it is used
//
// Whoever reads Cin7 Core's lists writes the rows of each record into the mirror:
//
//	rows := catalogue.ProductRows(product)   // of cin7core
//
// The rules of an account are its currency and its tiers, with the tenant's settings. They answer every question about
// one customer and one product, with the reasons:
//
//	rules := catalogue.Rules{Currency: me.Currency, Tiers: tiers, Settings: catalogue.SettingsOf(bundle.Settings)}
//	list, why := rules.ListOf(customer)
//	explained := rules.Price(customer, own, product)
//
// Rules and rows together are a [Source]. It lists what Upstock should hold as four sets of package publish, each in
// order and in little memory, and there is a side for each:
//
//	products   Source.WantProducts    ProductSide    one that goes is told as discontinued
//	lists      Source.WantLists       ListSide       before their prices; they go when no customer has them
//	prices     Source.WantPrices      PriceSide      with Settings.Hold; before the customers who get the list
//	customers  Source.WantCustomers   CustomerSide   one that goes is told as inactive
//
// # Prices
//
// A price is the customer's own, else that of the tier that the card names, less the customer's discount. It is rounded
// once, at the end, half away from zero, to four decimals: 12.46 less 2.5 % is 12.1485. As a text it has two decimals,
// or four where it needs more than two, so that equal prices are equal texts.
//
// A tier's price that is 0 or less is no price, and never that of another tier. Nor is an own price below 0: the tier's
// does not come back in its place. A tier that the card leaves blank, that the account does not have, or whose name two
// tiers bear, gives no price. What an own price of 0 or a discount would give away is held, always.
//
// # Lists
//
//	tier:<code>              a tier's prices; the code stays when the tier is renamed, the name follows
//	tier:<code>:<discount>   the same for customers with a discount
//	customer:<id>            the prices of a customer who has an own price of a listed product
//	none                     no prices, for customers whose tier gives none
//
// A customer in another currency has no list: orders in it are not supported.
//
// # In the mirror
//
//	catalogproduct   <id>         Product
//	catalogcustomer  <id>         Customer
//	ownprices        <id>#<nnn>   up to 1,000 own prices of the customer, in the order of products
//	stock            <id>         whether anything of a product is available; read where the setting outOfStock asks
//
// # What it promises
//
// Everything here agrees with what Rules.Price answers for one customer and one product. Nothing depends on the order
// in which Cin7 Core lists records, contacts or addresses. What Upstock cannot hold is left out with a reason, and
// never cut in silence.
package catalogue
