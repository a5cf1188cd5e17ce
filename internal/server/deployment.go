package server

import (
	"cmp"
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
	"github.com/trent-kms/trent/internal/uuid"
)

// deploymentKey is where the deployment's own record is.
const deploymentKey = "trent/deployment"

// deployment is what a store belongs to: made at the first start, the same for all nodes.
type deployment struct {
	Version int       `json:"v"`
	ID      string    `json:"id"`
	Dev     bool      `json:"dev,omitzero"`
	Account string    `json:"account"` // whose principals administer
	Created time.Time `json:"created"`
	Domain  []byte    `json:"domain"` // the hsm's domain keys, sealed by the root
}

const deploymentVersion = 1

var (
	// ErrMode says that a development server was pointed at production data, or the reverse.
	ErrMode = errors.New("server: the data belongs to the other mode")
	// ErrNoDeployment says that a store has records and no deployment that they could belong to.
	ErrNoDeployment = errors.New("server: the store has records but its deployment record is missing")
)

// name is what the domain keys are sealed for. Who can write to the store cannot turn production into development, or
// make another account the administrator's: the domain keys would not open.
func (d *deployment) name() string {
	mode := "production"
	if d.Dev {
		mode = "dev"
	}
	return d.ID + "/" + mode + "/" + d.Account
}

func readDeployment(ctx context.Context, st store.Store) (*deployment, error) {
	r, err := st.Get(ctx, deploymentKey)
	if err != nil || r.Revision == 0 {
		return nil, err
	}
	return decodeDeployment(r.Value)
}

func decodeDeployment(value []byte) (*deployment, error) {
	var d deployment
	// First the version alone: a newer record may have members that are not known here.
	if err := json.Unmarshal(value, &d); err == nil && d.Version > deploymentVersion {
		return nil, fmt.Errorf("%w: deployment record has version %d, this binary understands %d", store.ErrNewerFormat, d.Version, deploymentVersion)
	}
	d = deployment{}
	if err := json.Unmarshal(value, &d, json.RejectUnknownMembers(true)); err != nil || d.Version != deploymentVersion {
		return nil, fmt.Errorf("server: damaged deployment record (version %d): %w", d.Version, err)
	}
	return &d, nil
}

// Empty says whether a store holds nothing yet. Only then may there be a new deployment, or a new root key: what another
// key has sealed must not be joined by what it did not.
func Empty(ctx context.Context, st store.Store) (bool, error) {
	p, err := st.Range(ctx, "", "", 1)
	return err == nil && len(p.Records) == 0, err
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
	return hsm.Open(ctx, hsm.Config{Root: r, Domain: d.Domain, Deployment: d.name()})
}

// createDeployment makes a deployment with, in production, an access key for its administrator. The administrator's
// credentials are on disk before the deployment exists: a crash in between leaves a file that the next start replaces,
// never a deployment that nobody can enter. If another node was first, its deployment is the one, and the credentials are
// withdrawn.
func createDeployment(ctx context.Context, c Config, st *store.Cached) (*deployment, *hsm.HSM, error) {
	if empty, err := Empty(ctx, st); err != nil {
		return nil, nil, err
	} else if !empty {
		// Another node may have made the deployment since it was looked for; if so it is there now.
		if d, err := readDeployment(ctx, st); err != nil || d == nil {
			return nil, nil, cmp.Or(err, ErrNoDeployment)
		}
		return openDeployment(ctx, c, st)
	}
	d := &deployment{Version: deploymentVersion, ID: uuid.New(), Dev: c.Dev, Account: c.Account, Created: time.Now().UTC()}
	if d.Account == "" {
		d.Account = newAccount()
	}
	var err error
	if d.Domain, err = hsm.Create(ctx, c.Root, d.name()); err != nil {
		return nil, nil, err
	}
	h, err := openHSM(ctx, c.Root, d)
	if err != nil {
		return nil, nil, err
	}
	value, err := json.Marshal(d)
	if err != nil {
		return nil, nil, err
	}
	var t store.Txn
	var key iam.AccessKey
	if !c.Dev {
		if key, t, err = iam.New(iam.Config{Store: st, HSM: h}).NewRootKey(d.Account, d.Created); err != nil {
			return nil, nil, err
		}
		if err := c.Administrator(d.Account, key); err != nil {
			return nil, nil, err
		}
	}
	t.Checks = append(t.Checks, store.Check{Key: deploymentKey})
	t.Puts = append(t.Puts, store.Put{Key: deploymentKey, Value: value})
	_, err = st.Commit(ctx, t)
	if !errors.Is(err, store.ErrConflict) {
		return d, h, err
	}
	if !c.Dev {
		if err := c.Withdraw(key.ID); err != nil {
			return nil, nil, err
		}
	}
	return openDeployment(ctx, c, st)
}

// newAccount returns a random account id, not beginning with 0.
func newAccount() string {
	n, err := rand.Int(rand.Reader, big.NewInt(900_000_000_000))
	if err != nil {
		panic("server: " + err.Error()) // crypto/rand.Reader does not fail
	}
	return n.Add(n, big.NewInt(100_000_000_000)).String()
}
