package bolt

import (
	"context"
	"fmt"
	"slices"

	"go.etcd.io/bbolt"

	"github.com/trent-kms/trent/internal/store"
)

// One goroutine writes. It takes the transactions that wait, applies them one after the other inside one transaction of
// the file, waits for the disk once and then answers all: the more callers there are, the more share a wait.

// maxBatch is the greatest number of transactions that share a wait.
const maxBatch = 256

// maxBatchBytes is the size of values after which a batch takes no more, so that a burst of large transactions does not
// lie in memory twice.
const maxBatchBytes = 8 << 20

// job is something for the writer goroutine. Exactly one answer is sent to reply, which has room for it.
type job struct {
	txn     store.Txn
	compact context.Context // not nil: compact the file instead
	reply   chan answer
}

type answer struct {
	revision int64
	err      error
}

// Commit is store.Store's Commit. It waits for the outcome also when ctx ends meanwhile: only an error of the disk leaves
// the caller in doubt.
func (s *Store) Commit(ctx context.Context, t store.Txn) (int64, error) {
	if s.closed() {
		return 0, store.ErrClosed
	}
	if err := t.Validate(); err != nil {
		return 0, err
	}
	return s.submit(ctx, job{txn: t})
}

// submit gives the writer a job and waits for its answer.
func (s *Store) submit(ctx context.Context, j job) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	j.reply = make(chan answer, 1)
	select {
	case s.jobs <- j:
	case <-s.closing:
		return 0, store.ErrClosed
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	select {
	case a := <-j.reply:
		return a.revision, a.err
	case <-s.done:
	}
	// The writer has ended. It answered this job before, or the job came too late to be taken.
	select {
	case a := <-j.reply:
		return a.revision, a.err
	default:
		return 0, store.ErrClosed
	}
}

// write is the writer goroutine.
func (s *Store) write() {
	defer close(s.done)
	for {
		select {
		case j := <-s.jobs:
			s.handle(j)
		case <-s.closing:
			return
		}
	}
}

// handle does a job, and the commits that wait behind it if it is a commit.
func (s *Store) handle(first job) {
	if first.compact != nil {
		first.reply <- answer{err: s.compact(first.compact)}
		return
	}
	batch, rest := s.drain(first)
	answers := s.commit(batch)
	for i, j := range batch {
		j.reply <- answers[i]
	}
	if rest.compact != nil {
		s.handle(rest)
	}
}

// drain returns first and the commits that wait, up to the first job that is no commit.
func (s *Store) drain(first job) (batch []job, rest job) {
	batch = append(batch, first)
	bytes := size(first.txn)
	for len(batch) < maxBatch && bytes < maxBatchBytes {
		select {
		case j := <-s.jobs:
			if j.compact != nil {
				return batch, j
			}
			batch = append(batch, j)
			bytes += size(j.txn)
		default:
			return batch, job{}
		}
	}
	return batch, job{}
}

func size(t store.Txn) int {
	n := 0
	for _, p := range t.Puts {
		n += len(p.Value)
	}
	return n
}

// commit applies the batch and returns an answer for each. Watches see the changes before the callers hear of them.
func (s *Store) commit(batch []job) []answer {
	answers := make([]answer, len(batch))
	changes := make([][]store.Change, len(batch))
	err := s.update(func(tx *bbolt.Tx, revision int64) (int64, error) {
		for i, j := range batch {
			var err error
			changes[i], err = apply(tx, j.txn, revision+1)
			if err != nil && err != store.ErrConflict {
				return 0, err // the file's; nothing of the batch is kept
			}
			if len(changes[i]) > 0 {
				revision++
			}
			answers[i] = answer{revision, err}
		}
		return revision, nil
	})
	if err != nil {
		// Conflicts too: they may have been with a part of this batch, which now is in doubt.
		return slices.Repeat([]answer{{err: fmt.Errorf("committing: %w", err)}}, len(batch))
	}
	for i, c := range changes {
		if len(c) > 0 {
			s.feed.Append(answers[i].revision, c)
		}
		if answers[i].err != nil {
			answers[i].revision = 0
		}
	}
	return answers
}

// update runs f in a write transaction of the file. f is given the revision and returns the new one; if that is the same
// there is nothing to wait for.
func (s *Store) update(f func(tx *bbolt.Tx, revision int64) (int64, error)) error {
	if s.failed != nil {
		return s.failed
	}
	tx, err := s.db.Begin(true)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	before, err := readRevision(tx)
	if err != nil {
		return err
	}
	after, err := f(tx, before)
	if err != nil || after == before {
		return err
	}
	if err := writeNumber(tx, revisionKey, after); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		s.fail(err)
		return err
	}
	return nil
}

// fail ends commits until the store is opened anew. After an error of the disk the kernel may have dropped what it could
// not write, and a later fsync says nothing about it: only reading the file again shows what it holds.
func (s *Store) fail(err error) {
	s.failed = fmt.Errorf("no commits until the store is opened again, because one failed: %w", err)
}

// apply makes t's changes at a revision if its checks hold, else returns ErrConflict and has changed nothing.
func apply(tx *bbolt.Tx, t store.Txn, revision int64) ([]store.Change, error) {
	records := tx.Bucket(recordsBucket)
	for _, c := range t.Checks {
		is, err := currentRevision(records, c.Key)
		if err != nil {
			return nil, err
		}
		if is != c.Revision {
			return nil, store.ErrConflict
		}
	}
	changes := make([]store.Change, 0, len(t.Puts)+len(t.Deletes))
	for _, p := range t.Puts {
		b := encodeRecord(revision, p.Value)
		if err := records.Put([]byte(p.Key), b); err != nil {
			return nil, err
		}
		// b is ours: bbolt keeps it only until the commit, and never changes it.
		changes = append(changes, store.Change{Key: p.Key, Value: b[recordHeaderSize:], Revision: revision})
	}
	for _, key := range t.Deletes {
		if records.Get([]byte(key)) == nil {
			continue
		}
		if err := records.Delete([]byte(key)); err != nil {
			return nil, err
		}
		changes = append(changes, store.Change{Key: key, Revision: revision})
	}
	return changes, nil
}

// currentRevision returns the revision of a record, 0 if there is none.
func currentRevision(records *bbolt.Bucket, key string) (int64, error) {
	b := records.Get([]byte(key))
	if b == nil {
		return 0, nil
	}
	revision, _, err := decodeRecord(b)
	return revision, err
}
