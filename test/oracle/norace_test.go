//go:build !race

package oracle_test

// usual is how many cases are run unless told.
const usual = 100_000
