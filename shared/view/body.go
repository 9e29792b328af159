package view

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// AppendBody appends the canonical body (package tile) of a slot's tile to dst. The slot must have an event.
func (f *Fold) AppendBody(dst []byte, slot int) []byte {
	f.Settle()
	return f.appendBody(dst, slot, nil, -1)
}

// appendBody is AppendBody of a slot of which some states are those of slot local in group; none with -1.
func (f *Fold) appendBody(dst []byte, slot int, group *Fold, local int32) []byte {
	e := &f.entities[slot]
	if e.events == 0 {
		invariant.Fail("writing the tile of %q, which has no events", f.Key(slot))
	}
	dst = binary.AppendUvarint(dst, uint64(f.newest[slot]))
	dst = binary.AppendUvarint(dst, uint64(e.events))
	dst = f.appendPositions(dst, e)
	dst = binary.AppendUvarint(dst, uint64(len(f.states)))
	return f.appendStates(dst, int32(slot), group, local)
}

// appendPositions appends the entity's partitions in order of (source, partition).
func (f *Fold) appendPositions(dst []byte, e *entity) []byte {
	f.pos = append(f.pos[:0], f.position(e.part, e.last))
	for at := e.more; at >= 0; at = f.cells[at].more {
		f.pos = append(f.pos, f.position(f.cells[at].part, f.cells[at].last))
	}
	if len(f.pos) > 1 {
		slices.SortFunc(f.pos, comparePos)
	}
	dst = binary.AppendUvarint(dst, uint64(len(f.pos)))
	for i := range f.pos {
		dst = binary.AppendUvarint(dst, uint64(f.pos[i].Source))
		dst = binary.AppendUvarint(dst, uint64(f.pos[i].Partition))
		dst = binary.AppendUvarint(dst, uint64(f.pos[i].Last))
	}
	return dst
}

func (f *Fold) position(id int32, last int64) tile.Pos {
	return tile.Pos{Source: int(f.parts[id].source), Partition: f.parts[id].id, Last: last}
}

func comparePos(a, b tile.Pos) int {
	if a.Source != b.Source {
		return a.Source - b.Source
	}
	return int(a.Partition) - int(b.Partition)
}

// appendState appends a state and, before it, its length. Most states are shorter than 128 bytes, for which the length
// is one byte: room for it is left, and a longer state is moved.
func appendState(dst []byte, states operator.States, slot int32, newest int64) []byte {
	at := len(dst)
	dst = states.AppendState(append(dst, 0), slot, newest)
	n := len(dst) - at - 1
	if n < 0x80 {
		dst[at] = byte(n)
		return dst
	}
	var room [binary.MaxVarintLen64]byte
	length := binary.AppendUvarint(room[:0], uint64(n))
	dst = append(dst, length[1:]...) // as many bytes longer; what they hold is overwritten
	copy(dst[at+len(length):], dst[at+1:at+1+n])
	copy(dst[at:], length)
	return dst
}

// Merge adds a body to a slot. What the two are of must not overlap. Errors are of class tile.ErrDamaged or
// operator.ErrState and name the features whose state is damaged; after one of a state the slot is undefined.
func (f *Fold) Merge(slot int, body []byte) error {
	f.Settle()
	if err := f.plan.parseBody(&f.body, body); err != nil {
		return err
	}
	return f.merge(slot, &f.body, max(f.newest[slot], f.body.Newest))
}

// parseBody parses a body and checks that it can be one of the plan's.
func (p *Plan) parseBody(b *tile.Body, enc []byte) error {
	if err := b.ParseBody(enc); err != nil {
		return err
	}
	if len(b.States) != len(p.states) {
		return fmt.Errorf("%w: %d states, the view has %d", tile.ErrDamaged, len(b.States), len(p.states))
	}
	// The positions are in order of sources.
	if last := b.Pos[len(b.Pos)-1]; last.Source >= len(p.spec.Sources) {
		return fmt.Errorf("%w: source %d, the view has %d", tile.ErrDamaged, last.Source, len(p.spec.Sources))
	}
	return nil
}

// merge adds a parsed body to a slot whose newest event time becomes newest.
func (f *Fold) merge(slot int, b *tile.Body, newest int64) error {
	f.mergeEvents(slot, b, newest)
	for i := range b.States {
		if err := f.mergeState(slot, i, b, newest); err != nil {
			return err
		}
	}
	return nil
}

// mergeEvents adds what a parsed body says but its states.
func (f *Fold) mergeEvents(slot int, b *tile.Body, newest int64) {
	f.newest[slot] = newest
	e := &f.entities[slot]
	e.events += b.Events
	for _, p := range b.Pos {
		id := f.partID(p.Source, p.Partition)
		if e.part == id {
			e.last = max(e.last, p.Last)
		} else {
			f.raise(e, id, p.Last)
		}
	}
}

// mergeState adds one state of a parsed body.
func (f *Fold) mergeState(slot, i int, b *tile.Body, newest int64) error {
	enc := b.States[i]
	if len(enc) == 0 || f.states[i] == nil {
		return nil
	}
	f.held[slot] |= heldBit(i)
	if err := f.states[i].Merge(int32(slot), enc, newest); err != nil {
		return fmt.Errorf("merging the state of %s: %w", f.plan.readersOf(i), err)
	}
	return nil
}

// readersOf names the features of a state, for messages.
func (p *Plan) readersOf(state int) string {
	var names []string
	for _, i := range p.states[state].Features {
		names = append(names, p.features[i].Spec.Name)
	}
	return strings.Join(names, ", ")
}

// Value returns what a feature answers for a slot as of a time, ms, which must not be before Newest(slot). A null stays
// null: Plan.FeatureValue applies the default.
func (f *Fold) Value(slot, feature int, asOf int64) operator.Value {
	f.Settle()
	ft := &f.plan.features[feature]
	if ft.State < 0 {
		return ft.Spec.Ratio.ratio(f.Value(slot, ft.Num, asOf), f.Value(slot, ft.Den, asOf))
	}
	return f.states[ft.State].Result(int32(slot), f.ask(slot, ft, asOf))
}
