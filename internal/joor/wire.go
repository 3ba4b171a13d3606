package joor

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"

	"stockbridge/internal/rest"
)

// What goes over the wire. This file is the one place to change when a real request or answer was seen:
//
//   - The nodes of an answer are documented as for XML (connections > connections > connection); as JSON they may be
//     lists, or objects that hold one list. Both are read ([nodes]). What is sent has the latter form. [I]
//   - Documented of a connection are the fields from customer_code to warehouse_code, billing_address_id and
//     billing_code, and of what is sent customer_name [C]. Every other name of an address, a price type, a payment or
//     shipping method, and sales_rep_email, is built after those. [I]
//   - What is sent as customer_name is read back as customer_alias: both are the brand's name for the retailer. [I]
//   - The answers to an upload and to an update, beside their response, are not documented. [I]

// wireResponse is how a call went. [C]
type wireResponse struct {
	Code      int64  `json:"code" rest:"named"`
	Comment   string `json:"comment"`
	StartFrom *int   `json:"start_from"`
	NextStart int    `json:"next_start"` // null on the last page [C of orders, I of connections]
	Count     int    `json:"count"`
	LogID     string `json:"log_id"`
}

// nodes reads a list, or an object that holds one, or one record alone.
type nodes[T any] []T

func (n *nodes[T]) UnmarshalJSON(raw []byte) error {
	raw = bytes.TrimSpace(raw)
	var holds map[string]json.RawMessage
	if err := json.Unmarshal(raw, &holds); err != nil {
		return rest.Unmarshal(raw, (*[]T)(n))
	}
	if len(holds) == 0 {
		return nil
	}
	if len(holds) == 1 {
		for _, inner := range holds {
			if inner = bytes.TrimSpace(inner); inner[0] == '[' {
				return rest.Unmarshal(inner, (*[]T)(n))
			} else if inner[0] == '{' {
				raw = inner
			}
		}
	}
	var one T
	if err := rest.Unmarshal(raw, &one); err != nil {
		return err
	}
	*n = append((*n)[:0], one)
	return nil
}

// answered is the answer to a call of which only the response counts: that it is there, as readError reads what it
// says.
type answered struct{}

func (*answered) UnmarshalJSON(raw []byte) error {
	if _, ok := responseIn(raw); !ok {
		return errors.New("the answer has no response")
	}
	return nil
}

// wireConnections is the answer to every reading of connections.
type wireConnections struct {
	Connections struct {
		Response    wireResponse              `json:"response" rest:"named"`
		Connections nodes[wireReadConnection] `json:"connections"`
	} `json:"connections" rest:"named"`
}

// wireReadConnection is a connection as it is read.
type wireReadConnection struct {
	ID                string               `json:"customer_account_id"`
	CustomerCode      string               `json:"customer_code"`
	CustomerName      string               `json:"customer_name"`
	CustomerAlias     string               `json:"customer_alias"`
	ContactName       string               `json:"customer_contact_name"`
	ContactEmail      string               `json:"customer_contact_email"`
	BuyerName         string               `json:"customer_buyer_name"`
	CompanyNumberName string               `json:"company_number_name"`
	CompanyNumberCode string               `json:"company_number_code"`
	GroupName         string               `json:"customer_group_name"`
	GroupCode         string               `json:"customer_group_code"`
	RepName           string               `json:"sales_rep_name"`
	RepCode           string               `json:"sales_rep_code"`
	RepEmail          string               `json:"sales_rep_email"`
	Warehouses        nodes[wireWarehouse] `json:"warehouses"`
	Billing           struct {
		Addresses nodes[wireReadAddress] `json:"billing_addresses"`
	} `json:"billing"`
	Shipping struct {
		Addresses nodes[wireReadAddress] `json:"shipping_addresses"`
	} `json:"shipping"`
	PriceTypes      nodes[wirePriceType]  `json:"price_types"`
	PaymentMethods  nodes[wireReadMethod] `json:"payment_methods"`
	ShippingMethods nodes[wireReadMethod] `json:"shipping_methods"`
}

type wireWarehouse struct {
	Name string `json:"warehouse_name"`
	Code string `json:"warehouse_code"`
}

type wireReadAddress struct {
	ID         string `json:"billing_address_id" rest:"as=shipping_address_id"`
	Code       string `json:"billing_code" rest:"as=shipping_code"`
	Line1      string `json:"address_1" rest:"as=address1"`
	Line2      string `json:"address_2" rest:"as=address2"`
	City       string `json:"city"`
	Region     string `json:"region" rest:"as=state"`
	PostalCode string `json:"postal_code" rest:"as=zip"`
	Country    string `json:"country"`
	Phone      string `json:"phone"`
}

type wirePriceType struct {
	Currency string `json:"price_currency"`
	Label    string `json:"price_label"`
}

type wireReadMethod struct {
	Name string `json:"payment_method_name" rest:"as=shipping_method_name,as=name"`
	Code string `json:"payment_method_code" rest:"as=shipping_method_code,as=code"`
}

func (w wireReadConnection) connection() Connection {
	c := Connection{ID: w.ID, Code: w.CustomerCode, Name: w.CustomerAlias, Retailer: w.ContactName,
		Email: w.ContactEmail, Buyer: w.BuyerName,
		Company:  Named{w.CompanyNumberName, w.CompanyNumberCode},
		Group:    Named{w.GroupName, w.GroupCode},
		SalesRep: SalesRep{w.RepName, w.RepCode, w.RepEmail},
	}
	if c.Name == "" {
		c.Name = w.CustomerName
	}
	for _, x := range w.Warehouses {
		c.Warehouses = append(c.Warehouses, Named(x))
	}
	for _, x := range w.Billing.Addresses {
		c.Billing = append(c.Billing, Address(x))
	}
	for _, x := range w.Shipping.Addresses {
		c.Shipping = append(c.Shipping, Address(x))
	}
	for _, x := range w.PriceTypes {
		c.PriceTypes = append(c.PriceTypes, PriceType(x))
	}
	for _, x := range w.PaymentMethods {
		c.PaymentMethods = append(c.PaymentMethods, Named(x))
	}
	for _, x := range w.ShippingMethods {
		c.ShippingMethods = append(c.ShippingMethods, Named(x))
	}
	return c
}

// wireSent is a connection as it is sent. Fields that name something which must stand in the account are left out where
// they are empty; the others are sent as they are, so that what was taken away goes. [I]
type wireSent struct {
	Name              string         `json:"customer_name"`
	Code              string         `json:"customer_code"`
	Email             string         `json:"customer_contact_email"`
	Buyer             string         `json:"customer_buyer_name"`
	CompanyNumberName string         `json:"company_number_name,omitempty"`
	CompanyNumberCode string         `json:"company_number_code,omitempty"`
	GroupName         string         `json:"customer_group_name,omitempty"`
	GroupCode         string         `json:"customer_group_code,omitempty"`
	RepCode           string         `json:"sales_rep_code,omitempty"`
	RepEmail          string         `json:"sales_rep_email,omitempty"`
	Warehouses        *wireList      `json:"warehouses,omitempty"`
	PriceTypes        *wireList      `json:"price_types,omitempty"`
	PaymentMethods    *wireList      `json:"payment_methods,omitempty"`
	ShippingMethods   *wireList      `json:"shipping_methods,omitempty"`
	Billing           *wireAddresses `json:"billing,omitempty"`
	Shipping          *wireAddresses `json:"shipping,omitempty"`
}

// wireList is a node of records, each a node of a name: {"price_type":[…]}.
type wireList map[string][]map[string]string

// wireAddresses are all addresses of a kind: {"billing_addresses":{"billing_address":[…]}}.
type wireAddresses map[string]wireList

func list(name string, records []map[string]string) *wireList {
	if len(records) == 0 {
		return nil
	}
	return &wireList{name: records}
}

func sentMethods(kind string, all []Named) *wireList {
	var records []map[string]string
	for _, x := range all {
		records = append(records, map[string]string{kind + "_name": x.Name, kind + "_code": x.Code})
	}
	return list(kind, records)
}

func sentAddresses(kind string, all []Address) *wireAddresses {
	var records []map[string]string
	for _, a := range all {
		records = append(records, map[string]string{kind + "_code": a.Code, "address_1": a.Line1,
			"address_2": a.Line2, "city": a.City, "region": a.Region, "postal_code": a.PostalCode,
			"country": a.Country, "phone": a.Phone})
	}
	if len(records) == 0 {
		return nil
	}
	return &wireAddresses{kind + "_addresses": {kind + "_address": records}}
}

func sent(c Connection) wireSent {
	var prices []map[string]string
	for _, p := range c.PriceTypes {
		prices = append(prices, map[string]string{"price_currency": p.Currency, "price_label": p.Label})
	}
	return wireSent{
		Name: c.Name, Code: c.Code, Email: c.Email, Buyer: c.Buyer,
		CompanyNumberName: c.Company.Name, CompanyNumberCode: c.Company.Code,
		GroupName: c.Group.Name, GroupCode: c.Group.Code,
		RepCode: c.SalesRep.Code, RepEmail: c.SalesRep.Email,
		Warehouses:      sentMethods("warehouse", c.Warehouses),
		PriceTypes:      list("price_type", prices),
		PaymentMethods:  sentMethods("payment_method", c.PaymentMethods),
		ShippingMethods: sentMethods("shipping_method", c.ShippingMethods),
		Billing:         sentAddresses("billing", c.Billing),
		Shipping:        sentAddresses("shipping", c.Shipping),
	}
}

// body is what an upload or an update sends: {"bulk_connections":{"connection":[…]}}.
func body(node string, all ...Connection) any {
	records := make([]wireSent, len(all))
	for i, c := range all {
		records[i] = sent(c)
	}
	return map[string]any{node: map[string]any{"connection": records}}
}

// wireJobs is the answer to an upload and to the question how far it is.
type wireJobs struct {
	Bulk struct {
		Response wireResponse   `json:"response" rest:"named"`
		Jobs     nodes[wireJob] `json:"bulk_connections_jobs"`
	} `json:"bulk_connections" rest:"named"`
}

// wireJob is a bulk job. [C]
type wireJob struct {
	ID       string    `json:"bulk_connections_job_id"`
	Status   string    `json:"status"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	Records  int       `json:"connection_record_count"`
	Progress int       `json:"connection_record_progress"`
}

// wireDeleted is the answer to a deletion. [C]
type wireDeleted struct {
	Response   wireResponse `json:"response" rest:"named"`
	Connection struct {
		Deleted struct {
			Code string `json:"customer_code"`
		} `json:"connection_deleted"`
	} `json:"connection"`
}
