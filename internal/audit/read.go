package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Read calls f for every record of the log in dir, in order, and checks sequence and chain on the way. line is one
// JSON object without a line break, valid only during the call; an error of f ends Read and is returned as it is. It
// fails with ErrDamaged where an acknowledged record is missing or changed, after all records before that one; what a
// crash left of a write at the log's end is not a record and no error.
//
// The oldest segments may have been moved away: the log then begins with the oldest that is there, of whose first
// record only the form can be checked. Read may run while the log is being written, and then ends at a record that
// was the last one at some time since it began.
func Read(dir string, f func(line []byte) error) error {
	firsts, err := segments(dir)
	if err != nil {
		return fmt.Errorf("reading audit log: %w", err)
	}
	var before *scanner
	for i := range firsts {
		if before, err = readSegment(dir, firsts, i, before, f); err != nil {
			return err
		}
	}
	return nil
}

// scanAll reads a whole segment for its end. What the record before its first one was is left open.
func scanAll(dir string, firsts []uint64, i int) (*scanner, error) {
	return readSegment(dir, firsts, i, nil, func([]byte) error { return nil })
}

// readSegment calls f for the records of one segment and returns its scanner, behind the last one. before is the
// scanner of the segment before it, or nil.
func readSegment(dir string, firsts []uint64, i int, before *scanner, f func([]byte) error) (*scanner, error) {
	name := segmentName(firsts[i])
	r, err := os.Open(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("reading audit log: %w", err)
	}
	defer r.Close()
	var until uint64
	if i+1 < len(firsts) {
		until = firsts[i+1]
	}
	s := newScanner(r, firsts[i]-1, until)
	if s.anchored = before != nil || firsts[i] == 1; before != nil {
		s.f.chain = before.f.chain
	}
	for looks := 1; ; {
		line, err := s.next()
		switch {
		case err == nil:
			looks = 1
			if err := f(line); err != nil {
				return nil, err
			}
		case err == io.EOF:
			return s, nil
		case errors.Is(err, ErrDamaged) && looks == 1:
			// In a log that is being written we may have read a page before a record reached it and a later
			// page after. If so, the record is there by now.
			looks++
			if err := s.again(r); err != nil {
				return nil, fmt.Errorf("reading audit segment %s: %w", name, err)
			}
		default:
			return nil, fmt.Errorf("reading audit segment %s: %w", name, err)
		}
	}
}
