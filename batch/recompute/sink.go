package recompute

import (
	"context"
	"errors"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// sink takes the rows of one lane in order of hash and key. One goroutine at a time uses it.
type sink interface {
	// Append takes the next row and returns the number of the row in the lane's file that holds it, if there is a file.
	// The row's slices are valid during the call only.
	Append(row *runfile.Row) (int64, error)
	// finish is called once, after the last row.
	finish() error
	// close frees what the sink holds. It may be called again, and before finish.
	close() error
}

// laneFile writes the run file of a lane. In hash ranges that get fresh bases it merges each row of change with what
// earlier runs have of the entity, and writes those of entities without a change anew: what comes out is everything below
// the run's cut.
type laneFile struct {
	w    *runfile.Writer
	past *past
	head []byte // of a fresh base

	out   runfile.Row
	rows  int64
	bases int64 // of these, fresh bases in the place of rows of change

	closed  bool            // or about to be
	summary runfile.Summary // once the file is flushed
}

func newLaneFile(g *generation, n int, w *runfile.Writer) *laneFile {
	open := func(run int64) (*runfile.Reader, error) { return g.Open(run, n) }
	return &laneFile{
		w: w, past: newPast(g.mergers, n, g.Lanes, &g.Bases, g.Run-1, open),
		head: tile.Header{Kind: tile.KindBase, Run: g.Run}.Append(nil),
	}
}

// Append writes the rows of earlier entities whose turn it is, then this one.
func (f *laneFile) Append(row *runfile.Row) (int64, error) {
	left, err := f.past.peek()
	for left && err == nil && compareKeys(f.past.row(), row) < 0 {
		if err = f.renew(nil); err == nil {
			left, err = f.past.peek()
		}
	}
	if err != nil {
		return 0, err
	}
	number := f.rows
	switch {
	case left && compareKeys(f.past.row(), row) == 0:
		err = f.renew(row)
	case f.past.bases[lane.Range(row.Hash)] > 0:
		err = f.found(row)
	default:
		err = f.write(row)
	}
	return number, err
}

// renew writes the fresh base of the entity at hand in the past, with its change, if it has one, and leaves it.
func (f *laneFile) renew(change *runfile.Row) (err error) {
	var more []byte
	old := f.past.row()
	f.out.Hash, f.out.Key = old.Hash, old.Key
	if f.out.Superseded, err = f.past.headers(f.out.Superseded[:0]); err != nil {
		return err
	}
	if change != nil {
		more = change.Tile
		f.out.Superseded = append(f.out.Superseded, change.Superseded...)
	}
	body, err := f.past.merge(more)
	if err != nil {
		return err
	}
	f.out.Tile = append(append(f.out.Tile[:0], f.head...), body...)
	if err := f.writeBase(); err != nil {
		return err
	}
	return f.past.advance()
}

// found writes the base of an entity that has no past: its change is all there is of it.
func (f *laneFile) found(change *runfile.Row) error {
	_, body, err := tile.ParseHeader(change.Tile)
	if err != nil {
		return err
	}
	f.out.Hash, f.out.Key = change.Hash, change.Key
	f.out.Superseded = append(f.out.Superseded[:0], change.Superseded...)
	f.out.Tile = append(append(f.out.Tile[:0], f.head...), body...)
	return f.writeBase()
}

func (f *laneFile) writeBase() error {
	f.bases++
	return f.write(&f.out)
}

func (f *laneFile) write(row *runfile.Row) error {
	f.rows++
	return f.w.Append(row)
}

// finish writes the rows of the entities behind the last change and ends the file, which reads then.
func (f *laneFile) finish() error {
	for {
		left, err := f.past.peek()
		if err != nil || !left {
			if err := errors.Join(err, f.past.close()); err != nil {
				return err
			}
			return f.w.End()
		}
		if err := f.renew(nil); err != nil {
			return err
		}
	}
}

// flushes is how many files are flushed at a time, which costs little more than one.
const flushes = 32

// flush brings the files of tasks to the disk and closes them. That is done when all of them are finished, and on their way
// there: each flush keeps one of the Go scheduler's processors from other work for some milliseconds, many at once hardly more.
func flush(ctx context.Context, gens []*generation) error {
	var files []*laneFile
	for _, g := range gens {
		files = append(files, g.files...)
	}
	return parallel(ctx, flushes, len(files), func(_, i int) error { return files[i].flush() }, nil)
}

// flush brings the file to the disk and closes it.
func (f *laneFile) flush() (err error) {
	f.closed = true
	f.summary, err = f.w.Close()
	return err
}

// abort closes what is open of a run that comes to nothing.
func (f *laneFile) abort() error {
	if f.closed {
		return f.close()
	}
	return errors.Join(f.w.Abort(), f.close())
}

func (f *laneFile) close() error { return f.past.close() }
