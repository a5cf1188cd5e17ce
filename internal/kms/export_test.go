package kms

import (
	"log/slog"
	"time"

	kmsapi "github.com/trent-kms/trent/internal/api/kms"
)

// What the tests of package kms_test, which drive a whole server, must know of the records that it leaves behind.

// DecodeKey is decodeKey.
func DecodeKey(b []byte) (*Key, error) { return decodeKey(b) }

func decodeKey(b []byte) (*Key, error) {
	s := &Service{log: slog.New(slog.DiscardHandler)}
	return s.decodeKey(b)
}

// DecodeAlias is decodeAlias.
func DecodeAlias(b []byte) (*Alias, error) { return decodeAlias(b) }

// Indexes is indexes.
func (k *Key) Indexes() []string { return k.indexes() }

// DefaultPolicy is defaultPolicy.
func DefaultPolicy(account string) string { return defaultPolicy(account) }

// StateAt is stateAt.
func (k *Key) StateAt(now time.Time) (kmsapi.KeyState, bool) { return k.stateAt(now) }
