//go:build !linux

package main

// harden does nothing: only Linux has what it needs.
func harden() {}
