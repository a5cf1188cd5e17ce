// Package etcdtest runs a real etcd cluster of three members on the loopback, for tests.
package etcdtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

const members = 3

// patience is how long the cluster may take for what a test waits for.
const patience = 60 * time.Second

// pollInterval is the time between two looks at what does not announce itself.
const pollInterval = 20 * time.Millisecond

// Cluster is three etcd processes. Its methods are for the test's goroutine.
type Cluster struct {
	t       testing.TB
	binary  string
	dir     string
	members []*member
}

type member struct {
	name               string
	clientURL, peerURL string
	process            *exec.Cmd     // nil: not running
	ended              chan struct{} // closed when process has ended
}

// Start returns a cluster that is ready and ends with the test.
func Start(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t, binary: server(t), dir: t.TempDir()}
	t.Cleanup(c.stop)
	// Ports that were free may be taken when etcd gets to them: then its processes end, and others are tried.
	for range 5 {
		c.choosePorts()
		for i := range c.members {
			c.run(i)
		}
		if c.ready() {
			return c
		}
		c.stop()
		c.dir = t.TempDir()
	}
	t.Fatalf("no etcd cluster could be started:\n%s", c.logs())
	return nil
}

// Endpoints are the client addresses of the members, as host:port.
func (c *Cluster) Endpoints() []string {
	var out []string
	for _, m := range c.members {
		out = append(out, strings.TrimPrefix(m.clientURL, "http://"))
	}
	return out
}

// Kill ends a member as a power failure of its process: no signal that it could handle.
func (c *Cluster) Kill(i int) {
	c.t.Helper()
	m := c.members[i]
	if err := m.process.Process.Kill(); err != nil {
		c.t.Fatalf("killing etcd member %s: %v", m.name, err)
	}
	<-m.ended
	m.process = nil
}

// Restart runs a killed member again with its data, and returns at once.
func (c *Cluster) Restart(i int) { c.t.Helper(); c.run(i) }

// Pause stops a member's process without ending its connections, as a machine that hangs.
func (c *Cluster) Pause(i int) { c.t.Helper(); c.signal(i, syscall.SIGSTOP) }

// Resume lets a paused member go on.
func (c *Cluster) Resume(i int) { c.t.Helper(); c.signal(i, syscall.SIGCONT) }

func (c *Cluster) signal(i int, s syscall.Signal) {
	c.t.Helper()
	if err := c.members[i].process.Process.Signal(s); err != nil {
		c.t.Fatalf("signalling etcd member %s: %v", c.members[i].name, err)
	}
}

// Client returns a client of the cluster's own, for what a test does behind the store's back.
func (c *Cluster) Client() *clientv3.Client {
	c.t.Helper()
	client, err := clientv3.New(clientv3.Config{Endpoints: c.Endpoints(), Logger: zap.NewNop()})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { client.Close() })
	return client
}

// Leader returns the member that leads, waiting for an election if there is none.
func (c *Cluster) Leader() int {
	c.t.Helper()
	client := c.Client()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		for i, m := range c.members {
			if m.process == nil {
				continue
			}
			if s, err := client.Status(ctx, m.clientURL); err == nil && s.Leader == s.Header.MemberId {
				return i
			}
		}
		if !pause(ctx) {
			c.t.Fatalf("no etcd member leads:\n%s", c.logs())
		}
	}
}

// pause waits between two looks and reports whether ctx goes on.
func pause(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pollInterval):
		return true
	}
}

func (c *Cluster) choosePorts() {
	c.t.Helper()
	c.members = nil
	var held []net.Listener // until all are chosen, so that they differ
	port := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			c.t.Fatal(err)
		}
		held = append(held, l)
		return "http://" + l.Addr().String()
	}
	for i := range members {
		c.members = append(c.members, &member{name: fmt.Sprint("m", i), clientURL: port(), peerURL: port()})
	}
	for _, l := range held {
		l.Close()
	}
}

func (c *Cluster) run(i int) {
	c.t.Helper()
	m := c.members[i]
	var peers []string
	for _, p := range c.members {
		peers = append(peers, p.name+"="+p.peerURL)
	}
	log, err := os.OpenFile(c.logPath(m), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	m.process = exec.Command(c.binary,
		"--name", m.name,
		"--data-dir", filepath.Join(c.dir, m.name),
		"--listen-client-urls", m.clientURL, "--advertise-client-urls", m.clientURL,
		"--listen-peer-urls", m.peerURL, "--initial-advertise-peer-urls", m.peerURL,
		"--initial-cluster", strings.Join(peers, ","),
		"--initial-cluster-token", filepath.Base(c.dir),
		"--log-level", "warn",
	)
	m.process.Stdout, m.process.Stderr = log, log
	m.process.SysProcAttr = dieWithParent()
	if err := m.process.Start(); err != nil {
		c.t.Fatalf("starting etcd: %v", err)
	}
	ended := make(chan struct{})
	m.ended = ended
	go func(p *exec.Cmd) {
		_ = p.Wait() // how it ended is in the log
		close(ended)
	}(m.process)
}

func (c *Cluster) logPath(m *member) string { return filepath.Join(c.dir, m.name+".log") }

// ready waits until every member says that it is healthy, which it does only with a leader. It returns false if a member
// has ended.
func (c *Cluster) ready() bool {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for _, m := range c.members {
		for !healthy(ctx, m.clientURL) {
			select {
			case <-m.ended:
				return false
			default:
			}
			if !pause(ctx) {
				c.t.Fatalf("etcd member %s is not ready after %v:\n%s", m.name, patience, c.logs())
			}
		}
	}
	return true
}

func healthy(ctx context.Context, base string) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+"/health", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err == nil && resp.StatusCode == http.StatusOK
}

// stop kills what runs.
func (c *Cluster) stop() {
	for _, m := range c.members {
		if m.process == nil {
			continue
		}
		if err := m.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			c.t.Errorf("killing etcd member %s: %v", m.name, err)
		}
		<-m.ended
		m.process = nil
	}
}

// logs returns the ends of the members' logs.
func (c *Cluster) logs() string {
	var out bytes.Buffer
	for _, m := range c.members {
		b, err := os.ReadFile(c.logPath(m))
		fmt.Fprintf(&out, "%s (%v): %s\n", m.name, err, b[max(0, len(b)-2000):])
	}
	return out.String()
}
