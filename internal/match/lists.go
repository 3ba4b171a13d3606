package match

import (
	"cmp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Pair says that a record of ours and one of theirs are the same party, or are not, by their ids.
type Pair struct {
	Ours   string `json:"ours"`
	Theirs string `json:"theirs"`
}

// Refusal is a person's no to a pair. It holds until the fingerprint of either record differs from the one given here;
// without fingerprints it holds for good.
type Refusal struct {
	Pair
	OursWas   string `json:"oursWas,omitempty"` // [Record.Fingerprint] when it was refused
	TheirsWas string `json:"theirsWas,omitempty"`
}

// Known is what people have decided already.
type Known struct {
	Linked  []Pair // their records are not offered again; what they hold still counts as held by several
	Refused []Refusal
}

// Proposal is a pair that is offered, or a record of ours with several of theirs to choose from.
type Proposal struct {
	Ours   string  `json:"ours"`
	Theirs string  `json:"theirs,omitempty"` // "" = none of the candidates is clearly the likeliest
	Score  float64 `json:"score"`            // of Theirs, or of the likeliest candidate

	// Sure reports whether the pair could be accepted without asking anybody. A sure pair's score is at least
	// [SureScore], that of any other is below.
	Sure    bool     `json:"sure"`
	Reasons []Reason `json:"reasons,omitempty"` // of Theirs: what is for it, then what is against it

	// Candidates are the others that it may be, at most five, the likeliest first; all of them if Theirs is "". One of
	// theirs may be a candidate of several, but is Theirs of one proposal alone.
	Candidates []Candidate `json:"candidates,omitempty"`
}

// Candidate is a record of theirs that one of ours may be.
type Candidate struct {
	Theirs  string   `json:"theirs"`
	Score   float64  `json:"score"`
	Reasons []Reason `json:"reasons,omitempty"`
}

// SureScore is the least score of a sure pair.
const SureScore = 0.95

// Result is what matching two lists gives.
type Result struct {
	Proposals []Proposal // by descending score, then by id
	LeftOut   []Crowd    // by kind and text
}

// Crowd is a text that so many records hold that none of them were compared for its sake. Those that have something
// else in common were compared all the same.
type Crowd struct {
	Fact    Fact   `json:"fact"` // what is equal in them
	Text    string `json:"text"` // folded; of a name its words, in the order of the alphabet
	Records int    `json:"records"`
}

// Match matches two whole lists. It gives the same for the same records in any order.
func Match(ours, theirs []Record, known Known) Result {
	l := Prepare(ours, theirs, known)
	return l.Settle(l.Look(0, l.Len()))
}

// Lists are two lists made ready to be matched. Whoever has to stop in between keeps what Look returned, prepares the
// same lists again later, and goes on from there:
//
//	lists := match.Prepare(ours, theirs, known)
//	for len(kept) < lists.Len() && time.Now().Before(deadline) {
//		kept = append(kept, lists.Look(len(kept), len(kept)+500)...)
//	}
//	result := lists.Settle(kept) // when all were looked at
//
// Methods may be called by several goroutines.
type Lists struct {
	all     [2][]prepared // ours and theirs, by id
	at      [2]map[string]int32
	open    []int32 // ours that are not linked
	refused map[Pair][]Refusal
	index   index

	words, names, codes, emails, domains, phones, cities, postcodes, streets, streetWords, countries terms

	size     float64 // the logarithm of how many records there are
	most     float64 // what a name weighs at most
	codeBits float64
}

// Found is what a record of ours was found to be like.
type Found struct {
	Ours string `json:"ours"`
	Near []Near `json:"near,omitempty"` // the likeliest first
}

// Near is a record of theirs that is like one of ours.
type Near struct {
	Theirs string  `json:"theirs"`
	Bits   float64 `json:"bits"` // weight of evidence that they are the same, see the package's comment
}

// Len is the number of our records that are to be looked at: those that are not linked.
func (l *Lists) Len() int { return len(l.open) }

// mostNear is how many of the records that one is like are kept, and leastBits what they weigh at least.
const (
	mostNear  = 8
	leastBits = -5
)

// Look looks for what our records from one place to before another are like, in the order of their ids. It ends at
// Len. It uses all processors.
func (l *Lists) Look(from, to int) []Found {
	from, to = max(from, 0), min(to, len(l.open))
	if from >= to {
		return nil
	}
	list := make([]Found, to-from)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			var s search
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				list[i] = l.look(l.open[from+i], &s)
			}
		})
	}
	wg.Wait()
	return list
}

func (l *Lists) look(ours int32, s *search) Found {
	a := &l.all[0][ours]
	f := Found{Ours: a.ID}
	for _, at := range l.near(a, s) {
		b := &l.all[1][at]
		if !l.mayPair(ours, at) {
			continue
		}
		e := l.weigh(a, b)
		if e.bits >= leastBits || e.email == agrees || e.phone == agrees || e.code == agrees {
			f.Near = append(f.Near, Near{b.ID, e.bits})
		}
	}
	slices.SortFunc(f.Near, func(a, b Near) int {
		return cmp.Or(cmp.Compare(b.Bits, a.Bits), strings.Compare(a.Theirs, b.Theirs))
	})
	f.Near = slices.Clip(f.Near[:min(len(f.Near), mostNear)])
	return f
}

// back is why a pair is offered again that was refused; "" = it is not.
func back(all []Refusal, a, b *prepared) Fact {
	fact := BackOurs
	for _, no := range all {
		switch {
		case no.OursWas != "" && no.OursWas != a.Fingerprint():
		case no.TheirsWas != "" && no.TheirsWas != b.Fingerprint():
			fact = BackTheirs
		default:
			return ""
		}
	}
	return fact
}
