package cin7omni

import "stockbridge/internal/rest"

// Routes are the client's table of calls.
func Routes() rest.Routes { return routes }
