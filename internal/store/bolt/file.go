package bolt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/trent-kms/trent/internal/store"
)

// The file has two buckets: records (key → record, see record.go) and meta, which holds
//
//	"format"    8 bytes, big endian   dataFormat of the program that made the file
//	"revision"  8 bytes, big endian   revision of the last transaction; 0 in a new store
const dataFormat = 1

var (
	recordsBucket = []byte("records")
	metaBucket    = []byte("meta")
	formatKey     = []byte("format")
	revisionKey   = []byte("revision")
)

// lockTimeout is how long Open waits for another process to let go of the file: long enough for one that is just
// exiting, short enough for a person who started two.
const lockTimeout = time.Second

// openFile opens cfg.Path as a store of this format, or creates it.
func openFile(cfg Config) (*bbolt.DB, error) {
	db, err := lockFile(cfg.Path, cfg.NoSync)
	if err != nil {
		return nil, err
	}
	if err := prepare(db, cfg.Path); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// lockFile opens and locks the file at path and makes sure that it is still the one at path: a process that compacts
// puts a new file there and lets go of the old one.
func lockFile(path string, noSync bool) (*bbolt.DB, error) {
	var opened *os.File
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{
		Timeout:      lockTimeout,
		FreelistType: bbolt.FreelistMapType,
		NoSync:       noSync,
		OpenFile: func(name string, flag int, perm fs.FileMode) (f *os.File, err error) {
			f, err = os.OpenFile(name, flag, perm)
			opened = f
			return f, err
		},
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, store.ErrLocked
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, fmt.Errorf("%w: %v", store.ErrCorrupt, err)
	case err != nil:
		return nil, err
	}
	if err := stillAt(path, opened); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func stillAt(path string, f *os.File) error {
	there, err := os.Stat(path)
	if err != nil {
		return err
	}
	ours, err := f.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(there, ours) {
		return store.ErrLocked
	}
	return nil
}

// prepare checks the format of the locked file, and gives a new one its buckets.
func prepare(db *bbolt.DB, path string) error {
	empty := false
	err := db.View(func(tx *bbolt.Tx) error {
		meta := tx.Bucket(metaBucket)
		if meta == nil {
			first, _ := tx.Cursor().First()
			if empty = first == nil; empty {
				return nil
			}
			return fmt.Errorf("%w: another program's file", store.ErrCorrupt)
		}
		return checkFormat(tx)
	})
	if err != nil || !empty {
		return err
	}
	if err := db.Update(create); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func checkFormat(tx *bbolt.Tx) error {
	format, err := readNumber(tx, formatKey)
	if err != nil {
		return err
	}
	if format > dataFormat {
		return fmt.Errorf("%w: it has data format %d, this program knows %d", store.ErrNewerFormat, format, dataFormat)
	}
	if format != dataFormat || tx.Bucket(recordsBucket) == nil {
		return fmt.Errorf("%w: data format %d", store.ErrCorrupt, format)
	}
	_, err = readRevision(tx)
	return err
}

// create gives a new file its buckets.
func create(tx *bbolt.Tx) error {
	if _, err := tx.CreateBucket(recordsBucket); err != nil {
		return err
	}
	if _, err := tx.CreateBucket(metaBucket); err != nil {
		return err
	}
	if err := writeNumber(tx, formatKey, dataFormat); err != nil {
		return err
	}
	return writeNumber(tx, revisionKey, 0)
}

// readRevision returns the revision of the last transaction.
func readRevision(tx *bbolt.Tx) (int64, error) { return readNumber(tx, revisionKey) }

func readNumber(tx *bbolt.Tx, key []byte) (int64, error) {
	b := tx.Bucket(metaBucket).Get(key)
	if len(b) != 8 {
		return 0, fmt.Errorf("%w: no %s", store.ErrCorrupt, key)
	}
	n := int64(binary.BigEndian.Uint64(b))
	if n < 0 {
		return 0, fmt.Errorf("%w: %s %d", store.ErrCorrupt, key, n)
	}
	return n, nil
}

func writeNumber(tx *bbolt.Tx, key []byte, n int64) error {
	return tx.Bucket(metaBucket).Put(key, binary.BigEndian.AppendUint64(nil, uint64(n)))
}

// syncDir makes the names in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
