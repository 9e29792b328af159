package archivefile

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/parquet-go/parquet-go"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Want says which columns Read fills. Offsets, times and rejections always are.
type Want struct {
	// Fields are indices into the source's fields; the columns of others are left without rows.
	Fields []int
	// Archive asks for record keys, headers, undeclared members and raw bytes.
	Archive bool
}

// Everything asks for every column of src.
func Everything(src *schema.Source) Want {
	w := Want{Fields: make([]int, len(src.Fields)), Archive: true}
	for i := range w.Fields {
		w.Fields[i] = i
	}
	return w
}

// Read yields the file's rows in order, as batches of src of at most GroupRows rows, none empty, with the wanted columns.
// Byte columns whose values repeat have a dictionary. Faults are all 0. A batch and its memory are valid until yield
// returns; an error of yield, or of ctx between two batches, ends Read and is returned.
//
// src may have been changed since the file was written: fields declared or dropped, enum values appended, other fields
// required. Then the rows are those that decoding the records by src gives, by way of their raw bytes or of AppendJSON,
// which takes some ten times as long; unless the change concerns neither a wanted nor a required field. Record keys,
// headers and raw bytes are as stored, and what AppendJSON says of the order of undeclared members holds for them too.
//
// Damage is an error of class ErrDamaged, and no batch is yielded of the row group that has it.
func (r *Reader) Read(ctx context.Context, src *schema.Source, want Want, yield func(*column.Batch) error) error {
	if src.Name != r.footer.Source.Name {
		return fmt.Errorf("%w: reading %s as source %s", ErrSource, r.path, src.Name)
	}
	fields, err := r.match(src, want)
	if err != nil {
		return err
	}
	if fields == nil {
		return r.mend(ctx, src, want, yield)
	}
	return r.readGroups(ctx, src, fields, want, yield)
}

// readGroups reads the columns as they stand. fields gives, for each field of src, its place in the file, -1 for none.
func (r *Reader) readGroups(ctx context.Context, src *schema.Source, fields []int, want Want, yield func(*column.Batch) error) error {
	g := newGroupReader(r, src, fields, want)
	defer memories.Put(g.memory)
	for i := range r.file.RowGroups() {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := guarded(func() error { return g.read(i) })
		if err != nil {
			err = r.wrap(fmt.Sprintf("row group %d is not readable", i), err)
		} else {
			err = yield(g.batch)
		}
		if closing := g.release(); err == nil && closing != nil {
			err = r.wrap("closing a page", closing)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// groupReader reads one row group after the other into one batch.
type groupReader struct {
	r      *Reader
	src    *schema.Source
	fields []int
	want   Want
	event  int // index of the event-time field

	batch  *column.Batch
	group  int
	rows   int
	memory *memory
	open   []*page
}

// memory is what a Read needs beside the pages; it is used again by the next Read, of whatever file.
type memory struct {
	chunk   []byte
	columns []columnMemory // by field, then the archive's columns
	offsets []int64
	times   []int64
	kinds   []column.TimeType
	rejects []uint8
}

var memories = sync.Pool{New: func() any { return &memory{} }}

// columnMemory is the memory of one column that cannot be the page's own.
type columnMemory struct {
	valid   []byte
	ints    []int64
	dense   []int64          // of an enum: codes of its values without nulls
	int32s  []int32          // offsets or indices
	codes   map[string]int64 // of an enum: its values
	mapping []int64          // of an enum: dictionary index → code
}

func newGroupReader(r *Reader, src *schema.Source, fields []int, want Want) *groupReader {
	m, ok := memories.Get().(*memory)
	invariant.Check(ok, "the pool of memories holds something else")
	for len(m.columns) < len(src.Fields)+archiveColumns {
		m.columns = append(m.columns, columnMemory{})
	}
	g := &groupReader{
		r: r, src: src, fields: fields, want: want, event: src.EventTimeIndex(), memory: m,
		batch: column.NewBatch(src, r.footer.Partition.ID, want.Archive),
	}
	for i, f := range src.Fields {
		if f.Type != schema.Enum {
			continue
		}
		m.columns[i].codes = make(map[string]int64, len(f.Enum))
		for code, name := range f.Enum {
			m.columns[i].codes[name] = int64(code)
		}
	}
	return g
}

// read fills the batch with row group i.
func (g *groupReader) read(i int) error {
	g.group, g.rows = i, int(g.r.file.RowGroups()[i].NumRows())
	g.batch.N = g.rows
	if err := g.system(); err != nil {
		return err
	}
	if err := g.time(); err != nil {
		return err
	}
	for _, field := range g.want.Fields {
		if field == g.event {
			continue // time has read it
		}
		if err := g.field(field, &g.batch.Cols[field]); err != nil {
			return fmt.Errorf("column %q: %w", g.src.Fields[field].Name, err)
		}
	}
	if !g.want.Archive {
		return nil
	}
	for k, c := range archiveColumnsOf(g.batch) {
		if err := g.bytes(g.r.layout.archive(k), &g.memory.columns[len(g.src.Fields)+k], c); err != nil {
			return fmt.Errorf("column %q: %w", archiveNames[k], err)
		}
	}
	return nil
}

// release gives the pages' memory back; the batch is not valid after it.
func (g *groupReader) release() error {
	var first error
	for _, p := range g.open {
		if err := p.close(); err != nil && first == nil {
			first = err
		}
	}
	g.open = g.open[:0]
	return first
}

// done gives the memory of the page opened last back, whose values stand elsewhere now: the next page finds it in the
// processor's nearer caches.
func (g *groupReader) done() error {
	last := len(g.open) - 1
	p := g.open[last]
	g.open = g.open[:last]
	return p.close()
}

// page opens the page of file column i in the row group, with its bitmap in the memory of valid.
func (g *groupReader) page(i int, valid []byte) (p *page, err error) {
	at, err := g.bytesOf(i)
	if err != nil {
		return nil, err
	}
	p, err = openPage(g.chunk(i), at, g.rows, valid)
	if err == nil {
		g.open = append(g.open, p)
	}
	return p, err
}

// bytesOf reads the bytes of file column i in the row group, and checks them. They are valid until the next call.
func (g *groupReader) bytesOf(i int) (w window, err error) {
	index := g.group*g.r.layout.columns() + i
	g.memory.chunk, err = g.r.chunkBytes(index, g.memory.chunk)
	return window{offset: g.r.chunks[index].offset, bytes: g.memory.chunk}, err
}

// chunk returns the column chunk of file column i in the row group.
func (g *groupReader) chunk(i int) *parquet.FileColumnChunk {
	c, ok := g.r.file.RowGroups()[g.group].ColumnChunks()[i].(*parquet.FileColumnChunk)
	invariant.Check(ok, "a row group of a file has a column chunk of another kind")
	return c
}

// system reads what every batch has.
func (g *groupReader) system() (err error) {
	b, m := g.batch, g.memory
	if b.Offset, err = g.offsets(); err != nil {
		return err
	}
	if b.Append, err = g.systemInts(columnAppend); err != nil {
		return err
	}
	if m.kinds, err = narrowed(g, columnAppendType, m.kinds, uint64(column.LogAppendTime)); err != nil {
		return err
	}
	if m.rejects, err = narrowed(g, columnReject, m.rejects, math.MaxUint8); err != nil {
		return err
	}
	b.AppendType, b.Reject = m.kinds, m.rejects
	return g.checkOffsets(b.Offset)
}

// systemInts reads column i, which is never null.
func (g *groupReader) systemInts(i int) (values []int64, err error) {
	p, err := g.page(i, nil)
	if err == nil {
		values, _, err = p.ints(nil) // the page's own memory
	}
	if err != nil {
		return nil, fmt.Errorf("column %q: %w", systemNames[i], err)
	}
	return values, nil
}

// bounds returns the smallest and the largest value of system column i in the row group, if the file says so and what is stored
// need not be decoded: who wants the archive's columns wants to know.
func (g *groupReader) bounds(i int) (least, most int64, ok bool) {
	if g.want.Archive {
		return 0, 0, false
	}
	low, high, ok := g.chunk(i).Bounds()
	if !ok {
		return 0, 0, false
	}
	return low.Int64(), high.Int64(), true
}

// offsets returns the offsets of the rows. Where there is no gap the first and the last tell them all.
func (g *groupReader) offsets() ([]int64, error) {
	first, last, ok := g.bounds(columnOffset)
	if !ok || last-first != int64(g.rows-1) {
		return g.systemInts(columnOffset)
	}
	if err := g.undecoded(columnOffset); err != nil {
		return nil, err
	}
	m := g.memory
	m.offsets = slices.Grow(m.offsets[:0], g.rows)[:g.rows]
	for i := range m.offsets {
		m.offsets[i] = first + int64(i)
	}
	return m.offsets, nil
}

// undecoded checks the bytes of system column i, whose values are known.
func (g *groupReader) undecoded(i int) error {
	if _, err := g.bytesOf(i); err != nil {
		return fmt.Errorf("column %q: %w", systemNames[i], err)
	}
	return nil
}

// narrowed returns column i, whose values are none above most, as bytes in the memory of dst. It is not decoded if the file
// says that all are the same.
func narrowed[T ~uint8](g *groupReader, i int, dst []T, most uint64) ([]T, error) {
	dst = slices.Grow(dst[:0], g.rows)[:g.rows]
	if least, highest, ok := g.bounds(i); ok && least == highest && uint64(least) <= most {
		for row := range dst {
			dst[row] = T(least)
		}
		return dst, g.undecoded(i)
	}
	values, err := g.systemInts(i)
	if err != nil {
		return dst, err
	}
	highest := uint64(0)
	for row, v := range values {
		dst[row], highest = T(v), max(highest, uint64(v))
	}
	if highest > most {
		return dst, fmt.Errorf("column %q: a value of %d", systemNames[i], highest)
	}
	return dst, nil
}

func (g *groupReader) checkOffsets(offsets []int64) error {
	last := g.r.footer.Range.From - 1
	for i, offset := range offsets {
		if offset <= last {
			return fmt.Errorf("row %d: offset %d after %d", i, offset, last)
		}
		last = offset
	}
	if last >= g.r.footer.Range.Next {
		return fmt.Errorf("offset %d in a file of %s", last, g.r.footer.Range)
	}
	return nil
}

// time reads the event-time field and computes the batch's times.
func (g *groupReader) time() error {
	c := &g.batch.Cols[g.event]
	if err := g.field(g.event, c); err != nil {
		return fmt.Errorf("column %q: %w", g.src.EventTime, err)
	}
	if row := g.untimed(c); row >= 0 {
		return fmt.Errorf("row %d is accepted without an event time", row)
	}
	b := g.batch
	times := slices.Grow(g.memory.times[:0], g.rows)[:g.rows]
	said, appended, rejects := c.Ints[:g.rows], b.Append[:g.rows], b.Reject[:g.rows]
	for i := range times {
		t := eventTime(said[i], appended[i], g.src.ToleranceMS)
		if rejects[i] != 0 {
			t = 0
		}
		times[i] = t
	}
	g.memory.times, b.Time = times, times
	return nil
}

// untimed returns the first row that is accepted and without a value in c, or -1.
func (g *groupReader) untimed(c *column.Column) int {
	for at, valid := range c.Valid {
		if valid == math.MaxUint8 {
			continue
		}
		for i := 8 * at; i < min(8*at+8, g.rows); i++ {
			if g.batch.Reject[i] == 0 && !c.Present(i) {
				return i
			}
		}
	}
	return -1
}

// eventTime is the decoder's rule: min(said, append + tolerance), not before 1970; without an append time what was said.
func eventTime(said, appended, tolerance int64) int64 {
	if appended == decode.NoAppendTime || appended > math.MaxInt64-tolerance {
		return said
	}
	return max(0, min(said, appended+tolerance))
}

// field reads field i of src into c.
func (g *groupReader) field(i int, c *column.Column) error {
	m := &g.memory.columns[i]
	at := firstField + g.fields[i]
	switch c.Type {
	case schema.String, schema.JSON:
		return g.bytes(at, m, c)
	case schema.Enum:
		return g.enum(at, m, c)
	default:
	}
	p, err := g.opened(at, m, c)
	if err != nil {
		return err
	}
	if c.Type == schema.Bool {
		m.ints, err = p.bools(m.ints)
		c.Ints = m.ints
	} else {
		c.Ints, m.ints, err = p.ints(m.ints)
	}
	if err != nil || p.levels == nil {
		return err
	}
	return g.done()
}

// opened opens the page of file column at and gives c its bitmap of presence.
func (g *groupReader) opened(at int, m *columnMemory, c *column.Column) (*page, error) {
	p, err := g.page(at, m.valid)
	if err != nil {
		return nil, err
	}
	m.valid = p.valid
	c.Valid, c.N = m.valid, g.rows
	return p, nil
}

// enum reads an enum, which is stored as strings, as the codes that src gives to them.
func (g *groupReader) enum(at int, m *columnMemory, c *column.Column) error {
	p, err := g.opened(at, m, c)
	if err != nil {
		return err
	}
	arena, offsets, err := p.dictionary()
	if err != nil {
		return err
	}
	m.mapping = m.mapping[:0]
	for i := 1; i < len(offsets); i++ {
		name := arena[offsets[i-1]:offsets[i]]
		code, ok := m.codes[string(name)]
		if !ok {
			return fmt.Errorf("%q is none of the enum's values", name)
		}
		m.mapping = append(m.mapping, code)
	}
	if c.Ints, m.ints, err = p.codes(m.mapping, m.ints, &m.dense); err != nil {
		return err
	}
	return g.done()
}

// bytes reads byte arrays, with their dictionary if they are stored with one.
func (g *groupReader) bytes(at int, m *columnMemory, c *column.Column) error {
	p, err := g.opened(at, m, c)
	if err != nil {
		return err
	}
	c.Index = nil
	if c.Bytes, c.Offsets, err = p.dictionary(); err != nil {
		return err
	}
	if len(c.Offsets) > 1 {
		c.Index, m.int32s, err = p.indices(len(c.Offsets)-1, m.int32s)
		return err
	}
	if c.Offsets != nil {
		c.Bytes, c.Offsets = nil, []int32{0} // an empty dictionary: only nulls, as below
	} else if c.Bytes, c.Offsets, err = p.text(); err != nil {
		return err
	}
	if p.levels != nil {
		m.int32s = spread(m.int32s, c.Offsets, p.levels)
		c.Offsets = m.int32s
	}
	return nil
}

// spread gives each null an empty value between those of its neighbours.
func spread(dst, ends []int32, levels []byte) []int32 {
	dst = append(dst[:0], ends[0])
	next := 0
	for _, l := range levels {
		next += int(l & 1)
		dst = append(dst, ends[next])
	}
	return dst
}
