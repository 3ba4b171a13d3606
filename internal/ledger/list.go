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
// rest are gone through once ([Ledger.Relist]).

// listVersion is that of a run's words and place in the lists; 0 = it has none.
const listVersion = 1

func listGroup(tenantID string, s State) string { return partition(tenantID, "list#"+string(s)) }

// listed is where the run stands in the second index.
func (r *Run) listed() (group, order string) {
	order = "1#" + turned(runKey(r.Tenant, r.ID).SK)
	if !r.Next.IsZero() {
		order = "0#" + r.Next.UTC().Format(timeKey) + "#" + order[2:]
	}
	return listGroup(r.Tenant, r.State), order
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
type Listing struct {
	Runs []*Run
	Next string
}

// ErrAfter says that a list's continuation is none that a page gave.
var ErrAfter = errors.New("not a continuation")

// IsRunsAfter reports whether a page of [Ledger.Runs] may have ended with this.
// What no page can have ended with would show the first page again, or none.
func IsRunsAfter(s string) bool {
	id := trimID(s)
	if fmt.Sprintf("%020s", id) != s {
		return false
	}
	if supplier, order, two := strings.Cut(id, ":"); two && supplier != "" {
		id = order
	}
	if event, ok := strings.CutPrefix(id, "!"); ok {
		return event != ""
	}
	return id != "" && strings.Trim(id, "0123456789") == ""
}

// isListAfter reports the same of a group of the second index.
func isListAfter(s string) bool {
	if rest, ok := strings.CutPrefix(s, "1#"); ok {
		return IsRunsAfter(turned(rest))
	}
	rest, ok := strings.CutPrefix(s, "0#")
	at, sk, two := strings.Cut(rest, "#")
	_, err := time.Parse(timeKey, at)
	return ok && two && err == nil && IsRunsAfter(turned(sk))
}

// InState reads one page of a tenant's runs in a state: those with work left
// first, by their due time, then the others, newest first.
func (l *Ledger) InState(ctx context.Context, tenantID string, s State, after string, limit int) (Listing, error) {
	groups := []State{s}
	if s == Working { // whoever is worked on for the first time stands where it was received
		groups = []State{Received, Working}
	}
	at := 0
	if after != "" {
		for at = range groups {
			if rest, ok := strings.CutPrefix(after, string(groups[at])+"#"); ok {
				after = rest
				break
			}
			if at == len(groups)-1 {
				return Listing{}, ErrAfter
			}
		}
		if !isListAfter(after) {
			return Listing{}, ErrAfter
		}
	}
	var page Listing
	for looked := 0; at < len(groups); at, after = at+1, "" {
		q := table.Query{PK: listGroup(tenantID, groups[at]), Group: true, Limit: limit}
		if after != "" {
			q.From = after + "\x00"
		}
		for {
			entries, err := l.table.List(ctx, q)
			if err != nil {
				return Listing{}, fmt.Errorf("list orders that are %s: %w", s, err)
			}
			found, err := l.runsAt(ctx, tenantID, entries.Entries)
			if err != nil {
				return Listing{}, err
			}
			for i, e := range entries.Entries {
				r := found[e.SK]
				if looked++; r != nil && r.State == s && !slices.ContainsFunc(page.Runs, func(o *Run) bool { return o.ID == r.ID }) {
					page.Runs = append(page.Runs, r)
				}
				if len(page.Runs) == limit || looked == maxLook && at == len(groups)-1 {
					if i < len(entries.Entries)-1 || entries.Next != "" || at < len(groups)-1 {
						page.Next = string(groups[at]) + "#" + e.Sort
					}
					return page, nil
				}
			}
			if q.After = entries.Next; entries.Next == "" || looked >= maxLook {
				break
			}
		}
		looked = 0 // of what is only received, one look is enough
	}
	return page, nil
}

// runsAt reads the runs of index entries, by key.
func (l *Ledger) runsAt(ctx context.Context, tenantID string, entries []table.Entry) (map[string]*Run, error) {
	found := map[string]*Run{}
	keys := make([]table.Key, len(entries))
	for i, e := range entries {
		keys[i] = e.Key
	}
	err := l.eachRun(ctx, keys, func(r *Run, it table.Item) { found[it.SK] = r })
	return found, err
}

// CountMost is how far counts are exact; one more than it says "more than that".
const CountMost = 10_000

// CountIn counts a tenant's runs in a state, as far as CountMost and one more.
func (l *Ledger) CountIn(ctx context.Context, tenantID string, s State) (n int, err error) {
	return l.count(ctx, listGroup(tenantID, s), "", "", nil)
}

// count counts entries of the second index.
func (l *Ledger) count(ctx context.Context, group, from, until string, each func(table.Entry)) (n int, err error) {
	q := table.Query{PK: group, Group: true, From: from, Until: until}
	for {
		q.Limit = CountMost + 1 - n
		p, err := l.table.List(ctx, q)
		if err != nil {
			return n, fmt.Errorf("count orders: %w", err)
		}
		n += len(p.Entries)
		if each != nil {
			for _, e := range p.Entries {
				each(e)
			}
		}
		if q.After = p.Next; p.Next == "" || n > CountMost {
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
func (l *Ledger) DueOf(ctx context.Context, tenantID string, now time.Time, first int) (all TenantDue, err error) {
	const open, closed = "0#", "1#"
	until := open + now.UTC().Add(time.Millisecond).Format(timeKey)
	type counting struct {
		group, from, until string
		n                  *int
	}
	var counts []counting
	for _, s := range States() {
		group := listGroup(tenantID, s)
		counts = append(counts, counting{group, open, until, &all.Due}, counting{group, until, closed, &all.Waiting})
	}
	var mu sync.Mutex
	err = parallel.Each(len(counts), slices.Values(counts), func(c counting) error {
		var refs []Ref
		n, err := l.count(ctx, c.group, c.from, c.until, func(e table.Entry) {
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

func findPartition(tenantID string) string { return partition(tenantID, "find") }

// words are what the run is found by: its reference as a whole, runs of digits in
// it and in its numbers, and the words of its customer's name. A number is kept
// as a whole only where it does not end in a run of digits: the letters that
// stand before the digits are a series', the same for one order as for all, and
// each word costs a write.
func (r *Run) words() []string {
	var list []string
	add := func(w string) {
		if c := []rune(w); len(c) > maxWord {
			w = string(c[:maxWord])
		}
		if w != "" && len(list) < maxWords && !slices.Contains(list, w) {
			list = append(list, w)
		}
	}
	for i, s := range []string{r.Reference, r.Number, r.SaleNumber} {
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
	if id, ok := strings.CutPrefix(r.ID, "!"); ok { // no order's id, and all there is of it
		add(match.Fold(id))
	}
	for _, w := range strings.Fields(match.Words(r.Customer)) {
		add(w)
		for _, d := range digits(w) {
			add(d)
		}
	}
	return list
}

// numbered says that a number is letters and marks, if any, before one run of digits.
func numbered(s string) bool {
	at := strings.IndexFunc(s, unicode.IsDigit)
	return at >= 0 && !strings.ContainsFunc(s[at:], func(c rune) bool { return !unicode.IsDigit(c) })
}

// digits are the runs of digits in a text.
func digits(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return !unicode.IsDigit(c) })
}

// newWords are the words that the run is found by and, as it was before, was not.
func (r *Run) newWords(before *Run) []table.Op {
	var had []string
	if before != nil && before.Found == listVersion {
		if before.Number == r.Number && before.SaleNumber == r.SaleNumber && before.Reference == r.Reference && before.Customer == r.Customer {
			return nil
		}
		had = before.words()
	}
	var ops []table.Op
	for _, w := range r.words() {
		if !slices.Contains(had, w) {
			ops = append(ops, table.Ahead(table.Item{Key: table.Key{PK: findPartition(r.Tenant), SK: w + "#" + runKey(r.Tenant, r.ID).SK}}))
		}
	}
	return ops
}

// Matches reports whether each word of a query is the beginning of the run's id,
// of its numbers or reference or a word of them, or of a word of its customer's
// name, whatever the case and accents.
func (r *Run) Matches(query string) bool {
	terms := strings.Fields(match.Fold(query))
	if len(terms) == 0 {
		return true
	}
	words := append(r.words(), r.ID, r.OrderID())
	for _, s := range []string{r.Number, r.SaleNumber, r.Reference, r.Customer} {
		words = append(words, strings.Fields(match.Fold(s))...)
		words = append(words, strings.Fields(match.Words(s))...)
	}
	begins := func(t string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, t) })
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

// Find reads one page of the tenant's runs that a query matches and that keep
// admits: those that have a whole word of it first, newest first; then those with
// words that only begin so, the greatest first. Letters that numbers begin with
// show, after all others, those of the newest maxLook runs.
func (l *Ledger) Find(ctx context.Context, tenantID, query, after string, limit int, keep func(*Run) bool) (Listing, error) {
	const last = "\U0010FFFF"
	var page Listing
	list, at := spans(query), 0
	if after != "" {
		n, rest, ok := strings.Cut(after, "#")
		at = strings.Index("0123456", n)
		if !ok || len(n) != 1 || at < 0 || at > len(list) || !isFindAfter(list, at, rest) {
			return page, ErrAfter
		}
		after = rest
	}
	for looked := 0; at < len(list); at, after = at+1, "" {
		q := table.Query{PK: findPartition(tenantID), From: list[at].word, Until: list[at].word + last, After: after, Desc: true, Limit: min(limit, maxLook/2)}
		if list[at].exact {
			q.From, q.Until = list[at].word+"#", list[at].word+"$"
		}
		for {
			p, err := l.table.Query(ctx, q)
			if err != nil {
				return Listing{}, fmt.Errorf("search orders: %w", err)
			}
			entries := make([]table.Entry, len(p.Items))
			for i, it := range p.Items {
				cut := strings.LastIndexByte(it.SK, '#')
				entries[i] = table.Entry{Key: table.Key{PK: partition(tenantID, "order"), SK: it.SK[cut+1:]}, Sort: it.SK[:max(cut, 0)]}
			}
			found, err := l.runsAt(ctx, tenantID, distinct(entries))
			if err != nil {
				return Listing{}, err
			}
			for i, e := range entries {
				looked++
				if r := found[e.SK]; r != nil && r.shownBy(list[:at+1]) == e.Sort && r.Matches(query) && keep(r) {
					page.Runs = append(page.Runs, r)
				}
				if len(page.Runs) == limit || looked == maxLook {
					sk := p.Items[i].SK
					if i == len(entries)-1 && p.Next == "" {
						at, sk = at+1, ""
					}
					if at < len(list) || series(list) {
						page.Next = fmt.Sprintf("%d#%s", at, sk)
					}
					return page, nil
				}
			}
			if q.After = p.Next; p.Next == "" {
				break
			}
		}
	}
	if !series(list) {
		return page, nil
	}
	newest, _, err := l.Runs(ctx, tenantID, "", maxLook)
	if err != nil {
		return Listing{}, err
	}
	for i, r := range newest {
		sk := runKey(tenantID, r.ID).SK
		if after != "" && sk >= after {
			continue
		}
		shown := slices.ContainsFunc(r.words(), func(w string) bool { return slices.ContainsFunc(list, func(s span) bool { return s.holds(w) }) })
		if !shown && r.Matches(query) && keep(r) {
			page.Runs = append(page.Runs, r)
		}
		if len(page.Runs) == limit && i < len(newest)-1 {
			page.Next = fmt.Sprintf("%d#%s", at, sk)
			break
		}
	}
	return page, nil
}

// isFindAfter reports whether a page of a search may have ended with this in its
// at-th span: after an item of it, or with the end of the one before.
func isFindAfter(list []span, at int, rest string) bool {
	if at == len(list) {
		return series(list) && (rest == "" || IsRunsAfter(rest))
	}
	cut := strings.LastIndexByte(rest, '#')
	if cut < 0 {
		return rest == "" && at > 0
	}
	word := rest[:cut] // what the span only passes over among them
	return strings.HasPrefix(word, list[at].word) && (word == list[at].word || !list[at].exact) && IsRunsAfter(rest[cut+1:])
}

// series says that what is searched for may be the letters that a series of numbers begins with.
func series(list []span) bool {
	const most = 4
	return len(list) > 0 && len(list[0].word) <= most && !strings.ContainsFunc(list[0].word, unicode.IsDigit)
}

// distinct leaves out entries of items that an earlier one has.
func distinct(entries []table.Entry) []table.Entry {
	seen := map[table.Key]bool{}
	return slices.DeleteFunc(slices.Clone(entries), func(e table.Entry) bool {
		was := seen[e.Key]
		seen[e.Key] = true
		return was
	})
}

// shownBy is the word by which the last of the spans shows the run: the greatest
// of its words there; none where an earlier one shows it.
func (r *Run) shownBy(list []span) (greatest string) {
	last := list[len(list)-1]
	for _, w := range r.words() {
		if slices.ContainsFunc(list[:len(list)-1], func(s span) bool { return s.holds(w) }) {
			return ""
		}
		if last.holds(w) && w+"#" > greatest+"#" {
			greatest = w
		}
	}
	return greatest
}

// relisted is how far a tenant's runs of an earlier version were gone through.
type relisted struct {
	After string `json:"after,omitempty"`
	Whole bool   `json:"whole,omitempty"`
}

// Relist gives so many more of the runs that an earlier version wrote their
// words and their place in the lists; whole: all of the tenant's have them.
// It may be called at any time, by many at once.
func (l *Ledger) Relist(ctx context.Context, tenantID string, most int) (whole bool, err error) {
	const name = "lists"
	if _, ok := l.whole.Load(tenantID); ok {
		return true, nil
	}
	var at relisted
	rev, err := l.Doc(ctx, tenantID, name, &at)
	if err != nil {
		return false, err
	}
	if !at.Whole {
		runs, next, err := l.Runs(ctx, tenantID, at.After, most)
		if err != nil {
			return false, err
		}
		for _, r := range runs {
			if r.Found == listVersion {
				continue
			}
			if err := l.Update(ctx, r, func(*Run, *Extra) error { return nil }); err != nil && !errors.Is(err, ErrNotFound) {
				return false, err
			}
		}
		at = relisted{After: next, Whole: next == ""}
		if _, err := l.SaveDoc(ctx, tenantID, name, rev, at); err != nil && !errors.Is(err, ErrBehind) { // another goes on from where it is
			return false, err
		}
	}
	if at.Whole {
		l.whole.Store(tenantID, true)
	}
	return at.Whole, nil
}
