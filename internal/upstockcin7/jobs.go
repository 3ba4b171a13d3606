package upstockcin7

import (
	"context"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/limit"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/completeness"
)

// The names of the pair's jobs.
const (
	JobMirror       = "mirror"
	JobDrift        = "drift"
	JobShipments    = "shipments"
	JobReconcile    = "reconcile"
	JobWebhooks     = "webhooks"
	JobCompleteness = completeness.Job
	JobBackfill     = "backfill"
	JobTestOrder    = "testOrder"
)

// How often the jobs start that sentences speak of.
const (
	shipmentsEvery = 5 * time.Minute
	reconcileEvery = 10 * time.Minute
)

// Jobs are what the pair does for one tenant after another, beside its orders. What does them is in CatalogWork and
// ShipmentsWork, so that no function carries another's jobs.
func (p *Pair) Jobs() []job.Kind {
	both := []tenant.System{tenant.Upstock, tenant.Cin7Core}
	return []job.Kind{
		{
			Name: JobShipments, Help: "marks the orders whose sales changed in Cin7 Core",
			Needs: both, List: tenant.Cin7Core, Every: shipmentsEvery, Queue: job.Shipments, Class: limit.First,
			Sync: true,
		}, {
			Name: JobReconcile, Help: "takes in approved orders that no webhook brought",
			Needs: both, List: tenant.Upstock, Every: reconcileEvery, Queue: job.Shipments, Class: limit.Second,
		}, {
			Name: JobWebhooks, Help: "keeps our webhooks in Cin7 Core registered and active",
			Needs: both, List: tenant.Cin7Core, Every: 30 * time.Minute, Queue: job.Shipments, Class: limit.First,
			Sync: true,
		}, {
			Name: JobCompleteness, Help: "compares orders, sales and shipments of the last 7 days",
			Needs: both, List: tenant.Upstock, Every: time.Hour, Queue: job.Shipments, Class: limit.Second,
			Sync: true,
		}, {
			Name: JobBackfill, Help: "takes in a range of earlier days", // it says itself what it waits for
			Queue: job.Shipments, Class: limit.Second,
			Anew: "It goes on with the next look for approved orders that no webhook brought.",
		}, {
			Name:  JobTestOrder,
			Help:  "makes a draft sale in Cin7 Core, reads it back and voids it", // it says what it waits for
			Queue: job.Shipments, Class: limit.First,
			Anew: "It goes on with the next check of the webhooks.",
		}, {
			Name: JobMirror, Help: "reads the reference data", // of the first class until there is some
			Needs: []tenant.System{tenant.Cin7Core}, Every: time.Hour, Nightly: true, Queue: job.Catalog,
			Class: limit.Bulk, Sync: true,
			Anew: "It starts anew in the night, or by hand. An order that waits for it starts it too.",
		}, {
			Name: JobDrift, Help: "compares settings and links with the reference data, " +
				"and has orders go that it held up",
			Needs: both, Queue: job.Catalog, Class: limit.Second,
			Anew: "It is done after the next reading of Cin7 Core's records.",
		},
		p.catalogJob(JobProducts, "imports products, and tells Upstock of what changed in them"),
		p.catalogJob(JobCustomers, "imports and links customers, and tells Upstock of what changed in them"),
		p.catalogJob(JobPrices, "tells Upstock of each customer's prices"),
	}
}

// CatalogWork is what does the jobs of the catalog queue.
func (p *Pair) CatalogWork() job.Work {
	return job.Work{
		JobMirror: p.readMirror, JobDrift: p.lookForDrift,
		JobProducts: p.syncCatalog, JobCustomers: p.syncCatalog, JobPrices: p.syncCatalog,
	}
}

// ShipmentsWork is what does the jobs of the shipments queue.
func (p *Pair) ShipmentsWork() job.Work {
	return job.Work{
		JobShipments: p.shipments, JobReconcile: p.reconcile, JobWebhooks: p.checkWebhooks,
		JobCompleteness: p.checkCompleteness, JobBackfill: p.backfill, JobTestOrder: p.testOrder,
	}
}

// poll is one part of a job that reads a vendor's list, with what the pair needs for it.
type poll struct {
	*Pair
	ctx  context.Context
	part *job.Part
	b    tenant.Bundle
	conn tenant.Connection // to the system whose list is read
	sec  tenant.Secrets
	most time.Time // the vendor's clock at its last answer: what is dated later is dated wrongly
}

func (p *Pair) poll(ctx context.Context, part *job.Part) (*poll, error) {
	conn := part.Connection()
	sec, err := p.Vendors.Secrets(ctx, conn)
	if err != nil {
		return nil, err
	}
	return &poll{Pair: p, ctx: ctx, part: part, b: part.Bundle, conn: conn, sec: sec}, nil
}

// core and upstock are clients in the job's class, for a list of that system.
func (w *poll) core() *cin7core.Client   { return w.Cin7Core(w.conn, w.sec, w.first()) }
func (w *poll) upstock() *upstock.Client { return w.Upstock(w.conn, w.sec, w.first()) }

func (w *poll) first() bool { return w.part.Kind.Class == limit.First }
