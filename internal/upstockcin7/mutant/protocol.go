package mutant

// All returns the rules of the protocol, each switched off, and the faults that
// were mended, each put back.
func All() []Mutant {
	one := func(name, file, before, after string) Mutant {
		return Mutant{name, []Edit{{"upstockcin7/" + file, before, after}}}
	}
	return []Mutant{
		{"a create is sent without being on record", []Edit{
			{"upstockcin7/push.go", "	if err := w.update(intend); errors.Is(", `	if err := w.update(func(r *ledger.Run, x *ledger.Extra) error {
		if err := intend(r, x); err != nil {
			return err
		}
		r.Intents = r.Intents[:len(r.Intents)-1]
		return nil
	}); errors.Is(`},
			{"upstockcin7/push.go", "	return w.created(seq, sale, err, plan)\n", `	if err != nil {
		return w.refusedOr(err, "the sale")
	}
	if err := w.update(func(r *ledger.Run, x *ledger.Extra) error {
		seq = r.Intend(ledger.StepCreate, w.Now(), w.Now(), "")
		return nil
	}); err != nil {
		return err
	}
	return w.created(seq, sale, err, plan)
`},
		}},
		{"workers do not keep out of each other's way", []Edit{
			{"upstockcin7/decide.go", "r.Parked && w.ptr.Origin != OriginRetry, r.Lease.Until.After(now):", "r.Parked && w.ptr.Origin != OriginRetry:"},
			{"upstockcin7/push.go", "	case w.run.Lease.Token != w.token:\n", "	case false:\n"},
			{"upstockcin7/push.go", "if r.Lease.Token != w.token || r.SaleID", "if r.SaleID"},
			{"upstockcin7/work.go", "	case !w.until.IsZero(): // we had it\n", "	case false:\n"},
			{"upstockcin7/work.go", "	case r.Lease.Until.After(now):\n		return errLost", "	case false:\n		return errLost"},
			{"upstockcin7/work.go", "if !w.until.IsZero() && w.until.Sub(now) < w.Times.MinLease {", "if false && w.until.Sub(now) < 0 {"},
			{"upstockcin7/work.go", "if !w.sendBy.IsZero() && now.After(w.sendBy) {", "if false {"},
		}},
		{"a doubtful create is made again without a look", []Edit{
			{"upstockcin7/push.go", "len(made(r)) > 0 || undecided(r) || w.barred(r) != nil {", "false {"},
			{"upstockcin7/push.go", `r.SaleID == "" && len(made(r)) == 1 && !undecided(r)`, `r.SaleID == ""`},
			{"upstockcin7/work.go", "	switch {\n	case len(open) == 0 && len(sales) == 1:", "	switch {\n	case true:\n	case len(open) == 0 && len(sales) == 1:"},
		}},
		{"one look decides, however early", []Edit{
			{"upstockcin7/push.go", "linesDoubt(w.run).Add(w.Times.Settle)", "linesDoubt(w.run)"},
			{"upstockcin7/void.go", "linesDoubt(w.run).Add(w.Times.Settle)", "linesDoubt(w.run)"},
			{"upstockcin7/void.go", "i.Deadline.Add(w.Times.Settle)", "i.Deadline"},
			{"upstockcin7/void.go", "	case !seen:\n", "	case false:\n"},
			{"upstockcin7/work.go", "i.Deadline.Add(w.Times.Settle)", "i.Deadline"},
			{"upstockcin7/work.go", "agree := !w.run.None.IsZero()", "agree := true"},
		}},
		one("every attempt plans anew", "work.go", "	if !bound {\n", "	if !bound || true {\n"),
		one("any answered create becomes the run's sale", "push.go", "		if mine {\n", "		if mine || true {\n"),
		one("a window of several pages is read once", "poll.go", "case cur.Pages > 1 && (cur.Fresh", "case false && (cur.Fresh"),
		one("the cursor moves before the marks", "poll.go", "		if err := w.rows(page.Items, seen); err != nil {", `		if !page.More {
			for _, row := range page.Items {
				cur.Newest = latest(cur.Newest, row.Updated)
			}
			if err := w.done(cur.Newest); err != nil {
				return err
			}
		}
		if err := w.rows(page.Items, seen); err != nil {`),
		one("a shipment in doubt is not told again", "ship.go", "	r.Doubt = latest(r.Doubt, sent.Add(w.Times.Settle))\n", ""),
		{"what was decided before the lease is done after it", []Edit{
			{"upstockcin7/decide.go", "	return r.Revision() == w.readRev &&", "	return true || r.Revision() == w.readRev &&"},
			{"upstockcin7/decide.go", "	return sameFacts(&w.basis, r)\n", "	return true\n"},
		}},
		one("a restored table is like any other", "restored.go", "	m := p.restored.known.Load()\n", "	if true {\n		return time.Time{}, nil\n	}\n	m := p.restored.known.Load()\n"),
		one("a row that does not say whose it is counts as somebody else's", "blank.go", "	if oneStands(ours) {\n", "	if true {\n"),
		one("a void without an answer is no doubt", "work.go", "case len(openVoids(r)) > 0:", "case false:"),
		one("after a void another sale is made by itself", "void.go", "	if sellsAnew(r) {\n		return nil\n	}\n	for _, i := range undone(r)", "	if true {\n		return nil\n	}\n	for _, i := range undone(r)"),
		one("a sale that was found and voided is followed by another", "void.go", "			case !known:\n", "			case !known && i.Step == ledger.StepVoid:\n			case !known:\n"),
		one("another company's order is the connected one's", "supplier.go", "	if w.preview {\n		return nil\n	}\n	var err error", "	if true {\n		w.own = w.up.Account\n		return nil\n	}\n	var err error"),
		one("after a gap the list is read from the new connection on", "reconnect.go", "	if cur.Opened.Equal(at) {\n		return nil\n	}", "	if true {\n		cur.Since, cur.Opened = latest(cur.Since, w.conn.Since), at\n		return nil\n	}"),
		one("what was cancelled in a gap is not asked for", "reconnect.go", `cur.From, cur.After, cur.Missed = time.Time{}, "", true`, `cur.From, cur.After, cur.Missed = time.Time{}, "", false`),
		{"a row that is dated ahead is believed", []Edit{
			{"upstockcin7/poll.go", "func believed(at, clock time.Time) time.Time {", "func believed(at, clock time.Time) time.Time {\n	if !at.IsZero() {\n		return at\n	}"},
			{"upstockcin7/poll.go", "row.Updated.After(cur.Newest) && !row.Updated.After(w.most)", "row.Updated.After(cur.Newest)"},
			{"upstockcin7/poll.go", "if cur.Since.After(p.Now().Add(farAhead)) {", "if false {"},
			{"upstockcin7/poll.go", "if cur.From.After(w.most) && cur.From.After(w.since()) {", "if false {"},
			{"upstockcin7/poll.go", "if r.Seen.After(w.most) {", "if false {"},
			{"upstockcin7/poll.go", "if r.Seen.After(said.clock) {", "if false {"},
		}},
		one("a dead letter does not heed the lease", "sweep.go", " || r.Lease.Until.After(now) // a worker is at it", ""),
		one("a cancellation does not stop the creating", "work.go", "	cancelled := !w.run.Cancelled.IsZero()\n	switch {\n", "	cancelled := false\n	switch {\n"),
		{"a cancellation is never asked about", []Edit{
			{"upstockcin7/cancel.go", "	unsettle(r, now)\n	return true\n}\n\n// unsettle has", "	r.Confirmed, r.Next = now, now\n	if r.Void = !r.SoldAt.IsZero(); !r.Void {\n		r.State, r.Problems, r.Why = ledger.Working, nil, \"\"\n	}\n	return true\n}\n\n// unsettle has"},
			{"upstockcin7/cancel.go", "if cancelStands(w.run) && w.Now().Sub(w.run.Confirmed) < w.Times.Settle {", "if cancelStands(w.run) {"},
		}},
		{"a header of ours is not compared before it is voided", []Edit{
			{"upstockcin7/work.go", "|| !sale.SameHeader(plan.Header, s) ||", "||"},
			{"upstockcin7/void.go", "case !empty(s), !sale.SameHeader(plan.Header, s):", "case !empty(s):"},
		}},
	}
}
