package etcdtest

import "syscall"

// dieWithParent makes the kernel end a member with the test, also when that is killed.
func dieWithParent() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
