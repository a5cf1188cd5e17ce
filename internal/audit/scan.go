package audit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrDamaged says that records which had been acknowledged are missing or changed. Nothing was cut or skipped: someone
// must look, restore the segment from a copy, or move the log away knowingly.
var ErrDamaged = errors.New("audit: log is damaged")

// scanner reads one segment's records in order and judges what follows the last good one.
type scanner struct {
	lines lineReader
	// f checks the chain. With anchored unset the first record's own hash is taken as it is, because the record
	// before it is not at hand; the records after it are checked from there.
	f        framer
	anchored bool
	until    uint64 // the next segment's first record: lines from it on are remains of an abandoned write. 0: none

	end  int64 // offset after the last good record
	tail int64 // offset of the first record that the last good one did not know to be on disk
}

func newScanner(r io.Reader, after, until uint64) *scanner {
	s := &scanner{lines: lineReader{r: bufio.NewReaderSize(r, 128<<10)}, f: newFramer(), until: until}
	s.f.last = after
	return s
}

// next returns the next record's line without its line break, valid until the next call. io.EOF means that the good
// records ended and nothing acknowledged followed; ErrDamaged that something did.
func (s *scanner) next() ([]byte, error) {
	if s.until != 0 && s.f.last+1 == s.until {
		return nil, io.EOF
	}
	line, err := s.lines.next()
	if err == nil {
		if s.accept(line) {
			s.end += int64(len(line.text)) + 1
			return line.text, nil
		}
		err = s.judge(line)
	}
	if err == io.EOF && s.until != 0 {
		err = s.damage("is missing, and the next segment begins later")
	}
	return nil, err
}

// accept checks that the line is the record that must come now.
func (s *scanner) accept(line line) bool {
	if !line.ended || line.holed || line.cut || !bytes.HasPrefix(line.text, []byte{'{'}) {
		return false
	}
	f, ok := parseFrame(line.text)
	if !ok || f.sequence != s.f.last+1 || f.synced >= f.sequence {
		return false
	}
	if before := s.f.chain; s.anchored {
		if s.f.advance(line.text[:f.hashed]); s.f.chain != f.chain {
			s.f.chain = before
			return false
		}
	}
	if f.synced == s.f.last {
		s.tail = s.end
	}
	s.f.chain, s.f.last, s.f.synced, s.anchored = f.chain, f.sequence, f.synced, true
	return true
}

// judge decides about a line that is not the next record. A crash in the middle of a write leaves sectors that were
// not written, which read as zeros, or a file that ends early; a whole line without a zero byte was changed by
// something else. And where the end of this or a later line says that the missing record was on disk, somebody may
// have relied on it.
func (s *scanner) judge(bad line) error {
	if bad.ended && !bad.holed {
		return s.damage("is not what was written")
	}
	for l := bad; ; {
		if f, ok := parseFrame(l.text); ok && l.ended && f.synced > s.f.last {
			return s.damage("is missing, and was on disk")
		}
		var err error
		if l, err = s.lines.next(); err != nil {
			return err
		}
	}
}

func (s *scanner) damage(what string) error {
	return fmt.Errorf("%w: record %d, at byte %d, %s", ErrDamaged, s.f.last+1, s.end, what)
}

// again goes back to the end of the good records in r, the same file.
func (s *scanner) again(r io.ReadSeeker) error {
	_, err := r.Seek(s.end, io.SeekStart)
	s.lines.r.Reset(r)
	return err
}

// line is a line of a segment, without its line break.
type line struct {
	text  []byte
	ended bool // a line break follows
	holed bool // it has a zero byte, which JSON never has
	cut   bool // it is longer than any record, and text is its end
}

// lineReader reads lines in bounded memory.
type lineReader struct {
	r    *bufio.Reader
	long []byte
}

// next returns the next line, valid until the next call, or io.EOF. Only at the end of the file is a line not ended.
func (l *lineReader) next() (line, error) {
	var out line
	l.long = l.long[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return line{}, err
		}
		out.holed = out.holed || bytes.IndexByte(part, 0) >= 0
		if len(l.long) > maxLineBytes {
			out.cut = true
			l.long = append(l.long[:0], l.long[len(l.long)-512:]...)
		}
		if out.text = part; len(l.long) > 0 || err == bufio.ErrBufferFull {
			l.long = append(l.long, part...)
			out.text = l.long
		}
		if err == bufio.ErrBufferFull {
			continue
		}
		if err == io.EOF && len(out.text) == 0 {
			return line{}, io.EOF
		}
		out.text, out.ended = bytes.CutSuffix(out.text, []byte{'\n'})
		return out, nil
	}
}
