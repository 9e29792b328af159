package view

import (
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/operator"
)

// splitReader is a reader that keeps what states read of its batches.
type splitReader struct {
	*reader
	dictionaries []column.Dictionary // by column of the wide batch: the values of bytes
	classes      [2]classRows        // by binding.classes
	taken        []column.Taken      // scratch of collect, by column of the wide batch
	some         []int32             // scratch of collect
	pickedRows   column.Picked       // scratch of classRows.add
	values       valuesOf            // scratch of pack
	valid        []byte              // scratch of pack
	few          few                 // scratch of collect
}

// classRows are rows that states of a class may read, of many batches, and what these read of them: of the first class
// all rows that have a key, of the second those that pass one of its filters.
type classRows struct {
	// As they came.
	of      []int32 // by row: the number of its key
	time    packed
	offset  packed
	columns []collected  // by class.columns
	passes  [][]passWord // as reader.passes; none of a class without filters

	// As they are folded.
	order    []int32 // which row stands where
	arranged bool    // whether they stand there in sorted
	sorted   *sortedRows
	chosen   chosen     // scratch of AddTo
	needed   []int32    // scratch of pack
	words    []passWord // scratch of need.words
}

// collected is a column of rows that are collected. If it is of fixed width its integers are kept beside it.
type collected struct {
	column.Column
	ints packed
}

func (c *collected) add(t column.Taken, p *column.Picked) {
	if c.AppendRows(t, p); !c.Type.IsBytes() {
		c.ints.add(t.From.Ints, p)
	}
}

// gather makes dst the given rows. Of bytes it shares their values, which c must have been made to share.
func (c *collected) gather(dst *column.Column, rows []int32) {
	if c.Type.IsBytes() {
		dst.Gather(&c.Column, rows)
		return
	}
	dst.Type, dst.Scale, dst.N, dst.Index = c.Type, c.Scale, len(rows), nil
	dst.Valid, dst.Ints = column.GatherValid(dst.Valid, &c.Column, rows), c.ints.gather(dst.Ints, rows)
}

func (c *collected) clear() {
	c.Clear()
	c.ints.clear()
}

// sortedRows are rows of a class as they are folded.
type sortedRows struct {
	batch  column.Batch
	passes [][]passWord
	rows   []operator.Rows // by binding.states; In points into the batch
}

func newSortedRows(r *reader, class *class) *sortedRows {
	s := &sortedRows{passes: make([][]passWord, len(class.some))}
	s.batch = column.Batch{Source: r.src, Cols: make([]column.Column, r.binding.width)}
	s.rows = r.binding.rowsOf(s.batch.Cols)
	return s
}

func newSplitReader(r *reader) *splitReader {
	s := &splitReader{
		reader: r, dictionaries: make([]column.Dictionary, r.binding.width), taken: make([]column.Taken, r.binding.width),
	}
	for i := range s.classes {
		c, class := &s.classes[i], &r.binding.classes[i]
		c.columns = make([]collected, len(class.columns))
		c.passes, c.sorted = make([][]passWord, len(class.some)), newSortedRows(r, class)
	}
	s.few = newFew(r.binding)
	return s
}

// collect keeps some rows of the loaded batch, whose keys have the numbers of.
func (r *splitReader) collect(rows, of []int32) {
	clear(r.taken)
	r.take(&r.binding.classes[0])
	all, some := &r.classes[0], &r.classes[1]
	all.add(r, &r.binding.classes[0], rows)
	if r.binding.classes[1].states == nil {
		return
	}
	r.some = slices.Grow(r.some[:0], len(rows))[:len(rows)]
	some.of = slices.Grow(some.of, len(rows))
	to := some.of[len(some.of):][:len(rows)]
	passes := need{mask: r.binding.classes[1].some}
	words, mask := passes.words(r.passes, r.wide.N, &some.words)
	n := 0
	for i, row := range rows { // each is written, and stays if it passes: which ones do is beyond what a processor guesses
		r.some[n], to[n] = row, of[i]
		passed := words[row] & mask
		n += int(-uint32(passed) >> 31)
	}
	some.of = some.of[:len(some.of)+n]
	r.few.fill(r.reader, r.some[:n])
	r.take(&r.binding.classes[1])
	some.add(r, &r.binding.classes[1], r.some[:n])
}

// take prepares the columns of a class for rows to be taken from them.
func (r *splitReader) take(class *class) {
	for _, at := range class.columns {
		if r.taken[at].From != nil {
			continue
		}
		from, first := &r.wide.Cols[at], int32(0)
		if r.few.has[at] {
			from = &r.few.batch.Cols[at]
		}
		if from.Type.IsBytes() {
			first = r.dictionaries[at].Add(from)
		}
		r.taken[at] = column.Take(from, first)
	}
}

func (c *classRows) add(r *splitReader, class *class, rows []int32) {
	p := &r.pickedRows
	p.Pick(rows)
	c.time.add(r.wide.Time, p)
	c.offset.add(r.wide.Offset, p)
	for i, at := range class.columns {
		of := p
		if r.few.has[at] {
			of = &r.few.all
		}
		c.columns[i].add(r.taken[at], of)
	}
	for i := range c.passes {
		c.passes[i] = column.AppendRows(c.passes[i], r.passes[i], p)
	}
}

// arrange returns the rows as they are folded, in memory that is used again.
func (c *classRows) arrange(r *splitReader, class *class) *sortedRows {
	if !c.arranged {
		c.arranged = true
		c.gather(r, class)
	}
	return c.sorted
}

// gather sorts the rows.
func (c *classRows) gather(r *splitReader, class *class) {
	b := &c.sorted.batch
	b.N, b.Partition = len(c.order), r.wide.Partition
	b.Time, b.Offset = c.time.gather(b.Time, c.order), c.offset.gather(b.Offset, c.order)
	for i, at := range class.columns {
		if c.columns[i].Type.IsBytes() {
			c.columns[i].Share(&r.dictionaries[at])
		}
		c.columns[i].gather(&b.Cols[at], c.order)
	}
	for i := range c.passes {
		c.sorted.passes[i] = column.GatherRows(c.sorted.passes[i], c.passes[i], c.order)
	}
}

// forget drops all rows and keeps the memory.
func (r *splitReader) forget() {
	for i := range r.dictionaries {
		r.dictionaries[i].Reset()
	}
	for i := range r.classes {
		c := &r.classes[i]
		c.arranged = false
		c.of = c.of[:0]
		c.time.clear()
		c.offset.clear()
		for j := range c.columns {
			c.columns[j].clear()
		}
		for j := range c.passes {
			c.passes[j] = c.passes[j][:0]
		}
	}
}

// What a row takes as it came, time, offset, key and order in four bytes each, and as it is folded, time and offset; and
// each column, in four bytes and in eight.
const (
	rowBytes    = 4*4 + 2*8
	columnBytes = 4 + 8
	passBytes   = 2 * passBits / 8
)

// size returns about how many bytes of memory the rows take, of which so many are of the first class.
func (r *splitReader) size(rows int) (n int64) {
	for i := range r.dictionaries {
		n += r.dictionaries[i].Size()
	}
	for i, rows := range [2]int{rows, len(r.classes[1].of)} {
		c := &r.classes[i]
		n += int64(rows)*int64(rowBytes+columnBytes*len(c.columns)+passBytes*len(c.passes)) + c.time.size() + c.offset.size() + int64(4*cap(c.needed))
		for j := range c.columns {
			n += c.columns[j].ints.size()
		}
	}
	return n
}
