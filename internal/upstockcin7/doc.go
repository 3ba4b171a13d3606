// Package upstockcin7 is the business between Upstock and Cin7 Core. An order that is approved in Upstock becomes
// exactly one sale in Cin7 Core, or a visible reason why not; and what is shipped there comes back to Upstock, parcel
// by parcel.
//
// # The way of an order
//
// Each line is a function and the file it stands in. What is further to the right is called by what stands above it.
//
//	POST /webhooks/upstock/{token}        functions/webhook: an order was approved
//	  Pair.Webhook → Pair.receive         webhook.go    the connection of this address; the signature of the body
//	    Pair.take → Pair.approved         webhook.go    what kind of event it is, and whose
//	      Pair.takeIn → Pair.writeDown    supplier.go   the order is durable after one conditional write; then
//	      Deps.Wake                                     a pointer goes to the orders queue, and 202 to Upstock
//
//	a pointer {tenant, order}             functions/orders: one worker's turn at one order
//	  Pair.Push                           work.go
//	    work.begin                        decide.go     reads the run, settings and connections; takes the lease
//	    work.steps                        work.go       asks the run which step is next, again after each step:
//	      work.find                       work.go         there is no sale yet: which is it to be?
//	        work.look                     look.go           in doubt: the sales that Cin7 Core has of this order
//	        work.create                   push.go           none: plan, then an attempt of POST /sale
//	      work.lines                      push.go         a header without lines: an attempt of POST /sale/order
//	      work.undo                       void.go         the lines were refused: the header is voided
//	      work.voidDoubt                  void.go         a void without an answer: did it take effect?
//	      work.settleCancel               cancel.go       does a cancellation count? Upstock is asked
//	      work.after                      push.go         sold: what is left to do
//	        work.watched                  look.go           look for a twin, if a create was in doubt
//	        work.tell                     push.go           Upstock is told the sale's number
//	        work.handle                   handling.go       its goods are picked, packed, shipped, as a person wishes
//	        work.readAndTell              ship.go           the sale is read, see below
//	      work.attempt                    attempt.go    how each of these writes: reserve, intent, call, its answer
//	    work.finish                       finish.go     writes down how it ended, and gives the lease back
//
//	a sale changed in Cin7 Core           functions/webhook and functions/shipments
//	  Pair.Cin7Webhook                    hooks.go      a webhook names the sale; it is a hint, never a fact
//	  Pair.shipments                      shipments.go     the list of changed sales, every 5 minutes
//	    Marks.SaleChanged                 order/reading.go  a mark in the run, in one write, and a pointer
//
//	the pointer, once more                functions/orders
//	  work.readAndTell                    ship.go       reads the sale, under the lease
//	    work.foundIn                      ship.go         the parcels that it shows
//	    work.tellParcels                  ship.go         those that Upstock does not know as they are:
//	      work.putShipment                ship.go           PUT /orders/{id}/shipments/{parcel}
//
// What an order becomes is decided by package sale, from the order, the tenant's settings and the mirror of its Cin7
// Core account (whose card it is: planner.findCustomer, sale/customer.go); work.makePlan (push.go) gives it what it
// needs. Other ways lead to the same places: Pair.reconcile takes in
// orders that no webhook brought, Pair.backfill those of earlier days, and Pair.Sweep sends a pointer again to all
// that is due, so that it never matters what became of a message. Pair.Retry is a person's, Pair.DeadLetter counts
// pointers that died, and a [completeness.Checker] compares both sides and says what is missing.
//
// # The way of the catalogue
//
//	a tenant's part of products, customers or prices   functions/catalog, each hour and as people ask
//	  Pair.syncCatalog                    catalog_run.go        the stages of a run, over one progress
//	    Pair.readChanges, readTiers       changes.go            what changed in Cin7 Core, into the mirror
//	    catalogRun.learnProducts, …       catalog_products.go, catalog_customers.go   what Upstock has already
//	    catalogRun.chooseProducts, …      catalog_chosen.go     what people asked to have imported
//	    catalogRun.matchCustomers         catalog_customers.go  which of Upstock's customers each of Cin7 Core's is:
//	      matcher.decide                  catalog_match.go        an order's customer is another question
//	    catalogRun.tell                   catalog_sets.go       products; lists, prices, customers, lists that go
//	people's questions and answers        catalog_people.go, catalog_lists.go, catalog_changes.go
//
// What Upstock should hold is decided in package catalogue, and told by package publish.
//
// # Words
//
//	run      the journal of one order, order.Order. All that is known of the order is in it, nothing in a process
//	pointer  a message that names a run. It only wakes: what is to be done is in the run
//	step     one move of a run: create sale, order lines, void sale, tell Upstock, pick, pack and ship goods
//	intent   an outside write on record before it is made. Without an answer it is open, which is a doubt
//	lease    one worker's right to act on a run, for 75 seconds
//	plan     the whole sale, before anything of it is sent. It freezes with the first intent
//	look     a search for sales of ours in Cin7 Core: those of an order before one is made (work.look), or a twin of
//	         its sale after a create in doubt (work.watched)
//	reading  the reading back of a sold order's sale, for what became of it (Order.ReadingDue, work.readAndTell)
//	mark     the note in a run of what was heard of its order (order.Marks): its sale changed, so that a reading is
//	         due; it was cancelled; it was approved again
//	adopt    to take a sale that a look found for the run's own
//	twin     a second sale of the same order, made by a create that had no answer
//	parcel   one shipment, as Upstock is told of it
//	handling picking, packing and shipping a sale's goods in Cin7 Core, as a person has wished (order.Handling)
//	park     to wait, however long, until a connection works again, an account is connected again, or a pause ends
//	mirror   the copy of the Cin7 Core account's reference data that plans stand on
//	supplier the Upstock company whose order it is. A run belongs to its supplier and its Cin7 Core account for good
//
// # What holds
//
// Every outside write but those that may be repeated is an intent first (work.attempt), under the lease, and no write
// is sent that the lease would not outlive (work.calling). What was decided before the lease is decided again under it
// (decide.go). A create that had no answer is looked for, twice and after the settle time, before another is made. What
// other people did in Cin7 Core stands: nothing is written to, or voided, that is not surely ours and unchanged. A
// cancellation counts when Upstock itself confirms it (cancel.go). Reading what is shipped and telling it are one
// worker's, so that no older reading overwrites a newer. The tests that hold all of this are listed in
// docs/architecture.md.
//
// # How it is used
//
// [New] makes a [Pair] from [Deps]. Its methods are handlers (Webhook, Cin7Webhook), the work of the orders queue
// (Push, DeadLetter) and of its schedule (Sweep), and people's (Retry, Handle, Preview, FindRecords, Options,
// StartBackfill).
// Completeness compares both sides. It hears of connections by Connecting and Connected, from package vendor. Its
// jobs, which are done for one tenant after another, are a table (Jobs, jobs.go). Package app says which function
// calls which; package console which route.
//
// An error of a method means that the state could not be written down, and that the message should come again. How
// the work itself ended is no error: it is in the run.
package upstockcin7
