// Package testsize tells a test how large it is to be. It is the one place where the sizes of tests are explained. Only
// tests import it.
//
// There are five sizes. Each is chosen by flags, never by a list of tests' names:
//
//	go test -short ./...                     short    what make test runs first: every story, small numbers
//	go test -short -race PACKAGE             sample   what make test runs then, where several work at once: one story
//	                                                  in eight, always the same ones, with the race detector
//	go test -short -race PACKAGE -args -every
//	                                         stories  what make race runs: a sample with every story
//	go test ./...                            full     what make full runs: every test
//	go test PACKAGE -args -whole             whole    what make proof, make pages and make catalogue run: every
//	                                                  schedule of the crash proof, the largest numbers of orders,
//	                                                  tenants and rounds, every page with axe-core
//
// A test states in its first lines what it does at each size: [Large] leaves it out of make test, [Unraced] leaves it
// out where the race detector looks, [Sampled] leaves out all but one story in eight there, [Few] wherever the size is
// short, [OneSize] leaves out of the whole what is no larger there, and [Of] is a number for each size. A test that
// states nothing is run at every size, so it should take less than a second with the race detector.
//
// The whole may be cut: -part 2/3 plays the second of three parts of each list of schedules ([Part]). .ci/run plays
// another part each day.
//
// A test that measures the memory of its process runs in one of its own ([Alone]).
//
// -every, -whole and -part are flags of the packages whose tests import this one; others refuse them. The seeds of make
// simulate and make power (-seeds, see package simulate) and FUZZTIME of make fuzz are not sizes of this kind.
package testsize

import (
	"flag"
	"fmt"
	"hash/fnv"
	"testing"
)

var (
	every = flag.Bool("every", false, "with -short -race: every story, not a sample")
	whole = flag.Bool("whole", false, "run the largest tests whole")
	part  = flag.String("part", "1/1", "with -whole: which part of how many, of each list of schedules")
)

// Of returns the number for the size of this run. If make test leaves the test out, short is 0.
func Of(whole, full, short int) int {
	switch {
	case testing.Short():
		return short
	case Whole():
		return whole
	}
	return full
}

// Whole reports whether this run is of the size whole.
func Whole() bool { return *whole && !testing.Short() }

// Sample reports whether this run is of the size sample.
func Sample() bool { return raced && testing.Short() && !*every }

// Large leaves a test out of make test, and out of make race too. It is for those that take more than a second without
// the race detector.
func Large(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("large: left out with -short")
	}
}

// Unraced leaves a test out where the race detector looks: it would learn nothing, or take long over it.
func Unraced(t testing.TB) {
	t.Helper()
	if raced {
		t.Skip("left out with -race")
	}
}

// Sampled leaves seven of eight stories out of a sample. Stories are alike: in each, processes work one after the
// other, so the race detector learns little from another one.
func Sampled(t testing.TB) {
	t.Helper()
	if raced {
		Few(t)
	}
}

// Few leaves out seven of eight tests with -short, where each does to another thing what the others do.
func Few(t testing.TB) {
	t.Helper()
	sum := fnv.New32a()
	sum.Write([]byte(t.Name()))
	if testing.Short() && !*every && sum.Sum32()%8 > 0 {
		t.Skip("not in the sample of -short")
	}
}

// OneSize leaves a test out of the size whole, where it would be no larger than full.
func OneSize(t testing.TB) {
	t.Helper()
	if Whole() {
		t.Skip("no larger with -whole")
	}
}

// Part returns the values of the part of the whole that is to be run: every one, unless -part says otherwise.
func Part[T any](t testing.TB, all []T) (some []T) {
	t.Helper()
	if !Whole() {
		return all
	}
	some, err := partOf(*part, all)
	if err != nil {
		t.Fatal(err)
	}
	return some
}

// partOf returns the values of a part. Which part a value is in hangs on where it stands alone; lists of schedules have
// rhythms, and so neighbours are not dealt out in turn.
func partOf[T any](part string, all []T) (some []T, err error) {
	var n, of int
	if _, err := fmt.Sscanf(part, "%d/%d", &n, &of); err != nil || n < 1 || n > of {
		return nil, fmt.Errorf("-part %s is no part: 2/3 is one", part)
	}
	for i, v := range all {
		if int(uint32(i)*2654435761>>8)%of == n-1 { // Knuth's multiplicative hash
			some = append(some, v)
		}
	}
	return some, nil
}

// SameDraws lets package rapid draw the same values each time, unless the size is whole or a seed was asked for. Call
// it from TestMain.
func SameDraws() {
	flag.Parse()
	if seed := flag.Lookup("rapid.seed"); !Whole() && seed != nil && seed.Value.String() == "0" {
		flag.Set("rapid.seed", "1")
	}
}
