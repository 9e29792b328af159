package audit

import (
	"context"
	"time"

	"github.com/tidemark-io/tidemark/serving/verify"
	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/history"
	"github.com/tidemark-io/tidemark/shared/lane"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// minWork is how much work is done before it is rested for, so that timers are not what it is made of.
const minWork = time.Millisecond

// pace makes what reads in small steps take one part of the time in so many.
type pace struct {
	parts int
	since time.Time // when work began that was not rested for yet
}

// rest waits, from time to time, for as long as to make the work since the rest before one part in pace.parts.
func (p *pace) rest(ctx context.Context) error {
	worked := time.Since(p.since)
	if worked < minWork {
		return ctx.Err()
	}
	err := pause(ctx, worked*time.Duration(p.parts-1))
	p.since = time.Now()
	return err
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// PacedLog reads a log in one part of the time in so many. Safe for concurrent use as far as the log is.
type PacedLog struct {
	Log   verify.Log
	Parts int // at least 1; 1 = never rest
}

// Stretches implements verify.Log.
func (l *PacedLog) Stretches(ctx context.Context, src *schema.Source) ([]history.Stretch, error) {
	return l.Log.Stretches(ctx, src)
}

// Scan implements verify.Log.
func (l *PacedLog) Scan(ctx context.Context, src *schema.Source, s history.Stretch, r position.Range, archive bool, yield func(*column.Batch) error) error {
	p := &pace{parts: l.Parts, since: time.Now()}
	return l.Log.Scan(ctx, src, s, r, archive, func(b *column.Batch) error {
		if err := yield(b); err != nil {
			return err
		}
		return p.rest(ctx)
	})
}

// PacedStore scans a store in one part of the time in so many; all else it does at once. Safe for concurrent use as far as
// the store is.
type PacedStore struct {
	verify.Store
	Parts int // at least 1; 1 = never rest
}

// Scan implements verify.Store.
func (s *PacedStore) Scan(ctx context.Context, namespace string, yield func(lane.RowID) error) error {
	p := &pace{parts: s.Parts, since: time.Now()}
	return s.Store.Scan(ctx, namespace, func(id lane.RowID) error {
		if err := yield(id); err != nil {
			return err
		}
		return p.rest(ctx)
	})
}
