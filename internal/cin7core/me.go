package cin7core

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/rest"
)

// Me is the account: GET /me, the cheapest test of a credential.
type Me struct {
	Company                string
	Currency               string // the base currency, in which price tiers are
	TimeZone               string // IANA
	LockDateText           string `json:"LockDate"` // in the account's own format
	TaxCalculationMethod   string // "Row Total": tax is rounded by line; "Total": by document
	DefaultSaleTaxRuleID   string `json:"DefaultSaleTaxRuleId" rest:"guid"`
	DefaultSaleTaxRuleName string
	// "Discount" or "Price": which field of a line a discount of the account changes
	DiscountRule                   string
	MaximumDecimalPlacesInQuantity string // as "N2"
	// AutomaticallyApplyDiscounts lets the account change prices of our orders when they are authorised.
	AutomaticallyApplyDiscounts               bool
	ApplyCustomerDiscountsAfterOtherDiscounts bool
}

// Me reads the account. An answer without company or currency is an error, as it does not prove that the key works.
func (c *Client) Me(ctx context.Context) (Me, error) {
	var me Me
	err := c.Do(ctx, http.MethodGet, "/me", nil, nil, &me)
	if err == nil && (strings.TrimSpace(me.Company) == "" || strings.TrimSpace(me.Currency) == "") {
		err = c.MalformedAnswer(http.MethodGet, "/me", "the answer is no account")
	}
	return me, err
}

// LockDate is the day up to which the account's books are certainly closed; zero if there is none or it cannot be read.
// If day and month cannot be told apart, it is the earlier of both readings: for the days in between, the vendor
// decides when a sale is sent.
func (m Me) LockDate() time.Time {
	earliest, latest := m.LockDates()
	if latest.Before(earliest) {
		return latest
	}
	return earliest
}

// LockDates returns both readings of LockDateText: as dd/MM/yyyy and as MM/dd/yyyy. They are equal unless both fit.
func (m Me) LockDates() (dayFirst, monthFirst time.Time) {
	t, err := parseDate(m.LockDateText)
	if err != nil {
		return time.Time{}, time.Time{}
	}
	for _, layout := range []string{"1/2/2006", "1/2/2006 15:04:05"} {
		if other, err := time.Parse(layout, strings.TrimSpace(m.LockDateText)); err == nil {
			return t, other
		}
	}
	return t, t
}

// QuantityPlaces is how many decimals a quantity may have: what the account says, but at most 4, the limit of the API.
func (m Me) QuantityPlaces() int {
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(m.MaximumDecimalPlacesInQuantity)),
		"N"))
	if err != nil || n < 0 || n > 4 {
		return 4
	}
	return n
}

// parseDate reads a date in ISO or, as /me and webhooks send it, in the account's format. Only dd/MM/yyyy has been
// seen; a date that only fits MM/dd/yyyy is read like that. If both fit, see LockDates.
func parseDate(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if t, err := rest.ParseTime(s); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2/1/2006", "2/1/2006 15:04:05", "1/2/2006", "1/2/2006 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, errors.New("is not a date")
}

// Contact is one of the account's own people. A sale's SalesRepresentative must be the name of one of type Sale.
type Contact struct {
	ContactID      string `rest:"guid"`
	Name           string
	Type           string // Billing, Business, Sale, Shipping, Employee
	Email          string
	Phone          string
	DefaultForType bool
}

// Contacts reads /me/contacts.
func (c *Client) Contacts(ctx context.Context) ([]Contact, error) {
	return collect[Contact](ctx, c, "/me/contacts")
}
