package cin7omni

import (
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"stockbridge/internal/sim"
)

//go:embed page.html
var files embed.FS

var pageTemplate = sync.OnceValue(func() *template.Template { return sim.Template(files, "page.html") })

// pageData is what the page of an account shows: the contacts in which occurs what is looked for, the newest change
// first, and how many there are.
type pageData struct {
	sim.Frame
	Contacts  []contactView
	Of        int
	Users     []user
	Calls     []sim.Call
	OverLimit int
	Left      []leftView
	Revoked   bool
	Access    []accessView
}

// contactView is a contact with the fields that its form has.
type contactView struct {
	*contact
	Title  string
	Fields []fieldView
}

type fieldView struct{ Name, Label, Value string }

type leftView struct {
	Left, Of int
	Per      string
}

// accessView is a permission of the key.
type accessView struct {
	Resource, May string
	On            bool
}

// edited are the fields of the form, with their labels.
var edited = [][2]string{{"company", "Company"}, {"firstName", "First name"}, {"lastName", "Last name"},
	{"email", "E-mail"}, {"phone", "Phone"}, {"address1", "Address 1"}, {"address2", "Address 2"}, {"city", "City"},
	{"state", "State"}, {"postCode", "Post code"}, {"country", "Country"}, {"accountNumber", "Account number"},
	{"priceColumn", "Price column"}, {"paymentTerms", "Payment terms"}, {"group", "Group"}, {"notes", "Notes"}}

func (v *Vendor) page(n int, f sim.Frame) any {
	id := f.Account.Cin7Omni.Username
	p := &pageData{Frame: f, Calls: sim.LastOf(v.sim.Calls(sim.Cin7Omni, id)),
		OverLimit: v.sim.OverLimit(sim.Cin7Omni, id)}
	v.sim.Lock()
	defer v.sim.Unlock()
	a := v.accounts[n-1]
	p.Users, p.Revoked = append(p.Users, a.Users...), a.Revoked
	for _, rate := range []struct {
		calls  int
		window time.Duration
		per    string
	}{{a.Limits.Second, time.Second, "second"}, {a.Limits.Minute, time.Minute, "minute"},
		{a.Limits.Day, 24 * time.Hour, "day"}} {
		left, _ := a.seat.Left(rate.calls, rate.window)
		p.Left = append(p.Left, leftView{left, rate.calls, rate.per})
	}
	for _, may := range []string{"read", "create", "update"} {
		p.Access = append(p.Access, accessView{"contacts", may, a.may("contacts", may)})
	}
	p.Access = append(p.Access, accessView{"users", "read", a.may("users", "read")},
		accessView{"productoptions", "read", a.may("productoptions", "read")})
	found, of := sim.Found(a.newest(), f.Q, func(x *contact) []string {
		return []string{string(x.Company), string(x.FirstName + " " + x.LastName), string(x.Email),
			string(x.AccountNumber), strconv.Itoa(x.ID)}
	})
	for _, x := range found {
		p.Contacts = append(p.Contacts, viewOf(x))
	}
	p.Of = of
	return p
}

// newest are the contacts, the newest change first.
func (a *account) newest() []*contact {
	c := &call{Request: &sim.Request{Query: map[string][]string{"order": {"modifiedDate DESC,id DESC"}}}, account: a}
	rows, err := selected(c, a.all())
	if err != nil {
		return a.all()
	}
	return rows
}

// Rep is the id of the contact's sales person.
func (x contactView) Rep() int { return int(x.SalesPersonID) }

// viewOf copies a contact, as the page is written when the lock is not held any more.
func viewOf(x *contact) contactView {
	shown := *x
	shown.text = nil
	out := contactView{contact: &shown, Title: string(x.Company)}
	if out.Title == "" {
		out.Title = string(x.FirstName + " " + x.LastName)
	}
	text, _ := json.Marshal(&shown)
	var values map[string]any
	_ = json.Unmarshal(text, &values)
	for _, f := range edited {
		value, _ := values[f[0]].(string)
		out.Fields = append(out.Fields, fieldView{f[0], f[1], value})
	}
	return out
}

// press does what a button or form of the page asks for.
func (v *Vendor) press(n int, id, do string, r *http.Request) error {
	v.sim.Lock()
	defer v.sim.Unlock()
	if n < 1 || n > len(v.accounts) {
		return sim.NotFound("Account")
	}
	a := v.accounts[n-1]
	switch do {
	case "make":
		doc, _ := json.Marshal(map[string]string{"company": r.FormValue("company"), "email": r.FormValue("email")})
		_, err := a.makeContacts(doc)
		return err
	case "revoke":
		a.Revoked = !a.Revoked
		a.seat.Changed()
		return nil
	case "allow":
		a.allow(id, r.FormValue("may"), r.FormValue("on") != "")
		return nil
	}
	number, _ := strconv.Atoi(id)
	found := a.byID[number]
	if found == nil {
		return sim.NotFound("Contact")
	}
	return a.pressContact(found, do, r)
}

// pressContact changes or removes a contact.
func (a *account) pressContact(found *record, do string, r *http.Request) error {
	switch do {
	case "change":
		doc := map[string]any{"isActive": r.FormValue("isActive") != "", "salesPersonId": r.FormValue("salesPersonId")}
		for _, f := range edited {
			doc[f[0]] = r.FormValue(f[0])
		}
		text, err := json.Marshal(doc)
		if err != nil {
			return err
		}
		return a.change(found, text, time.Now())
	case "remove":
		a.erase(found)
		return nil
	}
	return sim.NotFound("Action")
}

func (a *account) may(resource, what string) bool {
	return slices.Contains(a.Permissions[resource], what)
}

// allow switches a permission on or off.
func (a *account) allow(resource, what string, on bool) {
	may := slices.DeleteFunc(slices.Clone(a.Permissions[resource]), func(m string) bool { return m == what })
	if on {
		may = append(may, what)
	}
	a.Permissions[resource] = may
	a.seat.Changed()
}
