package etcd

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trent-kms/trent/internal/store"
)

// The etcd client hides a lost connection: it goes on with the watch when it has a new one, however long that takes. And
// a member that is cut off from the others serves watches without knowing what it misses. So a probe reads the revision
// of the cluster (linearizably) every probeInterval and sees to it that the watch reaches it; if for store.WatchBound it
// has not, the watch ends.
const (
	probeInterval = time.Second
	probeAttempt  = 500 * time.Millisecond
)

// errBehind says that a watch could not be shown to be up to date.
var errBehind = errors.New("etcd: watch is cut off or behind")

// Watch is store.Store's Watch.
func (s *Store) Watch(ctx context.Context, prefix string, from int64, f func([]store.Change) error) error {
	end, err := s.begin(ctx)
	if err != nil {
		return err
	}
	defer end()
	within, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(store.ErrClosed) })()

	w := &watch{store: s, watcher: clientv3.NewWatcher(s.client), progress: make(chan struct{}, 1)}
	defer w.watcher.Close()
	probed := make(chan struct{})
	go func() {
		defer close(probed)
		cancel(w.probe(within))
	}()
	err = w.follow(within, s.records+prefix, from, f)
	cancel(nil)
	<-probed
	return err
}

// watch is one running Watch.
type watch struct {
	store   *Store
	watcher clientv3.Watcher
	// seen is the revision up to which all changes have been given to the caller.
	seen     atomic.Int64
	progress chan struct{} // has an element when seen has grown
}

// follow gives the changes to f.
func (w *watch) follow(ctx context.Context, prefix string, from int64, f func([]store.Change) error) error {
	// A member without a leader ends the watch; that is often sooner than the probe would.
	stream := w.watcher.Watch(clientv3.WithRequireLeader(ctx), prefix,
		clientv3.WithPrefix(), clientv3.WithRev(from+1), clientv3.WithFragment())
	for resp := range stream {
		if err := resp.Err(); err != nil {
			return watchError(ctx, err)
		}
		if err := w.deliver(resp.Events, f); err != nil {
			return err
		}
		w.saw(resp)
		if ctx.Err() != nil {
			break // it may have ended while f ran; what is buffered would still come
		}
	}
	return watchError(ctx, errBehind)
}

func watchError(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, rpctypes.ErrCompacted):
		return store.ErrCompacted
	}
	return fmt.Errorf("etcd: watching: %w", err)
}

// deliver calls f once for each transaction. etcd sends the events of a transaction in one response, and the client puts
// together what was sent in fragments.
func (w *watch) deliver(events []*clientv3.Event, f func([]store.Change) error) error {
	var txn []store.Change
	for i, e := range events {
		txn = append(txn, w.store.change(e))
		if i+1 < len(events) && events[i+1].Kv.ModRevision == e.Kv.ModRevision {
			continue
		}
		if err := f(txn); err != nil {
			return err
		}
		txn = nil
	}
	return nil
}

// saw notes how far the watch has come.
func (w *watch) saw(resp clientv3.WatchResponse) {
	revision := int64(0)
	if n := len(resp.Events); n > 0 {
		revision = resp.Events[n-1].Kv.ModRevision
	} else if resp.IsProgressNotify() {
		revision = resp.Header.Revision
	}
	if revision > w.seen.Load() { // only this goroutine writes it
		w.seen.Store(revision)
		select {
		case w.progress <- struct{}{}:
		default:
		}
	}
}

// probe returns when ctx ends or the watch has not been up to date for too long.
func (w *watch) probe(ctx context.Context) error {
	tick := time.NewTicker(probeInterval)
	defer tick.Stop()
	upToDate := time.Now()
	for {
		began := time.Now()
		if !w.reaches(ctx, upToDate.Add(store.WatchBound)) {
			return errBehind
		}
		upToDate = began
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// reaches reports whether the watch sees all that the cluster now has before the deadline. It goes on trying until then:
// there is no revision to read while the members elect a leader, and an answer may go down with a connection.
func (w *watch) reaches(ctx context.Context, deadline time.Time) bool {
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	revision := int64(0)
	for ctx.Err() == nil {
		if revision == 0 {
			revision = w.present(ctx)
		}
		if revision != 0 && w.seen.Load() >= revision {
			return true
		}
		w.progressOrPause(ctx)
	}
	return false
}

// present returns the revision of the cluster, or 0.
func (w *watch) present(ctx context.Context) int64 {
	ctx, cancel := context.WithTimeout(ctx, probeAttempt)
	defer cancel()
	resp, err := w.store.client.Get(ctx, w.store.format.key, clientv3.WithKeysOnly())
	if err != nil {
		return 0
	}
	return resp.Header.Revision
}

// progressOrPause asks how far the watch is and returns when it has come further, or after a while.
func (w *watch) progressOrPause(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, probeAttempt)
	defer cancel()
	_ = w.watcher.RequestProgress(clientv3.WithRequireLeader(ctx)) // without an answer nothing is taken as seen
	select {
	case <-w.progress:
	case <-ctx.Done():
	}
}
