package iam

import (
	"context"
	"slices"
	"strings"
	"time"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// maxAccessKeys is how many access keys a user, or a root user, can have.
const maxAccessKeys = 2

func (k *accessKey) status() *iamapi.StatusType {
	if k.inactive {
		return new(iamapi.StatusTypeInactive)
	}
	return new(iamapi.StatusTypeActive)
}

// createAccessKey makes an access key of a user or of the root user. Its secret is shown in this answer and never again.
func (s *Service) createAccessKey(ctx context.Context, c *service.Call, _ *iamapi.CreateAccessKeyRequest, t *target) (*iamapi.CreateAccessKeyResponse, error) {
	ids, err := s.accessKeyIDs(ctx, t)
	if err != nil {
		return nil, err
	}
	if len(ids) >= maxAccessKeys {
		return nil, iamapi.LimitExceededException("Cannot exceed quota for AccessKeysPerUser: %d", maxAccessKeys)
	}
	k := newAccessKey(t.account, t.ownerID(), c.Now.Truncate(time.Second))
	ch := s.change()
	write(ch, s.keys, keyPrefix+k.id, 0, k)
	if t.root {
		ch.index(rootKeyPath(t.account, k.id))
		ch.count(ctx, t.account, func(*Account) error { return nil }) // so that no two are made at the same time
	} else {
		u := t.entity.clone()
		u.AccessKeys = append(u.AccessKeys, k.id)
		ch.entity(t.entity, u)
	}
	return &iamapi.CreateAccessKeyResponse{AccessKey: &iamapi.AccessKey{
		UserName: new(t.ownerName()), AccessKeyId: &k.id, Status: k.status(), SecretAccessKey: new(string(k.secret.Expose())), CreateDate: &k.created,
	}}, ch.commit(ctx)
}

// ownerID is the unique id of the target if it is a user.
func (t *target) ownerID() string {
	if t.root {
		return ""
	}
	return t.entity.ID
}

// ownerName is the name of the target; a root user's stands for none.
func (t *target) ownerName() string {
	if t.root {
		return "root"
	}
	return t.entity.Name
}

// accessKeyIDs returns the ids of the target's access keys.
func (s *Service) accessKeyIDs(ctx context.Context, t *target) ([]string, error) {
	if !t.root {
		return t.entity.AccessKeys, nil
	}
	prefix := rootKeyPath(t.account, "")
	page, err := s.Store.Range(ctx, prefix, "", maxLooked)
	var ids []string
	for _, r := range page.Records {
		ids = append(ids, strings.TrimPrefix(r.Key, prefix))
	}
	return ids, err
}

// accessKeyOf returns an access key of the target's.
func (s *Service) accessKeyOf(ctx context.Context, t *target, id string) (storedKey, error) {
	k, err := s.accessKey(ctx, id)
	if err == nil && (k.accessKey == nil || k.account != t.account || k.user != t.ownerID()) {
		err = iamapi.NoSuchEntityException("The Access Key with id %s cannot be found.", id)
	}
	return k, err
}

func (s *Service) updateAccessKey(ctx context.Context, _ *service.Call, in *iamapi.UpdateAccessKeyRequest, t *target) (*iamapi.UpdateAccessKeyResponse, error) {
	k, err := s.accessKeyOf(ctx, t, *in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	if *in.Status == iamapi.StatusTypeExpired {
		return nil, iamapi.InvalidInputException("The status of an access key can be set to Active or Inactive.")
	}
	changed := *k.accessKey
	if changed.inactive = *in.Status == iamapi.StatusTypeInactive; changed.inactive == k.inactive {
		return new(iamapi.UpdateAccessKeyResponse), nil
	}
	ch := s.change()
	write(ch, s.keys, keyPrefix+k.id, k.revision, &changed)
	return new(iamapi.UpdateAccessKeyResponse), ch.commit(ctx)
}

func (s *Service) deleteAccessKey(ctx context.Context, _ *service.Call, in *iamapi.DeleteAccessKeyRequest, t *target) (*iamapi.DeleteAccessKeyResponse, error) {
	k, err := s.accessKeyOf(ctx, t, *in.AccessKeyId)
	if err != nil {
		return nil, err
	}
	ch := s.change()
	ch.remove(keyPrefix+k.id, k.revision)
	if t.root {
		ch.unindex(rootKeyPath(t.account, k.id))
	} else {
		u := t.entity.clone()
		u.AccessKeys = slices.DeleteFunc(u.AccessKeys, func(id string) bool { return id == k.id })
		ch.entity(t.entity, u)
	}
	return new(iamapi.DeleteAccessKeyResponse), ch.commit(ctx)
}

func (s *Service) listAccessKeys(ctx context.Context, c *service.Call, in *iamapi.ListAccessKeysRequest, t *target) (*iamapi.ListAccessKeysResponse, error) {
	p, err := newPager(c, in.Marker, in.MaxItems, t.resource())
	if err != nil {
		return nil, err
	}
	ids, err := s.accessKeyIDs(ctx, t)
	if err != nil {
		return nil, err
	}
	out := &iamapi.ListAccessKeysResponse{AccessKeyMetadata: []iamapi.AccessKeyMetadata{}}
	ids = slices.Sorted(slices.Values(ids))
	page, truncated, marker := slicePage(p, ids, func(id *string) string { return *id })
	for _, id := range page {
		k, err := s.accessKey(ctx, id)
		if err != nil {
			return nil, err
		}
		if k.accessKey == nil || k.account != t.account || k.user != t.ownerID() {
			continue // deleted just now
		}
		out.AccessKeyMetadata = append(out.AccessKeyMetadata, iamapi.AccessKeyMetadata{
			UserName: new(t.ownerName()), AccessKeyId: &k.id, Status: k.status(), CreateDate: &k.created,
		})
	}
	out.IsTruncated, out.Marker = truncated, marker
	return out, nil
}
