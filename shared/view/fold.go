package view

import (
	"slices"
	"unsafe"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator"
	"github.com/tidemark-io/tidemark/shared/schema"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// Fold holds the states of many entities over one stretch of the log, by slot: 0 to Len()-1 in the order in which the
// entities were first seen. Columns and arenas, not an object per entity. Not safe for concurrent use; folds of one plan
// are independent.
type Fold struct {
	plan     *Plan
	era      int64 // another one for each fold of the plan, and after each Reset: what a slot means holds as long
	table    table
	entities []entity
	newest   []int64  // by slot, ms
	held     []uint64 // by slot: which states may hold anything, see held.go
	arena    []byte   // the keys, in order of slots
	parts    []part
	cells    []cell
	states   []operator.States // by state; nil for one that is not the fold's
	readers  []*reader
	query    operator.Query

	deferring     bool // see deferred.go
	deferred      []deferred
	deferredRows  int
	deferredBytes int64
	nearby        bool // the states are few enough for the processor's caches

	stamp   uint32
	touched []int32
	ahead   []int32 // scratch of Touch
	keyed   keyed
	all     []int32 // 0, 1, 2, …: as many as were ever needed
	chosen  chosen
	// touchedSum keeps reads that are made only to be made from being taken for superfluous.
	touchedSum uint64
	pos        []tile.Pos // of the body being written
	body       tile.Body  // the body being merged
}

// part is one partition that the fold has seen.
type part struct {
	source int32
	id     int32
}

// cell is an entity's last event in one partition beyond the first.
type cell struct {
	last int64
	part int32
	more int32 // index of the next, -1 for none
}

// NewFold returns an empty fold.
func (p *Plan) NewFold() *Fold {
	f := &Fold{plan: p, era: p.eras.Add(1), states: make([]operator.States, len(p.states))}
	for i := range p.states {
		f.states[i] = p.states[i].op.NewStates()
	}
	f.rehash(minTable)
	return f
}

// Len returns the number of slots.
func (f *Fold) Len() int { return len(f.entities) }

// Key returns a slot's canonical key. It is valid until Reset and must not be changed.
func (f *Fold) Key(slot int) []byte {
	from, to := f.entities[slot].key, uint64(len(f.arena))
	if slot+1 < len(f.entities) {
		to = f.entities[slot+1].key
	}
	return f.arena[from:to:to]
}

// Hash returns the hash of a slot's key.
func (f *Fold) Hash(slot int) uint64 { return f.entities[slot].hash }

// Newest returns the newest event time of a slot, ms; 0 without events.
func (f *Fold) Newest(slot int) int64 { return f.newest[slot] }

// Events returns the number of accepted events of a slot.
func (f *Fold) Events(slot int) int64 { return f.entities[slot].events }

// Last returns the offset of a slot's last event in a partition of the source with this rank, or -1.
func (f *Fold) Last(slot, source int, partition int32) int64 {
	want := slices.Index(f.parts, part{int32(source), partition})
	if want < 0 {
		return -1
	}
	e := &f.entities[slot]
	if e.part == int32(want) {
		return e.last
	}
	for at := e.more; at >= 0; at = f.cells[at].more {
		if f.cells[at].part == int32(want) {
			return f.cells[at].last
		}
	}
	return -1
}

// Touched returns the slots that the last Add folded rows into, each once. It is valid until the next Add.
func (f *Fold) Touched() []int32 { return f.touched }

// Slot returns the slot of a canonical key, a new one without events if the fold has not seen it. Merge a body into it
// before writing its own.
func (f *Fold) Slot(key []byte) int {
	f.Settle()
	slot := int(f.findOrAdd(Hash(key), key))
	f.grow()
	return slot
}

// Lookup returns the slot of a canonical key, if the fold has seen it.
func (f *Fold) Lookup(key []byte) (slot int, ok bool) {
	at, _ := f.lookup(Hash(key), key)
	return int(at), at >= 0
}

// Errors returns how many values were null so far because their expression overflowed or divided by zero. A row counts
// once for each distinct expression, and again if the batch it is in was added in several ranges.
func (f *Fold) Errors() int64 {
	var n int64
	for _, r := range f.readers {
		n += r.errors()
	}
	return n
}

// LongKeys returns how many values so far were too long for a key, more than MaxKeyValueBytes, and counted as null in one. A
// row counts once for each kind of key that it has none of because of that, and again if it was added again.
func (f *Fold) LongKeys() int64 {
	var n int64
	for _, r := range f.readers {
		n += r.longKeys
	}
	return n
}

// Reset forgets all entities and keeps the memory.
func (f *Fold) Reset() {
	clear(f.table.entries)
	f.entities, f.newest, f.held, f.arena = f.entities[:0], f.newest[:0], f.held[:0], f.arena[:0]
	f.parts, f.cells, f.touched = f.parts[:0], f.cells[:0], f.touched[:0]
	f.stamp, f.era = 0, f.plan.eras.Add(1)
	f.forgetDeferred()
	for _, states := range f.states {
		if states != nil {
			states.Reset()
		}
	}
}

// Bytes returns about how much memory the fold holds, in bytes.
func (f *Fold) Bytes() int64 {
	n := int64(cap(f.table.entries))*8 + int64(cap(f.newest))*8 + int64(cap(f.held))*8 + int64(cap(f.arena)) +
		int64(cap(f.entities))*int64(unsafe.Sizeof(entity{})) + int64(cap(f.cells))*int64(unsafe.Sizeof(cell{}))
	for _, states := range f.states {
		if sized, ok := states.(interface{ Bytes() int64 }); ok {
			n += sized.Bytes()
		}
	}
	return n + f.deferredBytes
}

// Add folds the accepted rows [from,to) of a batch that belong to an entity, and returns how many these are. The batch's
// source must be one that Plan.Reads accepts; rows of one partition may come in any order of batches, each at most once.
// In steady state (no new entity, no new partition) it does not allocate.
func (f *Fold) Add(b *column.Batch, from, to int) (rows int) {
	// The arguments of invariant.Check would be boxed for every batch: the branch stands here.
	if from < 0 || from > to || to > b.N {
		invariant.Fail("adding rows [%d,%d) of %d", from, to, b.N)
	}
	f.Settle()
	r := f.reader(b.Source)
	f.keyed.forget()
	r.keyRows(&f.keyed, b, from, to)
	f.find(&f.keyed, f.numbers(len(f.keyed.hash)))
	f.chosen.choose(&f.keyed)
	f.account(&f.chosen, r.binding.rank, b)
	if rows = len(f.chosen.row); rows > 0 {
		f.grow()
		f.foldStates(r, b, to)
	}
	return rows
}

// numbers returns the numbers from 0 to n-1.
func (f *Fold) numbers(n int) []int32 {
	for len(f.all) < n {
		f.all = append(f.all, int32(len(f.all)))
	}
	return f.all[:n]
}

// grow makes room for new slots in every state.
func (f *Fold) grow() {
	for _, states := range f.states {
		if states != nil {
			states.Grow(len(f.entities))
		}
	}
}

// reader returns the reader of a source's declaration, making it when one is first seen.
func (f *Fold) reader(src *schema.Source) *reader {
	for _, r := range f.readers {
		if r.src == src {
			return r
		}
	}
	b, err := f.plan.bind(src)
	if err != nil {
		invariant.Fail("folding a source that the view does not read so: %v", err)
	}
	r := newReader(f.plan, b, src)
	f.readers = append(f.readers, r)
	return r
}
