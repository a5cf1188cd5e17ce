package org

import (
	"context"
	"slices"
	"strings"

	"github.com/trent-kms/trent/internal/api"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/policy"
)

// creates adds what a caller must be allowed who makes something in the resource: the operation, and TagResource if the
// request brings tags.
func (t *target) creates(c *service.Call, arn string, tags []orgapi.Tag, has []tag) {
	k := withTags(tags)
	k.has = has
	t.on(c, arn, k)
	if len(tags) > 0 {
		t.also(c, "TagResource", arn, k)
	}
}

// newTags checks the tags of a request and returns them ordered by key.
func newTags(in []orgapi.Tag) ([]tag, error) {
	tags := make([]tag, 0, len(in))
	for _, t := range in {
		if strings.HasPrefix(policy.Fold(*t.Key), "aws:") {
			return nil, invalid("INVALID_SYSTEM_TAGS_PARAMETER", "You specified a tag key that begins with aws:, which is reserved.")
		}
		tags = append(tags, tag{*t.Key, *t.Value})
	}
	slices.SortFunc(tags, byKey)
	for i := 1; i < len(tags); i++ {
		if tags[i].Key == tags[i-1].Key {
			return nil, invalid("DUPLICATE_TAG_KEY", "You specified the tag key %s twice.", tags[i].Key)
		}
	}
	return tags, checkTags(tags)
}

func checkTags(tags []tag) error {
	if len(tags) > maxTags {
		return constraint("MAX_TAG_LIMIT_EXCEEDED", "You have exceeded the number of tags allowed on this resource: %d.", maxTags)
	}
	return nil
}

func byKey(a, b tag) int { return strings.Compare(a.Key, b.Key) }

// findTagged finds a root, organisational unit, account or policy. k are the condition keys of the request.
func (s *Service) findTagged(ctx context.Context, c *service.Call, id string, k *keys, t *target) error {
	find := s.find
	if strings.HasPrefix(id, "p-") {
		find = s.policy
	}
	ok, err := find(ctx, c, id, t)
	if err == nil && !ok {
		err = noTarget()
	}
	if err != nil {
		return err
	}
	have := t.access[0].Context.(*keys)
	have.add, have.names = k.add, k.names
	return nil
}

func (s *Service) findListTags(ctx context.Context, c *service.Call, in *orgapi.ListTagsForResourceRequest, t *target) error {
	return s.findTagged(ctx, c, *in.ResourceId, new(keys), t)
}

func (s *Service) findTagResource(ctx context.Context, c *service.Call, in *orgapi.TagResourceRequest, t *target) error {
	return s.findTagged(ctx, c, *in.ResourceId, withTags(in.Tags), t)
}

func (s *Service) findUntagResource(ctx context.Context, c *service.Call, in *orgapi.UntagResourceRequest, t *target) error {
	return s.findTagged(ctx, c, *in.ResourceId, &keys{names: in.TagKeys}, t)
}

// tags returns the tags of what a request names, and the record that they are in. AWS's policies have none.
func (t *target) tags() (*[]tag, record) {
	switch {
	case t.managed != "":
		return nil, nil
	case t.policy != nil:
		return &t.policy.Tags, t.policy
	}
	return &t.entity.node().Tags, t.entity.record()
}

func (s *Service) tagResource(ctx context.Context, _ *service.Call, in *orgapi.TagResourceRequest, t *target) (*api.Empty, error) {
	add, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	tags, r := t.tags()
	if tags == nil {
		return nil, immutable()
	}
	for _, a := range add {
		at, found := slices.BinarySearchFunc(*tags, a, byKey)
		if found {
			(*tags)[at] = a
		} else {
			*tags = slices.Insert(*tags, at, a)
		}
	}
	if err := checkTags(*tags); err != nil {
		return nil, err
	}
	x := t.change()
	x.put(r)
	return &api.Empty{}, s.commit(ctx, x)
}

func (s *Service) untagResource(ctx context.Context, _ *service.Call, in *orgapi.UntagResourceRequest, t *target) (*api.Empty, error) {
	tags, r := t.tags()
	if tags == nil {
		return nil, immutable()
	}
	*tags = slices.DeleteFunc(*tags, func(have tag) bool { return slices.Contains(in.TagKeys, have.Key) })
	x := t.change()
	x.put(r)
	return &api.Empty{}, s.commit(ctx, x)
}

// listTags lists all tags at once: there are at most 50.
func listTags(_ context.Context, c *service.Call, in *orgapi.ListTagsForResourceRequest, t *target) (*orgapi.ListTagsForResourceResponse, error) {
	if _, err := newPager(c, t, in.NextToken, nil, *in.ResourceId); err != nil {
		return nil, err
	}
	out := &orgapi.ListTagsForResourceResponse{Tags: []orgapi.Tag{}}
	tags, _ := t.tags()
	if tags == nil {
		return out, nil
	}
	for i := range *tags {
		out.Tags = append(out.Tags, orgapi.Tag{Key: &(*tags)[i].Key, Value: &(*tags)[i].Value})
	}
	return out, nil
}
