package cin7omni

import "stockbridge/internal/rest"

// routes are the calls of this client, each with the query parameters that we send. All are in the vendor's
// specification: unknown parameters are ignored today (seen), and may be refused tomorrow.
var routes = rest.Routes{
	"GET /v1/Contacts":         {"fields", "where", "order", "page", "rows"},
	"GET /v1/Contacts/{id}":    {},
	"POST /v1/Contacts":        {},
	"PUT /v1/Contacts":         {},
	"DELETE /v1/Contacts/{id}": {},
	"GET /v1/Users":            {"fields", "where", "order", "page", "rows"},
	"GET /v1/ProductOptions":   {"fields", "where", "order", "page", "rows"},
}
