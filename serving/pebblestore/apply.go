package pebblestore

import (
	"context"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/tidemark-io/tidemark/serving/storelimit"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// Apply applies each call, in order. Calls of concurrent Applies run side by side unless they are of one lane.
func (s *Store) Apply(ctx context.Context, calls []lane.Call) []lane.Outcome {
	out := make([]lane.Outcome, len(calls))
	if err := s.enter(); err != nil {
		for i := range out {
			out[i].Err = err
		}
		return out
	}
	defer s.leave()
	for i := range calls {
		out[i].Result, out[i].Err = s.apply(ctx, &calls[i])
	}
	return out
}

func (s *Store) apply(ctx context.Context, c *lane.Call) (lane.Result, error) {
	if err := ctx.Err(); err != nil {
		return lane.Result{}, fmt.Errorf("%w: %w", lane.ErrUnavailable, err)
	}
	if err := storelimit.Call(c); err != nil {
		return lane.Result{}, err
	}
	st := s.stripe(c.Lane)
	st.mu.Lock()
	defer st.mu.Unlock()
	before, err := st.load(s, c.Lane)
	if err != nil {
		return lane.Result{}, err
	}
	after, ok, err := lane.Decide(before, c)
	if err != nil {
		return lane.Result{}, fmt.Errorf("%w: %w (empty the lane: it fills itself again)", lane.ErrStore, err)
	}
	if !ok {
		return lane.Result{Marks: copyMarks(before)}, nil
	}
	if err := s.commit(c, before, after); err != nil {
		// What the database holds now is not known until it has been read.
		delete(st.marks, c.Lane)
		return lane.Result{}, fmt.Errorf("%w: writing to lane %s: %w", lane.ErrStore, c.Lane, err)
	}
	st.remember(c.Lane, after)
	return lane.Result{Applied: true}, nil
}

// commit writes a call's rows and marks as one batch.
func (s *Store) commit(c *lane.Call, before, after lane.Marks) (err error) {
	b := s.db.NewBatchWithSize(storelimit.Size(c) + batchSlackBytes)
	defer func() { err = errors.Join(err, b.Close()) }()
	if err := setRows(b, c); err != nil {
		return err
	}
	if err := setMarks(b, c.Lane, before, after); err != nil {
		return err
	}
	// Not synced: what a power cut takes is a suffix of the changes, and whoever made them goes back to the marks.
	return b.Commit(pebble.NoSync)
}

// batchSlackBytes is room for the marks and the prefixes of keys; a batch grows where it does not suffice.
const batchSlackBytes = 4096

func setRows(b *pebble.Batch, c *lane.Call) error {
	var key []byte
	id := lane.RowID{Lane: c.Lane, Incarnation: c.RowsOf}
	for i := range c.Rows {
		r := &c.Rows[i]
		id.Key = r.Key
		key = appendRow(key[:0], id)
		prefix := len(key)
		for _, name := range r.Del {
			key = append(key[:prefix], name...)
			if err := b.Delete(key, nil); err != nil {
				return err
			}
		}
		for _, f := range r.Set {
			key = append(key[:prefix], f.Name...)
			if err := b.Set(key, f.Value, nil); err != nil {
				return err
			}
		}
	}
	return nil
}
