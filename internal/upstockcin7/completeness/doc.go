// Package completeness proves for a period that nothing is missing. It compares, for one tenant, the orders that
// Upstock lists as approved, the sales that Cin7 Core lists, and what the ledger knows of both. It says what differs,
// why, and what to do about it, and mends what costs no call.
//
// # Words
//
//	period      from one instant until before another, by when orders were approved. The standing one is the last
//	            7 days
//	check       one comparison of a period, from its first page to its report. It may take many parts of the job
//	span        a period as it was asked for; zero is the standing one, whatever its days are by then
//	order row   an approved order, as Upstock lists it
//	sale row    a sale that carries the id of an order, as Cin7 Core lists it
//	joined      an order with all that is known of it: its row, its run, the sale rows with its id
//	verdict     what an order comes to: sold, cancelled or under way, and what differs
//	difference  one thing that does not agree, in plain words
//	report      what a check found: counts, differences, and the names of its rows
//	row         what a report has of one order, for a spreadsheet
//	stranger    a sale with the id of an order that neither Upstock's list nor the ledger has
//
// # How it is used
//
// A person asks for a check, a schedule or that wish starts the job, and the newest report is read at any time:
//
//	err := checker.Start(ctx, tenant, from, to)
//	err = checker.Check(ctx, part)                          // the job's part, see package job
//	report, err := checker.Last(ctx, tenant, from, to)
//	for row, err := range checker.Rows(ctx, tenant, report) {
//
// # How a check goes
//
// It lists the orders (ordersPage), lists the sales (salesPage), and then compares some hundreds at a time
// (compareSome). What one order comes to is decided by verdictOf, from what is known of that order alone and without
// a call. A verdict may need one record more, where the lists leave a doubt: a sale that the list does not have, or
// an order that should be shipped by now. That is read by itself, and the order is judged again. In the end come the
// strangers (finish).
//
// # In the ledger
//
//	completeness#asked            the periods that people asked for and that are not checked yet
//	completeness#check            the check under way
//	completeness#standing         the newest report of the standing period
//	completeness#<from>#<to>      the newest report of another period, by its Unix times
//	<lots>#<n>                    rows, in parts that are never changed: of orders, of sales, of a report
//
// # What it promises
//
// A report tells of one period as a whole, or there is none: one that could not be read to its end has a problem
// instead. A check may break off anywhere and goes on where it was, unless that is a day ago; two workers at once spoil
// nothing, and the first to save goes on. A report of other accounts than those connected now is not shown. No advice
// makes a second sale: where a sale is known that may be the order's, that one is looked at first. A period with more
// orders than can be compared is refused in words, not cut.
package completeness
