//go:build linux

package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trent-kms/trent/bench/load"
)

// row is one server's part of a cell: an operation at a number of connections.
type row struct {
	server    *server
	perSecond []float64 // of each round
	latency   load.Histogram
	requests  int
	cpu       time.Duration // that the server has used for all requests
	loadCPU   time.Duration // that the load has used
}

// measure takes samples of all servers in turn, so that what else happens on the machine happens to all of them.
func (s *settings) measure(ctx context.Context, all servers, operation string, conns int) ([]*row, error) {
	var rows []*row
	var samplers []*sampler
	defer func() {
		for _, p := range samplers {
			p.group.Close()
		}
	}()
	for _, srv := range all {
		if operation == "CreateKey" && srv.Name != "production" {
			continue // it measures the disk; bare has none, and a development server keeps them all in memory
		}
		p, err := s.prepare(ctx, srv, operation, conns)
		if err != nil {
			return nil, err
		}
		samplers = append(samplers, p)
		rows = append(rows, p.row)
	}
	for range s.rounds {
		for _, p := range samplers {
			if err := p.sample(ctx, s.duration); err != nil {
				return nil, fmt.Errorf("%s, %d connections, %s: %w", operation, conns, p.server.Name, err)
			}
		}
		slices.Reverse(samplers) // nobody is always the first after another
	}
	return rows, nil
}

// sampler is what one server is measured with.
type sampler struct {
	*row
	group    *load.Group
	requests [][]byte
}

// prepare signs the requests, opens the connections and warms both up.
func (s *settings) prepare(ctx context.Context, srv *server, operation string, conns int) (*sampler, error) {
	bodies, err := srv.Bodies(ctx, operation, srv.keys, s.requests)
	if err != nil {
		return nil, err
	}
	p := &sampler{row: &row{server: srv}}
	if p.requests, err = srv.Sign(operation, bodies); err != nil {
		return nil, err
	}
	if p.group, err = load.Open(srv.Addr, conns); err != nil {
		return nil, err
	}
	p.group.Spin = srv.apart
	_, err = p.group.Run(ctx, p.requests, s.duration/4)
	return p, err
}

func (p *sampler) sample(ctx context.Context, d time.Duration) error {
	before, err := p.server.CPU()
	if err != nil {
		return err
	}
	ownBefore, err := ownCPU()
	if err != nil {
		return err
	}
	r, err := p.group.Run(ctx, p.requests, d)
	for err == nil && r.Requests == 0 { // a short sample on a busy machine says nothing
		r, err = p.group.Run(ctx, p.requests, d)
	}
	if err != nil {
		return err
	}
	after, err := p.server.CPU()
	if err != nil {
		return err
	}
	ownAfter, err := ownCPU()
	if err != nil {
		return err
	}
	p.perSecond = append(p.perSecond, r.PerSecond())
	p.latency.Merge(&r.Latency)
	p.row.requests += r.Requests
	p.cpu += after - before
	p.loadCPU += ownAfter - ownBefore
	return nil
}

// ownCPU is the processor time that this process has used.
func ownCPU() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// perRequest divides a time by the number of requests that it was used for.
func (r *row) perRequest(d time.Duration) time.Duration {
	if r.requests == 0 {
		return 0
	}
	return d / time.Duration(r.requests)
}

// ratios returns the throughput as a part of the other's, round by round, ascending.
func (r *row) ratios(to *row) []float64 {
	var ratios []float64
	for i, n := range r.perSecond {
		if to.perSecond[i] > 0 {
			ratios = append(ratios, n/to.perSecond[i])
		}
	}
	slices.Sort(ratios)
	return ratios
}

// median of ascending values; 0 of none.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
