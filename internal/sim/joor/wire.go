package joor

import (
	"bytes"
	"encoding/json"
)

// opt is a text that is null where it is empty.
type opt string

func (o opt) MarshalJSON() ([]byte, error) {
	if o == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(o))
}

func (o *opt) UnmarshalJSON(raw []byte) error {
	*o = ""
	return json.Unmarshal(raw, (*string)(o))
}

// document is a connection as it is read. The fields to warehouses, and the id and code of a billing address, are
// documented; the others are decided, after those.
type document struct {
	CustomerAccountID    int              `json:"customer_account_id"`
	CustomerCode         opt              `json:"customer_code"`
	CustomerAlias        string           `json:"customer_alias"`
	CustomerContactName  string           `json:"customer_contact_name"`
	CustomerContactEmail opt              `json:"customer_contact_email"`
	CustomerBuyerName    opt              `json:"customer_buyer_name"`
	CompanyNumberName    opt              `json:"company_number_name"`
	CompanyNumberCode    opt              `json:"company_number_code"`
	CustomerGroupName    opt              `json:"customer_group_name"`
	CustomerGroupCode    opt              `json:"customer_group_code"`
	SalesRepName         opt              `json:"sales_rep_name"`
	SalesRepCode         opt              `json:"sales_rep_code"`
	SalesRepEmail        opt              `json:"sales_rep_email"`
	Warehouses           []warehouse      `json:"warehouses"`
	Billing              billing          `json:"billing"`
	Shipping             shipping         `json:"shipping"`
	PriceTypes           []priceType      `json:"price_types"`
	PaymentMethods       []paymentMethod  `json:"payment_methods"`
	ShippingMethods      []shippingMethod `json:"shipping_methods"`
}

type warehouse struct {
	WarehouseName string `json:"warehouse_name"`
	WarehouseCode string `json:"warehouse_code"`
}

type billing struct {
	BillingAddresses []billingAddress `json:"billing_addresses"`
}

type shipping struct {
	ShippingAddresses []shippingAddress `json:"shipping_addresses"`
}

type billingAddress struct {
	BillingAddressID int    `json:"billing_address_id"`
	BillingCode      string `json:"billing_code"`
	street
}

type shippingAddress struct {
	ShippingAddressID int    `json:"shipping_address_id"`
	ShippingCode      string `json:"shipping_code"`
	street
}

type street struct {
	Address1   string `json:"address_1"`
	Address2   string `json:"address_2"`
	City       string `json:"city"`
	Region     string `json:"region"`
	PostalCode string `json:"postal_code"`
	Country    string `json:"country"`
	Phone      string `json:"phone"`
}

type priceType struct {
	PriceCurrency string `json:"price_currency"`
	PriceLabel    string `json:"price_label"`
}

type paymentMethod struct {
	PaymentMethodName string `json:"payment_method_name"`
	PaymentMethodCode string `json:"payment_method_code"`
}

type shippingMethod struct {
	ShippingMethodName string `json:"shipping_method_name"`
	ShippingMethodCode string `json:"shipping_method_code"`
}

// list reads a node of records: a list, an object that holds one under the name of a record, or that record alone.
type list[T any] struct {
	given bool
	all   []T
}

func (l *list[T]) read(raw json.RawMessage, name string) error {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || bytes.Equal(raw, []byte("null")) {
		return nil
	}
	l.given = true
	if raw[0] == '{' {
		var node map[string]json.RawMessage
		if err := json.Unmarshal(raw, &node); err != nil {
			return err
		}
		if inner, ok := node[name]; ok {
			return l.read(inner, name)
		}
		var one T
		if err := json.Unmarshal(raw, &one); err != nil {
			return err
		}
		l.all = []T{one}
		return nil
	}
	return json.Unmarshal(raw, &l.all)
}

// sent is a connection as it is sent, to be made or changed. What is not in it stays; what is "" goes.
type sent struct {
	CustomerCode         *string `json:"customer_code"`
	CustomerName         *string `json:"customer_name"`
	CustomerAlias        *string `json:"customer_alias"`
	CustomerContactEmail *string `json:"customer_contact_email"`
	CustomerBuyerName    *string `json:"customer_buyer_name"`
	CompanyNumberName    *string `json:"company_number_name"`
	CompanyNumberCode    *string `json:"company_number_code"`
	CustomerGroupName    *string `json:"customer_group_name"`
	CustomerGroupCode    *string `json:"customer_group_code"`
	SalesRepCode         *string `json:"sales_rep_code"`
	SalesRepEmail        *string `json:"sales_rep_email"`

	Warehouses      list[warehouse]       `json:"-"`
	Billing         list[billingAddress]  `json:"-"`
	Shipping        list[shippingAddress] `json:"-"`
	PriceTypes      list[priceType]       `json:"-"`
	PaymentMethods  list[paymentMethod]   `json:"-"`
	ShippingMethods list[shippingMethod]  `json:"-"`
}

func (s *sent) UnmarshalJSON(raw []byte) error {
	type plain sent
	in := struct {
		*plain
		Warehouses json.RawMessage `json:"warehouses"`
		Billing    struct {
			Addresses json.RawMessage `json:"billing_addresses"`
		} `json:"billing"`
		Shipping struct {
			Addresses json.RawMessage `json:"shipping_addresses"`
		} `json:"shipping"`
		PriceTypes      json.RawMessage `json:"price_types"`
		PaymentMethods  json.RawMessage `json:"payment_methods"`
		ShippingMethods json.RawMessage `json:"shipping_methods"`
	}{plain: (*plain)(s)}
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	for _, err := range []error{
		s.Warehouses.read(in.Warehouses, "warehouse"),
		s.Billing.read(in.Billing.Addresses, "billing_address"),
		s.Shipping.read(in.Shipping.Addresses, "shipping_address"),
		s.PriceTypes.read(in.PriceTypes, "price_type"),
		s.PaymentMethods.read(in.PaymentMethods, "payment_method"),
		s.ShippingMethods.read(in.ShippingMethods, "shipping_method"),
	} {
		if err != nil {
			return err
		}
	}
	return nil
}

// records reads the connections of a body: {"<node>":{"connection":[…]}} or the like.
func records(body []byte, nodes ...string) ([]json.RawMessage, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(body, &top); err != nil {
		return nil, err
	}
	for _, node := range nodes {
		if raw, ok := top[node]; ok {
			var all list[json.RawMessage]
			err := all.read(raw, "connection")
			return all.all, err
		}
	}
	return nil, nil
}
