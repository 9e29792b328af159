// Package invariant is the one place that may panic: an assertion that fails means a bug in tidemark, and the process
// (or the worker that recovers it) must stop loudly and not write on.
package invariant

import "fmt"

// ViolationError is the value that Check and Fail panic with.
type ViolationError struct{ What string }

// Error returns what was violated.
func (v ViolationError) Error() string { return "invariant violated: " + v.What }

// Check panics with a ViolationError if ok is false. The arguments are formatted only then.
func Check(ok bool, format string, args ...any) {
	if !ok {
		Fail(format, args...)
	}
}

// Fail panics with a ViolationError.
func Fail(format string, args ...any) {
	panic(ViolationError{What: fmt.Sprintf(format, args...)}) //nolint:forbidigo // this is the one place that may panic
}
