package simulate

import (
	"math/rand/v2"
	"time"

	"stockbridge/internal/sim"
)

// profile is what sort of world a seed makes.
type profile struct {
	name         string
	shape        shape
	sim          sim.Options
	noAutomation bool // of Cin7 Core
	catalogue    bool // its jobs are done too: they are most of the calls of a day
	hours        int  // six, in some worlds up to nine: each hour costs
	orders       int
	flows        flows
	receives     int // how often a message comes before it is dead; 0 = as on AWS, likewise how long it stays away
	visibility   time.Duration
	often        [classes]int // faults of 4096 effects
	spells       int
	skew         float64 // clocks differ by up to so many seconds either way
	indexLag     time.Duration
}

// draw is the profile of a seed, from a source of its own.
func draw(seed uint64) profile {
	r := rand.New(rand.NewPCG(seed, 0xca57))
	p := profile{shape: []shape{{1, 1}, {1, 1}, {1, 1}, {2, 1}, {2, 1}, {3, 2}}[r.IntN(6)],
		hours: 6 + r.IntN(2)*r.IntN(4)*r.IntN(2), orders: 5 + r.IntN(4)*r.IntN(2)}
	p.sim = sim.Options{ListOrder: sim.ListOrder(r.IntN(3)), ListDrift: r.IntN(2) == 0,
		TinyPages: []int{0, 2, 2, 3, 5}[r.IntN(5)]}
	p.noAutomation = r.IntN(3) == 0
	p.indexLag = []time.Duration{0, 0, time.Second, 20 * time.Second, 90 * time.Second}[r.IntN(5)]
	rate := 0
	switch n := r.IntN(100); {
	case n < 6:
		p.name = "smooth"
	case n < 40:
		p.name, rate, p.spells, p.skew = "usual", 30, r.IntN(2), 0.5
	case n < 80:
		p.name, rate, p.spells, p.skew = "rough", 90, r.IntN(4), 1
	case n < 99:
		p.name, rate, p.spells, p.skew = "storm", 260, 2+r.IntN(6), 1
	default:
		p.name, rate, p.spells, p.skew = "large", 40, r.IntN(3), 1
		p.orders, p.hours, p.shape = 40+r.IntN(40), 10, shape{4, 2}
		p.sim.TinyPages, p.sim.ListDrift = 0, false
	}
	for c := range p.often {
		p.often[c] = rate * r.IntN(200) / 100
	}
	p.often[vendorWrite] *= 6 // there are fewest of them, and most hangs on them
	p.often[vendorRead] *= 2
	p.often[hookIn] *= 4
	p.often[queueSend] *= 2
	f := func(often int) int { // of 256, in half of the seeds
		if r.IntN(2) == 0 {
			return 0
		}
		return often
	}
	p.flows = flows{cancel: f(50), revive: f(128), early: f(60), edit: f(40), retry: f(60), refuse: f(24), keys: f(90),
		account: f(128), company: f(128), gap: f(128), restore: f(90), setting: f(120)}
	if r.IntN(4) == 0 {
		p.receives, p.visibility = 1+r.IntN(2), time.Duration(20+r.IntN(100))*time.Second
	}
	p.flows.pause = f(70)
	p.flows.handle = f(90)
	p.catalogue = seed%20 == 7
	if r.IntN(3) == 0 && rate > 0 {
		p.flows.doubt = 160
	}
	return p
}
