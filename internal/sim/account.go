package sim

import (
	"strconv"
	"strings"
)

// The vendors' names, as in the control API.
const (
	Upstock  = "upstock"
	Cin7Core = "cin7core"
	Cin7Omni = "cin7omni"
	JOOR     = "joor"
)

// The paths at which the vendors are served. The clients' base addresses end in these.
const (
	PrefixUpstock  = "/upstock/v1"
	PrefixCin7Core = "/cin7core/ExternalApi/v2"
	PrefixCin7Omni = "/cin7omni/api"
	PrefixJOOR     = "/joor"
)

// knownVendor is what the core knows about a vendor, simulated or not: its name,
// its prefix, and the names in the state's file of its books, of a row of their
// longest list, and of an event that it sends.
type knownVendor struct{ name, prefix, books, row, event string }

// knownVendors are the vendors for which every account has keys.
var knownVendors = [...]knownVendor{
	{Upstock, PrefixUpstock, "up", "order", "upEvent"},
	{Cin7Core, PrefixCin7Core, "core", "sale", "coreEvent"},
	{Cin7Omni, PrefixCin7Omni, "omni", "contact", "omniEvent"},
	{JOOR, PrefixJOOR, "joorBooks", "connection", "joorEvent"},
}

// kindOf is the name in the state's file of a row of the vendor's books.
func (l *knownVendor) kindOf(row any) string {
	if r, ok := row.(Row); ok {
		return l.books + "." + r.Kind()
	}
	return l.row
}

// below returns the part of a path below the vendor's prefix. Case is ignored, as
// at Cin7 Core.
func (l *knownVendor) below(path string) (rest string, ok bool) {
	n := len(l.prefix)
	if len(path) < n || !strings.EqualFold(path[:n], l.prefix) || len(path) > n && path[n] != '/' {
		return "", false
	}
	return path[n:], true
}

// Account is one wholesaler's credentials at every vendor.
type Account struct {
	Name     string          `json:"name"`
	Currency string          `json:"currency"`
	Upstock  UpstockAccount  `json:"upstock"`
	Cin7Core Cin7CoreAccount `json:"cin7core"`
	Cin7Omni Cin7OmniAccount `json:"cin7omni"`
	JOOR     JOORAccount     `json:"joor"`
}

// UpstockAccount is a supplier and its bearer token.
type UpstockAccount struct {
	Supplier int    `json:"supplier"`
	Token    string `json:"token"`
}

// Cin7CoreAccount is the pair of authentication headers.
type Cin7CoreAccount struct {
	AccountID      string `json:"accountId"`
	ApplicationKey string `json:"applicationKey"`
}

// Cin7OmniAccount is the pair of Basic authentication.
type Cin7OmniAccount struct {
	Username string `json:"username"`
	Key      string `json:"key"`
}

// JOORAccount is an account id and its static token.
type JOORAccount struct {
	Account string `json:"account"`
	Token   string `json:"token"`
}

// id is the account's name in a vendor's calls and faults.
func (a *Account) id(vendor string) string {
	switch vendor {
	case Upstock:
		return strconv.Itoa(a.Upstock.Supplier)
	case Cin7Core:
		return a.Cin7Core.AccountID
	case Cin7Omni:
		return a.Cin7Omni.Username
	}
	return a.JOOR.Account
}

// newAccount draws the keys of the n-th account. s.mu is held.
func (s *Sim) newAccount(n int, name, currency string) Account {
	return Account{Name: name, Currency: currency,
		Upstock:  UpstockAccount{n, "ups_" + s.Token()},
		Cin7Core: Cin7CoreAccount{s.GUID(), s.GUID()},
		Cin7Omni: Cin7OmniAccount{"omni" + strconv.Itoa(n), s.Token()},
		JOOR:     JOORAccount{strconv.Itoa(7000 + n), s.Token()},
	}
}
