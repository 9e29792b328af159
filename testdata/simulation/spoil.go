package simulation

import (
	"maps"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// What a rule that is off makes of the calls that the real code has made, and of the answers it is given.

// spoilFlush returns the calls that are sent for a call of the speed layer.
func (w *World) spoilFlush(c *lane.Call, p *partition) []lane.Call {
	d := *c
	switch {
	case w.without(CompareMark):
		d.AnyMark, d.Incarnation = true, ""
	case w.without(PositionFolded) && !w.resting:
		// Half of the way.
		was := p.origin
		if m, err := lane.ParseMark(c.Expect); err == nil {
			was = m.Next
		}
		w.changeMark(&d, func(m *lane.Mark) { m.Next = was + (m.Next-was)/2 })
	case w.without(TakeOverLow):
		w.changeMark(&d, func(m *lane.Mark) { m.Low = lane.Joined })
	case w.without(AbsentNeedsLane), w.without(WaitForBatch):
		d.Incarnation = ""
	case w.without(BelowMark):
		d.Rows = w.openTiles(c, p)
	case w.without(OneCall):
		if len(d.Rows) > 1 {
			first := d
			first.Set, first.Rows, d.Rows = "", d.Rows[:1], d.Rows[1:]
			return []lane.Call{first, d}
		}
	default:
	}
	return []lane.Call{d}
}

func (w *World) changeMark(c *lane.Call, change func(*lane.Mark)) {
	if m, err := lane.ParseMark(c.Set); err == nil {
		change(&m)
		c.Set = m.Wire()
	}
}

// openTiles are all tiles of the lane in the last two blocks below the call's position, whatever the mark says.
func (w *World) openTiles(c *lane.Call, p *partition) (rows []lane.RowChange) {
	m, err := lane.ParseMark(c.Set)
	if err != nil {
		return c.Rows
	}
	last := position.Block(max(m.Next-1, 0), p.block)
	for e := range w.cfg.Entities {
		if w.laneOf(e) != c.Lane.N {
			continue
		}
		change := lane.RowChange{Key: keys[e]}
		for _, label := range []int64{last - p.block, last} {
			h := tile.Header{Kind: tile.KindBlock, Source: p.source, Partition: p.name.ID, Block: label}
			from, to := position.Cut{p.name: max(label, 0)}, position.Cut{p.name: min(label+p.block, m.Next)}
			if body := w.tile(h, e, from, to); body != nil {
				change.Set = append(change.Set, lane.Field{Name: h.Name(), Value: body})
			}
		}
		if len(change.Set) > 0 {
			rows = append(rows, change)
		}
	}
	return rows
}

// spoilOutcome returns what a worker is told of a call's outcome.
func (w *World) spoilOutcome(s *slot, c *lane.Call, o lane.Outcome) lane.Outcome {
	switch {
	case w.without(UnknownReads) && o.Err != nil, w.without(RefusalTakesOver) && o.Err == nil && !o.Applied:
		s.trusted[c.Lane.N] = c.Set
		return lane.Outcome{Result: lane.Result{Applied: true}}
	case w.without(BehindRewrites) && o.Err == nil && !o.Applied:
		o.Marks = w.notBehind(s, c.Lane.N, c.Name, o.Marks)
	}
	s.trusted[c.Lane.N] = ""
	return o
}

// notBehind makes a mark that is behind look as if it were where the worker thinks it is.
func (w *World) notBehind(s *slot, n int, name string, marks lane.Marks) lane.Marks {
	thought, known := s.fold.Lanes()[n].Holds()
	now, err := lane.ParseMark(marks[name])
	if err != nil || !known || now.Next >= thought {
		return marks
	}
	now.Next = thought
	marks = maps.Clone(marks)
	marks[name] = now.Wire()
	return marks
}

// spoilMarks returns the marks that a worker is told of a lane.
func (w *World) spoilMarks(s *slot, n int, p *partition, marks lane.Marks) lane.Marks {
	switch name := p.name.String(); {
	case w.without(WaitForBatch) && marks[lane.BatchName] == "":
		return lane.Marks{lane.BatchName: lane.BatchMark{Incarnation: "zzzzzzzzzz", Run: 1}.Wire()}
	case w.without(BehindRewrites):
		return w.notBehind(s, n, name, marks)
	case s.trusted[n] != "" && marks[name] != "":
		marks = maps.Clone(marks)
		marks[name] = s.trusted[n]
	}
	return marks
}

// spoilBatch returns the calls that are sent for a call of a publisher.
func (w *World) spoilBatch(at int, c *lane.Call) []lane.Call {
	d := *c
	if c.Once {
		w.spoilBegin(at, &d)
		return []lane.Call{d}
	}
	after, err := lane.ParseBatchMark(c.Set)
	if err != nil {
		return []lane.Call{d}
	}
	switch {
	case w.without(RaiseBelowCut):
		d.Raise = nil
	case w.without(RaiseNotJoined):
		d.Join = d.Join || len(d.Raise) > 0
	case w.without(JoinWhenWhole):
		d.Join = after.Rows == 0
	case w.without(InOrder):
		g := generationOf(c.Lane.Namespace)
		if after.Rows == 0 && after.Run <= w.state.journal.members[g].gen.checked() {
			after.Run++
			d.Set = after.Wire()
		}
	default:
	}
	return []lane.Call{d}
}

func (w *World) spoilBegin(at int, c *lane.Call) {
	marks := map[string]string{}
	change := func(f func(*lane.Mark)) {
		for name, wire := range c.Replace {
			if m, err := lane.ParseMark(wire); err == nil {
				f(&m)
				marks[name] = m.Wire()
			}
		}
		c.Replace = marks
	}
	switch {
	case w.without(BeginExpects):
		c.AnyMark = true
	case w.without(BeginLow):
		change(func(m *lane.Mark) { m.Low = lane.Joined })
	case w.without(OriginJoined):
		change(func(m *lane.Mark) { m.Low = m.Next })
	case w.without(BeginDeletes):
		batch, err := lane.ParseBatchMark(c.Set)
		if err != nil {
			return
		}
		for name, wire := range w.store.lanes[at].marks {
			if m, err := lane.ParseMark(wire); name != lane.BatchName && err == nil {
				m.Incarnation = batch.Incarnation
				marks[name] = m.Wire()
			}
		}
		maps.Copy(marks, c.Replace)
		c.Replace = marks
	default:
	}
}

// incarnation returns a fresh incarnation.
func (w *World) incarnation(g int) lane.Incarnation {
	if !w.without(BeginFresh) {
		w.incarnations++
	}
	b := []byte("aaaaaaaaaa")
	for i, n := len(b)-1, w.incarnations*maxGenerations+g; n > 0; i-- {
		b[i] = byte('a' + n%26)
		n /= 26
	}
	return lane.Incarnation(b)
}

// incarnationOf is that under which rows are kept.
func (w *World) incarnationOf(inc lane.Incarnation) lane.Incarnation {
	if w.without(RowsOfIncarnation) {
		return "one"
	}
	return inc
}

// claimOf is what a reader takes the marks of a lane for.
func (w *World) claimOf(marks lane.Marks) lookup.Claim {
	if batch, ok, err := marks.Batch(); w.without(ClaimWhole) && ok && err == nil && !batch.Whole() {
		batch.WholeFrom = 0
		marks = maps.Clone(marks)
		marks[lane.BatchName] = batch.Wire()
	}
	return lookup.ClaimOf(marks)
}
