package console

import (
	"maps"
	"net/http"
	"slices"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// progressAnswer is how far a piece of long work is, and what came of it.
type progressAnswer struct {
	ID      string               `json:"id"`
	Kind    string               `json:"kind"`
	State   ledger.ProgressState `json:"state"`
	Done    int                  `json:"done"`
	Of      *int                 `json:"of"`      // null: that is not known
	Result  map[string]int       `json:"result"`  // how many of what
	Left    []ledger.LeftOut     `json:"left"`    // the first that could not be done
	Problem *string              `json:"problem"` // what it waits for, or why it stopped
}

func progressOf(p *ledger.Progress) progressAnswer {
	ans := progressAnswer{
		ID: p.ID, Kind: p.Kind, State: p.State, Done: p.Done, Result: map[string]int{},
		Left: append([]ledger.LeftOut{}, p.Left...), Problem: known(p.Problem),
	}
	if p.Of > 0 {
		ans.Of = &p.Of
	}
	maps.Copy(ans.Result, p.Result)
	return ans
}

// progressRef names the work that does what was asked for.
type progressRef struct {
	ID string `json:"id"`
}

// startedAnswer answers who asked for long work.
type startedAnswer struct {
	Progress progressRef `json:"progress"`
}

// respondStarted names the work that was asked for.
func respondStarted(w http.ResponseWriter, r *http.Request, p *ledger.Progress) error {
	return respond(w, r, http.StatusAccepted, startedAnswer{progressRef{p.ID}})
}

// progress is the work of the path's id.
func (a *api) progress(r *http.Request, b tenant.Bundle) (*ledger.Progress, error) {
	const none = "There is no such work, or it ended more than 7 days ago."
	p, err := a.Ledger.Progress(r.Context(), b.Tenant.ID, r.PathValue("id"))
	if err == nil && slices.Contains(catalogJobs, p.Kind) {
		p, err = a.Pair.CatalogProgress(r.Context(), b, p.ID)
	}
	return p, catalogFault(err, none)
}

func (a *api) getProgress(w http.ResponseWriter, r *http.Request, b tenant.Bundle) error {
	p, err := a.progress(r, b)
	if err != nil {
		return err
	}
	return respond(w, r, http.StatusOK, progressOf(p))
}
