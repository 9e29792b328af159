// Package invariant is the one place that may panic: an assertion that fails means a bug in tidemark, and the process
// (or the worker that recovers it) must stop loudly and not write on.
package invariant

import "fmt"

// Violation is the value that Check and Fail panic with.
type Violation struct{ What string }

// Error returns what was violated.
func (v Violation) Error() string { return "invariant violated: " + v.What }

// Check panics with a Violation if ok is false. The arguments are formatted only then.
func Check(ok bool, format string, args ...any) {
	if !ok {
		Fail(format, args...)
	}
}

// Fail panics with a Violation.
func Fail(format string, args ...any) {
	panic(Violation{What: fmt.Sprintf(format, args...)})
}
