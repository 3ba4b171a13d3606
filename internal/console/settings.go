package console

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

func etag(version int) string { return `"` + strconv.Itoa(version) + `"` }

// stored are a tenant's settings as they count; ignored says of which of the saved
// ones this version of the program takes no notice.
func (a *api) stored(b tenant.Bundle) (sections []tenant.Section, ignored []string) {
	sections = a.Sections()
	return sections, tenant.Read(b.Settings, sections...)
}

func (a *api) getSettings(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	sections, _ := a.stored(b)
	doc, err := tenant.Write(nil, sections...)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(b.Version))
	return respond(w, r, http.StatusOK, json.RawMessage(doc))
}

// options lists what each setting may name in the tenant's accounts: those of JOOR where it has to do with that.
func (a *api) options(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	ans := map[string]any{}
	var why []string
	parts := []string{"orders"} // with what settings of the catalogue name
	if uses(b, joorcin7.Systems()) {
		parts = append(parts, "joor")
	}
	for _, part := range parts {
		c, err := a.known(r, b, settingsParts[part])
		if err != nil {
			return err
		}
		for setting, list := range c.answers {
			ans[setting] = append([]upstockcin7.Choice{}, list...)
		}
		why = append(why, c.why)
	}
	ans["why"] = known(joined(" ", why...))
	return respond(w, r, http.StatusOK, ans)
}

// putSettings replaces all settings: what the body leaves out gets its default.
func (a *api) putSettings(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	raw, _, err := body(w, r, false)
	if err != nil {
		return err
	}
	version, err := wantedVersion(r, b.Version)
	if err != nil {
		return err
	}
	return a.saveSettings(w, r, b.Tenant.ID, version, func([]tenant.Section) ([]byte, error) { return raw, nil })
}

// patchSettings changes what the body names (RFC 7396); null gives a setting its default back.
func (a *api) patchSettings(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	raw, _, err := body(w, r, false)
	if err != nil {
		return err
	}
	wanted, err := wantedVersion(r, b.Version)
	if err != nil {
		return err
	}
	return a.saveSettings(w, r, b.Tenant.ID, wanted, func(old []tenant.Section) ([]byte, error) {
		return tenant.Merge(raw, old...) // what the patch leaves alone must not be of an older version
	})
}

// wantedVersion is the version that If-Match asks for, of settings that are at another or the same; -1 = whichever.
func wantedVersion(r *http.Request, now int) (int, error) {
	match := r.Header.Values("If-Match")
	if match == nil {
		return -1, nil
	}
	tags := strings.FieldsFunc(strings.Join(match, ","), func(c rune) bool { return c == ',' || c == ' ' })
	switch {
	case slices.Contains(tags, "*"):
		return -1, nil
	case slices.Contains(tags, etag(now)):
		return now, nil
	}
	return 0, &problem{Status: http.StatusPreconditionFailed,
		Detail: "The settings are at another version than If-Match says. Read them again."}
}

// saveSettings answers with the settings that change makes of those at a version (-1 = whichever).
func (a *api) saveSettings(
	w http.ResponseWriter, r *http.Request, tenantID string, version int,
	change func(old []tenant.Section) ([]byte, error),
) error {
	saved, now, err := a.changeSettings(r.Context(), tenantID, version, change)
	if r.Header.Get("If-Match") != "" && version >= 0 && errors.Is(err, tenant.ErrChanged) {
		return &problem{Status: http.StatusPreconditionFailed,
			Detail: "The settings changed meanwhile. Read them again."}
	}
	if err != nil {
		return err
	}
	w.Header().Set("ETag", etag(saved))
	return respond(w, r, http.StatusOK, json.RawMessage(now))
}

// changeSettings saves the document that change makes of the settings at a version (-1 = whichever), after what it
// names anew was looked for in Cin7 Core. What could not be checked is an event, and health says it. Orders that waited
// for what is chosen now go on.
func (a *api) changeSettings(
	ctx context.Context, tenantID string, version int, change func(old []tenant.Section) ([]byte, error),
) (saved int, now []byte, err error) {
	var old []byte
	var said, changed []string
	by := ledger.ActorOf(ctx)
	saved, err = a.Tenants.ChangeSettings(ctx, tenantID, by, func(b tenant.Bundle) ([]tenant.Section, error) {
		if version >= 0 && version != b.Version {
			return nil, tenant.ErrChanged
		}
		sections, _ := a.stored(b)
		fresh := a.Sections()
		var err error
		if old, err = tenant.Write(nil, sections...); err != nil {
			return nil, err
		}
		doc, err := change(sections)
		if err == nil {
			err = tenant.Parse(doc, fresh...)
		}
		if err != nil {
			return nil, err
		}
		if now, err = tenant.Write(nil, fresh...); err != nil {
			return nil, err
		}
		if said, err = a.Pair.CheckSettings(ctx, b, now); err != nil {
			return nil, err
		}
		more, err := a.JOOR.CheckSettings(ctx, b, now)
		said = append(said, more...)
		return fresh, err
	}, func(saved int) (tenant.Ops, error) {
		var texts []string
		if changed = changedSettings(old, now); len(changed) > 0 {
			texts = append(texts, "Settings were changed (version "+strconv.Itoa(saved)+"): "+titlesOf(changed))
		}
		return events(ctx, tenantID, "settings", append(texts, said...)...)
	})
	if err == nil && len(changed) > 0 {
		_ = a.Jobs.Start(ctx, tenantID, upstockcin7.JobDrift, 0) // else it is done in the night
		_ = a.JOOR.SettingsChanged(ctx, tenantID)                // else with the next schedule
	}
	return saved, now, err
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

// changedSettings are the names of the settings that differ in two documents.
func changedSettings(before, after []byte) []string {
	var old, now map[string]json.RawMessage
	_ = json.Unmarshal(before, &old)
	_ = json.Unmarshal(after, &now)
	names := []string{}
	for name, value := range now {
		if string(old[name]) != string(value) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// faultsOf says what is wrong with settings that stand in a field of another document; "" = that are one.
func (a *api) faultsOf(doc json.RawMessage, field string) (errs tenant.FieldErrors) {
	if !errors.As(tenant.Parse(doc, a.Sections()...), &errs) {
		return nil
	}
	for i := range errs {
		errs[i].Field = joined(".", field, errs[i].Field)
	}
	return errs
}
