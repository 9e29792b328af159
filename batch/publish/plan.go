package publish

import (
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
)

// ErrNewer is the class of errors about a lane that has taken in more than the journal knows: another, newer journal has
// filled it. Nothing is written to it.
var ErrNewer = errors.New("store is ahead of the journal")

// Generation is what of a generation's journal decides what its lanes need. It is not changed while it is in use.
type Generation struct {
	Namespace string
	Lanes     int
	Origin    position.Cut
	Runs      []Run // the checked runs in order; Runs[i] is run i+1
	// BasesFrom is the newest run s such that every hash range has its base in the runs from s to the last one.
	BasesFrom int64
	// Lowest is the first run whose files are kept, at most BasesFrom.
	Lowest int64
}

// Run is a checked run.
type Run struct {
	Cut  position.Cut
	Rows []int64 // in the file of each lane
}

// Last returns the number of the last checked run, 0 for none.
func (g *Generation) Last() int64 { return int64(len(g.Runs)) }

// LaneID returns the id of lane n.
func (g *Generation) LaneID(n int) lane.ID { return lane.ID{Namespace: g.Namespace, N: n} }

// Action is what a lane needs next.
type Action uint8

// The actions.
const (
	Nothing Action = iota // the lane has all runs, or was dropped
	Begin                 // it is empty, or its next file is gone: begin a new filling
	Bring                 // the next rows of a run
)

// Step is what a lane needs next, made from its marks.
type Step struct {
	Action Action
	// Of Bring: the batch mark as it stands, the number of rows in the file, and the cut of its run.
	Mark lane.BatchMark
	Rows int64
	Cut  position.Cut
}

// Filling tells, of Bring, that the lane was begun at the cut of the run to be brought, or a later one.
func (s *Step) Filling() bool { return s.Mark.Run <= s.Mark.WholeFrom }

// Next tells what lane n needs next. Errors are of class ErrNewer or lane.ErrMark, name the lane and say the cure.
func Next(g *Generation, n int, marks lane.Marks) (Step, error) {
	if marks[lane.BatchName] == lane.Dropped {
		return Step{}, nil
	}
	invariant.Check(g.Lowest <= g.BasesFrom, "files are kept from run %d on, bases begin in run %d", g.Lowest, g.BasesFrom)
	mark, begun, err := marks.Batch()
	if err != nil {
		return Step{}, fmt.Errorf("planning lane %s: %w: delete all marks of the lane, and it fills itself", g.LaneID(n), err)
	}
	last := g.Last()
	switch {
	case !begun || mark.Run < g.Lowest:
		return Step{Action: Begin}, nil
	case mark.Run > last+1 || (mark.Run == last+1 && mark.Rows > 0) || mark.WholeFrom > last:
		return Step{}, fmt.Errorf("planning lane %s: %w: its mark is %q and the last checked run is %d: use the state folder that it was filled from, "+
			"or delete all marks of the lane, and it is filled from this one", g.LaneID(n), ErrNewer, marks[lane.BatchName], last)
	case mark.Run == last+1:
		return Step{}, nil
	}
	r := &g.Runs[mark.Run-1]
	if mark.Rows > r.Rows[n] || (mark.Rows > 0 && mark.Rows == r.Rows[n]) {
		return Step{}, fmt.Errorf("planning lane %s: %w: %q, and the file has %d rows: delete all marks of the lane, and it fills itself",
			g.LaneID(n), lane.ErrMark, marks[lane.BatchName], r.Rows[n])
	}
	return Step{Action: Bring, Mark: mark, Rows: r.Rows[n], Cut: r.Cut}, nil
}

// BeginCall returns the call that begins a lane, expecting the batch mark seen or its absence. inc is fresh and random,
// for this call alone: the call is sent at most once.
func BeginCall(g *Generation, n int, seen lane.Marks, inc lane.Incarnation) lane.Call {
	mark, cut := lane.BatchMark{Incarnation: inc, Run: 1}, g.Origin
	last := g.Last()
	if last > 0 {
		mark.Run, mark.WholeFrom, cut = g.BasesFrom, last, g.Runs[last-1].Cut
	}
	replace := make(map[string]string, len(cut))
	for p, next := range cut {
		m := lane.Mark{Incarnation: inc, Low: next, Next: next}
		if last == 0 {
			m.Low = lane.Joined // there is nothing below the origin that a run could bring
		}
		replace[p.String()] = m.Wire()
	}
	return lane.Call{
		Lane: g.LaneID(n), Name: lane.BatchName, Expect: seen[lane.BatchName],
		Set: mark.Wire(), Replace: replace, Once: true,
	}
}

// BringCall returns the call that brings rows, the ones that follow those that the step's mark counts, to lane n. Without
// rows the file has none, and the call moves the mark to the next run.
func BringCall(g *Generation, n int, s *Step, rows []lane.RowChange) lane.Call {
	done := s.Mark.Rows + int64(len(rows))
	invariant.Check(s.Action == Bring && done <= s.Rows && (len(rows) > 0 || s.Rows == 0), "bringing rows %d to %d of %d", s.Mark.Rows, done, s.Rows)
	c := lane.Call{
		Lane: g.LaneID(n), Name: lane.BatchName, Expect: s.Mark.Wire(),
		RowsOf: s.Mark.Incarnation, Rows: rows,
	}
	if s.Mark.Rows == 0 {
		// Speed may be behind batch: below the cut it need not write any more.
		for _, p := range s.Cut.Partitions() {
			c.Raise = append(c.Raise, lane.Raise{Name: p.String(), Cut: s.Cut[p]})
		}
	}
	after := s.Mark
	after.Rows = done
	if done == s.Rows {
		after.Run, after.Rows = s.Mark.Run+1, 0
		c.Join = after.Whole()
	}
	c.Set = after.Wire()
	return c
}
