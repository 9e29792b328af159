package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"
)

// commands returns every command.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newDemo(), newUp(), newBroker(), newGen(), newProduce(),
		newGet(), newVerify(), newExplain(), newLog(),
		newBatch(), newVersions(), newStatus(), newCheck(), newPlan(),
	}
}

// logger is what helpers that only say how they are doing need.
type logger = *slog.Logger

// newLogger writes what an operator acts on: text on a terminal, JSON otherwise.
func newLogger(w io.Writer) *slog.Logger {
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice == 0 {
			return slog.New(slog.NewJSONHandler(w, nil))
		}
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// oneJob wants JOB and nothing else.
func oneJob(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 1, 1) }

// wantArgs is cobra's argument check with our class of error.
func wantArgs(cmd *cobra.Command, args []string, least, most int) error {
	if len(args) < least || (most >= 0 && len(args) > most) {
		return fmt.Errorf("%w: tidemark %s", errUsage, cmd.UseLine())
	}
	return nil
}
