package joor

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"stockbridge/internal/prose"
	"stockbridge/internal/rest"
)

// Refusal is what an answer says that is no success. Its comment is the error's message.
type Refusal struct {
	Code  int64  // not 0; what the codes mean is not documented
	LogID string // what JOOR's support finds the call by
}

func (r *Refusal) Error() string { return fmt.Sprintf("code %d, log id %q", r.Code, r.LogID) }

// readError reads an error. The outcome is the status's; of a 200 with another code than 0 it is Refused.
func readError(status int, header http.Header, body []byte) *rest.Error {
	e := rest.FromStatus(status, header)
	said, ok := responseIn(body)
	switch {
	case e == nil && (!ok || said.Code == 0):
		return nil
	case e == nil:
		e = &rest.Error{Outcome: rest.Refused, Kind: rest.Invalid}
	}
	e.Messages = append(e.Messages, said.Comment)
	e.Messages = append(e.Messages, messagesV4(body)...)
	if ok && said.Code != 0 {
		e.Err = &Refusal{said.Code, said.LogID}
	}
	return e
}

// responseIn finds the node in which JOOR says how a call went: at the top of an answer, or in the node that is there.
func responseIn(body []byte) (r wireResponse, ok bool) {
	var top map[string]json.RawMessage
	if json.Unmarshal(rest.WithoutBOM(body), &top) != nil {
		return r, false
	}
	if raw, found := top["response"]; found {
		return r, rest.Unmarshal(raw, &r) == nil
	}
	for _, node := range top {
		var inner struct {
			Response json.RawMessage `json:"response"`
		}
		if json.Unmarshal(node, &inner) == nil && inner.Response != nil {
			return r, rest.Unmarshal(inner.Response, &r) == nil
		}
	}
	return r, false
}

// notFoundText is how a comment may say that there is no such record. The codes are not documented and no comment was
// seen, so this is [I]; what it does not know stays an Invalid.
var notFoundText = prose.Pattern(`(?i)not found|does not exist|no such|could not be found`)

// asNotFound turns a refusal of a call about one record into NotFound where its comment says so.
func asNotFound(err error) error {
	e, ok := errors.AsType[*rest.Error](err)
	if _, refused := errors.AsType[*Refusal](err); !ok || !refused || e.Kind != rest.Invalid {
		return err
	}
	for _, m := range e.Messages {
		if notFoundText().MatchString(m) {
			e.Kind = rest.NotFound
		}
	}
	return err
}

// notFound is the error of a call that was answered without the record that it asked for.
func (c *Client) notFound(method, path string) error {
	return &rest.Error{Who: c.Who, Outcome: rest.Refused, Kind: rest.NotFound, Method: method, Path: path,
		Status: http.StatusOK}
}

// notSent is the error of a call that is not made.
func (c *Client) notSent(method, path, why string) error {
	return &rest.Error{Who: c.Who, Outcome: rest.Refused, Kind: rest.NotSent, Method: method, Path: path,
		Err: errors.New(why)}
}
