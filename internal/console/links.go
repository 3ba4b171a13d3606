package console

import (
	"errors"
	"net/http"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
	"stockbridge/internal/upstockcin7"
)

// linkAnswer is what a customer or product of Upstock's is remembered to be in Cin7 Core.
type linkAnswer struct {
	From  string    `json:"from"`  // Upstock's id of the customer, or the SKU: the address's last part
	ID    string    `json:"id"`    // Cin7 Core's
	Name  *string   `json:"name"`  // in Upstock; null where it is not known
	Label *string   `json:"label"` // in Cin7 Core; null where it is not there any more
	By    string    `json:"by"`    // person, name, match
	At    time.Time `json:"at"`
}

func linkAnswerOf(v upstockcin7.LinkView) linkAnswer {
	return linkAnswer{v.From, v.ID, known(v.Name), known(v.Label), v.By, v.At}
}

// noLink says what there is not.
func noLink(err error) error {
	if errors.Is(err, ledger.ErrNotFound) {
		return missing("There is no such link: /links/customer/{Upstock's id} and /links/product/{SKU} can have one.")
	}
	return err
}

func (a *api) listLinks(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	after, limit, err := paging(r.URL.Query())
	if err != nil {
		return err
	}
	kind := r.PathValue("kind")
	if after != "" && !upstockcin7.LinkAfter(kind, after) {
		return unknownAfter()
	}
	list, next, err := a.Pair.Links(r.Context(), b.Tenant.ID, kind, r.URL.Query().Get("q"), after, limit)
	if err != nil {
		return noLink(err)
	}
	var items []linkAnswer
	for _, v := range list {
		items = append(items, linkAnswerOf(v))
	}
	return respond(w, r, http.StatusOK, page(items, next))
}

func (a *api) putLink(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	var id string
	if err := decode(w, r, false, map[string]any{"id": &id}); err != nil {
		return err
	}
	if id == "" {
		return tenant.FieldErrors{{Field: "id", Message: "Give Cin7 Core's id of the " + r.PathValue("kind") + "."}}
	}
	v, err := a.Pair.SetLink(r.Context(), b.Tenant.ID, r.PathValue("kind"), r.PathValue("from"), id)
	if err != nil {
		return noLink(err)
	}
	return respond(w, r, http.StatusOK, linkAnswerOf(v))
}

func (a *api) deleteLink(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	if err := a.Pair.RemoveLink(r.Context(), b.Tenant.ID, r.PathValue("kind"), r.PathValue("from")); err != nil {
		return noLink(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
