package catalogue

import (
	"encoding/json"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/match"
	"stockbridge/internal/publish"
	"stockbridge/internal/upstock"
)

// The records of the four sets, as publish.Record has them:
//
//	products   ID = the product's                    Data = upstock.Product; its image as imageMark says
//	customers  ID = the customer's                   Data = upstock.CustomerRecord
//	lists      ID = List.ID                          Data = upstock.PriceList
//	prices     Group = List.ID, ID = the product's   Data = the price as a text: "12.1485"

// imageMark begins the imageUrl of a record: what follows is the image's id. The link to an image is another one each
// time that it is asked for, so it would make every product a changed one.
const imageMark = "image:"

// UpstockProduct is what Upstock should hold of a product.
//
//	upstock.Product  of Product
//	ExternalID       ID
//	SKU, Name        SKU, Name
//	Description      Description
//	Category, Brand  Category, Brand
//	Unit, Barcode    Unit, Barcode
//	Price            Rules.DefaultPrice
//	ImageURL         ImageID where the setting productImages says so, in place of a link (see imageMark)
//	Status           outOfStock where stock says that nothing is available, else available
//
// Stock reports whether anything is available; nil = it is not asked.
func (r Rules) UpstockProduct(p Product, stock *bool) upstock.Product {
	u := upstock.Product{
		ExternalID: p.ID, SKU: p.SKU, Name: p.Name, Description: p.Description, Category: p.Category, Brand: p.Brand,
		Unit: p.Unit, Barcode: p.Barcode, Price: r.DefaultPrice(p), Status: upstock.Available,
	}
	if r.Settings.ProductImages && p.ImageID != "" {
		u.ImageURL = imageMark + p.ImageID
	}
	if stock != nil && !*stock {
		u.Status = upstock.OutOfStock
	}
	return u
}

// UpstockCustomer is what Upstock should hold of a customer of whose own prices c.OwnPrices count.
//
//	upstock.CustomerRecord  of Customer
//	ExternalID              ID
//	Name                    Name
//	Email, Phone, Contact   Email, Phone, Contact
//	BillingAddress          Billing
//	ShippingAddresses       Shipping
//	PriceListExternalID     Rules.ListOf
//	Active                  Active
func (r Rules) UpstockCustomer(c Customer) upstock.CustomerRecord {
	u := upstock.CustomerRecord{
		ExternalID: c.ID, Name: c.Name, Email: c.Email, Phone: c.Phone, Contact: c.Contact, BillingAddress: c.Billing,
		ShippingAddresses: c.Shipping, Active: c.Active,
	}
	if l, _ := r.ListOf(c); l != nil {
		u.PriceListExternalID = l.ID
	}
	return u
}

// Unfit says why a customer cannot be in Upstock as an active one; "" = it can.
func (c Customer) Unfit() string {
	switch {
	case !c.Active:
		return "It is deprecated in Cin7 Core."
	case match.Visible(c.Name) == "":
		return "It has no name, which Upstock requires."
	}
	return ""
}

// ProductSeen is a product that was read in Upstock as the record that Source.WantProducts lists of it; nil = it is not
// there to be bought. A link to an image tells nothing of which image it is, so a product that should have one is told
// once.
func ProductSeen(u upstock.Product) json.RawMessage {
	if u.Status == upstock.Discontinued {
		return nil
	}
	u.ExternalID, u.ImageURL = idOf(u.ExternalID), ""
	return dataOf(u)
}

// HasNewImage reports whether a change of the set of products tells Upstock of an image.
func HasNewImage(c publish.Change) bool {
	var now, was upstock.Product
	_ = json.Unmarshal(c.Data, &now)
	_ = json.Unmarshal(c.Was, &was)
	return now.ImageURL != "" && now.ImageURL != was.ImageURL
}

// CustomerSeen is a customer that was read in Upstock as the record that Source.WantCustomers lists of it; nil = it is
// not there as an active one.
func CustomerSeen(u upstock.CustomerRecord) json.RawMessage {
	if !u.Active {
		return nil
	}
	u.ExternalID = idOf(u.ExternalID)
	return dataOf(u)
}

func dataOf(v any) json.RawMessage {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err) // Upstock's records have a JSON form whatever they hold
	}
	return data
}

func priceData(text string) json.RawMessage { return json.RawMessage(`"` + text + `"`) }

// PriceOf is the price of a record of the set of prices; nil = it is to be taken out of its list, or was not in it.
func PriceOf(data json.RawMessage) *decimal.Decimal {
	var d *decimal.Decimal
	if json.Unmarshal(data, &d) != nil {
		return nil
	}
	return d
}

// Field is one field of a record, for people.
type Field struct{ Name, Value string }

// Fields are the fields of a product's or customer's record that hold something, as people call them.
func Fields(data json.RawMessage) (list []Field) {
	var product upstock.Product
	var customer upstock.CustomerRecord
	var known map[string]json.RawMessage
	if json.Unmarshal(data, &known) != nil {
		return nil
	}
	if _, is := known["sku"]; is && json.Unmarshal(data, &product) == nil {
		list = productFields(product)
	} else if json.Unmarshal(data, &customer) == nil {
		list = customerFields(customer)
	}
	n := 0
	for _, f := range list {
		if f.Value != "" {
			list[n], n = f, n+1
		}
	}
	return list[:n]
}

func productFields(p upstock.Product) []Field {
	price := ""
	if p.Price != nil {
		price = upstock.PriceText(*p.Price)
	}
	status := map[string]string{upstock.Available: "Available", upstock.OutOfStock: "Out of stock",
		upstock.Discontinued: "Discontinued"}[p.Status]
	image := ""
	if p.ImageURL != "" {
		image = "Yes"
	}
	return []Field{{"Name", p.Name}, {"SKU", p.SKU}, {"Status", status}, {"Default price", price},
		{"Category", p.Category}, {"Brand", p.Brand}, {"Unit", p.Unit}, {"Barcode", p.Barcode}, {"Image", image},
		{"Description", p.Description}}
}

func customerFields(c upstock.CustomerRecord) []Field {
	active := "No"
	if c.Active {
		active = "Yes"
	}
	list := []Field{{"Name", c.Name}, {"Active", active}, {"Price list", c.PriceListExternalID},
		{"Contact", c.Contact}, {"E-mail", c.Email}, {"Phone", c.Phone}}
	if c.BillingAddress != nil {
		list = append(list, Field{"Billing address", oneLine(*c.BillingAddress)})
	}
	for _, a := range c.ShippingAddresses {
		list = append(list, Field{"Delivery address", oneLine(a)})
	}
	return list
}

// oneLine is an address on one line.
func oneLine(a upstock.Address) string {
	var parts []string
	for _, part := range []string{a.Company, a.Contact, a.Line1, a.Line2, a.City, a.Region, a.Postcode, a.Country} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, ", ")
}

// ProductLabel is what people call a product's record.
func ProductLabel(r publish.Record) string {
	var p upstock.Product
	_ = json.Unmarshal(r.Data, &p)
	if name := match.Visible(p.Name); name != "" && p.SKU != "" {
		return name + " (" + p.SKU + ")"
	}
	return called(p.Name, r.ID)
}

// CustomerLabel is what people call a customer's record, and ListLabel a price list's.
func CustomerLabel(r publish.Record) string { return named(r) }

// ListLabel is what people call a price list's record.
func ListLabel(r publish.Record) string { return named(r) }

func named(r publish.Record) string {
	var named struct{ Name string }
	_ = json.Unmarshal(r.Data, &named)
	return called(named.Name, r.ID)
}
