//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/trent-kms/trent/bench/load"
)

// describe prints what the figures depend on.
func (s *settings) describe(w io.Writer, dir string) error {
	var kernel unix.Utsname
	if err := unix.Uname(&kernel); err != nil {
		return err
	}
	syncs, err := syncTimes(dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "machine: %s, %d processors, Linux %s, %s\n", processor(), runtime.NumCPU(), unix.ByteSliceToString(kernel.Release[:]), runtime.Version())
	fmt.Fprintf(w, "disk: 1 KiB appended and synced in %s (p50), %s (p99)\n", micros(syncs.Quantile(0.5)), micros(syncs.Quantile(0.99)))
	fmt.Fprintf(w, "run: %d rounds of %s for each server in turn, medians; %d keys, %d different requests\n", s.rounds, s.duration, s.keys, s.requests)
	return nil
}

func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	_, rest, ok := bytes.Cut(b, []byte("model name"))
	if !ok {
		return runtime.GOARCH
	}
	line, _, _ := strings.Cut(string(rest), "\n")
	return strings.Trim(line, "\t :")
}

// syncTimes measures the disk: small appends, each synced.
func syncTimes(dir string) (*load.Histogram, error) {
	f, err := os.Create(filepath.Join(dir, "disk"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h, block := new(load.Histogram), make([]byte, 1<<10)
	for range 200 {
		before := time.Now()
		if _, err := f.Write(block); err != nil {
			return nil, err
		}
		if err := f.Sync(); err != nil {
			return nil, err
		}
		h.Add(time.Since(before))
	}
	return h, nil
}
