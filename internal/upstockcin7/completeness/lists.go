package completeness

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/sale"
)

// orderRow is an approved order as Upstock lists it.
type orderRow struct {
	ID        string    `json:"id"` // "" = it has no usable one
	Number    string    `json:"n,omitempty"`
	Reference string    `json:"r,omitempty"`
	Approved  time.Time `json:"a,omitzero"`
	Status    string    `json:"s"`
	Total     string    `json:"t"`
	Currency  string    `json:"c,omitempty"`
	External  string    `json:"e,omitempty"` // the sale's number that Upstock shows
	Checked   bool      `json:"k,omitempty"` // read by itself, after the list
	Said      string    `json:"d,omitempty"` // stands for all that it said as it was listed; "" = it cannot be read

	// first is Approved as it was read first: the order's place while a check runs, however often it is approved again.
	first time.Time
}

// saleRow is a sale of an order as Cin7 Core lists it.
type saleRow struct {
	Order    string          `json:"o"` // what its ExternalID names
	ID       string          `json:"i"`
	Number   string          `json:"n,omitempty"`
	Status   cin7core.Status `json:"s,omitempty"`
	Shipping cin7core.Status `json:"h,omitempty"`
	Tracking string          `json:"t,omitempty"`
	Updated  time.Time       `json:"u,omitzero"`
	Gone     bool            `json:"g,omitempty"` // Cin7 Core says that there is none
}

func (s *saleRow) live() bool { return !s.Gone && !s.Status.Is(cin7core.Voided) }

// since is from when orders are listed.
func (k *checking) since() time.Time {
	if k.First.IsZero() {
		return k.Report.From
	}
	return k.First
}

// ordersPage takes in a page of the approved orders, oldest approval first.
func (k *checking) ordersPage() error {
	page, turns, err := k.askOrders()
	if err != nil {
		return err
	}
	rows, past := k.approved(page.Orders)
	for _, o := range rows {
		if k.addOrder(o) {
			k.Listed++
		}
	}
	names, err := write(k, rows)
	if err != nil {
		return err
	}
	k.Orders, k.After, k.Turns = append(k.Orders, names...), page.Next, turns
	if past || page.Next == "" {
		k.Phase, k.After, k.Turns, k.SalesAt = listSales, "", nil, k.Now().UTC()
	}
	return nil
}

// askOrders reads the page of orders that is next, with the pages of its list as they are known with it.
func (k *checking) askOrders() (page upstock.Page, turns []byte, err error) {
	err = k.askUpstock(func(client *upstock.Client) (err error) {
		page, err = client.OrdersPage(k.ctx, upstock.OrdersQuery{ApprovedSince: k.since(), After: k.After, Limit: 100})
		if job.RefusedPage(err) { // it does not know the page any more: the list begins anew
			k.After, k.Turns = "", nil
		}
		if err == nil && page.Next != "" {
			if turns, err = job.Turn(k.Turns, page.IDs(), page.Next); err != nil {
				err = client.MalformedAnswer(http.MethodGet, "/orders", err.Error())
			}
		}
		return err
	})
	return page, turns, err
}

// approved returns the orders of a page that were approved in the time that is checked; past says that one was approved
// after it.
func (k *checking) approved(orders []json.RawMessage) (rows []orderRow, past bool) {
	for _, raw := range orders {
		o, unreadable := orderRowOf(raw)
		switch {
		// the filter was ignored
		case o.Approved.IsZero() && !unreadable || !o.Approved.IsZero() && o.Approved.Before(k.since()):
		case !o.Approved.Before(k.Until):
			past = true
		default:
			o.Said = k.Said(raw)
			rows = append(rows, o)
		}
	}
	return rows, past
}

// orderRowOf reads an order of the list; unreadable says that it does not tell when it was approved.
func orderRowOf(raw json.RawMessage) (row orderRow, unreadable bool) {
	o, faults := upstock.ParseOrder(raw)
	row = orderRow{Number: prose.Short(o.OrderNumber), Reference: prose.Short(o.Reference),
		Status: prose.Short(o.Status), Total: o.Totals().Total.StringFixed(2), Currency: prose.Short(o.Currency)}
	if id, ok := upstock.OrderID(raw); ok {
		row.ID = strconv.FormatInt(id, 10)
	}
	if !o.ApprovedAt.IsZero() {
		row.Approved = o.ApprovedAt.UTC()
	}
	if o.External != nil {
		row.External = prose.Short(o.External.Number)
	}
	return row, slices.ContainsFunc(faults, func(f upstock.FieldError) bool { return f.Field == "approvedAt" })
}

// shortPasses bounds how often a list of several pages is read again only because
// it shows fewer sales than it counts: a total may count what is never listed.
const shortPasses = 3

// salesPage reads a page of the sales made since the period began. Their list neither ends at a time nor has a
// documented order: several pages are read again, unless a pass saw as many sales as the list says there are, until
// one brings no new sale of ours.
func (k *checking) salesPage() error {
	if k.SalesAt.IsZero() {
		k.SalesAt = k.Now().UTC()
	}
	var page cin7core.Page[cin7core.SaleRow]
	q := cin7core.SalesQuery{CreatedSince: k.Report.From.Add(-job.FarAhead), Page: k.Page} // the two clocks may differ
	if err := k.askCore(func(client *cin7core.Client) (err error) {
		page, err = client.SalesPage(k.ctx, q)
		return err
	}); err != nil {
		return err
	}
	whole, short := k.counted(page)
	rows, err := k.ours(page.Items)
	if err != nil {
		return err
	}
	names, err := write(k, rows)
	if err != nil {
		return err
	}
	k.Sales = append(k.Sales, names...)
	k.Pages++
	switch {
	case page.More:
		k.Page++
	case k.Pages > 1 && k.Passes < job.MaxPasses && k.News && !whole, k.Pages > 1 && k.Passes < shortPasses && short:
		k.Page, k.Pages, k.News, k.Passes = 1, 0, false, k.Passes+1
	default:
		k.Phase = compare
	}
	return nil
}

// counted reports whether the running pass saw as many sales as the list says there are, or fewer; neither, where
// that is not known.
func (k *checking) counted(page cin7core.Page[cin7core.SaleRow]) (whole, short bool) {
	if k.Page <= 1 {
		k.listed, k.total = map[string]bool{}, 0
	}
	if k.listed == nil { // the pass was begun by another run
		return false, false
	}
	for _, x := range page.Items {
		k.listed[x.SaleID] = true
	}
	if k.total = max(k.total, page.Total); k.total == 0 {
		return false, false
	}
	whole = len(k.listed) >= k.total
	return whole, !whole
}

// ours keeps what is new of the rows: the sales of the period's orders, and those that name orders that nobody here
// knows. Sales of orders that were approved before or after the period are none of its business.
func (k *checking) ours(list []cin7core.SaleRow) ([]saleRow, error) {
	prefix := sale.ExternalID(k.up.Account, "")
	var rows []saleRow
	var others []string
	for _, x := range list {
		id, ours := strings.CutPrefix(x.ExternalID, prefix)
		if !ours || id == "" || k.known[id] {
			continue
		}
		row := saleRow{Order: prose.Short(id), ID: x.SaleID, Number: prose.Short(x.OrderNumber), Status: x.Status,
			Shipping: x.CombinedShippingStatus, Tracking: prose.Short(x.CombinedTrackingNumbers),
			Updated: x.Updated.UTC()}
		if old, ok := k.sales[row.ID]; ok && !row.Updated.After(old.Updated) {
			continue
		}
		if _, ok := k.at[id]; !ok {
			if x.OrderDate.After(k.Until.AddDate(0, 0, 2)) { // placed later, so approved later
				continue
			}
			if len(id) <= 200 {
				others = append(others, id)
			}
		}
		rows = append(rows, row)
	}
	runs, err := k.OrdersOf(k.ctx, k.up, others)
	if err != nil {
		return nil, err
	}
	for _, id := range others {
		k.known[id] = runs[id] != nil
	}
	rows = slices.DeleteFunc(rows, func(r saleRow) bool { return k.known[r.Order] })
	for _, r := range rows {
		if _, ok := k.sales[r.ID]; !ok {
			k.News = true
		}
		k.sales[r.ID] = r
	}
	return rows, nil
}
