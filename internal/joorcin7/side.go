package joorcin7

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/joor"
	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/publish"
	"stockbridge/internal/rest"
)

// side is JOOR's connections as a set is told. A batch is a bulk job, which is its ticket. The job says nothing of
// single connections: once it has finished, each is looked up by its code. One that is not there yet is new, and JOOR's
// data team looks at it.
type side struct {
	*run
	client *joor.Client
}

// Most implements publish.Side.
func (s side) Most() int { return customer.MostTogether }

// Put implements publish.Side. Nothing is removed in JOOR: what is to go is forgotten here alone.
func (s side) Put(ctx context.Context, batch []publish.Telling) (answer publish.Answer, err error) {
	if err := s.touching(ctx, batch); err != nil {
		return answer, err
	}
	var all []joor.Connection
	for _, t := range batch {
		if t.Data == nil {
			answer.Results = append(answer.Results, publish.Result{ID: t.ID})
			continue
		}
		c, err := customer.ReadConnection(t.Data)
		if err != nil {
			return answer, fmt.Errorf("read what is told of %s: %w", t.ID, err)
		}
		all = append(all, sentOf(c, s.rules.Account))
	}
	if len(all) == 0 {
		return answer, nil
	}
	made, err := s.client.Upload(ctx, all)
	if err != nil {
		return publish.Answer{}, err
	}
	answer.Ticket = ticketOf(made.ID, s.Now())
	answer.Again = s.Now().Add(s.Times.MinRetry)
	return answer, nil
}

// touching notes that the rows of a call's customers will be behind.
func (s side) touching(ctx context.Context, batch []publish.Telling) error {
	if err := s.unsure(ctx); err != nil {
		return err
	}
	for _, t := range batch {
		s.touch(t.ID)
	}
	return nil
}

// lookedUpAtOnce is how many connections one question looks up; the others have the ticket still.
const lookedUpAtOnce = 50

// Follow implements publish.Side.
func (s side) Follow(ctx context.Context, ticket string, batch []publish.Telling) (publish.Answer, error) {
	if err := s.touching(ctx, batch); err != nil {
		return publish.Answer{}, err
	}
	id, sent, together := jobOf(ticket)
	if id != "" && together == 0 {
		made, again, err := s.works(ctx, id, sent)
		if err != nil || !again.IsZero() {
			return publish.Answer{Ticket: ticket, Again: again}, err
		}
		together = max(made.Records, len(batch))
		ticket += "/" + strconv.Itoa(together)
	}
	return s.lookUp(ctx, ticket, batch, together)
}

// ticketOf is a bulk job with when it was sent. Once it has ended, how many it was of follows after a slash.
func ticketOf(id string, sent time.Time) string { return id + "@" + strconv.FormatInt(sent.Unix(), 10) }

// jobOf reads a ticket. together is 0 where it is not known that the job has ended.
func jobOf(ticket string) (id string, sent time.Time, together int) {
	id, rest, _ := strings.Cut(ticket, "@")
	at, of, _ := strings.Cut(rest, "/")
	if n, err := strconv.ParseInt(at, 10, 64); err == nil {
		sent = time.Unix(n, 0)
	}
	together, _ = strconv.Atoi(of) // none follows: 0
	return id, sent, together
}

// works is when to ask again about a bulk job that JOOR still works on; zero = it does not any more. One that has not
// finished for long is not awaited: its connections are looked up all the same. An answer that refuses the question
// says nothing of the job.
func (s side) works(ctx context.Context, id string, sent time.Time) (made joor.BulkJob, again time.Time, err error) {
	made, err = s.client.BulkJob(ctx, id)
	switch {
	case rest.KindOf(err) == rest.NotFound:
		return made, again, nil
	case err != nil && !isRefusal(err), err == nil && made.IsFinished():
		return made, again, err
	}
	waited := s.Now().Sub(sent)
	if waited > s.Times.Lost {
		return made, again, nil
	}
	return made, s.Now().Add(min(max(waited/4, s.Times.MinRetry), s.Times.Longest)), nil
}

// lookUp looks connections up, as many as there is time and budget for. Where none could be, the error is the call's.
// together is how many were sent in one job; 0 = they are in review already.
func (s side) lookUp(
	ctx context.Context, ticket string, batch []publish.Telling, together int,
) (a publish.Answer, err error) {
	for _, t := range batch[:min(len(batch), lookedUpAtOnce)] {
		if err = s.Part.Short(ctx); err != nil {
			break
		}
		var res publish.Result
		if res, err = s.lookUpOne(ctx, t, together); err != nil {
			break
		}
		a.Results = append(a.Results, res)
	}
	if len(a.Results) == 0 {
		return a, err
	}
	if len(a.Results) < len(batch) {
		a.Ticket, a.Again = ticket, s.Now().Add(time.Second) // it goes on at once
		if wait, ok := errors.AsType[*rest.Wait](err); ok {
			a.Again = wait.Until
		} else if err != nil {
			a.Again = s.Now().Add(s.Times.MinRetry)
		}
	}
	return a, nil
}

// isRefusal reports whether JOOR answered, and would not say what was asked.
func isRefusal(err error) bool { return rest.KindOf(err) == rest.Invalid }

// lookUpOne looks a connection up by its code. One that is not there is in review. One that JOOR has, and holds other
// values of what cannot be typed in two ways, was not changed by its job.
func (s side) lookUpOne(ctx context.Context, t publish.Telling, together int) (res publish.Result, err error) {
	res.ID = t.ID
	c, err := customer.ReadConnection(t.Data)
	if err != nil {
		return res, fmt.Errorf("read what was told of %s: %w", t.ID, err)
	}
	found, err := s.client.ByCode(ctx, c.Code)
	switch {
	case rest.KindOf(err) == rest.NotFound:
		res.Pending, res.Ask = true, s.Now().Add(s.Times.Ask)
		if together > 0 {
			res.Due = s.due(together)
		}
		return res, nil
	case isRefusal(err): // it says nothing of the connection, which is asked for again
		res.Pending, res.Ask = true, s.Now().Add(s.Times.Longest)
		return res, nil
	case err != nil:
		return res, err
	}
	res.TheirID = found.ID
	not, err := notTaken(c, t.Was, foundOf(found, c))
	if len(not) > 0 {
		res.Refused = "JOOR's job has ended, and JOOR still holds the " + strings.Join(not, ", the ") +
			" of before. What it says of that it sends by e-mail, if it was asked to."
	}
	return res, err
}

// due is when JOOR says that it has looked at what it was sent, by how many were sent together.
func (s side) due(together int) time.Time {
	now := s.Now().UTC()
	takes := customer.Due(together, now).Sub(now)
	return now.Add(time.Duration(float64(takes) * float64(s.Times.Day) / float64(24*time.Hour)))
}

// notTaken names what JOOR was sent otherwise than it was before, and still holds as before: its job has left it out.
// What JOOR holds in yet another way it may have written in its own.
func notTaken(sent customer.Connection, was json.RawMessage, found customer.Connection) (names []string, err error) {
	if was == nil {
		return nil, nil
	}
	before, err := customer.ReadConnection(was)
	if err != nil {
		return nil, err
	}
	taken := false
	still := customer.Compare(sent, found)
	for i, f := range customer.Compare(sent, before) {
		switch {
		case !f.Differs:
		case still[i].Theirs == f.Theirs:
			names = append(names, strings.ToLower(f.Name))
		default:
			taken = true
		}
	}
	if taken { // the job does a record whole, or not at all
		return nil, nil
	}
	return names[:min(len(names), 3)], nil
}

// foundOf is a connection as JOOR has it, as far as it is mapped. like is what it is compared with: of several
// addresses, price types and payment methods the one counts that is the same.
func foundOf(x joor.Connection, like customer.Connection) customer.Connection {
	c := customer.Connection{Code: x.Code, Name: x.Name, Email: x.Email, Buyer: x.Buyer, Rep: x.SalesRep.Code,
		Group: nameOf(x.Group, like.Group)}
	for _, m := range x.PaymentMethods {
		if name := nameOf(m, like.Terms); c.Terms == "" || name == like.Terms {
			c.Terms = name
		}
	}
	c.Shipping, c.Mark, c.Phone = addressOf(x.Shipping, like.Mark)
	billing, mark, phone := addressOf(x.Billing, like.Mark)
	if c.Billing = billing; c.Mark == "" {
		c.Mark = mark
	}
	if c.Phone == "" {
		c.Phone = phone
	}
	var prices []customer.Price
	for _, p := range x.PriceTypes {
		prices = append(prices, customer.Price(p))
	}
	return c.Priced(prices, like.Price)
}

// nameOf is what a setting calls something of the account: as like does, where that is it.
func nameOf(n joor.Named, like string) string {
	if n.Name == "" || n.Code != "" && n.Code == like {
		return n.Code
	}
	return n.Name
}

// addressOf is the address that bears a code, else the first.
func addressOf(all []joor.Address, code string) (a customer.Address, mark, phone string) {
	i := max(0, slices.IndexFunc(all, func(a joor.Address) bool { return a.Code == code }))
	if len(all) == 0 {
		return a, "", ""
	}
	x := all[i]
	return customer.Address{Line1: x.Line1, Line2: x.Line2, City: x.City, State: x.Region, Postcode: x.PostalCode,
		Country: x.Country}, x.Code, x.Phone
}

// sentOf is a connection as JOOR is sent it.
func sentOf(c customer.Connection, account customer.Account) joor.Connection {
	address := func(a customer.Address) []joor.Address {
		if a == (customer.Address{}) {
			return nil
		}
		return []joor.Address{{Code: c.Mark, Line1: a.Line1, Line2: a.Line2, City: a.City, Region: a.State,
			PostalCode: a.Postcode, Country: a.Country, Phone: c.Phone}}
	}
	x := joor.Connection{
		Code: c.Code, Name: c.Name, Email: c.Email, Buyer: c.Buyer, Group: joor.Named(account.Group(c.Group)),
		Billing: address(c.Billing), Shipping: address(c.Shipping),
	}
	for _, p := range c.Prices() {
		x.PriceTypes = append(x.PriceTypes, joor.PriceType(p))
	}
	if c.Terms != "" {
		x.PaymentMethods = []joor.Named{joor.Named(account.Term(c.Terms))}
	}
	if c.Rep != "" {
		x.SalesRep = joor.SalesRep{Code: c.Rep, Email: account.RepEmail(c.Rep)}
	}
	return x
}
