//go:build linux

package process

import (
	"fmt"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// CPUs returns the processors that this process may run on.
func CPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, fmt.Errorf("process: reading the processor affinity: %w", err)
	}
	var cpus []int
	for i := range len(set) * strconv.IntSize {
		if set.IsSet(i) {
			cpus = append(cpus, i)
		}
	}
	return cpus, nil
}

// startOn calls start on a thread that runs on cpus alone: the child that it makes begins with the same processors, and
// counts them when its runtime starts.
func startOn(cpus []int, start func() error) error {
	if cpus == nil {
		return start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	all, err := CPUs()
	if err != nil {
		return err
	}
	if err := setAffinity(0, cpus); err != nil {
		return err
	}
	if err := start(); err != nil {
		return err
	}
	return setAffinity(0, all)
}

// Confine moves this whole process to cpus and returns the function that moves it back. Threads that are made later
// inherit the processors of those that make them.
func Confine(cpus []int) (release func() error, err error) {
	all, err := CPUs()
	if err != nil {
		return nil, err
	}
	procs := runtime.GOMAXPROCS(len(cpus))
	release = func() error {
		runtime.GOMAXPROCS(procs)
		return confine(all)
	}
	return release, confine(cpus)
}

func confine(cpus []int) error {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err != nil {
			return err
		}
		// A thread may have ended since it was listed.
		if err := setAffinity(id, cpus); err != nil && err != unix.ESRCH {
			return err
		}
	}
	return nil
}

// setAffinity confines a thread, 0 for the calling one.
func setAffinity(thread int, cpus []int) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		set.Set(cpu)
	}
	return unix.SchedSetaffinity(thread, &set)
}
