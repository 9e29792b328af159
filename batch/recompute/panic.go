package recompute

import (
	"fmt"
	"runtime/debug"
)

// PanicError is the error of a worker that panicked, of class ErrPanic. Its text is a line for whoever asks how things are; the
// stack is for the log.
type PanicError struct {
	Value any    // what it panicked with
	Stack string // of the goroutine, several lines
}

// Error says what it panicked with.
func (p *PanicError) Error() string { return fmt.Sprintf("%v: %v", ErrPanic, p.Value) }

// Unwrap returns the class.
func (p *PanicError) Unwrap() error { return ErrPanic }

// guard turns a panic into an error: a goroutine that panics would end the process, lookups included.
func guard(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &PanicError{Value: r, Stack: string(debug.Stack())}
		}
	}()
	return do()
}
