package joorcin7

import (
	"context"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
)

// CustomerView is a customer's page: both sides field by field.
type CustomerView struct {
	Customer
	Active bool             // in Cin7 Omni
	Faults []string         // why it cannot be sent as it is
	Fields []customer.Field // as JOOR should have it, and as it has it as far as we know
	Told   time.Time        // when JOOR last had what we know that it has; zero = it has nothing
	Match  *Match           // by which it was linked; nil = it was not
	// Proposed is the match that was found for it, while nobody has decided.
	Proposed *Match
	History  []Note // newest first
}

// Note is a line of a customer's history.
type Note struct {
	At   time.Time
	Text string
	By   string // who did it; "" = it went by itself
}

// CustomerOf is a customer's page; ledger.ErrNotFound where neither side has one of that id.
func (p *Pair) CustomerOf(ctx context.Context, tenantID, contactID string) (v CustomerView, err error) {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return v, err
	}
	if strings.Trim(contactID, "0123456789") != "" || contactID == "" || len(contactID) > 20 {
		return v, ledger.ErrNotFound
	}
	all, err := p.standings(ctx, b, []string{contactID})
	if err != nil {
		return v, err
	}
	s := all[0]
	if s.contact == nil && !s.linked() && !s.pending() {
		return v, ledger.ErrNotFound
	}
	row, listed := s.row()
	if !listed {
		row.State = StateInactive
	}
	v = CustomerView{Customer: shown(row, p.Now()), Faults: s.faults, Told: s.entry.At}
	v.Active = s.contact != nil && s.contact.Active
	v.Fields = customer.Compare(s.ours, s.theirs)
	if s.contact == nil { // JOOR's side alone is known
		v.Fields = customer.Compare(s.theirs, s.theirs)
		for i := range v.Fields {
			v.Fields[i].Ours, v.Fields[i].Differs = "", v.Fields[i].Theirs != ""
		}
	}
	sheet, err := p.matches.Read(ctx, tenantID, accountOf(b))
	if err != nil {
		return v, err
	}
	if m, ok := sheet.Row("a" + contactID); ok {
		shown := m.shown()
		v.Match = &shown
	}
	if m, ok := sheet.Row("p" + contactID); ok {
		shown := m.shown()
		v.Proposed = &shown
	}
	v.History = s.history(v.Match)
	return v, nil
}

// history is what is known of how a customer came to stand as it does.
func (s standing) history(m *Match) (notes []Note) {
	add := func(at time.Time, by, text string) {
		if !at.IsZero() {
			notes = append(notes, Note{At: at, Text: text, By: by})
		}
	}
	e := s.entry
	switch e.State {
	case publish.IsPending:
		add(e.Since, "", "It was sent to JOOR.")
	case publish.IsRefused:
		add(e.Since, "", "JOOR refused it: "+e.Why)
	}
	if s.linked() {
		add(e.At, "", "JOOR has had it so since.")
	}
	if m != nil {
		add(m.At, m.By, "It was matched with this connection.")
	}
	if s.kept != nil {
		add(s.kept.At, s.kept.By, s.kept.Why)
	}
	slices.SortStableFunc(notes, func(a, b Note) int { return b.At.Compare(a.At) })
	return notes
}
