//go:build !linux

package hsm

// lowerPriority does nothing where threads have no priority of their own.
func lowerPriority() {}
