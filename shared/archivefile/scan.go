package archivefile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Scan yields the rows of a partition of src with offsets in r, in order, read as Reader.Read reads them. The archive must
// cover r in one piece; what it lacks is an error of class ErrCoverage that says which offsets there are. An empty range
// has no rows. A batch is valid until yield returns.
func Scan(ctx context.Context, dir string, src *schema.Source, partition int32, r position.Range, want Want, yield func(*column.Batch) error) error {
	if r.Empty() {
		return nil
	}
	p := position.Partition{Source: src.Name, ID: partition}
	coverage, err := List(dir, p)
	if err != nil {
		return err
	}
	if have := coverage.Range(); r.From < have.From || r.Next > have.Next {
		return fmt.Errorf("scanning archive of %s: %w: offsets %s were asked for, it holds %s", p, ErrCoverage, r, have)
	}
	var trimmed *column.Batch
	for _, e := range coverage.Overlapping(r) {
		err := readEntry(ctx, e, src, want, func(b *column.Batch) error {
			if r.Contains(b.Offset[0]) && r.Contains(b.Offset[b.N-1]) {
				return yield(b)
			}
			if trimmed == nil {
				trimmed = column.NewBatch(src, partition, want.Archive)
			}
			trimmed.Reset(partition)
			if within(b, r, trimmed).N == 0 {
				return nil
			}
			return yield(trimmed)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Dir is an archive's folder as a reader of the log's missing head sees it.
type Dir string

// Scan yields all records of [from, to) that the archive holds without a gap from from on, each batch with the offset
// after it, and returns the first offset that it does not hold: from if it does not hold that one. Batches have every
// field and nothing that only the archive keeps, and belong to who gets them. The last one of a file may be without rows:
// the log has none up to the offset after it.
func (d Dir) Scan(
	ctx context.Context, src *schema.Source, partition int32, from, to int64, yield func(b *column.Batch, next int64) error,
) (int64, error) {
	coverage, err := List(string(d), position.Partition{Source: src.Name, ID: partition})
	if err != nil {
		return from, err
	}
	held := coverage.Range()
	if !held.Contains(from) {
		return from, nil
	}
	want := Want{Fields: Everything(src).Fields}
	for _, e := range coverage.Overlapping(position.Range{From: from, Next: min(to, held.Next)}) {
		r := position.Range{From: from, Next: min(to, e.Range.Next)}
		err := readEntry(ctx, e, src, want, func(b *column.Batch) error {
			owned := within(b, r, column.NewBatch(src, partition, false))
			if owned.N == 0 {
				return nil
			}
			from = owned.Offset[owned.N-1] + 1
			return yield(owned, from)
		})
		if err == nil && from < r.Next {
			from = r.Next
			err = yield(column.NewBatch(src, partition, false), from)
		}
		if err != nil {
			return from, err
		}
	}
	return from, nil
}

// within appends the rows of b with offsets in r to dst.
func within(b *column.Batch, r position.Range, dst *column.Batch) *column.Batch {
	from, _ := slices.BinarySearch(b.Offset, r.From)
	to, _ := slices.BinarySearch(b.Offset, r.Next)
	appendRows(dst, b, from, max(from, to))
	return dst
}

func readEntry(ctx context.Context, e Entry, src *schema.Source, want Want, yield func(*column.Batch) error) error {
	f, err := Open(e.Path)
	if err != nil {
		return err
	}
	return errors.Join(f.Read(ctx, src, want, yield), f.Close())
}
