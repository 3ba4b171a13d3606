package match

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// Record is a party as one system keeps it. Texts are as they were typed: they are folded here. What is unknown is
// left empty.
type Record struct {
	ID        string   // in its own system, and alone in its list
	Codes     []string // other systems' ids of it, and account numbers; an empty or "0" one counts for nothing
	Emails    []string
	Phones    []string
	Company   string // with its legal form, and a trading name after "t/a", if it is written so
	Person    string // first and last name
	Addresses []Address
}

// Address is one of a record's addresses.
type Address struct {
	Street                          []string // its lines
	City, Region, Postcode, Country string
}

// Fingerprint changes when anything changes of a record that a reader would notice and that is compared. It is the
// same for the same record in another order of its e-mails or addresses.
func (r Record) Fingerprint() string {
	var texts []string
	add := func(kind string, list ...string) {
		for _, s := range list {
			if f := Fold(s); f != "" {
				texts = append(texts, kind+f)
			}
		}
	}
	add("code:", r.Codes...)
	add("mail:", r.Emails...)
	add("phone:", r.Phones...)
	add("company:", r.Company)
	add("person:", r.Person)
	for _, a := range r.Addresses {
		add("at:", strings.Join([]string{strings.Join(a.Street, ", "), a.City, a.Region, a.Postcode, a.Country}, "|"))
	}
	slices.Sort(texts)
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(texts), "\x00")))
	return hex.EncodeToString(sum[:8])
}
