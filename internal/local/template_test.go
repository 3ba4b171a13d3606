package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"stockbridge/internal/signin"
)

// resources are those of template.yaml as they stand there, without the tags: !Ref X is X, !GetAtt X.Arn is X.Arn.
func resources(t *testing.T) map[string]map[string]any {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(root, "template.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Resources map[string]map[string]any `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(data, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Resources
}

// properties reads a resource's.
func properties[T any](t *testing.T, all map[string]map[string]any, name, kind string) (p T) {
	t.Helper()
	if all[name]["Type"] != kind {
		t.Fatalf("%s is a %v", name, all[name]["Type"])
	}
	data, err := json.Marshal(all[name]["Properties"])
	if err == nil {
		err = json.Unmarshal(data, &p)
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTemplateSignIn: the stack's own user pool lets in whom its manager made, by the code flow without a secret; what
// a person may do here is read by the console and written by no client.
func TestTemplateSignIn(t *testing.T) {
	all := resources(t)
	pool := properties[struct {
		AdminCreateUserConfig struct{ AllowAdminCreateUserOnly bool }
		Schema                []struct{ Name string }
	}](t, all, "People", "AWS::Cognito::UserPool")
	client := properties[struct {
		GenerateSecret, AllowedOAuthFlowsUserPoolClient                                       bool
		AllowedOAuthFlows, AllowedOAuthScopes, ExplicitAuthFlows                              []string
		ReadAttributes, WriteAttributes, CallbackURLs, LogoutURLs, SupportedIdentityProviders []any
	}](t, all, "ConsoleClient", "AWS::Cognito::UserPoolClient")
	if !pool.AdminCreateUserConfig.AllowAdminCreateUserOnly {
		t.Error("anybody can sign up")
	}
	if client.GenerateSecret || !client.AllowedOAuthFlowsUserPoolClient {
		t.Errorf("%+v", client)
	}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"flows", client.AllowedOAuthFlows, []string{"code"}},
		{"scopes", client.AllowedOAuthScopes, signin.Scopes()},
		{"passwords", client.ExplicitAuthFlows, []string{"ALLOW_REFRESH_TOKEN_AUTH"}},
		{"read", client.ReadAttributes,
			[]any{"name", "email", "custom:stockbridge_role", "custom:stockbridge_tenants"}},
		{"written", client.WriteAttributes, []any{"name", "email"}},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", c.what, diff)
		}
	}
	for _, claim := range pool.Schema {
		if len(claim.Name) > 20 || !slices.Contains(client.ReadAttributes, any("custom:"+claim.Name)) {
			t.Errorf("%s: Cognito takes 20 letters, and the console reads it by its name", claim.Name)
		}
	}
	if back, _ := json.Marshal(client.CallbackURLs); !strings.Contains(string(back), "${Console}"+signin.CallbackPath+`"`) {
		t.Errorf("people come back to %s", back)
	}
	vars := readTemplate(t).Resources["ConsoleFunction"].Properties.Environment.Variables
	for _, name := range []string{"OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET", "OIDC_SIGN_OUT_URL"} {
		if v, _ := vars[name].([]any); len(v) != 3 || v[0] != "OwnPeople" {
			t.Errorf("%s: %v does not depend on whose people sign in", name, vars[name])
		}
	}
}

// TestTemplateMails: the catalog function alone may send e-mails, from one address, by whichever identity and
// configuration set are that address's.
func TestTemplateMails(t *testing.T) {
	const at = "arn:${AWS::Partition}:ses:${AWS::Region}:${AWS::AccountId}:"
	want := map[string][]any{"CatalogRole": {map[string]any{
		"Effect": "Allow", "Action": []any{"ses:SendEmail"},
		"Resource":  []any{at + "identity/*", at + "configuration-set/*"},
		"Condition": map[string]any{"StringEquals": map[string]any{"ses:FromAddress": "AlertFrom"}},
	}}}
	got := map[string][]any{}
	for name, resource := range resources(t) {
		data, err := json.Marshal(resource)
		var plain any
		if err == nil {
			err = json.Unmarshal(data, &plain)
		}
		if err != nil {
			t.Fatal(err)
		}
		if found := mailing(plain); found != nil {
			got[name] = found
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// mailing are the statements that let somebody use SES.
func mailing(of any) (list []any) {
	switch of := of.(type) {
	case []any:
		for _, one := range of {
			list = append(list, mailing(one)...)
		}
	case map[string]any:
		if actions, err := json.Marshal(of["Action"]); err == nil && strings.Contains(string(actions), `"ses:`) {
			list = append(list, of)
		}
		for _, one := range of {
			list = append(list, mailing(one)...)
		}
	}
	return list
}

// TestTemplateNoCircle: no resource needs itself, by whatever way: CloudFormation would refuse the stack, and nothing
// on this machine does.
func TestTemplateNoCircle(t *testing.T) {
	all := resources(t)
	if f := all["ScheduleFunction"]["Properties"].(map[string]any); f["Events"] != nil {
		all["Schedules"] = map[string]any{"Type": "AWS::Scheduler::Schedule", "Properties": f["Events"],
			"DependsOn": "ScheduleFunction"} // SAM makes resources of their own of them
		delete(f, "Events")
	}
	names := make([]string, 0, len(all))
	for name := range all {
		names = append(names, regexp.QuoteMeta(name))
	}
	word := regexp.MustCompile(`\b(` + strings.Join(names, "|") + `)\b`)
	needs := map[string][]string{}
	for name, resource := range all {
		data, err := json.Marshal(resource)
		if err != nil {
			t.Fatal(err)
		}
		for _, other := range word.FindAllString(string(data), -1) {
			if other == name {
				continue
			}
			if all[other]["Type"] == "AWS::Serverless::HttpApi" && strings.Contains(string(data), `"ApiId":"`+other+`"`) {
				needs[other] = append(needs[other], name) // SAM writes the function's events into the API
				continue
			}
			needs[name] = append(needs[name], other)
		}
	}
	if !slices.Contains(needs["ConsoleFunction"], "ConsoleClient") ||
		!slices.Contains(needs["ConsoleClient"], "ConsoleHttpApi") ||
		!slices.Contains(needs["WebhookApi"], "WebhookFunction") {
		t.Fatalf("what needs what is not seen: %v", needs)
	}
	done := map[string]bool{}
	var follow func(name string, way []string)
	follow = func(name string, way []string) {
		if slices.Contains(way, name) {
			t.Fatalf("a circle: %v", append(way, name))
		}
		if done[name] {
			return
		}
		for _, next := range needs[name] {
			follow(next, append(slices.Clip(way), name))
		}
		done[name] = true
	}
	for name := range needs {
		follow(name, nil)
	}
}
