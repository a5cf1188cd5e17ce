package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/etcd"
	"github.com/trent-kms/trent/internal/store/etcd/etcdtest"
	"github.com/trent-kms/trent/internal/store/storetest"
)

// TestEtcd runs everything that needs a healthy cluster on one, each test under its own prefix.
func TestEtcd(t *testing.T) {
	c := &cluster{Cluster: etcdtest.Start(t)}
	c.client = c.Client()
	t.Run("keeps the contract", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Harness { return c.harness(t, plain) })
	})
	t.Run("keeps the contract through the cache", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) storetest.Harness { return c.harness(t, cached) })
	})
	for name, test := range map[string]func(*testing.T, *cluster){
		"deployments under different prefixes do not see each other":   testPrefixes,
		"a newer data format is refused and left alone":                testNewerFormat,
		"no commit goes into a deployment that has another format now": testFormatChanged,
		"two servers of one deployment both commit":                    testReopenedFormat,
	} {
		t.Run(name, func(t *testing.T) { test(t, c) })
	}
}

type cluster struct {
	*etcdtest.Cluster
	client *clientv3.Client
	n      atomic.Int64
}

// config has a prefix of its own.
func (c *cluster) config() etcd.Config {
	return etcd.Config{Endpoints: c.Endpoints(), Prefix: fmt.Sprint("/test/", c.n.Add(1))}
}

func plain(s store.Store) store.Store { return s }

func cached(s store.Store) store.Store { return store.NewCached(s) }

func (c *cluster) harness(t *testing.T, layer func(store.Store) store.Store) storetest.Harness {
	cfg := c.config()
	s := layer(open(t, cfg))
	t.Cleanup(func() { s.Close() })
	node := func(t *testing.T) store.Store {
		n := layer(open(t, cfg))
		t.Cleanup(func() { n.Close() })
		return n
	}
	return storetest.Harness{
		Store: s,
		Node:  node,
		Reopen: func(t *testing.T) store.Store {
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			return node(t)
		},
		Forget: func(t *testing.T) {
			// etcd keeps the change at the revision to which it compacts.
			revision, err := s.Commit(t.Context(), put("last", ""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.client.Compact(t.Context(), revision, clientv3.WithCompactPhysical()); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// open opens a store; the test closes it.
func open(t testing.TB, cfg etcd.Config) *etcd.Store {
	t.Helper()
	s, err := etcd.Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(key, value string) store.Txn {
	return store.Txn{Puts: []store.Put{{Key: key, Value: []byte(value)}}}
}

func testPrefixes(t *testing.T, c *cluster) {
	one := c.config()
	other := one
	other.Prefix += "0" // so that one prefix begins the other
	nested := one
	nested.Prefix += "/records"
	for _, cfg := range []etcd.Config{one, other, nested} {
		if _, err := open(t, cfg).Commit(t.Context(), put("a", cfg.Prefix)); err != nil {
			t.Fatal(err)
		}
	}
	for _, cfg := range []etcd.Config{one, other} {
		p, err := open(t, cfg).Range(t.Context(), "a", "", 10)
		if err != nil || len(p.Records) != 1 || string(p.Records[0].Value) != cfg.Prefix {
			t.Errorf("%s: got %+v and error %v", cfg.Prefix, p.Records, err)
		}
	}
}

func testNewerFormat(t *testing.T, c *cluster) {
	for value, want := range map[string]error{"2": store.ErrNewerFormat, "100": store.ErrNewerFormat,
		"0": store.ErrCorrupt, "": store.ErrCorrupt, "one": store.ErrCorrupt} {
		cfg := c.config()
		put, err := c.client.Put(t.Context(), cfg.Prefix+"/format", value)
		if err != nil {
			t.Fatal(err)
		}
		s, err := etcd.Open(t.Context(), cfg)
		if !errors.Is(err, want) || s != nil {
			t.Errorf("format %q: got error %v, want %v", value, err, want)
		}
		if want == store.ErrNewerFormat && !strings.Contains(err.Error(), "data format "+value+", this program knows 1") {
			t.Errorf("error %q does not name the versions", err)
		}
		now, err := c.client.Get(t.Context(), cfg.Prefix, clientv3.WithPrefix())
		if err != nil || len(now.Kvs) != 1 || now.Kvs[0].ModRevision != put.Header.Revision {
			t.Errorf("format %q: the deployment changed: %+v, error %v", value, now.Kvs, err)
		}
	}
}

func testFormatChanged(t *testing.T, c *cluster) {
	for name, change := range map[string]struct {
		op   func(key string) clientv3.Op
		want error
	}{
		"newer":          {func(key string) clientv3.Op { return clientv3.OpPut(key, "2") }, store.ErrNewerFormat},
		"gone":           {func(key string) clientv3.Op { return clientv3.OpDelete(key) }, store.ErrCorrupt},
		"made once more": {func(key string) clientv3.Op { return clientv3.OpPut(key, "1") }, store.ErrCorrupt},
	} {
		cfg := c.config()
		s := open(t, cfg)
		if _, err := s.Commit(t.Context(), put("a", "1")); err != nil {
			t.Fatal(err)
		}
		if _, err := c.client.Do(t.Context(), change.op(cfg.Prefix+"/format")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Commit(t.Context(), put("a", "2")); !errors.Is(err, change.want) {
			t.Errorf("%s: got error %v, want %v", name, err, change.want)
		}
		if r, err := s.Get(t.Context(), "a"); err != nil || string(r.Value) != "1" {
			t.Errorf("%s: got %q and error %v", name, r.Value, err)
		}
	}
}

// A second opening must not write the format anew: that would stop the commits of the first.
func testReopenedFormat(t *testing.T, c *cluster) {
	cfg := c.config()
	first := open(t, cfg)
	second := open(t, cfg)
	for _, s := range []store.Store{first, second, first} {
		if _, err := s.Commit(t.Context(), put("a", "1")); err != nil {
			t.Error(err)
		}
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for name, cfg := range map[string]etcd.Config{
		"no endpoints":        {Prefix: "/trent"},
		"no prefix":           {Endpoints: []string{"127.0.0.1:1"}},
		"prefix without root": {Endpoints: []string{"127.0.0.1:1"}, Prefix: "trent"},
		"prefix of a root":    {Endpoints: []string{"127.0.0.1:1"}, Prefix: "/"},
		"prefix with an end":  {Endpoints: []string{"127.0.0.1:1"}, Prefix: "/trent/"},
		"prefix with a space": {Endpoints: []string{"127.0.0.1:1"}, Prefix: "/my trent"},
		"long prefix":         {Endpoints: []string{"127.0.0.1:1"}, Prefix: "/" + strings.Repeat("x", 256)},
	} {
		if s, err := etcd.Open(t.Context(), cfg); err == nil || s != nil {
			t.Errorf("%s: opened", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := etcd.Open(ctx, etcd.Config{Endpoints: []string{"127.0.0.1:1"}, Prefix: "/trent"})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "127.0.0.1:1") {
		t.Errorf("nobody listens: got error %v", err)
	}
}

func BenchmarkEtcd(b *testing.B) {
	c := etcdtest.Start(b)
	storetest.Benchmark(b, func(b *testing.B) store.Store {
		return open(b, etcd.Config{Endpoints: c.Endpoints(), Prefix: "/bench"})
	})
}
