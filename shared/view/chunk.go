package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// chunk is rows of the second class that a fold has put by, of one partition, in the order in which a splitter adds them. It
// is immutable. Integers take four bytes where they can: many rows lie there until their entities are written, and memory
// that was never used before costs as much as all that is done with a row here.
type chunk struct {
	binding   *binding
	src       *schema.Source
	partition int32
	time      packed
	offset    packed
	passes    [][]uint64
	columns   []packedColumn // by class.columns
	longest   int            // bytes of the longest value
	bytes     int64          // of memory, about
}

// packedColumn is a column of a chunk.
type packedColumn struct {
	typ    schema.Type
	scale  int
	valid  []byte
	packed // of fixed-width types

	// Of bytes: row i has the value index[i], and value j is bytes[offsets[j]:offsets[j+1]].
	index   []int32
	offsets []int32
	bytes   []byte
}

func (p *packedColumn) value(row int32) []byte {
	at := p.index[row]
	return p.bytes[p.offsets[at]:p.offsets[at+1]]
}

// packed is integers: the first one, and how much more each is; or each one, if that does not fit.
type packed struct {
	first int64
	more  []int32
	wide  []int64
}

// pack packs the given rows, of which there are some, of ints.
func (s *slab) pack(ints []int64, rows []int32) packed {
	p := packed{first: ints[rows[0]], more: s.take(len(rows))}
	lost := int64(0)
	for i, row := range rows {
		more := ints[row] - p.first // it may wrap around, as adding it does again
		p.more[i] = int32(more)
		lost |= more ^ int64(int32(more))
	}
	if lost != 0 {
		return packed{wide: column.GatherRows(nil, ints, rows)}
	}
	return p
}

// slab is memory for the columns of a chunk, made at once: what is made in pieces of some kilobytes is zeroed first.
type slab []int32

func (s *slab) take(n int) []int32 {
	taken := (*s)[:n:n]
	*s = (*s)[n:]
	return taken
}

// at returns integer i.
func (p *packed) at(i int32) int64 {
	if p.wide != nil {
		return p.wide[i]
	}
	return p.first + int64(p.more[i])
}

// chunkBytes is about what a chunk takes besides its rows, for each of its columns.
const chunkBytes = 160

// pack returns some lists of rows of a class of r as chunks, in that order; none of an empty list. It goes a column at a
// time over all lists: together they hold most rows of a column, which is in the processor's nearer caches then.
func (c *classRows) pack(r *splitReader, class *class, lists [][]int32) []*chunk {
	chunks, memory := make([]*chunk, len(lists)), make([]slab, len(lists))
	each := func(do func(k *chunk, memory *slab, rows []int32)) {
		for i, rows := range lists {
			if len(rows) > 0 {
				do(chunks[i], &memory[i], rows)
			}
		}
	}
	for i, rows := range lists {
		if len(rows) > 0 {
			memory[i] = make(slab, (2+len(class.columns))*len(rows))
			chunks[i] = &chunk{
				binding: r.binding, src: r.src, partition: r.wide.Partition, columns: make([]packedColumn, len(class.columns)),
				bytes: chunkBytes*int64(2+len(class.columns)+len(c.passes)) + 4*int64(len(memory[i])),
			}
		}
	}
	each(func(k *chunk, memory *slab, rows []int32) { k.time = memory.pack(c.time, rows) })
	each(func(k *chunk, memory *slab, rows []int32) { k.offset = memory.pack(c.offset, rows) })
	for i, at := range class.columns {
		each(func(k *chunk, memory *slab, rows []int32) {
			p := &k.columns[i]
			*p = packedColumn{typ: c.columns[i].Type, scale: c.columns[i].Scale, valid: column.GatherValid(nil, &c.columns[i], rows)}
			if p.typ.IsBytes() {
				k.longest = max(k.longest, p.packBytes(&c.columns[i], &r.dictionaries[at], memory, rows, &r.numbers))
			} else {
				p.packed = memory.pack(c.columns[i].Ints, rows)
			}
			k.bytes += p.size()
		})
	}
	for _, passes := range c.passes {
		each(func(k *chunk, _ *slab, rows []int32) {
			k.passes = append(k.passes, column.GatherRows(nil, passes, rows))
			k.bytes += 8 * int64(len(rows))
		})
	}
	return chunks
}

// packBytes packs the given rows of a column whose values are in d, each value once: a long one that many rows have takes no
// more than it does there. It returns the length of the longest. numbers is all zeros, by value of d, before and after.
func (p *packedColumn) packBytes(from *column.Column, d *column.Dictionary, memory *slab, rows []int32, numbers *[]int32) (longest int) {
	from.Share(d)
	if need := len(from.Offsets) - len(*numbers); need > 0 {
		*numbers = append(*numbers, make([]int32, need)...)
	}
	p.index, p.offsets = memory.take(len(rows)), append(make([]int32, 0, 2+len(rows)/4), 0, 0) // the first value is that of nulls
	for i, row := range rows {
		p.index[i] = 0
		if !from.Present(int(row)) {
			continue
		}
		number := &(*numbers)[from.Index[row]]
		if *number == 0 {
			value := from.BytesAt(int(row))
			longest = max(longest, len(value))
			p.bytes = append(p.bytes, value...)
			*number = int32(len(p.offsets)) - 1
			p.offsets = append(p.offsets, int32(len(p.bytes)))
		}
		p.index[i] = *number
	}
	for _, row := range rows {
		if from.Present(int(row)) {
			(*numbers)[from.Index[row]] = 0
		}
	}
	return longest
}

// size returns how many bytes the column takes beside the slab.
func (p *packedColumn) size() int64 {
	return int64(8*len(p.wide) + len(p.valid) + 4*cap(p.offsets) + cap(p.bytes))
}

// gatherer brings rows of chunks together.
type gatherer struct {
	reader  *reader
	rows    *sortedRows
	numbers []int32 // of the rows
	most    int     // bytes of a column's values that are brought together at most, if they are of several rows
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
		f.foldClass(&chosen{row: g.numbers, slot: slots[:n]}, g.reader, &g.reader.binding.classes[1], g.rows)
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
	for i, at := range g.reader.binding.classes[1].columns {
		gatherColumn(&b.Cols[at], chunks, picks, i)
	}
}

func gatherColumn(c *column.Column, chunks []*chunk, picks []pick, i int) {
	c.Type, c.Scale, c.N = chunks[0].columns[i].typ, chunks[0].columns[i].scale, len(picks)
	c.Valid = slices.Grow(c.Valid[:0], (c.N+7)/8)[:(c.N+7)/8]
	clear(c.Valid)
	if c.Type.IsBytes() {
		gatherBytes(c, chunks, picks, i)
		return
	}
	c.Ints = slices.Grow(c.Ints[:0], c.N)[:c.N]
	for j, at := range picks {
		from := &chunks[at.chunk].columns[i]
		c.Ints[j] = from.at(at.row)
		c.Valid[j>>3] |= from.valid[at.row>>3] >> (at.row & 7) & 1 << (j & 7)
	}
}

func gatherBytes(c *column.Column, chunks []*chunk, picks []pick, i int) {
	offsets, bytes := append(c.Offsets[:0], 0), c.Bytes[:0]
	for j, at := range picks {
		from := &chunks[at.chunk].columns[i]
		bytes = append(bytes, from.value(at.row)...)
		offsets = append(offsets, int32(len(bytes)))
		c.Valid[j>>3] |= from.valid[at.row>>3] >> (at.row & 7) & 1 << (j & 7)
	}
	c.Offsets, c.Bytes = offsets, bytes
}
