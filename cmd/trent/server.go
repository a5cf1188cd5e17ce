package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/trent-kms/trent/internal/arn"
	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/kms"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/bolt"
	"github.com/trent-kms/trent/internal/store/etcd"
	"github.com/trent-kms/trent/internal/store/memory"
)

// settings are the server's flags; environment and configuration file set the same names.
type settings struct {
	dev, plainHTTP            bool
	listen, dataDir, config   string
	store, rootKey, account   string
	tlsCert, tlsKey, logLevel string
	seed                      string
	regions, endpoints        []string
	seedKeys                  []kms.SeedKey
}

func serverCommand() *cobra.Command {
	var s settings
	c := &cobra.Command{
		Use: "server", Short: "Run the server", Args: cobra.NoArgs,
		Example: "  trent server --dev\n  trent server --data-dir /var/lib/trent --region eu-central-1",
		Long: `Run the server until it is told to stop (SIGINT, SIGTERM).

Every flag can also be set by an environment variable (--data-dir: TRENT_DATA_DIR) or in the YAML file that
--config names (data-dir: …). A flag wins over the environment, the environment over the file.`,
		RunE: does(func(c *cobra.Command, _ []string) error {
			if err := configure(c.Flags(), os.LookupEnv); err != nil {
				return err
			}
			if err := s.check(); err != nil {
				return err
			}
			return serve(c.Context(), &s, c.ErrOrStderr())
		}),
	}
	f := c.Flags()
	f.BoolVar(&s.dev, "dev", false, "development: known credentials, any Region, a clock that can be moved")
	f.StringVar(&s.listen, "listen", defaultListen, "address and port to listen on")
	f.StringVar(&s.dataDir, "data-dir", "", "directory of all data; development without it keeps everything in memory")
	f.StringVar(&s.config, "config", "", "YAML file with the same settings as these flags")
	f.StringVar(&s.store, "store", "", "etcd://host:port,…/prefix to keep records in etcd instead of the data directory")
	f.StringVar(&s.rootKey, "root-key-file", "", "file with the root key (default DATA-DIR/root.key)")
	f.StringVar(&s.account, "account", "", "account id of the first administrator (default: chosen at the first start)")
	f.StringSliceVar(&s.regions, "region", nil, "Regions to serve (default "+defaultRegion+"; development: any)")
	f.StringVar(&s.seed, "seed", "", "YAML file with keys that a development server begins with")
	f.StringSliceVar(&s.endpoints, "vpc-endpoint", nil, "ID=ADDRESS: another address to listen on, as the VPC endpoint ID;\n"+
		"ID=ADDRESS;vpc=VPC-ID;policy=FILE names its VPC and its policy")
	f.StringVar(&s.tlsCert, "tls-cert", "", "PEM file with the certificate chain")
	f.StringVar(&s.tlsKey, "tls-key", "", "PEM file with the certificate's private key")
	f.BoolVar(&s.plainHTTP, "insecure-plain-http", false, "allow HTTP without TLS on addresses other than loopback")
	f.StringVar(&s.logLevel, "log-level", "info", "debug, info, warn or error")
	return c
}

// check refuses settings that contradict each other, before anything is touched.
func (s *settings) check() error {
	host, _, err := net.SplitHostPort(s.listen)
	switch {
	case err != nil:
		return usage("--listen %q is not an address and port, such as %s", s.listen, defaultListen)
	case !s.dev && s.dataDir == "":
		return usage("production needs --data-dir; for development use --dev")
	case (s.tlsCert == "") != (s.tlsKey == ""):
		return usage("--tls-cert and --tls-key belong together")
	case s.tlsCert == "" && !s.plainHTTP && !isLoopback(host):
		return usage("--listen %s is not loopback: give --tls-cert and --tls-key, or --insecure-plain-http", s.listen)
	case s.account != "" && !arn.IsAccount(s.account):
		return usage("--account %q is not twelve digits", s.account)
	case s.dev && s.dataDir == "" && s.rootKey != "":
		return usage("--root-key-file needs --data-dir: in memory nothing outlives the server")
	case !s.dev && s.seed != "":
		return usage("--seed is for development: a production server chooses its keys itself")
	case s.dev && s.store != "":
		return usage("--store is for production; development keeps its records in memory or in --data-dir")
	}
	known := map[string]bool{}
	for _, text := range s.endpoints {
		e, _, err := s.vpcEndpoint(text)
		if err != nil {
			return err
		}
		if known[e.ID] {
			return usage("--vpc-endpoint %s is given twice", e.ID)
		}
		known[e.ID] = true
	}
	for _, r := range s.regions {
		if !arn.IsRegion(r) {
			return usage("--region %q is not a Region's name", r)
		}
	}
	if !s.dev && len(s.regions) == 0 {
		s.regions = []string{defaultRegion}
	}
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// serve runs the server until ctx ends.
func serve(ctx context.Context, s *settings, stderr io.Writer) error {
	harden()
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.logLevel)); err != nil {
		return usage("--log-level %q is not debug, info, warn or error", s.logLevel)
	}
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	certificate, err := s.tls()
	if err != nil {
		return err
	}
	if s.seed != "" {
		if s.seedKeys, err = readSeed(s.seed, cmp.Or(append(s.regions, defaultRegion)...)); err != nil {
			return err
		}
	}
	listeners, err := s.listenAll()
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	addr := listeners[0].Addr().String()
	dir, err := openDataDir(s)
	if err != nil {
		return err
	}
	defer dir.close()
	srv, err := s.open(ctx, dir, addr, stderr, log)
	if err != nil {
		return explain(err, s)
	}
	fmt.Fprintf(stderr, "trent: ready on %s (%s)\n", s.endpoint(addr), s.describe(dir))
	err = srv.Serve(ctx, certificate, listeners...)
	return errors.Join(err, srv.Close())
}

func (s *settings) describe(dir *dataDir) string {
	switch {
	case s.dev && s.dataDir == "":
		return "development, in memory; audit log in " + dir.audit()
	case s.dev:
		return "development, data in " + s.dataDir
	}
	return "data in " + s.dataDir
}

// open makes the server out of the drivers that the settings name.
func (s *settings) open(ctx context.Context, dir *dataDir, addr string, stderr io.Writer, log *slog.Logger) (*server.Server, error) {
	st, engine, err := s.openStore(ctx, dir)
	if err != nil {
		return nil, err
	}
	key, err := s.openRoot(ctx, dir, st)
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	sync := audit.SyncEach
	if s.dev {
		sync = audit.SyncOS
	}
	return server.New(ctx, server.Config{
		Store: st, Engine: engine, Root: key, Dev: s.dev, Version: version, Account: s.account, Regions: s.regions,
		Seed: s.seedKeys, Audit: audit.Config{Dir: dir.audit(), Sync: sync},
		Administrator: dir.administrator(s, addr, stderr), Withdraw: dir.withdraw(stderr), Log: log,
	})
}

func (s *settings) openStore(ctx context.Context, dir *dataDir) (store.Store, string, error) {
	if s.store != "" {
		c, err := etcd.Parse(s.store)
		if err != nil {
			return nil, "", usage("--store: %v", err)
		}
		st, err := etcd.Open(ctx, c)
		return st, "etcd", err
	}
	if s.dataDir == "" {
		return memory.New(), "memory", nil
	}
	st, err := bolt.Open(ctx, bolt.Config{Path: filepath.Join(dir.path, "trent.db"), NoSync: s.dev})
	return st, "bbolt", err
}

// openRoot opens the root key. It makes one only for a store that holds nothing yet: data that an absent key has sealed
// must never be joined by data sealed by another.
func (s *settings) openRoot(ctx context.Context, dir *dataDir, st store.Store) (root.Root, error) {
	if s.dataDir == "" {
		return root.New(), nil
	}
	path := cmp.Or(s.rootKey, filepath.Join(dir.path, "root.key"))
	key, err := root.OpenFile(path)
	if !errors.Is(err, os.ErrNotExist) {
		return key, err
	}
	empty, readErr := server.Empty(ctx, st)
	if readErr != nil {
		return nil, readErr
	}
	if !empty {
		if key, err := root.OpenFile(path); err == nil {
			return key, nil // another node that started at the same time has made both
		}
		return nil, &failure{err, "the data is sealed by this key and cannot be read without it: restore the file, or name it with --root-key-file"}
	}
	if key, err := root.CreateFile(path); !errors.Is(err, os.ErrExist) {
		return key, err
	}
	return root.OpenFile(path)
}

func (s *settings) tls() (*tls.Config, error) {
	if s.tlsCert == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(s.tlsCert, s.tlsKey)
	if err != nil {
		return nil, fmt.Errorf("reading the TLS certificate: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}, nil
}

func listenFailure(addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &failure{fmt.Errorf("%s is in use by another program", addr), "stop that program, or choose another port with --listen"}
	}
	return fmt.Errorf("listening on %s: %w", addr, err)
}

// explain adds what to do to the errors that an administrator can mend.
func explain(err error, s *settings) error {
	hint := ""
	var f *failure
	var w *wrongUsage
	var wrongKey *kms.SeedError
	switch {
	case errors.As(err, &f), errors.As(err, &w):
		return err
	case errors.As(err, &wrongKey):
		return seedFailure(s.seed, wrongKey)
	case errors.Is(err, store.ErrNewerFormat), errors.Is(err, hsm.ErrUnknownVersion):
		hint = "a newer version of Trent wrote this data, which was left as it is: run that version"
	case errors.Is(err, hsm.ErrRoot):
		hint = "the root key is not the one that sealed this data: name the right file with --root-key-file"
	case errors.Is(err, store.ErrLocked):
		hint = "stop the other server first"
	case errors.Is(err, server.ErrMode):
		hint = "choose another --data-dir; what was made in one mode is never served in the other"
	case errors.Is(err, server.ErrNoDeployment):
		hint = "the store was restored or changed in part: restore all of it"
	}
	return &failure{err, hint}
}
