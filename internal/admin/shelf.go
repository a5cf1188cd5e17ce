package admin

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"

	"github.com/trent-kms/trent/internal/api"
)

// Shelf has room for one snapshot: the last that was made here, or that was brought in. Larger things than one request
// or answer can hold come and go through it in parts. It outlives the state that a restore replaces. Safe for
// concurrent use.
type Shelf struct {
	mu   sync.Mutex
	id   string
	data []byte // of a snapshot that is being brought in: what has come so far
}

// SnapshotID names a snapshot by what it holds: 64 hexadecimal digits.
func SnapshotID(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// put puts a whole snapshot on the shelf and returns its id.
func (s *Shelf) put(data []byte) string {
	id := SnapshotID(data)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.id, s.data = id, data
	return id
}

// write adds a part at the end of a snapshot. A part at the beginning makes room for it.
func (s *Shelf) write(id string, offset int, part []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if offset == 0 {
		s.id, s.data = id, nil
	}
	switch {
	case s.id != id || offset != len(s.data):
		return api.ValidationException("The server does not have the first %d bytes of snapshot %s: begin again at 0.", offset, id)
	case offset+len(part) > MaxSnapshotBytes:
		return api.ValidationException("A snapshot can be %d bytes long.", MaxSnapshotBytes)
	}
	s.data = append(s.data, part...)
	return nil
}

// read returns the snapshot as far as it is there. The caller must not change it.
func (s *Shelf) read(id string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.id != id {
		return nil, api.ValidationException("The server does not have snapshot %s: it keeps the last one only.", id)
	}
	return s.data, nil
}
