package cin7core

// Attributes are the ten additional attributes, whose names the account chooses. In JSON they are fields of a customer
// or product, and an object of a sale.
type Attributes struct {
	AdditionalAttribute1  string
	AdditionalAttribute2  string
	AdditionalAttribute3  string
	AdditionalAttribute4  string
	AdditionalAttribute5  string
	AdditionalAttribute6  string
	AdditionalAttribute7  string
	AdditionalAttribute8  string
	AdditionalAttribute9  string
	AdditionalAttribute10 string
}

// Attribute returns the attribute n, 1 to 10; "" for any other.
func (a Attributes) Attribute(n int) string {
	if n < 1 || n > 10 {
		return ""
	}
	return [...]string{
		a.AdditionalAttribute1, a.AdditionalAttribute2, a.AdditionalAttribute3,
		a.AdditionalAttribute4, a.AdditionalAttribute5, a.AdditionalAttribute6,
		a.AdditionalAttribute7, a.AdditionalAttribute8, a.AdditionalAttribute9, a.AdditionalAttribute10,
	}[n-1]
}
