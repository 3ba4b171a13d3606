package publish

import (
	"context"
	"errors"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
)

// Tell is a stage of a run: it has a set told, and returns nil when the far side has it all, or has said why not. of is
// what the set's own run came to; nil = that is not known any more, as others ended since.
func (p *Publisher) Tell(ctx context.Context, r *job.Run, set Set) (of *ledger.Progress, err error) {
	place := r.Place
	if place.Set == "" {
		asked, err := p.Ask(ctx, r.Part.Tenant, set.Name)
		if err != nil {
			return nil, err
		}
		place.Set = asked.ID
		if err := r.Save(ctx); err != nil {
			return nil, err
		}
	}
	of, err = p.ledger.Progress(ctx, r.Part.Tenant, place.Set)
	if err == nil && of.IsOpen() {
		own := *r.Part
		own.Cursor = nil // the run's end closes it
		if _, err := p.Sync(ctx, &own, set); err != nil {
			return nil, err
		}
		of, err = p.ledger.Progress(ctx, r.Part.Tenant, place.Set)
	}
	switch {
	case errors.Is(err, ledger.ErrNotFound):
		return nil, nil
	case err == nil && of.IsOpen(): // another worker does it
		return nil, r.Part.Soon()
	}
	return of, err
}
