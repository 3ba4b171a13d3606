package joor

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"stockbridge/internal/sim"
)

// job is a bulk job. Jobs are worked on one after the other, in the order in which they came. [documented]
type job struct {
	ID       int               `json:"id"`
	Created  time.Time         `json:"created"`
	Modified time.Time         `json:"modified"`
	Started  time.Time         `json:"started"` // zero = queued; how long a record takes tells the rest
	Count    int               `json:"count"`
	Done     int               `json:"done"`
	Stalled  bool              `json:"stalled,omitempty"` // it does not go on
	Records  []json.RawMessage `json:"records,omitempty"` // until it is finished
	Results  []result          `json:"results"`
}

// result is what became of a record. The API does not say it, an e-mail to the brand does. [documented]
type result struct {
	Code    string `json:"code"`
	Outcome string `json:"outcome"` // created (in review), updated or refused
	Why     string `json:"why,omitempty"`
}

const jobKind = "job"

// Kind implements sim.Row.
func (*job) Kind() string { return jobKind }

func (j *job) status() string {
	switch {
	case j.Started.IsZero():
		return "queued"
	case j.Done < j.Count:
		return "started"
	}
	return "finished"
}

// How long a job waits, and how long a record takes (decided).
const (
	inQueue   = time.Second
	perRecord = 10 * time.Millisecond
)

// upload makes a job of what is sent.
func (c *call) upload() (any, error) {
	all, err := records(c.Body, "bulk_connections")
	if err != nil {
		return nil, refuse("The request could not be read")
	}
	if len(all) == 0 {
		return nil, refuse("bulk_connections has no connection")
	}
	c.LastJob++
	j := &job{ID: c.LastJob, Created: c.Now.UTC(), Modified: c.Now.UTC(), Count: len(all), Records: all,
		Results: []result{}, Stalled: c.Stalled}
	c.jobs = append(c.jobs, j)
	c.seat.Changed(j)
	return c.jobAnswer(j), nil
}

func (c *call) getJob(id string) (any, error) {
	i := slices.IndexFunc(c.jobs, func(j *job) bool { return strconv.Itoa(j.ID) == id })
	if i < 0 {
		return nil, notFound("Job")
	}
	return c.jobAnswer(c.jobs[i]), nil
}

// bulkResponse is the response about a job, which in the vendor's sample is a code alone.
type bulkResponse struct {
	Code int `json:"code"`
}

func (c *call) jobAnswer(j *job) any {
	return map[string]any{"bulk_connections": map[string]any{
		"response": bulkResponse{},
		"bulk_connections_jobs": []map[string]any{{
			"bulk_connections_job_id": j.ID, "status": j.status(),
			"created": stamp(j.Created), "modified": stamp(j.Modified),
			"connection_record_count": j.Count, "connection_record_progress": j.Done,
		}},
	}}
}

// stamp is an instant as the vendor writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05+00:00") }

// settle does what was due by now: the jobs go on, and JOOR's people decide.
func (b *brand) settle(now time.Time) {
	before := time.Time{}
	first := slices.IndexFunc(b.jobs, func(j *job) bool { return j.Done < j.Count })
	for _, j := range b.jobs[max(0, first):] {
		if first < 0 || j.Stalled || !b.goOn(j, before, now) {
			break
		}
		before = j.Modified
	}
	b.decide(now)
}

// goOn does the records of a job that were due by now, and reports whether it is finished.
func (b *brand) goOn(j *job, before, now time.Time) (finished bool) {
	if j.Started.IsZero() {
		at := j.Created.Add(b.sim.Scaled(inQueue))
		if before.After(at) {
			at = before
		}
		if now.Before(at) {
			return false
		}
		j.Started, j.Modified = at, at
		b.seat.Changed(j)
	}
	for j.Done < j.Count {
		at := j.Started.Add(time.Duration(j.Done+1) * b.sim.Scaled(perRecord))
		if now.Before(at) {
			return false
		}
		j.Results = append(j.Results, b.apply(j.Records[j.Done], at, j.Count))
		j.Done++
		j.Modified = at
		b.seat.Changed(j)
	}
	j.Records = nil
	return true
}

// resume lets a job go on.
func (b *brand) resume(j *job, now time.Time) {
	if !j.Stalled {
		return
	}
	j.Stalled = false
	if !j.Started.IsZero() {
		j.Started = now.Add(-time.Duration(j.Done) * b.sim.Scaled(perRecord))
	}
	b.seat.Changed(j)
}

// apply makes or changes the connection of a record: an upsert by its code. A new one is in review.
func (b *brand) apply(raw json.RawMessage, at time.Time, batch int) result {
	var in sent
	if err := json.Unmarshal(raw, &in); err != nil {
		return result{"", "refused", "the connection could not be read"}
	}
	if in.CustomerCode == nil || codeKey(*in.CustomerCode) == "" {
		return result{"", "refused", "customer_code is required"}
	}
	r := result{Code: *in.CustomerCode, Outcome: "updated"}
	if x := b.coded(r.Code); x != nil {
		if err := b.write(x, raw); err != nil {
			r.Outcome, r.Why = "refused", err.Error()
		}
		return r
	}
	d := merged(document{}, in)
	if err := b.check(d); err != nil {
		r.Outcome, r.Why = "refused", err.Error()
		return r
	}
	b.named(&d)
	r.Outcome = "created"
	b.made(d, &review{at, batch})
	return r
}

// reviewTime is how long JOOR's people take for a new one of a job with so many records.
func (b *brand) reviewTime(batch int) time.Duration {
	const day = 24 * time.Hour
	switch {
	case b.ReviewSeconds != nil:
		return b.sim.Scaled(time.Duration(*b.ReviewSeconds * float64(time.Second)))
	case batch <= 100:
		return b.sim.Scaled(2 * day)
	case batch <= 500:
		return b.sim.Scaled(3 * day)
	case batch <= 1000:
		return b.sim.Scaled(4 * day)
	}
	return b.sim.Scaled(5 * day)
}

// until is when JOOR's people will have decided.
func (b *brand) until(r *review) time.Time { return r.Since.Add(b.reviewTime(r.Batch)) }

// decide accepts what was in review for long enough.
func (b *brand) decide(now time.Time) {
	for _, x := range b.inReview() {
		if !now.Before(b.until(x.Review)) {
			b.accept(x)
		}
	}
}

// inReview are the connections in review, in the order in which they came.
func (b *brand) inReview() (out []*connection) {
	for _, x := range b.all {
		if x.Review != nil {
			out = append(out, x)
		}
	}
	slices.SortStableFunc(out, func(x, y *connection) int {
		return cmp.Or(x.Review.Since.Compare(y.Review.Since), cmp.Compare(x.Key, y.Key))
	})
	return out
}

// Review is what JOOR's people say of new connections of an account: of those with some codes, or of all.
func (v *Vendor) Review(account string, codes []string, all, accept bool) (decided int, err error) {
	v.sim.Lock()
	defer v.sim.Unlock()
	b := v.brand(account)
	if b == nil {
		return 0, sim.NotFound("Account")
	}
	return len(b.review(codes, all, accept)), nil
}

// review accepts or turns down what is in review. What is turned down is gone.
func (b *brand) review(codes []string, all, accept bool) (decided []*connection) {
	b.settle(time.Now())
	for _, x := range b.inReview() {
		if !all && !slices.ContainsFunc(codes, func(c string) bool {
			return codeKey(c) == codeKey(string(x.CustomerCode))
		}) {
			continue
		}
		if accept {
			b.accept(x)
		} else {
			b.drop(x)
		}
		decided = append(decided, x)
	}
	return decided
}
