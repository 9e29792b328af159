// Command tidemark is the whole toolkit in one binary: every role, the tools around them, and the demo.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes, part of the contract with whoever runs tidemark.
const (
	exitOK          = 0
	exitWrong       = 1 // wrong answers were found
	exitUsage       = 2 // usage, or a job file at fault
	exitUnreachable = 3 // something could not be reached within --wait
	exitFailed      = 4 // anything else: a damaged file, a full disk, a recovered panic
)

// The classes of errors that decide the exit code; any other error is exitFailed.
var (
	errWrong       = errors.New("wrong answers found")
	errUsage       = errors.New("usage")
	errUnreachable = errors.New("unreachable")
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes the command line and returns the exit code. The first SIGINT or SIGTERM ends work in order, the second
// one at once.
func run(args []string) (code int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(os.Stderr, "tidemark: panic: %v\n%s", r, debug.Stack())
			code = exitFailed
		}
	}()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go func() {
		<-ctx.Done()
		stop() // from now on a signal has its default effect
	}()
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "tidemark: %v\n", err)
	}
	return exitCode(err)
}

// exitCode is the one place that decides what an error means to the caller of the process.
func exitCode(err error) int {
	switch {
	case err == nil:
		return exitOK
	case errors.Is(err, errWrong):
		return exitWrong
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, errUnreachable):
		return exitUnreachable
	}
	return exitFailed
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tidemark",
		Short: "Real-time user profiles: batch and speed layers whose merged answers equal a recompute, byte for byte",
		Long: `tidemark computes profiles from a log of events: features are declared once, a batch layer recomputes them from
Parquet, a speed layer applies Kafka events within milliseconds, and a serving layer merges both. JOB is a folder of
source and view declarations, such as jobs/usedcar; a folder that is not there is looked up among the built-in jobs.

Every flag can be set in the environment: --kafka as TIDEMARK_KAFKA, and so on.

Exit codes: 0 fine · 1 wrong answers found · 2 usage or job file · 3 something unreachable after --wait · 4 failed.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %w", errUsage, err) })
	root.CompletionOptions.DisableDefaultCmd = false
	root.AddCommand(commands()...)
	return root
}
