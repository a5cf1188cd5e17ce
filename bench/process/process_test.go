//go:build linux

package process

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestCPUTime(t *testing.T) {
	for stat, want := range map[string]time.Duration{
		"42 (trent) S 1 42 42 0 -1 4194560 100 0 0 0 150 25 0 0 20 0 9 0 1 2 3": 1750 * time.Millisecond,
		"42 (a ) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 9 0 1 2 3": 30 * time.Millisecond,
	} {
		if got, err := cpuTime([]byte(stat)); got != want || err != nil {
			t.Errorf("%s: got %s, %v; want %s", stat, got, err, want)
		}
	}
	for _, stat := range []string{"", "42 (trent) S 1", "42 (trent) S 1 42 42 0 -1 4194560 100 0 0 0 x 25 0 0"} {
		if got, err := cpuTime([]byte(stat)); err == nil {
			t.Errorf("%q: got %s", stat, got)
		}
	}
}

func TestKilobytes(t *testing.T) {
	const status = "Name:\ttrent\nVmHWM:\t   18840 kB\nVmRSS:\t    9000 kB\nRssAnon:\t    1000 kB\n"
	if got, err := kilobytes(status, "VmHWM"); got != 18840<<10 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := kilobytes(status, "VmSwap"); err == nil {
		t.Error("no error for a line that is not there")
	}
}

// script makes a program of the shell.
func script(t *testing.T, text string) string {
	path := t.TempDir() + "/server"
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestStartWaitsUntilReady(t *testing.T) {
	path := script(t, `trap 'exit 0' TERM
echo starting >&2
echo "server: ready on http://127.0.0.1:4711 ($1)" >&2
while :; do :; done`)
	p, err := Start(t.Context(), nil, path, "argument")
	if err != nil {
		t.Fatal(err)
	}
	if p.Addr != "127.0.0.1:4711" || p.Ready <= 0 {
		t.Errorf("got %q after %s", p.Addr, p.Ready)
	}
	if m, err := p.Memory(); err != nil || m.Resident <= 0 || m.Peak < m.Resident || m.Anonymous <= 0 {
		t.Errorf("memory: %+v, %v", m, err)
	}
	for used := time.Duration(0); used < 2*tick; { // it is busy, so this ends
		if used, err = p.CPU(); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
}

func TestAServerThatFailsIsAnError(t *testing.T) {
	if _, err := Start(t.Context(), nil, script(t, "echo the reason >&2; exit 3")); err == nil || !strings.Contains(err.Error(), "the reason") {
		t.Errorf("before it was ready: %v", err)
	}
	p, err := Start(t.Context(), nil, script(t, "trap 'echo no >&2; exit 1' TERM; echo ready on http://x >&2; while :; do :; done"))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Stop(); err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("at its end: %v", err)
	}
	if _, err := Start(t.Context(), nil, "/nonexistent"); err == nil {
		t.Error("no error for a program that does not exist")
	}
}

func TestChildrenStayOnTheirProcessors(t *testing.T) {
	all, err := CPUs()
	if err != nil || len(all) == 0 {
		t.Fatalf("got %v, %v", all, err)
	}
	p, err := Start(t.Context(), all[:1], script(t, `trap 'exit 0' TERM; echo "ready on http://$(nproc)" >&2; while :; do :; done`))
	if err != nil {
		t.Fatal(err)
	}
	if p.Addr != "1" {
		t.Errorf("the child sees %s processors, want 1", p.Addr)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if now, err := CPUs(); !slices.Equal(now, all) || err != nil {
		t.Errorf("afterwards we have %v, %v; want %v", now, err, all)
	}
}

func TestConfineAndRelease(t *testing.T) {
	all, err := CPUs()
	if err != nil {
		t.Fatal(err)
	}
	procs := runtime.GOMAXPROCS(0)
	release, err := Confine(all[:1])
	if err != nil {
		t.Fatal(err)
	}
	if now, err := CPUs(); !slices.Equal(now, all[:1]) || err != nil || runtime.GOMAXPROCS(0) != 1 {
		t.Errorf("confined: %v, %d at once, %v", now, runtime.GOMAXPROCS(0), err)
	}
	if err := release(); err != nil {
		t.Fatal(err)
	}
	if now, err := CPUs(); !slices.Equal(now, all) || err != nil || runtime.GOMAXPROCS(0) != procs {
		t.Errorf("released: %v, %d at once, %v", now, runtime.GOMAXPROCS(0), err)
	}
}
