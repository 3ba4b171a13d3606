package sim

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// Event is an event that a vendor sends to one URL. Body and ID are the same on
// every attempt.
type Event struct {
	ID    string    `json:"id"`
	Type  string    `json:"type"`
	Order int       `json:"order,omitempty"` // the Upstock order that it is about
	Hook  string    `json:"hook,omitempty"`  // the webhook's id, if webhooks have one
	Sale  string    `json:"sale,omitempty"`  // the number of the Cin7 Core sale that it is about
	URL   string    `json:"url"`
	At    time.Time `json:"at"`
	Body  []byte    `json:"body"`
}

// delivery is the delivery of an event.
type delivery struct {
	Event
	State    string    `json:"state"` // pending, delivered, failed
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"` // of the last answer; 0 = no answer
	Problem  string    `json:"problem,omitempty"`
	Next     time.Time `json:"next"`
}

const maxDeliveries = 300 // kept per account and vendor

// Send delivers an event once wait has passed at the Sim's speed, and tries again
// until it is taken or the vendor gives up. The lock is held.
func (p *Seat) Send(e Event, wait time.Duration) {
	d := &delivery{Event: e, State: "pending", Next: e.At}
	p.deliveries = append(p.deliveries, d)
	p.trim()
	p.Changed(d)
	p.Sim.schedule(p, d, p.Sim.Scaled(wait))
}

// trim forgets the oldest delivery if there are too many.
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

// schedule schedules a delivery's next attempt. s.mu is held.
func (s *Sim) schedule(p *Seat, d *delivery, wait time.Duration) {
	s.pending++
	d.Next = time.Now().Add(wait)
	s.after(wait, func() { s.attempt(p, d, true) })
}

// attempt tries a delivery once and decides what becomes of it.
func (s *Sim) attempt(p *Seat, d *delivery, faults bool) {
	sender := p.books.(Sender)
	s.mu.Lock()
	f := &Fault{}
	if faults {
		f = cmp.Or(s.takeFault(p.vendor.name, p.Account.id(p.vendor.name), "WEBHOOK "+d.Type), f)
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
		s.endPending()
		s.mu.Unlock()
		return
	}
	address := d.URL
	patience, retries := sender.Timing()
	s.mu.Unlock()
	status, err := s.send(f, d.ID, address, header, d.Body, patience)
	if s.ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.endPending()
	d.Attempts++
	d.Status, d.Problem = status, ""
	switch {
	case err == nil && status/100 == 2:
		d.State = "delivered"
	case d.Attempts > len(retries):
		d.State = "failed"
		sender.GivenUp(&d.Event)
	default:
		s.schedule(p, d, s.Scaled(retries[d.Attempts-1]))
	}
	if err != nil {
		d.Problem = err.Error()
	}
	p.Changed(d)
}

// send posts a delivery, with the fault that it meets.
func (s *Sim) send(
	f *Fault, id, address string, header http.Header, body []byte, patience time.Duration,
) (int, error) {
	reset := errors.New("connection reset")
	if f.Kind == "before" {
		return 0, reset
	}
	status, err := s.post(id, address, header, body, patience)
	switch f.Kind {
	case "dup":
		s.post(id, address, header, body, patience)
	case "after":
		return 0, reset
	}
	return status, err
}

// deliveryKey is where a request has the id of its delivery.
type deliveryKey struct{}

// DeliveryOf tells the id of the delivery that a request to Options.Deliver is of: two may be alike in all that is
// sent.
func DeliveryOf(ctx context.Context) string {
	id, _ := ctx.Value(deliveryKey{}).(string)
	return id
}

func (s *Sim) post(id, address string, header http.Header, body []byte, patience time.Duration) (int, error) {
	ctx, cancel := context.WithTimeout(context.WithValue(s.ctx, deliveryKey{}, id), patience)
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

// Delivery is the delivery of a webhook event, as the control API and the pages show it.
type Delivery struct {
	ID       string    `json:"id"`
	Type     string    `json:"type"`
	Order    int       `json:"order,omitempty"` // of Upstock
	Sale     string    `json:"sale,omitempty"`  // of Cin7 Core, by number
	URL      string    `json:"url"`
	At       time.Time `json:"at"`
	State    string    `json:"state"` // pending, delivered, failed
	Attempts int       `json:"attempts"`
	Status   int       `json:"status"`
	Problem  string    `json:"problem"`
	Next     time.Time `json:"next"`
	Body     string    `json:"body,omitempty"` // of Cin7 Core: not always JSON
}

// Deliveries lists an account's webhook deliveries at a vendor, oldest first.
// The lock is held.
func (p *Seat) Deliveries() []Delivery {
	out := make([]Delivery, len(p.deliveries))
	for i, d := range p.deliveries {
		out[i] = Delivery{d.ID, d.Type, d.Order, d.Sale, d.URL, d.At, d.State, d.Attempts, d.Status, d.Problem, d.Next,
			""}
		if d.Hook != "" {
			out[i].Body = string(d.Body)
		}
	}
	return out
}
