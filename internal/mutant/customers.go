package mutant

// Customers are the rules by which a customer becomes one connection in JOOR, each switched off.
func Customers() []Mutant {
	one := func(name, file, before, after string) Mutant {
		return Mutant{name, []Edit{{file, before, after}}}
	}
	return []Mutant{
		one("a connection is sent without its code", "joorcin7/side.go", "Code: c.Code, Name: c.Name,",
			"Name: c.Name,"),
		one("a bulk job's ticket is not kept", "joorcin7/side.go", "answer.Ticket = ticketOf(made.ID, s.Now())",
			"_ = made"),
		{"a linked connection without a code goes in a bulk job", []Edit{
			{"joorcin7/send.go", `was.Code == "":`, `was.Code == "none":`},
			{"joorcin7/send.go", `!s.linked() || s.theirs.Code != "" ||`, "true ||"},
		}},
		one("one that JOOR has not looked at counts as linked", "joorcin7/side.go",
			"		res.Pending, res.Ask = true, s.Now().Add(s.Times.Ask)\n		if together > 0 {",
			"		if false {"),
		one("a contact that lacks what JOOR asks for is sent", "joorcin7/customer/rules.go",
			"	return conn, append(conn.faults(), faults...)\n", "	return conn, nil\n"),
		one("one that is in review is sent again", "joorcin7/send.go",
			"s.pending() && !s.entry.Due.IsZero() && r.Now().After(s.entry.Due)", "s.pending()"),
		{"a switch counts for what is pressed alone", []Edit{
			{"joorcin7/send.go", "		case !s.Upload:\n", "		case false:\n"},
			{"joorcin7/send.go", "	case !s.Update:\n", "	case false:\n"},
		}},
		{"what was removed in JOOR comes back by itself", []Edit{
			{"joorcin7/send.go", "v.rules.Settings.UploadAlone && s.kept == nil",
				"v.rules.Settings.UploadAlone"},
			{"joorcin7/send.go", "s.UploadAlone && !kept:", "s.UploadAlone && (true || kept):"},
		}},
		one("nobody notes that lists are behind", "joorcin7/row.go",
			"func (r *run) unsure(ctx context.Context) error {\n	if r.noted != (table.Key{}) {",
			"func (r *run) unsure(ctx context.Context) error {\n	if true {"),
		one("nobody wakes a run whose message was given up", "joorcin7/send.go",
			"return err == nil && !cur.Again.After(r.Now()), err", "return err == nil && cur == nil, err"),
		one("what a run came to is counted once more when it is done", "joorcin7/send.go",
			"	if r.place.After == \"\" {\n		if err := r.sumUp", "	if true {\n		if err := r.sumUp"),
		one("what is in doubt counts as what JOOR holds", "joorcin7/send.go", "	if !c.Told {",
			"	if c.Was == nil {"),
		one("a call is made without being on record", "publish/send.go",
			"	r.place.Sending = s\n	if err := r.save", "	if err := r.save"),
		one("what is in doubt is sent again at once", "publish/send.go",
			"return s.Ends.Add(r.publisher.times.Settle) }", "return s.Begun }"),
	}
}
