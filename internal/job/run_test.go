package job_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/job"
	"stockbridge/internal/ledger"
	"stockbridge/internal/rest"
)

// reading is a run that reads three pages, and then once more from the second one on.
type reading struct {
	*job.Run
	place *readingPlace
	did   string
	at    map[string]func() error // what happens when a page is read the next time
}

type readingPlace struct {
	job.Place
	Again bool `json:"again,omitempty"`
	Known int  `json:"known,omitempty"` // pages, of all runs
}

func (p *readingPlace) Reset() { *p = readingPlace{Known: p.Known} }

func (x *reading) part(ctx context.Context, p *job.Part) (err error) {
	r := &reading{place: new(readingPlace), at: x.at}
	if r.Run, err = p.TakeRun(ctx, p.Connection().Account, r.place, time.Minute); r.Run == nil {
		return err
	}
	err = r.Do(ctx, []job.Stage{{Name: "first", Work: r.first}, {Name: "others", Work: r.others},
		{Name: "again", Work: r.again}})
	x.did += r.did
	return r.End(ctx, err)
}

func (r *reading) read(page string) error {
	if f := r.at[page]; f != nil {
		delete(r.at, page)
		if err := f(); err != nil {
			return err
		}
	}
	r.did += page
	r.place.Known++
	r.Count("pages", 1)
	return nil
}

func (r *reading) first(context.Context) error { return r.read("1") }

func (r *reading) others(ctx context.Context) error {
	for page := 2; page <= 3; page++ {
		if read, _ := strconv.Atoi(r.Place.After); page <= read {
			continue
		}
		if err := r.read(strconv.Itoa(page)); err != nil {
			return err
		}
		r.Place.After = strconv.Itoa(page)
		if err := r.Save(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) again(context.Context) error {
	if !r.place.Again {
		r.place.Again = true
		r.GoTo("others")
	}
	return nil
}

// TestRun: a run goes on where it stood, is done once more where somebody asked meanwhile, and is one account's.
func TestRun(t *testing.T) {
	play(t, func(t *testing.T, w *world) {
		x := &reading{at: map[string]func() error{}}
		r := w.runner(x.part)
		part := func(did, state, problem string) *ledger.Progress {
			t.Helper()
			x.did = ""
			r.do(w.message())
			p, err := w.Ledger.LastProgress(t.Context(), w.tenant, things)
			if err != nil {
				t.Fatal(err)
			}
			if x.did != did || string(p.State) != state || p.Problem != problem {
				t.Errorf("read %q, %s: %q; want %q, %s: %q", x.did, p.State, p.Problem, did, state, problem)
			}
			return p
		}
		at := func(page string, err error) { x.at[page] = func() error { return err } }
		down := failed(rest.Error{Kind: rest.Unavailable, Status: 502})
		const says = "JOOR gave no usable answer (status 502). It goes on by itself."

		at("3", down)
		part("12", "waiting", says)
		at("3", down)
		p := part("", "waiting", says)
		stored := `{"run":"` + p.ID + `","account":"account","stage":"others","after":"2","failures":2,` +
			`"counts":{"pages":2},"known":2}`
		if string(p.Place) != stored {
			t.Errorf("stored %s, want %s", p.Place, stored)
		}
		at("3", job.ErrShort)
		part("", "running", "")
		p = part("323", "done", "")
		if p.Result["pages"] != 5 || strings.Contains(string(p.Place), "failures") || r.cursor().Problem != "" {
			t.Errorf("ended with %v, %s, cursor %q", p.Result, p.Place, r.cursor().Problem)
		}

		x.at["3"] = func() error { // somebody asks while another worker comes, who leaves it alone
			_, err := w.Ledger.AskProgress(t.Context(), w.tenant, things)
			return errors.Join(err, r.Do(t.Context(), w.message()))
		}
		if p = part("1232312323", "done", ""); p.Result["pages"] != 5 {
			t.Errorf("ended with %v", p.Result)
		}

		at("2", down)
		part("1", "waiting", says)
		w.connect(w.tenant, "another", "its key")
		if p = part("12323", "done", ""); p.Result["pages"] != 5 || !strings.Contains(string(p.Place), `"known":21`) {
			t.Errorf("ended with %v, %s", p.Result, p.Place)
		}
	})
}

// TestAskedMeanwhile: somebody asks for a job while a part of its run is at work, and their message finds the turn
// taken. The part comes back by itself all the same, whatever ended it, and the run answers them.
func TestAskedMeanwhile(t *testing.T) {
	for name, ends := range map[string]error{
		"the time is short": job.ErrShort, "it ends well": nil,
		"the vendor is down": failed(rest.Error{Kind: rest.Unavailable, Status: 502}),
	} {
		t.Run(name, func(t *testing.T) {
			play(t, func(t *testing.T, w *world) {
				x := &reading{at: map[string]func() error{}}
				r := w.runner(x.part)
				x.at["2"] = func() error {
					_, err := w.Ledger.AskProgress(t.Context(), w.tenant, things)
					if err = errors.Join(err, r.Kick(t.Context(), w.tenant, things)); err != nil {
						return err
					}
					asked := r.sent[len(r.sent)-1]
					r.sent = nil
					return errors.Join(r.Do(t.Context(), asked.Message), ends)
				}
				r.do(w.message())
				for n := 0; len(r.sent) > 0; n++ {
					if n == 5 {
						t.Fatalf("it comes again and again: %+v", r.sent)
					}
					next := r.sent[0]
					r.sent = r.sent[1:]
					time.Sleep(next.delay)
					r.do(next.Message)
				}
				p, err := w.Ledger.LastProgress(t.Context(), w.tenant, things)
				if err != nil || p.State != ledger.ProgressDone || !strings.HasSuffix(x.did, "12323") {
					t.Errorf("%+v, read %s, %v", p, x.did, err)
				}
				if c := r.cursor(); c.Checked.IsZero() || c.Asked.After(c.Started) || c.Problem != "" {
					t.Errorf("%+v", c)
				}
			})
		})
	}
}
