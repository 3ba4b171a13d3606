package cin7omni

import (
	"context"
	"net/http"
	"net/url"
)

// List is a list that a key may be allowed to read, by a switch of its own.
type List string

// The lists that this client reads.
const (
	ContactList List = "/v1/Contacts"
	UserList    List = "/v1/Users"
	OptionList  List = "/v1/ProductOptions"
)

// MayRead asks for one row of a list. It is the test of a key, as the API has nothing that says whose a key is: an
// error of the Kind Unauthorized says that the key is none, and one that wraps ErrPermission that it may not read the
// list.
func (c *Client) MayRead(ctx context.Context, l List) error {
	_, err := list(ctx, c, http.MethodGet, string(l), url.Values{"rows": {"1"}, "fields": {"id"}}, nil)
	return err
}
