package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
)

// gatherer brings rows of chunks together.
type gatherer struct {
	reader  *reader
	rows    *sortedRows
	numbers []int32         // of the rows
	chosen  chosen          // scratch of foldPicked
	needed  []place         // scratch of gather
	columns []*packedColumn // scratch of gatherColumn
	words   []passWord
	most    int // bytes of a column's values that are brought together at most, if they are of several rows
}

func newGatherer(p *Plan, k *chunk) *gatherer {
	r := newSelector(p, k.binding, k.src)
	return &gatherer{reader: r, rows: newSortedRows(r, &k.binding.classes[1]), most: maxGathered}
}

// pick is a row of a chunk.
type pick struct{ chunk, row int32 }

// maxGathered bounds the bytes of a column's values that are brought together: their places are of 32 bits.
const maxGathered = 256 << 20

// maxPicked bounds the rows that are brought together: an entity may have any number of them.
const maxPicked = 1 << 15

// foldPicked folds the rows picked from some chunks of one partition, which belong to these slots, into f: at once, or some
// at a time where they are many, or their values might be too long for one column.
func (f *Fold) foldPicked(g *gatherer, chunks []*chunk, picks []pick, slots []int32) {
	longest := 0
	for _, k := range chunks {
		longest = max(longest, k.longest)
	}
	for most := max(1, min(maxPicked, g.most/(longest+1))); len(picks) > 0; {
		n := min(most, len(picks))
		g.gather(chunks, picks[:n])
		g.chosen.row, g.chosen.slot = g.numbers, slots[:n]
		g.chosen.stretch()
		f.foldClass(&g.chosen, g.reader, &g.reader.binding.classes[1], g.rows)
		picks, slots = picks[n:], slots[n:]
	}
}

// gather makes the rows those picked from some chunks of one partition.
func (g *gatherer) gather(chunks []*chunk, picks []pick) {
	b, n := &g.rows.batch, len(picks)
	b.N, b.Partition = n, chunks[0].partition
	b.Time, b.Offset, g.numbers = slices.Grow(b.Time[:0], n)[:n], slices.Grow(b.Offset[:0], n)[:n], slices.Grow(g.numbers[:0], n)[:n]
	for i, at := range picks {
		k := chunks[at.chunk]
		b.Time[i], b.Offset[i], g.numbers[i] = k.time.at(at.row), k.offset.at(at.row), int32(i)
	}
	for i, passes := range g.rows.passes {
		passes = slices.Grow(passes[:0], n)[:n]
		for j, at := range picks {
			passes[j] = chunks[at.chunk].passes[i][at.row]
		}
		g.rows.passes[i] = passes
	}
	class := &g.reader.binding.classes[1]
	for i := range class.needs {
		g.places(&class.needs[i], i, chunks, picks)
		for _, j := range class.needs[i].columns {
			g.gatherColumn(&b.Cols[class.columns[j]], n, chunks, j)
		}
	}
}

// place is where a value comes from, and the row that it is for.
type place struct{ chunk, at, row int32 }

// places finds where the rows at hand, which were picked so, have the columns of a need: of those that have it.
func (g *gatherer) places(n *need, number int, chunks []*chunk, picks []pick) {
	g.needed = slices.Grow(g.needed[:0], len(picks))[:len(picks)]
	needed := 0
	words, mask := n.words(g.rows.passes, len(picks), &g.words)
	for i, at := range picks {
		if words[i]&mask != 0 {
			g.needed[needed] = place{at.chunk, chunks[at.chunk].needs[number].at(at.row), int32(i)}
			needed++
		}
	}
	g.needed = g.needed[:needed]
}

// gatherColumn makes c a column of n rows, null but for those at places, which have the values of column i there.
func (g *gatherer) gatherColumn(c *column.Column, n int, chunks []*chunk, i int) {
	from := g.columns[:0]
	for _, k := range chunks {
		from = append(from, &k.columns[i])
	}
	g.columns = from
	c.Type, c.Scale, c.N = from[0].typ, from[0].scale, n
	c.Valid = slices.Grow(c.Valid[:0], (n+7)/8)[:(n+7)/8]
	clear(c.Valid)
	for _, p := range g.needed {
		present := byte(1)
		if valid := from[p.chunk].valid; valid != nil {
			present = valid[p.at>>3] >> (p.at & 7) & 1
		}
		c.Valid[p.row>>3] |= present << (p.row & 7)
	}
	if c.Type.IsBytes() {
		gatherBytes(c, from, g.needed)
		return
	}
	c.Ints = slices.Grow(c.Ints[:0], n)[:n]
	if len(g.needed) < n {
		clear(c.Ints) // operators take a null for 0 where they ask whether a flag is set
	}
	for _, p := range g.needed {
		c.Ints[p.row] = from[p.chunk].at(p.at)
	}
}

func gatherBytes(c *column.Column, from []*packedColumn, places []place) {
	offsets, bytes := append(c.Offsets[:0], 0), c.Bytes[:0]
	for _, p := range places {
		for len(offsets) <= int(p.row) { // rows without a value
			offsets = append(offsets, int32(len(bytes)))
		}
		bytes = append(bytes, from[p.chunk].value(p.at)...)
		offsets = append(offsets, int32(len(bytes)))
	}
	for len(offsets) <= c.N {
		offsets = append(offsets, int32(len(bytes)))
	}
	c.Offsets, c.Bytes = offsets, bytes
}
