package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
	"stockbridge/internal/console/consoletest"
	"stockbridge/internal/testsize"
	"stockbridge/internal/upstockcin7/sale"
	"stockbridge/internal/workbook"
)

// longest is how long anything may take that a test waits for: no test fails because a machine is slow.
const longest = 3 * time.Minute

// TestMain makes the test binary a function's if FUNCTION is set.
func TestMain(m *testing.M) {
	switch os.Getenv("FUNCTION") {
	case "console":
		fmt.Fprintln(os.Stderr, cloud.Start(os.Getenv,
			func(a *app.App) cloud.Handler { return cloud.HTTP(a.Console(workbook.Write)) }, "PUBLIC_URL",
			"API_TOKEN_SHA256"))
		os.Exit(1)
	case "panic":
		fmt.Fprintln(os.Stderr, cloud.Start(os.Getenv, func(*app.App) cloud.Handler {
			return func(context.Context, []byte) ([]byte, error) { panic("no") }
		}))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestInvokeBinary runs a function in a process of its own against our Runtime API.
func TestInvokeBinary(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{"FUNCTION": "console", "STORE": "file:" + filepath.Join(t.TempDir(), "s.db"),
		"PUBLIC_URL": "http://127.0.0.1:1", "API_TOKEN_SHA256": operatorHash(demoToken)}
	payload, err := readEvent(filepath.Join(root, "events/console-health.json"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := invokeBinary(t.Context(), exe, vars, "ConsoleFunction", payload, longest)
	if err != nil {
		t.Fatal(err)
	}
	var a httpAnswer
	if json.Unmarshal(res.body, &a) != nil || res.failed || a.StatusCode != 200 || !strings.Contains(a.Body, "ok") ||
		res.start <= 0 {
		t.Errorf("answer: %+v %s", res, res.body)
	}

	delete(vars, "API_TOKEN_SHA256")
	res, err = invokeBinary(t.Context(), exe, vars, "ConsoleFunction", payload, longest)
	if err != nil || !res.failed || !strings.Contains(string(res.body), "API_TOKEN_SHA256 is not set") {
		t.Errorf("a fault of the environment: %s %v", res.body, err)
	}
	vars["FUNCTION"] = "panic"
	res, err = invokeBinary(t.Context(), exe, vars, "ConsoleFunction", payload, longest)
	if err != nil || !res.failed || !strings.Contains(string(res.body), "no") {
		t.Errorf("a panic: %s %v", res.body, err)
	}
}

// holdToDescription holds what an API answers over HTTP, until the test ends, to that API's description.
func holdToDescription(t *testing.T) {
	t.Helper()
	before := http.DefaultTransport
	way := &consoletest.Transport{To: before}
	http.DefaultTransport = way
	t.Cleanup(func() {
		http.DefaultTransport = before
		faults, checked := way.Faults()
		for _, fault := range faults {
			t.Error(fault)
		}
		if checked == 0 {
			t.Error("no answer of the API was held to its description")
		}
	})
}

// TestRun runs everything: servers, demo, a stop, and a second start on the same state.
func TestRun(t *testing.T) {
	holdToDescription(t)
	dir := t.TempDir()
	start := func(until string) string {
		t.Helper()
		o, err := parse([]string{"-listen", "127.0.0.1:0", "-sim", "127.0.0.1:0", "-data", dir, "-speed", "20",
			"-every", "shipments=20s"}, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), longest)
		defer cancel()
		out := &watched{want: until, seen: cancel}
		late := time.AfterFunc(longest*9/10, func() {
			t.Error("it takes long: ", standing(t.Context(), out.printed(), o.token))
		})
		defer late.Stop()
		if err := run(ctx, o, func(string) string { return "" }, out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	story := start("Stop with Ctrl-C")
	if n := strings.Count(story, "Cin7 Core has 1 sale of it."); n != 4 {
		t.Errorf("%d orders were sold once", n)
	}
	if n := strings.Count(story, "=> Upstock knows"); n != 3 || strings.Count(story, "tracking KC-1001\n") < 2 ||
		!strings.Contains(story, "2. Kererū Couriers, tracking KC-1002") {
		t.Errorf("Upstock got to know %d things of shipping", n)
	}
	if !strings.Contains(story, "needs attention, for 2 reasons") || !strings.Contains(story, "it may exist") {
		t.Errorf("the story lacks a part")
	}
	for _, part := range []string{
		"of Cin7 Core were in Upstock already", "imported: Upstock has 1 product more.",
		"- Retail less 2.5 %: 12.6653, it was 12.1485", "- Wholesale: 8.90, as it was",
		"Why Kererū Organics pays 12.6653: ",
		"9 customers may be there already, 7 are sure", "39 are in JOOR's review, 10 were left out",
		"=> 45 customers are linked.", "stays in review: JOOR decides by", "=> updated: 8.",
		"a second upload sends 0: it offers 0, and lists 10", "JOOR has 52 connections, 0 of them twice.",
	} {
		if !strings.Contains(story, part) {
			t.Errorf("the story does not say %q", part)
		}
	}
	for _, m := range regexp.MustCompile(`the order says (\S+), the sale (\S+)`).FindAllStringSubmatch(story, -1) {
		order, err := decimal.NewFromString(m[1])
		sold, serr := decimal.NewFromString(strings.TrimRight(m[2], ".,;"))
		if err != nil || serr != nil || order.Sub(sold).Abs().GreaterThan(sale.DefaultSettings().TotalTolerance) {
			t.Errorf("the order has %s, the sale %s", m[1], m[2])
		}
	}
	again := start("Stop with Ctrl-C")
	if !strings.Contains(again, "from an earlier start") || strings.Count(again, " sold ") != 2 ||
		strings.Count(again, " shipped ") != 2 || strings.Count(again, "attention") != 1 {
		t.Errorf("second start: %s", again)
	}
	if t.Failed() {
		t.Log(story)
	}
}

// standing is how a runner's tenants and their jobs are, as its API says; where that is stands in what it has printed.
func standing(ctx context.Context, printed, token string) string {
	_, line, _ := strings.Cut(printed, "JSON API")
	api := client{strings.TrimSuffix(strings.Fields(line + " none")[0], "/api/v1"), token}
	var tenants struct{ Items []struct{ ID string } }
	err := api.call(ctx, http.MethodGet, "/api/v1/tenants", nil, &tenants)
	said := fmt.Sprint(err)
	for _, t := range tenants.Items {
		for _, what := range []string{"/health", "/events"} {
			var answer json.RawMessage
			err := api.call(ctx, http.MethodGet, "/api/v1/tenants/"+t.ID+what, nil, &answer)
			said += fmt.Sprintf("\n%s: %s %v", what, answer, err)
		}
	}
	return said
}

// TestReadmeWalk pastes the README's commands, from nothing to a sale, into a shell.
func TestReadmeWalk(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```bash\n")
	walk, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the README has no walk")
	}
	o, err := parse([]string{"-listen", "127.0.0.1:0", "-sim", "127.0.0.1:0", "-data", "", "-demo=false", "-token",
		"dev"}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	started, up := context.WithCancel(ctx)
	out := &watched{want: "webhooks ", seen: up}
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, o, func(string) string { return "" }, out) }()
	<-started.Done()
	told := out.printed()
	for _, a := range []struct{ name, is string }{{"JSON API", "http://127.0.0.1:8080/api/v1"},
		{"simulators", "http://127.0.0.1:8081/sim"}} {
		_, line, _ := strings.Cut(told, a.name)
		address := strings.Fields(line + " none")[0]
		walk = strings.ReplaceAll(walk, a.is, address)
	}
	got, err := exec.CommandContext(ctx, "bash", "-eu", "-c", walk).CombinedOutput()
	if err != nil || !strings.Contains(string(got), `"saleNumber":"SO-`) {
		t.Errorf("%v: %s\n%s", err, got, told)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// watched is a writer that calls seen when the wanted text has been written.
type watched struct {
	want string
	seen context.CancelFunc
	mu   sync.Mutex
	bytes.Buffer
}

func (w *watched) printed() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.Buffer.String()
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.Buffer.String(), w.want) {
		w.seen()
	}
	return n, err
}

// TestSeedAndInvoke seeds a store, and sends events of the repository to the
// functions' binaries, as make invoke does.
func TestSeedAndInvoke(t *testing.T) {
	testsize.Large(t)
	t.Chdir(root)
	dir := t.TempDir()
	getenv := func(name string) string {
		return map[string]string{"STORE": "file:" + filepath.Join(dir, storeFile)}[name]
	}
	cases := []struct{ fn, event, want string }{
		{"webhook", "webhook", `"statusCode": 202`}, // seeds first, as there is no store yet
		{"orders", "orders", `"batchItemFailures": []`},
		{"console", "console", `\"state\":\"sold\"`},
		// Each is built first, which takes most of the time.
		{"webhook", "webhook-forged", `"statusCode": 401`},
		{"webhook", "webhook-cin7core", `"statusCode": 202`},
		{"webhook", "webhook-cin7core-forged", `"statusCode": 401`},
		{"shipments", "shipments", `"batchItemFailures": []`},
		{"shipments", "shipments-webhooks", `"batchItemFailures": []`},
		{"deadletters", "deadletters-job", `"batchItemFailures": []`},
		{"schedule", "schedule", `null`},
		{"schedule", "schedule-shipments", `null`},
	}
	for _, c := range cases[:testsize.Of(len(cases), 3, 0)] {
		var out bytes.Buffer
		if err := invoke(t.Context(), []string{"-fn", c.fn, "-event", "events/" + c.event + ".json", "-data", dir},
			getenv, &out); err != nil {
			t.Fatalf("%s: %v", c.event, err)
		}
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("%s: %s", c.event, out.String())
		}
	}
}

// TestKill: a process that is killed in the middle of its work loses nothing. make kills kills more.
func TestKill(t *testing.T) {
	testsize.Large(t)
	exe := filepath.Join(t.TempDir(), "local")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", exe, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := exec.CommandContext(t.Context(), exe, "kills", "-orders", "10", "-kills", "4").CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestOnlySim runs only the simulators.
func TestOnlySim(t *testing.T) {
	o, err := parse([]string{"-only", "sim", "-sim", "127.0.0.1:0", "-data", ""}, os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), longest)
	defer cancel()
	out := &watched{want: "/sim\n"}
	out.seen = func() {
		url := strings.TrimSuffix(strings.Fields(out.Buffer.String())[1], "/sim")
		go func() {
			defer cancel()
			if err := (client{base: url}).call(ctx, http.MethodGet, "/sim/accounts", nil, nil); err != nil {
				t.Error(err)
			}
		}()
	}
	if err := run(ctx, o, func(string) string { return "" }, out); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-only", "web"}, {"-only", "sim", "-sim", ""}, {"-speed", "0"}, {"nonsense"}} {
		if _, err := parse(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%v is taken", args)
		}
	}
}
