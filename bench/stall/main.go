//go:build linux

// Command stall measures how much those who decrypt wait while others have RSA keys made: the latency of Decrypt at a
// development server alone, and with connections that ask for RSA_4096 keys one after the other, in turn.
//
//	go run ./bench/stall
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/trent-kms/trent/bench/load"
	"github.com/trent-kms/trent/bench/subject"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings say what to measure.
type settings struct {
	conns, makers int
	rounds        int
	duration      time.Duration
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	f := flag.NewFlagSet("stall", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&s.conns, "conns", 16, "connections that decrypt")
	f.IntVar(&s.makers, "makers", 4, "connections that ask for RSA_4096 keys")
	f.IntVar(&s.rounds, "rounds", 5, "samples of each, in turn")
	f.DurationVar(&s.duration, "duration", 3*time.Second, "of one sample")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := s.stall(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "stall: error:", err)
		return 1
	}
	return 0
}

func (s *settings) stall(ctx context.Context, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "trent-stall-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := subject.Build(ctx, dir, "cmd/trent")
	if err != nil {
		return err
	}
	srv, err := subject.Dev(ctx, binary, nil, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	alone, disturbed, err := s.measure(ctx, srv)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "Decrypt, %d connections          p50        p99   per second\n", s.conns)
	for _, r := range []struct {
		name string
		of   *sum
	}{{"alone", alone}, {fmt.Sprintf("with %d making RSA_4096 keys", s.makers), disturbed}} {
		fmt.Fprintf(stdout, "%-28s %7s    %7s     %8.0f\n", r.name, r.of.latency.Quantile(.5).Round(time.Microsecond),
			r.of.latency.Quantile(.99).Round(time.Microsecond), float64(r.of.requests)/r.of.elapsed.Seconds())
	}
	fmt.Fprintf(stdout, "p99 %.2f times; %d RSA keys made, %.2f/s\n",
		float64(disturbed.latency.Quantile(.99))/float64(alone.latency.Quantile(.99)), disturbed.made, float64(disturbed.made)/disturbed.elapsed.Seconds())
	return nil
}

// sum is what the samples of one kind have measured.
type sum struct {
	latency  load.Histogram
	requests int
	made     int // RSA keys
	elapsed  time.Duration
}

func (t *sum) add(r *load.Result) {
	t.latency.Merge(&r.Latency)
	t.requests += r.Requests
	t.elapsed += r.Elapsed
}

func (s *settings) measure(ctx context.Context, srv *subject.Server) (alone, disturbed *sum, err error) {
	keys, err := srv.CreateKeys(ctx, 100)
	if err != nil {
		return nil, nil, err
	}
	bodies, err := srv.Bodies(ctx, "Decrypt", keys, 2048)
	if err != nil {
		return nil, nil, err
	}
	requests, err := srv.Sign("Decrypt", bodies)
	if err != nil {
		return nil, nil, err
	}
	g, err := load.Open(srv.Addr, s.conns)
	if err != nil {
		return nil, nil, err
	}
	defer g.Close()
	if _, err := g.Run(ctx, requests, s.duration); err != nil { // warms up
		return nil, nil, err
	}
	alone, disturbed = new(sum), new(sum)
	for range s.rounds {
		r, err := g.Run(ctx, requests, s.duration)
		if err != nil {
			return nil, nil, err
		}
		alone.add(r)
		stop := s.makeKeys(ctx, srv)
		r, err = g.Run(ctx, requests, s.duration)
		made, makeErr := stop()
		if err := errors.Join(err, makeErr); err != nil {
			return nil, nil, err
		}
		disturbed.add(r)
		disturbed.made += made
	}
	return alone, disturbed, nil
}

// makeKeys asks for RSA_4096 keys until stop is called, which returns how many were made.
func (s *settings) makeKeys(ctx context.Context, srv *subject.Server) (stop func() (int, error)) {
	type result struct {
		made int
		err  error
	}
	end, results := make(chan struct{}), make(chan result)
	for range s.makers {
		go func() {
			made, err := makeUntil(ctx, srv, end)
			results <- result{made, err}
		}()
	}
	return func() (made int, err error) {
		close(end)
		for range s.makers {
			r := <-results
			made, err = made+r.made, errors.Join(err, r.err)
		}
		return made, err
	}
}

func makeUntil(ctx context.Context, srv *subject.Server, end <-chan struct{}) (made int, err error) {
	g, err := load.Open(srv.Addr, 1)
	if err != nil {
		return 0, err
	}
	defer g.Close()
	body := []byte(`{"KeySpec":"RSA_4096","KeyUsage":"SIGN_VERIFY"}`)
	for {
		select {
		case <-end:
			return made, nil
		default:
		}
		request := func(int) ([]byte, error) { return srv.Request("CreateKey", body, time.Now()) }
		if err := g.Each(ctx, 1, request, func(int, []byte) error { return nil }); err != nil {
			return made, err
		}
		made++
	}
}
