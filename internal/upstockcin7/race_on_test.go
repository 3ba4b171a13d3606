//go:build race

package upstockcin7

// RaceDetector says that the tests run with the race detector, which makes them several times slower.
const RaceDetector = true
