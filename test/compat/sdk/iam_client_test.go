package sdk

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/trent-kms/trent/internal/api"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	"github.com/trent-kms/trent/test/internal/harness"
)

// person has the SDK's clients of all services, for one who signs.
type person struct {
	iam *iam.Client
	sts *sts.Client
	org *organizations.Client
	kms *kms.Client
}

// population is a development server and who calls it. It counts what is called.
type population struct {
	server *harness.Server
	mu     sync.Mutex
	calls  map[string]map[string]int // by the SDK's name of the service, and by operation: calls that succeeded
}

func newPopulation(t *testing.T) *population {
	return &population{server: harness.Start(t, "--dev", "--data-dir", t.TempDir()), calls: map[string]map[string]int{}}
}

// as returns somebody by the credentials; token is empty for long-term ones.
func (p *population) as(id, secret, token string, also ...func(*middleware.Stack) error) person {
	c := configuration(p.server)
	c.APIOptions = append(also, p.count)
	c.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token}, nil
	})
	return person{iam.NewFromConfig(c), sts.NewFromConfig(c), organizations.NewFromConfig(c), kms.NewFromConfig(c)}
}

// root is an account's root user.
func (p *population) root(account string) person { return p.as(account, "test", "") }

// count is a middleware of the SDK's clients.
func (p *population) count(stack *middleware.Stack) error {
	return stack.Initialize.Add(middleware.InitializeMiddlewareFunc("count", func(ctx context.Context, in middleware.InitializeInput, next middleware.InitializeHandler) (middleware.InitializeOutput, middleware.Metadata, error) {
		out, metadata, err := next.HandleInitialize(ctx, in)
		if err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			service := p.calls[awsmiddleware.GetServiceID(ctx)]
			if service == nil {
				service = map[string]int{}
				p.calls[awsmiddleware.GetServiceID(ctx)] = service
			}
			service[awsmiddleware.GetOperationName(ctx)]++
		}
		return out, metadata, err
	}), middleware.After)
}

// checkEverythingWasCalled compares the calls with what the models say is built.
func (p *population) checkEverythingWasCalled(t *testing.T) {
	t.Helper()
	total := 0
	for service, operations := range map[string][]api.OperationInfo{"IAM": iamapi.Operations(), "STS": stsapi.Operations(), "Organizations": orgapi.Operations()} {
		for _, o := range operations {
			switch {
			case !o.Built || cannotSucceed[o.Name]:
			case p.calls[service][o.Name] == 0:
				t.Errorf("%s: %s was never called with success", service, o.Name)
			default:
				total++
			}
		}
	}
	t.Logf("%d operations were called with success: %v", total, slices.Sorted(maps.Keys(p.calls)))
	if total < 130 {
		t.Errorf("only %d operations", total)
	}
}

// cannotSucceed are operations of things that there never are. They have a refusal of their own.
var cannotSucceed = map[string]bool{"GetLoginProfile": true, "DeleteLoginProfile": true}

// code is that of an error that a server answered with.
func code(err error) string {
	if e, ok := errors.AsType[smithy.APIError](err); ok {
		return e.ErrorCode()
	}
	return ""
}

// fails checks that a call fails with a code, whatever its text.
func fails[O any](t testing.TB, want string) func(O, error) {
	return func(_ O, err error) {
		t.Helper()
		if code(err) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
