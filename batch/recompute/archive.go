package recompute

import (
	"context"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// Archive is what batch needs of the archive. Safe for concurrent use.
type Archive interface {
	// Extent says what is archived of a source whose blocks have the given size: for each partition the first offset
	// there is, and the first offset that complete, contiguous blocks from there on do not cover. A partition without a
	// complete block has its first offset in both; one without files is in neither.
	Extent(ctx context.Context, source string, block int64) (origin, cut position.Cut, err error)
	// Pieces returns the parts in which r of a partition can be read, in order. It errs if the archive lacks any of r.
	Pieces(ctx context.Context, p position.Partition, r position.Range) ([]Piece, error)
	// Read yields all rows of a piece in order, as src declares them, with the columns of these fields at least. A batch
	// is valid until yield returns. It may hold rows outside of the range that Pieces was asked for.
	Read(ctx context.Context, piece Piece, src *schema.Source, fields []int, yield func(*column.Batch) error) error
}

// Piece is a part of a partition that is read by one worker from its beginning to its end.
type Piece struct {
	Path      string
	Partition position.Partition
	Range     position.Range
}

// Folder is the archive below a folder (package archivefile).
type Folder string

// ErrArchive is the class of errors about an archive that does not hold what a run needs.
var ErrArchive = errors.New("archive lacks a part of the log")

// Extent lists the files of a source's partitions; no file is opened.
func (f Folder) Extent(ctx context.Context, source string, block int64) (origin, cut position.Cut, err error) {
	ids, err := archivefile.Partitions(string(f), source)
	if err != nil {
		return nil, nil, err
	}
	origin, cut = position.Cut{}, position.Cut{}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
		p := position.Partition{Source: source, ID: id}
		c, err := archivefile.List(string(f), p)
		if err != nil {
			return nil, nil, err
		}
		if len(c.Files) > 0 {
			origin[p] = c.Range().From
			cut[p] = max(c.Cut(block), origin[p])
		}
	}
	return origin, cut, nil
}

// Pieces lists the files that hold r; no file is opened.
func (f Folder) Pieces(_ context.Context, p position.Partition, r position.Range) ([]Piece, error) {
	if r.Empty() {
		return nil, nil
	}
	c, err := archivefile.List(string(f), p)
	if err != nil {
		return nil, err
	}
	if have := c.Range(); r.From < have.From || have.Next < r.Next {
		return nil, fmt.Errorf("%w: of partition %s it holds %s and %s is needed: restore the files", ErrArchive, p, have, r)
	}
	var pieces []Piece
	for _, e := range c.Overlapping(r) {
		pieces = append(pieces, Piece{Path: e.Path, Partition: p, Range: e.Range})
	}
	return pieces, nil
}

// Read opens and reads one file.
func (f Folder) Read(ctx context.Context, piece Piece, src *schema.Source, fields []int, yield func(*column.Batch) error) error {
	file, err := archivefile.Open(piece.Path)
	if err != nil {
		return err
	}
	return errors.Join(file.Read(ctx, src, archivefile.Want{Fields: fields}, yield), file.Close())
}
