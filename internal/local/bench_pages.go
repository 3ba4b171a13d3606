package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"stockbridge/internal/cloud"
	"stockbridge/internal/ledger"
	"stockbridge/internal/parallel"
	"stockbridge/internal/upstockcin7/order"
)

// benchPages asks for each page of a tenant with 10,000 orders as a browser does, over loopback, with the embedded
// store: how long it takes, how large it is, and what it reads of the table. Then for the operators' page, of 10,000
// tenants.
func benchPages(ctx context.Context, _ benchOptions) ([]figure, error) {
	return measureConsole(ctx, rigOptions{speed: 1}, "")
}

// benchPagesDynamo is benchPages on DynamoDB's API: at DYNAMO_ENDPOINT, or as dynoxide has it, which make conformance
// fetches. That it is slower or faster than AWS says nothing; what is read, and that a request is a round trip, is as
// there.
func benchPagesDynamo(ctx context.Context, _ benchOptions) ([]figure, error) {
	endpoint, stop, err := startDynamo(ctx)
	if err != nil {
		return nil, err
	}
	defer stop()
	if endpoint == "" {
		return []figure{{what: "pages on DynamoDB's API", skipped: true,
			note: "dynoxide is not here; make conformance fetches it"}}, nil
	}
	t, err := cloud.NewTableAt(ctx, endpoint, fmt.Sprint("bench-", time.Now().UnixNano()))
	if err != nil {
		return nil, err
	}
	return measureConsole(ctx, rigOptions{speed: 1, table: t}, " on DynamoDB's API")
}

// measureConsole measures the pages that most is asked of. where is said of each figure.
func measureConsole(ctx context.Context, o rigOptions, where string) ([]figure, error) {
	const orders, tenants = 10_000, 10_000
	r, err := openRig(ctx, o)
	if err != nil {
		return nil, err
	}
	defer r.close()
	if err := receiveMany(ctx, order.NewBook(ledger.New(r.table.Table)), r.tenant, orders); err != nil {
		return nil, err
	}
	list, err := measurePages(ctx, r, "admin", "/t/…", "/t/"+r.tenant, fmt.Sprintf("%d orders%s", orders, where),
		"", "/orders", "/orders?state=attention", "/orders?q=totara", "/orders/9999", "/completeness", "/backfill",
		"/activity", "/settings/integrations", "/settings/orders", "/settings/access", "/settings/alerts")
	if err != nil {
		return list, err
	}
	if err := r.makeTenants(ctx, tenants); err != nil {
		return list, err
	}
	more, err := measurePages(ctx, r, "operator", "/operator", "/operator", fmt.Sprintf("%d tenants%s", tenants, where),
		"", "?q=9999", "?q=supplier")
	return append(list, more...), err
}

// startDynamo starts a DynamoDB of this machine's own; "" = none is here.
func startDynamo(ctx context.Context) (endpoint string, stop func(), err error) {
	stop = func() {}
	if given := os.Getenv("DYNAMO_ENDPOINT"); given != "" {
		return given, stop, nil
	}
	programs, err := filepath.Glob(".cache/dynoxide-*/node_modules/@dynoxide/*/dynoxide")
	if err != nil || len(programs) == 0 {
		return "", stop, err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", stop, err
	}
	at := free.Addr().String()
	free.Close()
	_, port, err := net.SplitHostPort(at)
	if err != nil {
		return "", stop, err
	}
	server := exec.CommandContext(ctx, programs[len(programs)-1], "--port", port)
	if err := server.Start(); err != nil {
		return "", stop, err
	}
	stop = func() {
		server.Process.Kill()
		server.Wait()
	}
	for range 100 {
		if conn, err := net.Dial("tcp", at); err == nil {
			conn.Close()
			return "http://" + at, stop, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	return "", func() {}, errors.New("dynoxide does not start")
}

// measurePages asks for pages below an address, as somebody of a role. name is what figures call that address, of what
// there is.
func measurePages(
	ctx context.Context, r *rig, role, name, address, of string, pages ...string,
) (list []figure, err error) {
	const times, goalMS, goalKB = 40, 50, 60
	b, err := newBrowser(r.runner.web.url)
	if err != nil {
		return nil, err
	}
	if err := b.signIn(ctx, role, r.tenant); err != nil {
		return nil, err
	}
	for _, page := range pages {
		var each []time.Duration
		bytes := 0
		reads, items := r.table.reads.Load(), r.table.items.Load()
		entries, data := r.table.entries.Load(), r.table.bytes.Load()
		for range times {
			start := time.Now()
			body, err := b.open(ctx, address+page)
			if err != nil {
				return list, err
			}
			each = append(each, time.Since(start))
			bytes = max(bytes, len(body))
		}
		slices.Sort(each)
		p50, p95 := each[times/2], each[times*95/100-1]
		what := "page " + name + page
		list = append(list, figure{
			what: what + ", p95", got: float64(p95.Microseconds()) / 1000, goal: goalMS, unit: "ms",
			note: fmt.Sprintf("p50 %v; %d reads of the table: %d items (%d kB), %d entries; %s",
				p50.Round(100*time.Microsecond), (r.table.reads.Load()-reads)/times,
				(r.table.items.Load()-items)/times, (r.table.bytes.Load()-data)/times/1000,
				(r.table.entries.Load()-entries)/times, of),
		}, figure{what: what + ", HTML", got: float64(bytes) / 1000, goal: goalKB, unit: "kB", note: "not compressed"})
	}
	return list, nil
}

// makeTenants makes so many tenants; one of a hundred has an order that needs a person.
func (r *rig) makeTenants(ctx context.Context, n int) error {
	book := order.NewBook(ledger.New(r.table.Table))
	return parallel.Each(16, func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}, func(i int) error {
		var made struct{ ID string }
		in := map[string]string{"name": fmt.Sprintf("Supplier %d", i)}
		if err := r.api.call(ctx, http.MethodPost, "/api/v1/tenants", in, &made); err != nil || i%100 > 0 {
			return err
		}
		run := ledger.Run{Tenant: made.ID, ID: "1", State: ledger.Attention, Received: time.Now().UTC()}
		_, err := book.Receive(ctx, &order.Order{Run: run}, []byte("{}"))
		return err
	})
}

// browser is somebody who signs in and looks at pages.
type browser struct {
	base string
	http http.Client
}

func newBrowser(base string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	return &browser{base, http.Client{Jar: jar}}, err
}

// signIn makes a person of a tenant at the runner's issuer, in a role, and signs them in.
func (b *browser) signIn(ctx context.Context, role, tenant string) error {
	var person struct{ Subject string }
	in := map[string]any{"name": "Bea", "role": role, "tenants": []string{tenant}}
	if err := (client{b.base, ""}).call(ctx, http.MethodPost, "/issuer/people", in, &person); err != nil {
		return err
	}
	_, asked, err := b.send(ctx, http.MethodGet, b.base+"/sign-in", nil)
	if err != nil {
		return err
	}
	form := asked.Query()
	form.Set("person", person.Subject)
	_, _, err = b.send(ctx, http.MethodPost, asked.String(), form)
	return err
}

// open is a page, which must be there and lead nowhere else.
func (b *browser) open(ctx context.Context, path string) ([]byte, error) {
	page, at, err := b.send(ctx, http.MethodGet, b.base+path, nil)
	if err == nil && at.RequestURI() != path {
		err = fmt.Errorf("GET %s leads to %s", path, at)
	}
	return page, err
}

// send sends a request, follows redirects, and returns the page where they end and its address.
func (b *browser) send(ctx context.Context, method, to string, form url.Values) ([]byte, *url.URL, error) {
	req, err := http.NewRequestWithContext(ctx, method, to, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.http.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s", method, to, resp.Status)
	}
	return page, resp.Request.URL, err
}
