// Package list keeps a tenant's whole list of something in a few items of the table, so that it is searched and paged
// without reading what it is made of: 50,000 customers are some dozens of items, read once and kept in the process.
//
// # Words
//
//	book    one list of a tenant: rows of one kind, of one account (Book)
//	row     one line of it, made of other records; it can be made anew at any time
//	shard   some of a book's rows, by a hash of their ids: one item, packed
//	head    the item that says which shards there are, in which version, and what they count
//	sheet   a book as it was read, in order (Sheet)
//
// # How it is used
//
// A Kind says how rows are packed, ordered and counted; [Customers] is that of customers. Whoever changes what a row is
// made of calls [Book.Restand] with its id, and [Book.Rebuild] makes all of them anew:
//
//	err := book.Restand(ctx, tenantID, account, ids,
//		func(ctx context.Context, ids []string) ([]list.Customer, error) {
//			return …, nil // the rows that there are of these ids, read now
//		})
//
// [Book.Read] is the sheet. It reads the head, and those shards whose version is not the one that this process has.
//
// # What it promises
//
// Rows are read from what they are made of after their shard was read, and are written only if the shard is still that
// one: whoever is slower begins again, so no older state stands over a newer one. What is as it was is not written. A
// sheet may be a moment old. A book grows by having more shards: an item is never larger than the table takes.
//
// # Keys
//
//	T#<tenant>#joor#<kind>   head                  the head
//	                         s#<generation>#<n>    a shard; the generation changes with the number of shards
package list
