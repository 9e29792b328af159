package archivefile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/parquet-go/parquet-go"

	"github.com/tidemark-io/tidemark/shared/column"
)

// page is the one data page of a column chunk, decoded. Its slices live until it is closed.
type page struct {
	pages  *parquet.FilePages
	page   parquet.Page
	rows   int
	valid  []byte // the rows' bitmap of presence, nil for a column that is never null
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

// openPage decodes the page of a column chunk out of its bytes. Its bitmap is in the memory of valid, which grows as needed.
func openPage(c *parquet.FileColumnChunk, at window, rows int, valid []byte) (*page, error) {
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
		if p.valid, p.values = bitmap(valid, levels); p.values < len(levels) {
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

const (
	lowBits = 0x0101_0101_0101_0101
	// gatherBits multiplied with eight bytes of 0 or 1 has them as the bits of its highest byte, the first lowest.
	gatherBits = 0x0102_0408_1020_4080
)

// bitmap returns the bitmap of levels, which are 0 or 1, in the memory of dst, and how many of them are 1.
func bitmap(dst, levels []byte) (valid []byte, ones int) {
	valid = slices.Grow(dst[:0], (len(levels)+7)/8)[:(len(levels)+7)/8]
	for i := range len(levels) / 8 {
		word := binary.LittleEndian.Uint64(levels[8*i:]) & lowBits
		valid[i] = byte(word * gatherBits >> 56)
		ones += bits.OnesCount64(word)
	}
	if tail := levels[len(levels)&^7:]; len(tail) > 0 {
		last := byte(0)
		for i, l := range tail {
			last |= l & 1 << i
		}
		valid[len(valid)-1] = last
		ones += bits.OnesCount8(last)
	}
	return valid, ones
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
	buffer = scatter(buffer, dense, p.valid, p.rows)
	return buffer, buffer, nil
}

// scatter spreads the dense values over the n rows that are present, and makes the others 0. There are as many values as
// bits of the bitmap. It copies stretches without nulls and takes eight rows at a time of all else, without a branch on
// each row, which is beyond what a processor guesses.
func scatter[T int32 | int64](dst, dense []T, valid []byte, n int) []T {
	dst = slices.Grow(dst[:0], n)[:n]
	var last [8]T
	rows := dst
	for {
		whole := wholeBytes(valid)
		copy(rows[:8*whole], dense)
		rows, dense, valid = rows[8*whole:], dense[8*whole:], valid[whole:]
		if len(rows) < 8 {
			break
		}
		if len(dense) < 8 { // what lies behind the last value is read, but not used
			copy(last[:], dense)
			dense = last[:]
		}
		taken := spread8((*[8]T)(rows), (*[8]T)(dense), valid[0])
		rows, dense, valid = rows[8:], dense[taken:], valid[1:]
	}
	for i := range rows {
		rows[i] = 0
		if valid[0]>>i&1 != 0 {
			rows[i], dense = dense[0], dense[1:]
		}
	}
	return dst
}

// wholeBytes returns how many bytes at the beginning of a bitmap are all ones.
func wholeBytes(bitmap []byte) (n int) {
	for ; len(bitmap)-n >= 8; n += 8 {
		if nulls := ^binary.LittleEndian.Uint64(bitmap[n:]); nulls != 0 {
			return n + bits.TrailingZeros64(nulls)/8
		}
	}
	for n < len(bitmap) && bitmap[n] == math.MaxUint8 {
		n++
	}
	return n
}

// spread8 is scatter of eight rows, and returns how many values they took.
func spread8[T int32 | int64](rows, dense *[8]T, present byte) (taken int) {
	if present == 0 {
		*rows = [8]T{}
		return 0
	}
	for i := range rows {
		one := T(present & 1)
		rows[i] = dense[taken&7] & -one
		taken += int(one)
		present >>= 1
	}
	return taken
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
// the dictionary.
func (p *page) indices(size int, buffer []int32) (rows, grown []int32, err error) {
	dense, err := p.denseIndices(size)
	if err != nil || p.levels == nil {
		return dense, buffer, err
	}
	buffer = scatter(buffer, dense, p.valid, p.rows)
	return buffer, buffer, nil
}

// denseIndices returns the place in the dictionary of each value, after a look that none leads out of it.
func (p *page) denseIndices(size int) ([]int32, error) {
	data := p.page.Data()
	dense := data.Int32()
	if len(dense) < p.values {
		return nil, errValues
	}
	dense = dense[:p.values:p.values]
	if high := highest(dense); len(dense) > 0 && int64(high) >= int64(size) {
		return nil, fmt.Errorf("index %d into a dictionary of %d", high, size)
	}
	return dense, nil
}

// highest returns the highest of some values, as unsigned ones. It looks at four at a time, whose comparisons do not wait
// for one another.
func highest(values []int32) uint32 {
	var high [4]uint32
	for len(values) >= 4 {
		v := (*[4]int32)(values)
		high[0], high[1] = max(high[0], uint32(v[0])), max(high[1], uint32(v[1]))
		high[2], high[3] = max(high[2], uint32(v[2])), max(high[3], uint32(v[3]))
		values = values[4:]
	}
	for _, v := range values {
		high[0] = max(high[0], uint32(v))
	}
	return max(high[0], high[1], high[2], high[3])
}

// codes returns what mapping makes of each row's place in the dictionary, 0 for nulls; memory is as in ints, and dense that
// of the values before they are spread.
func (p *page) codes(mapping, buffer []int64, dense *[]int64) (rows, grown []int64, err error) {
	indices, err := p.denseIndices(len(mapping))
	if err != nil {
		return nil, buffer, err
	}
	values := slices.Grow((*dense)[:0], len(indices))[:len(indices)]
	for i, at := range indices {
		values[i] = mapping[at]
	}
	*dense = values
	if p.levels == nil {
		return values, buffer, nil
	}
	buffer = scatter(buffer, values, p.valid, p.rows)
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
