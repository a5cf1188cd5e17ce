package iam

import (
	"context"

	iamapi "github.com/trent-kms/trent/internal/api/iam"
	"github.com/trent-kms/trent/internal/service"
)

// resolveLastUsed finds whose an access key is. One of another account is like one that does not exist.
func (s *Service) resolveLastUsed(ctx context.Context, c *service.Call, in *iamapi.GetAccessKeyLastUsedRequest) (*target, error) {
	t := &target{kind: aUser, account: c.Caller.Account, asked: asked{name: new("*")}}
	k, err := s.accessKey(ctx, *in.AccessKeyId)
	if err == nil && k.accessKey != nil && k.account == t.account {
		if t.root = k.user == ""; !t.root {
			t.entity, err = s.byID(ctx, k.user)
		}
	}
	t.require("iam:"+c.Operation, t.resource())
	return t, err
}

// getAccessKeyLastUsed answers as AWS does for a key of which no use is known: Trent does not note the use of access keys
// besides the audit log, which has every call.
func (s *Service) getAccessKeyLastUsed(_ context.Context, _ *service.Call, in *iamapi.GetAccessKeyLastUsedRequest, t *target) (*iamapi.GetAccessKeyLastUsedResponse, error) {
	if t.entity.Entity == nil && !t.root {
		return nil, iamapi.NoSuchEntityException("The Access Key with id %s cannot be found.", *in.AccessKeyId)
	}
	return &iamapi.GetAccessKeyLastUsedResponse{
		UserName:          new(t.ownerName()),
		AccessKeyLastUsed: &iamapi.AccessKeyLastUsed{ServiceName: new("N/A"), Region: new("N/A")},
	}, nil
}
