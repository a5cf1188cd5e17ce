//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package audit

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestALogIsOpenOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "audit")
	l := open(t, Config{Dir: dir})
	add(t, l, "first")
	second, err := Open(t.Context(), Config{Dir: dir})
	if second != nil || !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), filepath.Join(dir, lockName)) {
		t.Fatalf("second Open: %v; want ErrLocked with the lock's path", err)
	}
	if diff := cmp.Diff([]string{"first"}, ids(t, dir)); diff != "" {
		t.Errorf("Read beside the writer (-want +got):\n%s", diff)
	}
	add(t, l, "second")
	closeLog(t, l)

	l = open(t, Config{Dir: dir})
	add(t, l, "third")
	closeLog(t, l)
	if diff := cmp.Diff([]string{"first", "second", "third"}, ids(t, dir)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestALogThatDoesNotOpenIsNotLocked(t *testing.T) {
	dir := logOf(t, append([]byte("damage\n"), threeBatches(t)...))
	for range 2 {
		if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrDamaged) {
			t.Fatalf("got %v, want ErrDamaged", err)
		}
	}
	if err := os.Remove(filepath.Join(dir, segmentName(1))); err != nil {
		t.Fatal(err)
	}
	closeLog(t, open(t, Config{Dir: dir}))
}
