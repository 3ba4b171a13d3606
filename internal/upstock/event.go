package upstock

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/rest"
)

// The types of events.
const (
	OrderApproved  = "order.approved"
	OrderCancelled = "order.cancelled"
	Ping           = "ping"
)

// Event is what a webhook delivers: at least once, in any order, with the same ID on every retry.
type Event struct {
	ID         string // "" if it is missing or cannot be read
	Type       string
	OccurredAt time.Time // zero if it cannot be read
	SupplierID int64
	RawOrder   json.RawMessage // in order events: as received, for OrderID and ParseOrder
}

// ParseEvent reads a delivery's envelope, not the order in it. An unknown type is not an error.
func ParseEvent(body []byte) (Event, error) {
	var w struct {
		ID         string `json:"id"` // not required
		Type       string `json:"type" rest:"required"`
		OccurredAt string `json:"occurredAt"`
		SupplierID int64  `json:"supplierId" rest:"required"`
		Data       struct {
			Order json.RawMessage `json:"order"`
		} `json:"data"`
	}
	if err := rest.Unmarshal(body, &w); err != nil {
		wrong, ok := errors.AsType[rest.FieldErrors](err)
		if !ok || slices.ContainsFunc(wrong,
			func(e FieldError) bool { return e.Field != "id" && e.Field != "occurredAt" }) {
			return Event{}, fmt.Errorf("read event: %w", err)
		}
	}
	e := Event{ID: w.ID, Type: w.Type, SupplierID: w.SupplierID, RawOrder: w.Data.Order}
	e.OccurredAt, _ = rest.ParseTime(w.OccurredAt)
	if strings.HasPrefix(e.Type, "order.") && e.RawOrder == nil {
		return Event{}, errors.New("read event: data.order is missing")
	}
	return e, nil
}
