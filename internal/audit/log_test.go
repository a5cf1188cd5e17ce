package audit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var modes = map[string]SyncMode{"SyncEach": SyncEach, "SyncOS": SyncOS}

func TestEveryAcknowledgedRecordIsThereOnceAndInSequence(t *testing.T) {
	const goroutines, each = 64, 50
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "audit")
			l := open(t, Config{Dir: dir, Sync: mode, SegmentBytes: 100 << 10})
			var wg sync.WaitGroup
			for g := range goroutines {
				wg.Go(func() {
					for n := range each {
						add(t, l, fmt.Sprintf("%d-%d", g, n))
					}
				})
			}
			wg.Wait()
			closeLog(t, l)

			next := map[string]int{}
			for _, id := range ids(t, dir) {
				g, n, _ := strings.Cut(id, "-")
				if strconv.Itoa(next[g]) != n {
					t.Fatalf("goroutine %s: record %s, want %d", g, n, next[g])
				}
				next[g]++
			}
			for g, n := range next {
				if n != each {
					t.Errorf("goroutine %s has %d records, want %d", g, n, each)
				}
			}
			if len(next) != goroutines {
				t.Errorf("records of %d goroutines, want %d", len(next), goroutines)
			}
			if firsts, _ := segments(dir); len(firsts) < 10 {
				t.Errorf("%d segments; the test is about rotation too", len(firsts))
			}
		})
	}
}

// A reader beside a writer sees whole records only, and all that were acknowledged before it began.
func TestReadBesideWriters(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, Config{Dir: dir, Sync: mode, SegmentBytes: 30 << 10})
			var wg sync.WaitGroup
			for g := range 8 {
				wg.Go(func() {
					for n := range 200 {
						add(t, l, fmt.Sprintf("%d-%d", g, n))
					}
				})
			}
			done := make(chan struct{})
			go func() { wg.Wait(); close(done) }()
			before, reads := 0, 0
			for running := true; running; reads++ {
				select {
				case <-done:
					running = false
				default:
				}
				n := len(ids(t, dir))
				if n < before {
					t.Fatalf("%d records after %d", n, before)
				}
				before = n
			}
			closeLog(t, l)
			if before != 8*200 {
				t.Errorf("read %d records in the end, want %d", before, 8*200)
			}
			t.Logf("%d reads", reads)
		})
	}
}

func TestLogGoesOnWhereItEnded(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i, mode := range []SyncMode{SyncEach, SyncOS, SyncOS, SyncEach} {
		l := open(t, Config{Dir: dir, Sync: mode, SegmentBytes: 2000})
		for n := range 3 {
			want = append(want, fmt.Sprintf("%d-%d", i, n))
			add(t, l, want[len(want)-1])
		}
		closeLog(t, l)
	}
	if diff := cmp.Diff(want, ids(t, dir)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestRecordIsInTheFileWhenAppendReturns(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l := open(t, Config{Dir: dir, Sync: mode})
			for n := range 5 {
				add(t, l, strconv.Itoa(n))
				if got := len(ids(t, dir)); got != n+1 {
					t.Errorf("%d records after %d appends", got, n+1)
				}
			}
			closeLog(t, l)
		})
	}
}

func TestClosedSegmentsAreExactLinesForTheirOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "audit")
	l := open(t, Config{Dir: dir, SegmentBytes: 1500})
	for n := range 5 {
		add(t, l, strconv.Itoa(n))
	}
	closeLog(t, l)
	if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
		}
		if e.Name() == lockName {
			continue
		}
		names = append(names, e.Name())
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil || strings.ContainsRune(string(b), 0) || !strings.HasSuffix(string(b), "}\n") {
			t.Errorf("%s holds more than lines (%v)", e.Name(), err)
		}
	}
	want := []string{"00000000000000000001.jsonl", "00000000000000000003.jsonl", "00000000000000000005.jsonl"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Errorf("segments (-want +got):\n%s", diff)
	}
}

// The record of a request that its caller has given up is written all the same.
func TestAppendDoesNotListenToItsContext(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Append(ctx, decryptEvent()); err != nil {
		t.Fatal(err)
	}
	closeLog(t, l)
	if n := len(ids(t, dir)); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
}

func TestClosedLogRefuses(t *testing.T) {
	l := open(t, Config{Dir: t.TempDir()})
	closeLog(t, l)
	closeLog(t, l)
	if err := l.Append(t.Context(), decryptEvent()); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v", err)
	}
}

func TestLargeEvents(t *testing.T) {
	dir := t.TempDir()
	l := open(t, Config{Dir: dir, SegmentBytes: 1 << 20})
	for n := range 4 {
		e := largestEvent()
		e.RequestID = strconv.Itoa(n)
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	tooMany := decryptEvent()
	tooMany.Resources = make([]Resource, 2<<20)
	if err := l.Append(t.Context(), tooMany); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an event with two million resources: %v", err)
	}
	closeLog(t, l)
	if diff := cmp.Diff([]string{"0", "1", "2", "3"}, ids(t, dir)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
}

func TestOpenRefusesABadConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cfg := range map[string]Config{
		"no directory":     {},
		"negative size":    {Dir: t.TempDir(), SegmentBytes: -1},
		"unknown mode":     {Dir: t.TempDir(), Sync: 2},
		"directory a file": {Dir: file},
		"below a file":     {Dir: filepath.Join(file, "audit")},
	} {
		if l, err := Open(t.Context(), cfg); err == nil || l != nil {
			t.Errorf("%s: %v, %v", name, l, err)
		}
	}
}

// open opens a log that the test closes.
func open(t testing.TB, cfg Config) *Log {
	t.Helper()
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t testing.TB, l *Log) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

// add appends an event that id tells from others.
func add(t testing.TB, l *Log, id string) {
	e := decryptEvent()
	e.RequestID = id
	if err := l.Append(t.Context(), e); err != nil {
		t.Errorf("appending %s: %v", id, err)
	}
}

// ids reads the log and returns what add was given.
func ids(t testing.TB, dir string) []string {
	t.Helper()
	got, err := readIDs(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// readIDs also checks that each record is JSON, and that sequence numbers leave nothing out.
func readIDs(t testing.TB, dir string) ([]string, error) {
	t.Helper()
	var got []string
	last := 0.0
	err := Read(dir, func(line []byte) error {
		m := object(t, line)
		seq := m["trent"].(map[string]any)["sequence"].(float64)
		if last != 0 && seq != last+1 {
			t.Fatalf("record %v follows %v", seq, last)
		}
		last = seq
		got = append(got, m["requestID"].(string))
		return nil
	})
	return got, err
}
