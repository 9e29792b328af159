package storehttp

import (
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// The states of an outcome, or of a frame of a scan, on the wire.
const (
	stateRefused     = 0
	stateApplied     = 1
	stateUnavailable = 2
	stateFailed      = 3
)

// maxErrorBytes bounds the text of an error on the wire.
const maxErrorBytes = 4096

func (e *enc) outcome(o *lane.Outcome) {
	switch {
	case o.Err != nil:
		e.error(o.Err)
	case o.Applied:
		e.num(stateApplied)
	default:
		e.num(stateRefused)
		e.marks(o.Marks)
	}
}

func (d *dec) outcome() lane.Outcome {
	switch state := d.num(); state {
	case stateApplied:
		return lane.Outcome{Result: lane.Result{Applied: true}}
	case stateRefused:
		return lane.Outcome{Result: lane.Result{Marks: d.marks()}}
	default:
		return lane.Outcome{Err: d.error(state)}
	}
}

// error writes an error as its class and text. What is of neither class (a context's end) is of an unknown outcome.
func (e *enc) error(err error) {
	if errors.Is(err, lane.ErrStore) {
		e.num(stateFailed)
	} else {
		e.num(stateUnavailable)
	}
	text := err.Error()
	e.str(text[:min(len(text), maxErrorBytes)])
}

func (d *dec) error(state uint64) error {
	err := errorOf(state, d.str())
	if errors.Is(err, errReply) {
		d.fail()
	}
	return err
}

// errorOf is the error of a state with its text, errReply of a state that there is not.
func errorOf(state uint64, text string) error {
	switch state {
	case stateUnavailable:
		return remote(lane.ErrUnavailable, text)
	case stateFailed:
		return remote(lane.ErrStore, text)
	}
	return errReply
}

// remote is an error that the owner of the store told us.
func remote(class error, text string) error {
	return fmt.Errorf("%w: the store's owner says: %s", class, text)
}
