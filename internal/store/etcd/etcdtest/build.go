package etcdtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// serverPackage is the etcd server's main package. The module tools/ pins its version.
const serverPackage = "go.etcd.io/etcd/server/v3"

// server returns the path of an etcd binary, built once for each version on this machine and then kept in the user's
// cache directory. Packages tested at the same time wait for the one that builds.
func server(t testing.TB) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatalf("building the etcd server: %v", err)
	}
	return path
}

func build() (string, error) {
	tools, err := toolsDir()
	if err != nil {
		return "", err
	}
	path, err := cachedPath(tools)
	if err != nil {
		return "", err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer lock.Close() // and unlocks it
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	// The environment of the tests may select another module or another form of build; this is a plain program.
	cmd := exec.Command("go", "build", "-mod=readonly", "-trimpath", "-o", path+".new", serverPackage)
	cmd.Dir = tools
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOFIPS140=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, os.Rename(path+".new", path)
}

// toolsDir is the directory of the tools module, beside the go.mod of the code under test.
func toolsDir() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	root := filepath.Dir(strings.TrimSpace(string(out)))
	tools := filepath.Join(root, "tools")
	if _, err := os.Stat(filepath.Join(tools, "go.mod")); err != nil {
		return "", errors.New("no module tools/ in " + root)
	}
	return tools, nil
}

// cachedPath is where the server of the version that the tools module pins lies, built by this Go.
func cachedPath(tools string) (string, error) {
	list := exec.Command("go", "list", "-m", "-f", "{{.Version}}", serverPackage)
	list.Dir = tools
	version, err := list.Output()
	if err != nil {
		return "", fmt.Errorf("version of %s: %w", serverPackage, err)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "trent-test")
	name := fmt.Sprintf("etcd-%s-%s-%s", strings.TrimSpace(string(version)), runtime.Version(), runtime.GOARCH)
	return filepath.Join(dir, name), os.MkdirAll(dir, 0o700)
}
