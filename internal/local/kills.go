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

// kills tests the promises under kills. The simulators run in one process, and
// the runner in another that is killed with SIGKILL again and again while orders
// come in and sold ones are shipped. In the end each approved order must be one
// sale, with its lines, and known to the API, and Upstock must have each of its
// parcels once, with its tracking.
func kills(ctx context.Context, args []string, out io.Writer) error {
	f := flag.NewFlagSet("kills", flag.ContinueOnError)
	orders := f.Int("orders", 200, "how many orders are approved")
	times := f.Int("kills", 50, "how often the runner is killed")
	speed := f.Float64("speed", 30, "divides every configured duration, in both processes")
	most := f.Duration("most", 15*time.Minute, "how long the whole may take")
	seed := f.Uint64("seed", uint64(time.Now().UnixNano()), "of the times at which it is killed")
	if err := f.Parse(args); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, *most)
	defer cancel()
	k, err := newKillTest(ctx, *speed)
	if err != nil {
		return err
	}
	defer k.close()
	begun := time.Now()
	acc, tenant, err := k.prepare(ctx)
	if err != nil {
		return fmt.Errorf("prepare: %w", err)
	}
	// The vendor counts the trial of the key, which no budget does.
	pause(ctx, time.Duration(float64(time.Minute) / *speed))
	fmt.Fprintf(out, "%d orders, %d kills, speed %g, seed %d\n", *orders, *times, *speed, *seed)

	ids, killed, err := k.tradeUnderKills(ctx, tenant, acc, *orders, *times, *seed)
	if err != nil {
		return err
	}
	faults := k.verify(ctx, tenant, acc, ids)
	var calls struct{ OverLimit int }
	path := "/sim/cin7core/calls?account=" + acc.Cin7Core.AccountID
	if err := k.sim.call(context.WithoutCancel(ctx), http.MethodGet, path, nil, &calls); err != nil {
		return err
	}
	if calls.OverLimit > 0 {
		faults = append(faults, fmt.Sprintf("%d calls over Cin7 Core's limit", calls.OverLimit))
	}
	fmt.Fprintf(out, "%d kills, %d orders approved, %d reasons to fail, %v\n", killed, len(ids), len(faults),
		time.Since(begun).Round(time.Second))
	if len(faults) > 0 {
		return errors.New(strings.Join(faults[:min(len(faults), 20)], "\n"))
	}
	fmt.Fprintf(out, "every order became exactly one sale, and Upstock has both its parcels once, with "+
		"their tracking\n")
	return nil
}

// tradeUnderKills places and ships orders while it kills the runner again and again.
func (k *killTest) tradeUnderKills(
	ctx context.Context, tenant string, acc sim.Account, orders, kills int, seed uint64,
) (ids []int64, killed int, err error) {
	var placing, shipping error
	var wg sync.WaitGroup
	wg.Go(func() { shipping = k.ship(ctx, tenant, orders) })
	wg.Go(func() {
		for range orders {
			id, err := place(ctx, k.sim, acc.Upstock.Supplier, "")
			if err != nil {
				placing = err
				return
			}
			ids = append(ids, id)
			pause(ctx, 90*time.Millisecond)
		}
	})
	r := rand.New(rand.NewPCG(seed, 1))
	for killed < kills && ctx.Err() == nil {
		pause(ctx, 150*time.Millisecond+time.Duration(r.Int64N(int64(700*time.Millisecond))))
		if err := k.restart(ctx); err != nil {
			return nil, killed, err
		}
		killed++
	}
	wg.Wait()
	if placing != nil {
		return nil, killed, fmt.Errorf("place orders: %w", placing)
	}
	if shipping != nil {
		return nil, killed, fmt.Errorf("ship sales: %w", shipping)
	}
	return ids, killed, nil
}

// boxes are the boxes in which each sale is shipped.
var boxes = []string{"Box 1", "Box 2"}

// trackingURL returns the tracking URL of an order's box.
func trackingURL(order int64, box string) string {
	return fmt.Sprintf("https://track.example.test/%d/%s", order, strings.ReplaceAll(box, " ", "-"))
}

// ship ships that many sales as people at Cin7 Core would: whatever is sold, one
// box at a time.
func (k *killTest) ship(ctx context.Context, tenant string, orders int) error {
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
		path := "/api/v1/tenants/" + tenant + "/orders?state=sold&limit=100"
		_ = k.api.call(ctx, http.MethodGet, path, nil, &list) // the runner may have just been killed
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
			in := map[string]any{"boxes": []string{box}, "of": boxes, "trackingUrl": trackingURL(o.ID, box)}
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

// checkParcels returns what is wrong with what Upstock knows about the shipping of an order; "" if nothing is.
func (k *killTest) checkParcels(ctx context.Context, id int64) (fault string) {
	var o struct {
		Status    string
		Shipments []struct {
			Tracking *string
			Complete bool
		}
	}
	path := fmt.Sprintf("/sim/upstock/orders/%d", id)
	if err := k.sim.call(context.WithoutCancel(ctx), http.MethodGet, path, nil, &o); err != nil {
		return err.Error()
	}
	var have, want []string
	complete := false
	for _, s := range o.Shipments {
		have, complete = append(have, text(s.Tracking)), complete || s.Complete
	}
	for _, b := range boxes {
		want = append(want, trackingURL(id, b))
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

// killTest is the two processes of the kill test.
type killTest struct {
	exe, dir, listen, simAt string
	speed                   float64
	sims, runner            *exec.Cmd
	api, sim                client
}

func newKillTest(ctx context.Context, speed float64) (*killTest, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "stockbridge-kills-")
	if err != nil {
		return nil, err
	}
	k := &killTest{exe: exe, dir: dir, speed: speed}
	if k.listen, err = freePort(); err == nil {
		k.simAt, err = freePort()
	}
	if err != nil {
		k.close()
		return nil, err
	}
	k.api, k.sim = client{"http://" + k.listen, "dev"}, client{"http://" + k.simAt, ""}
	if k.sims, err = k.process("-only", "sim", "-sim", k.simAt, "-data", filepath.Join(dir, "sim")); err == nil {
		err = until(ctx, time.Minute, 10*time.Millisecond, "start of the simulators", func() (bool, error) {
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

// freePort returns an address on which nobody listens. Both processes need one
// that stays the same when they start again.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

func (k *killTest) process(args ...string) (*exec.Cmd, error) {
	cmd := exec.Command(k.exe, append([]string{"-speed", fmt.Sprint(k.speed), "-demo=false"}, args...)...)
	cmd.Env = append(os.Environ(), "LOG_LEVEL=error")
	for name, path := range vendorPaths {
		cmd.Env = append(cmd.Env, name+"=http://"+k.simAt+path)
	}
	cmd.Stderr = os.Stderr
	return cmd, cmd.Start()
}

func (k *killTest) start(ctx context.Context) (err error) {
	if k.runner, err = k.process("-sim", "", "-every", "shipments=15s", "-listen", k.listen,
		"-data", filepath.Join(k.dir, "data")); err != nil {
		return err
	}
	return until(ctx, time.Minute, 5*time.Millisecond, "start of the runner", func() (bool, error) {
		return k.api.call(ctx, http.MethodGet, "/healthz", nil, nil) == nil, nil
	})
}

func (k *killTest) restart(ctx context.Context) error {
	k.runner.Process.Kill()
	k.runner.Wait()
	return k.start(ctx)
}

func (k *killTest) close() {
	for _, cmd := range []*exec.Cmd{k.runner, k.sims} {
		if cmd != nil && cmd.Process != nil {
			cmd.Process.Kill()
			cmd.Wait()
		}
	}
	os.RemoveAll(k.dir)
}

func (k *killTest) prepare(ctx context.Context) (acc sim.Account, tenant string, err error) {
	in := map[string]string{"name": "Kiln & Crate", "currency": "NZD"}
	if err = k.sim.call(ctx, http.MethodPost, "/sim/accounts", in, &acc); err != nil {
		return acc, "", err
	}
	var t struct{ ID string }
	in = map[string]string{"name": "Kiln & Crate"}
	if err = k.api.call(ctx, http.MethodPost, "/api/v1/tenants", in, &t); err != nil {
		return acc, "", err
	}
	if err = connect(ctx, k.api, k.sim, t.ID, acc); err != nil {
		return acc, "", err
	}
	return acc, t.ID, waitForMirror(ctx, k.api, t.ID)
}

// orders reads all orders of the tenant.
func (k *killTest) orders(ctx context.Context, tenant string) (map[int64]demoOrder, error) {
	all := map[int64]demoOrder{}
	for after := ""; ; {
		var list struct {
			Items []demoOrder
			Next  *string
		}
		path := "/api/v1/tenants/" + tenant + "/orders?limit=100&after=" + after
		if err := k.api.call(ctx, http.MethodGet, path, nil, &list); err != nil {
			return all, err
		}
		for _, o := range list.Items {
			all[o.ID] = o
		}
		if list.Next == nil || *list.Next == "" {
			return all, nil
		}
		after = *list.Next
	}
}

// verify waits until every order is at its end, and returns what is wrong. An
// order whose delivery Upstock gave up was never accepted, and is reported too.
func (k *killTest) verify(ctx context.Context, tenant string, acc sim.Account, ids []int64) (faults []string) {
	var orders map[int64]demoOrder
	waitErr := until(ctx, time.Hour, 500*time.Millisecond, "all orders", func() (_ bool, err error) {
		if orders, err = k.orders(ctx, tenant); err != nil {
			return false, err
		}
		return !slices.ContainsFunc(ids, func(id int64) bool {
			s := orders[id].State
			return s != "shipped" && s != "attention"
		}), nil
	})
	if waitErr != nil {
		faults = append(faults, waitErr.Error())
	}
	var sales struct{ Items []simcin7core.SaleSummary }
	path := "/sim/cin7core/sales?account=" + acc.Cin7Core.AccountID
	if err := k.sim.call(context.WithoutCancel(ctx), http.MethodGet, path, nil, &sales); err != nil {
		return append(faults, err.Error())
	}
	live := map[string][]simcin7core.SaleSummary{}
	for _, s := range sales.Items {
		if !strings.EqualFold(s.Status, "VOIDED") {
			live[s.ExternalID] = append(live[s.ExternalID], s)
		}
	}
	for _, id := range ids {
		o, known := orders[id]
		if fault := checkOrder(o, known, live[fmt.Sprintf("upstock:%d:%d", acc.Upstock.Supplier, id)]); fault != "" {
			faults = append(faults, fmt.Sprintf("order %d: %s", id, fault))
		}
	}
	if n := len(live) - len(ids); n > 0 {
		faults = append(faults, fmt.Sprintf("%d sales of no order", n))
	}
	for _, id := range ids {
		if fault := k.checkParcels(ctx, id); fault != "" {
			faults = append(faults, fmt.Sprintf("order %d: %s", id, fault))
		}
	}
	return faults
}

// checkOrder returns what is wrong with an order and its sales; "" if nothing is.
func checkOrder(o demoOrder, known bool, sales []simcin7core.SaleSummary) (fault string) {
	switch {
	case !known:
		return "unknown to the API"
	case o.State != "shipped":
		return fmt.Sprintf("%s: %s %v", o.State, text(o.Why), o.Problems)
	case len(sales) != 1:
		return fmt.Sprintf("%d sales", len(sales))
	case sales[0].Lines == 0 || sales[0].Total != text(o.SaleTotal):
		return fmt.Sprintf("sale %s has %d lines and total %s, not %s", sales[0].Number, sales[0].Lines, sales[0].Total,
			text(o.SaleTotal))
	}
	return ""
}
