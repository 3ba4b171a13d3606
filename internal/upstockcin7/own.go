package upstockcin7

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/ledger"
	"stockbridge/internal/tenant"
)

// SwitchOffOwn is what is said of a supplier until a person has said that it is done: no call of Upstock's tells.
const SwitchOffOwn = "Switch off Upstock's own Cin7 integration (Upstock: Settings › Integrations), or every order " +
	"is sold twice."

// CurrentWarnings are the warnings of a connection but for what earlier versions stored among them, and is said by
// SwitchOffOwn now.
func CurrentWarnings(warnings []string) []string {
	return slices.DeleteFunc(slices.Clone(warnings), func(text string) bool {
		return strings.HasPrefix(text, "Switch off Upstock's own Cin7 integration (Upstock: Settings > ")
	})
}

// OwnOff is a person's word that Upstock's own Cin7 integration is off.
type OwnOff struct {
	By string    `json:"by,omitempty"`
	At time.Time `json:"at,omitzero"` // zero = nobody has said it
}

// ownOff is that word, as it is noted beside the connection to Upstock: of another supplier, or one that is connected
// anew, it has to be said again.
const ownOff tenant.Progress[OwnOff] = "ownOff"

// OwnIntegration is what a person has said of the own Cin7 integration of the supplier of a connection to Upstock.
func OwnIntegration(c tenant.Connection) OwnOff { return ownOff.Of(c) }

// SayOwnOff notes that Upstock's own Cin7 integration is off, or takes that back. Who says it is in the context
// (ledger.WithActor). Said once more, nothing changes.
func (p *Pair) SayOwnOff(ctx context.Context, tenantID string, off bool) error {
	errSaid := errors.New("said already")
	_, err := ownOff.Change(ctx, p.Tenants, tenantID, tenant.Upstock, func(_ tenant.Connection, o *OwnOff) error {
		switch {
		case off != o.At.IsZero():
			return errSaid
		case off:
			*o = OwnOff{By: ledger.ActorOf(ctx), At: p.Now().UTC().Truncate(time.Second)}
		default:
			*o = OwnOff{}
		}
		return nil
	}, func(OwnOff) (tenant.Ops, error) {
		text := "It was said that Upstock's own Cin7 integration is off."
		if !off {
			text = "It was taken back that Upstock's own Cin7 integration is off."
		}
		op, err := ledger.RecordOp(ctx, tenantID, ledger.Event{Kind: "connection", Text: text})
		return tenant.Ops{op}, err
	})
	if errors.Is(err, errSaid) {
		return nil
	}
	return err
}
