package kms_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/clock"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/memory"
	"github.com/trent-kms/trent/internal/wire"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// node is one of several on the same store, without what a server does in the background: it flushes when the test says.
type node struct {
	*world
	service *kms.Service
	clock   *clock.Clock
	gate    *gate
	cached  *store.Cached // on the gate

	mu      sync.Mutex
	written map[string]audit.Event // by request id
}

// gate is a store that counts commits, and lets a test come before one.
type gate struct {
	store.Store
	commits atomic.Int64
	before  func(store.Txn) error // nil: nothing; an error is the commit's
}

func (g *gate) Commit(ctx context.Context, t store.Txn) (int64, error) {
	g.commits.Add(1)
	if g.before != nil {
		if err := g.before(t); err != nil {
			return 0, err
		}
	}
	return g.Store.Commit(ctx, t)
}

// newNodes starts n nodes on one store.
func newNodes(t testing.TB, n int) []*node {
	t.Helper()
	r := root.New()
	domain, err := hsm.Create(t.Context(), r, "test")
	if err != nil {
		t.Fatal(err)
	}
	shared := memory.New()
	var nodes []*node
	for range n {
		h, err := hsm.Open(t.Context(), hsm.Config{Root: r, Deployment: "test", Domain: domain})
		if err != nil {
			t.Fatal(err)
		}
		nodes = append(nodes, newNode(t, shared, h))
	}
	return nodes
}

func newNode(t testing.TB, shared *memory.Store, h *hsm.HSM) *node {
	t.Helper()
	n := &node{
		world: &world{t: t, store: shared, answered: map[string]answered{}, secrets: map[string]string{}},
		clock: new(clock.Clock), gate: &gate{Store: notClosed{shared}}, written: map[string]audit.Event{},
	}
	n.cached = store.NewCached(n.gate)
	t.Cleanup(func() { n.cached.Close() })
	identities := iam.New(iam.Config{Store: n.cached, HSM: h, Dev: true, Clock: n.clock})
	n.service = kms.New(kms.Config{
		Store: n.cached, HSM: h, Clock: n.clock, Audit: n.record, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Principals: identities,
	})
	verifier, err := sigv4.New(sigv4.Config{Lookup: identities.Lookup})
	if err != nil {
		t.Fatal(err)
	}
	n.handler = service.New(service.Config{
		Services: []service.Service{{
			Name: kmsapi.Service, Source: "kms.amazonaws.com", Protocol: wire.JSON{TargetPrefix: kmsapi.TargetPrefix},
			Table: n.service.Operations(), API: kmsapi.Operations(),
		}},
		Verifier: verifier, Authorizer: authz.New(identities), Forward: identities.Forward, Clock: n.clock, Audit: n.record, Log: slog.New(slog.DiscardHandler),
	})
	return n
}

func (n *node) record(_ context.Context, e *audit.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.written[e.RequestID] = *e
	return nil
}

// flush must succeed.
func (n *node) flush() {
	n.t.Helper()
	if err := n.service.FlushUsage(n.t.Context()); err != nil {
		n.t.Errorf("FlushUsage: %v", err)
	}
}

// stored are the records of last usage, by path.
func (n *node) stored() map[string]*kms.Usage {
	n.t.Helper()
	page, err := n.store.Range(context.WithoutCancel(n.t.Context()), "kms/usage/", "", 1<<20)
	if err != nil || page.More {
		n.t.Fatal(err, page.More)
	}
	all := map[string]*kms.Usage{}
	for _, r := range page.Records {
		if all[r.Key], err = kms.DecodeUsage(r.Value); err != nil {
			n.t.Errorf("record %s: %v", r.Key, err)
		}
	}
	return all
}

func (u user) usagePath(id string) string {
	return "kms/usage/" + u.account + "/" + u.region + "/" + id
}

func (u user) lastUsage(key string) *kmsapi.GetKeyLastUsageResponse {
	u.t.Helper()
	return do[kmsapi.GetKeyLastUsageResponse](u, &kmsapi.GetKeyLastUsageRequest{KeyId: &key})
}

// lastRequest is the request id of a key's last use, "" when it was never used.
func (u user) lastRequest(key string) string {
	u.t.Helper()
	last := u.lastUsage(key).KeyLastUsage
	if last.KmsRequestId == nil {
		return ""
	}
	return *last.KmsRequestId
}

// use uses a symmetric key and returns the request id.
func (u user) use(key string) string {
	u.t.Helper()
	return u.must(&kmsapi.GenerateDataKeyWithoutPlaintextRequest{KeyId: &key, KeySpec: new(kmsapi.DataKeySpecAes256)}).requestID
}

var errDown = errors.New("store is down")

// down makes all commits fail.
func down(store.Txn) error { return errDown }
