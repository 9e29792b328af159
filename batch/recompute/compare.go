package recompute

import (
	"bytes"
	"cmp"
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
// them with what the run files from the given runs on make together. open opens the files of a lane, in ascending order
// of runs; Compare closes them. Nothing is written.
func (e *Engine) Compare(ctx context.Context, task *Task, open func(lane int) ([]*runfile.Reader, error)) (c *Comparison, err error) {
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
	for lane := range task.Lanes {
		files, err := open(lane)
		if err != nil {
			return nil, err
		}
		l, err := newComparer(g, files)
		if err != nil {
			return nil, err
		}
		lanes = append(lanes, l)
		g.sinks = append(g.sinks, l)
	}
	if err := e.passes(ctx, gens); err != nil {
		return nil, err
	}
	c = &Comparison{Events: g.out.Events}
	var files, recompute []digester
	for _, l := range lanes {
		if err := l.finish(); err != nil {
			return nil, err
		}
		c.Rows, c.Wrong = c.Rows+l.rows, c.Wrong+l.wrong
		c.First = append(c.First, l.first...)
		files, recompute = append(files, l.files), append(recompute, l.recompute)
	}
	c.Files, c.Recompute = combine(files), combine(recompute)
	return c, nil
}

// comparer is the sink of one lane: it walks the merged run files beside the rows that are computed.
type comparer struct {
	*merged
	left             bool // the merged row at hand is still to be compared
	files, recompute digester
	rows, wrong      int64
	first            []Mismatch
}

func newComparer(g *generation, files []*runfile.Reader) (*comparer, error) {
	m, err := merge(g.Plan, files)
	if err != nil {
		return nil, err
	}
	c := &comparer{merged: m, files: newDigester(), recompute: newDigester()}
	if err := c.advance(); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return c, nil
}

func (c *comparer) advance() (err error) {
	if c.left, err = c.next(); err == nil && c.left {
		c.files.add(c.key, c.body)
	}
	return err
}

func (c *comparer) fault(key []byte, format string, args ...any) {
	c.wrong++
	if len(c.first) < maxShown {
		c.first = append(c.first, Mismatch{Key: string(key), Reason: fmt.Sprintf(format, args...)})
	}
}

// Append compares a computed row with the merged ones.
func (c *comparer) Append(row *runfile.Row) error {
	if err := c.extra(row); err != nil {
		return err
	}
	_, body, err := tile.ParseHeader(row.Tile)
	if err != nil {
		return err
	}
	c.rows++
	c.recompute.add(row.Key, body)
	if !c.left || c.hash != row.Hash || !bytes.Equal(c.key, row.Key) {
		c.fault(row.Key, "it has events in the archive and no row in the run files")
		return nil
	}
	if !bytes.Equal(c.body, body) {
		c.fault(row.Key, "the whole archive makes %s, the run files make %s", shorten(body), shorten(c.body))
	}
	return c.advance()
}

// extra counts the merged rows that lie before a computed row, nil for all of them: they are of entities that the archive
// does not know.
func (c *comparer) extra(row *runfile.Row) error {
	for c.left && (row == nil || cmp.Or(cmp.Compare(c.hash, row.Hash), bytes.Compare(c.key, row.Key)) < 0) {
		c.rows++
		c.fault(c.key, "it has a row in the run files and no events in the archive")
		if err := c.advance(); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparer) finish() error { return c.extra(nil) }
