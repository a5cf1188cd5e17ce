package root

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/trent-kms/trent/internal/hsm/seal"
)

// ErrRootFile says that a root key file cannot be made or used; the error's text says why and what to do.
var ErrRootFile = errors.New("root key file")

// The file is one line of text that can be printed and typed in again:
//
//	trent-root-key:1:<key id, 32 hex digits>:<key, 64 hex digits>⏎
//
// The id is derived from the key by HMAC, so it is also the checksum: a wrong digit anywhere is noticed.
const (
	fileMagic   = "trent-root-key:"
	fileVersion = "1"
	fileHead    = fileMagic + fileVersion + ":"
	// temporaryPrefix begins the name of a file while it is written.
	temporaryPrefix = ".trent-root-key-"
	fileSize        = len(fileHead) + 2*idSize + len(":") + 2*seal.KeySize + len("\n")
)

// File is a root key that was read from a file. The file is not needed again after it was opened.
type File struct{ *Key }

// CreateFile makes a new root key and writes it to path, mode 0600. It never replaces a file: if path exists the error
// is ErrRootFile and fs.ErrExist. When it returns nil the file is durable. A crash leaves either no file at path or the
// whole one, and perhaps a file named .trent-root-key-* beside it. If that is a second name of the file at path, OpenFile
// removes it; else it is a key that was never used, or another process's that is about to be, and may be deleted by hand.
func CreateFile(path string) (*File, error) {
	var secret [seal.KeySize]byte
	defer clear(secret[:])
	rand.Read(secret[:])
	text := encode(&secret)
	defer clear(text)

	err := writeDurably(path, text)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("%w %s: exists already and is not replaced, because all data sealed by it would be lost; choose another path: %w",
			ErrRootFile, path, fs.ErrExist)
	}
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrRootFile, path, err)
	}
	return OpenFile(path)
}

// OpenFile reads the root key in the file at path. It fails with ErrRootFile (and fs.ErrNotExist if there is none, and
// ErrUnknownVersion if its format is newer) unless the file is a regular file as checkPrivate wants it, with exactly what
// CreateFile writes. A symbolic link is followed, because secret volumes of container platforms consist of them; the rules
// hold for the file that it leads to.
//
// It removes what a crash of CreateFile can have left beside the file: a second name of it, .trent-root-key-*, that would
// survive if somebody destroyed the key by deleting path.
func OpenFile(path string) (*File, error) {
	text, info, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w %s: does not exist; restore it from your copy, because a new one cannot open existing data: %w",
			ErrRootFile, path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrRootFile, path, err)
	}
	defer clear(text)
	k, err := decode(text)
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrRootFile, path, err)
	}
	removeLeftovers(filepath.Dir(path), info)
	return &File{k}, nil
}

// removeLeftovers removes the temporary names of the file in dir. That it cannot (a volume that is read-only) is no
// reason to go without the key.
func removeLeftovers(dir string, file fs.FileInfo) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), temporaryPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && os.SameFile(info, file) {
			os.Remove(filepath.Join(dir, e.Name()))
		}
	}
}

func encode(secret *[seal.KeySize]byte) []byte {
	k := newKey(secret)
	text := make([]byte, 0, fileSize)
	text = append(text, fileHead...)
	text = hex.AppendEncode(text, k.id[:])
	text = append(text, ':')
	text = hex.AppendEncode(text, secret[:])
	return append(text, '\n')
}

// decode accepts only what encode makes.
func decode(text []byte) (*Key, error) {
	rest, ok := bytes.CutPrefix(text, []byte(fileMagic))
	if !ok {
		return nil, fmt.Errorf("not a root key file of Trent, which begins with %q", fileMagic)
	}
	if v, _, ok := bytes.Cut(rest, []byte(":")); ok && newerVersion(v) {
		return nil, fmt.Errorf("%w: format %s, this program reads format %s; use a newer Trent", ErrUnknownVersion, v, fileVersion)
	}
	if len(text) != fileSize {
		return nil, fmt.Errorf("damaged: it must be one line of %d bytes, line end included; restore it from your copy", fileSize)
	}
	var secret [seal.KeySize]byte
	defer clear(secret[:])
	digits := text[fileSize-len("\n")-2*seal.KeySize : fileSize-len("\n")]
	hex.Decode(secret[:], digits) // what is no digit fails the comparison
	want := encode(&secret)
	defer clear(want)
	if !bytes.Equal(text, want) {
		return nil, errors.New("damaged: key and key id do not belong together, or a digit is none of 0-9 a-f; restore it from your copy")
	}
	return newKey(&secret), nil
}

// newerVersion reports whether v is a decimal number above fileVersion, short enough to be shown.
func newerVersion(v []byte) bool {
	if len(v) == 0 || len(v) > 4 || v[0] == '0' {
		return false
	}
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
	}
	return string(v) != fileVersion
}

// readPrivate returns the content of a file that checkPrivate accepts, one byte more than a root key file has at most, and
// which file that was. The path is checked before it is opened, because opening a named pipe would wait for a writer, and the
// file again afterwards, because the path may have changed meanwhile.
func readPrivate(path string) ([]byte, fs.FileInfo, error) {
	us := thisProcess()
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if err := us.checkPrivate(info); err != nil {
		return nil, nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if err := us.checkPrivate(info); err != nil {
		return nil, nil, err
	}
	buf := make([]byte, fileSize+1)
	n, err := io.ReadFull(f, buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, nil, err
	}
	return buf[:n], info, nil
}

// writeDurably creates path with this content, mode 0600, or fails with fs.ErrExist. The name appears by link(2), which
// never replaces, after the content is on disk, and the directory is synced before the return.
func writeDurably(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, temporaryPrefix+"*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
