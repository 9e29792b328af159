package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
)

// Bodies writes the bodies of a fold's slots, one after the other in a given order. The fold must not be used otherwise
// until it is done.
type Bodies struct {
	fold  *Fold
	slots []int32
	next  int // of slots
	ahead int // those before are touched

	// Of a fold that defers: the rows of slots[i] are rows[starts[i]:starts[i+1]], those of one part side by side.
	rows   []deferredRow
	starts []int32
	parts  []bodiesPart
	used   []int32 // scratch of load: the parts that the group has rows of

	groupRows int32
	group     *Fold   // the states of the entities from first up to end, as far as rows are put by
	local     []int32 // by place, from first on: the slot in group; -1 for one that no rows are put by of
	first     int     // of slots
	end       int
}

// bodiesPart is the rows of one partition that are put by.
type bodiesPart struct {
	chunks []*sortedRows
	reader *reader
	picks  []deferredRow // of a group
	rows   *sortedRows   // of a group
	chosen chosen        // of a group
}

// deferredRow is a row of a chunk.
type deferredRow struct{ part, chunk, row int32 }

// groupRows is how many rows of one partition are folded at a time, if there are as many: with the states that come of
// them they stay in the processor's nearer caches.
const groupRows = 2048

// touchBodies is how many slots' states are touched before they are written: the order of hashes is all over the slots.
const touchBodies = 64

// Bodies returns what writes the bodies of these slots, all of which must have an event.
func (f *Fold) Bodies(slots []int32) *Bodies {
	w := &Bodies{fold: f, slots: slots, groupRows: groupRows}
	if f.deferring {
		w.arrange()
		w.group = &Fold{plan: f.plan, states: make([]operator.States, len(f.states)), nearby: true}
		for i := range f.states {
			if f.states[i] == nil {
				w.group.states[i] = f.plan.states[i].op.NewStates()
			}
		}
	}
	return w
}

// arrange puts all rows that are put by in the order in which their entities are written.
func (w *Bodies) arrange() {
	counts, all := make([]int32, len(w.fold.entities)), 0
	for i := range w.fold.deferred {
		for _, slot := range w.fold.deferred[i].slots {
			counts[slot]++
		}
		all += len(w.fold.deferred[i].slots)
	}
	w.starts = make([]int32, len(w.slots)+1)
	at := int32(0)
	for i, slot := range w.slots {
		n := counts[slot]
		w.starts[i], counts[slot] = at, at
		at += n
	}
	w.starts[len(w.slots)] = at
	w.rows = make([]deferredRow, at)
	for i := range w.fold.deferred {
		d := &w.fold.deferred[i]
		part, chunk := w.partOf(d)
		for j, slot := range d.slots {
			w.rows[counts[slot]] = deferredRow{part, chunk, int32(d.from + j)}
			counts[slot]++
		}
	}
}

// partOf returns the part that the rows belong to, and which of its chunks they are.
func (w *Bodies) partOf(d *deferred) (part, chunk int32) {
	b := &d.rows.batch
	at := slices.IndexFunc(w.parts, func(p bodiesPart) bool {
		return p.reader.src == b.Source && p.rows.batch.Partition == b.Partition
	})
	if at < 0 {
		r := newReader(w.fold.plan, d.binding, b.Source)
		at = len(w.parts)
		w.parts = append(w.parts, bodiesPart{
			reader: r, rows: newSortedRows(r, &r.binding.classes[1], b.Partition),
		})
	}
	p := &w.parts[at]
	p.chunks = append(p.chunks, d.rows)
	return int32(at), int32(len(p.chunks) - 1)
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
	return w.fold.appendBody(dst, int(slot), w.group, local)
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
		for _, one := range rows {
			p := &w.parts[one.part]
			if len(p.picks) == 0 {
				w.used = append(w.used, one.part)
			}
			p.picks, p.chosen.slot = append(p.picks, one), append(p.chosen.slot, local)
		}
	}
	for _, states := range g.states {
		if states != nil {
			states.Reset()
			states.Grow(len(g.newest))
		}
	}
	for _, i := range w.used {
		p := &w.parts[i]
		p.gather()
		g.foldClass(&p.chosen, p.reader, &p.reader.binding.classes[1], p.rows)
		p.picks, p.chosen.slot = p.picks[:0], p.chosen.slot[:0]
	}
	w.used = w.used[:0]
}

// gather makes the part's rows those picked.
func (p *bodiesPart) gather() {
	b, n := &p.rows.batch, len(p.picks)
	b.N = n
	b.Time, b.Offset = slices.Grow(b.Time[:0], n)[:n], slices.Grow(b.Offset[:0], n)[:n]
	p.chosen.row = slices.Grow(p.chosen.row[:0], n)[:n]
	for i, pick := range p.picks {
		from := &p.chunks[pick.chunk].batch
		b.Time[i], b.Offset[i], p.chosen.row[i] = from.Time[pick.row], from.Offset[pick.row], int32(i)
	}
	for i, passes := range p.rows.passes {
		passes = slices.Grow(passes[:0], n)[:n]
		for j, pick := range p.picks {
			passes[j] = p.chunks[pick.chunk].passes[i][pick.row]
		}
		p.rows.passes[i] = passes
	}
	for _, at := range p.reader.binding.classes[1].columns {
		p.gatherColumn(at)
	}
}

func (p *bodiesPart) gatherColumn(at int) {
	c, first := &p.rows.batch.Cols[at], &p.chunks[0].batch.Cols[at]
	c.Type, c.Scale, c.N = first.Type, first.Scale, len(p.picks)
	c.Valid = slices.Grow(c.Valid[:0], (c.N+7)/8)[:(c.N+7)/8]
	clear(c.Valid)
	if c.Type.IsBytes() {
		p.gatherBytes(c, at)
		return
	}
	c.Ints = slices.Grow(c.Ints[:0], c.N)[:c.N]
	for i, pick := range p.picks {
		from := &p.chunks[pick.chunk].batch.Cols[at]
		c.Ints[i] = from.Ints[pick.row]
		c.Valid[i>>3] |= from.Valid[pick.row>>3] >> (pick.row & 7) & 1 << (i & 7)
	}
}

func (p *bodiesPart) gatherBytes(c *column.Column, at int) {
	c.Offsets, c.Bytes, c.Index = append(c.Offsets[:0], 0), c.Bytes[:0], nil
	for i, pick := range p.picks {
		from := &p.chunks[pick.chunk].batch.Cols[at]
		c.Bytes = append(c.Bytes, from.Bytes[from.Offsets[pick.row]:from.Offsets[pick.row+1]]...)
		c.Offsets = append(c.Offsets, int32(len(c.Bytes)))
		c.Valid[i>>3] |= from.Valid[pick.row>>3] >> (pick.row & 7) & 1 << (i & 7)
	}
}
