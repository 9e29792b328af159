package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/tidemark-io/tidemark/shared/column"
	"github.com/tidemark-io/tidemark/shared/decode"
	"github.com/tidemark-io/tidemark/shared/kafkalog"
	"github.com/tidemark-io/tidemark/shared/position"
	"github.com/tidemark-io/tidemark/shared/record"
	"github.com/tidemark-io/tidemark/shared/schema"
)

// fetchBackoff is how long the fetcher waits after the log, or a partition of it, could not be reached.
const fetchBackoff = 200 * time.Millisecond

// rowsPerDelivery bounds the rows of one batch: smaller ones keep freshness low while a partition catches up.
const rowsPerDelivery = 16_384

// fetcher fetches and decodes the partitions of one source. One goroutine runs it. It never waits for a single partition:
// one whose worker is slow, or gone, is left out.
type fetcher struct {
	src     *schema.Source
	log     Log
	archive Archive
	wait    time.Duration
	decoder *decode.Decoder
	feeds   map[int32]*feed
	wake    chan struct{}
	logger  *slog.Logger
	stats   *Stats
	spawn   func(func()) // runs a function beside, waited for at the end

	wants       []kafkalog.Want
	asks        map[int32]ask  // by partition, of wants
	unreachable map[int32]bool // partitions of which it was said; everything = all of them
}

// everything stands for all partitions in fetcher.unreachable.
const everything int32 = -1

// feed adds a feed of a partition. Before run.
func (f *fetcher) feed(partition int32) *feed {
	f.feeds[partition] = newFeed(partition, func() *column.Batch { return column.NewBatch(f.src, partition, false) }, f.wake)
	return f.feeds[partition]
}

// run fetches until ctx is done.
func (f *fetcher) run(ctx context.Context) {
	defer f.log.Close()
	for ctx.Err() == nil {
		if in := f.ask(time.Now()); len(f.wants) == 0 {
			f.rest(ctx, in)
			continue
		}
		fetched, err := f.log.Fetch(ctx, f.wants, f.wait)
		if ctx.Err() != nil {
			return
		}
		f.reachable(everything, err)
		if err != nil {
			f.refused(ctx, err)
			continue
		}
		now := time.Now()
		for i := range fetched {
			if a, asked := f.asks[fetched[i].Partition]; asked {
				f.guard(f.feeds[fetched[i].Partition], a, func() { f.take(ctx, &fetched[i], a, now) })
			}
		}
	}
}

// ask fills in what the feeds want now, or returns for how long they want nothing; 0 = until the next nudge.
func (f *fetcher) ask(now time.Time) (rest time.Duration) {
	f.wants = f.wants[:0]
	clear(f.asks)
	for p, fd := range f.feeds {
		a, ok, in := fd.want(now)
		switch {
		case ok:
			f.wants = append(f.wants, kafkalog.Want{Partition: p, Offset: a.offset})
			f.asks[p] = a
		case in > 0 && (rest == 0 || in < rest):
			rest = in
		}
	}
	return rest
}

// rest waits for a nudge, or at most for d if that is not 0.
func (f *fetcher) rest(ctx context.Context, d time.Duration) {
	var expired <-chan time.Time
	if d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		expired = t.C
	}
	select {
	case <-ctx.Done():
	case <-f.wake:
	case <-expired:
	}
}

// refused decides what an error about the whole topic means: what may pass is tried again, everything else (a topic that
// was deleted, or created again) stops all partitions that were asked for.
func (f *fetcher) refused(ctx context.Context, err error) {
	if kafkalog.Transient(err) {
		pause(ctx, fetchBackoff)
		return
	}
	for p, a := range f.asks {
		f.stop(f.feeds[p], a.offset, a.epoch, err)
	}
}

// reachable says once that a partition, or everything, cannot be reached, and once that it can be again.
func (f *fetcher) reachable(partition int32, err error) {
	if (err != nil) == f.unreachable[partition] {
		return
	}
	logger := f.logger.With("topic", f.src.Topic)
	if partition != everything {
		logger = logger.With("partition", partition)
	}
	if f.unreachable[partition] = err != nil; err != nil {
		logger.Warn("log cannot be fetched; waiting, nothing is lost", "error", err)
		return
	}
	logger.Info("log can be fetched again")
}

// take decodes what was fetched of one partition and hands it to its worker, as much as there are batches for: what is
// left is fetched again.
func (f *fetcher) take(ctx context.Context, got *kafkalog.Fetched, a ask, at time.Time) {
	fd := f.feeds[got.Partition]
	if got.Err != nil {
		f.troubled(ctx, fd, a, got.Err)
		return
	}
	f.reachable(got.Partition, nil)
	fd.saw(got.LastStable)
	for records, from := got.Records, a.offset; from < got.Next; {
		n, next := min(len(records), rowsPerDelivery), got.Next
		if n < len(records) {
			next = records[n].Offset
		}
		b := fd.take()
		if b == nil {
			return
		}
		f.decode(b, records[:n], a.fields)
		if !fd.deliver(delivery{batch: b, from: from, next: next, epoch: a.epoch, fetched: at}) {
			return
		}
		records, from = records[n:], next
	}
}

// decode fills a batch with the fields that are folded. That the rest of a record is well-formed is looked at all the same.
func (f *fetcher) decode(b *column.Batch, records []record.Record, fields []int) {
	f.decoder.Want(fields)
	for i := range records {
		f.decoder.Append(b, &records[i])
	}
	f.stats.decoded(b)
}

// troubled decides what a partition's error means: a trimmed head is read from the archive, what may pass is tried
// again, everything else stops the partition with its name; nothing is ever skipped.
func (f *fetcher) troubled(ctx context.Context, fd *feed, a ask, err error) {
	var out *kafkalog.RangeError
	switch {
	case errors.As(err, &out) && out.Asked < out.LogStart:
		if fd.recover(a.epoch, true) {
			f.spawn(func() { f.guard(fd, a, func() { f.readArchive(ctx, fd, a, out.LogStart) }) })
		}
	case kafkalog.Transient(err):
		f.reachable(fd.partition, err)
		fd.postpone(time.Now().Add(fetchBackoff))
	default:
		f.stop(fd, a.offset, a.epoch, err)
	}
}

// guard runs what is done for one partition; a panic stops that partition loudly and no other.
func (f *fetcher) guard(fd *feed, a ask, do func()) {
	defer func() {
		if r := recover(); r != nil {
			f.logger.Error("reading a partition panicked", "source", f.src.Name, "partition", fd.partition, "panic", r, "stack", string(debug.Stack()))
			f.stop(fd, a.offset, a.epoch, fmt.Errorf("panic while reading: %v", r))
		}
	}()
	do()
}

func (f *fetcher) stop(fd *feed, at int64, epoch int, err error) {
	pos := position.Position{Partition: position.Partition{Source: f.src.Name, ID: fd.partition}, Offset: at}
	if fd.fail(epoch, fmt.Errorf("partition stopped at %s, nothing is skipped: %w", pos, err)) {
		f.logger.Error("partition stopped", "partition", pos.Partition.String(), "offset", at, "error", err)
	}
}

// readArchive delivers what the log no longer has, up to its start at to, from the archive. For what the archive lacks
// too the partition waits.
func (f *fetcher) readArchive(ctx context.Context, fd *feed, a ask, to int64) {
	if !fd.waits() {
		f.logger.Info("reading the head of a trimmed partition from the archive",
			"source", f.src.Name, "partition", fd.partition, "from", a.offset, "to", to)
	}
	at := a.offset
	reached, err := f.archive.Scan(ctx, f.src, fd.partition, at, to, func(b *column.Batch, next int64) error {
		select {
		case <-fd.free: // the archive's batch takes the place of ours
		case <-ctx.Done():
			return ctx.Err()
		}
		f.stats.decoded(b)
		if !fd.deliver(delivery{batch: b, from: at, next: next, epoch: a.epoch, fetched: time.Now()}) {
			return errSought
		}
		at = next
		return nil
	})
	switch {
	case ctx.Err() != nil || errors.Is(err, errSought):
	case err != nil:
		f.stop(fd, at, a.epoch, err)
	case reached < to:
		f.miss(fd, reached, a.epoch, to)
	}
	fd.recover(a.epoch, false)
}

// holeEvery is how often records are looked for that are neither in the log nor in the archive.
const holeEvery = time.Second

// miss makes a partition wait for records that are nowhere: an archiver may be about to write them, and batch, which has
// them once they are archived, moves the marks past them. Nothing is skipped meanwhile.
func (f *fetcher) miss(fd *feed, reached int64, epoch int, to int64) {
	p := position.Partition{Source: f.src.Name, ID: fd.partition}
	hole := position.Range{From: reached, Next: to}
	err := fmt.Errorf("partition %s waits: records %v are neither in the log nor in the archive; bring them, or accept their loss: archive JOB --accept-loss", p, hole)
	if fd.miss(epoch, err, time.Now().Add(holeEvery)) {
		f.logger.Error("partition waits for records that are neither in the log nor in the archive; nothing is skipped", "partition", p.String(), "records", hole.String())
	}
}

// errSought ends a scan of the archive that nobody wants any more.
var errSought = errors.New("the feed reads elsewhere")

// pause waits for d or for the context's end.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
