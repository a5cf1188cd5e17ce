// Package etcd is the store of a cluster of servers: an etcd deployment, version 3.4 or later.
//
// A record's revision is etcd's ModRevision, a transaction is one etcd transaction whose checks compare it, and reads are
// linearizable. A deployment owns the keys under its prefix:
//
//	<prefix>/format          dataFormat in decimal
//	<prefix>/records/<key>   a record's value, as it is
//
// etcd forgets old changes only if it is told to (--auto-compaction-retention); a watch that then comes too late gets
// store.ErrCompacted. After restoring a snapshot, which takes revisions back, every server must be restarted.
package etcd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/trent-kms/trent/internal/store"
)

const (
	// requestTimeout bounds each call to etcd, which else waits for as long as there is no quorum.
	requestTimeout = 5 * time.Second
	// keepAliveTime is after how much silence a connection is tried; etcd refuses clients that ask more often.
	keepAliveTime    = 5 * time.Second
	keepAliveTimeout = 2 * time.Second
)

// maxPrefixBytes leaves a transaction of the largest keys within etcd's limit of a request, 1.5 MiB.
const maxPrefixBytes = 256

// Config says where etcd is. Parse makes one from a URL.
type Config struct {
	// Endpoints are the members' client addresses, as host:port.
	Endpoints []string
	// Prefix begins with '/', does not end with it, and has up to 256 bytes of printable ASCII.
	Prefix string
	// TLS is how to connect; nil means without TLS.
	TLS *tls.Config
	// Username and Password log in to an etcd with authentication. Empty: without.
	Username, Password string
}

func (c Config) check() error {
	if len(c.Endpoints) == 0 {
		return errors.New("no endpoints")
	}
	if !strings.HasPrefix(c.Prefix, "/") || strings.HasSuffix(c.Prefix, "/") || len(c.Prefix) > maxPrefixBytes || !store.ValidKey(c.Prefix) {
		return fmt.Errorf("prefix %q is not /name of up to %d bytes", c.Prefix, maxPrefixBytes)
	}
	return nil
}

// Store is a store.Store in etcd.
type Store struct {
	client  *clientv3.Client
	records string // prefix of the keys of records
	format  formatKey

	// ctx ends with Close, and watches with it.
	ctx  context.Context
	stop context.CancelFunc

	mu     sync.Mutex
	closed bool
	calls  sync.WaitGroup // those that Close waits for
}

var _ store.Store = (*Store)(nil)

// Open connects to etcd and checks the format of the deployment, which it creates if there is none. It fails with
// store.ErrNewerFormat if a newer program made it.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	s := &Store{records: cfg.Prefix + "/records/", format: formatKey{key: cfg.Prefix + "/format"}}
	s.ctx, s.stop = context.WithCancel(context.Background())
	var err error
	s.client, err = connect(cfg)
	if err != nil {
		return nil, fmt.Errorf("etcd: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	if err := s.format.claim(ctx, s.client); err != nil {
		err = fmt.Errorf("etcd at %s, prefix %s: %w", strings.Join(cfg.Endpoints, ","), cfg.Prefix, err)
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func connect(cfg Config) (*clientv3.Client, error) {
	scheme := "http://"
	if cfg.TLS != nil {
		scheme = "https://"
	}
	var endpoints []string
	for _, e := range cfg.Endpoints {
		endpoints = append(endpoints, scheme+e)
	}
	return clientv3.New(clientv3.Config{
		Endpoints:            endpoints,
		TLS:                  cfg.TLS,
		Username:             cfg.Username,
		Password:             cfg.Password,
		DialTimeout:          requestTimeout,
		DialKeepAliveTime:    keepAliveTime,
		DialKeepAliveTimeout: keepAliveTimeout,
		Logger:               zap.NewNop(), // what matters comes back as errors
	})
}

// begin notes a call for Close to wait for. The caller calls end unless there is an error.
func (s *Store) begin(ctx context.Context) (end func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, store.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.calls.Add(1)
	return s.calls.Done, nil
}

// Close waits for the calls that have begun, ends watches and disconnects.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return store.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	s.stop()
	s.calls.Wait()
	return s.client.Close()
}

// Get is store.Store's Get.
func (s *Store) Get(ctx context.Context, key string) (store.Record, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Record{}, err
	}
	defer end()
	if !store.ValidKey(key) {
		return store.Record{Key: key}, nil
	}
	resp, err := s.get(ctx, s.records+key)
	if err != nil {
		return store.Record{}, fmt.Errorf("etcd: reading %s: %w", key, err)
	}
	if len(resp.Kvs) == 0 {
		return store.Record{Key: key}, nil
	}
	return s.record(resp.Kvs[0]), nil
}

func (s *Store) get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	within, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := s.client.Get(within, key, opts...)
	return resp, whose(ctx, err)
}

// whose returns the reason that the caller's context ended if that is why a call failed.
func whose(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// Range is store.Store's Range.
func (s *Store) Range(ctx context.Context, prefix, after string, limit int) (store.Page, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return store.Page{}, err
	}
	defer end()
	if err := store.CheckLimit(limit); err != nil {
		return store.Page{}, err
	}
	first, beyond := s.bounds(prefix, after)
	resp, err := s.get(ctx, first, clientv3.WithRange(beyond), clientv3.WithLimit(int64(limit)))
	if err != nil {
		return store.Page{}, fmt.Errorf("etcd: reading under %s: %w", prefix, err)
	}
	page := store.Page{More: resp.More, Revision: resp.Header.Revision}
	for _, kv := range resp.Kvs {
		page.Records = append(page.Records, s.record(kv))
	}
	return page, nil
}

// bounds returns the etcd keys between which a range lies. Where that is nothing, they are those of a range of no keys:
// the answer still has the revision.
func (s *Store) bounds(prefix, after string) (first, beyond string) {
	first = s.records + store.FirstKey(prefix, after)
	beyond = clientv3.GetPrefixRangeEnd(s.records + prefix)
	if first >= beyond {
		return s.records, s.records // no record has the empty key
	}
	return first, beyond
}

// Commit is store.Store's Commit. The client sends a transaction again only if it was certainly not sent.
func (s *Store) Commit(ctx context.Context, t store.Txn) (int64, error) {
	end, err := s.begin(ctx)
	if err != nil {
		return 0, err
	}
	defer end()
	if err := t.Validate(); err != nil {
		return 0, err
	}
	within, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := s.client.Txn(within).If(s.checks(t)...).Then(s.writes(t)...).Else(s.format.read()).Commit()
	switch {
	case errors.Is(err, rpctypes.ErrRequestTooLarge), errors.Is(err, rpctypes.ErrTooManyOps):
		return 0, fmt.Errorf("%w: this etcd has lower limits: %v", store.ErrTooLarge, err)
	case err != nil:
		return 0, fmt.Errorf("etcd: committing: %w", whose(ctx, err))
	case !resp.Succeeded:
		return 0, s.format.refusal(resp)
	}
	return resp.Header.Revision, nil
}

func (s *Store) checks(t store.Txn) []clientv3.Cmp {
	checks := make([]clientv3.Cmp, 0, len(t.Checks)+1)
	checks = append(checks, s.format.unchanged())
	for _, c := range t.Checks {
		// The ModRevision of an absent key is 0.
		checks = append(checks, clientv3.Compare(clientv3.ModRevision(s.records+c.Key), "=", c.Revision))
	}
	return checks
}

func (s *Store) writes(t store.Txn) []clientv3.Op {
	ops := make([]clientv3.Op, 0, len(t.Puts)+len(t.Deletes))
	for _, p := range t.Puts {
		ops = append(ops, clientv3.OpPut(s.records+p.Key, string(p.Value)))
	}
	for _, key := range t.Deletes {
		ops = append(ops, clientv3.OpDelete(s.records+key))
	}
	return ops
}
