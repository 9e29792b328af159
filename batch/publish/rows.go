package publish

import (
	"bytes"
	"fmt"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// maxDeletes bounds the fields that one row's change deletes. What lies beyond stays as leftovers, which readers pass
// over: it takes an entity with events in as many blocks between two cuts.
const maxDeletes = 50_000

// cursor reads the file of one lane, call by call.
type cursor struct {
	open func(run int64, lane int) (*runfile.Reader, error)
	file *runfile.Reader
	run  int64 // of file
	next int64 // row that the file is at
}

// take returns the next rows for a step: at most maxRows, and at least one unless there is none, ending with the one that
// reaches maxBytes.
func (c *cursor) take(n int, s *Step, maxRows int, maxBytes int64) (rows []lane.RowChange, size int64, err error) {
	if err := c.seek(n, s); err != nil {
		return nil, 0, err
	}
	for int64(len(rows)) < min(int64(maxRows), s.Rows-s.Mark.Rows) && (size < maxBytes || len(rows) == 0) {
		row, err := c.file.Next()
		if err != nil {
			return nil, 0, fmt.Errorf("publishing: %w", err)
		}
		c.next++
		change, bytes := ChangeOf(row, s.Filling())
		rows, size = append(rows, change), size+bytes
	}
	return rows, size, nil
}

func (c *cursor) seek(n int, s *Step) error {
	if c.file != nil && c.run == s.Mark.Run && c.next == s.Mark.Rows {
		return nil
	}
	if c.file == nil || c.run != s.Mark.Run {
		if err := c.close(); err != nil {
			return err
		}
		file, err := c.open(s.Mark.Run, n)
		if err != nil {
			return err
		}
		c.file, c.run = file, s.Mark.Run
		if file.Rows() != s.Rows {
			return fmt.Errorf("publishing: %w: the file of lane %d of run %d has %d rows, the journal says %d", runfile.ErrDamaged, n, c.run, file.Rows(), s.Rows)
		}
	}
	c.next = s.Mark.Rows
	return c.file.SeekRow(c.next)
}

func (c *cursor) close() error {
	if c.file == nil {
		return nil
	}
	file := c.file
	c.file = nil
	return file.Close()
}

// ChangeOf makes the change of a row of the store: its tile is written, what the tile supersedes is deleted. filling says
// that the lane was begun at this run's cut or a later one, so that no block tile of it was ever written. It also tells
// the bytes that the change writes.
func ChangeOf(row *runfile.Row, filling bool) (lane.RowChange, int64) {
	h, _, err := tile.ParseHeader(row.Tile)
	invariant.Check(err == nil, "a run file's reader passed on tile %x: %v", row.Tile, err)
	change := lane.RowChange{
		Key: bytes.Clone(row.Key),
		Set: []lane.Field{{Name: h.Name(), Value: bytes.Clone(row.Tile)}},
	}
	size := int64(len(row.Key) + len(row.Tile))
	for _, s := range row.Superseded[:min(len(row.Superseded), maxDeletes)] {
		if filling && s.Kind == tile.KindBlock {
			continue
		}
		name := s.Name()
		change.Del = append(change.Del, name)
		size += int64(len(name))
	}
	return change, size
}
