package flush

import (
	"fmt"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

// State says whether a lane can be written to.
type State uint8

// The states of a lane, as far as this worker knows.
const (
	Unread  State = iota // its marks have not been read yet
	Waiting              // it has no batch mark: batch will begin it
	Ready                // it has a batch mark: its partition mark is known, or is to be created
	Dropped              // its generation was dropped: never written again
	Damaged              // a mark does not read: somebody has to delete the lane's marks, then batch begins it anew
)

// Refusal says why a call did not do what it was to do.
type Refusal uint8

// The refusals. Each but None has a counter of its own.
const (
	None        Refusal = iota
	Further             // another worker, or batch, moved the mark on or joined it: take it over, write nothing below it
	Behind              // the store lost data: rewrite from the mark
	Absent              // the lane was emptied, or is not begun: wait for batch
	Incarnation         // the lane was begun again: take over its marks as at start-up
	Gone                // the generation was dropped
	Unknown             // timeout or broken connection: read the marks and go on from what they say
	Refusals            // the number of kinds
)

var refusalNames = [Refusals]string{"none", "further", "behind", "absent", "incarnation", "dropped", "unknown"}

// String returns the refusal's name, as metrics carry it.
func (r Refusal) String() string { return refusalNames[r] }

// Lane is what a worker of one partition believes of one lane. The zero Lane with ID, Partition and First set is unread.
// Not safe for concurrent use.
type Lane struct {
	ID        lane.ID
	Partition position.Partition
	// First is the first offset of the partition that the generation knows (its origin): where a mark begins that this
	// worker creates.
	First int64

	state State
	known bool // mark is what the store was last seen to hold, or what we wrote
	mark  lane.Mark
	wire  string // the mark as it stands in the store, "" = absent
	sent  string // the mark that a call under way is to leave, "" = none under way
}

// State returns whether the lane can be written to.
func (l *Lane) State() State { return l.state }

// Next returns the first offset that the lane has not taken in. The lane must be Ready.
func (l *Lane) Next() int64 { return l.mark.Next }

// Holds returns from where on the lane still needs what is folded. A lane whose last call's outcome is unknown needs what
// it needed before: the call may never arrive. ok is false for a lane that nothing is known of, or that cannot be written
// to until batch begins it anew.
func (l *Lane) Holds() (next int64, ok bool) { return l.mark.Next, l.known }

// Incarnation returns which filling of the lane the mark is of. The lane must hold something (see Holds).
func (l *Lane) Incarnation() lane.Incarnation { return l.mark.Incarnation }

// AppendState appends, for comparison and for people, all that is believed of the lane: equal texts are equal beliefs.
func (l *Lane) AppendState(dst []byte) []byte {
	dst = append(dst, '0'+byte(l.state))
	if l.known {
		dst = append(dst, 'k')
	}
	dst = append(append(dst, ' '), l.mark.Wire()...)
	dst = append(append(dst, '|'), l.wire...)
	return append(append(dst, '|'), l.sent...)
}

// InFlight tells whether a call is under way whose outcome has not been seen.
func (l *Lane) InFlight() bool { return l.sent != "" }

// Observe takes over what the store says of the lane, read when no call was under way. It errs only on damaged marks
// (class lane.ErrMark): the lane is then Damaged, and not written to until marks that read are observed.
func (l *Lane) Observe(marks lane.Marks) error {
	l.sent, l.wire, l.known = "", "", false
	if marks[lane.BatchName] == lane.Dropped {
		l.state = Dropped
		return nil
	}
	batch, begun, err := marks.Batch()
	if err != nil {
		return l.damaged(err)
	}
	if !begun {
		l.state = Waiting
		return nil
	}
	mark, exists, err := marks.Partition(l.Partition)
	switch {
	case err != nil:
		return l.damaged(err)
	case !exists:
		// The lane is begun and no run that it began from covers this partition (else batch had set its mark): the
		// partition is new, so nothing is missing below its first offset.
		mark = lane.Mark{Incarnation: batch.Incarnation, Low: lane.Joined, Next: l.First}
	case mark.Incarnation != batch.Incarnation:
		return l.damaged(fmt.Errorf("%w: the mark of %s is of incarnation %s, the lane of %s",
			lane.ErrMark, l.Partition, mark.Incarnation, batch.Incarnation))
	default:
		l.wire = marks[l.Partition.String()]
	}
	l.state, l.known, l.mark = Ready, true, mark
	return nil
}

func (l *Lane) damaged(err error) error {
	l.state = Damaged
	return fmt.Errorf("reading marks of lane %s (delete all marks of the lane and it fills itself): %w", l.ID, err)
}

// Call returns the call that writes rows and moves the lane's mark to pos; reached is the append time reached, ms.
// rows must be all tiles of the lane that changed in [Next, pos). The lane must be Ready, without a call under
// way, and pos ≥ Next.
func (l *Lane) Call(pos, reached int64, rows []lane.RowChange) lane.Call {
	to := l.mark
	to.Next, to.Append = pos, max(reached, l.mark.Append)
	l.sent = to.Wire()
	c := lane.Call{Lane: l.ID, Name: l.Partition.String(), Expect: l.wire, RowsOf: l.mark.Incarnation, Rows: rows, Set: l.sent}
	if l.wire == "" {
		c.Incarnation = l.mark.Incarnation
	}
	return c
}

// Outcome takes the answer to the call under way. With Unknown the lane is Unread, or Damaged, until Observe. The error is
// of class lane.ErrMark, or what the store failed with.
func (l *Lane) Outcome(o lane.Outcome) (Refusal, error) {
	target, was := l.sent, l.mark
	if o.Err != nil {
		l.sent, l.state = "", Unread
		return Unknown, o.Err
	}
	// A repeat by the client library of a call that was applied is refused; the mark then is what the call was to leave.
	if o.Applied || o.Marks[l.Partition.String()] == target {
		return None, l.arrived(target)
	}
	if err := l.Observe(o.Marks); err != nil {
		return Unknown, err
	}
	switch {
	case l.state == Dropped:
		return Gone, nil
	case l.state == Waiting:
		return Absent, nil
	case l.mark.Incarnation != was.Incarnation:
		return Incarnation, nil
	case l.mark.Next < was.Next:
		return Behind, nil
	}
	return Further, nil
}

// arrived takes over the mark that our own call has left.
func (l *Lane) arrived(target string) (err error) {
	l.sent, l.wire = "", target
	l.mark, err = lane.ParseMark(target)
	return err
}
