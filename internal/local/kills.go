package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"stockbridge/internal/sim"
	simcin7core "stockbridge/internal/sim/cin7core"
)

// kills is the promise put to the test: the simulators in one process, the
// runner in another that is killed with SIGKILL again and again while orders
// come in and sold ones are shipped. In the end each approved order must be one
// sale, with its lines, and known to the API, and Upstock must have each of its
// parcels once, with its tracking.
func kills(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("kills", flag.ContinueOnError)
	orders := f.Int("orders", 200, "how many orders are approved")
	times := f.Int("kills", 50, "how often the runner is killed")
	speed := f.Float64("speed", 30, "divides every configured duration, in both processes")
	most := f.Duration("most", 170*time.Second, "how long the whole may take")
	seed := f.Uint64("seed", uint64(time.Now().UnixNano()), "of the times at which it is killed")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *most)
	defer cancel()
	k, err := newKiller(ctx, *speed)
	if err != nil {
		return err
	}
	defer k.close()
	begun := time.Now()
	acc, tenant, err := k.prepare(ctx)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	pause(ctx, time.Duration(float64(time.Minute) / *speed)) // the trial of the key is in nobody's budget, but counts at the vendor
	fmt.Fprintf(out, "%d orders, %d kills, speed %g, seed %d\n", *orders, *times, *speed, *seed)

	// Orders come in and are shipped while the killing goes on.
	var ids []int64
	var placing, shipping error
	var wg sync.WaitGroup
	wg.Go(func() { shipping = k.ship(ctx, tenant, *orders) })
	wg.Go(func() {
		for range *orders {
			id, err := place(ctx, k.sim, acc.Upstock.Supplier, "")
			if err != nil {
				placing = err
				return
			}
			ids = append(ids, id)
			pause(ctx, 90*time.Millisecond)
		}
	})
	r, killed := rand.New(rand.NewPCG(*seed, 1)), 0
	for killed < *times && ctx.Err() == nil {
		pause(ctx, 150*time.Millisecond+time.Duration(r.Int64N(int64(700*time.Millisecond))))
		if err := k.restart(ctx); err != nil {
			return err
		}
		killed++
	}
	wg.Wait()
	if placing != nil {
		return fmt.Errorf("place orders: %w", placing)
	}
	if shipping != nil {
		return fmt.Errorf("ship sales: %w", shipping)
	}
	trouble := k.settle(ctx, tenant, acc, ids)
	var calls struct{ OverLimit int }
	if err := k.sim.call(context.WithoutCancel(ctx), http.MethodGet, "/sim/cin7core/calls?account="+acc.Cin7Core.AccountID, nil, &calls); err != nil {
		return err
	}
	if calls.OverLimit > 0 {
		trouble = append(trouble, fmt.Sprintf("%d calls over Cin7 Core's limit", calls.OverLimit))
	}
	fmt.Fprintf(out, "%d kills, %d orders approved, %d reasons to fail, %v\n", killed, len(ids), len(trouble), time.Since(begun).Round(time.Second))
	if len(trouble) > 0 {
		return errors.New(strings.Join(trouble[:min(len(trouble), 20)], "\n"))
	}
	fmt.Fprintf(out, "every order became exactly one sale, and Upstock has both its parcels once, with their tracking\n")
	return nil
}

// boxes are those that each sale is shipped in.
var boxes = []string{"Box 1", "Box 2"}

// tracked is the tracking of an order's box.
func tracked(order int64, box string) string {
	return fmt.Sprintf("https://track.example.test/%d/%s", order, strings.ReplaceAll(box, " ", "-"))
}

// ship ships so many sales as people at Cin7 Core would: whatever is sold, a
// box at a time.
func (k *killer) ship(ctx context.Context, tenant string, orders int) error {
	type sold struct {
		ID     int64
		SaleID string
	}
	left, begun := map[int64]int{}, []sold{} // boxes left, by order
	for done := 0; done < orders; pause(ctx, 300*time.Millisecond) {
		if ctx.Err() != nil {
			return fmt.Errorf("%d of %d shipped: %w", done, orders, ctx.Err())
		}
		var list struct{ Items []sold }
		_ = k.api.call(ctx, http.MethodGet, "/api/v1/tenants/"+tenant+"/orders?state=sold&limit=100", nil, &list) // it may be dead just now
		for _, o := range list.Items {
			if _, known := left[o.ID]; !known {
				left[o.ID], begun = len(boxes), append(begun, o)
			}
		}
		for _, o := range begun {
			if left[o.ID] == 0 {
				continue
			}
			box := boxes[len(boxes)-left[o.ID]]
			in := map[string]any{"boxes": []string{box}, "of": boxes, "trackingUrl": tracked(o.ID, box)}
			if err := k.sim.call(ctx, http.MethodPost, "/sim/cin7core/sales/"+o.SaleID+"/ship", in, nil); err != nil {
				return err
			}
			if left[o.ID]--; left[o.ID] == 0 {
				done++
			}
		}
	}
	return nil
}

// parcels says what is wrong with what Upstock knows of an order's shipping.
func (k *killer) parcels(ctx context.Context, id int64) (trouble string) {
	var o struct {
		Status    string
		Shipments []struct {
			Tracking *string
			Complete bool
		}
	}
	if err := k.sim.call(context.WithoutCancel(ctx), http.MethodGet, fmt.Sprintf("/sim/upstock/orders/%d", id), nil, &o); err != nil {
		return err.Error()
	}
	var have, want []string
	complete := false
	for _, s := range o.Shipments {
		have, complete = append(have, text(s.Tracking)), complete || s.Complete
	}
	for _, b := range boxes {
		want = append(want, tracked(id, b))
	}
	if slices.Sort(have); !slices.Equal(have, want) || !complete {
		return fmt.Sprintf("Upstock has the parcels %v, all shipped: %t, not %v", have, complete, want)
	}
	return ""
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

// killer is the two processes.
type killer struct {
	exe, dir, listen, simAt string
	speed                   float64
	sims, runner            *exec.Cmd
	api, sim                client
}

func newKiller(ctx context.Context, speed float64) (*killer, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "stockbridge-kills-")
	if err != nil {
		return nil, err
	}
	k := &killer{exe: exe, dir: dir, speed: speed}
	if k.listen, err = freePort(); err == nil {
		k.simAt, err = freePort()
	}
	if err != nil {
		k.close()
		return nil, err
	}
	k.api, k.sim = client{"http://" + k.listen, "dev"}, client{"http://" + k.simAt, ""}
	if k.sims, err = k.process("-only", "sim", "-sim", k.simAt, "-data", filepath.Join(dir, "sim")); err == nil {
		err = until(ctx, 10*time.Second, 10*time.Millisecond, "start of the simulators", func() (bool, error) {
			return k.sim.call(ctx, http.MethodGet, "/sim/accounts", nil, nil) == nil, nil
		})
	}
	if err == nil {
		err = k.start(ctx)
	}
	if err != nil {
		k.close()
		return nil, err
	}
	return k, nil
}

// freePort is an address that nobody listens on. Both processes need one that
// stays the same over their starts.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

func (k *killer) process(args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(k.exe, append([]string{"-speed", fmt.Sprint(k.speed), "-demo=false"}, args...)...)
	cmd.Env = append(os.Environ(), "LOG_LEVEL=error")
	for name, path := range vendorPaths {
		cmd.Env = append(cmd.Env, name+"=http://"+k.simAt+path)
	}
	cmd.Stderr = os.Stderr
	return cmd, cmd.Start()
}

func (k *killer) start(ctx context.Context) (err error) {
	if k.runner, err = k.process("-sim", "", "-every", "shipments=15s", "-listen", k.listen, "-data", filepath.Join(k.dir, "data")); err != nil {
		return err
	}
	return until(ctx, 10*time.Second, 5*time.Millisecond, "start of the runner", func() (bool, error) {
		return k.api.call(ctx, http.MethodGet, "/healthz", nil, nil) == nil, nil
	})
}

func (k *killer) restart(ctx context.Context) error {
	k.runner.Process.Kill()
	k.runner.Wait()
	return k.start(ctx)
}

func (k *killer) close() {
	for _, cmd := range []*exec.Cmd{k.runner, k.sims} {
		if cmd != nil && cmd.Process != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	os.RemoveAll(k.dir)
}

func (k *killer) prepare(ctx context.Context) (acc sim.Account, tenant string, err error) {
	if err = k.sim.call(ctx, http.MethodPost, "/sim/accounts", map[string]string{"name": "Kiln & Crate", "currency": "NZD"}, &acc); err != nil {
		return acc, "", err
	}
	var t struct{ ID string }
	if err = k.api.call(ctx, http.MethodPost, "/api/v1/tenants", map[string]string{"name": "Kiln & Crate"}, &t); err != nil {
		return acc, "", err
	}
	if err = connect(ctx, k.api, k.sim, t.ID, acc); err != nil {
		return acc, "", err
	}
	return acc, t.ID, mirrored(ctx, k.api, t.ID)
}

// settle waits until every order rests, and says what is wrong with the end.
// An order whose delivery Upstock gave up was never accepted, and is said.
func (k *killer) settle(ctx context.Context, tenant string, acc sim.Account, ids []int64) (trouble []string) {
	states := map[int64]demoOrder{}
	waitErr := until(ctx, time.Hour, 500*time.Millisecond, "all orders", func() (bool, error) {
		clear(states)
		for after := ""; ; {
			var list struct {
				Items []demoOrder
				Next  *string
			}
			if err := k.api.call(ctx, http.MethodGet, "/api/v1/tenants/"+tenant+"/orders?limit=100&after="+after, nil, &list); err != nil {
				return false, err
			}
			for _, o := range list.Items {
				states[o.ID] = o
			}
			if list.Next == nil || *list.Next == "" {
				break
			}
			after = *list.Next
		}
		return !slices.ContainsFunc(ids, func(id int64) bool {
			s := states[id].State
			return s != "shipped" && s != "attention"
		}), nil
	})
	if waitErr != nil {
		trouble = append(trouble, waitErr.Error())
	}
	var sales struct{ Items []simcin7core.SaleSummary }
	if err := k.sim.call(context.WithoutCancel(ctx), http.MethodGet, "/sim/cin7core/sales?account="+acc.Cin7Core.AccountID, nil, &sales); err != nil {
		return append(trouble, err.Error())
	}
	live := map[string][]simcin7core.SaleSummary{}
	for _, s := range sales.Items {
		if !strings.EqualFold(s.Status, "VOIDED") {
			live[s.ExternalID] = append(live[s.ExternalID], s)
		}
	}
	for _, id := range ids {
		o, known := states[id]
		mine := live[fmt.Sprintf("upstock:%d:%d", acc.Upstock.Supplier, id)]
		switch {
		case !known:
			trouble = append(trouble, fmt.Sprintf("order %d: unknown to the API", id))
		case o.State != "shipped":
			trouble = append(trouble, fmt.Sprintf("order %d: %s: %s %v", id, o.State, text(o.Why), o.Problems))
		case len(mine) != 1:
			trouble = append(trouble, fmt.Sprintf("order %d: %d sales", id, len(mine)))
		case mine[0].Lines == 0 || mine[0].Total != text(o.SaleTotal):
			trouble = append(trouble, fmt.Sprintf("order %d: sale %s has %d lines and total %s, not %s", id, mine[0].Number, mine[0].Lines, mine[0].Total, text(o.SaleTotal)))
		}
	}
	if n := len(live) - len(ids); n > 0 {
		trouble = append(trouble, fmt.Sprintf("%d sales of no order", n))
	}
	for _, id := range ids {
		if said := k.parcels(ctx, id); said != "" {
			trouble = append(trouble, fmt.Sprintf("order %d: %s", id, said))
		}
	}
	return trouble
}
