package kms

import (
	"context"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

func (s *Service) describeKey(_ context.Context, c *service.Call, _ *kmsapi.DescribeKeyRequest, t *keyTarget) (*kmsapi.DescribeKeyResponse, error) {
	return &kmsapi.DescribeKeyResponse{KeyMetadata: t.key.metadata(c.Now)}, nil
}

// listKeys lists the keys of the caller's account and the Region, in the order of their ids.
func (s *Service) listKeys(ctx context.Context, c *service.Call, in *kmsapi.ListKeysRequest, _ service.Own) (*kmsapi.ListKeysResponse, error) {
	prefix := keyPrefix(c.Caller.Account, c.Region)
	p, err := newPager(c, in.Marker, in.Limit, 100, 1000, "")
	if err != nil {
		return nil, err
	}
	out := &kmsapi.ListKeysResponse{Keys: []kmsapi.KeyListEntry{}}
	out.NextMarker, out.Truncated, err = p.scan(ctx, s, prefix, func(r store.Record) (bool, error) {
		k, err := s.keys.Decode(r)
		if err != nil {
			return false, err
		}
		if k.path() != r.Key {
			return false, misplaced(k, r.Key)
		}
		if _, deleted := k.stateAt(c.Now); deleted {
			return false, nil
		}
		out.Keys = append(out.Keys, kmsapi.KeyListEntry{KeyId: &k.ID, KeyArn: new(k.ARN())})
		return true, nil
	})
	return out, err
}
