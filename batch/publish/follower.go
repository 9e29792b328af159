package publish

import (
	"fmt"
	"maps"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// Follower is what a publisher believes of one lane, and what it makes of that: marks are observed, the step that they ask
// for is taken by one call, and what came of the call is settled, which leads to the next step. It is pure: reading marks,
// opening run files and sending calls are its owner's.
type Follower struct {
	Of *Generation
	N  int // number of the lane

	Marks lane.Marks // as last seen; of the partitions' marks, those of the last Observe
	Step  Step
	// Err is why the lane is left alone until its marks are read again: of class ErrLane, or what the store failed with.
	Err error
}

// Observe takes over the lane's marks, read while no call was under way.
func (f *Follower) Observe(marks lane.Marks) {
	f.Marks = marks
	if f.Step, f.Err = Next(f.Of, f.N, marks); f.Err != nil {
		f.Err = fmt.Errorf("%w: %w", ErrLane, f.Err)
	}
}

// Settle takes over what came of the step's call.
func (f *Follower) Settle(call *lane.Call, out *lane.Outcome) {
	switch {
	case out.Err != nil:
		// The outcome is unknown, or nothing was done. Either way the marks say: the next pass reads them.
		f.Err = fmt.Errorf("publishing to lane %s: %w", call.Lane, out.Err)
	case !out.Applied:
		f.Observe(out.Marks)
	default:
		// Only the batch mark is followed here: it is all that the next step is made from.
		after := maps.Clone(f.Marks)
		if after == nil {
			after = lane.Marks{}
		}
		after[lane.BatchName] = call.Set
		f.Observe(after)
	}
}
