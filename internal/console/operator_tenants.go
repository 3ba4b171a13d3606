package console

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"

	"stockbridge/internal/ledger"
	"stockbridge/internal/parallel"
	"stockbridge/internal/tenant"
)

// trouble is what is wrong with a tenant, the worst of it.
type trouble string

const (
	troubleKey       trouble = "reconnect" // a connection needs a new key
	troubleAttention trouble = "attention" // orders need a person
	troubleJobs      trouble = "stopped"   // a job does not get on
	noTrouble        trouble = "none"
)

// troubleAnswer is a tenant in trouble.
type troubleAnswer struct {
	tenantRef
	Trouble   trouble  `json:"trouble"`
	Why       []string `json:"why"`
	Attention int      `json:"attention"` // orders that need a person, counted up to 100
}

// tenantState is a tenant with what is wrong with it.
type tenantState struct {
	tenant.Tenant
	tenant.Bundle // its connections alone
	worst         trouble
	sentences     []string // the worst first
	attention     int
	keys          []tenant.BrokenPlace // that are to be renewed, the first refused first
	stopped       []string             // jobs
}

// standing reads how tenants are, in the order of the ids; those that are not there are left out.
func (a *api) standing(ctx context.Context, ids []string) ([]*tenantState, error) {
	var named map[string]tenant.Tenant
	var bundles map[string]tenant.Bundle
	var attention map[string]int
	var cursors []ledger.JobCursor
	if err := together(
		func() (err error) { named, err = a.Tenants.Named(ctx, ids); return err },
		func() (err error) {
			bundles, err = a.Tenants.ConnectionsOf(ctx, ids, a.Vendors.Systems()...)
			return err
		},
		func() (err error) { attention, err = a.needing(ctx, ids); return err },
		func() (err error) { cursors, err = a.Ledger.CursorsOfAll(ctx, ids, a.polledJobs()...); return err },
	); err != nil {
		return nil, err
	}
	stopped := map[string][]ledger.JobCursor{}
	for _, c := range cursors { // a job that waits for a connection noted its stop long ago
		k, _ := a.Jobs.Kind(c.Job.Name)
		if c.Cursor.Stopped.How != "" && bundles[c.Job.Tenant].Ready(k.Needs...) == "" {
			stopped[c.Job.Tenant] = append(stopped[c.Job.Tenant], c)
		}
	}
	var list []*tenantState
	for _, id := range ids {
		t, ok := named[id]
		if !ok {
			continue
		}
		s := &tenantState{Tenant: t, Bundle: bundles[id], attention: attention[id]}
		slices.SortFunc(stopped[id], func(x, y ledger.JobCursor) int { return strings.Compare(x.Job.Name, y.Job.Name) })
		for _, c := range stopped[id] {
			s.stopped = append(s.stopped, c.Job.Name)
		}
		s.judge(stopped[id])
		list = append(list, s)
	}
	return list, nil
}

// needing counts the orders that need a person, of the tenants that have such.
func (a *api) needing(ctx context.Context, ids []string) (map[string]int, error) {
	marked, err := a.Orders.Marked(ctx, ids)
	if err != nil {
		return nil, err
	}
	counts, mu := map[string]int{}, sync.Mutex{}
	err = parallel.Each(atOnce, func(yield func(string) bool) {
		for id := range marked {
			if !yield(id) {
				return
			}
		}
	}, func(id string) error {
		n, err := a.Orders.CountAttention(ctx, id, attentionTop)
		mu.Lock()
		defer mu.Unlock()
		counts[id] = n
		return err
	})
	return counts, err
}

// judge says what is wrong with a tenant. cursors are those of its jobs that do not get on.
func (s *tenantState) judge(cursors []ledger.JobCursor) {
	s.worst, s.sentences = noTrouble, []string{}
	for _, sys := range tenant.Systems() {
		if c, ok := s.Connections[sys]; ok && c.State == tenant.NeedsReconnecting {
			s.keys = append(s.keys, tenant.BrokenPlace{Refused: c.Refused, Tenant: s.Tenant.ID, System: sys})
			s.worst = troubleKey
		}
	}
	slices.SortFunc(s.keys, func(x, y tenant.BrokenPlace) int { return strings.Compare(x.String(), y.String()) })
	for _, lack := range s.Lacks(tenant.Systems()...) {
		if lack.Why != "" {
			s.sentences = append(s.sentences, lack.String())
		}
	}
	if s.attention > 0 {
		some := count(s.attention, "order needs", "orders need")
		if s.attention == attentionTop {
			some = fmt.Sprintf("%d orders or more need", s.attention)
		}
		s.sentences = append(s.sentences, some+" a person.")
		if s.worst == noTrouble {
			s.worst = troubleAttention
		}
	}
	for _, c := range cursors {
		if why := c.Cursor.Stopped.Why; why != "" && !slices.Contains(s.sentences, why) {
			s.sentences = append(s.sentences, why)
		}
		if s.worst == noTrouble {
			s.worst = troubleJobs
		}
	}
}

// tenantList is one page of tenants.
type tenantList struct {
	items []*tenantState
	next  string
}

// troubleList is one of the lists that tenants are read from, one after the other: what is worst comes first. Each
// shows the tenants whose worst trouble is its own.
type troubleList struct {
	worst trouble
	// page lists places after one, at most so many; tenantOf is whose a place is. valid reports whether a page may have
	// ended at a place.
	page     func(ctx context.Context, after string, most int) (places []string, more bool, err error)
	tenantOf func(place string) string
	valid    func(place string) bool
	// shows reports whether a tenant is shown at a place, of which it may have several.
	shows func(s *tenantState, place string) bool
}

func (a *api) troubleLists(all bool) []troubleList {
	lists := []troubleList{{
		worst: troubleKey,
		page: func(ctx context.Context, after string, most int) (places []string, more bool, err error) {
			list, more, err := a.Tenants.BrokenOnes(ctx, after, most)
			for _, p := range list {
				places = append(places, p.String())
			}
			return places, more, err
		},
		tenantOf: func(place string) string { p, _ := tenant.ParseBroken(place); return p.Tenant },
		valid:    func(place string) bool { _, ok := tenant.ParseBroken(place); return ok },
		shows:    func(s *tenantState, place string) bool { return s.keys[0].String() == place },
	}, {
		worst: troubleAttention, page: a.Orders.InNeed,
		tenantOf: func(place string) string { return place }, valid: tenant.IsID,
		shows: func(*tenantState, string) bool { return true },
	}, {
		worst: troubleJobs,
		page: func(ctx context.Context, after string, most int) (places []string, more bool, err error) {
			id, name, _ := strings.Cut(after, "#")
			list, more, err := a.Ledger.StoppedJobs(ctx, ledger.Job{Tenant: id, Name: name}, most)
			for _, j := range list {
				places = append(places, j.Tenant+"#"+j.Name)
			}
			return places, more, err
		},
		tenantOf: func(place string) string { id, _, _ := strings.Cut(place, "#"); return id },
		valid: func(place string) bool {
			id, name, _ := strings.Cut(place, "#")
			_, known := a.Jobs.Kind(name)
			return tenant.IsID(id) && known
		},
		shows: func(s *tenantState, place string) bool { return s.Tenant.ID+"#"+s.stopped[0] == place },
	}}
	if !all {
		return lists
	}
	return append(lists, troubleList{
		worst: noTrouble, page: a.Tenants.ByName,
		tenantOf: tenant.AtPlace,
		valid:    func(place string) bool { return cursor(place) && tenant.AtPlace(place) != "" },
		shows:    func(*tenantState, string) bool { return true },
	})
}

// lookedAt is how many places of the lists one page looks at: it may be short and still have a next.
const lookedAt = 200

// troubled reads one page of the tenants in trouble, what is worst first; with all, of the others too, by name. It
// reads what it shows, and the tenants that a list before has shown.
func (a *api) troubled(ctx context.Context, after string, limit int, all bool) (list tenantList, err error) {
	lists := a.troubleLists(all)
	at, place, err := troublePlace(lists, after)
	if err != nil {
		return list, err
	}
	if after == "" {
		if err := ahead(ctx, lists, limit); err != nil {
			return list, err
		}
	}
	looked := 0
	for s, err := range a.spots(ctx, lists, at, place, limit) {
		if err != nil {
			return list, err
		}
		if looked++; s.shown != nil {
			list.items = append(list.items, s.shown)
		}
		if len(list.items) < limit && looked < lookedAt {
			continue
		}
		if !s.last {
			list.next = fmt.Sprintf("%d.%s", s.at, s.place)
		}
		break
	}
	return list, nil
}

// ahead reads the first places of all lists at once, for whoever asks for them one after the other. They are entries of
// indexes; the tenants there are read when it is known that they are shown.
func ahead(ctx context.Context, lists []troubleList, most int) error {
	reads := make([]func() error, len(lists))
	for i := range lists {
		reads[i] = func() error {
			page := lists[i].page
			first, more, err := page(ctx, "", most)
			lists[i].page = func(ctx context.Context, after string, n int) ([]string, bool, error) {
				if after == "" && n == most {
					return first, more, nil
				}
				return page(ctx, after, n)
			}
			return err
		}
	}
	return together(reads...)
}

// spot is a place of the lists, looked at.
type spot struct {
	at    int // in which list
	place string
	shown *tenantState // nil = none
	last  bool         // of all
}

// spots looks at the places of the lists, those after a place of one on, so many at once.
func (a *api) spots(
	ctx context.Context, lists []troubleList, at int, place string, most int,
) iter.Seq2[spot, error] {
	return func(yield func(spot, error) bool) {
		after := place
		for i := at; i < len(lists); i++ {
			for s, err := range a.spotsOf(ctx, lists[i], after, most) {
				s.at, s.last = i, s.last && i == len(lists)-1
				if !yield(s, err) || err != nil {
					return
				}
			}
			after = ""
		}
	}
}

// spotsOf looks at the places of one list, those after one, so many at once.
func (a *api) spotsOf(ctx context.Context, l troubleList, place string, most int) iter.Seq2[spot, error] {
	return func(yield func(spot, error) bool) {
		for after, more := place, true; more; {
			var some []spot
			var err error
			if some, more, err = a.someSpots(ctx, l, after, most); err != nil {
				yield(spot{}, err)
				return
			}
			for _, s := range some {
				if !yield(s, nil) {
					return
				}
				after = s.place
			}
		}
	}
}

// someSpots looks at the places of one list after one, at most so many; more = there may be others.
func (a *api) someSpots(
	ctx context.Context, l troubleList, after string, most int,
) (some []spot, more bool, err error) {
	places, more, err := l.page(ctx, after, most)
	if err != nil || len(places) == 0 {
		return nil, false, err
	}
	shown, err := a.shown(ctx, l, places)
	if err != nil {
		return nil, false, err
	}
	for i, p := range places {
		some = append(some, spot{place: p, shown: shown[i], last: !more && i == len(places)-1})
	}
	return some, more, nil
}

// shown are the tenants that a list shows at places; nil where it shows none.
func (a *api) shown(ctx context.Context, l troubleList, places []string) (list []*tenantState, err error) {
	ids := make([]string, len(places))
	for i, p := range places {
		ids[i] = l.tenantOf(p)
	}
	once := slices.Compact(slices.Sorted(slices.Values(ids)))
	states, err := a.standing(ctx, once)
	if err != nil {
		return nil, err
	}
	list = make([]*tenantState, len(places))
	for i, id := range ids {
		at := slices.IndexFunc(states, func(s *tenantState) bool { return s.Tenant.ID == id })
		if at >= 0 && states[at].worst == l.worst && l.shows(states[at], places[i]) {
			list[i] = states[at]
		}
	}
	return list, nil
}

// troublePlace reads where a page goes on: in which list, and after what there.
func troublePlace(lists []troubleList, after string) (at int, place string, err error) {
	if after == "" {
		return 0, "", nil
	}
	n, place, _ := strings.Cut(after, ".")
	if at = strings.Index("0123", n); len(n) != 1 || at < 0 || at >= len(lists) || !lists[at].valid(place) {
		return 0, "", unknownAfter()
	}
	return at, place, nil
}

// searchTenants reads one page of the tenants that a search finds; one that is named by its id comes alone.
func (a *api) searchTenants(ctx context.Context, query, after string, limit int) (list tenantList, err error) {
	if tenant.IsID(query) {
		if list.items, err = a.standing(ctx, []string{query}); err != nil || len(list.items) > 0 {
			return list, err
		}
	}
	if after != "" && !tenant.IsFindAfter(query, after) {
		return list, unknownAfter()
	}
	found, next, err := a.Tenants.Find(ctx, query, after, limit)
	if err != nil {
		return list, err
	}
	var ids []string
	for _, t := range found {
		ids = append(ids, t.ID)
	}
	list.next = next
	list.items, err = a.standing(ctx, ids)
	return list, err
}
