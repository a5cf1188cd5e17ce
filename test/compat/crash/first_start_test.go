package crash

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/kms"

	"github.com/trent-kms/trent/test/internal/harness"
)

// TestKillDuringFirstStart kills a server while it makes its deployment, as soon as a file of it appears. The next start
// must end up with a deployment that its administrator can enter.
func TestKillDuringFirstStart(t *testing.T) {
	killed := 0
	for _, file := range []string{"lock", "trent.db", "root.key", "admin-credentials", "audit"} {
		t.Run(file, func(t *testing.T) {
			dir := t.TempDir()
			c := exec.Command(harness.Binary(), "server", "--listen", "127.0.0.1:0", "--data-dir", dir)
			c.Env = harness.Environ()
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			awaitFile(t, filepath.Join(dir, file))
			if err := c.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := c.Wait(); err == nil {
				t.Fatal("it was not killed")
			}
			killed++

			l := &life{dir: dir, server: harness.Start(t, "--data-dir", dir)}
			var err error
			if l.profile, err = harness.ReadProfile(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := l.client(http.DefaultClient).CreateKey(t.Context(), &kms.CreateKeyInput{}); err != nil {
				t.Errorf("the administrator cannot enter: %v", err)
			}
			leftovers, err := filepath.Glob(filepath.Join(dir, ".new-*"))
			if err != nil || len(leftovers) > 1 {
				t.Errorf("left behind: %v, %v", leftovers, err)
			}
		})
	}
	if killed < 5 {
		t.Errorf("killed only %d times", killed)
	}
}

func awaitFile(t *testing.T, path string) {
	t.Helper()
	look := time.NewTicker(50 * time.Microsecond)
	defer look.Stop()
	deadline := time.After(time.Minute)
	for {
		if _, err := os.Stat(path); err == nil {
			return
		}
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("%s does not appear", path)
		}
	}
}
