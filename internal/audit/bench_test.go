//go:build unix

package audit

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func BenchmarkAppendJSON(b *testing.B) {
	e := decryptEvent()
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = e.AppendJSON(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkAppendUUID(b *testing.B) {
	var buf []byte
	for b.Loop() {
		buf = appendUUID(buf[:0])
	}
}

func BenchmarkFrame(b *testing.B) {
	event := decryptEvent().AppendJSON(nil)
	w := writer{framer: newFramer()}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = w.framer.append(buf[:0], event)
	}
	b.SetBytes(int64(len(buf)))
}

// BenchmarkAppend measures whole records, encoding included, from several callers at once, on the disk that holds the
// temporary directory.
func BenchmarkAppend(b *testing.B) {
	for mode, name := range []string{SyncEach: "disk", SyncOS: "os"} {
		for _, callers := range []int{1, 16, 64, 256} {
			b.Run(fmt.Sprintf("%s/callers=%d", name, callers), func(b *testing.B) {
				l, err := Open(b.Context(), Config{Dir: b.TempDir(), Sync: SyncMode(mode)})
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				var n atomic.Int64
				var wg sync.WaitGroup
				b.ReportAllocs()
				b.ResetTimer()
				before := cpuTime(b)
				for range callers {
					wg.Go(func() {
						e := decryptEvent()
						for n.Add(1) <= int64(b.N) {
							if err := l.Append(b.Context(), e); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				wg.Wait()
				b.StopTimer()
				b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
			})
		}
	}
}

// cpuTime returns the processor time of this process so far, in nanoseconds.
func cpuTime(b *testing.B) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkOpen(b *testing.B) {
	dir := b.TempDir()
	fillSegment(b, dir)
	for b.Loop() {
		l, err := Open(b.Context(), Config{Dir: dir, Sync: SyncOS})
		if err != nil {
			b.Fatal(err)
		}
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
