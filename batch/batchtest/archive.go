// Package batchtest holds what tests of the batch layer need: an archive in memory that grows as the test says, and
// counts what is read of it. Only tests import it.
package batchtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Archive is a recompute.Archive in memory. Its pieces are stretches of Piece offsets. Safe for concurrent use.
type Archive struct {
	Piece int64 // offsets in a piece; a multiple of every block size
	// Spoil, if not nil, may change a batch before it is read; it is called with how often its piece was read before.
	Spoil func(p recompute.Piece, before int, b *column.Batch) error

	mu   sync.Mutex
	logs map[position.Partition]*column.Batch
	next map[position.Partition]int64 // what is archived ends here
	read map[string]int
}

// NewArchive returns an archive that will hold these batches, one a partition, of which nothing is archived yet.
func NewArchive(piece int64, batches []*column.Batch) *Archive {
	a := &Archive{Piece: piece, logs: map[position.Partition]*column.Batch{}, next: map[position.Partition]int64{}, read: map[string]int{}}
	for _, b := range batches {
		a.logs[position.Partition{Source: b.Source.Name, ID: b.Partition}] = b
	}
	return a
}

// Partitions returns the partitions in order.
func (a *Archive) Partitions() []position.Partition {
	return slices.SortedFunc(maps.Keys(a.logs), position.Partition.Compare)
}

// End returns the offset behind the last record of a partition's log.
func (a *Archive) End(p position.Partition) int64 {
	if b := a.logs[p]; b.N > 0 {
		return b.Offset[b.N-1] + 1
	}
	return 0
}

// Grow archives a partition up to an offset, never less than it was.
func (a *Archive) Grow(p position.Partition, next int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.next[p] = max(a.next[p], next)
}

// GrowAll archives everything, up to the end of each log's last block of that size.
func (a *Archive) GrowAll() {
	for _, p := range a.Partitions() {
		a.Grow(p, (a.End(p)/a.Piece+1)*a.Piece)
	}
}

// Reads returns how often each piece was read since the last call, by "source/partition@from".
func (a *Archive) Reads() map[string]int {
	a.mu.Lock()
	defer a.mu.Unlock()
	read := a.read
	a.read = map[string]int{}
	return read
}

// Extent says what is archived of a source.
func (a *Archive) Extent(_ context.Context, source string, block int64) (origin, cut position.Cut, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	origin, cut = position.Cut{}, position.Cut{}
	for p, next := range a.next {
		if p.Source == source {
			origin[p] = a.origin(p)
			cut[p] = max(origin[p], position.Block(next, block))
		}
	}
	return origin, cut, nil
}

func (a *Archive) origin(p position.Partition) int64 {
	if b := a.logs[p]; b.N > 0 {
		return b.Offset[0]
	}
	return 0
}

// Pieces returns the stretches that hold r.
func (a *Archive) Pieces(_ context.Context, p position.Partition, r position.Range) ([]recompute.Piece, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.Next > a.next[p] || r.From < a.origin(p) {
		return nil, fmt.Errorf("%w: %s of %s, there is [%d,%d)", recompute.ErrArchive, r, p, a.origin(p), a.next[p])
	}
	var pieces []recompute.Piece
	for from := r.From / a.Piece * a.Piece; from < r.Next; from += a.Piece {
		pieces = append(pieces, recompute.Piece{
			Path: p.String() + "@" + strconv.FormatInt(from, 10), Partition: p, Range: position.Range{From: from, Next: min(from+a.Piece, a.next[p])},
		})
	}
	return pieces, nil
}

// Read yields the rows of a piece in two batches, with no columns but the fields wanted. Those of bytes have dictionaries in every
// second piece, as files have where that is shorter.
func (a *Archive) Read(ctx context.Context, piece recompute.Piece, src *schema.Source, fields []int, yield func(*column.Batch) error) error {
	a.mu.Lock()
	before := a.read[piece.Path]
	a.read[piece.Path]++
	a.mu.Unlock()
	log := a.logs[piece.Partition]
	from, _ := slices.BinarySearch(log.Offset, piece.Range.From)
	to, _ := slices.BinarySearch(log.Offset, piece.Range.Next)
	for _, part := range [][2]int{{from, (from + to) / 2}, {(from + to) / 2, to}} {
		b := column.NewBatch(src, piece.Partition.ID, false)
		for row := part[0]; row < part[1]; row++ {
			CopyRow(b, log, row, fields)
		}
		if piece.Range.From/a.Piece%2 == 1 {
			withDictionaries(b)
		}
		if a.Spoil != nil {
			if err := a.Spoil(piece, before, b); err != nil {
				return err
			}
		}
		if err := errors.Join(ctx.Err(), yield(b)); err != nil {
			return err
		}
	}
	return nil
}

// withDictionaries gives the columns of bytes dictionaries. Nulls have the code of the first value.
func withDictionaries(b *column.Batch) {
	for i := range b.Cols {
		c := &b.Cols[i]
		if !c.Type.IsBytes() || c.N == 0 {
			continue
		}
		d, codes, index := column.NewColumn(c.Type, c.Scale), map[string]int32{}, []int32(nil)
		for row := range c.N {
			code, known := codes[string(c.BytesAt(row))]
			if !known {
				code = int32(len(codes))
				codes[string(c.BytesAt(row))] = code
				d.AppendBytes(c.BytesAt(row))
			}
			if !c.Present(row) {
				code = 0
			}
			index = append(index, code)
		}
		c.Offsets, c.Bytes, c.Index = d.Offsets, d.Bytes, index
	}
}

// CopyRow appends a row of from to to, with these fields of to only.
func CopyRow(to, from *column.Batch, row int, fields []int) {
	to.N++
	to.Offset = append(to.Offset, from.Offset[row])
	to.Time = append(to.Time, from.Time[row])
	to.Append = append(to.Append, from.Append[row])
	to.AppendType = append(to.AppendType, from.AppendType[row])
	to.Reject = append(to.Reject, from.Reject[row])
	for _, i := range fields {
		c, d := &from.Cols[from.Source.Index(to.Source.Fields[i].Name)], &to.Cols[i]
		switch {
		case !c.Present(row):
			d.AppendNull()
		case d.Type.IsBytes():
			d.AppendBytes(c.BytesAt(row))
		default:
			d.AppendInt(c.Ints[row])
		}
	}
}
