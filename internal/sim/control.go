package sim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"
)

// The control API is JSON below /sim. It needs no credentials, as it holds nothing
// real. The core has
//
//	GET,POST /sim/accounts                 POST {"name","currency","empty"}; empty = without the contacts and
//	                                       connections of vendors that have such
//	GET  /sim/{vendor}/calls?account=
//	GET,POST,DELETE /sim/{vendor}/faults   see Fault
//
// and every vendor adds its own routes, listed at its Control.

// Site builds the control API and the pages.
type Site struct {
	sim   *Sim
	mux   *http.ServeMux
	guard *http.CrossOriginProtection
	pages []*Page
}

// Refusal is an error that the control API answers with its Status; any other
// error is answered with 400.
type Refusal struct {
	Status  int
	Message string
}

func (e *Refusal) Error() string { return e.Message }

// NotFound is the error of a request about something that does not exist.
func NotFound(what string) error { return &Refusal{http.StatusNotFound, what + " not found"} }

// Conflict is the error of a request that cannot be done in the present state.
func Conflict(message string) error { return &Refusal{http.StatusConflict, message} }

// routes returns the handler of the control API and the pages.
func (s *Sim) routes() http.Handler {
	site := &Site{sim: s, mux: http.NewServeMux(), guard: http.NewCrossOriginProtection()}
	site.JSON("GET /sim/accounts", func(*http.Request) (any, error) { return Items(s.Accounts()), nil })
	site.JSON("POST /sim/accounts", s.postAccount)
	site.JSON("GET /sim/{vendor}/calls", s.getCalls)
	for _, method := range []string{"GET", "POST", "DELETE"} {
		site.JSON(method+" /sim/{vendor}/faults", s.controlFaults)
	}
	for _, v := range s.vendors {
		v.Control(site)
	}
	site.addPages()
	return site.mux
}

// JSON adds a route of the control API.
func (c *Site) JSON(pattern string, serve func(*http.Request) (any, error)) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, err := serve(r)
		status := http.StatusOK
		if err != nil {
			status = http.StatusBadRequest
			if refusal, ok := errors.AsType[*Refusal](err); ok {
				status = refusal.Status
			}
			v = map[string]string{"error": err.Error()}
		}
		resp := JSON(status, v)
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.Status)
		w.Write(resp.Body)
	})
}

// Text adds a constant page.
func (c *Site) Text(pattern, html string) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, html)
	})
}

// Items is the control API's answer with a list.
func Items(v any) any { return map[string]any{"items": v} }

// Read reads a JSON body; an empty one is {}.
func Read(r *http.Request, into any) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 {
		return []byte("{}"), err
	}
	return body, json.Unmarshal(body, into)
}

// Documents are the records that a body has: one, or a list of them.
func Documents(body []byte) ([]json.RawMessage, error) {
	if body = bytes.TrimSpace(body); len(body) == 0 || body[0] != '[' {
		return []json.RawMessage{body}, nil
	}
	var all []json.RawMessage
	return all, json.Unmarshal(body, &all)
}

// Locked serves a control call about books: with its JSON body, and with the lock held until the answer is written.
func (s *Sim) Locked(r *http.Request, serve func(body []byte) (any, error)) (any, error) {
	body, err := Read(r, new(json.RawMessage))
	if err != nil {
		return nil, err
	}
	s.Lock()
	defer s.Unlock()
	out, err := serve(body)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(out)
	return json.RawMessage(text), err
}

func (s *Sim) postAccount(r *http.Request) (any, error) {
	var in struct {
		Name, Currency string
		Empty          bool
	}
	if _, err := Read(r, &in); err != nil {
		return nil, err
	}
	return s.addAccount(in.Name, strings.ToUpper(in.Currency), in.Empty), nil
}

func (s *Sim) getCalls(r *http.Request) (any, error) {
	vendor, account := r.PathValue("vendor"), r.FormValue("account")
	return map[string]any{"calls": s.Calls(vendor, account), "overLimit": s.OverLimit(vendor, account)}, nil
}

func (s *Sim) controlFaults(r *http.Request) (any, error) {
	vendor := r.PathValue("vendor")
	switch r.Method {
	case http.MethodPost:
		var f Fault
		if _, err := Read(r, &f); err != nil {
			return nil, err
		}
		if err := s.Fault(vendor, f); err != nil {
			return nil, err
		}
	case http.MethodDelete:
		s.ClearFaults(vendor)
	}
	return Items(append([]Fault{}, s.Faults(vendor)...)), nil
}
