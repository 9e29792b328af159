package runfile

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"os"

	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// Writer writes one lane's file. Not safe for concurrent use. After an error nothing but Abort makes sense.
type Writer struct {
	f    *os.File
	x    index
	size int64

	buf  []byte // rows of the open block
	rows int64  // in it

	last    Row // Hash and a copy of Key of the row before
	any     bool
	digest  hash.Hash // of the range that is being written
	current int       // that range, as an index in x.ranges
	ended   bool      // the index is written
	failed  error     // the first of write: what is behind it is not where the index says
}

// create begins a file, which must not be there yet.
func create(path string, meta Meta) (*Writer, error) {
	invariant.Check(meta.valid(), "run file of %+v", meta)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fileMode)
	if err != nil {
		return nil, fmt.Errorf("writing run file: %w", err)
	}
	_, n := meta.ranges()
	w := &Writer{f: f, x: index{meta: meta, ranges: make([]RangeSummary, n)}, digest: sha256.New()}
	if err := w.write([]byte(headMagic)); err != nil {
		return nil, errors.Join(err, w.Abort())
	}
	return w, nil
}

const fileMode = 0o644

func (w *Writer) write(b []byte) error {
	if w.failed != nil {
		return w.failed
	}
	n, err := w.f.Write(b)
	w.size += int64(n)
	if err != nil {
		w.failed = fmt.Errorf("writing run file: %w", err)
	}
	return w.failed
}

// Append adds a row, which must come after the one before in order of (hash, key) and belong to the lane. The row's
// slices are not kept.
func (w *Writer) Append(r *Row) error {
	m := &w.x.meta
	// The arguments of invariant.Check would be boxed for every row: the branch stands here.
	if lane.Of(r.Hash, m.Lanes) != m.Lane || (w.any && compareRows(&w.last, r) >= 0) {
		invariant.Fail("row %q of hash %016x after %q of %016x in lane %d of %d", r.Key, r.Hash, w.last.Key, w.last.Hash, m.Lane, m.Lanes)
	}
	first, _ := m.ranges()
	w.enter(lane.Range(r.Hash) - first)
	start := len(w.buf)
	w.buf = appendRow(w.buf, r)
	w.digest.Write(w.buf[start:])
	w.x.ranges[w.current].Rows++
	w.rows++
	w.last.Hash, w.last.Key, w.any = r.Hash, append(w.last.Key[:0], r.Key...), true
	if len(w.buf) < BlockSize {
		return nil
	}
	return w.endBlock()
}

// compareRows orders rows by hash, then by the bytes of their keys.
func compareRows(a, b *Row) int {
	return cmp.Or(cmp.Compare(a.Hash, b.Hash), bytes.Compare(a.Key, b.Key))
}

// enter ends the digests of all ranges before i.
func (w *Writer) enter(i int) {
	for w.current < i {
		w.digest.Sum(w.x.ranges[w.current].Digest[:0])
		w.digest.Reset()
		w.current++
	}
}

func (w *Writer) endBlock() error {
	if w.rows == 0 {
		return nil
	}
	w.x.blocks = append(w.x.blocks, block{bytes: int64(len(w.buf)), rows: w.rows, crc: crc32.Checksum(w.buf, castagnoli)})
	err := w.write(w.buf)
	w.buf, w.rows = w.buf[:0], 0
	return err
}

// End ends the file: from here on it reads, but nothing of it need be on the disk, where it is sent, without waiting. It does
// nothing more when called again.
func (w *Writer) End() error {
	if w.ended {
		return nil
	}
	if err := w.endBlock(); err != nil {
		return err
	}
	w.enter(len(w.x.ranges) - 1)
	w.digest.Sum(w.x.ranges[w.current].Digest[:0])
	crash.Point(crash.RunHalf)
	enc := w.x.append(nil)
	err := cmp.Or(w.write(enc), w.write(tail(enc)))
	if w.ended = err == nil; w.ended {
		sendToDisk(w.f)
	}
	return err
}

// Close ends the file, if End has not, flushes it to the disk and tells what it says.
func (w *Writer) Close() (Summary, error) {
	if err := w.End(); err != nil {
		return Summary{}, errors.Join(err, w.Abort())
	}
	if err := w.f.Sync(); err != nil {
		return Summary{}, errors.Join(fmt.Errorf("flushing run file: %w", err), w.Abort())
	}
	if err := w.f.Close(); err != nil {
		return Summary{}, fmt.Errorf("closing run file: %w", err)
	}
	return w.x.summary(w.size), nil
}

// Abort ends writing without a file that reads. The draft that it lies in is thrown away.
func (w *Writer) Abort() error { return w.f.Close() }
