package oracle_test

import (
	"slices"
	"strings"

	"github.com/trent-kms/trent/policy"
)

// condition adds one condition to a statement, unless it has one with the same operator and key already.
func (g *generator) condition(st *statement, kind policy.Kind, version string) {
	o := pick(g, operators()...)
	c := condition{Operator: o.name}
	if o.family != presence {
		if g.chance(25) {
			c.Operator += "IfExists"
		}
		c.Operator = pick(g, "", "", "ForAllValues:", "ForAnyValue:") + c.Operator
	}
	all := strings.HasPrefix(c.Operator, "ForAllValues:")
	c.Key = g.key(o.family, strings.Contains(c.Operator, ":"))
	lower := strings.ToLower(c.Key)
	if kind == policy.Key && all && (strings.HasPrefix(lower, "kms:encryptioncontext:") || strings.HasPrefix(lower, "aws:requesttag/")) {
		return // KMS refuses these
	}
	if slices.ContainsFunc(st.Conditions, func(d condition) bool { return d.Operator == c.Operator && strings.EqualFold(d.Key, c.Key) }) {
		return
	}
	for range pick(g, 1, 1, 1, 2, 3) {
		if v := g.value(o, c.Key, version); !slices.Contains(c.Values, v) {
			c.Values = append(c.Values, v)
		}
	}
	st.Conditions = append(st.Conditions, c)
}

// key draws a key whose values suit a family, now and then one that does not.
func (g *generator) key(f family, set bool) string {
	key := ""
	switch {
	case f == presence || g.chance(1):
		key = pick(g, slices.Concat(keysOf(text), keysOf(arnText), keysOf(truth), keysOf(address))...)
	case set && g.chance(40) && g.suits("aws:TagKeys", f):
		key = "aws:TagKeys"
	default:
		key = pick(g, keysOf(f)...)
		for range 2 { // rather one that the request has
			if !g.suits(key, f) {
				key = pick(g, keysOf(f)...)
			}
		}
	}
	if g.chance(5) && !strings.Contains(key, "EncryptionContext:") {
		return strings.ToUpper(key[:4]) + strings.ToLower(key[4:])
	}
	return key
}

// suits says whether the request has a key with a value of a family.
func (g *generator) suits(key string, f family) bool {
	v, ok := g.facts[key]
	return ok && (v.Multi && len(v.Many) > 0 && typed(f, v.Many[0]) || !v.Multi && typed(f, v.One))
}

// value draws a value for a policy: the request's own, something near it, any other, or a policy variable.
func (g *generator) value(o operator, key, version string) string {
	if (o.family == text || o.family == arnText) && g.chance(12) {
		return g.variable(o.family)
	}
	v, ok := lookup(g.facts, key)
	if !ok || o.family == presence || g.chance(40) {
		return pick(g, alphabet(o.family)...)
	}
	actual := v.One
	if v.Multi {
		actual = pick(g, v.Many...)
	}
	if !typed(o.family, actual) {
		return pick(g, alphabet(o.family)...)
	}
	return g.near(o, actual)
}

// near returns a value, or a pattern that matches it.
func (g *generator) near(o operator, actual string) string {
	switch {
	case strings.HasSuffix(o.name, "IgnoreCase") && g.chance(60):
		return strings.ToUpper(actual)
	case strings.HasSuffix(o.name, "Like") && o.family == text && g.chance(60):
		n := g.IntN(len(actual))
		return pick(g, actual[:n]+"*", "*"+actual[n:], actual[:n]+"?"+actual[n+1:], actual+"*", actual[:n]+"*"+actual[n:])
	case o.family == arnText && g.chance(50):
		parts := strings.SplitN(actual, ":", 6)
		i := g.IntN(len(parts))
		if i == 0 {
			return actual
		}
		parts[i] = pick(g, "*", parts[i]+"*", "*"+parts[i])
		return strings.Join(parts, ":")
	}
	return actual
}

// variable draws a text with a policy variable.
func (g *generator) variable(f family) string {
	name := pick(g, "aws:PrincipalTag/team", "aws:RequestTag/team", "aws:ResourceTag/team", "aws:username", "aws:PrincipalAccount", "aws:UserAgent", "kms:EncryptionContext:tenant", "aws:TagKeys", "aws:SourceIdentity")
	if g.chance(60) && len(g.names) > 0 { // rather one that the request has
		for range 3 {
			if _, ok := g.facts[name]; !ok {
				name = pick(g, "aws:PrincipalTag/team", "aws:RequestTag/team", "aws:ResourceTag/team", "aws:PrincipalAccount", "aws:UserAgent", "aws:RequestedRegion")
			}
		}
	}
	v := "${" + name + "}"
	if g.chance(35) {
		v = "${" + name + ", '" + pick(g, "red", "blue", ours) + "'}"
	}
	if f == text {
		return pick(g, v, v, v, v+"*", "*"+v, "r${*}", "${?}ed", "re${$}", v+"${*}")
	}
	return pick(g, "arn:aws:iam::${aws:PrincipalAccount}:role/R", "arn:aws:iam::"+ours+":user/"+v, "arn:aws:iam::*:*/"+v, "${aws:PrincipalArn}", "arn:aws:iam::${aws:SourceAccount}:role/*", "arn:aws:s3:::"+v)
}
