package publish

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Limits bound how hard a publisher works the store. A zero field is its default; a negative rate is no limit.
type Limits struct {
	// RowsPerSecond that are written; default 10,000. Readers of a Redis noticed nothing up to it, and 4 ms at twice as
	// many. A sweep that goes on beside deletes at most as many again.
	RowsPerSecond float64
	// BytesPerSecond of keys, tiles and names; default 65 MB.
	BytesPerSecond float64
	// RowsPerCall, 1 to 4,096; default 16. A call is atomic: readers wait for it.
	RowsPerCall int
	// BytesPerCall ends a call with the row that reaches it, 1 B to 64 MiB; default 1 MiB.
	BytesPerCall int64
	// CallsInFlight, of as many lanes, 1 to 256; default 1.
	CallsInFlight int
}

// The defaults of Limits.
const (
	DefaultRowsPerSecond  = 10_000
	DefaultBytesPerSecond = 65_000_000
	DefaultRowsPerCall    = 16
	DefaultBytesPerCall   = 1 << 20
	DefaultCallsInFlight  = 1
)

// The upper bounds of Limits.
const (
	maxRowsPerCall   = 4096
	maxBytesPerCall  = 64 << 20
	maxCallsInFlight = 256
)

// ErrLimits is the class of errors about limits that cannot be.
var ErrLimits = errors.New("invalid limits of publishing")

// withDefaults fills in the defaults and tells all that is out of bounds.
func (l Limits) withDefaults() (Limits, error) {
	fill(&l.RowsPerSecond, DefaultRowsPerSecond)
	fill(&l.BytesPerSecond, DefaultBytesPerSecond)
	fill(&l.RowsPerCall, DefaultRowsPerCall)
	fill(&l.BytesPerCall, DefaultBytesPerCall)
	fill(&l.CallsInFlight, DefaultCallsInFlight)
	return l, errors.Join(
		within("rows per call", int64(l.RowsPerCall), maxRowsPerCall),
		within("bytes per call", l.BytesPerCall, maxBytesPerCall),
		within("calls in flight", int64(l.CallsInFlight), maxCallsInFlight),
	)
}

func fill[T int | int64 | float64](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

func within(what string, n, most int64) error {
	if n < 1 || n > most {
		return fmt.Errorf("%w: %d %s, want 1 to %d", ErrLimits, n, what, most)
	}
	return nil
}

// pacer spreads work over time: what was taken is paid for before more is.
type pacer struct {
	perSecond float64 // ≤ 0: no limit
	free      time.Time
}

// burst is how much of the past a pacer makes up for: a pause of the store is not answered by a flood.
const burst = 100 * time.Millisecond

// take waits until what was taken before is paid for, then takes n.
func (p *pacer) take(ctx context.Context, n float64) error {
	if p.perSecond <= 0 {
		return ctx.Err()
	}
	if err := pause(ctx, time.Until(p.free)); err != nil {
		return err
	}
	if earliest := time.Now().Add(-burst); p.free.Before(earliest) {
		p.free = earliest
	}
	p.free = p.free.Add(time.Duration(n / p.perSecond * float64(time.Second)))
	return nil
}

// pause waits for a time or the end of the context.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
