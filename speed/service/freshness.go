package service

import (
	"slices"
	"sort"
	"time"

	"github.com/tidemark-io/tidemark/speed/flush"
)

// maxArrivals bounds the deliveries remembered for the freshness figure; past it the newest are merged.
const maxArrivals = 4096

// freshness measures the time from a record's append to when it can be read. A record counts once: what is folded again
// after a rewind, and what another owner made readable before, does not.
type freshness struct {
	pending []arrival // folded, not yet readable, in order
	counted int64     // records below it count no more
}

// arrival is when the records below next were appended.
type arrival struct {
	next    int64
	append  int64 // ms, of the oldest
	records int64
}

// seen leaves out what is readable already as the marks say.
func (f *freshness) seen(lanes []flush.Lane) {
	for i := range lanes {
		if next, ok := lanes[i].Holds(); ok {
			f.counted = max(f.counted, next)
		}
	}
}

// skip leaves out what nobody waited for: records below next of a generation that is not served.
func (f *freshness) skip(next int64) { f.counted = max(f.counted, next) }

// took notes what was folded.
func (f *freshness) took(d delivery) {
	row := sort.Search(d.batch.N, func(i int) bool { return d.batch.Offset[i] >= f.counted })
	f.counted = max(f.counted, d.next)
	if row == d.batch.N {
		return
	}
	a := arrival{next: d.next, append: d.batch.Append[row], records: int64(d.batch.N - row)}
	if n := len(f.pending); n >= maxArrivals {
		f.pending[n-1].next = a.next
		f.pending[n-1].records += a.records
		return
	}
	f.pending = append(f.pending, a)
}

// readable records what became readable now, which is everything below to.
func (f *freshness) readable(to int64, now time.Time, stats *Stats) {
	n := 0
	for n < len(f.pending) && f.pending[n].next <= to {
		stats.Freshness.Record(now.UnixMilli()-f.pending[n].append, f.pending[n].records)
		n++
	}
	f.pending = slices.Delete(f.pending, 0, n)
}
