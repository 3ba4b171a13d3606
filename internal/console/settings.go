package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

func (a *api) getSettings(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	w.Header().Set("ETag", etag(b.Version))
	return respond(w, r, http.StatusOK, b.Settings)
}

// options lists what each setting may name in the tenant's Cin7 Core account.
func (a *api) options(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	o, err := a.Pair.Options(r.Context(), b)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, o)
}

// putSettings replaces all settings: what the body leaves out gets its default.
func (a *api) putSettings(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	raw, _, err := body(w, r, false)
	if err != nil {
		return err
	}
	version, err := wantedVersion(r, b)
	if err != nil {
		return err
	}
	s, err := tenant.ParseSettings(raw)
	if err != nil {
		return err
	}
	return a.saveSettings(w, r, b.Tenant.ID, version, func(tenant.Settings) (tenant.Settings, error) { return s, nil })
}

// patchSettings changes what the body names (RFC 7396); null gives a setting its default back.
func (a *api) patchSettings(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	raw, _, err := body(w, r, false)
	if err != nil {
		return err
	}
	wanted, err := wantedVersion(r, b)
	if err != nil {
		return err
	}
	return a.saveSettings(w, r, b.Tenant.ID, wanted, func(old tenant.Settings) (tenant.Settings, error) {
		return tenant.PatchSettings(old, raw) // what the patch leaves alone must not be of an older version
	})
}

// wantedVersion is the version that If-Match asks for; -1 = whichever.
func wantedVersion(r *http.Request, b tenant.Bundle) (int, error) {
	match := r.Header.Values("If-Match")
	if match == nil {
		return -1, nil
	}
	tags := strings.FieldsFunc(strings.Join(match, ","), func(c rune) bool { return c == ',' || c == ' ' })
	switch {
	case slices.Contains(tags, "*"):
		return -1, nil
	case slices.Contains(tags, etag(b.Version)):
		return b.Version, nil
	}
	return 0, &problem{Status: http.StatusPreconditionFailed, Detail: "The settings are at another version than If-Match says. Read them again."}
}

// saveSettings saves what change makes of the settings at a version (-1 = whichever), after what is named anew was
// looked for in Cin7 Core. What could not be checked is an event, and health says it.
func (a *api) saveSettings(
	w http.ResponseWriter, r *http.Request, tenantID string, version int,
	change func(tenant.Settings) (tenant.Settings, error),
) error {
	ctx := r.Context()
	var old, s tenant.Settings
	var said []string
	saved, err := a.Tenants.ChangeSettings(ctx, tenantID, func(b tenant.Bundle) (tenant.Settings, error) {
		if version >= 0 && version != b.Version {
			return s, tenant.ErrChanged
		}
		var err error
		old = b.Settings
		if s, err = change(old); err != nil {
			return s, err
		}
		said, err = a.Pair.CheckSettings(ctx, b, s)
		return s, err
	}, func(saved int) (tenant.Ops, error) {
		var texts []string
		if changed := changedSettings(old, s); changed != "" {
			texts = append(texts, "Settings were changed (version "+strconv.Itoa(saved)+"): "+changed+".")
		}
		return events(ctx, tenantID, "settings", append(texts, said...)...)
	})
	if r.Header.Get("If-Match") != "" && version >= 0 && errors.Is(err, tenant.ErrChanged) {
		return &problem{Status: http.StatusPreconditionFailed, Detail: "The settings changed meanwhile. Read them again."}
	}
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(saved))
	return respond(w, r, http.StatusOK, s)
}

// events are the writes of events of one kind, which ride in that of what they tell of.
func events(ctx context.Context, tenantID, kind string, texts ...string) (ops tenant.Ops, err error) {
	for _, text := range texts {
		op, err := ledger.RecordOp(ctx, tenantID, ledger.Event{Kind: kind, Text: text})
		if err != nil {
			return nil, err
		}
		ops = append(ops, op)
	}
	return ops, nil
}

// changedSettings names the settings that differ.
func changedSettings(before, after tenant.Settings) string {
	fields := func(s tenant.Settings) (m map[string]json.RawMessage) {
		if raw, err := json.Marshal(s); err == nil {
			_ = json.Unmarshal(raw, &m)
		}
		return m
	}
	old, now := fields(before), fields(after)
	var names []string
	for name, value := range now {
		if string(old[name]) != string(value) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// parseSettings reads settings that stand in a field of another document.
func parseSettings(doc json.RawMessage, field string) (tenant.Settings, tenant.FieldErrors) {
	s, err := tenant.ParseSettings(doc)
	var errs tenant.FieldErrors
	if errors.As(err, &errs) {
		for i := range errs {
			errs[i].Field = strings.TrimSuffix(field+"."+errs[i].Field, ".")
		}
	}
	return s, errs
}
