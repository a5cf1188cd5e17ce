package hsm

import (
	"context"
	"fmt"

	"github.com/trent-kms/trent/internal/hsm/root"
)

// Reseal returns domain keys that from has sealed, sealed by to, for the same deployment: what a change of the root key
// needs. The old blob opens as before. Its errors are those of Open.
func Reseal(ctx context.Context, from, to root.Root, deployment string, domain []byte) ([]byte, error) {
	if from == nil || to == nil || deployment == "" {
		return nil, fmt.Errorf("%w: no root, or no deployment", ErrInput)
	}
	rows, err := unsealDomain(ctx, from, deployment, domain)
	if err != nil {
		return nil, err
	}
	if _, err := parseDomain(rows); err != nil {
		clear(rows)
		return nil, err
	}
	return sealDomain(ctx, to, deployment, rows)
}
