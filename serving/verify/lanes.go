package verify

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tidemark-io/tidemark/serving/lookup"
	"github.com/tidemark-io/tidemark/shared/lane"
)

// lanesEvery is how often lanes are looked at that are not whole yet.
const lanesEvery = 100 * time.Millisecond

// awaitLanes waits, in bounded time, until every lane can claim its content. One that was dropped never will.
func (v *run) awaitLanes(ctx context.Context) error {
	deadline := time.Now().Add(v.cfg.Wait)
	for {
		marks, err := v.marks(ctx)
		if err != nil {
			return err
		}
		v.whole = map[lane.ID]bool{}
		for n, m := range marks {
			if lookup.Claims(m) == "" {
				v.whole[lane.ID{Namespace: v.gen.Namespace, N: n}] = true
			}
		}
		if len(v.whole) == len(marks) || slices.ContainsFunc(marks, saysDropped) || !time.Now().Before(deadline) {
			return nil
		}
		v.progress("lanes whole", len(v.whole), len(marks))
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// pause waits until lanes are to be looked at again.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(lanesEvery):
		return nil
	}
}

// dropped tells whether the generation was dropped since its verification began: lanes say so, and so does the manifest,
// which is written before.
func (v *run) dropped(ctx context.Context) (bool, error) {
	marks, err := v.marks(ctx)
	if err != nil || !slices.ContainsFunc(marks, saysDropped) {
		return false, err
	}
	now, err := v.cfg.Generations(ctx, v.view)
	return !slices.ContainsFunc(now, func(g *lookup.Generation) bool { return g.Namespace == v.gen.Namespace }), err
}

func saysDropped(m lane.Marks) bool { return m[lane.BatchName] == lane.Dropped }

// marks reads the marks of all lanes.
func (v *run) marks(ctx context.Context) ([]lane.Marks, error) {
	ids := make([]lane.ID, v.gen.Lanes)
	for n := range ids {
		ids[n] = lane.ID{Namespace: v.gen.Namespace, N: n}
	}
	marks, err := v.cfg.Store.Marks(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("reading marks: %w", err)
	}
	return marks, nil
}

// readRows reads the rows of keys, each with its lane's marks. A lane that was whole is not for the moment while a run is
// published to it that covers more of the log than the speed layer has brought: in bounded time, its rows are read again.
func (v *run) readRows(ctx context.Context, keys []string) error {
	deadline := time.Now().Add(v.cfg.Wait)
	for {
		if err := v.readOnce(ctx, keys); err != nil {
			return err
		}
		if keys = slices.DeleteFunc(keys, func(key string) bool { return !v.rows[key].silent || !v.whole[v.rows[key].lane] }); len(keys) == 0 {
			return nil
		}
		marks, err := v.marks(ctx)
		if err != nil || slices.ContainsFunc(marks, saysDropped) {
			return err
		}
		if !time.Now().Before(deadline) {
			for _, key := range keys {
				delete(v.whole, v.rows[key].lane) // it is waited for once
			}
			return nil
		}
		v.progress("rows in lanes that are not whole now", len(keys), len(v.rows))
		if err := pause(ctx); err != nil {
			return err
		}
	}
}
