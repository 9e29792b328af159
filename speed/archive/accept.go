package archive

import (
	"fmt"

	"github.com/tidemark-io/tidemark/shared/archivefile"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// AcceptLoss writes the archive file that says that nobody has the records of a range of a partition, and returns its path:
// archivers, batch, speed and verify then go on behind them. start is where the log begins now. The range must lie below it,
// overlap no file, and be a neighbour of what is archived; of a partition without files it must end at start. Accepting what
// was accepted does nothing. Errors are of class ErrNotLost, or the archive's.
func AcceptLoss(fsys archivefile.FS, dir string, src *schema.Source, partition int32, lost position.Range, start int64) (path string, err error) {
	p := position.Partition{Source: src.Name, ID: partition}
	c, err := archivefile.List(dir, p)
	if err != nil {
		return "", err
	}
	for _, e := range c.Files {
		if e.Lost && e.Range == lost {
			return e.Path, nil
		}
	}
	if err := losable(&c, lost, start); err != nil {
		return "", fmt.Errorf("accepting the loss of %s of %s: %w", lost, p, err)
	}
	return archivefile.WriteLost(fsys, dir, src, partition, lost)
}

// losable tells why a range cannot be accepted as lost, nil if it can.
func losable(c *archivefile.Coverage, lost position.Range, start int64) error {
	have := c.Range()
	overlap := c.Overlapping(lost)
	switch {
	case lost.From < 0 || lost.Empty():
		return fmt.Errorf("%w: it is no range", ErrNotLost)
	case lost.Next > start:
		return fmt.Errorf("%w: Kafka's log begins at %d, so that only what lies below it is gone", ErrNotLost, start)
	case len(overlap) > 0:
		return fmt.Errorf("%w: the archive holds %s of it in %s", ErrNotLost, overlap[0].Range, overlap[0].Path)
	case len(c.Files) == 0 && lost.Next != start:
		return fmt.Errorf("%w: nothing of the partition is archived, and records up to %d, where Kafka's log begins, would be missing still", ErrNotLost, start)
	case len(c.Files) > 0 && lost.From != have.Next && lost.Next != have.From:
		return fmt.Errorf("%w: the archive holds %s, and a gap would stay between the two", ErrNotLost, have)
	}
	return nil
}
