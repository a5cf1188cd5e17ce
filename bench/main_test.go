//go:build linux

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every answer but 200 ends the run, so a full table says that everything works.
func TestQuickRunFillsTheTable(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-quick", "-dir", t.TempDir()}, &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr.String())
	}
	got := map[string]int{}
	for line := range strings.Lines(stdout.String()) {
		f := strings.Fields(line)
		if len(f) > 4 && (f[2] == "bare" || f[2] == "dev" || f[2] == "production") {
			if f[3] == "0" {
				t.Errorf("no requests: %s", line)
			}
			got[f[0]+" "+f[2]]++
		}
	}
	// Each at two numbers of connections, and at one of them on processors of its own.
	for _, operation := range []string{"Decrypt", "GenerateDataKey", "Encrypt", "DescribeKey"} {
		for _, server := range []string{"bare", "dev", "production"} {
			if n := got[operation+" "+server]; n < 2 || n > 3 {
				t.Errorf("%s, %s: %d cells", operation, server, n)
			}
		}
	}
	if n := got["CreateKey production"]; n < 2 || n > 3 {
		t.Errorf("CreateKey: %d cells", n)
	}
	if t.Failed() {
		t.Log(stdout.String())
	}
}

func TestProfilesAreWritten(t *testing.T) {
	var stdout, stderr bytes.Buffer
	dir := t.TempDir()
	if code := run(t.Context(), strings.Fields("-quick -ops Decrypt -cpus shared -dir "+dir+" -profile "+dir), &stdout, &stderr); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr.String())
	}
	for _, name := range []string{"shared-dev.pprof", "shared-production.pprof"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]int{
		"-h": 0, "-nonsense": 2, "-conns 0": 2, "-conns x": 2, "-cpus none": 2, "-ops Sign": 2, "-dir /nonexistent": 1,
	} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), &stdout, &stderr); code != want || stderr.Len() == 0 {
			t.Errorf("%s: exit %d, want %d\n%s", args, code, want, stderr.String())
		}
	}
}

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		sorted []float64
		want   float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{1, 3}, 2}, {[]float64{1, 2, 9}, 2}} {
		if got := median(test.sorted); got != test.want {
			t.Errorf("median of %v: got %g, want %g", test.sorted, got, test.want)
		}
	}
}
