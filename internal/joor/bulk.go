package joor

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// BulkJob is JOOR's work on an upload. It says how far it is, and nothing of single records: who was refused is told by
// e-mail to the brand, if JOOR was asked to [C, I].
type BulkJob struct {
	ID                string
	Status            Status
	Created, Modified time.Time
	Records           int // that were sent
	Progress          int // that are done
}

// Status is how far a bulk job is: an open set.
type Status string

// The statuses. [C]
const (
	Queued   Status = "queued"
	Started  Status = "started"
	Finished Status = "finished"
)

// IsFinished reports whether a job is done with all its records.
func (j BulkJob) IsFinished() bool { return strings.EqualFold(string(j.Status), string(Finished)) }

// Upload gives JOOR connections to make or to change: the one with the same code is changed to all that is given [C].
// How many a job may have is not documented. The answer is the job; the outcome of an answer without one is Unknown,
// after which the same may be sent again.
func (c *Client) Upload(ctx context.Context, all []Connection) (BulkJob, error) {
	const path = "/bulk-connection"
	var answer wireJobs
	if err := c.Do(ctx, http.MethodPost, path, nil, body("bulk_connections", all...), &answer); err != nil {
		return BulkJob{}, err
	}
	if jobs := answer.Bulk.Jobs; len(jobs) == 1 && jobs[0].ID != "" {
		return jobs[0].job(), nil
	}
	return BulkJob{}, c.MalformedAnswer(http.MethodPost, path, "the answer names no job")
}

// BulkJob reads how far a job is; rest.NotFound: there is none.
func (c *Client) BulkJob(ctx context.Context, id string) (BulkJob, error) {
	path := "/bulk-connection/" + url.PathEscape(id)
	if strings.Trim(id, ".") == "" {
		return BulkJob{}, c.notSent(http.MethodGet, path, "no job id")
	}
	var answer wireJobs
	if err := c.Do(ctx, http.MethodGet, path, nil, nil, &answer); err != nil {
		return BulkJob{}, asNotFound(err)
	}
	for _, j := range answer.Bulk.Jobs {
		if j.ID == id {
			return j.job(), nil
		}
	}
	return BulkJob{}, c.notFound(http.MethodGet, path)
}

func (w wireJob) job() BulkJob {
	return BulkJob{w.ID, Status(w.Status), w.Created, w.Modified, w.Records, w.Progress}
}
