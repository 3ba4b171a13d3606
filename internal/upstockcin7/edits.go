package upstockcin7

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/ledger"
	"stockbridge/internal/prose"
	"stockbridge/internal/upstock"
	"stockbridge/internal/upstockcin7/order"
)

// An order may be changed in Upstock after it was sold. Nothing is sent for that: the sale is Cin7 Core's by then, and
// people have it in hand. But whoever reads the order anyway (the list of approved ones, a check, a later approval)
// compares it with what it said when its sale was planned, and keeps on the order what differs, until that agrees
// again. What it said then stands in the order as a hash, so that nothing is read or written where nothing differs.

// contents is what of an order its sale is made of, in the order of Upstock's API: its head, its lines, its foot.
type contents []part

// part is the head of an order, one of its lines, or its foot.
type part struct {
	id   int64  // of a line; 0 = it has none
	line string // which line it is, for people; "" = it is none
	said []saying
}

// saying is what an order says under a name; each part says the same names in one order.
type saying struct{ what, is string }

func contentsOf(o upstock.Order) contents {
	c := contents{{said: []saying{
		{"Customer", o.Customer.Name}, {"Customer’s id in Cin7 Core", o.Customer.ExternalID},
		{"Reference", o.Reference}, {"Delivery date", o.DeliveryDate.String()}, {"Currency", o.Currency},
		{"Delivery address", inOneLine(o.DeliveryAddress)},
	}}}
	for i, l := range o.Lines {
		c = append(c, part{
			id:   l.ID,
			line: strings.Join(texts(fmt.Sprint("Line ", i+1), prose.Within(l.SKU, 40), prose.Within(l.Name, 60)), " "),
			said: []saying{
				{"SKU", l.SKU}, {"Product", l.Name}, {"Product’s id in Cin7 Core", l.ProductExternalID},
				{"Quantity", l.Quantity.String()}, {"Unit price", money(l.UnitPrice)},
				{"Discount", percentage(&l.DiscountPercent)}, {"Tax rate", percentage(l.TaxRate)},
				{"Comment", l.Comment},
			},
		})
	}
	foot := part{said: []saying{{"Freight", ""}, {"Tax rate of freight", ""},
		{"Total", o.Totals().Total.StringFixed(2)}}}
	if f := o.Freight; f != nil && !f.Amount.IsZero() {
		foot.said[0].is, foot.said[1].is = money(f.Amount), percentage(f.TaxRate)
	}
	return append(c, foot)
}

// texts are those that say something.
func texts(list ...string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return strings.TrimSpace(s) == "" })
}

func inOneLine(a *upstock.Address) string {
	if a == nil {
		return ""
	}
	return strings.Join(texts(a.Company, a.Contact, a.Line1, a.Line2, a.City, a.Region, a.Postcode, a.Country), ", ")
}

func percentage(d *decimal.Decimal) string {
	if d == nil {
		return ""
	}
	return d.String() + " %"
}

// money is an amount with its cents, and finer where it is.
func money(d decimal.Decimal) string {
	if d.Equal(d.Round(2)) {
		return d.StringFixed(2)
	}
	return d.String()
}

// hash stands for contents: two that say the same have the same, in whatever order their lines stand and whatever ids
// they have. The mark at its front tells it from those of a version that heeded both.
func (c contents) hash() string {
	texts := make([]string, len(c))
	for i, p := range c {
		texts[i] = p.text()
	}
	slices.Sort(texts)
	sum := sha256.Sum256([]byte(strings.Join(texts, "\n")))
	return hashMark + hex.EncodeToString(sum[:12])
}

const hashMark = "2-"

// text is all that a part says.
func (p part) text() string {
	var b strings.Builder
	for _, s := range p.said {
		fmt.Fprintf(&b, "%q %q ", s.what, s.is)
	}
	return b.String()
}

// is is what a part says under a name.
func (p part) is(what string) string {
	for _, s := range p.said {
		if s.what == what {
			return s.is
		}
	}
	return ""
}

// product is which product a line is of; "" = it is no line.
func (p part) product() string {
	return cmp.Or(p.is("SKU"), p.is("Product’s id in Cin7 Core"), p.is("Product"))
}

// asBefore finds for each line what it was, as its index; -1 = it is new. Two that say the same are one; then those of
// one id and product, then of one product at one price, of one product, and at last of one id: ids may be given anew.
func asBefore(was, now contents) []int {
	ways := []func(part) string{
		part.text,
		func(p part) string { return joinedKey(p.number(), p.product()) },
		func(p part) string { return joinedKey(p.product(), p.is("Unit price")) },
		part.product,
		part.number,
	}
	of := slices.Repeat([]int{-1}, len(now))
	taken := make([]bool, len(was))
	for _, key := range ways {
		free := map[string][]int{}
		for i, p := range was {
			if k := key(p); k != "" && !taken[i] {
				free[k] = append(free[k], i)
			}
		}
		for i, p := range now {
			if list := free[key(p)]; of[i] < 0 && len(list) > 0 {
				of[i], taken[list[0]], free[key(p)] = list[0], true, list[1:]
			}
		}
	}
	return of
}

// number is a line's id; "" = it has none.
func (p part) number() string {
	if p.id == 0 {
		return ""
	}
	return strconv.FormatInt(p.id, 10)
}

// joinedKey is a key of two; "" where one is missing.
func joinedKey(a, b string) string {
	if a == "" || b == "" {
		return ""
	}
	return a + "\n" + b
}

// whole says a line in few words.
func (p part) whole() string {
	text := p.is("Quantity") + " × " + p.is("Unit price")
	if d := p.is("Discount"); d != percentage(&decimal.Decimal{}) {
		text += " less " + d
	}
	return text
}

// How many differences are kept of an order, and how much of a text.
const mostEdits, mostOfEdit = 40, 160

// editsBetween are the differences of two states of an order in the order in which the second says them; lines that it
// has no more stand behind the others.
func editsBetween(was, now contents) (list []order.Edit, more int) {
	add := func(line, what, before, after string) {
		if len(list) == mostEdits {
			more++
			return
		}
		list = append(list, order.Edit{Line: line, What: what, Was: prose.Within(before, mostOfEdit),
			Now: prose.Within(after, mostOfEdit)})
	}
	last := len(now) - 1
	before := asBefore(was[1:len(was)-1], now[1:last])
	changed := func(line string, was, now part) {
		for i, s := range now.said {
			if was := was.said[i].is; was != s.is {
				add(line, s.what, was, s.is)
			}
		}
	}
	changed("", was[0], now[0])
	for i, p := range now[1:last] {
		if before[i] < 0 {
			add(p.line, "Added", "", p.whole())
			continue
		}
		changed(p.line, was[1+before[i]], p)
	}
	for i, old := range was[1 : len(was)-1] {
		if !slices.Contains(before, i) {
			add(old.line, "Taken out", old.whole(), "")
		}
	}
	changed("", was[len(was)-1], now[last])
	return list, more
}

// compareSold compares a sold order with what Upstock says of it now, and keeps what differs. That is for people to
// look at: whoever reads orders goes on where it cannot be kept, and only the end of ctx is an error.
func (p *Pair) compareSold(ctx context.Context, r *order.Order, raw json.RawMessage) error {
	err := p.keepEdits(ctx, r, raw)
	if err == nil || ctx.Err() != nil {
		return err
	}
	p.Log.Warn("what was changed of a sold order is not kept", "tenant", r.Tenant, "order", r.ID, "error", err.Error())
	return nil
}

// keepEdits does what compareSold says. What cannot be read is not compared, nor what was sold a moment ago: this may
// be from before that.
func (p *Pair) keepEdits(ctx context.Context, r *order.Order, raw json.RawMessage) error {
	if !p.compares(r) {
		return nil
	}
	o, faults := upstock.ParseOrder(raw)
	if len(faults) > 0 {
		return nil
	}
	now := contentsOf(o)
	hash, total := now.hash(), o.Totals().Total.StringFixed(2)
	if !p.differs(r, hash, total) {
		return nil
	}
	if asSold(r, hash, total) {
		if err := p.marks.Edited(ctx, r, nil); err != nil {
			return err
		}
		return p.noteEdited(ctx, r, false)
	}
	was, err := p.soldContents(ctx, r)
	if err != nil {
		return err
	}
	edits := &order.Edits{Hash: hash, At: p.Now().UTC()}
	if was != nil {
		edits.List, edits.More = editsBetween(was, now)
	}
	if err := p.noteEdited(ctx, r, true); err != nil { // first: of one that is noted it is looked whether it is so
		return err
	}
	return p.marks.Edited(ctx, r, edits)
}

// compares reports whether an order is one whose changes in Upstock are kept.
func (p *Pair) compares(r *order.Order) bool {
	return r != nil && !r.SoldAt.IsZero() && r.State != order.Cancelled && p.Now().Sub(r.SoldAt) >= p.Times.Settle
}

// said is the hash of an order of Upstock's; "" = it cannot be read.
func said(raw json.RawMessage) string {
	o, faults := upstock.ParseOrder(raw)
	if len(faults) > 0 {
		return ""
	}
	return contentsOf(o).hash()
}

// differs reports whether compareSold would write something of an order with this hash and total.
func (p *Pair) differs(r *order.Order, hash, total string) bool {
	if hash == "" || !p.compares(r) {
		return false
	}
	if asSold(r, hash, total) {
		return r.EditsNews(nil)
	}
	return r.EditsNews(&order.Edits{Hash: hash})
}

// asSold reports whether an order with this hash and total is as it was sold. Of one whose sale an earlier version
// planned the total is all that is known.
func asSold(r *order.Order, hash, total string) bool {
	if strings.HasPrefix(r.SoldAs, hashMark) {
		return hash == r.SoldAs
	}
	return total == r.Total
}

// soldContents is what an order said when its sale was planned; nil = that is not kept here any more, as the order was
// read again since, for another reason.
func (p *Pair) soldContents(ctx context.Context, r *order.Order) (contents, error) {
	received, err := p.Orders.Received(ctx, r)
	if err != nil {
		return nil, err
	}
	_, last, _, err := p.Orders.Load(ctx, r.Tenant, r.ID)
	if err != nil {
		return nil, err
	}
	for _, body := range [][]byte{received, last} {
		o := documentOf(body).order()
		if c := contentsOf(o); asSold(r, c.hash(), o.Totals().Total.StringFixed(2)) {
			return c, nil
		}
	}
	return nil, nil
}

// docEdited lists the sold orders of a tenant that were changed in Upstock, newest first.
const docEdited = "edited"

// mostEdited is how many it lists.
const mostEdited = 100

type editedOrders struct {
	IDs []string `json:"ids"`
}

// editedFor is how long after it was seen a change is shown beside others: who wanted to follow it has by then.
const editedFor = 14 * 24 * time.Hour

// newestEdited are those of the list that may be put there just now, before their orders say so.
const newestEdited = 10

// noteEdited puts an order on the list of those that were changed, or takes it off, and with it those that are shown no
// more.
func (p *Pair) noteEdited(ctx context.Context, r *order.Order, edited bool) error {
	_, err := ledger.ChangeDoc(ctx, p.Ledger, r.Tenant, docEdited, func(d *editedOrders) (bool, error) {
		if edited == slices.Contains(d.IDs, r.ID) {
			return false, nil
		}
		runs, err := p.Orders.GetRuns(ctx, r.Tenant, d.IDs)
		if err != nil {
			return false, err
		}
		var ids []string
		if edited {
			ids = append(ids, r.ID)
		}
		for i, id := range d.IDs {
			if o := runs[id]; id != r.ID && o != nil && (p.showsEdits(o) || o.Edits == nil && i < newestEdited) {
				ids = append(ids, id)
			}
		}
		d.IDs = ids[:min(len(ids), mostEdited)]
		return true, nil
	})
	return err
}

// showsEdits reports whether an order's changes in Upstock still matter to anybody.
func (p *Pair) showsEdits(r *order.Order) bool {
	return r.Edits != nil && r.State != order.Cancelled && r.State != order.Shipped &&
		p.Now().Sub(r.Edits.At) < editedFor
}

// Edited are the sold orders of a tenant that Upstock shows otherwise than they were sold, those that were seen so last
// first, so many at most; more reports whether there are others. Those that are cancelled or shipped are not among
// them, nor those that were seen so long ago.
func (p *Pair) Edited(ctx context.Context, tenantID string, most int) (list []*order.Order, more bool, err error) {
	var d editedOrders
	if _, err := p.Ledger.Doc(ctx, tenantID, docEdited, &d); err != nil || len(d.IDs) == 0 {
		return nil, false, err
	}
	runs, err := p.Orders.GetRuns(ctx, tenantID, d.IDs)
	if err != nil {
		return nil, false, err
	}
	for _, id := range d.IDs {
		if r := runs[id]; r != nil && p.showsEdits(r) {
			list = append(list, r)
		}
	}
	more = len(list) > most
	return list[:min(len(list), most)], more, nil
}
