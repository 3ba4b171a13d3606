package joor

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"stockbridge/internal/sim"
)

// Control adds JOOR's part of the control API. The account is in the query, the body or the path.
//
//	GET,PUT /sim/joor/accounts/{account}     {"token","revoked","stalled","reviewSeconds"} and what is set up: see
//	                                         setup. A list replaces what there is; what is not sent stays.
//	                                         stalled = bulk jobs stand still as they are, and so do those that come;
//	                                         reviewSeconds null = days, as JOOR says
//	GET    /sim/joor/connections?account=    all, those in review with "review":true and "until"
//	POST   /sim/joor/connections?account=    makes one of a document as GET /v2/connection gives it, or several of an
//	                                         array; with "review":true it is in review
//	PUT    /sim/joor/connections/{id}        changes it without checks; id is JOOR's
//	DELETE /sim/joor/connections/{id}        removes it
//	POST   /sim/joor/review                  {"account","customerCodes":[…] or "all":true,"accept":true}: JOOR's
//	                                         people decide now; accept false = it is gone
//	GET    /sim/joor/jobs?account=           bulk jobs, with what became of each record
//	POST   /sim/joor/jobs/{id}/{do}          stall lets a job stand still, resume lets it go on
func (v *Vendor) Control(site *sim.Site) {
	site.JSON("GET /sim/joor/accounts/{account}", v.inBrand((*brand).getAccount))
	site.JSON("PUT /sim/joor/accounts/{account}", v.inBrand((*brand).putAccount))
	site.JSON("GET /sim/joor/connections", v.inBrand((*brand).getConnections))
	site.JSON("POST /sim/joor/connections", v.inBrand((*brand).postConnections))
	site.JSON("PUT /sim/joor/connections/{id}", v.inBrand((*brand).putConnection))
	site.JSON("DELETE /sim/joor/connections/{id}", v.inBrand((*brand).deleteConnection))
	site.JSON("POST /sim/joor/review", v.inBrand((*brand).postReview))
	site.JSON("GET /sim/joor/jobs", v.inBrand((*brand).getJobs))
	site.JSON("POST /sim/joor/jobs/{id}/{do}", v.inBrand((*brand).postJob))
	site.Page(&sim.Page{Vendor: sim.JOOR, Title: "JOOR", Link: "Connections at JOOR", Call: "POST /bulk-connection",
		Ready: []sim.ReadyFault{
			{Label: "Lose the answer to the next upload",
				Fault: sim.Fault{Match: "POST /bulk-connection", Kind: "after"}},
			{Label: "Refuse the next upload with a code",
				Fault: sim.Fault{Match: "POST /bulk-connection", Kind: "before", How: "code"}},
			{Label: "Answer the next 5 calls with 503",
				Fault: sim.Fault{Match: "*", Kind: "before", How: "503", Times: 5}},
			{Label: "Be down until cleared", Fault: sim.Fault{Match: "*", Kind: "before", How: "refused", Times: -1}},
			{Label: "Answer the next call with a page of HTML", Fault: sim.Fault{Match: "*", Kind: "html"}},
		},
		Template: pageTemplate, Show: v.page, Press: v.press})
}

// inBrand serves a control call about one account's books, as they are by now. The account is in the path, the query or
// the body.
func (v *Vendor) inBrand(serve func(*brand, *http.Request, []byte) (any, error)) func(*http.Request) (any, error) {
	return func(r *http.Request) (any, error) {
		return v.sim.Locked(r, func(body []byte) (any, error) {
			account := r.PathValue("account")
			if account == "" {
				account = r.FormValue("account")
			}
			if account == "" {
				var in struct{ Account string }
				_ = json.Unmarshal(body, &in)
				account = in.Account
			}
			b := v.brand(account)
			if b == nil {
				return nil, sim.NotFound("Account")
			}
			b.settle(time.Now())
			return serve(b, r, body)
		})
	}
}

// account is an account as the control API shows it.
type account struct {
	Account       string   `json:"account"`
	Token         string   `json:"token"`
	Revoked       bool     `json:"revoked"`
	Stalled       bool     `json:"stalled"`
	ReviewSeconds *float64 `json:"reviewSeconds"`
	*setup
}

func (b *brand) getAccount(*http.Request, []byte) (any, error) {
	of := b.seat.Account.JOOR
	return account{of.Account, of.Token, b.Revoked, b.Stalled, b.ReviewSeconds, &b.setup}, nil
}

func (b *brand) putAccount(r *http.Request, body []byte) (any, error) {
	next := b.setup
	in := account{Token: b.seat.Account.JOOR.Token, Revoked: b.Revoked, Stalled: b.Stalled,
		ReviewSeconds: b.ReviewSeconds, setup: &next}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	b.seat.Account.JOOR.Token, b.Revoked, b.ReviewSeconds, b.setup = in.Token, in.Revoked, in.ReviewSeconds, next
	if in.Stalled != b.Stalled {
		b.Stalled = in.Stalled
		for _, j := range b.jobs {
			if j.Done < j.Count {
				b.stall(j, in.Stalled)
			}
		}
	}
	b.seat.Changed()
	return b.getAccount(r, nil)
}

// stall lets a job stand still, or go on.
func (b *brand) stall(j *job, still bool) {
	if !still {
		b.resume(j, time.Now())
		return
	}
	j.Stalled = true
	b.seat.Changed(j)
}

// shown is a connection as the control API shows it.
type shown struct {
	document
	Review bool       `json:"review"`
	Until  *time.Time `json:"until,omitempty"` // when JOOR's people will have decided
}

func (b *brand) shown(x *connection) shown {
	out := shown{document: x.document, Review: x.Review != nil}
	if out.Review {
		until := b.until(x.Review).UTC()
		out.Until = &until
	}
	return out
}

func (b *brand) getConnections(*http.Request, []byte) (any, error) {
	all := []shown{}
	for _, x := range b.all {
		all = append(all, b.shown(x))
	}
	return sim.Items(all), nil
}

func (b *brand) postConnections(_ *http.Request, body []byte) (any, error) {
	records, err := sim.Documents(body)
	if err != nil {
		return nil, err
	}
	made := []shown{}
	for _, raw := range records {
		var in struct {
			document
			CustomerName string `json:"customer_name"`
			Review       bool   `json:"review"`
		}
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, err
		}
		if in.CustomerAlias == "" {
			in.CustomerAlias = in.CustomerName
		}
		switch {
		case b.ids[in.CustomerAccountID] != nil:
			return nil, sim.Conflict("There is a connection with the id " + strconv.Itoa(in.CustomerAccountID))
		case in.CustomerCode != "" && b.coded(string(in.CustomerCode)) != nil:
			return nil, sim.Conflict("There is a connection with the code " + string(in.CustomerCode))
		}
		var r *review
		if in.Review {
			r = &review{time.Now().UTC(), 1}
		}
		made = append(made, b.shown(b.made(in.document, r)))
	}
	return sim.Items(made), nil
}

func (b *brand) putConnection(r *http.Request, body []byte) (any, error) {
	x := b.withID(r.PathValue("id"))
	if x == nil {
		return nil, sim.NotFound("Connection")
	}
	next := x.document
	if err := json.Unmarshal(body, &next); err != nil {
		return nil, err
	}
	next.CustomerAccountID = x.CustomerAccountID
	b.codes.Move(codeKey(string(x.CustomerCode)), codeKey(string(next.CustomerCode)), x)
	x.document = next
	b.complete(x)
	b.seat.Changed(x)
	return b.shown(x), nil
}

func (b *brand) deleteConnection(r *http.Request, _ []byte) (any, error) {
	x := b.withID(r.PathValue("id"))
	if x == nil {
		return nil, sim.NotFound("Connection")
	}
	b.drop(x)
	return b.shown(x), nil
}

func (b *brand) postReview(_ *http.Request, body []byte) (any, error) {
	var in struct {
		CustomerCodes []string
		All, Accept   bool
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	decided := []shown{}
	for _, x := range b.review(in.CustomerCodes, in.All, in.Accept) {
		decided = append(decided, b.shown(x))
	}
	return sim.Items(decided), nil
}

// shownJob is a bulk job as the control API shows it.
type shownJob struct {
	ID       int       `json:"id"`
	Status   string    `json:"status"`
	Created  time.Time `json:"created"`
	Modified time.Time `json:"modified"`
	Count    int       `json:"count"`
	Done     int       `json:"done"`
	Stalled  bool      `json:"stalled"`
	Results  []result  `json:"results"`
}

func (j *job) shown() shownJob {
	return shownJob{j.ID, j.status(), j.Created, j.Modified, j.Count, j.Done, j.Stalled, slices.Clone(j.Results)}
}

func (b *brand) getJobs(*http.Request, []byte) (any, error) {
	all := []shownJob{}
	for _, j := range b.jobs {
		all = append(all, j.shown())
	}
	return sim.Items(all), nil
}

func (b *brand) postJob(r *http.Request, _ []byte) (any, error) {
	return b.pressJob(r.PathValue("id"), r.PathValue("do"))
}

// pressJob lets a job stand still, or go on.
func (b *brand) pressJob(id, do string) (any, error) {
	i := slices.IndexFunc(b.jobs, func(j *job) bool { return strconv.Itoa(j.ID) == id })
	still, ok := map[string]bool{"stall": true, "resume": false}[do]
	if i < 0 || !ok {
		return nil, sim.NotFound("Job")
	}
	b.stall(b.jobs[i], still)
	return b.jobs[i].shown(), nil
}
