// Package publish tells a far side what it should hold: the products of an ordering app, the customers of a
// marketplace, the prices of a price list. It knows what was told before, tells what differs from that, and keeps what
// is told.
//
// # Words
//
//	set      the records of one kind that one far side should hold: what is wanted, and where it goes (Set)
//	record   one of them, under a group and an ID. A group is what one call may hold, such as a price list
//	want     the stream of records as they should be, in order (Want)
//	told     what the far side said that it has (Entry.Told). Both streams side by side give the differences
//	side     what can be told: one call with some records, and an answer for each (Side)
//	run      a reading of want and told, and the calls for what differs, until the far side has it all or said why not
//	pass     one reading of both to their ends; a run makes another where something is in doubt, or was asked for
//	part     what a worker does of a run in one go (job.Part)
//	held     a change that waits for a person's yes
//	pending  a record that the far side has and will decide about
//	doubt    nobody knows what became of a call: it took effect, or will, or never does
//
// # How it is used
//
// A pair has a job whose kind has a cursor, and a Set for it:
//
//	func (p *Pair) goods(ctx context.Context, part *job.Part) error {
//		_, err := p.Publisher.Sync(ctx, part, publish.Set{
//			Name: "goods", Account: …, Title: "goods",
//			Want: p.wantedGoods, // from the mirror, in order of ID
//			To:   goodsSide{…},  // one call of the client, and its answer for each record
//			Hold: …,             // which changes wait for a yes
//		})
//		return err
//	}
//
// Whoever wants a run calls [Publisher.Ask], which returns its progress for people to follow (ledger.Progress), and
// starts the job. A run by schedule needs no asking. One run of a set is under way at a time: a second request is
// answered with the first one's progress, and that one is not done before all is told that was wanted then. A second
// worker does nothing.
//
// [Publisher.Differences] says what a run would do. [Publisher.Decide] is what a person says: yes or no to what is
// held, and that something be sent again. [Publisher.AskNow] has what is pending asked about before its time.
// [Publisher.Notable] lists what people may have to look at. [Publisher.Learn] notes what the far side was found to
// hold, when it was read: what was there before us is not told again, and what somebody took away there is.
//
// Sets that depend on each other are the pair's to order: it calls Sync for one after the other, or has each told by a
// stage of a run of its own ([Publisher.Tell]), which people follow instead.
//
// # What a record goes through
//
//	nothing ──wanted──▶ sending ──done──▶ told ──another value is wanted──▶ sending
//	                      ├──refused──▶ refused ──another value, a person, or its Due──▶ sending
//	                      ├──pending──▶ pending ──asked when it is due──▶ told, refused, pending
//	                      └──unknown──▶ in doubt ──when it can take effect no more──▶ sending
//	told ──not wanted, and want was read to its end──▶ sending that it goes ──done──▶ nothing
//	told ──Hold says why──▶ held ──a person's yes──▶ sending;  no ──▶ declined, until another value is wanted
//
// Sending is on record before the call, with the run's progress, and goes in the write that keeps the answers. A
// worker that finds one has found the doubt of a worker that died.
//
// What is in doubt may take effect until the call's end and the settle time (Times). If the same value is wanted
// still, it is sent again after that. If another one is, that goes at once, and once more after that: the old one may
// have overtaken it. An answer that says nothing of a record, or two things, leaves it in doubt too; after five such
// answers in a row it counts as refused.
//
// A call that is refused as a whole is made again with half as many records, until it is known whose fault it is.
// Where ten records in a row are refused one by one, it is not the records' fault: the rest of the group is left for
// the next run, and said.
//
// A pending record is never sent again by itself. When its time is over that is said, and the far side is asked ever
// more rarely; a person may have it sent again. A run is done when nothing is in doubt and no ticket is open; it does
// not wait for people over there.
//
// # What it promises
//
// At rest the far side has what is wanted, but for what it refused, decides about, or a person holds back, and each of
// these is listed with its reason: whatever call or write failed, before or after it took effect, whichever process
// died, and whoever worked at the same time. A run in which nothing differs makes no call and three writes,
// whatever the number of records. Nothing is taken away because a reading of want broke off: what is not wanted is
// marked while want is read, and goes after its end. One batch that fails again and again holds up no other. Memory
// does not grow with the number of records.
//
// What it asks of a side: Put can be repeated, as the same ID is written over. What it asks of a want: it is in order,
// and ends early with an error alone. It counts on a call taking effect within the settle time of its end, or never.
//
// # Sides to come
//
// Three kinds of far side were thought of. One takes records of one kind in batches and answers for each: a product
// that goes is told as a discontinued one, under the name in Telling.Was; a customer that is there already is made
// known by Learn, and linked by the side before its first Put. One holds values in groups, as prices in price lists:
// the group is the list, and its batch may be larger; the lists themselves are a set of their own, of one record a
// call, which is published before the prices, and whose removals may be refused for now (Result.Due). And one takes a
// batch as a task of its own and lets people review what is new: Put answers with a ticket; Follow asks for the task,
// then for each record, as many as its budget allows, and answers with those, and the ticket again for the rest; what
// is in review is Pending, with a Due.
//
// # Keys
//
//	T#<tenant>#told#<set>  c#<account>⇥<group>⇥<id>     entries from this key on, 100 or so, packed. In the index
//	                                                    T#<tenant>#told#<set>#noted where one of them is of note,
//	                                                    with how many are in which state
//	                       w#<account>⇥<time>#<random>  pending records, and when to ask
//	                       w#<account>⇥                 the last AskNow
//
// How far a run is stands in ledger.Progress, with what is being sent.
package publish
