package cin7omni

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

// Types of contacts, as JSON writes them; compare with Contact.Is.
const (
	Customer = "Customer"
	Supplier = "Supplier"
	Internal = "Internal"
)

// Contact is a customer, a supplier or one of the account's own. The numbers are the most characters of a field, by the
// vendor's pages; those of addresses are of the page on branches, which has the same fields (assumed). They are not
// kept to in what is read: a field may hold more.
type Contact struct {
	ID           int64     `json:"id" rest:"required"`           // the vendor's
	CreatedDate  time.Time `json:"createdDate"`                  // the vendor's clock
	ModifiedDate time.Time `json:"modifiedDate" rest:"required"` // likewise, to the second
	IsActive     bool      `json:"isActive"`                     // false: inactive, which is how contacts are put away
	Type         string    `json:"type"`                         // Customer, Supplier or Internal
	Company      string    `json:"company"`                      // 250
	FirstName    string    `json:"firstName"`                    // 250
	LastName     string    `json:"lastName"`                     // 250
	JobTitle     string    `json:"jobTitle"`                     // 250
	Email        string    `json:"email"`                        // unique; may be empty
	Website      string    `json:"website"`                      // 50, as the next three
	Phone        string    `json:"phone"`
	Fax          string    `json:"fax"`
	Mobile       string    `json:"mobile"`

	// Where goods go; 50 each.
	Address1 string `json:"address1"`
	Address2 string `json:"address2"`
	City     string `json:"city"`
	State    string `json:"state"`
	PostCode string `json:"postCode"`
	Country  string `json:"country"`

	// Where bills go; 50 each.
	PostalAddress1 string `json:"postalAddress1"`
	PostalAddress2 string `json:"postalAddress2"`
	PostalCity     string `json:"postalCity"`
	PostalState    string `json:"postalState"`
	PostalPostCode string `json:"postalPostCode"`
	PostalCountry  string `json:"postalCountry"`

	Notes          string `json:"notes"`
	IntegrationRef string `json:"integrationRef"` // another system's name for it

	SecondaryContacts []SecondaryContact `json:"secondaryContacts"`

	SalesPersonID     int64           `json:"salesPersonId"`  // a User's; 0: none
	AccountNumber     string          `json:"accountNumber"`  // 10
	BillingID         int64           `json:"billingId"`      // the contact that pays; 0: itself
	BillingCompany    string          `json:"billingCompany"` // 50, as the next four
	AccountsFirstName string          `json:"accountsFirstName"`
	AccountsLastName  string          `json:"accountsLastName"`
	BillingEmail      string          `json:"billingEmail"`
	AccountsPhone     string          `json:"accountsPhone"`
	BillingCostCenter string          `json:"billingCostCenter"`
	CostCenter        string          `json:"costCenter"`
	PriceColumn       string          `json:"priceColumn"`   // a price column's name, in any case of letters
	PercentageOff     decimal.Decimal `json:"percentageOff"` // 0 to 100, off the price column
	PaymentTerms      string          `json:"paymentTerms"`
	TaxStatus         string          `json:"taxStatus"` // a tax's name, as "8.75%"
	TaxNumber         string          `json:"taxNumber"`
	CreditLimit       decimal.Decimal `json:"creditLimit"`
	BalanceOwing      decimal.Decimal `json:"balanceOwing"` // the vendor's
	OnHold            bool            `json:"onHold"`
	Group             string          `json:"group"`
	SubGroup          string          `json:"subGroup"`
	Stages            string          `json:"stages"`

	// Unread are the fields that could not be read, by name. They are zero here.
	Unread []string `json:"-"`
}

// SecondaryContact is another person of a contact. The vendor knows them by ID, which is not returned by writes.
type SecondaryContact struct {
	ID        int64  `json:"id"`
	Company   string `json:"company"` // 150
	FirstName string `json:"firstName"`
	LastName  string `json:"lastName"`
	JobTitle  string `json:"jobTitle"`
	Email     string `json:"email"`
	Mobile    string `json:"mobile"`
	Phone     string `json:"phone"`
}

// Is reports whether the contact is of a type. JSON has its name (seen), the specification says that it is a number.
func (c Contact) Is(kind string) bool {
	number := map[string]string{Internal: "0", Customer: "1", Supplier: "2"}[kind]
	return strings.EqualFold(c.Type, kind) || c.Type == number
}

// ContactsQuery selects contacts; a zero field does not narrow. A filter by type is not offered: as the specification
// and live clients disagree on how a type is written, it might silently find nothing.
type ContactsQuery struct {
	Since  time.Time // changed at this instant or later, exact to the second
	Where  string    // a filter in the vendor's language, see Equal and IDs
	Fields []string  // what to read, as {"company", "email"}; id and modifiedDate always are. nil: everything
	// NewestFirst turns the order around, so that the first page shows whether anything changed at all. Else the
	// oldest change comes first, so that a contact which changes while the list is read comes again.
	NewestFirst bool
	Page        int // the first to read; 0: 1
}

// values are the query's parameters. Among contacts that changed in the same second the order is the vendor's.
func (q ContactsQuery) values() url.Values {
	query := url.Values{"order": {"modifiedDate ASC"}}
	if q.NewestFirst {
		query.Set("order", "modifiedDate DESC")
	}
	where := q.Where
	if !q.Since.IsZero() {
		where = And(Since(q.Since), q.Where)
	}
	if where != "" {
		query.Set("where", where)
	}
	if len(q.Fields) > 0 {
		return choose(query, append([]string{"id", "modifiedDate"}, q.Fields...))
	}
	return query
}

// ContactsPage reads the page q.Page.
func (c *Client) ContactsPage(ctx context.Context, q ContactsQuery) (Page[Contact], error) {
	return listPage(ctx, c, string(ContactList), q.values(), q.Page, readContact)
}

// Contacts reads all from q.Page on, to the empty page. Rows move between pages while contacts change.
func (c *Client) Contacts(ctx context.Context, q ContactsQuery) iter.Seq2[Contact, error] {
	return rest.Pages(q.Page, func(page int) (Page[Contact], error) {
		q.Page = page
		return c.ContactsPage(ctx, q)
	})
}

// Contact reads one contact, active or not; NotFound if there is none.
func (c *Client) Contact(ctx context.Context, id int64) (Contact, error) {
	path := contactPath(id)
	var row json.RawMessage
	if err := c.Do(ctx, http.MethodGet, path, nil, nil, &row); err != nil {
		return Contact{}, err
	}
	found, err := readContact(row)
	if err == nil && found.ID != id {
		err = errors.New("the answer is another contact")
	}
	if err != nil {
		return Contact{}, c.MalformedAnswer(http.MethodGet, path, err.Error())
	}
	return found, nil
}

func contactPath(id int64) string { return "/v1/Contacts/" + strconv.FormatInt(id, 10) }

// readContact reads a contact. One without an id or the time of its change is an error; other fields that cannot be
// read are noted.
func readContact(row []byte) (Contact, error) {
	var c Contact
	err := rest.Unmarshal(row, &c)
	faults, _ := errors.AsType[rest.FieldErrors](err)
	if err != nil && len(faults) == 0 {
		return c, err
	}
	for _, f := range faults {
		c.Unread = append(c.Unread, f.Field)
	}
	switch {
	case c.ID <= 0:
		return c, errors.New("a contact has no id")
	case c.ModifiedDate.IsZero():
		return c, errors.New("a contact does not say when it changed")
	}
	return c, nil
}
