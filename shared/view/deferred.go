package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/invariant"
)

// A fold that defers puts by the rows of the second class (see class), few as they are, in place of folding them into
// states that lie all over memory. When its entities are written, the rows of some hundreds of these are folded into
// states which are made for them, written and forgotten, all in the processor's caches: a state is never fetched from
// memory, nor moved as it grows. What is written is the same, for a state is a function of its rows in any order.

// deferred are rows that a fold has put by.
type deferred struct {
	*chunk
	slots []int32
}

// deferrable returns which states are of the second class, by state; none if one is so in some sources and not in others.
func (p *Plan) deferrable() []bool {
	deferred := make([]bool, len(p.states))
	for _, b := range p.bindings {
		for _, i := range b.classes[1].states {
			deferred[b.states[i].state] = true
		}
	}
	for _, b := range p.bindings {
		if !b.defers(deferred) {
			return nil
		}
	}
	return deferred
}

// defers tells whether these states are the second class of the binding, as far as they read its source.
func (b *binding) defers(deferred []bool) bool {
	for i, class := range b.classes {
		for _, at := range class.states {
			if deferred[b.states[at].state] != (i == 1) {
				return false
			}
		}
	}
	return true
}

// Defer makes an empty fold put rows by until Settle; not of a view of several sources, of which one has a state in the
// second class and another one has it in the first. Any method but AddTo of a splitter, and Bodies, settles first if it must.
func (f *Fold) Defer() {
	invariant.Check(len(f.entities) == 0, "deferring in a fold that has %d entities", len(f.entities))
	if f.deferring || !slices.Contains(f.plan.deferred, true) {
		return
	}
	f.deferring = true
	for i, deferred := range f.plan.deferred {
		if deferred {
			f.states[i] = nil
		}
	}
}

// Settle folds what was put by into the states of the fold, and puts nothing by from now on.
func (f *Fold) Settle() {
	if !f.deferring {
		return
	}
	f.deferring = false
	for i, deferred := range f.plan.deferred {
		if deferred {
			f.states[i] = f.plan.states[i].op.NewStates()
		}
	}
	f.grow()
	var picks []pick
	var g *gatherer
	for i := range f.deferred {
		d := f.deferred[i]
		f.deferred[i] = deferred{} // its memory is free when it is folded
		picks = picks[:0]
		for row := range d.slots {
			picks = append(picks, pick{0, int32(row)})
		}
		if g == nil || g.reader.src != d.src {
			g = newGatherer(f.plan, d.chunk)
		}
		f.foldPicked(g, []*chunk{d.chunk}, picks, d.slots)
	}
	f.forgetDeferred()
}

// putBy keeps rows, which belong to these slots.
func (f *Fold) putBy(k *chunk, slots []int32) {
	f.deferred = append(f.deferred, deferred{k, slices.Clone(slots)})
	f.deferredRows += len(slots)
	f.deferredBytes += k.bytes + 4*int64(len(slots))
	if f.deferredRows > maxDeferred {
		f.Settle()
	}
}

// maxDeferred bounds the rows that a fold puts by: Bodies numbers them in 32 bits.
const maxDeferred = 1 << 30

// Deferred returns about how many bytes of memory the rows take that are put by.
func (f *Fold) Deferred() int64 { return f.deferredBytes }

func (f *Fold) forgetDeferred() { f.deferred, f.deferredRows, f.deferredBytes = nil, 0, 0 }
