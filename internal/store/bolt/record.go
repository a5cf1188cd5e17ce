package bolt

import (
	"encoding/binary"
	"fmt"

	"github.com/trent-kms/trent/internal/store"
)

// A stored record is
//
//	offset 0, 1 byte    recordFormat
//	offset 1, 8 bytes   revision, big endian, greater than 0
//	offset 9            the value
const (
	recordFormat     = 1
	recordHeaderSize = 9
)

// encodeRecord returns the stored form of a value written at a revision.
func encodeRecord(revision int64, value []byte) []byte {
	b := make([]byte, 0, recordHeaderSize+len(value))
	b = append(b, recordFormat)
	b = binary.BigEndian.AppendUint64(b, uint64(revision))
	return append(b, value...)
}

// decodeRecord returns the revision and the value of a stored record. The value is a part of b.
func decodeRecord(b []byte) (revision int64, value []byte, err error) {
	if len(b) > 0 && b[0] > recordFormat {
		return 0, nil, fmt.Errorf("%w: a record has format %d, this program knows %d", store.ErrNewerFormat, b[0], recordFormat)
	}
	if len(b) < recordHeaderSize || b[0] != recordFormat {
		return 0, nil, fmt.Errorf("%w: a record of %d bytes without its header", store.ErrCorrupt, len(b))
	}
	revision = int64(binary.BigEndian.Uint64(b[1:]))
	if revision <= 0 {
		return 0, nil, fmt.Errorf("%w: a record of revision %d", store.ErrCorrupt, revision)
	}
	return revision, b[recordHeaderSize:], nil
}

// copyRecord decodes b, which lies in the mapped file, into a record that outlives the transaction.
func copyRecord(key string, b []byte) (store.Record, error) {
	revision, value, err := decodeRecord(b)
	if err != nil {
		return store.Record{}, fmt.Errorf("key %s: %w", key, err)
	}
	value = append(make([]byte, 0, len(value)), value...)
	return store.Record{Key: key, Value: value, Revision: revision}, nil
}
