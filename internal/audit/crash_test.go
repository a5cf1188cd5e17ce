package audit

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"
)

// crashDir in the environment makes the test binary the child of the crash test.
const (
	crashDir  = "TRENT_AUDIT_CRASH_DIR"
	crashMode = "TRENT_AUDIT_CRASH_MODE"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashDir); dir != "" {
		os.Exit(crashChild(dir, os.Getenv(crashMode)))
	}
	os.Exit(m.Run())
}

// crashRounds returns how often crash tests repeat: TRENT_CRASH_ROUNDS, or 5.
func crashRounds(t *testing.T) int {
	t.Helper()
	s := os.Getenv("TRENT_CRASH_ROUNDS")
	if s == "" {
		return 5
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		t.Fatalf("TRENT_CRASH_ROUNDS=%q is no number of rounds", s)
	}
	return n
}

// crashChild appends from several goroutines until it is killed, and prints the id of each record after it was
// acknowledged.
func crashChild(dir, mode string) int {
	l, err := Open(context.Background(), Config{Dir: dir, Sync: modes[mode], SegmentBytes: 50 << 10})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var wg sync.WaitGroup
	for g := range 16 {
		wg.Go(func() {
			for n := 0; ; n++ {
				e := decryptEvent()
				e.RequestID = fmt.Sprintf("%d-%d-%d", os.Getpid(), g, n)
				if err := l.Append(context.Background(), e); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				fmt.Println(e.RequestID)
			}
		})
	}
	wg.Wait()
	return 0
}

// kill -9 at any time: whatever was acknowledged is in the log, and the next life goes on with it.
func TestKilledProcessLosesNoAcknowledgedRecord(t *testing.T) {
	for mode := range modes {
		t.Run(mode, func(t *testing.T) {
			dir := t.TempDir()
			acked := map[string]bool{}
			for round := range crashRounds(t) {
				before := len(acked)
				killAfter(t, dir, mode, 200+round*97%800, acked)
				if len(acked) < before+200 {
					t.Fatalf("only %d records acknowledged in round %d", len(acked)-before, round)
				}
				seen := map[string]bool{}
				for _, id := range ids(t, dir) {
					if seen[id] {
						t.Fatalf("record %s is there twice", id)
					}
					seen[id] = true
				}
				for id := range acked {
					if !seen[id] {
						t.Fatalf("round %d: acknowledged record %s is lost; %d of %d are there", round, id, len(seen), len(acked))
					}
				}
			}
			t.Logf("%d records acknowledged", len(acked))
		})
	}
}

// killAfter runs the child until it has acknowledged n records, kills it, and adds all it acknowledged to acked.
func killAfter(t *testing.T, dir, mode string, n int, acked map[string]bool) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashDir+"="+dir, crashMode+"="+mode)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		acked[lines.Text()] = true
		if i == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); err == nil || cmd.ProcessState.ExitCode() != -1 {
		t.Fatalf("the child ended by itself: %v", err)
	}
}
