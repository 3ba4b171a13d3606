package upstockcin7

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/reference"
)

// scan is how far a list is read that has no time of change: from its first page to its last, over as many parts as
// that takes. What a page held is kept, reduced, until all of it is used.
type scan struct {
	Account string    `json:"account,omitempty"` // of Cin7 Core
	Of      string    `json:"of,omitempty"`      // which part of the list
	Began   time.Time `json:"began,omitzero"`
	Pages   int       `json:"pages,omitempty"`  // read
	Total   int       `json:"total,omitempty"`  // rows that the list has, as the vendor says
	Whole   bool      `json:"whole,omitempty"`  // it was read to its end
	Used    bool      `json:"used,omitempty"`   // and what it held is where it belongs
	Proved  bool      `json:"proved,omitempty"` // this reading, or one before, saw all rows
	Rows    uint64    `json:"rows,omitempty"`   // stands for all that the last whole reading saw
}

// scanning is one part's work on a scan, which stands under its name.
type scanning struct {
	*poll
	name, rev string
	scan
}

// openScan is a scan as it stands, or one that begins: where none began after an instant, or what it held is forgotten.
func (w *poll) openScan(name, of string, after time.Time) (*scanning, error) {
	s := &scanning{poll: w, name: name}
	rev, err := w.Ledger.Doc(w.ctx, w.part.Tenant, name, &s.scan)
	if err != nil {
		return nil, err
	}
	s.rev = rev
	forgotten := w.Now().Sub(s.Began) > longestPass/2
	early := s.Began.Before(after.Truncate(time.Second))
	if s.Account != w.conn.Account || s.Of != of || early || forgotten && !s.Used {
		now := scan{Account: w.conn.Account, Of: of, Began: w.Now().UTC().Truncate(time.Second)}
		if s.Account == now.Account && s.Of == of {
			now.Proved, now.Rows = s.Proved, s.Rows
		}
		s.scan = now
	}
	return s, nil
}

// save writes down how far the scan is. Where another worker is at it, the part comes back in a moment.
func (s *scanning) save() (err error) {
	s.rev, err = s.Ledger.SaveDoc(s.ctx, s.part.Tenant, s.name, s.rev, s.scan)
	if errors.Is(err, ledger.ErrBehind) {
		return s.part.Soon()
	}
	return err
}

// scanned is a page of a scan, reduced to what is kept of it.
type scanned struct {
	kept  any // as JSON, 400 KB at most
	total int
	more  bool
}

// read reads the scan to its end.
func (s *scanning) read(page func(ctx context.Context, n int) (scanned, error)) error {
	for !s.Whole {
		var got scanned
		err := s.part.Call(s.ctx, func(ctx context.Context) (err error) {
			got, err = page(ctx, s.Pages+1)
			return err
		})
		if err != nil {
			return err
		}
		data, err := json.Marshal(got.kept)
		if err != nil {
			return err
		}
		if err := s.Mirror.SaveSeen(s.ctx, s.part.Tenant, s.name, s.Began, s.Pages+1, data); err != nil {
			return err
		}
		s.Pages, s.Total, s.Whole = s.Pages+1, max(s.Total, got.total), !got.more
		if err := s.save(); err != nil {
			return err
		}
	}
	return nil
}

// each goes through what was kept of a scan's pages. Where some of it is lost, the scan begins anew, in a moment.
func each[T any](s *scanning, do func(T)) error {
	const some = 20
	for from := 1; from <= s.Pages; from += some {
		pages, whole, err := s.Mirror.Seen(s.ctx, s.part.Tenant, s.name, s.Began, from, min(from+some-1, s.Pages))
		if err != nil {
			return err
		}
		if !whole {
			s.scan = scan{Account: s.Account, Of: s.Of, Proved: s.Proved, Rows: s.Rows} // of no time: it is begun anew
			if err := s.save(); err != nil {
				return err
			}
			return s.part.Soon()
		}
		for _, data := range pages {
			var kept T
			if err := json.Unmarshal(data, &kept); err != nil {
				return err
			}
			do(kept)
		}
	}
	return nil
}

// The scans.
const (
	stockScan  = "stockScan"
	buyersScan = "buyersScan"
)

// stockLine is what is kept of a row of Cin7 Core's list: where the same row comes twice, it counts once.
type stockLine struct {
	Product   string          `json:"p"`
	Row       uint64          `json:"r"`
	Available decimal.Decimal `json:"a"`
}

// readStock reads of which products anything is available, and writes that into the mirror. A reading that began after
// asked is as good as a new one.
func (p *Pair) readStock(ctx context.Context, part *job.Part, asked time.Time) error {
	w, err := p.poll(ctx, part)
	if err != nil {
		return err
	}
	s, err := w.openScan(stockScan, "", asked)
	if err != nil || s.Used {
		return err
	}
	client := reference.PartOf(w.core(), 1)
	err = s.read(func(ctx context.Context, n int) (scanned, error) {
		page, err := client.AvailabilityPage(ctx, cin7core.AvailabilityQuery{Page: n})
		lines := make([]stockLine, 0, len(page.Items))
		for _, x := range page.Items {
			if id := reference.ID(x.ID); id != "" {
				h := fnv.New64a()
				h.Write([]byte(strings.Join([]string{id, x.Location, x.Bin, x.Batch}, "\t")))
				lines = append(lines, stockLine{id, h.Sum64(), x.Available})
			}
		}
		return scanned{lines, page.Total, page.More}, err
	})
	if err != nil {
		return err
	}
	if err := s.useStock(); err != nil {
		return err
	}
	s.Used = true
	return s.save()
}

// useStock writes what was read of the stock into the mirror. Nothing runs out by a reading that saw fewer rows than
// there are, unless the one before saw the very same: then the vendor counts some that cannot be told apart.
func (s *scanning) useStock() error {
	sums, seen, rows := map[string]decimal.Decimal{}, map[uint64]bool{}, uint64(0)
	if err := each(s, func(lines []stockLine) {
		for _, l := range lines {
			if !seen[l.Row] {
				seen[l.Row] = true
				rows ^= l.Row
				sums[l.Product] = sums[l.Product].Add(l.Available)
			}
		}
	}); err != nil {
		return err
	}
	rows ^= uint64(s.Total) // that they are as many as before is a part of it
	whole := len(seen) >= s.Total || rows == s.Rows
	s.Rows = rows
	var gone []string
	for row, err := range s.Mirror.All(s.ctx, s.part.Tenant, catalogue.StockKind) {
		if err != nil {
			return err
		}
		was, err := catalogue.ReadStock(row)
		sum, ok := sums[row.ID]
		switch {
		case !ok && whole:
			gone = append(gone, row.ID)
		case ok && err == nil && (was == sum.IsPositive() || was && !whole):
			delete(sums, row.ID) // it is so, or may be
		}
	}
	for ids := range slices.Chunk(slices.Sorted(maps.Keys(sums)), 1000) {
		rows := make([]mirror.Row, len(ids))
		for i, id := range ids {
			rows[i] = catalogue.StockRow(id, sums[id].IsPositive())
		}
		if _, err := s.Mirror.Save(s.ctx, s.part.Tenant, rows); err != nil {
			return err
		}
	}
	_, err := s.Mirror.Remove(s.ctx, s.part.Tenant, catalogue.StockKind, gone)
	s.Proved = s.Proved || whole
	return err
}

// stockProved reports whether all of the account's stock was ever read. Until then a product of which the mirror has
// no stock may have some.
func (p *Pair) stockProved(ctx context.Context, b tenant.Bundle) (bool, error) {
	var s scan
	_, err := p.Ledger.Doc(ctx, b.Tenant.ID, stockScan, &s)
	return s.Proved && s.Account == b.Connections[tenant.Cin7Core].Account, err
}

// readBuyers reads which customers, by their ids in lower case, have a sale in Cin7 Core that was made since an instant
// and is more than a quote. What was read of the same instant is used again for a day.
func (p *Pair) readBuyers(ctx context.Context, part *job.Part, since time.Time) (map[string]bool, error) {
	w, err := p.poll(ctx, part)
	if err != nil {
		return nil, err
	}
	s, err := w.openScan(buyersScan, since.UTC().Format(time.RFC3339), time.Time{})
	if err != nil {
		return nil, err
	}
	client := reference.PartOf(w.core(), 1)
	err = s.read(func(ctx context.Context, n int) (scanned, error) {
		page, err := client.SalesPage(ctx, cin7core.SalesQuery{CreatedSince: since, Page: n})
		ids := map[string]bool{}
		for _, row := range page.Items {
			if id := reference.ID(row.CustomerID); id != "" && isBought(row) {
				ids[id] = true
			}
		}
		return scanned{slices.Sorted(maps.Keys(ids)), page.Total, page.More}, err
	})
	if err != nil {
		return nil, err
	}
	buyers := map[string]bool{}
	return buyers, each(s, func(ids []string) {
		for _, id := range ids {
			buyers[id] = true
		}
	})
}

// isBought reports whether a sale is an order, be it one that nobody has authorised yet.
func isBought(row cin7core.SaleRow) bool {
	return !slices.ContainsFunc([]cin7core.Status{cin7core.Voided, cin7core.Draft, cin7core.Estimating,
		cin7core.Estimated}, func(s cin7core.Status) bool { return match.Same(string(row.Status), string(s)) })
}
