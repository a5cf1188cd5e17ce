package hsm

import "golang.org/x/sys/unix"

// niceMaker is the nice value of a thread that makes RSA keys: beside a busy thread it gets about a tenth of a processor
// (sched(7): weight 110 against 1024), and a whole one when nobody else wants it.
const niceMaker = 10

// lowerPriority lowers the priority of the calling thread. That it cannot be done is no reason not to make the key.
func lowerPriority() { _ = unix.Setpriority(unix.PRIO_PROCESS, unix.Gettid(), niceMaker) }
