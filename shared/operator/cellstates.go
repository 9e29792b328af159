package operator

import (
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator/internal/cells"
)

// cellStates is what the states made of cells without keys have in common: all of States but Fold and Result.
type cellStates struct {
	kind string
	*cells.Cells
	picked picked
}

// begin goes through those rows that have a value in one of the columns; of no columns through all.
func (s *cellStates) begin(r *Rows, cols []*column.Column) {
	r = s.picked.present(r, cols)
	s.Begin(r.Row, r.Slot, r.Time, r.Newest)
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
