package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"stockbridge/internal/app"
)

const root = "../.."

// TestEventFiles: the files of events/ are what make events writes.
func TestEventFiles(t *testing.T) {
	files, err := eventFiles()
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadDir(filepath.Join(root, "events"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range have {
		if files[f.Name()] == nil {
			t.Errorf("events/%s is not made by make events: give it its place in eventFiles", f.Name())
		}
	}
	for name, want := range files {
		if data, err := os.ReadFile(filepath.Join(root, "events", name)); err != nil || !bytes.Equal(data, want) {
			t.Errorf("events/%s is out of date (%v): run make events", name, err)
		}
	}
}

// TestReadEvent: an event whose signature is "fresh" is signed as of now, with
// the secret that seed stores; others are left alone.
func TestReadEvent(t *testing.T) {
	begun := time.Now().Truncate(time.Second)
	data, err := readEvent(filepath.Join(root, "events/webhook.json"))
	if err != nil {
		t.Fatal(err)
	}
	ended := time.Now()
	var ev httpEvent
	if err := json.Unmarshal(data, &ev); err != nil {
		t.Fatal(err)
	}
	var secs int64
	fmt.Sscan(ev.Headers["webhook-timestamp"], &secs)
	want, err := sign(demoSigningSecret, ev.Headers["webhook-id"], time.Unix(secs, 0), []byte(ev.Body))
	if signed := time.Unix(secs, 0); err != nil || ev.Headers["webhook-signature"] != want || signed.Before(begun) ||
		signed.After(ended) {
		t.Errorf("signature %q at %d, want %q (%v)", ev.Headers["webhook-signature"], secs, want, err)
	}
	approved := func(at time.Time) bool {
		return strings.Contains(ev.Body, `"approvedAt":"`+at.UTC().Format(time.DateOnly))
	}
	if !approved(begun) && !approved(ended) {
		t.Errorf("the order is not approved today")
	}
	if !strings.Contains(ev.Body, "Kererū") {
		t.Errorf("the order's text did not survive: %s", ev.Body)
	}
	forged, err := readEvent(filepath.Join(root, "events/webhook-forged.json"))
	onDisk, _ := os.ReadFile(filepath.Join(root, "events/webhook-forged.json"))
	if err != nil || !bytes.Equal(forged, onDisk) {
		t.Errorf("a signature that is not \"fresh\" was changed (%v)", err)
	}
}

// TestSign uses the example of the Standard Webhooks specification.
func TestSign(t *testing.T) {
	got, err := sign("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0),
		[]byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}

// template is the part of template.yaml that the tests read.
type template struct {
	Globals struct {
		Function struct {
			Environment struct{ Variables map[string]any }
		}
	}
	Resources map[string]struct {
		Type       string
		Properties struct {
			CodeURI     string
			Timeout     int
			Environment struct{ Variables map[string]any }
			Events      map[string]struct {
				Type       string
				Properties struct {
					Method, Path, ScheduleExpression, Input string
					Queue                                   string
					BatchSize                               int
					FunctionResponseTypes                   []string
				}
			}
			RouteKey, Target  string
			VisibilityTimeout int
			RedrivePolicy     struct {
				MaxReceiveCount int
			}
		}
	}
}

func readTemplate(t *testing.T) template {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var tree any // through JSON, which ignores the case of names
	if err := yaml.Unmarshal(data, &tree); err != nil {
		t.Fatal(err)
	}
	if data, err = json.Marshal(tree); err != nil {
		t.Fatal(err)
	}
	var doc template
	if err := json.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

// TestTemplate: the runner has the same functions, routes, timeouts, schedules
// and queues as the template.
func TestTemplate(t *testing.T) {
	doc := readTemplate(t)
	limits, jobs := map[string]time.Duration{}, map[string]time.Duration{}
	var ways, queues []string
	for name, r := range doc.Resources {
		p := r.Properties
		switch r.Type {
		case "AWS::Serverless::Function":
			limits[name] = time.Duration(p.Timeout) * time.Second
			if dir := strings.TrimSuffix(strings.TrimPrefix(p.CodeURI, "functions/"),
				"/"); !strings.EqualFold(dir+"Function", name) {
				t.Errorf("%s is in %s", name, p.CodeURI)
			}
		case "AWS::SQS::Queue":
			if !strings.HasSuffix(name, "DeadLetters") &&
				(p.VisibilityTimeout != 360 || p.RedrivePolicy.MaxReceiveCount != 5) {
				t.Errorf("%s: visibility %d, receives %d", name, p.VisibilityTimeout, p.RedrivePolicy.MaxReceiveCount)
			}
		case "AWS::ApiGatewayV2::Route":
			if p.Target == "integrations/${ConsoleIntegration}" {
				ways = append(ways, p.RouteKey+" ConsoleFunction")
			}
		}
		for _, e := range p.Events {
			switch e.Type {
			case "HttpApi":
				ways = append(ways, e.Properties.Method+" "+e.Properties.Path+" "+name)
			case "SQS":
				queues = append(queues, strings.TrimSuffix(e.Properties.Queue, ".Arn")+" "+name)
				if !slices.Equal(e.Properties.FunctionResponseTypes, []string{"ReportBatchItemFailures"}) {
					t.Errorf("%s: failed items are not reported", name)
				}
				if p.Timeout*6 > 360 {
					t.Errorf("%s: the timeout is over a sixth of the visibility timeout", name)
				}
			case "ScheduleV2":
				var n int
				var unit string
				fmt.Sscanf(e.Properties.ScheduleExpression, "rate(%d %s", &n, &unit)
				var input map[string]string
				if err := json.Unmarshal([]byte(e.Properties.Input), &input); err != nil {
					t.Errorf("%s: %v", e.Properties.Input, err)
				}
				if have := scheduleEvent(input["job"], time.Now(), newUUID()); !sameKeys(have, input) {
					t.Errorf("the runner sends %s, the template %v", have, input)
				}
				units := map[string]time.Duration{"minute)": time.Minute, "minutes)": time.Minute, "hour)": time.Hour,
					"hours)": time.Hour}
				jobs[input["job"]] = time.Duration(n) * units[unit]
			}
		}
	}
	var mine []string
	for _, r := range routes() {
		mine = append(mine, strings.Join(r[:], " "))
	}
	slices.Sort(ways)
	slices.Sort(mine)
	if !slices.Equal(ways, mine) {
		t.Errorf("routes: the template has %v, the runner %v", ways, mine)
	}
	// With another name of its resource, a queue is another one, and the messages in the old one are lost.
	slices.Sort(queues)
	if want := []string{
		"JOORDeadLetters DeadLettersFunction", "JOORQueue JOORFunction",
		"JobsDeadLetters DeadLettersFunction", "JobsQueue CatalogFunction",
		"OrdersDeadLetters DeadLettersFunction", "OrdersQueue OrdersFunction",
		"ShipmentsDeadLetters DeadLettersFunction", "ShipmentsQueue ShipmentsFunction",
	}; !slices.Equal(queues, want) {
		t.Errorf("queues: the template has %v, want %v", queues, want)
	}
	if !maps.Equal(limits, timeouts()) {
		t.Errorf("timeouts: the template has %v, the runner %v", limits, timeouts())
	}
	if !maps.Equal(jobs, app.Schedules()) {
		t.Errorf("schedules: the template has %v, the runner %v", jobs, app.Schedules())
	}
}

func sameKeys(doc []byte, m map[string]string) bool {
	var have map[string]string
	return json.Unmarshal(doc, &have) == nil &&
		slices.Equal(slices.Sorted(maps.Keys(have)), slices.Sorted(maps.Keys(m)))
}

// TestEnvironmentFile: SAM passes on only variables that are in the template.
func TestEnvironmentFile(t *testing.T) {
	doc := readTemplate(t)
	for name, vars := range samEnvironment() {
		for v := range vars {
			_, global := doc.Globals.Function.Environment.Variables[v]
			if _, own := doc.Resources[name].Properties.Environment.Variables[v]; !global && !own {
				t.Errorf("env.json: %s of %s is not in the template", v, name)
			}
		}
	}
}
