package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tidemark-io/tidemark/batch/recompute"
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
	// errPanic is a panic of a role or command. Its text holds the stack.
	errPanic = errors.New("panic")
)

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

// classed is an error of a class. People read the error alone: "usage:" before a sentence about a job file says nothing.
type classed struct{ class, err error }

// Error returns the text of the error without that of its class.
func (c *classed) Error() string { return c.err.Error() }

// Unwrap returns the class and the error.
func (c *classed) Unwrap() []error { return []error{c.class, c.err} }

// asUsage makes err one of class errUsage; nil stays nil.
func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &classed{errUsage, err}
}

// usagef returns an error of class errUsage.
func usagef(format string, a ...any) error { return asUsage(fmt.Errorf(format, a...)) }

// flagsError is a command line that does not parse: whoever typed it is shown where help is.
type flagsError struct {
	cmd *cobra.Command
	err error
}

// Error returns what is wrong and where help is.
func (f *flagsError) Error() string {
	return fmt.Sprintf("%v\nusage: %s\n%s --help says more", f.err, useLine(f.cmd), f.cmd.CommandPath())
}

// Unwrap returns the class and the error.
func (f *flagsError) Unwrap() []error { return []error{errUsage, f.err} }

// useLine is cobra's, without the word that it appends.
func useLine(cmd *cobra.Command) string {
	line := strings.TrimSuffix(cmd.UseLine(), " [flags]")
	if cmd.HasAvailableFlags() {
		line += " [flags]"
	}
	return line
}

// report prints an error for the user, and the place of a panic of batch, whose error does not tell it.
func report(w io.Writer, err error) {
	for i, line := range strings.Split(err.Error(), "\n") {
		if i == 0 {
			line = "tidemark: " + line
		}
		fmt.Fprintln(w, line)
	}
	if p, ok := errors.AsType[*recompute.PanicError](err); ok {
		fmt.Fprint(w, p.Stack)
	}
}

// guard makes a panic an error, so that one goroutine's end is the process's exit code 4 and no other's.
func guard(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, r, debug.Stack())
		}
	}()
	return do()
}

// interrupted tells whether err is only that somebody asked the command to end.
func interrupted(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, context.Canceled)
}
