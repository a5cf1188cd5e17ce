package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sector = 512

// fakeDisk is a disk in memory that knows what the operating system has and what would be there after a power cut.
// Each operation asks fault what to do.
type fakeDisk struct {
	fault func(op string) fault
	files map[string]*fakeFile // names as the operating system sees them
	saved map[string]*fakeFile // names that survive a power cut
}

// fault has the two bits of every fault: what part of the operation happened, and whether the caller sees an error.
type fault struct {
	applied float64 // 0 nothing … 1 all
	err     error
}

var fine = fault{applied: 1}

// fakeFile is a file of it. Truncations survive at once, as in a journaled file system.
type fakeFile struct {
	disk   *fakeDisk
	cached []byte
	saved  []byte
	dirty  map[int]bool // sectors that a sync would write
}

func newFakeDisk() *fakeDisk {
	return &fakeDisk{
		fault: func(string) fault { return fine },
		files: map[string]*fakeFile{}, saved: map[string]*fakeFile{},
	}
}

func (d *fakeDisk) create(path string) (file, error) {
	name := filepath.Base(path)
	if d.files[name] != nil {
		return nil, fs.ErrExist
	}
	f := &fakeFile{disk: d, dirty: map[int]bool{}}
	what := d.fault("create")
	if what.applied > 0 {
		d.files[name] = f
	}
	if what.err != nil {
		return nil, what.err
	}
	return f, nil
}

func (d *fakeDisk) open(path string) (file, error) { return d.files[filepath.Base(path)], nil }

func (d *fakeDisk) remove(path string) error {
	what := d.fault("remove")
	if what.applied > 0 {
		delete(d.files, filepath.Base(path))
	}
	return what.err
}

func (d *fakeDisk) syncDir(string) error {
	what := d.fault("syncDir")
	if what.applied > 0 {
		d.saved = map[string]*fakeFile{}
		for name, f := range d.files {
			d.saved[name] = f
		}
	}
	return what.err
}

func (f *fakeFile) WriteAt(p []byte, off int64) (int, error) {
	op := "write"
	if p[0] == 0 {
		op = "zero"
	}
	what := f.disk.fault(op)
	n := int(what.applied * float64(len(p)))
	if need := int(off) + n - len(f.cached); n > 0 && need > 0 {
		f.cached = append(f.cached, make([]byte, need)...)
	}
	if n > 0 {
		copy(f.cached[off:], p[:n])
		for s := int(off) / sector; s*sector < int(off)+n; s++ {
			f.dirty[s] = true
		}
	}
	if what.err == nil {
		n = len(p) // a disk that lies
	}
	return n, what.err
}

// Sync writes the dirty sectors. One that fails leaves the rest clean and unwritten, as Linux does.
func (f *fakeFile) Sync() error {
	what := f.disk.fault("sync")
	for s := range f.dirty {
		if what.applied == 1 || rand.Float64() < what.applied {
			f.save(s)
		}
	}
	clear(f.dirty)
	if what.applied == 1 {
		f.saved = append(f.saved, make([]byte, len(f.cached)-len(f.saved))...)
	}
	return what.err
}

func (f *fakeFile) save(s int) {
	from, to := s*sector, min((s+1)*sector, len(f.cached))
	if need := to - len(f.saved); need > 0 {
		f.saved = append(f.saved, make([]byte, need)...)
	}
	copy(f.saved[from:to], f.cached[from:to])
}

func (f *fakeFile) Truncate(size int64) error {
	what := f.disk.fault("truncate")
	if what.applied > 0 {
		f.cached = f.cached[:min(int(size), len(f.cached))]
		f.saved = f.saved[:min(int(size), len(f.saved))]
		for s := range f.dirty {
			if s*sector >= int(size) {
				delete(f.dirty, s)
			}
		}
	}
	return what.err
}

func (f *fakeFile) Close() error { return nil }

// crash writes what is left after the process died to a real directory: all that the operating system had or, after
// a power cut, what had been synced and any of the rest.
func (d *fakeDisk) crash(t testing.TB, rnd *rand.Rand, powerCut bool) string {
	t.Helper()
	dir := t.TempDir()
	for name, f := range d.files {
		content := f.cached
		if powerCut {
			if d.saved[name] != f && rnd.IntN(2) == 0 {
				continue
			}
			for s := range f.dirty {
				if rnd.IntN(2) == 0 {
					f.save(s)
				}
			}
			content = f.saved
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// openFake opens a log on a fake disk, with fewer zeros ahead than on a real one.
func openFake(t testing.TB, cfg Config) *Log {
	t.Helper()
	l := open(t, cfg)
	l.w.zeros = l.w.zeros[:min(len(l.w.zeros), 15*sector)]
	return l
}

var errDisk = errors.New("disk: input/output error")

// Each fault hits the second batch; a third follows. What the log acknowledged is there, whether the process dies
// then or the power goes, and it took no notice of the fault later.
func TestOneFaultNeverCostsAnAcknowledgedRecord(t *testing.T) {
	tests := []struct {
		name   string
		faults map[string]fault // by operation, for one batch
		rotate bool             // the batch needs a new segment
		fails  bool
	}{
		{"write lost", map[string]fault{"write": {0, errDisk}}, false, true},
		{"write short", map[string]fault{"write": {0.6, errDisk}}, false, true},
		{"write done, answer lost", map[string]fault{"write": {1, errDisk}}, false, true},
		{"write short, truncate fails", map[string]fault{"write": {0.6, errDisk}, "truncate": {0, errDisk}}, false, true},
		{"write done, answer lost, truncate fails",
			map[string]fault{"write": {1, errDisk}, "truncate": {0, errDisk}}, false, true},
		{"write done, truncate done, answers lost",
			map[string]fault{"write": {1, errDisk}, "truncate": {1, errDisk}}, false, true},
		{"sync lost", map[string]fault{"sync": {0, errDisk}}, false, true},
		{"sync of a part", map[string]fault{"sync": {0.5, errDisk}}, false, true},
		{"sync done, answer lost", map[string]fault{"sync": {1, errDisk}}, false, true},
		{"sync lost, truncate fails", map[string]fault{"sync": {0, errDisk}, "truncate": {0, errDisk}}, false, true},
		{"sync of a part, truncate fails",
			map[string]fault{"sync": {0.5, errDisk}, "truncate": {0, errDisk}}, false, true},
		{"sync done, answer lost, truncate fails",
			map[string]fault{"sync": {1, errDisk}, "truncate": {0, errDisk}}, false, true},
		{"zeros ahead not written", map[string]fault{"zero": {0, errDisk}}, false, false},
		{"zeros ahead short", map[string]fault{"zero": {0.3, errDisk}}, false, false},

		{"rotation: create lost", map[string]fault{"create": {0, errDisk}}, true, true},
		{"rotation: create done, answer lost", map[string]fault{"create": {1, errDisk}}, true, true},
		{"rotation: directory not synced", map[string]fault{"syncDir": {0, errDisk}}, true, true},
		{"rotation: directory synced, answer lost", map[string]fault{"syncDir": {1, errDisk}}, true, true},
		{"rotation: zeros stay in the old segment", map[string]fault{"truncate": {0, errDisk}}, true, false},
		{"rotation: first write of a segment lost", map[string]fault{"write": {0, errDisk}}, true, true},
		{"rotation: first write short, truncate fails",
			map[string]fault{"write": {0.6, errDisk}, "truncate": {0, errDisk}}, true, true},
		{"rotation: first sync lost", map[string]fault{"sync": {0, errDisk}}, true, true},
		{"rotation: first sync done, answer lost, truncate fails",
			map[string]fault{"sync": {1, errDisk}, "truncate": {0, errDisk}}, true, true},
	}
	for _, tt := range tests {
		for _, powerCut := range []bool{false, true} {
			for _, dieAfter := range []int{2, 3} {
				t.Run(fmt.Sprintf("%s/power cut %t/after batch %d", tt.name, powerCut, dieAfter), func(t *testing.T) {
					disk := newFakeDisk()
					l := openFake(t, Config{Dir: t.TempDir(), SegmentBytes: 5 * sector, disk: disk})
					if !tt.rotate {
						l.w.limit = 1 << 20
					}
					var acked []string
					for n := 1; n <= dieAfter; n++ {
						disk.fault = func(op string) fault {
							if f, ok := tt.faults[op]; ok && n == 2 {
								return f
							}
							return fine
						}
						names, err := writeBatch(l, n*10, 3)
						if failed := n == 2 && tt.fails; (err != nil) != failed || failed && !errors.Is(err, errDisk) {
							t.Fatalf("batch %d: %v", n, err)
						}
						if err == nil {
							acked = append(acked, names...)
						}
					}
					checkAfterCrash(t, disk.crash(t, rand.New(rand.NewPCG(1, 2)), powerCut), acked)
				})
			}
		}
	}
}

// A disk that reports success without writing is found out by the records that follow.
func TestAWriteThatNeverHappenedIsDamage(t *testing.T) {
	disk := newFakeDisk()
	l := openFake(t, Config{Dir: t.TempDir(), disk: disk})
	for n := range 3 {
		disk.fault = func(op string) fault {
			if n == 1 && op == "write" {
				return fault{0, nil}
			}
			return fine
		}
		if _, err := writeBatch(l, 10*n, 3); err != nil {
			t.Fatal(err)
		}
	}
	dir := disk.crash(t, nil, false)
	got, err := readIDs(t, dir)
	if len(got) != 3 || !errors.Is(err, ErrDamaged) {
		t.Errorf("Read: %d records, %v", len(got), err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); !errors.Is(err, ErrDamaged) {
		t.Errorf("Open: %v", err)
	}
}

// A full disk fails requests until there is room again, and leaves nothing behind.
func TestAFullDiskFailsAppendsUntilThereIsRoom(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			disk := newFakeDisk()
			l := openFake(t, Config{Dir: t.TempDir(), Sync: mode, SegmentBytes: 3 * sector, disk: disk})
			var acked []string
			for n := range 40 {
				full := n%10 >= 5
				disk.fault = func(op string) fault {
					if full && (op == "write" || op == "zero" || op == "create" && n%2 == 0) {
						return fault{0.3, errDisk}
					}
					return fine
				}
				names, err := writeBatch(l, 10*n, 1)
				if (err != nil) != full {
					t.Fatalf("full %t: %v", full, err)
				}
				if err == nil {
					acked = append(acked, names...)
				}
			}
			closeLog(t, l)
			if diff := cmp.Diff(acked, ids(t, disk.crash(t, nil, false))); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

func TestALogIsFailingFromAFailureToTheNextRecord(t *testing.T) {
	for name, mode := range modes {
		t.Run(name, func(t *testing.T) {
			disk := newFakeDisk()
			l := openFake(t, Config{Dir: t.TempDir(), Sync: mode, disk: disk})
			want := func(when string, err error, failed bool) {
				t.Helper()
				if (err != nil) != failed || l.Failing() != failed {
					t.Errorf("%s: error %v, failing %t; want %t", when, err, l.Failing(), failed)
				}
			}
			want("just opened", nil, false)
			want("first record", l.Append(t.Context(), decryptEvent()), false)
			for range 2 {
				disk.fault = func(string) fault { return fault{0, errDisk} }
				want("broken disk", l.Append(t.Context(), decryptEvent()), true)
				want("broken disk again", l.Append(t.Context(), decryptEvent()), true)
				disk.fault = func(string) fault { return fine }
				want("repaired", l.Append(t.Context(), decryptEvent()), false)
			}
			tooMany := decryptEvent()
			tooMany.Resources = make([]Resource, 2<<20)
			if err := l.Append(t.Context(), tooMany); !errors.Is(err, ErrTooLarge) || l.Failing() {
				t.Errorf("event too large: %v, failing %t", err, l.Failing())
			}
			closeLog(t, l)
			want("closed", l.Append(t.Context(), decryptEvent()), true)
		})
	}
}

// After a failed sync the operating system shows records that the disk does not have. A next life takes them for
// records and must bring them to disk before others follow.
func TestRecordsThatOnlyTheCacheHasAreWrittenAgain(t *testing.T) {
	disk := newFakeDisk()
	l := openFake(t, Config{Dir: t.TempDir(), disk: disk})
	acked, err := writeBatch(l, 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	disk.fault = func(op string) fault {
		if op == "sync" || op == "truncate" {
			return fault{0, errDisk}
		}
		return fine
	}
	unsure, err := writeBatch(l, 20, 3)
	if !errors.Is(err, errDisk) {
		t.Fatalf("sync failed: %v", err)
	}
	disk.fault = func(string) fault { return fine }
	dir := disk.crash(t, nil, false) // the process dies; the system does not
	if diff := cmp.Diff(append(slices.Clip(acked), unsure...), ids(t, dir)); diff != "" {
		t.Fatalf("records in the cache (-want +got):\n%s", diff)
	}
	l = openFake(t, Config{Dir: dir, disk: disk})
	more, err := writeBatch(l, 30, 3)
	if err != nil {
		t.Fatal(err)
	}
	checkAfterCrash(t, disk.crash(t, rand.New(rand.NewPCG(1, 2)), true), append(acked, more...))
}

// Random batches, faults, process deaths and power cuts, several lives of one log long.
func TestRandomFaultsNeverCostAnAcknowledgedRecord(t *testing.T) {
	rounds := 20 * crashRounds(t)
	faults, failed := 0, 0
	for round := range rounds {
		rnd := rand.New(rand.NewPCG(7, uint64(round)))
		disk, dir := newFakeDisk(), t.TempDir()
		rate := rnd.Float64() * 0.3
		hostile := func(string) fault {
			if rnd.Float64() >= rate {
				return fine
			}
			faults++
			return fault{[]float64{0, 0.5, 1}[rnd.IntN(3)], errDisk}
		}
		var acked []string
		for life := range 1 + rnd.IntN(3) {
			if life > 0 {
				dir = disk.crash(t, rnd, false)
			}
			disk.fault = func(string) fault { return fine }
			l := openFake(t, Config{Dir: dir, SegmentBytes: 20 * sector, disk: disk})
			disk.fault = hostile
			for n := range 1 + rnd.IntN(20) {
				names, err := writeBatch(l, 10000*life+100*n, 1+rnd.IntN(6))
				if err == nil {
					acked = append(acked, names...)
				} else {
					failed++
				}
			}
		}
		if !t.Run(fmt.Sprint(round), func(t *testing.T) {
			checkAfterCrash(t, disk.crash(t, rnd, round%2 == 0), acked)
		}) {
			return
		}
	}
	if faults < rounds || failed < rounds/2 {
		t.Errorf("only %d faults and %d failed batches in %d rounds", faults, failed, rounds)
	}
}

// writeBatch writes n events with ids from first on as one batch.
func writeBatch(l *Log, first, n int) ([]string, error) {
	var events [][]byte
	var names []string
	for i := range n {
		events = append(events, eventWithID(first+i))
		names = append(names, fmt.Sprint(first+i))
	}
	return names, l.w.write(events)
}

// quickDisk is the real disk for tests in which no power is cut: it does not wait for it.
type quickDisk struct{ osDisk }

type quickFile struct{ file }

func (quickFile) Sync() error { return nil }

func (quickDisk) syncDir(string) error { return nil }

func (d quickDisk) open(path string) (file, error) {
	f, err := d.osDisk.open(path)
	return quickFile{f}, err
}

func (d quickDisk) create(path string) (file, error) {
	f, err := d.osDisk.create(path)
	return quickFile{f}, err
}

// checkAfterCrash checks that all acknowledged records are in the log, in order, each once, and that it goes on.
// Records that were not acknowledged may be there too.
func checkAfterCrash(t *testing.T, dir string, acked []string) {
	t.Helper()
	for _, step := range []string{"after the crash", "after going on", "after going on again"} {
		got := ids(t, dir)
		if seen := slices.Compact(slices.Sorted(slices.Values(got))); len(seen) != len(got) {
			t.Fatalf("%s: records twice in %v", step, got)
		}
		i := 0
		for _, id := range got {
			if i < len(acked) && id == acked[i] {
				i++
			}
		}
		if i < len(acked) {
			t.Fatalf("%s: acknowledged record %s is lost or out of order in %v", step, acked[i], got)
		}
		l := open(t, Config{Dir: dir, SegmentBytes: 10 * sector, disk: quickDisk{}})
		add(t, l, step)
		closeLog(t, l)
		acked = append(slices.Clip(acked), step)
	}
}
