package service

import (
	"slices"
	"sort"
	"time"

	"github.com/tidemark-io/tidemark/speed/flush"
)

// maxArrivals bounds the deliveries remembered for the freshness figure; past it the newest are merged.
const maxArrivals = 4096

// Stage is one part of the way of a record from what it tells of to a reader.
type Stage uint8

// The stages, in order.
const (
	EventToAppend   Stage = iota // from the event to the broker's append: the producer's, and what the record says of itself
	AppendToFetch                // to its being fetched; two machines' clocks are compared
	FetchToFold                  // to its being folded: decoding, and waiting for the worker, or for memory
	FoldToFlush                  // to a flush of what it changed: linger, and waiting for the flush before
	FlushToReadable              // to the store's answer that all of it is there, repeats included
	Stages                       // the number of stages
)

var stageNames = [Stages]string{"event_append", "append_fetch", "fetch_fold", "fold_flush", "flush_readable"}

// String returns the stage's name, as metrics carry it.
func (s Stage) String() string { return stageNames[s] }

// freshness measures the time from a record's append to when it can be read. A record counts once: what is folded again
// after a rewind, and what another owner made readable before, does not.
type freshness struct {
	pending []arrival // folded, not yet readable, in order
	flushed int       // so many of them were in a flush
	counted int64     // records below it count no more
}

// arrival is what became of the records below next that arrived together. Times are those of the oldest, which stands for
// all of them: nothing is done for each record.
type arrival struct {
	next    int64
	append  int64 // ms
	records int64

	fetched, folded time.Time
	flushed         time.Time // zero as long as no flush was sent since
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
func (f *freshness) took(d delivery, now time.Time, stats *Stats) {
	row := sort.Search(d.batch.N, func(i int) bool { return d.batch.Offset[i] >= f.counted })
	f.counted = max(f.counted, d.next)
	if row == d.batch.N {
		return
	}
	a := arrival{next: d.next, append: d.batch.Append[row], records: int64(d.batch.N - row), fetched: d.fetched, folded: now}
	for i := row; i < d.batch.N; i++ {
		if d.batch.Reject[i] == 0 { // a rejected one says nothing of an event
			stats.Stages[EventToAppend].Record(1000*(d.batch.Append[i]-d.batch.Time[i]), a.records)
			break
		}
	}
	if n := len(f.pending); n >= maxArrivals {
		f.pending[n-1].next = a.next
		f.pending[n-1].records += a.records
		return
	}
	f.pending = append(f.pending, a)
}

// sent notes that all that is folded was put into a flush, of as many lanes as can be written to. The first flush counts:
// what comes of one that fails is the store's.
func (f *freshness) sent(now time.Time) {
	for ; f.flushed < len(f.pending); f.flushed++ {
		f.pending[f.flushed].flushed = now
	}
}

// readable records what became readable now, which is everything below to.
func (f *freshness) readable(to int64, now time.Time, stats *Stats) {
	n := 0
	for n < len(f.pending) && f.pending[n].next <= to {
		f.pending[n].record(now, stats)
		n++
	}
	f.pending, f.flushed = slices.Delete(f.pending, 0, n), max(f.flushed-n, 0)
}

// record counts an arrival that became readable now, in each stage that it went through: what changes no tile is in no
// flush, and waited for nothing but what came before it.
func (a *arrival) record(now time.Time, stats *Stats) {
	stats.Freshness.Record(now.UnixMilli()-a.append, a.records)
	took := func(s Stage, d time.Duration) { stats.Stages[s].Record(d.Microseconds(), a.records) }
	took(AppendToFetch, a.fetched.Sub(time.UnixMilli(a.append)))
	took(FetchToFold, a.folded.Sub(a.fetched))
	if a.flushed.IsZero() {
		took(FoldToFlush, now.Sub(a.folded))
		return
	}
	took(FoldToFlush, a.flushed.Sub(a.folded))
	took(FlushToReadable, now.Sub(a.flushed))
}
