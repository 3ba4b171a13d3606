package cin7core

import (
	"net/http"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// The calls below /sale/fulfilment: a task and its three documents, pick, pack and
// ship. A document can be written until it is authorised, and only once the one
// before is.

// tasksDoc is the answer of /sale/fulfilment: all tasks, also voided ones.
type tasksDoc struct {
	SaleID      string
	Fulfilments []fulfilment
}

func (c *call) tasksDoc(r *saleRecord) tasksDoc {
	if c.flag("IncludeProductInfo") {
		return tasksDoc{r.Sale.ID, c.render(r).Fulfilments}
	}
	return tasksDoc{r.Sale.ID, cloneFulfilments(r.Sale.Fulfilments)}
}

func (c *call) getFulfilments() (any, error) {
	r, err := c.saleParam("SaleID")
	if err != nil {
		return nil, err
	}
	return c.tasksDoc(r), nil
}

// postFulfilment adds a task, which makes a simple sale an advanced one. As in the
// vendor's example, its pick is a draft without lines.
func (c *call) postFulfilment() (any, error) {
	var in struct{ SaleID string }
	if err := (decoder{}).decode(c.Body, &in); err != nil {
		return nil, err
	}
	if in.SaleID == "" {
		return nil, missing("SaleID")
	}
	r, err := c.findSale(in.SaleID)
	if err != nil {
		return nil, err
	}
	if err := r.Sale.mayAddTask(); err != nil {
		return nil, err
	}
	f := c.addTask(&r.Sale)
	r.Sale.Type, f.Pick.Status = advancedSale, draft
	c.touch(r)
	return c.tasksDoc(r), nil
}

func (x *sale) mayAddTask() error {
	switch {
	case x.ServiceOnly:
		return refuse("This endpoint is not available for Service Sale")
	case x.Order.Status != authorised:
		return refuse("Sale order is not AUTHORISED")
	case slices.ContainsFunc(x.Fulfilments, func(f fulfilment) bool {
		return f.Pick.Status != authorised && f.Pick.Status != voided
	}):
		return refuse("Sale has a fulfilment whose pick is not AUTHORISED")
	}
	return nil
}

// deleteFulfilment takes a task back one stage, or voids it.
func (c *call) deleteFulfilment() (any, error) {
	id, _ := c.has("TaskID")
	r, f, err := c.task(id)
	if err != nil {
		return nil, err
	}
	if r.Sale.Type != advancedSale {
		return nil, refuse("Fulfilment of %s can not be undone or voided", r.Sale.Type)
	}
	if err := c.undoTask(r, f, c.flag("Void")); err != nil {
		return nil, err
	}
	c.touch(r)
	return c.tasksDoc(r), nil
}

// undoTask takes a task back one stage: the shipment, whose lines stay, then the
// pack, then the pick to a draft. A voided task is empty.
func (c *call) undoTask(r *saleRecord, f *fulfilment, void bool) error {
	switch {
	case f.Pick.Status == voided:
		return refuse("Fulfilment is already voided")
	case void:
		c.changeTask(r, f, func() {
			f.Pick, f.Pack = pick{voided, []pickLine{}}, pack{voided, []packLine{}}
			f.Ship.Status, f.Ship.Lines = voided, []shipLine{}
		})
	case f.Ship.Status != notAvailable:
		c.changeTask(r, f, func() { f.Ship.Status = notAvailable })
	case f.Pack.Status == authorised:
		f.Pack.Status = draft
	case f.Pick.Status == authorised:
		f.Pick.Status, f.Pack = draft, pack{notAvailable, []packLine{}}
	default:
		return refuse("Fulfilment has nothing to undo")
	}
	c.notify("Sale/Undo", r, nil)
	return nil
}

// task returns the task with an id, and its sale.
func (c *company) task(id string) (*saleRecord, *fulfilment, error) {
	if id == "" {
		return nil, nil, missing("TaskID")
	}
	for _, r := range c.Sales {
		for i := range r.Sale.Fulfilments {
			if f := &r.Sale.Fulfilments[i]; strings.EqualFold(f.TaskID, id) {
				return r, f, nil
			}
		}
	}
	return nil, nil, refuse("Task with ID '%s' was not found", id)
}

func (c *call) taskParam() (*fulfilment, error) {
	id, _ := c.has("TaskID")
	_, f, err := c.task(id)
	return f, err
}

type pickDoc struct {
	TaskID string
	pick
}

type packDoc struct {
	TaskID string
	pack
}

type shipDoc struct {
	TaskID string
	ship
}

func (c *call) getPick() (any, error) {
	f, err := c.taskParam()
	if err != nil {
		return nil, err
	}
	return pickDoc{f.TaskID, f.Pick}, nil
}

func (c *call) getPack() (any, error) {
	f, err := c.taskParam()
	if err != nil {
		return nil, err
	}
	return packDoc{f.TaskID, f.Pack}, nil
}

func (c *call) getShip() (any, error) {
	f, err := c.taskParam()
	if err != nil {
		return nil, err
	}
	return shipDoc{f.TaskID, f.Ship}, nil
}

// handlingBody is the body of pick and pack: POST adds lines, PUT replaces them.
type handlingBody struct {
	TaskID, Status, AutoPickMode string
	Lines                        []handlingLine
}

type handlingLine struct {
	ProductID, SKU, Name, Location, LocationID, Box string
	Quantity                                        *number
	BatchSN, ExpiryDate, WarrantyRegistrationNumber opt
}

func (c *call) readHandlingBody() (in handlingBody, r *saleRecord, f *fulfilment, err error) {
	if err = (decoder{}).decode(c.Body, &in); err == nil {
		r, f, err = c.task(in.TaskID)
	}
	return in, r, f, err
}

// checkWritable checks whether a document may be written, and with a status.
func checkWritable(what, status, to string) error {
	switch {
	case status != draft && status != notAvailable:
		return refuse("%s can not be changed: its status is %s", what, status)
	case to == "":
		return missing("Status")
	case to != draft && to != authorised:
		return badValue{"Status"}
	}
	return nil
}

// writePick picks the lines of the body, or automatically whatever is in stock and
// not picked by another task.
func (c *call) writePick() (any, error) {
	in, r, f, err := c.readHandlingBody()
	if err != nil {
		return nil, err
	}
	x := &r.Sale
	if x.Order.Status != authorised {
		return nil, refuse("Sale order is not AUTHORISED")
	}
	auto := false
	switch in.AutoPickMode {
	case "", "NOPICK":
	case "AUTOPICK":
		auto, in.Status = true, authorised
	default:
		return nil, badValue{"AutoPickMode"}
	}
	if err := checkWritable("Pick", f.Pick.Status, in.Status); err != nil {
		return nil, err
	}
	lines := c.unpicked(x, f, true)
	if auto && len(lines) == 0 {
		return nil, refuse("There is no stock to pick")
	}
	if !auto {
		if lines, err = c.pickLines(in, x, f, lines); err != nil {
			return nil, err
		}
	}
	f.Pick = pick{in.Status, lines}
	c.touch(r)
	return pickDoc{f.TaskID, f.Pick}, nil
}

// pickLines returns the lines that a task's pick gets, which must be in stock.
func (c *call) pickLines(in handlingBody, x *sale, f *fulfilment, inStock []pickLine) ([]pickLine, error) {
	most := map[string]decimal.Decimal{}
	for _, l := range inStock {
		most[l.ProductID] = most[l.ProductID].Add(l.Quantity.Decimal)
	}
	lines := []pickLine{}
	if c.Method == http.MethodPost {
		lines = slices.Clone(f.Pick.Lines)
	}
	for i := range in.Lines {
		l, err := c.readHandling(x, &in.Lines[i])
		if err != nil {
			return nil, err
		}
		lines = append(lines, pickLine{l.ProductID, l.SKU, l.Name, l.Location, l.LocationID, l.Quantity, l.BatchSN,
			l.ExpiryDate, false, nil})
	}
	if in.Status == authorised && len(lines) == 0 {
		return nil, missing("Lines")
	}
	for _, l := range lines {
		if most[l.ProductID] = most[l.ProductID].Sub(l.Quantity.Decimal); most[l.ProductID].IsNegative() {
			return nil, refuse("Product '%s': there is not as much in stock for the order", l.SKU)
		}
	}
	return lines, nil
}

func (c *call) writePack() (any, error) {
	in, r, f, err := c.readHandlingBody()
	if err != nil {
		return nil, err
	}
	if f.Pick.Status != authorised {
		return nil, refuse("Pick is not AUTHORISED")
	}
	if err := checkWritable("Pack", f.Pack.Status, in.Status); err != nil {
		return nil, err
	}
	lines := []packLine{}
	if c.Method == http.MethodPost {
		lines = slices.Clone(f.Pack.Lines)
	}
	for i := range in.Lines {
		l, err := c.readHandling(&r.Sale, &in.Lines[i])
		if err != nil {
			return nil, err
		}
		lines = append(lines, l)
	}
	if in.Status == authorised && len(lines) == 0 {
		return nil, missing("Lines")
	}
	most := map[string]decimal.Decimal{}
	for _, l := range f.Pick.Lines {
		most[l.ProductID] = most[l.ProductID].Add(l.Quantity.Decimal)
	}
	for _, l := range lines {
		if most[l.ProductID] = most[l.ProductID].Sub(l.Quantity.Decimal); most[l.ProductID].IsNegative() {
			return nil, refuse("Product '%s': more is packed than was picked", l.SKU)
		}
	}
	f.Pack = pack{in.Status, lines}
	c.touch(r)
	return packDoc{f.TaskID, f.Pack}, nil
}

// readHandling reads and checks a line of pick or pack. Stock is held for a sale
// only at its own location; a line without a box is in "Box 1" (both decided).
func (c *call) readHandling(x *sale, b *handlingLine) (packLine, error) {
	var none packLine
	p, err := c.handled(b)
	if err != nil {
		return none, err
	}
	i := slices.IndexFunc(x.Order.Lines, func(l line) bool { return l.ProductID == p.ID })
	if i < 0 {
		return none, refuse("Product '%s' is not on the order", p.SKU)
	}
	if b.Location == "" && b.LocationID == "" {
		return none, missing("Location")
	}
	l := c.location(x.Location)
	if b.LocationID != "" && !strings.EqualFold(b.LocationID, l.ID) ||
		b.LocationID == "" && !strings.EqualFold(b.Location, l.Name) {
		return none, refuse("Product '%s' is not available in location '%s'", p.SKU, b.Location+b.LocationID)
	}
	if b.Quantity == nil {
		return none, missing("Quantity")
	}
	if b.Quantity.Sign() <= 0 || places(b.Quantity.Decimal) > 4 {
		return none, badValue{"Quantity"}
	}
	if err := tooLong("BatchSN", string(b.BatchSN), 50); err != nil {
		return none, err
	}
	if err := tooLong("Box", b.Box, 256); err != nil {
		return none, err
	}
	if b.Box = strings.TrimSpace(b.Box); b.Box == "" {
		b.Box = "Box 1"
	}
	if strings.Contains(b.Box, ",") { // it separates boxes in a shipment
		return none, badValue{"Box"}
	}
	return packLine{ProductID: p.ID, SKU: p.SKU, Name: x.Order.Lines[i].Name, Location: l.Name, LocationID: l.ID,
		Box: b.Box, Quantity: *b.Quantity, BatchSN: b.BatchSN, ExpiryDate: b.ExpiryDate,
		WarrantyRegistrationNumber: b.WarrantyRegistrationNumber}, nil
}

// handled is the product that a line of pick or pack names.
func (c *call) handled(b *handlingLine) (*product, error) {
	if b.SKU == "" && b.ProductID == "" {
		return nil, missing("SKU")
	}
	if b.SKU == "" {
		if p := c.product(b.ProductID); p != nil {
			return p, nil
		}
		return nil, unknown("Product", b.ProductID)
	}
	p := c.productSKU(b.SKU)
	if p == nil || b.ProductID != "" && !strings.EqualFold(p.ID, b.ProductID) {
		return nil, unknown("Product", b.SKU)
	}
	return p, nil
}

// shipBody is the body of ship. Its lines name their boxes in Box, where answers
// have Boxes.
type shipBody struct {
	TaskID, Status           string
	RequireBy, ShippingNotes *string
	ShippingAddress          *addressBody
	AddTrackingNumbers       bool
	Lines                    []struct {
		ShipmentDate, Carrier, Box, TrackingNumber string
		IsShipped                                  *bool
	}
}

// writeShip writes a shipment. POST begins it, or adds to a draft; PUT replaces it
// and must list every box of the pack. What has left cannot be changed, except
// tracking number and carrier with AddTrackingNumbers.
func (c *call) writeShip() (any, error) {
	var in shipBody
	if err := (decoder{}).decode(c.Body, &in); err != nil {
		return nil, err
	}
	r, f, err := c.task(in.TaskID)
	if err != nil {
		return nil, err
	}
	replace := c.Method == http.MethodPut
	switch {
	case f.Pack.Status != authorised:
		return nil, refuse("Pack is not AUTHORISED")
	case f.Ship.Status == authorised && !(replace && in.AddTrackingNumbers),
		f.Ship.Status == partlyAuthorised && !replace:
		return nil, refuse("Shipment can not be changed: its status is %s", f.Ship.Status)
	case in.Status == "":
		return nil, missing("Status")
	case in.Status != draft && in.Status != partlyAuthorised && in.Status != authorised,
		in.Status == draft && f.shipped():
		return nil, badValue{"Status"}
	}
	next := ship{in.Status, f.Ship.RequireBy, f.Ship.ShippingAddress, f.Ship.ShippingNotes, nil}
	if next.Lines, err = f.nextShipLines(&in, replace); err != nil {
		return nil, err
	}
	if in.Status != draft {
		next.Status = partlyAuthorised
	}
	if err := f.checkBoxes(&in, &next, replace); err != nil {
		return nil, err
	}
	if err := next.readRest(&in); err != nil {
		return nil, err
	}
	c.changeTask(r, f, func() { f.Ship = next; f.completeShip() })
	c.touch(r)
	return shipDoc{f.TaskID, f.Ship}, nil
}

// nextShipLines returns the lines after a write: those that it sends and, if it
// adds to a draft, the draft's lines for other boxes.
func (f *fulfilment) nextShipLines(in *shipBody, replace bool) (next []shipLine, err error) {
	named := map[string]bool{}
	for _, b := range in.Lines {
		l, err := f.readShipLine(b.ShipmentDate, b.Carrier, b.Box, b.TrackingNumber, named)
		if err != nil {
			return nil, err
		}
		l.IsShipped = in.Status == authorised
		if b.IsShipped != nil {
			l.IsShipped = *b.IsShipped
		}
		next = append(next, l)
	}
	if replace || f.Ship.Status != draft {
		return next, nil
	}
	for _, l := range f.Ship.Lines {
		if !slices.ContainsFunc(splitBoxes(l.Boxes), func(b string) bool { return named[b] }) {
			next = append(next, l)
		}
	}
	return next, nil
}

// checkBoxes checks whether every box of the pack may be as the next shipment has it.
func (f *fulfilment) checkBoxes(in *shipBody, next *ship, replace bool) error {
	for _, b := range f.boxes() {
		l, was := next.lineOf(b), f.Ship.lineOf(b)
		if l == nil && (replace || in.Status == authorised) {
			return refuse("Box '%s' is not listed", b)
		}
		if in.Status == authorised && !l.IsShipped {
			return refuse("Box '%s' is not shipped", b)
		}
		if !f.isShipped(b) {
			continue
		}
		if !l.IsShipped || l.Boxes != was.Boxes {
			return refuse("Box '%s' is already shipped", b)
		}
		if !in.AddTrackingNumbers && (l.TrackingNumber != was.TrackingNumber || l.Carrier != was.Carrier) {
			return refuse("Tracking of box '%s' can not be changed without AddTrackingNumbers", b)
		}
		l.ShipmentDate = was.ShipmentDate
	}
	if next.Status == partlyAuthorised && !slices.ContainsFunc(f.boxes(), next.hasLeft) {
		return refuse("No box is shipped")
	}
	return nil
}

func (f *fulfilment) readShipLine(day, carrier, box, number string, named map[string]bool) (shipLine, error) {
	l := shipLine{Carrier: carrier, TrackingNumber: number, TrackingURL: trackingURL(carrier, number)}
	boxes := splitBoxes(box)
	if len(boxes) == 0 {
		return l, missing("Box")
	}
	for _, b := range boxes {
		if !slices.Contains(f.boxes(), b) {
			return l, refuse("Box '%s' was not found in the pack", b)
		}
		if named[b] {
			return l, refuse("Box '%s' is listed twice", b)
		}
		named[b] = true
	}
	l.Boxes = strings.Join(boxes, ",")
	if day == "" {
		return l, missing("ShipmentDate")
	}
	var err error
	if l.ShipmentDate, err = dateOf(day); err != nil {
		return l, badValue{"ShipmentDate"}
	}
	if err := tooLong("Carrier", carrier, 256); err != nil {
		return l, err
	}
	return l, tooLong("TrackingNumber", number, 256)
}

// readRest reads the fields of a shipment beside its lines.
func (s *ship) readRest(in *shipBody) error {
	if in.RequireBy != nil {
		s.RequireBy = ""
		if *in.RequireBy != "" {
			d, err := dateOf(*in.RequireBy)
			if err != nil {
				return badValue{"RequireBy"}
			}
			s.RequireBy = opt(d)
		}
	}
	if in.ShippingNotes != nil {
		if err := tooLong("ShippingNotes", *in.ShippingNotes, 1024); err != nil {
			return err
		}
		s.ShippingNotes = *in.ShippingNotes
	}
	if a := in.ShippingAddress; a != nil {
		if a.Line1 == "" {
			return missing("Line1")
		}
		card := cardAddress{Line1: a.Line1, Line2: a.Line2, City: a.City, State: a.State, Postcode: a.Postcode,
			Country: a.Country}
		s.ShippingAddress = shippingAddress{a.ID, card.onSale(), a.Company, a.Contact, a.ShipToOther}
	}
	return nil
}
