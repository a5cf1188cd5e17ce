//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestScale(t *testing.T) {
	for _, mode := range []string{"", " -production"} {
		var stdout, stderr bytes.Buffer
		args := strings.Fields("-keys 300 -few 100 -used 50 -cold 200 -rounds 1 -duration 50ms -conns 4" + mode)
		if code := run(t.Context(), append(args, "-dir", t.TempDir()), &stdout, &stderr); code != 0 {
			t.Fatalf("exit %d\n%s", code, stderr.String())
		}
		if n := strings.Count(stdout.String(), "Decrypt, 4 connections"); n != 3 || !strings.Contains(stdout.String(), "300 keys: created") {
			t.Errorf("got\n%s", stdout.String())
		}
	}
}

func TestUsage(t *testing.T) {
	for args, want := range map[string]int{"-h": 0, "-keys many": 2} {
		var stdout, stderr bytes.Buffer
		if code := run(t.Context(), strings.Fields(args), &stdout, &stderr); code != want {
			t.Errorf("%s: exit %d, want %d", args, code, want)
		}
	}
}
