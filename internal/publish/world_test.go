package publish_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/publish"
	"stockbridge/internal/rest"
	"stockbridge/internal/table"
	"stockbridge/internal/tenant"
)

const acme = tenant.JOOR // any system

// goods is the set that the tests publish, and the job that does it.
const goods = "goods"

// world is a tenant, what it wants, a far side, and the job between them.
type world struct {
	t      testing.TB
	store  *faulty
	ledger *ledger.Ledger
	runner *job.Runner
	*publish.Publisher
	tenant string

	mu      sync.Mutex // what workers share: all below, and the far side
	want    map[publish.Key]string
	account string
	hold    func(publish.Change) string
	still   func(context.Context) error
	fail    func(publish.Key) error // of reading what is wanted, at a key
	far     *shop
	sent    []message
	left    time.Duration // of an invocation; 0 = there is no end
	tally   publish.Tally
	lastR   error // of the last part
}

// message waits in the queue until a time.
type message struct {
	job.Message
	at time.Time
}

func play(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "table.db")
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, path)
		defer w.store.close()
		f(t, w)
	})
}

func newWorld(t testing.TB, path string) *world {
	t.Helper()
	file, err := table.Open(path, table.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	box, err := tenant.NewBox(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, store: &faulty{Table: file, close: func() { file.Close() }}, want: map[publish.Key]string{},
		account: "shop"}
	w.ledger = ledger.New(w.store)
	tenants := tenant.NewStore(w.store, box)
	w.Publisher = publish.New(w.store, w.ledger, publish.DefaultTimes())
	w.far = newShop(w)
	w.runner = &job.Runner{
		Verdicts: &job.Verdicts{Tenants: tenants, Ledger: w.ledger, Now: time.Now, Times: job.DefaultTimes()},
		Kinds: []job.Kind{{Name: goods, Needs: []tenant.System{acme}, List: acme, Every: time.Hour, Queue: job.Catalog,
			Run: w.run}},
		Send: func(_ context.Context, _ job.Queue, m job.Message, delay time.Duration) error {
			w.locked(func() { w.sent = append(w.sent, message{m, time.Now().Add(delay)}) })
			return nil
		},
	}
	made, _, err := tenants.Create(context.Background(), "Harbour Roasters", "")
	if err != nil {
		t.Fatal(err)
	}
	w.tenant = made.ID
	w.connect("a-key")
	return w
}

func (w *world) connect(key tenant.Secret) {
	w.t.Helper()
	_, _, err := w.runner.Tenants.Connect(context.Background(), w.tenant, acme,
		func(c *tenant.Connection, s *tenant.Secrets) error {
			c.Account, s.Key = "shop", key
			return nil
		})
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) set() publish.Set {
	return publish.Set{Name: goods, Account: w.account, Title: "goods", Want: w.wanted, To: w.far, Hold: w.hold,
		Still: w.still, Of: len(w.want), Label: func(r publish.Record) string { return "good " + string(r.Data) }}
}

func (w *world) run(ctx context.Context, p *job.Part) error {
	var set publish.Set
	w.locked(func() { set = w.set() })
	tally, err := w.Sync(ctx, p, set)
	w.locked(func() { w.tally, w.lastR = tally, err })
	return err
}

func (w *world) locked(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// wait lets time go by, and everybody do what is to be done by then.
func (w *world) wait(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// wanted lists what is wanted, in order.
func (w *world) wanted(_ context.Context, after publish.Key) iter.Seq2[publish.Record, error] {
	return func(yield func(publish.Record, error) bool) {
		var want map[publish.Key]string
		w.locked(func() { want = maps.Clone(w.want) })
		for _, k := range keysOf(want) {
			if compare(k, after) <= 0 {
				continue
			}
			if w.fail != nil {
				if err := w.fail(k); err != nil {
					yield(publish.Record{}, err)
					return
				}
			}
			if !yield(publish.Record{Key: k, Data: data(want[k])}, nil) {
				return
			}
		}
	}
}

func compare(a, b publish.Key) int {
	return cmp.Or(strings.Compare(a.Group, b.Group), strings.Compare(a.ID, b.ID))
}

func keysOf[V any](m map[publish.Key]V) []publish.Key {
	return slices.SortedFunc(maps.Keys(m), compare)
}

// data is a text as a record's data.
func data(text string) json.RawMessage {
	d, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return d
}

// key reads group/id.
func key(text string) publish.Key {
	group, id, _ := strings.Cut(text, "/")
	return publish.Key{Group: group, ID: id}
}

// wants sets what is wanted: "group/id=text …"
func (w *world) wants(all string) {
	w.want = map[publish.Key]string{}
	for one := range strings.FieldsSeq(all) {
		k, text, _ := strings.Cut(one, "=")
		w.want[key(k)] = text
	}
}

// killed is what a process dies of.
type killed struct{}

// do does one message, and reports whether its worker died or failed: then the queue repeats it.
func (w *world) do(m job.Message) (failed bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			failed = true
		}
	}()
	ctx := context.Background()
	if w.left > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, w.left)
		defer cancel()
	}
	return w.runner.Do(ctx, m) != nil
}

// visible is when a queue repeats a message whose worker failed.
const visible = 6 * time.Minute

// rest lets the queue go on until it is empty.
func (w *world) rest() {
	w.t.Helper()
	for n := 0; len(w.sent) > 0; n++ {
		if n == 3000 {
			w.t.Fatalf("it comes to no rest: %v, %+v", w.lastR, w.tally)
		}
		slices.SortStableFunc(w.sent, func(a, b message) int { return a.at.Compare(b.at) })
		m := w.sent[0]
		w.sent = w.sent[1:]
		time.Sleep(time.Until(m.at))
		if w.do(m.Message) {
			w.sent = append(w.sent, message{m.Message, time.Now().Add(visible)})
		}
	}
}

// sync starts a run, as the schedule does, and lets it come to rest.
func (w *world) sync() {
	w.t.Helper()
	time.Sleep(time.Hour)
	w.start()
	w.rest()
}

// start sends the job's message.
func (w *world) start() {
	w.sent = append(w.sent, message{job.Message{Job: goods, Tenant: w.tenant, At: time.Now().UTC()}, time.Now()})
}

// progress is the last run's.
func (w *world) progress() *ledger.Progress {
	w.t.Helper()
	p, err := w.ledger.LastProgress(context.Background(), w.tenant, goods)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// entry is what is kept of a record.
func (w *world) entry(k string) publish.Entry {
	w.t.Helper()
	list, err := w.Entries(context.Background(), w.tenant, w.set(), key(k))
	if err != nil {
		w.t.Fatal(err)
	}
	if len(list) == 0 {
		return publish.Entry{}
	}
	return list[0]
}

// differences lists what differs: "new group/id=text …"
func (w *world) differences() string {
	w.t.Helper()
	var list []string
	for c, err := range w.Differences(context.Background(), w.tenant, w.set()) {
		if err != nil {
			w.t.Fatal(err)
		}
		list = append(list, fmt.Sprintf("%s %s/%s", c.Why, c.Group, c.ID))
	}
	return strings.Join(list, ", ")
}

// decide notes a person's decision, and returns about how many records it was.
func (w *world) decide(d publish.Decision, keys ...string) int {
	w.t.Helper()
	var list []publish.Key
	for _, k := range keys {
		list = append(list, key(k))
	}
	n, err := w.Decide(context.Background(), w.tenant, w.set(), d, nil, list...)
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// notable lists what is not simply told: "held group/id …"
func (w *world) notable() string {
	w.t.Helper()
	var list []string
	for e, err := range w.Notable(context.Background(), w.tenant, w.set(), publish.Key{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		what := string(e.State)
		if e.Doubt != nil {
			what += "doubt"
		}
		list = append(list, what+" "+e.Group+"/"+e.ID)
	}
	return strings.Join(list, ", ")
}

// agree holds that the far side has what is wanted, and that we know it.
func (w *world) agree(but ...string) {
	w.t.Helper()
	w.far.come()
	left := map[publish.Key]bool{}
	for _, k := range but {
		left[key(k)] = true
	}
	for k, text := range w.want {
		if got := w.far.has[k]; got != text && !left[k] {
			w.t.Errorf("the far side has %q as %v, want %q", got, k, text)
		}
	}
	for k := range w.far.has {
		if _, ok := w.want[k]; !ok && !left[k] {
			w.t.Errorf("the far side has %v, which is not wanted", k)
		}
	}
	seen := map[publish.Key]bool{}
	for e, err := range w.All(context.Background(), w.tenant, w.set(), publish.Key{}) {
		if err != nil {
			w.t.Fatal(err)
		}
		var text string
		json.Unmarshal(e.Told, &text)
		seen[e.Key] = true
		if e.Doubt != nil && e.State == publish.IsHeld { // nothing ends the doubt before a person decides
			continue
		}
		if text != w.far.has[e.Key] {
			w.t.Errorf("%v is kept as %q, and the far side has %q", e.Key, text, w.far.has[e.Key])
		}
	}
	for k := range w.far.has {
		if !seen[k] {
			w.t.Errorf("nothing is kept of %v", k)
		}
	}
}

// quiet holds that another run sends nothing.
func (w *world) quiet() {
	w.t.Helper()
	calls := len(w.far.calls)
	if w.sync(); len(w.far.calls) > calls {
		w.t.Errorf("another run sent %v", w.far.calls[calls:])
	}
	cur, err := w.ledger.Cursor(context.Background(), w.tenant, goods)
	if err != nil || cur.Problem != "" || cur.Checked.Before(cur.Started) || cur.Stopped.How != "" {
		w.t.Errorf("the job is at %+v, %v", cur, err)
	}
}

// ---- the far side

// shop is a far side that is made up.
type shop struct {
	w     *world
	has   map[publish.Key]string
	most  int
	calls []string // "group: id=text id=-"
	told  map[publish.Key]int

	// trouble is what happens to a call.
	trouble func() trouble
	refuses func(publish.Telling) string // why, of one record; "" = it does not
	rejects func([]publish.Telling) error
	slow    time.Duration
	slowly  func() time.Duration
	tickets bool          // it works on what it is sent, and says later what came of it
	review  time.Duration // it decides after a while
	silent  bool          // it never decides
	retry   time.Duration // what it refuses may come again after a while; 0 = it may not

	comes  []lateCall
	open   map[string][]publish.Telling // by ticket
	due    map[publish.Key]time.Time
	follow []string
	hears  func() // between what it says to Follow and that it is heard
}

// trouble is what goes wrong with a call.
type trouble string

const (
	none     trouble = ""
	before   trouble = "fails before it takes effect"
	after    trouble = "takes effect, and its answer is lost"
	late     trouble = "takes effect late, and has no answer"
	nonsense trouble = "takes effect, and the answer is of others"
	fewer    trouble = "takes effect, and the answer is of fewer"
	torn     trouble = "takes effect, and the answer says two things"
	unsent   trouble = "is never sent"
	revoked  trouble = "has a key that is refused"
	dies     trouble = "the process dies before it"
	diesWith trouble = "the process dies after it"
	broken   trouble = "takes effect, and its client has a fault"
	paused   trouble = "is not made, for a reason"
)

// then are the troubles of the next calls; those after have none.
func then(next ...trouble) func() trouble {
	return func() (t trouble) {
		if len(next) > 0 {
			t, next = next[0], next[1:]
		}
		return t
	}
}

func newShop(w *world) *shop {
	return &shop{w: w, has: map[publish.Key]string{}, most: 3, told: map[publish.Key]int{},
		open: map[string][]publish.Telling{}, due: map[publish.Key]time.Time{}}
}

func (s *shop) Most() int { return s.most }

// called is a call that failed in some way.
func called(e rest.Error, err error) error {
	e.Who, e.Method, e.Path, e.Err = string(acme), "POST", "/goods", err
	return fmt.Errorf("put goods: %w", &e)
}

var lost = called(rest.Error{Outcome: rest.Unknown, Kind: rest.Unavailable, Status: 502}, nil)

func (s *shop) Put(ctx context.Context, batch []publish.Telling) (publish.Answer, error) {
	what := batch[0].Group + ":"
	for _, t := range batch {
		if t.Group != batch[0].Group {
			s.w.t.Errorf("one call of two groups: %v", batch)
		}
		if t.Data == nil && t.Was == nil {
			s.w.t.Errorf("%v goes, and nobody says what it was", t.Key)
		}
		what += " " + t.ID + "=" + text(t.Data)
	}
	if len(batch) > s.most {
		s.w.t.Errorf("%d records in a call", len(batch))
	}
	var slow time.Duration
	s.w.locked(func() {
		s.calls = append(s.calls, what)
		if slow = s.slow; s.slowly != nil {
			slow = s.slowly()
		}
	})
	time.Sleep(slow)
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.come()
	trouble := none
	if s.trouble != nil {
		trouble = s.trouble()
	}
	switch trouble {
	case before:
		return publish.Answer{}, lost
	case unsent:
		return publish.Answer{}, called(rest.Error{Outcome: rest.Refused, Kind: rest.NotSent}, errors.New("no way out"))
	case revoked:
		return publish.Answer{}, called(rest.Error{Outcome: rest.Refused, Kind: rest.Unauthorized, Status: 401}, nil)
	case dies:
		panic(killed{})
	case paused:
		return publish.Answer{}, &ledger.Later{At: time.Now().Add(time.Minute), Why: "A person has paused it."}
	case late:
		s.comes = append(s.comes, lateCall{time.Now().Add(2 * time.Minute), batch})
		return publish.Answer{}, lost
	}
	if s.rejects != nil {
		if err := s.rejects(batch); err != nil {
			return publish.Answer{}, err
		}
	}
	a := s.take(batch)
	switch trouble {
	case after:
		return publish.Answer{}, lost
	case diesWith:
		panic(killed{})
	case broken:
		return publish.Answer{}, errors.New("it cannot be read")
	case nonsense:
		return publish.Answer{Results: []publish.Result{{ID: "somebody else"}, {ID: ""}}}, nil
	case fewer:
		a.Results = a.Results[:len(a.Results)/2]
	case torn:
		a.Results = append(a.Results, publish.Result{ID: batch[0].ID}, publish.Result{ID: batch[0].ID, Refused: "No."})
	}
	return a, nil
}

// lateCall takes effect late.
type lateCall struct {
	at    time.Time
	batch []publish.Telling
}

// come has what is late take effect, where its time has come.
func (s *shop) come() {
	for len(s.comes) > 0 && !time.Now().Before(s.comes[0].at) {
		s.take(s.comes[0].batch)
		s.comes = s.comes[1:]
	}
}

func text(d json.RawMessage) string {
	if d == nil {
		return "-"
	}
	var t string
	if err := json.Unmarshal(d, &t); err != nil {
		panic(err)
	}
	return t
}

// take takes records in, now or later.
func (s *shop) take(batch []publish.Telling) (a publish.Answer) {
	if s.tickets {
		a.Ticket = fmt.Sprint("ticket ", len(s.open)+1)
		s.open[a.Ticket] = batch
		a.Again = time.Now().Add(30 * time.Second)
		return a
	}
	for _, t := range batch {
		if s.review > 0 && s.has[t.Key] == "" && t.Data != nil {
			if s.due[t.Key].IsZero() {
				s.due[t.Key] = time.Now().Add(s.review)
			}
			a.Results = append(a.Results, publish.Result{ID: t.ID, Pending: true, Due: s.due[t.Key]})
			continue
		}
		a.Results = append(a.Results, s.takeOne(t))
	}
	return a
}

func (s *shop) takeOne(t publish.Telling) publish.Result {
	if s.refuses != nil {
		if why := s.refuses(t); why != "" {
			r := publish.Result{ID: t.ID, Refused: why}
			if s.retry > 0 {
				r.Due = time.Now().Add(s.retry)
			}
			return r
		}
	}
	s.told[t.Key]++
	if t.Data == nil {
		delete(s.has, t.Key)
		return publish.Result{ID: t.ID}
	}
	s.has[t.Key] = text(t.Data)
	return publish.Result{ID: t.ID, TheirID: "their " + t.ID}
}

func (s *shop) Follow(_ context.Context, ticket string, batch []publish.Telling) (a publish.Answer, err error) {
	what := ticket + ":"
	for _, t := range batch {
		what += " " + t.ID
	}
	s.w.mu.Lock()
	defer s.w.mu.Unlock()
	s.come()
	s.follow = append(s.follow, what)
	trouble := none
	if s.trouble != nil {
		trouble = s.trouble()
	}
	switch trouble {
	case before, unsent:
		return a, lost
	case dies:
		panic(killed{})
	}
	if a, err = s.decided(ticket, batch); err != nil {
		return a, err
	}
	if s.hears != nil {
		s.hears()
	}
	switch trouble {
	case after, late:
		return publish.Answer{}, lost
	case diesWith:
		panic(killed{})
	case nonsense:
		return publish.Answer{Results: []publish.Result{{ID: "somebody else"}}}, nil
	case fewer:
		a.Results = a.Results[:len(a.Results)/2]
	}
	return a, nil
}

// decided is what came of records that were pending.
func (s *shop) decided(ticket string, batch []publish.Telling) (a publish.Answer, err error) {
	if ticket != "" {
		sent, ok := s.open[ticket]
		if !ok {
			return a, called(rest.Error{Outcome: rest.Refused, Kind: rest.NotFound, Status: 404,
				Messages: []string{"No such ticket."}}, nil)
		}
		for _, t := range sent {
			if slices.ContainsFunc(batch, func(b publish.Telling) bool { return b.Key == t.Key }) {
				a.Results = append(a.Results, s.takeOne(t))
			}
		}
		return a, nil
	}
	for _, t := range batch {
		if due := s.due[t.Key]; s.silent || time.Now().Before(due) {
			a.Results = append(a.Results, publish.Result{ID: t.ID, Pending: true, Due: due})
			continue
		}
		a.Results = append(a.Results, s.takeOne(t))
	}
	return a, nil
}

// said are the calls since the last look.
func (s *shop) said() string {
	calls := strings.Join(s.calls, ", ")
	s.calls = nil
	return calls
}

// ---- the store

// faulty is a table whose writes fail.
type faulty struct {
	table.Table
	close  func()
	reads  atomic.Int64 // of chunks
	writes atomic.Int64
	fault  func(n int) (before, after error) // nil = none; a panic is the process's end
}

func (f *faulty) Query(ctx context.Context, q table.Query) (table.Page, error) {
	f.reads.Add(1)
	return f.Table.Query(ctx, q)
}

func (f *faulty) Get(ctx context.Context, keys ...table.Key) ([]table.Item, error) {
	f.reads.Add(1)
	return f.Table.Get(ctx, keys...)
}

func (f *faulty) Write(ctx context.Context, ops ...table.Op) error {
	n := int(f.writes.Add(1)) - 1
	var before, after error
	if f.fault != nil {
		before, after = f.fault(n)
	}
	if before != nil {
		return dead(before)
	}
	err := f.Table.Write(ctx, ops...)
	if after != nil {
		return dead(after)
	}
	return err
}

var errDies = errors.New("the process dies")

func dead(err error) error {
	if err == errDies {
		panic(killed{})
	}
	return err
}
