package main

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"

	"github.com/trent-kms/trent/internal/authz"
	"github.com/trent-kms/trent/internal/server"
	"github.com/trent-kms/trent/policy"
)

// listenAll opens the server's own address first, and then those of its VPC endpoints.
func (s *settings) listenAll() ([]server.Listener, error) {
	var all []server.Listener
	open := func(address string, e *authz.Endpoint) error {
		l, err := net.Listen("tcp", address)
		if err != nil {
			closeAll(all)
			return listenFailure(address, err)
		}
		all = append(all, server.Listener{Listener: l, Endpoint: e})
		return nil
	}
	if err := open(s.listen, nil); err != nil {
		return nil, err
	}
	for _, text := range s.endpoints {
		e, address, err := s.vpcEndpoint(text)
		if err != nil {
			closeAll(all)
			return nil, err
		}
		if err := open(address, e); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func closeAll(all []server.Listener) {
	for _, l := range all {
		l.Close()
	}
}

var (
	endpointID = regexp.MustCompile(`^vpce-[0-9a-z]{1,32}$`)
	vpcID      = regexp.MustCompile(`^vpc-[0-9a-z]{1,32}$`)
)

// vpcEndpoint reads ID=ADDRESS[;vpc=VPC-ID][;policy=FILE].
func (s *settings) vpcEndpoint(text string) (*authz.Endpoint, string, error) {
	parts := strings.Split(text, ";")
	id, address, _ := strings.Cut(parts[0], "=")
	host, _, err := net.SplitHostPort(address)
	switch {
	case !endpointID.MatchString(id) || err != nil:
		return nil, "", usage("--vpc-endpoint %q is not of the form vpce-ID=ADDRESS:PORT", text)
	case s.tlsCert == "" && !s.plainHTTP && !isLoopback(host):
		return nil, "", usage("--vpc-endpoint %s is not on loopback: give --tls-cert and --tls-key, or --insecure-plain-http", text)
	}
	e := &authz.Endpoint{ID: id}
	for _, part := range parts[1:] {
		name, value, _ := strings.Cut(part, "=")
		switch {
		case name == "vpc" && vpcID.MatchString(value):
			e.VPC = value
		case name == "policy":
			if e.Policy, err = readPolicy(policy.Endpoint, value); err != nil {
				return nil, "", err
			}
		default:
			return nil, "", usage("--vpc-endpoint %q: %q is neither vpc=vpc-ID nor policy=FILE", text, part)
		}
	}
	return e, address, nil
}

// readPolicy reads a policy of a kind from a file.
func readPolicy(kind policy.Kind, path string) (*policy.Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p, err := policy.Parse(kind, string(text))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}
