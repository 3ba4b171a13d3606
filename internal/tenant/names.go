package tenant

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"stockbridge/internal/match"
	"stockbridge/internal/table"
)

// Tenants by name: the list's items stand in the second index in the order of their names, and each word of a name is
// an item of its own, TENANTS#words, <word>#<id>. So a page of a list or a search reads what it shows.

const (
	namesGroup = "TENANTS"
	wordsOfAll = "TENANTS#words"
	mostWords  = 24  // of a name
	longest    = 100 // bytes of a word
)

// listing is a tenant's item in the list of all.
func listing(t Tenant, data []byte) table.Item {
	return table.Item{Key: table.Key{PK: listPartition(t.ID), SK: t.ID}, Data: data, Group: namesGroup,
		Order: byName(t) + "#" + t.ID}
}

// byName is where a tenant stands among all.
func byName(t Tenant) string { return strings.ReplaceAll(match.Fold(t.Name), "#", " ") }

// wordsIn are the words of a text as they are found, a piece of the longest ones.
func wordsIn(text string) (words []string) {
	for _, w := range strings.Fields(match.Words(text)) {
		if w = strings.ToValidUTF8(w[:min(len(w), longest)], ""); w != "" && !slices.Contains(words, w) {
			words = append(words, w)
		}
	}
	return words[:min(len(words), mostWords)]
}

func wordKey(word, id string) table.Key { return table.Key{PK: wordsOfAll, SK: word + "#" + id} }

// wordsOf are the writes of the words of a tenant's name.
func wordsOf(t Tenant) (ops []table.Op) {
	for _, w := range wordsIn(t.Name) {
		ops = append(ops, table.Put(table.Item{Key: wordKey(w, t.ID)}))
	}
	return ops
}

// storedWords are the items of the words of a tenant's name.
func (s *Store) storedWords(ctx context.Context, t Tenant) ([]table.Item, error) {
	var keys []table.Key
	for _, w := range wordsIn(t.Name) {
		keys = append(keys, wordKey(w, t.ID))
	}
	return table.ReadAll(ctx, s.table, keys)
}

// relistMost is how many tenants All gives their places: who goes through them has other work to do in its time.
const relistMost = 500

// relist gives a tenant that an earlier version listed its place among the names, and its words. What fails is done the
// next time.
func (s *Store) relist(ctx context.Context, t Tenant, it table.Item) {
	listed := listing(t, it.Data)
	listed.Rev = it.Rev
	_ = s.table.Write(ctx, append(wordsOf(t), table.Replace(listed))...)
}

// AtPlace is the tenant at a place among the names; "" = it is no such place.
func AtPlace(place string) (id string) {
	if id = place[strings.LastIndexByte(place, '#')+1:]; IsID(id) {
		return id
	}
	return ""
}

// ByName reads one page of the places of all tenants in the order of their names, those after a place ("" = from the
// first on), and at most so many; more = there are others. The index may lag.
func (s *Store) ByName(ctx context.Context, after string, most int) (places []string, more bool, err error) {
	q := table.Query{PK: namesGroup, Group: true, Limit: most}
	if after != "" {
		q.From = after + "\x00"
	}
	p, err := s.table.List(ctx, q)
	if err != nil {
		return nil, false, fmt.Errorf("list tenants by name: %w", err)
	}
	for _, e := range p.Entries {
		places = append(places, e.Sort)
	}
	return places, p.Next != "", nil
}

// Named reads tenants by their ids; those that are not there are left out.
func (s *Store) Named(ctx context.Context, ids []string) (map[string]Tenant, error) {
	keys := make([]table.Key, len(ids))
	for i, id := range ids {
		keys[i] = table.Key{PK: listPartition(id), SK: id}
	}
	items, err := table.ReadAll(ctx, s.table, keys)
	if err != nil {
		return nil, fmt.Errorf("read tenants: %w", err)
	}
	found := map[string]Tenant{}
	for _, it := range items {
		t, err := listed(it)
		if err != nil {
			return nil, err
		}
		found[t.ID] = t
	}
	return found, nil
}

// mostLooked is how many words one page of Find looks through.
const mostLooked = 500

// Find reads one page of the tenants whose names have a word that begins with each word of a query, after the place at
// which the page before ended ("" = from the first on), at most so many; next is "" on the last page. It looks through
// mostLooked words at most: a page may be short, or empty, and still have a next. A query without a letter or a digit
// finds nothing.
func (s *Store) Find(ctx context.Context, query, after string, most int) (list []Tenant, next string, err error) {
	terms := wordsIn(query)
	if len(terms) == 0 {
		return nil, "", nil
	}
	lead := leadOf(terms)
	q := table.Query{PK: wordsOfAll, From: lead, Until: lead + "\U0010FFFF", After: after, Limit: 2 * most}
	for looked := 0; ; {
		p, err := s.table.Query(ctx, q)
		if err != nil {
			return nil, "", fmt.Errorf("search tenants: %w", err)
		}
		shown, err := s.shownAt(ctx, p.Items, terms, lead)
		if err != nil {
			return nil, "", err
		}
		for i, t := range shown {
			if t != nil {
				list = append(list, *t)
			}
			if len(list) == most && (i < len(shown)-1 || p.Next != "") {
				return list, p.Items[i].SK, nil
			}
		}
		looked += len(p.Items)
		if q.After = p.Next; p.Next == "" || looked >= mostLooked {
			return list, p.Next, nil
		}
	}
}

// shownAt are the tenants that a search shows at words of names; nil where it shows none.
func (s *Store) shownAt(ctx context.Context, words []table.Item, terms []string, lead string) ([]*Tenant, error) {
	ids := make([]string, len(words))
	for i, it := range words {
		_, ids[i], _ = strings.Cut(it.SK, "#")
	}
	named, err := s.Named(ctx, ids)
	if err != nil {
		return nil, err
	}
	shown := make([]*Tenant, len(words))
	for i, it := range words {
		if t, ok := named[ids[i]]; ok && shownBy(t, terms, lead)+"#"+t.ID == it.SK {
			shown[i] = &t
		}
	}
	return shown, nil
}

// leadOf is the word of a query by which names are looked for: the longest, one with a digit before others.
func leadOf(terms []string) string {
	weight := func(w string) int {
		if strings.ContainsAny(w, "0123456789") {
			return len(w) + longest
		}
		return len(w)
	}
	return slices.MaxFunc(terms, func(a, b string) int { return weight(a) - weight(b) })
}

// shownBy is the word by which a search shows a tenant, the first that its lead begins; "" = it does not show it.
func shownBy(t Tenant, terms []string, lead string) (first string) {
	words := wordsIn(t.Name)
	for _, term := range terms {
		if !slices.ContainsFunc(words, func(w string) bool { return strings.HasPrefix(w, term) }) {
			return ""
		}
	}
	for _, w := range words {
		if strings.HasPrefix(w, lead) && (first == "" || w < first) {
			first = w
		}
	}
	return first
}

// IsFindAfter reports whether a page of Find may have ended with this.
func IsFindAfter(query, after string) bool {
	word, id, _ := strings.Cut(after, "#")
	return IsID(id) && slices.ContainsFunc(wordsIn(query), func(w string) bool { return strings.HasPrefix(word, w) })
}

// Some reads tenants at random, at most so many: where there are no more than that, all.
func (s *Store) Some(ctx context.Context, most int) ([]string, error) {
	ids, whole, err := s.someOfEach(ctx, most/Shards)
	if err != nil || whole || len(ids) == most {
		return ids, err
	}
	return s.someInTurn(ctx, most)
}

// someOfEach reads tenants of each shard at random, all shards at once; whole = there are no others.
func (s *Store) someOfEach(ctx context.Context, share int) (ids []string, whole bool, err error) {
	var found [Shards][]string
	var errs [Shards]error
	var running sync.WaitGroup
	for shard := range Shards {
		running.Go(func() { found[shard], errs[shard] = s.someOf(ctx, shard, share) })
	}
	running.Wait()
	whole = true
	for _, some := range found {
		ids, whole = append(ids, some...), whole && len(some) < share
	}
	return ids, whole, errors.Join(errs[:]...)
}

// someInTurn reads tenants at random, shard by shard: what one of them does not have, the next may.
func (s *Store) someInTurn(ctx context.Context, most int) (ids []string, err error) {
	for shard := range Shards {
		some, err := s.someOf(ctx, shard, (shard+1)*most/Shards-len(ids))
		if err != nil {
			return nil, err
		}
		ids = append(ids, some...)
	}
	return ids, nil
}

// someOf reads tenants of a shard, at most so many, from a random one on.
func (s *Store) someOf(ctx context.Context, shard, most int) (ids []string, err error) {
	letters := make([]byte, tenantID)
	for i := range letters {
		letters[i] = "234567abcdefghijklmnopqrstuvwxyz"[rand.IntN(32)]
	}
	from := string(letters)
	q := listQuery(shard)
	for _, part := range []table.Query{{PK: q.PK, From: from}, {PK: q.PK, Until: from}} {
		if part.Limit = most - len(ids); part.Limit <= 0 {
			break
		}
		p, err := s.table.Query(ctx, part)
		if err != nil {
			return nil, fmt.Errorf("read some tenants: %w", err)
		}
		for _, it := range p.Items {
			ids = append(ids, it.SK)
		}
	}
	return ids, nil
}
