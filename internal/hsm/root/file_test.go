package root

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/trent-kms/trent/internal/hsm/seal"
)

// goldenFile is a root key file that every future version reads. The id is also OpenSSL's answer (seal's tests).
const goldenFile = "trent-root-key:1:e35d148243493508c9da21186354926c:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "root.key")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCreatedFileOpensWhatItSealed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	created, err := CreateFile(path)
	if err != nil {
		t.Fatal(err)
	}
	blob := sealed(t, created, "secret")
	opened, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := opened.Unseal(t.Context(), purpose, blob); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if created.ID() != opened.ID() {
		t.Errorf("created %s, opened %s", created.ID(), opened.ID())
	}
}

func TestCreatedFileIsPrivateAndAlone(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "root.key")
	if _, err := CreateFile(path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode %v, want 0600", info.Mode())
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the directory has %v, %v; want the file alone", entries, err)
	}
}

func TestCreateFileNeverReplaces(t *testing.T) {
	for name, prepare := range map[string]func(path string) error{
		"a file":           func(path string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
		"a directory":      func(path string) error { return os.Mkdir(path, 0o700) },
		"a dangling link":  func(path string) error { return os.Symlink("nowhere", path) },
		"an unreadable":    func(path string) error { return os.WriteFile(path, []byte("precious"), 0) },
		"a root key file":  func(path string) error { return os.WriteFile(path, []byte(goldenFile), 0o600) },
		"a file of others": func(path string) error { return os.WriteFile(path, []byte("precious"), 0o444) },
	} {
		path := filepath.Join(t.TempDir(), "root.key")
		if err := prepare(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.ReadFile(path)
		if _, err := CreateFile(path); !errors.Is(err, ErrRootFile) || !errors.Is(err, fs.ErrExist) {
			t.Errorf("%s: got %v, want ErrRootFile and fs.ErrExist", name, err)
		}
		if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
			t.Errorf("%s: the content changed", name)
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("%s: the directory has %v", name, entries)
		}
	}
}

func TestOfConcurrentCreatorsOneWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), "root.key")
	var won atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			f, err := CreateFile(path)
			if err == nil {
				won.Add(1)
				winner.Store(f.ID())
			} else if !errors.Is(err, fs.ErrExist) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	f, err := OpenFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if won.Load() != 1 || winner.Load() != f.ID() {
		t.Errorf("%d creators won, the last made %v, the file has %s", won.Load(), winner.Load(), f.ID())
	}
}

func TestCreateFileNeedsADirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "missing", "root.key")
	if _, err := CreateFile(path); !errors.Is(err, ErrRootFile) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want ErrRootFile and fs.ErrNotExist", err)
	}
}

func TestGoldenFileOpensForEver(t *testing.T) {
	f, err := OpenFile(write(t, goldenFile))
	if err != nil {
		t.Fatal(err)
	}
	if want := goldenFile[len(fileHead):][:32]; f.ID() != want {
		t.Errorf("got id %s, want %s", f.ID(), want)
	}
}

func TestOpenFileSaysWhatIsWrong(t *testing.T) {
	const id = "e35d148243493508c9da21186354926c"
	key := goldenFile[len(fileHead)+32+1:][:64]
	for _, c := range []struct{ name, content, says string }{
		{"empty", "", "not a root key file"},
		{"something else", "-----BEGIN PRIVATE KEY-----\n", "not a root key file"},
		{"magic alone", "trent-root-key:", "one line of"},
		{"format 0", strings.Replace(goldenFile, ":1:", ":0:", 1), "damaged"},
		{"format 2", strings.Replace(goldenFile, ":1:", ":2:", 1), "format 2, this program reads format 1; use a newer Trent"},
		{"format 10, longer", "trent-root-key:10:argon2id:salt:key\n", "format 10, this program reads format 1"},
		{"format far away", strings.Replace(goldenFile, ":1:", ":99999:", 1), "damaged"},
		{"format of words", strings.Replace(goldenFile, ":1:", ":x:", 1), "damaged"},
		{"no line end", strings.TrimSuffix(goldenFile, "\n"), "one line of"},
		{"two line ends", goldenFile + "\n", "one line of"},
		{"Windows line end", strings.Replace(goldenFile, "\n", "\r\n", 1), "one line of"},
		{"another byte for the line end", strings.Replace(goldenFile, "\n", " ", 1), "damaged"},
		{"two keys", goldenFile + goldenFile, "one line of"},
		{"a mebibyte", goldenFile + strings.Repeat("x", 1<<20), "one line of"},
		{"upper case", fileHead + id + ":" + strings.ToUpper(key) + "\n", "damaged"},
		{"upper-case id", fileHead + strings.ToUpper(id) + ":" + key + "\n", "damaged"},
		{"no digit", strings.Replace(goldenFile, "1f\n", "1g\n", 1), "damaged"},
		{"a typing mistake in the key", strings.Replace(goldenFile, "1e1f\n", "1f1e\n", 1), "do not belong together"},
		{"a typing mistake in the id", strings.Replace(goldenFile, "e35d", "e53d", 1), "do not belong together"},
		{"other separators", strings.ReplaceAll(goldenFile, ":", " "), "not a root key file"},
		{"another last separator", fileHead + id + "-" + key + "\n", "damaged"},
	} {
		path := write(t, c.content)
		f, err := OpenFile(path)
		if !errors.Is(err, ErrRootFile) || f != nil {
			t.Errorf("%s: got %v, %v; want ErrRootFile", c.name, f, err)
			continue
		}
		if !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: got %q, want %q and the path in it", c.name, err, c.says)
		}
		if newer := strings.Contains(c.says, "this program reads"); errors.Is(err, ErrUnknownVersion) != newer {
			t.Errorf("%s: ErrUnknownVersion is %v, want %v", c.name, !newer, newer)
		}
		if strings.Contains(err.Error(), key[:8]) {
			t.Errorf("%s: the error shows the key: %v", c.name, err)
		}
	}
}

func TestEveryChangedBitOfAFileIsNoticed(t *testing.T) {
	for i := range len(goldenFile) * 8 {
		flipped := []byte(goldenFile)
		flipped[i/8] ^= 1 << (i % 8)
		if k, err := decode(flipped); err == nil || k != nil {
			t.Errorf("bit %d: %q decodes", i, flipped)
		}
	}
}

func TestOpenFileRefusesWhatOthersCanUse(t *testing.T) {
	path := write(t, goldenFile)
	for mode := fs.FileMode(0o400); mode <= 0o777; mode++ {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		_, err := OpenFile(path)
		private := mode&0o077 == 0 || os.Geteuid() == 0 && (mode == 0o440 || mode == 0o640)
		if private && err != nil {
			t.Errorf("mode %04o: %v", mode, err)
		} else if !private && (!errors.Is(err, ErrRootFile) || !strings.Contains(err.Error(), "chmod 600")) {
			t.Errorf("mode %04o: got %v, want ErrRootFile that says chmod 600", mode, err)
		}
	}
}

func TestOpenFileRefusesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenFile(filepath.Join(dir, "missing")); !errors.Is(err, ErrRootFile) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: got %v, want ErrRootFile and fs.ErrNotExist", err)
	}
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "socket")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, path := range []string{dir, pipe, socket, "/dev/zero"} {
		if _, err := OpenFile(path); !errors.Is(err, ErrRootFile) || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: got %v, want ErrRootFile", path, err)
		}
	}
}

func TestOpenFileFollowsLinksToPrivateFilesOnly(t *testing.T) {
	path := write(t, goldenFile)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(link); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(link); !errors.Is(err, ErrRootFile) {
		t.Errorf("got %v, want ErrRootFile", err)
	}
}

// A crash of CreateFile leaves a second name of the file, or a file that was not given its name yet.
func TestOpenFileRemovesSecondNamesOfTheFile(t *testing.T) {
	path := write(t, goldenFile)
	dir := filepath.Dir(path)
	for name, prepare := range map[string]func(path string) error{
		".trent-root-key-1": func(p string) error { return os.Link(path, p) },
		".trent-root-key-2": func(p string) error { return os.WriteFile(p, []byte(goldenFile), 0o600) },
		".trent-root-key-3": func(p string) error { return os.Symlink(path, p) },
		"copy.key":          func(p string) error { return os.Link(path, p) },
	} {
		if err := prepare(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := OpenFile(path); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	want := []string{".trent-root-key-2", ".trent-root-key-3", "copy.key", "root.key"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

// FuzzDecode: whatever decodes is what encode makes of it.
func FuzzDecode(f *testing.F) {
	f.Add([]byte(goldenFile))
	f.Add([]byte(goldenFile[:40]))
	f.Add([]byte("trent-root-key:2:future\n"))
	f.Add([]byte(strings.ToUpper(goldenFile)))
	f.Add([]byte(goldenFile + "\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k, err := decode(text)
		if err != nil {
			if k != nil {
				t.Error("a key and an error")
			}
			return
		}
		var secret [seal.KeySize]byte
		hex.Decode(secret[:], text[len(text)-65:len(text)-1])
		if again := encode(&secret); !bytes.Equal(again, text) || newKey(&secret).id != k.id {
			t.Errorf("%q decodes and encodes to %q", text, again)
		}
	})
}
