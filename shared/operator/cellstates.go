package operator

import "github.com/tidemark-io/tidemark/shared/operator/internal/cells"

// cellStates is what the states made of cells without keys have in common: all of States but Fold and Result.
type cellStates struct {
	kind string
	*cells.Cells
}

// Merge implements States.
func (s *cellStates) Merge(slot int32, state []byte, newest int64) error {
	if !s.Cells.Merge(slot, state, newest) {
		return stateError(s.kind, state)
	}
	return nil
}

// Sizer is what States may implement to tell how much memory they use, in bytes, roughly.
type Sizer interface {
	Bytes() int64
}
