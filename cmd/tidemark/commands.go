package main

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// commands returns every command.
func commands() []*cobra.Command {
	return []*cobra.Command{
		newDemo(), newUp(), newArchive(), newBatch(), newSpeed(), newServe(), newAudit(), newBroker(), newGen(), newProduce(),
		newGet(), newVerify(), newExplain(), newLog(), newRejects(),
		newRebuild(), newDiff(), newPromote(), newRollback(), newDrop(), newVersions(), newStatus(), newCheck(), newTest(), newPlan(), newRefill(), newCompletion(),
	}
}

// logger is what helpers that only say how they are doing need.
type logger = *slog.Logger

// newLogger writes what an operator acts on, for roles that run long: text on a terminal, JSON otherwise.
func newLogger(w io.Writer) *slog.Logger {
	if f, ok := w.(*os.File); ok {
		if st, err := f.Stat(); err == nil && st.Mode()&os.ModeCharDevice == 0 {
			return slog.New(slog.NewJSONHandler(w, &slog.HandlerOptions{ReplaceAttr: durationsAsText}))
		}
	}
	return slog.New(slog.NewTextHandler(w, nil))
}

// durationsAsText makes JSON say 1.5s where it would say 1500000000.
func durationsAsText(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		a.Value = slog.StringValue(a.Value.Duration().String())
	}
	return a
}

// newToolLogger is the logger of commands that somebody waits for: no times, and no level but of what is amiss.
func newToolLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || (a.Key == slog.LevelKey && a.Value.Any() == slog.LevelInfo)) {
			return slog.Attr{}
		}
		return a
	}}))
}

// oneJob wants JOB and nothing else.
func oneJob(cmd *cobra.Command, args []string) error { return wantArgs(cmd, args, 1, 1) }

// wantArgs is cobra's argument check with our class of error.
func wantArgs(cmd *cobra.Command, args []string, least, most int) error {
	if len(args) < least {
		return &flagsError{cmd, errors.New("arguments are missing")}
	}
	if most >= 0 && len(args) > most {
		return &flagsError{cmd, errors.New("too many arguments: " + strings.Join(args[most:], " "))}
	}
	return nil
}

// stamp prints a time in ms.
func stamp(ms int64) string {
	if ms == 0 {
		return "-"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
