//go:build linux

// Command scale measures what many keys cost: the time to create them, to start with them and the memory that takes, and
// the speed of Decrypt over them against that over few.
//
//	go run ./bench/scale -keys 1000000        about six minutes, 2 GB of disk and 1 GB of memory for the load
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/trent-kms/trent/bench/process"
	"github.com/trent-kms/trent/bench/subject"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	f := flag.NewFlagSet("scale", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&s.many, "keys", 1_000_000, "keys of the large server")
	f.IntVar(&s.few, "few", 1_000, "keys of the small server")
	f.IntVar(&s.used, "used", 10_000, "keys that are used again and again, where not all are")
	f.IntVar(&s.cold, "cold", 300_000, "keys that are used once each, where all are")
	f.IntVar(&s.conns, "conns", 64, "connections")
	f.IntVar(&s.rounds, "rounds", 5, "samples of each, in turn")
	f.DurationVar(&s.duration, "duration", time.Second, "of one sample")
	f.StringVar(&s.dir, "dir", os.TempDir(), "where the servers keep their data")
	f.BoolVar(&s.production, "production", false, "sync every key and every audit record to the disk")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := s.scale(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "scale: error:", err)
		return 1
	}
	return 0
}

// settings say what to measure.
type settings struct {
	many, few, used, cold int
	conns, rounds         int
	duration              time.Duration
	dir                   string
	production            bool
}

func (s *settings) scale(ctx context.Context, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp(s.dir, "trent-scale-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := subject.Build(ctx, dir, "cmd/trent")
	if err != nil {
		return err
	}
	small, err := s.fill(ctx, stdout, site{binary, filepath.Join(dir, "few")}, s.few)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, small.Stop()) }()
	large, err := s.fill(ctx, stdout, site{binary, filepath.Join(dir, "many")}, s.many)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, large.Stop()) }() // the one that runs then: there are several in turn
	return s.compare(ctx, stdout, small, large)
}

// site is where a server lives.
type site struct{ binary, data string }

func (s *settings) start(ctx context.Context, at site) (*subject.Server, error) {
	if s.production {
		return subject.Production(ctx, at.binary, nil, at.data)
	}
	return subject.Dev(ctx, at.binary, nil, at.data)
}

// filled is a server that was started on the keys that it has.
type filled struct {
	*subject.Server
	at   site
	keys []string // in random order
}

// fill makes a server with n keys and starts it anew.
func (s *settings) fill(ctx context.Context, stdout io.Writer, at site, n int) (*filled, error) {
	srv, err := s.start(ctx, at)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	keys, err := srv.CreateKeys(ctx, n)
	took := time.Since(began)
	if err := errors.Join(err, srv.Stop()); err != nil {
		return nil, err
	}
	rand.Shuffle(n, func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	info, err := os.Stat(filepath.Join(at.data, "trent.db"))
	if err != nil {
		return nil, err
	}
	f := &filled{at: at, keys: keys}
	if err := s.restart(ctx, f); err != nil {
		return nil, err
	}
	m, err := f.Memory()
	fmt.Fprintf(stdout, "%9d keys: created in %s (%.0f/s), %d MB on disk; ready after %d ms with %s\n",
		n, took.Round(time.Millisecond), float64(n)/took.Seconds(), info.Size()>>20, f.Ready.Milliseconds(), inMemory(m))
	return f, err
}

// restart gives f a server that has nothing in memory yet.
func (s *settings) restart(ctx context.Context, f *filled) error {
	if f.Server != nil {
		if err := f.Stop(); err != nil {
			return err
		}
	}
	srv, err := s.start(ctx, f.at)
	if err != nil {
		return err
	}
	f.Server = srv
	return nil
}

func inMemory(m process.Memory) string {
	return fmt.Sprintf("%d MB resident (%d MB its own, the rest files)", m.Resident>>20, m.Anonymous>>20)
}
