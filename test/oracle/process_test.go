package oracle_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
)

// install fetches the oracle as package-lock.json pins it.
func install(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--loglevel=error")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
}

// oracle is a process that answers simulations in the order in which they are sent.
type oracle struct {
	in  io.WriteCloser
	out *bufio.Scanner
	cmd *exec.Cmd
	err bytes.Buffer
}

func newOracle(ctx context.Context) (*oracle, error) {
	o := &oracle{cmd: exec.CommandContext(ctx, "node", "oracle.mjs")}
	o.cmd.Stderr = &o.err
	var err error
	if o.in, err = o.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := o.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	o.out = bufio.NewScanner(out)
	return o, o.cmd.Start()
}

// send asks for a simulation.
func (o *oracle) send(simulation string) error {
	_, err := io.WriteString(o.in, simulation+"\n")
	return err
}

// receive returns the next answer.
func (o *oracle) receive() (string, error) {
	if !o.out.Scan() {
		return "", fmt.Errorf("the oracle has ended: %v %s", o.out.Err(), o.err.String())
	}
	var reply struct {
		Result, Error string
		Ignored       []string
	}
	if err := json.Unmarshal(o.out.Bytes(), &reply); err != nil {
		return "", err
	}
	switch {
	case reply.Error != "":
		return "", fmt.Errorf("the oracle refuses: %s", reply.Error)
	case len(reply.Ignored) > 0:
		return "", fmt.Errorf("the oracle ignores %s", strings.Join(reply.Ignored, ", "))
	}
	return reply.Result, nil
}

// ask sends a scenario and waits for the answer.
func (o *oracle) ask(s *scenario) (string, error) {
	if err := o.send(simulation(s)); err != nil {
		return "", err
	}
	return o.receive()
}

// close ends the process.
func (o *oracle) close() error {
	o.in.Close()
	if err := o.cmd.Wait(); err != nil {
		return fmt.Errorf("the oracle ended with %w: %s", err, o.err.String())
	}
	return nil
}
