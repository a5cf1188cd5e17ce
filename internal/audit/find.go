package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Reader looks things up in the log of a directory, while it is being written. It takes no lock that a writer waits for,
// and sees every record whose Append has returned.
type Reader struct{ Dir string }

// errFound ends a search.
var errFound = errors.New("found")

// Find returns the record of a request, or nil; what the service did because of it has records of its own, which are not
// meant. It reads the newest segment first, each in bounded memory, and checks what it reads as Read does. Damage in one
// segment is told only if the record is in none of the others.
func (r Reader) Find(ctx context.Context, requestID string) (*Record, error) {
	return r.last(ctx, member("requestID", requestID), func(x *Record) bool { return x.RequestID == requestID && x.EventType != ServiceEvent })
}

// Issued returns the record of the call that gave out temporary credentials, or nil.
func (r Reader) Issued(ctx context.Context, accessKeyID string) (*Record, error) {
	return r.last(ctx, member("accessKeyId", accessKeyID), func(x *Record) bool {
		return x.Source == "sts.amazonaws.com" && x.ErrorCode == "" && bytes.Contains(x.Response, member("accessKeyId", accessKeyID))
	})
}

// member is a member as the log has it. A text with escapes would be written otherwise, and is found nowhere.
func member(name, value string) []byte { return appendMember(nil, name, value)[1:] }

// last returns a record that contains some bytes and is the right one, from the newest segment that has one.
func (r Reader) last(ctx context.Context, contains []byte, right func(*Record) bool) (*Record, error) {
	firsts, err := segments(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading audit log: %w", err)
	}
	var damaged error
	for i := len(firsts) - 1; i >= 0; i-- {
		var found *Record
		_, err := readSegment(r.Dir, firsts, i, nil, func(line []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !bytes.Contains(line, contains) {
				return nil
			}
			x, err := ParseRecord(line)
			if err != nil || !right(x) {
				return err
			}
			found = x
			return errFound
		})
		switch {
		case errors.Is(err, errFound):
			return found, nil
		case errors.Is(err, ErrDamaged):
			damaged = err
		case err != nil:
			return nil, err
		}
	}
	return nil, damaged
}

// Walk calls f for every record between two times that contains some bytes, in order. Segments whose records are all older
// are not read. An error of f ends it and is returned as it is.
//
// Records are in the order in which their calls ended, so one can be a little older than the one before it.
func (r Reader) Walk(ctx context.Context, from, until time.Time, contains []byte, f func(*Record) error) error {
	firsts, err := segments(r.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading audit log: %w", err)
	}
	for i := r.begin(firsts, from); i < len(firsts); i++ {
		_, err := readSegment(r.Dir, firsts, i, nil, func(line []byte) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !bytes.Contains(line, contains) {
				return nil
			}
			x, err := ParseRecord(line)
			if err != nil || x.Time.Before(from) || x.Time.After(until) {
				return err
			}
			return f(x)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// slack is how much older a record can be than one before it: longer than any call takes.
const slack = 10 * time.Minute

// begin returns the first segment that can have a record of a time or later: the one before the first segment that begins
// later. A segment whose beginning cannot be read is not skipped.
func (r Reader) begin(firsts []uint64, from time.Time) int {
	for i := len(firsts) - 1; i > 0; i-- {
		var first time.Time
		_, err := readSegment(r.Dir, firsts, i, nil, func(line []byte) error {
			x, err := ParseRecord(line)
			if err == nil {
				first = x.Time
			}
			return errFound
		})
		if errors.Is(err, errFound) && !first.IsZero() && first.Add(slack).Before(from) {
			return i
		}
	}
	return 0
}
