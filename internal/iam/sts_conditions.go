package iam

import (
	"strconv"
	"strings"

	"github.com/trent-kms/trent/policy"
)

// stsConditions are the condition keys of requests for temporary credentials (Service Authorization Reference, "AWS
// Security Token Service"). It implements policy.Context.
type stsConditions struct {
	role            []Tag // aws:ResourceTag, iam:ResourceTag
	tags            []Tag // aws:RequestTag, aws:TagKeys: those passed, not those inherited
	transitive      []string
	externalID      string
	roleSessionName string
	sourceIdentity  string
	seconds         int32 // 0: not in the request
	// claims are those of a web identity's token, by condition key.
	claims map[string]policy.Values
}

// Lookup implements policy.Context.
func (c *stsConditions) Lookup(key string) (policy.Values, bool) {
	switch key {
	case "sts:externalid":
		return policy.One(c.externalID), c.externalID != ""
	case "sts:rolesessionname":
		return policy.One(c.roleSessionName), c.roleSessionName != ""
	case "sts:sourceidentity":
		return policy.One(c.sourceIdentity), c.sourceIdentity != ""
	case "sts:durationseconds":
		return policy.One(strconv.Itoa(int(c.seconds))), c.seconds != 0
	case "sts:transitivetagkeys":
		return policy.Many(c.transitive), len(c.transitive) > 0
	case "aws:tagkeys":
		return c.tagKeys()
	}
	if prefix, name, ok := strings.Cut(key, "/"); ok {
		switch prefix {
		case "aws:resourcetag", "iam:resourcetag":
			return tagValue(c.role, name)
		case "aws:requesttag":
			return tagValue(c.tags, name)
		}
	}
	v, ok := c.claims[key]
	return v, ok
}

func (c *stsConditions) tagKeys() (policy.Values, bool) {
	var keys []string
	for _, t := range c.tags {
		keys = append(keys, t.Key)
	}
	return policy.Many(keys), len(keys) > 0
}

// tagValue is the value of a tag, whose key's case does not matter.
func tagValue(tags []Tag, key string) (policy.Values, bool) {
	return policy.TagValue(tags, key, func(t *Tag) (key, value string) { return t.Key, t.Value })
}
