//go:build linux

// Package load puts an HTTP server under closed-loop load: a number of keep-alive connections, each of which sends its
// next request when it has the answer to the last one.
//
// It shares the machine with what it measures, so it spends as little as it can: requests are signed before the clock
// starts, and one thread serves all connections with epoll, a write and a read for each request.
package load
