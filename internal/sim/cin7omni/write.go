package cin7omni

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"stockbridge/internal/sim"
)

const mostBatch = 250

// result is what the vendor says of one contact of a batch.
type result struct {
	Index   int      `json:"index"`
	Success bool     `json:"success"`
	ID      int      `json:"id"`
	Code    string   `json:"code"`
	Errors  []string `json:"errors"`
}

func (c *call) getContact(id int) (any, error) {
	r := c.byID[id]
	if r == nil {
		return nil, errNotFound
	}
	return &r.Contact, nil
}

func (c *call) createContacts() (any, error) {
	return c.batch(func(doc json.RawMessage) (*record, []string, error) {
		r := &record{}
		r.Contact.IsActive = true // unless it says otherwise (decided)
		faults, err := c.write(r, doc)
		if err != nil || len(faults) > 0 {
			return nil, faults, err
		}
		c.make(r, c.Now)
		return r, nil, nil
	})
}

func (c *call) updateContacts() (any, error) {
	return c.batch(func(doc json.RawMessage) (*record, []string, error) {
		var of struct{ ID ref }
		if err := json.Unmarshal(doc, &of); err != nil {
			return nil, nil, errMalformed
		}
		r := c.byID[int(of.ID)]
		if r == nil {
			return nil, []string{"Contact not found."}, nil // decided
		}
		faults, err := c.write(r, doc)
		if err != nil || len(faults) > 0 {
			return nil, faults, err
		}
		c.touch(r, c.Now)
		return r, nil, nil
	})
}

// batch writes each record of the body, which must be an array, on its own.
func (c *call) batch(write func(json.RawMessage) (*record, []string, error)) (any, error) {
	var docs []json.RawMessage
	if body := bytes.TrimSpace(c.Body); len(body) == 0 || body[0] != '[' || json.Unmarshal(body, &docs) != nil {
		return nil, errMalformed
	}
	if len(docs) > mostBatch {
		return nil, errBatch
	}
	for _, doc := range docs { // what cannot be read is found before anything is written (decided)
		if err := json.Unmarshal(doc, &written{contact: &contact{}}); err != nil || doc[0] != '{' {
			return nil, errMalformed
		}
	}
	results := make([]result, len(docs))
	for i, doc := range docs {
		r, faults, err := write(doc)
		if err != nil {
			return nil, err
		}
		if results[i] = (result{Index: i, Errors: append([]string{}, faults...)}); r != nil {
			results[i].Success, results[i].ID, results[i].Code = true, r.Contact.ID, string(r.Contact.Email)
		}
	}
	return results, nil
}

// deleteContact removes a contact for good; a second time it is not found.
func (c *call) deleteContact(id int) (any, error) {
	r := c.byID[id]
	if r == nil {
		return nil, errNotFound
	}
	c.erase(r)
	return struct {
		Success bool     `json:"success"`
		ID      int      `json:"id"`
		Code    string   `json:"code"`
		Errors  []string `json:"errors"`
	}{true, id, string(r.Contact.Email), []string{}}, nil
}

// written is a contact's document as it is read: into a copy of the contact, so that what it leaves out stays, with the
// fields beside it that are not simply replaced.
type written struct {
	*contact
	SecondaryContacts []json.RawMessage `json:"secondaryContacts"`
	CustomFields      map[string]any    `json:"customFields"`
}

// write changes a contact by a document, unless something in it is wrong. What the vendor alone sets stays.
func (c *call) write(r *record, doc json.RawMessage) (faults []string, err error) {
	now, was := r.Contact, r.Contact
	now.text = nil
	if err := c.merge(&now, doc); err != nil {
		return nil, errMalformed
	}
	now.ID, now.CreatedDate, now.ModifiedDate = was.ID, was.CreatedDate, was.ModifiedDate
	now.BalanceOwing, now.Accounting = was.BalanceOwing, was.Accounting
	if faults = c.faults(&was, &now); len(faults) == 0 {
		c.replace(r, now)
	}
	return faults, nil
}

// merge reads a document into a contact. Custom fields and secondary contacts are merged, the latter by their ids; one
// without an id is another one (decided).
func (a *account) merge(into *contact, doc json.RawMessage) error {
	w := written{contact: into}
	people := slices.Clone(into.SecondaryContacts)
	fields := maps.Clone(into.CustomFields)
	if err := json.Unmarshal(doc, &w); err != nil {
		return err
	}
	for _, raw := range w.SecondaryContacts {
		var p person
		if err := json.Unmarshal(raw, &p); err != nil {
			return err
		}
		if i := slices.IndexFunc(people, func(q person) bool { return q.ID == p.ID }); i >= 0 {
			if err := json.Unmarshal(raw, &people[i]); err != nil {
				return err
			}
			continue
		}
		a.LastID++
		p.ID = a.LastID
		people = append(people, p)
	}
	if fields == nil {
		fields = map[string]any{}
	}
	maps.Copy(fields, w.CustomFields)
	if people == nil {
		people = []person{}
	}
	into.SecondaryContacts, into.CustomFields = people, fields
	return nil
}

// faults says what is wrong with a contact that was another way before. The words are decided.
func (a *account) faults(was, x *contact) (faults []string) {
	switch {
	case x.Type == "":
		faults = append(faults, "The Type field is required.")
	case !x.Type.known():
		faults = append(faults, "The Type field is invalid.")
	}
	faults = append(faults, tooLong(*x)...)
	for _, p := range x.SecondaryContacts {
		if p.FirstName == "" || p.Email == "" {
			faults = append(faults, "A secondary contact needs FirstName and Email.")
		}
		faults = append(faults, tooLong(p)...)
	}
	if x.PercentageOff.Sign() < 0 || x.PercentageOff.IntPart() > 100 {
		faults = append(faults, "The field PercentageOff must be between 0 and 100.")
	}
	if key := emailKey(x); key != "" && key != emailKey(was) && a.byEmail.Get(key) != nil {
		faults = append(faults, "A contact with the email address already exists.")
	}
	return faults
}

func emailKey(x *contact) string { return sim.Fold(strings.TrimSpace(string(x.Email))) }

// tooLong says which texts of a record are longer than its fields hold.
func tooLong(record any) (faults []string) {
	v := reflect.ValueOf(record)
	for _, f := range reflect.VisibleFields(v.Type()) {
		most, err := strconv.Atoi(f.Tag.Get("max"))
		if err == nil && len([]rune(v.FieldByIndex(f.Index).String())) > most {
			faults = append(faults, fmt.Sprintf("The field %s must be a string with a maximum length of %d.",
				f.Name, most))
		}
	}
	return faults
}

// make gives a new contact its id and dates, and adds it to the books.
func (a *account) make(r *record, now time.Time) {
	a.LastID++
	r.Contact.ID = a.LastID
	r.Contact.CreatedDate = cmp.Or(r.Contact.CreatedDate, stampOf(now))
	r.Contact.ModifiedDate = cmp.Or(r.Contact.ModifiedDate, stampOf(now))
	a.add(r)
	a.changed(r)
}

// touch dates a change.
func (a *account) touch(r *record, now time.Time) {
	r.Contact.ModifiedDate = stampOf(now)
	a.changed(r)
}

// changed notes that a contact is another than it was.
func (a *account) changed(r *record) {
	r.Contact.text = nil
	a.version++
	a.seat.Changed(r)
}

// replace puts another state in a contact's place.
func (a *account) replace(r *record, now contact) {
	if a.byID[r.Contact.ID] == r {
		a.byEmail.Move(emailKey(&r.Contact), emailKey(&now), r)
	}
	r.Contact = now
}

func (a *account) add(r *record) {
	a.Contacts = append(a.Contacts, r)
	a.byID[r.Contact.ID] = r
	a.byEmail.Add(emailKey(&r.Contact), r)
	a.version++
}

func (a *account) remove(r *record) {
	a.Contacts = slices.DeleteFunc(a.Contacts, func(x *record) bool { return x == r })
	delete(a.byID, r.Contact.ID)
	a.byEmail.Move(emailKey(&r.Contact), "", r)
	a.version++
}

// erase removes a contact for good.
func (a *account) erase(r *record) {
	a.remove(r)
	r.Gone = true
	a.seat.Changed(r)
}
