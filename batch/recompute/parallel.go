package recompute

import (
	"context"
	"sync"
	"sync/atomic"
)

// parallel calls do for each of n pieces of work, by as many workers, numbered from 0, as given. It returns the first
// error, of a worker or of the context; then work that was not begun is left out. A worker that panics is an error of
// class ErrPanic, a *PanicError. done, if not nil, is told how many pieces are finished; it is called concurrently.
func parallel(ctx context.Context, workers, n int, do func(worker, i int) error, done func(int)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next, finished atomic.Int64
	var wg sync.WaitGroup
	for worker := range min(workers, n) {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if err := guard(func() error { return do(worker, i) }); err != nil {
					cancel(err)
					return
				}
				if done != nil {
					done(int(finished.Add(1)))
				}
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}
