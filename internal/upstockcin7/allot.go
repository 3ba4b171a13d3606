package upstockcin7

import (
	"cmp"
	"slices"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/upstockcin7/order"
)

// allotment shares out what a sweep may start of one Cin7 Core account's calls
// in a minute. It is pure; what is due comes to it page by page, each kind of
// work oldest first.
//
// Of the calls, [limit.Share] says which part is kept for what: new orders come
// first in the rest. While it is not known yet who else shares the account, a
// tenant is given half of each part at most. Telling costs the account nothing,
// and is counted for itself, tenant by tenant.
type allotment struct {
	calls int                            // given
	part  map[ledger.Work]int            // of these, of a kind of work
	by    map[string]map[ledger.Work]int // of these, to a tenant
	tells map[string]int                 // by tenant

	left map[ledger.Work]map[string][]ledger.Ref // what found no room yet, by tenant
}

// granted is an order that has room, after so many calls, or tellings, of the same sweep.
type granted struct {
	ledger.Ref
	before int
}

func newAllotment() *allotment {
	return &allotment{part: map[ledger.Work]int{}, by: map[string]map[ledger.Work]int{}, tells: map[string]int{},
		left: map[ledger.Work]map[string][]ledger.Ref{}}
}

// partOf is what of a sweep's calls is kept for a kind of work.
func partOf(w ledger.Work) int {
	reads, retries := perSweep/5, perSweep/10
	switch w {
	case order.WorkRead:
		return reads
	case order.WorkRetry:
		return retries
	}
	return perSweep - reads - retries
}

// take gives an order room if it is sure to have some; else it is remembered.
func (a *allotment) take(ref ledger.Ref, now time.Time) (granted, bool) {
	if ref.Work == order.WorkTell {
		return a.tell(ref)
	}
	calls, part := callsOf(ref.Work), partOf(ref.Work)
	if now.Sub(ref.Due) <= overdue && ref.Work == order.WorkRead {
		part = 0 // nothing is kept for it yet
	}
	mine := a.by[ref.Tenant]
	if a.part[ref.Work]+calls > part || mine[ref.Work]+calls > max(calls, part/2) || a.waits(ref) {
		if list := a.left[ref.Work][ref.Tenant]; len(list)*calls < perSweep {
			if a.left[ref.Work] == nil {
				a.left[ref.Work] = map[string][]ledger.Ref{}
			}
			a.left[ref.Work][ref.Tenant] = append(list, ref)
		}
		return granted{}, false
	}
	return a.give(ref), true
}

// waits reports whether an older order of the tenant waits for room already.
func (a *allotment) waits(ref ledger.Ref) bool { return len(a.left[ref.Work][ref.Tenant]) > 0 }

func (a *allotment) tell(ref ledger.Ref) (granted, bool) {
	n := a.tells[ref.Tenant]
	if n >= tellsPerSweep {
		return granted{}, false
	}
	a.tells[ref.Tenant]++
	return granted{ref, n}, true
}

func (a *allotment) give(ref ledger.Ref) granted {
	g, calls := granted{ref, a.calls}, callsOf(ref.Work)
	a.calls += calls
	a.part[ref.Work] += calls
	if a.by[ref.Tenant] == nil {
		a.by[ref.Tenant] = map[ledger.Work]int{}
	}
	a.by[ref.Tenant][ref.Work] += calls
	return g
}

// rest shares out what is left once all was read: each part to its kind of work
// first, then to new orders, then to whatever is oldest.
func (a *allotment) rest(now time.Time) (list []granted) {
	sells, reads, retries := a.inTurn(order.WorkSell), a.inTurn(order.WorkRead), a.inTurn(order.WorkRetry)
	give := func(refs []ledger.Ref, most func(ledger.Ref) bool) []ledger.Ref {
		for len(refs) > 0 && most(refs[0]) {
			list, refs = append(list, a.give(refs[0])), refs[1:]
		}
		return refs
	}
	part := func(ref ledger.Ref) bool {
		return (ref.Work != order.WorkRead || now.Sub(ref.Due) > overdue) &&
			a.part[ref.Work]+callsOf(ref.Work) <= partOf(ref.Work) && a.fits(ref)
	}
	retries = give(retries, part)
	reads = give(reads, part)
	give(sells, a.fits)
	others := slices.Concat(reads, retries)
	slices.SortStableFunc(others, func(x, y ledger.Ref) int { return x.Due.Compare(y.Due) })
	give(others, a.fits)
	return list
}

func (a *allotment) fits(ref ledger.Ref) bool {
	return a.calls == 0 || a.calls+callsOf(ref.Work) <= perSweep
}

// last gives an order that was parked room, if all else left some.
func (a *allotment) last(ref ledger.Ref) (granted, bool) {
	if ref.Work == order.WorkTell {
		return a.tell(ref)
	}
	if !a.fits(ref) {
		return granted{}, false
	}
	return a.give(ref), true
}

// inTurn lists what found no room, one order of each tenant after the other, the
// tenant who has waited longest first: tenants who share an account share its budget.
func (a *allotment) inTurn(w ledger.Work) (list []ledger.Ref) {
	var tenants [][]ledger.Ref
	for _, refs := range a.left[w] {
		tenants = append(tenants, refs)
	}
	slices.SortFunc(tenants, func(x, y []ledger.Ref) int {
		return cmp.Or(x[0].Due.Compare(y[0].Due), cmp.Compare(x[0].Tenant, y[0].Tenant))
	})
	for i := 0; ; i++ {
		some := false
		for _, refs := range tenants {
			if i < len(refs) {
				list, some = append(list, refs[i]), true
			}
		}
		if !some {
			return list
		}
	}
}
