package view

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// ErrRow is the class of errors about tiles, each sound, that cannot stand in one row: merged they would count twice.
var ErrRow = errors.New("damaged row")

// Merger reads one row at a time: Reset, AddTile for each of its fields, Finish, then the answers. No merged object is
// built: encoded states are added into the operators' accumulators, which one Merger uses for row after row. Not safe
// for concurrent use; keep one for each goroutine.
type Merger struct {
	plan  *Plan
	fold  *Fold     // of one slot, 0
	all   []reading // by state
	rows  []reading // what Want puts in their place; nil before the first time
	parts []Part

	oldestFirst []bool // by state of the fold
	order       []int  // scratch of Finish: indices of the parts that are merged, the newest first
}

// Part is one tile of a row. Its bytes are those given to AddTile.
type Part struct {
	Header tile.Header
	// Encoded is the tile's body, Body what it says; to see what the tile alone answers, Merge Encoded into a slot of an
	// empty Fold.
	Encoded []byte
	Body    tile.Body
	// Leftover says that the row's base or deltas reach into the tile's block or past it: they hold its events, and it
	// was not merged.
	Leftover bool
}

// NewMerger returns a merger that reads every feature.
func (p *Plan) NewMerger() *Merger {
	f := p.NewFold()
	f.Slot(nil)
	m := &Merger{plan: p, fold: f, oldestFirst: make([]bool, len(f.states))}
	for i, states := range f.states {
		m.all = append(m.all, readingOf(states))
		m.oldestFirst[i] = m.all[i].oldestFirst
	}
	return m
}

// reading is states that are told that they will be read alone, see operator.Reading.
type reading struct {
	states      operator.States
	oldestFirst bool
}

func readingOf(states operator.States) reading {
	r, ok := states.(operator.Reading)
	return reading{states, ok && r.Alone()}
}

// Want limits what is merged, from the next Reset on, to what the answers of these features need; nil means all there is.
// The others cannot be asked for, nor can AppendBody. A row that is not to be written again is read faster.
func (m *Merger) Want(features []int) {
	if features == nil {
		for i, r := range m.all {
			m.fold.states[i], m.oldestFirst[i] = r.states, r.oldestFirst
		}
		return
	}
	if m.rows == nil {
		m.makeRows()
	}
	for i, needed := range m.plan.needs(features) {
		m.fold.states[i] = nil
		if needed {
			m.fold.states[i], m.oldestFirst[i] = m.rows[i].states, m.rows[i].oldestFirst
		}
	}
}

// makeRows makes states that rows are read with; where an operator has no better ones these are the fold's.
func (m *Merger) makeRows() {
	m.rows = slices.Clone(m.all)
	for i := range m.plan.states {
		if r, ok := m.plan.states[i].op.(operator.RowReader); ok {
			m.rows[i] = readingOf(r.NewRow())
		}
	}
}

// Reset begins a row.
func (m *Merger) Reset() {
	f := m.fold
	f.parts, f.cells = f.parts[:0], f.cells[:0]
	f.entities[0] = entity{part: -1, more: -1}
	f.newest[0], f.held[0] = 0, 0
	for _, states := range f.states {
		if states != nil {
			states.Reset()
			states.Grow(1)
		}
	}
	m.parts = m.parts[:0]
}

// AddTile adds the value of one field of the row, in any order. The bytes must stay as they are until the next Reset.
// Errors are of class tile.ErrDamaged or tile.ErrCodec.
func (m *Merger) AddTile(enc []byte) (tile.Header, error) {
	h, body, err := tile.ParseHeader(enc)
	if err != nil {
		return h, fmt.Errorf("reading a tile: %w", err)
	}
	if len(m.parts) < cap(m.parts) {
		m.parts = m.parts[:len(m.parts)+1] // an earlier row's, whose slices are used again
	} else {
		m.parts = append(m.parts, Part{})
	}
	part := &m.parts[len(m.parts)-1]
	part.Header, part.Encoded, part.Leftover = h, body, false
	if err := m.plan.parseBody(&part.Body, body); err != nil {
		return h, fmt.Errorf("reading tile %s: %w", h.Name(), err)
	}
	if h.Kind == tile.KindBlock && !m.plan.inBlock(h, &part.Body) {
		return h, fmt.Errorf("reading tile %s: %w: its last event lies elsewhere", h.Name(), tile.ErrDamaged)
	}
	return h, nil
}

// inBlock tells whether a block tile is of one partition and its last event lies in its block.
func (p *Plan) inBlock(h tile.Header, b *tile.Body) bool {
	return len(b.Pos) == 1 && b.Pos[0].Source == h.Source && b.Pos[0].Partition == h.Partition &&
		position.Block(b.Pos[0].Last, p.spec.Sources[h.Source].Block) == h.Block
}

// Finish merges the tiles: the base, the deltas, and each block tile unless the base's or the deltas' last event in its
// partition lies in its block or a later one. Errors are of class ErrRow or operator.ErrState and name the tile.
func (m *Merger) Finish() error {
	if err := m.checkRuns(); err != nil {
		return err
	}
	var newest int64
	m.order = m.order[:0]
	for i := range m.parts {
		part := &m.parts[i]
		part.Leftover = part.Header.Kind == tile.KindBlock && m.covered(part.Header)
		if !part.Leftover {
			newest = max(newest, part.Body.Newest)
			m.order = append(m.order, i)
		}
	}
	slices.SortFunc(m.order, func(a, b int) int { return cmp.Compare(m.parts[b].Body.Newest, m.parts[a].Body.Newest) })
	// With the row's newest event time known before the first merge, nothing is taken in that would be trimmed later.
	for _, i := range m.order {
		m.fold.mergeEvents(0, &m.parts[i].Body, newest)
	}
	for state, oldestFirst := range m.oldestFirst {
		if m.fold.states[state] == nil {
			continue
		}
		if err := m.mergeState(state, oldestFirst, newest); err != nil {
			return err
		}
	}
	return nil
}

// mergeState merges one state of all parts that count.
func (m *Merger) mergeState(state int, oldestFirst bool, newest int64) error {
	for k := range m.order {
		if oldestFirst {
			k = len(m.order) - 1 - k
		}
		part := &m.parts[m.order[k]]
		if err := m.fold.mergeState(0, state, &part.Body, newest); err != nil {
			return fmt.Errorf("tile %s: %w", part.Header.Name(), err)
		}
	}
	return nil
}

// checkRuns refuses a second base, a delta that the base covers, and any tile that is there twice: batch replaces all of
// these in one call, so that a row which has them was not written by it.
func (m *Merger) checkRuns() error {
	base := int64(-1)
	for i := range m.parts {
		h := m.parts[i].Header
		for j := range i {
			if m.parts[j].Header == h {
				return fmt.Errorf("%w: tile %s twice", ErrRow, h.Name())
			}
		}
		if h.Kind != tile.KindBase {
			continue
		}
		if base >= 0 {
			return fmt.Errorf("%w: bases of runs %d and %d", ErrRow, base, h.Run)
		}
		base = h.Run
	}
	for i := range m.parts {
		if h := m.parts[i].Header; h.Kind == tile.KindDelta && h.Run <= base {
			return fmt.Errorf("%w: delta of run %d beside the base of run %d", ErrRow, h.Run, base)
		}
	}
	return nil
}

// covered tells whether the base or a delta of the row reaches into a block tile's block or past it.
func (m *Merger) covered(h tile.Header) bool {
	for i := range m.parts {
		part := &m.parts[i]
		if part.Header.Kind != tile.KindBlock && part.Body.Last(h.Source, h.Partition) >= h.Block {
			return true
		}
	}
	return false
}

// Found tells whether the row has any tile.
func (m *Merger) Found() bool { return len(m.parts) > 0 }

// Newest returns the row's newest event time, ms; 0 if nothing was found.
func (m *Merger) Newest() int64 { return m.fold.newest[0] }

// Events returns the number of events merged.
func (m *Merger) Events() int64 { return m.fold.entities[0].events }

// Last returns the offset of the entity's last event in a partition of the source with this rank, or -1.
func (m *Merger) Last(source int, partition int32) int64 { return m.fold.Last(0, source, partition) }

// AppendBody appends the canonical body of the merged row to dst. Something must have been found.
func (m *Merger) AppendBody(dst []byte) []byte {
	invariant.Check(!slices.Contains(m.fold.states, nil), "writing a body of a part of the states")
	return m.fold.AppendBody(dst, 0)
}

// Value returns what a feature answers as of a time, ms, which must not be before Newest; of a row without tiles too.
func (m *Merger) Value(feature int, asOf int64) operator.Value { return m.fold.Value(0, feature, asOf) }

// Parts returns the row's tiles: base, deltas by run, block tiles by partition and block. It is valid until the next
// Reset.
func (m *Merger) Parts() []Part {
	slices.SortFunc(m.parts, func(a, b Part) int { return compareHeaders(a.Header, b.Header) })
	return m.parts
}

func compareHeaders(a, b tile.Header) int {
	// The letters of the kinds are in this order: b, d, e.
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Run, b.Run),
		cmp.Compare(a.Source, b.Source), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Block, b.Block))
}
