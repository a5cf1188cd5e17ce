package iam

import (
	"slices"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/caller"
	"github.com/trent-kms/trent/policy"
)

// maxSessionTags is how many tags a session has at most, inherited ones included.
const maxSessionTags = 50

// sessionTagging is the tags of a session to be.
type sessionTagging struct {
	passed           []Tag
	passedTransitive []string
	all              []Tag    // those inherited, and those passed
	transitive       []string // keys of those that sessions assumed from this one inherit
}

// inherit checks the tags that are passed to a session, and adds those that it inherits from the caller's (IAM User Guide,
// "Pass session tags in AWS STS"). from is nil for a caller without a session.
func inherit(from *caller.Session, passed []stsapi.Tag, transitive []string) (sessionTagging, error) {
	t := sessionTagging{passedTransitive: transitive}
	if from != nil {
		t.all, t.transitive = inherited(from), slices.Clone(from.Transitive)
	}
	for _, p := range passed {
		tag := Tag{*p.Key, *p.Value}
		switch {
		case strings.HasPrefix(policy.Fold(tag.Key), "aws:"):
			return t, api.ValidationException("Tag keys may not begin with aws:.")
		case hasTag(t.passed, tag.Key):
			return t, api.ValidationException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		case hasTag(t.all, tag.Key):
			return t, api.ValidationException("One of the specified transitive tag keys can't be set because it conflicts with a " +
				"transitive tag key from the calling session.")
		}
		t.passed = append(t.passed, tag)
	}
	t.all = append(t.all, t.passed...)
	if len(t.all) > maxSessionTags {
		return t, api.ValidationException("A session has at most %d tags.", maxSessionTags)
	}
	for _, key := range transitive {
		if !hasTag(t.passed, key) {
			return t, api.ValidationException("The specified transitive tag key must be included in the requested tags.")
		}
		if !slices.ContainsFunc(t.transitive, func(k string) bool { return strings.EqualFold(k, key) }) {
			t.transitive = append(t.transitive, key)
		}
	}
	return t, nil
}

// inherited are the transitive tags of a session.
func inherited(from *caller.Session) []Tag {
	var tags []Tag
	for _, t := range from.Tags {
		if slices.ContainsFunc(from.Transitive, func(k string) bool { return strings.EqualFold(k, t.Key) }) {
			tags = append(tags, Tag(t))
		}
	}
	return tags
}

func hasTag(tags []Tag, key string) bool {
	return slices.ContainsFunc(tags, func(t Tag) bool { return strings.EqualFold(t.Key, key) })
}
