package simulation

import (
	"bytes"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/lane"
)

// row is a row of a lane. It is never changed: a change makes another.
type row struct {
	inc    lane.Incarnation
	entity int
	fields []lane.Field // in order of names
}

// laneState is what the store holds of a lane. It is never changed: a change makes another.
type laneState struct {
	marks lane.Marks
	rows  []row
}

var emptyLane = &laneState{}

// undo takes back one change.
type undo struct {
	lane     int // whose state was before, or -1
	before   *laneState
	manifest *viewManifest // that was before, of lane -1
}

// maxHistory bounds the changes that the store can lose.
const maxHistory = 24

// store is the model store: lanes, the manifest, and enough of the past to lose some of it.
type store struct {
	lanes    []*laneState  // by generation and number
	manifest *viewManifest // nil: none
	history  []undo

	dump         []*laneState // what was dumped once, nil if nothing was
	dumpManifest *viewManifest

	incarnationOf func(lane.Incarnation) lane.Incarnation // under which rows are kept
}

func newStore(lanes int) *store {
	return &store{lanes: slices.Repeat([]*laneState{emptyLane}, lanes)}
}

// apply is the contract: lane.Decide says what a call means for the marks, and the rows are changed with them.
func (s *store) apply(at int, c *lane.Call) lane.Outcome {
	before := s.lanes[at]
	after, applied, err := lane.Decide(before.marks, c)
	if err != nil {
		return lane.Outcome{Err: err}
	}
	if !applied {
		marks := before.marks
		if marks == nil {
			marks = lane.Marks{}
		}
		return lane.Outcome{Result: lane.Result{Marks: marks}}
	}
	l := &laneState{marks: after, rows: before.rows}
	if len(c.Rows) > 0 {
		l.rows = slices.Clone(before.rows)
		for i := range c.Rows {
			l.change(s.incarnationOf(c.RowsOf), &c.Rows[i])
		}
	}
	s.remember(undo{lane: at, before: before})
	s.lanes[at] = l
	return lane.Outcome{Result: lane.Result{Applied: true}}
}

func (s *store) remember(u undo) {
	if len(s.history) == maxHistory {
		s.history = slices.Delete(s.history, 0, 1)
	}
	s.history = append(s.history, u)
}

func (l *laneState) change(inc lane.Incarnation, c *lane.RowChange) {
	entity := entityOf(c.Key)
	at := slices.IndexFunc(l.rows, func(r row) bool { return r.inc == inc && r.entity == entity })
	if at < 0 {
		at = len(l.rows)
		l.rows = append(l.rows, row{inc: inc, entity: entity})
	}
	fields := make([]lane.Field, 0, len(l.rows[at].fields)+len(c.Set))
	for _, f := range l.rows[at].fields {
		if !slices.Contains(c.Del, f.Name) && !slices.ContainsFunc(c.Set, func(g lane.Field) bool { return g.Name == f.Name }) {
			fields = append(fields, f)
		}
	}
	for _, f := range c.Set {
		fields = append(fields, lane.Field{Name: f.Name, Value: bytes.Clone(f.Value)})
	}
	if len(fields) == 0 {
		l.rows = slices.Delete(l.rows, at, at+1)
		return
	}
	slices.SortFunc(fields, func(a, b lane.Field) int { return strings.Compare(a.Name, b.Name) })
	l.rows[at].fields = fields
}

// row returns the fields of a row, nil if there is none.
func (l *laneState) row(inc lane.Incarnation, entity int) []lane.Field {
	for i := range l.rows {
		if r := &l.rows[i]; r.entity == entity && r.inc == inc {
			return r.fields
		}
	}
	return nil
}

func entityOf(key []byte) int {
	return slices.IndexFunc(keys[:], func(k []byte) bool { return bytes.Equal(k, key) })
}

// putManifest sets the manifest unless the one there is as new; force does so all the same.
func (s *store) putManifest(m *viewManifest, force bool) bool {
	if !force && s.manifest != nil && s.manifest.seq >= m.seq {
		return false
	}
	s.remember(undo{lane: -1, manifest: s.manifest})
	s.manifest = m
	return true
}

// The losses. Each returns the lanes that went back.

// loseSuffix takes back the last n changes, of all lanes or of one only.
func (s *store) loseSuffix(n, only int) (lost []int) {
	for i := len(s.history) - 1; i >= 0 && n > 0; i-- {
		u := s.history[i]
		if only >= 0 && u.lane != only {
			continue
		}
		n--
		s.history = slices.Delete(s.history, i, i+1)
		if u.lane < 0 {
			s.manifest = u.manifest
			continue
		}
		s.lanes[u.lane] = u.before
		lost = append(lost, u.lane)
	}
	return lost
}

func (s *store) all() (lost []int) {
	for i := range s.lanes {
		lost = append(lost, i)
	}
	return lost
}

// empty forgets everything.
func (s *store) empty() []int {
	for i := range s.lanes {
		s.lanes[i] = emptyLane
	}
	s.manifest, s.history = nil, nil
	return s.all()
}

// keep dumps everything; restore goes back to that.
func (s *store) keep() { s.dump, s.dumpManifest = slices.Clone(s.lanes), s.manifest }

func (s *store) restore() []int {
	if s.dump == nil {
		return nil
	}
	copy(s.lanes, s.dump)
	s.manifest, s.history = s.dumpManifest, nil
	return s.all()
}

// set changes a lane by hand.
func (s *store) set(at int, l *laneState) []int {
	s.remember(undo{lane: at, before: s.lanes[at]})
	s.lanes[at] = l
	return []int{at}
}
