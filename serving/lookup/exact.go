package lookup

import (
	"cmp"
	"context"
	"fmt"

	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/view"
)

// ExactStore is what exact reads need beside Store.
type ExactStore interface {
	Store
	Exact(ctx context.Context, rows []lane.RowID) ([]lane.Exact, error)
}

// Row is a row with the marks of its lane, read at one instant.
type Row struct {
	Key  []byte
	Lane lane.ID
	lane.Exact
}

// noIncarnation stands for that of a lane that is not begun; no row has it.
const noIncarnation = lane.Incarnation("none")

// maxIncarnationTries bounds how often rows are read again because their lane was begun again in between.
const maxIncarnationTries = 8

// ExactRows reads rows of a generation, each with its lane's marks in one atomic command. A lane that is not begun has
// marks and no fields. Rows are in the order of keys.
func ExactRows(ctx context.Context, s ExactStore, g *Generation, keys [][]byte) ([]Row, error) {
	rows := make([]Row, len(keys))
	guess := map[int]lane.Incarnation{}
	pending := make([]int, len(keys))
	for i, k := range keys {
		n := lane.Of(view.Hash(k), g.Lanes)
		rows[i] = Row{Key: k, Lane: lane.ID{Namespace: g.Namespace, N: n}}
		pending[i] = i
		guess[n] = ""
	}
	if err := guessIncarnations(ctx, s, g, guess); err != nil {
		return nil, err
	}
	for range maxIncarnationTries {
		ids := make([]lane.RowID, 0, len(pending))
		for _, i := range pending {
			ids = append(ids, lane.RowID{Lane: rows[i].Lane, Incarnation: cmp.Or(guess[rows[i].Lane.N], noIncarnation), Key: rows[i].Key})
		}
		got, err := s.Exact(ctx, ids)
		if err != nil {
			return nil, fmt.Errorf("reading rows: %w", err)
		}
		var again []int
		for k, i := range pending {
			rows[i].Exact = got[k]
			// Damaged marks name no incarnation; whoever judges the row says so.
			batch, ok, err := got[k].Marks.Batch()
			if ok && err == nil && batch.Incarnation != ids[k].Incarnation {
				guess[rows[i].Lane.N] = batch.Incarnation
				again = append(again, i)
			}
		}
		if len(again) == 0 {
			return rows, nil
		}
		pending = again
	}
	return nil, fmt.Errorf("%w: lanes of %s were begun again %d times while their rows were read", lane.ErrUnavailable, g.Namespace, maxIncarnationTries)
}

// guessIncarnations fills in the incarnations as the marks say them now.
func guessIncarnations(ctx context.Context, s Store, g *Generation, guess map[int]lane.Incarnation) error {
	ids := make([]lane.ID, 0, len(guess))
	for n := range guess {
		ids = append(ids, lane.ID{Namespace: g.Namespace, N: n})
	}
	marks, err := s.Marks(ctx, ids)
	if err != nil {
		return fmt.Errorf("reading marks: %w", err)
	}
	for i, id := range ids {
		if b, ok, err := marks[i].Batch(); ok && err == nil {
			guess[id.N] = b.Incarnation
		}
	}
	return nil
}

// LookupExact answers as Lookup does, but reads marks and row of each key at one instant, and no cache.
func (r *Reader) LookupExact(ctx context.Context, s ExactStore, viewName string, keys []string, opt Options) (*Answer, error) {
	g, err := r.served(ctx, viewName, r.cfg.Now())
	if err != nil {
		return nil, err
	}
	a := &Answer{View: viewName, Generation: g, Profiles: make([]Profile, len(keys))}
	if a.Features, err = features(g.Plan, opt.Features); err != nil {
		return nil, err
	}
	wants, _ := r.parse(a, keys)
	parsed := make([][]byte, len(wants))
	for i, w := range wants {
		parsed[i] = w.row.Key
	}
	rows, err := ExactRows(ctx, s, g, parsed)
	if err != nil {
		return nil, err
	}
	reader := rowReader{plan: g.Plan, merger: g.Plan.NewMerger(), features: a.Features, opt: opt, now: r.cfg.Now().UnixMilli()}
	reader.merger.Want(a.Features)
	for i, w := range wants {
		p := &a.Profiles[w.profile]
		c := ClaimOf(rows[i].Marks)
		p.Degraded, p.Through = c.Degraded, c.Through
		if opt.Frontier {
			p.Frontier = c.Frontier
		}
		reader.read(p, rows[i].Values())
	}
	return a, nil
}

// Values returns the row's tiles.
func (r *Row) Values() [][]byte {
	tiles := make([][]byte, 0, len(r.Fields))
	for _, f := range r.Fields {
		tiles = append(tiles, f.Value)
	}
	return tiles
}
