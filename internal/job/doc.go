// Package job is the work that is done for one tenant after another, whatever the business is: how it starts, how a
// list that grows is read, and what a failed call means.
//
// # Words
//
//	kind     what is to be done: a row of a pair's table of jobs (Kind), with its name, its interval and its method
//	part     one tenant's share of a job, done by one worker in one go (Part)
//	message  what a queue holds of a part: its job and its tenant. It only wakes (Message)
//	cursor   how far a tenant's job has read a list, for good (ledger.Cursor)
//	window   what changed in the list since: it is read page by page, and again as a whole (Window)
//	pass     one reading of the window's pages
//	verdict  what a failed call means for the work (Verdicts)
//	run      long work that people follow by its progress, done by as many parts as it takes (Run)
//	stage    a piece of a run (Stage)
//	place    how far a run is: its stage, and how far that is (Place)
//
// # How it is used
//
// A pair has a table of kinds, and a method for each, which the function that reads the queue brings:
//
//	func (p *Pair) Jobs() []job.Kind {
//		return []job.Kind{{
//			Name: "contacts", Help: "what changed at contacts", Every: 10 * time.Minute,
//			Needs: []tenant.System{acme}, List: acme, Queue: job.Shipments, Class: limit.Second,
//		}}
//	}
//	func (p *Pair) ShipmentsWork() job.Work { return job.Work{"contacts": p.contacts} }
//
// A Runner joins the tables. A schedule calls FanOut, which sends a message for each tenant that is due. A function
// that reads the queue has a Runner With its work, and calls Do with each message; a person or a webhook calls Kick,
// which is durable. A method reads its list as a Window, and returns the error of a call as it is:
//
//	func (p *Pair) contacts(ctx context.Context, part *job.Part) error {
//		return job.Window[Contact]{
//			Title: "Acme's list of contacts", Begin: part.Connection().Since, Passes: 10,
//			Page: …, // one call
//			Key:  …, // which contact a row shows, and which change of it
//			Keep: …, // what the row asks for, on record
//		}.Read(ctx, part)
//	}
//
// Part.End then writes down how far the part came and what holds it up. The part comes back by itself when the vendor
// allows it; after no believable answer with its next schedule, after a refused key when a new one is saved. A kind
// that keeps a place of its own, as its work is no window, has no cursor (Kind.List is empty): it reads its failed
// calls by Part.Verdict, and says itself when it comes back (Part.Again). What its list shares with a window are
// Turn, RefusedPage and Part.Short.
//
// # Long work
//
// Work that takes many parts, and that people want to see, is a run. Its kind takes the run's turn, does the stages in
// order, and ends:
//
//	func (p *Pair) contacts(ctx context.Context, part *job.Part) (err error) {
//		r := &run{place: new(place)} // run embeds *job.Run; place embeds job.Place, and has a Reset
//		if r.Run, err = part.TakeRun(ctx, account, r.place, turn); r.Run == nil {
//			return err
//		}
//		return r.End(ctx, r.Do(ctx, []job.Stage{{Name: "read", Work: r.read}, {Name: "match", Work: r.match}}))
//	}
//
// A stage notes in its place how far it is, and has that on record with Save. It returns nil when it is done, and the
// error of a call as it is: then the run waits, people see for what, and the part that comes back goes on in the same
// stage. A stage that is to be followed by another than the next says so (GoTo). Whoever asks for the run while it is
// under way has it done once more. What a far side is to be told is a stage too: see publish.Publisher.Tell.
//
// # A failed call
//
// Work calls vendors, and a call can fail in a dozen ways. A client says which one it was: its *rest.Error tells what
// became of the call over there. Work needs an answer to another question: does it go on, when, and what does a
// person read meanwhile? Verdicts.Of turns the one into the other. It is the only place that does, and the only one
// with the sentences of it:
//
//	the limiter says wait      *ledger.Later: when the budget has a call again
//	too many calls were made   *ledger.Later: when the vendor says, else soon
//	too little time is left    *ledger.Later: soon (see ErrShort)
//	the key is refused         *ledger.Park; the connection is marked, and the tenant told
//	… and has been replaced    *ledger.Later: at once
//	no believable answer       *ledger.Down: a job with its next schedule, an order after a pause
//	none of these              the error as it is: one of our own, or the invocation is over
//
// A caller first reads what only it can understand: that Invalid means a refused order, that NotFound means a page
// that is gone. What the verdict cannot know is the caller's too: how long to wait after Down, whether to give up one
// day, who wakes the work after a Park, and what becomes of the work ("The order goes on by itself.").
//
// # Promises
//
// A part may be done twice, by two workers at once, and break off anywhere: what it did is on record before its
// cursor moves, and the cursor moves to no instant that the vendor's own clock has not reached. A message may be
// lost: the next schedule finds what was asked for. A worker that was slower neither moves the cursor back nor comes
// again.
//
// No wait is longer than Times.Longest, whatever a vendor says: it may say otherwise by then. Waits are spread by
// lot, so that those who were turned away together do not come back together. A call that was cut off because the
// invocation is over is nobody's failure: no vendor is blamed for it, and nothing is counted.
package job
