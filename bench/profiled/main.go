// Command profiled is a Trent server that writes a CPU profile of its whole life to a file. It takes the few flags of
// trent server that the benchmark uses. The real server has no door for profiles, on purpose.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"

	"github.com/trent-kms/trent/internal/audit"
	"github.com/trent-kms/trent/internal/hsm/root"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/internal/store/bolt"
	"github.com/trent-kms/trent/internal/store/memory"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "profiled: error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "server" {
		args = args[1:]
	}
	f := flag.NewFlagSet("profiled", flag.ContinueOnError)
	dev := f.Bool("dev", false, "as trent server")
	dataDir := f.String("data-dir", "", "as trent server; development keeps only its audit log there")
	listen := f.String("listen", "127.0.0.1:0", "as trent server")
	path := f.String("cpu-profile", "cpu.pprof", "where to write the profile")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *dataDir == "" {
		dir, err := os.MkdirTemp("", "trent-profiled-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		*dataDir = dir
	}
	out, err := os.Create(*path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	err = serve(ctx, *dev, *dataDir, *listen, stderr)
	pprof.StopCPUProfile()
	return errors.Join(err, out.Close())
}

func serve(ctx context.Context, dev bool, dataDir, listen string, stderr io.Writer) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	defer l.Close()
	c := server.Config{
		Dev: dev, Version: "profiled", Log: slog.New(slog.NewTextHandler(stderr, nil)),
		Audit: audit.Config{Dir: filepath.Join(dataDir, "audit")},
		Administrator: func(_ string, key iam.AccessKey) error {
			text := fmt.Sprintf("aws_access_key_id = %s\naws_secret_access_key = %s\n", key.ID, key.Secret.Expose())
			return os.WriteFile(filepath.Join(dataDir, "admin-credentials"), []byte(text), 0o600)
		},
	}
	if err := drivers(ctx, &c, dataDir); err != nil {
		return err
	}
	s, err := server.New(ctx, c)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "profiled: ready on http://%s\n", l.Addr())
	return errors.Join(s.Serve(ctx, nil, server.Listener{Listener: l}), s.Close())
}

// drivers chooses what trent server chooses.
func drivers(ctx context.Context, c *server.Config, dataDir string) error {
	if c.Dev {
		c.Store, c.Engine, c.Root, c.Audit.Sync = memory.New(), "memory", root.New(), audit.SyncOS
		return nil
	}
	if err := os.MkdirAll(dataDir, 0o700); err != nil {
		return err
	}
	var err error
	if c.Root, err = root.CreateFile(filepath.Join(dataDir, "root.key")); err != nil {
		return err
	}
	c.Engine, c.Regions = "bbolt", []string{"us-east-1"}
	c.Store, err = bolt.Open(ctx, bolt.Config{Path: filepath.Join(dataDir, "trent.db")})
	return err
}
