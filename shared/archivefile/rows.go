package archivefile

import (
	"encoding/binary"
	"hash"
	"unsafe"

	"github.com/tidemark-io/tidemark/shared/column"
)

// The bounds of a row group, and so of what a Writer and a Read hold in memory. A group ends with the row that reaches
// one of them, so that groups follow from the rows alone, however they came.
const (
	// GroupRows is the largest number of rows in a group, and in a batch that Read yields.
	GroupRows = 65_536
	// GroupBytes is the size of values, in bytes, at which a group ends: the last row may pass it by its own size.
	GroupBytes = 64 << 20
)

// rowBytes returns the size of row i in a group: 8 bytes for each fixed-width column, 4 and its bytes for any other.
func rowBytes(b *column.Batch, i int) int64 {
	size := int64(8 * firstField)
	for c := range b.Cols {
		size += valueBytes(&b.Cols[c], i)
	}
	a := b.Archive
	return size + valueBytes(&a.Key, i) + valueBytes(&a.Headers, i) + valueBytes(&a.Rest, i) + valueBytes(&a.Raw, i)
}

func valueBytes(c *column.Column, i int) int64 {
	switch {
	case !c.Type.IsBytes():
		return 8
	case !c.Present(i):
		return 4
	default:
		return 4 + int64(len(c.BytesAt(i)))
	}
}

// appendRows appends rows [from, to) of src to dst, a batch of the same source that has no dictionaries. Columns that src
// leaves out stay out.
func appendRows(dst, src *column.Batch, from, to int) {
	dst.N += to - from
	dst.Offset = append(dst.Offset, src.Offset[from:to]...)
	dst.Time = append(dst.Time, src.Time[from:to]...)
	dst.Append = append(dst.Append, src.Append[from:to]...)
	dst.AppendType = append(dst.AppendType, src.AppendType[from:to]...)
	dst.Reject = append(dst.Reject, src.Reject[from:to]...)
	for c := range dst.Cols {
		if src.Cols[c].N == src.N {
			appendColumn(&dst.Cols[c], &src.Cols[c], from, to)
		}
	}
	if src.Archive == nil {
		return
	}
	d, s := archiveColumnsOf(dst), archiveColumnsOf(src)
	for c := range d {
		appendColumn(d[c], s[c], from, to)
	}
}

// archiveColumnsOf returns the archive's columns in the order of a file.
func archiveColumnsOf(b *column.Batch) [archiveColumns]*column.Column {
	a := b.Archive
	return [archiveColumns]*column.Column{columnKey: &a.Key, columnHeaders: &a.Headers, columnRest: &a.Rest, columnRaw: &a.Raw}
}

func appendColumn(dst, src *column.Column, from, to int) {
	for i := from; i < to; i++ {
		switch {
		case !src.Present(i):
			dst.AppendNull()
		case src.Type.IsBytes():
			dst.AppendBytes(src.BytesAt(i))
		default:
			dst.AppendInt(src.Ints[i])
		}
	}
}

// digestGroup adds a row group to a content digest: number of rows (u32), offsets, append times (i64 each), types of
// append time, reasons of rejection (u8 each), then each field and each of the archive's columns as bitmap of presence
// and values (i64 each, or the end of each value in the column's bytes as u32 after a u32 0, then the bytes). Integers
// are little-endian; nulls are 0 or empty.
func digestGroup(h hash.Hash, b *column.Batch) {
	put := func(p []byte) { h.Write(p) } // a hash never fails
	put(binary.LittleEndian.AppendUint32(nil, uint32(b.N)))
	put(littleEndian(b.Offset))
	put(littleEndian(b.Append))
	put(littleEndian(b.AppendType))
	put(b.Reject)
	values := func(c *column.Column) {
		put(c.Valid)
		if c.Type.IsBytes() {
			put(littleEndian(c.Offsets))
			put(c.Bytes)
		} else {
			put(littleEndian(c.Ints))
		}
	}
	for c := range b.Cols {
		values(&b.Cols[c])
	}
	for _, c := range archiveColumnsOf(b) {
		values(c)
	}
}

// littleEndian views integers as the bytes they are in memory. Every machine that Arrow and Parquet run on without
// copying is little-endian; the test of the frozen file fails on any other.
func littleEndian[T int64 | int32 | uint32 | column.TimeType](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0])))
}
