package limit

import (
	"encoding/binary"
	"errors"
	"time"
)

const (
	// exact is the most calls of a rate whose instants are kept one by one. A
	// greater rate is counted in slices of its window, and a slice frees its
	// calls when the last of them may.
	exact = 1000
	parts = 96

	// ahead is how far in a worker's future a stamp is believed: further than
	// clocks differ. Beyond it somebody's clock was wrong, and to wait for that
	// instant would stop the account.
	ahead = int64(10 * time.Second / time.Microsecond)
)

// bucket is what one account has used and who waits for it. Instants are Unix
// microseconds on the clock of whoever wrote them.
type bucket struct {
	stamps  []int64 // grants within the longest exact window, oldest first; at least the newest grant
	counts  []count // grants within the sliced window, oldest first
	blocked int64   // no grants before
	wanted  int64   // until then the second class leaves the budget to the first
	second  int64   // newest grant to the second class

	shares []Share       // of each stamp
	asked  [shares]int64 // until then a share's part is kept for it
	trials int64         // not 0: once the block is over, one call tries whether it is; throttled so often in a row
}

type count struct{ slice, n int64 }

// take grants one call at an instant, or says from when it would.
func (k *bucket) take(b Budget, c Class, s Share, turn, now int64) (at, until int64) {
	at = now
	for len(k.shares) < len(k.stamps) {
		k.shares = append(k.shares, Rest)
	}
	if n := len(k.stamps); n > 0 {
		at = max(at, k.stamps[n-1])
	}
	until = k.blocked
	for _, r := range b.Rates {
		until = max(until, k.free(r, at))
	}
	if c == Second && k.wanted > at && at < k.second+turn {
		until = max(until, min(k.wanted, k.second+turn))
	}
	if b.Shared && !(c == Second && at >= k.second+turn) {
		for _, r := range b.Rates {
			until = max(until, k.freeBeside(r, s, at))
		}
	}
	if until > at {
		return 0, until
	}
	k.add(b, at, s)
	if c == Second {
		k.second = at
	}
	return at, 0
}

// free is the instant from which the rate has room; not after at: it has room.
func (k *bucket) free(r Rate, at int64) int64 {
	window := r.Window.Microseconds()
	if r.Calls <= exact {
		if n := len(k.stamps) - r.Calls; n >= 0 {
			return k.stamps[n] + window
		}
		return 0
	}
	left := int64(r.Calls) - k.used(r, at)
	free := int64(0)
	for _, c := range k.counts {
		if left > 0 {
			break
		}
		if end := (c.slice+1)*(window/parts) + window; end > at {
			left += c.n
			free = end
		}
	}
	return free
}

// freeBeside is free for a share: what is kept for the others is not its own.
func (k *bucket) freeBeside(r Rate, s Share, at int64) int64 {
	window, free, kept := r.Window.Microseconds(), int64(0), 0
	if r.Calls > exact {
		return 0
	}
	used, all := [shares]int{}, 0
	for i, stamp := range k.stamps {
		if stamp+window > at {
			used[k.shares[i]]++
			all++
		}
	}
	for o := range k.asked {
		if more := Share(o).of(r.Calls) - used[o]; Share(o) != s && k.asked[o] > at && more > 0 {
			kept += more
			if free == 0 || k.asked[o] < free {
				free = k.asked[o]
			}
		}
	}
	if kept == 0 || all+kept < r.Calls {
		return 0
	}
	if n := len(k.stamps) - r.Calls + kept; n < len(k.stamps) {
		free = min(free, k.stamps[n]+window) // as calls of any share are over
	}
	return free
}

// used counts the calls that weigh on the rate at an instant.
func (k *bucket) used(r Rate, at int64) (n int64) {
	window := r.Window.Microseconds()
	if r.Calls <= exact {
		for _, s := range k.stamps {
			if s+window > at {
				n++
			}
		}
		return n
	}
	for _, c := range k.counts {
		if (c.slice+1)*(window/parts)+window > at {
			n += c.n
		}
	}
	return n
}

// add notes a grant, and forgets those that no rate asks for any more.
func (k *bucket) add(b Budget, at int64, s Share) {
	longest := int64(0)
	for _, r := range b.Rates {
		window := r.Window.Microseconds()
		if r.Calls <= exact {
			longest = max(longest, window)
			continue
		}
		for len(k.counts) > 0 && (k.counts[0].slice+1)*(window/parts)+window <= at {
			k.counts = k.counts[1:]
		}
		slice := at / (window / parts)
		if n := len(k.counts); n == 0 || k.counts[n-1].slice < slice {
			k.counts = append(k.counts, count{slice: slice})
		}
		k.counts[len(k.counts)-1].n++
	}
	for len(k.stamps) > 0 && k.stamps[0]+longest <= at {
		k.stamps, k.shares = k.stamps[1:], k.shares[1:]
	}
	k.stamps, k.shares = append(k.stamps, at), append(k.shares, s)
}

// believe pulls instants of a wrong clock back to where right ones may be.
func (k *bucket) believe(now int64) (changed bool) {
	pull := func(at *int64, most int64) {
		if *at > most {
			*at, changed = most, true
		}
	}
	for i := range k.stamps {
		pull(&k.stamps[i], now+ahead)
	}
	pull(&k.second, now+ahead)
	pull(&k.blocked, now+ahead+longestHold.Microseconds())
	pull(&k.wanted, now+ahead+longestHold.Microseconds())
	for i := range k.asked {
		pull(&k.asked[i], now+ahead+longestHold.Microseconds())
	}
	return changed
}

// errFormat is a bucket that another version wrote, or a broken one.
var errFormat = errors.New("bucket in an unknown format")

const format = 1

// encode: the format, then varints; stamps and slices as the difference from
// the one before; then, where there is any, what belongs to shares, which
// earlier versions neither wrote nor miss. 300 stamps of a minute take less than 1 KB, which DynamoDB
// counts as one write unit.
func (k *bucket) encode() []byte {
	v := append(make([]byte, 0, 48+3*len(k.stamps)+4*len(k.counts)), format)
	for _, n := range []int64{k.blocked, k.wanted, k.second, int64(len(k.stamps))} {
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
	some := k.trials != 0
	for i := range k.asked {
		some = some || k.asked[i] != 0
	}
	for _, s := range k.shares {
		some = some || s != Rest
	}
	if !some {
		return v
	}
	v = binary.AppendVarint(v, k.trials)
	for i := range k.asked {
		v = binary.AppendVarint(v, k.asked[i])
	}
	for i, s := range k.shares { // four to a byte
		if i%4 == 0 {
			v = append(v, 0)
		}
		v[len(v)-1] |= byte(s) << (2 * (i % 4))
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
	k := bucket{blocked: next(), wanted: next(), second: next()}
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
		for i := range k.asked {
			k.asked[i] = next()
		}
		bad = bad || len(v) < (len(k.stamps)+3)/4
		for i := range k.shares {
			if !bad {
				k.shares[i] = Share(v[i/4] >> (2 * (i % 4)) & 3)
			}
		}
	}
	if bad {
		return bucket{}, errFormat
	}
	return k, nil
}
