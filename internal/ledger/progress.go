package ledger

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"stockbridge/internal/table"
)

// Progress is a piece of long work of one kind for a tenant: how far it is, for people, and whose turn it is to do it.
// There is one at a time of a kind. Whoever asks for what is under way already is told of that one, which is not done
// before all is done that was asked for.
//
//	asked ──▶ waiting ──a worker has the turn──▶ running ──▶ done, stopped
//	             ▲                                  │
//	             └──── it goes on by itself later ──┘
//
// A worker takes the turn with TakeProgress, notes how far it is with SaveProgress, and ends with EndProgress. Each of
// these writes goes through only while the worker has the turn, and whatever other writes are to hang on that ride in
// it. The turn is over at a time, so that a worker that died holds nobody up for long.
type Progress struct {
	ID      string         `json:"id"`
	Kind    string         `json:"kind"`
	State   ProgressState  `json:"state"`
	Problem string         `json:"problem,omitempty"` // what it waits for, or why it stopped
	Done    int            `json:"done"`
	Of      int            `json:"of,omitempty"` // 0 = that is not known
	Result  map[string]int `json:"result,omitempty"`
	Left    []LeftOut      `json:"left,omitempty"` // the first MaxLeft of those, and why

	Asked time.Time `json:"asked,omitzero"` // by people, last
	Begun time.Time `json:"begun,omitzero"` // when the work began that will answer who asked before
	Ended time.Time `json:"ended,omitzero"`

	// Place is what the worker needs to go on. It stays when the work ends, for whoever does the next of its kind.
	Place json.RawMessage `json:"place,omitempty"`

	Turn Lease `json:"turn,omitzero"`

	tenant, rev string
}

// LeftOut is a record that long work could not do.
type LeftOut struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Why  string `json:"why"`
}

// MaxLeft is how many records a piece of long work names that were left out.
const MaxLeft = 200

// maxProgressID is longer than any id is: people may ask for any.
const maxProgressID = 200

// ProgressState is where a piece of long work stands.
type ProgressState string

// The states of long work.
const (
	ProgressWaiting ProgressState = "waiting" // to begin, or to go on by itself
	ProgressRunning ProgressState = "running"
	ProgressDone    ProgressState = "done"
	ProgressStopped ProgressState = "stopped" // it does not go on
)

// KeepProgress is how long it is known what came of a piece of long work.
const KeepProgress = 7 * 24 * time.Hour

// IsOpen reports whether the work goes on.
func (p *Progress) IsOpen() bool { return p.State == ProgressWaiting || p.State == ProgressRunning }

// Leave notes a record that is left out, as long as there is room.
func (p *Progress) Leave(l LeftOut) {
	if len(p.Left) < MaxLeft {
		p.Left = append(p.Left, l)
	}
}

// begin makes p a new piece of work of its kind.
func (p *Progress) begin(tenantID, kind string) {
	*p = Progress{ID: kind + "." + strings.ToLower(rand.Text()[:16]), Kind: kind, State: ProgressWaiting,
		Place: p.Place, tenant: tenantID}
}

func progressPartition(tenantID string) string { return partition(tenantID, "progress") }

// currentKey is where the last piece of work of a kind stands.
func currentKey(tenantID, kind string) table.Key {
	return table.Key{PK: progressPartition(tenantID), SK: "kind#" + kind}
}

// endedKey is where a piece of work stands that ended.
func endedKey(tenantID, id string) table.Key {
	return table.Key{PK: progressPartition(tenantID), SK: "id#" + id}
}

func progressOf(tenantID string, it table.Item) (*Progress, error) {
	p := new(Progress)
	if it.Rev != "" {
		if err := table.Unmarshal(it.Data, p); err != nil {
			return nil, fmt.Errorf("progress %s: %w", it.SK, err)
		}
	}
	p.tenant, p.rev = tenantID, it.Rev
	return p, nil
}

// AskProgress asks for a piece of long work of a kind: the one that is under way, or else a new one. It starts nobody.
func (l *Ledger) AskProgress(ctx context.Context, tenantID, kind string) (*Progress, error) {
	return l.changeCurrent(ctx, tenantID, kind, func(p *Progress) bool {
		if p.IsOpen() && p.Asked.After(p.Begun) {
			return false
		}
		if !p.IsOpen() {
			p.begin(tenantID, kind)
		}
		p.Asked = justAfter(time.Now(), p.Begun)
		return true
	})
}

// justAfter is now, or a moment after an instant of another clock that is ahead.
func justAfter(now, than time.Time) time.Time {
	if now.After(than) {
		return now.UTC()
	}
	return than.Add(time.Nanosecond).UTC()
}

// TakeProgress takes the turn of the work that is under way, or of new work where none is, for a time. mine is false
// where another worker has it.
func (l *Ledger) TakeProgress(
	ctx context.Context, tenantID, kind string, turn time.Duration,
) (p *Progress, mine bool, err error) {
	token := rand.Text()
	p, err = l.changeCurrent(ctx, tenantID, kind, func(p *Progress) bool {
		now := time.Now()
		if mine = !p.IsOpen() || !p.Turn.Until.After(now); !mine {
			return false
		}
		if !p.IsOpen() {
			p.begin(tenantID, kind)
		}
		p.State, p.Turn = ProgressRunning, Lease{Token: token, Until: now.Add(turn).UTC()}
		return true
	})
	return p, mine, err
}

// StopProgress ends the work of a kind that is under way, if there is any, with the reason why. A worker that has the
// turn finds out with its next write.
func (l *Ledger) StopProgress(ctx context.Context, tenantID, kind, why string) error {
	_, err := l.changeCurrent(ctx, tenantID, kind, func(p *Progress) bool {
		if !p.IsOpen() {
			return false
		}
		p.State, p.Problem, p.Ended, p.Turn = ProgressStopped, why, time.Now().UTC(), Lease{}
		return true
	})
	return err
}

// changeCurrent changes what stands as the last piece of work of a kind.
func (l *Ledger) changeCurrent(
	ctx context.Context, tenantID, kind string, change func(*Progress) (write bool),
) (p *Progress, err error) {
	read, err := table.Read(ctx, l.table, currentKey(tenantID, kind))
	if err != nil {
		return nil, fmt.Errorf("progress of %s: %w", kind, err)
	}
	now, err := table.Change(ctx, l.table, read, func(it table.Item) ([]table.Op, error) {
		if p, err = progressOf(tenantID, it); err != nil || !change(p) {
			return nil, err
		}
		return p.ops(it)
	})
	if err != nil {
		return nil, fmt.Errorf("progress of %s: %w", kind, err)
	}
	p.rev = now.Rev
	return p, nil
}

// ops are the writes of p in the place of it: where it has ended, once more under its own id, which is forgotten after
// a while.
func (p *Progress) ops(it table.Item) ([]table.Op, error) {
	var err error
	if it.Data, err = table.Marshal(p); err != nil {
		return nil, err
	}
	ops := []table.Op{table.Save(it)}
	if p.IsOpen() {
		return ops, nil
	}
	ended := *p
	ended.Place = nil // the next of its kind goes on from there
	data, err := table.Marshal(ended)
	return append(ops, table.Put(table.Item{Key: endedKey(p.tenant, p.ID), Data: data,
		Expires: p.Ended.Add(KeepProgress).Truncate(time.Second)})), err
}

// SaveProgress writes how far the work is, with other writes that are to stand only if it does; the turn lasts so long
// from now. Errors: ErrBehind where the caller has not the turn any more, ErrBeside where the condition of another
// write did not hold; nothing is written then.
func (l *Ledger) SaveProgress(ctx context.Context, p *Progress, turn time.Duration, beside ...table.Op) error {
	p.Turn.Until = time.Now().Add(turn).UTC()
	return l.saveTurn(ctx, p, beside)
}

// PauseProgress gives the turn back while the work is to go on later, as p says.
func (l *Ledger) PauseProgress(ctx context.Context, p *Progress) error {
	p.Turn.Until = time.Time{}
	return l.saveTurn(ctx, p, nil)
}

// EndProgress ends the work as done. ended is false where somebody asked for it after it was begun: it is to be done
// anew, and the caller has the turn still.
func (l *Ledger) EndProgress(ctx context.Context, p *Progress) (ended bool, err error) {
	was, turn := p.State, p.Turn
	p.State, p.Ended, p.Turn.Until = ProgressDone, time.Now().UTC(), time.Time{}
	if err = l.saveTurn(ctx, p, nil); errors.Is(err, errAsked) {
		p.State, p.Ended, p.Turn = was, time.Time{}, turn
		return false, nil
	}
	return err == nil, err
}

// errAsked refuses the end of work that was asked for after it was begun.
var errAsked = errors.New("it was asked for meanwhile")

// saveTurn writes p while its turn is the one that stands. Where that is to be over, it leaves no turn.
func (l *Ledger) saveTurn(ctx context.Context, p *Progress, beside []table.Op) error {
	read := table.Item{Key: currentKey(p.tenant, p.Kind), Rev: p.rev}
	now, err := table.Change(ctx, l.table, read, func(it table.Item) ([]table.Op, error) {
		if it.Rev != p.rev || it.Rev == "" { // somebody wrote it since
			stands, err := progressOf(p.tenant, it)
			if err != nil {
				return nil, err
			}
			if stands.Turn.Token != p.Turn.Token {
				return nil, fmt.Errorf("progress of %s: %w", p.Kind, ErrBehind)
			}
			p.Asked = stands.Asked
		}
		if p.State == ProgressDone && p.Asked.After(p.Begun) {
			p.rev = it.Rev
			return nil, errAsked
		}
		written := *p
		if written.Turn.Until.IsZero() {
			written.Turn = Lease{}
		}
		ops, err := written.ops(it)
		return append(ops, beside...), err
	})
	if err == nil {
		p.rev = now.Rev
	}
	return err
}

// Progress reads a piece of long work; ErrNotFound where there is none of that id, or it ended long ago.
func (l *Ledger) Progress(ctx context.Context, tenantID, id string) (*Progress, error) {
	kind := id[:max(0, strings.LastIndexByte(id, '.'))]
	if kind == "" || len(id) > maxProgressID || !utf8.ValidString(id) {
		return nil, ErrNotFound
	}
	items, err := l.table.Get(ctx, currentKey(tenantID, kind), endedKey(tenantID, id))
	if err != nil {
		return nil, fmt.Errorf("progress %s: %w", id, err)
	}
	for _, it := range items {
		p, err := progressOf(tenantID, it)
		if err != nil {
			return nil, err
		}
		old := !p.IsOpen() && time.Since(p.Ended) > KeepProgress
		if p.ID == id && !old {
			return p, nil
		}
	}
	return nil, ErrNotFound
}

// LastProgress reads the last piece of long work of a kind, whatever became of it; ErrNotFound where there never was
// one.
func (l *Ledger) LastProgress(ctx context.Context, tenantID, kind string) (*Progress, error) {
	it, err := table.Read(ctx, l.table, currentKey(tenantID, kind))
	if err == nil && it.Rev == "" {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("progress of %s: %w", kind, err)
	}
	return progressOf(tenantID, it)
}
