package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/batch/recompute"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// ErrArchive is the class of errors about an archive that does not give what a run needs: a file is missing, damaged or
// overlaps another. The error names it. Nothing of the run is published; repair the file and start batch again, which
// repeats the run.
var ErrArchive = errors.New("no run can be made of the archive")

// judged is the archive with every fault of it classed, so that one is known from a fault of state folder or store
// whatever the archive itself calls it.
type judged struct{ recompute.Archive }

func (j judged) Extent(ctx context.Context, source string, block int64) (origin, cut position.Cut, err error) {
	origin, cut, err = j.Archive.Extent(ctx, source, block)
	return origin, cut, archiveFault(ctx, err)
}

func (j judged) Pieces(ctx context.Context, p position.Partition, r position.Range) ([]recompute.Piece, error) {
	pieces, err := j.Archive.Pieces(ctx, p, r)
	return pieces, archiveFault(ctx, err)
}

func (j judged) Read(ctx context.Context, piece recompute.Piece, src *schema.Source, fields []int, yield func(*column.Batch) error) error {
	var refused error // by who reads: no fault of the archive
	err := j.Archive.Read(ctx, piece, src, fields, func(b *column.Batch) error {
		refused = yield(b)
		return refused
	})
	if refused != nil {
		return err
	}
	return archiveFault(ctx, err)
}

// archiveFault classes an error, but not the end of a context, which is how a role is told to stop.
func archiveFault(ctx context.Context, err error) error {
	if err == nil || (ctx.Err() != nil && errors.Is(err, ctx.Err())) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrArchive, err)
}
