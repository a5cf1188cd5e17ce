//go:build linux

// Command authorize measures what authorization costs a whole request: the throughput of a development server against
// one that was built without the question whether the caller may, in turn, in one run.
//
//	go run ./bench/authorize
//
// The other build exists only in a temporary directory: an overlay takes the decision out of the pipeline when it is
// compiled. Nothing in the server can.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/trent-kms/trent/bench/load"
	"github.com/trent-kms/trent/bench/subject"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// settings say what to measure.
type settings struct {
	conns, rounds int
	duration      time.Duration
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var s settings
	f := flag.NewFlagSet("authorize", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.IntVar(&s.conns, "conns", 64, "connections")
	f.IntVar(&s.rounds, "rounds", 15, "samples of each, in turn")
	f.DurationVar(&s.duration, "duration", time.Second, "of one sample")
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	}
	if err := s.compare(ctx, stdout); err != nil {
		fmt.Fprintln(stderr, "authorize: error:", err)
		return 1
	}
	return 0
}

// policies are what the keys have: the default policy, and one of five statements of which the last allows.
var policies = []struct{ name, text string }{
	{"default policy", ""},
	{"five statements", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":["kms:Describe*","kms:List*","kms:Get*"],"Resource":"*"},
		{"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*","Condition":{"StringNotEquals":{"aws:PrincipalAccount":"000000000000"}}},
		{"Effect":"Deny","Principal":"*","Action":"kms:ScheduleKeyDeletion","Resource":"*","Condition":{"NumericLessThan":{"kms:ScheduleKeyDeletionPendingWindowInDays":"30"}}},
		{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt","Resource":"*","Condition":{"Null":{"kms:EncryptionAlgorithm":"true"}}},
		{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"kms:*","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"127.0.0.0/8"}}}]}`},
}

func (s *settings) compare(ctx context.Context, stdout io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "trent-authorize-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var servers [2]*subject.Server
	for i, build := range []func(context.Context, string) (string, error){asItIs, allowAll} {
		binary, err := build(ctx, dir)
		if err != nil {
			return err
		}
		if servers[i], err = subject.Dev(ctx, binary, nil, ""); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, servers[i].Stop()) }()
	}
	for _, p := range policies {
		for _, operation := range []string{"Decrypt", "GenerateDataKey"} {
			if err := s.cell(ctx, stdout, servers, operation, p.name, p.text); err != nil {
				return err
			}
		}
	}
	return nil
}

// cell measures one operation with one policy, and prints the median of the rounds' ratios.
func (s *settings) cell(ctx context.Context, stdout io.Writer, servers [2]*subject.Server, operation, name, policy string) error {
	var groups [2]*load.Group
	var requests [2][][]byte
	for i, srv := range servers {
		keys, err := srv.CreateKeysWith(ctx, 100, policy)
		if err != nil {
			return err
		}
		bodies, err := srv.Bodies(ctx, operation, keys, 2048)
		if err != nil {
			return err
		}
		if requests[i], err = srv.Sign(operation, bodies); err != nil {
			return err
		}
		if groups[i], err = load.Open(srv.Addr, s.conns); err != nil {
			return err
		}
		defer groups[i].Close()
	}
	var ratios, rates []float64
	for round := range s.rounds + 1 {
		var perSecond [2]float64
		for _, i := range [][]int{{0, 1}, {1, 0}}[round%2] {
			r, err := groups[i].Run(ctx, requests[i], s.duration)
			if err != nil {
				return err
			}
			perSecond[i] = r.PerSecond()
		}
		if round > 0 { // the first warms up
			ratios, rates = append(ratios, perSecond[0]/perSecond[1]), append(rates, perSecond[0])
		}
	}
	slices.Sort(ratios)
	slices.Sort(rates)
	n := len(ratios)
	fmt.Fprintf(stdout, "%-16s %-16s %8.0f/s   %.1f %% of allow-all (quartiles %.1f, %.1f)\n",
		operation, name, rates[n/2], 100*ratios[n/2], 100*ratios[n/4], 100*ratios[n*3/4])
	return nil
}

func asItIs(ctx context.Context, dir string) (string, error) {
	return subject.Build(ctx, dir, "cmd/trent")
}

// question is where the pipeline asks whether the caller may.
const question = "c.authorize(ctx, t.Access(c))"

// allowAll builds a server that does not ask.
func allowAll(ctx context.Context, dir string) (string, error) {
	path, err := filepath.Abs("internal/service/operation.go")
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if bytes.Count(text, []byte(question)) != 1 {
		return "", fmt.Errorf("%s does not ask %s exactly once", path, question)
	}
	changed, overlay, binary := filepath.Join(dir, "operation.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "allow-all")
	if err := os.WriteFile(changed, bytes.Replace(text, []byte(question), []byte("error(nil)"), 1), 0o600); err != nil {
		return "", err
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{path: changed}})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, replace, 0o600); err != nil {
		return "", err
	}
	out, err := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", binary, "./cmd/trent").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building without authorization: %w\n%s", err, out)
	}
	return binary, nil
}
