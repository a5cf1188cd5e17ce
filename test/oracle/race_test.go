//go:build race

package oracle_test

// usual is how many cases are run unless told: few under the race detector, which finds nothing here and takes its time.
const usual = 5_000
