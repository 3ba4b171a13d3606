package completeness

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/job"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
)

// compareSome compares the next orders, oldest approval first, and writes their rows.
func (k *checking) compareSome() error {
	if k.ofOrder == nil {
		k.arrange()
	}
	if err := k.part.Short(k.ctx); err != nil {
		return &broken{err}
	}
	batch := k.orders[k.Compared:min(len(k.orders), k.Compared+comparing)]
	runs, err := k.OrdersOf(k.ctx, k.up, usableIDs(batch))
	if err != nil {
		return err
	}
	report := k.Report // as it is if a call fails in the middle
	report.Differences, report.Days = slices.Clone(report.Differences), slices.Clone(report.Days)
	var rows []Row
	for _, o := range batch {
		j := k.join(o, runs[o.ID])
		if err := k.seeEdits(j); err != nil {
			return err
		}
		if j.leftOut() {
			continue
		}
		v, err := k.compareOne(&j)
		if err != nil {
			return err
		}
		report.count(j, v)
		rows = append(rows, rowOf(j, v))
	}
	names, err := write(k, rows)
	if err != nil {
		return err
	}
	report.Rows = append(slices.Clone(report.Rows), names...)
	report.Counts.UpstockCalls, report.Counts.Cin7Calls = k.Report.Counts.UpstockCalls, k.Report.Counts.Cin7Calls
	k.Report = report
	k.Compared += len(batch)
	return k.flush()
}

// arrange sorts the orders, which are not compared in one go, and the sales by their orders.
func (k *checking) arrange() {
	slices.SortStableFunc(k.orders, func(a, b orderRow) int {
		return cmp.Or(a.first.Compare(b.first), cmp.Compare(len(a.ID), len(b.ID)), strings.Compare(a.ID, b.ID))
	})
	for i, o := range k.orders {
		k.at[o.ID] = i
	}
	k.ofOrder = map[string][]saleRow{}
	for _, s := range k.sales {
		k.ofOrder[s.Order] = append(k.ofOrder[s.Order], s)
	}
	for _, list := range k.ofOrder {
		slices.SortFunc(list, func(a, b saleRow) int {
			return cmp.Or(cmp.Compare(len(a.Number), len(b.Number)), strings.Compare(a.Number, b.Number),
				strings.Compare(a.ID, b.ID))
		})
	}
}

func usableIDs(orders []orderRow) []string {
	ids := make([]string, 0, len(orders))
	for _, o := range orders {
		if o.ID != "" {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

// join puts together what is known of an order; r is nil where it is not written down.
func (k *checking) join(o orderRow, r *order.Order) joined {
	j := joined{o: o, r: r, up: k.up, account: k.core.Account, settings: k.settings, from: k.Report.From,
		salesAt: k.SalesAt, now: k.Now(), fresh: k.Fresh, settle: k.Settle, zone: k.part.Bundle.Tenant.Zone()}
	_, j.silent = k.part.Bundle.Pauses[string(order.ShipmentsFlow)]
	if o.ID != "" {
		j.key, j.sales = k.RunID(k.up, o.ID), k.ofOrder[o.ID]
	}
	if r != nil {
		j.key = r.ID
	}
	return j
}

// ownSale is the sale that the run chose, as listed or read; nil = neither.
func (k *checking) ownSale(r *order.Order) *saleRow {
	if r == nil {
		return nil
	}
	s, ok := k.sales[r.SaleID]
	if !ok {
		return nil
	}
	return &s
}

// compareOne compares one order, and mends what costs no call.
func (k *checking) compareOne(j *joined) (verdict, error) {
	if j.r != nil && j.o.Status == upstock.StatusCancelled && j.r.Outlived(j.o.Approved) {
		if err := k.readOrder(j); err != nil { // which of the two is newer?
			return verdict{}, err
		}
	}
	if err := k.markCancelled(j); err != nil {
		return verdict{}, err
	}
	for {
		j.own = k.ownSale(j.r)
		v, err := verdictOf(*j), error(nil)
		switch v.needs {
		case needsSale:
			err = k.readSale(j)
		case needsOrder:
			err = k.readOrder(j)
		default:
			return v, k.mend(j, v)
		}
		if err != nil {
			return v, err
		}
	}
}

// readSale reads the sale that the run chose, which is not listed; of very many such it is only said that they are not.
func (k *checking) readSale(j *joined) error {
	s := saleRow{Order: j.o.ID, ID: j.r.SaleID, Number: j.r.SaleNumber, Gone: true}
	if j.unsure = k.Doubts >= maxDoubts; !j.unsure {
		if err := k.askCore(func(client *cin7core.Client) error {
			got, err := client.Sale(k.ctx, s.ID)
			if rest.KindOf(err) == rest.NotFound {
				return nil
			}
			s.Gone = false
			s.Status, s.Shipping, s.Tracking, s.Updated = got.Status, got.CombinedShippingStatus,
				prose.Short(got.CombinedTrackingNumbers), got.LastModifiedOn.UTC()
			return err
		}); err != nil {
			return err
		}
		k.Doubts++
		k.readSales = append(k.readSales, s)
	}
	k.sales[s.ID] = s
	return nil
}

// readOrder reads the order from Upstock by itself, once: it may have been told since it was listed. Of very many such
// the list counts.
func (k *checking) readOrder(j *joined) error {
	id, err := strconv.ParseInt(j.o.ID, 10, 64)
	if err != nil || j.o.Checked || k.Doubts >= maxDoubts {
		j.asked = true
		return nil
	}
	now := j.o
	if err := k.askUpstock(func(client *upstock.Client) error {
		raw, err := client.Order(k.ctx, id)
		if rest.KindOf(err) == rest.NotFound {
			now.Status = "not there"
			return nil
		}
		if err == nil {
			got, _ := orderRowOf(raw)
			now.Status, now.Total, now.Approved = got.Status, got.Total, job.Latest(got.Approved, now.Approved)
		}
		return err
	}); err != nil {
		return err
	}
	k.Doubts++
	now.Checked = true
	k.readOrders = append(k.readOrders, now)
	k.addOrder(now)
	j.o, j.asked = now, true
	return nil
}

// seeEdits has an order compared with what it was sold as, if it said something else as it was listed: then it is read
// by itself. Of very many such that is left to the checks to come.
func (k *checking) seeEdits(j joined) error {
	id, err := strconv.ParseInt(j.o.ID, 10, 64)
	if err != nil || j.r == nil || k.Doubts >= maxDoubts || !k.Differs(j.r, j.o.Said, j.o.Total) {
		return nil
	}
	var raw json.RawMessage
	if err := k.askUpstock(func(client *upstock.Client) (err error) {
		if raw, err = client.Order(k.ctx, id); rest.KindOf(err) == rest.NotFound {
			raw, err = nil, nil
		}
		return err
	}); err != nil || raw == nil {
		return err
	}
	k.Doubts++
	return k.Saw(k.ctx, j.r, raw)
}

// mend does what costs no call: it has lost orders looked for, and marks what no webhook and no poll has marked.
func (k *checking) mend(j *joined, v verdict) error {
	r := j.r
	if r == nil {
		if !k.Kicked && v.missing && j.o.ID != "" && k.up.Takes(j.o.Approved) {
			k.Kicked = true
			return k.TakeIn(k.ctx, k.part.Tenant)
		}
		return nil
	}
	if err := k.markCancelled(j); err != nil {
		return err
	}
	if j.revived() {
		return k.Marks.Approve(k.ctx, r, order.Approval{At: j.o.Approved})
	}
	s := k.ownSale(r)
	if s == nil || s.Gone || r.SoldAt.IsZero() || j.otherAccount() {
		return nil
	}
	row := cin7core.SaleRow{SaleID: s.ID, Status: s.Status, CombinedShippingStatus: s.Shipping,
		CombinedTrackingNumbers: s.Tracking, Updated: s.Updated}
	said := order.Row(row, j.now)
	if !r.Concerns(row) || said.WasRead(r) {
		return nil
	}
	return k.Marks.SaleChanged(k.ctx, r, said)
}

// markCancelled marks what is cancelled in Upstock and no webhook said.
func (k *checking) markCancelled(j *joined) error {
	if j.r == nil || j.o.Status != upstock.StatusCancelled || !j.r.Cancelled.IsZero() {
		return nil
	}
	return k.Marks.CancelListed(k.ctx, j.r, j.o.Approved)
}

// strangers adds the live sales with the id of an order that is neither in the period nor in the ledger, even now.
func (k *checking) strangers() error {
	var list []saleRow
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(k.sales)) {
		s := k.sales[id]
		if _, ok := k.at[s.Order]; ok || !s.live() {
			continue
		}
		list = append(list, s)
		if len(s.Order) <= 200 {
			ids = append(ids, s.Order)
		}
	}
	runs, err := k.OrdersOf(k.ctx, k.up, ids)
	if err != nil {
		return err
	}
	slices.SortFunc(list, func(a, b saleRow) int {
		return cmp.Or(strings.Compare(a.Number, b.Number), strings.Compare(a.ID, b.ID))
	})
	for _, s := range list {
		if runs[s.Order] == nil {
			k.Report.add(Difference{Code: DiffUnknownSale,
				Order: k.RunID(k.up, s.Order), SaleID: s.ID, Sale: s.Number,
				Message: fmt.Sprintf("The sale %s in Cin7 Core carries the id of the order %s, which Upstock does "+
					"not list in this period and Stockbridge does not know.", cmp.Or(s.Number, s.ID), s.Order),
				Fix: "Look where it comes from. Void it in Cin7 Core if it should not be there; if its order was " +
					"approved before, backfill that day."})
		}
	}
	return nil
}
