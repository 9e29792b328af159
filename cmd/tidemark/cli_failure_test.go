package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/tidemark-io/tidemark/batch/recompute"
)

// TestClasses: what an error is decides the exit code through any wrapping, and its class is not in its text.
func TestClasses(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	for _, c := range []struct {
		err  error
		code int
		text string
	}{
		{nil, exitOK, ""},
		{cause, exitFailed, "cause"},
		{usagef("flag: %w", cause), exitUsage, "flag: cause"},
		{fmt.Errorf("doing: %w", usagef("flag: %w", cause)), exitUsage, "doing: flag: cause"},
		{&classed{errUnreachable, cause}, exitUnreachable, "cause"},
		{errors.Join(cause, &classed{errWrong, cause}), exitWrong, "cause\ncause"},
		{context.Canceled, exitFailed, "context canceled"},
	} {
		if exitCode(c.err) != c.code || c.err != nil && c.err.Error() != c.text {
			t.Errorf("%v: exit code %d, want %d and %q", c.err, exitCode(c.err), c.code, c.text)
		}
		if c.err != nil && c.text != "context canceled" && !errors.Is(c.err, cause) {
			t.Errorf("%v has lost its cause", c.err)
		}
	}
}

// TestPanic: a panic is an error with its stack, and exit code 4, not the runtime's 2.
func TestPanic(t *testing.T) {
	t.Parallel()
	err := guard(func() error { panic("sorry") })
	var out bytes.Buffer
	report(&out, err)
	if exitCode(err) != exitFailed || !errors.Is(err, errPanic) || !strings.HasPrefix(out.String(), "tidemark: panic: sorry\n") || !strings.Contains(out.String(), "cli_failure_test.go") {
		t.Errorf("exit code %d\n%s", exitCode(err), out.String())
	}
	if err := guard(func() error { return nil }); err != nil {
		t.Error(err)
	}
	out.Reset()
	report(&out, fmt.Errorf("making run 1: %w", &recompute.PanicError{Value: "sorry", Stack: "goroutine 7\n"}))
	if out.String() != "tidemark: making run 1: worker panicked: sorry\ngoroutine 7\n" {
		t.Errorf("of a run: %s", out.String())
	}
}
