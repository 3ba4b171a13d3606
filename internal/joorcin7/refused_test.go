package joorcin7_test

import (
	"testing"
	"time"

	"stockbridge/internal/joorcin7"
	"stockbridge/internal/sim"
)

// TestRefusedQuestions: an answer that refuses to say what became of a job, or of a connection, is no refusal of the
// customers in it: they are asked for again. The counts of a run are those of its end.
func TestRefusedQuestions(t *testing.T) {
	t.Parallel()
	for _, question := range []string{"GET /bulk-connection/1", "GET /connection/customer_code/"} {
		t.Run(question, func(t *testing.T) {
			inWorld(t, func(w *world) {
				a := w.contact("Harbour Foods", "")
				w.pull()
				if question[len(question)-1] == '/' {
					question += a
				}
				w.must(w.sim.Fault(sim.JOOR, sim.Fault{Match: question, Kind: "before", How: "code", Times: 2}))
				p := w.upload()
				if p.Result["refused"]+p.Result["leftOut"]+p.Result["wanted"] > 0 || len(p.Left) > 0 {
					t.Errorf("%+v", p)
				}
				if got := w.list(joorcin7.ListUpload); got != "" {
					t.Errorf("to upload: %s", got)
				}
				w.review(true)
				w.pass(5 * time.Hour)
				w.rest()
				if got := w.list(joorcin7.ListLinked); got != a+" linked" || len(w.of(a)) != 1 {
					t.Errorf("linked: %s; JOOR has %d", got, len(w.of(a)))
				}
			})
		})
	}
}
