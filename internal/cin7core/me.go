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
	Company                        string
	Currency                       string // the base currency, in which price tiers are
	TimeZone                       string // IANA
	LockDateText                   string `json:"LockDate"` // in the account's own format
	TaxCalculationMethod           string // "Row Total": tax rounded a line; "Total": on the document
	DefaultSaleTaxRuleID           string `json:"DefaultSaleTaxRuleId" rest:"guid"`
	DefaultSaleTaxRuleName         string
	DiscountRule                   string // "Discount" or "Price": what a discount applied by the account changes on a line
	MaximumDecimalPlacesInQuantity string // "N2"
	// AutomaticallyApplyDiscounts lets the account change prices of our orders when they are authorised.
	AutomaticallyApplyDiscounts               bool
	ApplyCustomerDiscountsAfterOtherDiscounts bool
}

// Me reads the account. An answer that names no company and no currency is none: a key was not tested by it.
func (c *Client) Me(ctx context.Context) (Me, error) {
	var me Me
	err := c.Do(ctx, http.MethodGet, "/me", nil, nil, &me)
	if err == nil && (strings.TrimSpace(me.Company) == "" || strings.TrimSpace(me.Currency) == "") {
		err = c.Nonsense(http.MethodGet, "/me", "the answer is no account")
	}
	return me, err
}

// LockDate is the day up to which the account's books are closed, for certain; zero where there is none or it cannot be
// read. Where day and month cannot be told apart it is the earlier of the two: about what lies between, the vendor itself
// decides when a sale is sent.
func (m Me) LockDate() time.Time {
	earliest, latest := m.LockDates()
	if latest.Before(earliest) {
		return latest
	}
	return earliest
}

// LockDates are the two days that LockDateText may mean: read as dd/MM/yyyy and as MM/dd/yyyy. They are most often the same.
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

// QuantityPlaces is how many decimals a quantity may have: 4, which the interface takes at most, where the account does not say less.
func (m Me) QuantityPlaces() int {
	n, err := strconv.Atoi(strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(m.MaximumDecimalPlacesInQuantity)), "N"))
	if err != nil || n < 0 || n > 4 {
		return 4
	}
	return n
}

// parseDate reads a date in ISO or, as /me and webhooks send it, in the account's format, of which dd/MM/yyyy is the one
// seen; what only fits as MM/dd/yyyy is read so. LockDates tells where both fit.
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

// Contact is a person of the account's own: a sale's SalesRepresentative must be the name of one of type Sale.
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
	return every[Contact](ctx, c, "/me/contacts")
}
