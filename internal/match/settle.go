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
			if ok && there && l.mayPair(a, b) && !seen[[2]int32{a, b}] {
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

// mayPair reports whether a pair may be offered: neither is linked, and nobody refused it as they are.
func (l *Lists) mayPair(ours, theirs int32) bool {
	a, b := &l.all[0][ours], &l.all[1][theirs]
	no := l.refused[Pair{a.ID, b.ID}]
	return !a.out && !b.out && (len(no) == 0 || back(no, a, b) != "")
}

func odds(bits float64) float64 { return math.Exp2(min(bits, 40)) }

// propose makes the proposal of one of our records. ok is false if nothing is worth a look.
func (l *Lists) propose(mine []offer, taken [2]map[int32]int32) (p Proposal, ok bool) {
	slices.SortFunc(mine, func(a, b offer) int {
		return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.bits, a.bits), cmp.Compare(a.theirs, b.theirs))
	})
	p.Ours = l.all[0][mine[0].ours].ID
	best := clearest(mine, taken)
	for i, o := range mine {
		c, sure, shown := l.candidate(o)
		switch {
		case i == best:
			if p.Theirs, p.Score, p.Sure, p.Reasons = c.Theirs, c.Score, sure, c.Reasons; !sure {
				p.Score = notSure(c.Score)
			}
		case shown && len(p.Candidates) < mostCandidates:
			c.Score = notSure(c.Score)
			p.Candidates = append(p.Candidates, c)
		}
	}
	if p.Theirs != "" {
		return p, true
	}
	if len(p.Candidates) == 0 {
		return p, false
	}
	p.Score = p.Candidates[0].Score
	return p, true
}

// clearest is the place of the pair that is proposed, -1 if none is clearly the likeliest.
func clearest(mine []offer, taken [2]map[int32]int32) int {
	theirs, ok := taken[0][mine[0].ours]
	if !ok {
		return -1
	}
	best := slices.IndexFunc(mine, func(o offer) bool { return o.theirs == theirs })
	if mine[best].score < leastScore {
		return -1
	}
	for i, o := range mine {
		if i != best && o.score*clearly > mine[best].score {
			return -1
		}
	}
	return best
}

// candidate explains an offer. sure reports whether it may be accepted, if it is the one that is proposed, and shown
// whether it is worth a look if it is not.
func (l *Lists) candidate(o offer) (c Candidate, sure, shown bool) {
	a, b := &l.all[0][o.ours], &l.all[1][o.theirs]
	e := l.weigh(a, b)
	c = Candidate{Theirs: b.ID, Score: math.Round(o.score*100) / 100, Reasons: l.reasons(a, b, &e)}
	sure = o.score >= surely && e.convinces()
	if alone := odds(o.bits) / (1 + odds(o.bits)); o.score < surely && alone >= surely {
		c.Reasons = append(c.Reasons, Reason{Fact: OthersLike})
	}
	if no := l.refused[Pair{a.ID, b.ID}]; len(no) > 0 {
		sure = false
		c.Reasons = append(c.Reasons, Reason{Fact: back(no, a, b), Ours: a.called(), Theirs: b.called()})
	}
	return c, sure, c.Score >= leastScore || strong(&e)
}

// notSure is the score of a pair that is not sure.
func notSure(score float64) float64 { return min(score, SureScore-0.01) }

// strong reports whether a person would want to see a pair however unlikely it is.
func strong(e *evidence) bool { return e.code == agrees || e.email == agrees || e.phone == agrees }
