package mutant

// Orders are the rules by which an order becomes one sale, each switched off, and the faults that were mended, each put
// back.
func Orders() []Mutant {
	one := func(name, file, before, after string) Mutant {
		return Mutant{name, []Edit{{"upstockcin7/" + file, before, after}}}
	}
	return []Mutant{
		{"a create is sent without being on record", []Edit{
			{"upstockcin7/attempt.go", "			a.with(r, r.Intent(seq, a.step), x)\n		}\n",
				`			a.with(r, r.Intent(seq, a.step), x)
		}
		if a.step == order.StepCreate {
			r.Intents = r.Intents[:len(r.Intents)-1]
		}
`},
			{"upstockcin7/attempt.go", "	answer = a.send(ctx)\n", `	answer = a.send(ctx)
	if a.step == order.StepCreate {
		if answer != nil {
			return nil, w.refusedOr(answer, "the sale")
		}
		if err := w.update(func(r *order.Order, x *ledger.Extra) error {
			seq = r.Intend(order.StepCreate, w.Now(), w.Now(), "")
			return nil
		}); err != nil {
			return nil, err
		}
	}
`},
		}},
		{"workers do not keep out of each other's way", []Edit{
			{"upstockcin7/decide.go", "r.Parked && w.ptr.Origin != ledger.OriginRetry, r.Lease.Until.After(now):",
				"r.Parked && w.ptr.Origin != ledger.OriginRetry:"},
			{"upstockcin7/push.go", "	case w.run.Lease.Token != w.token:\n", "	case false:\n"},
			{"upstockcin7/push.go", "if r.Lease.Token != w.token || r.SaleID", "if r.SaleID"},
			{"upstockcin7/push.go", "	mine := r.Lease.Token == token && ", "	mine := "},
			{"upstockcin7/push.go", "if final && r.Lease.Token == token && ", "if final && "},
			{"upstockcin7/work.go", "	case !w.until.IsZero(): // we had it\n", "	case false:\n"},
			{"upstockcin7/work.go", "	case r.Lease.Until.After(now):\n		return errLost",
				"	case false:\n		return errLost"},
			{"upstockcin7/work.go", "if !w.until.IsZero() && w.until.Sub(now) < w.Times.MinLease {",
				"if false && w.until.Sub(now) < 0 {"},
			{"upstockcin7/work.go", "if !w.sendBy.IsZero() && now.After(w.sendBy) {", "if false {"},
		}},
		{"a doubtful create is made again without a look", []Edit{
			{"upstockcin7/push.go", "if !r.NothingMade() || !r.Cancelled.IsZero() || w.barred(r) != nil {",
				`if r.SaleID != "" || !r.Cancelled.IsZero() {`},
			{"upstockcin7/push.go", `r.SaleID == "" && len(r.Made()) == 1 && !r.Undecided()`, `r.SaleID == ""`},
			{"upstockcin7/work.go", "	switch {\n	case len(open) == 0 && len(sales) == 1:",
				"	switch {\n	case !cancelled:\n	case len(open) == 0 && len(sales) == 1:"},
		}},
		{"one look decides, however early", []Edit{
			{"upstockcin7/push.go", "linesDoubt(w.run).Add(w.Times.Settle)", "linesDoubt(w.run)"},
			{"upstockcin7/void.go", "linesDoubt(w.run).Add(w.Times.Settle)", "linesDoubt(w.run)"},
			{"upstockcin7/void.go", "i.Deadline.Add(w.Times.Settle)", "i.Deadline"},
			{"upstockcin7/void.go", "	case !seen:\n", "	case !seen && false:\n"},
			{"upstockcin7/look.go", "i.Deadline.Add(t.Settle)", "i.Deadline"},
			{"upstockcin7/look.go", "agree := !r.None.IsZero()", "agree := true"},
		}},
		one("every attempt plans anew", "work.go", "	if !bound {\n", "	if !bound || true {\n"),
		one("any answered create becomes the run's sale", "push.go", "	mine := r.Lease.Token == token && ",
			"	mine := true || r.Lease.Token == token && "),
		{"a window of several pages is read once", []Edit{
			{"job/window.go", "case cur.Pages > 1 && (cur.Fresh", "case false && (cur.Fresh"},
		}},
		{"the cursor moves before the marks", []Edit{
			{"job/window.go", "		held, err := w.Keep(ctx, page.Rows)\n", `		if page.Next == "" {
			w.note(p.Cursor, page, time.Time{})
			if err := p.Close(ctx, p.Cursor.Newest); err != nil {
				return err
			}
		}
		held, err := w.Keep(ctx, page.Rows)
`},
		}},
		one("a shipment in doubt is not told again", "ship.go",
			"	r.Doubt = job.Latest(r.Doubt, sent.Add(w.Times.Settle))\n", ""),
		one("goods that were handled without an answer are somebody else's work", "handling.go",
			"			(i.Seq > r.Handling.After || i.Answer == ledger.Open) {",
			"			i.Answer == ledger.Done {"),
		{"the goods of a cancelled order are handled all the same", []Edit{
			{"upstockcin7/handling.go", "	case r.CancelOpen():\n", "	case false:\n"},
			{"upstockcin7/handling.go", "	case !r.Cancelled.IsZero():\n		return",
				"	case false:\n		return"},
		}},
		{"what was decided before the lease is done after it", []Edit{
			{"upstockcin7/decide.go", "	return r.Revision() == w.readRev &&",
				"	return true || r.Revision() == w.readRev &&"},
			{"upstockcin7/decide.go", "	return sameFacts(&w.basis, r)\n", "	return true\n"},
		}},
		one("a restored table is like any other", "restored.go", "	m := p.restored.known.Load()\n",
			"	if true {\n		return time.Time{}, nil\n	}\n	m := p.restored.known.Load()\n"),
		one("a row that does not say whose it is counts as somebody else's", "blank.go", "	if oneStands(ours) {\n",
			"	if true {\n"),
		{"a void without an answer is no doubt", []Edit{
			{"upstockcin7/work.go", "case len(r.OpenVoids()) > 0:", "case false:"},
			{"upstockcin7/order/sales.go", " || len(o.OpenVoids()) > 0 }", " }"},
			{"upstockcin7/push.go", "len(r.OpenVoids()) > 0 || len(r.Unwanted) > 0", "len(r.Unwanted) > 0"},
			{"upstockcin7/push.go", "i.Target == s.ID && i.Answer != ledger.Refused &&",
				"i.Target == s.ID && i.Answer == ledger.Done &&"},
		}},
		one("after a void another sale is made by itself", "void.go",
			"	if sellsAnew(r) {\n		return nil\n	}\n	for _, i := range undone(r)",
			"	if true {\n		return nil\n	}\n	for _, i := range undone(r)"),
		one("a sale that was found and voided is followed by another", "void.go", "			case !known:\n",
			"			case !known && i.Step == order.StepVoid:\n			case !known:\n"),
		one("another company's order is the connected one's", "supplier.go",
			"	if w.preview {\n		return nil\n	}\n	var err error",
			"	if true {\n		w.own = w.up.Account\n		return nil\n	}\n	var err error"),
		one("after a gap the list is read from the new connection on", "reconnect.go",
			"	if cur.Opened.Equal(at) {\n		return nil\n	}",
			"	if true {\n		cur.Since, cur.Opened = job.Latest(cur.Since, w.conn.Since), "+
				"at\n		return nil\n	}"),
		one("what was cancelled in a gap is not asked for", "reconnect.go",
			`cur.From, cur.After, cur.Missed = time.Time{}, "", true`,
			`cur.From, cur.After, cur.Missed = time.Time{}, "", false`),
		{"a row that is dated ahead is believed", []Edit{
			{"upstockcin7/order/reading.go", "func Believed(at, clock time.Time) time.Time {",
				"func Believed(at, clock time.Time) time.Time {\n	if !at.IsZero() {\n		return at\n	}"},
			{"job/window.go", "at.After(cur.Newest) && (page.At.IsZero() || !at.After(page.At))",
				"at.After(cur.Newest)"},
			{"job/window.go", "if cur.Since.After(p.Now().Add(FarAhead)) {", "if false {"},
			{"job/window.go", "!page.At.IsZero() && from.After(page.At) && from.After(w.Begin)",
				"false && from.After(w.Begin)"},
			{"upstockcin7/shipments.go", "if r.Seen.After(w.most) {", "if false {"},
			{"upstockcin7/order/reading.go", "if r.Seen.After(said.clock) {", "if false {"},
			{"upstockcin7/ship.go", "if r.Seen.After(is.clock) {", "if false {"},
		}},
		one("a dead letter does not heed the lease", "sweep.go",
			" ||\n\t\t\tr.Lease.Until.After(now) // a worker is at it",
			""),
		{"a cancellation does not stop the creating", []Edit{
			{"upstockcin7/work.go", "	cancelled := !w.run.Cancelled.IsZero()\n	switch {\n",
				"	cancelled := false\n	switch {\n"},
			{"upstockcin7/push.go", "if !r.NothingMade() || !r.Cancelled.IsZero() || ", "if !r.NothingMade() || "},
			{"upstockcin7/push.go", `if w.run.SaleID == "" && !w.run.Cancelled.IsZero() {`, "if false {"},
			{"upstockcin7/push.go", "if r.SaleID != doc.SaleID || !r.Cancelled.IsZero() || ",
				"if r.SaleID != doc.SaleID || "},
		}},
		{"a cancellation is never asked about", []Edit{
			{"upstockcin7/order/cancel.go", "	r.Unsettle(now)\n	return true\n}\n\n// endCancelled ends",
				"	r.Confirmed, r.Next = now, now\n	if r.Void = !r.SoldAt.IsZero(); !r.Void {\n		r.State, " +
					"r.Problems, r.Why = ledger.Working, nil, \"\"\n	}\n	return true\n}\n\n// endCancelled ends"},
			{"upstockcin7/cancel.go", "if cancelStands(w.run) && w.Now().Sub(w.run.Confirmed) < w.Times.Settle {",
				"if cancelStands(w.run) {"},
		}},
		{"a header of ours is not compared before it is voided", []Edit{
			{"upstockcin7/look.go", "|| !sale.SameHeader(plan.Header, s) ||", "||"},
			{"upstockcin7/void.go", "case !empty(s), !sale.SameHeader(plan.Header, s):", "case !empty(s):"},
			{"upstockcin7/push.go", "		if !sale.SameHeader(plan.Header, s) {", "		if false {"},
		}},
		one("a pause holds nothing back", "pause.go", `why != "" && !w.preview {`, `why != "" && false {`),
	}
}
