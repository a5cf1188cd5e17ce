// Package store keeps Trent's records: small values under ordered keys, changed in transactions that compare
// revisions. It is untrusted: what reaches it is sealed or public, and a store that shows, loses or swaps its contents
// must not show a secret.
//
// Engines: store/bolt (one process, one file), store/etcd (many nodes) and store/memory (development, tests). All pass
// the conformance suite in store/storetest.
package store

import (
	"context"
	"errors"
	"time"
)

// Limits of one transaction, the narrowest of the engines' (etcd: 128 operations, 1.5 MiB a request).
const (
	MaxOps        = 120     // checks + puts + deletes
	MaxKeyBytes   = 1024    // a key is printable ASCII (0x21 to 0x7e), parts separated by '/'
	MaxValueBytes = 1 << 20 // of all values of a transaction together
)

// WatchBound is how long a watch may go on without knowing that it has seen all changes: a node that is cut off from
// the others learns within this time that it is.
const WatchBound = 5 * time.Second

var (
	// ErrConflict says that a check of a transaction failed: nothing was changed. Read again and decide anew.
	ErrConflict = errors.New("store: conflicting change")
	// ErrCompacted says that the changes since a revision are no longer known. Read everything again and watch from
	// the revision of that read.
	ErrCompacted = errors.New("store: revision compacted")
	// ErrClosed says that the store was closed.
	ErrClosed = errors.New("store: closed")
	// ErrTooLarge says that a key, a value or a transaction is over a limit. Nothing was changed.
	ErrTooLarge = errors.New("store: transaction too large")
	// ErrInvalid says that a call breaks the contract: a key that is empty or not printable ASCII, a key twice among
	// a transaction's writes, a page of no records. It is a bug of the caller. Nothing was changed.
	ErrInvalid = errors.New("store: invalid call")
	// ErrLocked says that another process has the store open.
	ErrLocked = errors.New("store: in use by another process")
	// ErrNewerFormat says that a newer program wrote the store, which was left as it is. The text names the versions.
	ErrNewerFormat = errors.New("store: data written by a newer version")
	// ErrCorrupt says that what was read is not what an engine writes.
	ErrCorrupt = errors.New("store: corrupt data")
)

// Record is one value as it was at a revision.
type Record struct {
	Key   string
	Value []byte // the caller's own copy
	// Revision is the store's revision when this value was written. It is never 0 and differs for each write of the
	// key, also across deletion and re-creation.
	Revision int64
}

// Check is a condition of a transaction: the record's revision is still Revision; 0 means the key does not exist.
type Check struct {
	Key      string
	Revision int64
}

// Put writes a value, which may be empty.
type Put struct {
	Key   string
	Value []byte
}

// Txn is a set of changes that happen together or not at all. A key occurs at most once among Puts and Deletes.
type Txn struct {
	Checks  []Check
	Puts    []Put
	Deletes []string // deleting an absent key is not an error
}

// Change is one change seen by a watch.
type Change struct {
	Key      string
	Value    []byte // the receiver's own copy; nil: deleted (an empty value is not nil)
	Revision int64
}

// Page is a part of a range, in ascending byte order of the keys.
type Page struct {
	Records []Record
	// More says that records follow the last one. An empty page with More does not occur.
	More bool
	// Revision is the store's revision when the page was read: a watch from it misses nothing.
	Revision int64
}

// Store is what an engine does. All methods are safe for concurrent use. Reads are linearizable: they see every
// transaction that had returned before they began, on every node.
type Store interface {
	// Get returns the record, or a Record with Revision 0 and the key when there is none; under a key that no Commit
	// would accept there is none.
	Get(ctx context.Context, key string) (Record, error)

	// Range returns up to limit (at least 1) records whose keys begin with prefix and are greater than after
	// ("" for the first page).
	Range(ctx context.Context, prefix, after string, limit int) (Page, error)

	// Commit applies t if all its checks hold and returns the revision of its writes, else ErrConflict. When it
	// returns nil, the changes are durable. After any other error than ErrConflict, ErrTooLarge, ErrInvalid and
	// ErrClosed, they may or may not have happened; the caller must read to know. A commit that has begun may finish
	// although ctx ends. An engine never applies a transaction twice. A transaction that changes nothing (no puts, and
	// deletes of absent keys only) makes no revision and returns the current one.
	Commit(ctx context.Context, t Txn) (int64, error)

	// Watch calls f for every change after revision from under prefix, in order, each transaction's changes in one
	// call, until ctx ends, f returns an error, the store is closed (ErrClosed), or the changes are no longer known
	// (ErrCompacted). It returns why it ended. f must not call the store's Close.
	// A change reaches f within WatchBound of its commit, provided that f keeps up, or else the watch ends.
	Watch(ctx context.Context, prefix string, from int64, f func([]Change) error) error

	// Close ends watches and releases the store. Methods called after it return ErrClosed.
	Close() error
}
