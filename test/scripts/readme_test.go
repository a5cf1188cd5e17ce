package scripts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/trent-kms/trent/test/internal/harness"
	"github.com/trent-kms/trent/test/internal/script"
)

// fence is one fenced block of a document: what it says after the opening fence, and its lines.
type fence struct{ kind, text string }

// fences returns the fenced blocks of the project's README.
func fences(t *testing.T) []fence {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var all []fence
	for _, m := range regexp.MustCompile("(?ms)^```(\\w*)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		all = append(all, fence{m[1], m[2]})
	}
	return all
}

// TestReadmeTour types the README's tour: `make run` in one terminal and every sh block, in order, in another shell.
// The shell stops at the first command that fails. Only the port is another, so that the test disturbs nobody.
func TestReadmeTour(t *testing.T) {
	var tour strings.Builder
	commands := 0
	for _, f := range fences(t) {
		if f.kind == "sh" {
			tour.WriteString(f.text)
			commands += strings.Count(f.text, "aws ") + strings.Count(f.text, "trent ")
		}
	}
	if commands < 8 {
		t.Fatalf("the README's sh blocks have only %d commands", commands)
	}
	url, log := makeRun(t)

	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "bin"), 0o700); err != nil {
		t.Fatal(err)
	}
	// trent env must print where this server is.
	wrapper := fmt.Sprintf("#!/bin/sh\n[ \"$1\" != env ] || set -- \"$@\" --endpoint %s\nexec %s \"$@\"\n", url, harness.Binary())
	if err := os.WriteFile(filepath.Join(dir, "bin", "trent"), []byte(wrapper), 0o700); err != nil {
		t.Fatal(err)
	}
	said := shell(t, dir, tour.String())
	for _, want := range []string{"attack at dawn", `"Arn": "arn:aws:iam::000000000000:root"`, "the key is gone"} {
		if !strings.Contains(said, want) {
			t.Errorf("the tour does not show %q:\n%s", want, said)
		}
	}
	if n := strings.Count(log.String(), "ready on"); n != 1 {
		t.Errorf("the server said %d times that it is ready:\n%s", n, log)
	}
}

// makeRun starts the development server as the README says, on a free port, and returns its address and its log.
func makeRun(t *testing.T) (string, *syncBuffer) {
	t.Helper()
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("make", "run")
	c.Dir = root
	c.Env = append(harness.Environ(), "TRENT_LISTEN=127.0.0.1:0")
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that the server behind make can be told too
	ready := make(chan string, 1)
	log := &syncBuffer{line: regexp.MustCompile(`(?m)^trent: ready on (http\S+)`), found: ready}
	c.Stdout, c.Stderr = log, log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	t.Cleanup(func() {
		if err := syscall.Kill(-c.Process.Pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Errorf("ending make run: %v", err)
		}
		select {
		case <-ended: // make itself reports the signal; the server's own exit status is other tests' business
		case <-time.After(time.Minute):
			syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
			t.Errorf("make run did not end:\n%s", log)
		}
	})
	select {
	case url := <-ready:
		return url, log
	case err := <-ended:
		ended <- err
		t.Fatalf("make run ended: %v\n%s", err, log)
	case <-time.After(5 * time.Minute): // it compiles
		t.Fatalf("make run is not ready:\n%s", log)
	}
	return "", nil
}

// shell runs a text in bash, which stops at the first failure, and returns what it printed.
func shell(t *testing.T, dir, text string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "bash", "-euo", "pipefail", "-c", "set -v\n"+text)
	c.Dir = dir
	c.Env = append(harness.Environ(), "AWS_PAGER=", "PATH="+script.Programs(t)+":/usr/bin:/bin")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("the tour failed: %v\n%s", err, out)
	}
	return string(out)
}

// TestReadmeProduction runs the README's command for a server to keep, with paths and an address of this test.
func TestReadmeProduction(t *testing.T) {
	ran := 0
	for _, f := range fences(t) {
		for line := range strings.Lines(f.text) {
			args, ok := strings.CutPrefix(strings.TrimSpace(line), "trent server ")
			if !ok {
				continue
			}
			ran++
			dir := t.TempDir()
			if _, err := harness.WriteCertificate(dir); err != nil {
				t.Fatal(err)
			}
			args = strings.ReplaceAll(args, "/var/lib/trent", "data")
			args = regexp.MustCompile(`--listen \S+`).ReplaceAllString(args, "--listen 127.0.0.1:0")
			harness.StartWith(t, harness.Config{Args: strings.Fields(args), Dir: dir})
			for _, name := range []string{"admin-credentials", "root.key"} {
				if _, err := os.Stat(filepath.Join(dir, "data", name)); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if ran == 0 {
		t.Error("the README starts no server to keep")
	}
}

// TestReadmeLinks follows the README's links to files.
func TestReadmeLinks(t *testing.T) {
	root, err := harness.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	links := regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(text), -1)
	if len(links) < 5 {
		t.Fatalf("only %d links", len(links))
	}
	for _, l := range links {
		if _, err := os.Stat(filepath.Join(root, l[1])); err != nil {
			t.Error(err)
		}
	}
}

// syncBuffer keeps what is written, and reports the first match of a line.
type syncBuffer struct {
	mu    sync.Mutex
	text  bytes.Buffer
	line  *regexp.Regexp
	found chan<- string
}

var _ io.Writer = (*syncBuffer)(nil)

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.text.Write(p)
	if b.found != nil {
		if m := b.line.FindSubmatch(b.text.Bytes()); m != nil {
			b.found <- string(m[1])
			b.found = nil
		}
	}
	return len(p), nil
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
