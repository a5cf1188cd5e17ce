//go:build linux

// Package process runs the servers that are measured, as children, and reads what they have used from Linux's /proc.
package process

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a server that runs.
type Process struct {
	Addr string // host:port that it listens on
	// Ready is the time from its start to the line that says it is ready.
	Ready time.Duration

	cmd    *exec.Cmd
	stderr tail
	ended  chan struct{} // closed when it has ended, with err set
	err    error
}

// Start runs a command that says "… ready on http://host:port …" on stderr, and waits for that. With cpus it may run on
// these alone. The process is killed when ctx or this process ends.
func Start(ctx context.Context, cpus []int, path string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.CommandContext(ctx, path, args...), ended: make(chan struct{})}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // whatever ends us
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := startOn(cpus, p.cmd.Start); err != nil {
		return nil, err
	}
	ready := make(chan string, 1)
	go func() {
		p.follow(stderr, ready)
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	select {
	case p.Addr = <-ready:
		p.Ready = time.Since(began)
		return p, nil
	case <-p.ended:
		return nil, fmt.Errorf("%s ended before it was ready (%v):\n%s", path, p.err, p.stderr.String())
	}
}

// follow reads all that the process says, and keeps the last of it.
func (p *Process) follow(stderr io.Reader, ready chan<- string) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		p.stderr.add(lines.Text())
		if _, rest, ok := strings.Cut(lines.Text(), "ready on http://"); ok {
			addr, _, _ := strings.Cut(rest, " ")
			select {
			case ready <- addr:
			default: // said twice
			}
		}
	}
}

// Stop ends the process with SIGTERM. It is an error if it does not exit with 0.
func (p *Process) Stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	if p.err != nil {
		return fmt.Errorf("%s: %w:\n%s", p.cmd.Path, p.err, p.stderr.String())
	}
	return nil
}

// tail is the last lines of a text.
type tail struct {
	mu    sync.Mutex
	lines []string
}

func (t *tail) add(line string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lines = append(t.lines[max(0, len(t.lines)-19):], line)
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.Join(t.lines, "\n")
}
