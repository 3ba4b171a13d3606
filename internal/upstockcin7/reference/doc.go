// Package reference is what a sale is made from: the customers, products and books of a Cin7 Core account, as its
// mirror has them and, where that would stop an order, as Cin7 Core has them now.
//
// # Words
//
//	book       a small list that every order needs whole: tax rules, locations, payment terms …
//	row        a customer or a product, without what no sale needs and what changes all the time
//	name       a text by which rows are found: a SKU, a customer's name, an e-mail address, a service's name
//	reference  what one order may need of all this (sale.Reference)
//	want       what the plan of an order lacks, and would like read live (sale.Want)
//	fold       how a text is spelt as a name. A mirror remembers by which way of folding its names were written
//
// # How it is used
//
// The mirror of an account is read by a pass (Reader.Pass, package mirror). An order takes from it what it needs:
//
//	ref, err := reader.Order(ctx, order)
//	plan, problems, wants := sale.Make(order, faults, settings, ref)
//
// Whatever the mirror says against an order is asked of Cin7 Core before it is believed:
//
//	ref, err = reader.Live(ctx, client, ref, wants)
//
// What is read live is written into the mirror too. Such reads are bounded for one order; beyond that the mirror is
// believed.
//
// # In the mirror
//
//	books                           sale.Books; without what no sale can name (bins)
//	product         <id>            cin7core.Product, without large and ever-changing fields
//	productsku      <folded SKU>    the products of that SKU themselves, so that an order by SKU takes one read too
//	productservice  <folded name>   ids of service products: freight is one, chosen by name
//	customer        <id>            cin7core.Customer, likewise
//	customername    <folded name>   ids of customers
//	customeremail   <folded e-mail> ids of the customers of whom a contact has it
//
// Beside these rows, which are as small as an order needs, a pass writes those that the catalogue is made from, of the
// same answers: whoever has the mirror read says which (Catalog). No order reads them.
//
// # What it promises
//
// What the planner would take for the same is found under the same name. A customer is known by a name only if no
// other card may have that name by now: where an order goes by it, all cards that changed since the last pass are
// read once, for this order and for those that came before (Reader.CustomersKnown). A wrong copy does no harm: what
// would stop an order is read live first, and what is read goes into the mirror.
package reference
