package bolt_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/trent-kms/trent/internal/store"
	"github.com/trent-kms/trent/internal/store/bolt"
)

// crashChildEnv holds the path of the store in the process that is to be killed.
const crashChildEnv = "TRENT_CRASH_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(crashChildEnv); path != "" {
		fmt.Fprintln(os.Stderr, crashChild(path)) // it returns only if something went wrong
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// crashWorkers write at once in the child, so that crashes hit commits that share a wait.
const crashWorkers = 8

// A worker's step n is one transaction: it creates step/<n>/a and step/<n>/b, replaces the mark of the step before with
// its own, and counts. So after any crash each worker has steps 0…m without a gap, both halves of each, one mark and a
// count that agree.
func crashStep(worker, n int, count int64) store.Txn {
	dir := fmt.Sprintf("%d/", worker)
	value := []byte(strings.Repeat(strconv.Itoa(n), 1+n%300)) // some take several pages
	t := store.Txn{
		Checks: []store.Check{{Key: dir + "count", Revision: count}},
		Puts: []store.Put{
			{Key: fmt.Sprintf("%sstep/%08d/a", dir, n), Value: value},
			{Key: fmt.Sprintf("%sstep/%08d/b", dir, n), Value: value},
			{Key: fmt.Sprintf("%smark/%08d", dir, n)},
			{Key: dir + "count", Value: strconv.AppendInt(nil, int64(n), 10)},
		},
	}
	if n > 0 {
		t.Deletes = []string{fmt.Sprintf("%smark/%08d", dir, n-1)}
	}
	return t
}

// crashChild writes until it is killed, and prints "worker step" once the step is acknowledged.
func crashChild(path string) error {
	s, err := bolt.Open(context.Background(), bolt.Config{Path: path})
	if err != nil {
		return err
	}
	errs := make(chan error)
	for w := range crashWorkers {
		go func() { errs <- crashWorker(s, w) }()
	}
	go func() {
		for {
			if err := s.Compact(context.Background()); err != nil {
				errs <- err
			}
			for range 40 { // commits between two compactions
				if _, err := s.Commit(context.Background(), store.Txn{Puts: []store.Put{{Key: "other"}}}); err != nil {
					errs <- err
				}
			}
		}
	}()
	return <-errs
}

func crashWorker(s *bolt.Store, worker int) error {
	count, err := s.Get(context.Background(), fmt.Sprintf("%d/count", worker))
	if err != nil {
		return err
	}
	n := 0
	if count.Revision != 0 {
		if n, err = strconv.Atoi(string(count.Value)); err != nil {
			return err
		}
		n++
	}
	revision := count.Revision
	for ; ; n++ {
		if revision, err = s.Commit(context.Background(), crashStep(worker, n, revision)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(os.Stdout, "%d %d\n", worker, n); err != nil {
			return err
		}
	}
}

func TestKillLosesNothingAcknowledgedAndTearsNothing(t *testing.T) {
	rounds := 15
	if s := os.Getenv("TRENT_CRASH_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("TRENT_CRASH_ROUNDS: %v", err)
		}
		rounds = n
	}
	path := filepath.Join(t.TempDir(), "store")
	acknowledged := make([]int, crashWorkers) // the last step of each
	for w := range acknowledged {
		acknowledged[w] = -1
	}
	total, inDoubt := 0, 0
	for range rounds {
		total += crashRound(t, path, acknowledged)
		inDoubt += checkCrashed(t, path, acknowledged)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d kills, %d steps acknowledged, %d kept that were not", rounds, total, inDoubt)
	if total < rounds*10 {
		t.Errorf("only %d steps were acknowledged", total)
	}
}

// crashRound runs the child, kills it at a random moment and notes what it acknowledged.
func crashRound(t *testing.T, path string, acknowledged []int) (steps int) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), crashChildEnv+"="+path)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	kill := func(after time.Duration) {
		once.Do(func() { time.AfterFunc(after, func() { _ = child.Process.Kill() }) })
	}
	killAfter := rand.IntN(150)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		var worker, n int
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &worker, &n); err != nil {
			t.Fatalf("the child printed %q", lines.Text())
		}
		acknowledged[worker] = n
		if steps++; steps > killAfter {
			kill(time.Duration(rand.IntN(3000)) * time.Microsecond) // anywhere in the few commits that follow
		}
	}
	var ended *exec.ExitError
	if err := child.Wait(); !errors.As(err, &ended) || ended.ExitCode() != -1 {
		t.Fatalf("the child was not killed but ended: %v", err)
	}
	return steps
}

// checkCrashed opens what the child left, checks it, and returns how many steps are there without an acknowledgement.
// It takes them as acknowledged from now on: they are durable.
func checkCrashed(t *testing.T, path string, acknowledged []int) (inDoubt int) {
	t.Helper()
	checkPages(t, path)
	s := open(t, path)
	defer s.Close()
	for w, last := range acknowledged {
		p, err := s.Range(t.Context(), fmt.Sprintf("%d/", w), "", 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		reached := checkWorker(t, w, p.Records)
		if reached != last && reached != last+1 {
			t.Errorf("worker %d: step %d was acknowledged, step %d is there", w, last, reached)
		}
		inDoubt += reached - last
		acknowledged[w] = reached
	}
	return inDoubt
}

// checkWorker compares a worker's records with what its steps make, and returns its last step.
func checkWorker(t *testing.T, worker int, records []store.Record) (last int) {
	t.Helper()
	got := map[string]store.Record{}
	for _, r := range records {
		got[r.Key] = r
	}
	count, ok := got[fmt.Sprintf("%d/count", worker)]
	if !ok {
		if len(records) > 0 {
			t.Errorf("worker %d: %d records and no count", worker, len(records))
		}
		return -1
	}
	last, err := strconv.Atoi(string(count.Value))
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for n := range last + 1 {
		step := crashStep(worker, n, 0)
		for _, p := range step.Puts[:2] {
			if string(got[p.Key].Value) != string(p.Value) {
				t.Errorf("%s is %.20q, want %.20q", p.Key, got[p.Key].Value, p.Value)
			}
			want++
		}
		if a, b := got[step.Puts[0].Key].Revision, got[step.Puts[1].Key].Revision; a != b {
			t.Errorf("worker %d step %d: halves of revisions %d and %d", worker, n, a, b)
		}
	}
	if _, ok := got[fmt.Sprintf("%d/mark/%08d", worker, last)]; !ok {
		t.Errorf("worker %d: no mark of step %d", worker, last)
	}
	if want += 2; len(records) != want {
		t.Errorf("worker %d: %d records after step %d, want %d", worker, len(records), last, want)
	}
	return last
}

// checkPages runs bbolt's own check of the file's structure.
func checkPages(t *testing.T, path string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, PreLoadFreelist: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		for err := range tx.Check() {
			t.Errorf("structure: %v", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
