// Package harness runs the built program for the tests in this folder: it builds it once, starts servers on a free port
// of the loopback address, waits until they are ready, and ends them politely or with kill -9.
package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// module is what `go list` knows the project as, from its own module and from those that replace it.
const module = "github.com/trent-kms/trent"

// binaryVariable hands the built program on to the tests of a process and to the programs that they start. When it is
// set already, that program is tested and none is built.
const binaryVariable = "TRENT_TEST_BINARY"

// Main builds the program with the race detector, runs the tests and exits. It is the TestMain of every package that
// starts servers.
func Main(m *testing.M) {
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv(binaryVariable) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "trent-test-")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(filepath.Join(dir, "trent"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func build(path string) error {
	root, err := Root()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, "go", "build", "-race", "-o", path, "./cmd/trent")
	c.Dir = root
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("harness: building the program: %w\n%s", err, out)
	}
	return os.Setenv(binaryVariable, path)
}

// Binary is the path of the built program.
func Binary() string { return os.Getenv(binaryVariable) }

// Root is the directory of the project.
func Root() (string, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		return "", fmt.Errorf("harness: looking for the project: %w", err)
	}
	return strings.TrimSpace(string(out)), nil
}

// Environ is the environment without the settings of whoever runs the tests: no credentials, no profile, no Region,
// no endpoint, and nothing that the server would read.
func Environ() []string {
	var kept []string
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "AWS_") && !strings.HasPrefix(v, "TRENT_") {
			kept = append(kept, v)
		}
	}
	return append(kept, "AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null")
}
