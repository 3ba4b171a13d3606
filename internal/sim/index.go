package sim

import (
	"slices"
	"strings"
)

// Index finds rows by a key, such as a SKU. Of rows that share a key, the first that came is found.
type Index[T comparable] struct{ rows map[string][]T }

// NewIndex returns an index of some rows.
func NewIndex[T comparable](rows []T, key func(T) string) *Index[T] {
	x := &Index[T]{make(map[string][]T, len(rows))}
	for _, r := range rows {
		x.Add(key(r), r)
	}
	return x
}

// Add adds a row under a key; "" adds nothing.
func (x *Index[T]) Add(key string, row T) {
	if key != "" {
		x.rows[key] = append(x.rows[key], row)
	}
}

// Move finds a row under another key from now on.
func (x *Index[T]) Move(from, to string, row T) {
	if from == to {
		return
	}
	if left := slices.DeleteFunc(x.rows[from], func(r T) bool { return r == row }); len(left) > 0 {
		x.rows[from] = left
	} else {
		delete(x.rows, from)
	}
	x.Add(to, row)
}

// Get returns the first row of a key, or the zero value.
func (x *Index[T]) Get(key string) (row T) {
	if found := x.rows[key]; len(found) > 0 {
		return found[0]
	}
	return row
}

// Fold returns a text as one that differs from it only in case.
func Fold(s string) string { return strings.ToLower(strings.ToUpper(s)) }
