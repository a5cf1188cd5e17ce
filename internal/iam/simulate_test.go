package iam_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/policy"
)

const key = "arn:aws:kms:us-east-1:" + account + ":key/1234"

// results are the decisions of a simulation, in order.
func results(all []iamapi.EvaluationResult) string {
	var s []string
	for _, r := range all {
		each := []string{}
		for _, on := range r.ResourceSpecificResults {
			each = append(each, string(*on.EvalResourceDecision))
		}
		text := string(*r.EvalDecision)
		if len(each) > 1 {
			text += "(" + strings.Join(each, ",") + ")"
		}
		s = append(s, text)
	}
	return strings.Join(s, " ")
}

// entry is a context entry.
func entry(key string, kind iamapi.ContextKeyTypeEnum, values ...string) iamapi.ContextEntry {
	return iamapi.ContextEntry{ContextKeyName: &key, ContextKeyType: &kind, ContextKeyValues: values}
}

// keyPolicy lets a principal decrypt with a key.
func keyPolicy(principal string) string {
	return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + principal + `"},"Action":"kms:Decrypt","Resource":"*"}]}`
}

func TestSimulateCustomPolicy(t *testing.T) {
	root := newWorld(t).root(account)
	root.createUser("bob")
	root.createRole("app")
	decrypt := allow("kms:Decrypt", "*", "")
	onlyBlue := allow("kms:Decrypt", "*", `{"StringEquals":{"kms:EncryptionContext:tenant":"blue"}}`)
	foreign := "arn:aws:kms:us-east-1:" + other + ":key/1"
	ran := 0
	for _, tt := range []struct {
		name string
		in   iamapi.SimulateCustomPolicyRequest
		want string
	}{
		{"allowed", iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{decrypt}}, "allowed"},
		{"nothing allows", iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{allowRead}}, "implicitDeny"},
		{"denied", iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{decrypt, denyAll}}, "explicitDeny"},
		{"outside the boundary", iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{decrypt}, PermissionsBoundaryPolicyInputList: []string{allowRead}}, "implicitDeny"},
		{"within the boundary", iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{decrypt}, PermissionsBoundaryPolicyInputList: []string{allowAll}}, "allowed"},
		{"condition without value", iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{onlyBlue}}, "implicitDeny"},
		{"condition met", iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{onlyBlue}, ContextEntries: []iamapi.ContextEntry{entry("kms:EncryptionContext:Tenant", "string", "blue")}}, "allowed"},
		{"condition not met", iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{onlyBlue}, ContextEntries: []iamapi.ContextEntry{entry("kms:EncryptionContext:tenant", "string", "red")}}, "implicitDeny"},
		{"time", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("kms:*", "*", `{"DateLessThan":{"aws:CurrentTime":"2001-01-01T00:00:00Z"}}`)},
			ContextEntries:  []iamapi.ContextEntry{entry("aws:CurrentTime", "date", "2000-01-01T00:00:00Z")},
		}, "allowed"},
		{"principal tag", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("kms:*", "*", `{"StringEquals":{"aws:PrincipalTag/team":"blue"}}`)},
			ContextEntries:  []iamapi.ContextEntry{entry("aws:PrincipalTag/Team", "string", "blue")},
		}, "allowed"},
		{"list", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("kms:*", "*", `{"ForAllValues:StringEquals":{"aws:TagKeys":["a","b"]}}`)},
			ContextEntries:  []iamapi.ContextEntry{entry("aws:TagKeys", "stringList", "a", "c")},
		}, "implicitDeny"},
		{"key policy names the caller", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allowRead}, ResourceArns: []string{key}, CallerArn: new(root.arn("user/bob")), ResourcePolicy: new(keyPolicy(root.arn("user/bob"))),
		}, "allowed"},
		{"key policy names another", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{decrypt}, ResourceArns: []string{key}, CallerArn: new(root.arn("user/bob")), ResourcePolicy: new(keyPolicy(root.arn("user/eve"))),
		}, "implicitDeny"},
		{"key policy names the role", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allowRead}, ResourceArns: []string{key}, CallerArn: new(root.arn("role/app")), ResourcePolicy: new(keyPolicy(root.arn("role/app"))),
		}, "allowed"},
		{"key policy leaves it to the account", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{decrypt}, ResourceArns: []string{key}, CallerArn: new(root.arn("user/bob")), ResourcePolicy: new(keyPolicy(account)),
		}, "allowed"},
		{"another account's key allows, the caller's policies do not", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allowRead}, ResourceArns: []string{foreign}, CallerArn: new(root.arn("user/bob")), ResourcePolicy: new(keyPolicy(root.arn("user/bob"))),
		}, "implicitDeny"},
		{"both sides allow", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{decrypt}, ResourceArns: []string{foreign}, CallerArn: new(root.arn("user/bob")), ResourcePolicy: new(keyPolicy(root.arn("user/bob"))),
		}, "allowed"},
		{"another owner", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allowRead}, ResourceArns: []string{key}, ResourceOwner: new("arn:aws:iam::" + other + ":root"),
			CallerArn: new(root.arn("user/bob")), ResourcePolicy: new(keyPolicy(root.arn("user/bob"))),
		}, "implicitDeny"},
		{"entries instead of the caller's own keys", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("kms:Decrypt", "*", `{"ArnLike":{"aws:PrincipalArn":"`+root.arn("role/app")+`"},"Bool":{"aws:ViaAWSService":"true"},"NumericLessThan":{"aws:EpochTime":"1000000000"}}`)},
			CallerArn:       new(root.arn("user/bob")), ContextEntries: []iamapi.ContextEntry{
				entry("AWS:principalarn", "string", root.arn("role/app")), entry("aws:ViaAWSService", "boolean", "true"), entry("aws:CurrentTime", "date", "2001-01-01T00:00:00Z"),
			},
		}, "allowed"},
		{"pairs", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("kms:Decrypt", key, "")}, ActionNames: []string{"kms:Decrypt", "kms:Encrypt"}, ResourceArns: []string{key, "arn:aws:kms:us-east-1:1:key/2"},
		}, "implicitDeny(allowed,implicitDeny) implicitDeny(implicitDeny,implicitDeny)"},
		{"pairs with a denial", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allowAll, `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"` + foreign + `"}}`}, ResourceArns: []string{key, foreign, key},
		}, "explicitDeny(allowed,explicitDeny,allowed)"},
		{"pairs of both kinds of denial", iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allow("*", key, ""), `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"*","Resource":"` + foreign + `"}}`}, ResourceArns: []string{foreign, "arn:aws:kms:us-east-1:1:key/2", key},
		}, "explicitDeny(explicitDeny,implicitDeny,allowed)"},
	} {
		ran++
		if tt.in.ActionNames == nil {
			tt.in.ActionNames = []string{"kms:Decrypt"}
		}
		got := results(do[iamapi.SimulateCustomPolicyResponse](root, &tt.in).EvaluationResults)
		if got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if ran < 19 {
		t.Errorf("only %d rows", ran)
	}
}

func TestSimulationsExplain(t *testing.T) {
	root := newWorld(t).root(account)
	document := "{\"Version\":\"2012-10-17\",\n \"Statement\":[\n  {\"Effect\":\"Allow\",\"Action\":\"kms:*\",\"Resource\":\"*\",\"Condition\":{\"StringEquals\":{\"kms:ViaService\":\"${aws:SourceVpc}\"}}},\n" +
		"  {\"Effect\":\"Allow\",\"Action\":\"kms:Decrypt\",\"Resource\":\"*\"}]}"
	out := do[iamapi.SimulateCustomPolicyResponse](root, &iamapi.SimulateCustomPolicyRequest{
		PolicyInputList: []string{document}, ActionNames: []string{"kms:Decrypt"}, PermissionsBoundaryPolicyInputList: []string{allowRead},
	}).EvaluationResults[0]
	if len(out.MatchedStatements) != 1 {
		t.Fatalf("%d statements", len(out.MatchedStatements))
	}
	s := out.MatchedStatements[0]
	got := []string{*s.SourcePolicyId, string(*s.SourcePolicyType)}
	for _, p := range []*iamapi.Position{s.StartPosition, s.EndPosition} {
		got = append(got, strconv.Itoa(int(*p.Line))+":"+strconv.Itoa(int(*p.Column)))
	}
	got = append(got, out.MissingContextValues...)
	want := []string{"PolicyInputList.1", "IAM Policy", "4:3", "4:59", "kms:ViaService"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if *out.PermissionsBoundaryDecisionDetail.AllowedByPermissionsBoundary || out.OrganizationsDecisionDetail != nil {
		t.Error("the boundary allows, or there is an organization")
	}
	if out.ResourceSpecificResults != nil || out.EvalDecisionDetails != nil {
		t.Error("there are results of resources without any")
	}
	out = do[iamapi.SimulateCustomPolicyResponse](root, &iamapi.SimulateCustomPolicyRequest{
		PolicyInputList: []string{document}, ActionNames: []string{"kms:Decrypt"}, PermissionsBoundaryPolicyInputList: []string{allowRead}, ResourceArns: []string{key},
	}).EvaluationResults[0]
	on := iamapi.ResourceSpecificResult{
		EvalResourceName: out.EvalResourceName, EvalResourceDecision: out.EvalDecision, MatchedStatements: out.MatchedStatements,
		MissingContextValues: out.MissingContextValues, PermissionsBoundaryDecisionDetail: out.PermissionsBoundaryDecisionDetail,
	}
	if diff := cmp.Diff([]iamapi.ResourceSpecificResult{on}, out.ResourceSpecificResults); diff != "" || *out.EvalResourceName != key || len(out.MatchedStatements) != 1 {
		t.Errorf("%s: -whole +of the resource:\n%s", *out.EvalResourceName, diff)
	}
}

// Every statement that lets the access through, or every one that refuses it, of every policy, with its place.
func TestSimulationsListAllStatements(t *testing.T) {
	root := newWorld(t).root(account)
	const allow, deny = `{"Effect":"Allow","Action":"kms:*","Resource":"*"}`, `{"Effect":"Deny","Action":"kms:Sign","Resource":"*"}`
	other := `{"Effect":"Allow","Action":"s3:*","Resource":"*"}`
	document := func(statements ...string) string {
		return `{"Version":"2012-10-17","Statement":[` + strings.Join(statements, ",\n") + `]}`
	}
	one, two := document(allow, deny, allow, other, allow), document(deny+" ", "\n\n  "+allow)
	resource := `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}]}`
	for action, want := range map[string][]string{
		"kms:Encrypt": {"PolicyInputList.1 1:38-1:88", "PolicyInputList.1 3:1-3:51", "PolicyInputList.1 5:1-5:51", "PolicyInputList.2 4:3-4:53", "ResourcePolicy 1:38-1:104"},
		"kms:Sign":    {"PolicyInputList.1 2:1-2:53", "PolicyInputList.2 1:38-1:90"},
		"s3:Get":      {"PolicyInputList.1 4:1-4:50"},
	} {
		in := &iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{one, two}, ActionNames: []string{action}, ResourceArns: []string{key}, ResourcePolicy: &resource, CallerArn: new(root.arn("user/bob")),
		}
		var got []string
		for _, s := range do[iamapi.SimulateCustomPolicyResponse](root, in).EvaluationResults[0].MatchedStatements {
			at := func(p *iamapi.Position) string {
				return strconv.Itoa(int(*p.Line)) + ":" + strconv.Itoa(int(*p.Column))
			}
			got = append(got, *s.SourcePolicyId+" "+at(s.StartPosition)+"-"+at(s.EndPosition))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: -want +got:\n%s", action, diff)
		}
	}
}

// Documents of many statements, all of which match every pair, make pages short instead of answers large.
func TestSimulationsOfManyStatementsEndEarly(t *testing.T) {
	root := newWorld(t).root(account)
	const statements = 2500
	document := `{"Version":"2012-10-17","Statement":[` + strings.Repeat(`{"Effect":"Allow","Action":"*","Resource":"*"},`, statements-1) + `{"Effect":"Allow","Action":"*","Resource":"*"}]}`
	var actions []string
	for i := range 9 {
		actions = append(actions, "kms:A"+strconv.Itoa(i))
	}
	var sizes []int
	for marker := (*string)(nil); len(sizes) == 0 || marker != nil; {
		out := do[iamapi.SimulateCustomPolicyResponse](root, &iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{document}, ActionNames: actions, Marker: marker})
		for _, r := range out.EvaluationResults {
			if len(r.MatchedStatements) != statements {
				t.Errorf("%s: %d statements", *r.EvalActionName, len(r.MatchedStatements))
			}
		}
		sizes, marker = append(sizes, len(out.EvaluationResults)), out.Marker
	}
	if want := []int{4, 4, 1}; !slices.Equal(sizes, want) {
		t.Errorf("pages of %v results, want %v", sizes, want)
	}
}

func TestSimulatePrincipalPolicy(t *testing.T) {
	management := false
	w := newWorldWith(t, func(c *iam.Config) {
		c.Membership = func(context.Context, string) (*authz.Membership, error) {
			deny, err := policy.Parse(policy.ServiceControl, denyDecrypt)
			return &authz.Membership{Management: management, Services: [][]authz.Attached{{{Policy: must(t, allowAll)}, {Policy: deny}}}}, err
		}
	})
	root := w.root(account)
	p := root.furnish()
	root.must(&iamapi.AttachGroupPolicyRequest{GroupName: new("devs"), PolicyArn: &p})
	root.must(&iamapi.AddUserToGroupRequest{GroupName: new("devs"), UserName: new("bob")})
	root.putUserPolicy("bob", "self", allow("iam:*AccessKey*", root.arn("user/${aws:username}"), ""))
	simulate := func(source string, actions ...string) (all []iamapi.EvaluationResult) {
		in := &iamapi.SimulatePrincipalPolicyRequest{PolicySourceArn: &source, ActionNames: actions, ResourceArns: []string{root.arn("user/bob")}, PolicyInputList: []string{allow("kms:*", "*", "")}}
		return do[iamapi.SimulatePrincipalPolicyResponse](root, in).EvaluationResults
	}
	actions := []string{"iam:GetUser", "iam:CreateAccessKey", "iam:DeleteUser", "kms:Encrypt", "kms:Decrypt"}
	for source, want := range map[string]string{
		"user/bob":   "allowed allowed implicitDeny allowed explicitDeny",
		"group/devs": "allowed implicitDeny implicitDeny allowed explicitDeny",
		"role/app":   "implicitDeny implicitDeny implicitDeny allowed explicitDeny",
	} {
		if got := results(simulate(root.arn(source), actions...)); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
	all := simulate(root.arn("user/bob"), actions...)
	var from []string
	for _, r := range all {
		id := "-"
		for _, s := range r.MatchedStatements {
			id = *s.SourcePolicyId + " " + string(*s.SourcePolicyType)
		}
		from = append(from, id+" "+strconv.FormatBool(*r.OrganizationsDecisionDetail.AllowedByOrganizations))
	}
	want := []string{"p IAM Policy true", "user_bob_self IAM Policy true", "- true", "PolicyInputList.1 IAM Policy true", "- false"}
	if diff := cmp.Diff(want, from); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	management = true
	if got := results(simulate(root.arn("user/bob"), "kms:Decrypt")); got != "allowed" {
		t.Errorf("the management account: %s", got)
	}
}

const denyDecrypt = `{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"kms:Decrypt","Resource":"*"}}`

func must(t *testing.T, text string) *policy.Policy {
	t.Helper()
	p, err := policy.Parse(policy.Identity, text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// The policy of a KMS key of the account has its say without being passed, and who may not read it may not simulate with it.
func TestSimulationsKnowKeyPolicies(t *testing.T) {
	asked := 0
	text := keyPolicy(account)
	w := newWorldWith(t, func(c *iam.Config) {
		c.KeyPolicy = func(_ context.Context, arn string) (*policy.Policy, error) {
			if asked++; arn != key {
				return nil, nil
			}
			return policy.Parse(policy.Key, text)
		}
	})
	root := w.root(account)
	root.furnish()
	simulate := func(p principal, resources ...string) answer {
		return p.send(&iamapi.SimulateCustomPolicyRequest{
			PolicyInputList: []string{allowAll}, ActionNames: []string{"kms:Decrypt", "kms:Encrypt"}, ResourceArns: resources, CallerArn: new(root.arn("user/bob")),
		})
	}
	root.refusedAs(&iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{allowAll}, ActionNames: []string{"kms:Decrypt"}, ResourceArns: []string{key}}, "AccessDenied")
	text = strings.Replace(text, `"kms:Decrypt"`, `["kms:Decrypt","kms:GetKeyPolicy"]`, 1)
	if a := simulate(root, key); !strings.Contains(a.body, "allowed") || !strings.Contains(a.body, "implicitDeny") {
		t.Errorf("got %s", a.body)
	}
	root.putUserPolicy("bob", "p", allow("iam:SimulateCustomPolicy", "*", ""))
	bob := root.as("bob")
	if a := simulate(bob, key); a.code != "AccessDenied" || !strings.Contains(a.message, "kms:GetKeyPolicy") {
		t.Errorf("got %s %s", a.code, a.message)
	}
	root.putUserPolicy("bob", "p", allow("iam:SimulateCustomPolicy kms:GetKeyPolicy", "*", ""))
	if a := simulate(bob, key); !a.ok() {
		t.Errorf("got %s %s", a.code, a.message)
	}
	asked = 0
	if a := simulate(root, "arn:aws:kms:us-east-1:"+other+":key/1", "*", "arn:aws:s3:::b"); !a.ok() || asked != 0 {
		t.Errorf("%s: asked for %d policies", a.code, asked)
	}
}

func TestSimulationPages(t *testing.T) {
	root := newWorld(t).root(account)
	var actions, resources []string
	for i := range 7 {
		actions = append(actions, "kms:A"+strconv.Itoa(i))
		resources = append(resources, "arn:aws:kms:us-east-1:"+account+":key/"+strconv.Itoa(i))
	}
	for _, size := range []int32{1, 10, 48, 49, 50} {
		got := pages(t, size, func(marker *string, size *int32) (names []string, _ *bool, _ *string) {
			out := do[iamapi.SimulateCustomPolicyResponse](root, &iamapi.SimulateCustomPolicyRequest{
				PolicyInputList: []string{allowAll}, ActionNames: actions, ResourceArns: resources, Marker: marker, MaxItems: size,
			})
			for _, r := range out.EvaluationResults {
				names = append(names, *r.EvalActionName)
				for i, on := range r.ResourceSpecificResults {
					if *on.EvalResourceName != resources[i] || *r.EvalResourceName != "*" {
						t.Errorf("%s: %s in %s", *r.EvalActionName, *on.EvalResourceName, *r.EvalResourceName)
					}
				}
				if len(r.ResourceSpecificResults) != len(resources) {
					t.Errorf("%s on %d resources", *r.EvalActionName, len(r.ResourceSpecificResults))
				}
			}
			return names, out.IsTruncated, out.Marker
		})
		if !slices.Equal(got, actions) {
			t.Errorf("by %d: %v", size, got)
		}
	}
}

// Clients read the list of missing keys of every result, also where there is none.
func TestSimulationsAlwaysHaveTheListOfMissingKeys(t *testing.T) {
	root := newWorld(t).root(account)
	for _, resources := range [][]string{nil, {key}, {key, "arn:aws:s3:::b"}} {
		a := root.send(&iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{allowAll}, ActionNames: []string{"kms:Decrypt"}, ResourceArns: resources})
		if got, want := strings.Count(a.body, "<MissingContextValues>")+strings.Count(a.body, "<MissingContextValues/>"), 1+len(resources); !a.ok() || got != want {
			t.Errorf("%d resources: %d lists, want %d", len(resources), got, want)
		}
	}
}

// What is missing for every pair makes pages short too.
func TestSimulationsWithManyMissingKeysEndEarly(t *testing.T) {
	root := newWorld(t).root(account)
	var conditions, resources []string
	for i := range 4000 {
		conditions = append(conditions, fmt.Sprintf(`"a:%04d":"x"`, i))
	}
	for i := range 1000 {
		resources = append(resources, "arn:aws:s3:::"+strconv.Itoa(i))
	}
	document := allow("*", "*", `{"StringEqualsIfExists":{`+strings.Join(conditions, ",")+`}}`)
	out := do[iamapi.SimulateCustomPolicyResponse](root, &iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{document}, ActionNames: []string{"s3:Get"}, ResourceArns: resources})
	if len(out.EvaluationResults) != 1 || len(out.EvaluationResults[0].ResourceSpecificResults) != 3 || out.Marker == nil {
		t.Fatalf("%d results", len(out.EvaluationResults))
	}
	if n := len(out.EvaluationResults[0].MissingContextValues); n != 4000 || !slices.IsSorted(out.EvaluationResults[0].MissingContextValues) {
		t.Errorf("%d keys are missing", n)
	}
}

// A page decides so many pairs of action and resource. It ends with a whole action if it can; the resources of one with more
// than that are told of in several results, each once.
func TestSimulationsOnManyResources(t *testing.T) {
	root := newWorld(t).root(account)
	for n, want := range map[int][]int{400: {2 * 400, 400}, 1000: {1000, 1000, 1000}, 1600: {1000, 600, 1000, 600, 1000, 600}} {
		var resources, got []string
		for i := range n {
			resources = append(resources, "arn:aws:s3:::"+strconv.Itoa(i))
		}
		actions := []string{"s3:A", "s3:B", "s3:C"}
		var sizes []int
		for marker := (*string)(nil); len(sizes) == 0 || marker != nil; {
			out := do[iamapi.SimulateCustomPolicyResponse](root, &iamapi.SimulateCustomPolicyRequest{PolicyInputList: []string{allowAll}, ActionNames: actions, ResourceArns: resources, Marker: marker})
			size := 0
			for _, r := range out.EvaluationResults {
				for _, on := range r.ResourceSpecificResults {
					size++
					got = append(got, *r.EvalActionName+" "+*on.EvalResourceName)
				}
			}
			sizes, marker = append(sizes, size), out.Marker
		}
		if diff := cmp.Diff(want, sizes); diff != "" {
			t.Errorf("%d resources: pages: -want +got:\n%s", n, diff)
		}
		if len(got) != 3*n || len(slices.Compact(slices.Sorted(slices.Values(got)))) != 3*n {
			t.Errorf("%d resources: %d pairs", n, len(got))
		}
	}
}

func TestContextKeys(t *testing.T) {
	root := newWorld(t).root(account)
	root.furnish()
	document := allow("kms:*", "arn:aws:kms:*:*:key/${aws:PrincipalTag/Key}", `{"StringEquals":{"kms:ViaService":"x"},"Bool":{"aws:SecureTransport":"true"}}`)
	shouted := allow("kms:*", "*", `{"StringEquals":{"KMS:VIASERVICE":"x"}}`)
	custom := do[iamapi.GetContextKeysForCustomPolicyResponse](root, &iamapi.GetContextKeysForCustomPolicyRequest{PolicyInputList: []string{document, allowAll, shouted}}).ContextKeyNames
	if want := []string{"aws:PrincipalTag/Key", "aws:SecureTransport", "kms:ViaService"}; !slices.Equal(custom, want) {
		t.Errorf("got %v, want %v", custom, want)
	}
	root.putUserPolicy("bob", "p", allow("*", "*", `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`))
	source := root.arn("user/bob")
	of := do[iamapi.GetContextKeysForPrincipalPolicyResponse](root, &iamapi.GetContextKeysForPrincipalPolicyRequest{PolicySourceArn: &source, PolicyInputList: []string{document}}).ContextKeyNames
	if want := []string{"aws:PrincipalTag/Key", "aws:SecureTransport", "aws:SourceIp", "kms:ViaService"}; !slices.Equal(of, want) {
		t.Errorf("got %v, want %v", of, want)
	}
}

func TestSimulationErrors(t *testing.T) {
	w := newWorld(t)
	root := w.root(account)
	root.furnish()
	bob, nobody := new(root.arn("user/bob")), new(root.arn("user/nobody"))
	actions, policies := []string{"kms:Decrypt"}, []string{allowAll}
	vague := func(arn string) string {
		return "Invalid Entity Arn: " + arn + " does not clearly define entity type or name."
	}
	for _, tt := range []refusal{
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: []string{"Decrypt"}, PolicyInputList: policies}, "InvalidInput", "Invalid Entity Action: Decrypt"},
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: []string{"kms:*"}, PolicyInputList: policies}, "InvalidInput", "Invalid Entity Action: kms:*"},
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: actions, PolicyInputList: []string{"{}"}}, "InvalidInput", "Syntax errors in policy. (there is no Statement)"},
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: actions, PolicyInputList: policies, ResourcePolicy: new(keyPolicy("*"))}, "InvalidInput", "CallerArn is required with ResourcePolicy."},
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: actions, PolicyInputList: policies, PermissionsBoundaryPolicyInputList: []string{allowAll, allowAll}}, "InvalidInput", "There can be one permissions boundary policy."},
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: actions, PolicyInputList: policies, CallerArn: new("everybody")}, "InvalidInput", "CallerArn everybody is not that of a user, a role or a root user."},
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: actions, PolicyInputList: policies, ContextEntries: []iamapi.ContextEntry{entry("aws:x", "string", "a", "b")}}, "InvalidInput", "The context key aws:x of type string needs one value."},
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: actions, PolicyInputList: policies, ContextEntries: []iamapi.ContextEntry{{ContextKeyName: new("aws:x")}}}, "InvalidInput", "A context entry needs a name and a type."},
		{&iamapi.SimulateCustomPolicyRequest{ActionNames: actions, PolicyInputList: policies, Marker: new("x")}, "ValidationError", "Invalid Marker."},
		{&iamapi.SimulatePrincipalPolicyRequest{ActionNames: actions, PolicySourceArn: nobody}, "NoSuchEntity", "The user with name nobody cannot be found."},
		{&iamapi.SimulatePrincipalPolicyRequest{ActionNames: actions, PolicySourceArn: new(root.arn("policy/p"))}, "InvalidInput", vague(root.arn("policy/p"))},
		{&iamapi.SimulatePrincipalPolicyRequest{ActionNames: actions, PolicySourceArn: bob, PolicyInputList: []string{"{}"}}, "InvalidInput", "Syntax errors in policy. (there is no Statement)"},
		{&iamapi.SimulatePrincipalPolicyRequest{ActionNames: actions, PolicySourceArn: new("arn:aws:iam::" + other + ":user/x")}, "AccessDenied",
			"User: " + root.arn("root") + " is not authorized to perform: iam:SimulatePrincipalPolicy on resource: arn:aws:iam::" + other + ":user/x because no resource-based policy allows the iam:SimulatePrincipalPolicy action"},
		{&iamapi.GetContextKeysForPrincipalPolicyRequest{PolicySourceArn: nobody}, "NoSuchEntity", "The user with name nobody cannot be found."},
		{&iamapi.GetContextKeysForPrincipalPolicyRequest{PolicySourceArn: new(root.arn("root/x"))}, "InvalidInput", vague(root.arn("root/x"))},
		{&iamapi.GetContextKeysForCustomPolicyRequest{PolicyInputList: []string{"["}}, "InvalidInput", ""},
	} {
		if tt.message == "" {
			root.refusedAs(tt.in, tt.code)
		} else {
			root.refused(tt.in, tt.code, tt.message)
		}
	}
	for _, operation := range []string{"SimulateCustomPolicy", "SimulatePrincipalPolicy", "GetContextKeysForCustomPolicy", "GetContextKeysForPrincipalPolicy"} {
		for _, code := range modeled(t, operation) {
			if !w.seen[operation+" "+code] && code != "PolicyEvaluation" {
				t.Errorf("%s never answered %s", operation, code)
			}
		}
	}
}
