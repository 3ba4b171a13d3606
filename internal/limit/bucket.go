package limit

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"time"
)

const (
	// maxExact is the most calls of a rate whose instants are kept one by one. A
	// greater rate is counted in slices of its window, and a slice frees its
	// calls when its last one may be free.
	maxExact        = 1000
	slicesPerWindow = 96

	// Bulk leaves a call in leftOf to the others. It spreads its calls where a call in spreadOf or more is in use, and
	// makes good what it is late by up to a window in lateOf.
	leftOf, spreadOf, lateOf = 25, 2, 60

	// believedAhead is how far in a worker's future a stamp is believed: further
	// than clocks differ. A later stamp is of a wrong clock, and to wait for it
	// would stop the account.
	believedAhead = int64(10 * time.Second / time.Microsecond)
)

// bucket is what one account has used and who waits for it. Instants are Unix
// microseconds on the clock of the worker that wrote them.
type bucket struct {
	stamps       []int64 // grants within the longest exact window, oldest first; at least the newest grant
	counts       []count // grants within the sliced window, oldest first
	windows      []fixed // the last window of each fixed rate, in its place among the rates; zero of the others
	blockedUntil int64   // no grants before
	wantedUntil  int64   // until then the second class leaves the budget to the first
	lastSecond   int64   // newest grant to the second class
	paced        int64   // when Bulk's next grant is due, were they spread evenly

	shares     []Share       // of each stamp
	askedUntil [shares]int64 // until then a share's part is kept for it
	trials     int64         // not 0: throttled so often in a row, so when the block ends one call tries the account
}

type count struct{ slice, n int64 }

// fixed is a window that began at from at the earliest, and with a call that was granted at to at the latest.
type fixed struct{ from, to, used int64 }

// over is the instant from which a call begins another window.
func (w fixed) over(r Rate) int64 { return w.to + r.Window.Microseconds() }

// unsure is the instant from which a call may arrive after the window's end.
func (w fixed) unsure(r Rate) int64 { return w.from + (r.Window - 2*r.margin).Microseconds() }

// window is the last window of a fixed rate, by its place in the budget; the zero value if it was not called yet.
func (k *bucket) window(index int) fixed {
	if index < len(k.windows) {
		return k.windows[index]
	}
	return fixed{}
}

// take grants one call that costs n at an instant, or returns the instant until which it refuses.
func (k *bucket) take(b Budget, c Class, s Share, n int, turn, now int64) (at, until int64) {
	at = now
	for len(k.shares) < len(k.stamps) {
		k.shares = append(k.shares, Rest)
	}
	if last := len(k.stamps); last > 0 {
		at = max(at, k.stamps[last-1])
	}
	until = k.blockedUntil
	for i, r := range b.Rates {
		room := n
		if c != First {
			room += r.Kept
		}
		until = max(until, k.freeFrom(r, i, room, at))
	}
	if c != First && k.wantedUntil > at && at < k.lastSecond+turn {
		until = max(until, min(k.wantedUntil, k.lastSecond+turn))
	}
	if c == Bulk && at < k.lastSecond+turn {
		until = max(until, min(k.bulkFreeFrom(b, n, at), k.lastSecond+turn))
	}
	if b.Shared && !(c != First && at >= k.lastSecond+turn) {
		for _, r := range b.Rates {
			until = max(until, k.shareFreeFrom(r, s, n, at))
		}
	}
	if until > at {
		return 0, until
	}
	k.add(b, at, s, n, 0)
	if c != First {
		k.lastSecond = at
	}
	if c == Bulk {
		gap, late := b.pace()
		k.paced = max(k.paced, at-late) + gap*int64(n)
	}
	return at, 0
}

// bulkFreeFrom is freeFrom for Bulk, which spreads its calls and leaves some to the others.
func (k *bucket) bulkFreeFrom(b Budget, n int, at int64) (free int64) {
	for i, r := range b.Rates {
		if !r.spread() {
			continue
		}
		if k.used(r, i, at) >= int64(r.Calls/spreadOf) {
			free = max(free, k.paced)
		}
		free = max(free, k.freeFrom(r, i, n+r.Calls/leftOf, at))
	}
	return free
}

// spread reports whether Bulk spreads its calls over the rate's window.
func (r Rate) spread() bool { return r.Calls <= maxExact && !r.Fixed }

// pace is how far apart Bulk's calls are where they come all the time, and how much of a delay it makes good.
func (b Budget) pace() (gap, late int64) {
	for _, r := range b.Rates {
		if !r.spread() {
			continue
		}
		window := r.Window.Microseconds()
		if apart := window / int64(r.Calls-r.Calls/leftOf); apart >= gap {
			gap, late = apart, window/lateOf
		}
	}
	return gap, late
}

// freeFrom is the instant from which the rate has room for a call that costs n. If that is not after at, it has room.
// index is its place in the budget.
func (k *bucket) freeFrom(r Rate, index, n int, at int64) int64 {
	window := r.Window.Microseconds()
	n = min(n, r.Calls) // or it would wait for ever
	if r.Fixed {
		w := k.window(index)
		if at >= w.over(r) || at < w.unsure(r) && w.used+int64(n) <= int64(r.Calls) {
			return 0
		}
		return w.over(r)
	}
	if r.Calls <= maxExact {
		if i := len(k.stamps) - r.Calls + n - 1; i >= 0 {
			return k.stamps[i] + window
		}
		return 0
	}
	left := int64(r.Calls-n+1) - k.used(r, index, at)
	free := int64(0)
	for _, c := range k.counts {
		if left > 0 {
			break
		}
		if end := (c.slice+1)*(window/slicesPerWindow) + window; end > at {
			left += c.n
			free = end
		}
	}
	return free
}

// shareFreeFrom is freeFrom for a share, which may not use what is kept for the others.
func (k *bucket) shareFreeFrom(r Rate, s Share, n int, at int64) int64 {
	window, free, kept := r.Window.Microseconds(), int64(0), 0
	if r.Calls > maxExact || r.Fixed {
		return 0
	}
	used, all := [shares]int{}, 0
	for i, stamp := range k.stamps {
		if stamp+window > at {
			used[k.shares[i]]++
			all++
		}
	}
	for o := range k.askedUntil {
		if more := Share(o).of(r.Calls) - used[o]; Share(o) != s && k.askedUntil[o] > at && more > 0 {
			kept += more
			if free == 0 || k.askedUntil[o] < free {
				free = k.askedUntil[o]
			}
		}
	}
	if kept == 0 || all+kept+n <= r.Calls {
		return 0
	}
	if i := len(k.stamps) - r.Calls + kept + n - 1; i < len(k.stamps) {
		free = min(free, k.stamps[i]+window) // calls of any share leave the window
	}
	return free
}

// used is what was spent in the rate's window at an instant. index is its place in the budget.
func (k *bucket) used(r Rate, index int, at int64) (n int64) {
	window := r.Window.Microseconds()
	if r.Fixed {
		if w := k.window(index); at < w.over(r) {
			return w.used
		}
		return 0
	}
	if r.Calls <= maxExact {
		for _, s := range k.stamps {
			if s+window > at {
				n++
			}
		}
		return n
	}
	for _, c := range k.counts {
		if (c.slice+1)*(window/slicesPerWindow)+window > at {
			n += c.n
		}
	}
	return n
}

// allowances are what is left of each rate that a person can follow, the shortest window first.
func (k *bucket) allowances(b Budget, at int64) (all []Allowance) {
	brief := !slices.ContainsFunc(b.Rates, func(r Rate) bool { return !r.brief })
	for i, r := range b.Rates {
		if r.brief && !brief {
			continue
		}
		left := max(0, r.Calls-int(k.used(r, i, at)))
		all = append(all, Allowance{left, r.Calls, r.Window})
	}
	slices.SortFunc(all, func(a, b Allowance) int { return cmp.Compare(a.Per, b.Per) })
	return all
}

// add notes a grant of a call that costs n and was made up to ago before it, and forgets those that are in no window
// any more.
func (k *bucket) add(b Budget, at int64, s Share, n int, ago int64) {
	longest, stamps := int64(0), 1 // of a rate that keeps none, the newest is needed
	for i, r := range b.Rates {
		window := r.Window.Microseconds()
		if r.Fixed {
			k.spend(r, i, at, n, ago)
			continue
		}
		if r.Calls <= maxExact {
			longest, stamps = max(longest, window), n
			continue
		}
		for len(k.counts) > 0 && (k.counts[0].slice+1)*(window/slicesPerWindow)+window <= at {
			k.counts = k.counts[1:]
		}
		slice := at / (window / slicesPerWindow)
		if n := len(k.counts); n == 0 || k.counts[n-1].slice < slice {
			k.counts = append(k.counts, count{slice: slice})
		}
		k.counts[len(k.counts)-1].n += int64(n)
	}
	for len(k.stamps) > 0 && k.stamps[0]+longest <= at {
		k.stamps, k.shares = k.stamps[1:], k.shares[1:]
	}
	for range stamps {
		k.stamps, k.shares = append(k.stamps, at), append(k.shares, s)
	}
}

// spend notes a grant in the window of a fixed rate. index is its place in the budget.
func (k *bucket) spend(r Rate, index int, at int64, n int, ago int64) {
	for len(k.windows) <= index {
		k.windows = append(k.windows, fixed{})
	}
	w := &k.windows[index]
	if at >= w.over(r) {
		*w = fixed{from: at - ago, to: at}
	}
	w.used += int64(n)
}

// clampFuture pulls instants of a wrong clock back to where right ones may be.
func (k *bucket) clampFuture(now int64) (changed bool) {
	pull := func(at *int64, most int64) {
		if *at > most {
			*at, changed = most, true
		}
	}
	for i := range k.stamps {
		pull(&k.stamps[i], now+believedAhead)
	}
	for i := range k.windows {
		pull(&k.windows[i].from, now+believedAhead)
		pull(&k.windows[i].to, now+believedAhead)
	}
	pull(&k.lastSecond, now+believedAhead)
	pull(&k.paced, now+believedAhead+longestBlock.Microseconds())
	pull(&k.blockedUntil, now+believedAhead+longestBlock.Microseconds())
	pull(&k.wantedUntil, now+believedAhead+longestBlock.Microseconds())
	for i := range k.askedUntil {
		pull(&k.askedUntil[i], now+believedAhead+longestBlock.Microseconds())
	}
	return changed
}

// errFormat is the error of a bucket that another version wrote, or of a broken one.
var errFormat = errors.New("bucket in an unknown format")

const (
	format   = 1
	paceMark = -1
)

// encode returns the format, then varints; stamps and slices as the difference
// from the one before; then, if there is any, what belongs to shares, and then to
// fixed windows, which earlier versions neither wrote nor read, and the pace as one window more, of which paceMark was
// used. 300 stamps of a minute take less than 1 KB, which DynamoDB counts as one write unit.
func (k *bucket) encode() []byte {
	v := append(make([]byte, 0, 48+3*len(k.stamps)+4*len(k.counts)), format)
	for _, n := range []int64{k.blockedUntil, k.wantedUntil, k.lastSecond, int64(len(k.stamps))} {
		v = binary.AppendVarint(v, n)
	}
	last := int64(0)
	for _, s := range k.stamps {
		v = binary.AppendVarint(v, s-last)
		last = s
	}
	v = binary.AppendVarint(v, int64(len(k.counts)))
	last = 0
	for _, c := range k.counts {
		v = binary.AppendVarint(binary.AppendVarint(v, c.slice-last), c.n)
		last = c.slice
	}
	some := k.trials != 0 || len(k.windows) > 0 || k.paced != 0
	for i := range k.askedUntil {
		some = some || k.askedUntil[i] != 0
	}
	for _, s := range k.shares {
		some = some || s != Rest
	}
	if !some {
		return v
	}
	v = binary.AppendVarint(v, k.trials)
	for i := range k.askedUntil {
		v = binary.AppendVarint(v, k.askedUntil[i])
	}
	for i, s := range k.shares { // four to a byte
		if i%4 == 0 {
			v = append(v, 0)
		}
		v[len(v)-1] |= byte(s) << (2 * (i % 4))
	}
	windows := k.windows
	if k.paced != 0 {
		windows = append(slices.Clone(windows), fixed{k.paced, k.paced, paceMark})
	}
	for _, w := range windows {
		for _, n := range []int64{w.from, w.to - w.from, w.used} {
			v = binary.AppendVarint(v, n)
		}
	}
	return v
}

func decode(v []byte) (bucket, error) {
	if len(v) == 0 || v[0] != format {
		return bucket{}, errFormat
	}
	v = v[1:]
	bad := false
	next := func() int64 {
		n, w := binary.Varint(v)
		if w <= 0 {
			bad = true
			return 0
		}
		v = v[w:]
		return n
	}
	length := func() int {
		n := next()
		if n < 0 || n > int64(len(v)) { // an element takes a byte at least
			bad = true
			return 0
		}
		return int(n)
	}
	k := bucket{blockedUntil: next(), wantedUntil: next(), lastSecond: next()}
	last := int64(0)
	k.stamps = make([]int64, length())
	for i := range k.stamps {
		last += next()
		k.stamps[i] = last
	}
	last = 0
	k.counts = make([]count, length())
	for i := range k.counts {
		last += next()
		k.counts[i] = count{slice: last, n: next()}
	}
	k.shares = make([]Share, len(k.stamps))
	if len(v) > 0 {
		k.trials = next()
		for i := range k.askedUntil {
			k.askedUntil[i] = next()
		}
		bad = bad || len(v) < (len(k.stamps)+3)/4
		for i := range k.shares {
			if !bad {
				k.shares[i] = Share(v[i/4] >> (2 * (i % 4)) & 3)
			}
		}
		v = v[min(len(v), (len(k.stamps)+3)/4):]
		for len(v) > 0 && !bad {
			from, length, used := next(), next(), next()
			if used == paceMark {
				k.paced = from
				continue
			}
			k.windows = append(k.windows, fixed{from, from + length, used})
		}
	}
	if bad {
		return bucket{}, errFormat
	}
	return k, nil
}
