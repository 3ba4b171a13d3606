package cin7core

import (
	"context"
	"net/http"
	"strings"
)

// The three documents of a fulfilment are written one after the other: pick, pack, ship. Each can be written until it
// is authorised, and only once the one before it is. A second authorisation is refused.

// AuthorisePick picks a fulfilment's goods: all that the lines say, at their locations. It is refused unless the sale's
// order is authorised and the pick is not yet. An answer that does not show it as authorised is Unknown.
func (c *Client) AuthorisePick(ctx context.Context, taskID string, lines []HandlingLine) (Handling, error) {
	return c.authorise(ctx, "/sale/fulfilment/pick", taskID, lines)
}

// AuthorisePack packs what a fulfilment has picked, each line into its Box. It is refused unless the pick is authorised
// and the pack is not yet. An answer that does not show it as authorised is Unknown.
func (c *Client) AuthorisePack(ctx context.Context, taskID string, lines []HandlingLine) (Handling, error) {
	return c.authorise(ctx, "/sale/fulfilment/pack", taskID, lines)
}

func (c *Client) authorise(
	ctx context.Context, path, taskID string, lines []HandlingLine,
) (Handling, error) {
	in := wireHandling{TaskID: taskID, Status: Authorised}
	for _, l := range lines {
		in.Lines = append(in.Lines, wireHandlingLine{l.ProductID, l.SKU, l.Name, l.Location, l.LocationID, l.Box,
			number(l.Quantity), l.BatchSN, date(l.ExpiryDate)})
	}
	var out struct {
		TaskID string `rest:"guid"`
		Handling
	}
	if err := c.Do(ctx, http.MethodPost, path, nil, in, &out); err != nil {
		return Handling{}, asInvalid(err)
	}
	if !strings.EqualFold(out.TaskID, taskID) || !out.Status.Is(Authorised) {
		return Handling{}, c.MalformedAnswer(http.MethodPost, path, "the answer does not show it as authorised")
	}
	return out.Handling, nil
}

// AuthoriseShipment ships all boxes of a fulfilment's pack; each must be in a line. ID, TrackingURL and IsShipped are
// not sent as they are: the vendor makes the first two, and every line is shipped. It is refused unless the pack is
// authorised and nothing is shipped yet. An answer that does not show it as authorised is Unknown.
func (c *Client) AuthoriseShipment(ctx context.Context, taskID string, lines []ShipLine) (Shipment, error) {
	const path = "/sale/fulfilment/ship"
	in := wireShipment{TaskID: taskID, Status: Authorised}
	for _, l := range lines {
		in.Lines = append(in.Lines, wireShipLine{date(l.ShipmentDate), l.Carrier, l.Boxes, l.TrackingNumber, true})
	}
	var out struct {
		TaskID string `rest:"guid"`
		Shipment
	}
	if err := c.Do(ctx, http.MethodPost, path, nil, in, &out); err != nil {
		return Shipment{}, asInvalid(err)
	}
	if !strings.EqualFold(out.TaskID, taskID) || !out.Status.Is(Authorised) {
		return Shipment{}, c.MalformedAnswer(http.MethodPost, path, "the answer does not show it as authorised")
	}
	return out.Shipment, nil
}

type wireHandling struct {
	TaskID string
	Status Status
	Lines  []wireHandlingLine
}

type wireHandlingLine struct {
	ProductID  string `json:",omitempty"`
	SKU        string
	Name       string `json:",omitempty"`
	Location   string `json:",omitempty"`
	LocationID string `json:",omitempty"`
	Box        string `json:",omitempty"` // of a pack
	Quantity   number
	BatchSN    string `json:",omitempty"`
	ExpiryDate date   `json:",omitzero"`
}

type wireShipment struct {
	TaskID string
	Status Status
	Lines  []wireShipLine
}

type wireShipLine struct {
	ShipmentDate   date
	Carrier        string `json:",omitempty"`
	Box            string // comma-separated; an answer has Boxes
	TrackingNumber string `json:",omitempty"`
	IsShipped      bool
}
