package rest

import "iter"

// Paged is one page of a list: what is on it, and whether another may follow.
type Paged[T any] interface {
	Rows() (items []T, more bool)
}

// Pages iterates over a list, page by page, from the given page on. The first is 1, and 0 stands for it.
func Pages[T any, P Paged[T]](from int, read func(page int) (P, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for page := max(1, from); ; page++ {
			p, err := read(page)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			items, more := p.Rows()
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if !more {
				return
			}
		}
	}
}
