package console

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"stockbridge/internal/tenant"
)

// versionAnswer is what settings were from one saving to the next.
type versionAnswer struct {
	Version  int             `json:"version"`
	At       time.Time       `json:"at"`
	By       *string         `json:"by"`       // null: it was not noted
	Changed  []string        `json:"changed"`  // the settings that differ from the version before
	Settings json.RawMessage `json:"settings"` // as PUT takes them
}

// listVersions lists the versions of the settings, newest first.
func (a *api) listVersions(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after, limit, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	before := 0
	if after != "" {
		if before, err = strconv.Atoi(after); err != nil || before < 1 || strconv.Itoa(before) != after {
			return unknownAfter()
		}
	}
	list, more, err := a.versionsOf(r.Context(), b.Tenant.ID, before, limit)
	if err != nil {
		return err
	}
	next := ""
	if more {
		next = strconv.Itoa(list[len(list)-1].Version)
	}
	return respond(w, r, http.StatusOK, page(list, next))
}

// versionsOf are the newest versions of a tenant's settings before one (0 = all); more = there are older ones.
func (a *api) versionsOf(
	ctx context.Context, tenantID string, before, limit int,
) (list []versionAnswer, more bool, err error) {
	saved, err := a.Tenants.SettingsHistory(ctx, tenantID, before, limit+1)
	if err != nil {
		return nil, false, err
	}
	defaults, err := tenant.Write(nil, a.Sections()...)
	if err != nil {
		return nil, false, err
	}
	docs := make([]json.RawMessage, len(saved), len(saved)+1)
	for i, s := range saved {
		if docs[i], err = a.asNow(s.Settings); err != nil {
			return nil, false, err
		}
	}
	docs = append(docs, defaults) // before the first
	for i, s := range saved[:min(len(saved), limit)] {
		list = append(list, versionAnswer{s.Version, s.At, known(s.By), changedSettings(docs[i+1], docs[i]), docs[i]})
	}
	return list, len(saved) > limit, nil
}

// asNow is what settings that were saved once say to this version of the program.
func (a *api) asNow(saved []byte) (json.RawMessage, error) {
	sections := a.Sections()
	tenant.Read(saved, sections...)
	return tenant.Write(nil, sections...)
}

// version is a version of a tenant's settings; not found where it was never saved.
func (a *api) version(ctx context.Context, tenantID, number string) (versionAnswer, error) {
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > maxVersion {
		return versionAnswer{}, notFound()
	}
	list, _, err := a.versionsOf(ctx, tenantID, n+1, 1)
	if err != nil {
		return versionAnswer{}, err
	}
	if len(list) == 0 || list[0].Version != n {
		return versionAnswer{}, notFound()
	}
	return list[0], nil
}

// maxVersion is more than anybody saves: keys of versions have so many digits.
const maxVersion = 99_999_998
