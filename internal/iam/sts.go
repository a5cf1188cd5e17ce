package iam

import (
	"context"

	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/service"
)

// whoAmI is the target of GetCallerIdentity: nothing, and it needs no permission (STS API Reference).
type whoAmI struct{}

// Access is empty: whoever can sign may ask who it is.
func (whoAmI) Access(*service.Call) []authz.Access { return nil }

func resolveSelf(context.Context, *service.Call, *stsapi.GetCallerIdentityRequest) (whoAmI, error) {
	return whoAmI{}, nil
}

func getCallerIdentity(_ context.Context, c *service.Call, _ *stsapi.GetCallerIdentityRequest, _ whoAmI) (*stsapi.GetCallerIdentityResponse, error) {
	return &stsapi.GetCallerIdentityResponse{Account: &c.Caller.Account, Arn: &c.Caller.ARN, UserId: &c.Caller.UserID}, nil
}
