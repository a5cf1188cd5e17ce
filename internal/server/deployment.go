package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/store"
)

// deploymentKey is where the deployment's own record is.
const deploymentKey = "trent/deployment"

// deployment is what a store belongs to: made at the first start, the same for all nodes.
type deployment struct {
	Version int       `json:"v"`
	Dev     bool      `json:"dev,omitzero"`
	Account string    `json:"account"` // whose principals administer
	Created time.Time `json:"created"`
	Domain  []byte    `json:"domain"` // the hsm's domain keys, sealed by the root
}

const deploymentVersion = 1

// hsmCacheEntries bounds the unwrapped keys in memory: about 5 MB when full.
const hsmCacheEntries = 20_000

var (
	// ErrMode says that a development server was pointed at production data, or the reverse.
	ErrMode = errors.New("server: data directory belongs to the other mode")
)

func readDeployment(ctx context.Context, st store.Store) (*deployment, error) {
	r, err := st.Get(ctx, deploymentKey)
	if err != nil || r.Revision == 0 {
		return nil, err
	}
	var d deployment
	if err := json.Unmarshal(r.Value, &d); err != nil {
		return nil, fmt.Errorf("server: damaged deployment record: %w", err)
	}
	if d.Version > deploymentVersion {
		return nil, fmt.Errorf("%w: deployment record has version %d, this binary understands %d", store.ErrNewerFormat, d.Version, deploymentVersion)
	}
	return &d, nil
}

// Exists says whether a store holds a deployment already. Then its root key must exist too: a new one would not open it.
func Exists(ctx context.Context, st store.Store) (bool, error) {
	d, err := readDeployment(ctx, st)
	return d != nil, err
}

// openDeployment returns the store's deployment and its hsm, and makes both at the first start.
func openDeployment(ctx context.Context, c Config, st *store.Cached) (*deployment, *hsm.HSM, error) {
	d, err := readDeployment(ctx, st)
	if err != nil {
		return nil, nil, err
	}
	if d == nil {
		return createDeployment(ctx, c, st)
	}
	if d.Dev != c.Dev {
		return nil, nil, ErrMode
	}
	h, err := openHSM(ctx, c.Root, d)
	return d, h, err
}

func openHSM(ctx context.Context, r root.Root, d *deployment) (*hsm.HSM, error) {
	return hsm.Open(ctx, hsm.Config{Root: r, Domain: d.Domain, CacheEntries: hsmCacheEntries})
}

// createDeployment makes a deployment with, in production, an access key for its administrator. The administrator's
// credentials are on disk before the deployment exists: a crash in between leaves a file that the next start replaces,
// never a deployment that nobody can enter. If another node was first, its deployment is the one.
func createDeployment(ctx context.Context, c Config, st *store.Cached) (*deployment, *hsm.HSM, error) {
	domain, err := hsm.Create(ctx, c.Root)
	if err != nil {
		return nil, nil, err
	}
	d := &deployment{Version: deploymentVersion, Dev: c.Dev, Account: c.Account, Created: time.Now().UTC(), Domain: domain}
	if d.Account == "" {
		d.Account = newAccount()
	}
	h, err := openHSM(ctx, c.Root, d)
	if err != nil {
		return nil, nil, err
	}
	value, err := json.Marshal(d)
	if err != nil {
		return nil, nil, err
	}
	t := store.Txn{}
	if !c.Dev {
		var key iam.AccessKey
		if key, t, err = iam.New(iam.Config{Store: st, HSM: h}).NewRootKey(d.Account, d.Created); err != nil {
			return nil, nil, err
		}
		if err := c.Administrator(d.Account, key); err != nil {
			return nil, nil, err
		}
	}
	t.Checks = append(t.Checks, store.Check{Key: deploymentKey})
	t.Puts = append(t.Puts, store.Put{Key: deploymentKey, Value: value})
	if _, err := st.Commit(ctx, t); errors.Is(err, store.ErrConflict) {
		return openDeployment(ctx, c, st)
	} else if err != nil {
		return nil, nil, err
	}
	return d, h, nil
}

// newAccount returns a random account id, not beginning with 0.
func newAccount() string {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		panic("server: " + err.Error()) // crypto/rand.Reader does not fail
	}
	return n.Add(n, big.NewInt(100_000_000_000)).String()
}
