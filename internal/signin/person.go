package signin

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Role is what a person may do.
type Role string

// The roles.
const (
	Operator Role = "operator" // reads and changes all tenants
	Admin    Role = "admin"    // reads and changes its own tenants
	Viewer   Role = "viewer"   // reads its own tenants
)

// Person is who has signed in.
type Person struct {
	Subject string    `json:"subject"` // the issuer's id of the person
	Name    string    `json:"name"`
	Email   string    `json:"email,omitempty"`
	Role    Role      `json:"role"`
	Tenants []string  `json:"tenants,omitempty"` // an operator has all, and none is listed
	Since   time.Time `json:"since"`             // signed in
}

// May reports whether the person may see a tenant.
func (p Person) May(tenantID string) bool {
	return p.Role == Operator || tenantID != "" && slices.Contains(p.Tenants, tenantID)
}

// Changes reports whether the person may change what it sees.
func (p Person) Changes() bool { return p.Role != Viewer }

// claims are what the console reads of an ID token.
type claims struct {
	Name     string `json:"name"`
	Username string `json:"preferred_username"`
	Email    string `json:"email"`
	Role     Role   `json:"stockbridge_role"`
	Tenants  ids    `json:"stockbridge_tenants"`

	CognitoRole    Role `json:"custom:stockbridge_role"`
	CognitoTenants ids  `json:"custom:stockbridge_tenants"`
}

// ids is a list of tenants' ids: an array, or a text with commas or blanks between.
type ids []string

// UnmarshalJSON implements json.Unmarshaler.
func (l *ids) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		*l = list
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("tenants: %w", err)
	}
	*l = strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' })
	return nil
}

// person is whom the claims describe; false = somebody who has no role here.
func (c claims) person(subject string, now time.Time) (Person, bool) {
	p := Person{
		Subject: subject, Name: cmp.Or(c.Name, c.Username, c.Email, subject), Email: c.Email,
		Role: cmp.Or(c.Role, c.CognitoRole), Since: now.UTC().Truncate(time.Second),
	}
	if p.Role != Operator {
		p.Tenants = slices.Concat(c.Tenants, c.CognitoTenants)
	}
	return p, subject != "" && slices.Contains([]Role{Operator, Admin, Viewer}, p.Role)
}
