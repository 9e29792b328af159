package view

import (
	"math/bits"
	"slices"
	"unsafe"

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
	passes    [][]passWord
	needs     []subset       // by class.needs: the rows that their columns have
	columns   []packedColumn // by class.columns; nothing where no row needs it
	longest   int            // bytes of the longest value
	bytes     int64          // of memory, about
}

// packedColumn is a column of a chunk.
type packedColumn struct {
	typ    schema.Type
	scale  int
	valid  []byte // nil if no row is null
	packed        // of fixed-width types

	// Of bytes: row i has the value index[i], and value j is bytes[offsets[j]:offsets[j+1]].
	index   []int32
	offsets []int32
	bytes   []byte
}

func (p *packedColumn) value(row int32) []byte {
	at := p.index[row]
	return p.bytes[p.offsets[at]:p.offsets[at+1]]
}

// What a chunk takes besides its rows: itself, with its place in a fold, and each column, need and word of filters.
const (
	chunkBytes  = int64(unsafe.Sizeof(chunk{}) + unsafe.Sizeof(deferred{}))
	columnOf    = int64(unsafe.Sizeof(packedColumn{}))
	subsetBytes = int64(unsafe.Sizeof(subset{}))
	passesOf    = int64(unsafe.Sizeof([]passWord{}))
)

// packing is a chunk that is being made.
type packing struct {
	*chunk
	rows   []int32   // of the class
	needed [][]int32 // by class.needs: those of them that have it
	memory slab
}

// pack returns some lists of rows of a class of r as chunks, in that order; none of an empty list. It goes a column at a
// time over all lists: together they hold most rows of a column, which is in the processor's nearer caches then.
func (c *classRows) pack(r *splitReader, class *class, lists [][]int32) []*chunk {
	chunks := make([]*chunk, len(lists))
	var all []packing
	c.needed = c.needed[:0]
	for i, rows := range lists {
		if len(rows) > 0 {
			all = append(all, c.begin(r, class, rows))
			chunks[i] = all[len(all)-1].chunk
		}
	}
	for i := range all {
		all[i].time = all[i].memory.repack(&c.time, all[i].rows)
		all[i].bytes += all[i].time.size()
	}
	for i := range all {
		all[i].offset = all[i].memory.repack(&c.offset, all[i].rows)
		all[i].bytes += all[i].offset.size()
	}
	for n := range class.needs {
		for _, at := range class.needs[n].columns {
			for i := range all {
				if rows := all[i].needed[n]; len(rows) > 0 {
					all[i].packColumn(at, &c.columns[at], r, rows)
				}
			}
		}
	}
	return chunks
}

// begin returns a chunk of some rows without their columns.
func (c *classRows) begin(r *splitReader, class *class, rows []int32) packing {
	p := packing{
		chunk: &chunk{
			binding: r.binding, src: r.src, partition: r.wide.Partition, columns: make([]packedColumn, len(class.columns)), needs: make([]subset, len(class.needs)),
			bytes: chunkBytes + columnOf*int64(len(class.columns)) + subsetBytes*int64(len(class.needs)) +
				(passesOf+passBits/8*int64(len(rows)))*int64(len(c.passes)),
		},
		rows: rows, needed: make([][]int32, len(class.needs)),
	}
	for i := range p.columns {
		p.columns[i].typ, p.columns[i].scale = c.columns[i].Type, c.columns[i].Scale
	}
	for _, passes := range c.passes {
		p.passes = append(p.passes, column.GatherRows(nil, passes, rows))
	}
	integers := 2 * len(rows)
	for i := range class.needs {
		n := &class.needs[i]
		words, mask := n.words(p.passes, len(rows), &c.words)
		p.needs[i], p.needed[i], c.needed = subsetOf(words, mask, rows, c.needed)
		p.bytes += p.needs[i].size()
		integers += len(n.columns) * len(p.needed[i])
	}
	p.memory = make(slab, integers)
	p.bytes += 4 * int64(integers)
	return p
}

// packColumn packs the given rows, of which there are some, of a column.
func (p *packing) packColumn(at int, from *collected, r *splitReader, rows []int32) {
	c := &p.columns[at]
	r.valid = column.GatherValid(r.valid, &from.Column, rows)
	if ones(r.valid) < len(rows) {
		c.valid = slices.Clone(r.valid)
	}
	if c.typ.IsBytes() {
		p.longest = max(p.longest, c.packBytes(&from.Column, &r.dictionaries[r.binding.classes[1].columns[at]], &p.memory, rows, &r.values))
	} else {
		c.packed = p.memory.repack(&from.ints, rows)
	}
	p.bytes += c.size()
}

// ones returns how many bits of a bitmap are set.
func ones(bitmap []byte) (n int) {
	for _, b := range bitmap {
		n += bits.OnesCount8(b)
	}
	return n
}

// packBytes packs the given rows of a column whose values are in d, each value once: a long one that many rows have takes no
// more than it does there. It returns the length of the longest.
func (p *packedColumn) packBytes(from *column.Column, d *column.Dictionary, memory *slab, rows []int32, w *valuesOf) (longest int) {
	from.Share(d)
	if need := len(from.Offsets) - len(w.numbers); need > 0 {
		w.numbers = append(w.numbers, make([]int32, need)...)
	}
	// Loop by loop: what each reads of the dictionary lies anywhere, and is waited for side by side.
	w.values, p.index = w.values[:0], memory.take(len(rows))
	for i, row := range rows {
		if p.index[i] = 0; !from.Present(int(row)) {
			continue
		}
		value := from.Index[row]
		number := w.numbers[value]
		if number == 0 {
			w.values = append(w.values, value)
			number = int32(len(w.values))
			w.numbers[value] = number
		}
		p.index[i] = number
	}
	p.offsets = make([]int32, 2, 2+len(w.values)) // the first value is that of nulls
	end := int32(0)
	for _, value := range w.values {
		n := from.Offsets[value+1] - from.Offsets[value]
		longest, end = max(longest, int(n)), end+n
		p.offsets = append(p.offsets, end)
		w.numbers[value] = 0
	}
	p.bytes = make([]byte, 0, end)
	for _, value := range w.values {
		p.bytes = append(p.bytes, from.Bytes[from.Offsets[value]:from.Offsets[value+1]]...)
	}
	return longest
}

// valuesOf is scratch of packBytes.
type valuesOf struct {
	numbers []int32 // by value of a dictionary; all 0 between calls
	values  []int32 // by number - 1
}

// size returns how many bytes the column takes beside the slab.
func (p *packedColumn) size() int64 {
	return p.packed.size() + int64(len(p.valid)+4*cap(p.offsets)+cap(p.bytes))
}
