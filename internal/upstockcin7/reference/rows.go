package reference

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cin7core"
	"stockbridge/internal/match"
	"stockbridge/internal/mirror"
	"stockbridge/internal/prose"
)

// The kinds of rows and names in the mirror.
const (
	customerRows  = "customer"
	customerNames = "customername"
	customerMails = "customeremail"
	productRows   = "product"
	productSKUs   = "productsku"
	serviceNames  = "productservice"
)

// Kinds are those of all rows and names.
func Kinds() []string {
	return []string{customerRows, customerNames, customerMails, productRows, productSKUs, serviceNames}
}

// The rows: a record without what orders do not need (prices are the order's),
// and without what changes all the time.

const (
	// mostContacts and mostAddresses keep a customer's row within an item of the table.
	mostContacts, mostAddresses = 200, 500
	// longest is the longest text that counts: the vendor's own limits are below.
	longest = 1024
)

func customerRow(x cin7core.Customer) mirror.Row {
	row := mirror.Row{Key: mirror.Key{Kind: customerRows, ID: ID(x.ID)}}
	name := func(kind, text string) {
		if k, ok := nameKey(kind, text); ok && !slices.Contains(row.Names, mirror.Name{Key: k}) {
			row.Names = append(row.Names, mirror.Name{Key: k})
		}
	}
	name(customerNames, x.Name)
	for _, c := range x.Contacts {
		for _, mail := range c.Emails() {
			name(customerMails, mail)
		}
	}
	x.Comments, x.Tags, x.TaxNumber, x.AttributeSet, x.AccountReceivable, x.RevenueAccount = "", "", "", "", "", ""
	x.LastModifiedOn, x.ProductPrices = time.Time{}, nil
	x.Addresses = slices.Clone(x.Addresses[:min(len(x.Addresses), mostAddresses)])
	x.Contacts = slices.Clone(x.Contacts[:min(len(x.Contacts), mostContacts)])
	row.Data = compact(x)
	return row
}

func productRow(x cin7core.Product) mirror.Row {
	row := mirror.Row{Key: mirror.Key{Kind: productRows, ID: ID(x.ID)}}
	if k, ok := nameKey(productSKUs, x.SKU); ok {
		row.Names = append(row.Names, mirror.Name{Key: k, Whole: true})
	}
	if k, ok := nameKey(serviceNames, x.Name); ok && match.Same(x.Type, "Service") {
		row.Names = append(row.Names, mirror.Name{Key: k})
	}
	x.Category, x.Brand, x.Barcode, x.ShortDescription, x.Description = "", "", "", "", ""
	x.InternalNote, x.AttributeSet, x.Tags = "", "", ""
	x.Attributes, x.TierPrices = cin7core.Attributes{}, cin7core.TierPrices{}
	x.AverageCost = x.AverageCost.Sub(x.AverageCost)
	x.LastModifiedOn, x.Attachments, x.CustomPrices = time.Time{}, nil, nil
	row.Data = compact(x)
	return row
}

func rowsOf[T any](items []T, row func(T) mirror.Row) []mirror.Row {
	rows := make([]mirror.Row, 0, len(items))
	for _, x := range items {
		if r := row(x); r.ID != "" {
			rows = append(rows, r)
		}
	}
	return rows
}

// ID is a record's id as the mirror has it.
func ID(id string) string { return strings.ToLower(strings.TrimSpace(id)) }

// foldVersion changes with what nameKey makes of a text: a mirror of another version may hide a row from its name.
const foldVersion = 1

// SKUKey is where the products of a SKU are found, whatever its case and blanks; ok is false where it is no SKU.
func SKUKey(sku string) (k mirror.Key, ok bool) { return nameKey(productSKUs, sku) }

// nameKey folds more than the planner does when it compares, so that whatever it would accept is found.
func nameKey(kind, text string) (mirror.Key, bool) {
	return keyOf(kind, strings.ReplaceAll(match.Fold(text), " ", ""))
}

// formerKey is nameKey as it was before there was a foldVersion.
func formerKey(kind, text string) (mirror.Key, bool) {
	return keyOf(kind, fold(strings.ToUpper(text)))
}

func keyOf(kind, text string) (mirror.Key, bool) {
	const most = 400 // bytes
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return mirror.Key{Kind: kind, ID: text}, text != ""
}

// compact is a record as JSON without its empty fields and with no text longer
// than counts.
func compact(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil
	}
	doc, _ = prune(doc)
	data, _ = json.Marshal(doc)
	return data
}

// amounts are the decimals of a record, which JSON has as texts.
var amounts = map[string]bool{
	"Discount": true, "CreditLimit": true, "AverageCost": true,
	"PriceTier1": true, "PriceTier2": true, "PriceTier3": true, "PriceTier4": true, "PriceTier5": true,
	"PriceTier6": true, "PriceTier7": true, "PriceTier8": true, "PriceTier9": true, "PriceTier10": true,
}

func prune(v any) (_ any, empty bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			x, empty := prune(x)
			told := k == "Sellable" && x == false // a product is sellable where it does not say
			if v[k] = x; empty && !told || x == "0" && amounts[k] {
				delete(v, k)
			}
		}
		return v, false
	case []any:
		for i := range v {
			v[i], _ = prune(v[i])
		}
		return v, len(v) == 0
	case string:
		short, _ := prose.Cut(v, longest)
		return short, v == "" || v == "0001-01-01T00:00:00Z"
	case json.Number:
		return v, v == "0"
	case bool:
		return v, !v
	}
	return v, true
}
