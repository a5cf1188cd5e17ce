package audit

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	segmentSuffix = ".jsonl"
	lockName      = "lock" // the file that an open log holds locked
)

// segmentName names a segment for the sequence number of its first record: 20 digits, so that names sort.
func segmentName(first uint64) string { return fmt.Sprintf("%020d%s", first, segmentSuffix) }

// segments returns the first sequence numbers of the segments in dir, ascending. Other files are not ours to judge.
func segments(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var firsts []uint64
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		if !ok || len(digits) != 20 {
			continue
		}
		if first, err := strconv.ParseUint(digits, 10, 64); err == nil && first > 0 {
			firsts = append(firsts, first)
		}
	}
	return firsts, nil
}

// file is what the log does with a segment it writes; tests put faults behind it.
type file interface {
	io.WriterAt
	Sync() error
	Truncate(size int64) error
	Close() error
}

// disk makes and opens segments for writing.
type disk interface {
	// create makes a file that must not exist, readable by its owner alone.
	create(path string) (file, error)
	// open opens an existing file.
	open(path string) (file, error)
	// remove deletes a file; that there is none is not an error.
	remove(path string) error
	// syncDir makes creations and removals in dir durable.
	syncDir(dir string) error
}

// osDisk is the real disk.
type osDisk struct{}

func (osDisk) create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

func (osDisk) open(path string) (file, error) { return os.OpenFile(path, os.O_WRONLY, 0) }

func (osDisk) remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

func (osDisk) syncDir(dir string) error {
	d, err := os.Open(filepath.Clean(dir))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
