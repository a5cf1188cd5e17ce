package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// threeBatches makes a log of six records, two to a batch, in one segment, and returns its bytes. After a crash, the
// last batch may be torn; the others were acknowledged before it was begun.
func threeBatches(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	for n := range 3 {
		if err := l.w.write([][]byte{eventWithID(2*n + 1), eventWithID(2*n + 2)}); err != nil {
			t.Fatal(err)
		}
	}
	closeLog(t, l)
	b, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func eventWithID(n int) []byte {
	e := decryptEvent()
	e.RequestID = fmt.Sprint(n)
	return e.AppendJSON(nil)
}

// logOf makes a log directory of one segment that begins with record 1.
func logOf(t testing.TB, segment []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, segmentName(1)), segment, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWhatATornWriteLeftIsCutAndDamageIsRefused(t *testing.T) {
	whole := threeBatches(t)
	lines := bytes.SplitAfter(whole, []byte("\n"))[:6]
	cat := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	// holed is a line of which a disk sector was not written.
	holed := func(line []byte, from, to int) []byte {
		return cat(line[:from], make([]byte, to-from), line[to:])
	}
	changed := bytes.Replace(lines[2], []byte("Decrypt"), []byte("Encrypt"), 1)
	zeros := make([]byte, 3000)

	const damaged = -1
	tests := []struct {
		name    string
		segment []byte
		records int // how many are left, or damaged
		cut     int
	}{
		{"untouched", whole, 6, 0},
		{"zeros written ahead", cat(whole, zeros), 6, 0},
		{"empty", nil, 0, 0},
		{"zeros alone", zeros, 0, 0},

		{"last line without its end", whole[:len(whole)-300], 5, len(lines[5]) - 300},
		{"last line without its line break", whole[:len(whole)-1], 5, len(lines[5]) - 1},
		{"last line ends in zeros", cat(whole[:len(whole)-300], zeros), 5, len(lines[5]) - 300},
		{"hole in the last batch's last line", cat(lines[0], lines[1], lines[2], lines[3], lines[4],
			holed(lines[5], 100, 600), zeros), 5, len(lines[5])},
		{"hole in the last batch's first line", cat(lines[0], lines[1], lines[2], lines[3],
			holed(lines[4], 100, 600), lines[5], zeros), 4, len(lines[4]) + len(lines[5])},
		{"hole over a line break", cat(whole[:len(whole)-len(lines[5])-20], zeros[:100],
			whole[len(whole)-len(lines[5])+80:]), 4, len(lines[4]) + len(lines[5])},
		{"hole at the beginning of the last batch", cat(lines[0], lines[1], lines[2], lines[3],
			holed(lines[4], 0, 600), lines[5]), 4, len(lines[4]) + len(lines[5])},
		{"first batch alone, torn", cat(holed(lines[0], 500, 700), lines[1]), 0, len(lines[0]) + len(lines[1])},

		{"hole in an acknowledged line", cat(lines[0], holed(lines[1], 100, 600), lines[2]), damaged, 0},
		{"hole over an acknowledged batch", cat(lines[0], lines[1],
			make([]byte, len(lines[2])+len(lines[3])), lines[4]), damaged, 0},
		{"hole, and the next batch torn too", cat(lines[0], holed(lines[1], 100, 600), lines[2][400:]), damaged, 0},
		{"record changed", cat(lines[0], lines[1], changed, lines[3]), damaged, 0},
		{"last record changed", cat(lines[0], lines[1], changed), damaged, 0},
		{"record missing", cat(lines[0], lines[2]), damaged, 0},
		{"first record missing", cat(lines[1], lines[2]), damaged, 0},
		{"record twice", cat(lines[0], lines[0]), damaged, 0},
		{"records swapped", cat(lines[0], lines[2], lines[1]), damaged, 0},
		{"empty line", cat(lines[0], []byte("\n"), lines[1]), damaged, 0},
		{"something else at the end", cat(whole, []byte("{\"eventVersion\":\"1.11\"}\n")), damaged, 0},
		{"a line longer than any", cat(whole, bytes.Repeat([]byte("x"), maxLineBytes+1<<20), lines[5]), damaged, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := logOf(t, tt.segment)
			got, readErr := readIDs(t, dir)
			l, err := Open(t.Context(), Config{Dir: dir})
			if tt.records == damaged {
				if !errors.Is(err, ErrDamaged) || !errors.Is(readErr, ErrDamaged) {
					t.Errorf("Open: %v, Read: %v, want both ErrDamaged", err, readErr)
				}
				if b, _ := os.ReadFile(filepath.Join(dir, segmentName(1))); !bytes.Equal(b, tt.segment) {
					t.Error("Open changed a damaged segment")
				}
				return
			}
			if err != nil || readErr != nil {
				t.Fatalf("Open: %v, Read: %v", err, readErr)
			}
			if len(got) != tt.records || l.TailCut() != int64(tt.cut) {
				t.Errorf("%d records, %d bytes cut; want %d, %d", len(got), l.TailCut(), tt.records, tt.cut)
			}
			add(t, l, "new")
			closeLog(t, l)
			if diff := cmp.Diff(append(got, "new"), ids(t, dir)); diff != "" {
				t.Errorf("records after another one (-want +got):\n%s", diff)
			}
		})
	}
}

// However short a crash cuts the segment, the records before the cut are there and the log goes on.
func TestLogCutAtAnyByteGoesOn(t *testing.T) {
	whole := threeBatches(t)
	for n := 0; n <= len(whole); n += 61 {
		dir := logOf(t, whole[:n])
		want := bytes.Count(whole[:n], []byte("\n"))
		l := open(t, Config{Dir: dir, Sync: SyncOS})
		add(t, l, "new")
		closeLog(t, l)
		if got := ids(t, dir); len(got) != want+1 || got[want] != "new" {
			t.Fatalf("cut at %d of %d: records %v, want %d and a new one", n, len(whole), got, want)
		}
	}
}

// No change of a byte passes for a record.
func TestEveryChangedByteIsSeen(t *testing.T) {
	whole := threeBatches(t)
	want := strings.SplitAfter(string(whole), "\n")
	dir := logOf(t, whole)
	f, err := os.OpenFile(filepath.Join(dir, segmentName(1)), os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	put := func(i int, c byte) {
		if _, err := f.WriteAt([]byte{c}, int64(i)); err != nil {
			t.Fatal(err)
		}
	}
	for i, c := range whole {
		put(i, c^1<<(i%8))
		n := 0
		err := Read(dir, func(line []byte) error {
			if string(line)+"\n" != want[n] {
				t.Errorf("byte %d changed: record %d read as %.200s", i, n, line)
			}
			n++
			return nil
		})
		// Only the end of the last batch cannot be told from a torn write, and only if a line break or a zero is
		// involved; then the record is not shown.
		if torn := err == nil && n >= 4; !torn && !errors.Is(err, ErrDamaged) || n == 6 {
			t.Errorf("byte %d changed: %d records, %v", i, n, err)
		}
		put(i, c)
	}
}

func TestSegmentsMissingOrShort(t *testing.T) {
	fill := func(t *testing.T) (dir string, firsts []uint64) {
		dir = t.TempDir()
		l := open(t, Config{Dir: dir, SegmentBytes: 1500})
		for n := range 8 {
			add(t, l, fmt.Sprint(n+1))
		}
		closeLog(t, l)
		firsts, err := segments(dir)
		if err != nil || len(firsts) != 4 {
			t.Fatalf("segments %v, %v", firsts, err)
		}
		return dir, firsts
	}
	path := func(dir string, first uint64) string { return filepath.Join(dir, segmentName(first)) }
	empty := func(t *testing.T, dir string, first uint64) {
		if err := os.Truncate(path(dir, first), 0); err != nil {
			t.Fatal(err)
		}
	}
	remove := func(t *testing.T, dir string, first uint64) {
		if err := os.Remove(path(dir, first)); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name       string
		do         func(t *testing.T, dir string, firsts []uint64)
		read, open error
		first      string // the first record that is read
	}{
		{"oldest moved away", func(t *testing.T, dir string, f []uint64) { remove(t, dir, f[0]) }, nil, nil, "3"},
		{"other files beside them", func(t *testing.T, dir string, f []uint64) {
			for _, name := range []string{"notes.jsonl", "00000000000000000002.jsonl.gz", "0000000000000000000x.jsonl"} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte("x\n"), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}, nil, nil, "1"},
		{"newest without records", func(t *testing.T, dir string, f []uint64) { empty(t, dir, f[3]) }, nil, nil, "1"},
		{"middle one missing", func(t *testing.T, dir string, f []uint64) { remove(t, dir, f[1]) }, ErrDamaged, nil, "1"},
		{"middle one short", func(t *testing.T, dir string, f []uint64) {
			if err := os.Truncate(path(dir, f[1]), 1500); err != nil {
				t.Fatal(err)
			}
		}, ErrDamaged, nil, "1"},
		{"newest without records, the one before empty", func(t *testing.T, dir string, f []uint64) {
			empty(t, dir, f[2])
			empty(t, dir, f[3])
		}, ErrDamaged, ErrDamaged, "1"},
		{"newest alone, without records", func(t *testing.T, dir string, f []uint64) {
			empty(t, dir, f[3])
			remove(t, dir, f[0])
			remove(t, dir, f[1])
			remove(t, dir, f[2])
		}, nil, ErrDamaged, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, firsts := fill(t)
			tt.do(t, dir, firsts)
			got, err := readIDs(t, dir)
			if !errors.Is(err, tt.read) || tt.read == nil && err != nil {
				t.Errorf("Read: %v, want %v", err, tt.read)
			}
			if first := append(got, "")[0]; first != tt.first {
				t.Errorf("first record %q, want %q", first, tt.first)
			}
			l, err := Open(t.Context(), Config{Dir: dir})
			if !errors.Is(err, tt.open) || tt.open == nil && err != nil {
				t.Fatalf("Open: %v, want %v", err, tt.open)
			}
			if err != nil {
				return
			}
			add(t, l, "new")
			closeLog(t, l)
			if tt.read == nil {
				if diff := cmp.Diff(append(got, "new"), ids(t, dir)); diff != "" {
					t.Errorf("records after another one (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// A reader beside a writer may have read a page too early: what it misses is there when it looks again.
func TestReadLooksAgainBeforeItCallsRecordsDamaged(t *testing.T) {
	whole := threeBatches(t)
	early := bytes.Clone(whole)
	clear(early[2000:3000])
	dir, n := logOf(t, early), 0
	err := Read(dir, func([]byte) error {
		if n++; n == 1 {
			return os.WriteFile(filepath.Join(dir, segmentName(1)), whole, 0o600)
		}
		return nil
	})
	if err != nil || n != 6 {
		t.Errorf("%d records, %v", n, err)
	}
}

func TestReadEndsWithTheErrorOfItsFunction(t *testing.T) {
	stop, n := errors.New("enough"), 0
	err := Read(logOf(t, threeBatches(t)), func([]byte) error {
		if n++; n == 2 {
			return stop
		}
		return nil
	})
	if err != stop || n != 2 {
		t.Errorf("%d records, %v", n, err)
	}
	if err := Read(filepath.Join(t.TempDir(), "none"), nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Read of no directory: %v", err)
	}
}

// FuzzTail puts arbitrary bytes behind acknowledged records, as a crash might.
func FuzzTail(f *testing.F) {
	whole := threeBatches(f)
	lines := bytes.SplitAfter(whole, []byte("\n"))[:6]
	keep := bytes.Join(lines[:4], nil) // records 1 to 4
	f.Add([]byte(nil))
	f.Add(make([]byte, 600))
	f.Add(lines[4])
	f.Add(lines[5])
	f.Add(lines[4][:500])
	f.Add(append(bytes.Clone(lines[4][:500]), 0, 0))
	f.Add(append(make([]byte, 100), lines[4]...))
	f.Add([]byte("\n"))
	f.Add([]byte("}}\n\"}}\n"))
	f.Add([]byte("\x00" + `,"trent":{"sequence":9,"synced":8,"chain":"` + strings.Repeat("a", 64) + `"}}` + "\n"))
	f.Add([]byte("\x00" + `,"trent":{"sequence":18446744073709551615,"synced":99999999999999999999,"chain":"` +
		strings.Repeat("a", 64) + `"}}` + "\n"))
	f.Fuzz(func(t *testing.T, tail []byte) {
		segment := append(bytes.Clone(keep), tail...)
		dir := logOf(t, segment)
		var before []byte
		readErr := Read(dir, func(line []byte) error {
			before = append(append(before, line...), '\n')
			return nil
		})
		if !bytes.HasPrefix(before, keep) {
			t.Fatalf("acknowledged records lost: read %d bytes of %d", len(before), len(keep))
		}
		l, err := Open(t.Context(), Config{Dir: dir, Sync: SyncOS})
		if errors.Is(err, ErrDamaged) != errors.Is(readErr, ErrDamaged) || (err == nil) != (readErr == nil) {
			t.Fatalf("Open: %v, Read: %v", err, readErr)
		}
		if err != nil {
			if b, _ := os.ReadFile(filepath.Join(dir, segmentName(1))); !bytes.Equal(b, segment) {
				t.Fatal("Open changed a damaged segment")
			}
			return
		}
		if err := l.Append(t.Context(), decryptEvent()); err != nil {
			t.Fatal(err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		after, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
		if err != nil || !bytes.HasPrefix(after, before) || bytes.Count(after, []byte("\n")) != bytes.Count(before, []byte("\n"))+1 {
			t.Fatalf("log does not go on behind its records: %v", err)
		}
		n := 0
		if err := Read(dir, func([]byte) error { n++; return nil }); err != nil || n != bytes.Count(after, []byte("\n")) {
			t.Fatalf("%d records: %v", n, err)
		}
	})
}
