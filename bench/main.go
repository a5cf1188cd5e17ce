//go:build linux

// Command bench measures Trent against a bare net/http server, in one run on one machine: throughput, latency, processor
// time for each request and memory, with the audit log written (development) and on disk (production) before each
// answer. See docs/performance.md for what the figures mean.
//
//	go run ./bench                                          everything, about three minutes
//	go run ./bench -ops Decrypt -conns 64 -profile /tmp/p   one cell, with CPU profiles of the servers
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
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
	s, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, "bench: error:", err)
		return 2
	}
	if err := s.bench(ctx, stdout, stderr); err != nil {
		fmt.Fprintln(stderr, "bench: error:", err)
		return 1
	}
	return 0
}

// settings say what to measure.
type settings struct {
	operations []string
	conns      []int
	placements []string
	rounds     int
	duration   time.Duration // of one sample
	requests   int           // different requests in a sample
	keys       int
	dir        string // of the servers' data
	profile    string // directory for CPU profiles; empty: none
}

// The placements of servers and load on the machine's processors.
const (
	shared = "shared" // both on all of them, as when an application runs beside its server
	split  = "split"  // the server on one half, the load on the other: how much a processor serves
)

func parse(args []string, stderr io.Writer) (*settings, error) {
	s := &settings{keys: 100}
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	operations := f.String("ops", strings.Join(subject.Operations, ","), "operations")
	conns := f.String("conns", "1,16,64", "numbers of connections")
	cpus := f.String("cpus", "shared,split", "shared: servers and load on all processors; split: on half of them each, at the most connections only")
	quick := f.Bool("quick", false, "only see that everything works: the figures mean nothing")
	f.IntVar(&s.rounds, "rounds", 5, "samples of each server in each cell, in turn with the others'")
	f.DurationVar(&s.duration, "duration", 600*time.Millisecond, "of one sample")
	f.IntVar(&s.requests, "requests", 2048, "different requests in a sample")
	f.StringVar(&s.dir, "dir", os.TempDir(), "where the servers keep their data: it decides how long an fsync takes")
	f.StringVar(&s.profile, "profile", "", "directory to write CPU profiles of Trent to, which slow it down a little")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if *quick {
		s.rounds, s.duration, s.requests, *conns = 1, 50*time.Millisecond, 64, "1,4"
	}
	s.operations, s.placements = strings.Split(*operations, ","), strings.Split(*cpus, ",")
	for _, o := range s.operations {
		if !slices.Contains(subject.Operations, o) {
			return nil, fmt.Errorf("-ops: %q is none of %s", o, strings.Join(subject.Operations, ", "))
		}
	}
	for c := range strings.SplitSeq(*conns, ",") {
		n, err := strconv.Atoi(c)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-conns: %q is not a number of connections", c)
		}
		s.conns = append(s.conns, n)
	}
	for _, p := range s.placements {
		if p != shared && p != split {
			return nil, fmt.Errorf("-cpus: %q is neither %s nor %s", p, shared, split)
		}
	}
	return s, nil
}

func (s *settings) bench(ctx context.Context, stdout, stderr io.Writer) error {
	dir, err := os.MkdirTemp(s.dir, "trent-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	fmt.Fprintln(stderr, "bench: building")
	b, err := s.build(ctx, dir)
	if err != nil {
		return err
	}
	if err := s.describe(stdout, dir); err != nil {
		return err
	}
	for _, placement := range s.placements {
		if err := s.place(ctx, placement, b, stdout, stderr); err != nil {
			return err
		}
	}
	return nil
}

// place measures all cells of one placement.
func (s *settings) place(ctx context.Context, placement string, b *binaries, stdout, stderr io.Writer) error {
	cpus, err := process.CPUs()
	if err != nil {
		return err
	}
	conns := s.conns
	var serversOn []int
	if placement == split {
		if len(cpus) < 2 {
			fmt.Fprintln(stderr, "bench: one processor cannot be split; left out")
			return nil
		}
		serversOn, conns = cpus[:len(cpus)/2], []int{slices.Max(conns)}
		release, err := process.Confine(cpus[len(cpus)/2:])
		if err != nil {
			return err
		}
		defer release()
	}
	servers, err := s.start(ctx, b, placement, serversOn)
	if err != nil {
		return err
	}
	t := newTable(stdout, placement, servers)
	for _, operation := range s.operations {
		for _, n := range conns {
			rows, err := s.measure(ctx, servers, operation, n)
			if err != nil {
				return errors.Join(err, servers.stop())
			}
			t.cell(operation, n, rows)
		}
	}
	t.end()
	return servers.stop()
}
