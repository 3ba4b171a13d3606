package console

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

type eventAnswer struct {
	At    time.Time `json:"at"`
	Kind  string    `json:"kind"`
	Order orderID   `json:"order,omitempty"`
	Text  string    `json:"text"`
	Count int       `json:"count,omitempty"`
	Actor string    `json:"actor,omitempty"` // who did it: the operator, or a token by its name and id
}

func eventOf(e ledger.Event) eventAnswer {
	return eventAnswer{e.At, e.Kind, orderID(e.Order), e.Text, e.Count, e.Actor}
}

func (a *api) listEvents(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after, limit, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	f, err := a.eventFilter(r, b, r.URL.Query())
	if err != nil {
		return err
	}
	events, next, err := a.eventsOf(r, b, f, after, limit)
	if err != nil {
		return err
	}
	var items []eventAnswer
	for _, e := range events {
		items = append(items, eventOf(e))
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

// eventsOf reads one page of a tenant's events.
func (a *api) eventsOf(
	r *http.Request, b tenant.Bundle, f ledger.EventFilter, after string, limit int,
) (list []ledger.Event, next string, err error) {
	if after != "" && !ledger.IsEventKey(after) {
		return nil, "", unknownAfter()
	}
	list, next, err = a.Ledger.FindEvents(r.Context(), b.Tenant.ID, f, after, limit)
	if errors.Is(err, ledger.ErrAfter) {
		err = unknownAfter()
	}
	return list, next, err
}

// eventFilter reads which events are asked for: those of kinds, of an order, by people, and of days.
func (a *api) eventFilter(
	r *http.Request, b tenant.Bundle, q url.Values,
) (f ledger.EventFilter, err error) {
	if kind := q.Get("kind"); kind != "" {
		f.Kinds = strings.Split(kind, ",")
	}
	var errs tenant.FieldErrors
	switch by := q.Get("by"); by {
	case "people":
		f.People = true
	case "":
	default:
		errs = append(errs, tenant.FieldError{Field: "by", Message: "Say people, or nothing."})
	}
	f.From, f.Until, err = someDays(b, q)
	faults, refused := errors.AsType[tenant.FieldErrors](err)
	if err != nil && !refused {
		return f, err
	}
	if errs = errs.Add(faults); errs != nil {
		return f, errs
	}
	f.Order, err = a.orderNamed(r, b, strings.TrimSpace(q.Get("order")))
	return f, err
}

// orderNamed is the id of the order that a text names: by its id, or by its number. Of a text that names none it is the
// text, which finds nothing, or what happened to an order that is not here.
func (a *api) orderNamed(r *http.Request, b tenant.Bundle, text string) (string, error) {
	if text == "" {
		return "", nil
	}
	const some = 10
	list, err := a.ordersOf(r, b, "", text, "", some)
	if err != nil {
		return "", err
	}
	for _, run := range list.Runs {
		if run.ID == text || strings.EqualFold(run.Number, text) {
			return run.ID, nil
		}
	}
	return text, nil
}

// A file of events is read in so many steps at most, each of so many events.
const (
	eventSteps  = 100
	eventsAStep = 500
)

// eventColumns are those of a file of events.
func eventColumns() []string { return []string{"at", "kind", "text", "order", "count", "who"} }

// eventCells are an event's, in the order of eventColumns.
func eventCells(e ledger.Event, zone *time.Location) []string {
	return []string{fileTime(e.At, zone), e.Kind, e.Text, e.Order, strconv.Itoa(max(e.Count, 1)), e.Actor}
}

// eventsSheet answers the events that a filter chooses, newest first.
func (a *api) eventsSheet(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	f, err := a.eventFilter(r, b, r.URL.Query())
	if err != nil {
		return err
	}
	zone, after := zoneOf(b), ""
	out, err := a.newSheet(r, "Activity", []string{"count"}, eventColumns()...)
	if err != nil {
		return err
	}
	for step := 0; ; step++ {
		if step == eventSteps {
			return tooLong("too many")
		}
		events, next, err := a.eventsOf(r, b, f, after, eventsAStep)
		if err != nil {
			return err
		}
		for _, e := range events {
			if err := out.line(eventCells(e, zone)...); err != nil {
				return err
			}
		}
		if after = next; next == "" {
			return out.send(w, r, "activity-"+time.Now().In(zone).Format(time.DateOnly))
		}
	}
}
