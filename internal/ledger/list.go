package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"stockbridge/internal/match"
	"stockbridge/internal/parallel"
	"stockbridge/internal/table"
)

// Lists and search read what they show and little more, however many runs a
// tenant has:
//
//   - the second index lists a tenant's runs by state: those that have a due
//     time first, the soonest first, then the others, newest id first. A run on
//     which somebody works stays where it stood (see stays), so a list reads the
//     runs it shows and leaves out what is in another state by now;
//   - each word that a run may be found by is an item of its own,
//     T#<tenant>#find, <word>#<id>. Words of what a run was called before stay,
//     and find nothing.
//
// Runs that an earlier version wrote get both when they are next written; the
// rest are gone through once ([Journal.Relist]).

// listVersion is that of a run's words and place in the lists; 0 = it has none.
const listVersion = 1

func (k Kind) list(tenantID string, s State) string {
	return partition(tenantID, "list#"+k.scope()+string(s))
}

// listed is where the run stands in the second index.
func (k Kind) listed(r *Run) (group, order string) {
	order = "1#" + turned(k.key(r.Tenant, r.ID).SK)
	if !r.Next.IsZero() {
		order = "0#" + r.Next.UTC().Format(timeKey) + "#" + order[2:]
	}
	return k.list(r.Tenant, r.State), order
}

// turned is a key with its digits turned, so that the greatest comes first. Turned again it is the key.
func turned(sk string) string {
	b := []byte(sk)
	for i, c := range b {
		if '0' <= c && c <= '9' {
			b[i] = '0' + '9' - c
		}
	}
	return string(b)
}

// maxLook is how many runs one page of a list or a search looks at.
const maxLook = 200

// Listing is one page of runs. Next continues it; "" = it was the last. A page
// may be short, or empty, and still have a Next.
type Listing[P any] struct {
	Runs []P
	Next string
}

// ErrAfter says that a list's continuation is none that a page gave.
var ErrAfter = errors.New("not a continuation")

// IsRunsAfter reports whether a page of [Journal.Runs] may have ended with this.
// What no page can have ended with would show the first page again, or none.
func (k Kind) IsRunsAfter(s string) bool {
	id := trimID(s)
	return fmt.Sprintf("%020s", id) == s && k.IsID(id)
}

// isListAfter reports the same of a group of the second index.
func (k Kind) isListAfter(s string) bool {
	if rest, ok := strings.CutPrefix(s, "1#"); ok {
		return k.IsRunsAfter(turned(rest))
	}
	rest, ok := strings.CutPrefix(s, "0#")
	at, sk, two := strings.Cut(rest, "#")
	_, err := time.Parse(timeKey, at)
	return ok && two && err == nil && k.IsRunsAfter(turned(sk))
}

// InState reads one page of a tenant's runs in a state: those with work left
// first, by their due time, then the others, newest first.
func (j *Journal[T, P]) InState(
	ctx context.Context, tenantID string, s State, after string, limit int,
) (Listing[P], error) {
	groups := groupsOf(s)
	at, after, err := j.kind.listedAfter(groups, after)
	if err != nil {
		return Listing[P]{}, err
	}
	l := &lister[T, P]{Journal: j, tenant: tenantID, state: s, groups: groups, limit: limit}
	for ; at < len(groups); at, after = at+1, "" {
		full, err := l.group(ctx, at, after)
		if err != nil {
			return Listing[P]{}, err
		}
		if full {
			break
		}
	}
	return l.page, nil
}

// groupsOf are the groups of the second index in which the runs in a state stand.
func groupsOf(s State) []State {
	if s == Working { // whoever is worked on for the first time stands where it was received
		return []State{Received, Working}
	}
	return []State{s}
}

// listedAfter reads the continuation of a list: the group in which it goes on, and after what there.
func (k Kind) listedAfter(groups []State, after string) (at int, sort string, err error) {
	if after == "" {
		return 0, "", nil
	}
	for at, group := range groups {
		if sort, ok := strings.CutPrefix(after, string(group)+"#"); ok && k.isListAfter(sort) {
			return at, sort, nil
		}
	}
	return 0, "", ErrAfter
}

// lister is a page of the runs in a state on its way.
type lister[T any, P Fact[T]] struct {
	*Journal[T, P]
	tenant string
	state  State
	groups []State
	limit  int
	looked int // at the group's runs
	page   Listing[P]
}

// group adds what one of the groups holds, as far as one look goes; full says that the page ends there.
func (l *lister[T, P]) group(ctx context.Context, at int, after string) (full bool, err error) {
	l.looked = 0
	q := table.Query{PK: l.kind.list(l.tenant, l.groups[at]), Group: true, Limit: l.limit}
	if after != "" {
		q.From = after + "\x00"
	}
	for {
		p, err := l.ledger.table.List(ctx, q)
		if err != nil {
			return false, fmt.Errorf("list runs of %s that are %s: %w", l.kind.Name, l.state, err)
		}
		if full, err = l.groupPage(ctx, at, p); full || err != nil {
			return full, err
		}
		if q.After = p.Next; p.Next == "" || l.looked >= maxLook { // of what is only received, one look is enough
			return false, nil
		}
	}
}

// groupPage adds the runs of a page of a group.
func (l *lister[T, P]) groupPage(ctx context.Context, at int, p table.Entries) (full bool, err error) {
	found, err := l.runsAt(ctx, keysOf(p.Entries))
	if err != nil {
		return false, err
	}
	last := at == len(l.groups)-1
	for i, e := range p.Entries {
		l.add(found[e.Key])
		l.looked++
		if len(l.page.Runs) == l.limit || l.looked == maxLook && last {
			if i < len(p.Entries)-1 || p.Next != "" || !last {
				l.page.Next = string(l.groups[at]) + "#" + e.Sort
			}
			return true, nil
		}
	}
	return false, nil
}

// add adds a run, if it is in the state by now and on the page once.
func (l *lister[T, P]) add(f P) {
	if f == nil || f.Core().State != l.state {
		return
	}
	same := func(o P) bool { return o.Core().ID == f.Core().ID }
	if !slices.ContainsFunc(l.page.Runs, same) {
		l.page.Runs = append(l.page.Runs, f)
	}
}

func keysOf(entries []table.Entry) []table.Key {
	keys := make([]table.Key, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	return keys
}

// CountMost is how far counts are exact; one more than it says "more than that".
const CountMost = 10_000

// CountIn counts a tenant's runs in a state, as far as CountMost and one more.
func (j *Journal[T, P]) CountIn(ctx context.Context, tenantID string, s State) (n int, err error) {
	return j.CountTo(ctx, tenantID, s, CountMost)
}

// CountTo counts a tenant's runs in a state, as far as most and one more. It reads as many entries as it counts.
func (j *Journal[T, P]) CountTo(ctx context.Context, tenantID string, s State, most int) (n int, err error) {
	return j.count(ctx, table.Query{PK: j.kind.list(tenantID, s)}, most, nil)
}

// count counts entries of the second index, as far as most and one more.
func (j *Journal[T, P]) count(
	ctx context.Context, q table.Query, most int, each func(table.Entry),
) (n int, err error) {
	q.Group = true
	for {
		q.Limit = most + 1 - n
		p, err := j.ledger.table.List(ctx, q)
		if err != nil {
			return n, fmt.Errorf("count runs of %s: %w", j.kind.Name, err)
		}
		n += len(p.Entries)
		if each != nil {
			for _, e := range p.Entries {
				each(e)
			}
		}
		if q.After = p.Next; p.Next == "" || n > most {
			return n, nil
		}
	}
}

// TenantDue is what of a tenant's runs have a due time.
type TenantDue struct {
	Due, Waiting int   // whose time has come, and is still to come; as far as CountMost and one more
	First        []Ref // the soonest of them
}

// DueOf reads a tenant's runs that have a due time, with the first so many of
// them. However many others there are, it reads no more than the counts need.
func (j *Journal[T, P]) DueOf(
	ctx context.Context, tenantID string, now time.Time, first int,
) (all TenantDue, err error) {
	const open, closed = "0#", "1#"
	until := open + now.UTC().Add(time.Millisecond).Format(timeKey)
	type counting struct {
		group, from, until string
		n                  *int
	}
	var counts []counting
	for _, s := range j.kind.States {
		group := j.kind.list(tenantID, s)
		counts = append(counts, counting{group, open, until, &all.Due}, counting{group, until, closed, &all.Waiting})
	}
	var mu sync.Mutex
	err = parallel.Each(len(counts), slices.Values(counts), func(c counting) error {
		var refs []Ref
		due := table.Query{PK: c.group, From: c.from, Until: c.until}
		n, err := j.count(ctx, due, CountMost, func(e table.Entry) {
			if len(refs) < first {
				at, _, _ := strings.Cut(e.Sort[len(open):], "#")
				due, _ := time.Parse(timeKey, at)
				refs = append(refs, Ref{Tenant: tenantID, ID: trimID(e.SK), Due: due})
			}
		})
		mu.Lock()
		defer mu.Unlock()
		*c.n = min(*c.n+n, CountMost+1)
		all.First = append(all.First, refs...)
		return err
	})
	slices.SortFunc(all.First, func(a, b Ref) int {
		if c := a.Due.Compare(b.Due); c != 0 {
			return c
		}
		return strings.Compare(a.ID, b.ID)
	})
	all.First = all.First[:min(len(all.First), first)]
	return all, err
}

// What a run may be found by.
const (
	maxWord  = 64 // runes
	maxWords = 24
)

func (k Kind) find(tenantID string) string {
	return partition(tenantID, strings.TrimSuffix("find#"+k.scope(), "#"))
}

// Names are what people call a run, and so what it is found by.
type Names struct {
	Reference string   // somebody's own text: found by its beginning, and by each run of digits in it
	Numbers   []string // found by their runs of digits
	Party     string   // whom it is about: found by each word of the name
	ID        string   // its id where it came from: what is found goes by it too, though nothing is found by it alone
}

func (n Names) same(o Names) bool {
	return n.Reference == o.Reference && slices.Equal(n.Numbers, o.Numbers) && n.Party == o.Party && n.ID == o.ID
}

// words are what a run is found by: its reference as a whole, runs of digits in
// it and in its numbers, and the words of its party's name. A number is kept
// as a whole only where it does not end in a run of digits: the letters that
// stand before the digits are a series', the same for one run as for all, and
// each word costs a write.
func words[T any, P Fact[T]](f P) []string {
	var list []string
	add := func(w string) {
		if c := []rune(w); len(c) > maxWord {
			w = string(c[:maxWord])
		}
		if w != "" && len(list) < maxWords && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	names := f.Names()
	for i, s := range append([]string{names.Reference}, names.Numbers...) {
		folded := match.Fold(s)
		if i == 0 || !numbered(folded) {
			add(folded)
		}
		for _, d := range digits(folded) {
			if i > 0 || !strings.HasPrefix(folded, d) {
				add(d)
			}
		}
	}
	if id, ok := strings.CutPrefix(f.Core().ID, Nameless); ok { // all there is of it
		add(match.Fold(id))
	}
	for _, w := range strings.Fields(match.Words(names.Party)) {
		add(w)
		for _, d := range digits(w) {
			add(d)
		}
	}
	return list
}

// numbered reports whether a number is letters and marks, if any, before one run of digits.
func numbered(s string) bool {
	at := strings.IndexFunc(s, unicode.IsDigit)
	return at >= 0 && !strings.ContainsFunc(s[at:], func(c rune) bool { return !unicode.IsDigit(c) })
}

// digits are the runs of digits in a text.
func digits(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return !unicode.IsDigit(c) })
}

// newWords are the words that the run is found by and, as it was before, was not.
func (j *Journal[T, P]) newWords(f, before P) []table.Op {
	var had []string
	if before != nil && before.Core().Found == listVersion {
		if before.Names().same(f.Names()) {
			return nil
		}
		had = words(before)
	}
	r := f.Core()
	var ops []table.Op
	for _, w := range words(f) {
		if !slices.Contains(had, w) {
			key := table.Key{PK: j.kind.find(r.Tenant), SK: w + "#" + j.kind.key(r.Tenant, r.ID).SK}
			ops = append(ops, table.Ahead(table.Item{Key: key}))
		}
	}
	return ops
}

// Matches reports whether each word of a query is the beginning of a run's id,
// of its numbers or reference or a word of them, or of a word of its party's
// name, whatever the case and accents.
func Matches[T any, P Fact[T]](f P, query string) bool {
	terms := strings.Fields(match.Fold(query))
	if len(terms) == 0 {
		return true
	}
	names := f.Names()
	all := append(words(f), f.Core().ID, names.ID)
	for _, s := range append([]string{names.Reference, names.Party}, names.Numbers...) {
		all = append(all, strings.Fields(match.Fold(s))...)
		all = append(all, strings.Fields(match.Words(s))...)
	}
	begins := func(t string) bool {
		return slices.ContainsFunc(all, func(w string) bool { return strings.HasPrefix(w, t) })
	}
	for _, t := range terms {
		parts := strings.Fields(match.Words(t))
		if !begins(t) && (len(parts) == 0 || slices.ContainsFunc(parts, func(p string) bool { return !begins(p) })) {
			return false
		}
	}
	return true
}

// leads are the beginnings of words that a search goes through, one after the
// other: the whole query, as a reference may begin; its longest word, one with
// digits before others; and, where that has punctuation in it, the longest of
// its parts.
func leads(query string) []string {
	longest := func(words []string) (best string) {
		weight := func(w string) int {
			n := utf8.RuneCountInString(w)
			if strings.ContainsFunc(w, unicode.IsDigit) {
				n += maxWord
			}
			return n
		}
		for _, w := range words {
			if c := []rune(w); len(c) > maxWord {
				w = string(c[:maxWord])
			}
			if weight(w) > weight(best) {
				best = w
			}
		}
		return best
	}
	whole := match.Fold(query)
	lead := longest(strings.Fields(whole))
	return slices.Compact([]string{longest([]string{whole}), lead, longest(strings.Fields(match.Words(lead)))})
}

// span is a part of the words that a search goes through: one word, or all that
// are longer and begin with it.
type span struct {
	word  string
	exact bool
}

// spans are those of a query, in turn.
func spans(query string) (list []span) {
	for _, w := range leads(query) {
		if w != "" {
			list = append(list, span{w, true}, span{w, false})
		}
	}
	return list
}

func (s span) holds(word string) bool {
	if s.exact {
		return word == s.word
	}
	return len(word) > len(s.word) && strings.HasPrefix(word, s.word)
}

// bounds are between which words of the partition the span's stand.
func (s span) bounds() (from, until string) {
	const last = "\U0010FFFF"
	if s.exact {
		return s.word + "#", s.word + "$"
	}
	return s.word, s.word + last
}

// Find reads one page of the tenant's runs that a query matches and that keep
// admits: those that have a whole word of it first, newest first; then those with
// words that only begin so, the greatest first. Letters that numbers begin with
// show, after all others, those of the newest maxLook runs.
func (j *Journal[T, P]) Find(
	ctx context.Context, tenantID, query, after string, limit int, keep func(P) bool,
) (Listing[P], error) {
	s := &search[T, P]{
		Journal: j, tenant: tenantID, query: query, spans: spans(query), keep: keep, limit: limit,
	}
	at, after, err := j.kind.foundAfter(s.spans, after)
	if err != nil {
		return Listing[P]{}, err
	}
	for ; at < len(s.spans); at, after = at+1, "" {
		full, err := s.span(ctx, at, after)
		if err != nil {
			return Listing[P]{}, err
		}
		if full {
			return s.page, nil
		}
	}
	if series(s.spans) {
		err = s.newest(ctx, after)
	}
	return s.page, err
}

// search is a page of a search on its way.
type search[T any, P Fact[T]] struct {
	*Journal[T, P]
	tenant string
	query  string
	spans  []span
	keep   func(P) bool
	limit  int
	looked int
	page   Listing[P]
}

// foundAfter reads the continuation of a search: the span in which it goes on, after all of them that of the newest
// runs, and after what there.
func (k Kind) foundAfter(list []span, after string) (at int, sk string, err error) {
	if after == "" {
		return 0, "", nil
	}
	n, sk, ok := strings.Cut(after, "#")
	at = strings.Index("0123456", n)
	if !ok || len(n) != 1 || at < 0 || at > len(list) || !k.isFindAfter(list, at, sk) {
		return 0, "", ErrAfter
	}
	return at, sk, nil
}

// span adds what the words of a span find; full says that the page ends there.
func (s *search[T, P]) span(ctx context.Context, at int, after string) (full bool, err error) {
	from, until := s.spans[at].bounds()
	q := table.Query{
		PK: s.kind.find(s.tenant), From: from, Until: until, After: after, Desc: true, Limit: min(s.limit, maxLook/2),
	}
	for {
		p, err := s.ledger.table.Query(ctx, q)
		if err != nil {
			return false, fmt.Errorf("search runs of %s: %w", s.kind.Name, err)
		}
		if full, err = s.wordPage(ctx, at, p); full || err != nil {
			return full, err
		}
		if q.After = p.Next; p.Next == "" {
			return false, nil
		}
	}
}

// wordPage adds the runs of a page of words.
func (s *search[T, P]) wordPage(ctx context.Context, at int, p table.Page) (full bool, err error) {
	entries := s.found(p.Items)
	runs, err := s.runsAt(ctx, keysOf(entries))
	if err != nil {
		return false, err
	}
	for i, e := range entries {
		if f := runs[e.Key]; f != nil && shownBy(words(f), s.spans[:at+1]) == e.Sort {
			s.add(f)
		}
		if s.looked++; len(s.page.Runs) == s.limit || s.looked == maxLook {
			if i < len(entries)-1 || p.Next != "" {
				s.goesOn(at, p.Items[i].SK)
			} else {
				s.goesOn(at+1, "")
			}
			return true, nil
		}
	}
	return false, nil
}

// found are the runs that the items of words name, each under its word.
func (s *search[T, P]) found(items []table.Item) []table.Entry {
	entries := make([]table.Entry, len(items))
	for i, it := range items {
		cut := strings.LastIndexByte(it.SK, '#')
		key := table.Key{PK: s.kind.partition(s.tenant), SK: it.SK[cut+1:]}
		entries[i] = table.Entry{Key: key, Sort: it.SK[:max(cut, 0)]}
	}
	return entries
}

// add adds a run that the query matches and that is asked for.
func (s *search[T, P]) add(f P) {
	if Matches(f, s.query) && s.keep(f) {
		s.page.Runs = append(s.page.Runs, f)
	}
}

// goesOn notes where the next page begins, if there is more to go through.
func (s *search[T, P]) goesOn(at int, sk string) {
	if at < len(s.spans) || series(s.spans) {
		s.page.Next = fmt.Sprintf("%d#%s", at, sk)
	}
}

// newest adds those of the newest runs that no span shows.
func (s *search[T, P]) newest(ctx context.Context, after string) error {
	runs, _, err := s.Runs(ctx, s.tenant, "", maxLook)
	if err != nil {
		return err
	}
	for i, f := range runs {
		sk := s.kind.key(s.tenant, f.Core().ID).SK
		if after != "" && sk >= after {
			continue
		}
		if !shown(words(f), s.spans) {
			s.add(f)
		}
		if len(s.page.Runs) == s.limit && i < len(runs)-1 {
			s.goesOn(len(s.spans), sk)
			break
		}
	}
	return nil
}

// isFindAfter reports whether a page of a search may have ended with this in its
// at-th span: after an item of it, or with the end of the one before.
func (k Kind) isFindAfter(list []span, at int, rest string) bool {
	if at == len(list) {
		return series(list) && (rest == "" || k.IsRunsAfter(rest))
	}
	cut := strings.LastIndexByte(rest, '#')
	if cut < 0 {
		return rest == "" && at > 0
	}
	word := rest[:cut] // what the span only passes over among them
	return strings.HasPrefix(word, list[at].word) && (word == list[at].word || !list[at].exact) &&
		k.IsRunsAfter(rest[cut+1:])
}

// series reports whether what is searched for may be the letters that a series of numbers begins with.
func series(list []span) bool {
	const most = 4
	return len(list) > 0 && len(list[0].word) <= most && !strings.ContainsFunc(list[0].word, unicode.IsDigit)
}

// shownBy is the word by which the last of the spans shows a run: the greatest
// of its words there; none where an earlier one shows it.
func shownBy(words []string, list []span) (greatest string) {
	last := list[len(list)-1]
	if shown(words, list[:len(list)-1]) {
		return ""
	}
	for _, w := range words {
		if last.holds(w) && w+"#" > greatest+"#" {
			greatest = w
		}
	}
	return greatest
}

// shown reports whether one of the spans shows a run of these words.
func shown(words []string, list []span) bool {
	return slices.ContainsFunc(words, func(w string) bool {
		return slices.ContainsFunc(list, func(s span) bool { return s.holds(w) })
	})
}

// relisted is how far a tenant's runs of an earlier version were gone through.
type relisted struct {
	After string `json:"after,omitempty"`
	Whole bool   `json:"whole,omitempty"`
}

// Relist gives so many more of the runs that an earlier version wrote their
// words and their place in the lists; whole: all of the tenant's have them.
// It may be called at any time, by many at once.
func (j *Journal[T, P]) Relist(ctx context.Context, tenantID string, most int) (whole bool, err error) {
	name := strings.TrimSuffix("lists#"+j.kind.scope(), "#")
	if _, ok := j.whole.Load(tenantID); ok {
		return true, nil
	}
	var at relisted
	rev, err := j.ledger.Doc(ctx, tenantID, name, &at)
	if err != nil {
		return false, err
	}
	if !at.Whole {
		runs, next, err := j.Runs(ctx, tenantID, at.After, most)
		if err != nil {
			return false, err
		}
		for _, f := range runs {
			if f.Core().Found == listVersion {
				continue
			}
			err := j.Update(ctx, f, func(P, *Extra) error { return nil })
			if err != nil && !errors.Is(err, ErrNotFound) {
				return false, err
			}
		}
		at = relisted{After: next, Whole: next == ""}
		_, err = j.ledger.SaveDoc(ctx, tenantID, name, rev, at)
		if err != nil && !errors.Is(err, ErrBehind) { // another goes on from where it is
			return false, err
		}
	}
	if at.Whole {
		j.whole.Store(tenantID, true)
	}
	return at.Whole, nil
}
