//go:build race

package upstockcin7_test

const raceDetector = true
