package oracle_test

import (
	"strings"

	"github.com/trent-kms/trent/internal/caller"
)

// The alphabets are small, so that what is drawn twice is often the same.
const (
	ours   = "111122223333" // the caller's account
	theirs = "444455556666"
	keyID  = "1234abcd-12ab-34cd-56ef-1234567890ab"
	role   = "arn:aws:iam::" + ours + ":role/R"
	deep   = "arn:aws:iam::" + ours + ":role/ops/Q" // a role with a path
	bob    = "arn:aws:iam::" + ours + ":user/bob"
	ann    = "arn:aws:iam::" + ours + ":user/eng/ann"
	bucket = "arn:aws:s3:::reports"
)

func root(account string) string { return "arn:aws:iam::" + account + ":root" }

func keyOf(account string) string { return "arn:aws:kms:us-east-1:" + account + ":key/" + keyID }

// operation is something to ask for.
type operation struct {
	action string
	kind   string // key, alias, or "" for operations without a resource
	local  bool   // not on another account's keys
	// keys are condition keys of the operation that the oracle knows, besides the global ones.
	keys []string
}

func operations() []operation {
	context := []string{"kms:EncryptionContext:tenant", "kms:EncryptionContext:level", "kms:EncryptionContextKeys", "kms:EncryptionAlgorithm", "kms:RequestAlias"}
	return []operation{
		{"kms:Encrypt", "key", false, context},
		{"kms:Decrypt", "key", false, context},
		{"kms:GenerateDataKey", "key", false, context},
		{"kms:ReEncryptFrom", "key", false, []string{"kms:EncryptionContext:tenant", "kms:EncryptionContextKeys", "kms:ReEncryptOnSameKey"}},
		{"kms:DescribeKey", "key", false, []string{"kms:RequestAlias"}},
		{"kms:CreateGrant", "key", false, []string{"kms:EncryptionContext:tenant", "kms:GrantOperations", "kms:GranteePrincipal", "kms:GrantIsForAWSResource", "kms:GrantConstraintType"}},
		{"kms:RetireGrant", "key", false, nil},
		{"kms:PutKeyPolicy", "key", true, []string{"kms:BypassPolicyLockoutSafetyCheck"}},
		{"kms:TagResource", "key", true, nil},
		{"kms:ScheduleKeyDeletion", "key", true, []string{"kms:ScheduleKeyDeletionPendingWindowInDays"}},
		{"kms:CreateAlias", "alias", true, nil},
		{"kms:CreateKey", "", true, nil},
		{"kms:ListKeys", "", true, nil},
	}
}

// family is the type of values that a condition operator compares.
type family int

const (
	text family = iota
	arnText
	number
	date
	truth
	binary
	address
	presence
)

// operator is a condition operator without prefix and suffix.
type operator struct {
	name   string
	family family
}

func (o operator) negated() bool { return strings.Contains(o.name, "Not") }

func operators() []operator {
	return []operator{
		{"StringEquals", text}, {"StringNotEquals", text}, {"StringEqualsIgnoreCase", text},
		{"StringNotEqualsIgnoreCase", text}, {"StringLike", text}, {"StringNotLike", text},
		{"ArnEquals", arnText}, {"ArnLike", arnText}, {"ArnNotEquals", arnText}, {"ArnNotLike", arnText},
		{"NumericEquals", number}, {"NumericNotEquals", number}, {"NumericLessThan", number},
		{"NumericLessThanEquals", number}, {"NumericGreaterThan", number}, {"NumericGreaterThanEquals", number},
		{"DateEquals", date}, {"DateNotEquals", date}, {"DateLessThan", date},
		{"DateLessThanEquals", date}, {"DateGreaterThan", date}, {"DateGreaterThanEquals", date},
		{"Bool", truth}, {"BinaryEquals", binary}, {"IpAddress", address}, {"NotIpAddress", address}, {"Null", presence},
	}
}

// parseOperator takes a written operator apart.
func parseOperator(name string) (quantifier string, o operator, ifExists bool) {
	if q, rest, ok := strings.Cut(name, ":"); ok {
		quantifier, name = q, rest
	}
	name, ifExists = strings.CutSuffix(name, "IfExists")
	for _, o := range operators() {
		if o.name == name {
			return quantifier, o, ifExists
		}
	}
	panic("oracle: no operator " + name)
}

// keysOf are the condition keys whose values are of a family, by name alone.
func keysOf(f family) []string {
	switch f {
	case text:
		return []string{
			"aws:PrincipalTag/team", "aws:RequestTag/team", "aws:ResourceTag/team", "kms:EncryptionContext:tenant", "aws:username",
			"aws:userid", "kms:ViaService", "kms:CallerAccount", "aws:PrincipalType", "aws:PrincipalAccount", "aws:ResourceAccount",
			"aws:RequestedRegion", "aws:UserAgent", "aws:referer", "aws:SourceVpce", "aws:SourceVpc", "aws:SourceIdentity",
			"aws:PrincipalOrgID", "aws:ResourceOrgID", "aws:SourceOrgID", "aws:SourceOrgPaths",
			"aws:PrincipalServiceName", "aws:SourceAccount", "aws:FederatedProvider",
			"aws:TagKeys", "aws:PrincipalOrgPaths", "aws:ResourceOrgPaths", "aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast",
			"aws:PrincipalServiceNamesList", "kms:EncryptionContextKeys", "kms:ResourceAliases", "kms:KeySpec", "kms:RequestAlias",
			"kms:GrantOperations", "kms:GrantConstraintType", "kms:EncryptionAlgorithm",
		}
	case arnText:
		return []string{"aws:PrincipalArn", "aws:SourceArn", "aws:RequestTag/arn", "aws:TagKeys", "kms:GranteePrincipal"}
	case number:
		return []string{"aws:MultiFactorAuthAge", "aws:PrincipalTag/level", "aws:EpochTime", "kms:EncryptionContext:level", "aws:TagKeys", "kms:ScheduleKeyDeletionPendingWindowInDays"}
	case date:
		return []string{"aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime", "aws:RequestTag/until", "aws:TagKeys"}
	case truth:
		return []string{
			"aws:SecureTransport", "aws:MultiFactorAuthPresent", "aws:ViaAWSService", "aws:PrincipalIsAWSService", "kms:MultiRegion",
			"aws:TagKeys", "kms:GrantIsForAWSResource", "kms:BypassPolicyLockoutSafetyCheck", "kms:ReEncryptOnSameKey",
		}
	case binary:
		return []string{"aws:RequestTag/digest", "aws:TagKeys"}
	case address:
		return []string{"aws:SourceIp", "aws:VpcSourceIp", "aws:RequestTag/address", "aws:TagKeys"}
	}
	return nil
}

// alphabet are values of a family as policies have them.
func alphabet(f family) []string {
	switch f {
	case text:
		return []string{"red", "blue", "Red", "r*", "?ed", "*", "team", "tenant", "e*", "user*", "*a*", "us-east-1", "us-*", ours, theirs, "s3.amazonaws.com", "alias/app*"}
	case arnText:
		return []string{
			role, deep, bob, bucket, "arn:aws:iam::*:role/*", "arn:*:iam::" + ours + ":*", "arn:aws:s3:::*", "arn:aws:iam::111122223???:user/b?b",
			"*", "arn:aws:iam::" + theirs + ":user/eve",
		}
	case number:
		return []string{"0", "5", "10", "10.0", "10.5", "-3", "3600", "99999999999"}
	case date:
		return []string{"2026-03-01T12:00:00Z", "2026-03-01T13:00:00+01:00", "2026-03-01T11:59:59Z", "2026-03-01", "2026-03", "2026-03-01T12:00Z", "2030-01-01T00:00:00Z", "1772366400", "1700000000", "1772366401"}
	case truth:
		return []string{"true", "false", "TRUE"}
	case binary:
		return []string{"AAEC", "cmVk", "QQ==", "Yg=="}
	case address:
		return []string{"10.0.0.0/8", "10.1.2.3", "10.1.2.3/32", "203.0.113.0/24", "0.0.0.0/0", "2001:db8::/32", "2001:db8::7", "2001:db8::7/128", "2001:0db8::0007", "::/0"}
	}
	return []string{"true", "false"}
}

// given are values of a family as requests have them.
func given(f family) []string {
	switch f {
	case text:
		return []string{"red", "blue", "Red", "team", "tenant", "Engineering"}
	case arnText:
		return []string{role, deep, bob, bucket, "arn:aws:iam::" + theirs + ":user/eve"}
	case number:
		return []string{"0", "5", "10", "10.5", "-3", "3600"}
	case date:
		return []string{"2026-03-01T12:00:00Z", "2026-03-01", "2026-03", "1772366400", "1700000000"}
	case truth:
		return []string{"true", "false"}
	case binary:
		return []string{"AAEC", "cmVk", "QQ=="}
	}
	return []string{"10.1.2.3", "203.0.113.7", "2001:db8::7", "2001:db8:1::9"}
}

// strangers are principals that are never the caller, and those that now and then are.
func strangers() []string {
	return []string{
		ours, theirs, root(ours), root(theirs), role, deep, bob, ann, "arn:aws:iam::" + ours + ":role/Q", "arn:aws:iam::" + theirs + ":user/eve",
		"arn:aws:sts::" + ours + ":assumed-role/R/S", "arn:aws:sts::" + ours + ":assumed-role/R/other", "arn:aws:sts::" + ours + ":federated-user/bob",
	}
}

// namesOf are the names that policies can give a caller, from the account to itself.
func namesOf(c *caller.Caller) []string {
	if c.Type == caller.Service {
		return nil
	}
	names := []string{root(c.Account), c.Account}
	if c.Type != caller.Root {
		names = append(names, c.ARN)
	}
	if c.Type == caller.Role || c.Type == caller.Federated && c.Source != root(c.Account) {
		names = append(names, c.Source)
	}
	return names
}
