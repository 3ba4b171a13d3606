package joor

import (
	"bytes"
	"net/http"
	"time"

	"stockbridge/internal/sim"
)

const (
	authPath    = "/auth"
	tokenLife   = 10 * time.Hour      // [documented]
	refreshLife = 90 * 24 * time.Hour // [documented]
)

// signIn gives out a token of v4. An account's client id is its account id, its user is named api, and its secret and
// its password are its static token (decided).
func (v *Vendor) signIn(r *sim.Request) *sim.Response {
	form, err := http.NewRequest(r.Method, "http://sim.test/", bytes.NewReader(r.Body))
	if err != nil || r.Method != http.MethodPost {
		return sim.JSON(http.StatusMethodNotAllowed, map[string]string{"error": "invalid_request"})
	}
	form.Header = r.Header
	if form.ParseMultipartForm(1<<20) != nil && form.ParseForm() != nil || form.FormValue("grant_type") != "password" {
		return sim.JSON(http.StatusBadRequest, map[string]string{"error": "unsupported_grant_type"})
	}
	b := v.brand(form.FormValue("client_id"))
	if b == nil || b.Revoked || form.FormValue("username") != "api" ||
		form.FormValue("client_secret") != b.seat.Account.JOOR.Token ||
		form.FormValue("password") != b.seat.Account.JOOR.Token {
		return sim.JSON(http.StatusUnauthorized, map[string]string{"error": "invalid_grant",
			"error_description": "Invalid user credentials"})
	}
	token := "v4." + v.sim.Token()
	if b.Bearers == nil {
		b.Bearers = map[string]time.Time{}
	}
	for old, until := range b.Bearers {
		if r.Now.After(until) {
			delete(b.Bearers, old)
		}
	}
	b.Bearers[token] = r.Now.Add(v.sim.Scaled(tokenLife))
	b.seat.Changed()
	return sim.JSON(http.StatusOK, map[string]any{
		"access_token": token, "expires_in": int(v.sim.Scaled(tokenLife).Seconds()),
		"refresh_expires_in": int(refreshLife.Seconds()), "refresh_token": "refresh." + v.sim.Token(),
		"token_type": "Bearer", "not-before-policy": 1615484461, "session_state": v.sim.GUID(),
		"scope": "email profile",
	})
}

// getPriceTypes lists the account's price types; the names of the fields are decided.
func (c *call) getPriceTypes() (any, error) {
	if c.Query.Get("account") != c.seat.Account.JOOR.Account {
		return nil, refusal{http.StatusForbidden, codeUnauthorized, "Not an account of this token"}
	}
	data := []map[string]any{}
	for _, l := range c.PriceLabels {
		data = append(data, map[string]any{"name": l.Label, "currency": l.Currency})
	}
	if page := c.Query.Get("page"); page != "" && page != "1" {
		data = data[:0]
	}
	return map[string]any{"data": data, "errors": []any{}}, nil
}

// EndTokens ends an account's tokens of v4 before their time.
func (v *Vendor) EndTokens(account string) {
	v.sim.Lock()
	defer v.sim.Unlock()
	if b := v.brand(account); b != nil {
		clear(b.Bearers)
		b.seat.Changed()
	}
}
