package joorcin7

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/table"
)

// mostOurs and mostTheirs are how many records of each side are matched at once: they are in memory together.
const mostOurs, mostTheirs = 100_000, 100_000

// findMatches looks for customers that are not linked among JOOR's connections that are not, as they were downloaded
// last. What people decided stays: what they rejected is proposed again only where either record has changed.
func (r *run) findMatches(ctx context.Context) error {
	if err := r.awaitContacts(ctx); err != nil {
		return err
	}
	d, err := r.downloadOf(ctx, r.b)
	if err != nil {
		return err
	}
	if d.Run == "" {
		if _, err := r.Pair.ask(ctx, r.b, JobDownload); err != nil {
			return err
		}
		return &ledger.Later{At: r.Now().Add(r.Times.MinRetry), Why: "JOOR's connections are being read."}
	}
	ours, names, known, err := r.ours(ctx)
	if err != nil {
		return err
	}
	theirs, refs, err := r.theirs(ctx, d)
	if err != nil {
		return err
	}
	found, err := r.matchLists(ctx, ours, theirs, known)
	if err != nil {
		return err
	}
	rows := make([]matchRow, 0, len(found.Proposals))
	now := r.Now().UTC()
	for _, p := range found.Proposals {
		row := matchRow{State: MatchProposed, Contact: Ref{p.Ours, names[p.Ours]}, Score: p.Score, Sure: p.Sure,
			Reasons: texts(p.Reasons), At: now}
		if p.Theirs != "" {
			ref := refs[p.Theirs]
			row.Connection = &ref
		}
		for _, c := range p.Candidates {
			row.Candidates = append(row.Candidates, Candidate{refs[c.Theirs], c.Score, texts(c.Reasons)})
		}
		if r.Count("proposed", 1); p.Sure {
			r.Count("sure", 1)
		}
		rows = append(rows, row)
	}
	r.Progress.Done, r.Progress.Of = len(ours), len(ours)
	return r.matches.Rebuild(ctx, r.Part.Tenant, r.account, func(ctx context.Context) ([]matchRow, error) {
		sheet, err := r.matches.Read(ctx, r.Part.Tenant, r.account)
		if err != nil {
			return nil, err
		}
		all := slices.Clone(rows)
		for _, m := range sheet.Rows {
			if m.State != MatchProposed {
				all = append(all, m)
			}
		}
		return all, nil
	})
}

// lookedAtOnce is how many customers are looked at before what they were found to be like is kept.
const lookedAtOnce = 250

// matchLists matches two lists, in as many parts as that takes: what customers were found to be like is kept as long as
// the lists are the same.
func (r *run) matchLists(ctx context.Context, ours, theirs []match.Record, known match.Known) (match.Result, error) {
	lists := match.Prepare(ours, theirs, known)
	if of := sumOfLists(ours, theirs, known); r.place.After != of {
		r.place.After, r.place.Pages = of, 0
	}
	found, err := r.foundBefore(ctx)
	if err != nil {
		return match.Result{}, err
	}
	for len(found) < lists.Len() {
		if err := r.Part.Short(ctx); err != nil {
			return match.Result{}, err
		}
		some := lists.Look(len(found), min(len(found)+lookedAtOnce, lists.Len()))
		data, err := table.Marshal(some)
		if err != nil {
			return match.Result{}, err
		}
		err = r.Mirror.SaveSeen(ctx, r.Part.Tenant, JobMatches, r.Progress.Begun, r.place.Pages+1, data)
		if err != nil {
			return match.Result{}, err
		}
		found = append(found, some...)
		r.place.Pages, r.Progress.Done, r.Progress.Of = r.place.Pages+1, len(found), lists.Len()
		if err := r.Save(ctx); err != nil {
			return match.Result{}, err
		}
	}
	return lists.Settle(found), nil
}

// foundBefore is what earlier parts found; where some of it is forgotten, nothing.
func (r *run) foundBefore(ctx context.Context) (found []match.Found, err error) {
	const some = 20
	for from := 1; from <= r.place.Pages; from += some {
		to := min(from+some-1, r.place.Pages)
		pages, whole, err := r.Mirror.Seen(ctx, r.Part.Tenant, JobMatches, r.Progress.Begun, from, to)
		if err != nil {
			return nil, err
		}
		if !whole {
			r.place.Pages = 0
			return nil, nil
		}
		for _, data := range pages {
			var page []match.Found
			if err := table.Unmarshal(data, &page); err != nil {
				return nil, err
			}
			found = append(found, page...)
		}
	}
	return found, nil
}

// sumOfLists stands for two lists and what is known of them.
func sumOfLists(ours, theirs []match.Record, known match.Known) string {
	h := sha256.New()
	for _, list := range [][]match.Record{ours, theirs} {
		for _, r := range list {
			fmt.Fprintf(h, "%s %s\n", r.ID, r.Fingerprint())
		}
	}
	fmt.Fprintf(h, "%v", known)
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// ours are the customers that may be matched, what they are called, and what people have decided.
func (r *run) ours(ctx context.Context) (list []match.Record, names map[string]string, known match.Known, err error) {
	names = map[string]string{}
	v, err := r.view(ctx, r.b)
	if err != nil {
		return nil, nil, known, err
	}
	for s, err := range r.everyStanding(ctx, r.b, v, "") {
		if err != nil {
			return nil, nil, known, err
		}
		if s.linked() && s.entry.TheirID != "" {
			known.Linked = append(known.Linked, match.Pair{Ours: s.id, Theirs: s.entry.TheirID})
		}
		if s.contact == nil || !s.contact.Active && !s.linked() || s.pending() && !s.linked() {
			continue
		}
		if len(list) < mostOurs {
			list = append(list, s.contact.Record())
			names[s.id] = s.contact.Name()
		}
	}
	sheet, err := r.matches.Read(ctx, r.Part.Tenant, r.account)
	if err != nil {
		return nil, nil, known, err
	}
	for _, m := range sheet.Rows {
		if m.State == MatchRejected {
			known.Refused = append(known.Refused, match.Refusal{Pair: match.Pair{Ours: m.Contact.ID,
				Theirs: m.Connection.ID}, OursWas: m.OursWas, TheirsWas: m.TheirsWas})
		}
	}
	return list, names, known, nil
}

// theirs are JOOR's connections as they were downloaded.
func (r *run) theirs(ctx context.Context, d download) (list []match.Record, refs map[string]ConnectionRef, err error) {
	refs = map[string]ConnectionRef{}
	for c, err := range r.downloaded(ctx, r.Part.Tenant, d) {
		if err != nil {
			return nil, nil, err
		}
		if _, twice := refs[c.ID]; twice || len(list) >= mostTheirs { // rows move between pages
			continue
		}
		list = append(list, c.record())
		refs[c.ID] = c.ref()
	}
	return list, refs, nil
}

// ref names the connection for people.
func (d Downloaded) ref() ConnectionRef {
	name := d.Connection.Name
	if name == "" {
		name = d.Retailer
	}
	return ConnectionRef{d.ID, d.Connection.Code, name}
}

func texts(reasons []match.Reason) (list []string) {
	for _, r := range reasons {
		list = append(list, r.String())
	}
	return list
}
