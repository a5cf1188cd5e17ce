// Package server puts the house together and opens its door: it makes or opens the deployment, builds the services, and
// serves them on one listener until it is told to stop.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"github.com/trent-kms/trent/internal/admin"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/service"
	"github.com/trent-kms/trent/internal/store"
)

// Config says what to serve.
type Config struct {
	Store   store.Store // closed by Server.Close
	Engine  string      // its name, for the status: memory, bbolt, etcd
	Root    root.Root
	Audit   audit.Config
	Dev     bool
	Version string
	// Account is the account of the administrator, made at the first start; empty chooses one. Later starts ignore it.
	Account string
	// Regions are served; nil, in development only, serves any.
	Regions []string
	// Administrator keeps the administrator's credentials, durably. Called at the first start in production.
	Administrator func(account string, key iam.AccessKey) error
	// Withdraw takes back what Administrator kept, because another node was first. Needed with it.
	Withdraw func(accessKeyID string) error
	// Seed are keys that a development server makes before it serves, where they do not exist.
	Seed []kms.SeedKey
	Log  *slog.Logger
}

// Server is a deployment with its services built. Safe for concurrent use.
type Server struct {
	config Config
	audit  *audit.Log
	shelf  *admin.Shelf

	// turn is held for reading by every request to a development server, and for writing while its state is replaced.
	// In production nothing is ever replaced, and nobody takes it.
	turn       sync.RWMutex
	deployment *deployment
	current    *services   // nil when they could not be made
	broken     atomic.Bool // current is nil, and stays so

	underWay sync.WaitGroup // requests in their handlers
	health   health

	endpoints sync.Map // id → *authz.Endpoint, of the listeners
}

// New opens the deployment, or makes it, and builds the services. When it fails everything that was in Config is closed.
func New(ctx context.Context, c Config) (*Server, error) {
	s := &Server{config: c, shelf: new(admin.Shelf)}
	if err := s.open(ctx, c.Seed); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// administrators returns the account that may administer; in development every account may.
func administrators(c Config, d *deployment) string {
	if c.Dev {
		return ""
	}
	return d.Account
}

// destroyAfter lets production sleep over the destruction of a key (see kms.Config). The virtual clock of a development
// server is moved on purpose.
func destroyAfter(c Config) time.Duration {
	if c.Dev {
		return 0
	}
	return 24 * time.Hour
}

// Close releases everything: nothing may be served any more. The store goes before the audit log, so that nothing can
// change that cannot be written down.
func (s *Server) Close() error {
	errs := []error{s.end(), s.config.Store.Close()}
	if s.audit != nil {
		errs = append(errs, s.audit.Close())
	}
	return errors.Join(errs...)
}

// Account is the account of the deployment's administrator.
func (s *Server) Account() string {
	s.turn.RLock()
	defer s.turn.RUnlock()
	return s.deployment.Account
}

// Handler serves the services, and health for those who only want to know that.
func (s *Server) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.underWay.Add(1)
		defer s.underWay.Done()
		switch {
		case s.config.Dev && !localHost(r):
			http.Error(w, "a development server answers to the names of this machine only", http.StatusForbidden)
		case r.Header["Cookie"] != nil:
			// No client of these services has cookies. HTTP/2 lets one byte stand for kilobytes of them, so nothing
			// may wait that has any.
			http.Error(w, "cookies are not accepted", http.StatusBadRequest)
		case r.URL.Path == "/healthz" && isRead(r):
			fmt.Fprintln(w, "ok")
		case r.URL.Path == "/readyz" && isRead(r):
			s.answerReady(w, r)
		default:
			s.serve(w, r)
		}
	})
}

// serve hands a request to the services as they are at this moment, and they last until it is answered.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.config.Dev {
		s.turn.RLock()
		defer s.turn.RUnlock()
	}
	if s.current == nil {
		http.Error(w, "a reset or a restore has failed: see the log, and start the server again", http.StatusServiceUnavailable)
		return
	}
	s.current.pipeline.ServeHTTP(w, r)
}

func isRead(r *http.Request) bool { return r.Method == http.MethodGet || r.Method == http.MethodHead }

// localHost says whether a request that came in on a loopback address was also sent to one by name. A page on the web
// can make a browser's requests for its own name end here; the credentials of a development server are known to all.
func localHost(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok || !local.IP.IsLoopback() {
		return true
	}
	name := r.Host
	if h, _, err := net.SplitHostPort(name); err == nil {
		name = h
	}
	ip := net.ParseIP(strings.Trim(name, "[]"))
	return ip != nil && ip.IsLoopback() || name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// Listener is where requests come in. What comes in through an Endpoint is marked with it.
type Listener struct {
	net.Listener
	Endpoint *authz.Endpoint
}

// Serve answers on all listeners until ctx ends or one of them fails, then lets requests under way finish. With t it
// speaks TLS.
func (s *Server) Serve(ctx context.Context, t *tls.Config, listeners ...Listener) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	errs := make(chan error)
	for _, l := range listeners {
		go func() {
			errs <- s.serveOn(ctx, l, t)
			stop()
		}()
	}
	var err error
	for range listeners {
		err = errors.Join(err, <-errs)
	}
	s.underWay.Wait()
	return err
}

func (s *Server) serveOn(ctx context.Context, at Listener, t *tls.Config) error {
	// While little is in memory, as on nearly every server, the collector would run a hundred times a second under load.
	// What is allotted and not used counts for its pace, and takes no memory.
	pace := make([]byte, paceBytes)
	defer runtime.KeepAlive(pace)
	h := NewHTTP(s.Handler(), s.config.Log)
	h.TLSConfig = t
	if at.Endpoint != nil {
		s.endpoints.Store(at.Endpoint.ID, at.Endpoint)
		h.BaseContext = func(net.Listener) context.Context { return service.WithEndpoint(context.Background(), at.Endpoint) }
	}
	l := netutil.LimitListener(at.Listener, maxConnections)
	ended := make(chan error, 1)
	go func() {
		if t != nil {
			ended <- h.ServeTLS(l, "", "")
		} else {
			ended <- h.Serve(l)
		}
	}()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	if err := h.Shutdown(drain); err != nil {
		s.config.Log.Warn("closed connections that did not end in time", "after", drainTimeout)
		_ = h.Close() // it reports what the connections say; they are gone either way
	}
	<-ended
	return nil
}
