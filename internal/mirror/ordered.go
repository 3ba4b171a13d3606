package mirror

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"stockbridge/internal/parallel"
	"stockbridge/internal/table"
)

// Ordered reads all rows of a kind in the order of their ids, those after one ("" = from the first on), without their
// names. It ends with the first error, if there is one. A row that is written meanwhile may be read as it was.
//
// A kind's rows lie in 16 partitions, each in order: they are read side by side, a little of each at a time. They come
// to the ends of what was read about together, so a long reading waits for all of them at once.
func (s *Store) Ordered(ctx context.Context, tenantID, kind, after string) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		streams, err := s.streams(ctx, tenantID, kind, after)
		for err == nil && len(streams) > 0 {
			first := slices.MinFunc(streams, (*stream).compare)
			it := first.items[0]
			row := Row{Key: Key{kind, it.SK}}
			var e *entry
			if e, err = entryOf(it); err != nil {
				break
			}
			if row.Data = e.Row; !yield(row, nil) {
				return
			}
			if first.items = first.items[1:]; len(first.items) > 0 {
				continue
			}
			low := slices.Values(first.beside(streams))
			err = parallel.Each(shards, low, func(s *stream) error { return s.fill(ctx) })
			streams = slices.DeleteFunc(streams, func(s *stream) bool { return len(s.items) == 0 })
		}
		if err != nil {
			yield(Row{}, fmt.Errorf("list mirror of %s: %w", kind, err))
		}
	}
}

// Of each partition at most so much is in memory, or one row. The first page is small: whoever lists a page of rows
// needs no more.
const (
	streamBytes   = 64 << 10
	streamFirst   = 8
	streamLargest = 256
)

// stream is the rest of the rows of one partition, in order.
type stream struct {
	table table.Table
	query table.Query
	items []table.Item // read and not given; none = it is at its end
	more  bool         // there may be others
	long  bool         // more than its first page was read
}

func (s *stream) compare(other *stream) int {
	if s.items[0].SK < other.items[0].SK {
		return -1
	}
	return 1
}

// streams are those of a kind that are not at their ends.
func (s *Store) streams(ctx context.Context, tenantID, kind, after string) ([]*stream, error) {
	all := make([]*stream, shards)
	for shard := range uint32(shards) {
		q := table.Query{PK: partition(tenantID, kind, shard), Limit: streamFirst}
		if after != "" {
			q.From = after + "\x00"
		}
		all[shard] = &stream{table: s.table, query: q, more: true}
	}
	err := parallel.Each(shards, slices.Values(all), func(s *stream) error { return s.fill(ctx) })
	return slices.DeleteFunc(all, func(s *stream) bool { return len(s.items) == 0 }), err
}

// beside are the streams that are filled when one has come to the end of what was read of it: those too that soon will,
// where more than their first pages are read.
func (s *stream) beside(all []*stream) (list []*stream) {
	for _, other := range all {
		soon := s.long && other.long && other.more && len(other.items) < other.query.Limit/2
		if other == s || soon {
			list = append(list, other)
		}
	}
	return list
}

// fill reads on, until there is something more.
func (s *stream) fill(ctx context.Context) error {
	for before := len(s.items); len(s.items) == before && s.more; {
		page, err := s.table.Query(ctx, s.query)
		if err != nil {
			return err
		}
		s.items, s.query.After, s.more = append(s.items, page.Items...), page.Next, page.Next != ""
		bytes := 1
		for _, it := range page.Items {
			bytes += len(it.Data)
		}
		s.long = s.query.Limit > streamFirst
		s.query.Limit = min(max(streamBytes*max(len(page.Items), 1)/bytes, 1), streamLargest)
	}
	return nil
}
