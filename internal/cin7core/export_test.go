package cin7core

import "stockbridge/internal/rest"

// Routes are the client's table of calls.
func Routes() rest.Routes { return routes }
