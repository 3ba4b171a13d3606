package sim

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The control API, JSON below /sim, open: it holds nothing real.
//
//	GET,POST /sim/accounts                       POST {"name","currency"}
//	PUT  /sim/upstock/accounts/{supplier}        {"token","revoked"}
//	PUT  /sim/cin7core/accounts/{id}             {"applicationKey","revoked","automation"}; automation false
//	                                             makes /webhooks answer 403 (see core_hooks.go)
//	POST /sim/upstock/webhooks                   {"supplier","url"} → {"secret"}
//	POST /sim/upstock/webhooks/rotate            {"supplier"} → {"secret"}
//	GET  /sim/upstock/deliveries?supplier=
//	POST /sim/upstock/orders                     {"supplier", …an Order or part of one}
//	GET  /sim/upstock/orders/{id}                POST …/approve, …/cancel
//	GET  /sim/cin7core/deliveries?account=
//	GET  /sim/cin7core/sales?account=            GET /sim/cin7core/sales/{id}: as GET /sale
//	POST /sim/cin7core/sales/{id}/{ship|tracking|undo|void|copy|lines|complete}   see Sim.Sale
//	PUT  /sim/cin7core/{customers|products}/{id} merges; null clears. A product's "OnHand" too, at "Location"
//	                                             (default the main warehouse): sales waiting for it get it
//	PUT  /sim/cin7core/{taxes|locations|terms}/{id}, /sim/cin7core/me?account=   likewise
//	PUT  /sim/cin7core/contacts?account=         replaces /me/contacts
//	GET  /sim/{vendor}/calls?account=
//	GET,POST,DELETE /sim/{vendor}/faults

// SaleSummary is a Cin7 Core sale in few words.
type SaleSummary struct {
	ID         string `json:"id"`
	Number     string `json:"number"`
	ExternalID string `json:"externalId"`
	Status     string `json:"status"`
	Total      string `json:"total"`
	Lines      int    `json:"lines"`
	Charges    int    `json:"charges"`
	Order      string `json:"orderStatus"`
	Type       string `json:"type"`
	Customer   string `json:"customer"`
	Reference  string `json:"reference"`
	Shipping   string `json:"shippingStatus"`
}

// Sales lists a Cin7 Core account's sales by number, voided ones included.
func (s *Sim) Sales(account string) []SaleSummary {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []SaleSummary{}
	a := s.byCore[strings.ToLower(account)]
	if a == nil {
		return out
	}
	for _, r := range a.Core.Sales {
		out = append(out, summarise(&r.Sale))
	}
	return out
}

func summarise(x *sale) SaleSummary {
	return SaleSummary{x.ID, x.Order.SaleOrderNumber, string(x.ExternalID), x.Status, x.Order.Total.StringFixed(2), len(x.Order.Lines),
		len(x.Order.AdditionalCharges), x.Order.Status, x.Type, x.Customer, x.CustomerReference, x.CombinedShippingStatus}
}

// routes is everything below /sim, and the page that wrong paths of Cin7 Core
// lead to.
func (s *Sim) routes() http.Handler {
	mux := http.NewServeMux()
	for pattern, serve := range map[string]func(*http.Request) (any, error){
		"GET /sim/accounts":                  func(*http.Request) (any, error) { return items(s.Accounts()), nil },
		"POST /sim/accounts":                 s.postAccount,
		"PUT /sim/upstock/accounts/{id}":     s.putAccount,
		"PUT /sim/cin7core/accounts/{id}":    s.putAccount,
		"POST /sim/upstock/webhooks":         s.postWebhook,
		"POST /sim/upstock/webhooks/rotate":  s.postWebhook,
		"GET /sim/upstock/deliveries":        s.getDeliveries,
		"POST /sim/upstock/orders":           s.controlPlace,
		"GET /sim/upstock/orders/{id}":       s.controlOrder,
		"POST /sim/upstock/orders/{id}/{do}": s.controlOrder,
		"GET /sim/cin7core/deliveries":       s.getDeliveries,
		"GET /sim/cin7core/sales":            s.controlSales,
		"GET /sim/cin7core/sales/{id}":       s.controlSale,
		"POST /sim/cin7core/sales/{id}/{do}": s.controlSale,
		"PUT /sim/cin7core/me":               s.putBooks,
		"PUT /sim/cin7core/contacts":         s.putBooks,
		"PUT /sim/cin7core/{book}/{id}":      s.putBooks,
		"GET /sim/{vendor}/calls":            s.getCalls,
		"GET /sim/{vendor}/faults":           s.controlFaults,
		"POST /sim/{vendor}/faults":          s.controlFaults,
		"DELETE /sim/{vendor}/faults":        s.controlFaults,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			v, err := serve(r)
			status := http.StatusOK
			if err != nil {
				status = http.StatusBadRequest
				var up *upError
				if errors.As(err, &up) {
					status = up.status
				}
				v = map[string]string{"error": err.Error()}
			}
			resp := jsonResponse(status, v)
			maps.Copy(w.Header(), resp.header)
			w.WriteHeader(resp.status)
			w.Write(resp.body)
		})
	}
	mux.HandleFunc("GET "+pageNotFound, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<!DOCTYPE html>\n<html><head><title>Page not found</title></head><body><h1>Page not found</h1></body></html>\n")
	})
	s.pages(mux)
	return mux
}

func items(v any) any { return map[string]any{"items": v} }

// read takes a JSON body; an empty one is {}.
func read(r *http.Request, into any) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil || len(body) == 0 {
		return []byte("{}"), err
	}
	return body, json.Unmarshal(body, into)
}

func (s *Sim) postAccount(r *http.Request) (any, error) {
	var in struct{ Name, Currency string }
	if _, err := read(r, &in); err != nil {
		return nil, err
	}
	return s.AddAccount(in.Name, strings.ToUpper(in.Currency)), nil
}

// putAccount changes or revokes credentials; what is not sent stays.
func (s *Sim) putAccount(r *http.Request) (any, error) {
	var in struct {
		ApplicationKey, Token string
		Revoked, Automation   *bool
	}
	if _, err := read(r, &in); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.byCore[strings.ToLower(r.PathValue("id"))]
	revoked := func(b *bool) {
		if in.Revoked != nil {
			*b = *in.Revoked
		}
	}
	if strings.HasPrefix(r.URL.Path, "/sim/upstock/") {
		n, _ := strconv.Atoi(r.PathValue("id"))
		if a = s.bySup[n]; a == nil {
			return nil, notFound("Supplier")
		}
		if in.Token != "" {
			delete(s.byToken, a.Upstock.Token)
			a.Upstock.Token = in.Token
			s.index(a)
		}
		revoked(&a.Up.Revoked)
	} else {
		if a == nil {
			return nil, notFound("Account")
		}
		if in.ApplicationKey != "" {
			a.Cin7Core.ApplicationKey = in.ApplicationKey
		}
		revoked(&a.Core.Revoked)
		if in.Automation != nil {
			a.Core.NoAutomation = !*in.Automation
		}
	}
	s.touched(a)
	return a.Account, nil
}

func (s *Sim) postWebhook(r *http.Request) (any, error) {
	var in struct {
		Supplier int
		URL      string
	}
	if _, err := read(r, &in); err != nil {
		return nil, err
	}
	var secret string
	var err error
	if strings.HasSuffix(r.URL.Path, "/rotate") {
		secret, err = s.RotateWebhook(in.Supplier)
	} else {
		secret, err = s.RegisterWebhook(in.Supplier, in.URL)
	}
	return map[string]string{"secret": secret}, err
}

func (s *Sim) getDeliveries(r *http.Request) (any, error) {
	if strings.HasPrefix(r.URL.Path, "/sim/cin7core/") {
		return items(s.CoreDeliveries(r.FormValue("account"))), nil
	}
	n, _ := strconv.Atoi(r.FormValue("supplier"))
	return items(s.Deliveries(n)), nil
}

func (s *Sim) controlPlace(r *http.Request) (any, error) {
	var in struct{ Supplier int }
	body, err := read(r, &in)
	if err != nil {
		return nil, err
	}
	o, err := s.PlaceOrder(in.Supplier, string(body))
	return o.JSON, err
}

func (s *Sim) controlOrder(r *http.Request) (any, error) {
	id, _ := strconv.Atoi(r.PathValue("id"))
	do := map[string]func(int) (OrderSummary, error){"": s.Order, "approve": s.Approve, "cancel": s.Cancel}[r.PathValue("do")]
	if do == nil {
		return nil, notFound("Action")
	}
	o, err := do(id)
	return o.JSON, err
}

func (s *Sim) controlSales(r *http.Request) (any, error) {
	return items(s.Sales(r.FormValue("account"))), nil
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
		if _, err := read(r, &f); err != nil {
			return nil, err
		}
		if err := s.Fault(vendor, f); err != nil {
			return nil, err
		}
	case http.MethodDelete:
		s.ClearFaults(vendor)
	}
	return items(append([]Fault{}, s.Faults(vendor)...)), nil
}

// putBooks merges a JSON object into a record of Cin7 Core; null clears. The
// vendor's checks are not made: tests bring about what is wrong.
func (s *Sim) putBooks(r *http.Request) (any, error) {
	body, err := read(r, new(json.RawMessage))
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	v, err := s.mergeBook(r, body)
	if err != nil {
		return nil, err
	}
	out, err := json.Marshal(v) // here, where s.mu still guards it
	return json.RawMessage(out), err
}

func (s *Sim) mergeBook(r *http.Request, body []byte) (any, error) {
	now, d := time.Now(), decoder{clear: true}
	if r.PathValue("id") == "" {
		a := s.byCore[strings.ToLower(r.FormValue("account"))]
		if a == nil {
			return nil, notFound("Account")
		}
		s.touched(a)
		if strings.HasSuffix(r.URL.Path, "/contacts") {
			return items(&a.Core.Contacts), d.decode(body, &a.Core.Contacts)
		}
		return &a.Core.Me, d.decode(body, &a.Core.Me)
	}
	id := r.PathValue("id")
	for _, a := range s.state.Accounts {
		switch c := a.Core; r.PathValue("book") {
		case "customers":
			for _, x := range c.Customers {
				if strings.EqualFold(x.ID, id) {
					s.touched(a)
					x.LastModifiedOn = stampOf(now)
					return x, d.decode(body, x)
				}
			}
		case "products":
			for _, p := range c.Products {
				if !strings.EqualFold(p.ID, id) {
					continue
				}
				s.touched(a)
				p.LastModifiedOn = stampOf(now)
				more := struct {
					OnHand   *number
					Location string
				}{Location: mainWarehouse}
				if err := d.decode(body, &more); err != nil {
					return nil, err
				}
				if more.OnHand != nil {
					if c.location(more.Location) == nil {
						return nil, notFound("Location")
					}
					c.stockOf(p.ID, more.Location).OnHand = *more.OnHand
					s.person(a, nil).arrive(p.ID, more.Location)
				}
				return p, d.decode(body, p)
			}
		case "taxes":
			for _, t := range c.Taxes {
				if strings.EqualFold(t.ID, id) {
					s.touched(a)
					return t, d.decode(body, t)
				}
			}
		case "locations":
			for _, l := range c.Locations {
				if strings.EqualFold(l.ID, id) {
					s.touched(a)
					return l, d.decode(body, l)
				}
			}
		case "terms":
			for _, t := range c.Terms {
				if strings.EqualFold(t.ID, id) {
					s.touched(a)
					return t, d.decode(body, t)
				}
			}
		}
	}
	return nil, notFound("Record")
}
