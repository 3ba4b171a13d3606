package upstockcin7

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/ledger"
	"stockbridge/internal/match"
	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7/reference"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/vendor"
)

// A link remembers which Cin7 Core record a record of Upstock's is: a customer by its id, a product by its SKU. A
// person makes one, or the only card of a customer's name does; it is used after Upstock's own link, before any name is
// looked at (planner.findCustomer in package sale), and can be seen, changed and taken away.

// LinkView is a link for people.
type LinkView struct {
	From  string    // Upstock's id of the customer, or the SKU
	ID    string    // Cin7 Core's
	Name  string    // what Upstock calls it, as far as that is known
	Label string    // what Cin7 Core calls it; "" = it is not there any more
	By    string    // ledger.ByPerson and others
	At    time.Time // when it was made
}

// skuLink is the key of a SKU's link.
func (s supplier) skuLink(sku string) string { return s.key(reference.SKULink(sku)) }

// linkKey is the key of a link, and what of Upstock's it is for, cleaned; ErrNotFound for what can have none.
func linkKey(b tenant.Bundle, kind, from string) (key, clean string, err error) {
	who := supplierAt(b.Connections[tenant.Upstock])
	switch kind {
	case sale.CustomerLinks:
		id, err := strconv.ParseInt(strings.TrimSpace(from), 10, 64)
		if err != nil || id <= 0 {
			return "", "", ledger.ErrNotFound
		}
		clean = strconv.FormatInt(id, 10)
		return who.key(clean), clean, nil
	case sale.ProductLinks:
		if clean = match.Visible(from); clean == "" || len(who.skuLink(clean)) > 1000 {
			return "", "", ledger.ErrNotFound
		}
		return who.skuLink(clean), clean, nil
	}
	return "", "", ledger.ErrNotFound
}

// SetLink makes a link, as a person wants it. Orders that wait for it go on when they are retried.
// Errors: ledger.ErrNotFound where there can be no such link, tenant.FieldErrors where Cin7 Core has no such record.
func (p *Pair) SetLink(ctx context.Context, tenantID, kind, from, id string) (LinkView, error) {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return LinkView{}, err
	}
	key, clean, err := linkKey(b, kind, from)
	if err != nil {
		return LinkView{}, err
	}
	id = strings.ToLower(vendor.Pasted(id))
	label, err := p.labelOf(ctx, b, kind, id)
	if err != nil {
		return LinkView{}, err
	}
	old, err := p.Ledger.Link(ctx, tenantID, kind, key)
	if err != nil {
		return LinkView{}, err
	}
	if old.ID == id && old.By == ledger.ByPerson { // pressed twice
		return LinkView{From: clean, ID: id, Name: old.Name, Label: label, By: old.By, At: old.At}, nil
	}
	to := ledger.Link{ID: id, At: p.Now().UTC(), By: ledger.ByPerson, Name: old.Name}
	if kind == sale.ProductLinks {
		to.Name = clean
	}
	text := fmt.Sprintf("Upstock's %s %s was linked to %s in Cin7 Core.", kind, prose.Quote(clean), prose.Quote(label))
	if err := p.Ledger.SaveLink(ctx, tenantID, kind, key, to, ledger.Event{Kind: "link", Text: text}); err != nil {
		return LinkView{}, err
	}
	return LinkView{From: clean, ID: id, Name: to.Name, Label: label, By: to.By, At: to.At}, nil
}

// labelOf is what Cin7 Core calls a record, as the mirror has it, else as it is read now.
func (p *Pair) labelOf(ctx context.Context, b tenant.Bundle, kind, id string) (string, error) {
	missing := tenant.FieldErrors{{Field: "id", Message: "Cin7 Core has no " + kind + " of this id."}}
	if match.ID(id) == "" || len(id) > 100 {
		return "", missing
	}
	labels, err := p.labels(ctx, b.Tenant.ID, kind, id)
	if err != nil || labels[reference.ID(id)] != "" {
		return labels[reference.ID(id)], err
	}
	c, ok := b.Connections[tenant.Cin7Core]
	if !ok || c.State != tenant.Connected {
		return "", missing
	}
	client, err := p.asking(ctx, b)
	if err != nil {
		return "", err
	}
	label := ""
	if kind == sale.ProductLinks {
		var x cin7core.Product
		x, err = client.Product(ctx, id)
		label = productLabel(x)
	} else {
		var x cin7core.Customer
		x, err = client.Customer(ctx, id)
		label = prose.Short(x.Name)
	}
	switch {
	case err == nil:
		return cmp.Or(label, id), nil
	case rest.KindOf(err) == rest.NotFound, rest.KindOf(err) == rest.Invalid:
		return "", missing
	}
	return "", p.unanswered(ctx, b, err, "it is not known whether it has this "+kind)
}

func productLabel(x cin7core.Product) string {
	return prose.Short(strings.TrimSpace(x.SKU + " " + x.Name))
}

// labels are what Cin7 Core calls records, by their ids, as far as the mirror has them.
func (p *Pair) labels(ctx context.Context, tenantID, kind string, ids ...string) (map[string]string, error) {
	labels := map[string]string{}
	if kind == sale.ProductLinks {
		list, err := reference.Products(ctx, p.Mirror, tenantID, ids...)
		for _, x := range list {
			labels[reference.ID(x.ID)] = productLabel(x)
		}
		return labels, err
	}
	list, err := reference.Customers(ctx, p.Mirror, tenantID, ids...)
	for _, x := range list {
		labels[reference.ID(x.ID)] = prose.Short(x.Name)
	}
	return labels, err
}

// RemoveLink forgets a link; ledger.ErrNotFound where there is none.
func (p *Pair) RemoveLink(ctx context.Context, tenantID, kind, from string) error {
	b, err := p.Tenants.Load(ctx, tenantID)
	if err != nil {
		return err
	}
	key, clean, err := linkKey(b, kind, from)
	if err != nil {
		return err
	}
	text := fmt.Sprintf("The link of Upstock's %s %s was removed.", kind, prose.Quote(clean))
	return p.Ledger.RemoveLink(ctx, tenantID, kind, key, ledger.Event{Kind: "link", Text: text})
}

// Links lists a tenant's links of a kind, a page of those in which all words of q stand somewhere. It looks through at
// most so many links a page, so that a page may be short, or empty, and still have a next.
func (p *Pair) Links(
	ctx context.Context, tenantID, kind, q, after string, limit int,
) (list []LinkView, next string, err error) {
	if kind != sale.CustomerLinks && kind != sale.ProductLinks {
		return nil, "", ledger.ErrNotFound
	}
	const most = 1000
	next = after
	for looked := 0; len(list) < limit && looked < most; {
		var some []ledger.Linked
		if some, next, err = p.Ledger.ListLinks(ctx, tenantID, kind, next, limit-len(list)); err != nil {
			return nil, "", err
		}
		looked += max(len(some), 1)
		views, err := p.linkViews(ctx, tenantID, kind, some)
		if err != nil {
			return nil, "", err
		}
		for _, v := range views {
			if holds(q, v.From, v.ID, v.Name, v.Label) {
				list = append(list, v)
			}
		}
		if next == "" {
			break
		}
	}
	return list, next, nil
}

// linkViews are links as people see them.
func (p *Pair) linkViews(ctx context.Context, tenantID, kind string, links []ledger.Linked) ([]LinkView, error) {
	ids, views := make([]string, len(links)), make([]LinkView, len(links))
	for i, one := range links {
		ids[i] = one.ID
	}
	labels, err := p.labels(ctx, tenantID, kind, ids...)
	if err != nil {
		return nil, err
	}
	for i, one := range links {
		views[i] = LinkView{
			From: one.From, ID: one.ID, Name: one.Name, Label: labels[reference.ID(one.ID)], By: one.By, At: one.At,
		}
		if plain, err := url.QueryUnescape(one.From); err == nil && kind == sale.ProductLinks {
			views[i].From = cmp.Or(one.Name, plain)
		}
	}
	return views, nil
}

// holds reports whether every word of q stands in one of the texts.
func holds(q string, texts ...string) bool {
	all := match.Fold(strings.Join(texts, " "))
	for word := range strings.FieldsSeq(match.Fold(q)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

// LinkAfter reports whether a page of links may have ended with this.
func LinkAfter(kind, after string) bool {
	from := after
	if supplier, rest, two := strings.Cut(after, ":"); two {
		if supplier == "" || strings.Trim(supplier, "0123456789") != "" {
			return false
		}
		from = rest
	}
	if kind == sale.ProductLinks {
		plain, err := url.QueryUnescape(from)
		return err == nil && from != "" && url.QueryEscape(match.SKU(plain)) == from
	}
	id, err := strconv.ParseInt(from, 10, 64)
	return err == nil && id > 0 && strconv.FormatInt(id, 10) == from
}
