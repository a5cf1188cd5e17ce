// Command trent is a key management service that speaks the AWS KMS protocol, and the tool to run it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker in releases.
var version = "0.1.0-dev"

// Exit statuses, part of the contract with scripts.
const (
	exitOK     = 0
	exitFailed = 1 // the operation failed
	exitUsage  = 2 // the command line was wrong
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run executes one command line and returns the exit status. stdout gets data, stderr talk.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "trent",
		Short:         "A key management service that speaks the AWS KMS protocol",
		Example:       "  trent server --dev\n  eval \"$(trent env)\"\n  aws kms create-key",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.AddCommand(serverCommand(), envCommand(), statusCommand(), clockCommand(), resetCommand(), snapshotCommand(), restoreCommand(), serviceCommand(), recoverCommand(), explainCommand(), policyCommand(), versionCommand())
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	fmt.Fprintf(stderr, "trent: error: %v\n", err)
	var f *failure
	if !errors.As(err, &f) {
		fmt.Fprintln(stderr, "trent: hint: see 'trent --help'")
		return exitUsage
	}
	if f.hint != "" {
		fmt.Fprintf(stderr, "trent: hint: %s\n", f.hint)
	}
	return exitFailed
}

// failure is an operation that failed, as opposed to a command line that was wrong.
type failure struct {
	err  error
	hint string // what to try; may be empty
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

// does makes a command's function report its errors as failures. Errors about the command line itself are made with
// usage.
func does(f func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, args []string) error {
		err := f(c, args)
		var failed *failure
		var wrong *wrongUsage
		if err == nil || errors.As(err, &failed) || errors.As(err, &wrong) {
			return err
		}
		return &failure{err: err}
	}
}

// wrongUsage is a command line that cannot be carried out.
type wrongUsage struct{ text string }

func (w *wrongUsage) Error() string { return w.text }

func usage(format string, args ...any) error { return &wrongUsage{fmt.Sprintf(format, args...)} }
