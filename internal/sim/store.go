package sim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	stateFile = "sim.jsonl"
	saveDelay = 500 * time.Millisecond
)

// The file in Options.Dir is lines of JSON. Each is an object with one record
// under the name of its kind:
//
//	{"state":{"rng":…}}            what belongs to no account
//	{"account":{"name":…,"up":…}}  an account: its keys, and its books at each vendor without their rows
//	{"order":…} {"up.product":…}   a row of its books, of the longest list and of another
//	{"upEvent":…}                  a webhook event; all these names differ by vendor
//
// The file begins with a snapshot: the state, then each account followed by its
// rows, so that neither saving nor loading holds everything in memory twice.
// Changes are appended in batches. A batch begins with {"changes":n}; the next n
// lines belong together, and count only if all are there. A line of a batch also
// has "in":n, the number of its account from 1. The batch has the account again,
// and the rows that are new or changed. Faults and calls are not saved.

// state is what belongs to no account.
type state struct {
	RNG []byte `json:"rng"`
}

// unsaved is what has changed in an account: the account itself, always, and
// these rows.
type unsaved struct {
	rows   []unsavedRow // in the order in which they changed first
	seen   map[any]bool
	events map[*delivery]bool
}

type unsavedRow struct {
	kind string
	row  any
}

// markChanged saves an account soon, with the given rows of its books at one
// vendor. s.mu is held.
func (s *Sim) markChanged(a *account, p *Seat, rows []any) {
	if s.opts.Dir == "" {
		return
	}
	d := s.unsaved[a]
	if d == nil {
		d = &unsaved{seen: map[any]bool{}, events: map[*delivery]bool{}}
		s.unsaved[a] = d
	}
	for _, row := range rows {
		if event, ok := row.(*delivery); ok {
			d.events[event] = true
		} else if !d.seen[row] {
			d.seen[row] = true
			d.rows = append(d.rows, unsavedRow{p.vendor.kindOf(row), row})
		}
	}
	if s.saving || s.closed {
		return
	}
	s.saving = true
	time.AfterFunc(saveDelay, func() {
		s.mu.Lock()
		closed := s.closed
		s.saving = false
		s.mu.Unlock()
		if !closed {
			s.saveChanges() // Close fails too and returns the error
		}
	})
}

// writer writes lines to a file and counts the bytes. It keeps the first error.
type writer struct {
	w    io.Writer
	n    int64
	rows int
	err  error
}

// putValue writes a line; in = 0 in the snapshot.
func (w *writer) putValue(in int, kind string, v any) {
	if w.err != nil {
		return
	}
	text, err := json.Marshal(v)
	if w.err = err; err == nil {
		w.putText(in, kind, text)
	}
}

func (w *writer) putText(in int, kind string, text []byte) {
	line := make([]byte, 0, len(text)+len(kind)+24)
	line = append(line, '{')
	if in > 0 {
		line = append(strconv.AppendInt(append(line, `"in":`...), int64(in), 10), ',')
	}
	line = append(append(append(line, '"'), kind...), `":`...)
	line = append(append(line, text...), "}\n"...)
	n, err := w.w.Write(line)
	w.n, w.rows, w.err = w.n+int64(n), w.rows+1, err
}

// putAccount writes an account without its rows.
func (w *writer) putAccount(in int, a *account) {
	text, err := json.Marshal(&a.Account)
	for _, p := range a.seats {
		var books []byte
		if err == nil {
			books, err = json.Marshal(p.books)
		}
		if err != nil {
			break
		}
		text = append(text[:len(text)-1], `,"`+p.vendor.books+`":`...)
		text = append(append(text, books...), '}')
	}
	if err != nil {
		w.err = errors.Join(w.err, err)
		return
	}
	if w.err == nil {
		w.putText(in, "account", text)
	}
}

// writeState writes what belongs to no account. s.mu is held.
func (s *Sim) writeState(w *writer) {
	rng, err := s.rng.MarshalBinary()
	w.err = errors.Join(w.err, err)
	w.putValue(0, "state", state{rng})
}

// writeAll writes the snapshot. s.mu is held.
func (s *Sim) writeAll(w *writer) {
	s.writeState(w)
	for _, a := range s.accounts {
		w.putAccount(0, a)
		for _, p := range a.seats {
			for row := range p.books.Rows() {
				w.putValue(0, p.vendor.kindOf(row), row)
			}
			for _, d := range p.deliveries {
				w.putValue(0, p.vendor.event, d)
			}
		}
	}
}

// writeChanges writes what is unsaved, account by account. s.mu is held.
func (s *Sim) writeChanges(w *writer) {
	s.writeState(w)
	for _, a := range s.accounts {
		d := s.unsaved[a]
		if d == nil {
			continue
		}
		w.putAccount(a.number, a)
		for _, x := range d.rows {
			w.putValue(a.number, x.kind, x.row)
		}
		for _, p := range a.seats {
			for _, x := range p.deliveries {
				if d.events[x] {
					w.putValue(a.number, p.vendor.event, x)
				}
			}
		}
	}
}

// line is a line of the file whose record is not read yet.
type line struct {
	changes, in int
	kind        string
	text        json.RawMessage
}

func readLine(text []byte) (x line, err error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return x, err
	}
	for name, v := range all {
		switch name {
		case "changes":
			err = errors.Join(err, json.Unmarshal(v, &x.changes))
		case "in":
			err = errors.Join(err, json.Unmarshal(v, &x.in))
		default:
			x.kind, x.text = name, v
		}
	}
	return x, err
}

// loading is a Sim while its state is read.
type loading struct {
	*Sim
	state    state
	accounts []json.RawMessage // the last record of each
}

func (l *loading) read(r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<16)
	left, batch := 0, []line(nil)
	for n := 1; ; n++ {
		text, err := in.ReadBytes('\n')
		if err == io.EOF { // an incomplete line was being written when the process ended
			return nil
		}
		var x line
		if err == nil {
			x, err = readLine(text)
		}
		if left > 0 {
			left, batch = left-1, append(batch, x)
		} else {
			left, batch = x.changes, []line{x}
		}
		if err == nil && left == 0 {
			err = l.applyAll(batch)
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", n, err)
		}
	}
}

func (l *loading) applyAll(batch []line) error {
	for _, x := range batch {
		if err := l.apply(x); err != nil {
			return err
		}
	}
	return nil
}

func (l *loading) apply(x line) error {
	n := x.in
	if n == 0 {
		n = len(l.accounts)
	}
	switch {
	case x.changes > 0:
		return nil
	case x.kind == "state":
		return json.Unmarshal(x.text, &l.state)
	case x.kind == "account" && (x.in == 0 || x.in == len(l.accounts)+1):
		l.open(Account{})
		l.accounts = append(l.accounts, x.text)
		return nil
	case n < 1 || n > len(l.accounts):
		return errors.New("rows of no account")
	case x.kind == "account":
		l.accounts[n-1] = x.text
		return nil
	}
	for _, p := range l.Sim.accounts[n-1].seats {
		list, other := strings.CutPrefix(x.kind, p.vendor.books+".")
		switch {
		case other:
			return p.books.ReadRow(list, x.text, x.in > 0)
		case x.kind == p.vendor.row:
			return p.books.ReadRow("", x.text, x.in > 0)
		case x.kind == p.vendor.event:
			return p.readDelivery(x.text, x.in > 0)
		}
	}
	return nil // a row of a vendor that is not simulated here: finish reports it
}

// finish reads the accounts themselves. Only the last record of each counts.
func (l *loading) finish() (unstocked []*Seat, err error) {
	for i, a := range l.Sim.accounts {
		var books map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal(l.accounts[i], &a.Account),
			json.Unmarshal(l.accounts[i], &books)); err != nil {
			return nil, err
		}
		for _, known := range knownVendors {
			if books[known.books] != nil && l.vendor(known.name) == nil {
				return nil, fmt.Errorf("there are books of %s, which is not simulated here", known.name)
			}
		}
		for _, p := range a.seats {
			text := books[p.vendor.books]
			if text == nil { // the vendor was not simulated yet
				unstocked = append(unstocked, p)
				continue
			}
			if err := json.Unmarshal(text, p.books); err != nil {
				return nil, fmt.Errorf("books of %s: %w", p.vendor.name, err)
			}
			p.books.Loaded()
		}
	}
	return unstocked, nil
}

// PutRow reads a row of a list. A change replaces the row with its id, which is
// usually one of the newest; another row is appended.
func PutRow[T any](rows []*T, text json.RawMessage, change bool, id func(*T) string) ([]*T, error) {
	row := new(T)
	if err := json.Unmarshal(text, row); err != nil {
		return rows, err
	}
	if change {
		for i := len(rows) - 1; i >= 0; i-- {
			if id(rows[i]) == id(row) {
				rows[i] = row
				return rows, nil
			}
		}
	}
	return append(rows, row), nil
}

// ReadInto reads a row that goes into several places.
func ReadInto[T any](text json.RawMessage, add func(*T)) error {
	row := new(T)
	err := json.Unmarshal(text, row)
	if err == nil {
		add(row)
	}
	return err
}

// saveChanges appends what changed. Once the appended changes are larger than the
// snapshot it writes a new snapshot, so that on average the cost of a change does
// not grow with the state.
func (s *Sim) saveChanges() error {
	s.mu.Lock()
	if s.log == nil || s.appended > max(s.snapshot, minAppended) {
		s.mu.Unlock()
		return s.save()
	}
	var b bytes.Buffer
	w := &writer{w: &b}
	s.writeChanges(w)
	clear(s.unsaved)
	s.appended += w.n
	err := w.err
	if err == nil {
		_, err = s.log.Write(append(fmt.Appendf(nil, "{\"changes\":%d}\n", w.rows), b.Bytes()...))
	}
	if err != nil { // the next save writes a snapshot
		s.log.Close()
		s.log = nil
	}
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	return nil
}

// minAppended is how many bytes of changes may be appended to any snapshot.
const minAppended = 4 << 20

// save writes a snapshot beside the old file and replaces the file with it.
func (s *Sim) save() error {
	if err := os.MkdirAll(s.opts.Dir, 0o700); err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	f, err := os.CreateTemp(s.opts.Dir, stateFile+".*")
	if err != nil {
		return fmt.Errorf("save simulators' state: %w", err)
	}
	out := bufio.NewWriterSize(f, 1<<16)
	w := &writer{w: out}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writeAll(w)
	if err = errors.Join(w.err, out.Flush()); err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.opts.Dir, stateFile))
	}
	if err != nil {
		f.Close()
		os.Remove(f.Name())
		return fmt.Errorf("save simulators' state: %w", err)
	}
	if s.log != nil {
		s.log.Close()
	}
	s.log, s.snapshot, s.appended = f, w.n, 0 // what changes from now on is written behind
	clear(s.unsaved)
	if s.closed {
		err, s.log = f.Close(), nil
	}
	return err
}

// load reads the state and continues the deliveries that were pending.
func (s *Sim) load() error {
	f, err := os.Open(filepath.Join(s.opts.Dir, stateFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	l := loading{Sim: s}
	if err := l.read(f); err != nil {
		return fmt.Errorf("%s: %w", stateFile, err)
	}
	unstocked, err := l.finish()
	if err == nil {
		err = s.rng.UnmarshalBinary(l.state.RNG)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", stateFile, err)
	}
	stockBooks(unstocked)
	for _, p := range unstocked {
		p.Changed()
	}
	for _, a := range s.accounts {
		for _, p := range a.seats {
			for _, d := range p.deliveries {
				if d.State == "pending" {
					s.schedule(p, d, max(0, time.Until(d.Next)))
				}
			}
		}
	}
	return nil
}
