package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Open opens the log in cfg.Dir and goes on behind its last record, or begins a log. It reads the newest segment whole
// (and the one before it, if the newest has no record yet), cuts what a crash left of a write, and fails with
// ErrDamaged when an acknowledged record of it is missing or changed. Read checks the other segments.
//
// It fails with ErrLocked while the log is open elsewhere: two writers would write over each other's records.
func Open(_ context.Context, cfg Config) (*Log, error) {
	if cfg.Dir == "" || cfg.SegmentBytes < 0 || cfg.Sync != SyncEach && cfg.Sync != SyncOS {
		return nil, errors.New("audit: bad configuration")
	}
	l := &Log{w: writer{
		dir:     cfg.Dir,
		disk:    cfg.disk,
		durable: cfg.Sync == SyncEach,
		limit:   cfg.SegmentBytes,
		framer:  newFramer(),
	}}
	if l.w.disk == nil {
		l.w.disk = osDisk{}
	}
	if l.w.limit == 0 {
		l.w.limit = DefaultSegmentBytes
	}
	if l.w.durable {
		l.w.zeros = make([]byte, zeroAhead)
	}
	if err := l.open(); err != nil {
		return nil, fmt.Errorf("opening audit log %s: %w", cfg.Dir, err)
	}
	return l, nil
}

func (l *Log) open() error {
	if err := l.w.makeDir(); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(l.w.dir, lockName))
	if err != nil {
		return err
	}
	l.unlock = unlock
	if err := l.takeUp(); err != nil {
		return errors.Join(err, unlock())
	}
	return nil
}

// takeUp makes the writer ready, behind the last record or for the first one.
func (l *Log) takeUp() error {
	firsts, err := segments(l.w.dir)
	if err != nil {
		return err
	}
	if len(firsts) == 0 {
		return l.w.begin()
	}
	l.tailCut, err = l.w.recover(firsts)
	return err
}

func (w *writer) makeDir() error {
	if _, err := os.Stat(w.dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		return err
	}
	return w.disk.syncDir(filepath.Dir(w.dir))
}

// recover takes up the newest segment and returns how many bytes it cut from its end. The older ones are left as they
// are; of what an abandoned one holds too much, readers take no notice.
func (w *writer) recover(firsts []uint64) (int64, error) {
	newest := len(firsts) - 1
	s, err := scanAll(w.dir, firsts, newest)
	if err != nil {
		return 0, err
	}
	w.framer = s.f
	if s.end == 0 && firsts[newest] > 1 {
		if newest == 0 {
			return 0, s.damage("would be the next, but the segment before it is not there")
		}
		before, err := scanAll(w.dir, firsts, newest-1)
		if err != nil {
			return 0, err
		}
		w.framer = before.f
	}
	return w.resume(filepath.Join(w.dir, segmentName(firsts[newest])), s.tail, s.end)
}

// resume opens the segment for writing behind end, cuts what follows and returns how much that was. In durable mode it
// also writes the records from tail on once more: if a sync failed when they were written, the kernel may show them to
// us although the disk does not have them, and would not write them by itself any more.
func (w *writer) resume(path string, tail, end int64) (int64, error) {
	r, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	cut, err := written(r, end)
	if err != nil {
		return 0, err
	}
	f, err := w.disk.open(path)
	if err != nil {
		return 0, err
	}
	w.segment = &segment{file: f, path: path, size: end, zeroed: end}
	if err := f.Truncate(end); err != nil {
		return 0, errors.Join(err, f.Close())
	}
	if !w.durable {
		return cut, nil
	}
	_, err = io.Copy(io.NewOffsetWriter(f, tail), io.NewSectionReader(r, tail, end-tail))
	if err = errors.Join(err, f.Sync(), w.disk.syncDir(w.dir)); err != nil {
		return 0, errors.Join(err, f.Close())
	}
	w.synced = w.last
	return cut, nil
}

// written returns how many bytes of r behind end are more than zeros written ahead.
func written(r io.ReaderAt, end int64) (int64, error) {
	var n, last int64
	buf := make([]byte, 128<<10)
	for {
		m, err := r.ReadAt(buf, end+n)
		if text := bytes.TrimRight(buf[:m], "\x00"); len(text) > 0 {
			last = n + int64(len(text))
		}
		n += int64(m)
		if err == io.EOF {
			return last, nil
		}
		if err != nil {
			return 0, err
		}
	}
}
