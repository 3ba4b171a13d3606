package console

import (
	"bytes"
	"html"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"stockbridge/internal/prose"
	"stockbridge/internal/signin"
)

// What a person sends whose session is over is kept (signin.Form), and stands in the form again after signing in. That
// is so for every form of every page: the page is made as always, and what was typed is put into its HTML, which
// html/template has written, so that tags and attributes are where these patterns look for them.

var (
	formTag   = prose.Pattern(`<(/?)(form|input|select|option|textarea)\b([^>]*)>`)
	attribute = prose.Pattern(`\s([a-z-]+)(?:="([^"]*)")?`)
	secrets   = prose.Pattern(`(?i)key|token|secret|password`)
)

// What is said where a form comes again.
const (
	keptFields  = "You were signed out. What you typed is here; nothing was saved yet."
	keptSecrets = "Keys, tokens and secrets are kept nowhere: paste them again."
	keptButton  = "You were signed out, and nothing was done yet. Press the button again."
	keptNowhere = "You were signed out, and nothing was done. What you sent is not asked for here any more."
)

// maxKept bounds a form that is kept, in bytes. It is what the runner reads of somebody who is signed out.
const maxKept = 16 << 10

// pageField is the field of a form that names its page, where the form's own address does not lead there.
const pageField = "page"

// keep keeps the form that a request holds, and returns the address of its page. What cannot be kept is let go: the
// page is shown without it.
func (a *api) keep(w http.ResponseWriter, r *http.Request, page string) string {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if page == "/" || kind != "application/x-www-form-urlencoded" || r.ContentLength > maxKept {
		return page
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxKept)
	if r.ParseForm() != nil {
		return page
	}
	if from := r.PostForm.Get(pageField); from != "" && len(from) <= 2000 && a.shows(from) {
		page = from
	}
	f := signin.Form{Page: page, Action: r.URL.EscapedPath(), Fields: url.Values{}}
	for name, values := range r.PostForm {
		switch {
		case !secrets().MatchString(name):
			f.Fields[name] = values
		case strings.Join(values, "") != "":
			f.Secret = true
		}
	}
	if err := a.Desk.Keep(w, r, f); err != nil {
		a.Log.ErrorContext(r.Context(), "keep a form", "route", r.Pattern, "error", err)
	}
	return page
}

// withKept is a page with what its reader typed there before signing in, once.
func (a *api) withKept(w http.ResponseWriter, r *http.Request, name string, f frame, body []byte) ([]byte, error) {
	kept, ok, err := a.Desk.Kept(w, r, *f.Person)
	if err != nil {
		a.Log.ErrorContext(r.Context(), "a form that was kept", "route", r.Pattern, "error", err)
	}
	if !ok || kept.Page != r.URL.RequestURI() {
		return body, nil
	}
	if err := a.Desk.LetGo(w, r); err != nil {
		a.Log.ErrorContext(r.Context(), "let a form go", "route", r.Pattern, "error", err)
	}
	_, found, typed := filled(body, kept)
	switch {
	case !found:
		f.Said = keptNowhere
	case typed || kept.Secret:
		f.Said = keptFields
	default:
		f.Said = keptButton
	}
	if found && kept.Secret {
		f.Said += " " + keptSecrets
	}
	if body, err = rendered(name, f); err != nil {
		return nil, err
	}
	body, _, _ = filled(body, kept)
	return body, nil
}

// filled is a page with a form's fields as they were sent. found reports whether the page has the form, typed whether
// there is anything in it that people see.
func filled(page []byte, kept signin.Form) (out []byte, found, typed bool) {
	f := filling{fields: kept.Fields, used: map[string]int{}}
	var b bytes.Buffer
	last, inside := 0, false
	its := itsForm(page, kept)
	for _, at := range formTag().FindAllSubmatchIndex(page, -1) {
		if at[0] < last {
			continue
		}
		closing, kind, rest := at[3] > at[2], string(page[at[4]:at[5]]), string(page[at[6]:at[7]])
		tag := string(page[at[0]:at[1]])
		b.Write(page[last:at[0]])
		last = at[1]
		switch attrs := attributes(rest); {
		case kind == "form" && !closing:
			inside = at[0] == its
			found = found || inside
		case kind == "form":
			inside = false
		case inside && kind == "textarea" && !closing:
			if value, ok := f.next(attrs["name"]); ok {
				tag += "\n" + html.EscapeString(value)
				last += max(0, bytes.Index(page[last:], []byte("</textarea>")))
			}
		case inside:
			tag = f.tag(kind, closing, tag, attrs)
		}
		b.WriteString(tag)
	}
	b.Write(page[last:])
	return b.Bytes(), found, f.typed
}

// itsForm is where the form of a page begins that was sent; -1 = the page does not have it. Of several that are sent to
// the same address it is the one that says of itself what was sent, in the fields that people do not see.
func itsForm(page []byte, kept signin.Form) int {
	var all, alike []int // where forms with the address begin, and those of them that say the same
	inside := false
	for _, at := range formTag().FindAllSubmatchIndex(page, -1) {
		closing, kind := at[3] > at[2], string(page[at[4]:at[5]])
		switch attrs := attributes(string(page[at[6]:at[7]])); {
		case kind == "form":
			inside = !closing && strings.EqualFold(attrs["method"], "post") && attrs["action"] == kept.Action
			if inside {
				all, alike = append(all, at[0]), append(alike, at[0])
			}
		case inside && attrs["type"] == "hidden" && len(alike) > 0 && alike[len(alike)-1] == all[len(all)-1]:
			if sent := kept.Fields[attrs["name"]]; sent != nil && !slices.Contains(sent, attrs["value"]) {
				alike = alike[:len(alike)-1]
			}
		}
	}
	switch {
	case len(all) == 1: // what it says of itself may be another by now, as the version of settings
		return all[0]
	case len(alike) > 0:
		return alike[0]
	}
	return -1
}

// filling puts values into the tags of one form, in their order.
type filling struct {
	fields   url.Values
	used     map[string]int // how many values of a name have their place
	choosing string         // what the select around is to have chosen
	open     bool           // there is one, and it has not been found in it yet
	in       bool
	typed    bool
}

// next is the value of the next field of a name; false = it was not sent.
func (f *filling) next(name string) (string, bool) {
	values, n := f.fields[name], f.used[name]
	if n >= len(values) {
		return "", false
	}
	f.used[name]++
	f.typed = true
	return values[n], true
}

func (f *filling) tag(kind string, closing bool, tag string, attrs map[string]string) string {
	switch {
	case kind == "select" && !closing:
		f.choosing, f.in = f.next(attrs["name"])
		f.open = f.in
	case kind == "select":
		if f.open { // it is not there to choose any more: the form says so when it is sent
			choice := html.EscapeString(f.choosing)
			tag = `<option value="` + choice + `" selected>` + choice + `</option>` + tag
		}
		f.open, f.in = false, false
	case kind == "option" && !closing && f.in:
		chosen := f.open && attrs["value"] == f.choosing
		if chosen {
			f.open = false
		}
		return with(tag, "selected", chosen)
	case kind == "input":
		return f.input(tag, attrs)
	}
	return tag
}

func (f *filling) input(tag string, attrs map[string]string) string {
	name := attrs["name"]
	switch attrs["type"] {
	case "password", "file", "submit", "button":
		return tag
	case "checkbox", "radio":
		sent := f.fields[name]
		if attrs["type"] == "radio" && sent == nil {
			return tag
		}
		f.typed = f.typed || sent != nil
		return with(tag, "checked", slices.Contains(sent, attrs["value"]))
	case "hidden":
		before := f.typed
		defer func() { f.typed = before }()
	}
	value, ok := f.next(name)
	if !ok {
		return tag
	}
	return strings.TrimSuffix(without(tag, "value"), ">") + ` value="` + html.EscapeString(value) + `">`
}

// with is a tag that has an attribute without a value, or has it not.
func with(tag, name string, has bool) string {
	tag = without(tag, name)
	if has {
		tag = strings.TrimSuffix(tag, ">") + " " + name + ">"
	}
	return tag
}

func without(tag, name string) string {
	return attribute().ReplaceAllStringFunc(tag, func(a string) string {
		if n, _, _ := strings.Cut(strings.TrimSpace(a), "="); n == name {
			return ""
		}
		return a
	})
}

func attributes(tag string) map[string]string {
	all := map[string]string{}
	for _, m := range attribute().FindAllStringSubmatch(tag, -1) {
		all[m[1]] = html.UnescapeString(m[2])
	}
	return all
}

// withAddress has those forms of a page name it that are sent elsewhere than to its address or below: what is typed
// into one without a session comes back to the page as it was, its filters and all.
func (a *api) withAddress(r *http.Request, page []byte) []byte {
	if !safe(r.Method) {
		return page
	}
	here := *r.URL
	q := here.Query()
	if q.Has("said") {
		q.Del("said")
		q.Del("n")
		q.Del("of")
		here.RawQuery = q.Encode()
	}
	address := here.RequestURI()
	field := []byte(`<input type="hidden" name="` + pageField + `" value="` + html.EscapeString(address) + `">`)
	return formTag().ReplaceAllFunc(page, func(tag []byte) []byte {
		if !bytes.HasPrefix(tag, []byte("<form ")) {
			return tag
		}
		attrs := attributes(string(tag))
		if attrs["method"] != "post" || attrs["action"] == signOutPath || a.pageAbove(attrs["action"]) == address {
			return tag
		}
		return slices.Concat(tag, field)
	})
}
