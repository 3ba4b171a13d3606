// Package joorcin7 is the business between Cin7 Omni and JOOR: customers of Cin7 Omni become connections in JOOR, each
// once, and stay as they are in Cin7 Omni. Where each of them stands can be seen at any time.
//
// # Words
//
//	contact     a customer record of Cin7 Omni; its id is a decimal number
//	connection  JOOR's record of a retailer: its id is JOOR's, its code is the brand's own
//	link        that a contact is known to be a connection: by an upload, or by a match that was accepted
//	match       a contact and a connection that may be the same, proposed, accepted or rejected
//	bulk job    JOOR's own work on connections that were sent together; package publish calls it a ticket
//	review      JOOR's data team looks at a new connection, which takes days
//	list        upload, update, review, linked: see package list
//	wish        what a person wants sent, until that is done
//	options     what both accounts have for the settings to name
//
// # The way of a customer
//
//	contacts, each 15 minutes     functions/joor: what changed in Cin7 Omni
//	  run.pull                    contacts.go     the window of changes, into the mirror; then the lists
//	Pair.Upload, Pair.Update      people.go       a wish, and a piece of long work
//	  run.choose, run.tell        send.go         what fails JOOR's rules is left out; the set is told the rest
//	    side.Put, side.Follow     side.go         a bulk job; what became of it; each connection looked up for its id
//	joor, each 30 minutes         functions/joor: bulk jobs and reviews that are open
//	  run.wake                    send.go         runs of before go on whose message was lost or given up
//	Pair.DownloadConnections      download.go     JOOR's connections, kept for 7 days, and what changed there
//	Pair.FindMatches              matches.go      proposals over both; people accept, reject and undo
//	run.listAll                   gone.go         once a week: what was deleted in Cin7 Omni
//
// What a contact should be in JOOR is decided by package customer. What JOOR was told, refused and has in review is
// kept by package publish, in one set (send.go), from which, with the copy of the contacts, the lists are made
// (row.go). They can be made anew at any time, and are where work broke off between the two.
//
// # What it promises
//
// Nothing goes to JOOR that nobody asked for: neither a person, nor a setting that a person has switched on. A contact
// is one connection, however often it is sent and whatever fails: its id is the connection's code, by which JOOR writes
// over what is there; a connection that was linked keeps its own. What was sent is followed until JOOR says what became
// of it. Nothing is removed in JOOR. What was removed there by its people does not come back by itself.
package joorcin7
