//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/trent-kms/trent/bench/load"
)

// use is a way of using the keys of a server.
type use struct {
	name     string
	server   *filled
	requests [][]byte
	group    *load.Group

	perSecond []float64
	latency   load.Histogram
	cpu       time.Duration
}

// compare measures Decrypt: over few keys; over many of which a working set is used, which fits into memory; and over
// many that are used once each, so that nothing helps but the disk's cache.
func (s *settings) compare(ctx context.Context, stdout io.Writer, small, large *filled) error {
	all := []*use{
		{name: fmt.Sprintf("%d keys", s.few), server: small},
		{name: fmt.Sprintf("%d keys, %d in use", s.many, min(s.used, s.many)), server: large},
		{name: fmt.Sprintf("%d keys, each once", s.many), server: large},
	}
	for i, keys := range [][]string{small.keys, large.keys[:min(s.used, s.many)], large.keys[max(0, s.many-s.cold):]} {
		bodies, err := all[i].server.Bodies(ctx, "Decrypt", keys, max(len(keys), 4096))
		if err != nil {
			return err
		}
		all[i].requests = bodies
	}
	if err := s.restart(ctx, large); err != nil { // it has just used all those keys
		return err
	}
	for _, u := range all {
		if err := u.open(ctx, s); err != nil {
			return err
		}
		defer u.group.Close()
	}
	for range s.rounds {
		for _, u := range all {
			if err := u.sample(ctx, s.duration); err != nil {
				return fmt.Errorf("%s: %w", u.name, err)
			}
		}
	}
	return s.report(stdout, all, large)
}

// open signs the requests, opens the connections, and warms up what will be used again.
func (u *use) open(ctx context.Context, s *settings) error {
	var err error
	if u.requests, err = u.server.Sign("Decrypt", u.requests); err != nil {
		return err
	}
	if u.group, err = load.Open(u.server.Addr, s.conns); err != nil {
		return err
	}
	if len(u.requests) <= s.used {
		_, err = u.group.Run(ctx, u.requests, s.duration)
	}
	return err
}

func (u *use) sample(ctx context.Context, d time.Duration) error {
	before, err := u.server.CPU()
	if err != nil {
		return err
	}
	r, err := u.group.Run(ctx, u.requests, d)
	if err != nil {
		return err
	}
	after, err := u.server.CPU()
	u.perSecond = append(u.perSecond, r.PerSecond())
	u.latency.Merge(&r.Latency)
	u.cpu += after - before
	return err
}

func (s *settings) report(stdout io.Writer, all []*use, large *filled) error {
	for _, u := range all {
		ratios := make([]float64, len(u.perSecond))
		for i, n := range u.perSecond {
			ratios[i] = n / all[0].perSecond[i]
		}
		fmt.Fprintf(stdout, "Decrypt, %d connections, %-28s %7.0f req/s  ×%.2f  p50 %.0f µs  p99 %.0f µs\n", s.conns, u.name+":",
			middle(u.perSecond), middle(ratios), float64(u.latency.Quantile(0.5))/1e3, float64(u.latency.Quantile(0.99))/1e3)
	}
	m, err := large.Memory()
	fmt.Fprintf(stdout, "afterwards, with %d keys: %s\n", s.many, inMemory(m))
	return err
}

// middle is the median, the upper one of two.
func middle(values []float64) float64 { return slices.Sorted(slices.Values(values))[len(values)/2] }
