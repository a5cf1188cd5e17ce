package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// How long a server may take on a busy machine. These are failures, not waits: tests go on at the first sign.
const (
	readyDeadline = 60 * time.Second
	endDeadline   = 60 * time.Second
)

// Config says how to start a server.
type Config struct {
	Args []string // of trent server; --listen 127.0.0.1:0 is added in front
	Env  []string // added to Environ
	Dir  string   // working directory; "" is the test's own
	Log  io.Writer
	// Tolerate is a text that an ERROR line of the log may have: of a failure that the test itself brings about.
	Tolerate string
}

// Server is a running process of the built program. Its methods must not be called at the same time.
type Server struct {
	// URL is where it answers, as it says itself: http://127.0.0.1:40123.
	URL    string
	config Config
	cmd    *exec.Cmd
	log    *readyLog
	ended  chan struct{} // closed after the process has ended, with err set
	err    error
}

// Launch starts a server and returns when it says that it is ready.
func Launch(c Config) (*Server, error) {
	s := &Server{config: c, log: &readyLog{ready: make(chan string, 1), tee: c.Log}, ended: make(chan struct{})}
	s.cmd = exec.Command(Binary(), append([]string{"server", "--listen", "127.0.0.1:0"}, c.Args...)...)
	// A race ends the server at once, with a status that Stop notices.
	s.cmd.Env = append(append(Environ(), "GORACE=halt_on_error=1 exitcode=66 atexit_sleep_ms=0"), c.Env...)
	s.cmd.Dir = c.Dir
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("harness: %w", err)
	}
	go func() {
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	deadline := time.NewTimer(readyDeadline)
	defer deadline.Stop()
	select {
	case s.URL = <-s.log.ready:
		return s, nil
	case <-s.ended:
		return nil, fmt.Errorf("harness: the server ended before it was ready: %v\n%s", s.err, s.Log())
	case <-deadline.C:
		return nil, errors.Join(fmt.Errorf("harness: not ready after %s\n%s", readyDeadline, s.Log()), s.Kill())
	}
}

// Start launches a server for a test, and stops it at the test's end if the test has not.
func Start(t testing.TB, args ...string) *Server {
	t.Helper()
	return StartWith(t, Config{Args: args})
}

// StartWith is Start with all settings.
func StartWith(t testing.TB, c Config) *Server {
	t.Helper()
	s, err := Launch(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("server log:\n%s", s.Log())
		}
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Restart launches another server with the same settings, after this one has ended.
func (s *Server) Restart(t testing.TB) *Server {
	t.Helper()
	return StartWith(t, s.config)
}

// Stop ends the server as a service manager would, with SIGTERM, and fails unless it drains and exits with status 0. A
// log that tells of an internal error is a failure too. A server that has ended already is left alone.
func (s *Server) Stop() error {
	select {
	case <-s.ended:
		if s.killed() {
			return nil
		}
	default:
		if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			return err
		}
		if err := s.wait(); err != nil {
			return err
		}
	}
	if s.err != nil {
		return fmt.Errorf("harness: the server did not exit with status 0: %w\n%s", s.err, s.Log())
	}
	return s.healthy()
}

// Kill ends the server with SIGKILL, wherever it is.
func (s *Server) Kill() error {
	// It may have ended by itself, which is for healthy to judge.
	_ = s.cmd.Process.Kill()
	if err := s.wait(); err != nil {
		return err
	}
	if !s.killed() {
		return fmt.Errorf("harness: the server ended by itself: %w\n%s", s.err, s.Log())
	}
	return s.healthy()
}

func (s *Server) wait() error {
	deadline := time.NewTimer(endDeadline)
	defer deadline.Stop()
	select {
	case <-s.ended:
		return nil
	case <-deadline.C:
		return errors.Join(fmt.Errorf("harness: still running %s after it was told to end\n%s", endDeadline, s.Log()), s.cmd.Process.Kill())
	}
}

func (s *Server) killed() bool {
	status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// healthy looks for what a server must never say, whatever its clients do.
func (s *Server) healthy() error {
	for line := range strings.Lines(s.Log()) {
		for _, sign := range []string{"DATA RACE", "panic:", `"level":"ERROR"`} {
			if strings.Contains(line, sign) && (s.config.Tolerate == "" || !strings.Contains(line, s.config.Tolerate)) {
				return fmt.Errorf("harness: %q in the server's log:\n%s", sign, s.Log())
			}
		}
	}
	return nil
}

// Log is what the server has said so far.
func (s *Server) Log() string { return s.log.String() }

// Address is host and port of URL.
func (s *Server) Address() string {
	_, address, _ := strings.Cut(s.URL, "://")
	return address
}

// Pid is the process id.
func (s *Server) Pid() int { return s.cmd.Process.Pid }

// readyLog keeps what a server says and waits for the line that says where it answers.
type readyLog struct {
	mu    sync.Mutex
	text  bytes.Buffer
	told  bool
	ready chan string
	tee   io.Writer
}

var readyLine = regexp.MustCompile(`(?m)^trent: ready on (https?://\S+) \(.*\)$`)

func (l *readyLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.Write(b)
	if l.tee != nil {
		if _, err := l.tee.Write(b); err != nil {
			return 0, err
		}
	}
	if m := readyLine.FindSubmatch(l.text.Bytes()); m != nil && !l.told {
		l.told = true
		l.ready <- string(m[1])
	}
	return len(b), nil
}

func (l *readyLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Profile is the administrator's credentials that a production server writes at its first start.
type Profile struct{ AccessKeyID, SecretAccessKey, Region string }

// ReadProfile reads them from a data directory.
func ReadProfile(dataDir string) (Profile, error) {
	text, err := os.ReadFile(dataDir + "/admin-credentials")
	if err != nil {
		return Profile{}, err
	}
	var p Profile
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " = ")
		switch name {
		case "aws_access_key_id":
			p.AccessKeyID = value
		case "aws_secret_access_key":
			p.SecretAccessKey = value
		case "region":
			p.Region = value
		}
	}
	if p.AccessKeyID == "" || p.SecretAccessKey == "" {
		return Profile{}, fmt.Errorf("harness: no credentials in %s/admin-credentials", dataDir)
	}
	return p, nil
}
