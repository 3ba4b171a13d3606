package joor

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"stockbridge/internal/rest"
)

// AuthURL is where tokens of the API v4 are had in production. [C]
const AuthURL = "https://atlas.jooraccess.com/auth/"

// Credentials are what JOOR gives a brand for the API v4.
type Credentials struct{ ClientID, ClientSecret, Username, Password string }

// V4 holds the conversation with one account over the API v4. It is safe for concurrent use.
type V4 struct {
	*rest.Client
	account string
	as      Credentials
	auth    *rest.Client

	mu      sync.Mutex
	token   string
	expires time.Time
}

// routesV4 are the calls of v4. That there is a list of price types is known from other clients, as are the parameters
// of a list; account is [C].
var routesV4 = rest.Routes{"GET /price_types": {"account", "page", "page_size"}}

// NewV4 returns a client of an account. base is BaseURL or the like, with or without /v4; auth is AuthURL or the like.
func NewV4(base, auth string, rt http.RoundTripper, limit rest.Limiter, account string, as Credentials) *V4 {
	c := &V4{Client: newClient(base, "/v4", rt, limit), account: account, as: as,
		auth: &rest.Client{Who: System, HTTP: rt}}
	if u, err := url.Parse(auth); err == nil && u.Host != "" {
		c.auth.Base = u
	}
	c.Routes = routesV4
	c.Sign = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+c.known()) } // [C]
	for _, of := range []*rest.Client{c.Client, c.auth} {
		of.Hide(as.ClientSecret, as.Password)
	}
	return c
}

func (c *V4) known() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.token
}

// early is how long before its end a token is not used any more.
const early = time.Minute

// signIn returns a token that is good: the one that is known, or a new one. Several may be active [C], so two workers
// that ask at once do no harm.
func (c *V4) signIn(ctx context.Context) (token string, fresh bool, err error) {
	c.mu.Lock()
	token, good := c.token, time.Until(c.expires) > early
	c.mu.Unlock()
	if good {
		return token, false, nil
	}
	var answer struct {
		AccessToken string `json:"access_token" rest:"required"`
		ExpiresIn   int    `json:"expires_in"` // seconds: 36000, ten hours
	}
	form := url.Values{"grant_type": {"password"}, "client_id": {c.as.ClientID}, "client_secret": {c.as.ClientSecret},
		"username": {c.as.Username}, "password": {c.as.Password}}
	asked := time.Now()
	if err := c.auth.Do(rest.Unrecorded(ctx), http.MethodPost, "/", nil, form, &answer); err != nil {
		return "", false, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.token, c.expires = answer.AccessToken, asked.Add(time.Duration(answer.ExpiresIn)*time.Second)
	return c.token, true, nil
}

// forget forgets a token that is not good any more.
func (c *V4) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.expires = time.Time{}
	}
}

// get reads a page of a list. A token that JOOR ended before its time is replaced once.
func (c *V4) get(ctx context.Context, path string, query url.Values, out any) error {
	for {
		token, fresh, err := c.signIn(ctx)
		if err != nil {
			return err
		}
		query.Set("account", c.account)
		err = c.Do(rest.WithSecrets(ctx, token), http.MethodGet, path, query, nil, out)
		if rest.KindOf(err) != rest.Unauthorized {
			return err
		}
		if c.forget(token); fresh {
			return err
		}
	}
}

// PriceTypes reads the price types of the account. The names of their fields are not documented: several are tried. [I]
func (c *V4) PriceTypes(ctx context.Context) ([]PriceType, error) {
	const path, size = "/price_types", 100
	var all []PriceType
	for page := 1; ; page++ {
		var answer struct {
			Data []struct {
				Currency string `json:"price_currency" rest:"as=currency,as=wholesale_currency"`
				Label    string `json:"price_label" rest:"as=label,as=name"`
			} `json:"data" rest:"named"`
		}
		query := url.Values{"page": {strconv.Itoa(page)}, "page_size": {strconv.Itoa(size)}}
		if err := c.get(ctx, path, query, &answer); err != nil {
			return nil, err
		}
		before := len(all)
		for _, x := range answer.Data {
			all = with(all, PriceType(x), comparePriceTypes)
		}
		if len(answer.Data) < size || len(all) == before { // the last page, or one that comes again
			return all, nil
		}
	}
}

// messagesV4 are the errors that an answer of v4 lists: {"data":[…],"errors":[{"status","message"}]} [C].
func messagesV4(body []byte) (messages []string) {
	var answer struct {
		Errors []struct {
			Status  string `json:"status"`
			Message string `json:"message"`
		} `json:"errors"`
	}
	_ = rest.Unmarshal(body, &answer) // a proxy's error has another shape
	for _, e := range answer.Errors {
		messages = append(messages, e.Message)
	}
	return messages
}
