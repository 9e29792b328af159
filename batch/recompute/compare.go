package recompute

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tidemark-io/tidemark/batch/runfile"
	"github.com/tidemark-io/tidemark/shared/tile"
)

// Comparison is what a full check of one generation found.
type Comparison struct {
	Files     string // digest of the states that the run files make together
	Recompute string // digest of the states that the whole archive makes
	Rows      int64  // entities in either
	Wrong     int64  // of these
	First     []Mismatch
	Events    int64
}

// maxShown bounds the wrong rows that a comparison names, for each lane.
const maxShown = 10

// Compare computes the states of all entities at task.To from the whole archive, beginning at task.From, and compares
// them with what the run files make together: of each hash range those of the runs from task.Bases, which leaves out none,
// to task.Run. task.Open opens them, each lane's when it is the lane's turn. Nothing is written.
func (e *Engine) Compare(ctx context.Context, task *Task) (c *Comparison, err error) {
	gens, err := e.begin(ctx, []*Task{task})
	if err != nil {
		return nil, err
	}
	g := gens[0]
	var lanes []*comparer
	defer func() {
		for _, l := range lanes {
			err = errors.Join(err, l.close())
		}
	}()
	for n := range task.Lanes {
		l := newComparer(g, n)
		lanes = append(lanes, l)
		g.sinks = append(g.sinks, l)
	}
	if err := e.passes(ctx, gens); err != nil {
		return nil, err
	}
	c = &Comparison{Events: g.out.Events}
	var files, recompute []digester
	for _, l := range lanes {
		c.Rows, c.Wrong = c.Rows+l.rows, c.Wrong+l.wrong
		c.First = append(c.First, l.first...)
		files, recompute = append(files, l.files), append(recompute, l.recompute)
	}
	c.Files, c.Recompute = combine(files), combine(recompute)
	return c, nil
}

// comparer is the sink of one lane: it walks the merged run files beside the rows that are computed.
type comparer struct {
	*past
	files, recompute digester
	rows, wrong      int64
	first            []Mismatch
}

func newComparer(g *generation, n int) *comparer {
	open := func(run int64) (*runfile.Reader, error) { return g.Open(run, n) }
	return &comparer{past: newPast(g.mergers, n, g.Lanes, &g.Bases, g.Run, open), files: newDigester(), recompute: newDigester()}
}

func (c *comparer) fault(key []byte, format string, args ...any) {
	c.wrong++
	if len(c.first) < maxShown {
		c.first = append(c.first, Mismatch{Key: string(key), Reason: fmt.Sprintf(format, args...)})
	}
}

// Append compares a computed row with the merged ones.
func (c *comparer) Append(row *runfile.Row) (int64, error) {
	if err := c.extra(row); err != nil {
		return 0, err
	}
	_, body, err := tile.ParseHeader(row.Tile)
	if err != nil {
		return 0, err
	}
	c.rows++
	c.recompute.add(row.Key, body)
	left, err := c.peek()
	if err != nil {
		return 0, err
	}
	if !left || compareKeys(c.row(), row) != 0 {
		c.fault(row.Key, "it has events in the archive and no row in the run files")
		return 0, nil
	}
	merged, err := c.take()
	if err != nil {
		return 0, err
	}
	if !bytes.Equal(merged, body) {
		c.fault(row.Key, "the whole archive makes %s, the run files make %s", shorten(body), shorten(merged))
	}
	return 0, c.advance()
}

// take returns the merged body of the entity at hand, having added it to the digest.
func (c *comparer) take() ([]byte, error) {
	merged, err := c.merge(nil)
	if err == nil {
		c.files.add(c.row().Key, merged)
	}
	return merged, err
}

// extra counts the merged rows that lie before a computed row, nil for all of them: they are of entities that the archive
// does not know.
func (c *comparer) extra(row *runfile.Row) error {
	for {
		left, err := c.peek()
		if err != nil || !left || (row != nil && compareKeys(c.row(), row) >= 0) {
			return err
		}
		c.rows++
		c.fault(c.row().Key, "it has a row in the run files and no events in the archive")
		if _, err := c.take(); err != nil {
			return err
		}
		if err := c.advance(); err != nil {
			return err
		}
	}
}

func (c *comparer) finish() error { return errors.Join(c.extra(nil), c.close()) }
