package archivefile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"github.com/parquet-go/parquet-go"

	"github.com/tidemark-io/tidemark/shared/invariant"
)

// opened counts the files that Open has opened in this process.
var opened atomic.Int64

// Opened returns how many files Open has opened in this process: what shows that a run reads new files only.
func Opened() int64 { return opened.Load() }

// Reader reads one file. It is not safe for concurrent use; several Readers of one file are.
type Reader struct {
	path      string
	r         io.ReaderAt
	closer    io.Closer // nil if there is nothing to close
	file      *parquet.File
	footer    *Footer
	layout    layout
	seal      *seal
	chunks    []chunk // by row group, then column
	dataEnd   int64   // where the last chunk ends
	sealStart int64
}

// Open opens the archive file at path and checks that its footer is whole and says what its name and folder say. Rows are
// checked when they are read. Damage is an error of class ErrDamaged, a newer format ErrVersion.
func Open(path string) (*Reader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening archive file: %w", err)
	}
	opened.Add(1)
	r, err := openFile(f, path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

func openFile(f *os.File, path string) (*Reader, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("opening archive file: %w", err)
	}
	r, err := newReader(f, info.Size(), path)
	if err != nil {
		return nil, err
	}
	r.closer = f
	return r, r.checkName()
}

// Close closes the file.
func (r *Reader) Close() error {
	if r.closer == nil {
		return nil
	}
	return r.closer.Close()
}

// Footer returns what the file says of itself; it is not to be changed.
func (r *Reader) Footer() *Footer { return r.footer }

// newReader checks the footer of a file of the given size.
func newReader(in io.ReaderAt, size int64, path string) (*Reader, error) {
	r := &Reader{path: path, r: in}
	if err := guarded(func() error { return r.open(size) }); err != nil {
		return nil, r.wrap("its footer is not readable", err)
	}
	return r, nil
}

func (r *Reader) open(size int64) (err error) {
	// The seal comes first: what the Parquet library sees is what was written.
	if r.seal, r.sealStart, err = readSeal(r.r, size); err != nil {
		return err
	}
	r.file, err = parquet.OpenFile(r.r, size, parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true))
	if err != nil {
		return err
	}
	if r.footer, err = parseFooter(r.file.Lookup); err != nil {
		return err
	}
	r.layout = layout{fields: r.footer.Source.Fields}
	return r.checkStructure()
}

// guarded calls f, in which the Parquet library reads a file, and makes an error of its panics: it trusts some numbers
// that a file says of itself. The seal keeps chance damage from it, but not a file that somebody made.
func guarded(f func() error) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case invariant.ViolationError:
			invariant.Fail("%s", v.What)
		default:
			err = fmt.Errorf("decoding failed: %v", v)
		}
	}()
	return f()
}

// checkStructure checks that the Parquet metadata are those of a file that a Writer with this footer would have written.
func (r *Reader) checkStructure() (err error) {
	columns := r.file.Root().Columns()
	if len(columns) != r.layout.columns() {
		return fmt.Errorf("it has %d columns, its source has %d", len(columns), r.layout.columns())
	}
	for i, c := range columns {
		want := r.layout.node(i)
		if !c.Leaf() || c.Name() != r.layout.name(i) || c.Type().Kind() != want.Type().Kind() || c.Optional() != (i >= firstField) || c.Repeated() {
			return fmt.Errorf("column %d is %s, want %q of type %s", i, c, r.layout.name(i), want.Type())
		}
	}
	rows := int64(0)
	for _, g := range r.file.RowGroups() {
		if n := g.NumRows(); n <= 0 || n > GroupRows {
			return fmt.Errorf("a row group of %d rows", n)
		}
		rows += g.NumRows()
	}
	if rows != r.footer.Rows {
		return fmt.Errorf("its row groups have %d rows, its footer says %d", rows, r.footer.Rows)
	}
	r.chunks = chunksOf(r.file.Metadata())
	if len(r.chunks) != len(r.seal.chunks) {
		return fmt.Errorf("it has %d column chunks and %d checksums", len(r.chunks), len(r.seal.chunks))
	}
	r.dataEnd, err = checkChunks(r.chunks, r.sealStart)
	return err
}

// checkName finds files that were renamed or moved.
func (r *Reader) checkName() error {
	f := r.footer
	id := filepath.Base(filepath.Dir(r.path))
	if got, lost, ok := parseName(filepath.Base(r.path)); !ok || got != f.Range || lost != f.Lost || id != strconv.Itoa(int(f.Partition.ID)) {
		return damaged(r.path, "its footer says %s %s: it was renamed or moved", f.Partition, f.Range)
	}
	if source := filepath.Base(filepath.Dir(filepath.Dir(r.path))); source != f.Partition.Source {
		return damaged(r.path, "its footer says source %s: it was moved", f.Partition.Source)
	}
	return nil
}

// wrap makes err one about this file: the file system's own errors and newer formats keep their class, all else is damage.
func (r *Reader) wrap(what string, err error) error {
	if errors.Is(err, errReading) || errors.Is(err, ErrVersion) {
		return fmt.Errorf("reading archive file %s: %w", r.path, err)
	}
	return &DamageError{Path: r.path, What: what, Err: err}
}
