package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/operator"
)

// Bodies writes the bodies of folds, one after the other, each with its slots in a given order. It keeps its memory. Not
// safe for concurrent use.
type Bodies struct {
	plan  *Plan
	fold  *Fold
	slots []int32
	next  int // of slots
	ahead int // those before are touched

	// Of a fold that defers: the rows of slots[i] are rows[starts[i]:starts[i+1]], those of one part side by side.
	rows      []deferredRow
	starts    []int32
	counts    []int32 // scratch of arrange, by slot
	parts     []bodiesPart
	gatherers []*gatherer
	used      []int32 // scratch of load: the parts that the group has rows of

	groupRows int32
	mostBytes int     // see gatherer
	group     *Fold   // the states of the entities from first up to end, as far as rows are put by
	local     []int32 // by place, from first on: the slot in group; -1 for one that no rows are put by of
	first     int     // of slots
	end       int
}

// bodiesPart is the rows of one partition that are put by.
type bodiesPart struct {
	*gatherer
	partition int32
	chunks    []*chunk
	picks     []pick  // of a group
	slots     []int32 // of the picks
}

// deferredRow is a row that is put by: the part, and where in its chunks the row is.
type deferredRow struct {
	part int32
	pick
}

// groupRows is how many rows of one partition are folded at a time, if there are as many: with the states that come of
// them they stay in the processor's nearer caches.
const groupRows = 2048

// touchBodies is how many slots' states are touched before they are written: the order of hashes is all over the slots.
const touchBodies = 64

// NewBodies returns what writes bodies of folds of the plan.
func (p *Plan) NewBodies() *Bodies {
	w := &Bodies{plan: p, groupRows: groupRows, mostBytes: maxGathered, group: &Fold{plan: p, states: make([]operator.States, len(p.states)), nearby: true}}
	for i, deferred := range p.deferred {
		if deferred {
			w.group.states[i] = p.states[i].op.NewStates()
		}
	}
	return w
}

// Begin makes the next bodies those of a fold, with all of its slots in this order, each once; all must have an event. Until
// they are written the fold must not be used otherwise.
func (w *Bodies) Begin(f *Fold, slots []int32) {
	invariant.Check(f.plan == w.plan && len(slots) == f.Len(), "writing %d bodies of a fold of %d, or of another plan", len(slots), f.Len())
	w.forget()
	w.fold, w.slots, w.next, w.ahead, w.first, w.end = f, slots, 0, 0, 0, 0
	if f.deferring {
		w.arrange()
	}
}

// arrange puts all rows that are put by in the order in which their entities are written.
func (w *Bodies) arrange() {
	w.counts = slices.Grow(w.counts[:0], len(w.fold.entities))[:len(w.fold.entities)]
	clear(w.counts)
	for i := range w.fold.deferred {
		for _, slot := range w.fold.deferred[i].slots {
			w.counts[slot]++
		}
	}
	w.starts = append(w.starts[:0], 0)
	all := int32(0)
	for _, slot := range w.slots {
		n := w.counts[slot]
		w.counts[slot] = all
		all += n
		w.starts = append(w.starts, all)
	}
	w.rows = slices.Grow(w.rows[:0], int(all))[:all]
	for i := range w.fold.deferred {
		d := &w.fold.deferred[i]
		part, chunk := w.partOf(d)
		for j, slot := range d.slots {
			w.rows[w.counts[slot]] = deferredRow{part, pick{chunk, int32(j)}}
			w.counts[slot]++
		}
	}
}

// partOf returns the part that the rows belong to, and which of its chunks they are.
func (w *Bodies) partOf(d *deferred) (part, chunk int32) {
	k := d.chunk
	at := slices.IndexFunc(w.parts, func(p bodiesPart) bool { return p.reader.src == k.src && p.partition == k.partition })
	if at < 0 {
		at = len(w.parts)
		w.parts = append(w.parts, bodiesPart{gatherer: w.gathererOf(k), partition: k.partition})
	}
	p := &w.parts[at]
	p.chunks = append(p.chunks, k)
	return int32(at), int32(len(p.chunks) - 1)
}

func (w *Bodies) gathererOf(k *chunk) *gatherer {
	for _, g := range w.gatherers {
		if g.reader.src == k.src {
			return g
		}
	}
	g := newGatherer(w.plan, k)
	g.most = w.mostBytes
	w.gatherers = append(w.gatherers, g)
	return g
}

// Append appends the body of the next slot to dst.
func (w *Bodies) Append(dst []byte) []byte {
	if w.next == w.ahead {
		w.ahead = min(w.next+touchBodies, len(w.slots))
		w.fold.Touch(w.slots[w.next:w.ahead])
	}
	slot, local := w.slots[w.next], int32(-1)
	if w.fold.deferring {
		if w.next == w.end {
			w.load()
		}
		local = w.local[w.next-w.first]
	}
	w.next++
	dst = w.fold.appendBody(dst, int(slot), w.group, local)
	if w.next == len(w.slots) {
		w.forget()
	}
	return dst
}

// forget drops the fold and what it has put by, and keeps its own memory.
func (w *Bodies) forget() {
	w.fold, w.slots = nil, nil
	for i := range w.parts {
		clear(w.parts[i].chunks)
		w.parts[i].chunks = w.parts[i].chunks[:0]
	}
}

// load folds the rows of the next group of entities.
func (w *Bodies) load() {
	f, g := w.fold, w.group
	g.newest, g.held, w.local, w.first = g.newest[:0], g.held[:0], w.local[:0], w.next
	most := w.starts[w.next] + w.groupRows*int32(max(1, len(w.parts)))
	for w.end = w.next; w.end < len(w.slots) && (w.end == w.next || w.starts[w.end+1] <= most); w.end++ {
		rows := w.rows[w.starts[w.end]:w.starts[w.end+1]]
		local := int32(-1)
		if len(rows) > 0 {
			local = int32(len(g.newest))
			g.newest, g.held = append(g.newest, f.newest[w.slots[w.end]]), append(g.held, 0)
		}
		w.local = append(w.local, local)
		w.pick(rows, local)
	}
	for _, states := range g.states {
		if states != nil {
			states.Reset()
			states.Grow(len(g.newest))
		}
	}
	for _, i := range w.used {
		p := &w.parts[i]
		g.foldPicked(p.gatherer, p.chunks, p.picks, p.slots)
		p.picks, p.slots = p.picks[:0], p.slots[:0]
	}
	w.used = w.used[:0]
}

// pick makes the rows of an entity, whose slot in the group is local, some of the group's.
func (w *Bodies) pick(rows []deferredRow, local int32) {
	for len(rows) > 0 {
		part, n := rows[0].part, 1
		for n < len(rows) && rows[n].part == part {
			n++
		}
		p := &w.parts[part]
		if len(p.picks) == 0 {
			w.used = append(w.used, part)
		}
		for _, row := range rows[:n] {
			p.picks, p.slots = append(p.picks, row.pick), append(p.slots, local)
		}
		rows = rows[n:]
	}
}
