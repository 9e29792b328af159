package lookup

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/tidemark-io/tidemark/shared/invariant"
	"github.com/tidemark-io/tidemark/shared/view"
)

// share is the least number of rows that are worth a goroutine: merging one takes up to some 100 µs.
const share = 16

// mergeAll sets the profiles from their rows, side by side on as many processors as the rows are worth. What panics in
// one of them panics here, where whoever answers the request expects it.
func (a *Answer) mergeAll(wants []want, values [][][]byte, opt Options, now int64) {
	part := max(share, (len(wants)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var beside sync.WaitGroup
	caught := make(chan string, 1+len(wants)/part)
	for len(wants) > part {
		some, theirs := wants[:part], values[:part]
		wants, values = wants[part:], values[part:]
		beside.Go(func() {
			defer func() {
				if p := recover(); p != nil {
					caught <- fmt.Sprintf("%v\n%s", p, debug.Stack())
				}
			}()
			a.mergeSome(some, theirs, opt, now)
		})
	}
	func() {
		defer beside.Wait()
		a.mergeSome(wants, values, opt, now)
	}()
	close(caught)
	for p := range caught {
		invariant.Fail("merging a row panicked: %s", p)
	}
}

// mergeSome sets some profiles, one after the other.
func (a *Answer) mergeSome(wants []want, values [][][]byte, opt Options, now int64) {
	g := a.Generation
	m, ok := g.mergers.Get().(*view.Merger)
	if !ok {
		m = g.Plan.NewMerger()
	}
	defer g.mergers.Put(m)
	m.Want(a.Features)
	for i, w := range wants {
		merge(g.Plan, m, a.Features, &a.Profiles[w.profile], values[i], opt, now)
	}
}
