// Package oracle_test compares Trent's decisions with those of an independent simulator of AWS's authorization, the npm
// package @cloud-copilot/iam-simulate, on random cases. It runs in a process of its own, and ships with nothing.
//
// Every disagreement must be one of the list in disagreements_test.go, which says the rule of AWS that decides it.
package oracle_test

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// processes is how many oracles run at once. Each has one thread.
const processes = 2

// TestDecisionsAreTheOraclesOrExplained runs TRENT_ORACLE_CASES cases, drawn from TRENT_ORACLE_SEED. From 100,000 cases on
// everything must have been seen often enough.
func TestDecisionsAreTheOraclesOrExplained(t *testing.T) {
	cases, seed := setting(t, "TRENT_ORACLE_CASES", usual), setting(t, "TRENT_ORACLE_SEED", 1)
	install(t)
	found := make([]findings, processes)
	var wg sync.WaitGroup
	for i := range found {
		wg.Go(func() { found[i] = compare(t, seed, i, cases) })
	}
	wg.Wait()
	seen := coverage{}
	var disagreements []int
	for _, f := range found {
		if f.err != nil {
			t.Fatal(f.err)
		}
		for what, n := range f.seen {
			seen[what] += n
		}
		disagreements = append(disagreements, f.disagreements...)
	}
	slices.Sort(disagreements)
	t.Logf("%d cases: %d allowed, %d denied implicitly, %d explicitly; %d disagreements", cases,
		seen["answer "+allowed], seen["answer "+implicitly], seen["answer "+explicitly], len(disagreements))
	account(t, seed, cases, disagreements)
	if cases >= 100_000 {
		seen.check(t, cases)
	}
}

func setting(t *testing.T, name string, otherwise int) int {
	t.Helper()
	v := os.Getenv(name)
	if v == "" {
		return otherwise
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("%s=%s is not a positive number", name, v)
	}
	return n
}

// findings are what one process found.
type findings struct {
	seen          coverage
	disagreements []int // numbers of cases
	err           error
}

// pending is a case whose answer is awaited.
type pending struct {
	n      int
	answer string
}

// compare runs every processes-th case.
func compare(t *testing.T, seed, first, cases int) (f findings) {
	f.seen = coverage{}
	o, err := newOracle(t.Context())
	if err != nil {
		return findings{err: err}
	}
	waiting := make(chan pending, 512)
	failed := make(chan error, 1)
	go func() {
		defer close(waiting)
		failed <- ask(o, f.seen, waiting, seed, first, cases)
	}()
	for p := range waiting {
		answer, err := o.receive()
		if err != nil {
			return findings{err: err}
		}
		if answer != p.answer {
			f.disagreements = append(f.disagreements, p.n)
		}
	}
	if f.err = <-failed; f.err == nil {
		f.err = o.close()
	}
	return f
}

// ask has Trent decide and sends the cases to the oracle.
func ask(o *oracle, seen coverage, waiting chan<- pending, seed, first, cases int) error {
	for n := first; n < cases; n += processes {
		s := generate(uint64(seed), uint64(n))
		answer, decision, err := trent(s)
		if err != nil {
			return err
		}
		seen.decision(s, answer, decision)
		if n%10 == 0 || n%10 == 5 { // one of each process
			if err := seen.elements(s); err != nil {
				return err
			}
		}
		waiting <- pending{n, answer}
		if err := o.send(simulation(s)); err != nil {
			return err
		}
	}
	return nil
}

// account explains the disagreements, and fails for those that it cannot explain.
func account(t *testing.T, seed, cases int, disagreements []int) {
	t.Helper()
	o, err := newOracle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	j := &judge{o, classes()}
	explained := map[string]int{}
	unexplained := 0
	for _, n := range disagreements {
		s := generate(uint64(seed), uint64(n))
		names, err := j.explain(s)
		if err != nil {
			t.Fatalf("case %d: %v\n%s", n, err, s)
		}
		for _, name := range names {
			explained[name]++
		}
		if names != nil {
			continue
		}
		if unexplained++; unexplained <= 5 {
			report(t, j, n, s)
		}
	}
	if err := o.close(); err != nil {
		t.Error(err)
	}
	if unexplained > 0 {
		t.Errorf("%d disagreements of %d are not explained", unexplained, len(disagreements))
	}
	for _, c := range j.classes {
		share := 100 * float64(explained[c.name]) / float64(cases)
		t.Logf("%6d (%.2f %%) %s", explained[c.name], share, c.name)
		if share > c.ceiling && cases >= 10_000 {
			t.Errorf("%q explains %.2f %% of the cases, at most %.2f %% are expected", c.name, share, c.ceiling)
		}
		if explained[c.name] == 0 && cases >= 100_000 {
			t.Errorf("%q explains nothing: is it needed?", c.name)
		}
	}
	if unknown := slices.DeleteFunc(slices.Collect(maps.Keys(explained)), func(name string) bool {
		return slices.ContainsFunc(j.classes, func(c class) bool { return c.name == name })
	}); len(unknown) > 0 {
		t.Errorf("explained by no class: %s", strings.Join(unknown, ", "))
	}
}

// report prints the smallest form of a disagreement.
func report(t *testing.T, j *judge, n int, s *scenario) {
	t.Helper()
	s = j.minimise(s)
	got, decision, _ := trent(s)
	want, _ := j.oracle.ask(s)
	t.Errorf("case %d: Trent says %s %+v, the oracle %s:\n%s", n, got, decision, want, s)
}
