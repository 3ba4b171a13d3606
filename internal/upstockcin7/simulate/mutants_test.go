package simulate

// mutants are the rules of the protocol, each switched off, and the faults that
// were mended, each put back.
func mutants() []mutant {
	off := func(name, rule string) mutant {
		return mutant{name, []edit{{"upstockcin7/pair.go", "return &Pair{Deps: d, restored", "return &Pair{Deps: d, rules: rules{" + rule + ": true}, restored"}}}
	}
	one := func(name, file, before, after string) mutant {
		return mutant{name, []edit{{"upstockcin7/" + file, before, after}}}
	}
	return []mutant{
		off("a create is sent without being on record", "noIntent"),
		off("workers do not keep out of each other's way", "noLease"),
		off("a doubtful create is made again without a look", "noLook"),
		off("one look decides, however early", "noSettle"),
		off("every attempt plans anew", "thawed"),
		off("any answered create becomes the run's sale", "rechosen"),
		off("a window of several pages is read once", "noReread"),
		off("the cursor moves before the marks", "hasty"),
		off("a shipment in doubt is not told again", "noDoubt"),
		off("what was decided before the lease is done after it", "hindsight"),
		off("a restored table is like any other", "unmarked"),
		off("a row that does not say whose it is counts as somebody else's", "blankIsNo"),
		one("a void without an answer is no doubt", "work.go", "case len(openVoids(r)) > 0:", "case false:"),
		one("after a void another sale is made by itself", "void.go", "	if sellsAnew(r) {\n		return nil\n	}\n	for _, i := range undone(r)", "	if true {\n		return nil\n	}\n	for _, i := range undone(r)"),
		one("a sale that was found and voided is followed by another", "void.go", "			case !known:\n", "			case !known && i.Step == ledger.StepVoid:\n			case !known:\n"),
		one("another company's order is the connected one's", "supplier.go", "	if w.preview {\n		return nil\n	}\n	var err error", "	if true {\n		w.own = w.up.Account\n		return nil\n	}\n	var err error"),
		one("after a gap the list is read from the new connection on", "reconnect.go", "	if cur.Opened.Equal(at) {\n		return nil\n	}", "	if true {\n		cur.Since, cur.Opened = latest(cur.Since, w.conn.Since), at\n		return nil\n	}"),
		one("what was cancelled in a gap is not asked for", "reconnect.go", `cur.From, cur.After, cur.Missed = time.Time{}, "", true`, `cur.From, cur.After, cur.Missed = time.Time{}, "", false`),
		{"a row that is dated ahead is believed", []edit{
			{"upstockcin7/poll.go", "func believed(at, clock time.Time) time.Time {", "func believed(at, clock time.Time) time.Time {\n	if !at.IsZero() {\n		return at\n	}"},
			{"upstockcin7/poll.go", "row.Updated.After(cur.Newest) && !row.Updated.After(w.most)", "row.Updated.After(cur.Newest)"},
			{"upstockcin7/poll.go", "if cur.Since.After(p.Now().Add(farAhead)) {", "if false {"},
			{"upstockcin7/poll.go", "if cur.From.After(w.most) && cur.From.After(w.since()) {", "if false {"},
			{"upstockcin7/poll.go", "if r.Seen.After(w.most) {", "if false {"},
			{"upstockcin7/poll.go", "if r.Seen.After(said.clock) {", "if false {"},
		}},
		one("a dead letter does not heed the lease", "sweep.go", " || r.Lease.Until.After(now) // a worker is at it", ""),
		one("a cancellation does not stop the creating", "work.go", "	cancelled := !w.run.Cancelled.IsZero()\n	switch {\n	case w.rules.noLook:", "	cancelled := false\n	switch {\n	case w.rules.noLook:"),
		{"a cancellation is never asked about", []edit{
			{"upstockcin7/cancel.go", "	unsettle(r, now)\n	return true\n}\n\n// unsettle has", "	r.Confirmed, r.Next = now, now\n	if r.Void = !r.SoldAt.IsZero(); !r.Void {\n		r.State, r.Problems, r.Why = ledger.Working, nil, \"\"\n	}\n	return true\n}\n\n// unsettle has"},
			{"upstockcin7/cancel.go", "if cancelStands(w.run) && w.Now().Sub(w.run.Confirmed) < w.Times.Settle {", "if cancelStands(w.run) {"},
		}},
		{"a header of ours is not compared before it is voided", []edit{
			{"upstockcin7/work.go", "|| !sale.SameHeader(plan.Header, s) ||", "||"},
			{"upstockcin7/void.go", "case !empty(s), !sale.SameHeader(plan.Header, s):", "case !empty(s):"},
		}},
	}
}
