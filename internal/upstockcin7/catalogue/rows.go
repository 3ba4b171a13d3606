package catalogue

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/mirror"
)

// The kinds of rows in the mirror.
const (
	ProductKind  = "catalogproduct"
	CustomerKind = "catalogcustomer"
	OwnKind      = "ownprices"
)

// mostOwn is how many own prices a row holds.
const mostOwn = 1000

// ownRow is a row of a customer's own prices.
type ownRow struct {
	Prices   []OwnPrice `json:"prices"`
	Modified time.Time  `json:"modified,omitzero"` // of the customer
}

// ProductRows are the rows of a product; none where it has no id.
func ProductRows(x cin7core.Product) []mirror.Row {
	p := ProductOf(x)
	if p.ID == "" {
		return nil
	}
	if p.ImageURL != "" {
		p.ImageRead = time.Now().UTC().Truncate(time.Second)
	}
	row := rowOf(ProductKind, p.ID, p)
	row.Over = p.over
	return []mirror.Row{row}
}

// LinkGood is for how long the link to an image is taken to work. Cin7 Core does not say how long it does.
const LinkGood = 40 * time.Minute

// over is what is kept of p where it was read before: the link to an image is another one with each reading, and stays
// what it was while it works and the image is the same.
func (p Product) over(was json.RawMessage) json.RawMessage {
	old, err := ReadProduct(mirror.Row{Data: was})
	if err == nil && older(p.Modified, old.Modified) {
		return was
	}
	if err == nil && p.ImageURL != "" && old.ImageID == p.ImageID && old.ImageURL != "" &&
		p.ImageRead.Sub(old.ImageRead) < LinkGood {
		p.ImageURL, p.ImageRead = old.ImageURL, old.ImageRead
	}
	return rowOf(ProductKind, p.ID, p).Data
}

// older reports whether a record that was read is an older one than the mirror has, by when each was changed: answers
// to several readers may be kept in another order than they were given. A time that is to come is not believed.
func older(read, had time.Time) bool {
	return !read.IsZero() && read.Before(had) && had.Before(time.Now().Add(48*time.Hour))
}

// unlessOlder has a row stay where what it has is newer than what was read.
func unlessOlder[T any](row mirror.Row, read time.Time, changed func(T) time.Time) mirror.Row {
	row.Over = func(was json.RawMessage) json.RawMessage {
		var old T
		if json.Unmarshal(was, &old) == nil && older(read, changed(old)) {
			return was
		}
		return row.Data
	}
	return row
}

// CustomerRows are the rows of a customer, who was read with own prices; none where there is no id.
func CustomerRows(x cin7core.Customer) []mirror.Row {
	c, own := CustomerOf(x)
	if c.ID == "" {
		return nil
	}
	rows := []mirror.Row{unlessOlder(rowOf(CustomerKind, c.ID, c), c.Modified,
		func(was Customer) time.Time { return was.Modified })}
	for part := range slices.Chunk(own, mostOwn) {
		key := mirror.Numbered(OwnKind, c.ID, len(rows)-1)
		rows = append(rows, unlessOlder(rowOf(OwnKind, key.ID, ownRow{part, c.Modified}), c.Modified,
			func(was ownRow) time.Time { return was.Modified }))
	}
	return rows
}

func rowOf(kind, id string, v any) mirror.Row {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // these types have a JSON form whatever they hold
	}
	return mirror.Row{Key: mirror.Key{Kind: kind, ID: id}, Data: data}
}

// read reads a row.
func read[T any](row mirror.Row) (v T, err error) {
	if err = json.Unmarshal(row.Data, &v); err != nil {
		err = fmt.Errorf("read %s %q: %w", row.Kind, row.ID, err)
	}
	return v, err
}

// ReadProduct reads a product's row.
func ReadProduct(row mirror.Row) (Product, error) { return read[Product](row) }

// ReadCustomer reads a customer's row.
func ReadCustomer(row mirror.Row) (Customer, error) { return read[Customer](row) }

// ReadOwnPrices reads a row of own prices.
func ReadOwnPrices(row mirror.Row) ([]OwnPrice, error) {
	r, err := read[ownRow](row)
	return r.Prices, err
}

// OwnKeys are the keys of the rows with a customer's own prices. Rows beyond them are left from a time when there were
// more, and do not count.
func OwnKeys(c Customer) (keys []mirror.Key) {
	for n := range (c.OwnPrices + mostOwn - 1) / mostOwn {
		keys = append(keys, mirror.Numbered(OwnKind, c.ID, n))
	}
	return keys
}

// StockKind is the kind of the rows that say whether anything of a product is available.
const StockKind = "stock"

type stockRow struct {
	Available bool `json:"available"`
}

// StockRow is the row of a product's stock.
func StockRow(product string, available bool) mirror.Row {
	return rowOf(StockKind, idOf(product), stockRow{available})
}

// ReadStock reads whether anything is available.
func ReadStock(row mirror.Row) (available bool, err error) {
	r, err := read[stockRow](row)
	return r.Available, err
}
