//go:build linux

package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc/PID/stat, the same on all Linux systems (USER_HZ, proc_pid_stat(5)).
const tick = 10 * time.Millisecond

// CPU returns the processor time that the process has used so far, in all its threads, to 10 ms.
func (p *Process) CPU() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	return cpuTime(b)
}

// cpuTime reads utime and stime, the 14th and 15th field. The second, in parentheses, may hold anything.
func cpuTime(stat []byte) (time.Duration, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const utime, stime = 14 - 3, 15 - 3
	if len(fields) <= stime {
		return 0, fmt.Errorf("process: %d fields in stat", len(fields))
	}
	user, err := strconv.ParseInt(fields[utime], 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(fields[stime], 10, 64)
	return time.Duration(user+system) * tick, err
}

// Memory is how much memory a process has, in bytes.
type Memory struct {
	Resident  int64 // now (VmRSS)
	Anonymous int64 // of that, what is not the contents of a file (RssAnon)
	Peak      int64 // the most that was ever resident (VmHWM)
}

// Memory returns the memory of the process.
func (p *Process) Memory() (Memory, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return Memory{}, err
	}
	var m Memory
	for _, f := range []struct {
		name string
		to   *int64
	}{{"VmRSS", &m.Resident}, {"RssAnon", &m.Anonymous}, {"VmHWM", &m.Peak}} {
		if *f.to, err = kilobytes(string(b), f.name); err != nil {
			return Memory{}, err
		}
	}
	return m, nil
}

// kilobytes reads a line such as "VmHWM:	   18840 kB", in bytes.
func kilobytes(status, name string) (int64, error) {
	_, rest, _ := strings.Cut(status, name+":")
	number, _, ok := strings.Cut(rest, " kB")
	if !ok {
		return 0, fmt.Errorf("process: no %s in status", name)
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	return n << 10, err
}
