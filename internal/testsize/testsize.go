// Package testsize tells a test how large it is to be. It is the one place where the sizes of tests are explained. Only
// tests import it.
//
// There are four sizes. Each is chosen by flags, never by a list of tests' names:
//
//	go test ./...                        usual    what make test runs first: every test, in minutes on two cores
//	go test -short ./...                 sample   what make test runs again with the race detector: without large
//	                                              tests, and with one story in eight, always the same ones
//	go test -short PACKAGE -args -every  stories  what make race runs: a sample with every story
//	go test PACKAGE -args -whole         whole    what make proof, make pages and make catalogue run: every schedule
//	                                              of the crash proof, the largest numbers of orders, tenants and
//	                                              rounds, and axe-core on each page
//
// A test states in its first lines what it does at each size: [Large] leaves it out of a sample, [Sampled] leaves out
// all but one story in eight, [OneSize] leaves out of the whole what is no larger there, and [Of] is a number for each
// size. A test that states nothing is run at every size, so it should take less than a second with the race detector.
//
// A test that measures the memory of its process runs in one of its own ([Alone]).
//
// -every and -whole are flags of the packages whose tests import this one; others refuse them. The seeds of make
// simulate and make power (-seeds, see package simulate) and FUZZTIME of make fuzz are not sizes of this kind.
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

// Of returns the number for the size of this run. If a sample leaves the test out, short is 0.
func Of(whole, usual, short int) int {
	switch {
	case testing.Short():
		return short
	case Whole():
		return whole
	}
	return usual
}

// Whole reports whether this run is of the size whole.
func Whole() bool { return *whole && !testing.Short() }

// Large leaves a test out of a sample, and out of make race too.
func Large(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("large: left out with -short")
	}
}

// Sampled leaves seven of eight stories out of a sample. Stories are alike: in each, processes work one after the
// other, so the race detector learns little from another one.
func Sampled(t testing.TB) {
	t.Helper()
	sum := fnv.New32a()
	sum.Write([]byte(t.Name()))
	if testing.Short() && !*every && sum.Sum32()%8 > 0 {
		t.Skip("not in the sample of -short")
	}
}

// OneSize leaves a test out of the size whole, where it would be no larger than usual.
func OneSize(t testing.TB) {
	t.Helper()
	if Whole() {
		t.Skip("no larger with -whole")
	}
}

// SameDraws lets package rapid draw the same values each time, unless the size is whole or a seed was asked for. Call
// it from TestMain.
func SameDraws() {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); !Whole() && seed != nil && seed.Value.String() == "0" {
		flag.Set("rapid.seed", "1")
	}
}
