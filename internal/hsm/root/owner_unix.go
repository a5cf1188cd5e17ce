//go:build unix

package root

import (
	"io/fs"
	"syscall"
)

// owner returns the ids of a file's user and group.
func owner(info fs.FileInfo) (user, group int, ok bool) {
	s, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return int(s.Uid), int(s.Gid), true
}
