package script

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/trent-kms/trent/test/internal/harness"
)

// Programs is a directory with the programs that scripts call: the built one, and the system's AWS CLI.
func Programs(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, path := range map[string]string{"trent": harness.Binary(), "aws": AWSCLI(t)} {
		if err := os.Symlink(path, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// AWSCLI prefers the system's own over one that somebody has put in front of it. Without one the tests fail.
func AWSCLI(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/aws", "/usr/local/bin/aws", "/opt/homebrew/bin/aws"} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	t.Fatal("there is no AWS CLI: apt-get install awscli")
	return ""
}
