package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"stockbridge/internal/app"
	"stockbridge/internal/cloud"
)

// TestAlarms: each alarm names a paragraph of the runbook, each paragraph there has an alarm, somebody hears it, and
// each metric of our own that it looks at is one that is written. Each schedule has an alarm.
func TestAlarms(t *testing.T) {
	runbook, err := os.ReadFile(filepath.Join(root, "docs", "operations.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, part, _ := strings.Cut(string(runbook), "\n## Alarms\n")
	part, _, _ = strings.Cut(part, "\n## ")
	unused := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^### (.+)\n[^\n#]`).FindAllStringSubmatch(part, -1) {
		unused[m[1]] = true
	}
	paragraphs := maps.Clone(unused)
	all := resources(t)
	ours := cloud.Metrics()
	jobs := map[string]bool{"orders": true} // has SilenceAlarm
	for name, resource := range all {
		if resource["Type"] != "AWS::CloudWatch::Alarm" {
			continue
		}
		p := properties[struct {
			AlarmDescription, Namespace, MetricName string
			AlarmActions                            []any
			Dimensions                              []struct{ Name, Value string }
			Period, EvaluationPeriods               int
		}](t, all, name, "AWS::CloudWatch::Alarm")
		m := regexp.MustCompile(`See docs/operations\.md, "(.+)"\.$`).FindStringSubmatch(p.AlarmDescription)
		if m == nil || !paragraphs[m[1]] {
			t.Errorf("%s names no paragraph of the runbook: %s", name, p.AlarmDescription)
			continue
		}
		delete(unused, m[1])
		if len(p.AlarmActions) != 3 || p.AlarmActions[0] != "Heard" {
			t.Errorf("nobody hears %s: %v", name, p.AlarmActions)
		}
		if !strings.HasPrefix(p.Namespace, "Stockbridge") {
			continue
		}
		metric, ok := ours[p.MetricName]
		if !ok || p.Namespace != "Stockbridge/${AWS::StackName}" {
			t.Errorf("%s looks at %s of %s, which nobody writes", name, p.MetricName, p.Namespace)
		}
		for _, d := range p.Dimensions {
			if d.Name != metric.By {
				t.Errorf("%s: %s is not written by %s", name, p.MetricName, d.Name)
			}
			every := app.Schedules()[d.Value]
			if window := time.Duration(p.Period*p.EvaluationPeriods) * time.Second; every == 0 || window < 2*every ||
				window > 24*time.Hour {
				t.Errorf("%s: %s each %v, looked at for %v", name, d.Value, every, window)
			}
			jobs[d.Value] = true
		}
	}
	for paragraph := range unused {
		t.Errorf("no alarm names the paragraph %q", paragraph)
	}
	for job := range app.Schedules() {
		if !jobs[job] {
			t.Errorf("nobody hears when the schedule of %s stays away", job)
		}
	}
}

// TestDashboard: the stack's dashboard can be read, and shows each metric of our own; the functions write theirs where
// it looks.
func TestDashboard(t *testing.T) {
	all := resources(t)
	p := properties[struct{ DashboardBody []any }](t, all, "Dashboard", "AWS::CloudWatch::Dashboard")
	body, _ := p.DashboardBody[0].(string)
	var doc struct {
		Widgets []struct {
			X, Y, Width, Height int
			Properties          struct {
				Title   string
				Metrics [][]any
			}
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil {
		t.Fatal(err)
	}
	const namespace = "Stockbridge/${AWS::StackName}"
	if got := readTemplate(t).Globals.Function.Environment.Variables["METRICS_NAMESPACE"]; got != namespace {
		t.Errorf("functions write into %v", got)
	}
	shown := map[string]bool{}
	for _, w := range doc.Widgets {
		if w.X+w.Width > 24 || w.Width == 0 || w.Height == 0 || w.Properties.Title == "" {
			t.Errorf("%+v", w)
		}
		for _, m := range w.Properties.Metrics {
			text, _ := json.Marshal(m)
			for name, metric := range cloud.Metrics() {
				search, _ := json.Marshal(`SEARCH('{"` + namespace + `",` + metric.By + `} MetricName="` + name + `"'`)
				by := bytes.Contains(text, bytes.Trim(search, `"`))
				if by && metric.By != "" || len(m) == 2 && m[0] == namespace && m[1] == name {
					shown[name] = true
				}
			}
		}
	}
	want, got := slices.Sorted(maps.Keys(cloud.Metrics())), slices.Sorted(maps.Keys(shown))
	if !slices.Equal(want, got) {
		t.Errorf("metrics are %v, and shown %v", want, got)
	}
}
