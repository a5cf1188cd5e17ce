package oracle_test

// class is a known difference between the oracle and AWS's rules, on which Trent keeps to AWS.
//
// A class is not a guess about what a case looks like. It says the rule again in words that the oracle and Trent read in the
// same way: restate changes a scenario into one that means the same by the rule. A disagreement is explained only if Trent's
// answer stays what it was and the oracle then gives it too. What the restating does not reach stays unexplained.
type class struct {
	name string
	// rule is what decides, and source where AWS says so.
	rule, source string
	// ceiling is how many cases in a hundred it may explain, so that no class grows unnoticed.
	ceiling float64
	// restate says the same otherwise, and reports whether there was anything to say.
	restate func(s *scenario) bool
}

// classes is the list of disagreements. On each of them Trent is right by the source that is named; where AWS says nothing,
// the source says so, and Trent does what is consistent with the rest.
func classes() []class {
	return []class{
		{
			name:    "session policies and direct allows",
			rule:    "Within an account, what a key policy gives directly to a session, to a federated user or to everyone is not limited by an implicit denial of session policies. The oracle lets session policies limit always.",
			source:  "IAM User Guide, Policy evaluation for requests within a single account, Resource-based policies: IAM role session, AWS STS federated user principal",
			ceiling: 0.8, restate: directAllowsAlone,
		},
		{
			name:    "NotPrincipal with Deny",
			rule:    "The account is looked at first, then the role, then the session: who is not listed under all of its names is denied. The oracle exempts who is listed under any.",
			source:  "IAM User Guide, AWS JSON policy elements: NotPrincipal, Key points",
			ceiling: 0.3, restate: denyNotPrincipal,
		},
		{
			name:    "roles with a path",
			rule:    "A role is named by its ARN, which has its path. The oracle finds the role of a session by its name alone.",
			source:  "IAM User Guide, AWS JSON policy elements: Principal, IAM role principals; IAM identifiers, Friendly names and paths",
			ceiling: 0.1, restate: rolesWithPath,
		},
		{
			name:    "variables before version 2012-10-17",
			rule:    "A document of version 2008-10-17, or of none, has no policy variables: ${…} stands for itself. The oracle replaces them in every version.",
			source:  "IAM User Guide, IAM JSON policy elements: Version",
			ceiling: 0.4, restate: literalVariables,
		},
		{
			name:    "variables without a value under negated operators",
			rule:    "Nothing equals a variable without a value, so that negated operators hold. In the oracle they fail.",
			source:  "IAM User Guide, IAM policy elements: Variables and tags, Policy variables with no value",
			ceiling: 0.15, restate: valuelessVariables,
		},
		{
			name:    "variables without a value in NotResource",
			rule:    "Such a resource matches nothing, so that a denial excepts nothing. An allow that would so allow what it was to spare is invalid. In the oracle neither applies, except to operations without a resource.",
			source:  "IAM User Guide, IAM policy elements: Variables and tags, Policy variables with no value: the Resource or NotResource element; for the allow, the note at its beginning",
			ceiling: 0.15, restate: valuelessResources,
		},
		{
			name:    "variables that the oracle cuts at their colon",
			rule:    "A variable may stand in any part of an ARN that a condition wants, and for the whole. The oracle cuts the pattern at the colon in the variable's name.",
			source:  "IAM User Guide, IAM policy elements: Variables and tags, Where you can use policy variables: Condition element",
			ceiling: 0.1, restate: variablesInARNs,
		},
		{
			name:    "a lone * for an ARN",
			rule:    "* in an ARN operator is every ARN. The oracle says that it is no ARN, and lets neither the operator nor its negation hold.",
			source:  "not in AWS's words: an operator and its negation cannot both fail on a key that is there (IAM User Guide, Condition operators, Negated matching condition operators)",
			ceiling: 0.15, restate: loneStars,
		},
		{
			name:    "ForAnyValue with IfExists on an absent key",
			rule:    "With IfExists a condition holds if the key is absent, whatever the rest of the operator says. The oracle looks at ForAnyValue alone.",
			source:  "IAM User Guide, Condition operators, ...IfExists condition operators: any operator but Null; if the key is not present, evaluate the condition element as true",
			ceiling: 1.1, restate: anyValueIfExists,
		},
		{
			name:    "sets without members",
			rule:    "A key whose values are an empty set is null, as if it were absent. The oracle calls it present.",
			source:  "IAM User Guide, Set operators for multi-valued context keys: no keys in the request, or key values that resolve to a null data set",
			ceiling: 0.15, restate: emptySets,
		},
		{
			name:    "dates as seconds",
			rule:    "A date is a moment, in ISO 8601 or in seconds since 1970. The oracle compares seconds with milliseconds.",
			source:  "IAM User Guide, Condition operators, Date condition operators",
			ceiling: 1.3, restate: datesInOneForm,
		},
		{
			name:    "addresses without a prefix, and all of IPv4",
			rule:    "An address alone is a network of one, in whatever way it is written, and 0.0.0.0/0 has every IPv4 address. The oracle compares addresses as text, never lets NotIpAddress hold across the families, and shifts by 32 bits.",
			source:  "IAM User Guide, Condition operators, IP address condition operators",
			ceiling: 0.25, restate: plainNetworks,
		},
		{
			name:    "values of the wrong type",
			rule:    "What is no number, date, truth value, address or ARN matches nothing, so that negated operators hold on it. In the oracle both fail, and it takes the digits at the beginning of a text for a number.",
			source:  "not in AWS's words for negated operators; as for the variables without a value",
			ceiling: 0.5, restate: wrongTypes,
		},
		{
			name:    "wildcards across colons",
			rule:    "A * at the end of a part of an ARN in Resource matches beyond its colons. The oracle fills the missing parts with * at the end, and has NotResource with such a pattern never apply.",
			source:  "IAM User Guide, IAM JSON policy elements: Resource, Using wildcards in resource ARNs",
			ceiling: 1.7, restate: longWildcards,
		},
	}
}
