package archivefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"github.com/tidemark-io/tidemark/shared/column"
)

// page is the one data page of a column chunk, decoded. Its slices live until it is closed.
type page struct {
	pages  *parquet.FilePages
	page   parquet.Page
	rows   int
	levels []byte // 1 for a row with a value, 0 for a null; nil if every row has one
	values int    // rows with a value
}

// window shows a column chunk's bytes at the place where they stand in the file.
type window struct {
	offset int64
	bytes  []byte
}

// ReadAt implements io.ReaderAt.
func (w window) ReadAt(p []byte, offset int64) (int, error) {
	at := offset - w.offset
	if at < 0 || at > int64(len(w.bytes)) {
		return 0, io.EOF
	}
	n := copy(p, w.bytes[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// chunkBytes reads a column chunk into buffer, which grows as needed, and checks it against the seal.
func (r *Reader) chunkBytes(index int, buffer []byte) ([]byte, error) {
	c := r.chunks[index]
	if int64(cap(buffer)) < c.size {
		buffer = make([]byte, c.size)
	}
	buffer = buffer[:c.size]
	if err := readFull(r.r, buffer, c.offset); err != nil {
		return buffer, err
	}
	if crc32.Checksum(buffer, castagnoli) != r.seal.chunks[index] {
		return buffer, fmt.Errorf("bytes [%d,%d) have another checksum than the seal says", c.offset, c.offset+c.size)
	}
	return buffer, nil
}

var errPages = errors.New("a column chunk does not have exactly one page")

// openPage decodes the page of a column chunk out of its bytes.
func openPage(c *parquet.FileColumnChunk, at window, rows int) (*page, error) {
	p := &page{pages: c.PagesFrom(at), rows: rows}
	var err error
	if p.page, err = p.pages.ReadPage(); err != nil {
		return nil, errors.Join(err, p.close())
	}
	if second, err := p.pages.ReadPage(); !errors.Is(err, io.EOF) {
		parquet.Release(second)
		return nil, errors.Join(errPages, err, p.close())
	}
	if n := p.page.NumRows(); n != int64(rows) {
		return nil, errors.Join(fmt.Errorf("a page of %d rows in a row group of %d", n, rows), p.close())
	}
	p.values = rows
	if levels := p.page.DefinitionLevels(); len(levels) > 0 {
		if p.values = countValues(levels); p.values < len(levels) {
			p.levels = levels
		}
	}
	return p, nil
}

// close gives the page's memory back.
func (p *page) close() error {
	if p.page != nil {
		parquet.Release(p.page)
	}
	p.page = nil
	return p.pages.Close()
}

// countValues counts the levels that are 1; there are only 0 and 1.
func countValues(levels []byte) int {
	n := 0
	for len(levels) >= 8 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(levels) & lowBits)
		levels = levels[8:]
	}
	for _, l := range levels {
		n += int(l & 1)
	}
	return n
}

const (
	lowBits = 0x0101_0101_0101_0101
	// gatherBits multiplied with eight bytes of 0 or 1 has them as the bits of its highest byte, the first lowest.
	gatherBits = 0x0102_0408_1020_4080
)

// bitmap appends the rows' bitmap of presence to dst.
func (p *page) bitmap(dst []byte) []byte {
	if p.levels == nil {
		for range p.rows / 8 {
			dst = append(dst, 0xff)
		}
		if tail := p.rows % 8; tail > 0 {
			dst = append(dst, 1<<tail-1)
		}
		return dst
	}
	levels := p.levels
	for len(levels) >= 8 {
		dst = append(dst, byte(binary.LittleEndian.Uint64(levels)&lowBits*gatherBits>>56))
		levels = levels[8:]
	}
	last := byte(0)
	for i, l := range levels {
		last |= l & 1 << i
	}
	if len(levels) > 0 {
		dst = append(dst, last)
	}
	return dst
}

var errValues = errors.New("a page holds another number of values than its levels say")

// ints returns one value a row, 0 for nulls: the page's own memory if there are no nulls, otherwise buffer's, which
// grows as needed.
func (p *page) ints(buffer []int64) (rows, grown []int64, err error) {
	data := p.page.Data()
	dense := data.Int64()
	if len(dense) < p.values {
		return nil, buffer, errValues
	}
	if p.levels == nil {
		return dense[:p.rows:p.rows], buffer, nil
	}
	buffer = scatter(buffer, dense, p.levels)
	return buffer, buffer, nil
}

// scatter spreads the dense values over the rows whose level is 1.
func scatter[T int32 | int64](dst, dense []T, levels []byte) []T {
	if cap(dst) < len(levels) {
		dst = make([]T, len(levels))
	}
	dst = dst[:len(levels)]
	next := 0
	for i, l := range levels {
		var v T
		if l&1 != 0 {
			v = dense[next]
			next++
		}
		dst[i] = v
	}
	return dst
}

// bools returns 0 or 1 a row, 0 for nulls, in buffer, which grows as needed.
func (p *page) bools(buffer []int64) ([]int64, error) {
	data := p.page.Data()
	packed := data.Boolean()
	if 8*len(packed) < p.values {
		return buffer, errValues
	}
	buffer = buffer[:0]
	next := 0
	for i := range p.rows {
		if p.levels != nil && p.levels[i]&1 == 0 {
			buffer = append(buffer, 0)
			continue
		}
		buffer = append(buffer, int64(packed[next>>3]>>(next&7)&1))
		next++
	}
	return buffer, nil
}

// indices returns the place in the dictionary of each row's value, 0 for nulls; memory is as in ints. size is the size of
// the dictionary, which every index is checked against.
func (p *page) indices(size int, buffer []int32) (rows, grown []int32, err error) {
	data := p.page.Data()
	dense := data.Int32()
	if len(dense) < p.values {
		return nil, buffer, errValues
	}
	dense = dense[:p.values]
	high := uint32(0)
	for _, v := range dense {
		high = max(high, uint32(v))
	}
	if len(dense) > 0 && int64(high) >= int64(size) {
		return nil, buffer, fmt.Errorf("index %d into a dictionary of %d", high, size)
	}
	if p.levels == nil {
		return dense[:p.rows:p.rows], buffer, nil
	}
	buffer = scatter(buffer, dense, p.levels)
	return buffer, buffer, nil
}

// text returns the page's byte arrays, without nulls: value i is arena[offsets[i]:offsets[i+1]].
func (p *page) text() (arena []byte, offsets []int32, err error) {
	data := p.page.Data()
	arena, ends := data.ByteArray()
	return checkText(arena, ends, p.values)
}

// dictionary returns the byte arrays of the page's dictionary, nil offsets if it has none.
func (p *page) dictionary() (arena []byte, offsets []int32, err error) {
	d := p.page.Dictionary()
	if d == nil {
		return nil, nil, nil
	}
	data := d.Page().Data()
	arena, ends := data.ByteArray()
	return checkText(arena, ends, d.Len())
}

// checkText views the library's offsets as ours, after a look that none leads out of the arena.
func checkText(arena []byte, ends []uint32, n int) ([]byte, []int32, error) {
	if len(ends) == 0 && n == 0 {
		return nil, []int32{0}, nil
	}
	if len(ends) < n+1 {
		return nil, nil, errValues
	}
	ends = ends[: n+1 : n+1]
	last := uint32(0)
	for _, end := range ends {
		if end < last {
			return nil, nil, errors.New("lengths of values below zero")
		}
		last = end
	}
	if int64(last) > int64(len(arena)) || last > column.MaxBytes {
		return nil, nil, fmt.Errorf("values of %d bytes in %d", last, len(arena))
	}
	return arena[:last:last], unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(ends))), n+1), nil
}
