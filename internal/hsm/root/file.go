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
	fileSize    = len(fileHead) + 2*idSize + len(":") + 2*seal.KeySize + len("\n")
)

// File is a root key that was read from a file. The file is not needed again after it was opened.
type File struct{ *Key }

// CreateFile makes a new root key and writes it to path, mode 0600. It never replaces a file: if path exists the error
// is ErrRootFile and fs.ErrExist. When it returns nil the file is durable. A crash leaves either no file at path or the
// whole one, and perhaps a file named .trent-root-key-* beside it, which may be deleted.
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
// ErrUnknownVersion if its format is newer) unless the file is a regular file, readable by its owner alone, with exactly
// what CreateFile writes. A symbolic link is followed, because secret volumes of container platforms consist of them; the
// rules hold for the file that it leads to.
func OpenFile(path string) (*File, error) {
	text, err := readPrivate(path)
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
	return &File{k}, nil
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

// readPrivate returns the content of a regular file that only its owner can use, and one byte more than a root key file
// has at most. The path is checked before it is opened, because opening a named pipe would wait for a writer, and the
// file again afterwards, because the path may have changed meanwhile.
func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := checkPrivate(info); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if err := checkPrivate(info); err != nil {
		return nil, err
	}
	buf := make([]byte, fileSize+1)
	n, err := io.ReadFull(f, buf)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	return buf[:n], nil
}

func checkPrivate(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	if p := info.Mode().Perm(); p&0o077 != 0 {
		return fmt.Errorf("others than its owner may use it (mode %04o): chmod 600 it, and consider who may have read it", p)
	}
	return nil
}

// writeDurably creates path with this content, mode 0600, or fails with fs.ErrExist. The name appears by link(2), which
// never replaces, after the content is on disk, and the directory is synced before the return.
func writeDurably(path string, content []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".trent-root-key-*")
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
