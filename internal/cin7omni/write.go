package cin7omni

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/shopspring/decimal"

	"stockbridge/internal/rest"
)

// Result is what became of one contact of a batch.
type Result struct {
	Outcome rest.Outcome // Unknown: the answer cannot be believed of this one
	ID      int64        // of a contact that was written
	Code    string       // its e-mail, as the vendor has it now (seen)
	Errors  []string     // why it was refused, in the vendor's words; may be empty
}

// Refused says why the contact was not written; "" = it was, or nobody knows.
func (r Result) Refused() string {
	switch {
	case r.Outcome != rest.Refused:
		return ""
	case len(r.Errors) == 0:
		return "Cin7 Omni refused it and did not say why."
	}
	return strings.Join(r.Errors, " ")
}

// Change is what to change of a contact: fields by their names in the API, as {"phone": "", "isActive": false}. ""
// clears a field; one that is not named stays as it is.
type Change struct {
	ID     int64
	Fields map[string]any
}

// CreateContacts makes contacts, up to MaxBatch, from those fields that are not zero; the vendor chooses ID and dates.
// A contact needs a Type. Results are in the order of the contacts.
//
// There is nothing that keeps a contact from being made twice but its e-mail, if it has one: after an error of the
// outcome Unknown, and for a Result of it, look for the e-mail or the IntegrationRef before trying again.
func (c *Client) CreateContacts(ctx context.Context, contacts []Contact) ([]Result, error) {
	records := make([]map[string]any, len(contacts))
	for i, contact := range contacts {
		records[i] = contact.fields()
	}
	return c.batch(ctx, http.MethodPost, records, nil)
}

// UpdateContacts changes contacts, up to MaxBatch. Results are in the order of the changes. Repeating it changes
// nothing but modifiedDate. Whether a contact that does not exist is a refused Result or an error NotFound of the whole
// call is not documented. Whether secondaryContacts are merged or replaced is not, either: they cannot be named.
func (c *Client) UpdateContacts(ctx context.Context, changes []Change) ([]Result, error) {
	records, ids := make([]map[string]any, len(changes)), make([]int64, len(changes))
	for i, change := range changes {
		if err := change.check(); err != nil {
			return nil, c.notSent(http.MethodPut, err)
		}
		records[i], ids[i] = map[string]any{"id": change.ID}, change.ID
		for name, value := range change.Fields {
			records[i][name] = written(value)
		}
	}
	return c.batch(ctx, http.MethodPut, records, ids)
}

// DeleteContact removes a contact for good; NotFound if there is none. Cin7 Omni's own people put a contact away by
// isActive = false.
func (c *Client) DeleteContact(ctx context.Context, id int64) error {
	var answer result
	path := contactPath(id)
	if err := c.Do(ctx, http.MethodDelete, path, nil, nil, &answer); err != nil {
		return err
	}
	switch r := answer.read(0, id); r.Outcome {
	case rest.Done:
		return nil
	case rest.Refused:
		return &rest.Error{Who: c.Who, Method: http.MethodDelete, Path: path, Outcome: rest.Refused,
			Kind: rest.Invalid, Status: http.StatusOK, Messages: r.Errors}
	default:
		return c.MalformedAnswer(http.MethodDelete, path, "the answer is not of that contact")
	}
}

// result is what the vendor says of one record of a batch, or of a removed one.
type result struct {
	Index   int      `json:"index"`
	Success bool     `json:"success" rest:"required"`
	ID      int64    `json:"id"` // 0 or null where it failed
	Code    string   `json:"code"`
	Errors  []string `json:"errors"`
}

// read says what became of the record sent at an index, of the contact with that id; 0 = of a new one.
func (r result) read(index int, id int64) Result {
	out := Result{Outcome: rest.Unknown, Code: r.Code, Errors: r.Errors}
	switch {
	case r.Index != index:
	case !r.Success && (r.ID == 0 || r.ID == id):
		out.Outcome = rest.Refused
	case r.Success && r.ID > 0 && (id == 0 || r.ID == id):
		out.Outcome, out.ID = rest.Done, r.ID
	}
	return out
}

// batch sends records, and says of each what became of it. ids are theirs; nil = they are new. An answer that is not a
// list of as many results is an error of the outcome Unknown.
func (c *Client) batch(ctx context.Context, method string, records []map[string]any, ids []int64) ([]Result, error) {
	const path = string(ContactList)
	switch {
	case len(records) == 0:
		return nil, nil
	case len(records) > MaxBatch:
		return nil, c.notSent(method, fmt.Errorf("a batch of %d is larger than %d", len(records), MaxBatch))
	}
	answer, err := list(ctx, c, method, path, nil, records)
	if err != nil {
		return nil, err
	}
	if len(answer) != len(records) {
		return nil, c.MalformedAnswer(method, path,
			fmt.Sprintf("there are %d results of %d records", len(answer), len(records)))
	}
	results := make([]Result, len(records))
	for i, row := range answer {
		var id int64
		if ids != nil {
			id = ids[i]
		}
		var said result
		if results[i].Outcome = rest.Unknown; rest.Unmarshal(row, &said) == nil {
			results[i] = said.read(i, id)
		}
	}
	return results, nil
}

// notSent is the error of a batch that is not sent.
func (c *Client) notSent(method string, err error) *rest.Error {
	return &rest.Error{Who: c.Who, Method: method, Path: string(ContactList), Outcome: rest.Refused, Kind: rest.NotSent,
		Err: err}
}

// theirs are the fields that the vendor alone sets.
var theirs = []string{"id", "createdDate", "modifiedDate", "balanceOwing"}

const people = "secondaryContacts"

// check says why a change cannot be sent: it has no contact, or a field that a contact has not, or with a value that
// is none of its kind.
func (ch Change) check() error {
	if ch.ID <= 0 {
		return errors.New("a change of no contact")
	}
	kinds := kindsOf()
	for name, value := range ch.Fields {
		kind, ok := kinds[name]
		if !ok || slices.Contains(theirs, name) || name == people {
			return fmt.Errorf("a contact's %s cannot be changed", name)
		}
		if _, text := value.(string); value != nil && reflect.TypeOf(value) != kind && !text {
			return fmt.Errorf("a contact's %s is no %T", name, value)
		}
	}
	return nil
}

// kindsOf are the types of a contact's fields by their names in the API.
func kindsOf() map[string]reflect.Type {
	kinds := map[string]reflect.Type{}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[Contact]()) {
		if name := f.Tag.Get("json"); name != "-" {
			kinds[name] = f.Type
		}
	}
	return kinds
}

// fields are those of a contact that are not zero, as a new one is written.
func (c Contact) fields() map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(c)
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, value := f.Tag.Get("json"), v.FieldByIndex(f.Index)
		if name == "-" || name == people || slices.Contains(theirs, name) || value.IsZero() {
			continue
		}
		out[name] = written(value.Interface())
	}
	if len(c.SecondaryContacts) > 0 {
		out[people] = newPeople(c.SecondaryContacts)
	}
	return out
}

// newPeople are a new contact's people, as they are written: the vendor gives them ids.
func newPeople(list []SecondaryContact) []map[string]string {
	out := make([]map[string]string, len(list))
	for i, p := range list {
		out[i] = map[string]string{}
		for name, value := range map[string]string{"company": p.Company, "firstName": p.FirstName,
			"lastName": p.LastName, "jobTitle": p.JobTitle, "email": p.Email, "mobile": p.Mobile, "phone": p.Phone} {
			if value != "" {
				out[i][name] = value
			}
		}
	}
	return out
}

// written is a value as JSON has it: a decimal is a number.
func written(value any) any {
	if d, ok := value.(decimal.Decimal); ok {
		return json.Number(d.String())
	}
	return value
}
