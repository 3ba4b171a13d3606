package sim

import (
	mathrand "math/rand/v2"
	"slices"
	"time"
)

// ListOrder is the order of lists whose order is undocumented.
type ListOrder int

const (
	NewestFirst ListOrder = iota // as in Cin7 Core's example
	OldestFirst
	Shuffled // differently for every page
)

// PageSize caps the rows of a vendor's page by Options.TinyPages.
func (s *Sim) PageSize(n int) int {
	if s.opts.TinyPages > 0 {
		return min(n, s.opts.TinyPages)
	}
	return n
}

// AsOf returns the instant as of which a list answers that may lag
// (Options.UpdatedLag, fault stale).
func (s *Sim) AsOf(r *Request) time.Time { return r.Now.Add(-r.Stale - s.opts.UpdatedLag) }

// Arrange puts the rows of a list, which are newest first, into the order of
// Options.ListOrder. The lock is held.
func Arrange[T any](s *Sim, rows []T) {
	switch s.opts.ListOrder {
	case OldestFirst:
		slices.Reverse(rows)
	case Shuffled:
		mathrand.New(s.rng).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	}
}

// Drift returns a list after one of its rows came, went or moved since the page
// before, which has so many rows (Options.ListDrift, fault drift): a later page then
// misses a row, or repeats one, or both. The lock is held.
func Drift[T any](s *Sim, r *Request, page, size int, rows []T) []T {
	way := r.Drift
	if way == "" && s.opts.ListDrift {
		way = "any"
	}
	if way == "" || page < 2 || len(rows) == 0 {
		return rows
	}
	if way == "any" {
		way = []string{"gone", "come", "still"}[s.Pick(3)]
	}
	switch way {
	case "gone":
		return rows[1:]
	case "come":
		return slices.Insert(rows, 0, rows[0])
	case "moved": // the row that would be this page's first is the list's first now
		if at := (page - 1) * size; at < len(rows) {
			return slices.Insert(slices.Delete(slices.Clone(rows), at, at+1), 0, rows[at])
		}
	}
	return rows
}
