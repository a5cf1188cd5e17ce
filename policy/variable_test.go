package policy

import (
	"slices"
	"strings"
	"testing"
)

// Policy variables in conditions: authorization.md §8.6.
func TestVariablesInConditions(t *testing.T) {
	context := func(request string) keys {
		return keys{
			"test:key": One(request), "aws:username": One("alice"), "aws:principaltag/team": One("a*"),
			"aws:principalarn": One("arn:aws:iam::111122223333:user/alice"), "aws:tagkeys": Many([]string{"alice"}), "test:empty": One(""),
		}
	}
	for _, tc := range []struct {
		rule, operator, value, request string
		want                           bool
	}{
		{"a value", "StringEquals", "${aws:username}", "alice", true},
		{"a value, not another", "StringEquals", "${aws:username}", "bob", false},
		{"names do not look at case", "StringEquals", "${AWS:UserName}", "alice", true},
		{"blanks around a name", "StringEquals", "${ aws:username }", "alice", true},
		{"text around it", "StringEquals", "home/${aws:username}/x", "home/alice/x", true},
		{"two of them", "StringEquals", "${aws:username}${aws:username}", "alicealice", true},
		{"case folds", "StringEqualsIgnoreCase", "X${aws:username}", "xALICE", true},
		{"case folds, another value", "StringEqualsIgnoreCase", "X${aws:username}", "xBOB", false},
		{"wildcards beside it", "StringLike", "*/${aws:username}/?", "home/alice/x", true},
		{"wildcards in a value are plain", "StringLike", "${aws:PrincipalTag/team}", "ab", false},
		{"wildcards in a value are plain", "StringLike", "${aws:PrincipalTag/team}", "a*", true},
		{"an empty value is a value", "StringEquals", "${test:empty}", "", true},
		{"no value: positive", "StringEquals", "${aws:nothing}", "", false},
		{"no value: positive, fold", "StringEqualsIgnoreCase", "${aws:nothing}", "", false},
		{"no value: negated", "StringNotEquals", "${aws:nothing}", "alice", true},
		{"no value: like", "StringLike", "*${aws:nothing}", "alice", false},
		{"no value: not like", "StringNotLike", "*${aws:nothing}", "alice", true},
		{"many values are no value", "StringEquals", "${aws:TagKeys}", "alice", false},
		{"many values: the default", "StringEquals", "${aws:TagKeys, 'x'}", "x", true},
		{"default", "StringEquals", "${aws:nothing, 'none'}", "none", true},
		{"default, no blank", "StringEquals", "${aws:nothing,'none'}", "none", true},
		{"default, blanks and braces", "StringEquals", "${aws:nothing , 'a } b' }", "a } b", true},
		{"default, empty", "StringEquals", "${aws:nothing, ''}", "", true},
		{"default does not count if there is a value", "StringEquals", "${aws:username, 'none'}", "none", false},
		{"wildcards in a default are plain", "StringLike", "${aws:nothing, 'a*'}", "ab", false},
		{"a star", "StringLike", "a${*}", "a*", true},
		{"a star, not a wildcard", "StringLike", "a${*}", "ab", false},
		{"a question mark", "StringLike", "a${?}", "ab", false},
		{"a dollar sign", "StringEquals", "${$}{aws:username}", "${aws:username}", true},
		{"a lone dollar sign", "StringEquals", "$5", "$5", true},
		{"ARN part", "ArnEquals", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::111122223333:user/alice", true},
		{"ARN part, another", "ArnEquals", "arn:aws:iam::*:user/${aws:username}", "arn:aws:iam::111122223333:user/bob", false},
		{"ARN whole", "ArnEquals", "${aws:PrincipalArn}", "arn:aws:iam::111122223333:user/alice", true},
		{"ARN whole, another", "ArnEquals", "${aws:PrincipalArn}", "arn:aws:iam::111122223333:user/bob", false},
		{"ARN, negated, no value", "ArnNotEquals", "${aws:nothing}", "arn:aws:iam::111122223333:user/bob", true},
		{"ARN, default with colons", "ArnEquals", "arn:aws:iam::${aws:nothing, '1:2'}:x", "arn:aws:iam::1:2:x", false},
	} {
		got := holds(t, tc.operator, "test:Key", `"`+tc.value+`"`, context(tc.request))
		if got != tc.want {
			t.Errorf("%s: %s of %s on %q: %v, want %v", tc.rule, tc.operator, tc.value, tc.request, got, tc.want)
		}
	}
	if holds(t, "StringEquals", "test:Key", `"${aws:username}"`, nil) {
		t.Error("a variable has a value without a context")
	}
}

func TestVariablesInResources(t *testing.T) {
	context := keys{"aws:username": One("alice"), "aws:principaltag/any": One("*")}
	for _, tc := range []struct {
		rule, element, pattern, resource string
		allow, deny                      bool
	}{
		{"a value", "Resource", "arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::1:user/alice", true, true},
		{"another value", "Resource", "arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::1:user/bob", false, false},
		{"wildcards in values are plain", "Resource", "arn:aws:iam::1:user/${aws:PrincipalTag/any}", "arn:aws:iam::1:user/bob", false, false},
		{"wildcards beside it", "Resource", "arn:aws:iam:*:1:*/${aws:username}", "arn:aws:iam::1:user/x/alice", true, true},
		{"default", "Resource", "arn:aws:iam::1:user/${aws:nothing, 'bob'}", "arn:aws:iam::1:user/bob", true, true},
		{"no value matches nothing", "Resource", "arn:aws:iam::1:user/${aws:nothing}*", "arn:aws:iam::1:user/bob", false, false},
		{"not", "NotResource", "arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::1:user/bob", true, true},
		{"not, the value", "NotResource", "arn:aws:iam::1:user/${aws:username}", "arn:aws:iam::1:user/alice", false, false},
		{"not, no value: allows nothing, denies", "NotResource", "arn:aws:iam::1:user/${aws:nothing}", "arn:aws:iam::1:user/bob", false, true},
	} {
		r := &Request{Action: "iam:GetUser", Resource: tc.resource, Context: context}
		text := `,"Action":"*","` + tc.element + `":"` + tc.pattern + `"}`
		if got := allowed(mustParse(t, Identity, document(`{"Effect":"Allow"`+text)), r); got != tc.allow {
			t.Errorf("%s: allowed: %v, want %v", tc.rule, got, tc.allow)
		}
		result := mustParse(t, Identity, document(`{"Effect":"Deny"`+text)).Evaluate(r)
		if _, got := result.Denied(); got != tc.deny {
			t.Errorf("%s: denied: %v, want %v", tc.rule, got, tc.deny)
		}
	}
}

// The older version of the language has no variables, and is what documents have that name none.
func TestOldVersionHasNoVariables(t *testing.T) {
	for _, version := range []string{`"Version":"2008-10-17",`, ``} {
		text := `{` + version + `"Statement":{"Effect":"Allow","Action":"*","Resource":"arn:aws:iam::1:user/${aws:username}",
			"Condition":{"StringLike":{"test:a":"${*}"},"ArnEquals":{"test:b":"arn:aws:iam::1:${aws:username}"},"StringEquals":{"test:c":"${"}}}}`
		p := mustParse(t, Identity, text)
		context := keys{
			"aws:username": One("alice"), "test:a": One("${anything}"), "test:b": One("arn:aws:iam::1:${aws:username}"), "test:c": One("${"),
		}
		r := &Request{Action: "iam:GetUser", Resource: "arn:aws:iam::1:user/${aws:username}", Context: context}
		if !allowed(p, r) {
			t.Errorf("%s: variables are not plain text: %+v", version, p.Trace(r))
		}
		r.Resource = "arn:aws:iam::1:user/alice"
		if allowed(p, r) {
			t.Errorf("%s: a variable is replaced", version)
		}
		if got := p.Keys(); !slices.Equal(got, []string{"test:a", "test:b", "test:c"}) {
			t.Errorf("%s: keys are %v", version, got)
		}
	}
}

func TestKeysAreThoseOfConditionsAndVariables(t *testing.T) {
	p := mustParse(t, Identity, document(`{"Effect":"Allow","Action":"*","Resource":["*","arn:aws:iam::1:user/${aws:UserName}"],
		"Condition":{"Null":{"aws:TokenIssueTime":"true"},"StringEquals":{"kms:ViaService":["${test:A, 'x'}","y"],"KMS:VIASERVICE":"z"},
		"ArnLike":{"aws:PrincipalArn":["${test:B}","arn:aws:iam::1:${test:C}"]}}}`))
	got := strings.Join(p.Keys(), " ")
	if want := "aws:principalarn aws:tokenissuetime aws:username kms:viaservice test:a test:b test:c"; got != want {
		t.Errorf("keys are %s, want %s", got, want)
	}
	var written []string
	p.EachKey(func(key string) { written = append(written, key) })
	slices.Sort(written)
	got = strings.Join(slices.Compact(written), " ")
	if want := "KMS:VIASERVICE aws:PrincipalArn aws:TokenIssueTime aws:UserName kms:ViaService test:A test:B test:C"; got != want {
		t.Errorf("keys are written %s, want %s", got, want)
	}
}
