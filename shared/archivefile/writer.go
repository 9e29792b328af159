package archivefile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"iter"
	"path/filepath"

	"github.com/parquet-go/parquet-go"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/crash"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Writer writes one file. It holds at most one row group in memory (GroupRows, GroupBytes); whole groups go to a
// temporary file beside the final one. It is used up by Commit, by Abort, and by any error. It is not safe for
// concurrent use.
type Writer struct {
	fs        FS
	folder    string
	src       *schema.Source
	partition position.Partition
	layout    layout

	group      *column.Batch // rows of the group being filled
	groupBytes int64
	footer     Footer // Rows, Rejects, AppendMin and AppendMax grow with the rows
	last       int64  // offset of the last row, or the one below the range
	digest     hash.Hash

	parquet *parquet.GenericWriter[any] // nil until the first group is full
	out     *output
}

// Write writes the file that holds range r of a partition, with the rows of batches in order, and returns its path. See
// Commit for what it does if there is such a file. An error from batches ends it and is returned.
func Write(fs FS, dir string, src *schema.Source, partition int32, r position.Range, batches iter.Seq2[*column.Batch, error]) (path string, err error) {
	w := NewWriter(fs, dir, src, partition, r.From)
	for b, err := range batches {
		if err == nil {
			err = w.Append(b)
		}
		if err != nil {
			return "", errors.Join(err, w.Abort())
		}
	}
	return w.Commit(r.Next)
}

// WriteLost writes the file that says that nobody has the records of range r of a partition, and returns its path. Whoever
// reads the archive goes on behind them. Whether they are lost is for the caller to know. Errors are those of Commit.
func WriteLost(fs FS, dir string, src *schema.Source, partition int32, r position.Range) (path string, err error) {
	w := NewWriter(fs, dir, src, partition, r.From)
	w.footer.Lost = true
	return w.Commit(r.Next)
}

// NewWriter returns a Writer for the file of a partition of src, below dir, that answers for the offsets from from on.
// Nothing is written until a row group is full.
func NewWriter(fs FS, dir string, src *schema.Source, partition int32, from int64) *Writer {
	p := position.Partition{Source: src.Name, ID: partition}
	return &Writer{
		fs: fs, folder: Folder(dir, p), src: src, partition: p, layout: layout{fields: src.Fields},
		group: column.NewBatch(src, partition, true), digest: sha256.New(), last: from - 1,
		footer: Footer{
			Partition: p, Range: position.Range{From: from}, Source: decoding(src), SourceHash: src.Hash(), Decoder: decode.Version,
		},
	}
}

// From returns the first offset of the file.
func (w *Writer) From() int64 { return w.footer.Range.From }

// Rows returns the number of rows appended so far.
func (w *Writer) Rows() int64 { return w.footer.Rows }

// BufferedBytes returns the size of the rows held in memory.
func (w *Writer) BufferedBytes() int64 { return w.groupBytes }

// Append appends a copy of the rows of b, a batch with what the archive keeps, decoded by the Writer's source. Its offsets
// come after those appended before. Errors about that are of class ErrRows.
func (w *Writer) Append(b *column.Batch) error { return w.AppendRows(b, 0, b.N) }

// AppendRows appends rows [from, to) of b, as Append does with all.
func (w *Writer) AppendRows(b *column.Batch, from, to int) error {
	if err := w.check(b, from, to); err != nil {
		return err
	}
	for i := from; i < to; i++ {
		w.count(b, i)
		w.groupBytes += rowBytes(b, i)
		if w.group.N+i+1-from < GroupRows && w.groupBytes < GroupBytes {
			continue
		}
		appendRows(w.group, b, from, i+1)
		from = i + 1
		if err := w.flush(); err != nil {
			return err
		}
	}
	appendRows(w.group, b, from, to)
	return nil
}

func (w *Writer) check(b *column.Batch, from, to int) error {
	if b.Archive == nil || b.Partition != w.partition.ID || len(b.Cols) != len(w.src.Fields) || b.Source.Name != w.src.Name {
		return fmt.Errorf("%w: a batch of %s/%d with %d fields, archive columns: %t, for %s with %d fields", ErrRows,
			b.Source.Name, b.Partition, len(b.Cols), b.Archive != nil, w.partition, len(w.src.Fields))
	}
	last := w.last
	for _, offset := range b.Offset[from:to] {
		if offset <= last || offset > position.MaxOffset {
			return fmt.Errorf("%w: offset %d of %s comes after %d", ErrRows, offset, w.partition, last)
		}
		last = offset
	}
	return nil
}

// count takes row i into what the footer says.
func (w *Writer) count(b *column.Batch, i int) {
	f := &w.footer
	if f.Rows == 0 {
		f.AppendMin, f.AppendMax = b.Append[i], b.Append[i]
	}
	f.Rows++
	f.AppendMin, f.AppendMax = min(f.AppendMin, b.Append[i]), max(f.AppendMax, b.Append[i])
	if b.Reject[i] != 0 {
		f.Rejects++
	}
	w.last = b.Offset[i]
}

// flush writes the group and empties it.
func (w *Writer) flush() error {
	if err := w.begin(); err != nil {
		return err
	}
	if w.group.N == 0 {
		return nil
	}
	digestGroup(w.digest, w.group)
	e := groupEncoder{layout: w.layout, batch: w.group}
	for i, c := range w.parquet.ColumnWriters() {
		// All rows in one call make one page: see docs/format/archive.md.
		if _, err := c.WriteRowValues(e.column(i)); err != nil {
			return w.failed("writing column "+w.layout.name(i), err)
		}
	}
	if err := w.parquet.Flush(); err != nil {
		return w.failed("writing row group", err)
	}
	w.group.Reset(w.partition.ID)
	w.groupBytes = 0
	return nil
}

// begin creates the temporary file, once; by then the first group is known, which decides on encodings.
func (w *Writer) begin() error {
	if w.parquet != nil {
		return nil
	}
	file, path, err := w.fs.Create(w.folder)
	if err != nil {
		return fmt.Errorf("creating archive file in %s: %w", w.folder, err)
	}
	w.out = newOutput(file, path)
	options := []parquet.WriterOption{
		w.layout.parquetSchema(w.src.Name, dictionaries(w.layout, w.group)),
		&parquet.WriterConfig{CreatedBy: createdBy},
		parquet.WriteBufferSize(0), // output has its own
		parquet.DataPageVersion(2),
	}
	for i := range w.layout.columns() {
		// The smallest and largest value of a byte array are not worth finding.
		if w.layout.isBytes(i) {
			options = append(options, parquet.SkipPageBounds(w.layout.name(i)))
		}
	}
	w.parquet = parquet.NewGenericWriter[any](w.out, options...)
	return nil
}

// Commit ends the file at next, the first offset that it does not answer for, and gives it its name. When it returns, the
// file and its name are durable. If the name is taken by a file of equal rows, that one stays and all is well; so it does
// if it was decoded by other rules (an older schema), because readers mend that. Any other content is ErrConflict, and a
// damaged file is ErrDamaged: nothing is ever written over.
func (w *Writer) Commit(next int64) (path string, err error) {
	if err := w.finish(next); err != nil {
		return "", errors.Join(err, w.Abort())
	}
	path = filepath.Join(w.folder, w.footer.name())
	if err := w.publish(path); err != nil {
		return "", errors.Join(err, w.Abort())
	}
	return path, w.Abort()
}

// finish writes and syncs the temporary file.
func (w *Writer) finish(next int64) error {
	w.footer.Range.Next = next
	if !validRange(w.footer.Range) || next <= w.last {
		return fmt.Errorf("%w: a file of %s with range %s whose last row is %d", ErrRows, w.partition, w.footer.Range, w.last)
	}
	if err := w.flush(); err != nil {
		return err
	}
	w.footer.Content = hex.EncodeToString(w.digest.Sum(nil))
	pairs, err := w.footer.pairs()
	if err != nil {
		return err
	}
	for _, p := range pairs {
		w.parquet.SetKeyValueMetadata(p.key, p.value)
	}
	if err := w.out.holdTail(); err != nil {
		return w.failed("writing", err)
	}
	crash.Point(crash.ArchiveHalf)
	if err := w.parquet.Close(); err != nil {
		return w.failed("writing footer", err)
	}
	if err := w.out.seal(chunksOf(w.parquet.File().Metadata())); err != nil {
		return w.failed("sealing", err)
	}
	return nil
}

// Abort removes the temporary file. It is called by Commit, too; calling it again does nothing.
func (w *Writer) Abort() error {
	out := w.out
	w.out = nil
	if out == nil {
		return nil
	}
	err := out.close()
	if removing := w.fs.Remove(out.path); removing != nil {
		err = errors.Join(err, fmt.Errorf("removing temporary file: %w", removing))
	}
	return err
}

func (w *Writer) failed(what string, err error) error {
	return fmt.Errorf("%s of archive file of %s from %d on: %w", what, w.partition, w.footer.Range.From, err)
}
