//go:build linux

package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/trent-kms/trent/bench/subject"
)

// binaries are what is measured.
type binaries struct {
	dir         string
	trent, bare string
}

// build builds the servers. With profiles, Trent's stands in another binary: the real one has no door for them.
func (s *settings) build(ctx context.Context, dir string) (*binaries, error) {
	command := "cmd/trent"
	if s.profile != "" {
		command = "bench/profiled"
	}
	trent, err := subject.Build(ctx, dir, command)
	if err != nil {
		return nil, err
	}
	bare, err := subject.Build(ctx, dir, "bench/bare")
	return &binaries{dir, trent, bare}, err
}

// servers run at the same time and are measured in turn; the others are idle meanwhile.
type servers []*server

// server is one of them with its keys.
type server struct {
	*subject.Server
	apart bool // on processors where the load does not run
	keys  []string
}

// start starts the bare server first: what the others are compared with.
func (s *settings) start(ctx context.Context, b *binaries, placement string, cpus []int) (servers, error) {
	data := filepath.Join(b.dir, placement)
	if err := os.Mkdir(data, 0o700); err != nil {
		return nil, err
	}
	var all servers
	for _, start := range []func() (*subject.Server, error){
		func() (*subject.Server, error) { return subject.Bare(ctx, b.bare, cpus) },
		func() (*subject.Server, error) {
			return subject.Dev(ctx, b.trent, cpus, "", s.profileTo(placement, "dev")...)
		},
		func() (*subject.Server, error) {
			return subject.Production(ctx, b.trent, cpus, filepath.Join(data, "production"), s.profileTo(placement, "production")...)
		},
	} {
		started, err := start()
		if err != nil {
			return nil, errors.Join(err, all.stop())
		}
		all = append(all, &server{Server: started, apart: placement == split})
	}
	for _, srv := range all {
		if err := s.fill(ctx, srv); err != nil {
			return nil, errors.Join(err, all.stop())
		}
	}
	return all, nil
}

func (s *settings) profileTo(placement, name string) []string {
	if s.profile == "" {
		return nil
	}
	return []string{"--cpu-profile", filepath.Join(s.profile, placement+"-"+name+".pprof")}
}

// fill makes the keys. The bare server has one of its own, and takes any name for it.
func (s *settings) fill(ctx context.Context, srv *server) error {
	if srv.Name == "bare" {
		for range s.keys {
			srv.keys = append(srv.keys, "1234abcd-12ab-34cd-56ef-1234567890ab")
		}
		return nil
	}
	var err error
	srv.keys, err = srv.CreateKeys(ctx, s.keys)
	return err
}

func (all servers) stop() error {
	var errs []error
	for _, s := range all {
		errs = append(errs, s.Stop())
	}
	return errors.Join(errs...)
}
