package hsm

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/hsm/seal"
)

// The domain keys of a deployment are one blob, so that there is one thing to store, and no row of it can be taken away
// or put into another deployment's. It can be replaced as a whole: an older blob of the same deployment opens, and lacks
// the domain keys that were added after it.
//
//	format version (1) ‖ SHA-256 of the rest, truncated (8) ‖ sealed by the root: { domain key version (4) ‖ key (32) } …
//
// The purpose of the seal names the deployment, so that the blob opens for that one alone, although one root may have
// sealed several. The checksum tells damage from a wrong root, and damage is noticed without asking the root, which may be remote.
const (
	domainFormat   = 1
	domainSumSize  = 8
	domainHeadSize = 1 + domainSumSize
	domainRowSize  = 4 + seal.KeySize
	domainPurpose  = "trent/domain-keys/1/" // followed by the deployment
)

// domainKeys are the keys that wrap what is stored, by version. Blobs name the version that wrapped them; new ones are
// wrapped by the current.
type domainKeys struct {
	keys    map[uint32]*seal.Key
	current uint32
}

// newDomain returns the rows of a new deployment: one random key, version 1.
func newDomain() []byte {
	row := make([]byte, domainRowSize)
	binary.BigEndian.PutUint32(row, 1)
	rand.Read(row[4:])
	return row
}

// sealDomain seals rows for a deployment and clears them.
func sealDomain(ctx context.Context, r root.Root, deployment string, rows []byte) ([]byte, error) {
	defer clear(rows)
	sealed, err := r.Seal(ctx, domainPurpose+deployment, rows)
	if err != nil {
		return nil, fmt.Errorf("sealing domain keys: %w", err)
	}
	sum := sha256.Sum256(sealed)
	return append(append([]byte{domainFormat}, sum[:domainSumSize]...), sealed...), nil
}

func openDomain(ctx context.Context, r root.Root, deployment string, blob []byte) (domainKeys, error) {
	rows, err := unsealDomain(ctx, r, deployment, blob)
	if err != nil {
		return domainKeys{}, err
	}
	defer clear(rows)
	return parseDomain(rows)
}

// unsealDomain returns the rows of a blob, which the caller clears.
func unsealDomain(ctx context.Context, r root.Root, deployment string, blob []byte) ([]byte, error) {
	if len(blob) > 0 && blob[0] > domainFormat {
		return nil, newer("domain keys", blob[0], domainFormat)
	}
	if len(blob) < domainHeadSize || blob[0] != domainFormat {
		return nil, fmt.Errorf("%w: domain keys are damaged", ErrWrapped)
	}
	sealed := blob[domainHeadSize:]
	if sum := sha256.Sum256(sealed); !bytes.Equal(sum[:domainSumSize], blob[1:domainHeadSize]) {
		return nil, fmt.Errorf("%w: domain keys are damaged", ErrWrapped)
	}
	rows, err := r.Unseal(ctx, domainPurpose+deployment, sealed)
	switch {
	case errors.Is(err, root.ErrOther):
		return nil, fmt.Errorf("%w: %w", ErrRoot, err)
	case errors.Is(err, root.ErrSealed): // by this root, and intact as far as the checksum tells
		return nil, fmt.Errorf("%w: the deployment record does not belong to these domain keys, or is damaged: %w", ErrWrapped, err)
	case errors.Is(err, root.ErrUnknownVersion):
		return nil, fmt.Errorf("%w: domain keys: %w", ErrWrapped, err)
	case err != nil: // a remote root that does not answer says nothing about the blob
		return nil, fmt.Errorf("unsealing domain keys: %w", err)
	}
	return rows, nil
}

// parseDomain reads rows in ascending order of version, the current one last.
func parseDomain(rows []byte) (domainKeys, error) {
	d := domainKeys{keys: make(map[uint32]*seal.Key, len(rows)/domainRowSize)}
	for len(rows) >= domainRowSize {
		version := binary.BigEndian.Uint32(rows)
		if version <= d.current {
			return domainKeys{}, fmt.Errorf("%w: domain keys out of order", ErrWrapped)
		}
		d.keys[version] = seal.NewKey((*[seal.KeySize]byte)(rows[4:domainRowSize]))
		d.current = version
		rows = rows[domainRowSize:]
	}
	if len(rows) != 0 || d.current == 0 {
		return domainKeys{}, fmt.Errorf("%w: domain keys of a wrong length", ErrWrapped)
	}
	return d, nil
}

// newer is the error for a stored blob of a format above the known one.
func newer(what string, got, known byte) error {
	return fmt.Errorf("%w: %s: %w: format %d, this program reads format %d", ErrWrapped, what, ErrUnknownVersion, got, known)
}
