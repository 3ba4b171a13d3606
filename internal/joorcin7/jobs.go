package joorcin7

import (
	"context"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/limit"
	"stockbridge/internal/tenant"
)

// Queue is the queue of the pair's jobs, which functions/joor reads.
const Queue job.Queue = "joor"

// The names of the pair's jobs. Each is the kind of the progress that people see.
const (
	JobContacts    = "contacts"
	JobAllContacts = "allContacts"
	JobJOOR        = "joor"
	JobUpload      = "joorUpload"
	JobUpdate      = "joorUpdate"
	JobDownload    = "joorDownload"
	JobMatches     = "joorMatches"
)

// Jobs are what the pair does for one tenant after another.
func (p *Pair) Jobs() []job.Kind {
	kind := func(name, help string, list tenant.System, every time.Duration, sync bool) job.Kind {
		return job.Kind{Name: name, Help: help, Needs: Systems(), List: list, Every: every, Queue: Queue,
			Class: limit.First, Sync: sync}
	}
	jobs := []job.Kind{
		kind(JobContacts, "reads what changed of customers in Cin7 Omni", tenant.Cin7Omni, 15*time.Minute, true),
		kind(JobAllContacts, "reads all customers of Cin7 Omni, to find those that were deleted there",
			tenant.Cin7Omni, 0, false),
		kind(JobJOOR, "asks JOOR what became of what it was sent, and sends what goes by itself", tenant.JOOR,
			30*time.Minute, true),
		kind(JobUpload, "sends customers to JOOR that are new there", tenant.JOOR, 0, false),
		kind(JobUpdate, "sends changes of customers to JOOR", tenant.JOOR, 0, false),
		kind(JobDownload, "reads JOOR's connections", tenant.JOOR, 0, false),
		kind(JobMatches, "looks for customers among JOOR's connections", tenant.JOOR, 0, false),
	}
	for i := range jobs {
		if jobs[i].Every == 0 {
			jobs[i].Anew = "It goes on with the next look at JOOR."
		}
	}
	return jobs
}

// Work is what does the jobs of the queue. It is no method of app.Pair: the function that calls it has it alone.
func (p *Pair) Work() job.Work {
	work := job.Work{}
	for _, k := range p.Jobs() {
		work[k.Name] = p.doPart
	}
	return work
}

// Sync asks for one of the pair's jobs that people may start, and returns its progress. Who asks for a look at JOOR is
// told of all that is in review, also of what was asked about a moment ago.
func (p *Pair) Sync(ctx context.Context, b tenant.Bundle, name string) (*Progress, error) {
	if name == JobJOOR {
		if err := p.publisher.AskNow(ctx, b.Tenant.ID, shelfOf(b)); err != nil {
			return nil, err
		}
	}
	return p.ask(ctx, b, name)
}
