package iam

import (
	"context"
	"slices"
	"strings"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// maxTags is how many tags a user, a role or a managed policy can have.
const maxTags = 50

// newTags checks the tags of a request and returns them ordered by key. Keys that differ in nothing but case are the same
// (IAM User Guide, "Tags for IAM resources").
func newTags(in []iamapi.Tag) ([]Tag, error) {
	var tags []Tag
	for _, t := range in {
		if strings.HasPrefix(policy.Fold(*t.Key), "aws:") {
			return nil, iamapi.InvalidInputException("Tag keys that begin with aws: are reserved.")
		}
		at, found := findTag(tags, *t.Key)
		if found {
			return nil, iamapi.InvalidInputException("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		tags = slices.Insert(tags, at, Tag{*t.Key, *t.Value})
	}
	return tags, nil
}

func findTag(tags []Tag, key string) (at int, found bool) {
	return slices.BinarySearchFunc(tags, key, func(t Tag, key string) int {
		return strings.Compare(policy.Fold(t.Key), policy.Fold(key))
	})
}

// tagged returns tags with those of a request added, or put in the place of those with the same keys.
func tagged(tags []Tag, in []iamapi.Tag) ([]Tag, error) {
	add, err := newTags(in)
	if err != nil {
		return nil, err
	}
	for _, t := range add {
		at, found := findTag(tags, t.Key)
		if found {
			tags[at] = t
		} else {
			tags = slices.Insert(tags, at, t)
		}
	}
	if len(tags) > maxTags {
		return nil, iamapi.LimitExceededException("Cannot exceed quota for TagsPerResource: %d", maxTags)
	}
	return tags, nil
}

// untagged returns tags without those of some keys.
func untagged(tags []Tag, keys []string) []Tag {
	return slices.DeleteFunc(tags, func(t Tag) bool {
		return slices.ContainsFunc(keys, func(key string) bool { return strings.EqualFold(key, t.Key) })
	})
}

func (s *Service) tagEntity(ctx context.Context, _ *service.Call, t *target) (err error) {
	e := t.entity.clone()
	if e.Tags, err = tagged(e.Tags, t.tags); err != nil {
		return err
	}
	return s.saveEntity(ctx, t, e)
}

func (s *Service) untagEntity(ctx context.Context, _ *service.Call, t *target) error {
	e := t.entity.clone()
	if e.Tags = untagged(e.Tags, t.tagKeys); len(e.Tags) == len(t.entity.Tags) {
		return nil
	}
	return s.saveEntity(ctx, t, e)
}

func (s *Service) tagPolicy(ctx context.Context, _ *service.Call, t *target) (err error) {
	m := t.managed.clone()
	if m.Tags, err = tagged(m.Tags, t.tags); err != nil {
		return err
	}
	return s.savePolicy(ctx, t, m)
}

func (s *Service) untagPolicy(ctx context.Context, _ *service.Call, t *target) error {
	m := t.managed.clone()
	if m.Tags = untagged(m.Tags, t.tagKeys); len(m.Tags) == len(t.managed.Tags) {
		return nil
	}
	return s.savePolicy(ctx, t, m)
}

// shownTags are tags as answers show them; none are left out.
func shownTags(tags []Tag) []iamapi.Tag {
	if len(tags) == 0 {
		return nil
	}
	shown := make([]iamapi.Tag, len(tags))
	for i := range tags {
		shown[i] = iamapi.Tag{Key: &tags[i].Key, Value: &tags[i].Value}
	}
	return shown
}

// tagPage returns a page of the target's tags.
func tagPage(c *service.Call, t *target) (page []iamapi.Tag, truncated *bool, marker *string, err error) {
	p, err := newPager(c, t.marker, t.maxItems, t.resource())
	if err != nil {
		return nil, nil, nil, err
	}
	tags := t.entity.tags()
	if t.managed.Managed != nil {
		tags = t.managed.Tags
	}
	found, truncated, marker := slicePage(p, tags, func(t *Tag) string { return policy.Fold(t.Key) })
	return append([]iamapi.Tag{}, shownTags(found)...), truncated, marker, nil
}

func (e storedEntity) tags() []Tag {
	if e.Entity == nil {
		return nil
	}
	return e.Tags
}

func (s *Service) listUserTags(_ context.Context, c *service.Call, _ *iamapi.ListUserTagsRequest, t *target) (*iamapi.ListUserTagsResponse, error) {
	tags, truncated, marker, err := tagPage(c, t)
	return &iamapi.ListUserTagsResponse{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) listRoleTags(_ context.Context, c *service.Call, _ *iamapi.ListRoleTagsRequest, t *target) (*iamapi.ListRoleTagsResponse, error) {
	tags, truncated, marker, err := tagPage(c, t)
	return &iamapi.ListRoleTagsResponse{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}

func (s *Service) listPolicyTags(_ context.Context, c *service.Call, _ *iamapi.ListPolicyTagsRequest, t *target) (*iamapi.ListPolicyTagsResponse, error) {
	tags, truncated, marker, err := tagPage(c, t)
	return &iamapi.ListPolicyTagsResponse{Tags: tags, IsTruncated: truncated, Marker: marker}, err
}
