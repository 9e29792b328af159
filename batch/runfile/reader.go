package runfile

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"os"
	"sort"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// Reader streams the rows of one file. Not safe for concurrent use; a file may have several readers.
type Reader struct {
	src  io.ReaderAt
	done func() error
	path string
	size int64
	x    *index

	rows  int64  // in the file
	next  int64  // number of the row that Next returns
	block int    // the one that rest belongs to
	buf   []byte // its bytes
	rest  []byte // what of it is still to be read
	row   Row
	any   bool // row holds the row before the next one
	last  []byte
}

// Open opens the file of a lane. Errors, which name the file and the cure, are of class ErrDamaged (also for a file that
// says to be another one than meta) or ErrCodec, or the file system's.
func Open(path string, meta Meta) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening run file: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening run file: %w", err), f.Close())
	}
	r, err := newReader(f, info.Size(), path)
	if err == nil && r.x.meta != meta {
		err = fmt.Errorf("%w: %s says to be %+v, want %+v; %s", ErrDamaged, path, r.x.meta, meta, cure)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	r.done = f.Close
	return r, nil
}

// newReader reads the ends of a file of that size.
func newReader(src io.ReaderAt, size int64, path string) (*Reader, error) {
	r := &Reader{src: src, path: path, size: size, block: -1}
	if size < int64(len(headMagic)+tailLength) {
		return nil, r.damaged(fmt.Errorf("%w: %d bytes", ErrDamaged, size))
	}
	var head [len(headMagic)]byte
	var end [tailLength]byte
	if err := errors.Join(r.readAt(head[:], 0), r.readAt(end[:], size-int64(tailLength))); err != nil {
		return nil, err
	}
	if err := errors.Join(magic(head[:], headMagic), magic(end[12:], tailMagic)); err != nil {
		return nil, r.damaged(err)
	}
	length := binary.BigEndian.Uint64(end[:])
	if length > uint64(size-int64(len(headMagic)+tailLength)) {
		return nil, r.damaged(fmt.Errorf("%w: index of %d bytes", ErrDamaged, length))
	}
	at := size - int64(tailLength) - int64(length)
	enc := make([]byte, length)
	if err := r.readAt(enc, at); err != nil {
		return nil, err
	}
	if crc32.Checksum(enc, castagnoli) != binary.BigEndian.Uint32(end[8:]) {
		return nil, r.damaged(fmt.Errorf("%w: the checksum of the index does not fit", ErrDamaged))
	}
	var err error
	if r.x, err = parseIndex(enc, at); err != nil {
		return nil, r.damaged(err)
	}
	r.rows = r.Summary().Rows
	return r, nil
}

// magic tells what is wrong with one of the file's ends.
func magic(got []byte, want string) error {
	n := len(want) - 1
	if !bytes.Equal(got[:n], []byte(want[:n])) {
		return fmt.Errorf("%w: it does not begin and end as a run file does", ErrDamaged)
	}
	if got[n] != want[n] {
		return fmt.Errorf("%w %d: this tidemark reads codec %d", ErrCodec, got[n], Codec)
	}
	return nil
}

func (r *Reader) damaged(err error) error { return fmt.Errorf("reading %s: %w; %s", r.path, err, cure) }

func (r *Reader) readAt(b []byte, at int64) error {
	if _, err := r.src.ReadAt(b, at); err != nil {
		return fmt.Errorf("reading %s at %d: %w", r.path, at, err)
	}
	return nil
}

// Close closes the file.
func (r *Reader) Close() error { return r.done() }

// Summary returns what the file says of itself, which Verify holds against its rows.
func (r *Reader) Summary() Summary { return r.x.summary(r.size) }

// Rows returns the number of rows.
func (r *Reader) Rows() int64 { return r.rows }

// SeekRow makes row n (0 ≤ n ≤ Rows) the one that Next returns.
func (r *Reader) SeekRow(n int64) error {
	if n < 0 || n > r.rows {
		return r.damaged(fmt.Errorf("%w: it has %d rows, and row %d is asked for", ErrDamaged, r.rows, n))
	}
	if n == r.rows {
		r.next, r.rest, r.block, r.any = n, nil, len(r.x.blocks), false
		return nil
	}
	i := sort.Search(len(r.x.blocks), func(i int) bool { return r.x.blocks[i].first > n }) - 1
	// A block that is at hand is gone on with: hash ranges are read one after the other.
	if ahead := n >= r.next && (i == r.block || n == r.next); !ahead {
		r.any = false
		if err := r.load(i); err != nil {
			return err
		}
		r.next = r.x.blocks[i].first
	}
	for r.next < n {
		if _, err := r.Next(); err != nil {
			return err
		}
	}
	return nil
}

// SeekRange makes the first row of a hash range of the lane (lane.Range) the one that Next returns, and tells how many
// rows the range has; if it has none, no row becomes the next. Of the rows before it only those of its block are read.
func (r *Reader) SeekRange(hashRange int) (rows int64, err error) {
	first, n := r.x.meta.ranges()
	invariant.Check(hashRange >= first && hashRange < first+n, "seeking hash range %d in a lane of %d to %d", hashRange, first, first+n-1)
	i := hashRange - first
	if rows = r.x.ranges[i].Rows; rows == 0 {
		return 0, nil
	}
	at := int64(0)
	for _, before := range r.x.ranges[:i] {
		at += before.Rows
	}
	return rows, r.SeekRow(at)
}

// load reads block i.
func (r *Reader) load(i int) error {
	b := &r.x.blocks[i]
	if int64(cap(r.buf)) < b.bytes {
		r.buf = make([]byte, b.bytes)
	}
	r.buf = r.buf[:b.bytes]
	if err := r.readAt(r.buf, b.at); err != nil {
		return err
	}
	if crc32.Checksum(r.buf, castagnoli) != b.crc {
		return r.damaged(fmt.Errorf("%w: the checksum of block %d does not fit", ErrDamaged, i))
	}
	r.block, r.rest = i, r.buf
	return nil
}

// Next returns the next row, io.EOF after the last. The row and its slices are valid until the next call.
func (r *Reader) Next() (*Row, error) {
	if r.next == r.rows {
		if len(r.rest) > 0 {
			return nil, r.damaged(fmt.Errorf("%w: %d bytes follow the last row", ErrDamaged, len(r.rest)))
		}
		return nil, io.EOF
	}
	r.last = append(r.last[:0], r.row.Key...)
	before := Row{Hash: r.row.Hash, Key: r.last}
	if r.block < 0 || r.next == r.x.blocks[r.block].first+r.x.blocks[r.block].rows {
		if len(r.rest) > 0 {
			return nil, r.damaged(fmt.Errorf("%w: %d bytes follow the rows of block %d", ErrDamaged, len(r.rest), r.block))
		}
		if err := r.load(r.block + 1); err != nil {
			return nil, err
		}
	}
	rest, err := parseRow(r.rest, &r.row)
	if err == nil {
		err = r.check(&before)
	}
	if err != nil {
		return nil, r.damaged(fmt.Errorf("%w: row %d: %w", ErrDamaged, r.next, err))
	}
	r.rest, r.any = rest, true
	r.next++
	return &r.row, nil
}

// check tells whether the row read may stand after the one before it.
func (r *Reader) check(before *Row) error {
	m := &r.x.meta
	if lane.Of(r.row.Hash, m.Lanes) != m.Lane {
		return fmt.Errorf("%w: hash %016x is not of lane %d of %d", errRow, r.row.Hash, m.Lane, m.Lanes)
	}
	if r.any && compareRows(before, &r.row) >= 0 {
		return fmt.Errorf("%w: %q is out of order", errRow, r.row.Key)
	}
	h, _, err := tile.ParseHeader(r.row.Tile)
	if err != nil {
		return err
	}
	if h.Run != m.Run || (h.Kind != tile.KindDelta && h.Kind != tile.KindBase) {
		return fmt.Errorf("%w: tile %s in a file of run %d", errRow, h.Name(), m.Run)
	}
	return nil
}

// Verify reads the whole file and holds its rows against its digests. It leaves the reader at the end.
func (r *Reader) Verify() error {
	if err := r.SeekRow(0); err != nil {
		return err
	}
	first, n := r.x.meta.ranges()
	sums := make([]RangeSummary, n)
	hashes := make([]hash.Hash, n)
	for i := range hashes {
		hashes[i] = sha256.New()
	}
	var enc []byte
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		i := lane.Range(row.Hash) - first
		enc = appendRow(enc[:0], row)
		hashes[i].Write(enc)
		sums[i].Rows++
	}
	for i := range sums {
		hashes[i].Sum(sums[i].Digest[:0])
		if sums[i] != r.x.ranges[i] {
			return r.damaged(fmt.Errorf("%w: the digest of hash range %d does not fit", ErrDamaged, first+i))
		}
	}
	return nil
}
