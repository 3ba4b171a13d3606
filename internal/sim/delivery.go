package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// Event is something that a vendor has to tell one URL. Body and ID are the same
// on every attempt.
type Event struct {
	ID    string    `json:"id"`
	Type  string    `json:"type"`
	Order int       `json:"order,omitempty"` // Upstock's, of which it tells
	Hook  string    `json:"hook,omitempty"`  // the webhook's id, where webhooks have one
	Sale  string    `json:"sale,omitempty"`  // Cin7 Core's, of which it tells, by number
	URL   string    `json:"url"`
	At    time.Time `json:"at"`
	Body  []byte    `json:"body"`
}

// delivery is an event on its way.
type delivery struct {
	Event
	State    string    `json:"state"` // pending, delivered, failed
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"` // of the last answer; 0 = none
	Problem  string    `json:"problem,omitempty"`
	Next     time.Time `json:"next"`
}

const maxDeliveries = 300 // kept per account and vendor

// Send has an event delivered once wait has passed at the Sim's speed, and again
// until it is taken or the vendor's patience is at an end. The lock is held.
func (p *Seat) Send(e Event, wait time.Duration) {
	d := &delivery{Event: e, State: "pending", Next: e.At}
	p.deliveries = append(p.deliveries, d)
	p.trim()
	p.Changed(d)
	p.Sim.start(p, d, p.Sim.Fast(wait))
}

// trim forgets the oldest delivery where there are too many.
func (p *Seat) trim() {
	if all := p.deliveries; len(all) > maxDeliveries && all[0].State != "pending" {
		p.deliveries = append(all[:0:0], all[1:]...)
	}
}

func (p *Seat) readDelivery(text json.RawMessage, change bool) (err error) {
	p.deliveries, err = PutRow(p.deliveries, text, change, func(d *delivery) string { return d.ID })
	p.trim()
	return err
}

// start makes a delivery's next attempt happen. s.mu is held.
func (s *Sim) start(p *Seat, d *delivery, wait time.Duration) {
	s.pending++
	d.Next = time.Now().Add(wait)
	s.after(wait, func() { s.attempt(p, d, true) })
}

// attempt tries a delivery once and decides what becomes of it.
func (s *Sim) attempt(p *Seat, d *delivery, faults bool) {
	sender := p.books.(Sender)
	s.mu.Lock()
	var f *Fault
	if faults {
		f = s.take(p.vendor.name, p.Account.id(p.vendor.name), "WEBHOOK "+d.Type)
	}
	if f == nil {
		f = &Fault{}
	}
	if f.Kind == "late" {
		s.after(s.seconds(f.Seconds), func() { s.attempt(p, d, false) })
		s.mu.Unlock()
		return
	}
	header, problem := sender.Envelope(&d.Event, time.Now())
	if f.Kind == "drop" {
		problem = "dropped"
	}
	if problem != "" {
		d.State, d.Problem = "failed", problem
		p.Changed(d)
		s.settle()
		s.mu.Unlock()
		return
	}
	address := d.URL
	patience, retries := sender.Patience()
	s.mu.Unlock()

	status, err := 0, errors.New("connection reset")
	if f.Kind != "before" {
		status, err = s.post(address, header, d.Body, patience)
	}
	if f.Kind == "dup" {
		s.post(address, header, d.Body, patience)
	}
	if f.Kind == "after" {
		status, err = 0, errors.New("connection reset")
	}
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.settle()
	d.Attempts++
	d.Status, d.Problem = status, ""
	switch {
	case err == nil && status/100 == 2:
		d.State = "delivered"
	case d.Attempts > len(retries):
		d.State = "failed"
		sender.GivenUp(&d.Event)
	default:
		s.start(p, d, s.Fast(retries[d.Attempts-1]))
	}
	if err != nil {
		d.Problem = err.Error()
	}
	p.Changed(d)
}

func (s *Sim) post(address string, header http.Header, body []byte, patience time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(s.ctx, patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header = header.Clone()
	resp, err := s.opts.Deliver.RoundTrip(req) // no redirects
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, nil
}

// Delivery is how one webhook event fared.
type Delivery struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Order    int       `json:"order,omitempty"` // Upstock's
	Sale     string    `json:"sale,omitempty"`  // Cin7 Core's, by number
	URL      string    `json:"url"`
	At       time.Time `json:"at"`
	State    string    `json:"state"` // pending, delivered, failed
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"`
	Problem  string    `json:"problem"`
	Next     time.Time `json:"next"`
	Body     string    `json:"body,omitempty"` // Cin7 Core's: not always JSON
}

// Deliveries lists an account's webhook deliveries at a vendor, oldest first.
// The lock is held.
func (p *Seat) Deliveries() []Delivery {
	out := make([]Delivery, len(p.deliveries))
	for i, d := range p.deliveries {
		out[i] = Delivery{d.ID, d.Type, d.Order, d.Sale, d.URL, d.At, d.State, d.Attempts, d.Status, d.Problem, d.Next, ""}
		if d.Hook != "" {
			out[i].Body = string(d.Body)
		}
	}
	return out
}
