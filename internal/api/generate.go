package api

// The model files are facts (operations, shapes, constraints, errors), derived once from the sources that NOTICE names
// and kept by hand since: to follow a newer API, change them, run go generate, and let test/compat say what is missing.

//go:generate go run ./gen
