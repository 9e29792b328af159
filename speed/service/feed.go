package service

import (
	"cmp"
	"sync"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
)

// batchesPerPartition bounds what is decoded and not folded.
const batchesPerPartition = 3

// paused is the offset of a feed that is not to be fetched.
const paused = -1

// probeEvery is how often a partition is asked for whose batches are all in use, only to learn where its log ends: what
// comes with it is dropped and fetched again later.
const probeEvery = time.Second

// delivery is a decoded stretch of a partition: all its records in [from, next).
type delivery struct {
	batch      *column.Batch
	from, next int64
	epoch      int
	fetched    time.Time // when its records came from the log, or from the archive
}

// feed hands one partition's batches from the fetcher to the worker. The worker says where to read by seek; the epoch
// tells deliveries from before a seek. Safe for concurrent use.
type feed struct {
	partition int32
	out       chan delivery
	free      chan *column.Batch
	wake      chan<- struct{} // tells the fetcher that it has more to ask for

	mu         sync.Mutex
	next       int64 // what is fetched next, or paused
	fields     []int // of the source, that are decoded
	epoch      int
	recovering bool      // the archive is being read
	failed     error     // the partition is stopped
	hole       error     // records are missing for now: the archive may bring them yet, or batch may move the marks past them
	end        int64     // the log's end (last stable offset) as last seen
	asked      time.Time // when the fetcher asked for it last
	retryAt    time.Time // not to be asked for before
}

// ask is what a feed wants fetched.
type ask struct {
	offset int64
	fields []int // of the source, that the batch must hold
	epoch  int
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

// seek makes the fetcher read from offset on, these fields of each record, and returns the new epoch. The fields must stay
// as they are from then on.
func (f *feed) seek(offset int64, fields []int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next, f.epoch, f.recovering, f.hole, f.retryAt = offset, f.epoch+1, false, nil, time.Time{}
	f.fields = fields
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

// want returns what to fetch now, if there is anything to fetch and a batch to put it into. Otherwise in tells for how
// long nothing changes by itself; 0 = a nudge will tell.
func (f *feed) want(now time.Time) (a ask, ok bool, in time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == paused || f.recovering || f.failed != nil {
		return ask{}, false, 0
	}
	at := f.retryAt
	if probe := f.asked.Add(probeEvery); len(f.free) == 0 && probe.After(at) {
		at = probe
	}
	if wait := at.Sub(now); wait > 0 {
		return ask{}, false, wait
	}
	f.asked = now
	return ask{f.next, f.fields, f.epoch}, true, 0
}

// take returns an empty batch, nil if all are in use.
func (f *feed) take() *column.Batch {
	select {
	case b := <-f.free:
		b.Reset(f.partition)
		return b
	default:
		return nil
	}
}

// deliver hands a delivery to the worker and moves the feed on, unless it was sought elsewhere since the delivery's epoch:
// then the batch is free again. The batch is one that was taken, or stands for one.
func (f *feed) deliver(d delivery) bool {
	if !f.advance(d.epoch, d.next) {
		f.recycle(d.batch)
		return false
	}
	f.out <- d // there is room for every batch
	return true
}

func (f *feed) advance(epoch int, next int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch != epoch {
		return false
	}
	f.next, f.hole = next, nil
	return true
}

// saw notes where the log ends.
func (f *feed) saw(end int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.end = max(f.end, end)
}

// state returns the log's end and why the partition is stopped, nil if it is not.
func (f *feed) state() (end int64, failed error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.end, cmp.Or(f.failed, f.hole)
}

// miss notes that records are missing and keeps the feed from being asked for until a time. It returns false if that is of
// no interest any more, or known already.
func (f *feed) miss(epoch int, err error, until time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch != epoch || f.failed != nil {
		return false
	}
	known := f.hole != nil
	f.hole, f.retryAt = err, until
	return !known
}

// waits tells whether records are missing for now.
func (f *feed) waits() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.hole != nil
}

// postpone keeps the feed from being asked for until a time.
func (f *feed) postpone(until time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.retryAt = until
}

// recover marks the feed as being read from the archive, or not any more. It returns false if it was sought elsewhere
// since the epoch.
func (f *feed) recover(epoch int, on bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch != epoch {
		return false
	}
	f.recovering = on
	f.nudge()
	return true
}

// fail stops the partition for good, because of what was asked for in the epoch. It returns false if that is of no
// interest any more, or the partition is stopped already.
func (f *feed) fail(epoch int, err error) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.epoch != epoch || f.failed != nil {
		return false
	}
	f.failed = err
	return true
}

// die stops the partition for good, whatever was asked for.
func (f *feed) die(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failed = err
}
