package root

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
)

// process is whose right to read a file is judged.
type process struct {
	user   int // effective
	groups []int
}

func thisProcess() process {
	groups, _ := os.Getgroups() // without them fewer files are accepted
	return process{os.Geteuid(), append(groups, os.Getegid())}
}

// checkPrivate says whether a root key may come from this file: a regular file of the process's user or of root, which
// nobody but its owner may use. Its group may read it (mode 0440 or 0640) if the owner is root and the process is in the
// group: so Kubernetes mounts a secret for a pod with an fsGroup, and who else is in that group is root's decision.
// Owners are not looked at where the operating system has none.
func (p process) checkPrivate(info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	user, group, owned := owner(info)
	if owned && user != p.user && user != 0 {
		return fmt.Errorf("it belongs to user %d, and this is user %d: its owner can replace it, so chown it", user, p.user)
	}
	mode := info.Mode().Perm()
	if mode&0o077 == 0 {
		return nil
	}
	if (mode == 0o440 || mode == 0o640) && owned && user == 0 && slices.Contains(p.groups, group) {
		return nil
	}
	return fmt.Errorf("others than its owner may use it (mode %04o): chmod 600 it, and consider who may have read it", mode)
}
