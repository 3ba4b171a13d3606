// Package tabletest tests every implementation of table.Table against the same contract: what table's comments promise,
// each condition both holding and failing, and what happens under contention.
//
// A package with an implementation calls [Run] from a test of its own, with a function that opens an empty table:
//
//	func TestConformance(t *testing.T) {
//		tabletest.Run(t, func(t *testing.T) table.Table { return open(t) })
//	}
//
// Each test gets a table of its own. Tests of indexes allow for eventual consistency. Tests of limits hold the embedded
// store to those of DynamoDB: 400 KB an item, 100 items and 4 MB a transaction. What table.go promises is tested here,
// and only here; an implementation's own tests are for what only it does.
package tabletest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"stockbridge/internal/table"
)

// Run runs the suite. open makes an empty table for each test and closes it
// when that test ends.
func Run(t *testing.T, open func(t *testing.T) table.Table) {
	for _, c := range []struct {
		name string
		test func(s suite)
	}{
		{"Create", suite.create},
		{"Replace", suite.replace},
		{"Remove", suite.remove},
		{"Check", suite.check},
		{"Put", suite.put},
		{"Repeat", suite.repeat},
		{"RepeatSeveral", suite.repeatSeveral},
		{"Atomic", suite.atomic},
		{"Get", suite.get},
		{"GetLarge", suite.getLarge},
		{"Data", suite.data},
		{"Query", suite.query},
		{"QueryLarge", suite.queryLarge},
		{"Index", func(s suite) { s.index(false) }},
		{"IndexPages", func(s suite) { s.indexPages(false) }},
		{"Groups", func(s suite) { s.index(true) }},
		{"GroupsPages", func(s suite) { s.indexPages(true) }},
		{"TwoIndexes", suite.twoIndexes},
		{"Ahead", suite.ahead},
		{"Expires", suite.expires},
		{"Limits", suite.limits},
		{"Increment", suite.increment},
		{"Change", suite.change},
		{"Transfer", suite.transfer},
		{"Race", suite.race},
		{"Cancelled", suite.cancelled},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(suite{t, open(t)}) })
	}
}

type suite struct {
	*testing.T
	table table.Table
}

func key(sk string) table.Key { return table.Key{PK: "T#1#test", SK: sk} }

func item(sk, data string) table.Item { return table.Item{Key: key(sk), Data: []byte(data)} }

// written applies an operation and returns the item as it then stands.
func (s suite) written(o table.Op) table.Item {
	s.Helper()
	s.write(o)
	return o.Item
}

func (s suite) write(ops ...table.Op) {
	s.Helper()
	if err := s.table.Write(s.Context(), ops...); err != nil {
		s.Fatal(err)
	}
}

// refused expects the write to be refused: by maps the index of each refused
// operation to the item that is there (no Rev: none is).
func (s suite) refused(ops []table.Op, by map[int]table.Item) {
	s.Helper()
	err := s.table.Write(s.Context(), ops...)
	var c *table.Conflict
	if !errors.As(err, &c) {
		s.Fatalf("%v, want a conflict", err)
	}
	got := map[int]table.Item{}
	for _, i := range c.Failed {
		got[i] = c.Current[i]
	}
	if !slices.IsSorted(c.Failed) || len(c.Current) > len(c.Failed) {
		s.Errorf("conflict of %v with %v", c.Failed, c.Current)
	}
	s.same(by, got)
}

func (s suite) same(want, got any) {
	s.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		s.Fatal(d)
	}
}

// stands expects the items to be as given (no Rev: absent).
func (s suite) stands(items ...table.Item) {
	s.Helper()
	var keys []table.Key
	var want []table.Item
	for _, it := range items {
		keys = append(keys, it.Key)
		if it.Rev != "" {
			want = append(want, it)
		}
	}
	got, err := s.table.Get(s.Context(), keys...)
	if err != nil {
		s.Fatal(err)
	}
	s.same(want, got)
}

func (s suite) create() {
	a := s.written(table.Create(item("a", "one")))
	s.stands(a)
	s.refused([]table.Op{table.Create(item("a", "two"))}, map[int]table.Item{0: a})
	s.stands(a)
	s.written(table.Create(table.Item{Key: table.Key{PK: "T#2#test", SK: "a"}})) // another partition
}

func (s suite) replace() {
	s.refused([]table.Op{table.Replace(table.Item{Key: key("a"), Rev: "none"})}, map[int]table.Item{0: {}})
	a := s.written(table.Create(item("a", "one")))
	stale := a
	a.Data = []byte("two")
	a = s.written(table.Replace(a))
	s.stands(a)
	s.refused([]table.Op{table.Replace(stale)}, map[int]table.Item{0: a})
	s.refused([]table.Op{table.Replace(item("a", "never read"))}, map[int]table.Item{0: a})
	s.stands(a)
}

func (s suite) remove() {
	s.write(table.Remove(table.Item{Key: key("a"), Rev: "none"})) // gone counts as removed
	a := s.written(table.Create(item("a", "one")))
	stale := a
	a = s.written(table.Replace(a))
	s.refused([]table.Op{table.Remove(stale)}, map[int]table.Item{0: a})
	s.refused([]table.Op{table.Remove(item("a", ""))}, map[int]table.Item{0: a})
	s.stands(a)
	s.write(table.Remove(a))
	s.stands(item("a", ""))
}

func (s suite) check() {
	a := s.written(table.Create(item("a", "one")))
	absent := item("z", "")
	for i := range 2 { // alone, and beside a write
		write := func(o table.Op) []table.Op {
			if i == 0 {
				return []table.Op{o}
			}
			return []table.Op{table.Put(item("b", "along")), o}
		}
		s.write(write(table.Check(a))...)
		s.write(write(table.Check(absent))...)
		s.refused(write(table.Check(item("a", ""))), map[int]table.Item{i: a})
		s.refused(write(table.Check(table.Item{Key: key("a"), Rev: "other"})), map[int]table.Item{i: a})
		s.refused(write(table.Check(table.Item{Key: key("z"), Rev: "other"})), map[int]table.Item{i: {}})
	}
	s.stands(a, absent)

	// The answer is a new one, not that of an equal check made before.
	was := a
	s.write(table.Check(was))
	a = s.written(table.Replace(a))
	s.refused([]table.Op{table.Check(was)}, map[int]table.Item{0: a})
}

func (s suite) put() {
	a := s.written(table.Put(item("a", "one")))
	s.stands(a)
	a = s.written(table.Put(item("a", "two")))
	s.stands(a)
}

// repeat: a write that took effect and is repeated is done, unless another
// writer has been there since.
func (s suite) repeat() {
	create := table.Create(item("a", "one"))
	s.write(create)
	s.write(create)
	s.stands(create.Item)

	replace := table.Replace(create.Item)
	replace.Item.Data = []byte("two")
	s.write(replace)
	s.write(replace)
	s.stands(replace.Item)
	s.refused([]table.Op{create}, map[int]table.Item{0: replace.Item})

	other := s.written(table.Replace(replace.Item))
	s.refused([]table.Op{replace}, map[int]table.Item{0: other})

	check := table.Check(other)
	s.write(check)
	s.write(check)

	put := table.Put(item("p", "one"))
	s.write(put)
	s.write(put)
	s.written(table.Put(item("p", "two")))
	s.write(put) // the last writer wins
	s.stands(put.Item)

	remove := table.Remove(other)
	s.write(remove)
	s.write(remove)
	again := s.written(table.Create(item("a", "again")))
	s.refused([]table.Op{remove}, map[int]table.Item{0: again})
	s.stands(again)
}

func (s suite) repeatSeveral() {
	have := s.written(table.Create(item("have", "one")))
	gone := s.written(table.Create(item("gone", "one")))
	seen := s.written(table.Create(item("seen", "one")))
	ops := []table.Op{
		table.Create(item("new", "two")),
		table.Replace(have),
		table.Remove(gone),
		table.Check(seen),
		table.Put(item("put", "two")),
	}
	s.write(ops...)
	s.write(ops...)
	s.stands(ops[0].Item, ops[1].Item, item("gone", ""), seen, ops[4].Item)

	// A store that remembers the request may answer again that it is done; in
	// any case nothing is written.
	seen = s.written(table.Replace(seen))
	over := s.written(table.Replace(ops[1].Item))
	err := s.table.Write(s.Context(), ops...)
	if err != nil && !errors.Is(err, table.ErrConflict) {
		s.Fatal(err)
	}
	s.stands(ops[0].Item, over, item("gone", ""), seen)
}

func (s suite) atomic() {
	a := s.written(table.Create(item("a", "one")))
	b := s.written(table.Create(item("b", "one")))
	stale := a
	a = s.written(table.Replace(a))

	s.refused([]table.Op{
		table.Replace(b), table.Replace(stale), table.Create(item("c", "")), table.Put(item("d", "")),
	}, map[int]table.Item{1: a})
	s.refused([]table.Op{
		table.Remove(b), table.Create(item("a", "")), table.Replace(table.Item{Key: key("x"), Rev: "none"}),
	}, map[int]table.Item{1: a, 2: {}})
	s.refused([]table.Op{
		table.Put(item("c", "")), table.Check(stale),
	}, map[int]table.Item{1: a})
	s.stands(a, b, item("c", ""), item("d", ""), item("x", ""))

	// The same operations, once what refused them has gone.
	ops := []table.Op{table.Create(item("a", "two")), table.Replace(b)}
	s.refused(ops, map[int]table.Item{0: a})
	s.write(table.Remove(a))
	s.write(ops...)
	s.stands(ops[0].Item, ops[1].Item)

	s.write()
}

func (s suite) get() {
	var keys []table.Key
	var want []table.Item
	var ops []table.Op
	for i := range table.MaxKeys {
		k := key(fmt.Sprintf("%03d", (i*37)%table.MaxKeys))
		keys = append(keys, k)
		if i%10 == 3 {
			continue
		}
		ops = append(ops, table.Create(table.Item{Key: k, Data: []byte(k.SK)}))
		want = append(want, ops[len(ops)-1].Item)
	}
	s.write(ops...)
	got, err := s.table.Get(s.Context(), keys...)
	if err != nil {
		s.Fatal(err)
	}
	s.same(want, got)
	got, err = s.table.Get(s.Context(), keys[1], keys[0], keys[1])
	if err != nil {
		s.Fatal(err)
	}
	s.same([]table.Item{want[1], want[0], want[1]}, got)
	if got, err := s.table.Get(s.Context()); err != nil || len(got) > 0 {
		s.Errorf("no keys: %v, %v", got, err)
	}
	if got, err := s.table.Get(s.Context(), key("none")); err != nil || len(got) > 0 {
		s.Errorf("a missing key: %v, %v", got, err)
	}
}

// getLarge reads more than one answer of the service holds (16 MB).
func (s suite) getLarge() {
	data := bytes.Repeat([]byte("x"), 380_000)
	var keys []table.Key
	for i := range 50 {
		it := table.Item{Key: key(strconv.Itoa(i)), Data: data}
		s.write(table.Put(it))
		keys = append(keys, it.Key)
	}
	got, err := s.table.Get(s.Context(), keys...)
	if err != nil || len(got) != len(keys) {
		s.Fatalf("%d items, %v", len(got), err)
	}
	for i, it := range got {
		if it.Key != keys[i] || !bytes.Equal(it.Data, data) {
			s.Fatalf("item %d is %v of %d bytes", i, it.Key, len(it.Data))
		}
	}
}

func (s suite) data() {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	long := strings.Repeat("k", 1024)
	for i, it := range []table.Item{
		{Key: table.Key{PK: "p", SK: "empty"}},
		{Key: table.Key{PK: "p", SK: "zeros"}, Data: make([]byte, 3)},
		{Key: table.Key{PK: "p", SK: "binary"}, Data: all},
		{Key: table.Key{PK: "p", SK: "quote \" \\ / <&> \u2028 \x00\x01"}, Data: []byte("a\x00b")},
		{Key: table.Key{PK: "📦#Ōtautahi", SK: "🚚 naïve"}, Data: []byte("héllo 👩‍🌾"), Index: "due#🚚", Sort: "\x00é"},
		{Key: table.Key{PK: long + long, SK: long}, Index: long + long, Sort: long},
		{Key: table.Key{PK: "p", SK: " \t\n "}, Data: []byte(" ")},
	} {
		it = s.written(table.Create(it))
		s.stands(it)
		it.Data = append(slices.Clone(it.Data), byte(i))
		it = s.written(table.Replace(it))
		s.stands(it)
		p, err := s.table.Query(s.Context(), table.Query{PK: it.PK, From: it.SK, Limit: 1})
		if err != nil {
			s.Fatal(err)
		}
		s.same([]table.Item{it}, p.Items)
	}
	// A sort key without an index is not kept.
	it := s.written(table.Create(table.Item{Key: key("a"), Sort: "dropped"}))
	it.Sort = ""
	s.stands(it)
}

// sks pages through a query by Next alone.
func (s suite) sks(q table.Query) []string {
	s.Helper()
	var got []string
	for range 10_000 {
		p, err := s.table.Query(s.Context(), q)
		if err != nil {
			s.Fatalf("%+v: %v", q, err)
		}
		if q.Limit > 0 && len(p.Items) > q.Limit {
			s.Fatalf("%d items, limit %d", len(p.Items), q.Limit)
		}
		for _, it := range p.Items {
			if it.PK != q.PK || string(it.Data) != it.SK {
				s.Fatalf("item %v with %q", it.Key, it.Data)
			}
			got = append(got, it.SK)
		}
		if p.Next == "" {
			return got
		}
		q.After = p.Next
	}
	s.Fatalf("%+v does not end", q)
	return nil
}

func (s suite) query() {
	sks := []string{"a", "a\x00", "a\x00\x01", "a#1", "a#10", "a#2", "aa", "b", "é", "🚚"}
	var ops []table.Op
	for _, sk := range sks {
		ops = append(ops, table.Create(item(sk, sk)))
	}
	for _, pk := range []string{"T#1", "T#1#tes", "T#1#test0", "T#1#testa", "T#2"} { // neighbours
		ops = append(ops, table.Create(table.Item{Key: table.Key{PK: pk, SK: "b"}, Data: []byte("b")}))
	}
	s.write(ops...)
	if !slices.IsSorted(sks) {
		s.Fatal("the test's keys are not in order")
	}
	bounds := []string{"", "0", "a", "a#", "a#1", "a#3", "b", "zz", "🚚", "🛳"}
	for _, from := range bounds {
		for _, until := range bounds {
			s.between(sks, from, until)
		}
	}
	s.same([]string(nil), s.sks(table.Query{PK: "T#3"}))
	p, err := s.table.Query(s.Context(), table.Query{PK: "T#2", Limit: 1})
	if err != nil || len(p.Items) != 1 || p.Items[0].Rev != ops[len(ops)-1].Item.Rev {
		s.Errorf("%+v, %v", p, err)
	}
}

// between queries a part of the partition that holds these sort keys: up and down, by pages, and after a key.
func (s suite) between(sks []string, from, until string) {
	s.Helper()
	want := slices.DeleteFunc(slices.Clone(sks), func(sk string) bool {
		return sk < from || until != "" && sk >= until
	})
	down := slices.Clone(want)
	slices.Reverse(down)
	for _, limit := range []int{0, 1, 3, len(want)} {
		q := table.Query{PK: key("").PK, From: from, Until: until, Limit: limit}
		s.same(want, s.sks(q))
		q.Desc = true
		s.same(down, s.sks(q))
	}
	for _, after := range []string{"0", "a#1", "a#3", "zz", "🛳"} {
		q := table.Query{PK: key("").PK, From: from, Until: until, After: after}
		s.same(slices.DeleteFunc(slices.Clone(want), func(sk string) bool { return sk <= after }), s.sks(q))
		q.Desc = true
		s.same(slices.DeleteFunc(slices.Clone(down), func(sk string) bool { return sk >= after }), s.sks(q))
	}
}

// queryLarge reads a partition of more than a page (1 MB).
func (s suite) queryLarge() {
	var want []string
	for i := range 30 {
		sk := fmt.Sprintf("%02d%s", i, strings.Repeat("s", 900))
		want = append(want, sk[:2])
		s.write(table.Put(table.Item{Key: key(sk), Data: bytes.Repeat([]byte{byte(i)}, 150_000)}))
	}
	for _, q := range []table.Query{{}, {Limit: 20}, {Desc: true}, {Desc: true, Limit: 3}} {
		q.PK = key("").PK
		got, pages := s.large(q)
		if q.Desc {
			slices.Reverse(got)
		}
		s.same(want, got)
		if pages < 4 {
			s.Errorf("4.5 MB in %d pages", pages)
		}
	}
}

// large pages through items of 150,000 bytes: the first two letters of their sort keys, and how many pages there were.
func (s suite) large(q table.Query) (got []string, pages int) {
	s.Helper()
	for {
		p, err := s.table.Query(s.Context(), q)
		if err != nil {
			s.Fatal(err)
		}
		pages++
		for _, it := range p.Items {
			got = append(got, it.SK[:2])
			if len(it.Data) != 150_000 {
				s.Fatalf("%d bytes", len(it.Data))
			}
		}
		if q.After = p.Next; p.Next == "" {
			return got, pages
		}
	}
}

// entries pages through the index by Next alone.
func (s suite) entries(q table.Query) []string {
	s.Helper()
	var got []string
	for range 10_000 {
		p, err := s.table.List(s.Context(), q)
		if err != nil {
			s.Fatalf("%+v: %v", q, err)
		}
		for _, e := range p.Entries {
			got = append(got, e.Sort+"="+e.SK)
		}
		if p.Next == "" {
			return got
		}
		q.After = p.Next
	}
	s.Fatalf("%+v does not end", q)
	return nil
}

// lists waits until the index, which may lag, shows exactly this.
func (s suite) lists(q table.Query, want ...string) {
	s.Helper()
	var got []string
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if got = s.entries(q); slices.Equal(got, want) {
			return
		}
	}
	s.Fatalf("%+v lists %q, want %q", q, got, want)
}

// placed returns the item at a place in one of the indexes.
func placed(it table.Item, group bool, index, sort string) table.Item {
	if group {
		it.Group, it.Order = index, sort
	} else {
		it.Index, it.Sort = index, sort
	}
	return it
}

// index tests one of the two indexes.
func (s suite) index(group bool) {
	due, state := table.Query{PK: "due", Group: group}, table.Query{PK: "state#sold", Group: group}
	at := func(sk, index, sort string) table.Item { return placed(item(sk, "x"), group, index, sort) }
	a := s.written(table.Create(at("a", "due", "2026-03-01T10:00:00Z")))
	b := s.written(table.Create(at("b", "due", "2026-03-01T09:00:00Z")))
	s.written(table.Create(at("c", "", "")))
	s.lists(due, "2026-03-01T09:00:00Z=b", "2026-03-01T10:00:00Z=a")
	s.lists(table.Query{PK: "du", Group: group})
	s.lists(table.Query{PK: "due", Group: !group})

	a = placed(a, group, "due", "2026-03-01T08:00:00Z") // moves within
	a = s.written(table.Replace(a))
	s.lists(due, "2026-03-01T08:00:00Z=a", "2026-03-01T09:00:00Z=b")
	a.Data = []byte("y") // stays
	a = s.written(table.Replace(a))
	s.lists(due, "2026-03-01T08:00:00Z=a", "2026-03-01T09:00:00Z=b")
	b = placed(b, group, "state#sold", "1") // moves to another
	s.written(table.Replace(b))
	s.lists(due, "2026-03-01T08:00:00Z=a")
	s.lists(state, "1=b")
	b = s.written(table.Put(at("b", "due", "5"))) // moves back, without having been read
	s.lists(state)
	s.lists(due, "2026-03-01T08:00:00Z=a", "5=b")
	b = placed(b, group, "", "5") // leaves
	s.written(table.Replace(b))
	s.lists(due, "2026-03-01T08:00:00Z=a")
	s.stands(a)
	s.write(table.Remove(a))
	s.lists(due)
	// The same again, and refused writes do not show.
	a = s.written(table.Create(at("a", "due", "2")))
	s.lists(due, "2=a")
	s.refused([]table.Op{table.Put(at("d", "due", "1")), table.Create(at("a", "due", "3"))}, map[int]table.Item{1: a})
	s.lists(due, "2=a")
	p, err := s.table.List(s.Context(), due)
	if err != nil {
		s.Fatal(err)
	}
	s.same([]table.Entry{{Key: a.Key, Sort: "2"}}, p.Entries)
}

// twoIndexes: an item has a place in each, and one changes without the other.
func (s suite) twoIndexes() {
	it := placed(placed(item("a", "x"), false, "due", "1"), true, "list", "9")
	it = s.written(table.Create(it))
	s.stands(it)
	due, list := table.Query{PK: "due"}, table.Query{PK: "list", Group: true}
	s.lists(due, "1=a")
	s.lists(list, "9=a")
	it = s.written(table.Replace(placed(it, false, "", "")))
	s.stands(it)
	s.lists(due)
	s.lists(list, "9=a")
	it = s.written(table.Replace(placed(placed(it, false, "due", "2"), true, "list", "8")))
	s.lists(due, "2=a")
	s.lists(list, "8=a")
	s.write(table.Remove(it))
	s.lists(due)
	s.lists(list)
	// An order without a group is not kept.
	it = s.written(table.Create(placed(item("a", "x"), true, "", "dropped")))
	it.Order = ""
	s.stands(it)
}

// ahead: what is written ahead stands whether or not the rest is refused; the
// conflict names refused operations by their indexes in the whole Write.
func (s suite) ahead() {
	one := s.written(table.Ahead(item("one", "1")))
	s.stands(one)
	a := s.written(table.Create(item("a", "")))

	ahead := table.Ahead(item("one", "2"))
	ops := []table.Op{ahead, table.Put(item("b", "")), table.Create(item("a", "again"))}
	s.refused(ops, map[int]table.Item{2: a})
	s.stands(ahead.Item, a, item("b", ""))
	single := []table.Op{table.Ahead(item("two", "")), table.Create(item("a", "again")), table.Ahead(item("three", ""))}
	s.refused(single, map[int]table.Item{1: a})
	s.stands(a, single[0].Item, single[2].Item)

	// Both stand, and a repeated Write is done.
	a.Data = []byte("named")
	ops = []table.Op{table.Replace(a)}
	var stands []table.Item
	for i := range 40 {
		ops = append(ops, table.Ahead(item(fmt.Sprintf("part-%02d", i), strconv.Itoa(i))))
	}
	for range 2 {
		s.write(ops...)
		stands = nil
		for _, o := range ops {
			stands = append(stands, o.Item)
		}
		s.stands(stands...)
	}
	var many []table.Op
	for i := range 3 { // together larger than one item may be
		it := placed(placed(item("large"+strconv.Itoa(i), strings.Repeat("x", 300_000)), false, "due", strconv.Itoa(i)),
			true, "list", strconv.Itoa(9-i))
		many = append(many, table.Ahead(it))
	}
	s.write(many...)
	s.lists(table.Query{PK: "due"}, "0=large0", "1=large1", "2=large2")
	s.lists(table.Query{PK: "list", Group: true}, "7=large2", "8=large1", "9=large0")
	if err := s.table.Write(s.Context(), table.Ahead(item("x", "")), table.Create(item("x", ""))); !errors.Is(err,
		table.ErrTooLarge) {
		s.Errorf("one key twice: %v", err)
	}
	s.stands(item("x", ""))
}

// indexPages pages through one of the two indexes.
func (s suite) indexPages(group bool) {
	sorts := []string{"1", "1\x00", "10", "2", "2", "2", "2", "2", "2é", "3"}
	var ops []table.Op
	var want []string
	for i, sort := range sorts {
		it := placed(item(string(rune('a'+i)), ""), group, "due", sort)
		ops = append(ops, table.Create(it))
		want = append(want, sort+"="+it.SK)
	}
	s.write(ops...)
	order := func(in []string) []string { // rows of one Sort come in any order
		out := slices.Clone(in)
		slices.Sort(out)
		return out
	}
	all := table.Query{PK: "due", Group: group}
	for end := time.Now().Add(10 * time.Second); len(s.entries(all)) < len(want); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			s.Fatal("the index does not catch up")
		}
	}
	for _, desc := range []bool{false, true} {
		for _, limit := range []int{0, 1, 2, 5, len(want)} {
			got := s.entries(table.Query{PK: "due", Group: group, Limit: limit, Desc: desc})
			s.same(order(want), order(got))
			first, last := want[0], want[len(want)-1]
			if desc {
				first, last = last, first
			}
			if got[0] != first || got[len(got)-1] != last {
				s.Errorf("from %q to %q", got[0], got[len(got)-1])
			}
			s.same(order(want[3:8]), order(s.entries(table.Query{PK: "due", Group: group, From: "2", Until: "2é",
				Limit: limit, Desc: desc})))
			s.same(order(want[:3]), order(s.entries(table.Query{PK: "due", Group: group, Until: "2", Limit: limit,
				Desc: desc})))
			s.same(order(want[3:]), order(s.entries(table.Query{PK: "due", Group: group, From: "11", Limit: limit,
				Desc: desc})))
			s.same([]string(nil), s.entries(table.Query{PK: "due", Group: group, From: "3", Until: "2", Limit: limit,
				Desc: desc}))
		}
	}
}

func (s suite) expires() {
	at := time.Now().Add(time.Hour)
	it := item("a", "x")
	it.Expires = at.In(time.FixedZone("NZDT", 13*3600))
	it = s.written(table.Create(it))
	it.Expires = at.UTC().Truncate(time.Second)
	s.stands(it)
	it.Expires = at.UTC().Truncate(time.Second).Add(time.Hour)
	it = s.written(table.Replace(it))
	s.stands(it)
	it.Expires = time.Time{}
	it = s.written(table.Replace(it))
	s.stands(it)

	// An expired item may be there or not, with or without its index entry;
	// others stay.
	old := item("old", "x")
	old.Expires, old.Index, old.Sort = time.Now().Add(-time.Hour), "due", "1"
	s.write(table.Put(old))
	for i := range 5 {
		s.written(table.Put(item("more"+strconv.Itoa(i), "x")))
	}
	s.write(table.Put(table.Item{Key: old.Key})) // last writer wins in any case
	got, err := s.table.Get(s.Context(), old.Key, it.Key)
	if err != nil || len(got) != 2 || !got[0].Expires.IsZero() {
		s.Errorf("%v, %v", got, err)
	}
	s.lists(table.Query{PK: "due"})
}

func (s suite) limits() {
	fits := item("fits", "")
	fits.Rev = strings.Repeat("R", 26)
	fits.Data = make([]byte, table.MaxItemBytes-len("pkskrevdata")-len(fits.PK)-len(fits.SK)-len(fits.Rev))
	over := fits
	over.SK = "over"
	over.Data = append(slices.Clone(fits.Data), 0)
	s.write(table.Put(fits))

	key := func(pk, sk string) table.Item { return table.Item{Key: table.Key{PK: pk, SK: sk}} }
	in := func(index, sort string) table.Item {
		return table.Item{Key: table.Key{PK: "p", SK: "s"}, Index: index, Sort: sort}
	}
	var many, large []table.Op
	for i := range table.MaxOps + 1 {
		many = append(many, table.Put(item(strconv.Itoa(i), "x")))
	}
	for i := range 11 {
		it := item("large"+strconv.Itoa(i), "")
		it.Data = make([]byte, 390_000)
		large = append(large, table.Put(it))
	}
	first := table.Put(item("first", "x"))
	for name, ops := range map[string][]table.Op{
		"item":          {first, table.Put(over)},
		"item alone":    {table.Create(over)},
		"operations":    many,
		"write":         large,
		"no pk":         {first, table.Put(key("", "s"))},
		"no sk":         {first, table.Put(key("p", ""))},
		"long pk":       {first, table.Put(key(strings.Repeat("é", 1025), "s"))},
		"long sk":       {first, table.Put(key("p", strings.Repeat("é", 513)))},
		"not UTF-8":     {first, table.Put(key("p", "\xff"))},
		"no sort":       {first, table.Put(in("due", ""))},
		"long index":    {first, table.Put(in(strings.Repeat("i", 2049), "s"))},
		"long sort":     {first, table.Put(in("due", strings.Repeat("s", 1025)))},
		"one key twice": {first, table.Check(first.Item)},
		"remove no sk":  {first, table.Remove(key("p", ""))},
		"check long sk": {first, table.Check(key("p", strings.Repeat("s", 1025)))},
	} {
		if err := s.table.Write(s.Context(), ops...); !errors.Is(err, table.ErrTooLarge) {
			s.Errorf("%s: %v", name, err)
		}
	}
	keys := make([]table.Key, table.MaxKeys+1)
	for i := range keys {
		keys[i] = many[i].Item.Key
	}
	if _, err := s.table.Get(s.Context(), keys...); !errors.Is(err, table.ErrTooLarge) {
		s.Errorf("keys: %v", err)
	}
	if _, err := s.table.Get(s.Context(), table.Key{PK: "p"}); !errors.Is(err, table.ErrTooLarge) {
		s.Errorf("key: %v", err)
	}
	if _, err := s.table.Query(s.Context(), table.Query{}); !errors.Is(err, table.ErrTooLarge) {
		s.Errorf("query: %v", err)
	}
	if _, err := s.table.List(s.Context(), table.Query{}); !errors.Is(err, table.ErrTooLarge) {
		s.Errorf("list: %v", err)
	}
	if err := s.table.Write(s.Context(), table.Op{Item: item("a", "")}); err == nil {
		s.Error("an operation of no kind")
	}
	if err := s.table.Write(s.Context(), table.Op{Kind: table.KindPut, Item: item("a", "")}); err == nil {
		s.Error("an operation without a revision")
	}

	p, err := s.table.Query(s.Context(), table.Query{PK: fits.PK})
	if err != nil || len(p.Items) != 1 || p.Items[0].SK != "fits" {
		s.Errorf("%d items were written, %v", len(p.Items)-1, err)
	}
	s.write(many[:table.MaxOps]...)
	s.write(large[:10]...)
}

// insist repeats a write until it is known to be done or refused.
func insist(ctx context.Context, t table.Table, ops ...table.Op) error {
	for {
		err := t.Write(ctx, ops...)
		if err == nil || errors.Is(err, table.ErrConflict) || errors.Is(err, table.ErrTooLarge) || ctx.Err() != nil {
			return err
		}
		time.Sleep(rand.N(20 * time.Millisecond))
	}
}

// crowd has many workers each do something so many times, and reports what fails.
func (s suite) crowd(workers, times int, do func(worker, i int) error) {
	s.Helper()
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range times {
				if err := do(w, i); err != nil {
					s.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// plus is a number that an item holds, and so much more.
func plus(it table.Item, n int) []byte {
	have, _ := strconv.Atoi(string(it.Data))
	return strconv.AppendInt(nil, int64(have+n), 10)
}

// increment: 64 workers count one item up, and no count is lost.
func (s suite) increment() {
	s.write(table.Create(item("n", "0")))
	const workers, times = 64, 2
	s.crowd(workers, times, func(int, int) error { return s.countUp(key("n")) })
	got, err := s.table.Get(s.Context(), key("n"))
	if err != nil || string(got[0].Data) != strconv.Itoa(workers*times) {
		s.Errorf("%s after %d, %v", got[0].Data, workers*times, err)
	}
}

// countUp counts an item up by one, going on from what each conflict shows.
func (s suite) countUp(k table.Key) error {
	got, err := s.table.Get(s.Context(), k)
	if err != nil || len(got) != 1 {
		return fmt.Errorf("%v, %w", got, err)
	}
	for it := got[0]; ; {
		it.Data = plus(it, 1)
		err := insist(s.Context(), s.table, table.Replace(it))
		c, conflict := errors.AsType[*table.Conflict](err)
		if !conflict {
			return err
		}
		it = c.Current[0]
		time.Sleep(rand.N(5 * time.Millisecond))
	}
}

// change: each of several workers gets to change one item that it never read, and to create another with it.
func (s suite) change() {
	const workers, times = 8, 5
	s.crowd(workers, times, func(w, i int) error {
		count := func(it table.Item) ([]table.Op, error) {
			it.Data = plus(it, 1) // there is none at first
			return []table.Op{table.Save(it), table.Create(item(fmt.Sprintf("log-%d-%d", w, i), ""))}, nil
		}
		err := error(table.ErrConflict)
		for errors.Is(err, table.ErrConflict) { // on a slow table others may always be faster
			_, err = table.Change(s.Context(), s.table, table.Item{Key: key("n")}, count)
		}
		return err
	})
	it, err := table.Read(s.Context(), s.table, key("n"))
	if err != nil || string(it.Data) != strconv.Itoa(workers*times) {
		s.Errorf("%s after %d, %v", it.Data, workers*times, err)
	}
	p, err := s.table.Query(s.Context(), table.Query{PK: key("").PK, From: "log-", Until: "log."})
	if err != nil || len(p.Items) != workers*times {
		s.Errorf("%d beside it, %v", len(p.Items), err)
	}
}

// transfer: transactions over two items keep their sum when they collide.
func (s suite) transfer() {
	s.write(table.Create(item("a", "1000")), table.Create(item("b", "1000")))
	const workers, times = 16, 5
	s.crowd(workers, times, func(w, i int) error {
		err := s.move(w, fmt.Sprintf("log-%d-%d", w, i))
		for errors.Is(err, table.ErrConflict) {
			time.Sleep(rand.N(20 * time.Millisecond))
			err = s.move(w, fmt.Sprintf("log-%d-%d", w, i))
		}
		return err
	})
	moved := times * workers * (workers - 1) / 2
	got, err := s.table.Get(s.Context(), key("a"), key("b"))
	if err != nil || string(got[0].Data) != strconv.Itoa(1000-moved) ||
		string(got[1].Data) != strconv.Itoa(1000+moved) {
		s.Errorf("%v, %v", got, err)
	}
	p, err := s.table.Query(s.Context(), table.Query{PK: key("").PK, From: "log-", Until: "log."})
	if err != nil || len(p.Items) != workers*times {
		s.Errorf("%d transfers, %v", len(p.Items), err)
	}
}

// move moves an amount from a to b, and logs it in the same transaction.
func (s suite) move(amount int, log string) error {
	got, err := s.table.Get(s.Context(), key("a"), key("b"))
	if err != nil || len(got) != 2 {
		return fmt.Errorf("%v, %w", got, err)
	}
	got[0].Data, got[1].Data = plus(got[0], -amount), plus(got[1], amount)
	return insist(s.Context(), s.table, table.Replace(got[0]), table.Replace(got[1]), table.Create(item(log, "")))
}

// race: of many that create one item, one succeeds, and each of the others gets the winner's item.
func (s suite) race() {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var won []string
	told := map[string]int{}
	for i := range 32 {
		wg.Go(func() {
			o := table.Create(item("one", strconv.Itoa(i)))
			ops := []table.Op{o}
			if i%2 == 1 {
				ops = append(ops, table.Put(item("along"+strconv.Itoa(i), "")))
			}
			err := insist(s.Context(), s.table, ops...)
			mu.Lock()
			defer mu.Unlock()
			var c *table.Conflict
			switch {
			case err == nil:
				won = append(won, o.Item.Rev)
			case errors.As(err, &c):
				told[c.Current[0].Rev]++
			default:
				s.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 || told[won[0]] != 31 {
		s.Errorf("%d won, the others were told of %v", len(won), told)
	}
	p, err := s.table.Query(s.Context(), table.Query{PK: key("").PK, From: "along", Until: "along~"})
	if err != nil || len(p.Items) > 1 {
		s.Errorf("%d losers wrote, %v", len(p.Items), err)
	}
}

func (s suite) cancelled() {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	a := item("a", "")
	if err := s.table.Write(ctx, table.Put(a)); !errors.Is(err, context.Canceled) {
		s.Errorf("write: %v", err)
	}
	if err := s.table.Write(ctx, table.Put(a), table.Put(item("b", ""))); !errors.Is(err, context.Canceled) {
		s.Errorf("write of two: %v", err)
	}
	if _, err := s.table.Get(ctx, a.Key); !errors.Is(err, context.Canceled) {
		s.Errorf("get: %v", err)
	}
	if _, err := s.table.Get(ctx, a.Key, key("b")); !errors.Is(err, context.Canceled) {
		s.Errorf("get of two: %v", err)
	}
	if _, err := s.table.Query(ctx, table.Query{PK: a.PK}); !errors.Is(err, context.Canceled) {
		s.Errorf("query: %v", err)
	}
	if _, err := s.table.List(ctx, table.Query{PK: "due"}); !errors.Is(err, context.Canceled) {
		s.Errorf("list: %v", err)
	}
	s.stands(a)
}
