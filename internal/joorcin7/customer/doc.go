// Package customer says what JOOR should hold of a customer of Cin7 Omni. It is pure: it reads nothing and calls
// nobody.
//
// # Words
//
//	contact     a customer record of Cin7 Omni, as far as it is mapped or matched by (Contact)
//	connection  JOOR's record of a retailer, as far as it is mapped (Connection)
//	rules       what decides the mapping: the tenant's settings, and what the JOOR account has (Rules)
//	fault       why a contact cannot go to JOOR as it is, a sentence that says what would mend it
//	difference  a mapped field that the two sides hold otherwise (Field)
//
// # How it is used
//
// [Rules.Connection] makes the connection that a contact should be, with its faults: one that has any is left out,
// with all of them said at once. [Connection.Pack] is a connection as it is published and compared: the same mapped
// fields give the same bytes, so a change of a field that is not mapped is no change. [Compare] shows both sides
// field by field. [Due] is the day by which JOOR's data team looks at new ones, by how many were sent together.
//
// # What is mapped
//
//	JOOR                        from Cin7 Omni
//	customer_code               the contact's id; a connection that was linked keeps its own
//	customer_name               company, else first and last name
//	customer_contact_email      e-mail
//	customer_buyer_name         first and last name
//	phone                       phone, else mobile
//	billing address             postal address, else the delivery address; billing_code is the contact's id
//	shipping address            delivery address, else the postal address; shipping_code is the contact's id, by which
//	                            JOOR's orders find their contact
//	price type                  price column, by joorPrices
//	payment method              payment terms, by joorTerms
//	sales rep                   sales person, by joorReps
//	customer group              group, by joorGroups
//
// What JOOR asks for and how long its fields are stands in limits.go, with how sure that is. A text that is too long
// is a fault and is never cut. What is not mapped, as terms that no rule names, is not sent, and JOOR keeps its own.
//
// # What it promises
//
// The same contact under the same rules is always the same connection, in the same bytes. A contact has a connection
// or a fault, never neither.
package customer
