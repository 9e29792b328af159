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
			from, _ := slices.BinarySearch(b.Offset, r.From)
			to, _ := slices.BinarySearch(b.Offset, r.Next)
			switch {
			case from >= to:
				return nil
			case from == 0 && to == b.N:
				return yield(b)
			case trimmed == nil:
				trimmed = column.NewBatch(src, partition, want.Archive)
			}
			trimmed.Reset(partition)
			appendRows(trimmed, b, from, to)
			return yield(trimmed)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func readEntry(ctx context.Context, e Entry, src *schema.Source, want Want, yield func(*column.Batch) error) error {
	f, err := Open(e.Path)
	if err != nil {
		return err
	}
	return errors.Join(f.Read(ctx, src, want, yield), f.Close())
}
