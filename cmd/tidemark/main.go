// Command tidemark is the whole toolkit in one binary: every role, the tools around them, and the demo.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() { os.Exit(run(os.Args[1:])) }

// run executes the command line and returns the exit code. The first SIGINT or SIGTERM ends work in order, the second
// one at once.
func run(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	signals := make(chan os.Signal, 2) // the two that count
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	go func() {
		<-signals
		cancel()
		<-signals
		fmt.Fprintln(os.Stderr, "tidemark: told to end a second time: it ends without draining; whoever goes on does again what is not done")
		os.Exit(exitFailed)
	}()
	root := newRoot()
	root.SetArgs(args)
	err := guard(func() error { return root.ExecuteContext(ctx) })
	if err != nil {
		if interrupted(ctx, err) {
			err = fmt.Errorf("interrupted: %w", err)
		}
		report(os.Stderr, err)
	}
	return exitCode(err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "tidemark",
		Short: "Real-time user profiles: batch and speed layers whose merged answers equal a recompute, byte for byte",
		Long: `tidemark computes profiles from a log of events: features are declared once, a batch layer recomputes them from
Parquet, a speed layer applies Kafka events within milliseconds, and a serving layer merges both. JOB is a folder of
source and view declarations; a folder that is not there is looked up among the built-in jobs.

Every flag can be set in the environment: --kafka as TIDEMARK_KAFKA, and so on.

Exit codes: 0 fine · 1 wrong answers found · 2 usage or job file · 3 something unreachable after --wait · 4 failed.`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          noSuchCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return &flagsError{cmd, err} })
	root.SuggestionsMinimumDistance = 2             // edits
	root.CompletionOptions.DisableDefaultCmd = true // newCompletion is ours: it knows its arguments
	root.AddCommand(commands()...)
	return root
}

// noSuchCommand admits no arguments: what is left over once cobra has looked for a command is none.
func noSuchCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := "tidemark --help lists the commands"
	if like := root.SuggestionsFor(args[0]); len(like) > 0 {
		hint = "did you mean " + strings.Join(like, " or ") + "?"
	}
	return usagef("there is no command %q; %s", args[0], hint)
}

// version is that of the module, as the go command wrote it into the binary.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}
