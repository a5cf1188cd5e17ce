package server

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/trent-kms/trent/internal/admin"
	iamapi "github.com/trent-kms/trent/internal/api/iam"
	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	orgapi "github.com/trent-kms/trent/internal/api/organizations"
	stsapi "github.com/trent-kms/trent/internal/api/sts"
	trentapi "github.com/trent-kms/trent/internal/api/trent"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/iam/org"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/wire"
	"github.com/trent-kms/trent/internal/wire/fetch"
	"github.com/trent-kms/trent/internal/wire/sigv4"
	"github.com/trent-kms/trent/policy"
)

// services are everything that serves one state of the store. When a development server's state is replaced they are
// ended and made anew, so that nothing that they remember of the old state (records, unwrapped keys, the time) outlives it.
type services struct {
	store         *store.Cached
	pipeline      *service.Pipeline
	organizations *org.Service
	identities    *iam.Service
	keys          *kms.Service
	stop          context.CancelFunc
	background    sync.WaitGroup
}

// borrowed is the server's store, lent to services that end before it.
type borrowed struct{ store.Store }

// Close leaves the store open.
func (borrowed) Close() error { return nil }

// open makes the services of what the store holds, and the keys of a seed. When it fails, end ends what there is.
func (s *Server) open(ctx context.Context, seed []kms.SeedKey) error {
	c := s.config
	if c.Dev {
		if err := finishWipe(ctx, c.Store); err != nil {
			return err
		}
	}
	v := &services{store: store.NewCached(borrowed{c.Store})}
	s.current = v
	var h *hsm.HSM
	var err error
	if s.deployment, h, err = openDeployment(ctx, c, v.store); err != nil {
		return err
	}
	if err := s.openAudit(ctx); err != nil {
		return err
	}
	now := new(clock.Clock)
	if c.Dev {
		if err := admin.RestoreClock(ctx, v.store, now); err != nil {
			return err
		}
	}
	if err := s.openIdentities(ctx, v, h, now); err != nil {
		return err
	}
	v.keys = kms.New(kms.Config{
		Store: v.store, HSM: h, Clock: now, Audit: s.audit.Append, Log: c.Log, Principals: v.identities, Regions: c.Regions,
		Custom: c.Dev, Transition: transition(c), DestroyAfter: destroyAfter(c),
	})
	if err := v.keys.Seed(ctx, seed); err != nil {
		return err
	}
	return s.start(v, now)
}

// openIdentities makes the services that know who there is: organizations say which accounts there are, and IAM who is in
// them.
func (s *Server) openIdentities(ctx context.Context, v *services, h *hsm.HSM, now *clock.Clock) (err error) {
	c := s.config
	v.organizations, err = org.New(ctx, org.Config{
		Store: v.store, Own: func(account string) bool { return c.Dev || account == s.deployment.Account },
		NewAccount: func(ctx context.Context, now time.Time, account, roleName, management string) (store.Txn, error) {
			return v.identities.NewAccount(ctx, now, account, roleName, management)
		},
	})
	if err != nil {
		return err
	}
	v.identities = iam.New(iam.Config{
		Store: v.store, HSM: h, Dev: c.Dev, Clock: now, Since: s.deployment.Created, Fetch: fetch.New(c.Dev).Get, Membership: v.organizations.Membership,
		AccountExists: func(ctx context.Context, account string) (bool, error) {
			exists, _, err := v.organizations.AccountExists(ctx, account)
			return exists, err
		},
		KeyPolicy: func(ctx context.Context, arn string) (*policy.Policy, error) { return v.keys.PolicyOf(ctx, arn) },
	})
	return nil
}

// openAudit opens the audit log, which lasts as long as the server.
func (s *Server) openAudit(ctx context.Context) (err error) {
	if s.audit != nil {
		return nil
	}
	if s.audit, err = audit.Open(ctx, s.config.Audit); err != nil {
		return err
	}
	if cut := s.audit.TailCut(); cut > 0 {
		s.config.Log.Warn("cut an unacknowledged end off the audit log", "bytes", cut)
	}
	return nil
}

// start begins to serve, and what happens in the background.
func (s *Server) start(v *services, now *clock.Clock) error {
	c := s.config
	due := make(chan struct{}, 1)
	authorizer := authz.New(v.identities)
	administration := admin.New(admin.Config{
		Store: v.store, Clock: now, Dev: c.Dev, Version: c.Version, Engine: c.Engine, Regions: c.Regions,
		Started: time.Now().UTC(), Services: v.identities, Account: administrators(c, s.deployment), Advanced: func() { wake(due) },
		Decisions: s.decisions(v, authorizer), Ready: s.ready, Shelf: s.shelf, Reset: s.reset, Snapshot: s.snapshot, Restore: s.restore,
	})
	verifier, err := sigv4.New(sigv4.Config{Lookup: v.identities.Lookup})
	if err != nil {
		return err
	}
	v.pipeline = service.New(service.Config{
		Services: []service.Service{
			{Name: kmsapi.Service, Source: "kms.amazonaws.com", Protocol: wire.JSON{TargetPrefix: kmsapi.TargetPrefix}, Table: v.keys.Operations(), API: kmsapi.Operations(), Forwarded: true},
			{Name: stsapi.Service, Source: "sts.amazonaws.com", Protocol: wire.Query{Version: stsapi.Version, Namespace: "https://sts.amazonaws.com/doc/2011-06-15/"}, Table: v.identities.STS(), API: stsapi.Operations(), Global: true},
			{Name: iamapi.Service, Source: "iam.amazonaws.com", Protocol: wire.Query{Version: iamapi.Version, Namespace: "https://iam.amazonaws.com/doc/2010-05-08/"}, Table: v.identities.IAM(), API: iamapi.Operations(), Global: true},
			{Name: orgapi.Service, Source: "organizations.amazonaws.com", Protocol: wire.JSON{TargetPrefix: orgapi.TargetPrefix, Internal: "ServiceException"}, Table: v.organizations.Operations(), API: orgapi.Operations(), Global: true},
			{Name: trentapi.Service, Source: "trent", Protocol: wire.JSON{TargetPrefix: trentapi.TargetPrefix}, Table: administration.Operations(), API: trentapi.Operations()},
		},
		Verifier: verifier, Authorizer: authorizer, Forward: v.identities.Forward, Regions: c.Regions, Clock: now, Audit: s.audit.Append, Log: c.Log,
	})
	v.startBackground(due)
	return nil
}

func wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // it has been woken already and will see this too
	}
}

// startBackground starts what goes on without requests, until stop is called.
func (v *services) startBackground(due <-chan struct{}) {
	ctx, stop := context.WithCancel(context.Background())
	v.stop = stop
	v.background.Go(func() { v.keys.RunSweeper(ctx, due) })
	v.background.Go(func() { v.keys.RunUsage(ctx) })
}

// end ends the services, if there are any. The store stays open.
func (s *Server) end() error {
	v := s.current
	if v == nil {
		return nil
	}
	s.current = nil
	if v.stop != nil {
		v.stop()
	}
	v.background.Wait()
	return v.store.Close()
}

// transition makes a development server's multi-Region keys take the states on the way that clients must wait out at AWS.
func transition(c Config) time.Duration {
	if c.Dev {
		return time.Second
	}
	return 0
}

// errBroken says that an earlier change of the state has failed.
var errBroken = errors.New("server: there are no services")
