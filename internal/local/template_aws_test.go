package main

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"stockbridge/internal/testsize"
)

// translated are the resources as CloudFormation gets them: SAM's own translator has made them of template.yaml. Where
// it is not installed, the test is skipped, unless TRANSLATOR says that it is needed.
func translated(t *testing.T) map[string]map[string]any {
	t.Helper()
	python := filepath.Join(root, ".cache", "venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		python = "python3"
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import samtranslator").Run(); err != nil {
		if os.Getenv("TRANSLATOR") == "" {
			t.Skip("aws-sam-translator is not installed; .ci/run has it")
		}
		t.Fatal("aws-sam-translator is needed, and is not there: ", err)
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join(root, ".ci", "translate"))
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, said.String())
	}
	var doc struct{ Resources map[string]map[string]any }
	if err := json.Unmarshal(out, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Resources
}

// names are the properties with which a resource names itself, in its account and region or in the world.
var names = map[string]string{
	"AWS::Scheduler::Schedule": "Name", "AWS::Lambda::Function": "FunctionName", "AWS::IAM::Role": "RoleName",
	"AWS::SQS::Queue": "QueueName", "AWS::DynamoDB::Table": "TableName", "AWS::KMS::Alias": "AliasName",
	"AWS::Logs::LogGroup": "LogGroupName", "AWS::CloudWatch::Alarm": "AlarmName",
	"AWS::CloudWatch::Dashboard": "DashboardName", "AWS::Cognito::UserPoolDomain": "Domain",
}

// TestTwoStacks: two stacks of this template stand side by side in one account: what names itself there names its
// stack.
func TestTwoStacks(t *testing.T) {
	testsize.Large(t)
	named, schedules := 0, 0
	for id, resource := range translated(t) {
		kind := resource["Type"].(string)
		p, _ := resource["Properties"].(map[string]any)
		name, ok := p[names[kind]]
		if kind == "AWS::Scheduler::Schedule" {
			if schedules++; ok {
				t.Errorf("the schedule %s is called %v: a second stack's would be called the same", id, name)
			}
		}
		if !ok {
			continue
		}
		named++
		if text, _ := json.Marshal(name); !strings.Contains(string(text), "AWS::Stack") {
			t.Errorf("%s is called %s: a second stack's would be called the same", id, text)
		}
	}
	if named < 10 || schedules != 12 {
		t.Errorf("%d resources with a name and %d schedules were looked at", named, schedules)
	}
}

// TestTemplateQueues: each queue has dead letters of its own, which take from it alone and are kept for two weeks; all
// are encrypted, and answer over TLS alone.
func TestTemplateQueues(t *testing.T) {
	all := resources(t)
	type queue struct {
		QueueName         []any
		VisibilityTimeout int
		RedrivePolicy     *struct {
			DeadLetterTargetArn string
			MaxReceiveCount     int
		}
		RedriveAllowPolicy     any
		MessageRetentionPeriod int
		SqsManagedSseEnabled   bool
	}
	var found []string
	dead := map[string]string{} // whose they are
	for name, resource := range all {
		if resource["Type"] != "AWS::SQS::Queue" {
			continue
		}
		found = append(found, name)
		q := properties[queue](t, all, name, "AWS::SQS::Queue")
		if !q.SqsManagedSseEnabled || len(q.QueueName) != 3 || q.QueueName[0] != "Named" {
			t.Errorf("%s: %+v", name, q)
		}
		if q.RedrivePolicy == nil {
			continue
		}
		letters := strings.TrimSuffix(q.RedrivePolicy.DeadLetterTargetArn, ".Arn")
		if other := dead[letters]; other != "" {
			t.Errorf("%s and %s have the same dead letters", other, name)
		}
		dead[letters] = name
		if diff := cmp.Diff(any(map[string]any{"redrivePermission": "denyAll"}), q.RedriveAllowPolicy); diff != "" {
			t.Errorf("%s takes dead letters: %s", name, diff)
		}
		own := strings.TrimPrefix(q.QueueName[1].(string), "${AWS::StackName}-")
		from := "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-" + own
		d := properties[queue](t, all, letters, "AWS::SQS::Queue")
		want := any([]any{"Named", map[string]any{"redrivePermission": "byQueue", "sourceQueueArns": []any{from}},
			"AWS::NoValue"})
		if diff := cmp.Diff(want, d.RedriveAllowPolicy); diff != "" || d.MessageRetentionPeriod != 14*24*3600 {
			t.Errorf("%s: kept for %d s, takes from (-want +got) %s", letters, d.MessageRetentionPeriod, diff)
		}
	}
	if len(dead) != 4 || len(found) != 8 {
		t.Errorf("%d queues, %d of them with dead letters", len(found), len(dead))
	}
	tls := properties[struct {
		Queues         []string
		PolicyDocument struct{ Statement []map[string]any }
	}](t, all, "QueuesByTLS", "AWS::SQS::QueuePolicy")
	slices.Sort(found)
	slices.Sort(tls.Queues)
	if diff := cmp.Diff(found, tls.Queues); diff != "" {
		t.Errorf("by TLS alone: (-want +got) %s", diff)
	}
	if diff := cmp.Diff([]map[string]any{{"Effect": "Deny", "Principal": "*", "Action": "sqs:*", "Resource": "*",
		"Condition": map[string]any{"Bool": map[string]any{"aws:SecureTransport": "false"}}}},
		tls.PolicyDocument.Statement); diff != "" {
		t.Error(diff)
	}
}

// TestTemplateKeeps: no update of a stack loses what it holds. What is here cannot be changed in place: CloudFormation
// would make another resource. If it must change, docs/operations.md has to say what becomes of the old one.
func TestTemplateKeeps(t *testing.T) {
	all := resources(t)
	replaces := map[string][]string{ // the properties of a kind with which CloudFormation makes another resource
		"AWS::DynamoDB::Table":   {"TableName", "KeySchema", "ImportSourceSpecification"},
		"AWS::SQS::Queue":        {"QueueName", "FifoQueue"},
		"AWS::KMS::Key":          {"MultiRegion", "KeySpec", "KeyUsage", "Origin"},
		"AWS::Cognito::UserPool": {"UsernameAttributes", "AliasAttributes", "UsernameConfiguration"},
	}
	named := func(name string) map[string]any {
		return map[string]any{"QueueName": []any{"Named", "${AWS::StackName}-" + name, "AWS::NoValue"}}
	}
	want := map[string]map[string]any{
		"Table": {"KeySchema": []any{
			map[string]any{"AttributeName": "pk", "KeyType": "HASH"},
			map[string]any{"AttributeName": "sk", "KeyType": "RANGE"}}},
		"Key": {},
		"People": {"UsernameAttributes": []any{"email"},
			"UsernameConfiguration": map[string]any{"CaseSensitive": false}},
		"OrdersQueue": named("orders"), "OrdersDeadLetters": named("orders-dead"),
		"JobsQueue": named("catalog"), "JobsDeadLetters": named("catalog-dead"),
		"ShipmentsQueue": named("shipments"), "ShipmentsDeadLetters": named("shipments-dead"),
		"JOORQueue": named("joor"), "JOORDeadLetters": named("joor-dead"),
	}
	got := map[string]map[string]any{}
	for name, resource := range all {
		list, held := replaces[resource["Type"].(string)]
		if !held {
			continue
		}
		if resource["DeletionPolicy"] != "Retain" || resource["UpdateReplacePolicy"] != "Retain" {
			t.Errorf("%s goes with its stack", name)
		}
		got[name] = map[string]any{}
		p := properties[map[string]any](t, all, name, resource["Type"].(string))
		for _, property := range list {
			if v, ok := p[property]; ok {
				got[name][property] = v
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got) %s", diff)
	}
	p := properties[struct {
		DeletionProtectionEnabled        bool
		PointInTimeRecoverySpecification struct{ PointInTimeRecoveryEnabled bool }
		GlobalSecondaryIndexes           []struct{ IndexName string }
	}](t, all, "Table", "AWS::DynamoDB::Table")
	if !p.DeletionProtectionEnabled || !p.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled ||
		len(p.GlobalSecondaryIndexes) != 2 {
		t.Errorf("the table: %+v", p)
	}
}

// TestTemplateLogs: each function logs into a group of its own, which forgets; of HTTP requests no path, query, header
// or body is logged, as a webhook's path ends in a tenant's token.
func TestTemplateLogs(t *testing.T) {
	all := resources(t)
	groups := map[string]bool{}
	for name, resource := range all {
		if resource["Type"] == "AWS::Logs::LogGroup" {
			p := properties[struct{ RetentionInDays any }](t, all, name, "AWS::Logs::LogGroup")
			groups[name] = p.RetentionInDays == "LogRetention"
		}
	}
	for name, resource := range all {
		if resource["Type"] == "AWS::Serverless::Function" {
			p := properties[struct {
				LoggingConfig struct{ LogGroup string }
			}](t, all, name, "AWS::Serverless::Function")
			if g := p.LoggingConfig.LogGroup; !groups[g] || g != strings.TrimSuffix(name, "Function")+"Log" {
				t.Errorf("%s logs into %q", name, g)
			}
		}
	}
	for name, kind := range map[string]string{"WebhookApi": "AWS::Serverless::HttpApi",
		"ConsoleStage": "AWS::ApiGatewayV2::Stage"} {
		p := properties[struct {
			AccessLogSettings struct{ DestinationArn, Format string }
			RouteSettings     map[string]map[string]any
		}](t, all, name, kind)
		if !groups[strings.TrimSuffix(p.AccessLogSettings.DestinationArn, ".Arn")] {
			t.Errorf("%s logs into %s", name, p.AccessLogSettings.DestinationArn)
		}
		var format map[string]string
		if err := json.Unmarshal([]byte(p.AccessLogSettings.Format), &format); err != nil {
			t.Error(err)
		}
		var logged []string
		for v := range maps.Values(format) {
			logged = append(logged, strings.Fields(v)...)
		}
		slices.Sort(logged)
		if diff := cmp.Diff([]string{"$context.error.responseType", "$context.httpMethod",
			"$context.identity.sourceIp", "$context.integration.error", "$context.requestId", "$context.requestTime",
			"$context.responseLatency", "$context.responseLength", "$context.routeKey", "$context.status"},
			logged); diff != "" {
			t.Errorf("%s logs (-want +got) %s", name, diff)
		}
		var throttled []string
		for route, s := range p.RouteSettings {
			if s["ThrottlingRateLimit"] != nil && s["ThrottlingBurstLimit"] != nil {
				throttled = append(throttled, route)
			}
		}
		for _, r := range routes() {
			ours := strings.HasPrefix(r[2], strings.TrimSuffix(strings.TrimSuffix(name, "Api"), "Stage"))
			if ours != slices.Contains(throttled, r[0]+" "+r[1]) {
				t.Errorf("%s: %v are throttled", name, throttled)
			}
		}
	}
}
