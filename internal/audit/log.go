package audit

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

var (
	// ErrClosed says that the log was closed.
	ErrClosed = errors.New("audit: log is closed")
	// ErrLocked says that the log is already open, in this process or in another one.
	ErrLocked = errors.New("audit: log is in use")
	// ErrTooLarge says that an event would make a line longer than readers take; only an absurd number of resources
	// can. Nothing was written.
	ErrTooLarge = errors.New("audit: event too large")
)

// SyncMode says when a record counts as written.
type SyncMode int

const (
	// SyncEach is for production: Append returns when the record is on disk. Records of callers that come while the
	// disk is busy share the next sync.
	SyncEach SyncMode = iota
	// SyncOS is for development: Append returns when the operating system has the record. It survives the death of
	// the process, not a power cut.
	SyncOS
)

// DefaultSegmentBytes is the size of segments unless Config says otherwise. Open reads the newest segment whole, so it
// also bounds how long a start takes.
const DefaultSegmentBytes = 64 << 20

// maxBatchBytes bounds the events that are written together, and with them the writer's buffer. One larger event makes
// a batch of its own.
const maxBatchBytes = 1 << 20

// Config says where and how a log is kept.
type Config struct {
	Dir  string // made if missing (0700); one Log at a time may have it open
	Sync SyncMode
	// SegmentBytes is the size after which a new segment begins; 0 is DefaultSegmentBytes. A segment ends with a
	// batch, so it may be larger by one batch.
	SegmentBytes int64

	disk disk // nil: the real one
}

// Log is an open audit log. Its methods are safe for concurrent use.
type Log struct {
	mu   sync.Mutex
	next *batch // what callers are joining; nil: the next caller begins one

	write   sync.Mutex // held by the caller that writes; taken before mu
	w       writer
	closed  bool
	tailCut int64
	unlock  func() error // lets others open the log
	failing atomic.Bool
	buffers sync.Pool // of *[]byte
}

// batch is events that are written together. The caller that began it writes it for all.
type batch struct {
	events [][]byte
	bytes  int
	done   chan struct{} // closed when err is set
	err    error
}

// Append writes e as the log's next record and returns when it is as durable as the SyncMode promises. It takes the
// time that takes and does not listen to ctx: by now the operation has happened, and a caller that has gone away is no
// reason to forget it.
//
// After an error the record may or may not be in the log, and the answer must not leave. The log takes back what it
// may have written or, where it cannot know what is on disk (a failed sync), goes on in a new segment; the next Append
// tries again. So one failure, such as a full disk, does not outlast its cause, and nothing is ever written behind
// bytes of unknown state.
func (l *Log) Append(_ context.Context, e *Event) error {
	buf, _ := l.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	*buf = e.AppendJSON((*buf)[:0])
	err := l.append(*buf)
	if cap(*buf) <= 64<<10 {
		l.buffers.Put(buf)
	}
	return err
}

func (l *Log) append(event []byte) error {
	if len(event) > maxLineBytes-1<<10 {
		return fmt.Errorf("%w: %d bytes", ErrTooLarge, len(event))
	}
	b, first := l.join(event)
	if !first {
		<-b.done
		return b.err
	}
	l.gather(b)
	l.write.Lock()
	l.detach(b)
	if b.err = ErrClosed; !l.closed {
		b.err = l.w.write(b.events)
	}
	l.failing.Store(b.err != nil)
	l.write.Unlock()
	close(b.done)
	return b.err
}

// join adds an event to the batch that is waiting for the disk, or begins one.
func (l *Log) join(event []byte) (b *batch, first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == nil || l.next.bytes+len(event) > maxBatchBytes {
		l.next = &batch{done: make(chan struct{})}
		first = true
	}
	l.next.events = append(l.next.events, event)
	l.next.bytes += len(event)
	return l.next, first
}

// gather waits while others join b: those who can run now and are on their way here. A write costs the same for one
// record as for ten, and with nobody about this costs next to nothing.
func (l *Log) gather(b *batch) {
	for joined := 1; ; {
		runtime.Gosched()
		l.mu.Lock()
		n := len(b.events)
		l.mu.Unlock()
		if n == joined {
			return
		}
		joined = n
	}
}

// detach ends joining b.
func (l *Log) detach(b *batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.next == b {
		l.next = nil
	}
}

// Failing reports whether the last attempt to write a record failed: from an Append that failed, because of the disk or
// because the log is closed, until one succeeds. It takes no lock. A server that is Failing is not ready, and should
// refuse calls that would change something before they do, because nobody could be told the result. Only an Append ends
// the state, so calls that change nothing must still be let through to try.
//
// An event refused with ErrTooLarge says nothing about the log and does not count.
func (l *Log) Failing() bool { return l.failing.Load() }

// Close waits for the batch that is being written, cuts the zeros behind the last record, syncs and closes the log, and
// lets others open it.
// Appends that come later, or are still waiting, get ErrClosed. Closing again does nothing.
func (l *Log) Close() error {
	l.write.Lock()
	defer l.write.Unlock()
	if l.closed {
		return nil
	}
	l.closed = true
	return errors.Join(l.w.close(), l.unlock())
}

// TailCut returns how many bytes of records that nobody was promised Open removed from the end of the log: what a
// crash had left of a write. Worth a line in the server's log.
func (l *Log) TailCut() int64 { return l.tailCut }
