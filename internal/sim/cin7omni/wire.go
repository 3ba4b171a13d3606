package cin7omni

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// text is null if it is empty. Reading null keeps what there is, and "" clears it. A number or a boolean is read as a
// text (decided).
type text string

func (t text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

func (t *text) UnmarshalJSON(b []byte) error {
	switch b[0] {
	case 'n':
		return nil
	case '"':
		var s string
		err := json.Unmarshal(b, &s)
		*t = text(s)
		return err
	case '{', '[':
		return errors.New("not a text")
	}
	*t = text(b)
	return nil
}

// number is read from a number or a text; "" clears.
type number struct{ decimal.Decimal }

func (n number) MarshalJSON() ([]byte, error) { return []byte(n.String()), nil }

func (n *number) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" {
		return nil
	}
	if s == "" {
		n.Decimal = decimal.Zero
		return nil
	}
	d, err := decimal.NewFromString(s)
	if err != nil || len(s) > 40 {
		return errors.New("not a number")
	}
	n.Decimal = d
	return nil
}

// flag is read from a boolean, a number or a text of one; "" is false.
type flag bool

func (f *flag) UnmarshalJSON(b []byte) error {
	switch s := strings.ToLower(strings.Trim(string(b), `"`)); s {
	case "null":
	case "true", "1":
		*f = true
	case "false", "0", "":
		*f = false
	default:
		return errors.New("not a boolean")
	}
	return nil
}

// ref is the id of another record; 0 = none.
type ref int

func (r *ref) UnmarshalJSON(b []byte) error {
	s := strings.Trim(string(b), `"`)
	if s == "null" {
		return nil
	}
	if s == "" {
		*r = 0
		return nil
	}
	n, err := strconv.Atoi(s)
	*r = ref(n)
	return err
}

// stamp is an instant in UTC, to the second.
type stamp struct{ time.Time }

const stampForm = "2006-01-02T15:04:05Z"

func stampOf(t time.Time) stamp { return stamp{t.UTC().Truncate(time.Second)} }

func (s stamp) MarshalJSON() ([]byte, error) { return []byte(s.Format(`"` + stampForm + `"`)), nil }

func (s *stamp) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) || bytes.Equal(b, []byte(`""`)) {
		return nil
	}
	t, err := parseTime(strings.Trim(string(b), `"`))
	*s = stampOf(t)
	return err
}

// parseTime reads an instant; without a zone it is UTC (decided).
func parseTime(v string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, v); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, errors.New("not a date")
}

// kind is what a contact is. JSON has its name; a number is read too.
type kind string

func (k *kind) UnmarshalJSON(b []byte) error {
	var t text
	if err := t.UnmarshalJSON(b); err != nil || t == "" {
		return err
	}
	*k = kind(t)
	for i, name := range []string{"Internal", "Customer", "Supplier"} {
		if strings.EqualFold(string(t), name) || string(t) == strconv.Itoa(i) {
			*k = kind(name)
		}
	}
	return nil
}

func (k kind) known() bool { return k == "Internal" || k == "Customer" || k == "Supplier" }

// contact is a contact as it is written, in the order of the vendor's own example.
type contact struct {
	ID                int            `json:"id"`
	CreatedDate       stamp          `json:"createdDate"`
	ModifiedDate      stamp          `json:"modifiedDate"`
	IsActive          flag           `json:"isActive"`
	Company           text           `json:"company" max:"250"`
	FirstName         text           `json:"firstName" max:"250"`
	LastName          text           `json:"lastName" max:"250"`
	JobTitle          text           `json:"jobTitle" max:"250"`
	Email             text           `json:"email"`
	Website           text           `json:"website" max:"50"`
	Phone             text           `json:"phone" max:"50"`
	Fax               text           `json:"fax" max:"50"`
	Mobile            text           `json:"mobile" max:"50"`
	Address1          text           `json:"address1" max:"50"`
	Address2          text           `json:"address2" max:"50"`
	City              text           `json:"city" max:"50"`
	State             text           `json:"state" max:"50"`
	PostCode          text           `json:"postCode" max:"50"`
	Country           text           `json:"country" max:"50"`
	PostalAddress1    text           `json:"postalAddress1" max:"50"`
	PostalAddress2    text           `json:"postalAddress2" max:"50"`
	PostalCity        text           `json:"postalCity" max:"50"`
	PostalPostCode    text           `json:"postalPostCode" max:"50"`
	PostalState       text           `json:"postalState" max:"50"`
	PostalCountry     text           `json:"postalCountry" max:"50"`
	Notes             text           `json:"notes"`
	IntegrationRef    text           `json:"integrationRef"`
	CustomFields      map[string]any `json:"customFields"`
	SecondaryContacts []person       `json:"secondaryContacts"`
	Type              kind           `json:"type"`
	SalesPersonID     ref            `json:"salesPersonId"`
	AccountNumber     text           `json:"accountNumber" max:"10"`
	BillingID         ref            `json:"billingId"`
	BillingCompany    text           `json:"billingCompany" max:"50"`
	AccountsFirstName text           `json:"accountsFirstName" max:"50"`
	AccountsLastName  text           `json:"accountsLastName" max:"50"`
	BillingEmail      text           `json:"billingEmail" max:"50"`
	AccountsPhone     text           `json:"accountsPhone" max:"50"`
	BillingCostCenter text           `json:"billingCostCenter"`
	CostCenter        text           `json:"costCenter"`
	PriceColumn       text           `json:"priceColumn"`
	PercentageOff     number         `json:"percentageOff"`
	PaymentTerms      text           `json:"paymentTerms"`
	TaxStatus         text           `json:"taxStatus"`
	TaxNumber         text           `json:"taxNumber"`
	CreditLimit       number         `json:"creditLimit"`
	BalanceOwing      number         `json:"balanceOwing"`
	OnHold            flag           `json:"onHold"`
	Group             text           `json:"group"`
	SubGroup          text           `json:"subGroup"`
	Stages            text           `json:"stages"`
	Accounting        accounting     `json:"accountingIntegrationId"`

	text json.RawMessage // as it is written; nil = not yet. Who changes the contact forgets it
}

// MarshalJSON writes a contact once, and not for every list.
func (x *contact) MarshalJSON() (out []byte, err error) {
	type plain contact
	if x.text == nil {
		x.text, err = json.Marshal((*plain)(x))
	}
	return x.text, err
}

// accounting are the contact's names in bookkeeping systems, which the vendor sets.
type accounting struct {
	Xero              text `json:"xero"`
	QuickBooksOnline  text `json:"quickBooksOnline"`
	QuickBooksDesktop text `json:"quickBooksDesktop"`
}

// person is a secondary contact.
type person struct {
	ID        int  `json:"id"`
	Company   text `json:"company" max:"150"`
	FirstName text `json:"firstName" max:"50"`
	LastName  text `json:"lastName" max:"50"`
	JobTitle  text `json:"jobTitle" max:"50"`
	Email     text `json:"email" max:"50"`
	Mobile    text `json:"mobile" max:"50"`
	Phone     text `json:"phone" max:"50"`
}

// user is one of the account's own people.
type user struct {
	ID        int  `json:"id"`
	IsActive  flag `json:"isActive"`
	FirstName text `json:"firstName"`
	LastName  text `json:"lastName"`
	JobTitle  text `json:"jobTitle"`
	Email     text `json:"email"`
}

// option is a product option, as far as it shows price columns.
type option struct {
	ID           int               `json:"id"`
	CreatedDate  stamp             `json:"createdDate"`
	ModifiedDate stamp             `json:"modifiedDate"`
	ProductID    int               `json:"productId"`
	Code         text              `json:"code"`
	Option1      text              `json:"option1"`
	Option2      text              `json:"option2"`
	RetailPrice  number            `json:"retailPrice"`
	Wholesale    number            `json:"wholesalePrice"`
	VIP          number            `json:"vipPrice"`
	Special      number            `json:"specialPrice"`
	PriceColumns map[string]number `json:"priceColumns"`
}

// record is a contact as it is kept.
type record struct {
	Contact contact `json:"contact"`
	Gone    bool    `json:"gone,omitempty"` // in the state's file: it was removed
}
