package kms

import (
	"time"

	"github.com/trent-kms/trent/internal/store"
)

// DecodeGrant is decodeGrant.
func DecodeGrant(b []byte) (*Grant, error) { return decodeGrant(b) }

// Path is path.
func (g *Grant) Path() string { return g.path() }

// Indexes is indexes.
func (g *Grant) Indexes() ([]store.Put, error) { return g.indexes() }

// GoneAt says whether a key's waiting period is over.
func (k *Key) GoneAt(now time.Time) bool {
	_, gone := k.stateAt(now)
	return gone
}

// MaxGrants is maxGrants.
const MaxGrants = maxGrants
