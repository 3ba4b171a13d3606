package upstockcin7

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/mirror"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/catalogue"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/upstockcin7/sale"
)

// readMirror reads a tenant's Cin7 Core reference data into the mirror, or goes on
// where the last part stopped. It may be started at any time, and by anybody; schedules have it done once a night.
// What was read is then compared with what the tenant has chosen, by a job of its own.
func (p *Pair) readMirror(ctx context.Context, part *job.Part) error {
	if readTonight(part) { // the message that starts the next job may have been lost
		if done, err := p.passed(ctx, part.Bundle); done || err != nil {
			return err
		}
		return p.Runner.Start(ctx, part.Tenant, JobDrift, 0)
	}
	conn := part.Bundle.Connections[tenant.Cin7Core]
	sec, err := p.Vendors.Secrets(ctx, conn)
	if err != nil {
		return err
	}
	client := p.Cin7Core(conn, sec, MirrorOf(part.Bundle).Ready.IsZero())
	result, err := p.Mirror.Read(ctx, part, p.records(part.Bundle).Pass(client, p.Tenants, p.Times.Lease))
	if err != nil {
		return err
	}
	if result.Whole {
		err := cmp.Or(p.Runner.Start(ctx, part.Tenant, JobDrift, 0), p.firstCatalog(ctx, part.Bundle))
		if err != nil {
			return err
		}
	}
	var said []string
	if result.First {
		said = append(said,
			"Cin7 Core's customers, products and settings were read for the first time: orders can be sent.")
	}
	if result.Removed > 0 {
		said = append(said, fmt.Sprintf("%d customers and products are gone from Cin7 Core.", result.Removed))
	}
	if len(said) == 0 {
		return nil
	}
	return p.Ledger.Record(ctx, conn.Tenant, ledger.Event{Kind: "mirror", Text: strings.Join(said, " ")})
}

// readTonight reports whether a part that a schedule started finds the records read since the tenant's turn came.
func readTonight(part *job.Part) bool {
	m := MirrorOf(part.Bundle)
	return part.Kind.Nightly && !part.At.IsZero() && m.Step == "" &&
		!m.Started.Before(job.Night(part.Bundle.Tenant, part.Now()).Truncate(time.Second))
}

// MirrorOf is how far the mirror of a tenant's Cin7 Core account is.
func MirrorOf(b tenant.Bundle) mirror.State {
	return mirror.Progress.Of(b.Connections[tenant.Cin7Core])
}

// records reads the reference data of a tenant's Cin7 Core account.
func (p *Pair) records(b tenant.Bundle) reference.Reader {
	key := supplierAt(b.Connections[tenant.Upstock]).key
	return reference.Reader{Mirror: p.Mirror, Ledger: p.Ledger, Now: p.Now, Bundle: b, Key: key, Catalog: catalogOf(b)}
}

// catalogOf is what the mirror of a tenant keeps for the catalogue.
func catalogOf(b tenant.Bundle) reference.Catalog {
	return reference.Catalog{
		Customer: catalogue.CustomerRows, CustomerKinds: []string{catalogue.CustomerKind, catalogue.OwnKind},
		Numbered: []string{catalogue.OwnKind},
		Product:  catalogue.ProductRows, ProductKinds: []string{catalogue.ProductKind},
		Images: catalogue.SettingsOf(b.Settings).ProductImages,
	}
}

// live reads wants from Cin7 Core itself. An order that cannot be sure of its customer waits until all are read anew.
func (p *Pair) live(
	ctx context.Context, c *cin7core.Client, b tenant.Bundle, ref sale.Reference, wants []sale.Want,
) (sale.Reference, error) {
	found, err := p.records(b).Live(ctx, c, ref, wants)
	if !errors.Is(err, reference.ErrUnread) {
		return found, err
	}
	if err := p.Runner.Start(ctx, b.Tenant.ID, JobMirror, 0); err != nil {
		return ref, err
	}
	return ref, &ledger.Later{
		At:  p.Now().Add(job.Jitter(p.Times.Mirror, p.Times.Mirror/2)),
		Why: "Cin7 Core's customers are being read anew, to be sure of which one the order is for.",
	}
}
