package kms

import (
	"context"
	"slices"
	"strings"
	"unicode"

	"github.com/trent-kms/trent/internal/api"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/policy"
)

// maxTags is the most tags a key can have (KMS Developer Guide, "Tagging keys").
const maxTags = 50

// newTags checks the tags of a request and returns them ordered by key.
func newTags(in []kmsapi.Tag) ([]Tag, error) {
	tags := make([]Tag, 0, len(in))
	for _, t := range in {
		if strings.HasPrefix(policy.Fold(*t.TagKey), "aws:") {
			return nil, kmsapi.TagException("Tags beginning with aws: are reserved")
		}
		if *t.TagKey == customIDTag || *t.TagKey == customMaterialTag { // CreateKey takes them out before this
			return nil, kmsapi.TagException("The tag %s is for CreateKey at a development server only.", *t.TagKey)
		}
		if !isTagText(*t.TagKey) || !isTagText(*t.TagValue) {
			return nil, kmsapi.TagException("Tag keys and values may hold letters, digits, spaces and _.:/=+-@ only")
		}
		tags = append(tags, Tag{Key: *t.TagKey, Value: *t.TagValue})
	}
	slices.SortFunc(tags, byTagKey)
	for i := 1; i < len(tags); i++ {
		if tags[i].Key == tags[i-1].Key {
			return nil, kmsapi.TagException("Duplicate tag keys")
		}
	}
	if len(tags) > maxTags {
		return nil, kmsapi.TagException("Too many tags")
	}
	return tags, nil
}

func byTagKey(a, b Tag) int { return strings.Compare(a.Key, b.Key) }

// isTagText says whether s has only the characters that AWS allows in tags.
func isTagText(s string) bool {
	for _, r := range s {
		if !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.In(r, unicode.Z) && !strings.ContainsRune("_.:/=+-@", r) {
			return false
		}
	}
	return true
}

func (s *Service) tagResource(ctx context.Context, c *service.Call, in *kmsapi.TagResourceRequest, t *keyTarget) (*api.Empty, error) {
	add, err := newTags(in.Tags)
	if err != nil {
		return nil, err
	}
	k := t.key.clone()
	for _, tag := range add {
		at, found := slices.BinarySearchFunc(k.Tags, tag, byTagKey)
		if found {
			k.Tags[at] = tag
		} else {
			k.Tags = slices.Insert(k.Tags, at, tag)
		}
	}
	if len(k.Tags) > maxTags {
		return nil, kmsapi.LimitExceededException("A KMS key can have at most %d tags.", maxTags)
	}
	return &api.Empty{}, s.save(ctx, t, k, store.Txn{})
}

func (s *Service) untagResource(ctx context.Context, c *service.Call, in *kmsapi.UntagResourceRequest, t *keyTarget) (*api.Empty, error) {
	k := t.key.clone()
	k.Tags = slices.DeleteFunc(k.Tags, func(t Tag) bool { return slices.Contains(in.TagKeys, t.Key) })
	if len(k.Tags) == len(t.key.Tags) {
		return &api.Empty{}, nil
	}
	return &api.Empty{}, s.save(ctx, t, k, store.Txn{})
}

func (s *Service) listResourceTags(_ context.Context, c *service.Call, in *kmsapi.ListResourceTagsRequest, t *keyTarget) (*kmsapi.ListResourceTagsResponse, error) {
	p, err := newPager(c, in.Marker, in.Limit, 50, 50, t.key.ID)
	if err != nil {
		return nil, err
	}
	page, marker, truncated := slicePage(p, t.key.Tags, func(t *Tag) string { return t.Key })
	out := &kmsapi.ListResourceTagsResponse{Tags: []kmsapi.Tag{}, NextMarker: marker, Truncated: truncated}
	for i := range page {
		out.Tags = append(out.Tags, kmsapi.Tag{TagKey: &page[i].Key, TagValue: &page[i].Value})
	}
	return out, nil
}
