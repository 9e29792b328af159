package service

import (
	"sync"

	"github.com/tidemark-io/tidemark/shared/column"
)

// batchesPerPartition bounds what is decoded and not folded.
const batchesPerPartition = 3

// paused is the offset of a feed that is not to be fetched.
const paused = -1

// delivery is a decoded stretch of a partition: all its records in [from, next).
type delivery struct {
	batch      *column.Batch
	from, next int64
	epoch      int
	end        int64 // the log's end (last stable offset) as the fetch saw it; 0 from the archive
}

// feed hands one partition's batches from the fetcher to the worker. The worker says where to read by seek; the epoch
// tells deliveries from before a seek.
type feed struct {
	partition int32
	out       chan delivery
	free      chan *column.Batch
	wake      chan<- struct{} // tells the fetcher that it has more to ask for

	mu         sync.Mutex
	next       int64 // what is fetched next, or paused
	epoch      int
	recovering bool  // the archive is being read
	failed     error // the partition is stopped
}

func newFeed(partition int32, batch func() *column.Batch, wake chan<- struct{}) *feed {
	f := &feed{
		partition: partition, out: make(chan delivery, batchesPerPartition),
		free: make(chan *column.Batch, batchesPerPartition), wake: wake, next: paused,
	}
	for range batchesPerPartition {
		f.free <- batch()
	}
	return f
}

// seek makes the fetcher read from offset on and returns the new epoch.
func (f *feed) seek(offset int64) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.epoch, f.recovering = offset, f.epoch+1, false
	f.nudge()
	return f.epoch
}

// recycle gives a delivery's batch back.
func (f *feed) recycle(b *column.Batch) {
	f.free <- b
	f.nudge()
}

func (f *feed) nudge() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// want returns what to fetch, if there is anything to fetch and a batch to put it into.
func (f *feed) want() (offset int64, epoch int, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.next, f.epoch, f.next != paused && !f.recovering && f.failed == nil && len(f.free) > 0
}

// advance moves the feed on after a delivery, unless it was sought elsewhere in between.
func (f *feed) advance(epoch int, next int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch != epoch {
		return false
	}
	f.next = next
	return true
}

// recover marks the feed as being read from the archive; done ends it.
func (f *feed) recover(epoch int, on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch == epoch {
		f.recovering = on
	}
	f.nudge()
}

// fail stops the partition for good.
func (f *feed) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == nil {
		f.failed = err
	}
}

// failure returns why the partition is stopped, nil if it is not.
func (f *feed) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.failed
}
