package cin7core

import "stockbridge/internal/rest"

// routes are the calls of this client, each with the query parameters that we send. All are in the vendor's blueprint:
// the vendor ignores an unknown parameter today, and may refuse it tomorrow. Page and Limit belong to every call whose
// answer has Total and Page; those of GET /ref/priceTier and the webhooks have not.
var routes = rest.Routes{
	"GET /me":              {},
	"GET /me/contacts":     {"Page", "Limit"},
	"GET /ref/location":    {"Page", "Limit"},
	"GET /ref/tax":         {"Page", "Limit"},
	"GET /ref/paymentterm": {"Page", "Limit"},
	"GET /ref/priceTier":   {},
	"GET /ref/carrier":     {"Page", "Limit"},
	"GET /customer": {"Page", "Limit", "ID", "Name", "ContactFilter", "ModifiedSince", "IncludeDeprecated",
		"IncludeProductPrices"},
	"GET /product": {"Page", "Limit", "ID", "Name", "Sku", "ModifiedSince", "IncludeDeprecated",
		"IncludeAttachments", "IncludeCustomPrices"},
	"GET /ref/productavailability": {"Page", "Limit", "ID", "Sku", "Location"},
	"GET /saleList": {"Page", "Limit", "Search", "CreatedSince", "UpdatedSince", "UpdatedUntil", "Status",
		"OrderStatus",
		"CombinedShippingStatus", "ExternalID"},
	"GET /sale":                  {"ID"},
	"POST /sale":                 {},
	"DELETE /sale":               {"ID", "Void"},
	"POST /sale/order":           {},
	"POST /sale/fulfilment/pick": {},
	"POST /sale/fulfilment/pack": {},
	"POST /sale/fulfilment/ship": {},
	"GET /webhooks":              {},
	"POST /webhooks":             {},
	"PUT /webhooks":              {},
	"DELETE /webhooks":           {"ID"},
}
