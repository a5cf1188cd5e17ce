package iam

import (
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/policy"
)

// conditions are the condition keys of IAM's own operations (Service Authorization Reference, "AWS Identity and Access
// Management (IAM)"). It implements policy.Context.
type conditions struct {
	resource  []Tag        // aws:ResourceTag, iam:ResourceTag
	tags      []iamapi.Tag // aws:RequestTag
	tagKeys   []string     // aws:TagKeys of an operation that removes tags
	policyARN string       // iam:PolicyARN
	boundary  string       // iam:PermissionsBoundary
}

// Lookup implements policy.Context.
func (c *conditions) Lookup(key string) (policy.Values, bool) {
	switch key {
	case "aws:tagkeys":
		keys := c.keys()
		return policy.Many(keys), len(keys) > 0
	case "iam:policyarn":
		return policy.One(c.policyARN), c.policyARN != ""
	case "iam:permissionsboundary":
		return policy.One(c.boundary), c.boundary != ""
	}
	prefix, name, _ := strings.Cut(key, "/")
	switch prefix {
	case "aws:resourcetag", "iam:resourcetag":
		return tagValue(c.resource, name)
	case "aws:requesttag":
		return policy.TagValue(c.tags, name, func(t *iamapi.Tag) (key, value string) { return *t.Key, *t.Value })
	}
	return policy.Values{}, false
}

// keys are the keys of the tags that are added or removed.
func (c *conditions) keys() []string {
	keys := c.tagKeys
	for i := range c.tags {
		keys = append(keys[:len(keys):len(keys)], *c.tags[i].Key)
	}
	return keys
}
