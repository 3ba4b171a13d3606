package upstockcin7

import (
	"context"
	"errors"
	"strconv"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/rest"
	"stockbridge/internal/upstockcin7/reference"
)

// What changed in Cin7 Core since it was last read, for the catalogue: each list is read by a cursor of its own,
// whichever of the catalogue's jobs reads it. A reading may take many parts of a job: its error goes back as it is, and
// the part comes back by itself and asks again. Once it is whole, to ask again costs no call.
//
// It is not documented whether a customer's own price that changes makes the customer one that was modified. Where it
// does not, the next whole pass finds it.

// The lists of which changes are read, as their cursors are named.
const (
	changedProducts  = "changedProducts"
	changedCustomers = "changedCustomers"
)

// mostChanged is how many changed records are read as changes. Beyond that all are read anew: a list of so many pages
// is better read once, page by page, than as a whole until nothing in it moves.
const mostChanged = 10_000

// readChanges reads what changed of a list since it was last read, and writes it into the mirror. A reading that began
// after asked is as good as a new one. Where the mirror was never read whole, or is to be read anew, it waits for that.
func (p *Pair) readChanges(ctx context.Context, part *job.Part, what string, asked time.Time) error {
	w, err := p.poll(ctx, part)
	if err != nil {
		return err
	}
	records := p.records(part.Bundle)
	if err := p.awaitRecords(ctx, part); err != nil {
		return err
	}
	return part.Beside(ctx, what, func(ctx context.Context, list *job.Part) error {
		cur := list.Cursor
		read := func() bool { return !cur.Started.Before(asked) && !cur.Checked.Before(cur.Started) }
		for range 2 { // a reading that began before it was asked for is ended first
			if read() {
				return nil
			}
			if cur.From.IsZero() {
				cur.Started = p.Now().UTC()
			}
			if err := w.readChanged(ctx, list, records, what); err != nil {
				return err
			}
		}
		return nil
	})
}

// readChanged reads a window of changes.
func (w *poll) readChanged(ctx context.Context, list *job.Part, records reference.Reader, what string) error {
	client := reference.PartOf(w.core(), 1)
	var err error
	if what == changedProducts {
		err = window[cin7core.Product]{
			title: "Cin7 Core's list of products",
			page: func(ctx context.Context, since time.Time, n int) (cin7core.Page[cin7core.Product], error) {
				q := records.Catalog.Products(cin7core.ProductsQuery{ModifiedSince: since, Page: n})
				return client.ProductsPage(ctx, q)
			},
			key:  func(x cin7core.Product) (string, time.Time) { return reference.ID(x.ID), x.LastModifiedOn },
			save: records.SaveProducts,
		}.read(ctx, w, list)
	} else {
		err = window[cin7core.Customer]{
			title: "Cin7 Core's list of customers",
			page: func(ctx context.Context, since time.Time, n int) (cin7core.Page[cin7core.Customer], error) {
				q := records.Catalog.Customers(cin7core.CustomersQuery{ModifiedSince: since, Page: n})
				return client.CustomersPage(ctx, q)
			},
			key:  func(x cin7core.Customer) (string, time.Time) { return reference.ID(x.ID), x.LastModifiedOn },
			save: records.SaveCustomers,
		}.read(ctx, w, list)
	}
	if errors.Is(err, errMany) || errors.Is(err, rest.ErrLarge) {
		return w.readAnew(ctx, list)
	}
	return err
}

// errMany: more changed than is read as changes.
var errMany = errors.New("many records changed")

// window is what a list's changes are read by.
type window[R any] struct {
	title string
	page  func(ctx context.Context, since time.Time, n int) (cin7core.Page[R], error)
	key   func(R) (id string, changed time.Time)
	save  func(context.Context, []R) error
}

func (l window[R]) read(ctx context.Context, w *poll, list *job.Part) error {
	return job.Window[R]{
		Title: l.title, Begin: changesBegin(MirrorOf(w.b)), Passes: job.MaxPasses, Key: l.key,
		Page: func(ctx context.Context, since time.Time, at string) (page job.Page[R], err error) {
			n := pageNumber(at)
			err = list.Call(ctx, func(ctx context.Context) error {
				p, err := l.page(job.WithClock(ctx, &w.most, w.Now), since, n)
				page = job.Page[R]{Rows: p.Items, Total: p.Total, At: w.most}
				if p.More {
					page.Next = strconv.Itoa(n + 1)
				}
				return err
			})
			if err == nil && n == 1 && page.Total > mostChanged {
				err = errMany
			}
			return page, err
		},
		Keep: func(ctx context.Context, rows []R) (held time.Time, err error) { return held, l.save(ctx, rows) },
	}.Read(ctx, list)
}

// changesBegin is where the first window begins: what changed before was read by the last complete pass. The clocks of
// the two sides may differ.
func changesBegin(m mirror.State) time.Time {
	began := m.Started
	if m.Step != "" { // of the running pass
		began = m.Ready.Add(-longestPass)
	}
	return began.Add(-time.Hour)
}

// longestPass is longer than any pass takes: what it saw is forgotten by then.
const longestPass = 48 * time.Hour

// readAnew leaves to a whole pass what is too much to be read as changes: the list goes on at the vendor's present, and
// nothing is read of it before a pass is complete that began after this.
func (w *poll) readAnew(ctx context.Context, list *job.Part) error {
	if err := w.records(w.b).AskAnew(ctx, w.Now()); err != nil { // first: the cursor passes what the pass will read
		return err
	}
	list.Skip(w.most.Add(-w.Times.Overlap))
	return w.waitForRecords(ctx, list, "Very many of Cin7 Core's records changed: all are being read anew.")
}

// awaitRecords has a part wait until the mirror has all that is kept for the catalogue, of one reading: customers have
// price tiers by name.
func (p *Pair) awaitRecords(ctx context.Context, part *job.Part) error {
	records := p.records(part.Bundle)
	if !records.Catalog.IsRead(MirrorOf(part.Bundle)) {
		return p.waitForRecords(ctx, part, whyReadingCatalog)
	}
	anew, err := records.AwaitsAnew(ctx)
	if err != nil || !anew {
		return err
	}
	return p.waitForRecords(ctx, part, whyReadingAnew)
}

// What a part waits for.
const (
	whyReadingCatalog = "Cin7 Core's products, customers and prices are being read for the first time."
	whyReadingAnew    = "Cin7 Core's products, customers and prices are being read anew."
)

// waitForRecords has a part come back when all records may have been read, and sees that they are: by a pass that
// begins in another second than this, as that is how exactly its beginning is known.
func (p *Pair) waitForRecords(ctx context.Context, part *job.Part, why string) error {
	if err := p.Runner.Start(ctx, part.Tenant, JobMirror, 2*time.Second); err != nil {
		return err
	}
	return &ledger.Later{At: p.Now().Add(job.Jitter(p.Times.Mirror, p.Times.Mirror/2)), Why: why}
}

// readTiers reads the account's price tiers. Where one has another name than the mirror knows, all records are read
// anew first: a customer has a tier by its name.
func (p *Pair) readTiers(ctx context.Context, part *job.Part) error {
	w, err := p.poll(ctx, part)
	if err != nil {
		return err
	}
	records := p.records(part.Bundle)
	if err := p.awaitRecords(ctx, part); err != nil {
		return err
	}
	renamed := false
	err = part.Call(ctx, func(ctx context.Context) (err error) {
		renamed, err = records.Tiers(ctx, w.core())
		return err
	})
	if err != nil || !renamed {
		return err
	}
	if err := records.AskAnew(ctx, p.Now()); err != nil {
		return err
	}
	return p.waitForRecords(ctx, part, "Cin7 Core's price tiers changed: its records are being read anew.")
}
