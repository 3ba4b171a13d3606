package cin7omni

import (
	"bytes"
	"errors"
	"net/http"
	"strings"

	"stockbridge/internal/rest"
)

// ErrPermission is wrapped in the error of a call that the key lacks the permission for. The error's Kind is Invalid,
// never Unauthorized: the key is good, and works as soon as a person switches the permission on in Cin7 Omni, under
// Settings > Integrations & API > API v1.
var ErrPermission = errors.New("the key lacks the permission")

// readError reads an error. By the specification every body is a sentence as JSON, as "Resource not found"; a client of
// others reads {"Message": …} (seen), and a proxy may answer with HTML. The sentences themselves are never relied on.
func readError(status int, header http.Header, body []byte) *rest.Error {
	e := rest.FromStatus(status, header)
	if e == nil {
		return nil
	}
	e.Messages = sentences(body)
	if status == http.StatusForbidden {
		if isMarkup(body) {
			e.Kind = rest.Unavailable // a proxy's
		} else {
			e.Kind, e.Err = rest.Invalid, ErrPermission
		}
	}
	return e
}

// sentences are what an error's body says: a JSON text, the texts of an object or a list, or plain text.
func sentences(body []byte) []string {
	body = bytes.TrimSpace(body)
	var text string
	switch {
	case len(body) == 0 || isMarkup(body):
		return nil
	case body[0] == '{':
		var said struct {
			Message          string `rest:"as=error"`
			ExceptionMessage string // what ASP.NET adds to Message (assumed)
			Errors           []string
		}
		_ = rest.Unmarshal(body, &said) // what cannot be read stays empty
		return append([]string{said.Message, said.ExceptionMessage}, said.Errors...)
	case body[0] == '[':
		var said []string
		_ = rest.Unmarshal(body, &said)
		return said
	case rest.Unmarshal(body, &text) == nil:
		return []string{text}
	}
	return []string{strings.ToValidUTF8(string(body), "\uFFFD")}
}

func isMarkup(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }
