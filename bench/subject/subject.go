//go:build linux

// Package subject starts the servers that are compared, Trent in its modes and the bare one, and fills them with what
// the load needs.
package subject

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/trent-kms/trent/bench/load"
	"github.com/trent-kms/trent/bench/process"
	"github.com/trent-kms/trent/internal/iam"
	"github.com/trent-kms/trent/internal/material"
	"github.com/trent-kms/trent/internal/wire/sigv4"
)

// Region is what requests are signed for. It is the one that a production server serves by default.
const Region = "us-east-1"

const module = "github.com/trent-kms/trent/"

// Build builds one of the module's commands, such as cmd/trent, into dir and returns the path of its binary.
func Build(ctx context.Context, dir, command string) (string, error) {
	path := filepath.Join(dir, filepath.Base(command))
	out, err := exec.CommandContext(ctx, "go", "build", "-o", path, module+command).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", command, err, out)
	}
	return path, nil
}

// Server is a server that runs, and somebody who may use it.
type Server struct {
	*process.Process
	load.Signer
	Name string
}

// Bare starts the bare server. It does not look at signatures.
func Bare(ctx context.Context, binary string, cpus []int) (*Server, error) {
	p, err := process.Start(ctx, cpus, binary)
	if err != nil {
		return nil, err
	}
	return &Server{p, developer(), "bare"}, nil
}

// Dev starts Trent for development: its audit log is written before an answer leaves. Without dataDir, its keys are in
// memory.
func Dev(ctx context.Context, binary string, cpus []int, dataDir string, more ...string) (*Server, error) {
	args := append([]string{"server", "--dev", "--listen", "127.0.0.1:0"}, more...)
	if dataDir != "" {
		args = append(args, "--data-dir", dataDir)
	}
	p, err := process.Start(ctx, cpus, binary, args...)
	if err != nil {
		return nil, err
	}
	return &Server{p, developer(), "dev"}, nil
}

// Production starts Trent as in production: its audit log and its keys are on disk before an answer leaves.
func Production(ctx context.Context, binary string, cpus []int, dataDir string, more ...string) (*Server, error) {
	args := append([]string{"server", "--listen", "127.0.0.1:0", "--data-dir", dataDir}, more...)
	p, err := process.Start(ctx, cpus, binary, args...)
	if err != nil {
		return nil, err
	}
	s, err := administrator(filepath.Join(dataDir, "admin-credentials"))
	if err != nil {
		return nil, errors.Join(err, p.Stop())
	}
	return &Server{p, s, "production"}, nil
}

func developer() load.Signer { return signer(iam.DevAccessKeyID, iam.DevSecret) }

// administrator signs with the AWS profile that a production server wrote at its first start.
func administrator(path string) (load.Signer, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return load.Signer{}, err
	}
	values := map[string]string{}
	for line := range strings.Lines(string(b)) {
		name, value, _ := strings.Cut(line, "=")
		values[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	id, secret := values["aws_access_key_id"], values["aws_secret_access_key"]
	if id == "" || secret == "" {
		return load.Signer{}, fmt.Errorf("%s is not an AWS profile", path)
	}
	return signer(id, secret), nil
}

func signer(id, secret string) load.Signer {
	return load.Signer{Credential: sigv4.Credential{AccessKeyID: id, Secret: material.Take([]byte(secret))}, Region: Region}
}

// Sign signs a request for each body, now.
func (s *Server) Sign(operation string, bodies [][]byte) ([][]byte, error) {
	requests, now := make([][]byte, len(bodies)), time.Now()
	for i, body := range bodies {
		var err error
		if requests[i], err = s.Request(operation, body, now); err != nil {
			return nil, err
		}
	}
	return requests, nil
}
