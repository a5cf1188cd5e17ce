package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/trent-kms/trent/internal/iam"
)

// dataDir is the directory of everything the server keeps, held by one server at a time. The names in it are fixed;
// nothing that a client sends becomes part of a path.
type dataDir struct {
	path      string
	lock      *os.File
	temporary bool
}

// openDataDir makes the directory if needed and locks it. Development without a directory gets a private temporary
// one, for its audit log alone, that goes with the server.
func openDataDir(s *settings) (*dataDir, error) {
	if s.dataDir == "" {
		path, err := os.MkdirTemp("", "trent-dev-")
		return &dataDir{path: path, temporary: true}, err
	}
	if err := makeDir(s.dataDir); err != nil {
		return nil, fmt.Errorf("making the data directory: %w", err)
	}
	info, err := os.Stat(s.dataDir)
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o022 != 0 {
		return nil, &failure{fmt.Errorf("data directory %s can be written by others", s.dataDir), "chmod go-w " + s.dataDir}
	}
	d := &dataDir{path: s.dataDir}
	return d, d.acquire()
}

// makeDir makes a private directory that survives a power failure.
func makeDir(path string) error {
	err := os.Mkdir(path, 0o700)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if err := makeDir(filepath.Dir(path)); err != nil {
			return err
		}
		return makeDir(path)
	case errors.Is(err, os.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return syncDir(filepath.Dir(path))
}

// acquire takes the lock, which the system releases when the process ends, however it ends.
func (d *dataDir) acquire() error {
	path := filepath.Join(d.path, "lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the data directory's lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		return &failure{
			fmt.Errorf("data directory %s is in use by another server (process %s)", d.path, strings.TrimSpace(string(holder))),
			"stop that server, or choose another --data-dir",
		}
	}
	d.lock = f
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

func (d *dataDir) close() {
	if d.temporary {
		os.RemoveAll(d.path)
		return
	}
	d.lock.Close()
}

func (d *dataDir) audit() string { return filepath.Join(d.path, "audit") }

// credentials is the file of the first administrator's AWS profile.
func (d *dataDir) credentials() string { return filepath.Join(d.path, "admin-credentials") }

// administrator returns the function that keeps the first administrator's credentials as an AWS profile, readable by
// the owner alone, and says where. The secret itself is never printed. A file that is there already is kept under
// another name: it may be the only copy of the secret of a deployment that this start has not found.
func (d *dataDir) administrator(s *settings, addr string, stderr io.Writer) func(string, iam.AccessKey) error {
	return func(account string, key iam.AccessKey) error {
		if err := keepAside(d.credentials()); err != nil {
			return fmt.Errorf("keeping the credentials that are there already: %w", err)
		}
		text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\nregion = %s\nendpoint_url = %s\n",
			key.ID, key.Secret.Expose(), s.regions[0], s.endpoint(addr))
		if err := writeDurably(d.credentials(), []byte(text)); err != nil {
			return fmt.Errorf("writing the administrator's credentials: %w", err)
		}
		fmt.Fprintf(stderr, "trent: first start: the administrator's AWS profile (account %s) is in %s\n", account, d.credentials())
		return nil
	}
}

// withdraw returns the function that removes credentials which another node's start has made worthless.
func (d *dataDir) withdraw(stderr io.Writer) func(string) error {
	return func(accessKeyID string) error {
		text, err := os.ReadFile(d.credentials())
		if err != nil || !strings.Contains(string(text), accessKeyID) {
			return err
		}
		fmt.Fprintln(stderr, "trent: another node made the deployment: its data directory has the administrator's AWS profile, this one's is withdrawn")
		return os.Remove(d.credentials())
	}
}

// keepAside gives a file the first free name with a number at its end.
func keepAside(path string) error {
	for n := 1; ; n++ {
		err := os.Link(path, fmt.Sprintf("%s.%d", path, n))
		switch {
		case errors.Is(err, os.ErrExist):
			continue
		case errors.Is(err, os.ErrNotExist):
			return nil
		}
		return err
	}
}

// endpoint is where clients on this machine find the server.
func (s *settings) endpoint(addr string) string {
	scheme := "http"
	if s.tlsCert != "" {
		scheme = "https"
	}
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err == nil && ip != nil && ip.IsUnspecified() {
		addr = net.JoinHostPort("localhost", port)
	}
	return scheme + "://" + addr
}

// writeDurably replaces a private file so that a crash leaves the old one or the new one.
func writeDurably(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
