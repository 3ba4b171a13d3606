package match

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// offer is a pair that may be made.
type offer struct {
	ours, theirs int32
	bits, score  float64
}

// mostCandidates is how many candidates are given with a proposal, and clearly how many times as likely as any other
// one is that is proposed.
const (
	mostCandidates = 5
	clearly        = 3
	surely         = 0.99
	leastScore     = 0.02
)

// Settle pairs the records one to one.
func (l *Lists) Settle(found []Found) Result {
	offers := l.offers(found)
	order := make([]int, len(offers))
	by := map[int32][]int{} // of ours
	for i := range offers {
		order[i] = i
		by[offers[i].ours] = append(by[offers[i].ours], i)
	}
	slices.SortFunc(order, func(x, y int) int {
		a, b := &offers[x], &offers[y]
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.bits, a.bits), cmp.Compare(a.ours, b.ours),
			cmp.Compare(a.theirs, b.theirs))
	})
	taken := [2]map[int32]int32{{}, {}}
	for _, i := range order {
		o := &offers[i]
		_, ours := taken[0][o.ours]
		_, theirs := taken[1][o.theirs]
		if !ours && !theirs {
			taken[0][o.ours], taken[1][o.theirs] = o.theirs, o.ours
		}
	}
	result := Result{LeftOut: l.index.left}
	for _, ours := range l.open {
		if len(by[ours]) == 0 {
			continue
		}
		mine := make([]offer, 0, len(by[ours]))
		for _, i := range by[ours] {
			mine = append(mine, offers[i])
		}
		if p, ok := l.propose(mine, taken); ok {
			result.Proposals = append(result.Proposals, p)
		}
	}
	slices.SortStableFunc(result.Proposals, func(a, b Proposal) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Ours, b.Ours))
	})
	return result
}

// offers are the pairs that were found, each once, and how likely each is: its odds against those of all others that
// want one of the two records, and against neither's being there.
func (l *Lists) offers(found []Found) []offer {
	seen := map[[2]int32]bool{}
	var list []offer
	for _, f := range found {
		a, ok := l.at[0][f.Ours]
		for _, n := range f.Near {
			b, there := l.at[1][n.Theirs]
			if ok && there && !l.all[0][a].out && !l.all[1][b].out && !seen[[2]int32{a, b}] {
				seen[[2]int32{a, b}] = true
				list = append(list, offer{ours: a, theirs: b, bits: n.Bits})
			}
		}
	}
	var sums [2]map[int32]float64
	sums[0], sums[1] = map[int32]float64{}, map[int32]float64{}
	for _, o := range list {
		sums[0][o.ours] += odds(o.bits)
		sums[1][o.theirs] += odds(o.bits)
	}
	for i := range list {
		o := &list[i]
		own := odds(o.bits)
		o.score = own / (1 + sums[0][o.ours] + sums[1][o.theirs] - own)
	}
	return list
}

func odds(bits float64) float64 { return math.Exp2(min(bits, 40)) }

// propose makes the proposal of one of our records.
func (l *Lists) propose(mine []offer, taken [2]map[int32]int32) (p Proposal, ok bool) {
	slices.SortFunc(mine, func(a, b offer) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.bits, a.bits), cmp.Compare(a.theirs, b.theirs))
	})
	a := &l.all[0][mine[0].ours]
	p = Proposal{Ours: a.ID}
	best := -1
	if theirs, is := taken[0][mine[0].ours]; is {
		best = slices.IndexFunc(mine, func(o offer) bool { return o.theirs == theirs })
	}
	for i, o := range mine {
		if best >= 0 && i != best && o.score*clearly > mine[best].score {
			best = -1
		}
	}
	for i, o := range mine {
		b := &l.all[1][o.theirs]
		e := l.weigh(a, b)
		reasons := l.reasons(a, b, &e)
		score, sure := o.score, i == best && o.score >= surely && e.convinces()
		if no := l.refused[Pair{a.ID, b.ID}]; len(no) > 0 {
			sure = false
			reasons = append(reasons, Reason{Fact: back(no, a, b)})
		}
		if !sure {
			score = min(score, SureScore-0.01)
		}
		score = math.Round(score*100) / 100
		switch {
		case i == best:
			p.Theirs, p.Score, p.Sure, p.Reasons = b.ID, score, sure, reasons
		case len(p.Candidates) < mostCandidates && (score >= leastScore || strong(&e)):
			p.Candidates = append(p.Candidates, Candidate{b.ID, score, reasons})
		}
	}
	if p.Theirs == "" {
		if len(p.Candidates) == 0 {
			return p, false
		}
		p.Score = p.Candidates[0].Score
	} else if p.Score < leastScore {
		p.Candidates = slices.Insert(p.Candidates, 0, Candidate{p.Theirs, p.Score, p.Reasons})
		p.Theirs, p.Reasons = "", nil
	}
	return p, true
}

// strong reports whether a person would want to see a pair however unlikely it is.
func strong(e *evidence) bool { return e.code == agrees || e.email == agrees || e.phone == agrees }
