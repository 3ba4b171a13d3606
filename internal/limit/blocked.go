package limit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/table"
)

// blockedIndex lists the buckets of accounts that a vendor throttled, until it takes a call again. A bucket is written
// with each call anyway, so that the list costs nothing while nobody is throttled.
const blockedIndex = "BLOCKED"

// Block is an account that its vendor throttled.
type Block struct {
	Vendor  string
	Account string // the hash of its name, SHA-256 in hexadecimal
	Until   time.Time
	Times   int // it was throttled in a row
}

// Blocked lists accounts that are blocked, or are tried again with the next call; at most so many. more = there are
// others. The index may lag.
func Blocked(ctx context.Context, t table.Table, most int) (list []Block, more bool, err error) {
	p, err := t.List(ctx, table.Query{PK: blockedIndex, Limit: most})
	if err != nil {
		return nil, false, fmt.Errorf("list blocked accounts: %w", err)
	}
	keys := make([]table.Key, len(p.Entries))
	places := map[table.Key]string{}
	for i, e := range p.Entries {
		keys[i] = e.Key
		places[e.Key] = e.Sort
	}
	items, err := table.ReadAll(ctx, t, keys)
	if err != nil {
		return nil, false, fmt.Errorf("blocked accounts: %w", err)
	}
	for _, it := range items {
		k, err := bucketOf(it)
		if err != nil {
			return nil, false, fmt.Errorf("blocked account: %w", err)
		}
		if k.trials == 0 { // it takes calls again by now
			continue
		}
		b := Block{Until: time.UnixMicro(k.blockedUntil), Times: int(k.trials)}
		b.Vendor, b.Account, _ = strings.Cut(places[it.Key], "#")
		list = append(list, b)
	}
	return list, p.Next != "", nil
}
