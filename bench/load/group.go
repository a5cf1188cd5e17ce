//go:build linux

package load

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Group is a number of connections to one server, used together. Not safe for concurrent use. After an error it can
// only be closed.
type Group struct {
	// Spin waits for answers without going to sleep. On processors of its own, the load then need not be woken up, which
	// on a virtual machine can cost the server more than the request did, and falls on the slower of two servers.
	Spin bool

	conns []*conn
	next  []int // of the requests of Run, for each connection
	epoll int
}

// Open opens n connections to the server at addr.
func Open(addr string, n int) (*Group, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("load: epoll: %w", err)
	}
	g := &Group{epoll: epoll}
	for range n {
		if err := g.add(addr); err != nil {
			return nil, errors.Join(err, g.Close())
		}
	}
	return g, nil
}

func (g *Group) add(addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(len(g.conns))} // Fd is the user's own data
	g.conns = append(g.conns, c)
	return unix.EpollCtl(g.epoll, unix.EPOLL_CTL_ADD, c.fd, &event)
}

// Close closes the connections.
func (g *Group) Close() error {
	errs := []error{unix.Close(g.epoll)}
	for _, c := range g.conns {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}

// Result is what one run has measured.
type Result struct {
	Requests int           // answered with 200 before the time was over
	Elapsed  time.Duration // of the run
	Latency  Histogram     // from before a request's first byte is sent until its answer's last byte is read
}

// PerSecond is the throughput.
func (r *Result) PerSecond() float64 { return float64(r.Requests) / r.Elapsed.Seconds() }

// Run sends requests over all connections for as long as d. Each connection walks through all requests again and again,
// each from another beginning; the next Run, which takes the same requests, goes on from there. Any failure, and any
// answer but 200, is an error.
func (g *Group) Run(ctx context.Context, requests [][]byte, d time.Duration) (*Result, error) {
	r := &Result{Elapsed: d}
	sent := make([]time.Time, len(g.conns))
	for c := len(g.next); c < len(g.conns); c++ {
		g.next = append(g.next, c*len(requests)/len(g.conns))
	}
	now := time.Now()
	deadline := now.Add(d)
	give := func(c int) ([]byte, error) {
		if now.After(deadline) {
			return nil, nil
		}
		sent[c] = now
		request := requests[g.next[c]]
		if g.next[c]++; g.next[c] == len(requests) {
			g.next[c] = 0
		}
		return request, nil
	}
	got := func(c int, _ []byte) error {
		if now = time.Now(); !now.After(deadline) {
			r.Latency.Add(now.Sub(sent[c]))
		}
		return nil
	}
	err := g.exchange(ctx, give, got)
	r.Requests = int(r.Latency.total)
	return r, err
}

// Each sends count requests, each once, and gives each answer, valid until it returns, to got.
func (g *Group) Each(ctx context.Context, count int, request func(i int) ([]byte, error), got func(i int, body []byte) error) error {
	next, sent := 0, make([]int, len(g.conns))
	give := func(c int) ([]byte, error) {
		if next == count {
			return nil, nil
		}
		sent[c] = next
		next++
		return request(sent[c])
	}
	return g.exchange(ctx, give, func(c int, body []byte) error { return got(sent[c], body) })
}

// exchange sends what give gives for a connection, nil when there is nothing more, and hands over the answers.
func (g *Group) exchange(ctx context.Context, give func(c int) ([]byte, error), got func(c int, body []byte) error) error {
	underWay := 0
	send := func(c int) error {
		request, err := give(c)
		if err != nil || request == nil {
			return err
		}
		underWay++
		return g.conns[c].send(request)
	}
	for c := range g.conns {
		if err := send(c); err != nil {
			return err
		}
	}
	ready := make([]unix.EpollEvent, len(g.conns))
	for underWay > 0 {
		n, err := g.wait(ctx, ready)
		if err != nil {
			return err
		}
		for _, event := range ready[:n] {
			c := int(event.Fd)
			body, complete, err := g.conns[c].receive()
			if err != nil {
				return err
			}
			if !complete {
				continue
			}
			underWay--
			if err := errors.Join(got(c, body), send(c)); err != nil {
				return err
			}
		}
	}
	return nil
}

// stall is how long a server may leave all connections without an answer.
const stall = 10 * time.Second

// wait returns how many connections have something to read.
func (g *Group) wait(ctx context.Context, ready []unix.EpollEvent) (int, error) {
	timeout := 100 // milliseconds
	if g.Spin {
		timeout = 0
	}
	for began := time.Now(); time.Since(began) < stall; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		n, err := unix.EpollWait(g.epoll, ready, timeout)
		if err != nil && err != unix.EINTR {
			return 0, fmt.Errorf("load: epoll: %w", err)
		}
		if n > 0 {
			return n, nil
		}
	}
	return 0, fmt.Errorf("load: no answer for %s", stall)
}
