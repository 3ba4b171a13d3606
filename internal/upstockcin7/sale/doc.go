// Package sale says what an order becomes in Cin7 Core: the whole sale before anything is sent, or everything that
// stands against it. It is pure: it reads no clock, calls nobody and writes nothing. So whatever it decides can be
// tried without a vendor, shown to a person beforehand, and decided again.
//
// # Words
//
//	Settings   what a tenant decides of its sales: the pair's section of the tenant's settings
//	Plan       the sale, header and lines, with its total predicted to the cent, and what is to be said of it
//	Reference  what of the tenant's Cin7 Core account one order needs: its books, and the candidates among its cards
//	Books      the small reference books of an account: locations, tax rules, terms, …
//	card       a customer as Cin7 Core has it, with its addresses and contacts
//	mirror     our copy of the account's records, from which a Reference is taken first; it may be behind
//	Problem    why there is no plan, as ledger.Problem: what is wrong and what would mend it. There may be many
//	Want       a record or book that should be read live before a problem is believed
//	link       which record of Cin7 Core one of Upstock's is, as a person or a customer's name says
//
// # How it is used
//
//	settings := sale.SettingsOf(bundle.Settings)
//	needs := sale.Needs(order, settings)               // what to look up in the mirror
//	plan, problems, wants := sale.Make(order, faults, settings, ref)
//	if len(wants) > 0 {                                // read them live, once, into ref; set ref.Live
//		plan, problems, _ = sale.Make(order, faults, settings, ref)
//	}
//
// A plan is kept as JSON and sent in two writes: its Header makes a sale without lines, its Order then brings them,
// with the SaleID of the first answer. Its ExternalID ([ExternalID]) is the mark by which the sale is found again. A
// refusal of one cent is mended by [Plan.Amend].
//
// Beside Make stand the comparisons of what was sent with what is there ([SameHeader], [SameLines], [SameGoods],
// [TooFarApart]), so that what is mapped and what is compared are read together; and [CheckSettings], which asks of the
// settings alone what Make would ask with an order.
//
// # What it promises
//
//   - The same input gives the same plan, byte by byte (a golden file holds it).
//   - Either there is a plan, whose total differs from the order's by no more than the tenant's tolerance, or there are
//     problems, all of them at once. What hangs on something unknown is said once that is known.
//   - Who and what is sold is never guessed. A customer is the card that Upstock links, else the one linked here, else
//     the only one of that name, if nothing known of both speaks against it; a product has the id or the SKU. Else a
//     person is asked, with the likeliest to pick from, and no record is ever made or changed.
//   - Nothing is a problem only because the mirror says so: what could refute it is wanted live first.
//   - What is cut, left out, chosen as second best or off by a cent is said in the plan's Said.
//   - Numbers and texts of any size and kind end in a plan or a problem, never in a panic or without end, and both fit
//     into a record: at most 250 problems and 100 remarks are kept, and a line each that counts the others.
//
// # What is known of the vendor, and what is not
//
// The vendor documents the fields, their lengths and decimals, that a quantity is 1 at least, that a charge is the name
// of a service product, that an address without an id is added to the card unless ShipToOther is set, and that the
// header takes from the card what it is not given. All else here is a reading of it, and each is kept in one place:
//
//	a row's Total     that it leaves tax out, and where it is rounded: it is only called a validation (rowTotal)
//	a sale's sums     what the two ways of computing tax do to cents: only their names are documented (taxed)
//	a refused total   the text, as seen on purchase orders, which check the same field (expectedTotal)
//	what is read back in which order lines come, and what becomes of white space: neither is relied on (SameLines)
//	an unusable card  what becomes of a sale to one that is deprecated or on hold: none is tried (checkCard)
//	no default        which address of a card a sale then has: said, and left to Cin7 Core (destination)
//	“Setup required”  a product's status that the list of statuses does not have: not sold (setupRequired)
//
// A property test sells random orders to the simulated vendor and compares what it makes of them with the plan. It
// holds the plan to this reading, not the reading to the vendor: where Cin7 Core computes otherwise, it refuses the
// row, or the total that it answers differs, which is said on the order.
//
// # Where to look
//
// [Make]'s comment is the table of all fields, and its body the order of the work. A file each holds the sale's header,
// its address, customer, tax rules, lines, products and freight; amounts and totals; faults of the order itself; and
// what a plan is made from (reference.go). To map another field, add a row to the table and a line to the function that
// makes its part.
package sale
