package admin

import (
	"context"
	"time"

	"github.com/trent-kms/trent/internal/api"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/service"
)

// Services keeps the services that an administrator trusts to make requests on behalf of principals.
type Services interface {
	// RegisterService makes a service known and returns its access key, whose secret is told once.
	RegisterService(ctx context.Context, now time.Time, principal string, accounts []string) (accessKeyID string, secret material.Bytes, err error)
	DeregisterService(ctx context.Context, principal string) error
	ListServices(ctx context.Context) ([]trentapi.RegisteredService, error)
}

func (s *Service) serviceOperations() []service.Operation {
	return []service.Operation{
		service.Define(service.Row[trentapi.DeregisterServiceRequest, api.Empty, deployment]{
			Name: "DeregisterService", Resolve: target[trentapi.DeregisterServiceRequest](s), Handle: s.deregisterService,
		}),
		service.Define(service.Row[trentapi.ListServicesRequest, trentapi.ListServicesResponse, deployment]{
			Name: "ListServices", ReadOnly: true, Resolve: target[trentapi.ListServicesRequest](s), Handle: s.listServices,
		}),
		service.Define(service.Row[trentapi.RegisterServiceRequest, trentapi.RegisterServiceResponse, deployment]{
			Name: "RegisterService", Resolve: target[trentapi.RegisterServiceRequest](s), Handle: s.registerService,
			LogAnswer: func(out *trentapi.RegisterServiceResponse, _ deployment) []byte { return out.AppendAudit(nil) },
		}),
	}
}

func (s *Service) registerService(ctx context.Context, c *service.Call, in *trentapi.RegisterServiceRequest, _ deployment) (*trentapi.RegisterServiceResponse, error) {
	id, secret, err := s.Services.RegisterService(ctx, c.Now, *in.ServicePrincipal, in.Accounts)
	if err != nil {
		return nil, err
	}
	return &trentapi.RegisterServiceResponse{
		ServicePrincipal: in.ServicePrincipal, AccessKeyId: &id, SecretAccessKey: new(string(secret.Expose())),
	}, nil
}

func (s *Service) deregisterService(ctx context.Context, _ *service.Call, in *trentapi.DeregisterServiceRequest, _ deployment) (*api.Empty, error) {
	return &api.Empty{}, s.Services.DeregisterService(ctx, *in.ServicePrincipal)
}

func (s *Service) listServices(ctx context.Context, _ *service.Call, _ *trentapi.ListServicesRequest, _ deployment) (*trentapi.ListServicesResponse, error) {
	all, err := s.Services.ListServices(ctx)
	return &trentapi.ListServicesResponse{Services: all}, err
}
