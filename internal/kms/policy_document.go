package kms

import (
	"bytes"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/caller"
)

// policyError is what the caller is told of a key policy that is refused.
type policyError string

// Error returns the text.
func (e policyError) Error() string { return string(e) }

// AWS publishes only the second text.
const (
	errPolicySyntax    policyError = "Policy document is not valid JSON or has an unknown structure."
	errPolicyPrincipal policyError = "Policy contains a statement with one or more invalid principals."
	errNoPrincipal     policyError = "Policy contains a statement without a Principal."
	errPolicyEffect    policyError = "Policy contains a statement whose Effect is neither Allow nor Deny."
	errPolicyVersion   policyError = "Policy has an unknown Version."
)

// document is a key policy as far as it is looked at today: well formed, and not a lock-out. Nothing is enforced yet.
type document struct {
	Version   string          `json:"Version"`
	ID        string          `json:"Id"`
	Statement list[statement] `json:"Statement"`
}

type statement struct {
	Sid          string                                     `json:"Sid"`
	Effect       string                                     `json:"Effect"`
	Principal    *principals                                `json:"Principal"`
	NotPrincipal *principals                                `json:"NotPrincipal"`
	Action       list[string]                               `json:"Action"`
	NotAction    list[string]                               `json:"NotAction"`
	Resource     list[string]                               `json:"Resource"`
	NotResource  list[string]                               `json:"NotResource"`
	Condition    map[string]map[string]list[jsontext.Value] `json:"Condition"`
}

// list is one value or an array of them, as policies write them.
type list[T any] []T

// UnmarshalJSON reads either form.
func (l *list[T]) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte("[")) {
		return json.Unmarshal(b, (*[]T)(l), json.RejectUnknownMembers(true))
	}
	var one T
	if err := json.Unmarshal(b, &one, json.RejectUnknownMembers(true)); err != nil {
		return err
	}
	*l = list[T]{one}
	return nil
}

// principals is a Principal element: "*", or lists by kind.
type principals map[string]list[string]

// UnmarshalJSON reads either form; "*" becomes AWS: *.
func (p *principals) UnmarshalJSON(b []byte) error {
	if bytes.HasPrefix(b, []byte(`"`)) {
		if string(b) != `"*"` {
			return errPolicyPrincipal
		}
		*p = principals{"AWS": {"*"}}
		return nil
	}
	return json.Unmarshal(b, (*map[string]list[string])(p))
}

// parsePolicy reads a key policy (IAM User Guide, "Grammar of the IAM JSON policy language").
func parsePolicy(text string) (*document, error) {
	var d document
	if err := json.Unmarshal([]byte(text), &d, json.RejectUnknownMembers(true)); err != nil || len(d.Statement) == 0 {
		return nil, errPolicySyntax
	}
	if d.Version != "" && d.Version != "2012-10-17" && d.Version != "2008-10-17" {
		return nil, errPolicyVersion
	}
	for i := range d.Statement {
		if err := d.Statement[i].check(); err != nil {
			return nil, err
		}
	}
	return &d, nil
}

func (s *statement) check() error {
	switch {
	case s.Effect != "Allow" && s.Effect != "Deny":
		return errPolicyEffect
	case s.Principal == nil && s.NotPrincipal == nil:
		return errNoPrincipal
	case s.Principal != nil && s.NotPrincipal != nil,
		s.Action != nil && s.NotAction != nil, s.Resource != nil && s.NotResource != nil, !s.hasPlainConditions():
		return errPolicySyntax
	}
	for _, p := range []*principals{s.Principal, s.NotPrincipal} {
		if p != nil && !p.valid() {
			return errPolicyPrincipal
		}
	}
	return nil
}

// hasPlainConditions says whether all condition values are strings, numbers or booleans.
func (s *statement) hasPlainConditions() bool {
	for _, keys := range s.Condition {
		for _, values := range keys {
			if slices.ContainsFunc(values, func(v jsontext.Value) bool { return strings.ContainsRune("{[n", rune(v[0])) }) {
				return false
			}
		}
	}
	return true
}

func (p principals) valid() bool {
	if len(p) == 0 {
		return false
	}
	for kind, names := range p {
		for _, n := range names {
			if !validPrincipal(kind, n) {
				return false
			}
		}
		if len(names) == 0 {
			return false
		}
	}
	return true
}

func validPrincipal(kind, name string) bool {
	switch kind {
	case "AWS":
		return name == "*" || arn.IsAccount(name) || validPrincipalARN(name)
	case "Service":
		return name == "*" || isServicePrincipal(name)
	case "Federated", "CanonicalUser":
		return name != ""
	}
	return false
}

// isServicePrincipal says whether s has the form of a service's name: s3.amazonaws.com, logs.eu-west-1.amazonaws.com.
func isServicePrincipal(s string) bool {
	name, ok := strings.CutSuffix(strings.TrimSuffix(s, ".cn"), ".amazonaws.com")
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return ok && name != ""
}

func validPrincipalARN(s string) bool {
	a, err := arn.Parse(s)
	if err != nil || a.Region != "" || !arn.IsAccount(a.Account) || strings.ContainsAny(a.Resource, "*?") {
		return false
	}
	kind, name, _ := strings.Cut(a.Resource, "/")
	switch {
	case a.Service == "iam" && a.Resource == "root":
		return true
	case a.Service == "iam" && (kind == "user" || kind == "role"):
		return name != ""
	case a.Service == "sts" && (kind == "assumed-role" || kind == "federated-user"):
		return name != ""
	}
	return false
}

// letsChange says whether the caller could replace the key's policy again: some statement allows kms:PutKeyPolicy on the
// key to the caller or to its account, and none denies it. Conditions count against the caller: one that allows under a
// condition is not relied upon, one that denies under a condition is.
func (d *document) letsChange(c caller.Caller, keyARN string) bool {
	allowed := false
	for i := range d.Statement {
		s := &d.Statement[i]
		if !s.names(c) || !s.covers("kms:PutKeyPolicy") || !s.isAbout(keyARN) {
			continue
		}
		if s.Effect == "Deny" {
			return false
		}
		if len(s.Condition) == 0 {
			allowed = true
		}
	}
	return allowed
}

func (s *statement) names(c caller.Caller) bool {
	if s.NotPrincipal != nil {
		return !s.NotPrincipal.include(c)
	}
	return s.Principal.include(c)
}

func (p principals) include(c caller.Caller) bool {
	for _, n := range p["AWS"] {
		if n == "*" || n == c.Account || n == c.ARN || strings.HasSuffix(n, ":iam::"+c.Account+":root") {
			return true
		}
	}
	return false
}

func (s *statement) covers(action string) bool {
	if s.NotAction != nil {
		return !anyMatches(s.NotAction, action)
	}
	return anyMatches(s.Action, action)
}

// isAbout says whether the statement is about a resource. One without Resource and NotResource is about none.
func (s *statement) isAbout(resource string) bool {
	match := func(pattern string) bool { return matches(pattern, resource) }
	if s.NotResource != nil {
		return !slices.ContainsFunc(s.NotResource, match)
	}
	return slices.ContainsFunc(s.Resource, match)
}

// anyMatches compares without regard to case, as IAM does with actions.
func anyMatches(patterns []string, action string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(strings.ToLower(p), strings.ToLower(action)) })
}

// matches matches * and ? in linear space and time bounded by the product of the lengths.
func matches(pattern, s string) bool {
	star, mark, p, i := -1, 0, 0, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], "*") == ""
}
