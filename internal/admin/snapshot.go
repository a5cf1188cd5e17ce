package admin

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/trent-kms/trent/internal/store"
)

// A snapshot is the whole state of a development server in one piece:
//
//	trent-snapshot:1⏎ ‖ SHA-256 of the rest (32) ‖ { length of key (uvarint) ‖ key ‖ length of value (uvarint) ‖ value } …
//
// The records are those of the store, in ascending order of their keys. The domain keys in the deployment's record are
// sealed by a key that everybody knows (root.Public), so that a snapshot opens in every development server: whoever has
// a snapshot has all key material in it.
const (
	snapshotMagic   = "trent-snapshot:"
	snapshotVersion = "1"
	snapshotHead    = snapshotMagic + snapshotVersion + "\n"
)

// MaxSnapshotBytes is the largest snapshot: about 250,000 keys.
const MaxSnapshotBytes = 256 << 20

// ErrSnapshot says that a snapshot cannot be used: it is damaged, of another kind or of a newer Trent; the text says
// which. Nothing was changed.
var ErrSnapshot = errors.New("not a usable snapshot")

// EncodeSnapshot makes a snapshot of records in ascending order of their keys.
func EncodeSnapshot(records []store.Record) []byte {
	size := len(snapshotHead) + sha256.Size
	for _, r := range records {
		size += len(r.Key) + len(r.Value) + 2*binary.MaxVarintLen32
	}
	b := append(make([]byte, 0, size), snapshotHead...)
	b = append(b, make([]byte, sha256.Size)...)
	for _, r := range records {
		b = append(binary.AppendUvarint(b, uint64(len(r.Key))), r.Key...)
		b = append(binary.AppendUvarint(b, uint64(len(r.Value))), r.Value...)
	}
	body := b[len(snapshotHead)+sha256.Size:]
	sum := sha256.Sum256(body)
	copy(b[len(snapshotHead):], sum[:])
	return b
}

// DecodeSnapshot returns the records of a snapshot, or ErrSnapshot. The values share b's memory.
func DecodeSnapshot(b []byte) ([]store.Put, error) {
	rest, ok := bytes.CutPrefix(b, []byte(snapshotMagic))
	version, rest, line := bytes.Cut(rest, []byte("\n"))
	switch {
	case !ok || !line || len(version) > 8:
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrSnapshot, snapshotMagic)
	case string(version) != snapshotVersion:
		return nil, fmt.Errorf("%w: it has format %q, this program reads format %s", ErrSnapshot, version, snapshotVersion)
	case len(rest) < sha256.Size:
		return nil, damaged("it is cut short")
	}
	body := rest[sha256.Size:]
	if sum := sha256.Sum256(body); !bytes.Equal(sum[:], rest[:sha256.Size]) {
		return nil, damaged("its checksum is another")
	}
	var records []store.Put
	last := ""
	for len(body) > 0 {
		var key, value []byte
		if key, body, ok = cutField(body); ok {
			value, body, ok = cutField(body)
		}
		if !ok || !store.ValidKey(string(key)) || string(key) <= last || len(value) > store.MaxValueBytes {
			return nil, damaged("record %d is malformed", len(records)+1)
		}
		last = string(key)
		records = append(records, store.Put{Key: last, Value: value})
	}
	return records, nil
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: damaged: "+format, append([]any{ErrSnapshot}, args...)...)
}

// cutField reads a field and its length, in the shortest form only, from the front of b.
func cutField(b []byte) (field, rest []byte, ok bool) {
	n, width := binary.Uvarint(b)
	if width <= 0 || n > uint64(len(b)-width) || width > 1 && b[width-1] == 0 {
		return nil, nil, false
	}
	b = b[width:]
	return b[:n], b[n:], true
}
