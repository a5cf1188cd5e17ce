//go:build unix

package root

import (
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"time"
)

// stat is a file as fstat(2) would describe it.
type stat struct {
	mode        fs.FileMode
	user, group uint32
}

func (s stat) Name() string       { return "root.key" }
func (s stat) Size() int64        { return int64(fileSize) }
func (s stat) Mode() fs.FileMode  { return s.mode }
func (s stat) ModTime() time.Time { return time.Time{} }
func (s stat) IsDir() bool        { return false }
func (s stat) Sys() any           { return &syscall.Stat_t{Uid: s.user, Gid: s.group} }

func TestWhoseFilesAreAccepted(t *testing.T) {
	const me, mine, extra, other = 1000, 1000, 2000, 3000
	trent := process{me, []int{extra, mine}}
	const ok, owner, mode = "", "belongs to user", "chmod 600"
	for _, c := range []struct {
		name string
		file stat
		want string
	}{
		{"my own", stat{0o600, me, mine}, ok},
		{"my own, read-only", stat{0o400, me, other}, ok},
		{"root's, which I could not read", stat{0o400, 0, 0}, ok},
		{"a secret volume with fsGroup", stat{0o440, 0, extra}, ok},
		{"the same, writable by root", stat{0o640, 0, extra}, ok},
		{"root's, for my own group", stat{0o640, 0, mine}, ok},
		{"root's, for a group I am not in", stat{0o440, 0, other}, mode},
		{"root's, for root's group", stat{0o640, 0, 0}, mode},
		{"my own, for my group", stat{0o640, me, mine}, mode},
		{"my own, for my group, read-only", stat{0o440, me, extra}, mode},
		{"root's, for everybody", stat{0o444, 0, extra}, mode},
		{"root's, writable by my group", stat{0o660, 0, extra}, mode},
		{"root's, executable", stat{0o550, 0, extra}, mode},
		{"root's, group alone", stat{0o040, 0, extra}, mode},
		{"another user's", stat{0o600, other, mine}, owner},
		{"another user's, for my group", stat{0o440, other, extra}, owner},
		{"a directory", stat{fs.ModeDir | 0o700, me, mine}, "not a regular file"},
	} {
		err := trent.checkPrivate(c.file)
		if (err == nil) != (c.want == ok) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	root := process{0, []int{0}}
	if err := root.checkPrivate(stat{0o600, me, mine}); err == nil || !strings.Contains(err.Error(), owner) {
		t.Errorf("a user's file for a server of root: %v", err)
	}
}
