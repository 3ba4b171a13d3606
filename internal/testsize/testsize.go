// Package testsize says how large a test is to be. It is the one place where the sizes of tests are explained; it is
// imported by tests alone.
//
// There are four sizes. Each is chosen by flags, never by a list of tests' names:
//
//	go test ./...                        usual    what make test runs first: every test, in minutes on two cores
//	go test -short ./...                 sample   what make test runs again with the race detector: large tests are
//	                                              left out, of stories one in eight is kept, always the same ones
//	go test -short PACKAGE -args -every  stories  what make race runs: as sample, and every story
//	go test PACKAGE -args -whole         whole    what make proof runs: every schedule of the crash proof, and the
//	                                              largest numbers of orders, tenants and rounds
//
// A test says in its own first lines what it does at each size: [Large] leaves it out of a sample, [Sampled] leaves out
// all but one story in eight, and [Of] is a number for each size. A test that says nothing is run at every size, so it
// should take less than a second with the race detector.
//
// -every and -whole are flags of the packages whose tests import this one; others refuse them. Two programs have sizes
// of their own, which are no sizes of a test: the seeds of make simulate and make power (-seeds, see package simulate),
// and FUZZTIME of make fuzz.
package testsize

import (
	"flag"
	"hash/fnv"
	"testing"
)

var (
	every = flag.Bool("every", false, "with -short: every story, not a sample")
	whole = flag.Bool("whole", false, "run the largest tests whole")
)

// Of is a number of things to do at each size. Where a sample leaves the test out, short is 0.
func Of(whole, usual, short int) int {
	switch {
	case testing.Short():
		return short
	case Whole():
		return whole
	}
	return usual
}

// Whole reports whether everything is to be run.
func Whole() bool { return *whole && !testing.Short() }

// Large leaves a test out of a sample, and out of make race too.
func Large(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("large: left out with -short")
	}
}

// Sampled leaves a story out of a sample, unless it is one of the eighth that stays. Stories are alike: in each, one
// process works after the other, so that the race detector learns little from another one.
func Sampled(t testing.TB) {
	t.Helper()
	sum := fnv.New32a()
	sum.Write([]byte(t.Name()))
	if testing.Short() && !*every && sum.Sum32()%8 > 0 {
		t.Skip("not in the sample of -short")
	}
}

// SameDraws has package rapid draw the same values each time, unless everything is to be run or a seed was asked for. It
// is called from TestMain.
func SameDraws() {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); !Whole() && seed != nil && seed.Value.String() == "0" {
		flag.Set("rapid.seed", "1")
	}
}
