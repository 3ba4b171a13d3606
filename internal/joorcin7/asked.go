package joorcin7

import (
	"stockbridge/internal/joorcin7/customer"
	"stockbridge/internal/joorcin7/list"
	"stockbridge/internal/tenant"
)

// Off says that a tenant has not enabled a kind of sending, JobUpload or JobUpdate; "" = it has.
func Off(b tenant.Bundle, kind string) string {
	return switchedOff(customer.SettingsOf(b.Settings), kind)
}

// Lists are the lists of customers.
func Lists() []List { return list.Lists() }

// Sorts are what customers can be ordered by, each with a - before it the other way round.
func Sorts() []string { return list.Sorts() }
