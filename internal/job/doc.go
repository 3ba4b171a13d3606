// Package job holds what the work of every pair has in common, whatever its
// business is. So far that is the reading of a failed call.
//
// # A failed call
//
// Work calls vendors, and a call can fail in a dozen ways. A client says which
// one it was: its *rest.Error tells what became of the call over there. Work
// needs an answer to another question: does it go on, when, and what does a
// person read meanwhile? Verdicts.Of turns the one into the other. It is the
// only place that does, and the only one with the sentences of it:
//
//	the limiter says wait      *ledger.Later: when the budget has a call again
//	too many calls were made   *ledger.Later: when the vendor says, else soon
//	too little time is left    *ledger.Later: soon (see ErrShort)
//	the key is refused         *ledger.Park; the connection is marked, and the tenant told
//	… and has been replaced    *ledger.Later: at once
//	no believable answer       *ledger.Down
//	none of these              the error as it is: one of our own, or the invocation is over
//
// A caller first reads what only it can understand: that Invalid means a
// refused order, that NotFound means a page that is gone. It hands on the rest
// with the bundle whose keys the call was made with:
//
//	page, err := client.OrdersPage(ctx, query)
//	switch end := verdicts.Of(ctx, bundle, err).(type) {
//	case nil: // the page is there
//	case *ledger.Later: // come back at end.At
//	case *ledger.Park: // until a new key is saved
//	case *ledger.Down: // come back after a Backoff, or with the next schedule
//	default: // return it: the queue repeats the message
//	}
//
// What the verdict cannot know is the caller's: how long to wait after Down,
// whether to give up one day, who wakes the work after a Park, and what becomes
// of the work ("The order goes on by itself.").
//
// # Promises
//
// No wait is longer than Verdicts.Longest, whatever a vendor says: it may say
// otherwise by then. Waits are spread by lot, so that those who were turned
// away together do not come back together. A call that was cut off because the
// invocation is over is nobody's failure: no vendor is blamed for it, and
// nothing is counted. Of twice is as good as once.
package job
